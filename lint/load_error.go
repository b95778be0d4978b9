package lint

import (
	"errors"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// loadError has no check: a set that exists has been loaded.
var loadError = &Rule{
	ID:       "AEG000",
	Name:     "load-error",
	Severity: aegis.SeverityError,
	Summary:  "the source does not load",
	Doc: `avoid: a key that the language does not have, a number in quotes, CEL that does not parse
prefer: what the message's hint says
why: nothing of a source that fails to load takes effect, so a typo can never remove a limit silently.`,
}

// FromLoadError returns the problems that policy.Load found as findings. Any other error becomes one finding without a
// place, and nil none.
func FromLoadError(err error) []aegis.Finding {
	if err == nil {
		return nil
	}
	finding := func(msg, hint, source string) aegis.Finding {
		return aegis.Finding{ID: loadError.ID, Severity: loadError.Severity, Message: msg, Hint: hint, Source: source}
	}
	if all, ok := errors.AsType[policy.Errors](err); ok {
		out := make([]aegis.Finding, len(all))
		for i, e := range all {
			out[i] = finding(e.Msg, e.Hint, e.Pos.String())
		}
		return out
	}
	if e, ok := errors.AsType[*policy.Error](err); ok {
		return []aegis.Finding{finding(e.Msg, e.Hint, e.Pos.String())}
	}
	return []aegis.Finding{finding(err.Error(), "", "")}
}
