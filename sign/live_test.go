package sign_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/sign"
	"github.com/aegisctl/aegis/source"
)

// livePolicy is what the live bundles hold. Each digit is another policy_version.
func livePolicy(tenant, digit string) string {
	return "tenant: " + tenant + "\nagent: a\nallowed_tools:\n  - {name: pay, conditions: {max_amount: 5000}}\n  - {name: read" + digit +
		", effect: read}\n  - {name: read, effect: read}\n"
}

func liveArchive(t testing.TB, tenant string, serial int64, digit string) *bundle.Archive {
	t.Helper()
	set, err := policy.LoadText("finance.yaml", livePolicy(tenant, digit))
	if err != nil {
		t.Fatal(err)
	}
	a, err := bundle.New(set, bundle.Metadata{Codegen: policy.Codegen, Target: "rego", Serial: serial})
	if err != nil {
		t.Fatal(err)
	}
	a.Put("aegis/decision.rego", []byte("package aegis\n\n# Serving never runs it; only its bytes are signed.\n"))
	return a
}

// live is a service whose policies a keeper keeps.
type live struct {
	*serve.Service
	keeper *source.Keeper
	now    time.Time
	events []source.Event
}

func newLive(t *testing.T, o source.Options, so serve.Options) *live {
	t.Helper()
	l := &live{now: sign.Now()}
	so.Now = func() time.Time { return l.now }
	l.Service = serve.New(so)
	t.Cleanup(l.Close)
	o.Now = so.Now
	o.Watch = func(e source.Event) { l.events = append(l.events, e) }
	o.Install = func(all []*source.Loaded, last func() error) error {
		var out []serve.Source
		for _, b := range all {
			out = append(out, serve.Source{Name: b.Name, Set: b.Set, Serial: b.Serial, Signed: b.Signed, FreshUntil: b.FreshUntil})
		}
		return l.InstallIf(out, last)
	}
	var err error
	if l.keeper, err = source.New(o); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *live) decide(t *testing.T, tool string) *aegis.Decision {
	t.Helper()
	c, err := aegis.DecodeCall(fmt.Appendf(nil, `{"tenant":"acme","agent":"a","tool":%q,"args":{"amount":1}}`, tool))
	if err != nil {
		t.Fatal(err)
	}
	return l.Decide(context.Background(), &serve.Request{Call: c}).Decision
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if data == nil {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, dir string) *source.State {
	t.Helper()
	s, err := source.OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func keys(key, retired *sign.PrivateKey) func(context.Context) ([]*sign.PublicKey, []*sign.PublicKey, error) {
	return func(context.Context) ([]*sign.PublicKey, []*sign.PublicKey, error) {
		return []*sign.PublicKey{&key.PublicKey, &retired.PublicKey}, []*sign.PublicKey{&retired.PublicKey}, nil
	}
}

// TestRecipesLive puts every hostile bundle before a server that runs: the live one keeps serving, and who watches is told
// why, by code.
func TestRecipesLive(t *testing.T) {
	all, good, _, key, retired := sign.LiveRecipes(t, liveArchive)
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	put(t, path, good)
	l := newLive(t, source.Options{Places: []string{path}, Keys: keys(key, retired), State: state(t, t.TempDir())}, serve.Options{})
	if err := l.keeper.Begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := l.Units()[0]
	for _, r := range all {
		for _, force := range []bool{false, true} {
			put(t, path, r.Archive)
			put(t, path+".sigstore.json", r.Detached)
			l.events = nil
			errs := l.keeper.Refresh(context.Background(), force)
			st := l.keeper.Status()[0]
			e := l.events[0]
			if r.Code == "" {
				if len(errs) > 0 || st.Code != "" {
					t.Errorf("%s: %v", r.ID, errs)
				}
				continue
			}
			if len(errs) != 1 || st.Code != string(r.Code) || e.Result != source.Refused || e.Code != st.Code || st.Failures == 0 {
				t.Errorf("%s: %v, status %+v, event %+v; want code %s", r.ID, errs, st, e, r.Code)
			}
			if l.Units()[0] != before {
				t.Fatalf("%s: what was in force is no longer", r.ID)
			}
			if d := l.decide(t, "pay"); d.Decision != "allow" || d.PolicyVersion != before.Set.Version {
				t.Errorf("%s: %+v", r.ID, d)
			}
		}
		put(t, path, good)
		put(t, path+".sigstore.json", nil)
		if errs := l.keeper.Refresh(context.Background(), false); len(errs) > 0 || l.keeper.Status()[0].Failures != 0 || l.Units()[0] != before {
			t.Fatalf("after %s: %v, %+v", r.ID, errs, l.keeper.Status())
		}
	}
}

// TestRollbackAfterRestart: the floor outlives the process; where its directory is wiped, the pinned serial refuses; where the
// floor alone is deleted, that is noticed.
func TestRollbackAfterRestart(t *testing.T) {
	_, good, previous, key, retired := sign.LiveRecipes(t, liveArchive)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "bundle.tar.gz")
	begin := func(archive []byte, pinned int64) error {
		put(t, path, archive)
		s, err := source.OpenState(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if other, err := source.OpenState(dir); err == nil {
			other.Close()
			t.Error("two servers share a state directory")
		}
		k, err := source.New(source.Options{Places: []string{path}, Keys: keys(key, retired), State: s, MinSerial: pinned, Now: sign.Now,
			Install: func(_ []*source.Loaded, last func() error) error { return last() }})
		if err != nil {
			return err
		}
		return k.Begin(context.Background())
	}
	wipe := func(names ...string) {
		for _, n := range names {
			if err := os.Remove(filepath.Join(dir, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, step := range []struct {
		archive []byte
		pinned  int64
		wipe    []string
		code    sign.Code
	}{
		{previous, 0, nil, ""}, {good, 0, nil, ""}, {previous, 0, nil, sign.RolledBack}, {good, 0, nil, ""},
		{previous, 0, []string{"floor.json"}, sign.FloorMissing}, {good, 8, nil, ""},
		{previous, 8, []string{"floor.json", "lock"}, sign.RolledBack}, {good, 8, nil, ""},
	} {
		wipe(step.wipe...)
		err := begin(step.archive, step.pinned)
		var e *sign.Error
		if step.code == "" && err == nil || err != nil && asError(err, &e) && e.Code == step.code {
			continue
		}
		t.Errorf("step %d: %v, want %q", i, err, step.code)
	}
	if err := os.WriteFile(filepath.Join(dir, "floor.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begin(good, 8); err == nil {
		t.Error("a floor that cannot be read is taken for none")
	}
}

// TestFreeze: whoever serves one bundle for ever makes it stale, which is seen, and stops writes where that is asked for.
func TestFreeze(t *testing.T) {
	_, good, _, key, retired := sign.LiveRecipes(t, liveArchive)
	frozen := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(good) }))
	defer frozen.Close()
	for _, keep := range []bool{false, true} {
		l := newLive(t, source.Options{Places: []string{frozen.URL}, Keys: keys(key, retired), MaxAge: 7 * 24 * time.Hour}, serve.Options{KeepStale: keep})
		if err := l.keeper.Begin(context.Background()); err != nil {
			t.Fatal(err)
		}
		for day := range 30 {
			l.now = sign.Now().Add(time.Duration(day) * 24 * time.Hour)
			if errs := l.keeper.Refresh(context.Background(), false); len(errs) > 0 {
				t.Fatal(errs)
			}
			stale := day >= 7
			if st := l.keeper.Status()[0]; st.Stale != stale {
				t.Fatalf("day %d: %+v", day, st)
			}
			write := "allow"
			if stale && !keep {
				write = "deny"
			}
			d := l.decide(t, "pay")
			if d.Decision != write || l.decide(t, "read").Decision != "allow" {
				t.Fatalf("day %d: %+v", day, d)
			}
			if write == "deny" && d.Reasons[0].Code != aegis.ExpiredPolicy {
				t.Fatalf("day %d: %+v", day, d)
			}
		}
	}
}

// TestSwapWhileLoading changes the file all the time while it is verified and loaded, to one that nobody signed: nothing of
// that is ever in force.
func TestSwapWhileLoading(t *testing.T) {
	_, good, _, key, retired := sign.LiveRecipes(t, liveArchive)
	archive, err := liveArchive(t, "acme", 8, "e").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	other, err := sign.Sign(archive, sign.Order{Keys: []*sign.PrivateKey{key}, At: sign.Now()})
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := liveArchive(t, "acme", 99, "d").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	put(t, path, good)
	l := newLive(t, source.Options{Places: []string{path}, Keys: keys(key, retired)}, serve.Options{})
	if err := l.keeper.Begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	versions := map[string]bool{l.Units()[0].Set.Version: true, other.Verified.PolicyVersion: true}
	var stop atomic.Bool
	var swapped sync.WaitGroup
	swapped.Go(func() {
		// In place, too, so that a file that is open changes under its reader.
		for i := 0; !stop.Load(); i++ {
			os.WriteFile(path, [][]byte{good, unsigned, other.Archive, unsigned}[i%4], 0o600)
		}
	})
	var refused int
	for range 1000 {
		refused += len(l.keeper.Refresh(context.Background(), true))
		if u := l.Units()[0]; !versions[u.Set.Version] || !u.Signed || u.Serial != 8 {
			t.Fatalf("in force: %s, serial %d", u.Set.Version, u.Serial)
		}
	}
	stop.Store(true)
	swapped.Wait()
	if refused == 0 {
		t.Error("no look met the other file")
	}
}

func asError(err error, to **sign.Error) bool { return errors.As(err, to) }
