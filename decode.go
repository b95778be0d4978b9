package aegis

import (
	"fmt"
	"time"
)

// DecodeCall reads the call envelope of the native door:
//
//	{"tenant", "agent", "tool", "args", and optional "action", "chain", "session", "region", "effect", "time",
//	 "approval", "dry_run"}
//
// Anything that is not exactly this is an error (a *SyntaxError with its place); the caller answers reject. Keys that
// differ in case only are refused here outside args; inside args they are left to Value.Variants.
func DecodeCall(text []byte) (*Call, error) { return DecodeCallWithin(text, MaxBody) }

// DecodeCallWithin is DecodeCall for a door with another limit on the size of a body, in bytes; GreatestBody at most.
func DecodeCallWithin(text []byte, limit int) (*Call, error) {
	d := new(Doc)
	if err := d.Parse(text, min(limit, GreatestBody)); err != nil {
		return nil, err
	}
	root := d.Root()
	if root.Kind() != Object {
		return nil, &SyntaxError{0, "the call is not a JSON object"}
	}
	c := new(Call)
	for m := root.First(); m.d != nil; m = root.After(m) {
		if err := c.member(m); err != nil {
			return nil, err
		}
	}
	for _, need := range [...]string{"tenant", "agent", "tool", "args"} {
		if root.Get(need).Kind() == Absent {
			return nil, &SyntaxError{0, fmt.Sprintf("%q is missing", need)}
		}
	}
	if n, inside := len(d.variants), len(c.Args.Variants()); inside < n {
		return nil, d.CaseVariants()
	}
	return c, nil
}

// SetMember sets what one member of an envelope says, by the rules of DecodeCall: for doors that have another envelope and
// carry some of the same members. The members that say who calls what are not among them.
func (c *Call) SetMember(m Value) error {
	switch m.Key() {
	case "session", "region", "chain", "effect", "approval", "dry_run", "time":
		return c.member(m)
	}
	return &SyntaxError{m.Offset(), fmt.Sprintf("unknown member %.40q; what may stand here is session, region, chain, effect, time, "+
		"approval, dry_run", m.Key())}
}

func (c *Call) member(m Value) error {
	bad := func(want string) error {
		return &SyntaxError{m.Offset(), fmt.Sprintf("%q must be %s", m.Key(), want)}
	}
	const name = "1 to 128 printable ASCII characters without space"
	switch key := m.Key(); key {
	case "tenant", "agent", "tool", "region", "approval":
		if m.Kind() != String || !ValidName(m.Str()) {
			return bad(name)
		}
		*c.name(key) = m.Str()
	case "action":
		if m.Kind() != String || m.Str() != "" && !ValidName(m.Str()) {
			return bad(name + ", or empty")
		}
		c.Action = m.Str()
	case "args":
		if m.Kind() != Object {
			return bad("an object")
		}
		c.Args = m
	case "chain":
		return c.chain(m, bad)
	case "session":
		if m.Kind() != String || !ValidSession(m.Str()) {
			return bad("1 to 512 bytes of text without control characters")
		}
		c.Session = m.Str()
	case "effect":
		e, ok := ParseEffect(m.Str())
		if !ok {
			return bad(`"read" or "write"`)
		}
		c.Effect = e
	case "time":
		t, err := time.Parse(time.RFC3339Nano, m.Str())
		if err != nil || m.Kind() != String {
			return bad("an RFC 3339 time with a zone, like 2026-03-01T12:00:00Z")
		}
		c.Time, c.HasTime = t.UnixMicro(), true
	case "dry_run":
		if m.Kind() != Bool {
			return bad("true or false")
		}
		c.DryRun = m.Bool()
	default:
		return &SyntaxError{m.Offset(), fmt.Sprintf("unknown member %.40q of the call; its members are tenant, agent, "+
			"tool, action, args, chain, session, region, effect, time, approval, dry_run", key)}
	}
	return nil
}

// name returns where a member that is a name goes.
func (c *Call) name(key string) *string {
	switch key {
	case "tenant":
		return &c.Tenant
	case "agent":
		return &c.Agent
	case "tool":
		return &c.Tool
	case "region":
		return &c.Region
	}
	return &c.Approval
}

// MaxChain is the greatest number of callers in a chain.
const MaxChain = 64

func (c *Call) chain(m Value, bad func(string) error) error {
	if m.Kind() != List || m.Len() > MaxChain {
		return bad(fmt.Sprintf("a list of at most %d names", MaxChain))
	}
	for e := m.First(); e.d != nil; e = m.After(e) {
		if e.Kind() != String || !ValidName(e.Str()) {
			return bad("a list of names of printable ASCII without space")
		}
		c.Chain = append(c.Chain, e.Str())
	}
	return nil
}
