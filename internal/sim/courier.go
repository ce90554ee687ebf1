package sim

import (
	"bytes"
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
	s.packing = dir
	_, err = s.n.Carriage.Post.Pack(w.ctx, s.neighbour(), dir, capacity, 1, m.hands, signer, quiet)
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
	w.look(s)
	before, taken := s.view.size(), len(s.view.taken)
	_, _, err := s.n.Carriage.Post.TakeMedium(w.ctx, m.dir, quiet)
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
	w.grounded(s, m.from, m.seen, err)
	return err
}

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
	if w.rnd.IntN(3) == 0 {
		w.handOver(s, m)
	}
	return fmt.Sprint(s, " takes in ", filepath.Base(m.dir), ", altered ", m.spoilt(), ": ", text(w.takeMedium(s, m)))
}

// handOver enters on a medium that the registrar has it; now and then from one who had it not.
func (w *World) handOver(s *Side, m *medium) {
	from := m.hands
	if w.rnd.IntN(8) == 0 {
		from = "somebody"
	}
	signer, err := s.n.Release.Signer(w.ctx, "registrar")
	if err == nil {
		err = s.n.Carriage.Post.HandOver(m.dir, from, "registrar@"+string(s.party), signer)
	}
	if err != nil {
		w.told(s, err)
		return
	}
	w.hit("medium: it goes from hand to hand")
	if from != m.hands {
		m.broken = true
		w.hit("medium: handed on by one who had it not")
	}
	m.hands = "registrar@" + string(s.party)
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
