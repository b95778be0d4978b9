package draft

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/redact"
)

// looks judges by its looks what may be written into a policy. How often something was seen is asked elsewhere: both
// must hold.
type looks struct {
	pii   *redact.Detector
	given []string        // names that the user gave, and so may be written
	names map[string]bool // of tools and the like, as judged before
}

func newLooks(opt Options) *looks {
	d, err := redact.New(redact.Kinds()...)
	if err != nil {
		panic(err) // the kinds are redact's own
	}
	return &looks{pii: d, given: slices.Concat(opt.Tenants, opt.Agents, opt.Names), names: map[string]bool{}}
}

// maxJudged bounds the memory of judged names.
const maxJudged = 10_000

// name reports whether the name of a tool, action, agent, caller, region or tenant may and can be written.
func (l *looks) name(s string) bool {
	if ok, known := l.names[s]; known {
		return ok
	}
	ok := aegis.ValidPolicyName(s) && !strings.HasPrefix(s, "guardrail:") &&
		(slices.Contains(l.given, s) || !l.pii.Found(s) && !l.pii.Found(spaced(s)) && !random(s) && !hasGivenName(s))
	if len(l.names) < maxJudged {
		l.names[strings.Clone(s)] = ok
	}
	return ok
}

// target reports whether the name of a tool or an action may be written, with a star in the place of data at its end.
func (l *looks) target(s string) bool {
	if head, cut := folded(s); cut && !l.name(s) {
		return aegis.ValidName(s) && !l.pii.Found(s) && l.name(strings.TrimRight(head, "*_-./:"))
	}
	return l.name(s)
}

// spaced puts blanks for underscores, which join words for redact.
func spaced(s string) string { return strings.ReplaceAll(s, "_", " ") }

// key reports whether the name of an argument may be written.
func (l *looks) key(s string) bool {
	return len(s) <= 64 && keyShape(s) && len(strings.Map(onlyDigits, s)) <= 3 && !l.pii.Found(s) && !l.pii.Found(spaced(s)) && !random(s) && !hasGivenName(s)
}

// keyShape is that of a parameter: a letter, _ or - (-n) first, then letters, digits and _ - . ; where - or . join words, capitals
// only begin them; and small letters follow digits in short words only (k8s). Everything else is data.
func keyShape(s string) bool {
	joined, part := strings.ContainsAny(s, "-."), 0
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		switch {
		case i == 0 && !letter && c != '_' && c != '-', !letter && class(c) != 0 && strings.IndexByte("_-.", c) < 0:
			return false
		case !letter && class(c) != 0:
			part = i + 1
		case joined && class(c) == 1 && i > part, letter && class(c) == 2 && i > part && class(s[i-1]) == 0 && wordEnd(s, i)-part > 6:
			return false
		}
	}
	return len(words(s)) > 0
}

// wordEnd returns where the letters and digits from i on end.
func wordEnd(s string, i int) int {
	for i < len(s) && strings.IndexByte("_-.", s[i]) < 0 {
		i++
	}
	return i
}

// value reports whether a value of the argument may be written: a word of a program, such as eur or in_progress.
func (l *looks) value(arg, s string) bool {
	if len(s) == 0 || len(s) > 32 || hasWord(arg, dataWords) || !enumLike(s) || random(s) || hasGivenName(s) {
		return false
	}
	return !l.pii.Found(s) && !l.pii.Found(arg+": "+s) && !l.pii.Found(spaced(arg)+": "+s)
}

// prefix reports whether the letters that values of the argument begin with may be written.
func (l *looks) prefix(arg, s string) bool {
	most := 8
	if hasWord(arg, personWords) {
		most = 2
	}
	return len(s) > 0 && len(s) <= most && (s == strings.ToLower(s) || s == strings.ToUpper(s)) &&
		!hasWord(arg, secretWords) && !hasGivenName(s) && !l.pii.Found(s)
}

// place reports whether a host, a domain or a directory may be written.
func (l *looks) place(s string) bool {
	return len(s) <= 128 && !l.pii.Found(s) && !random(s) && !hasGivenName(s) && !fourDigits.MatchString(s)
}

// fourDigits are a year of birth, or the end of a number.
var fourDigits = regexp.MustCompile("[0-9]{4}")

// enumLike reports whether s is written as programs write their words: letters of one case, digits, and _ - . / : between.
func enumLike(s string) bool {
	letter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	if !letter(s[0]) || s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return false
	}
	digits, part := 0, 0 // part is where the run of letters and digits begins
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case letter(c) && i > part && s[i-1] <= '9' && i-part > 1:
			return false // digits stand at the end of a word (sha256), not in it
		case !letter(c):
			part = i + 1
		}
		switch c := s[i]; {
		case !letter(c) && (c < '0' || c > '9') && (!strings.ContainsRune("_-./:", rune(c)) || i == len(s)-1 || !letter(s[i-1]) && s[i-1] < '0'):
			return false
		}
	}
	return digits <= 3
}

// random reports whether a part of s looks like an id or a token: many digits, letters and digits mixed up, cases mixed
// up, or letters that no word has in a row.
func random(s string) bool {
	mixed, digits := 0, 0
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if randomPart(part) {
			return true
		}
		n := len(strings.Map(onlyDigits, part))
		if digits += n; n > 0 && n < len(part) {
			mixed++
		}
	}
	return mixed >= 3 || digits >= 7 || digits > 0 && jumbled(s)
}

// jumbled reports whether a long text goes back and forth between cases and digits, whatever punctuation is in it.
func jumbled(s string) bool {
	var n, turns, caps, small, last int
	for i := range len(s) {
		c := class(s[i])
		if s[i] < '0' || c == 2 && (s[i]|0x20 < 'a' || s[i]|0x20 > 'z') {
			continue
		}
		if n++; n > 1 && c != last {
			turns++
		}
		switch last = c; c {
		case 1:
			caps++
		case 2:
			small++
		}
	}
	return n >= 20 && 4*turns >= n && 3*caps >= n-n/4 && 6*small >= n
}

func onlyDigits(r rune) rune {
	if '0' <= r && r <= '9' {
		return r
	}
	return -1
}

// randomPart judges a run of letters and digits.
func randomPart(s string) bool {
	var letters, digits, inside, low, turns, caps, row, worst, vowels, rare int
	for i := range len(s) {
		c := s[i]
		if i > 0 && class(c) != class(s[i-1]) {
			turns++
		}
		if class(c) == 0 {
			digits++
			row = 0
			continue
		}
		letters++
		if class(c) == 1 {
			caps++
		}
		if row++; !consonant(c) {
			row = 0
			vowels++
		}
		worst = max(worst, row)
		switch {
		case i > 0 && class(s[i-1]) == 0:
			inside++ // digits with a letter behind them
			if class(c) == 2 {
				low++
			}
		case i > 0 && rarePair(s[i-1]|0x20, c|0x20):
			rare++
		}
	}
	oneCase := caps == 0 || caps == letters
	switch {
	case digits >= 5, digits >= 3 && letters >= 2 && turns >= 3, len(s) > 28:
		return true
	case worst >= 6, letters >= 10 && (worst >= 5 || rare >= 2 || 4*vowels < letters):
		return true
	case len(s) >= 12 && inside >= 2 && low > 0:
		return true
	case oneCase && (len(s) > 16 || len(s) >= 12 && inside > 0):
		return true
	case len(s) >= 10 && !oneCase && (3*turns >= len(s) && 3*caps >= letters || shouts(s)):
		return true
	case digits <= 2:
		// CamelCase turns twice for each word; three letters to a word is as short as they get.
		return len(s) >= 10 && turns > len(s)/2
	}
	return len(s) >= 10 && turns > len(s)/3
}

// shouts reports whether seven capitals stand in a row, more than an acronym has.
func shouts(s string) bool {
	row := 0
	for i := range len(s) {
		if row++; class(s[i]) != 1 {
			row = 0
		}
		if row == 7 {
			return true
		}
	}
	return false
}

func consonant(c byte) bool { return strings.IndexByte("bcdfghjklmnpqrstvwxz", c|0x20) >= 0 }

// rarePair reports whether hardly a word has these two letters in a row.
func rarePair(a, b byte) bool {
	return strings.IndexByte("jvqz", a) >= 0 && consonant(b) && a != b || strings.IndexByte("jqx", b) >= 0 && consonant(a)
}

// class tells small letters, capitals and digits apart.
func class(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return 0
	case 'A' <= c && c <= 'Z':
		return 1
	}
	return 2
}

// words splits a name into its words in lower case.
func words(name string) []string {
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, strings.ToLower(name[start:end]))
		}
		start = -1
	}
	for i := range len(name) {
		switch c := name[i]; {
		case !('a' <= c|0x20 && c|0x20 <= 'z'):
			flush(i)
			continue
		case i > 0 && class(c) == 1 && class(name[i-1]) == 2:
			flush(i)
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(name))
	return out
}

func hasWord(name string, list map[string]bool) bool {
	return slices.ContainsFunc(words(name), func(w string) bool { return list[w] })
}

func hasGivenName(s string) bool { return hasWord(s, givenNames) }

func set(lists ...string) map[string]bool {
	m := map[string]bool{}
	for _, l := range lists {
		for _, w := range strings.Fields(l) {
			m[w] = true
		}
	}
	return m
}

// Words of argument names that say what stands in the argument. They are generous: a set that is not written costs a
// little precision, one that should not have been costs a person.
const (
	secrets = `password passwd passphrase pwd secret secrets token tokens key keys apikey credential credentials auth
authorization bearer cookie pin otp cvv cvc signature hash salt nonce private`
	persons = `user users username login name names fullname firstname lastname surname nickname recipient recipients patient
patients person people owner author assignee contact contacts customer customers client clients employee employees member
members payee payer beneficiary sender receiver participant participants attendee attendees guest passenger doctor
provider email mail emails phone mobile fax ssn dob birth birthday birthdate gender race religion address street city zip
postcode account accounts iban bic card passport license to cc bcc from who whom host`
	ids  = `id ids uuid guid ref reference number no num session ip mac serial hash commit sha`
	free = `query q text body message messages subject note notes content contents title description comment comments prompt
input summary reason details caption search keyword keywords sql script code command cmd data payload value values
instructions question answer reply`
)

var (
	secretWords = set(secrets)
	personWords = set(persons)
	dataWords   = set(secrets, persons, ids, free)

	recipientWords = set("to recipient recipients receiver receivers")
)

// givenNames are those that are met most; a list of all of them would be a list of words.
var givenNames = set(`aaron abdul adam adrian ahmed aisha alan albert alex alexander alexandra alexis ali alice alicia amanda amy
ana andrea andreas andrew angela anita ann anna anne anthony antonio arthur barbara ben benjamin beth betty bob brandon brenda
brian bruce bryan carl carla carlos carmen carol caroline catherine charles charlie chloe chris christina christine
christopher claire claudia cynthia daniel daniela david deborah dennis diana diane diego donald donna doris dorothy douglas
dylan edward elena elizabeth ella emily emma eric erik ethan eugene eva evelyn fatima fernando frances francis frank gabriel
gary george gerald giovanni giulia gloria hannah hans harry hassan heather helen henry hiroshi howard ibrahim ingrid isabel
isabella ivan jack jacob jake james jamie jane janet jason javier jean jeff jeffrey jennifer jeremy jerry jessica jim joan
joe johannes john johnny jonathan jorge jose joseph joshua joyce juan juanita judith judy julia julian julie justin karen
karl kate katherine kathleen katja keith kelly kenneth kevin khalid kim klaus kumar kyle larissa larry laura lauren lena leo
leonard liam linda lisa logan louis lucas lucia lucy luigi luis lukas luke marco margaret maria marie mario marta
martha martin mary matt matthew megan mehmet melissa mia michael michelle miguel mike mohamed mohammed monica
muhammad nancy natalia natalie nathan nicholas nicole nikita noah nora olga olivia omar oscar pablo pamela patricia patrick paul
paula pedro peter petra philip pierre priya rachel rafael raj ralph ramon raymond rebecca ricardo richard rita robert roberto roger
ronald rosa roy russell ruth ryan samantha samuel sandra sara sarah scott sean sergei sharon shirley simon sofia sophia sophie
stefan stephanie stephen steve steven susan sven svetlana tamara tanya teresa theresa thomas tim timothy tom tony tyler ursula
valentina vanessa veronica victor vincent vladimir walter wang wayne wei william wolfgang yasmin yuki yusuf zoe
smith johnson williams jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson taylor moore
jackson thompson mueller schmidt schneider fischer weber meyer wagner becker dupont rossi silva santos nguyen kowalski`)
