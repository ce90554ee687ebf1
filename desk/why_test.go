package desk

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParseWhen: a moment or an entry is read, or refused as what was not understood; a
// question is about one thing, whatever it is called.
func FuzzParseWhen(f *testing.F) {
	for _, s := range []string{"", "57", "-1", "99999999999999999999", "2016-12-16T09:00:00+09:00", "2016-12-16T00:00:00.000Z", "yesterday", "KR-2026-MYHT-301M", "kr-jp-2016", strings.Repeat("5d", 32), strings.Repeat("7", 64), "\x00", "발효"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := ParseWhen(s)
		var p *Problem
		if err != nil && (!errors.As(err, &p) || p.Kind != "invalid") {
			t.Errorf("%q: %v", s, err)
		}
		if err == nil && w.IsZero() != (s == "") && !w.Moment.IsZero() {
			t.Errorf("%q is read as %+v", s, w)
		}
		a := AskAbout(s)
		about := 0
		for _, is := range []bool{a.Number != "", a.Pact != "", a.Entry != nil, a.Act != nil} {
			if is {
				about++
			}
		}
		if s != "" && about != 1 {
			t.Errorf("a question about %q is about %d things", s, about)
		}
	})
}

// TestWordsOfDesk: every word of the pages is there in each language, with the same holes.
func TestWordsOfDesk(t *testing.T) {
	holes := func(s string) int { return strings.Count(s, "%") }
	for _, all := range []map[string][3]string{words, terms} {
		for key, in := range all {
			for i, w := range in {
				if w == "" || holes(w) != holes(in[0]) {
					t.Errorf("%s in %s: %q, in English %q", key, languages[i], w, in[0])
				}
			}
		}
	}
}
