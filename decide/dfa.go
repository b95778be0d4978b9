package decide

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// matcher decides whether a whole text fits an anchored RE2 pattern. Most patterns of policies (reference numbers, hosts,
// paths, commands) are small enough to be turned into a table that reads each byte of ASCII text once; other texts and
// other patterns go to the regexp package, which stays the definition.
type matcher struct {
	re    *regexp.Regexp
	table [][128]uint16 // by state; state 0 is the dead one
	ends  []bool        // by state: the text may end here
}

// Bounds of a table: beyond them the regexp package alone is used.
const (
	maxStates = 256
	maxInsts  = 4000
)

func newMatcher(pattern string) *matcher {
	m := &matcher{re: regexp.MustCompile(pattern)}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return m
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxInsts {
		return m
	}
	d := &determinizer{prog: prog, ids: map[string]uint16{}}
	if d.run() {
		m.table, m.ends = d.table, d.ends
	}
	return m
}

func (m *matcher) match(s string) bool {
	if m.table == nil {
		return m.re.MatchString(s)
	}
	state := uint16(1)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return m.re.MatchString(s)
		}
		if state = m.table[state][c]; state == 0 {
			// Only bytes that no continuation can save lead here, unless the rest is not ASCII: that changes nothing,
			// since the pattern is anchored and has already failed.
			return false
		}
	}
	return m.ends[state]
}

// determinizer builds the table: its states are sets of instructions that wait for a character.
type determinizer struct {
	prog  *syntax.Prog
	ids   map[string]uint16
	sets  [][]uint32
	table [][128]uint16
	ends  []bool
	anded bool // the pattern's start is anchored
	wrong bool // an assertion that a table cannot hold
}

// run reports whether the pattern fits into a table.
func (d *determinizer) run() bool {
	d.add(nil) // the dead state
	var start []uint32
	d.follow(uint32(d.prog.Start), true, &start, map[uint32]bool{})
	if d.id(start) != 1 {
		return false
	}
	for at := 1; at < len(d.sets); at++ {
		for c := range rune(utf8.RuneSelf) {
			var next []uint32
			seen := map[uint32]bool{}
			for _, pc := range d.sets[at] {
				if inst := &d.prog.Inst[pc]; inst.Op != syntax.InstMatch && inst.Op != syntax.InstEmptyWidth && inst.MatchRune(c) {
					d.follow(inst.Out, false, &next, seen)
				}
			}
			id := d.id(next)
			if d.wrong || len(d.sets) > maxStates {
				return false
			}
			d.table[at][c] = id
		}
	}
	return d.anded && !d.wrong
}

func (d *determinizer) add(set []uint32) uint16 {
	d.sets = append(d.sets, set)
	d.table = append(d.table, [128]uint16{})
	d.ends = append(d.ends, d.accepts(set))
	return uint16(len(d.sets) - 1)
}

func (d *determinizer) id(set []uint32) uint16 {
	if len(set) == 0 {
		return 0
	}
	slices.Sort(set)
	key := make([]byte, 0, 4*len(set))
	for _, pc := range set {
		key = append(key, byte(pc), byte(pc>>8), byte(pc>>16), byte(pc>>24))
	}
	id, ok := d.ids[string(key)]
	if !ok {
		id = d.add(set)
		d.ids[string(key)] = id
	}
	return id
}

// follow adds the instructions that are reached without a character.
func (d *determinizer) follow(pc uint32, start bool, set *[]uint32, seen map[uint32]bool) {
	if seen[pc] {
		return
	}
	seen[pc] = true
	inst := &d.prog.Inst[pc]
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		d.follow(inst.Out, start, set, seen)
		d.follow(inst.Arg, start, set, seen)
	case syntax.InstCapture, syntax.InstNop:
		d.follow(inst.Out, start, set, seen)
	case syntax.InstEmptyWidth:
		switch syntax.EmptyOp(inst.Arg) {
		case syntax.EmptyBeginText:
			d.anded = true
			if start {
				d.follow(inst.Out, start, set, seen)
			}
		case syntax.EmptyEndText:
			*set = append(*set, pc) // decided when the text ends
		default:
			d.wrong = true
		}
	case syntax.InstFail:
	case syntax.InstMatch:
		// Reached without the end of the text: the pattern is not anchored there.
		d.wrong = true
	default:
		*set = append(*set, pc)
	}
}

// accepts reports whether a match is reached from the set where the text ends.
func (d *determinizer) accepts(set []uint32) bool {
	seen := map[uint32]bool{}
	var reach func(pc uint32) bool
	reach = func(pc uint32) bool {
		if seen[pc] {
			return false
		}
		seen[pc] = true
		inst := &d.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			return reach(inst.Out) || reach(inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			return reach(inst.Out)
		case syntax.InstEmptyWidth:
			return syntax.EmptyOp(inst.Arg) == syntax.EmptyEndText && reach(inst.Out)
		}
		return false
	}
	for _, pc := range set {
		if d.prog.Inst[pc].Op == syntax.InstEmptyWidth && reach(pc) {
			return true
		}
	}
	return false
}
