package simulate

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestNames compares the interner with a map, through growth and long names.
func TestNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type name struct{ tenant, session string }
		part := rapid.OneOf(rapid.StringMatching(`[ab]{0,3}`), rapid.String(),
			rapid.Map(rapid.IntRange(0, 3), func(k int) string { return strings.Repeat("x", k*pieceSize/2) }))
		drawn := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) name { return name{part.Draw(t, "tenant"), part.Draw(t, "session")} }), 1, 50).Draw(t, "names")
		for i := range rapid.IntRange(0, 2000).Draw(t, "more") {
			drawn = append(drawn, name{"t", strings.Repeat("y", i%7) + string(rune(i))})
		}
		n, ids := newNames(), map[name]uint32{}
		var list []name
		for _, d := range append(drawn, drawn...) {
			want, seen := ids[d]
			if !seen {
				want = uint32(len(list))
				ids[d] = want
				list = append(list, d)
			}
			if got := n.id(d.tenant, d.session); got != want {
				t.Fatalf("%.40q: id %d, want %d", d, got, want)
			}
		}
		order := slices.Clone(list)
		slices.SortFunc(order, func(a, b name) int {
			return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.session, b.session))
		})
		for id, rank := range n.ranks() {
			if order[rank] != list[id] {
				t.Fatalf("rank %d is %.40q, want %.40q", rank, list[id], order[rank])
			}
		}
	})
}
