package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/internal/memory"
	"entente/vault"
)

// This file is what happens to clocks, disks and machines.

// doWait lets time pass: an hour, days, or up to a date on which something turns.
func (w *World) doWait() string {
	switch w.rnd.IntN(8) {
	case 0, 1, 2:
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(3600)) * time.Second)
	case 3, 4:
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(72)) * time.Hour)
	case 5:
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(60)) * 24 * time.Hour)
	default:
		// The turning days of a term, a few hours before or after: 23 November in the pact's zone, and ninety days before it.
		end := time.Date(w.now.Year(), 11, 22, 15, 0, 0, 0, time.UTC)
		for _, at := range []time.Time{end.AddDate(0, 0, -90), end, end.AddDate(1, 0, -90), end.AddDate(1, 0, 0)} {
			if at = at.Add(time.Duration(w.rnd.IntN(24)-12) * time.Hour); at.After(w.now) {
				w.now = at
				break
			}
		}
	}
	return w.now.Format(time.RFC3339)
}

func (w *World) doClock() string {
	s := pick(w.rnd, w.sides...)
	what := w.rnd.IntN(18)
	if what < 16 {
		what %= 8
	}
	switch what {
	case 0, 6, 7:
		s.offset = time.Duration(w.rnd.IntN(60)-30) * time.Second
		w.hit("clock: a few seconds off")
	case 1:
		s.offset = -time.Duration(1+w.rnd.IntN(48)) * time.Hour
		w.hit("clock: hours back")
	case 2:
		s.offset = time.Duration(1+w.rnd.IntN(20)) * time.Hour
		w.hit("clock: hours ahead")
	case 3:
		s.offset = time.Duration(25+w.rnd.IntN(48)) * time.Hour
		w.hit("clock: days ahead")
	case 4:
		s.drift = int64(w.rnd.IntN(7) - 3)
		w.hit("clock: drift")
	case 16: // a battery that ran out
		s.offset = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Sub(w.now)
		w.hit("clock: 1970")
	case 17:
		s.offset = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Sub(w.now)
		w.hit("clock: 2100")
	default:
		s.offset, s.drift = 0, 0
	}
	return fmt.Sprint(s, " is ", s.offset, " off, drift ", s.drift)
}

func (w *World) doFault() string {
	s := pick(w.rnd, w.sides...)
	f := fault{after: w.rnd.IntN(4), err: errDisk}
	f.op = pick(w.rnd, memory.Commit, memory.Committed, memory.Begin, memory.View, memory.Write, memory.Write, memory.Keep, memory.Kept, memory.OpenFile, memory.Read, memory.Remove, memory.Stage)
	if w.rnd.IntN(2) == 0 {
		f.err = errPower
	} else if f.op == memory.Write || f.op == memory.Commit {
		f.err = pick(w.rnd, vault.ErrFull, errDisk)
	}
	if f.op == memory.Write || f.op == memory.Read {
		f.after *= 3
	}
	s.armed = append(s.armed, f)
	return fmt.Sprint(s, " fails at ", f.op, " after ", f.after, ": ", f.err)
}

func (w *World) doCrash() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	s.stop()
	w.hit("fault: a crash between steps")
	return s.String()
}

func (w *World) doStart() string {
	var all []string
	for _, s := range w.sides {
		if !s.up() && !s.gone {
			err := s.start()
			if err == nil {
				w.hit("recovery: a node starts again")
			} else {
				w.told(s, err)
				s.stop()
			}
			all = append(all, fmt.Sprint(s, ": ", text(err)))
		}
	}
	return strings.Join(all, ", ")
}

func (w *World) doBackup() string {
	s := pick(w.rnd, w.sides...)
	s.backup = s.save()
	return s.String()
}

// doRestore puts an old backup back, as a clumsy operator does.
func (w *World) doRestore() string {
	s := pick(w.rnd, w.sides[:len(w.parties)]...)
	if s.backup == nil || s.doubt || len(w.sides) > len(w.parties) || w.hostile != nil {
		return "there is none"
	}
	was := s.save()
	s.stop()
	if was.view.size() > s.backup.view.size() {
		s.newest, s.doubt = was, true
	}
	s.put(s.backup)
	w.hit("fault: yesterday's backup is put back")
	return fmt.Sprint(s, " from ", was.view.size(), " to ", s.view.size(), " entries: ", text(s.start()))
}

// doClone runs a copy of the folder on a second machine.
func (w *World) doClone() string {
	s := pick(w.rnd, w.sides[:len(w.parties)]...)
	if len(w.sides) > len(w.parties) || s.doubt || w.hostile != nil {
		return "not now"
	}
	c := w.side(s.party, s.disk.Copy())
	c.copy, c.view, c.doubt, s.doubt = 1, s.view.clone(), true, true
	c.rot, c.lost = slices.Clone(s.rot), maps.Clone(s.lost)
	c.dir += "'"
	c.disk.Crash(nil)
	w.hit("fault: a folder is run twice")
	return fmt.Sprint(c, ": ", text(c.start()))
}

// doRot changes a byte of a kept object, or loses it; and somebody may read it then.
func (w *World) doRot() string {
	s := pick(w.rnd, w.sides[:len(w.parties)]...)
	var all []vault.Digest
	var d vault.Digest
	most := int64(-1)
	shelf := s.disk.Copy().Vault()
	for o := range shelf.List(w.ctx) {
		if f, err := shelf.Open(w.ctx, o); err == nil && f.Size() > most {
			d, most = o, f.Size() // of the largest, much stands before the damage
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return "nothing is kept"
	}
	if w.rnd.IntN(2) == 0 {
		d = pick(w.rnd, all...)
	}
	if slices.Contains(s.rot, d) {
		return "it is damaged already"
	}
	what := "rotten"
	if w.rnd.IntN(3) == 0 {
		what, s.lost[d] = "lost", s.disk.Swap(d, nil)
		w.hit("fault: an object is lost")
	} else {
		s.disk.Rot(d)
		s.rot = append(s.rot, d)
		w.hit("fault: a byte of an object is changed")
	}
	for _, n := range sorted(s.view.products) {
		if p := s.view.products[n]; s.up() && p.from != "" && vault.Digest(p.body.Seal.Vault) == d && w.rnd.IntN(3) > 0 {
			return fmt.Sprintf("%s %.16s %s, and %s is read: %s", s, d, what, n, w.open(s, n, "analyst", ""))
		}
	}
	return fmt.Sprintf("%s %.16s %s", s, d, what)
}
