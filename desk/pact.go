package desk

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/atlas"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
	"entente/party"
)

// PactView is a pact in a list.
type PactView struct {
	ID     act.PactID `json:"id"`
	Title  act.Names  `json:"title"`
	Phase  string     `json:"phase"`
	Text   act.Sum    `json:"text"`
	By     act.Party  `json:"by"`
	Source string     `json:"source,omitempty"`

	Version  int           `json:"version"`
	Stands   string        `json:"stands"`             // what rules new transfers: the stricter reading
	Disputed bool          `json:"disputed,omitempty"` // the parties read the state differently, or the day of its end
	Readings []ReadingView `json:"readings,omitempty"` // how each party reads it
	Next     string        `json:"next"`               // what is open or comes next
	At       *act.Moment   `json:"at,omitempty"`       // when
	Reminder *ReminderView `json:"reminder,omitempty"` // a notice deadline is near
}

// ReadingView is how a party reads a pact's state.
type ReadingView struct {
	Party act.Party   `json:"party"`
	Phase pact.Phase  `json:"phase"`
	Ends  *act.Moment `json:"ends,omitempty"` // when the pact ends by it
	Day   string      `json:"day,omitempty"`  // the same, in the pact's zone
}

// ReminderView is a reminder in words.
type ReminderView struct {
	pact.Reminder
	Text string `json:"text"`
}

// Reads says in a line how each party reads the pact.
func (v *PactView) Reads() string {
	var each []string
	for _, r := range v.Readings {
		s := string(r.Party) + ": " + string(r.Phase)
		if r.Day != "" {
			s += ", ends " + r.Day
		}
		each = append(each, s)
	}
	return strings.Join(each, "; ")
}

// soon writes a moment as people read it, in the pact's zone.
func soon(p *pact.Pact, t time.Time) string { return t.In(p.Zone).Format("2006-01-02 15:04 -07:00") }

func (s *Server) pactViews(tx *ledger.Tx, now time.Time, lang string) ([]PactView, error) {
	rows, err := s.Catalogue.Pacts(tx)
	if err != nil {
		return nil, err
	}
	var all []PactView
	for _, row := range rows {
		p, _, ok, err := s.Catalogue.PactUnder(tx, row.ID, row.Text)
		if err != nil || !ok {
			return nil, err
		}
		v := pactStands(p, row, now, lang)
		if old, err := s.amended(tx, p, row, now); err != nil {
			return nil, err
		} else if old {
			v = PactView{ID: v.ID, Title: v.Title, Version: v.Version, Text: v.Text, By: v.By, Phase: amended, Stands: amended, Next: say(lang)("keepsterms")}
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, sooner)
	return all, nil
}

// amended is said of a text that another one amended.
const amended = "amended"

// amended reports whether another text of the same pact rules new transfers.
func (s *Server) amended(tx *ledger.Tx, p *pact.Pact, row catalogue.Row, at time.Time) (bool, error) {
	_, now, _, err := s.Catalogue.Pact(tx, row.ID, at)
	return now.Text != row.Text && p.Phase(row.Life, at).Transfers(), err
}

// pactStands says where a pact stands, and what is next.
func pactStands(p *pact.Pact, row catalogue.Row, now time.Time, lang string) PactView {
	v := PactView{ID: row.ID, Title: p.Title, Version: p.Version, Phase: string(p.Phase(row.Life, now)), Text: row.Text, By: row.By,
		Stands: string(p.Stands(row.Life, now)), Disputed: p.Disputed(row.Life, now)}
	for i := range p.Parties {
		q := p.Parties[i].ID
		r := ReadingView{Party: q, Phase: p.Reads(row.Life, q, now)}
		if ends := p.ReadsEnd(row.Life, q, now); !ends.IsZero() {
			at := act.MomentOf(ends)
			r.Ends, r.Day = &at, ends.In(p.Zone).Format(time.DateOnly)
		}
		v.Readings = append(v.Readings, r)
	}
	if r, due := p.Reminder(row.Life, now); due {
		v.Reminder = &ReminderView{r, r.In(p, lang)}
	}
	due := p.Due(row.Life, now)
	v.Next = due.In(lang)
	if len(due.Who) > 0 {
		who := make([]string, len(due.Who))
		for i, q := range due.Who {
			who[i] = string(q)
		}
		v.Next = fmt.Sprintf(say(lang)("dueby"), v.Next, strings.Join(who, ", "))
	}
	if !due.At.IsZero() {
		at := act.MomentOf(due.At)
		v.At = &at
		v.Next += " " + soon(p, due.At)
	}
	return v
}

// sooner orders what has a date by it, then what waits for a step, then the rest.
func sooner(a, b PactView) int {
	switch {
	case a.At != nil && b.At != nil:
		return a.At.Compare(b.At.Time)
	case a.At != nil:
		return -1
	case b.At != nil:
		return 1
	}
	return 0
}

// lifeView is a pact under one text, in the language of the page.
type lifeView struct {
	PactView
	Name    string // of the pact
	State   string
	Strict  string // the state that rules new transfers
	Comes   string // what is next
	Each    []readingView
	Open    []openView
	Remind  string
	Course  template.HTML
	Steps   []stepView
	Treaty  string
	Amended bool
}

type readingView struct{ Party, Reading, Day string }

type openView struct{ What, Who string }

type stepView struct {
	At, What, Who string
	Ahead         bool
}

// reminded is a reminder on the first page.
type reminded struct {
	ID   act.PactID
	Text string
}

// reminders are those of pacts whose notices the person signs.
func (s *Server) reminders(v *visit, p *act.Person, pacts []PactView) (all []reminded, err error) {
	if !party.Holds(p, act.Signing) {
		return nil, nil
	}
	err = s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		for _, x := range pacts {
			if x.Reminder == nil {
				continue
			}
			p, _, ok, err := s.Catalogue.PactUnder(tx, x.ID, x.Text)
			if err != nil || !ok {
				return err
			}
			all = append(all, reminded{x.ID, x.Reminder.In(p, v.p.Lang)})
		}
		return nil
	})
	return all, err
}

// partyName is a party's name in the language of the page, with its code.
func (v *visit) partyName(p *pact.Pact, q act.Party) string {
	for i := range p.Parties {
		if p.Parties[i].ID == q {
			return p.Parties[i].Name.In(v.p.Lang) + " (" + string(q) + ")"
		}
	}
	return string(q)
}

func (v *visit) partyNames(p *pact.Pact, all []act.Party) string {
	var each []string
	for _, q := range all {
		each = append(each, v.partyName(p, q))
	}
	return strings.Join(each, pact.Say(v.p.Lang, ", "))
}

// lifeOf reads a pact under one text for a page.
func (s *Server) lifeOf(tx *ledger.Tx, v *visit, p *pact.Pact, row catalogue.Row) (l lifeView, err error) {
	now, lang := s.Now(), v.p.Lang
	l = lifeView{PactView: pactStands(p, row, now, lang), Name: p.Title.In(lang)}
	if l.Amended, err = s.amended(tx, p, row, now); err != nil {
		return l, err
	}
	l.State, l.Strict = pact.Phase(l.Phase).In(lang), pact.Phase(l.Stands).In(lang)
	due := p.Due(row.Life, now)
	if l.Comes = due.In(lang); !due.At.IsZero() {
		l.Comes += ": " + soon(p, due.At)
	}
	if l.Amended {
		l.State, l.Strict, l.Comes, l.Disputed, l.Reminder = v.say("amended"), v.say("amended"), v.say("keepsterms"), false, nil
	}
	if l.Reminder != nil {
		l.Remind = l.Reminder.In(p, lang)
	}
	for _, r := range l.Readings {
		l.Each = append(l.Each, readingView{v.partyName(p, r.Party), r.Phase.In(lang), cmp.Or(r.Day, "–")})
	}
	for _, d := range p.Open(row.Life, now) {
		l.Open = append(l.Open, openView{d.In(lang), v.partyNames(p, d.Who)})
	}
	if err := s.openUnder(tx, v, p, &l); err != nil {
		return l, err
	}
	l.Course = s.course(v, p, row, now)
	for _, x := range p.Steps(row.Life, now, lang) {
		who := "–"
		if x.Who != "" {
			who = v.partyName(p, x.Who)
		}
		l.Steps = append(l.Steps, stepView{soon(p, x.At), x.What, who, x.At.After(now)})
	}
	next := stepView{soon(p, due.At), due.In(lang), "–", true}
	if !due.At.IsZero() && !l.Amended && !slices.Contains(l.Steps, next) {
		l.Steps = append(l.Steps, next)
	}
	return l, nil
}

// openUnder adds what authorities owe each other under a pact.
func (s *Server) openUnder(tx *ledger.Tx, v *visit, p *pact.Pact, l *lifeView) error {
	laws, err := s.Catalogue.Open(tx)
	if err != nil {
		return err
	}
	for _, o := range laws {
		if o.Pact == p.ID {
			l.Open = append(l.Open, openView{v.say("lawopen") + ": " + o.Text, v.partyName(p, o.To)})
		}
	}
	visits, err := s.Catalogue.Visits(tx)
	for _, x := range visits {
		if x.Pact == p.ID && x.Approved == nil && x.Ended == nil && s.Now().Before(x.Until.Time) {
			l.Open = append(l.Open, openView{v.say("visitopen") + ": " + x.Subject, v.partyName(p, x.Host)})
		}
	}
	return err
}

// course draws the stages of a pact's life.
func (s *Server) course(v *visit, p *pact.Pact, row catalogue.Row, now time.Time) template.HTML {
	var all []atlas.Stage
	stages := p.Course(row.Life, now)
	for i, x := range stages {
		t := atlas.Stage{Label: x.Phase.In(v.p.Lang), Day: x.From.In(p.Zone).Format(time.DateOnly), Ahead: x.Expected, Under: x.Phase.Transfers() || x.Phase == pact.Terminated,
			Now: !x.Expected && (i == len(stages)-1 || stages[i+1].Expected)}
		switch {
		case t.Now:
			t.Tag = "▼ " + v.say("present")
		case t.Ahead:
			t.Tag = v.say("ahead")
		}
		all = append(all, t)
	}
	return template.HTML(atlas.Course(v.say("life"), v.say("astable"), all, v.say("protection"))) //nolint:gosec // atlas escapes all that it is given
}

// pactsPage lists the pacts, what is due soonest first.
func (s *Server) pactsPage(v *visit) (string, error) {
	v.p.Title = v.say("pacts")
	who, err := s.person(v)
	if err != nil {
		return "", err
	}
	return "pacts", s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		views, err := s.pactViews(tx, s.Now(), v.p.Lang)
		if err != nil {
			return err
		}
		var all []lifeView
		for _, x := range views {
			if !oversees(&who) && !concerned(&who, x.ID) {
				continue
			}
			p, row, ok, err := s.Catalogue.PactUnder(tx, x.ID, x.Text)
			if err != nil || !ok {
				return err
			}
			l, err := s.lifeOf(tx, v, p, row)
			if err != nil {
				return err
			}
			all = append(all, l)
		}
		v.p.Body = all
		return nil
	})
}

// pactPage shows a pact: where it stands, how each party reads it, what is open,
// its life, and its text, in the language of the page. The text that rules stands
// first, then the others, the newest before the older.
func (s *Server) pactPage(v *visit) (string, error) {
	id := act.PactID(v.r.PathValue("id"))
	who, err := s.person(v)
	if err != nil {
		return "", err
	}
	if !oversees(&who) && !concerned(&who, id) {
		return "", errors.New("not to be known")
	}
	return "pact", s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		_, rules, ok, err := s.Catalogue.Pact(tx, id, s.Now())
		if err != nil || !ok {
			return errors.Join(err, errors.New("no such pact"))
		}
		rows, err := s.Catalogue.Pacts(tx)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r catalogue.Row) bool { return r.ID != id })
		slices.SortFunc(rows, func(a, b catalogue.Row) int {
			if a.Text == rules.Text || b.Text == rules.Text {
				return map[bool]int{true: -1, false: 1}[a.Text == rules.Text]
			}
			return cmp.Compare(b.Entered, a.Entered)
		})
		var all []lifeView
		for _, row := range rows {
			p, _, ok, err := s.Catalogue.PactUnder(tx, id, row.Text)
			if err != nil || !ok {
				return err
			}
			l, err := s.lifeOf(tx, v, p, row)
			if err != nil {
				return err
			}
			l.Treaty = p.Show(v.p.Lang)
			all = append(all, l)
		}
		v.p.Title, v.p.Body = all[0].Name, all
		return nil
	})
}
