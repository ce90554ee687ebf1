package pact

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/marking"
)

// words of a printed treaty, by language.
var printed = map[string]map[string]string{
	"en": {"article": "Article %d", "parties": "The parties", "marks": "Equivalent markings", "kept": "kept by the machine", "record": "people record", "recalled": "to be checked against the official text", "until": "until", "terms": "Terms"},
	"ko": {"article": "제%d조", "parties": "당사자", "marks": "상응하는 표시", "kept": "기계가 지킴", "record": "사람이 기록함", "recalled": "공식 본문과 대조 필요", "until": "까지", "terms": "조건"},
	"ja": {"article": "第%d条", "parties": "締約者", "marks": "対応する表示", "kept": "機械が守る", "record": "人が記録する", "recalled": "公式の条文との照合が必要", "until": "まで", "terms": "条件"},
}

// Show prints the pact as a treaty, in English ("en"), Korean ("ko") or
// Japanese ("ja"). Text that has no translation stands in English.
func (p *Pact) Show(lang string) string {
	w := printed[lang]
	if w == nil {
		lang, w = "en", printed["en"]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s · %s\n\n%s\n", p.Title.In(lang), p.ID, p.Text.String()[:16], w["parties"])
	for _, q := range p.Parties {
		fmt.Fprintf(&b, "  %-3s %s (%s)\n", q.ID, q.Name.In(lang), q.Authority.In(lang))
	}
	fmt.Fprintf(&b, "\n%s\n", w["marks"])
	table := slices.Clone(p.Table)
	slices.SortStableFunc(table, func(x, y marking.Row) int { return y.Rank - x.Rank })
	for _, r := range table {
		fmt.Fprintf(&b, "  %-13s %-3s %s", r.Term, r.Mark.Party, r.Mark.Text)
		if !r.To.IsZero() {
			fmt.Fprintf(&b, " (%s %s)", w["until"], r.To.Format(time.DateOnly))
		}
		if r.Certainty != "" {
			fmt.Fprintf(&b, " [%s]", w["recalled"])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%s\n", w["terms"])
	for _, t := range p.Lines() {
		if t.Dimension != "" && t.Dimension != "D2" && t.Dimension != "D6" || t.Key == "floor" || t.Key == "ceiling" {
			fmt.Fprintf(&b, "  %-34s %s\n", strings.TrimSpace(t.Key+" "+string(t.For)), t.Value)
		}
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(&b, "  [%s: %s: %s]\n", w["recalled"], d.Term, d.Why)
	}
	for _, a := range p.Articles {
		fmt.Fprintf(&b, "\n"+w["article"]+"  %s\n  %s\n", a.Number, a.Title.In(lang), a.Text.In(lang))
		if len(a.Clauses) > 0 {
			fmt.Fprintf(&b, "  [%s: %s]\n", w["kept"], joined(a.Clauses))
		}
		if a.Record != "" {
			fmt.Fprintf(&b, "  [%s: %s]\n", w["record"], a.Record)
		}
		if a.Certainty != "" {
			fmt.Fprintf(&b, "  [%s]\n", w["recalled"])
		}
	}
	return b.String()
}

func joined(cs []Clause) string {
	var s []string
	for _, c := range cs {
		s = append(s, string(c))
	}
	return strings.Join(s, ", ")
}
