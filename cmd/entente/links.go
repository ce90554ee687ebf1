package main

import (
	"fmt"
	"io"

	"entente/act"
	"entente/desk"
)

type partnerPark struct {
	Party  string `arg:"" help:"The partner."`
	Reason string `help:"Why; it is entered." required:""`
	As     string `help:"Who does it." default:"officer"`
}

// Run parks.
func (c *partnerPark) Run(a *app) error {
	return a.house(desk.HouseAsk{Kind: act.PartnerParked, As: c.As, Party: act.Party(c.Party), Reason: c.Reason}, "parked by act")
}

type partnerResume struct {
	Party  string `arg:"" help:"The partner."`
	Reason string `help:"Why; it is entered."`
	As     string `help:"Who does it." default:"officer"`
}

// Run resumes.
func (c *partnerResume) Run(a *app) error {
	return a.house(desk.HouseAsk{Kind: act.PartnerResumed, As: c.As, Party: act.Party(c.Party), Reason: c.Reason}, "resumed by act")
}

type accreditCmd struct {
	Channel string `arg:"" help:"The channel, as pacts name it: electronic, courier."`
	Mark    string `help:"The highest marking, as our scheme stamps it." required:""`
	Until   string `help:"The day on which it ends, 2027-03-31. A day that has passed takes it away." required:""`
	By      string `help:"The accrediting authority, and its paper." required:""`
	As      string `help:"Who enters it." default:"officer"`
}

// Run accredits.
func (c *accreditCmd) Run(a *app) error {
	until, err := day(c.Until)
	if err != nil {
		return err
	}
	return a.house(desk.HouseAsk{Kind: act.SystemAccredited, As: c.As, Accreditation: &act.Accreditation{Channel: c.Channel, Mark: act.Mark{Text: c.Mark}, Until: until, By: c.By}}, "accredited by act")
}

func (a *app) house(ask desk.HouseAsk, said string) error {
	return a.client(func(k *desk.Client) error {
		var v desk.GrantView
		if err := k.Post(a.ctx, "/v1/house", ask, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintln(w, said, v.Act) })
	})
}
