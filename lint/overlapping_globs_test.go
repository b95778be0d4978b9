package lint

import "testing"

func TestOverlappingGlobs(t *testing.T) {
	checkRule(t, "AEG028", []example{
		{"other arguments", agent(`{name: c, actions: ["u*"], conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), []string{"its calls must carry x as well"}},
		{"closed", agent(`{name: c, actions: ["u*"], conditions: {args: {x: {max: 5, optional: true}}, other_args: deny}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), []string{"refuses y"}},
		{"optional", agent(`{name: c, actions: ["u*"], conditions: {args: {x: {max: 5, optional: true}}}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), nil},
		{"in common", agent(`{name: c, actions: ["u*"], conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_x: 4, max_y: 5}}`), nil},
		{"any action", agent(`{name: c, conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), nil},
	})
}
