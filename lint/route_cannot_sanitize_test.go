package lint

import "testing"

func TestRouteCannotSanitize(t *testing.T) {
	checkRouteRule(t, "AEG084", []routeExample{
		{"ext_authz", "  - {match: POST h.test/a, call: bank, door: ext_authz}\n", "{name: bank, sanitize: [{redact: [email]}]}", []string{"bank is sanitized"}},
		{"ext_proc", "  - {match: POST h.test/a, call: bank, door: ext_proc}\n", "{name: bank, sanitize: [{redact: [email]}]}", nil},
		{"no door", "  - {match: POST h.test/a, call: bank}\n", "{name: bank, sanitize: [{redact: [email]}]}", nil},
		{"nothing to sanitize", "  - {match: POST h.test/a, call: bank, door: ext_authz}\n", "{name: bank}", nil},
	})
}
