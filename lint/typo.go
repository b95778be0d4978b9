package lint

import (
	"slices"
	"strings"
	"unicode"
)

// knownWords are words that names of arguments are often made of. Two of them are never slips of each other, however
// close they are: payer and payee, date and data, quantity and quality.
var knownWords = strings.Fields(`
	account accounts action actor address addresses agent allow amount amounts approval archive args array asset assets attachment
	attachments author balance bank base batch bcc before bill billing birth body book booking branch brand broker bucket budget
	build buyer callback cancel card carrier case cash category cause cell channel charge child city class client close cluster
	code cold color column columns command comment comments commit company content contents context copy cost cost count country
	coupon created credit creditor currency customer cutoff data database date day days debit debtor deadline delay delete
	delivery deny department deploy depth description destination detail device diff digest direction directory discount
	distance document domain draft due duration editor email employee end endpoint entry environment event events expires
	expression extra fee field fields file filename files filter filters finish first flag flight folder force form format
	found frequency from function gate gender given grade grant group guest guests hash header headers health height hide
	history hold holder host hotel hour hours house html image images impact import index input instance interval invoice
	issue issues item items iteration job key keys keyword kind label labels lang language last latitude layer lender length
	level limit line lines link links list load loan local locale location lock login longitude lower machine mail mailbox
	manager mask match max media member memo merchant merge message messages meta metadata method metric min minutes mode
	model module money month mount move name namespace names new node note notes number object offset old operation operator
	option options order orders origin output owner package page parameters params parent partner party passenger passengers
	password patch path patient payee payer payload payment payments percent period permission person phone pin place plan
	point policy pool port position post prefix price primary priority product products profile project prompt property
	provider public quality quantity query question queue quote range rate rating read reader reason receipt receiver
	recipient recipients record records reference region regions release remote repo report repository request requester
	resource resources response result results return revision right role room route row rows rule sale schedule schema
	scope score screen search seat second secret section sell seller send sender sent sequence server service session set
	severity share shipper shop side signal site size skip snapshot sort source space sql stage start state statement
	status step stock stop storage store stream street string style subject suffix summary supplier symbol table tag tags
	target task tax team tenant term test text thread ticket tier time timeout timestamp title to token tokens tool top
	topic total trace trade transaction transfer trigger type unit units until update upload upper url user username users
	value values variable vendor version view visible volume wallet warehouse webhook weight width window workspace year zip
	zone`)

// knownName reports whether all words of a name are known.
func knownName(name string) bool {
	return !slices.ContainsFunc(words(name), func(w string) bool { return !slices.Contains(knownWords, w) })
}

// slip reports whether one of two names is likely the other with a slip of the keyboard. They may differ in how words
// are joined (userId, user_id), or in one word.
func slip(a, b string) bool {
	x, y := words(a), words(b)
	if strings.Join(x, "") == strings.Join(y, "") {
		return true
	}
	if len(x) != len(y) {
		return false
	}
	differs := -1
	for i := range x {
		if x[i] != y[i] {
			if differs >= 0 {
				return false
			}
			differs = i
		}
	}
	return slipOfWord(x[differs], y[differs])
}

// The lengths of words from which on one slip, or two, can be told from another word.
const (
	oneSlipFrom  = 4
	twoSlipsFrom = 7
)

// slipOfWord is deliberately hard to convince: real arguments of one tool may be close to each other. A word in the
// plural is no slip, nor is one with another first or last letter (host and port, payer and payee).
func slipOfWord(a, b string) bool {
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) || r > unicode.MaxASCII }
	if strings.ContainsFunc(a, notLetter) || strings.ContainsFunc(b, notLetter) {
		return false
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	short := len(a) == oneSlipFrom-1 && !slices.Contains(knownWords, a) && slices.Contains(knownWords, b) && len(b) == oneSlipFrom
	if len(a) < oneSlipFrom && !short || a[0] != b[0] || a[len(a)-1] != b[len(b)-1] && !swappedEnd(a, b) {
		return false
	}
	if slices.Contains(knownWords, a) && slices.Contains(knownWords, b) {
		return false
	}
	d := edits(a, b)
	return d == 1 || d == 2 && len(a) >= twoSlipsFrom
}

// swappedEnd reports whether the last two letters of one word are those of the other, swapped.
func swappedEnd(a, b string) bool {
	n := len(a)
	return n == len(b) && a[n-1] == b[n-2] && a[n-2] == b[n-1]
}

// edits returns how many letters are inserted, deleted, replaced, or swapped with their neighbour, to turn one word
// into the other.
func edits(a, b string) int {
	var before []int
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}
