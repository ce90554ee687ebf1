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
	"entente/internal/point"
	"entente/ledger"
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
	Post        *Post                                                                                                 // parcels, by hubs; nil: none are taken
	Agreed      func(ctx context.Context)                                                                             // a partner has shown that it knows no newer ledger of ours; may be nil
	Halted      func(tx *ledger.Tx, p act.Party, channel string, text act.Sum, m *act.Manifest) ([]act.Reason, error) // why content that was released may not be handed over; nil: it may
	Vault       *vault.Vault
	Now         func() time.Time
	Connect     func(ctx context.Context, address string) (net.Conn, error)
	Jitter      *rand.Rand                                                                 // spreads reconnections; guarded by mu
	Evidence    func(ctx context.Context, p act.Party, what string, evidence []byte) error // keeps what convicts a ledger
	Doubt       func(p act.Party) string                                                   // why the ledger of p is in doubt though no entry says so yet; empty: it is not
	Log         *slog.Logger

	mu        sync.Mutex
	live      map[key]*session
	states    map[act.Party]State
	progress  map[act.Number]Progress
	failures  map[act.Number]int // how often the content of a product could not be fetched
	presented []shown            // cards of strangers, newest last
	door      door
}

// key is a task that one connection at a time does, whoever dialled it.
type key struct {
	party act.Party
	task  string
}

// task names what a lane is for at this end: acts, fetch, give or post.
func task(l lane, dialed bool) string {
	switch {
	case l == laneActs, l == lanePost:
		return string(l)
	case (l == lanePull) == dialed: // the dialling side of pull asks, and the answering side of push
		return "fetch"
	}
	return "give"
}

// State is what an officer is told about the link to a partner.
type State struct {
	Linked  bool
	Since   time.Time
	Carried int64         // acts of ours that the partner has taken in
	Trouble string        // why there is no link, or what stops it
	Skew    time.Duration // how far the partner's clock is ahead, as its last hello said
	Content string        // what stopped the last carrying of content
	Calls   int64         // how often we called

	seen seen // what it had seen of our ledger when it said so
}

// Taken returns how many acts of ours p is known to have taken in: by what it said
// on a link, or kept from before a restart. After a crash it may have more.
func (d *Direct) Taken(tx *ledger.Tx, p act.Party) (int64, error) {
	t, _, err := ledger.Load[took](tx, tableHeard, string(p))
	return max(t.Next, d.States()[p].Carried), err
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

// Turned returns how many callers were turned away, by the limit that they met.
func (d *Direct) Turned() map[string]uint64 {
	d.door.mu.Lock()
	defer d.door.mu.Unlock()
	return maps.Clone(d.door.turned)
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

func (d *Direct) carried(p act.Party, t took) {
	d.setState(p, func(s *State) { s.Carried, s.seen = t.Next, t.Seen })
}

// KeepTaken keeps durably how much of ours each partner has taken in, so that after a crash
// nothing is called late that went long ago.
func (d *Direct) KeepTaken(ctx context.Context) (err error) {
	if d.Post == nil {
		return nil
	}
	for p, s := range d.States() {
		err = errors.Join(err, d.Post.heard(ctx, p, took{s.Carried, s.seen}))
	}
	return err
}

func (d *Direct) fetched(n act.Number, done, all int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.progress == nil {
		d.progress = make(map[act.Number]Progress)
	}
	if all == 0 {
		delete(d.progress, n)
		delete(d.failures, n)
		return
	}
	d.progress[n] = Progress{min(done, all), all}
}

// failed remembers that content could not be fetched.
func (d *Direct) failed(n act.Number) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failures == nil {
		d.failures = make(map[act.Number]int)
	}
	d.failures[n]++
}

// seldomFirst sorts what is awaited by how often it failed: content that cannot be
// had stops no other.
func (d *Direct) seldomFirst(awaited []catalogue.Awaited) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.SortStableFunc(awaited, func(a, b catalogue.Awaited) int { return d.failures[a.Number] - d.failures[b.Number] })
}

// Listen answers callers on l until ctx ends, and waits for what it started.
// A listener that cannot answer for a while is tried again; one that is closed
// is an error.
func (d *Direct) Listen(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait: when the listener fails, sessions would go on and nobody could call
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for failed := 0; ; {
		c, err := l.Accept()
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// Files or memory ran out, or a caller left before it was answered: that passes.
			if failed++; errors.Is(err, net.ErrClosed) || failed > acceptTries {
				return fmt.Errorf("listening for partners: %w", err)
			}
			d.Log.Warn("a caller could not be answered; it is tried again", "why", err.Error())
			pause(ctx, acceptPause)
			continue
		}
		failed = 0
		greeted, ok := d.door.greet(hostOf(c), d.Now())
		if !ok {
			c.Close()
			continue
		}
		wg.Go(func() {
			defer greeted()
			if err := d.answer(ctx, c, greeted); err != nil && ctx.Err() == nil {
				d.Log.Debug("a caller's connection ended", "from", c.RemoteAddr().String(), "why", err.Error())
			}
		})
	}
}

func pause(ctx context.Context, t time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(t):
	}
}

// answer serves one caller. It calls greeted when the caller has shown who it is.
func (d *Direct) answer(ctx context.Context, c net.Conn, greeted func()) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	t := tls.Server(&paced{Conn: c}, tlsConfig(d.Certificate))
	w := newWire(t)
	theirs, err := greeting(ctx, t, func() (hello, error) {
		theirs, err := readHello(w)
		if err == nil && theirs.Card.Link != peerKey(t) {
			err = errors.New("the caller's card names another key than it shows")
		}
		return theirs, err
	})
	if err != nil {
		return err
	}
	if theirs.Lane == laneIntroduce {
		d.present(theirs.Card, hostOf(c))
		return w.writeJSON(kindHello, hello{Version: 1, Lane: laneIntroduce, Card: d.Own, At: d.Now()})
	}
	s := &session{d: d, w: w, lane: theirs.Lane, theirs: theirs, took: make(chan took, 1), kept: make(chan Kept, 1), done: make(chan struct{})}
	if s.peer, err = d.pinned(ctx, theirs.Card.Party, peerKey(t)); err != nil {
		s.part("refused", "no pact is known with this key: compare codes first")
		d.present(theirs.Card, hostOf(c))
		return err
	}
	greeted()
	if !d.door.admit(s.peer.Party) {
		return s.over(fmt.Sprintf("a partner has %d connections open at most: close the others first", maxOfPartner))
	}
	defer d.door.leave(s.peer.Party)
	if err = s.run(ctx); err != nil && s.lane == laneActs && !errors.Is(err, errLinked) && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		d.setState(s.peer.Party, func(st *State) {
			if !st.Linked {
				st.Trouble = err.Error()
			}
		})
	}
	return err
}

// over ends a session that went over a limit, and says which.
func (s *session) over(limit string) error {
	s.part("limit", limit)
	return fmt.Errorf("%s went over a limit: %s", s.peer.Party, limit)
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
		}
		if why := d.Disputed(partner); why != "" {
			return fmt.Errorf("the ledger of %s is disputed: %s", p, why)
		}
		card = partner.Card
		return nil
	})
	return card, err
}

// Disputed says why a partner's ledger is disputed, or in doubt; empty: it is not.
func (d *Direct) Disputed(p catalogue.Partner) string {
	if p.Disputed != "" || d.Doubt == nil {
		return p.Disputed
	}
	return d.Doubt(p.Card.Party)
}

// greeting shakes hands and exchanges hellos, in bounded time however the peer
// spends it.
func greeting(ctx context.Context, t *tls.Conn, hellos func() (hello, error)) (hello, error) {
	limit, cancel := context.WithTimeout(ctx, greetingLimit)
	defer cancel()
	stop := context.AfterFunc(limit, func() { t.NetConn().Close() })
	defer stop() // before cancel: a greeting that was in time stays open
	err := t.HandshakeContext(limit)
	if err != nil {
		err = fmt.Errorf("greeting the peer: %w", err)
	}
	var theirs hello
	if err == nil {
		theirs, err = hellos()
	}
	if limit.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("the peer did not end its greeting within %v", greetingLimit)
	}
	return theirs, err
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
			return hello{}, fmt.Errorf("the peer refuses (%s): %s", plain(y.Kind), plain(y.Text))
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
	w, theirs, err := d.call(ctx, address, hello{Version: 1, Lane: laneIntroduce, Card: d.Own, At: d.Now()}, func(act.Sum) error { return nil })
	if err != nil {
		return act.Card{}, err
	}
	w.Close()
	return theirs.Card, nil
}

// call dials and exchanges hellos. Who shows a key that is refused by pin is not told ours.
func (d *Direct) call(ctx context.Context, address string, mine hello, pin func(act.Sum) error) (*wire, hello, error) {
	c, err := d.Connect(ctx, address)
	if err != nil {
		return nil, hello{}, err
	}
	t := tls.Client(&paced{Conn: c}, tlsConfig(d.Certificate))
	w := newWire(t)
	theirs, err := greeting(ctx, t, func() (hello, error) {
		if err := pin(peerKey(t)); err != nil {
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
	})
	if err != nil {
		c.Close()
		return nil, hello{}, err
	}
	return w, theirs, nil
}

// Dial keeps the link to p open, at the address that address returns, until
// ctx ends. An empty address means that p calls us. It is four goroutines, which
// wait; a lane that is linked has one more, and that of acts two.
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
		if d.stands(ctx, p, l) {
			if wait = backoffFirst; d.Own.Party > p {
				pause(ctx, wait) // when both call at once the other's call stands: let it come first
			}
			continue
		}
		var t time.Duration
		t, wait = d.attempt(ctx, p, l, address(), wait)
		pause(ctx, t)
	}
}

// stands waits while p is not to be called, and reports whether it did: another
// connection, of ours or of theirs, does the task already, or an officer
// parked the partner.
func (d *Direct) stands(ctx context.Context, p act.Party, l lane) bool {
	d.mu.Lock()
	s := d.live[key{p, task(l, true)}]
	d.mu.Unlock()
	if s != nil {
		select {
		case <-s.done:
		case <-ctx.Done():
		}
		return true
	}
	grown := d.Ledger.Grown()
	if why, err := d.parked(ctx, p); err != nil || why == "" {
		return false
	}
	select {
	case <-grown:
	case <-ctx.Done():
	}
	return true
}

// parked says why an officer parked p; empty: nobody did.
func (d *Direct) parked(ctx context.Context, p act.Party) (why string, err error) {
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := d.Catalogue.Partner(tx, p)
		why = partner.Parked
		return err
	})
	return why, err
}

const parkedText = "an officer of ours has parked this link: nothing is carried until it is resumed, and nothing is lost"

// Park ends what is linked to p, with a word of why. The act that parks it is in the
// ledger already, so that nothing is linked again.
func (d *Direct) Park(p act.Party) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, s := range d.live {
		if k.party == p && s.end != nil {
			go func() { // a partner that does not read must not hold us
				defer time.AfterFunc(lastWord, s.end).Stop()
				s.part("parked", parkedText)
				s.end()
			}()
		}
	}
}

// attempt is one step of dialling: it serves the lane for as long as it holds.
// It returns how long to pause, and what to give the next attempt as wait.
func (d *Direct) attempt(ctx context.Context, p act.Party, l lane, address string, wait time.Duration) (pause, next time.Duration) {
	var moved int64
	err := errors.New("no address is known")
	if address != "" {
		d.setState(p, func(s *State) { s.Calls++ })
		moved, err = d.dialOnce(ctx, p, l, address)
	}
	if ctx.Err() != nil {
		return 0, wait
	}
	if moved > progress {
		wait = backoffFirst
	}
	if l == laneActs && !errors.Is(err, errLinked) && (address != "" || d.States()[p].Trouble == "") {
		d.setState(p, func(s *State) { s.Trouble = err.Error() })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return wait/2 + time.Duration(d.Jitter.Int64N(int64(wait))), min(2*wait, backoffMost)
}

// dialOnce serves the lane for as long as it holds, and returns the bytes that moved.
func (d *Direct) dialOnce(ctx context.Context, p act.Party, l lane, address string) (moved int64, err error) {
	_, seen, err := d.state(ctx, p)
	if err != nil {
		return 0, err
	}
	var card act.Card
	w, theirs, err := d.call(ctx, address, hello{Version: 1, Lane: l, Card: d.Own, At: d.Now(), Seen: seen}, func(k act.Sum) (err error) {
		card, err = d.pinned(ctx, p, k)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer w.Close()
	err = (&session{d: d, w: w, lane: l, dialed: true, peer: card, theirs: theirs, took: make(chan took, 1), kept: make(chan Kept, 1), done: make(chan struct{})}).run(ctx)
	if t, ok := w.Conn.(*tls.Conn); ok {
		moved = t.NetConn().(*paced).total()
	}
	return moved, err
}

// run checks the hello, answers it if the peer called, and serves the lane.
func (s *session) run(ctx context.Context) (err error) {
	d := s.d
	if !slices.Contains([]lane{laneActs, lanePull, lanePush, lanePost}, s.lane) || s.lane == lanePost && d.Post == nil {
		s.part("refused", "no lane has this name")
		return fmt.Errorf("%s asks for a lane that there is not", s.peer.Party)
	}
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
	if why, err := d.parked(ctx, s.peer.Party); err != nil {
		return err
	} else if why != "" {
		s.part("parked", parkedText)
		return fmt.Errorf("the link to %s is parked: %s", s.peer.Party, why)
	}
	if !s.dialed {
		_, seen, err := d.state(ctx, s.peer.Party)
		if err != nil {
			return err
		}
		if err := s.w.writeJSON(kindHello, hello{Version: 1, Lane: s.lane, Card: d.Own, At: d.Now(), Seen: seen}); err != nil {
			return err
		}
	}
	point.At("after greeting")
	s.w.limit = maxFrame
	switch task(s.lane, s.dialed) {
	case "post":
		s.w.limit = maxParcel + 1
		return s.post(ctx)
	case "acts":
		return s.linked(ctx)
	case "fetch":
		err = s.pull(ctx)
	default:
		err = s.serve(ctx)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		d.setState(s.peer.Party, func(st *State) { st.Content = err.Error() })
	}
	return err
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

// claim makes s the one session of its task, and waits until the one before
// has ended: two that took in at once would contradict each other's counts.
// When both sides dialled at once the call of the party whose name sorts first
// stands, so that both keep the same one.
func (d *Direct) claim(ctx context.Context, s *session) (release func(), ok bool) {
	k := key{s.peer.Party, task(s.lane, s.dialed)}
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

// enterLane makes s the session of task k, unless another is: it returns that.
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
