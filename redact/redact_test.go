package redact

import (
	"strings"
	"testing"
)

func mustNew(t testing.TB, kinds ...Kind) *Detector {
	t.Helper()
	d, err := New(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// check replaces text and compares; what comes out must hold nothing more.
func check(t *testing.T, d *Detector, text, want string) {
	t.Helper()
	got, n := d.Replace(text)
	if got != want {
		t.Errorf("Replace(%q)\n got %q\nwant %q", text, got, want)
	}
	if d.Found(text) != (n > 0) || n > 0 && got == text {
		t.Errorf("Replace(%q) counts %d hits, Found says %v", text, n, d.Found(text))
	}
	if d.Found(got) {
		t.Errorf("a hit is left in %q", got)
	}
}

func TestNew(t *testing.T) {
	if len(Kinds()) != 8 {
		t.Errorf("kinds: %v", Kinds())
	}
	for _, bad := range [][]Kind{nil, {"name"}, {SSN, "SSN"}} {
		const legal = "credit_card, dob, email, health_id, iban, phone, secret, ssn"
		if _, err := New(bad...); err == nil || !strings.Contains(err.Error(), legal) {
			t.Errorf("New(%q): %v", bad, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, bad := range [][2]string{
		{"", "x"}, {"a*", "x"}, {`\b`, "x"}, {"(?m)^", "x"}, {"a|", "x"}, {"(a?){2}", "x"}, {"(", "x"}, {"a", "bab"},
		{"(?i)secret", "[SECRET]"}, {`\d+`, "#1"},
	} {
		if _, err := Match(bad[0], bad[1]); err == nil {
			t.Errorf("Match(%q, %q) is accepted", bad[0], bad[1])
		}
	}
	for _, c := range [][4]string{
		{`ACME-\d{4}`, "[PROJECT]", "see ACME-1234, ACME-99", "see [PROJECT], ACME-99"},
		{`ab`, "", "aabb", ""},
		{`(\d)\d`, "$1", "12 and 3", "$1 and 3"},
		{`(?i)foo`, "bar", "Foo fOO", "bar bar"},
		{`x$`, "", strings.Repeat("x", 50), ""},
	} {
		d, err := Match(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		check(t, d, c[2], c[3])
	}
}

func TestCounts(t *testing.T) {
	d := mustNew(t, Kinds()...)
	got, n := d.Replace("mail a@b.org, c@d.org; SSN 123-45-6789; card 4111 1111 1111 1111.")
	if want := "mail [EMAIL], [EMAIL]; SSN [SSN]; card [CREDIT_CARD]."; got != want || n != 4 {
		t.Errorf("got %q, %d", got, n)
	}
}

// Each of these numbers is one only once that behind it is gone. A text that needs so many looks goes as a whole.
func TestTextThatKeepsUncoveringHits(t *testing.T) {
	d := mustNew(t, Kinds()...)
	check(t, d, strings.Repeat("A123456780", 3), strings.Repeat("[HEALTH_ID]", 3))
	check(t, d, "x "+strings.Repeat("A123456780", 30), "[HEALTH_ID]")
}

func TestOnlyTheKindsAskedFor(t *testing.T) {
	const text = "a@b.org, SSN 123-45-6789, 4111111111111111, DE89370400440532013000, +4930123456, born 1985-03-12, " +
		"MRN-12345678, password=hunter2"
	want := map[Kind]string{
		Email: "a@b.org", SSN: "123-45-6789", CreditCard: "4111111111111111", IBAN: "DE89370400440532013000",
		Phone: "+4930123456", DOB: "1985-03-12", HealthID: "12345678", Secret: "hunter2",
	}
	for k, v := range want {
		check(t, mustNew(t, k), text, strings.Replace(text, v, "["+strings.ToUpper(string(k))+"]", 1))
	}
}

func TestFoundAllocatesNothing(t *testing.T) {
	d := mustNew(t, Kinds()...)
	if n := testing.AllocsPerRun(20, func() { d.Found(cleanText) }); n != 0 || d.Found(cleanText) {
		t.Errorf("%v allocations, found %v", n, d.Found(cleanText))
	}
}

// cleanText is prose with numbers in it, as a call might carry.
var cleanText = strings.Repeat("The committee met on 2026-10-11 in room 123-45 and approved order 1234567890123456 "+
	"for EUR 1,299.00. Version 1.26.3 of the service answers on 10.0.12.7:8080 within 35 ms; see section 4.2, page 17. "+
	"Each reviewer writes a short note: what was changed, why it was needed, and how it had been tested. The id is "+
	"3f2504e0-4f89-11d3-9a0c-0305e82c3301, the café opens at 08:30. Grüße an alle, x = y_1 - 3 and so on.\n", 50)
