package draft

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aegisctl/aegis/policy"
)

// texts is what was seen of texts at one place.
type texts struct {
	n        int64
	least    int // code points
	most     int
	values   map[string]*support // the distinct ones, until they are too many or one is too long to be a word
	distinct int                 // how many there are; maxValues+1 stands for more
	chars    [2]uint64           // ASCII characters that occur
	beyond   bool                // others occur
	form     shape
	started  bool
	urls     places // by host
	oddHosts bool   // some host is no plain DNS name, or has a port
	schemes  map[string]bool
	mails    places // by domain
	paths    places // by first directory, with both slashes
	dir      string // directories that all paths begin with, slash at the end
	hashes   map[uint64]bool
}

// places is what texts of one form are sorted by: hosts, domains, directories.
type places struct {
	all bool                // every text has the form
	by  map[string]*support // nil once they are too many
}

func newPlaces() places { return places{all: true, by: map[string]*support{}} }

func newTexts() *texts {
	return &texts{values: map[string]*support{}, urls: newPlaces(), mails: newPlaces(), paths: newPlaces(),
		schemes: map[string]bool{}, hashes: map[uint64]bool{}}
}

// maxWord is the length in bytes of the longest text that may be a word of a program.
const maxWord = 32

func (t *texts) add(s string, session uint64, k int) {
	t.n++
	l := len(s)
	if t.scan(s) {
		l = utf8.RuneCountInString(s)
	}
	if t.n == 1 {
		t.least = l
	}
	t.least, t.most = min(t.least, l), max(t.most, l)
	t.note(s, session, k)
	if !t.form.broken {
		sh := shapeOf(s)
		if !t.started {
			sh.prefix = strings.Clone(sh.prefix)
			t.form, t.started = sh, true
		} else {
			t.form.merge(&sh)
		}
	}
	if t.urls.all {
		t.url(s, session, k)
	}
	if t.mails.all {
		domain, ok := mailDomain(s)
		t.mails.add(domain, ok, session, k)
	}
	if t.paths.all {
		t.path(s, session, k)
	}
}

// scan notes the characters, and reports whether there are others than ASCII.
func (t *texts) scan(s string) bool {
	var low, high uint64
	beyond := false
	for i := range len(s) {
		switch c := s[i]; {
		case c < 64:
			low |= 1 << c
		case c < 128:
			high |= 1 << (c - 64)
		default:
			beyond = true
		}
	}
	t.chars[0] |= low
	t.chars[1] |= high
	t.beyond = t.beyond || beyond
	return beyond
}

// note counts a value among the distinct ones. Long ones are counted by a hash, since they are never written.
func (t *texts) note(s string, session uint64, k int) {
	if t.distinct > maxValues {
		return
	}
	if len(s) > maxWord {
		t.hashes[fnv(s)] = true
		t.recount()
		return
	}
	v := t.values[s]
	if v == nil {
		v = &support{}
		t.values[strings.Clone(s)] = v
		t.recount()
	}
	v.add(session, k)
}

func (t *texts) recount() {
	if t.distinct = len(t.values) + len(t.hashes); t.distinct > maxValues {
		t.distinct, t.values, t.hashes = maxValues+1, nil, nil
	}
}

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// add sorts a text by its place; ok is false where it does not have the form.
func (p *places) add(place string, ok bool, session uint64, k int) {
	if !ok {
		p.all, p.by = false, nil
		return
	}
	if p.by == nil {
		return
	}
	v := p.by[place]
	if v == nil {
		if len(p.by) == maxPlaces {
			p.by = nil
			return
		}
		v = &support{}
		p.by[strings.Clone(place)] = v
	}
	v.add(session, k)
}

func (p *places) merge(o *places, k int) {
	if p.all = p.all && o.all; !p.all || p.by == nil || o.by == nil {
		p.by = nil
		return
	}
	for place, v := range o.by {
		if have := p.by[place]; have != nil {
			have.merge(v, k)
		} else {
			p.by[place] = v
		}
	}
	if len(p.by) > maxPlaces {
		p.by = nil
	}
}

// url sorts a URL by its host.
func (t *texts) url(s string, session uint64, k int) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !schemes[scheme] {
		t.urls.add("", false, session, k)
		return
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	ok = host != "" && host == strings.ToLower(host) && !strings.ContainsAny(host, "@\\% ") && plainRest(rest[end:])
	t.urls.add(host, ok, session, k)
	t.oddHosts = t.oddHosts || !dnsName().MatchString(host)
	if ok && len(t.schemes) < len(schemes) {
		t.schemes[strings.Clone(scheme)] = true
	}
}

var dnsName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
})

// schemes are those that URLs are drafted for.
var schemes = map[string]bool{"http": true, "https": true, "ws": true, "wss": true, "ftp": true}

// plainRest reports whether what follows the authority is printable ASCII without a backslash, as rules on URLs want.
func plainRest(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

var addr = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(policy.AddrPattern()) })

// mailDomain returns the domain of one bare address, in lower case.
func mailDomain(s string) (string, bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 320 || !addr().MatchString(s) {
		return "", false
	}
	return strings.ToLower(s[at+1:]), true
}

var anyDir = sync.OnceValue(func() *regexp.Regexp {
	p, err := policy.UnderPattern([]string{"/"})
	if err != nil {
		panic(err) // the root is a directory
	}
	return regexp.MustCompile(p)
})

// path sorts a canonical absolute path by its first directory, and keeps the directories that all have in common.
func (t *texts) path(s string, session uint64, k int) {
	if len(s) < 2 || s[0] != '/' || !anyDir().MatchString(s) {
		t.paths.add("", false, session, k)
		return
	}
	dir := s[:strings.LastIndexByte(strings.TrimSuffix(s, "/"), '/')+1]
	if t.dir == "" {
		t.dir = strings.Clone(dir)
	}
	t.dir = commonDir(t.dir, dir)
	first := "/"
	if i := strings.IndexByte(dir[1:], '/'); i >= 0 {
		first = dir[:i+2]
	}
	t.paths.add(first, true, session, k)
}

func commonDir(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], '/')+1]
}

func (t *texts) merge(o *texts, k int) {
	t.least, t.most = min(t.least, o.least), max(t.most, o.most)
	t.n += o.n
	t.chars[0] |= o.chars[0]
	t.chars[1] |= o.chars[1]
	t.beyond = t.beyond || o.beyond
	t.form.merge(&o.form)
	t.urls.merge(&o.urls, k)
	t.oddHosts = t.oddHosts || o.oddHosts
	t.mails.merge(&o.mails, k)
	for s := range o.schemes {
		t.schemes[s] = true
	}
	if t.paths.merge(&o.paths, k); t.paths.all {
		t.dir = commonDir(t.dir, o.dir)
	}
	if t.distinct > maxValues || o.distinct > maxValues {
		t.distinct, t.values, t.hashes = maxValues+1, nil, nil
		return
	}
	for s, v := range o.values {
		if have := t.values[s]; have != nil {
			have.merge(v, k)
		} else {
			t.values[s] = v
		}
	}
	for h := range o.hashes {
		t.hashes[h] = true
	}
	t.recount()
}
