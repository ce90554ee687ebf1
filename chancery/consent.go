package chancery

import (
	"context"
	"fmt"
	"slices"

	"entente/act"
	"entente/ledger"
	"entente/party"
	"entente/ruling"
)

// Consent gives the originator's written approval of one thing that the pact
// otherwise forbids (article 6, R13 to R16). It goes to those who have the
// product, and to the third party where it is a partner of ours.
func (o *Office) Consent(ctx context.Context, c act.Consent, as string) (d act.Digest, err error) {
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		cu, ok, err := o.Catalogue.Product(tx, c.Number)
		if err != nil {
			return err
		}
		if !ok || cu.From == "" || !slices.Contains(cu.Manifest.Origins, o.Card.Party) {
			return fmt.Errorf("%w: %s is no product of ours that was released, nor one made from ours that we have: only an originator approves", act.ErrMalformed, c.Number)
		}
		to := slices.DeleteFunc(append([]act.Party{cu.Manifest.Originator}, cu.Manifest.Recipients...), func(p act.Party) bool { return p == o.Card.Party })
		if c.Recipient != "" {
			if c.Recipient == o.Card.Party || slices.Contains(cu.Manifest.Recipients, c.Recipient) {
				return fmt.Errorf("%w: %s has %s already: name a third party", act.ErrMalformed, c.Recipient, c.Number)
			}
			if _, known, err := o.Catalogue.Partner(tx, c.Recipient); err != nil {
				return err
			} else if known {
				to = append(to, c.Recipient)
			}
		}
		slices.Sort(to)
		d, err = o.signAs(ctx, tx, as, act.Releasing, cu.Manifest.Pact, act.ConsentGiven, c, slices.Compact(to)...)
		return err
	})
	return d, err
}

// Mandate gives an officer's standing authority to release a class of products.
func (o *Office) Mandate(ctx context.Context, m act.Mandate, as string) (d act.Digest, err error) {
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		f := ruling.MandateFacts{Own: o.Card.Party, Mandate: m, Now: o.Now()}
		var ok bool
		if f.Pact, _, ok, err = o.Catalogue.Pact(tx, m.Pact, f.Now); err != nil {
			return err
		}
		if !ok {
			f.Pact = nil
		}
		if f.Person, _, err = o.Catalogue.Person(tx, as); err != nil {
			return err
		}
		if r := ruling.Mandate(&f); !r.Allowed {
			return &Refused{r}
		}
		d, err = o.signAs(ctx, tx, as, act.Releasing, m.Pact, act.MandateGiven, m)
		return err
	})
	return d, err
}

// Withdraw takes back a consent or a mandate of ours, for the future.
func (o *Office) Withdraw(ctx context.Context, given act.Digest, note, as string) error {
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		i, ok, err := tx.Find(given)
		if err != nil {
			return err
		}
		if ok {
			e, err := tx.Entry(i)
			if err != nil {
				return err
			}
			k := act.ConsentWithdrawn
			if e.Act.Kind == act.MandateGiven {
				k = act.MandateWithdrawn
			}
			if e.Act.From == o.Card.Party && (e.Act.Kind == act.ConsentGiven || e.Act.Kind == act.MandateGiven) {
				_, err = o.signAs(ctx, tx, as, act.Releasing, e.Act.Pact, k, act.Withdrawal{Act: given, Note: note}, e.Act.To...)
				return err
			}
		}
		return fmt.Errorf("%w: no consent and no mandate of ours was given by an act %.12s", act.ErrMalformed, given)
	})
}

// signAs enters an act of a person's who holds an office.
func (o *Office) signAs(ctx context.Context, tx *ledger.Tx, as string, office act.Office, id act.PactID, k act.Kind, body any, to ...act.Party) (d act.Digest, err error) {
	person, ok, err := o.Catalogue.Person(tx, as)
	if err != nil {
		return d, err
	}
	if !ok || !party.Holds(&person, office) {
		return d, fmt.Errorf("%s does not hold the office %q: ask one who does, or enrol the person with it", as, office)
	}
	s, err := o.Catalogue.Statement(tx, o.Now(), k, body, to...)
	if err != nil {
		return d, err
	}
	s.Pact = id
	signer, err := o.Signer(ctx, as)
	if err != nil {
		return d, err
	}
	e, err := o.Catalogue.Enter(tx, s, signer)
	return e.Digest, err
}
