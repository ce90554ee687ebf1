//go:build !race

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entente/act"
	"entente/demo"
	"entente/desk"
	"entente/product"
	"entente/reading"
	"entente/release"
)

// proc is a node in a process of its own.
type proc struct {
	t        *testing.T
	party    string
	dir, key string
	host     string
	port     string
	under    []string // what the node is started by: a command and its arguments
	env      []string // more of the environment
	cmd      *exec.Cmd
	died     chan struct{} // closed when cmd has ended
	log      logged
	c        *desk.Client
	more     []string // arguments of serve

	tries  int
	acked  map[string]bool     // titles of acknowledged releases
	opened map[act.Number]bool // acknowledged openings and destructions
	gone   map[act.Number]bool

	patience time.Duration // how long it is waited for; at least 90 s
	refused  string        // the title of what the partner is to refuse; empty: of nothing
}

// logged is what a node logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (p *proc) command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], append([]string{"--dir", p.dir, "--key-file", p.key}, args...)...)
	c.Env = append(append(os.Environ(), "ENTENTE_TEST_MAIN=1"), p.env...)
	return c
}

// newProc makes a node and starts it; more are arguments of init.
func newProc(t *testing.T, party string, more ...string) *proc {
	t.Helper()
	p := newProcIn(t, t.TempDir(), party, more...)
	p.start("")
	return p
}

// newProcIn makes a node under dir, which is to be started; more are arguments of init.
func newProcIn(t *testing.T, dir, party string, more ...string) *proc {
	t.Helper()
	port, err := demo.Port()
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{t: t, party: party, dir: filepath.Join(dir, "n"), key: filepath.Join(dir, "key"), host: "127.0.0.1", port: port}
	p.env = []string{"ENTENTE_TEST_TELL=" + p.key + ".told", "ENTENTE_TEST_CLOCK=" + p.key + ".clock"}
	if out, err := p.command(append([]string{"init", party, "--new-key"}, more...)...).CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	p.c = desk.Dial(filepath.Join(p.dir, "desk.sock"))
	p.acked, p.opened, p.gone = map[string]bool{}, map[act.Number]bool{}, map[act.Number]bool{}
	return p
}

// start starts the node. order, if there is one, has it kill itself (dieAt).
func (p *proc) start(order string) {
	p.t.Helper()
	p.log.Reset()
	c := p.command(append([]string{"serve", "--leash", "--listen", p.addr()}, p.more...)...)
	args := slices.Concat(p.under, c.Args)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(c.Env, "ENTENTE_TEST_DIE="+order)
	p.cmd.Stderr = &p.log
	_, err := p.cmd.StdinPipe() // however the test ends, the node does
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	cmd, died := p.cmd, make(chan struct{})
	if p.died == nil {
		p.t.Cleanup(p.kill)
	}
	p.died = died
	go func() {
		_ = cmd.Wait()
		close(died)
	}()
}

func (p *proc) addr() string { return net.JoinHostPort(p.host, p.port) }

func (p *proc) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.died
}

// dead reports whether the node has ended; it must have killed itself.
func (p *proc) dead() bool {
	p.t.Helper()
	select {
	case <-p.died:
		if w := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !w.Signaled() || w.Signal() != syscall.SIGKILL {
			p.t.Fatalf("%s ended by itself: %v\n%s", p.party, p.cmd.ProcessState, p.log.String())
		}
		return true
	default:
		return false
	}
}

// wait asks until ok says yes.
func (p *proc) wait(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(max(90*time.Second, p.patience)); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			var v desk.StatusView
			err := p.c.Get(p.t.Context(), "/v1/status", &v)
			p.t.Fatalf("%s: in vain: %s; %+v, %v\n%s", p.party, what, v.Partners, err, p.log.String())
		}
	}
}

func (p *proc) up() bool {
	var v desk.CardView
	return p.c.Get(p.t.Context(), "/v1/card", &v) == nil
}

// points are the names of all points in the program's own text, so that none
// can be added and not be killed at.
func points(t *testing.T) (all []string) {
	t.Helper()
	call := regexp.MustCompile(`\bpoint\.At\("([^"]+)"\)`)
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(filepath.Join("../..", path))
		for _, m := range call.FindAllSubmatch(b, -1) {
			all = append(all, string(m[1]))
		}
		return err
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d points are named in the program: %v", len(all), err)
	}
	return all
}

// TestKill kills either node while both release, read and destroy, large and
// small: at every named point, at least three times on each side, and at random
// moments, 200 times in all. At the end everything that was acknowledged is on
// the other side once, whatever was kept is whole, both ledgers verify and
// agree, and nothing half done is left.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds, kills := 3, 200
	if testing.Short() {
		rounds, kills = 1, 40
	}
	rnd := rand.New(rand.NewPCG(20161123, 1))
	kr, jp := concluded(t)
	both := []*proc{kr, jp}
	began := time.Now()
	n := killAtPoints(t, both, rounds, rnd)
	t.Logf("%d kills at %d named points, in %v", n, len(points(t)), time.Since(began).Round(time.Millisecond))
	for range kills - n {
		p, victim, large := both[rnd.IntN(2)], both[rnd.IntN(2)], rnd.IntN(8) == 0
		p.wait("it answers", p.up)
		done := make(chan struct{})
		go func() { p.work(large, false); close(done) }()
		time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
		victim.kill()
		<-done
		victim.start("")
	}
	t.Logf("%d kills in %v", max(n, kills), time.Since(began).Round(time.Millisecond))
	for _, x := range []struct{ own, other *proc }{{kr, jp}, {jp, kr}} {
		settled(t, x.own, x.other)
	}
}

// concluded starts two nodes and has them sign and notify the pact.
func concluded(t *testing.T) (kr, jp *proc) {
	t.Helper()
	kr, jp = newProc(t, "KR"), newProc(t, "JP")
	conclude(t, kr, jp, jp.addr(), kr.addr())
	return kr, jp
}

// conclude has two nodes sign and notify the pact: each calls the other where it is told,
// or is called by it.
func conclude(t *testing.T, kr, jp *proc, atJP, atKR string) {
	t.Helper()
	kr.wait("it answers", kr.up)
	jp.wait("it answers", jp.up)
	for _, x := range []struct {
		own, other *proc
		at         string
	}{{kr, jp, atJP}, {jp, kr, atKR}} {
		var v desk.CardView
		if err := x.other.c.Get(t.Context(), "/v1/card", &v); err != nil {
			t.Fatal(err)
		}
		sign := []string{"pact", "sign", "kr-jp-2016", "--code", v.Code, "--notify"}
		if x.at != "" {
			sign = append(sign, "--with", x.at)
		}
		if out, err := x.own.command(sign...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// killAtPoints has both nodes kill themselves at each point, and returns how often they did.
func killAtPoints(t *testing.T, both []*proc, rounds int, rnd *rand.Rand) (kills int) {
	orders := map[*proc][]string{}
	for _, p := range both {
		for range rounds {
			for _, name := range points(t) {
				orders[p] = append(orders[p], fmt.Sprint(1+rnd.IntN(3))+" "+name)
			}
		}
		p.kill()
		p.start(orders[p][0])
	}
	for i, since := 0, time.Now(); len(orders[both[0]])+len(orders[both[1]]) > 0; i++ {
		for _, p := range both {
			p.work(i%3 == 0, i%2 == 0)
			for _, q := range both {
				if !q.dead() {
					continue
				}
				since = time.Now()
				if orders[q] = orders[q][1:]; len(orders[q]) > 0 {
					q.start(orders[q][0])
				} else {
					q.start("")
				}
				kills++
			}
		}
		if time.Since(since) > 90*time.Second {
			t.Fatalf("%s or %s is never reached", orders[both[0]], orders[both[1]])
		}
	}
	return kills
}

// work releases, opens and destroys, and notes what was acknowledged.
func (p *proc) work(large, destroy bool) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	p.tries++
	title := fmt.Sprintf("%s %d", p.party, p.tries)
	if large {
		title += " large"
	}
	var refused *desk.Problem
	if err := p.release(ctx, title); errors.As(err, &refused) && refused.Kind == "refused" {
		p.t.Logf("%s: %v", title, err)
	}
	var in []product.Custody
	if err := p.c.Get(ctx, desk.Path("/v1/products", "box", "in"), &in); err != nil {
		return
	}
	for _, cu := range in {
		n := cu.Manifest.Number
		if _, here := cu.Received[act.Party(p.party)]; !here || cu.Destroyed[act.Party(p.party)] != nil {
			continue
		}
		var got bytes.Buffer
		err := p.c.Open(ctx, desk.OpenAsk{Number: n, As: "analyst"}, &got, func(desk.Opened) {})
		if err == nil && got.String() != text(cu.Manifest.Title) {
			p.t.Errorf("%s opens %q and reads something else", p.party, cu.Manifest.Title)
		}
		p.opened[n] = p.opened[n] || err == nil
		if destroy {
			var v any
			if err := p.c.Post(ctx, "/v1/do", desk.DeedAsk{Number: n, Deed: reading.Deed{As: "registrar", Deed: "destroy", Method: "erase"}}, &v); err == nil {
				p.gone[n] = true
			}
		}
		return
	}
}

// release releases a product, and notes it if that was acknowledged.
func (p *proc) release(ctx context.Context, title string) error {
	d := release.Draft{As: "officer", Pact: "kr-jp-2016", Title: title, Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: map[string]string{"KR": "군사II급비밀", "JP": "秘"}[p.party], MediaType: "text/plain"}
	_, err := p.c.Release(ctx, d, strings.NewReader(text(title)))
	if err == nil {
		p.acked[title] = true
	}
	return err
}

// text is the content of a product, by its title: large ones are fetched block by block, the
// others stand beside their act.
func text(title string) string {
	switch {
	case strings.HasSuffix(title, "large"):
		return strings.Repeat(title+"\n", 200_000)
	case strings.HasSuffix(title, "medium"):
		return strings.Repeat(title+"\n", 3500)
	case strings.HasSuffix(title, "one block"):
		return strings.Repeat(title+"\n", 6000)
	case strings.HasSuffix(title, "two blocks"):
		return strings.Repeat(title+"\n", 60_000)
	}
	return title
}

// settled checks what has become of all that own released and the other received.
func settled(t *testing.T, own, other *proc) {
	t.Helper()
	for _, p := range []*proc{own, other} {
		p.wait("all is carried", func() bool {
			var v desk.StatusView
			err := p.c.Get(t.Context(), "/v1/status", &v)
			return err == nil && v.Out == v.Receipts+v.Refused && len(v.Partners) == 1 && v.Partners[0].Waiting == 0
		})
	}
	sent, got := own.products("out"), other.products("in")
	titles := map[string]int{}
	for n, cu := range sent {
		titles[cu.Manifest.Title]++
		there := got[n]
		if a, b := told(t, cu), told(t, there); a != b {
			t.Errorf("%s says %s\n%s says %s", own.party, a, other.party, b)
		}
		if (len(cu.Refused) > 0) != (cu.Manifest.Title == own.refused) {
			t.Errorf("%s %q: refused: %v", n, cu.Manifest.Title, cu.Refused)
		}
		if other.opened[n] && len(cu.Openings) == 0 || other.gone[n] && cu.Destroyed[act.Party(other.party)] == nil {
			t.Errorf("%s: what %s did with it was acknowledged, and %s does not know", n, other.party, own.party)
		}
	}
	if len(got) != len(sent) {
		t.Errorf("%s sent %d products, %s has %d", own.party, len(sent), other.party, len(got))
	}
	for title := range own.acked {
		if titles[title] != 1 {
			t.Errorf("%s: acknowledged, kept %d times", title, titles[title])
		}
	}
	t.Logf("%s: %d releases acknowledged, %d kept; %d opened and %d destroyed by %s", own.party, len(own.acked), len(sent), len(other.opened), len(other.gone), other.party)
	if out, err := own.command("ledger", "verify").CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", own.party, err, out)
	}
	own.whole()
}

// told is what both sides must say alike of a product.
func told(t *testing.T, cu product.Custody) string {
	b, err := json.Marshal([]any{cu.Manifest, cu.Seal, cu.Released, cu.Openings, cu.Destroyed})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// whole restarts the node and looks into its vault: nothing is kept or begun
// that no product needs. That what is needed is there, 'ledger verify' has said.
func (p *proc) whole() {
	p.t.Helper()
	p.kill()
	p.start("")
	p.wait("it answers", p.up)
	want := map[string]bool{}
	for _, cu := range p.products("") {
		if cu.Destroyed[act.Party(p.party)] == nil {
			want[cu.Seal.Vault.String()] = true
		}
	}
	err := filepath.WalkDir(filepath.Join(p.dir, "vault"), func(path string, d fs.DirEntry, err error) error {
		if _, err := hex.DecodeString(d.Name()); err == nil && !d.IsDir() && !want[d.Name()] {
			p.t.Errorf("%s keeps %s, which nothing needs", p.party, path)
		}
		return err
	})
	if err != nil {
		p.t.Error(err)
	}
}

// products reads a box by control number.
func (p *proc) products(box string) map[act.Number]product.Custody {
	var all []product.Custody
	if err := p.c.Get(p.t.Context(), desk.Path("/v1/products", "box", box), &all); err != nil {
		p.t.Fatal(err)
	}
	n := map[act.Number]product.Custody{}
	for _, cu := range all {
		n[cu.Manifest.Number] = cu
	}
	return n
}

// entry is one of a node's ledger, as it tells it.
type entry struct {
	Index  int64      `json:"index"`
	Digest act.Digest `json:"digest"`
	Act    struct {
		Kind act.Kind        `json:"kind"`
		From act.Party       `json:"from"`
		To   []act.Party     `json:"to"`
		Body json.RawMessage `json:"body"`
	} `json:"act"`
}

// entries reads a node's ledger from an entry on, and where it goes on; 0: nowhere.
func (p *proc) entries(from int64) ([]entry, int64) {
	p.t.Helper()
	var v struct {
		Entries []entry `json:"entries"`
		Next    int64   `json:"next"`
	}
	if err := p.c.Get(p.t.Context(), desk.Path("/v1/entries", "from", fmt.Sprint(from)), &v); err != nil {
		p.t.Fatal(err)
	}
	return v.Entries, v.Next
}
