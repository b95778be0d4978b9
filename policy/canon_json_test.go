package policy

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestCanonicalJSON compares our writer with encoding/json, whose bytes every policy_version rests on.
func TestCanonicalJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<&>", "\u2028", "\x00\x1f\x7f", `"\`, "\xff", "é"}))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case k == 0:
				return nil
			case k == 1:
				return rapid.Bool().Draw(t, "bool")
			case k == 2:
				return rapid.Int().Draw(t, "int")
			case k == 3:
				return rapid.Float64Range(-1e30, 1e30).Draw(t, "float")
			case k == 4:
				return rapid.SliceOf(text).Draw(t, "texts")
			case k == 5:
				return json.RawMessage("1.50")
			case k == 6:
				return rapid.MapOf(text, text).Draw(t, "meta")
			case k == 7 && depth > 0:
				return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list")
			case k == 8 && depth > 0:
				return rapid.MapOfN(text, value(depth-1), 0, 4).Draw(t, "map")
			}
			return text.Draw(t, "text")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		v := value(3).Draw(t, "value")
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got := canonicalJSON(v); string(got)+"\n" != want.String() {
			t.Fatalf("%s, and encoding/json writes %s", got, want.String())
		}
	})
}
