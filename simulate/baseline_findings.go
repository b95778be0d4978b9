package simulate

import (
	"fmt"

	"github.com/aegisctl/aegis"
)

// Ids of the findings that a comparison makes. They stand apart from the linter's.
const (
	FindingNewlyDenied  = "AEG901"
	FindingNewlyAllowed = "AEG902"
	FindingNewlyHeld    = "AEG903"
)

// Findings returns what the comparison has to say of lines of the policies: one finding for each kind of change and
// line, with the number of calls. Each names the new policy's line where there is one (ChangeGroup.Source).
func (c *Changes) Findings() []aegis.Finding {
	type key struct{ id, source, rule string }
	ids := map[Kind]struct {
		id       string
		severity aegis.Severity
		verb     string
	}{NewlyDenied: {FindingNewlyDenied, aegis.SeverityWarning, "newly denies"},
		NewlyAllowed: {FindingNewlyAllowed, aegis.SeverityWarning, "newly allows"},
		NewlyHeld:    {FindingNewlyHeld, aegis.SeverityInfo, "newly holds"}}
	out, calls, at := []aegis.Finding{}, []int64{}, map[key]int{}
	for i := range c.Groups {
		g := &c.Groups[i]
		x, ok := ids[g.Change]
		if !ok {
			continue
		}
		k := key{x.id, g.Source, g.Cause}
		n, seen := at[k]
		if !seen {
			n = len(out)
			at[k] = n
			out, calls = append(out, aegis.Finding{ID: x.id, Severity: x.severity, Source: g.Source, Rule: g.Cause}), append(calls, 0)
		}
		calls[n] += g.Calls
		out[n].Message = fmt.Sprintf("against the baseline, the policy %s %s calls of this traffic (was %s; now %s)", x.verb,
			number(calls[n]), clip(g.Old.line(), textLine), clip(g.New.line(), textLine))
	}
	return out
}
