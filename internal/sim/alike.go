package sim

import (
	"fmt"
	"maps"
	"slices"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/product"
)

// This file compares what two nodes would show their people of what passed between them,
// once all has been carried: not that the acts are there, which final asks, but that both
// made the same of them.

// alike checks that the tables of two sides tell one story of the two.
func (w *World) alike(a, b *Side) {
	one, other := w.story(a, a, b), w.story(b, a, b)
	for _, what := range slices.Sorted(maps.Keys(one)) {
		if is, ok := other[what]; !ok || is != one[what] {
			w.fail(28, "%s holds that %s: %s, and %s: %s", a, what, one[what], b, other[what])
		}
	}
	for _, what := range slices.Sorted(maps.Keys(other)) {
		if _, ok := one[what]; !ok {
			w.fail(28, "%s holds that %s: %s, and %s knows nothing of it", b, what, other[what], a)
		}
	}
}

// story is what the tables of s tell of what passed between a and b.
func (w *World) story(s, a, b *Side) map[string]string {
	told := map[string]string{}
	say := func(is any, what string, args ...any) { told[fmt.Sprintf(what, args...)] = fmt.Sprint(is) }
	refused := without(a, b)
	err := read(s.disk, func(tx *ledger.Tx) error {
		c := &catalogue.Catalogue{Own: s.party}
		for cu, err := range c.Products(tx) {
			if err != nil {
				return err
			}
			have := append([]act.Party{cu.From}, cu.Manifest.Recipients...)
			if !slices.Contains(have, a.party) || !slices.Contains(have, b.party) {
				continue
			}
			for _, x := range [2][2]*Side{{a, b}, {b, a}} {
				if cu.From == x[0].party && slices.Contains(cu.Manifest.Recipients, x[1].party) {
					w.ofProduct(say, &cu, s, x[1].party)
				}
				if err := ofApprovals(say, c, tx, cu.Manifest.Number, x[0].party, x[1].party, refused, Three(w.seed)); err != nil {
					return err
				}
			}
		}
		visits, err := c.Visits(tx)
		if err != nil {
			return err
		}
		for _, v := range visits {
			if ofBoth(v.By, v.Host, a, b) && !refused[v.Act] {
				say(fmt.Sprint(v.Approved, v.Ended != nil), "visit %.8s is approved, and ended", v.Act)
			}
		}
		open, err := c.Open(tx)
		if err != nil {
			return err
		}
		for _, o := range open {
			if ofBoth(o.From, o.To, a, b) && !refused[o.Act] {
				say(o.Text, "notice of law %.8s waits", o.Act)
			}
		}
		o := a
		if s == a {
			o = b
		}
		partner, _, err := c.Partner(tx, o.party)
		for _, p := range partner.Notified {
			say(p, "%s told %s of %s", s, o, p.Name)
		}
		for _, p := range partner.Authorities {
			say(p, "%s told %s of %s", o, s, p.Name)
		}
		return err
	})
	if err != nil {
		w.fail(28, "%s: %v", s, err)
	}
	return told
}

// without names the acts that one of two refused, or of which it refused what answers them: of
// these the other alone keeps what it entered.
func without(a, b *Side) map[act.Digest]bool {
	all := map[act.Digest]bool{}
	for _, x := range [2][2]*Side{{a, b}, {b, a}} {
		for d := range x[0].view.refused {
			i := slices.Index(x[1].view.sums, d)
			if all[d] = true; i < 0 {
				continue
			}
			switch b := x[1].view.acts[i].Body.(type) {
			case act.Withdrawal:
				all[b.Act] = true
			case act.Approval:
				all[b.Visit] = true
			}
		}
	}
	return all
}

func ofBoth(p, q act.Party, a, b *Side) bool {
	return p == a.party && q == b.party || p == b.party && q == a.party
}

// ofProduct tells what became of a product with one of its recipients.
func (w *World) ofProduct(say func(any, string, ...any), cu *product.Custody, s *Side, to act.Party) {
	n := cu.Manifest.Number
	_, received := cu.Received[to]
	_, refused := cu.Refused[to]
	_, waits := cu.Waits[to]
	openings := 0
	for _, o := range cu.Openings {
		if o.Party == to {
			openings++
		}
	}
	mark, _ := cu.Mark(&cu.Manifest)
	say(mark.Text, "%s is marked", n)
	say(fmt.Sprint(received, refused, waits), "%s was received by %s, refused, or waits", n, to)
	say(openings, "%s was opened by %s", n, to)
	say(cu.Destroyed[to] != nil, "%s was destroyed by %s", n, to)
	if cu.Asking && s.party == to {
		w.fail(21, "%s asked for a share of %s, and was never answered", s, n)
	}
}

// ofApprovals tells of the approvals of a product that one of two gave the other. A copy is
// its maker's own affair, and uses an approval up unheard; and a release to a third.
func ofApprovals(say func(any, string, ...any), c *catalogue.Catalogue, tx *ledger.Tx, n act.Number, by, to act.Party, refused map[act.Digest]bool, three bool) error {
	all, err := c.Consents(tx, to, n)
	for _, k := range all {
		switch {
		case k.By != by, refused[k.Act]:
		case k.Deed == "copy" || three:
			say(k.Withdrawn, "approval %.8s is withdrawn", k.Act)
		default:
			say(fmt.Sprint(k.Withdrawn, k.Used), "approval %.8s is withdrawn, and used", k.Act)
		}
	}
	return err
}
