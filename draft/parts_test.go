package draft

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestOutward(t *testing.T) {
	for in, want := range map[float64]string{4870: "5000", 5000: "5000", 5000.01: "6000", 1: "1", 10: "10", 0.007: "0.008", 99: "100", 1.21: "1.5",
		123456: "150000", 8.01: "10", 0.1: "0.1"} {
		if got := outward(in); got != want {
			t.Errorf("outward(%v) = %s, want %s", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := math.Pow(10, rapid.Float64Range(-6, 14).Draw(t, "exponent"))
		f, err := strconv.ParseFloat(outward(x), 64)
		if err != nil || f < x || f > 1.34*x {
			t.Fatalf("outward(%v) = %s", x, outward(x))
		}
	})
}

// TestAbout: what is said of a number is no smaller, near it, and has two digits at most.
func TestAbout(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 4870: "4,900", 4831: "4,900", 10: "10", -12.34: "-13", 123456789: "130,000,000", 0.0123: "0.013", 99.5: "100"} {
		if got := about(in); got != want {
			t.Errorf("about(%v) = %s, want %s", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1, 1e12).Draw(t, "x")
		s := strings.ReplaceAll(about(x), ",", "")
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < x*(1-1e-9) || f > 1.11*x || len(strings.Trim(strings.Replace(s, ".", "", 1), "0")) > 2 {
			t.Fatalf("about(%v) = %s", x, s)
		}
	})
}

// TestShape: the pattern of a shape fits every text that it was made of, with and without the letters at the beginning.
func TestShape(t *testing.T) {
	for want, in := range map[string][]string{
		`INV-[0-9]{6}`:                        {"INV-000123", "INV-334310"},
		`acct_[0-9a-f]{10}`:                   {"acct_1f3a9c2e77", "acct_90bb31aa04"},
		`P[0-9]{6}`:                           {"P398631", "P000001"},
		`[0-9]{4}-[0-9]{2}-[0-9]{2}`:          {"2026-01-02", "1999-12-31"},
		`[a-z]{1,4}\.[0-9a-z]{1,4}`:           {"ab.txt", "abc.mp3", "x.go"},
		`v[0-9]{1}\.[0-9]{1,3}`:               {"v1.2", "v1.10"},
		`/[a-z]{3}/[0-9]{1,4}`:                {"/api/12", "/api/123"},
		`[0-9A-F]{2}:[0-9A-F]{2}`:             {"0A:FF", "9B:11"},
		`[a-zA-Z]{1,8}`:                       {"Paris", "London"},
		`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-z]{1}`: {"1f3a9c2e-90bb-a", "0f3a9c2e-90bb-7", "00000000-1111-z"},
	} {
		sh := shapeOf(in[0])
		for _, s := range in[1:] {
			o := shapeOf(s)
			sh.merge(&o)
		}
		if got := sh.pattern(sh.whole); sh.broken || got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
	atom := rapid.SampledFrom([]string{"a", "f", "z", "A", "Z", "0", "9", "-", "_", "/", ".", "@", "\\", "[", "^", "$", "*", "INV-", "acct_", "x", ""})
	text := rapid.Map(rapid.SliceOfN(atom, 1, 9), func(p []string) string { return strings.Join(p, "") })
	rapid.Check(t, func(t *rapid.T) {
		first := text.Draw(t, "first")
		texts := []string{first}
		for range rapid.IntRange(0, 4).Draw(t, "more") {
			texts = append(texts, rapid.OneOf(text, rapid.Just(digitsFor(first, rapid.Byte().Draw(t, "digit")))).Draw(t, "text"))
		}
		sh := shapeOf(first)
		for _, s := range texts[1:] {
			o := shapeOf(s)
			sh.merge(&o)
		}
		if sh.broken {
			return
		}
		for _, prefix := range []bool{false, sh.whole} {
			re, err := policy.WholePattern(sh.pattern(prefix))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range texts {
				if !regexp.MustCompile(re).MatchString(s) {
					t.Fatalf("%q does not fit %s, made of %q", s, re, texts)
				}
			}
		}
	})
}

// digitsFor changes the digits of a text, so that texts of one form are likely.
func digitsFor(s string, d byte) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return rune('0' + d%10)
		}
		return r
	}, s)
}

func TestFolded(t *testing.T) {
	for in, want := range map[string]string{"order_104233": "order_*", "report2024": "report*", "get_2fa": "get_2fa", "a_1234": "a_1234", "v2": "v2",
		"12345": "12345", "invoice-0001": "invoice-*"} {
		if got, _ := folded(in); got != want {
			t.Errorf("folded(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLooks(t *testing.T) {
	l := newLooks(Options{Agents: []string{"agent-1f3a9c2e77b0"}})
	for _, s := range []string{"stripe-payments", "create_payment", "mcp__github__search_issues", "S3ListBuckets", "queryDynamoDBTable", "get_2fa_code",
		"eu-west-1", "research-web", "agent-1f3a9c2e77b0", "get_rating_reviews_for_car_rental", "browser.navigate", "web/fetch", "a:b", "OAuth2Login"} {
		if !l.name(s) {
			t.Errorf("the name %q is withheld", s)
		}
	}
	for _, s := range []string{"bob@example.com", "a*b", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "x-1f3a9c2e77b04d5e", "guardrail:x", "call_4111111111111111",
		"AKIAIOSFODNN7EXAMPLE", "tool-550e8400-e29b-41d4-a716-446655440000", "t-QmYwAPJzv5CZsnA6"} {
		if l.name(s) {
			t.Errorf("the name %q is written", s)
		}
	}
	for arg, values := range map[string]string{"status": "open in_progress DONE v1.2 eu-west-1 text/plain", "currency": "EUR usd", "permission": "r rw"} {
		for _, s := range strings.Fields(values) {
			if !l.value(arg, s) {
				t.Errorf("%s: %q is withheld", arg, s)
			}
		}
	}
	for arg, values := range map[string]string{"status": "Alice alice maria_smith 4821 hunter2abc9 1f3a9c Zürich a@b.test qwrtzpsdf $x x- sk_live_12ab34cd", "password": "open",
		"user_name": "admin", "userId": "abc", "note": "fine", "api_key": "test", "recipient": "ops"} {
		for _, s := range strings.Fields(values) {
			if l.value(arg, s) {
				t.Errorf("%s: %q is written", arg, s)
			}
		}
	}
	for _, s := range []string{"", "bob@example.com", "a b", "maria", "maria_balance", "550e8400e29b41d4", "1st", "é", "$x", "-", "_", "a:b", "4111111111111111"} {
		if l.key(s) {
			t.Errorf("the argument's name %q is written", s)
		}
	}
	for _, s := range []string{"amount", "max_amount", "customerId", "x", "oauth2_scope", "start-date", "config.retries", "mark_as_read", "-n", "-C", "Content-Type", "k8s_cluster"} {
		if !l.key(s) {
			t.Errorf("the argument's name %q is withheld", s)
		}
	}
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		bad, n int64
		lo, hi string
	}{{0, 87, "0%", "4.2%"}, {5, 100, "2.2%", "11.2%"}, {10, 10, "72.2%", "100%"}, {0, 0, "0%", "100%"}} {
		m := &measure{sessions: c.n, badSessions: c.bad}
		if lo, hi := m.interval(); percent(lo) != c.lo || percent(hi) != c.hi {
			t.Errorf("%d of %d: %s to %s, want %s to %s", c.bad, c.n, percent(lo), percent(hi), c.lo, c.hi)
		}
	}
}

func TestFileName(t *testing.T) {
	taken := map[string]bool{}
	seen := map[string]bool{}
	for _, k := range [][2]string{{"acme", "bot"}, {"acme", "Bot"}, {"acme", "a/b"}, {"acme", "a:b"}, {"acme", "x_test"}, {strings.Repeat("t", 128),
		strings.Repeat("a", 128)}, {"a", "b.c"}, {"a.b", "c"}} {
		name := fileName(k, taken)
		if low := strings.ToLower(name); seen[low] || len(name) > 200 || strings.ContainsAny(name, "/:\\") || strings.HasSuffix(name, "_test.yaml") {
			t.Errorf("%v: %s", k, name)
		}
		seen[strings.ToLower(name)] = true
	}
}

func TestScalar(t *testing.T) {
	for in, want := range map[string]string{"eur": "eur", "no": "'no'", "a:b": "'a:b'", "it's": "'it''s'", "1": "'1'", "$x": "'$x'", "text/plain": "text/plain"} {
		if got := scalar(in); got != want {
			t.Errorf("scalar(%q) = %s", in, got)
		}
	}
}
