// Command entente-sim runs simulated worlds, each from one seed: see package
// internal/sim and docs/reliability.md.
//
//	go run ./cmd/entente-sim --seeds 1000 --from 1
//	go run ./cmd/entente-sim --bugs
//
// It builds the simulator as a test binary, because only a test may own the
// randomness of the crypto packages, and runs one on each core, some worlds at a time. What a
// world comes to depends on its seed alone. How far a long run has come goes to standard error.
// With --bugs it plants each mistake of internal/sim/testdata/bugs in turn, by an
// overlay that leaves the tree alone, and fails unless each is found.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"entente/internal/sim"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "entente-sim:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("entente-sim", flag.ContinueOnError)
	seeds := f.Uint64("seeds", 1000, "how many worlds; for --bugs, at most for each")
	from := f.Uint64("from", 1, "the seed of the first world")
	steps := f.Int("steps", 200, "steps of a world")
	jobs := f.Int("jobs", runtime.NumCPU(), "processes at once")
	bugs := f.Bool("bugs", false, "plant each bug of internal/sim/testdata/bugs, and find it")
	match := f.String("match", "", "with --bugs: only those whose name matches")
	history := f.Bool("history", false, "print the history of each world")
	if err := f.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "entente-sim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	s := simulator{root: root, tmp: tmp, worldsDir: tmp, progress: os.Stderr, steps: *steps}
	if memory, err := os.MkdirTemp("/dev/shm", "entente-sim"); err == nil {
		s.worldsDir = memory // a simulated medium is not to wait for a real disk
		defer os.RemoveAll(memory)
	}
	if *bugs {
		return s.bugs(out, *match, *seeds, *from, max(1, *jobs))
	}
	return s.worlds(out, *seeds, *from, max(1, *jobs), *history)
}

func moduleRoot() (string, error) {
	b, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(b))), nil
}

type simulator struct {
	root, tmp string
	worldsDir string    // where worlds keep their folders: in memory, where there is such a place
	progress  io.Writer // told how far a long run has come
	steps     int
}

// build builds the simulator, with some files replaced.
func (s *simulator) build(name string, overlay map[string]string) (string, error) {
	bin := filepath.Join(s.tmp, name)
	args := []string{"test", "-c", "-o", bin}
	if overlay != nil {
		b, err := json.Marshal(map[string]any{"Replace": overlay})
		if err != nil {
			return "", err
		}
		file := bin + ".json"
		if err := os.WriteFile(file, b, 0o600); err != nil {
			return "", err
		}
		args = append(args, "-overlay", file)
	}
	c := exec.Command("go", append(args, "./internal/sim")...)
	c.Dir = s.root
	if b, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the simulator: %w\n%s", err, b)
	}
	return bin, nil
}

// start runs a built simulator and returns what it printed.
func (s *simulator) start(bin string, seeds, from uint64, more ...string) ([]byte, error) {
	c := exec.Command(bin, append([]string{"-test.run", "^TestWorlds$", "-test.v", "-test.timeout", "0", "-seeds", fmt.Sprint(seeds), "-from", fmt.Sprint(from), "-steps", fmt.Sprint(s.steps)}, more...)...)
	c.Dir = filepath.Join(s.root, "internal", "sim")
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "TMPDIR="+s.worldsDir)
	return c.CombinedOutput()
}

// chunk is how many worlds a process runs before it ends: progress is told after each.
const chunk = 250

// most is how many failures are gathered before a run ends.
const most = 10

// worlds runs the worlds of a range of seeds, a process for each core, prints the reach, and
// fails if a world did, or if something was never reached.
func (s *simulator) worlds(out io.Writer, seeds, from uint64, jobs int, history bool) error {
	bin, err := s.build("sim.test", nil)
	if err != nil {
		return err
	}
	began := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	all, failures, done := sim.Reach{}, 0, uint64(0)
	next := make(chan uint64)
	size := min(chunk, (seeds+uint64(jobs)-1)/uint64(jobs))
	for range jobs {
		wg.Go(func() {
			for first := range next {
				n := min(size, from+seeds-first)
				file := filepath.Join(s.tmp, fmt.Sprint("reach", first))
				args := []string{"-reach", file, "-most", fmt.Sprint(most)}
				if history {
					args = append(args, "-history")
				}
				b, err := s.start(bin, n, first, args...)
				mu.Lock()
				if history {
					_, _ = out.Write(b)
				}
				if err != nil { // said at once: a long run may be ended before its end
					failures++
					fmt.Fprintf(out, "%s\n", bytes.TrimSpace(b))
				}
				all.Add(read(file))
				if done += n; seeds > chunk && done < seeds {
					rate := float64(done) / time.Since(began).Seconds()
					fmt.Fprintf(s.progress, "%d of %d worlds, %.1f a second, %d processes found a failure, %v to go\n", done, seeds, rate, failures,
						time.Duration(float64(seeds-done)/rate*float64(time.Second)).Round(time.Second))
				}
				mu.Unlock()
			}
		})
	}
	for first := from; first < from+seeds; first += size {
		mu.Lock()
		enough := failures >= most
		mu.Unlock()
		if enough {
			break
		}
		next <- first
	}
	close(next)
	wg.Wait()
	if failures > 0 {
		return fmt.Errorf("%d of the processes found a world that fails, in %d worlds", failures, done)
	}
	for _, k := range sim.Sorted(all) {
		fmt.Fprintf(out, "%9d  %s\n", all[k], k)
	}
	fmt.Fprintf(out, "%d worlds of %d steps from seed %d: every invariant held; %.1f worlds a second in %d processes\n", seeds, s.steps, from, float64(seeds)/time.Since(began).Seconds(), jobs)
	if missing := all.Missing(); len(missing) > 0 && seeds >= sim.Enough {
		return fmt.Errorf("never reached in %d worlds:\n  %s", seeds, strings.Join(missing, "\n  "))
	}
	return nil
}

// read reads what a simulator wrote of its reach.
func read(file string) sim.Reach {
	r := sim.Reach{}
	b, _ := os.ReadFile(file) // one that failed wrote none
	for line := range strings.Lines(string(b)) {
		n, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i, err := strconv.Atoi(n); err == nil {
			r[what] += i
		}
	}
	return r
}

// found is how a simulator says that a world failed, in the invariant that was looked for or otherwise.
var found = regexp.MustCompile(`found( otherwise)? by world (\d+): invariant (\d+): ([^\n]*)`)

// bugs plants each bug in turn.
func (s *simulator) bugs(out io.Writer, match string, seeds, from uint64, jobs int) error {
	all, err := Bugs(s.root)
	if err != nil {
		return err
	}
	name, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(b Bug) bool { return !name.MatchString(b.Name) })
	var mu sync.Mutex
	var wg sync.WaitGroup
	var missed []string
	next := make(chan Bug)
	for range jobs {
		wg.Go(func() {
			for b := range next {
				line, ok := s.hunt(b, seeds, from)
				mu.Lock()
				fmt.Fprintln(out, line)
				if !ok {
					missed = append(missed, b.Name)
				}
				mu.Unlock()
			}
		})
	}
	for _, b := range all {
		next <- b
	}
	close(next)
	wg.Wait()
	fmt.Fprintf(out, "%d of %d planted bugs found\n", len(all)-len(missed), len(all))
	if len(missed) > 0 {
		slices.Sort(missed)
		return fmt.Errorf("not found in %d worlds as what they break: %s: let the simulator grow, or name what they break in the patch", seeds, strings.Join(missed, ", "))
	}
	return nil
}

// hunt plants one bug and says by which world it is found.
func (s *simulator) hunt(b Bug, seeds, from uint64) (string, bool) {
	overlay := map[string]string{}
	for path, text := range b.Files {
		file := filepath.Join(s.tmp, b.Name+"-"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return fmt.Sprint(b.Name, ": ", err), false
		}
		overlay[filepath.Join(s.root, filepath.FromSlash(path))] = file
	}
	bin, err := s.build(b.Name+".test", overlay)
	if err != nil {
		return fmt.Sprint(b.Name, ": ", err), false
	}
	defer os.Remove(bin)
	text, err := s.start(bin, seeds, from, "-find", fmt.Sprint(b.Invariant))
	line, ok := verdict(b, string(text))
	switch {
	case err == nil:
		return fmt.Sprintf("%-28s not found in %d worlds", b.Name, seeds), false
	case line == "":
		return fmt.Sprintf("%-28s %v\n%s", b.Name, err, bytes.TrimSpace(text)), false
	}
	return line, ok
}

// verdict reads what a simulator printed of a planted bug. One that no world finds as the
// invariant that its patch names is not found: that check may have gone blind.
func verdict(b Bug, text string) (line string, ok bool) {
	var other string
	for _, m := range found.FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			line, ok = fmt.Sprintf("%-28s found by world %4s as invariant %2s: %s", b.Name, m[2], m[3], m[4]), true
		} else {
			other = fmt.Sprintf("world %s as invariant %s: %s", m[2], m[3], m[4])
		}
	}
	switch {
	case ok && other != "":
		line += "\n" + strings.Repeat(" ", 29) + "and before by " + other
	case other != "":
		line = fmt.Sprintf("%-28s found, but not as invariant %d: by %s", b.Name, b.Invariant, other)
	}
	return line, ok
}
