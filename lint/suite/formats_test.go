package suite

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is a name and an argument that try to leave their place in a report.
const hostileCases = `test: hostile
defaults: {agent: bot}
cases:
  - name: "a\e[31m\u0001<b>&\"' ]]> \r\n::error file=x::pwned\nend_of_record \u202e \ufffe"
    call: {tool: pay, action: create, args: {amount: 1, currency: "\0\e[2J</testcase>\n::stop-commands::x"}}
    expect: allow
  - name: fine
    call: {tool: pay, action: create, args: {amount: 1, currency: USD}}
    expect: allow
  - name: zwei
    call: {tool: pay, action: create, args: {amount: 51, currency: USD}}
    expect: {decision: deny, reasons: [min_not_met]}
`

// reports renders a run with failures, with gaps in the coverage and with survivors, in every format.
func reports(t *testing.T) map[string]string {
	t.Helper()
	t.Chdir(bench(t, map[string]string{"p.yaml": payPolicy, "p_test.yaml": hostileCases}))
	rep, err := Run(t.Context(), []string{"."}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rep.Mutation = &Mutation{Mutants: 3, Killed: 1, Score: rate(1, 3), Equivalent: 1, Skipped: 2,
		Survivors: []Mutant{{Source: "p.yaml:6:7", Rule: "default/bot/pay/create#max_amount", Change: "50%\n::error::x"}}}
	out := map[string]string{}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text":    func(b *bytes.Buffer) error { return rep.WriteText(b, false) },
		"verbose": func(b *bytes.Buffer) error { return rep.WriteText(b, true) },
		"json":    func(b *bytes.Buffer) error { return rep.WriteJSON(b) },
		"junit":   func(b *bytes.Buffer) error { return rep.WriteJUnit(b) },
		"github":  func(b *bytes.Buffer) error { return rep.WriteGitHub(b) },
		"lcov":    func(b *bytes.Buffer) error { return rep.WriteLCOV(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	return out
}

// TestFormats compares each format with its golden file.
func TestFormats(t *testing.T) {
	dir, err := filepath.Abs("testdata/formats")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range reports(t) {
		path := filepath.Join(dir, name+".golden")
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// TestHostileText: nothing of a test file leaves its place in a report.
func TestHostileText(t *testing.T) {
	out := reports(t)
	for name, text := range out {
		for _, r := range text {
			if r < ' ' && r != '\n' || r == 0x7f || name != "json" && (r == 0x202e || r == 0xfffe) { // JSON is data
				t.Errorf("%s holds U+%04X", name, r)
			}
		}
	}
	for line := range strings.Lines(out["github"]) {
		if !strings.HasPrefix(line, "::error file=p") && !strings.HasPrefix(line, "::notice file=p") && !strings.HasPrefix(line, "::warning file=p") {
			t.Errorf("a workflow command of another's making: %s", line)
		}
	}
	if n := strings.Count(out["lcov"], "\nend_of_record\n"); n != 1 {
		t.Errorf("lcov has %d records", n)
	}
	var doc junitSuites
	if err := xml.Unmarshal([]byte(out["junit"]), &doc); err != nil || len(doc.Suites) != 1 || len(doc.Suites[0].Cases) != 3 {
		t.Errorf("junit: %v %+v", err, doc)
	}
	var rep Report
	if err := json.Unmarshal([]byte(out["json"]), &rep); err != nil || len(rep.Cases) != 3 {
		t.Errorf("json: %v", err)
	}
}

// tool finds a program. On CI a missing one is a failure.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed: %v", name, err)
		}
		t.Skipf("SKIPPED: no %s on PATH", name)
	}
	return path
}

// TestJUnitSchema validates against the schema of Jenkins' xUnit plugin (testdata/junit-10.xsd, MIT, as pytest's source
// distribution carries it).
func TestJUnitSchema(t *testing.T) {
	xmllint := tool(t, "xmllint")
	schema, err := filepath.Abs("testdata/junit-10.xsd")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "junit.xml")
	text := reports(t)["junit"]
	check := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(xmllint, "--nonet", "--noout", "--schema", schema, path).CombinedOutput()
		if err != nil {
			t.Logf("%s", out)
		}
		return err
	}
	if err := check(text); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if check(strings.Replace(text, "<testcase name=", "<testcase nom=", 1)) == nil {
		t.Error("the schema accepts a test case without a name")
	}
}

// TestLCOV: the lcov of Debian reads the trace and counts as we do.
func TestLCOV(t *testing.T) {
	lcov := tool(t, "lcov")
	text := reports(t)["lcov"]
	if err := os.WriteFile("coverage.info", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(lcov, "--rc", "lcov_branch_coverage=1", "--rc", "branch_coverage=1", "--summary", "coverage.info").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text)
	}
	for _, want := range []string{"(6 of 6 lines)", "(8 of 11 branches)"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("lcov does not say %s:\n%s\n%s", want, out, text)
		}
	}
}
