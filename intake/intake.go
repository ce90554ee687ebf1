// Package intake takes in what a partner sends.
//
// [Office.TakeIn] checks a delivery against the partner's ledger, rules on each
// act, enters it and answers it, all in one transaction: when it returns nil
// the delivery is durable here and its answers (receipts, refusals) are in our
// ledger, to be carried home. An act that was taken in before has no second
// effect; one that comes too early is an error, and the sender begins again
// where our count says. Nothing is shown or trusted before it is entered.
package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/house"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/ruling"
	"entente/vault"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrGap says that an act came before an earlier one: the sender begins again
// where our count says.
var ErrGap = errors.New("an earlier act is missing")

// Delivery is what a partner hands over at once. It is trusted by nobody yet.
type Delivery struct {
	From       act.Party      `json:"-"`               // as the carriage knows it
	Channel    string         `json:"-"`               // how it came; empty: electronic, the sender on the line
	Late       bool           `json:"-"`               // it passed other hands: the sender is not on the line
	Told       *act.Head      `json:"-"`               // what the sender on the line was told that we saw of its ledger last
	Bases      []ledger.Basis `json:"bases,omitempty"` // growth from each head that we may have seen last, where it is late
	Checkpoint []byte         `json:"checkpoint"`      // of the sender's ledger, signed
	Growth     tlog.TreeProof `json:"growth,omitempty"`
	Acts       []Conveyed     `json:"acts,omitempty"`
}

// Conveyed is one act with what stands behind it.
type Conveyed struct {
	Seq     int64        `json:"seq"` // its place among the sender's acts to us, from 0
	Bytes   []byte       `json:"bytes"`
	Proof   ledger.Proof `json:"proof"`
	Content []byte       `json:"content,omitempty"` // a small product's sealed bytes
}

// Office takes in. Fill every field but what may be nil.
type Office struct {
	Own       act.Party
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Law       *house.Rules // our own law on top of the pacts; nil: none
	Aside     func(func()) // runs what goes on beside its caller, who waits for its end; nil: as a goroutine
	Now       func() time.Time
}

// TakeIn enters a delivery. A *ledger.Contradiction means that the sender's
// ledger is not the one it signed before: nothing was taken in.
func (o *Office) TakeIn(ctx context.Context, d Delivery) error {
	read, err := o.read(ctx, d)
	if err != nil {
		return err
	}
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		partner, ok, err := o.Catalogue.Partner(tx, d.From)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("taking in from %s: it is not known here", d.From))
		}
		var head act.Head
		if d.Late {
			head, err = tx.SeeLate(partner.Card, d.Checkpoint, d.Bases)
		} else if err = told(tx, d); err == nil {
			head, err = tx.See(partner.Card, d.Checkpoint, d.Growth)
		}
		if err != nil {
			return err
		}
		next := partner.Received
		for i, c := range d.Acts {
			switch {
			case c.Seq < next:
				continue
			case c.Seq > next:
				return fmt.Errorf("taking in from %s: %w: %d, before %d", d.From, ErrGap, next, c.Seq)
			}
			if err := o.enter(tx, d, ledger.Inclusion{Party: d.From, Head: head, Proof: c.Proof}, c, read[i]); err != nil {
				return err
			}
			next++
		}
		return nil
	})
}

// read reads the acts of a delivery, and verifies their signatures on all
// processors: what is entered waits in one line. An act that cannot be read here is nil, and
// is told why when its turn comes.
func (o *Office) read(ctx context.Context, d Delivery) ([]*act.Unopened, error) {
	read := make([]*act.Unopened, len(d.Acts))
	if len(d.Acts) < 2 {
		return read, nil // alone, its turn comes at once
	}
	var partner catalogue.Partner
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		partner, _, err = o.Catalogue.Partner(tx, d.From)
		return err
	})
	if err != nil {
		return nil, err
	}
	aside := o.Aside
	if aside == nil {
		aside = func(f func()) { go f() }
	}
	var all sync.WaitGroup
	for i, c := range d.Acts {
		if c.Seq < partner.Received {
			continue
		}
		all.Add(1)
		aside(func() {
			defer all.Done()
			if u, err := act.Read(c.Bytes); err == nil {
				u.Check(partner.Keys)
				read[i] = u
			}
		})
	}
	all.Wait()
	return read, nil
}

// told refuses growth that is shown from what we saw before something of the sender's came
// another way: it convicts nobody, and begins anew from where we are.
func told(tx *ledger.Tx, d Delivery) error {
	if d.Told == nil {
		return nil
	}
	last, err := tx.PeerHead(d.From)
	if err == nil && last != *d.Told {
		err = fmt.Errorf("taking in from %s: %w", d.From, ledger.ErrStale)
	}
	return err
}

// enter opens one act, appends it and answers it.
func (o *Office) enter(tx *ledger.Tx, d Delivery, v ledger.Inclusion, c Conveyed, read *act.Unopened) (err error) {
	from := d.From
	if read == nil {
		read, err = act.Read(c.Bytes)
	}
	var opened act.Verified
	if err == nil {
		opened, err = read.Open(v, o.Catalogue.Keys(tx))
	}
	if err == nil && (opened.Act().From != from || !addressed(opened.Act(), o.Own)) {
		err = fmt.Errorf("%w: it is not an act of %s to %s", act.ErrMalformed, from, o.Own)
	}
	if err != nil {
		if !v.Vouches(from, c.Bytes) {
			return fmt.Errorf("taking in from %s: act %d is not proved to be in its ledger", from, c.Seq)
		}
		// The partner's own ledger holds it, so it can never be put right: it is refused for good.
		return o.refuse(tx, []act.Party{from}, c, act.Act{}, false, []act.Reason{{Article: "act", Text: "the act cannot be read or its signature does not verify: " + plain(err), Cure: "enter a new act"}})
	}
	a := opened.Act()
	answer, err := o.rule(tx, from, cmp.Or(d.Channel, "electronic"), a, c.Content)
	if err != nil {
		return err
	}
	e, err := tx.Append(opened)
	if errors.Is(err, ledger.ErrKnown) {
		return o.refuse(tx, []act.Party{from}, c, a, false, []act.Reason{{Article: "act", Text: "the same act came before", Cure: "none is needed"}})
	}
	if err != nil {
		return err
	}
	if err := tx.Vouch(e.Index, c.Proof, o.Now()); err != nil {
		return err
	}
	if err := answer(e); err != nil || a.Kind != act.ConsentGiven {
		return err
	}
	return o.settle(tx, func(w *catalogue.Waits) bool { return slices.Contains(w.For, e.Digest) })
}

// rule decides what our answer to an act will be, before it is entered: the
// answer depends on what was known when it came.
func (o *Office) rule(tx *ledger.Tx, from act.Party, channel string, a act.Act, content []byte) (func(ledger.Entry) error, error) {
	nothing := func(ledger.Entry) error { return nil }
	to := []act.Party{from}
	refuse := func(because []act.Reason) func(ledger.Entry) error {
		return func(e ledger.Entry) error {
			return o.refuse(tx, to, Conveyed{Bytes: e.Bytes}, a, true, because)
		}
	}
	if a.Kind.Answered() { // what one party answers to it, all parties read
		s, _ := a.Body.(act.Step)
		p, _, ok, err := o.Catalogue.PactUnder(tx, a.Pact, s.Text)
		if err != nil {
			return nil, err
		}
		if ok && p.Has(from) {
			to = nil
			for _, q := range p.Others(o.Own) {
				if _, known, err := o.Catalogue.Partner(tx, q); err != nil {
					return nil, err
				} else if known {
					to = append(to, q)
				}
			}
		}
	}
	if a.Kind.Home() {
		return refuse([]act.Reason{{Article: "act", Text: "acts of kind " + string(a.Kind) + " concern their party's own house, and are not carried", Cure: "none is needed"}}), nil
	}
	if void, err := o.Catalogue.Void(tx, a); err != nil {
		return nil, err
	} else if void != nil {
		if a.Kind == act.ActRefused {
			return nothing, nil // a refusal is never refused: two wrong clocks would answer each other for ever
		}
		return refuse(void), nil
	}
	switch b := a.Body.(type) {
	case act.Release:
		r, err := o.accept(tx, from, channel, a, b, isNew, o.Now())
		if err != nil {
			return nil, err
		}
		if !r.Allowed {
			missing, err := o.missing(tx, from, channel, a, b)
			if err != nil || missing == nil {
				return refuse(r.Because), err
			}
			return func(e ledger.Entry) error { return o.wait(tx, e, b, channel, missing) }, nil
		}
		return func(e ledger.Entry) error {
			if len(content) > vault.Inline || act.Sum(vault.DigestOf(content)) != b.Seal.Vault {
				return nil // the carriage fetches it; Arrived signs the receipt
			}
			if err := tx.Put(vault.Table, b.Seal.Vault[:], content); err != nil {
				return err
			}
			return o.receipt(tx, from, e, b, r)
		}, nil
	case act.Proposal:
		p, problems := pact.Parse([]byte(b.Text))
		if len(problems) == 0 && (p.ID != a.Pact || !p.Has(from) || !p.Has(o.Own)) {
			return refuse([]act.Reason{{Article: "pact", Text: "the text is not of a pact of this name between us", Cure: "propose it to its parties, under its own name"}}), nil
		}
		if len(problems) > 0 {
			return refuse([]act.Reason{{Article: "pact", Text: fmt.Sprintf("the text has %s, first in line %d: %s", pact.Mistakes(len(problems)), problems[0].Line, problems[0].Text), Cure: "mend the text and propose it again"}}), nil
		}
	case act.Step:
		if !a.Kind.Answered() {
			break
		}
		p, row, ok, err := o.Catalogue.PactUnder(tx, a.Pact, b.Text)
		if err != nil || !ok {
			return nothing, err
		}
		if a.Kind == act.PactNotice && p.Early(row.Life, from) {
			return refuse([]act.Reason{{Article: "in force", Text: "the notice came before its party brought the pact into force: by our reading it has no effect", Cure: "give notice when the pact is in force, or cancel the text: 'entente pact step cancelled'"}}), nil
		}
		if now := o.Now(); p.Late(row.Life, a, now) {
			return refuse([]act.Reason{late(p, row.Life, a.Kind, now)}), nil
		}
	case json.RawMessage:
		if a.Must {
			return refuse([]act.Reason{{Article: "act", Text: "this node does not know acts of kind " + string(a.Kind) + ", and it must be understood", Cure: "agree on a version that both nodes know"}}), nil
		}
	}
	return nothing, nil
}

// late says how we read a step that came late.
func late(p *pact.Pact, l pact.Life, k act.Kind, now time.Time) act.Reason {
	because := func(article, text, cure string) act.Reason {
		return act.Reason{Article: article, Text: text, Cure: cure}
	}
	by, on, ends := catalogue.DurationArticle(p), now.In(p.Zone).Format(time.DateOnly), p.Ends(l, now).In(p.Zone).Format(time.DateOnly)
	_, terms := p.Deadline(l, now)
	switch {
	case k == act.PactNoticeSuspended:
		return because(by, "the suspension of the notice came on "+on+", when the notice had ended the pact: by our reading it has no effect", "conclude a new pact; what was shared stays protected")
	case k == act.PactNoticeWithdrawn:
		return because(by, "the withdrawal of the notice came on "+on+", when the notice had ended the pact: by our reading it has no effect", "conclude a new pact; what was shared stays protected")
	case terms:
		return because(by, "the notice came after its deadline: by our reading it ends the next term, and with it the pact on "+ends, "none is needed: until all parties read it alike, the stricter reading rules")
	}
	return because(by, "the notice came on "+on+", and the time of notice runs from then: by our reading the pact ends on "+ends, "none is needed: until all parties read it alike, the stricter reading rules")
}

// isNew is in place of the entry of a release that is not entered yet.
const isNew = -1

// accept rules on a release, which is entered at index and came at a moment. Approvals may be supposed.
func (o *Office) accept(tx *ledger.Tx, from act.Party, channel string, a act.Act, b act.Release, index int64, came time.Time, supposed ...product.Consent) (ruling.Ruling, error) {
	r, _, err := o.consider(tx, from, channel, a, b, index, came, o.Now(), supposed...)
	return r, err
}

// Explain rules on taking in a release, which is entered at index, by the state in tx as
// of a moment, and changes nothing. It names what the ruling was asked on.
func (o *Office) Explain(tx *ledger.Tx, channel string, a act.Act, index int64, now time.Time) (ruling.Ruling, catalogue.Basis, error) {
	if index >= tx.Size() { // it is still to come
		if void, err := o.Catalogue.Void(tx, a); err != nil || void != nil {
			return ruling.Ruling{Because: void}, catalogue.Basis{Pact: a.Pact, Officer: a.By, Partners: []act.Party{a.From}}, err
		}
	}
	return o.consider(tx, a.From, channel, a, a.Body.(act.Release), index, now, now)
}

// consider gathers the facts in tx and rules.
func (o *Office) consider(tx *ledger.Tx, from act.Party, channel string, a act.Act, b act.Release, index int64, came, at time.Time, supposed ...product.Consent) (r ruling.Ruling, on catalogue.Basis, err error) {
	// The terms are those that the release names: both sides rule on the same text.
	p, row, ok, err := o.Catalogue.PactUnder(tx, a.Pact, b.Text)
	if err != nil {
		return r, on, err
	}
	blocked, err := o.Catalogue.Blocked(tx, a.Pact)
	if err != nil {
		return r, on, err
	}
	known, had, err := o.Catalogue.Product(tx, b.Manifest.Number)
	if err != nil {
		return r, on, err
	}
	on = catalogue.Basis{Pact: a.Pact, Text: b.Text, Life: true, Partners: []act.Party{from}, Officer: a.By, Channel: channel}
	if !ok {
		p = nil
	}
	judged := a.At.Time
	if ok && ruling.Overdue(p, judged, came) {
		judged = at
	}
	if _, now, _, err := o.Catalogue.Pact(tx, a.Pact, judged); err != nil {
		return r, on, err
	} else if ok && now.Text != b.Text && p.Phase(row.Life, a.At.Time).Transfers() {
		return ruling.Ruling{Because: []act.Reason{{Article: "amendment", Text: "it was released under a text that has been amended", Cure: "release it again, under the amended text"}}}, on, nil
	}
	consents, err := o.Catalogue.Consents(tx, from, b.Manifest.Number, b.Manifest.Lineage...)
	if err != nil {
		return r, on, err
	}
	if index != isNew { // what was used after it counts against what came after it
		for i := range consents {
			k := &consents[i]
			k.Used, _ = slices.BinarySearch(k.Spent, index)
		}
	}
	for _, k := range consents {
		if k.Purpose == b.Manifest.Purpose && slices.Contains(b.Manifest.Recipients, k.Recipient) {
			on.Acts = append(on.Acts, k.Act)
		}
	}
	if had && known.From != "" && known.Entry != index {
		on.Products = map[act.Number]int64{b.Manifest.Number: known.Entry} // which used the number
	}
	var sources []act.Manifest
	for _, l := range b.Manifest.Lineage {
		if s, here, err := o.Catalogue.Product(tx, l.Of); err != nil {
			return r, on, err
		} else if here && s.From != "" && (index == isNew || s.Entry < index) {
			sources = append(sources, s.Manifest)
		}
	}
	accredited, err := o.Catalogue.Accredited(tx)
	if err != nil {
		return r, on, err
	}
	f := ruling.AcceptFacts{
		Pact: p, Life: row.Life, Own: o.Own, From: from, Act: a, Manifest: b.Manifest, Sources: sources, Consents: append(consents, supposed...), Accredited: accredited,
		Channel: channel, Came: came, Now: at, Blocked: blocked, NumberUsed: had && known.From != "" && known.Entry != index,
	}
	r = ruling.Accept(&f)
	if !r.Allowed {
		return r, on, nil
	}
	partner, _, err := o.Catalogue.Partner(tx, from)
	if err != nil {
		return r, on, err
	}
	// Whom the house rules ask about is the partner's officer, as it was notified.
	name, _, _ := strings.Cut(a.By, "@")
	officer := partner.Authorities[name]
	rank, _ := p.Table.Rank(b.Manifest.Mark, b.Manifest.Made.Time)
	return o.Law.Narrow(r, house.Question{Own: o.Own, Person: act.Person{Name: a.By, Post: officer.Post, Offices: officer.Offices}, Deed: "accept",
		Manifest: b.Manifest, Rank: rank, Purpose: b.Manifest.Purpose, Channel: channel, Now: f.Now}), on, nil
}

// Arrived enters the receipt of a product whose content is now durable here.
func (o *Office) Arrived(ctx context.Context, n act.Number) error {
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		cu, ok, err := o.Catalogue.Product(tx, n)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("receiving %s: it was not released to us", n))
		}
		if _, done := cu.Received[o.Own]; done {
			return nil
		}
		e, err := tx.Entry(cu.Entry)
		if err != nil {
			return err
		}
		b := e.Act.Body.(act.Release)
		p, _, ok, err := o.Catalogue.PactUnder(tx, e.Act.Pact, cu.Text)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("receiving %s: no pact", n))
		}
		return o.receipt(tx, e.Act.From, e, b, ruling.Ruling{Allowed: true, As: ruling.Stamp(p, &b.Manifest, o.Own)})
	})
}

func (o *Office) receipt(tx *ledger.Tx, from act.Party, e ledger.Entry, b act.Release, r ruling.Ruling) error {
	var mark act.Mark
	if len(r.As) > 0 {
		mark = r.As[0]
	}
	s, err := o.Catalogue.Statement(tx, o.Now(), act.ProductReceived, act.Receipt{Act: e.Digest, Number: b.Manifest.Number, Vault: b.Seal.Vault, Mark: mark}, from)
	if err != nil {
		return err
	}
	s.Pact = e.Act.Pact
	_, err = o.Catalogue.Enter(tx, s, nil)
	return err
}

func (o *Office) refuse(tx *ledger.Tx, to []act.Party, c Conveyed, a act.Act, kept bool, because []act.Reason) error {
	body := act.Refusal{Act: act.DigestOf(c.Bytes), Kind: a.Kind, Kept: kept, Because: because}
	if n, ok := product.About(a); ok && kept {
		body.Number = n
	}
	s, err := o.Catalogue.Statement(tx, o.Now(), act.ActRefused, body, to...)
	if err != nil {
		return err
	}
	s.Pact = a.Pact
	_, err = o.Catalogue.Enter(tx, s, nil)
	return err
}

func addressed(a act.Act, own act.Party) bool {
	for _, p := range a.To {
		if p == own {
			return true
		}
	}
	return false
}

// plain keeps a partner's bytes out of what we say about them.
func plain(err error) string {
	if errors.Is(err, act.ErrUnvouched) {
		return "the signature is not that of a person whom the party notified"
	}
	return "it is not spelled as an act must be"
}
