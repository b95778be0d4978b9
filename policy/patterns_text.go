package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// MaxProgram is the greatest size of a policy's own pattern, in instructions of its compiled program.
const MaxProgram = 10_000

// WholePattern returns the pattern that matches a whole value where re would match a part of it. Flags inside re end
// with it; a dot does not match a newline unless re says (?s). The error is that re is no RE2 or is too large.
func WholePattern(re string) (string, error) {
	if err := checkRE2(re); err != nil {
		return "", err
	}
	whole := `\A(?:` + re + `)\z`
	// A \Q that is not closed would swallow what is put behind it.
	if _, err := syntax.Parse(whole, syntax.Perl); err != nil {
		return "", fmt.Errorf(`the pattern does not end by itself: close \Q with \E`)
	}
	return whole, nil
}

// checkRE2 refuses what is no RE2, or would be too large a program: ((x{100}){100}){100} is short and takes a million
// instructions. It counts them before anything is compiled.
func checkRE2(re string) error {
	const maxText = 4096
	if len(re) > maxText {
		return fmt.Errorf("the pattern has %d bytes, and %d is the most", len(re), maxText)
	}
	tree, err := syntax.Parse(re, syntax.Perl)
	var e *syntax.Error
	switch {
	case errors.As(err, &e) && (e.Code == syntax.ErrInvalidRepeatSize || e.Code == syntax.ErrLarge):
		return fmt.Errorf("the pattern is too large: its repeats multiply to more than 1000; use smaller counts, or *")
	case err != nil:
		return fmt.Errorf("the pattern is no RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if n := programSize(tree); n > MaxProgram {
		return fmt.Errorf("the pattern is too large as a program; use smaller counts, or * and max_length")
	}
	return nil
}

// programSize estimates the number of instructions, from above; it stops counting soon after MaxProgram.
func programSize(re *syntax.Regexp) int {
	n := 2
	for _, s := range re.Sub {
		if n += programSize(s); n > MaxProgram {
			return n
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		n += len(re.Rune)
	case syntax.OpRepeat:
		n *= max(re.Max, re.Min+1, 1)
	}
	return n
}

// Parts of paths in a file system (rule S8): printable ASCII, space included, without % and backslash; no segment is .
// or .. or empty.
const (
	fileChar    = `[ -$&-.0-\[\]-~]`
	fileNoDot   = `[ -$&-\-0-\[\]-~]`
	fileSegment = `(?:\.?` + fileNoDot + fileChar + `*|\.\.` + fileChar + `+)`
)

var canonicalDirRE = lazyRE(`\A/(?:` + fileSegment + `/)*\z`)

// UnderPattern returns the pattern of an absolute and canonical path below one of prefixes (rule S8), which are
// directories with their slash at the end. The directory itself does not match. The error says which prefix is wrong.
func UnderPattern(prefixes []string) (string, error) {
	if len(prefixes) == 0 {
		return "", fmt.Errorf("under is empty, so that no path could pass")
	}
	var alts []string
	for _, p := range slices.Compact(slices.Sorted(slices.Values(prefixes))) {
		switch {
		case !strings.HasPrefix(p, "/"):
			return "", fmt.Errorf("directory %q must be absolute, beginning with /", p)
		case !strings.HasSuffix(p, "/"):
			return "", fmt.Errorf("directory %q must end in a slash: write %s/", p, p)
		case !canonicalDirRE().MatchString(p):
			return "", fmt.Errorf("directory %q is not canonical; write it without . and .. segments, //, %%, \\ and "+
				"characters outside printable ASCII", p)
		}
		alts = append(alts, regexp.QuoteMeta(p))
	}
	return bounded(`\A(?:` + strings.Join(alts, "|") + `)` + fileSegment + `(?:/` + fileSegment + `)*/?\z`)
}

// Parts of commands. Unquoted words have only characters that no shell treats as special; quoted text has no control
// characters, and in double quotes nothing that a shell would expand. Glob characters (* ? [ ]) must be quoted: they
// put file names that no rule has seen, such as -exec, in the place of a word.
const (
	blank    = `[ \t]`
	wordChar = `[a-zA-Z0-9_./:,+@%=^-]`
	single   = `'[^'\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]*'`
	double   = "\"[^\"$`\\\\\\x00-\\x1f\\x7f-\\x{9f}\\x{2028}\\x{2029}]*\""
	word     = `(?:` + wordChar + `+|` + single + `|` + double + `)+`
	token    = `(?:` + word + `|2>&1|>` + blank + `*/dev/null)`
	joint    = blank + `*(?:&&|\|\|?|;)` + blank + `*`
)

var prefixWordRE = lazyRE(`\A` + wordChar + `+\z`)

// CommandsPattern returns the pattern of a command line in which every simple command begins with one of prefixes, word
// by word (LANGUAGE, Strings): words and quoted strings, joined by && || ; and |, with 2>&1 and >/dev/null between
// blanks. Everything else a shell knows does not match: expansions, other redirects, &, newlines, parentheses,
// comments, backslashes, globs. The error says which prefix is wrong. It is no sandbox: what a listed command can be
// told to do (find -exec) it can do.
func CommandsPattern(prefixes []string) (string, error) {
	if len(prefixes) == 0 {
		return "", fmt.Errorf("commands is empty, so that no command could pass")
	}
	var alts []string
	for _, p := range slices.Compact(slices.Sorted(slices.Values(prefixes))) {
		words := strings.Fields(p)
		switch {
		case len(words) == 0:
			return "", fmt.Errorf("command %q has no word", p)
		case strings.Contains(words[0], "="):
			return "", fmt.Errorf("command %q begins with an assignment; write the command's name first", p)
		}
		for i, w := range words {
			if !prefixWordRE().MatchString(w) {
				return "", fmt.Errorf("command %q: %q is no plain word; write letters, digits and _./:,+@%%=^-", p, w)
			}
			words[i] = regexp.QuoteMeta(w)
		}
		alts = append(alts, strings.Join(words, blank+`+`))
	}
	command := `(?:` + strings.Join(alts, "|") + `)(?:` + blank + `+` + token + `)*`
	return bounded(`\A` + blank + `*` + command + `(?:` + joint + command + `)*` + blank + `*\z`)
}

// Parts of links in free text.
const (
	anyLabel = `[\pL\pN_](?:[\pL\pN_-]*[\pL\pN_])?`
	// A host as written: to the end of the authority, but without punctuation that belongs to the sentence.
	anyHost = `\[[0-9a-zA-Z:.%]*\]|[^\s/\\?#:@<>"'(),;\[\]{}|]*[\pL\pN_]`
	// The rest of a URL's path, so that what looks like a name in it is not taken for another link.
	linkPath = `(?:[/\\][\pL\pN._~%!$&+=:@/\\-]*)?`
)

// LinksPattern returns the pattern that finds URLs in text, one after the other. Exactly one of its three groups takes
// part in a match, so that the groups joined are the host as written:
//
//  1. after a scheme and two or more slashes or backslashes, whatever the scheme; userinfo is skipped, so that
//     https://good.com@evil.com is evil.com, and a backslash ends the authority as it does in browsers;
//  2. of a name that begins with www.;
//  3. of a name of two labels or more, the last of them letters, that a slash follows (bit.ly/x).
//
// A name with neither scheme nor www. nor slash is not a link: file.txt, v1.2 and the domain of bob@example.com are not
// to be told from one. Hosts are found in all their notations, and none of them is normalised.
func LinksPattern() string {
	scheme := `[a-zA-Z][a-zA-Z0-9+.-]*:[/\\]{2,}(?:[^\s/\\?#]*@)?(` + anyHost + `)(?::[0-9]*)?` + linkPath
	www := `\b([wW]{3}(?:\.` + anyLabel + `)+)(?::[0-9]*)?` + linkPath
	bare := `(?:^|[^\pL\pN_@./\\-])(` + anyLabel + `(?:\.` + anyLabel + `)*\.\pL{2,})` +
		`(?::[0-9]+)?/[\pL\pN._~%!$&+=:@/-]*`
	return scheme + `|` + www + `|` + bare
}
