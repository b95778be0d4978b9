package telemetry_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/serve/telemetry"
)

// hostile is one case of testdata/telemetry_tenant_cases.jsonl.
type hostile struct{ ID, Where, Payload, Expect, Why string }

func hostiles(t *testing.T) []hostile {
	t.Helper()
	text, err := os.ReadFile("testdata/telemetry_tenant_cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []hostile
	for dec := json.NewDecoder(bytes.NewReader(text)); dec.More(); {
		var h hostile
		if err := dec.Decode(&h); err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	return out
}

// elsewhere are the cases that this server has nothing for yet.
var elsewhere = map[string]string{
	"tn-list":     "the server lists no decisions: with the audit log",
	"tn-approval": "the server keeps no approvals: with them",
}

// TestHostileCases holds every output to the shared cases: what a caller chose stays inside its line and its field, harmless
// to terminals and spreadsheets.
func TestHostileCases(t *testing.T) {
	dir := t.TempDir()
	var places, specs []string
	for _, f := range []string{"jsonl", "ocsf", "cef", "syslog", "csv"} {
		place := filepath.Join(dir, f)
		places, specs = append(places, place), append(specs, f+"="+place)
	}
	events, done := outputs(t, specs...)
	var text, js bytes.Buffer
	logText, _ := telemetry.NewLogger(&text, "text", slog.LevelDebug)
	logJSON, _ := telemetry.NewLogger(&js, "json", slog.LevelDebug)
	lines, jsonLines := telemetry.NewDecisionLog(logText, slog.LevelInfo), telemetry.NewDecisionLog(logJSON, slog.LevelInfo)
	s := service(t, serve.Options{Observers: []serve.Observer{events, lines, jsonLines}}, payments)
	var payloads []string
	for _, h := range hostiles(t) {
		switch {
		case strings.HasPrefix(h.ID, "tm-") && h.ID != "tm-secret" && h.ID != "tm-label":
			payloads = append(payloads, h.Payload)
		case elsewhere[h.ID] == "" && !map[string]bool{"tm-secret": true, "tm-label": true, "tn-error": true, "tn-cache": true}[h.ID]:
			t.Errorf("no test knows the case %s (%s)", h.ID, h.Why)
		}
	}
	// What no case holds: separators of each format, tags, invalid UTF-8, what is too long, and formulas after spaces.
	payloads = append(payloads, `a|b\c=d"e]f`, "x\u2028y\u2029z", "tag\U000E0041", "bad\xff\xfe", strings.Repeat("é", 4000), " =1+1", "\t=1", "+1", "-1", "＝1", "a,b\"c\nd")
	for _, p := range payloads {
		r := request(t, "acme", p, p, `{}`)
		r.Call.Session, r.Call.Action, r.Who.Name = p, p, p
		s.Decide(serve.WithTrace(context.Background(), p, p), r)
	}
	done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := lines.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := jsonLines.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"log text": text.String(), "log json": js.String()}
	for i, f := range []string{"jsonl", "ocsf", "cef", "syslog", "csv"} {
		b, err := os.ReadFile(places[i])
		if err != nil {
			t.Fatal(err)
		}
		got[f] = string(b)
	}
	for name, out := range got {
		rows := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if name == "csv" {
			rows = rows[1:]
		}
		if len(rows) != len(payloads) {
			t.Errorf("%s: %d lines for %d decisions", name, len(rows), len(payloads))
			continue
		}
		for i, row := range rows {
			for _, r := range row {
				if r != ' ' && !unicode.IsPrint(r) {
					t.Errorf("%s: %q holds %U", name, row, r)
				}
			}
			if len(row) > 8192 {
				t.Errorf("%s: a line of %d bytes", name, len(row))
			}
			judges[name](t, row, shortened(payloads[i]))
		}
	}
}

// shortened is how telemetry carries a name.
func shortened(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= 256 {
		return s
	}
	n := 253
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// written is a name with hidden characters written out.
func written(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xD800+((r-0x10000)>>10), 0xDC00+((r-0x10000)&0x3FF))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// judges read a line as a consumer of the format does, and look for the agent's name in the one field where it belongs.
var judges = map[string]func(t *testing.T, line, name string){
	"jsonl": func(t *testing.T, line, name string) {
		var e telemetry.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || plain(e.Agent) != plain(name) || e.Decision != "deny" {
			t.Errorf("%s: %v: agent %q, want %q", line, err, e.Agent, name)
		}
	},
	"ocsf": func(t *testing.T, line, name string) {
		var e struct {
			Actor struct {
				AppName string `json:"app_name"`
			} `json:"actor"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || plain(e.Actor.AppName) != plain(name) {
			t.Errorf("%s: %v: %q, want %q", line, err, e.Actor.AppName, name)
		}
	},
	"log json": func(t *testing.T, line, name string) {
		var e struct{ Agent, Decision, Level string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || plain(e.Agent) != plain(name) || e.Decision != "deny" || e.Level != "INFO" {
			t.Errorf("%s: %v: %+v, want agent %q", line, err, e, name)
		}
	},
	"log text": func(t *testing.T, line, name string) {
		fields := regexp.MustCompile(`(?:^| )([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]*)`).FindAllStringSubmatch(line, -1)
		n := 0
		for _, f := range fields {
			if f[1] == "decision" {
				n++
				if f[2] != "deny" {
					t.Errorf("%s: decision %s", line, f[2])
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: %d fields named decision", line, n)
		}
	},
	"cef": func(t *testing.T, line, name string) {
		header := regexp.MustCompile(`^CEF:0\|Aegis\|aegisctl\|v1\|decision:deny\|Agent tool call deny\|6\|(.*)$`).FindStringSubmatch(line)
		if header == nil {
			t.Fatalf("%s: the header", line)
		}
		// A key begins after a space, and ends with an equals sign that is not escaped.
		keys := regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=((?:[^=\\]|\\.)*?)(?:$| (?:[A-Za-z0-9]+=))`)
		want := map[string]string{"suser": written(name), "outcome": "deny", "act": "blocked"}
		rest := header[1]
		seen := 0
		for rest != "" {
			m := keys.FindStringSubmatchIndex(rest)
			if m == nil {
				t.Fatalf("%s: not read to its end: %q", line, rest)
			}
			key, value := rest[m[2]:m[3]], strings.NewReplacer(`\=`, `=`, `\\`, `\`).Replace(rest[m[4]:m[5]])
			if w, ok := want[key]; ok {
				if seen++; w != value {
					t.Errorf("%s: %s is %q, want %q", line, key, value, w)
				}
			}
			rest = strings.TrimPrefix(rest[m[5]:], " ")
		}
		if seen != len(want) {
			t.Errorf("%s: %d of the fields, want %d", line, seen, len(want))
		}
	},
	"syslog": func(t *testing.T, line, name string) {
		m := regexp.MustCompile(`^<108>1 [0-9TZ:.-]+ [!-~]+ aegisctl [0-9]+ decision \[aegis@32473((?: [a-z_]+="(?:[^"\\\]]|\\["\\\]])*")+)\] deny `).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: no message of RFC 5424", line)
		}
		agent := regexp.MustCompile(` agent="((?:[^"\\\]]|\\.)*)"`).FindAllStringSubmatch(m[1], -1)
		if len(agent) != 1 || strings.NewReplacer(`\"`, `"`, `\]`, `]`, `\\`, `\`).Replace(agent[0][1]) != written(name) {
			t.Errorf("%s: agent %q, want %q", line, agent, written(name))
		}
	},
	"csv": func(t *testing.T, line, name string) {
		row, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(row) != 16 {
			t.Fatalf("%s: %v: %d cells", line, err, len(row))
		}
		if strings.TrimPrefix(row[3], "'") != written(name) {
			t.Errorf("%s: agent %q, want %q", line, row[3], written(name))
		}
		for _, c := range row {
			if begin := strings.TrimLeft(c, " \t\r\n"); begin != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(begin)[0]) {
				t.Errorf("a spreadsheet takes %q for a formula", c)
			}
		}
	},
}

// plain forgets what JSON cannot carry.
func plain(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// TestSecretsStayOut sends a secret in every place that HTTP has (tm-secret), at the most talkative level.
func TestSecretsStayOut(t *testing.T) {
	const secret = "sk_live_51H8SECRET"
	dir := t.TempDir()
	events, done := outputs(t, "jsonl="+dir+"/a", "ocsf="+dir+"/b", "cef="+dir+"/c", "syslog="+dir+"/d", "csv="+dir+"/e")
	var text bytes.Buffer
	log, _ := telemetry.NewLogger(&text, "text", slog.LevelDebug)
	lines := telemetry.NewDecisionLog(log, slog.LevelDebug)
	m := telemetry.NewMetrics()
	s := service(t, serve.Options{Log: log, Observers: []serve.Observer{events, lines, m}}, payments)
	m.Watch(telemetry.MetricOptions{Service: s, Outputs: events, Log: log})
	mux := http.NewServeMux()
	native.New(s, &serve.Web{Auth: serve.NewSecret(secret)}).Register(mux)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, body := range []string{`{"tenant":"acme","agent":"finance-agent","tool":"pay","args":{"amount":1,"key":"sk_live_51H8SECRET"}}`,
		`{"tenant":"acme","agent":"finance-agent","tool":"pay","args":{"amount":"sk_live_51H8SECRET"}}`,
		`{"tenant":"acme","agent":"finance-agent","tool":"mail","args":{"to":"ann@example.com sk_live_51H8SECRET"}}`,
		`{"args":{"sk_live_51H8SECRET":1,"sk_live_51H8SECRET":2}}`, `sk_live_51H8SECRET`} {
		for _, auth := range []string{"Bearer " + secret, "Bearer not-" + secret, "Basic " + secret} {
			req, _ := http.NewRequest(http.MethodPost, srv.URL+"/v1/decide?key="+secret, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", auth)
			req.Header.Set("Cookie", secret)
			req.Header.Set("Baggage", "key="+secret)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
	done()
	if err := lines.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"log": text.String(), "metrics": scrape(t, m)}
	for _, f := range []string{"a", "b", "c", "d", "e"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		all[f] = string(b)
	}
	for name, out := range all {
		if !strings.Contains(out, "deny") {
			t.Errorf("%s tells of no denied call:\n%s", name, out)
		}
		for _, part := range []string{secret, "SECRET", "ann@example.com"} {
			if strings.Contains(out, part) {
				t.Errorf("%s holds %q:\n%s", name, part, out)
			}
		}
	}
}

// TestTenantsApart holds the cases of tenants that concern the server: no entry is shared (tn-cache), and no answer names what
// is another's (tn-error).
func TestTenantsApart(t *testing.T) {
	dir := t.TempDir()
	events, done := outputs(t, "jsonl="+dir+"/a")
	s := service(t, serve.Options{Observers: []serve.Observer{events}}, payments, globex)
	for range 3 {
		for tenant, want := range map[string]string{"acme": "allow", "globex": "deny"} {
			a := s.Decide(context.Background(), request(t, tenant, "finance-agent", "pay", `{"amount":50}`))
			if a.Decision.Decision != want {
				t.Errorf("%s: %s, want %s", tenant, a.Decision.Decision, want)
			}
			other := map[string]string{"acme": "globex", "globex": "acme"}[tenant]
			if text, _ := json.Marshal(a.Decision); bytes.Contains(text, []byte(other)) {
				t.Errorf("the answer to %s names %s: %s", tenant, other, text)
			}
		}
	}
	a := s.Decide(context.Background(), request(t, "acme", "finance-agent", "nothing", `{}`))
	if text, _ := json.Marshal(a.Decision); bytes.Contains(text, []byte("globex")) {
		t.Errorf("%s", text)
	}
	done()
	b, err := os.ReadFile(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.Contains(line, "acme") && strings.Contains(line, "globex") {
			t.Errorf("one event of two tenants: %s", line)
		}
	}
}
