package lint

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
)

// hostile is text that terminals, logs and parsers could take for something else.
const hostile = "\x1b[31mred\x1b[0m ::error file=x::pwned\r\n::set-output name=a::b %0A]]> <x a=\"&\"> \x00\x07\x9b2J \u202e\u2028\ufffe\xff 100%, a:b"

var samples = []aegis.Finding{
	{ID: "AEG002", Severity: aegis.SeverityWarning, Message: "max_amount is -1", Hint: "leave it out", Source: "policies/pay me.yaml:6:7", Rule: "default/a/b#max_amount"},
	{ID: "AEG012", Severity: aegis.SeverityInfo, Message: "any approver", Source: "/abs/p.yaml:9:1"},
	{ID: "AEG000", Severity: aegis.SeverityError, Message: "no policy is named"},
	{ID: "SIM001", Severity: aegis.SeverityError, Message: "of another room", Source: "p.yaml"},
	{ID: "AEG000", Severity: aegis.SeverityError, Message: hostile, Hint: hostile, Source: "a" + hostile + ".yaml:1:2", Rule: hostile},
}

// TestWriters holds every format to its golden file, in the order of samples.
func TestWriters(t *testing.T) {
	for _, format := range Formats {
		for name, fs := range map[string][]aegis.Finding{"findings": samples, "clean": nil} {
			var b bytes.Buffer
			if err := Write(&b, format, fs); err != nil {
				t.Fatal(err)
			}
			if format == "sarif" {
				continue // it holds the texts of all rules; TestSARIF looks at it
			}
			golden := "testdata/format/" + name + "." + format
			if *update {
				if err := os.MkdirAll("testdata/format", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || b.String() != string(want) {
				t.Errorf("%s: %s\nwant %s (%v)", golden, b.Bytes(), want, err)
			}
		}
	}
}

func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("testdata/sarif/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t interface{ Fatalf(string, ...any) }, s *jsonschema.Schema, text []byte) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = s.Validate(doc)
	}
	if err != nil {
		t.Fatalf("not valid SARIF: %v\n%s", err, text)
	}
}

// What is written is SARIF by the official schema, whatever the findings say.
func TestSARIF(t *testing.T) {
	schema := sarifSchema(t)
	for _, fs := range [][]aegis.Finding{nil, samples} {
		var b bytes.Buffer
		if err := WriteSARIF(&b, fs, Rules()...); err != nil {
			t.Fatal(err)
		}
		validate(t, schema, b.Bytes())
	}
	var b bytes.Buffer
	if err := WriteSARIF(&b, samples, Rules()...); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	results, driver := log.Runs[0].Results, log.Runs[0].Tool.Driver
	first := results[0]
	if first.RuleID != "AEG002" || driver.Rules[*first.RuleIndex].ID != "AEG002" || first.Level != "warning" ||
		first.Locations[0].Physical.Artifact.URI != "policies/pay%20me.yaml" || *first.Locations[0].Physical.Region != (sarifRegion{6, 7}) {
		t.Errorf("%+v", first)
	}
	if results[1].Level != "note" || results[1].Locations[0].Physical.Artifact.URI != "file:///abs/p.yaml" || results[2].Locations != nil || results[3].RuleIndex != nil {
		t.Errorf("%+v", results[1:4])
	}
	moved := samples[0]
	moved.Source = "policies/pay me.yaml:60:7"
	if sarifOf(moved, nil).Fingerprints["aegisFinding/v1"] != first.Fingerprints["aegisFinding/v1"] {
		t.Error("a finding that moved is another one")
	}
	if err := schema.Validate(map[string]any{"version": "2.0.0", "runs": []any{}}); err == nil {
		t.Error("the schema takes anything")
	}
}

// No format lets a character through that a terminal or a log acts on, nor a line that is a command, and each can be read
// back by its own parser.
func TestHostileText(t *testing.T) {
	schema := sarifSchema(t)
	text := rapid.StringOfN(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\x00\x1b\r\n%:,<>&\"']\u0085\u009b\u2028\u202e\ufeff\ufffe\U000e0041"))), 0, 30, -1)
	rapid.Check(t, func(t *rapid.T) {
		str := func(name string) string {
			return rapid.OneOf(text, rapid.Just(hostile), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) })).Draw(t, name)
		}
		f := aegis.Finding{ID: "AEG001", Severity: aegis.Severity(rapid.IntRange(0, 2).Draw(t, "severity")), Message: str("message"), Hint: str("hint"),
			Source: str("file") + rapid.SampledFrom([]string{"", ":1", ":1:2"}).Draw(t, "place"), Rule: str("rule")}
		for _, format := range Formats {
			var b bytes.Buffer
			if err := Write(&b, format, []aegis.Finding{f, samples[0]}); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.String() {
				if hidden(r) && r != '\n' || r == unicode.ReplacementChar && !strings.ContainsRune(f.Message+f.Hint+f.Source+f.Rule, unicode.ReplacementChar) {
					t.Fatalf("%s lets %U through: %q", format, r, b.String())
				}
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			switch format {
			case "text", "github":
				if len(lines) != 2 {
					t.Fatalf("%s: %d lines for two findings: %q", format, len(lines), b.String())
				}
				if format == "github" && strings.Contains(strings.SplitN(lines[0][2:], "::", 2)[0], "::") {
					t.Fatalf("%q", lines[0])
				}
			case "sarif":
				validate(t, schema, b.Bytes())
			case "json":
				var back []aegis.Finding
				if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != 2 {
					t.Fatal(err)
				}
			case "junit":
				for d := xml.NewDecoder(&b); ; {
					if _, err := d.Token(); err == io.EOF {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

func TestSplitSource(t *testing.T) {
	for s, want := range map[string]struct {
		file      string
		line, col int
	}{"a.yaml:1:2": {"a.yaml", 1, 2}, "a.yaml:1": {"a.yaml", 1, 0}, "a.yaml": {"a.yaml", 0, 0}, "": {"", 0, 0}, "c:/a:b.yaml:3:4": {"c:/a:b.yaml", 3, 4}, "a:0:1": {"a:0", 1, 0}} {
		if f, l, c := splitSource(s); f != want.file || l != want.line || c != want.col {
			t.Errorf("%q: %s %d %d", s, f, l, c)
		}
	}
}
