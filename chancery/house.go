package chancery

import (
	"context"
	"fmt"

	"entente/act"
	"entente/ledger"
)

// Park ends the link to a partner until it is resumed. Nothing is lost: what is
// for the partner waits in the ledger. An officer who signs pacts does it.
func (o *Office) Park(ctx context.Context, p act.Party, reason, as string) (act.Digest, error) {
	if reason == "" {
		return act.Digest{}, fmt.Errorf("%w: parking the link to %s: say why; it is entered", act.ErrMalformed, p)
	}
	return o.house(ctx, act.PartnerParked, act.Parking{Party: p, Reason: reason}, as, func(tx *ledger.Tx) error { return o.stands(tx, p, false) })
}

// Resume takes a parked link up again.
func (o *Office) Resume(ctx context.Context, p act.Party, reason, as string) (act.Digest, error) {
	return o.house(ctx, act.PartnerResumed, act.Parking{Party: p, Reason: reason}, as, func(tx *ledger.Tx) error { return o.stands(tx, p, true) })
}

// stands asks that the link to p is parked, or that it is not.
func (o *Office) stands(tx *ledger.Tx, p act.Party, parked bool) error {
	partner, ok, err := o.Catalogue.Partner(tx, p)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%w: %s is not known here: 'entente status' lists the partners", act.ErrMalformed, p)
	case (partner.Parked != "") != parked && parked:
		return fmt.Errorf("%w: the link to %s is not parked", act.ErrMalformed, p)
	case (partner.Parked != "") != parked:
		return fmt.Errorf("%w: the link to %s is parked already: %s", act.ErrMalformed, p, partner.Parked)
	}
	return nil
}

// Accredit enters that our system may carry what is marked up to a mark by a
// channel, until a moment (R37). Entered again with a moment that has passed, it
// takes the accreditation away.
func (o *Office) Accredit(ctx context.Context, a act.Accreditation, as string) (act.Digest, error) {
	a.Mark.Party = o.Card.Party
	return o.house(ctx, act.SystemAccredited, a, as, func(*ledger.Tx) error { return nil })
}

// house enters an act about our own house by a person who signs pacts, if the
// state allows it.
func (o *Office) house(ctx context.Context, k act.Kind, body any, as string, allows func(*ledger.Tx) error) (d act.Digest, err error) {
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := allows(tx); err != nil {
			return err
		}
		d, err = o.signAs(ctx, tx, as, act.Signing, "", k, body)
		return err
	})
	return d, err
}
