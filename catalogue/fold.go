package catalogue

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"entente/act"
	"entente/ledger"
	"entente/pact"
	"entente/product"
)

// Fold derives the effect of one entry. It is the only writer of the rows.
func (c *Catalogue) Fold(tx *ledger.Tx, e ledger.Entry) error {
	if e.Act.From == c.Own {
		if err := ledger.Save(tx, tableClock, "own", e.Act.At); err != nil {
			return err
		}
		if err := c.queue(tx, e); err != nil {
			return err
		}
	} else {
		if _, err := c.count(tx, e.Act.From, 1, 0); err != nil {
			return err
		}
		if void, err := c.Void(tx, e.Act); err != nil || void != nil || e.Act.Kind.Home() {
			return err // and nobody else keeps our house
		}
		if err := ledger.Save(tx, tableClock, string(e.Act.From), e.Act.At); err != nil {
			return err
		}
	}
	if !e.Act.Kind.Known() && e.Act.Must && e.Act.Pact != "" {
		if _, party, err := c.party(tx, e.Act.Pact, e.Act.From); err != nil || !party {
			return err // who is no party to a pact cannot stop it
		}
		why := fmt.Sprintf("entry %d (%s) must be understood, and this version does not: upgrade it", e.Index, e.Act.Kind)
		return tx.Put(tableBlocked, []byte(e.Act.Pact), []byte(why))
	}
	switch b := e.Act.Body.(type) {
	case act.Person:
		return ledger.Save(tx, tablePerson, b.Name, b)
	case act.Known:
		// Compared anew: the card changes, and what was counted stays.
		partner, _, err := c.Partner(tx, b.Card.Party)
		if err != nil {
			return err
		}
		partner.Card, partner.Code, partner.Known, partner.Disputed = b.Card, b.Code, e.Act.At, ""
		return ledger.Save(tx, tablePartner, string(b.Card.Party), partner)
	case act.Routing:
		return c.partner(tx, b.Party, func(p *Partner) { p.Via = b.Via })
	case act.Authority:
		return c.authority(tx, e.Act, b)
	case act.Proposal:
		return c.proposal(tx, e, b)
	case act.Step, act.Interpretation:
		return c.step(tx, e)
	case act.Mandate:
		return ledger.Save(tx, tableMandate, e.Digest.String(), product.Mandate{Mandate: b, Act: e.Digest, By: e.Act.By, Given: e.Act.At})
	case act.LawNotice:
		if len(e.Act.To) != 1 {
			return nil
		}
		return ledger.Save(tx, tableOpen, e.Digest.String(), Open{e.Digest, e.Act.Pact, e.Act.From, e.Act.To[0], b.Text, e.Act.At})
	case act.Assurance:
		return ledger.Save(tx, tableAssured, string(e.Act.Pact)+"/"+e.Digest.String(), product.Assurance{Assurance: b, By: e.Act.From, Given: e.Act.At})
	case act.Visit:
		if len(e.Act.To) != 1 {
			return nil
		}
		return ledger.Save(tx, tableVisit, e.Digest.String(), product.Visit{Visit: b, Act: e.Digest, Pact: e.Act.Pact, By: e.Act.From, Host: e.Act.To[0]})
	case act.Approval:
		return c.visit(tx, b.Visit, func(v *product.Visit) {
			if e.Act.From == v.Host { // the host alone approves
				v.Approved = &b.Mark
			}
		})
	case act.Withdrawal:
		return c.withdrawal(tx, e.Act, b)
	case act.Accreditation:
		return c.accredited(tx, e.Act, b)
	case act.Parking:
		return c.partner(tx, b.Party, func(p *Partner) {
			if p.Parked = ""; e.Act.Kind == act.PartnerParked {
				p.Parked = b.Reason
			}
		})
	case act.Refusal:
		if b.Kind.Answered() && b.Kept {
			return c.answer(tx, e, b, e.Index)
		}
		return c.foldProduct(tx, e)
	case act.Dispute:
		return c.partner(tx, b.Party, func(p *Partner) { p.Disputed = b.What })
	default:
		return c.foldProduct(tx, e)
	}
}

// queue gives an act of ours its place among the acts to each recipient.
func (c *Catalogue) queue(tx *ledger.Tx, e ledger.Entry) error {
	for _, to := range e.Act.To {
		place, err := c.count(tx, to, 0, 1)
		if err != nil {
			return err
		}
		bytes := int64(len(e.Bytes))
		if place > 0 {
			last, err := tx.Get(tableQueue+string(to), be(place-1))
			if err != nil || len(last) != 17 {
				return errors.Join(err, errQueue)
			}
			bytes += int64(binary.BigEndian.Uint64(last[8:]))
		}
		row := append(append(be(e.Index), be(bytes)...), 0)
		if e.Act.Kind == act.ProductReceived {
			row[16] = 1
		}
		if err := tx.Put(tableQueue+string(to), be(place), row); err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalogue) partner(tx *ledger.Tx, p act.Party, f func(*Partner)) error {
	partner, ok, err := c.Partner(tx, p)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s is not known here", p)
	}
	f(&partner)
	return ledger.Save(tx, tablePartner, string(p), partner)
}

// count adds to the counts of a partner, and returns how many acts were queued before.
func (c *Catalogue) count(tx *ledger.Tx, p act.Party, received, queued int64) (int64, error) {
	if row, err := tx.Get(tablePartner, []byte(p)); err != nil || row == nil {
		return 0, errors.Join(err, fmt.Errorf("%s is not known here", p))
	}
	r, q, err := counts(tx, p)
	if err != nil {
		return 0, err
	}
	return q, tx.Put(tableCount, []byte(p), append(be(r+received), be(q+queued)...))
}

func (c *Catalogue) authority(tx *ledger.Tx, a act.Act, b act.Authority) error {
	if a.From != c.Own {
		return c.partner(tx, a.From, func(p *Partner) {
			p.Authorities = with(p.Authorities, b.Name, b)
		})
	}
	for _, to := range a.To {
		err := c.partner(tx, to, func(p *Partner) {
			p.Notified = with(p.Notified, b.Name, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// with returns a copy of m with one entry more: others may be reading m.
func with[V any](m map[string]V, k string, v V) map[string]V {
	all := make(map[string]V, len(m)+1)
	maps.Copy(all, m)
	all[k] = v
	return all
}

func (c *Catalogue) proposal(tx *ledger.Tx, e ledger.Entry, b act.Proposal) error {
	sum := SumOf([]byte(b.Text))
	if p, problems := pact.Parse([]byte(b.Text)); len(problems) > 0 || p.ID != e.Act.Pact || !p.Has(e.Act.From) || !p.Has(c.Own) {
		return nil // a text that is not ours to agree on has no effect, and stands in the ledger
	}
	if err := tx.Put(tableText, sum[:], []byte(b.Text)); err != nil {
		return err
	}
	key := string(e.Act.Pact) + "/" + sum.String()
	row, ok, err := ledger.Load[Row](tx, tablePact, key)
	if err != nil {
		return err
	}
	if !ok {
		row = Row{ID: e.Act.Pact, Text: sum, By: e.Act.From, Entered: e.Index}
	}
	row.Life = row.Life.Apply(e.Act)
	if err := ledger.Save(tx, tablePact, key, row); err != nil || ok {
		return err
	}
	return c.waited(tx, key, func(e ledger.Entry) error { return c.step(tx, e) })
}

// waited folds the entries that came before what they are about: steps before their
// text (of three parties, the second may sign what the first proposed before the
// third has heard of it), and answers to a step before the step.
func (c *Catalogue) waited(tx *ledger.Tx, key string, fold func(ledger.Entry) error) error {
	var at []int64
	for row, err := range tx.Scan(tableEarly, []byte(key+"/"), []byte(key+"0")) {
		if err != nil {
			return err
		}
		at = append(at, int64(binary.BigEndian.Uint64(row.Value)))
	}
	for _, i := range at {
		e, err := tx.Entry(i)
		if err != nil {
			return err
		}
		if err := errors.Join(fold(e), tx.Delete(tableEarly, earlyKey(key, i))); err != nil {
			return err
		}
	}
	return nil
}

func earlyKey(key string, index int64) []byte { return append([]byte(key+"/"), be(index)...) }

// textOf is the text that a step in a pact's life is about.
func textOf(a act.Act) act.Sum {
	switch b := a.Body.(type) {
	case act.Step:
		return b.Text
	case act.Interpretation:
		return b.Text
	}
	return act.Sum{}
}

func (c *Catalogue) step(tx *ledger.Tx, e ledger.Entry) error {
	a, text := e.Act, textOf(e.Act)
	key := string(a.Pact) + "/" + text.String()
	row, ok, err := ledger.Load[Row](tx, tablePact, key)
	if err != nil {
		return err
	}
	if !ok { // it waits for its text, and has no effect before
		return tx.Put(tableEarly, earlyKey(key, e.Index), be(e.Index))
	}
	if p, err := c.text(tx, text); err != nil || !p.Has(a.From) {
		return err // a step by somebody who is no party has no effect
	}
	row.Life = row.Life.Apply(a)
	if err := ledger.Save(tx, tablePact, key, row); err != nil || !a.Kind.Answered() {
		return err
	}
	return c.waited(tx, e.Digest.String(), func(answer ledger.Entry) error {
		return c.answer(tx, answer, answer.Act.Body.(act.Refusal), e.Index)
	})
}

// answer folds what a party answered to a notice, or to what stops one: when it came
// there, or that it has no effect. The answer goes to every party of the pact, so that each
// reads the disagreement; one that comes before the step, or its text, waits for it (R55).
// folded is the entry that is folded now: a rebuild finds later ones, too.
func (c *Catalogue) answer(tx *ledger.Tx, e ledger.Entry, b act.Refusal, folded int64) error {
	row := Row{}
	var step ledger.Entry
	var p *pact.Pact
	i, ok, err := tx.Find(b.Act)
	if ok = ok && i <= folded; err == nil && ok {
		if step, err = tx.Entry(i); err != nil {
			return err
		}
		s, is := step.Act.Body.(act.Step)
		if !is || step.Act.Kind != b.Kind {
			return nil
		}
		p, row, ok, err = c.PactUnder(tx, step.Act.Pact, s.Text)
	}
	if err != nil {
		return err
	}
	if !ok {
		return tx.Put(tableEarly, earlyKey(b.Act.String(), e.Index), be(e.Index))
	}
	row.Life = p.Answered(row.Life, pact.Answer{Kind: step.Act.Kind, By: step.Act.From, At: step.Act.At, Party: e.Act.From, Came: e.Act.At,
		Void: len(b.Because) == 0 || b.Because[0].Article != DurationArticle(p)})
	return ledger.Save(tx, tablePact, string(row.ID)+"/"+row.Text.String(), row)
}

// DurationArticle names what an answer cites that reads a step otherwise than
// its sender: another citation says that the step has no effect.
func DurationArticle(p *pact.Pact) string {
	if r, cited := p.Cite(pact.Duration); cited {
		return r[0].Article
	}
	return "duration"
}

// party reports whether a text of the pact is known here, and whether one names q.
func (c *Catalogue) party(tx *ledger.Tx, id act.PactID, q act.Party) (known, named bool, err error) {
	all, err := c.under(tx, id)
	for _, r := range all {
		p, err := c.text(tx, r.Text)
		if err != nil || p.Has(q) {
			return true, err == nil, err
		}
	}
	return len(all) > 0, false, err
}

// withdrawal takes back a consent of the same party's, or a mandate of ours.
func (c *Catalogue) withdrawal(tx *ledger.Tx, a act.Act, b act.Withdrawal) error {
	if a.Kind == act.MandateWithdrawn {
		m, ok, err := ledger.Load[product.Mandate](tx, tableMandate, b.Act.String())
		if err != nil || !ok || a.From != c.Own {
			return err
		}
		m.Withdrawn = true
		return ledger.Save(tx, tableMandate, b.Act.String(), m)
	}
	if a.Kind == act.LawAcknowledged {
		o, ok, err := ledger.Load[Open](tx, tableOpen, b.Act.String())
		if err != nil || !ok || a.From != o.To {
			return err
		}
		return tx.Delete(tableOpen, []byte(b.Act.String()))
	}
	if a.Kind == act.VisitEnded {
		return c.visit(tx, b.Act, func(v *product.Visit) {
			if at := a.At; v.Ended == nil && (a.From == v.Host || a.From == v.By) {
				v.Ended = &at
			}
		})
	}
	_, err := c.consent(tx, b.Act, func(k *product.Consent) {
		if k.By == a.From {
			k.Withdrawn = true
		}
	})
	return err
}

// visit changes a visit; an unknown one stays unknown.
func (c *Catalogue) visit(tx *ledger.Tx, d act.Digest, f func(*product.Visit)) error {
	v, ok, err := c.Visit(tx, d)
	if err != nil || !ok {
		return err
	}
	f(&v)
	return ledger.Save(tx, tableVisit, d.String(), v)
}

// spent names the approvals that an act says it uses up, each once.
func spent(a act.Act) (all []act.Digest) {
	switch b := a.Body.(type) {
	case act.Release:
		if a.Kind == act.ProductReleased {
			all = b.Consents
		}
	case act.Copy:
		all = b.Consents
	case act.Opening:
		all = b.Consents
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b act.Digest) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// uses reports whether an act about products uses an approval up: one that was
// given to its party, of one of these products, for what the act does. A partner
// that names another approval spends nothing, and lessens nobody's.
func uses(a act.Act, about []act.Number, k *product.Consent) bool {
	if !slices.Contains(k.To, a.From) || !slices.Contains(about, k.Number) {
		return false
	}
	switch b := a.Body.(type) {
	case act.Release:
		m := &b.Manifest
		return k.Deed != "copy" && k.Purpose == m.Purpose && (k.Deed != "pass-on" || slices.Contains(m.Recipients, k.Recipient))
	case act.Copy:
		return k.Deed == "copy" || k.Deed == "purpose"
	case act.Opening:
		return k.Deed == "purpose" && k.Purpose == b.Purpose
	}
	return false
}

// spend counts the approvals that an entry about a product uses up. One that is not
// here yet counts it when it comes.
func (c *Catalogue) spend(tx *ledger.Tx, e ledger.Entry) error {
	for _, d := range spent(e.Act) {
		about, err := c.about(tx, e.Act)
		if err != nil {
			return err
		}
		here, err := c.consent(tx, d, func(k *product.Consent) {
			if uses(e.Act, about, k) {
				k.Spent, k.Used = append(k.Spent, e.Index), k.Used+1
			}
		})
		if err == nil && !here {
			err = tx.Put(tableSpent, spentKey(d, e.Index), be(e.Index))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func spentKey(d act.Digest, index int64) []byte { return append(d[:], be(index)...) }

// about names the product that an act is about, and what it was made from.
func (c *Catalogue) about(tx *ledger.Tx, a act.Act) ([]act.Number, error) {
	n, _ := product.About(a)
	cu, _, err := c.Product(tx, n)
	lineage := cu.Manifest.Lineage
	if r, is := a.Body.(act.Release); is {
		lineage = r.Manifest.Lineage
	}
	all := []act.Number{n}
	for _, l := range lineage {
		all = append(all, l.Of)
	}
	return all, err
}

// given enters an approval, with the uses that came before it.
func (c *Catalogue) given(tx *ledger.Tx, e ledger.Entry, b act.Consent) error {
	k := product.Consent{Consent: b, Act: e.Digest, By: e.Act.From, To: e.Act.To, Given: e.Act.At}
	var early []int64
	for row, err := range tx.Scan(tableSpent, spentKey(e.Digest, 0), spentKey(e.Digest, e.Index)) {
		if err != nil {
			return err
		}
		early = append(early, int64(binary.BigEndian.Uint64(row.Value)))
	}
	for _, i := range early {
		by, err := tx.Entry(i)
		if err != nil {
			return err
		}
		about, err := c.about(tx, by.Act)
		if err = errors.Join(err, tx.Delete(tableSpent, spentKey(e.Digest, i))); err != nil {
			return err
		}
		if uses(by.Act, about, &k) {
			k.Spent, k.Used = append(k.Spent, i), k.Used+1
		}
	}
	return ledger.Save(tx, tableConsent, string(b.Number)+"/"+e.Digest.String(), k)
}

// consent changes the consent that an act gave; an unknown one stays unknown.
func (c *Catalogue) consent(tx *ledger.Tx, given act.Digest, f func(*product.Consent)) (here bool, err error) {
	i, ok, err := tx.Find(given)
	if err != nil || !ok {
		return false, err
	}
	e, err := tx.Entry(i)
	if err != nil {
		return false, err
	}
	b, is := e.Act.Body.(act.Consent)
	if !is {
		return false, nil
	}
	key := string(b.Number) + "/" + given.String()
	k, ok, err := ledger.Load[product.Consent](tx, tableConsent, key)
	if err != nil || !ok { // a rebuild finds later ones, too
		return false, err
	}
	f(&k)
	return true, ledger.Save(tx, tableConsent, key, k)
}

// foldProduct folds the acts that make a product's custody.
func (c *Catalogue) foldProduct(tx *ledger.Tx, e ledger.Entry) error {
	n, ok := product.About(e.Act)
	if !ok {
		if err := c.due(tx, e, none); err != nil {
			return err
		}
		if r, is := e.Act.Body.(act.Refusal); is && !r.Kept && e.Act.From == c.Own {
			// What could not be read has its place all the same, or the partner would send it for ever.
			_, err := c.count(tx, e.Act.To[0], 1, 0)
			return err
		}
		return nil
	}
	cu, had, err := c.Product(tx, n)
	if err != nil {
		return err
	}
	release := int64(none)
	if cu.From != "" {
		release = cu.Entry
	}
	if b, is := e.Act.Body.(act.Consent); is { // it may come before its product
		return c.given(tx, e, b)
	}
	if r, is := e.Act.Body.(act.Refusal); is && r.Kind != act.ShareAsked && cu.From != "" {
		// What was refused may be another act about the number, such as a second release under it: the first stands.
		if first, err := tx.Entry(cu.Entry); err != nil || first.Digest != r.Act {
			return err
		}
	}
	if r, is := e.Act.Body.(act.Release); is {
		if m := r.Manifest; m.Originator != e.Act.From || m.Number.Party() != m.Originator || e.Act.Pact != m.Pact {
			return nil // nobody else speaks for an originator, or uses up a number of its series
		}
		if had && cu.From != "" {
			return nil // a number is used once: the first release stands, intake refuses the second
		}
		if cu.Asked == nil { // a draft that waited is listed where it was drafted
			if err := tx.Put(tableByEntry, be(e.Index), []byte(n)); err != nil {
				return err
			}
		}
		if e.Act.Kind == act.ProductReleased && slices.Contains(r.Manifest.Recipients, c.Own) {
			if err := ledger.Save(tx, tableAwaited, awaitedKey(e.Act.From, e.Index), Awaited{n, r.Seal.Vault, r.Seal.Size}); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(c.spend(tx, e), c.foldWaiting(tx, e, release), c.due(tx, e, release)); err != nil {
		return err
	}
	if _, is := e.Act.Body.(act.Release); !is && !had {
		return nil // a refusal of a release without effect, or an act about nothing, makes no product
	}
	return ledger.Save(tx, tableProduct, string(n), cu.Apply(e.Index, e.Act))
}

// none is in place of the index of a release that there is not.
const none = -1

// foldWaiting keeps the lists of what waits: content of a release, and answers.
func (c *Catalogue) foldWaiting(tx *ledger.Tx, e ledger.Entry, release int64) error {
	switch b := e.Act.Body.(type) {
	case act.Receipt:
		if e.Act.From == c.Own {
			return tx.Delete(tableAwaited, []byte(awaitedKey(e.Act.To[0], release)))
		}
	case act.Refusal:
		if e.Act.From == c.Own && b.Kind == act.ShareAsked {
			return tx.Delete(tableAsked, []byte(b.Act.String())) // answered with a no: or it would be refused for ever
		}
		if e.Act.From == c.Own {
			return errors.Join(tx.Delete(tableAwaited, []byte(awaitedKey(e.Act.To[0], release))), tx.Delete(tableWaits, []byte(b.Act.String())))
		}
	case act.Waiting:
		return c.waits(tx, e, b, release)
	case act.Asking:
		if e.Act.From != c.Own {
			return ledger.Save(tx, tableAsked, e.Digest.String(), Asked{e.Digest, e.Act.From, b.Number, b.Person})
		}
	case act.Loan:
		if e.Act.From == c.Own && b.Asking != nil {
			return tx.Delete(tableAsked, []byte(b.Asking.String()))
		}
	}
	return nil
}

// waits keeps the content of a release of a partner's away while it is not answered,
// and has it asked for when it waits no more.
func (c *Catalogue) waits(tx *ledger.Tx, e ledger.Entry, b act.Waiting, release int64) error {
	if e.Act.From != c.Own || len(e.Act.To) != 1 {
		return nil // it waits at the partner's
	}
	from := e.Act.To[0]
	if len(b.For) > 0 {
		return errors.Join(tx.Delete(tableAwaited, []byte(awaitedKey(from, release))), ledger.Save(tx, tableWaits, b.Act.String(), Waits{from, e.Act.At, b}))
	}
	cu, ok, err := c.Product(tx, b.Number)
	if err != nil || !ok {
		return err
	}
	return errors.Join(tx.Delete(tableWaits, []byte(b.Act.String())), ledger.Save(tx, tableAwaited, awaitedKey(from, release), Awaited{b.Number, cu.Seal.Vault, cu.Seal.Size}))
}

func awaitedKey(p act.Party, release int64) string { return string(p) + "/" + string(be(release)) }

// Dump writes every folded row, in order: two folds of one ledger dump the same.
func Dump(tx *ledger.Tx) ([]byte, error) {
	tables, err := tx.Tables()
	if err != nil {
		return nil, err
	}
	slices.Sort(tables)
	var all []byte
	for _, t := range tables {
		if len(t) < len(ledger.FoldPrefix) || t[:len(ledger.FoldPrefix)] != ledger.FoldPrefix {
			continue
		}
		for row, err := range tx.Scan(t, nil, nil) {
			if err != nil {
				return nil, err
			}
			line, err := json.Marshal([]any{t, row.Key, row.Value})
			if err != nil {
				return nil, err
			}
			all = append(append(all, line...), '\n')
		}
	}
	return all, nil
}
