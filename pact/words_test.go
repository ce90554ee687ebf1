package pact

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestWords: whatever a print says in fixed words is there in each language,
// and nothing else is.
func TestWords(t *testing.T) {
	said := map[string]bool{"courier": true}
	for _, name := range languages {
		said[name] = true
	}
	for _, file := range []string{"show.go", "diff.go", "words.go", "course.go", "life.go", "text.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok { // what is due
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "What" {
					if word, ok := kv.Value.(*ast.BasicLit); ok {
						said[strings.Trim(word.Value, `"`)] = true
					}
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at, before := -1, ""
			switch fun := call.Fun.(type) {
			case *ast.SelectorExpr:
				at, before = map[string]int{"say": 1, "count": 2}[fun.Sel.Name]-1, map[string]string{"count": "%d "}[fun.Sel.Name]
			case *ast.Ident:
				at = map[string]int{"each": 2}[fun.Name] - 1
			}
			if at >= 0 && at < len(call.Args) {
				if word, ok := call.Args[at].(*ast.BasicLit); ok && word.Kind == token.STRING {
					w, err := strconv.Unquote(word.Value)
					if err != nil {
						t.Fatal(err)
					}
					said[before+w] = true
				}
			}
			return true
		})
	}
	if !said["floor"] || !said["subject %s"] || !said["%d year"] || !said["the pact ends"] {
		t.Fatal("the words of the code were not found")
	}
	enums(reflect.TypeFor[source](), "", func(w string) { said[w] = true })
	for _, id := range Templates() {
		text, _ := Template(id)
		p, problems := Parse(text)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, s := range p.Subjects {
			said[s] = true
		}
	}
	for _, c := range clauses {
		said[sentences[c]] = true
	}
	for _, f := range phases {
		said[f] = true
	}
	for deed, all := range duties {
		said[deed] = true
		for _, d := range all {
			said[d] = true
		}
	}
	verb := regexp.MustCompile(`%(\[\d\])?[sd]`)
	for w := range said {
		for i, in := range words[w] {
			if in == "" {
				t.Errorf("%q has no word in %s", w, []string{"ko", "ja"}[i])
			}
			if len(verb.FindAllString(in, -1)) != len(verb.FindAllString(w, -1)) || strings.Contains(verb.ReplaceAllString(in, ""), "%") {
				t.Errorf("%q has other holes than %q", in, w)
			}
		}
	}
	for w := range words {
		if !said[w] {
			t.Errorf("%q is said nowhere", w)
		}
	}
}

// enums visits the words that a text chooses from.
func enums(t reflect.Type, tag reflect.StructTag, visit func(string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		enums(t.Elem(), tag, visit)
	case reflect.Struct:
		for i := range t.NumField() {
			enums(t.Field(i).Type, t.Field(i).Tag, visit)
		}
	default:
		for _, w := range strings.Split(tag.Get("enum"), "|") {
			if w != "" && w != "recalled" { // it is told in other words
				visit(w)
			}
		}
	}
}

// TestWording: what an article says and records is plain, or given for each
// language; what is missing stands in English, and is said once.
func TestWording(t *testing.T) {
	b, _ := Template("eu-uk-2021")
	const plain, each = "    record: the report and the measures\n", "    record: {en: the report and the measures, ko: 보고 및 조치, ja: 報告及び措置}\n"
	read := func(record string) (*Pact, []Problem) {
		if !strings.Contains(string(b), each) {
			t.Fatal("nothing to change")
		}
		return Parse([]byte(strings.Replace(string(b), each, record, 1)))
	}
	p, _ := read(plain)
	q, problems := read(each)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for lang, want := range map[string]string{"en": "the report and", "ko": "보고 및 조치]", "ja": "報告及び措置]"} {
		if !strings.Contains(q.Show(lang), want) {
			t.Errorf("%s: no %q", lang, want)
		}
		if lang != "en" && (!strings.Contains(p.Show(lang), "the report and the measures]") || strings.Contains(q.Show(lang), "the report and the measures")) {
			t.Errorf("%s: another wording", lang)
		}
		head := map[string]string{"ko": "[다음 중 국문이 없는 부분은 영문으로 표시한다: 제9조.]\n", "ja": "[次のうち日本語文のない部分は英文で示す: 第9条。]\n"}[lang]
		if !strings.Contains(p.Show(lang), head) || lang == "en" && strings.Contains(p.Show(lang), "stands in English") {
			t.Errorf("%s: it does not say that Article 9 stands in English alone", lang)
		}
	}
	if d := Diff(p, q); len(d) != 2 || !strings.HasSuffix(d[0].Key, "record, in Korean") {
		t.Errorf("what another wording changes: %v", d)
	}
	for record, want := range map[string]string{
		"    record: {ko: 보고}\n":            "the wording in English",
		"    record: {en: a, fr: b}\n":      "is not known",
		"    record: [a]\n":                 "as keys with values",
		"    record: {en: a, ko: [b]}\n":    "is text",
		"    record: {en: a, ja: {b: c}}\n": "is text",
	} {
		if _, problems := read(record); len(problems) != 1 || !strings.Contains(problems[0].Text, want) {
			t.Errorf("%q: %v", record, problems)
		}
	}
}

// TestEnglishParts: a print names each part that holds English for want of another.
func TestEnglishParts(t *testing.T) {
	b, _ := Template("kr-jp-2016")
	text := string(b)
	for _, x := range []struct{ old, now string }{
		{"  ja: 秘密軍事情報の保護に関する日本国政府と大韓民国政府との間の協定\n", ""},
		{", ja: 日本国}", "}"},
		{", ja: ミサイル警報}", "}"},
		{`, ja: "目的"}`, "}"},
		{`, ja: "紛争の解決"}`, "}"},
	} {
		if strings.Count(text, x.old) != 1 {
			t.Fatalf("%q does not stand there once", x.old)
		}
		text = strings.Replace(text, x.old, x.now, 1)
	}
	p, problems := Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if want := ": 題名、当事者、条件、第1条、第20条。]\n"; !strings.Contains(p.Show("ja"), want) {
		t.Errorf("no %q in %q", want, p.Show("ja")[:400])
	}
	for _, lang := range []string{"en", "ko"} {
		if strings.Contains(p.Show(lang), (&tongue{lang: lang}).say("Article %d", 20)+".]") {
			t.Errorf("%s: nothing is missing", lang)
		}
	}
}

// TestColumn: what follows a column stands in one line, whatever the script.
func TestColumn(t *testing.T) {
	for s, want := range map[string]int{"SECRET": 4, "군사": 6, "第三国": 4, "핵·위협": 3, "TLP…": 6, "a phrase that is longer": 0} {
		if got := len(column(s, 10)) - len(s); got != want {
			t.Errorf("%q has %d spaces after it, not %d", s, got, want)
		}
	}
}
