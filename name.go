package aegis

import "strings"

// MaxName is the greatest length of a name, in bytes.
const MaxName = 128

// ValidName reports whether s may be the name of a tenant, agent, tool or action of a call: 1 to 128 bytes of
// printable ASCII without space (rule S1). Names compare byte for byte; nothing is folded, trimmed or normalised.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// ValidPolicyName reports whether s may be written as a name in a policy: a letter or digit (or _) first, then letters,
// digits and any of . _ / : - up to 128 bytes.
func ValidPolicyName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
		if !alnum && (i == 0 || !strings.ContainsRune("./:-", rune(c))) {
			return false
		}
	}
	return true
}

// ValidSession reports whether s may name a session: 1 to 512 bytes of UTF-8 text without control characters. (That
// it is UTF-8 the decoder has already seen to.)
func ValidSession(s string) bool {
	if len(s) == 0 || len(s) > 512 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// EscapeName percent-encodes the three bytes that separate the parts of a rule id (/ # %).
func EscapeName(s string) string {
	if !strings.ContainsAny(s, "/#%") {
		return s
	}
	return strings.NewReplacer("%", "%25", "/", "%2F", "#", "%23").Replace(s)
}
