package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"entente/act"
	"entente/carriage"
	"entente/catalogue"
	"entente/chancery"
	"entente/intake"
	"entente/ledger"
	"entente/reading"
	"entente/release"
	"entente/vault"
)

// This file checks what nodes say and show, beside what is durable (view.go).

// false reports whether a side acts in bad faith: what it does to itself is
// not looked at.
func (w *World) false(s *Side) bool { return w.hostile != nil && s.index() == 1 }

// inOrder checks that what a side has of each partner is what the partner sent,
// each act once, in order, without a gap: as some copy of the partner has it.
func (w *World) inOrder(s *Side) {
	if w.false(s) || w.hostile != nil && w.hostile.apart {
		return
	}
	for _, p := range w.parties {
		if p != s.party && !w.follows(s, p) {
			w.fail(20, "%s has %d acts of %s, and they are not the first that it sent", s, len(s.view.from[p]), p)
		}
	}
}

func (w *World) follows(s *Side, p act.Party) bool {
	got := s.view.from[p]
	var stories [][]act.Digest
	for _, o := range w.sides {
		if o.party == p {
			stories = append(stories, o.view.to[s.party])
			if o.newest != nil {
				stories = append(stories, o.newest.view.to[s.party])
			}
		}
	}
	for _, story := range stories {
		if len(got) <= len(story) && slices.Equal(got, story[:len(got)]) {
			return true
		}
		if s.doubt && len(story) < len(got) && slices.Equal(story, got[:len(story)]) {
			return true
		}
	}
	return false
}

// conveyed checks a delivery as it leaves.
func (w *World) conveyed(s *Side, to act.Party, d *intake.Delivery) {
	if w.false(s) {
		return
	}
	head, err := ledger.ReadCheckpoint(s.n.Card, d.Checkpoint)
	w.look(s)
	have, ok := s.view.root(head.Size)
	if err != nil || !ok || have != head {
		w.fail(27, "%s shows a head of %d entries that its disk does not hold: %v", s, head.Size, err)
	}
	for _, c := range d.Acts {
		sum := act.DigestOf(c.Bytes)
		if !slices.Contains(s.view.to[to], sum) {
			w.fail(2, "%s sends an act that is not durable", s)
		}
		key := fmt.Sprint(s.party, to, c.Seq)
		if was, ok := w.conveys[key]; ok && was != sum && !s.doubt {
			w.fail(19, "%s sends another act as number %d than before", s, c.Seq)
		}
		if !s.doubt {
			w.conveys[key] = sum
		}
	}
}

// saw checks what s says that it holds of o.
func (w *World) saw(s, o *Side, g carriage.Greeting) {
	if g.Seen.Head.Size == 0 || w.hostile != nil {
		return
	}
	if !o.view.leads(g.Seen.Head) && !o.doubt && !s.doubt {
		w.fail(26, "%s holds a head of %s that its ledger does not lead to", s, o)
	}
}

// met checks that s goes no further where its partner holds another ledger of it.
func (w *World) met(s *Side, g carriage.Greeting, err error) {
	w.look(s)
	if err == nil && !s.view.leads(g.Seen.Head) {
		w.fail(31, "%s goes on, and its partner holds a head of %d entries that this ledger does not lead to", s, g.Seen.Head.Size)
	}
}

// shownRelease checks what an officer was told.
func (w *World) shownRelease(s *Side, slip release.Slip) {
	if w.false(s) {
		return
	}
	w.look(s)
	i := int(slip.Entry)
	if i < 0 || i >= len(s.view.acts) {
		w.fail(1, "%s was told of %s as entry %d, which is not durable", s, slip.Number, i)
		return
	}
	b, ok := s.view.acts[i].Body.(act.Release)
	if !ok || b.Manifest.Number != slip.Number || (s.view.acts[i].Kind == act.ReleaseAsked) != slip.Waits {
		w.fail(1, "%s was told of %s as entry %d, which is another", s, slip.Number, i)
	}
}

// shownContent checks what a reader was shown.
func (w *World) shownContent(s *Side, n act.Number, as string, b []byte) {
	if w.false(s) {
		return
	}
	w.look(s)
	p := w.released[n]
	if p == nil && !w.tried[sum(b)] || p != nil && sum(b) != p.sum {
		w.fail(22, "%s showed %d bytes as %s that are not what was released", s, len(b), n)
	}
	last := s.view.acts[len(s.view.acts)-1]
	o, ok := last.Body.(act.Opening)
	if !ok || o.Number != n || o.Person != as || last.From != s.party {
		w.fail(33, "%s showed %s to %s, and the last entry is %s", s, n, as, last.Kind)
	}
}

// refusedInLedger checks that a refusal was entered.
func (w *World) refusedInLedger(s *Side, err error, k act.Kind) {
	if w.false(s) {
		return
	}
	var r *release.Refused
	var d *reading.Denied
	if !errors.As(err, &r) && !errors.As(err, &d) || s.n.Ledger.Err() != nil || errors.Is(err, catalogue.ErrClock) {
		return
	}
	w.look(s)
	if last := s.view.acts[len(s.view.acts)-1]; last.Kind != k && !strings.Contains(err.Error(), ledger.ErrStorage.Error()) {
		w.fail(33, "%s refused (%v), and the last entry is %s", s, err, last.Kind)
	}
}

// counted counts what an error says, for the reach of a run.
func (w *World) counted(s *Side, err error) {
	var r *release.Refused
	var d *reading.Denied
	var h *chancery.Refused
	var c *ledger.Contradiction
	var back *carriage.Restored
	switch {
	case errors.As(err, &r):
		for _, b := range r.Ruling.Because {
			w.hit("refused: " + worded(b.Text))
		}
	case errors.As(err, &d):
		for _, b := range d.Ruling.Because {
			w.hit("refused: " + worded(b.Text))
		}
	case errors.As(err, &h):
		for _, b := range h.Ruling.Because {
			w.hit("refused: " + worded(b.Text))
		}
	case errors.As(err, &back):
		w.hit("recovery: a node learns that it is an old copy")
	case errors.As(err, &c):
		w.hit("recovery: a contradiction is found")
	case errors.Is(err, catalogue.ErrClock):
		w.hit("recovery: a clock that is behind stops writes")
	case errors.Is(err, vault.ErrFull):
		w.hit("recovery: a full disk refuses")
	case strings.Contains(err.Error(), "clock of"):
		w.hit("recovery: clocks too far apart do not talk")
	case strings.Contains(err.Error(), "is disputed"):
		w.hit("recovery: a disputed partner is not talked to")
	case errors.Is(err, intake.ErrGap):
		w.hit("recovery: a gap is refused")
	case errors.Is(err, vault.ErrDamaged), strings.Contains(err.Error(), "seal is broken"):
		w.hit("recovery: damage is found")
	}
}

// plain leaves out what differs from case to case.
func plain(s string) string {
	for _, sep := range []string{": it is ", ": entry "} {
		if a, _, ok := strings.Cut(s, sep); ok {
			s = a
		}
	}
	return aParty.ReplaceAllString(aProduct.ReplaceAllString(s, "a product"), "a party")
}

var (
	aProduct = regexp.MustCompile(`\b[A-Z]{2}-\d{4}-\w{4}-\w{4}`)
	aParty   = regexp.MustCompile(`\b(KR|JP|US)\b`)
)

// secret looks for content where only sealed bytes may be: everywhere on the disk, in
// the node's folder, and in every word that was said. A kept object never changes: it is
// searched once.
func (w *World) secret(s *Side) {
	look := func(where string, b []byte, words ...string) {
		for _, word := range append(words, canary) {
			if i := bytes.Index(b, []byte(word)); i >= 0 {
				w.fail(11, "content stands in %s of %s: %.60q", where, s, b[i:])
			}
		}
	}
	look("what was said", w.said.Bytes()[w.heard:])
	w.heard = max(0, w.said.Len()-len(canary))
	d := s.disk.Copy()
	_ = d.Ledger().View(w.ctx, func(r ledger.Rows) error {
		tables, err := r.Tables()
		for _, t := range tables {
			for row := range r.Scan(t, nil, nil) {
				look("the table "+t, row.Value, inBase64...)
			}
		}
		return err
	})
	for o := range d.Vault().List(w.ctx) {
		if f, err := d.Vault().Open(w.ctx, o); err == nil && !w.searched[o] {
			b := make([]byte, f.Size())
			_, _ = f.ReadAt(b, 0)
			look("object "+o.String()[:16], b)
			w.searched[o] = true
		}
	}
	begun, _ := d.Vault().Begun(w.ctx)
	for _, name := range begun {
		if g, err := d.Vault().Stage(w.ctx, name); err == nil {
			b := make([]byte, g.Size())
			_, _ = g.ReadAt(b, 0)
			look("what is staged as "+name, b)
		}
	}
	_ = fs.WalkDir(os.DirFS(s.dir), ".", func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return nil // a node that has nothing to keep beside its disk has no folder
		}
		b, err := os.ReadFile(filepath.Join(s.dir, path))
		look(path, b, inBase64...)
		return err
	})
}

// canary begins each line of content, and inBase64 is how a row or a file would spell it.
const canary = "canary-"

var inBase64 = []string{"Y2FuYXJ5L", "NhbmFyeS", "jYW5hcnkt"}
