package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis/limit"
)

// limitDraft is a limit while it is read.
type limitDraft struct {
	*Limit
	forms []*node // the keys rate, calls and budget
	burst *node
	zone  *node
}

const limitForm = "write one of rate: 5/s, calls: 200/session, budget: $20/day, budget: 20000/day of amount"

// limitFields is what a limit may say.
func limitFields() []field[*limitDraft] {
	path := oneOrMore(textShape)
	return []field[*limitDraft]{
		{"rate", anywhere, 0, textLike(`^[0-9]+/[smhd]$`), readLimitForm},
		{"calls", anywhere, 0, textLike(`^[0-9]+/(session|hour|day|week|month)$`), readLimitForm},
		{"budget", anywhere, 0, textLike(`^\$?[0-9]+(\.[0-9]{1,6})?/(session|hour|day|week|month)( of .+)?$`), readLimitForm},
		{"burst", anywhere, 0, integers(1, limit.MaxWhole), func(_ *reader, d *limitDraft, k, n *node) { d.burst = n }},
		{"tz", anywhere, 0, textShape.described("IANA zone; default: UTC"), func(_ *reader, d *limitDraft, _, n *node) {
			d.zone = n
		}},
		{"by", anywhere, 0, path, readBy},
		{"per", anywhere, 0, enumOf("agent", "tenant"), func(r *reader, d *limitDraft, _, n *node) {
			w, _ := r.word(n, "per", "agent", "tenant")
			d.PerTenant = w == "tenant"
		}},
	}
}

// limits reads a list of limits, of an entry or of a whole policy.
func (r *reader) limits(n *node) []*Limit {
	var out []*Limit
	for i, m := range r.members(n, "limits") {
		d := &limitDraft{Limit: &Limit{Spec: &limit.Spec{}, Agent: r.entry == nil, pos: m.pos}}
		if !readFields(r, m, "a limit", limitTable.of(limitFields), d) {
			continue
		}
		if len(d.forms) != 1 {
			r.fail(m.pos, limitForm, "a limit has one of the keys rate, calls and budget")
			continue
		}
		r.limitOptions(d)
		r.rule(&d.Rule, indexed("limits", i), m.pos)
		out = append(out, d.Limit)
	}
	return out
}

func readLimitForm(r *reader, d *limitDraft, k, n *node) {
	d.forms = append(d.forms, k)
	if n.special() == "a number" {
		r.fail(n.pos, limitForm, "%s needs a window: %s is a number alone", k.text, clip(n.text))
		return
	}
	s, ok := r.text(n, k.text)
	if !ok {
		return
	}
	d.Src = s
	var err error
	switch spec := d.Spec; k.text {
	case "rate":
		d.Kind, spec.Kind = LimitRate, limit.Rate
		spec.Count, spec.Per, err = limit.ParseRate(s)
	case "calls":
		d.Kind, spec.Kind = LimitCalls, limit.Calls
		spec.Count, spec.Window, err = limit.ParseCalls(s)
	case "budget":
		var money bool
		var arg string
		d.Kind, spec.Kind = LimitSum, limit.Budget
		if spec.Cap, spec.Window, money, arg, err = limit.ParseBudget(s); err == nil && money {
			d.Kind = LimitCost
		} else if err == nil {
			d.Arg = r.path(n, arg, "the budget's argument")
		}
	}
	if err != nil {
		r.fail(n.pos, "", "%v", err)
	}
}

// limitOptions settles what depends on the kind of limit.
func (r *reader) limitOptions(d *limitDraft) {
	if d.burst != nil {
		if d.Kind != LimitRate {
			r.fail(d.burst.pos, "", "burst belongs to a rate")
		} else if i, ok := r.integer(d.burst, "burst", 1, limit.MaxWhole); ok {
			d.Spec.Burst = int64(i)
		}
	}
	if d.zone == nil {
		return
	}
	name, ok := r.text(d.zone, "tz")
	if !ok {
		return
	}
	zone, err := time.LoadLocation(name)
	switch {
	case err != nil || name == "Local":
		r.fail(d.zone.pos, "write a zone such as Europe/Berlin", "tz: no zone is called %q", clip(name))
	case d.Kind == LimitRate || d.Spec.Window == limit.Session:
		r.fail(d.zone.pos, "", "tz belongs to windows of the calendar: hour, day, week, month")
	default:
		d.Spec.Zone = zone
	}
}

func readBy(r *reader, d *limitDraft, k, n *node) {
	for _, s := range r.texts(n, "by", true) {
		if p := r.path(n, s, "by"); p != nil {
			d.By = append(d.By, p)
		}
	}
}

// path splits the dotted path of an argument.
func (r *reader) path(n *node, s, what string) []string {
	parts := strings.Split(s, ".")
	if slices.Contains(parts, "") || strings.TrimSpace(s) != s {
		r.fail(n.pos, "write the names of arguments, joined by points", "%s: %q is no argument", what, clip(s))
		return nil
	}
	return parts
}
