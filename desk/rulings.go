package desk

import (
	"errors"
	"slices"
	"strings"

	"entente/act"
	"entente/ledger"
	"entente/reading"
	"entente/ruling"
)

// rulingsView is the page that explains: an answer of Why, in the language of the page.
type rulingsView struct {
	WhyView
	Of, At string // as they were asked
	Past   bool   // of a moment that has passed
	Lives  []lifeView
	Lines  []lineView
	Deeds  []string // that may be asked of
}

// lineView is an act in a list, with what it says was refused.
type lineView struct {
	EntryView
	Because []act.Reason
}

// Stands reports whether what was asked is whether something given still stands.
func (r *RuleView) Stands() bool { return r.Deed == "stand" }

// asked are the deeds that a page asks of with no more said than the product.
var asked = []string{"read", "copy", "translate", "extract", "review"}

// refusalsPage lists what the person was refused.
func (s *Server) refusalsPage(v *visit) (string, error) {
	v.p.Title = v.say("refusals")
	w, err := s.Why(v.r.Context(), WhyAsk{Deed: reading.Deed{As: v.who}, Lang: v.p.Lang}, func(_, _ int64) {})
	if err != nil {
		return "", err
	}
	slices.Reverse(w.Entries)
	v.p.Body = lines(v.p.Lang, w.Entries)
	return "refusals", nil
}

// rulingPage explains a product, a pact or an act to the person. Of what the person may not know
// it is answered as of what does not exist.
func (s *Server) rulingPage(v *visit) (string, error) {
	q := AskAbout(v.r.PathValue("of"))
	q.Lang, q.As, q.Deed.Deed = v.p.Lang, v.who, v.r.FormValue("deed")
	at := strings.TrimSpace(v.r.FormValue("at"))
	var err error
	if q.When, err = ParseWhen(at); err != nil {
		return "", err
	}
	if q.Number == "" && q.Deed.Deed != "" || q.Deed.Deed != "" && !slices.Contains(asked, q.Deed.Deed) {
		return "", errors.New("no such deed")
	}
	w, err := s.Why(v.r.Context(), q, func(_, _ int64) {})
	if err == nil && len(w.Entries) == 0 {
		err = errors.New("not to be known")
	}
	if err != nil {
		return "", err
	}
	d := rulingsView{WhyView: w, Of: v.r.PathValue("of"), At: at, Past: !q.When.IsZero() || w.Recorded, Lines: lines(v.p.Lang, w.Entries)}
	if q.Number != "" && w.Custody.Manifest.Number != "" {
		d.Deeds = asked
		v.p.Mark, v.p.Equal = w.Custody.Manifest.Mark.Text, s.equal(w.Custody)
	}
	if d.Lives, err = s.lives(v, &w); err != nil {
		return "", err
	}
	v.p.Title, v.p.Body = v.say("why")+": "+d.Of, d
	return "ruling", nil
}

// lives tells where a pact stood by an answer, in the language of the page.
func (s *Server) lives(v *visit, w *WhyView) (all []lifeView, err error) {
	return all, s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		for _, x := range w.Pacts {
			p, _, ok, err := s.Catalogue.PactUnder(tx, x.ID, x.Text)
			if err != nil || !ok {
				return err
			}
			l := lifeView{PactView: x, Name: p.Title.In(v.p.Lang), State: Term(v.p.Lang, x.Phase), Strict: Term(v.p.Lang, x.Stands), Comes: x.Next}
			for _, r := range x.Readings {
				l.Each = append(l.Each, readingView{v.partyName(p, r.Party), r.Phase.In(v.p.Lang), r.Day})
			}
			all = append(all, l)
		}
		return nil
	})
}

// lines tells entries with what they say was refused, in a language.
func lines(lang string, all []EntryView) (told []lineView) {
	for _, e := range all {
		l := lineView{EntryView: e}
		for _, b := range e.refused() {
			l.Because = append(l.Because, ruling.In(lang, b))
		}
		told = append(told, l)
	}
	return told
}
