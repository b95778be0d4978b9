package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var leadingZero = &Rule{
	ID:       "AEG048",
	Name:     "leading-zero",
	Severity: aegis.SeverityWarning,
	Summary:  "a code in a list that has lost its leading zero",
	Doc: `avoid: zip: {in: ["10115", "80331", "1067"]}
prefer: zip: {in: ["10115", "80331", "01067"]}
why: spreadsheets and YAML take codes for numbers and drop the zero in front. The value then fits no call. Compared are
lists of digits on arguments whose names say that they hold codes.`,
	check: checkLeadingZero,
}

var codeWords = []string{"zip", "zips", "zipcode", "postcode", "postcodes", "postal", "plz", "code", "codes", "routing", "account", "accounts", "iban", "phone",
	"branch", "sku", "ean", "isbn", "pin", "ssn", "employee", "id", "ids", "number"}

func checkLeadingZero(p *pass) {
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if (ch.Op == policy.CheckIn || ch.Op == policy.CheckNotIn) && hasWord(strings.Join(c.Path, "."), codeWords) {
				if lost := lostZero(ch.List); lost != "" {
					pos := p.listItem(ch, lost)
					if pos == p.pos(ch.Rule) {
						pos = p.word(pos, lost)
					}
					p.reportAt(pos, ch.Rule, "write it in quotes, with the zero", "%s is a digit short beside the others: a leading zero is lost", lost)
				}
			}
		}
	})
	p.conditions(func(c condition) {
		c.Expr.Walk(func(x *policy.Expr) {
			if x.Op != policy.OpIn || !isArg(x.Sub[0]) || x.Sub[1].Op != policy.OpList || !hasWord(x.Sub[0].Fields[len(x.Sub[0].Fields)-1], codeWords) {
				return
			}
			if lost := lostZero(x.Sub[1].List); lost != "" {
				p.reportAt(c.Pos, c.Rule, "write it in quotes, with the zero", "%s is a digit short beside the others: a leading zero is lost", lost)
			}
		})
	})
}

// lostZero returns the value of a list that is one digit shorter than all others, which are as long as each other.
func lostZero(list []policy.Literal) string {
	var texts []string
	for _, l := range list {
		t := literalText(l)
		if l.Kind == aegis.Bool || t == "" || strings.ContainsFunc(t, func(r rune) bool { return r < '0' || r > '9' }) {
			return ""
		}
		texts = append(texts, t)
	}
	if len(texts) < 2 {
		return ""
	}
	long := len(slices.MaxFunc(texts, func(a, b string) int { return len(a) - len(b) }))
	lost, short := "", 0
	for _, t := range texts {
		switch len(t) {
		case long:
		case long - 1:
			lost, short = t, short+1
		default:
			return ""
		}
	}
	if short == 0 || 2*short > len(texts) || long < 4 {
		return ""
	}
	return lost
}
