package reading

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/ruling"
	"entente/vault"
)

// Deed is what a person wants to do with a product besides reading it.
type Deed struct {
	As        string      `json:"as"`
	Deed      string      `json:"deed"` // read, pass-on, copy, translate, extract, show, review, downgrade, destroy
	Purpose   string      `json:"purpose,omitempty"`
	Recipient act.Party   `json:"recipient,omitempty"` // of a pass-on
	Standing  string      `json:"standing,omitempty"`  // of the recipient, under a pact that goes by audience
	Mark      string      `json:"mark,omitempty"`      // of a downgrade
	Holder    string      `json:"holder,omitempty"`    // of a copy
	Reason    string      `json:"reason,omitempty"`
	Method    string      `json:"method,omitempty"` // of a destruction
	Witness   []string    `json:"witness,omitempty"`
	Visit     *act.Digest `json:"visit,omitempty"` // of a showing
	Visitor   string      `json:"visitor,omitempty"`
	Until     act.Moment  `json:"until,omitzero"` // of a review: still needed until then
}

// Explain rules on a deed by the state in tx as of a moment, and changes nothing: past,
// present or hypothetical. It names what the ruling was asked on; of what the person
// may not know, no more than of what does not exist.
func (r *Room) Explain(tx *ledger.Tx, n act.Number, d Deed, now time.Time) (ruling.Ruling, catalogue.Basis, error) {
	b := catalogue.Basis{Person: d.As}
	f, rule, err := r.rule(tx, n, d, now)
	if err != nil || rule.Unknown() {
		return rule, b, err
	}
	b.Pact, b.Text, b.Products = f.Manifest.Pact, f.Custody.Text, map[act.Number]int64{n: f.Custody.Entry}
	b.Life = d.Deed == "pass-on" || d.Deed == "show"
	b.Copies = d.Deed == "copy"
	if f.Visit != nil {
		b.Acts = append(b.Acts, f.Visit.Act)
	}
	for _, k := range f.Consents {
		if another := k.Deed == "purpose" && f.Purpose != f.Manifest.Purpose; k.Purpose == f.Purpose && (another || k.Deed == d.Deed && k.Recipient == d.Recipient) {
			b.Acts = append(b.Acts, k.Act)
		}
	}
	return rule, b, nil
}

func (r *Room) rule(tx *ledger.Tx, n act.Number, d Deed, now time.Time) (f ruling.DoFacts, rule ruling.Ruling, err error) {
	cu, read, err := r.facts(tx, n, d.As, d.Purpose, now)
	if err != nil {
		return f, rule, err
	}
	if read.Purpose == "" {
		read.Purpose = cu.Manifest.Purpose
	}
	f = ruling.DoFacts{ReadFacts: read, Deed: d.Deed, Recipient: d.Recipient, Standing: d.Standing, Mark: act.Mark{Party: r.Own, Text: d.Mark}, Copies: len(cu.Copies), Method: d.Method, Witnesses: len(d.Witness)}
	if f.Visitor = d.Visitor; d.Visit != nil {
		v, ok, err := r.Catalogue.Visit(tx, *d.Visit)
		if err != nil {
			return f, rule, err
		}
		if ok {
			f.Visit = &v
		}
	}
	if d.Deed == "read" {
		rule = ruling.Read(&f.ReadFacts)
	} else {
		rule = ruling.Do(&f)
	}
	return f, r.narrow(rule, &f.ReadFacts, d.Deed), nil
}

// spends names the approvals that an allowed deed uses up: those without which
// it would have been refused.
func spends(f *ruling.DoFacts) []act.Digest {
	alone := *f
	if alone.Consents = nil; len(f.Consents) == 0 || f.Deed == "read" && ruling.Read(&alone.ReadFacts).Allowed || f.Deed != "read" && ruling.Do(&alone).Allowed {
		return nil
	}
	spent := ruling.Spends(f.Own, f.Consents, "purpose", []act.Party{""}, f.Purpose, f.Now)
	if f.Deed != "read" {
		spent = append(spent, ruling.Spends(f.Own, f.Consents, f.Deed, []act.Party{f.Recipient}, f.Purpose, f.Now)...)
	}
	return spent
}

// Do copies, shows, reviews, reclassifies or destroys: it rules and enters the act. A copy is
// numbered in its act. A destruction is entered with its certificate, and then
// the sealed bytes go; should the node stop between the two, the next start
// sweeps them, and nothing opens them meanwhile.
func (r *Room) Do(ctx context.Context, n act.Number, d Deed) (ruling.Ruling, error) {
	var rule ruling.Ruling
	var gone *act.Sum
	err := r.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		f, now, err := r.rule(tx, n, d, r.Now())
		if err != nil {
			return err
		}
		if rule = now; !rule.Allowed {
			return r.enter(ctx, tx, act.OpeningDenied, act.Denial{Number: n, Person: d.As, Purpose: f.Purpose, Deed: d.Deed, Because: rule.Because}, "", f.Custody)
		}
		var s act.Act
		switch d.Deed {
		case "copy":
			s, err = r.Catalogue.Statement(tx, r.Now(), act.ProductCopied, act.Copy{Number: n, Copy: len(f.Custody.Copies) + 1, Person: d.As, Holder: d.Holder, Reason: d.Reason, Consents: spends(&f)})
		case "review":
			s, err = r.Catalogue.Statement(tx, r.Now(), act.NeedReviewed, act.Review{Number: n, Person: d.As, Until: d.Until, Reason: d.Reason})
		case "show":
			s, err = r.Catalogue.Statement(tx, r.Now(), act.ProductShown, act.Showing{Number: n, Visit: *d.Visit, Visitor: d.Visitor, Person: d.As})
		case "downgrade":
			s, err = r.Catalogue.Statement(tx, r.Now(), act.ProductReclassified, act.Reclassification{Number: n, Mark: f.Mark, Reason: d.Reason}, f.Manifest.Recipients...)
		case "destroy":
			var to []act.Party
			if f.Manifest.Originator != r.Own {
				to = []act.Party{f.Manifest.Originator}
			}
			gone = &f.Custody.Seal.Vault
			if err := errors.Join(tx.Delete(vault.Table, gone[:]), tx.Delete(vault.Leaves, gone[:])); err != nil {
				return err
			}
			s, err = r.Catalogue.Statement(tx, r.Now(), act.ProductDestroyed, act.Certificate{Number: n, Vault: *gone, Person: d.As, Method: d.Method, Witness: d.Witness, Copies: len(f.Custody.Copies)}, to...)
		default:
			return fmt.Errorf("%s: %q is ruled on by 'entente why'; it is done by releasing a product made from %s", n, d.Deed, n)
		}
		if err != nil {
			return err
		}
		s.Pact = f.Manifest.Pact
		signer, err := r.Signer(ctx, d.As)
		if err != nil || d.Deed == "destroy" {
			signer = nil // the originator need not know our registry's keys: the certificate names the person
		}
		_, err = r.Catalogue.Enter(tx, s, signer)
		return err
	})
	switch {
	case err != nil:
		return rule, err
	case !rule.Allowed:
		return rule, &Denied{d.Deed, rule}
	case gone != nil:
		return rule, r.Vault.Remove(ctx, vault.Digest(*gone))
	}
	return rule, nil
}
