package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	case !ok:
		return nothing(q.Number)
	case ours != (q.Deed.Deed == "release"):
		return invalid("%s is of %s: its originator releases it, and its recipients accept it", q.Number, q.Number.Party())
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

// findAct finds an act. One that ends or answers another is explained with that other.
func (s *Server) findAct(tx *ledger.Tx, q *question) error {
	name := ""
	i, ok, err := int64(0), true, error(nil)
	if q.Act != nil {
		name = q.Act.String()
		i, ok, err = tx.Find(*q.Act)
	} else if name, i = "entry "+itoa(*q.Entry), *q.Entry; i < 0 || i >= tx.Size() {
		ok = false
	}
	for again := true; err == nil && ok && again; {
		if q.of, err = tx.Entry(i); err != nil {
			return err
		}
		if ok, err = s.mayKnowAct(tx, q.As, q.of); err != nil || !ok {
			break
		}
		again = false
		if d := ends(q.of.Act); d != nil {
			i, again, err = tx.Find(*d)
		}
	}
	if err != nil || !ok {
		return errors.Join(err, unheard(name))
	}
	q.Entry, q.Act = &q.of.Index, nil
	if !s.records(q.of) {
		return nil
	}
	if !q.When.IsZero() {
		return invalid("entry %d records how it was ruled on just before it: ask of no other moment", q.of.Index)
	}
	q.When.Entry = &q.of.Index
	return nil
}

// unheard is said of an act that is not here, and of one that may not be known.
func unheard(name string) error {
	return invalid("no act here is %s: 'entente ledger show' numbers them", name)
}

// ends names the act that another one ends, or answers.
func ends(a act.Act) *act.Digest {
	switch b := a.Body.(type) {
	case act.Withdrawal:
		return &b.Act
	case act.Approval:
		return &b.Visit
	}
	return nil
}

// records reports whether an entry records a ruling of ours.
func (s *Server) records(e ledger.Entry) bool {
	ours := e.Act.From == s.Card.Party
	switch e.Act.Body.(type) {
	case act.Release:
		return true // a partner's: we ruled on taking it in
	case act.Denial, act.Opening, act.Copy, act.Showing, act.Review, act.Reclassification, act.Certificate, act.Step, act.Interpretation, act.Refusal:
		return ours
	}
	return false
}

// mayKnowAct reports whether a person may be told of an act; nobody: whoever runs the node may.
func (s *Server) mayKnowAct(tx *ledger.Tx, who string, e ledger.Entry) (bool, error) {
	p, enrolled, err := s.Catalogue.Person(tx, who)
	if err != nil || who == "" || oversees(&p) {
		return err == nil, err
	}
	if !enrolled || p.Left {
		return false, nil
	}
	if e.Act.By == who+"@"+string(s.Card.Party) {
		return true, nil
	}
	if b, is := e.Act.Body.(act.Denial); is { // who asked was told; of others, those whose business it is
		return b.Person == who || party.Holds(&p, act.Registry) || e.Act.Kind == act.ReleaseDenied && party.Holds(&p, act.Releasing), nil
	}
	if d := ends(e.Act); d != nil {
		i, ok, err := tx.Find(*d)
		if err != nil || !ok {
			return false, err
		}
		of, err := tx.Entry(i)
		if err != nil || ends(of.Act) != nil {
			return false, err
		}
		return s.mayKnowAct(tx, who, of)
	}
	if n, is := product.About(e.Act); is {
		cu, ok, err := s.Catalogue.Product(tx, n)
		if err != nil || !ok {
			return false, err
		}
		return s.mayKnow(tx, who, cu, s.Now())
	}
	return e.Act.Pact != "" && concerned(&p, e.Act.Pact), nil
}

// verdict tells a ruling, with the acts behind it. It shows each entry to each.
func (s *Server) verdict(q *question, deed, by string, r ruling.Ruling, on catalogue.Basis, each func(ledger.Entry)) (*RuleView, error) {
	behind, err := s.Catalogue.Behind(q.tx, on, each)
	if err != nil {
		return nil, err
	}
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
	found := map[int64]ledger.Entry{}
	for _, p := range v.Pacts {
		behind, err := s.Catalogue.Behind(q.tx, catalogue.Basis{Pact: p.ID, Text: p.Text, Life: true}, func(ledger.Entry) {})
		if err != nil {
			return err
		}
		for _, e := range behind {
			found[e.Index] = e
		}
	}
	for _, e := range found {
		e.Act = brief(e.Act)
		v.Entries = append(v.Entries, entryView(e))
	}
	slices.SortFunc(v.Entries, func(a, b EntryView) int { return int(a.Index - b.Index) })
	for _, k := range steps {
		if q.Deed.Deed != "" && act.Kind("pact."+q.Deed.Deed) != k {
			continue
		}
		r, on, err := s.Chancery.Explain(q.tx, k, q.Pact, q.As, q.at.Moment)
		if err != nil {
			return err
		}
		step, err := s.verdict(q, string(k), q.As, r, on, func(e ledger.Entry) { q.progress(e.Index+1, q.tx.Size()) })
		if err != nil {
			return err
		}
		v.Steps = append(v.Steps, *step)
	}
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

// act explains an act: the ruling that it records, or whether what it gave still stands.
func (s *Server) act(q *question, v *WhyView) (err error) {
	each := func(e ledger.Entry) { q.progress(e.Index+1, q.tx.Size()) }
	if s.records(q.of) {
		deed, by, r, on, err := s.again(q)
		if err != nil {
			return err
		}
		v.Recorded = true
		v.Ruling, err = s.verdict(q, deed, by, r, on, each)
		return err
	}
	if q.of.Index >= q.tx.Size() {
		return unheard("entry " + itoa(q.of.Index))
	}
	replaced, err := s.became(q, v)
	if err != nil {
		return err
	}
	given, err := s.Catalogue.Of(q.tx, q.of)
	if err != nil {
		return err
	}
	v.Gave = gave(q.Lang, cmp.Or(given, q.of.Act.Body))
	for _, e := range v.Entries[1:] {
		if b, is := e.Act.Body.(act.Refusal); is && e.Act.From == s.Card.Party { // a partner's act, and it had no effect here
			v.Ruling, err = s.verdict(q, "stand", "", ruling.Ruling{Because: b.Because}, catalogue.Basis{Acts: []act.Digest{q.of.Digest}}, each)
			return err
		}
	}
	if _, is := q.of.Act.Body.(act.LawNotice); is && len(q.of.Act.To) == 1 {
		if !slices.ContainsFunc(v.Entries, func(e EntryView) bool { return e.Act.Kind == act.LawAcknowledged }) {
			v.Waits = say(q.Lang)("lawopen") + ": " + string(q.of.Act.To[0])
		}
		return nil
	}
	f, until, on, err := s.given(q, given)
	if err != nil || f == nil {
		return err
	}
	f.Replaced = replaced
	if v.Ruling, err = s.verdict(q, "stand", "", ruling.Grant(f), on, each); err == nil && !until.IsZero() {
		v.Ruling.Until = &until
	}
	return err
}

// given gathers what is asked about something that was given; nil: the act gave nothing that ends.
func (s *Server) given(q *question, given any) (f *ruling.GrantFacts, until act.Moment, on catalogue.Basis, err error) {
	f = &ruling.GrantFacts{Now: q.at.Moment}
	on = catalogue.Basis{Acts: []act.Digest{q.of.Digest}}
	id, text := q.of.Act.Pact, act.Sum{}
	switch b := given.(type) {
	case *product.Consent:
		cu, _, err := s.Catalogue.Product(q.tx, b.Number)
		if err != nil {
			return nil, until, on, err
		}
		f.Consent, until, text = b, b.Until, cu.Text // a product keeps the terms that it was released under (R57)
		on.Life = b.Deed == "pass-on"
	case *product.Mandate:
		f.Mandate, until, on.Life = b, b.Until, true
	case *product.Visit:
		f.Visit, until, on.Life = b, b.Until, true
	case *product.Assurance:
		f.Assurance, until, on.Life = b, b.Until, true
	case *product.Accreditation:
		f.Accreditation, until = b, b.Until
		return f, until, on, nil
	default:
		switch b := q.of.Act.Body.(type) {
		case act.Person:
			f.Person, until = &b, b.Until
		case act.Known, act.Routing, act.Authority, act.Parking: // they stand until they are stated anew
		default:
			return nil, until, on, nil
		}
		return f, until, on, nil
	}
	p, row, ok, err := s.Catalogue.Pact(q.tx, id, q.at.Moment)
	if err == nil && text != (act.Sum{}) {
		p, row, ok, err = s.Catalogue.PactUnder(q.tx, id, text)
	}
	if err != nil || !ok {
		return nil, until, on, err
	}
	f.Pact, f.Life, on.Pact, on.Text = p, row.Life, id, row.Text
	return f, until, on, nil
}

// gave says what was given: words of the act's own, which are data, after what it lets be done.
func gave(lang string, given any) []string {
	to := func(m act.Mark) string { return pact.Say(lang, "up to "+m.Text) }
	switch b := given.(type) {
	case *product.Consent:
		all := []string{string(b.Number), Term(lang, b.Deed)}
		if b.Recipient != "" {
			all = append(all, string(b.Recipient))
		}
		return append(all, b.Purpose, fmt.Sprintf(Say(lang, "uses"), b.Used, b.Uses))
	case *product.Mandate:
		return []string{string(b.Pact), Term(lang, b.Kind), pact.Say(lang, b.Subject), to(b.Mark), b.Purpose}
	case *product.Visit:
		all := append(slices.Clone(b.Visitors), b.Subject)
		if b.Approved != nil {
			all = append(all, to(*b.Approved))
		}
		return all
	case *product.Assurance:
		return append([]string{b.Meeting, to(b.Mark)}, b.Persons...)
	case *product.Accreditation:
		return []string{pact.Say(lang, b.Channel), to(b.Mark), b.By}
	case act.LawNotice:
		return []string{b.Text}
	}
	return nil
}

// became lists an act and what became of it, as far as who asks may know.
func (s *Server) became(q *question, v *WhyView) (replaced bool, err error) {
	all, replaced, err := s.Catalogue.Became(q.tx, q.of)
	if err != nil {
		return false, err
	}
	q.of.Act = brief(q.of.Act)
	v.Entries = []EntryView{entryView(q.of)}
	for _, e := range all {
		if ok, err := s.mayKnowAct(q.tx, q.As, e); err != nil {
			return false, err
		} else if ok {
			v.Entries = append(v.Entries, entryView(e))
		}
	}
	return replaced, nil
}

// again rules as an entry records it, by the state before it. What was refused stands in the entry itself.
func (s *Server) again(q *question) (deed, by string, r ruling.Ruling, on catalogue.Basis, err error) {
	a, at := q.of.Act, q.at.Moment
	by, _, _ = strings.Cut(a.By, "@")
	do := func(n act.Number, d reading.Deed) {
		deed, by = d.Deed, d.As
		r, on, err = s.Reading.Explain(q.tx, n, d, at)
	}
	switch b := a.Body.(type) {
	case act.Release:
		if deed = "release"; a.From == s.Card.Party {
			r, on, err = s.released(q, b, by)
			break
		}
		deed, by = "accept", a.By
		r, on, err = s.Intake.Explain(q.tx, cmp.Or(q.Channel, "electronic"), a, q.of.Index, at)
	case act.Opening:
		do(b.Number, reading.Deed{As: b.Person, Deed: "read", Purpose: b.Purpose})
	case act.Copy:
		do(b.Number, reading.Deed{As: b.Person, Deed: "copy"})
	case act.Showing:
		do(b.Number, reading.Deed{As: b.Person, Deed: "show", Visit: &b.Visit, Visitor: b.Visitor})
	case act.Review:
		do(b.Number, reading.Deed{As: b.Person, Deed: "review"})
	case act.Reclassification:
		do(b.Number, reading.Deed{As: by, Deed: "downgrade", Mark: b.Mark.Text})
	case act.Certificate:
		do(b.Number, reading.Deed{As: b.Person, Deed: "destroy", Method: b.Method, Witness: b.Witness})
	case act.Step, act.Interpretation:
		deed = string(a.Kind)
		r, on, err = s.Chancery.Explain(q.tx, a.Kind, a.Pact, by, at)
	case act.Denial:
		if a.Kind == act.OpeningDenied {
			do(b.Number, reading.Deed{As: b.Person, Deed: cmp.Or(b.Deed, "read"), Purpose: b.Purpose})
		} else {
			deed, by = "release", b.Person
			on, err = s.draftedFor(q, b)
		}
		r = ruling.Ruling{Because: b.Because}
	case act.Refusal:
		deed, by = "accept", ""
		on.Acts = []act.Digest{b.Act}
		r = ruling.Ruling{Because: b.Because}
		i, ok, known := q.tx.Find(b.Act)
		if err = known; err != nil || !ok {
			break
		}
		e, known := q.tx.Entry(i)
		if err = known; err != nil {
			break
		}
		if by = cmp.Or(e.Act.By, string(e.Act.From)); b.Kind == act.ProductReleased {
			_, on, err = s.Intake.Explain(q.tx, cmp.Or(q.Channel, "electronic"), e.Act, i, at)
		}
	}
	return deed, by, r, on, err
}

// draftedFor names what the refusal of a release was ruled on: its draft stands in it, or waited for a second person.
func (s *Server) draftedFor(q *question, b act.Denial) (on catalogue.Basis, err error) {
	cu, _, err := s.Catalogue.Product(q.tx, b.Number)
	switch {
	case err != nil:
	case cu.Asked != nil:
		_, on, err = s.released(q, act.Release{Manifest: cu.Manifest, Drafter: cu.Asked.By}, b.Person)
	case b.Manifest != nil:
		_, on, err = s.released(q, act.Release{Manifest: *b.Manifest, Mandate: b.Mandate}, b.Person)
	default:
		on.Person = b.Person
	}
	return on, err
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
