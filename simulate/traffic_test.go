package simulate

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

// Traffic for the tests, written by another writer than ours, so that row groups can be as small as a test likes and
// rows can be what no writer of ours would write.

// call is one row. A nil pointer is null.
type call struct {
	Time     *int64            `parquet:"time,optional,timestamp(microsecond)"`
	Tenant   *string           `parquet:"tenant,optional"`
	Session  *string           `parquet:"session,optional"`
	Seq      *int64            `parquet:"seq,optional"`
	Agent    *string           `parquet:"agent,optional"`
	Chain    []string          `parquet:"chain,optional,list"`
	Tool     *string           `parquet:"tool,optional"`
	Action   *string           `parquet:"action,optional"` // names the row: actions mean nothing to the model's policies
	Args     *string           `parquet:"args,optional"`
	Region   *string           `parquet:"region,optional"`
	Outcome  *string           `parquet:"outcome,optional"`
	Coverage *string           `parquet:"coverage,optional"`
	Labels   map[string]string `parquet:"labels,optional"`
}

const (
	second = int64(1_000_000)
	hour   = 3600 * second
	day    = 24 * hour
	march  = 1_772_323_200 * second // 2026-03-01T00:00:00Z
)

func ptr[T any](v T) *T { return &v }

// is returns what a pointer points to, or the zero value.
func is[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// anyCalls draws traffic: ties in time, sessions that interleave, calls whose seq and time disagree, and everything
// missing now and then. Times span days, so that windows end and sessions are forgotten.
func anyCalls(t *rapid.T) []call {
	orderly := rapid.Bool().Draw(t, "orderly")
	rarely := func(name string) bool { return rapid.IntRange(0, 11).Draw(t, name) == 0 }
	text := func(name string, of ...string) *string { return ptr(rapid.SampledFrom(of).Draw(t, name)) }
	at, seqs := march+20*hour, map[string]int64{}
	steps := []int64{0, 0, 0, second / 2, second, second, 7 * second, hour, 5 * hour, 23 * hour, day, 2 * day}
	rows := make([]call, rapid.IntRange(0, 40).Draw(t, "rows"))
	for i := range rows {
		r := &rows[i]
		r.Action = ptr(fmt.Sprint("i", i))
		at += rapid.SampledFrom(steps).Draw(t, "step")
		r.Time = ptr(at)
		if !orderly {
			r.Time = ptr(march + 20*hour + rapid.SampledFrom(steps).Draw(t, "at"))
		}
		if rapid.IntRange(0, 3).Draw(t, "tenanted") == 0 {
			r.Tenant = text("tenant", "default", "acme", "acme", "nobody")
		}
		r.Session = text("session", "s", "s", "t", "u")
		key := is(r.Tenant) + is(r.Session)
		if rarely("aside") {
			r.Session = nil
		}
		if r.Seq = ptr(seqs[key]); !orderly {
			r.Seq = ptr(rapid.Int64Range(0, 6).Draw(t, "seq"))
		}
		seqs[key] += rapid.Int64Range(0, 2).Draw(t, "on")
		r.Agent, r.Tool = text("agent", "a", "a", "a", "b"), text("tool", "pay", "pay", "pay", "read", "mail")
		r.Args = anyArgs(t)
		switch rapid.IntRange(0, 19).Draw(t, "oddity") {
		case 0:
			r.Time = nil
		case 1:
			r.Seq = nil
		case 2:
			r.Coverage = text("coverage", "redacted", "absent")
		case 3:
			r.Args = text("bad", "{", "[]", "null", `"x"`, `{"amount":1,"amount":2}`, `{"AMOUNT":1,"amount":2}`, "")
		case 4:
			r.Args = nil
		case 5:
			r.Outcome = text("outcome", "ok", "failed", "timeout")
		case 6:
			r.Chain = []string{"planner"}
		case 7:
			r.Tool, r.Agent = text("tool", "pay", "delete"), text("agent", "a", "z")
		case 8: // no call at all
			r.Tool = text("tool", "", "two words", "é", "tab\t")
		}
		if rapid.Bool().Draw(t, "labelled") {
			r.Labels = map[string]string{"class": rapid.SampledFrom([]string{"x", "y", "(none)"}).Draw(t, "class")}
		}
	}
	return rows
}

func anyArgs(t *rapid.T) *string {
	amount := rapid.SampledFrom([]string{"1", "10", "10", "20.5", "45", "60", "60", "95", "0", "-1", "null", `"10"`, "[]", ""}).Draw(t, "amount")
	currency := rapid.SampledFrom([]string{`"USD"`, `"USD"`, `"EUR"`, "null", ""}).Draw(t, "currency")
	var members []string
	if amount != "" {
		members = append(members, `"amount":`+amount)
	}
	if currency != "" {
		members = append(members, `"currency":`+currency)
	}
	return ptr("{" + strings.Join(members, ",") + "}")
}

// save writes rows to files, in row groups of that many rows.
func save(t rapid.TB, dir string, rows []call, files, groups int) (paths []string) {
	t.Helper()
	for f := range files {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", f))
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := parquet.NewGenericWriter[call](out)
		part := rows[len(rows)*f/files : len(rows)*(f+1)/files]
		for g := range slices.Chunk(part, groups) {
			if _, err := w.Write(g); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// decided is one row of --decisions, read by another reader than ours.
type decided struct {
	Tenant   *string  `parquet:"tenant,optional"`
	Session  *string  `parquet:"session,optional"`
	Seq      *int64   `parquet:"seq,optional"`
	Agent    *string  `parquet:"agent,optional"`
	Tool     *string  `parquet:"tool,optional"`
	Action   *string  `parquet:"action,optional"`
	Decision string   `parquet:"decision"`
	Reasons  []string `parquet:"reasons,optional,list"`
	Rules    []string `parquet:"rules,optional,list"`
	Version  *string  `parquet:"policy_version,optional"`
}

func readDecisions(t rapid.TB, path string) []decided {
	t.Helper()
	rows, err := parquet.ReadFile[decided](path)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// arrange returns the rows in the order of events, word for word as DESIGN §7 defines it: time, tenant, session, seq,
// input order; rows without time keep their order after the timed ones; within a session seq wins, so that no call
// comes before one that precedes it in its session. A row that is no call has its place like any other.
func arrange(rows []call, tenant string) []call {
	type placed struct {
		call
		untimed, input int // untimed: 0, or its row and one
		time, seq      int64
	}
	before := func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.untimed, b.untimed), cmp.Compare(a.time, b.time))
	}
	all := make([]placed, len(rows))
	for i, r := range rows {
		if r.Tenant == nil {
			r.Tenant = ptr(tenant)
		}
		all[i] = placed{call: r, input: i, time: is(r.Time), seq: is(r.Seq)}
		if r.Time == nil {
			all[i].untimed = i + 1
		}
	}
	moved := slices.Clone(all)
	for i := range moved {
		p := &moved[i]
		for _, o := range all {
			earlier := o.seq < p.seq || o.seq == p.seq && o.input < p.input
			same := p.Session != nil && o.Session != nil && *p.Session == *o.Session && *p.Tenant == *o.Tenant
			if same && earlier && before(o, *p) > 0 {
				p.untimed, p.time = o.untimed, o.time
			}
		}
	}
	slices.SortFunc(moved, func(a, b placed) int {
		return cmp.Or(before(a, b), strings.Compare(*a.Tenant, *b.Tenant), strings.Compare(is(a.Session), is(b.Session)),
			cmp.Compare(a.seq, b.seq), cmp.Compare(a.input, b.input))
	})
	out := make([]call, len(moved))
	for i, p := range moved {
		out[i] = p.call
	}
	return out
}

// load writes policy files and loads them as one set.
func load(t testing.TB, texts ...string) *policy.Set {
	t.Helper()
	dir := t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("p%d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
