package main

import (
	"fmt"
	"io"

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
