package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// imported collects the rows of an import, which are valid during emit only.
func imported(t testing.TB, in io.Reader, opts ImportOptions) ([]Row, ImportStats) {
	t.Helper()
	var rows []Row
	st, err := ImportJSONL(in, "in.jsonl", func(r *Row) error {
		rows = append(rows, keepRow(*r))
		return nil
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if st.Lines != st.Rows+st.Rejected || int(st.Rows) != len(rows) {
		t.Fatalf("the counts do not add up: %+v, %d rows", st, len(rows))
	}
	return rows, st
}

// keepRow copies what shares the memory of the line.
func keepRow(r Row) Row {
	for _, s := range []*string{&r.Tenant, &r.Session, &r.Agent, &r.Tool, &r.Action, &r.Effect, &r.Region, &r.Outcome,
		&r.RecordedDecision, &r.RecordedPolicyVersion, &r.Coverage} {
		*s = strings.Clone(*s)
	}
	r.Args = bytes.Clone(r.Args)
	if r.Chain != nil {
		chain := make([]string, len(r.Chain))
		for i, c := range r.Chain {
			chain[i] = strings.Clone(c)
		}
		r.Chain = chain
	}
	labels := r.Labels
	if labels != nil {
		r.Labels = map[string]string{}
	}
	for k, v := range labels {
		r.Labels[strings.Clone(k)] = strings.Clone(v)
	}
	return r
}

func TestImportLine(t *testing.T) {
	in := ` {"time":"2026-02-10T21:54:58.190Z","source":"s","session":"x/1","seq":7,"agent":"b","model":"m","tool":"<t>",` +
		`"args": {"a" : 1.50, "A\u0041":"é"} ,"outcome":"ok","parent":{"session":"p","tool_use_id":"u","subagent_type":null},` +
		`"chain":["a","b"],"call_id":"c","tenant":"acme","action":"go","effect":"read","region":"eu","estimated_cost":0.02,` +
		`"recorded_decision":"allow","recorded_policy_version":"v","coverage":"redacted",` +
		`"labels":{"yes":true,"n":1.0,"s":"x","none":null,"o":{"k": [1]},"e":""}}` + "\r\n\n"
	rows, st := imported(t, strings.NewReader(in), ImportOptions{Tenant: "other"})
	want := Row{TimeMicros: 1770760498190000, HasTime: true, Tenant: "acme", Session: "x/1", Seq: 7, HasSeq: true, Agent: "b",
		Chain: []string{"a"}, Tool: "<t>", Action: "go", Args: []byte(`{"a" : 1.50, "A\u0041":"é"}`), Effect: "read", Region: "eu",
		CostMicro: 20000, HasCost: true, RecordedDecision: "allow", RecordedPolicyVersion: "v", Outcome: "ok", Coverage: "redacted",
		Labels: map[string]string{"yes": "true", "n": "1.0", "s": "x", "o": `{"k": [1]}`, "e": "", "source": "s", "model": "m",
			"call_id": "c", "parent_session": "p", "parent_call": "u"}}
	if len(rows) != 1 || !reflect.DeepEqual(rows[0], want) {
		t.Fatalf("\nwant %+v\ngot  %+v\n%+v", want, rows, st)
	}
	if st.Lines != 1 || len(st.Unknown) != 0 || st.Gzip {
		t.Fatalf("%+v", st)
	}
}

func TestImportDefaults(t *testing.T) {
	in := `{"agent":"a","tool":"t"}
{"agent":"a","tool":"t","time":null,"seq":null,"args":null,"chain":null,"labels":null,"parent":null,"model":null,"coverage":null,"outcome":null}
{"agent":"a","tool":"t","args":{},"chain":["a"],"labels":{"args_truncated":true}}
{"agent":"a","tool":"t","args":{"x":1,"X":2},"coverage":"full","colour":"red","n":null}
{"agent":"a","tool":"t","estimated_cost":0.0034575000000000003,"colour":1}
{"agent":"a","tool":"t","estimated_cost":-12.5,"time":"2026-01-01T00:00:00+02:00"}`
	rows, st := imported(t, strings.NewReader(in), ImportOptions{Tenant: "acme"})
	bare := Row{Tenant: "acme", Agent: "a", Tool: "t", Coverage: "absent"}
	if len(rows) != 6 || !reflect.DeepEqual(rows[0], bare) || !reflect.DeepEqual(rows[1], bare) {
		t.Fatalf("%+v %+v", rows, st)
	}
	if r := rows[2]; r.Chain == nil || len(r.Chain) != 0 || string(r.Args) != "{}" || r.Coverage != "redacted" {
		t.Errorf("%+v", r)
	}
	if r := rows[3]; r.Coverage != "full" || string(r.Args) != `{"x":1,"X":2}` {
		t.Errorf("%+v", r)
	}
	if rows[4].CostMicro != 3458 || st.RoundedCosts != 1 || rows[5].CostMicro != -12_500_000 || rows[5].TimeMicros != 1767218400000000 {
		t.Errorf("%+v", rows[4:])
	}
	if want := map[string]int64{"colour": 2, "n": 1}; !reflect.DeepEqual(st.Unknown, want) {
		t.Error(st.Unknown)
	}
}

func TestImportBadLines(t *testing.T) {
	for line, want := range map[string]string{
		`{"agent":"a"}`:                        "tool is no valid name",
		`{"tool":"t"}`:                         "agent is no valid name",
		`{"agent":"","tool":"t"}`:              "agent is no valid name",
		`{"agent":"a b","tool":"t"}`:           "agent is no valid name",
		`{"agent":7,"tool":"t"}`:               "agent: it must be a string",
		`[]`:                                   "not a JSON object",
		`{"agent":"a","tool":"t"`:              "byte 23",
		`{"agent":"a","tool":"t"} x`:           "byte 25",
		`{"agent":"a","agent":"b","tool":"t"}`: "byte",
		`{"agent":"a","Agent":"b","tool":"t"}`: "",
		`{"agent":"a","tool":"t","labels":{"x":"1","X":"2"}}`:                      "",
		`{"agent":"a","tool":"t","args":"{}"}`:                                     "args: it must be an object",
		`{"agent":"a","tool":"t","args":[]}`:                                       "args: it must be an object",
		`{"agent":"a","tool":"t","seq":1.5}`:                                       "seq: it must be an integer",
		`{"agent":"a","tool":"t","seq":"1"}`:                                       "seq: it must be an integer",
		`{"agent":"a","tool":"t","seq":9223372036854775808}`:                       "seq: it must be an integer",
		`{"agent":"a","tool":"t","time":"yesterday"}`:                              "time: it must be an RFC 3339 time",
		`{"agent":"a","tool":"t","time":"2026-01-01 00:00:00"}`:                    "time: it must be an RFC 3339 time",
		`{"agent":"a","tool":"t","time":1}`:                                        "time: it must be an RFC 3339 time",
		`{"agent":"a","tool":"t","chain":"x"}`:                                     "chain: it must be a list",
		`{"agent":"a","tool":"t","chain":[1]}`:                                     "chain: it must be a list",
		`{"agent":"a","tool":"t","chain":["x y"]}`:                                 "chain has",
		`{"agent":"a","tool":"t","chain":[` + strings.Repeat(`"x",`, 65) + `"a"]}`: "chain has",
		`{"agent":"a","tool":"t","chain":[` + strings.Repeat(`"x",`, 66) + `"a"]}`: "chain has",
		`{"agent":"a","tool":"t","effect":"delete"}`:                               "effect is neither",
		`{"agent":"a","tool":"t","coverage":"half"}`:                               "coverage is none of",
		`{"agent":"a","tool":"t","region":"a b"}`:                                  "region is no valid name",
		`{"agent":"a","tool":"t","session":"a\u0000"}`:                             "session is not",
		`{"agent":"a","tool":"t","estimated_cost":"1"}`:                            "estimated_cost: it must be a number",
		`{"agent":"a","tool":"t","estimated_cost":1e300}`:                          "estimated_cost is out of range",
		`{"agent":"a","tool":"t","labels":[]}`:                                     "labels: it must be an object",
		`{"agent":"a","tool":"t","parent":"x"}`:                                    "parent: it must be an object",
		`{"agent":"a","tool":"t","model":"x","labels":{"model":"y"}}`:              "stated twice",
		"\xef\xbb\xbf" + `{"agent":"a","tool":"t"}`:                                "byte 0",
		`{"agent":"a","tool":"t","outcome":"` + "\xff" + `"}`:                      "byte",
		`{"agent":"a","tool":"t","outcome":false}`:                                 "outcome: it must be a string",
		`{"agent":"a","tool":"t","args":{"a":NaN}}`:                                "byte",
	} {
		rows, st := imported(t, strings.NewReader("\n"+line+"\n"+`{"agent":"a","tool":"t"}`), ImportOptions{})
		if len(rows) != 1 || st.Rejected != 1 || len(st.Samples) != 1 || st.Samples[0].Line != 2 || st.Samples[0].File != "in.jsonl" {
			t.Errorf("%s: %d rows, %+v", line, len(rows), st)
			continue
		}
		if !strings.Contains(st.Samples[0].Reason, want) {
			t.Errorf("%s: the reason is %q, and does not say %q", line, st.Samples[0].Reason, want)
		}
	}
	ok := `{"agent":"a","tool":"t","chain":[` + strings.Repeat(`"x",`, 64) + `"a"]}`
	if rows, _ := imported(t, strings.NewReader(ok), ImportOptions{}); len(rows) != 1 || len(rows[0].Chain) != 64 {
		t.Error("a chain of 64 callers, and the agent, was not read")
	}
}

// TestImportKeepsOrder: many lines, parsed by several workers, plain and in gzip.
func TestImportKeepsOrder(t *testing.T) {
	var text bytes.Buffer
	const n = 30_000
	for i := range n {
		if i%100 == 50 {
			fmt.Fprintf(&text, "bad line %d\n", i)
		} else {
			fmt.Fprintf(&text, `{"agent":"a%d","tool":"t","seq":%d,"args":{"pad":%q},"odd%d":1}`+"\n", i%5, i, strings.Repeat("x", i%300), i%2000)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text.Bytes())
	z.Close()
	for name, in := range map[string]io.Reader{"plain": bytes.NewReader(text.Bytes()), "gzip": &packed, "slow": slowReader{bytes.NewReader(text.Bytes())}} {
		rows, st := imported(t, in, ImportOptions{Workers: 4, Samples: 7})
		if st.Rejected != n/100 || len(st.Samples) != 7 || st.Samples[6].Line != 651 || st.Gzip != (name == "gzip") {
			t.Fatalf("%s: %+v", name, st)
		}
		if len(st.Unknown) != maxUnknown+1 || st.Unknown[unknownOther] == 0 {
			t.Errorf("%s: %d unknown members", name, len(st.Unknown))
		}
		last := int64(-1)
		for _, r := range rows {
			if r.Seq <= last || len(r.Args) != int(r.Seq)%300+len(`{"pad":""}`) {
				t.Fatalf("%s: row %d after %d", name, r.Seq, last)
			}
			last = r.Seq
		}
	}
}

// slowReader hands out its bytes a few at a time.
type slowReader struct{ r io.Reader }

func (s slowReader) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 1000)]) }

type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errors.New("the disk is gone")
	}
	return n, err
}

func TestImportStops(t *testing.T) {
	line := `{"agent":"a","tool":"t"}` + "\n"
	text := strings.Repeat(line, 50_000)
	full := errors.New("disk full")
	n := 0
	st, err := ImportJSONL(strings.NewReader(text), "x", func(*Row) error {
		if n++; n == 1234 {
			return full
		}
		return nil
	}, ImportOptions{})
	if !errors.Is(err, full) || st.Rows != 1233 || n != 1234 {
		t.Error(err, st.Rows, n)
	}
	count := func(in io.Reader) (ImportStats, error) {
		return ImportJSONL(in, "x", func(*Row) error { return nil }, ImportOptions{})
	}
	if st, err = count(brokenReader{strings.NewReader(line + line + `{"agent"`)}); err == nil || st.Rows != 2 || !strings.Contains(err.Error(), "line 2: the disk is gone") {
		t.Error(err, st.Rows)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, text)
	z.Close()
	if _, err = count(bytes.NewReader(packed.Bytes()[:packed.Len()-9])); err == nil {
		t.Error("half a gzip is no error")
	}
	if _, err = count(strings.NewReader("PAR1....")); err == nil || !strings.Contains(err.Error(), "Parquet file already") {
		t.Error(err)
	}
	if st, err = count(strings.NewReader("")); err != nil || st.Lines != 0 {
		t.Error(err, st)
	}
	// A line that is too long takes no memory and does not hide the next.
	long := io.MultiReader(strings.NewReader(line+`{"agent":"`), io.LimitReader(endless{}, maxLine+5), strings.NewReader("\"}\n"+line))
	if st, err = count(long); err != nil || st.Rows != 2 || st.Rejected != 1 || st.Samples[0].Line != 2 {
		t.Errorf("%v %+v", err, st)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestImportRealTraffic imports calls that agents really made, writes them, and looks at them.
func TestImportRealTraffic(t *testing.T) {
	in, err := os.Open("testdata/traffic.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	st, err := ImportJSONL(in, "traffic.jsonl.gz", func(r *Row) error { return w.Write(*r) }, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if st.Rejected != 0 || len(st.Unknown) != 0 || st.Rows != w.Rows() || st.Rows != 240 || !st.Gzip {
		t.Fatalf("%+v", st)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := ComputeStats(path, path)
	if err != nil {
		t.Fatal(err)
	}
	if all.Rows != 480 || len(all.Rejected) != 0 || all.Files[0].Rows != 240 || all.Files[0].Bytes == 0 {
		t.Errorf("%+v", all)
	}
	t.Logf("%+v", all)
}

// FuzzImportJSONL: every line is a row or is counted; a row can be written and comes from one line.
func FuzzImportJSONL(f *testing.F) {
	f.Add([]byte(`{"agent":"a","tool":"t","args":{"a":1},"chain":["a"],"labels":{"k":true},"parent":{"session":"s"}}` + "\n\n[]\n"))
	f.Add([]byte(`{"agent":"a","tool":"t","time":"2026-01-01T00:00:00Z","seq":-1,"estimated_cost":1e-3,"odd":[{}]}`))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := int64(bytes.Count(data, []byte("\n")) + 1)
		st, err := ImportJSONL(bytes.NewReader(data), "fuzz", func(r *Row) error {
			if why := r.storable(); why != nil {
				t.Fatalf("%+v cannot be stored: %v", r, why)
			}
			if r.Args != nil && !bytes.Contains(data, r.Args) && !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
				t.Fatalf("args %q is not as received", r.Args)
			}
			return nil
		}, ImportOptions{Workers: 1})
		if st.Lines != st.Rows+st.Rejected || !st.Gzip && (err == nil && st.Lines > lines) {
			t.Fatalf("%+v, %v", st, err)
		}
	})
}

func BenchmarkImport(b *testing.B) {
	line := []byte(`{"time":"2026-02-10T21:54:58.190Z","source":"bench","session":"s-1","seq":3,"agent":"finance","model":"m","tool":"pay",` +
		`"args":{"amount":12.5,"currency":"EUR","recipient":"acct_0123456789AB","memo":"invoice 17"},"outcome":null,` +
		`"labels":{"class":"benign","suite":"banking"},"parent":null,"chain":null}` + "\n")
	data := bytes.Repeat(line, 20_000)
	b.SetBytes(int64(len(data)))
	for range b.N {
		if _, err := ImportJSONL(bytes.NewReader(data), "x", func(*Row) error { return nil }, ImportOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20_000*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
