package desk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/ruling"
)

// WhyAsk asks how something is ruled, or was, by the state of a moment. It is about one thing:
// a product, a pact, an act, or a release that nobody made; about none, it is what a person was refused.
type WhyAsk struct {
	Number act.Number     `json:"number,omitempty"` // a product: what happened to it, and a deed with it by a person
	Pact   act.PactID     `json:"pact,omitempty"`   // a pact: where it stands, and a step in its life; no deed: each step
	Entry  *int64         `json:"entry,omitempty"`  // an act, by its place in the ledger: what it records, or whether what it gave still stands
	Act    *act.Digest    `json:"act,omitempty"`    // the same, by its digest
	Draft  *release.Draft `json:"draft,omitempty"`  // a release by a person, before anything is sealed or sent
	reading.Deed
	Channel string      `json:"channel,omitempty"` // by which a release came that is accepted; electronic when it is not said
	When    ledger.When `json:"when,omitzero"`
	Lang    string      `json:"lang,omitempty"` // of the answer: en, when it is not said, ko or ja
}

// WhyView is the answer to a question. Whoever asks it, and however, is answered with this.
type WhyView struct {
	At      act.Moment      `json:"at"`      // the moment that it is asked of
	Ledger  act.Head        `json:"ledger"`  // the entries that stood then
	Custody product.Custody `json:"custody"` // of the product
	Entries []EntryView     `json:"entries"` // the acts about it: of an act, itself first, then what became of it
	Ruling  *RuleView       `json:"ruling,omitempty"`
	Pacts   []PactView      `json:"pacts,omitempty"` // where the pact stands, under each of its texts
	Steps   []RuleView      `json:"steps,omitempty"` // each step that we may take in its life
	Gave    []string        `json:"gave,omitempty"`  // what the act gave, in its own words
	Waits   string          `json:"waits,omitempty"` // what the act waits for

	Recorded bool `json:"recorded,omitempty"` // the ruling is the one that an entry records, of just before it
}

// RuleView is a ruling with the acts that what it was asked on rests on.
type RuleView struct {
	Deed    string `json:"deed,omitempty"`    // a deed, a step's kind, or "stand": whether what an act gave still lets anything happen
	By      string `json:"by,omitempty"`      // whose it is
	Version int    `json:"version,omitempty"` // of the pact's text that a step is for
	ruling.Ruling
	Until *act.Moment `json:"until,omitempty"` // when what was given ends by itself
	Rests []RestView  `json:"rests"`
	Today string      `json:"today,omitempty"` // what was asked as it is today, for the ledger does not keep it
}

// RestView names an act that a ruling rests on.
type RestView struct {
	Entry int64      `json:"entry"`
	Kind  act.Kind   `json:"kind"`
	By    string     `json:"by"` // the person, or the party whose node it was
	At    act.Moment `json:"at"`
	Act   act.Digest `json:"act"`
}

// EntryView is an entry of the ledger without content.
type EntryView struct {
	Index int64   `json:"index"`
	Act   act.Act `json:"act"`
	Name  string  `json:"digest"`
}

func entryView(e ledger.Entry) EntryView { return EntryView{e.Index, e.Act, e.Digest.String()} }

// refused is why an entry says that something was refused.
func (e *EntryView) refused() []act.Reason {
	switch b := e.Act.Body.(type) {
	case act.Denial:
		return b.Because
	case act.Refusal:
		return b.Because
	}
	return nil
}

// Asked is what an entry says was asked and refused: the product's number and, of a release, its mark and title.
func (e *EntryView) Asked() string {
	b, _ := e.Act.Body.(act.Denial)
	if b.Manifest == nil {
		return string(b.Number)
	}
	return string(b.Number) + " " + b.Manifest.Mark.Text + " " + b.Manifest.Title
}

// Who is the person who did it, or the party whose node it was with the person whom it names.
func (e *EntryView) Who() string {
	person := ""
	switch b := e.Act.Body.(type) {
	case act.Denial:
		person = " " + b.Person
	case act.Opening:
		person = " " + b.Person
	}
	return cmp.Or(e.Act.By, string(e.Act.From)+person)
}

func (s *Server) why(w http.ResponseWriter, r *http.Request) {
	var a WhyAsk
	long(w, 1000, func(p func(done, all int64)) (WhyView, error) {
		if err := read(r, &a); err != nil {
			return WhyView{}, err
		}
		return s.Why(r.Context(), a, p)
	})
}

// question is what is asked, with what it needs to be answered.
type question struct {
	WhyAsk
	tx       *ledger.Tx
	at       ledger.State
	asker    act.Person   // nobody: whoever runs the node
	of       ledger.Entry // the act that it is about; of a product, its release or draft
	progress func(done, all int64)
}

// Why answers: a past question and a present one go the same way.
func (s *Server) Why(ctx context.Context, a WhyAsk, progress func(done, all int64)) (v WhyView, err error) {
	q := question{WhyAsk: a, progress: progress}
	if err := q.check(); err != nil {
		return v, err
	}
	if err = s.Ledger.View(ctx, func(tx *ledger.Tx) error { return s.find(tx, &q) }); err != nil {
		return v, err
	}
	err = s.Stood(ctx, q.When, progress, func(tx *ledger.Tx, at ledger.State) (err error) {
		v.At, v.Ledger = act.MomentOf(at.Moment), at.Head
		q.tx, q.at = tx, at
		if err := s.ask(tx, &q); err != nil {
			return err
		}
		switch {
		case q.Number != "":
			return s.product(&q, &v)
		case q.Pact != "":
			return s.life(&q, &v)
		case q.Draft != nil:
			return s.hypothetical(&q, &v)
		case q.Entry != nil:
			return s.act(&q, &v)
		}
		return s.refusals(&q, &v)
	})
	if err != nil || q.Entry == nil {
		return v, err
	}
	// What became of an act that records a ruling came after that ruling.
	return v, s.Ledger.View(ctx, func(tx *ledger.Tx) error {
		if v.Entries != nil {
			return nil
		}
		q.tx = tx
		_, err := s.became(&q, &v)
		return err
	})
}

func (q *question) check() error {
	asked := 0
	for _, is := range []bool{q.Number != "", q.Pact != "", q.Entry != nil, q.Act != nil, q.Draft != nil} {
		if is {
			asked++
		}
	}
	var err error
	q.Lang = cmp.Or(q.Lang, "en")
	switch {
	case !slices.Contains(languages, q.Lang):
		return invalid("an answer is told in one of: %s", strings.Join(languages, ", "))
	case asked > 1:
		return invalid("a question is about one thing: a product, a pact, an act or a release")
	case q.Number != "":
		err = q.Number.Check()
	case q.Pact != "":
		err = q.Pact.Check()
	case q.As == "" && (q.Draft != nil || asked == 0):
		return invalid("name who is asked about with --as: a release is by a person, and so is what was refused")
	}
	if err == nil && q.Recipient != "" {
		err = q.Recipient.Check()
	}
	if err != nil {
		return invalid("%v", err)
	}
	return nil
}

// find finds the act that a question is on, by the ledger as it is now: of a moment when it
// was not made yet, it is told from now.
func (s *Server) find(tx *ledger.Tx, q *question) (err error) {
	if err := s.ask(tx, q); err != nil {
		return err
	}
	if q.Entry != nil || q.Act != nil {
		return s.findAct(tx, q)
	}
	if q.Number == "" {
		return nil
	}
	cu, ok, err := s.Catalogue.Product(tx, q.Number)
	if err != nil {
		return err
	}
	if !ok && (q.Deed.Deed == "" || q.Deed.Deed == "release") {
		if refused, err := s.refused(tx, q); err != nil || refused {
			return err
		}
	}
	if q.Deed.Deed != "release" && q.Deed.Deed != "accept" {
		return nil
	}
	switch ours := q.Number.Party() == s.Card.Party; {
	case ours != (q.Deed.Deed == "release"): // which its number alone says
		return invalid("%s is of %s: its originator releases it, and its recipients accept it", q.Number, q.Number.Party())
	case !ok:
		return nothing(q.Number)
	case cu.From != "":
		q.of, err = tx.Entry(cu.Entry)
		return err
	}
	q.of = ledger.Entry{Act: act.Act{Kind: act.ReleaseAsked, Body: act.Release{Manifest: cu.Manifest, Drafter: cu.Asked.By}}}
	return nil
}

// ask finds who is asked about.
func (s *Server) ask(tx *ledger.Tx, q *question) (err error) {
	enrolled := false
	if q.asker, enrolled, err = s.Catalogue.Person(tx, q.As); err == nil && q.As != "" && !enrolled {
		err = invalid("nobody called %q is enrolled here, or was then: 'entente person list'", q.As)
	}
	return err
}

func nothing(n act.Number) error { return invalid("nothing here bears the number %s", n) }

// refused turns a question about a number that was drawn for a release, and refused, into one
// about that refusal.
func (s *Server) refused(tx *ledger.Tx, q *question) (is bool, err error) {
	for e, err := range tx.Entries(0) {
		if err != nil {
			return false, err
		}
		if d, denied := e.Act.Body.(act.Denial); !denied || e.Act.Kind != act.ReleaseDenied || d.Number != q.Number {
			continue
		}
		if ok, err := s.mayKnowAct(tx, q.As, e); err != nil || !ok {
			return false, err
		}
		q.Number, q.Entry = "", &e.Index
		return true, s.findAct(tx, q)
	}
	return false, nil
}

// verdict tells a ruling, with the acts behind it. It shows each entry to each.
func (s *Server) verdict(q *question, deed, by string, r ruling.Ruling, on catalogue.Basis, each func(ledger.Entry)) (*RuleView, error) {
	behind, err := s.Catalogue.Behind(q.tx, on, each)
	if err != nil {
		return nil, err
	}
	return s.resting(q, deed, by, r, on, behind)
}

// resting tells a ruling, with the acts that were found behind it.
func (s *Server) resting(q *question, deed, by string, r ruling.Ruling, on catalogue.Basis, behind []ledger.Entry) (*RuleView, error) {
	p, _, _, err := s.Catalogue.PactUnder(q.tx, on.Pact, on.Text)
	if err != nil {
		return nil, err
	}
	v := &RuleView{Deed: deed, By: by, Ruling: toldRuling(q.Lang, p, r), Rests: rests(behind)}
	if p != nil && act.Kind(deed).OfPact() {
		v.Version = p.Version
	}
	if !q.When.IsZero() {
		v.Today = s.unkept(deed, q.Lang)
	}
	return v, nil
}

// product explains what happened to a product, and how a deed with it is ruled.
func (s *Server) product(q *question, v *WhyView) (err error) {
	var on catalogue.Basis
	var r ruling.Ruling
	deed := cmp.Or(q.Deed.Deed, "read")
	asked := q.As != "" || deed == "accept"
	if asked {
		if r, on, err = s.ruled(q, deed); err != nil {
			return err
		}
	}
	rule, err := s.verdict(q, deed, q.As, r, on, func(e ledger.Entry) {
		about, is := product.About(e.Act)
		if d, denied := e.Act.Body.(act.Denial); is && about == q.Number || denied && d.Number == q.Number {
			v.Entries = append(v.Entries, entryView(e))
		}
		q.progress(e.Index+1, q.tx.Size())
	})
	if err != nil {
		return err
	}
	if asked {
		v.Ruling = rule
	} else if len(v.Entries) == 0 {
		return nothing(q.Number)
	}
	if v.Custody, _, err = s.Catalogue.Product(q.tx, q.Number); err != nil || q.As == "" || party.Holds(&q.asker, act.Audit) {
		return err
	}
	// A person is told no more than that person may know: of what is not to be
	// known, the same as of what does not exist.
	ok := false
	if len(v.Entries) > 0 {
		if ok, err = s.mayKnow(q.tx, q.As, v.Custody, q.at.Moment); err != nil {
			return err
		}
	}
	if !ok {
		v.Custody, v.Entries = product.Custody{}, nil
	}
	return nil
}

// ruled has the office whose deed it is rule by what stood.
func (s *Server) ruled(q *question, deed string) (ruling.Ruling, catalogue.Basis, error) {
	b, is := q.of.Act.Body.(act.Release)
	if is && q.As != "" {
		if ok, err := s.mayKnow(q.tx, q.As, product.Custody{Manifest: b.Manifest}, q.at.Moment); err != nil || !ok {
			return ruling.Ruling{}, catalogue.Basis{}, errors.Join(err, nothing(q.Number))
		}
	}
	switch deed {
	case "release":
		return s.released(q, b, q.As)
	case "accept":
		return s.Intake.Explain(q.tx, cmp.Or(q.Channel, "electronic"), q.of.Act, q.of.Index, q.at.Moment)
	}
	d := q.Deed
	d.Deed = deed
	return s.Reading.Explain(q.tx, q.Number, d, q.at.Moment)
}

// released rules on a release by a person: the second, where another drafted it.
func (s *Server) released(q *question, b act.Release, as string) (ruling.Ruling, catalogue.Basis, error) {
	drafter, _, _ := strings.Cut(b.Drafter, "@")
	d, second := release.DraftOf(&b.Manifest, as, b.Mandate), ""
	if drafter != "" {
		d.As, second = drafter, as
	}
	return s.Release.Explain(q.tx, d, b.Manifest.Number, second, q.at.Moment)
}

// hypothetical explains a release that nobody made. Under a pact that does not concern
// who asks, it is one under a pact that is not here.
func (s *Server) hypothetical(q *question, v *WhyView) error {
	d := *q.Draft
	d.As = q.As
	on := catalogue.Basis{Person: q.As}
	r := ruling.Release(&ruling.ReleaseFacts{})
	_, _, known, err := s.Catalogue.Pact(q.tx, d.Pact, q.at.Moment)
	if err == nil && known && (oversees(&q.asker) || concerned(&q.asker, d.Pact)) {
		r, on, err = s.Release.Explain(q.tx, d, release.Previewed, "", q.at.Moment)
	}
	if err != nil {
		return err
	}
	v.Ruling, err = s.verdict(q, "release", q.As, r, on, func(e ledger.Entry) { q.progress(e.Index+1, q.tx.Size()) })
	return err
}

// steps are those of a pact's life that a party takes after a text is proposed.
var steps = []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactNotified, act.PactCancelled, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead}

// life explains where a pact stands, by which acts and readings, and each step that
// we may take: by a person, or by whoever may sign.
func (s *Server) life(q *question, v *WhyView) error {
	views, err := s.pactViews(q.tx, q.at.Moment, q.Lang)
	if err != nil {
		return err
	}
	v.Pacts = slices.DeleteFunc(views, func(p PactView) bool { return p.ID != q.Pact })
	if len(v.Pacts) == 0 || q.As != "" && !oversees(&q.asker) && !concerned(&q.asker, q.Pact) {
		return invalid("no pact called %s is known here, or was then: 'entente pacts' lists them", q.Pact)
	}
	each := func(e ledger.Entry) { q.progress(e.Index+1, q.tx.Size()) }
	behind := map[act.Sum][]ledger.Entry{} // each text: it is the same for all its steps
	for _, k := range steps {
		if q.Deed.Deed != "" && act.Kind("pact."+q.Deed.Deed) != k {
			continue
		}
		r, on, err := s.Chancery.Explain(q.tx, k, q.Pact, q.As, q.at.Moment)
		if err == nil && behind[on.Text] == nil {
			behind[on.Text], err = s.Catalogue.Behind(q.tx, on, each)
		}
		if err != nil {
			return err
		}
		step, err := s.resting(q, string(k), q.As, r, on, behind[on.Text])
		if err != nil {
			return err
		}
		v.Steps = append(v.Steps, *step)
	}
	for _, p := range v.Pacts {
		if behind[p.Text] == nil {
			if behind[p.Text], err = s.Catalogue.Behind(q.tx, catalogue.Basis{Pact: p.ID, Text: p.Text, Life: true}, each); err != nil {
				return err
			}
		}
		for _, e := range behind[p.Text] {
			if e.Act = brief(e.Act); e.Act.Pact == q.Pact && !slices.ContainsFunc(v.Entries, func(was EntryView) bool { return was.Index == e.Index }) {
				v.Entries = append(v.Entries, entryView(e))
			}
		}
	}
	slices.SortFunc(v.Entries, func(a, b EntryView) int { return int(a.Index - b.Index) })
	if q.Deed.Deed == "" {
		return nil
	}
	if len(v.Steps) == 0 {
		return invalid("no step of a pact's life is called %q: 'entente pact --help' lists them", q.Deed.Deed)
	}
	v.Ruling, v.Steps = &v.Steps[0], nil
	return nil
}

// brief leaves a pact's text out of its proposal: 'entente pact show' prints it.
func brief(a act.Act) act.Act {
	if _, is := a.Body.(act.Proposal); is {
		a.Body = act.Proposal{}
	}
	return a
}

// refusals lists what a person was refused.
func (s *Server) refusals(q *question, v *WhyView) error {
	v.Entries = []EntryView{}
	for e, err := range q.tx.Entries(0) {
		if err != nil {
			return err
		}
		if b, is := e.Act.Body.(act.Denial); is && e.Act.From == s.Card.Party && b.Person == q.As {
			v.Entries = append(v.Entries, entryView(e))
		}
		q.progress(e.Index+1, q.tx.Size())
	}
	return nil
}

// unkept names what a past ruling is made by as it is today: the ledger does not keep it.
func (s *Server) unkept(deed, lang string) string {
	var all []string
	if s.Reading.Law != nil && deed != "stand" && !act.Kind(deed).OfPact() {
		all = append(all, say(lang)("ourlaw"))
	}
	if deed == "release" && s.Release.House().SecondPersonFrom > 0 {
		all = append(all, say(lang)("twopersons"))
	}
	return strings.Join(all, pact.Say(lang, ", "))
}

// rests names acts that a ruling rests on.
func rests(behind []ledger.Entry) []RestView {
	all := []RestView{}
	for _, e := range behind {
		all = append(all, RestView{e.Index, e.Act.Kind, cmp.Or(e.Act.By, string(e.Act.From)), e.Act.At, e.Digest})
	}
	return all
}

// toldRuling tells a ruling under a pact in a language.
func toldRuling(lang string, p *pact.Pact, r ruling.Ruling) ruling.Ruling {
	if lang == "en" {
		return r
	}
	r.Because = told(lang, p, r.Because)
	r.Duties = slices.Clone(r.Duties)
	for i := range r.Duties {
		r.Duties[i] = p.Style(ruling.Say(lang, r.Duties[i]))
	}
	return r
}

// told tells reasons in a language: the title of an article that an allowed deed rests on
// is the pact's own.
func told(lang string, p *pact.Pact, all []act.Reason) (told []act.Reason) {
	for _, r := range all {
		t := ruling.In(lang, r)
		t.Text, t.Cure = p.Style(t.Text), p.Style(t.Cure)
		if p != nil {
			t.Text = p.TitleOf(r, lang, t.Text)
		}
		told = append(told, t)
	}
	return told
}

// rule rules on a draft by a person and changes nothing.
func (s *Server) rule(ctx context.Context, d release.Draft, lang string) (RuleView, error) {
	v, err := s.Why(ctx, WhyAsk{Draft: &d, Deed: reading.Deed{As: d.As}, Lang: lang}, func(_, _ int64) {})
	if err != nil {
		return RuleView{}, err
	}
	return *v.Ruling, nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// AskAbout reads what a question is about: a product's number, an entry of the ledger, an act's
// digest, or else a pact's name.
func AskAbout(of string) (a WhyAsk) {
	var d act.Digest
	switch n, err := strconv.ParseInt(of, 10, 64); {
	case err == nil:
		a.Entry = &n
	case d.UnmarshalText([]byte(of)) == nil:
		a.Act = &d
	case strings.ToLower(of) != of:
		a.Number = act.Number(of)
	default:
		a.Pact = act.PactID(of)
	}
	return a
}

// ParseWhen reads the moment of a question, or the entry that it is asked just before; nothing: now.
func ParseWhen(s string) (w ledger.When, err error) {
	if s == "" {
		return w, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		w.Entry = &n
		return w, nil
	}
	if w.Moment, err = time.Parse(time.RFC3339, s); err != nil {
		err = invalid("a moment is written 2016-12-16T09:00:00+09:00, and an entry as 'entente ledger show' numbers it")
	}
	return w, err
}

// Say tells a fixed word or sentence of the desk in a language, with its holes.
func Say(lang, key string) string { return say(lang)(key) }

// Term tells a word of acts in a language: a deed, a step, a phase of a pact.
func Term(lang, word string) string { return term(lang)(word) }
