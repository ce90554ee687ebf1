package ruling_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/pact"
	"entente/ruling"
)

// sentences collects every sentence that a refusal, its cure or a duty can be, from
// the code that says it. What is put in from case to case is a hole.
type sentences struct {
	t     *testing.T
	said  map[string]bool
	funcs map[string]*ast.FuncDecl
}

// tell adds what an expression says.
func (s *sentences) tell(e ast.Expr) {
	for _, w := range s.read(e) {
		if strings.Trim(w, "%s ") != "" {
			s.said[w] = true
		}
	}
}

// read returns the sentences that an expression can be.
func (s *sentences) read(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return []string{"%s"} // no words
		}
		w, err := strconv.Unquote(e.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		return []string{w}
	case *ast.BinaryExpr:
		var all []string
		for _, a := range s.read(e.X) {
			for _, b := range s.read(e.Y) {
				all = append(all, a+b)
			}
		}
		return all
	case *ast.CallExpr:
		switch name(e.Fun) {
		case "Sprintf":
			return []string{regexp.MustCompile(`%[a-z]`).ReplaceAllString(s.read(e.Args[0])[0], "%s")}
		case "Or":
			var all []string
			for _, x := range e.Args {
				all = append(all, s.read(x)...)
			}
			return all
		case "cureOf", "plain": // one of several sentences
			s.returns(name(e.Fun))
		}
	}
	return []string{"%s"}
}

func (s *sentences) returns(name string) {
	ast.Inspect(s.funcs[name], func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			s.tell(r.Results[0])
		}
		return true
	})
}

func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// spoken reads the sentences of every package that refuses.
func spoken(t *testing.T) map[string]bool {
	s := &sentences{t, map[string]bool{}, map[string]*ast.FuncDecl{}}
	var files []*ast.File
	for _, dir := range []string{"ruling", "house", "catalogue", "chancery", "intake", "release", "reading"} {
		all, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(all) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range all {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok {
					s.funcs[d.Name.Name] = d
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				switch fun := name(n.Fun); {
				case fun == "shut":
					s.tell(n.Args[1])
					text := n.Args[2]
					for _, more := range n.Args[3:] {
						text = &ast.BinaryExpr{X: text, Op: token.ADD, Y: more}
					}
					s.tell(text)
				case fun == "cleared" && len(n.Args) == 6:
					s.tell(n.Args[4])
					s.tell(n.Args[5])
				case fun == "gate" || fun == "because":
					s.tell(n.Args[1])
					s.tell(n.Args[2])
					if fun == "because" {
						s.tell(n.Args[0])
					}
				case fun == "refuse" && len(n.Args) == 3 && name(n.Args[2]) == "": // a house rule that errs
					s.tell(n.Args[1].(*ast.CallExpr).Args[0])
					s.tell(n.Args[2])
				case fun == "append" && len(n.Args) == 2 && strings.HasPrefix(s.read(n.Args[1])[0], "review"): // a duty with a date
					s.tell(n.Args[1])
				}
			case *ast.CompositeLit:
				if name(n.Type) != "Reason" {
					if a, ok := n.Type.(*ast.ArrayType); !ok || name(a.Elt) != "Reason" {
						return true
					}
					for _, e := range n.Elts { // the type of each is left out
						if c, ok := e.(*ast.CompositeLit); ok && c.Type == nil {
							s.reason(c)
						}
					}
					return true
				}
				s.reason(n)
			case *ast.AssignStmt: // what is put together before it is said
				if n.Tok == token.ADD_ASSIGN && name(n.Lhs[0]) == "Text" { // what is said further
					s.tell(&ast.BinaryExpr{X: n.Lhs[0], Op: token.ADD, Y: n.Rhs[0]})
				}
				for i, l := range n.Lhs {
					if x := name(l); i < len(n.Rhs) && (x == "text" || x == "why" || x == "article" || x == "cure") {
						if _, fixed := n.Rhs[i].(*ast.SelectorExpr); !fixed {
							s.tell(n.Rhs[i])
						}
					}
				}
			}
			return true
		})
	}
	for _, f := range []string{"DurationArticle", "lapsed"} {
		s.returns(f)
	}
	return s.said
}

func (s *sentences) reason(c *ast.CompositeLit) {
	for _, e := range c.Elts {
		s.tell(e.(*ast.KeyValueExpr).Value)
	}
}

// TestWords: every sentence that a refusal, a cure or a duty can be is told in
// Korean and Japanese, with the same holes; nothing else is.
func TestWords(t *testing.T) {
	said := spoken(t)
	for _, known := range []string{"the subject is outside the pact", "choose one of: %s", "it holds information of %s, whose mark only it lowers", "review the need by %s", "upgrade the node", "the rule could not be evaluated"} {
		if !said[known] {
			t.Fatalf("%q was not found in the code", known)
		}
	}
	verb := regexp.MustCompile(`%(\[\d\])?s`)
	for w := range said {
		if w == "Article %s" {
			w = "Article 7" // pacts say it with a number
		}
		in, ours := ruling.Words[w]
		for i, lang := range []string{"ko", "ja"} {
			if !ours {
				in[i] = pact.Say(lang, w)
			}
			if in[i] == "" || in[i] == w {
				t.Errorf("%q is not told in %s: add it to ruling/words.go", w, lang)
			}
			if len(verb.FindAllString(in[i], -1)) != len(verb.FindAllString(w, -1)) {
				t.Errorf("%q has other holes than %q", in[i], w)
			}
			if told := ruling.Say(lang, w); told != in[i] && !strings.Contains(in[i], "%[") {
				t.Errorf("%q is told as %q, not as %q", w, told, in[i])
			}
		}
	}
	for w := range ruling.Words {
		if !said[w] && w != "translate" && w != "extract" { // deeds, which stand in holes
			t.Errorf("%q is said nowhere", w)
		}
	}
}

var cjk = regexp.MustCompile(`[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]`)

// english finds a word of English that nobody typed: a command, an office's name and
// a word of the drawn cases stand as they are.
var english = regexp.MustCompile(`[a-z]{3,}`)

// TestTold: what drawn rulings say is told in Korean and Japanese, down to what
// stands in the holes.
func TestTold(t *testing.T) {
	w := newWorld(2)
	asIs := []string{"entente", "pact", "sign", "release", "read", "person", "list", "status", "notify", "review", "approve", "accredit", "assure", "visit", "pigeon", "copy", "electronic", "courier", "hub", "pass", "translate", "extract", "downgrade", "destroy", "with", "pacts", "show", "unheard", "eat", "sing", "unknown", "act", "eyes", "only", "identity", "add", "leave"}
	told := map[string]bool{}
	tell := func(kind, s string) {
		t.Helper()
		for _, lang := range []string{"ko", "ja"} {
			got := ruling.Say(lang, s)
			if s == "" || told[lang+s] {
				continue
			}
			told[lang+s] = true
			if !cjk.MatchString(got) {
				t.Errorf("the %s %q is told in %s as %q", kind, s, lang, got)
			}
			for _, word := range english.FindAllString(got, -1) {
				if named := strings.HasPrefix(s, "it widens ") || strings.HasPrefix(s, "it implements "); !named && !slices.Contains(asIs, word) { // a pact's name, and a term as 'pact diff' tells it
					t.Errorf("the %s %q is told in %s as %q", kind, s, lang, got)
				}
			}
		}
		if got := ruling.Say("en", s); got != s && s != "in-force" {
			t.Errorf("the %s %q is told in English as %q", kind, s, got)
		}
	}
	for range 400 {
		x := w.text()
		l, _ := w.life(x)
		for _, r := range []ruling.Ruling{ruling.Release(w.release(x, l)), ruling.Accept(w.accept(x, l)), ruling.Read(w.reading(x, l)), ruling.Visit(w.visit(x, l)), ruling.Release(&ruling.ReleaseFacts{}),
			ruling.Do(w.deed(x, l, oneOf(w, "pass-on", "copy", "translate", "extract", "show", "review", "downgrade", "destroy", "sing"))), ruling.Pact(*w.step(x, l, oneOf(w, steps...)))} {
			for _, b := range r.Because {
				if !r.Allowed { // an article's title is the text's own
					tell("reason", b.Text)
				}
				tell("citation", b.Article)
				tell("cure", b.Cure)
			}
			for _, d := range r.Duties {
				tell("duty", d)
			}
		}
	}
	if len(told) < 150 {
		t.Errorf("only %d sentences were told", len(told))
	}
}

// TestSay: what a hole holds is told too, in the order that the language wants.
func TestSay(t *testing.T) {
	for _, x := range []struct{ lang, s, want string }{
		{"ko", "the pact is not in force: it is notice-suspended", "협정이 발효 중이 아니다. 현재 상태: 발효 중, 종료 통보 정지"},
		{"ja", "the pact knows no channel called pigeon from KR to JP", "協定は、KRからJPへの送付の手段として「pigeon」を定めていない"},
		{"ja", "choose one of: defence, nuclear-test", "次のうちから選んでください: 防衛、核実験"},
		{"ko", "the written approval of KR to translate KR-2016-7Q4K-M2XT is missing, used up, expired or withdrawn", "KR-2016-7Q4K-M2XT에 대한 KR의 서면 승인(번역)이 없거나, 이미 사용되었거나, 기한이 지났거나, 철회되었다"},
		{"ko", "receipt signed by the final recipient within 3 days", "3일 이내에 최종 접수자가 수령증에 서명한다"},
		{"ja", "Article 21", "第21条"},
		{"en", "Article 21", "Article 21"},
		{"ko", "a sentence of somebody's own %s", "a sentence of somebody's own %s"},
		{"ko", strings.Repeat("x", 3000), strings.Repeat("x", 3000)},
	} {
		if got := ruling.Say(x.lang, x.s); got != x.want {
			t.Errorf("%s: %q is told as %q, want %q", x.lang, x.s, got, x.want)
		}
	}
}

// FuzzSay: a partner's sentence is told, or stands as it is.
func FuzzSay(f *testing.F) {
	f.Add("the pact is blocked: the pact is blocked: the pact is blocked: x")
	f.Add("%s %d %[3]s%!")
	f.Add("Article 1, Article 2, choose one of: a, b")
	f.Fuzz(func(t *testing.T, s string) {
		for _, lang := range []string{"en", "ko", "ja"} {
			if got := ruling.Say(lang, s); len(got) > 20*len(s)+1000 || strings.Contains(got, "%!s(") && !strings.Contains(s, "%!s(") {
				t.Errorf("%q is told as %q", s, got)
			}
		}
	})
}

// TestStyle: in a pact that is no treaty no party is called a contracting state.
func TestStyle(t *testing.T) {
	told := ruling.Say("ja", "ask the originator")
	for _, x := range texts() {
		p := x.p
		if got := p.Style(told); strings.Contains(got, "締約国") != (p.Binding == "treaty") || strings.Contains(got, "提供当事者") == (p.Binding == "treaty") {
			t.Errorf("%s, %s: %s", p.ID, p.Binding, got)
		}
	}
}
