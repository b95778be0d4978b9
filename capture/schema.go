package capture

import (
	"errors"
	"fmt"
	"strings"
)

// leaf is a column of values in the file's schema.
type leaf struct {
	path           []string
	node           *schemaNode
	maxDef, maxRep uint8
	emptyDef       uint8 // definition level of an empty list: below it the list is null, above it there is an element
}

func (l *leaf) name() string { return strings.Join(l.path, ".") }

// leaves walks the schema. It is iterative and bounded in depth: a schema of 10,000 nested groups is an error.
func (m *fileMeta) leaves() ([]leaf, error) {
	type level struct {
		left           int32
		maxDef, maxRep uint8
		emptyDef       uint8
	}
	root := &m.schema[0]
	stack := []level{{left: root.children}}
	var path []string
	var out []leaf
	for i := 1; i < len(m.schema); i++ {
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			stack = stack[:len(stack)-1]
			path = path[:max(len(path)-1, 0)]
		}
		if len(stack) == 0 {
			return nil, errors.New("damaged Parquet footer: the schema has elements outside its root")
		}
		top := &stack[len(stack)-1]
		top.left--
		s, next := &m.schema[i], *top
		switch s.repetition {
		case optional:
			next.maxDef++
		case repeated:
			next.emptyDef = next.maxDef
			next.maxDef++
			next.maxRep++
		}
		path = append(path, s.name)
		if s.phys != physGroup {
			out = append(out, leaf{append([]string(nil), path...), s, next.maxDef, next.maxRep, next.emptyDef})
			path = path[:len(path)-1]
			continue
		}
		if len(stack) == maxSchemaDepth {
			return nil, fmt.Errorf("the schema nests deeper than %d levels", maxSchemaDepth)
		}
		next.left = s.children
		stack = append(stack, next)
	}
	for _, l := range stack {
		if l.left != 0 {
			return nil, errors.New("damaged Parquet footer: the schema lacks elements")
		}
	}
	return out, nil
}

// column binds a column of captured traffic to the file.
type column struct {
	chunk, valueChunk int    // index into groupMeta.chunks; the second is of a map's values; -1 is none
	leaf, valueLeaf   *leaf  // what lies there
	mul, div          int64  // of an integer: the unit's factor
	why               string // what was assumed of it
}

// spec says what a column of captured traffic must be.
type spec struct {
	name    string
	want    string
	bind    func(c *column, leaves []*leaf) bool // leaves are those below the column
	missing string                               // what is assumed without it
}

// specs is indexed by the bit numbers of Columns.
var specs = [columnCount]spec{
	{"time", "a timestamp in milli-, micro- or nanoseconds", bindTime, "calls are untimed"},
	{"tenant", "text", bindText, "every call is tenant " + DefaultTenant},
	{"session", "text", bindText, "calls belong to no session"},
	{"seq", "an integer", bindInteger, "calls keep the order of the file"},
	{"agent", "text", bindText, ""},
	{"chain", "a list of text", bindList, "every agent was called by the user"},
	{"tool", "text", bindText, ""},
	{"action", "text", bindText, "calls have no action"},
	{"args", "text (JSON)", bindText, "arguments were not captured"},
	{"effect", "text (read or write)", bindText, "effects are not declared, which counts as write"},
	{"region", "text", bindText, "regions are not known"},
	{"estimated_cost", "decimal(18,6) in US dollars", bindCost, "costs were not reported"},
	{"recorded_decision", "text", bindText, ""},
	{"recorded_policy_version", "text", bindText, ""},
	{"outcome", "text", bindText, "every call succeeded"},
	{"coverage", "text (full, redacted or absent)", bindText, "arguments that are there are complete"},
	{"labels", "a map from text to text", bindMap, ""},
}

func single(c *column, leaves []*leaf) *schemaNode {
	if len(leaves) != 1 || len(leaves[0].path) != 1 || leaves[0].maxRep != 0 {
		return nil
	}
	c.leaf = leaves[0]
	return c.leaf.node
}

func bindText(c *column, leaves []*leaf) bool {
	s := single(c, leaves)
	return s != nil && s.isText()
}

func bindInteger(c *column, leaves []*leaf) bool {
	s := single(c, leaves)
	return s != nil && s.isInteger()
}

func bindTime(c *column, leaves []*leaf) bool {
	s := single(c, leaves)
	if s == nil || s.phys != physInt64 {
		return false
	}
	m := s.meaning()
	if m.kind != logicalTimestamp || m.unit < 1 || m.unit > 3 {
		return false
	}
	c.mul, c.div = [...]int64{1000, 1, 1}[m.unit-1], [...]int64{1, 1, 1000}[m.unit-1]
	if !m.utc {
		c.why = "column time has no time zone: it is read as UTC"
	}
	return true
}

func bindCost(c *column, leaves []*leaf) bool {
	s := single(c, leaves)
	switch {
	case s == nil:
		return false
	case s.phys == physFloat || s.phys == physDouble:
		c.why = fmt.Sprintf("column estimated_cost is %s: costs are rounded to a millionth of a dollar", s.describe())
		return s.meaning().kind == 0
	case s.isInteger():
		c.mul, c.div = 1_000_000, 1
		return true
	}
	m := s.meaning()
	if m.kind != logicalDecimal || m.scale < 0 || m.scale > 18 || s.phys == physFixed && (s.typeLen < 1 || s.typeLen > 16) {
		return false
	}
	c.mul, c.div = 1, 1
	for i := m.scale; i < 6; i++ {
		c.mul *= 10
	}
	for i := m.scale; i > 6; i-- {
		c.div *= 10
		c.why = fmt.Sprintf("column estimated_cost has %d decimals: costs are rounded to a millionth of a dollar", m.scale)
	}
	return s.phys == physInt32 || s.phys == physInt64 || s.phys == physFixed || s.phys == physBytes
}

func bindList(c *column, leaves []*leaf) bool {
	if len(leaves) != 1 || leaves[0].maxRep != 1 || len(leaves[0].path) > 3 {
		return false
	}
	c.leaf = leaves[0]
	return c.leaf.node.isText()
}

func bindMap(c *column, leaves []*leaf) bool {
	if len(leaves) != 2 {
		return false
	}
	for _, l := range leaves {
		if l.maxRep != 1 || len(l.path) != 3 || !l.node.isText() || l.emptyDef != leaves[0].emptyDef {
			return false
		}
	}
	c.leaf, c.valueLeaf = leaves[0], leaves[1]
	return c.leaf.path[1] == c.valueLeaf.path[1]
}

// binding is what Open finds out about a file's columns.
type binding struct {
	cols    [columnCount]column
	has     Columns
	wanted  []int // leaves to keep of each row group, ascending
	assumed []string
	ignored []string
}

// bindColumns finds the columns of captured traffic among the file's, and checks their types.
func bindColumns(m *fileMeta, leaves []leaf) (*binding, *FormatError) {
	b := new(binding)
	below := map[string][]*leaf{}
	at := map[*leaf]int{}
	for i := range leaves {
		name := leaves[i].path[0]
		below[name] = append(below[name], &leaves[i])
		at[&leaves[i]] = i
	}
	tops, err := m.topColumns()
	if err != nil {
		return nil, err
	}
	for i := range specs {
		c, name := &b.cols[i], specs[i].name
		c.chunk, c.valueChunk = -1, -1
		top := tops[name]
		if top == nil {
			if i == colAgent || i == colTool {
				return nil, &FormatError{Column: name, Group: -1, Err: errors.New("the column is missing")}
			}
			if specs[i].missing != "" {
				b.assumed = append(b.assumed, "no column "+name+": "+specs[i].missing)
			}
			continue
		}
		if !specs[i].bind(c, below[name]) {
			return nil, &FormatError{Column: name, Group: -1,
				Err: fmt.Errorf("the column is %s, but should be %s", top.describe(), specs[i].want)}
		}
		b.has |= 1 << i
		if c.why != "" {
			b.assumed = append(b.assumed, c.why)
		}
	}
	b.place(leaves, at)
	for i := range leaves {
		name := leaves[i].path[0]
		if _, known := columnNumber[name]; !known && (len(b.ignored) == 0 || b.ignored[len(b.ignored)-1] != name) {
			b.ignored = append(b.ignored, name)
		}
	}
	return b, nil
}

// place numbers the chunks that parseGroups keeps.
func (b *binding) place(leaves []leaf, at map[*leaf]int) {
	want := make([]bool, len(leaves))
	for i := range b.cols {
		for _, l := range []*leaf{b.cols[i].leaf, b.cols[i].valueLeaf} {
			if b.has&(1<<i) != 0 && l != nil {
				want[at[l]] = true
			}
		}
	}
	chunkOf := make(map[*leaf]int)
	for i := range leaves {
		if want[i] {
			chunkOf[&leaves[i]] = len(b.wanted)
			b.wanted = append(b.wanted, i)
		}
	}
	for i := range b.cols {
		if c := &b.cols[i]; b.has&(1<<i) != 0 {
			c.chunk = chunkOf[c.leaf]
			if c.valueLeaf != nil {
				c.valueChunk = chunkOf[c.valueLeaf]
			}
		}
	}
}

// topColumns returns the schema's top-level elements that have a name of ours.
func (m *fileMeta) topColumns() (map[string]*schemaNode, *FormatError) {
	tops := map[string]*schemaNode{}
	for i := 1; i < len(m.schema); {
		s := &m.schema[i]
		if _, known := columnNumber[s.name]; known {
			if tops[s.name] != nil {
				return nil, &FormatError{Column: s.name, Group: -1, Err: errors.New("there are two columns of this name")}
			}
			tops[s.name] = s
		}
		// The subtree has been checked to end inside the schema.
		for open := int32(1); open > 0; i++ {
			open--
			if m.schema[i].phys == physGroup {
				open += m.schema[i].children
			}
		}
	}
	return tops, nil
}
