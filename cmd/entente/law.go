package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
)

type lawCmd struct {
	Notify      lawNotify `cmd:"" help:"Tell the other party of a change of our law that affects protection."`
	Acknowledge stateAct  `cmd:"" help:"Say that a notice of law was read."`
}

type lawNotify struct {
	Pact string `arg:"" help:"The pact."`
	To   string `arg:"" help:"The party that is told."`
	Text string `arg:"" help:"What changes."`
	As   string `help:"Who signs." default:"officer"`
}

// Run notifies.
func (c *lawNotify) Run(a *app) error {
	return a.state(desk.StateAsk{Kind: act.LawNotified, As: c.As, Pact: act.PactID(c.Pact), To: act.Party(c.To), Law: &act.LawNotice{Text: c.Text}}, "the notice is act")
}

type stateAct struct {
	Act string `arg:"" help:"The act, by its digest: 'entente open-items' lists them."`
	As  string `help:"Who signs." default:"officer"`
}

// Run acknowledges.
func (c *stateAct) Run(a *app) error {
	return a.about(c.Act, desk.StateAsk{Kind: act.LawAcknowledged, As: c.As}, "acknowledged by act")
}

type assureCmd struct {
	Pact    string   `arg:"" help:"The pact."`
	To      string   `arg:"" help:"The party that will disclose."`
	Meeting string   `help:"Which meeting." required:""`
	Person  []string `help:"Who of ours will be present; once for each." required:""`
	Mark    string   `help:"The highest marking, as our scheme stamps it." required:""`
	For     string   `help:"How long: 24h." default:"24h"`
	As      string   `help:"Who signs." default:"officer"`
}

// Run assures.
func (c *assureCmd) Run(a *app) error {
	until, err := lasts(c.For)
	if err != nil {
		return err
	}
	return a.state(desk.StateAsk{Kind: act.AssuranceGiven, As: c.As, Pact: act.PactID(c.Pact), To: act.Party(c.To),
		Assurance: &act.Assurance{Meeting: c.Meeting, Persons: c.Person, Mark: act.Mark{Text: c.Mark}, Until: until}}, "the assurance is act")
}

type openItemsCmd struct{}

// Run lists what waits for an answer.
func (openItemsCmd) Run(a *app) error {
	return a.client(func(k *desk.Client) error {
		var v desk.OpenView
		if err := k.Get(a.ctx, "/v1/open", &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, o := range v.Law {
				fmt.Fprintf(t, "law\t%s\t%s to %s\twaits to be acknowledged\t%s\t%s\n", o.Pact, o.From, o.To, o.Text, o.Act)
			}
			for _, o := range v.Visits {
				state := "waits for the host's approval"
				if o.Approved != nil {
					state = "approved up to " + o.Approved.Text
				}
				if o.Ended != nil {
					state = "ended"
				}
				fmt.Fprintf(t, "visit\t%s\t%s to %s\t%s\t%s\t%s\n", o.Pact, o.By, o.Host, state, o.Subject, o.Act)
			}
			for _, o := range v.Waits {
				fmt.Fprintf(t, "release\t%s\tof %s\twaits for an approval that it names, until %s\t\t%s\n", o.Number, o.From, o.Until.Format(time.RFC3339), o.Act)
			}
			t.Flush()
		})
	})
}

func digest(s string) (d act.Digest, err error) {
	if err := d.UnmarshalText([]byte(s)); err != nil {
		return d, &desk.Problem{Kind: "invalid", Text: "an act is named by its digest: 'entente ledger show --json' lists them"}
	}
	return d, nil
}

// about states something about an earlier act.
func (a *app) about(earlier string, ask desk.StateAsk, said string) error {
	d, err := digest(earlier)
	if err != nil {
		return err
	}
	ask.Act = &d
	return a.state(ask, said)
}

func (a *app) state(ask desk.StateAsk, said string) error {
	return a.client(func(k *desk.Client) error {
		var v desk.GrantView
		if err := k.Post(a.ctx, "/v1/state", ask, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintln(w, said, v.Act) })
	})
}
