package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
)

type ledgerCmd struct {
	Verify  ledgerVerify  `cmd:"" help:"Verify every entry, hash, proof and checkpoint, and compare the tables with what the entries give."`
	Rebuild ledgerRebuild `cmd:"" help:"Drop every folded table and fold the ledger again."`
	Show    ledgerShow    `cmd:"" help:"List the entries."`
}

type ledgerVerify struct{}

// Run verifies.
func (ledgerVerify) Run(a *app) error { return a.long("/v1/verify", "verified") }

type ledgerRebuild struct{}

// Run rebuilds.
func (ledgerRebuild) Run(a *app) error { return a.long("/v1/rebuild", "rebuilt") }

// long runs a long request with progress on a terminal.
func (a *app) long(path, done string) error {
	var h act.Head
	return a.steps(path, nil, &h, "entries", func(w io.Writer) { fmt.Fprintf(w, "%s: %d entries, root %x\n", done, h.Size, h.Root[:]) })
}

// steps runs a long request, shows its progress on a terminal once it takes longer
// than a second, and tells its result.
func (a *app) steps(path string, ask, result any, of string, tell func(io.Writer)) error {
	if err := a.fetch(path, ask, result, of); err != nil {
		return err
	}
	return a.answer(result, tell)
}

func (a *app) fetch(path string, ask, result any, of string) error {
	return a.client(func(d *desk.Client) error {
		began, shown := time.Now(), false
		err := d.Long(a.ctx, path, ask, result, func(n, all int64) {
			if a.terminal() && time.Since(began) > time.Second {
				shown = true
				fmt.Fprintf(a.errs, "\r%d of %d %s", n, all, of)
			}
		})
		if shown {
			fmt.Fprint(a.errs, "\r\033[K")
		}
		return err
	})
}

type ledgerShow struct {
	From int64 `help:"First entry, counted from 0; at most 1000 are listed at once." default:"0"`
}

// Run lists entries.
func (c *ledgerShow) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v struct {
			Entries []struct {
				Index  int64  `json:"index"`
				Digest string `json:"digest"`
				Act    struct {
					Kind act.Kind    `json:"kind"`
					From act.Party   `json:"from"`
					By   string      `json:"by"`
					At   act.Moment  `json:"at"`
					Pact act.PactID  `json:"pact"`
					To   []act.Party `json:"to"`
				} `json:"act"`
			} `json:"entries"`
			Size int64 `json:"size"`
			Next int64 `json:"next,omitempty"`
		}
		if err := d.Get(a.ctx, desk.Path("/v1/entries", "from", fmt.Sprint(c.From)), &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, e := range v.Entries {
				by := e.Act.By
				if by == "" {
					by = string(e.Act.From)
				}
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%.12s\n", e.Index, e.Act.At.Format("2006-01-02 15:04:05"), e.Act.Kind, by, e.Digest)
			}
			t.Flush()
			switch { // beside the list, which a script may read
			case v.Next > 0:
				fmt.Fprintf(a.errs, "of %d entries; go on with: entente ledger show --from %d\n", v.Size, v.Next)
			case len(v.Entries) == 0:
				fmt.Fprintf(a.errs, "the ledger has %d entries, counted from 0\n", v.Size)
			}
		})
	})
}
