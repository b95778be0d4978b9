package simulate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/redact"
)

// changeGroup is the calls that changed alike.
type changeGroup struct {
	calls   int64
	example *sample
}

// sample is one call of a group, as captured.
type sample struct {
	lacks   bool // the capture does not hold the arguments
	members int  // of the arguments
	args    []byte

	combo   combo
	session string
	seq     int64
	hasSeq  bool
	chain   []string
	region  string
	time    int64
	hasTime bool
}

// compare orders samples by how little there is to read: the fewest arguments, then the shortest. What is left is
// settled by everything else that is shown, so that the choice does not depend on who counted what first.
func (s *sample) compare(o *sample) int {
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(flag(s.lacks)-flag(o.lacks), s.members-o.members, len(s.args)-len(o.args), bytes.Compare(s.args, o.args),
		strings.Compare(s.combo.tenant, o.combo.tenant), strings.Compare(s.session, o.session), flag(s.hasSeq)-flag(o.hasSeq),
		cmp.Compare(s.seq, o.seq), strings.Compare(s.combo.agent, o.combo.agent), strings.Compare(s.combo.tool, o.combo.tool),
		strings.Compare(s.combo.action, o.combo.action), flag(o.hasTime)-flag(s.hasTime), cmp.Compare(s.time, o.time),
		slices.Compare(s.chain, o.chain), strings.Compare(s.region, o.region))
}

// offer makes a call the group's example if it is smaller than the one so far.
func (g *changeGroup) offer(l *lane, e *resolved, i int, call *aegis.Call) {
	b := l.batch
	s := sample{lacks: b.Coverage[i] != capture.CoverageFull, members: call.Args.Len(), combo: e.combo}
	if !s.lacks {
		s.args = b.ArgsData[b.ArgsStart[i]:b.ArgsEnd[i]]
	}
	if o := g.example; o != nil && !s.lacks && cmp.Or(s.members-o.members, len(s.args)-len(o.args)) > 0 && !o.lacks {
		return // as nearly all are
	}
	s.session, s.region, s.chain, s.time, s.hasTime = call.Session, call.Region, call.Chain, call.Time, call.HasTime
	if !b.SeqNull[i] {
		s.seq, s.hasSeq = b.Seq[i], true
	}
	if g.example != nil && s.compare(g.example) >= 0 {
		return
	}
	s.args, s.session, s.region = bytes.Clone(s.args), strings.Clone(s.session), strings.Clone(s.region)
	s.chain = slices.Clone(s.chain)
	for j := range s.chain {
		s.chain[j] = strings.Clone(s.chain[j])
	}
	g.example = &s
}

// Example is one call of a group of changes. Of its arguments it holds those that the deciding rules read, with
// personal data and credentials replaced by their kind: reports are passed round.
type Example struct {
	Group     int            `json:"group"` // index into groups
	Change    Kind           `json:"change"`
	Tenant    string         `json:"tenant"`
	Session   string         `json:"session,omitempty"`
	Seq       *int64         `json:"seq,omitempty"`
	Time      string         `json:"time,omitempty"`
	Agent     string         `json:"agent"`
	Chain     []string       `json:"chain,omitempty"`
	Region    string         `json:"region,omitempty"`
	Tool      string         `json:"tool"`
	Action    string         `json:"action,omitempty"`
	Args      *aegis.RawJSON `json:"args,omitempty"` // absent where the capture does not hold them
	OtherArgs int            `json:"other_args"`     // how many are not shown
	Old       Side           `json:"old"`
	New       Side           `json:"new"`
}

// exampler makes examples from samples.
type exampler struct {
	detector *redact.Detector
}

func newExampler() (*exampler, error) {
	d, err := redact.New(redact.Kinds()...)
	return &exampler{d}, err
}

func (x *exampler) example(s *sample, g *ChangeGroup, shown func(args aegis.Value) []string) Example {
	out := Example{Change: g.Change, Tenant: s.combo.tenant, Session: s.session, Agent: s.combo.agent, Chain: s.chain,
		Region: s.region, Tool: s.combo.tool, Action: s.combo.action, Old: g.Old, New: g.New}
	if s.hasSeq {
		out.Seq = &s.seq
	}
	if s.hasTime {
		out.Time = time.UnixMicro(s.time).UTC().Format(time.RFC3339Nano)
	}
	var doc aegis.Doc
	if s.lacks || doc.Parse(s.args, aegis.MaxBody) != nil {
		return out
	}
	args := doc.Root()
	names := shown(args)
	raw := aegis.RawJSON{'{'}
	n := 0
	for m := args.First(); m.Kind() != aegis.Absent; m = args.After(m) {
		if !slices.Contains(names, m.Key()) {
			continue
		}
		if n++; n > 1 {
			raw = append(raw, ',')
		}
		raw = append(append(append(raw, x.text(m.Key())...), ':'), x.value(m)...)
	}
	raw = append(raw, '}')
	out.Args, out.OtherArgs = &raw, args.Len()-n
	return out
}

// exampleBytes is about how much of one argument an example shows.
const exampleBytes = 120

// value returns JSON: the value itself where it is short and harmless, else its text, cleaned and cut.
func (x *exampler) value(v aegis.Value) []byte {
	if v.Kind() == aegis.String {
		return x.text(v.Str())
	}
	text := string(v.Text())
	if _, n := x.detector.Replace(text); n == 0 && len(text) <= exampleBytes {
		return []byte(text)
	}
	return x.text(text)
}

// text returns a cleaned and cut text as a JSON string.
func (x *exampler) text(s string) []byte {
	s, _ = x.detector.Replace(s)
	if r := []rune(s); len(r) > exampleBytes {
		s = string(r[:exampleBytes]) + "…"
	}
	out, _ := json.Marshal(s) // of a string: cannot fail
	return out
}

// shownArgs returns the top-level arguments that the group's deciding rules read, of either policy; where a rule says
// that no other argument may be there, the first such one as well.
func shownArgs(k *groupKey, old, new *decide.Engine, newPlan, oldPlan *decide.Plan) func(aegis.Value) []string {
	return func(args aegis.Value) []string {
		var names []string
		for _, side := range []struct {
			d *decisive
			e *decide.Engine
			p *decide.Plan
		}{{&k.old, old, oldPlan}, {&k.new, new, newPlan}} {
			for _, h := range side.d.hits[:side.d.n] {
				for _, path := range side.e.Arguments(h.rule) {
					if len(path) > 0 {
						names = append(names, path[0])
					}
				}
				if h.code == aegis.UnnamedArgument {
					names = append(names, firstUnnamed(side.p, args)...)
				}
			}
		}
		return names
	}
}

func firstUnnamed(p *decide.Plan, args aegis.Value) []string {
	for m := args.First(); m.Kind() != aegis.Absent; m = args.After(m) {
		key, named := m.Key(), false
		for _, e := range p.Entries {
			named = named || slices.Contains(e.Names, key)
		}
		if !named {
			return []string{key}
		}
	}
	return nil
}
