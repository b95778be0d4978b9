package decide

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// diffHostile are JSON values that stand where something else is due: other kinds, other spellings of the same number,
// numbers that differ from one behind the digits a float has, and numbers out of range. MISSING leaves the member out.
var diffHostile = []string{"MISSING", "null", "true", "false", "[]", "{}", "[1]", "[null]", `[1,"a",true,null,{}]`, "[[1]]", `{"score":"x"}`,
	`""`, `"a"`, `"5000"`, `"5001"`, `"1"`, `"\u0055SD"`, `"İK"`, `"\ud83d\ude00"`, `"\u0000"`, `"\ufeff"`, `"a\nb"`,
	"0", "-0", "-0.0", "0.0", "0e99", "0e999", "1", "-1", "5000", "5001", "5e3", "5.001e3", "5000.0", "50000e-1", "5E+3", "1.5e1", "15e-1",
	"5000.00000000000000000001", "5.0000000000000000000000001e3", "1.00000000000000000001e-1", "0.100000000000000000001", "0.10",
	"0.1000000", "0.100000000000000000000010", "0.30", "0.30000000000000004", "0.300000000000000040", "0.3000000000000000400000010",
	"9007199254740993", "9007199254740993.0", "9007199254740992.5", "9223372036854775807", "9223372036854775807.0", "9223372036854775808",
	"9223372036854775807.5", "-9223372036854775808", "-9223372036854775809", "1e18", "1e19", "1e308", "1e400", "-1e400", "1e999", "1e-7",
	"1e-6", "0.0000001", "1e-400", "1e-999", "4.9e-324", "123456789012345678901234567890", "999999999.999999", "1000000000.000001",
	"99999999749.012525", "1000000000000", "1000000000000.5", "1000000000001", "1e12", "0.000000000000000000000000015", "4611686018427387904.5",
	"1234567.8901234", "1.7976931348623157e308", "2.50", "2.5000000000000000000000000000010"}

// jsonValue returns the text of a value that is mostly of that kind.
func (r *diffRand) jsonValue(k aegis.Kind, hostile int) string {
	if r.oneIn(hostile) {
		return pickOf(r, diffHostile...)
	}
	switch k {
	case aegis.Number:
		switch r.IntN(5) {
		case 0:
			return pickOf(r, diffNumbers...)
		case 1:
			return fmt.Sprint(r.IntN(10000))
		case 2:
			return fmt.Sprintf("%d.%02d", r.IntN(6000), r.IntN(100))
		}
		return pickOf(r, "1", "2", "3", "0.1", "0.2", "0.3", "5000", "5001", "4999.99", "5000.5", "1.005", "99.995", "-1", "0")
	case aegis.String:
		return r.jsonText()
	case aegis.Bool:
		return pickOf(r, "true", "false")
	case aegis.List:
		return r.jsonList(pickOf(r, aegis.String, aegis.String, aegis.Number, aegis.Object))
	case aegis.Object:
		return r.jsonObject([]member{{"price", aegis.Number}, {"sku", aegis.String}, {"flag", aegis.Bool}, {"tags", aegis.List},
			{"x-y", aegis.Number}, {"score", aegis.Number}, {"name", aegis.String}, {"country", aegis.String}})
	}
	return pickOf(r, diffHostile...)
}

// diffTexts are strings that are URLs, addresses and paths, some of them nearly.
var diffTexts = []string{"https://api.example.com/hooks", "https://API.example.com", "https://api.example.com:443/x?y#z", "http://10.0.0.1/",
	"https://api.example.com@evil.example/", "https://api.example.com\\@evil.example", "javascript:alert(1)", "https://a.docs.example.com",
	"https://[::1]/", "ftp://x", "www.evil.example", "see https://a.example/x and http://B.example:8080/y?z", "no links here",
	"bob@example.com", "Bob <bob@example.com>", "bob@EXAMPLE.com", "bob@example.com,eve@evil.example", "bob@example.com\n", "10.0.0.1",
	"010.0.0.1", "10.0.0.256", "::1", "::", "0:0:0:0:0:0:0:1", "2001:db8::1", "2001:DB8::1", "2001:db8:0:0:1::1", "2001:db8::1:0:0:1",
	"1:0:0:2:0:0:0:3", "1:0:0:2::3", "1::2:0:0:3", "::ffff:10.0.0.1", "::ffff:a00:1", "::ffff:0:0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::",
	"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::", "0:0:1::", "::1:0:0:2:0", "fe80::1%eth0", "1.2.3", "0.0.0.0", "255.255.255.255", "a:b", "::1.2.3.4",
	"/srv/data/x", "/srv/data/../x", "/srv/data/", "git status", "git status; rm -rf /", "INV-123456", "x INV-123456"}

func (r *diffRand) jsonText() string {
	s := pickOf(r, diffStrings...)
	if r.oneIn(3) {
		s = pickOf(r, diffTexts...)
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// diffFamilies are numbers that differ behind the digits that a float has, and that OPA takes for equal. What a
// function said of one of them must not be remembered for another.
var diffFamilies = [][]string{{"0.10", "0.100000000000000000000010", "0.1"}, {"2.50", "2.5000000000000000000000000000010", "2.5"},
	{"0.100000000000000000000010", "0.10"}, {"5000.50", "5000.50000000000000000000010"}, {"1.50", "1.5000000000000000000000010"},
	{"1e0", "1.0", "1", "1.00000000000000000000000000000000001"}, {"0", "-0", "0.0", "0e99"}, {"3.30", "3.3000000000000000000000010"}}

func (r *diffRand) jsonList(k aegis.Kind) string {
	if r.oneIn(8) {
		items := append([]string{}, pickOf(r, diffFamilies...)...)
		if k == aegis.Object {
			for i, v := range items {
				items[i] = `{"price":` + v + `,"sku":"a","x-y":` + v + `}`
			}
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	var items []string
	for range r.IntN(4) {
		if v := r.jsonValue(k, 8); v != "MISSING" {
			items = append(items, v)
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

type member struct {
	name string
	kind aegis.Kind
}

func (r *diffRand) jsonObject(ms []member) string {
	var items []string
	for _, m := range ms {
		if r.oneIn(6) {
			continue
		}
		if v := r.jsonValue(m.kind, 8); v != "MISSING" {
			items = append(items, jsonKey(m.name)+":"+v)
		}
	}
	return "{" + strings.Join(items, ",") + "}"
}

// jsonKey writes a key, with an escape that decoders must see through.
func jsonKey(name string) string {
	if name == "fee" {
		return `"f\u0065e"`
	}
	return fmt.Sprintf("%q", name)
}

// arguments returns a call's arguments.
func (r *diffRand) arguments(hostile int) string {
	var items []string
	add := func(name, v string) {
		if v != "MISSING" {
			items = append(items, jsonKey(name)+":"+v)
		}
	}
	numbers := []member{{"amount", aegis.Number}, {"fee", aegis.Number}, {"count", aegis.Number}}
	if r.oneIn(20) {
		family := pickOf(r, diffFamilies...)
		for _, m := range numbers {
			add(m.name, pickOf(r, family...))
		}
		numbers = nil
	}
	for _, m := range append(numbers, member{"currency", aegis.String}, member{"memo", aegis.String}, member{"x-y", aegis.String},
		member{"approved", aegis.Bool}, member{"tags", aegis.List}) {
		if !r.oneIn(2 * hostile) {
			add(m.name, r.jsonValue(m.kind, hostile))
		}
	}
	if !r.oneIn(10) {
		add("nums", r.jsonList(aegis.Number))
	}
	if !r.oneIn(10) {
		add("items", r.jsonList(aegis.Object))
	}
	if r.oneIn(hostile) {
		add("meta", r.jsonValue(aegis.Object, 2))
	} else {
		add("meta", r.meta())
	}
	if r.oneIn(10) {
		add(pickOf(r, "extra", "Amount", "nope", "a.b"), r.jsonValue(aegis.Number, 2))
	}
	return "{" + strings.Join(items, ",") + "}"
}

func (r *diffRand) meta() string {
	deep := r.jsonObject([]member{{"n", aegis.Number}, {"country", aegis.String}})
	if r.oneIn(10) {
		deep = r.jsonValue(aegis.Object, 1)
	}
	s := r.jsonObject([]member{{"score", aegis.Number}, {"name", aegis.String}, {"flag", aegis.Bool}, {"list", aegis.List}, {"country", aegis.String}})
	if deep == "MISSING" {
		return s
	}
	return strings.Replace(strings.TrimSuffix(s, "}")+`,"deep":`+deep+"}", "{,", "{", 1)
}

// diffCall is one call and the facts about it, in a form that can be written down and read back.
type diffCall struct {
	Tenant  string          `json:"tenant"`
	Agent   string          `json:"agent"`
	Tool    string          `json:"tool"`
	Action  string          `json:"action,omitempty"`
	Args    json.RawMessage `json:"args,omitempty"` // none: the call carries none
	Chain   []string        `json:"chain,omitempty"`
	Region  string          `json:"region,omitempty"`
	Claims  json.RawMessage `json:"claims,omitempty"`
	Time    *int64          `json:"time_us,omitempty"`
	Session *diffPast       `json:"past,omitempty"`

	Detected []string `json:"detected,omitempty"`
	Exceeded []string `json:"exceeded,omitempty"`
}

// diffPast is a session's history, by feature keys.
type diffPast struct {
	Count  map[string]int64             `json:"count,omitempty"`
	Sum    map[string]int64             `json:"sum,omitempty"` // millionths; what is not there is in error
	Values map[string][]json.RawMessage `json:"values,omitempty"`
	Taints []string                     `json:"taints,omitempty"`
}

// call makes a call of an agent and tool.
func (r *diffRand) call(fs []policy.Feature, hostile int) *diffCall {
	c := &diffCall{Tenant: "acme", Agent: "a", Tool: "t", Chain: pickOf(r, nil, nil, []string{"planner"}, []string{"x", "planner"}, []string{"user"}, []string{"a", "b", "c", "d"}),
		Action: pickOf(r, "", "send", "refund", "get_x"), Region: pickOf(r, "", "eu-west-1", "eu-west-1", "us-east-1")}
	if !r.oneIn(40) {
		c.Args = json.RawMessage(r.arguments(hostile))
	}
	if !r.oneIn(3) {
		c.Claims = json.RawMessage(r.jsonObject([]member{{"sub", aegis.String}, {"level", aegis.Number}, {"admin", aegis.Bool}, {"groups", aegis.List}}))
	}
	if !r.oneIn(8) {
		at := pickOf[int64](r, 0, -1, 1_700_000_000_000_000, 1_798_761_600_000_000, 1_798_761_599_999_999, 9_223_372_036_854_775, -9_223_372_036_854_775,
			1_750_000_000_000_000+r.Int64N(40_000_000_000_000))
		c.Time = &at
	}
	if !r.oneIn(6) {
		c.Session = r.past(fs)
	}
	return c
}

func (r *diffRand) past(fs []policy.Feature) *diffPast {
	p := &diffPast{Count: map[string]int64{}, Sum: map[string]int64{}, Values: map[string][]json.RawMessage{}}
	for _, f := range fs {
		switch f.Kind {
		case policy.FeatureCount:
			p.Count[f.Key()] = int64(pickOf(r, 0, 0, 1, 2, 3, 5000))
		case policy.FeatureSum:
			if !r.oneIn(6) {
				p.Sum[f.Key()] = pickOf[int64](r, 0, 100_000, 300_000, 5_000_000_000, 5_000_000_001, 1_000_000_000_000_000_000, 1_000_000_000_000_001, 999_999_999_999_999, -5)
			}
		case policy.FeatureValues:
			list := []json.RawMessage{}
			for range r.IntN(4) {
				v := pickOf(r, r.jsonText(), pickOf(r, diffNumbers...), "true", "null")
				list = append(list, json.RawMessage(v))
			}
			p.Values[f.Key()] = list
		case policy.FeatureTaint:
			if r.oneIn(2) {
				p.Taints = append(p.Taints, f.Taint)
			}
		}
	}
	return p
}

// build turns a written call into a call and its facts, for a set.
func (d *diffCall) build(s *policy.Set) (*aegis.Call, *Facts, error) {
	c := &aegis.Call{Tenant: d.Tenant, Agent: d.Agent, Tool: d.Tool, Action: d.Action, Chain: d.Chain, Region: d.Region}
	for _, part := range []struct {
		text json.RawMessage
		to   *aegis.Value
	}{{d.Args, &c.Args}, {d.Claims, &c.Claims}} {
		if part.text == nil {
			continue
		}
		doc := new(aegis.Doc)
		if err := doc.Parse(part.text, aegis.MaxBody); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", part.text, err)
		}
		*part.to = doc.Root()
	}
	if d.Time != nil {
		c.Time, c.HasTime = *d.Time, true
	}
	f := &Facts{}
	if d.Session != nil {
		c.Session = "s"
		f.Session = d.Session.history(s)
	}
	rule := map[string]policy.RuleID{}
	for i, r := range s.Rules {
		rule[r.ID] = policy.RuleID(i)
	}
	for _, id := range d.Detected {
		f.Detected = append(f.Detected, rule[id])
	}
	for _, id := range d.Exceeded {
		f.Exceeded = append(f.Exceeded, rule[id])
	}
	return c, f, nil
}

func (p *diffPast) history(s *policy.Set) *History {
	h := NewHistory(s.Features)
	for i, f := range s.Features {
		switch f.Kind {
		case policy.FeatureCount:
			h.Counts[i] = p.Count[f.Key()]
		case policy.FeatureSum:
			m, ok := p.Sum[f.Key()]
			h.Sums[i] = Sum{m, !ok}
		case policy.FeatureValues:
			for _, text := range p.Values[f.Key()] {
				doc, err := aegis.Parse(text)
				if err != nil {
					panic(err)
				}
				h.Values[i] = append(h.Values[i], literal(doc.Root()))
			}
		case policy.FeatureTaint:
			for _, t := range p.Taints {
				h.Taints[i] = h.Taints[i] || t == f.Taint
			}
		}
	}
	return h
}

func diffJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return b.String()
}
