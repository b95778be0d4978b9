package limit

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func micros(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		zone       string
		w          Window
		at         string
		start, end string
	}{
		{"UTC", Hour, "2026-07-01T12:34:56Z", "2026-07-01T12:00:00Z", "2026-07-01T13:00:00Z"},
		{"UTC", Day, "1969-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"UTC", Week, "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"},
		{"UTC", Week, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
		{"UTC", Month, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"UTC", Month, "2026-12-31T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		// Days of 23 and 25 hours.
		{"Europe/Berlin", Day, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"Europe/Berlin", Day, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"America/New_York", Day, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"America/New_York", Day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"America/New_York", Week, "2026-03-08T12:00:00Z", "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"Europe/Berlin", Month, "2026-10-25T12:00:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
		// Midnight is skipped: the day begins at one o'clock.
		{"America/Sao_Paulo", Day, "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		// Midnight puts the clock back to eleven: the old day goes on.
		{"America/Sao_Paulo", Day, "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		// One minute past midnight puts the clock back to the day before, which does not return.
		{"America/St_Johns", Day, "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		// Midnight comes twice; the first counts.
		{"America/Havana", Day, "2025-11-02T05:30:00Z", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"},
		// The day before does not exist: the date line was crossed.
		{"Pacific/Apia", Day, "2011-12-31T00:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"Pacific/Apia", Day, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", Week, "2011-12-31T00:00:00Z", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z"},
		// Hours begin at the local full hour, and the repeated one is one window.
		{"Asia/Kolkata", Hour, "2026-07-01T12:34:56Z", "2026-07-01T12:30:00Z", "2026-07-01T13:30:00Z"},
		{"Europe/Berlin", Hour, "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		{"Europe/Berlin", Hour, "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{"Australia/Lord_Howe", Hour, "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"},
	} {
		cal := &calendar{window: c.w, zone: zone(c.zone)}
		start, end := cal.bounds(micros(c.at))
		if start != micros(c.start) || end != micros(c.end) {
			t.Errorf("%s of %s in %s: %v to %v", c.w, c.at, c.zone, time.UnixMicro(start).UTC(), time.UnixMicro(end).UTC())
		}
	}
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia",
	"America/Havana", "America/St_Johns", "Australia/Lord_Howe"}

// anchors are instants around which clocks change in some of the zones, or a window ends.
var anchors = []string{"2011-12-30T10:00:00Z", "2018-02-18T02:00:00Z", "2018-11-04T03:00:00Z", "2026-03-08T07:00:00Z",
	"2026-03-29T01:00:00Z", "2026-04-04T15:00:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2010-11-07T02:31:00Z",
	"2025-11-02T05:00:00Z", "2026-12-31T23:00:00Z", "2026-08-01T00:00:00Z"}

// shown returns a number for the window that the local clock shows at time t; a later window has a larger number.
func shown(w Window, t int64, z *time.Location) int64 {
	at := time.UnixMicro(t).In(z)
	y, m, d := at.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch w {
	case Hour:
		return day.Unix()/3600 + int64(at.Hour())
	case Day:
		return day.Unix() / 86400
	case Week:
		return day.AddDate(0, 0, -int(at.Weekday()+6)%7).Unix() / 86400
	}
	return int64(y)*12 + int64(m)
}

// naive finds windows by looking at the clock every quarter of an hour of the two days before: the window of an instant
// is the latest that was on show. It remembers what it saw.
type naive struct {
	w    Window
	z    *time.Location
	seen map[int64]int64
}

func (n *naive) window(t int64) int64 {
	const quarter = 900 * micro
	latest := shown(n.w, t, n.z)
	for slot := floorDiv(t, quarter); slot > floorDiv(t, quarter)-200; slot-- {
		// Zones that change at one minute past the hour: the end of that minute.
		for _, at := range []int64{slot * quarter, slot*quarter + 60*micro - 1} {
			if at > t {
				continue
			}
			if _, ok := n.seen[at]; !ok {
				n.seen[at] = shown(n.w, at, n.z)
			}
			latest = max(latest, n.seen[at])
		}
	}
	return latest
}

// TestCalendarPartition checks that windows have no gaps and no overlaps, hold the time they were asked for, and are
// those that a look at the clock finds.
func TestCalendarPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(rapid.SampledFrom(zones).Draw(t, "zone"))
		w := Window(rapid.IntRange(int(Hour), int(Month)).Draw(t, "window"))
		at := micros(rapid.SampledFrom(anchors).Draw(t, "anchor")) + rapid.Int64Range(-30*3600*micro, 30*3600*micro).Draw(t, "off")
		cal := &calendar{window: w, zone: z}
		start, end := cal.bounds(at)
		if at < start || at >= end {
			t.Fatalf("%d is not in %d to %d", at, start, end)
		}
		fresh := &calendar{window: w, zone: z}
		if _, e := fresh.bounds(start - 1); e != start {
			t.Fatalf("the window before ends at %d, not %d", e, start)
		}
		if s, _ := fresh.bounds(end); s != end {
			t.Fatalf("the window after begins at %d, not %d", s, end)
		}
		if s, e := cal.bounds(at); s != start || e != end {
			t.Fatal("asked again, it is another")
		}
		n := &naive{w, z, map[int64]int64{}}
		if a, b := n.window(start), n.window(end-1); a != b || n.window(at) != a {
			t.Fatalf("the clock shows %d at the start and %d at the end", a, b)
		}
		if a, b, c := n.window(start-1), n.window(start), n.window(end); a >= b || b >= c {
			t.Fatalf("the clock shows %d, %d, %d", a, b, c)
		}
	})
}

func TestCalendarFarTimes(t *testing.T) {
	for _, name := range zones {
		for w := Hour; w <= Month; w++ {
			for _, at := range []int64{minTime, -1, 0, maxTime} {
				cal := &calendar{window: w, zone: zone(name)}
				if s, e := cal.bounds(at); at < s || at >= e || e-s > 32*24*3600*micro {
					t.Errorf("%s of %d in %s: %d to %d", w, at, name, s, e)
				}
			}
		}
	}
	odd := &calendar{window: Day, zone: time.FixedZone("odd", 99*3600+7)}
	if s, e := odd.bounds(0); s > 0 || e <= 0 || e-s != 24*3600*micro {
		t.Errorf("%d to %d", s, e)
	}
}
