package ruling_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/ruling"
)

// tightening is how a text says less: what each field of a pact and each clause
// of the closed set can be narrowed by.
type tightening struct {
	by    []func(w *world, doc map[string]any) bool // false: this text cannot be narrowed so
	like  []string                                  // of a clause: the fields that say what it holds
	duty  bool                                      // people or other parts keep it: no ruling gets another answer
	quiet bool                                      // only of lives without notices and readings
	keep  bool                                      // of a clause: an article keeps it that did not
	drop  bool                                      // of a clause that allows: no article keeps it any more
	deed  string                                    // that it is likely to refuse; empty: any
	none  string                                    // why there is nothing to narrow
}

// The ways to change a plain text. Each reports whether it changed anything.

func object(doc map[string]any, key string) map[string]any {
	m, _ := doc[key].(map[string]any)
	if m == nil {
		m = map[string]any{}
		doc[key] = m
	}
	return m
}

func at(doc map[string]any, path string) (m map[string]any, key string) {
	if outer, inner, nested := strings.Cut(path, "."); nested {
		return object(doc, outer), inner
	}
	return doc, path
}

// fewer takes one of a list away, never the last.
func fewer(path string) func(*world, map[string]any) bool {
	return func(w *world, doc map[string]any) bool {
		m, key := at(doc, path)
		all, _ := m[key].([]any)
		if len(all) < 2 {
			return false
		}
		m[key] = w.some(all)
		return true
	}
}

// step puts a stricter word of an order in the place of the one that is there.
func stricter(path, otherwise string, fromFree ...string) func(*world, map[string]any) bool {
	return func(w *world, doc map[string]any) bool {
		m, key := at(doc, path)
		now, ok := m[key].(string)
		if !ok {
			now = otherwise
		}
		i := slices.Index(fromFree, now) + 1
		if i < 1 || i == len(fromFree) {
			return false
		}
		m[key] = fromFree[i+w.IntN(len(fromFree)-i)]
		return true
	}
}

// number sets a number, where next gives another.
func number(path string, next func(now int) int) func(*world, map[string]any) bool {
	return func(_ *world, doc map[string]any) bool {
		m, key := at(doc, path)
		now, _ := m[key].(int)
		n := next(now)
		m[key] = n
		return n != now
	}
}

// ranks are the terms of a text, from the lowest.
func ranks(doc map[string]any) (terms []string) {
	by := map[int]string{}
	for _, r := range doc["markings"].([]any) {
		r := r.(map[string]any)
		by[r["rank"].(int)] = r["term"].(string)
	}
	for _, n := range slices.Sorted(maps.Keys(by)) {
		terms = append(terms, by[n])
	}
	return terms
}

// moved moves a term up or down the table; otherwise is where it stands if left out.
func moved(path string, up bool, otherwise func(terms []string) int) func(*world, map[string]any) bool {
	return func(w *world, doc map[string]any) bool {
		m, key := at(doc, path)
		terms := ranks(doc)
		i := otherwise(terms)
		if t, ok := m[key].(string); ok {
			if i = slices.Index(terms, t); i < 0 { // none: from no term on
				i = len(terms)
			}
		}
		if up && i+1 >= len(terms) || !up && i < 1 {
			return false
		}
		if m[key] = terms[w.IntN(max(i, 1))]; up {
			m[key] = terms[i+1+w.IntN(len(terms)-i-1)]
		}
		return true
	}
}

func lowest([]string) int       { return 0 }
func beyond(terms []string) int { return len(terms) }

// kept reports whether an article keeps a clause.
func kept(doc map[string]any, c string) bool {
	return some(doc["articles"].([]any), func(a any) bool { return in(c, words(a.(map[string]any)["clauses"])) })
}

type changes = []func(*world, map[string]any) bool

var modes = []string{"free", "minimum", "consent", "forbidden"}

// tightenings has a row for each field of a pact and for each clause.
var tightenings = map[string]tightening{
	"ID": {none: "a name"}, "Version": {none: "a number"}, "Title": {none: "words"}, "Text": {none: "the digest"}, "Notes": {none: "words"}, "Doubts": {none: "words"},
	"Zone": {none: "its days begin at another instant: some sooner, some later"}, "Binding": {none: "force in law: no term"},
	"Parties":  {none: "with other parties it is another pact: fewer of them bring it into force"},
	"Topology": {none: "the legs and the hub say it"}, "Hub.Party": {none: "another hub reads in the place of the one"}, "Provide": {none: "a duty to provide, which nobody has"},
	"Articles": {none: "their clauses have rows of their own"},

	"Hub.Reads": {deed: "release", by: changes{func(_ *world, doc map[string]any) bool {
		hub, ok := doc["hub"].(map[string]any)
		was, _ := hub["reads"].(bool)
		if ok {
			hub["reads"] = false
		}
		return was
	}}},
	"Subjects": {by: changes{fewer("subjects")}},
	"Forms":    {by: changes{fewer("forms")}},
	"Purposes": {by: changes{fewer("purposes")}},
	"Table": {by: changes{func(w *world, doc map[string]any) bool { // a mark less; an accreditation in it then binds only where the pact asks for one
		rows := doc["markings"].([]any)
		r := rows[w.IntN(len(rows))].(map[string]any)
		doc["markings"] = slices.DeleteFunc(slices.Clone(rows), func(o any) bool {
			return o.(map[string]any)["mark"] == r["mark"] && o.(map[string]any)["party"] == r["party"]
		})
		return kept(doc, string(pact.Accreditation))
	}, func(w *world, doc map[string]any) bool { // one that ends
		rows := doc["markings"].([]any)
		r := rows[w.IntN(len(rows))].(map[string]any)
		was := r["to"]
		r["to"] = "2022-09-01"
		return was == nil && kept(doc, string(pact.Accreditation))
	}}},
	"Floor": {by: changes{moved("floor", true, lowest)}},
	"Ceiling": {by: changes{func(w *world, doc map[string]any) bool {
		done := moved("ceiling", false, lowest)(w, doc)
		settle(doc) // no channel reaches above it
		return done
	}}},
	"Channels": {by: changes{func(w *world, doc map[string]any) bool { // one less
		all := doc["channels"].(map[string]any)
		if len(all) < 2 {
			return false
		}
		c := slices.Sorted(maps.Keys(all))[w.IntN(len(all))]
		delete(all, c)
		return true
	}, func(w *world, doc map[string]any) bool { // one lower
		all := doc["channels"].(map[string]any)
		return moved("channels."+slices.Sorted(maps.Keys(all))[w.IntN(len(all))], false, lowest)(w, doc)
	}}},
	"Legs": {by: changes{func(w *world, doc map[string]any) bool { // where there were none
		_, had := doc["legs"]
		w.legs(doc, func() any { return doc["ceiling"] })
		_, have := doc["legs"]
		return !had && have
	}, func(w *world, doc map[string]any) bool { // one less
		return fewer("legs")(w, doc)
	}, func(w *world, doc map[string]any) bool { // one lower
		legs, ok := doc["legs"].([]any)
		if !ok {
			return false
		}
		doc["leg"] = legs[w.IntN(len(legs))]
		defer delete(doc, "leg")
		return moved("leg.ceiling", false, lowest)(w, doc)
	}, func(w *world, doc map[string]any) bool { // by fewer channels
		legs, ok := doc["legs"].([]any)
		return ok && fewer("channels")(w, legs[w.IntN(len(legs))].(map[string]any))
	}}},
	"Third.Release": {deed: "pass-on", by: changes{func(_ *world, doc map[string]any) bool {
		was := object(doc, "third-party")["release"]
		doc["third-party"] = map[string]any{"release": "consent"}
		return was == "audience"
	}}},
	"Third.Audience": {deed: "pass-on", by: changes{func(w *world, doc map[string]any) bool {
		audience, ok := object(doc, "third-party")["audience"].(map[string]any)
		if !ok {
			return false
		}
		term := slices.Sorted(maps.Keys(audience))[w.IntN(len(audience))]
		return stricter(term, "", "public", "community", "clients", "organisation", "recipients")(w, audience)
	}}},
	"Third.Counts": {duty: true, by: changes{func(_ *world, doc map[string]any) bool {
		m := object(doc, "third-party")
		was := len(words(m["counts"]))
		m["counts"] = []any{"contractor", "overseer", "court"}
		return was < 3
	}}},
	"Use":     {by: changes{stricter("use", "bound", "free", "framework", "bound")}},
	"Cleared": {by: changes{moved("clearance-from", false, lowest)}},

	"Receipt.From":   {duty: true, by: changes{moved("receipts.from", false, lowest)}},
	"Receipt.Within": {duty: true, by: changes{number("receipts.hours", func(n int) int { return (n + 1) / 2 })}},

	"Copying.Copies":       {deed: "copy", by: changes{stricter("copying.copies", "consent", modes...)}},
	"Copying.Translations": {deed: "translate", by: changes{stricter("copying.translations", "consent", modes...)}},
	"Copying.Extracts":     {deed: "extract", by: changes{stricter("copying.extracts", "consent", modes...)}},
	"Copying.ConsentFrom":  {deed: "copy", by: changes{moved("copying.consent-from", false, beyond)}},
	"Copying.Limit": {deed: "copy", by: changes{number("copying.limit", func(n int) int {
		if n == 0 {
			return 2
		}
		return (n + 1) / 2
	})}},
	"Destroy.Methods": {deed: "destroy", by: changes{fewer("destruction.methods"), func(_ *world, doc map[string]any) bool { // where there were any
		m := object(doc, "destruction")
		_, had := m["methods"]
		m["methods"] = []any{"burn"}
		return !had
	}}},
	"Destroy.Witnesses": {deed: "destroy", by: changes{number("destruction.witnesses", func(n int) int { return min(n+1, 4) })}},
	"Destroy.Keep":      {duty: true, by: changes{number("destruction.keep-years", func(n int) int { return n + 5 })}},

	"Contract.Allowed": {duty: true, by: changes{stricter("contractors.allowed", "forbidden", "conditions", "forbidden")}},
	"Contract.Performance": {duty: true, by: changes{func(_ *world, doc map[string]any) bool {
		object(doc, "contractors")["place-of-performance"] = true
		return true
	}}},
	"Incident.Within":   {duty: true, by: changes{number("incidents.within-hours", func(n int) int { return n / 2 })}},
	"Incident.Possible": {duty: true, by: changes{func(_ *world, doc map[string]any) bool { object(doc, "incidents")["possible"] = true; return true }}},
	"Visits.Lead":       {duty: true, by: changes{number("visits.lead-days", func(n int) int { return n + 30 })}},
	"Visits.Inspection": {duty: true, by: changes{func(_ *world, doc map[string]any) bool { object(doc, "visits")["inspection"] = "mutual"; return true }}},

	"Terms.Start": {quiet: true, by: changes{stricter("life.start", "", "signature", "later-notification", "first-of-month")}},
	"Terms.Provisional": {by: changes{func(_ *world, doc map[string]any) bool { // not, or later
		life := object(doc, "life")
		_, had := life["provisional"]
		delete(life, "provisional")
		return had
	}, func(_ *world, doc map[string]any) bool {
		life := object(doc, "life")
		day, had := life["provisional"]
		life["provisional"] = "2022-09-20"
		return had && fmt.Sprint(day) < "2022-09-20"
	}}},
	"Terms.Years":        {by: changes{number("life.term-years", func(n int) int { return min(n, 1) })}},
	"Terms.Notice":       {by: changes{number("life.notice-days", func(n int) int { return n / 2 })}},
	"Terms.NoticeMonths": {by: changes{number("life.notice-months", func(n int) int { return n / 2 })}},
	"Terms.Anniversary":  {none: "terms end on another day: some sooner, some later"},
	"Terms.Suspension":   {none: "says that the text knows it; the parties read it (decisions/007)"},
	"Amend":              {none: "an amendment is another text"},

	"Language.Authentic": {none: "words"}, "Language.Publication": {none: "who may see the text, and no product"}, "Disputes": {none: "people settle them"}, "Costs": {none: "money"},
	"Relation.Implements": {none: "asked when it is signed: TestSlow"}, "Relation.Supplements": {none: "told, and asked by no ruling"}, "Relation.ProtectedBy": {none: "told, and asked by no ruling"}, "Relation.Supersedes": {none: "told, and asked by no ruling"},
	"Report.To":    {duty: true, by: changes{func(_ *world, doc map[string]any) bool { object(doc, "reporting")["to"] = "parliament"; return true }}},
	"Report.Every": {duty: true, by: changes{number("reporting.every-months", func(n int) int { return max(1, n/2) })}},

	string(pact.InForce):           {like: []string{"Terms.Start", "Terms.Provisional"}},
	string(pact.Subjects):          {like: []string{"Subjects", "Forms"}},
	string(pact.Markings):          {like: []string{"Table", "Floor", "Ceiling"}},
	string(pact.ThirdParty):        {like: []string{"Third.Release", "Third.Audience", "Hub.Reads"}},
	string(pact.Purpose):           {like: []string{"Purposes", "Use"}},
	string(pact.Channels):          {like: []string{"Channels", "Legs"}},
	string(pact.Duration):          {like: []string{"Terms.Years", "Terms.Notice", "Terms.NoticeMonths"}},
	string(pact.Assurance):         {deed: "release", keep: true},
	string(pact.Review):            {deed: "read", keep: true},
	string(pact.Accreditation):     {deed: "release", keep: true},
	string(pact.StandingAuthority): {deed: "release", drop: true},
	// These bind whether an article keeps them or not: keeping them gives a ruling what to cite.
	string(pact.Clearance):         {duty: true, keep: true, like: []string{"Cleared"}},
	string(pact.Reproduction):      {duty: true, keep: true, like: []string{"Copying.Copies", "Copying.ConsentFrom", "Copying.Limit"}},
	string(pact.Translation):       {duty: true, keep: true, like: []string{"Copying.Translations", "Copying.Extracts"}},
	string(pact.Destruction):       {duty: true, keep: true, like: []string{"Destroy.Methods", "Destroy.Witnesses"}},
	string(pact.Reclassification):  {duty: true, keep: true},
	string(pact.NeedToKnow):        {duty: true, keep: true},
	string(pact.Visiting):          {duty: true, keep: true},
	string(pact.Register):          {duty: true, keep: true},
	string(pact.Briefing):          {duty: true, keep: true},
	string(pact.Receipts):          {duty: true, keep: true},
	string(pact.Authorities):       {duty: true, keep: true},
	string(pact.OriginatorControl): {duty: true, keep: true},
	string(pact.Survival):          {duty: true, keep: true},
}

// fields are the paths of the exported fields of a pact.
func fields(t reflect.Type, prefix string) (all []string) {
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case !f.IsExported():
		case f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == t.PkgPath():
			all = append(all, fields(f.Type, prefix+f.Name+".")...)
		default:
			all = append(all, prefix+f.Name)
		}
	}
	return all
}

// permissions are the deeds that a text allows: all that is ruled on but the steps of its life.
var permissions = []string{"release", "release", "release", "accept", "read", "pass-on", "copy", "translate", "extract", "show", "review", "downgrade", "destroy", "visit"}

// under are facts as they are under another text of the pact x; what is derived may
// have come under it too.
func under(p, x *pact.Pact, facts any) any {
	c, text, _ := anew(facts)
	*text = p
	if f, ok := c.(*ruling.ReleaseFacts); ok {
		f.Sources = slices.Clone(f.Sources)
		for i := range f.Sources {
			if f.Sources[i].Pact == x {
				f.Sources[i].Pact = p
			}
		}
	}
	return c
}

// anew is a copy of facts, with the places of their pact and of their moment.
func anew(facts any) (c any, text **pact.Pact, now *time.Time) {
	switch f := facts.(type) {
	case *ruling.ReleaseFacts:
		f = ptr(*f)
		return f, &f.Pact, &f.Now
	case *ruling.AcceptFacts:
		f = ptr(*f)
		return f, &f.Pact, &f.Now
	case *ruling.ReadFacts:
		f = ptr(*f)
		return f, &f.Pact, &f.Now
	case *ruling.VisitFacts:
		f = ptr(*f)
		return f, &f.Pact, &f.Now
	}
	f := ptr(*facts.(*ruling.DoFacts))
	return f, &f.Pact, &f.Now
}

// wider says what a ruling allows that another does not.
func wider(wide, narrow ruling.Ruling) string {
	switch {
	case !narrow.Allowed:
		return ""
	case !wide.Allowed:
		return fmt.Sprintf("it is allowed, and was refused: %s", wide)
	case wide.SecondPerson && !narrow.SecondPerson:
		return "it needs no second person any more"
	case len(narrow.Duties) < len(wide.Duties):
		return "a duty is gone"
	}
	return ""
}

// TestNarrower: a restriction more never allows more, of each field of a pact and
// each clause of the closed set; a row is missing, or never bites: it fails.
func TestNarrower(t *testing.T) {
	known := map[string]bool{}
	for _, f := range fields(reflect.TypeFor[pact.Pact](), "") {
		known[f] = true
	}
	for _, c := range pact.Clauses() {
		known[string(c)] = true
	}
	for key := range known {
		if _, ok := tightenings[key]; !ok {
			t.Errorf("nothing says how %s is narrowed: add a row", key)
		}
	}
	w := newWorld(7)
	compared := 0
	for _, key := range slices.Sorted(maps.Keys(tightenings)) {
		row := tightenings[key]
		for _, f := range row.like {
			if len(tightenings[f].by) == 0 {
				t.Errorf("%s is narrowed like %s, which is not", key, f)
			}
		}
		if !known[key] || len(row.by)+len(row.like) == 0 && !row.keep && !row.drop && row.none == "" {
			t.Errorf("%s is no field of a pact and no clause, or its row says nothing", key)
		}
		all := row.by
		if row.keep || row.drop {
			all = changes{nil}
		}
		for i, change := range all {
			n, bites := w.narrow(t, key, row, change)
			if compared += n; n == 0 || !row.duty && bites == 0 {
				t.Errorf("%s (%d): of %d comparisons %d were refused for it alone: it does not reach", key, i+1, n, bites)
			}
		}
	}
	t.Logf("%d comparisons", compared)
}

// narrow compares rulings under texts and under the same ones narrowed, until the
// narrower one was seen to bite.
func (w *world) narrow(t *testing.T, key string, row tightening, change func(*world, map[string]any) bool) (compared, bites int) {
	w.turning = strings.HasPrefix(key, "Terms.")
	defer func() { w.turning = false }()
	for tries := 0; tries < 300 && (compared < 150 || !row.duty && bites == 0); tries++ {
		x := w.text()
		doc := copied(x.slow.doc).(map[string]any)
		switch {
		case row.keep, row.drop: // compared with the same text without it
			had := kept(doc, key)
			w.clause(doc, key)
			if had != row.drop {
				if x = read(doc); x == nil {
					continue
				}
				w.clause(doc, key)
			}
		case !change(w, doc):
			continue
		}
		y := read(doc)
		if y == nil {
			continue // it would be no pact any more
		}
		for range 30 {
			w.moments, w.began, w.careful = nil, nil, w.IntN(4) > 0
			l, events := w.life(x)
			if row.quiet {
				l = pact.Life{}
				for _, e := range events {
					if e.Kind == act.PactSigned || e.Kind == act.PactNotified || e.Kind == act.PactCancelled {
						l = l.Apply(e)
					}
				}
			}
			deed := oneOf(w, permissions...)
			if row.deed != "" && w.IntN(2) == 0 {
				deed = row.deed
			}
			facts := w.draw(x, l, deed)
			wide, narrow := ruled(facts), ruled(under(y.p, x.p, facts))
			if why := wider(wide, narrow); why != "" {
				t.Fatalf("%s: %s under %s: %s\n%+v\n%v", key, deed, x.p.ID, why, events, pact.Diff(x.p, y.p))
			}
			if compared++; wide.Allowed && !narrow.Allowed {
				if bites++; row.duty {
					t.Fatalf("%s: %s under %s: a duty decides: %s", key, deed, x.p.ID, narrow)
				}
			}
		}
	}
	return compared, bites
}

// TestArrangements: what widens none of a pact's terms (R12) allows nothing that
// the pact does not allow, in the time that both are in force.
func TestArrangements(t *testing.T) {
	w := newWorld(8)
	narrows := those(texts(), func(c *text) bool {
		return c.above != nil && c.p.Terms == c.above.p.Terms && c.p.Zone.String() == c.above.p.Zone.String() && len(pact.Widens(c.above.p, c.p)) == 0
	})
	if len(narrows) < 30 {
		t.Fatalf("only %d arrangements", len(narrows))
	}
	for range 600 {
		c := oneOf(w, narrows...)
		x := c.above
		child := *c.p
		child.ID = x.p.ID // so that the same facts can be put to both
		for range 10 {
			w.moments, w.began, w.careful = nil, nil, w.IntN(4) > 0
			l, _ := w.life(x)
			deed := oneOf(w, permissions...)
			facts := w.draw(x, l, deed)
			if why := wider(ruled(facts), ruled(under(&child, x.p, facts))); why != "" {
				t.Fatalf("%s widens nothing: %s: %s\n%v", c.p.ID, deed, why, pact.Diff(x.p, c.p))
			}
		}
	}
}
