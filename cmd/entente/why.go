package main

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"entente/act"
	"entente/desk"
	"entente/pact"
	"entente/product"
	"entente/reading"
	"entente/ruling"

	"github.com/alecthomas/kong"
)

type whyCmd struct {
	Of        string   `arg:"" optional:"" help:"What is asked about: a product by its control number, a pact by its name, an act by its entry in the ledger or its digest. Of nothing: a release that nobody made (--pact), or what a person was refused (--as)."`
	As        string   `help:"Rule on what this person does, and tell no more than this person may know."`
	Deed      string   `help:"With a product: read, pass-on, copy, translate, extract, show, review, downgrade, destroy, release, or accept, which is nobody's own. In the life of a pact: initialled, approved, signed, notified, cancelled, notice, notice-suspended, notice-withdrawn, read." enum:",read,pass-on,copy,translate,extract,show,review,downgrade,destroy,release,accept,initialled,approved,signed,notified,cancelled,notice,notice-suspended,notice-withdrawn" default:""`
	Recipient string   `help:"Third party of a pass-on."`
	Purpose   string   `help:"For what purpose. Default: the product's own."`
	Standing  string   `help:"What the recipient of a pass-on is, where the pact goes by audience."`
	Mark      string   `help:"New marking of a downgrade; marking of a release that nobody made."`
	Method    string   `help:"Method of a destruction."`
	Witness   []string `help:"A witness of a destruction; once for each."`
	Visit     string   `help:"The visit of a showing, by its act."`
	Visitor   string   `help:"To whom it is shown."`
	Channel   string   `help:"By which a release came that is accepted. Default: electronic."`
	Pact      string   `help:"The pact of a release that nobody made: it is ruled on without a file, and nothing is entered."`
	To        []string `help:"A recipient of it; once for each. Default: every other party of the pact."`
	Subject   string   `help:"Its subject, as the pact names it. Default: defence."`
	Kind      string   `help:"Its kind: report, assessment, imagery or notice. Default: report."`
	Form      string   `help:"Its form, as the pact speaks of it. Default: electronic."`
	From      []string `help:"Control number of a product that it is made from; once for each."`
	Review    string   `help:"When its need is reviewed: 2027-01-31."`
	Mandate   string   `help:"The mandate that it goes under, by its act."`
	At        string   `help:"As the house stood at this moment, 2016-12-16T09:00:00+09:00, or just before this entry of the ledger, 57."`
	Lang      string   `help:"Tell the answer in en, ko or ja." enum:"en,ko,ja" default:"en"`
}

// AfterApply refuses a flag that is empty: a script's variable may be, and what is not asked is not answered.
func (c *whyCmd) AfterApply(k *kong.Context) error {
	for _, p := range k.Path {
		if p.Flag != nil && p.Flag.Target.Kind() == reflect.String && p.Flag.Target.String() == "" {
			return fmt.Errorf("--%s is empty: say what it is, or leave it out", p.Flag.Name)
		}
	}
	return nil
}

// given lists the flags that say what is asked, and whether each was given.
func (c *whyCmd) given() map[string]bool {
	return map[string]bool{
		"--as": c.As != "", "--deed": c.Deed != "", "--recipient": c.Recipient != "", "--purpose": c.Purpose != "", "--standing": c.Standing != "", "--mark": c.Mark != "", "--method": c.Method != "",
		"--witness": len(c.Witness) > 0, "--visit": c.Visit != "", "--visitor": c.Visitor != "", "--channel": c.Channel != "", "--pact": c.Pact != "", "--to": len(c.To) > 0, "--subject": c.Subject != "",
		"--kind": c.Kind != "", "--form": c.Form != "", "--from": len(c.From) > 0, "--review": c.Review != "", "--mandate": c.Mandate != "",
	}
}

// takes is what a question takes besides --at and --lang; what stands first, up to wants, it cannot do without.
type takes struct {
	what  string
	wants int
	flags []string
}

// deeds are the questions about a deed with a product.
var deeds = map[string]takes{
	"":          {"a product", 0, []string{"--as", "--purpose", "--deed"}},
	"read":      {"reading a product", 1, []string{"--as", "--purpose"}},
	"pass-on":   {"passing a product on", 2, []string{"--as", "--recipient", "--purpose", "--standing"}},
	"copy":      {"copying a product", 1, []string{"--as", "--purpose"}},
	"translate": {"translating a product", 1, []string{"--as", "--purpose"}},
	"extract":   {"an extract of a product", 1, []string{"--as", "--purpose"}},
	"show":      {"showing a product", 3, []string{"--as", "--visit", "--visitor", "--purpose"}},
	"review":    {"reviewing the need for a product", 1, []string{"--as"}},
	"downgrade": {"lowering a product's mark", 2, []string{"--as", "--mark"}},
	"destroy":   {"destroying a product", 2, []string{"--as", "--method", "--witness"}},
	"release":   {"the release of a product", 1, []string{"--as"}},
	"accept":    {"accepting a product", 0, []string{"--as", "--channel"}},
}

// takes says what the question takes.
func (c *whyCmd) takes(q *desk.WhyAsk) (takes, bool) {
	switch {
	case q.Number != "":
		t, ok := deeds[c.Deed]
		return t, ok
	case q.Pact != "":
		_, ofProduct := deeds[c.Deed]
		return takes{"the life of a pact", 0, []string{"--as", "--deed"}}, c.Deed == "" || c.Deed == "read" || !ofProduct
	case c.Of != "":
		return takes{"an act", 0, []string{"--as"}}, true
	case c.Pact != "":
		return takes{"a release that nobody made", 4, []string{"--pact", "--as", "--mark", "--purpose", "--to", "--subject", "--kind", "--form", "--from", "--review", "--mandate", "--deed"}}, c.Deed == "" || c.Deed == "release"
	}
	return takes{"what a person was refused", 1, []string{"--as"}}, true
}

// ask puts the question. What says nothing to it is refused: an answer to less than was asked misleads.
func (c *whyCmd) ask() (q desk.WhyAsk, err error) {
	invalid := func(format string, args ...any) error {
		return &desk.Problem{Kind: "invalid", Text: fmt.Sprintf(format, args...), Hint: "'entente why --help' explains it"}
	}
	if c.Of != "" {
		q = desk.AskAbout(c.Of)
	}
	t, ok := c.takes(&q)
	if !ok {
		return q, invalid("--deed %s belongs to another question than one about %s", c.Deed, t.what)
	}
	given := c.given()
	for _, f := range slices.Sorted(maps.Keys(given)) {
		if given[f] && !slices.Contains(t.flags, f) && (f != "--deed" || q.Number == "") {
			return q, invalid("%s belongs to another question: one about %s takes %s", f, t.what, strings.Join(t.flags, ", "))
		}
	}
	if c.Purpose != "" && q.Number != "" {
		t.wants = max(t.wants, 1)
	}
	for _, f := range t.flags[:t.wants] {
		if !given[f] && f == "--as" && c.Of != "" {
			return q, invalid("a ruling is on a deed by a person: name who with --as")
		}
		if !given[f] {
			return q, invalid("a question about %s wants %s", t.what, strings.Join(t.flags[:t.wants], ", "))
		}
	}
	q.Deed = reading.Deed{As: c.As, Deed: c.Deed, Purpose: c.Purpose, Recipient: act.Party(c.Recipient), Standing: c.Standing, Mark: c.Mark, Method: c.Method, Witness: c.Witness, Visitor: c.Visitor}
	q.Channel, q.Lang = c.Channel, c.Lang
	if c.Visit != "" {
		d, err := digest(c.Visit)
		if err != nil {
			return q, err
		}
		q.Visit = &d
	}
	if c.Of == "" && c.Pact != "" {
		r := releaseCmd{As: c.As, Pact: c.Pact, Purpose: c.Purpose, To: c.To, Mark: c.Mark, Subject: cmpText(c.Subject, "defence"), Kind: cmpText(c.Kind, "report"), Form: cmpText(c.Form, "electronic"), From: c.From, Review: c.Review, Mandate: c.Mandate, Title: "-"}
		d, err := r.draft()
		if err != nil {
			return q, err
		}
		q.Draft, q.Deed = &d, reading.Deed{As: c.As}
	}
	q.When, err = desk.ParseWhen(c.At)
	return q, err
}

// Run explains.
func (c *whyCmd) Run(a *app) error {
	q, err := c.ask()
	if err != nil {
		return err
	}
	var v whyAnswer
	if err := a.fetch("/v1/why", q, &v, "entries"); err != nil {
		return err
	}
	v.in(c.Lang)
	return a.ruled(v.Ruling, &v, func(w io.Writer) { c.tell(w, &q, &v) })
}

// ruled answers with a ruling, if there is one. A refusal is the answer, and the exit code tells it.
func (a *app) ruled(r *desk.RuleView, v any, tell func(io.Writer)) error {
	if err := a.answer(v, tell); err != nil {
		return err
	}
	if r != nil && !r.Allowed {
		return answered(exitRefused)
	}
	return nil
}

// tell says the answer.
func (c *whyCmd) tell(w io.Writer, q *desk.WhyAsk, v *whyAnswer) {
	say := func(key string, holes ...any) string { return fmt.Sprintf(desk.Say(c.Lang, key), holes...) }
	for i := range v.Pacts {
		if c.Deed == "" {
			tellPact(w, c.Lang, &v.Pacts[i])
		}
	}
	for i := range v.Steps {
		tellStep(w, c.Lang, &v.Steps[i])
	}
	switch {
	case q.Draft != nil, c.Deed != "", c.Purpose != "": // the ruling alone was asked for
	case c.Of == "" && len(v.Entries) == 0:
		fmt.Fprintln(w, say("nothingrefused", c.As))
	default:
		v.tell(w, c.Lang)
	}
	if v.Waits != "" {
		fmt.Fprintln(w, say("waitsfor", v.Waits))
	}
	if v.Ruling == nil {
		return
	}
	when := say("now")
	if !q.When.IsZero() || v.Recorded {
		when = say("asof", moment(v.At), v.Ledger.Size)
	}
	who, of := "", cmpText(c.Of, c.Pact)
	if q.Entry != nil {
		of = say("entryword") + " " + of
	}
	if v.Ruling.By != "" {
		who = say("byperson", v.Ruling.By)
	}
	fmt.Fprint(w, say("ruledhead", desk.Term(c.Lang, v.Ruling.Deed), of, who, when))
	tellRests(w, c.Lang, v.Ruling)
}

// tellPact says where a pact stands, and how each party reads it.
func tellPact(w io.Writer, lang string, p *desk.PactView) {
	name := string(p.ID)
	if p.Version > 1 {
		name = fmt.Sprintf("%s, %s %d", p.ID, desk.Say(lang, "version"), p.Version)
	}
	fmt.Fprintf(w, "%s: %s; %s\n", name, desk.Term(lang, p.Phase), p.Next)
	for _, r := range p.Readings {
		ends := ""
		if r.Day != "" {
			ends = "; " + desk.Say(lang, "endson") + " " + r.Day
		}
		fmt.Fprintf(w, "  %s: %s: %s%s\n", r.Party, desk.Say(lang, "reading"), desk.Term(lang, string(r.Phase)), ends)
	}
	if p.Disputed {
		fmt.Fprintf(w, "  %s. %s: %s\n", desk.Say(lang, "disputed"), desk.Say(lang, "strict"), desk.Term(lang, p.Stands))
	}
	if p.Reminder != nil {
		fmt.Fprintf(w, "  %s\n", p.Reminder.Text)
	}
}

// tellStep says whether a step is open, and by which articles.
func tellStep(w io.Writer, lang string, r *desk.RuleView) {
	open, version := "stepclosed", ""
	if r.Allowed {
		open = "stepopen"
	}
	if r.Version > 1 {
		version = fmt.Sprintf(" (%s %d)", desk.Say(lang, "version"), r.Version)
	}
	fmt.Fprintf(w, "%s: %s%s\n", desk.Say(lang, open), desk.Term(lang, r.Deed), version)
	tellReasons(w, lang, r.Because)
}

func tellReasons(w io.Writer, lang string, all []act.Reason) {
	for _, b := range all {
		fmt.Fprintf(w, "  %s: %s\n", b.Article, b.Text)
		if b.Cure != "" {
			fmt.Fprintf(w, "    %s: %s\n", desk.Say(lang, "remedy"), b.Cure)
		}
	}
}

// tellRuling says a decision, its articles and cures, and its duties.
func tellRuling(w io.Writer, lang string, r ruling.Ruling) {
	decided := "ruledno"
	if r.Allowed {
		decided = "ruledyes"
	}
	fmt.Fprintln(w, desk.Say(lang, decided))
	tellReasons(w, lang, r.Because)
	for _, d := range r.Duties {
		fmt.Fprintf(w, "  %s: %s\n", desk.Say(lang, "duty"), d)
	}
}

// tellRests says a ruling, and the acts that it rests on.
func tellRests(w io.Writer, lang string, v *desk.RuleView) {
	if v.Deed == "stand" {
		stands := desk.Say(lang, "standsnot")
		if v.Allowed {
			stands = desk.Say(lang, "stands")
		}
		if v.Until != nil {
			stands += "; " + fmt.Sprintf(desk.Say(lang, "endsby"), moment(*v.Until))
		}
		fmt.Fprintln(w, stands)
		tellReasons(w, lang, v.Because)
	} else {
		tellRuling(w, lang, v.Ruling)
	}
	for _, x := range v.Rests {
		fmt.Fprintf(w, "  "+desk.Say(lang, "restsentry")+"\n", x.Entry, moment(x.At), x.Kind, x.By)
	}
	if v.Today != "" {
		fmt.Fprintf(w, "  "+desk.Say(lang, "astoday")+"\n", v.Today)
	}
}

// whyAnswer is a desk.WhyView as it is told: of each act no more than is shown.
type whyAnswer struct {
	At      act.Moment      `json:"at"`
	Ledger  act.Head        `json:"ledger"`
	Custody product.Custody `json:"custody"`
	Entries []struct {
		Index int64 `json:"index"`
		Act   struct {
			Kind act.Kind   `json:"kind"`
			From act.Party  `json:"from"`
			By   string     `json:"by"`
			At   act.Moment `json:"at"`
			Body struct {
				Basis   []string     `json:"basis"`
				Because []act.Reason `json:"because"`
				Person  string       `json:"person"`
				Number  act.Number   `json:"number,omitempty"`
				Asked   *struct {
					Title string   `json:"title"`
					Mark  act.Mark `json:"mark"`
				} `json:"manifest,omitempty"`
				Phase string `json:"phase,omitempty"`
			} `json:"body"`
		} `json:"act"`
		Digest string `json:"digest"`
	} `json:"entries"`
	Ruling *desk.RuleView  `json:"ruling,omitempty"`
	Pacts  []desk.PactView `json:"pacts,omitempty"`
	Steps  []desk.RuleView `json:"steps,omitempty"`
	Gave   []string        `json:"gave,omitempty"`
	Waits  string          `json:"waits,omitempty"`

	Recorded bool `json:"recorded,omitempty"`
}

// in tells what was said in English, and is so signed, in a language.
func (v *whyAnswer) in(lang string) {
	for i := range v.Entries {
		b := &v.Entries[i].Act.Body
		for j := range b.Because {
			b.Because[j] = ruling.In(lang, b.Because[j])
		}
		for j := range b.Basis {
			b.Basis[j] = ruling.Say(lang, b.Basis[j])
		}
	}
}

// tell says what happened.
func (v *whyAnswer) tell(w io.Writer, lang string) {
	say := func(key string, holes ...any) string { return fmt.Sprintf(desk.Say(lang, key), holes...) }
	if m := v.Custody.Manifest; m.Number != "" {
		fmt.Fprintln(w, say("releasedby", m.Number, m.Mark.Text, m.Title, m.Originator, m.Pact))
	}
	for i, e := range v.Entries {
		more := ""
		if e.Act.Body.Phase != "" {
			more = "  " + desk.Term(lang, e.Act.Body.Phase)
		}
		if n := e.Act.Body.Number; n != "" && n != v.Custody.Manifest.Number {
			more += "  " + string(n)
		}
		if m := e.Act.Body.Asked; m != nil && len(e.Act.Body.Because) > 0 {
			more += "  " + m.Mark.Text + "  " + m.Title
		}
		fmt.Fprintf(w, "%s %d  %s  %s  %s%s\n", say("entryword"), e.Index, moment(e.Act.At), e.Act.Kind, cmpText(e.Act.By, string(e.Act.From)+" "+e.Act.Body.Person), more)
		if i == 0 && len(v.Gave) > 0 {
			fmt.Fprintf(w, "    %s\n", strings.Join(v.Gave, pact.Say(lang, ", ")))
		}
		if len(e.Act.Body.Basis) > 0 {
			fmt.Fprintf(w, "    %s\n", say("restsarticles", strings.Join(e.Act.Body.Basis, pact.Say(lang, ", "))))
		}
		for _, b := range e.Act.Body.Because {
			fmt.Fprintf(w, "    %s: %s; %s: %s\n", b.Article, b.Text, say("remedy"), b.Cure)
		}
	}
}

// moment is written as --at takes it, to the millisecond.
func moment(m act.Moment) string { return m.UTC().Format("2006-01-02T15:04:05.000Z") }
