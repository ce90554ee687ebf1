package main

import (
	"fmt"
	"io"

	"entente/act"
	"entente/desk"
	"entente/house"
)

type houseCmd struct {
	Check  houseCheck  `cmd:"" help:"Check a file of house rules (Cedar): they may forbid, and permit nothing. A node reads house.cedar in its data folder when it starts."`
	Schema houseSchema `cmd:"" help:"Print what house rules may ask about."`
}

type houseCheck struct {
	File string `arg:"" help:"The rules." type:"existingfile"`
}

// Run checks house rules.
func (c *houseCheck) Run(a *app) error {
	text, err := readText(c.File)
	if err != nil {
		return err
	}
	_, problems := house.Parse(text)
	all := []mistake{}
	for _, q := range problems {
		all = append(all, mistake(q))
	}
	return a.checked(c.File, "the rules have", all, func(w io.Writer) { fmt.Fprintln(w, "the rules narrow, and have no mistakes") })
}

type houseSchema struct{}

// Run prints the schema.
func (houseSchema) Run(a *app) error {
	return a.answer(map[string]string{"schema": house.Schema}, func(w io.Writer) { _, _ = io.WriteString(w, house.Schema) })
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
