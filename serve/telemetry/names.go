package telemetry

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aegisctl/aegis/serve"
)

// Other stands in labels for every name that no policy states.
const Other = "(other)"

// Bounds of what may become label values. Policies may state more names than that, and each name is several series.
const (
	maxTools  = 2000
	maxSeries = 10_000 // pairs of tenant and tool
)

// names knows the names that may become label values: those that the policies in force state. What a caller makes up never
// does, or anybody could fill the memory of the server and of Prometheus.
type names struct {
	units  func() []*serve.Unit
	live   atomic.Pointer[index]
	making sync.Mutex

	mu    sync.Mutex
	pairs map[pair]bool // that have become labels
	tools map[string]bool
}

type pair struct{ tenant, tool string }

// index is what one state of the policies says.
type index struct {
	units    []*serve.Unit
	tools    map[string]string // by name: the label
	prefixes []string          // of patterns, longest first
	labels   map[string]string // by prefix: the label
	tenants  map[string]string
}

// labels returns the label values of a call's tenant and tool.
func (n *names) labelsOf(tenant, tool string) (string, string) {
	x := n.index()
	t, ok := x.tenants[tenant]
	if !ok {
		t = Other
	}
	return t, n.admit(x.tool(tool))
}

// admit bounds the tools that ever become labels, over all policies that were in force.
func (n *names) admit(tool string) string {
	if tool == Other {
		return tool
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.tools[tool] {
		if len(n.tools) >= maxTools {
			return Other
		}
		n.tools[tool] = true
	}
	return tool
}

// admitPair bounds the pairs that ever become labels.
func (n *names) admitPair(tenant, tool string) (string, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := pair{tenant, tool}
	if !n.pairs[p] {
		if len(n.pairs) >= maxSeries {
			return Other, Other
		}
		n.pairs[p] = true
	}
	return tenant, tool
}

func (n *names) index() *index {
	units := n.units()
	x := n.live.Load()
	if x != nil && slices.Equal(x.units, units) {
		return x
	}
	if x != nil && !n.making.TryLock() { // another call is at it; the old index will do for this one
		return x
	} else if x == nil {
		n.making.Lock()
	}
	defer n.making.Unlock()
	x = newIndex(units)
	n.live.Store(x)
	return x
}

func newIndex(units []*serve.Unit) *index {
	x := &index{units: units, tools: map[string]string{}, labels: map[string]string{}, tenants: map[string]string{}}
	for _, u := range units {
		for _, p := range u.Set.Policies {
			x.tenants[p.Tenant] = label(p.Tenant)
			for _, e := range p.Entries {
				for _, t := range e.Tools {
					x.add(string(t), t.Exact())
				}
			}
		}
	}
	slices.SortFunc(x.prefixes, func(a, b string) int { return len(b) - len(a) })
	return x
}

// add takes a name, or a prefix with a star. A star alone names nothing.
func (x *index) add(text string, exact bool) {
	if exact {
		x.tools[text] = label(text)
		return
	}
	prefix := strings.TrimSuffix(text, "*")
	if _, known := x.labels[prefix]; !known && prefix != "" && len(x.prefixes) < maxTools {
		x.prefixes = append(x.prefixes, prefix)
		x.labels[prefix] = label(text)
	}
}

// tool returns the label of a tool: its name where a policy states that, the longest pattern that fits, or Other.
func (x *index) tool(name string) string {
	if l, ok := x.tools[name]; ok {
		return l
	}
	for _, p := range x.prefixes {
		if strings.HasPrefix(name, p) {
			return x.labels[p]
		}
	}
	return Other
}

// label makes a label value of a name from a policy.
func label(s string) string { return visible(clip(s)) }
