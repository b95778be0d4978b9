package capture

// intColumn stores a column of numbers.
type intColumn struct {
	src  intSource
	out  []int64
	null []bool
	tmp  []int64
}

func (c *intColumn) dictionary(pg *page) error { return c.src.dictionary(pg) }
func (c *intColumn) buffer() []byte            { return nil }
func (c *intColumn) keep([]byte) error         { return nil }

func (c *intColumn) page(pg *page, skip, take, row int, hasValue []uint8) error {
	if err := c.src.open(pg); err != nil {
		return err
	}
	if err := c.src.skip(skip); err != nil {
		return err
	}
	if hasValue == nil {
		clear(c.null[row : row+take])
		return c.src.read(c.out[row : row+take])
	}
	c.tmp = resize(c.tmp, take)
	if err := c.src.read(c.tmp); err != nil {
		return err
	}
	k := 0
	for i, v := range hasValue {
		c.null[row+i] = v == 0
		c.out[row+i] = 0
		if v != 0 {
			c.out[row+i] = c.tmp[k]
			k++
		}
	}
	return nil
}

// textColumn stores a column of text.
type textColumn struct {
	src   textSource
	index []int32
	nulls int
	tmp   []int32
}

func (c *textColumn) dictionary(pg *page) error { return c.src.dictionary(pg) }
func (c *textColumn) buffer() []byte            { return nil }
func (c *textColumn) keep([]byte) error         { return nil }

func (c *textColumn) page(pg *page, skip, take, row int, hasValue []uint8) error {
	if hasValue != nil && take == 0 {
		// Nothing but nulls: the common case of a column that a capture does not fill.
		fill(c.index[row:row+len(hasValue)], -1)
		c.nulls += len(hasValue)
		return nil
	}
	if err := c.src.open(pg); err != nil {
		return err
	}
	if err := c.src.skip(skip); err != nil {
		return err
	}
	if hasValue == nil {
		return c.src.read(c.index[row : row+take])
	}
	c.tmp = resize(c.tmp, take)
	if err := c.src.read(c.tmp); err != nil {
		return err
	}
	k := 0
	for i, v := range hasValue {
		c.index[row+i] = -1
		if v != 0 {
			c.index[row+i] = c.tmp[k]
			k++
		}
	}
	c.nulls += len(hasValue) - take
	return nil
}

// blankIsNull makes null of empty text.
func (c *textColumn) blankIsNull() {
	blank := false
	for _, s := range c.src.dict {
		blank = blank || s == ""
	}
	if !blank {
		return
	}
	for i, x := range c.index {
		if x >= 0 && c.src.dict[x] == "" {
			c.index[i] = -1
			c.nulls++
		}
	}
}

// argsColumn stores the arguments.
type argsColumn struct {
	src        argsSource
	start, end []uint32
	null       []bool
	tmpA, tmpB []uint32
}

func (c *argsColumn) dictionary(pg *page) error { return c.src.dictionary(pg) }
func (c *argsColumn) buffer() []byte            { return c.src.data }

func (c *argsColumn) keep(buf []byte) error {
	c.src.data = buf
	if len(buf) > maxGroupData {
		return errGroupData
	}
	return nil
}

func (c *argsColumn) page(pg *page, skip, take, row int, hasValue []uint8) error {
	if err := c.src.open(pg); err != nil {
		return err
	}
	if err := c.src.skip(skip); err != nil {
		return err
	}
	if hasValue == nil {
		clear(c.null[row : row+take])
		return c.src.read(c.start[row:row+take], c.end[row:row+take])
	}
	c.tmpA, c.tmpB = resize(c.tmpA, take), resize(c.tmpB, take)
	if err := c.src.read(c.tmpA, c.tmpB); err != nil {
		return err
	}
	k := 0
	for i, v := range hasValue {
		c.null[row+i] = v == 0
		c.start[row+i], c.end[row+i] = 0, 0
		if v != 0 {
			c.start[row+i], c.end[row+i] = c.tmpA[k], c.tmpB[k]
			k++
		}
	}
	return nil
}
