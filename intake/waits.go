package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/product"
)

const (
	// WaitFor bounds how long a release waits for an approval that it names: the approval
	// may come by a courier, and who released wants to know within days.
	WaitFor = 72 * time.Hour
	// maxWaits bounds the releases of one partner that wait. Whoever names approvals that
	// never come shall not pile up what is looked at whenever one does.
	maxWaits = 100
)

// missing names the approvals that a refused release says it rests on and that are not
// here, if it would be taken in with them: they may come another way. None: the
// refusal is for good.
func (o *Office) missing(tx *ledger.Tx, from act.Party, channel string, a act.Act, b act.Release) (missing []act.Digest, err error) {
	for _, d := range b.Consents {
		_, here, err := tx.Find(d)
		if err != nil {
			return nil, err
		}
		if !here {
			missing = append(missing, d)
		}
	}
	if missing == nil {
		return nil, nil
	}
	m, supposed := &b.Manifest, []product.Consent(nil)
	for _, by := range m.Origins {
		for _, to := range m.Recipients {
			supposed = append(supposed, product.Consent{By: by, Given: a.At, Consent: act.Consent{
				Number: m.Number, Deed: "pass-on", Recipient: to, Purpose: m.Purpose, Until: act.MomentOf(a.At.Add(time.Second)), Uses: 1}})
		}
	}
	if r, err := o.accept(tx, from, channel, a, b, isNew, o.Now(), supposed...); err != nil || !r.Allowed {
		return nil, err
	}
	all, err := o.Catalogue.Waits(tx)
	waiting := 0
	for i := range all {
		if all[i].From == from {
			waiting++
		}
	}
	if err != nil || waiting >= maxWaits {
		return nil, err
	}
	return missing, nil
}

// wait enters that a release waits; for nothing: that it waits no more.
func (o *Office) wait(tx *ledger.Tx, e ledger.Entry, b act.Release, channel string, missing []act.Digest) error {
	now := o.Now()
	s, err := o.Catalogue.Statement(tx, now, act.ReleaseWaits, act.Waiting{Act: e.Digest, Number: b.Manifest.Number, For: missing, Until: act.MomentOf(now.Add(WaitFor)), Channel: channel}, e.Act.From)
	if err != nil {
		return err
	}
	s.Pact = e.Act.Pact
	_, err = o.Catalogue.Enter(tx, s, nil)
	return err
}

// settle rules again on those that wait, and answers each whose answer is known now.
func (o *Office) settle(tx *ledger.Tx, which func(*catalogue.Waits) bool) error {
	all, err := o.Catalogue.Waits(tx)
	for i := range all {
		if err == nil && which(&all[i]) {
			err = o.decide(tx, &all[i])
		}
	}
	return err
}

// decide takes a release that waited in, or refuses it with the reason, unless it is
// still to wait.
func (o *Office) decide(tx *ledger.Tx, w *catalogue.Waits) error {
	i, ok, err := tx.Find(w.Act)
	if err != nil || !ok {
		return errors.Join(err, fmt.Errorf("deciding on %s: its release is not in the ledger", w.Number))
	}
	e, err := tx.Entry(i)
	if err != nil {
		return err
	}
	b := e.Act.Body.(act.Release)
	r, err := o.accept(tx, w.From, w.Channel, e.Act, b, e.Index, w.At.Time)
	if err != nil {
		return err
	}
	if r.Allowed {
		return o.wait(tx, e, b, w.Channel, nil)
	}
	late := !o.Now().Before(w.Until.Time)
	for _, d := range w.For {
		if _, here, err := tx.Find(d); err != nil || !here && !late {
			return err // another is still on its way
		}
	}
	because := slices.Clone(r.Because)
	for i := range because {
		if late {
			because[i].Text += fmt.Sprintf("; it was waited for until %s", w.Until.Format(time.RFC3339))
		}
	}
	return o.refuse(tx, []act.Party{w.From}, Conveyed{Bytes: e.Bytes}, e.Act, true, because)
}

// Overdue refuses the releases that waited too long for an approval. The node calls it
// from time to time.
func (o *Office) Overdue(ctx context.Context) error {
	overdue := func(w *catalogue.Waits) bool { return !o.Now().Before(w.Until.Time) }
	some := false
	err := o.Ledger.View(ctx, func(tx *ledger.Tx) error {
		all, err := o.Catalogue.Waits(tx)
		for i := range all {
			some = some || overdue(&all[i])
		}
		return err
	})
	if err != nil || !some {
		return err
	}
	return o.Ledger.Update(ctx, func(tx *ledger.Tx) error { return o.settle(tx, overdue) })
}
