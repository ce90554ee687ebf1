// Package ruling decides: may this be released, accepted, read, passed on,
// copied, translated, reclassified, destroyed?
//
// Each of [Release], [Accept], [Read], [Do] and [Pact] is pure: the same facts
// give the same ruling, on both sides, on an auditor's laptop, ten years later.
// The answer is no unless every gate says yes. A ruling cites the articles that
// decided; a refusal lists every failing gate, with what would cure it.
//
// The answers must not be changed by their caller: an allowed ruling shares
// its articles and marks with the pact, so that it costs no memory.
package ruling

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/pact"
	"entente/party"
	"entente/product"
)

// Ruling is a decision.
type Ruling struct {
	Allowed      bool         `json:"allowed"`
	Because      []act.Reason `json:"because"` // articles it rests on, or each ground of the refusal
	As           []act.Mark   `json:"as,omitempty"`
	Duties       []string     `json:"duties,omitempty"`
	SecondPerson bool         `json:"second_person,omitempty"`
}

// String says the ruling in a sentence.
func (r Ruling) String() string {
	if r.Allowed {
		return "allowed"
	}
	var s []string
	for _, b := range r.Because {
		s = append(s, b.Text+" ("+b.Article+")")
	}
	return strings.Join(s, "; ")
}

// Unknown reports whether the ruling is the one on what does not exist: of what a
// person may not know, nothing more is said.
func (r Ruling) Unknown() bool { return len(r.Because) > 0 && r.Because[0] == unknown[0] }

// House is a party's own rule on top of its pacts: it narrows, never widens.
// Richer law of a party's own is a policy: see package house.
type House struct {
	SecondPersonFrom int `json:"second_person_from,omitempty"` // rank from which two persons release; 0: never
}

// gates collects the grounds of a refusal. Words are put together only when a
// gate is shut.
type gates struct {
	p      *pact.Pact
	failed []act.Reason
}

// shut refuses, citing the article that keeps clause c.
func (g *gates) shut(c pact.Clause, cure string, text ...string) {
	article := "house rule"
	if g.p != nil {
		if r, cited := g.p.Cite(c); cited {
			article = r[0].Article
		}
	}
	g.failed = append(g.failed, act.Reason{Article: article, Text: strings.Join(text, ""), Cure: cure})
}

// ruled is the answer when all gates have been asked.
func (g *gates) ruled(deed string, as []act.Mark, second bool) Ruling {
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	return Ruling{Allowed: true, Because: g.p.Grounds(deed), As: as, Duties: g.p.Duties(deed), SecondPerson: second}
}

// reviewed adds the duty to review the need by a date.
func (r Ruling) reviewed(by *act.Moment) Ruling {
	if r.Allowed && by != nil {
		r.Duties = append(r.Duties[:len(r.Duties):len(r.Duties)], "review the need by "+by.Format(time.DateOnly))
	}
	return r
}

var (
	noPact  = []act.Reason{{Article: "no pact", Text: "no pact of this name is known here", Cure: "propose the pact, or name another: 'entente pacts' lists them"}}
	unknown = []act.Reason{{Article: "need to know", Text: "no product of this number may be read by this person", Cure: "ask the registry"}}
)

// movement is what release and acceptance both ask of a product.
type movement struct {
	life     *pact.Life
	manifest *act.Manifest
	channel  string
	hub      Hub
	blocked  string
	consents []product.Consent
	now      time.Time
	overdue  bool // now is when it came, after its receipt was due
}

// Hub is who passes a product on, on its way.
type Hub struct {
	Party act.Party // empty: nobody
	Reads bool      // it can open the product
}

func (g *gates) moves(f movement) (rank int) {
	p, m := g.p, f.manifest
	g.inForce(f)
	if f.blocked != "" {
		g.shut(pact.InForce, "upgrade the node", "the pact is blocked: ", f.blocked)
	}
	if m.Pact != p.ID {
		g.shut(pact.ThirdParty, "release it under the pact that its manifest names", "its manifest names another pact")
	}
	if !slices.Contains(p.Subjects, m.Subject) {
		g.shut(pact.Subjects, "choose one of: "+strings.Join(p.Subjects, ", "), "the subject is outside the pact")
	}
	if !slices.Contains(p.Forms, m.Form) {
		g.shut(pact.Subjects, "choose one of: "+strings.Join(p.Forms, ", "), "the form is outside the pact")
	}
	if p.Use != "free" && !p.Names(m.Purpose) {
		g.shut(pact.Purpose, "choose a purpose that the pact names, or have the pact amended", "the purpose is outside the pact")
	}
	rank, known := p.Table.Rank(m.Mark, m.Made.Time)
	switch {
	case !known:
		g.shut(pact.Markings, "use a mark of the table; a higher one may not be shared under this pact", "the marking is not in the pact's table on this date")
	case rank > p.Ceiling:
		g.shut(pact.Markings, "share it under a pact with a higher ceiling, or not at all", "the marking is above the pact's ceiling")
	case rank < p.Floor:
		g.shut(pact.Markings, "share it outside this pact", "the marking is below what the pact covers")
	}
	if m.Mark.Party != m.Originator {
		g.shut(pact.Markings, "mark it in the originator's scheme", "the marking is not of the originator's own scheme")
	}
	if f.hub.Party != "" && f.hub.Reads && (!p.Hub.Reads || p.Hub.Party != f.hub.Party) {
		g.shut(pact.ThirdParty, "seal it to its recipients alone, or have the pact name the hub as a recipient", "a hub that the pact does not name as a recipient could read it")
	}
	if len(m.Recipients) == 0 {
		g.shut(pact.ThirdParty, "name a party of the pact", "it has no recipient")
	}
	for i := range m.Recipients {
		g.reaches(f, m.Recipients[i], rank, known)
	}
	if !slices.Contains(m.Origins, m.Originator) {
		g.shut(pact.ThirdParty, "name every origin", "it does not name its originator as an origin") // whose approvals nobody would ask for
	}
	g.consented(f)
	return rank
}

// inForce asks whether new transfers may move.
func (g *gates) inForce(f movement) {
	phase := g.p.Stands(*f.life, f.now)
	switch {
	case phase.Transfers():
	case f.overdue:
		g.shut(pact.InForce, cureOf(phase), "it came after its receipt was due, when the pact was not in force: it was ", string(phase))
	default:
		g.shut(pact.InForce, cureOf(phase), "the pact is not in force: it is ", string(phase))
	}
}

// consented asks for the approval of each other party whose information a product holds.
func (g *gates) consented(f movement) {
	m := f.manifest
	for _, o := range m.Origins {
		if o == m.Originator {
			continue
		}
		for _, to := range m.Recipients {
			if to == o || approvedFor(f.consents, o, "pass-on", to, m.Purpose, f.now, m) {
				continue
			}
			cure := "ask " + string(o) + " for an approval that names product, recipient, purpose and expiry"
			if f.overdue {
				g.shut(pact.ThirdParty, cure, "it came after its receipt was due, when no written approval of ", string(o), " was good for it")
				continue
			}
			g.shut(pact.ThirdParty, cure, "it holds information of ", string(o), ", whose written approval is missing")
		}
	}
}

// Overdue reports whether what is dated made comes after its receipt was due under p:
// it is then judged by when it came, too (R35).
func Overdue(p *pact.Pact, made, came time.Time) bool { return came.After(made.Add(p.Receipt.Within)) }

// reaches asks whether a product may go to one recipient by this way.
func (g *gates) reaches(f movement, to act.Party, rank int, known bool) {
	p, m := g.p, f.manifest
	switch limit, open := p.Limit(m.Originator, to, f.channel); {
	case !p.Has(to):
		g.shut(pact.ThirdParty, "release it to parties of the pact only", string(to), " is no party to the pact")
	case to == m.Originator:
		g.shut(pact.ThirdParty, "leave it out", "the originator cannot be a recipient")
	case !open:
		g.shut(pact.Channels, "use a channel that the pact names", "the pact knows no channel called ", f.channel, " from ", string(m.Originator), " to ", string(to))
	case known && rank > limit:
		g.shut(pact.Channels, "send it by another channel", "the marking is above this channel's ceiling")
	}
}

func cureOf(p pact.Phase) string {
	switch p {
	case pact.Terminated, pact.Cancelled:
		return "conclude a new pact; what was shared stays protected"
	case pact.Proposed, pact.Initialled, pact.Approved:
		return "every party signs it: 'entente pact sign'"
	}
	return "every party signs it and notifies that its domestic procedures are complete: 'entente pact notify'"
}

// approved reports whether o approved this deed with product n, for this
// recipient and purpose, and the approval is not used up, expired or withdrawn.
func approved(all []product.Consent, o act.Party, deed string, to act.Party, purpose string, now time.Time, n act.Number) bool {
	for i := range all {
		c := &all[i]
		if c.Number == n && c.By == o && c.Deed == deed && c.Recipient == to && c.Purpose == purpose && lapsed(c.Given, c.Until, c.Withdrawn, c.Used >= c.Uses, now) == "" {
			return true
		}
	}
	return false
}

// approvedFor reports whether o approved a deed with m: by an approval that names
// m, or, of what others made, one that names each thing it was made from. What another
// party's product holds of o's is not seen here: an approval of one source is none of the next.
func approvedFor(all []product.Consent, o act.Party, deed string, to act.Party, purpose string, now time.Time, m *act.Manifest) bool {
	if approved(all, o, deed, to, purpose, now, m.Number) {
		return true
	}
	if o == m.Originator {
		return false
	}
	for _, l := range m.Lineage {
		if !approved(all, o, deed, to, purpose, now, l.Of) {
			return false
		}
	}
	return len(m.Lineage) > 0
}

// Spends names the approvals that an allowed deed of own's uses up: the first that fits,
// of each other originator for each product and recipient. A deed without a recipient names "".
func Spends(own act.Party, all []product.Consent, deed string, to []act.Party, purpose string, now time.Time) (spent []act.Digest) {
	type grant struct {
		by, to act.Party
		of     act.Number
	}
	seen := map[grant]bool{}
	for i := range all {
		c := &all[i]
		g := grant{c.By, c.Recipient, c.Number}
		if c.By != own && !seen[g] && slices.Contains(to, c.Recipient) && approved(all[i:i+1], c.By, deed, c.Recipient, purpose, now, c.Number) {
			seen[g] = true
			spent = append(spent, c.Act)
		}
	}
	return spent
}

// covers reports whether a mandate lets m go at once.
func covers(d *product.Mandate, p *pact.Pact, m *act.Manifest, rank int, now time.Time) bool {
	most, ok := p.Table.Rank(d.Mark, m.Made.Time)
	return ok && rank <= most && d.Pact == m.Pact && d.Kind == m.Kind && d.Subject == m.Subject && d.Purpose == m.Purpose &&
		lapsed(d.Given, d.Until, d.Withdrawn, false, now) == ""
}

// MandateFacts are what giving a mandate is ruled on.
type MandateFacts struct {
	Pact    *pact.Pact // nil: none is known
	Own     act.Party
	Mandate act.Mandate
	Person  act.Person // who gives it
	Now     time.Time
}

// Mandate rules on giving a standing authority. One under which nothing could ever
// go is refused when it is given, not when somebody comes to rely on it.
func Mandate(f *MandateFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g, p, m := gates{p: f.Pact}, f.Pact, &f.Mandate
	if _, open := p.Cite(pact.StandingAuthority); !open {
		g.shut(pact.StandingAuthority, "release each product in the ordinary way, or have the pact amended", "the pact knows no standing authority")
	}
	if !p.Has(f.Own) {
		g.shut(pact.ThirdParty, "name a pact of ours: 'entente pacts' lists them", "we are no party to the pact")
	}
	if !slices.Contains(p.Subjects, m.Subject) {
		g.shut(pact.Subjects, "choose one of: "+strings.Join(p.Subjects, ", "), "the subject is outside the pact")
	}
	if p.Use != "free" && !p.Names(m.Purpose) {
		g.shut(pact.Purpose, "choose a purpose that the pact names, or have the pact amended", "the purpose is outside the pact")
	}
	if rank, known := p.Table.Rank(m.Mark, f.Now); !known || m.Mark.Party != f.Own || rank > p.Ceiling {
		g.shut(pact.Markings, "name a mark of our own scheme, within the pact's ceiling", "the marking is not in the pact's table, or above its ceiling")
	}
	if !f.Now.Before(m.Until.Time) {
		g.shut(pact.StandingAuthority, "let it end later", "the mandate has ended before it begins")
	}
	if !party.Holds(&f.Person, act.Releasing) {
		g.shut(pact.Authorities, "a person with the office 'release' does it: 'entente person list'", "the officer holds no office to release")
	}
	return g.ruled("mandate", nil, false)
}

// Source is a product that another was made from, under the terms that it keeps.
type Source struct {
	Pact     *pact.Pact // nil: it is not known here
	Manifest act.Manifest
	Entry    int64    // of its release
	Mark     act.Mark // that holds now
	On       time.Time
	How      string // answer, translation, excerpt, assessment
}

// derives asks that a product made from others obeys every pact of its origins:
// the union of their restrictions, the intersection of their release lists (R9, R11, R14).
func (g *gates) derives(f *ReleaseFacts) {
	m := &f.Manifest
	for i := range f.Sources {
		s := &f.Sources[i]
		n := string(s.Manifest.Number)
		if s.Pact == nil {
			g.shut(pact.ThirdParty, "name only products that are here", "it is made from a product that is not known here")
			continue
		}
		g.named(m, s.Manifest.Origins, s.Manifest.Number)
		for _, c := range s.Manifest.Caveats {
			if !slices.Contains(m.Caveats, c) {
				g.shut(pact.Markings, "carry every caveat over", "it lacks the caveat ", c, " of ", n)
			}
		}
		least, known := s.Pact.Table.Rank(s.Mark, s.On)
		rank, ok := s.Pact.Table.Rank(m.Mark, m.Made.Time)
		if !known || !ok || rank < least {
			g.shut(pact.Markings, "mark it as high as the highest of what it is made from", "it is marked lower than ", n, ", or in a scheme that its pact does not know")
		}
		if known {
			g.carries(f, s, least)
		}
		if m.Purpose != s.Manifest.Purpose {
			g.repurposes(f, s)
		}
		if s.Manifest.Originator == f.Own {
			continue
		}
		for _, to := range m.Recipients {
			if !slices.Contains(s.Manifest.Recipients, to) && s.Manifest.Originator != to && !passesTo(f, s, to) {
				g.shut(pact.ThirdParty, "ask "+string(s.Manifest.Originator)+" for an approval that names product, recipient, purpose and expiry", n, " was not released to ", string(to))
			}
		}
	}
}

// named asks that m names the origins of what it was made from (R11).
func (g *gates) named(m *act.Manifest, origins []act.Party, of act.Number) {
	for _, o := range origins {
		if !slices.Contains(m.Origins, o) {
			g.shut(pact.ThirdParty, "name every origin", "it does not name ", string(o), ", an origin of ", string(of))
		}
	}
}

// repurposes asks each other origin of a source for its word to another purpose (R14, R15):
// a product between, also one of our own, does not wash off the purpose of what it holds.
func (g *gates) repurposes(f *ReleaseFacts, s *Source) {
	m := &f.Manifest
	if s.Pact.Use == "free" || s.Pact.Use == "framework" && s.Pact.Names(m.Purpose) {
		return
	}
	for _, o := range s.Manifest.Origins {
		if o != f.Own && !approvedFor(f.Consents, o, "purpose", "", m.Purpose, f.Now, &s.Manifest) && !approvedFor(f.Consents, o, "purpose", "", m.Purpose, f.Now, m) {
			g.shut(pact.Purpose, "ask "+string(o)+" to approve another purpose", string(s.Manifest.Number), " holds information of ", string(o), " that was released for another purpose")
		}
	}
}

// carries asks the pact of a source what it asks of an extract or translation, and
// of the channel that what is made from it takes.
func (g *gates) carries(f *ReleaseFacts, s *Source, rank int) {
	m, n := &f.Manifest, string(s.Manifest.Number)
	for _, to := range m.Recipients {
		if limit, open := s.Pact.Limit(f.Own, to, f.Channel); s.Pact.Has(to) && s.Pact.Has(f.Own) && (!open || rank > limit) {
			g.shut(pact.Channels, "send it by another channel", "the pact of ", n, " does not carry its marking to ", string(to), " by this channel")
		}
	}
	mode, deed := s.Pact.Copying.Translations, "translate"
	switch s.How {
	case "translation":
	case "excerpt":
		mode, deed = s.Pact.Copying.Extracts, "extract"
		if slices.Contains(s.Manifest.Caveats, "no copy") && s.Manifest.Originator != f.Own {
			g.shut(pact.Reproduction, "ask the originator for a version without this caveat", "the originator of ", n, " forbids copies of it")
		}
	default:
		return
	}
	if from := s.Pact.Copying.ConsentFrom; from > 0 && rank >= from && mode != "forbidden" {
		mode = "consent"
	}
	for _, o := range s.Manifest.Origins {
		switch {
		case o == f.Own:
		case mode == "forbidden":
			g.shut(pact.Translation, "none: the pact forbids it", "the pact of ", n, " forbids to ", deed, " it")
		case mode == "consent" && !approvedFor(f.Consents, o, deed, "", m.Purpose, f.Now, &s.Manifest):
			g.shut(pact.Translation, "ask "+string(o)+" for an approval", "the written approval of ", string(o), " to ", deed, " ", n, " is missing, used up, expired or withdrawn")
		}
	}
}

// passesTo reports whether the originator of a source approved that it, or what is made
// from it, goes to another party.
func passesTo(f *ReleaseFacts, s *Source, to act.Party) bool {
	o, m := s.Manifest.Originator, &f.Manifest
	return approved(f.Consents, o, "pass-on", to, m.Purpose, f.Now, s.Manifest.Number) || approved(f.Consents, o, "pass-on", to, m.Purpose, f.Now, m.Number)
}

// accredited asks that our own system may carry this rank by this channel now
// (R37). A pact that keeps the clause wants an accreditation. Under another, one
// that was entered for the channel binds all the same: when it lapses, what it
// covered stops.
func (g *gates) accredited(all []product.Accreditation, channel string, rank int, now time.Time) {
	_, wanted := g.p.Cite(pact.Accreditation)
	for i := range all {
		a := &all[i]
		most, known := g.p.Table.Rank(a.Mark, now)
		if !known { // a mark that has left the table does not let go of what lapsed under it
			most, known = g.p.Table.Rank(a.Mark, a.Given.Time)
		}
		if a.Channel != channel || !known {
			continue
		}
		if wanted = true; rank <= most && lapsed(a.Given, a.Until, false, false, now) == "" {
			return
		}
	}
	if wanted {
		g.shut(pact.Accreditation, "have the system accredited anew, and enter it: 'entente accredit'", "our system is not accredited for this level on the channel ", channel, ", or its accreditation has lapsed")
	}
}

// Carries says why the content of a product of ours does not go by a channel now,
// though it was released: the accreditation for it lapsed meanwhile (R37).
func Carries(p *pact.Pact, m *act.Manifest, accredited []product.Accreditation, channel string, now time.Time) []act.Reason {
	g := gates{p: p}
	if rank, known := p.Table.Rank(m.Mark, m.Made.Time); known {
		g.accredited(accredited, channel, rank, now)
	}
	return g.failed
}

// assured asks, before an oral or visual disclosure, for each recipient's word
// that those present are cleared and need to know (R26).
func (g *gates) assured(f *ReleaseFacts, rank int) {
	m := &f.Manifest
	if _, bound := g.p.Cite(pact.Assurance); !bound || m.Form != "oral" && m.Form != "visual" {
		return
	}
	for _, to := range m.Recipients {
		ok := slices.ContainsFunc(f.Assured, func(a product.Assurance) bool {
			most, known := g.p.Table.Rank(a.Mark, f.Now)
			return a.By == to && a.Mark.Party == to && known && rank <= most && lapsed(a.Given, a.Until, false, false, f.Now) == ""
		})
		if !ok {
			g.shut(pact.Assurance, "have "+string(to)+" assure clearance and need to know: 'entente assure'", "no assurance of ", string(to), " covers this disclosure")
		}
	}
}

// ReleaseFacts are what a release is ruled on.
type ReleaseFacts struct {
	Pact     *pact.Pact // nil: none is known
	Life     pact.Life
	Own      act.Party
	Manifest act.Manifest
	Officer  act.Person          // who releases
	Drafter  act.Person          // who drafted it, where another releases; no name: nobody else did
	Notified bool                // every recipient was notified of the officer
	Sources  []Source            // what it was made from
	Consents []product.Consent   // of the originators of what is in it
	Assured  []product.Assurance // by recipients, before an oral disclosure
	Mandate  *product.Mandate    // the standing authority that is claimed
	Giver    act.Person          // who gave that

	Accredited []product.Accreditation // of our own system

	Channel string
	Hub     Hub
	Now     time.Time
	Blocked string
	House   House
}

// Release rules on sending a product out.
func Release(f *ReleaseFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := gates{p: f.Pact}
	m := &f.Manifest
	rank := g.moves(movement{&f.Life, m, f.Channel, f.Hub, f.Blocked, f.Consents, f.Now, false})
	g.derives(f)
	g.assured(f, rank)
	g.accredited(f.Accredited, f.Channel, rank, f.Now)
	if !f.Pact.Has(f.Own) || m.Originator != f.Own {
		g.shut(pact.ThirdParty, "ask the originator", "only its originator releases it here")
	}
	if !party.Holds(&f.Officer, act.Releasing) {
		g.shut(pact.Authorities, "a person with the office 'release' does it: 'entente person list'", "the officer holds no office to release")
	} else if !f.Notified {
		g.shut(pact.Authorities, "compare codes with the recipient first: 'entente pact sign --with'", "the recipient was not notified of the officer")
	}
	g.cleared(&f.Officer, f.Own, rank, f.Now, "an officer who is cleared releases it", "the officer's clearance is below the marking or has expired")
	second := f.House.SecondPersonFrom > 0 && rank >= f.House.SecondPersonFrom
	if f.Mandate != nil {
		_, open := f.Pact.Cite(pact.StandingAuthority)
		switch {
		case !open:
			g.shut(pact.StandingAuthority, "release it in the ordinary way", "the pact knows no standing authority")
		case !covers(f.Mandate, f.Pact, m, rank, f.Now):
			g.shut(pact.StandingAuthority, "release it in the ordinary way, or give a mandate that covers it", "the mandate does not cover this product, or has ended")
		default:
			// Who gave the mandate is no second person to their own release.
			giver := f.Giver
			giver.Name, _, _ = strings.Cut(f.Mandate.By, "@")
			second = second && !party.Two(&giver, &f.Officer)
		}
	}
	if f.Drafter.Name != "" {
		if !party.Two(&f.Drafter, &f.Officer) {
			g.shut("second-person", "another officer approves it: 'entente approve'; where one bears an --identity, both must, and not the same: 'entente person add'", "who drafted it does not release it, under no other name either")
		}
		second = false
	}
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	return g.ruled("transfer", stamps(f.Pact, m, rank), second).reviewed(m.Review)
}

// cleared asks for a clearance, where the pact asks for one at this rank.
func (g *gates) cleared(q *act.Person, own act.Party, rank int, now time.Time, cure, text string) {
	if g.p.Cleared == 0 || rank < g.p.Cleared {
		return
	}
	if r, ok := party.Cleared(q, g.p.Table, own, now); !ok || r < rank {
		g.shut(pact.Clearance, cure, text)
	}
}

func stamps(p *pact.Pact, m *act.Manifest, rank int) (as []act.Mark) {
	for i, to := range m.Recipients {
		s := p.Stamp(rank, to, m.Made.Time)
		if i == 0 {
			as = s
			continue
		}
		as = append(as[:len(as):len(as)], s...)
	}
	return as
}

// Stamp returns the equivalent mark that p puts beside the original.
func Stamp(t *pact.Pact, m *act.Manifest, p act.Party) []act.Mark {
	if rank, ok := t.Table.Rank(m.Mark, m.Made.Time); ok {
		return t.Stamp(rank, p, m.Made.Time)
	}
	return nil
}

// AcceptFacts are what taking a product in is ruled on.
type AcceptFacts struct {
	Pact       *pact.Pact
	Life       pact.Life
	Own, From  act.Party
	Act        act.Act
	Manifest   act.Manifest
	Sources    []act.Manifest // what it was made from, as far as it is known here
	Consents   []product.Consent
	Accredited []product.Accreditation // of our own system
	Channel    string
	Hub        Hub
	Came       time.Time // when it came: before now where it waited
	Now        time.Time
	Blocked    string
	NumberUsed bool
}

// Accept rules on taking a product in.
func Accept(f *AcceptFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := gates{p: f.Pact}
	m := &f.Manifest
	// A release is judged by the moment it was made: what was in time then is not late because the link was cut.
	made := f.Act.At.Time
	moved := movement{&f.Life, m, f.Channel, f.Hub, f.Blocked, f.Consents, made, false}
	rank := g.moves(moved)
	g.accredited(f.Accredited, f.Channel, rank, f.Now) // by now, not by the moment of the release: it is our system that carries it on
	if m.Originator != f.From || m.Pact != f.Act.Pact {
		g.shut(pact.ThirdParty, "release it anew", "the manifest names another originator or pact than the act")
	}
	if !slices.Contains(m.Recipients, f.Own) || !slices.Equal(m.Recipients, f.Act.To) {
		g.shut(pact.ThirdParty, "address it to its recipients", "it is not addressed to us")
	}
	if m.Number.Party() != m.Originator {
		g.shut(pact.Markings, "number it in the originator's own series", "its control number is of another party's series")
	}
	if f.Act.By == "" {
		g.shut(pact.Authorities, "an officer who was notified releases it", "no officer released it")
	}
	if f.NumberUsed {
		g.shut(pact.Markings, "release it under a fresh number", "its control number was used before")
	}
	if made.After(f.Now.Add(24 * time.Hour)) {
		g.shut(pact.Channels, "set the clock right", "it is dated in the future")
	}
	for _, l := range m.Lineage {
		origins := []act.Party{l.Of.Party()} // of a source that is not known here, its number tells one
		for i := range f.Sources {
			if f.Sources[i].Number == l.Of {
				origins = f.Sources[i].Origins
			}
		}
		g.named(m, origins, l.Of)
	}
	// But its date proves nothing once its receipt is overdue: what it rests on must then hold still.
	if moved.now, moved.overdue = f.Now, true; g.failed == nil && Overdue(f.Pact, made, f.Came) {
		g.inForce(moved)
		g.consented(moved)
	}
	return g.ruled("transfer", f.Pact.Stamp(rank, f.Own, m.Made.Time), false).reviewed(m.Review)
}

// ReadFacts are what reading is ruled on.
type ReadFacts struct {
	Pact     *pact.Pact // under the text of its release; nil: no such product
	Life     pact.Life
	Own      act.Party
	Manifest act.Manifest
	Custody  product.Custody
	Consents []product.Consent
	Person   act.Person
	Purpose  string
	Now      time.Time
}

// Read rules on opening a product. It does not ask whether the pact is still in
// force: protection, and reading under it, outlive the pact. Where the person
// has no need to know at all, the words are those for a product that does not
// exist.
func Read(f *ReadFacts) Ruling {
	if f.Pact == nil || !f.needsAny() {
		return Ruling{Because: unknown}
	}
	g := gates{p: f.Pact}
	rank := g.reads(f)
	return g.ruled("read", f.Pact.Stamp(rank, f.Own, f.Manifest.Made.Time), false)
}

// reads asks what every use of a product's content asks.
func (g *gates) reads(f *ReadFacts) (rank int) {
	m := &f.Manifest
	rank, known := f.Pact.Table.Rank(f.Custody.Mark(m))
	_, here := f.Custody.Received[f.Own]
	_, refused := f.Custody.Refused[f.Own]
	if !known {
		g.shut(pact.Markings, "ask the registry", "the marking is not in the pact's table")
	}
	if (!here || refused) && m.Originator != f.Own {
		g.shut(pact.Channels, "wait for it: 'entente status' shows what is on its way", "its content is not here yet")
	}
	if f.Custody.Destroyed[f.Own] != nil {
		g.shut(pact.Destruction, "ask the originator to release it again", "it was destroyed here")
	}
	if until := reviewBy(f); !until.IsZero() && !f.Now.Before(until) {
		if _, bound := f.Pact.Cite(pact.Review); bound {
			g.shut(pact.Review, "the registry reviews it: keep ('entente review'), return or destroy", "the review of its need is overdue")
		}
	}
	g.cleared(&f.Person, f.Own, rank, f.Now, "a person who is cleared reads it", "clearance is below the marking or has expired")
	if !party.Holds(&f.Person, act.Reading) {
		g.shut(pact.NeedToKnow, "enrol the person with the office 'read'", "the person holds no office to read")
	}
	if !party.Needs(&f.Person, m.Pact, f.Purpose, f.Now) {
		g.shut(pact.NeedToKnow, "the security officer grants the need", "no need to know for this purpose")
	}
	g.uses(f)
	if f.Person.Facility == "" {
		g.shut(pact.Register, "enter the person in a register", "the person is on no facility's register")
	}
	if !f.Person.Briefed {
		g.shut(pact.Briefing, "brief the person and record it", "the person was not briefed")
	}
	return rank
}

// reviewBy is when the need for a product is to be reviewed next (R20).
func reviewBy(f *ReadFacts) (t time.Time) {
	if r := f.Manifest.Review; r != nil {
		t = r.Time
	}
	if r := f.Custody.Reviewed; r != nil && r.After(t) {
		t = r.Time
	}
	return t
}

// uses asks whether the purpose is one that the product may be used for.
func (g *gates) uses(f *ReadFacts) {
	if f.Purpose == f.Manifest.Purpose || f.Pact.Use == "free" || f.Pact.Use == "framework" && f.Pact.Names(f.Purpose) {
		return
	}
	for _, o := range f.Manifest.Origins {
		if o != f.Own && !approvedFor(f.Consents, o, "purpose", "", f.Purpose, f.Now, &f.Manifest) {
			g.shut(pact.Purpose, "ask the originator to approve another purpose", "the purpose is not the one that it was released for")
			return
		}
	}
}

func (f *ReadFacts) needsAny() bool {
	if f.Person.Left || f.Person.Name == "" {
		return false
	}
	for i := range f.Person.Needs {
		if f.Person.Needs[i].Pact == f.Manifest.Pact {
			return true
		}
	}
	return false
}

// DoFacts are what may be done with a product that is here. Who does it must be
// one who may read it.
type DoFacts struct {
	ReadFacts
	Deed      string    // pass-on, copy, translate, extract, show, review, downgrade, destroy
	Recipient act.Party // of a pass-on
	Standing  string    // of the recipient, where the pact goes by audience: recipients, organisation, clients, community, public
	Mark      act.Mark  // of a downgrade
	Copies    int       // made so far
	Method    string    // of a destruction
	Witnesses int
	Visit     *product.Visit // of a showing
	Visitor   string
}

// Do rules on passing on, copying, translating, excerpting, reclassifying and
// destroying a product.
func Do(f *DoFacts) Ruling {
	// The registry destroys, and the release officer reclassifies, what they may not read.
	if f.Pact == nil || !f.needsAny() && (f.Deed != "destroy" && f.Deed != "review" || !party.Holds(&f.Person, act.Registry)) && (f.Deed != "downgrade" || !party.Holds(&f.Person, act.Releasing)) {
		return Ruling{Because: unknown}
	}
	g := gates{p: f.Pact}
	m := &f.Manifest
	switch f.Deed {
	case "pass-on":
		g.reads(&f.ReadFacts)
		g.passesOn(f)
		return g.ruled("pass-on", nil, false)
	case "copy":
		rank := g.reads(&f.ReadFacts)
		if l := f.Pact.Copying.Limit; l > 0 && f.Copies >= l {
			g.shut(pact.Reproduction, "destroy a copy first, or ask the originator", "the pact's limit of copies is reached")
		}
		g.makes(f, pact.Reproduction, f.Pact.Copying.Copies, rank)
		return g.ruled("copy", f.Pact.Stamp(rank, f.Own, m.Made.Time), false)
	case "translate", "extract":
		rank := g.reads(&f.ReadFacts)
		mode := f.Pact.Copying.Translations
		if f.Deed == "extract" {
			mode = f.Pact.Copying.Extracts
		}
		g.makes(f, pact.Translation, mode, rank)
		return g.ruled("translate", f.Pact.Stamp(rank, f.Own, m.Made.Time), false)
	case "show":
		rank := g.reads(&f.ReadFacts)
		g.shows(f, rank)
		return g.ruled("show", nil, false)
	case "review":
		if !party.Holds(&f.Person, act.Registry) {
			g.shut(pact.Review, "a person of the registry reviews it", "the person holds no office of the registry")
		}
		return g.ruled("review", nil, false)
	case "downgrade":
		g.reclassifies(f)
		return g.ruled("downgrade", nil, false)
	case "destroy":
		if !party.Holds(&f.Person, act.Registry) {
			g.shut(pact.Destruction, "a person of the registry destroys it", "the person holds no office of the registry")
		}
		if len(f.Pact.Destroy.Methods) > 0 && !slices.Contains(f.Pact.Destroy.Methods, f.Method) {
			g.shut(pact.Destruction, "choose one of: "+strings.Join(f.Pact.Destroy.Methods, ", "), "the pact knows no such method of destruction")
		}
		if f.Witnesses < f.Pact.Destroy.Witnesses {
			g.shut(pact.Destruction, "have it witnessed", "too few witnesses")
		}
		if f.Custody.Destroyed[f.Own] != nil {
			g.shut(pact.Destruction, "none is needed", "it was destroyed here")
		}
		if _, here := f.Custody.Received[f.Own]; !here && m.Originator != f.Own {
			g.shut(pact.Destruction, "destroy it when it has come", "its content is not here yet")
		}
		return g.ruled("destroy", nil, false)
	}
	g.shut("deed", "one of: pass-on, copy, translate, extract, show, review, downgrade, destroy", "no deed is called ", f.Deed)
	return Ruling{Because: g.failed}
}

// shows asks whether a visitor may be shown a product: only those whom an
// approved visit names, up to the host's mark, while it lasts (R27, R28).
func (g *gates) shows(f *DoFacts, rank int) {
	v, m := f.Visit, &f.Manifest
	if phase := f.Pact.Stands(f.Life, f.Now); !phase.Transfers() {
		g.shut(pact.InForce, cureOf(phase), "the pact is not in force: it is ", string(phase))
	}
	if v == nil || v.Host != f.Own || v.Pact != m.Pact {
		g.shut(pact.Visiting, "have the visit asked for, authority to authority", "no visit of this name is known here")
		return
	}
	most, known := 0, false
	if v.Approved != nil {
		most, known = f.Pact.Table.Rank(*v.Approved, f.Now)
	}
	switch {
	case !g.open(v, f.Now):
	case !slices.Contains(v.Visitors, f.Visitor):
		g.shut(pact.Visiting, "ask for a visit that names the visitor", "the visit does not name this visitor")
	case !known || rank > most:
		g.shut(pact.Visiting, "have the host approve a higher mark", "the marking is above what the host approved for the visit")
	case m.Originator != v.By && !slices.Contains(m.Recipients, v.By) && (m.Originator != f.Own || !slices.Equal(m.Origins, []act.Party{f.Own})):
		g.shut(pact.ThirdParty, "ask its originators", "it holds information that was not released to the visitor's party")
	}
}

// VisitFacts are what the approval of a visit is ruled on.
type VisitFacts struct {
	Pact   *pact.Pact
	Life   pact.Life
	Own    act.Party
	Visit  *product.Visit
	Mark   act.Mark // up to which we approve
	Person act.Person
	Now    time.Time
}

// Visit rules on the approval of a visit by its host (R27).
func Visit(f *VisitFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := gates{p: f.Pact}
	if phase := f.Pact.Stands(f.Life, f.Now); !phase.Transfers() {
		g.shut(pact.InForce, cureOf(phase), "the pact is not in force: it is ", string(phase))
	}
	if f.Visit == nil || f.Visit.Host != f.Own || !f.Pact.Has(f.Visit.By) {
		g.shut(pact.Visiting, "have it asked for, authority to authority", "no visit of this name was asked of us")
	} else if f.Visit.Ended != nil || !f.Now.Before(f.Visit.Until.Time) {
		g.shut(pact.Visiting, "ask for another visit", "the visit has ended")
	}
	if !party.Holds(&f.Person, act.Signing) {
		g.shut(pact.Authorities, "a person with the office 'sign' does it", "the person holds no office to sign")
	}
	if rank, ok := f.Pact.Table.Rank(f.Mark, f.Now); !ok || f.Mark.Party != f.Own || rank > f.Pact.Ceiling {
		g.shut(pact.Markings, "approve up to a mark of our own scheme, within the pact's ceiling", "the marking is not in the pact's table, or above its ceiling")
	}
	return g.ruled("visit", nil, false)
}

// passesOn asks whether a product may go to somebody who was no recipient of it.
func (g *gates) passesOn(f *DoFacts) {
	m := &f.Manifest
	if phase := f.Pact.Stands(f.Life, f.Now); !phase.Transfers() {
		g.shut(pact.InForce, cureOf(phase), "the pact is not in force: it is ", string(phase))
	}
	if f.Recipient == "" || slices.Contains(m.Recipients, f.Recipient) || slices.Contains(m.Origins, f.Recipient) {
		g.shut(pact.ThirdParty, "name a third party", "the recipient has it already, or none is named")
	}
	audience := false
	if f.Pact.Third.Release == "audience" {
		rank, _ := f.Pact.Table.Rank(f.Custody.Mark(m))
		audience = f.Standing != "recipients" && pact.Reaches(f.Pact.Third.Audience[rank], f.Standing)
	}
	for _, o := range m.Origins {
		if audience && f.Pact.Has(o) {
			continue // its mark is its word; who is no party gave none
		}
		if o != f.Own && !approvedFor(f.Consents, o, "pass-on", f.Recipient, f.Purpose, f.Now, m) {
			g.shut(pact.ThirdParty, "ask "+string(o)+" for an approval that names product, recipient, purpose and expiry", "the written approval of ", string(o), " is missing, used up, expired or withdrawn")
		}
	}
}

// makes asks whether a copy, translation or extract may be made.
func (g *gates) makes(f *DoFacts, c pact.Clause, mode string, rank int) {
	m := &f.Manifest
	if from := f.Pact.Copying.ConsentFrom; from > 0 && rank >= from && mode != "forbidden" {
		mode = "consent"
	}
	switch {
	case slices.Contains(m.Caveats, "no copy") && f.Deed != "translate":
		g.shut(c, "ask the originator for a version without this caveat", "the originator forbids copies of it")
	case mode == "forbidden":
		g.shut(c, "none: the pact forbids it", "the pact forbids it")
	case mode == "consent":
		for _, o := range m.Origins {
			if o != f.Own && !approvedFor(f.Consents, o, f.Deed, "", f.Purpose, f.Now, m) {
				g.shut(c, "ask "+string(o)+" for an approval", "the written approval of ", string(o), " is missing, used up, expired or withdrawn")
			}
		}
	}
}

// reclassifies asks whether a product may bear another mark.
func (g *gates) reclassifies(f *DoFacts) {
	m := &f.Manifest
	if f.Own != m.Originator {
		g.shut(pact.Reclassification, "ask the originator to reclassify it", "only its originator lowers its mark")
	}
	if !party.Holds(&f.Person, act.Releasing) {
		g.shut(pact.Authorities, "a person with the office 'release' does it: 'entente person list'", "the officer holds no office to release")
	}
	old, ok := f.Pact.Table.Rank(f.Custody.Mark(m))
	now, ok2 := f.Pact.Table.Rank(f.Mark, f.Now)
	switch {
	case !ok || !ok2 || f.Mark.Party != m.Originator:
		g.shut(pact.Markings, "use a mark of the originator's scheme in the pact's table", "the new marking is not in the pact's table")
	case now >= old:
		g.shut(pact.Reclassification, "choose a lower mark", "the new marking is not lower")
	}
	for _, o := range m.Origins {
		if o != m.Originator {
			g.shut(pact.Reclassification, "ask "+string(o)+" to reclassify its part", "it holds information of ", string(o), ", whose mark only it lowers")
		}
	}
}

// PactFacts are what a step in a pact's life is ruled on.
type PactFacts struct {
	Pact   *pact.Pact
	Life   pact.Life
	Own    act.Party
	Step   act.Kind
	Person act.Person
	Now    time.Time
	Above  []*pact.Pact // what it implements, in force here
}

// implements asks that an arrangement widens none of the pacts that it implements (R12).
func (g *gates) implements(f *PactFacts) {
	for _, id := range f.Pact.Relation.Implements {
		i := slices.IndexFunc(f.Above, func(p *pact.Pact) bool { return p.ID == id })
		if i < 0 {
			g.failed = append(g.failed, act.Reason{Article: "no pact", Text: "it implements " + string(id) + ", which is not in force here", Cure: "conclude that pact first"})
			continue
		}
		article := "implementing arrangements"
		for _, a := range f.Above[i].Articles {
			if strings.EqualFold(a.Title.EN, article) {
				article = "Article " + strconv.Itoa(a.Number)
			}
		}
		for _, c := range pact.Widens(f.Above[i], f.Pact) {
			what := c.Key + " " + c.New
			if c.For != "" {
				what = c.Key + " of " + string(c.For) + " " + c.New
			}
			g.failed = append(g.failed, act.Reason{Article: article, Text: "it widens " + string(id) + ": " + strings.TrimSpace(what), Cure: "an arrangement may narrow only: leave it out, or have the pact amended"})
		}
	}
}

// Pact rules on a step that our own party takes.
func Pact(f PactFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := gates{p: f.Pact}
	gate := func(ok bool, text, cure string) {
		if !ok {
			g.shut(pact.Duration, cure, text)
		}
	}
	phase := f.Pact.Phase(f.Life, f.Now)
	before := phase == pact.Provisional || phase != pact.Terminated && phase != pact.Cancelled && !phase.Transfers()
	taken := func(m map[act.Party]act.Moment) bool { _, ok := m[f.Own]; return ok }
	gate(f.Pact.Has(f.Own), "we are no party to the pact", "none")
	if !party.Holds(&f.Person, act.Signing) {
		g.shut(pact.Authorities, "a person with the office 'sign' does it", "the person holds no office to sign")
	}
	var open *pact.Notice
	for i := range f.Life.Notices {
		if n := &f.Life.Notices[i]; n.By == f.Own && n.Withdrawn == nil {
			open = n
		}
	}
	switch f.Step {
	case act.PactInitialled:
		gate(before && !taken(f.Life.Initialled), "it cannot be initialled now: it is "+string(phase), "none is needed")
	case act.PactApproved:
		gate(before && !taken(f.Life.Approved), "it cannot be approved now: it is "+string(phase), "none is needed")
	case act.PactSigned:
		gate(before && !taken(f.Life.Signed), "we cannot sign it now: it is "+string(phase), "'entente pacts' shows whose step is next")
		g.implements(&f)
	case act.PactNotified:
		gate(before && taken(f.Life.Signed) && !taken(f.Life.Notified), "we cannot notify now: it is "+string(phase)+", and notification follows our own signature once", "'entente pacts' shows whose step is next")
	case act.PactCancelled:
		gate(before, "it cannot be scrapped: it is "+string(phase), "give notice instead")
	case act.PactNotice:
		gate(phase.Transfers() && phase != pact.Provisional && open == nil, "no notice can be given: it is "+string(phase), "'entente pacts' shows the pact's state")
	case act.PactNoticeSuspended:
		gate(open != nil && open.Suspended == nil && phase.Transfers(), "there is no notice of ours to suspend", "'entente pacts' shows the pact's state")
	case act.PactNoticeWithdrawn:
		gate(open != nil && phase.Transfers(), "there is no notice of ours to withdraw", "'entente pacts' shows the pact's state")
	case act.PactRead:
		gate(phase.Transfers(), "there is nothing to read differently: it is "+string(phase), "none is needed")
	default:
		gate(false, "no step is called "+string(f.Step), "'entente pact --help' lists the steps")
	}
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	r, _ := f.Pact.Cite(pact.Duration)
	return Ruling{Allowed: true, Because: r}
}
