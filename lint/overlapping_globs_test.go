package lint

import "testing"

func TestOverlappingGlobs(t *testing.T) {
	checkRule(t, "AEG028", []example{
		{"other arguments", agent(`{name: c, actions: ["u*"], conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), []string{"u* also fits the entry at line 3: its calls must carry x as well"}},
		{"closed", agent(`{name: c, actions: ["u*"], conditions: {args: {x: {max: 5, optional: true}}, other_args: deny}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), []string{"refuses y"}},
		{"optional", agent(`{name: c, actions: ["u*"], conditions: {args: {x: {max: 5, optional: true}}}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), nil},
		{"in common", agent(`{name: c, actions: ["u*"], conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_x: 4, max_y: 5}}`), nil},
		{"a read made a write", agent(`{name: c, actions: ["get_*"], effect: read}`, `{name: c, actions: ["get_pull*"], conditions: {max_x: 5}}`), []string{"get_pull* is to write"}},
		{"a tool", agent(`{name: "fs*", conditions: {max_level: 5}}`, `{name: fs, actions: [read], conditions: {max_size: 5}}`), []string{"fs* also fits"}},
		{"any action", agent(`{name: c, conditions: {max_x: 5}}`, `{name: c, actions: [u1], conditions: {max_y: 5}}`), nil},
	})
}
