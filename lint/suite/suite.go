// Package suite runs the tests of policies: *_test.yaml files beside them, each a list of calls and what a policy must
// say of them. It measures which rules the tests saw at work, and which changes of a policy they would notice.
//
// It promises that a case means what the gate does: every call, also the earlier ones of its session, goes through a
// decide.Gate of its own, as in simulate, with a virtual clock and no state left over from another case. What runs in
// parallel never shows in a result: the same sources and options give the same report.
package suite

import (
	"context"
	"regexp"

	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// Options says what to run. The zero value runs every case natively, without mutants.
type Options struct {
	Policies    []string          // files and directories; none: the paths that are no test file, else where the tests are
	Run         *regexp.Regexp    // of "file/name"; nil runs all
	Engine      decide.EngineKind // Native where empty
	Parallel    int               // at most so many at once; 0 is one for each processor
	Mutate      bool              // also measure the mutation score
	MutateLimit int               // try so many mutants at most, spread evenly; 0 is all
}

// Report is what a run found.
type Report struct {
	Schema        int       `json:"schema"`
	PolicyVersion string    `json:"policy_version"`
	Engine        string    `json:"engine"`
	Passed        int       `json:"passed"`
	Failed        int       `json:"failed"`
	Cases         []Result  `json:"cases"`
	Coverage      Coverage  `json:"coverage"`
	Mutation      *Mutation `json:"mutation,omitempty"`
}

// Result is what became of one case.
type Result struct {
	File     string    `json:"file"`
	Name     string    `json:"name"`
	Source   string    `json:"source"` // file:line:column of the case
	Line     int       `json:"line"`
	Decision string    `json:"decision"` // of its call
	Pass     bool      `json:"pass"`
	Failures []Failure `json:"failures,omitempty"`
	Reasons  []string  `json:"reasons,omitempty"` // of its call: "code rule at file:line:column", errors among them
}

// Failure is one expectation that was not met.
type Failure struct {
	What     string `json:"what"` // decision, reasons, errors, args, cost, …; with "before[0] " for an earlier call
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Source   string `json:"source"`         // file:line:column of the expectation, or of the call
	Rule     string `json:"rule,omitempty"` // where the policy states the rule that is cited
}

// Run loads policies and tests and runs them. Paths are directories that hold both, test files, and policy files. An
// error says that something cannot be read or is invalid; a case that fails is no error.
func Run(ctx context.Context, paths []string, opt Options) (*Report, error) {
	files, policies, err := find(paths, opt.Policies)
	if err != nil {
		return nil, err
	}
	load := func() (*policy.Set, error) { return policy.Load(policies...) }
	set, err := load()
	if err != nil {
		return nil, err
	}
	tests, err := read(files, set)
	if err != nil {
		return nil, err
	}
	return run(ctx, load, set, tests, opt)
}

func run(ctx context.Context, load func() (*policy.Set, error), set *policy.Set, tests []*test, opt Options) (*Report, error) {
	cases, err := choose(tests, opt.Run)
	if err != nil {
		return nil, err
	}
	gates, err := newGates(set, opt.Engine)
	if err != nil {
		return nil, err
	}
	rep := &Report{Schema: 1, PolicyVersion: set.Version, Engine: string(gates.engine), Cases: make([]Result, len(cases))}
	traces := make([]trace, len(cases))
	err = each(ctx, opt.Parallel, len(cases), func(_, i int) error {
		rep.Cases[i], traces[i] = gates.runCase(cases[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rep.Cases {
		if r.Pass {
			rep.Passed++
		} else {
			rep.Failed++
		}
	}
	rep.Coverage = cover(set, traces)
	if opt.Mutate && rep.Failed == 0 {
		rep.Mutation, err = mutate(ctx, load, set, cases, traces, opt)
	}
	return rep, err
}

// place writes a position as file:line:column.
func place(p policy.Pos) string { return p.String() }
