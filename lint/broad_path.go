package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var broadPath = &Rule{
	ID:       "AEG045",
	Name:     "broad-path",
	Severity: aegis.SeverityWarning,
	Summary:  "paths that reach far more than one directory of data",
	Doc: `avoid: under: /; under: /home/; require: path.startsWith("/srv/data")
prefer: under: /srv/data/
why: below / and /home/ lie keys, passwords and everybody's files. And startsWith compares text: /srv/data-old passes,
and so does /srv/data/../../etc/passwd. under: takes canonical paths only, and compares whole segments.`,
	check: checkBroadPath,
}

// farPaths are files that hardly any agent should reach, by the directory that gives them away.
var farPaths = [][2]string{{"/zq9x", "/"}, {"/etc/shadow", "/etc/"}, {"/root/.ssh/id_rsa", "/root/"}, {"/home/zq9x/.ssh/id_rsa", "/home/"},
	{"/Users/zq9x/.ssh/id_rsa", "/Users/"}, {"/var/lib/zq9x", "/var/"}, {"/proc/1/environ", "/proc/"}, {"/usr/bin/zq9x", "/usr/"},
	{"/sys/zq9x", "/sys/"}, {"/dev/zq9x", "/dev/"}, {"/boot/zq9x", "/boot/"}, {"/opt/zq9x", "/opt/"}, {"/mnt/zq9x", "/mnt/"}, {"/srv/zq9x", "/srv/"}}

var pathWords = []string{"path", "paths", "file", "filename", "dir", "directory", "folder", "key", "prefix", "attachment", "destination", "source", "target"}

func checkBroadPath(p *pass) {
	seen := map[string]string{}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.PathNotAllowed {
				continue
			}
			far, ok := seen[ch.Pattern]
			if !ok {
				if tester, fine := newPrefixes(ch.Pattern); fine {
					for _, f := range farPaths {
						if tester.alive(f[0]) {
							far = f[1]
							break
						}
					}
				}
				seen[ch.Pattern] = far
			}
			if far != "" {
				p.report(ch.Rule, "name the directory that the agent works in", "every file below %s passes", far)
			}
		}
	})
	p.textTests(func(c condition, x *policy.Expr, arg, text string) {
		if x.Op != policy.OpEnds && strings.Contains(text, "/") && !strings.Contains(text, "://") && (strings.HasPrefix(text, "/") || hasWord(arg, pathWords)) &&
			!looksLikeURL(arg) {
			p.reportAt(c.Pos, c.Rule, "write args: {"+orName(arg, "path")+": {under: …/}}", "%s: %s../ leads out of it", x, strings.TrimSuffix(text, "/")+"/")
		}
	})
}

func orName(arg, otherwise string) string {
	if arg == "" {
		return otherwise
	}
	return arg
}
