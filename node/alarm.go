package node

import (
	"context"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
)

// watch looks every minute for what is overdue: the limits are hours, and a
// look costs a scan of what waits.
func (n *Node) watch(ctx context.Context) {
	told := map[due]bool{}
	for ctx.Err() == nil {
		if err := n.alarm(ctx, told); err != nil && ctx.Err() == nil {
			n.seams.Log.Error("looking for overdue receipts", "why", err.Error())
		}
		if err := n.Intake.Overdue(ctx); err != nil && ctx.Err() == nil {
			n.seams.Log.Error("looking for releases that waited too long for an approval", "why", err.Error())
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
}

// alarm is one step of watching: it says once of each receipt, ours or the
// partner's, that the pact's limit for it has passed (R35).
func (n *Node) alarm(ctx context.Context, told map[due]bool) error {
	var overdue []catalogue.Due
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partners, err := n.Catalogue.Partners(tx)
		for _, p := range partners {
			all, err := n.Catalogue.Due(tx, p.Card.Party)
			if err != nil {
				return err
			}
			for _, d := range all {
				if d.Overdue(n.seams.Now()) {
					overdue = append(overdue, d)
				}
			}
		}
		return err
	})
	still := map[due]bool{}
	for _, d := range overdue {
		k := due{d.Party, d.Number, d.Ours}
		if still[k] = true; told[k] {
			continue
		}
		what := "content that was released to us has not arrived within the pact's limit: see 'entente status', and ask the originator's registry"
		if d.Ours {
			what = "a receipt is missing beyond the pact's limit: see 'entente status', and ask the recipient's registry"
		}
		n.seams.Log.Warn(what, "partner", string(d.Party), "number", string(d.Number), "released", d.Released.Format(time.RFC3339), "due", d.By.Format(time.RFC3339))
	}
	clear(told)
	for k := range still {
		told[k] = true
	}
	return err
}
