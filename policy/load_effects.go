package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/redact"
)

// sanitizer is an item of sanitize while it is read.
type sanitizer struct {
	*Sanitizer
	match, replace *node
}

// sanitizeFields is what an item of sanitize may say.
func sanitizeFields() []field[*sanitizer] {
	return []field[*sanitizer]{
		{"redact", anywhere, 0, listOf(textShape), readRedact},
		{"match", anywhere, 0, textShape.described("RE2, anywhere in a text"), func(_ *reader, s *sanitizer, _, n *node) {
			s.match = n
		}},
		{"replace", anywhere, 0, shape{"type": "string"}, func(_ *reader, s *sanitizer, _, n *node) { s.replace = n }},
		{"fields", anywhere, 0, listOf(textShape), readFieldPaths},
		{"where", anywhere, 0, listOf(enumOf("args", "result")), readWhere},
	}
}

func (r *reader) sanitize(n *node) []*Sanitizer {
	var out []*Sanitizer
	for i, m := range r.members(n, "sanitize") {
		s := &sanitizer{Sanitizer: &Sanitizer{Args: true, Fields: [][]string{{"**"}}}}
		if !readFields(r, m, "a sanitizer", sanitizeTable.of(sanitizeFields), s) {
			continue
		}
		r.matchAndReplace(m, s)
		r.rule(&s.Rule, indexed("sanitize", i), m.pos)
		out = append(out, s.Sanitizer)
	}
	return out
}

// matchAndReplace reads the form {match, replace} and sees that a sanitizer has one form.
func (r *reader) matchAndReplace(m *node, s *sanitizer) {
	switch {
	case s.match == nil && s.replace == nil && m.get("redact") != nil:
		return
	case s.match == nil || s.replace == nil || m.get("redact") != nil:
		r.fail(m.pos, "write {redact: [ssn]} or {match: 'MRN-\\d{8}', replace: '[MRN]'}",
			"a sanitizer has redact, or match and replace")
		return
	}
	var ok, ok2 bool
	s.Match, ok = r.text(s.match, "match")
	if s.replace.style != plain && s.replace.text == "" {
		ok2 = true // what matches is taken out
	} else {
		s.Replace, ok2 = r.text(s.replace, "replace")
	}
	if !ok || !ok2 {
		return
	}
	if _, err := redact.Match(s.Match, s.Replace); err != nil {
		r.fail(s.match.pos, "", "match: %v", err)
	}
}

func readRedact(r *reader, s *sanitizer, _, n *node) {
	for _, m := range r.members(n, "redact") {
		kind, ok := r.text(m, "redact")
		if !ok {
			continue
		}
		if _, err := redact.New(redact.Kind(kind)); err != nil {
			r.fail(m.pos, "", "%v", err)
			continue
		}
		s.Redact = append(s.Redact, kind)
	}
	s.Redact = sortedSet(s.Redact)
}

// readFieldPaths reads dotted paths in which * is one level and ** any depth.
func readFieldPaths(r *reader, s *sanitizer, _, n *node) {
	s.Fields = nil
	for _, m := range r.members(n, "fields") {
		f, ok := r.text(m, "fields")
		if !ok {
			continue
		}
		path := r.path(m, f, "fields")
		for _, seg := range path {
			if strings.Contains(seg, "*") && seg != "*" && seg != "**" {
				r.fail(m.pos, "a star stands for a whole level: notes.* or notes.**",
					"fields: %q has a star inside a name", clip(f))
			}
		}
		s.Fields = append(s.Fields, path)
	}
	slices.SortFunc(s.Fields, slices.Compare)
}

func readWhere(r *reader, s *sanitizer, _, n *node) {
	s.Args = false
	for _, m := range r.members(n, "where") {
		switch w, _ := r.word(m, "where", "args", "result"); w {
		case "args":
			s.Args = true
		case "result":
			s.Result = true
		}
	}
}

var dollars = regexp.MustCompile(`^\$(0|[1-9][0-9]*)(?:\.([0-9]+))?$`)

// cost reads "$0.02", or an expression that is a number of dollars.
func (r *reader) cost(k, n *node) *Cost {
	c := &Cost{pos: n.pos}
	r.rule(&c.Rule, "cost", k.pos)
	if n.kind == scalarNode && n.jsonNumber() {
		r.fail(n.pos, "write $"+n.text, "cost must be an amount in $ or an expression, not %s", n.what())
		return c
	}
	if n.kind != scalarNode || !strings.HasPrefix(n.text, "$") {
		c.Src, c.Expr = r.cel(n, ParseNumber)
		return c
	}
	c.Src = n.text
	parts := dollars.FindStringSubmatch(n.text)
	if parts == nil {
		r.fail(n.pos, "write an amount such as $0.02, or an expression such as amount * 0.01",
			"cost: %q is no amount", clip(n.text))
		return c
	}
	whole, err := strconv.ParseInt(parts[1], 10, 64)
	frac := parts[2]
	switch {
	case err != nil || whole >= aegis.MaxArithFrac:
		r.fail(n.pos, "", "cost: %s is not below $%d", clip(n.text), aegis.MaxArithFrac)
		return c
	case len(frac) > 6:
		r.fail(n.pos, "", "cost: %s has more than 6 decimals", clip(n.text))
		return c
	}
	micro, _ := strconv.ParseInt(frac+strings.Repeat("0", 6-len(frac)), 10, 64)
	c.Micro = whole*1_000_000 + micro
	return c
}

// The default approval: any approver of the tenant, within 15 minutes.
const (
	defaultExpiry = 15 * time.Minute
	maxExpiry     = 30 * 24 * time.Hour
	maxQuorum     = 100
)

// approvalFields is what an approval may say.
func approvalFields() []field[*Tier] {
	return []field[*Tier]{
		{"when", anywhere, 0, defined("expressions"), func(*reader, *Tier, *node, *node) {}}, // see approval
		{"approvers", anywhere, 0, listOf(textLike(`^[!-~]{1,128}$`)), readApprovers},
		{"channel", anywhere, 0, textLike(channel.String()), readChannel},
		{"expires", anywhere, 0, textLike(expiry.String()), readExpires},
		{"quorum", anywhere, 0, integers(1, maxQuorum), func(r *reader, t *Tier, _, n *node) {
			t.Quorum, _ = r.integer(n, "quorum", 1, maxQuorum)
		}},
	}
}

// approval reads one approval, or a list of them.
func (r *reader) approval(n *node) []*Tier {
	nodes, rule := []*node{n}, func(int) string { return "approval" }
	if n.kind == listNode {
		nodes, rule = r.members(n, "approval"), func(i int) string { return indexed("approval", i) }
	}
	var out []*Tier
	for i, m := range nodes {
		t := &Tier{Pos: m.pos, Expires: defaultExpiry, Quorum: 1}
		if !readFields(r, m, "an approval", approvalTable.of(approvalFields), t) {
			continue
		}
		r.rule(&t.Rule, rule(i), m.pos)
		if when := m.get("when"); when != nil {
			t.When = r.tierConditions(when, rule(i))
		}
		out = append(out, t)
	}
	return out
}

// tierConditions reads `when`. Its conditions share the approval's rule.
func (r *reader) tierConditions(n *node, rule string) []*Condition {
	nodes := []*node{n}
	if n.kind == listNode {
		nodes = r.members(n, "when")
	}
	var out []*Condition
	for _, m := range nodes {
		if c := r.expression(m, "when"); c != nil {
			r.rule(&c.Rule, rule, m.pos)
			out = append(out, c)
		}
	}
	return out
}

func readApprovers(r *reader, t *Tier, _, n *node) {
	for _, m := range r.members(n, "approvers") {
		s, ok := r.text(m, "an approver")
		if ok && (!aegis.ValidName(s) || strings.TrimPrefix(s, "group:") == "") {
			r.fail(m.pos, "name a person, or group:NAME", "approver %s is no name", quoteASCII(s))
		} else if ok {
			t.Approvers = append(t.Approvers, s)
		}
	}
	t.Approvers = sortedSet(t.Approvers)
}

var channel = regexp.MustCompile(`^slack:#?[A-Za-z0-9._-]{1,80}$`)

func readChannel(r *reader, t *Tier, _, n *node) {
	s, ok := r.text(n, "channel")
	if ok && !channel.MatchString(s) {
		r.fail(n.pos, `write "slack:#finance"`, "channel %q is not known here", clip(s))
	}
	t.Channel = s
}

var durations = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

var expiry = regexp.MustCompile(`^([1-9][0-9]{0,5})([smhd])$`)

func readExpires(r *reader, t *Tier, _, n *node) {
	const remedy = "write 30s, 15m, 4h or 2d"
	if n.special() == "a number" {
		r.fail(n.pos, remedy, "expires must be a duration up to 30d, not %s", n.what())
		return
	}
	t.Stated = true
	s, ok := r.text(n, "expires")
	if !ok {
		return
	}
	parts := expiry.FindStringSubmatch(s)
	if parts != nil {
		i, _ := strconv.Atoi(parts[1])
		t.Expires = time.Duration(i) * durations[parts[2]]
	}
	if parts == nil || t.Expires > maxExpiry {
		r.fail(n.pos, remedy, "expires must be a duration up to 30d, not %q", clip(s))
	}
}
