// Package sim runs worlds: two nodes of this project's own code or three, one of
// which is the hub, their people, their partner's bad faith, their network, their
// couriers, their disks and their clocks, in one goroutine, every choice from one seed.
//
// [Plan] draws the steps of a world from its seed; [Run] takes them and returns
// the first invariant that did not hold, if any. Nothing of a node is written
// again for it: a world calls the steps of offices and carriage (link.go) in the
// order of its plan, and the nodes get time, randomness, storage and signers
// through [node.Seams]. The same seed gives the same history, byte for byte,
// where Config.Random owns the randomness of the crypto packages too.
//
// The oracle (oracle.go) sees what is durable and what people were shown, and
// nothing else. The numbers of the invariants are those of docs/reliability.md.
package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"entente/act"
	"entente/party"
	"entente/seal"
	"entente/vault"
)

func code(c act.Card) string { return party.Code(c) }

// Config is what worlds need from outside.
type Config struct {
	Dir    string            // an empty folder of their own, for evidence
	Random func(seed uint64) // sets the randomness of the crypto packages; nil: it is the machine's
	bases  [2]*base          // of two parties, and of three

	signers map[string]signer           // that were made
	keys    map[string]*seal.PrivateKey // by their seeds
}

// Failure is an invariant that did not hold.
type Failure struct {
	Invariant int // its number; 0: the code panicked
	Text      string
	Step      int // after which step of the plan
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("invariant %d, after step %d: %s", f.Invariant, f.Step, f.Text)
}

// World is one world.
type World struct {
	cfg     *Config
	ctx     context.Context
	seed    uint64
	random  *rand.ChaCha8 // what the nodes draw from
	rnd     *rand.Rand    // of the step that is taken
	now     time.Time
	began   time.Time
	parties []act.Party
	sides   []*Side  // one of each party first
	links   [3]*link // by pair
	way     way      // between the first two
	pouch   pouch
	parcels map[string]*parcel // by control number: those that may go by the hub
	media   []*medium
	folders int     // that were made for media
	cut     [3]bool // what a party sends is lost
	hostile *forger // the partner acts in bad faith
	log     *slog.Logger
	said    bytes.Buffer // every log line and every word to people
	heard   int          // of that, what was searched for content
	history bytes.Buffer
	reach   Reach
	failed  *Failure
	step    int
	deaf    bool // nothing fails: the ledger of one in bad faith is looked at
	busy    bool // a step within a step: content that is slow to read

	released map[act.Number]*paper // as an officer was told
	tried    map[[32]byte]bool     // the content of every attempt: a release can have happened where nobody was told
	conveys  map[string]act.Digest // party and place: the act that was sent there
	searched map[vault.Digest]bool // objects in which no content stands
}

// paper is what the people of a world know of a product.
type paper struct {
	sum  [32]byte // of its content
	from act.Party
}

func newWorld(cfg *Config, b *base, seed uint64) *World {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	w := &World{cfg: cfg, ctx: context.Background(), seed: seed, random: rand.NewChaCha8(key), rnd: rand.New(rand.NewPCG(seed, 1)), reach: Reach{},
		released: map[act.Number]*paper{}, tried: map[[32]byte]bool{}, conveys: map[string]act.Digest{}, parcels: map[string]*parcel{}, searched: map[vault.Digest]bool{}}
	w.log = slog.New(slog.NewTextHandler(&w.said, nil))
	if b == nil {
		return w
	}
	w.began, w.now = b.at, b.at
	disks := b.concluded
	if Unconcluded(seed) {
		disks = b.known
	}
	for i, p := range b.parties {
		w.look(w.side(p, disks[i].Copy()))
	}
	w.parties, w.way = b.parties, began(seed)
	return w
}

// Prepare makes what all worlds begin from. Call it once, before Run.
func (c *Config) Prepare() (err error) {
	if c.Random != nil {
		c.Random(0)
	}
	for i := range c.bases {
		if c.bases[i], err = newBase(c, parties[:2+i]); err != nil {
			return err
		}
	}
	return nil
}

// Result is what a world came to.
type Result struct {
	Failure *Failure
	History []byte
	Reach   Reach
}

// Run takes the steps of a plan in the world of a seed, heals all, and checks
// what must then be true.
func Run(cfg *Config, seed uint64, plan []Step) (r Result) {
	if cfg.Random != nil {
		cfg.Random(seed + 1)
	}
	b := cfg.bases[0]
	if Three(seed) {
		b = cfg.bases[1]
	}
	w := newWorld(cfg, b, seed)
	defer func() {
		if e := recover(); e != nil {
			w.failed = &Failure{0, fmt.Sprintf("panic: %v\n%s", e, debug.Stack()), w.step}
		}
		_ = os.RemoveAll(cfg.Dir)
		r = Result{w.failed, w.history.Bytes(), w.reach}
	}()
	for _, s := range w.sides {
		if err := s.start(); err != nil {
			w.fail(29, "a node does not start: %v", err)
		}
	}
	if seed%10 == 4 && !Unconcluded(seed) {
		for _, s := range w.sides[:2] {
			_ = w.route(s, "US")
		}
	}
	for _, st := range plan {
		w.step = st.At
		w.take(st)
		if w.failed != nil {
			return
		}
	}
	w.step = -1
	w.heal()
	return
}

// take takes one step and looks at what came of it.
func (w *World) take(st Step) {
	o := ops[st.Op]
	w.rnd = rand.New(rand.NewPCG(st.R, w.seed))
	w.now = w.now.Add(time.Duration(1+w.rnd.IntN(3000)) * time.Millisecond)
	for _, s := range w.sides {
		s.struck = false
	}
	what := o.run(w)
	if len(what) > 300 {
		what = what[:300]
	}
	fmt.Fprintf(&w.history, "%3d %s %-9s %s\n", st.At, w.now.Format("060102 150405.000"), o.name, strings.ReplaceAll(what, "\n", " | "))
	w.after()
}

// after does what follows every step: nodes that must end do, and the oracle
// looks at every disk.
func (w *World) after() {
	for _, s := range w.sides {
		if s.dead() {
			why := "a storage error"
			if s.power {
				why = "a power cut"
			}
			w.hit("recovery: the node stops for " + why)
			s.stop()
		}
		w.look(s)
	}
	for _, s := range w.sides {
		w.inOrder(s)
	}
}

// fail records the first invariant that did not hold.
func (w *World) fail(invariant int, format string, args ...any) {
	if w.failed == nil && !w.deaf {
		w.failed = &Failure{invariant, fmt.Sprintf(format, args...), w.step}
		fmt.Fprintf(&w.history, "    %v\n", w.failed)
	}
}

func (w *World) hit(what string) { w.reach[what]++ }

// told keeps what a person was told.
func (w *World) told(s *Side, err error) {
	w.said.WriteString(err.Error())
	w.said.WriteByte('\n')
	w.counted(s, err)
}

// text says an error in the history, and nothing as done.
func text(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

// pick draws one of a list.
func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// running draws a side that is up.
func (w *World) running() *Side {
	var up []*Side
	for _, s := range w.sides {
		if s.up() && !s.gone {
			up = append(up, s)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return pick(w.rnd, up...)
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }

var errNobody = errors.New("nobody is there to do it")
