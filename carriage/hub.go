package carriage

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/vault"
)

// A hub holds parcels for others and passes them on. It reads the outside
// alone: it has no key to the inside, and signs no receipt. Whether it may is a
// pact's to say: one in force that names it as the hub between the two.

// held is a parcel on its way, as a hub keeps it.
type held struct {
	From   act.Party  `json:"from"`
	Number string     `json:"number"`
	Size   int64      `json:"size"`
	Vault  *act.Sum   `json:"vault,omitempty"` // none: the bytes stand in tableParcel
	At     act.Moment `json:"at"`
}

// Primary tables of the hub: what it holds is no act, and no fold.
const (
	tableHeld   = "post/held/"   // + recipient: place → held
	tableParcel = "post/parcel/" // + recipient: place → bytes of a small one
	tableLoad   = "post/load"    // recipient → load
)

// load is what a hub holds for one recipient.
type load struct {
	Next  int64 `json:"next"` // place of the next parcel
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

// kept answers a parcel: it is durable, or refused for good.
type keptAnswer struct {
	Number  string `json:"number"`
	Refused string `json:"refused,omitempty"`
}

// errNotRelayed is what a sender is told whose parcel is not passed on. It is the same
// for a recipient that is not known here and for one that no pact allows.
var errNotRelayed = errors.New("no pact in force names this node as the hub on this route")

// hold keeps a parcel for the next on its route, durably.
func (o *Post) holdFor(ctx context.Context, from act.Party, out Outer, b []byte) error {
	d := o.Direct
	to, ok := out.After(d.Own.Party)
	if before, _ := out.before(d.Own.Party); !ok || before != from {
		return errNotRelayed
	}
	may := false
	err := d.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		may, err = d.relays(tx, out.From(), out.To())
		return err
	})
	if err != nil || !may {
		return errors.Join(err, errNotRelayed)
	}
	h := held{From: out.From(), Number: out.Number, Size: int64(len(b)), At: act.MomentOf(d.Now())}
	if len(b) > vault.Inline {
		digest, _, err := d.Vault.Put(ctx, "p-"+out.Number, bytes.NewReader(b))
		if err != nil {
			return err
		}
		sum := act.Sum(digest)
		h.Vault = &sum
	}
	defer o.wake()
	return d.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		l, _, err := ledger.Load[load](tx, tableLoad, string(to))
		if err != nil {
			return err
		}
		if l.Count >= maxHeld || l.Bytes+h.Size > maxHeldBytes {
			return fmt.Errorf("the hub holds %d parcels for %s already: wait until it has taken some", l.Count, to)
		}
		at := be(l.Next)
		l.Next, l.Count, l.Bytes = l.Next+1, l.Count+1, l.Bytes+h.Size
		if h.Vault == nil {
			err = tx.Put(tableParcel+string(to), at, b)
		}
		return errors.Join(err, ledger.Save(tx, tableHeld+string(to), string(at), h), ledger.Save(tx, tableLoad, string(to), l))
	})
}

// before returns who comes before p on the route.
func (o Outer) before(p act.Party) (act.Party, bool) {
	for i, q := range o.Route {
		if q == p && i > 0 {
			return o.Route[i-1], true
		}
	}
	return "", false
}

// relays reports whether a pact that came into force names us as the hub
// between two parties. Its end does not stop what protection still needs.
func (d *Direct) relays(tx *ledger.Tx, from, to act.Party) (bool, error) {
	all, err := d.Catalogue.Pacts(tx)
	if err != nil {
		return false, err
	}
	for _, row := range all {
		p, now, ok, err := d.Catalogue.PactUnder(tx, row.ID, row.Text)
		if err != nil {
			return false, err
		}
		if !ok || p.Hub.Party != d.Own.Party || !p.Has(from) || !p.Has(to) {
			continue
		}
		if since, began := p.Since(now.Life); began && !d.Now().Before(since) {
			return true, nil
		}
	}
	return false, nil
}

// first reads the oldest parcel that is held for p.
func (o *Post) first(ctx context.Context, p act.Party) (at []byte, h held, b []byte, err error) {
	d := o.Direct
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for row, err := range tx.Scan(tableHeld+string(p), nil, nil) {
			if err != nil {
				return err
			}
			at = row.Key
			if err := json.Unmarshal(row.Value, &h); err != nil {
				return fmt.Errorf("reading a held parcel: %w", err)
			}
			b, err = tx.Get(tableParcel+string(p), at)
			return err
		}
		return nil
	})
	if err != nil || at == nil || h.Vault == nil {
		return at, h, b, err
	}
	f, err := d.Vault.Open(ctx, vault.Digest(*h.Vault))
	if err != nil {
		return at, h, nil, err
	}
	defer f.Close()
	b, err = io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), maxParcel)))
	return at, h, b, err
}

// passed forgets a held parcel: the next on its route has kept it.
func (o *Post) passed(ctx context.Context, p act.Party, at []byte, h held) error {
	d := o.Direct
	err := d.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		l, _, err := ledger.Load[load](tx, tableLoad, string(p))
		if err != nil {
			return err
		}
		l.Count, l.Bytes = l.Count-1, l.Bytes-h.Size
		return errors.Join(tx.Delete(tableHeld+string(p), at), tx.Delete(tableParcel+string(p), at), ledger.Save(tx, tableLoad, string(p), l))
	})
	if err != nil || h.Vault == nil {
		return err
	}
	return d.Vault.Remove(ctx, vault.Digest(*h.Vault))
}

// Held lists the large parcels that are held here, whose bytes the vault must not sweep.
func (o *Post) Held(tx *ledger.Tx) (all []vault.Digest, err error) {
	partners, err := o.Direct.Catalogue.Partners(tx)
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		for row, err := range tx.Scan(tableHeld+string(p.Card.Party), nil, nil) {
			var h held
			if err == nil {
				err = json.Unmarshal(row.Value, &h)
			}
			if err != nil {
				return nil, fmt.Errorf("reading a held parcel: %w", err)
			}
			if h.Vault != nil {
				all = append(all, vault.Digest(*h.Vault))
			}
		}
	}
	return all, nil
}

// offer is one step of carrying to hop: the next parcel that goes there, and what to do
// once it has been kept there. It is nil when there is none.
func (o *Post) offer(ctx context.Context, hop act.Party) (b []byte, done func(context.Context) error, err error) {
	at, h, b, err := o.first(ctx, hop)
	if err != nil || at != nil {
		return b, func(ctx context.Context) error { return o.passed(ctx, hop, at, h) }, err
	}
	by, err := o.by(ctx, hop)
	for _, p := range by {
		b, err = o.Next(ctx, p, []act.Party{o.Direct.Own.Party, hop, p})
		if err != nil || b != nil {
			return b, func(context.Context) error { return nil }, err
		}
	}
	return nil, nil, err
}

// by lists the partners that are reached by way of hop.
func (o *Post) by(ctx context.Context, hop act.Party) (all []act.Party, err error) {
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partners, err := o.Direct.Catalogue.Partners(tx)
		for _, p := range partners {
			if p.Via == hop {
				all = append(all, p.Card.Party)
			}
		}
		return err
	})
	return all, err
}

// Needed reports whether a link for parcels to p has a use: partners are reached
// by way of it, or parcels are held for it.
func (o *Post) Needed(ctx context.Context, p act.Party) (bool, error) {
	by, err := o.by(ctx, p)
	if err != nil || len(by) > 0 {
		return len(by) > 0, err
	}
	at, _, _, err := o.first(ctx, p)
	return at != nil, err
}

// receive does what one parcel that came over the link from hop asks for.
func (o *Post) receive(ctx context.Context, hop act.Party, b []byte) (keptAnswer, error) {
	out, _, err := ReadOuter(bytes.NewReader(b))
	if err != nil {
		return keptAnswer{}, err
	}
	if out.To() != o.Direct.Own.Party {
		if err = o.holdFor(ctx, hop, out, b); errors.Is(err, vault.ErrStorage) || errors.Is(err, ledger.ErrStorage) {
			return keptAnswer{}, err
		}
	} else if _, err = o.Absorb(ctx, bytes.NewReader(b), "hub"); err != nil && !errors.Is(err, ErrParcel) {
		var r *Restored
		var c *ledger.Contradiction
		if !errors.As(err, &r) && !errors.As(err, &c) {
			return keptAnswer{}, err // our own trouble: the hub holds it until that is mended
		}
	}
	k := keptAnswer{Number: out.Number}
	if err != nil {
		o.Direct.Log.Warn("a parcel is refused", "number", out.Number, "by way of", string(hop), "why", err.Error())
		if k.Refused = "it cannot be taken in"; errors.Is(err, errNotRelayed) {
			k.Refused = errNotRelayed.Error()
		}
	}
	return k, nil
}

// post runs the lane of parcels until it ends.
func (s *session) post(ctx context.Context) error {
	by, err := s.d.Post.by(ctx, s.peer.Party)
	if err != nil {
		return err
	}
	for _, p := range by {
		if err := s.d.Post.again(ctx, p); err != nil {
			return err
		}
	}
	return s.both(ctx, s.sendParcels, s.receiveParcels)
}

// sendParcels offers each parcel and waits until it is kept.
func (s *session) sendParcels(ctx context.Context) error {
	o := s.d.Post
	for {
		grown, changed := s.d.Ledger.Grown(), o.Changed()
		b, done, err := o.offer(ctx, s.peer.Party)
		if err != nil {
			return err
		}
		if b == nil {
			if err := s.idleUntil(ctx, grown, changed); err != nil {
				return err
			}
			continue
		}
		if err := s.w.write(kindParcel, b); err != nil {
			return err
		}
		select {
		case k := <-s.kept:
			if k.Refused != "" {
				o.refused(ctx, s.peer.Party, b, k)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := done(ctx); err != nil {
			return err
		}
	}
}

// refused tells the officer that a hub, or the recipient, does not take a parcel.
func (o *Post) refused(ctx context.Context, hop act.Party, b []byte, k keptAnswer) {
	out, _, err := ReadOuter(bytes.NewReader(b))
	if err != nil || out.From() != o.Direct.Own.Party {
		o.Direct.Log.Warn("a parcel was refused", "number", k.Number, "by", string(hop), "why", plain(k.Refused))
		return
	}
	if c, err := o.hold(ctx, out.To()); err == nil {
		c.state.Trouble = fmt.Sprintf("%s refuses to pass parcels on: %s", hop, plain(k.Refused))
		c.mu.Unlock()
	}
}

// plain bounds what a peer says to what a person reads on one line.
func plain(s string) string { return string([]rune(s)[:min(len([]rune(s)), 200)]) }

func (s *session) receiveParcels(ctx context.Context) error {
	for {
		if err := s.w.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		k, b, err := s.w.read()
		if err != nil {
			return err
		}
		switch k {
		case kindPing:
		case kindParcel:
			answer, err := s.d.Post.receive(ctx, s.peer.Party, b)
			if err != nil {
				return err
			}
			if err := s.w.writeJSON(kindKept, answer); err != nil {
				return err
			}
		case kindKept:
			var answer keptAnswer
			if json.Unmarshal(b, &answer) != nil {
				return errFrame
			}
			select {
			case s.kept <- answer:
			default:
				return fmt.Errorf("%s answers what was not sent", s.peer.Party)
			}
		case kindBye:
			return s.parted(b)
		default:
			return fmt.Errorf("%s sends a frame of kind %d on the lane of parcels", s.peer.Party, k)
		}
	}
}

func be(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
