package capture

import (
	"errors"
	"fmt"
)

// parseGroups reads the row groups' metadata, keeping of each only the chunks of the wanted leaves. dataEnd is where
// the footer begins in the file.
func (m *fileMeta) parseGroups(footer []byte, at int, leaves []leaf, wanted []int, dataEnd int64) error {
	if at < 0 {
		return nil
	}
	t := &thrift{b: footer, p: at}
	n := t.list(thriftList, thriftStruct)
	var rows int64
	for i := 0; i < n; i++ {
		g, err := parseGroup(t, leaves, wanted, dataEnd)
		if err == nil {
			err = t.err
		}
		if err != nil {
			return fmt.Errorf("damaged Parquet footer: row group %d: %w", i, err)
		}
		if rows += g.rows; rows < 0 {
			return errors.New("damaged Parquet footer: it claims more rows than can be counted")
		}
		m.groups = append(m.groups, g)
	}
	if rows != m.rows {
		return fmt.Errorf("damaged Parquet footer: it claims %d rows, but the row groups have %d", m.rows, rows)
	}
	return nil
}

func parseGroup(t *thrift, leaves []leaf, wanted []int, dataEnd int64) (groupMeta, error) {
	g := groupMeta{rows: -1}
	var last int16
	for {
		id, typ := t.field(&last)
		if typ == thriftStop {
			break
		}
		switch id {
		case 1:
			n := t.list(typ, thriftStruct)
			if t.err == nil && n != len(leaves) {
				return g, fmt.Errorf("it has %d columns, the schema %d", n, len(leaves))
			}
			if err := g.parseChunks(t, leaves, wanted); err != nil {
				return g, err
			}
		case 3:
			g.rows = t.int(typ)
		default:
			t.skip(typ)
		}
	}
	if t.err == nil && (g.rows < 0 || len(g.chunks) != len(wanted)) {
		return g, errors.New("it lacks columns or has no row count")
	}
	for i := range g.chunks {
		c, l := &g.chunks[i], &leaves[wanted[i]]
		if c.start < int64(len(magic)) || c.size < 0 || c.start > dataEnd || c.size > dataEnd-c.start {
			return g, fmt.Errorf("column %s does not lie inside the file", l.name())
		}
		if c.values < 0 || l.maxRep == 0 && c.values != g.rows {
			return g, fmt.Errorf("column %s has %d values for %d rows", l.name(), c.values, g.rows)
		}
	}
	return g, nil
}

func (g *groupMeta) parseChunks(t *thrift, leaves []leaf, wanted []int) error {
	g.chunks = make([]chunkMeta, 0, len(wanted))
	for i := range leaves {
		if len(g.chunks) == len(wanted) || wanted[len(g.chunks)] != i {
			t.skip(thriftStruct)
			continue
		}
		c, err := parseChunk(t, &leaves[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", leaves[i].name(), err)
		}
		g.chunks = append(g.chunks, c)
	}
	return nil
}

func parseChunk(t *thrift, l *leaf) (c chunkMeta, err error) {
	seen := false
	var last int16
	for {
		id, typ := t.field(&last)
		if typ == thriftStop {
			break
		}
		switch id {
		case 1:
			if len(t.bytes(typ)) > 0 {
				return c, errors.New("its data is in another file, which is not supported")
			}
		case 3:
			t.enter(typ)
			if c, err = parseColumnMeta(t, l); err != nil {
				return c, err
			}
			seen = true
		case 8, 9:
			return c, errors.New("it is encrypted, which is not supported")
		default:
			t.skip(typ)
		}
	}
	if t.err == nil && !seen {
		return c, errors.New("it has no metadata")
	}
	return c, t.err
}

func parseColumnMeta(t *thrift, l *leaf) (c chunkMeta, err error) {
	c.phys, c.values, c.size = -1, -1, -1
	var data, dict int64
	var last int16
	for {
		id, typ := t.field(&last)
		if typ == thriftStop {
			break
		}
		switch id {
		case 1:
			c.phys = int8(t.int32(typ) & 0x7f)
		case 3:
			if !pathIs(t, typ, l.path) {
				return c, errors.New("the schema has another column in its place")
			}
		case 4:
			c.codec = t.int32(typ)
		case 5:
			c.values = t.int(typ)
		case 6:
			c.uncompressed = max(t.int(typ), 0)
		case 7:
			c.size = t.int(typ)
		case 9:
			data = t.int(typ)
		case 11:
			dict = t.int(typ)
		default:
			t.skip(typ)
		}
	}
	if t.err == nil && c.phys != l.node.phys {
		return c, errors.New("the schema has another type for it")
	}
	c.start = data
	if dict > 0 && dict < data {
		c.start = dict
	}
	return c, t.err
}

func pathIs(t *thrift, typ byte, path []string) bool {
	n := t.list(typ, thriftBinary)
	same := n == len(path)
	for i := 0; i < n; i++ {
		s := t.bytes(thriftBinary)
		same = same && string(s) == path[i]
	}
	return same || t.err != nil
}
