package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var settingLikeName = &Rule{
	ID:       "AEG008",
	Name:     "setting-like-name",
	Severity: aegis.SeverityInfo,
	Summary:  "max_<word> reads like a setting and constrains an argument",
	Doc: `avoid: conditions: {max_tokens: 500}
prefer: args: {max_tokens: {max: 500}} for the argument max_tokens; limits: for how often and how much
why: max_tokens is short for args.tokens.max: it constrains an argument called tokens, and denies calls without one.
Left alone where another rule of the entry names that argument too.`,
	check: checkSettingLikeName,
}

// settings are the words that after max_ read like a setting, with where the setting is, if there is one.
var settings = map[string]string{
	"tokens":      "",
	"retries":     "",
	"attempts":    "",
	"length":      "for a text's length write args: {NAME: {max_length: …}}",
	"results":     "",
	"calls":       "to count calls write limits: [{calls: 200/session}]",
	"requests":    "to count calls write limits: [{calls: 200/session}]",
	"rate":        "for a rate write limits: [{rate: 5/s}]",
	"cost":        "for what calls may cost write limits: [{budget: $20/day}]",
	"spend":       "for what calls may cost write limits: [{budget: $20/day}]",
	"budget":      "for what calls may cost write limits: [{budget: $20/day}]",
	"depth":       "for the chain of callers write max_chain_depth: at the top of the policy",
	"chain_depth": "write max_chain_depth: at the top of the policy",
	"duration":    "",
	"time":        "",
	"timeout":     "",
	"concurrency": "",
	"per_day":     "to count calls write limits: [{calls: 200/day}]",
	"per_hour":    "to count calls write limits: [{calls: 200/hour}]",
	"daily":       "for a sum over a day write limits: [{budget: 20000/day of amount}]",
}

// thresholds are the words that after min_ read like a setting.
var thresholds = []string{"confidence", "score", "similarity", "relevance", "probability", "length", "rating"}

func checkSettingLikeName(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if e.Conditions == nil {
			return
		}
		for _, c := range e.Conditions.Args {
			where, known := settings[c.Path[0]]
			key := "max_"
			if !known && slices.Contains(thresholds, c.Path[0]) {
				key, known = "min_", true
			}
			if !known || len(c.Checks) != 1 || p.key(c.Checks[0].Rule) != key+c.Path[0] || namedElsewhere(p, e, c) {
				continue
			}
			hint := "for an argument called " + key + "NAME write args: {" + key + "NAME: {" + key[:3] + ": " + c.Checks[0].Text + "}}"
			hint = strings.ReplaceAll(hint, "NAME", c.Path[0])
			if where != "" {
				hint += "; " + where
			}
			p.report(c.Checks[0].Rule, hint, "%s%s constrains the argument %s, and denies calls without it", key, c.Path[0], c.Path[0])
		}
	})
}

// namedElsewhere reports whether another rule of the entry names the constraint's argument.
func namedElsewhere(p *pass, e *policy.Entry, c *policy.Constraint) bool {
	for _, m := range mentionsOf(p, e) {
		if m.path[0] == c.Path[0] && m.pos != p.pos(c.Checks[0].Rule) {
			return true
		}
	}
	return false
}
