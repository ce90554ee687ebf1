package sim

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/tlog"
)

// view is what the oracle has seen in one ledger, as it stands on the disk. It
// folds the acts by rules of its own, written from the pacts and not from the
// code, and knows nothing of the tables that the node folds.
type view struct {
	void     bool // the partner's entry at hand is refused by the next
	own      act.Party
	acts     []act.Act
	sums     []act.Digest
	hashes   []tlog.Hash
	last     act.Moment                 // of our last own act
	from     map[act.Party][]act.Digest // acts of a partner, in order
	to       map[act.Party][]act.Digest // acts of ours to a partner, in order
	clock    map[act.Party]time.Time    // of the last act of a partner that has an effect
	today    time.Time                  // by our clock, when the disk was looked at
	persons  map[string]act.Person
	notified map[act.Party]map[string]act.Authority // our persons, as a partner was told of them
	told     map[act.Party]map[string]act.Authority // a partner's, as it told us
	via      map[act.Party]act.Party                // the hub that a partner is reached by
	rows     map[act.Sum]*row
	early    map[act.Sum][]ledger.Entry // steps that came before their text
	answers  answers
	blocked  map[act.PactID]bool
	products map[act.Number]*seen
	consents map[act.Digest]*consent
	before   map[act.Digest][]act.Act // acts that use an approval which is not here
	mandates map[act.Digest]*mandate
	visits   map[act.Digest]*visit
	disputed map[act.Party]bool
	refused  map[act.Digest]bool   // acts of partners that we refused
	owed     map[act.Digest]string // releases of partners that must be refused, and why
	taken    map[string]bool       // media that were taken in
}

type seen struct {
	release   act.Digest
	from      act.Party
	body      act.Release
	mark      act.Mark
	ok        string             // why it may not be received; empty: it may
	act       act.Act            // its release
	drafter   string             // while it waits for a second person
	waits     bool               // here, for an approval that it names
	received  int                // receipts of ours
	home      map[act.Party]int  // receipts of partners
	refused   map[act.Party]bool // by us, or by partners
	destroyed bool               // here
	copies    int
}

type consent struct {
	act.Consent
	by        act.Party
	to        []act.Party
	given     time.Time
	used      int
	withdrawn bool
}

type mandate struct {
	act.Mandate
	by        string
	given     time.Time
	withdrawn bool
}

type visit struct {
	act.Visit
	pact     act.PactID
	by, host act.Party
	approved *act.Mark
	ended    *time.Time
}

func newView(own act.Party) *view {
	return &view{own: own, from: map[act.Party][]act.Digest{}, to: map[act.Party][]act.Digest{}, persons: map[string]act.Person{}, notified: map[act.Party]map[string]act.Authority{}, told: map[act.Party]map[string]act.Authority{}, clock: map[act.Party]time.Time{}, via: map[act.Party]act.Party{},
		rows: map[act.Sum]*row{}, early: map[act.Sum][]ledger.Entry{}, answers: answers{}, blocked: map[act.PactID]bool{}, products: map[act.Number]*seen{}, consents: map[act.Digest]*consent{}, before: map[act.Digest][]act.Act{}, mandates: map[act.Digest]*mandate{}, visits: map[act.Digest]*visit{},
		disputed: map[act.Party]bool{}, owed: map[act.Digest]string{}, refused: map[act.Digest]bool{}, taken: map[string]bool{}}
}

func (v *view) size() int64 { return int64(len(v.acts)) }

// clone is a copy that goes its own way.
func (v *view) clone() *view {
	c := *v
	c.acts, c.sums, c.hashes = slices.Clip(v.acts), slices.Clip(v.sums), slices.Clip(v.hashes)
	c.from, c.to, c.early, c.before = clipped(v.from), clipped(v.to), clipped(v.early), clipped(v.before)
	c.persons, c.owed, c.refused, c.taken = maps.Clone(v.persons), maps.Clone(v.owed), maps.Clone(v.refused), maps.Clone(v.taken)
	c.via, c.blocked, c.disputed = maps.Clone(v.via), maps.Clone(v.blocked), maps.Clone(v.disputed)
	c.notified, c.told, c.clock = nested(v.notified), nested(v.told), maps.Clone(v.clock)
	c.answers = answers(nested(v.answers))
	c.rows, c.products = map[act.Sum]*row{}, map[act.Number]*seen{}
	for k, r := range v.rows {
		n := *r
		n.signed, n.notified, n.cancelled, n.readings, n.notices = maps.Clone(r.signed), maps.Clone(r.notified), maps.Clone(r.cancelled), maps.Clone(r.readings), slices.Clone(r.notices)
		n.answers = c.answers
		c.rows[k] = &n
	}
	for k, p := range v.products {
		n := *p
		n.home, n.refused = maps.Clone(p.home), maps.Clone(p.refused)
		c.products[k] = &n
	}
	c.consents, c.mandates, c.visits = copied(v.consents), copied(v.mandates), copied(v.visits)
	return &c
}

func nested[K, L comparable, E any](m map[K]map[L]E) map[K]map[L]E {
	c := make(map[K]map[L]E, len(m))
	for k, n := range m {
		c[k] = maps.Clone(n)
	}
	return c
}

func clipped[K comparable, E any](m map[K][]E) map[K][]E {
	c := make(map[K][]E, len(m))
	for k, l := range m {
		c[k] = slices.Clip(l)
	}
	return c
}

func copied[K comparable, E any](m map[K]*E) map[K]*E {
	c := make(map[K]*E, len(m))
	for k, e := range m {
		n := *e
		c[k] = &n
	}
	return c
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

// leads reports whether the ledger leads to a head.
func (v *view) leads(h act.Head) bool {
	have, ok := v.root(h.Size)
	return h.Size == 0 || ok && have == h
}

// look reads what a side's disk holds now, beside the node, and checks what
// has come since.
func (w *World) look(s *Side) { w.lookBy(s, "") }

// lookBy is look where what came last came by a channel.
func (w *World) lookBy(s *Side, channel string) {
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
		var all []ledger.Entry
		for e, err := range tx.Entries(v.size()) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		for i, e := range all {
			hs, err := tlog.StoredHashes(e.Index, e.Bytes, v)
			if err != nil {
				return err
			}
			v.hashes = append(v.hashes, hs...)
			v.acts, v.sums = append(v.acts, e.Act), append(v.sums, e.Digest)
			v.void, v.today = false, s.now()
			if i+1 < len(all) {
				w.answered(s, v, e, all[i+1], channel)
			}
			w.enter(s, v, e, channel, fresh)
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

// answered looks at the answer that follows a partner's act: one that refuses it for who
// signed it, or when, takes its effect away.
func (w *World) answered(s *Side, v *view, e, next ledger.Entry, channel string) {
	r, ok := next.Act.Body.(act.Refusal)
	if !ok || r.Act != e.Digest || next.Act.From != v.own || !r.Kept {
		return
	}
	w.judged(s, v, e.Act, e.Digest, channel, r.Because)
	article := r.Because[0].Article
	v.void = e.Act.Kind.Known() && (slices.Contains([]string{"act", "authorities", "third party", "reclassification"}, article) || article == "no pact" && e.Act.Kind != act.ProductReleased)
}

// refusedLater checks a refusal of an act that was not answered as it came.
func (w *World) refusedLater(s *Side, v *view, b act.Refusal) {
	i := slices.Index(v.sums, b.Act)
	if i < 0 || i == len(v.sums)-2 {
		return // it is looked at where its act is
	}
	a := v.acts[i]
	switch x := a.Body.(type) {
	case act.Release:
		p := v.products[x.Manifest.Number]
		v.unused(p, x, func() { w.judged(s, v, a, b.Act, "", b.Because) })
	case act.Asking:
		p := v.products[x.Number]
		lends := p != nil && p.from == v.own && slices.Contains(p.body.Manifest.Recipients, a.From) && p.body.Seal.Mode != string(seal.Released) && !p.destroyed
		if lends && !s.struck && !slices.Contains(s.rot, vault.Digest(p.body.Seal.Vault)) && s.keeps(p.body.Seal.Vault) {
			w.fail(43, "%s does not lend its share of %s, which it may", s, x.Number)
		}
	default:
		w.fail(43, "%s refuses an act (%s) that it had taken in", s, a.Kind)
	}
}

// enter checks one new entry against all before it, and folds it.
func (w *World) enter(s *Side, v *view, e ledger.Entry, channel string, old bool) {
	a := e.Act
	if a.From == v.own {
		if a.At.Before(v.last.Add(-catalogue.ClockSlack)) {
			w.fail(37, "%s entered %s at %s after an act of %s", s, a.Kind, a.At, v.last)
		}
		v.last = a.At
		for _, p := range a.To {
			v.to[p] = append(v.to[p], e.Digest)
		}
	} else {
		v.from[a.From] = append(v.from[a.From], e.Digest)
		if a.Kind.Home() {
			return
		}
		if v.void {
			w.hit("refused: a partner's act that has no effect")
			return
		}
		v.clock[a.From] = later(v.clock[a.From], a.At.Time)
	}
	if !a.Kind.Known() {
		w.hit("entry: a kind that nobody knows")
		for _, r := range v.rows {
			if a.Must && a.Pact == r.t.id && r.t.has(a.From) {
				v.blocked[a.Pact] = true
			}
		}
		return
	}
	if !old && a.From == v.own {
		w.hit("entry: " + string(a.Kind))
	}
	if b, ok := a.Body.(act.Refusal); ok && b.Kept && slices.Contains([]act.Kind{act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn}, b.Kind) {
		v.answers.add(b.Act, a.From, answer{a.At.Time, b.Because[0].Article})
	}
	if b, ok := a.Body.(act.Refusal); ok && a.From == v.own {
		delete(v.owed, b.Act)
		if v.refused[b.Act] {
			w.fail(28, "%s refused an act (%s) twice", s, b.Kind)
		}
		v.refused[b.Act] = true
		if w.refusedLater(s, v, b); !b.Kept {
			w.unread(s, v, a.To[0], b)
			v.from[a.To[0]] = append(v.from[a.To[0]], b.Act) // what could not be taken in has its place all the same
		}
	}
	switch b := a.Body.(type) {
	case act.Person:
		v.persons[b.Name] = b
	case act.Known:
		v.disputed[b.Card.Party] = false
	case act.Dispute:
		v.disputed[b.Party] = true
	case act.Routing:
		v.via[b.Party] = b.Via
	case act.Authority:
		tell := func(all map[act.Party]map[string]act.Authority, p act.Party) {
			if all[p] == nil {
				all[p] = map[string]act.Authority{}
			}
			all[p][b.Name] = b
		}
		if a.From != v.own {
			tell(v.told, a.From)
			break
		}
		for _, p := range a.To {
			tell(v.notified, p)
		}
	case act.Proposal:
		t := termsOf(catalogue.SumOf([]byte(b.Text)))
		if t == nil || a.Pact != t.id || !t.has(v.own) || !t.has(a.From) || v.rows[t.sum] != nil {
			return
		}
		v.rows[t.sum] = &row{t, map[act.Party]time.Time{}, map[act.Party]time.Time{}, map[act.Party]time.Time{}, nil, v.answers, map[act.Party]reading2{}}
		for _, step := range v.early[t.sum] {
			v.stepped(step)
		}
	case act.Step:
		v.stepped(e)
		w.signed(s, v, a, act.Signing)
	case act.Interpretation:
		v.stepped(e)
	case act.Consent:
		w.signed(s, v, a, act.Releasing)
		c := &consent{Consent: b, by: a.From, to: a.To, given: a.At.Time}
		v.consents[e.Digest] = c
		for _, user := range v.before[e.Digest] {
			if c.usedBy(user, v) {
				c.used++
			}
		}
	case act.Mandate:
		w.signed(s, v, a, act.Releasing)
		v.mandates[e.Digest] = &mandate{Mandate: b, by: a.By, given: a.At.Time}
	case act.Visit:
		w.signed(s, v, a, act.Signing)
		if len(a.To) == 1 {
			v.visits[e.Digest] = &visit{Visit: b, pact: a.Pact, by: a.From, host: a.To[0]}
		}
	case act.Approval:
		w.signed(s, v, a, act.Signing)
		if q := v.visits[b.Visit]; q != nil && q.host == a.From {
			q.approved = &b.Mark
		}
	case act.Withdrawal:
		v.withdrawn(a, b)
	case act.Medium:
		w.medium(s, v, a, b)
	case act.Waiting:
		v.waiting(a, b)
	default:
		w.enterProduct(s, v, e, channel)
	}
}

// withdrawn takes back what an act gave, or ends a visit.
func (v *view) withdrawn(a act.Act, b act.Withdrawal) {
	switch c, m, q := v.consents[b.Act], v.mandates[b.Act], v.visits[b.Act]; {
	case a.Kind == act.ConsentWithdrawn && c != nil && c.by == a.From:
		c.withdrawn = true
	case a.Kind == act.MandateWithdrawn && m != nil:
		m.withdrawn = true
	case a.Kind == act.VisitEnded && q != nil && q.ended == nil && (a.From == q.host || a.From == q.by):
		q.ended = &a.At.Time
	}
}

// medium checks that a medium is taken in once.
func (w *World) medium(s *Side, v *view, a act.Act, b act.Medium) {
	if a.Kind != act.MediumTaken || a.From != v.own {
		return
	}
	key := string(b.Party) + " " + b.Seal + " " + string(rune('0'+b.Medium))
	if v.taken[key] {
		w.fail(18, "%s took in medium %d under seal %s twice", s, b.Medium, b.Seal)
	}
	v.taken[key] = true
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

// stepped folds a step in the life of a pact, or a reading of it.
func (v *view) stepped(e ledger.Entry) {
	var sum act.Sum
	a := e.Act
	reading, isReading := a.Body.(act.Interpretation)
	if sum = reading.Text; !isReading {
		sum = a.Body.(act.Step).Text
	}
	r := v.rows[sum]
	if r == nil {
		if t := termsOf(sum); t != nil && t.id == a.Pact {
			v.early[sum] = append(v.early[sum], e)
		}
		return
	}
	if r.t.id != a.Pact || !r.t.has(a.From) {
		return
	}
	if isReading {
		if o, had := r.readings[a.From]; slices.Index(phases[:cancelled], reading.Phase) >= 0 && (!had || !a.At.Before(o.at)) {
			r.readings[a.From] = reading2{reading.Phase, a.At.Time}
		}
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
		r.notices = append(r.notices, notice{by: a.From, at: a.At.Time, act: e.Digest})
	case act.PactNoticeSuspended, act.PactNoticeWithdrawn:
		for i := len(r.notices) - 1; i >= 0; i-- {
			if n := &r.notices[i]; n.by == a.From && n.withdrawn == nil {
				at := a.At.Time
				if a.Kind == act.PactNoticeWithdrawn {
					n.withdrawn, n.withdrawal = &at, e.Digest
				} else if n.suspended == nil {
					n.suspended, n.suspension = &at, e.Digest
				}
				break
			}
		}
	}
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

// granted reports whether o approved a deed of user's with a product, or with what it is made
// of, and that is in time and not used up.
func (v *view) granted(user, o act.Party, deed string, to act.Party, purpose string, at time.Time, m *act.Manifest) bool {
	for _, c := range v.consents {
		if c.by == o && v.holds(c.Number, o) && slices.Contains(c.to, user) && c.Deed == deed && c.Recipient == to && c.Purpose == purpose && c.about(m) && !c.withdrawn && c.used < c.Uses && !at.Before(c.given) && at.Before(c.Until.Time) {
			return true
		}
	}
	return false
}

// usedBy reports whether an act of a partner's uses an approval up: one that was given to it, of
// this product or of what it is made of, for what the act does.
func (c *consent) usedBy(a act.Act, v *view) bool {
	switch b := a.Body.(type) {
	case act.Release:
		m := &b.Manifest
		return slices.Contains(c.to, a.From) && c.about(m) && c.Deed != "copy" && c.Purpose == m.Purpose && (c.Deed != "pass-on" || slices.Contains(m.Recipients, c.Recipient))
	case act.Opening:
		p := v.products[b.Number]
		return slices.Contains(c.to, a.From) && p != nil && c.about(&p.body.Manifest) && c.Deed == "purpose" && c.Purpose == b.Purpose
	}
	return false
}

// count counts the approvals that an act of a partner's uses up; of one that is not here
// yet, when it comes.
func (v *view) count(a act.Act, all []act.Digest) {
	seen := map[act.Digest]bool{}
	for _, d := range all {
		switch c := v.consents[d]; {
		case seen[d]:
		case c == nil:
			v.before[d] = append(v.before[d], a)
		case c.usedBy(a, v):
			c.used++
		}
		seen[d] = true
	}
}

// waiting has a release of a partner's wait for an approval that it names, or wait no more.
func (v *view) waiting(a act.Act, b act.Waiting) {
	p := v.products[b.Number]
	if p == nil || a.From != v.own || p.release != b.Act {
		return
	}
	if p.waits = len(b.For) > 0; p.waits {
		delete(v.owed, b.Act)
		return
	}
	r := p.act.Body.(act.Release)
	v.unused(p, r, func() { p.ok = v.allowed(p.act, r, b.Channel) })
}

// unused has a release judged again, without the use of approvals that it is itself.
func (v *view) unused(p *seen, r act.Release, judge func()) {
	step := func(n int) {
		for _, d := range r.Consents {
			if c := v.consents[d]; c != nil && c.usedBy(p.act, v) {
				c.used += n
			}
		}
	}
	from := p.from
	p.from = ""
	step(-1)
	judge()
	step(1)
	p.from = from
}

// about reports whether an approval names a product, or one that it is made of.
func (c *consent) about(m *act.Manifest) bool {
	return c.Number == m.Number || slices.ContainsFunc(m.Lineage, func(l act.Lineage) bool { return l.Of == c.Number })
}

// hosted lists the visits whose host we are: those that wait to be approved, and those that are.
func (v *view) hosted() (asked, approved []act.Digest) {
	for _, d := range order(v.visits) {
		switch q := v.visits[d]; {
		case q.host != v.own:
		case q.approved == nil:
			asked = append(asked, d)
		default:
			approved = append(approved, d)
		}
	}
	return asked, approved
}

// order lists what may be withdrawn or used, in an order that repeats.
func order[E any](m map[act.Digest]*E) (all []act.Digest) {
	for d := range m {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b act.Digest) int { return bytes.Compare(a[:], b[:]) })
	return all
}

func sorted(m map[act.Number]*seen) (all []act.Number) {
	for n := range m {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}
