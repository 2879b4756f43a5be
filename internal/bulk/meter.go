package bulk

import (
	"fmt"
	"strconv"
	"time"
)

// Meter says how far a run is. It holds no clock.
type Meter struct {
	Total  int
	Start  time.Time
	Before int // done by an earlier run: they say nothing about the speed
}

// Line is the state in one line: count, share, rate and the time that is left.
func (m Meter) Line(now time.Time, done, failed int) string {
	s := fmt.Sprintf("%s/%s", Thousands(done), Thousands(m.Total))
	if m.Total > 0 {
		s += fmt.Sprintf("  %d %%", done*100/m.Total)
	}
	if spent := now.Sub(m.Start).Seconds(); spent > 0.5 && done > m.Before {
		rate := float64(done-m.Before) / spent
		if rate >= 10 {
			s += fmt.Sprintf("  %.0f/s", rate)
		} else {
			s += fmt.Sprintf("  %.1f/s", rate)
		}
		if left := m.Total - done; left > 0 {
			s += "  " + About(time.Duration(float64(left)/rate*float64(time.Second))) + " left"
		}
	}
	if failed > 0 {
		s += "  " + Thousands(failed) + " failed"
	}
	return s
}

// About is a span as people say it.
func About(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under 1 s"
	case d < 90*time.Second:
		return fmt.Sprintf("about %d s", int(d.Seconds()+0.5))
	case d < 90*time.Minute:
		return fmt.Sprintf("about %d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("about %.1f h", d.Hours())
}

// Thousands writes 1234567 as 1,234,567.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
