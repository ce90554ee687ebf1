package pact

import (
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
	Active          Phase = "in-force"
	NoticeGiven     Phase = "notice-given"
	NoticeSuspended Phase = "notice-suspended"
	Terminated      Phase = "terminated"
	Cancelled       Phase = "cancelled"
)

// Transfers reports whether new products may move in this phase. Protection
// of what was received never depends on it.
func (p Phase) Transfers() bool { return p == Active || p == NoticeGiven || p == NoticeSuspended }

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
}

// Notice is a notice of termination and what became of it.
type Notice struct {
	By        act.Party   `json:"by"`
	At        act.Moment  `json:"at"`
	Suspended *act.Moment `json:"suspended,omitempty"`
	Withdrawn *act.Moment `json:"withdrawn,omitempty"`
}

// Apply folds one act of the pact's life.
func (l Life) Apply(a act.Act) Life {
	first := func(m map[act.Party]act.Moment) map[act.Party]act.Moment {
		if _, done := m[a.From]; done {
			return m
		}
		n := map[act.Party]act.Moment{a.From: a.At}
		for k, v := range m {
			n[k] = v
		}
		return n
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

// Since returns when the pact entered into force.
func (p *Pact) Since(l Life) (time.Time, bool) {
	signed, ok := p.all(l.Signed)
	if !ok || p.Terms.Start == "signature" {
		return signed, ok
	}
	notified, ok := p.all(l.Notified)
	if notified.Before(signed) {
		notified = signed
	}
	return notified, ok
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
	if a, err := time.Parse("01-02", p.Terms.Anniversary); err == nil && p.Terms.Anniversary != "" {
		month, date = a.Month(), a.Day()
	}
	for y := since.Year() + p.Terms.Years; ; y += p.Terms.Years {
		if end = time.Date(y, month, date, 0, 0, 0, 0, p.Zone); end.After(t) {
			return end, true
		}
	}
}

// Deadline returns the last instant before which a notice ends the pact with
// the term that t lies in (R55).
func (p *Pact) Deadline(l Life, t time.Time) (time.Time, bool) {
	end, ok := p.TermEnd(l, t)
	return end.Add(-p.Terms.Notice), ok
}

// Phase reads a life at a moment, as own reads it. A notice counts from the
// moment it was given; one that came too late ends the next term (R55). A notice
// that was suspended before it took effect does not end the pact while the
// suspension stands.
func (p *Pact) Phase(l Life, own act.Party, now time.Time) Phase {
	since, in := p.Since(l)
	if !in || now.Before(since) {
		return p.before(l)
	}
	phase := Active
	for i := range l.Notices {
		n := &l.Notices[i]
		if n.Withdrawn != nil && !now.Before(n.Withdrawn.Time) || now.Before(n.At.Time) {
			continue
		}
		end := p.ends(l, n.At.Time)
		suspended := n.Suspended != nil && n.Suspended.Before(end) && !now.Before(n.Suspended.Time)
		switch {
		case suspended:
			phase = NoticeSuspended
		case !now.Before(end):
			return Terminated
		case phase == Active:
			phase = NoticeGiven
		}
	}
	return phase
}

// ends returns when a notice given at a moment takes effect.
func (p *Pact) ends(l Life, given time.Time) time.Time {
	end, ok := p.TermEnd(l, given)
	if !ok {
		return given.Add(p.Terms.Notice)
	}
	if !given.Before(end.Add(-p.Terms.Notice)) {
		end, _ = p.TermEnd(l, end)
	}
	return end
}

func (p *Pact) before(l Life) Phase {
	some := func(m map[act.Party]act.Moment) bool { return len(m) > 0 }
	_, signed := p.all(l.Signed)
	switch {
	case some(l.Cancelled):
		return Cancelled
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
