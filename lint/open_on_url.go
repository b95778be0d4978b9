package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var openOnURL = &Rule{
	ID:       "AEG016",
	Name:     "open-on-url",
	Severity: aegis.SeverityWarning,
	Summary:  "on_failure: open for a read that takes a URL",
	Doc: `avoid: effect: read with on_failure: open on http-fetch/get, whose url is constrained
prefer: on_failure: closed, the default
why: fetching a URL can carry data out in it, so it is a read in name only. When the gate fails, open lets it through
with no rule applied to the URL at all.`,
	check: checkOpenOnURL,
}

func checkOpenOnURL(p *pass) {
	p.entries(func(_ *unit, e *policy.Entry) {
		if e.OnFailure != policy.FailOpen {
			return
		}
		for _, x := range append(lineage(e), e.Children...) {
			if x.Parent == e && x.OnFailure == policy.FailClosed {
				continue
			}
			if arg := urlOf(x); arg != "" {
				p.reportAt(p.word(e.Pos, "on_failure"), policy.NoRule, "leave on_failure at closed",
					"on_failure: open lets any %s through while the gate fails", arg)
				return
			}
		}
	})
}

// urlOf returns an argument of the entry that is a URL: by its constraint, by what an expression asks of it, or by name.
func urlOf(e *policy.Entry) string {
	for _, c := range constraintsOf(e) {
		if slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool { return ch.Code == aegis.URLNotAllowed }) {
			return c.Path[0]
		}
	}
	var arg string
	for _, c := range conditionsOf(e) {
		c.Expr.Walk(func(x *policy.Expr) {
			if x.Op == policy.OpHost && isArg(x.Sub[0]) {
				arg = x.Sub[0].Fields[0]
			}
		})
	}
	if i := slices.IndexFunc(e.Names, looksLikeURL); arg == "" && i >= 0 {
		arg = e.Names[i]
	}
	return arg
}
