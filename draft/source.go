package draft

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

// source is the captured files of a run.
type source struct {
	opt     Options
	files   []*capture.File
	rows    int64
	assumed []string
	bound   uint64 // sessions whose hash lies below it are held out
}

func open(opt Options) (_ *source, err error) {
	s := &source{opt: opt, bound: uint64(opt.Holdout * math.MaxInt64 * 2)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, path := range opt.Traffic {
		f, err := capture.Open(path)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
		s.rows += f.NumRows()
		for _, a := range f.Assumed() {
			if !slices.Contains(s.assumed, a) {
				s.assumed = append(s.assumed, a)
			}
		}
	}
	return s, nil
}

func (s *source) close() {
	for _, f := range s.files {
		f.Close()
	}
}

// columns is what both passes read.
func (s *source) columns() capture.Columns {
	cols := capture.AllColumns &^ (capture.ColLabels | capture.ColRecordedPolicyVersion | capture.ColCost | capture.ColSeq)
	if len(s.opt.Labels) > 0 {
		cols |= capture.ColLabels
	}
	return cols
}

// names is who called what, and the key of every cache.
type names struct{ tenant, agent, tool, action string }

// row is one call, valid until the next one.
type row struct {
	names
	indexes [4]int32 // of the names in the batch's dictionaries
	session uint64   // noSession where there is none
	text    string   // the session's name
	held    bool     // its session is held out
	batch   *capture.Batch
	i       int
}

// noSession is what calls without a session have in common: they count as one session, so that they support nothing.
const noSession = 0

// caller is who stands directly before the agent.
func (r *row) caller() string {
	if c := r.chain(); len(c) > 0 {
		return c[len(c)-1]
	}
	return "user"
}

func (r *row) chain() []string { return r.batch.Callers(r.i) }

// parse reads the arguments. It is false where they are no call's: such calls no policy lets through.
func (r *row) parse(doc *aegis.Doc) bool {
	return doc.Parse(r.batch.Args(r.i), aegis.MaxBody) == nil && doc.Root().Kind() == aegis.Object && doc.CaseVariants() == nil
}

// visitor is what a pass does with the traffic.
type visitor interface {
	begin(b *capture.Batch) // a new batch: the indexes of the last one mean nothing now
	call(r *row) error
}

// each hands every call that the options choose to the visitor, in the order of the files. skip counts the others. A
// row group is decoded while the one before it is visited.
func (d *drafter) each(v visitor, skip func(why string), done int64) error {
	stop := make(chan struct{})
	defer close(stop)
	total := 2 * d.src.rows
	next, free := d.src.decoded(stop)
	for g := range next {
		err := g.err
		if err == nil {
			err = d.ctx.Err()
		}
		if err != nil {
			return err
		}
		v.begin(g.batch)
		if err := d.batch(g.batch, v, skip); err != nil {
			return err
		}
		if done += int64(g.batch.Rows); d.opt.Progress != nil {
			d.opt.Progress(done, total)
		}
		free <- g.batch
	}
	return nil
}

// group is a row group, or why it could not be read.
type group struct {
	batch *capture.Batch
	err   error
}

// decoded reads the row groups of all files one ahead. Batches come back through free.
func (s *source) decoded(stop <-chan struct{}) (next <-chan group, free chan *capture.Batch) {
	out := make(chan group)
	free = make(chan *capture.Batch, 2)
	free <- new(capture.Batch)
	free <- new(capture.Batch)
	go func() {
		defer close(out)
		for _, f := range s.files {
			for i := range f.NumGroups() {
				g := group{}
				select {
				case g.batch = <-free:
				case <-stop:
					return
				}
				g.err = f.ReadGroup(i, s.columns(), g.batch)
				select {
				case out <- g:
				case <-stop:
					return
				}
			}
		}
	}()
	return out, free
}

// batch hands on the calls of one batch.
func (d *drafter) batch(b *capture.Batch, v visitor, skip func(string)) error {
	sessions := sessionHashes{src: d.src, known: make([]hashed, len(b.Session.Dict))}
	chosen := d.src.chosen(b)
	r := row{batch: b}
	for i := range b.Rows {
		switch {
		case b.Rejected[i] != capture.Accepted:
			skip(skipRejected)
			continue
		case !chosen(i):
			skip(skipFiltered)
			continue
		case b.RecordedDecision.At(i) == "deny" || b.RecordedDecision.At(i) == "reject":
			skip(skipDenied)
			continue
		}
		r.i = i
		r.indexes = [4]int32{b.Tenant.Index[i], b.Agent.Index[i], b.Tool.Index[i], b.Action.Index[i]}
		r.names = names{orElse(b.Tenant.At(i), capture.DefaultTenant), b.Agent.At(i), b.Tool.At(i), b.Action.At(i)}
		r.session, r.held = sessions.of(r.tenant, b.Tenant.Index[i], b.Session.Index[i], b.Session.Dict)
		r.text = b.Session.At(i)
		if err := v.call(&r); err != nil {
			return err
		}
	}
	return nil
}

// chosen returns the filter of the options for a batch.
func (s *source) chosen(b *capture.Batch) func(i int) bool {
	type label struct {
		col capture.StringColumn
		ok  []bool
	}
	var labels []label
	for key, values := range s.opt.Labels {
		l := label{col: b.Label(key)}
		for _, v := range l.col.Dict {
			l.ok = append(l.ok, slices.Contains(values, v))
		}
		labels = append(labels, l)
	}
	return func(i int) bool {
		for _, l := range labels {
			if x := l.col.Index[i]; x < 0 || !l.ok[x] {
				return false
			}
		}
		return (s.opt.Tenants == nil || slices.Contains(s.opt.Tenants, orElse(b.Tenant.At(i), capture.DefaultTenant))) &&
			(s.opt.Agents == nil || slices.Contains(s.opt.Agents, b.Agent.At(i)))
	}
}

// sessionHashes finds the hash of a session once for each batch.
type sessionHashes struct {
	src   *source
	known []hashed
}

type hashed struct {
	tenant int32
	ok     bool
	hash   uint64
}

// of returns the first 64 bits of SHA-256(tenant, NUL, session), never noSession, and whether the session is held out.
func (h *sessionHashes) of(tenant string, tenantIndex, index int32, dict []string) (uint64, bool) {
	if index < 0 || dict[index] == "" {
		return noSession, false
	}
	k := &h.known[index]
	if !k.ok || k.tenant != tenantIndex {
		sum := sha256.Sum256([]byte(tenant + "\x00" + dict[index]))
		*k = hashed{tenantIndex, true, max(1, binary.BigEndian.Uint64(sum[:8]))}
	}
	return k.hash, k.hash < h.src.bound
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
