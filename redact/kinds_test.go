package redact

import "testing"

// Each table holds texts with their replacement, and texts that stay as they are even with all kinds looked for.

func run(t *testing.T, k Kind, hits [][2]string, clean []string) {
	t.Helper()
	d, all := mustNew(t, k), mustNew(t, Kinds()...)
	for _, c := range hits {
		check(t, d, c[0], c[1])
		if !all.Found(c[0]) {
			t.Errorf("all kinds together miss %q", c[0])
		}
	}
	for _, c := range clean {
		check(t, d, c, c)
		check(t, all, c, c)
	}
}

func TestSSN(t *testing.T) {
	run(t, SSN, [][2]string{
		{"My SSN is 123-45-6789 ok", "My SSN is [SSN] ok"},
		{"123-45-6789", "[SSN]"},
		{"123 45 6789", "[SSN]"},
		{"(123.45.6789)", "([SSN])"},
		{"123\u200b-45\u200b-6789", "[SSN]"},
		{"1\u200b2\u200b3-45-6789", "[SSN]"},
		{"123\u00ad45\u00ad6789", "[SSN]"},
		{"123–45–6789", "[SSN]"},
		{"123\u00a045\u00a06789", "[SSN]"},
		{"123 - 45 - 6789", "[SSN]"},
		{"１２３-４５-６７８９", "[SSN]"},
		{"١٢٣-٤٥-٦٧٨٩", "[SSN]"},
		{"𝟏𝟐𝟑-𝟒𝟓-𝟔𝟕𝟖𝟗", "[SSN]"},
		{"ssn: 123456789", "ssn: [SSN]"},
		{`{"social_security_number":"123456789"}`, `{"social_security_number":"[SSN]"}`},
		{`{"userSSN":123456789}`, `{"userSSN":[SSN]}`},
		{"SSN123456789", "SSN[SSN]"},
		{"Social-Security: 123 456 789", "Social-Security: [SSN]"},
		{"123456789 (SSN)", "[SSN] (SSN)"},
		{"SSNs: 123456789, 234567890 and 345678901", "SSNs: [SSN], [SSN] and [SSN]"},
		{`a\n123-45-6789\nb`, `a\n[SSN]\nb`},
		{"123-45-6789,234-56-7890", "[SSN],[SSN]"},
		{"号码123-45-6789谢谢", "号码[SSN]谢谢"},
		{"123-45-6789\n", "[SSN]\n"},
		{"on 2026-10-11 123-45-6789 was sent", "on 2026-10-11 [SSN] was sent"},
	}, []string{
		"000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000",
		"123456789", "part 123-45-6789-0", "1-123-45-6789", "room 123-45", "ab123-45-6789", "123-45-67890",
		"ssn 2026", "20 123 45 6789 17 is a row of a table", "123\u200b456\u200b789",
	})
}

func TestCard(t *testing.T) {
	run(t, CreditCard, [][2]string{
		{"card 4111 1111 1111 1111 exp 12/30", "card [CREDIT_CARD] exp 12/30"},
		{"4012-8888-8888-1881", "[CREDIT_CARD]"},
		{"4111111111111111", "[CREDIT_CARD]"},
		{"4111.1111.1111.1111", "[CREDIT_CARD]"},
		{"4111\u00a01111\u20111111\u200b1111", "[CREDIT_CARD]"},
		{"3782 822463 10005", "[CREDIT_CARD]"},
		{"378282246310005", "[CREDIT_CARD]"},
		{"30569309025904", "[CREDIT_CARD]"},
		{"6011111111111117", "[CREDIT_CARD]"},
		{"5555555555554444", "[CREDIT_CARD]"},
		{"2223003122003222", "[CREDIT_CARD]"},
		{"3530111333300000", "[CREDIT_CARD]"},
		{"6212345678900000003", "[CREDIT_CARD]"},
		{"4222222222222", "[CREDIT_CARD]"},
		{"4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[CREDIT_CARD]"},
		{"４１１１１１１１１１１１１１１１", "[CREDIT_CARD]"},
		{"4111 1111 1111 1111 123", "[CREDIT_CARD] 123"},
		{"card4111111111111111", "card[CREDIT_CARD]"},
		{"41111111111111114111111111111111", "[CREDIT_CARD][CREDIT_CARD]"},
		{`{\"c\":\"4111111111111111\"}`, `{\"c\":\"[CREDIT_CARD]\"}`},
	}, []string{
		"order 1234567890123456 shipped", "4111111111111112", "4111 1111 1111 1112", "1111111111111117",
		"0.4111111111111111", "at 1700000000000 ms", "9f4111111111111111ab", "41 11 1111 111 11111 11",
		"snowflake 1234567890123456789", "2026-10-11 12 30 45", "4111/1111/1111/1111",
	})
}

func TestIBAN(t *testing.T) {
	run(t, IBAN, [][2]string{
		{"DE89 3704 0044 0532 0130 00", "[IBAN]"},
		{"DE89370400440532013000", "[IBAN]"},
		{"gb29nwbk60161331926819", "[IBAN]"},
		{"GB29 NWBK 6016 1331 9268 19 is mine", "[IBAN] is mine"},
		{"IBAN:FR1420041010050500013M02606.", "IBAN:[IBAN]."},
		{"NO93 8601 1117 947, BE68-5390-0754-7034", "[IBAN], [IBAN]"},
		{"CH93 0076 2011 6238 5295 7", "[IBAN]"},
		{"MT84MALT011000012345MTLCAST001S", "[IBAN]"},
		{"DE８９ 3704 0044\u200b 0532 0130 00", "[IBAN]"},
		{"D\u00adE89370400440532013000", "[IBAN]"},
		{"DE 89 3704 0044 0532 0130 00", "[IBAN]"},
	}, []string{
		"DE89 3704 0044 0532 0130 01", "XX89370400440532013000", "DE893704004405320130001", "DE8937040044053201300",
		"GB29 NWBK 6016 1331 9268", "DE 89", "xyDE89", "US12 3456",
	})
}

func TestDOB(t *testing.T) {
	run(t, DOB, [][2]string{
		{"DOB: 1985-03-12", "DOB: [DOB]"},
		{"dob 03/12/85", "dob [DOB]"},
		{"date of birth 12.3.1985", "date of birth [DOB]"},
		{"born on March 12, 1985 in Rome", "born on [DOB] in Rome"},
		{"born 12th of March 1985", "born [DOB]"},
		{"Born: 12-Mar-85", "Born: [DOB]"},
		{"Geburtsdatum: 12. März 1985", "Geburtsdatum: [DOB]"},
		{"geb. 12. 3. 1985", "geb. [DOB]"},
		{`{"dateOfBirth":"1985-03-12T00:00:00Z"}`, `{"dateOfBirth":"[DOB]T00:00:00Z"}`},
		{`{"birth_date": "19850312"}`, `{"birth_date": "[DOB]"}`},
		{"1985-03-12 is my date of birth", "[DOB] is my date of birth"},
		{"1985–03–12 (DOB)", "[DOB] (DOB)"},
		{"birthdays: 1985-03-12, 1990-04-05", "birthdays: [DOB], [DOB]"},
		{"dob １９８５-０３-１２", "dob [DOB]"},
		{"born 1985 March 12", "born [DOB]"},
	}, []string{
		"meet 2026-10-11", "on March 12, 2026 we ship", "dob: unknown", "stubborn 2026-10-11", "born in 1985",
		"dob 1985-13-42", "Meeting 2026-10-11. DOB: none", "dob 99/99/1985",
		"joined 2020-01-01, dob: n/a", "born 12345", "born with 12 marching bands in 1985",
	})
}

func TestEmail(t *testing.T) {
	run(t, Email, [][2]string{
		{"bob@example.com", "[EMAIL]"},
		{"Bob <bob.smith+tag@mail.example.co.uk>.", "Bob <[EMAIL]>."},
		{"to=o'brien@example.com&x=1", "to=[EMAIL]&x=1"},
		{"'a@b.io'", "'[EMAIL]'"},
		{"jürgen@müller.example, b@xn--mller-kva.xn--p1ai", "[EMAIL], [EMAIL]"},
		{"用户@例子.公司", "[EMAIL]"},
		{"邮箱bob@example.com谢谢", "邮箱[EMAIL]谢谢"},
		{"bob＠example。com", "[EMAIL]"},
		{"bob@exam\u200bple.com", "[EMAIL]"},
		{"x@[192.0.2.1] y@[IPv6:2001:db8::1]", "[EMAIL] [EMAIL]"},
		{`"john doe"@example.com`, "[EMAIL]"},
		{`a\nbob@example.com\n`, `a\n[EMAIL]\n`},
		{"mailto:bob@example.com?subject=hi", "mailto:[EMAIL]?subject=hi"},
		{"a@b.com@c.com", "[EMAIL]"},
		{"123-45-6789@example.com", "[EMAIL]"},
		{"**bob@example.com**", "**[EMAIL]**"},
	}, []string{
		"@bob", "a@b", "react@18.2.0", "me @ home.com", "npm i @scope/pkg", "user@", "@example.com", "3 @ 4.50",
		`["a","@example.com"]`, "a@.com", "a@b.c",
	})
	check(t, mustNew(t, Kinds()...), "jane-123-45-6789@example.com", "[EMAIL]")
}

func TestPhone(t *testing.T) {
	run(t, Phone, [][2]string{
		{"call +14155552671 now", "call [PHONE] now"},
		{"+49 30 901820, +44 (0)20 7946 0958", "[PHONE], [PHONE]"},
		{"(415) 555-2671", "[PHONE]"},
		{"call (415) 555-2671.", "call [PHONE]."},
		{"415-555-2671 or 415.555.2672", "[PHONE] or [PHONE]"},
		{"1-800-555-1234", "[PHONE]"},
		{"+1 (415) 555‑2671", "[PHONE]"},
		{"030 1234567", "[PHONE]"},
		{"089/12345678", "[PHONE]"},
		{"0171-1234567", "[PHONE]"},
		{"01 23 45 67 89 and 01.23.45.67.89", "[PHONE] and [PHONE]"},
		{"0049 30 1234567", "[PHONE]"},
		{"tel: 4155552671", "tel: [PHONE]"},
		{`{"phone":"555-1234"}`, `{"phone":"[PHONE]"}`},
		{`{"phoneNumber":4155552671}`, `{"phoneNumber":[PHONE]}`},
		{"＋４９ ３０ ９０１８２０", "[PHONE]"},
		{"+49\u200b30\u00a0901820", "[PHONE]"},
		{"2026-10-11 415-555-2671", "2026-10-11 [PHONE]"},
		{"+4930901820 2026-10-11", "[PHONE] 2026-10-11"},
	}, []string{
		"2026-10-11", "2026-10-11 10:30", "01-02-2024 10:30", "01.02.2024 10", "1234567890", "order 0123-456789",
		"order 1234 5678 9012 3456", "$415 555 2671", "EUR 1.234.567,89", "USD 12 345 678", "192.168.100.200",
		"1+123456789", "a 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "hotel 1234567890", "0.123.4567.890",
		"2024/10/11 - 2024/11/12", "v0.12.345", "+1 more", "DE89 3704 0044 0532 0130 01", "4111 1111 1111 1112",
		"20261011123045", "+20", "C++ 20 2017",
	})
	check(t, mustNew(t, Phone), "DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111, GB29 NWBK 6016 1331 9268 19",
		"DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111, GB29 NWBK 6016 1331 9268 19")
}

func TestHealthID(t *testing.T) {
	run(t, HealthID, [][2]string{
		{"MRN-12345678", "MRN-[HEALTH_ID]"},
		{"mrn: 1234567", "mrn: [HEALTH_ID]"},
		{"Medical record no. 0012345", "Medical record no. [HEALTH_ID]"},
		{`{"patient_id":"12345678"}`, `{"patient_id":"[HEALTH_ID]"}`},
		{"NHS number 943 476 5919", "NHS number [HEALTH_ID]"},
		{"9434765919 (NHS)", "[HEALTH_ID] (NHS)"},
		{"KVNR A123456780", "KVNR [HEALTH_ID]"},
		{"A123456780", "[HEALTH_ID]"},
		{"kvnr a123456780", "kvnr [HEALTH_ID]"},
		{"1EG4-TE5-MK73", "[HEALTH_ID]"},
		{"Medicare 1EG4TE5MK73,", "Medicare [HEALTH_ID],"},
		{"1eg4-te5-mk73", "[HEALTH_ID]"},
		{"MRN １２３４５６７８", "MRN [HEALTH_ID]"},
	}, []string{
		"NHS number 9434765918", "A123456781", "a123456780", "1SG4-TE5-MK73", "0EG4-TE5-MK73", "1EG4-TE5-MK7",
		"mrn 12", "1EG4-TE5-MK733", "ward 12345678",
	})
}

func TestSecret(t *testing.T) {
	const body = "abcdefghijklmnopqrstuvwxyz0123456789"
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	run(t, Secret, [][2]string{
		{"key AKIAIOSFODNN7EXAMPLE.", "key [SECRET]."},
		{"ghp_" + body, "[SECRET]"},
		{"github_pat_11ABCDEFG0" + body, "[SECRET]"},
		{"xoxb-1234567890-abcdefghij", "[SECRET]"},
		{"Stripe sk_live_" + body + " rk_live_" + body, "Stripe [SECRET] [SECRET]"},
		{"Bearer " + jwt + ",", "Bearer [SECRET],"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye", "[SECRET]\nbye"},
		{"-----BEGIN PRIVATE KEY-----\nMIIE", "[SECRET]"},
		{`k: -----BEGIN EC PRIVATE KEY-----\nMIIE\n-----END EC PRIVATE KEY-----\n`, `k: [SECRET]\n`},
		{"password=hunter2 next", "password=[SECRET] next"},
		{`{"password": "correct horse", "x": 1}`, `{"password": "[SECRET]", "x": 1}`},
		{`{\"password\":\"hunter2\",\"x\":1}`, `{\"password\":\"[SECRET]\",\"x\":1}`},
		{"DB_PASSWORD='pa ss'", "DB_PASSWORD='[SECRET]'"},
		{"?api_key=abc123&x=1", "?api_key=[SECRET]&x=1"},
		{"Password: hunter2", "Password: [SECRET]"},
		{"clientSecret := \"abcdef\"", "clientSecret := \"[SECRET]\""},
		{"Authorization: Bearer opaque-123", "Authorization: Bearer [SECRET]"},
		{"password=bob@example.com", "password=[SECRET]"},
		{"password=[SECRET]rest", "password=[SECRET]"},
	}, []string{
		"AKIAIOSFODNN7", "xAKIAIOSFODNN7EXAMPLE", "ghp_short", "sk_live_", "eyJ is how it begins", "xoxo-",
		"-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----", "password: required", "tokens=100",
		"max_tokens: 4096", "token: 5", "password=", "password=[SECRET]", "password=${DB_PASSWORD}", "password=*****",
		"the secret: nobody knows", "-----BEGIN CERTIFICATE-----",
	})
}
