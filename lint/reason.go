package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// world is what is known of one call: of each argument by its path, and of each other thing that expressions compute by
// its text (termKey). What a world rules out, no call has; what it does not rule out, a call may have or not.
type world map[string]*domain

func pathKey(path []string) string { return strings.Join(path, "\x1f") }

// with returns a copy of the world in which one domain is narrowed by f.
func (w world) with(key string, f func(*domain)) world {
	next := maps.Clone(w)
	next.narrow(key, f)
	return next
}

// narrow is with in place. The domain itself is never changed, since copies of the world share it.
func (w world) narrow(key string, f func(*domain)) {
	d := domain{}
	if old := w[key]; old != nil {
		d = *old
	}
	f(&d)
	w[key] = &d
}

// claim is an expression that must be true, or must be false. An error is neither.
type claim struct {
	e    *policy.Expr
	want bool
}

// maxBranches bounds how many alternatives are followed; a policy with more of them is not decided.
const maxBranches = 1024

// possible reports whether the claims can all hold in the world. It says yes wherever it cannot tell.
func (w world) possible(claims ...claim) bool {
	branches := maxBranches
	return w.search(claims, &branches)
}

// search is possible with a number of branches that several questions share.
func (w world) search(claims []claim, branches *int) bool {
	var relations []claim // decided last, when the most is known of both sides
	for len(claims) > 0 {
		c := claims[0]
		claims = claims[1:]
		switch {
		case c.e.Op == policy.OpNot:
			claims = append([]claim{{c.e.Sub[0], !c.want}}, claims...)
		case c.e.Op == policy.OpAnd || c.e.Op == policy.OpOr:
			a, b := claim{c.e.Sub[0], c.want}, claim{c.e.Sub[1], c.want}
			if (c.e.Op == policy.OpAnd) == c.want {
				claims = append([]claim{a, b}, claims...)
				continue
			}
			if *branches--; *branches < 0 {
				return true
			}
			claims = append(slices.Clone(claims), relations...)
			return w.search(append([]claim{a}, claims...), branches) || w.search(append([]claim{b}, claims...), branches)
		case isRelation(c.e) && len(claims) > 0 && !onlyRelations(claims):
			relations = append(relations, c)
		default:
			next, ok := w.assume(c)
			if !ok {
				return false
			}
			w = next
		}
		if len(claims) == 0 {
			claims, relations = relations, nil
		}
	}
	return w.derivedFits()
}

// isRelation reports whether e compares two things neither of which is constant.
func isRelation(e *policy.Expr) bool {
	_, comparison := flipped[e.Op]
	return comparison && e.Sub[0].Op != policy.OpLiteral && e.Sub[1].Op != policy.OpLiteral
}

func onlyRelations(cs []claim) bool {
	return !slices.ContainsFunc(cs, func(c claim) bool { return !isRelation(c.e) })
}

// assume narrows the world by a claim without and, or, not. It is false where that leaves nothing.
func (w world) assume(c claim) (world, bool) {
	if v, constant := constantOf(c.e); constant {
		return w, v == c.want
	}
	next := maps.Clone(w)
	for _, n := range readings(c) {
		next.narrow(n.key, n.narrow)
		if next[n.key].ruledOut() {
			return next, false
		}
	}
	return next, !next.clashes(c)
}

// clashes reports whether a claim cannot hold for a reason that no single domain shows: the two sides of a comparison
// lie apart, or the body of exists or all cannot hold for any element.
func (w world) clashes(c claim) bool {
	switch {
	case isRelation(c.e):
		return w.apart(c)
	case c.e.Op == policy.OpExists && c.want, c.e.Op == policy.OpAll && !c.want:
		return !world{}.possible(claim{c.e.Sub[1], c.want})
	}
	return false
}

// apart reports whether the numbers that the two sides of a comparison can be rule it out.
func (w world) apart(c claim) bool {
	op := c.e.Op
	if !c.want {
		op = negated[op]
	}
	a, b := w[termKey(c.e.Sub[0])], w[termKey(c.e.Sub[1])]
	if op == policy.OpGt || op == policy.OpGe {
		a, b, op = b, a, flipped[op]
	}
	if a == nil || b == nil {
		return false
	}
	over := func(lo, hi *domain, strict bool) bool { // lo < hi, or lo <= hi, cannot be
		if lo.min == nil || hi.max == nil {
			return false
		}
		order := lo.min.num.Cmp(hi.max.num)
		return order > 0 || order == 0 && (strict || lo.min.open || hi.max.open)
	}
	switch op {
	case policy.OpEq:
		return over(a, b, false) || over(b, a, false)
	case policy.OpNe:
		return false
	}
	return over(a, b, op == policy.OpLt)
}

// derivedFits reports whether what is known of a text in lower case fits what is known of the text: of a list of texts,
// one must be left.
func (w world) derivedFits() bool {
	for key, d := range w {
		path, ok := strings.CutPrefix(key, lowerOf)
		of := w[path]
		if !ok || of == nil || of.in == nil {
			continue
		}
		if !slices.ContainsFunc(of.in, func(l policy.Literal) bool {
			return of.allows(l) && d.allows(policy.Literal{Kind: aegis.String, Str: asciiLower(l.Str)}) && d.has(asciiLower(l.Str))
		}) {
			return false
		}
	}
	return true
}

// has reports whether a text is in the domain's list, if it has one.
func (d *domain) has(s string) bool {
	return d.in == nil || slices.ContainsFunc(d.in, func(l policy.Literal) bool { return l.Kind == aegis.String && l.Str == s })
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
