package lint

import "testing"

func TestTimeSlip(t *testing.T) {
	checkRule(t, "AEG041", []example{
		{"24", pay(`deny_if: 'n > 1 || time.hour("UTC") >= 24'`), []string{"the same at any time"}},
		{"in a list", pay(`deny_if: 'time.weekday("UTC") in [6, 7]'`), []string{"time.weekday is never 7"}},
		{"milliseconds", pay(`deny_if: time.unix > 1767225600000`), []string{"the same at any time"}},
		{"turned round", pay(`deny_if: 'n > 1 || 24 <= time.hour("UTC")'`), []string{"the same"}},
		{"office hours", pay(`deny_if: 'time.hour("UTC") < 8 || time.hour("UTC") >= 18'`), nil},
		{"between hours", pay(`deny_if: 'time.hour("UTC") > 8.5'`), nil},
		{"seconds", pay(`deny_if: time.unix > 1767225600`), nil},
	})
}
