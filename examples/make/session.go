package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aegisctl/aegis/capture"
)

// The values of the label class.
const (
	benign = "benign" // what the agent is there for
	risky  = "risky"  // an honest mistake, or something that a person should have looked at
	attack = "attack" // someone else steers the agent
)

// traffic is one file in the making.
type traffic struct {
	*rand.Rand
	tenant, agent, region string
	rows                  []capture.Row
	sessions              int
}

func newTraffic(seed uint64, tenant, agent, region string) *traffic {
	return &traffic{Rand: rand.New(rand.NewPCG(seed, 0xae615)), tenant: tenant, agent: agent, region: region}
}

// session is one task of an agent, under way.
type session struct {
	*traffic
	id     string
	chain  []string // nil: the user called
	story  string
	at     time.Time // of the next call
	pause  time.Duration
	seq    int64
	agent  string
	region string
}

// begin starts a session at the time. Calls follow each other by a pause around five seconds.
func (t *traffic) begin(story string, at time.Time, chain ...string) *session {
	t.sessions++
	return &session{traffic: t, id: fmt.Sprintf("task-%05d", t.sessions), chain: chain, story: story, at: at,
		pause: 5 * time.Second, agent: t.agent, region: t.region}
}

// call adds a call to "tool/action". The row may be changed until the next call.
func (s *session) call(class, name string, args string) *capture.Row {
	tool, action, _ := strings.Cut(name, "/")
	s.rows = append(s.rows, capture.Row{TimeMicros: s.at.UnixMicro(), HasTime: true, Tenant: s.tenant, Session: s.id,
		Seq: s.seq, HasSeq: true, Agent: s.agent, Chain: s.chain, Tool: tool, Action: action, Args: []byte(args),
		Region: s.region, Labels: map[string]string{"class": class, "story": s.story}})
	s.seq++
	// Between half and one and a half pauses, in whole milliseconds as loggers have them.
	s.at = s.at.Add(s.pause/2 + time.Duration(s.Int64N(int64(s.pause)))).Truncate(time.Millisecond)
	return &s.rows[len(s.rows)-1]
}

// fails makes about one call in n a failure of the tool.
func (s *session) fails(r *capture.Row, n int, outcomes ...string) bool {
	if s.IntN(n) > 0 {
		return false
	}
	r.Outcome = pick(s.Rand, outcomes...)
	return true
}

// date returns a day of 2026 at midnight UTC.
func date(m time.Month, day int) time.Time { return time.Date(2026, m, day, 0, 0, 0, 0, time.UTC) }

// at returns a time of that day: a whole hour and minutes.
func at(day time.Time, hour, minute int) time.Time {
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// between returns a time between two hours of a day, to the second.
func (t *traffic) between(day time.Time, from, to int) time.Time {
	return day.Add(time.Duration(from)*time.Hour + time.Duration(t.IntN((to-from)*3600))*time.Second)
}

// weekdays returns n days from the first, without Saturdays and Sundays.
func weekdays(first time.Time, n int) []time.Time {
	var days []time.Time
	for d := first; len(days) < n; d = d.AddDate(0, 0, 1) {
		if w := d.Weekday(); w != time.Saturday && w != time.Sunday {
			days = append(days, d)
		}
	}
	return days
}

func pick[T any](r *rand.Rand, xs ...T) T { return xs[r.IntN(len(xs))] }

// raw is a JSON number in the digits that the agent wrote.
type raw string

// object writes a JSON object with the members in that order: name, value, name, value.
func object(members ...any) string {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		value(&b, members[i])
		b.WriteByte(':')
		value(&b, members[i+1])
	}
	b.WriteByte('}')
	return b.String()
}

func value(b *bytes.Buffer, v any) {
	if n, ok := v.(raw); ok {
		b.WriteString(string(n))
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // "&&" of a command stays as an agent writes it
	if err := enc.Encode(v); err != nil {
		panic(err) // the values are ours
	}
	b.Truncate(b.Len() - 1)
}

// cents writes an amount of money as most clients do: with two decimals, or none where it is whole.
func cents(n int) raw {
	switch {
	case n < 0:
		return "-" + cents(-n)
	case n%100 == 0:
		return raw(fmt.Sprint(n / 100))
	}
	return raw(fmt.Sprintf("%d.%02d", n/100, n%100))
}

// amount draws an amount in cents, of whole units between from and to. Small ones are common, as in real ledgers. No
// floats: their last digit is not the same on every machine.
func (t *traffic) amount(from, to int) int {
	for to/2 > from && t.IntN(3) > 0 {
		to /= 2
	}
	n := 100 * (from + t.IntN(to-from))
	if t.IntN(2) == 0 {
		n += t.IntN(100)
	}
	return n
}

// digits draws a text of n digits.
func (t *traffic) digits(n int) string { return t.text(n, "0123456789") }

// hex draws a text of n hexadecimal digits.
func (t *traffic) hex(n int) string { return t.text(n, "0123456789abcdef") }

func (t *traffic) text(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[t.IntN(len(alphabet))]
	}
	return string(b)
}
