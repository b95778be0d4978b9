package sign

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aegisctl/aegis"
)

// Floor holds the lowest serial that is still accepted of each tenant: the highest that was accepted before.
type Floor map[string]int64

// floorFile is a floor on disk.
type floorFile struct {
	Schema int   `json:"schema"`
	Floor  Floor `json:"floor"`
}

// ParseFloor reads a state file. The error is an *Error: a floor that cannot be read is no floor of zero.
func ParseFloor(text []byte) (Floor, error) {
	f, err := parseFloor(text)
	if err != nil {
		return nil, &Error{Code: BadFloor, Text: fmt.Sprintf("the floor cannot be read: %v", err), Err: err}
	}
	return f, nil
}

func parseFloor(text []byte) (Floor, error) {
	d, err := aegis.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := exactMembers(d.Root(), "schema", "floor"); err != nil {
		return nil, fmt.Errorf("it %w", err)
	}
	var f floorFile
	if err := json.Unmarshal(text, &f); err != nil || f.Floor == nil {
		return nil, errors.New(`it is not {"schema": 1, "floor": {"TENANT": SERIAL}}`)
	}
	if f.Schema != 1 {
		return nil, fmt.Errorf("its schema is %d, and this program knows 1", f.Schema)
	}
	return f.Floor, nil
}

// Encode returns the state file of a floor: the same bytes for the same floor.
func (f Floor) Encode() []byte {
	b, err := json.MarshalIndent(floorFile{1, f}, "", "  ")
	if err != nil {
		panic(err) // text and numbers always encode
	}
	return append(b, '\n')
}

// Raise returns the floor after v was put to use. A floor never sinks.
func (f Floor) Raise(v *Verified) Floor {
	next := Floor{}
	for t, n := range f {
		next[t] = n
	}
	for _, t := range v.Tenants {
		next[t] = max(next[t], v.Serial)
	}
	return next
}
