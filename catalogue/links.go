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

// Due is a product whose receipt is not here yet: one of ours that the partner
// has not receipted, or one of the partner's whose content has not arrived.
type Due struct {
	Number   act.Number `json:"number"`
	Party    act.Party  `json:"party"` // the partner
	Ours     bool       `json:"ours"`  // released by us
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
	Bytes int64      // of the first lagBytes of them
	Since act.Moment // the oldest of them; zero: none waits
}

// lagBytes bounds the acts whose bytes are counted: a status must cost little
// when a partner has been away for long.
const lagBytes = 200

// Lag measures how far p is behind; taken is how many acts of ours it is known to have.
func (c *Catalogue) Lag(tx *ledger.Tx, p Partner, taken int64) (l Lag, err error) {
	taken = min(taken, p.Queued)
	l.Acts = p.Queued - taken
	read := 0
	for q, err := range c.Queue(tx, p.Card.Party, taken) {
		if err != nil {
			return l, err
		}
		e, err := tx.Entry(q.Index)
		if err != nil {
			return l, err
		}
		if read == 0 {
			l.Since = e.Act.At
		}
		l.Bytes += int64(len(e.Bytes))
		if read++; read == lagBytes {
			break
		}
	}
	return l, nil
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
