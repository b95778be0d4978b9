package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what is made")

// TestServeOptionsPage holds the page's table to the table of options.
func TestServeOptionsPage(t *testing.T) {
	const path, begin, end = "../../docs/server.md", "<!-- options: made by the test TestServeOptionsPage -->\n", "<!-- end of options -->"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the options")
	}
	var b strings.Builder
	usual, group := defaultServeConfig(), ""
	for _, o := range serveOptions {
		if o.group != group {
			group = o.group
			fmt.Fprintf(&b, "\n%s:\n\n| flag | variable | default | |\n| --- | --- | --- | --- |\n", group)
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | `%s` | %s |\n", o.name, o.variable(), yamlValue(o.field(&usual)), strings.ReplaceAll(o.doc, "|", `\|`))
	}
	want := head + begin + b.String() + "\n" + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Error("docs/server.md does not list the options as they are: run go test ./cmd/aegisctl -run TestServeOptionsPage -update")
	}
}

// TestServeOptionsWhole: each option has its own flag, default and field, and the printed file names them all.
func TestServeOptionsWhole(t *testing.T) {
	var c serveConfig
	fields, names := map[any]string{}, map[string]bool{}
	for _, o := range serveOptions {
		if other := fields[o.field(&c)]; other != "" || names[o.name] {
			t.Errorf("%s and %s are one", o.name, other)
		}
		fields[o.field(&c)], names[o.name] = o.name, true
	}
}
