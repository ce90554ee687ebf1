package sim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/chancery"
	"entente/reading"
	"entente/release"
	"entente/ruling"
)

// This file derives each refusal again: whoever is refused is told a ground, and each
// ground says something that is so or is not, by what the ledger held. A ground that
// is not so was invented, and one that nobody knows here has no place in a node.

// refusal is what was refused, and what it was ruled on.
type refusal struct {
	v   *view
	now time.Time
	id  act.PactID
	row *row // of the text that it was ruled under; nil: none is known

	m         act.Manifest
	user      act.Party // who would spend approvals
	channel   string    // empty: any
	name, two string    // who does it, and who drafted it
	mandate   *act.Digest

	p       *seen // what is done with a product that is here; nil: there is none
	deed    reading.Deed
	purpose string
	visit   *visit

	a   *act.Act // a partner's
	sum act.Digest

	who, of []string // parties and products that the ground at hand names, in order
	text    string
}

// grounds are all that may be said, as plain says it, and what must then be so.
var grounds = map[string]func(*refusal) bool{
	// The pact.
	"no pact of this name is known here":   func(q *refusal) bool { return q.row == nil },
	"the pact is not in force":             func(q *refusal) bool { return !moves(q.row.standing(q.now)) },
	"the pact is blocked":                  func(q *refusal) bool { return q.v.blocked[q.id] },
	"its manifest names another pact":      func(q *refusal) bool { return q.m.Pact != q.id },
	"a party is no party to the pact":      func(q *refusal) bool { return q.to(q.who[0]) && !q.row.t.has(act.Party(q.who[0])) },
	"its party is no party to the pact":    func(q *refusal) bool { return q.v.known(q.id) != nil && !q.v.known(q.id).t.has(q.a.From) },
	"the subject is outside the pact":      func(q *refusal) bool { return !slices.Contains(subjects, q.m.Subject) },
	"the form is outside the pact":         func(q *refusal) bool { return q.m.Form != "electronic" },
	"the purpose is outside the pact":      func(q *refusal) bool { return !slices.Contains(purposes, q.m.Purpose) },
	"the pact knows no standing authority": func(q *refusal) bool { return !q.row.t.standing },
	"it was released under a text that has been amended": func(q *refusal) bool {
		at := q.now
		if q.v.overdue(q.a) {
			at = q.v.today
		}
		r := q.v.rules(q.id, at)
		return r != nil && r != q.row
	},

	// Marks.
	"the marking is not in the pact's table on this date": func(q *refusal) bool { return q.early() || rank(q.m.Mark) == 0 || !q.row.t.has(q.m.Mark.Party) },
	"the marking is not of the originator's own scheme":   func(q *refusal) bool { return q.m.Mark.Party != q.m.Originator },
	"the marking is not in the pact's table":              func(q *refusal) bool { return rank(q.p.mark) == 0 || !q.row.t.has(q.p.mark.Party) },
	"the marking is not in the pact's table, or above its ceiling": func(q *refusal) bool {
		return q.early() || rank(q.m.Mark) == 0 || q.m.Mark.Party != q.v.own
	},
	"the new marking is not in the pact's table": func(q *refusal) bool {
		return q.early() || rank(q.newMark()) == 0 || q.v.own != q.m.Originator || rank(q.p.mark) == 0
	},
	"the new marking is not lower":        func(q *refusal) bool { return rank(q.newMark()) >= rank(q.p.mark) },
	"only its originator lowers its mark": func(q *refusal) bool { return q.m.Originator != q.v.own },
	"it holds information of a party, whose mark only it lowers": func(q *refusal) bool {
		p := q.p
		if q.a != nil {
			p = q.v.products[q.a.Body.(act.Reclassification).Number]
		}
		by := q.m.Originator
		if q.a != nil {
			by = q.a.From
		}
		return p != nil && q.who[0] != string(by) && slices.Contains(p.body.Manifest.Origins, act.Party(q.who[0]))
	},

	// Ways and recipients.
	"it has no recipient":                         func(q *refusal) bool { return len(q.m.Recipients) == 0 },
	"the originator cannot be a recipient":        func(q *refusal) bool { return q.to(string(q.m.Originator)) },
	"the marking is above this channel's ceiling": func(q *refusal) bool { return q.narrow(rank(q.m.Mark)) },
	"the pact knows no channel called CHANNEL from a party to a party": func(q *refusal) bool {
		called := aChannel.FindStringSubmatch(q.text)[1]
		from, to := act.Party(q.who[len(q.who)-2]), act.Party(q.who[len(q.who)-1])
		return (q.channel == "" || q.channel == called) && from == q.m.Originator && q.to(string(to)) && q.row.t.limit(from, to, called) == 0
	},
	"it does not name its originator as an origin":                       func(q *refusal) bool { return !slices.Contains(q.m.Origins, q.m.Originator) },
	"it holds information of a party, whose written approval is missing": func(q *refusal) bool { return q.unapproved(act.Party(q.who[0])) },

	// Who releases.
	"the officer holds no office to release":                         func(q *refusal) bool { return !q.holds(act.Releasing) },
	"the person holds no office to sign":                             func(q *refusal) bool { return !q.holds(act.Signing) },
	"the recipient was not notified of the officer":                  (*refusal).untold,
	"the officer's clearance is below the marking or has expired":    func(q *refusal) bool { return q.uncleared(rank(q.m.Mark)) },
	"who drafted it does not release it, under no other name either": func(q *refusal) bool { return q.two != "" && q.two == q.name },
	"the mandate does not cover this product, or has ended": func(q *refusal) bool {
		d := q.v.mandates[*q.mandate]
		return d == nil || d.withdrawn || q.now.Before(d.given) || !q.now.Before(d.Until.Time) || rank(d.Mark) < rank(q.m.Mark) || rank(q.m.Mark) == 0 || rank(d.Mark) == 0 || q.early() ||
			d.Pact != q.m.Pact || d.Kind != q.m.Kind || d.Subject != q.m.Subject || d.Purpose != q.m.Purpose
	},
	"the mandate has ended before it begins": func(q *refusal) bool { return !q.now.Before(q.deed.Until.Time) },

	// What it was made from.
	"it is made from a product that is not known here": func(q *refusal) bool {
		return slices.ContainsFunc(q.m.Lineage, func(l act.Lineage) bool { return q.source(l.Of) == nil })
	},
	"it is marked lower than a product, or in a scheme that its pact does not know": func(q *refusal) bool {
		s := q.source(act.Number(q.of[0]))
		return s != nil && (q.early() || rank(q.m.Mark) < rank(s.mark) || rank(q.m.Mark) == 0 || rank(s.mark) == 0 || !termsOf(s.body.Text).has(q.m.Mark.Party))
	},
	"a product holds information of a party that was released for another purpose": func(q *refusal) bool {
		s, o := q.source(act.Number(q.of[0])), act.Party(q.who[0])
		return s != nil && o != q.v.own && slices.Contains(s.body.Manifest.Origins, o) && q.m.Purpose != s.body.Manifest.Purpose &&
			!(termsOf(s.body.Text).framework && slices.Contains(purposes, q.m.Purpose)) &&
			!q.spends(o, "purpose", "", q.m.Purpose, s.body.Manifest.Number) && !q.approved(o, "purpose", "", q.m.Purpose, &q.m)
	},
	"a product was not released to a party": func(q *refusal) bool {
		s, to := q.source(act.Number(q.of[0])), act.Party(q.who[0])
		if s == nil {
			return false
		}
		src := &s.body.Manifest
		return src.Originator != q.v.own && src.Originator != to && q.to(string(to)) && !slices.Contains(src.Recipients, to) &&
			!q.spends(src.Originator, "pass-on", to, q.m.Purpose, src.Number) && !q.spends(src.Originator, "pass-on", to, q.m.Purpose, q.m.Number)
	},
	"the pact of a product does not carry its marking to a party by this channel": func(q *refusal) bool {
		s, to := q.source(act.Number(q.of[0])), act.Party(q.who[0])
		t := termsOf(s.body.Text)
		return t.has(to) && t.has(q.v.own) && q.to(string(to)) && t.limit(q.v.own, to, q.channel) < rank(s.mark)
	},
	"the originator of a product forbids copies of it": func(q *refusal) bool {
		s := q.source(act.Number(q.of[0]))
		return s != nil && s.body.Manifest.Originator != q.v.own && slices.Contains(s.body.Manifest.Caveats, "no copy") &&
			slices.Contains(q.m.Lineage, act.Lineage{Of: act.Number(q.of[0]), How: "excerpt"})
	},

	// Who uses what is here, and how.
	"no product of this number may be read by this person": func(q *refusal) bool {
		needs := slices.ContainsFunc(q.person().Needs, func(n act.Need) bool { return n.Pact == q.m.Pact }) && !q.person().Left
		return q.p == nil || !needs && !(q.deed.Deed == "destroy" && q.holds(act.Registry)) && !(q.deed.Deed == "downgrade" && q.holds(act.Releasing))
	},
	"its content is not here yet": func(q *refusal) bool {
		return q.m.Originator != q.v.own && (q.p.received == 0 || q.p.refused[q.v.own])
	},
	"it was destroyed here":                         func(q *refusal) bool { return q.p.destroyed },
	"clearance is below the marking or has expired": func(q *refusal) bool { return q.uncleared(rank(q.p.mark)) },
	"the person holds no office to read":            func(q *refusal) bool { return !q.holds(act.Reading) },
	"the person holds no office of the registry":    func(q *refusal) bool { return !q.holds(act.Registry) },
	"no need to know for this purpose": func(q *refusal) bool {
		p := q.person()
		return p.Left || !q.now.Before(p.Until.Time) || !slices.ContainsFunc(p.Needs, func(n act.Need) bool { return n.Pact == q.m.Pact && slices.Contains(n.Purposes, q.purpose) })
	},
	"the purpose is not the one that it was released for": func(q *refusal) bool {
		return q.purpose != q.m.Purpose && !(q.row.t.framework && slices.Contains(purposes, q.purpose)) && slices.ContainsFunc(q.m.Origins, func(o act.Party) bool {
			return o != q.v.own && !q.approved(o, "purpose", "", q.purpose, &q.m)
		})
	},
	"the person is on no facility's register": func(q *refusal) bool { return q.person().Facility == "" },
	"the person was not briefed":              func(q *refusal) bool { return !q.person().Briefed },
	"the originator forbids copies of it":     func(q *refusal) bool { return slices.Contains(q.m.Caveats, "no copy") },
	"the written approval of a party is missing, used up, expired or withdrawn": func(q *refusal) bool {
		o := act.Party(q.who[0])
		return q.row.t.copies && o != q.v.own && slices.Contains(q.m.Origins, o) && !q.approved(o, q.deed.Deed, "", q.purpose, &q.m)
	},
	"the pact knows no such method of destruction": func(q *refusal) bool { return !slices.Contains(q.row.t.methods, q.deed.Method) },

	// Visits.
	"no visit of this name is known here": func(q *refusal) bool {
		return q.visit == nil || q.visit.host != q.v.own || q.visit.pact != q.m.Pact
	},
	"no visit of this name was asked of us": func(q *refusal) bool { return q.visit == nil || q.visit.host != q.v.own },
	"the host has not approved the visit":   func(q *refusal) bool { return q.visit.approved == nil },
	"the visit has ended, or has not begun": func(q *refusal) bool {
		return q.visit.ended != nil && !q.now.Before(*q.visit.ended) || q.now.Before(q.visit.From.Time) || !q.now.Before(q.visit.Until.Time)
	},
	"the visit has ended":                  func(q *refusal) bool { return q.visit.ended != nil || !q.now.Before(q.visit.Until.Time) },
	"the visit does not name this visitor": func(q *refusal) bool { return !slices.Contains(q.visit.Visitors, q.deed.Visitor) },
	"the marking is above what the host approved for the visit": func(q *refusal) bool {
		return q.early() || rank(*q.visit.approved) == 0 || rank(q.p.mark) > rank(*q.visit.approved)
	},
	"it holds information that was not released to the visitor's party": func(q *refusal) bool {
		return q.m.Originator != q.visit.by && !slices.Contains(q.m.Recipients, q.visit.by) && (q.m.Originator != q.v.own || !slices.Equal(q.m.Origins, []act.Party{q.v.own}))
	},

	// Steps of our own.
	"it cannot be initialled now": func(q *refusal) bool { return !q.before() || q.v.took(act.PactInitialled, q.row) },
	"it cannot be approved now":   func(q *refusal) bool { return !q.before() || q.v.took(act.PactApproved, q.row) },
	"we cannot sign it now":       func(q *refusal) bool { return !q.before() || q.v.took(act.PactSigned, q.row) },
	"we cannot notify now": func(q *refusal) bool {
		return !q.before() || q.v.took(act.PactNotified, q.row) || !q.v.took(act.PactSigned, q.row)
	},
	"it cannot be scrapped":                  func(q *refusal) bool { return !q.before() },
	"no notice can be given":                 func(q *refusal) bool { return !q.stands() || q.notice() != nil },
	"there is no notice of ours to suspend":  func(q *refusal) bool { return !q.stands() || q.notice() == nil || q.notice().suspended != nil },
	"there is no notice of ours to withdraw": func(q *refusal) bool { return !q.stands() || q.notice() == nil },
	"there is nothing to read differently":   func(q *refusal) bool { return !q.stands() },

	// A partner's act.
	"it is dated before an act that its party sent earlier": func(q *refusal) bool { return q.a.At.Before(q.v.clock[q.a.From]) },
	"it is dated in the future":                             func(q *refusal) bool { return q.a.At.After(q.v.today.Add(24 * time.Hour)) },
	"no person signed it":                                   func(q *refusal) bool { return q.a.By == "" },
	"no officer released it":                                func(q *refusal) bool { return q.a.By == "" },
	"the person who signed it was not notified with the office OFFICE, or was withdrawn": func(q *refusal) bool {
		name, _, _ := strings.Cut(q.a.By, "@")
		return !slices.Contains(q.v.told[q.a.From][name].Offices, act.Office(anOffice.FindStringSubmatch(q.text)[1]))
	},
	"the product was not released here": func(q *refusal) bool {
		p := q.v.products[q.a.Body.(act.Receipt).Number]
		return p == nil || p.from != q.v.own
	},
	"its party is no recipient of the product": func(q *refusal) bool {
		p := q.v.products[q.a.Body.(act.Receipt).Number]
		return p != nil && !slices.Contains(p.body.Manifest.Recipients, q.a.From)
	},
	"the manifest names another originator or pact than the act": func(q *refusal) bool { return q.m.Originator != q.a.From || q.m.Pact != q.a.Pact },
	"it is not addressed to us": func(q *refusal) bool {
		return !q.to(string(q.v.own)) || !slices.Equal(q.m.Recipients, q.a.To)
	},
	"its control number is of another party's series": func(q *refusal) bool { return !strings.HasPrefix(string(q.m.Number), string(q.m.Originator)+"-") },
	"its control number was used before": func(q *refusal) bool {
		p := q.v.products[q.m.Number]
		return p != nil && p.from != "" && p.release != q.sum
	},
	"acts of this kind concern their party's own house, and are not carried": func(q *refusal) bool { return q.a.Kind.Home() },
	"this node does not know acts of this kind, and it must be understood":   func(q *refusal) bool { return q.a.Must && !q.a.Kind.Known() },
	"the text is not of a pact of this name between us": func(q *refusal) bool {
		t := termsOf(catalogue.SumOf([]byte(q.a.Body.(act.Proposal).Text)))
		return t == nil || t.id != q.a.Pact || !t.has(q.a.From) || !t.has(q.v.own)
	},
	"the text has mistakes": func(q *refusal) bool { return termsOf(catalogue.SumOf([]byte(q.a.Body.(act.Proposal).Text))) == nil },
	"the notice came before its party brought the pact into force": func(q *refusal) bool {
		return q.row.signed[q.a.From].IsZero() || q.row.t.notified && q.row.notified[q.a.From].IsZero()
	},
	"the suspension of the notice came late, when the notice had ended the pact": (*refusal).ended,
	"the withdrawal of the notice came late, when the notice had ended the pact": (*refusal).ended,
	"it came after its receipt was due, when the pact was not in force": func(q *refusal) bool {
		return q.v.overdue(q.a) && !moves(q.row.standing(q.v.today))
	},
	"it came after its receipt was due, when no written approval of a party was good for it": func(q *refusal) bool {
		q.now = q.v.today
		return q.v.overdue(q.a) && q.unapproved(act.Party(q.who[0]))
	},
	"it does not name a party, an origin of a product": func(q *refusal) bool {
		return slices.ContainsFunc(q.m.Lineage, func(l act.Lineage) bool { return l.Of == act.Number(q.of[0]) }) &&
			slices.Contains(q.v.origins(act.Number(q.of[0])), act.Party(q.who[0])) && !slices.Contains(q.m.Origins, act.Party(q.who[0]))
	},
	"the notice came after its deadline":                           func(q *refusal) bool { return q.row.t.notified && q.late() },
	"the notice came later, and the time of notice runs from then": func(q *refusal) bool { return !q.row.t.notified && q.late() },
}

// subjects and purposes are those of every text here.
var (
	subjects = []string{"nuclear-test", "defence"}
	purposes = []string{"threat-assessment", "missile-warning"}
)

var (
	aChannel = regexp.MustCompile(`no channel called (.+) from`)
	anOffice = regexp.MustCompile(`with the office '([a-z]+)'`)
	// What differs from case to case in a ground, and is not a product or a party.
	wordings = []struct {
		re *regexp.Regexp
		as string
	}{
		{aChannel, "no channel called CHANNEL from"}, {anOffice, "with the office OFFICE"}, {regexp.MustCompile(`notice came on \S+, when`), "notice came late, when"}, {regexp.MustCompile(`: it was .*`), ""}, {regexp.MustCompile(`, of \d{4}-.*`), ""}, {regexp.MustCompile(`: by our reading .*`), ""}, {regexp.MustCompile(`does not verify: .*`), "does not verify"},
		{regexp.MustCompile(`[Aa]cts of kind [^ ,]+`), "acts of this kind"}, {regexp.MustCompile(`^the text has \d+ mistakes.*`), "the text has mistakes"},
		{regexp.MustCompile(`^the notice came on .*, and the time`), "the notice came later, and the time"},
	}
)

// Ground reports whether a ground, as reach.txt spells it, is one whose truth is asked for.
func Ground(text string) bool {
	elsewhere := []string{"a partner's act that has no effect", "the act cannot be read or its signature does not verify", "the same act came before"} // see answered, and unread
	return grounds[text] != nil || slices.Contains(elsewhere, text)
}

// worded is a ground as plain says it, without what differs from case to case.
func worded(text string) string {
	for _, x := range wordings {
		text = x.re.ReplaceAllString(text, x.as)
	}
	return plain(text)
}

func (q *refusal) person() act.Person { return q.v.persons[q.name] }

func (q *refusal) holds(o act.Office) bool {
	return !q.person().Left && slices.Contains(q.person().Offices, o)
}

// early reports whether a clock says a day before the pact's marks were made: then it knows none.
func (q *refusal) early() bool { return q.row != nil && q.now.Before(q.row.t.from) }

// unapproved reports whether a party's information would go where it did not approve.
func (q *refusal) unapproved(o act.Party) bool {
	return o != q.m.Originator && slices.Contains(q.m.Origins, o) && slices.ContainsFunc(q.m.Recipients, func(to act.Party) bool {
		return to != o && !q.approved(o, "pass-on", to, q.m.Purpose, &q.m)
	})
}

// ended reports whether a notice had ended the pact when what stops it came.
func (q *refusal) ended() bool { phase, _ := q.row.phase(q.v.today); return phase == terminated }

// newMark is what a deed would mark a product with.
func (q *refusal) newMark() act.Mark { return act.Mark{Party: q.v.own, Text: q.deed.Mark} }

func (q *refusal) to(p string) bool { return slices.Contains(q.m.Recipients, act.Party(p)) }

// narrow reports whether a way is too low for a rank.
func (q *refusal) narrow(rank int) bool {
	channels := []string{q.channel}
	if q.channel == "" {
		channels = []string{"electronic", "courier", "hub"}
	}
	return slices.ContainsFunc(q.m.Recipients, func(to act.Party) bool {
		return slices.ContainsFunc(channels, func(c string) bool { l := q.row.t.limit(q.m.Originator, to, c); return l > 0 && rank > l })
	})
}

// untold reports whether a recipient was not told of the officer as they are.
func (q *refusal) untold() bool {
	p := q.person()
	return len(q.m.Recipients) == 0 || p.Key == "" || slices.ContainsFunc(q.m.Recipients, func(to act.Party) bool {
		told := q.v.notified[to][q.name]
		return told.Key != p.Key || !slices.Contains(told.Offices, act.Releasing)
	})
}

func (q *refusal) uncleared(rank int) bool {
	p := q.person()
	return p.Left || !q.now.Before(p.Until.Time) || q.early() || slices.Index(marks[q.v.own][:2], p.Clearance)+1 < rank
}

// source is a product that another is made from, as the officer may know it.
func (q *refusal) source(n act.Number) *seen {
	p := q.v.products[n]
	if p == nil || p.from == "" || q.v.rows[p.body.Text] == nil || !slices.ContainsFunc(q.m.Lineage, func(l act.Lineage) bool { return l.Of == n }) {
		return nil
	}
	if id := p.body.Manifest.Pact; id != q.m.Pact && !slices.ContainsFunc(q.person().Needs, func(n act.Need) bool { return n.Pact == id }) {
		return nil
	}
	return p
}

// spends reports whether an approval of o's names a product, in time and not used up.
func (q *refusal) spends(o act.Party, deed string, to act.Party, purpose string, n act.Number) bool {
	for _, c := range q.v.consents {
		if c.by == o && c.Number == n && q.v.holds(n, o) && slices.Contains(c.to, q.user) && c.Deed == deed && c.Recipient == to && c.Purpose == purpose && !c.withdrawn && c.used < c.Uses && !q.now.Before(c.given) && q.now.Before(c.Until.Time) {
			return true
		}
	}
	return false
}

// approved reports whether o approved a deed with m, or with each thing that it is made from.
func (q *refusal) approved(o act.Party, deed string, to act.Party, purpose string, m *act.Manifest) bool {
	return q.spends(o, deed, to, purpose, m.Number) || o != m.Originator && len(m.Lineage) > 0 && !slices.ContainsFunc(m.Lineage, func(l act.Lineage) bool {
		return !q.spends(o, deed, to, purpose, l.Of)
	})
}

// before reports whether a text has not come into force, and may.
func (q *refusal) before() bool { phase, _ := q.row.phase(q.now); return phase == notInForce }

// stands reports whether a text is in force by what was done, whoever reads it otherwise.
func (q *refusal) stands() bool { phase, _ := q.row.phase(q.now); return phase < terminated }

// notice is one of ours that was not taken back.
func (q *refusal) notice() (open *notice) {
	for i := range q.row.notices {
		if n := &q.row.notices[i]; n.by == q.v.own && n.withdrawn == nil {
			open = n
		}
	}
	return open
}

// late reports whether a notice ends the pact on another day by when it came than by when it was given.
func (q *refusal) late() bool {
	since, in := q.row.since()
	return in && q.row.t.day(q.row.t.ends(since, q.a.At.Time)) != q.row.t.day(q.row.t.ends(since, q.v.today))
}

// overdue reports whether a partner's release came after its receipt was due: what it rests on must hold still.
func (v *view) overdue(a *act.Act) bool {
	return a.From != v.own && v.today.After(a.At.Add(72*time.Hour))
}

// origins are those of a product; of one that is not here its number tells one.
func (v *view) origins(n act.Number) []act.Party {
	if p := v.products[n]; p != nil && p.from != "" {
		return p.body.Manifest.Origins
	}
	party, _, _ := strings.Cut(string(n), "-")
	return []act.Party{act.Party(party)}
}

// holds reports whether a product holds a party's information, as far as it is known here.
func (v *view) holds(n act.Number, o act.Party) bool {
	p := v.products[n]
	return p == nil || p.from == "" || slices.Contains(p.body.Manifest.Origins, o)
}

// known is a row of a pact, whatever became of it.
func (v *view) known(id act.PactID) *row {
	for _, t := range texts {
		if r := v.rows[t.sum]; r != nil && t.id == id {
			return r
		}
	}
	return nil
}

// took reports whether we took a step under a text.
func (v *view) took(k act.Kind, r *row) bool {
	return slices.ContainsFunc(v.acts, func(a act.Act) bool {
		s, ok := a.Body.(act.Step)
		return ok && a.Kind == k && a.From == v.own && s.Text == r.t.sum
	})
}

// so checks every ground of a refusal, at one of the moments that it may have been ruled on.
func (w *World) so(s *Side, q *refusal, because []act.Reason, at ...time.Time) {
	if len(because) == 0 {
		w.fail(43, "%s refuses without a ground", s)
	}
	for _, b := range because {
		text := worded(b.Text)
		ground, ok := grounds[text]
		if !ok {
			w.fail(43, "%s refuses for what nobody knows to be a ground: %q", s, b.Text)
			return
		}
		q.text, q.of = b.Text, aProduct.FindAllString(b.Text, -1)
		q.who = aParty.FindAllString(aProduct.ReplaceAllString(b.Text, ""), -1)
		if !slices.ContainsFunc(at, func(t time.Time) bool { q.now = t; return ground(q) }) {
			w.fail(43, "%s refuses for what is not so: %s", s, b.Text)
		}
	}
}

// moment is when a node rules now: by its clock or, where that stepped back a little, by its last entry.
func (s *Side) moment() []time.Time { return []time.Time{s.now(), later(s.now(), s.view.last.Time)} }

// refused checks what a person was refused, with what they asked for.
func (w *World) refused(s *Side, err error, q refusal) {
	if w.false(s) || s.power {
		return
	}
	var because ruling.Ruling
	var r *release.Refused
	var d *reading.Denied
	var c *chancery.Refused
	switch {
	case errors.As(err, &r):
		because = r.Ruling
	case errors.As(err, &d):
		because = d.Ruling
	case errors.As(err, &c):
		because = c.Ruling
	default:
		return
	}
	w.look(s)
	q.v, q.user = s.view, s.party
	w.so(s, &q, because.Because, s.moment()...)
}

// ofRelease is what a release is ruled on.
func (s *Side) ofRelease(d release.Draft, n act.Number, as, drafter string) refusal {
	v := s.view
	q := refusal{v: v, id: d.Pact, name: as, two: drafter, mandate: d.Mandate, channel: "electronic"}
	q.row = v.known(d.Pact)
	for _, at := range s.moment() {
		if r := v.rules(d.Pact, at); r != nil {
			q.row = r
		}
	}
	q.m = act.Manifest{Number: n, Pact: d.Pact, Kind: d.Kind, Subject: d.Subject, Form: d.Form, Purpose: d.Purpose, Mark: act.Mark{Party: s.party, Text: d.Mark}, Caveats: d.Caveats,
		Originator: s.party, Origins: []act.Party{s.party}, Recipients: slices.Clone(d.To), Lineage: d.Lineage}
	if q.row != nil && len(d.To) == 0 {
		q.m.Recipients = slices.DeleteFunc(slices.Clone(q.row.t.parties), func(p act.Party) bool { return p == s.party })
	}
	slices.Sort(q.m.Recipients)
	for _, l := range d.Lineage {
		if p := q.source(l.Of); p != nil {
			q.m.Origins = append(q.m.Origins, p.body.Manifest.Origins...)
		}
	}
	for _, to := range q.m.Recipients {
		if via := v.via[to]; via != "" {
			if q.channel = "hub"; q.row != nil && q.row.t.hub != via {
				q.channel = "hub " + string(via)
			}
		}
	}
	return q
}

// ofDeed is what a deed with a product is ruled on.
func (s *Side) ofDeed(n act.Number, d reading.Deed) refusal {
	v := s.view
	q := refusal{v: v, name: d.As, deed: d, purpose: d.Purpose}
	if p := v.products[n]; p != nil && p.from != "" && v.rows[p.body.Text] != nil {
		q.p, q.m, q.row, q.id = p, p.body.Manifest, v.rows[p.body.Text], p.body.Manifest.Pact
	}
	if q.purpose == "" {
		q.purpose = q.m.Purpose
	}
	if d.Visit != nil {
		q.visit = v.visits[*d.Visit]
	}
	return q
}

// ofVisit is what the approval of a visit is ruled on.
func (s *Side) ofVisit(d act.Digest, mark, as string) refusal {
	q := refusal{name: as, visit: s.view.visits[d], m: act.Manifest{Mark: act.Mark{Party: s.party, Text: mark}}}
	if q.visit != nil {
		q.id = q.visit.pact
		if q.row = s.view.known(q.id); s.view.rules(q.id, s.now()) != nil {
			q.row = s.view.rules(q.id, s.now())
		}
	}
	return q
}

// refusedTo counts the grounds that a partner is told.
func (w *World) refusedTo(because []act.Reason) {
	for _, b := range because {
		if !w.deaf {
			w.hit("refused to a partner: " + worded(b.Text))
		}
	}
}

// judged checks a refusal of a partner's act, before the act has an effect.
func (w *World) judged(s *Side, v *view, a act.Act, sum act.Digest, channel string, because []act.Reason) {
	q := refusal{v: v, id: a.Pact, user: a.From, channel: channel, a: &a, sum: sum}
	switch b := a.Body.(type) {
	case act.Release:
		q.m, q.row = b.Manifest, v.rows[b.Text]
		if q.row != nil && q.row.t.id != a.Pact {
			q.row = nil
		}
	case act.Step:
		q.row = v.rows[b.Text]
	default:
		q.row = v.known(a.Pact)
	}
	w.refusedTo(because)
	w.so(s, &q, because, a.At.Time)
}

// unread checks a refusal of what could not be taken in: the partner's own ledger holds it.
func (w *World) unread(s *Side, v *view, from act.Party, b act.Refusal) {
	if w.refusedTo(b.Because); w.hostile != nil {
		return
	}
	for _, o := range w.sides {
		if o.party != from {
			continue
		}
		if i := slices.Index(o.view.sums, b.Act); i >= 0 && !slices.Contains(v.sums, b.Act) {
			a := o.view.acts[i]
			name, _, _ := strings.Cut(a.By, "@")
			if a.By == "" || v.told[from][name].Key == o.view.persons[name].Key {
				w.fail(43, "%s refuses an act of %s (%s) that it can read: %s", s, from, a.Kind, fmt.Sprint(b.Because))
			}
		}
	}
}
