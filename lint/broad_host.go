package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var broadHost = &Rule{
	ID:       "AEG020",
	Name:     "broad-host",
	Severity: aegis.SeverityWarning,
	Summary:  "a wildcard host below which anyone can have a name",
	Doc: `avoid: hosts: ["*.com"]; hosts: ["*.github.io"]
prefer: hosts: [api.example.com, "*.docs.example.com"]
why: the star stands for one label, and below a top-level domain, or a domain that rents out names, anybody can have
one. Such a list lets data out to every such host.`,
	check: checkBroadHost,
}

// registries are domains below which anybody can have a name: the top-level ones that are seen most, and well-known
// hosts of other people's sites. A list of all of them would age; the rule is a help, and no boundary.
var registries = strings.Fields(`
	com net org io dev app ai co info biz me xyz cloud online site tech store shop top eu de fr uk co.uk us ca au com.au in jp co.jp
	cn com.cn ru br com.br nl it es pl se ch at be no dk fi ie nz co.nz kr za co.za mx com.mx
	github.io gitlab.io herokuapp.com vercel.app netlify.app pages.dev workers.dev web.app firebaseapp.com appspot.com run.app
	azurewebsites.net cloudfront.net amazonaws.com s3.amazonaws.com blob.core.windows.net onrender.com fly.dev ngrok.io
	ngrok-free.app ngrok.app repl.co glitch.me blogspot.com wordpress.com trycloudflare.com loca.lt surge.sh`)

func checkBroadHost(p *pass) {
	seen := map[string][]string{} // by pattern: many entries have the same
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.URLNotAllowed || !strings.Contains(ch.Pattern, `\.`) {
				continue
			}
			broad, ok := seen[ch.Pattern]
			if !ok {
				broad = broadHosts(ch.Pattern)
				seen[ch.Pattern] = broad
			}
			if len(broad) > 0 {
				p.reportAt(p.listItem(ch, "*."+broad[0]), ch.Rule, "name the hosts, or a wildcard below a domain of your own",
					"hosts let every name below %s pass, and anyone can have one", listed(broad))
			}
		}
	})
}

// listItem returns where an item of a check's list stands: in the list that it refers to, if that is in the file.
func (p *pass) listItem(ch *policy.Check, item string) policy.Pos {
	pos := p.pos(ch.Rule)
	if strings.Contains(ch.Text, item) {
		return pos
	}
	if top := (policy.Pos{File: pos.File, Line: 1, Col: 1}); p.word(top, item) != top {
		return p.word(top, item)
	}
	return pos
}

// nobody is a label that nobody would list, so that only a wildcard fits it.
const nobody = "zq9x"

// broadHosts returns the registries any name below which passes. What is asked is the pattern itself.
func broadHosts(pattern string) []string {
	tester, ok := newPrefixes(pattern)
	if !ok {
		return nil
	}
	for _, scheme := range []string{"https", "http", "wss", "ws", "ftp"} {
		if !tester.alive(scheme + "://" + nobody + ".") {
			continue // no wildcard at all, which is the usual case
		}
		passes := func(host string) bool {
			return tester.alive(scheme+"://"+host+"/") || tester.alive(scheme+"://"+host+":")
		}
		if passes(nobody + "." + nobody + ".example") {
			return nil // hosts are left out: any host was meant
		}
		var broad []string
		for _, r := range registries {
			if passes(nobody + "." + r) {
				broad = append(broad, r)
			}
		}
		if broad != nil {
			return broad
		}
	}
	return nil
}
