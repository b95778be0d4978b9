package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aegisctl/aegis/serve"
)

// format writes one event as one line, with its newline.
type format func(*bytes.Buffer, *Event)

// Output writes an event for every decision to one place, in one format.
type Output struct {
	name   string
	format format
	head   string // written at the beginning of a file that is empty
	to     sink
	queue  *queue[*Event]
	log    *slog.Logger

	written, failed atomic.Int64
	failing         bool // of the writing goroutine
}

// OutputOptions say what is written where.
type OutputOptions struct {
	// Spec is FORMAT=PLACE. The format is jsonl, ocsf, cef, syslog or csv; the place a file (a path, appended to), - (standard
	// output), or udp://host:port, tcp://host:port, tls://host:port, where every event is one syslog message (RFC 5424).
	Spec    string
	Version string // of this program
	Stdout  interface{ Write([]byte) (int, error) }
	CA      []byte // PEM of the authorities that tls places are believed by; nil: those of the system
	Log     *slog.Logger
}

// queued is how many events wait for a slow place; each takes about a kilobyte.
const queued = 16384

// NewOutput opens an output. A file that cannot be opened is an error; a server that is away costs events.
func NewOutput(opt OutputOptions) (*Output, error) {
	kind, place, ok := strings.Cut(opt.Spec, "=")
	if !ok || place == "" {
		return nil, fmt.Errorf("events %q: write FORMAT=PLACE, as ocsf=/var/log/aegis.jsonl or cef=tls://siem.example:6514", opt.Spec)
	}
	o := &Output{log: opt.Log}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	switch kind {
	case "jsonl":
		o.format = jsonLine
	case "ocsf":
		o.format = ocsfLine(opt.Version)
	case "cef":
		o.format = cefLine(opt.Version)
	case "syslog":
		o.format = textLine
	case "csv":
		o.format, o.head = csvLine, csvHead
	default:
		return nil, fmt.Errorf("events %q: the format is jsonl, ocsf, cef, syslog or csv", opt.Spec)
	}
	network := strings.Contains(place, "://")
	switch {
	case kind == "csv" && network:
		return nil, errors.New("events: csv goes into files only")
	case kind == "syslog" && !network:
		o.format = syslogLine() // whole messages, one a line
	case network:
		o.format = inSyslog(o.format, kind == "syslog")
	}
	var err error
	if o.to, err = openSink(place, opt); err != nil {
		return nil, err
	}
	if o.name = kind + " to a file"; network {
		o.name = kind + " to " + label(place)
	} else if place == "-" {
		o.name = kind + " to standard output"
	}
	if o.head != "" && o.to.fresh() {
		if err := o.to.write(context.Background(), []byte(o.head)); err != nil {
			return nil, err
		}
	}
	o.queue = newQueue(queued, 256, 200*time.Millisecond, o.send)
	return o, nil
}

// Name says what is written where, without the name of a file.
func (o *Output) Name() string { return o.name }

// Counts returns how many events were written, how many the place did not take, and how many found the queue full.
func (o *Output) Counts() (written, failed, dropped int64) {
	return o.written.Load(), o.failed.Load(), o.queue.dropped.Load()
}

// Close writes what is left, no longer than ctx allows.
func (o *Output) Close(ctx context.Context) error {
	return errors.Join(o.queue.close(ctx), o.to.close())
}

// send writes events. Each is one write: a datagram holds one message.
func (o *Output) send(ctx context.Context, events []*Event) {
	var b bytes.Buffer
	for _, e := range events {
		b.Reset()
		o.format(&b, e)
		if err := o.to.write(ctx, b.Bytes()); err != nil {
			o.failed.Add(1)
			if !o.failing {
				o.log.Warn("events could not be written; they are counted in aegis_events_total", "output", o.name, "error", err)
			}
			o.failing = true
			continue
		}
		o.written.Add(1)
		if o.failing {
			o.log.Warn("events are written again", "output", o.name)
		}
		o.failing = false
	}
}

// Events hands every decision to outputs. It is a serve.Observer.
type Events []*Output

// Observe makes the event, once, and queues it.
func (ev Events) Observe(ctx context.Context, r *serve.Record) {
	if len(ev) == 0 {
		return
	}
	e := newEvent(ctx, r)
	for _, o := range ev {
		o.queue.put(e)
	}
}
