package catalogue

import (
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/party"
)

// Void says why an act of a partner's has no effect here; nil when it may have
// one. Intake asks it before the act is entered, and refuses with what it says;
// Fold asks it again, so that a rebuild ignores the same acts.
func (c *Catalogue) Void(tx *ledger.Tx, a act.Act) ([]act.Reason, error) {
	if a.From == c.Own {
		return nil, nil
	}
	because := func(article, text, cure string) ([]act.Reason, error) {
		return []act.Reason{{Article: article, Text: text, Cure: cure}}, nil
	}
	if last, _, err := ledger.Load[act.Moment](tx, tableClock, string(a.From)); err != nil {
		return nil, err
	} else if a.At.Before(last.Time) {
		return because("act", "it is dated before an act that its party sent earlier, of "+last.UTC().Format(time.RFC3339Nano), "set the clock right, and enter a new act")
	}
	if a.Kind == act.ActRefused {
		return nil, nil // an answer is never answered
	}
	if a.Kind.OfPact() && a.By == "" {
		return because("authorities", "no person signed it", "a person who was notified with the office 'sign' takes the step")
	}
	if office := party.Office(a.Kind); office != "" && a.By != "" {
		partner, _, err := c.Partner(tx, a.From)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(a.By, "@")
		if !slices.Contains(partner.Authorities[name].Offices, office) {
			return because("authorities", "the person who signed it was not notified with the office '"+string(office)+"', or was withdrawn", "a person who holds it signs, or the party notifies that this one does")
		}
	}
	if a.Pact != "" && a.Kind != act.PactProposed {
		known, named, err := c.party(tx, a.Pact, a.From)
		if err != nil {
			return nil, err
		}
		if known && !named {
			return because("third party", "its party is no party to the pact", "none: only parties to a pact act under it")
		}
		switch a.Kind {
		case act.LawNotified, act.LawAcknowledged, act.AssuranceGiven, act.VisitAsked, act.VisitApproved, act.VisitEnded:
			if !known {
				return because("no pact", "no pact of this name is known here", "propose the pact first")
			}
		}
	}
	switch b := a.Body.(type) {
	case act.Receipt:
		cu, _, err := c.Product(tx, b.Number)
		switch {
		case err != nil:
			return nil, err
		case cu.From != c.Own:
			return because("receipt", "the product was not released here", "none: who released a product is sent its receipt")
		case !slices.Contains(cu.Manifest.Recipients, a.From):
			return because("receipt", "its party is no recipient of the product", "none: who was released a product receipts it")
		}
		return nil, nil
	case act.Reclassification:
		return c.lowers(tx, a, b)
	}
	return nil, nil
}

// lowers says why a partner may not lower the mark of a product: it holds the
// information of others, whose mark only they lower (R11).
func (c *Catalogue) lowers(tx *ledger.Tx, a act.Act, b act.Reclassification) ([]act.Reason, error) {
	cu, had, err := c.Product(tx, b.Number)
	if err != nil || !had {
		return nil, err
	}
	p, _, ok, err := c.PactUnder(tx, cu.Manifest.Pact, cu.Text)
	if err != nil || !ok {
		return nil, err
	}
	old, _ := p.Table.Rank(cu.Mark(&cu.Manifest))
	now, known := p.Table.Rank(b.Mark, a.At.Time)
	if known && now >= old {
		return nil, nil
	}
	for _, o := range cu.Manifest.Origins {
		if o != a.From {
			return []act.Reason{{Article: "reclassification", Text: "it holds information of " + string(o) + ", whose mark only it lowers", Cure: "ask " + string(o) + " to reclassify its part"}}, nil
		}
	}
	return nil, nil
}
