package pact_test

import (
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
)

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

// TestProblems spoils the shipped text one way each; every mistake has its place.
func TestProblems(t *testing.T) {
	_, text := shipped(t)
	for want, change := range map[string][2]string{
		"anchors and aliases":           {"binding: treaty", "binding: &a treaty"},
		"tags are not allowed":          {"binding: treaty", "binding: !!str treaty"},
		"field colour not found":        {"binding: treaty", "binding: treaty\ncolour: red"},
		"already defined":               {"binding: treaty", "binding: treaty\nbinding: treaty"},
		"turn the direction of writing": {"Republic of Korea, ko", "Republic of \u202eKorea, ko"},
		"each stands once":              {"- id: JP", "- id: KR"},
		"stands twice":                  {"mark: 特定秘密", "mark: 極秘"},
		"is of nobody":                  {"party: JP, mark: 秘", "party: US, mark: 秘"},
		"is no term of the table":       {"ceiling: SECRET", "ceiling: TOP"},
		"\"TOPMOST\" is no term":        {"courier: SECRET", "courier: TOPMOST"},
		"is no clause":                  {"clauses: [channels]", "clauses: [magic]"},
		"no article keeps the clause":   {"clauses: [in-force]", "record: a record"},
		"numbered in order":             {"- number: 3\n", "- number: 4\n"},
		"the time zone":                 {`zone: "+09:00"`, "zone: Seoul"},
		"an anniversary":                {"anniversary: 11-23", "anniversary: 23-11"},
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

func FuzzParse(f *testing.F) {
	_, text := shipped(f)
	f.Add([]byte(text))
	f.Add([]byte("a: [&x 1, *x]"))
	f.Add([]byte("pact: a\nversion: 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, problems := pact.Parse(b)
		if (p == nil) != (len(problems) > 0) {
			t.Error("neither a pact nor a mistake, or both")
		}
		if p != nil {
			p.Show("ko")
		}
	})
}
