package decide

import (
	"errors"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

// Results rewrites what a tool answers to one call, by the sanitizers that say where: [result] and bind that call.
type Results struct {
	sanitizers []*Sanitizer
}

// Results returns what must be done with the answer to a call that goes ahead; nil where that is nothing. The plan must be
// that of the call's names.
func (g *Gate) Results(p *Plan, c *aegis.Call) *Results {
	if len(p.Results) == 0 {
		return nil
	}
	force := g.force(p, c)
	var out Results
	for _, z := range p.Results {
		if force.binds(z.Rule) {
			out.sanitizers = append(out.sanitizers, z)
		}
	}
	if out.sanitizers == nil {
		return nil
	}
	return &out
}

// Errors of results in which nobody can say what would have to be replaced. They must be withheld.
var (
	ErrResultFields = errors.New("the rules name fields of the result, and it is no JSON")
	ErrResultText   = errors.New("the result is not UTF-8")
	ErrResultHolds  = errors.New("what must be replaced in the result cannot be replaced")
)

// JSON returns a JSON text with everything replaced that must be, and otherwise as it came, byte for byte. An error is a
// *aegis.SyntaxError, or ErrResultHolds. limit bounds the text, in bytes.
func (r *Results) JSON(text []byte, limit int) ([]byte, error) {
	doc := new(aegis.Doc)
	if err := doc.Parse(text, min(limit, aegis.GreatestBody)); err != nil {
		return nil, err
	}
	root, found := doc.Root(), false
	for _, z := range r.sanitizers {
		found = found || z.found(root)
	}
	if !found {
		return text, nil
	}
	// What stands around the value is white space.
	start := root.Offset()
	out := append([]byte(nil), text[:start]...)
	out = append(rewriteArgs(out, root, r.sanitizers), text[start+len(root.Text()):]...)
	again := new(aegis.Doc)
	if err := again.Parse(out, 2*aegis.GreatestBody); err != nil {
		return nil, err
	}
	for _, z := range r.sanitizers {
		if z.found(again.Root()) {
			return nil, ErrResultHolds
		}
	}
	return out, nil
}

// Text returns a text that is no JSON with everything replaced that must be. Sanitizers that name fields cannot be applied to
// it; then it is an error.
func (r *Results) Text(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, ErrResultText
	}
	s := string(text)
	for _, z := range r.sanitizers {
		if !z.all {
			return nil, ErrResultFields
		}
		s, _ = z.detector.Replace(s)
	}
	for _, z := range r.sanitizers {
		if z.detector.Found(s) {
			return nil, ErrResultHolds
		}
	}
	if s == string(text) {
		return text, nil
	}
	return []byte(s), nil
}
