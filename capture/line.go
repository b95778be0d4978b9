package capture

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aegisctl/aegis"
)

// lineParser reads captured calls from JSON. It reuses its memory; what it returns shares that of the line.
type lineParser struct {
	tenant  string
	doc     aegis.Doc
	rounded bool
	unknown []string
}

// parse turns lines into rows, and notes which are none.
func (p *lineParser) parse(l *lines) {
	begin := 0
	for i, end := range l.ends {
		bad := func(err error) { l.bad = append(l.bad, BadLine{Line: l.first + int64(i), Reason: err.Error()}) }
		if end < 0 {
			bad(errLongLine)
			continue
		}
		text := bytes.TrimRight(l.text[begin:end], "\r\n")
		begin = end
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		p.rounded, p.unknown = false, p.unknown[:0]
		row, err := p.line(text)
		if err != nil {
			bad(err)
			continue
		}
		l.rows = append(l.rows, row)
		if p.rounded {
			l.rounded++
		}
		l.unknown = append(l.unknown, p.unknown...)
	}
}

// line reads one call.
func (p *lineParser) line(text []byte) (r Row, err error) {
	if err := p.doc.Parse(text, maxLine); err != nil {
		return r, err
	}
	root := p.doc.Root()
	if root.Kind() != aegis.Object {
		return r, errors.New("the line is not a JSON object")
	}
	var args aegis.Value
	for m := root.First(); m.Kind() != aegis.Absent; m = root.After(m) {
		if m.KeyIs("args") {
			args = m
		}
		if m.Kind() == aegis.Null && known[m.Key()] {
			continue // null is absent
		}
		if err := p.member(&r, m); err != nil {
			return r, fmt.Errorf("%s: %w", m.Key(), err)
		}
	}
	if len(root.Variants()) > len(args.Variants()) {
		// Arguments may have keys that differ in case only, some policies permit it; nothing else may.
		return r, p.doc.CaseVariants()
	}
	if r.Tenant == "" {
		r.Tenant = p.tenant
	}
	if r.Coverage == "" {
		switch {
		case r.Args == nil:
			r.Coverage = CoverageAbsent.String()
		case r.Labels["args_truncated"] == "true":
			r.Coverage = CoverageRedacted.String()
		}
	}
	if n := len(r.Chain); n > 0 && r.Chain[n-1] == r.Agent {
		r.Chain = r.Chain[:n-1]
	}
	if why := r.Check(); why != Accepted {
		return r, errors.New(why.String())
	}
	return r, nil
}

// known are the members of a line.
var known = func() map[string]bool {
	m := map[string]bool{"source": true, "model": true, "call_id": true, "parent": true}
	for i := range specs {
		m[specs[i].name] = true
	}
	return m
}()

var errNotText = errors.New("it must be a string or null")

func (p *lineParser) member(r *Row, m aegis.Value) error {
	switch key := m.Key(); key {
	case "time":
		return r.setTime(m)
	case "seq":
		n, ok := m.Num()
		if !ok || !n.IsInt() {
			return errors.New("it must be an integer or null")
		}
		r.Seq, r.HasSeq = n.Int64(), true
	case "chain":
		return r.setChain(m)
	case "args":
		if m.Kind() != aegis.Object {
			return errors.New("it must be an object or null")
		}
		r.Args = m.Text()
	case "estimated_cost":
		return p.cost(r, m)
	case "labels", "parent":
		return r.setLabels(m)
	case "source", "model", "call_id":
		return r.label(key, m)
	default:
		field := r.textField(key)
		if field == nil {
			p.unknown = append(p.unknown, fmt.Sprintf("%.80s", key))
			return nil
		}
		if m.Kind() != aegis.String {
			return errNotText
		}
		*field = m.Str()
	}
	return nil
}

func (r *Row) textField(key string) *string {
	switch key {
	case "tenant":
		return &r.Tenant
	case "session":
		return &r.Session
	case "agent":
		return &r.Agent
	case "tool":
		return &r.Tool
	case "action":
		return &r.Action
	case "effect":
		return &r.Effect
	case "region":
		return &r.Region
	case "recorded_decision":
		return &r.RecordedDecision
	case "recorded_policy_version":
		return &r.RecordedPolicyVersion
	case "outcome":
		return &r.Outcome
	case "coverage":
		return &r.Coverage
	}
	return nil
}

func (r *Row) setTime(m aegis.Value) error {
	if m.Kind() == aegis.String {
		if t, err := time.Parse(time.RFC3339Nano, m.Str()); err == nil {
			r.TimeMicros, r.HasTime = t.UnixMicro(), true
			return nil
		}
	}
	return errors.New("it must be an RFC 3339 time with a zone, like 2026-03-01T12:00:00Z, or null")
}

func (r *Row) setChain(m aegis.Value) error {
	if m.Kind() != aegis.List {
		return errors.New("it must be a list of names or null")
	}
	r.Chain = make([]string, 0, m.Len())
	for e := m.First(); e.Kind() != aegis.Absent; e = m.After(e) {
		if e.Kind() != aegis.String {
			return errors.New("it must be a list of names or null")
		}
		r.Chain = append(r.Chain, e.Str())
	}
	// The agent itself as the last element is dropped later, hence one more than aegis.MaxChain here.
	if len(r.Chain) > aegis.MaxChain+1 {
		return errors.New(RejectChain.String())
	}
	return nil
}

// cost reads dollars. Estimates come out of floating-point arithmetic; digits beyond a millionth are rounded, and the
// caller is told.
func (p *lineParser) cost(r *Row, m aegis.Value) error {
	if m.Kind() != aegis.Number {
		return errors.New("it must be a number of US dollars or null")
	}
	if n, ok := m.Num(); ok {
		if r.CostMicro, r.HasCost = n.Micro(); r.HasCost {
			return nil
		}
	}
	f, err := strconv.ParseFloat(string(m.Text()), 64)
	if f = math.Round(f * 1e6); err != nil || !(f > -maxCost && f < maxCost) {
		return errors.New(RejectCost.String())
	}
	r.CostMicro, r.HasCost, p.rounded = int64(f), true, true
	return nil
}

// setLabels reads the members of labels, or of parent, which names the call that started this session.
func (r *Row) setLabels(m aegis.Value) error {
	if m.Kind() != aegis.Object {
		return errors.New("it must be an object or null")
	}
	parent := m.KeyIs("parent")
	for e := m.First(); e.Kind() != aegis.Absent; e = m.After(e) {
		if e.Kind() == aegis.Null {
			continue
		}
		key := e.Key()
		if parent {
			switch key {
			case "tool_use_id", "call_id", "call":
				key = "parent_call"
			default:
				key = "parent_" + key
			}
		}
		if err := r.label(key, e); err != nil {
			return err
		}
	}
	return nil
}

// label sets a label to the value's text: a string's meaning, anything else as JSON.
func (r *Row) label(key string, v aegis.Value) error {
	text := v.Str()
	if v.Kind() != aegis.String {
		text = string(v.Text())
	}
	if old, twice := r.Labels[key]; twice && old != text {
		return fmt.Errorf("label %.80q is stated twice, with different values", key)
	}
	if r.Labels == nil {
		r.Labels = make(map[string]string, 16)
	}
	r.Labels[key] = text
	return nil
}
