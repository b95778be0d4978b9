package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficError = &Rule{
	ID:       "AEG073",
	Name:     "traffic-error",
	Severity: aegis.SeverityWarning,
	Summary:  "a rule could not be decided on many captured calls",
	Doc: `avoid: require: [amount > 0] where calls leave amount out
prefer: fee: {max: 100, optional: true}, if such calls are meant to pass
why: an error denies, whatever the rule was for. Where real calls meet it, the rule reads an argument that is not always
there, or is of another type than its author thought.
Many are 5% of the entry's calls; AEG074 tells of fewer. Values are never shown.`,
	NeedsTraffic: true,
	check:        checkTrafficError,
}

// often is the share of an entry's calls from which on errors are more likely the policy's mistake than the calls'.
const often = 0.05

func checkTrafficError(p *pass) { p.trafficErrors(func(share float64) bool { return share >= often }) }

// trafficFault is one cause of errors: what is wrong with an argument, and the rules of one entry that stumble over it.
type trafficFault struct {
	TrafficError
	rules []policy.RuleID
}

// trafficErrors reports the causes of errors whose share of the entry's calls is wanted, each once.
func (p *pass) trafficErrors(wanted func(share float64) bool) {
	if p.opt.Traffic == nil {
		return
	}
	numbers, of := p.rulesByID(), p.callsSeen()
	faults := map[string]*trafficFault{}
	var order []string
	for _, e := range p.opt.Traffic.Errors {
		r, known := numbers[e.Rule]
		if !known || r <= policy.NoPolicyRule {
			continue
		}
		entry, _, _ := strings.Cut(e.Rule, "#")
		key := entry + "#" + e.Why
		if faults[key] == nil {
			faults[key] = &trafficFault{TrafficError: e}
			order = append(order, key)
		}
		f := faults[key]
		f.rules = append(f.rules, r)
		if e.Calls > f.Calls {
			f.TrafficError = e
		}
	}
	for _, key := range order {
		entry, _, _ := strings.Cut(key, "#")
		f, calls := faults[key], of[entry]
		if calls < f.Calls {
			calls = p.opt.Traffic.Calls // of a guardrail
		}
		if calls > 0 && wanted(float64(f.Calls)/float64(calls)) {
			p.reportFault(f, calls)
		}
	}
}

func (p *pass) reportFault(f *trafficFault, of int64) {
	slices.SortFunc(f.rules, func(a, b policy.RuleID) int { return comparePos(p.pos(a), p.pos(b)) })
	var keys []string
	for _, r := range f.rules {
		keys = append(keys, p.key(r))
	}
	example := ""
	switch {
	case f.Session != "" && f.Seq >= 0:
		example = fmt.Sprintf(", such as seq %d of session %s", f.Seq, f.Session)
	case f.Session != "":
		example = ", such as one of session " + f.Session
	}
	p.report(f.rules[0], "let the rule bear it, or leave it so if these calls are to be denied",
		"%s could not be decided on %d of %s: %s%s", listed(keys), f.Calls, count(of, "captured call"), f.Why, example)
}
