package decide

import (
	"encoding/json"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// inputs builds the documents that Rego judges: the call's envelope, and the facts beside it.
type inputs struct {
	set      *policy.Set
	keys     []*ast.Term // of features
	exceeded map[policy.RuleID]aegis.Code
}

func newInputs(s *policy.Set) *inputs {
	in := &inputs{set: s, exceeded: map[policy.RuleID]aegis.Code{}}
	for _, f := range s.Features {
		in.keys = append(in.keys, ast.StringTerm(f.Key()))
	}
	limits := func(ls []*policy.Limit) {
		for _, l := range ls {
			in.exceeded[l.Rule] = exceededCode(l.Kind)
		}
	}
	entries := func(es []*policy.Entry) {
		for _, e := range es {
			limits(e.Limits)
			for _, k := range e.Children {
				limits(k.Limits)
			}
		}
	}
	for _, p := range s.Policies {
		limits(p.Limits)
		entries(p.Entries)
	}
	for _, g := range s.Guardrails {
		limits(g.Limits)
		entries(g.Entries)
	}
	return in
}

// exceededCode is what a limit of that kind says when nothing is left.
func exceededCode(k policy.LimitKind) aegis.Code {
	switch k {
	case policy.LimitRate:
		return aegis.RateExceeded
	case policy.LimitCalls:
		return aegis.CallsExceeded
	}
	return aegis.BudgetExceeded
}

// Keys of the input, and constants in it.
var (
	inTenant  = ast.StringTerm("tenant")
	inAgent   = ast.StringTerm("agent")
	inTool    = ast.StringTerm("tool")
	inAction  = ast.StringTerm("action")
	inChain   = ast.StringTerm("chain")
	inArgs    = ast.StringTerm("args")
	inRegion  = ast.StringTerm("region")
	inSession = ast.StringTerm("session")
	inClaims  = ast.StringTerm("claims")
	inFacts   = ast.StringTerm("facts")

	factTime     = ast.StringTerm("time_ns")
	factDetected = ast.StringTerm("detected")
	factExceeded = ast.StringTerm("exceeded")
	factCount    = ast.StringTerm("count")
	factSum      = ast.StringTerm("sum")
	factValues   = ast.StringTerm("values")
	factTaints   = ast.StringTerm("taints")

	termTrue  = ast.BooleanTerm(true)
	termFalse = ast.BooleanTerm(false)
	termNull  = ast.NullTerm()
)

type pair = [2]*ast.Term

// of returns the input for a call. What the call does not carry is left out.
func (in *inputs) of(c *aegis.Call, f *Facts) ast.Value {
	chain := make([]*ast.Term, len(c.Chain))
	for i, name := range c.Chain {
		chain[i] = ast.StringTerm(name)
	}
	members := make([]pair, 0, 10)
	members = append(members, pair{inTenant, ast.StringTerm(c.Tenant)}, pair{inAgent, ast.StringTerm(c.Agent)},
		pair{inTool, ast.StringTerm(c.Tool)}, pair{inAction, ast.StringTerm(c.Action)},
		pair{inChain, ast.ArrayTerm(chain...)}, pair{inFacts, in.facts(c, f)})
	if c.Args.Kind() == aegis.Object {
		members = append(members, pair{inArgs, term(c.Args)})
	}
	if c.Region != "" {
		members = append(members, pair{inRegion, ast.StringTerm(c.Region)})
	}
	if c.Session != "" {
		members = append(members, pair{inSession, ast.StringTerm(c.Session)})
	}
	if c.Claims.Kind() != aegis.Absent {
		members = append(members, pair{inClaims, term(c.Claims)})
	}
	return ast.NewObject(members...)
}

// facts returns what is known beside the call.
func (in *inputs) facts(c *aegis.Call, f *Facts) *ast.Term {
	members := make([]pair, 0, 4)
	if c.HasTime {
		members = append(members, pair{factTime, ast.NumberTerm(nanos(c.Time))})
	}
	if f.Session != nil {
		members = append(members, pair{inSession, in.history(f.Session)})
	}
	if len(f.Detected) > 0 {
		rules := make([]pair, len(f.Detected))
		for i, r := range f.Detected {
			rules[i] = pair{ast.StringTerm(in.set.Rules[r].ID), termTrue}
		}
		members = append(members, pair{factDetected, ast.ObjectTerm(rules...)})
	}
	if len(f.Exceeded) > 0 {
		rules := make([]pair, len(f.Exceeded))
		for i, r := range f.Exceeded {
			rules[i] = pair{ast.StringTerm(in.set.Rules[r].ID), ast.StringTerm(in.exceeded[r].String())}
		}
		members = append(members, pair{factExceeded, ast.ObjectTerm(rules...)})
	}
	return ast.ObjectTerm(members...)
}

// nanos writes microseconds as nanoseconds, which may not fit an int64.
func nanos(micros int64) json.Number {
	if micros == 0 {
		return "0"
	}
	return json.Number(strconv.FormatInt(micros, 10) + "000")
}

// history returns what the session's earlier calls left behind. A sum that is in error has no value.
func (in *inputs) history(h *History) *ast.Term {
	var count, sum, values []pair
	var taints []*ast.Term
	for i, f := range in.set.Features {
		switch f.Kind {
		case policy.FeatureCount:
			count = append(count, pair{in.keys[i], ast.NumberTerm(json.Number(strconv.FormatInt(h.Counts[i], 10)))})
		case policy.FeatureSum:
			if n, ok := aegis.FromMicro(h.Sums[i].Micro); ok && !h.Sums[i].Bad {
				sum = append(sum, pair{in.keys[i], ast.NumberTerm(json.Number(n.Text()))})
			}
		case policy.FeatureValues:
			list := make([]*ast.Term, len(h.Values[i]))
			for j, l := range h.Values[i] {
				list[j] = literalTerm(l)
			}
			values = append(values, pair{in.keys[i], ast.ArrayTerm(list...)})
		case policy.FeatureTaint:
			if h.Taints[i] {
				taints = append(taints, in.keys[i])
			}
		}
	}
	return ast.ObjectTerm(pair{factCount, ast.ObjectTerm(count...)}, pair{factSum, ast.ObjectTerm(sum...)},
		pair{factValues, ast.ObjectTerm(values...)}, pair{factTaints, ast.ArrayTerm(taints...)})
}

func literalTerm(l policy.Literal) *ast.Term {
	switch l.Kind {
	case aegis.String:
		return ast.StringTerm(l.Str)
	case aegis.Number:
		return ast.NumberTerm(json.Number(l.Num.Text()))
	case aegis.Bool:
		return boolTerm(l.Bool)
	}
	return termNull
}

func boolTerm(b bool) *ast.Term {
	if b {
		return termTrue
	}
	return termFalse
}

// term turns a JSON value into OPA's form. Numbers keep the text they came with.
func term(v aegis.Value) *ast.Term {
	switch v.Kind() {
	case aegis.String:
		return ast.StringTerm(v.Str())
	case aegis.Number:
		return ast.NumberTerm(json.Number(v.Text()))
	case aegis.Bool:
		return boolTerm(v.Bool())
	case aegis.List:
		list := make([]*ast.Term, 0, v.Len())
		for e := v.First(); e.Kind() != aegis.Absent; e = v.After(e) {
			list = append(list, term(e))
		}
		return ast.ArrayTerm(list...)
	case aegis.Object:
		members := make([]pair, 0, v.Len())
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			members = append(members, pair{ast.StringTerm(m.Key()), term(m)})
		}
		return ast.ObjectTerm(members...)
	}
	return termNull
}
