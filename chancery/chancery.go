// Package chancery is formal correspondence: knowing a partner, notifying
// authorities, and the steps of a pact's life.
//
// Two parties that never met begin with [Office.Know]: an officer has compared
// the code of the partner's card with the partner's own officer, and from then
// on the keys in that card are the pin. [Office.Propose] and [Office.Step] are
// the acts of a pact's life; each is signed by a person and carried to the
// other parties.
package chancery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/ruling"

	"golang.org/x/mod/sumdb/note"
)

// Office writes and signs. Fill every field.
type Office struct {
	Card      act.Card
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Signer    func(ctx context.Context, name string) (note.Signer, error)
	Now       func() time.Time
}

// Enrol enters one of our own persons, or their new state, and notifies the
// partners of those who act towards them.
func (o *Office) Enrol(ctx context.Context, p act.Person) error {
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		s, err := o.Catalogue.Statement(tx, o.Now(), act.PersonEnrolled, p)
		if err != nil {
			return err
		}
		if _, err := o.Catalogue.Enter(tx, s, nil); err != nil {
			return err
		}
		partners, err := o.Catalogue.Partners(tx)
		if err != nil {
			return err
		}
		for _, q := range partners {
			if err := o.notify(tx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// Know pins a partner's card. code is what its officer read out; it must be
// the card's.
func (o *Office) Know(ctx context.Context, card act.Card, code, as string) error {
	if !party.SameCode(party.Code(card), code) {
		return fmt.Errorf("the code read out is not that of the card shown as %s: nothing was pinned; read it again, and if it differs again, somebody stands between you", card.Party)
	}
	if card.Party == o.Card.Party {
		return fmt.Errorf("the card shown is of %s, which we are", card.Party)
	}
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		known, ok, err := o.Catalogue.Partner(tx, card.Party)
		if err != nil || ok && known.Card.Link == card.Link && known.Disputed == "" {
			return err
		}
		if err := o.sign(ctx, tx, as, "", act.PartnerKnown, act.Known{Card: card, Code: party.Code(card)}); err != nil {
			return err
		}
		partner, _, err := o.Catalogue.Partner(tx, card.Party)
		if err != nil {
			return err
		}
		return o.notify(tx, partner)
	})
}

// Way is a change of way to a partner.
type Way struct {
	To    act.Party
	Taken int64  // how many of our acts for it the partner is known to have taken in
	By    string // the channel; empty: that of a route
	Leave bool   // what it strands is left to be refused, and released again
}

// Strands refuses a change of way that would strand a product: released for the way
// that was, it waits, and its recipient would refuse it by the new one for good.
func (o *Office) Strands(tx *ledger.Tx, w Way, via act.Party) error {
	if w.Leave {
		return nil
	}
	var because []act.Reason
	for q, err := range o.Catalogue.Queue(tx, w.To, w.Taken) {
		if err != nil {
			return err
		}
		e, err := tx.Entry(q.Index)
		if err != nil {
			return err
		}
		b, is := e.Act.Body.(act.Release)
		if !is || e.Act.Kind != act.ProductReleased {
			continue
		}
		cu, _, err := o.Catalogue.Product(tx, b.Manifest.Number)
		if err != nil {
			return err
		}
		_, here := cu.Received[w.To]
		if _, refused := cu.Refused[w.To]; here || refused {
			continue // its answer came before the partner's word that it was taken in
		}
		p, _, ok, err := o.Catalogue.PactUnder(tx, e.Act.Pact, b.Text)
		if err != nil || !ok {
			return err
		}
		by := cmp.Or(w.By, p.Way(via))
		rank, _ := p.Table.Rank(b.Manifest.Mark, b.Manifest.Made.Time)
		if limit, open := p.Limit(o.Card.Party, w.To, by); open && rank <= limit {
			continue
		}
		article := "channels"
		if cited, ok := p.Cite(pact.Channels); ok {
			article = cited[0].Article
		}
		because = append(because, act.Reason{Article: article, Text: fmt.Sprintf("%s waits for %s, and %s does not carry it by %s: it would be refused there for good", b.Manifest.Number, w.To, p.ID, by),
			Cure: "let it arrive first ('entente status'), or say --leave: it is refused, and is released again under a pact that knows the way"})
		if len(because) == act.MaxList {
			break
		}
	}
	if because != nil {
		return &Refused{ruling.Ruling{Because: because}}
	}
	return nil
}

// Route says by way of whom a partner is reached from now on; empty: directly.
// The hub must be a partner itself, reached directly.
func (o *Office) Route(ctx context.Context, w Way, via act.Party, as string) error {
	p := w.To
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		partner, ok, err := o.Catalogue.Partner(tx, p)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%s is not known here: compare codes first", p))
		}
		if partner.Via == via {
			return nil
		}
		if via != "" {
			hub, ok, err := o.Catalogue.Partner(tx, via)
			if err != nil || !ok || hub.Via != "" {
				return errors.Join(err, fmt.Errorf("%s cannot be the hub: it is not a partner that we reach directly", via))
			}
			others, err := o.Catalogue.Partners(tx)
			if err != nil {
				return err
			}
			for _, q := range others {
				if q.Via == p {
					return fmt.Errorf("%s is the hub to %s, so it is reached directly: route %s another way first", p, q.Card.Party, q.Card.Party)
				}
			}
		}
		if err := o.Strands(tx, w, via); err != nil {
			return err
		}
		return o.sign(ctx, tx, as, "", act.PartnerRouted, act.Routing{Party: p, Via: via})
	})
}

// notify names our persons who act towards p, where it has not heard of them as
// they are now. One who left, or acts towards nobody any more, is withdrawn: named
// without an office (R24).
func (o *Office) notify(tx *ledger.Tx, p catalogue.Partner) error {
	persons, err := o.Catalogue.Persons(tx)
	if err != nil {
		return err
	}
	for _, q := range persons {
		a := act.Authority{Name: q.Name, Post: q.Post, Key: q.Key, Offices: q.Offices}
		if !party.Holds(&q, act.Releasing) && !party.Holds(&q, act.Signing) {
			a.Offices = nil
		}
		told, before := p.Notified[q.Name]
		if told.Key == a.Key && slices.Equal(told.Offices, a.Offices) || !before && a.Offices == nil {
			continue
		}
		s, err := o.Catalogue.Statement(tx, o.Now(), act.AuthorityNotified, a, p.Card.Party)
		if err != nil {
			return err
		}
		if _, err := o.Catalogue.Enter(tx, s, nil); err != nil {
			return err
		}
	}
	return nil
}

// Refused is a step that the ruling refused.
type Refused struct{ Ruling ruling.Ruling }

// Error implements error.
func (r *Refused) Error() string { return "not entered: " + r.Ruling.String() }

// Propose proposes a text, unless the same text is proposed already. It
// returns the pact and the sum of its text.
func (o *Office) Propose(ctx context.Context, text []byte, as string) (*pact.Pact, error) {
	p, problems := pact.Parse(text)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: proposing a pact: the text has %s, first in line %d: %s", act.ErrMalformed, pact.Mistakes(len(problems)), problems[0].Line, problems[0].Text)
	}
	return p, o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		if _, _, ok, err := o.Catalogue.PactUnder(tx, p.ID, p.Text); err != nil || ok {
			return err
		}
		return o.sign(ctx, tx, as, p.ID, act.PactProposed, act.Proposal{Text: string(text)}, p.Others(o.Card.Party)...)
	})
}

// Step takes one step in the life of the pact under a text. A step that this
// party has taken already is not taken again.
func (o *Office) Step(ctx context.Context, k act.Kind, id act.PactID, text act.Sum, note, as string) error {
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		p, row, ok, err := o.Catalogue.PactUnder(tx, id, text)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: no pact %s is proposed under this text: propose it first", act.ErrMalformed, id)
		}
		person, _, err := o.Catalogue.Person(tx, as)
		if err != nil {
			return err
		}
		at, err := o.Catalogue.Moment(tx, o.Now())
		if err != nil {
			return err
		}
		f := ruling.PactFacts{Pact: p, Life: row.Life, Own: o.Card.Party, Step: k, Person: person, Now: at}
		if f.Above, err = o.above(tx, p, at); err != nil {
			return err
		}
		r := ruling.Pact(f)
		if !r.Allowed && taken(row.Life, k, o.Card.Party) && p.Phase(row.Life, at) != pact.Terminated {
			return nil // somebody who was interrupted asks again
		}
		if !r.Allowed {
			return &Refused{r}
		}
		return o.sign(ctx, tx, as, id, k, act.Step{Text: text, Note: note}, p.Others(o.Card.Party)...)
	})
}

// Fits names the text of a pact that a step is meant for: the one that rules, or
// where the step does not fit it, the newest that it fits, such as an amendment
// that waits to be notified (R57). Where it fits none, the one that rules says why.
func (o *Office) Fits(tx *ledger.Tx, k act.Kind, id act.PactID, as string) (act.Sum, bool, error) {
	person, _, err := o.Catalogue.Person(tx, as)
	if err != nil {
		return act.Sum{}, false, err
	}
	f, _, err := o.fits(tx, k, id, person, o.Now())
	if err != nil || f.Pact == nil {
		return act.Sum{}, false, err
	}
	return f.Pact.Text, true, nil
}

// Explain rules on a step in the life of the pact called id, by the state in tx as of a
// moment, and changes nothing: past, present or hypothetical. It names what the ruling
// was asked on. as takes the step; nobody: whoever may sign.
func (o *Office) Explain(tx *ledger.Tx, k act.Kind, id act.PactID, as string, now time.Time) (ruling.Ruling, catalogue.Basis, error) {
	b := catalogue.Basis{Person: as}
	person, _, err := o.Catalogue.Person(tx, as)
	if err != nil {
		return ruling.Ruling{}, b, err
	}
	if as == "" {
		person.Offices = []act.Office{act.Signing}
	}
	at, err := o.Catalogue.Moment(tx, now)
	if err != nil {
		return ruling.Ruling{}, b, err
	}
	f, r, err := o.fits(tx, k, id, person, at)
	if err != nil || f.Pact == nil {
		return r, b, err
	}
	b.Pact, b.Text, b.Life, b.Above = id, f.Pact.Text, true, map[act.PactID]act.Sum{}
	for _, p := range f.Above {
		b.Above[p.ID] = p.Text
	}
	return r, b, nil
}

// fits rules on a step under the text that it is meant for.
func (o *Office) fits(tx *ledger.Tx, k act.Kind, id act.PactID, person act.Person, at time.Time) (on ruling.PactFacts, r ruling.Ruling, err error) {
	_, rules, ok, err := o.Catalogue.Pact(tx, id, at)
	if err != nil || !ok {
		return on, ruling.Pact(on), err
	}
	all, err := o.Catalogue.Pacts(tx)
	if err != nil {
		return on, r, err
	}
	slices.SortFunc(all, func(a, b catalogue.Row) int { return cmp.Compare(b.Entered, a.Entered) })
	for _, row := range append([]catalogue.Row{rules}, all...) {
		if row.ID != id {
			continue
		}
		p, _, _, err := o.Catalogue.PactUnder(tx, id, row.Text)
		if err != nil {
			return on, r, err
		}
		f := ruling.PactFacts{Pact: p, Life: row.Life, Own: o.Card.Party, Step: k, Person: person, Now: at}
		if f.Above, err = o.above(tx, p, at); err != nil {
			return on, r, err
		}
		now := ruling.Pact(f)
		if on.Pact == nil || now.Allowed {
			on, r = f, now
		}
		if now.Allowed {
			break
		}
	}
	return on, r, nil
}

// above reads the pacts that an arrangement implements, where they are in force (R12).
func (o *Office) above(tx *ledger.Tx, p *pact.Pact, at time.Time) (all []*pact.Pact, err error) {
	for _, id := range p.Relation.Implements {
		q, row, ok, err := o.Catalogue.Pact(tx, id, at)
		if err != nil {
			return nil, err
		}
		if ok && q.Phase(row.Life, at).Transfers() {
			all = append(all, q)
		}
	}
	return all, nil
}

// taken reports whether own has signed, or has notified.
func taken(l pact.Life, k act.Kind, own act.Party) bool {
	_, signed := l.Signed[own]
	_, notified := l.Notified[own]
	return k == act.PactSigned && signed || k == act.PactNotified && notified
}

// Read declares how we read the state of the pact under a text.
func (o *Office) Read(ctx context.Context, id act.PactID, text act.Sum, phase pact.Phase, note, as string) error {
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		p, row, ok, err := o.Catalogue.PactUnder(tx, id, text)
		if err != nil {
			return err
		}
		if _, known := pact.ParsePhase(string(phase)); !known || !ok {
			return fmt.Errorf("%w: no pact %s is proposed under this text, or %q is no reading of a pact's state", act.ErrMalformed, id, phase)
		}
		person, _, err := o.Catalogue.Person(tx, as)
		if err != nil {
			return err
		}
		if r := ruling.Pact(ruling.PactFacts{Pact: p, Life: row.Life, Own: o.Card.Party, Step: act.PactRead, Person: person, Now: o.Now()}); !r.Allowed {
			return &Refused{r}
		}
		return o.sign(ctx, tx, as, id, act.PactRead, act.Interpretation{Text: text, Phase: string(phase), Note: note}, p.Others(o.Card.Party)...)
	})
}

// sign enters an act of a person's who signs pacts. One that is in the ledger
// already is not entered again.
func (o *Office) sign(ctx context.Context, tx *ledger.Tx, as string, id act.PactID, k act.Kind, body any, to ...act.Party) error {
	if _, err := o.signAs(ctx, tx, as, act.Signing, id, k, body, to...); !errors.Is(err, ledger.ErrKnown) {
		return err
	}
	return nil
}
