package simulate

import (
	"math"
	"math/bits"
)

// Constants of the interval. They were calibrated together by the simulation in interval_test.go
// (see the table at Interval95); changing one means running it again with AEGIS_LONG=1.
const (
	// sizeClasses is the number of power-of-two session sizes kept apart; the last is open-ended.
	sizeClasses = 16
	// iccPrior is the weight, in pairs of calls, of the assumption that calls of one session share
	// one fate. It decides alone while no hit has a companion call, and is drowned by a few dozen pairs.
	iccPrior = 0.25
	// iccRounds is how often the weights of the size classes are recomputed from the correlation
	// they gave. The sequence has settled long before that.
	iccRounds = 10
	// iccFreedom turns the information in the pairs into degrees of freedom of the design effect.
	iccFreedom = 8
	// trustSessions is the number of sessions with hits at which the observed between-session
	// variance weighs as much as the one the correlation predicts.
	trustSessions = 50
)

// Moments accumulates, per session, how many calls it had and how many of them were hits (blocked,
// held). It holds sums over finished sessions only, so its size does not grow with the traffic and
// parts counted apart can be merged. The sums of squares are floats so that they cannot overflow;
// they are exact integers up to 2^53, which makes Merge exact there.
//
// The zero value is ready to use.
type Moments struct {
	Sessions     int64 // finished sessions
	N, X         int64 // calls, and hits among them
	HitSessions  int64 // sessions with at least one hit
	MissSessions int64 // sessions with at least one call that is no hit

	NN, XN, XX float64 // sums over sessions of n*n, x*n, x*x

	Pairs [sizeClasses]PairSums // ordered pairs of calls of one session, by session size
}

// PairSums counts ordered pairs of different calls of the same session.
type PairSums struct {
	All   float64 // n*(n-1)
	Hit   float64 // x*(n-1): the first call is a hit
	Mixed float64 // x*(n-x): the first is a hit and the second is not
}

// Add counts one finished session: n calls of which x were hits. A session without calls says
// nothing and is not counted; x is held to 0..n.
func (m *Moments) Add(n, x int64) {
	if n <= 0 {
		return
	}
	x = min(max(x, 0), n)
	m.Sessions++
	m.N += n
	m.X += x
	if x > 0 {
		m.HitSessions++
	}
	if x < n {
		m.MissSessions++
	}
	fn, fx := float64(n), float64(x)
	m.NN += fn * fn
	m.XN += fx * fn
	m.XX += fx * fx
	if n > 1 {
		c := &m.Pairs[min(bits.Len64(uint64(n))-2, sizeClasses-1)]
		c.All += fn * (fn - 1)
		c.Hit += fx * (fn - 1)
		c.Mixed += fx * (fn - fx)
	}
}

// Merge adds the sessions counted in o, which must be other sessions than those counted in m.
func (m *Moments) Merge(o Moments) {
	m.Sessions += o.Sessions
	m.N += o.N
	m.X += o.X
	m.HitSessions += o.HitSessions
	m.MissSessions += o.MissSessions
	m.NN += o.NN
	m.XN += o.XN
	m.XX += o.XX
	for i := range m.Pairs {
		m.Pairs[i].All += o.Pairs[i].All
		m.Pairs[i].Hit += o.Pairs[i].Hit
		m.Pairs[i].Mixed += o.Pairs[i].Mixed
	}
}

// Interval95 is the 95% confidence interval of the share of calls that are hits, X/N, when sessions
// are independent of each other and calls of one session are not.
func (m Moments) Interval95() (lo, hi float64) {
	if m.N <= 0 || m.Sessions < 2 {
		return 0, 1 // one session never shows how sessions differ
	}
	n, x := float64(m.N), float64(m.X)
	p := x / n
	observed := 0.0
	if v := n * p * (1 - p); v > 0 {
		observed = (m.XX - 2*p*m.XN + p*p*m.NN) / v
	}
	deff, t := m.design(observed)
	lo, hi = wilson(p, n/deff, t)
	return lo, hi
}

// wilson is the score interval of a share p seen in n independent trials (Wilson 1927).
func wilson(p, n, t float64) (lo, hi float64) {
	k := t * t / n
	mid := (p + k/2) / (1 + k)
	half := math.Sqrt(k*(p*(1-p)+k/4)) / (1 + k)
	// Rounding must not push a bound past the estimate or out of 0..1, nor off an exact 0 or 1.
	lo, hi = min(max(mid-half, 0), p), max(min(mid+half, 1), p)
	if p == 0 {
		lo = 0
	}
	if p == 1 {
		hi = 1
	}
	return lo, hi
}

// design returns the design effect (Kish 1965), the factor by which clustering in sessions inflates
// the variance, and the quantile of Student's t to use with it. observed is the linearised
// between-session variance of the estimate over its variance under independence.
func (m *Moments) design(observed float64) (deff, t float64) {
	s := float64(m.Sessions)
	icc, pairs := m.icc()
	spread := max(m.NN/float64(m.N)-1, 0) // companions a call has in its session, on average
	deff = 1 + icc*spread

	// Relative variance of deff, from that of a correlation seen in so many pairs, as degrees of
	// freedom (Satterthwaite 1946); the sessions themselves allow s-1.
	lack := 1 / (s - 1)
	if v := spread * spread * icc * (1 - icc) / (pairs + iccPrior + 1); v > 0 {
		lack += v / (iccFreedom * deff * deff)
	}
	t = t95(1 / lack)

	if k := float64(min(m.HitSessions, m.MissSessions)); k > 0 {
		observed *= s / (s - 1)
		deff = (trustSessions*deff + k*observed) / (trustSessions + k)
	}
	return max(deff, 1), t
}

// icc estimates the intra-session correlation as the share of a hit's companion calls that are hits
// too, beyond chance, and returns with it the number of pairs, as independent ones, it rests on.
//
// Pairs of a big session repeat each other the more, the stronger the correlation is, hence weights
// that fall with session size and depend on the estimate itself, starting from no correlation.
func (m *Moments) icc() (icc, pairs float64) {
	for range iccRounds {
		var all, hit, mixed float64
		for i := range m.Pairs {
			c := &m.Pairs[i]
			companions := 1.5*float64(int64(2)<<i) - 1 // of a call, in the middle of the class
			w := 1 / (1 + icc*companions)
			w *= w * w
			all += w * c.All
			hit += w * c.Hit
			mixed += w * c.Mixed
		}
		p := 0.0
		if all > 0 {
			p = hit / all
		}
		pairs = p * (1 - p) * all
		icc = max(pairs-mixed+iccPrior, 0) / (pairs + iccPrior)
	}
	return min(icc, 1), pairs
}

// t95 is the 97.5% quantile of Student's t: that of the normal distribution, corrected in powers of
// 1/df (Fisher and Cornish 1960). The series fails below 5 degrees, where tabulated values stand.
func t95(df float64) float64 {
	table := [...]float64{12.7062, 4.30265, 3.18245, 2.77645, 2.57058}
	if df < 5 {
		df = max(df, 1)
		i := int(df)
		f := (1/float64(i) - 1/df) / (1/float64(i) - 1/float64(i+1))
		return table[i-1] + f*(table[i]-table[i-1])
	}
	r := 1 / df
	return 1.959964 + r*(2.372271+r*(2.822518+r*(2.555852+r*1.589536)))
}

// PairMoments accumulates, per session, the calls and the hits under two policies applied to the
// same calls. The zero value is ready to use.
type PairMoments struct {
	Changed Moments // with, as hits of a session, the absolute difference of its hits
	Net     int64   // sum of the differences, new minus old
	NetN    float64 // sum of difference times calls
}

// Add counts one finished session: n calls, of which xNew are hits under the new policy and xOld
// under the old one. Both are held to 0..n.
func (m *PairMoments) Add(n, xNew, xOld int64) {
	if n <= 0 {
		return
	}
	d := min(max(xNew, 0), n) - min(max(xOld, 0), n)
	m.Changed.Add(n, max(d, -d))
	m.Net += d
	m.NetN += float64(d) * float64(n)
}

// Merge adds the sessions counted in o, which must be other sessions than those counted in m.
func (m *PairMoments) Merge(o PairMoments) {
	m.Changed.Merge(o.Changed)
	m.Net += o.Net
	m.NetN += o.NetN
}

// Diff95 is the 95% confidence interval of the share of calls that are hits under the new policy
// minus that under the old one, clustered by session as in Interval95.
//
// A plain t interval of the linearised ratio misses far too often on the high side when few calls
// changed, so this is the score interval of paired shares (Tango 1998) with calls counted in units
// of the design effect. Where the new policy only adds hits it is nearly Interval95 of the added
// ones. Changes that cancel within a session are not seen apart; they add no variance either.
func (m PairMoments) Diff95() (lo, hi float64) {
	c := &m.Changed
	if c.N <= 0 || c.Sessions < 2 {
		return -1, 1
	}
	n := float64(c.N)
	up, down := float64(c.X+m.Net)/2/n, float64(c.X-m.Net)/2/n
	d := up - down
	observed := 0.0
	if v := n * (up + down - d*d); v > 0 {
		observed = (c.XX - 2*d*m.NetN + d*d*c.NN) / v
	}
	deff, t := c.design(observed)
	k := t * t * deff / n
	return -tangoUpper(down, up, k), tangoUpper(up, down, k)
}

// tangoUpper is the upper bound of up-down: the largest difference that lies within the quantile of
// the estimate, under the variance most likely for that difference. k is the squared quantile over
// the number of independent trials.
func tangoUpper(up, down, k float64) float64 {
	d := up - down
	lo, hi := d, 1.0
	for range 60 {
		mid := (lo + hi) / 2
		b := up + down - mid*(2-up+down)
		q := (b + math.Sqrt(max(b*b+8*down*mid*(1-mid), 0))) / 4
		q = max(q, 0, -mid) // share of calls hit under the old policy only, given difference mid
		if (mid-d)*(mid-d) <= k*(2*q+mid*(1-mid)) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
