package pact

import (
	"fmt"
	"strings"
	"testing"
)

// TestLetters: a name is written in the letters of its language, a mark in those
// whose look-alikes are known, and what machines compare in ASCII; else the
// character, its script and the cure are told.
func TestLetters(t *testing.T) {
	b, _ := Template("kr-jp-2016")
	text := string(b)
	const name, ko, ja = "en: Japan,", "ko: 일본국,", "ja: 日本国}\n    authority"
	for _, x := range []struct{ old, now, want string }{
		{name, "en: ꓙꓮꓑꓮꓠ,", "20:16: U+A4D9 (Lisu) may be taken for another character: write this in Latin letters"},
		{name, "en: ᎫᎪᏢᎪᏁ,", "20:16: U+13AB (Cherokee) may be taken for another character: write this in Latin letters"},
		{name, "en: Ձապոն,", "20:16: U+0541 (Armenian) may be taken"},
		{name, "en: ⲒⲀⲢⲀⲚ,", "20:16: U+2C92 (Coptic) may be taken"},
		{name, "en: Jɑpɑn,", "20:16: U+0251 (Latin) may be taken for another character: write this in Latin letters"},
		{name, "en: ᴊᴀᴘᴀɴ,", "20:16: U+1D0A (Latin) may be taken"},
		{name, "en: Ｊapan,", `20:16: U+FF2A (Latin) may be taken for another character: write this in Latin letters, such as "J"`},
		{name, "en: 𝐉apan,", `20:16: U+1D409 (Common) may be taken for another character: write this in Latin letters, such as "J"`},
		{name, "en: Јapan,", "20:16: U+0408 (Cyrillic) may be taken"},
		{name, "en: Ιapan,", "20:16: U+0399 (Greek) may be taken"},
		{name, "en: יפן,", "20:16: U+05D9 (Hebrew) runs from right to left: write this in Latin letters"},
		{name, "en: اليابان,", "20:16: U+0627 (Arabic) runs from right to left: write this in Latin letters"},
		{name, "en: Japan٣,", "20:16: U+0663 (Arabic) may be taken"},
		{name, "en: Japan○,", "20:16: U+25CB (Common) may be taken"},
		{name, "en: 日本,", "20:16: U+65E5 (Han) may be taken"},
		{name, "en: Jap̈an,", "20:16: U+0308 (Inherited) may be taken"},
		{name, `en: "??",`, "20:16: a name or a mark has letters or digits"},
		{ko, "ko: ㅇㅣㄹ본국,", "U+3147 (Hangul) may be taken for another character: write Korean in Hangul, Hanja or Latin letters"},
		{ko, "ko: にほん,", "U+306B (Hiragana) may be taken"},
		{ja, "ja: ⽇本国}\n    authority", `U+2F47 (Han) may be taken for another character: write Japanese in Kanji, Kana or Latin letters, such as "日"`},
		{ja, "ja: ⺼本国}\n    authority", "U+2EBC (Han) may be taken"},
		{ja, "ja: 𠮷国}\n    authority", "U+20BB7 (Han) may be taken"},
		{ja, "ja: 〇国}\n    authority", "U+3007 (Han) may be taken"},
		{ja, "ja: ﾆﾎﾝ}\n    authority", `U+FF86 (Katakana) may be taken for another character: write Japanese in Kanji, Kana or Latin letters, such as "ニ"`},
		{ja, "ja: 一룡}\n    authority", "U+B8E1 (Hangul) may be taken"},
		{"authority: {en: Ministry of Defense,", "authority: {en: Ministry of Defen\u017fe,", `U+017F (Latin) may be taken for another character: write this in Latin letters, such as "s"`},
		{`title: {en: "Purpose",`, `title: {en: "Ꮲurpose",`, "U+13E2 (Cherokee) may be taken"},
		{"name: {en: missile warning,", "name: {en: мissile warning,", "U+043C (Cyrillic) may be taken"},
		{"- id: JP", "- id: ЈР", "a party's name is capital letters"},
		{"term: SECRET, party: KR", "term: SEСRET, party: KR", "U+0421 (Cyrillic) may be taken for another character: write what machines compare in letters, digits and signs of ASCII"},
		{"[nuclear-test, ", "[nuclеar-test, ", "U+0435 (Cyrillic) may be taken for another character: write what machines compare"},
		{"mark: 極秘,", "mark: סודי,", "U+05E1 (Hebrew) runs from right to left: write a mark in Latin, Greek, Cyrillic, Hangul, Han or Kana letters"},
		{"mark: 군사II급비밀", "mark: 군사Ⅱ급비밀", `U+2161 (Latin) may be taken for another character: write a mark in Latin, Greek, Cyrillic, Hangul, Han or Kana letters, such as "II"`},
		{"mark: 極秘,", "mark: SЕCRET,", "mixes Latin, Greek or Cyrillic"},
		{"roman: Hi,", "roman: Hі,", "U+0456 (Cyrillic) may be taken"},
	} {
		if strings.Count(text, x.old) < 1 {
			t.Fatalf("%q: nothing to spoil", x.old)
		}
		_, problems := Parse([]byte(strings.Replace(text, x.old, x.now, 1)))
		found := false
		for _, p := range problems {
			found = found || strings.Contains(p.String(), x.want)
		}
		if !found {
			t.Errorf("%q: %v, not %q", x.now, problems, x.want)
		}
	}
	for _, x := range []struct{ old, now string }{
		{name, "en: République d’Étrurie – Łódź & Þórshöfn (Việt Đà),"},
		{ko, "ko: 일본국(日本國) ‘A’·1급,"},
		{ja, "ja: 日本国「ニホン・ジャパーン」、佐々木 Ltd.}\n    authority"},
		{"mark: 極秘,", "mark: СОВЕРШЕННО СЕКРЕТНО,"},
		{"mark: 極秘,", "mark: ΑΚΡΩΣ ΑΠΌΡΡΗΤΟ,"},
		{"Each party bears", "Each party (שלום) bears"}, // the wording of an article is no name
	} {
		if _, problems := Parse([]byte(strings.Replace(text, x.old, x.now, 1))); len(problems) > 0 || !strings.Contains(text, x.old) {
			t.Errorf("%q: %v", x.now, problems)
		}
	}
}

// TestAlike: names that the eye takes for one another may not both be in a text.
func TestAlike(t *testing.T) {
	for _, x := range [][2]string{{"Japan", "JAPAN"}, {"Japan", "Ja pan"}, {"Japan", "Jápạn"}, {"Italy", "ltaly"}, {"Italy", "1taly"}, {"Oman", "0man"}, {"Bern", "Bem"}, {"Wales", "VVales"}, {"Łódź", "Lodz"},
		{"日本国", "曰本国"}, {"日本国", "日本國"}, {"土国", "士国"}, {"一国", "ー国"}, {"ロシア", "口シア"}, {"へいわ", "ヘいわ"}, {"研究", "硏究"}, {"СЕКРЕТ", "CEKPET"}, {"ΝΗΜΑ", "NHMA"}, {"ΓΑΒ", "ГАВ"}, {"Ю", "IO"}, {"Ы", "ЬІ"}} {
		if seen(x[0]) != seen(x[1]) {
			t.Errorf("%q is seen as %q, and %q as %q", x[0], seen(x[0]), x[1], seen(x[1]))
		}
	}
	for _, x := range [][2]string{{"Japan", "Korea"}, {"대한민국", "일본국"}, {"日本国", "大韓民国"}, {"군사II급비밀", "군사III급비밀"}, {"極秘", "秘"}} {
		if seen(x[0]) == seen(x[1]) {
			t.Errorf("%q and %q are both seen as %q", x[0], x[1], seen(x[0]))
		}
	}
	b, _ := Template("kr-jp-2016")
	for _, x := range [][2]string{ // two parties, and two purposes
		{"{en: Japan, ko: 일본국, ja: 日本国}", "{en: Répubiic of Korea}"},
		{"{en: Japan, ko: 일본국, ja: 日本国}", "{en: Nippon, ja: 大韓民國}"},
		{"name: {en: missile warning, ko: 미사일 경보, ja: ミサイル警報}", "name: {en: Defence Plannlng}"},
	} {
		_, problems := Parse([]byte(strings.Replace(string(b), x[0], x[1], 1)))
		if len(problems) != 1 || !strings.Contains(problems[0].Text, "look alike") {
			t.Errorf("%s: %v", x[1], problems)
		}
	}
	ids := strings.NewReplacer("id: KR", "id: K1", "party: KR", "party: K1", "id: JP", "id: KI", "party: JP", "party: KI").Replace(string(b))
	if _, problems := Parse([]byte(ids)); len(problems) != 1 || !strings.HasSuffix(problems[0].Text, `"K1" and "KI" look alike: I and 1, O and 0`) {
		t.Errorf("%v", problems)
	}
}

// TestSyntax: what is no YAML is told in its place and in words, all at once, and the
// rest of the text is checked.
func TestSyntax(t *testing.T) {
	b, _ := Template("kr-jp-2016")
	text := string(b)
	for _, x := range []struct {
		change []string
		want   []string
	}{
		{[]string{"binding: treaty", "binding: treaty: yes"}, []string{"12:16: a value that holds a colon stands in quotation marks"}},
		{[]string{"binding: treaty", "binding treaty"}, []string{"12:1: this is no key with its value: after the key stand a colon and a space"}},
		{[]string{"binding: treaty", "binding: @treaty"}, []string{"12:10: a value cannot begin so: put it in quotation marks"}},
		{[]string{"binding: treaty", "binding: 'it's'"}, []string{`12:14: text goes on after a closing quotation mark: in "…" a quotation mark is written \", in '…' it is doubled`}},
		{[]string{"binding: treaty", `binding: "tr\eaty\q"`}, []string{`12:18: in "…" a backslash is doubled, and a quotation mark is written \"`}},
		{[]string{"binding: treaty", "binding: &a treaty", "topology: direct", "topology: *a"}, []string{"12:10: anchors and aliases are not allowed", "13:11: anchors and aliases are not allowed"}},
		{[]string{"binding: treaty", "binding: *b"}, []string{"12:10: anchors and aliases are not allowed"}},
		{[]string{"binding: treaty", "\tbinding: treaty"}, []string{"12:1: a tab stands here: lines are indented by spaces alone"}},
		{[]string{"topology: direct", "\ttopology: direct", "number: 3\n", "number 3\n"}, []string{"13:1: a tab stands here: lines are indented by spaces alone", "97:5: this is no key with its value: after the key stand a colon and a space"}},
		{[]string{"    authority: {en: Ministry of National", "\tauthority: {en: Ministry of National"}, []string{"18:1: a tab stands here: lines are indented by spaces alone"}},
		{[]string{"    authority: {en: Ministry of National", "   authority: {en: Ministry of National"}, []string{"18:4: this line is indented as none above it that it could follow, or a quotation mark or bracket above it is not closed"}},
		{[]string{"costs: own", " costs: own"}, []string{"60:7: this line is indented further than what it follows, or the line above lacks its colon"}},
		{[]string{"ko: 국방부, ja: 国防部}", "ko: 국방부, ja: 国防部"}, []string{"18:16: the bracket that opens here is not closed"}},
		{[]string{"ko: 국방부, ja: 国防部}", "ko: 국방부 ja: 国防部}"}, []string{"18:61: here a comma or the closing bracket is missing; a value that holds a comma, a colon, a bracket or a quotation mark stands in quotation marks"}},
		{[]string{`title: {en: "Costs"`, `title: {en: "Costs`, "binding: treaty", `binding: "treaty`}, []string{"12:10: the quotation mark that opens here is not closed",
			"331:30: here a comma or the closing bracket is missing; a value that holds a comma, a colon, a bracket or a quotation mark stands in quotation marks"}},
		// Each broken place is told, and what is wrong besides; nothing that is broken is told as missing.
		{[]string{"binding: treaty", "binding: %treaty", "zone: \"+09:00\"", "zone: [", "ceiling: SECRET\n", "ceiling: SECRT\n", "number: 3\n", "number 3\n", "number: 7\n", "number: 8\n"},
			[]string{"12:10: a value cannot begin so: put it in quotation marks", "14:8: a bracket is not closed before this", `31:10: "SECRT" is no term of the table of markings`,
				"97:5: this is no key with its value: after the key stand a colon and a space", "158:13: articles are numbered in order: this is number 7"}},
		{[]string{"binding: treaty", "binding: treaty\nbinding: treaty\ncolour: red"}, []string{`13:1: "binding" is already defined in line 12`, `14:1: "colour" is not known in the text`}},
		{[]string{"articles:\n", "---\narticles:\n"}, []string{"70:1: the text holds more than one document: it is one, without a line ---"}},
	} {
		spoilt := text
		for i := 0; i < len(x.change); i += 2 {
			if !strings.Contains(spoilt, x.change[i]) {
				t.Fatalf("%q: nothing to spoil", x.change[i])
			}
			spoilt = strings.Replace(spoilt, x.change[i], x.change[i+1], 1)
		}
		_, problems := Parse([]byte(spoilt))
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", x.want) {
			t.Errorf("%q: got\n%s\nwant\n%s", x.change, strings.Join(got, "\n"), strings.Join(x.want, "\n"))
		}
	}
}
