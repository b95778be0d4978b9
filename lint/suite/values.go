package suite

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// A change that adds an element to a list adds one that the tests use in calls which the list is about: any other would
// go unnoticed, and say nothing of them.

// callsOf lists the well-formed calls of the cases, in order.
func callsOf(cases []*testCase) []*aegis.Call {
	var calls []*aegis.Call
	for _, c := range cases {
		for _, s := range append(slices.Clone(c.before), c.final) {
			if s.call != nil {
				calls = append(calls, s.call)
			}
		}
	}
	return calls
}

// stranger returns the first value at a path of the calls in question that a list of its kind does not hold.
func (m *mutator) stranger(path []string, list []policy.Literal) (policy.Literal, bool) {
	for _, c := range m.calls {
		if len(list) == 0 || !m.about(c) {
			continue
		}
		for _, v := range reach(nil, c.Args, path) {
			l := literalOf(v)
			if l.Kind == list[0].Kind && !slices.ContainsFunc(list, l.Equal) {
				return l, true
			}
		}
	}
	return policy.Literal{}, false
}

// literalOf returns a scalar as a literal; anything else is one of no kind.
func literalOf(v aegis.Value) policy.Literal {
	l := policy.Literal{Kind: v.Kind()}
	switch v.Kind() {
	case aegis.String:
		l.Str = v.Str()
	case aegis.Bool:
		l.Bool = v.Bool()
	case aegis.Number:
		n, ok := v.Num()
		if !ok {
			return policy.Literal{}
		}
		l.Num = n
	default:
		return policy.Literal{}
	}
	return l
}

// callerOf and regionOf are what the scopes of policies look at.
func callerOf(c *aegis.Call) string {
	if n := len(c.Chain); n > 0 {
		return c.Chain[n-1]
	}
	return "user"
}

func regionOf(c *aegis.Call) string { return c.Region }
