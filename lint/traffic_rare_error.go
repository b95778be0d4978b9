package lint

import "github.com/aegisctl/aegis"

var trafficRareError = &Rule{
	ID:       "AEG074",
	Name:     "traffic-rare-error",
	Severity: aegis.SeverityInfo,
	Summary:  "a rule could not be decided on a few captured calls",
	Doc: `avoid: taking for granted that a few odd calls are attacks
prefer: a look at one of them, then optional: true, or a note that they are to be denied
why: an error denies. Where few calls meet it, most often the calls are wrong: an agent that guessed a type, or tried
something. Sometimes they are the one rare way in which the tool is rightly used.
Few are less than 5% of the entry's calls; AEG073 tells of more. Values are never shown.`,
	NeedsTraffic: true,
	check:        func(p *pass) { p.trafficErrors(func(share float64) bool { return share < often }) },
}
