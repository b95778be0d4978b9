package serve_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
)

const modes = `
agent: a
tenant: acme
mode: {enforce: 25%}
allowed_tools:
  - {name: part, conditions: {max_n: 1}}
  - {name: shadow, mode: shadow, conditions: {max_n: 1}}
  - {name: bound, mode: enforce, conditions: {max_n: 1}, limits: [{calls: 1/day}]}
`

// TestModesAtTheDoors: whatever binds, both doors answer the true decision, say whether it is enforced, let through what is not,
// and the capture holds the true decision of all but dry runs.
func TestModesAtTheDoors(t *testing.T) {
	for _, mode := range []aegis.Mode{aegis.Enforce, aegis.Shadow} {
		dir := t.TempDir()
		kept := serve.NewCapture(serve.CaptureOptions{Dir: dir})
		s := service(t, serve.Options{Mode: mode, Observers: []serve.Observer{kept}}, modes)
		mux := http.NewServeMux()
		native.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
		authzen.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
		srv := httptest.NewServer(mux)
		denied := 0
		ask := func(tool, session string, n int, dry, wantPass bool, want string) {
			t.Helper()
			k := parityCall{Tenant: "acme", Agent: "a", Tool: tool, Session: session, Args: fmt.Appendf(nil, `{"n":%d}`, n), at: time.Now()}
			body, asked := map[string]any{"tenant": "acme", "agent": "a", "tool": tool, "session": session, "args": k.Args, "dry_run": dry}, k.evaluation()
			asked["context"].(map[string]any)["dry_run"] = dry
			var d wireDecision
			var e wireEvaluation
			_, _, text := post(t, srv.URL+"/v1/decide", marshal(t, body))
			read(t, text, &d)
			_, _, text = post(t, srv.URL+"/access/v1/evaluation", marshal(t, asked))
			read(t, text, &e)
			for _, got := range []*wireDecision{&d, e.Context.Aegis} {
				// A dry run tells what would be: it binds nobody, and AuthZEN's decision says whether the call would pass.
				if got.Decision != want || got.Enforced != (!dry && (wantPass == (want == "allow"))) || got.WouldBlock != (want == "deny" && !got.Enforced) {
					t.Errorf("mode %s, %s in session %s, dry %t: %+v, want %s and pass %t", mode, tool, session, dry, got, want, wantPass)
				}
			}
			if e.Decision != wantPass {
				t.Errorf("mode %s, %s in session %s, dry %t: AuthZEN says %t, want %t", mode, tool, session, dry, e.Decision, wantPass)
			}
			if want == "deny" && !dry {
				denied += 2
			}
		}
		bound := mode == aegis.Enforce
		picked := 0
		for i := range 40 {
			session := fmt.Sprint("s", i)
			sum := sha256.Sum256([]byte("acme\x00a\x00" + session))
			in := float64(binary.BigEndian.Uint64(sum[:8])) < 0.25*math.MaxUint64
			if in {
				picked++
			}
			ask("part", session, 5, false, !(bound && in), "deny")
		}
		if picked < 3 || picked > 20 {
			t.Fatalf("%d of 40 sessions are enforced", picked)
		}
		ask("shadow", "s", 5, false, true, "deny")
		ask("bound", "s", 5, false, !bound, "deny")
		ask("bound", "s", 5, true, !bound, "deny")
		for range 3 { // dry runs spend nothing of the one call a day
			ask("bound", "s", 1, true, true, "allow")
		}
		srv.Close()
		if err := kept.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		rows, err := capture.Head(files[0], 1000)
		if err != nil || len(rows) != denied {
			t.Errorf("%d rows of %d: %v", len(rows), denied, err)
		}
		for _, r := range rows {
			if r.RecordedDecision != "deny" {
				t.Errorf("%+v", r)
			}
		}
	}
}
