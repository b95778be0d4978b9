package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var unusedDefinition = &Rule{
	ID:       "AEG039",
	Name:     "unused-definition",
	Severity: aegis.SeverityWarning,
	Fixable:  true,
	Summary:  "a list, a param or a fragment that nothing refers to",
	Doc: `avoid: lists: {payees: [acct_1, acct_2]} and no rule with $payees or lists.payees
prefer: the rule that it was written for; or no list
why: a list that nothing refers to limits nothing, though it looks as if it did. A fragment grants nothing until a
policy names it under use. --fix removes lists and params; a fragment is a file, which is yours to remove.`,
	check: checkUnusedDefinition,
}

func checkUnusedDefinition(p *pass) {
	for _, d := range p.set.Unused {
		switch d.Kind {
		case policy.DefinedFragment:
			p.reportAt(d.Pos, policy.NoRule, "add use: ["+d.Name+"] to the policies that it is for, or remove the file", "no policy uses the fragment %s", d.Name)
		case policy.DefinedParam:
			p.reportAt(d.Pos, policy.NoRule, "write $"+d.Name+" or params."+d.Name+" where it is meant, or remove it", "nothing refers to the param %s", d.Name)
			p.fix(removeKey(d.Name))
		default:
			p.reportAt(d.Pos, policy.NoRule, "write $"+d.Name+" or lists."+d.Name+" where it is meant, or remove it", "nothing refers to the list %s", d.Name)
			p.fix(removeKey(d.Name))
		}
	}
}
