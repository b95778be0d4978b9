package lint

import (
	"strings"
	"testing"
)

func TestCustomNever(t *testing.T) {
	for _, x := range []struct{ name, rego, want string }{
		{"data", `deny contains "x" if data.blocked[input.tool]`, "data.blocked"},
		{"its own", "names := {\"shell\"}\ndeny contains \"x\" if input.tool in data.aegis.custom.names", ""},
		{"no such input", `deny contains "x" if input.arguments.amount > 5`, "input has no arguments"},
		{"an argument", `deny contains "x" if input.args.amount > 5`, ""},
		{"a tool that is not granted", `deny contains "x" if input.tool == "shop"`, "no call whose tool is shop"},
		{"one that is", `deny contains "x" if input.tool == "bank"`, ""},
		{"any other", `deny contains "x" if not input.tool == "shop"`, ""},
		{"an action", `deny contains "x" if "refund" == input.action`, "no call whose action is refund"},
		{"nothing said", ``, "neither deny nor approval_needed"},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{"own.rego": "package aegis.custom\n" + x.rego + "\n",
				"a.yaml": "agent: a\nrego: [own.rego]\nallowed_tools: [{name: bank, actions: [pay]}]\n"})
			found := lintFiles(t, dir)
			switch {
			case x.want == "" && len(found) > 0:
				t.Errorf("%v", found)
			case x.want != "" && (len(found) != 1 || found[0].ID != "AEG042" || !strings.Contains(found[0].Message, x.want)):
				t.Errorf("%v, want %q", found, x.want)
			case x.want != "" && x.rego != "" && !strings.HasPrefix(found[0].Source, dir+"/own.rego:2:"):
				t.Errorf("at %s", found[0].Source)
			}
		})
	}
}
