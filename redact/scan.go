package redact

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// hit is text[start:end] of one kind.
type hit struct {
	start, end int
	kind       kindSet
}

func token(k kindSet) string { return tokens[bits.TrailingZeros8(uint8(k))] }

// trigger says what to try at a byte; most bytes of clean text have none, which is what makes the scan fast.
type trigger uint8

const (
	tNone   trigger = iota
	tDigit          // an ASCII digit
	tWide           // may begin a Unicode digit or a fullwidth @
	tAt             // @
	tSecret         // a byte that every secret of some family holds
)

// secretBytes are the rarest bytes of the families of secrets: AKIA, ASIA, eyJ, xox, ghp_ and the like, -----BEGIN, and
// the sign between a name and its value.
const secretBytes = "KSJx_-=:"

func triggersOf(kinds kindSet) (t [256]trigger) {
	if kinds&kSecret != 0 {
		for i := range len(secretBytes) {
			t[secretBytes[i]] = tSecret
		}
	}
	if kinds&kEmail != 0 {
		t['@'] = tAt
		t[0xEF] = tWide
	}
	if kinds&^(kSecret|kEmail) == 0 {
		return t
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = tDigit
	}
	var b [utf8.UTFMax]byte
	mark := func(lo, hi rune) {
		for r := lo; r <= hi; r++ {
			if r >= utf8.RuneSelf {
				utf8.EncodeRune(b[:], r)
				t[b[0]] = tWide
			}
		}
	}
	for _, r := range unicode.Nd.R16 {
		mark(rune(r.Lo), rune(r.Hi))
	}
	for _, r := range unicode.Nd.R32 {
		mark(rune(r.Lo), rune(r.Hi))
	}
	return t
}

// scanner walks over one text. It lives on the stack: nothing in it may escape.
type scanner struct {
	text  string
	det   *Detector
	pos   int // where to look next
	floor int // the end of the last hit; what precedes it is no longer there to be read
	last  kindSet
	num   number
}

func (s *scanner) on(k kindSet) bool { return s.det.kinds&k != 0 }

// next returns the next hit and moves past it. Only an e-mail address may begin before the end of the hit before.
func (s *scanner) next() (hit, bool) {
	for s.pos < len(s.text) {
		i := s.pos
		var h hit
		var ok bool
		switch s.det.trigger[s.text[i]] {
		case tNone:
			s.pos = s.skip(i + 1)
			continue
		case tDigit:
			h, ok = s.numbers(i)
		case tWide:
			h, ok = s.wide(i)
		case tAt:
			s.pos++
			h, ok = s.email(i, i+1)
		case tSecret:
			s.pos++
			h, ok = s.secret(i)
		}
		if ok {
			s.pos, s.floor, s.last = h.end, h.end, h.kind
			return h, true
		}
	}
	return hit{}, false
}

// skip returns the place of the next byte with a trigger, from i on.
func (s *scanner) skip(i int) int {
	text, t := s.text, &s.det.trigger
	for i < len(text) && t[text[i]] == tNone {
		i++
	}
	return i
}

// wide handles a byte that may begin a Unicode digit or the fullwidth @.
func (s *scanner) wide(i int) (hit, bool) {
	r, n := utf8.DecodeRuneInString(s.text[i:])
	if r == '＠' && s.on(kEmail) {
		s.pos += n
		return s.email(i, i+n)
	}
	if digitValue(r) >= 0 && s.det.kinds&^(kSecret|kEmail) != 0 {
		return s.numbers(i)
	}
	s.pos += n
	return hit{}, false
}

// all returns all hits, in order and apart. An address swallows the numbers found inside it.
func (s *scanner) all() []hit {
	var hits []hit
	for {
		h, ok := s.next()
		if !ok {
			return hits
		}
		for n := len(hits); n > 0 && hits[n-1].end > h.start; n = len(hits) {
			h.start = min(h.start, hits[n-1].start)
			hits = hits[:n-1]
		}
		hits = append(hits, h)
	}
}
