package suite

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteJSON renders the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string         `xml:"name,attr"`
	ClassName string         `xml:"classname,attr"`
	Time      string         `xml:"time,attr"`
	Failures  []junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit renders the cases as JUnit XML, a suite for each file. Characters that XML has no place for are written as
// escapes. The times are 0: a case has no duration that would mean anything.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "aegisctl test", Tests: len(r.Cases), Failures: r.Failed}
	for _, c := range r.Cases {
		n := len(all.Suites)
		if n == 0 || all.Suites[n-1].Name != plain(c.File) {
			all.Suites = append(all.Suites, junitSuite{Name: plain(c.File), Time: "0"})
			n++
		}
		s := &all.Suites[n-1]
		k := junitCase{Name: plain(c.Name), ClassName: plain(c.File), Time: "0"}
		for _, f := range c.Failures {
			k.Failures = append(k.Failures, junitFailure{Type: f.What, Message: plain(f.What + ": expected " + f.Expected + ", got " + f.Got),
				Text: "case " + plain(c.Source) + "\nexpected at " + plain(f.Source) + "\nrule " + plain(f.Rule)})
		}
		s.Tests++
		if !c.Pass {
			s.Failures++
		}
		s.Cases = append(s.Cases, k)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// WriteGitHub renders failures, what is not covered and surviving mutants as workflow commands of GitHub Actions.
func (r *Report) WriteGitHub(w io.Writer) error {
	var b strings.Builder
	for _, c := range r.Cases {
		for _, f := range c.Failures {
			command(&b, "error", f.Source, c.Name, f.What+": expected "+f.Expected+", got "+f.Got)
		}
	}
	for _, u := range r.Coverage.Rules {
		if u.Missing != nil {
			command(&b, "notice", u.Source, "not covered by tests", u.Rule+" "+u.lack())
		}
	}
	if r.Mutation != nil {
		for _, m := range r.Mutation.Survivors {
			command(&b, "warning", m.Source, "no test notices a change", m.Rule+": "+m.Change)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// command writes one workflow command. Nothing in a text can begin another.
func command(b *strings.Builder, level, source, title, message string) {
	file, line, col := source, "1", "1"
	if at := strings.LastIndexByte(source, ':'); at >= 0 {
		col = source[at+1:]
		if before := strings.LastIndexByte(source[:at], ':'); before >= 0 {
			file, line = source[:before], source[before+1:at]
		}
	}
	fmt.Fprintf(b, "::%s file=%s,line=%s,col=%s,title=%s::%s\n", level, commandProperty.Replace(plain(file)), line, col,
		commandProperty.Replace(plain(title)), commandData.Replace(plain(message)))
}

// WriteLCOV renders the coverage as an lcov trace of the YAML lines that state rules. A line's branches are the outcomes
// of its rules.
func (r *Report) WriteLCOV(w io.Writer) error {
	var b strings.Builder
	rules := r.Coverage.Rules
	for len(rules) > 0 {
		file := rules[0].at.File
		n := slices.IndexFunc(rules, func(u Rule) bool { return u.at.File != file })
		if n < 0 {
			n = len(rules)
		}
		lcovFile(&b, file, rules[:n])
		rules = rules[n:]
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func lcovFile(b *strings.Builder, file string, rules []Rule) {
	fmt.Fprintf(b, "TN:policies\nSF:%s\n", plain(file))
	branches, taken, lines, hit := 0, 0, 0, 0
	for len(rules) > 0 {
		line := rules[0].at.Line
		count, number := 0, 0
		var data strings.Builder
		for len(rules) > 0 && rules[0].at.Line == line {
			u := rules[0]
			rules = rules[1:]
			count += u.Pass + u.Fire + u.Error
			for _, k := range u.branches() {
				seen := fmt.Sprint(k)
				if u.Pass+u.Fire+u.Error == 0 {
					seen = "-"
				}
				fmt.Fprintf(&data, "BRDA:%d,0,%d,%s\n", line, number, seen)
				number++
				branches++
				if k > 0 {
					taken++
				}
			}
		}
		fmt.Fprintf(b, "%sDA:%d,%d\n", data.String(), line, count)
		lines++
		if count > 0 {
			hit++
		}
	}
	fmt.Fprintf(b, "BRF:%d\nBRH:%d\nLF:%d\nLH:%d\nend_of_record\n", branches, taken, lines, hit)
}

// branches returns how often each outcome occurred that occurred or should have.
func (u *Rule) branches() []int {
	var out []int
	for i, name := range [...]string{"pass", "fire", "error"} {
		if n := [...]int{u.Pass, u.Fire, u.Error}[i]; n > 0 || slices.Contains(u.Missing, name) {
			out = append(out, n)
		}
	}
	return out
}
