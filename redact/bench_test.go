package redact

import (
	"strings"
	"testing"
	"time"
)

// scanBytes is the plain scan that Found on clean text is compared with: one table look-up per byte.
func scanBytes(text string, table *[256]trigger) int {
	n := 0
	for i := range len(text) {
		if table[text[i]] != tNone {
			n++
		}
	}
	return n
}

var sink int

func BenchmarkFound(b *testing.B) {
	all := mustNew(b, Kinds()...)
	for _, c := range []struct{ name, text string }{
		{"prose", strings.Repeat("The committee met in the old hall and heard what each member had to say. ", 700)},
		{"mail", strings.Repeat("Hello Anna, thank you for your message of Tuesday. We have looked into the delay: "+
			"the parcel left our warehouse on 2026-10-11 and was held at the border, because one of the 3 forms lacked "+
			"a signature. It will reach you within the next days, and we refund EUR 12.50 of the postage. Should anything else "+
			"be wrong, please answer this message; order 1234567890123456 stays open until then. Kind "+
			"regards, the team.\n", 150)},
		{"numbers", strings.Repeat(cleanText, 3)},
		{"cjk", strings.Repeat("委员会在旧礼堂开会，听取了每位成员的意见。", 900)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if all.Found(c.text) {
					b.Fatal("a hit in clean text")
				}
			}
			perOp := float64(b.Elapsed()) / float64(b.N)
			start := time.Now()
			const rounds = 200
			for range rounds {
				sink += scanBytes(c.text, &all.trigger)
			}
			b.ReportMetric(perOp/(float64(time.Since(start))/rounds), "x-plain-scan")
		})
	}
}

func BenchmarkReplace(b *testing.B) {
	all := mustNew(b, Kinds()...)
	for _, c := range []struct{ name, text string }{
		{"dense-cards", strings.Repeat("4111111111111111", 2000)},
		{"mixed", strings.Repeat("mail bob@example.com, ssn 123-45-6789, born 1985-03-12, +49 30 901820. ", 450)},
		{"nine-digits", strings.Repeat("123456789 ", 3200)},
		{"spaced-digits", strings.Repeat("1 2 3 ", 5000)},
		{"colons", strings.Repeat(`password:"`, 3200)},
		{"ats", strings.Repeat("a@", 16000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				_, n := all.Replace(c.text)
				sink += n
			}
		})
	}
}
