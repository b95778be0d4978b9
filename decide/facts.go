package decide

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Facts is what the Gate knows of a call beside the call itself. Evaluate reads nothing else.
type Facts struct {
	Session  *History        // nil: the call has no session
	Detected []policy.RuleID // sanitizer rules with a hit in the arguments
	Exceeded []policy.RuleID // limit rules whose ledger has nothing left for this call
}

// History is what a session's earlier calls left behind: those that were let through and not reported failed. Every
// slice is indexed by feature, as in policy.Set.Features; a feature uses the slice of its kind.
type History struct {
	Counts []int64
	Sums   []Sum
	Values [][]policy.Literal // distinct, in order of appearance; a literal of kind Null is an element in error
	Taints []bool

	// Doubt marks features that an earlier call may have changed: nobody knows whether it was let through, or with
	// which arguments. Only captured traffic has such calls. Nil: there is no doubt.
	Doubt []bool
}

// doubts reports whether the feature's value is not known.
func (h *History) doubts(feature int) bool { return h.Doubt != nil && h.Doubt[feature] }

// Doubt notes what a call of the plan may have changed: everything, or only what rests on arguments.
func (p *Plan) Doubt(h *History, features int, argsOnly bool) {
	for _, u := range p.updates {
		if argsOnly && u.kind != policy.FeatureSum && u.kind != policy.FeatureValues {
			continue
		}
		if h.Doubt == nil {
			h.Doubt = make([]bool, features)
		}
		h.Doubt[u.feature] = true
	}
}

// Sum is the sum of an argument over a session's calls, in millionths. It is bad, and reading it an error, once an
// argument was no number or the sum left the bounds of arithmetic.
type Sum struct {
	Micro int64
	Bad   bool
}

// NewHistory returns an empty history for features. There may be very many sessions, so that a slice is made only where
// some feature uses it.
func NewHistory(fs []policy.Feature) *History {
	h := new(History)
	for _, f := range fs {
		switch {
		case f.Kind == policy.FeatureCount && h.Counts == nil:
			h.Counts = make([]int64, len(fs))
		case f.Kind == policy.FeatureSum && h.Sums == nil:
			h.Sums = make([]Sum, len(fs))
		case f.Kind == policy.FeatureValues && h.Values == nil:
			h.Values = make([][]policy.Literal, len(fs))
		case f.Kind == policy.FeatureTaint && h.Taints == nil:
			h.Taints = make([]bool, len(fs))
		}
	}
	return h
}

// MaxValues is how many distinct values of one argument a session remembers. One more makes the list hold an element
// in error, so that what is not found in it counts as undecided and denies.
const MaxValues = 10_000

// update is one change that a call of some plan makes to its session's history.
type update struct {
	feature int
	kind    policy.FeatureKind
	path    []string
}

// updates lists what a call of that tool and action, tainting the session so, changes in a history.
func updates(fs []policy.Feature, tool, action string, taints []string) []update {
	var us []update
	for i, f := range fs {
		switch {
		case f.Kind == policy.FeatureTaint:
			for _, t := range taints {
				if t == f.Taint {
					us = append(us, update{feature: i, kind: f.Kind})
					break
				}
			}
		case f.Covers(tool, action):
			u := update{feature: i, kind: f.Kind}
			if f.Arg != "" {
				u.path = strings.Split(f.Arg, ".")
			}
			us = append(us, u)
		}
	}
	return us
}

// Remember adds a call of the plan that was let through and did not fail to the history.
func (p *Plan) Remember(h *History, args aegis.Value) {
	for _, u := range p.updates {
		switch u.kind {
		case policy.FeatureCount:
			h.Counts[u.feature]++
		case policy.FeatureTaint:
			h.Taints[u.feature] = true
		case policy.FeatureSum:
			h.Sums[u.feature].add(walk(args, u.path))
		case policy.FeatureValues:
			h.addValues(u.feature, walk(args, u.path))
		}
	}
}

// walk follows a path of members; what is not there is absent.
func walk(v aegis.Value, path []string) aegis.Value {
	for _, f := range path {
		v = v.Get(f)
	}
	return v
}

// add counts an argument. A call that does not carry it adds nothing; one that carries something else spoils the sum.
func (s *Sum) add(v aegis.Value) {
	if !v.Given() || s.Bad {
		return
	}
	n, ok := v.Num()
	m, ok2 := n.Micro()
	if !ok || !ok2 {
		s.Bad = true
		return
	}
	s.Micro += m
	const most = aegis.MaxArith * 1_000_000
	s.Bad = s.Micro > most || s.Micro < -most
}

func (h *History) addValues(feature int, v aegis.Value) {
	if !v.Given() {
		return
	}
	if v.Kind() != aegis.List {
		h.addValue(feature, literal(v))
		return
	}
	for e := v.First(); e.Kind() != aegis.Absent; e = v.After(e) {
		h.addValue(feature, literal(e))
	}
}

func (h *History) addValue(feature int, l policy.Literal) {
	vs := h.Values[feature]
	if len(vs) > MaxValues {
		return
	}
	if len(vs) == MaxValues {
		l = policy.Literal{Kind: aegis.Null}
	}
	for _, o := range vs {
		if o.Equal(l) {
			return
		}
	}
	l.Str = strings.Clone(l.Str)
	h.Values[feature] = append(vs, l)
}

// literal returns a scalar as a literal; anything else, and a number out of range, is one of kind Null.
func literal(v aegis.Value) policy.Literal {
	switch v.Kind() {
	case aegis.String:
		return policy.Literal{Kind: aegis.String, Str: v.Str()}
	case aegis.Bool:
		return policy.Literal{Kind: aegis.Bool, Bool: v.Bool()}
	case aegis.Number:
		if n, ok := v.Num(); ok {
			return policy.Literal{Kind: aegis.Number, Num: n}
		}
	}
	return policy.Literal{Kind: aegis.Null}
}
