package draft

import (
	"fmt"
	"regexp"
	"strings"
)

// class bits of ASCII letters and digits.
const (
	digits uint8 = 1 << iota
	lowHex
	lowRest
	capHex
	capRest
)

func bitOf(c byte) uint8 {
	switch {
	case '0' <= c && c <= '9':
		return digits
	case 'a' <= c && c <= 'f':
		return lowHex
	case 'g' <= c && c <= 'z':
		return lowRest
	case 'A' <= c && c <= 'F':
		return capHex
	case 'G' <= c && c <= 'Z':
		return capRest
	}
	return 0
}

// classText writes the characters of a class, as between brackets.
func classText(c uint8) string {
	s, hex := "", c&digits != 0 && c&(lowRest|capRest) == 0
	if c&digits != 0 {
		s = "0-9"
	}
	if c&(lowHex|lowRest) != 0 {
		s += upTo("a-", "f", "z", hex)
	}
	if c&(capHex|capRest) != 0 {
		s += upTo("A-", "F", "Z", hex)
	}
	return s
}

func upTo(from, short, long string, hex bool) string {
	if hex {
		return from + short
	}
	return from + long
}

// Bounds on shapes.
const (
	maxFields  = 8
	maxMarks   = 16 // punctuation
	maxLiteral = 8  // letters at the beginning that may be kept
	maxRepeat  = 200
)

// shape is how texts are put together, where all are put together alike: runs of letters and digits, with the same
// punctuation between them. The letters that all begin with are known as well.
type shape struct {
	marks  [maxFields + maxMarks]byte // x for a run, else the punctuation: x-x-x
	n      int                        // of marks
	runs   [maxFields]run
	broken bool
	prefix string // that all of them begin with: letters only
	whole  bool   // the prefix is all letters that each begins with, and something follows in the first run
}

// run is one run of letters and digits.
type run struct {
	least, most int
	class       uint8
	tailLeast   int // of the first run: what follows the letters at its beginning
	tailMost    int
	tail        uint8
}

// shapeOf takes one text apart.
func shapeOf(s string) (sh shape) {
	field, inRun := -1, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		b := bitOf(c)
		if b == 0 {
			if c < ' ' || c > '~' || sh.n == len(sh.marks) {
				return shape{broken: true}
			}
			sh.marks[sh.n] = c
			sh.n, inRun = sh.n+1, false
			continue
		}
		if !inRun {
			if field++; field == maxFields || sh.n == len(sh.marks) {
				return shape{broken: true}
			}
			sh.marks[sh.n] = 'x'
			sh.n, inRun = sh.n+1, true
		}
		r := &sh.runs[field]
		r.least++
		r.most++
		r.class |= b
		if field == 0 {
			sh.first(s, i, b)
		}
	}
	if field < 0 {
		return shape{broken: true}
	}
	sh.prefix = s[:min(len(sh.prefix), maxLiteral+1)]
	sh.whole = sh.marks[0] == 'x' && (sh.runs[0].tailMost > 0 || field > 0)
	return sh
}

// first notes a character of the first run: of its letters at the beginning, or of its tail.
func (sh *shape) first(s string, i int, b uint8) {
	r := &sh.runs[0]
	if r.tailMost == 0 && b != digits && i == len(sh.prefix) {
		sh.prefix = s[:i+1]
		return
	}
	r.tailLeast++
	r.tailMost++
	r.tail |= b
}

// merge makes sh the shape of both, where there is one.
func (sh *shape) merge(o *shape) {
	if sh.broken = sh.broken || o.broken || sh.marks != o.marks; sh.broken {
		return
	}
	if sh.prefix != o.prefix {
		sh.whole = false
	}
	sh.whole = sh.whole && o.whole
	for i := range sh.runs {
		a, b := &sh.runs[i], &o.runs[i]
		a.least, a.most, a.class = min(a.least, b.least), max(a.most, b.most), a.class|b.class
		a.tailLeast, a.tailMost, a.tail = min(a.tailLeast, b.tailLeast), max(a.tailMost, b.tailMost), a.tail|b.tail
	}
}

// pattern writes the shape as RE2; prefix says whether its letters may stand in it.
func (sh *shape) pattern(prefix bool) string {
	var b strings.Builder
	field := 0
	for _, c := range sh.marks[:sh.n] {
		if c != 'x' {
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
			continue
		}
		r := sh.runs[field]
		if field == 0 && prefix {
			b.WriteString(sh.prefix)
			if r.tailMost > 0 {
				b.WriteString("[" + classText(r.tail) + "]" + repeat(r.tailLeast, r.tailMost))
			}
		} else {
			b.WriteString("[" + classText(r.class) + "]" + repeat(r.least, r.most))
		}
		field++
	}
	return b.String()
}

// repeat writes how often a class stands: as often as seen where that is always the same, else up to a bound with
// headroom.
func repeat(least, most int) string {
	switch {
	case least == most && most <= maxRepeat:
		return fmt.Sprintf("{%d}", most)
	case lengthBound(most) > maxRepeat:
		if least == 0 {
			return "*"
		}
		return "+"
	}
	return fmt.Sprintf("{%d,%d}", min(least, 1), lengthBound(most))
}
