package decide

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// flipsOf loads a policy and searches for a call of tool t with arguments.
func flipsOf(t interface{ Fatalf(string, ...any) }, path, text, args string) (*Gate, *aegis.Call, *Flips) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	set, err := policy.Load(path)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	gate, err := NewGate(set, Options{Held: Refused})
	if err != nil {
		t.Fatalf("%v", err)
	}
	c := callWith(t, args)
	f, err := gate.Flips(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return gate, c, f
}

func callWith(t interface{ Fatalf(string, ...any) }, args string) *aegis.Call {
	d := new(aegis.Doc)
	if err := d.Parse([]byte(args), aegis.MaxBody); err != nil {
		t.Fatalf("%v\n%s", err, args)
	}
	return &aegis.Call{Tenant: "default", Agent: "a", Tool: "t", Args: d.Root(), Time: 1_772_359_200_000_000, HasTime: true, Session: "s"}
}

// outcomeOf judges a call at a gate that has seen nothing.
func outcomeOf(t interface{ Fatalf(string, ...any) }, g *Gate, c *aegis.Call) aegis.Outcome {
	g = g.Fresh(g.opt.Held)
	v, err := g.Decide(new(Scratch), g.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, g.Session(c.Tenant, c.Session))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return v.Outcome
}

// said writes flips as one line each.
func said(f *Flips) string {
	var lines []string
	for _, x := range f.Found {
		var parts []string
		for _, c := range x.Changes {
			part := fmt.Sprintf("%s %s>%s", c.Path, c.From, c.To)
			if len(c.OneOf) > 1 {
				part += " of " + strings.Join(c.OneOf, ",")
			}
			parts = append(parts, part)
		}
		lines = append(lines, x.Decision+": "+strings.Join(parts, "; "))
	}
	for _, x := range f.None {
		lines = append(lines, "no "+x.Decision+": "+x.Why)
	}
	return strings.Join(lines, "\n")
}

// TestFlips shows what is found for each sort of rule.
func TestFlips(t *testing.T) {
	const head = "agent: a\nallowed_tools:\n  - name: t\n    conditions:\n      "
	for _, x := range []struct{ name, rules, args, want string }{
		{"over a ceiling", "max_amount: 5000", `{"amount":7200}`, "allow: amount 7200>5000"},
		{"near a ceiling", "max_amount: 5000", `{"amount":4999.5}`, "deny: amount 4999.5>5000.1"},
		{"a strict bound", "require: [amount < 5000]", `{"amount":7200.25}`, "allow: amount 7200.25>4999.99"},
		{"cents", "args: {amount: {decimals: 2, max: 10}}", `{"amount":7.129}`, "allow: amount 7.129>7.13"},
		{"an integer", "args: {n: {type: integer, min: 3}}", `{"n":2.5}`, "allow: n 2.5>3"},
		{"lifted", "max_amount: 5000\n      approval_needed_if: amount > 5000\n      deny_if: amount > 9000", `{"amount":9500}`,
			"allow: amount 9500>5000\napproval_needed: amount 9500>9000"},
		{"a list", "args: {to: {in: [ann, bob, eve]}}", `{"to":"bo"}`, `allow: to "bo">"bob" of "bob","ann","eve"`},
		{"a denied list", "args: {to: {not_in: [ann]}}", `{"to":"ann"}`, `allow: to "ann">"other"`},
		{"a missing argument", "args: {to: {in: [ann, bob]}}", `{}`, `allow: to missing>"ann" of "ann","bob"`},
		{"another type", "max_amount: 5000", `{"amount":"70"}`, "allow: amount \"70\">70"},
		{"a pattern", "args: {ref: {matches: 'INV-[0-9]{3}'}}", `{"ref":"x"}`, `allow: ref "x">"INV-000"`},
		{"a domain", "args: {to: {domains: [example.com]}}", `{"to":"bob@evil.test"}`, `allow: to "bob@evil.test">"bob@example.com"`},
		{"a host", "args: {url: {hosts: [api.example.com]}}", `{"url":"http://evil.test/a?b=c"}`,
			`allow: url "http://evil.test/a?b=c">"https://api.example.com/a?b=c"`},
		{"a directory", "args: {f: {under: /srv/data/}}", `{"f":"/etc/passwd"}`, `allow: f "/etc/passwd">"/srv/data/passwd"`},
		{"a command", "args: {c: {commands: [git status]}}", `{"c":"rm -rf /"}`, `allow: c "rm -rf /">"git status"`},
		{"other arguments", "args: {n: {max: 5}}\n      other_args: deny", `{"n":1,"x":2,"y":3}`, "allow: x 2>missing; y 3>missing"},
		{"elements", "args: {tags: {each: {in: [a, b]}}}", `{"tags":["a","x"]}`, `allow: tags ["a","x"]>["a"]`},
		{"inside", "args: {at: {args: {country: {in: [DE]}}}}", `{"at":{"city":"Ulm","country":"XX"}}`, `allow: at.country "XX">"DE"`},
		{"two rules", "args: {a: {max: 5}, b: {max: 5}}", `{"a":9,"b":8,"c":7}`, "allow: a 9>5; b 8>5"},
		{"a product", "require: [price * count <= 100]", `{"price":30,"count":4}`, "allow: price 30>25"},
		{"arguments against each other", "require: [spend <= budget]", `{"spend":30,"budget":20}`, "allow: spend 30>20"},
		{"presence", "deny_if: has(force)", `{"force":true}`, "allow: force true>missing"},
		{"a part", "require: ['!note.contains(\"x\")']", `{"note":"y"}`, "deny: note \"y\">\"xy\""},
		{"no rule reads it", "{}", `{"x":1}`, "no deny: no rule of the policy reads an argument of this call"},
		{"a limit by itself", "{}\n    limits: [{budget: 100/day of n}]", `{"n":120}`, "allow: n 120>100"},
		{"three valued", "deny_if: kind == \"a\" && kind != \"a\"", `{"kind":"b"}`, "deny: kind \"b\">missing"},
		{"always", "require: ['true || n > 5']", `{"n":1}`,
			"no deny: no change of one argument to a value that the rules name blocks it"},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, _, f := flipsOf(t, filepath.Join(t.TempDir(), "p.yaml"), head+x.rules+"\n", x.args)
			if got := said(f); got != x.want {
				t.Errorf("got\n%s\nwant\n%s", got, x.want)
			}
		})
	}
}

// TestNoArgumentDecides: where no argument can help, the rule that decides is named.
func TestNoArgumentDecides(t *testing.T) {
	dir := t.TempDir()
	for name, x := range map[string]struct{ policy, want string }{
		"no grant":  {"agent: a\nallowed_tools: [{name: other}]\n", `tool "t" is not granted to agent "a" (default/a#allowed_tools)`},
		"caller":    {"agent: a\ncallers: [planner]\nallowed_tools: [{name: t, conditions: {max_n: 3}}]\n", "caller user is not among planner"},
		"region":    {"agent: a\nregions: [eu]\nallowed_tools: [{name: t, conditions: {max_n: 3}}]\n", "region (none) is not among eu"},
		"no policy": {"agent: b\nallowed_tools: [{name: t}]\n", "no policy of tenant"},
	} {
		_, _, f := flipsOf(t, filepath.Join(dir, "p.yaml"), x.policy, `{"n":9}`)
		if len(f.Found) > 0 || len(f.None) == 0 || !strings.Contains(f.None[0].Why, x.want) || !f.None[0].Complete ||
			!strings.HasPrefix(f.None[0].Why, "a rule that reads no argument decides: ") {
			t.Errorf("%s: %s", name, said(f))
		}
	}
}

// The small domain of the brute force.
var domain = map[string][]string{
	"a": {"", "-1", "0", "1", "2", "3", "4", "5", "6"},
	"b": {"", "-1", "0", "1", "2", "3", "4", "5", "6"},
	"c": {"", `"x"`, `"y"`, `"z"`, "3"},
	"d": {"", `"q"`},
}

func argsText(values map[string]string) string {
	var parts []string
	for _, k := range []string{"a", "b", "c", "d"} {
		if values[k] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", k, values[k]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// drawConditions makes a conditions block over the domain.
func drawConditions(t *rapid.T) string {
	pick := func(what string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, what) }
	num := func(what string) string { return fmt.Sprint(rapid.IntRange(0, 5).Draw(t, what)) }
	expr := func(what string) string {
		return strings.NewReplacer("N", num(what+" n"), "M", num(what+" m")).Replace(pick(what,
			"a > N", "a < N || b > M", "a <= b", "a == N && b != M", `c == "x"`, `c != "y"`, `c in ["x", "y"]`, `has(d)`, `!has(d) || a > N`,
			`a > N && c == "x"`, "b >= a", `a - b > N`))
	}
	var b strings.Builder
	b.WriteString("    conditions:\n      args:\n")
	optional := func(what string) string { return pick(what, "", ", optional: true") }
	fmt.Fprintf(&b, "        a: {max: %s, min: %s%s}\n", num("amax"), num("amin"), optional("aopt"))
	if rapid.Bool().Draw(t, "b") {
		fmt.Fprintf(&b, "        b: {in: [%s, %s]%s%s}\n", num("b1"), num("b2"), optional("bopt"), pick("else", "", ", else: approval"))
	}
	if rapid.Bool().Draw(t, "c") {
		fmt.Fprintf(&b, "        c: {%s: [x, y]%s}\n", pick("cin", "in", "not_in"), optional("copt"))
	}
	for _, key := range []string{"require", "deny_if", "approval_needed_if"} {
		if rapid.Bool().Draw(t, key) {
			fmt.Fprintf(&b, "      %s: ['%s', '%s']\n", key, expr(key+"1"), expr(key+"2"))
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
		b.WriteString("      other_args: deny\n")
	}
	return b.String()
}

// TestFlipsAreMinimal compares the search with brute force over the domain: what is found stands, changes just the
// arguments that it names, and no combination of the domain does it with fewer.
func TestFlipsAreMinimal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	rapid.Check(t, func(t *rapid.T) {
		text := "agent: a\nallowed_tools:\n  - name: t\n" + drawConditions(t)
		now := map[string]string{}
		for k, values := range domain {
			now[k] = rapid.SampledFrom(values).Draw(t, "now "+k)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(path); err != nil {
			t.Skip("kinds that cannot fit")
		}
		gate, call, flips := flipsOf(t, path, text, argsText(now))
		from := class(outcomeOf(t, gate, call))
		brute := bruteForce(t, gate, now)
		found := map[aegis.Outcome]int{}
		for _, f := range flips.Found {
			to := callWith(t, f.Args)
			got := outcomeOf(t, gate, to)
			if got.String() != f.Decision || class(got) == from {
				t.Fatalf("%s: the flip gives %s", said(flips), got)
			}
			if n := differing(call.Args, to.Args); n != len(f.Changes) {
				t.Fatalf("%s: %d arguments differ: %s", said(flips), n, f.Args)
			}
			found[class(got)] = len(f.Changes)
		}
		for target, fewest := range brute {
			n, ok := found[target]
			if target != from && (!ok || n > fewest) {
				t.Fatalf("%s\nargs %s, %s: brute force needs %d for %s\n%s", text, argsText(now), from, fewest, target, said(flips))
			}
		}
		for _, n := range flips.None {
			if n.Complete && brute[parsed(n.Decision)] > 0 {
				t.Fatalf("%s\nargs %s: said to have none, and has: %s", text, argsText(now), said(flips))
			}
		}
	})
}

func parsed(s string) aegis.Outcome {
	o, _ := aegis.ParseOutcome(s)
	return o
}

// bruteForce returns, for each class of outcome, the fewest arguments whose change within the domain gives it.
func bruteForce(t *rapid.T, gate *Gate, now map[string]string) map[aegis.Outcome]int {
	fewest := map[aegis.Outcome]int{}
	for _, a := range domain["a"] {
		for _, b := range domain["b"] {
			for _, c := range domain["c"] {
				for _, d := range domain["d"] {
					v, n := map[string]string{"a": a, "b": b, "c": c, "d": d}, 0
					for k := range v {
						if v[k] != now[k] {
							n++
						}
					}
					o := class(outcomeOf(t, gate, callWith(t, argsText(v))))
					if old, ok := fewest[o]; !ok || n < old {
						fewest[o] = n
					}
				}
			}
		}
	}
	return fewest
}

// differing counts the members in which two objects differ.
func differing(a, b aegis.Value) int {
	var names []string
	for _, v := range []aegis.Value{a, b} {
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			if !slices.Contains(names, m.Key()) {
				names = append(names, m.Key())
			}
		}
	}
	n := 0
	for _, k := range names {
		if string(a.Get(k).Text()) != string(b.Get(k).Text()) {
			n++
		}
	}
	return n
}

// TestFlipsOfAnything: on the policies and calls of the differential test, hostile ones among them, what is found stands
// at the gate, and the work is bounded.
func TestFlipsOfAnything(t *testing.T) {
	seed, dir := diffSeed(t), t.TempDir()
	tried, found, calls := 0, 0, 100
	if os.Getenv("AEGIS_LONG") != "" {
		calls = 10_000
	}
	for stream := uint64(1); tried < calls; stream++ {
		r := newDiffRand(seed, stream+1<<40)
		_, s := r.set(filepath.Join(dir, fmt.Sprint(stream)))
		if s == nil {
			continue
		}
		gate, err := NewGate(s, Options{Held: Refused})
		if err != nil {
			t.Fatal(err)
		}
		limits, sanitizers := limitsAndSanitizers(s)
		for range 20 {
			c, _, err := r.policyCall(s, limits, sanitizers).build(s)
			if err != nil {
				continue
			}
			tried++
			f := newFlipper(gate, c)
			for _, target := range []aegis.Outcome{aegis.Allow, aegis.ApprovalNeeded, aegis.Deny} {
				if f.outcome == aegis.Reject || class(f.outcome) == target {
					continue
				}
				flip, none, err := f.search(target)
				if err != nil {
					t.Fatal(err)
				}
				if flip == nil && none.Why == "" || f.tries > f.most+maxArguments*maxCandidates {
					t.Fatalf("%d tries of %d, and no answer", f.tries, f.most)
				}
				if flip != nil {
					found++
					again := *c
					again.Args = callWith(t, flip.Args).Args
					if o := outcomeOf(t, gate, &again); o.String() != flip.Decision || class(o) != target {
						t.Fatalf("%s gives %s, said to give %s", flip.Args, o, flip.Decision)
					}
				}
			}
		}
	}
	if found < tried/20 {
		t.Errorf("found %d of %d: the generator makes nothing to find", found, tried)
	}
}
