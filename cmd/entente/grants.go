package main

import (
	"fmt"
	"io"
	"time"

	"entente/act"
	"entente/desk"
)

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
