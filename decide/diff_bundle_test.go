package decide

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/compile"
	"github.com/aegisctl/aegis/policy"
)

// TestBundlesHoldSets packs generated sets into bundles, as compile does, and loads them: the same set comes out, to the
// last position, so it decides alike; and the bundle's rules are those of its policies.
func TestBundlesHoldSets(t *testing.T) {
	sets := 60
	if os.Getenv("AEGIS_LONG") != "" {
		sets = 6000
	}
	dir := t.TempDir()
	made := 0
	for i := range sets {
		fs, s := newDiffRand(uint64(i), 77).set(filepath.Join(dir, "scratch"))
		if s == nil {
			continue
		}
		made++
		dir := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.source()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		set, err := policy.LoadOptions{Portable: true}.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		a, err := compile.Build(set, compile.Options{Serial: int64(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		packed, err := a.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		back, err := bundle.Read(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		again, err := bundle.Load(back)
		if err != nil {
			t.Fatal(err)
		}
		set.Sources, set.Unused, again.Sources, again.Unused = nil, nil, nil, nil // about files that gave nothing, too
		if !reflect.DeepEqual(set, again) {
			t.Fatalf("set %d is another after it was in a bundle", i)
		}
		if err := compile.Check(back); err != nil {
			t.Fatal(err)
		}
	}
	if t.Logf("%d sets", made); made < sets/2 {
		t.Errorf("only %d of %d sets are whole", made, sets)
	}
}
