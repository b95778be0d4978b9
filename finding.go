package aegis

import "fmt"

// Severity says how bad a finding is. An info is advice; a warning or an error fails the check.
type Severity uint8

// The severities of findings, mildest first.
const (
	SeverityInfo Severity = iota
	SeverityWarning
	SeverityError
)

var severityNames = [...]string{"info", "warning", "error"}

// String returns "info", "warning" or "error".
func (s Severity) String() string { return severityNames[s] }

// Fails reports whether a finding of that severity fails the check it came from.
func (s Severity) Fails() bool { return s >= SeverityWarning }

// MarshalText returns String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q", b)
}

// Finding is one thing that a check of a policy has to say.
type Finding struct {
	ID       string   `json:"id"` // of the check: AEG and three digits
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`          // what is wrong, in lower case
	Hint     string   `json:"hint,omitempty"`   // the remedy
	Source   string   `json:"source,omitempty"` // file:line:column; "" where no place can be named
	Rule     string   `json:"rule,omitempty"`   // id of the policy's rule, where the finding is about one
}

// String returns "file:line:column: severity ID: message (hint)".
func (f Finding) String() string {
	s := fmt.Sprintf("%s %s: %s", f.Severity, f.ID, f.Message)
	if f.Source != "" {
		s = f.Source + ": " + s
	}
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}
