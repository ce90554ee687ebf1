// Package atlas draws maps and timelines as SVG, on the server, so that a page
// needs no script.
//
// [Map] draws land, points and footprints of Korea, Japan and their
// surroundings; [Timeline] draws events by year; [Course] draws the stages of a
// life. The land is Natural Earth's
// (public domain), clipped and simplified in coast.json. It bears no names of seas
// or islets and no maritime lines: a label on a map is a statement of its
// state, and this package makes none. Meaning is carried by shape and text,
// never by colour alone. The drawings hold no style attributes, so that they
// pass a strict content security policy; [CSS] belongs in the page's stylesheet.
package atlas

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed coast.json
var coast []byte // rings of [longitude, latitude] in hundredths of a degree

// CSS are the rules that the drawings use.
const CSS = `.atlas{width:100%;height:auto;max-width:60rem}
.atlas .sea{fill:#eef3f6}.atlas .land{fill:#dcd8cc;stroke:#8a8678;stroke-width:.6}
.atlas .box{fill:none;stroke:#1d4e89;stroke-width:1.2;stroke-dasharray:4 2}
.atlas .circle{fill:#8c1c13;fill-opacity:.75;stroke:#fff;stroke-width:.7}
.atlas .triangle{fill:#1d4e89;fill-opacity:.75;stroke:#fff;stroke-width:.7}
.atlas text{font:10px system-ui,sans-serif;fill:#333}.atlas .axis{stroke:#8a8678;stroke-width:1}
.atlas .stage{fill:none;stroke:#555;stroke-width:1}.atlas .stage.now{stroke-width:3}.atlas .stage.ahead{stroke-dasharray:5 3}
.atlas .tag,.atlas .day{font-weight:700}.atlas .beneath{fill:#dcd8cc;stroke:#8a8678}.atlas path.axis{fill:none}
.atlas a:focus{outline:2px solid #000}
@media (prefers-color-scheme:dark){.atlas .sea{fill:#1b242b}.atlas .land{fill:#3a3d3a}.atlas text{fill:#ddd}.atlas .stage{stroke:#bbb}.atlas .beneath{fill:#3a3d3a}}
`

// Shape tells kinds of events apart.
type Shape string

// The shapes.
const (
	Circle   Shape = "circle"   // a nuclear test
	Triangle Shape = "triangle" // a missile launch
)

// Point is something at a place.
type Point struct {
	Lat, Lon float64
	Shape    Shape
	Label    string // what it is, as text
	Href     string // page about it, of this site; empty: none
}

// Box is an area in degrees.
type Box struct {
	South, West, North, East float64
	Label, Href              string
}

const (
	west, east, south, north = 118.0, 150.0, 29.0, 47.0
	width                    = 800.0
	// maxMarks bounds a drawing: beyond it nobody could point at one.
	maxMarks = 5000
)

var (
	squeeze = math.Cos((south + north) / 2 * math.Pi / 180) // a degree of longitude is shorter up here
	scale   = width / ((east - west) * squeeze)
	height  = (north - south) * scale
)

func project(lat, lon float64) (x, y float64) {
	return (lon - west) * squeeze * scale, (north - lat) * scale
}

func within(lat, lon float64) bool {
	return lat >= south && lat <= north && lon >= west && lon <= east // false for NaN too
}

var landPath = sync.OnceValue(func() string {
	var rings [][][2]float64
	if err := json.Unmarshal(coast, &rings); err != nil {
		panic("atlas: the coast does not parse: " + err.Error())
	}
	var b strings.Builder
	for _, r := range rings {
		for i, p := range r {
			x, y := project(p[1]/100, p[0]/100)
			c := 'L'
			if i == 0 {
				c = 'M'
			}
			fmt.Fprintf(&b, "%c%.1f %.1f", c, x, y)
		}
		b.WriteByte('Z')
	}
	return b.String()
})

// Map draws points and boxes. What lies outside the map is left out; points
// at one place are one mark with a count. title and desc describe the drawing to
// those who do not see it.
func Map(title, desc string, points []Point, boxes []Box) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="atlas" role="img" viewBox="0 0 %.0f %.0f" xmlns="http://www.w3.org/2000/svg"><title>%s</title><desc>%s</desc>`, width, height, html.EscapeString(title), html.EscapeString(desc))
	fmt.Fprintf(&b, `<rect class="sea" width="%.0f" height="%.0f"/><path class="land" d="%s"/>`, width, height, landPath())
	for _, x := range boxes[:min(len(boxes), maxMarks)] {
		if !(x.South < x.North && x.West < x.East) || x.North < south || x.South > north || x.East < west || x.West > east {
			continue
		}
		x0, y0 := project(min(x.North, north), max(x.West, west))
		x1, y1 := project(max(x.South, south), min(x.East, east))
		link(&b, x.Href, func() {
			fmt.Fprintf(&b, `<rect class="box" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, x0, y0, x1-x0, y1-y0, html.EscapeString(x.Label))
		})
	}
	for _, g := range merge(points[:min(len(points), maxMarks)]) {
		p := g.first
		x, y := project(p.Lat, p.Lon)
		label := p.Label
		if g.n > 1 {
			label = fmt.Sprintf("%s (+%d)", p.Label, g.n-1)
		}
		link(&b, p.Href, func() { mark(&b, p.Shape, x, y, 4+2*math.Sqrt(float64(g.n)), label) })
	}
	b.WriteString(`</svg>`)
	return b.String()
}

type group struct {
	first Point
	n     int
}

func merge(points []Point) []group {
	var all []group
	for _, p := range points {
		if !within(p.Lat, p.Lon) {
			continue
		}
		i := slices.IndexFunc(all, func(g group) bool {
			return g.first.Shape == p.Shape && math.Hypot(g.first.Lat-p.Lat, g.first.Lon-p.Lon) < 0.1
		})
		if i < 0 {
			all = append(all, group{p, 1})
			continue
		}
		all[i].n++
	}
	return all
}

// link wraps what f draws in a link, unless href would leave the site.
func link(b *strings.Builder, href string, f func()) {
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") {
		f()
		return
	}
	fmt.Fprintf(b, `<a href="%s">`, html.EscapeString(href))
	f()
	b.WriteString(`</a>`)
}

func mark(b *strings.Builder, s Shape, x, y, r float64, label string) {
	if s == Circle {
		fmt.Fprintf(b, `<circle class="circle" cx="%.1f" cy="%.1f" r="%.1f"><title>%s</title></circle>`, x, y, r, html.EscapeString(label))
		return
	}
	fmt.Fprintf(b, `<path class="triangle" d="M%.1f %.1fL%.1f %.1fL%.1f %.1fZ"><title>%s</title></path>`, x, y-r, x+r, y+r*0.8, x-r, y+r*0.8, html.EscapeString(label))
}

// Mark is an event on a timeline.
type Mark struct {
	Time  time.Time
	Shape Shape
	Label string
	Href  string
}

// Timeline draws events from the first year to the last. Those of one month and
// shape are stacked.
func Timeline(title string, marks []Mark) string {
	marks = marks[:min(len(marks), maxMarks)]
	if len(marks) == 0 {
		return ""
	}
	first, last := marks[0].Time, marks[0].Time
	for _, m := range marks {
		if m.Time.Before(first) {
			first = m.Time
		}
		if m.Time.After(last) {
			last = m.Time
		}
	}
	from, to := first.Year(), last.Year()+1
	const tall = 120.0
	x := func(t time.Time) float64 {
		years := float64(t.Year()-from) + float64(t.YearDay()-1)/366
		return 20 + years*(width-40)/float64(to-from)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="atlas" role="img" viewBox="0 0 %.0f %.0f" xmlns="http://www.w3.org/2000/svg"><title>%s</title><path class="axis" d="M20 %.0fH%.0f"/>`, width, tall, html.EscapeString(title), tall-20, width-20)
	every := max(1, (to-from+15)/16)
	for y := from; y <= to; y += every {
		at := x(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC))
		fmt.Fprintf(&b, `<path class="axis" d="M%.1f %.0fv4"/><text x="%.1f" y="%.0f" text-anchor="middle">%d</text>`, at, tall-20, at, tall-5, y)
	}
	stacked := map[string]int{}
	for _, m := range marks {
		k := string(m.Shape) + m.Time.Format("2006-01")
		y := tall - 27 - 7*float64(stacked[k])
		if m.Shape == Circle {
			y = 12
		}
		stacked[k]++
		link(&b, m.Href, func() { mark(&b, m.Shape, x(m.Time), max(8, y), 4, m.Label) })
	}
	b.WriteString(`</svg>`)
	return b.String()
}
