package policy

import "strings"

// twice refuses two routes of a tenant that match the same requests. Routes that only some requests have in common stand
// beside each other: the narrower wins, and where neither is the narrower, such a request is denied when it comes.
func (l *loader) twice() {
	type pattern struct{ tenant, text string }
	seen := map[pattern]*Route{}
	for _, file := range l.set.Routes {
		for _, t := range file.Routes {
			var b strings.Builder
			b.WriteString(t.Method + " " + t.Host)
			for _, s := range t.Path {
				b.WriteByte('/')
				if s.Param {
					b.WriteByte('{')
				} else {
					b.WriteString(s.Text)
				}
			}
			p := pattern{t.Tenant, b.String()}
			if first := seen[p]; first != nil {
				l.fail(t.Pos, "one of the two is enough", "%s is matched already, at %s", t.Match(), first.Pos)
				continue
			}
			seen[p] = t
		}
	}
}

// Narrower reports whether, of the requests that both routes match, t is about fewer: wherever the paths differ, t has a text
// and u a parameter. It means something only for routes with one method, host and number of segments.
func (t *Route) Narrower(u *Route) bool {
	for i := range t.Path {
		if t.Path[i].Param && !u.Path[i].Param {
			return false
		}
	}
	return true
}
