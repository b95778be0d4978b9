package capture

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

// readColumns decodes the columns of b.Cols that the file has, and names the column of an error.
func (b *Batch) readColumns(f *File, part part) (bad string, err error) {
	b.pages.r = f.r
	for i := range specs {
		if b.Cols&(1<<i) == 0 || f.bind.has&(1<<i) == 0 {
			b.blank(i)
			continue
		}
		c := &f.bind.cols[i]
		sp := f.span(part, c.chunk, c.leaf)
		switch i {
		case colTime:
			err = b.readInts(sp, c, b.Time, b.TimeNull, RejectTime)
		case colSeq:
			err = b.readInts(sp, c, b.Seq, b.SeqNull, RejectSeq)
		case colCost:
			err = b.readInts(sp, c, b.Cost, b.CostNull, RejectCost)
		case colArgs:
			err = b.readArgs(sp)
		case colChain:
			if err = b.pages.nested(sp, &b.chain); err == nil {
				b.takeChains()
			}
		case colLabels:
			err = b.readLabels(sp, f.span(part, c.valueChunk, c.valueLeaf))
		default:
			err = b.readText(sp, i)
		}
		if err != nil {
			return specs[i].name, err
		}
	}
	b.judge(f)
	return "", nil
}

// textOf returns the column of text with bit number i.
func (b *Batch) textOf(i int) *StringColumn {
	return [columnCount]*StringColumn{
		colTenant: &b.Tenant, colSession: &b.Session, colAgent: &b.Agent, colTool: &b.Tool, colAction: &b.Action,
		colEffect: &b.Effect, colRegion: &b.Region, colRecordedDecision: &b.RecordedDecision,
		colRecordedPolicyVersion: &b.RecordedPolicyVersion, colOutcome: &b.Outcome, colCoverage: &b.coverage,
	}[i]
}

func (b *Batch) readText(sp span, i int) error {
	c, t := b.textOf(i), &b.text
	t.src.init(c.Dict)
	t.index, t.nulls = c.Index, 0
	err := b.pages.flat(sp, t, &b.levels)
	c.Dict = t.src.dict
	if err != nil {
		return err
	}
	if i != colAgent && i != colTool {
		t.blankIsNull()
	}
	return nil
}

func (b *Batch) readArgs(sp span) error {
	a := &b.args
	// Room for all pages at once, as far as their compressed size makes the declared one likely.
	room := min(sp.chunk.uncompressed, 16*sp.chunk.size, partBytes) * (sp.to - sp.from) / max(sp.rows, 1)
	b.ArgsData = slices.Grow(b.ArgsData[:0], int(room)+1<<10)
	a.src.init(b.ArgsData)
	a.start, a.end, a.null = b.ArgsStart, b.ArgsEnd, b.ArgsNull
	err := b.pages.flat(sp, a, &b.levels)
	b.ArgsData = a.src.data
	return err
}

// readInts decodes numbers and brings them to the unit of the batch. A number out of range becomes null, and its row
// is rejected.
func (b *Batch) readInts(sp span, c *column, out []int64, null []bool, why Reject) error {
	n := &b.ints
	n.src.init(sp.leaf)
	n.out, n.null = out, null
	if err := b.pages.flat(sp, n, &b.levels); err != nil {
		return err
	}
	bad := func(i int) {
		out[i], null[i] = 0, true
		b.badRows = append(b.badRows, badRow{i, why})
	}
	switch {
	case n.src.phys == physFloat || n.src.phys == physDouble:
		for i, v := range out {
			f := math.Float64frombits(uint64(v))
			if n.src.phys == physFloat {
				f = float64(math.Float32frombits(uint32(v)))
			}
			if f = math.Round(f * 1e6); !(f > -1e18 && f < 1e18) {
				bad(i)
				continue
			}
			out[i] = int64(f)
		}
	case why == RejectTime:
		for i, v := range out {
			if u, ok := rescale(v, c, false); ok && u >= minTime && u <= maxTime {
				out[i] = u
			} else {
				bad(i)
			}
		}
	case n.src.unsigned || n.src.width != 4 && n.src.width != 8 || c.mul > 1 || c.div > 1:
		for i, v := range out {
			if u, ok := rescale(v, c, n.src.unsigned); ok {
				out[i] = u
			} else {
				bad(i)
			}
		}
	}
	return nil
}

// The times that RFC 3339 can write: the years 1 to 9999, in microseconds.
const (
	minTime = -62135596800_000_000
	maxTime = 253402300799_999_999
)

// rescale multiplies or divides v. Times are rounded down, costs to the nearest.
func rescale(v int64, c *column, unsigned bool) (int64, bool) {
	if v == badInt || unsigned && v < 0 {
		return 0, false
	}
	if c.mul > 1 {
		return v * c.mul, v <= math.MaxInt64/c.mul && v >= math.MinInt64/c.mul
	}
	if c.div > 1 {
		q, r := v/c.div, v%c.div
		if r < 0 {
			q, r = q-1, r+c.div
		}
		if c.leaf.node.meaning().kind == logicalDecimal && r >= c.div-r {
			q++
		}
		return q, true
	}
	return v, true
}

// readLabels decodes a map, whose keys and values are two lists that must run in step.
func (b *Batch) readLabels(keys, values span) error {
	if err := b.pages.nested(keys, &b.key); err != nil {
		return err
	}
	if err := b.pages.nested(values, &b.val); err != nil {
		return err
	}
	for i, off := range b.key.off {
		if b.val.off[i] != off {
			return errors.New("it does not have a value for every key")
		}
	}
	return nil
}

// takeChains numbers the distinct chains.
func (b *Batch) takeChains() {
	l := &b.chain
	if b.chainIDs == nil {
		b.chainIDs = map[string]int32{}
	}
	clear(b.chainIDs)
	b.chainBad = b.chainBad[:0]
	var last []int32
	lastID := int32(-1)
	for i := range b.Chain.Index {
		if l.null[i] {
			b.Chain.Index[i] = -1
			continue
		}
		elem := l.elem[l.off[i]:l.off[i+1]]
		if lastID < 0 || !slices.Equal(elem, last) {
			last, lastID = elem, b.chainID(elem)
		}
		b.Chain.Index[i] = lastID
		if b.chainBad[lastID] {
			b.badRows = append(b.badRows, badRow{i, RejectChain})
		}
	}
}

func (b *Batch) chainID(elem []int32) int32 {
	b.chainKey = b.chainKey[:0]
	for _, e := range elem {
		b.chainKey = binary.LittleEndian.AppendUint32(b.chainKey, uint32(e))
	}
	if id, ok := b.chainIDs[string(b.chainKey)]; ok {
		return id
	}
	id := int32(len(b.Chain.Dict))
	b.chainIDs[string(b.chainKey)] = id
	names, bad := make([]string, 0, len(elem)), len(elem) > aegis.MaxChain
	for _, e := range elem {
		if e < 0 {
			bad = true
			continue
		}
		names = append(names, b.chain.text.dict[e])
		bad = bad || !aegis.ValidName(names[len(names)-1])
	}
	b.Chain.Dict, b.chainBad = append(b.Chain.Dict, names), append(b.chainBad, bad)
	return id
}

func validSession(s string) bool { return aegis.ValidSession(s) && utf8.ValidString(s) }

func validEffect(s string) bool {
	_, ok := aegis.ParseEffect(s)
	return ok
}

// judge derives coverage, and finds the rows that are no calls.
func (b *Batch) judge(f *File) {
	if b.Cols&ColAgent != 0 {
		b.reject(&b.Agent, aegis.ValidName, RejectAgentName, RejectAgentNull)
	}
	if b.Cols&ColTool != 0 {
		b.reject(&b.Tool, aegis.ValidName, RejectToolName, RejectToolNull)
	}
	b.reject(&b.Tenant, aegis.ValidName, RejectTenantName, Accepted)
	b.reject(&b.Action, aegis.ValidName, RejectActionName, Accepted)
	b.reject(&b.Session, validSession, RejectSession, Accepted)
	b.reject(&b.Region, aegis.ValidName, RejectRegion, Accepted)
	b.reject(&b.Effect, validEffect, RejectEffect, Accepted)
	if b.Cols&ColCoverage != 0 {
		b.cover()
	} else {
		fill(b.Coverage, CoverageAbsent)
	}
	for _, r := range b.badRows {
		if b.Rejected[r.row] == Accepted {
			b.Rejected[r.row] = r.why
		}
	}
	for _, r := range b.Rejected {
		if r != Accepted {
			b.NumRejected++
		}
	}
}

// reject marks the rows whose text is not valid, and those without text unless ifNull is Accepted.
func (b *Batch) reject(c *StringColumn, valid func(string) bool, why, ifNull Reject) {
	bad := ifNull != Accepted
	var ok []bool
	for i, s := range c.Dict {
		if s != "" && !valid(s) || s == "" && ifNull != Accepted {
			if ok == nil {
				ok = make([]bool, len(c.Dict))
				fill(ok, true)
			}
			ok[i], bad = false, true
		}
	}
	if !bad {
		return
	}
	for i, x := range c.Index {
		switch {
		case b.Rejected[i] != Accepted:
		case x < 0:
			b.Rejected[i] = ifNull
		case ok != nil && !ok[x]:
			b.Rejected[i] = why
		}
	}
}

// cover sets the coverage of every row from the stated one and from whether there are arguments.
func (b *Batch) cover() {
	states := make([]Coverage, len(b.coverage.Dict))
	known := make([]bool, len(b.coverage.Dict))
	for i, s := range b.coverage.Dict {
		states[i], known[i] = parseCoverage(s)
	}
	for i, x := range b.coverage.Index {
		c := CoverageFull
		if x >= 0 {
			if c = states[x]; !known[x] && b.Rejected[i] == Accepted {
				b.Rejected[i] = RejectCoverage
			}
		}
		if c == CoverageFull && b.ArgsNull[i] {
			c = CoverageAbsent
		}
		b.Coverage[i] = c
	}
}
