package catalogue

import (
	"errors"
	"fmt"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/pact"
	"entente/product"
)

const (
	tableDue        = ledger.FoldPrefix + "due"        // party/way/index of the release → Due
	tableAccredited = ledger.FoldPrefix + "accredited" // channel/party/mark → product.Accreditation
)

// Due is a product whose receipt is not where it belongs: one of ours that the partner
// has not receipted, one of the partner's whose content has not arrived, or one whose receipt of ours was not carried.
type Due struct {
	Number   act.Number `json:"number"`
	Party    act.Party  `json:"party"`             // the partner
	Ours     bool       `json:"ours"`              // released by us
	Receipt  bool       `json:"receipt,omitempty"` // of the partner's and here; our receipt has not been carried
	Released act.Moment `json:"released"`
	By       act.Moment `json:"by"` // when the pact wants the receipt; zero: it wants none at this level
	Size     int64      `json:"size"`
}

// Overdue reports whether the pact's limit has passed (R35).
func (d *Due) Overdue(now time.Time) bool { return !d.By.IsZero() && !now.Before(d.By.Time) }

// Due reads what waits for a receipt, with one partner.
func (c *Catalogue) Due(tx *ledger.Tx, p act.Party) ([]Due, error) {
	return rows[Due](tx, tableDue, string(p)+"/")
}

// Accredited reads what our system is accredited for (R37).
func (c *Catalogue) Accredited(tx *ledger.Tx) ([]product.Accreditation, error) {
	return rows[product.Accreditation](tx, tableAccredited, "")
}

// Lag is what the partner has not taken in of what is for it.
type Lag struct {
	Acts  int64      // that wait
	Bytes int64      // of them
	Since act.Moment // the oldest of them; zero: none waits
}

// Lag measures how far p is behind; taken is how many acts of ours it is known to have.
func (c *Catalogue) Lag(tx *ledger.Tx, p Partner, taken int64) (l Lag, err error) {
	taken = min(taken, p.Queued)
	if l.Acts = p.Queued - taken; l.Acts == 0 {
		return l, nil
	}
	upTo := func(place int64) (q Queued, err error) {
		for q, err := range c.Queue(tx, p.Card.Party, place) {
			return q, err
		}
		return q, errQueue
	}
	first, err := upTo(taken)
	if err != nil {
		return l, err
	}
	last, err := upTo(p.Queued - 1)
	if err != nil {
		return l, err
	}
	e, err := tx.Entry(first.Index)
	l.Since, l.Bytes = e.Act.At, last.Bytes-first.Bytes+int64(len(e.Bytes))
	return l, err
}

// mostOwed bounds the receipts that are looked at: by then the alarm stands, and a status must cost
// little when a partner has been away for long.
const mostOwed = 1000

// Owed reads the receipts of ours that p has not taken in, the first mostOwed of them: content is here,
// and its originator does not know. taken is how many acts of ours p is known to have.
func (c *Catalogue) Owed(tx *ledger.Tx, p Partner, taken int64) (all []Due, err error) {
	for q, err := range c.Queue(tx, p.Card.Party, min(taken, p.Queued)) {
		if err != nil {
			return nil, err
		}
		if !q.Receipt {
			continue
		}
		e, err := tx.Entry(q.Index)
		if err != nil {
			return nil, err
		}
		n := e.Act.Body.(act.Receipt).Number
		cu, ok, err := c.Product(tx, n)
		if err != nil {
			return nil, err
		}
		terms, _, known, err := c.PactUnder(tx, e.Act.Pact, cu.Text)
		if err != nil {
			return nil, err
		}
		if ok && known && wanted(terms, &cu.Manifest) {
			released, err := tx.Entry(cu.Entry)
			if err != nil {
				return nil, err
			}
			at := released.Act.At
			all = append(all, Due{Number: n, Party: p.Card.Party, Receipt: true, Released: at, By: act.MomentOf(at.Add(terms.Receipt.Within)), Size: cu.Seal.Size})
		}
		if len(all) == mostOwed {
			break
		}
	}
	return all, nil
}

// due begins and ends the waiting for receipts. release is the index of the product's;
// rows in its order lie side by side, where numbers fall anywhere.
func (c *Catalogue) due(tx *ledger.Tx, e ledger.Entry, release int64) error {
	key := func(p act.Party, ours bool) string {
		way := "in"
		if ours {
			way = "out"
		}
		return string(p) + "/" + way + "/" + string(be(release))
	}
	ends := func() error {
		return c.answered(e.Act, func(p act.Party, ours bool) error { return tx.Delete(tableDue, []byte(key(p, ours))) })
	}
	switch b := e.Act.Body.(type) {
	case act.Release:
		if e.Act.Kind != act.ProductReleased {
			return nil
		}
		release = e.Index
		d := Due{Number: b.Manifest.Number, Ours: e.Act.From == c.Own, Released: e.Act.At, Size: b.Seal.Size}
		p, _, ok, err := c.PactUnder(tx, e.Act.Pact, b.Text)
		if err != nil {
			return err
		}
		if ok && wanted(p, &b.Manifest) {
			d.By = act.MomentOf(e.Act.At.Add(p.Receipt.Within))
		}
		if d.Party = e.Act.From; !d.Ours {
			return ledger.Save(tx, tableDue, key(d.Party, false), d)
		}
		for _, to := range b.Manifest.Recipients {
			if d.Party = to; to == c.Own {
				continue
			}
			if err := ledger.Save(tx, tableDue, key(to, true), d); err != nil {
				return err
			}
		}
	case act.Receipt:
		return ends()
	case act.Refusal:
		if b.Number != "" && b.Kind != act.ProductReleased {
			return nil
		}
		if b.Number == "" { // it could not be read there; we know what it was
			i, ok, err := tx.Find(b.Act)
			if err != nil || !ok {
				return err
			}
			release = i
		}
		return ends()
	}
	return nil
}

// answered names the partner of an answer, and whether it is about a product of ours.
func (c *Catalogue) answered(a act.Act, f func(p act.Party, ours bool) error) error {
	if a.From != c.Own {
		return f(a.From, true)
	}
	var err error
	for _, to := range a.To {
		err = errors.Join(err, f(to, false))
	}
	return err
}

// wanted reports whether the pact wants a receipt for a product.
func wanted(p *pact.Pact, m *act.Manifest) bool {
	rank, ok := p.Table.Rank(m.Mark, m.Made.Time)
	return ok && rank >= p.Receipt.From
}

func (c *Catalogue) accredited(tx *ledger.Tx, a act.Act, b act.Accreditation) error {
	return ledger.Save(tx, tableAccredited, fmt.Sprintf("%s/%s/%s", b.Channel, b.Mark.Party, b.Mark.Text), product.Accreditation{Accreditation: b, Given: a.At})
}
