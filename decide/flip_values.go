package decide

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// lever is an argument whose change could flip the outcome, with the values that the rules themselves name.
type lever struct {
	path []string
	also [][]string // further ones that go with it: all that no rule names are removed together
	cur  aegis.Value

	kinds    []aegis.Kind // that rules want it to have
	nums     []aegis.Num
	texts    []string
	compared []string // those of texts that an expression compares with
	urls     []string // with a host, or a path, that a rule names
	mails    []string // with a domain that a rule names
	dirs     []string // a path below a directory that a rule names
	cuts     []string // parts that a rule looks for
	lengths  []int
	elements []policy.Literal
	decimals int // -1: no rule says
	integer  bool

	candidates []candidate
	cut        bool // there were more candidates than are tried
}

// candidate is one value to try; nil raw removes the argument.
type candidate struct {
	raw      []byte
	distance float64
}

// maxCandidates is how many values of one argument are tried, nearest first.
const maxCandidates = 64

func (a *lever) wants(k aegis.Kind) {
	if k != aegis.Absent && !slices.Contains(a.kinds, k) {
		a.kinds = append(a.kinds, k)
	}
}

// name adds a value that a rule compares the argument with.
func (a *lever) name(l policy.Literal) {
	a.wants(l.Kind)
	switch l.Kind {
	case aegis.Number:
		a.nums = append(a.nums, l.Num)
	case aegis.String:
		a.texts = append(a.texts, l.Str)
	}
}

// Distances. A number that stays one is nearest, a text or a list that becomes another next; then an argument that
// comes or goes; then one of another kind. A value that no rule names, tried only for its kind, is half a step further.
const (
	farOther  = 1
	farAbsent = 2
	farKind   = 3
	farSeed   = 0.5
)

// isNamed reports whether a JSON text is a text that a rule names as it is.
func (a *lever) isNamed(raw []byte) bool {
	return slices.ContainsFunc(a.texts, func(s string) bool { return string(aegis.AppendQuoted(nil, s)) == string(raw) })
}

func (a *lever) try(raw []byte, extra float64) {
	a.candidates = append(a.candidates, candidate{raw, a.distance(raw) + extra})
}

func (a *lever) tryText(s string, extra float64) { a.try(aegis.AppendQuoted(nil, s), extra) }

func (a *lever) tryNum(n aegis.Num, extra float64) { a.try([]byte(n.Text()), extra) }

func (a *lever) distance(raw []byte) float64 {
	var d aegis.Doc
	if raw == nil {
		return farAbsent
	}
	if d.Parse(raw, 2*aegis.MaxBody) != nil {
		return math.Inf(1)
	}
	v := d.Root()
	switch k := a.cur.Kind(); {
	case k <= aegis.Null:
		return farAbsent + float64(min(len(raw), 1000))/1e6
	case k != v.Kind():
		return farKind
	case k == aegis.Number:
		x, ok := a.cur.Num()
		y, ok2 := v.Num()
		if !ok || !ok2 {
			return farOther
		}
		if x.Cmp(y) == 0 {
			return 0
		}
		return math.Abs(x.Float()-y.Float()) / max(math.Abs(x.Float()), math.Abs(y.Float())) / 2
	}
	return farOther + difference(a.cur.Text(), raw)
}

// difference is the share of two texts that lies between their common ends.
func difference(a, b []byte) float64 {
	n := max(len(a), len(b))
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return float64(max(len(a), len(b))) / float64(n+1)
}

// settle makes the candidates, nearest first.
func (a *lever) settle() {
	if a.also == nil {
		a.numbers()
		a.strings()
		a.lists()
		a.seeds()
	}
	if a.cur.Kind() != aegis.Absent {
		a.try(nil, 0)
	}
	slices.SortFunc(a.candidates, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), len(x.raw)-len(y.raw), slices.Compare(x.raw, y.raw))
	})
	a.candidates = slices.CompactFunc(a.candidates, func(x, y candidate) bool {
		return (x.raw == nil) == (y.raw == nil) && slices.Equal(x.raw, y.raw)
	})
	a.candidates = slices.DeleteFunc(a.candidates, func(c candidate) bool {
		return c.raw != nil && slices.Equal(c.raw, a.cur.Text()) || math.IsInf(c.distance, 1)
	})
	if len(a.candidates) > maxCandidates {
		// Of a long list not all are tried; what an expression compares with is worth more than that.
		slices.SortStableFunc(a.candidates, func(x, y candidate) int { return a.rank(x) - a.rank(y) })
		a.candidates, a.cut = a.candidates[:maxCandidates], true
		slices.SortStableFunc(a.candidates, func(x, y candidate) int { return cmp.Compare(x.distance, y.distance) })
	}
}

func (a *lever) rank(c candidate) int {
	if c.raw == nil || slices.ContainsFunc(a.compared, func(s string) bool { return string(aegis.AppendQuoted(nil, s)) == string(c.raw) }) {
		return 0
	}
	return 1
}

// unit is the smallest step of the argument beside a bound: one of its last decimal.
func (a *lever) unit(bound aegis.Num) aegis.Num {
	places := a.decimals
	if places < 0 {
		places = bound.Decimals()
		if n, ok := a.cur.Num(); ok {
			places = max(places, n.Decimals())
		}
	}
	if a.integer {
		places = 0
	}
	n, _ := aegis.FromMicro(micros[min(places, len(micros)-1)])
	return n
}

func (a *lever) numbers() {
	for _, n := range a.nums {
		a.tryNum(n, 0)
		for _, op := range []byte{'+', '-'} {
			if m, ok := aegis.Arith(op, n, a.unit(n)); ok {
				a.tryNum(m, 0)
			}
		}
	}
	cur, ok := a.cur.Num()
	if !ok {
		if n, ok := aegis.ParseNum([]byte(a.cur.Str())); ok && slices.Contains(a.kinds, aegis.Number) && a.cur.Str() != "" {
			if t := n.Text(); t == a.cur.Str() || a.isNumber(a.cur.Str()) {
				a.tryNum(n, 0)
			}
		}
		return
	}
	if m, ok := cur.Micro(); ok && (a.decimals >= 0 && a.decimals <= 6 || a.integer) {
		step := micros[0]
		if !a.integer {
			step = micros[a.decimals]
		}
		low := m - (m%step+step)%step
		for _, x := range []int64{low, low + step} {
			if n, ok := aegis.FromMicro(x); ok {
				a.tryNum(n, 0)
			}
		}
	}
	if slices.Contains(a.kinds, aegis.String) {
		a.tryText(string(a.cur.Text()), 0)
	}
}

// isNumber reports whether a text is one JSON number.
func (a *lever) isNumber(s string) bool {
	var d aegis.Doc
	return d.Parse([]byte(s), aegis.MaxNumber) == nil && d.Root().Kind() == aegis.Number
}

func (a *lever) strings() {
	cur := a.cur.Str()
	for _, s := range slices.Concat(a.texts, a.urls, a.mails, a.dirs) {
		a.tryText(s, 0)
	}
	if a.cur.Kind() == aegis.String {
		a.grafts(cur)
		for _, part := range a.cuts {
			for _, s := range []string{part + cur, cur + part, strings.TrimPrefix(cur, part), strings.TrimSuffix(cur, part),
				strings.ReplaceAll(cur, part, "")} {
				a.tryText(s, 0)
			}
		}
		a.tryText(strings.ToLower(cur), 0)
		for _, n := range a.lengths {
			for _, n := range []int{n, n - 1, n + 1} {
				if r := []rune(cur); n >= 0 && n < len(r) {
					a.tryText(string(r[:n]), 0)
				}
			}
		}
	}
	for _, part := range a.cuts {
		a.tryText(part, 0)
	}
}

// grafts keeps what may stay of a URL, an address or a path, and takes the rest from those that rules name.
func (a *lever) grafts(cur string) {
	for _, u := range a.urls {
		if _, rest, ok := strings.Cut(cur, "://"); ok {
			host, path := rest, ""
			if i := strings.IndexAny(rest, "/?#"); i >= 0 {
				host, path = rest[:i], rest[i:]
			}
			if scheme, named, ok := strings.Cut(u, "://"); ok {
				namedHost, _, _ := strings.Cut(named, "/")
				a.tryText(scheme+"://"+namedHost+path, 0)
				a.tryText(scheme+"://"+host+path, 0)
			}
		}
	}
	if local, _, ok := strings.Cut(cur, "@"); ok {
		for _, m := range a.mails {
			if _, domain, ok := strings.Cut(m, "@"); ok {
				a.tryText(local+"@"+domain, 0)
			}
		}
	}
	base := cur[strings.LastIndexByte(cur, '/')+1:]
	for _, d := range a.dirs {
		a.tryText(d[:strings.LastIndexByte(d, '/')+1]+base, 0)
	}
}

func (a *lever) lists() {
	lit := func(l policy.Literal) []byte {
		switch l.Kind {
		case aegis.String:
			return aegis.AppendQuoted(nil, l.Str)
		case aegis.Number:
			return []byte(l.Num.Text())
		}
		if l.Bool {
			return []byte("true")
		}
		return []byte("false")
	}
	list := func(items ...[]byte) []byte {
		out := []byte{'['}
		for i, x := range items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, x...)
		}
		return append(out, ']')
	}
	for _, e := range a.elements {
		if a.cur.Kind() != aegis.List {
			a.try(lit(e), 0)
		}
		a.try(list(lit(e)), 0)
	}
	if a.cur.Kind() != aegis.List {
		return
	}
	var all, known, unknown [][]byte
	for e := a.cur.First(); e.Kind() != aegis.Absent; e = a.cur.After(e) {
		all = append(all, e.Text())
		if slices.ContainsFunc(a.elements, func(l policy.Literal) bool { return l.Equal(literal(e)) }) {
			known = append(known, e.Text())
		} else {
			unknown = append(unknown, e.Text())
		}
	}
	a.try(list(), 0)
	a.try(list(known...), 0)
	a.try(list(unknown...), 0)
	for _, n := range a.lengths {
		for _, n := range []int{n - 1, n} {
			if n >= 0 && n < len(all) {
				a.try(list(all[:n]...), 0)
			}
		}
	}
	for i := range all[:min(len(all), maxCandidates)] {
		a.try(list(append(slices.Clone(all[:i]), all[i+1:]...)...), 0)
	}
	for _, e := range a.elements {
		a.try(list(append(slices.Clone(all), lit(e))...), 0)
	}
}

// seeds are values of the kinds that rules want, for an argument that has none, or of another kind, or that must only
// be something else than a rule names.
func (a *lever) seeds() {
	want := a.kinds
	if len(want) == 0 {
		want = []aegis.Kind{aegis.Bool, aegis.String}
	}
	for _, k := range want {
		switch k {
		case aegis.Number:
			a.tryNum(aegis.Int(0), farSeed)
			a.tryNum(aegis.Int(1), farSeed)
		case aegis.String:
			a.tryText("other", farSeed)
			a.tryText("", 2*farSeed)
		case aegis.Bool:
			a.try([]byte("true"), 0)
			a.try([]byte("false"), 0)
		case aegis.List:
			a.try([]byte("[]"), farSeed)
			if a.cur.Given() && a.cur.Kind() != aegis.List {
				a.try(slices.Concat([]byte{'['}, a.cur.Text(), []byte{']'}), farSeed)
			}
		case aegis.Object:
			a.try([]byte("{}"), farSeed)
		}
	}
}

// pattern adds what a check that is made of parts names.
func (a *lever) pattern(k *policy.Check) {
	a.wants(aegis.String)
	texts := partsOf(k)
	switch k.Code {
	case aegis.URLNotAllowed:
		a.urls = append(a.urls, texts...)
	case aegis.DomainNotAllowed:
		a.mails = append(a.mails, texts...)
	case aegis.PathNotAllowed:
		a.dirs = append(a.dirs, texts...)
	default:
		a.texts = append(a.texts, texts...)
	}
}

// partsOf returns texts that a pattern check lets pass, as far as its parts tell.
func partsOf(k *policy.Check) []string {
	p := k.Parts
	if p == nil || p.Key == "matches" {
		return examplesOf(k.Pattern)
	}
	var out []string
	switch p.Key {
	case "domains":
		for _, d := range p.List {
			out = append(out, "a@"+d)
		}
	case "under":
		for _, d := range p.List {
			out = append(out, d+"a")
		}
	case "commands":
		return p.List
	default:
		return urlsOf(p)
	}
	return out
}

// urlsOf makes a URL of each host, with the first scheme and each path.
func urlsOf(p *policy.Parts) []string {
	var out []string
	scheme := "https"
	if len(p.Schemes) > 0 {
		scheme = p.Schemes[0]
	}
	hosts, paths := p.List, p.Paths
	if len(hosts) == 0 {
		hosts = []string{"example.com"}
	}
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for _, h := range hosts[:min(len(hosts), maxCandidates)] {
		for _, path := range paths[:min(len(paths), maxCandidates)] {
			out = append(out, scheme+"://"+strings.ReplaceAll(h, "*", "www")+path)
		}
	}
	return out
}

// network adds the first address of a network and the one before it.
func (a *lever) network(cidr string) {
	a.wants(aegis.String)
	if p, err := netip.ParsePrefix(cidr); err == nil {
		a.texts = append(a.texts, p.Masked().Addr().String())
		if before := p.Masked().Addr().Prev(); before.IsValid() {
			a.texts = append(a.texts, before.String())
		}
	}
}

// length adds a bound on the length of the argument.
func (a *lever) length(n int) {
	if n >= 0 && n <= utf8.UTFMax*aegis.MaxBody {
		a.lengths = append(a.lengths, n)
	}
}
