package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// queue stands between decisions and what is slow: put never waits, and what finds it full is dropped and counted. One
// goroutine hands what is in it to a function, in batches and in order.
type queue[T any] struct {
	in      chan T
	send    func(context.Context, []T)
	batch   int
	every   time.Duration
	dropped atomic.Int64

	ctx    context.Context // of send; ends when a close has lost its patience
	cancel context.CancelFunc
	ending sync.RWMutex // held for reading while something is put
	ended  bool
	done   chan struct{}
}

// newQueue makes a queue of size items, handed on when batch of them are there or every has passed.
func newQueue[T any](size, batch int, every time.Duration, send func(context.Context, []T)) *queue[T] {
	q := &queue[T]{in: make(chan T, size), send: send, batch: min(batch, size), every: every, done: make(chan struct{})}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

func (q *queue[T]) put(v T) {
	q.ending.RLock()
	defer q.ending.RUnlock()
	if q.ended {
		q.dropped.Add(1)
		return
	}
	select {
	case q.in <- v:
	default:
		q.dropped.Add(1)
	}
}

// full reports whether put would drop, if nothing else happened meanwhile.
func (q *queue[T]) full() bool { return len(q.in) == cap(q.in) }

func (q *queue[T]) run() {
	defer close(q.done)
	batch := make([]T, 0, q.batch)
	flush := func() {
		if len(batch) > 0 {
			q.send(q.ctx, batch)
			clear(batch)
			batch = batch[:0]
		}
	}
	tick := time.NewTicker(q.every)
	defer tick.Stop()
	for {
		select {
		case v, ok := <-q.in:
			if !ok {
				flush()
				return
			}
			if batch = append(batch, v); len(batch) == q.batch {
				flush()
			}
		case <-tick.C:
			flush()
		}
	}
}

// close sends what is left and waits for that, no longer than ctx allows.
func (q *queue[T]) close(ctx context.Context) error {
	q.ending.Lock()
	if !q.ended {
		q.ended = true
		close(q.in)
	}
	q.ending.Unlock()
	defer q.cancel()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		q.cancel()
		<-q.done
		return ctx.Err()
	}
}
