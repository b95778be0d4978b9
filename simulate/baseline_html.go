package simulate

// htmlChanges is the comparison, ready for the page.
type htmlChanges struct {
	Headline, Shift, Version string
	Kinds                    []kindRow
	Outcomes                 []string
	Rows                     []htmlMatrixRow
	Groups                   []htmlGroup
	More                     int
}

type htmlMatrixRow struct {
	Name  string
	Cells []htmlCell
}

type htmlCell struct {
	Count   int64
	Changed bool
}

type htmlGroup struct {
	Kind                      string
	Calls                     int64
	Was, Now, Source, Example string
}

func (c *Changes) html() *htmlChanges {
	if c == nil {
		return nil
	}
	h := &htmlChanges{Headline: c.Headline(), Shift: capital(c.blockShift()), Version: c.BaselineVersion, Kinds: c.kindTable(),
		More: max(0, len(c.Groups)-htmlRows)}
	if c.Changed == 0 {
		return h
	}
	outcomes := c.matrixOutcomes()
	for _, from := range outcomes {
		h.Outcomes = append(h.Outcomes, from.String())
		row := htmlMatrixRow{Name: from.String()}
		for _, to := range outcomes {
			n := c.Matrix[from.String()][to]
			row.Cells = append(row.Cells, htmlCell{n, n > 0 && from != to})
		}
		h.Rows = append(h.Rows, row)
	}
	examples := c.examplesByGroup()
	for i := range c.Groups[:min(len(c.Groups), htmlRows)] {
		g := &c.Groups[i]
		one := htmlGroup{capital(g.Change.words()), g.Calls, clip(g.Old.line(), textLine), clip(g.New.line(), textLine), visible(g.Source), ""}
		if e := examples[i]; e != nil {
			one.Example = clip(e.line(), textLine)
		}
		h.Groups = append(h.Groups, one)
	}
	return h
}
