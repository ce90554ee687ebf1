package pact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/marking"

	"golang.org/x/text/width"
)

// Show prints the pact as a treaty, in English ("en"), Korean ("ko") or
// Japanese ("ja"). Text that has no translation stands in English, and the
// head of the print names the parts that hold such text.
func (p *Pact) Show(lang string) string {
	if lang != "ko" && lang != "ja" {
		lang = "en"
	}
	t := &tongue{lang: lang}
	var b strings.Builder
	var english []string
	part := func(name string) { // a part ends
		if t.missing {
			english, t.missing = append(english, name), false
		}
	}
	title := t.in(p.Title)
	part(t.say("Title"))
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "[%s]\n", t.in(n))
	}
	part(t.say("Notes"))
	fmt.Fprintf(&b, "\n%s\n", t.say("The parties"))
	for _, q := range p.Parties {
		fmt.Fprintf(&b, "  %-3s %s (%s)\n", q.ID, t.in(q.Name), cmp.Or(t.in(q.Authority), t.say("not named")))
	}
	part(t.say("The parties"))
	fmt.Fprintf(&b, "\n%s\n", t.say("Equivalent markings"))
	table := slices.Clone(p.Table)
	slices.SortStableFunc(table, func(x, y marking.Row) int { return y.Rank - x.Rank })
	recalled := t.say("to be checked against the official text")
	for _, r := range table {
		fmt.Fprintf(&b, "  %s %-3s %s", column(r.Term, 13), r.Mark.Party, r.Mark.Text)
		if !r.To.IsZero() {
			fmt.Fprintf(&b, " (%s)", t.say("until %s", r.To.Format(time.DateOnly)))
		}
		if r.Certainty != "" {
			fmt.Fprintf(&b, " [%s]", recalled)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%s\n", t.say("Terms"))
	for _, x := range p.lines(t) {
		if x.Dimension == "" || x.Dimension == "D2" || x.Dimension == "D6" && x.Key != t.say("floor") && x.Key != t.say("ceiling") {
			continue // it stands elsewhere
		}
		key := x.Key
		if x.For != "" {
			key = string(x.For) + ": " + key
		}
		fmt.Fprintf(&b, "  %s %s\n", column(key, 40), x.Value)
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(&b, "  [%s: %s: %s]\n", recalled, d.Term, t.in(d.Why))
	}
	part(t.say("Terms"))
	for _, a := range p.Articles {
		article := t.say("Article %d", a.Number)
		fmt.Fprintf(&b, "\n%s  %s\n  %s\n", article, t.in(a.Title), t.in(a.Text))
		for _, c := range a.Clauses {
			fmt.Fprintf(&b, "  [%s: %s]\n", t.say("kept by the machine"), t.say(sentences[c]))
		}
		if a.Record.EN != "" {
			fmt.Fprintf(&b, "  [%s: %s]\n", t.say("people record"), t.in(a.Record))
		}
		if a.Certainty != "" {
			fmt.Fprintf(&b, "  [%s]\n", recalled)
		}
		part(article)
	}
	fmt.Fprintf(&b, "\n%s\n", t.say("Duties"))
	for _, deed := range sorted(duties) {
		for _, d := range duties[deed] {
			fmt.Fprintf(&b, "  %s %s\n", column(t.say(deed), 40), p.Style(strings.ReplaceAll(t.say(d), "%s", t.lasting(p.Receipt.Within))))
		}
	}
	head := fmt.Sprintf("%s\n%s · %s\n", title, p.ID, p.Text.String()[:16])
	if len(p.Language.Authentic) > 0 && !slices.Contains(p.Language.Authentic, lang) {
		head += "[" + t.say("The authentic text is in %s.", t.languages(p.Language.Authentic)) + "]\n"
	}
	if len(english) > 0 {
		head += "[" + t.say("What is given in English alone stands in English: %s.", strings.Join(english, t.say(", "))) + "]\n"
	}
	return head + b.String()
}

// column fills a word up to n places. Where a letter is wide, as those of
// Korean and Japanese are, it takes two.
func column(s string, n int) string {
	for _, c := range s {
		switch n--; width.LookupRune(c).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n--
		}
	}
	return s + strings.Repeat(" ", max(n, 0))
}
