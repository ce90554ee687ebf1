package node_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/desk"
	"entente/internal/line"
	"entente/ledger"
	"entente/party"
	"entente/product"
	"entente/vault"
)

// largeSize is more than four blocks.
const largeSize = 4<<20 + 12345

// behind makes Seoul and Tokyo, of whom Seoul calls through a proxy and Tokyo
// cannot call.
func behind(t *testing.T) (kr, jp *partyNode, p *line.Proxy) {
	t.Helper()
	kr, jp = start(t, "KR"), start(t, "JP")
	kr.patience, jp.patience = 4*time.Minute, 4*time.Minute
	p = line.New(t, jp.addr)
	for _, s := range []struct {
		own, other *partyNode
		at         string
	}{{kr, jp, p.Addr}, {jp, kr, ""}} {
		var v desk.SignView
		if err := s.own.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: "kr-jp-2016", Address: s.at, Code: party.Code(s.other.Card), As: "officer", Notify: true}, &v); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []*partyNode{kr, jp} {
		n.until(t, "the pact is in force", func(tx *ledger.Tx) bool {
			q, row, ok, err := n.Catalogue.Pact(tx, "kr-jp-2016", time.Now())
			return err == nil && ok && q.Phase(row.Life, time.Now()).Transfers()
		})
	}
	return kr, jp, p
}

// twoProducts releases a small and a large product, and returns what is in them.
func twoProducts(t *testing.T, kr *partyNode) (numbers []act.Number, contents [][]byte) {
	t.Helper()
	for _, size := range []int{100, largeSize} {
		b := bytes.Repeat([]byte("an image of a launch site. "), size/27+1)[:size]
		slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		numbers, contents = append(numbers, slip.Number), append(contents, b)
	}
	return numbers, contents
}

// once checks that each product arrived, whole, and that its release and its
// receipt stand once in both ledgers.
func once(t *testing.T, kr, jp *partyNode, numbers []act.Number, contents [][]byte) {
	t.Helper()
	for i, no := range numbers {
		kr.receipted(t, no)
		var got bytes.Buffer
		if err := jp.c.Open(t.Context(), desk.OpenAsk{Number: no, As: "analyst"}, &got, func(desk.Opened) {}); err != nil || !bytes.Equal(got.Bytes(), contents[i]) {
			t.Errorf("%s: %d bytes of %d, or others: %v", no, got.Len(), len(contents[i]), err)
		}
		for _, n := range []*partyNode{kr, jp} {
			kinds := map[act.Kind]int{}
			if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
				for e, err := range tx.Entries(0) {
					if err != nil {
						return err
					}
					if about, ok := product.About(e.Act); ok && about == no {
						kinds[e.Act.Kind]++
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if kinds[act.ProductReleased] != 1 || kinds[act.ProductReceived] != 1 || kinds[act.ActRefused] != 0 {
				t.Errorf("%s: %v", n.Card.Party, kinds)
			}
		}
	}
}

// TestLines: over every bad line both products arrive, once, and a
// transfer that was cut re-sends one block at most.
func TestLines(t *testing.T) {
	cuts := []int64{1, 200, 5000, 300_000, 900_000, 3 << 19, 1<<20 + 70_000}
	flip := func(at int64, b []byte) []byte {
		if at < 1<<20 && at+int64(len(b)) > 700_000 {
			b = append([]byte(nil), b...)
			b[len(b)/2] ^= 1
		}
		return b
	}
	for _, c := range []struct {
		name string
		line line.Line
		cuts []int64
		lost bool // what was not read yet
		slow bool // the far end must notice by silence, or the line is slow
	}{
		{"clear", line.Line{}, nil, false, false},
		{"closed after any byte", line.Line{End: line.Closes}, cuts, false, false},
		{"reset after any byte", line.Line{End: line.Resets}, cuts, true, false},
		{"pieces of a few bytes", line.Line{Piece: 60}, nil, false, false},
		{"a flipped bit, then a clear line", line.Line{Mangle: first(flip)}, nil, false, false},
		{"duplicated bytes, then a clear line", line.Line{Mangle: first(func(at int64, b []byte) []byte {
			if at > 500_000 {
				return append(append([]byte(nil), b...), b...)
			}
			return b
		})}, nil, false, false},
		{"a satellite: 600 ms round trip, lost pieces", line.Line{Delay: 300 * time.Millisecond, Stall: 60}, nil, false, true},
		{"half-open in mid-transfer", line.Line{End: line.HalfOpen}, []int64{2 << 20}, false, true},
		{"black hole in mid-transfer", line.Line{End: line.Silence}, []int64{2 << 20}, false, true},
		{"a byte a second from mid-transfer on", line.Line{}, []int64{2 << 20}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && testing.Short() {
				t.Skip("it takes a minute")
			}
			t.Parallel()
			kr, jp, p := behind(t)
			p.Set(c.line, c.cuts...)
			numbers, contents := twoProducts(t, kr)
			once(t, kr, jp, numbers, contents)
			handed, done := p.Handed()
			if done != len(c.cuts) {
				t.Errorf("%d of %d cuts were made", done, len(c.cuts))
			}
			t.Logf("%d bytes handed over for %d of content, %d cuts", handed, largeSize, done)
			most := int64(largeSize + 256<<10) // with the greetings, some 40 KB for three lanes
			for _, at := range c.cuts {
				if !c.lost { // otherwise what the far end's kernel held is gone with the connection
					at = min(at, vault.BlockSize+64<<10)
				}
				most += at
			}
			if c.line.Mangle != nil {
				most += largeSize // what was under way behind the damage
			}
			if handed > most {
				t.Errorf("%d bytes were handed over, at most %d would do", handed, most)
			}
		})
	}
}

// first mangles the first connection that it applies to, and no other.
func first(f func(int64, []byte) []byte) func(int64, []byte) []byte {
	var done atomic.Bool
	return func(at int64, b []byte) []byte {
		m := f(at, b)
		if bytes.Equal(m, b) || done.Swap(true) {
			return b
		}
		return m
	}
}

// TestLineToAnother: in mid-transfer another node answers at the partner's
// address, with other keys. It gets nothing, the officer is told, and the transfer
// goes on when the partner is back.
func TestLineToAnother(t *testing.T) {
	t.Parallel()
	kr, jp, p := behind(t)
	impostor := start(t, "JP")
	if err := impostor.Chancery.Know(t.Context(), kr.Card, party.Code(kr.Card), "officer"); err != nil {
		t.Fatal(err)
	}
	p.Set(line.Line{End: func(p *line.Proxy, near, far *net.TCPConn) {
		p.To(impostor.addr)
		line.Resets(p, near, far)
		go p.HangUp(false)
	}}, 2<<20)
	numbers, contents := twoProducts(t, kr)
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(kr.status(t).Partners[0].Reason, "not the one pinned") {
		if time.Sleep(20 * time.Millisecond); time.Now().After(deadline) {
			t.Fatalf("the officer is told: %+v", kr.status(t).Partners)
		}
	}
	if p, _, err := kr.partner(t, "JP"); err != nil || p.Card.Link != jp.Card.Link {
		t.Errorf("the pin was changed: %v", err)
	}
	if _, _, err := impostor.partner(t, "KR"); err != nil {
		t.Error(err)
	}
	p.To(jp.addr)
	once(t, kr, jp, numbers, contents)
	if handed, _ := p.Handed(); handed > largeSize+2<<20+512<<10 {
		t.Errorf("%d bytes were handed over", handed)
	}
}

// TestLineClocks: a clock steps on either side in mid-transfer. While the two
// differ by more than a day, or one is behind its own ledger, the officers are told
// why nothing moves; set right, both products arrive, once.
func TestLineClocks(t *testing.T) {
	for _, c := range []struct {
		name   string
		kr, jp time.Duration
		toldKR string // that Seoul's officer reads
		toldJP string // that Tokyo's does
	}{
		{"the caller's jumps ahead", 25 * time.Hour, 0, "(clock)", "differs from ours"},
		{"the called one's jumps ahead", 0, 25 * time.Hour, "(clock)", "differs from ours"},
		{"the recipient's is set back", 0, -2 * time.Hour, "", "behind our own ledger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			kr, jp, p := behind(t)
			var step [2]atomic.Int64
			for i, n := range []*partyNode{kr, jp} {
				n.stop()
				n.now = func() time.Time { return time.Now().Add(time.Duration(step[i].Load())) }
				n.serve(t)
			}
			p.Set(line.Line{}) // the proxy begins anew
			numbers, contents := []act.Number(nil), [][]byte(nil)
			stepped := make(chan struct{})
			p.Set(line.Line{End: func(p *line.Proxy, near, far *net.TCPConn) {
				step[0].Store(int64(c.kr))
				step[1].Store(int64(c.jp))
				close(stepped)
				line.Resets(p, near, far)
				go p.HangUp(false)
			}}, 2<<20)
			numbers, contents = twoProducts(t, kr)
			<-stepped
			said := func(n *partyNode, want string) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); want != "" && !strings.Contains(fmt.Sprintf("%+v", n.status(t).Partners[0]), want); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%s is told: %+v", n.Card.Party, n.status(t).Partners[0])
					}
				}
			}
			said(kr, c.toldKR)
			said(jp, c.toldJP)
			step[0].Store(0)
			step[1].Store(0)
			once(t, kr, jp, numbers, contents)
		})
	}
}

func (n *partyNode) partner(t *testing.T, p act.Party) (v catalogue.Partner, ok bool, err error) {
	t.Helper()
	err = n.Ledger.View(t.Context(), func(tx *ledger.Tx) (err error) {
		v, ok, err = n.Catalogue.Partner(tx, p)
		return err
	})
	return v, ok, err
}

func (n *partyNode) status(t *testing.T) (v desk.StatusView) {
	t.Helper()
	if err := n.c.Get(t.Context(), "/v1/status", &v); err != nil {
		t.Fatal(err)
	}
	return v
}
