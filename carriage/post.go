package carriage

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"entente/act"
	"entente/intake"
	"entente/ledger"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// Post is the correspondence with partners that are reached by way of others:
// parcels that may be lost, late, doubled or out of turn. It needs no more of
// the way than that: each parcel states how far its sender has come ([Statement]),
// and what is not answered is said again. Fill the exported fields.
//
// [Post.Next] is one step of writing, [Post.Absorb] one of reading; a hub's link
// and a courier's medium only carry what they make and take.
type Post struct {
	Direct  *Direct // the books that both share, and the links to hubs
	Key     *seal.PrivateKey
	Signers []note.Signer // of our checkpoints
	Random  io.Reader     // of control numbers

	mu      sync.Mutex
	with    map[act.Party]*correspondence
	relayed map[int64]int64    // size → parcels of others that were passed on
	packs   map[act.Party]bool // for whom a medium is packed at this moment
	changed chan struct{}      // closed when there may be more to write
}

// correspondence is what is known of one partner. Only heard outlives the process: what
// was sent is said again after a restart.
type correspondence struct {
	mu     sync.Mutex
	loaded bool
	heard  took      // how far the partner has come, by its own word
	said   time.Time // when it wrote the newest word that was heard

	sentTo int64 // acts before this place have been written
	sentAt time.Time
	tries  int
	owes   bool // acts were taken in, or could not be: say where we are

	// After a start we may stand elsewhere than we said before: a backup was put back.
	// Who is told so answers; until then it is said again.
	met     bool
	asking  []string // numbers of our parcels that asked, newest last
	askedAt time.Time
	answer  string // the number of the partner's parcel that asked

	asked time.Time
	serve []want    // what the partner asked for
	asks  time.Time // when it asked
	in    map[act.Number]*vault.Incoming
	seen  []string // numbers of its parcels, newest last

	state Letters
}

// Letters is what an officer is told of a correspondence.
type Letters struct {
	Unanswered time.Time // since when something of ours is not answered
	Heard      time.Time // when the partner was last heard
	Twice      int64     // parcels that came again
	Late       int64     // parcels that came out of turn
	Trouble    string
}

// tableHeard keeps what partners said: party → took. It is no fold: what was said
// outside an act cannot be folded again, and is said anew if it is lost.
const tableHeard = "post/heard"

// States returns the state of each correspondence.
func (o *Post) States() map[act.Party]Letters {
	all := map[act.Party]Letters{}
	for p, c := range o.all() {
		c.mu.Lock()
		all[p] = c.state
		c.mu.Unlock()
	}
	return all
}

func (o *Post) all() map[act.Party]*correspondence {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.with)
}

// Changed returns a channel that is closed when there may be more to write.
func (o *Post) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

func (o *Post) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
	}
	o.changed = make(chan struct{})
}

// hold returns the correspondence with p, locked.
func (o *Post) hold(ctx context.Context, p act.Party) (*correspondence, error) {
	o.mu.Lock()
	if o.with == nil {
		o.with = make(map[act.Party]*correspondence)
	}
	c := o.with[p]
	if c == nil {
		c = &correspondence{in: make(map[act.Number]*vault.Incoming)}
		o.with[p] = c
	}
	o.mu.Unlock()
	c.mu.Lock()
	if c.loaded {
		return c, nil
	}
	err := o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		c.heard, _, err = ledger.Load[took](tx, tableHeard, string(p))
		return err
	})
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	c.loaded = true
	return c, nil
}

// again has everything that p has not answered written anew: a way was opened.
func (o *Post) again(ctx context.Context, p act.Party) error {
	c, err := o.hold(ctx, p)
	if err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.sentTo, c.sentAt, c.asked = c.heard.Next, time.Time{}, time.Time{}
	return nil
}

// letter is a parcel before it is sealed.
type letter struct {
	statement Statement
	delivery  intake.Delivery
	gives     []given
	channel   string // courier, or empty: by a hub
	room      int64  // most bytes of content; 0: no bound
}

// Next is one step of writing: the next parcel for p along a route, or nil when
// there is nothing to say now. A route with nobody between is a courier's, who carries whatever way the links go. What it says is said again after a while if p does not answer.
func (o *Post) Next(ctx context.Context, p act.Party, route []act.Party) ([]byte, error) {
	c, err := o.hold(ctx, p)
	if err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	l, err := o.letter(ctx, c, p, route[1])
	if err != nil || l == nil {
		return nil, err
	}
	var b bytes.Buffer
	out, err := o.write(ctx, &b, route, l)
	if err != nil {
		return nil, err
	}
	if l.statement.Asks {
		c.asking = append(c.asking[max(0, len(c.asking)-maxAsking+1):], out.Number)
	}
	return b.Bytes(), nil
}

// letter decides what there is to say to p by way of hop, and remembers that it was said.
func (o *Post) letter(ctx context.Context, c *correspondence, p, hop act.Party) (*letter, error) {
	d, now := o.Direct, o.Direct.Now()
	queued, err := o.queued(ctx, p)
	if err != nil {
		return nil, err
	}
	wants, err := o.wants(ctx, c, p, now)
	if err != nil {
		return nil, err
	}
	due := queued > c.heard.Next && (c.sentTo <= c.heard.Next || waited(now, c.sentAt, retry(c.tries)))
	asks := !c.met && (c.askedAt.IsZero() || waited(now, c.askedAt, retry(max(0, len(c.asking)-1))))
	if !due && !c.owes && !asks && len(wants) == 0 && len(c.serve) == 0 {
		return nil, nil
	}
	l := &letter{room: maxGiven}
	if hop == p {
		l.channel = courier
	}
	if due {
		if l.delivery, err = d.deliver(ctx, p, c.heard.Next, c.heard.Seen.Head, true, l.channel); err != nil {
			return nil, err
		}
		// Asked after the acts were read: what was released for another way goes by that.
		if via, err := d.via(ctx, p); err != nil || via != hop && p != hop {
			return nil, err
		}
		if err := o.grounds(ctx, &l.delivery, c.heard.Seen.Head); err != nil {
			return nil, err
		}
		c.sent(now, int64(len(l.delivery.Acts)))
	}
	if len(wants) > 0 {
		c.asked = now
	}
	c.owes, l.gives = false, c.take(parcelBlocks)
	l.statement = Statement{From: d.Own.Party, To: p, At: act.MomentOf(now), Want: wants, Asks: asks, Answer: c.answer}
	if c.answer = ""; asks {
		c.askedAt = now
	}
	l.statement.Next, l.statement.Seen, err = d.state(ctx, p)
	return l, err
}

// queued returns how many acts of ours are for p.
func (o *Post) queued(ctx context.Context, p act.Party) (n int64, err error) {
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := o.Direct.Catalogue.Partner(tx, p)
		n = partner.Queued
		return err
	})
	return n, err
}

// grounds shows the growth of our ledger from each head that the partner may
// have seen last, since the one that we know of.
func (o *Post) grounds(ctx context.Context, del *intake.Delivery, from act.Head) error {
	to, err := ledger.ReadCheckpoint(o.Direct.Own, del.Checkpoint)
	if err != nil {
		return err
	}
	del.Growth = nil
	return o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		del.Bases, err = tx.Bases(from.Size, to.Size, maxBases)
		return err
	})
}

// heard remembers what p said on the line, durably.
func (o *Post) heard(ctx context.Context, p act.Party, t took) error {
	c, err := o.hold(ctx, p)
	if err != nil {
		return err
	}
	defer c.mu.Unlock()
	return o.moveOn(ctx, c, p, t, false)
}

// moveOn keeps how far p has come. What came late takes nothing back; its newest word
// does, for a partner that went back to a backup needs what it had taken in once more.
func (o *Post) moveOn(ctx context.Context, c *correspondence, p act.Party, t took, newest bool) error {
	was := c.heard
	if newest || t.Next > c.heard.Next {
		c.heard.Next = t.Next
	}
	if newest || t.Seen.Head.Size > c.heard.Seen.Head.Size {
		c.heard.Seen = t.Seen
	}
	if c.heard.Next == was.Next && c.heard.Seen.Head == was.Seen.Head {
		return nil
	}
	return o.Direct.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		return ledger.Save(tx, tableHeard, string(p), c.heard)
	})
}

// sent remembers that n acts were written, and complains when it is not for the first time.
func (c *correspondence) sent(now time.Time, n int64) {
	if c.sentTo > c.heard.Next {
		c.tries++
	} else {
		c.tries = 0
	}
	if c.state.Unanswered.IsZero() {
		c.state.Unanswered = now
	} else if c.state.Trouble == "" && now.Sub(c.state.Unanswered) >= retryFirst {
		c.state.Trouble = fmt.Sprintf("nothing is answered since %s: ask the hub, or carry it another way", c.state.Unanswered.UTC().Format(time.RFC3339))
	}
	c.sentTo, c.sentAt = c.heard.Next+n, now
}

// waited reports whether so long has passed since a moment of our own clock. One that
// lies ahead was told by a clock that was wrong.
func waited(now, since time.Time, long time.Duration) bool {
	passed := now.Sub(since)
	return passed >= long || passed < 0
}

// retry is how long an answer is waited for, the n-th time.
func retry(n int) time.Duration { return min(retryFirst<<min(n, 10), retryMost) }

// take takes up to n blocks off what the partner asked for.
func (c *correspondence) take(n int) (all []given) {
	for n > 0 && len(c.serve) > 0 {
		w := &c.serve[0]
		g := given{Number: w.Number, Vault: w.Vault, List: w.List, From: w.From, Count: min(n, w.Count)}
		all = append(all, g)
		n -= g.Count
		w.From, w.Count, w.List = w.From+g.Count, w.Count-g.Count, false
		if w.Count <= 0 {
			c.serve = c.serve[1:]
		}
	}
	return all
}

// wants lists the content that is awaited from p, if it is time to ask.
func (o *Post) wants(ctx context.Context, c *correspondence, p act.Party, now time.Time) (all []want, err error) {
	if !c.asked.IsZero() && !waited(now, c.asked, retryFirst) {
		return nil, nil
	}
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for a, err := range o.Direct.Catalogue.Awaited(tx, p) {
			if err != nil || len(all) == maxWants {
				return err
			}
			w := want{Number: a.Number, Vault: a.Vault, List: true, Count: wantBlocks}
			if in := c.in[a.Number]; in != nil {
				w.From, w.List = in.Next(), false
			}
			all = append(all, w)
		}
		return nil
	})
	if err == nil && len(all) > 0 && o.scarce(c) {
		return nil, nil
	}
	return all, err
}

// scarce reports whether no content is asked for or taken in for want of room, which the officer is told.
func (o *Post) scarce(c *correspondence) bool {
	err := o.Direct.Vault.Spare()
	if err != nil {
		c.state.Trouble = err.Error()
	} else if c.state.Trouble == vault.ErrScarce.Error() {
		c.state.Trouble = ""
	}
	return err != nil
}

// write seals a letter into a parcel on w. Content that is not here any more,
// or was never released to the recipient, is left out.
func (o *Post) write(ctx context.Context, w io.Writer, route []act.Party, l *letter) (Outer, error) {
	d := o.Direct
	out := Outer{Route: route}
	var err error
	if out.Number, err = newControlNumber(o.Random); err != nil {
		return out, err
	}
	var card act.Card
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, ok, err := d.Catalogue.Partner(tx, out.To())
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("writing to %s: it is not known here", out.To()))
		}
		card = partner.Card
		return nil
	})
	if err != nil {
		return out, err
	}
	to, err := seal.ParsePublicKey(card.Seal)
	if err != nil {
		return out, err
	}
	acts, err := json.Marshal(l.delivery)
	if err != nil {
		return out, err
	}
	var open []vault.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	var lists [][]byte
	var size int64
	for _, g := range l.gives {
		f, list, g, err := o.prepare(ctx, out.To(), out.channel(), g)
		if err != nil {
			d.Log.Info("content that is asked for cannot be given", "by", string(out.To()), "why", err.Error())
			continue
		}
		if l.room > 0 { // what has no place here is asked for again
			size += int64(len(list))
			g.Count = min(g.Count, int(max(l.room-size, 0)/vault.BlockSize))
			if size += int64(g.Count) * vault.BlockSize; g.Count == 0 {
				f.Close()
				continue
			}
		}
		open, lists, l.statement.Gives = append(open, f), append(lists, list), append(l.statement.Gives, g)
	}
	l.statement.Number, l.statement.Acts = out.Number, sumOf(acts)
	signed, err := l.statement.sign(o.Signers)
	if err != nil {
		return out, err
	}
	pw, err := beginParcel(w, out, to)
	if err != nil {
		return out, err
	}
	if err := errors.Join(pw.part(signed), pw.part(acts)); err != nil {
		return out, err
	}
	var buf []byte // most parcels carry acts alone
	for k, g := range l.statement.Gives {
		if g.List {
			if err := pw.part(lists[k]); err != nil {
				return out, err
			}
		}
		for i := g.From; i < g.From+g.Count; i++ {
			n := min(vault.BlockSize, open[k].Size()-int64(i)*vault.BlockSize)
			buf = slices.Grow(buf[:0], int(n))
			if _, err := open[k].ReadAt(buf[:n], int64(i)*vault.BlockSize); err != nil && !errors.Is(err, io.EOF) {
				return out, err
			}
			if err := pw.part(buf[:n]); err != nil {
				return out, err
			}
		}
	}
	return out, pw.end()
}

// prepare opens what g asks for, and cuts g to what there is.
func (o *Post) prepare(ctx context.Context, p act.Party, channel string, g given) (f vault.File, list []byte, _ given, err error) {
	d := o.Direct
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		return d.mayGive(tx, p, channel, g.Number, g.Vault)
	})
	if err != nil {
		return nil, nil, g, err
	}
	if g.List {
		blocks, err := d.Vault.Blocks(ctx, vault.Digest(g.Vault))
		if err != nil {
			return nil, nil, g, err
		}
		list = blocks.Marshal()
	}
	if f, err = d.Vault.Open(ctx, vault.Digest(g.Vault)); err != nil {
		return nil, nil, g, err
	}
	all := int((f.Size() + vault.BlockSize - 1) / vault.BlockSize)
	g.Count = min(g.Count, all-g.From)
	if g.From < 0 || g.Count < 0 {
		return nil, nil, g, errors.Join(errors.New("it asks for blocks out of bounds"), f.Close())
	}
	return f, list, g, nil
}

// Absorb is one step of reading: it takes in a parcel that is for us, however it
// came. Acts that came before have no second effect; what came too early is
// asked for again. The error says why nothing more of it could be taken in.
func (o *Post) Absorb(ctx context.Context, r io.Reader, channel string) (Outer, error) {
	d := o.Direct
	p, err := openParcel(r, d.Own.Party, o.Key, func(q act.Party) (card act.Card, err error) { return o.card(ctx, q) })
	if err != nil {
		return Outer{}, err
	}
	c, err := o.hold(ctx, p.From)
	if err != nil {
		return p.outer, err
	}
	defer c.mu.Unlock()
	defer o.wake()
	again := slices.Contains(c.seen, p.Number)
	if again {
		c.state.Twice++
	} else if c.seen = append(c.seen, p.Number); len(c.seen) > maxRemembered {
		c.seen = slices.Delete(c.seen, 0, 1)
	}
	if err := d.checkOurs(ctx, p.From, p.Seen); err != nil {
		c.state.Trouble = err.Error()
		return p.outer, err
	}
	if err := d.checkNext(ctx, p.From, p.Next); err != nil {
		err = fmt.Errorf("%w: %w", ErrParcel, err)
		c.state.Trouble = err.Error()
		return p.outer, err
	}
	if err := o.takeIn(ctx, c, p, channel); err != nil {
		return p.outer, err
	}
	if err := o.hear(ctx, c, p, again); err != nil {
		return p.outer, err
	}
	return p.outer, p.content(func(g given, list *vault.Blocks, i int, block []byte) error {
		if channel != courier && o.scarce(c) {
			return nil // asked for again; who takes in a medium is told instead
		}
		return o.block(ctx, c, p.From, g, list, i, block)
	})
}

// card returns the pinned card of a partner whom we hear.
func (o *Post) card(ctx context.Context, p act.Party) (card act.Card, err error) {
	card, why, err := o.partner(ctx, p)
	if why != "" {
		err = fmt.Errorf("%w: %s", ErrParcel, why)
	}
	return card, err
}

// partner returns the pinned card of a partner, or why nothing goes to it or comes from it.
func (o *Post) partner(ctx context.Context, p act.Party) (card act.Card, why string, err error) {
	d := o.Direct
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, ok, err := d.Catalogue.Partner(tx, p)
		switch {
		case err != nil:
			return err
		case !ok:
			why = fmt.Sprintf("%s is not known here: compare codes first", p)
		case d.Disputed(partner) != "":
			why = fmt.Sprintf("the ledger of %s is disputed: %s", p, d.Disputed(partner))
		case partner.Parked != "":
			why = fmt.Sprintf("an officer parked %s: %s; nothing is lost: resume it first (entente partner resume %s)", p, partner.Parked, p)
		}
		card = partner.Card
		return nil
	})
	return card, why, err
}

// takeIn hands the acts to the intake. What is late or early is no fault of the
// sender's: we say where we are.
func (o *Post) takeIn(ctx context.Context, c *correspondence, p *opened, channel string) error {
	if len(p.delivery.Checkpoint) == 0 {
		return nil // it brings no acts
	}
	if !o.Direct.door.hands(p.From, len(p.delivery.Acts), o.Direct.Now()) {
		c.state.Trouble = fmt.Sprintf("%s: %v", p.From, errHands)
		return fmt.Errorf("%w: %w", ErrParcel, errHands)
	}
	p.delivery.Channel = channel
	err := o.Direct.Intake.TakeIn(ctx, p.delivery)
	var con *ledger.Contradiction
	switch {
	case errors.As(err, &con):
		o.Direct.dispute(ctx, con)
		c.state.Trouble = con.Error()
		return err
	case errors.Is(err, ledger.ErrStale), errors.Is(err, intake.ErrGap):
		c.state.Late++
		c.owes = c.owes || len(p.delivery.Acts) > 0
		return nil
	case err != nil:
		return err
	}
	c.owes = c.owes || len(p.delivery.Acts) > 0
	return nil
}

// hear keeps what the partner says of how far it has come, and what it asks for. An
// old parcel, or one that is played again, asks for nothing.
func (o *Post) hear(ctx context.Context, c *correspondence, p *opened, again bool) error {
	d := o.Direct
	c.state.Heard = d.Now()
	c.met = c.met || slices.Contains(c.asking, p.Answer)
	if p.Asks && !again {
		c.owes, c.answer = true, p.Number
	}
	newest := !again && p.At.After(c.said)
	if err := o.moveOn(ctx, c, p.From, took{p.Next, p.Seen}, newest); err != nil {
		return err
	}
	if newest {
		c.said = earlier(p.At.Time, d.Now())
	}
	if c.heard.Next >= c.sentTo {
		c.tries, c.state.Unanswered, c.state.Trouble = 0, time.Time{}, ""
	}
	if len(p.Want) > 0 && !again && !p.At.Before(c.asks) {
		c.asks, c.serve = earlier(p.At.Time, d.Now()), p.Want
		for i := range c.serve {
			c.serve[i].Count = min(max(c.serve[i].Count, 1), wantBlocks)
		}
	}
	d.carried(p.From, c.heard)
	return nil
}

// earlier bounds what a partner says of the time by our clock: one that was days ahead, and is
// set right, would not be listened to for days.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// block takes in one block of content that is awaited from p.
func (o *Post) block(ctx context.Context, c *correspondence, p act.Party, g given, list *vault.Blocks, i int, b []byte) error {
	d := o.Direct
	in := c.in[g.Number]
	if in == nil && list != nil {
		awaited, err := o.awaits(ctx, p, g, list)
		if err != nil || !awaited {
			return err
		}
		if len(c.in) >= maxWants {
			return nil // no more files are open at once; it is asked for again
		}
		if in, err = o.begin(ctx, g, *list); err != nil || in == nil {
			return err
		}
		c.in[g.Number] = in
	}
	if in == nil {
		return nil // asked for again, with its list
	}
	if i == in.Next() {
		if err := in.Write(i, b); err != nil {
			return errors.Join(err, o.drop(c, g.Number))
		}
		c.asked = time.Time{}
	}
	if !in.Whole() {
		return nil
	}
	if err := in.Keep(ctx); err != nil {
		return errors.Join(err, o.drop(c, g.Number))
	}
	if err := o.drop(c, g.Number); err != nil {
		return err
	}
	c.asked = time.Time{}
	return d.Intake.Arrived(ctx, g.Number)
}

// begin takes in an object, unless it comes by another road already: whoever holds up
// that one must not hold up the parcels too.
func (o *Post) begin(ctx context.Context, g given, list vault.Blocks) (*vault.Incoming, error) {
	short, cancel := context.WithTimeout(ctx, claimLimit)
	defer cancel()
	in, err := o.Direct.Vault.Receive(short, vault.Digest(g.Vault), list)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return in, err
}

// letGo leaves an object that parcels from p began to another road.
func (o *Post) letGo(ctx context.Context, p act.Party, n act.Number) error {
	c, err := o.hold(ctx, p)
	if err != nil {
		return err
	}
	defer c.mu.Unlock()
	if c.in[n] == nil {
		return nil
	}
	return o.drop(c, n)
}

func (o *Post) drop(c *correspondence, n act.Number) error {
	in := c.in[n]
	delete(c.in, n)
	return in.Close()
}

func (o *Post) awaits(ctx context.Context, p act.Party, g given, list *vault.Blocks) (yes bool, err error) {
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		a, ok, err := o.Direct.Catalogue.Awaits(tx, p, g.Number)
		yes = ok && a.Vault == g.Vault && a.Size == list.Size
		return err
	})
	return yes, err
}

// newControlNumber draws what identifies a parcel outside: it says nothing else.
func newControlNumber(random io.Reader) (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a control number: %w", err)
	}
	s := crockford.EncodeToString(b[:])
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:], nil
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
