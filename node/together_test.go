//go:build !race

// The race detector and the fake clock of testing/synctest crash each other's
// runtime in Go 1.26 (a timer made in a bubble), so these run without it: ./test
// has a stage for them.

package node_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/act"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"

	"go.uber.org/goleak"
)

// together runs f in a bubble: two nodes in this process, with storage and
// network in memory and a clock that jumps whenever all wait. When f returns
// no goroutine of it is left.
func together(t *testing.T, f func(t *testing.T, net *memory.Network)) {
	synctest.Test(t, func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) // a bubble begins in 2000: before the pact
		f(t, &memory.Network{})
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
}

// establish makes a node of p's on an empty disk, and serves it.
func establish(t *testing.T, p act.Party, net *memory.Network) (*partyNode, *memory.Disk) {
	t.Helper()
	n, d := &partyNode{dir: t.TempDir(), addr: string(p)}, memory.NewDisk()
	if err := node.Establish(t.Context(), n.dir, d.Ledger(), node.Found{Party: p, Name: names[p], Persons: staff(p)}, inMemory(net)); err != nil {
		t.Fatal(err)
	}
	n.resume(t, d, net)
	return n, d
}

func inMemory(net *memory.Network) node.Seams {
	seams := node.World(slog.New(slog.DiscardHandler))
	seams.Connect = net.Connect
	return seams
}

// resume serves the node that is on the disk.
func (n *partyNode) resume(t *testing.T, d *memory.Disk, net *memory.Network) {
	t.Helper()
	n.resumeIn(t, d, net, inMemory(net))
}

func (n *partyNode) resumeIn(t *testing.T, d *memory.Disk, net *memory.Network, seams node.Seams) {
	t.Helper()
	l, err := net.Listen(n.addr)
	if err != nil {
		t.Fatal(err)
	}
	n.resumeOn(t, d, l, seams)
}

func (n *partyNode) resumeOn(t *testing.T, d *memory.Disk, l net.Listener, seams node.Seams) {
	t.Helper()
	var err error
	if n.Node, err = node.New(t.Context(), n.dir, d.Ledger(), d.Vault(), seams); err != nil {
		t.Fatal(err)
	}
	n.patience = 24 * time.Hour // of the bubble's: no time at all
	n.run(t, l)
}

// send has from release a small and a large product.
func send(t *testing.T, from *partyNode, pact act.PactID, large int) (numbers []act.Number) {
	t.Helper()
	for _, size := range []int{100, large} {
		d := draft("군사II급비밀")
		if d.Pact = pact; pact == trilateral {
			d.To = []act.Party{"JP"}
		}
		slip, err := from.c.Release(t.Context(), d, bytes.NewReader(bytes.Repeat([]byte("0123456789"), size/10)))
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, slip.Number)
	}
	return numbers
}

// exchange waits for the receipts too.
func exchange(t *testing.T, from *partyNode, large int) {
	t.Helper()
	for _, n := range send(t, from, "kr-jp-2016", large) {
		from.receipted(t, n)
	}
}

// agree checks what two ledgers say about each other: every act that one
// addressed to the other is there once, byte for byte and in its order. It
// returns the number of acts of each kind.
func agree(t *testing.T, a, b *partyNode) map[act.Kind]int {
	t.Helper()
	kinds := map[act.Kind]int{}
	for _, way := range []struct{ from, to *partyNode }{{a, b}, {b, a}} {
		var sent, got [][]byte
		err := way.from.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			for q, err := range way.from.Catalogue.Queue(tx, way.to.Card.Party, 0) {
				if err != nil {
					return err
				}
				e, err := tx.Entry(q.Index)
				if err != nil {
					return err
				}
				kinds[e.Act.Kind]++
				sent = append(sent, e.Bytes)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = way.to.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			for e, err := range tx.Entries(0) {
				if err != nil {
					return err
				}
				if e.Act.From == way.from.Card.Party {
					got = append(got, e.Bytes)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if string(bytes.Join(sent, []byte("\n"))) != string(bytes.Join(got, []byte("\n"))) {
			t.Errorf("%s sent %d acts and %s has %d, or others", way.from.Card.Party, len(sent), way.to.Card.Party, len(got))
		}
		if _, err := way.to.Verify(t.Context(), func(_, _ int64) {}); err != nil {
			t.Errorf("%s: %v", way.to.Card.Party, err)
		}
	}
	return kinds
}

// TestTogether: two nodes meet, agree, exchange and stop in one process.
func TestTogether(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		exchange(t, kr, 3<<20)
		kinds := agree(t, kr, jp)
		if kinds[act.ProductReleased] != 2 || kinds[act.ProductReceived] != 2 || kinds[act.ActRefused] != 0 {
			t.Errorf("%v", kinds)
		}
		kr.stop()
		jp.stop()
	})
}

// TestListenerFails: a node whom nobody can call any more ends with an error,
// though its sessions would go on.
func TestListenerFails(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, disk := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		kr.stop()
		n, err := node.New(t.Context(), kr.dir, disk.Ledger(), disk.Vault(), inMemory(net))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen(kr.addr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		time.AfterFunc(time.Minute, func() { l.Close() }) // the partner's sessions are open by then
		if err := n.Serve(ctx, l); err == nil || ctx.Err() != nil {
			t.Errorf("the node went on: %v", err)
		}
		jp.stop()
	})
}

// TestCuts cuts the network after a number of bytes: each of the first
// connections, then none. All arrives, and arrives once. The numbers are drawn, the same
// each time: most lie in the handshake, the hellos and the acts.
func TestCuts(t *testing.T) {
	cuts := []int{0, 1, 100, 1500, 3000}
	for n := 4096; n < 3<<20; n += n / 2 {
		cuts = append(cuts, n)
	}
	if testing.Short() {
		cuts = cuts[:8]
	} else {
		for r := rand.New(rand.NewPCG(7, 21)); len(cuts) < 80; {
			cuts = append(cuts, r.IntN(16<<10), r.IntN(3<<20))
		}
	}
	together(t, func(t *testing.T, net *memory.Network) {
		kr, krDisk := establish(t, "KR", net)
		jp, jpDisk := establish(t, "JP", net)
		conclude(t, kr, jp)
		kr.stop()
		jp.stop()
		for _, at := range cuts {
			net := &memory.Network{Cut: func(connection int) int {
				if connection < 12 { // two for each lane and caller
					return at
				}
				return -1
			}}
			kr.resume(t, krDisk.Copy(), net)
			jp.resume(t, jpDisk.Copy(), net)
			exchange(t, kr, 2<<20)
			kinds := agree(t, kr, jp)
			if kinds[act.ProductReleased] != 2 || kinds[act.ProductReceived] != 2 || kinds[act.ActRefused] != 0 {
				t.Errorf("cut after %d bytes: %v", at, kinds)
			}
			if net.Calls() < 3 {
				t.Errorf("cut after %d bytes: only %d connections", at, net.Calls())
			}
			kr.stop()
			jp.stop()
		}
	})
}

// TestPowerCuts ends one of the two nodes at its first write, at its second,
// and so on: before the write counts or just after. What was staged is torn.
// Opened again it goes on, and all arrives, and arrives once.
func TestPowerCuts(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, krDisk := establish(t, "KR", net)
		jp, jpDisk := establish(t, "JP", net)
		conclude(t, kr, jp)
		kr.stop()
		jp.stop()
		for _, victim := range []*partyNode{kr, jp} {
			for at := 1; powerCut(t, kr, jp, map[*partyNode]*memory.Disk{kr: krDisk, jp: jpDisk}, "kr-jp-2016", victim, at); at++ {
				if testing.Short() && at == 4 {
					break
				}
			}
		}
	})
}

var errPower = errors.New("the power is cut")

// powerCut has kr send to jp while the victim's power is cut at a write, and reports
// whether there were so many. Copies of
// the disks are used; one may be that of a hub between them.
func powerCut(t *testing.T, kr, jp *partyNode, disks map[*partyNode]*memory.Disk, pact act.PactID, victim *partyNode, at int) bool {
	t.Helper()
	net, copies := &memory.Network{}, map[*partyNode]*memory.Disk{}
	for n, d := range disks {
		copies[n] = d.Copy()
	}
	disk := copies[victim]
	kr.resume(t, copies[kr], net)
	numbers := send(t, kr, pact, 3<<19)
	writes, cut := 0, make(chan struct{})
	disk.Fault(func(op memory.Op) error {
		if slices.Contains([]memory.Op{memory.Commit, memory.Committed, memory.Write, memory.Keep, memory.Kept}, op) {
			if writes++; writes == at {
				close(cut)
			}
		}
		if writes >= at {
			return errPower
		}
		return nil
	})
	for n, d := range copies {
		if n != kr {
			n.resume(t, d, net)
		}
	}
	select {
	case <-cut:
		synctest.Wait() // it has noticed
		victim.ends = errPower
		victim.stop()
		victim.ends = nil
		disk.Crash(func(_ string, n int) int { return n / 2 })
		disk.Fault(nil)
		victim.resume(t, disk, net)
	case <-time.After(10 * time.Minute): // all is done, and the next checkpoint is not due
		disk.Fault(nil)
	}
	for _, n := range numbers {
		kr.receipted(t, n)
	}
	kinds := agree(t, kr, jp)
	if kinds[act.ProductReleased] != 2 || kinds[act.ProductReceived] != 2 || kinds[act.ActRefused] != 0 {
		t.Errorf("%s, cut at write %d: %v", victim.Card.Party, at, kinds)
	}
	for n := range copies {
		n.stop()
	}
	return writes >= at
}

// TestSteps drives two nodes by their steps alone, in one goroutine: nothing
// is served, nobody waits, and the order of all that happens is the test's.
func TestSteps(t *testing.T) {
	x := inForce(t, "")
	slip, err := x.kr.Release.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("a short report"))
	x.must(t, err)
	x.settle(t)
	x.must(t, x.kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		cu, ok, err := x.kr.Catalogue.Product(tx, slip.Number)
		if !ok || len(cu.Received) != 1 || cu.Received["JP"].Mark.Text != "極秘" {
			t.Errorf("no receipt: %+v, %v", cu.Received, ok)
		}
		return err
	}))
	agree(t, &partyNode{Node: x.kr}, &partyNode{Node: x.jp})
}
