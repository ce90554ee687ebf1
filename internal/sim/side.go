package sim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"entente/act"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"
	"entente/product"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// parties are two neighbours, and the third that can be their hub.
var parties = [3]act.Party{"KR", "JP", "US"}

// marks are each party's stamps: of rank 1, of rank 2, and one that the pact
// does not know.
var marks = map[act.Party][]string{"KR": {"군사III급비밀", "군사II급비밀", "군사I급비밀"}, "JP": {"秘", "極秘", "機密"}, "US": {"CONFIDENTIAL", "SECRET", "TOP SECRET"}}

// staff is a party's people.
func staff(p act.Party, until time.Time) []act.Person {
	var need []act.Need
	for _, id := range []act.PactID{pactID, passingID, blindID} {
		need = append(need, act.Need{Pact: id, Purposes: []string{"threat-assessment", "missile-warning"}})
	}
	end := act.MomentOf(until)
	top, low := marks[p][1], marks[p][0]
	return []act.Person{
		{Name: "officer", Offices: []act.Office{act.Releasing, act.Signing}, Clearance: top, Until: end},
		{Name: "second", Offices: []act.Office{act.Releasing}, Clearance: top, Until: end},
		{Name: "analyst", Offices: []act.Office{act.Reading}, Clearance: top, Until: end, Needs: need, Briefed: true, Facility: "hq"},
		{Name: "junior", Offices: []act.Office{act.Reading}, Clearance: low, Until: end, Needs: need, Briefed: true, Facility: "hq"},
		{Name: "clerk", Offices: []act.Office{act.Reading}, Until: end, Needs: need},
		{Name: "registrar", Offices: []act.Office{act.Registry}, Clearance: top, Until: end},
		{Name: "admin", Offices: []act.Office{act.Administering}, Clearance: top, Until: end},
	}
}

// Side is one running copy of a party's node: the machine that it runs on, its
// clock, and what has been saved of it.
type Side struct {
	w     *World
	party act.Party
	copy  int // 0, or 1: the same folder run a second time
	dir   string
	disk  *memory.Disk
	n     *node.Node // nil: it is down
	view  *view      // what the oracle has seen on the disk

	offset time.Duration // of its clock
	drift  int64         // parts in ten thousand
	backup *saved
	newest *saved // what the disk held when an older backup was put on it
	doubt  bool   // restored or run twice: people have not settled it yet
	gone   bool   // a second copy that was switched off for good

	packing string // the folder of a medium in the making
	packs   int    // acts that the packing in the making brings at least, and one; 0: there is none

	held   []product.Custody // what its disk lists
	heldAt any               // in this state of its rows

	armed  []fault
	power  bool // the power went in this step
	struck bool // a fault struck in this step
	rot    []vault.Digest
	lost   map[vault.Digest][]byte
}

type saved struct {
	disk     *memory.Disk
	view     *view
	rot      []vault.Digest
	lost     map[vault.Digest][]byte
	evidence map[string][]byte // by the names of its files
}

// fault makes the operation fail that is the nth of its kind from now.
type fault struct {
	op    memory.Op
	after int
	err   error // errPower: the machine goes down there
}

var (
	errPower = errors.New("the power is cut")
	errDisk  = errors.New("the disk reports an error")
)

// String names the side, and marks a second copy.
func (s *Side) String() string { return string(s.party) + []string{"", "'"}[s.copy] }

func (s *Side) up() bool { return s.n != nil }

// other draws one of the other parties.
func (s *Side) other() act.Party {
	for {
		if p := pick(s.w.rnd, s.w.parties...); p != s.party {
			return p
		}
	}
}

// neighbour is the other of the first two parties.
func (s *Side) neighbour() act.Party { return parties[1-s.index()] }

// now is what its clock says, in whole milliseconds as acts do.
func (s *Side) now() time.Time {
	past := s.w.now.Sub(s.w.began)
	return s.w.now.Add(s.offset + past/10000*time.Duration(s.drift)).Truncate(time.Millisecond)
}

func (s *Side) seams() node.Seams {
	return node.Seams{Now: s.now, Random: s.w.random, Signer: s.w.cfg.cheap, Log: s.w.log, SealKey: s.w.cfg.sealKey, Aside: func(f func()) { f() },
		Connect: func(context.Context, string) (net.Conn, error) {
			return nil, errors.New("a simulated node calls nobody")
		}}
}

// signer is a cheap signer and its verifier's string.
type signer struct {
	note.Signer
	vkey string
}

// cheap makes an Ed25519 signer: its signatures repeat, and cost a twentieth of
// the real suite's. Each is made once: nodes of all worlds begin with the same keys.
func (c *Config) cheap(name string, secret []byte) (note.Signer, string, error) {
	key := name + "\n" + string(secret)
	if s, ok := c.signers[key]; ok {
		return s.Signer, s.vkey, nil
	}
	s, vkey, err := cheap(name, secret)
	if c.signers == nil {
		c.signers = map[string]signer{}
	}
	c.signers[key] = signer{s, vkey}
	return s, vkey, err
}

// sealKey makes a seal key, once.
func (c *Config) sealKey(seed []byte) (*seal.PrivateKey, error) {
	if k := c.keys[string(seed)]; k != nil {
		return k, nil
	}
	k, err := seal.NewPrivateKey(seed)
	if c.keys == nil {
		c.keys = map[string]*seal.PrivateKey{}
	}
	c.keys[string(seed)] = k
	return k, err
}

func cheap(name string, secret []byte) (note.Signer, string, error) {
	seed := sha256.Sum256(secret)
	skey := base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...))
	// The key's hash is that of its public half: the verifier's string gives it.
	vkey, err := act.Ed25519Verifier("PRIVATE+KEY+" + name + "+00000000+" + skey)
	if err != nil {
		return nil, "", err
	}
	var hash string
	if v, err := note.NewVerifier(vkey); err == nil {
		hash = fmt.Sprintf("%08x", v.KeyHash())
	}
	s, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + skey)
	return s, vkey, err
}

// fail is asked before each operation of the disk.
func (s *Side) fail(op memory.Op) error {
	if s.power {
		return errPower
	}
	for i := range s.armed {
		f := &s.armed[i]
		if f.op != op {
			continue
		}
		if f.after > 0 {
			f.after--
			continue
		}
		err := f.err
		s.armed = append(s.armed[:i:i], s.armed[i+1:]...)
		s.w.hit("fault: " + string(op) + ": " + err.Error())
		s.power, s.struck = err == errPower, true
		return err
	}
	return nil
}

// start starts the node on its disk, as it is.
func (s *Side) start() error {
	s.disk.Fault(s.fail)
	n, err := node.New(s.w.ctx, s.dir, s.disk.Ledger(), s.disk.Vault(), s.seams())
	if err != nil {
		return err
	}
	s.n = n
	return nil
}

// stop ends the node: what was not durable is lost, staged bytes are torn.
func (s *Side) stop() {
	s.n = nil
	s.power = false
	s.armed = nil
	s.disk.Fault(nil)
	s.disk.Crash(func(_ string, n int) int {
		left := s.w.rnd.IntN(n + 1)
		if left > 0 && left < n {
			s.w.hit("fault: staged bytes are torn")
		}
		return left
	})
	s.w.unlink(s)
}

// dead reports whether the node would end itself, as node.Serve does.
func (s *Side) dead() bool {
	if s.n == nil {
		return false
	}
	select {
	case <-s.n.Vault.Died():
		return true
	default:
		return s.power || s.n.Ledger.Err() != nil
	}
}

// save is a copy of the disk with what the oracle knows of it.
func (s *Side) save() *saved {
	kept := map[string][]byte{}
	for _, f := range s.convicting() {
		if b, err := os.ReadFile(f); err == nil {
			kept[filepath.Base(f)] = b
		}
	}
	return &saved{s.disk.Copy(), s.view.clone(), slices.Clone(s.rot), maps.Clone(s.lost), kept}
}

// put puts a copy of the folder back; the node is down. Evidence is a part of it.
func (s *Side) put(c *saved) {
	for _, f := range s.convicting() {
		_ = os.Remove(f)
	}
	for name, b := range c.evidence {
		if err := os.MkdirAll(filepath.Join(s.dir, "evidence"), 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "evidence", name), b, 0o600); err != nil {
			panic(err)
		}
	}
	s.disk.Restore(c.disk)
	s.view, s.rot, s.lost = c.view.clone(), slices.Clone(c.rot), maps.Clone(c.lost)
}

// convicting are the files that the node kept against a ledger.
func (s *Side) convicting() []string {
	files, _ := filepath.Glob(filepath.Join(s.dir, "evidence", "*"))
	return files
}

// evidence reads the files that the node kept against a ledger.
func (s *Side) evidence() (all [][]byte) {
	for _, f := range s.convicting() {
		if b, err := os.ReadFile(f); err == nil {
			all = append(all, b)
		}
	}
	return all
}

// base is where worlds begin: nodes that know each other, once without a pact and
// once with all in force.
type base struct {
	parties          []act.Party
	known, concluded []*memory.Disk
	at               time.Time
}

func newBase(cfg *Config, all []act.Party) (*base, error) {
	w := newWorld(cfg, nil, 0)
	w.now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	w.began, w.parties = w.now, all
	b := &base{parties: all}
	for _, p := range all {
		s := w.side(p, memory.NewDisk())
		f := node.Found{Party: p, Name: act.Names{EN: string(p)}, Persons: staff(p, w.now.AddDate(4, 0, 0))}
		if p == "KR" {
			f.House.SecondPersonFrom = 2
		}
		if err := node.Establish(w.ctx, s.dir, s.disk.Ledger(), f, s.seams()); err != nil {
			return nil, err
		}
		if err := s.start(); err != nil {
			return nil, err
		}
	}
	for _, s := range w.sides {
		for _, o := range w.sides {
			if o == s {
				continue
			}
			if err := s.n.Chancery.Know(w.ctx, o.n.Card, code(o.n.Card), "officer"); err != nil {
				return nil, err
			}
		}
	}
	w.settle(20)
	for _, s := range w.sides {
		b.known = append(b.known, s.disk.Copy())
	}
	for _, t := range texts {
		if t == amended || len(t.parties) > len(all) {
			continue
		}
		if err := w.conclude(t); err != nil {
			return nil, err
		}
	}
	for _, s := range w.sides {
		b.concluded = append(b.concluded, s.disk.Copy())
	}
	b.at = w.now
	return b, nil
}

// conclude has the parties of a text take each step until it is in force.
func (w *World) conclude(t *terms) error {
	if _, err := w.sides[0].n.Chancery.Propose(w.ctx, t.bytes, "officer"); err != nil {
		return err
	}
	w.settle(20)
	for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
		for _, s := range w.sides {
			if !t.has(s.party) || k == act.PactNotified && !t.notified {
				continue
			}
			if err := s.n.Chancery.Step(w.ctx, k, t.id, t.sum, "", "officer"); err != nil {
				return err
			}
			w.settle(20)
		}
	}
	return nil
}

// side adds a side to the world.
func (w *World) side(p act.Party, d *memory.Disk) *Side {
	s := &Side{w: w, party: p, disk: d, dir: filepath.Join(w.cfg.Dir, string(p)), view: newView(p), lost: map[vault.Digest][]byte{}}
	w.sides = append(w.sides, s)
	return s
}

// read opens the disk beside the node: what would be found after a power cut.
func read(d *memory.Disk, f func(*ledger.Tx) error) error {
	return ledger.Open(d.Copy().Ledger(), ledger.Config{}).View(context.Background(), f)
}
