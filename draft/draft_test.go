package draft

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/simulate"
)

var update = flag.Bool("update", false, "rewrite golden files")

// traffic writes rows to a file.
func traffic(t interface{ Fatal(...any) }, dir string, rows []capture.Row) string {
	f, err := os.CreateTemp(dir, "*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	w, err := capture.Create(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(rows...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// again simulates the drafts on traffic, limits and all, and returns how many calls they deny.
func again(t interface{ Fatal(...any) }, dir string, res *Result, path string) (denied, rejected int64) {
	dir, err := os.MkdirTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Policies {
		if err := os.WriteFile(filepath.Join(dir, p.File), []byte(p.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Policies) != len(res.Policies) {
		t.Fatal("not every policy was loaded from its file")
	}
	rep, err := simulate.Run(context.Background(), set, simulate.Options{Traffic: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	return rep.Decisions[4], rep.Decisions[5]
}

// TestExamples drafts from the benign calls of the examples: lint has nothing to say, nothing was relaxed, and the
// drafts deny none of those calls when they are simulated with their limits.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../examples/*/*.parquet")
	if err != nil || len(paths) < 9 {
		t.Fatal(err, paths)
	}
	for _, path := range paths {
		name := strings.TrimPrefix(strings.TrimSuffix(path, ".parquet"), "../examples/")
		t.Run(name, func(t *testing.T) {
			res, err := Run(context.Background(), Options{Traffic: []string{path}, Holdout: 0.2, Labels: map[string][]string{"class": {"benign"}}})
			if err != nil {
				t.Fatal(err)
			}
			if res.Report.Relaxed != 0 {
				t.Errorf("%d rules were wrong", res.Report.Relaxed)
			}
			if h := res.Report.Holdout; h.Calls == 0 || h.Rate > 0.01 {
				t.Errorf("false denials: %+v", h)
			}
			for _, p := range res.Policies {
				for _, f := range lint.Run(p.Set, lint.Options{}) {
					if f.Severity.Fails() {
						t.Errorf("%s: %s", p.File, f)
					}
				}
			}
			golden(t, res, "testdata/"+strings.ReplaceAll(name, "/", "-")+".golden")
		})
	}
}

func golden(t *testing.T, res *Result, file string) {
	var b strings.Builder
	for _, p := range res.Policies {
		b.WriteString("-- " + p.File + " --\n" + p.Text)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s differs (go test ./draft -update, and look at the difference):\n%s", file, b.String())
	}
}

// odd are names as they come and as they should not: all are names that a captured call may have.
var odd = []string{"pay", "mail", "get_invoice", "order_10423", "order_10424", "order_99999", "order_list", "a:b", "no", "null", "1", "*",
	"x*", "a/b", "a#b", "a%b", `"`, "'", "{}", "<none>", "&a", "!t", "-", "a:", "user", "guardrail:x", "bob@example.com", "Pay", "yes",
	"send_email", "x_test", strings.Repeat("n", 128), "0x10", "1.5", "2026-01-01", "~", "@", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"}

// oddKeys are names of arguments; JSON allows any text.
var oddKeys = []string{"amount", "Amount", "currency", "to", "cc", "note", "id", "items", "address", "a.b", "", " ", "\n", "a b", "$x", "*",
	"bob@example.com", "yes", "null", "é", "max_amount", "recipients", "url", "\u2028", "'", `"`, strings.Repeat("k", 200), "#", "args", "path"}

// oddTexts are values.
var oddTexts = []string{"", "eur", "usd", "EUR", "in_progress", "yes", "null", "0x1f", "$ceiling", "https://api.example.com/v1", "https://x.test",
	"http://192.0.2.1/", "https://a.test:8443/x", "ftp://u@h/", "HTTPS://API.EXAMPLE.COM", "a@example.com", "b@example.com", "B@Example.Com", "c@d",
	"/srv/data/x", "/srv/data/y/z", "/home/jdoe/x", "/../x", "/x/", "INV-000123", "INV-000124", "acct_1f3a9c", "acct_00ff11", "2026-01-02",
	"a\nb", "\x00", "é", "日本", "a'b", `a"b`, "{", "- x", "# y", strings.Repeat("long ", 200), strings.Repeat("x", 40), "]", "^", `\`, "-", "~", "&&", "[["}

func anyJSON(depth int) *rapid.Generator[string] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.SampledFrom(oddTexts), quoteJSON),
		rapid.SampledFrom([]string{"null", "true", "false", "0", "1", "-1", "12", "4870", "4870.5", "0.1", "-3.25", "1e400", "1e-7", "99999999999999999999",
			"123456789.123456789", "1e18", "-0.0", "1e2"}),
		rapid.Map(rapid.IntRange(-5000, 5000), func(i int) string { return strconv.Itoa(i) }))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, leaf, leaf,
		rapid.Map(rapid.SliceOfN(anyJSON(depth-1), 0, 3), func(l []string) string { return "[" + strings.Join(l, ",") + "]" }),
		anyObject(depth-1))
}

func anyObject(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom(oddKeys), 0, 4, rapid.ID[string]).Draw(t, "keys")
		var ms []string
		for _, k := range keys {
			ms = append(ms, quoteJSON(k)+":"+anyJSON(depth).Draw(t, "value"))
		}
		return "{" + strings.Join(ms, ",") + "}"
	})
}

func anyRow(pool []string) *rapid.Generator[capture.Row] {
	name := func(more ...string) *rapid.Generator[string] { return rapid.SampledFrom(append(more, odd...)) }
	return rapid.Custom(func(t *rapid.T) capture.Row {
		r := capture.Row{
			Tenant:  rapid.SampledFrom([]string{"", "acme", "acme", "a:b"}).Draw(t, "tenant"),
			Agent:   rapid.SampledFrom([]string{"bot", "bot", "bot", "bot", "Bot", "user", "x_test"}).Draw(t, "agent"),
			Session: rapid.SampledFrom([]string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", ""}).Draw(t, "session"),
			Tool:    name("pay", "pay", "pay", "pay", "pay", "pay", "pay", "pay", "pay").Draw(t, "tool"),
			Region:  rapid.SampledFrom([]string{"eu", "eu", "", "us-1"}).Draw(t, "region"),
			Effect:  rapid.SampledFrom([]string{"", "read", "write"}).Draw(t, "effect"),
		}
		if rapid.Bool().Draw(t, "acts") {
			r.Action = name("create", "create", "create").Draw(t, "action")
		}
		if rapid.IntRange(0, 9).Draw(t, "timed") > 0 {
			r.TimeMicros, r.HasTime = rapid.Int64Range(-1e10, 1e11).Draw(t, "time"), true
		}
		if rapid.Bool().Draw(t, "chained") {
			r.Chain = rapid.SliceOfN(rapid.SampledFrom([]string{"planner", "user", "a*b"}), 0, 3).Draw(t, "chain")
		}
		r.Args = []byte(rapid.OneOf(rapid.SampledFrom(pool), rapid.SampledFrom(pool), anyObject(3),
			rapid.SampledFrom([]string{`{"a":1,"a":2}`, `{"a":1,"A":2}`, "[]", "", "{", `{"a":1}`, `{"x":"\ud800"}`, `{"am\u006funt":5,"to":"a@example.com"}`})).Draw(t, "args"))
		if len(r.Args) == 0 {
			r.Args = nil
		}
		r.Coverage = rapid.SampledFrom([]string{"", "", "", "", "redacted"}).Draw(t, "coverage")
		r.RecordedDecision = rapid.SampledFrom([]string{"", "", "", "", "allow", "deny"}).Draw(t, "recorded")
		return r
	})
}

// TestHostileTraffic drafts from traffic that is as odd as captured calls can be. The drafts load (Run would fail), no
// rule was wrong, and when all is simulated, limits and all, what they deny is what was left out.
func TestHostileTraffic(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(anyObject(3), 1, 4).Draw(t, "pool") // so that some arguments come often
		rows := rapid.SliceOfN(anyRow(pool), 1, 120).Draw(t, "rows")
		path := traffic(t, dir, rows)
		defer os.Remove(path)
		k := rapid.IntRange(1, 5).Draw(t, "k")
		res, err := Run(context.Background(), Options{Traffic: []string{path}, MinSupport: k, Holdout: rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "holdout")})
		if errors.Is(err, ErrNothing) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if res.Report.Relaxed != 0 {
			t.Fatalf("%d rules were wrong", res.Report.Relaxed)
		}
		// What lint warns about is a matter of names that are alike; errors are not.
		s := res.Report.Skipped
		denied, rejected := again(t, dir, res, path)
		if most := s[skipDenied] + s[skipName] + s[skipMany] + s[skipBad]; denied+rejected > most {
			for _, p := range res.Policies {
				t.Log(p.Text)
			}
			t.Fatalf("%d denied and %d rejected, and %d were left out: %v", denied, rejected, most, s)
		}
		total := res.Report.Calls
		for _, n := range s {
			total += n
		}
		if total != res.Report.Rows {
			t.Fatalf("%d of %d rows are accounted for", total, res.Report.Rows)
		}
	})
}

// TestOrder shuffles traffic and cuts it into files: the draft is the same.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(anyObject(2), 1, 4).Draw(t, "pool")
		rows := rapid.SliceOfN(anyRow(pool), 2, 80).Draw(t, "rows")
		mixed := rapid.Permutation(rows).Draw(t, "mixed")
		cut := rapid.IntRange(1, len(rows)-1).Draw(t, "cut")
		paths := []string{traffic(t, dir, rows), traffic(t, dir, mixed[:cut]), traffic(t, dir, mixed[cut:])}
		for _, p := range paths {
			defer os.Remove(p)
		}
		one, err1 := Run(context.Background(), Options{Traffic: paths[:1], MinSupport: 2})
		two, err2 := Run(context.Background(), Options{Traffic: paths[1:], MinSupport: 2})
		if err1 != nil || err2 != nil {
			if !errors.Is(err1, ErrNothing) || !errors.Is(err2, ErrNothing) {
				t.Fatal(err1, err2)
			}
			return
		}
		if len(one.Policies) != len(two.Policies) {
			t.Fatal("other policies")
		}
		for i, p := range one.Policies {
			if q := two.Policies[i]; p.Text != q.Text || p.File != q.File {
				t.Fatalf("the order of calls matters:\n%s\n%s", p.Text, q.Text)
			}
		}
	})
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"support":  {MinSupport: MaxSupport + 1},
		"negative": {MinSupport: -1},
		"share":    {Holdout: 0.95},
		"missing":  {Traffic: []string{"testdata/none.parquet"}},
		"no file":  {Traffic: []string{"draft_test.go"}},
	} {
		if _, err := Run(context.Background(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Traffic: []string{"../examples/payments/traffic.parquet"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	none := Options{Traffic: []string{"../examples/payments/traffic.parquet"}, Agents: []string{"nobody"}}
	if _, err := Run(context.Background(), none); !errors.Is(err, ErrNothing) {
		t.Errorf("nobody: %v", err)
	}
}
