package lint

import "testing"

func TestSlip(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{
		{"amount", "ammount", true}, {"amount", "amuont", true}, {"amount", "amonut", true}, {"amount", "amoutn", true},
		{"currency", "curency", true}, {"recipient", "recepient", true}, {"recipient", "recipeint", true},
		{"quantity", "qantitty", true}, {"user_id", "userId", true}, {"user_id", "userid", true}, {"path", "ptah", true},
		{"max_amount", "max_ammount", true}, {"from_account", "from_acount", true},
		{"date", "data", false}, {"host", "port", false}, {"payer", "payee", false}, {"mode", "model", false},
		{"quantity", "quality", false}, {"sender", "vendor", false}, {"start", "state", false}, {"start_date", "end_date", false},
		{"from_account", "to_account", false}, {"item", "items", false}, {"to", "cc", false}, {"id", "ids", false},
		{"created_at", "updated_at", false}, {"line1", "line2", false}, {"form", "from", false}, {"lower", "lover", true},
		{"größe", "grösse", false}, {"a_b", "a_b_c", false}, {"min_price", "max_price", false}, {"", "x", false},
	} {
		if slip(x.a, x.b) != x.want || slip(x.b, x.a) != x.want {
			t.Errorf("slip(%s, %s) is %t", x.a, x.b, !x.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"amount", "ammount", 1}} {
		if got := edits(x.a, x.b); got != x.want || edits(x.b, x.a) != x.want {
			t.Errorf("edits(%s, %s) = %d, want %d", x.a, x.b, got, x.want)
		}
	}
}
