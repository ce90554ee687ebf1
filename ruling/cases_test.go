package ruling_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"

	"go.yaml.in/yaml/v4"
)

// world draws cases.
type world struct {
	*rand.Rand
	careful bool        // facts are spoilt seldom, so that deeds are allowed
	turning bool        // most happens when the state of the pact turns
	began   []time.Time // moments from which something counts
	moments []time.Time // that stand in the facts: what changes, changes there
}

func newWorld(seed uint64) *world { return &world{Rand: rand.New(rand.NewPCG(seed, 2016))} }

// text is a pact's text, as both evaluators read it.
type text struct {
	p     *pact.Pact
	slow  *slow
	above *text // of an arrangement: what it implements
}

// texts are the shipped pacts, many mutants of each, and arrangements under some of them.
var texts = sync.OnceValue(func() (all []*text) {
	w := newWorld(1)
	for _, id := range pact.Templates() {
		source, _ := pact.Template(id)
		plain := parsed(source)
		for n := range 30 {
			doc := copied(plain).(map[string]any)
			for range min(n, 1+w.IntN(6)) {
				w.mutate(doc)
			}
			settle(doc)
			x := read(doc)
			if x == nil {
				continue // a mutant that is no pact
			}
			all = append(all, x)
			for range 1 + n%2 {
				child := copied(x.slow.doc).(map[string]any)
				child["pact"] = string(id) + "-arrangement"
				relation, _ := child["relation"].(map[string]any)
				if relation = maps.Clone(relation); relation == nil {
					relation = map[string]any{}
				}
				child["relation"] = relation
				if relation["implements"] = []any{string(id)}; w.IntN(8) == 0 {
					relation["implements"] = []any{string(id), "another"}
				}
				for range w.IntN(3) {
					w.mutate(child)
				}
				settle(child)
				if c := read(child); c != nil {
					c.above = x
					all = append(all, c)
				}
			}
		}
	}
	return all
})

// books finds the text of a pact for the slow evaluator.
var books = sync.OnceValue(func() map[any]*slow {
	all := map[any]*slow{}
	for _, x := range texts() {
		all[x.p] = x.slow
	}
	return all
})

func parsed(source []byte) (doc map[string]any) {
	if err := yaml.Unmarshal(source, &doc); err != nil {
		panic(err)
	}
	return plainDates(doc).(map[string]any)
}

// read is nil for what the parser refuses.
func read(doc map[string]any) *text {
	b, err := yaml.Marshal(doc)
	if err != nil {
		panic(err)
	}
	p, problems := pact.Parse(b)
	if len(problems) > 0 {
		return nil
	}
	x := &text{p: p, slow: &slow{doc: copied(doc).(map[string]any)}}
	x.slow.read()
	return x
}

// copied is a plain text that may be changed.
func copied(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, v := range x {
			m[k] = copied(v)
		}
		return m
	case []any:
		all := make([]any, len(x))
		for i := range x {
			all[i] = copied(x[i])
		}
		return all
	}
	return v
}

// plainDates spells dates as the texts do.
func plainDates(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = plainDates(x[k])
		}
	case []any:
		for i := range x {
			x[i] = plainDates(x[i])
		}
	case time.Time:
		return x.Format(time.DateOnly)
	}
	return v
}

func oneOf[T any](w *world, all ...T) T { return all[w.IntN(len(all))] }

// often returns the first value most of the time.
func often[T any](w *world, usual T, others ...T) T {
	if w.seldom() && len(others) > 0 {
		return others[w.IntN(len(others))]
	}
	return usual
}

func (w *world) seldom() bool {
	if w.careful {
		return w.IntN(60) == 0
	}
	return w.IntN(8) == 0
}

// some are a part of a list, never none of it.
func (w *world) some(all []any) []any {
	if len(all) < 2 {
		return all
	}
	i := w.IntN(len(all))
	return slices.Delete(slices.Clone(all), i, i+1)
}

// settle puts right what a parser refuses of terms that do not go together: what is
// above the ceiling, and what would never apply.
func settle(doc map[string]any) {
	ranks := map[any]int{}
	for _, r := range doc["markings"].([]any) {
		ranks[r.(map[string]any)["term"]] = r.(map[string]any)["rank"].(int)
	}
	inside := func(m map[string]any, keys ...string) {
		for _, key := range keys {
			if ranks[m[key]] > ranks[doc["ceiling"]] {
				m[key] = doc["ceiling"]
			}
		}
	}
	channels := doc["channels"].(map[string]any)
	if doc["hub"] == nil {
		delete(channels, "hub")
	}
	inside(channels, slices.Collect(maps.Keys(channels))...)
	inside(doc, "clearance-from")
	inside(doc["receipts"].(map[string]any), "from")
	if copying, ok := doc["copying"].(map[string]any); ok {
		if inside(copying, "consent-from"); copying["copies"] == "forbidden" {
			delete(copying, "limit")
		}
	}
	life := doc["life"].(map[string]any)
	if years, _ := life["term-years"].(int); years == 0 {
		delete(life, "anniversary")
	}
	if life["start"] == "signature" {
		delete(life, "provisional")
	}
}

// mutate changes one term of a text.
func (w *world) mutate(doc map[string]any) {
	rows := doc["markings"].([]any)
	life := doc["life"].(map[string]any)
	term := func() any { return rows[w.IntN(len(rows))].(map[string]any)["term"] }
	switch w.IntN(27) {
	case 0:
		doc["ceiling"] = term()
	case 1:
		doc["floor"] = term()
	case 2:
		doc["clearance-from"] = oneOf(w, term(), "none")
	case 3:
		doc["use"] = oneOf[any](w, "bound", "framework", "free")
	case 4:
		doc["copying"] = map[string]any{"copies": oneOf[any](w, "free", "minimum", "consent", "forbidden"), "translations": oneOf[any](w, "free", "consent", "forbidden"), "extracts": oneOf[any](w, "free", "consent", "forbidden"), "consent-from": term(), "limit": w.IntN(4)}
		if w.IntN(2) == 0 {
			delete(doc["copying"].(map[string]any), "consent-from")
		}
	case 5:
		life["start"] = oneOf(w, "signature", "later-notification", "first-of-month")
	case 6:
		life["term-years"] = w.IntN(6)
	case 7:
		delete(life, "notice-days")
		life["notice-months"] = w.IntN(9)
	case 8:
		life["anniversary"] = oneOf(w, "01-01", "11-23", "02-28", "12-31")
	case 9:
		if life["provisional"] = oneOf(w, "2016-12-01", "2017-06-01", "2021-10-01"); w.IntN(4) == 0 {
			delete(life, "provisional")
		}
	case 10:
		if doc["destruction"] = map[string]any{"methods": []any{oneOf(w, "burn", "shred")}, "witnesses": w.IntN(3)}; w.IntN(3) == 0 {
			doc["destruction"] = map[string]any{"witnesses": w.IntN(2)}
		}
	case 11:
		doc["zone"] = oneOf(w, "UTC", "+09:00", "-05:00", "+05:30")
	case 12, 13, 14: // a clause that only binds where it is kept
		w.clause(doc, oneOf(w, "accreditation", "assurance", "review", "standing-authority"))
	case 15: // one that is kept all the same, or cited by nobody
		w.clause(doc, oneOf(w, "clearance", "need-to-know", "register", "briefing", "authorities", "visits", "reproduction", "translation", "destruction", "reclassification", "survival"))
	case 16:
		doc["subjects"] = w.some(doc["subjects"].([]any))
	case 17:
		doc["forms"] = w.some(doc["forms"].([]any))
	case 18:
		doc["purposes"] = w.some(doc["purposes"].([]any))
	case 19:
		channels := doc["channels"].(map[string]any)
		if c := oneOf(w, "electronic", "courier", "hub"); w.IntN(3) > 0 || len(channels) == 1 {
			channels[c] = term()
		} else {
			delete(channels, c)
		}
	case 20:
		w.legs(doc, term)
	case 21:
		hub, _ := doc["hub"].(map[string]any)
		switch {
		case len(doc["parties"].([]any)) < 3: // between two there is none
		case hub == nil:
			doc["topology"], doc["hub"] = "hub", map[string]any{"party": w.anyParty(doc), "reads": w.IntN(2) == 0}
		case w.IntN(3) == 0:
			delete(doc, "hub")
			doc["topology"] = "mesh"
		default:
			hub["reads"], hub["party"] = w.IntN(2) == 0, w.anyParty(doc)
		}
	case 22:
		audience, reach := map[string]any{}, []string{"public", "community", "clients", "organisation", "recipients"} // the higher, the fewer
		for _, r := range slices.SortedFunc(slices.Values(rows), func(x, y any) int { return x.(map[string]any)["rank"].(int) - y.(map[string]any)["rank"].(int) }) {
			term := r.(map[string]any)["term"].(string)
			if _, ok := audience[term]; !ok {
				reach = reach[w.IntN(len(reach)):]
				audience[term] = reach[0]
			}
		}
		if doc["third-party"] = map[string]any{"release": "audience", "audience": audience, "counts": []any{"court"}}; w.IntN(3) == 0 {
			doc["third-party"] = map[string]any{"release": "consent"}
		}
	case 23:
		doc["receipts"] = map[string]any{"from": term(), "hours": oneOf(w, 1, 24, 30, 72, 96)}
	case 24: // a mark less, from another day or until one, or two terms that change places
		r := rows[w.IntN(len(rows))].(map[string]any)
		switch w.IntN(4) {
		case 0:
			doc["markings"] = slices.DeleteFunc(slices.Clone(rows), func(o any) bool { return fmt.Sprint(o) == fmt.Sprint(r) })
		case 1:
			r["from"] = oneOf(w, "2021-06-01", "2022-09-10")
		case 2:
			r["to"] = oneOf(w, "2022-09-10", "2024-01-01")
		case 3:
			x, y := r["rank"], rows[w.IntN(len(rows))].(map[string]any)["rank"]
			for _, o := range rows {
				switch o := o.(map[string]any); o["rank"] {
				case x:
					o["rank"] = y
				case y:
					o["rank"] = x
				}
			}
		}
	case 25:
		doc["incidents"] = map[string]any{"within-hours": oneOf(w, 0, 24, 72), "possible": w.IntN(2) == 0}
	case 26:
		doc["contractors"] = map[string]any{"allowed": oneOf(w, "forbidden", "conditions")}
	}
}

func (w *world) anyParty(doc map[string]any) any {
	parties := doc["parties"].([]any)
	return parties[w.IntN(len(parties))].(map[string]any)["id"]
}

// clause gives a clause to an article, or takes it from the one that keeps it.
func (w *world) clause(doc map[string]any, c string) {
	articles := doc["articles"].([]any)
	for _, a := range articles {
		a := a.(map[string]any)
		kept, _ := a["clauses"].([]any)
		if i := slices.Index(kept, any(c)); i >= 0 {
			a["record"] = "what people record"
			if a["clauses"] = slices.Delete(slices.Clone(kept), i, i+1); len(kept) == 1 {
				delete(a, "clauses")
			}
			return
		}
	}
	a := articles[w.IntN(len(articles))].(map[string]any)
	kept, _ := a["clauses"].([]any)
	a["clauses"] = append(slices.Clone(kept), c)
}

// legs draws the ways between the parties, or takes them all away.
func (w *world) legs(doc map[string]any, term func() any) {
	parties := doc["parties"].([]any)
	var legs []any
	for i := range parties {
		for j := range i {
			leg := map[string]any{"between": []any{parties[j].(map[string]any)["id"], parties[i].(map[string]any)["id"]}, "ceiling": oneOf(w, doc["ceiling"], term())}
			for _, c := range slices.Sorted(maps.Keys(doc["channels"].(map[string]any))) {
				if by, _ := leg["channels"].([]any); w.IntN(2) == 0 {
					leg["channels"] = append(by, c)
				}
			}
			if w.IntN(4) > 0 {
				legs = append(legs, leg)
			}
		}
	}
	if doc["legs"] = legs; len(legs) == 0 || w.IntN(4) == 0 {
		delete(doc, "legs")
	}
}

var epoch = time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC)

// at keeps a moment that stands in the facts.
func (w *world) at(t time.Time) act.Moment {
	w.moments = append(w.moments, t)
	return act.MomentOf(t)
}

func (w *world) moment() time.Time {
	return epoch.Add(time.Duration(w.IntN(6*365*24*60)-2*365*24*60) * time.Minute)
}

// until is when something ends: far off, or some time; since is when it began.
func (w *world) until() act.Moment { return w.at(often(w, epoch.AddDate(5, 0, 0), w.moment())) }
func (w *world) since() act.Moment { return w.from(often(w, epoch.AddDate(-1, 0, 0), w.moment())) }

// from keeps a moment from which something counts.
func (w *world) from(t time.Time) act.Moment {
	w.began = append(w.began, t)
	return w.at(t)
}

// now is a day of September 2022, some moment, or one at which the facts change.
func (w *world) now() time.Time {
	if (w.turning || w.IntN(5) == 0) && len(w.moments) > 0 {
		return w.moments[w.IntN(len(w.moments))].Add(time.Duration(w.IntN(3)-1) * time.Millisecond)
	}
	return often(w, epoch.AddDate(0, 0, w.IntN(30)), w.moment())
}

// text draws a text, and forgets the moments of the case before.
func (w *world) text() *text {
	w.moments, w.began, w.careful = nil, nil, w.IntN(2) == 0
	return texts()[w.IntN(len(texts()))]
}

// life draws acts, each party's in the order of time, and folds them.
func (w *world) life(x *text) (l pact.Life, events []act.Act) {
	usual := w.careful && w.IntN(20) > 0 || w.IntN(3) > 0
	var begun pact.Life
	if usual {
		for i := range x.p.Parties {
			at := epoch.AddDate(-1, 0, w.IntN(20))
			for _, e := range []act.Act{{Kind: act.PactSigned, At: w.from(at)}, {Kind: act.PactNotified, At: w.from(at.AddDate(0, 0, 3))}} {
				e.From, e.Body = x.p.Parties[i].ID, act.Step{}
				events, begun = append(events, e), begun.Apply(e)
			}
		}
		if t, ok := x.p.Since(begun); ok {
			w.at(t)
		}
		if !x.p.Terms.Provisional.IsZero() {
			w.at(x.p.Terms.Provisional)
		}
	}
	for i := range x.p.Parties {
		q := x.p.Parties[i].ID
		var own []act.Act
		n := w.IntN(4)
		if w.careful && !w.turning && w.IntN(4) > 0 {
			n = 0
		}
		for range n {
			k := oneOf(w, act.PactProposed, act.PactInitialled, act.PactApproved, act.PactSigned, act.PactNotified, act.PactNotice, act.PactNotice, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead, act.PactCancelled)
			at := w.moment()
			if end, ok := x.p.TermEnd(begun, at); ok && w.IntN(3) == 0 { // just where it makes a difference
				if deadline, _ := x.p.Deadline(begun, at); w.IntN(2) == 0 {
					end = deadline
				}
				at = end.Add(time.Duration(w.IntN(3)-1) * time.Millisecond)
				w.at(end)
			}
			if start, ok := x.p.Since(begun); ok && w.IntN(8) == 0 {
				at = start.Add(time.Duration(w.IntN(3)-1) * time.Millisecond)
			}
			a := act.Act{Kind: k, From: q, At: w.from(at), Body: act.Step{}}
			if k == act.PactRead {
				a.Body = act.Interpretation{Phase: oneOf(w, "terminated", "terminated", "in-force", "notice-suspended")}
			}
			own = append(own, a)
		}
		slices.SortStableFunc(own, func(a, b act.Act) int { return a.At.Compare(b.At.Time) })
		events = append(events, own...)
	}
	for _, e := range events {
		l = l.Apply(e)
	}
	for _, e := range events {
		if e.Kind.Answered() && w.IntN(3) == 0 {
			came := w.moment()
			for _, n := range l.Notices {
				if n.By == e.From && e.Kind != act.PactNotice && w.IntN(2) == 0 {
					came = x.p.Ends(l, n.At.Time).Add(time.Duration(w.IntN(3)-1) * time.Millisecond)
				}
			}
			l = x.p.Answered(l, pact.Answer{Kind: e.Kind, By: e.From, At: e.At, Party: w.party(x), Came: w.from(came), Void: w.IntN(4) == 0})
		}
		if end, ok := x.p.TermEnd(l, e.At.Time); ok && e.Kind == act.PactNotice {
			w.at(end)
		}
	}
	if t, ok := x.p.Since(l); ok {
		w.from(t)
	}
	return l, events
}

// mark draws one of a party's, most often one that the pact covers.
func (w *world) mark(x *text, q act.Party) act.Mark {
	var own, covered []act.Mark
	for _, r := range x.p.Table {
		if r.Mark.Party == q {
			own = append(own, r.Mark)
			if _, holds := x.p.Table.Rank(r.Mark, epoch); holds && r.Rank >= x.p.Floor && r.Rank <= x.p.Ceiling {
				covered = append(covered, r.Mark)
			}
		}
	}
	if len(own) == 0 {
		return act.Mark{Party: q, Text: "unheard of"}
	}
	if len(covered) == 0 {
		covered = own
	}
	return often(w, covered[w.IntN(len(covered))], own[w.IntN(len(own))], act.Mark{Party: q, Text: "unheard of"}, x.p.Table[w.IntN(len(x.p.Table))].Mark)
}

// highest is a party's highest mark on the first day.
func (w *world) highest(x *text, q act.Party) (m act.Mark) {
	most := 0
	for _, r := range x.p.Table {
		if _, holds := x.p.Table.Rank(r.Mark, epoch); holds && r.Mark.Party == q && r.Rank > most {
			m, most = r.Mark, r.Rank
		}
	}
	return m
}

func (w *world) party(x *text) act.Party { return x.p.Parties[w.IntN(len(x.p.Parties))].ID }

func (w *world) manifest(x *text) act.Manifest {
	o := w.party(x)
	var to []act.Party
	for range often(w, 1, 0, 2) {
		q := w.party(x)
		if q == o && w.IntN(4) > 0 {
			continue
		}
		to = append(to, often(w, q, "ZZ"))
	}
	for i := range x.p.Parties {
		if q := x.p.Parties[i].ID; q != o && len(to) == 0 && !w.seldom() {
			to = append(to, q)
		}
	}
	m := act.Manifest{Number: often(w, act.Number(o)+"-2016-7Q4K-M2XT", w.number(w.party(x))), Pact: often(w, x.p.ID, "another"), Kind: oneOf(w, "report", "imagery"),
		Subject: often(w, x.p.Subjects[w.IntN(len(x.p.Subjects))], "fish"), Form: often(w, x.p.Forms[w.IntN(len(x.p.Forms))], "rumour"),
		Purpose: w.purpose(x), Mark: w.mark(x, o), Originator: o, Origins: often(w, []act.Party{o}, []act.Party{"ZZ"}), Recipients: to, Made: w.at(often(w, epoch, w.moment()))}
	if q := oneOf(w, w.party(x), "ZZ"); w.IntN(5) == 0 && !slices.Contains(m.Origins, q) {
		m.Origins = append(m.Origins, q)
	}
	if w.IntN(8) == 0 {
		at := w.at(oneOf(w, epoch.AddDate(5, 0, 0), w.moment()))
		m.Review = &at
	}
	if w.IntN(4) == 0 {
		for range 1 + w.IntN(2) {
			m.Lineage = append(m.Lineage, act.Lineage{Of: w.number(m.Origins[w.IntN(len(m.Origins))]), How: "excerpt"})
		}
	}
	if w.IntN(5) == 0 {
		m.Caveats = oneOf(w, []string{"no copy"}, []string{"eyes only"}, []string{"eyes only", "no copy"})
	}
	return m
}

// number is one of two of a party's.
func (w *world) number(o act.Party) act.Number {
	return act.Number(o) + oneOf[act.Number](w, "-2016-AAAA-AAAA", "-2016-BBBB-BBBB")
}

func (w *world) purpose(x *text) string {
	return often(w, x.p.Purposes[w.IntN(len(x.p.Purposes))].ID, "gain")
}

func (w *world) person(x *text, own act.Party) act.Person {
	clearance := w.highest(x, own).Text
	if !w.careful || w.IntN(8) == 0 {
		clearance = w.mark(x, own).Text
	}
	p := act.Person{Name: often(w, "kim", ""), Clearance: often(w, clearance, ""), Until: w.until(), Briefed: often(w, true, false), Facility: often(w, "hq", ""), Left: often(w, false, true),
		Offices: often(w, []act.Office{act.Releasing, act.Reading, act.Registry, act.Signing}, nil, []act.Office{act.Reading}, []act.Office{act.Registry}, []act.Office{act.Releasing})}
	for range often(w, 1, 0, 2) {
		n := act.Need{Pact: often(w, x.p.ID, "another"), Purposes: []string{w.purpose(x)}}
		for _, q := range x.p.Purposes {
			if w.careful || w.IntN(3) > 0 {
				n.Purposes = append(n.Purposes, q.ID)
			}
		}
		p.Needs = append(p.Needs, n)
	}
	return p
}

// consents draws approvals of the originators of a product and of what it was made from.
func (w *world) consents(m act.Manifest, purpose string, to []act.Party, deeds []string, from ...ruling.Source) (all []product.Consent) {
	numbers, by := []act.Number{m.Number, m.Number}, append(slices.Clone(m.Origins), m.Origins...)
	for _, l := range m.Lineage {
		numbers = append(numbers, l.Of)
	}
	for _, s := range from {
		numbers, by = append(numbers, s.Manifest.Number, s.Manifest.Number), append(by, s.Manifest.Origins...)
	}
	for range w.IntN(5) {
		c := act.Consent{Number: oneOf(w, numbers...), Deed: oneOf(w, deeds...), Purpose: often(w, purpose, "gain"), Until: w.until(), Uses: 1 + w.IntN(2)}
		if c.Deed == "pass-on" {
			c.Recipient = oneOf(w, append([]act.Party{"ZZ"}, to...)...)
		}
		k := product.Consent{Consent: c, By: often(w, oneOf(w, by...), "ZZ"), Given: w.since(), Used: often(w, 0, 1, 2), Withdrawn: often(w, false, true)}
		k.Act = act.Digest(sha256.Sum256(fmt.Append(nil, len(all), w.Uint64())))
		all = append(all, k)
	}
	return all
}

func (w *world) accreditations(x *text, own act.Party, channel string) (all []product.Accreditation) {
	_, wanted := x.p.Cite(pact.Accreditation)
	n := w.IntN(3)
	if w.careful && wanted {
		n++
	}
	for range n {
		all = append(all, product.Accreditation{Accreditation: act.Accreditation{Channel: often(w, channel, "courier"), Mark: oneOf(w, w.highest(x, own), w.mark(x, own)), Until: w.until()}, Given: w.since()})
	}
	return all
}

func (w *world) hub(x *text) (h ruling.Hub) {
	if w.IntN(5) == 0 {
		h = ruling.Hub{Party: oneOf(w, x.p.Hub.Party, w.party(x), "ZZ"), Reads: w.IntN(2) == 0}
	}
	return h
}

func (w *world) channel(x *text) string {
	all := slices.Sorted(maps.Keys(x.p.Channels))
	return often(w, all[w.IntN(len(all))], "electronic", "courier", "hub", "pigeon")
}

// source draws a product that another was made from: under the same pact, or
// another that has its maker as a party, or not known here.
func (w *world) source(x *text, own act.Party) ruling.Source {
	from := x
	for range 3 * w.IntN(2) {
		if y := texts()[w.IntN(len(texts()))]; y.p.Has(own) {
			from = y
		}
	}
	m := w.manifest(from)
	if m.Number = w.number(m.Originator); w.IntN(2) == 0 {
		m.Recipients = append(m.Recipients, own)
	}
	s := ruling.Source{Pact: often(w, from.p, nil), Manifest: m, Mark: often(w, m.Mark, w.mark(from, m.Originator)), On: m.Made.Time, How: oneOf(w, "answer", "translation", "excerpt", "assessment")}
	return s
}

func (w *world) release(x *text, l pact.Life) *ruling.ReleaseFacts {
	m := w.manifest(x)
	f := &ruling.ReleaseFacts{Pact: x.p, Life: l, Own: often(w, m.Originator, w.party(x)), Officer: w.person(x, m.Originator), Notified: often(w, true, false),
		Channel: w.channel(x), Hub: w.hub(x), Drafter: act.Person{Name: often(w, "", "lee", "kim"), Identity: often(w, "", "1", "2")}, Giver: act.Person{Identity: often(w, "", "1", "2")}, Blocked: often(w, "", "", "an unknown act"), House: ruling.House{SecondPersonFrom: w.IntN(4)}}
	f.Officer.Identity = often(w, "", "1", "2")
	if w.IntN(3) == 0 {
		m.Lineage = nil
		for range 1 + w.IntN(2) {
			s := w.source(x, f.Own)
			f.Sources = append(f.Sources, s)
			m.Lineage = append(m.Lineage, act.Lineage{Of: s.Manifest.Number, How: s.How})
			for _, o := range s.Manifest.Origins {
				if !slices.Contains(m.Origins, o) && !w.seldom() {
					m.Origins = append(m.Origins, o)
				}
			}
			if !w.seldom() {
				m.Caveats = append(m.Caveats, s.Manifest.Caveats...)
			}
			if s.Pact != nil && w.IntN(3) > 0 {
				m.Purpose = s.Manifest.Purpose
			}
			if w.IntN(2) == 0 {
				m.Mark = w.highest(x, m.Originator)
			}
		}
	}
	f.Manifest = m
	f.Consents = w.consents(m, m.Purpose, m.Recipients, []string{"pass-on", "pass-on", "purpose", "translate", "extract"}, f.Sources...)
	if len(f.Sources) > 0 || len(m.Origins) > 1 { // each origin may well have agreed to all of it
		w.agreed(f)
	}
	for _, to := range m.Recipients {
		if x.p.Has(to) && (w.careful || w.IntN(3) > 0) {
			f.Assured = append(f.Assured, product.Assurance{Assurance: act.Assurance{Mark: oneOf(w, w.highest(x, to), w.mark(x, to)), Until: w.until()}, By: often(w, to, "ZZ"), Given: w.since()})
		}
	}
	f.Accredited = w.accreditations(x, m.Originator, f.Channel)
	_, standing := x.p.Cite(pact.StandingAuthority)
	if standing && w.IntN(2) == 0 || !w.careful && w.IntN(5) == 0 {
		f.Mandate = &product.Mandate{Mandate: act.Mandate{Pact: often(w, x.p.ID, "another"), Kind: often(w, m.Kind, "rumour"), Subject: often(w, m.Subject, "fish"), Purpose: often(w, m.Purpose, "gain"), Mark: oneOf(w, w.highest(x, m.Originator), w.mark(x, m.Originator)), Until: w.until()},
			By: oneOf(w, "kim@", "lee@") + string(m.Originator), Given: w.since(), Withdrawn: often(w, false, true)}
	}
	f.Now = w.now()
	return f
}

// agreed adds the approvals that a derived product wants, most often all of them.
func (w *world) agreed(f *ruling.ReleaseFacts) {
	m := &f.Manifest
	add := func(o act.Party, n act.Number, deed string, to act.Party) {
		if w.IntN(6) == 0 {
			return
		}
		f.Consents = append(f.Consents, product.Consent{Consent: act.Consent{Number: n, Deed: deed, Recipient: to, Purpose: often(w, m.Purpose, "gain"), Until: w.until(), Uses: 1}, By: o, Given: w.since(), Withdrawn: often(w, false, true)})
	}
	for _, o := range m.Origins {
		for _, to := range m.Recipients {
			add(o, m.Number, "pass-on", to)
		}
	}
	for _, s := range f.Sources {
		for _, o := range s.Manifest.Origins {
			add(o, oneOf(w, s.Manifest.Number, m.Number), "purpose", "")
			switch s.How {
			case "excerpt":
				add(o, s.Manifest.Number, "extract", "")
			case "translation":
				add(o, s.Manifest.Number, "translate", "")
			}
		}
	}
}

func (w *world) accept(x *text, l pact.Life) *ruling.AcceptFacts {
	m := w.manifest(x)
	own := w.party(x)
	if len(m.Recipients) > 0 && !w.seldom() {
		own = m.Recipients[w.IntN(len(m.Recipients))]
	}
	f := &ruling.AcceptFacts{Pact: x.p, Life: l, Own: own, From: often(w, m.Originator, w.party(x)), Manifest: m, Channel: w.channel(x), Hub: w.hub(x), Blocked: often(w, "", "", "an unknown act"), NumberUsed: often(w, false, true),
		Consents: w.consents(m, m.Purpose, m.Recipients, []string{"pass-on"})}
	f.Accredited = w.accreditations(x, own, f.Channel)
	f.Act = act.Act{From: f.From, To: often(w, m.Recipients, append([]act.Party{"ZZ"}, m.Recipients...)), By: often(w, "kim@"+string(m.Originator), ""), Pact: often(w, x.p.ID, "another"), At: w.from(w.now())}
	due := f.Act.At.Add(x.p.Receipt.Within)
	f.Now = often(w, f.Act.At.Add(time.Duration(w.IntN(1000))*time.Minute), f.Act.At.Add(-24*time.Hour), f.Act.At.Add(-24*time.Hour-time.Millisecond), due, due.Add(time.Millisecond), w.now(), w.now())
	f.Came = often(w, f.Now, due, due.Add(time.Millisecond))
	for _, s := range m.Lineage {
		if w.IntN(2) == 0 {
			source := w.manifest(x)
			source.Number = s.Of
			f.Sources = append(f.Sources, source)
		}
	}
	return f
}

func (w *world) reading(x *text, l pact.Life) *ruling.ReadFacts {
	m := w.manifest(x)
	f := &ruling.ReadFacts{Pact: x.p, Life: l, Own: w.party(x), Manifest: m, Purpose: often(w, m.Purpose, w.purpose(x), w.purpose(x))}
	if w.IntN(4) == 0 {
		f.Purpose = w.purpose(x)
	}
	f.Person = w.person(x, f.Own)
	f.Custody = product.Custody{Received: often(w, map[act.Party]product.Receipt{f.Own: {}}, nil)}
	if w.IntN(10) == 0 || m.Review != nil && w.IntN(2) == 0 {
		at := w.at(oneOf(w, epoch.AddDate(5, 0, 0), w.moment()))
		f.Custody.Reviewed = &at
	}
	if w.seldom() {
		f.Custody.Refused = map[act.Party]product.Refusal{f.Own: {}}
	}
	if w.seldom() {
		f.Custody.Destroyed = map[act.Party]*act.Certificate{f.Own: {}}
	}
	for range w.IntN(12) / 10 * (1 + w.IntN(2)) {
		f.Custody.Reclassified = append(f.Custody.Reclassified, product.Remark{Mark: w.mark(x, m.Originator), At: w.since()})
	}
	f.Consents = w.consents(m, f.Purpose, []act.Party{"ZZ", "YY"}, []string{"purpose"})
	f.Now = w.now()
	return f
}

func (w *world) deed(x *text, l pact.Life, deed string) *ruling.DoFacts {
	f := &ruling.DoFacts{ReadFacts: *w.reading(x, l), Deed: deed, Recipient: often[act.Party](w, "ZZ", "YY", w.party(x), ""), Standing: oneOf(w, "", "recipients", "organisation", "clients", "community", "public"),
		Copies: w.IntN(4), Method: oneOf(w, "burn", "shred", "erase", often(w, "burn", "prayer")), Witnesses: w.IntN(3), Mark: w.mark(x, w.party(x))}
	f.Consents = append(f.Consents, w.consents(f.Manifest, f.Purpose, []act.Party{"ZZ", "YY"}, []string{deed, deed, "pass-on", "copy", "translate", "extract"})...)
	if deed == "downgrade" {
		f.Own, f.Mark = often(w, f.Manifest.Originator, f.Own), w.mark(x, f.Manifest.Originator)
		if w.careful {
			f.Manifest.Origins = []act.Party{f.Manifest.Originator}
			f.Manifest.Mark = often(w, w.highest(x, f.Manifest.Originator), f.Manifest.Mark)
		}
	}
	if !w.seldom() {
		approved, ended := oneOf(w, w.highest(x, f.Own), w.mark(x, f.Own)), w.at(w.moment())
		f.Visitor, f.Visit = often(w, "lee", "kim"), &product.Visit{Visit: act.Visit{Visitors: []string{"lee", "park"}, From: w.since(), Until: w.until()},
			Pact: often(w, f.Manifest.Pact, "another"), By: w.party(x), Host: often(w, f.Own, "ZZ"), Approved: often(w, &approved, nil), Ended: often(w, nil, &ended)}
	}
	f.Now = w.now()
	return f
}

func (w *world) visit(x *text, l pact.Life) *ruling.VisitFacts {
	own := w.party(x)
	ended := w.at(w.moment())
	f := &ruling.VisitFacts{Pact: x.p, Life: l, Own: own, Mark: w.mark(x, own), Person: w.person(x, own),
		Visit: often(w, &product.Visit{Visit: act.Visit{From: w.since(), Until: w.until()}, Pact: x.p.ID, By: often(w, w.party(x), "ZZ"), Host: often(w, own, "ZZ"), Ended: often(w, nil, &ended)}, nil)}
	f.Now = w.now()
	return f
}

// steps are what a party may do in a pact's life.
var steps = []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactNotified, act.PactCancelled, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead}

func (w *world) step(x *text, l pact.Life, k act.Kind) *ruling.PactFacts {
	f := &ruling.PactFacts{Pact: x.p, Life: l, Own: often(w, w.party(x), "ZZ"), Step: k, Person: w.person(x, w.party(x))}
	if x.above != nil {
		f.Above = append(f.Above, often(w, x.above.p, texts()[w.IntN(len(texts()))].p))
		f.Above = often(w, f.Above, nil)
	}
	f.Now = w.now()
	return f
}
