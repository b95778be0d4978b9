package simulate

import "github.com/aegisctl/aegis"

// combo is a tenant, agent, tool and action that occur together.
type combo struct{ tenant, agent, tool, action string }

// tally is what one lane has counted. Lanes are merged when all is read.
type tally struct {
	decisions Counts
	combos    map[combo]*Counts
	rules     []Counts
	reasons   [aegis.Codes]Counts
	labels    []map[string]*Counts // by traffic.labels
	first     int64
	last      int64
	timed     int64
	loose     loose
}

// loose holds the moments of calls without a session: each is a cluster of its own.
type loose struct {
	block, hold Moments
	tools       map[string]*[2]Moments
}

func newTally(rules, labels int) tally {
	t := tally{combos: map[combo]*Counts{}, rules: make([]Counts, rules), labels: make([]map[string]*Counts, labels)}
	for i := range t.labels {
		t.labels[i] = map[string]*Counts{}
	}
	t.loose.tools = map[string]*[2]Moments{}
	return t
}

func (t *tally) merge(o *tally) {
	t.decisions.add(o.decisions)
	for k, c := range o.combos {
		if t.combos[k] == nil {
			t.combos[k] = new(Counts)
		}
		t.combos[k].add(*c)
	}
	for i := range o.rules {
		t.rules[i].add(o.rules[i])
	}
	for i := range o.reasons {
		t.reasons[i].add(o.reasons[i])
	}
	for i := range o.labels {
		for k, c := range o.labels[i] {
			bump(t.labels[i], k).add(*c)
		}
	}
	if o.timed > 0 {
		if t.timed == 0 || o.first < t.first {
			t.first = o.first
		}
		if t.timed == 0 || o.last > t.last {
			t.last = o.last
		}
		t.timed += o.timed
	}
	t.loose.block.Merge(o.loose.block)
	t.loose.hold.Merge(o.loose.hold)
	for k, m := range o.loose.tools {
		if t.loose.tools[k] == nil {
			t.loose.tools[k] = new([2]Moments)
		}
		t.loose.tools[k][0].Merge(m[0])
		t.loose.tools[k][1].Merge(m[1])
	}
}
