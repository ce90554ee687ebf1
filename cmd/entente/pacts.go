package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"entente/act"
	"entente/desk"
	"entente/pact"

	"go.yaml.in/yaml/v4"
)

type pactCmd struct {
	Draft  pactDraft  `cmd:"" help:"Print a pact's text with the keys of both parties, to read before signing."`
	Check  pactCheck  `cmd:"" help:"Check a pact's text: every mistake at once, with its line and column."`
	Diff   pactDiff   `cmd:"" help:"Say what one text changes of another, and for whom."`
	Schema pactSchema `cmd:"" help:"Print the JSON Schema of pacts, for editors."`
	Show   pactShow   `cmd:"" help:"Print a pact as a treaty, in English, Korean or Japanese."`
	Sign   pactSign   `cmd:"" help:"Compare codes with the partner, propose the text if nobody has, and sign it."`
	Notify pactStep   `cmd:"" help:"Notify that the domestic procedures are complete."`
	Read   pactRead   `cmd:"" help:"Declare how we read the pact's state. The stricter of the parties' readings rules new transfers."`
	Step   pactAny    `cmd:"" help:"Take another step: initialled, approved, cancelled, notice, notice-suspended, notice-withdrawn."`
}

type pactDraft struct {
	Pact string `arg:"" pact:"" help:"Name of the pact."`
}

// Run prints the draft.
func (c *pactDraft) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v map[string]string
		if err := d.Post(a.ctx, "/v1/pact/draft", desk.PactAsk{Pact: act.PactID(c.Pact)}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprint(w, v["text"]) })
	})
}

type pactCheck struct {
	Pact string `arg:"" pact:"" help:"Name of a pact, shipped or ours, or a file."`
}

// Run checks a text.
func (c *pactCheck) Run(a *app) error {
	text, err := a.text(c.Pact)
	if err != nil {
		return err
	}
	p, problems := pact.Parse(text)
	all := []mistake{}
	for _, q := range problems {
		all = append(all, mistake(q))
	}
	return a.checked(c.Pact, "the text has", all, func(w io.Writer) { fmt.Fprintf(w, "%s: %d articles, no mistakes\n", p.ID, len(p.Articles)) })
}

// mistake is one in a file that was checked.
type mistake struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// checked tells the mistakes of a file, or that it has none.
func (a *app) checked(file, has string, all []mistake, well func(io.Writer)) error {
	if err := a.answer(all, func(w io.Writer) {
		for _, m := range all {
			fmt.Fprintf(w, "%s:%d:%d: %s\n", file, m.Line, m.Column, m.Text)
		}
		if len(all) == 0 {
			well(w)
		}
	}); err != nil || len(all) == 0 {
		return err
	}
	return &desk.Problem{Kind: "invalid", Text: has + " " + pact.Mistakes(len(all))}
}

func readText(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the text: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, act.MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("reading the text: %w", err)
	}
	return b, nil
}

type pactShow struct {
	Pact string `arg:"" pact:"" help:"Name of a pact, shipped or ours, or a file."`
	Lang string `help:"en, ko or ja." enum:"en,ko,ja" default:"en"`
}

// Run prints a pact. In JSON it is the text itself, as the schema of pacts describes it.
func (c *pactShow) Run(a *app) error {
	p, text, err := a.pact(c.Pact)
	if err != nil {
		return err
	}
	v, err := asJSON(text)
	if err != nil {
		return err
	}
	return a.answer(v, func(w io.Writer) { fmt.Fprint(w, p.Show(c.Lang)) })
}

// asJSON is a text without mistakes as JSON has it.
func asJSON(text []byte) (any, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("reading the text: %w", err)
	}
	return plain(&n), nil
}

// plain is a node of it: a day stays as it is written, and what is left empty is left out.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			if v := n.Content[i+1]; v.Tag != "!!null" {
				m[n.Content[i].Value] = plain(v)
			}
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, plain(c))
		}
		return l
	}
	if i, err := strconv.Atoi(n.Value); err == nil && n.Tag == "!!int" {
		return i
	}
	if n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true")
	}
	return n.Value
}

// pact reads a pact by its name, or from a file, with its text.
func (a *app) pact(name string) (*pact.Pact, []byte, error) {
	text, err := a.text(name)
	if err != nil {
		return nil, nil, err
	}
	p, problems := pact.Parse(text)
	if len(problems) > 0 {
		return nil, nil, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("the text has %s, first in line %d: %s; see them all with 'entente pact check %s'", pact.Mistakes(len(problems)), problems[0].Line, problems[0].Text, name)}
	}
	return p, text, nil
}

// text is that of a file, of a shipped pact or of one of ours, which is asked for last:
// the first two need no node.
func (a *app) text(name string) ([]byte, error) {
	if _, err := os.Stat(name); err == nil {
		return readText(name)
	}
	text, ok := pact.Template(act.PactID(name))
	if ok {
		return text, nil
	}
	none := fmt.Sprintf("%s is no file and none of the shipped pacts %v", name, pact.Templates())
	err := a.client(func(d *desk.Client) error {
		var all []desk.PactView
		if err := d.Get(a.ctx, desk.Path("/v1/pacts", "id", name), &all); err != nil {
			return err
		}
		for _, p := range all {
			if p.Source != "" {
				text = []byte(p.Source)
			}
		}
		return nil
	})
	if p := new(desk.Problem); errors.As(err, &p) {
		all := *p
		all.Text = none + "; looking among ours: " + p.Text
		return nil, &all
	}
	if err == nil && text == nil {
		return nil, &desk.Problem{Kind: "invalid", Text: none + ", nor one of ours"}
	}
	return text, err
}

type pactDiff struct {
	Old string `arg:"" pact:"" help:"Name of a pact, shipped or ours, or a file."`
	New string `arg:"" pact:"" help:"Name of a pact, shipped or ours, or a file."`
}

// Run says what changes for whom.
func (c *pactDiff) Run(a *app) error {
	old, _, err := a.pact(c.Old)
	if err != nil {
		return err
	}
	now, _, err := a.pact(c.New)
	if err != nil {
		return err
	}
	all := pact.Diff(old, now)
	return a.answer(all, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, x := range all {
			who := string(x.For)
			if who == "" {
				who = "all"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s → %s\n", x.Effect, who, x.Key, dash(x.Old), dash(x.New))
		}
		t.Flush()
	})
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

type pactSchema struct{}

// Run prints the schema.
func (pactSchema) Run(a *app) error {
	_, err := a.out.Write(pact.Schema())
	return err
}

type pactRead struct {
	Pact  string `arg:"" help:"Name of the pact."`
	Phase string `arg:"" help:"How we read it: in-force, notice-given, notice-suspended, terminated." enum:"in-force,notice-given,notice-suspended,terminated"`
	As    string `help:"Who signs." default:"officer"`
	Note  string `help:"Why."`
}

// Run declares the reading.
func (c *pactRead) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v desk.PactView
		if err := d.Post(a.ctx, "/v1/pact/step", desk.PactAsk{Pact: act.PactID(c.Pact), Step: act.PactRead, Phase: c.Phase, As: c.As, Note: c.Note}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { pactLine(w, v) })
	})
}

// pactLine says where a pact stands, and what is next.
func pactLine(w io.Writer, p desk.PactView) {
	state := p.Phase
	if p.Disputed {
		state = "DISPUTED (" + p.Reads() + "; new transfers: " + p.Stands + ")"
	}
	name := string(p.ID)
	if p.Version > 1 {
		name = fmt.Sprintf("%s, version %d", p.ID, p.Version) // it stands beside the text that it amends
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, state, p.Next, p.Title.EN)
	if p.Reminder != nil {
		fmt.Fprintf(w, "\tREMINDER: %s\t\t\n", p.Reminder.Text)
	}
}

type pactSign struct {
	Pact   string `arg:"" pact:"" help:"Name of a shipped pact."`
	With   string `help:"Where the partner answers: HOST:PORT. Not needed when it calls us."`
	Code   string `help:"The partner's code, as its officer read it out."`
	As     string `help:"Who signs." default:"officer"`
	Notify bool   `help:"Notify in the same breath that the domestic procedures are complete."`
	Text   string `help:"Sign this text instead of the shipped one." type:"existingfile"`
	Note   string `help:"What the note says."`
}

// Run signs. Without a code it tells both codes, so that the officers can compare.
func (c *pactSign) Run(a *app) error {
	ask := desk.PactAsk{Pact: act.PactID(c.Pact), Address: c.With, Code: c.Code, As: c.As, Notify: c.Notify, Note: c.Note}
	if c.Text != "" {
		b, err := readText(c.Text)
		if err != nil {
			return err
		}
		ask.Text = string(b)
	}
	return a.client(func(d *desk.Client) error {
		var v desk.SignView
		if err := d.Post(a.ctx, "/v1/pact/sign", ask, &v); err != nil {
			return err
		}
		if err := a.answer(v, func(w io.Writer) {
			if v.Pact.ID == "" {
				tellCodes(w, v)
				return
			}
			if v.Partner != "" {
				fmt.Fprintf(w, "%s is pinned by its code\n", v.Partner)
			}
			fmt.Fprintf(w, "%s is signed by %s: %s\n", v.Pact.ID, c.As, v.Pact.Phase)
		}); err != nil || v.Pact.ID != "" {
			return err
		}
		return &desk.Problem{Kind: "waits", Text: "nothing was signed: the codes are not compared yet"}
	})
}

type pactStep struct {
	Pact string `arg:"" help:"Name of the pact."`
	As   string `help:"Who signs." default:"officer"`
	Note string `help:"What the note says."`
}

// Run notifies.
func (c *pactStep) Run(a *app) error { return c.step(a, act.PactNotified) }

func (c *pactStep) step(a *app, k act.Kind) error {
	return a.client(func(d *desk.Client) error {
		var v desk.PactView
		if err := d.Post(a.ctx, "/v1/pact/step", desk.PactAsk{Pact: act.PactID(c.Pact), Step: k, As: c.As, Note: c.Note}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintf(w, "%s: %s; %s\n", v.ID, v.Phase, v.Next) })
	})
}

type pactAny struct {
	Step string `arg:"" enum:"initialled,approved,cancelled,notice,notice-suspended,notice-withdrawn" help:"The step."`
	pactStep
}

// Run takes the step.
func (c *pactAny) Run(a *app) error { return c.step(a, act.Kind("pact."+c.Step)) }

type pactsCmd struct{}

// Run lists the pacts.
func (pactsCmd) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var all []desk.PactView
		if err := d.Get(a.ctx, "/v1/pacts", &all); err != nil {
			return err
		}
		return a.answer(all, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, p := range all {
				pactLine(t, p)
			}
			t.Flush()
		})
	})
}
