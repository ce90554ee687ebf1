package sim_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"entente/internal/sim"
)

// The flags of cmd/entente-sim, which builds this test and runs it: only a test
// may own the randomness of the crypto packages.
var (
	seeds = flag.Uint64("seeds", 5, "how many worlds")
	from  = flag.Uint64("from", 1, "the seed of the first")
	steps = flag.Int("steps", 200, "steps of a world")
	find  = flag.Int("find", 0, "stop at the first world that fails in this invariant, and do not shrink it; name the first that fails in another")
	most  = flag.Int("most", 1, "go on until this many worlds failed")
	show  = flag.Bool("history", false, "print the history of each world")
	reach = flag.String("reach", "", "write how often each thing occurred to this file")
)

// TestMain lets garbage grow: a world is small and short.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

func config(t *testing.T) *sim.Config {
	t.Helper()
	cfg := &sim.Config{Dir: t.TempDir(), Random: func(s uint64) { cryptotest.SetGlobalRandom(t, s) }}
	if err := cfg.Prepare(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestWorlds runs the worlds of some seeds. In no world may an invariant fail.
func TestWorlds(t *testing.T) {
	cfg, all, began, failed, others := config(t), sim.Reach{}, time.Now(), 0, 0
	for seed := *from; seed < *from+*seeds; seed++ {
		plan := sim.Plan(seed, *steps)
		r := sim.Run(cfg, seed, plan)
		all.Add(r.Reach)
		if *show {
			fmt.Printf("seed %d\n%s", seed, r.History)
		}
		if r.Failure == nil {
			continue
		}
		if *find > 0 {
			how := "found"
			if r.Failure.Invariant != *find {
				how = "found otherwise"
			}
			if how == "found" || others == 0 {
				t.Errorf("%s by world %d: invariant %d: %s", how, seed-*from+1, r.Failure.Invariant, r.Failure.Text)
			}
			if others++; how == "found" {
				return
			}
			continue
		}
		short := sim.Shrink(cfg, seed, plan, r.Failure.Invariant)
		r = sim.Run(cfg, seed, short)
		t.Errorf("seed %d: %v\nthe shortest history found that fails:\n%s", seed, r.Failure, r.History)
		if failed++; failed == *most {
			t.FailNow()
		}
	}
	t.Logf("%d worlds of %d steps, %.1f a second", *seeds, *steps, float64(*seeds)/time.Since(began).Seconds())
	if *reach == "" {
		return
	}
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%d %s\n", all[k], k)
	}
	if err := os.WriteFile(*reach, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRepeats: the same seed gives the same history, byte for byte, with the
// roots of all ledgers at its end, whatever ran before it, wherever its folders lie,
// and on however many processors.
func TestRepeats(t *testing.T) {
	cfg, elsewhere := config(t), config(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	run := func(cfg *sim.Config, seed uint64, processors int) []byte {
		runtime.GOMAXPROCS(processors)
		return sim.Run(cfg, seed, sim.Plan(seed, 120)).History
	}
	var all [][]byte
	for seed := range uint64(20) { // by links, a pouch, in bad faith, by the hub, by media, by all
		all = append(all, run(cfg, seed, 1))
	}
	for seed := uint64(len(all)); seed > 0; {
		seed--
		other := run(elsewhere, seed, 2)
		if !bytes.Equal(all[seed], other) || !bytes.Contains(other, []byte(", root ")) {
			t.Errorf("seed %d gives two histories:\n%s\n%s", seed, all[seed], other)
		}
	}
}

// TestOneGoroutine: no step of any node begins a goroutine, so that nothing can come
// in another order.
func TestOneGoroutine(t *testing.T) {
	cfg := config(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection begins workers of its own
	created := func() uint64 {
		s := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	before := created()
	done := make(chan bool)
	go close(done)
	if <-done; created() == before {
		t.Fatal("a goroutine that begins is not counted")
	}
	for seed := range uint64(20) {
		before := created()
		sim.Run(cfg, seed, sim.Plan(seed, 120))
		if n := created() - before; n > 0 {
			t.Errorf("the world of seed %d began %d goroutines", seed, n)
		}
		runtime.GC()
	}
}

// TestGrounds: each ground that a run must reach is one whose truth is asked for.
func TestGrounds(t *testing.T) {
	n := 0
	for _, k := range (sim.Reach{}).Missing() {
		text, ok := strings.CutPrefix(k, "refused: ")
		if !ok {
			if text, ok = strings.CutPrefix(k, "refused to a partner: "); !ok {
				continue
			}
		}
		if n++; !sim.Ground(text) {
			t.Errorf("nothing asks whether it is so: %q", text)
		}
	}
	if n < 50 {
		t.Errorf("only %d grounds must be reached", n)
	}
}

// TestMissing: what never occurred is named.
func TestMissing(t *testing.T) {
	if len((sim.Reach{}).Missing()) < 100 {
		t.Error("a run that reaches nothing is called good")
	}
}
