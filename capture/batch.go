package capture

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// StringColumn is a column of text as indexes into a dictionary.
type StringColumn struct {
	Dict  []string // may hold entries that no row has, and equal ones
	Index []int32  // of each row; -1 is null
}

// At returns the text of row i, "" for null.
func (c *StringColumn) At(i int) string {
	if x := c.Index[i]; x >= 0 {
		return c.Dict[x]
	}
	return ""
}

// ChainColumn is a column of chains as indexes into a dictionary of the distinct ones.
type ChainColumn struct {
	Dict  [][]string
	Index []int32 // of each row; -1 is null
}

// Batch holds the rows of one ReadGroup, column by column. The zero Batch is ready to use, and keeps its memory from
// one ReadGroup to the next. Columns that were not read, or that the file lacks, are all null.
//
// Everything in it is valid until the next ReadGroup into it, except the strings of dictionaries, which are valid for
// ever. An empty text reads as null, except in agent, tool, chain and labels.
type Batch struct {
	Rows  int
	Start int64   // number of the first row in the file
	Cols  Columns // what was asked for

	Time     []int64 // microseconds since 1970, UTC
	TimeNull []bool
	Seq      []int64
	SeqNull  []bool
	Cost     []int64 // millionths of a US dollar
	CostNull []bool

	Tenant, Session, Agent, Tool, Action, Effect, Region StringColumn
	RecordedDecision, RecordedPolicyVersion, Outcome     StringColumn
	Chain                                                ChainColumn
	Coverage                                             []Coverage
	ArgsData                                             []byte
	ArgsStart, ArgsEnd                                   []uint32 // of row i: ArgsData[ArgsStart[i]:ArgsEnd[i]]
	ArgsNull                                             []bool
	Rejected                                             []Reject // why a row is no call, by the columns read
	NumRejected                                          int

	pages           pageReader
	levels          []uint8
	ints            intColumn
	text            textColumn
	args            argsColumn
	coverage        StringColumn
	chain, key, val list
	chainBad        []bool
	chainIDs        map[string]int32
	chainKey        []byte
	badRows         []badRow
}

// badRow is a row that a column has cause to reject.
type badRow struct {
	row int
	why Reject
}

// Args returns the arguments of row i as received, nil where they are null.
func (b *Batch) Args(i int) []byte {
	if b.ArgsNull[i] {
		return nil
	}
	return b.ArgsData[b.ArgsStart[i]:b.ArgsEnd[i]:b.ArgsEnd[i]]
}

// Callers returns the chain of row i, outermost first; none where it states none: then the user called.
func (b *Batch) Callers(i int) []string {
	if k := b.Chain.Index[i]; k >= 0 {
		return b.Chain.Dict[k]
	}
	return nil
}

// Call makes c the call of row i, but for its tenant, agent, tool and action, which the caller knows by now. args are its
// arguments as they were parsed. What the capture does not hold is noted as lacking. The call shares the batch's memory.
func (b *Batch) Call(i int, args aegis.Value, c *aegis.Call) {
	*c = aegis.Call{Chain: b.Callers(i), Session: b.Session.At(i), Region: b.Region.At(i), Lacks: aegis.LacksClaims}
	if c.Session == "" {
		c.Lacks |= aegis.LacksSession
	}
	if c.Region == "" {
		c.Lacks |= aegis.LacksRegion
	}
	if b.TimeNull[i] {
		c.Lacks |= aegis.LacksTime
	} else {
		c.Time, c.HasTime = b.Time[i], true
	}
	if !b.CostNull[i] {
		c.Cost, c.HasCost = b.Cost[i], true
	}
	c.Effect, _ = aegis.ParseEffect(b.Effect.At(i))
	switch b.Coverage[i] {
	case CoverageRedacted:
		c.Lacks |= aegis.LacksRedacted
	case CoverageAbsent:
		c.Lacks |= aegis.LacksArgs
	default:
		c.Args = args
	}
}

// Label returns the label key of every row, -1 where a row lacks it. It needs ColLabels.
func (b *Batch) Label(key string) StringColumn {
	c := StringColumn{Dict: b.val.text.dict, Index: make([]int32, b.Rows)}
	fill(c.Index, -1)
	wanted := make([]bool, len(b.key.text.dict))
	found := false
	for i, k := range b.key.text.dict {
		wanted[i] = k == key
		found = found || wanted[i]
	}
	if !found {
		return c
	}
	for i := range c.Index {
		for e := b.key.off[i]; e < b.key.off[i+1]; e++ {
			if k := b.key.elem[e]; k >= 0 && wanted[k] {
				c.Index[i] = b.val.elem[e]
				break
			}
		}
	}
	return c
}

// LabelKeys returns the keys of the batch's labels, sorted. It needs ColLabels.
func (b *Batch) LabelKeys() []string {
	seen := make([]bool, len(b.key.text.dict))
	for e, k := range b.key.elem {
		if k >= 0 && b.val.elem[e] >= 0 {
			seen[k] = true
		}
	}
	var keys []string
	for i, k := range b.key.text.dict {
		if seen[i] {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Row copies row i into r, which shares no memory with the batch. Columns that were not read are left empty.
func (b *Batch) Row(i int, r *Row) {
	text := func(c *StringColumn) string { return strings.Clone(c.At(i)) }
	*r = Row{
		TimeMicros: b.Time[i], HasTime: !b.TimeNull[i], Seq: b.Seq[i], HasSeq: !b.SeqNull[i],
		CostMicro: b.Cost[i], HasCost: !b.CostNull[i],
		Tenant: text(&b.Tenant), Session: text(&b.Session), Agent: text(&b.Agent), Tool: text(&b.Tool),
		Action: text(&b.Action), Effect: text(&b.Effect), Region: text(&b.Region), Outcome: text(&b.Outcome),
		RecordedDecision: text(&b.RecordedDecision), RecordedPolicyVersion: text(&b.RecordedPolicyVersion),
	}
	if b.Cols&ColCoverage != 0 {
		r.Coverage = b.Coverage[i].String()
	}
	if a := b.Args(i); a != nil {
		r.Args = bytes.Clone(a)
	}
	if x := b.Chain.Index[i]; x >= 0 {
		r.Chain = make([]string, len(b.Chain.Dict[x]))
		for k, s := range b.Chain.Dict[x] {
			r.Chain[k] = strings.Clone(s)
		}
	}
	for e := b.key.off[i]; e < b.key.off[i+1]; e++ {
		if b.key.elem[e] < 0 || b.val.elem[e] < 0 {
			continue
		}
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		k := b.key.text.dict[b.key.elem[e]]
		if _, twice := r.Labels[k]; !twice { // as Label does
			r.Labels[strings.Clone(k)] = strings.Clone(b.val.text.dict[b.val.elem[e]])
		}
	}
}

// reset makes room for n rows. What it does not fill, blank or the decoding of a column does.
func (b *Batch) reset(n int) {
	b.Rows, b.NumRejected, b.badRows = n, 0, b.badRows[:0]
	b.ArgsData, b.Chain.Dict = b.ArgsData[:0], nil
	b.Chain.Index = resize(b.Chain.Index, n)
	for _, c := range []*[]int64{&b.Time, &b.Seq, &b.Cost} {
		*c = resize(*c, n)
	}
	for _, c := range []*[]bool{&b.TimeNull, &b.SeqNull, &b.CostNull, &b.ArgsNull} {
		*c = resize(*c, n)
	}
	b.ArgsStart, b.ArgsEnd = resize(b.ArgsStart, n), resize(b.ArgsEnd, n)
	b.Coverage, b.Rejected = resize(b.Coverage, n), resize(b.Rejected, n)
	clear(b.Rejected)
	for i := range specs {
		if c := b.textOf(i); c != nil {
			c.Dict, c.Index = c.Dict[:0], resize(c.Index, n)
		}
	}
}

// blank makes column i null in every row.
func (b *Batch) blank(i int) {
	ints := func(v []int64, null []bool) {
		clear(v)
		fill(null, true)
	}
	switch i {
	case colTime:
		ints(b.Time, b.TimeNull)
	case colSeq:
		ints(b.Seq, b.SeqNull)
	case colCost:
		ints(b.Cost, b.CostNull)
	case colChain:
		fill(b.Chain.Index, -1)
	case colArgs:
		clear(b.ArgsStart)
		clear(b.ArgsEnd)
		fill(b.ArgsNull, true)
	case colLabels:
		for _, l := range []*list{&b.key, &b.val} {
			l.off, l.elem, l.text.dict = resize(l.off, b.Rows+1), l.elem[:0], l.text.dict[:0]
			clear(l.off)
		}
	default:
		fill(b.textOf(i).Index, -1)
	}
}
