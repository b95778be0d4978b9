package redact

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// pieces are fragments that lie close to hits, so that random joins of them meet the edges of the detectors.
var pieces = []string{
	"123-45-6789", "123456789", "ssn ", "ssn", "SSN: ", "4111111111111111", "4111 1111 1111 1111", "4111", "1", "11",
	"DE89370400440532013000", "DE89 3704 0044 0532 0130 00",
	"DE", "89", "bob@example.com", "@", ".", "a@b", ".com", "-",
	" ", "  ", "/", "(", ")", "+", "+49 30 901820", "415-555-2671", "030 1234567", "1985-03-12", "12.3.85", "born ",
	"dob", "March ", " 12", ", 1985", "MRN-", "12345678", "NHS ", "9434765919", "A123456780", "1EG4-TE5-MK73", "[SSN]",
	"[DOB]", "[SECRET]", "[PHONE]", "[", "]", "password=", "password: \"", "\"", "'", "\\", "\\n", "ghp_",
	"abcdefghijklmnopqrst", "eyJhbGciOiJIUzI1NiJ9", ".eyJ", "AKIA", "IOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----",
	"-----END PRIVATE KEY-----", "xoxb-", "sk_live_", "\u200b", "\u00ad", "\u00a0", "–", "１", "٣", "號", "é", "\xff",
	"\xef\xbc", "\n", "tel ", "=", ":", ",", " and ", "0", "00", "x", "K", "J",
}

func anyText(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom(pieces),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
		rapid.String(),
	), 0, 24).Draw(t, "parts"), "")
}

func someKinds(t *rapid.T) *Detector {
	kinds := rapid.SliceOfNDistinct(rapid.SampledFrom(Kinds()), 1, 8, rapid.ID[Kind]).Draw(t, "kinds")
	d, err := New(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// laws holds for every text.
func laws(t interface{ Fatalf(string, ...any) }, d *Detector, text string) {
	found := d.Found(text)
	once, n := d.Replace(text)
	if found != (n > 0) || n == 0 && once != text || n > 0 && once == text {
		t.Fatalf("Replace(%q) = %q, %d; Found %v", text, once, n, found)
	}
	if twice, n := d.Replace(once); n != 0 || twice != once || d.Found(once) {
		t.Fatalf("no fixed point: %q, then %q, then %q (%d)", text, once, twice, n)
	}
	if utf8.ValidString(text) && !utf8.ValidString(once) {
		t.Fatalf("Replace(%q) = %q is no UTF-8", text, once)
	}
}

func TestLaws(t *testing.T) {
	all := mustNew(t, Kinds()...)
	rapid.Check(t, func(t *rapid.T) {
		text := anyText(t)
		laws(t, all, text)
		laws(t, someKinds(t), text)
	})
}

// Texts that would take minutes were the work per byte to grow with the text.
func TestLawsOfLongTexts(t *testing.T) {
	all := mustNew(t, Kinds()...)
	more := []string{"a@", "eyJ", "eyJa.", "ghp_", "1(", "[SSN] 123456789", "\"a\"@b.cc", "=\"", "@[1.1", "1 2 3 "}
	for _, p := range append(more, pieces...) {
		laws(t, all, strings.Repeat(p, 1+50_000/len(p)))
	}
}

func TestLawsOfCustomPatterns(t *testing.T) {
	patterns := []string{"ab", "a+b", `\d{3}`, "b$", "^a", `(?i)x-\w`, "a.b", `\bz`}
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SampledFrom(patterns).Draw(t, "pattern")
		d, err := Match(pattern, rapid.StringMatching("[ab1z#]{0,4}").Draw(t, "replace"))
		if err != nil {
			t.Skip(err)
		}
		laws(t, d, rapid.StringMatching("([ab1zX -]|\n){0,40}").Draw(t, "text"))
	})
}

func TestCleanTextStays(t *testing.T) {
	all := mustNew(t, Kinds()...)
	words := []string{"order", "the", "room", "12", "2026-10-11", "on", "EUR", "3.50", "a-b", "x=1", "10:30", "café",
		"价格", "No.", "7,", "https://x.test/a?b=1", "v1.26.3", "(see", "4)", "10.0.0.1", "#123", "60%", "\n"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom(words)).Draw(t, "words"), ", ")
		if got, n := all.Replace(text); n != 0 || got != text {
			t.Fatalf("Replace(%q) = %q", text, got)
		}
	})
}

// luhnDigit returns the digit that completes the digits in s.
func luhnDigit(s string) int {
	sum := 0
	for i := range len(s) {
		v := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			v = double(v)
		}
		sum += v
	}
	return (10 - sum%10) % 10
}

func digits(n int) *rapid.Generator[string] { return rapid.StringMatching(fmt.Sprintf("[0-9]{%d}", n)) }

func drawCard(t *rapid.T) string {
	s := rapid.SampledFrom([]string{"4", "51", "55", "2221", "6011", "35"}).Draw(t, "issuer")
	s += digits(15-len(s)).Draw(t, "account")
	s += fmt.Sprint(luhnDigit(s))
	return strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:]}, drawSep(t))
}

func drawSep(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", " ", "-", "\u00a0", "–", "\u200b", "-\u200b"}).Draw(t, "sep")
}

func drawIBAN(t *rapid.T) string {
	bban := digits(18).Draw(t, "account")
	rem := 0
	for _, c := range bban + "131400" { // DE00
		rem = (rem*10 + int(c-'0')) % 97
	}
	s := fmt.Sprintf("DE%02d%s", 98-rem, bban)
	return strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:16], s[16:20], s[20:]}, drawSep(t))
}

func drawSSN(t *rapid.T) string {
	sep := rapid.SampledFrom([]string{"-", ".", "–", "\u200b-", "_"}).Draw(t, "sep")
	area, group := rapid.IntRange(1, 665).Draw(t, "area"), rapid.IntRange(1, 99).Draw(t, "group")
	return fmt.Sprintf("%03d%s%02d%s%04d", area, sep, group, sep, rapid.IntRange(1, 9999).Draw(t, "serial"))
}

func drawDate(t *rapid.T) string {
	y := rapid.IntRange(1900, 2020).Draw(t, "y")
	m, d := rapid.IntRange(1, 12).Draw(t, "m"), rapid.IntRange(1, 28).Draw(t, "d")
	return rapid.SampledFrom([]string{
		fmt.Sprintf("%d-%02d-%02d", y, m, d), fmt.Sprintf("%d/%d/%d", d, m, y), fmt.Sprintf("%02d.%02d.%d", d, m, y),
		fmt.Sprintf("%d March %d", d, y), fmt.Sprintf("Oct %d, %d", d, y),
	}).Draw(t, "date")
}

// widen writes some digits in another script.
func widen(t *rapid.T, s string) string {
	zero := rapid.SampledFrom([]rune{'0', '０', '٠', '०', '𝟎'}).Draw(t, "script")
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return zero + r - '0'
		}
		return r
	}, s)
}

func TestValidValuesAreRemoved(t *testing.T) {
	all := mustNew(t, Kinds()...)
	values := map[Kind]func(*rapid.T) string{
		CreditCard: drawCard,
		IBAN:       drawIBAN,
		SSN:        drawSSN,
		DOB:        drawDate,
		Email: func(t *rapid.T) string {
			const address = `[a-z][a-z0-9._+-]{0,9}[a-z0-9]@([a-zäß][a-z0-9]{0,5}\.){1,3}[a-z]{2,6}`
			return rapid.StringMatching(address).Draw(t, "address")
		},
		Phone: func(t *rapid.T) string {
			const phone = `\+[1-9][0-9]{1,2} [0-9]{2,4}[ -][0-9]{5,7}|\([2-9][0-9]{2}\) [2-9][0-9]{2}-[0-9]{4}`
			return rapid.StringMatching(phone).Draw(t, "phone")
		},
		HealthID: func(t *rapid.T) string { return "MRN-" + digits(8).Draw(t, "mrn") },
		Secret:   func(t *rapid.T) string { return rapid.StringMatching(`ghp_[A-Za-z0-9]{36}`).Draw(t, "token") },
	}
	frames := [][2]string{{"", ""}, {"see ", " please"}, {"(", ")"}, {`{"v":"`, `"}`}, {"a,", ",b"}, {"\n", "\n"},
		{"是 ", "。"}}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(Kinds()).Draw(t, "kind")
		v := values[kind](t)
		if kind != Email && kind != Secret {
			v = widen(t, v)
		}
		f := rapid.SampledFrom(frames).Draw(t, "frame")
		text := f[0] + v + f[1]
		if kind == DOB {
			text = "born: " + text
		}
		got, n := all.Replace(text)
		framed := strings.HasSuffix(got, f[1]) && (kind == DOB || strings.HasPrefix(got, f[0]))
		if n == 0 || strings.Contains(got, v) || !framed {
			t.Fatalf("%s: Replace(%q) = %q, %d", kind, text, got, n)
		}
		d, err := New(kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, n := d.Replace(text); n != 1 {
			t.Fatalf("%s alone: %d hits in %q", kind, n, text)
		}
	})
}

func FuzzReplace(f *testing.F) {
	all, err := New(Kinds()...)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "SSN 123-45-6789", "bob@example.com 4111 1111 1111 1111",
		"DE89 3704 0044 0532 0130 00\xff",
		"password=\"x y\" born 12 March 1985", "ghp_abcdefghijklmnopqrst +49\u200b30901820"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { laws(t, all, text) })
}
