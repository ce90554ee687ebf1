package main

import (
	"time"

	"entente/act"
	"entente/desk"
	"entente/reading"
)

type visitCmd struct {
	Ask     visitAsk     `cmd:"" help:"Ask the host for a visit that gives access."`
	Approve visitApprove `cmd:"" help:"Approve, as the host, up to a marking of ours."`
	End     visitEnd     `cmd:"" help:"End a visit: its access ends too."`
	Show    visitShow    `cmd:"" help:"Show a product to a visitor: ruled on and entered."`
}

type visitAsk struct {
	Pact    string   `arg:"" help:"The pact."`
	To      string   `arg:"" help:"The host."`
	Visitor []string `help:"Who visits; once for each." required:""`
	Subject string   `help:"What about." required:""`
	Mark    string   `help:"The highest marking, as our scheme stamps it." required:""`
	For     string   `help:"How long from now: 24h." default:"24h"`
	As      string   `help:"Who signs." default:"officer"`
}

// Run asks.
func (c *visitAsk) Run(a *app) error {
	until, err := lasts(c.For)
	if err != nil {
		return err
	}
	return a.state(desk.StateAsk{Kind: act.VisitAsked, As: c.As, Pact: act.PactID(c.Pact), To: act.Party(c.To),
		Visit: &act.Visit{Visitors: c.Visitor, Subject: c.Subject, Mark: act.Mark{Text: c.Mark}, From: act.MomentOf(time.Now()), Until: until}}, "the visit is act")
}

type visitApprove struct {
	Visit string `arg:"" help:"The visit, by its act."`
	Mark  string `help:"Up to this marking of ours." required:""`
	As    string `help:"Who signs." default:"officer"`
}

// Run approves.
func (c *visitApprove) Run(a *app) error {
	return a.about(c.Visit, desk.StateAsk{Kind: act.VisitApproved, As: c.As, Mark: c.Mark}, "approved by act")
}

type visitEnd struct {
	Visit string `arg:"" help:"The visit, by its act."`
	As    string `help:"Who signs." default:"officer"`
}

// Run ends a visit.
func (c *visitEnd) Run(a *app) error {
	return a.about(c.Visit, desk.StateAsk{Kind: act.VisitEnded, As: c.As}, "ended by act")
}

type visitShow struct {
	Visit   string `arg:"" help:"The visit, by its act."`
	Number  string `arg:"" help:"Control number."`
	Visitor string `help:"To whom." required:""`
	As      string `help:"Who shows it." default:"analyst"`
}

// Run shows.
func (c *visitShow) Run(a *app) error {
	d, err := digest(c.Visit)
	if err != nil {
		return err
	}
	return a.deed(c.Number, reading.Deed{As: c.As, Deed: "show", Visit: &d, Visitor: c.Visitor}, "the showing is entered")
}
