package decide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// loadFiles loads sources from a directory of their own.
func loadFiles(dir string, fs []diffFile) (*policy.Set, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, f := range fs {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.source()), 0o644); err != nil {
			return nil, err
		}
	}
	return policy.Load(dir)
}

// set makes and loads a set with expressions. It is nil where the sources are refused.
func (r *diffRand) set(dir string) ([]diffFile, *policy.Set) {
	fs := r.files()
	s, err := loadFiles(dir, fs)
	if err != nil {
		return nil, nil
	}
	fs = r.addExpressions(fs, func(fs []diffFile) bool {
		next, err := loadFiles(dir, fs)
		if err == nil {
			s = next
		}
		return err == nil
	}, 6)
	return fs, s
}

func TestDiffPolicies(t *testing.T) {
	seed, dir := diffSeed(t), t.TempDir()
	const calls = 300
	var outcomes [aegis.Outcomes]atomic.Int64
	var codes [aegis.Codes]atomic.Int64
	var refused, made atomic.Int64
	inBatches(t, diffCases(t, 60_000), func(stream uint64) int {
		r := newDiffRand(seed, stream+1<<32)
		own := filepath.Join(dir, fmt.Sprint(stream))
		fs, s := r.set(own)
		if s == nil {
			refused.Add(1)
			return 0
		}
		made.Add(1)
		e, err := newEngines(s)
		if err != nil {
			t.Errorf("%v\n%s", err, diffReport(fs, nil, "", ""))
			return 0
		}
		limits, sanitizers := limitsAndSanitizers(s)
		scratch := new(Scratch)
		for range calls {
			d := r.policyCall(s, limits, sanitizers)
			native, opa, hits, err := e.judgeWritten(scratch, d)
			if err != nil || native != opa {
				t.Errorf("%v\n%s", err, minimize(own, fs, d))
				return 0
			}
			for _, h := range hits {
				codes[h.Code].Add(1)
				outcomes[h.Outcome].Add(1)
			}
			if len(hits) == 0 {
				outcomes[aegis.Allow].Add(1)
			}
		}
		return calls
	})
	t.Logf("%d sets, %d more refused at load; calls allowed: %d", made.Load(), refused.Load(), outcomes[aegis.Allow].Load())
	for c := range aegis.Codes {
		if n := codes[c].Load(); n > 0 {
			t.Logf("%8d %s", n, aegis.Code(c))
		}
	}
}

// judgeWritten is judge for a call as it is written down.
func (e *engines) judgeWritten(scratch *Scratch, d *diffCall) (native, opa string, hits []aegis.Hit, err error) {
	c, f, err := d.build(e.set)
	if err != nil {
		return "", "", nil, err
	}
	return e.judge(scratch, c, f)
}

// differ reports whether the engines differ on a call.
func differ(dir string, fs []diffFile, d *diffCall) (native, opa string, ok bool) {
	s, err := loadFiles(dir, fs)
	if err != nil {
		return "", "", false
	}
	e, err := newEngines(s)
	if err != nil {
		return "", "", false
	}
	native, opa, _, err = e.judgeWritten(new(Scratch), d)
	if err != nil {
		opa = err.Error()
	}
	return native, opa, native != opa
}

// minimize takes away whatever the difference does not need, and writes what is left as a case for testdata/diff.
func minimize(dir string, fs []diffFile, d *diffCall) string {
	budget := 400
	try := func(fs []diffFile, d *diffCall) bool {
		budget--
		_, _, ok := differ(dir, fs, d)
		return budget > 0 && ok
	}
	for again := true; again; {
		again = false
		for _, c := range simplerCalls(d) {
			if try(fs, c) {
				d, again = c, true
				break
			}
		}
		for _, simpler := range simplerFiles(fs) {
			if try(simpler, d) {
				fs, again = simpler, true
				break
			}
		}
	}
	native, opa, _ := differ(dir, fs, d)
	return diffReport(fs, d, native, opa)
}

func simplerFiles(fs []diffFile) [][]diffFile {
	var out [][]diffFile
	for i, f := range fs {
		out = append(out, slices.Delete(slices.Clone(fs), i, i+1))
		for _, doc := range without(f.doc) {
			next := slices.Clone(fs)
			next[i].doc = doc.(yamlMap)
			out = append(out, next)
		}
	}
	slices.SortStableFunc(out, func(a, b []diffFile) int { return sourceSize(a) - sourceSize(b) })
	return out
}

func sourceSize(fs []diffFile) int {
	n := 0
	for _, f := range fs {
		n += len(f.source())
	}
	return n
}

// simplerCalls returns the ways of leaving something out of a call.
func simplerCalls(d *diffCall) []*diffCall {
	var out []*diffCall
	add := func(change func(c *diffCall)) {
		c := *d
		if change(&c); diffJSON(c) != diffJSON(d) {
			out = append(out, &c)
		}
	}
	add(func(c *diffCall) { c.Session, c.Claims, c.Exceeded, c.Detected, c.Chain = nil, nil, nil, nil, nil })
	add(func(c *diffCall) { c.Session = nil })
	add(func(c *diffCall) { c.Claims = nil })
	add(func(c *diffCall) { c.Time = nil })
	add(func(c *diffCall) { c.Region = "" })
	add(func(c *diffCall) { c.Chain = nil })
	add(func(c *diffCall) { c.Action = "" })
	add(func(c *diffCall) { c.Exceeded = nil })
	add(func(c *diffCall) { c.Detected = nil })
	for _, args := range simplerJSON(d.Args) {
		add(func(c *diffCall) { c.Args = args })
	}
	return out
}

// simplerJSON returns the ways of leaving one member or element out of a document.
func simplerJSON(text json.RawMessage) []json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	var out []json.RawMessage
	for _, w := range leaveOut(v) {
		out = append(out, json.RawMessage(strings.TrimSpace(diffJSON(w))))
	}
	return out
}

func leaveOut(v any) []any {
	var out []any
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			m := maps.Clone(v)
			delete(m, k)
			out = append(out, m)
			for _, w := range leaveOut(e) {
				m := maps.Clone(v)
				m[k] = w
				out = append(out, m)
			}
		}
	case []any:
		for i, e := range v {
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, w := range leaveOut(e) {
				l := slices.Clone(v)
				l[i] = w
				out = append(out, l)
			}
		}
	}
	return out
}

// diffReport writes a case as it stands in testdata/diff.
func diffReport(fs []diffFile, d *diffCall, native, opa string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "native: %s\nopa:    %s\n", native, opa)
	for _, f := range fs {
		fmt.Fprintf(&b, "-- %s --\n%s", f.name, f.source())
	}
	if d != nil {
		fmt.Fprintf(&b, "-- calls.jsonl --\n%s", diffJSON(d))
	}
	return b.String()
}
