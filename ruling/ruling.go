// Package ruling decides: may this be released, accepted, read, done?
//
// Each of [Release], [Accept], [Read] and [Pact] is pure: the same facts give the
// same ruling, on both sides, on an auditor's laptop, ten years later. The
// answer is no unless every gate says yes. A ruling cites the articles that
// decided; a refusal lists every failing gate, with what would cure it.
package ruling

import (
	"slices"
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

// House is a party's own rule on top of its pacts: it narrows, never widens.
type House struct {
	SecondPersonFrom int `json:"second_person_from,omitempty"` // rank from which two persons release; 0: never
}

// gates collects the grounds of a refusal.
type gates struct {
	p      *pact.Pact
	failed []act.Reason
}

// gate fails, citing the article that keeps clause c, unless ok.
func (g *gates) gate(ok bool, c pact.Clause, text, cure string) {
	if ok {
		return
	}
	article := "house rule"
	if g.p != nil {
		if r, cited := g.p.Cite(c); cited {
			article = r[0].Article
		}
	}
	g.failed = append(g.failed, act.Reason{Article: article, Text: text, Cure: cure})
}

var noPact = []act.Reason{{Article: "no pact", Text: "no pact of this name is known here", Cure: "propose the pact, or name another: 'entente pacts' lists them"}}

// moves asks what release and acceptance both ask of a product.
func (g *gates) moves(l pact.Life, own act.Party, m *act.Manifest, channel string, now time.Time, blocked string) (rank int) {
	p := g.p
	phase := p.Phase(l, own, now)
	g.gate(phase.Transfers(), pact.InForce, "the pact is not in force: it is "+string(phase), cureOf(phase))
	g.gate(blocked == "", pact.InForce, "the pact is blocked: "+blocked, "upgrade the node")
	g.gate(slices.Contains(p.Subjects, m.Subject), pact.Subjects, "the subject is outside the pact", "choose one of: "+strings.Join(p.Subjects, ", "))
	g.gate(slices.Contains(p.Forms, m.Form), pact.Subjects, "the form is outside the pact", "choose one of: "+strings.Join(p.Forms, ", "))
	g.gate(p.Names(m.Purpose), pact.Purpose, "the purpose is outside the pact", "choose a purpose that the pact names, or have the pact amended")
	rank, known := p.Table.Rank(m.Mark, m.Made.Time)
	g.gate(known, pact.Markings, "the marking is not in the pact's table on this date", "use a mark of the table; a higher one may not be shared under this pact")
	g.gate(!known || rank <= p.Ceiling, pact.Markings, "the marking is above the pact's ceiling", "share it under a pact with a higher ceiling, or not at all")
	ceiling, open := p.Channels[channel]
	g.gate(open, pact.Channels, "the pact knows no channel called "+channel, "use a channel that the pact names")
	g.gate(!open || !known || rank <= ceiling, pact.Channels, "the marking is above this channel's ceiling", "send it by another channel")
	g.gate(m.Mark.Party == m.Originator, pact.Markings, "the marking is not of the originator's own scheme", "mark it in the originator's scheme")
	for _, o := range m.Origins {
		g.gate(o == m.Originator, pact.ThirdParty, "it holds information of "+string(o)+", whose written approval is missing", "ask "+string(o)+" for an approval that names product, recipient, purpose and expiry")
	}
	g.gate(len(m.Recipients) > 0, pact.ThirdParty, "it has no recipient", "name a party of the pact")
	for _, to := range m.Recipients {
		g.gate(p.Has(to), pact.ThirdParty, string(to)+" is no party to the pact", "release it to parties of the pact only")
		g.gate(to != m.Originator, pact.ThirdParty, "the originator cannot be a recipient", "leave it out")
	}
	return rank
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

// ReleaseFacts are what a release is ruled on.
type ReleaseFacts struct {
	Pact     *pact.Pact // nil: none is known
	Life     pact.Life
	Own      act.Party
	Manifest act.Manifest
	Officer  act.Person // who releases
	Drafter  string     // who drafted it, where another releases
	Notified bool       // every recipient was notified of the officer
	Channel  string
	Now      time.Time
	Blocked  string
	House    House
}

// Release rules on sending a product out.
func Release(f ReleaseFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := &gates{p: f.Pact}
	m := &f.Manifest
	rank := g.moves(f.Life, f.Own, m, f.Channel, f.Now, f.Blocked)
	g.gate(f.Pact.Has(f.Own) && m.Originator == f.Own, pact.ThirdParty, "only its originator releases it here", "ask the originator")
	g.gate(party.Holds(f.Officer, act.Releasing), pact.Authorities, "the officer holds no office to release", "a person with the office 'release' does it: 'entente person list'")
	g.gate(f.Notified, pact.Authorities, "the recipient was not notified of the officer", "compare codes with the recipient first: 'entente pact sign --with'")
	cleared, ok := party.Cleared(f.Officer, f.Pact.Table, f.Own, f.Now)
	g.gate(ok && cleared >= rank, pact.Clearance, "the officer's clearance is below the marking or has expired", "an officer who is cleared releases it")
	second := f.House.SecondPersonFrom > 0 && rank >= f.House.SecondPersonFrom
	if f.Drafter != "" {
		g.gate(f.Drafter != f.Officer.Name, "second-person", "who drafted it does not release it", "another officer approves it: 'entente approve'")
		second = false
	}
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	return Ruling{Allowed: true, Because: basis(f.Pact), As: f.stamps(), Duties: duties, SecondPerson: second}
}

func (f *ReleaseFacts) stamps() (as []act.Mark) {
	for _, to := range f.Manifest.Recipients {
		as = append(as, Stamp(f.Pact, f.Manifest, to)...)
	}
	return as
}

// Stamp returns the equivalent mark that p puts beside the original.
func Stamp(t *pact.Pact, m act.Manifest, p act.Party) []act.Mark {
	rank, ok := t.Table.Rank(m.Mark, m.Made.Time)
	if !ok {
		return nil
	}
	row, ok := t.Table.Equivalent(rank, p, m.Made.Time)
	if !ok {
		return nil
	}
	return []act.Mark{row.Mark}
}

var duties = []string{"mark with the provider's name and the own equivalent", "receipt signed by the final recipient", "no other purpose and no third party without the originator's written approval", "return or destroy when no longer needed"}

// basis lists the articles that an allowed transfer rests on.
func basis(p *pact.Pact) (all []act.Reason) {
	for _, c := range []pact.Clause{pact.InForce, pact.Subjects, pact.Markings, pact.ThirdParty, pact.Clearance, pact.Channels, pact.Life_} {
		if r, ok := p.Cite(c); ok {
			all = append(all, r...)
		}
	}
	return all
}

// AcceptFacts are what taking a product in is ruled on.
type AcceptFacts struct {
	Pact       *pact.Pact
	Life       pact.Life
	Own, From  act.Party
	Act        act.Act
	Manifest   act.Manifest
	Channel    string
	Now        time.Time
	Blocked    string
	NumberUsed bool
}

// Accept rules on taking a product in.
func Accept(f AcceptFacts) Ruling {
	if f.Pact == nil {
		return Ruling{Because: noPact}
	}
	g := &gates{p: f.Pact}
	m := &f.Manifest
	// A release is judged by the moment it was made: what was in time then is not late because the link was cut.
	made := f.Act.At.Time
	g.moves(f.Life, f.Own, m, f.Channel, made, f.Blocked)
	g.gate(m.Originator == f.From && m.Pact == f.Act.Pact, pact.ThirdParty, "the manifest names another originator or pact than the act", "release it anew")
	g.gate(slices.Contains(m.Recipients, f.Own) && slices.Equal(m.Recipients, f.Act.To), pact.ThirdParty, "it is not addressed to us", "address it to its recipients")
	g.gate(f.Act.By != "", pact.Authorities, "no officer released it", "an officer who was notified releases it")
	g.gate(!f.NumberUsed, pact.Markings, "its control number was used before", "release it under a fresh number")
	g.gate(!made.After(f.Now.Add(24*time.Hour)), pact.Channels, "it is dated in the future", "set the clock right")
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	return Ruling{Allowed: true, Because: basis(f.Pact), As: Stamp(f.Pact, f.Manifest, f.Own), Duties: duties}
}

// ReadFacts are what reading is ruled on.
type ReadFacts struct {
	Pact     *pact.Pact // nil: no such product
	Life     pact.Life
	Own      act.Party
	Manifest act.Manifest
	Custody  product.Custody
	Person   act.Person
	Purpose  string
	Now      time.Time
}

var unknown = []act.Reason{{Article: "need to know", Text: "no product of this number may be read by this person", Cure: "ask the registry"}}

// Read rules on opening a product. It does not ask whether the pact is still in
// force: protection, and reading under it, outlive the pact. Where the person
// has no need to know at all, the words are those for a product that does not
// exist.
func Read(f ReadFacts) Ruling {
	if f.Pact == nil || !f.needsAny() {
		return Ruling{Because: unknown}
	}
	g := &gates{p: f.Pact}
	rank, known := f.Pact.Table.Rank(f.Manifest.Mark, f.Manifest.Made.Time)
	_, here := f.Custody.Received[f.Own]
	_, refused := f.Custody.Refused[f.Own]
	g.gate(known, pact.Markings, "the marking is not in the pact's table", "ask the registry")
	g.gate(here && !refused || f.Manifest.Originator == f.Own, pact.Channels, "its content is not here yet", "wait for it: 'entente status' shows what is on its way")
	cleared, ok := party.Cleared(f.Person, f.Pact.Table, f.Own, f.Now)
	g.gate(ok && cleared >= rank, pact.Clearance, "clearance is below the marking or has expired", "a person who is cleared reads it")
	g.gate(party.Holds(f.Person, act.Reading), pact.NeedToKnow, "the person holds no office to read", "enrol the person with the office 'read'")
	g.gate(party.Needs(f.Person, f.Manifest.Pact, f.Purpose, f.Now), pact.NeedToKnow, "no need to know for this purpose", "the security officer grants the need")
	g.gate(f.Purpose == f.Manifest.Purpose, pact.Purpose, "the purpose is not the one that it was released for", "ask the originator to approve another purpose")
	g.gate(f.Person.Facility != "", pact.Register, "the person is on no facility's register", "enter the person in a register")
	g.gate(f.Person.Briefed, pact.Briefing, "the person was not briefed", "brief the person and record it")
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	return Ruling{Allowed: true, Because: readBasis(f.Pact), As: Stamp(f.Pact, f.Manifest, f.Own), Duties: duties}
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

func readBasis(p *pact.Pact) (all []act.Reason) {
	for _, c := range []pact.Clause{pact.Markings, pact.Purpose, pact.NeedToKnow, pact.Survival} {
		if r, ok := p.Cite(c); ok {
			all = append(all, r...)
		}
	}
	return all
}

// PactFacts are what a step in a pact's life is ruled on.
type PactFacts struct {
	Pact   *pact.Pact
	Life   pact.Life
	Own    act.Party
	Step   act.Kind
	Person act.Person
	Now    time.Time
}

// Pact rules on a step that our own party takes.
func Pact(f PactFacts) Ruling {
	g := &gates{p: f.Pact}
	phase := f.Pact.Phase(f.Life, f.Own, f.Now)
	before := phase != pact.Terminated && phase != pact.Cancelled && !phase.Transfers()
	taken := func(m map[act.Party]act.Moment) bool { _, ok := m[f.Own]; return ok }
	g.gate(f.Pact.Has(f.Own), pact.Life_, "we are no party to the pact", "none")
	g.gate(party.Holds(f.Person, act.Signing), pact.Authorities, "the person holds no office to sign", "a person with the office 'sign' does it")
	var open *pact.Notice
	for i := range f.Life.Notices {
		if n := &f.Life.Notices[i]; n.By == f.Own && n.Withdrawn == nil {
			open = n
		}
	}
	switch f.Step {
	case act.PactInitialled:
		g.gate(before && !taken(f.Life.Initialled), pact.Life_, "it cannot be initialled now: it is "+string(phase), "none is needed")
	case act.PactApproved:
		g.gate(before && !taken(f.Life.Approved), pact.Life_, "it cannot be approved now: it is "+string(phase), "none is needed")
	case act.PactSigned:
		g.gate(before && !taken(f.Life.Signed), pact.Life_, "we cannot sign it now: it is "+string(phase), "'entente pacts' shows whose step is next")
	case act.PactNotified:
		g.gate(before && taken(f.Life.Signed) && !taken(f.Life.Notified), pact.Life_, "we cannot notify now: it is "+string(phase)+", and notification follows our own signature once", "'entente pacts' shows whose step is next")
	case act.PactCancelled:
		g.gate(before, pact.Life_, "it cannot be scrapped: it is "+string(phase), "give notice instead")
	case act.PactNotice:
		g.gate(phase.Transfers() && open == nil, pact.Life_, "no notice can be given: it is "+string(phase), "'entente pacts' shows the pact's state")
	case act.PactNoticeSuspended:
		g.gate(open != nil && open.Suspended == nil && phase.Transfers(), pact.Life_, "there is no notice of ours to suspend", "'entente pacts' shows the pact's state")
	case act.PactNoticeWithdrawn:
		g.gate(open != nil && phase.Transfers(), pact.Life_, "there is no notice of ours to withdraw", "'entente pacts' shows the pact's state")
	default:
		g.gate(false, pact.Life_, "no step is called "+string(f.Step), "'entente pact --help' lists the steps")
	}
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	r, _ := f.Pact.Cite(pact.Life_)
	return Ruling{Allowed: true, Because: r}
}
