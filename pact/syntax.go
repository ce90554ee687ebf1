package pact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"golang.org/x/text/unicode/norm"
)

const (
	maxNodes = 20000
	maxDepth = 12
	maxTold  = 100 // mistakes of syntax, each of which is looked for
)

// hidden finds what cannot be shown in a text, a comment too, the first on each line:
// people sign what they see.
func hidden(text []byte) (all []Problem) {
	line, column, told := 1, 0, 0
	for at, c := range string(text) {
		column++
		bad := ""
		switch {
		case c == '\n':
			line, column = line+1, 0
		case c == utf8.RuneError && !bytes.HasPrefix(text[at:], []byte("\ufffd")):
			bad = "this is not UTF-8"
		case c == '\r' && bytes.HasPrefix(text[at:], []byte("\r\n")) || c == '\t':
		case !readable(c):
			bad = unreadable(c)
		}
		if bad != "" && told != line && len(all) < maxTold {
			all, told = append(all, Problem{line, column, bad}), line
		}
	}
	return all
}

func unreadable(c rune) string {
	return fmt.Sprintf("%U cannot be shown, or turns the direction of writing: delete it", c)
}

func readable(c rune) bool {
	if unicode.In(c, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || c == 0x2800 {
		return false
	}
	return c == '\n' || !unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp)
}

// decode reads one document. Its root is of a kind, or of any for none.
func decode(text string, kind yaml.Kind) (*yaml.Node, error) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if err := d.Decode(&more); err == nil {
		return nil, &yaml.LoadError{Message: another, Mark: yaml.Mark{Line: more.Line, Column: more.Column}}
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, io.EOF
	}
	if root := doc.Content[0]; kind == 0 || root.Kind == kind {
		return root, nil
	}
	return nil, errors.New("another kind")
}

const another = "the text holds more than one document: it is one, without a line ---"

// syntax reads the nodes of a text. What is broken is told in its place and left
// out, entry by entry, so that the rest is checked too.
func (r *reader) syntax(text string) {
	root, err := decode(text, 0)
	if errors.Is(err, io.EOF) || err == nil && root.Kind == yaml.ScalarNode && root.Value == "" { // what has no content has no place
		r.problems = append(r.problems, Problem{1, 1, "the text is empty"})
		return
	}
	if err != nil {
		r.lines, r.cut = strings.Split(text, "\n"), map[int]bool{}
		tabs := r.tabs()
		r.block(0, len(r.lines), 0)
		if root, err = decode(strings.Join(r.lines, "\n"), 0); err != nil || tabs {
			return // what was told says why; and what a tab stands for is only guessed
		}
	}
	r.root = root
	r.narrow(root, 0)
	if r.nodes > maxNodes || r.lost[root] {
		r.root = nil
	}
}

// tabs tells of each line that is indented by tabs, and indents it as the line above.
func (r *reader) tabs() (told bool) {
	indent := 0
	for i, line := range r.lines {
		rest := strings.TrimLeft(line, " \t")
		if strings.TrimSpace(rest) == "" || len(r.problems) >= maxTold {
			continue
		}
		if lead := line[:len(line)-len(rest)]; strings.Contains(lead, "\t") {
			r.problems = append(r.problems, Problem{i + 1, strings.Index(lead, "\t") + 1, tab})
			r.lines[i], told = strings.Repeat(" ", indent)+rest, true
		} else {
			indent = len(lead)
		}
		if item.MatchString(rest) || head.MatchString(rest) {
			indent += 2
		}
	}
	return told
}

// block reads lines that hold the entries of a mapping or of a list, and tells each
// broken one.
func (r *reader) block(from, to, depth int) {
	parses := func() (err error) {
		if _, err = decode(strings.Join(r.lines[from:to], "\n"), 0); errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if parses() == nil {
		return
	}
	if starts := r.entries(from, to); depth < maxDepth && len(starts) < maxNodes {
		for i, s := range starts {
			if len(r.problems) >= maxTold {
				r.leave(s, to, false)
				break
			}
			r.entry(s, append(starts, to)[i+1], depth)
		}
	}
	// Where each entry is whole and they do not fit together, what stands before the place holds.
	if err := parses(); err != nil {
		at := r.tell(err, from, to)
		if r.leave(at, to, false); parses() != nil {
			r.leave(from, to, false)
		}
	}
}

// entries returns the lines on which the entries of a block begin: those that are
// indented least. None: it holds no entries but one value.
func (r *reader) entries(from, to int) (starts []int) {
	least, list := -1, false
	for i := from; i < to; i++ {
		line := strings.TrimLeft(r.lines[i], " ")
		if line = strings.TrimRight(line, " \t\r"); line == "" || line[0] == '#' {
			continue
		}
		indent, item := strings.Index(r.lines[i], line), line == "-" || strings.HasPrefix(line, "- ")
		if least < 0 && strings.ContainsRune(`[{"'>|`, rune(line[0])) {
			return nil
		}
		if least < 0 || indent < least {
			starts, least, list = nil, indent, item
		}
		if indent == least && item == list { // under a key, a list may stand as far left as it
			starts = append(starts, i)
		}
	}
	return starts
}

// head is a key whose value stands on the lines below it, or the hyphen of an item.
var (
	head = regexp.MustCompile(`^ *[\w.-]+: *(#.*)?\r?$`)
	item = regexp.MustCompile(`^( *)-( |\r?$)`)
	word = regexp.MustCompile(`^ *[\w.-]+`)
)

// entry reads the lines of one entry, and tells what is broken in it.
func (r *reader) entry(from, to, depth int) {
	dash, kind := item.FindStringSubmatch(r.lines[from]), yaml.MappingNode
	if dash != nil {
		kind = yaml.SequenceNode
	}
	parses := func() error {
		_, err := decode(strings.Join(r.lines[from:to], "\n"), kind)
		return err
	}
	if parses() == nil {
		return
	}
	told := len(r.problems)
	switch {
	case strings.HasPrefix(r.lines[from], "---"):
		r.problems = append(r.problems, Problem{from + 1, 1, another})
		r.lines[from] = ""
		return
	case dash != nil && word.MatchString(r.lines[from][len(dash[0]):]):
		n := len(dash[1])
		r.lines[from] = dash[1] + " " + r.lines[from][n+1:]
		r.block(from, to, depth+1)
		r.lines[from] = dash[1] + "-" + r.lines[from][min(n+1, len(r.lines[from])):]
	case head.MatchString(r.lines[from]):
		r.block(from+1, to, depth+1)
	}
	r.cut[from+1] = r.cut[from+1] || told < len(r.problems)
	if err := parses(); err != nil {
		if told == len(r.problems) {
			r.tell(err, from, to)
		}
		r.leave(from, to, true)
	}
}

// leave blanks lines that are broken. Of an entry its key or hyphen stays.
func (r *reader) leave(from, to int, key bool) {
	for i := from; i < to; i++ {
		r.cut[i+1] = true
		left := ""
		if m := item.FindStringSubmatch(r.lines[i]); key && m != nil {
			left = m[1] + "-"
		} else if m := word.FindString(r.lines[i]); key && m != "" {
			left = m + ":"
		}
		r.lines[i], key = left, false
	}
}

// tell says what the reader of YAML found broken in some lines, in a lawyer's words,
// and returns the line, counted from 0.
func (r *reader) tell(err error, from, to int) int {
	for to > from+1 && strings.TrimSpace(r.lines[to-1]) == "" {
		to--
	}
	line := func(i int) string { return r.lines[min(from+max(i, 1), to)-1] }
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		first := line(1)
		at := Problem{from + 1, len(first) - len(strings.TrimLeft(first, " ")) + 1, "this is no key with its value: after the key stand a colon and a space"}
		if item.MatchString(first) {
			at.Text = "this is no item of a list: after the hyphen stands a space"
		}
		r.problems = append(r.problems, at)
		return from
	}
	at, text := e.Mark, ""
	before := []rune(line(at.Line))
	before = before[:min(max(at.Column-1, 0), len(before))]
	switch has := func(s string) bool { return strings.Contains(e.ContextMsg+": "+e.Message, s) }; {
	case e.Message == another:
		text = another
	case has("max depth"):
		text = tooLarge
	case has("quoted scalar: found unexpected"):
		at, text = e.ContextMark, "the quotation mark that opens here is not closed"
	case has("quoted scalar: "):
		text = `in "…" a backslash is doubled, and a quotation mark is written \"`
	case has("flow") && (e.ContextMark.Line < e.Mark.Line || at.Line > to-from):
		text = "the bracket that opens here is not closed"
		if at = e.ContextMark; at.Line > to-from {
			at, text = yaml.Mark{Line: to - from, Column: utf8.RuneCountInString(line(to-from)) + 1}, "a bracket is not closed before this"
		}
	case has("flow"):
		text = "here a comma or the closing bracket is missing; a value that holds a comma, a colon, a bracket or a quotation mark stands in quotation marks"
	case has(" tab") || has("start any token") && strings.HasPrefix(line(at.Line)[len(string(before)):], "\t"):
		text = tab
	case has("start any token"):
		text = "a value cannot begin so: put it in quotation marks"
	case has("anchor") || has("alias"):
		text = aliases
	case has("tag"):
		text = tags
	case has("mapping values") && !strings.Contains(string(before), ": "):
		text = "this line is indented further than what it follows, or the line above lacks its colon"
	case has("mapping values"):
		text = "a value that holds a colon stands in quotation marks"
	case strings.TrimSpace(string(before)) == "":
		text = "this line is indented as none above it that it could follow, or a quotation mark or bracket above it is not closed"
	case has("expected key"):
		text = `text goes on after a closing quotation mark: in "…" a quotation mark is written \", in '…' it is doubled`
	default:
		text = "this is not YAML: " + e.Message
	}
	p := Problem{min(from+max(at.Line, 1), to), max(at.Column, 1), text}
	r.problems = append(r.problems, p)
	return p.Line - 1
}

const (
	aliases = "anchors and aliases are not allowed"
	tags    = "tags are not allowed"
	tab     = "a tab stands here: lines are indented by spaces alone"

	tooLarge = "the text is too large or too deep"
)

// narrow refuses what makes YAML mean something else than it says, and leaves it out.
func (r *reader) narrow(n *yaml.Node, depth int) {
	r.nodes++
	bad := ""
	switch {
	case r.nodes > maxNodes || depth > maxDepth:
		bad = tooLarge
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		bad = aliases
	case n.Style&yaml.TaggedStyle != 0:
		bad = tags
	case n.Kind == yaml.ScalarNode && strings.ContainsFunc(n.Value, func(c rune) bool { return !readable(c) }):
		bad = unreadable([]rune(n.Value)[strings.IndexFunc(n.Value, func(c rune) bool { return !readable(c) })])
	case n.Kind == yaml.ScalarNode && !norm.NFC.IsNormalString(n.Value):
		bad = "this text is not in Unicode's composed form (NFC): two spellings would look alike"
	case n.Tag == "!!null" && r.cut[n.Line]:
		r.lose(n)
	}
	if bad != "" {
		r.problems = append(r.problems, Problem{n.Line, n.Column, bad})
		r.lose(n)
		return
	}
	for i := 0; i < len(n.Content) && r.nodes <= maxNodes; i++ {
		c := n.Content[i]
		if r.narrow(c, depth+1); n.Kind == yaml.MappingNode && i%2 == 0 && r.lost[c] { // a key
			n.Content = append(n.Content[:i:i], n.Content[i+2:]...)
			i--
		}
	}
}

// lose blanks a node that cannot be read: it is told once, and not as missing.
func (r *reader) lose(n *yaml.Node) {
	*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	r.lost[n] = true
}
