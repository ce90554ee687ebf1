package carriage

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"time"
	"unicode"

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
	Hop    act.Party  `json:"hop"` // who handed it to us
	Number string     `json:"number"`
	Size   int64      `json:"size"`
	Vault  *act.Sum   `json:"vault,omitempty"` // none: the bytes stand in tableParcel
	At     act.Moment `json:"at"`
}

func (h held) load(to act.Party) string { return string(to) + "/" + string(h.Hop) }

// Primary tables of the hub: what it holds is no act, and no fold.
const (
	tableHeld   = "post/held/"   // + recipient: place → held
	tableParcel = "post/parcel/" // + recipient: place → bytes of a small one
	tableNumber = "post/number/" // + recipient: hop/number → place
	tablePlace  = "post/place"   // recipient → place of the next parcel
	tableLoad   = "post/load"    // recipient/hop → load
)

// load is what a hub holds for one recipient, handed to it by one partner: none
// can fill the place of another.
type load struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

// Kept answers a parcel: it is durable, or refused for good.
type Kept struct {
	Number  string `json:"number"`
	Refused string `json:"refused,omitempty"`
}

// What a sender is told whose parcel is not passed on. The first is the same for a
// recipient that is not known here and for one that no pact allows.
var (
	errNotRelayed = errors.New("no pact in force names this node as the hub on this route")
	errHeld       = errors.New("it holds as many parcels for this recipient as it may: wait until some were taken")
)

// holdFor keeps a parcel for the next on its route, durably. One that is held already
// is not held twice.
func (o *Post) holdFor(ctx context.Context, hop act.Party, out Outer, b []byte) error {
	d := o.Direct
	to, ok := out.After(d.Own.Party)
	if before, _ := out.before(d.Own.Party); !ok || before != hop {
		return errNotRelayed
	}
	number := string(hop) + "/" + out.Number
	may, known := false, false
	err := d.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		if may, err = d.relays(tx, out.From(), to, out.To()); err == nil {
			_, known, err = ledger.Load[int64](tx, tableNumber+string(to), number)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !may {
		return errNotRelayed
	}
	if known {
		return nil
	}
	if err := d.Vault.Spare(); err != nil {
		return err
	}
	h := held{From: out.From(), Hop: hop, Number: out.Number, Size: int64(len(b)), At: act.MomentOf(d.Now())}
	if len(b) > vault.Inline {
		tree, err := d.Vault.Put(ctx, "p-"+string(hop)+"-"+out.Number, bytes.NewReader(b))
		if err != nil {
			return err
		}
		sum := act.Sum(tree.Digest())
		h.Vault = &sum
	}
	defer o.wake()
	err = o.enterHeld(ctx, to, number, h, b)
	if errors.Is(err, errHeld) { // some may have waited too long
		if _, _, _, err := o.first(ctx, to); err != nil {
			return err
		}
		err = o.enterHeld(ctx, to, number, h, b)
	}
	return err
}

// enterHeld puts a held parcel behind those that wait for the same recipient.
func (o *Post) enterHeld(ctx context.Context, to act.Party, number string, h held, b []byte) error {
	return o.Direct.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		l, _, err := ledger.Load[load](tx, tableLoad, h.load(to))
		if err != nil {
			return err
		}
		if l.Count >= maxHeld || l.Bytes+h.Size > maxHeldBytes {
			return errHeld
		}
		place, _, err := ledger.Load[int64](tx, tablePlace, string(to))
		if err != nil {
			return err
		}
		at := be(place)
		l.Count, l.Bytes = l.Count+1, l.Bytes+h.Size
		if h.Vault == nil {
			err = tx.Put(tableParcel+string(to), at, b)
		}
		return errors.Join(err, ledger.Save(tx, tableHeld+string(to), string(at), h), ledger.Save(tx, tableNumber+string(to), number, place),
			ledger.Save(tx, tablePlace, string(to), place+1), ledger.Save(tx, tableLoad, h.load(to), l))
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
// between two parties, and next as a party that we know. Its end does not stop what
// protection still needs.
func (d *Direct) relays(tx *ledger.Tx, from, next, to act.Party) (bool, error) {
	if _, known, err := d.Catalogue.Partner(tx, next); err != nil || !known {
		return false, err
	}
	all, err := d.Catalogue.Pacts(tx)
	if err != nil {
		return false, err
	}
	for _, row := range all {
		p, now, ok, err := d.Catalogue.PactUnder(tx, row.ID, row.Text)
		if err != nil {
			return false, err
		}
		if !ok || p.Hub.Party != d.Own.Party || !p.Has(from) || !p.Has(next) || !p.Has(to) {
			continue
		}
		if since, began := p.Since(now.Life); began && !d.Now().Before(since) {
			return true, nil
		}
	}
	return false, nil
}

// first reads the oldest parcel that is held for p. One that waited too long, or whose
// bytes are gone, is dropped on the way.
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
	if err != nil || at == nil {
		return at, h, b, err
	}
	if d.Now().Sub(h.At.Time) > heldFor {
		return o.forgo(ctx, p, at, h, "has waited too long")
	}
	if h.Vault == nil {
		return at, h, b, nil
	}
	f, err := d.Vault.Open(ctx, vault.Digest(*h.Vault))
	if errors.Is(err, fs.ErrNotExist) {
		return o.forgo(ctx, p, at, h, "is lost")
	}
	if err != nil {
		return at, h, nil, err
	}
	defer f.Close()
	b, err = io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), maxParcel)))
	return at, h, b, err
}

// forgo drops a held parcel, and reads the one behind it: its sender sends it again.
func (o *Post) forgo(ctx context.Context, p act.Party, at []byte, h held, why string) ([]byte, held, []byte, error) {
	o.Direct.Log.Warn("a held parcel is dropped, and its sender will send it again: it "+why, "number", h.Number)
	if err := o.passed(ctx, p, at, h); err != nil {
		return nil, h, nil, err
	}
	return o.first(ctx, p)
}

// passed forgets a held parcel: the next on its route has kept it.
func (o *Post) passed(ctx context.Context, p act.Party, at []byte, h held) error {
	d := o.Direct
	err := d.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		l, _, err := ledger.Load[load](tx, tableLoad, h.load(p))
		if err != nil {
			return err
		}
		l.Count, l.Bytes = l.Count-1, l.Bytes-h.Size
		return errors.Join(tx.Delete(tableHeld+string(p), at), tx.Delete(tableParcel+string(p), at),
			tx.Delete(tableNumber+string(p), []byte(string(h.Hop)+"/"+h.Number)), ledger.Save(tx, tableLoad, h.load(p), l))
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

// Relayed is what a hub's officer is told of the parcels of others.
type Relayed struct {
	Held   int64           `json:"held"`
	Bytes  int64           `json:"bytes"`
	Passed map[int64]int64 `json:"passed,omitempty"` // since the start: size → parcels; 0: of no size on the ladder
}

// Relayed counts the parcels of others that are held here, and that were passed on.
func (o *Post) Relayed(tx *ledger.Tx) (r Relayed, err error) {
	for row, err := range tx.Scan(tableLoad, nil, nil) {
		var l load
		if err == nil {
			err = json.Unmarshal(row.Value, &l)
		}
		if err != nil {
			return r, fmt.Errorf("counting held parcels: %w", err)
		}
		r.Held, r.Bytes = r.Held+l.Count, r.Bytes+l.Bytes
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r.Passed = maps.Clone(o.relayed)
	return r, nil
}

// Holding counts the parcels of others that are held for p, and says since when the oldest waits.
func (o *Post) Holding(tx *ledger.Tx, p act.Party) (count, bytes int64, since act.Moment, err error) {
	for row, err := range tx.Scan(tableLoad, []byte(p+"/"), []byte(p+"0")) { // '0' follows '/'
		var l load
		if err == nil {
			err = json.Unmarshal(row.Value, &l)
		}
		if err != nil {
			return 0, 0, since, fmt.Errorf("counting held parcels: %w", err)
		}
		count, bytes = count+l.Count, bytes+l.Bytes
	}
	for row, err := range tx.Scan(tableHeld+string(p), nil, nil) {
		var h held
		if err == nil {
			err = json.Unmarshal(row.Value, &h)
		}
		if err != nil {
			return 0, 0, since, fmt.Errorf("reading a held parcel: %w", err)
		}
		return count, bytes, h.At, nil
	}
	return count, bytes, since, nil
}

// Offer is one step of carrying to hop: the next parcel that goes there, and what to do
// once it has been kept there. It is nil when there is none.
func (o *Post) Offer(ctx context.Context, hop act.Party) (b []byte, done func(context.Context) error, err error) {
	at, h, b, err := o.first(ctx, hop)
	if err != nil || at != nil {
		return b, func(ctx context.Context) error { o.countPassed(h.Size); return o.passed(ctx, hop, at, h) }, err
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

func (o *Post) countPassed(size int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.relayed == nil {
		o.relayed = make(map[int64]int64)
	}
	if SizeClass(size) != size { // who hands us parcels chooses their sizes, and must not fill this
		size = 0
	}
	o.relayed[size]++
}

// by lists the partners that are reached by way of hop.
func (o *Post) by(ctx context.Context, hop act.Party) (all []act.Party, err error) {
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partners, err := o.Direct.Catalogue.Partners(tx)
		for _, p := range partners {
			if p.Via == hop && p.Parked == "" {
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

// Receive is one step of answering hop, who hands us a parcel: one for us is taken in, one
// for others is held. An error is our own trouble: hop keeps the parcel until that is
// mended. Whatever else is wrong with it, it is refused for good, so that no
// partner can stop the parcels behind its own; what matters in it is said again.
func (o *Post) Receive(ctx context.Context, hop act.Party, b []byte) (Kept, error) {
	out, _, err := ReadOuter(bytes.NewReader(b))
	if err != nil {
		return Kept{}, err
	}
	own := o.Direct.Own.Party
	if before, _ := out.before(own); before != hop {
		err = errNotRelayed
	} else if out.To() == own {
		_, err = o.Absorb(ctx, bytes.NewReader(b), "hub")
	} else {
		err = o.holdFor(ctx, hop, out, b)
	}
	if ours(ctx, err) {
		return Kept{}, err
	}
	k := Kept{Number: out.Number}
	if err != nil {
		o.Direct.Log.Warn("a parcel is refused", "number", out.Number, "by way of", string(hop), "why", err.Error())
		if k.Refused = "it cannot be taken in"; errors.Is(err, errNotRelayed) || errors.Is(err, errHeld) || errors.Is(err, errHands) {
			k.Refused = err.Error()
		}
	}
	return k, nil
}

// ours reports whether an error is of this machine, whatever was sent to it.
func ours(ctx context.Context, err error) bool {
	for _, e := range []error{vault.ErrStorage, vault.ErrFull, vault.ErrScarce, ledger.ErrStorage, ledger.ErrFull} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err != nil && ctx.Err() != nil
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
		b, done, err := o.Offer(ctx, s.peer.Party)
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
		wait := time.NewTimer(silence)
		select {
		case k := <-s.kept:
			wait.Stop()
			if err := o.Answered(ctx, s.peer.Party, b, k); err != nil {
				return err
			}
		case <-wait.C: // it breaks the silence, and answers no parcel
			o.notKept(ctx, s.peer.Party, b, "it does not answer")
			return fmt.Errorf("%s does not say whether it keeps a parcel", s.peer.Party)
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
		if err := done(ctx); err != nil {
			return err
		}
	}
}

// Answered is the step that hears what hop says of a parcel that was offered to it.
func (o *Post) Answered(ctx context.Context, hop act.Party, b []byte, k Kept) error {
	if out, _, err := ReadOuter(bytes.NewReader(b)); err != nil || out.Number != k.Number {
		return errors.Join(err, fmt.Errorf("%s answers another parcel than the one that it was given", hop))
	}
	if k.Refused != "" {
		o.notKept(ctx, hop, b, plain(k.Refused))
	}
	return nil
}

// notKept tells the officer why hop does not take a parcel, if it is one of ours.
func (o *Post) notKept(ctx context.Context, hop act.Party, b []byte, why string) {
	out, _, err := ReadOuter(bytes.NewReader(b))
	if err != nil || out.From() != o.Direct.Own.Party {
		o.Direct.Log.Warn("a parcel was refused", "number", out.Number, "by", string(hop), "why", why)
		return
	}
	if c, err := o.hold(ctx, out.To()); err == nil {
		c.state.Trouble = fmt.Sprintf("%s does not take our parcels: %s", hop, why)
		c.mu.Unlock()
	}
}

// plain bounds what a peer says to what a person reads on one line; it commands no terminal.
func plain(s string) string {
	shown := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
	return string(shown[:min(len(shown), 200)])
}

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
			answer, err := s.d.Post.Receive(ctx, s.peer.Party, b)
			if err != nil {
				return err
			}
			if err := s.w.writeJSON(kindKept, answer); err != nil {
				return err
			}
		case kindKept:
			var answer Kept
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
