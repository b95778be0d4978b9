package bundle

import (
	"errors"
	"fmt"
)

// Fault is the kind of reason for which Read refuses an archive. The names are stable: scripts match them.
type Fault string

// The faults that have a name of their own. Any other archive that Read refuses is simply a bad one.
const (
	Truncated Fault = "truncated"       // it ends early, or is empty
	Trailing  Fault = "trailing_data"   // something follows the end
	Duplicate Fault = "duplicate_entry" // a name twice, or twice but for case
	Unsafe    Fault = "unsafe_path"     // absolute, leading out, or not canonical
	NotAFile  Fault = "not_a_file"      // a link, a directory, a device
	TooLarge  Fault = "too_large"       // over a bound of this package
)

type faultError struct {
	fault Fault
	error
}

func faultf(f Fault, format string, args ...any) error {
	return &faultError{f, fmt.Errorf(format, args...)}
}

// FaultOf returns the named fault of an error of Read, or "".
func FaultOf(err error) Fault {
	if f := new(faultError); errors.As(err, &f) {
		return f.fault
	}
	return ""
}
