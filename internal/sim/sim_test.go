package sim_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"entente/internal/sim"
)

var (
	seeds = flag.Uint64("seeds", 60, "how many worlds")
	from  = flag.Uint64("from", 1, "the first seed")
	steps = flag.Int("steps", 200, "steps of a world")
	show  = flag.Bool("history", false, "print each world's history")
)

func config(t *testing.T) *sim.Config {
	t.Helper()
	cfg := &sim.Config{Dir: t.TempDir(), Random: func(s uint64) { cryptotest.SetGlobalRandom(t, s) }}
	if err := cfg.Prepare(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestWorlds(t *testing.T) {
	cfg := config(t)
	reach := sim.Reach{}
	began := time.Now()
	for seed := *from; seed < *from+*seeds; seed++ {
		plan := sim.Plan(seed, *steps)
		r := sim.Run(cfg, seed, plan)
		for k, n := range r.Reach {
			reach[k] += n
		}
		if *show {
			os.Stdout.Write(r.History)
		}
		if r.Failure != nil {
			short := sim.Shrink(cfg, seed, plan, r.Failure.Invariant)
			r = sim.Run(cfg, seed, short)
			t.Fatalf("seed %d: %v\n%s", seed, r.Failure, r.History)
		}
	}
	fmt.Printf("%d worlds, %.0f a second\n", *seeds, float64(*seeds)/time.Since(began).Seconds())
	for _, k := range slices.Sorted(maps.Keys(reach)) {
		fmt.Printf("%8d %s\n", reach[k], k)
	}
}
