package draft

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

// Why a call is not drafted from. The words are keys of the report.
const (
	skipRejected = "rejected_row"   // it is no call
	skipFiltered = "not_chosen"     // by --label, --tenant or --agent
	skipDenied   = "was_denied"     // the capture says that it was denied or rejected
	skipBad      = "malformed_args" // arguments that no policy lets through
	skipName     = "name_withheld"  // a name that cannot be written in a policy, or looks personal or random
	skipMany     = "too_many_names" // beyond what is kept of agents, tools, callers
)

// gatherer is the first pass.
type gatherer struct {
	d     *drafter
	doc   aegis.Doc
	cache map[[4]int32]*target // of one batch
}

// target is where the calls of one tenant, agent, tool and action are gathered, for each share.
type target struct {
	why   string // they are not drafted from, or ""
	share [2]gathered
}

type gathered struct {
	agent *agent
	entry *entry
}

// gather reads the traffic and keeps what was seen, apart for the two shares of sessions.
func (d *drafter) gather() error {
	d.train, d.held = newProfile(d.opt.MinSupport), newProfile(d.opt.MinSupport)
	if err := d.each(&gatherer{d: d}, d.report.skip, 0); err != nil {
		return err
	}
	if len(d.train.agents)+len(d.held.agents) == 0 {
		return ErrNothing
	}
	return nil
}

func (g *gatherer) begin(*capture.Batch) { g.cache = map[[4]int32]*target{} }

func (g *gatherer) call(r *row) error {
	t := g.cache[r.indexes]
	if t == nil {
		t = &target{}
		if l := g.d.looks; !l.name(r.tenant) || !l.name(r.agent) || r.agent == "user" || !l.target(r.tool) || r.action != "" && !l.target(r.action) {
			t.why = skipName
		}
		g.cache[r.indexes] = t
	}
	if t.why != "" {
		g.d.report.skip(t.why)
		return nil
	}
	redacted := r.batch.Coverage[r.i] != capture.CoverageFull
	if !redacted && !r.parse(&g.doc) {
		g.d.report.skip(skipBad)
		return nil
	}
	if !g.d.looks.name(r.caller()) {
		g.d.report.skip(skipName)
		return nil
	}
	p, s := g.d.train, &t.share[0]
	if r.held {
		p, s = g.d.held, &t.share[1]
	}
	if s.agent == nil {
		if s.agent = p.agent(r); s.agent != nil {
			s.entry = s.agent.entry(r)
		}
	}
	if s.entry == nil || !s.agent.scope(r, g.d.looks) {
		g.d.report.skip(skipMany)
		return nil
	}
	g.d.report.Calls++
	s.agent.count(p, r)
	s.entry.count(p, r, redacted, g.doc.Root())
	return nil
}

// agent returns where an agent is gathered, or nil where there are too many.
func (p *profile) agent(r *row) *agent {
	key := [2]string{r.tenant, r.agent}
	a := p.agents[key]
	if a == nil && len(p.agents) < maxAgents {
		a = newAgent()
		p.agents[[2]string{strings.Clone(r.tenant), strings.Clone(r.agent)}] = a
	}
	return a
}

// entry returns where a tool's action is gathered, or nil where there are too many.
func (a *agent) entry(r *row) *entry {
	tool, cutTool := folded(r.tool)
	action, cutAction := folded(r.action)
	exact := entryKey{r.tool, r.action}
	key := entryKey{tool, action}
	e := a.entries[key]
	if e == nil {
		if len(a.entries) == maxEntries {
			return nil
		}
		e = &entry{args: newObject(), exact: exact}
		a.entries[key] = e
	}
	e.several = e.several || (cutTool || cutAction) && e.exact != exact
	return e
}

// scope notes caller, depth and region; false where there are too many callers.
func (a *agent) scope(r *row, l *looks) bool {
	caller := r.caller()
	if !a.callers[caller] {
		if len(a.callers) == maxScope {
			return false
		}
		a.callers[strings.Clone(caller)] = true
	}
	a.depth = max(a.depth, len(r.chain()))
	switch region := r.batch.Region.At(r.i); {
	case region == "":
		a.regionless++
	case a.regions[region]:
	case !l.name(region) || len(a.regions) == maxScope:
		a.oddRegions = true
	default:
		a.regions[strings.Clone(region)] = true
	}
	return true
}

const hour = 3600 * 1_000_000

// count adds a call to the agent's rates.
func (a *agent) count(p *profile, r *row) {
	a.calls++
	switch {
	case r.session == noSession:
		a.sessionless++
	case a.sessions[r.session] > 0:
		a.sessions[r.session]++
	case p.sessions < maxSessions:
		a.sessions[r.session] = 1
		p.sessions++
	default:
		a.tooManySessions = true
	}
	if r.batch.TimeNull[r.i] {
		a.timeless++
		return
	}
	t := r.batch.Time[r.i]
	h := t / hour
	if t < 0 {
		h--
	}
	if _, known := a.hours[h]; !known && len(a.hours) >= maxHours {
		a.tooManyHours = true
		return
	}
	a.hours[h]++
}

// count adds a call to the entry.
func (e *entry) count(p *profile, r *row, redacted bool, args aegis.Value) {
	e.calls++
	e.who.add(r.session, p.k)
	switch r.batch.Effect.At(r.i) {
	case "read":
		e.reads++
	case "write":
		e.writes++
	}
	if redacted {
		e.blind++
		return
	}
	p.observe(e.args, args, r.session, 0)
}
