package simulate

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// record is a fixed number of keys, compared from the first on.
type record [5]uint64

func (r *record) compare(s *record) int {
	for i := range r {
		if r[i] != s[i] {
			if r[i] < s[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

func sortRecords(rs []record) {
	slices.SortFunc(rs, func(a, b record) int { return a.compare(&b) })
}

// defaultSpill is how many records a sorter holds in memory: 40 MiB of them.
const defaultSpill = 1 << 20

// sorter sorts records, in memory up to a bound and beyond it in sorted runs on disk that are merged when read.
type sorter struct {
	dir   string
	limit int
	buf   []record
	runs  []*os.File
}

func newSorter(dir string, limit int64) *sorter {
	return &sorter{dir: dir, limit: int(orElse(limit, defaultSpill))}
}

func (s *sorter) add(r record) error {
	s.buf = append(s.buf, r)
	if len(s.buf) < s.limit {
		return nil
	}
	return s.spill()
}

func (s *sorter) spill() error {
	sortRecords(s.buf)
	f, err := os.CreateTemp(s.dir, "run-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	w := bufio.NewWriterSize(f, 1<<18)
	if err := binary.Write(w, binary.LittleEndian, s.buf); err != nil {
		return err
	}
	s.buf = s.buf[:0]
	return w.Flush()
}

// each calls f for every record in order. It can be called once.
func (s *sorter) each(f func(record) error) error {
	sortRecords(s.buf)
	if len(s.runs) == 0 {
		for _, r := range s.buf {
			if err := f(r); err != nil {
				return err
			}
		}
		s.buf = nil
		return nil
	}
	var h runHeap
	defer func() {
		for _, run := range s.runs {
			run.Close()
			os.Remove(run.Name())
		}
	}()
	for _, file := range s.runs {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := h.start(&runReader{in: bufio.NewReaderSize(file, 1<<16)}); err != nil {
			return err
		}
	}
	if err := h.start(&runReader{mem: s.buf}); err != nil {
		return err
	}
	for len(h) > 0 {
		if err := f(h[0].at); err != nil {
			return err
		}
		switch err := h[0].next(); {
		case err == nil:
			heap.Fix(&h, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&h)
		default:
			return err
		}
	}
	s.buf = nil
	return nil
}

// runReader reads one sorted run, from disk or from memory.
type runReader struct {
	in  *bufio.Reader
	mem []record
	at  record
	raw [40]byte
}

func (r *runReader) next() error {
	if r.in == nil {
		if len(r.mem) == 0 {
			return io.EOF
		}
		r.at, r.mem = r.mem[0], r.mem[1:]
		return nil
	}
	if _, err := io.ReadFull(r.in, r.raw[:]); err != nil {
		return err
	}
	for i := range r.at {
		r.at[i] = binary.LittleEndian.Uint64(r.raw[8*i:])
	}
	return nil
}

// runHeap holds the runs that have records left, the least first.
type runHeap []*runReader

func (h *runHeap) start(r *runReader) error {
	err := r.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		heap.Push(h, r)
	}
	return err
}

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return h[i].at.compare(&h[j].at) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*runReader)) }
func (h *runHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
