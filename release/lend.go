package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/product"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// loanFor is how long the answer to one asking may be used.
const loanFor = 15 * time.Minute

// Answer lends the originator's share to each partner that asked for one of
// our products, for one opening. It is one step: the node calls it when the
// ledger has grown. It returns how many askings it answered; one that could not be
// answered holds no other.
func (o *Office) Answer(ctx context.Context) (int, error) {
	var asked []catalogue.Asked
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		asked, err = o.Catalogue.Asked(tx)
		return err
	})
	answered := 0
	for _, a := range asked {
		if lent := o.lend(ctx, a.Number, a.From, &a.Act, o.Now().Add(loanFor), ""); lent != nil {
			err = errors.Join(err, lent)
			continue
		}
		answered++
	}
	return answered, err
}

// Lend lends the originator's share of product n to p until a moment: a lease,
// for courier and offline use. From then on its end is kept by the
// recipient's node, not by cryptography.
func (o *Office) Lend(ctx context.Context, n act.Number, p act.Party, until time.Time, as string) error {
	return o.lend(ctx, n, p, nil, until, as)
}

func (o *Office) lend(ctx context.Context, n act.Number, p act.Party, asking *act.Digest, until time.Time, as string) error {
	var cu product.Custody
	var card act.Card
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		var ok, known bool
		if cu, ok, err = o.Catalogue.Product(tx, n); err != nil {
			return err
		}
		partner, known, err := o.Catalogue.Partner(tx, p)
		card = partner.Card
		to, err2 := o.Catalogue.ReleasedTo(tx, n, cu.Seal.Vault, p)
		if err = errors.Join(err, err2); err == nil && (!ok || !known || !to) {
			err = fmt.Errorf("%w: lending the share of %s: it was not released to %s", act.ErrMalformed, n, p)
		}
		return err
	})
	var loan act.Loan
	if err == nil {
		loan, err = o.share(ctx, cu, card, until)
	}
	if err != nil && asking == nil {
		return err
	}
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err != nil {
			return o.decline(tx, n, p, *asking)
		}
		loan.Asking = asking
		s, err := o.Catalogue.Statement(tx, o.Now(), act.ShareLent, loan, p)
		if err != nil {
			return err
		}
		s.Pact = cu.Manifest.Pact
		var signer note.Signer // none: the node answers
		if as != "" {
			if signer, err = o.Signer(ctx, as); err != nil {
				return err
			}
		}
		_, err = o.Catalogue.Enter(tx, s, signer)
		return err
	})
}

// decline answers an asking that cannot be met, so that it does not wait for ever.
func (o *Office) decline(tx *ledger.Tx, n act.Number, p act.Party, asking act.Digest) error {
	s, err := o.Catalogue.Statement(tx, o.Now(), act.ActRefused, act.Refusal{Act: asking, Kind: act.ShareAsked, Number: n, Kept: true,
		Because: []act.Reason{{Article: "originator control", Text: "the share of this number cannot be lent", Cure: "ask the originator's registry"}}}, p)
	if err != nil {
		return err
	}
	_, err = o.Catalogue.Enter(tx, s, nil)
	return err
}

func (o *Office) share(ctx context.Context, cu product.Custody, card act.Card, until time.Time) (act.Loan, error) {
	f, err := o.Vault.Open(ctx, vault.Digest(cu.Seal.Vault))
	if err != nil {
		return act.Loan{}, err
	}
	defer f.Close()
	pub, err := seal.ParsePublicKey(card.Seal)
	if err != nil {
		return act.Loan{}, err
	}
	m := act.MomentOf(until)
	g, err := seal.Lend(f, f.Size(), seal.TermsOf(cu.Manifest, seal.Mode(cu.Seal.Mode)), seal.ClosedOf(cu.Seal), string(o.Card.Party), o.Key, seal.Key{Party: string(card.Party), Public: pub}, m.Time)
	if err != nil {
		return act.Loan{}, err
	}
	return act.Loan{Number: cu.Manifest.Number, Share: g.Marshal(), Until: m}, nil
}
