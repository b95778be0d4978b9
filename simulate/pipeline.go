package simulate

import (
	"errors"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

// Where verdicts depend on earlier calls, one goroutine takes the calls through the gate in event order. All else is
// done beside it: decoding and parsing ahead of it, counting behind it.

// chunkRows is how many calls go from stage to stage at a time: few enough to stay in a core's cache.
const chunkRows = 2048

// chunk is a stretch of a batch under way.
type chunk struct {
	b        *batch
	from, to int
	docs     []aegis.Doc
	bad      []bool
	calls    []aegis.Call
	known    []*resolved
	judged   verdicts
	base     verdicts // of the baseline
}

// verdicts is what one policy says of a chunk's calls.
type verdicts struct {
	outcomes []aegis.Outcome
	ends     []int32 // of each call's hits
	hits     []aegis.Hit
}

func (v *verdicts) add(o aegis.Outcome, hits []aegis.Hit) {
	v.hits = append(v.hits, hits...)
	v.outcomes, v.ends = append(v.outcomes, o), append(v.ends, int32(len(v.hits)))
}

// at returns the verdict on the chunk's call n.
func (v *verdicts) at(n int) verdict {
	from := int32(0)
	if n > 0 {
		from = v.ends[n-1]
	}
	return verdict{v.outcomes[n], v.hits[from:v.ends[n]]}
}

var errStopped = errors.New("stopped")

// pipeline carries chunks between the stages.
type pipeline struct {
	run                  *run
	free, parsed, judged chan *chunk
	compared             chan *chunk // judged by the baseline as well
	quit                 chan struct{}
}

// inOrder evaluates calls in event order.
func (r *run) inOrder() error {
	in, err := r.ordered()
	if err != nil {
		return err
	}
	defer in.stop()
	const chunks = 8
	p := &pipeline{run: r, free: make(chan *chunk, chunks), parsed: make(chan *chunk, chunks), judged: make(chan *chunk, chunks),
		compared: make(chan *chunk, chunks), quit: make(chan struct{})}
	for range chunks {
		p.free <- &chunk{docs: make([]aegis.Doc, chunkRows), bad: make([]bool, chunkRows),
			calls: make([]aegis.Call, chunkRows), known: make([]*resolved, chunkRows)}
	}
	// The counter adds to what the parser has resolved; what they hold is one tally when both are done.
	parser, counter, decided := r.newLane(), r.newLane(), p.judged
	stages := []func() error{func() error { return p.parse(parser, in) },
		func() error { return p.judge(r.newLane(), p.parsed, p.judged, (*chunk).ofPolicy) }}
	if base := r.newBaseLane(); base != nil {
		decided = p.compared
		stages = append(stages, func() error { return p.judge(base, p.judged, p.compared, (*chunk).ofBaseline) })
	}
	stages = append(stages, func() error { return p.count(counter, decided, in) })
	errs := make(chan error, len(stages))
	for _, s := range stages {
		go func() { errs <- s() }()
	}
	for range stages {
		if e := <-errs; e != nil && !errors.Is(e, errStopped) && err == nil {
			err = e
			close(p.quit)
		}
	}
	if err == nil {
		err = r.ctx.Err()
	}
	r.mergeLanes([]*lane{parser, counter})
	return err
}

// send passes a chunk on, or reports that all is to stop.
func (p *pipeline) send(to chan *chunk, c *chunk) error {
	select {
	case to <- c:
		return nil
	case <-p.quit:
		return errStopped
	}
}

// take receives a chunk; nil where there are no more or all is to stop.
func (p *pipeline) take(from chan *chunk) *chunk {
	select {
	case c := <-from:
		return c
	case <-p.quit:
		return nil
	}
}

// parse cuts batches into chunks and makes their calls.
func (p *pipeline) parse(l *lane, in stream) error {
	defer close(p.parsed)
	for {
		b, err := in.next()
		if err != nil || b == nil {
			return err
		}
		if err := p.run.ctx.Err(); err != nil {
			return err
		}
		l.begin(b)
		for from := 0; from == 0 || from < b.Rows; from += chunkRows {
			c := p.take(p.free)
			if c == nil {
				return errStopped
			}
			c.b, c.from, c.to = b, from, min(b.Rows, from+chunkRows)
			for i := c.from; i < c.to; i++ {
				if b.Rejected[i] == capture.Accepted {
					doc := &c.docs[i-from]
					known, shapes := l.resolve(i)
					c.bad[i-from], c.known[i-from] = b.parse(i, doc, shapes), known
					l.fill(&c.calls[i-from], known, i, doc)
				}
			}
			if err := p.send(p.parsed, c); err != nil {
				return err
			}
		}
	}
}

// forgetEvery is how much event time passes between sweeps for idle sessions, in microseconds.
const forgetEvery = 6 * 3600 * 1_000_000

// ofPolicy and ofBaseline say what a judging stage works on: what is known of a call, and where its verdict goes.
func (c *chunk) ofPolicy(n int) (*resolved, *verdicts) { return c.known[n], &c.judged }

func (c *chunk) ofBaseline(n int) (*resolved, *verdicts) {
	if e := c.known[n]; e != nil {
		return e.base, &c.base
	}
	return nil, &c.base
}

// judge takes every call through the lane's gate, in order.
func (p *pipeline) judge(l *lane, from, to chan *chunk, of func(*chunk, int) (*resolved, *verdicts)) error {
	defer close(to)
	clock := &l.scratch.Clock
	*clock = p.run.earliest
	swept := *clock
	for c := p.take(from); c != nil; c = p.take(from) {
		if l.batch != c.b || c.from == 0 {
			l.begin(c.b)
			if *clock-swept > forgetEvery {
				l.gate.Forget(*clock)
				swept = *clock
			}
		}
		_, out := of(c, 0)
		out.outcomes, out.ends, out.hits = out.outcomes[:0], out.ends[:0], out.hits[:0]
		for i := c.from; i < c.to; i++ {
			n := i - c.from
			if c.b.Rejected[i] != capture.Accepted {
				out.add(aegis.Allow, nil)
				continue
			}
			if !c.b.TimeNull[i] {
				*clock = max(*clock, c.b.Time[i])
			}
			e, _ := of(c, n)
			call := &c.calls[n]
			lacks := call.Lacks
			v, err := l.judge(e, i, call, c.bad[n])
			if err != nil {
				return err
			}
			call.Lacks = lacks // the gate adds its doubts, which are those of one policy
			out.add(v.Outcome, v.Hits)
		}
		if err := p.send(to, c); err != nil {
			return err
		}
	}
	return nil
}

// count adds up what was decided, and gives batches back.
func (p *pipeline) count(l *lane, from chan *chunk, in stream) error {
	for c := p.take(from); c != nil; c = p.take(from) {
		if l.batch != c.b || c.from == 0 {
			l.begin(c.b)
		}
		for i := c.from; i < c.to; i++ {
			if c.b.Rejected[i] != capture.Accepted {
				continue
			}
			n := i - c.from
			e, v := c.known[n], c.judged.at(n)
			l.count(e, v.outcome, v.hits, i)
			if l.changes != nil {
				l.compare(e, i, &c.calls[n], c.base.at(n), v)
			}
		}
		if c.to == c.b.Rows {
			l.cells.flush(l)
			l.changes.flush(l)
			p.run.table.closeIdle(uint32(l.tally.last / 60_000_000))
			p.run.base.closeIdle(uint32(l.tally.last / 60_000_000))
			if err := p.run.finish(l, c.b); err != nil {
				return err
			}
			in.release(c.b)
		}
		p.free <- c
	}
	return nil
}
