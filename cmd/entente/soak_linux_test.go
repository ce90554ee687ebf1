//go:build !race

package main

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
	"entente/internal/line"
	"entente/pact"
	"entente/reading"
	"entente/release"
)

var (
	soakFor   = flag.Duration("soak", 0, "run TestSoak for so long")
	soakLeaks = flag.Bool("leaks", false, "TestSoak plants leaks, and fails unless each is found, and nothing else")
)

// soakBounds is how much may grow, for each thousand products that a node gives and
// takes. It is flat when its slope and three standard errors are below; it leaks
// when its slope less three standard errors is above. leak is what -leaks plants.
var soakBounds = []struct {
	what, leak string
	most       float64
}{{"goroutines", "goroutine", 5}, {"files", "file", 5}, {"heap, KiB", "memory", 256}, {"memory, KiB", "", 4096}}

// soakNodes are those that live through the measured time, and what -leaks plants in each.
var soakNodes = []struct {
	party string
	leaks []string
}{{"KR", []string{"memory"}}, {"P1", []string{"goroutine", "file"}}}

const (
	// soakLeast is how many samples a slope is fitted to.
	soakLeast = 12
	// soakFull is how large a ledger is when the caches on it are full: until then a
	// node's memory grows as it should. In less than an hour its slope is seldom clear: it is
	// shown, and not ruled on.
	soakFull = 48 << 20
)

// TestSoak is Seoul with eight partners, each a process of its own, under mixed load
// and faults, for as long as -soak says. The load waits for its own answers, so that it
// suits any machine, and it goes on for up to as long again where the machine was too busy to
// show what it should. After each round all is healed: then both ledgers of each
// pair tell one story, and the nodes that live through it are measured.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it runs for as long as -soak says: './test soak'")
	}
	s := newSoak(t)
	for time.Since(s.began) < *soakFor/6 { // whose lives begin again until here
		s.round("Seoul", "P1")
	}
	for s.pairs[0].p.ledger() < soakFull {
		s.fill = 200
		s.round()
	}
	s.fill = 0
	for len(s.samples["KR"]) < soakLeast || time.Since(s.began) < *soakFor || !s.clear() && time.Since(s.began) < 2**soakFor {
		s.round()
		s.rest()
		s.measure()
		if s.rounds%20 == 0 {
			t.Logf("%v: %d rounds, %d products", time.Since(s.began).Round(time.Second), s.rounds, s.products(s.kr))
		}
	}
	s.round("Seoul", "P1")
	s.shown()
	s.report()
	s.end()
}

type soak struct {
	t       *testing.T
	rnd     *rand.Rand
	began   time.Time
	rounds  int
	kr      *proc
	pairs   []*pair
	small   string          // the disk of the last partner; empty: it has none of its own
	read    map[*proc]int64 // how many entries were read
	bytes   int64
	fill    int // more products for P1 in each round
	samples map[string][]sample

	mu      sync.Mutex
	did     map[string]int // what people did, and what was done to the machines
	deeds   map[deed]*asked
	entered map[deed]int
	carried map[act.Kind]int    // acts that one side said to the other, and that both have
	once    map[act.Digest]bool // of all of them
}

// deed is a kind of act of one node's.
type deed struct {
	of   *proc
	kind act.Kind
}

// asked is how often a deed was asked for: answered, and not answered under a fault, so that it
// may have happened or not.
type asked struct{ answered, unanswered int }

// deedOf is the act that a deed of the load enters, and the one that its refusal does; empty: none
// that is counted.
func deedOf(what string) (k, refused act.Kind) {
	switch {
	case strings.HasPrefix(what, "released"):
		return act.ProductReleased, act.ReleaseDenied
	case strings.HasPrefix(what, "opened"):
		return act.ProductOpened, act.OpeningDenied
	}
	switch what {
	case "copied":
		return act.ProductCopied, act.OpeningDenied
	case "destroyed":
		return act.ProductDestroyed, act.OpeningDenied
	case "consent given":
		return act.ConsentGiven, ""
	case "consent withdrawn":
		return act.ConsentWithdrawn, ""
	case "law notified":
		return act.LawNotified, ""
	case "law acknowledged":
		return act.LawAcknowledged, ""
	}
	return act.Kind(what), ""
}

// pair is Seoul and one partner, with a pact of their own. One goroutine works for both.
type pair struct {
	p        *proc
	pact     act.PactID
	line     *line.Proxy
	sides    [2]side // Seoul's and the partner's
	law      *act.Digest
	products int
}

// side is what one of them released to the other.
type side struct {
	p, other *proc
	mark     string
	tries    int
	last     [2]done // the last that was acknowledged, small and large, and is to be opened
	acked    map[string]bool
	titles   map[string]bool
	received map[act.Number]bool // false: its receipt is to come
}

type done struct {
	number act.Number
	title  string
}

type sample struct {
	products float64    // thousands that the node has given and taken
	values   [4]float64 // as soakBounds
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, rnd: rand.New(rand.NewPCG(20161123, 8)), read: map[*proc]int64{}, samples: map[string][]sample{}, did: map[string]int{},
		deeds: map[deed]*asked{}, entered: map[deed]int{}, carried: map[act.Kind]int{}, once: map[act.Digest]bool{}}
	dir := t.TempDir()
	made := func(party string, more ...string) *proc {
		p := newProcIn(t, filepath.Join(dir, party), party, more...)
		for _, n := range soakNodes {
			if *soakLeaks && n.party == party {
				p.env = append(p.env, "ENTENTE_TEST_LEAK="+strings.Join(n.leaks, " "))
			}
		}
		p.start("")
		p.wait("it answers", p.up)
		return p
	}
	for _, party := range []string{"KR", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"} {
		if err := os.Mkdir(filepath.Join(dir, party), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.kr = made("KR")
	needs := []string{"person", "add", "analyst", "--post", "Analyst", "--offices", "read", "--clearance", "군사II급비밀", "--facility", "headquarters", "--briefed"}
	for i := range 8 {
		party := fmt.Sprint("P", i+1)
		if disk := filepath.Join(dir, party); i == 7 {
			if err := syscall.Mount("none", disk, "tmpfs", 0, "mode=700,size=8g"); err != nil {
				t.Logf("no disk is full: mounting a small one is not allowed here: %v", err)
			} else {
				s.small = disk
				t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
			}
		}
		p := made(party, "--name", "Partner "+party[1:], "--clearance", "極秘")
		x := &pair{p: p, pact: act.PactID("kr-" + strings.ToLower(party) + "-2016")}
		for j, y := range []side{{p: s.kr, other: p, mark: "군사II급비밀"}, {p: p, other: s.kr, mark: "秘"}} {
			y.acked, y.titles, y.received = map[string]bool{}, map[string]bool{}, map[act.Number]bool{}
			x.sides[j] = y
		}
		s.pairs = append(s.pairs, x)
		needs = append(needs, "--needs", string(x.pact)+":threat-assessment")
		s.conclude(x, i%2 == 0)
		if out, err := p.command("person", "add", "analyst", "--post", "Analyst", "--offices", "read", "--clearance", "極秘", "--facility", "headquarters", "--briefed", "--needs", string(x.pact)+":threat-assessment").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if out, err := s.kr.command(needs...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.began = time.Now()
	return s
}

// conclude has both sign a pact of their own; the line is on the way of the one that calls.
func (s *soak) conclude(x *pair, seoulCalls bool) {
	text, _ := pact.Template("kr-jp-2016")
	text = []byte(strings.NewReplacer("kr-jp-2016", string(x.pact), "id: JP", "id: "+x.p.party, "party: JP", "party: "+x.p.party).Replace(string(text)))
	caller, called := s.kr, x.p
	if !seoulCalls {
		caller, called = called, caller
	}
	x.line = line.New(s.t, called.addr())
	for _, y := range []struct {
		own, other *proc
		at         string
	}{{caller, called, x.line.Addr}, {called, caller, ""}} {
		var v desk.CardView
		err := y.other.c.Get(s.t.Context(), "/v1/card", &v)
		if err == nil {
			err = y.own.c.Post(s.t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: x.pact, Address: y.at, Code: v.Code, As: "officer", Notify: true, Text: string(text)}, &desk.SignView{})
		}
		if err != nil {
			s.t.Fatalf("%s signs: %v", y.own.party, err)
		}
	}
	for _, p := range []*proc{caller, called} {
		p.wait("the pact is in force", func() bool {
			var all []desk.PactView
			err := p.c.Get(s.t.Context(), "/v1/pacts", &all)
			return err == nil && slices.ContainsFunc(all, func(v desk.PactView) bool { return v.ID == x.pact && pact.Phase(v.Phase).Transfers() })
		})
	}
}

// round is load and faults, and then all is healed. killed are those of soakNodes
// that may be killed too.
func (s *soak) round(killed ...string) {
	s.rounds++
	var load, harm sync.WaitGroup
	healed := make(chan struct{})
	for i, x := range s.pairs {
		load.Go(func() { s.work(x, i, healed) })
	}
	if slices.Contains(killed, "Seoul") {
		rnd := rand.New(rand.NewPCG(s.rnd.Uint64(), 0))
		harm.Go(func() { s.harm("Seoul killed", s.pairs[0], rnd) })
	}
	for _, i := range s.rnd.Perm(len(s.pairs))[:3] {
		x, kinds := s.pairs[i], []string{"cut", "reset", "slow line", "black hole", "stopped", "killed", "killed"}
		if i == 0 && !slices.Contains(killed, x.p.party) {
			kinds = kinds[:5]
		}
		if i == len(s.pairs)-1 && s.small != "" {
			for range kinds { // no other partner's disk fills
				kinds = append(kinds, "disk full")
			}
		}
		what, rnd := kinds[s.rnd.IntN(len(kinds))], rand.New(rand.NewPCG(s.rnd.Uint64(), 0))
		harm.Go(func() { s.harm(what, x, rnd) })
	}
	harm.Wait()
	close(healed)
	load.Wait()
	s.settle(nil)
	s.check()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// harm is one fault, and its end.
func (s *soak) harm(what string, x *pair, rnd *rand.Rand) {
	some := func(least, most int) time.Duration {
		return time.Duration(least+rnd.IntN(most-least)) * time.Millisecond
	}
	time.Sleep(some(0, 1000))
	s.count("fault: " + what)
	bad := func(l line.Line, cuts ...int64) {
		x.line.Set(l, cuts...)
		time.Sleep(some(1000, 4000))
		x.line.Set(line.Line{})
	}
	within := func() (at []int64) {
		for range 1 + rnd.IntN(4) {
			at = append(at, 1+rnd.Int64N(1+rnd.Int64N(1<<20)))
		}
		return at
	}
	switch what {
	case "cut":
		bad(line.Line{End: line.Closes}, within()...)
	case "reset":
		bad(line.Line{End: line.Resets}, within()...)
	case "slow line":
		bad(line.Line{Delay: some(20, 300), Piece: 2000, Stall: 50})
	case "black hole":
		bad(line.Line{End: line.Silence}, 0, 0, 0, 0, 0, 0)
	case "stopped":
		_ = x.p.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(some(500, 3000))
		_ = x.p.cmd.Process.Signal(syscall.SIGCONT)
	case "killed", "Seoul killed":
		p := x.p
		if what == "Seoul killed" {
			p = s.kr
		}
		p.kill()
		time.Sleep(some(0, 1000))
		p.start("")
		p.wait("it answers", p.up)
	case "disk full":
		var st syscall.Statfs_t
		err := syscall.Statfs(s.small, &st)
		used := int64(st.Blocks-st.Bfree) * st.Bsize
		if err == nil {
			err = syscall.Mount("none", s.small, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("size=", used+int64(rnd.IntN(40<<20))))
		}
		time.Sleep(some(1000, 3000))
		if err = errors.Join(err, syscall.Mount("none", s.small, "tmpfs", syscall.MS_REMOUNT, "size=8g")); err != nil {
			s.t.Errorf("filling a disk: %v", err)
		}
		select {
		case <-x.p.died: // as it should when a commit fails
			s.count("fault: disk full, and the node ended")
			x.p.start("")
			x.p.wait("it answers", x.p.up)
		default:
		}
	}
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did[what]++
}

// done counts what was asked of p. What was not answered is no failure: p is under
// a fault, and is asked again when it answers.
func (s *soak) done(p *proc, what string, err error) bool {
	var said *desk.Problem
	kind, denial := deedOf(what)
	switch {
	case err == nil:
		s.count(what)
		s.ask(p, kind, true)
		return true
	case errors.As(err, &said) && said.Kind == "refused":
		s.count(what + ": refused")
		s.ask(p, denial, true)
	default:
		s.count("not done, under a fault")
		s.ask(p, kind, false)
		s.ask(p, denial, false)
		for end := time.Now().Add(5 * time.Minute); !p.up() && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
	}
	return false
}

func (s *soak) ask(p *proc, k act.Kind, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.deeds[deed{p, k}]
	if n == nil {
		n = &asked{}
		s.deeds[deed{p, k}] = n
	}
	if answered {
		n.answered++
	} else {
		n.unanswered++
	}
}

// work is a pair's share of a round, one thing after the other.
func (s *soak) work(x *pair, nth int, healed chan struct{}) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	for i := range 2 {
		y := &x.sides[i]
		for size, d := range y.last { // of the round before: it has arrived
			if d.number == "" {
				continue
			}
			var got bytes.Buffer
			err := y.other.c.Open(ctx, desk.OpenAsk{Number: d.number, As: "analyst"}, &got, func(desk.Opened) {})
			if s.done(y.other, "opened", err) && got.String() != text(d.title) {
				s.t.Errorf("%s opens %q and reads something else", y.other.party, d.title)
			}
			if size == 1 {
				s.done(y.other, "destroyed", y.other.c.Post(ctx, "/v1/do", desk.DeedAsk{Number: d.number, Deed: reading.Deed{As: "registrar", Deed: "destroy", Method: "erase"}}, new(any)))
				continue
			}
			if err := y.other.c.Open(ctx, desk.OpenAsk{Number: d.number, As: "second"}, &got, func(desk.Opened) {}); s.done(y.other, "opened without a need to know", err) {
				s.t.Errorf("%s is opened by one who does not read", d.number)
			}
			s.done(y.other, "copied", y.other.c.Post(ctx, "/v1/do", desk.DeedAsk{Number: d.number, Deed: reading.Deed{As: "analyst", Deed: "copy", Holder: "the watch", Reason: "the night"}}, new(any)))
			var g desk.GrantView
			until := act.MomentOf(time.Now().AddDate(0, 1, 0))
			if s.done(y.p, "consent given", y.p.c.Post(ctx, "/v1/consent", desk.GrantAsk{As: "officer", Consent: &act.Consent{Number: d.number, Deed: "purpose", Purpose: "missile-warning", Until: until, Uses: 1}}, &g)) {
				s.done(y.p, "consent withdrawn", y.p.c.Post(ctx, "/v1/withdraw", desk.GrantAsk{As: "officer", Act: &g.Act}, &g))
			}
		}
		y.last = [2]done{}
	}
	if x.law != nil {
		s.done(s.kr, "law acknowledged", s.kr.c.Post(ctx, "/v1/state", desk.StateAsk{Kind: act.LawAcknowledged, As: "officer", Act: x.law}, &desk.GrantView{}))
		x.law = nil
	}
	if s.rounds%4 == nth%4 {
		for _, k := range []act.Kind{act.PactNotice, act.PactNoticeWithdrawn} {
			s.done(s.kr, string(k), s.kr.c.Post(ctx, "/v1/pact/step", desk.PactAsk{Pact: x.pact, Step: k, As: "officer"}, &desk.PactView{}))
		}
		var g desk.GrantView
		if s.done(x.p, "law notified", x.p.c.Post(ctx, "/v1/state", desk.StateAsk{Kind: act.LawNotified, As: "officer", Pact: x.pact, To: "KR", Law: &act.LawNotice{Text: fmt.Sprint("amendment ", s.rounds)}}, &g)) {
			x.law = &g.Act
		}
		s.release(ctx, x, 0, " large")
		s.release(ctx, x, 1, " large")
	}
	if nth == 0 {
		for i := range s.fill {
			s.release(ctx, x, i%2, " medium")
		}
	}
	for i := 0; i < 15 || !ended(healed); i++ {
		s.release(ctx, x, map[bool]int{true: 1}[i%3 == 2], map[bool]string{true: " medium"}[i%10 == 3])
	}
	above := s.draft(x, 0, "above the ceiling")
	above.Mark = "군사I급비밀"
	_, err := s.kr.c.Release(ctx, above, strings.NewReader("x"))
	if s.done(s.kr, "released above the ceiling", err) {
		s.t.Error("a product above the ceiling was released")
	}
}

func ended(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *soak) draft(x *pair, side int, title string) release.Draft {
	return release.Draft{As: "officer", Pact: x.pact, Title: title, Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: x.sides[side].mark, MediaType: "text/plain"}
}

func (s *soak) release(ctx context.Context, x *pair, side int, size string) {
	y := &x.sides[side]
	y.tries++
	title := fmt.Sprintf("%s %d%s", y.p.party, y.tries, size)
	slip, err := y.p.c.Release(ctx, s.draft(x, side, title), strings.NewReader(text(title)))
	if s.done(y.p, "released"+size, err) {
		y.acked[title] = true
		y.last[map[bool]int{true: 1}[size == " large"]] = done{slip.Number, title}
	}
}

// rest has every link begin anew and carry one product each way, so that the nodes are in
// one state whenever they are measured.
func (s *soak) rest() {
	before := map[*pair]act.Moment{}
	var v desk.StatusView
	if err := s.kr.c.Get(s.t.Context(), "/v1/status", &v); err != nil {
		s.t.Fatal(err)
	}
	for i, x := range s.pairs {
		before[x] = *v.Partners[i].Since
		x.line.Set(line.Line{})
	}
	s.settle(before)
	var all sync.WaitGroup
	for _, x := range s.pairs {
		all.Go(func() {
			s.release(s.t.Context(), x, 0, " one block")
			s.release(s.t.Context(), x, 1, " one block")
		})
	}
	all.Wait()
	s.settle(nil)
	s.check()
}

// settle waits until every link stands, another than the one that stood since before, and
// nothing is on its way.
func (s *soak) settle(before map[*pair]act.Moment) {
	quiet := func(p *proc, of ...*pair) bool {
		var v desk.StatusView
		if err := p.c.Get(s.t.Context(), "/v1/status", &v); err != nil || len(v.Fetching) > 0 {
			return false
		}
		for i, q := range v.Partners {
			if !q.Linked || q.Waiting > 0 || q.Out.Products > 0 || q.In.Products > 0 || *q.Since == before[of[i]] {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(5 * time.Minute); ; {
		began := time.Now()
		all := quiet(s.kr, s.pairs...)
		for _, x := range s.pairs {
			all = all && quiet(x.p, x)
		}
		if all {
			return
		}
		if time.Now().After(end) {
			var b strings.Builder
			for _, p := range s.nodes() {
				out, err := p.command("status").CombinedOutput()
				fmt.Fprintf(&b, "%s\n%v\n%s\n", out, err, p.log.String())
			}
			s.t.Fatalf("in round %d all is not carried:\n%s", s.rounds, b.String())
		}
		time.Sleep(max(20*time.Millisecond, time.Since(began))) // a status counts all products
	}
}

func (s *soak) nodes() []*proc {
	all := []*proc{s.kr}
	for _, x := range s.pairs {
		all = append(all, x.p)
	}
	return all
}

// grown reads what a ledger gained since it was last read.
func (s *soak) grown(p *proc) (all []entry) {
	for {
		some, next := p.entries(s.read[p])
		for _, e := range some {
			if e.Index != s.read[p] {
				s.t.Fatalf("%s: entry %d stands at %d", p.party, e.Index, s.read[p])
			}
			s.read[p]++
		}
		if all = append(all, some...); next == 0 {
			return all
		}
	}
}

// check compares both ledgers of each pair: every act that one said to the other stands in both, in
// one order, once. Each deed that was acknowledged was entered once, and none that nobody asked for;
// each product was released once, and received once.
func (s *soak) check() {
	seoul := s.grown(s.kr)
	s.tally(s.kr, seoul)
	for _, x := range s.pairs {
		ledgers := [2][]entry{seoul, s.grown(x.p)}
		s.tally(x.p, ledgers[1])
		var said [2][]entry
		for i := range x.sides {
			y := &x.sides[i]
			var ours, known []act.Digest
			for _, e := range ledgers[i] {
				if string(e.Act.From) == y.p.party && slices.Contains(e.Act.To, act.Party(y.other.party)) {
					ours, said[i] = append(ours, e.Digest), append(said[i], e)
					if s.carried[e.Act.Kind]++; s.once[e.Digest] {
						s.t.Errorf("round %d: %s said %s twice to %s", s.rounds, y.p.party, e.Act.Kind, y.other.party)
					}
					s.once[e.Digest] = true
				}
			}
			for _, e := range ledgers[1-i] {
				if string(e.Act.From) == y.p.party {
					known = append(known, e.Digest)
				}
			}
			if !slices.Equal(ours, known) {
				s.t.Errorf("round %d: %s said %d acts to %s, which has %d, or others, or in another order", s.rounds, y.p.party, len(ours), y.other.party, len(known))
			}
		}
		for i := range x.sides {
			s.released(x, &x.sides[i], said[i])
		}
		for i := range x.sides {
			s.received(&x.sides[i], said[1-i])
		}
	}
}

// tally counts the deeds among what a ledger gained, and holds them to what was asked for.
func (s *soak) tally(p *proc, gained []entry) {
	for _, e := range gained {
		if string(e.Act.From) == p.party {
			s.entered[deed{p, e.Act.Kind}]++
		}
	}
	for d, n := range s.deeds {
		if is := s.entered[d]; d.of == p && d.kind != "" && (is < n.answered || is > n.answered+n.unanswered) {
			s.t.Errorf("round %d: %s entered %d of %s; %d were acknowledged, and %d not answered", s.rounds, p.party, is, d.kind, n.answered, n.unanswered)
		}
	}
}

// shown has each side open what the other released to it last, and compares the contents by their
// digests with what was released.
func (s *soak) shown() {
	var all sync.WaitGroup
	for _, x := range s.pairs {
		all.Go(func() {
			for i := range x.sides {
				s.release(s.t.Context(), x, i, " one block")
				s.release(s.t.Context(), x, i, " large")
			}
		})
	}
	all.Wait()
	s.settle(nil)
	s.check()
	opened := 0
	for _, x := range s.pairs {
		for i := range x.sides {
			y := &x.sides[i]
			for _, d := range y.last {
				if d.number == "" {
					continue
				}
				h := sha512.New384()
				err := y.other.c.Open(s.t.Context(), desk.OpenAsk{Number: d.number, As: "analyst"}, h, func(desk.Opened) {})
				if want := sha512.Sum384([]byte(text(d.title))); !s.done(y.other, "opened", err) || !bytes.Equal(h.Sum(nil), want[:]) {
					s.t.Errorf("%s opens %q, and its content has the digest %x, not %x: %v", y.other.party, d.title, h.Sum(nil)[:6], want[:6], err)
				}
				opened++
			}
		}
	}
	if opened < 4*len(s.pairs) {
		s.t.Errorf("of the last round %d contents were compared", opened)
	}
	s.settle(nil)
	s.check()
	s.t.Logf("%d contents of the last round were compared, small and large, both ways", opened)
}

func (s *soak) released(x *pair, y *side, said []entry) {
	for _, e := range said {
		switch e.Act.Kind {
		case act.ProductReleased:
			var b act.Release
			if err := json.Unmarshal(e.Act.Body, &b); err != nil {
				s.t.Fatal(err)
			}
			if _, twice := y.received[b.Manifest.Number]; twice || y.titles[b.Manifest.Title] {
				s.t.Errorf("%s %q was released twice", b.Manifest.Number, b.Manifest.Title)
			}
			y.received[b.Manifest.Number], y.titles[b.Manifest.Title] = false, true
			x.products++
			s.bytes += b.Seal.Plain
		case act.ActRefused, act.LedgerDisputed:
			s.t.Errorf("%s entered %s", y.p.party, e.Act.Kind)
		}
	}
	for title := range y.acked {
		if !y.titles[title] {
			s.t.Errorf("round %d: %q was acknowledged and is lost", s.rounds, title)
		}
	}
	clear(y.acked)
}

func (s *soak) received(y *side, said []entry) {
	for _, e := range said {
		if e.Act.Kind == act.ProductReceived {
			var b act.Receipt
			if err := json.Unmarshal(e.Act.Body, &b); err != nil {
				s.t.Fatal(err)
			}
			n := b.Number
			if came, known := y.received[n]; came || !known {
				s.t.Errorf("%s of %s was received twice, or never released", n, y.p.party)
			}
			y.received[n] = true
		}
	}
	for n, came := range y.received {
		if !came {
			s.t.Errorf("round %d: %s of %s has no receipt", s.rounds, n, y.p.party)
		}
	}
}

// products is how many p has given and taken.
func (s *soak) products(p *proc) (n int) {
	for _, x := range s.pairs {
		if p == s.kr || p == x.p {
			n += x.products
		}
	}
	return n
}

// measure has the nodes that live tell what they hold. All are at rest, and equal but for
// what they have done; what a call has not given back yet is not counted, so the least of
// three counts.
func (s *soak) measure() {
	for _, n := range soakNodes {
		p := s.nodes()[slices.IndexFunc(s.nodes(), func(p *proc) bool { return p.party == n.party })]
		x := sample{products: float64(s.products(p)) / 1000, values: [4]float64{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64}}
		for range 3 {
			p.c.HTTP.CloseIdleConnections()
			for i, v := range p.told() {
				x.values[i] = min(x.values[i], v)
			}
		}
		s.samples[n.party] = append(s.samples[n.party], x)
	}
}

// ledger is how many bytes the ledger takes on the disk.
func (p *proc) ledger() (n int64) {
	all, _ := filepath.Glob(filepath.Join(p.dir, "entente.db*"))
	for _, file := range all {
		if st, err := os.Stat(file); err == nil {
			n += st.Size()
		}
	}
	return n
}

// told asks the process itself for its goroutines and heap, and the machine for its files and
// memory; of both without the pages of the database.
func (p *proc) told() (v [4]float64) {
	file := p.key + ".told"
	_ = os.Remove(file)
	_ = p.cmd.Process.Signal(syscall.SIGUSR1)
	var pages float64
	p.wait("it tells what it holds", func() bool {
		b, err := os.ReadFile(file)
		if err == nil {
			_, err = fmt.Sscan(string(b), &v[0], &v[2], &pages)
		}
		return err == nil
	})
	v[2] = (v[2] - pages) / (1 << 10)
	proc := fmt.Sprint("/proc/", p.cmd.Process.Pid)
	files, err := os.ReadDir(proc + "/fd")
	v[1] = float64(len(files))
	b, err2 := os.ReadFile(proc + "/statm")
	if err == nil && err2 == nil {
		var all float64
		_, err = fmt.Sscan(string(b), &all, &v[3])
	}
	if err = errors.Join(err, err2); err != nil {
		p.t.Fatal(err)
	}
	v[3] = (v[3]*float64(os.Getpagesize()) - pages) / (1 << 10)
	return v
}

// slope fits values to products by least squares, and returns the slope with its standard error.
func slope(all []sample, of int) (b, err float64) {
	var n, mx, my, sxx, sxy, rest float64
	for _, x := range all {
		n, mx, my = n+1, mx+x.products, my+x.values[of]
	}
	mx, my = mx/n, my/n
	for _, x := range all {
		sxx += (x.products - mx) * (x.products - mx)
		sxy += (x.products - mx) * (x.values[of] - my)
	}
	b = sxy / sxx
	for _, x := range all {
		d := x.values[of] - my - b*(x.products-mx)
		rest += d * d
	}
	return b, math.Sqrt(rest / (n - 2) / sxx)
}

// end verifies every ledger with all content, and compares what both sides say of each product.
func (s *soak) end() {
	began := time.Now()
	var verified sync.WaitGroup
	for _, p := range s.nodes() {
		verified.Go(func() {
			if out, err := p.command("ledger", "verify").CombinedOutput(); err != nil {
				s.t.Errorf("%s: %v\n%s", p.party, err, out)
			}
		})
	}
	seoul := s.kr.products("")
	for _, x := range s.pairs {
		p := x.p
		for n, cu := range p.products("") {
			if a, b := told(s.t, cu), told(s.t, seoul[n]); a != b {
				s.t.Errorf("%s says %s\nSeoul says %s", p.party, a, b)
			}
			delete(seoul, n)
		}
	}
	if len(seoul) > 0 {
		s.t.Errorf("Seoul has %d products that nobody else has", len(seoul))
	}
	verified.Wait()
	s.t.Logf("%d ledgers verified and compared, in %v", len(s.nodes()), time.Since(began).Round(time.Second))
}

// The findings about a slope.
const (
	flat    = "flat"
	grows   = "GROWS"
	unclear = "not shown to be flat: run it for longer"
)

// ruled reports whether one of soakBounds is ruled on for a node, or shown only: in less than an
// hour resident memory is not, nor the heap of a partner, whose products are too few by then
// to tell a page that is filled from one that is lost.
func ruled(party string, i int) bool {
	what := soakBounds[i].what
	return *soakFor >= time.Hour || what != "memory, KiB" && (what != "heap, KiB" || party == "KR")
}

// finding rules on one of soakBounds: it fits the slope, and compares its whole interval of
// three standard errors each way with the bound.
func finding(all []sample, i int) (b, err float64, says string) {
	b, err = slope(all, i)
	switch {
	case b+3*err < soakBounds[i].most:
		return b, err, flat
	case b-3*err > soakBounds[i].most:
		return b, err, grows
	}
	return b, err, unclear
}

// clear reports whether enough was measured to rule on everything.
func (s *soak) clear() bool {
	for _, n := range soakNodes {
		for i := range soakBounds {
			if _, _, says := finding(s.samples[n.party], i); says == unclear && ruled(n.party, i) {
				return false
			}
		}
	}
	return true
}

// report prints what was done, and rules on each slope.
func (s *soak) report() {
	w := tabwriter.NewWriter(s.t.Output(), 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "took\t%v\nrounds\t%d\nproducts\t%d\ncontent\t%.1f MB\n", time.Since(s.began).Round(time.Second), s.rounds, s.products(s.kr), float64(s.bytes)/1e6)
	for _, what := range slices.Sorted(maps.Keys(s.did)) {
		fmt.Fprintf(w, "%s\t%d\n", what, s.did[what])
	}
	want := []string{"released", "released medium", "released large", "released one block", "released above the ceiling: refused", "opened", "opened without a need to know: refused",
		"copied", "destroyed", "consent given", "consent withdrawn", "law notified", "law acknowledged", string(act.PactNotice), string(act.PactNoticeWithdrawn),
		"fault: cut", "fault: reset", "fault: slow line", "fault: black hole", "fault: stopped", "fault: killed", "fault: Seoul killed"}
	if s.small != "" {
		want = append(want, "fault: disk full")
	}
	for _, what := range want {
		if s.did[what] == 0 {
			s.t.Errorf("%s: never", what)
		}
	}
	fmt.Fprintf(w, "\nacts of one side to another, the same in both ledgers\n")
	for _, k := range slices.Sorted(maps.Keys(s.carried)) {
		fmt.Fprintf(w, "%s\t%d\n", k, s.carried[k])
	}
	for _, k := range []act.Kind{act.ProductReleased, act.ProductReceived, act.ProductOpened, act.ProductDestroyed, act.ConsentGiven, act.ConsentWithdrawn, act.LawNotified, act.LawAcknowledged, act.PactNotice, act.PactNoticeWithdrawn} {
		if s.carried[k] == 0 {
			s.t.Errorf("%s: none was carried", k)
		}
	}
	fmt.Fprintf(w, "\nfor 1000 products\tslope\tstandard error\tbound\tfirst, last\tsamples\t\n")
	for _, n := range soakNodes {
		for i, bound := range soakBounds {
			of := s.samples[n.party]
			b, err, says := finding(of, i)
			fmt.Fprintf(w, "%s %s\t%.3g\t%.2g\t%g\t%.0f, %.0f\t%d\t%s\n", n.party, bound.what, b, err, bound.most, of[0].values[i], of[len(of)-1].values[i], len(of), says)
			if !ruled(n.party, i) {
				continue
			}
			switch planted := *soakLeaks && slices.Contains(n.leaks, bound.leak); {
			case planted && says != grows:
				s.t.Errorf("%s: %s: a leak was planted, and is not found", n.party, bound.what)
			case !planted && (says == grows || says == unclear && !*soakLeaks):
				s.t.Errorf("%s: %s: %s", n.party, bound.what, says)
			}
		}
	}
	_ = w.Flush()
}
