package sign

import (
	"os"
	"testing"
	"time"

	"github.com/aegisctl/aegis/bundle"
)

// Live is a recipe's bundle, for the tests that put it before a running server.
type Live struct {
	ID       string
	Archive  []byte
	Detached []byte // nil: none lies beside it
	Code     Code   // of the refusal; "": accepted
}

// LiveRecipes makes the recipes' bundles of archives that a server can load. Acme's good one has serial 8, the one before 7.
func LiveRecipes(t *testing.T, archive func(t testing.TB, tenant string, serial int64, digit string) *bundle.Archive) (all []Live, good, previous []byte, key, retired *PrivateKey) {
	w := newRecipes(t, archive)
	for _, r := range w.recipes {
		if r.live() {
			continue
		}
		if r.heavy() && os.Getenv("AEGIS_LONG") == "" {
			r.Ops[0].Bytes /= 8
			r.Ops[0].Count /= 32
		}
		l := Live{ID: r.ID, Archive: w.apply(t, r), Code: want[r.ID].code}
		if r.ID == "bn-nosig" {
			l.Detached = w.signed.Detached[0]
		}
		all = append(all, l)
	}
	return all, w.signed.Archive, w.others["bundle_prev_signed.tar.gz"], w.key, w.retired
}

// Now is the moment at which the recipes' bundles were signed.
func Now() time.Time { return now }
