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
	outcomes []aegis.Outcome
	ends     []int32 // of each call's hits
	hits     []aegis.Hit
}

var errStopped = errors.New("stopped")

// pipeline carries chunks between the stages.
type pipeline struct {
	run                  *run
	free, parsed, judged chan *chunk
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
		quit: make(chan struct{})}
	for range chunks {
		p.free <- &chunk{docs: make([]aegis.Doc, chunkRows), bad: make([]bool, chunkRows),
			calls: make([]aegis.Call, chunkRows), known: make([]*resolved, chunkRows)}
	}
	errs := make(chan error, 3)
	// The counter adds to what the parser has resolved; what they hold is one tally when both are done.
	parser, counter := r.newLane(), r.newLane()
	go func() { errs <- p.parse(parser, in) }()
	go func() { errs <- p.judge() }()
	go func() { errs <- p.count(counter, in) }()
	for range 3 {
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

// judge takes every call through the gate, in order.
func (p *pipeline) judge() error {
	defer close(p.judged)
	l := p.run.newLane()
	clock := &l.scratch.Clock
	*clock = p.run.earliest
	swept := *clock
	for c := p.take(p.parsed); c != nil; c = p.take(p.parsed) {
		if l.batch != c.b || c.from == 0 {
			l.begin(c.b)
			if *clock-swept > forgetEvery {
				p.run.gate.Forget(*clock)
				swept = *clock
			}
		}
		c.outcomes, c.ends, c.hits = c.outcomes[:0], c.ends[:0], c.hits[:0]
		for i := c.from; i < c.to; i++ {
			o := aegis.Allow
			if c.b.Rejected[i] == capture.Accepted {
				if !c.b.TimeNull[i] {
					*clock = max(*clock, c.b.Time[i])
				}
				v, err := l.judge(c.known[i-c.from], i, &c.calls[i-c.from], c.bad[i-c.from])
				if err != nil {
					return err
				}
				o, c.hits = v.Outcome, append(c.hits, v.Hits...)
			}
			c.outcomes, c.ends = append(c.outcomes, o), append(c.ends, int32(len(c.hits)))
		}
		if err := p.send(p.judged, c); err != nil {
			return err
		}
	}
	return nil
}

// count adds up what was decided, and gives batches back.
func (p *pipeline) count(l *lane, in stream) error {
	for c := p.take(p.judged); c != nil; c = p.take(p.judged) {
		if l.batch != c.b || c.from == 0 {
			l.begin(c.b)
		}
		at := int32(0)
		for i := c.from; i < c.to; i++ {
			end := c.ends[i-c.from]
			if c.b.Rejected[i] == capture.Accepted {
				l.count(c.known[i-c.from], c.outcomes[i-c.from], c.hits[at:end], i)
			}
			at = end
		}
		if c.to == c.b.Rows {
			l.cells.flush(l)
			p.run.table.closeIdle(uint32(l.tally.last / 60_000_000))
			if err := p.run.finish(l, c.b); err != nil {
				return err
			}
			in.release(c.b)
		}
		p.free <- c
	}
	return nil
}
