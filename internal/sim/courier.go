package sim

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/internal/memory"

	"golang.org/x/mod/sumdb/note"
)

// This file is all that the simulator knows of a courier's media: folders that the project's
// own code packs and takes in, and what happens to them on the way.

// medium is a folder that was packed, or a copy of one.
type medium struct {
	dir    string
	from   *Side
	to     int
	seen   act.Head // the recipient's, as the sender saw it
	hands  string   // who has it
	broken bool     // altered on the way
	last   bool     // of its packing
	brings int      // acts of the sender's that the recipient must have once it has this one
}

// spoilt reports whether a medium may not be taken in where it came.
func (m *medium) spoilt() bool { return m.broken || m.to == m.from.index() }

// capacity is the smallest that a medium may have.
const capacity = 32 << 20

func quiet(int64, int64) {}

func (w *World) folder() string {
	w.folders++
	return filepath.Join(w.cfg.Dir, "media", fmt.Sprint(w.folders))
}

// pack has s pack what is for its neighbour, in the folder that was begun or in another.
func (w *World) pack(s *Side) error {
	dir := s.packing
	if dir == "" || w.rnd.IntN(2) == 0 {
		dir = w.folder()
	} else {
		w.hit("recovery: a packing goes on with the folder that was begun")
	}
	signer, err := s.n.Release.Signer(w.ctx, "officer")
	if err != nil {
		return err
	}
	m := &medium{dir: dir, from: s, to: 1 - s.index(), hands: "Courier 7"}
	m.seen, _ = s.standing(s.neighbour())
	if s.packing = dir; s.packs == 0 { // what it will carry is settled once it is begun: at least what there is now
		w.look(s)
		s.packs = 1 + len(s.view.to[s.neighbour()])
	}
	if s.doubt {
		s.packs = 1
	}
	m.brings = s.packs - 1
	p, err := s.n.Carriage.Post.Pack(w.ctx, s.neighbour(), dir, capacity, 0, m.hands, signer, quiet)
	if m.last = p.Medium == p.Of; err == nil && m.last {
		s.packs = 0
	}
	if err != nil {
		w.told(s, err)
		if strings.Contains(err.Error(), "use an empty one") { // it was ended, or broke off before its first parcel was noted
			s.packing = ""
			w.hit("recovery: a packing goes on with an empty folder")
			return w.pack(s)
		}
		// A program that ended with an error may have left a whole medium, which people carry all the same.
		if _, whole := os.Stat(filepath.Join(dir, "MEDIUM")); whole != nil || s.power || w.rnd.IntN(2) == 0 {
			return err
		}
		w.hit("medium: carried although packing failed")
	}
	if s.packing = ""; err == nil && !s.power {
		w.look(s)
		last := s.view.acts[len(s.view.acts)-1]
		if b, ok := last.Body.(act.Medium); !ok || last.Kind != act.MediumPacked || b.Hands != m.hands {
			w.fail(1, "%s was told of a medium, and the last entry is %s", s, last.Kind)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && filepath.Ext(f) == ".parcel" {
			w.outside(b)
		}
		if bytes.Contains(b, []byte("canary-")) {
			w.fail(11, "content stands in %s of a medium of %s", filepath.Base(f), s)
		}
	}
	w.media = append(w.media, m)
	return err
}

// takeMedium has the recipient take in a medium, and checks what came of it.
func (w *World) takeMedium(s *Side, m *medium) error {
	if by := registrar(s); m.hands != by {
		if err := w.handOver(s, m, by); err != nil && !errors.Is(err, carriage.ErrMedium) {
			return err
		}
	}
	w.look(s)
	before, taken := s.view.size(), len(s.view.taken)
	_, _, err := s.n.Carriage.Post.TakeMedium(w.ctx, m.dir, "registrar", quiet)
	if err != nil {
		w.told(s, err)
	}
	if w.lookBy(s, "courier"); w.failed != nil || w.false(s) {
		return err
	}
	whole := s.n.Ledger.Err() == nil && !s.power
	switch {
	case errors.Is(err, carriage.ErrTaken):
		w.hit("recovery: a medium that was taken in before is refused")
	case errors.Is(err, carriage.ErrMedium) && m.spoilt():
		w.hit("recovery: a medium that was altered is refused")
	case errors.Is(err, carriage.ErrMedium):
		w.hit("recovery: a medium that comes too late is refused")
		if strings.Contains(err.Error(), "not what the list says") {
			w.fail(23, "%s packed a medium that is not what its list says: %v", m.from, err)
		}
	case err == nil:
		w.hit("recovery: a medium is taken in")
	}
	if (errors.Is(err, carriage.ErrMedium) || m.spoilt()) && s.view.size() != before {
		w.fail(23, "%s entered something of a medium that it refuses: %v", s, err)
	}
	if err == nil && m.spoilt() {
		w.fail(23, "%s took in a medium that was altered", s)
	}
	if err == nil && whole && len(s.view.taken) != taken+1 {
		w.fail(17, "%s says that it took in a medium, and did not enter it", s)
	}
	if here := len(s.view.from[m.from.party]); err == nil && whole && m.last && here < m.brings && w.hostile == nil && !s.doubt && !m.from.doubt {
		w.fail(20, "%s took in a medium, all of it good, and has %d acts of %s where it brings %d", s, here, m.from, m.brings)
	}
	w.grounded(s, m.from, m.seen, err)
	return err
}

func registrar(s *Side) string { return "registrar@" + string(s.party) }

func (w *World) doPack() string {
	s := w.running()
	if s == nil || s.index() > 1 || w.way == byLink && w.rnd.IntN(3) > 0 {
		return "nobody packs"
	}
	if w.rnd.IntN(4) == 0 { // and is broken off
		s.armed = append(s.armed, fault{pick(w.rnd, memory.Commit, memory.Commit, memory.View, memory.OpenFile), w.rnd.IntN(8), pick(w.rnd, errPower, errDisk)})
	}
	return fmt.Sprint(s, " packs: ", text(w.pack(s)))
}

func (w *World) doTake() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	var all []*medium
	for _, m := range w.media {
		if m.to == s.index() {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return "no medium came"
	}
	m := all[len(all)-1]
	if w.rnd.IntN(3) == 0 {
		m = pick(w.rnd, all...)
	}
	switch w.rnd.IntN(12) {
	case 0:
		if err := w.handOver(s, m, "Courier 8"); err == nil {
			w.hit("medium: it goes from hand to hand")
		}
	case 1:
		w.forgeHand(s, m)
	}
	return fmt.Sprint(s, " takes in ", filepath.Base(m.dir), ", altered ", m.spoilt(), ": ", text(w.takeMedium(s, m)))
}

// handOver has the registrar enter on a medium that it goes into other hands; from one who has it
// not, it is refused.
func (w *World) handOver(s *Side, m *medium, to string) error {
	signer, err := s.n.Release.Signer(w.ctx, "registrar")
	if err != nil {
		return err
	}
	if err := s.n.Carriage.Post.HandOver(w.ctx, m.dir, "somebody", to, signer); err == nil {
		w.fail(23, "%s entered that somebody handed on a medium that %s has", s, m.hands)
	}
	if err := s.n.Carriage.Post.HandOver(w.ctx, m.dir, m.hands, to, signer); err != nil {
		w.told(s, err)
		return err
	}
	m.hands = to
	return nil
}

// forgeHand enters, by other means than the project's own, that somebody who had it not handed a medium on.
func (w *World) forgeHand(s *Side, m *medium) {
	file := filepath.Join(m.dir, "HANDOVERS")
	chain, err := os.ReadFile(file)
	signer, err2 := s.n.Release.Signer(w.ctx, "registrar")
	lines := bytes.Fields(chain)
	if err != nil || err2 != nil || m.broken || len(lines) == 0 {
		return
	}
	last, err := base64.StdEncoding.DecodeString(string(lines[len(lines)-1]))
	_, body, ok := bytes.Cut(last, []byte("\n"))
	var h carriage.Handover
	if err != nil || !ok || json.NewDecoder(bytes.NewReader(body)).Decode(&h) != nil {
		return
	}
	h.From, h.To, h.Before = "somebody", registrar(s), sha512.Sum384(last)
	b, _ := json.Marshal(h)
	forged, err := note.Sign(&note.Note{Text: "entente handover v1\n" + string(b) + "\n"}, signer)
	if err != nil {
		return
	}
	chain = append(chain, base64.StdEncoding.EncodeToString(forged)+"\n"...)
	if os.WriteFile(file, chain, 0o600) == nil {
		m.hands, m.broken = registrar(s), true
		w.hit("medium: handed on by one who had it not")
	}
}

// doMedium is what happens to media on the way.
func (w *World) doMedium() string {
	if len(w.media) == 0 {
		return "nothing is packed"
	}
	i := w.rnd.IntN(len(w.media))
	what := pick(w.rnd, "lost", "copied", "a parcel altered", "a parcel cut short", "a parcel missing", "the list altered", "another's chain of hands", "to the wrong side")
	m := w.media[i]
	w.hit("medium: " + what)
	if what == "lost" {
		w.media = slices.Delete(slices.Clone(w.media), i, i+1)
		return what
	}
	if m.broken {
		return "it is altered already" // a second time might put it right
	}
	c := *m
	c.dir = w.folder()
	if err := os.CopyFS(c.dir, os.DirFS(m.dir)); err != nil {
		w.fail(0, "copying a medium: %v", err)
	}
	parcels, _ := filepath.Glob(filepath.Join(c.dir, "*.parcel"))
	if len(parcels) == 0 {
		return "it has no parcel"
	}
	c.broken = c.broken || what != "copied" && what != "to the wrong side"
	f := pick(w.rnd, parcels...)
	alter := func(f string, change func([]byte) []byte) {
		if b, err := os.ReadFile(f); err == nil {
			_ = os.WriteFile(f, change(b), 0o600)
		}
	}
	switch what {
	case "a parcel altered":
		alter(f, func(b []byte) []byte { b[w.rnd.IntN(len(b))] ^= 1 << w.rnd.IntN(8); return b })
	case "a parcel cut short":
		alter(f, func(b []byte) []byte { return b[:w.rnd.IntN(len(b))] })
	case "a parcel missing":
		_ = os.Remove(f)
	case "the list altered":
		alter(filepath.Join(c.dir, "MEDIUM"), func(b []byte) []byte {
			at := bytes.Index(b, []byte(`"parcels"`)) - 1 - w.rnd.IntN(20)
			b[at] ^= 1
			return b
		})
	case "another's chain of hands":
		o := pick(w.rnd, w.media...)
		own, _ := os.ReadFile(filepath.Join(m.dir, "HANDOVERS"))
		b, err := os.ReadFile(filepath.Join(o.dir, "HANDOVERS"))
		if err != nil || bytes.Equal(own, b) || sameList(o.dir, m.dir) {
			return "there is no other"
		}
		alter(filepath.Join(c.dir, "HANDOVERS"), func([]byte) []byte { return b })
	case "to the wrong side":
		c.to = 1 - c.to
	}
	w.media = append(w.media, &c)
	return what
}

func sameList(a, b string) bool {
	x, err := os.ReadFile(filepath.Join(a, "MEDIUM"))
	y, err2 := os.ReadFile(filepath.Join(b, "MEDIUM"))
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// settleMedia has couriers go to and fro until all products are answered, and then some.
func (w *World) settleMedia() {
	for _, m := range w.media { // what comes late
		if !m.spoilt() && w.rnd.IntN(2) == 0 {
			_ = w.takeMedium(w.sides[m.to], m)
		}
	}
	for range 4 {
		for i, s := range w.sides[:2] {
			o := w.sides[1-i]
			if err := w.pack(s); err != nil || w.failed != nil {
				w.fail(21, "%s cannot pack when all is well: %v", s, err)
				return
			}
			_ = w.takeMedium(o, w.media[len(w.media)-1])
			_, _ = o.n.Step(w.ctx)
			w.now = w.now.Add(20 * time.Hour) // a medium that a clock dated ahead makes its successors old until then
		}
	}
	w.arrived(w.sides[0], w.sides[1])
	w.arrived(w.sides[1], w.sides[0])
}
