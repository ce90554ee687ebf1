package pact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"

	"pgregory.net/rapid"
)

// begun is the agreement of 2016 in force from its first day.
func begun(t testing.TB) (*pact.Pact, pact.Life, time.Time) {
	p, _ := shipped(t)
	at := time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	var l pact.Life
	for _, q := range []act.Party{"KR", "JP"} {
		l = l.Apply(step(act.PactSigned, q, at)).Apply(step(act.PactNotified, q, at))
	}
	return p, l, at
}

// TestNothingRevives: what has ended, or was cancelled before it began, no step of
// one party brings back (R56, R58).
func TestNothingRevives(t *testing.T) {
	p, l, at := begun(t)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, p.Zone) }
	half := pact.Life{}.Apply(step(act.PactSigned, "KR", at)).Apply(step(act.PactNotified, "KR", at))
	noticed := l.Apply(step(act.PactNotice, "KR", day(2017, 1, 1)))
	for what, x := range map[string]struct {
		life pact.Life
		now  time.Time
		want pact.Phase
	}{
		"withdrawn after the end":         {noticed.Apply(step(act.PactNoticeWithdrawn, "KR", day(2020, 1, 1))), day(2021, 1, 1), pact.Terminated},
		"withdrawn at the end":            {noticed.Apply(step(act.PactNoticeWithdrawn, "KR", day(2017, 11, 23))), day(2021, 1, 1), pact.Terminated},
		"withdrawn just before the end":   {noticed.Apply(step(act.PactNoticeWithdrawn, "KR", day(2017, 11, 23).Add(-time.Millisecond))), day(2021, 1, 1), pact.Active},
		"not yet withdrawn":               {noticed.Apply(step(act.PactNoticeWithdrawn, "KR", day(2017, 6, 1))), day(2017, 5, 31), pact.NoticeGiven},
		"suspended after the end":         {noticed.Apply(step(act.PactNoticeSuspended, "KR", day(2017, 11, 23))), day(2021, 1, 1), pact.Terminated},
		"suspended, withdrawn much later": {noticed.Apply(step(act.PactNoticeSuspended, "KR", day(2017, 11, 22))).Apply(step(act.PactNoticeWithdrawn, "KR", day(2023, 3, 21))), day(2023, 3, 22), pact.Active},
		"withdrawn by the other party":    {noticed.Apply(step(act.PactNoticeWithdrawn, "JP", day(2017, 6, 1))), day(2021, 1, 1), pact.Terminated},
		"cancelled, then the other signs": {half.Apply(step(act.PactCancelled, "KR", at.Add(time.Hour))).Apply(step(act.PactSigned, "JP", at.Add(2*time.Hour))).Apply(step(act.PactNotified, "JP", at.Add(2*time.Hour))), day(2017, 1, 1), pact.Cancelled},
		"cancelled once it is in force":   {l.Apply(step(act.PactCancelled, "KR", at)), day(2017, 1, 1), pact.Active},
		"cancelled in time to come":       {half.Apply(step(act.PactCancelled, "KR", day(2017, 2, 1))), day(2017, 1, 1), pact.Signed},
	} {
		if got := p.Phase(x.life, x.now); got != x.want {
			t.Errorf("%s: %s, want %s", what, got, x.want)
		}
	}
}

// TestReadingStands: a step without effect does not make another party's
// stricter reading void; one that moves the state does.
func TestReadingStands(t *testing.T) {
	p, l, at := begun(t)
	now := at.AddDate(5, 0, 0)
	ended := func(l pact.Life, when time.Time) pact.Life {
		return l.Apply(act.Act{Kind: act.PactRead, From: "KR", At: act.MomentOf(when), Body: act.Interpretation{Phase: string(pact.Terminated)}})
	}
	l = ended(l, at.AddDate(1, 0, 0))
	for _, k := range []act.Kind{act.PactProposed, act.PactInitialled, act.PactApproved, act.PactSigned, act.PactNotified, act.PactCancelled, act.PactNoticeSuspended, act.PactNoticeWithdrawn} {
		if got := p.Stands(l.Apply(step(k, "JP", at.AddDate(2, 0, 0))), now); got != pact.Terminated {
			t.Errorf("%s, which changes nothing, makes a reading void: it stands as %s", k, got)
		}
	}
	notice := step(act.PactNotice, "JP", at.AddDate(2, 0, 0))
	if got := p.Stands(l.Apply(notice), at.AddDate(2, 0, 1)); got != pact.NoticeGiven {
		t.Errorf("after a notice: %s", got)
	}
	notice.At = act.MomentOf(now.AddDate(1, 0, 0))
	if got := p.Stands(l.Apply(notice), now); got != pact.Terminated {
		t.Errorf("a notice of time to come: %s", got)
	}
}

// TestMonths: a notice in calendar months never gets shorter by a short month,
// and a pact that began on a leap day ends its terms on 1 March.
func TestMonths(t *testing.T) {
	p := all(t)["eu-uk-2021"]
	at := func(s string) time.Time { x, _ := time.ParseInLocation(time.DateOnly, s, p.Zone); return x }
	signed := func(p *pact.Pact, on string) (l pact.Life) {
		for _, q := range []act.Party{"EU", "GB"} {
			l = l.Apply(step(act.PactSigned, q, at(on))).Apply(step(act.PactNotified, q, at(on)))
		}
		return l
	}
	q := *p
	q.Terms = pact.Terms{Start: "signature", Years: 1, NoticeMonths: 3}
	for began, want := range map[string]string{"2021-05-31": "2022-02-28", "2023-05-31": "2024-02-29", "2021-12-31": "2022-09-30", "2020-02-29": "2020-12-01"} {
		l := signed(&q, began)
		if d, _ := q.Deadline(l, at(began)); !d.Equal(at(want)) {
			t.Errorf("began %s: a notice of three months is due by %s, want %s", began, d, want)
		}
	}
	q.Terms.Years = 0
	l := signed(&q, "2021-01-01")
	for given, end := range map[string]string{"2021-11-30": "2022-02-28", "2023-11-30": "2024-02-29"} {
		n := l.Apply(step(act.PactNotice, "GB", at(given)))
		if q.Phase(n, at(end).Add(-time.Millisecond)) != pact.NoticeGiven || q.Phase(n, at(end)) != pact.Terminated {
			t.Errorf("given %s: three months end with %s", given, end)
		}
	}
}

// TestSuspendedAndGiven: where one party's notice is suspended and another's
// runs, the end that comes is what is due.
func TestSuspendedAndGiven(t *testing.T) {
	p, l, at := begun(t)
	l = l.Apply(step(act.PactNotice, "KR", at.AddDate(0, 1, 0))).Apply(step(act.PactNoticeSuspended, "KR", at.AddDate(0, 2, 0)))
	if d := p.Due(l, at.AddDate(0, 3, 0)); !d.At.IsZero() || !slices.Equal(d.Who, []act.Party{"KR"}) {
		t.Errorf("%+v", d)
	}
	l = l.Apply(step(act.PactNotice, "JP", at.AddDate(0, 2, 0)))
	if d := p.Due(l, at.AddDate(0, 3, 0)); d.What != "the pact ends" || !d.At.Equal(time.Date(2017, 11, 23, 0, 0, 0, 0, p.Zone)) {
		t.Errorf("%+v", d)
	}
}

// TestArrival: each party's acts come in its own order; how they interleave here
// changes neither where the pact stands, nor what is due, at any moment. And what
// has ended stays so.
func TestArrival(t *testing.T) {
	pacts := all(t)
	rapid.Check(t, func(r *rapid.T) {
		p := pacts[rapid.SampledFrom(pact.Templates()).Draw(r, "pact")]
		start := time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC)
		moment := func(what string) time.Time {
			return start.Add(time.Duration(rapid.IntRange(0, 3*365*24).Draw(r, what)) * time.Hour)
		}
		kinds := []act.Kind{act.PactInitialled, act.PactCancelled, act.PactNotice, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead}
		var lanes [][]act.Act
		for i := range p.Parties {
			q := p.Parties[i].ID
			lane := []act.Act{step(act.PactSigned, q, start), step(act.PactNotified, q, start.Add(time.Hour))}
			for range rapid.IntRange(0, 4).Draw(r, "steps") {
				a := step(rapid.SampledFrom(kinds).Draw(r, "kind"), q, moment("at"))
				if a.Kind == act.PactRead {
					a.Body = act.Interpretation{Phase: string(rapid.SampledFrom([]pact.Phase{pact.Active, pact.NoticeSuspended, pact.Terminated}).Draw(r, "read"))}
				}
				lane = append(lane, a)
			}
			slices.SortStableFunc(lane, func(a, b act.Act) int { return a.At.Compare(b.At.Time) })
			lanes = append(lanes, lane)
		}
		var inOrder, drawn pact.Life
		left := slices.Clone(lanes)
		for _, lane := range lanes {
			for _, a := range lane {
				inOrder = inOrder.Apply(a)
			}
		}
		for len(left) > 0 {
			i := rapid.IntRange(0, len(left)-1).Draw(r, "next")
			drawn = drawn.Apply(left[i][0])
			if left[i] = left[i][1:]; len(left[i]) == 0 {
				left = slices.Delete(left, i, i+1)
			}
		}
		ended := false
		for day := range 3 * 52 {
			now := start.AddDate(0, 0, 7*day)
			said := func(l pact.Life) string {
				r, _ := p.Reminder(l, now)
				s := fmt.Sprint(p.Phase(l, now), p.Stands(l, now), p.Disputed(l, now), p.Due(l, now), r, p.Open(l, now), p.Course(l, now))
				for i := range p.Parties {
					s += string(p.Reads(l, p.Parties[i].ID, now))
				}
				return s
			}
			if a, b := said(inOrder), said(drawn); a != b {
				r.Fatalf("%s at %s: %s in one order, %s in another", p.ID, now, a, b)
			}
			phase := p.Phase(drawn, now)
			if gone := phase == pact.Terminated || phase == pact.Cancelled; ended && !gone {
				r.Fatalf("%s: it had ended, and at %s it is %s", p.ID, now, phase)
			} else {
				ended = gone
			}
		}
	})
}

// TestLate: a notice that came after its deadline ends the next term by its
// receiver's reading; the sender's differs, and the stricter one rules (R55).
func TestLate(t *testing.T) {
	p, l, at := begun(t)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, p.Zone) }
	deadline, _ := p.Deadline(l, at)
	given := act.MomentOf(deadline.Add(-time.Hour))
	l = l.Apply(step(act.PactNotice, "KR", given.Time))
	for what, x := range map[string]struct {
		by   act.Party
		came time.Time
		jp   pact.Phase
	}{
		"just in time":        {"JP", deadline.Add(-time.Millisecond), pact.Terminated},
		"at the deadline":     {"JP", deadline, pact.NoticeGiven},
		"days after":          {"JP", deadline.AddDate(0, 0, 9), pact.NoticeGiven},
		"says the sender":     {"KR", deadline.AddDate(0, 0, 9), pact.Terminated},
		"says who is no part": {"US", deadline.AddDate(0, 0, 9), pact.Terminated},
	} {
		l := p.Answered(l, pact.Answer{Kind: act.PactNotice, By: "KR", At: given, Party: x.by, Came: act.MomentOf(x.came)})
		now := day(2017, 12, 1)
		if kr, jp := p.Reads(l, "KR", now), p.Reads(l, "JP", now); kr != pact.Terminated || jp != x.jp {
			t.Errorf("%s: KR reads it as %s, JP as %s, want %s", what, kr, jp, x.jp)
		}
		if p.Stands(l, now) != pact.Terminated || p.Disputed(l, now) != (x.jp != pact.Terminated) {
			t.Errorf("%s: it stands as %s, disputed %t", what, p.Stands(l, now), p.Disputed(l, now))
		}
		if later := day(2018, 12, 1); p.Reads(l, "JP", later) != pact.Terminated {
			t.Errorf("%s: at the end of the next term JP reads it as %s", what, p.Reads(l, "JP", later))
		}
	}
}

// TestNoticeForms: what a notice means under each form that a text gives it, and
// what it means to a party that it came to later (R55).
func TestNoticeForms(t *testing.T) {
	p := *all(t)["kr-jp-us-2014"]
	at := func(s string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", s, p.Zone)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for what, x := range map[string]struct {
		terms             pact.Terms
		given, ends       string
		came, later, then string // then: the day by the reading of who got it later; empty: the same
	}{
		"days before the end of a term, in time":        {pact.Terms{Years: 1, Notice: 90 * 24 * time.Hour}, "2021-09-01 10:00", "2022-01-01", "2021-10-02 10:00", "", ""},
		"days before the end of a term, come late":      {pact.Terms{Years: 1, Notice: 90 * 24 * time.Hour}, "2021-10-02 10:00", "2022-01-01", "2021-10-04 10:00", "late", "2023-01-01"},
		"days before the end of a term, given late":     {pact.Terms{Years: 1, Notice: 90 * 24 * time.Hour}, "2021-10-04 10:00", "2023-01-01", "2021-11-04 10:00", "", ""},
		"given late, and come a term later":             {pact.Terms{Years: 1, Notice: 90 * 24 * time.Hour}, "2021-10-04 10:00", "2023-01-01", "2022-11-04 10:00", "late", "2024-01-01"},
		"months before the end of a term":               {pact.Terms{Years: 2, NoticeMonths: 6}, "2022-06-30 23:59", "2023-01-01", "2022-07-01 00:00", "late", "2025-01-01"},
		"a term without a time of notice":               {pact.Terms{Years: 1}, "2021-12-31 23:59", "2022-01-01", "2022-01-01 00:00", "late", "2023-01-01"},
		"months from the notice, come on the same day":  {pact.Terms{NoticeMonths: 6}, "2021-02-03 00:01", "2021-08-03", "2021-02-03 23:59", "", ""},
		"months from the notice, come on another day":   {pact.Terms{NoticeMonths: 6}, "2021-02-03 23:59", "2021-08-03", "2021-02-04 00:01", "late", "2021-08-04"},
		"months from the notice, of a short month":      {pact.Terms{NoticeMonths: 3}, "2021-11-28 10:00", "2022-02-28", "2021-11-30 10:00", "", ""},
		"days from the notice":                          {pact.Terms{Notice: 30 * 24 * time.Hour}, "2021-02-03 10:00", "2021-03-05", "2021-02-13 10:00", "late", "2021-03-15"},
		"at once":                                       {pact.Terms{}, "2021-02-03 10:00", "2021-02-03", "2021-02-04 10:00", "late", "2021-02-04"},
		"a clock that says that it came before it went": {pact.Terms{NoticeMonths: 6}, "2021-02-03 10:00", "2021-08-03", "2021-01-03 10:00", "", ""},
	} {
		p := p
		p.Terms = x.terms
		p.Terms.Start = "signature"
		var l pact.Life
		for _, q := range []act.Party{"KR", "JP", "US"} {
			l = l.Apply(step(act.PactSigned, q, at("2021-01-01 00:00")))
		}
		given, came := at(x.given), at(x.came)
		if got := p.Ends(l, given).Format(time.DateOnly); got != x.ends {
			t.Errorf("%s: it ends the pact on %s, want %s", what, got, x.ends)
		}
		if got := p.Late(l, step(act.PactNotice, "US", given), came); got != (x.later != "") {
			t.Errorf("%s: late %t", what, got)
		}
		l = l.Apply(step(act.PactNotice, "US", given))
		// What a party answers, the others read: each of the three sees it, and the stricter reading stands.
		l = p.Answered(l, pact.Answer{Kind: act.PactNotice, By: "US", At: act.MomentOf(given), Party: "JP", Came: act.MomentOf(came)})
		then := x.ends
		if x.then != "" {
			then = x.then
		}
		now := came
		if now.Before(given) {
			now = given
		}
		for q, want := range map[act.Party]string{"KR": x.ends, "US": x.ends, "JP": then} {
			if got := p.ReadsEnd(l, q, now).Format(time.DateOnly); got != want {
				t.Errorf("%s: %s reads that it ends on %s, want %s", what, q, got, want)
			}
		}
		if p.Disputed(l, now) != (x.then != "") {
			t.Errorf("%s: disputed %t", what, p.Disputed(l, now))
		}
		for _, now := range []time.Time{p.Ends(l, given).Add(-time.Millisecond), p.Ends(l, given)} {
			if got, want := p.Stands(l, now), p.Phase(l, now); got != want || now.Equal(p.Ends(l, given)) && got != pact.Terminated {
				t.Errorf("%s: at %s it stands as %s, by the acts %s", what, now, got, want)
			}
		}
		if open := p.Open(l, now); (x.then != "") != slices.ContainsFunc(open, func(d pact.Due) bool { return len(d.Who) == 3 }) {
			t.Errorf("%s: open is %+v", what, open)
		}
	}
}

// TestVoid: who answers that a notice has no effect reads the pact as if it was
// never given.
func TestVoid(t *testing.T) {
	p, l, at := begun(t)
	given := act.MomentOf(at.AddDate(0, 1, 0))
	l = l.Apply(step(act.PactNotice, "KR", given.Time))
	l = p.Answered(l, pact.Answer{Kind: act.PactNotice, By: "KR", At: given, Party: "JP", Came: given, Void: true})
	l = p.Answered(l, pact.Answer{Kind: act.PactNotice, By: "KR", At: given, Party: "JP", Came: given}) // its first answer stands
	now := at.AddDate(0, 2, 0)
	if p.Reads(l, "JP", now) != pact.Active || p.Reads(l, "KR", now) != pact.NoticeGiven || p.Stands(l, now) != pact.NoticeGiven || !p.Disputed(l, now) || !p.ReadsEnd(l, "JP", now).IsZero() {
		t.Errorf("JP reads it as %s, KR as %s, it stands as %s", p.Reads(l, "JP", now), p.Reads(l, "KR", now), p.Stands(l, now))
	}
}

// TestStoppedLate: a notice that is suspended or withdrawn by a step that comes
// when it has ended the pact stays so for whom the step came to: nothing revives by
// an early date (R55, R58).
func TestStoppedLate(t *testing.T) {
	p, l, at := begun(t)
	l = l.Apply(step(act.PactNotice, "KR", at.AddDate(0, 1, 0)))
	end := p.Ends(l, at.AddDate(0, 1, 0))
	before := end.Add(-time.Hour)
	for what, x := range map[string]struct {
		steps []act.Act // the last comes late, or in time
		came  time.Time
		late  bool
		phase pact.Phase // by the acts
	}{
		"withdrawn, and come before the end": {[]act.Act{step(act.PactNoticeWithdrawn, "KR", before)}, end.Add(-time.Millisecond), false, pact.Active},
		"withdrawn, and come at the end":     {[]act.Act{step(act.PactNoticeWithdrawn, "KR", before)}, end, true, pact.Active},
		"withdrawn, and come a year after":   {[]act.Act{step(act.PactNoticeWithdrawn, "KR", before)}, end.AddDate(1, 0, 0), true, pact.Active},
		"suspended, and come before the end": {[]act.Act{step(act.PactNoticeSuspended, "KR", before)}, end.Add(-time.Millisecond), false, pact.NoticeSuspended},
		"suspended, and come after the end":  {[]act.Act{step(act.PactNoticeSuspended, "KR", before)}, end.Add(time.Hour), true, pact.NoticeSuspended},
		"withdrawn while it was suspended":   {[]act.Act{step(act.PactNoticeSuspended, "KR", before), step(act.PactNoticeWithdrawn, "KR", end.AddDate(1, 0, 0))}, end.AddDate(2, 0, 0), false, pact.Active},
		"withdrawn after the end":            {[]act.Act{step(act.PactNoticeWithdrawn, "KR", end.Add(time.Hour))}, end.AddDate(1, 0, 0), false, pact.Terminated},
		"withdrawn by another":               {[]act.Act{step(act.PactNoticeWithdrawn, "JP", before)}, end.AddDate(1, 0, 0), false, pact.Terminated},
	} {
		l, now := l, x.came.AddDate(1, 0, 0)
		last := x.steps[len(x.steps)-1]
		for _, a := range x.steps[:len(x.steps)-1] {
			l = l.Apply(a)
		}
		if got := p.Late(l, last, x.came); got != x.late {
			t.Errorf("%s: late %t", what, got)
		}
		l = l.Apply(last)
		if got := p.Phase(l, now); got != x.phase {
			t.Errorf("%s: by the acts it is %s, want %s", what, got, x.phase)
		}
		if !x.late {
			continue
		}
		l = p.Answered(l, pact.Answer{Kind: last.Kind, By: last.From, At: last.At, Party: "JP", Came: act.MomentOf(x.came)})
		if kr, jp := p.Reads(l, "KR", now), p.Reads(l, "JP", now); kr != x.phase || jp != pact.Terminated || !p.Disputed(l, now) || p.Stands(l, now) != pact.Terminated {
			t.Errorf("%s: KR reads it as %s, JP as %s, it stands as %s", what, kr, jp, p.Stands(l, now))
		}
	}
}

// TestCourse: the phases that a pact went through, and those that are bound to come.
func TestCourse(t *testing.T) {
	p, _ := shipped(t)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 12, 0, 0, 0, p.Zone) }
	var l pact.Life
	for _, a := range []act.Act{
		step(act.PactProposed, "KR", day(2016, 10, 27)), step(act.PactInitialled, "KR", day(2016, 11, 14)), step(act.PactInitialled, "JP", day(2016, 11, 14)), step(act.PactApproved, "KR", day(2016, 11, 22)),
		step(act.PactSigned, "KR", day(2016, 11, 23)), step(act.PactSigned, "JP", day(2016, 11, 23).Add(time.Minute)), step(act.PactNotified, "KR", day(2016, 11, 23).Add(time.Hour)), step(act.PactNotified, "JP", day(2016, 11, 23).Add(2*time.Hour)),
		step(act.PactNotice, "KR", day(2019, 8, 23)), step(act.PactNoticeSuspended, "KR", day(2019, 11, 22)), step(act.PactNoticeWithdrawn, "KR", day(2023, 3, 21)), step(act.PactNotice, "JP", day(2024, 8, 1)),
	} {
		l = l.Apply(a)
	}
	for _, x := range []struct {
		now  time.Time
		want string
	}{
		{day(2016, 10, 26), ""},
		{day(2016, 11, 1), "proposed"},
		{day(2016, 12, 1), "proposed initialled approved signed notified in-force"},
		{day(2019, 9, 1), "proposed initialled approved signed notified in-force notice-given (terminated)"},
		{day(2020, 1, 1), "proposed initialled approved signed notified in-force notice-given notice-suspended"},
		{day(2023, 4, 1), "proposed initialled approved signed notified in-force notice-given notice-suspended in-force"},
		{day(2025, 1, 1), "proposed initialled approved signed notified in-force notice-given notice-suspended in-force notice-given terminated"},
	} {
		got := ""
		for _, s := range p.Course(l, x.now) {
			if s.Expected {
				got += " (" + string(s.Phase) + ")"
			} else {
				got += " " + string(s.Phase)
			}
		}
		if strings.TrimSpace(got) != x.want {
			t.Errorf("%s: %s, want %s", x.now.Format(time.DateOnly), got, x.want)
		}
	}
	steps := p.Steps(l, day(2025, 1, 1), "ko")
	if !slices.IsSortedFunc(steps, func(a, b pact.Step) int { return a.At.Compare(b.At) }) || len(steps) != 14 {
		t.Errorf("%d steps: %+v", len(steps), steps)
	}
	if s := steps[9]; s.What != "종료 통보: 이에 따르면 협정은 2019-11-23에 종료한다" || s.Who != "KR" {
		t.Errorf("%+v", s)
	}
}
