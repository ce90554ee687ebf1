package pact_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write the schema and the golden prints")

func shipped(t testing.TB) (*pact.Pact, string) {
	t.Helper()
	b, ok := pact.Template("kr-jp-2016")
	if !ok {
		t.Fatal("not shipped")
	}
	p, problems := pact.Parse(b)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p, string(b)
}

func TestShipped(t *testing.T) {
	p, _ := shipped(t)
	if len(p.Articles) != 21 || p.Ceiling != 2 {
		t.Errorf("%d articles, ceiling %d", len(p.Articles), p.Ceiling)
	}
	on := time.Date(2016, 12, 16, 0, 0, 0, 0, time.UTC)
	// Two Japanese marks equal one Korean mark: the table is never inverted.
	for _, m := range []string{"極秘", "特定秘密"} {
		if r, ok := p.Table.Rank(act.Mark{Party: "JP", Text: m}, on); !ok || r != 2 {
			t.Errorf("%s: %d, %v", m, r, ok)
		}
	}
	if r := p.Stamp(2, "KR", on); len(r) != 1 || r[0].Text != "군사II급비밀" {
		t.Errorf("equivalent %v", r)
	}
	if _, ok := p.Table.Rank(act.Mark{Party: "JP", Text: "極秘"}, on.AddDate(-1, 0, 0)); ok {
		t.Error("the table holds before its time")
	}
	for lang, want := range map[string]string{"en": "Article 21", "ko": "제21조", "ja": "第21条", "xx": "Article 21"} {
		if !strings.Contains(p.Show(lang), want) {
			t.Errorf("%s: no %s", lang, want)
		}
	}
}

// TestShow is golden: the shipped pacts as treaties, whole in each language.
func TestShow(t *testing.T) {
	for _, id := range pact.Templates() {
		text, _ := pact.Template(id)
		p, problems := pact.Parse(text)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, lang := range []string{"en", "ko", "ja"} {
			file, got := fmt.Sprintf("testdata/%s.%s.txt", id, lang), p.Show(lang)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || got != string(want) {
				t.Errorf("%s is not what is shown: read the difference as a lawyer would, then run 'go test ./pact -update': %v", file, err)
			}
			if strings.Contains(got, "국문이 없는") || strings.Contains(got, "日本語文のない") {
				t.Errorf("%s in %s: something is given in English alone", id, lang)
			}
		}
	}
}

// TestProblems spoils the shipped text one way each; every mistake has its place.
func TestProblems(t *testing.T) {
	_, text := shipped(t)
	for want, change := range map[string][2]string{
		"anchors and aliases":            {"binding: treaty", "binding: &a treaty"},
		"tags are not allowed":           {"binding: treaty", "binding: !!str treaty"},
		"\"colour\" is not known":        {"binding: treaty", "binding: treaty\ncolour: red"},
		"already defined":                {"binding: treaty", "binding: treaty\nbinding: treaty"},
		"turns the direction of writing": {"Republic of Korea, ko", "Republic of \u202eKorea, ko"},
		"each stands once":               {"- id: JP", "- id: KR"},
		"stands twice":                   {"mark: 特定秘密", "mark: 極秘"},
		"is of nobody":                   {"party: JP, mark: 秘", "party: US, mark: 秘"},
		"is no term of the table":        {"ceiling: SECRET", "ceiling: TOP"},
		"\"TOPMOST\" is no term":         {"courier: SECRET", "courier: TOPMOST"},
		"is no clause":                   {"clauses: [channels]", "clauses: [magic]"},
		"no article keeps the clause":    {"clauses: [in-force]", "record: a record"},
		"numbered in order":              {"- number: 3\n", "- number: 4\n"},
		"the time zone":                  {`zone: "+09:00"`, "zone: Seoul"},
		"an anniversary":                 {"anniversary: 11-23", "anniversary: 23-11"},
		"a relation names another pact":  {"costs: own", "costs: own\nrelation: {protected-by: [kr-jp-2016]}"},
		"names that look alike":          {"{en: Japan,", "{en: Republic of  korea,"},
		"which look alike":               {"Each party bears", "Each p\u0430rty bears"},
		"two marks of one party":         {"markings:\n", "markings:\n  - {rank: 1, term: CONFIDENTIAL, party: KR, mark: 군사ll급비밀}\n"},
		"composed form":                  {"{en: Japan,", "{en: Jap\u0061\u0308n,"},
		"is none of: own, shared":        {"costs: own", "costs: theirs"},
		"is not within 1 and 8760":       {"hours: 72", "hours: 9000"},
		"names its hub":                  {"topology: direct", "topology: hub"},
		"no such term":                   {"term: subjects,", "term: nothing,"},
		"is a whole number":              {"version: 1\n", "version: one\n"},
		"\"notice-days\" is a whole":     {"notice-days: 90", "notice-days: 90.7"},
		"\"term-years\" is a whole":      {"term-years: 1", "term-years: 010"},
		"\"hours\" is a whole":           {"hours: 72", "hours: \"72\""},
		"is a list":                      {"subjects: [nuclear-test, missile-launch, imagery, defence]", "subjects: defence"},
		"as keys with values":            {"{en: Japan, ko: 일본국, ja: 日本国}", "Japan"},
		"is both rank 3 and rank 2":      {"markings:\n", "markings:\n  - {rank: 3, term: SECRET, party: KR, mark: X}\n"},
		"the mark ends before":           {"roman: Hi, from: 2016-11-23", "roman: Hi, from: 2016-11-23, to: 2015-01-01"},
		"a leg is between":               {"costs: own", "costs: own\nlegs: [{between: [KR, US], ceiling: SECRET}]"},
		"here is missing":                {"ceiling: SECRET\n", ""},
	} {
		if !strings.Contains(text, change[0]) {
			t.Errorf("%s: nothing to spoil", want)
			continue
		}
		_, problems := pact.Parse([]byte(strings.Replace(text, change[0], change[1], 1)))
		var all []string
		for _, p := range problems {
			all = append(all, p.String())
			if p.Line < 1 {
				t.Errorf("%s: no place", p)
			}
		}
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is not among %q", want, all)
		}
	}
}

// TestAtOnce: mistakes of shape hide no others; each stands once, in its place, in
// a lawyer's words.
func TestAtOnce(t *testing.T) {
	_, text := shipped(t)
	_, problems := pact.Parse([]byte(strings.NewReplacer("version: 1\n", "version: one\n", "binding: treaty", "binding: contract", "  - id: JP\n", "  - id: JP\n    colour: blue\n",
		"ceiling: SECRET\n", "ceiling: SECRT\n", "provide: none", "provide: [none]").Replace(text)))
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{`7:10: "version" is a whole number`, `12:10: "contract" is none of: treaty, arrangement, exchange-of-notes, membership`, `20:5: "colour" is not known in "parties"`,
		`32:10: "SECRT" is no term of the table of markings`, `46:10: "provide" is text`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestSense: terms that can never be kept together, or would never apply, are refused
// with the reason.
func TestSense(t *testing.T) {
	_, direct := shipped(t)
	for _, x := range []struct {
		text    string
		changes []string
		want    string
	}{
		{direct, []string{"notice-days: 90", "notice-days: 400"}, "56:7: the time of notice is as long as the term, or longer"},
		{direct, []string{"notice-days: 90", "notice-days: 365"}, "56:7: the time of notice is as long as the term"},
		{direct, []string{"notice-days: 90", "notice-days: 364"}, ""},
		{direct, []string{"notice-days: 90", "notice-months: 12"}, "56:7: the time of notice is as long as the term"},
		{direct, []string{"notice-days: 90", "notice-months: 11"}, ""},
		{direct, []string{"term-years: 1, notice-days: 90", "notice-days: 400"}, "56:66: a pact without end has no terms"},
		{direct, []string{"term-years: 1, notice-days: 90, anniversary: 11-23", "suspension: true"}, "a notice that ends the pact at once cannot be suspended"},
		{direct, []string{"start: later-notification", "start: signature, provisional: 2016-11-01"}, "a pact in force on signature is not applied before"},
		{direct, []string{"ceiling: SECRET\n", "ceiling: CONFIDENTIAL\n"}, "33:15: the ceiling of a channel is above the pact's"},
		{direct, []string{"floor: CONFIDENTIAL", "floor: SECRET", "electronic: SECRET", "electronic: CONFIDENTIAL"}, "33:15: the ceiling of this channel is below the floor"},
		{direct, []string{"floor: CONFIDENTIAL", "floor: SECRET", "ceiling: SECRET", "ceiling: CONFIDENTIAL"}, "the floor is above the ceiling"},
		{direct, []string{"markings:\n", "markings:\n  - {rank: 3, term: TOP, party: KR, mark: 군사I급비밀}\n", "from: CONFIDENTIAL, hours: 72", "from: TOP, hours: 72"}, "no receipt would ever be due"},
		{direct, []string{"markings:\n", "markings:\n  - {rank: 3, term: TOP, party: KR, mark: 군사I급비밀}\n", "clearance-from: CONFIDENTIAL", "clearance-from: TOP"}, "write none where no clearance is needed"},
		{direct, []string{"markings:\n", "markings:\n  - {rank: 3, term: TOP, party: KR, mark: 군사I급비밀}\n", "extracts: minimum", "extracts: minimum, consent-from: TOP"}, "no consent would ever be asked"},
		{direct, []string{"copies: minimum", "copies: forbidden, limit: 3"}, "where copies are forbidden they have no limit"},
		{direct, []string{"contractors: {allowed: conditions}", "contractors: {allowed: forbidden, place-of-performance: true}"}, "no contract has a place of performance"},
		{direct, []string{"costs: own", "costs: own\nreporting: {to: parliament}"}, "a report needs both"},
		{direct, []string{"costs: own", "costs: own\nreporting: {every-months: 3}"}, "a report needs both"},
		{direct, []string{"  courier: SECRET", "  courier: SECRET\n  hub: SECRET"}, "35:8: nothing can go by a hub: the pact names none"},
		{direct, []string{"topology: direct", "topology: hub\nhub: {party: KR}"}, "a hub passes on between two others"},
		{direct, []string{"costs: own", "costs: own\nrelation: {supplements: [gsomia], supersedes: [gsomia]}"}, "the text rests on this pact and takes its place"},
		{direct, []string{"[burn, shred,", "[burn, burn, shred,"}, `"burn" stands twice`},
		{direct, []string{"{term: subjects,", "{term: purposes,"}, "this term stands twice"},
		{direct, []string{"roman: Hi, from: 2016-11-23", "roman: Hi, from: 2016-11-23, to: 2016-11-23"}, "the mark ends before it begins"},
		{template("kr-jp-us-2014"), []string{"  - {between: [US, JP], ceiling: TOP SECRET, channels: [electronic, courier], under: us-jp-2007}\n", "", "  - {between: [KR, JP], ceiling: SECRET, channels: [hub]}\n", ""}, "no leg reaches JP"},
		{template("kr-jp-us-2014"), []string{"channels: {electronic: TOP SECRET, courier: TOP SECRET, hub: SECRET}", "floor: SECRET\nchannels: {electronic: TOP SECRET, courier: TOP SECRET, hub: SECRET}", "ceiling: SECRET, channels: [hub]", "ceiling: CONFIDENTIAL, channels: [hub]"}, "the ceiling of this leg is below the floor"},
		{template("cert-community"), []string{"RED: recipients", "RED: public"}, "RED reaches further than"},
	} {
		text := x.text
		for i := 0; i < len(x.changes); i += 2 {
			if !strings.Contains(text, x.changes[i]) {
				t.Fatalf("%q: nothing to spoil", x.changes[i])
			}
			text = strings.Replace(text, x.changes[i], x.changes[i+1], 1)
		}
		_, problems := pact.Parse([]byte(text))
		if x.want == "" && len(problems) > 0 || x.want != "" && !slices.ContainsFunc(problems, func(p pact.Problem) bool { return strings.Contains(p.String(), x.want) }) {
			t.Errorf("%q: %v, not %q", x.changes, problems, x.want)
		}
	}
}

func template(id act.PactID) string {
	b, _ := pact.Template(id)
	return string(b)
}

// TestAbsurd: what is too large, too deep or no text is refused with its reason.
func TestAbsurd(t *testing.T) {
	for want, text := range map[string]string{
		"1:3: U+202E":                  "# \u202ein a comment\npact: x",
		"1:5: U+000D cannot":           "a: 1\rb: 2",
		"1:4: this is not UTF-8":       "a: \xff",
		"1:2: U+061C":                  "#\u061c an Arabic mark",
		"2:1: U+3164":                  "a: b\n\u3164: a filler of Hangul",
		"longer than":                  "notes: [" + strings.Repeat("x, ", act.MaxText/3) + "]",
		"too large":                    "notes: [" + strings.Repeat("x, ", 25000) + "]",
		"too deep":                     strings.Repeat("[", 50) + strings.Repeat("]", 50),
		"1:5: a bracket is not closed": "a: [",
		"the text is empty":            "",
		"more than one":                "a: 1\n---\nb: 2\n",
		"here is missing":              "pact: x\n",
	} {
		p, problems := pact.Parse([]byte(text))
		if p != nil || !slices.ContainsFunc(problems, func(q pact.Problem) bool { return strings.Contains(q.String(), want) }) {
			t.Errorf("%s: %.200v", want, problems)
		}
	}
}

func step(k act.Kind, by act.Party, at time.Time) act.Act {
	return act.Act{Kind: k, From: by, At: act.MomentOf(at), Body: act.Step{}}
}

// TestHistory is the true public history of the agreement.
func TestHistory(t *testing.T) {
	p, _ := shipped(t)
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	var l pact.Life
	for _, x := range []struct {
		at    string
		kind  act.Kind
		by    []act.Party
		phase pact.Phase
	}{
		{"2016-10-27T10:00:00+09:00", act.PactProposed, []act.Party{"KR"}, pact.Proposed},
		{"2016-11-14T10:00:00+09:00", act.PactInitialled, []act.Party{"KR", "JP"}, pact.Initialled},
		{"2016-11-22T08:00:00+09:00", act.PactApproved, []act.Party{"KR"}, pact.Approved},
		{"2016-11-23T10:00:00+09:00", act.PactSigned, []act.Party{"KR", "JP"}, pact.Signed},
		{"2016-11-23T11:00:00+09:00", act.PactNotified, []act.Party{"KR"}, pact.Notified},
		{"2016-11-23T12:00:00+09:00", act.PactNotified, []act.Party{"JP"}, pact.Active},
		{"2017-11-23T00:00:00+09:00", "", nil, pact.Active}, // renewed
		{"2018-11-23T00:00:00+09:00", "", nil, pact.Active}, // renewed
		{"2019-08-23T15:30:00+09:00", act.PactNotice, []act.Party{"KR"}, pact.NoticeGiven},
		{"2019-11-22T18:00:00+09:00", act.PactNoticeSuspended, []act.Party{"KR"}, pact.NoticeSuspended},
		{"2019-11-23T00:00:00+09:00", "", nil, pact.NoticeSuspended},
		{"2023-03-21T10:00:00+09:00", act.PactNoticeWithdrawn, []act.Party{"KR"}, pact.Active},
	} {
		for _, by := range x.by {
			l = l.Apply(step(x.kind, by, at(x.at)))
		}
		if got := p.Phase(l, at(x.at)); got != x.phase {
			t.Errorf("%s %s: %s, want %s", x.at, x.kind, got, x.phase)
		}
	}
	// Article 21: the deadline of 2019, and the instant at which the pact would have ended.
	now := at("2019-08-22T00:00:00Z")
	if d, ok := p.Deadline(l, now); !ok || !d.Equal(at("2019-08-25T00:00:00+09:00")) {
		t.Errorf("deadline %s", d)
	}
	if e, _ := p.TermEnd(l, now); !e.Equal(at("2019-11-22T15:00:00Z")) {
		t.Errorf("end of term %s", e)
	}
}

// TestNotice: in time it ends this term, late the next (R55); transfers stop
// with the end, and a notice that was not suspended is not revived by time.
func TestNotice(t *testing.T) {
	p, _ := shipped(t)
	start := time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	var l pact.Life
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactSigned, q, start)).Apply(step(act.PactNotified, q, start))
	}
	deadline := time.Date(2019, 8, 25, 0, 0, 0, 0, p.Zone)
	for _, x := range []struct {
		given time.Time
		end   int
	}{{deadline.Add(-time.Millisecond), 2019}, {deadline, 2020}} {
		n := l.Apply(step(act.PactNotice, "KR", x.given))
		end := time.Date(x.end, 11, 23, 0, 0, 0, 0, p.Zone)
		if got := p.Phase(n, end.Add(-time.Millisecond)); got != pact.NoticeGiven || !got.Transfers() {
			t.Errorf("given %s: before the end it is %s", x.given, got)
		}
		for _, later := range []time.Duration{0, time.Hour, 100 * 365 * 24 * time.Hour} {
			if got := p.Phase(n, end.Add(later)); got != pact.Terminated || got.Transfers() {
				t.Errorf("given %s: after the end it is %s", x.given, got)
			}
		}
	}
}

// TestOrder: the order in which the parties' steps arrive does not matter.
func TestOrder(t *testing.T) {
	p, _ := shipped(t)
	at := time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	steps := []act.Act{step(act.PactSigned, "KR", at), step(act.PactSigned, "JP", at), step(act.PactNotified, "KR", at), step(act.PactNotified, "JP", at)}
	for i := range steps {
		var l pact.Life
		for j := range steps {
			if p.Phase(l, at).Transfers() {
				t.Error("in force too early")
			}
			l = l.Apply(steps[(i+j)%len(steps)])
		}
		if got := p.Phase(l, at); got != pact.Active {
			t.Errorf("from step %d on: %s", i, got)
		}
	}
}

// FuzzParse: what is a pact is one by the published schema too, to an independent validator.
func FuzzParse(f *testing.F) {
	for _, id := range pact.Templates() {
		text, _ := pact.Template(id)
		f.Add([]byte(text))
	}
	s := validator(f)
	f.Add([]byte("a: [&x 1, *x]"))
	f.Add([]byte("pact: a\nversion: 1"))
	_, text := shipped(f)
	f.Add([]byte("pact: \"a\nparties:\n  - id: KR\n\tname: {en: x\n   b\n---\n- x: y: z\n"))
	for _, x := range [][2]string{{"binding: treaty", "binding: treaty: yes"}, {"number: 3", "number 3"}, {"ja: 国防部}", "ja: 国防部"}, {"    authority", "\tauthority"}, {"ko: 목적", "ko: \"목적"}} {
		f.Add([]byte(strings.Replace(text, x[0], x[1], 1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, problems := pact.Parse(b)
		if (p == nil) != (len(problems) > 0) {
			t.Error("neither a pact nor a mistake, or both")
		}
		lines := bytes.Count(b, []byte("\n")) + 1
		for i, q := range problems {
			if q.Line < 1 || q.Line > lines || q.Column < 1 || q.Text == "" || i > 0 && q.Line < problems[i-1].Line {
				t.Errorf("%d lines, and a mistake at %s", lines, q)
			}
		}
		if p == nil {
			return
		}
		p.Show("ko")
		var v any
		if err := yaml.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(plainJSON(t, v)); err != nil {
			t.Errorf("a pact that the schema refuses: %v", err)
		}
	})
}

// all reads every shipped pact.
func all(t testing.TB) map[act.PactID]*pact.Pact {
	t.Helper()
	m := map[act.PactID]*pact.Pact{}
	for _, id := range pact.Templates() {
		b, _ := pact.Template(id)
		p, problems := pact.Parse(b)
		if len(problems) > 0 {
			t.Fatal(id, problems)
		}
		m[id] = p
	}
	return m
}

// TestDimensions: the shipped pacts differ in each of the 24 ways in which real
// pacts do.
func TestDimensions(t *testing.T) {
	for d := 1; d <= 24; d++ {
		dim := fmt.Sprintf("D%d", d)
		seen := map[string]bool{}
		for _, p := range all(t) {
			var said []string
			for _, l := range p.Lines() {
				if l.Dimension == dim {
					said = append(said, l.Key+"="+l.Value)
				}
			}
			seen[strings.Join(said, "\n")] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s: every shipped pact says the same: %v", dim, seen)
		}
	}
}

// TestSchema: the published schema is the code's, and an independent validator
// accepts every shipped text and refuses a spoilt one.
func TestSchema(t *testing.T) {
	const file = "../spec/pact.schema.json"
	if *update {
		if err := os.WriteFile(file, pact.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil || string(kept) != string(pact.Schema()) {
		t.Fatalf("%s is not what the code says: run 'go test ./pact -update': %v", file, err)
	}
	s := validator(t)
	for _, id := range pact.Templates() {
		text, _ := pact.Template(id)
		for spoil, ok := range map[string]bool{"": true, "colour: red\n": false} {
			var v any
			if err := yaml.Unmarshal(append([]byte(spoil), text...), &v); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(plainJSON(t, v)); (err == nil) != ok {
				t.Errorf("%s with %q: %v", id, spoil, err)
			}
		}
	}
}

// validator is an independent reader of the schema.
func validator(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(pact.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pact.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pact.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plainJSON turns what YAML reads (dates) into what JSON has.
func plainJSON(t *testing.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = plainJSON(t, x[k])
		}
	case []any:
		for i := range x {
			x[i] = plainJSON(t, x[i])
		}
	case time.Time:
		return x.Format(time.DateOnly)
	}
	return v
}

// TestDiff is golden: what a higher ceiling and another use change, for whom.
func TestDiff(t *testing.T) {
	a, text := shipped(t)
	b, problems := pact.Parse([]byte(strings.NewReplacer("use: bound", "use: framework", "notice-days: 90", "notice-days: 120", "electronic: SECRET", "electronic: CONFIDENTIAL",
		"authority: {en: Ministry of Defense,", "authority: {en: Ministry of Defence,", "subjects: [nuclear-test, ", "subjects: [").Replace(text)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, c := range pact.Diff(a, b) {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s → %s", c.Effect, c.For, c.Key, c.Old, c.New))
	}
	want := []string{"narrower||subject nuclear-test|yes → ", "narrower||channel electronic|up to SECRET → up to CONFIDENTIAL", "wider||use|bound → framework",
		"other|JP|competent authority|Ministry of Defense → Ministry of Defence", "other||notice|90 days → 120 days"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if w := pact.Widens(a, b); len(w) != 1 || w[0].Key != "use" {
		t.Errorf("an arrangement may only narrow (R12): %v", w)
	}
	// What an article says and keeps is no detail; nor are ways and means that are no longer named.
	hub, _ := pact.Template("kr-jp-us-2014")
	change := func(source, old, now string) []string {
		t.Helper()
		x, p1 := pact.Parse([]byte(source))
		y, p2 := pact.Parse([]byte(strings.Replace(source, old, now, 1)))
		if len(p1)+len(p2) > 0 || !strings.Contains(source, old) {
			t.Fatal(old, p1, p2)
		}
		var all []string
		for _, c := range pact.Diff(x, y) {
			all = append(all, c.Effect+" "+c.Key)
		}
		return all
	}
	for _, x := range []struct{ source, old, now, want string }{
		{text, "briefing, assurance]", "briefing]", "wider clause assurance"},
		{text, "reclassification, review]", "reclassification]", "wider clause review"},
		{text, "clauses: [originator-control]", "clauses: [originator-control, standing-authority]", "wider clause standing-authority"},
		{text, "Each party bears its own costs.", "The receiving party bears all costs.", "other Article 19"},
		{text, "destruction: {methods: [burn, shred, pulp, erase, other-irreversible]}\n", "", "wider destroyed by"},
		{string(hub), "channels: [hub]}", "channels: [hub, electronic]}", "wider leg to JP by electronic"},
		{string(hub), "hub: {party: US,", "hub: {party: JP,", "wider the hub reads"},
	} {
		if got := change(x.source, x.old, x.now); !slices.Contains(got, x.want) {
			t.Errorf("%q is not among %q", x.want, got)
		}
	}
	// A change of one wording alone is told as such, once, and of none is kept silent; nor
	// is it when something becomes certain or uncertain.
	for _, x := range []struct{ old, now, want string }{
		{"party: JP, mark: 秘, roman: Hi, ", "party: JP, mark: 秘, roman: Hi, certainty: recalled, ", "other mark 秘 from 2016-11-23: certainty"},
		{"    certainty: recalled\n", "", "other Article 5: certainty"},
		{"the treaty asks for a receipt and names no hours", "the treaty names no hours", "other receipts.hours: certainty"},
		{"협정은 수령증을 요구하나", "협정은 영수증을 요구하나", "other receipts.hours: certainty, in Korean"},
		{"authentic text is what binds.", "authentic text binds.", "other note 1"},
		{"구속력은 정본에 있다", "정본이 구속한다", "other note 1, in Korean"},
		{"en: Agreement on the Protection", "en: Accord on the Protection", "other title"},
		{"ko: 대한민국 정부와", "ko: 한국 정부와", "other title, in Korean"},
		{"ja: 大韓民国}", "ja: 韓国}", "other party, in Japanese"},
		{"ko: 방위성", "ko: 일본 방위성", "other competent authority, in Korean"},
		{"ja: ミサイル警報}", "ja: ミサイルの警報}", "other purpose missile-warning, in Japanese"},
		{`ja: "費用"`, `ja: "経費"`, "other Article 19, title, in Japanese"},
		{"각 당사자는 자국의 비용을 부담한다.", "접수 당사자가 모든 비용을 부담한다.", "other Article 19, in Korean"},
		{"ja: 法令の変更の通報及び", "ja: 法令の変更及び", "other Article 3, record, in Japanese"},
	} {
		if got := change(text, x.old, x.now); len(got) != 1 || got[0] != x.want {
			t.Errorf("%s: %q", x.want, got)
		}
	}
	if d := pact.Diff(a, a); d != nil {
		t.Errorf("a pact differs from itself: %v", d)
	}
}

// TestTimeline folds the public history of every pact in testdata/timeline.csv.
func TestTimeline(t *testing.T) {
	f, err := os.Open("testdata/timeline.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]struct {
		kind act.Kind
		by   []act.Party
		then pact.Phase
	}{
		"talks_resumed":      {act.PactProposed, []act.Party{"KR"}, pact.Proposed},
		"initialled":         {act.PactInitialled, []act.Party{"KR", "JP"}, pact.Initialled},
		"cabinet_approved":   {act.PactApproved, []act.Party{"KR"}, pact.Approved},
		"signing_cancelled":  {act.PactCancelled, []act.Party{"KR"}, pact.Cancelled},
		"signed":             {act.PactSigned, []act.Party{"KR", "JP", "US"}, pact.Signed},
		"signed_us":          {act.PactSigned, []act.Party{"US"}, pact.Signed},
		"signed_kr_jp":       {act.PactSigned, []act.Party{"KR", "JP"}, pact.Active},
		"in_force":           {act.PactNotified, []act.Party{"KR", "JP"}, pact.Active},
		"renewed":            {"", nil, pact.Active},
		"notice_given":       {act.PactNotice, []act.Party{"KR"}, pact.NoticeGiven},
		"notice_deadline":    {"", nil, pact.NoticeGiven},
		"notice_suspended":   {act.PactNoticeSuspended, []act.Party{"KR"}, pact.NoticeSuspended},
		"would_have_expired": {"", nil, pact.NoticeSuspended},
		"dispute_of_effect":  {"", nil, pact.NoticeSuspended},
		"notice_withdrawn":   {act.PactNoticeWithdrawn, []act.Party{"KR"}, pact.Active},
	}
	// The text of 2012 was never in force; it is folded as what it nearly was, the text of 2016.
	texts := map[string]act.PactID{"kr-jp-2012": "kr-jp-2016", "kr-jp-2016": "kr-jp-2016", "tisa-2014": "kr-jp-us-2014", "us-jp-2007": "us-jp-2007", "rok-us-1987": "kr-us-1987"}
	pacts, lives, folded := all(t), map[string]pact.Life{}, 0
	for _, e := range events[1:] {
		s, known := steps[e[3]]
		id, ours := texts[e[2]]
		if !known || !ours {
			continue
		}
		p := pacts[id]
		clock := e[1]
		if clock == "" {
			clock = "12:00+09:00"
		}
		at, err := time.Parse("2006-01-02 15:04-07:00", e[0]+" "+clock)
		if err != nil {
			t.Fatal(e, err)
		}
		want := s.then
		if e[2] == "us-jp-2007" || e[2] == "rok-us-1987" { // in force on signature
			want = pact.Active
		}
		for _, by := range s.by {
			if p.Has(by) {
				lives[e[2]] = lives[e[2]].Apply(step(s.kind, by, at))
			}
		}
		if got := p.Phase(lives[e[2]], at); got != want {
			t.Errorf("%s %s %s: %s, want %s", e[0], e[2], e[3], got, want)
		}
		folded++
	}
	if folded < 20 {
		t.Errorf("only %d events of the history are folded", folded)
	}
	if got := pacts["kr-jp-2016"].Phase(lives["kr-jp-2012"], time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)); got != pact.Cancelled {
		t.Errorf("2012, four centuries on: %s", got)
	}
}

// TestReadings: parties read a suspended notice differently; each keeps its own
// reading, the disagreement shows, and the stricter one rules new transfers.
func TestReadings(t *testing.T) {
	p, _ := shipped(t)
	at := time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	var l pact.Life
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactSigned, q, at)).Apply(step(act.PactNotified, q, at))
	}
	l = l.Apply(step(act.PactNotice, "KR", at.AddDate(2, 9, 0))).Apply(step(act.PactNoticeSuspended, "KR", at.AddDate(2, 11, 29)))
	now := at.AddDate(4, 0, 0)
	reads := func(l pact.Life, q act.Party, phase pact.Phase, when time.Time) pact.Life {
		return l.Apply(act.Act{Kind: act.PactRead, From: q, At: act.MomentOf(when), Body: act.Interpretation{Phase: string(phase)}})
	}
	for _, x := range []struct {
		who      act.Party
		as, then pact.Phase
		disputed bool
	}{
		{"JP", pact.Active, pact.NoticeSuspended, true},             // Tokyo: the pact is in force; the stricter stays
		{"JP", pact.NoticeSuspended, pact.NoticeSuspended, false},   // both read it alike
		{"JP", pact.Terminated, pact.Terminated, true},              // who holds that it ended stops new transfers
		{"US", pact.Terminated, pact.NoticeSuspended, false},        // a stranger's reading counts for nothing
		{"JP", pact.Phase("nonsense"), pact.NoticeSuspended, false}, // nor does one that is none
	} {
		m := reads(l, x.who, x.as, at.AddDate(3, 1, 0))
		if got := p.Stands(m, now); got != x.then || p.Disputed(m, now) != x.disputed {
			t.Errorf("%s reads it as %s: stands %s, disputed %v", x.who, x.as, got, p.Disputed(m, now))
		}
	}
	// A formal step after a reading makes it void; and no reading revives what has ended.
	m := reads(l, "JP", pact.Terminated, at.AddDate(3, 1, 0)).Apply(step(act.PactNoticeWithdrawn, "KR", at.AddDate(6, 4, 0)))
	if got := p.Stands(m, at.AddDate(6, 5, 0)); got != pact.Active {
		t.Errorf("after both notes were withdrawn: %s", got)
	}
	n := reads(l.Apply(step(act.PactNoticeWithdrawn, "KR", now)).Apply(step(act.PactNotice, "KR", now)), "JP", pact.Active, at.AddDate(9, 0, 0))
	if got := p.Stands(n, at.AddDate(10, 0, 0)); got != pact.Terminated {
		t.Errorf("a reading revived it: %s", got)
	}
}

// TestStarts: provisional application, a first day of a month, months of notice
// and a pact without end.
func TestStarts(t *testing.T) {
	p := all(t)["eu-uk-2021"]
	at := func(s string) time.Time { x, _ := time.Parse(time.DateOnly, s); return x }
	l := pact.Life{}.Apply(step(act.PactSigned, "EU", at("2020-12-30"))).Apply(step(act.PactSigned, "GB", at("2020-12-30")))
	l = l.Apply(step(act.PactNotified, "GB", at("2020-12-31"))).Apply(step(act.PactNotified, "EU", at("2021-04-29")))
	for day, want := range map[string]pact.Phase{"2020-12-31": pact.Notified, "2021-01-01": pact.Provisional, "2021-04-30": pact.Provisional, "2021-05-01": pact.Active, "2821-05-01": pact.Active} {
		if got := p.Phase(l, at(day)); got != want {
			t.Errorf("%s: %s, want %s", day, got, want)
		}
	}
	n := l.Apply(step(act.PactNotice, "GB", at("2030-11-30")))
	if p.Phase(n, at("2031-02-27")) != pact.NoticeGiven || p.Phase(n, at("2031-03-02")) != pact.Terminated {
		t.Error("three months of notice")
	}
}

// TestDue: what is open and comes next, and the reminders before a deadline.
func TestDue(t *testing.T) {
	p, _ := shipped(t)
	at := time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	var l pact.Life
	if d := p.Due(l, at); d.What != "signing" || len(d.Who) != 2 {
		t.Errorf("%+v", d)
	}
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactSigned, q, at))
	}
	if d := p.Due(l, at); d.What != "notification" || len(d.Who) != 2 {
		t.Errorf("%+v", d)
	}
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactNotified, q, at))
	}
	deadline := time.Date(2017, 8, 25, 0, 0, 0, 0, p.Zone)
	if d := p.Due(l, at); !d.At.Equal(deadline) {
		t.Errorf("%+v", d)
	}
	for before, want := range map[int]int{121: 0, 120: 120, 101: 120, 100: 100, 92: 100, 91: 91, 1: 91, 0: 0} {
		got, due := p.Reminder(l, deadline.AddDate(0, 0, -before))
		if got.Days != want || due != (want > 0) || due && !got.Deadline.Equal(deadline) {
			t.Errorf("%d days before: %+v", before, got)
		}
	}
	if r, _ := p.Reminder(l, deadline.AddDate(0, 0, -95)); r.In(p, "ja") != "終了の通告の期限まで100日以内: 2017-08-25 00:00 +09:00" {
		t.Errorf("%s", r.In(p, "ja"))
	}
	if d := p.Due(l, deadline); !d.At.Equal(time.Date(2017, 11, 23, 0, 0, 0, 0, p.Zone)) || d.What != "the pact is extended" {
		t.Errorf("%+v", d)
	}
}

// TestLimit: a leg's own ceiling holds where it is lower than the channel's, and
// the first of a month begins in the pact's zone.
func TestLimit(t *testing.T) {
	source, _ := pact.Template("kr-jp-us-2014")
	p, problems := pact.Parse([]byte(strings.Replace(string(source), "between: [KR, US], ceiling: TOP SECRET", "between: [KR, US], ceiling: CONFIDENTIAL", 1)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, q := range [][2]act.Party{{"KR", "US"}, {"US", "KR"}} {
		if rank, ok := p.Limit(q[0], q[1], "electronic"); rank != 1 || !ok {
			t.Errorf("%v: %d, %v", q, rank, ok)
		}
	}
	_, text := shipped(t)
	p, problems = pact.Parse([]byte(strings.Replace(text, "start: later-notification", "start: first-of-month", 1)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	at := time.Date(2016, 11, 30, 16, 0, 0, 0, time.UTC) // 1 December in Seoul
	var l pact.Life
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactSigned, q, at)).Apply(step(act.PactNotified, q, at))
	}
	if since, ok := p.Since(l); !ok || !since.Equal(time.Date(2017, 1, 1, 0, 0, 0, 0, p.Zone)) {
		t.Errorf("it begins %s", since)
	}
}

// TestLeftOut: what a text leaves out takes the strictest meaning.
func TestLeftOut(t *testing.T) {
	_, text := shipped(t)
	for _, line := range []string{"provide: none\n", "floor: CONFIDENTIAL\n", "use: bound\n", "third-party: {release: consent, counts: [contractor, overseer]}\n", "clearance-from: CONFIDENTIAL\n",
		"copying: {copies: minimum, translations: minimum, extracts: minimum}\n", "contractors: {allowed: conditions}\n", "text: {authentic: [en], publication: public}\n", "receipts: {from: CONFIDENTIAL, hours: 72}\n"} {
		if !strings.Contains(text, line) {
			t.Fatal(line)
		}
		now := ""
		if strings.HasPrefix(line, "receipts") {
			now = "receipts: {hours: 72}\n"
		}
		text = strings.Replace(text, line, now, 1)
	}
	p, problems := pact.Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for what, ok := range map[string]bool{"use": p.Use == "bound", "third party": p.Third.Release == "consent", "clearance": p.Cleared == 1, "receipts": p.Receipt.From == 1, "floor": p.Floor == 1,
		"copying": p.Copying.Copies == "consent" && p.Copying.Translations == "consent" && p.Copying.Extracts == "consent", "contractors": p.Contract.Allowed == "forbidden", "text": p.Language.Publication == "closed"} {
		if !ok {
			t.Errorf("%s: not the strictest: %+v", what, p)
		}
	}
}
