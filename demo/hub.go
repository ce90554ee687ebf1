package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/desk"
	"entente/product"
	"entente/release"
	"entente/ruling"
)

// The arrangement of 2014 shares by way of Washington; that of 2016 needs no
// third. Here the same reports go three ways from Seoul to Tokyo: directly, sealed through
// the hub, and released to Washington, which passes them on with Seoul's consent.

const arrangement = act.PactID("kr-jp-us-2014")

// concludeThree has each know each, and takes the arrangement into force.
func (r *run) concludeThree(ctx context.Context) error {
	for _, x := range []struct{ own, other *side }{{r.kr, r.us}, {r.jp, r.us}, {r.us, r.kr}, {r.us, r.jp}} {
		ask := desk.PactAsk{Address: "127.0.0.1:" + x.other.port, Code: x.other.code, As: "officer"}
		if err := x.own.c.Post(ctx, "/v1/partner", ask, &desk.SignView{}); err != nil {
			return fmt.Errorf("%s pins %s: %w", x.own.city, x.other.city, err)
		}
	}
	for _, s := range r.sides {
		in, err := s.inForce(ctx, arrangement)
		if err != nil || in {
			if in {
				r.did("%s: the arrangement is in force since an earlier run", s.city)
				continue
			}
			return err
		}
		if s != r.sides[0] {
			if err := r.until(ctx, "the arrangement is proposed to "+s.city, func() (bool, error) {
				var all []desk.PactView
				err := s.c.Get(ctx, desk.Path("/v1/pacts", "id", string(arrangement)), &all)
				return len(all) > 0, err
			}); err != nil {
				return err
			}
		}
		if err := s.c.Post(ctx, "/v1/pact/sign", desk.PactAsk{Pact: arrangement, As: "officer"}, &desk.SignView{}); err != nil {
			return fmt.Errorf("%s signs: %w", s.city, err)
		}
		r.did("%s signs %s", s.city, arrangement)
	}
	for _, s := range r.sides {
		if err := r.until(ctx, "the arrangement is in force in "+s.city, func() (bool, error) { return s.inForce(ctx, arrangement) }); err != nil {
			return err
		}
	}
	r.did("the arrangement is in force, as the three read it")
	return r.cleared(ctx)
}

// cleared has Tokyo's analyst need to know what comes under the arrangement too.
func (r *run) cleared(ctx context.Context) error {
	var all []act.Person
	if err := r.jp.c.Get(ctx, "/v1/persons", &all); err != nil {
		return err
	}
	for _, p := range all {
		if p.Name != "analyst" || slices.ContainsFunc(p.Needs, func(n act.Need) bool { return n.Pact == arrangement }) {
			continue
		}
		p.Needs = append(p.Needs, act.Need{Pact: arrangement, Purposes: []string{"threat-assessment"}})
		return r.jp.c.Post(ctx, "/v1/persons", p, new(string))
	}
	return nil
}

// way is one way from Seoul to Tokyo, and how long each report took on it.
type way struct {
	name  string
	pact  act.PactID
	via   act.Party
	to    *side // to whom Seoul releases
	took  []time.Duration
	there []act.Number // what Tokyo has by it
}

// compare sends the same reports on each way, one after the other.
func (r *run) compare(ctx context.Context) error {
	if err := r.earlier(ctx); err != nil {
		return err
	}
	events, err := Events(time.Date(2016, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	events = events[max(0, len(events)-r.Reports):]
	ways := []*way{
		{name: "directly, under " + string(pactID), pact: pactID, to: r.jp},
		{name: "sealed through Washington, under " + string(arrangement), pact: arrangement, via: r.us.party, to: r.jp},
		{name: "passed on by Washington with consent, under " + string(arrangement), pact: arrangement, via: r.us.party, to: r.us},
	}
	for _, w := range ways {
		if err := r.route(ctx, w.via); err != nil {
			return err
		}
		for i, e := range events {
			r.progress("%s: %d of %d", w.name, i, len(events))
			if err := r.report(ctx, w, e); err != nil {
				return err
			}
		}
		if len(w.took) < len(events) {
			r.did("%d reports went %s, %d of them on an earlier run", len(events), w.name, len(events)-len(w.took))
		} else {
			r.did("%d reports went %s", len(events), w.name)
		}
	}
	r.say("\n             release to receipt at Tokyo, median and longest of each way:")
	for _, w := range ways {
		if len(w.took) == 0 {
			r.say("                                    %s: on an earlier run", w.name)
			continue
		}
		slices.Sort(w.took)
		r.say("             %8.1f ms %8.1f ms  %s", ms(w.took[len(w.took)/2]), ms(w.took[len(w.took)-1]), w.name)
	}
	r.step = time.Now()
	return r.held(ctx, ways)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// route has Seoul and Tokyo reach each other by way of a hub, or directly.
func (r *run) route(ctx context.Context, via act.Party) error {
	for _, x := range []struct{ own, other *side }{{r.kr, r.jp}, {r.jp, r.kr}} {
		ask := desk.RouteAsk{Routing: act.Routing{Party: x.other.party, Via: via}, As: "officer"}
		if err := x.own.c.Post(ctx, "/v1/route", ask, &act.Routing{}); err != nil {
			return fmt.Errorf("%s routes %s: %w", x.own.city, x.other.city, err)
		}
	}
	return nil
}

// report sends one report on a way and waits for Tokyo's receipt.
func (r *run) report(ctx context.Context, w *way, e Event) error {
	d := r.kr.draft(fmt.Sprintf("Report of %s (%s), %s", e.ID, e.Name, w.name), "report", e.Kind)
	d.Pact, d.To = w.pact, []act.Party{w.to.party}
	began := time.Now()
	n, there, err := r.carry(ctx, r.kr, d, e.Report())
	if err == nil && w.to == r.us {
		n, there, err = r.passOn(ctx, d.Title, n)
	}
	if err != nil {
		return err
	}
	if w.there = append(w.there, n); !there {
		w.took = append(w.took, time.Since(began))
	}
	return nil
}

// carry releases a draft, unless an earlier run did, and waits for the receipt.
func (r *run) carry(ctx context.Context, s *side, d release.Draft, content []byte) (n act.Number, earlier bool, err error) {
	if n = s.have[d.Title]; n == "" {
		slip, err := s.c.Release(ctx, d, bytes.NewReader(content))
		if err != nil {
			return n, false, fmt.Errorf("%s releases %q: %w", s.city, d.Title, err)
		}
		n = slip.Number
	} else {
		earlier = true
	}
	return n, earlier, r.until(ctx, "the receipt of "+string(n)+" is here", func() (bool, error) {
		var v struct {
			Custody product.Custody `json:"custody"`
		}
		if err := s.c.Long(ctx, "/v1/why", desk.WhyAsk{Number: n}, &v, func(_, _ int64) {}); err != nil {
			return false, err
		}
		for p, x := range v.Custody.Refused {
			return false, fmt.Errorf("%s refuses %s: %v", p, n, x.Because)
		}
		return len(v.Custody.Received) == len(d.To), nil
	})
}

// passOn has Seoul consent, and Washington read the product, mark its equivalent
// and release a product of its own, made from it.
func (r *run) passOn(ctx context.Context, title string, of act.Number) (act.Number, bool, error) {
	d := r.us.draft(title, "report", "missile-launch")
	d.Pact, d.To, d.Lineage = arrangement, []act.Party{r.jp.party}, []act.Lineage{{Of: of, How: "excerpt"}}
	if r.us.have[title] != "" {
		return r.carry(ctx, r.us, d, nil)
	}
	consent := &act.Consent{Number: of, Deed: "pass-on", Recipient: r.jp.party, Purpose: d.Purpose, Until: act.MomentOf(time.Now().Add(24 * time.Hour)), Uses: 1}
	if err := r.kr.c.Post(ctx, "/v1/consent", desk.GrantAsk{As: "officer", Consent: consent}, &desk.GrantView{}); err != nil {
		return "", false, fmt.Errorf("%s consents: %w", r.kr.city, err)
	}
	if err := r.until(ctx, "the consent is in "+r.us.city, func() (bool, error) {
		var v ruling.Ruling
		err := r.us.c.Post(ctx, "/v1/preview", d, &v)
		return v.Allowed, err
	}); err != nil {
		return "", false, err
	}
	// Tokyo rules on it too, and refuses for good what comes before the consent.
	if err := r.until(ctx, "the consent is in "+r.jp.city, func() (bool, error) {
		var v desk.StatusView
		err := r.kr.c.Get(ctx, "/v1/status", &v)
		return !slices.ContainsFunc(v.Partners, func(p desk.PartnerView) bool { return p.Waiting != 0 }), err
	}); err != nil {
		return "", false, err
	}
	var content bytes.Buffer
	if err := r.us.c.Open(ctx, desk.OpenAsk{Number: of, As: "analyst"}, &content, func(desk.Opened) {}); err != nil {
		return "", false, fmt.Errorf("%s reads %s: %w", r.us.city, of, err)
	}
	return r.carry(ctx, r.us, d, content.Bytes())
}

// held shows what the hub knows of what was sealed through it.
func (r *run) held(ctx context.Context, ways []*way) error {
	var all []product.Custody
	if err := r.us.c.Get(ctx, "/v1/products", &all); err != nil {
		return err
	}
	for _, cu := range all {
		if slices.Contains(ways[0].there, cu.Manifest.Number) || slices.Contains(ways[1].there, cu.Manifest.Number) {
			return fmt.Errorf("%s knows %s, which was not released to it", r.us.city, cu.Manifest.Number)
		}
	}
	var v desk.StatusView
	if err := r.us.c.Get(ctx, "/v1/status", &v); err != nil {
		return err
	}
	var sizes []string
	for size, n := range v.Relayed.Passed {
		if size == 0 {
			return fmt.Errorf("%s passed on %d parcels that are not padded", r.us.city, n)
		}
		sizes = append(sizes, fmt.Sprintf("%d of %d KiB", n, size>>10))
	}
	if slices.Sort(sizes); len(sizes) == 0 {
		sizes = []string{"none on this run"}
	}
	r.did("%s held padded parcels alone (%s); of the %d reports sealed through it its ledger knows none", r.us.city, strings.Join(sizes, ", "), len(ways[1].there))
	return nil
}

// summaryThree verifies the three ledgers and compares them.
func (r *run) summaryThree(ctx context.Context) error {
	views, same, err := r.verify(ctx)
	if err != nil {
		return err
	}
	var each []string
	out, receipts := 0, 0
	for i, s := range r.sides {
		each = append(each, fmt.Sprintf("%s %d entries", s.city, views[i].Ledger.Size))
		out, receipts = out+views[i].Out, receipts+views[i].Receipts
	}
	r.say("\nreceipts    %d of %d", receipts, out)
	r.say("ledgers     %s; verified; in agreement on %d products", strings.Join(each, ", "), same)
	return r.links(ctx)
}
