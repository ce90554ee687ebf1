package atlas

import (
	"fmt"
	"html"
	"strings"
	"unicode"
)

// Stage is a stretch of something's life.
type Stage struct {
	Label string
	Day   string // when it began, or will
	Tag   string // a word above it, such as "now"; empty: none
	Now   bool   // it is the present one
	Ahead bool   // it lies ahead
	Under bool   // what [Course] draws beneath begins here at the latest
}

const (
	perRow     = 6
	maxStages  = 2 * perRow // the latest are drawn: a table beside the drawing has all
	stageWide  = 122.0
	stageTall  = 58.0
	stageGap   = 13.0
	stageLine  = 12.0 // from line to line of a label
	tagTall    = 14.0
	labelWidth = 112.0
)

// Course draws stages from left to right, each with its label and day; the present
// one by a thick frame and its tag, those ahead by a broken frame and theirs. What
// lasts beneath them, and beyond the last, is drawn as an arrow with its own label.
func Course(title, desc string, stages []Stage, beneath string) string {
	stages = stages[max(0, len(stages)-maxStages):]
	if len(stages) == 0 {
		return ""
	}
	rows := (len(stages) + perRow - 1) / perRow
	rowTall := tagTall + stageTall + 12
	from, lasts := 0.0, false
	for i, s := range stages {
		if s.Under && !lasts {
			if lasts = true; rows == 1 {
				from = float64(i) * (stageWide + stageGap)
			}
		}
	}
	tall := float64(rows) * rowTall
	if lasts {
		tall += 30
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="atlas" role="img" viewBox="0 0 %.0f %.0f" xmlns="http://www.w3.org/2000/svg"><title>%s</title><desc>%s</desc>`, width, tall, html.EscapeString(title), html.EscapeString(desc))
	for i, s := range stages {
		x, y := 2+float64(i%perRow)*(stageWide+stageGap), float64(i/perRow)*rowTall+tagTall
		class := "stage"
		if s.Now {
			class += " now"
		}
		if s.Ahead {
			class += " ahead"
		}
		if s.Tag != "" {
			fmt.Fprintf(&b, `<text class="tag" x="%.1f" y="%.1f">%s</text>`, x+2, y-4, html.EscapeString(s.Tag))
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%.0f" height="%.0f" rx="4"/>`, class, x, y, stageWide, stageTall)
		for j, line := range wrap(s.Label, labelWidth) {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`, x+5, y+14+float64(j)*stageLine, html.EscapeString(line))
		}
		fmt.Fprintf(&b, `<text class="day" x="%.1f" y="%.1f">%s</text>`, x+5, y+stageTall-6, html.EscapeString(s.Day))
		if i < len(stages)-1 {
			fmt.Fprintf(&b, `<path class="axis" d="M%.1f %.1fh8m-3 -3l3 3l-3 3"/>`, x+stageWide+2, y+stageTall/2)
		}
	}
	if lasts {
		y := float64(rows)*rowTall + 4
		fmt.Fprintf(&b, `<path class="beneath" d="M%.1f %.1fH%.0fl12 9l-12 9H%.1fZ"/><text x="%.1f" y="%.1f">%s</text>`, from+2, y, width-14, from+2, from+8, y+13, html.EscapeString(beneath))
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// wrap breaks a label into lines of a width, at most three: between words, and
// between letters of scripts that know no spaces.
func wrap(s string, most float64) (lines []string) {
	const size = 10.0
	line, wide := "", 0.0
	word, long := "", 0.0
	end := func() {
		if wide+long > most && line != "" {
			lines, line, wide = append(lines, strings.TrimSpace(line)), "", 0
			word = strings.TrimLeft(word, " ")
		}
		line, wide, word, long = line+word, wide+long, "", 0
	}
	for _, c := range s {
		w := size * 0.58
		if unicode.In(c, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || c > 0x3000 && c < 0xffef {
			w = size
		}
		if c == ' ' || unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			end()
		}
		word, long = word+string(c), long+w
	}
	end()
	if lines = append(lines, strings.TrimSpace(line)); len(lines) > 3 {
		lines = append(lines[:2], lines[2]+"…")
	}
	return lines
}
