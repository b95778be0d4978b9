// Package draft writes a least-privilege policy from captured traffic: what an agent did, in the policy language, with a
// comment on every generalisation that says what was seen and what is granted beyond it.
//
// It promises:
//
//   - Nothing of an argument is written, neither a value nor an argument's name nor a part of one, unless it was seen in
//     at least MinSupport sessions, no detector of redact finds anything in it, and it looks like a word of a program
//     and not like a name, an id or a token. Names of tools, actions, agents, callers, regions and tenants pass the
//     same test of looks. What does not pass becomes a pattern, a bound, or a count.
//   - The policy denies none of the calls that it was drafted from, but those that are listed as left out. This is not
//     reasoned but checked: every call goes through decide.Gate before Run returns.
//   - The false-deny rate comes from sessions that the measured draft has not seen, told apart by a hash of their names.
//   - The same traffic gives the same bytes, and memory does not grow with the number of rows.
//
// It returns data and prints nothing.
package draft

import (
	"context"
	"errors"
	"fmt"

	"github.com/aegisctl/aegis/policy"
)

// Options of a draft.
type Options struct {
	Traffic    []string            // Parquet files
	Holdout    float64             // share of the sessions that the false-deny rate is measured on, 0 to 0.9; 0: it is not measured
	MinSupport int                 // sessions in which something must have been seen to be written; DefaultSupport where 0
	Tenants    []string            // draft for these only; nil: all
	Agents     []string            // draft for these only; nil: all
	Names      []string            // of tools and the like that may be written, whatever they look like; those of Tenants and Agents may
	Labels     map[string][]string // only calls with one of the values, for every key
	Progress   func(done, total int64)
}

// Bounds of Options.MinSupport.
const (
	DefaultSupport = 5
	MaxSupport     = 100
)

// Policy is one drafted policy.
type Policy struct {
	Tenant, Agent string
	File          string // a name for the file, unlike all others of the Result in any case of letters
	Text          string
	Set           *policy.Set // Text, loaded
}

// Result is what Run returns.
type Result struct {
	Policies []Policy // by tenant and agent
	Report   *Report
}

// ErrNothing says that there was no call to draft from.
var ErrNothing = errors.New("no call to draft from")

// Run reads the traffic twice: once to gather what was seen, once to take every call through the gate of what was
// drafted. An error is unreadable traffic, ErrNothing, a *TooLargeError, a *DefectError, or that of the context.
func Run(ctx context.Context, opt Options) (*Result, error) {
	if opt.MinSupport == 0 {
		opt.MinSupport = DefaultSupport
	}
	if opt.MinSupport < 1 || opt.MinSupport > MaxSupport {
		return nil, fmt.Errorf("support of %d sessions is not between 1 and %d", opt.MinSupport, MaxSupport)
	}
	if !(opt.Holdout >= 0 && opt.Holdout <= 0.9) {
		return nil, fmt.Errorf("a holdout of %v is not between 0 and 0.9", opt.Holdout)
	}
	src, err := open(opt)
	if err != nil {
		return nil, err
	}
	defer src.close()
	d := &drafter{ctx: ctx, opt: opt, src: src, looks: newLooks(opt), report: newReport(opt, src)}
	if err := d.gather(); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.result()
}

// drafter is one run.
type drafter struct {
	ctx    context.Context
	opt    Options
	src    *source
	looks  *looks
	report *Report

	train, held *profile // of the two shares of sessions; held becomes part of all
	all         *profile
	measured    *drafts // from train: what the false-deny rate is about
	final       *drafts // from all: what is returned
}

// DefectError says that a draft broke a promise: a defect of Aegis.
type DefectError struct{ What string }

func (e *DefectError) Error() string { return "the draft is wrong, please report this: " + e.What }

// TooLargeError says that a policy would be larger than a source may be.
type TooLargeError struct {
	Tenant, Agent string
	Bytes         int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the policy for %s/%s would have %d bytes, and %d is the most for one file; draft from fewer calls with --label",
		e.Tenant, e.Agent, e.Bytes, policy.MaxSource)
}
