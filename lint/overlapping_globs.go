package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var overlappingGlobs = &Rule{
	ID:       "AEG028",
	Name:     "overlapping-globs",
	Severity: aegis.SeverityInfo,
	Summary:  "a wildcard's rules also hold for an action that has an entry of its own, with other arguments",
	Doc: `avoid: actions: ["update_*"] with max_discount: 10 beside an entry for update_note with args: {note: …}
prefer: the actions by name in both; or args: {discount: {max: 10, optional: true}} under the wildcard
why: every entry that matches applies. update_note must then carry a discount as well, and is denied without one.
Left alone where the two name an argument in common, and where the wildcard is for any action.`,
	check: checkOverlappingGlobs,
}

func checkOverlappingGlobs(p *pass) {
	p.entries(func(u *unit, glob *policy.Entry) {
		if u.guardrail != nil || !slices.ContainsFunc(append(slices.Clone(glob.Actions), glob.Tools...), func(a policy.Pattern) bool { return !a.Exact() }) {
			return
		}
		p.readsMadeWrites(u, glob)
		needs := needed(glob)
		if len(needs) == 0 && !closed(glob) {
			return
		}
		for _, x := range u.beside(glob) {
			own := needed(x)
			if kin(x, glob) || !within(x, glob) || within(glob, x) || len(own) == 0 ||
				slices.ContainsFunc(x.Names, func(n string) bool { return slices.Contains(glob.Names, n) }) {
				continue
			}
			about := "its calls must carry " + strings.Join(needs, ", ") + " as well"
			if closed(glob) {
				about = "other_args: deny there refuses " + strings.Join(own, ", ")
			}
			star := globOf(glob, x)
			pos := p.word(glob.Pos, string(star))
			p.reportAt(pos, policy.NoRule, "name what is meant instead of the wildcard, or write optional: true",
				"%s also fits the entry at %s: %s", star, line(x.Pos, pos), about)
		}
	})
}

// readsMadeWrites reports a wildcard that makes reads of another entry writes, because its effect is left out.
func (p *pass) readsMadeWrites(u *unit, glob *policy.Entry) {
	if !glob.Grants || effect(glob) != aegis.Write || !slices.ContainsFunc(glob.Actions, func(a policy.Pattern) bool { return !a.Exact() && reads(a) }) {
		return
	}
	for _, x := range u.beside(glob) {
		if kin(x, glob) || effect(x) != aegis.Read {
			continue
		}
		for _, a := range glob.Actions {
			if !a.Exact() && reads(a) && anyPair([]policy.Pattern{a}, x.Actions, patternsMeet) {
				pos := p.word(glob.Pos, string(a))
				p.reportAt(pos, policy.NoRule, "write effect: read here as well", "%s is to write, so what the entry at %s calls reads are writes too",
					a, line(x.Pos, pos))
				return
			}
		}
	}
}

// needed returns the arguments without which the entry's constraints are in error.
func needed(e *policy.Entry) []string {
	if e.Conditions == nil {
		return nil
	}
	var out []string
	for _, c := range e.Conditions.Args {
		if !c.Optional && !slices.Contains(out, c.Path[0]) {
			out = append(out, c.Path[0])
		}
	}
	return out
}

func closed(e *policy.Entry) bool {
	return e.Conditions != nil && e.Conditions.OtherArgs != policy.NoRule
}

// globOf returns the wildcard of an entry that covers an action of another.
func globOf(glob, x *policy.Entry) policy.Pattern {
	for _, a := range glob.Actions {
		if !a.Exact() && slices.ContainsFunc(x.Actions, func(b policy.Pattern) bool { return patternCovers(a, b) }) {
			return a
		}
	}
	for _, t := range glob.Tools {
		if !t.Exact() {
			return t
		}
	}
	return glob.Tools[0]
}
