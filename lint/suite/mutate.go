package suite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// Mutation says how many small changes of the policies the cases would notice.
type Mutation struct {
	Mutants    int      `json:"mutants"` // that were tried and are no equivalents
	Killed     int      `json:"killed"`
	Score      Rate     `json:"score"`
	Equivalent int      `json:"equivalent"` // of the same meaning as the policy: not counted
	Skipped    int      `json:"skipped"`    // left out by the limit
	Survivors  []Mutant `json:"survivors"`
}

// Mutant is a change of one rule.
type Mutant struct {
	Source string `json:"source"`
	Rule   string `json:"rule"`
	Change string `json:"change"`

	at policy.Pos
}

// change is a mutant that can be made and undone on one set. A change that can have an effect only where some unit
// (policy, guardrail or entry) is at work names it; "" concerns every call.
type change struct {
	Mutant
	unit  string
	apply func()
	undo  func()
	same  func() bool // proves, before it is made, that it changes nothing; nil: nothing is known
}

// The fates of a mutant.
const (
	untried = iota
	killed
	survived
	equivalent
)

// mutate makes each change on a set of the worker's own, runs the cases that it can concern until one fails, and undoes
// it.
func mutate(ctx context.Context, load func() (*policy.Set, error), set *policy.Set, cases []*testCase, traces []trace,
	opt Options) (*Mutation, error) {
	calls := callsOf(cases)
	changes := changesOf(set, calls)
	tried := pickEvenly(len(changes), opt.MutateLimit)
	concerned := concernedBy(traces, len(cases))
	fates := make([]int, len(tried))
	type worker struct {
		set     *policy.Set
		changes []change
		scratch decide.Scratch
	}
	workers := map[int]*worker{}
	parallel := opt.Parallel
	if parallel <= 0 {
		parallel = processors()
	}
	for i := range parallel {
		own, err := load()
		if err != nil {
			return nil, err
		}
		if own.Version != set.Version {
			return nil, fmt.Errorf("the policies changed while they were tested; run it again")
		}
		workers[i] = &worker{set: own, changes: changesOf(own, calls)}
	}
	err := each(ctx, parallel, len(tried), func(w, i int) error {
		k := workers[w]
		c := &k.changes[tried[i]]
		which := concerned[c.unit]
		if c.unit == "" {
			which = concerned[""]
		}
		var err error
		fates[i], err = attempt(k.set, c, &k.scratch, cases, which)
		return err
	})
	if err != nil {
		return nil, err
	}
	return summary(changes, tried, fates), nil
}

// attempt makes one change and says what became of it.
func attempt(set *policy.Set, c *change, s *decide.Scratch, cases []*testCase, which []int) (fate int, err error) {
	if c.same != nil && c.same() {
		return equivalent, nil
	}
	c.apply()
	defer c.undo()
	if len(which) > 0 {
		g, err := decide.NewGate(set, decide.Options{})
		if err != nil {
			return killed, nil // no gate opens on it: nobody could deploy it
		}
		for _, i := range which {
			ok, err := cases[i].holds(g, s)
			if err != nil {
				return untried, err
			}
			if !ok {
				return killed, nil
			}
		}
	}
	if set.Fingerprint() == set.Version {
		return equivalent, nil
	}
	return survived, nil
}

// holds reports whether a case passes, and stops at the first difference.
func (c *testCase) holds(g *decide.Gate, s *decide.Scratch) (ok bool, err error) {
	ok = true
	err = c.play(g, s, func(st *step, _ int, o *observed) bool {
		ok = len(st.unmet(o, true)) == 0
		return ok
	})
	return ok, err
}

// concernedBy lists, by unit, the cases whose calls it was at work on; "" is all of them. Short cases come first.
func concernedBy(traces []trace, n int) map[string][]int {
	out := map[string][]int{}
	for i := range n {
		out[""] = append(out[""], i)
		for unit := range traces[i].units {
			out[unit] = append(out[unit], i)
		}
	}
	for _, is := range out {
		slices.Sort(is)
	}
	return out
}

// pickEvenly picks at most limit of n, spread evenly; 0 picks all.
func pickEvenly(n, limit int) []int {
	if limit <= 0 || limit > n {
		limit = n
	}
	out := make([]int, limit)
	for i := range out {
		out[i] = i * n / limit
	}
	return out
}

func summary(changes []change, tried, fates []int) *Mutation {
	m := &Mutation{Skipped: len(changes) - len(tried), Survivors: []Mutant{}}
	for i, fate := range fates {
		switch fate {
		case equivalent:
			m.Equivalent++
		case killed:
			m.Killed++
			m.Mutants++
		case survived:
			m.Mutants++
			m.Survivors = append(m.Survivors, changes[tried[i]].Mutant)
		}
	}
	m.Score = rate(m.Killed, m.Mutants)
	return m
}

func (m *Mutation) writeText(b *strings.Builder, _ bool) {
	fmt.Fprintf(b, "mutation score: %s (%d of %d mutants killed", m.Score, m.Killed, m.Mutants)
	if m.Equivalent > 0 {
		fmt.Fprintf(b, ", %d equivalent ones not counted", m.Equivalent)
	}
	if m.Skipped > 0 {
		fmt.Fprintf(b, ", %d left out", m.Skipped)
	}
	b.WriteString(")\n")
	for _, s := range m.Survivors {
		fmt.Fprintf(b, "  %s: %s survives: %s\n", plain(s.Source), plain(s.Rule), plain(s.Change))
	}
}

// byPlace orders mutants by place, rule and change.
func byPlace(a, b change) int {
	return cmp.Or(strings.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Col, b.at.Col),
		strings.Compare(a.Rule, b.Rule), strings.Compare(a.Change, b.Change))
}
