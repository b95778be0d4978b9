package draft

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis/policy"
)

// text plans what is demanded of texts: a list where all are words that may be written, else the narrowest form that all
// of them have.
func (b *builder) text(c *constraint, arg string, t *texts) {
	forms := []func(*constraint, string, *texts) bool{b.words, b.url, b.mail, b.path, b.shape, b.charset}
	for _, form := range forms {
		if form(c, arg, t) {
			return
		}
	}
	c.key("type: string")
	bound := lengthBound(t.most)
	c.key("max_length: %d", min(bound, 1<<20))
	c.say(fmt.Sprintf("%s of up to about %s characters", t.seen(), about(float64(t.most))), fmt.Sprintf("any text of up to %d characters", bound))
}

// seen says how many values there were.
func (t *texts) seen() string {
	if t.distinct > maxValues {
		return fmt.Sprintf("more than %d values", maxValues)
	}
	return plural(int64(t.distinct), "value")
}

// words lists the values.
func (b *builder) words(c *constraint, arg string, t *texts) bool {
	if t.distinct > maxValues || len(t.hashes) > 0 {
		return false
	}
	values := slices.Sorted(maps.Keys(t.values))
	for _, v := range values {
		if len(t.values[v].ids) < b.k || !b.looks.value(arg, v) {
			return false
		}
	}
	c.key("in: %s", flow(values))
	c.say(t.seen()+", each in "+fmt.Sprintf("%d sessions or more", b.k), "no more")
	return true
}

// listed returns the places if all of them may be written.
func (b *builder) listed(p *places, fits func(string) bool) []string {
	list := slices.Sorted(maps.Keys(p.by))
	for _, s := range list {
		if len(p.by[s].ids) < b.k || !b.looks.place(s) || !fits(s) {
			return nil
		}
	}
	return list
}

func (b *builder) url(c *constraint, _ string, t *texts) bool {
	if !t.urls.all {
		return false
	}
	schemes := slices.Sorted(maps.Keys(t.schemes))
	hosts := b.listed(&t.urls, func(h string) bool {
		_, err := policy.URLPattern([]string{h}, schemes, nil, "")
		return err == nil
	})
	if hosts == nil && t.oddHosts {
		return false
	}
	if hosts != nil {
		c.key("hosts: %s", flow(hosts))
		c.say("URLs of "+plural(int64(len(hosts)), "host"), "every path and query there")
	} else {
		c.say("URLs of hosts that may not be written, or too many", "every host name")
	}
	c.key("schemes: %s", flow(schemes))
	return true
}

func (b *builder) mail(c *constraint, _ string, t *texts) bool {
	if !t.mails.all {
		return false
	}
	domains := b.listed(&t.mails, func(d string) bool {
		_, err := policy.DomainPattern([]string{d})
		return err == nil
	})
	if domains != nil {
		c.key("domains: %s", flow(domains))
		c.say("e-mail addresses of "+plural(int64(len(domains)), "domain"), "every address there")
		return true
	}
	c.key("matches: %s", quoted("[!-?A-~]+@[A-Za-z0-9.-]+"))
	c.say("e-mail addresses of domains that may not be written, or too many", "every address")
	return true
}

func (b *builder) path(c *constraint, _ string, t *texts) bool {
	if !t.paths.all {
		return false
	}
	fits := func(dir string) bool {
		_, err := policy.UnderPattern([]string{dir})
		return err == nil && b.dir(dir) == dir
	}
	dirs := b.listed(&t.paths, fits)
	switch len(dirs) {
	case 0:
		dirs = []string{"/"}
	case 1:
		dirs = []string{b.dir(t.dir)}
	}
	c.key("under: %s", flow(dirs))
	c.say(t.seen()+" that are paths", "every path below")
	return true
}

// dir cuts a directory before the first segment that may not be written.
func (b *builder) dir(dir string) string {
	kept := "/"
	for _, seg := range strings.Split(strings.Trim(dir, "/"), "/") {
		if seg == "" || !segment.MatchString(seg) || !b.looks.place(seg) {
			return kept
		}
		kept += seg + "/"
		if slices.Contains([]string{"home", "users", "user"}, strings.ToLower(seg)) {
			return kept // what follows is a person
		}
	}
	return kept
}

var segment = regexp.MustCompile(`^[A-Za-z.][A-Za-z0-9._-]*$`)

// enough is how many distinct values show that they have a form.
const enough = 5

func (b *builder) shape(c *constraint, arg string, t *texts) bool {
	f := &t.form
	// A few values have a form by accident, and words between blanks are prose.
	if f.broken || t.least == 0 || t.distinct < enough || t.chars[0]&(1<<' ') != 0 {
		return false
	}
	prefix := f.whole && b.looks.prefix(arg, f.prefix)
	p := f.pattern(prefix)
	if _, err := policy.WholePattern(p); err != nil {
		return false
	}
	c.key("matches: %s", quoted(p))
	c.say(t.seen()+" of one form", "every text of that form")
	return true
}

// maxMarksInSet is how much punctuation a set of characters may have; with more it says nothing.
const maxMarksInSet = 6

// charset allows the characters that occur, where they are those of identifiers and a little punctuation.
func (b *builder) charset(c *constraint, _ string, t *texts) bool {
	if t.beyond || t.n == 0 || t.most == 0 {
		return false
	}
	var bits uint8
	var marks []byte
	for ch := byte(0); ch < 128; ch++ {
		if t.chars[ch/64]&(1<<(ch%64)) == 0 {
			continue
		}
		if bit := bitOf(ch); bit != 0 {
			bits |= bit
		} else {
			marks = append(marks, ch)
		}
	}
	if len(marks) > maxMarksInSet || slices.ContainsFunc(marks, func(m byte) bool { return m <= ' ' || m > '~' }) {
		return false
	}
	set := classText(bits)
	for _, m := range marks {
		if strings.IndexByte(`\]^-[&~`, m) >= 0 {
			set += `\`
		}
		set += string(rune(m))
	}
	p := "[" + set + "]" + repeat(min(t.least, 1), max(t.most, t.least+1))
	if _, err := policy.WholePattern(p); err != nil {
		return false
	}
	c.key("matches: %s", quoted(p))
	if lengthBound(t.most) > maxRepeat {
		c.key("max_length: %d", lengthBound(t.most))
	}
	c.say(t.seen()+" without blanks", "every text of these characters, a quarter longer than seen")
	return true
}
