package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/desk"
)

type courierCmd struct {
	Pack     courierPack `cmd:"" help:"Write what is for a partner, and not receipted, onto a medium. Again: go on where it was cut."`
	HandOver courierHand `cmd:"" help:"Enter on a medium that it goes into other hands."`
	TakeIn   courierTake `cmd:"" help:"Check a medium whole, then take in what it carries."`
}

// size is a number of bytes as people write it: 4GB, 32GiB, 700MB.
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(b []byte) error {
	text := strings.ToUpper(strings.TrimSpace(string(b)))
	factor := int64(1)
	for unit, f := range map[string]int64{"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			text, factor = strings.TrimSpace(n), f
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/factor {
		return fmt.Errorf("a size is written 700MB, 4GB or 32GiB, not %q", b)
	}
	*s = size(n * factor)
	return nil
}

type courierPack struct {
	Dir     string    `arg:"" help:"Where the medium is mounted: an empty folder." type:"path"`
	To      act.Party `help:"The partner." required:""`
	Courier string    `help:"Who takes it from here." required:""`
	Size    size      `help:"What one medium holds: 4GB, unless it is said or the packing was begun with another. What is not written yet is laid out anew for it."`
	Medium  int       `help:"Which medium of the packing this is, to pack one again that was lost. Default: the next."`
	Anew    bool      `help:"Give up the packing that was begun, and begin another. What is not receipted is in it again."`
	As      string    `help:"Who packs and hands over." default:"officer"`
	Leave   bool      `help:"Pack also what the pact does not carry by courier: it is refused there, and is released again."`
}

// Run packs.
func (c *courierPack) Run(a *app) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	ask := desk.PackAsk{To: c.To, Dir: dir, Capacity: int64(c.Size), Medium: c.Medium, Courier: c.Courier, As: c.As, Leave: c.Leave, Anew: c.Anew}
	var plan carriage.Plan
	if err := a.client(func(d *desk.Client) error { return d.Post(a.ctx, "/v1/courier/plan", ask, &plan) }); err != nil {
		return err
	}
	if !a.JSON {
		if plan.Instead != "" {
			fmt.Fprintf(a.errs, "the packing under seal %s is given up\n", plan.Instead)
		}
		fmt.Fprintf(a.errs, "media needed: %d, of %d MB each, under seal %s; this is medium %d, with %d parcels\n", plan.Of, plan.Capacity/1e6, plan.Seal, plan.Medium, plan.Parcels)
	}
	ask.Medium, ask.Anew = plan.Medium, false
	var m carriage.Medium
	return a.steps("/v1/courier/pack", ask, &m, "parcels", func(w io.Writer) {
		fmt.Fprintf(w, "medium %d of %d for %s under seal %s: %d parcels, handed over to %s\n", m.Medium, m.Of, m.To, m.Seal, len(m.Parcels), c.Courier)
		if m.Medium < m.Of {
			fmt.Fprintf(w, "next: mount an empty medium, then entente courier pack DIR --to %s --courier NAME\n", m.To)
		}
	})
}

type courierHand struct {
	Dir  string `arg:"" help:"Where the medium is mounted." type:"path"`
	From string `help:"Whose hands it leaves." required:""`
	To   string `help:"Into whose it goes." required:""`
	As   string `help:"Who signs for it." default:"officer"`
}

// Run enters a hand-over.
func (c *courierHand) Run(a *app) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	return a.client(func(d *desk.Client) error {
		var v desk.HandAsk
		if err := d.Post(a.ctx, "/v1/courier/hand-over", desk.HandAsk{Dir: dir, From: c.From, To: c.To, As: c.As}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintf(w, "entered: from %s to %s, signed by %s\n", v.From, v.To, v.As) })
	})
}

type courierTake struct {
	Dir  string `arg:"" help:"Where the medium is mounted." type:"path"`
	From string `help:"From whose hands it came: with whom its chain ends. Not needed where that was entered already."`
	As   string `help:"Who takes it in." default:"officer"`
}

// Run takes a medium in.
func (c *courierTake) Run(a *app) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	var v desk.TakenView
	return a.steps("/v1/courier/take-in", desk.TakeAsk{Dir: dir, From: c.From, As: c.As}, &v, "steps", func(w io.Writer) {
		fmt.Fprintf(w, "medium %d of %d from %s under seal %s: %d parcels, all of them good, taken in\n", v.Medium.Medium, v.Of, v.From, v.Seal, len(v.Parcels))
		fmt.Fprintln(w, "through whose hands it came, as they signed who gave or took it:")
		for _, h := range v.Hands {
			fmt.Fprintf(w, "  %s  %s -> %s\n", h.At.UTC().Format(time.DateTime), h.From, h.To)
		}
		fmt.Fprintln(w, "the receipts go by any link, or by the next medium: entente courier pack DIR --to", v.From)
	})
}
