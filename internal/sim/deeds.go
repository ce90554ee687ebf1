package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/memory"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/seal"
	"entente/vault"
)

// ops are all that can happen, in the order that seeds know.
var ops []op

func init() {
	ops = []op{
		{"exchange", 30, Linked, (*World).doExchange},
		{"connect", 6, Linked, (*World).doConnect},
		{"offer", 10, Linked, (*World).doOffer},
		{"deliver", 14, Linked, (*World).doDeliver},
		{"network", 10, Linked, (*World).doNetwork},
		{"fetch", 8, Linked, (*World).doFetch},
		{"follow", 4, nil, (*World).doFollow},
		{"release", 24, nil, (*World).doRelease},
		{"approve", 10, nil, (*World).doApprove},
		{"open", 20, nil, (*World).doOpen},
		{"deed", 14, nil, (*World).doDeed},
		{"consent", 12, nil, (*World).doConsent},
		{"mandate", 4, nil, (*World).doMandate},
		{"visit", 10, Two, (*World).doVisit},
		{"pact", 10, nil, (*World).doPact},
		{"amend", 16, Amends, (*World).doAmend},
		{"person", 4, nil, (*World).doPerson},
		{"letter", 3, nil, (*World).doLetter},
		{"wait", 10, nil, (*World).doWait},
		{"clock", 4, nil, (*World).doClock},
		{"fault", 12, nil, (*World).doFault},
		{"crash", 4, nil, (*World).doCrash},
		{"start", 16, nil, (*World).doStart},
		{"backup", 3, Two, (*World).doBackup},
		{"restore", 1, Two, (*World).doRestore},
		{"clone", 1, Two, (*World).doClone},
		{"rot", 1, nil, (*World).doRot},
		{"hostile", 40, Hostile, (*World).doHostile},
		{"write", 16, ByPouch, (*World).doWrite},
		{"absorb", 20, ByPouch, (*World).doAbsorb},
		{"post", 24, ByPouch, (*World).doPost},
		{"pouch", 18, ByPouch, (*World).doPouch},
		{"turn", 8, Turns, (*World).doTurn},
		{"pack", 14, ByCourier, (*World).doPack},
		{"take", 20, ByCourier, (*World).doTake},
		{"medium", 10, ByCourier, (*World).doMedium},
		{"hop", 40, Three, (*World).doHop},
		{"route", 8, Three, (*World).doRoute},
		{"tricks", 10, Three, (*World).doTricks},
		{"pass on", 16, Three, (*World).doPassOn},
	}
}

// Two reports whether a world has two nodes alone.
func Two(seed uint64) bool { return !Three(seed) }

// pair draws two sides that meet, of different parties: of each the first copy, or the other.
func (w *World) pair() (a, b *Side) {
	if len(w.parties) == 3 {
		x := pick(w.rnd, w.pairs()...)
		return x[0], x[1]
	}
	for _, s := range w.sides {
		if s.gone {
			continue
		}
		for i, t := range []**Side{&a, &b} {
			if s.index() == i && (*t == nil || w.rnd.IntN(2) == 0) {
				*t = s
			}
		}
	}
	return a, b
}

// aLink draws a link that stands, or makes one.
func (w *World) aLink() (*link, error) { return w.linked(w.pair()) }

func (w *World) doConnect() string {
	err := w.connect(w.pair())
	return text(err)
}

func (w *World) doExchange() string {
	if len(w.parties) == 3 && w.rnd.IntN(3) > 0 {
		var all []string
		for _, x := range w.pairs() {
			l, err := w.linked(x[0], x[1])
			if err == nil {
				err = w.exchange(l, 3+w.rnd.IntN(10))
			}
			all = append(all, text(err))
		}
		return strings.Join(all, ", ")
	}
	l, err := w.aLink()
	if err != nil {
		return text(err)
	}
	return text(w.exchange(l, 3+w.rnd.IntN(10)))
}

func (w *World) doOffer() string {
	l, err := w.aLink()
	if err != nil {
		return text(err)
	}
	return text(w.offer(l, w.rnd.IntN(2)))
}

func (w *World) doDeliver() string {
	l := w.links[pairOf(w.pair())]
	if l == nil {
		return "no link"
	}
	i := w.rnd.IntN(2)
	if len(l.ends[i].in) == 0 {
		i = 1 - i
	}
	if len(l.ends[i].in) == 0 {
		return "nothing is under way"
	}
	return text(w.deliver(l, i, 0))
}

// doNetwork is what a network does to messages under way, and to links.
func (w *World) doNetwork() string {
	a, b := w.pair()
	switch what := pick(w.rnd, "drop", "duplicate", "reorder", "cut", "one-way cut", "heal", "heal", "flap", "corrupt"); what {
	case "cut":
		w.cut[a.index()], w.cut[b.index()] = true, true
		w.unlink(a)
		w.unlink(b)
		w.hit("network: cut")
		return what
	case "one-way cut":
		i := w.rnd.IntN(len(w.parties))
		w.cut[i] = true
		w.hit("network: one-way cut")
		return fmt.Sprint(what, " from ", parties[i])
	case "heal":
		w.cut = [3]bool{}
		return what
	case "flap":
		w.hit("network: flap")
		for range 3 {
			_ = w.connect(a, b)
		}
		return what
	default:
		l := w.links[pairOf(a, b)]
		if l == nil {
			return "no link"
		}
		i := w.rnd.IntN(2)
		e := l.ends[i]
		if len(e.in) == 0 {
			return "nothing is under way"
		}
		w.hit("network: " + what)
		m := e.in[0]
		switch what {
		case "drop", "corrupt": // TLS notices both, and ends
			w.links[l.place()] = nil
		case "duplicate":
			if m.del != nil {
				m.dup = true
				e.in = append(e.in, m)
			}
		case "reorder":
			return what + ": " + text(w.deliver(l, i, len(e.in)-1))
		}
		return what
	}
}

func (w *World) doFetch() string {
	a, b := w.pair()
	if w.rnd.IntN(2) == 0 {
		a, b = b, a
	}
	if !a.up() || !b.up() {
		return "no link"
	}
	if _, err := w.linked(a, b); err != nil {
		return "no link"
	}
	cutAt, flip := -1, -1
	switch w.rnd.IntN(4) {
	case 0:
		cutAt = 1 + w.rnd.IntN(4)
	case 1:
		flip = 1 + w.rnd.IntN(3)
	}
	n, err := w.fetch(a, b, func(i int, p []byte) error {
		if i == cutAt {
			w.hit("network: content is cut short")
			return syscall.ECONNRESET
		}
		if i == flip && len(p) > 10 {
			w.hit("network: a byte of content is changed")
			p[len(p)/2] ^= 1
		}
		return nil
	})
	if n > 0 {
		w.hit("recovery: content is fetched after its act")
	}
	return fmt.Sprint(a, " fetched ", n, ", ", text(err))
}

func (w *World) doFollow() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	_, err := s.n.Step(w.ctx)
	if err != nil {
		w.told(s, err)
	}
	return fmt.Sprint(s, " ", text(err))
}

// slow is content that is read while something else happens.
type slow struct {
	io.Reader
	once func()
}

// Read implements io.Reader.
func (s *slow) Read(p []byte) (int, error) {
	if f := s.once; f != nil {
		s.once = nil
		f()
	}
	return s.Reader.Read(p)
}

func (w *World) doRelease() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	size := 40 + w.rnd.IntN(400)
	switch w.rnd.IntN(60) {
	case 0:
		size = 1<<20 + w.rnd.IntN(1<<20)
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13:
		size = 66<<10 + w.rnd.IntN(4<<10)
	}
	if ByCourier(w.seed) && w.rnd.IntN(4) == 0 {
		size = 66<<10 + w.rnd.IntN(4<<10)
	}
	if !Linked(w.seed) && w.rnd.IntN(25) == 0 { // more than one parcel holds
		size = 5<<20 + w.rnd.IntN(1<<20)
	}
	seldom := func(usual, other string) string {
		if w.rnd.IntN(12) == 0 {
			return other
		}
		return usual
	}
	d := release.Draft{
		As: pick(w.rnd, "officer", "officer", "officer", "officer", "second", "second", "analyst"), Title: "a report", Kind: "report",
		Subject: seldom("defence", "weather"), Form: seldom("electronic", "oral"), Purpose: seldom(pick(w.rnd, "threat-assessment", "missile-warning"), "sport"),
		Language: "en", Mark: marks[s.party][pick(w.rnd, 0, 0, 0, 0, 1, 1, 1, 2)], MediaType: "text/plain", Mode: seal.Released,
	}
	d.Pact, d.To = w.to(s)
	if w.rnd.IntN(5) == 0 {
		d.Mode = seal.OriginatorControlled
	}
	if w.rnd.IntN(15) == 0 {
		d.Caveats = []string{"no copy"}
	}
	w.madeFrom(s, &d)
	w.underMandate(s, &d)
	return w.release(s, d, size)
}

// release has a draft released, with content that is found again.
func (w *World) release(s *Side, d release.Draft, size int) string {
	line := fmt.Sprintf(canary+"%016x-%016x", w.rnd.Uint64(), w.rnd.Uint64())
	b := bytes.Repeat([]byte(line+"\n"), size/len(line)+1)[:max(size, len(line))]
	w.tried[sum(b)] = true
	if size > 64<<10 && w.rnd.IntN(6) == 0 { // something fails while it is staged and kept
		s.armed = append(s.armed, fault{pick(w.rnd, memory.Stage, memory.Write, memory.Write, memory.Keep, memory.Kept), 0, pick(w.rnd, errPower, errDisk)})
	}
	content := &slow{Reader: bytes.NewReader(b)}
	if w.rnd.IntN(5) == 0 && !w.busy {
		content.once = func() { w.meanwhile(s) }
	}
	slip, err := s.n.Release.Release(w.ctx, d, content)
	if s.power {
		return "the power went"
	}
	if err != nil {
		w.told(s, err)
		w.refusedInLedger(s, err, act.ReleaseDenied)
		w.refused(s, err, s.ofRelease(d, "", d.As, ""))
		return fmt.Sprint(s, " ", err)
	}
	w.released[slip.Number] = &paper{sum(b), s.party}
	w.shownRelease(s, slip)
	return fmt.Sprint(s, " ", slip.Number, " entry ", slip.Entry, " waits ", slip.Waits, " ", d.Mode, " ", len(b), " bytes to ", slip.To, " under ", d.Pact)
}

// to draws the pact of a release, and its recipients.
func (w *World) to(s *Side) (act.PactID, []act.Party) {
	switch {
	case !Three(w.seed):
		return pactID, nil
	case s.party == "US":
		return pick(w.rnd, passingID, blindID), []act.Party{s.other()}
	}
	switch w.rnd.IntN(8) {
	case 0, 1, 2:
		return blindID, []act.Party{s.neighbour()}
	case 3, 4:
		return passingID, []act.Party{"US"}
	case 5:
		return pick(w.rnd, blindID, passingID), pick(w.rnd, nil, []act.Party{s.neighbour()}, []act.Party{"US"})
	}
	return pactID, nil
}

// madeFrom has a draft made from products that are here, now and then.
func (w *World) madeFrom(s *Side, d *release.Draft) {
	if w.rnd.IntN(4) > 0 {
		return
	}
	all := w.held(s, func(cu product.Custody) bool { return cu.From != "" })
	least := 0
	for range 1 + w.rnd.IntN(2) {
		if len(all) == 0 {
			return
		}
		cu := pick(w.rnd, all...)
		d.Lineage = append(d.Lineage, act.Lineage{Of: cu.Manifest.Number, How: pick(w.rnd, "excerpt", "translation", "assessment", "answer")})
		if w.rnd.IntN(6) > 0 {
			d.Purpose = cu.Manifest.Purpose
		}
		for _, c := range order(s.view.consents) {
			if c := s.view.consents[c]; c.by != s.party && c.about(&cu.Manifest) && (c.Deed == "purpose" || c.Deed == "pass-on") {
				d.Purpose = c.Purpose
			}
		}
		m, _ := cu.Mark(&cu.Manifest)
		least = max(least, rank(m))
	}
	if w.rnd.IntN(5) > 0 && least > 0 {
		d.Mark = marks[s.party][least-1]
	}
}

// underMandate has a draft claim a mandate, now and then, and mostly one that covers it.
func (w *World) underMandate(s *Side, d *release.Draft) {
	all := order(s.view.mandates)
	if len(all) == 0 || w.rnd.IntN(3) > 0 {
		return
	}
	n := pick(w.rnd, all...)
	m := s.view.mandates[n]
	d.Mandate = &n
	if w.rnd.IntN(5) > 0 {
		d.Pact, d.Kind, d.Subject, d.Purpose, d.Mark = m.Pact, m.Kind, m.Subject, m.Purpose, m.Mark.Text
		if d.Pact == pactID {
			d.To = nil
		}
	}
}

// meanwhile is what happens while content is read.
func (w *World) meanwhile(s *Side) {
	w.busy = true
	defer func() { w.busy = false }()
	w.hit("recovery: the facts change while content is sealed")
	switch w.rnd.IntN(5) {
	case 0:
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(400*24)) * time.Hour)
	case 1:
		_ = w.person(s, "officer", true, false)
	case 2:
		_ = s.n.Chancery.Step(w.ctx, act.PactNotice, pactID, original.sum, "", "officer")
	case 3:
		_ = s.n.Chancery.Read(w.ctx, pactID, original.sum, pact.Terminated, "", "officer")
	case 4:
		if l, err := w.aLink(); err == nil {
			_ = w.exchange(l, 3)
		}
	}
}

// held reads the products that s has, of its own and of the partner's.
func (w *World) held(s *Side, f func(product.Custody) bool) (all []product.Custody) {
	if at := s.disk.Rows(); s.heldAt != at {
		s.heldAt, s.held = at, nil
		_ = read(s.disk, func(tx *ledger.Tx) error {
			c := catalogue.Catalogue{Own: s.party}
			for cu, err := range c.Products(tx) {
				if err != nil {
					return err
				}
				s.held = append(s.held, cu)
			}
			return nil
		})
	}
	for _, cu := range s.held {
		if f(cu) {
			all = append(all, cu)
		}
	}
	return all
}

func (w *World) doApprove() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	drafts := w.held(s, func(cu product.Custody) bool { return cu.Asked != nil && cu.From == "" })
	if len(drafts) == 0 {
		return "no draft waits"
	}
	n := pick(w.rnd, drafts...).Manifest.Number
	as := pick(w.rnd, "officer", "second", "second", "second", "analyst")
	slip, err := s.n.Release.Approve(w.ctx, n, as)
	if s.power {
		return "the power went"
	}
	if err != nil {
		w.told(s, err)
		w.refusedInLedger(s, err, act.ReleaseDenied)
		if p := s.view.products[n]; p != nil {
			drafter, _, _ := strings.Cut(p.drafter, "@")
			w.refused(s, err, s.ofRelease(release.DraftOf(&p.body.Manifest, as, nil), n, as, drafter))
		}
		return fmt.Sprint(s, " ", n, " ", err)
	}
	w.hit("people: a second person releases")
	w.shownRelease(s, slip)
	return fmt.Sprint(s, " ", n, " entry ", slip.Entry)
}

func (w *World) doOpen() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	all := w.held(s, func(product.Custody) bool { return true })
	if len(all) == 0 {
		return "nothing is here"
	}
	cu, given := w.consented(s, pick(w.rnd, all...), "purpose")
	n := cu.Manifest.Number
	as := pick(w.rnd, "analyst", "analyst", "analyst", "analyst", "junior", "junior", "clerk", "officer", "admin", "nobody")
	purpose := pick(w.rnd, "", "", "threat-assessment", "missile-warning", "missile-warning", "sport")
	if given != nil && w.rnd.IntN(4) > 0 {
		as, purpose = "analyst", given.Purpose
	}
	return fmt.Sprint(s, " ", n, " as ", as, " for ", purpose, ": ", w.open(s, n, as, purpose))
}

func (w *World) open(s *Side, n act.Number, as, purpose string) string {
	o, err := s.n.Reading.Open(w.ctx, n, as, purpose)
	if s.power {
		return "the power went"
	}
	if err != nil {
		w.told(s, err)
		if errors.Is(err, reading.ErrAsked) {
			w.hit("people: the originator is asked for its share")
		}
		w.refusedInLedger(s, err, act.OpeningDenied)
		w.refused(s, err, s.ofDeed(n, reading.Deed{As: as, Deed: "read", Purpose: purpose}))
		return err.Error()
	}
	defer o.Close()
	var b bytes.Buffer
	if _, err := o.WriteTo(&b); err != nil {
		w.told(s, err)
		if !repeats(b.Bytes()) {
			w.fail(14, "%s: %d bytes of a damaged product were shown", n, b.Len())
		} else if b.Len() > 0 {
			w.hit("recovery: what stands before the damage is shown, and the reader told")
		}
		return err.Error()
	}
	w.hit("people: a product is read")
	w.shownContent(s, n, as, b.Bytes())
	return fmt.Sprint(b.Len(), " bytes")
}

// repeats reports whether bytes say one line again and again, as all content here does.
func repeats(b []byte) bool {
	n := bytes.IndexByte(b, '\n') + 1
	for i := n; n > 0 && i < len(b); i++ {
		if b[i] != b[i-n] {
			return false
		}
	}
	return n > 0 || len(b) == 0
}

// consented is, half of the time, a product about which the partner approved a
// deed, where there is one: people use what they asked for.
func (w *World) consented(s *Side, cu product.Custody, deed string) (product.Custody, *consent) {
	for _, d := range order(s.view.consents) {
		c := s.view.consents[d]
		if c.by == s.party || c.Deed != deed || w.rnd.IntN(2) == 0 {
			continue
		}
		for _, o := range w.held(s, func(o product.Custody) bool { return c.about(&o.Manifest) && o.Manifest.Originator != c.by }) {
			return o, c
		}
	}
	return cu, nil
}

func (w *World) doDeed() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	all := w.held(s, func(cu product.Custody) bool { return cu.From != "" })
	if len(all) == 0 {
		return "nothing is here"
	}
	cu, given := w.consented(s, pick(w.rnd, all...), "copy")
	d := reading.Deed{Deed: pick(w.rnd, "copy", "copy", "copy", "destroy", "downgrade", "downgrade")}
	if given != nil && w.rnd.IntN(4) > 0 {
		d.Deed = "copy"
	}
	if large := w.held(s, func(cu product.Custody) bool { return cu.From != "" && cu.Seal.Size > vault.Inline }); d.Deed == "destroy" && len(large) > 0 && w.rnd.IntN(3) > 0 {
		cu = pick(w.rnd, large...)
	}
	switch d.Deed {
	case "copy":
		d.As, d.Holder, d.Reason, d.Purpose = pick(w.rnd, "analyst", "analyst", "analyst", "junior"), "desk 1", "work", cu.Manifest.Purpose
	case "destroy":
		if cu.Manifest.Originator == s.party && len(cu.Received)+len(cu.Refused) < len(cu.Manifest.Recipients) {
			return "it is on its way" // a known gap: see docs/reliability.md
		}
		if cu.Seal.Size > vault.Inline && w.rnd.IntN(4) > 0 { // the bytes stay behind
			s.armed = append(s.armed, fault{memory.Remove, 0, pick(w.rnd, errPower, errDisk)})
		}
		d.As, d.Method = pick(w.rnd, "registrar", "registrar", "registrar", "analyst"), pick(w.rnd, "burn", "burn", "burn", "erase", "shred", "eat")
	case "downgrade":
		d.As, d.Mark = "officer", marks[s.party][0]
	}
	_, err := s.n.Reading.Do(w.ctx, cu.Manifest.Number, d)
	if s.power {
		return "the power went"
	}
	if err != nil {
		w.told(s, err)
		w.refusedInLedger(s, err, act.OpeningDenied)
		w.refused(s, err, s.ofDeed(cu.Manifest.Number, d))
	} else {
		w.hit("people: " + d.Deed)
		if d.Deed == "copy" && w.rnd.IntN(2) == 0 { // and another one
			_, err = s.n.Reading.Do(w.ctx, cu.Manifest.Number, d)
			w.look(s)
			w.refused(s, err, s.ofDeed(cu.Manifest.Number, d))
		}
	}
	return fmt.Sprint(s, " ", d.Deed, " ", cu.Manifest.Number, " as ", d.As, ": ", text(err))
}

func (w *World) doConsent() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	if w.rnd.IntN(6) == 0 {
		given := order(s.view.consents)
		if len(given) == 0 {
			return "nothing was approved"
		}
		d := pick(w.rnd, given...)
		err := s.n.Chancery.Withdraw(w.ctx, d, "", "officer")
		if err == nil {
			w.hit("people: an approval is withdrawn")
		} else {
			w.told(s, err)
		}
		return fmt.Sprint(s, " withdraws ", d, ": ", text(err))
	}
	all := w.held(s, func(cu product.Custody) bool { return cu.From == s.party && len(cu.Received) > 0 })
	if len(all) == 0 || w.rnd.IntN(8) == 0 {
		all = w.held(s, func(cu product.Custody) bool { return cu.From == s.party })
	}
	if len(all) == 0 {
		return "nothing was released"
	}
	cu := pick(w.rnd, all...)
	if w.rnd.IntN(4) == 0 {
		err := s.n.Release.Lend(w.ctx, cu.Manifest.Number, s.other(), s.now().Add(time.Duration(w.rnd.IntN(48))*time.Hour), "officer")
		if err != nil {
			w.told(s, err)
		} else {
			w.hit("people: a share is lent")
		}
		return fmt.Sprint(s, " lends ", cu.Manifest.Number, ": ", text(err))
	}
	c := act.Consent{Number: cu.Manifest.Number, Deed: pick(w.rnd, "copy", "purpose"), Purpose: cu.Manifest.Purpose, Until: act.MomentOf(s.now().Add(time.Duration(1+w.rnd.IntN(3000)) * time.Hour)), Uses: 1 + w.rnd.IntN(5)/4}
	if Three(w.seed) && w.rnd.IntN(2) == 0 {
		c.Deed, c.Recipient = "pass-on", s.other()
	}
	if c.Deed == "purpose" && c.Purpose == "threat-assessment" {
		c.Purpose = "missile-warning"
	} else if c.Deed == "purpose" {
		c.Purpose = "threat-assessment"
	}
	_, err := s.n.Chancery.Consent(w.ctx, c, "officer")
	if err != nil {
		w.told(s, err)
	} else {
		w.hit("people: an approval is given")
	}
	return fmt.Sprint(s, " approves ", c.Deed, " of ", c.Number, ": ", text(err))
}
