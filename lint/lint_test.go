package lint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// example is a policy and what one rule says of it.
type example struct {
	name   string
	policy string
	want   []string // a part of each finding's message, in their order; none: silent
}

// checkRule runs one rule over examples.
func checkRule(t *testing.T, id string, examples []example) {
	t.Helper()
	checkRuleWith(t, id, Options{}, examples)
}

// checkRuleWith is checkRule with a schema or traffic.
func checkRuleWith(t *testing.T, id string, opt Options, examples []example) {
	t.Helper()
	opt.Enable, opt.Now = []string{id}, now
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			set, err := policy.LoadText("policy.yaml", x.policy)
			if err != nil {
				t.Fatalf("the example does not load: %v", err)
			}
			found := Run(set, opt)
			for i, f := range found {
				if f.ID != id || f.Source == "" || i < len(x.want) && !strings.Contains(f.Message, x.want[i]) {
					t.Errorf("found %s, want a message with %q", f, x.want[min(i, len(x.want)-1)])
				}
			}
			if len(found) != len(x.want) {
				t.Errorf("%d findings, want %d: %v", len(found), len(x.want), found)
			}
		})
	}
}

// agent is a policy with these entries; pay one with an entry for one action with these conditions.
func agent(entries ...string) string {
	return "agent: a\nallowed_tools: [" + strings.Join(entries, ",\n  ") + "]\n"
}

func pay(conditions string) string {
	return agent("{name: bank, actions: [pay], conditions: {" + conditions + "}}")
}

// exampleOf is the file of an example, or the directory where one file cannot show it.
func exampleOf(r *Rule, which string) string {
	path := filepath.Join(dirOf(r), which)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return path + ".yaml"
}

// now is the clock of the tests.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func dirOf(r *Rule) string { return filepath.Join("testdata", r.ID+"-"+r.Name) }

// Every rule has an example that fires it and nothing else, and one of what to write instead, which is clean.
func TestExamples(t *testing.T) {
	for _, r := range rules {
		t.Run(r.ID+"-"+r.Name, func(t *testing.T) {
			found := lintFiles(t, exampleOf(r, "avoid"))
			if len(found) == 0 {
				t.Errorf("avoid.yaml fires nothing")
			}
			for _, f := range found {
				if f.ID != r.ID || f.Severity != r.Severity || f.Message == "" || f.Hint == "" || f.Source == "" {
					t.Errorf("avoid.yaml: %s", f)
				}
			}
			for _, f := range lintFiles(t, exampleOf(r, "prefer")) {
				t.Errorf("prefer.yaml: %s", f)
			}
		})
	}
}

// lintOnly runs one rule.
func lintOnly(t *testing.T, id string, paths ...string) []aegis.Finding {
	t.Helper()
	return slices.DeleteFunc(lintFiles(t, paths...), func(f aegis.Finding) bool { return f.ID != id })
}

func lintFiles(t *testing.T, paths ...string) []aegis.Finding {
	t.Helper()
	set, err := policy.Load(paths...)
	if err != nil {
		return FromLoadError(err)
	}
	return Run(set, optionsBeside(t, filepath.Dir(paths[0])))
}

// optionsBeside reads the tools' schemas and the summary of traffic of an example, where it has them.
func optionsBeside(t *testing.T, dir string) (opt Options) {
	t.Helper()
	opt.Now = now
	opt.Undecided = filepath.Base(dir) == filepath.Base(dirOf(undecided))
	if text, err := os.ReadFile(filepath.Join(dir, "schema.json")); err == nil {
		opt.Schema = new(Schema)
		if err := opt.Schema.Add("", text); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "traffic.json")); err == nil {
		opt.Traffic = new(Traffic)
		if err := json.Unmarshal(text, opt.Traffic); err != nil {
			t.Fatal(err)
		}
	}
	return opt
}

var ruleID = regexp.MustCompile(`^AEG[0-9]{3}$`)

// Every rule has an id of its own, a text that makes a page, and its own file and test.
func TestRulesAreComplete(t *testing.T) {
	for i, r := range rules {
		if !ruleID.MatchString(r.ID) || i > 0 && rules[i-1].ID >= r.ID {
			t.Errorf("%s stands out of order", r.ID)
		}
		if slices.ContainsFunc(rules[:i], func(x *Rule) bool { return x.Name == r.Name }) {
			t.Errorf("%s: the name %s is taken", r.ID, r.Name)
		}
		if r.check == nil && r != loadError {
			t.Errorf("%s has no check", r.ID)
		}
		checkText(t, r)
		file := strings.ReplaceAll(r.Name, "-", "_")
		for _, f := range []string{file + ".go", file + "_test.go"} {
			if _, err := os.Stat(f); err != nil {
				t.Errorf("%s has no file of its own: %v", r.ID, err)
			}
		}
	}
	dirs, err := filepath.Glob("testdata/AEG*")
	if err != nil || len(dirs) != len(rules) {
		t.Errorf("%d directories of examples for %d rules (%v)", len(dirs), len(rules), err)
	}
}

func checkText(t *testing.T, r *Rule) {
	t.Helper()
	lines := strings.Split(r.Doc, "\n")
	if len(lines) < 3 || len(lines) > 6 {
		t.Errorf("%s: the text has %d lines", r.ID, len(lines))
	}
	next := 0
	for _, l := range lines {
		if parts := []string{"avoid: ", "prefer: ", "why: "}; next < len(parts) && strings.HasPrefix(l, parts[next]) {
			next++
		}
		if len(l) > 120 || strings.TrimSpace(l) != l {
			t.Errorf("%s: a line of the text is too long or has space at its ends: %q", r.ID, l)
		}
	}
	if next != 3 {
		t.Errorf("%s: the text does not say what to avoid, what to prefer, and why, in this order", r.ID)
	}
	if r.Summary == "" || strings.HasSuffix(r.Summary, ".") || strings.Contains(r.Summary, "\n") {
		t.Errorf("%s: the summary is not one line without a full stop: %q", r.ID, r.Summary)
	}
}

// The policies of the language's page and of the reference lint clean: not even an info.
func TestNoFalseAlarms(t *testing.T) {
	cases, err := filepath.Glob("testdata/clean/*")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, c := range cases {
		t.Run(filepath.Base(c), func(t *testing.T) {
			for _, f := range lintFiles(t, c) {
				t.Error(f)
			}
		})
	}
}

// Policies that load and must not pass in silence.
func TestSeededDefects(t *testing.T) {
	want := map[string]string{"typo-max_ammount": "AEG001", "expr-unknown-field": "AEG001", "max-negative": "AEG002",
		"regex-unanchored": "AEG004", "conflict-same-tool": "AEG006"}
	for name, id := range want {
		t.Run(name, func(t *testing.T) {
			found := lintFiles(t, filepath.Join("testdata/bad", name+".yaml"))
			if !slices.ContainsFunc(found, func(f aegis.Finding) bool { return f.ID == id && f.Severity.Fails() }) {
				t.Errorf("%s is not among the findings: %v", id, found)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	set, err := policy.LoadText("p.yaml", pay("max_amount: -1, approval_needed_if: total > 5"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "AEG002 AEG010"},
		{Options{Enable: []string{"AEG010"}}, "AEG010"},
		{Options{Enable: []string{"negative-ceiling"}}, "AEG002"},
		{Options{Disable: []string{"negative-ceiling"}}, "AEG010"},
		{Options{Enable: []string{"AEG002"}, Disable: []string{"AEG002"}}, ""},
		{Options{Enable: []string{}}, ""},
		{Options{Disable: []string{"no-such-rule"}}, "AEG002 AEG010"},
	} {
		var ids []string
		for _, f := range Run(set, x.opt) {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(ids, " "); got != x.want {
			t.Errorf("%+v: %s, want %s", x.opt, got, x.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"AEG003", "inverted-band"} {
		if r, ok := Lookup(name); !ok || r.ID != "AEG003" || r.Severity != aegis.SeverityError {
			t.Errorf("%s: %+v, %t", name, r, ok)
		}
	}
	if _, ok := Lookup("AEG999"); ok {
		t.Error("AEG999 is a rule")
	}
	if got := Rules(); len(got) != len(rules) || got[0].ID != "AEG000" {
		t.Errorf("%d rules", len(got))
	}
}

// Findings come by file, line and column, in whatever order the files are given, and the same each time.
func TestOrder(t *testing.T) {
	var paths []string
	for _, r := range rules[1:8] {
		paths = append(paths, exampleOf(r, "avoid"))
	}
	dir := t.TempDir()
	for i, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		text = append(fmt.Appendf(nil, "tenant: t%d\n", i), text...)
		if err := os.WriteFile(paths[i], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := lintFiles(t, paths...)
	slices.Reverse(paths)
	for range 20 {
		if again := lintFiles(t, paths...); !slices.Equal(first, again) {
			t.Fatalf("another order of files: %v\nwant %v", again, first)
		}
	}
	place := func(f aegis.Finding) (file string, line, col int) {
		parts := strings.Split(strings.TrimPrefix(f.Source, dir), ":")
		fmt.Sscan(parts[1], &line)
		fmt.Sscan(parts[2], &col)
		return parts[0], line, col
	}
	if !slices.IsSortedFunc(first, func(a, b aegis.Finding) int {
		fa, la, ca := place(a)
		fb, lb, cb := place(b)
		return cmp.Or(strings.Compare(fa, fb), cmp.Compare(la, lb), cmp.Compare(ca, cb))
	}) {
		t.Errorf("not sorted: %v", first)
	}
}

// writeFiles puts files into a new directory.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What a fragment says is reported once, however many policies use it.
func TestFragmentReportedOnce(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"f.yaml": "fragment: f\nallowed_tools: [{name: bank, actions: [pay], conditions: {max_amount: -1}}]\n",
		"a.yaml": "agent: a\nuse: [f]\nallowed_tools: []\n",
		"b.yaml": "agent: b\nuse: [f]\nallowed_tools: []\n",
	})
	if found := lintFiles(t, dir); len(found) != 1 || found[0].Source != filepath.Join(dir, "f.yaml")+":2:59" {
		t.Errorf("%v", found)
	}
}

func TestFinding(t *testing.T) {
	found := lintFiles(t, filepath.Join(dirOf(negativeCeiling), "avoid.yaml"))
	const want = "testdata/AEG002-negative-ceiling/avoid.yaml:6:7: warning AEG002: max_amount is -1: no value of zero or more passes " +
		"(leave the key out for no limit; to switch the action off, do not grant it)"
	if got := found[0].String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	text, err := json.Marshal(found[0])
	if err != nil || !strings.HasPrefix(string(text), `{"id":"AEG002","severity":"warning","message":"max_amount is -1`) ||
		!strings.HasSuffix(string(text), `"rule":"default/finance-agent/stripe-payments/create_payment#max_amount"}`) {
		t.Errorf("%s, %v", text, err)
	}
	var back aegis.Finding
	if err := json.Unmarshal(text, &back); err != nil || back != found[0] {
		t.Errorf("read back: %+v, %v", back, err)
	}
	if err := new(aegis.Severity).UnmarshalText([]byte("fatal")); err == nil {
		t.Error("a severity that is none was read")
	}
	if s := (aegis.Finding{ID: "AEG000", Severity: aegis.SeverityError, Message: "m"}).String(); s != "error AEG000: m" {
		t.Error(s)
	}
}
