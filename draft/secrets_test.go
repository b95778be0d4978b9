package draft

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/capture"
)

// planted are secrets and personal data of every kind that redact knows, and of some that it does not.
var planted = []string{"123-45-6789", "4111 1111 1111 1111", "4012888888881881", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000",
	"bob.smith@corp.example.com", "+49 30 901820", "415-555-2671", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "AKIAIOSFODNN7EXAMPLE",
	"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "xoxb-123456789012-abcdefABCDEF", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
	"-----BEGIN PRIVATE KEY-----", "MRN-12345678", "NHS 9434765919", "A123456780", "1EG4-TE5-MK73", "born 1985-03-12", "password=Tr0ub4dor&3",
	"correct horse battery staple", "Alice Johnson", "alice.johnson", "Alice", "maria", "Björn Åkesson", "12 Main Street, Springfield", "482913",
	"P398631-77", "550e8400-e29b-41d4-a716-446655440000", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "Zm9vYmFyYmF6cXV4", "Kx7-Qm2-Zp9-Lw4",
	"My SSN is 123-45-6789 ok", "hunter2!", "jdoe1985", "4839201745", "2026-03-12T10:11:12Z"}

// corpus adds what the hostile cases of redaction must not let through.
func corpus(t *testing.T) []string {
	raw, err := os.ReadFile("../redact/testdata/redaction_cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(planted)
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		var c struct {
			MustNotContain []string `json:"must_not_contain"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		for _, s := range c.MustNotContain {
			if len(s) >= 6 {
				out = append(out, s)
			}
		}
	}
	return out
}

// Alphabets of what programs make up; the last three only in arguments: a name in both cases cannot always be told from
// words, which docs/draft.md says.
var alphabets = []string{"0123456789abcdef", "0123456789ABCDEF", "0123456789", "abcdefghijklmnopqrstuvwxyz0123456789",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"}

// token draws a random token for a position.
func token(where string) *rapid.Generator[string] {
	some, least := alphabets, 16
	if where[0] != '{' {
		some, least = alphabets[:4], 20
	}
	return rapid.Custom(func(t *rapid.T) string {
		alphabet := rapid.SampledFrom(some).Draw(t, "alphabet")
		n := rapid.IntRange(least, 40).Draw(t, "length")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)) // rapid's own choices favour the first of a list
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return rapid.SampledFrom([]string{"", "", "tok_", "sess-", "key."}).Draw(t, "prefix") + string(b)
	})
}

// plant puts a secret into a call.
func plant(r *capture.Row, where, s string) {
	q := quoteJSON(s)
	name := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '_'
		}
		return c
	}, s)
	switch where {
	case "tool":
		r.Tool = name
	case "action":
		r.Action = name
	case "tail of action":
		r.Action = "get_" + name
	case "agent":
		r.Agent = name
	case "tenant":
		r.Tenant = name
	case "region":
		r.Region = name
	case "caller":
		r.Chain = []string{name}
	case "outer caller":
		r.Chain = []string{name, "planner"}
	case "key":
		r.Args = []byte(`{` + q + `:1,"amount":5}`)
	case "key of a map":
		r.Args = []byte(`{"amount":5,"members":{` + q + `:{"role":"admin"}}}`)
	case "number":
		digits := strings.Map(func(c rune) rune {
			if '0' <= c && c <= '9' {
				return c
			}
			return -1
		}, s)
		if digits = strings.TrimLeft(digits, "0"); len(digits) > 18 {
			digits = digits[:18]
		}
		r.Args = []byte(`{"amount":` + orElse(digits, "482913") + `}`)
	default:
		r.Args = []byte(strings.ReplaceAll(where, "HERE", strings.Trim(q, `"`)))
	}
}

var positions = []string{"tool", "action", "tail of action", "agent", "tenant", "region", "caller", "outer caller", "key", "key of a map", "number",
	`{"status":"HERE"}`, `{"label":"HERE"}`, `{"amount":5,"note":"HERE"}`, `{"password":"HERE"}`, `{"items":[{"sku":"HERE","n":1}]}`, `{"tags":["HERE","x"]}`,
	`{"url":"https://HERE.example.com/x"}`, `{"url":"https://api.example.com/HERE"}`, `{"url":"https://api.example.com/?q=HERE"}`, `{"to":"HERE@example.com"}`,
	`{"to":"x@HERE.example"}`, `{"path":"/srv/HERE/x"}`, `{"path":"/home/HERE/x"}`, `{"path":"/srv/data/HERE"}`, `{"deep":{"a":{"b":"HERE"}}}`, `{"kind":"id HERE"}`,
	`{"HERE":"HERE"}`}

// TestNothingLeaks plants secrets and personal data in every place of traffic, in as many sessions as support asks for,
// and looks for them in all that comes out: the policies, the names of files, and the report in both forms.
func TestNothingLeaks(t *testing.T) {
	dir := t.TempDir()
	secrets := corpus(t)
	check := func(t interface {
		Fatal(...any)
		Fatalf(string, ...any)
	}, where, secret string, several bool) {
		var rows []capture.Row
		for i := range 24 {
			r := capture.Row{Tenant: "acme", Agent: "bot", Tool: "pay", Action: "create", Session: fmt.Sprint("session", i%12), Region: "eu",
				Args: []byte(`{"amount":5,"status":"open"}`)}
			if i%2 == 0 {
				// The same secret in all sessions; or one of each alphabet in each.
				s := secret
				if several {
					s = strings.Map(func(c rune) rune { return rotate(c, i) }, secret)
				}
				plant(&r, where, s)
			}
			rows = append(rows, r)
		}
		path := traffic(t, dir, rows)
		defer os.Remove(path)
		res, err := Run(context.Background(), Options{Traffic: []string{path}, Holdout: 0.2})
		if errors.Is(err, ErrNothing) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if res.Report.Relaxed != 0 {
			t.Fatal("a rule was wrong")
		}
		for what, text := range written(t, res) {
			if leaked := leak(text, secret); leaked != "" {
				t.Fatalf("%s, planted in %s, is in the %s as %q:\n%s", secret, where, what, leaked, text)
			}
		}
	}
	for i, where := range positions {
		for k, s := range secrets {
			if (i+k)%9 != 0 && os.Getenv("AEGIS_LONG") == "" {
				continue
			}
			if s == "jdoe1985" && !strings.HasPrefix(where, "{") && where != "key" && where != "number" {
				continue // as the name of a tool it is one like report2024; docs/draft.md says so
			}
			check(t, where, s, false)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		where := rapid.SampledFrom(positions).Draw(t, "where")
		check(t, where, token(where).Draw(t, "token"), rapid.Bool().Draw(t, "several"))
	})
}

// rotate changes a letter or digit to another of its class.
func rotate(c rune, by int) rune {
	switch {
	case '0' <= c && c <= '9':
		return '0' + (c-'0'+rune(by))%10
	case 'a' <= c && c <= 'z':
		return 'a' + (c-'a'+rune(by))%26
	case 'A' <= c && c <= 'Z':
		return 'A' + (c-'A'+rune(by))%26
	}
	return c
}

// written returns everything that a result is made of.
func written(t interface{ Fatal(...any) }, res *Result) map[string]string {
	out := map[string]string{}
	for _, p := range res.Policies {
		out["policy "+p.File] = p.Text
		out["file name"] += p.File + "\n"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(res.Report); err != nil {
		t.Fatal(err)
	}
	out["report"] = b.String()
	b.Reset()
	if err := res.Report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	out["summary"] = b.String()
	return out
}

// leak returns the part of the secret that the text holds: the whole, or ten characters of it in a row.
func leak(text, secret string) string {
	if strings.Contains(text, secret) {
		return secret
	}
	const most = 10
	for i := 0; i+most <= len(secret); i++ {
		if part := secret[i : i+most]; strings.Contains(text, part) && !strings.Contains("@corp.example.com .example.com", part) {
			return part
		}
	}
	return ""
}

// TestFewSessions: what was seen in fewer sessions than asked for is not written, however harmless it looks.
func TestFewSessions(t *testing.T) {
	draftOf := func(sessions int) string {
		var rows []capture.Row
		for i := range 60 {
			rows = append(rows, capture.Row{Agent: "bot", Tool: "pay", Session: fmt.Sprint("s", i%sessions),
				Args: []byte(`{"flavour":"vanilla","site":"https://shop.example.com/","box":"a@mail.example.com","file":"/srv/data/x"}`)})
		}
		res, err := Run(context.Background(), Options{Traffic: []string{traffic(t, t.TempDir(), rows)}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Policies[0].Text
	}
	words := []string{"flavour", "vanilla", "shop.example.com", "mail.example.com", "/srv/data/"}
	for _, w := range words {
		if text := draftOf(DefaultSupport); !strings.Contains(text, w) {
			t.Errorf("%s is not in\n%s", w, text)
		}
		if text := draftOf(DefaultSupport - 1); strings.Contains(text, w) {
			t.Errorf("%s is in\n%s", w, text)
		}
	}
}
