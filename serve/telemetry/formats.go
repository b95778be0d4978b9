package telemetry

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

// jsonLine writes the event itself, as JSON.
func jsonLine(b *bytes.Buffer, e *Event) { writeJSON(b, e) }

// writeJSON writes a value on one line. What a terminal or a reader would not show is escaped.
func writeJSON(b *bytes.Buffer, v any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return // these structs always encode
	}
	b.WriteString(visible(strings.TrimSuffix(text.String(), "\n")))
	b.WriteByte('\n')
}

// cefLine returns the writer of CEF, version 0: a header of seven fields, then keys and values.
func cefLine(version string) format {
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`)
	return func(b *bytes.Buffer, e *Event) {
		for _, f := range []string{"CEF:0", "Aegis", "aegisctl", version, "decision:" + e.Decision, "Agent tool call " + e.Decision, strconv.Itoa(severity(e).cef)} {
			b.WriteString(head.Replace(visible(f)))
			b.WriteByte('|')
		}
		action := "blocked"
		if e.Passed {
			action = "allowed"
		}
		first := true
		field := func(key, v string) {
			if v == "" {
				return
			}
			if !first {
				b.WriteByte(' ')
			}
			first = false
			b.WriteString(key + "=" + value.Replace(visible(v)))
		}
		field("rt", strconv.FormatInt(e.Time.UnixMilli(), 10))
		field("externalId", e.ID)
		field("act", action)
		field("outcome", e.Decision)
		field("suser", e.Agent)
		field("destinationServiceName", e.Tool)
		field("reason", e.codes())
		for i, cs := range [][2]string{{"tenant", e.Tenant}, {"action", e.Action}, {"mode", e.Mode}, {"policyVersion", e.PolicyVersion}, {"door", e.Door},
			{"session", e.Session}} {
			if cs[1] != "" {
				n := strconv.Itoa(i + 1)
				field("cs"+n+"Label", cs[0])
				field("cs"+n, cs[1])
			}
		}
		b.WriteByte('\n')
	}
}

// severities of an event: syslog's (RFC 5424), CEF's (0 to 10), OCSF's.
type severities struct{ syslog, cef, ocsf int }

func severity(e *Event) severities {
	switch {
	case e.blocked() && !e.WouldBlock:
		return severities{4, 6, 3} // warning, medium
	case e.blocked() || e.Decision == "approval_needed":
		return severities{5, 4, 2} // notice, low
	}
	return severities{6, 1, 1} // informational
}

// facility is that of syslog messages: 13, log audit.
const facility = 13

// syslogHead writes the header of RFC 5424 and the structured data. The element is that of private enterprise number 32473,
// which is reserved for documentation: there is none of Aegis yet.
func syslogHead(b *bytes.Buffer, e *Event, host string, data bool) {
	b.WriteString("<" + strconv.Itoa(facility*8+severity(e).syslog) + ">1 ")
	b.WriteString(e.Time.Format("2006-01-02T15:04:05.000000Z") + " " + host + " aegisctl " + procid + " decision ")
	if !data {
		b.WriteString("- ")
		return
	}
	b.WriteString("[aegis@32473")
	param := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)
	for _, p := range [][2]string{{"decision", e.Decision}, {"mode", e.Mode}, {"tenant", e.Tenant}, {"agent", e.Agent}, {"tool", e.Tool},
		{"action", e.Action}, {"session", e.Session}, {"reasons", e.codes()}, {"policy_version", e.PolicyVersion}, {"decision_id", e.ID},
		{"door", e.Door}, {"trace_id", e.TraceID}} {
		if p[1] != "" {
			b.WriteString(" " + p[0] + `="` + param.Replace(visible(p[1])) + `"`)
		}
	}
	b.WriteString("] ")
}

// textLine writes what a person reads in a syslog message.
func textLine(b *bytes.Buffer, e *Event) {
	b.WriteString(visible(e.Decision + " " + strconv.Quote(e.Agent) + " calls " + strconv.Quote(e.Tool) + " (" + e.Mode + ")"))
	b.WriteByte('\n')
}

// inSyslog puts a format into syslog messages.
func inSyslog(f format, data bool) format {
	host := hostname()
	return func(b *bytes.Buffer, e *Event) {
		syslogHead(b, e, host, data)
		f(b, e)
		b.Truncate(b.Len() - 1) // the frame ends the message
	}
}

// syslogLine returns the writer of whole messages, one a line.
func syslogLine() format {
	f := inSyslog(textLine, true)
	return func(b *bytes.Buffer, e *Event) {
		f(b, e)
		b.WriteByte('\n')
	}
}

const csvHead = "time,decision_id,tenant,agent,session,tool,action,effect,decision,mode,passed,reasons,rules,policy_version,estimated_cost,latency_seconds\n"

// csvLine writes a row for spreadsheets (RFC 4180). A cell that a spreadsheet would take for a formula begins with an
// apostrophe.
func csvLine(b *bytes.Buffer, e *Event) {
	var rules []string
	for _, r := range e.Reasons {
		if r.Rule != "" {
			rules = append(rules, r.Rule)
		}
	}
	w := csv.NewWriter(b)
	row := []string{e.Time.Format(time.RFC3339Nano), e.ID, e.Tenant, e.Agent, e.Session, e.Tool, e.Action, e.Effect, e.Decision, e.Mode,
		strconv.FormatBool(e.Passed), e.codes(), strings.Join(rules, " "), e.PolicyVersion, aegis.FormatMicro(e.CostMicro),
		strconv.FormatFloat(e.Latency.Seconds(), 'f', -1, 64)}
	for i := range row {
		row[i] = cell(row[i])
	}
	w.Write(row) // into memory: it cannot fail
	w.Flush()
}

// cell makes text harmless to a spreadsheet: = + - @ begin formulas, also after spaces and in their full-width forms.
func cell(s string) string {
	s = visible(s)
	if begin, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " ")); strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", begin) {
		return "'" + s
	}
	return s
}
