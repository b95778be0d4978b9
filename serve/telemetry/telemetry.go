// Package telemetry tells the outside what the server decides: OpenTelemetry spans, Prometheus metrics, log lines, and
// events for security systems (OCSF, CEF, syslog, JSON lines, CSV).
//
// It promises that none of that delays or changes a decision: everything slow is behind a bounded queue, and what does not
// fit is dropped and counted. It promises that no argument, token or header leaves by it, and that what callers choose
// (names) can neither forge a line, a field or a spreadsheet's formula, nor make series or fields without bound.
//
// No other room imports OpenTelemetry.
package telemetry
