// Package pact is the agreement as data: a text that a treaty lawyer reads and
// a machine keeps.
//
// [Parse] reads a text and reports every mistake at once. [Draft] fills the
// cards of the parties into a shipped text. A [Life] folds the acts of a pact's
// life; [Pact.Phase] reads it at a moment, [Pact.Due] says what comes next.
// [Diff] says what another text changes, for whom. The text is YAML in a narrow
// form: no anchors, no tags, nothing unknown. What the machine enforces is a
// closed set of clauses, each bound to an article that a ruling cites; an article
// without a clause is kept by people, and names the record that they make.
package pact

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/marking"
)

// Clause is what the machine enforces in an article.
type Clause string

// The clauses.
const (
	InForce           Clause = "in-force"           // nothing moves but under a pact in force
	Subjects          Clause = "subjects"           // what the pact covers, in which forms
	Markings          Clause = "markings"           // the table, its floor and its ceiling
	Reclassification  Clause = "reclassification"   // only the originator lowers a mark
	ThirdParty        Clause = "third-party"        // no release to others without written approval
	Purpose           Clause = "purpose"            // no use for another purpose without written approval
	Clearance         Clause = "clearance"          // eligibility, from the level of the product
	NeedToKnow        Clause = "need-to-know"       // rank, post or clearance alone gives no access
	Assurance         Clause = "assurance"          // before an oral disclosure the receiver assures clearance and need
	Visiting          Clause = "visits"             // only with the host's approval, up to its mark, while it lasts
	Review            Clause = "review"             // what is no longer needed is returned or destroyed
	Register          Clause = "register"           // each facility keeps a register of persons
	Briefing          Clause = "briefing"           // persons are told their duties
	Channels          Clause = "channels"           // how things travel, and the ceiling of each way
	Accreditation     Clause = "accreditation"      // only systems whose accreditation has not ended carry
	Receipts          Clause = "receipts"           // signed by the final recipient, returned
	Authorities       Clause = "authorities"        // only those who were notified act
	StandingAuthority Clause = "standing-authority" // a class of products may go at once, by mandate
	OriginatorControl Clause = "originator-control" // the originator may keep a share of the key
	Reproduction      Clause = "reproduction"       // copies are few, numbered and held by somebody
	Translation       Clause = "translation"        // by the cleared, with both marks
	Destruction       Clause = "destruction"        // beyond reconstruction, against a certificate
	Survival          Clause = "survival"           // protection outlives the pact
	Duration          Clause = "life"               // how it begins, is extended and ends
)

var clauses = []Clause{InForce, Subjects, Markings, Reclassification, ThirdParty, Purpose, Clearance, NeedToKnow, Assurance, Visiting, Review, Register, Briefing, Channels, Accreditation, Receipts,
	Authorities, StandingAuthority, OriginatorControl, Reproduction, Translation, Destruction, Survival, Duration}

// Clauses returns the closed set.
func Clauses() []Clause { return slices.Clone(clauses) }

// Pact is an agreement's text, read. The numbers D1 to D24 are the ways in
// which real pacts differ.
type Pact struct {
	ID       act.PactID
	Version  int
	Title    act.Names
	Zone     *time.Location
	Binding  string         // D1: treaty, arrangement, exchange-of-notes, membership
	Parties  []Party        // D2, D11
	Topology string         // D3: direct, hub, mesh
	Hub      Hub            // D3
	Subjects []string       // D4
	Forms    []string       // D4
	Provide  string         // D5: none, on-request, standing
	Table    marking.Table  // D6
	Floor    int            // D6: least rank
	Ceiling  int            // D6: greatest rank
	Channels map[string]int // D7: ceiling of each
	Legs     []Leg          // D7: between two parties; none: every party reaches every other
	Third    Third          // D8
	Purposes []Named        // D9
	Use      string         // D9: bound, framework, free
	Cleared  int            // D10: rank from which a clearance is needed; 0: never
	Receipt  Receipt        // D12
	Copying  Copying        // D13
	Destroy  Destroy        // D14
	Contract Contract       // D15
	Incident Incident       // D16
	Visits   Visits         // D17
	Terms    Terms          // D18, D19
	Amend    string         // D20: consent, notes, authorities
	Language Language       // D21
	Disputes string         // D22: consultation
	Costs    string         // D22: own, shared
	Relation Relation       // D23
	Report   Report         // D24
	Articles []Article
	Notes    []act.Names // what a reader should know about the text
	Doubts   []Doubt     // what is uncertain
	Text     act.Sum

	cite    map[Clause][]act.Reason // made once, so that a ruling allocates nothing
	grounds map[string][]act.Reason
	duties  map[string][]string
	stamps  []act.Mark // of each row of the table
}

// Party is a party as the text names it.
type Party struct {
	ID        act.Party
	Kind      string // state, ministry, organisation, agency, company
	Name      act.Names
	Authority act.Names
	Offices   []Office  // D11: besides the competent authority
	Card      *act.Card // nil in a text without keys
}

// Office is an office of a party's that the text names.
type Office struct {
	Role string // security, designated-security, registry, contact
	Name act.Names
}

// Hub passes on what two parties share through it.
type Hub struct {
	Party act.Party
	Reads bool // it is a recipient itself
}

// Leg is the way between two parties.
type Leg struct {
	Between  [2]act.Party
	Ceiling  int
	Channels []string   // none: all of the pact's
	Under    act.PactID // the pact that protects what moves on it
}

// Third is who else may have a product (D8).
type Third struct {
	Release  string         // consent: the originator's written approval; audience: as the marking says
	Audience map[int]string // by rank: recipients, organisation, clients, community, public
	Counts   []string       // who counts as a third party besides other states: contractor, overseer, court
}

// Receipt is from which rank a receipt is due, and within what time (D12).
type Receipt struct {
	From   int
	Within time.Duration
}

// Copying is how copies, translations and extracts are made (D13): free,
// minimum, consent or forbidden; from rank ConsentFrom on, always consent.
type Copying struct {
	Copies, Translations, Extracts string
	ConsentFrom                    int // 0: never
	Limit                          int // copies of one product; 0: none is set
}

// Destroy is how products are destroyed (D14).
type Destroy struct {
	Methods   []string
	Witnesses int
	Keep      int // years that the certificate is kept; 0: not said
}

// Contract is whether products may go to contractors (D15).
type Contract struct {
	Allowed     string // forbidden, conditions
	Performance bool   // security follows the place of performance
}

// Incident is when a loss or compromise is told (D16).
type Incident struct {
	Within   time.Duration // 0: immediately
	Possible bool          // possible ones too
}

// Visits is how visits are asked for, and procedures inspected (D17).
type Visits struct {
	Lead       time.Duration // 0: not said
	Inspection string        // mutual, none
}

// Language is the languages of the text, and whether it may be shown (D21).
type Language struct {
	Authentic   []string
	Publication string // public, closed
}

// Relation is how the pact stands to others (D23).
type Relation struct {
	Implements                           []act.PactID // it is an arrangement under these, and widens none of them (R12)
	Supplements, ProtectedBy, Supersedes []act.PactID
}

// Report is to whom the keeping of the pact is reported (D24).
type Report struct {
	To    string // parliament, board, authorities; empty: nobody
	Every int    // months
}

// Doubt is a term of the text whose source is not the official text.
type Doubt struct {
	Term string
	Why  act.Names
}

// Named is a word of the pact's with its names.
type Named struct {
	ID   string
	Name act.Names
}

// Terms are how a pact begins and ends.
type Terms struct {
	Start        string        // later-notification, signature, first-of-month
	Provisional  time.Time     // applied from this day, once signed by all; zero: not before entry into force
	Years        int           // of each term; 0: without end
	Notice       time.Duration // before the end of a term
	NoticeMonths int           // the same, in calendar months
	Anniversary  string        // MM-DD: terms end at its first instant; empty: the day of entry into force
	Suspension   bool          // the text knows that a notice is suspended

	month time.Month
	date  int
}

// Article is one numbered article.
type Article struct {
	Number    int
	Title     act.Names
	Text      act.Names
	Clauses   []Clause
	Record    act.Names // what people record, where no machine keeps it
	Certainty string    // "recalled": to be checked against the official text
}

// prepare makes what rulings read again and again.
func (p *Pact) prepare() {
	p.cite = map[Clause][]act.Reason{}
	for _, a := range p.Articles {
		for _, c := range a.Clauses {
			p.cite[c] = []act.Reason{{Article: fmt.Sprintf("Article %d", a.Number), Text: a.Title.EN}}
		}
	}
	p.grounds = map[string][]act.Reason{}
	for deed, rest := range rests {
		for _, c := range rest {
			if r, ok := p.cite[c]; ok && !slices.Contains(p.grounds[deed], r[0]) {
				p.grounds[deed] = append(p.grounds[deed], r[0])
			}
		}
	}
	p.duties = map[string][]string{}
	en := tongue{lang: "en"}
	for deed, all := range duties {
		for _, d := range all {
			p.duties[deed] = append(p.duties[deed], strings.ReplaceAll(d, "%s", en.lasting(p.Receipt.Within)))
		}
	}
	for i := range p.Table {
		p.stamps = append(p.stamps, p.Table[i].Mark)
	}
	if a, err := time.Parse("01-02", p.Terms.Anniversary); err == nil {
		p.Terms.month, p.Terms.date = a.Month(), a.Day()
	}
}

// rests is the clauses that an allowed deed rests on.
var rests = map[string][]Clause{
	"transfer":  {InForce, Subjects, Markings, ThirdParty, Clearance, Channels, Duration},
	"read":      {Markings, Purpose, NeedToKnow, Survival},
	"pass-on":   {ThirdParty, Purpose, Markings, InForce},
	"copy":      {Reproduction, NeedToKnow, Survival},
	"translate": {Translation, Markings, NeedToKnow, Survival},
	"downgrade": {Reclassification, Markings},
	"show":      {Visiting, NeedToKnow, Markings},
	"visit":     {Visiting},
	"review":    {Review, Survival},
	"mandate":   {StandingAuthority, Markings, Purpose},
	"destroy":   {Destruction, Survival},
}

// duties is what comes with an allowed deed. %s is the time for a receipt.
var duties = map[string][]string{
	"transfer":  {"mark with the provider's name and the own equivalent", "receipt signed by the final recipient within %s", "no other purpose and no third party without the originator's written approval", "return or destroy when no longer needed"},
	"read":      {"mark with the provider's name and the own equivalent", "no other purpose and no third party without the originator's written approval", "return or destroy when no longer needed"},
	"pass-on":   {"all original marks stay", "the approval of each originator goes with it", "the recipient protects it at least equally"},
	"copy":      {"all original marks are reproduced", "the copy is numbered and has a holder", "the same controls as the original"},
	"translate": {"the marks in both languages", "a note that it contains information of its originator", "by a cleared translator"},
	"downgrade": {"every copy and every derived product is marked anew", "report back to the originator"},
	"destroy":   {"a certificate with method and witness, without content"},
}

// Duties lists what an allowed deed obliges to. The caller must not change it.
func (p *Pact) Duties(deed string) []string { return p.duties[deed] }

// Grounds lists the articles that an allowed deed rests on: transfer, read, pass-on,
// copy, translate, downgrade, show, visit, review, destroy. The caller must not change it.
func (p *Pact) Grounds(deed string) []act.Reason { return p.grounds[deed] }

// Cite names the article that keeps a clause, with its title. The caller must
// not change it. Without such an article the clause does not bind: ok is false.
func (p *Pact) Cite(c Clause) (article []act.Reason, ok bool) {
	article, ok = p.cite[c]
	return article, ok
}

// TitleOf returns the title of the article that r cites, in a language, where the
// title is all that r says; else otherwise.
func (p *Pact) TitleOf(r act.Reason, lang, otherwise string) string {
	for i := range p.Articles {
		if a := &p.Articles[i]; a.Title.EN == r.Text && r.Article == fmt.Sprintf("Article %d", a.Number) {
			return a.Title.In(lang)
		}
	}
	return otherwise
}

// Stamp returns the mark that q puts beside a mark of this rank on a day: one,
// or none. The caller must not change it.
func (p *Pact) Stamp(rank int, q act.Party, on time.Time) []act.Mark {
	if i := p.Table.Index(rank, q, on); i >= 0 {
		return p.stamps[i : i+1 : i+1]
	}
	return nil
}

// Has reports whether q is a party.
func (p *Pact) Has(q act.Party) bool {
	for i := range p.Parties {
		if p.Parties[i].ID == q {
			return true
		}
	}
	return false
}

// Others names the parties but one, in order.
func (p *Pact) Others(q act.Party) (all []act.Party) {
	for i := range p.Parties {
		if id := p.Parties[i].ID; id != q {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// Names reports whether the pact has a purpose of this name.
func (p *Pact) Names(purpose string) bool {
	for i := range p.Purposes {
		if p.Purposes[i].ID == purpose {
			return true
		}
	}
	return false
}

// Way is how the pact's texts name the way to a party that is reached by way of via;
// empty: on the line. Another's hub is no channel of this pact.
func (p *Pact) Way(via act.Party) string {
	switch via {
	case "":
		return "electronic"
	case p.Hub.Party:
		return "hub"
	}
	return "hub " + string(via)
}

// Limit returns the greatest rank that may move from one party to another by a
// channel. It reports false where the pact knows no such way.
func (p *Pact) Limit(from, to act.Party, channel string) (rank int, ok bool) {
	rank, ok = p.Channels[channel]
	if !ok || len(p.Legs) == 0 {
		return rank, ok
	}
	for i := range p.Legs {
		l := &p.Legs[i]
		if l.Between != [2]act.Party{from, to} && l.Between != [2]act.Party{to, from} {
			continue
		}
		return min(rank, l.Ceiling), len(l.Channels) == 0 || slices.Contains(l.Channels, channel)
	}
	return 0, false
}
