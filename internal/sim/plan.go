package sim

import (
	"math/rand/v2"
	"slices"
)

// Step is one step of a plan. It carries its own randomness, so that a plan
// from which steps are taken away does otherwise the same.
type Step struct {
	At int // its place in the plan as drawn
	Op int
	R  uint64
}

// op is something that can happen in a world.
type op struct {
	name   string
	weight int
	where  func(seed uint64) bool // in which worlds; nil: in all
	run    func(*World) string
}

// Hostile reports whether party 1 acts in bad faith in the world of a seed.
func Hostile(seed uint64) bool { return seed%3 == 2 && !Three(seed) }

// Three reports whether a world has three nodes: the third can be the hub between the two.
func Three(seed uint64) bool { return seed%10 == 4 || seed%10 == 9 }

// Unconcluded reports whether a world begins without a pact.
func Unconcluded(seed uint64) bool { return seed%4 == 0 }

// Amends reports whether its people are about to amend the pact.
func Amends(seed uint64) bool { return seed%7 == 3 }

// way is how the first two parties reach each other.
type way int

// The ways. That by the hub is in the ledgers of the two: see partner.routed.
const (
	byLink    way = iota
	byPouch       // parcels, carried by somebody who is not to be trusted
	byCourier     // media, carried likewise
)

// began is the way at the beginning of a world, and ways are those that it changes among.
func began(seed uint64) way {
	if all := ways(seed); len(all) == 1 {
		return all[0]
	}
	return byLink
}

func ways(seed uint64) []way {
	switch seed % 10 {
	case 1:
		return []way{byPouch}
	case 3:
		return []way{byLink, byPouch}
	case 6:
		return []way{byCourier}
	case 8:
		return []way{byLink, byCourier, byPouch}
	}
	return []way{byLink}
}

// Linked reports whether a world ever has links.
func Linked(seed uint64) bool { return slices.Contains(ways(seed), byLink) }

// ByPouch reports whether parcels ever travel in its pouch.
func ByPouch(seed uint64) bool { return slices.Contains(ways(seed), byPouch) }

// ByCourier reports whether media ever travel in it.
func ByCourier(seed uint64) bool { return slices.Contains(ways(seed), byCourier) || seed%10 == 9 }

// Turns reports whether the way changes.
func Turns(seed uint64) bool { return len(ways(seed)) > 1 }

// Plan draws n steps from a seed.
func Plan(seed uint64, n int) (plan []Step) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	weight := func(o op) int {
		switch {
		case o.where != nil && !o.where(seed):
			return 0
		case o.name == "pact" && Unconcluded(seed) && Three(seed):
			return 8 * o.weight // there are three pacts
		case o.name == "pact" && Unconcluded(seed):
			return 4 * o.weight // there is none yet: let it be concluded, or not
		}
		return o.weight
	}
	sum := 0
	for _, o := range ops {
		sum += weight(o)
	}
	for i := range n {
		at := rnd.IntN(sum)
		for j, o := range ops {
			if at -= weight(o); at < 0 {
				plan = append(plan, Step{i, j, rnd.Uint64()})
				break
			}
		}
	}
	return plan
}

// Shrink takes away steps for as long as the world still fails in the same
// invariant, and returns the shortest plan that it found.
func Shrink(cfg *Config, seed uint64, plan []Step, invariant int) []Step {
	fails := func(p []Step) bool {
		r := Run(cfg, seed, p)
		return r.Failure != nil && r.Failure.Invariant == invariant
	}
	for size := len(plan) / 2; size > 0; size /= 2 {
		for from := 0; from < len(plan); {
			less := slices.Delete(slices.Clone(plan), from, min(from+size, len(plan)))
			if fails(less) {
				plan = less
			} else {
				from += size
			}
		}
	}
	return plan
}
