// Package reading is the reading room: the only place where content is opened.
//
// [Room.Open] rules, unlocks, enters the opening, and only then gives content: the
// ledger first, the bytes after. What cannot be unlocked is not entered as
// opened; a refused opening is entered. A product that its
// originator controls needs the originator's share: Open asks for it, by an
// act, and returns [ErrAsked]; the answer comes home by the same road. Whose access
// is taken back while content flows reads no further: see [Opened.WriteTo].
package reading

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/house"
	"entente/internal/point"
	"entente/ledger"
	"entente/product"
	"entente/ruling"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// ErrAsked says that the originator has been asked for its share of the key.
// Open again when it has answered.
var ErrAsked = errors.New("the originator was asked for its share of the key; open again when its answer is here")

// Room opens products. Fill every field.
type Room struct {
	Own       act.Party
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Vault     *vault.Vault
	Key       *seal.PrivateKey
	Signer    func(ctx context.Context, name string) (note.Signer, error)
	Law       *house.Rules // our own law on top of the pacts; nil: none
	Now       func() time.Time
}

// Opened is a product on a reader's desk. Close it.
type Opened struct {
	*seal.Reader
	Custody product.Custody
	Ruling  ruling.Ruling // its duties belong on the page
	file    vault.File
	still   func() error // see Still
}

// Still rules on the reading once more, if anything may have changed since it was
// last ruled on. A *Denied says that the access was taken back meanwhile; it is entered.
func (o *Opened) Still() error { return o.still() }

// WriteTo writes the content to w for as long as it may be read: it asks before each
// segment. What was cut short is too short for its size.
func (o *Opened) WriteTo(w io.Writer) (int64, error) { return o.Reader.WriteTo(asking{w, o}) }

type asking struct {
	io.Writer
	o *Opened
}

func (a asking) Write(p []byte) (int, error) {
	if err := a.o.Still(); err != nil {
		return 0, err
	}
	return a.Writer.Write(p)
}

// Close forgets the key.
func (o *Opened) Close() error { return errors.Join(o.Reader.Close(), o.file.Close()) }

// Denied is a reading that was refused. Its words are the same for a product
// that does not exist and for one that may not be known.
type Denied struct {
	Deed   string // what was not done
	Ruling ruling.Ruling
}

// Error implements error.
func (d *Denied) Error() string { return d.Deed + " denied: " + d.Ruling.String() }

// facts gathers what every use of a product is ruled on.
func (r *Room) facts(tx *ledger.Tx, n act.Number, name, purpose string, now time.Time) (product.Custody, ruling.ReadFacts, error) {
	cu, ok, err := r.Catalogue.Product(tx, n)
	if err != nil {
		return cu, ruling.ReadFacts{}, err
	}
	person, _, err := r.Catalogue.Person(tx, name)
	if err != nil {
		return cu, ruling.ReadFacts{}, err
	}
	at, err := r.Catalogue.Moment(tx, now)
	if err != nil {
		return cu, ruling.ReadFacts{}, err
	}
	f := ruling.ReadFacts{Own: r.Own, Person: person, Purpose: purpose, Now: at}
	if ok && cu.From != "" {
		// A product keeps the terms that it was released under (R57).
		p, row, _, err := r.Catalogue.PactUnder(tx, cu.Manifest.Pact, cu.Text)
		if err != nil {
			return cu, f, err
		}
		f.Pact, f.Life, f.Manifest, f.Custody = p, row.Life, cu.Manifest, cu
		if f.Consents, err = r.Catalogue.Consents(tx, r.Own, n, cu.Manifest.Lineage...); err != nil {
			return cu, f, err
		}
	}
	return cu, f, nil
}

// Consider rules on a reading as of a moment and changes nothing.
func (r *Room) Consider(tx *ledger.Tx, n act.Number, name, purpose string, now time.Time) (product.Custody, ruling.Ruling, error) {
	cu, f, err := r.facts(tx, n, name, purpose, now)
	if err != nil {
		return cu, ruling.Ruling{}, err
	}
	return cu, r.narrow(ruling.Read(&f), &f, "read"), nil
}

// narrow asks our own law about what the pact allows.
func (r *Room) narrow(was ruling.Ruling, f *ruling.ReadFacts, deed string) ruling.Ruling {
	if !was.Allowed {
		return was
	}
	rank, _ := f.Pact.Table.Rank(f.Custody.Mark(&f.Manifest))
	return r.Law.Narrow(was, house.Question{Own: r.Own, Person: f.Person, Deed: deed, Manifest: f.Manifest, Rank: rank, Purpose: f.Purpose, Now: f.Now})
}

// Open opens product n for a person and a purpose; none: that of its release.
func (r *Room) Open(ctx context.Context, n act.Number, name, purpose string) (*Opened, error) {
	o, err := r.unlock(ctx, n, name, purpose)
	if errors.Is(err, seal.ErrTampered) { // its label lies, or its bytes: whoever looks into it later finds that
		err = errors.Join(err, r.enterBroken(ctx, n, name, purpose))
	}
	if err != nil {
		return nil, err
	}
	given := false
	defer func() {
		if o != nil && !given {
			o.Close()
		}
	}()
	var cu product.Custody
	var rule ruling.Ruling
	var grants []seal.Grant
	var spent []act.Digest
	err = r.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		f, now, err := r.rule(tx, n, Deed{As: name, Deed: "read", Purpose: purpose}, r.Now())
		if err != nil {
			return err
		}
		cu, rule = f.Custody, now
		if !rule.Allowed {
			return r.enter(ctx, tx, act.OpeningDenied, act.Denial{Number: n, Person: name, Purpose: f.Purpose, Because: rule.Because}, "", cu)
		}
		if grants, err = r.grants(cu, f.Now); err != nil {
			return r.ask(ctx, tx, cu, name)
		}
		if o == nil {
			return fmt.Errorf("opening %s: what it depends on changed meanwhile; open it again", n)
		}
		spent = spends(&f)
		return r.enter(ctx, tx, act.ProductOpened, act.Opening{Number: n, Person: name, Purpose: f.Purpose, Consents: spent}, name, cu)
	})
	switch {
	case err != nil:
		return nil, err
	case !rule.Allowed:
		return nil, &Denied{"reading", rule}
	case r.controlled(cu) && grants == nil:
		return nil, ErrAsked
	}
	point.At("after entering an opening")
	given, o.Custody, o.Ruling = true, cu, rule
	o.still = r.watch(ctx, n, Deed{As: name, Deed: "read", Purpose: purpose}, spent)
	return o, nil
}

// enterBroken enters that a product did not open though it may be read.
func (r *Room) enterBroken(ctx context.Context, n act.Number, name, purpose string) error {
	return r.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		f, _, err := r.rule(tx, n, Deed{As: name, Deed: "read", Purpose: purpose}, r.Now())
		if err != nil {
			return err
		}
		because := []act.Reason{{Article: "seal", Text: "the seal is broken: the product is not what was released", Cure: "ask its originator to release it again"}}
		return r.enter(ctx, tx, act.OpeningDenied, act.Denial{Number: n, Person: name, Purpose: f.Purpose, Because: because}, "", f.Custody)
	})
}

// watchEvery bounds how long a reading goes on that time alone has ended.
const watchEvery = time.Second

// watch returns what rules on a reading again once the ledger has grown, or time has
// passed. The approvals that its opening spent are its own to use.
func (r *Room) watch(ctx context.Context, n act.Number, d Deed, spent []act.Digest) func() error {
	grown, at := r.Ledger.Grown(), r.Now()
	var denied error
	return func() error {
		select {
		case <-grown:
		default:
			if now := r.Now(); denied != nil || now.Sub(at).Abs() < watchEvery {
				return denied
			}
		}
		grown, at = r.Ledger.Grown(), r.Now()
		var f ruling.DoFacts
		var rule ruling.Ruling
		err := r.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
			if f, rule, err = r.rule(tx, n, d, at); err != nil || rule.Allowed || len(spent) == 0 {
				return err
			}
			for i := range f.Consents {
				if slices.Contains(spent, f.Consents[i].Act) {
					f.Consents[i].Used--
				}
			}
			rule = r.narrow(ruling.Read(&f.ReadFacts), &f.ReadFacts, d.Deed)
			return nil
		})
		if err != nil || rule.Allowed || denied != nil {
			return cmp.Or(denied, err)
		}
		denied = &Denied{"reading on", rule}
		return errors.Join(denied, r.Ledger.Update(ctx, func(tx *ledger.Tx) error {
			return r.enter(ctx, tx, act.OpeningDenied, act.Denial{Number: n, Person: d.As, Purpose: f.Purpose, Because: rule.Because}, "", f.Custody)
		}))
	}
}

// unlock opens what may be opened now, before that is entered: nothing is read
// of it yet. It returns nil when the reading is refused, or no share is lent.
func (r *Room) unlock(ctx context.Context, n act.Number, name, purpose string) (*Opened, error) {
	var cu product.Custody
	var grants []seal.Grant
	may := false
	err := r.Ledger.View(ctx, func(tx *ledger.Tx) error {
		f, rule, err := r.rule(tx, n, Deed{As: name, Deed: "read", Purpose: purpose}, r.Now())
		if err != nil || !rule.Allowed {
			return err
		}
		cu = f.Custody
		grants, err = r.grants(cu, f.Now)
		may = err == nil
		return nil
	})
	if err != nil || !may {
		return nil, err
	}
	f, err := r.Vault.Open(ctx, vault.Digest(cu.Seal.Vault))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", n, err)
	}
	s, err := seal.Open(f, f.Size(), seal.TermsOf(cu.Manifest, seal.Mode(cu.Seal.Mode)), seal.ClosedOf(cu.Seal), string(r.Own), r.Key, grants...)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening %s: %w", n, err)
	}
	return &Opened{Reader: s, file: f}, nil
}

// controlled reports whether the originator's share is needed here.
func (r *Room) controlled(cu product.Custody) bool {
	return seal.Mode(cu.Seal.Mode) != seal.Released && cu.Manifest.Originator != r.Own
}

var errNoShare = errors.New("no share is lent")

// grants returns the shares that are lent now. Each answer to an asking opens once.
func (r *Room) grants(cu product.Custody, at time.Time) ([]seal.Grant, error) {
	if !r.controlled(cu) {
		return nil, nil
	}
	for _, l := range cu.Loans {
		if !at.Before(l.Until.Time) || l.Used {
			continue
		}
		g, err := seal.ParseGrant(l.Share)
		if err == nil {
			return []seal.Grant{g}, nil
		}
	}
	return nil, errNoShare
}

// ask enters an asking, unless one waits already.
func (r *Room) ask(ctx context.Context, tx *ledger.Tx, cu product.Custody, name string) error {
	if cu.Asking {
		return nil
	}
	return r.enter(ctx, tx, act.ShareAsked, act.Asking{Number: cu.Manifest.Number, Person: name}, name, cu)
}

// enter signs and appends an act about a product: a person's own, or the
// node's. The originator hears of openings and askings; a denial stays at home.
func (r *Room) enter(ctx context.Context, tx *ledger.Tx, k act.Kind, body any, by string, cu product.Custody) error {
	var to []act.Party
	if o := cu.Manifest.Originator; k != act.OpeningDenied && o != "" && o != r.Own {
		to = []act.Party{o}
	}
	s, err := r.Catalogue.Statement(tx, r.Now(), k, body, to...)
	if err != nil {
		return err
	}
	s.Pact = cu.Manifest.Pact
	var signer note.Signer
	if by != "" && to == nil {
		if signer, err = r.Signer(ctx, by); err != nil {
			return err
		}
	} // else the node vouches, and the body names the person: the originator need not know our readers' keys
	_, err = r.Catalogue.Enter(tx, s, signer)
	return err
}
