package pact

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"entente/act"
)

// Phase is where a pact stands.
type Phase string

// The phases (R52).
const (
	Proposed        Phase = "proposed"
	Initialled      Phase = "initialled"
	Approved        Phase = "approved"
	Signed          Phase = "signed"
	Notified        Phase = "notified" // by some of the parties
	Provisional     Phase = "applied-provisionally"
	Active          Phase = "in-force"
	NoticeGiven     Phase = "notice-given"
	NoticeSuspended Phase = "notice-suspended"
	Terminated      Phase = "terminated"
	Cancelled       Phase = "cancelled"
)

// Transfers reports whether new products may move in this phase. Protection
// of what was received never depends on it.
func (p Phase) Transfers() bool {
	return p == Provisional || p == Active || p == NoticeGiven || p == NoticeSuspended
}

// Phases in force, from the freest to the strictest.
var strict = []Phase{Active, Provisional, NoticeGiven, NoticeSuspended, Terminated}

// ParsePhase reads the name of a phase that a party can declare its reading to be.
func ParsePhase(s string) (Phase, bool) { return Phase(s), slices.Contains(strict, Phase(s)) }

// Life is a fold of the acts of a pact's life. For each step it keeps when each
// party took it first, so that the order in which acts of different parties
// arrive does not matter.
type Life struct {
	Proposed   map[act.Party]act.Moment `json:"proposed,omitempty"`
	Initialled map[act.Party]act.Moment `json:"initialled,omitempty"`
	Approved   map[act.Party]act.Moment `json:"approved,omitempty"`
	Signed     map[act.Party]act.Moment `json:"signed,omitempty"`
	Notified   map[act.Party]act.Moment `json:"notified,omitempty"`
	Cancelled  map[act.Party]act.Moment `json:"cancelled,omitempty"`
	Notices    []Notice                 `json:"notices,omitempty"`
	Answers    []Answer                 `json:"answers,omitempty"`
	Readings   map[act.Party]Reading    `json:"readings,omitempty"`
}

// Reading is how a party declares that it reads the pact's state.
type Reading struct {
	Phase Phase      `json:"phase"`
	At    act.Moment `json:"at"`
}

// Notice is a notice of termination and what became of it.
type Notice struct {
	By        act.Party   `json:"by"`
	At        act.Moment  `json:"at"`
	Suspended *act.Moment `json:"suspended,omitempty"`
	Withdrawn *act.Moment `json:"withdrawn,omitempty"`
}

// Answer is what a party answered to a step of another's that it reads differently:
// that it came late, or that it has no effect.
type Answer struct {
	Kind  act.Kind   `json:"kind"` // of the step, with who took it and when
	By    act.Party  `json:"by"`
	At    act.Moment `json:"at"`
	Party act.Party  `json:"party"` // who answers
	Came  act.Moment `json:"came"`  // when the step came to it
	Void  bool       `json:"void,omitempty"`
}

// Late reports whether a step came so late to another party that it would have
// another effect, had it been taken when it came: a notice would end the pact on a
// later day, what stops a notice would find the pact ended (R55). l is the life
// without the step.
func (p *Pact) Late(l Life, a act.Act, came time.Time) bool {
	if _, in := p.Since(l); !in || !came.After(a.At.Time) {
		return false
	}
	switch a.Kind {
	case act.PactNotice:
		return p.day(p.Ends(l, came)) != p.day(p.Ends(l, a.At.Time))
	case act.PactNoticeSuspended, act.PactNoticeWithdrawn:
		then := a
		then.At = act.MomentOf(came)
		return p.Phase(l.Apply(a), came) != p.Phase(l.Apply(then), came)
	}
	return false
}

// Early reports whether a notice of q's comes before q itself has taken the steps
// that bring the pact into force. What q sends comes in its order: no such step of
// q's can be on its way.
func (p *Pact) Early(l Life, q act.Party) bool {
	_, signed := l.Signed[q]
	_, notified := l.Notified[q]
	return !signed || p.Terms.Start != "signature" && !notified
}

// Answered folds what a party answered to a step. Its first answer stands. The order
// in which answers of different parties arrive does not matter.
func (p *Pact) Answered(l Life, a Answer) Life {
	at, told := slices.BinarySearchFunc(l.Answers, a, func(x, y Answer) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.By, y.By), x.At.Compare(y.At.Time), cmp.Compare(x.Party, y.Party))
	})
	if told || !p.Has(a.Party) || a.Party == a.By {
		return l
	}
	l.Answers = slices.Insert(slices.Clone(l.Answers), at, a)
	return l
}

// readBy is the life as q reads it: a step that came late there was taken when it
// came, and one that has no effect there was never taken.
func (p *Pact) readBy(l Life, q act.Party) Life {
	own := l // the answers are judged by the acts, not by what q made of them
	l.Notices = nil
	for _, n := range own.Notices {
		as, never := n, false
		for i := range own.Answers {
			a := &own.Answers[i]
			at := &a.Came
			if a.Void {
				at = nil
			}
			switch {
			case a.Party != q || a.By != n.By:
			case a.Kind == act.PactNotice && n.At.Equal(a.At.Time) && a.Void:
				never = true
			case a.Kind == act.PactNotice && n.At.Equal(a.At.Time) && p.later(own, a):
				as.At = a.Came
			case a.Kind == act.PactNoticeSuspended && n.Suspended != nil && n.Suspended.Equal(a.At.Time):
				as.Suspended = at
			case a.Kind == act.PactNoticeWithdrawn && n.Withdrawn != nil && n.Withdrawn.Equal(a.At.Time):
				as.Withdrawn = at
			}
		}
		if !never {
			l.Notices = append(l.Notices, as)
		}
	}
	return l
}

// later reports whether a notice, given when it came to who answered, ends the pact on a later day.
func (p *Pact) later(l Life, a *Answer) bool {
	return p.Late(l, act.Act{Kind: act.PactNotice, At: a.At}, a.Came.Time)
}

// Apply folds one act of the pact's life.
func (l Life) Apply(a act.Act) Life {
	first := func(m map[act.Party]act.Moment) map[act.Party]act.Moment {
		if _, done := m[a.From]; done {
			return m
		}
		n := map[act.Party]act.Moment{a.From: a.At}
		maps.Copy(n, m)
		return n
	}
	if b, ok := a.Body.(act.Interpretation); ok {
		phase, known := ParsePhase(b.Phase)
		if old, had := l.Readings[a.From]; known && (!had || !a.At.Before(old.At.Time)) {
			m := map[act.Party]Reading{}
			maps.Copy(m, l.Readings)
			m[a.From], l.Readings = Reading{phase, a.At}, m
		}
		return l
	}
	switch a.Kind {
	case act.PactProposed:
		l.Proposed = first(l.Proposed)
	case act.PactInitialled:
		l.Initialled = first(l.Initialled)
	case act.PactApproved:
		l.Approved = first(l.Approved)
	case act.PactSigned:
		l.Signed = first(l.Signed)
	case act.PactNotified:
		l.Notified = first(l.Notified)
	case act.PactCancelled:
		l.Cancelled = first(l.Cancelled)
	case act.PactNotice:
		l.Notices = append(slices.Clone(l.Notices), Notice{By: a.From, At: a.At})
	case act.PactNoticeSuspended, act.PactNoticeWithdrawn:
		l.Notices = slices.Clone(l.Notices)
		for i := range slices.Backward(l.Notices) {
			if n := &l.Notices[i]; n.By == a.From && n.Withdrawn == nil {
				if at := a.At; a.Kind == act.PactNoticeWithdrawn {
					n.Withdrawn = &at
				} else if n.Suspended == nil {
					n.Suspended = &at
				}
				break
			}
		}
	}
	return l
}

// all returns the last of the parties' moments, when every party has one.
func (p *Pact) all(m map[act.Party]act.Moment) (last time.Time, ok bool) {
	for i := range p.Parties {
		at, done := m[p.Parties[i].ID]
		if !done {
			return last, false
		}
		if at.After(last) {
			last = at.Time
		}
	}
	return last, true
}

// Since returns when the pact entered into force, or will.
func (p *Pact) Since(l Life) (time.Time, bool) {
	signed, ok := p.all(l.Signed)
	if !ok || p.Terms.Start == "signature" {
		return signed, ok
	}
	notified, ok := p.all(l.Notified)
	if notified.Before(signed) {
		notified = signed
	}
	if n := notified.In(p.Zone); ok && p.Terms.Start == "first-of-month" {
		notified = time.Date(n.Year(), n.Month()+1, 1, 0, 0, 0, 0, p.Zone)
	}
	return notified, ok
}

// provisional reports whether the pact is applied before its entry into force.
func (p *Pact) provisional(l Life, now time.Time) bool {
	signed, ok := p.all(l.Signed)
	return ok && !p.Terms.Provisional.IsZero() && !now.Before(p.Terms.Provisional) && !now.Before(signed)
}

// TermEnd returns the end of the term that t lies in, in the pact's zone: the
// first instant of the next anniversary. ok is false for a pact without terms.
func (p *Pact) TermEnd(l Life, t time.Time) (end time.Time, ok bool) {
	since, ok := p.Since(l)
	if !ok || p.Terms.Years == 0 {
		return time.Time{}, false
	}
	since = since.In(p.Zone)
	month, date := since.Month(), since.Day()
	if p.Terms.date != 0 {
		month, date = p.Terms.month, p.Terms.date
	}
	first, years := since.Year()+p.Terms.Years, p.Terms.Years
	k := max(0, (t.In(p.Zone).Year()-first)/years-1) // whole terms that have passed for certain
	for y := first + k*years; ; y += years {
		if end = time.Date(y, month, date, 0, 0, 0, 0, p.Zone); end.After(t) {
			return end, true
		}
	}
}

// Deadline returns the last instant before which a notice ends the pact with
// the term that t lies in (R55).
func (p *Pact) Deadline(l Life, t time.Time) (time.Time, bool) {
	end, ok := p.TermEnd(l, t)
	return p.notice(end), ok
}

// notice returns the moment that lies the time of a notice before the end of a term.
func (p *Pact) notice(end time.Time) time.Time {
	return months(end, -p.Terms.NoticeMonths).Add(-p.Terms.Notice)
}

// months moves t by calendar months. Where the month has no such day it is its
// last: three months before 31 May is 28 February, not 3 March.
func months(t time.Time, n int) time.Time {
	m := t.AddDate(0, n, 0)
	if m.Day() != t.Day() {
		return m.AddDate(0, 0, -m.Day())
	}
	return m
}

// scrapped reports whether a party cancelled the text before its entry into
// force. Nothing that the others do afterwards brings it into force.
func (p *Pact) scrapped(l Life, now time.Time) bool {
	since, in := p.Since(l)
	for _, at := range l.Cancelled {
		if !now.Before(at.Time) && (!in || at.Before(since)) {
			return true
		}
	}
	return false
}

// Phase reads a life at a moment. A notice counts from the moment it was given;
// one that came too late ends the next term (R55). A notice that was suspended
// before it took effect does not end the pact while the suspension stands. What
// has ended, or was cancelled before it began, no step revives.
func (p *Pact) Phase(l Life, now time.Time) Phase {
	if p.scrapped(l, now) {
		return Cancelled
	}
	since, in := p.Since(l)
	if !in || now.Before(since) {
		if p.provisional(l, now) {
			return Provisional
		}
		return p.before(l)
	}
	phase := Active
	for i := range l.Notices {
		n := &l.Notices[i]
		if p.withdrawn(l, n, now) || now.Before(n.At.Time) {
			continue
		}
		end := p.Ends(l, n.At.Time)
		switch {
		case suspended(n, end, now):
			phase = NoticeSuspended
		case !now.Before(end):
			return Terminated
		case phase == Active:
			phase = NoticeGiven
		}
	}
	return phase
}

// suspended reports whether a notice was suspended before it took effect.
func suspended(n *Notice, end, now time.Time) bool {
	return n.Suspended != nil && n.Suspended.Before(end) && !now.Before(n.Suspended.Time)
}

// withdrawn reports whether a notice was withdrawn before it took effect, or
// while its suspension stood.
func (p *Pact) withdrawn(l Life, n *Notice, now time.Time) bool {
	if n.Withdrawn == nil || now.Before(n.Withdrawn.Time) {
		return false
	}
	end := p.Ends(l, n.At.Time)
	return n.Withdrawn.Before(end) || suspended(n, end, n.Withdrawn.Time)
}

// Stands reads a life at a moment and, where a party declares another reading,
// takes the stricter: what a ruling on new transfers asks. A reading never
// widens what the acts allow, and a formal step after it makes it void.
func (p *Pact) Stands(l Life, now time.Time) Phase {
	phase := p.Phase(l, now)
	if !phase.Transfers() {
		return phase
	}
	for i := range p.Parties {
		if len(l.Answers) == 0 {
			break
		}
		if read := p.Phase(p.readBy(l, p.Parties[i].ID), now); slices.Index(strict, read) > slices.Index(strict, phase) {
			phase = read
		}
	}
	for q, r := range l.Readings {
		if p.declared(l, q, r, now) && slices.Index(strict, r.Phase) > slices.Index(strict, phase) {
			phase = r.Phase
		}
	}
	return phase
}

func (p *Pact) declared(l Life, q act.Party, r Reading, now time.Time) bool {
	return p.Has(q) && !r.At.Before(p.moved(l, now)) && !now.Before(r.At.Time)
}

// moved returns when a formal step last moved the state of a pact in force. A
// step without effect, or of a moment to come, does not count: it must not make a
// reading void.
func (p *Pact) moved(l Life, now time.Time) (last time.Time) {
	count := func(t time.Time) {
		if !now.Before(t) && t.After(last) {
			last = t
		}
	}
	since, in := p.Since(l)
	if !in || now.Before(since) {
		return last // a notice means nothing before the entry into force
	}
	count(since)
	for i := range l.Notices {
		n := &l.Notices[i]
		count(n.At.Time)
		if n.Suspended != nil && suspended(n, p.Ends(l, n.At.Time), now) {
			count(n.Suspended.Time)
		}
		if p.withdrawn(l, n, now) {
			count(n.Withdrawn.Time)
		}
	}
	return last
}

// Reads returns how q reads the pact: as it declared, or as the acts say, a notice
// that came late to it being given when it came.
func (p *Pact) Reads(l Life, q act.Party, now time.Time) Phase {
	phase := p.Phase(p.readBy(l, q), now)
	if r, ok := l.Readings[q]; ok && phase.Transfers() && p.declared(l, q, r, now) {
		return r.Phase
	}
	return phase
}

// ReadsEnd returns when the pact ends, or ended, as q reads it; zero: by its
// reading no notice runs.
func (p *Pact) ReadsEnd(l Life, q act.Party, now time.Time) time.Time {
	own := p.readBy(l, q)
	if phase := p.Reads(l, q, now); phase != p.Phase(own, now) || phase != NoticeGiven && phase != Terminated {
		return time.Time{} // it declares a state without a day, or holds that nothing ends
	}
	return p.end(own, now)
}

// Disputed reports whether the parties read the pact's state differently, or the
// day on which it ends.
func (p *Pact) Disputed(l Life, now time.Time) bool {
	first := p.Parties[0].ID
	for i := range p.Parties {
		q := p.Parties[i].ID
		if p.Reads(l, q, now) != p.Reads(l, first, now) || !p.ReadsEnd(l, q, now).Equal(p.ReadsEnd(l, first, now)) {
			return true
		}
	}
	return false
}

// Ends returns when a notice given at a moment takes effect.
func (p *Pact) Ends(l Life, given time.Time) time.Time {
	end, ok := p.TermEnd(l, given)
	if !ok {
		return months(given.In(p.Zone), p.Terms.NoticeMonths).Add(p.Terms.Notice)
	}
	if !given.Before(p.notice(end)) {
		end, _ = p.TermEnd(l, end)
	}
	return end
}

// Due is what comes next for a pact.
type Due struct {
	At   time.Time // zero: no date, but somebody's step is open
	What string
	Who  []act.Party
}

// Due says what is open or comes next.
func (p *Pact) Due(l Life, now time.Time) Due {
	missing := func(m map[act.Party]act.Moment) (who []act.Party) {
		for i := range p.Parties {
			if _, done := m[p.Parties[i].ID]; !done {
				who = append(who, p.Parties[i].ID)
			}
		}
		return who
	}
	switch phase := p.Phase(l, now); phase {
	case Terminated, Cancelled:
		return Due{What: "protection of what was shared stays"}
	case NoticeGiven, NoticeSuspended:
		if at := p.end(l, now); !at.IsZero() {
			return Due{At: at, What: "the pact ends"}
		}
		return Due{What: "the suspended notice is withdrawn or renewed", Who: noticing(l)}
	case Active:
		if at, ok := p.Deadline(l, now); ok && now.Before(at) {
			return Due{At: at, What: "last moment for a notice"}
		}
		if at, ok := p.TermEnd(l, now); ok {
			return Due{At: at, What: "the pact is extended"}
		}
		return Due{What: "in force without end"}
	default:
		if since, ok := p.Since(l); ok {
			return Due{At: since, What: "entry into force"}
		}
		if who := missing(l.Signed); len(who) > 0 {
			return Due{What: "signing", Who: who}
		}
		return Due{What: "notification", Who: missing(l.Notified)}
	}
}

func noticing(l Life) (who []act.Party) {
	for i := range l.Notices {
		if l.Notices[i].Withdrawn == nil && !slices.Contains(who, l.Notices[i].By) {
			who = append(who, l.Notices[i].By)
		}
	}
	slices.Sort(who) // the order in which notices came does not matter
	return who
}

// end returns when the first notice that is neither suspended nor withdrawn takes effect.
func (p *Pact) end(l Life, now time.Time) (end time.Time) {
	for i := range l.Notices {
		n := &l.Notices[i]
		e := p.Ends(l, n.At.Time)
		if !now.Before(n.At.Time) && !p.withdrawn(l, n, now) && !suspended(n, e, now) && (end.IsZero() || e.Before(end)) {
			end = e
		}
	}
	return end
}

// reminders are the days before a notice deadline on which people are reminded.
var reminders = []int{91, 100, 120}

// Reminder says that a notice deadline is near.
type Reminder struct {
	Days     int        `json:"days"` // the mark that was reached: no more than so many are left
	Deadline act.Moment `json:"deadline"`
}

// Reminder returns the latest reminder that is due, if one is.
func (p *Pact) Reminder(l Life, now time.Time) (r Reminder, due bool) {
	at, ok := p.Deadline(l, now)
	if !ok || p.Phase(l, now) != Active || !now.Before(at) {
		return r, false
	}
	for _, d := range reminders {
		if !now.Before(at.AddDate(0, 0, -d)) {
			return Reminder{d, act.MomentOf(at)}, true
		}
	}
	return r, false
}

func (p *Pact) before(l Life) Phase {
	some := func(m map[act.Party]act.Moment) bool { return len(m) > 0 }
	_, signed := p.all(l.Signed)
	switch {
	case signed && some(l.Notified):
		return Notified
	case some(l.Signed):
		return Signed
	case some(l.Approved):
		return Approved
	case some(l.Initialled):
		return Initialled
	}
	return Proposed
}
