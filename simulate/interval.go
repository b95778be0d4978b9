package simulate

import "math"

// Moments accumulates sessions.
type Moments struct {
	Sessions         int64
	N, X, NN, XN, XX float64
}

// Add adds a session.
func (m *Moments) Add(n, x int64) {
	a, b := float64(n), float64(x)
	m.Sessions++
	m.N += a
	m.X += b
	m.NN += a * a
	m.XN += a * b
	m.XX += b * b
}

// Merge merges.
func (m *Moments) Merge(o Moments) {
	m.Sessions += o.Sessions
	m.N += o.N
	m.X += o.X
	m.NN += o.NN
	m.XN += o.XN
	m.XX += o.XX
}

// Interval95 is temporary.
func (m Moments) Interval95() (float64, float64) {
	if m.N == 0 || m.Sessions < 2 {
		return 0, 1
	}
	p := m.X / m.N
	v := (m.XX - 2*p*m.XN + p*p*m.NN) / (m.N * m.N)
	ne := m.N
	if v > 0 {
		ne = p * (1 - p) / v
	} else {
		ne = float64(m.Sessions)
	}
	z := 1.96
	c := (p + z*z/(2*ne)) / (1 + z*z/ne)
	h := z / (1 + z*z/ne) * math.Sqrt(p*(1-p)/ne+z*z/(4*ne*ne))
	return math.Max(0, c-h), math.Min(1, c+h)
}
