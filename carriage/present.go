package carriage

import (
	"slices"
	"time"

	"entente/act"
	"entente/party"
)

// shown is the card of a stranger, kept for an officer who compares its code.
type shown struct {
	card act.Card
	host string
	at   time.Time
}

// present remembers a stranger's card. Where there is no room the host that has most makes
// it, with its newest: neither many keys nor many calls crowd out who introduced itself
// before, or comes from elsewhere.
func (d *Direct) present(c act.Card, host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	d.presented = slices.DeleteFunc(d.presented, func(o shown) bool {
		return o.card.Link == c.Link || waited(now, o.at, presentedFor)
	})
	each := map[string]int{host: 1}
	most := host
	for _, o := range d.presented {
		if each[o.host]++; each[o.host] > each[most] {
			most = o.host
		}
	}
	full := len(d.presented) >= maxPresented
	if each[host] > maxPresentedFrom || full && each[host] >= each[most] {
		d.crowded()
		return
	}
	if full {
		d.crowded()
		i := len(d.presented) - 1
		for d.presented[i].host != most {
			i--
		}
		d.presented = slices.Delete(d.presented, i, i+1)
	}
	d.presented = append(d.presented, shown{c, host, now})
}

// crowded counts a card that is not remembered.
func (d *Direct) crowded() {
	d.door.mu.Lock()
	defer d.door.mu.Unlock()
	d.door.turn("introductions of a host")
}

// Presented returns the card whose code an officer heard, among those that
// strangers showed.
func (d *Direct) Presented(code string) (act.Card, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range slices.Backward(d.presented) {
		if party.SameCode(party.Code(o.card), code) {
			return o.card, true
		}
	}
	return act.Card{}, false
}
