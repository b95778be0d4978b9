package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// readRego reads the policy's own Rego. A module is checked as CheckCustom says.
func readRego(r *reader, s *statement, _, n *node) {
	for i, m := range r.members(n, "rego") {
		name, ok := r.text(m, "rego")
		if !ok {
			continue
		}
		src := r.below(m, name)
		if src == nil {
			continue
		}
		if err := src.check(true); err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		if err := CheckCustom(src.name, string(src.text)); err != nil {
			r.regoErrors(src, err)
			continue
		}
		c := &Custom{File: name, Source: string(src.text)}
		// What compile will do with the module, so that it cannot fail there.
		if _, err := (&Set{Policies: []*Policy{{Custom: []*Custom{c}}}}).CustomRego(); err != nil {
			r.fail(m.pos, "", "rego: %v", err)
			continue
		}
		r.rule(&c.Rule, indexed("rego", i), m.pos)
		s.customs = append(s.customs, c)
	}
}

// regoErrors reports what is wrong with a module in its place: OPA's parser and compiler name many, our checks one.
func (l *loader) regoErrors(s *source, err error) {
	if es, ok := errors.AsType[ast.Errors](err); ok {
		for _, e := range es {
			pos := Pos{s.name, 1, 1}
			if e.Location != nil && e.Location.Row > 0 {
				pos.Line, pos.Col = e.Location.Row, max(e.Location.Col, 1)
			}
			hint := ""
			if strings.HasPrefix(e.Message, "undefined function") {
				hint = "a module may call functions of their arguments only: no network, clock, environment or randomness"
			}
			l.fail(pos, hint, "rego: %s", strings.TrimPrefix(e.Message, "rego_"))
		}
		return
	}
	pos, msg := Pos{s.name, 1, 1}, err.Error()
	if rest, ok := strings.CutPrefix(msg, s.name+":"); ok {
		var line, col int
		if _, err := fmt.Sscanf(rest, "%d:%d: ", &line, &col); err == nil {
			pos.Line, pos.Col = line, col
			_, msg, _ = strings.Cut(rest, ": ")
		}
	}
	l.fail(pos, "", "rego: %s", msg)
}
