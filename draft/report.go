package draft

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// Report says what was drafted from what, and what each generalisation grants. It holds no value of any argument that
// the policies do not hold.
type Report struct {
	Schema     int              `json:"schema"` // 1
	Rows       int64            `json:"rows"`   // of the files
	Calls      int64            `json:"calls"`  // drafted from
	Skipped    map[string]int64 `json:"skipped"`
	MinSupport int              `json:"min_support"`
	Relaxed    int64            `json:"relaxed"` // calls for which a rule had to be taken out: 0, or a defect
	Holdout    *Holdout         `json:"holdout,omitempty"`
	Assumed    []string         `json:"assumed"`
	Policies   []PolicyReport   `json:"policies"`

	measures map[[2]string]*measure
}

// Holdout is how often a draft from the other sessions denied calls of sessions that it had not seen.
type Holdout struct {
	Share          float64          `json:"share"` // of the sessions, as asked for
	Sessions       int64            `json:"sessions"`
	Calls          int64            `json:"calls"`
	Denied         int64            `json:"denied"`
	Rate           float64          `json:"rate"`
	DeniedSessions int64            `json:"denied_sessions"` // with at least one denied call
	SessionRate    float64          `json:"session_rate"`
	SessionCI95    [2]float64       `json:"session_ci95"` // Wilson, over sessions
	Reasons        map[string]int64 `json:"reasons"`      // denied calls that cite the code
}

// PolicyReport is what was seen of one agent, and granted.
type PolicyReport struct {
	Tenant   string        `json:"tenant"`
	Agent    string        `json:"agent"`
	File     string        `json:"file"`
	Calls    int64         `json:"calls"`
	Sessions int64         `json:"sessions"`
	Holdout  *Holdout      `json:"holdout,omitempty"`
	Entries  []EntryReport `json:"entries"`
}

// EntryReport is one entry of allowed_tools.
type EntryReport struct {
	Tool      string           `json:"tool"`
	Action    string           `json:"action,omitempty"`
	OtherArgs string           `json:"other_args"` // allow or deny
	Notes     []string         `json:"notes"`
	Args      []ArgumentReport `json:"args"`
}

// ArgumentReport is one constraint.
type ArgumentReport struct {
	Path   string `json:"path"` // [] stands for the elements of a list
	Rule   string `json:"rule"`
	Seen   string `json:"seen"`
	Grants string `json:"grants"`
}

func newReport(opt Options, src *source) *Report {
	return &Report{Schema: 1, Rows: src.rows, Skipped: map[string]int64{}, MinSupport: opt.MinSupport,
		Assumed: append([]string{}, src.assumed...), Policies: []PolicyReport{}, measures: map[[2]string]*measure{}}
}

func (r *Report) skip(why string) { r.Skipped[why]++ }

// measure counts false denials of one agent.
type measure struct {
	share                                float64
	calls, denied, sessions, badSessions int64
	seen                                 map[uint64]bool // sessions, and whether one of their calls was denied
	codes                                map[aegis.Code]int64
}

func newMeasure(share float64) *measure {
	return &measure{share: share, seen: map[uint64]bool{}, codes: map[aegis.Code]int64{}}
}

func (m *measure) count(session uint64, denied bool, hits []aegis.Hit) {
	m.calls++
	bad, known := m.seen[session]
	if !known {
		m.sessions++
		m.seen[session] = denied
	}
	if !denied {
		return
	}
	m.denied++
	if !bad {
		m.badSessions++
		m.seen[session] = true
	}
	var cited []aegis.Code
	for _, h := range hits {
		if !slices.Contains(cited, h.Code) {
			cited = append(cited, h.Code)
			m.codes[h.Code]++
		}
	}
}

// interval is Wilson's, for the share of sessions with a false denial: sessions are independent, calls are not.
func (m *measure) interval() (lo, hi float64) {
	if m.sessions == 0 {
		return 0, 1
	}
	const z = 1.959963984540054
	n, p := float64(m.sessions), ratio(m.badSessions, m.sessions)
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, mid-half), math.Min(1, mid+half)
}

func (m *measure) holdout() *Holdout {
	lo, hi := m.interval()
	h := &Holdout{Share: m.share, Sessions: m.sessions, Calls: m.calls, Denied: m.denied, Rate: ratio(m.denied, m.calls),
		DeniedSessions: m.badSessions, SessionRate: ratio(m.badSessions, m.sessions), SessionCI95: [2]float64{lo, hi},
		Reasons: map[string]int64{}}
	for c, n := range m.codes {
		h.Reasons[c.String()] = n
	}
	return h
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// finish adds what is known only in the end.
func (r *Report) finish(d *drafter, ps []Policy) {
	if d.opt.Holdout > 0 {
		sum := newMeasure(d.opt.Holdout)
		for _, m := range r.measures {
			sum.calls, sum.denied = sum.calls+m.calls, sum.denied+m.denied
			sum.sessions, sum.badSessions = sum.sessions+m.sessions, sum.badSessions+m.badSessions
			for c, n := range m.codes {
				sum.codes[c] += n
			}
		}
		r.Holdout = sum.holdout()
	}
	for _, p := range ps {
		x := d.final.by[[2]string{p.Tenant, p.Agent}]
		pr := PolicyReport{Tenant: p.Tenant, Agent: p.Agent, File: p.File, Calls: x.plan.seen.calls, Sessions: int64(len(x.plan.seen.sessions))}
		if m := x.plan.measured; m != nil {
			pr.Holdout = m.holdout()
		}
		for _, e := range x.plan.entries {
			pr.Entries = append(pr.Entries, e.report())
		}
		r.Policies = append(r.Policies, pr)
	}
}

func (e *planned) report() EntryReport {
	r := EntryReport{Tool: e.tool, Action: e.action, OtherArgs: "deny", Notes: e.notes, Args: []ArgumentReport{}}
	if e.open || e.bare {
		r.OtherArgs = "allow"
	}
	var add func(c *constraint, path string)
	add = func(c *constraint, path string) {
		r.Args = append(r.Args, ArgumentReport{path, strings.Join(c.keys, ", "), c.seen, c.grants})
		if c.each != nil {
			add(c.each, path+"[]")
		}
		for _, m := range c.args {
			add(m, path+"."+m.name)
		}
	}
	for _, c := range e.args {
		add(c, c.name)
	}
	return r
}

// skipWords says in words why calls are not drafted from.
var skipWords = map[string]string{
	skipRejected: "rows that are no calls",
	skipFiltered: "calls that were not chosen",
	skipDenied:   "calls that were denied when they were captured",
	skipBad:      "calls whose arguments are malformed",
	skipName:     "calls with a name that a policy cannot hold, or that looks personal or random (--allow-name lets one through)",
	skipMany:     "calls beyond the most agents, tools or callers that are kept",
}

// WriteText writes the report in a few lines for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "drafted from %s of %s rows\n", plural(r.Calls, "call"), count(r.Rows))
	for _, why := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "left out: %s %s\n", count(r.Skipped[why]), skipWords[why])
	}
	if r.Relaxed > 0 {
		fmt.Fprintf(&b, "rules were taken out for %s: please report this\n", plural(r.Relaxed, "call"))
	}
	for _, p := range r.Policies {
		args, open := 0, 0
		for _, e := range p.Entries {
			args += len(e.Args)
			if e.OtherArgs == "allow" {
				open++
			}
		}
		fmt.Fprintf(&b, "%s/%s: %s, %s on arguments; %s any further argument\n", p.Tenant, p.Agent,
			plural(int64(len(p.Entries)), "entry", "entries"), plural(int64(args), "constraint"), plural(int64(open), "entry takes", "entries take"))
	}
	if h := r.Holdout; h != nil {
		fmt.Fprintf(&b, "false denials in sessions held out: %s of %s (%s); in %s of %s (%s, 95%% interval %s to %s)\n", count(h.Denied),
			plural(h.Calls, "call"), percent(h.Rate), count(h.DeniedSessions), plural(h.Sessions, "session"), percent(h.SessionRate),
			percent(h.SessionCI95[0]), percent(h.SessionCI95[1]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func percent(x float64) string {
	switch p := 100 * x; {
	case p == 0 || p >= 99.95:
		return fmt.Sprintf("%.0f%%", p)
	case p < 0.01:
		return "<0.01%"
	case p < 1:
		return fmt.Sprintf("%.2f%%", p)
	default:
		return fmt.Sprintf("%.1f%%", p)
	}
}

// maxFile is the longest name of a file, without its ending.
const maxFile = 100

// fileName makes a name for a policy's file that no other has, whatever the case of letters, and that is no test's.
func fileName(key [2]string, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("_.-", r) {
			return r
		}
		return '-'
	}, key[0]+"."+key[1])
	if len(name) > maxFile || taken[strings.ToLower(name)] || strings.HasSuffix(name, "_test") {
		sum := sha256.Sum256([]byte(key[0] + "\x00" + key[1]))
		name = name[:min(len(name), maxFile)] + "-" + hex.EncodeToString(sum[:6])
	}
	taken[strings.ToLower(name)] = true
	return name + ".yaml"
}
