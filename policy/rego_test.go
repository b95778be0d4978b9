package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/aegisctl/aegis"
)

// TestRegoQuote reads quoted text back with OPA's parser.
func TestRegoQuote(t *testing.T) {
	texts := []string{"", `"`, `\`, "\\u0041", "`", "\x00\x01\x1f\x7f", "\ufeff", "é\u0301", "\u2028\u2029", "😀\U0010ffff", "a\"; b := true #",
		"{{}}", "${x}", "\ud7ff\ue000\uffff"}
	for r := rune(1); r <= utf8.MaxRune; r += 977 {
		if utf8.ValidRune(r) {
			texts = append(texts, string(r))
		}
	}
	for _, want := range texts {
		term, err := ast.ParseTerm(regoQuote(want))
		if err != nil {
			t.Fatalf("%q is written as %s: %v", want, regoQuote(want), err)
		}
		if got, ok := term.Value.(ast.String); !ok || string(got) != want {
			t.Errorf("%q is written as %s and read as %q", want, regoQuote(want), got)
		}
	}
}

// TestDecimalsPattern compares the pattern with the exact count of decimals.
func TestDecimalsPattern(t *testing.T) {
	for _, text := range []string{"0", "1", "-5", "0.5", "-0.25", "1.10", "0.000001", "1e-7", "1.5e-7", "1e-300", "5e-324", "1000000000.5",
		"1000000.25", "123456789.123456", "450359962737049.5", "9223372036854775807", "1e18", "1234567.8901234", "999999.9", "0.0001", "0.00001"} {
		n, ok := aegis.ParseNum([]byte(text))
		if !ok {
			t.Fatal(text)
		}
		for most := range 20 {
			got := regexp.MustCompile(decimalsPattern(most)).MatchString(n.Text())
			if want := n.Decimals() <= most; got != want {
				t.Errorf("%s (%s) has %d decimals; at most %d: %t", text, n.Text(), n.Decimals(), most, got)
			}
		}
	}
}

// TestRegoNamesNoUserText puts marked text everywhere in a policy, and finds it in quoted strings and comments only.
func TestRegoNamesNoUserText(t *testing.T) {
	s, err := LoadText("p.yaml", `
agent: zzagent
tenant: zztenant
callers: [zzcaller]
regions: [zzregion]
limits: [{budget: 5/day of zzamount, by: zzkey}]
allowed_tools:
  - name: zztool
    actions: [zzaction, {name: zzother, conditions: {max_zzfee: 3}}]
    conditions:
      args: {zzamount: {max: 5}, zzlist: {each: {in: [zzvalue]}}, zzmap: {args: {zzinner: {type: string}}, other_args: deny}}
      other_args: deny
      require: ['zzlist.exists(zzx, zzx.zzother == "zztext" || zzx.zzfield == zzname)', 'session.seen("zzt/zza")', 'inCIDR(zzip, "10.0.0.0/8")']
`)
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	marks := 0
	for _, m := range Rego(s) {
		for line := range strings.Lines(m.Text) {
			marks += strings.Count(line, "zz")
			if rest := quoted.ReplaceAllString(line, `""`); !strings.HasPrefix(line, "#") && strings.Contains(rest, "zz") {
				t.Errorf("%s: %s", m.Path, line)
			}
			if strings.HasPrefix(line, "#") && strings.Contains(quoted.ReplaceAllString(line, ""), "zz") {
				t.Errorf("%s: %s", m.Path, line)
			}
		}
	}
	if marks < 50 {
		t.Errorf("only %d marks", marks)
	}
}
