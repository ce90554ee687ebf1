package node

import (
	"context"
	"errors"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
)

// watch looks every minute for what is overdue, and for deadlines that come near: the limits are hours, and a
// look costs a scan of what waits.
func (n *Node) watch(ctx context.Context) {
	told := map[due]bool{}
	for ctx.Err() == nil {
		// Time alone may let in what our clock kept out.
		if err := errors.Join(n.Carriage.KeepTaken(ctx), n.alarm(ctx, told), n.enterEvidence(ctx)); err != nil && ctx.Err() == nil {
			n.seams.Log.Error("looking for what is overdue", "why", err.Error())
		}
		if err := n.Intake.Overdue(ctx); err != nil && ctx.Err() == nil {
			n.seams.Log.Error("looking for releases that waited too long for an approval", "why", err.Error())
		}
		if err := n.remind(ctx); err != nil && ctx.Err() == nil {
			n.seams.Log.Error("looking for notice deadlines", "why", err.Error())
		}
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
	}
}

// due names what waits for a receipt.
type due struct {
	party  act.Party
	number act.Number
	ours   bool
	kept   bool // content is here, and our receipt has not been carried
}

// alarm is one step of watching: it says once of each receipt, ours or the
// partner's, that the pact's limit for it has passed (R35).
func (n *Node) alarm(ctx context.Context, told map[due]bool) error {
	var overdue []catalogue.Due
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		if last, behind, err := n.Catalogue.ClockBehind(tx, n.seams.Now()); err != nil {
			return err
		} else if behind {
			n.seams.Log.Warn("our clock is behind our own last entry: nothing is entered until then; see 'entente status'", "entry of", last.Format(time.RFC3339))
		}
		partners, err := n.Catalogue.Partners(tx)
		for _, p := range partners {
			all, err := n.Catalogue.Due(tx, p.Card.Party)
			if err != nil {
				return err
			}
			taken, err := n.Carriage.Taken(tx, p.Card.Party)
			if err != nil {
				return err
			}
			owed, err := n.Catalogue.Owed(tx, p, taken)
			if err != nil {
				return err
			}
			for _, d := range append(all, owed...) {
				if d.Overdue(n.seams.Now()) {
					overdue = append(overdue, d)
				}
			}
		}
		return err
	})
	still := map[due]bool{}
	for _, d := range overdue {
		k := due{d.Party, d.Number, d.Ours, d.Receipt}
		if still[k] = true; told[k] {
			continue
		}
		what := "content that was released to us has not arrived within the pact's limit: see 'entente status', and ask the originator's registry"
		if d.Ours {
			what = "a receipt is missing beyond the pact's limit: see 'entente status', and ask the recipient's registry"
		}
		if d.Receipt {
			what = "our receipt was not carried within the pact's limit: see 'entente status', and carry it another way"
		}
		n.seams.Log.Warn(what, "partner", string(d.Party), "number", string(d.Number), "released", d.Released.Format(time.RFC3339), "due", d.By.Format(time.RFC3339))
	}
	clear(told)
	for k := range still {
		told[k] = true
	}
	return err
}

// remind is one step of watching: it says once of each mark that a pact's notice
// deadline comes near. What was said is kept in a row, not in an act: nothing
// happened between the parties. It is kept after it was said, so that a node that
// is killed between the two says it again rather than never.
func (n *Node) remind(ctx context.Context) error {
	said := map[string]pact.Reminder{}
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		rows, err := n.Catalogue.Pacts(tx)
		if err != nil {
			return err
		}
		now := n.seams.Now()
		for _, row := range rows {
			p, rules, _, err := n.Catalogue.Pact(tx, row.ID, now)
			if err != nil {
				return err
			}
			r, due := p.Reminder(row.Life, now)
			if !due || rules.Text != row.Text {
				continue
			}
			key := "reminded/" + string(row.ID) + "/" + row.Text.String()
			last, _, err := ledger.Load[pact.Reminder](tx, tableSettings, key)
			if err != nil {
				return err
			}
			if last.Deadline == r.Deadline && last.Days <= r.Days {
				continue
			}
			said[key] = r
			n.seams.Log.Warn("a notice deadline is near: see 'entente pacts'", "pact", string(row.ID), "days", r.Days, "deadline", r.Deadline.Format(time.RFC3339))
		}
		return nil
	})
	if err != nil || len(said) == 0 {
		return err
	}
	return n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		for key, r := range said {
			if err := ledger.Save(tx, tableSettings, key, r); err != nil {
				return err
			}
		}
		return nil
	})
}
