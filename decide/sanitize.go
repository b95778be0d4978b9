package decide

import (
	"fmt"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/redact"
)

// Sanitizer is one item of a policy's sanitize, ready to search and rewrite arguments.
type Sanitizer struct {
	*policy.Sanitizer
	detector *redact.Detector
	all      bool // every string, whatever its place
}

func newSanitizer(p *policy.Sanitizer) *Sanitizer {
	var d *redact.Detector
	var err error
	if p.Redact != nil {
		kinds := make([]redact.Kind, len(p.Redact))
		for i, k := range p.Redact {
			kinds[i] = redact.Kind(k)
		}
		d, err = redact.New(kinds...)
	} else {
		d, err = redact.Match(p.Match, p.Replace)
	}
	if err != nil {
		panic(fmt.Sprintf("sanitizer %d was checked at load: %v", p.Rule, err))
	}
	z := &Sanitizer{Sanitizer: p, detector: d}
	for _, f := range p.Fields {
		z.all = z.all || len(f) == 1 && f[0] == "**"
	}
	return z
}

// fieldSet is which of a sanitizer's field patterns may still match below the current place, and how far each has
// matched: bit j of element i stands for the first j segments of pattern i.
type fieldSet []uint64

func (z *Sanitizer) start() fieldSet {
	fs := make(fieldSet, len(z.Fields))
	for i := range fs {
		fs[i] = z.closure(i, 1)
	}
	return fs
}

// closure lets ** stand for no level at all.
func (z *Sanitizer) closure(i int, states uint64) uint64 {
	for j, seg := range z.Fields[i] {
		if seg == "**" && states&(1<<j) != 0 {
			states |= 1 << (j + 1)
		}
	}
	return states
}

// step follows one member. An element of a list may count as a level of its own (`tags.*`) or as its list (`tags`).
func (z *Sanitizer) step(fs fieldSet, key string, element bool) fieldSet {
	out := make(fieldSet, len(fs))
	for i, pattern := range z.Fields {
		var next uint64
		if element {
			next = fs[i]
		}
		for j, seg := range pattern {
			if fs[i]&(1<<j) == 0 {
				continue
			}
			switch {
			case seg == "**":
				next |= 1 << j
			case seg == "*" || !element && seg == key:
				next |= 1 << (j + 1)
			}
		}
		out[i] = z.closure(i, next)
	}
	return out
}

func (z *Sanitizer) selects(fs fieldSet) bool {
	for i, pattern := range z.Fields {
		if fs[i]&(1<<len(pattern)) != 0 {
			return true
		}
	}
	return false
}

// found reports whether the sanitizer would change anything in v.
func (z *Sanitizer) found(v aegis.Value) bool {
	if v.Kind() < aegis.String {
		return false
	}
	if z.all {
		return z.foundAny(v)
	}
	return z.search(v, z.start())
}

func (z *Sanitizer) foundAny(v aegis.Value) bool {
	if v.Kind() == aegis.String {
		return z.detector.Found(v.Str())
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		if m.Kind() >= aegis.String && z.foundAny(m) {
			return true
		}
	}
	return false
}

func (z *Sanitizer) search(v aegis.Value, fs fieldSet) bool {
	switch v.Kind() {
	case aegis.String:
		return z.selects(fs) && z.detector.Found(v.Str())
	case aegis.List, aegis.Object:
		list := v.Kind() == aegis.List
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			key := ""
			if !list {
				key = m.Key()
			}
			if m.Kind() >= aegis.String && z.search(m, z.step(fs, key, list)) {
				return true
			}
		}
	}
	return false
}

// detected lists the plan's sanitizers that would change the call's arguments.
func (s *Scratch) detected(p *Plan, args aegis.Value) []policy.RuleID {
	s.detect = s.detect[:0]
	for _, z := range p.Sanitizers {
		if z.found(args) {
			s.detect = append(s.detect, z.Rule)
		}
	}
	return s.detect
}

// rewriteArgs applies sanitizers to the arguments and returns the new text. What none of them touches stays as it was,
// byte for byte.
func rewriteArgs(dst []byte, args aegis.Value, zs []*Sanitizer) []byte {
	sets := make([]fieldSet, len(zs))
	for i, z := range zs {
		sets[i] = z.start()
	}
	base := args.Offset()
	text, copied := args.Text(), 0
	var visit func(v aegis.Value, sets []fieldSet)
	visit = func(v aegis.Value, sets []fieldSet) {
		if v.Kind() == aegis.String {
			str, hits := v.Str(), 0
			for i, z := range zs {
				if z.selects(sets[i]) {
					var n int
					str, n = z.detector.Replace(str)
					hits += n
				}
			}
			if hits > 0 {
				at := v.Offset() - base
				dst = append(dst, text[copied:at]...)
				dst = aegis.AppendQuoted(dst, str)
				copied = at + len(v.Text())
			}
			return
		}
		list := v.Kind() == aegis.List
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			if m.Kind() < aegis.String {
				continue
			}
			key := ""
			if !list {
				key = m.Key()
			}
			below := make([]fieldSet, len(sets))
			for i, z := range zs {
				below[i] = z.step(sets[i], key, list)
			}
			visit(m, below)
		}
	}
	visit(args, sets)
	return append(dst, text[copied:]...)
}
