package pact

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/marking"
)

// Show prints the pact as a treaty, in English ("en"), Korean ("ko") or
// Japanese ("ja"). Text that has no translation stands in English, and the
// head of the print says so.
func (p *Pact) Show(lang string) string {
	if lang != "ko" && lang != "ja" {
		lang = "en"
	}
	t := &tongue{lang: lang}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", t.say("The parties"))
	for _, q := range p.Parties {
		fmt.Fprintf(&b, "  %-3s %s (%s)\n", q.ID, t.in(q.Name), or(t.in(q.Authority), t.say("not named")))
	}
	fmt.Fprintf(&b, "\n%s\n", t.say("Equivalent markings"))
	table := slices.Clone(p.Table)
	slices.SortStableFunc(table, func(x, y marking.Row) int { return y.Rank - x.Rank })
	recalled := t.say("to be checked against the official text")
	for _, r := range table {
		fmt.Fprintf(&b, "  %-13s %-3s %s", r.Term, r.Mark.Party, r.Mark.Text)
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
		fmt.Fprintf(&b, "  %s %s\n", column(key), x.Value)
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(&b, "  [%s: %s: %s]\n", recalled, d.Term, t.in(d.Why))
	}
	for _, a := range p.Articles {
		fmt.Fprintf(&b, "\n%s  %s\n  %s\n", t.say("Article %d", a.Number), t.in(a.Title), t.in(a.Text))
		for _, c := range a.Clauses {
			fmt.Fprintf(&b, "  [%s: %s]\n", t.say("kept by the machine"), t.say(sentences[c]))
		}
		if a.Record.EN != "" {
			fmt.Fprintf(&b, "  [%s: %s]\n", t.say("people record"), t.in(a.Record))
		}
		if a.Certainty != "" {
			fmt.Fprintf(&b, "  [%s]\n", recalled)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", t.say("Duties"))
	for _, deed := range sorted(duties) {
		for _, d := range duties[deed] {
			fmt.Fprintf(&b, "  %s %s\n", column(t.say(deed)), strings.ReplaceAll(t.say(d), "%s", t.lasting(p.Receipt.Within)))
		}
	}
	head := fmt.Sprintf("%s\n%s · %s\n", t.in(p.Title), p.ID, p.Text.String()[:16])
	if len(p.Language.Authentic) > 0 && !slices.Contains(p.Language.Authentic, lang) {
		head += "[" + t.say("The authentic text is in %s.", t.languages(p.Language.Authentic)) + "]\n"
	}
	if t.missing {
		head += "[" + t.say("What is given in English alone stands in English.") + "]\n"
	}
	return head + b.String()
}

// column fills a word up with spaces. A letter of Korean or Japanese is as wide
// as two of the others.
func column(s string) string {
	n := 40
	for _, c := range s {
		if n--; c >= 0x1100 {
			n--
		}
	}
	return s + strings.Repeat(" ", max(n, 0))
}
