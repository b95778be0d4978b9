package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// outcome is what one session may bring: calls, and hits (for a pair: under the new policy only,
// under the old one only).
type outcome struct{ n, x, y int64 }

// population draws sessions from a finite distribution by Walker's alias method (1977), one random
// number a session, so that thousands of replications of a cell take milliseconds.
type population struct {
	out   []outcome
	keep  []float64
	other []int32
	ratio float64 // expected hits per expected call: what an interval must cover
}

func newPopulation(out []outcome, weight []float64) *population {
	k := len(out)
	p := &population{out: out, keep: make([]float64, k), other: make([]int32, k)}
	var total, calls, hits float64
	for i, w := range weight {
		total += w
		calls += w * float64(out[i].n)
		hits += w * float64(out[i].x-out[i].y)
	}
	p.ratio = hits / calls
	var small, large []int
	for i, w := range weight {
		p.keep[i], p.other[i] = w/total*float64(k), int32(i)
		if p.keep[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		p.other[s] = int32(l)
		p.keep[l] -= 1 - p.keep[s]
		if p.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		p.keep[i] = 1
	}
	return p
}

func (p *population) draw(r *rand.Rand) outcome {
	u := r.Float64() * float64(len(p.out))
	i := int(u)
	if u-float64(i) >= p.keep[i] {
		i = int(p.other[i])
	}
	return p.out[i]
}

// shape is a distribution of session sizes: the weight of each number of calls.
type shape struct {
	name   string
	weight []float64
}

func sizes(name string, most int, weight func(n float64) float64) shape {
	s := shape{name, make([]float64, most+1)}
	for n := 1; n <= most; n++ {
		s.weight[n] = weight(float64(n))
	}
	return s
}

func (s shape) mean() float64 {
	var total, calls float64
	for n, w := range s.weight {
		total += w
		calls += w * float64(n)
	}
	return calls / total
}

func constant(n int) shape {
	s := sizes(fmt.Sprintf("all %d", n), n, func(float64) float64 { return 0 })
	s.weight[n] = 1
	return s
}

func pareto(alpha float64, most int) shape {
	name := fmt.Sprintf("Pareto %.1f to %d", alpha, most)
	return sizes(name, most, func(n float64) float64 { return math.Pow(n, -1-alpha) })
}

func geometric() shape {
	return sizes("geometric 4", 60, func(n float64) float64 { return math.Pow(0.75, n-1) })
}

func lgamma(x float64) float64 { v, _ := math.Lgamma(x); return v }

func lbeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

// betaBinomial returns the probabilities of 0..n hits at the given rate and intra-session
// correlation.
func betaBinomial(n int, rate, icc float64) []float64 {
	p := make([]float64, n+1)
	a, b := rate*(1/icc-1), (1-rate)*(1/icc-1)
	for x := range p {
		fx, fy := float64(x), float64(n-x)
		l := -lbeta(fx+1, fy+1) - math.Log(float64(n+1))
		if icc == 0 {
			l += fx*math.Log(rate) + fy*math.Log1p(-rate)
		} else {
			l += lbeta(fx+a, fy+b) - lbeta(a, b)
		}
		p[x] = math.Exp(l)
	}
	return p
}

// build makes the population of a shape from the distribution of the hits of a session of n calls.
func build(s shape, hits func(n int) []float64) *population {
	var out []outcome
	var weight []float64
	for n, w := range s.weight {
		if w == 0 {
			continue
		}
		for x, q := range hits(n) {
			out = append(out, outcome{n: int64(n), x: int64(x)})
			weight = append(weight, w*q)
		}
	}
	return newPopulation(out, weight)
}

// coverage is the share of replications whose interval contains the truth.
func coverage(seed uint64, sessions int, p *population, interval func(int, func() outcome) (float64, float64)) float64 {
	r := rand.New(rand.NewPCG(seed, 0xae915))
	draw := func() outcome { return p.draw(r) }
	in := 0
	for range replications() {
		if lo, hi := interval(sessions, draw); lo <= p.ratio && p.ratio <= hi {
			in++
		}
	}
	return float64(in) / float64(replications())
}

func single(sessions int, draw func() outcome) (lo, hi float64) {
	var m Moments
	for range sessions {
		o := draw()
		m.Add(o.n, o.x)
	}
	return m.Interval95()
}

func paired(sessions int, draw func() outcome) (lo, hi float64) {
	var m PairMoments
	for range sessions {
		o := draw()
		m.Add(o.n, o.x, o.y)
	}
	return m.Diff95()
}

func long() bool { return os.Getenv("AEGIS_LONG") != "" }

func replications() int {
	if long() {
		return 20000
	}
	return 2000
}

// cells collects the coverages of a grid and judges them. A cell passes when its coverage is within
// low..high but for the error of so many replications, at 2.6 standard errors (1% two-sided): with
// 2,000 that adds 1.5 points below 93% and 1.0 above 97%, with 20,000 it adds 0.5 and 0.3.
type cells struct {
	t        *testing.T
	n        int
	sum      float64
	min, max float64 // of the current row
}

func (c *cells) judge(cover, low, high float64, what string) {
	c.t.Helper()
	reps := float64(replications())
	slack := func(p float64) float64 { return 2.6 * math.Sqrt(p*(1-p)/reps) }
	if cover < low-slack(low) || cover > high+slack(high) {
		c.t.Errorf("coverage %.2f%%, want %g%%..%g%%: %s", 100*cover, 100*low, 100*high, what)
	} else if long() && (cover < 0.93 || cover > 0.97) {
		c.t.Logf("coverage %.2f%%: %s", 100*cover, what)
	}
	c.n++
	c.sum += cover
	c.min, c.max = min(c.min, cover), max(c.max, cover)
}

func (c *cells) row(what string, f func()) {
	c.min, c.max = 1, 0
	f()
	c.t.Logf("%-36s %.1f%%..%.1f%%", what, 100*c.min, 100*c.max)
}

func TestIntervalCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("statistics gain nothing from the race detector; the full run has them")
	}
	c := &cells{t: t}
	counts := []int{200, 1000}
	if long() {
		counts = append(counts, 5000)
	}
	seed := uint64(0)
	for _, s := range []shape{constant(5), geometric(), pareto(1.5, 100), pareto(1.1, 100), pareto(0.5, 100)} {
		for _, icc := range []float64{0, 0.05, 0.2, 0.5} {
			c.row(fmt.Sprintf("%s, ICC %g", s.name, icc), func() {
				for _, sessions := range counts {
					calls := float64(sessions) * s.mean()
					for _, rate := range ratesFor(calls) {
						seed++
						p := build(s, func(n int) []float64 { return betaBinomial(n, rate, icc) })
						c.judge(coverage(seed, sessions, p, single), 0.93, 0.97,
							fmt.Sprintf("%s, ICC %g, %d sessions, rate %.2g, %.0f expected hits",
								s.name, icc, sessions, rate, rate*calls))
					}
				}
			})
		}
	}
	// The error of the replications cancels out of the mean.
	if mean := c.sum / float64(c.n); mean < 0.945 || mean > 0.958 {
		t.Errorf("mean coverage of %d cells %.2f%%", c.n, 100*mean)
	} else {
		t.Logf("%d cells, mean %.2f%%", c.n, 100*mean)
	}
}

// ratesFor returns the rates of the grid: 0.1% to 50%, wherever 10 hits or more are expected, and
// those that make exactly 10, 15 and 20 expected, where it is hardest.
func ratesFor(calls float64) []float64 {
	all := []float64{10 / calls, 15 / calls, 20 / calls, 0.03, 0.5}
	if long() || calls < 2000 {
		all = append(all, 0.001, 0.003, 0.01, 0.1, 0.25)
	}
	var some []float64
	for _, r := range all {
		if r >= 0.00099 && r <= 0.5 && r*calls >= 9.99 {
			some = append(some, r)
		}
	}
	return some
}

// TestIntervalOutsideModel records how far coverage strays where hits do not follow the model that
// the small-sample part of the interval assumes, and that it returns as hits accumulate.
func TestIntervalOutsideModel(t *testing.T) {
	if testing.Short() {
		t.Skip("statistics gain nothing from the race detector; the full run has them")
	}
	const icc = 0.5
	kinds := []struct {
		name      string
		hits      func(n int, rate, mean float64) []float64
		low, high float64 // at 10 expected hits
	}{
		{"all or none", func(n int, rate, _ float64) []float64 { return allOrNone(n, rate, icc) }, 0.88, 0.97},
		{"bursts of 4", func(n int, rate, _ float64) []float64 { return bursts(n, rate, icc) }, 0.93, 0.998},
		{"rate grows with size", func(n int, rate, mean float64) []float64 {
			return betaBinomial(n, rate*math.Sqrt(float64(n)/mean), icc)
		}, 0.87, 0.97},
	}
	c := &cells{t: t}
	for i, k := range kinds {
		for _, s := range []shape{constant(5), geometric(), pareto(1.1, 100)} {
			for _, hits := range []float64{10, 500} {
				const sessions = 1000
				rate := hits / sessions / s.mean()
				p := build(s, func(n int) []float64 { return k.hits(n, min(rate, 0.14), s.mean()) })
				low, high := k.low, k.high
				if hits > 10 {
					low, high = max(low, 0.90), min(high, 0.985)
				}
				what := fmt.Sprintf("%s, %s, %.0f expected hits", k.name, s.name, hits)
				c.row(what, func() { c.judge(coverage(uint64(i), sessions, p, single), low, high, what) })
			}
		}
	}
}

// allOrNone has the calls of a session share one fate with probability icc, and none share it
// otherwise.
func allOrNone(n int, rate, icc float64) []float64 {
	p := betaBinomial(n, rate, 0)
	for x := range p {
		p[x] *= 1 - icc
	}
	p[0] += icc * (1 - rate)
	p[n] += icc * rate
	return p
}

// bursts has only calls within four of each other correlated, so that the correlation over the whole
// session falls with its size.
func bursts(n int, rate, icc float64) []float64 {
	p := []float64{1}
	for ; n > 0; n -= 4 {
		q := betaBinomial(min(n, 4), rate, icc)
		next := make([]float64, len(p)+len(q)-1)
		for i := range p {
			for j := range q {
				next[i+j] += p[i] * q[j]
			}
		}
		p = next
	}
	return p
}

func TestDiffCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("statistics gain nothing from the race detector; the full run has them")
	}
	c := &cells{t: t}
	seed := uint64(0)
	for _, s := range []shape{constant(5), geometric(), pareto(1.1, 30)} {
		for _, icc := range []float64{0, 0.2, 0.5} {
			c.row(fmt.Sprintf("%s, ICC %g", s.name, icc), func() {
				for _, sessions := range []int{200, 500} {
					calls := float64(sessions) * s.mean()
					for _, ch := range [][2]float64{ // share of calls added, removed
						{10 / calls, 0}, {20 / calls, 0}, {20 / calls, 5 / calls}, {15 / calls, 15 / calls},
						{0.3, 0}, {0.3, 0.2}, {0.1, 0.1},
					} {
						seed++
						// Few changes of both signs in few sessions: whichever sign is missing from
						// the sample by chance must still be allowed for, hence the high side.
						high := 0.97
						if ch[0] < 0.1 && icc > 0 {
							high = 0.99
						}
						c.judge(coverage(seed, sessions, buildPair(s, ch[0], ch[1], icc), paired), 0.93, high,
							fmt.Sprintf("%s, ICC %g, %d sessions, %.2g added, %.2g removed", s.name, icc, sessions, ch[0], ch[1]))
					}
				}
			})
		}
	}
}

// buildPair has the two policies differ: of the calls that are hits under neither or both, up become
// hits and, of the rest, down cease to be.
func buildPair(s shape, up, down, icc float64) *population {
	var out []outcome
	var weight []float64
	for n, w := range s.weight {
		if w == 0 {
			continue
		}
		for x, q := range betaBinomial(n, up, icc) {
			fall := []float64{1}
			if down > 0 {
				fall = betaBinomial(n-x, down, icc)
			}
			for y, f := range fall {
				out = append(out, outcome{int64(n), int64(x), int64(y)})
				weight = append(weight, w*q*f)
			}
		}
	}
	return newPopulation(out, weight)
}
