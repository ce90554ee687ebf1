package ruling_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"
)

// breach is how facts that are allowed break one clause, and nothing else. It
// reports false where these facts cannot, or the text does not ask it.
type breach struct {
	clause pact.Clause
	deeds  []string
	breaks func(w *world, x *text, facts any) bool
	none   string // why no ruling refuses by it
}

func reads(facts any) *ruling.ReadFacts {
	if f, ok := facts.(*ruling.DoFacts); ok {
		return &f.ReadFacts
	}
	return facts.(*ruling.ReadFacts)
}

// moves are the manifest and the way of what goes from one party to another.
func moves(facts any) (*act.Manifest, *string) {
	if f, ok := facts.(*ruling.AcceptFacts); ok {
		return &f.Manifest, &f.Channel
	}
	f := facts.(*ruling.ReleaseFacts)
	return &f.Manifest, &f.Channel
}

func officer(facts any) (*act.Person, act.Mark, time.Time) {
	switch f := facts.(type) {
	case *ruling.ReleaseFacts:
		return &f.Officer, f.Manifest.Mark, f.Manifest.Made.Time
	case *ruling.VisitFacts:
		return &f.Person, act.Mark{}, time.Time{}
	case *ruling.PactFacts:
		return &f.Person, act.Mark{}, time.Time{}
	}
	f := reads(facts)
	m, on := f.Custody.Mark(&f.Manifest)
	return &f.Person, m, on
}

var (
	transfers = []string{"release", "accept"}
	readings  = []string{"read", "pass-on", "copy", "translate", "extract", "show"}
)

func keepsIt(x *text, c pact.Clause) bool { _, ok := x.p.Cite(c); return ok }

var breaches = []breach{
	{clause: pact.InForce, deeds: append([]string{"pass-on", "show", "visit"}, transfers...), breaks: func(_ *world, _ *text, facts any) bool {
		switch f := facts.(type) {
		case *ruling.ReleaseFacts:
			f.Life = pact.Life{}
		case *ruling.AcceptFacts:
			f.Life = pact.Life{}
		case *ruling.VisitFacts:
			f.Life = pact.Life{}
		case *ruling.DoFacts:
			f.Life = pact.Life{}
		}
		return true
	}},
	{clause: pact.Subjects, deeds: transfers, breaks: func(w *world, _ *text, facts any) bool {
		if m, _ := moves(facts); w.IntN(2) == 0 {
			m.Subject = "fish"
		} else {
			m.Form = "rumour"
		}
		return true
	}},
	{clause: pact.Markings, deeds: transfers, breaks: func(_ *world, x *text, facts any) bool {
		m, _ := moves(facts)
		m.Mark.Text = "unheard of"
		for _, r := range x.p.Table { // above the ceiling, or below the floor
			if rank, holds := x.p.Table.Rank(r.Mark, m.Made.Time); holds && r.Mark.Party == m.Originator && (rank > x.p.Ceiling || rank < x.p.Floor) {
				m.Mark = r.Mark
			}
		}
		return true
	}},
	{clause: pact.Reclassification, deeds: []string{"downgrade"}, breaks: func(_ *world, _ *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		f.Mark, _ = f.Custody.Mark(&f.Manifest) // no lower
		rank, on := f.Pact.Table.Rank(f.Mark, f.Now)
		was, ok := f.Pact.Table.Rank(f.Custody.Mark(&f.Manifest))
		return on && ok && rank == was
	}},
	{clause: pact.Reclassification, deeds: []string{"downgrade"}, breaks: func(w *world, _ *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		if f.Own = "ZZ"; w.IntN(2) == 0 {
			f.Own, f.Manifest.Origins = f.Manifest.Originator, append(slices.Clone(f.Manifest.Origins), "YY")
		}
		return true
	}},
	{clause: pact.ThirdParty, deeds: transfers, breaks: func(w *world, _ *text, facts any) bool {
		m, _ := moves(facts)
		switch w.IntN(3) {
		case 0:
			m.Recipients = append(slices.Clone(m.Recipients), "ZZ") // to a stranger
		case 1:
			m.Origins = append(slices.Clone(m.Origins), "YY") // of one who did not agree
		case 2:
			if f, ok := facts.(*ruling.ReleaseFacts); ok {
				f.Hub = ruling.Hub{Party: "YY", Reads: true}
			} else {
				facts.(*ruling.AcceptFacts).Hub = ruling.Hub{Party: "YY", Reads: true}
			}
		}
		return true
	}},
	{clause: pact.ThirdParty, deeds: []string{"pass-on"}, breaks: func(_ *world, x *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		f.Standing, f.Manifest.Origins = "", append(slices.Clone(f.Manifest.Origins), "XX")
		return true
	}},
	{clause: pact.Purpose, deeds: transfers, breaks: func(_ *world, x *text, facts any) bool {
		m, _ := moves(facts)
		m.Purpose = "gain of another"
		return x.p.Use != "free"
	}},
	{clause: pact.Purpose, deeds: readings, breaks: func(_ *world, x *text, facts any) bool {
		f := reads(facts)
		f.Manifest.Purpose, f.Manifest.Origins = "gain of another", append(slices.Clone(f.Manifest.Origins), "XX")
		return x.p.Use == "bound" || x.p.Use == "framework" && !x.p.Names(f.Purpose)
	}},
	{clause: pact.Clearance, deeds: append([]string{"release"}, readings...), breaks: func(w *world, x *text, facts any) bool {
		p, mark, on := officer(facts)
		if p.Clearance = ""; w.IntN(2) == 0 {
			p.Clearance = "unheard of"
		}
		rank, _ := x.p.Table.Rank(mark, on)
		return x.p.Cleared > 0 && rank >= x.p.Cleared
	}},
	{clause: pact.NeedToKnow, deeds: readings, breaks: func(w *world, _ *text, facts any) bool {
		f := reads(facts)
		if w.IntN(2) == 0 {
			f.Person.Offices = []act.Office{act.Administering, act.Registry}
			return true
		}
		f.Person.Needs = []act.Need{{Pact: f.Manifest.Pact}}
		return true
	}},
	{clause: pact.Assurance, deeds: []string{"release"}, breaks: func(_ *world, x *text, facts any) bool {
		f := facts.(*ruling.ReleaseFacts)
		f.Assured = nil
		return keepsIt(x, pact.Assurance) && (f.Manifest.Form == "oral" || f.Manifest.Form == "visual")
	}},
	{clause: pact.Visiting, deeds: []string{"show", "visit"}, breaks: func(w *world, _ *text, facts any) bool {
		if f, ok := facts.(*ruling.DoFacts); ok {
			v := *f.Visit
			f.Visit = &v
			switch w.IntN(4) {
			case 0:
				v.Approved = nil
			case 1:
				v.Ended = &act.Moment{Time: f.Now}
			case 2:
				v.Visitors = []string{"nobody"}
			case 3:
				v.Until = act.Moment{Time: f.Now}
			}
			return true
		}
		facts.(*ruling.VisitFacts).Visit = nil
		return true
	}},
	{clause: pact.Review, deeds: readings, breaks: func(_ *world, x *text, facts any) bool {
		f := reads(facts)
		f.Manifest.Review, f.Custody.Reviewed = &act.Moment{Time: f.Now}, nil
		return keepsIt(x, pact.Review)
	}},
	{clause: pact.Review, deeds: []string{"review"}, breaks: func(_ *world, _ *text, facts any) bool {
		f := reads(facts)
		f.Person.Offices = nil
		return len(f.Person.Needs) > 0 && f.Person.Needs[0].Pact == f.Manifest.Pact && f.Person.Name != ""
	}},
	{clause: pact.Register, deeds: readings, breaks: func(_ *world, _ *text, facts any) bool { reads(facts).Person.Facility = ""; return true }},
	{clause: pact.Briefing, deeds: readings, breaks: func(_ *world, _ *text, facts any) bool { reads(facts).Person.Briefed = false; return true }},
	{clause: pact.Channels, deeds: transfers, breaks: func(_ *world, _ *text, facts any) bool {
		_, channel := moves(facts)
		*channel = "pigeon"
		return true
	}},
	{clause: pact.Channels, deeds: readings, breaks: func(_ *world, _ *text, facts any) bool {
		f := reads(facts)
		f.Custody.Received = nil
		return f.Manifest.Originator != f.Own
	}},
	{clause: pact.Accreditation, deeds: transfers, breaks: func(w *world, x *text, facts any) bool {
		f, ok := facts.(*ruling.AcceptFacts)
		all, own, now := &[]product.Accreditation{}, act.Party(""), time.Time{}
		if ok {
			all, own, now = &f.Accredited, f.Own, f.Now
		} else {
			f := facts.(*ruling.ReleaseFacts)
			all, own, now = &f.Accredited, f.Own, f.Now
		}
		if *all = nil; keepsIt(x, pact.Accreditation) && w.IntN(2) == 0 {
			return true
		}
		_, channel := moves(facts) // one that lapses just now
		mark := w.highest(x, own)
		*all = []product.Accreditation{{Accreditation: act.Accreditation{Channel: *channel, Mark: mark, Until: act.Moment{Time: now}}, Given: act.Moment{Time: epoch.AddDate(-1, 0, 0)}}}
		_, known := x.p.Table.Rank(mark, now)
		return known
	}},
	{clause: pact.Authorities, deeds: []string{"release", "downgrade", "visit", "step notice", "step read"}, breaks: func(_ *world, x *text, facts any) bool {
		p, _, _ := officer(facts)
		p.Offices = []act.Office{act.Audit}
		f, ok := facts.(*ruling.DoFacts)
		return !ok || len(f.Person.Needs) > 0 && f.Person.Needs[0].Pact == f.Manifest.Pact && f.Person.Name != ""
	}},
	{clause: pact.StandingAuthority, deeds: []string{"release"}, breaks: func(_ *world, _ *text, facts any) bool {
		f := facts.(*ruling.ReleaseFacts)
		f.Mandate = &product.Mandate{}
		return true
	}},
	{clause: pact.Reproduction, deeds: []string{"copy"}, breaks: func(_ *world, x *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		f.Manifest.Caveats = []string{"no copy"}
		return true
	}},
	{clause: pact.Reproduction, deeds: []string{"copy"}, breaks: func(_ *world, x *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		f.Copies = max(x.p.Copying.Limit, 1)
		return x.p.Copying.Limit > 0
	}},
	{clause: pact.Translation, deeds: []string{"translate", "extract"}, breaks: func(_ *world, x *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		mode := map[string]string{"translate": x.p.Copying.Translations, "extract": x.p.Copying.Extracts}[f.Deed]
		f.Manifest.Origins, f.Consents = append(slices.Clone(f.Manifest.Origins), "XX"), slices.Clone(f.Consents)
		return mode == "consent" && x.p.Use != "bound"
	}},
	{clause: pact.Destruction, deeds: []string{"destroy"}, breaks: func(w *world, x *text, facts any) bool {
		f := facts.(*ruling.DoFacts)
		switch {
		case x.p.Destroy.Witnesses > 0 && w.IntN(2) == 0:
			f.Witnesses = x.p.Destroy.Witnesses - 1
		case len(x.p.Destroy.Methods) > 0:
			f.Method = "prayer"
		default:
			f.Custody.Destroyed = map[act.Party]*act.Certificate{f.Own: {}}
		}
		return true
	}},
	{clause: pact.Destruction, deeds: readings, breaks: func(_ *world, _ *text, facts any) bool {
		f := reads(facts)
		f.Custody.Destroyed = map[act.Party]*act.Certificate{f.Own: {}}
		return true
	}},
	{clause: pact.Duration, deeds: []string{"step signed", "step notice", "step read", "step initialled"}, breaks: func(_ *world, _ *text, facts any) bool {
		facts.(*ruling.PactFacts).Own = "ZZ"
		return true
	}},
	{clause: pact.Receipts, none: "a duty: who owes one is reminded (catalogue.Due)"},
	{clause: pact.OriginatorControl, none: "the seal keeps it"},
	{clause: pact.Survival, none: "it says that protection stays: no ruling on a reading asks the pact's life"},
}

// TestNeverWider: whatever else is true, what breaks one clause is refused, by the
// article that keeps it, with a cure. Each clause of the closed set has a row.
func TestNeverWider(t *testing.T) {
	w := newWorld(11)
	for _, c := range pact.Clauses() {
		if !slices.ContainsFunc(breaches, func(b breach) bool { return b.clause == c }) {
			t.Errorf("nothing breaks the clause %s: add a row", c)
		}
	}
	for i, b := range breaches {
		broken := 0
		for tries := 0; b.none == "" && tries < 6000 && broken < 60; tries++ {
			x := w.text()
			w.careful = true
			l, _ := w.life(x)
			deed := oneOf(w, b.deeds...)
			facts := w.draw(x, l, deed)
			if !ruled(facts).Allowed || !b.breaks(w, x, facts) {
				continue
			}
			article := "house rule"
			if r, ok := x.p.Cite(b.clause); ok {
				article = r[0].Article
			}
			r := ruled(facts)
			if r.Allowed || !slices.ContainsFunc(r.Because, func(b act.Reason) bool { return b.Article == article && b.Cure != "" }) {
				t.Fatalf("%s under %s breaks %s (row %d), and is not refused by %s: %s\n%+v", deed, x.p.ID, b.clause, i, article, r, facts)
			}
			broken++
		}
		if b.none == "" && broken < 30 {
			t.Errorf("%s (row %d) was broken %d times only", b.clause, i, broken)
		}
	}
}

// TestTimePasses: once all that begins has begun, time brings nothing back: what is
// refused stays so, whatever it was that ended (R16, R24, R28, R37, R56). And reading
// does not end with the pact (R56).
func TestTimePasses(t *testing.T) {
	w := newWorld(12)
	ended := tally{}
	for range 25_000 {
		x := w.text()
		w.careful = w.IntN(6) > 0
		l, _ := w.life(x)
		deed := oneOf(w, permissions...)
		facts := w.draw(x, l, deed)
		at := epoch
		for _, b := range w.began {
			at = later(at, b)
		}
		for _, r := range x.p.Table {
			at = later(at, r.From)
		}
		at = later(at, x.p.Terms.Provisional)
		then := at.Add(time.Duration(w.IntN(8*365*24)) * time.Hour)
		if m := w.moments[w.IntN(len(w.moments))]; w.IntN(2) == 0 && m.After(at) {
			then = m
		}
		before, after := ruled(on(facts, at)), ruled(on(facts, then))
		if why := wider(before, after); why != "" {
			t.Fatalf("%s under %s at %s, as before at %s: %s\n%+v\n%+v", deed, x.p.ID, then, at, why, facts, l)
		}
		if before.Allowed && !after.Allowed {
			for _, b := range after.Because {
				cure := strings.NewReplacer("KR", "X", "JP", "X", "US", "X", "EU", "X", "GB", "X", "CERT-A", "X", "CERT-B", "X", "CERT-C", "X", "ZZ", "X").Replace(b.Cure)
				ended[cure]++
			}
		}
		if f, ok := facts.(*ruling.ReadFacts); ok {
			dead := *f
			dead.Life = pact.Life{}
			if dead.Now = then; !ruling.Read(&dead).Allowed && after.Allowed {
				t.Fatalf("%s: reading ends with the pact: %+v", x.p.ID, facts)
			}
		}
	}
	for what, cure := range map[string]string{
		"an approval": "ask X for an approval that names product, recipient, purpose and expiry", "an approval of another purpose": "ask the originator to approve another purpose", "an approval of a copy": "ask X for an approval",
		"a mandate": "release it in the ordinary way, or give a mandate that covers it", "an accreditation": "have the system accredited anew, and enter it: 'entente accredit'",
		"a notice": "conclude a new pact; what was shared stays protected", "a clearance": "a person who is cleared reads it", "an officer's clearance": "an officer who is cleared releases it",
		"a need": "the security officer grants the need", "an assurance": "have X assure clearance and need to know: 'entente assure'", "a visit": "ask for another visit", "a review": "the registry reviews it: keep ('entente review'), return or destroy",
	} {
		if ended[cure] == 0 {
			t.Errorf("%s never ended: the cases do not reach", what)
		}
	}
	t.Logf("%v", ended)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// on are the same facts at another moment.
func on(facts any, now time.Time) any {
	c, _, at := anew(facts)
	*at = now
	return c
}
