// Package release sends products out: draft, rule, seal, sign, enter.
//
// [Office.Release] does it all for one officer, or, where a second person is
// needed, enters a draft that [Office.Approve] releases. [Office.Preview] gives
// the ruling alone: the same code that decides. The release has happened when
// the act is in the ledger; carriage follows the ledger.
package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/house"
	"entente/internal/point"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/ruling"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// Draft is what an officer fills in.
type Draft struct {
	As        string        `json:"as"` // the officer's name
	Pact      act.PactID    `json:"pact"`
	To        []act.Party   `json:"to,omitempty"` // none: every other party of the pact
	Title     string        `json:"title"`
	Kind      string        `json:"kind"`
	Subject   string        `json:"subject"`
	Form      string        `json:"form"`
	Purpose   string        `json:"purpose"`
	Language  string        `json:"language"`
	Mark      string        `json:"mark"` // as our scheme stamps it
	Caveats   []string      `json:"caveats,omitempty"`
	Review    *act.Moment   `json:"review,omitempty"` // when its need is reviewed
	MediaType string        `json:"media_type"`
	File      string        `json:"file,omitempty"`
	Mode      seal.Mode     `json:"mode,omitempty"`
	Event     *act.Event    `json:"event,omitempty"`
	Footprint *act.Box      `json:"footprint,omitempty"`
	Lineage   []act.Lineage `json:"lineage,omitempty"`
	Mandate   *act.Digest   `json:"mandate,omitempty"` // the standing authority that it goes under
}

// kinds are those of products that people file by.
var kinds = []string{"report", "assessment", "imagery", "notice"}

var languages = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`) // BCP 47

// check refuses what no pact rules on, and nobody could take back. A question may leave either out.
func (d *Draft) check() error {
	switch {
	case d.Kind != "" && !slices.Contains(kinds, d.Kind):
		return fmt.Errorf("%w: no kind of product is called %q: choose one of %s", act.ErrMalformed, d.Kind, strings.Join(kinds, ", "))
	case d.Language != "" && !languages.MatchString(d.Language):
		return fmt.Errorf("%w: %q is no tag of a language: write one of BCP 47, such as en, ko or ja", act.ErrMalformed, d.Language)
	}
	return nil
}

// Office releases. Fill every field.
type Office struct {
	Card      act.Card
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Vault     *vault.Vault
	Key       *seal.PrivateKey
	Signer    func(ctx context.Context, name string) (note.Signer, error)
	House     func() ruling.House
	Law       *house.Rules // our own law on top of the pacts; nil: none
	Now       func() time.Time
	Random    io.Reader
}

// Slip is what the officer is told.
type Slip struct {
	Number act.Number    `json:"number"`
	Entry  int64         `json:"entry"`
	Ruling ruling.Ruling `json:"ruling"`
	Waits  bool          `json:"waits"` // for a second person
	To     []act.Party   `json:"to"`
	Sealed int64         `json:"sealed"` // bytes
}

// Refused is a release that the ruling refused. It is entered as a denial.
type Refused struct {
	Ruling ruling.Ruling
	Number act.Number // that was drawn for it: 'entente why' explains it again
}

// Error implements error.
func (r *Refused) Error() string { return "not released: " + r.Ruling.String() }

// Explain rules on a draft by the state in tx as of a moment, and changes nothing: past,
// present or hypothetical. It names what the ruling was asked on. approver is the second
// person, where another drafted it.
func (o *Office) Explain(tx *ledger.Tx, d Draft, n act.Number, approver string, now time.Time) (ruling.Ruling, catalogue.Basis, error) {
	c, err := o.consider(tx, d, n, approver, now)
	return c.ruling, c.basis, err
}

// Previewed is the number of a draft that has none.
const Previewed act.Number = "XX-0000-0000-0000"

// DraftOf is what was filled in for a manifest.
func DraftOf(m *act.Manifest, as string, mandate *act.Digest) Draft {
	return Draft{As: as, Pact: m.Pact, To: m.Recipients, Title: m.Title, Kind: m.Kind, Subject: m.Subject, Form: m.Form, Purpose: m.Purpose, Language: m.Language, Mark: m.Mark.Text, Caveats: m.Caveats,
		Review: m.Review, MediaType: m.MediaType, File: m.File, Event: m.Event, Footprint: m.Footprint, Lineage: m.Lineage, Mandate: mandate}
}

// considered is a draft with the facts and the ruling.
type considered struct {
	manifest act.Manifest
	pact     *pact.Pact
	row      catalogue.Row
	partners []catalogue.Partner
	ruling   ruling.Ruling
	spends   []act.Digest    // consents
	basis    catalogue.Basis // what the ruling was asked on
}

// consider gathers the facts in tx and rules.
func (o *Office) consider(tx *ledger.Tx, d Draft, n act.Number, approver string, at time.Time) (c considered, err error) {
	if at, err = o.Catalogue.Moment(tx, at); err != nil {
		return c, err
	}
	p, row, ok, err := o.Catalogue.Pact(tx, d.Pact, at)
	if err != nil {
		return c, err
	}
	if !ok {
		p = nil
	}
	c.pact, c.row = p, row
	to := slices.Clone(d.To)
	if p != nil && len(to) == 0 {
		for _, q := range p.Parties {
			if q.ID != o.Card.Party {
				to = append(to, q.ID)
			}
		}
	}
	slices.Sort(to)
	c.manifest = act.Manifest{
		Number: n, Pact: d.Pact, Title: d.Title, Kind: d.Kind, Subject: d.Subject, Form: d.Form, Purpose: d.Purpose, Language: d.Language,
		Mark: act.Mark{Party: o.Card.Party, Text: d.Mark}, Caveats: d.Caveats, Originator: o.Card.Party, Origins: []act.Party{o.Card.Party},
		Recipients: to, MediaType: d.MediaType, File: d.File, Made: act.MomentOf(at), Review: d.Review, Event: d.Event, Footprint: d.Footprint, Lineage: d.Lineage,
	}
	if err := d.check(); err != nil {
		return c, err
	}
	name := cmpOr(approver, d.As)
	officer, enrolled, err := o.Catalogue.Person(tx, name)
	if err == nil && !enrolled {
		err = fmt.Errorf("%w: nobody called %q is enrolled here: 'entente person list'", act.ErrMalformed, name)
	}
	if err != nil {
		return c, err
	}
	notified := true
	channel := "electronic"
	for _, q := range to {
		partner, ok, err := o.Catalogue.Partner(tx, q)
		if err != nil {
			return c, err
		}
		if ok {
			c.partners = append(c.partners, partner)
			if partner.Via != "" { // sealed to its recipients alone, so that the hub is no third party (R17)
				if channel = "hub"; p != nil {
					channel = p.Way(partner.Via)
				}
			}
		}
		told := partner.Notified[officer.Name]
		notified = notified && told.Key == officer.Key && officer.Key != "" && slices.Contains(told.Offices, act.Releasing)
	}
	f := ruling.ReleaseFacts{
		Pact: p, Life: row.Life, Own: o.Card.Party, Officer: officer, Channel: channel, Now: at, House: o.House(),
		Notified: notified && len(c.partners) == len(to) && len(to) > 0,
	}
	if f.Blocked, err = o.Catalogue.Blocked(tx, d.Pact); err != nil {
		return c, err
	}
	if f.Sources, err = o.sources(tx, &c.manifest, &officer); err != nil {
		return c, err
	}
	if f.Consents, err = o.Catalogue.Consents(tx, o.Card.Party, n, d.Lineage...); err != nil {
		return c, err
	}
	if f.Assured, err = o.Catalogue.Assured(tx, d.Pact); err != nil {
		return c, err
	}
	if f.Accredited, err = o.Catalogue.Accredited(tx); err != nil {
		return c, err
	}
	if f.Mandate, err = o.mandate(tx, d); err != nil {
		return c, err
	}
	if f.Mandate != nil {
		giver, _, _ := strings.Cut(f.Mandate.By, "@")
		if f.Giver, _, err = o.Catalogue.Person(tx, giver); err != nil {
			return c, err
		}
	}
	if approver != "" {
		if f.Drafter, _, err = o.Catalogue.Person(tx, d.As); err != nil {
			return c, err
		}
		f.Drafter.Name = d.As
	}
	f.Manifest = c.manifest
	c.basis = basisOf(&f, row, d)
	c.ruling = o.Law.Narrow(ruling.Release(&f), house.Question{
		Own: f.Own, Person: officer, Deed: "release", Manifest: c.manifest, Rank: rank(p, &c.manifest), Purpose: d.Purpose, Channel: f.Channel, Now: f.Now})
	if alone := f; c.ruling.Allowed && len(f.Consents) > 0 {
		// What would have been refused without the approvals spends them.
		if alone.Consents = nil; !ruling.Release(&alone).Allowed {
			c.spends = append(ruling.Spends(f.Own, f.Consents, "pass-on", to, d.Purpose, f.Now), ruling.Spends(f.Own, f.Consents, "purpose", []act.Party{""}, d.Purpose, f.Now)...)
			for how, deed := range map[string]string{"translation": "translate", "excerpt": "extract"} {
				if slices.ContainsFunc(d.Lineage, func(l act.Lineage) bool { return l.How == how }) {
					c.spends = append(c.spends, ruling.Spends(f.Own, f.Consents, deed, []act.Party{""}, d.Purpose, f.Now)...)
				}
			}
		}
	}
	return c, nil
}

// basisOf names what a release was ruled on.
func basisOf(f *ruling.ReleaseFacts, row catalogue.Row, d Draft) catalogue.Basis {
	m := &f.Manifest
	b := catalogue.Basis{Person: f.Officer.Name, Pact: m.Pact, Text: row.Text, Life: true, Products: map[act.Number]int64{}, Partners: m.Recipients, Channel: f.Channel, Assured: m.Form == "oral" || m.Form == "visual"}
	for i := range f.Sources {
		if s := &f.Sources[i]; s.Pact != nil {
			b.Products[s.Manifest.Number] = s.Entry
		}
	}
	for _, k := range f.Consents {
		if k.Purpose == m.Purpose && (k.Recipient == "" || slices.Contains(m.Recipients, k.Recipient)) {
			b.Acts = append(b.Acts, k.Act)
		}
	}
	if d.Mandate != nil {
		b.Acts = append(b.Acts, *d.Mandate)
	}
	return b
}

func rank(p *pact.Pact, m *act.Manifest) int {
	if p == nil {
		return 0
	}
	r, _ := p.Table.Rank(m.Mark, m.Made.Time)
	return r
}

// sources gathers what the product was made from, and adds its origins and
// caveats: a derived product has those of every input (R9).
func (o *Office) sources(tx *ledger.Tx, m *act.Manifest, officer *act.Person) (all []ruling.Source, err error) {
	for _, l := range m.Lineage {
		cu, ok, err := o.Catalogue.Product(tx, l.Of)
		if err != nil {
			return nil, err
		}
		if id := cu.Manifest.Pact; ok && id != m.Pact && !slices.ContainsFunc(officer.Needs, func(n act.Need) bool { return n.Pact == id }) {
			ok, cu.Manifest = false, act.Manifest{} // the words are those for a product that does not exist
		}
		s := ruling.Source{Manifest: cu.Manifest, Entry: cu.Entry, How: l.How}
		if ok && cu.From != "" {
			if s.Pact, _, _, err = o.Catalogue.PactUnder(tx, cu.Manifest.Pact, cu.Text); err != nil {
				return nil, err
			}
			s.Mark, s.On = cu.Mark(&cu.Manifest)
			m.Origins = union(m.Origins, cu.Manifest.Origins)
			m.Caveats = union(m.Caveats, cu.Manifest.Caveats)
		}
		all = append(all, s)
	}
	return all, nil
}

func union[T ~string](a, b []T) []T {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// mandate finds the standing authority that the draft claims.
func (o *Office) mandate(tx *ledger.Tx, d Draft) (*product.Mandate, error) {
	if d.Mandate == nil {
		return nil, nil
	}
	all, err := o.Catalogue.Mandates(tx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Act == *d.Mandate {
			return &all[i], nil
		}
	}
	return &product.Mandate{}, nil // it covers nothing: the ruling says so
}

// Release seals content and enters its release, or a draft that waits for a
// second person. The content is read once; nothing of it is kept in the clear.
func (o *Office) Release(ctx context.Context, d Draft, content io.Reader) (Slip, error) {
	if d.Mode == "" {
		d.Mode = seal.Released
	}
	n, c, err := o.first(ctx, d)
	if err != nil {
		return Slip{}, err
	}
	sealed, row, err := o.seal(ctx, d, c, content)
	if err != nil {
		return Slip{}, fmt.Errorf("sealing %s: %w", n, err)
	}
	point.At("after sealing")
	slip := Slip{Number: n, To: c.manifest.Recipients, Sealed: sealed.Size}
	kind := act.ProductReleased
	if c.ruling.SecondPerson {
		kind, slip.Waits = act.ReleaseAsked, true
	}
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		// The facts may have changed while the content was sealed: the ruling that counts is made here.
		now, err := o.consider(tx, d, n, "", o.Now())
		if err != nil {
			return err
		}
		if !now.ruling.Allowed {
			return &Refused{now.ruling, n}
		}
		slip.Ruling = now.ruling
		if err := tx.Put(row.table, sealed.Vault[:], row.bytes); err != nil {
			return err
		}
		slip.Entry, err = o.enter(ctx, tx, kind, d.As, c.manifest, act.Release{Manifest: c.manifest, Seal: sealed, Text: now.row.Text, Basis: basis(now.ruling), Mandate: d.Mandate, Consents: now.spends})
		return err
	})
	return slip, o.denied(ctx, d.As, &c.manifest, d.Mandate, err)
}

// first rules before the content is read, and draws the number.
func (o *Office) first(ctx context.Context, d Draft) (n act.Number, c considered, err error) {
	if n, err = act.NewNumber(o.Card.Party, o.Now().UTC().Year(), o.Random); err != nil {
		return n, c, err
	}
	err = o.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		if c, err = o.consider(tx, d, n, "", o.Now()); err != nil {
			return err
		}
		if !c.ruling.Allowed {
			return &Refused{c.ruling, n}
		}
		return nil
	})
	return n, c, o.denied(ctx, d.As, &c.manifest, d.Mandate, err)
}

// beside is what the ledger's rows keep of sealed content, written with its act:
// the bytes themselves when they are small, else their tree.
type beside struct {
	table string
	bytes []byte
}

// seal seals content into the vault or, when it is small, into the row that is
// to be written with the act.
func (o *Office) seal(ctx context.Context, d Draft, c considered, content io.Reader) (act.Seal, beside, error) {
	var to []seal.Key
	for _, p := range c.partners {
		pub, err := seal.ParsePublicKey(p.Card.Seal)
		if err != nil {
			return act.Seal{}, beside{}, err
		}
		to = append(to, seal.Key{Party: string(p.Card.Party), Public: pub})
	}
	opt := seal.Options{
		Terms:      seal.TermsOf(c.manifest, d.Mode),
		Originator: string(o.Card.Party), Key: o.Key,
		Recipients: to, Rand: o.Random,
	}
	// What ends within the first bytes is small: its segments need no more memory than it has.
	first := make([]byte, vault.Inline/2)
	defer clear(first)
	n, err := io.ReadFull(content, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return act.Seal{}, beside{}, fmt.Errorf("reading the content: %w", err)
	}
	if err != nil {
		var b bytes.Buffer
		opt.SegmentSize = len(first)
		closed, err := seal.Close(&b, bytes.NewReader(first[:n]), opt)
		if err != nil {
			return act.Seal{}, beside{}, err
		}
		if b.Len() <= vault.Inline {
			return sealOf(closed, vault.DigestOf(b.Bytes()), int64(b.Len()), d.Mode), beside{vault.Table, b.Bytes()}, nil
		}
		tree, err := o.Vault.Put(ctx, string(c.manifest.Number), &b) // so many recipients that the seal is large
		return sealOf(closed, tree.Digest(), tree.Size, d.Mode), beside{vault.Leaves, tree.Marshal()}, err
	}
	w, err := o.Vault.Writer(ctx, string(c.manifest.Number))
	if err != nil {
		return act.Seal{}, beside{}, err
	}
	defer w.Discard()
	closed, err := seal.Close(w, io.MultiReader(bytes.NewReader(first), content), opt)
	if err != nil {
		return act.Seal{}, beside{}, err
	}
	tree, err := w.Keep(ctx)
	return sealOf(closed, tree.Digest(), tree.Size, d.Mode), beside{vault.Leaves, tree.Marshal()}, err
}

func sealOf(c seal.Closed, digest vault.Digest, size int64, mode seal.Mode) act.Seal {
	return act.Seal{Vault: act.Sum(digest), Size: size, Plain: c.Plain, Root: c.Root, Keys: act.Sum(c.Keys), Mode: string(mode)}
}

func (o *Office) enter(ctx context.Context, tx *ledger.Tx, k act.Kind, by string, m act.Manifest, b act.Release) (int64, error) {
	var to []act.Party
	if k == act.ProductReleased {
		to = m.Recipients
	}
	s, err := o.Catalogue.Statement(tx, o.Now(), k, b, to...)
	if err != nil {
		return 0, err
	}
	s.Pact = m.Pact
	signer, err := o.Signer(ctx, by)
	if err != nil {
		return 0, err
	}
	e, err := o.Catalogue.Enter(tx, s, signer)
	return e.Index, err
}

// denied enters a refusal with what was refused, and hands it on.
func (o *Office) denied(ctx context.Context, by string, m *act.Manifest, mandate *act.Digest, err error) error {
	var r *Refused
	if !errors.As(err, &r) {
		return err
	}
	b := act.Denial{Number: m.Number, Person: by, Purpose: m.Purpose, Because: r.Ruling.Because}
	if m.Check() == nil { // a draft may be refused for what no act can say
		b.Manifest, b.Mandate = m, mandate
	}
	enter := o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		s, err := o.Catalogue.Statement(tx, o.Now(), act.ReleaseDenied, b)
		if err != nil {
			return err
		}
		if m.Pact.Check() == nil {
			s.Pact = m.Pact
		}
		_, err = o.Catalogue.Enter(tx, s, nil)
		return err
	})
	return errors.Join(err, enter)
}

// Approve releases a draft that waits for a second person, who must not be
// the one who drafted it.
func (o *Office) Approve(ctx context.Context, n act.Number, as string) (Slip, error) {
	slip := Slip{Number: n}
	var m act.Manifest
	err := o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		cu, ok, err := o.Catalogue.Product(tx, n)
		if err != nil {
			return err
		}
		if !ok || cu.Asked == nil {
			return fmt.Errorf("%w: approving %s: no draft with this number waits: 'entente outbox' lists those that do", act.ErrMalformed, n)
		}
		m = cu.Manifest
		drafter, _, _ := strings.Cut(cu.Asked.By, "@")
		d := DraftOf(&m, drafter, nil)
		c, err := o.consider(tx, d, n, as, o.Now())
		if err != nil {
			return err
		}
		if slip.Ruling = c.ruling; !c.ruling.Allowed {
			return &Refused{c.ruling, n}
		}
		slip.To, slip.Sealed = m.Recipients, cu.Seal.Size
		slip.Entry, err = o.enter(ctx, tx, act.ProductReleased, as, m, act.Release{Manifest: m, Seal: cu.Seal, Text: c.row.Text, Consents: c.spends, Drafter: cu.Asked.By, Basis: basis(c.ruling)})
		return err
	})
	return slip, o.denied(ctx, as, &m, nil, err)
}

func basis(r ruling.Ruling) []string {
	var b []string
	for _, x := range r.Because {
		if !slices.Contains(b, x.Article) {
			b = append(b, x.Article)
		}
	}
	return b
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
