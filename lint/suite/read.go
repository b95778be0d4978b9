package suite

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// test is one file of cases.
type test struct {
	file  string
	cases []*testCase
}

// testCase is one case: earlier calls, a call, and what is expected of each.
type testCase struct {
	file   string
	name   string
	at     policy.Node
	held   decide.Held
	begin  int64
	before []*step
	final  *step
}

// step is one call of a case.
type step struct {
	at      policy.Node
	call    *aegis.Call // nil: malformed
	bad     error       // why it is malformed
	wait    time.Duration
	every   time.Duration
	repeat  int
	failed  bool // the tool reported a failure
	refused bool // held calls of the case are refused
	expect  *expectation
	timed   bool // the call states its own time, or that it has none
}

// Bounds of a test file: what a file of one megabyte may make the machine do.
const (
	maxRepeat = 10_000
	maxWait   = 366 * 24 * time.Hour
	maxCalls  = 200_000 // of one case, repeats counted
)

// file is one test file while it is read.
type file struct {
	set      *policy.Set
	errs     policy.Errors
	name     string
	defaults map[string]policy.Node
	calls    map[string]*draft
	held     decide.Held
	begin    int64 // of the virtual clock, in microseconds since the epoch
}

// read loads test files strictly. The error is policy.Errors where the files are at fault.
func read(paths []string, set *policy.Set) ([]*test, error) {
	var tests []*test
	var errs policy.Errors
	for _, p := range paths {
		root, err := policy.ReadDocument(p)
		if err != nil {
			if one, ok := errors.AsType[*policy.Error](err); ok {
				errs = append(errs, one)
				continue
			}
			return nil, err
		}
		t, bad := readFile(p, root, set)
		tests, errs = append(tests, t), append(errs, bad...)
	}
	if len(errs) > 0 {
		return nil, errs.Sorted()
	}
	slices.SortStableFunc(tests, func(a, b *test) int { return strings.Compare(a.file, b.file) })
	return tests, nil
}

func readFile(name string, root policy.Node, set *policy.Set) (*test, policy.Errors) {
	f := &file{set: set, name: name, calls: map[string]*draft{}, held: decide.Granted, begin: usualTime.UnixMicro()}
	t := &test{file: name}
	if root.Kind() == aegis.Object && root.Get("test").Kind() == aegis.Absent {
		f.fail(root, "a file of tests begins with test: NAME", "the file does not say that it holds tests")
	}
	f.mapping(root, "the file", []field{
		{"test", func(n policy.Node) { f.text(n, "test") }},
		{"defaults", f.readDefaults},
		{"held", func(n policy.Node) { f.held = decide.Held(f.word(n, "held", "granted", "refused")) }},
		{"calls", f.readCalls},
		{"cases", func(n policy.Node) { t.cases = f.readCases(n) }},
	})
	if root.Kind() == aegis.Object && root.Get("cases").Kind() == aegis.Absent {
		f.fail(root, "add cases: [...]", "the file has no cases")
	}
	return t, f.errs
}

func (f *file) fail(n policy.Node, hint, format string, args ...any) {
	if len(f.errs) < 20*policy.MaxErrors {
		f.errs = append(f.errs, n.Errorf(hint, format, args...))
	}
}

// field is one key of a mapping and how its value is read.
type field struct {
	name string
	read func(policy.Node)
}

// mapping reads the keys of a mapping in the order of the table, and reports those that are not in it.
func (f *file) mapping(n policy.Node, what string, table []field) bool {
	if n.Kind() != aegis.Object {
		f.fail(n, "", "%s must be a mapping, not %s", what, n.What())
		return false
	}
	known := make([]string, len(table))
	for i, t := range table {
		known[i] = t.name
	}
	for _, k := range n.Keys() {
		if !slices.Contains(known, k.Text()) {
			f.fail(k, policy.DidYouMean(k.Text(), known), "unknown key %.60q of %s", k.Text(), what)
		}
	}
	for _, t := range table {
		if v := n.Get(t.name); given(v) {
			t.read(v)
		}
	}
	return true
}

func (f *file) text(n policy.Node, what string) string {
	if n.Kind() != aegis.String || n.Text() == "" {
		hint := ""
		if n.Kind() != aegis.Object && n.Kind() != aegis.List && n.Text() != "" {
			hint = "put it into quotes"
		}
		f.fail(n, hint, "%s must be text, not %s", what, n.What())
		return ""
	}
	return n.Text()
}

func (f *file) word(n policy.Node, what string, options ...string) string {
	s := f.text(n, what)
	if s != "" && !slices.Contains(options, s) {
		f.fail(n, policy.DidYouMean(s, options), "%s must be %s, not %.60q", what, strings.Join(options, " or "), s)
	}
	return s
}

func (f *file) integer(n policy.Node, what string, most int64) int {
	if n.Kind() == aegis.Number {
		if i, ok := aegis.ParseNum([]byte(n.Text())); ok && i.IsInt() && i.Int64() >= 1 && i.Int64() <= most {
			return int(i.Int64())
		}
	}
	f.fail(n, "", "%s must be a whole number from 1 to %d, not %s", what, most, n.What())
	return 1
}

func (f *file) list(n policy.Node, what string) []policy.Node {
	if n.Kind() != aegis.List {
		f.fail(n, "", "%s must be a list, not %s", what, n.What())
		return nil
	}
	return n.Items()
}

// duration reads 90s, 5m, 1h30m or 2d.
func (f *file) duration(n policy.Node, what string) time.Duration {
	s := f.text(n, what)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(days.ReplaceAllString(s, "${1}h"))
	if days.MatchString(s) {
		d *= 24
	}
	if err != nil || d < 0 || d > maxWait {
		f.fail(n, "write 90s, 5m, 1h30m or 2d; 366d at most", "%s: %.60q is no span of time", what, s)
		return 0
	}
	return d
}

var days = regexp.MustCompile(`^([0-9]{1,4})d$`)

func (f *file) readCases(n policy.Node) []*testCase {
	var out []*testCase
	seen := map[string]policy.Node{}
	for _, m := range f.list(n, "cases") {
		c := &testCase{file: f.name, at: m, held: f.held, begin: f.begin}
		final := &stepDraft{step: &step{at: m, repeat: 1}}
		if !f.mapping(m, "the case", append([]field{
			{"name", func(n policy.Node) { c.name = f.text(n, "name") }},
			{"held", func(n policy.Node) { c.held = decide.Held(f.word(n, "held", "granted", "refused")) }},
			{"before", func(n policy.Node) { c.before = f.readBefore(n) }},
		}, f.stepFields(final, false)...)) {
			continue
		}
		if first, ok := seen[c.name]; ok && c.name != "" {
			f.fail(m, "", "a case called %.60q stands already in line %d", c.name, first.Pos().Line)
		}
		seen[c.name] = m
		if m.Get("name").Kind() == aegis.Absent {
			f.fail(m, "add name: WHAT IT SHOWS", "the case has no name")
		}
		if final.expect == nil && m.Get("expect").Kind() == aegis.Absent {
			f.fail(m, "add expect: allow, or deny, sanitize, approval_needed, reject", "the case expects nothing")
		}
		c.final = f.finish(final, m)
		calls := 0
		for _, s := range c.before {
			s.refused = c.held == decide.Refused
			calls += s.repeat
		}
		if calls > maxCalls {
			f.fail(m, "", "the case makes %d calls, more than %d", calls, maxCalls)
		}
		out = append(out, c)
	}
	return out
}

func (f *file) readBefore(n policy.Node) []*step {
	var out []*step
	for _, m := range f.list(n, "before") {
		d := &stepDraft{step: &step{at: m, repeat: 1}}
		if f.mapping(m, "the earlier call", f.stepFields(d, true)) {
			if s := f.finish(d, m); s != nil {
				out = append(out, s)
			}
		}
	}
	return out
}

// stepDraft is a step while it is read.
type stepDraft struct {
	*step
	envelope policy.Node
	bytes    policy.Node
}

func (f *file) stepFields(d *stepDraft, earlier bool) []field {
	fields := []field{
		{"wait", func(n policy.Node) { d.wait = f.duration(n, "wait") }},
		{"call", func(n policy.Node) { d.envelope = n }},
		{"bytes", func(n policy.Node) { d.bytes = n }},
		{"expect", func(n policy.Node) { d.expect = f.readExpectation(n) }},
	}
	if earlier {
		fields = append(fields,
			field{"repeat", func(n policy.Node) { d.repeat = f.integer(n, "repeat", maxRepeat) }},
			field{"every", func(n policy.Node) { d.every = f.duration(n, "every") }},
			field{"outcome", func(n policy.Node) { d.failed = f.word(n, "outcome", "ok", "error") == "error" }})
	}
	return fields
}

// finish reads a step's call, once its other keys are known.
func (f *file) finish(d *stepDraft, at policy.Node) *step {
	hasCall, hasBytes := given(d.envelope), given(d.bytes)
	switch {
	case hasCall == hasBytes:
		f.fail(at, "write call: {tool: NAME, action: NAME, args: {...}}", "exactly one of call and bytes is needed")
		return nil
	case hasBytes:
		f.rawBytes(d.step, d.bytes)
	case d.envelope.Kind() == aegis.String:
		d.decode([]byte(d.envelope.Text()))
	default:
		f.readCall(d.step, d.envelope)
	}
	return d.step
}
