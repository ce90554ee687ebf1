// Package pact is the agreement as data: a text that a treaty lawyer reads and
// a machine keeps.
//
// [Parse] reads a text and reports every mistake at once. [Draft] fills the
// cards of the parties into a shipped text. A [Life] folds the acts of a pact's
// life; [Pact.Phase] reads it at a moment. The text is YAML in a narrow form:
// no anchors, no tags, nothing unknown. What the machine enforces is a closed
// set of clauses, each bound to an article that a ruling cites; an article
// without a clause is kept by people, and names the record that they make.
package pact

import (
	"bytes"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/marking"

	"go.yaml.in/yaml/v3"
)

// Clause is what the machine enforces in an article.
type Clause string

// The clauses.
const (
	InForce           Clause = "in-force"           // nothing moves but under a pact in force
	Subjects          Clause = "subjects"           // what the pact covers, in which forms
	Markings          Clause = "markings"           // the table, its floor and its ceiling
	ThirdParty        Clause = "third-party"        // no release to others without written approval
	Purpose           Clause = "purpose"            // no use for another purpose without written approval
	Clearance         Clause = "clearance"          // eligibility, from the level of the product
	NeedToKnow        Clause = "need-to-know"       // rank, post or clearance alone gives no access
	Register          Clause = "register"           // each facility keeps a register of persons
	Briefing          Clause = "briefing"           // persons are told their duties
	Channels          Clause = "channels"           // how things travel, and the ceiling of each way
	Receipts          Clause = "receipts"           // signed by the final recipient, returned
	Authorities       Clause = "authorities"        // only those who were notified act
	OriginatorControl Clause = "originator-control" // the originator may keep a share of the key
	Survival          Clause = "survival"           // protection outlives the pact
	Life_             Clause = "life"               // how it begins, is extended and ends
)

var clauses = []Clause{InForce, Subjects, Markings, ThirdParty, Purpose, Clearance, NeedToKnow, Register, Briefing, Channels, Receipts, Authorities, OriginatorControl, Survival, Life_}

// Pact is an agreement's text, read.
type Pact struct {
	ID       act.PactID
	Version  int
	Title    act.Names
	Binding  string
	Topology string
	Parties  []Party
	Zone     *time.Location
	Table    marking.Table
	Ceiling  int            // greatest rank
	Channels map[string]int // ceiling of each
	Subjects []string
	Forms    []string
	Purposes []Named
	Receipt  time.Duration // a receipt is due within
	Terms    Terms
	Articles []Article
	Notes    []string // what is uncertain
	Text     act.Sum

	cite map[Clause][]act.Reason // made once, so that a ruling allocates nothing
}

// Party is a party as the text names it.
type Party struct {
	ID        act.Party
	Name      act.Names
	Authority act.Names
	Card      *act.Card // nil in a text without keys
}

// Named is a word of the pact's with its names.
type Named struct {
	ID   string
	Name act.Names
}

// Terms are how a pact begins and ends.
type Terms struct {
	Start       string        // later-notification, signature
	Years       int           // of each term; 0: without end
	Notice      time.Duration // before the end of a term
	Anniversary string        // MM-DD: terms end at its first instant; empty: the day of entry into force
}

// Article is one numbered article.
type Article struct {
	Number    int
	Title     act.Names
	Text      act.Names
	Clauses   []Clause
	Record    string // what people record, where no machine keeps it
	Certainty string // "recalled": to be checked against the official text
}

// Problem is one mistake in a text.
type Problem struct {
	Line, Column int
	Text         string
}

// String returns the mistake with its place.
func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text) }

const (
	maxNodes = 20000
	maxDepth = 12
)

// names, as the text spells them.
type names struct {
	EN string `yaml:"en"`
	KO string `yaml:"ko"`
	JA string `yaml:"ja"`
}

func (n names) act() act.Names { return act.Names(n) }

type source struct {
	Pact     string   `yaml:"pact"`
	Version  int      `yaml:"version"`
	Title    names    `yaml:"title"`
	Binding  string   `yaml:"binding"`
	Topology string   `yaml:"topology"`
	Zone     string   `yaml:"zone"`
	Notes    []string `yaml:"notes"`
	Parties  []struct {
		ID        string `yaml:"id"`
		Name      names  `yaml:"name"`
		Authority names  `yaml:"authority"`
		Keys      *struct {
			Link   string   `yaml:"link"`
			Seal   string   `yaml:"seal"`
			Ledger []string `yaml:"ledger"`
			Period int      `yaml:"period"`
		} `yaml:"keys"`
	} `yaml:"parties"`
	Markings []struct {
		Rank  int    `yaml:"rank"`
		Term  string `yaml:"term"`
		Party string `yaml:"party"`
		Mark  string `yaml:"mark"`
		Roman string `yaml:"roman"`
		From  string `yaml:"from"`
		To    string `yaml:"to"`
	} `yaml:"markings"`
	Ceiling  string            `yaml:"ceiling"`
	Channels map[string]string `yaml:"channels"`
	Subjects []string          `yaml:"subjects"`
	Forms    []string          `yaml:"forms"`
	Purposes []struct {
		ID   string `yaml:"id"`
		Name names  `yaml:"name"`
	} `yaml:"purposes"`
	ReceiptHours int `yaml:"receipt-hours"`
	Life         struct {
		Start       string `yaml:"start"`
		TermYears   int    `yaml:"term-years"`
		NoticeDays  int    `yaml:"notice-days"`
		Anniversary string `yaml:"anniversary"`
	} `yaml:"life"`
	Articles []struct {
		Number    int      `yaml:"number"`
		Title     names    `yaml:"title"`
		Text      names    `yaml:"text"`
		Clauses   []string `yaml:"clauses"`
		Record    string   `yaml:"record"`
		Certainty string   `yaml:"certainty"`
	} `yaml:"articles"`
}

// reader collects mistakes with their places.
type reader struct {
	root     *yaml.Node
	problems []Problem
}

// at reports a mistake at the place that path leads to: keys and indexes.
func (r *reader) at(text string, path ...any) {
	n := r.root
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	r.problems = append(r.problems, Problem{n.Line, n.Column, text})
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == s {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// Parse reads a text. When there are problems there is no pact.
func Parse(text []byte) (*Pact, []Problem) {
	if len(text) > act.MaxText {
		return nil, []Problem{{1, 1, fmt.Sprintf("the text is longer than %d bytes", act.MaxText)}}
	}
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil || len(doc.Content) != 1 {
		return nil, []Problem{{1, 1, "the text is not YAML: " + plain(err)}}
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, []Problem{{1, 1, "the text holds more than one document"}}
	}
	r := &reader{root: doc.Content[0]}
	nodes := 0
	if r.narrow(r.root, 0, &nodes); len(r.problems) > 0 {
		return nil, r.problems
	}
	var s source
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&s); err != nil {
		var te *yaml.TypeError
		if !errors.As(err, &te) {
			return nil, []Problem{{1, 1, plain(err)}}
		}
		for _, e := range te.Errors {
			p := Problem{Line: 1, Column: 1, Text: strings.ReplaceAll(e, " in type pact.source", "")}
			if n, _ := fmt.Sscanf(e, "line %d:", &p.Line); n == 1 {
				_, p.Text, _ = strings.Cut(p.Text, ": ")
			}
			r.problems = append(r.problems, p)
		}
		return nil, r.problems
	}
	p := r.build(s)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	p.Text = sha512.Sum384(text)
	p.makeCitations()
	return p, nil
}

func plain(err error) string {
	if err == nil {
		return "it is empty"
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// narrow refuses what makes YAML mean something else than it says.
func (r *reader) narrow(n *yaml.Node, depth int, count *int) {
	*count++
	bad := ""
	switch {
	case *count > maxNodes || depth > maxDepth:
		bad = "the text is too large or too deep"
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		bad = "anchors and aliases are not allowed"
	case n.Style&yaml.TaggedStyle != 0:
		bad = "tags are not allowed"
	case n.Kind == yaml.ScalarNode && !readable(n.Value):
		bad = "this text holds characters that cannot be shown, or that turn the direction of writing"
	}
	if bad != "" {
		r.problems = append(r.problems, Problem{n.Line, n.Column, bad})
		return
	}
	for _, c := range n.Content {
		if *count > maxNodes {
			return
		}
		r.narrow(c, depth+1, count)
	}
}

func readable(s string) bool {
	for _, c := range s {
		if c < 0x20 && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 || c >= 0x200b && c <= 0x200f || c >= 0x2028 && c <= 0x202e || c >= 0x2060 && c <= 0x2069 || c == 0xfeff {
			return false
		}
	}
	return true
}

// build makes the pact and reports what does not fit.
func (r *reader) build(s source) *Pact {
	p := &Pact{ID: act.PactID(s.Pact), Version: s.Version, Title: s.Title.act(), Binding: s.Binding, Topology: s.Topology, Subjects: s.Subjects, Forms: s.Forms, Notes: s.Notes,
		Channels: map[string]int{}, Receipt: time.Duration(s.ReceiptHours) * time.Hour}
	if p.ID.Check() != nil {
		r.at("the pact's name is small letters, digits, dots and hyphens", "pact")
	}
	if s.Version < 1 {
		r.at("the version is 1 or more", "version")
	}
	if s.Title.EN == "" {
		r.at("the pact has no title in English", "title")
	}
	if p.Zone = zone(s.Zone); p.Zone == nil {
		r.at("the time zone is UTC or an offset such as +09:00", "zone")
	}
	if !slices.Contains([]string{"treaty", "arrangement", "exchange-of-notes", "membership"}, s.Binding) {
		r.at("the binding force is treaty, arrangement, exchange-of-notes or membership", "binding")
	}
	if !slices.Contains([]string{"direct", "hub", "mesh"}, s.Topology) {
		r.at("the topology is direct, hub or mesh", "topology")
	}
	r.parties(p, s)
	r.markings(p, s)
	r.words(p, s)
	r.life(p, s)
	r.articles(p, s)
	return p
}

// zone reads an offset: a pact's clock must not need a file of zones.
func zone(s string) *time.Location {
	if s == "UTC" {
		return time.UTC
	}
	t, err := time.Parse("-07:00", s)
	if err != nil {
		return nil
	}
	_, off := t.Zone()
	return time.FixedZone(s, off)
}

func (r *reader) parties(p *Pact, s source) {
	if len(s.Parties) < 2 || len(s.Parties) > act.MaxParties {
		r.at("a pact has 2 to 64 parties", "parties")
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for i, q := range s.Parties {
		if act.Party(q.ID).Check() != nil || ids[q.ID] {
			r.at("a party's name is capital letters, and each stands once", "parties", i, "id")
		}
		ids[q.ID] = true
		if q.Name.EN == "" {
			r.at("the party has no name in English", "parties", i, "name")
		}
		t := Party{ID: act.Party(q.ID), Name: q.Name.act(), Authority: q.Authority.act()}
		if k := q.Keys; k != nil {
			c := &act.Card{Party: t.ID, Name: t.Name, Ledger: k.Ledger, Period: k.Period}
			seal, err := base64.StdEncoding.DecodeString(k.Seal)
			link, err2 := hex.DecodeString(k.Link)
			if err != nil || err2 != nil || len(link) != len(c.Link) || len(k.Ledger) == 0 || k.Period < 1 {
				r.at("the keys of the party do not parse", "parties", i, "keys")
			} else {
				c.Seal, c.Link = seal, act.Sum(link)
			}
			for _, v := range k.Ledger {
				if _, err := act.ParseVerifier(v); err != nil {
					r.at("a key of the party's ledger does not parse", "parties", i, "keys", "ledger")
				}
			}
			for _, v := range append(slices.Clone(k.Ledger), k.Link, k.Seal) {
				if keys[v] {
					r.at("two parties have one key", "parties", i, "keys")
				}
				keys[v] = true
			}
			t.Card = c
		}
		p.Parties = append(p.Parties, t)
	}
}

func (r *reader) markings(p *Pact, s source) {
	for i, m := range s.Markings {
		from, err := day(m.From, p.Zone)
		to, err2 := day(m.To, p.Zone)
		if err != nil || err2 != nil {
			r.at("a date is written 2016-11-23", "markings", i)
		}
		if !slices.ContainsFunc(p.Parties, func(q Party) bool { return string(q.ID) == m.Party }) {
			r.at("the mark is of nobody in the pact", "markings", i, "party")
		}
		p.Table = append(p.Table, marking.Row{Rank: m.Rank, Term: m.Term, Mark: act.Mark{Party: act.Party(m.Party), Text: m.Mark}, Roman: m.Roman, From: from, To: to})
	}
	for i, why := range p.Table.Check() {
		r.at(why, "markings", i)
	}
	for _, row := range p.Table {
		if row.Term == s.Ceiling {
			p.Ceiling = row.Rank
		}
	}
	if p.Ceiling == 0 {
		r.at("the ceiling is a term of the table of markings", "ceiling")
	}
	for name, term := range s.Channels {
		for _, row := range p.Table {
			if row.Term == term {
				p.Channels[name] = min(row.Rank, p.Ceiling)
			}
		}
		if p.Channels[name] == 0 {
			r.at("the ceiling of a channel is a term of the table of markings", "channels", name)
		}
	}
	if len(p.Channels) == 0 {
		r.at("a pact names at least one channel", "channels")
	}
}

func day(s string, z *time.Location) (time.Time, error) {
	if s == "" || z == nil {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, s, z)
}

func (r *reader) words(p *Pact, s source) {
	forms := []string{"oral", "visual", "electronic", "magnetic", "documentary", "equipment", "technology"}
	for i, f := range s.Forms {
		if !slices.Contains(forms, f) {
			r.at("a form is one of "+strings.Join(forms, ", "), "forms", i)
		}
	}
	if len(s.Forms) == 0 || len(s.Subjects) == 0 || len(s.Purposes) == 0 {
		r.at("a pact names its subjects, forms and purposes")
	}
	for i, q := range s.Purposes {
		if act.PactID(q.ID).Check() != nil || q.Name.EN == "" {
			r.at("a purpose has a short id and a name in English", "purposes", i)
		}
		p.Purposes = append(p.Purposes, Named{q.ID, q.Name.act()})
	}
	if s.ReceiptHours < 1 || s.ReceiptHours > 24*365 {
		r.at("a receipt is due within 1 to 8760 hours", "receipt-hours")
	}
}

func (r *reader) life(p *Pact, s source) {
	l := s.Life
	p.Terms = Terms{l.Start, l.TermYears, time.Duration(l.NoticeDays) * 24 * time.Hour, l.Anniversary}
	if !slices.Contains([]string{"later-notification", "signature"}, l.Start) {
		r.at("a pact starts with later-notification or signature", "life", "start")
	}
	if l.TermYears < 0 || l.TermYears > 100 || l.NoticeDays < 0 || l.NoticeDays > 3650 {
		r.at("a term has 0 to 100 years, a notice 0 to 3650 days", "life")
	}
	if _, err := time.Parse("01-02", l.Anniversary); l.Anniversary != "" && err != nil {
		r.at("an anniversary is written 11-23", "life", "anniversary")
	}
}

func (r *reader) articles(p *Pact, s source) {
	kept := map[Clause]bool{}
	for i, a := range s.Articles {
		if a.Number != i+1 {
			r.at(fmt.Sprintf("articles are numbered in order: this is number %d", i+1), "articles", i, "number")
		}
		if a.Title.EN == "" || a.Text.EN == "" {
			r.at("an article has a title and a text in English", "articles", i)
		}
		if len(a.Clauses) == 0 && a.Record == "" {
			r.at("an article names a clause that a machine keeps, or the record that people make", "articles", i)
		}
		if a.Certainty != "" && a.Certainty != "recalled" {
			r.at("the only mark of uncertainty is \"recalled\"", "articles", i, "certainty")
		}
		t := Article{Number: a.Number, Title: a.Title.act(), Text: a.Text.act(), Record: a.Record, Certainty: a.Certainty}
		for j, c := range a.Clauses {
			if !slices.Contains(clauses, Clause(c)) || kept[Clause(c)] {
				r.at(fmt.Sprintf("%q is no clause, or another article keeps it", c), "articles", i, "clauses", j)
			}
			kept[Clause(c)] = true
			t.Clauses = append(t.Clauses, Clause(c))
		}
		p.Articles = append(p.Articles, t)
	}
	// What a ruling always asks must have an article to cite.
	for _, c := range []Clause{InForce, Subjects, Markings, ThirdParty, Purpose, Channels, Life_} {
		if !kept[c] {
			r.at(fmt.Sprintf("no article keeps the clause %q", c), "articles")
		}
	}
}

func (p *Pact) makeCitations() {
	p.cite = map[Clause][]act.Reason{}
	for _, a := range p.Articles {
		for _, c := range a.Clauses {
			p.cite[c] = []act.Reason{{Article: fmt.Sprintf("Article %d", a.Number), Text: a.Title.EN}}
		}
	}
}

// Cite names the article that keeps a clause, with its title. The caller must
// not change it. Without such an article the clause does not bind: ok is false.
func (p *Pact) Cite(c Clause) (article []act.Reason, ok bool) {
	article, ok = p.cite[c]
	return article, ok
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

// Names reports whether the pact has a purpose of this name.
func (p *Pact) Names(purpose string) bool {
	for i := range p.Purposes {
		if p.Purposes[i].ID == purpose {
			return true
		}
	}
	return false
}

//go:embed shipped/*.yaml
var shipped embed.FS

// Templates names the shipped texts.
func Templates() (ids []act.PactID) {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		panic("pact: " + err.Error())
	}
	for _, e := range entries {
		ids = append(ids, act.PactID(strings.TrimSuffix(e.Name(), ".yaml")))
	}
	return ids
}

// Template returns a shipped text, without keys.
func Template(id act.PactID) ([]byte, bool) {
	if id.Check() != nil {
		return nil, false
	}
	b, err := shipped.ReadFile("shipped/" + string(id) + ".yaml")
	return b, err == nil
}

// Draft fills the cards of the parties into a shipped text. It gives the same
// bytes whoever drafts, so that two parties who compared codes sign one text.
func Draft(id act.PactID, cards []act.Card) ([]byte, error) {
	text, ok := Template(id)
	if !ok {
		return nil, fmt.Errorf("no pact called %q is shipped; these are: %v; or give a text of your own", id, Templates())
	}
	p, problems := Parse(text)
	if len(problems) > 0 {
		return nil, fmt.Errorf("reading the shipped text of %s: %s", id, problems[0])
	}
	for _, q := range p.Parties {
		i := slices.IndexFunc(cards, func(c act.Card) bool { return c.Party == q.ID })
		if i < 0 {
			return nil, fmt.Errorf("the keys of %s are not known: compare codes with it first", q.ID)
		}
		c := cards[i]
		var b strings.Builder
		fmt.Fprintf(&b, "    keys:\n      period: %d\n      link: %x\n      seal: %s\n      ledger:\n", c.Period, c.Link[:], base64.StdEncoding.EncodeToString(c.Seal))
		for _, v := range c.Ledger {
			fmt.Fprintf(&b, "        - %s\n", v)
		}
		line := fmt.Sprintf("  - id: %s\n", q.ID)
		if bytes.Count(text, []byte(line)) != 1 {
			return nil, fmt.Errorf("the shipped text of %s does not name %s once", id, q.ID)
		}
		text = bytes.Replace(text, []byte(line), []byte(line+b.String()), 1)
	}
	if _, problems := Parse(text); len(problems) > 0 {
		return nil, fmt.Errorf("drafting %s: %s", id, problems[0])
	}
	return text, nil
}
