// Package carriage brings acts and sealed content to the partner.
//
// [Direct] is the direct link: mutual TLS 1.3 with a hybrid key exchange, keys
// pinned by the partner's card. Either side may dial; what flows is the same.
// What must be sent is what the ledger gained since the partner's own count,
// which its hello states: there is no outbox that could disagree. An act
// arrives in order and once, because its place is counted by the ledger that
// takes it in. Content follows its act on a connection of its own, block by
// verified block, and resumes where it was cut.
//
// The package does not judge what it carries, and cannot read content.
package carriage

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/intake"
	"entente/ledger"
	"entente/party"
	"entente/vault"
)

// Direct is the direct link to every partner. Fill the exported fields, then
// call [Direct.Listen] and [Direct.Dial].
type Direct struct {
	Own         act.Card
	Certificate tls.Certificate
	Ledger      *ledger.Ledger
	Catalogue   *catalogue.Catalogue
	Intake      *intake.Office
	Post        *Post                     // parcels, by hubs; nil: none are taken
	Agreed      func(ctx context.Context) // a partner has shown that it knows no newer ledger of ours; may be nil
	Vault       *vault.Vault
	Now         func() time.Time
	Connect     func(ctx context.Context, address string) (net.Conn, error)
	Jitter      *rand.Rand                                                                 // spreads reconnections; guarded by mu
	Evidence    func(ctx context.Context, p act.Party, what string, evidence []byte) error // keeps what convicts a ledger
	Log         *slog.Logger

	mu        sync.Mutex
	live      map[key]*session
	states    map[act.Party]State
	progress  map[act.Number]Progress
	presented []act.Card // cards of strangers, newest last
	open      int
}

type key struct {
	party act.Party
	lane  lane
}

// State is what an officer is told about the link to a partner.
type State struct {
	Linked  bool
	Since   time.Time
	Carried int64         // acts of ours that the partner has taken in
	Trouble string        // why there is no link, or what stops it
	Skew    time.Duration // how far the partner's clock is ahead, if more than a few minutes
}

// Progress is how much of a product's content has arrived.
type Progress struct{ Done, All int64 }

// States returns the state of each link.
func (d *Direct) States() map[act.Party]State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.states)
}

// Fetching returns the products whose content is on its way.
func (d *Direct) Fetching() map[act.Number]Progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.progress)
}

// Presented returns the card whose code an officer heard, among those that
// strangers showed.
func (d *Direct) Presented(code string) (act.Card, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range slices.Backward(d.presented) {
		if party.SameCode(party.Code(c), code) {
			return c, true
		}
	}
	return act.Card{}, false
}

func (d *Direct) setState(p act.Party, f func(*State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.states == nil {
		d.states = make(map[act.Party]State)
	}
	s := d.states[p]
	f(&s)
	d.states[p] = s
}

func (d *Direct) carried(p act.Party, n int64) { d.setState(p, func(s *State) { s.Carried = n }) }

func (d *Direct) fetched(n act.Number, done, all int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.progress == nil {
		d.progress = make(map[act.Number]Progress)
	}
	if all == 0 {
		delete(d.progress, n)
		return
	}
	d.progress[n] = Progress{min(done, all), all}
}

// Listen answers callers on l until ctx ends, and waits for what it started.
func (d *Direct) Listen(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait: when the listener fails, sessions would go on and nobody could call
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("listening for partners: %w", err)
		}
		if !d.enter(1) {
			c.Close()
			continue
		}
		wg.Go(func() {
			defer d.enter(-1)
			if err := d.answer(ctx, c); err != nil && ctx.Err() == nil {
				d.Log.Debug("a caller's connection ended", "from", c.RemoteAddr().String(), "why", err.Error())
			}
		})
	}
}

func (d *Direct) enter(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > 0 && d.open >= maxConnections {
		return false
	}
	d.open += n
	return true
}

// answer serves one caller.
func (d *Direct) answer(ctx context.Context, c net.Conn) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	t := tls.Server(c, tlsConfig(d.Certificate))
	if err := handshake(ctx, t); err != nil {
		return err
	}
	w := newWire(t)
	theirs, err := readHello(w)
	if err != nil {
		return err
	}
	if theirs.Card.Link != peerKey(t) {
		return errors.New("the caller's card names another key than it shows")
	}
	if theirs.Lane == laneIntroduce {
		d.present(theirs.Card)
		return w.writeJSON(kindHello, hello{Version: 1, Lane: laneIntroduce, Card: d.Own, At: d.Now()})
	}
	s := &session{d: d, w: w, lane: theirs.Lane, theirs: theirs, took: make(chan took, 1), kept: make(chan Kept, 1), done: make(chan struct{})}
	if s.peer, err = d.pinned(ctx, theirs.Card.Party, peerKey(t)); err != nil {
		s.part("refused", "no pact is known with this key: compare codes first")
		d.present(theirs.Card)
		return err
	}
	return s.run(ctx)
}

// present remembers a stranger's card, so that an officer can compare its code.
func (d *Direct) present(c act.Card) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.presented = slices.DeleteFunc(d.presented, func(o act.Card) bool { return o.Link == c.Link })
	d.presented = append(d.presented, c)
	if n := len(d.presented); n > maxPresented {
		d.presented = slices.Delete(d.presented, 0, n-maxPresented)
	}
}

// pinned returns the card of the partner p, whose link key must be this.
func (d *Direct) pinned(ctx context.Context, p act.Party, k act.Sum) (act.Card, error) {
	var card act.Card
	err := d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, ok, err := d.Catalogue.Partner(tx, p)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%s is not known here: compare codes first", p)
		case partner.Card.Link != k:
			return fmt.Errorf("the key shown is not the one pinned for %s: refuse it, or compare codes anew if the partner changed its key", p)
		case partner.Disputed != "":
			return fmt.Errorf("the ledger of %s is disputed: %s", p, partner.Disputed)
		}
		card = partner.Card
		return nil
	})
	return card, err
}

func handshake(ctx context.Context, t *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("greeting the peer: %w", err)
	}
	return t.SetReadDeadline(time.Now().Add(handshakeLimit))
}

func readHello(w *wire) (hello, error) {
	k, b, err := w.read()
	if err != nil {
		return hello{}, err
	}
	if k == kindBye {
		var y bye
		if json.Unmarshal(b, &y) == nil && len(y.Text) <= act.MaxLine {
			if y.Kind == "busy" {
				return hello{}, errLinked
			}
			return hello{}, fmt.Errorf("the peer refuses (%s): %s", y.Kind, y.Text)
		}
	}
	var h hello
	if k != kindHello || json.Unmarshal(b, &h) != nil || h.Version != 1 || h.Card.Party.Check() != nil {
		return hello{}, fmt.Errorf("no hello of version 1: %w", errFrame)
	}
	return h, nil
}

// Introduce fetches the card of whoever answers at address, and shows ours.
// Nobody stands behind it until two people have compared its code.
func (d *Direct) Introduce(ctx context.Context, address string) (act.Card, error) {
	w, theirs, err := d.call(ctx, address, hello{Version: 1, Lane: laneIntroduce, Card: d.Own, At: d.Now()})
	if err != nil {
		return act.Card{}, err
	}
	w.Close()
	return theirs.Card, nil
}

// call dials and exchanges hellos.
func (d *Direct) call(ctx context.Context, address string, mine hello) (*wire, hello, error) {
	c, err := d.Connect(ctx, address)
	if err != nil {
		return nil, hello{}, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	t := tls.Client(c, tlsConfig(d.Certificate))
	w := newWire(t)
	theirs, err := func() (hello, error) {
		if err := handshake(ctx, t); err != nil {
			return hello{}, err
		}
		if err := w.writeJSON(kindHello, mine); err != nil {
			return hello{}, err
		}
		theirs, err := readHello(w)
		if err == nil && theirs.Card.Link != peerKey(t) {
			err = errors.New("the card shown names another key than the connection")
		}
		return theirs, err
	}()
	if err != nil {
		c.Close()
		return nil, hello{}, err
	}
	return w, theirs, nil
}

// Dial keeps the link to p open, at the address that address returns, until
// ctx ends. An empty address means that p calls us.
func (d *Direct) Dial(ctx context.Context, p act.Party, address func() string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, l := range []lane{laneActs, lanePull, lanePush} {
		wg.Go(func() { d.dialLane(ctx, p, l, address) })
	}
	if d.Post != nil {
		wg.Go(func() { d.dialPost(ctx, p, address) })
	}
}

// dialPost keeps the lane of parcels open while it has a use.
func (d *Direct) dialPost(ctx context.Context, p act.Party, address func() string) {
	for ctx.Err() == nil {
		grown, changed := d.Ledger.Grown(), d.Post.Changed()
		needed, err := d.Post.Needed(ctx, p)
		if needed && err == nil {
			d.dialLane(ctx, p, lanePost, address)
			return
		}
		select {
		case <-grown:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (d *Direct) dialLane(ctx context.Context, p act.Party, l lane, address func() string) {
	for wait := backoffFirst; ctx.Err() == nil; {
		var pause time.Duration
		pause, wait = d.attempt(ctx, p, l, address(), wait)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// attempt is one step of dialling: it serves the lane for as long as it holds.
// It returns how long to pause, and what to give the next attempt as wait.
func (d *Direct) attempt(ctx context.Context, p act.Party, l lane, address string, wait time.Duration) (pause, next time.Duration) {
	began := d.Now()
	err := errors.New("no address is known")
	if address != "" {
		err = d.dialOnce(ctx, p, l, address)
	}
	if ctx.Err() != nil {
		return 0, wait
	}
	if d.Now().Sub(began) > silence {
		wait = backoffFirst
	}
	if l == laneActs && !errors.Is(err, errLinked) {
		d.setState(p, func(s *State) { s.Trouble = err.Error() })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return wait/2 + time.Duration(d.Jitter.Int64N(int64(wait))), min(2*wait, backoffMost)
}

func (d *Direct) dialOnce(ctx context.Context, p act.Party, l lane, address string) error {
	_, seen, err := d.state(ctx, p)
	if err != nil {
		return err
	}
	w, theirs, err := d.call(ctx, address, hello{Version: 1, Lane: l, Card: d.Own, At: d.Now(), Seen: seen})
	if err != nil {
		return err
	}
	defer w.Close()
	card, err := d.pinned(ctx, p, theirs.Card.Link)
	if err != nil {
		return err
	}
	return (&session{d: d, w: w, lane: l, dialed: true, peer: card, theirs: theirs, took: make(chan took, 1), kept: make(chan Kept, 1), done: make(chan struct{})}).run(ctx)
}

// run checks the hello, answers it if the peer called, and serves the lane.
func (s *session) run(ctx context.Context) error {
	d := s.d
	if err := d.meet(ctx, s.peer.Party, s.theirs.At, s.theirs.Seen, s.part); err != nil {
		return err
	}
	ctx, s.end = context.WithCancel(ctx)
	defer s.end()
	stop := context.AfterFunc(ctx, func() { s.w.Close() })
	defer stop()
	release, ok := d.claim(ctx, s)
	if !ok {
		s.part("busy", "this lane is served by another connection")
		return errLinked
	}
	defer release()
	if !s.dialed {
		_, seen, err := d.state(ctx, s.peer.Party)
		if err != nil {
			return err
		}
		if err := s.w.writeJSON(kindHello, hello{Version: 1, Lane: s.lane, Card: d.Own, At: d.Now(), Seen: seen}); err != nil {
			return err
		}
	}
	s.w.limit = maxFrame
	switch {
	case s.lane == lanePost && d.Post != nil:
		s.w.limit = maxParcel + 1
		return s.post(ctx)
	case s.lane == laneActs:
		return s.linked(ctx)
	case s.lane == lanePull && s.dialed, s.lane == lanePush && !s.dialed:
		return s.pull(ctx)
	case s.lane == lanePull, s.lane == lanePush:
		return s.serve(ctx)
	}
	return fmt.Errorf("no lane is called %q", s.lane)
}

func (s *session) linked(ctx context.Context) error {
	now := s.d.Now()
	s.d.setState(s.peer.Party, func(st *State) { st.Linked, st.Since, st.Trouble = true, now, "" })
	err := s.acts(ctx)
	s.d.setState(s.peer.Party, func(st *State) {
		st.Linked, st.Since = false, s.d.Now()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
			st.Trouble = err.Error()
		}
	})
	return err
}

// claim makes s the one session of its lane, and waits until the one before
// has ended: two that took in at once would contradict each other's counts.
// When both sides dialled at once the call of the party whose name sorts first
// stands, so that both keep the same one.
func (d *Direct) claim(ctx context.Context, s *session) (release func(), ok bool) {
	k := key{s.peer.Party, s.lane}
	if (s.lane == lanePull || s.lane == lanePush) && !s.dialed {
		k.lane += "-in" // content lanes of both callers may stand side by side
	}
	for ctx.Err() == nil {
		old := d.enterLane(k, s)
		if old == nil {
			return func() { d.leaveLane(k) }, true
		}
		stands := s.dialed == (d.Own.Party < s.peer.Party)
		if old.dialed == s.dialed {
			stands = !s.dialed // who calls again has lost the old connection
		}
		if !stands {
			return nil, false
		}
		old.end()
		select {
		case <-old.done:
		case <-ctx.Done():
		}
	}
	return nil, false
}

// enterLane makes s the session of lane k, unless another is: it returns that.
func (d *Direct) enterLane(k key, s *session) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.live[k]; old != nil {
		return old
	}
	if d.live == nil {
		d.live = make(map[key]*session)
	}
	d.live[k] = s
	return nil
}

func (d *Direct) leaveLane(k key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.live[k].done)
	delete(d.live, k)
}

// dispute keeps the evidence against a partner and enters it, so that nothing
// more is exchanged until people have settled it.
func (d *Direct) dispute(ctx context.Context, c *ledger.Contradiction) {
	b, err := c.Evidence()
	if err == nil {
		err = d.Evidence(ctx, c.Party, c.Error(), b)
	}
	if err != nil {
		d.Log.Error("the evidence could not be kept", "against", c.Party, "why", err.Error())
	}
}
