package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

// Writers of findings. Messages quote policies, which strangers may have written: whatever a terminal, a log or a parser
// could take for a command is shown as an escape in every format.

// Formats are the names of the formats that Write knows.
var Formats = []string{"text", "json", "sarif", "junit", "github"}

// Write writes findings in one of Formats; any other is text.
func Write(w io.Writer, format string, fs []aegis.Finding) error {
	switch format {
	case "json":
		return WriteJSON(w, fs)
	case "sarif":
		return WriteSARIF(w, fs, Rules()...)
	case "junit":
		return WriteJUnit(w, "aegisctl lint", fs)
	case "github":
		return WriteGitHub(w, fs)
	}
	return WriteText(w, fs)
}

// WriteText writes a line for each finding, and nothing where there is none.
func WriteText(w io.Writer, fs []aegis.Finding) error {
	for _, f := range fs {
		if _, err := fmt.Fprintln(w, visible(f.String())); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes a list of findings as aegis.Finding has them.
func WriteJSON(w io.Writer, fs []aegis.Finding) error {
	out := make([]aegis.Finding, len(fs))
	for i, f := range fs {
		f.Message, f.Hint, f.Source, f.Rule = visible(f.Message), visible(f.Hint), visible(f.Source), visible(f.Rule)
		out[i] = f
	}
	return writeJSON(w, out)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// visible shows control characters, characters that reorder text, and bytes that are no text, as escapes.
func visible(s string) string {
	clean := !strings.ContainsFunc(s, hidden) && utf8.ValidString(s)
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func hidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f ||
		r == 0xfeff || r == 0xfffe || r == 0xffff || r == 0x061c || r >= 0xfff9 && r <= 0xfffb || r >= 0xe0000
}

// splitSource takes file:line:column apart. Line and column are 0 where the source names only a file, or nothing.
func splitSource(s string) (file string, line, col int) {
	rest, last, ok := cutLast(s)
	if !ok {
		return s, 0, 0
	}
	if first, before, two := cutLast(rest); two {
		return first, before, last
	}
	return rest, last, 0
}

func cutLast(s string) (before string, n int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	n, err := strconv.Atoi(s[i+1:])
	return s[:i], n, err == nil && n > 0
}

// WriteGitHub writes a workflow command for each finding, which GitHub shows beside the line in a pull request.
func WriteGitHub(w io.Writer, fs []aegis.Finding) error {
	commands := [...]string{aegis.SeverityInfo: "notice", aegis.SeverityWarning: "warning", aegis.SeverityError: "error"}
	for _, f := range fs {
		file, line, col := splitSource(f.Source)
		var props []string
		add := func(key, value string) { props = append(props, key+"="+githubProperty.Replace(visible(value))) }
		if file != "" {
			add("file", filepath.ToSlash(file))
		}
		if line > 0 {
			add("line", strconv.Itoa(line))
		}
		if col > 0 {
			add("col", strconv.Itoa(col))
		}
		add("title", title(f))
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", commands[f.Severity], strings.Join(props, ","), githubData.Replace(visible(withHint(f)))); err != nil {
			return err
		}
	}
	return nil
}

// What GitHub's documentation of workflow commands says to escape, in a message and in a property.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func title(f aegis.Finding) string {
	if r, ok := Lookup(f.ID); ok {
		return f.ID + " " + r.Name
	}
	return f.ID
}

func withHint(f aegis.Finding) string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + " (" + f.Hint + ")"
}

// The parts of JUnit's XML that CI systems read.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes a test case for each finding; an info passes. Where nothing is found one case says so.
func WriteJUnit(w io.Writer, suite string, fs []aegis.Finding) error {
	s := junitSuite{Name: visible(suite)}
	for _, f := range fs {
		file, line, _ := splitSource(f.Source)
		file = visible(filepath.ToSlash(file))
		c := junitCase{Name: fmt.Sprintf("%s %s", title(f), visible(f.Source)), Class: file, File: file, Line: line}
		if c.Class == "" {
			c.Class = s.Name
		}
		if f.Severity.Fails() {
			s.Failures++
			c.Failure = &junitFailure{f.Severity.String(), visible(f.Message), visible(f.String())}
		} else {
			c.Out = visible(f.String())
		}
		s.Cases = append(s.Cases, c)
	}
	if len(s.Cases) == 0 {
		s.Cases = []junitCase{{Name: "no findings", Class: s.Name}}
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Tests: s.Tests, Failures: s.Failures, Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID      string      `json:"id"`
		Name    string      `json:"name"`
		Short   sarifText   `json:"shortDescription"`
		Help    *sarifText  `json:"help,omitempty"`
		Default sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    *int              `json:"ruleIndex,omitempty"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   map[string]string `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line int `json:"startLine"`
		Col  int `json:"startColumn,omitempty"`
	}
)

var sarifLevels = [...]string{aegis.SeverityInfo: "note", aegis.SeverityWarning: "warning", aegis.SeverityError: "error"}

// WriteSARIF writes findings as SARIF 2.1.0. rules describe them; a finding may be of a check that is not among them.
// Relative file names stay relative, as code scanning expects of a run in the repository's root.
func WriteSARIF(w io.Writer, fs []aegis.Finding, rules ...Rule) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "aegisctl", Rules: []sarifRule{}}}, ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	for _, r := range rules {
		s := sarifRule{ID: r.ID, Name: r.Name, Short: sarifText{Text: r.Summary}, Default: sarifConfig{sarifLevels[r.Severity]}}
		if r.Doc != "" {
			s.Help = &sarifText{Text: r.Doc}
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, s)
	}
	for _, f := range fs {
		run.Results = append(run.Results, sarifOf(f, rules))
	}
	return writeJSON(w, sarifLog{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifOf(f aegis.Finding, rules []Rule) sarifResult {
	file, line, col := splitSource(f.Source)
	// The line is left out, so that a finding that moves down the file is still the same one.
	sum := sha256.Sum256([]byte(f.ID + "\x00" + f.Rule + "\x00" + file + "\x00" + f.Message))
	out := sarifResult{RuleID: f.ID, Level: sarifLevels[f.Severity], Message: sarifText{Text: visible(withHint(f))},
		Fingerprints: map[string]string{"aegisFinding/v1": hex.EncodeToString(sum[:16])}}
	if i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == f.ID }); i >= 0 {
		out.RuleIndex = &i
	}
	if f.Rule != "" {
		out.Properties = map[string]string{"policyRule": visible(f.Rule)}
	}
	if file != "" {
		p := sarifPhysical{Artifact: sarifArtifact{fileURI(file)}}
		if line > 0 {
			p.Region = &sarifRegion{line, col}
		}
		out.Locations = []sarifLocation{{p}}
	}
	return out
}

// fileURI writes a file's name as a URI reference: relative where the name is.
func fileURI(file string) string {
	file = filepath.ToSlash(file)
	if strings.HasPrefix(file, "/") {
		return (&url.URL{Scheme: "file", Path: file}).String()
	}
	return (&url.URL{Path: file}).String()
}

// WriteRules writes what there is to know of the rules as JSON.
func WriteRules(w io.Writer) error {
	type rule struct {
		ID       string         `json:"id"`
		Name     string         `json:"name"`
		Severity aegis.Severity `json:"severity"`
		Summary  string         `json:"summary"`
		Doc      string         `json:"doc"`
		Fixable  bool           `json:"fixable"`
		Schema   bool           `json:"needs_schema"`
		Traffic  bool           `json:"needs_traffic"`
		OptIn    bool           `json:"opt_in"`
	}
	var out []rule
	for _, r := range rules {
		out = append(out, rule{r.ID, r.Name, r.Severity, r.Summary, r.Doc, r.Fixable, r.NeedsSchema, r.NeedsTraffic, r.OptIn})
	}
	return writeJSON(w, out)
}
