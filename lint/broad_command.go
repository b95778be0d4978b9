package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var broadCommand = &Rule{
	ID:       "AEG046",
	Name:     "broad-command",
	Severity: aegis.SeverityWarning,
	Summary:  "a command that runs whatever its arguments say",
	Doc: `avoid: commands: [bash, python, git, find]
prefer: commands: [python manage.py test, git status, git diff]
why: a prefix of words lets every continuation through. A shell, an interpreter, env or xargs with free arguments is any
command at all, and git -c, find -exec and tar --to-command are as good. The list is no sandbox in any case.`,
	check: checkBroadCommand,
}

// runners are commands that run others when their arguments say so.
var runners = strings.Split("sh bash zsh dash ksh fish ash busybox python python2 python3 perl ruby node deno bun php lua tclsh Rscript osascript "+
	"powershell pwsh cmd env sudo doas su xargs eval exec source ssh nohup nice timeout time watch find awk gawk mawk sed git tar vi vim less man "+
	"npx uvx pipx docker podman kubectl nsenter chroot make gdb strace parallel socat nc ncat", " ")

// runnersOf are such commands of two words.
var runnersOf = []string{"docker run", "docker exec", "podman run", "podman exec", "kubectl exec", "kubectl run", "npm exec", "go run", "uv run", "poetry run",
	"cargo run", "bash -c", "sh -c", "python -c", "python3 -c", "node -e", "perl -e", "ruby -e"}

func checkBroadCommand(p *pass) {
	seen := map[string][]string{}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.CommandNotAllowed {
				continue
			}
			run, ok := seen[ch.Pattern]
			if !ok {
				run = append(passing(ch.Pattern, "", runners, " zq9x"), passing(ch.Pattern, "", runnersOf, " zq9x")...)
				seen[ch.Pattern] = run
			}
			if len(run) > 0 {
				p.report(ch.Rule, "name the subcommand or the script as well", "%s with free arguments runs anything", listed(run))
			}
		}
	})
	p.textTests(func(c condition, x *policy.Expr, arg, text string) {
		if x.Op == policy.OpStarts && hasWord(arg, []string{"command", "cmd", "shell", "script"}) {
			p.reportAt(c.Pos, c.Rule, "write args: {"+arg+": {commands: ["+strings.TrimSpace(text)+"]}}", "%s: whatever follows runs as well, after ; or &&", x)
		}
	})
}
