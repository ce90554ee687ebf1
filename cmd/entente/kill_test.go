package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/demo"
	"entente/desk"
	"entente/product"
	"entente/release"
)

// TestMain lets the test binary be the program: the kill test runs it.
func TestMain(m *testing.M) {
	// The decoder has no environment.
	if os.Getenv("ENTENTE_TEST_MAIN") == "1" || len(os.Args) == 2 && os.Args[1] == "decode" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// proc is a node in a process of its own.
type proc struct {
	t        *testing.T
	party    string
	dir, key string
	port     string
	cmd      *exec.Cmd
	log      bytes.Buffer
	c        *desk.Client
}

func (p *proc) command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], append([]string{"--dir", p.dir, "--key-file", p.key}, args...)...)
	c.Env = append(os.Environ(), "ENTENTE_TEST_MAIN=1")
	return c
}

func newProc(t *testing.T, party string) *proc {
	t.Helper()
	dir := t.TempDir()
	port, err := demo.Port()
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{t: t, party: party, dir: filepath.Join(dir, "n"), key: filepath.Join(dir, "key"), port: port}
	if out, err := p.command("init", party, "--new-key").CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	p.c = desk.Dial(filepath.Join(p.dir, "desk.sock"))
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *proc) start() {
	p.t.Helper()
	p.log.Reset()
	p.cmd = p.command("serve", "--listen", "127.0.0.1:"+p.port)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proc) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// wait asks until ok says yes.
func (p *proc) wait(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(90 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
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

// TestKill kills either node at random moments while both release, large and
// small; at the end everything that was acknowledged is on the other side once,
// and both ledgers verify and agree.
func TestKill(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 20
	}
	rnd := rand.New(rand.NewPCG(20161123, 1))
	kr, jp := newProc(t, "KR"), newProc(t, "JP")
	for _, p := range []*proc{kr, jp} {
		p.wait("it answers", p.up)
	}
	for _, x := range []struct{ own, other *proc }{{kr, jp}, {jp, kr}} {
		var v desk.CardView
		if err := x.other.c.Get(t.Context(), "/v1/card", &v); err != nil {
			t.Fatal(err)
		}
		out, err := x.own.command("pact", "sign", "kr-jp-2016", "--with", "127.0.0.1:"+x.other.port, "--code", v.Code, "--notify").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	acked := map[*proc]map[string]bool{kr: {}, jp: {}}
	for i := range kills {
		p := []*proc{kr, jp}[rnd.IntN(2)]
		p.wait("it answers", p.up)
		done, large := make(chan string, 1), rnd.IntN(8) == 0
		go func() { done <- p.try(i, large) }()
		time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
		victim := []*proc{kr, jp}[rnd.IntN(2)]
		victim.kill()
		if title := <-done; title != "" {
			acked[p][title] = true
		}
		victim.start()
	}
	for _, x := range []struct{ own, other *proc }{{kr, jp}, {jp, kr}} {
		x.own.wait("every release is received", func() bool {
			var v desk.StatusView
			err := x.own.c.Get(t.Context(), "/v1/status", &v)
			return err == nil && v.Out == v.Receipts
		})
		sent, got := x.own.titles("out"), x.other.titles("in")
		for title := range acked[x.own] {
			if sent[title] != 1 || got[title] != 1 {
				t.Errorf("%s: acknowledged, kept %d times, arrived %d times", title, sent[title], got[title])
			}
		}
		if fmt.Sprint(sent) != fmt.Sprint(got) {
			t.Errorf("%s sent %v\nthe other side has %v", x.own.party, sent, got)
		}
		t.Logf("%s: %d releases acknowledged, %d kept", x.own.party, len(acked[x.own]), len(sent))
		if out, err := x.own.command("ledger", "verify").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", x.own.party, err, out)
		}
	}
}

// try releases one product and returns its title when that was acknowledged.
func (p *proc) try(i int, large bool) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	d := release.Draft{As: "officer", Pact: "kr-jp-2016", Title: fmt.Sprintf("%s %d", p.party, i), Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: map[string]string{"KR": "군사II급비밀", "JP": "秘"}[p.party], MediaType: "text/plain"}
	n := 100
	if large {
		n = 3 << 20
	}
	_, err := p.c.Release(ctx, d, strings.NewReader(strings.Repeat("x", n)))
	var refused *desk.Problem
	if errors.As(err, &refused) && refused.Kind == "refused" {
		p.t.Logf("%s: %v", d.Title, err)
	}
	if err != nil {
		return ""
	}
	return d.Title
}

// titles counts the products in a box by title.
func (p *proc) titles(box string) map[string]int {
	var all []product.Custody
	if err := p.c.Get(p.t.Context(), desk.Path("/v1/products", "box", box), &all); err != nil {
		p.t.Fatal(err)
	}
	n := map[string]int{}
	for _, cu := range all {
		n[cu.Manifest.Title]++
	}
	return n
}
