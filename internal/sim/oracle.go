package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/catalogue"
	"entente/intake"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/vault"

	"golang.org/x/mod/sumdb/tlog"
)

// view is what the oracle has seen in one ledger, as it stands on the disk. It
// folds the acts by rules of its own, written from the pact and not from the
// code, and knows nothing of the tables that the node folds.
type view struct {
	void     bool // the partner's entry at hand is refused by the next
	own      act.Party
	acts     []act.Act
	sums     []act.Digest
	hashes   []tlog.Hash
	last     act.Moment   // of our last own act
	from     []act.Digest // acts of the partner, in order
	to       []act.Digest // acts of ours to the partner, in order
	persons  map[string]act.Person
	notified map[string]string // our persons, as the partner was told of them
	rows     map[act.Sum]*row
	blocked  bool
	products map[act.Number]*seen
	consents map[act.Digest]*consent
	disputed bool
	refused  map[act.Digest]bool   // acts of the partner's that we refused
	owed     map[act.Digest]string // releases of the partner's that must be refused, and why
}

type row struct {
	signed, notified, cancelled map[act.Party]time.Time
	notices                     []notice
	readings                    map[act.Party]reading2
}

type notice struct {
	by                   act.Party
	at                   time.Time
	suspended, withdrawn *time.Time
}

type reading2 struct {
	phase string
	at    time.Time
}

type seen struct {
	release   act.Digest
	from      act.Party
	body      act.Release
	mark      act.Mark
	ok        string // why it may not be received; empty: it may
	received  int    // receipts of ours
	home      int    // receipts of the partner's
	refused   bool   // by us, or by the partner
	destroyed bool   // here
	copies    int
}

type consent struct {
	act.Consent
	by        act.Party
	given     time.Time
	used      int
	withdrawn bool
}

func newView(own act.Party) *view {
	return &view{own: own, persons: map[string]act.Person{}, notified: map[string]string{}, rows: map[act.Sum]*row{}, products: map[act.Number]*seen{}, consents: map[act.Digest]*consent{}, owed: map[act.Digest]string{}, refused: map[act.Digest]bool{}}
}

func (v *view) size() int64 { return int64(len(v.acts)) }

// false reports whether a side acts in bad faith: what it does to itself is
// not looked at.
func (w *World) false(s *Side) bool { return w.hostile != nil && s.index() == 1 }

func (v *view) row(text act.Sum) *row { return v.rows[text] }

// clone is a copy that goes its own way.
func (v *view) clone() *view {
	c := *v
	c.acts, c.sums, c.hashes, c.from, c.to = slices.Clip(v.acts), slices.Clip(v.sums), slices.Clip(v.hashes), slices.Clip(v.from), slices.Clip(v.to)
	c.persons, c.notified, c.owed, c.refused = maps.Clone(v.persons), maps.Clone(v.notified), maps.Clone(v.owed), maps.Clone(v.refused)
	c.rows, c.products, c.consents = map[act.Sum]*row{}, map[act.Number]*seen{}, map[act.Digest]*consent{}
	for k, r := range v.rows {
		n := *r
		n.signed, n.notified, n.cancelled, n.readings, n.notices = maps.Clone(r.signed), maps.Clone(r.notified), maps.Clone(r.cancelled), maps.Clone(r.readings), slices.Clone(r.notices)
		c.rows[k] = &n
	}
	for k, p := range v.products {
		n := *p
		c.products[k] = &n
	}
	for k, p := range v.consents {
		n := *p
		c.consents[k] = &n
	}
	return &c
}

// ReadHashes implements tlog.HashReader.
func (v *view) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, a := range at {
		if a >= int64(len(v.hashes)) {
			return nil, errors.New("no such hash")
		}
		out[i] = v.hashes[a]
	}
	return out, nil
}

// root is the head of the first size entries.
func (v *view) root(size int64) (act.Head, bool) {
	if size < 0 || size > v.size() {
		return act.Head{}, false
	}
	h, err := tlog.TreeHash(size, v)
	return act.Head{Size: size, Root: act.Hash(h)}, err == nil
}

// look reads what a side's disk holds now, beside the node, and checks what
// has come since.
func (w *World) look(s *Side) {
	v := s.view
	if w.false(s) {
		w.deaf = true
		defer func() { w.deaf = false }()
	}
	err := read(s.disk, func(tx *ledger.Tx) error {
		if tx.Size() < v.size() {
			w.fail(26, "the ledger of %s had %d entries and has %d", s, v.size(), tx.Size())
			return nil
		}
		if n := v.size(); n > 0 {
			if i, ok, err := tx.Find(v.sums[n-1]); err != nil || !ok || i != n-1 {
				w.fail(26, "entry %d of %s is another than it was: %v", n-1, s, err)
			}
		}
		fresh := len(s.view.acts) == 0
		for e, err := range tx.Entries(v.size()) {
			if err != nil {
				return err
			}
			hs, err := tlog.StoredHashes(e.Index, e.Bytes, v)
			if err != nil {
				return err
			}
			v.hashes = append(v.hashes, hs...)
			v.acts, v.sums = append(v.acts, e.Act), append(v.sums, e.Digest)
			if v.void, err = refusedNext(tx, e); err != nil {
				return err
			}
			w.enter(s, v, e, fresh)
		}
		return nil
	})
	if err != nil {
		w.fail(26, "the ledger of %s cannot be read: %v", s, err)
	}
	for _, why := range v.owed {
		w.fail(3, "%s took in a release and did not refuse it: %s", s, why)
	}
}

// refusedNext reports whether the entry that follows a partner's act refuses it
// for who signed it, or when: then the act has no effect.
func refusedNext(tx *ledger.Tx, e ledger.Entry) (bool, error) {
	if e.Index+1 >= tx.Size() {
		return false, nil
	}
	next, err := tx.Entry(e.Index + 1)
	r, ok := next.Act.Body.(act.Refusal)
	return ok && r.Act == e.Digest && slices.Contains([]string{"act", "authorities", "third party"}, r.Because[0].Article), err
}

// enter checks one new entry against all before it, and folds it.
func (w *World) enter(s *Side, v *view, e ledger.Entry, old bool) {
	a := e.Act
	if a.From == v.own {
		if a.At.Before(v.last.Add(-catalogue.ClockSlack)) {
			w.fail(37, "%s entered %s at %s after an act of %s", s, a.Kind, a.At, v.last)
		}
		v.last = a.At
		if slices.Contains(a.To, s.other()) {
			v.to = append(v.to, e.Digest)
		}
	} else {
		v.from = append(v.from, e.Digest)
		if a.Kind.Home() {
			return
		}
		if v.void {
			w.hit("refused: a partner's act that has no effect")
			return
		}
	}
	if !a.Kind.Known() {
		w.hit("entry: a kind that nobody knows")
		if a.Must && a.Pact == pactID {
			v.blocked = true
		}
		return
	}
	if !old && a.From == v.own {
		w.hit("entry: " + string(a.Kind))
	}
	if b, ok := a.Body.(act.Refusal); ok && a.From == v.own {
		delete(v.owed, b.Act)
		if v.refused[b.Act] {
			w.fail(28, "%s refused an act (%s) twice", s, b.Kind)
		}
		v.refused[b.Act] = true
	}
	if b, ok := a.Body.(act.Refusal); ok && a.From == v.own && !b.Kept {
		v.from = append(v.from, b.Act) // what could not be taken in has its place all the same
	}
	switch b := a.Body.(type) {
	case act.Person:
		v.persons[b.Name] = b
	case act.Known:
		v.disputed = false
	case act.Dispute:
		v.disputed = true
	case act.Authority:
		if a.From == v.own {
			v.notified[b.Name] = b.Key
		}
	case act.Proposal:
		if t := catalogue.SumOf([]byte(b.Text)); t == pactSum && a.Pact == pactID {
			if v.rows[t] == nil {
				v.rows[t] = &row{map[act.Party]time.Time{}, map[act.Party]time.Time{}, map[act.Party]time.Time{}, nil, map[act.Party]reading2{}}
			}
		}
	case act.Step:
		v.stepped(a, b)
		w.signed(s, v, a, act.Signing)
	case act.Interpretation:
		if r := v.rows[b.Text]; r != nil && a.Pact == pactID && slices.Contains([]string{"in-force", "applied-provisionally", "notice-given", "notice-suspended", "terminated"}, b.Phase) {
			if o, had := r.readings[a.From]; !had || !a.At.Before(o.at) {
				r.readings[a.From] = reading2{b.Phase, a.At.Time}
			}
		}
	case act.Consent:
		w.signed(s, v, a, act.Releasing)
		v.consents[e.Digest] = &consent{Consent: b, by: a.From, given: a.At.Time}
	case act.Withdrawal:
		if c := v.consents[b.Act]; c != nil && c.by == a.From {
			c.withdrawn = true
		}
	default:
		w.enterProduct(s, v, e)
	}
}

// signed checks that an act of ours was signed by one who holds the office.
func (w *World) signed(s *Side, v *view, a act.Act, o act.Office) {
	name, _, _ := strings.Cut(a.By, "@")
	if p := v.persons[name]; a.From == v.own && (p.Left || !slices.Contains(p.Offices, o)) {
		w.fail(10, "%s entered %s by %q, who does not hold the office %s", s, a.Kind, a.By, o)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (v *view) stepped(a act.Act, b act.Step) {
	r := v.rows[b.Text]
	if r == nil || a.Pact != pactID {
		return
	}
	first := func(m map[act.Party]time.Time) {
		if _, done := m[a.From]; !done {
			m[a.From] = a.At.Time
		}
	}
	switch a.Kind {
	case act.PactSigned:
		first(r.signed)
	case act.PactNotified:
		first(r.notified)
	case act.PactCancelled:
		first(r.cancelled)
	case act.PactNotice:
		r.notices = append(r.notices, notice{by: a.From, at: a.At.Time})
	case act.PactNoticeSuspended, act.PactNoticeWithdrawn:
		for i := len(r.notices) - 1; i >= 0; i-- {
			if n := &r.notices[i]; n.by == a.From && n.withdrawn == nil {
				at := a.At.Time
				if a.Kind == act.PactNoticeWithdrawn {
					n.withdrawn = &at
				} else if n.suspended == nil {
					n.suspended = &at
				}
				break
			}
		}
	}
}

// standing reads the pact at a moment, the stricter way where a party says so.
func (r *row) standing(now time.Time) string {
	if r == nil || len(r.signed) < 2 || len(r.notified) < 2 {
		return "not in force"
	}
	var since time.Time
	for _, p := range parties {
		since = later(since, later(r.signed[p], r.notified[p]))
	}
	for _, at := range r.cancelled {
		if at.Before(since) {
			return "cancelled"
		}
	}
	if now.Before(since) {
		return "not in force"
	}
	phase, moved := 0, since
	move := func(at time.Time) {
		if !now.Before(at) {
			moved = later(moved, at)
		}
	}
	for _, n := range r.notices {
		end := ends(since, n.at)
		back := n.withdrawn != nil && n.withdrawn.Before(end)
		held := n.suspended != nil && n.suspended.Before(end)
		if now.Before(n.at) {
			continue
		}
		move(n.at)
		if held {
			move(*n.suspended)
			if n.withdrawn != nil { // a suspended notice ends nothing, and may be taken back at any time
				back = true
			}
		}
		switch {
		case back && !now.Before(*n.withdrawn):
			move(*n.withdrawn)
		case held && !now.Before(*n.suspended):
			phase = max(phase, 3)
		case !now.Before(end):
			return "terminated"
		default:
			phase = max(phase, 2)
		}
	}
	words := []string{"in-force", "applied-provisionally", "notice-given", "notice-suspended", "terminated"}
	for _, d := range r.readings {
		if !d.at.Before(moved) && !now.Before(d.at) {
			phase = max(phase, slices.Index(words, d.phase))
		}
	}
	return words[phase]
}

// ends is when a notice takes effect: with the term that it was given in, on 23
// November in Seoul and Tokyo, or with the next where ninety days are not left.
func ends(since, given time.Time) time.Time {
	seoul := time.FixedZone("", 9*3600)
	for y := since.In(seoul).Year() + 1; ; y++ {
		end := time.Date(y, time.November, 23, 0, 0, 0, 0, seoul)
		if given.Before(end.Add(-90 * 24 * time.Hour)) {
			return end
		}
	}
}

func moves(phase string) bool {
	return phase != "not in force" && phase != "terminated" && phase != "cancelled"
}

func rank(m act.Mark) int {
	for i, t := range marks[m.Party] {
		if t == m.Text && i < 2 {
			return i + 1
		}
	}
	return 0
}

// may says why the person of ours who did a may not have done it with something of this rank.
func (v *view) may(name string, o act.Office, at time.Time, rank int) string {
	p, ok := v.persons[name]
	c := slices.Index(marks[v.own][:2], p.Clearance) + 1
	switch {
	case !ok || p.Left:
		return "is nobody here"
	case !slices.Contains(p.Offices, o):
		return "does not hold the office " + string(o)
	case c < rank || !at.Before(p.Until.Time):
		return "is not cleared"
	}
	return ""
}

// allowed says why a release may not be, by what this ledger held before it.
func (v *view) allowed(a act.Act, b act.Release) string {
	m := b.Manifest
	if phase := v.rows[b.Text].standing(a.At.Time); !moves(phase) {
		return "the pact is " + phase
	}
	switch {
	case v.blocked:
		return "the pact is blocked"
	case a.Pact != pactID || m.Pact != pactID || m.Originator != a.From || m.Mark.Party != a.From:
		return "it is of another pact or originator"
	case rank(m.Mark) == 0:
		return "the mark is not of the pact"
	case m.Subject != "defence" && m.Subject != "nuclear-test" || m.Form != "electronic" || m.Purpose != "threat-assessment" && m.Purpose != "missile-warning":
		return "subject, form or purpose is outside the pact"
	case len(m.Recipients) != 1 || !slices.Equal(m.Recipients, a.To):
		return "its recipients are not those of the act"
	case !strings.HasPrefix(string(m.Number), string(a.From)+"-"):
		return "its number is of another's series"
	case v.products[m.Number] != nil && v.products[m.Number].from != "":
		return "its number was used before"
	case a.By == "":
		return "nobody released it"
	}
	return ""
}

func (w *World) enterProduct(s *Side, v *view, e ledger.Entry) {
	a := e.Act
	n, ok := product.About(a)
	if !ok {
		return
	}
	p := v.products[n]
	if p == nil {
		p = &seen{}
		v.products[n] = p
	}
	own := a.From == v.own
	name, _, _ := strings.Cut(a.By, "@")
	switch b := a.Body.(type) {
	case act.Release:
		if a.Kind == act.ReleaseAsked {
			p.body = b
			return
		}
		why := v.allowed(a, b)
		if !own && why != "" {
			v.owed[e.Digest] = why
		}
		if p.from != "" || !strings.HasPrefix(string(n), string(a.From)+"-") {
			return // the first release under a number stands, and nobody takes another's numbers
		}
		if !own {
			p.ok = why
		} else {
			if why != "" {
				w.fail(3, "%s released %s: %s", s, n, why)
			}
			if why := v.may(name, act.Releasing, a.At.Time, rank(b.Manifest.Mark)); why != "" {
				w.fail(10, "%s released %s, and %s %s", s, n, name, why)
			}
			if v.notified[name] == "" || v.notified[name] != v.persons[name].Key {
				w.fail(3, "%s released %s by %s, of whom the partner was not told", s, n, name)
			}
			drafter, _, _ := strings.Cut(b.Drafter, "@")
			if drafter == name || drafter == "" && v.own == "KR" && rank(b.Manifest.Mark) == 2 {
				w.fail(4, "%s released %s of rank %d, drafted by %q and released by %s alone", s, n, rank(b.Manifest.Mark), b.Drafter, name)
			}
			if !s.keeps(b.Seal.Vault) {
				w.fail(2, "%s released %s and does not keep it", s, n)
			}
		}
		p.release, p.from, p.body, p.mark = e.Digest, a.From, b, b.Manifest.Mark
	case act.Receipt:
		if !own {
			if p.from == v.own && b.Vault == p.body.Seal.Vault {
				p.home++
			}
			return
		}
		switch p.received++; {
		case p.received > 1:
			w.fail(18, "%s receipted %s twice", s, n)
		case b.Act != p.release || p.from != s.other():
			w.fail(17, "%s receipted %s, which was not released to it by that act", s, n)
		case p.ok != "":
			w.fail(3, "%s received %s: %s", s, n, p.ok)
		case !s.keeps(b.Vault) && !p.destroyed:
			w.fail(17, "%s receipted %s and does not keep it", s, n)
		}
	case act.Refusal:
		if b.Act == p.release {
			p.refused = true
			if own && p.received > 0 {
				w.fail(18, "%s refused %s after its receipt", s, n)
			}
		}
	case act.Reclassification:
		if a.From == p.from {
			p.mark = b.Mark
			if own && rank(b.Mark) >= rank(p.body.Manifest.Mark) {
				w.fail(7, "%s reclassified %s upwards or not at all", s, n)
			}
		} else if own {
			w.fail(7, "%s reclassified %s, which is not its own", s, n)
		}
	case act.Certificate:
		if own {
			if p.destroyed {
				w.fail(16, "%s destroyed %s twice", s, n)
			}
			p.destroyed = true
		}
	case act.Copy:
		w.spent(s, v, a, b.Consents, n, "copy")
		w.uses(s, v, p, a, b.Person, p.body.Manifest.Purpose, nil, "copied", n)
		if p.copies++; b.Copy != p.copies {
			w.fail(28, "copy %d of %s at %s is called copy %d", p.copies, n, s, b.Copy)
		}
		if p.from != v.own && len(b.Consents) == 0 {
			w.fail(6, "%s copied %s without the originator's approval", s, n)
		}
	case act.Opening:
		if own {
			w.spent(s, v, a, b.Consents, n, "purpose")
			w.uses(s, v, p, a, b.Person, b.Purpose, b.Consents, "opened", n)
		}
	}
}

// uses checks that a person may use a product: level, need, register, briefing
// and purpose, each on its own.
func (w *World) uses(s *Side, v *view, p *seen, a act.Act, name, purpose string, consents []act.Digest, deed string, n act.Number) {
	why := v.may(name, act.Reading, a.At.Time, rank(p.mark))
	q := v.persons[name]
	needs := slices.ContainsFunc(q.Needs, func(x act.Need) bool { return x.Pact == pactID && slices.Contains(x.Purposes, purpose) })
	switch {
	case why != "":
	case !needs:
		why = "does not need to know for " + purpose
	case !q.Briefed || q.Facility == "":
		why = "is not briefed or on no register"
	case p.destroyed:
		why = "reads what was destroyed"
	case p.from != v.own && p.received == 0:
		why = "reads what is not here"
	case p.from != v.own && purpose != p.body.Manifest.Purpose && len(consents) == 0:
		why = "reads for another purpose"
	}
	if why != "" {
		w.fail(32, "%s %s %s, and %s %s", s, deed, n, name, why)
	}
}

// spent counts the approvals that a deed used up.
func (w *World) spent(s *Side, v *view, a act.Act, all []act.Digest, n act.Number, deed string) {
	for _, d := range all {
		c := v.consents[d]
		if c == nil || c.by == v.own || c.Number != n {
			w.fail(6, "%s used an approval of %s that the originator did not give", s, n)
			continue
		}
		c.used++
		if c.used > c.Uses || c.withdrawn || !a.At.Before(c.Until.Time) || a.At.Before(c.given) {
			w.fail(6, "%s used an approval of %s for the %d. time of %d, withdrawn %v, until %s", s, n, c.used, c.Uses, c.withdrawn, c.Until)
		}
		w.hit("people: an approval is spent on " + deed)
	}
}

// keeps reports whether the disk holds an object: in its vault, or in the rows.
func (s *Side) keeps(v act.Sum) (ok bool) {
	_ = read(s.disk, func(tx *ledger.Tx) error {
		b, err := tx.Get(vault.Table, v[:])
		ok = b != nil
		return err
	})
	if ok {
		return true
	}
	f, err := s.disk.Copy().Vault().Open(s.w.ctx, vault.Digest(v))
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// inOrder checks that what a side has of its partner is what the partner sent,
// each act once, in order, without a gap: as some copy of the partner has it.
func (w *World) inOrder(s *Side) {
	if w.false(s) || w.hostile != nil && w.hostile.apart {
		return
	}
	got := s.view.from
	var stories [][]act.Digest
	for _, o := range w.sides {
		if o.party != s.party {
			stories = append(stories, o.view.to)
			if o.newest != nil {
				stories = append(stories, o.newest.view.to)
			}
		}
	}
	for _, story := range stories {
		if len(got) <= len(story) && slices.Equal(got, story[:len(got)]) {
			return
		}
		if s.doubt && len(story) < len(got) && slices.Equal(story, got[:len(story)]) {
			return
		}
	}
	w.fail(20, "%s has %d acts of its partner, and they are not the first that the partner sent", s, len(got))
}

// conveyed checks a delivery as it leaves.
func (w *World) conveyed(s *Side, d *intake.Delivery) {
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
		if !slices.Contains(s.view.to, sum) {
			w.fail(2, "%s sends an act that is not durable", s)
		}
		key := fmt.Sprint(s.party, c.Seq)
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
	if have, ok := o.view.root(g.Seen.Head.Size); (!ok || have != g.Seen.Head) && !o.doubt && !s.doubt {
		w.fail(26, "%s holds a head of %s that its ledger does not lead to", s, o)
	}
}

// met checks that s goes no further where its partner holds another ledger of it.
func (w *World) met(s *Side, g carriage.Greeting, err error) {
	w.look(s)
	if have, ok := s.view.root(g.Seen.Head.Size); err == nil && g.Seen.Head.Size > 0 && (!ok || have != g.Seen.Head) {
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
	var c *ledger.Contradiction
	var back *carriage.Restored
	switch {
	case errors.As(err, &r):
		for _, b := range r.Ruling.Because {
			w.hit("refused: " + plain(b.Text))
		}
	case errors.As(err, &d):
		for _, b := range d.Ruling.Because {
			w.hit("refused: " + plain(b.Text))
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
	for _, sep := range []string{": it is ", ": entry ", " of JP", " of KR"} {
		if a, _, ok := strings.Cut(s, sep); ok {
			return a
		}
	}
	return s
}

// heal puts everything right, carries until nothing is left, and checks what
// must then hold.
func (w *World) heal() {
	for _, s := range w.sides {
		if !w.false(s) {
			w.secret(s)
		}
	}
	w.cut, w.link = [2]bool{}, nil
	w.settleCopies()
	for _, s := range w.sides[:2] {
		if s.up() {
			s.stop()
		}
		s.armed, s.offset, s.drift = nil, 0, 0
		for _, d := range s.rot {
			// One that was swept and came again is whole.
			if errors.Is(vault.New(s.disk.Vault()).Verify(w.ctx, d), vault.ErrDamaged) {
				s.disk.Rot(d)
			}
		}
		s.rot = nil
		w.now = later(w.now, s.view.last.Add(time.Hour))
	}
	for _, s := range w.sides[:2] {
		if err := s.start(); err != nil {
			w.fail(29, "%s does not start when all is well: %v", s, err)
			return
		}
	}
	for i, s := range w.sides[:2] {
		if s.view.disputed && w.hostile == nil {
			o := w.sides[1-i].n.Card
			w.evident(s)
			if err := w.person(s, "officer", false, false); err != nil {
				w.fail(21, "%s: %v", s, err)
			}
			if err := s.n.Chancery.Know(w.ctx, o, code(o), "officer"); err != nil {
				w.fail(30, "%s cannot know its partner anew: %v", s, err)
			}
			w.hit("recovery: people settle a dispute")
		}
	}
	switch {
	case w.hostile != nil:
	case w.post:
		w.settlePost()
	default:
		for _, s := range w.sides { // what comes late by the way before has no effect
			for len(w.pouch.to[s.index()]) > 0 && w.failed == nil {
				_ = w.carry(s, 0)
			}
		}
		w.settle(30)
	}
	w.after()
	if w.failed == nil {
		w.final()
	}
}

// settleCopies does what people do when a folder was restored or run twice: the
// copy whose ledger the partner holds goes on, the newest one if any may.
func (w *World) settleCopies() {
	if a, b := w.sides[0], w.sides[1]; a.newest != nil && b.newest != nil {
		for _, s := range w.sides[:2] { // both were restored: what either has seen may be in the other's newest copy alone
			s.stop()
			s.put(s.newest)
			s.newest = nil
		}
	}
	for _, s := range w.sides {
		if s.doubt { // people call back what a copy had sent that may not go on
			w.pouch = pouch{}
		}
	}
	for _, s := range w.sides[:2] {
		if !s.doubt {
			continue
		}
		var held act.Head
		o := w.sides[1-s.index()]
		if err := read(o.disk, func(tx *ledger.Tx) error { p, err := tx.Peer(s.party); held = p.Head; return err }); err != nil {
			w.fail(30, "%v", err)
		}
		leads := func(v *view) bool { h, ok := v.root(held.Size); return held.Size == 0 || ok && h == held }
		s.doubt = false
		for _, c := range w.sides[2:] {
			if c.party == s.party && !leads(s.view) && leads(c.view) {
				w.hit("recovery: the second copy goes on")
				s.stop()
				s.put(c.save())
			}
		}
		if s.newest != nil && !leads(s.view) {
			w.hit("recovery: the newest copy is put back")
			s.stop()
			s.put(s.newest)
			s.newest = nil
		} else if s.newest != nil {
			w.hit("recovery: a restored copy goes on where nobody had seen more")
			s.newest = nil
		}
		if !leads(s.view) && !w.false(s) {
			w.fail(26, "no copy of %s leads to the head of %d entries that its partner holds", s, held.Size)
		}
	}
	for _, c := range w.sides[2:] {
		if c.up() {
			c.stop()
		}
	}
	w.sides = w.sides[:2]
	w.conveys = map[string]act.Digest{}
}

// evident checks that the evidence of a dispute convicts before a third person.
func (w *World) evident(s *Side) {
	for _, b := range s.evidence() {
		var c ledger.Contradiction
		if json.Unmarshal(b, &c) != nil || c.Party == "" {
			continue // our own checkpoint, as the partner held it
		}
		if _, _, err := ledger.CheckEvidence(b); err != nil {
			w.fail(30, "the evidence of %s convicts nobody: %v", s, err)
			return
		}
		w.hit("recovery: the evidence convicts")
		return
	}
	if len(s.evidence()) == 0 {
		w.fail(30, "%s disputes its partner without evidence", s)
	}
}

// final checks what must be true of a world that was healed.
func (w *World) final() {
	for _, s := range w.sides[:2] {
		if w.hostile != nil && s.index() == 1 {
			continue
		}
		if _, err := s.n.Verify(w.ctx, func(_, _ int64) {}); err != nil {
			w.fail(26, "%s: %v", s, err)
		}
		w.refolds(s)
		w.secret(s)
		h, _ := s.view.root(s.view.size())
		fmt.Fprintf(&w.history, "%s %d entries, root %x\n", s, h.Size, h.Root[:8])
	}
	if w.hostile != nil {
		w.tables(w.sides[0])
		return
	}
	w.tables(w.sides[0])
	w.tables(w.sides[1])
	a, b := w.sides[0], w.sides[1]
	for _, x := range [2][2]*Side{{a, b}, {b, a}} {
		from, to := x[0], x[1]
		if !slices.Equal(from.view.to, to.view.from) {
			w.fail(21, "%s sent %d acts and %s has %d of them, in its order or another", from, len(from.view.to), to, len(to.view.from))
		}
		w.arrived(from, to)
	}
	ra, rb := a.view.row(pactSum), b.view.row(pactSum)
	if x, y := ra.standing(w.now), rb.standing(w.now); x != y {
		w.fail(9, "%s reads the pact as %s, %s as %s", a, x, b, y)
	} else {
		w.hit("pact: " + x)
	}
	w.readings(a)
	w.readings(b)
}

// arrived checks that each release has a receipt or a refusal on both sides.
func (w *World) arrived(from, to *Side) {
	seals := map[act.Sum]act.Number{}
	for n, p := range from.view.products {
		if p.from != from.party {
			continue
		}
		if o, twice := seals[p.body.Seal.Vault]; twice {
			w.fail(12, "%s and %s are sealed in one object", o, n)
		}
		seals[p.body.Seal.Vault] = n
		q := to.view.products[n]
		switch {
		case q == nil || q.release != p.release:
			w.fail(21, "%s of %s never arrived", n, from)
		case q.received == 1 && p.home != 1, q.refused != p.refused:
			w.fail(21, "%s of %s: its answer did not come home", n, from)
		case q.received == 0 && !q.refused && !p.destroyed:
			w.fail(21, "%s of %s has neither a receipt nor a refusal", n, from)
		case q.received == 0 && !q.refused:
			w.hit("recovery: its originator destroyed it before it was fetched")
		}
	}
}

// readings checks that what is held can still be read, and that it is what
// was released; and that what was destroyed is gone.
func (w *World) readings(s *Side) {
	held := w.held(s, func(cu product.Custody) bool { return cu.From != "" })
	_ = w.person(s, "analyst", false, false)
	for len(held) > 5 { // a sample: opening is dear
		i := w.rnd.IntN(len(held))
		held = slices.Delete(held, i, i+1)
	}
	for _, cu := range held {
		n := cu.Manifest.Number
		p := s.view.products[n]
		if p == nil {
			w.fail(28, "%s lists %s, which no entry released", s, n)
			return
		}
		if p.destroyed && s.keeps(cu.Seal.Vault) {
			w.fail(16, "%s keeps %s after its destruction", s, n)
		}
		o, err := s.n.Reading.Open(w.ctx, n, "analyst", cu.Manifest.Purpose)
		may := !p.destroyed && (p.from == s.party || p.received == 1)
		switch {
		case err == nil && !may:
			w.fail(16, "%s still opens %s", s, n)
		case err == nil:
			var b bytes.Buffer
			if _, err := o.WriteTo(&b); err != nil {
				w.fail(22, "%s cannot read %s: %v", s, n, err)
			}
			w.shownContent(s, n, "analyst", b.Bytes())
			o.Close()
		case may && !errors.Is(err, reading.ErrAsked):
			w.fail(8, "%s can no longer read %s: %v", s, n, err)
		}
		if w.failed != nil {
			return
		}
	}
}

// refolds checks that the tables hold what the entries say, and nothing else.
func (w *World) refolds(s *Side) {
	c := &catalogue.Catalogue{Own: s.party}
	l := ledger.Open(s.disk.Copy().Ledger(), ledger.Config{Party: s.party, Fold: c.Fold})
	dump := func() (b []byte) {
		_ = l.View(w.ctx, func(tx *ledger.Tx) (err error) { b, err = catalogue.Dump(tx); return err })
		return b
	}
	before := dump()
	if err := l.Rebuild(w.ctx, func(_, _ int64) {}); err != nil {
		w.fail(28, "folding the ledger of %s again: %v", s, err)
	}
	if !bytes.Equal(before, dump()) {
		w.fail(28, "the tables of %s are not what its entries give", s)
	}
}

// tables checks what the node would show people against what the oracle folded
// by its own rules: persons, the partner, the pact, marks, receipts.
func (w *World) tables(s *Side) {
	err := read(s.disk, func(tx *ledger.Tx) error {
		c := &catalogue.Catalogue{Own: s.party}
		persons, err := c.Persons(tx)
		if err != nil {
			return err
		}
		for _, p := range persons {
			if q := s.view.persons[p.Name]; q.Key != p.Key || q.Left != p.Left || !q.Until.Equal(p.Until.Time) {
				w.fail(28, "%s lists %s otherwise than it was enrolled", s, p.Name)
			}
		}
		partner, ok, err := c.Partner(tx, s.other())
		if err != nil || !ok || partner.Card.Link != w.sides[1-s.index()].n.Card.Link || partner.Disputed != "" != s.view.disputed {
			w.fail(28, "%s holds another card of its partner than was compared, or another dispute: %v", s, err)
		}
		all, err := c.Pacts(tx)
		if err != nil || len(all) > 1 {
			w.fail(28, "%s lists %d pacts: %v", s, len(all), err)
		}
		for _, r := range all {
			p, _, _, err := c.PactUnder(tx, r.ID, r.Text)
			if err != nil {
				return err
			}
			want := s.view.row(r.Text).standing(s.now())
			if got := p.Stands(r.Life, s.now()); string(got) != want && (moves(want) || got.Transfers() || got == pact.Terminated) {
				w.fail(9, "%s rules that the pact is %s, and by its acts it is %s", s, got, want)
			}
		}
		for _, m := range []act.Party{s.party} {
			if all, err := c.Mandates(tx); err != nil || len(all) > 0 {
				w.fail(28, "%s lists a mandate that %s did not give: %v", s, m, err)
			}
		}
		for n, p := range s.view.products {
			cu, ok, err := c.Product(tx, n)
			if err != nil {
				return err
			}
			if p.from == "" || !ok {
				continue
			}
			if m, _ := cu.Mark(&cu.Manifest); m != p.mark {
				w.fail(7, "%s shows %s as %s, and its originator marked it %s", s, n, m.Text, p.mark.Text)
			}
			if _, got := cu.Received[s.party]; p.from != s.party && got != (p.received > 0) {
				w.fail(28, "%s shows %s as received: %v", s, n, got)
			}
			if _, got := cu.Refused[s.party]; p.from != s.party && got != p.refused {
				w.fail(18, "%s shows %s as refused: %v", s, n, got)
			}
			if _, got := cu.Received[s.other()]; p.from == s.party && got != (p.home > 0) {
				w.fail(28, "%s shows a receipt of %s that its partner did not give", s, n)
			}
		}
		return nil
	})
	if err != nil {
		w.fail(28, "%s: %v", s, err)
	}
}

// secret looks for content where only sealed bytes may be: on the disk, in
// evidence, and in every word that was said.
func (w *World) secret(s *Side) {
	places := map[string][]byte{"what was said": w.said.Bytes()}
	d := s.disk.Copy()
	var rows bytes.Buffer
	_ = d.Ledger().View(w.ctx, func(r ledger.Rows) error {
		tables, err := r.Tables()
		for _, t := range tables {
			for row := range r.Scan(t, nil, nil) {
				rows.Write(row.Value)
			}
		}
		return err
	})
	places["the rows"] = rows.Bytes()
	for o := range d.Vault().List(w.ctx) {
		if f, err := d.Vault().Open(w.ctx, o); err == nil {
			b := make([]byte, min(f.Size(), 4096))
			_, _ = f.ReadAt(b, 0)
			places["object "+o.String()[:16]] = b
		}
	}
	for _, b := range s.evidence() {
		places["evidence"] = b
	}
	for where, b := range places {
		if i := bytes.Index(b, []byte("canary-")); i >= 0 {
			w.fail(11, "content stands in %s of %s: %.60q", where, s, b[i:])
		}
	}
}

func sortDigests(all []act.Digest) {
	slices.SortFunc(all, func(a, b act.Digest) int { return bytes.Compare(a[:], b[:]) })
}
