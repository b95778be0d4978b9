package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var badIgnore = &Rule{
	ID:       "AEG049",
	Name:     "ignore",
	Severity: aegis.SeverityWarning,
	Fixable:  true,
	Summary:  "a comment that ignores nothing, or does not say why",
	Doc: `avoid: "# aegis:ignore AEG010" without a reason; one above a line that has no such finding
prefer: "# aegis:ignore AEG010 treasury approves by hand, see SEC-412", on the line or on the one above
why: a finding that is silenced without a reason is silenced for ever, and a comment that silences nothing hides the
next one. Load errors and these findings cannot be ignored. --fix removes a comment that ignores nothing.`,
	check: checkIgnore,
}

// Ignores take effect after all rules have run (applyIgnores), so there is nothing to do before.
func checkIgnore(*pass) {}

// ignore is one comment that silences rules on its line and, where it stands alone, on the line below.
type ignore struct {
	src     *policy.Source
	comment policy.Comment
	rules   []string
	reason  string
	alone   bool
	used    []bool // by rule
}

var ignoreComment = regexp.MustCompile(`^#+\s*aegis:ignore\b[:\s]*(.*)$`)

// ignores reads the comments of a set, by file.
func (p *pass) ignores() map[string][]*ignore {
	out := map[string][]*ignore{}
	for _, s := range p.set.Sources {
		for _, c := range s.Comments {
			parts := ignoreComment.FindStringSubmatch(c.Text)
			if parts == nil {
				continue
			}
			i := &ignore{src: s, comment: c}
			words := strings.Fields(parts[1])
			for len(words) > 0 {
				name := strings.TrimSuffix(words[0], ",")
				if _, ok := Lookup(name); !ok && !ruleLike.MatchString(name) {
					break
				}
				i.rules = append(i.rules, name)
				words = words[1:]
			}
			i.reason = strings.TrimLeft(strings.Join(words, " "), "-—:– ")
			i.used = make([]bool, len(i.rules))
			before := s.Text[p.linesOf(s)[c.Pos.Line-1]:c.Offset]
			i.alone = strings.TrimSpace(string(before)) == ""
			out[s.Name] = append(out[s.Name], i)
		}
	}
	return out
}

var ruleLike = regexp.MustCompile(`^AEG[0-9]+$`)

// silences reports whether the comment speaks of the finding. (A comment without a reason does, and is a finding itself:
// two findings for one slip would help nobody.)
func (i *ignore) silences(f placed) bool {
	at := i.comment.Pos.Line
	if f.ID == loadError.ID || f.ID == badIgnore.ID || f.pos.Line != at && !(i.alone && f.pos.Line == i.below()) {
		return false
	}
	for k, name := range i.rules {
		if r, ok := Lookup(name); ok && r.ID == f.ID {
			i.used[k] = true
			return true
		}
	}
	return false
}

// below is the line that a comment on a line of its own speaks of: the next that is neither blank nor a comment.
func (i *ignore) below() int {
	lines := strings.Split(string(i.src.Text[i.comment.Offset:]), "\n")
	for n, l := range lines[1:] {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			return i.comment.Pos.Line + 1 + n
		}
	}
	return -1
}

// applyIgnores takes away what comments silence and adds what is wrong with the comments.
func (p *pass) applyIgnores() {
	all := p.ignores()
	if len(all) == 0 {
		return
	}
	p.found = slices.DeleteFunc(p.found, func(f placed) bool {
		silenced := false
		for _, i := range all[f.pos.File] {
			silenced = i.silences(f) || silenced
		}
		return silenced
	})
	if !p.opt.runs(badIgnore) {
		return
	}
	p.rule = badIgnore
	for _, list := range all {
		for _, i := range list {
			p.judgeIgnore(i)
		}
	}
}

func (p *pass) judgeIgnore(i *ignore) {
	pos := i.comment.Pos
	if len(i.rules) == 0 {
		p.reportAt(pos, policy.NoRule, "write # aegis:ignore AEG010 and the reason", "the comment names no rule to ignore")
		return
	}
	if i.reason == "" {
		p.reportAt(pos, policy.NoRule, "write the reason behind the rule's name", "%s is ignored without a reason", strings.Join(i.rules, ", "))
	}
	idle, judged := 0, 0
	for k, name := range i.rules {
		r, ok := Lookup(name)
		switch {
		case !ok:
			p.reportAt(pos, policy.NoRule, didYouMean(name, ruleNames(), "aegisctl lint --rules lists them"), "no rule is called %s", name)
		case r.ID == loadError.ID || r.ID == badIgnore.ID:
			p.reportAt(pos, policy.NoRule, "remove it", "%s cannot be ignored", name)
		case p.opt.runs(&r) && p.decides(&r) && !i.used[k]:
			idle++
		}
		judged++
	}
	if idle == 0 {
		return
	}
	p.reportAt(pos, policy.NoRule, "remove the comment", "nothing here is left to ignore: %s", idleNames(i))
	if idle == judged {
		p.fix(removeComment)
	}
}

func idleNames(i *ignore) string {
	var names []string
	for k, n := range i.rules {
		if !i.used[k] {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// decides reports whether a rule had what it needs to find anything: one that had not may find it next time.
func (p *pass) decides(r *Rule) bool {
	return (!r.NeedsSchema || p.opt.Schema != nil) && (!r.NeedsTraffic || p.opt.Traffic != nil) && (r.ID != expired.ID || !p.opt.Now.IsZero())
}

func ruleNames() []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.ID, r.Name)
	}
	return out
}

// Unknown returns the names that no rule has, each with the hint that goes with it.
func Unknown(names []string) (unknown, hints []string) {
	for _, n := range names {
		if _, ok := Lookup(n); !ok {
			unknown, hints = append(unknown, n), append(hints, didYouMean(n, ruleNames(), "aegisctl lint --rules lists them"))
		}
	}
	return unknown, hints
}
