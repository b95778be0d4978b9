package simulate

import (
	"sync"

	"github.com/aegisctl/aegis/capture"
)

// inParallel evaluates row groups in any order: no verdict depends on an earlier call. Batches are handed on in their
// order only where decisions are written.
func (r *run) inParallel() error {
	lanes := make([]*lane, r.opt.Workers)
	next := r.src.groups()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var firstErr error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if firstErr == nil {
			firstErr = err
		}
	}
	turn := newTurn()
	for i := range lanes {
		lanes[i] = r.newLane()
		lanes[i].base = r.newBaseLane()
		wg.Add(1)
		go func(l *lane) {
			defer wg.Done()
			var b batch
			for {
				n, g, ok := next()
				if !ok {
					return
				}
				err := r.src.read(g, r.src.columns(), &b)
				if err == nil {
					err = l.evaluate(&b)
				}
				if err != nil {
					fail(err)
					turn.stop()
					return
				}
				if !turn.wait(n) {
					return
				}
				err = r.finish(l, &b)
				turn.next()
				if err != nil {
					fail(err)
					turn.stop()
					return
				}
			}
		}(lanes[i])
	}
	wg.Wait()
	if firstErr == nil {
		firstErr = r.ctx.Err()
	}
	r.mergeLanes(lanes)
	return firstErr
}

func (r *run) mergeLanes(lanes []*lane) {
	r.total = newTally(len(r.set.Rules), len(r.src.labels))
	for _, l := range lanes {
		r.total.merge(&l.tally)
		r.base.merge(l.changes)
	}
}

// finish writes a batch's decisions and reports progress. Batches come here in order, one at a time.
func (r *run) finish(l *lane, b *batch) error {
	if r.out != nil {
		if err := r.out.write(l.results); err != nil {
			return err
		}
	}
	r.src.note(b)
	r.done += int64(b.Rows)
	if r.opt.Progress != nil {
		r.opt.Progress(r.done, r.src.rows)
	}
	return nil
}

// turn lets workers go through one by one, in the order of their tickets.
type turn struct {
	mu      sync.Mutex
	cond    *sync.Cond
	at      int
	stopped bool
}

func newTurn() *turn {
	t := &turn{}
	t.cond = sync.NewCond(&t.mu)
	return t
}

// wait blocks until it is ticket n's turn; false when all was stopped.
func (t *turn) wait(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.at != n && !t.stopped {
		t.cond.Wait()
	}
	return !t.stopped
}

func (t *turn) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at++
	t.cond.Broadcast()
}

func (t *turn) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.cond.Broadcast()
}

// ahead is how many batches are decoded before they are needed.
const ahead = 3

// stream yields batches whose rows are in event order; next is nil at the end. A batch belongs to the reader until it
// is released.
type stream interface {
	next() (*batch, error)
	release(*batch)
	stop()
}

// fileStream decodes row groups as they stand in the files, some ahead of their use.
type fileStream struct {
	out  chan decoded
	free chan *batch
	quit chan struct{}
	once sync.Once
}

type decoded struct {
	b   *batch
	err error
}

// newFileStream starts as many decoders as the run has workers, and hands their batches on in order.
func (r *run) newFileStream(cols capture.Columns) *fileStream {
	s := &fileStream{out: make(chan decoded), free: make(chan *batch, ahead+r.opt.Workers), quit: make(chan struct{})}
	for range cap(s.free) {
		s.free <- new(batch)
	}
	next := r.src.groups()
	turn := newTurn()
	var wg sync.WaitGroup
	for range r.opt.Workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for s.decode(r, cols, next, turn) {
			}
		}()
	}
	go func() {
		<-s.quit
		turn.stop()
	}()
	go func() {
		wg.Wait()
		close(s.out)
		s.stop()
	}()
	return s
}

// decode reads one row group and hands it on; false at the end.
func (s *fileStream) decode(r *run, cols capture.Columns, next func() (int, group, bool), turn *turn) bool {
	var b *batch
	select {
	case b = <-s.free:
	case <-s.quit:
		return false
	}
	n, g, ok := next()
	if !ok {
		s.free <- b
		return false
	}
	err := r.src.read(g, cols, b)
	if !turn.wait(n) {
		return false
	}
	defer turn.next()
	select {
	case s.out <- decoded{b, err}:
		return err == nil
	case <-s.quit:
		return false
	}
}

func (s *fileStream) next() (*batch, error) {
	d, ok := <-s.out
	if !ok {
		return nil, nil
	}
	return d.b, d.err
}

func (s *fileStream) release(b *batch) { s.free <- b }

func (s *fileStream) stop() { s.once.Do(func() { close(s.quit) }) }
