// Package demo runs Seoul and Tokyo on one machine and has them share real
// data under the 2016 pact.
//
// [Run] starts two nodes, each a process of its own, and drives them as their
// officers would, over their local sockets. The data are real: every nuclear
// test and missile launch of the DPRK up to the day the pact was signed, and
// NASA's images of Korea. Sources are named in data/SOURCES.md and NOTICE.
package demo

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed data/*.csv data/*.tif
var data embed.FS

// Event is a nuclear test or a missile launch, as published.
type Event struct {
	ID, Kind  string // nuclear-test or missile-launch
	Time      time.Time
	Precision string // minute, day, month
	Name      string
	Site      string
	Lat, Lon  float64
	Known     bool     // whether the place is known
	Figures   []string // "what: value", as the source has them
	Outcome   string
	Source    string
}

// Events returns every event up to and including a day, in order of time.
func Events(until time.Time) ([]Event, error) {
	var all []Event
	for file, read := range map[string]func(map[string]string) (Event, error){"dprk_nuclear_tests.csv": nuclear, "dprk_missile_tests.csv": missile} {
		rows, err := table(file)
		if err != nil {
			return nil, err
		}
		for i, r := range rows {
			e, err := read(r)
			if err != nil {
				return nil, fmt.Errorf("reading %s, row %d: %w", file, i+2, err)
			}
			if e.Time.Before(until.AddDate(0, 0, 1)) {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}

// table reads a CSV file with a header row.
func table(file string) ([]map[string]string, error) {
	b, err := data.ReadFile("data/" + file)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	var all []map[string]string
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = r[i]
		}
		all = append(all, m)
	}
	return all, nil
}

func nuclear(r map[string]string) (Event, error) {
	t, err := time.Parse("2006-01-02 15:04:05", r["date_utc"]+" "+r["time_utc"])
	if err != nil {
		return Event{}, err
	}
	e := Event{ID: r["id"], Kind: "nuclear-test", Time: t, Precision: "minute", Name: "nuclear test", Site: "Punggye-ri", Known: true, Source: r["source"]}
	e.Figures = figures(r, "mag_usgs_mb", "body-wave magnitude (USGS)", "mag_ctbto_mb", "body-wave magnitude (CTBTO)", "depth_km", "depth, km (USGS)")
	return e, e.place(r)
}

func missile(r map[string]string) (Event, error) {
	e := Event{ID: r["id"], Kind: "missile-launch", Precision: r["date_precision"], Name: r["missile_name"], Site: r["site_name"], Known: r["site_known"] == "yes", Outcome: r["outcome"], Source: "nagix/nk-missile-tests, after the CNS North Korea Missile Test Database"}
	layout, text := time.DateOnly, r["date_utc"]
	switch {
	case e.Precision == "month":
		layout = "2006-01"
	case r["time_utc"] != "":
		layout, text, e.Precision = "2006-01-02 15:04", text+" "+r["time_utc"], "minute"
	}
	var err error
	if e.Time, err = time.Parse(layout, text); err != nil {
		return e, err
	}
	e.Figures = figures(r, "type", "class", "apogee_km", "apogee, km", "distance_km", "distance, km", "bearing_deg", "bearing, degrees", "landing_area", "landing area", "quality_note", "note")
	if e.Known {
		err = e.place(r)
	}
	return e, err
}

func (e *Event) place(r map[string]string) (err error) {
	if e.Lat, err = strconv.ParseFloat(r["lat"], 64); err != nil {
		return err
	}
	e.Lon, err = strconv.ParseFloat(r["lon"], 64)
	return err
}

// figures pairs columns with what they are called, leaving out the empty ones.
func figures(r map[string]string, pairs ...string) (out []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := r[pairs[i]]; v != "" {
			out = append(out, pairs[i+1]+": "+v)
		}
	}
	return out
}

// When writes the event's time as precisely as it is known.
func (e Event) When() string {
	return e.Time.Format(map[string]string{"minute": "2006-01-02 15:04 UTC", "month": "2006-01"}[e.Precision] + map[bool]string{true: time.DateOnly}[e.Precision == "day"])
}

// Report is what the providing party files: that it happened, when and where.
func (e Event) Report() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "REPORT\n\nEvent    %s\nWhat     %s: %s\nWhen     %s\n", e.ID, e.Kind, e.Name, e.When())
	if e.Known {
		fmt.Fprintf(&b, "Where    %s, %.3f N %.3f E\n", e.Site, e.Lat, e.Lon)
	} else {
		fmt.Fprintf(&b, "Where    not known\n")
	}
	if e.Outcome != "" {
		fmt.Fprintf(&b, "Outcome  %s\n", e.Outcome)
	}
	fmt.Fprintf(&b, "\nSource: %s\n", e.Source)
	return b.Bytes()
}

// Assessment is what the other party adds: figures, each attributed. It
// stands beside the report and is never merged with it.
func (e Event) Assessment() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "ASSESSMENT\n\nOf event %s (%s)\n\n", e.ID, e.When())
	for _, f := range e.Figures {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	if len(e.Figures) == 0 {
		fmt.Fprintf(&b, "  no figures were published\n")
	}
	fmt.Fprintf(&b, "\nAttributed to: %s\n", e.Source)
	return b.Bytes()
}
