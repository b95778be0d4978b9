package decide

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/aegisctl/aegis"
)

// trySingles judges every candidate alone. What a rule that reads only this one of the changed arguments says does not
// depend on the others, so that most candidates are ruled out before they are combined.
func (f *flipper) trySingles() {
	if f.singles != nil {
		return
	}
	f.singles = make([][]single, len(f.levers))
	for i, a := range f.levers {
		f.singles[i] = make([]single, len(a.candidates))
		for j := range a.candidates {
			if v, ok := f.try(choice{[]int{i}, []int{j}}); ok {
				f.singles[i][j] = single{v.Outcome, slices.Clone(v.Hits)}
			} else {
				f.singles[i][j] = single{outcome: aegis.Reject}
			}
		}
	}
}

// smallest looks for the fewest arguments, then the smallest distance. complete is false where a bound was met.
func (f *flipper) smallest(target aegis.Outcome, masks []uint64) (best *choice, complete bool) {
	weight, distance := maxArguments*1_000_000, 0.0
	subsets := 0
	complete = true
	for size := 1; size <= min(f.together(target), len(f.levers)) && size < weight; size++ {
		f.subsets(size, masks, func(levers []int) bool {
			if subsets++; subsets > maxSubsets || f.tries > f.most {
				complete = false
				return false
			}
			w := 0
			for _, l := range levers {
				w += 1 + len(f.levers[l].also)
			}
			if w > weight {
				return true
			}
			if p, d := f.product(target, levers); p != nil && (w < weight || d < distance) {
				best, weight, distance = p, w, d
			}
			complete = complete && f.tries <= f.most
			return complete
		})
	}
	return best, complete
}

// subsets calls each with every set of so many levers that has one of each mask, until it returns false. Levers of
// which one lies inside another are never together.
func (f *flipper) subsets(size int, masks []uint64, each func([]int) bool) {
	var chosen []int
	var next func(from int, set uint64) bool
	next = func(from int, set uint64) bool {
		if len(chosen) == size {
			if slices.ContainsFunc(masks, func(m uint64) bool { return m&set == 0 }) {
				return true
			}
			return each(chosen)
		}
		rest := ^uint64(0) << from
		if slices.ContainsFunc(masks, func(m uint64) bool { return m&(set|rest) == 0 }) {
			return true
		}
		for i := from; i < len(f.levers); i++ {
			if slices.ContainsFunc(chosen, func(j int) bool { return f.overlap(i, j) }) {
				continue
			}
			chosen = append(chosen, i)
			ok := next(i+1, set|1<<i)
			chosen = chosen[:len(chosen)-1]
			if !ok {
				return false
			}
		}
		return true
	}
	next(0, 0)
}

func (f *flipper) overlap(i, j int) bool {
	for _, p := range append([][]string{f.levers[i].path}, f.levers[i].also...) {
		for _, q := range append([][]string{f.levers[j].path}, f.levers[j].also...) {
			if within(p, q) || within(q, p) {
				return true
			}
		}
	}
	return false
}

// product looks through the combinations of the subset's candidates, nearest first, and returns the first that gives
// the target.
func (f *flipper) product(target aegis.Outcome, levers []int) (*choice, float64) {
	lists := make([][]int, len(levers))
	for i := range levers {
		if lists[i] = f.possible(target, levers, i); len(lists[i]) == 0 {
			return nil, 0
		}
	}
	far := func(at []int) (d float64) {
		for j, k := range at {
			d += f.levers[levers[j]].candidates[lists[j][k]].distance
		}
		return d
	}
	first := make([]int, len(levers))
	q := &queue{{first, far(first)}}
	seen, key := map[string]bool{}, []byte{}
	for q.Len() > 0 && f.tries <= f.most {
		c := heap.Pop(q).(combination)
		p := choice{slices.Clone(levers), make([]int, len(levers))}
		for i := range levers {
			p.at[i] = lists[i][c.at[i]]
		}
		if f.gives(p, target) {
			return &p, c.distance
		}
		for i := range levers {
			at := slices.Clone(c.at)
			if at[i]++; at[i] == len(lists[i]) {
				continue
			}
			key = key[:0]
			for _, k := range at {
				key = append(key, byte(k)) // maxCandidates is below 256
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				heap.Push(q, combination{at, far(at)})
			}
		}
	}
	return nil, 0
}

func (f *flipper) gives(p choice, target aegis.Outcome) bool {
	if len(p.levers) == 1 {
		return class(f.singles[p.levers[0]][p.at[0]].outcome) == target
	}
	v, ok := f.try(p)
	return ok && class(v.Outcome) == target
}

// possible returns the candidates of the subset's lever i that do not by themselves rule the target out.
func (f *flipper) possible(target aegis.Outcome, levers []int, i int) []int {
	var others uint64
	for j, l := range levers {
		if j != i {
			others |= 1 << l
		}
	}
	var out []int
	for j, s := range f.singles[levers[i]] {
		ruled := s.outcome == aegis.Reject || target != aegis.Deny && slices.ContainsFunc(s.hits, func(h aegis.Hit) bool {
			return class(h.Outcome) > target && f.mask(h.Rule)&others == 0
		})
		if !ruled {
			out = append(out, j)
		}
	}
	return out
}

// combination is one of a subset's candidates, by their places in what is possible.
type combination struct {
	at       []int
	distance float64
}

// queue hands out combinations, nearest first.
type queue []combination

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].distance, q[j].distance), slices.Compare(q[i].at, q[j].at)) < 0
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(combination)) }

func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
