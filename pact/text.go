package pact

import (
	"bytes"
	"cmp"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"entente/act"
	"entente/marking"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"
)

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
	EN string `yaml:"en" need:"a name in English"`
	KO string `yaml:"ko"`
	JA string `yaml:"ja"`
}

func (n names) act() act.Names { return act.Names(n) }

// wording is what a text says in words: plain, in English, or in each language.
type wording struct {
	EN string `yaml:"en" need:"the wording in English"`
	KO string `yaml:"ko"`
	JA string `yaml:"ja"`
}

func (w wording) act() act.Names { return act.Names(w) }

// source is a text as it is spelled. The tags give the rules of single values,
// and, with doc, the schema for editors: enum lists the words allowed, min and
// max bound a number, need says what is missing without it. What is left out
// takes the strictest meaning.
type source struct {
	Pact     string    `yaml:"pact" need:"the name of the pact" doc:"Short name: small letters, digits, dots and hyphens."`
	Version  int       `yaml:"version" min:"1" max:"9999" need:"the version" doc:"1, then one more for each amendment."`
	Title    names     `yaml:"title" need:"a title"`
	Zone     string    `yaml:"zone" need:"the time zone" doc:"The pact's time zone: UTC or an offset such as +09:00. Its days begin there."`
	Binding  string    `yaml:"binding" need:"its binding force" enum:"treaty|arrangement|exchange-of-notes|membership" doc:"D1: binding force."`
	Topology string    `yaml:"topology" need:"its topology" enum:"direct|hub|mesh" doc:"D3: who reaches whom."`
	Notes    []wording `yaml:"notes" doc:"What a reader should know about this text."`
	Hub      *struct {
		Party string `yaml:"party" need:"the party that is the hub"`
		Reads bool   `yaml:"reads" doc:"The hub is a recipient of what it passes on."`
	} `yaml:"hub" doc:"D3: the party that passes on."`
	Parties []struct {
		ID        string `yaml:"id" need:"a name in capital letters"`
		Kind      string `yaml:"kind" enum:"state|ministry|organisation|agency|company" doc:"D2."`
		Name      names  `yaml:"name" need:"a name"`
		Authority names  `yaml:"authority" doc:"D11: the competent authority."`
		Offices   []struct {
			Role string `yaml:"role" need:"its role" enum:"security|designated-security|registry|contact"`
			Name names  `yaml:"name" need:"a name"`
		} `yaml:"offices" doc:"D11: further offices."`
		Keys *struct {
			Link   string   `yaml:"link"`
			Seal   string   `yaml:"seal"`
			Ledger []string `yaml:"ledger"`
			Period int      `yaml:"period"`
		} `yaml:"keys" doc:"Public keys. 'entente pact draft' fills them in."`
	} `yaml:"parties" need:"its parties" doc:"D2: 2 to 64 parties."`
	Markings []struct {
		Rank      int    `yaml:"rank" min:"1" max:"16" need:"a rank"`
		Term      string `yaml:"term" need:"the pact's own term"`
		Party     string `yaml:"party" need:"whose mark it is"`
		Mark      string `yaml:"mark" need:"the mark as it is stamped"`
		Roman     string `yaml:"roman" doc:"How the mark is read aloud."`
		From      string `yaml:"from" doc:"First day, 2016-11-23; none: always."`
		To        string `yaml:"to" doc:"The first day on which it no longer holds; none: for ever."`
		Certainty string `yaml:"certainty" enum:"recalled"`
	} `yaml:"markings" need:"a table of markings" doc:"D6: which marks are equal, when."`
	Floor    string            `yaml:"floor" doc:"D6: the lowest term covered; none: the lowest of the table."`
	Ceiling  string            `yaml:"ceiling" need:"a ceiling" doc:"D6: the highest term that may be shared."`
	Channels map[string]string `yaml:"channels" need:"its channels" doc:"D7: the ceiling of each channel: electronic, courier, hub, oral."`
	Legs     []struct {
		Between  []string `yaml:"between" need:"its two parties"`
		Ceiling  string   `yaml:"ceiling" need:"a ceiling"`
		Channels []string `yaml:"channels" doc:"The channels of this leg; none: all of the pact's."`
		Under    string   `yaml:"under" doc:"The pact that protects what moves on this leg."`
	} `yaml:"legs" doc:"D7: the ways between two parties; none: every party reaches every other."`
	Subjects []string `yaml:"subjects" need:"its subjects" doc:"D4."`
	Forms    []string `yaml:"forms" need:"its forms" enum:"oral|visual|electronic|magnetic|documentary|equipment|technology" doc:"D4."`
	Provide  string   `yaml:"provide" enum:"none|on-request|standing" doc:"D5: whether there is a duty to provide."`
	Third    struct {
		Release  string            `yaml:"release" enum:"consent|audience" doc:"consent: only with the originator's written approval. audience: as the marking says."`
		Audience map[string]string `yaml:"audience" enum:"recipients|organisation|clients|community|public" doc:"For each term, who may have it."`
		Counts   []string          `yaml:"counts" enum:"contractor|overseer|court" doc:"Who counts as a third party besides other states."`
	} `yaml:"third-party" doc:"D8."`
	Purposes []struct {
		ID   string `yaml:"id" need:"a short id"`
		Name names  `yaml:"name" need:"a name"`
	} `yaml:"purposes" need:"its purposes"`
	Use       string `yaml:"use" enum:"bound|framework|free" doc:"D9: bound: only for the purpose of the release. framework: for any purpose of the pact. free: for any."`
	Clearance string `yaml:"clearance-from" doc:"D10: the term from which a clearance is needed, or none."`
	Receipts  struct {
		From  string `yaml:"from" doc:"The term from which a receipt is due; none: the lowest."`
		Hours int    `yaml:"hours" min:"1" max:"8760" need:"the hours within which a receipt is due"`
	} `yaml:"receipts" need:"its receipts" doc:"D12."`
	Copying struct {
		Copies       string `yaml:"copies" enum:"free|minimum|consent|forbidden"`
		Translations string `yaml:"translations" enum:"free|minimum|consent|forbidden"`
		Extracts     string `yaml:"extracts" enum:"free|minimum|consent|forbidden"`
		ConsentFrom  string `yaml:"consent-from" doc:"The term from which the originator is always asked."`
		Limit        int    `yaml:"limit" min:"0" max:"10000" doc:"The greatest number of copies of one product."`
	} `yaml:"copying" doc:"D13."`
	Destruction struct {
		Methods   []string `yaml:"methods" enum:"burn|shred|pulp|erase|melt|other-irreversible"`
		Witnesses int      `yaml:"witnesses" min:"0" max:"4"`
		Keep      int      `yaml:"keep-years" min:"0" max:"100" doc:"Years that the certificate is kept."`
	} `yaml:"destruction" doc:"D14."`
	Contractors struct {
		Allowed     string `yaml:"allowed" enum:"forbidden|conditions"`
		Performance bool   `yaml:"place-of-performance" doc:"Security follows the place of performance."`
	} `yaml:"contractors" doc:"D15."`
	Incidents struct {
		Hours    int  `yaml:"within-hours" min:"0" max:"8760" doc:"0: immediately."`
		Possible bool `yaml:"possible" doc:"Possible ones are told too."`
	} `yaml:"incidents" doc:"D16: loss or compromise."`
	Visits struct {
		Lead       int    `yaml:"lead-days" min:"0" max:"365"`
		Inspection string `yaml:"inspection" enum:"mutual|none"`
	} `yaml:"visits" doc:"D17."`
	Life struct {
		Start       string `yaml:"start" need:"how the pact starts" enum:"later-notification|signature|first-of-month" doc:"D18. first-of-month: the first day of the month after the later notification."`
		Provisional string `yaml:"provisional" doc:"D18: applied from this day, once all have signed, before entry into force."`
		TermYears   int    `yaml:"term-years" min:"0" max:"100" doc:"D19: 0: without end."`
		NoticeDays  int    `yaml:"notice-days" min:"0" max:"3650"`
		NoticeMonth int    `yaml:"notice-months" min:"0" max:"120"`
		Anniversary string `yaml:"anniversary" doc:"11-23: terms end at the first instant of this day; none: the day of entry into force."`
		Suspension  bool   `yaml:"suspension" doc:"The text knows that a notice is suspended."`
	} `yaml:"life" need:"its life" doc:"D18, D19."`
	Amendment string `yaml:"amendment" enum:"consent|notes|authorities" doc:"D20."`
	Language  struct {
		Authentic   []string `yaml:"authentic"`
		Publication string   `yaml:"publication" enum:"public|closed"`
	} `yaml:"text" doc:"D21: authentic languages, and whether the text is public."`
	Disputes string `yaml:"disputes" enum:"consultation" doc:"D22."`
	Costs    string `yaml:"costs" enum:"own|shared" doc:"D22."`
	Relation struct {
		Implements  []string `yaml:"implements"`
		Supplements []string `yaml:"supplements"`
		ProtectedBy []string `yaml:"protected-by"`
		Supersedes  []string `yaml:"supersedes"`
	} `yaml:"relation" doc:"D23: to other pacts, by their names."`
	Reporting struct {
		To    string `yaml:"to" enum:"parliament|board|authorities"`
		Every int    `yaml:"every-months" min:"0" max:"120"`
	} `yaml:"reporting" doc:"D24."`
	Uncertain []struct {
		Term string  `yaml:"term" need:"the term that is uncertain"`
		Why  wording `yaml:"why" need:"why it is uncertain"`
	} `yaml:"uncertain" doc:"Terms whose source is not the official text."`
	Articles []struct {
		Number    int      `yaml:"number" min:"1" max:"500" need:"a number"`
		Title     names    `yaml:"title" need:"a title"`
		Text      wording  `yaml:"text" need:"a text"`
		Clauses   []string `yaml:"clauses" doc:"What the machine keeps."`
		Record    wording  `yaml:"record" doc:"What people record, where no machine keeps it."`
		Certainty string   `yaml:"certainty" enum:"recalled" doc:"To be checked against the official text."`
	} `yaml:"articles" need:"its articles"`
}

// reader collects mistakes with their places.
type reader struct {
	root     *yaml.Node
	problems []Problem
	mistaken map[string]bool // paths of values of the wrong shape: reported once
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
	if at := hidden(text); at != nil {
		return nil, []Problem{*at} // also in a comment: people sign what they see
	}
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil || len(doc.Content) != 1 {
		return nil, []Problem{{1, 1, "the text is not YAML: " + plain(err)}}
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, []Problem{{1, 1, "the text holds more than one document"}}
	}
	r := &reader{root: doc.Content[0], mistaken: map[string]bool{}}
	nodes := 0
	if r.narrow(r.root, 0, &nodes); len(r.problems) > 0 {
		return nil, r.problems
	}
	// What has the wrong shape is blanked, so that the rest is checked too.
	r.shape(r.root, reflect.TypeFor[source](), nil)
	var s source
	if err := r.root.Decode(&s); err != nil {
		r.problems = append(r.problems, Problem{r.root.Line, r.root.Column, plain(err)})
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

// spoilt reports whether a value, or one inside it, has the wrong shape.
func (r *reader) spoilt(path []any) bool {
	inside := strings.TrimSuffix(fmt.Sprint(path), "]")
	for p := range r.mistaken {
		if p == inside+"]" || strings.HasPrefix(p, inside+" ") {
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

func plain(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
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
		bad = unreadable
	case n.Kind == yaml.ScalarNode && !norm.NFC.IsNormalString(n.Value):
		bad = "this text is not in Unicode's composed form (NFC): two spellings would look alike"
	case n.Kind == yaml.ScalarNode && mixed(n.Value):
		bad = "a word of this text mixes Latin, Greek or Cyrillic letters, which look alike"
	}
	if bad != "" {
		r.problems = append(r.problems, Problem{n.Line, n.Column, bad})
		return
	}
	for _, c := range n.Content {
		if r.narrow(c, depth+1, count); *count > maxNodes {
			return
		}
	}
}

// hidden finds the first character of a text that cannot be shown.
func hidden(text []byte) *Problem {
	line, column := 1, 0
	for _, c := range string(text) {
		column++
		switch {
		case c == '\n':
			line, column = line+1, 0
		case c != '\t' && c != '\r' && c != utf8.RuneError && !readable(string(c)):
			return &Problem{line, column, unreadable}
		}
	}
	return nil
}

const unreadable = "this text holds characters that cannot be shown, or that turn the direction of writing"

func readable(s string) bool {
	for _, c := range s {
		if unicode.In(c, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || c == 0x2800 {
			return false
		}
		if c < 0x20 && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0xad || c >= 0x200b && c <= 0x200f || c >= 0x2028 && c <= 0x202e || c >= 0x2060 && c <= 0x206f || c >= 0xe0000 && c <= 0xe007f || c == 0xfeff {
			return false
		}
	}
	return true
}

// mixed reports whether a word has letters of more than one of the scripts
// whose letters look alike.
func mixed(s string) bool {
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return !unicode.IsLetter(c) }) {
		scripts := 0
		for _, t := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic} {
			if strings.ContainsFunc(word, func(c rune) bool { return unicode.Is(t, c) }) {
				scripts++
			}
		}
		if scripts > 1 {
			return true
		}
	}
	return false
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
			if need := f.Tag.Get("need"); need != "" && v.Field(i).IsZero() && !r.spoilt(append(slices.Clone(path), f.Tag.Get("yaml"))) {
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
		Channels: map[string]int{}, Provide: or(s.Provide, "none"), Use: or(s.Use, "bound"), Amend: or(s.Amendment, "consent"), Disputes: or(s.Disputes, "consultation"), Costs: or(s.Costs, "own"),
		Language: Language{s.Language.Authentic, or(s.Language.Publication, "closed")}, Report: Report{s.Reporting.To, s.Reporting.Every},
		Contract: Contract{or(s.Contractors.Allowed, "forbidden"), s.Contractors.Performance}, Incident: Incident{hours(s.Incidents.Hours), s.Incidents.Possible},
		Visits: Visits{days(s.Visits.Lead), or(s.Visits.Inspection, "none")}, Destroy: Destroy{s.Destruction.Methods, s.Destruction.Witnesses, s.Destruction.Keep}}
	if p.ID.Check() != nil {
		r.at("the pact's name is small letters, digits, dots and hyphens", "pact")
	}
	if p.Zone = zone(s.Zone); p.Zone == nil {
		r.at("the time zone is UTC or an offset such as +09:00", "zone")
		p.Zone = time.UTC
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
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }
func days(n int) time.Duration  { return time.Duration(n) * 24 * time.Hour }

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

// alike maps letters to the Latin one that they look like: of Greek, Cyrillic,
// and among the Latin ones and digits themselves.
var alike = strings.NewReplacer("а", "a", "в", "b", "с", "c", "е", "e", "ё", "e", "һ", "h", "н", "h", "і", "l", "ј", "j", "к", "k", "м", "m", "о", "o", "р", "p", "ѕ", "s", "т", "t", "у", "y", "х", "x", "ԛ", "q", "ԝ", "w", "ԁ", "d",
	"α", "a", "β", "b", "ε", "e", "ζ", "z", "η", "h", "ι", "l", "κ", "k", "μ", "m", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "y", "χ", "x",
	"i", "l", "1", "l", "|", "l", "0", "o", "5", "s", "ı", "l", "ー", "一", "ニ", "二", "ロ", "口", "カ", "力", "エ", "工", "ト", "卜", "ハ", "八", "タ", "夕")

// seen is a name as the eye takes it: two that are seen alike are refused.
func seen(name string) string {
	return alike.Replace(strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(name))), " "))
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
	if len(s.Parties) < 2 || len(s.Parties) > act.MaxParties {
		r.at("a pact has 2 to 64 parties", "parties")
	}
	ids, keys, called := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, q := range s.Parties {
		if act.Party(q.ID).Check() != nil || ids[q.ID] {
			r.at("a party's name is capital letters, and each stands once", "parties", i, "id")
		}
		ids[q.ID] = true
		looks := []string{seen(q.Name.EN), seen(q.Name.KO), seen(q.Name.JA)}
		if slices.ContainsFunc(looks, func(n string) bool { return n != "" && called[n] }) {
			r.at("two parties have names that look alike", "parties", i, "name")
		}
		for _, n := range looks {
			called[n] = true
		}
		t := Party{ID: act.Party(q.ID), Kind: or(q.Kind, "state"), Name: q.Name.act(), Authority: q.Authority.act()}
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
		if !p.Has(act.Party(m.Party)) {
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
	p.Copying = Copying{or(c.Copies, "consent"), or(c.Translations, "consent"), or(c.Extracts, "consent"), r.rank(p, c.ConsentFrom, 0, "copying", "consent-from"), c.Limit}
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
	r.at(fmt.Sprintf("%q is no term of the table of markings", term), path...)
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
		p.Channels[name] = min(r.rank(p, or(term, "none given"), 0, "channels", name), p.Ceiling)
	}
	for i, l := range s.Legs {
		if len(l.Between) != 2 || l.Between[0] == l.Between[1] || !p.Has(act.Party(l.Between[0])) || !p.Has(act.Party(l.Between[1])) {
			r.at("a leg is between two parties of the pact", "legs", i, "between")
			continue
		}
		t := Leg{Between: [2]act.Party{act.Party(l.Between[0]), act.Party(l.Between[1])}, Ceiling: r.rank(p, l.Ceiling, 0, "legs", i, "ceiling"), Channels: l.Channels, Under: act.PactID(l.Under)}
		if t.Ceiling > p.Ceiling {
			r.at("the ceiling of a leg is above the pact's", "legs", i, "ceiling")
		}
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
		if !p.Has(p.Hub.Party) {
			r.at("the hub is no party to the pact", "hub", "party")
		}
	}
}

// handling reads what may be shared, and what may be done with it.
func (r *reader) handling(p *Pact, s source) {
	seen := map[string]bool{}
	for i, q := range s.Purposes {
		if act.PactID(q.ID).Check() != nil || seen[q.ID] {
			r.at("a purpose has a short id in small letters, and each stands once", "purposes", i)
		}
		seen[q.ID] = true
		p.Purposes = append(p.Purposes, Named{q.ID, q.Name.act()})
	}
	p.subjects, p.forms = strings.Join(p.Subjects, ", "), strings.Join(p.Forms, ", ")
	p.Third = Third{Release: or(s.Third.Release, "consent"), Counts: s.Third.Counts}
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
		for _, step := range path {
			if n != nil {
				n = child(n, step)
			}
		}
		if n == nil {
			r.at("the text has no such term", "uncertain", i, "term")
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
		if len(a.Clauses) == 0 && a.Record == (wording{}) && !r.spoilt([]any{"articles", i, "record"}) && !r.spoilt([]any{"articles", i, "clauses"}) {
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
		if !kept[c] {
			r.at(fmt.Sprintf("no article keeps the clause %q", c), "articles")
		}
	}
}
