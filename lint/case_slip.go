package lint

import (
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var caseSlip = &Rule{
	ID:       "AEG013",
	Name:     "case-slip",
	Severity: aegis.SeverityInfo,
	Summary:  "another spelling of an environment slips past a comparison",
	Doc: `avoid: deny_if: environment == "prod"
prefer: deny_if: environment.lowerAscii() == "prod"; or args: {environment: {in: [dev, staging]}}
why: texts compare byte by byte, and Prod, PROD or production are other texts. A list of what is allowed has no such
gap, and an argument that has one is left alone, as is a comparison that must be true for the call to pass.`,
	check: checkCaseSlip,
}

func checkCaseSlip(p *pass) {
	p.oddCase()
	p.conditions(func(c condition) {
		p.neverLower(c)
		p.otherThanListed(c)
		p.deniesAsWritten(c)
		terms(c.Expr, true, func(x *policy.Expr, positive bool) {
			if x.Op != policy.OpEq && x.Op != policy.OpNe {
				return
			}
			// The side on which an unforeseen spelling ends up: not equal.
			if c.permits(positive) == (x.Op == policy.OpEq) {
				return
			}
			arg, lit := x.Sub[0], x.Sub[1]
			if !isArg(arg) {
				arg, lit = lit, arg
			}
			if !isArg(arg) || lit.Op != policy.OpLiteral || lit.Lit.Kind != aegis.String ||
				!strings.ContainsFunc(lit.Lit.Str, unicode.IsLetter) || listedIn(c, arg.Fields) {
				return
			}
			name := strings.Join(arg.Fields, ".")
			if hasWord(arg.Fields[len(arg.Fields)-1], stageWords) {
				p.reportAt(c.Pos, c.Rule, "compare "+name+".lowerAscii(), or list what is allowed with in: under args",
					"%s: another spelling of %q slips past", x, lit.Lit.Str)
			}
		})
	})
}

// listedIn reports whether a list of allowed values bounds the argument, in the condition's entry or beside it.
func listedIn(c condition, arg []string) bool {
	return slices.ContainsFunc(append(c.unit.beside(c.entry), c.entry), func(e *policy.Entry) bool {
		return slices.ContainsFunc(constraintsOf(e), func(k *policy.Constraint) bool {
			return slices.Equal(k.Path, arg) && slices.ContainsFunc(k.Checks, func(ch *policy.Check) bool {
				return ch.Op == policy.CheckIn || ch.Op == policy.CheckPattern
			})
		})
	})
}
