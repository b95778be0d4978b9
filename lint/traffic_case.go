package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficCase = &Rule{
	ID:       "AEG076",
	Name:     "traffic-case",
	Severity: aegis.SeverityWarning,
	Summary:  "captured calls are denied for a listed value in another case",
	Doc: `avoid: in: [web, api] where calls say Web
prefer: the values as the tool writes them; matches: '(?i:web|api)' where it takes them in any case
why: values compare byte for byte, so a list that calls miss by a capital denies what was meant.
At least three calls must show it. The calls' values are not shown, only the rule.`,
	NeedsTraffic: true,
	check:        checkTrafficCase,
}

func checkTrafficCase(p *pass) {
	if p.opt.Traffic == nil {
		return
	}
	numbers, of := p.rulesByID(), p.callsSeen()
	for _, d := range p.opt.Traffic.CaseOnly {
		r, known := numbers[d.Rule]
		if !known || r <= policy.NoPolicyRule || d.Calls < fewCalls {
			continue
		}
		entry, _, _ := strings.Cut(d.Rule, "#")
		p.report(r, "write the values as the calls do, or match them in any case", "%s denies %d of %s for a value that is listed in another case",
			p.key(r), d.Calls, count(max(of[entry], d.Calls), "captured call"))
	}
}
