package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Bounds of an import.
const (
	maxLine      = maxValue + 1<<20 // bytes of one line
	importBatch  = 256 << 10        // bytes of lines parsed at a time
	maxUnknown   = 1000             // distinct unknown members that are told apart; the rest are counted together
	defaultBad   = 20               // bad lines that are listed
	unknownOther = "(others)"
)

// ImportOptions are the choices of an import. The zero value is fine.
type ImportOptions struct {
	Tenant  string // of lines that state none; "" leaves it open
	Samples int    // how many bad lines to list; 0 means 20
	Workers int    // how many lines to parse at once; 0 means one for each processor
}

// BadLine is a line that could not be read as a call.
type BadLine struct {
	File   string
	Line   int64 // from 1
	Reason string
}

// ImportStats says what became of every line of an input.
type ImportStats struct {
	Lines        int64            // lines that are not blank: Rows and Rejected together
	Rows         int64            // calls handed on
	Rejected     int64            // bad lines
	Samples      []BadLine        // the first of them
	RoundedCosts int64            // estimated costs that had more than 6 decimals
	Unknown      map[string]int64 // members that a captured call does not have, which were left out: name → lines
	Gzip         bool             // the input was compressed
}

// ImportJSONL reads one JSON object per line, plain or in gzip, and hands each call to emit, in order. A Row is valid
// only until emit returns. The name is for messages.
//
// The members of a line are those of Row, spelled as the columns (time, tenant, session, seq, agent, chain, tool,
// action, args, effect, region, estimated_cost, recorded_decision, recorded_policy_version, outcome, coverage,
// labels), and source, model, call_id and parent, which become labels. A line that is not strict JSON (aegis.Parse), or
// whose members are not what they should be, is counted and not handed on; the first such lines are listed.
//
// An error is one of reading or of emit; the ImportStats are then of what came before it.
func ImportJSONL(in io.Reader, name string, emit func(*Row) error, opts ImportOptions) (ImportStats, error) {
	st := ImportStats{Unknown: map[string]int64{}}
	if opts.Samples == 0 {
		opts.Samples = defaultBad
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	src, err := st.decompress(in, name)
	if err != nil {
		return st, err
	}
	im := importer{name: name, opts: opts, quit: make(chan struct{}),
		work: make(chan *lines, opts.Workers), order: make(chan *lines, 2*opts.Workers)}
	var wg sync.WaitGroup
	wg.Go(func() { im.split(src) })
	for range opts.Workers {
		wg.Go(im.parse)
	}
	for l := range im.order {
		<-l.done
		if err == nil {
			if err = st.take(l, name, opts.Samples, emit); err != nil {
				close(im.quit)
			}
		}
	}
	wg.Wait()
	return st, err
}

// decompress looks whether the input is gzip.
func (st *ImportStats) decompress(in io.Reader, name string) (io.Reader, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	head, err := r.Peek(2)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		if head, _ := r.Peek(4); string(head) == magic {
			return nil, fmt.Errorf("%s: this is a Parquet file already", name)
		}
		return r, nil
	}
	st.Gzip = true
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return z, nil
}

// lines is a run of lines on its way from the splitter through a parser to emit.
type lines struct {
	first   int64 // number of the first line
	text    []byte
	ends    []int // of each line in text; negative: a line that is too long was left out
	rows    []Row
	bad     []BadLine
	rounded int64
	unknown []string // members left out, one for each line that has it
	err     error    // of reading, after these lines
	done    chan struct{}
}

type importer struct {
	name  string
	opts  ImportOptions
	work  chan *lines // to the parsers
	order chan *lines // to the emitter, in the order of the input
	quit  chan struct{}
}

// send hands lines to the parsers and to the emitter, unless the import has been given up.
func (im *importer) send(l *lines) bool {
	select {
	case <-im.quit:
		return false
	default:
	}
	im.order <- l // the emitter drains this until it is closed
	im.work <- l
	return true
}

// split cuts the input into runs of whole lines.
func (im *importer) split(src io.Reader) {
	defer close(im.order)
	defer close(im.work)
	r := bufio.NewReaderSize(src, 1<<16)
	number := int64(1)
	for {
		l := &lines{first: number, done: make(chan struct{})}
		for len(l.text) < importBatch && len(l.ends) < 4096 && l.err == nil {
			l.err = l.readLine(r)
		}
		number += int64(len(l.ends))
		end := l.err != nil
		if l.err == io.EOF {
			l.err = nil
		} else if l.err != nil {
			l.err = fmt.Errorf("reading %s after line %d: %w", im.name, number-1, l.err)
		}
		if !im.send(l) || end {
			return
		}
	}
}

// readLine appends a line. One that is too long is passed over, and takes no memory.
func (l *lines) readLine(r *bufio.Reader) error {
	begin, long, some := len(l.text), false, false
	for {
		part, err := r.ReadSlice('\n')
		some = some || len(part) > 0
		if len(l.text)-begin+len(part) > maxLine {
			long, l.text = true, l.text[:begin]
		}
		if !long {
			l.text = append(l.text, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && (err != io.EOF || !some) {
			l.text = l.text[:begin]
			return err
		}
		if long {
			l.ends = append(l.ends, -1)
		} else {
			l.ends = append(l.ends, len(l.text))
		}
		return err
	}
}

// parse is a worker: it turns lines into rows.
func (im *importer) parse() {
	var p lineParser
	p.tenant = im.opts.Tenant
	for l := range im.work {
		p.parse(l)
		close(l.done)
	}
}

// take hands on the rows of l and adds up what else there is to say of it.
func (st *ImportStats) take(l *lines, name string, samples int, emit func(*Row) error) error {
	for i := range l.rows {
		if err := emit(&l.rows[i]); err != nil {
			return err
		}
		st.Rows++
		st.Lines++
	}
	st.Lines += int64(len(l.bad))
	st.Rejected += int64(len(l.bad))
	for _, b := range l.bad {
		if len(st.Samples) < samples {
			b.File = name
			st.Samples = append(st.Samples, b)
		}
	}
	st.RoundedCosts += l.rounded
	for _, k := range l.unknown {
		if _, known := st.Unknown[k]; !known && len(st.Unknown) >= maxUnknown {
			k = unknownOther
		}
		st.Unknown[k]++
	}
	return l.err
}

var errLongLine = errors.New("the line is longer than 17 MiB")
