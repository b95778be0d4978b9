package capture

import (
	"cmp"
	"hash/maphash"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Head returns the first n rows of a file, or all where there are fewer. Rows that ReadGroup would mark as rejected
// are among them, as they are.
func Head(path string, n int) ([]Row, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b Batch
	rows := make([]Row, 0, max(min(int64(n), f.NumRows(), GroupRows), 0))
	for g := 0; g < f.NumGroups() && len(rows) < n; g++ {
		if err := f.ReadGroup(g, AllColumns, &b); err != nil {
			return nil, err
		}
		for i := 0; i < b.Rows && len(rows) < n; i++ {
			rows = append(rows, Row{})
			b.Row(i, &rows[len(rows)-1])
		}
	}
	return rows, nil
}

// Count is how many rows have a key.
type Count struct {
	Key  string `json:"key"`
	Rows int64  `json:"rows"`
}

// LabelStats is what there is to say of one label.
type LabelStats struct {
	Key      string `json:"key"`
	Rows     int64  `json:"rows"`     // that have it
	Distinct int64  `json:"distinct"` // values, counted up to MaxDistinct
}

// MaxDistinct is up to where the distinct values of a label are counted.
const MaxDistinct = 1_000_000

// FileStats is what there is to say of one file.
type FileStats struct {
	Path    string   `json:"path"`
	Bytes   int64    `json:"bytes"`
	Rows    int64    `json:"rows"`
	Assumed []string `json:"assumed"`
	Ignored []string `json:"ignored"`
}

// Stats describes captured traffic. Counts are of rows, in descending order; rejected rows are counted in Rows,
// Rejected and Nulls and nowhere else.
type Stats struct {
	Files      []FileStats  `json:"files"`
	Rows       int64        `json:"rows"`
	Rejected   []Count      `json:"rejected"` // by reason
	Timed      int64        `json:"timed"`    // rows that have a time
	FirstTime  int64        `json:"first_time_micros"`
	LastTime   int64        `json:"last_time_micros"`
	Sessions   int64        `json:"sessions"` // distinct pairs of tenant and session
	Agents     []Count      `json:"agents"`   // tenant/agent, or agent where no tenant is stated
	Tools      []Count      `json:"tools"`
	Actions    []Count      `json:"actions"` // tool/action
	Coverage   []Count      `json:"coverage"`
	Labels     []LabelStats `json:"labels"` // by key
	Nulls      []Count      `json:"nulls"`  // by column, in the order of the file
	ArgsMin    int64        `json:"args_bytes_min"`
	ArgsMedian int64        `json:"args_bytes_median"`
	ArgsMax    int64        `json:"args_bytes_max"`
}

// ComputeStats reads whole files and describes them together.
func ComputeStats(paths ...string) (*Stats, error) {
	out := &Stats{}
	total := newTally()
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			return nil, err
		}
		fs := FileStats{Path: path, Rows: f.NumRows(), Assumed: f.Assumed(), Ignored: f.Ignored()}
		if st, err := os.Stat(path); err == nil {
			fs.Bytes = st.Size()
		}
		out.Files = append(out.Files, fs)
		out.Rows += f.NumRows()
		err = total.file(f)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	total.report(out)
	return out, nil
}

// tally adds up what Stats reports.
type tally struct {
	seed                                       maphash.Seed
	rejected, agents, tools, actions, coverage map[string]int64
	nulls                                      [columnCount]int64
	timed, first, last                         int64
	sessions                                   map[uint64]struct{}
	labels                                     map[string]*labelTally
	lengths                                    map[int64]int64 // rows by bytes of args
}

type labelTally struct {
	rows   int64
	values map[uint64]struct{}
}

func newTally() *tally {
	return &tally{seed: maphash.MakeSeed(), rejected: map[string]int64{}, agents: map[string]int64{},
		tools: map[string]int64{}, actions: map[string]int64{}, coverage: map[string]int64{},
		sessions: map[uint64]struct{}{}, labels: map[string]*labelTally{}, lengths: map[int64]int64{}}
}

// file adds a file, whose groups are read by one goroutine for each processor.
func (t *tally) file(f *File) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range min(runtime.GOMAXPROCS(0), f.NumGroups()) {
		wg.Go(func() {
			part := newTally()
			part.seed = t.seed
			var b Batch
			var err error
			for err == nil {
				g := int(next.Add(1)) - 1
				if g >= f.NumGroups() {
					break
				}
				if err = f.ReadGroup(g, AllColumns, &b); err == nil {
					part.batch(&b)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if t.merge(part); first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return first
}

// batch adds the rows of a batch.
func (t *tally) batch(b *Batch) {
	t.countNulls(b)
	agents, tools, actions := map[uint64]int64{}, make([]int64, len(b.Tool.Dict)), map[uint64]int64{}
	pair := func(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }
	var coverage [len(coverageNames)]int64
	for i := range b.Rows {
		if why := b.Rejected[i]; why != Accepted {
			t.rejected[why.String()]++
			continue
		}
		agents[pair(b.Tenant.Index[i], b.Agent.Index[i])]++
		tools[b.Tool.Index[i]]++
		actions[pair(b.Tool.Index[i], b.Action.Index[i])]++
		coverage[b.Coverage[i]]++
		if !b.TimeNull[i] {
			if t.timed++; t.timed == 1 || b.Time[i] < t.first {
				t.first = b.Time[i]
			}
			if t.timed == 1 || b.Time[i] > t.last {
				t.last = b.Time[i]
			}
		}
		if !b.ArgsNull[i] {
			t.lengths[int64(b.ArgsEnd[i]-b.ArgsStart[i])]++
		}
		if s := b.Session.Index[i]; s >= 0 {
			h := maphash.String(t.seed, b.Session.Dict[s])
			if n := b.Tenant.Index[i]; n >= 0 {
				h = h*31 + maphash.String(t.seed, b.Tenant.Dict[n])
			}
			t.sessions[h] = struct{}{}
		}
	}
	for i, n := range coverage {
		add(t.coverage, Coverage(i).String(), n)
	}
	for i, n := range tools {
		add(t.tools, b.Tool.Dict[i], n)
	}
	addPairs(t.agents, agents, &b.Tenant, &b.Agent)
	addPairs(t.actions, actions, &b.Tool, &b.Action)
	t.countLabels(b)
}

func add(m map[string]int64, key string, n int64) {
	if n > 0 {
		m[key] += n
	}
}

// addPairs counts pairs as "first/second", or by the one that is not null.
func addPairs(m map[string]int64, pairs map[uint64]int64, first, second *StringColumn) {
	for p, n := range pairs {
		a, b := int32(p>>32), int32(uint32(p))
		switch {
		case a < 0:
			add(m, second.Dict[b], n)
		case b < 0:
			add(m, first.Dict[a], n)
		default:
			add(m, first.Dict[a]+"/"+second.Dict[b], n)
		}
	}
}

func (t *tally) countNulls(b *Batch) {
	for i := range specs {
		var n int64
		if c := b.textOf(i); c != nil {
			for _, x := range c.Index {
				n += int64(uint32(x) >> 31)
			}
		}
		switch i {
		case colTime:
			n = trues(b.TimeNull)
		case colSeq:
			n = trues(b.SeqNull)
		case colCost:
			n = trues(b.CostNull)
		case colArgs:
			n = trues(b.ArgsNull)
		case colChain:
			for _, x := range b.Chain.Index {
				n += int64(uint32(x) >> 31)
			}
		case colLabels:
			for k := range b.Rows {
				if b.key.off[k] == b.key.off[k+1] {
					n++
				}
			}
		}
		t.nulls[i] += n
	}
}

func trues(s []bool) (n int64) {
	for _, v := range s {
		if v {
			n++
		}
	}
	return n
}

func (t *tally) countLabels(b *Batch) {
	tallies := make([]*labelTally, len(b.key.text.dict))
	for i, k := range b.key.text.dict {
		if t.labels[k] == nil {
			t.labels[k] = &labelTally{values: map[uint64]struct{}{}}
		}
		tallies[i] = t.labels[k]
	}
	hashes := make([]uint64, len(b.val.text.dict))
	for i, v := range b.val.text.dict {
		hashes[i] = maphash.String(t.seed, v)
	}
	for i := range b.Rows {
		if b.Rejected[i] != Accepted {
			continue
		}
		for e := b.key.off[i]; e < b.key.off[i+1]; e++ {
			k, v := b.key.elem[e], b.val.elem[e]
			if k < 0 || v < 0 {
				continue
			}
			l := tallies[k]
			if l.rows++; len(l.values) < MaxDistinct {
				l.values[hashes[v]] = struct{}{}
			}
		}
	}
}

// merge adds what another tally counted.
func (t *tally) merge(o *tally) {
	for _, m := range [][2]map[string]int64{{t.rejected, o.rejected}, {t.agents, o.agents}, {t.tools, o.tools},
		{t.actions, o.actions}, {t.coverage, o.coverage}} {
		for k, n := range m[1] {
			m[0][k] += n
		}
	}
	for i, n := range o.nulls {
		t.nulls[i] += n
	}
	if o.timed > 0 {
		if t.timed == 0 {
			t.first, t.last = o.first, o.last
		}
		t.first, t.last, t.timed = min(t.first, o.first), max(t.last, o.last), t.timed+o.timed
	}
	for h := range o.sessions {
		t.sessions[h] = struct{}{}
	}
	for n, k := range o.lengths {
		t.lengths[n] += k
	}
	for k, l := range o.labels {
		if t.labels[k] == nil {
			t.labels[k] = l
			continue
		}
		t.labels[k].rows += l.rows
		for h := range l.values {
			t.labels[k].values[h] = struct{}{}
		}
	}
}

func (t *tally) report(out *Stats) {
	out.Timed, out.FirstTime, out.LastTime, out.Sessions = t.timed, t.first, t.last, int64(len(t.sessions))
	out.Rejected, out.Agents, out.Tools = counts(t.rejected), counts(t.agents), counts(t.tools)
	out.Actions, out.Coverage = counts(t.actions), counts(t.coverage)
	for i := range specs {
		out.Nulls = append(out.Nulls, Count{specs[i].name, t.nulls[i]})
	}
	for k, l := range t.labels {
		if l.rows > 0 {
			out.Labels = append(out.Labels, LabelStats{k, l.rows, min(int64(len(l.values)), MaxDistinct)})
		}
	}
	slices.SortFunc(out.Labels, func(a, b LabelStats) int { return cmp.Compare(a.Key, b.Key) })
	var sizes []int64
	var rows int64
	for n, k := range t.lengths {
		sizes = append(sizes, n)
		rows += k
	}
	if rows == 0 {
		return
	}
	slices.Sort(sizes)
	out.ArgsMin, out.ArgsMax = sizes[0], sizes[len(sizes)-1]
	for seen, i := int64(0), 0; seen < (rows+1)/2; i++ {
		out.ArgsMedian = sizes[i]
		seen += t.lengths[sizes[i]]
	}
}

func counts(m map[string]int64) []Count {
	out := make([]Count, 0, len(m))
	for k, n := range m {
		out = append(out, Count{k, n})
	}
	slices.SortFunc(out, func(a, b Count) int {
		if c := cmp.Compare(b.Rows, a.Rows); c != 0 {
			return c
		}
		return cmp.Compare(a.Key, b.Key)
	})
	return out
}
