package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
)

var curl = regexp.MustCompile(`^    curl -H "\$AUTH" -H 'Content-Type: application/json' -d '(.*)' http://127\.0\.0\.1:8181(/\S+)$`)

// TestHTTPPage sends what docs/http.md shows, to a server with the policy that it shows, and gets the answers that it shows.
func TestHTTPPage(t *testing.T) {
	page, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(page), "\n")
	var text string
	for _, line := range lines {
		if strings.HasPrefix(line, "    curl") {
			break
		}
		if rule, ok := strings.CutPrefix(line, "    "); ok {
			text += rule + "\n"
		}
	}
	s := service(t, serve.Options{}, text)
	mux := http.NewServeMux()
	web := &serve.Web{Auth: serve.NoAuth{}}
	native.New(s, web).Register(mux)
	authzen.New(s, web).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	n := 0
	for i, line := range lines {
		m := curl.FindStringSubmatch(line)
		if m == nil {
			if strings.Contains(line, "    curl") {
				t.Errorf("line %d is no example as the others", i+1)
			}
			continue
		}
		n++
		_, _, answer := post(t, srv.URL+m[2], []byte(m[1]))
		var got, want any
		read(t, answer, &got)
		read(t, []byte(lines[i+1]), &want)
		if !shows(want, got) {
			t.Errorf("line %d: the answer is %s", i+1, answer)
		}
	}
	if n < 6 {
		t.Errorf("only %d examples", n)
	}
}

// shows reports whether an answer is what the page shows of it.
func shows(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for key := range w {
			ok = ok && shows(w[key], g[key])
		}
		return ok
	case []any:
		g, ok := got.([]any)
		ok = ok && len(g) == len(w)
		for i := range w {
			ok = ok && shows(w[i], g[i])
		}
		return ok
	case string:
		return w == "…" && got != nil || w == got
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	return string(a) == string(b)
}
