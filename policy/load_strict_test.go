package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
)

// expected is one line of testdata/bad/expected.jsonl.
type expected struct {
	ID, File, Expect, Why string
	Bounds                struct {
		MB uint64 `json:"max_extra_rss_mb"`
	}
}

// Of the cases that may load, these do: what is wrong with them is for lint to say. All others are refused.
var leftToLint = map[string]bool{"typo-max_ammount": true, "expr-unknown-field": true, "max-negative": true,
	"regex-unanchored": true, "conflict-same-tool": true, "regex-redos": true, "name-reserved-gt": true}

// TestHostilePolicies loads the hostile sources: each is refused with its place, in bounded memory, or left to lint.
func TestHostilePolicies(t *testing.T) {
	table, err := os.Open("testdata/bad/expected.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	seen := 0
	for sc := bufio.NewScanner(table); sc.Scan(); seen++ {
		var c expected
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimPrefix(c.ID, "Y-"), func(t *testing.T) { hostile(t, c) })
	}
	if seen < 44 {
		t.Errorf("%d cases", seen)
	}
}

func hostile(t *testing.T, c expected) {
	name := strings.TrimPrefix(c.ID, "Y-")
	path := filepath.Join("testdata/bad", filepath.Base(c.File))
	if name == "bom-utf16" {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(t.TempDir(), "bom-utf16.yaml")
		if err := os.WriteFile(path, utf16LE(string(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Load(path)
	runtime.ReadMemStats(&after)
	// All that was ever allocated, kept or not, bounds what can have been in use at once.
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > c.Bounds.MB {
		t.Errorf("%d MB allocated", mb)
	}
	if leftToLint[name] {
		if c.Expect == "load_error" || err != nil || s == nil {
			t.Errorf("expect %s: %v", c.Expect, err)
		}
		return
	}
	var es Errors
	if s != nil || !errors.As(err, &es) {
		t.Fatalf("got %v, want errors (%s)", err, c.Why)
	}
	for _, e := range es {
		if e.Pos.File != path || e.Pos.Line < 1 || e.Pos.Col < 1 || e.Msg == "" {
			t.Errorf("no place: %v", e)
		}
	}
}

func utf16LE(text string) []byte {
	var b bytes.Buffer
	b.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.Bytes()
}

// TestStrictSources refuses what readers of YAML, or the human eye, take in two ways.
func TestStrictSources(t *testing.T) {
	const tail = "\nallowed_tools: []\n"
	cases := map[string]string{
		"agent: a\tb" + tail:                         "a tab",
		"agent: a # \u202e" + tail:                   "reorders text (U+202E)",
		"agent: a\u0085b" + tail:                     "control character (U+0085)",
		"agent: a\x00b" + tail:                       "control character (U+0000)",
		"agent: a\rallowed_tools: []\n":              "carriage return",
		"\ufeffagent: a" + tail:                      "byte order mark",
		"agent: \"a\xff\"" + tail:                    "not valid UTF-8",
		"%YAML 1.1\n---\nagent: a" + tail:            "directive",
		"agent: ! a" + tail:                          "tag",
		"agent: !!str a" + tail:                      "tag",
		"agent: &x a" + tail:                         "anchor",
		"? agent\n: a" + tail + "? [x]\n: y\n":       "a list or a mapping stands as a key",
		"agent: a" + tail + "---\nagent: b" + tail:   "second document",
		"agent: a" + tail + "...\nagent: b" + tail:   "one policy to a file",
		"agent: a" + tail + "Agent: b\n":             "differ in case only",
		"agent: a\nmeta: {A\u017f: x, as: y}" + tail: "differ in case only",
		"agent: ~" + tail:                            "nothing",
		"agent: Off" + tail:                          "a boolean",
		"agent: 0x1F" + tail:                         "a number",
		"agent: 12:30" + tail:                        "a number",
		"agent: 1_0" + tail:                          "a number",
		"agent: .5" + tail:                           "a number",
		"agent: -.INF" + tail:                        "a number",
		"agent: \"\"" + tail:                         "empty",
		"agent: \"a\\tb\"" + tail:                    "control character",
		"agent: \"a\\nb\"" + tail:                    "several lines",
		"agent: a\nmax_chain_depth: 1e0000" + tail:   "no number as JSON writes it",
		"agent: a\nmax_chain_depth: 0.5" + tail:      "an integer",
		"agent: a\nmax_chain_depth: -0.0":            "no allowed_tools",
		"agent: a\nversion: \"1\"" + tail:            "must be a number",
		"agent: a\nmeta: {no: x}" + tail:             "a boolean",
		"agent: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + tail: "nested deeper than 64",
		"agent: a\nuse: [" + strings.Repeat("a,", 10001) + "]" + tail:        "more than 10000 members",
		"# " + strings.Repeat("x", MaxSource):                                "larger than 1048576 bytes",
	}
	for text, words := range cases {
		s, err := LoadText("p.yaml", text)
		wantError(t, s, err, words)
	}
	for text, words := range map[string]string{
		`{"agent": "a", "agent": "b", "allowed_tools": []}`: "a key stands twice",
		`{"agent": "a", "allowed_tools": [],}`:              "not strict JSON",
		`{"agent": null, "allowed_tools": []}`:              "nothing",
		`{"agent": 01, "allowed_tools": []}`:                "not strict JSON",
		`[]`:                                                "a list, not a mapping",
		``:                                                  "not strict JSON",
	} {
		s, err := LoadText("p.json", text)
		wantError(t, s, err, words)
	}
}

// TestLenientSources loads what is strict YAML though it looks unusual.
func TestLenientSources(t *testing.T) {
	for _, text := range []string{
		"---\nagent: a\nallowed_tools: []\n",
		"--- # a comment\nagent: a\nallowed_tools: []\n...\n",
		"agent: a\r\nallowed_tools: []\r\n",
		"{agent: a, allowed_tools: [{name: n, actions: [y, n]}]}",
		"agent: 'a'\nmeta: {\"no\": \"off\", naïve: ünïcödé}\nallowed_tools: []",
		"version: 1.0\nagent: a\nallowed_tools: []\n",
		"agent: a\nallowed_tools:\n- name: t\n  conditions:\n    require: >-\n      n > 0 &&\n      n < 9\n",
		"agent: a\nallowed_tools:\n- name: t\n  conditions:\n    require: |\n\n        n > 0 &&\n          n < 9\n",
		"agent: a\nallowed_tools: [{name: t, conditions: {require: n > 0\n    && n < 9}}]\n",
		"agent: a\nlists: {l: []}\nallowed_tools: [{name: t, conditions: {args: {x: {in: $l}}}}]\n",
	} {
		if _, err := LoadText("p.yaml", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestExpressionPlaces finds the character of an expression that is wrong, however the text is quoted.
func TestExpressionPlaces(t *testing.T) {
	const head = "agent: a\nallowed_tools:\n- name: t\n  conditions:\n    deny_if: "
	for text, place := range map[string]string{
		`a == "ä" && b = 3`:                     ":5:28",
		`'a == ''x'' && b = 3'`:                 ":5:31",
		`"a == \"x\" && b = 3"`:                 ":5:31",
		`"\u0061 == 'x' && b = 3"`:              ":5:34",
		"|\n      a == 'x'\n        && b = 3":   ":7:14",
		"|\n\n      a == 'x'\n\n      && b = 3": ":9:12",
		">\n      a == 'x'\n      && b = 3":     ":5:14",
		"a == 'x'\n      && b = 3":              ":5:14",
	} {
		s, err := LoadText("p.yaml", head+text+"\n")
		wantError(t, s, err, "p.yaml"+place+": = assigns")
	}
}

// TestErrorsAreBounded shows many problems of one file, each once, and then says how many there are.
func TestErrorsAreBounded(t *testing.T) {
	_, err := LoadText("p.yaml", "agent: a\nallowed_tools:\n"+strings.Repeat("- {nam: t}\n", 100))
	es, _ := err.(Errors)
	if len(es) != MaxErrors || es[0].Pos.Line != 3 || !strings.Contains(es[MaxErrors-1].Msg, "151 more are not shown") {
		t.Errorf("%d errors: %v", len(es), err)
	}
	if got := errors.Unwrap(err); got != nil || len(es.Unwrap()) != MaxErrors {
		t.Errorf("unwraps to %v", got)
	}
}
