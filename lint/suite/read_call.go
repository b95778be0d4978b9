package suite

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// What a call has unless the file says otherwise.
const (
	usualTenant  = "default"
	usualSession = "case"
)

// usualTime is when cases begin: a Monday noon (UTC).
var usualTime = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// draft is a call while it is put together: the envelope's members, and its arguments one by one.
type draft struct {
	members map[string]policy.Node
	args    []argument
	text    policy.Node // args as JSON text, which replaces them
}

type argument struct {
	name  string
	value policy.Node
}

// envelopeKeys are the members of the call envelope, in the order in which they are written.
var envelopeKeys = []string{"tenant", "agent", "tool", "action", "chain", "session", "region", "effect", "time", "approval",
	"dry_run"}

func (d *draft) copy() *draft {
	c := &draft{members: map[string]policy.Node{}, args: slices.Clone(d.args), text: d.text}
	for k, v := range d.members {
		c.members[k] = v
	}
	return c
}

func (f *file) readDefaults(n policy.Node) {
	f.defaults = map[string]policy.Node{}
	var fields []field
	for _, k := range append(slices.Clone(envelopeKeys), "claims", "cost") {
		if k != "time" {
			fields = append(fields, field{k, func(v policy.Node) { f.defaults[k] = v }})
		}
	}
	f.mapping(n, "defaults", append(fields, field{"time", f.readBegin}))
}

// readCalls reads the calls that cases refer to by like. One may be like another that stands before it.
func (f *file) readCalls(n policy.Node) {
	if n.Kind() != aegis.Object {
		f.fail(n, "write {NAME: {tool: …, args: {…}}}", "calls must be a mapping, not %s", n.What())
		return
	}
	for i, k := range n.Keys() {
		if d := f.draft(n.Items()[i]); d != nil {
			f.calls[k.Text()] = d
		}
	}
}

// draft reads the mapping form of a call.
func (f *file) draft(n policy.Node) *draft {
	d := &draft{members: map[string]policy.Node{}}
	for k, v := range f.defaults {
		d.members[k] = v
	}
	var without []policy.Node
	fields := []field{
		{"like", func(v policy.Node) {
			if other := f.calls[f.text(v, "like")]; other != nil {
				d = other.copy()
			} else {
				var known []string
				for name := range f.calls {
					known = append(known, name)
				}
				f.fail(v, policy.DidYouMean(v.Text(), known), "no call is called %.60q (they stand under calls)", v.Text())
			}
		}},
		{"without", func(v policy.Node) { without = f.list(v, "without") }},
		{"args", func(v policy.Node) { f.readArgs(d, v, without) }},
	}
	for _, k := range append(slices.Clone(envelopeKeys), "claims", "cost") {
		fields = append(fields, field{k, func(v policy.Node) { d.members[k] = v }})
	}
	if !f.mapping(n, "the call", fields) {
		return nil
	}
	if n.Get("args").Kind() == aegis.Absent {
		f.drop(d, without)
	}
	return d
}

// readArgs adds arguments; one that is there already is replaced.
func (f *file) readArgs(d *draft, n policy.Node, without []policy.Node) {
	f.drop(d, without)
	switch n.Kind() {
	case aegis.String:
		d.text, d.args = n, nil
	case aegis.Object:
		d.text = policy.Node{}
		for i, k := range n.Keys() {
			v := n.Items()[i]
			at := slices.IndexFunc(d.args, func(a argument) bool { return a.name == k.Text() })
			if at >= 0 {
				d.args[at].value = v
			} else {
				d.args = append(d.args, argument{k.Text(), v})
			}
		}
	default:
		f.fail(n, "", "args must be a mapping, or the text of a JSON object, not %s", n.What())
	}
}

func (f *file) drop(d *draft, without []policy.Node) {
	for _, w := range without {
		n := len(d.args)
		d.args = slices.DeleteFunc(d.args, func(a argument) bool { return a.name == w.Text() })
		if len(d.args) == n {
			f.fail(w, "", "without: the call has no argument %.60q", w.Text())
		}
	}
}

// readCall makes the envelope of a call in mapping form, and reads it with the decoder that every door uses.
func (f *file) readCall(s *step, n policy.Node) {
	d := f.draft(n)
	if d == nil {
		return
	}
	text := []byte(`{"args":`)
	text = append(text, f.argsText(d)...)
	for _, k := range envelopeKeys {
		v, stated := d.members[k]
		usual := map[string]string{"tenant": usualTenant, "session": usualSession}[k]
		switch {
		case stated && v.Kind() == aegis.Null, !stated && usual == "":
			continue
		}
		text = append(aegis.AppendQuoted(append(text, ','), k), ':')
		if stated {
			text = append(text, f.json(v)...)
		} else {
			text = aegis.AppendQuoted(text, usual)
		}
	}
	s.decode(append(text, '}'))
	s.timed = given(d.members["time"])
	if s.call != nil {
		f.beside(s.call, d)
	}
}

// beside reads what a call has beside its envelope: claims of its token, and the cost that its client reports.
func (f *file) beside(c *aegis.Call, d *draft) {
	if v := d.members["claims"]; given(v) && v.Kind() != aegis.Null {
		doc, err := aegis.Parse(f.json(v))
		if err != nil || doc.Root().Kind() != aegis.Object {
			f.fail(v, "", "claims must be a mapping, not %s", v.What())
			return
		}
		c.Claims = doc.Root()
	}
	if v := d.members["cost"]; given(v) && v.Kind() != aegis.Null {
		c.Cost, c.HasCost = f.dollars(v, "cost"), true
	}
}

func (f *file) argsText(d *draft) []byte {
	if given(d.text) {
		return []byte(d.text.Text())
	}
	text := []byte{'{'}
	for i, a := range d.args {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(aegis.AppendQuoted(text, a.name), ':')
		text = append(text, f.json(a.value)...)
	}
	return append(text, '}')
}

func given(n policy.Node) bool { return n.Pos() != policy.Pos{} }

// json writes a value of the file as JSON; numbers stay as they are written.
func (f *file) json(n policy.Node) []byte {
	switch n.Kind() {
	case aegis.String:
		return aegis.AppendQuoted(nil, n.Text())
	case aegis.Null:
		return []byte("null")
	case aegis.Bool, aegis.Number:
		return []byte(n.Text())
	case aegis.List, aegis.Object:
		open, end := byte('['), byte(']')
		if n.Kind() == aegis.Object {
			open, end = '{', '}'
		}
		text := []byte{open}
		for i, m := range n.Items() {
			if i > 0 {
				text = append(text, ',')
			}
			if n.Kind() == aegis.Object {
				text = append(aegis.AppendQuoted(text, n.Keys()[i].Text()), ':')
			}
			text = append(text, f.json(m)...)
		}
		return append(text, end)
	}
	f.fail(n, "put it into quotes, or write it as JSON does", "%s may be read in several ways", n.What())
	return []byte("null")
}

// dollars reads $0.02, in millionths.
func (f *file) dollars(n policy.Node, what string) int64 {
	s, money := strings.CutPrefix(n.Text(), "$")
	num, ok := aegis.ParseNum([]byte(s))
	micro, exact := num.Micro()
	if !money || !ok || !exact || micro < 0 {
		f.fail(n, "write an amount such as $0.02", "%s must be an amount in $ with at most 6 decimals, not %s", what, n.What())
		return 0
	}
	return micro
}

// rawBytes reads a call whose text is given in base64, since it is no text.
func (f *file) rawBytes(s *step, n policy.Node) {
	raw, err := base64.StdEncoding.DecodeString(f.text(n, "bytes"))
	if err != nil {
		f.fail(n, "", "bytes must be base64")
		return
	}
	s.decode(raw)
}

func (s *step) decode(text []byte) {
	if s.call, s.bad = aegis.DecodeCall(text); s.bad != nil {
		s.call = nil
		return
	}
	s.timed = s.call.HasTime
}

// readBegin reads when the cases of a file begin.
func (f *file) readBegin(v policy.Node) {
	t, err := time.Parse(time.RFC3339Nano, v.Text())
	if err != nil {
		f.fail(v, `write "2026-03-01T12:00:00Z"`, "time must be an RFC 3339 time with a zone, not %s", v.What())
		return
	}
	f.begin = t.UnixMicro()
}
