package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// target is one endpoint, and the request that is sent to it again and again.
type target struct {
	name string
	addr string
	text []byte // of the whole HTTP request
}

func newTarget(name, addr, path, headers string, body []byte) target {
	text := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", path, headers, len(body))
	return target{name, addr, append(text, body...)}
}

// result is what a load came to.
type result struct {
	sent    int64
	errors  int64
	last    time.Time               // of the answers
	elapsed time.Duration           // to the last answer: a server that falls behind takes longer
	latency *hdrhistogram.Histogram // in microseconds
}

func (r *result) rate() float64 { return float64(r.sent) / r.elapsed.Seconds() }

func (r *result) at(percentile float64) string {
	return fmt.Sprintf("%.2f ms", float64(r.latency.ValueAtQuantile(percentile))/1000)
}

// client is a connection that sends one request after the other. It reads as little of an answer as it must, so that most
// of the machine is left to the server.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(addr string) (*client, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReaderSize(c, 16<<10)}, nil
}

// do sends a request and reads the answer; the body is kept only where into is given.
func (c *client) do(text []byte, into *bytes.Buffer) (status int, err error) {
	if _, err := c.conn.Write(text); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0, errors.Join(errors.New("no answer"), err)
	}
	status, _ = strconv.Atoi(string(line[9:12]))
	length, chunked := 0, false
	for {
		line, err = c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(key, []byte("Content-Length")):
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		case bytes.EqualFold(key, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	if !chunked {
		return status, c.body(length, into)
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return 0, err
		}
		if err := c.body(int(n), into); err != nil {
			return 0, err
		}
		if _, err := c.in.Discard(2); err != nil || n == 0 {
			return status, err
		}
	}
}

func (c *client) body(n int, into *bytes.Buffer) error {
	if into == nil {
		_, err := c.in.Discard(n)
		return err
	}
	for range n {
		b, err := c.in.ReadByte()
		if err != nil {
			return err
		}
		into.WriteByte(b)
	}
	return nil
}

// closed drives a target with workers that each send as soon as they were answered: what it can do at most.
func closed(t target, workers int, warm, length time.Duration) (*result, error) {
	return drive(t, workers, func(int64) time.Time { return time.Time{} }, warm, length)
}

// open drives a target with requests at a fixed rate, whatever becomes of them. Latency counts from when a request was due:
// one that waits for a worker, because earlier ones were slow, is as late as it is (no coordinated omission).
func open(t target, rate float64, workers int, warm, length time.Duration) (*result, error) {
	begun := time.Now()
	return drive(t, workers, func(i int64) time.Time { return begun.Add(time.Duration(float64(i) / rate * float64(time.Second))) }, warm, length)
}

// drive sends until warm and length are over; what was due in the first does not count.
func drive(t target, workers int, due func(int64) time.Time, warm, length time.Duration) (*result, error) {
	begun := time.Now()
	from, until := begun.Add(warm), begun.Add(warm+length)
	var next atomic.Int64
	var wg sync.WaitGroup
	parts, errs := make([]*result, workers), make([]error, workers)
	for w := range workers {
		wg.Go(func() { parts[w], errs[w] = drivePart(t, &next, due, from, until) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all := &result{last: until, latency: histogram()}
	for _, p := range parts {
		if p.last.After(all.last) {
			all.last = p.last
		}
		all.sent, all.errors = all.sent+p.sent, all.errors+p.errors
		all.latency.Merge(p.latency)
	}
	all.elapsed = all.last.Sub(from)
	if all.errors > 0 {
		return all, fmt.Errorf("%s: %d of %d answers were not 200", t.name, all.errors, all.sent)
	}
	return all, nil
}

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func drivePart(t target, next *atomic.Int64, due func(int64) time.Time, from, until time.Time) (*result, error) {
	c, err := dial(t.addr)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	r := &result{latency: histogram()}
	for {
		at := due(next.Add(1) - 1)
		if at.IsZero() {
			at = time.Now()
		} else if wait := time.Until(at); wait > 0 {
			time.Sleep(wait)
		}
		if at.After(until) {
			return r, nil
		}
		status, err := c.do(t.text, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		now := time.Now()
		if at.Before(from) {
			continue
		}
		r.last = now
		if r.sent++; status != 200 {
			r.errors++
		}
		r.latency.RecordValue(min(max(now.Sub(at).Microseconds(), 1), 60_000_000))
	}
}
