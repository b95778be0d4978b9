// Package redact finds personal data and credentials in text and replaces them by their kind in brackets.
//
// Its promise: a Detector changes nothing but its hits, and what Replace returns holds no further hit (Found is false).
// Numbers are matched as a reader sees them: any Unicode decimal digit counts as its ASCII twin, characters without
// width are passed over, and typographic spaces and dashes count as separators. Where a number has a check digit, it
// must be right; where it has none and looks like any other number, a cue word must stand near it. The running time is
// linear in the text for every input, and Found allocates nothing on clean text.
//
// Its limits: it decodes nothing. Percent-encoding, HTML entities, escapes, base64, digits spelled in words or spread
// over several strings are the caller's to undo or to refuse. Names and postal addresses are not looked for; nor is a
// secret that neither has a known prefix nor follows "password=" and the like. The fraction of a decimal number is not
// taken for a card. A check digit is no proof: one order number in ten passes.
package redact

import (
	"fmt"
	"slices"
	"strings"
)

// Kind names what a Detector looks for.
type Kind string

// The kinds, in the order in which they win where two could match at one place.
const (
	Secret     Kind = "secret"      // access keys, tokens, private keys, and values after password= and the like
	IBAN       Kind = "iban"        // country, length and both check digits are right
	CreditCard Kind = "credit_card" // 13 to 19 digits of a known issuer range, Luhn
	SSN        Kind = "ssn"         // US social security number
	DOB        Kind = "dob"         // a date beside a word such as "born"
	HealthID   Kind = "health_id"   // MRN, NHS number, German KVNR, Medicare MBI
	Email      Kind = "email"       // addresses with a dotted domain or an address literal
	Phone      Kind = "phone"       // +E.164, and national formats with separators
)

// kindSet has bit i set for the i-th kind of order.
type kindSet uint8

const (
	kSecret kindSet = 1 << iota
	kIBAN
	kCard
	kSSN
	kDOB
	kHealth
	kEmail
	kPhone
)

var order = [...]Kind{Secret, IBAN, CreditCard, SSN, DOB, HealthID, Email, Phone}

// Kinds returns all kinds, sorted by name.
func Kinds() []Kind {
	ks := slices.Clone(order[:])
	slices.Sort(ks)
	return ks
}

// maxPasses bounds how often Replace looks again at what it wrote. Ordinary text needs one look to replace and one to
// see that nothing is left; more are needed only where a hit uncovers another.
const maxPasses = 8

// A Detector finds and replaces either some kinds or one custom pattern. It is immutable and safe for concurrent use.
type Detector struct {
	kinds   kindSet
	trigger [256]trigger
	custom  *custom
}

// New returns a Detector of the given kinds, at least one.
func New(kinds ...Kind) (*Detector, error) {
	if len(kinds) == 0 {
		return nil, fmt.Errorf("redact: no kind given; the kinds are %s", legalKinds())
	}
	d := &Detector{}
	for _, k := range kinds {
		i := slices.Index(order[:], k)
		if i < 0 {
			return nil, fmt.Errorf("redact: unknown kind %q; the kinds are %s", string(k), legalKinds())
		}
		d.kinds |= 1 << i
	}
	d.trigger = triggersOf(d.kinds)
	return d, nil
}

func legalKinds() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// Found reports whether text holds a hit. It allocates nothing.
func (d *Detector) Found(text string) bool {
	if d.custom != nil {
		return d.custom.re.MatchString(text)
	}
	s := scanner{text: text, det: d}
	_, ok := s.next()
	return ok
}

// Replace returns text with every hit replaced, and how many hits there were. A text so built that its replacements
// keep uncovering hits is replaced as a whole.
func (d *Detector) Replace(text string) (string, int) {
	total := 0
	for range maxPasses {
		out, n := d.pass(text)
		if n == 0 {
			return text, total
		}
		text, total = out, total+n
	}
	if !d.Found(text) {
		return text, total
	}
	if d.custom != nil {
		return d.custom.replace, total + 1
	}
	s := scanner{text: text, det: d}
	h, _ := s.next()
	return token(h.kind), total + 1
}

// pass replaces the hits that one scan of text finds.
func (d *Detector) pass(text string) (string, int) {
	if d.custom != nil {
		return d.custom.pass(text)
	}
	s := scanner{text: text, det: d}
	hits := s.all()
	if len(hits) == 0 {
		return text, 0
	}
	var b strings.Builder
	b.Grow(len(text))
	at := 0
	for _, h := range hits {
		b.WriteString(text[at:h.start])
		b.WriteString(token(h.kind))
		at = h.end
	}
	b.WriteString(text[at:])
	return b.String(), len(hits)
}

// tokens holds what stands for a hit, by place in order: [SECRET], [IBAN] and so on.
var tokens = func() (t [len(order)]string) {
	for i, k := range order {
		t[i] = "[" + strings.ToUpper(string(k)) + "]"
	}
	return t
}()
