package sim

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

// Reach counts how often each thing occurred: faults, refusals, recoveries,
// what people did, entries of each kind, the end that a pact came to.
type Reach map[string]int

// Add adds another count.
func (r Reach) Add(o Reach) {
	for k, n := range o {
		r[k] += n
	}
}

// Missing names what a run should have reached and never did.
func (r Reach) Missing() (all []string) {
	for k := range strings.Lines(must) {
		if k = strings.TrimSpace(k); r[k] == 0 {
			all = append(all, k)
		}
	}
	return all
}

// must names what a run of enough worlds reaches.
//
//go:embed reach.txt
var must string

// Enough is how many worlds must reach everything.
const Enough = 1000

// Sorted names what was reached, in order.
func Sorted(r Reach) []string { return slices.Sorted(maps.Keys(r)) }
