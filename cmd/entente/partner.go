package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
)

type partnerCmd struct {
	List  partnerList  `cmd:"" default:"1" help:"List the partners: how each is reached, what waits, and why."`
	Card  partnerCard  `cmd:"" help:"Print our own card, for a partner that no link reaches: bring it there, and read out its code."`
	Know  partnerKnow  `cmd:"" help:"Compare codes with a partner and pin its keys, without signing anything: for pacts of three and more, and across an air gap."`
	Route partnerRoute `cmd:"" help:"Say by way of whom a partner is reached. It reads nothing of what it passes on."`

	Park   partnerPark   `cmd:"" help:"End the link to a partner, until it is resumed. Nothing is lost: what is for it waits."`
	Resume partnerResume `cmd:"" help:"Take a parked link up again."`
}

type partnerList struct{}

// Run lists the partners.
func (partnerList) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v desk.StatusView
		if err := d.Get(a.ctx, "/v1/status", &v); err != nil {
			return err
		}
		return a.answer(append([]desk.PartnerView{}, v.Partners...), func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, p := range v.Partners {
				fmt.Fprintf(t, "%s\t%s\t%s\t%d wait\n", p.Party, p.Name.EN, reached(&p), p.Waiting)
			}
			t.Flush()
		})
	})
}

// reached says how a partner is reached, and what stops it.
func reached(p *desk.PartnerView) string {
	state := "linked"
	switch {
	case p.Disputed != "":
		return "DISPUTED: " + p.Disputed
	case p.Parked != "":
		return "parked: " + p.Parked
	case p.Via != "":
		state = "by way of " + string(p.Via)
		if p.Unanswered != nil {
			state += ", no answer since " + p.Unanswered.Format(time.RFC3339)
		}
		if p.Twice+p.Late > 0 {
			state += fmt.Sprintf(", %d parcels came twice and %d out of turn", p.Twice, p.Late)
		}
	case !p.Linked:
		state = "not linked"
	}
	if p.Via == "" && p.Since != nil {
		state += ", since " + p.Since.Format("2006-01-02 15:04:05Z")
	}
	if p.Trouble != "" && (!p.Linked || p.Via != "") {
		state += ": " + p.Trouble
	}
	return state
}

type partnerCard struct{}

// Run prints our card.
func (partnerCard) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var c desk.CardView
		if err := d.Get(a.ctx, "/v1/card", &c); err != nil {
			return err
		}
		b, err := json.Marshal(c.Card)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s\n", b)
		return err
	})
}

// readCard reads a card as it was printed. What it says is believed once its code was compared.
func readCard(name string) (*act.Card, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the card: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, act.MaxCard+1))
	if err != nil {
		return nil, fmt.Errorf("reading the card: %w", err)
	}
	c, err := act.ParseCard(b)
	if err != nil {
		return nil, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("%s is no card: have it printed again with 'entente partner card'", name)}
	}
	return &c, nil
}

type partnerKnow struct {
	With string `help:"Where the partner answers: HOST:PORT. Not needed when it calls us." xor:"how"`
	Card string `help:"The partner's card, as 'entente partner card' printed it there." type:"existingfile" xor:"how"`
	Code string `help:"The partner's code, as its officer read it out."`
	As   string `help:"Who signs." default:"officer"`
}

// Run pins a partner. Without a code it tells both codes, so that the officers can compare.
func (c *partnerKnow) Run(a *app) error {
	ask := desk.PactAsk{Address: c.With, Code: c.Code, As: c.As}
	if c.Card != "" {
		card, err := readCard(c.Card)
		if err != nil {
			return err
		}
		ask.Card = card
	}
	return a.client(func(d *desk.Client) error {
		var v desk.SignView
		if err := d.Post(a.ctx, "/v1/partner", ask, &v); err != nil {
			return err
		}
		if err := a.answer(v, func(w io.Writer) {
			if c.Code == "" {
				tellCodes(w, v)
				return
			}
			fmt.Fprintf(w, "%s is pinned by its code\n", v.Partner)
		}); err != nil || c.Code != "" {
			return err
		}
		return &desk.Problem{Kind: "waits", Text: "nobody was pinned: the codes are not compared yet"}
	})
}

// tellCodes asks two officers to compare.
func tellCodes(w io.Writer, v desk.SignView) {
	fmt.Fprintf(w, "Who answers there, or wrote the file, shows the card of %s with the code\n\n    %s\n\nOur own code is\n\n    %s\n\nRead each other the codes by telephone. If they are the same, go on with --code \"...\"\n", v.Partner, v.Code, v.Ours)
}

type partnerRoute struct {
	Party string `arg:"" help:"The partner."`
	Via   string `help:"The hub that passes on to it, a partner itself. None: it is reached directly again."`
	As    string `help:"Who signs." default:"officer"`
	Leave bool   `help:"Also where products wait that the pact does not carry by the new way: they are refused there, and are released again."`
}

// Run routes a partner.
func (c *partnerRoute) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v act.Routing
		ask := desk.RouteAsk{Routing: act.Routing{Party: act.Party(c.Party), Via: act.Party(c.Via)}, As: c.As, Leave: c.Leave}
		if err := d.Post(a.ctx, "/v1/route", ask, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			if v.Via == "" {
				fmt.Fprintf(w, "%s is reached directly\n", v.Party)
				return
			}
			fmt.Fprintf(w, "%s is reached by way of %s, which reads nothing of it\n", v.Party, v.Via)
		})
	})
}

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
