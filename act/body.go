package act

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// Card is what a party shows of itself: names and public keys. Two people
// compare its code once; from then on the keys in it are the pin.
type Card struct {
	Party  Party    `json:"party"`
	Name   Names    `json:"name"`
	Link   Sum      `json:"link"`   // SHA-384 of the public key (SPKI) of the node's TLS certificate
	Ledger []string `json:"ledger"` // verifiers of the checkpoint, each "name+hash+key"; all must sign
	Seal   []byte   `json:"seal"`   // public key that products are sealed to
	Period int      `json:"period"` // key period, from 1
}

// Verifiers returns the keys that sign the party's checkpoints, and what its node states
// beside its ledger: all of them do.
func (c Card) Verifiers() (vs []note.Verifier, err error) {
	for _, s := range c.Ledger {
		v, err := ParseVerifier(s)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

func (c Card) check() error {
	if err := c.Party.Check(); err != nil {
		return err
	}
	return malformed("card of "+string(c.Party), c.Name.ok(), len(c.Ledger) > 0 && len(c.Ledger) <= 8, len(c.Seal) <= 8<<10, c.Period >= 1)
}

// MaxCard bounds a card as it is carried by hand.
const MaxCard = 64 << 10

// ParseCard reads a card that came as a line of JSON: one spelling of it.
func ParseCard(b []byte) (c Card, err error) {
	if len(b) > MaxCard || json.Unmarshal(b, &c) != nil || c.check() != nil {
		return Card{}, fmt.Errorf("%w: it is no card", ErrMalformed)
	}
	if again, err := json.Marshal(c); err != nil || !bytes.Equal(bytes.TrimSpace(b), again) {
		return Card{}, fmt.Errorf("%w: it is no card", ErrMalformed)
	}
	return c, nil
}

// Names is what people call a thing, in the three languages of the desk.
type Names struct {
	EN string `json:"en"`
	KO string `json:"ko,omitempty"`
	JA string `json:"ja,omitempty"`
}

func (n Names) ok() bool { return line(n.EN) && line(n.KO) && line(n.JA) }

// In returns the name in a language ("en", "ko", "ja"), or the English one.
func (n Names) In(lang string) string {
	switch {
	case lang == "ko" && n.KO != "":
		return n.KO
	case lang == "ja" && n.JA != "":
		return n.JA
	}
	return n.EN
}

// Person is one of a party's own people, as enrolled. The last act about a
// name counts.
type Person struct {
	Name      string   `json:"name"` // what stands before the @: release, analyst, kim
	Post      string   `json:"post"` // the office that the person holds
	Key       string   `json:"key"`  // verifier of the person's signature
	Offices   []Office `json:"offices"`
	Clearance string   `json:"clearance,omitempty"` // a marking of the own scheme, as it is stamped; empty: none
	Until     Moment   `json:"until"`               // clearance and needs end here
	Needs     []Need   `json:"needs,omitempty"`
	Briefed   bool     `json:"briefed,omitempty"`
	Facility  string   `json:"facility,omitempty"` // the facility whose register of persons holds the name
	Left      bool     `json:"left,omitempty"`     // a leaver loses all at once
	Identity  string   `json:"identity,omitempty"` // who it is in the party's personnel records: names that bear one are one person
}

// Need is a need to know: a pact and the purposes of its products.
type Need struct {
	Pact     PactID   `json:"pact"`
	Purposes []string `json:"purposes"` // as the pact names them
}

// Office is what a person may do at their own node.
type Office string

// The offices.
const (
	Releasing     Office = "release"    // draft and release products
	Reading       Office = "read"       // open products
	Registry      Office = "registry"   // number, receive, file
	Signing       Office = "sign"       // sign and end pacts, know partners
	Audit         Office = "audit"      // see acts and proofs, no content
	Administering Office = "administer" // run the node; no content by this office
)

func (p Person) check() error {
	for _, o := range p.Offices {
		if !slices.Contains([]Office{Releasing, Reading, Registry, Signing, Audit, Administering}, o) {
			return fmt.Errorf("%w: no office is called %q", ErrMalformed, o)
		}
	}
	return malformed("person "+p.Name, simple(p.Name, MaxName), line(p.Post), line(p.Key), line(p.Clearance), line(p.Facility), line(p.Identity), len(p.Offices) <= 16, len(p.Needs) <= MaxList)
}

// Known enters a partner: Code is what its officer read out, and it matched.
type Known struct {
	Card Card   `json:"card"`
	Code string `json:"code"`
}

func (k Known) check() error { return k.Card.check() }

// Routing says by way of whom a partner is reached; empty: directly.
type Routing struct {
	Party Party `json:"party"`
	Via   Party `json:"via,omitempty"`
}

func (r Routing) check() error {
	if err := r.Party.Check(); err != nil {
		return err
	}
	return malformed("route to "+string(r.Party), r.Via == "" || r.Via.Check() == nil && r.Via != r.Party)
}

// Authority names a person who may act towards the partner (article 2, R3).
type Authority struct {
	Name    string   `json:"name"`
	Post    string   `json:"post"`
	Key     string   `json:"key"`
	Offices []Office `json:"offices"`
}

func (a Authority) check() error {
	return malformed("authority "+a.Name, simple(a.Name, MaxName), line(a.Post), line(a.Key), len(a.Offices) <= 16)
}

// Parking ends the link to a partner, or takes it up again.
type Parking struct {
	Party  Party  `json:"party"`
	Reason string `json:"reason"`
}

func (p Parking) check() error {
	if err := p.Party.Check(); err != nil {
		return err
	}
	return malformed("parking", line(p.Reason))
}

// Accreditation says that our system may carry what is marked up to Mark by a
// channel, until it ends (R37). The last act about a channel and a mark counts:
// one that has ended already takes the accreditation away.
type Accreditation struct {
	Channel string `json:"channel"` // as pacts name it: electronic, courier, hub
	Mark    Mark   `json:"mark"`    // the highest, of our own scheme
	Until   Moment `json:"until"`
	By      string `json:"by"` // the accrediting authority, and its paper
}

func (a Accreditation) check() error {
	return malformed("accreditation", PactID(a.Channel).Check() == nil, line(a.Mark.Text), a.Mark.Text != "", line(a.By))
}

// Proposal carries the text of a pact.
type Proposal struct {
	Text string `json:"text"`
}

func (p Proposal) check() error { return malformed("the pact's text", len(p.Text) <= MaxText) }

// Step is one step in a pact's life, by one party.
type Step struct {
	Text Sum    `json:"text"`           // SHA-384 of the pact's text
	Note string `json:"note,omitempty"` // what the diplomatic note said
}

func (s Step) check() error { return malformed("note", line(s.Note)) }

// Interpretation declares how a party reads the pact's state, where the text leaves
// it open. The stricter reading rules new transfers.
type Interpretation struct {
	Text  Sum    `json:"text"`
	Phase string `json:"phase"` // as pact names its phases
	Note  string `json:"note,omitempty"`
}

func (r Interpretation) check() error { return malformed("reading", line(r.Phase), line(r.Note)) }

// Consent is the originator's written approval of one thing that the pact
// otherwise forbids: a release to a third party, another purpose, a copy
// (article 6, R13 to R16). It names all it covers; nothing is inferred.
type Consent struct {
	Number    Number `json:"number"`
	Deed      string `json:"deed"`                // pass-on, purpose, copy, translate, extract
	Recipient Party  `json:"recipient,omitempty"` // of a pass-on
	Purpose   string `json:"purpose"`
	Until     Moment `json:"until"`
	Uses      int    `json:"uses"` // how often; 1 or more
}

func (c Consent) check() error {
	if err := c.Number.Check(); err != nil {
		return err
	}
	return malformed("consent", slices.Contains([]string{"pass-on", "purpose", "copy", "translate", "extract"}, c.Deed), (c.Deed == "pass-on") == (c.Recipient != ""),
		c.Recipient == "" || c.Recipient.Check() == nil, line(c.Purpose), c.Purpose != "", c.Uses >= 1 && c.Uses <= 1000)
}

// LawNotice tells a change of a party's law that affects protection.
type LawNotice struct {
	Text string `json:"text"`
}

func (l LawNotice) check() error { return malformed("notice of law", line(l.Text), l.Text != "") }

// Assurance is the receiving party's word, before an oral or visual disclosure,
// that those present are cleared and need to know (article 7, R26).
type Assurance struct {
	Meeting string   `json:"meeting"`
	Persons []string `json:"persons"` // posts or names
	Mark    Mark     `json:"mark"`    // the highest
	Until   Moment   `json:"until"`
}

func (a Assurance) check() error {
	return malformed("assurance", line(a.Meeting), len(a.Persons) >= 1 && len(a.Persons) <= MaxList, lines(a.Persons), line(a.Mark.Text))
}

func lines(all []string) bool {
	for _, s := range all {
		if !line(s) {
			return false
		}
	}
	return true
}

// Visit asks for a visit that gives access.
type Visit struct {
	Visitors []string `json:"visitors"`
	Subject  string   `json:"subject"`
	Mark     Mark     `json:"mark"` // the highest that is asked for
	From     Moment   `json:"from"`
	Until    Moment   `json:"until"`
}

func (v Visit) check() error {
	return malformed("visit", len(v.Visitors) >= 1 && len(v.Visitors) <= MaxList, lines(v.Visitors), line(v.Subject), line(v.Mark.Text), v.From.Before(v.Until.Time))
}

// Approval is the host's answer to a visit: up to a mark of its own.
type Approval struct {
	Visit Digest `json:"visit"`
	Mark  Mark   `json:"mark"`
}

func (a Approval) check() error { return malformed("approval", line(a.Mark.Text)) }

// Review says that a product is still needed, until the next review.
type Review struct {
	Number Number `json:"number"`
	Person string `json:"person"`
	Until  Moment `json:"until"`
	Reason string `json:"reason"`
}

func (r Review) check() error {
	if err := r.Number.Check(); err != nil {
		return err
	}
	return malformed("review", line(r.Person), line(r.Reason))
}

// Showing enters that a visitor was shown a product.
type Showing struct {
	Number  Number `json:"number"`
	Visit   Digest `json:"visit"`
	Visitor string `json:"visitor"`
	Person  string `json:"person"` // who showed it
}

func (s Showing) check() error {
	if err := s.Number.Check(); err != nil {
		return err
	}
	return malformed("showing", line(s.Visitor), line(s.Person))
}

// Withdrawal names an act and ends what it gave or opened: a consent, a mandate,
// a visit, a notice that is acknowledged.
type Withdrawal struct {
	Act  Digest `json:"act"`
	Note string `json:"note,omitempty"`
}

func (w Withdrawal) check() error { return malformed("withdrawal", line(w.Note)) }

// Mandate is an officer's standing authority: products of a class, up to a
// mark, for a purpose, go at once until it ends.
type Mandate struct {
	Pact    PactID `json:"pact"`
	Kind    string `json:"kind"` // of product
	Subject string `json:"subject"`
	Mark    Mark   `json:"mark"` // the highest
	Purpose string `json:"purpose"`
	Until   Moment `json:"until"`
}

func (m Mandate) check() error {
	return malformed("mandate", m.Pact.Check() == nil, line(m.Kind), line(m.Subject), line(m.Mark.Text), line(m.Purpose))
}

// Copy enters one copy: its number, why it was made and who holds it.
type Copy struct {
	Number   Number   `json:"number"`
	Copy     int      `json:"copy"` // 1 is the first
	Person   string   `json:"person"`
	Holder   string   `json:"holder"`
	Reason   string   `json:"reason"`
	Consents []Digest `json:"consents,omitempty"` // the originators' approvals that it spends
}

func (c Copy) check() error {
	if err := c.Number.Check(); err != nil {
		return err
	}
	return malformed("copy", c.Copy >= 1, len(c.Consents) <= MaxList, line(c.Person), line(c.Holder), line(c.Reason))
}

// Reclassification gives a product another mark, from now on.
type Reclassification struct {
	Number Number `json:"number"`
	Mark   Mark   `json:"mark"`
	Reason string `json:"reason"`
}

func (r Reclassification) check() error {
	if err := r.Number.Check(); err != nil {
		return err
	}
	return malformed("reclassification", line(r.Mark.Text), line(r.Reason))
}

// Certificate says that every copy held here is destroyed.
type Certificate struct {
	Number  Number   `json:"number"`
	Vault   Sum      `json:"vault"`
	Person  string   `json:"person"`
	Method  string   `json:"method"`
	Witness []string `json:"witness,omitempty"`
	Copies  int      `json:"copies"`
}

func (c Certificate) check() error {
	if err := c.Number.Check(); err != nil {
		return err
	}
	return malformed("certificate", line(c.Person), line(c.Method), len(c.Witness) <= 4, c.Copies >= 0)
}

// Mark is a stamp as it stands on a product: whose scheme, and the exact words.
type Mark struct {
	Party Party  `json:"party"`
	Text  string `json:"text"`
}

// Release is a product that goes to its recipients: manifest and seal, bound
// to each other. As the body of release.asked it is only a draft.
type Release struct {
	Manifest Manifest `json:"manifest"`
	Seal     Seal     `json:"seal"`
	Drafter  string   `json:"drafter,omitempty"`  // who drafted it, where another released it
	Text     Sum      `json:"text"`               // SHA-384 of the pact's text: the terms that it keeps
	Basis    []string `json:"basis,omitempty"`    // the articles that the ruling rests on
	Mandate  *Digest  `json:"mandate,omitempty"`  // standing authority it was released under
	Consents []Digest `json:"consents,omitempty"` // the originators' approvals that it spends
}

func (r Release) check() error {
	if err := r.Manifest.Check(); err != nil {
		return err
	}
	return malformed("release", r.Seal.Size >= 0, r.Seal.Plain >= 0, len(r.Basis) <= MaxList, len(r.Consents) <= MaxList, line(r.Drafter))
}

// Seal names the sealed bytes of a product.
type Seal struct {
	Vault Sum    `json:"vault"` // digest tree over the sealed bytes: checked without keys
	Size  int64  `json:"size"`  // of the sealed bytes
	Plain int64  `json:"plain"` // of the content
	Root  []byte `json:"root"`  // the seal's own root signature
	Keys  Sum    `json:"keys"`  // SHA-384 of the key access list as released
	Mode  string `json:"mode"`  // released, originator-controlled, lease
}

// Manifest describes a product. Its exact bytes are bound to the content.
type Manifest struct {
	Number     Number    `json:"number"`
	Pact       PactID    `json:"pact"`
	Title      string    `json:"title"`
	Kind       string    `json:"kind"`     // report, assessment, imagery, notice
	Subject    string    `json:"subject"`  // as the pact names its subjects
	Form       string    `json:"form"`     // oral, visual, electronic, magnetic, documentary, equipment, technology
	Purpose    string    `json:"purpose"`  // what it may be used for, as the pact names it
	Language   string    `json:"language"` // BCP 47
	Mark       Mark      `json:"mark"`     // the originator's, kept for ever
	Caveats    []string  `json:"caveats,omitempty"`
	Originator Party     `json:"originator"`
	Origins    []Party   `json:"origins"`             // of everything in it, sorted
	Recipients []Party   `json:"recipients"`          // sorted
	MediaType  string    `json:"media_type"`          //
	File       string    `json:"file,omitempty"`      // a name from outside: data, never a path
	Made       Moment    `json:"made"`                // when it was marked
	Review     *Moment   `json:"review,omitempty"`    // when its need is reviewed
	Event      *Event    `json:"event,omitempty"`     // what it is about
	Footprint  *Box      `json:"footprint,omitempty"` // what it shows
	Lineage    []Lineage `json:"lineage,omitempty"`
}

// Check reports whether m is within the bounds of an act.
func (m Manifest) Check() error {
	if err := m.Number.Check(); err != nil {
		return err
	}
	if err := m.Originator.Check(); err != nil {
		return err
	}
	texts := [][2]string{{"title", m.Title}, {"kind", m.Kind}, {"subject", m.Subject}, {"form", m.Form}, {"purpose", m.Purpose}, {"language", m.Language}, {"marking", m.Mark.Text},
		{"party of the marking", string(m.Mark.Party)}, {"media type", m.MediaType}, {"name of the file", m.File}}
	for _, c := range m.Caveats {
		texts = append(texts, [2]string{"caveat", c})
	}
	for _, t := range texts {
		if !line(t[1]) {
			return fmt.Errorf("%w: the manifest of %s: the %s has more than %d bytes, or characters that cannot be shown", ErrMalformed, m.Number, t[0], MaxLine)
		}
	}
	for _, l := range m.Lineage {
		if err := l.Of.Check(); err != nil {
			return err
		}
	}
	return malformed("manifest of "+string(m.Number), len(m.Caveats) <= MaxList, len(m.Origins) >= 1 && len(m.Origins) <= MaxParties,
		len(m.Recipients) >= 1 && len(m.Recipients) <= MaxParties, len(m.Lineage) <= MaxList, m.Event == nil || m.Event.ok(), m.Footprint == nil || m.Footprint.ok())
}

// Event is what a product is about. An event has many products, each with the
// view of the party it is attributed to; they are never merged.
type Event struct {
	ID    string  `json:"id"`
	Kind  string  `json:"kind"` // nuclear-test, missile-launch
	Time  *Moment `json:"time,omitempty"`
	Place *Place  `json:"place,omitempty"`
}

func (e *Event) ok() bool { return line(e.ID) && line(e.Kind) && (e.Place == nil || e.Place.ok()) }

// Place is a point in degrees, WGS 84.
type Place struct {
	Lat  float64 `json:"lat"`
	Lon  float64 `json:"lon"`
	Name string  `json:"name,omitempty"`
}

func (p *Place) ok() bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180 && line(p.Name)
}

// Box is an area in degrees, WGS 84; West is more than East across the antimeridian.
type Box struct {
	South float64 `json:"south"`
	West  float64 `json:"west"`
	North float64 `json:"north"`
	East  float64 `json:"east"`
}

func (b *Box) ok() bool {
	return b.South >= -90 && b.South <= b.North && b.North <= 90 && b.West >= -180 && b.West <= 180 && b.East >= -180 && b.East <= 180
}

// Lineage says what a product was made from.
type Lineage struct {
	Of  Number `json:"of"`
	How string `json:"how"` // answer, translation, excerpt, assessment
}

// Receipt says that the act and, for a product, its content are durable here.
// Custody passes with it (article 9, R30).
type Receipt struct {
	Act    Digest `json:"act"`
	Number Number `json:"number"`
	Vault  Sum    `json:"vault"`
	Mark   Mark   `json:"mark"` // the equivalent that now stands beside the original
}

// Opening enters that a person reads a product.
type Opening struct {
	Number   Number   `json:"number"`
	Person   string   `json:"person"`
	Purpose  string   `json:"purpose"`
	Consents []Digest `json:"consents,omitempty"` // the originators' approvals of this purpose that it spends
}

// Denial enters what was asked for and not done.
type Denial struct {
	Number   Number    `json:"number,omitempty"`
	Person   string    `json:"person"`
	Purpose  string    `json:"purpose,omitempty"`
	Deed     string    `json:"deed,omitempty"`     // with a product; absent: to read it
	Manifest *Manifest `json:"manifest,omitempty"` // of a release, as it was drafted, where it can be written
	Mandate  *Digest   `json:"mandate,omitempty"`  // that the release was to go under
	Because  []Reason  `json:"because"`
}

// Reason is one ground of a ruling, in words.
type Reason struct {
	Article string `json:"article"` // the article of the pact, or the rule
	Text    string `json:"text"`
	Cure    string `json:"cure,omitempty"` // what would change the answer
}

// Medium says that a courier's medium was packed, or taken in.
type Medium struct {
	Party   Party  `json:"party"` // the other party
	Seal    string `json:"seal"`  // seal number of the packing
	Medium  int    `json:"medium"`
	Of      int    `json:"of"`
	Parcels int    `json:"parcels"`
	Hands   string `json:"hands"`             // into whose it was given
	Instead string `json:"instead,omitempty"` // the packing that was given up for this one
}

func (m Medium) check() error {
	if err := m.Party.Check(); err != nil {
		return err
	}
	return malformed("medium", line(m.Seal), line(m.Hands), m.Medium >= 1, m.Of >= m.Medium, m.Parcels >= 0, m.Instead == "" || line(m.Instead))
}

// Refusal tells the partner that an act of its was not accepted. It is final:
// the sender does not send that act again.
type Refusal struct {
	Act     Digest   `json:"act"`
	Kind    Kind     `json:"kind"`
	Number  Number   `json:"number,omitempty"`
	Kept    bool     `json:"kept"` // the act is in this ledger all the same; otherwise it could not be read
	Because []Reason `json:"because"`
}

// Waiting says that a release was taken in and is not answered yet: it names
// approvals that are not here, and may come another way. Entered again for none, it
// waits no more, and its content is asked for.
type Waiting struct {
	Act     Digest   `json:"act"` // the release
	Number  Number   `json:"number"`
	For     []Digest `json:"for,omitempty"` // the acts that gave the approvals
	Until   Moment   `json:"until"`         // then it is refused
	Channel string   `json:"channel"`       // by which it came, and is ruled on
}

func (w Waiting) check() error {
	if err := w.Number.Check(); err != nil {
		return err
	}
	return malformed("waiting", len(w.For) <= MaxList, line(w.Channel))
}

// Asking asks the originator for its share of a product's key.
type Asking struct {
	Number Number `json:"number"`
	Person string `json:"person"`
}

// Loan lends the originator's share, wrapped to the recipient's node.
type Loan struct {
	Number Number  `json:"number"`
	Asking *Digest `json:"asking,omitempty"` // the act it answers; none: a lease
	Share  []byte  `json:"share"`
	Until  Moment  `json:"until"`
}

// Dispute says that the partner's ledger contradicts what it signed before.
type Dispute struct {
	Party    Party  `json:"party"`
	Evidence Sum    `json:"evidence"` // of the file that proves it to a third person
	What     string `json:"what"`
}
