package main

import (
	"fmt"
	"io"
	"time"

	"entente/act"
	"entente/desk"
	"entente/reading"
	"entente/ruling"
)

type copyCmd struct {
	Number string `arg:"" help:"Control number."`
	As     string `help:"Who makes it." default:"analyst"`
	Holder string `help:"Who will hold the copy." required:""`
	Reason string `help:"Why it is needed." required:""`
}

// Run enters a copy.
func (c *copyCmd) Run(a *app) error {
	return a.deed(c.Number, reading.Deed{As: c.As, Deed: "copy", Holder: c.Holder, Reason: c.Reason}, "the copy is entered")
}

type reclassifyCmd struct {
	Number string `arg:"" help:"Control number of a product of ours."`
	Mark   string `help:"The lower marking, as it is stamped." required:""`
	As     string `help:"The officer." default:"officer"`
	Reason string `help:"Why." required:""`
}

// Run lowers a mark.
func (c *reclassifyCmd) Run(a *app) error {
	return a.deed(c.Number, reading.Deed{As: c.As, Deed: "downgrade", Mark: c.Mark, Reason: c.Reason}, "it is reclassified")
}

type destroyCmd struct {
	Number  string   `arg:"" help:"Control number."`
	Method  string   `help:"As the pact names its methods." default:"erase"`
	Witness []string `help:"A witness; once for each."`
	As      string   `help:"Who destroys it." default:"registrar"`
}

// Run destroys a product.
func (c *destroyCmd) Run(a *app) error {
	return a.deed(c.Number, reading.Deed{As: c.As, Deed: "destroy", Method: c.Method, Witness: c.Witness}, "it is destroyed; the certificate is in the ledger")
}

type reviewCmd struct {
	Number string `arg:"" help:"Control number."`
	For    string `help:"Needed for this long: 8760h." required:""`
	Reason string `help:"Why." required:""`
	As     string `help:"Who reviews." default:"registrar"`
}

// Run reviews the need for a product.
func (c *reviewCmd) Run(a *app) error {
	until, err := lasts(c.For)
	if err != nil {
		return err
	}
	return a.deed(c.Number, reading.Deed{As: c.As, Deed: "review", Reason: c.Reason, Until: until}, "it is kept")
}

func (a *app) deed(n string, d reading.Deed, done string) error {
	return a.client(func(k *desk.Client) error {
		var r ruling.Ruling
		if err := k.Post(a.ctx, "/v1/do", desk.DeedAsk{Number: act.Number(n), Deed: d}, &r); err != nil {
			return err
		}
		return a.answer(r, func(w io.Writer) {
			fmt.Fprintf(w, "%s: %s\n", n, done)
			tellRuling(w, "en", r)
		})
	})
}

type consentCmd struct {
	Number    string `arg:"" help:"Control number of a product of ours."`
	Deed      string `help:"What is approved." enum:"pass-on,purpose,copy,translate,extract" default:"pass-on"`
	Recipient string `help:"The third party, for a pass-on."`
	Purpose   string `help:"For what purpose." required:""`
	For       string `help:"How long: 24h, 720h." default:"720h"`
	Uses      int    `help:"How often." default:"1"`
	As        string `help:"The officer who approves." default:"officer"`
}

// Run gives a consent.
func (c *consentCmd) Run(a *app) error {
	until, err := lasts(c.For)
	if err != nil {
		return err
	}
	return a.grant("/v1/consent", desk.GrantAsk{As: c.As, Consent: &act.Consent{Number: act.Number(c.Number), Deed: c.Deed, Recipient: act.Party(c.Recipient), Purpose: c.Purpose, Until: until, Uses: c.Uses}}, "consent given by act")
}

type mandateCmd struct {
	Pact    string `arg:"" help:"The pact."`
	Kind    string `help:"Kind of product." default:"notice"`
	Subject string `help:"As the pact names it." required:""`
	Mark    string `help:"The highest marking, as it is stamped." required:""`
	Purpose string `help:"As the pact names it." required:""`
	For     string `help:"How long: 24h, 720h." default:"720h"`
	As      string `help:"The officer who gives it." default:"officer"`
}

// Run gives a mandate.
func (c *mandateCmd) Run(a *app) error {
	until, err := lasts(c.For)
	if err != nil {
		return err
	}
	return a.grant("/v1/mandate", desk.GrantAsk{As: c.As, Mandate: &act.Mandate{Pact: act.PactID(c.Pact), Kind: c.Kind, Subject: c.Subject, Mark: act.Mark{Text: c.Mark}, Purpose: c.Purpose, Until: until}}, "mandate given by act")
}

type withdrawCmd struct {
	Act  string `arg:"" help:"The act that gave the consent or the mandate."`
	As   string `help:"The officer who withdraws it." default:"officer"`
	Note string `help:"Why."`
}

// Run withdraws.
func (c *withdrawCmd) Run(a *app) error {
	d, err := digest(c.Act)
	if err != nil {
		return err
	}
	return a.grant("/v1/withdraw", desk.GrantAsk{As: c.As, Act: &d, Note: c.Note}, "withdrawn is act")
}

func (a *app) grant(path string, ask desk.GrantAsk, said string) error {
	return a.client(func(k *desk.Client) error {
		var v desk.GrantView
		if err := k.Post(a.ctx, path, ask, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintln(w, said, v.Act) })
	})
}

// day reads a day.
func day(s string) (act.Moment, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return act.Moment{}, &desk.Problem{Kind: "invalid", Text: "a day is written 2027-01-31"}
	}
	return act.MomentOf(t), nil
}

func lasts(s string) (act.Moment, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return act.Moment{}, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("%q is no length of time: write 24h", s)}
	}
	return act.MomentOf(time.Now().Add(d)), nil
}
