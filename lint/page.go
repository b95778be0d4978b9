package lint

import (
	"fmt"
	"strings"
)

// Page returns a rule's page of the documentation. avoid and prefer are examples to show, or "".
func (r Rule) Page(avoid, prefer string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n%s.\n\n", r.ID, r.Name, strings.ToUpper(r.Summary[:1])+r.Summary[1:])
	fmt.Fprintf(&b, "Severity: %s. ", r.Severity)
	switch {
	case r.ID == loadError.ID:
		b.WriteString("It cannot be switched off or ignored.")
	case r.Fixable:
		b.WriteString("`--fix` can remove what it finds.")
	default:
		b.WriteString("Not fixable: only its author knows what was meant.")
	}
	if r.OptIn {
		fmt.Fprintf(&b, " It runs with `--%s` only.", r.Name)
	}
	if r.NeedsSchema {
		b.WriteString(" It needs `--schema`.")
	}
	if r.NeedsTraffic {
		b.WriteString(" It needs `--traffic`.")
	}
	b.WriteString("\n")
	for _, part := range r.parts() {
		fmt.Fprintf(&b, "\n**%s**: %s\n", part[0], strings.NewReplacer("*", `\*`, "<", `\<`, "|", `\|`).Replace(part[1]))
	}
	for _, x := range [][2]string{{"Fires on", avoid}, {"Does not fire on", prefer}} {
		if x[1] != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s", x[0], x[1])
		}
	}
	return b.String()
}

// parts splits Doc into avoid, prefer and why.
func (r Rule) parts() [][2]string {
	var out [][2]string
	for _, l := range strings.Split(r.Doc, "\n") {
		name, text, ok := strings.Cut(l, ": ")
		if known := name == "avoid" || name == "prefer" || name == "why"; ok && known {
			out = append(out, [2]string{strings.ToUpper(name[:1]) + name[1:], text})
			continue
		}
		out[len(out)-1][1] += "\n" + l
	}
	return out
}
