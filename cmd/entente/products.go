package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
	"entente/product"
	"entente/release"
	"entente/seal"

	"golang.org/x/term"
)

// terminal reports whether a person watches.
func (a *app) terminal() bool {
	f, ok := a.errs.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !a.JSON
}

type releaseCmd struct {
	File     string   `arg:"" help:"The file; - reads standard input."`
	Pact     string   `help:"The pact." required:""`
	As       string   `help:"The officer who releases." default:"officer"`
	Purpose  string   `help:"What it may be used for, as the pact names it." required:""`
	To       []string `help:"A recipient; once for each. Default: every other party of the pact."`
	Mark     string   `help:"Our marking, as it is stamped, such as 군사II급비밀." required:""`
	Subject  string   `help:"As the pact names it." default:"defence"`
	Kind     string   `help:"report, assessment, imagery or notice." default:"report"`
	Form     string   `help:"The form that the pact speaks of." default:"electronic"`
	Title    string   `help:"Title. Default: the file's name."`
	Language string   `help:"Language of the content." default:"en"`
	Mode     string   `help:"released, originator-controlled or lease." enum:"released,originator-controlled,lease" default:"released"`
	Event    string   `help:"Event that it is about, as JSON: {\"id\":…,\"kind\":…,\"time\":…,\"place\":{\"lat\":…,\"lon\":…}}"`
	From     []string `help:"Control number of a product that it is made from; once for each."`
	Review   string   `help:"When its need is reviewed: 2027-01-31."`
	Mandate  string   `help:"The mandate that it goes under, by its act: no second person is asked."`
	Preview  bool     `help:"Only say how it would be ruled."`
}

// Run releases a file.
func (c *releaseCmd) Run(a *app) error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	if c.Preview {
		var r desk.RuleView
		if err := a.client(func(k *desk.Client) error { return k.Post(a.ctx, "/v1/preview", d, &r) }); err != nil {
			return err
		}
		return a.ruled(&r, r, func(w io.Writer) { tellRests(w, "en", &r) })
	}
	f, size, err := content(c.File, a.in)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.client(func(k *desk.Client) error {
		slip, err := k.Release(a.ctx, d, &counting{r: f, all: size, a: a})
		if a.terminal() && size > 64<<20 {
			fmt.Fprint(a.errs, "\r\033[K")
		}
		if err != nil {
			return err
		}
		if err := a.answer(slip, func(w io.Writer) {
			what := "is released"
			if slip.Waits {
				what = "waits for a second person: entente approve " + string(slip.Number)
			}
			fmt.Fprintf(w, "%s %s, entry %d\n", slip.Number, what, slip.Entry)
			for i, m := range slip.Ruling.As {
				fmt.Fprintf(w, "%s will see %s beside %s\n", slip.To[i], m.Text, c.Mark)
			}
		}); err != nil || !slip.Waits {
			return err
		}
		return &desk.Problem{Kind: "waits", Text: string(slip.Number) + " waits for a second person"}
	})
}

func (c *releaseCmd) draft() (release.Draft, error) {
	d := release.Draft{As: c.As, Pact: act.PactID(c.Pact), Title: c.Title, Kind: c.Kind, Subject: c.Subject, Form: c.Form, Purpose: c.Purpose, Language: c.Language,
		Mark: c.Mark, Mode: seal.Mode(c.Mode), File: filepath.Base(c.File), MediaType: mime.TypeByExtension(filepath.Ext(c.File))}
	if d.Title == "" {
		d.Title = d.File
	}
	if d.MediaType == "" {
		d.MediaType = "application/octet-stream"
	}
	for _, p := range c.To {
		d.To = append(d.To, act.Party(p))
	}
	for _, n := range c.From {
		d.Lineage = append(d.Lineage, act.Lineage{Of: act.Number(n), How: "excerpt"})
	}
	if c.Review != "" {
		m, err := day(c.Review)
		if err != nil {
			return d, err
		}
		d.Review = &m
	}
	if c.Mandate != "" {
		d.Mandate = new(act.Digest)
		if err := d.Mandate.UnmarshalText([]byte(c.Mandate)); err != nil {
			return d, &desk.Problem{Kind: "invalid", Text: "a mandate is named by the digest of its act, as 'entente mandate' printed it"}
		}
	}
	if c.Event != "" {
		j := json.NewDecoder(strings.NewReader(c.Event))
		j.DisallowUnknownFields()
		if err := j.Decode(&d.Event); err != nil {
			return d, &desk.Problem{Kind: "invalid", Text: "reading --event: " + err.Error()}
		}
		if _, err := j.Token(); !errors.Is(err, io.EOF) {
			return d, &desk.Problem{Kind: "invalid", Text: "reading --event: something follows the event"}
		}
	}
	return d, nil
}

// content opens a regular file, or standard input.
func content(name string, in io.Reader) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(in), 0, nil
	}
	st, err := os.Stat(name) // before opening: opening a FIFO hangs
	if err != nil {
		return nil, 0, fmt.Errorf("reading the file: %w; name the file to release, or - for standard input", err)
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("reading the file: %s is not a regular file", filepath.Base(name))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the file: %w", err)
	}
	return f, st.Size(), nil
}

// counting shows progress of what is read, when it is long.
type counting struct {
	r      io.Reader
	n, all int64
	shown  time.Time
	a      *app
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.all > 64<<20 && c.a.terminal() && time.Since(c.shown) > 200*time.Millisecond {
		c.shown = time.Now()
		fmt.Fprintf(c.a.errs, "\rsealing %d%%", 100*c.n/c.all)
	}
	return n, err
}

type approveCmd struct {
	Number string `arg:"" help:"Control number of the draft."`
	As     string `help:"The second officer." default:"second"`
}

// Run releases a draft as the second person.
func (c *approveCmd) Run(a *app) error {
	return a.client(func(k *desk.Client) error {
		var s release.Slip
		if err := k.Post(a.ctx, "/v1/approve", map[string]string{"number": c.Number, "as": c.As}, &s); err != nil {
			return err
		}
		return a.answer(s, func(w io.Writer) { fmt.Fprintf(w, "%s is released, entry %d\n", s.Number, s.Entry) })
	})
}

type lendCmd struct {
	Number string        `arg:"" help:"Control number."`
	To     string        `help:"The party." required:""`
	For    time.Duration `help:"How long." default:"24h"`
	As     string        `help:"The officer." default:"officer"`
}

// Run lends a share.
func (c *lendCmd) Run(a *app) error {
	return a.client(func(k *desk.Client) error {
		var v any
		until := act.MomentOf(time.Now().Add(c.For))
		if err := k.Post(a.ctx, "/v1/lend", map[string]any{"number": c.Number, "to": c.To, "until": until, "as": c.As}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			fmt.Fprintf(w, "the share of %s is lent to %s until %s; from now on that end is kept by its node\n", c.Number, c.To, until.Format(time.RFC3339))
		})
	})
}

type inboxCmd struct{}

// Run lists what was received.
func (inboxCmd) Run(a *app) error { return a.list("in") }

type outboxCmd struct{}

// Run lists what was released.
func (outboxCmd) Run(a *app) error { return a.list("out") }

func (a *app) list(box string) error {
	return a.client(func(k *desk.Client) error {
		var all []product.Custody
		if err := k.Get(a.ctx, desk.Path("/v1/products", "box", box), &all); err != nil {
			return err
		}
		return a.answer(all, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, cu := range all {
				mark := cu.Manifest.Mark.Text
				for _, r := range cu.Received {
					mark += " · " + r.Mark.Text
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", cu.Manifest.Number, mark, cu.Manifest.Kind, fate(cu), cu.Manifest.Title)
			}
			t.Flush()
		})
	})
}

// fate says in a word what became of a product.
func fate(cu product.Custody) string {
	for p, r := range cu.Refused {
		if len(r.Because) > 0 {
			return fmt.Sprintf("refused by %s: %s (%s); cure: %s", p, r.Because[0].Text, r.Because[0].Article, r.Because[0].Cure)
		}
	}
	for p, w := range cu.Waits {
		return fmt.Sprintf("waits at %s for an approval that it names, until %s", p, w.Until.Format(time.RFC3339))
	}
	switch {
	case cu.From == "":
		return "waits for a second person"
	case len(cu.Openings) > 0:
		return "opened"
	case len(cu.Received) == len(cu.Manifest.Recipients):
		return "received"
	}
	return "on its way"
}

type openCmd struct {
	Number  string `arg:"" help:"Control number."`
	As      string `help:"The person who reads." default:"analyst"`
	Purpose string `help:"What for. Default: what it was released for."`
	Out     string `help:"File to write; it must not exist. Default: standard output." short:"o" type:"path"`
}

// Run opens a product. A file that could not be verified to its end is removed.
func (c *openCmd) Run(a *app) (err error) {
	w := a.out
	if c.Out != "" {
		f, cannot := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if cannot != nil {
			if errors.Is(cannot, fs.ErrExist) {
				cannot = fmt.Errorf("%w; nothing is written over: name another file with -o, or move this one", cannot)
			}
			return fmt.Errorf("writing the content: %w", cannot)
		}
		defer func() {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				err = errors.Join(err, os.Remove(c.Out))
			}
		}()
		w = f
	}
	return a.client(func(k *desk.Client) error {
		ask := desk.OpenAsk{Number: act.Number(c.Number), As: c.As, Purpose: c.Purpose}
		wait := time.Now().Add(20 * time.Second)
		for {
			err := k.Open(a.ctx, ask, w, func(o desk.Opened) {
				if a.JSON { // beside the content, which is the answer
					_ = json.NewEncoder(a.errs).Encode(o)
					return
				}
				m := o.Custody.Manifest
				fmt.Fprintf(a.errs, "%s  %s", m.Number, m.Mark.Text)
				for _, s := range o.Ruling.As {
					if s != m.Mark {
						fmt.Fprintf(a.errs, " · %s", s.Text)
					}
				}
				fmt.Fprintf(a.errs, "  of %s\n", m.Originator)
			})
			var p *desk.Problem
			if !errors.As(err, &p) || p.Kind != "waits" || time.Now().After(wait) {
				return err
			}
			select { // the originator was asked for its share; its answer comes by the ledger
			case <-a.ctx.Done():
				return a.ctx.Err()
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
}
