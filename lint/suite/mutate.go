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
	concerned := newConcerns(set, cases, traces)
	which := make([][]int, len(tried))
	for i, t := range tried {
		which[i] = concerned.by(&changes[t])
	}
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
		var err error
		fates[i], err = attempt(k.set, &k.changes[tried[i]], &k.scratch, cases, which[i])
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

// concerns knows which cases a change can concern, and which of them will notice it first.
type concerns struct {
	traces []trace
	sizes  []int                    // calls of each case
	rules  map[string]policy.RuleID // by id
	known  map[[2]string][]int      // by rule and unit
}

func newConcerns(set *policy.Set, cases []*testCase, traces []trace) *concerns {
	c := &concerns{traces, make([]int, len(cases)), map[string]policy.RuleID{}, map[[2]string][]int{}}
	for i, k := range cases {
		c.sizes[i] = 1
		for _, s := range k.before {
			c.sizes[i] += s.repeat
		}
	}
	for i, r := range set.Rules {
		c.rules[r.ID] = policy.RuleID(i)
	}
	return c
}

// by lists the cases on which the change's unit was at work: first those in which its rule had something to say, then
// those in which it was judged at all, short ones first. The order decides how soon a mutant is killed, not whether.
func (c *concerns) by(k *change) []int {
	id := [2]string{k.Rule, k.unit}
	if list, ok := c.known[id]; ok {
		return list
	}
	list, weight := []int{}, map[int]int{}
	rule := c.rules[k.Rule]
	for i, t := range c.traces {
		if k.unit != "" && t.units[k.unit] == 0 {
			continue
		}
		list = append(list, i)
		weight[i] = c.sizes[i]
		if n := t.rules[rule]; n == nil {
			weight[i] += 2 * maxCalls
		} else if n[fired]+n[erred] == 0 {
			weight[i] += maxCalls
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(weight[a], weight[b]) })
	c.known[id] = list
	return list
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
