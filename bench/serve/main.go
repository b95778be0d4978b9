// Command serve measures the enforcement server under load, beside its peers on the same machine in the same run: aegisctl serve, a
// stock OPA with the same bundle, and Cerbos with the same rules in its language.
//
// It promises that every peer is asked the same and answers rightly before it is measured, that saturation is measured at
// equal concurrency, and that latency at a fixed rate counts from when a request was due. The load comes from the machine
// that serves: figures compare, they are no capacity.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// options are what is measured, and how long.
type options struct {
	tools
	length  time.Duration
	warm    time.Duration
	workers int
	rate    float64
	quick   bool
	memory  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.aegisctl, "aegisctl", "bin/aegisctl", "the aegisctl to measure")
	flag.StringVar(&o.opa, "opa", os.Getenv("AEGIS_OPA"), "a stock OPA; without it, it is left out")
	flag.StringVar(&o.cerbos, "cerbos", os.Getenv("AEGIS_CERBOS"), "a Cerbos; without it, it is left out")
	flag.DurationVar(&o.length, "length", 5*time.Second, "of each measurement")
	flag.IntVar(&o.workers, "workers", 32, "connections at saturation")
	flag.Float64Var(&o.rate, "rate", 10_000, "requests a second of the fixed rate")
	flag.BoolVar(&o.quick, "quick", false, "shorter measurements, fewer points of the curves")
	flag.DurationVar(&o.memory, "memory", 0, "watch memory under load for so long")
	flag.Parse()
	if o.warm = o.length / 4; o.quick {
		o.length, o.warm = time.Second, 300*time.Millisecond
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-serve:", err)
		os.Exit(1)
	}
}

func (o *options) run() error {
	for _, tool := range []*string{&o.aegisctl, &o.opa, &o.cerbos} { // servers run in a directory of their own
		if *tool != "" {
			abs, err := filepath.Abs(*tool)
			if err != nil {
				return err
			}
			*tool = abs
		}
	}
	dir, err := os.MkdirTemp("", "bench-serve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%d processors, %s; %d connections at saturation, %s each\n", runtime.NumCPU(), runtime.Version(), o.workers, o.length)
	if o.memory > 0 {
		return o.watchMemory(dir)
	}
	if err := o.compare(dir, "decision only: a call of 200 bytes, 10 rules", 0, false); err != nil {
		return err
	}
	if err := o.compare(dir, "as deployed: token checked, a call of 1 KB, limits on (peers have neither token nor limits)", 1024, true); err != nil {
		return err
	}
	return errors.Join(o.ruleCurve(dir), o.tenantCurve(dir), o.bodyCurve(dir))
}

// peer is one server that is compared, and what is asked of it.
type peer struct {
	*server
	ask, refuse target
	allow, deny string // what answers to the two hold
}

// peers starts everything that is there.
func (o *options) peers(dir string, rules, size int, deployed bool) (out []peer, err error) {
	defer func() {
		if err != nil {
			stopAll(out)
		}
	}()
	b, err := o.bundle(dir, map[string]string{"p.yaml": policies("acme", rules, deployed)})
	if err != nil {
		return nil, err
	}
	s, auth, err := o.serve(dir, b, deployed)
	if err != nil {
		return nil, err
	}
	yes, no := call("acme", "120.50", size), call("acme", "7200", size)
	out = append(out, peer{s, newTarget("aegisctl serve", s.addr, "/v1/decide", auth, yes), newTarget("aegisctl serve", s.addr, "/v1/decide", auth, no),
		`"decision":"allow"`, `"decision":"deny"`})
	if o.opa != "" {
		// A policy with limits needs facts that only a gate has: OPA gets the same rules without them.
		if b, err = o.bundle(dir+"/opa", map[string]string{"p.yaml": policies("acme", rules, false)}); err != nil {
			return out, err
		}
		if s, err = o.runOPA(dir, b); err != nil {
			return out, err
		}
		const path = "/v1/data/aegis/decision"
		out = append(out, peer{s, newTarget("opa run", s.addr, path, "", opaInput(yes)), newTarget("opa run", s.addr, path, "", opaInput(no)),
			`"decision":"allow"`, `"decision":"deny"`})
	}
	if o.cerbos != "" {
		if s, err = o.runCerbos(dir, cerbosPolicies(rules)); err != nil {
			return out, err
		}
		const path = "/api/check/resources"
		out = append(out, peer{s, newTarget("cerbos", s.addr, path, "", cerbosCall("120.50", size)), newTarget("cerbos", s.addr, path, "", cerbosCall("7200", size)),
			"EFFECT_ALLOW", "EFFECT_DENY"})
	}
	for _, p := range out {
		if err := errors.Join(says(p.ask, p.allow), says(p.refuse, p.deny)); err != nil {
			return out, err
		}
	}
	return out, nil
}

func stopAll(ps []peer) {
	for _, p := range ps {
		p.stop()
	}
}

// table prints rows, whose cells are divided by bars, in columns.
func table(title string, rows ...string) {
	fmt.Printf("\n%s\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range rows {
		fmt.Fprintln(w, strings.ReplaceAll(r, "|", "\t")+"\t")
	}
	w.Flush()
}

// compare measures all peers: at saturation, at the fixed rate, and at half of what each can do.
func (o *options) compare(dir, title string, size int, deployed bool) error {
	ps, err := o.peers(dir, 10, size, deployed)
	if err != nil {
		return err
	}
	defer stopAll(ps)
	saturation := []string{"at saturation|requests/s|P50|P90|P99|P99.9|MiB|ours is"}
	fixed := []string{fmt.Sprintf("at %.0f/s|reached|P50|P99|P99.9", o.rate)}
	half := []string{"at half load|requests/s|P50|P99|P99.9"}
	ours := 0.0
	for _, p := range ps {
		r, err := closed(p.ask, o.workers, o.warm, o.length)
		if err != nil {
			return err
		}
		if ours == 0 {
			ours = r.rate()
		}
		saturation = append(saturation, fmt.Sprintf("%s|%.0f|%s|%s|%s|%s|%.0f|%.1fx", p.ask.name, r.rate(), r.at(50), r.at(90), r.at(99), r.at(99.9), p.memory(), ours/r.rate()))
		for _, load := range []struct {
			rows *[]string
			rate float64
		}{{&fixed, o.rate}, {&half, r.rate() / 2}} {
			x, err := open(p.ask, load.rate, 4*o.workers, o.warm, o.length)
			if err != nil {
				return err
			}
			*load.rows = append(*load.rows, fmt.Sprintf("%s|%.0f|%s|%s|%s", p.ask.name, x.rate(), x.at(50), x.at(99), x.at(99.9)))
		}
	}
	table(title, saturation...)
	table("", fixed...)
	table("", half...)
	return nil
}

// points are those of a curve; a quick run takes the first and the last.
func (o *options) points(all ...int) []int {
	if o.quick {
		return []int{all[0], all[len(all)-1]}
	}
	return all
}

func (o *options) ruleCurve(dir string) error {
	rows := []string{"rules|server|requests/s|P99|MiB|ready after"}
	for _, n := range o.points(10, 100, 1000, 10_000) {
		ps, err := o.peers(dir, n, 0, false)
		if err != nil {
			return err
		}
		for _, p := range ps {
			r, err := closed(p.ask, o.workers, o.warm, o.length/2)
			if err != nil {
				stopAll(ps)
				return err
			}
			rows = append(rows, fmt.Sprintf("%d|%s|%.0f|%s|%.0f|%s", n, p.ask.name, r.rate(), r.at(99), p.memory(), p.ready.Round(time.Millisecond)))
		}
		stopAll(ps)
	}
	table("rules", rows...)
	return nil
}

// tenantCurve has calls of the last of many tenants, whose policies nobody asked for before.
func (o *options) tenantCurve(dir string) error {
	rows := []string{"tenants|requests/s|P99|first call|MiB|ready after"}
	for _, n := range o.points(1, 10, 100, 1000) {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("t%d.yaml", i)] = policies(fmt.Sprintf("t%d", i), 10, false)
		}
		b, err := o.bundle(dir, files)
		if err != nil {
			return err
		}
		s, auth, err := o.serve(dir, b, true)
		if err != nil {
			return err
		}
		t := newTarget("aegisctl serve", s.addr, "/v1/decide", auth, call(fmt.Sprintf("t%d", n-1), "120.50", 0))
		begun := time.Now()
		err = says(t, `"decision":"allow"`)
		first := time.Since(begun)
		var r *result
		if err == nil {
			r, err = closed(t, o.workers, o.warm, o.length/2)
		}
		if err == nil {
			rows = append(rows, fmt.Sprintf("%d|%.0f|%s|%s|%.0f|%s", n, r.rate(), r.at(99), first.Round(10*time.Microsecond), s.memory(), s.ready.Round(time.Millisecond)))
		}
		s.stop()
		if err != nil {
			return err
		}
	}
	table("tenants", rows...)
	return nil
}

func (o *options) bodyCurve(dir string) error {
	rows := []string{"body|requests/s|MB/s|P50|P99"}
	b, err := o.bundle(dir, map[string]string{"p.yaml": policies("acme", 10, false)})
	if err != nil {
		return err
	}
	s, _, err := o.serve(dir, b, false)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, n := range o.points(200, 1<<10, 10<<10, 100<<10, 1<<20) {
		t := newTarget("aegisctl serve", s.addr, "/v1/decide", "", call("acme", "120.50", n))
		if err := says(t, `"decision":"allow"`); err != nil {
			return err
		}
		r, err := closed(t, o.workers, o.warm, o.length/2)
		if err != nil {
			return err
		}
		rows = append(rows, fmt.Sprintf("%d|%.0f|%.0f|%s|%s", n, r.rate(), r.rate()*float64(n)/1e6, r.at(50), r.at(99)))
	}
	table("bodies (bytes)", rows...)
	return nil
}

// watchMemory drives a server at a quarter of the fixed rate, and says what it holds as time goes on.
func (o *options) watchMemory(dir string) error {
	b, err := o.bundle(dir, map[string]string{"p.yaml": policies("acme", 10, true)})
	if err != nil {
		return err
	}
	s, auth, err := o.serve(dir, b, true)
	if err != nil {
		return err
	}
	defer s.stop()
	t := newTarget("aegisctl serve", s.addr, "/v1/decide", auth, call("acme", "120.50", 1024))
	rows := []string{"after|requests/s|P99|MiB"}
	begun := time.Now()
	for step := o.memory / 10; time.Since(begun) < o.memory; {
		r, err := open(t, o.rate/4, o.workers, 0, step)
		if err != nil {
			return err
		}
		rows = append(rows, fmt.Sprintf("%s|%.0f|%s|%.1f", time.Since(begun).Round(time.Second), r.rate(), r.at(99), s.memory()))
	}
	table("memory", rows...)
	return nil
}
