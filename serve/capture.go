package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

// Capture writes what the server decided as captured traffic, which simulate reads. It observes: a disk that is slow or
// full costs rows, not answers, and says so.
type Capture struct {
	opt CaptureOptions

	mu      sync.Mutex
	queue   []*captured          // in the order of decisions
	waiting map[string]*captured // by decision: calls whose outcome may still be reported
	lost    int64
	size    int // bytes of the queue's arguments
	wake    chan struct{}
	closed  bool

	done chan struct{} // closed when all is written
	err  error
}

// CaptureOptions say where traffic goes.
type CaptureOptions struct {
	Dir    string        // files are named by the time at which they begin; each appears when it is whole
	Rotate time.Duration // a new file begins after that; 0: an hour
	Wait   time.Duration // for a call's outcome, before its row is written; 0: two minutes
	Now    func() time.Time
	Log    *slog.Logger
}

// captured is one row on its way.
type captured struct {
	id      string
	row     capture.Row
	at      time.Time
	settled bool // nothing more will be known
}

// Bounds of a capture: rows that wait for outcomes or the disk, the bytes of their arguments, and rows of one file.
const (
	maxCaptured     = 200_000
	maxCapturedSize = 256 << 20
	maxCapturedFile = 4 << 20
)

// NewCapture begins to capture. Close it after the service.
func NewCapture(opt CaptureOptions) *Capture {
	if opt.Rotate == 0 {
		opt.Rotate = time.Hour
	}
	if opt.Wait == 0 {
		opt.Wait = 2 * time.Minute
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	c := &Capture{opt: opt, waiting: map[string]*captured{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// Observe keeps a decision's call. Dry runs are no traffic, and what could not be read is no call.
func (c *Capture) Observe(_ context.Context, r *Record) {
	if r.Malformed || r.Call.DryRun {
		return
	}
	k := &captured{id: r.ID, at: r.Time, row: rowOf(r), settled: !r.Answer.Passes || r.Settled}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.queue) >= maxCaptured || c.size+len(k.row.Args) > maxCapturedSize {
		c.lost++
		return
	}
	c.size += len(k.row.Args)
	c.queue = append(c.queue, k)
	if !k.settled {
		c.waiting[r.ID] = k
	}
	c.stir()
}

// Outcome notes what became of a call, where its row is not written yet.
func (c *Capture) Outcome(id string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.waiting[id]; k != nil {
		k.settled, k.row.Outcome = true, "ok"
		if failed {
			k.row.Outcome = "failed"
		}
		delete(c.waiting, id)
		c.stir()
	}
}

// stir wakes the writer. The caller holds the lock.
func (c *Capture) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Lost returns how many rows could not be kept.
func (c *Capture) Lost() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Close writes what is left, whatever it waited for, and ends the last file.
func (c *Capture) Close() error {
	c.mu.Lock()
	c.closed = true
	c.stir()
	c.mu.Unlock()
	<-c.done
	return c.err
}

// ready takes the rows that can be written: from the front of the queue those that are settled or have waited enough.
func (c *Capture) ready(now time.Time) (rows []capture.Row, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, k := range c.queue {
		// A queue that is half full waits for nobody.
		if !k.settled && !c.closed && now.Sub(k.at) < c.opt.Wait && len(c.queue)-n < maxCaptured/2 && c.size < maxCapturedSize/2 {
			break
		}
		delete(c.waiting, k.id)
		c.size -= len(k.row.Args)
		rows = append(rows, k.row)
		n++
	}
	c.queue = append(c.queue[:0:0], c.queue[n:]...)
	return rows, c.closed
}

// run writes rows to one file after the other.
func (c *Capture) run() {
	defer close(c.done)
	var f captureFile
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	reported := int64(0)
	for {
		select {
		case <-c.wake:
		case <-tick.C:
		}
		now := c.opt.Now()
		rows, closed := c.ready(now)
		if err := f.write(c.opt.Dir, now, rows); err != nil {
			c.opt.Log.Error("captured traffic could not be written", "rows", len(rows), "error", err)
			c.mu.Lock()
			c.lost += int64(len(rows))
			c.mu.Unlock()
			c.err = err
		}
		if f.w != nil && (closed || now.Sub(f.begun) >= c.opt.Rotate || f.rows >= maxCapturedFile) {
			if err := f.end(); err != nil {
				c.opt.Log.Error("a file of captured traffic could not be finished", "error", err)
				c.err = err
			}
		}
		if lost := c.Lost(); lost > reported {
			c.opt.Log.Error("calls were decided that are not in the captured traffic", "rows", lost-reported)
			reported = lost
		}
		if closed {
			return
		}
	}
}

// captureFile is the file that is being written; its zero value is none.
type captureFile struct {
	w     *capture.Writer
	begun time.Time
	rows  int
}

func (f *captureFile) write(dir string, now time.Time, rows []capture.Row) error {
	if len(rows) == 0 {
		return nil
	}
	if f.w == nil {
		var b [4]byte
		rand.Read(b[:]) // it never fails; servers may share a directory
		name := "traffic-" + now.UTC().Format("20060102T150405.000Z") + "-" + hex.EncodeToString(b[:]) + ".parquet"
		w, err := capture.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		*f = captureFile{w: w, begun: now}
	}
	f.rows += len(rows)
	if err := f.w.Write(rows...); err != nil {
		return errors.Join(err, f.end())
	}
	return nil
}

func (f *captureFile) end() error {
	err := f.w.Close()
	*f = captureFile{}
	return err
}

// rowOf makes a row of a record. The decision is the true one, in every mode.
func rowOf(r *Record) capture.Row {
	c := r.Call
	row := capture.Row{TimeMicros: c.Time, HasTime: c.HasTime, Tenant: c.Tenant, Session: c.Session, Seq: r.Seq, HasSeq: c.Session != "",
		Agent: c.Agent, Chain: append([]string(nil), c.Chain...), Tool: c.Tool, Action: c.Action, Effect: r.Effect().String(), Region: c.Region,
		CostMicro: c.Cost, HasCost: c.HasCost, RecordedDecision: r.Answer.Decision.Decision, RecordedPolicyVersion: r.Answer.Decision.PolicyVersion,
		Coverage: "absent", Labels: map[string]string{"decision_id": r.ID, "door": r.Door, "mode": r.Answer.Decision.Mode}}
	if c.Args.Kind() == aegis.Object {
		row.Args, row.Coverage = append([]byte(nil), c.Args.Text()...), "full"
	}
	return row
}
