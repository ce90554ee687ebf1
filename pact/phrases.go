package pact

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Phrases tell sentences that were put together in English, and stand so in signed
// acts, in Korean and Japanese. What differs from case to case is a hole, %s or %d.
type Phrases struct {
	whole map[string][2]string
	holed []phrase // those with the most fixed words first
}

type phrase struct {
	english *regexp.Regexp
	fixed   int
	in      [2]string
}

// maxPhrase bounds a sentence that is told in another language: it may be a partner's.
const maxPhrase = 2000

var verbs = regexp.MustCompile(`%(\[\d\])?[sd]`)

// NewPhrases reads sentences in English, with Korean and Japanese beside them.
func NewPhrases(words map[string][2]string) *Phrases {
	w := &Phrases{whole: words}
	for s, in := range words {
		if !verbs.MatchString(s) {
			continue
		}
		re, at := "^", 0
		for _, v := range verbs.FindAllStringIndex(s, -1) {
			hole := "(.+?)"
			if s[v[1]-1] == 'd' {
				hole = `(\d+)`
			}
			re, at = re+regexp.QuoteMeta(s[at:v[0]])+hole, v[1]
		}
		re += regexp.QuoteMeta(s[at:])
		if strings.HasPrefix(s, "%d ") {
			re += "s?" // a count is told in the plural
		}
		for i := range in {
			in[i] = verbs.ReplaceAllStringFunc(in[i], func(v string) string { return v[:len(v)-1] + "s" })
		}
		w.holed = append(w.holed, phrase{regexp.MustCompile(re + "$"), len(verbs.ReplaceAllString(s, "")), in})
	}
	slices.SortFunc(w.holed, func(a, b phrase) int {
		return cmp.Or(cmp.Compare(b.fixed, a.fixed), cmp.Compare(a.english.String(), b.english.String()))
	})
	return w
}

// In tells a sentence in Korean ("ko") or Japanese ("ja"), and what is in its
// holes, or each of a list in one, as hole tells it. ok is false where the sentence is not known.
func (w *Phrases) In(lang, sentence string, hole func(string) string) (told string, ok bool) {
	at := slices.Index([]string{"ko", "ja"}, lang)
	if at < 0 || len(sentence) > maxPhrase {
		return sentence, false
	}
	if in, ok := w.whole[sentence]; ok {
		return in[at], true
	}
	for _, p := range w.holed {
		m := p.english.FindStringSubmatch(sentence)
		if m == nil {
			continue
		}
		var holes []any
		for _, h := range m[1:] {
			in := hole(h)
			if all := strings.Split(h, ", "); in == h && len(all) > 1 { // a list
				for i := range all {
					all[i] = hole(all[i])
				}
				in = strings.Join(all, (&tongue{lang: lang}).say(", "))
			}
			holes = append(holes, in)
		}
		return fmt.Sprintf(p.in[at], holes...), true
	}
	return sentence, false
}

var own = sync.OnceValue(func() *Phrases { return NewPhrases(words) })

// Say tells a word or sentence of pacts in a language: a phase, a duty, a clause, a
// subject. What is not known stands as it is.
func Say(lang, s string) string {
	if f, is := phases[Phase(s)]; is {
		if s = f; lang == "en" {
			return f
		}
	}
	if told, ok := own().In(lang, s, func(h string) string { return Say(lang, h) }); ok {
		return told
	}
	return s
}

// Style fits a sentence to the pact: who is party to one that is no treaty is no
// contracting state (締約国).
func (p *Pact) Style(s string) string {
	if p == nil || p.Binding == "treaty" {
		return s
	}
	return strings.ReplaceAll(s, "締約国", "当事者")
}
