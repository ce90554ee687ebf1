// Package product is an information product: the digest of its manifest,
// which binds it to its seal, and its custody as a fold of acts.
package product

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"slices"
	"time"

	"entente/act"
)

// Sum returns the SHA-384 of a manifest's exact bytes.
func Sum(m act.Manifest) act.Sum {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		panic("product: a manifest does not marshal: " + err.Error())
	}
	return sha512.Sum384(b.Bytes())
}

// About returns the number of the product that an act is about.
func About(a act.Act) (act.Number, bool) {
	switch b := a.Body.(type) {
	case act.Release:
		return b.Manifest.Number, true
	case act.Receipt:
		return b.Number, true
	case act.Waiting:
		return b.Number, true
	case act.Opening:
		return b.Number, true
	case act.Refusal:
		return b.Number, b.Number != ""
	case act.Asking:
		return b.Number, true
	case act.Loan:
		return b.Number, true
	case act.Consent:
		return b.Number, true
	case act.Review:
		return b.Number, true
	case act.Showing:
		return b.Number, true
	case act.Copy:
		return b.Number, true
	case act.Reclassification:
		return b.Number, true
	case act.Certificate:
		return b.Number, true
	}
	return "", false
}

// Custody is what has happened to one product: a fold of the acts about it.
type Custody struct {
	Manifest act.Manifest          `json:"manifest"`
	Seal     act.Seal              `json:"seal"`
	Asked    *Signed               `json:"asked,omitempty"` // a draft that waits, or waited, for a second person
	From     act.Party             `json:"from,omitempty"`  // who released it; empty: nobody yet
	Entry    int64                 `json:"entry"`           // of its release
	Released Signed                `json:"released"`
	Received map[act.Party]Receipt `json:"received,omitempty"`
	Refused  map[act.Party]Refusal `json:"refused,omitempty"`
	Waits    map[act.Party]Waiting `json:"waits,omitempty"` // where it is not answered yet
	Openings []Opening             `json:"openings,omitempty"`
	Asking   bool                  `json:"asking,omitempty"` // an asking for the originator's share is not answered yet
	Loans    []Loan                `json:"loans,omitempty"`

	Text         act.Sum                        `json:"text"`                   // the pact's text at its release: the terms that it keeps
	Reclassified []Remark                       `json:"reclassified,omitempty"` // its later marks; the original stays in the manifest
	Reviewed     *act.Moment                    `json:"reviewed,omitempty"`     // still needed here, until then
	Copies       []act.Copy                     `json:"copies,omitempty"`       // made here
	Destroyed    map[act.Party]*act.Certificate `json:"destroyed,omitempty"`
}

// Remark is a mark that the originator gave later.
type Remark struct {
	Mark act.Mark   `json:"mark"`
	At   act.Moment `json:"at"`
}

// Mark is the mark that holds now, and the day by whose table it is read: the
// manifest's, or the originator's last.
func (c *Custody) Mark(m *act.Manifest) (act.Mark, time.Time) {
	if n := len(c.Reclassified); n > 0 {
		return c.Reclassified[n-1].Mark, c.Reclassified[n-1].At.Time
	}
	return m.Mark, m.Made.Time
}

// Signed is who did something, and when.
type Signed struct {
	By string     `json:"by"`
	At act.Moment `json:"at"`
}

// Receipt is a recipient's receipt.
type Receipt struct {
	At    act.Moment `json:"at"`
	Entry int64      `json:"entry"`
	Mark  act.Mark   `json:"mark"`
}

// Refusal is a recipient's refusal.
type Refusal struct {
	At      act.Moment   `json:"at"`
	Because []act.Reason `json:"because"`
}

// Waiting is a recipient's word that the release waits there for an approval.
type Waiting struct {
	At    act.Moment `json:"at"`
	Until act.Moment `json:"until"`
}

// Opening is one reading.
type Opening struct {
	At      act.Moment `json:"at"`
	Party   act.Party  `json:"party"`
	Person  string     `json:"person"`
	Purpose string     `json:"purpose"`
}

// Loan is a lent share. One that answers an asking is used up by the next opening.
type Loan struct {
	Share []byte     `json:"share"`
	Until act.Moment `json:"until"`
	Lease bool       `json:"lease,omitempty"`
	Used  bool       `json:"used,omitempty"`
}

// Apply folds the act entered at index. Acts that do not fit change nothing.
func (c Custody) Apply(index int64, a act.Act) Custody {
	switch b := a.Body.(type) {
	case act.Release:
		if c.From != "" {
			return c
		}
		c.Manifest, c.Seal = b.Manifest, b.Seal
		s := Signed{a.By, a.At}
		if a.Kind == act.ReleaseAsked {
			c.Asked = &s
			return c
		}
		c.From, c.Entry, c.Released, c.Text = a.From, index, s, b.Text
	case act.Receipt:
		if slices.Contains(c.Manifest.Recipients, a.From) && b.Vault == c.Seal.Vault {
			c.Received = with(c.Received, a.From, Receipt{a.At, index, b.Mark})
		}
	case act.Refusal:
		if b.Kind == act.ShareAsked {
			c.Asking = false
		} else if slices.Contains(c.Manifest.Recipients, a.From) {
			c.Refused = with(c.Refused, a.From, Refusal{a.At, b.Because})
			c.Waits = with(c.Waits, a.From, Waiting{})
			delete(c.Waits, a.From)
		}
	case act.Waiting:
		if !slices.Contains(c.Manifest.Recipients, a.From) {
			return c
		}
		if c.Waits = with(c.Waits, a.From, Waiting{a.At, b.Until}); len(b.For) == 0 {
			delete(c.Waits, a.From)
		}
	case act.Opening:
		if a.From != c.Manifest.Originator && !slices.Contains(c.Manifest.Recipients, a.From) {
			return c
		}
		c.Openings = append(slices.Clone(c.Openings), Opening{a.At, a.From, b.Person, b.Purpose})
		c.Loans = slices.Clone(c.Loans)
		for i := range c.Loans {
			if !c.Loans[i].Lease && !c.Loans[i].Used {
				c.Loans[i].Used = true
				break
			}
		}
	case act.Reclassification:
		if a.From == c.Manifest.Originator {
			c.Reclassified = append(slices.Clone(c.Reclassified), Remark{b.Mark, a.At})
		}
	case act.Review:
		c.Reviewed = &b.Until
	case act.Copy:
		c.Copies = append(slices.Clone(c.Copies), b)
	case act.Certificate:
		c.Destroyed = with(c.Destroyed, a.From, &b)
	case act.Asking:
		c.Asking = c.Asking || slices.Contains(c.Manifest.Recipients, a.From)
	case act.Loan:
		if a.From == c.Manifest.Originator {
			c.Asking = c.Asking && b.Asking == nil
			c.Loans = append(slices.Clone(c.Loans), Loan{Share: b.Share, Until: b.Until, Lease: b.Asking == nil})
		}
	}
	return c
}

// with returns m with one more entry; m itself is not changed.
func with[K comparable, V any](m map[K]V, k K, v V) map[K]V {
	n := make(map[K]V, len(m)+1)
	for k, v := range m {
		n[k] = v
	}
	n[k] = v
	return n
}
