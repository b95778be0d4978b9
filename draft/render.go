package draft

import (
	"fmt"
	"regexp"
	"strings"
)

// owner says whose a line of a policy is, so that a rule which turns out wrong can be traced to what it came from.
type owner struct {
	entry *planned
	arg   *constraint
}

// text is a policy as it is written.
type text struct {
	strings.Builder
	owners []owner // by line, from 0
	plain  bool    // without comments
}

func (t *text) line(o owner, format string, args ...any) {
	fmt.Fprintf(&t.Builder, format+"\n", args...)
	t.owners = append(t.owners, o)
}

func (t *text) comment(o owner, indent, format string, args ...any) {
	if !t.plain {
		t.line(o, indent+"# "+format, args...)
	}
}

// how says how a plan is written.
type how struct {
	plain  bool // without comments
	hourly bool // with the limit per hour
}

// write writes the policy.
func (p *plan) write(h how) *text {
	t := &text{plain: h.plain}
	p.head(t)
	none := owner{}
	t.line(none, "version: 1")
	t.line(none, "tenant: %s", scalar(p.tenant))
	t.line(none, "agent: %s", scalar(p.agent))
	t.line(none, "callers: %s", flow(p.callers))
	t.line(none, "max_chain_depth: %d", p.depth)
	if p.regions != nil {
		t.line(none, "regions: %s", flow(p.regions))
	} else if len(p.seen.regions) > 0 || p.seen.oddRegions {
		t.comment(none, "", "No regions: %s lack one, or one may not be written.", plural(p.seen.regionless, "call"))
	}
	if p.perSession > 0 || p.perHour > 0 && h.hourly {
		t.line(none, "limits:")
	}
	if p.perSession > 0 {
		t.comment(none, "  ", "seen about %s calls in the busiest session; grants half as many again, rounded up", about(float64(peak(p.seen.sessions))))
		t.line(none, "  - calls: %d/session", p.perSession)
	}
	if p.perHour > 0 && h.hourly {
		t.comment(none, "  ", "seen about %s calls in the busiest hour; grants twice as many, rounded up", about(float64(peak(p.seen.hours))))
		t.line(none, "  - calls: %d/hour", p.perHour)
	}
	t.line(none, "allowed_tools:")
	for _, e := range p.entries {
		e.write(t)
	}
	return t
}

// head says what the policy is and what it is not.
func (p *plan) head(t *text) {
	say := func(format string, args ...any) { t.comment(owner{}, "", format, args...) }
	say("Drafted by aegisctl draft from %s of %s/%s. It grants what was done, which is not", plural(p.seen.calls, "call"), p.tenant, p.agent)
	say("always what should be done: read every line, and the comments on what it grants beyond what was seen.")
	if m := p.measured; m != nil {
		lo, hi := m.interval()
		say("It denies none of these calls. How often it will deny a good one: a draft from %s of the sessions denied %s of",
			percent(1-m.share), count(m.denied))
		say("%s in the %s that it had not seen (%s of the calls); %s had one (%s, 95%% interval", plural(m.calls, "call"),
			plural(m.sessions, "session"), percent(ratio(m.denied, m.calls)), plural(m.badSessions, "session"), percent(ratio(m.badSessions, m.sessions)))
		say("%s to %s). This policy is from all sessions. The limit per hour cannot be measured so.", percent(lo), percent(hi))
	} else {
		say("It denies none of these calls. How often it will deny a good one was not measured.")
	}
}

func (e *planned) write(t *text) {
	o := owner{entry: e}
	for _, n := range e.notes {
		t.comment(o, "  ", "%s", n)
	}
	t.line(o, "  - name: %s", scalar(e.tool))
	if e.action != "" {
		t.line(o, "    actions: [%s]", scalar(e.action))
	}
	if e.effect != "" {
		t.line(o, "    effect: %s", e.effect)
	} else {
		t.comment(o, "    ", "effect: not captured for every call, so it counts as write")
	}
	if e.bare {
		return
	}
	t.line(o, "    conditions:")
	if !e.open {
		t.line(o, "      other_args: deny")
	}
	if len(e.args) > 0 {
		t.line(o, "      args:")
	}
	for _, c := range e.args {
		mine := owner{e, c}
		c.comments(t, mine, c.name)
		t.line(mine, "        %s: %s", scalar(c.name), c.flow(true))
	}
}

// comments says what was seen of the argument and of what it holds.
func (c *constraint) comments(t *text, o owner, path string) {
	t.comment(o, "        ", "%s: seen %s; grants %s", path, c.seen, c.grants)
	if c.each != nil {
		c.each.comments(t, o, path+"[]")
	}
	for _, m := range c.args {
		m.comments(t, o, path+"."+m.name)
	}
}

// flow writes the constraint on one line.
func (c *constraint) flow(member bool) string {
	keys := c.keys
	if c.each != nil {
		keys = append(keys[:len(keys):len(keys)], "each: "+c.each.flow(false))
	}
	if len(c.args) > 0 {
		var ms []string
		for _, m := range c.args {
			ms = append(ms, scalar(m.name)+": "+m.flow(true))
		}
		keys = append(keys[:len(keys):len(keys)], "args: {"+strings.Join(ms, ", ")+"}")
	}
	if c.closed {
		keys = append(keys[:len(keys):len(keys)], "other_args: deny")
	}
	if member && (c.optional || len(keys) == 0) {
		keys = append(keys[:len(keys):len(keys)], "optional: true")
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// flow writes a list of texts on one line.
func flow(items []string) string {
	out := make([]string, len(items))
	for i, s := range items {
		out[i] = scalar(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)
	// What some reader of YAML takes for something else than text.
	reserved = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true,
		"null": true, "nan": true, "inf": true}
)

// scalar writes a text so that every reader of YAML takes it for that text.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !reserved[strings.ToLower(s)] {
		return s
	}
	return quoted(s)
}

// quoted writes a text in single quotes. It has no line breaks or control characters: nothing that may be written has.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
