package chancery

import (
	"context"
	"fmt"

	"entente/act"
	"entente/ledger"
	"entente/ruling"
)

// State enters what one authority states to another under a pact: a notice of
// law, its acknowledgement, an assurance before an oral disclosure, a visit asked
// for or ended. A person who signs pacts signs it.
func (o *Office) State(ctx context.Context, id act.PactID, k act.Kind, body any, to act.Party, as string) (d act.Digest, err error) {
	switch k {
	case act.LawNotified, act.LawAcknowledged, act.AssuranceGiven, act.VisitAsked, act.VisitEnded:
	default:
		return d, fmt.Errorf("%w: acts of kind %q are not stated from authority to authority", act.ErrMalformed, k)
	}
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		p, _, ok, err := o.Catalogue.Pact(tx, id, o.Now())
		if err != nil {
			return err
		}
		if !ok || !p.Has(to) || to == o.Card.Party {
			return fmt.Errorf("%w: %q is no other party to a pact called %s", act.ErrMalformed, to, id)
		}
		d, err = o.signAs(ctx, tx, as, act.Signing, id, k, body, to)
		return err
	})
	return d, err
}

// Acknowledge says that a notice of law was read (article 3, R5).
func (o *Office) Acknowledge(ctx context.Context, notice act.Digest, as string) (act.Digest, error) {
	var id act.PactID
	var from act.Party
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) error {
		all, err := o.Catalogue.Open(tx)
		for _, n := range all {
			if n.Act == notice && n.To == o.Card.Party {
				id, from = n.Pact, n.From
			}
		}
		return err
	})
	if err == nil && id == "" {
		err = fmt.Errorf("%w: no notice of law %.12s waits for us: 'entente open-items' lists them", act.ErrMalformed, notice)
	}
	if err != nil {
		return act.Digest{}, err
	}
	return o.State(ctx, id, act.LawAcknowledged, act.Withdrawal{Act: notice}, from, as)
}

// ApproveVisit approves, as the host, a visit up to a mark (article 8, R27).
func (o *Office) ApproveVisit(ctx context.Context, visit act.Digest, mark, as string) (d act.Digest, err error) {
	err = o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		v, ok, err := o.Catalogue.Visit(tx, visit)
		if err != nil {
			return err
		}
		at, err := o.Catalogue.Moment(tx, o.Now())
		if err != nil {
			return err
		}
		f := ruling.VisitFacts{Own: o.Card.Party, Mark: act.Mark{Party: o.Card.Party, Text: mark}, Now: at}
		if ok {
			f.Visit = &v
			p, row, known, err := o.Catalogue.Pact(tx, v.Pact, at)
			if err != nil {
				return err
			}
			if known {
				f.Pact, f.Life = p, row.Life
			}
		}
		if f.Person, _, err = o.Catalogue.Person(tx, as); err != nil {
			return err
		}
		if r := ruling.Visit(&f); !r.Allowed {
			return &Refused{r}
		}
		d, err = o.signAs(ctx, tx, as, act.Signing, v.Pact, act.VisitApproved, act.Approval{Visit: visit, Mark: f.Mark}, v.By)
		return err
	})
	return d, err
}

// EndVisit ends a visit: its access ends with it (R28). Host and visitor may.
func (o *Office) EndVisit(ctx context.Context, visit act.Digest, as string) (act.Digest, error) {
	var id act.PactID
	var other act.Party
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) error {
		v, ok, err := o.Catalogue.Visit(tx, visit)
		if err == nil && !ok {
			err = fmt.Errorf("%w: no visit %.12s is known here", act.ErrMalformed, visit)
		}
		if id, other = v.Pact, v.By; other == o.Card.Party {
			other = v.Host
		}
		return err
	})
	if err != nil {
		return act.Digest{}, err
	}
	return o.State(ctx, id, act.VisitEnded, act.Withdrawal{Act: visit}, other, as)
}
