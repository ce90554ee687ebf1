package pact

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"entente/act"
)

// Stage is a phase of a pact's life and when it began. One that is expected lies
// ahead, and comes if nobody takes another step.
type Stage struct {
	Phase    Phase
	From     time.Time
	Expected bool
}

// Course returns the phases that the pact went through, in order, the present one,
// and those that are bound to come.
func (p *Pact) Course(l Life, now time.Time) (all []Stage) {
	for _, t := range p.moments(l, now) {
		past := l.until(t)
		if t.After(now) {
			past = l.until(now) // what was dated ahead of now has not happened
		}
		if past.empty() {
			continue
		}
		if phase := p.Phase(past, t); len(all) == 0 || all[len(all)-1].Phase != phase {
			all = append(all, Stage{phase, t, t.After(now)})
		}
	}
	return all
}

// moments are those at which the phase may change, in order.
func (p *Pact) moments(l Life, now time.Time) (all []time.Time) {
	add := func(t time.Time) {
		if !t.IsZero() {
			all = append(all, t)
		}
	}
	for _, m := range l.steps() {
		for _, at := range m {
			add(at.Time)
		}
	}
	if since, ok := p.Since(l); ok {
		add(since)
	}
	if _, signed := p.all(l.Signed); signed {
		add(p.Terms.Provisional)
	}
	for i := range l.Notices {
		n := &l.Notices[i]
		add(n.At.Time)
		add(p.Ends(l, n.At.Time))
		if n.Suspended != nil {
			add(n.Suspended.Time)
		}
		if n.Withdrawn != nil {
			add(n.Withdrawn.Time)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// steps lists the steps that each party takes once, in the order of a life.
func (l Life) steps() []map[act.Party]act.Moment {
	return []map[act.Party]act.Moment{l.Proposed, l.Initialled, l.Approved, l.Signed, l.Notified, l.Cancelled}
}

func (l Life) empty() bool {
	return !slices.ContainsFunc(l.steps(), func(m map[act.Party]act.Moment) bool { return len(m) > 0 })
}

// until is the life as it was at a moment.
func (l Life) until(t time.Time) Life {
	past := func(m map[act.Party]act.Moment) map[act.Party]act.Moment {
		m = maps.Clone(m)
		maps.DeleteFunc(m, func(_ act.Party, at act.Moment) bool { return t.Before(at.Time) })
		return m
	}
	w := Life{Proposed: past(l.Proposed), Initialled: past(l.Initialled), Approved: past(l.Approved), Signed: past(l.Signed), Notified: past(l.Notified), Cancelled: past(l.Cancelled)}
	done := func(at *act.Moment) *act.Moment {
		if at == nil || t.Before(at.Time) {
			return nil
		}
		return at
	}
	for _, n := range l.Notices {
		if n.Suspended, n.Withdrawn = done(n.Suspended), done(n.Withdrawn); !t.Before(n.At.Time) {
			w.Notices = append(w.Notices, n)
		}
	}
	return w
}

// Step is a step of a pact's life as it is told to people.
type Step struct {
	At   time.Time
	What string
	Who  act.Party // empty: it came by itself
}

// Steps tells what happened in a pact's life, and on which day it comes to what, in
// order: each party's acts, the entry into force, and the answers to notices.
func (p *Pact) Steps(l Life, now time.Time, lang string) (all []Step) {
	t := &tongue{lang: lang}
	add := func(at time.Time, who act.Party, what string) { all = append(all, Step{at, what, who}) }
	names := []string{t.say("proposal"), t.say("initialling"), t.say("approval at home"), t.say("signing"), t.say("notification"), t.say("scrapping")}
	for i, m := range l.steps() {
		for _, q := range sorted(m) {
			add(m[q].Time, q, names[i])
		}
	}
	if !p.Terms.Provisional.IsZero() && p.provisional(l, now) {
		add(p.Terms.Provisional, "", t.say("applied provisionally"))
	}
	if since, ok := p.Since(l); ok && !p.scrapped(l, since) {
		add(since, "", t.say("entry into force"))
	}
	for i := range l.Notices {
		n := &l.Notices[i]
		add(n.At.Time, n.By, t.say("notice of termination: by it the pact ends on %s", p.day(p.Ends(l, n.At.Time))))
		if n.Suspended != nil {
			add(n.Suspended.Time, n.By, t.say("suspension of the notice"))
		}
		if n.Withdrawn != nil {
			add(n.Withdrawn.Time, n.By, t.say("withdrawal of the notice"))
		}
	}
	for i := range l.Answers {
		a := &l.Answers[i]
		switch {
		case a.Kind == act.PactNoticeSuspended:
			add(a.Came.Time, a.Party, t.say("the suspension came late: by this reading it has no effect"))
		case a.Kind == act.PactNoticeWithdrawn:
			add(a.Came.Time, a.Party, t.say("the withdrawal came late: by this reading it has no effect"))
		case a.Void:
			add(a.Came.Time, a.Party, t.say("refusal of the notice: by this reading it has no effect"))
		case p.later(l, a):
			add(a.Came.Time, a.Party, t.say("the notice came late: by this reading the pact ends on %s", p.day(p.Ends(l, a.Came.Time))))
		}
	}
	for _, q := range sorted(l.Readings) {
		add(l.Readings[q].At.Time, q, t.say("declared reading: %s", l.Readings[q].Phase.In(lang)))
	}
	if p.Phase(l, now) == Terminated {
		add(p.end(l, now), "", t.say("the pact ends"))
	}
	slices.SortStableFunc(all, func(a, b Step) int { return a.At.Compare(b.At) })
	return all
}

// day writes the day of a moment in the pact's zone.
func (p *Pact) day(t time.Time) string { return t.In(p.Zone).Format(time.DateOnly) }

// Open lists what waits for somebody: the step that is due, and where the parties
// read the pact's state differently, that they consult.
func (p *Pact) Open(l Life, now time.Time) (all []Due) {
	if d := p.Due(l, now); len(d.Who) > 0 {
		all = append(all, d)
	}
	if p.Disputed(l, now) {
		d := Due{What: "consultation: the parties read the state of the pact differently"}
		for i := range p.Parties {
			d.Who = append(d.Who, p.Parties[i].ID)
		}
		all = append(all, d)
	}
	return all
}

// In says what is due, in a language.
func (d Due) In(lang string) string { return (&tongue{lang: lang}).say(d.What) }

// In says a reminder, in a language.
func (r Reminder) In(p *Pact, lang string) string {
	return (&tongue{lang: lang}).say("no more than %d days to the last moment for a notice, %s", r.Days, r.Deadline.In(p.Zone).Format("2006-01-02 15:04 -07:00"))
}

// In says a phase, in a language.
func (f Phase) In(lang string) string {
	return (&tongue{lang: lang}).say(cmp.Or(phases[f], string(f)))
}

var phases = map[Phase]string{
	Proposed:        "proposed",
	Initialled:      "initialled",
	Approved:        "approved",
	Signed:          "signed",
	Notified:        "notified by some",
	Provisional:     "applied provisionally",
	Active:          "in force",
	NoticeGiven:     "in force, notice of termination given",
	NoticeSuspended: "in force, notice of termination suspended",
	Terminated:      "terminated",
	Cancelled:       "cancelled",
}
