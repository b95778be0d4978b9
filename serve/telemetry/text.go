package telemetry

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds, in bytes, what a caller can make a record carry in one field. Names that policies state are shorter.
const maxText = 256

// clip returns a copy of s of at most maxText bytes, cut between characters. What is no UTF-8 becomes U+FFFD.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return strings.Clone(s)
	}
	n := maxText - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// hidden reports whether a reader of a log may not see r as what it is: controls of C0 and C1, bidi and zero-width marks,
// line and paragraph separators, tags, and what no font has.
func hidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// visible writes hidden characters out as \u1234, so that text stays on its line and says what it seems to say. Bytes that
// are no UTF-8 become U+FFFD.
func visible(s string) string {
	clean := true
	for _, r := range s {
		if hidden(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		escape(&b, r)
	}
	return b.String()
}

// escape writes r, as JSON would escape it where it is hidden.
func escape(b *strings.Builder, r rune) {
	switch {
	case !hidden(r):
		b.WriteRune(r)
	case r > 0xFFFF:
		r -= 0x10000
		fmt.Fprintf(b, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// safeLines passes lines on with hidden characters written out. In JSON, where they can only stand in strings, the escapes
// mean the same; slog's text handler has quoted them already. The last newline of what is written stays.
type safeLines struct{ w io.Writer }

// SafeLines makes a writer of log lines that passes no control characters on. Each Write must be one whole line, as
// slog's handlers write.
func SafeLines(w io.Writer) io.Writer { return safeLines{w} }

func (s safeLines) Write(p []byte) (int, error) {
	line := strings.TrimSuffix(string(p), "\n")
	if safe := visible(line); safe != line {
		if _, err := io.WriteString(s.w, safe+"\n"); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return s.w.Write(p)
}
