package carriage

import (
	"fmt"
	"net"
	"sync"
	"time"

	"entente/act"
)

// door counts who is inside, so that no caller takes the place of another. The
// zero door is open.
type door struct {
	mu       sync.Mutex
	greeting int                      // callers of all hosts who have not shown a known key yet
	hosts    map[string]*host         // those who called lately
	inside   map[act.Party]int        // connections of each partner
	acts     map[act.Party]*allowance // acts that each partner may still hand over
	turned   map[string]uint64        // callers turned away, by the limit that they met
}

type host struct {
	greeting int
	calls    allowance
}

// allowance is a number that is spent, and grows again with time up to a bound.
type allowance struct {
	left float64
	at   time.Time
}

func (a *allowance) spend(n int, most, perSecond float64, now time.Time) bool {
	if a.at.IsZero() {
		a.left = most
	} else if since := now.Sub(a.at).Seconds(); since > 0 { // a clock that was set back gives nothing
		a.left = min(most, a.left+since*perSecond)
	}
	a.at = now
	if a.left < float64(n) {
		return false
	}
	a.left -= float64(n)
	return true
}

func hostOf(c net.Conn) string {
	h, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return h
}

// greet lets a caller begin its greeting; end says that it has ended. A caller
// that may not is turned away before a byte is read: no key has been seen, so
// that nobody is owed a word.
func (d *door) greet(from string, now time.Time) (end func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hosts[from]
	if h == nil {
		if d.forget(now); len(d.hosts) >= maxHosts {
			d.turn("hosts")
			return nil, false
		}
		h = &host{}
		d.hosts[from] = h
	}
	switch {
	case d.greeting >= maxGreeting:
		d.turn("greetings")
		return nil, false
	case h.greeting >= maxGreetingFrom:
		d.turn("greetings of a host")
		return nil, false
	case !h.calls.spend(1, callsAtOnce, callsPerSecond, now):
		d.turn("calls of a host")
		return nil, false
	}
	d.greeting++
	h.greeting++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.greeting--
		h.greeting--
	}), true
}

// forget drops the hosts that could call as if they never had.
func (d *door) forget(now time.Time) {
	if d.hosts == nil {
		d.hosts = map[string]*host{}
	}
	for name, h := range d.hosts {
		if h.greeting == 0 && now.Sub(h.calls.at).Seconds()*callsPerSecond >= callsAtOnce {
			delete(d.hosts, name)
		}
	}
}

// admit lets one more connection of a partner in, and leave lets it out.
func (d *door) admit(p act.Party) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside == nil {
		d.inside = map[act.Party]int{}
	}
	if d.inside[p] >= maxOfPartner {
		d.turn("connections of a partner")
		return false
	}
	d.inside[p]++
	return true
}

func (d *door) leave(p act.Party) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside[p]--
}

// errHands says that a partner hands over too many acts, on a link or in parcels.
var errHands = fmt.Errorf("a partner hands over %d acts at once and %d a minute at most: the rest is taken in when you call again", actsAtOnce, actsPerMinute)

// hands reports whether a partner may hand over n more acts now.
func (d *door) hands(p act.Party, n int, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.acts == nil {
		d.acts = map[act.Party]*allowance{}
	}
	if d.acts[p] == nil {
		d.acts[p] = &allowance{}
	}
	if d.acts[p].spend(n, actsAtOnce, actsPerMinute/60.0, now) {
		return true
	}
	d.turn("acts of a partner")
	return false
}

func (d *door) turn(limit string) {
	if d.turned == nil {
		d.turned = map[string]uint64{}
	}
	d.turned[limit]++
}
