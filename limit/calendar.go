package limit

import "time"

// calendar yields the windows of one kind in one zone. It remembers the last one, since nearly every question is about
// the window that is open now.
type calendar struct {
	window     Window
	zone       *time.Location
	start, end int64 // of the remembered window, in microseconds
}

// bounds returns the start and the exclusive end of the window that holds time t, in microseconds.
//
// A window begins at the first instant at which the local clock shows its beginning or anything later. So a day whose
// midnight is skipped begins with the hour after the gap; a day that is skipped altogether does not exist; and where
// clocks go back over a boundary, the window that had begun goes on: it is never left for the one before it. Hours
// follow the same rule, so the hour that is repeated in autumn is one window of two hours.
func (c *calendar) bounds(t int64) (start, end int64) {
	if t < c.start || t >= c.end {
		at := floorDiv(t, micro)
		from, to := c.label(latestWall(at, c.zone))
		c.start = firstShown(from, c.zone) * micro
		c.end = firstShown(to, c.zone) * micro
	}
	return c.start, c.end
}

// A wall time is what the local clock shows, as the number of seconds that a UTC clock showing the same would have
// counted. Whole seconds are enough: no zone changes its offset within one.

// label returns the wall times at which the window that holds wall time w begins and the next one begins.
func (c *calendar) label(w int64) (from, to int64) {
	const hour, day = 3600, 86400
	switch c.window {
	case Hour:
		from = floorDiv(w, hour) * hour
		return from, from + hour
	case Day:
		from = floorDiv(w, day) * day
		return from, from + day
	case Week:
		const monday = 4 * day // 5 January 1970
		from = floorDiv(w-monday, 7*day)*7*day + monday
		return from, from + 7*day
	}
	y, m, _ := time.Unix(w, 0).UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).Unix()
}

// No zone is further than this from UTC, in seconds: the format of the zone database allows no more.
const maxOffset = 26 * 3600

// latestWall returns the latest wall time that the clock of the zone has shown up to and including second at. It is
// later than the one shown at that second if clocks have lately gone back.
func latestWall(at int64, zone *time.Location) int64 {
	start, _, offset := period(at, zone)
	latest := at + offset
	for start != noBound && start > at-2*maxOffset {
		shown := start - 1
		start, _, offset = period(shown, zone)
		latest = max(latest, shown+offset)
	}
	return latest
}

// firstShown returns the first second at which the clock of the zone shows wall time w or anything later.
func firstShown(w int64, zone *time.Location) int64 {
	at := w - maxOffset
	for {
		start, end, offset := period(at, zone)
		first := w - offset
		if start != noBound {
			first = max(first, start)
		}
		if end == noBound || first < end {
			return first
		}
		at = max(end, at+1)
	}
}

const noBound = -1 << 63

// period returns the span with one offset from UTC that holds second at; noBound where it is open.
func period(at int64, zone *time.Location) (start, end, offset int64) {
	t := time.Unix(at, 0).In(zone)
	_, off := t.Zone()
	s, e := t.ZoneBounds()
	start, end = noBound, noBound
	if !s.IsZero() {
		start = s.Unix()
	}
	if !e.IsZero() {
		end = e.Unix()
	}
	return start, end, int64(off)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
