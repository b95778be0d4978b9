package policy

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// fullSources reads the sources of testdata/full by name.
func fullSources(t testing.TB) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/full/*")
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	files := map[string]string{}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(n)] = string(text)
	}
	return files
}

// unordered are the keys whose lists mean the same in any order.
var unordered = strings.Fields("allowed_tools tools actions agent agents name callers regions in not_in redact fields where " +
	"taints approvers hosts schemes paths domains commands by use known_payees")

// shuffle reorders all that has no order: the keys of mappings, and the lists above.
func shuffle(r *rand.Rand, n *yaml.Node, key string) {
	switch n.Kind {
	case yaml.SequenceNode:
		if slices.Contains(unordered, key) {
			r.Shuffle(len(n.Content), func(i, j int) { n.Content[i], n.Content[j] = n.Content[j], n.Content[i] })
		}
	case yaml.MappingNode:
		r.Shuffle(len(n.Content)/2, func(i, j int) {
			c := n.Content
			c[2*i], c[2*j], c[2*i+1], c[2*j+1] = c[2*j], c[2*i], c[2*j+1], c[2*i+1]
		})
		for i := 0; i < len(n.Content); i += 2 {
			shuffle(r, n.Content[i+1], n.Content[i].Value)
		}
		return
	}
	for _, c := range n.Content {
		shuffle(r, c, key)
	}
}

func parseNode(t testing.TB, text string) *yaml.Node {
	t.Helper()
	n := new(yaml.Node)
	if err := yaml.Unmarshal([]byte(text), n); err != nil {
		t.Fatal(err)
	}
	return n
}

func nodeText(t testing.TB, n *yaml.Node) string {
	t.Helper()
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestVersionIgnoresOrder reorders keys, entries, sets and files: version, digests and rules stay.
func TestVersionIgnoresOrder(t *testing.T) {
	files := fullSources(t)
	want, err := Load("testdata/full")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		renamed := map[string]string{}
		for name, text := range files {
			if strings.HasSuffix(name, ".yaml") {
				n := parseNode(t, text)
				shuffle(r, n, "")
				text = nodeText(t, n)
				if !strings.HasSuffix(name, "_test.yaml") {
					name = strconv.Itoa(r.IntN(1e9)) + name
				}
			}
			renamed[name] = text
		}
		got := mustLoadFiles(t, renamed)
		if got.Version != want.Version || !slices.Equal(ids(got), ids(want)) {
			t.Fatalf("another version:\n%s", renamed)
		}
		for i, p := range got.Policies {
			if p.Digest != want.Policies[i].Digest {
				t.Errorf("%s has another digest", p.ID)
			}
		}
	}
}

// TestVersionIgnoresWriting loads one meaning written in several ways.
func TestVersionIgnoresWriting(t *testing.T) {
	want := mustLoad(t, seed).Version
	for name, text := range map[string]string{
		"number":     strings.Replace(seed, "max_amount: 5000", "max_amount: 5e3 # a comment", 1),
		"decimal":    strings.Replace(seed, "max_amount: 5000", "max_amount: 5000.0", 1),
		"defaults":   "version: 1\ntenant: default\n" + seed,
		"quotes":     strings.Replace(seed, "stripe-payments", `"stripe-payments"`, 1),
		"expression": strings.Replace(seed, "amount > 5000", "((amount)>5000.00)", 1),
		"param":      "params: {c: 5000}\n" + strings.ReplaceAll(strings.Replace(seed, "amount > 5000", "amount > params.c", 1), "t: 5000", "t: $c"),
	} {
		if got := mustLoad(t, text).Version; got != want {
			t.Errorf("%s: another version", name)
		}
	}
	s, err := LoadText("p.json", `{"agent": "finance-agent", "allowed_tools": [{"name": "stripe-payments", "actions": ["create_payment"],
	  "conditions": {"max_amount": 5000, "approval_needed_if": "amount > 5000"}}]}`)
	if err != nil || s.Version != want {
		t.Errorf("as JSON: %v", err)
	}
	var form any
	if !strings.HasPrefix(want, "sha256:") || len(want) != len("sha256:")+64 || json.Unmarshal(canonicalJSON(form), &form) != nil {
		t.Errorf("version %s", want)
	}
}

// scalars calls f with every value of a document that is neither a mapping nor a list. (The one param is used nowhere.)
func scalars(n *yaml.Node, f func(*yaml.Node)) {
	for i, c := range n.Content {
		if c.Kind == yaml.ScalarNode && (n.Kind != yaml.MappingNode || i%2 == 1) {
			f(c)
		}
		if i%2 == 0 || n.Kind != yaml.MappingNode || n.Content[i-1].Value != "params" {
			scalars(c, f)
		}
	}
}

// otherValue returns values that mean something else.
func otherValues(v string, style yaml.Style) []string {
	if i, err := strconv.Atoi(v); err == nil && style == 0 {
		return []string{strconv.Itoa(i + 1)}
	}
	switch v {
	case "true":
		return []string{"false"}
	case "allow", "deny", "read", "write", "open", "closed", "shadow", "enforce", "args", "result", "https", "number":
		return []string{"allow", "deny", "read", "write", "open", "closed", "shadow", "enforce", "args", "result", "http", "string"}
	}
	return []string{v + "x", "x" + v, strings.ReplaceAll(v, "0", "1"), strings.Replace(v, "5", "6", 1), strings.ReplaceAll(v, "day", "week"),
		strings.Replace(v, "m", "h", 1), strings.Replace(v, ">", ">=", 1), strings.Replace(v, "c", "d", 1), strings.Replace(v, "1", "2", 1)}
}

// TestVersionChanges changes every value of a set of sources, one after the other, in several ways: what still loads has
// another version.
func TestVersionChanges(t *testing.T) {
	files := fullSources(t)
	want, err := Load("testdata/full")
	if err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, files)
	tried, loaded := 0, map[string]bool{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, "_test.yaml") {
			continue
		}
		doc := parseNode(t, text)
		scalars(doc, func(n *yaml.Node) {
			old := n.Value
			for _, v := range otherValues(old, n.Style) {
				if v == old {
					continue
				}
				n.Value = v
				if err := os.WriteFile(filepath.Join(dir, name), []byte(nodeText(t, doc)), 0o600); err != nil {
					t.Fatal(err)
				}
				tried++
				if s, err := Load(dir); err == nil {
					loaded[name+" "+old] = true
					if s.Version == want.Version {
						t.Errorf("%s: %s instead of %s keeps the version", name, v, old)
					}
				}
			}
			n.Value = old
		})
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if tried < 400 || len(loaded) < 75 {
		t.Errorf("%d changes tried, %d values changed", tried, len(loaded))
	}
}

// TestDigests binds an approval to the agent's policy and what bounds it, and to nothing else.
func TestDigests(t *testing.T) {
	files := map[string]string{"a.yaml": "agent: [\"a-*\", x]\nallowed_tools: [{name: t}]\n", "b.yaml": "agent: b\nallowed_tools: []\n",
		"g.yaml": "guardrail: g\nagents: [\"a-b*\"]\nregions: [eu]\n"}
	of := func() (a, b string) {
		s := mustLoadFiles(t, files)
		return s.Policies[0].Digest, s.Policies[1].Digest
	}
	a, b := of()
	for _, change := range []struct {
		file, text string
		a, b       bool // whose digest changes
	}{
		{"g.yaml", "guardrail: g\nagents: [\"a-b*\"]\nregions: [us]\n", true, false},
		{"g.yaml", "guardrail: g\nagents: [c]\nregions: [us]\n", true, false}, // it binds a no longer
		{"g.yaml", "guardrail: g\nagents: [\"c*\"]\nregions: [eu]\n", false, false},
		{"g.yaml", "guardrail: g\nregions: [eu]\n", true, true},
		{"b.yaml", "agent: b\nallowed_tools: [{name: u}]\n", false, true},
		{"a.yaml", "agent: [x, \"a-*\"]\nallowed_tools:\n  - name: t # the same\n", false, false},
	} {
		files[change.file] = change.text
		a2, b2 := of()
		if (a2 != a) != change.a || (b2 != b) != change.b {
			t.Errorf("%s: %s: changed %t %t", change.file, change.text, a2 != a, b2 != b)
		}
		a, b = a2, b2
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		p, q Pattern
		want bool
	}{{"a", "a", true}, {"a", "b", false}, {"a*", "ab", true}, {"ab", "a*", true}, {"a*", "b*", false}, {"a*", "ab*", true}, {"ab*", "a", false}} {
		if c.p.overlaps(c.q) != c.want || c.q.overlaps(c.p) != c.want {
			t.Errorf("%s and %s", c.p, c.q)
		}
	}
}
