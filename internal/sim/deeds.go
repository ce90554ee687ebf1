package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
		{"exchange", 30, ByLink, (*World).doExchange},
		{"connect", 6, ByLink, (*World).doConnect},
		{"offer", 10, ByLink, (*World).doOffer},
		{"deliver", 14, ByLink, (*World).doDeliver},
		{"network", 10, ByLink, (*World).doNetwork},
		{"fetch", 8, ByLink, (*World).doFetch},
		{"follow", 4, nil, (*World).doFollow},
		{"release", 24, nil, (*World).doRelease},
		{"approve", 10, nil, (*World).doApprove},
		{"open", 20, nil, (*World).doOpen},
		{"deed", 14, nil, (*World).doDeed},
		{"consent", 9, nil, (*World).doConsent},
		{"pact", 10, nil, (*World).doPact},
		{"person", 4, nil, (*World).doPerson},
		{"letter", 3, nil, (*World).doLetter},
		{"wait", 10, nil, (*World).doWait},
		{"clock", 3, nil, (*World).doClock},
		{"fault", 8, nil, (*World).doFault},
		{"crash", 4, nil, (*World).doCrash},
		{"start", 16, nil, (*World).doStart},
		{"backup", 3, nil, (*World).doBackup},
		{"restore", 1, nil, (*World).doRestore},
		{"clone", 1, nil, (*World).doClone},
		{"rot", 1, nil, (*World).doRot},
		{"hostile", 40, Hostile, (*World).doHostile},
		{"write", 16, ByParcels, (*World).doWrite},
		{"absorb", 20, ByParcels, (*World).doAbsorb},
		{"post", 24, ByParcels, (*World).doPost},
		{"pouch", 18, ByParcels, (*World).doPouch},
		{"turn", 8, Turns, (*World).doTurn},
	}
}

// pair draws the two sides that meet: of each party the first copy, or the other.
func (w *World) pair() (a, b *Side) {
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

func (w *World) doConnect() string {
	err := w.connect(w.pair())
	return text(err)
}

func (w *World) doExchange() string {
	if w.link == nil {
		if err := w.connect(w.pair()); err != nil {
			return text(err)
		}
	}
	return text(w.exchange(3 + w.rnd.IntN(10)))
}

func (w *World) doOffer() string {
	if w.link == nil {
		return text(w.connect(w.pair()))
	}
	return text(w.offer(w.rnd.IntN(2)))
}

func (w *World) doDeliver() string {
	if w.link == nil {
		return "no link"
	}
	i := w.rnd.IntN(2)
	if len(w.link.ends[i].in) == 0 {
		i = 1 - i
	}
	if len(w.link.ends[i].in) == 0 {
		return "nothing is under way"
	}
	return text(w.deliver(i, 0))
}

// doNetwork is what a network does to messages under way, and to links.
func (w *World) doNetwork() string {
	switch what := pick(w.rnd, "drop", "duplicate", "reorder", "cut", "one-way cut", "heal", "heal", "flap", "corrupt"); what {
	case "cut":
		w.cut = [2]bool{true, true}
		w.link = nil
		w.hit("network: cut")
		return what
	case "one-way cut":
		i := w.rnd.IntN(2)
		w.cut[i] = true
		w.hit("network: one-way cut")
		return fmt.Sprint(what, " from ", parties[i])
	case "heal":
		w.cut = [2]bool{}
		return what
	case "flap":
		w.hit("network: flap")
		for range 3 {
			_ = w.connect(w.pair())
		}
		return what
	default:
		if w.link == nil {
			return "no link"
		}
		i := w.rnd.IntN(2)
		e := w.link.ends[i]
		if len(e.in) == 0 {
			return "nothing is under way"
		}
		w.hit("network: " + what)
		m := e.in[0]
		switch what {
		case "drop", "corrupt": // TLS notices both, and ends
			w.link = nil
		case "duplicate":
			if m.del != nil {
				m.dup = true
				e.in = append(e.in, m)
			}
		case "reorder":
			return what + ": " + text(w.deliver(i, len(e.in)-1))
		}
		return what
	}
}

func (w *World) doFetch() string {
	a, b := w.pair()
	if w.rnd.IntN(2) == 0 {
		a, b = b, a
	}
	if !a.up() || !b.up() || w.link == nil && w.connect(a, b) != nil {
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
	case 1, 2, 3, 4, 5, 6:
		size = 66<<10 + w.rnd.IntN(4<<10)
	}
	if ByParcels(w.seed) && w.rnd.IntN(25) == 0 { // more than one parcel holds
		size = 5<<20 + w.rnd.IntN(1<<20)
	}
	canary := fmt.Sprintf("canary-%016x-%016x", w.rnd.Uint64(), w.rnd.Uint64())
	b := bytes.Repeat([]byte(canary+"\n"), size/len(canary)+1)[:max(size, len(canary))]
	seldom := func(usual, other string) string {
		if w.rnd.IntN(12) == 0 {
			return other
		}
		return usual
	}
	d := release.Draft{
		As: pick(w.rnd, "officer", "officer", "officer", "officer", "second", "second", "analyst"), Pact: pactID, Title: "a report", Kind: "report",
		Subject: seldom("defence", "weather"), Form: seldom("electronic", "oral"), Purpose: seldom(pick(w.rnd, "threat-assessment", "missile-warning"), "sport"),
		Language: "en", Mark: marks[s.party][pick(w.rnd, 0, 0, 0, 0, 1, 1, 1, 2)], MediaType: "text/plain", Mode: seal.Released,
	}
	if w.rnd.IntN(5) == 0 {
		d.Mode = seal.OriginatorControlled
	}
	w.tried[sum(b)] = true
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
		return fmt.Sprint(s, " ", err)
	}
	w.released[slip.Number] = &paper{sum(b), s.party}
	w.shownRelease(s, slip)
	return fmt.Sprint(s, " ", slip.Number, " entry ", slip.Entry, " waits ", slip.Waits, " ", d.Mode, " ", len(b), " bytes")
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
		_ = s.n.Chancery.Step(w.ctx, act.PactNotice, pactID, pactSum, "", "officer")
	case 3:
		_ = s.n.Chancery.Read(w.ctx, pactID, pactSum, pact.Terminated, "", "officer")
	case 4:
		if w.link != nil {
			_ = w.exchange(3)
		}
	}
}

// held reads the products that s has, of its own and of the partner's.
func (w *World) held(s *Side, f func(product.Custody) bool) (all []product.Custody) {
	_ = read(s.disk, func(tx *ledger.Tx) error {
		c := catalogue.Catalogue{Own: s.party}
		for cu, err := range c.Products(tx) {
			if err != nil {
				return err
			}
			if f(cu) {
				all = append(all, cu)
			}
		}
		return nil
	})
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
	cu := w.approved(s, pick(w.rnd, all...), "purpose")
	n := cu.Manifest.Number
	as := pick(w.rnd, "analyst", "analyst", "analyst", "analyst", "junior", "junior", "clerk", "officer", "admin", "nobody")
	purpose := pick(w.rnd, "", "", "threat-assessment", "missile-warning", "missile-warning", "sport")
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
		return err.Error()
	}
	defer o.Close()
	var b bytes.Buffer
	if _, err := o.WriteTo(&b); err != nil {
		w.told(s, err)
		if b.Len() > 0 {
			w.fail(14, "%s: %d bytes of a damaged product were shown", n, b.Len())
		}
		return err.Error()
	}
	w.hit("people: a product is read")
	w.shownContent(s, n, as, b.Bytes())
	return fmt.Sprint(b.Len(), " bytes")
}

// approved is, half of the time, a product about which the partner approved a
// deed, where there is one: people use what they asked for.
func (w *World) approved(s *Side, cu product.Custody, deed string) product.Custody {
	for _, d := range s.view.order() {
		c := s.view.consents[d]
		if c.by == s.party || c.Deed != deed || w.rnd.IntN(2) == 0 {
			continue
		}
		for _, o := range w.held(s, func(o product.Custody) bool { return o.Manifest.Number == c.Number }) {
			return o
		}
	}
	return cu
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
	cu := w.approved(s, pick(w.rnd, all...), "copy")
	d := reading.Deed{Deed: pick(w.rnd, "copy", "copy", "copy", "destroy", "downgrade", "downgrade")}
	switch d.Deed {
	case "copy":
		d.As, d.Holder, d.Reason, d.Purpose = pick(w.rnd, "analyst", "junior"), "desk 1", "work", cu.Manifest.Purpose
	case "destroy":
		if cu.Manifest.Originator == s.party && len(cu.Received)+len(cu.Refused) == 0 {
			return "it is on its way" // a known gap: see docs/reliability.md
		}
		d.As, d.Method = pick(w.rnd, "registrar", "registrar", "analyst"), pick(w.rnd, "burn", "burn", "eat")
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
	} else {
		w.hit("people: " + d.Deed)
		if d.Deed == "copy" && w.rnd.IntN(2) == 0 { // and another one
			_, err = s.n.Reading.Do(w.ctx, cu.Manifest.Number, d)
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
		given := s.view.order()
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
	c := act.Consent{Number: cu.Manifest.Number, Deed: pick(w.rnd, "copy", "copy", "purpose"), Purpose: cu.Manifest.Purpose, Until: act.MomentOf(s.now().Add(time.Duration(1+w.rnd.IntN(3000)) * time.Hour)), Uses: 1 + w.rnd.IntN(5)/4}
	if c.Deed == "purpose" {
		c.Purpose = pick(w.rnd, "threat-assessment", "missile-warning")
	}
	_, err := s.n.Chancery.Consent(w.ctx, c, "officer")
	if err != nil {
		w.told(s, err)
	} else {
		w.hit("people: an approval is given")
	}
	return fmt.Sprint(s, " approves ", c.Deed, " of ", c.Number, ": ", text(err))
}

func (w *World) doPact() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	var err error
	what := ""
	r := s.view.row(pactSum)
	switch {
	case r == nil:
		what = "propose"
		_, err = s.n.Chancery.Propose(w.ctx, pactText, "officer")
	case w.rnd.IntN(8) == 0:
		phase := pick(w.rnd, pact.Active, pact.Active, pact.NoticeSuspended, pact.Terminated)
		what = "read as " + string(phase)
		err = s.n.Chancery.Read(w.ctx, pactID, pactSum, phase, "", pick(w.rnd, "officer", "officer", "second"))
	default:
		steps := []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactSigned, act.PactSigned, act.PactNotified, act.PactNotified, act.PactNotified, act.PactNotified}
		if w.rnd.IntN(6) == 0 {
			steps = []act.Kind{act.PactCancelled}
		}
		if len(r.signed) == 2 && len(r.notified) == 2 {
			steps = []act.Kind{act.PactNotice, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactNoticeWithdrawn, act.PactSigned}
		}
		k := pick(w.rnd, steps...)
		what = string(k)
		err = s.n.Chancery.Step(w.ctx, k, pactID, pactSum, "", pick(w.rnd, "officer", "officer", "officer", "second"))
	}
	if err != nil {
		w.told(s, err)
	} else if !s.power {
		w.hit("people: " + strings.Split(what, " as ")[0])
	}
	return fmt.Sprint(s, " ", what, ": ", text(err))
}

// person changes what one of s's people may do.
func (w *World) person(s *Side, name string, left, expires bool) error {
	for _, p := range staff(s.party, w.began.AddDate(4, 0, 0)) {
		if p.Name == name {
			p.Left, p.Until = left, act.MomentOf(later(p.Until.Time, s.now().AddDate(1, 0, 0)))
			if expires {
				p.Until = act.MomentOf(s.now().Add(time.Duration(w.rnd.IntN(72)) * time.Hour))
			}
			return s.n.Enrol(w.ctx, p)
		}
	}
	return errNobody
}

func (w *World) doPerson() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	name := pick(w.rnd, "officer", "second", "analyst", "junior")
	left, expires := w.rnd.IntN(5) == 0, w.rnd.IntN(3) == 0
	err := w.person(s, name, left, expires)
	if err != nil {
		w.told(s, err)
	} else if left {
		w.hit("people: somebody leaves")
	} else if expires {
		w.hit("people: a clearance is to expire")
	}
	return fmt.Sprint(s, " ", name, " left ", left, " expires ", expires, ": ", text(err))
}

func (w *World) doLetter() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	var open []catalogue.Open
	_ = read(s.disk, func(tx *ledger.Tx) (err error) { open, err = (&catalogue.Catalogue{}).Open(tx); return err })
	for _, o := range open {
		if o.To == s.party {
			_, err := s.n.Chancery.Acknowledge(w.ctx, o.Act, "officer")
			if err == nil {
				w.hit("people: a notice of law is acknowledged")
			}
			return fmt.Sprint(s, " acknowledges: ", text(err))
		}
	}
	_, err := s.n.Chancery.State(w.ctx, pactID, act.LawNotified, act.LawNotice{Text: "a law changed"}, s.other(), "officer")
	return fmt.Sprint(s, " notifies a law: ", text(err))
}

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
	switch w.rnd.IntN(6) {
	case 0:
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
	} else if f.op == memory.Write {
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
	s := pick(w.rnd, w.sides[:2]...)
	if s.backup == nil || s.doubt || len(w.sides) > 2 || w.hostile != nil {
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
	s := pick(w.rnd, w.sides[:2]...)
	if len(w.sides) > 2 || s.doubt || w.hostile != nil {
		return "not now"
	}
	c := w.side(s.party, 0, s.disk.Copy())
	c.copy, c.view, c.doubt, s.doubt = 1, s.view.clone(), true, true
	c.rot = slices.Clone(s.rot)
	c.dir += "'"
	c.disk.Crash(nil)
	w.hit("fault: a folder is run twice")
	return fmt.Sprint(c, ": ", text(c.start()))
}

// doRot changes a byte of a kept object.
func (w *World) doRot() string {
	s := pick(w.rnd, w.sides[:2]...)
	var all []vault.Digest
	for d := range s.disk.Copy().Vault().List(w.ctx) {
		all = append(all, d)
	}
	if len(all) == 0 {
		return "nothing is kept"
	}
	d := pick(w.rnd, all...)
	for _, r := range s.rot {
		if r == d {
			return "it is damaged already"
		}
	}
	s.disk.Rot(d)
	s.rot = append(s.rot, d)
	w.hit("fault: a byte of an object is changed")
	return fmt.Sprintf("%s %.16s", s, d)
}
