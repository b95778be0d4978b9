package suite

import (
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// values is what the calls of the cases hold, for changes that add an element to a list: one that the tests do not use
// would go unnoticed, and say nothing of them.
type values struct {
	args    map[string][]policy.Literal // by dotted path
	callers []string
	regions []string
}

// most bounds the values of one path; where a path holds more, the first are kept.
const most = 100

func valuesOf(cases []*testCase) *values {
	v := &values{args: map[string][]policy.Literal{}}
	callers, regions := map[string]bool{}, map[string]bool{}
	for _, c := range cases {
		for _, s := range append(slices.Clone(c.before), c.final) {
			if s.call == nil {
				continue
			}
			v.collect("", s.call.Args)
			callers["user"] = callers["user"] || len(s.call.Chain) == 0
			for _, name := range s.call.Chain {
				callers[name] = true
			}
			if s.call.Region != "" {
				regions[s.call.Region] = true
			}
		}
	}
	maps.DeleteFunc(callers, func(_ string, used bool) bool { return !used })
	v.callers, v.regions = slices.Sorted(maps.Keys(callers)), slices.Sorted(maps.Keys(regions))
	return v
}

func (v *values) collect(path string, a aegis.Value) {
	switch a.Kind() {
	case aegis.Object:
		for m := a.First(); m.Kind() != aegis.Absent; m = a.After(m) {
			v.collect(strings.TrimPrefix(path+"."+m.Key(), "."), m)
		}
	case aegis.List:
		for m := a.First(); m.Kind() != aegis.Absent; m = a.After(m) {
			v.collect(path, m)
		}
	case aegis.String:
		v.add(path, policy.Literal{Kind: aegis.String, Str: a.Str()})
	case aegis.Bool:
		v.add(path, policy.Literal{Kind: aegis.Bool, Bool: a.Bool()})
	case aegis.Number:
		if n, ok := a.Num(); ok {
			v.add(path, policy.Literal{Kind: aegis.Number, Num: n})
		}
	}
}

func (v *values) add(path string, l policy.Literal) {
	if known := v.args[path]; len(known) < most && !slices.ContainsFunc(known, l.Equal) {
		v.args[path] = append(known, l)
	}
}
