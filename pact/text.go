package pact

import (
	"cmp"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/marking"

	"go.yaml.in/yaml/v4"
)

// Problem is one mistake in a text.
type Problem struct {
	Line, Column int
	Text         string
}

// String returns the mistake with its place.
func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text) }

// Mistakes counts mistakes in words: 1 mistake, 3 mistakes.
func Mistakes(n int) string { return (&tongue{lang: "en"}).count(n, "mistake") }

// reader collects mistakes with their places.
type reader struct {
	root     *yaml.Node
	nodes    int
	lines    []string     // of a text whose syntax is broken
	cut      map[int]bool // its lines that were left out
	lost     map[*yaml.Node]bool
	problems []Problem
	mistaken map[string]bool // paths of values that cannot be read: reported once
}

// at reports a mistake at the place that path leads to: keys and indexes.
func (r *reader) at(text string, path ...any) {
	n := r.root
	for i, step := range path {
		if r.mistaken[fmt.Sprint(path[:i+1])] {
			return
		}
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
	if all := hidden(text); all != nil {
		return nil, all
	}
	r := &reader{lost: map[*yaml.Node]bool{}, mistaken: map[string]bool{}}
	if r.syntax(string(text)); r.root == nil {
		return nil, r.sorted()
	}
	// What has the wrong shape is blanked, so that the rest is checked too.
	if r.shape(r.root, reflect.TypeFor[source](), nil); r.mistaken["[]"] {
		return nil, r.sorted()
	}
	var s source
	if err := r.root.Decode(&s); err != nil {
		r.problems = append(r.problems, Problem{r.root.Line, r.root.Column, "the text cannot be read: " + err.Error()})
		return nil, r.sorted()
	}
	r.values(reflect.ValueOf(s), "", nil)
	p := r.build(s)
	if len(r.problems) > 0 {
		return nil, r.sorted()
	}
	p.Text = sha512.Sum384(text)
	p.prepare()
	return p, nil
}

// sorted returns the mistakes by their place.
func (r *reader) sorted() []Problem {
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return slices.Compact(r.problems)
}

// shape checks that each value is of the kind that its field wants, and that
// nothing unknown or twice stands in the text.
func (r *reader) shape(n *yaml.Node, t reflect.Type, path []any) {
	if r.lost[n] {
		r.mistaken[fmt.Sprint(path)] = true
		return
	}
	said := "the text"
	for _, step := range path {
		if key, ok := step.(string); ok {
			said = strconv.Quote(key)
		}
	}
	at := func(n *yaml.Node, text string) { r.problems = append(r.problems, Problem{n.Line, n.Column, text}) }
	blank := func(text string) {
		if n.Tag != "!!null" { // nothing is written: it is left out
			at(n, text)
			r.mistaken[fmt.Sprint(path)] = true
		}
		*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	}
	if t == reflect.TypeFor[wording]() && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		plain := *n
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column,
			Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "en", Line: n.Line, Column: n.Column}, &plain}}
	}
	below := func(step any) []any { return append(slices.Clone(path), step) }
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if n.Kind != yaml.MappingNode {
			blank(said + " is written as keys with values, such as {en: Japan}")
			return
		}
		lines := map[string]int{}
		var kept []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			of, known := field(t, k.Value)
			line, twice := lines[k.Value]
			switch lines[k.Value] = k.Line; {
			case twice:
				at(k, fmt.Sprintf("%q is already defined in line %d", k.Value, line))
				continue
			case k.Kind != yaml.ScalarNode || !known:
				at(k, fmt.Sprintf("%q is not known in %s", k.Value, said))
				continue
			}
			r.shape(v, of, below(k.Value))
			kept = append(kept, k, v)
		}
		n.Content = kept
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			blank(said + " is a list: [one, two]")
			return
		}
		for i, c := range n.Content {
			r.shape(c, t.Elem(), below(i))
		}
	default:
		wants := map[reflect.Kind]string{reflect.Int: "a whole number", reflect.Bool: "true or false", reflect.String: "text"}[t.Kind()]
		if n.Kind != yaml.ScalarNode || n.Decode(reflect.New(t).Interface()) != nil || t.Kind() == reflect.Int && !whole(n.Value) {
			blank(fmt.Sprintf("%s is %s", said, wants))
		}
	}
}

// whole holds for a number as people write it. YAML would also read 090 as an
// octal number, and cut 90.7 down to 90.
func whole(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && strconv.Itoa(n) == s
}

// spoilt reports whether a value, or one inside it, cannot be read.
func (r *reader) spoilt(path ...any) bool {
	inside := strings.TrimSuffix(fmt.Sprintf("%v", path), "]")
	for p := range r.mistaken {
		if p == inside+"]" || strings.HasPrefix(p, inside+" ") {
			return true
		}
	}
	return false
}

// unread reports whether a key of some item of a list cannot be read: then nothing
// can be said of the list's items by that key.
func (r *reader) unread(list, key string) bool {
	for p := range r.mistaken {
		if f := strings.Fields(strings.Trim(p, "[]")); len(f) > 0 && f[0] == list && (len(f) < 3 || f[2] == key) {
			return true
		}
	}
	return false
}

// field returns the type of what stands under a key.
func field(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for f := range t.NumField() {
		if t.Field(f).Tag.Get("yaml") == key {
			return t.Field(f).Type, true
		}
	}
	return nil, false
}

// values checks each value by the tags of its field.
func (r *reader) values(v reflect.Value, tag reflect.StructTag, path []any) {
	at := func(text string) { r.at(text, path...) }
	if r.mistaken[fmt.Sprint(path)] {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.values(v.Elem(), tag, path)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if need := f.Tag.Get("need"); need != "" && v.Field(i).IsZero() && !r.spoilt(append(slices.Clone(path), f.Tag.Get("yaml"))...) {
				if text := "here is missing: " + need; len(path) > 0 {
					at(fmt.Sprintf("%v: %s", path[len(path)-1], text))
				} else {
					at(text)
				}
				continue
			}
			if v.Field(i).IsZero() && v.Field(i).Kind() == reflect.Struct {
				continue // it was left out, and may be
			}
			r.values(v.Field(i), f.Tag, append(slices.Clone(path), f.Tag.Get("yaml")))
		}
	case reflect.Slice:
		if v.Len() > 1000 {
			at("the list is too long")
			return
		}
		if all, ok := v.Interface().([]string); ok && tag.Get("once") != "" {
			for i := range all {
				if slices.Contains(all[:i], all[i]) {
					r.at(fmt.Sprintf("%q stands twice", all[i]), append(slices.Clone(path), i)...)
				}
			}
		}
		for i := range v.Len() {
			r.values(v.Index(i), tag, append(slices.Clone(path), i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			r.values(v.MapIndex(k), tag, append(slices.Clone(path), k.String()))
		}
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" && v.String() != "" && !slices.Contains(strings.Split(enum, "|"), v.String()) {
			at(fmt.Sprintf("%q is none of: %s", v.String(), strings.ReplaceAll(enum, "|", ", ")))
		} else if why := foreign(v.String(), tag.Get("letters")); why != "" {
			at(why)
		}
	case reflect.Int:
		least, e1 := strconv.Atoi(tag.Get("min"))
		most, e2 := strconv.Atoi(tag.Get("max"))
		if e1 == nil && e2 == nil && (v.Int() < int64(least) || v.Int() > int64(most)) {
			at(fmt.Sprintf("%d is not within %d and %d", v.Int(), least, most))
		}
	}
}

// build makes the pact and reports what does not fit together.
func (r *reader) build(s source) *Pact {
	p := &Pact{ID: act.PactID(s.Pact), Version: s.Version, Title: s.Title.act(), Binding: s.Binding, Topology: s.Topology, Subjects: s.Subjects, Forms: s.Forms,
		Channels: map[string]int{}, Provide: cmp.Or(s.Provide, "none"), Use: cmp.Or(s.Use, "bound"), Amend: cmp.Or(s.Amendment, "consent"), Disputes: cmp.Or(s.Disputes, "consultation"), Costs: cmp.Or(s.Costs, "own"),
		Language: Language{s.Language.Authentic, cmp.Or(s.Language.Publication, "closed")}, Report: Report{s.Reporting.To, s.Reporting.Every},
		Contract: Contract{cmp.Or(s.Contractors.Allowed, "forbidden"), s.Contractors.Performance}, Incident: Incident{hours(s.Incidents.Hours), s.Incidents.Possible},
		Visits: Visits{days(s.Visits.Lead), cmp.Or(s.Visits.Inspection, "none")}, Destroy: Destroy{s.Destruction.Methods, s.Destruction.Witnesses, s.Destruction.Keep}}
	if s.Pact != "" && p.ID.Check() != nil {
		r.at("the pact's name is small letters, digits, dots and hyphens", "pact")
	}
	if p.Zone = zone(s.Zone); p.Zone == nil {
		if p.Zone = time.UTC; s.Zone != "" {
			r.at("the time zone is UTC or an offset such as +09:00", "zone")
		}
	}
	for _, n := range s.Notes {
		p.Notes = append(p.Notes, n.act())
	}
	r.parties(p, s)
	r.markings(p, s)
	r.ways(p, s)
	r.handling(p, s)
	r.life(p, s)
	r.relations(p, s)
	r.articles(p, s)
	r.sense(p, s)
	return p
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }
func days(n int) time.Duration  { return time.Duration(n) * 24 * time.Hour }

// zone reads an offset: a pact's clock must not need a file of zones.
func zone(s string) *time.Location {
	if s == "UTC" {
		return time.UTC
	}
	t, err := time.Parse("-07:00", s)
	if err != nil || t.Format("-07:00") != s { // +09:60 is no offset
		return nil
	}
	_, off := t.Zone()
	return time.FixedZone(s, off)
}

// material is what two parties must not share: keys as they are, however they
// are spelled and named.
func material(ledger []string, link act.Sum, seal []byte) []string {
	all := []string{string(link[:]), string(seal)}
	for _, v := range ledger { // name+hash+key, and base64 holds plus signs too
		f := strings.SplitN(v, "+", 3)
		all = append(all, f[len(f)-1])
	}
	return all
}

func (r *reader) parties(p *Pact, s source) {
	if s.Parties != nil && len(s.Parties) < 2 || len(s.Parties) > act.MaxParties {
		r.at("a pact has 2 to 64 parties", "parties")
	}
	ids, keys, called := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, q := range s.Parties {
		if act.Party(q.ID).Check() != nil || ids[q.ID] {
			r.at("a party's name is capital letters, and each stands once", "parties", i, "id")
		}
		ids[q.ID] = true
		for _, o := range p.Parties {
			if id := act.Party(q.ID); id != o.ID && code.Replace(q.ID) == code.Replace(string(o.ID)) {
				r.at(fmt.Sprintf("%q and %q look alike: I and 1, O and 0", o.ID, id), "parties", i, "id")
			}
		}
		looks := []string{seen(q.Name.EN), seen(q.Name.KO), seen(q.Name.JA)}
		if slices.ContainsFunc(looks, func(n string) bool { return n != "" && called[n] }) {
			r.at("two parties have names that look alike", "parties", i, "name")
		}
		for _, n := range looks {
			called[n] = true
		}
		t := Party{ID: act.Party(q.ID), Kind: cmp.Or(q.Kind, "state"), Name: q.Name.act(), Authority: q.Authority.act()}
		for _, o := range q.Offices {
			t.Offices = append(t.Offices, Office{o.Role, o.Name.act()})
		}
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
			for _, v := range material(k.Ledger, c.Link, c.Seal) {
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
		if !p.Has(act.Party(m.Party)) && !r.unread("parties", "id") {
			r.at("the mark is of nobody in the pact", "markings", i, "party")
		}
		p.Table = append(p.Table, marking.Row{Rank: m.Rank, Term: m.Term, Mark: act.Mark{Party: act.Party(m.Party), Text: m.Mark}, Roman: m.Roman, From: from, To: to, Certainty: m.Certainty})
	}
	for i, why := range p.Table.Check() {
		r.at(why, "markings", i)
	}
	for i := range p.Table {
		for j := range i {
			if a, b := p.Table[i].Mark, p.Table[j].Mark; a != b && a.Party == b.Party && seen(a.Text) == seen(b.Text) {
				r.at("two marks of one party look alike", "markings", i, "mark")
				break
			}
		}
	}
	least := 0
	for i := range p.Table {
		if least == 0 || p.Table[i].Rank < least {
			least = p.Table[i].Rank
		}
	}
	p.Ceiling = r.rank(p, s.Ceiling, 0, "ceiling")
	p.Floor = r.rank(p, s.Floor, least, "floor")
	if p.Ceiling > 0 && p.Floor > p.Ceiling {
		r.at("the floor is above the ceiling", "floor")
	}
	p.Receipt = Receipt{r.rank(p, s.Receipts.From, least, "receipts", "from"), hours(s.Receipts.Hours)}
	if s.Clearance != "none" {
		p.Cleared = r.rank(p, s.Clearance, least, "clearance-from")
	}
	c := s.Copying
	p.Copying = Copying{cmp.Or(c.Copies, "consent"), cmp.Or(c.Translations, "consent"), cmp.Or(c.Extracts, "consent"), r.rank(p, c.ConsentFrom, 0, "copying", "consent-from"), c.Limit}
}

// rank returns the rank of a term, or otherwise where none is given.
func (r *reader) rank(p *Pact, term string, otherwise int, path ...any) int {
	if term == "" {
		return otherwise
	}
	for i := range p.Table {
		if p.Table[i].Term == term {
			return p.Table[i].Rank
		}
	}
	if !r.unread("markings", "term") && !r.unread("markings", "rank") {
		r.at(fmt.Sprintf("%q is no term of the table of markings", term), path...)
	}
	return otherwise
}

func day(s string, z *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, s, z)
}

// ways reads the channels, the legs and the hub.
func (r *reader) ways(p *Pact, s source) {
	for name, term := range s.Channels {
		if act.PactID(name).Check() != nil {
			r.at("a channel's name is small letters", "channels", name)
		}
		p.Channels[name] = r.rank(p, cmp.Or(term, "none given"), 0, "channels", name)
	}
	for i, l := range s.Legs {
		if len(l.Between) != 2 || l.Between[0] == l.Between[1] || !p.Has(act.Party(l.Between[0])) || !p.Has(act.Party(l.Between[1])) {
			if !r.unread("parties", "id") {
				r.at("a leg is between two parties of the pact", "legs", i, "between")
			}
			continue
		}
		t := Leg{Between: [2]act.Party{act.Party(l.Between[0]), act.Party(l.Between[1])}, Ceiling: r.rank(p, l.Ceiling, 0, "legs", i, "ceiling"), Channels: l.Channels, Under: act.PactID(l.Under)}
		for _, o := range p.Legs {
			if o.Between == t.Between || o.Between == [2]act.Party{t.Between[1], t.Between[0]} {
				r.at("this leg stands twice", "legs", i)
			}
		}
		for j, c := range l.Channels {
			if _, ok := p.Channels[c]; !ok {
				r.at("the pact knows no channel of this name", "legs", i, "channels", j)
			}
		}
		p.Legs = append(p.Legs, t)
	}
	if (s.Hub != nil) != (s.Topology == "hub") {
		r.at("a pact with the topology hub names its hub, and no other does", "topology")
	}
	if s.Hub != nil {
		p.Hub = Hub{act.Party(s.Hub.Party), s.Hub.Reads}
		if !p.Has(p.Hub.Party) && !r.unread("parties", "id") {
			r.at("the hub is no party to the pact", "hub", "party")
		}
	}
}

// handling reads what may be shared, and what may be done with it.
func (r *reader) handling(p *Pact, s source) {
	for i, q := range s.Purposes {
		if act.PactID(q.ID).Check() != nil || p.Names(q.ID) {
			r.at("a purpose has a short id in small letters, and each stands once", "purposes", i)
		}
		if slices.ContainsFunc(p.Purposes, func(o Named) bool { return q.Name.EN != "" && seen(o.Name.EN) == seen(q.Name.EN) }) {
			r.at("two purposes have names that look alike", "purposes", i, "name")
		}
		p.Purposes = append(p.Purposes, Named{q.ID, q.Name.act()})
	}
	p.Third = Third{Release: cmp.Or(s.Third.Release, "consent"), Counts: s.Third.Counts}
	for term, who := range s.Third.Audience {
		if p.Third.Audience == nil {
			p.Third.Audience = map[int]string{}
		}
		p.Third.Audience[r.rank(p, term, 0, "third-party", "audience", term)] = who
	}
	for i := range p.Table {
		if _, ok := p.Third.Audience[p.Table[i].Rank]; p.Third.Release == "audience" && !ok {
			r.at("no audience is given for "+p.Table[i].Term, "third-party")
			break
		}
	}
	if p.Third.Release != "audience" && len(s.Third.Audience) > 0 {
		r.at("audiences are for a pact whose third-party release is audience", "third-party", "audience")
	}
}

func (r *reader) life(p *Pact, s source) {
	l := s.Life
	p.Terms = Terms{Start: l.Start, Years: l.TermYears, Notice: days(l.NoticeDays), NoticeMonths: l.NoticeMonth, Anniversary: l.Anniversary, Suspension: l.Suspension}
	if l.NoticeDays > 0 && l.NoticeMonth > 0 {
		r.at("a notice is counted in days or in months, not both", "life", "notice-months")
	}
	if _, err := time.Parse("01-02", l.Anniversary); l.Anniversary != "" && (err != nil || l.Anniversary == "02-29") {
		r.at("an anniversary is written 11-23, and comes every year", "life", "anniversary")
	}
	var err error
	if p.Terms.Provisional, err = day(l.Provisional, p.Zone); err != nil {
		r.at("a date is written 2016-11-23", "life", "provisional")
	}
}

func (r *reader) relations(p *Pact, s source) {
	list := func(key string, ids []string) (all []act.PactID) {
		for i, id := range ids {
			if act.PactID(id).Check() != nil || id == s.Pact {
				r.at("a relation names another pact", "relation", key, i)
			}
			all = append(all, act.PactID(id))
		}
		return all
	}
	p.Relation = Relation{list("implements", s.Relation.Implements), list("supplements", s.Relation.Supplements), list("protected-by", s.Relation.ProtectedBy), list("supersedes", s.Relation.Supersedes)}
	for i, d := range s.Uncertain {
		var path []any
		for _, step := range strings.Split(d.Term, ".") {
			path = append(path, step)
		}
		n := r.root
		for j, step := range path {
			if n != nil && !r.mistaken[fmt.Sprint(path[:j+1])] {
				n = child(n, step)
			}
		}
		if n == nil {
			r.at("the text has no such term", "uncertain", i, "term")
		}
		if slices.ContainsFunc(p.Doubts, func(o Doubt) bool { return o.Term == d.Term }) {
			r.at("this term stands twice", "uncertain", i, "term")
		}
		p.Doubts = append(p.Doubts, Doubt{d.Term, d.Why.act()})
	}
}

func (r *reader) articles(p *Pact, s source) {
	kept := map[Clause]bool{}
	for i, a := range s.Articles {
		if a.Number != i+1 {
			r.at(fmt.Sprintf("articles are numbered in order: this is number %d", i+1), "articles", i, "number")
		}
		if len(a.Clauses) == 0 && a.Record == (wording{}) && !r.spoilt("articles", i, "record") && !r.spoilt("articles", i, "clauses") {
			r.at("an article names a clause that a machine keeps, or the record that people make", "articles", i)
		}
		t := Article{Number: a.Number, Title: a.Title.act(), Text: a.Text.act(), Record: a.Record.act(), Certainty: a.Certainty}
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
	for _, c := range []Clause{InForce, Subjects, Markings, ThirdParty, Purpose, Channels, Duration} {
		if !kept[c] && len(s.Articles) > 0 && !r.unread("articles", "clauses") {
			r.at(fmt.Sprintf("no article keeps the clause %q", c), "articles")
		}
	}
}
