package pact

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// writings are the letters that a value is written in, by the tag of its field.
// Whoever reads a name must know who is meant, so that only letters are let in of
// which this program knows the look-alikes: those that the languages of a text need.
var writings = map[string]struct {
	scripts []string
	cure    string
}{
	"":     {nil, "write what machines compare in letters, digits and signs of ASCII"},
	"en":   {[]string{"Latin"}, "write this in Latin letters"},
	"ko":   {[]string{"Hangul", "Han", "Latin"}, "write Korean in Hangul, Hanja or Latin letters"},
	"ja":   {[]string{"Han", "Hiragana", "Katakana", "Latin"}, "write Japanese in Kanji, Kana or Latin letters"},
	"mark": {[]string{"Latin", "Greek", "Cyrillic", "Hangul", "Han", "Hiragana", "Katakana"}, "write a mark in Latin, Greek, Cyrillic, Hangul, Han or Kana letters"},
}

// signs may stand in a name besides those of ASCII.
const signs = "·・、。（）「」『』–—‘’“”"

// latin are the letters that no accent makes of those of ASCII.
const latin = "ÆæŒœØøĐđÐðŁłĦħÞþßŊŋı"

// foreign says which character of a value does not belong to its writing, and what
// to do. Empty: none.
func foreign(s, writing string) string {
	w, ok := writings[writing]
	if !ok {
		return mixed(s)
	}
	for _, c := range s {
		if c >= ' ' && c <= '~' || w.scripts != nil && (strings.ContainsRune(signs, c) || slices.Contains(w.scripts, written(c))) {
			continue
		}
		why := "may be taken for another character"
		if p, _ := bidi.LookupRune(c); p.Class() == bidi.R || p.Class() == bidi.AL {
			why = "runs from right to left"
		}
		text := fmt.Sprintf("%U (%s) %s: %s", c, script(c), why, w.cure)
		if plain := norm.NFKC.String(string(c)); plain != string(c) && foreign(plain, writing) == "" {
			text += fmt.Sprintf(", such as %q", plain)
		}
		return text
	}
	if w.scripts != nil && s != "" && !strings.ContainsFunc(s, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
		return "a name or a mark has letters or digits"
	}
	return mixed(s)
}

// written returns the script of a letter that may be written, and else nothing: what
// is kept for the sake of other standards, for phonetics or for rare books is not.
func written(c rune) string {
	base := []rune(norm.NFD.String(string(c)))[0]
	switch {
	case base >= 'A' && base <= 'Z' || base >= 'a' && base <= 'z' || strings.ContainsRune(latin, base):
		return "Latin"
	case c >= 0xac00 && c <= 0xd7a3:
		return "Hangul"
	case c >= 0x4e00 && c <= 0x9fff && unicode.Is(unicode.Unified_Ideograph, c) || c == '々':
		return "Han"
	case c >= 0x3041 && c <= 0x3096:
		return "Hiragana"
	case c >= 0x30a1 && c <= 0x30fa || c == 'ー':
		return "Katakana"
	case base >= 0x391 && base <= 0x3c9:
		return "Greek"
	case c >= 0x400 && c <= 0x45f || c == 'Ґ' || c == 'ґ':
		return "Cyrillic"
	}
	return ""
}

func script(c rune) string {
	for name, t := range unicode.Scripts {
		if unicode.Is(t, c) {
			return name
		}
	}
	return "no script"
}

// mixed tells of a word that has letters of more than one of the scripts whose
// letters look alike.
func mixed(s string) string {
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return !unicode.IsLetter(c) }) {
		scripts := 0
		for _, t := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic} {
			if strings.ContainsFunc(word, func(c rune) bool { return unicode.Is(t, c) }) {
				scripts++
			}
		}
		if scripts > 1 {
			return "a word of this text mixes Latin, Greek or Cyrillic letters, which look alike"
		}
	}
	return ""
}

// alike maps the letters that may be written to one that they look like, without
// accents. The pairs are those of Unicode's confusables (UTS #39), and some more:
// only the names of one text are compared, so that to be too careful costs little.
// capitals are those whose small letters look like something else.
var (
	capitals = strings.NewReplacer("Γ", "r", "Ν", "n", "Η", "h", "Μ", "m", "Υ", "y", "Λ", "л", "Ь", "b")
	alike    = strings.NewReplacer("i", "l", "ı", "l", "1", "l", "|", "l", "!", "l", "0", "o", "5", "s", "6", "б", "3", "з", "rn", "m", "vv", "w",
		"æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "ħ", "h", "þ", "p", "ß", "b", "ŋ", "n",
		"а", "a", "в", "b", "ь", "b", "с", "c", "е", "e", "є", "e", "н", "h", "ћ", "h", "ђ", "h", "і", "l", "ј", "j", "к", "k", "м", "m", "о", "o", "р", "p", "г", "r", "ы", "bl", "ю", "lo", "ѕ", "s", "т", "t", "у", "y", "х", "x",
		"α", "a", "β", "b", "γ", "y", "ε", "e", "ζ", "z", "η", "n", "θ", "o", "ι", "l", "κ", "k", "λ", "л", "μ", "u", "ν", "v", "ο", "o", "π", "п", "ρ", "p", "σ", "o", "ς", "c", "τ", "t", "υ", "u", "φ", "ф", "χ", "x",
		"—", "一", "–", "一", "ー", "一", "ニ", "二", "ロ", "口", "囗", "口", "カ", "力", "エ", "工", "ト", "卜", "ハ", "八", "タ", "夕", "へ", "ヘ", "イ", "亻", "ノ", "丿", "ソ", "ン", "シ", "ツ", "メ", "乂", "チ", "千", "ミ", "三", "ム", "厶", "オ", "才",
		"曰", "日", "士", "土", "末", "未", "入", "人", "已", "己", "巳", "己", "戌", "戊", "戍", "戊", "于", "干", "夭", "天", "壬", "王", "巿", "市", "國", "国", "囯", "国",
		"倂", "併", "值", "値", "啟", "啓", "填", "塡", "壿", "墫", "嬀", "媯", "帲", "帡", "戸", "戶", "晩", "晚", "肦", "朌", "胐", "朏", "胊", "朐", "脁", "朓", "脧", "朘", "膧", "朣", "柿", "杮", "樧", "榝", "潙", "溈", "硏", "研", "絶", "絕",
		"腁", "胼", "蔿", "蒍", "虁", "蘷", "詽", "訮", "讏", "讆", "豣", "豜", "趆", "赿", "跺", "跥", "躛", "躗", "輧", "軿", "郞", "郎", "鎮", "鎭", "隸", "隷", "鹃", "鹂", "黒", "黑")
)

// code maps the characters of a party's id to those that they look like.
var code = strings.NewReplacer("1", "I", "0", "O")

// seen is a name as the eye takes it, without accents, signs and spaces: two that are
// seen alike are refused.
func seen(name string) string {
	letters := strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Mn, c) {
			return -1
		}
		return c
	}, norm.NFKD.String(name))
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return c
		}
		return -1
	}, alike.Replace(strings.ToLower(capitals.Replace(letters))))
}
