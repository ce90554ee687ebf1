package atlas_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"entente/atlas"
)

// wellFormed checks what a strict page asks of a drawing.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			if e.Name.Local == "script" {
				t.Error("a script")
			}
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("attribute %s", a.Name.Local)
				}
				if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "/") {
					t.Errorf("a link leaves the site: %q", a.Value)
				}
			}
		}
	}
}

func TestMap(t *testing.T) {
	svg := atlas.Map("tests", "where", []atlas.Point{
		{Lat: 41.3, Lon: 129.07, Shape: atlas.Circle, Label: "KPN-1 <b>", Href: "/p/1"},
		{Lat: 41.3, Lon: 129.07, Shape: atlas.Circle, Label: "KPN-2"},
		{Lat: 39, Lon: 125.7, Shape: atlas.Triangle, Label: "launch", Href: "javascript:alert(1)"},
		{Lat: math.NaN(), Lon: 1, Label: "nowhere"}, {Lat: -80, Lon: 0, Label: "far away"},
	}, []atlas.Box{{South: 31, West: 121, North: 46, East: 147, Label: "image"}, {South: 5, West: 3, North: 1, East: 9}})
	wellFormed(t, svg)
	for want, n := range map[string]int{"(+1)": 1, `class="circle"`: 1, `class="triangle"`: 1, `class="box"`: 1, "nowhere": 0, "far away": 0, "javascript": 0, "<b>": 0} {
		if got := strings.Count(svg, want); got != n {
			t.Errorf("%q stands %d times, want %d", want, got, n)
		}
	}
}

func TestTimeline(t *testing.T) {
	if atlas.Timeline("nothing", nil) != "" {
		t.Error("a timeline of nothing")
	}
	wellFormed(t, atlas.Timeline("tests", []atlas.Mark{{Time: time.Date(2006, 10, 9, 0, 0, 0, 0, time.UTC), Shape: atlas.Circle, Label: "first"}, {Time: time.Date(2016, 9, 9, 0, 0, 0, 0, time.UTC), Shape: atlas.Triangle, Label: "last", Href: "//evil.example"}}))
}

func FuzzLabel(f *testing.F) {
	f.Add("plain", "/p/1")
	f.Add("<script>alert(1)</script>", "javascript:alert(1)")
	f.Add("\" onload=\"x", "/a\"b")
	f.Fuzz(func(t *testing.T, label, href string) {
		if !utf8.ValidString(label) || !utf8.ValidString(href) || strings.ContainsFunc(label+href, func(r rune) bool { return r < 0x20 || r == 0xfffe || r == 0xffff }) {
			t.Skip() // the manifest refuses them before they come here
		}
		wellFormed(t, atlas.Map("t", "d", []atlas.Point{{Lat: 40, Lon: 128, Label: label, Href: href}}, nil))
	})
}

// TestCourse: every stage stands with its day and its tag; what lasts is drawn
// beneath; labels are broken into lines, and a long course into rows.
func TestCourse(t *testing.T) {
	if atlas.Course("nothing", "", nil, "") != "" {
		t.Error("a course of nothing")
	}
	svg := atlas.Course("life", "desc", []atlas.Stage{
		{Label: "proposed", Day: "2016-10-27"},
		{Label: "in force, notice of termination <suspended>", Day: "2016-11-23", Tag: "now", Now: true, Under: true},
		{Label: "効力を有しており、終了の通告の効力が停止されている状態", Day: "2017-11-23", Tag: "expected", Ahead: true},
	}, "protection stays")
	wellFormed(t, svg)
	for want, n := range map[string]int{`class="stage"`: 1, `class="stage now"`: 1, `class="stage ahead"`: 1, "2016-11-23": 1, `class="tag"`: 2, `class="beneath" d="M137.0`: 1, "protection stays": 1,
		">in force, notice of<": 1, ">termination<": 1, "&lt;suspended&gt;": 1, "<suspended>": 0, ">効力を有しており、終了<": 1} {
		if got := strings.Count(svg, want); got != n {
			t.Errorf("%q stands %d times, want %d: %s", want, got, n, svg)
		}
	}
	long := make([]atlas.Stage, 20)
	for i := range long {
		long[i] = atlas.Stage{Label: "stage", Day: "2016-10-27"}
	}
	if svg := atlas.Course("life", "", long, "none"); strings.Count(svg, "<rect") != 12 || strings.Contains(svg, "beneath") {
		t.Errorf("a long course: %s", svg)
	}
}
