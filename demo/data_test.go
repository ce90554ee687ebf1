package demo

import (
	"strings"
	"testing"
	"time"
)

// TestEvents counts the real data: five nuclear tests and every launch up to
// the day of signature.
func TestEvents(t *testing.T) {
	all, err := Events(time.Date(2016, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for i, e := range all {
		count[e.Kind]++
		if i > 0 && e.Time.Before(all[i-1].Time) {
			t.Errorf("%s is out of order", e.ID)
		}
		if e.Known && (e.Lat < 30 || e.Lat > 45 || e.Lon < 120 || e.Lon > 135) {
			t.Errorf("%s lies at %v, %v", e.ID, e.Lat, e.Lon)
		}
		if !strings.Contains(string(e.Report()), e.ID) || !strings.Contains(string(e.Assessment()), "Attributed to: ") {
			t.Errorf("%s: its report or assessment lacks its name or source", e.ID)
		}
	}
	if count["nuclear-test"] != 5 || count["missile-launch"] != 97 {
		t.Errorf("%v, want 5 nuclear tests and 97 launches", count)
	}
	last, err := Events(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || len(last) != 6+339 {
		t.Errorf("%d events in all, %v", len(last), err)
	}
}

func TestWhen(t *testing.T) {
	at := time.Date(2016, 9, 9, 0, 30, 0, 0, time.UTC)
	for precision, want := range map[string]string{"minute": "2016-09-09 00:30 UTC", "day": "2016-09-09", "month": "2016-09"} {
		if got := (Event{Time: at, Precision: precision}).When(); got != want {
			t.Errorf("%s: %q, want %q", precision, got, want)
		}
	}
}
