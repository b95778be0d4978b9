package policy

import (
	"maps"
	"slices"
)

// Routes of a tenant that match one request must be nested: one of them has a text wherever they differ, and wins. Which of
// two routes wins then depends on nothing but the routes, and never on their order. Any others are refused.

// overlaps checks all routes of all files.
func (l *loader) overlaps() {
	type group struct {
		tenant, method, host string
		segments             int
	}
	groups := map[group]*overlap{}
	for _, raw := range l.set.Routes {
		for _, t := range raw.Routes {
			g := group{t.Tenant, t.Method, t.Host, len(t.Path)}
			if groups[g] == nil {
				groups[g] = &overlap{}
			}
			groups[g].add(l, t)
		}
	}
}

// overlap is a tree of the routes with one method, host and number of segments.
type overlap struct {
	text  map[string]*overlap
	param *overlap
	route *Route // at the last segment
}

func (o *overlap) add(l *loader, t *Route) {
	if other := o.clash(t.Path, 0); other != nil {
		first, second := other, t
		if second.Pos.compare(first.Pos) < 0 {
			first, second = second, first
		}
		if samePath(t.Path, other.Path) {
			l.fail(second.Pos, "one of them is enough", "%s is matched already, at %s", second.Match(), first.Pos)
		} else {
			l.fail(second.Pos, "write a route for the requests that both match, or match fewer with one of them",
				"some requests match this and %s, at %s, and neither is the narrower", first.Match(), first.Pos)
		}
		return
	}
	at := o
	for _, s := range t.Path {
		next := at.param
		if !s.Param {
			next = at.text[s.Text]
		}
		if next == nil {
			next = &overlap{}
			if s.Param {
				at.param = next
			} else {
				if at.text == nil {
					at.text = map[string]*overlap{}
				}
				at.text[s.Text] = next
			}
		}
		at = next
	}
	at.route = t
}

// clash returns a route that matches some request that path matches, where neither is the narrower. The bits of sides say
// which of the two had a text so far where the other had a parameter.
func (o *overlap) clash(path []Segment, sides int) *Route {
	if len(path) == 0 {
		return o.sameOrCrossed(sides)
	}
	if o.param != nil && path[0] != (Segment{}) { // {x} is never empty
		side := sides
		if !path[0].Param {
			side |= leftNarrower
		}
		if t := o.param.clash(path[1:], side); t != nil {
			return t
		}
	}
	if !path[0].Param {
		if next := o.text[path[0].Text]; next != nil {
			return next.clash(path[1:], sides)
		}
		return nil
	}
	for _, text := range slices.Sorted(maps.Keys(o.text)) {
		if text == "" {
			continue
		}
		if t := o.text[text].clash(path[1:], sides|rightNarrower); t != nil {
			return t
		}
	}
	return nil
}

const (
	leftNarrower  = 1
	rightNarrower = 2
)

func (o *overlap) sameOrCrossed(sides int) *Route {
	if sides == 0 || sides == leftNarrower|rightNarrower {
		return o.route
	}
	return nil
}

func samePath(a, b []Segment) bool {
	return slices.EqualFunc(a, b, func(x, y Segment) bool { return x.Param == y.Param && (x.Param || x.Text == y.Text) })
}
