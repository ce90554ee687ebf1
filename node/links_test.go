//go:build !race

package node_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/desk"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/party"
	"entente/vault"
)

// TestStandingIdle: two nodes that know each other's address keep one
// connection for each task. Neither calls again while they stand.
func TestStandingIdle(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		exchange(t, kr, 3<<20)
		time.Sleep(time.Minute)
		calls := net.Calls()
		time.Sleep(10 * time.Minute)
		if again := net.Calls() - calls; again != 0 {
			t.Errorf("%d calls in ten idle minutes", again)
		}
		if calls > 14 {
			t.Errorf("%d calls to begin with", calls)
		}
		exchange(t, kr, 3<<20)
		if k := agree(t, kr, jp); k[act.ProductReceived] != 4 {
			t.Errorf("%v", k)
		}
		kr.stop()
		jp.stop()
	})
}

// poor is a listener that has no files for a while.
type poor struct {
	net.Listener
	fails atomic.Int32
}

func (p *poor) Accept() (net.Conn, error) {
	if p.fails.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "memory", Err: syscall.EMFILE}
	}
	return p.Listener.Accept()
}

// TestListenerPoor: a node that has no files for half a minute answers again.
func TestListenerPoor(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, disk := establish(t, "KR", net)
		kr.stop()
		n, err := node.New(t.Context(), kr.dir, disk.Ledger(), disk.Vault(), inMemory(net))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen(kr.addr)
		if err != nil {
			t.Fatal(err)
		}
		p := &poor{Listener: l}
		p.fails.Store(30)
		kr.Node, kr.patience = n, 24*time.Hour
		kr.run(t, p)
		jp, _ := establish(t, "JP", net)
		time.Sleep(time.Minute)
		conclude(t, kr, jp)
		kr.stop()
		jp.stop()
	})
}

// TestParked: an officer parks a partner. Both directions stop, the partner is
// told, nothing is lost, and it goes on when it is resumed.
func TestParked(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, krDisk := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		exchange(t, kr, 3<<20)
		park := func(k act.Kind, reason string) {
			t.Helper()
			if err := kr.c.Post(t.Context(), "/v1/house", desk.HouseAsk{Kind: k, As: "officer", Party: "JP", Reason: reason}, new(desk.GrantView)); err != nil {
				t.Fatal(err)
			}
		}
		park(act.PartnerParked, "the line is being moved")
		for _, again := range []desk.HouseAsk{{Kind: act.PartnerParked, As: "officer", Party: "JP", Reason: "again"}, {Kind: act.PartnerResumed, As: "analyst", Party: "JP"}, {Kind: act.PartnerParked, As: "officer", Party: "US", Reason: "unknown"}} {
			if err := kr.c.Post(t.Context(), "/v1/house", again, new(desk.GrantView)); err == nil {
				t.Errorf("%+v was done", again)
			}
		}
		time.Sleep(time.Minute)
		if s := kr.Carriage.States()["JP"]; s.Linked {
			t.Errorf("still linked: %+v", s)
		}
		if s := jp.Carriage.States()["KR"]; s.Linked || !strings.Contains(s.Trouble, "(parked)") {
			t.Errorf("what the partner is told: %+v", s)
		}
		numbers := append(send(t, kr, "kr-jp-2016", 2<<20), func() act.Number {
			slip, err := jp.c.Release(t.Context(), draft("極秘"), strings.NewReader("from Tokyo"))
			if err != nil {
				t.Fatal(err)
			}
			return slip.Number
		}())
		kr.stop()
		kr.resume(t, krDisk, net) // parked is parked after a restart
		time.Sleep(time.Hour)
		for _, n := range []*partyNode{kr, jp} {
			for _, no := range numbers {
				if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
					cu, _, err := n.Catalogue.Product(tx, no)
					if len(cu.Received) > 0 || n.Card.Party != act.Party(no[:2]) && cu.From != "" {
						t.Errorf("%s was carried while parked", no)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var s desk.StatusView
		if err := kr.c.Get(t.Context(), "/v1/status", &s); err != nil || s.Partners[0].Parked != "the line is being moved" || s.Partners[0].Waiting != 2 {
			t.Errorf("status: %+v, %v", s.Partners, err)
		}
		park(act.PartnerResumed, "moved")
		for i, n := range []*partyNode{kr, kr, jp} {
			n.receipted(t, numbers[i])
		}
		if k := agree(t, kr, jp); k[act.ProductReceived] != 5 || k[act.PartnerParked] != 0 {
			t.Errorf("%v", k)
		}
		kr.stop()
		jp.stop()
	})
}

// TestStanding40: a node with 40 partners. One accepts and never reads, one
// speaks a byte a second, one opens as many connections as it gets, one is dead, one
// greets and stops reading, and one calls as ten would: the others get what is for them in no time, by the
// bubble's clock, and so does the status page.
func TestStanding40(t *testing.T) {
	together(t, func(t *testing.T, network *memory.Network) {
		kr, _ := establish(t, "KR", network)
		var all []*partyNode
		var disks []*memory.Disk
		for i := range 40 {
			p := act.Party(fmt.Sprintf("P%02d", i))
			n := &partyNode{dir: t.TempDir(), addr: string(p)}
			d := memory.NewDisk()
			if err := node.Establish(t.Context(), n.dir, d.Ledger(), node.Found{Party: p, Name: act.Names{EN: string(p)}}, inMemory(network)); err != nil {
				t.Fatal(err)
			}
			n.resume(t, d, network)
			all, disks = append(all, n), append(disks, d)
			for _, s := range []struct{ own, other *partyNode }{{kr, n}, {n, kr}} {
				as := "officer"
				if s.own == n { // it has no people: the node's own hand is enough for a test of links
					enrolled := act.Person{Name: as, Post: "officer", Offices: []act.Office{act.Signing}, Until: act.MomentOf(time.Now().AddDate(1, 0, 0))}
					if err := n.Enrol(t.Context(), enrolled); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.own.Chancery.Know(t.Context(), s.other.Card, party.Code(s.other.Card), as); err != nil {
					t.Fatal(err)
				}
			}
			if err := kr.SetAddress(t.Context(), p, string(p)); err != nil {
				t.Fatal(err)
			}
		}
		// said has KR say something to all, and returns how long each waited for it.
		said := func(healthy []*partyNode) time.Duration {
			t.Helper()
			began := time.Now()
			name := fmt.Sprintf("officer%d", began.Unix())
			if err := kr.Enrol(t.Context(), act.Person{Name: name, Post: "another", Offices: []act.Office{act.Signing}, Until: act.MomentOf(began.AddDate(1, 0, 0))}); err != nil {
				t.Fatal(err)
			}
			for _, n := range healthy {
				n.until(t, "heard", func(tx *ledger.Tx) bool {
					p, _, err := n.Catalogue.Partner(tx, "KR")
					return err == nil && p.Authorities[name].Name == name
				})
			}
			return time.Since(began)
		}
		time.Sleep(5 * time.Minute)
		said(all)
		synctest.Wait()
		before := runtime.NumGoroutine()
		calls := network.Calls()
		time.Sleep(10 * time.Minute)
		if again := network.Calls() - calls; again != 0 {
			t.Errorf("%d calls in ten idle minutes", again)
		}
		t.Logf("%d goroutines for 40 partners and their 40 nodes, %.1f each", before, float64(before)/80)
		if before > 80*14 {
			t.Errorf("%d goroutines for 40 idle partners and their nodes", before)
		}

		ctx, cancel := context.WithCancel(t.Context())
		for i, hostile := range []func(context.Context, *partyNode){
			func(ctx context.Context, n *partyNode) { mute(ctx, t, network, n) },
			func(ctx context.Context, n *partyNode) { trickles(ctx, t, network, n) },
			func(ctx context.Context, n *partyNode) { crowds(ctx, network, n, "KR") },
			func(context.Context, *partyNode) {}, // dead: nobody listens
		} {
			all[i].stop()
			go hostile(ctx, all[i])
		}
		// Two have valid keys: one greets and stops reading, one calls as ten would.
		all[4].stop()
		l, err := network.Listen(all[4].addr)
		if err != nil {
			t.Fatal(err)
		}
		all[4].resumeOn(t, disks[4], tired{l}, inMemory(network))
		var crowd sync.WaitGroup
		for range 10 {
			c := all[5].Carriage
			again := &carriage.Direct{Own: c.Own, Certificate: c.Certificate, Ledger: c.Ledger, Catalogue: c.Catalogue, Intake: c.Intake, Vault: c.Vault, Now: c.Now, Connect: c.Connect, Jitter: rand.New(rand.NewPCG(1, 2)), Evidence: c.Evidence, Log: c.Log}
			crowd.Go(func() { again.Dial(ctx, "KR", func() string { return "KR" }) })
		}
		time.Sleep(time.Minute)
		for range 20 {
			if took := said(all[6:]); took > time.Second {
				t.Errorf("the others waited %v", took)
			}
			synctest.Wait() // their answers have come
			began := time.Now()
			var s desk.StatusView
			if err := kr.c.Get(t.Context(), "/v1/status", &s); err != nil || len(s.Partners) != 40 || time.Since(began) > 0 {
				t.Errorf("the status took %v, with %d partners: %v", time.Since(began), len(s.Partners), err)
			}
			for i, p := range s.Partners {
				if i < 4 && (p.Linked || p.Trouble == "") || i >= 6 && (!p.Linked || p.Waiting != 0) || i == 4 && p.Waiting == 0 {
					t.Errorf("%s: linked %v, %q", p.Party, p.Linked, p.Trouble)
				}
			}
			time.Sleep(17 * time.Second)
		}
		if kr.Carriage.Turned()["calls of a host"]+kr.Carriage.Turned()["greetings of a host"] == 0 {
			t.Errorf("the crowd was let in: %v", kr.Carriage.Turned())
		}
		cancel()
		crowd.Wait()
		kr.stop()
		for _, n := range all {
			n.stop()
		}
	})
}

// tired is a listener whose connections are read for a greeting and a little more.
type tired struct{ net.Listener }

func (l tired) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &tiredConn{Conn: c, left: 24 << 10, done: make(chan struct{})}, err
}

type tiredConn struct {
	net.Conn
	left int
	done chan struct{}
	once sync.Once
}

func (c *tiredConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		<-c.done
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *tiredConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

// mute answers calls and never reads.
func mute(ctx context.Context, t *testing.T, network *memory.Network, n *partyNode) {
	l, err := network.Listen(n.addr)
	if err != nil {
		t.Error(err)
		return
	}
	context.AfterFunc(ctx, func() { l.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		context.AfterFunc(ctx, func() { c.Close() })
	}
}

// trickles answers calls with a byte a second, of what could be a greeting.
func trickles(ctx context.Context, t *testing.T, network *memory.Network, n *partyNode) {
	l, err := network.Listen(n.addr)
	if err != nil {
		t.Error(err)
		return
	}
	context.AfterFunc(ctx, func() { l.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for _, b := range append([]byte{22, 3, 3, 64, 0, 2, 0, 63, 252}, make([]byte, 4000)...) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return
				}
			}
		}()
	}
}

// crowds opens connections as fast as it may, and holds them.
func crowds(ctx context.Context, network *memory.Network, _ *partyNode, at string) {
	for ctx.Err() == nil {
		if c, err := network.Connect(ctx, at); err == nil {
			context.AfterFunc(ctx, func() { c.Close() })
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// logged is a log that a test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func (n *partyNode) metrics(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	n.Desk("").API().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("metrics: %d", w.Code)
	}
	return w.Body.String()
}

// TestOverdue: a receipt that is missing beyond the pact's limit is alarmed at
// its sender, and content that does not come at both sides (R35): in the status, the
// metrics and the log, once; and no more when it has come.
func TestOverdue(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, krDisk := establish(t, "KR", net)
		jp, jpDisk := establish(t, "JP", net)
		text, _ := pact.Template("kr-jp-2016")
		concludeUnder(t, kr, jp, strings.Replace(string(text), "hours: 72", "hours: 3", 1))
		time.Sleep(time.Minute) // the last answers have come
		kr.stop()
		jp.stop()
		krLog, jpLog := &logged{}, &logged{}
		resume := func(n *partyNode, d *memory.Disk, l *logged) {
			seams := inMemory(net)
			seams.Log = slog.New(slog.NewTextHandler(l, nil))
			n.resumeIn(t, d, net, seams)
		}
		const missing, late = "a receipt is missing", "has not arrived within"
		resume(kr, krDisk, krLog)
		numbers := send(t, kr, "kr-jp-2016", 2<<20)
		time.Sleep(170 * time.Minute)
		if p := kr.status(t).Partners[0]; p.Out.Overdue != 0 || p.Out.Products != 2 || p.Waiting != 2 || p.Behind < 160*60 || p.Bytes == 0 || !strings.Contains(p.Reason, "not linked") || krLog.count(missing) != 0 {
			t.Errorf("before the limit: %+v", p)
		}
		time.Sleep(20 * time.Minute)
		p := kr.status(t).Partners[0]
		if p.Out.Overdue != 2 || len(p.Overdue) != 2 || krLog.count(missing) != 2 || !strings.Contains(kr.metrics(t), "entente_receipts_overdue{partner=\"JP\"} 2\n") {
			t.Errorf("after the limit: %+v, logged %d", p, krLog.count(missing))
		}
		jpDisk.Fault(func(op memory.Op) error {
			if op == memory.Write {
				return vault.ErrFull
			}
			return nil
		})
		resume(jp, jpDisk, jpLog)
		kr.receipted(t, numbers[0]) // the small one stands in a row
		time.Sleep(time.Hour)
		p = kr.status(t).Partners[0]
		if p.Out.Overdue != 1 || krLog.count(missing) != 2 || !p.Linked || p.Waiting != 0 {
			t.Errorf("one is still missing: %+v, logged %d", p, krLog.count(missing))
		}
		p = jp.status(t).Partners[0]
		if p.In.Overdue != 1 || jpLog.count(late) != 1 || !strings.Contains(p.Reason, "the disk is full") || !strings.Contains(jp.metrics(t), "entente_content_overdue{partner=\"KR\"} 1\n") {
			t.Errorf("its recipient: %+v, logged %d: %s", p, jpLog.count(late), jpLog.b.String())
		}
		jpDisk.Fault(nil)
		kr.receipted(t, numbers[1])
		time.Sleep(time.Hour)
		for _, n := range []*partyNode{kr, jp} {
			if p := n.status(t).Partners[0]; len(p.Overdue) != 0 || p.In != (desk.Way{}) || p.Out != (desk.Way{}) || p.Reason != "" {
				t.Errorf("%s: all has come: %+v", n.Card.Party, p)
			}
		}
		kr.stop()
		jp.stop()
	})
}

// TestStandingMetrics: the metrics are in the format, and name nothing but partners.
func TestStandingMetrics(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		exchange(t, kr, 2<<20)
		line := regexp.MustCompile(`^(# (HELP|TYPE) entente_[a-z_]+ .+|entente_[a-z_]+(\{(partner="[A-Z0-9-]+"|limit="[a-z ]+")\})? -?[0-9.e+-]+)$`)
		lines := 0
		for l := range strings.Lines(kr.metrics(t)) {
			lines++
			if l = strings.TrimSuffix(l, "\n"); !line.MatchString(l) {
				t.Errorf("not in the format, or it tells too much: %s", l)
			}
			for _, secret := range []string{"비밀", "極秘", "KR-20", "missile", "kr-jp", "SECRET"} {
				if strings.Contains(l, secret) {
					t.Errorf("it tells %q: %s", secret, l)
				}
			}
		}
		for _, want := range []string{`entente_link_up{partner="JP"} 1`, `entente_lag_acts{partner="JP"} 0`, `entente_clock_skew_seconds{partner="JP"} 0`} {
			if !strings.Contains(kr.metrics(t), want+"\n") {
				t.Errorf("no %s", want)
			}
		}
		if lines < 50 {
			t.Errorf("only %d lines", lines)
		}
		kr.stop()
		jp.stop()
	})
}

// TestStandingAccredited: a lapsed accreditation of the own system stops that channel
// at that level, at the sender and at the recipient (R37), and no lower one.
func TestStandingAccredited(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		accredit := func(n *partyNode, mark string, until time.Time) {
			t.Helper()
			ask := desk.HouseAsk{Kind: act.SystemAccredited, As: "officer", Accreditation: &act.Accreditation{Channel: "electronic", Mark: act.Mark{Text: mark}, Until: act.MomentOf(until), By: "the security office, paper 7"}}
			if err := n.c.Post(t.Context(), "/v1/house", ask, new(desk.GrantView)); err != nil {
				t.Fatal(err)
			}
		}
		release := func(mark string) (act.Number, error) {
			slip, err := kr.c.Release(t.Context(), draft(mark), strings.NewReader("a report"))
			return slip.Number, err
		}
		accredit(kr, "군사II급비밀", time.Now().Add(time.Hour))
		accredit(kr, "군사III급비밀", time.Now().Add(48*time.Hour))
		accredit(jp, "極秘", time.Now().Add(24*time.Hour))
		accredit(jp, "秘", time.Now().Add(48*time.Hour))
		n, err := release("군사II급비밀")
		if err != nil {
			t.Fatal(err)
		}
		kr.receipted(t, n)
		time.Sleep(2 * time.Hour)
		if _, err := release("군사II급비밀"); err == nil || !strings.Contains(err.Error(), "lapsed") {
			t.Errorf("released after the accreditation lapsed: %v", err)
		}
		if n, err = release("군사III급비밀"); err != nil {
			t.Fatal(err)
		}
		kr.receipted(t, n)
		time.Sleep(23 * time.Hour)
		accredit(kr, "군사II급비밀", time.Now().Add(time.Hour)) // renewed here; the partner's has lapsed
		if n, err = release("군사II급비밀"); err != nil {
			t.Fatal(err)
		}
		kr.until(t, "the recipient refuses it", func(tx *ledger.Tx) bool {
			cu, _, err := kr.Catalogue.Product(tx, n)
			return err == nil && len(cu.Refused) == 1 && strings.Contains(cu.Refused["JP"].Because[0].Text, "lapsed") && strings.Contains(cu.Refused["JP"].Because[0].Cure, "entente accredit")
		})
		if k := agree(t, kr, jp); k[act.SystemAccredited] != 0 || k[act.ProductReceived] != 2 {
			t.Errorf("%v", k)
		}
		if p := kr.status(t).Partners[0]; p.Out.Products != 0 {
			t.Errorf("a refused product waits for a receipt: %+v", p)
		}
		kr.stop()
		jp.stop()
	})
}

// TestStandingLapsed: content that was released while the system was accredited, with the link
// down, is not handed over once the accreditation lapsed (R37): not on the link, not
// in a parcel, small or large. What is below the level goes on, the officer reads why, and it goes
// when the accreditation is renewed.
func TestStandingLapsed(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, jpDisk := establish(t, "JP", net)
		conclude(t, kr, jp)
		accredit := func(channel, mark string, until time.Duration) {
			t.Helper()
			ask := desk.HouseAsk{Kind: act.SystemAccredited, As: "officer", Accreditation: &act.Accreditation{Channel: channel, Mark: act.Mark{Text: mark}, Until: act.MomentOf(time.Now().Add(until)), By: "paper 7"}}
			if err := kr.c.Post(t.Context(), "/v1/house", ask, new(desk.GrantView)); err != nil {
				t.Fatal(err)
			}
		}
		for _, channel := range []string{"electronic", "courier"} {
			accredit(channel, "군사II급비밀", time.Hour)
			accredit(channel, "군사III급비밀", 100*time.Hour)
		}
		jp.stop()
		release := func(mark string, size int) act.Number {
			t.Helper()
			slip, err := kr.c.Release(t.Context(), draft(mark), strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			return slip.Number
		}
		high := []act.Number{release("군사II급비밀", 10), release("군사II급비밀", 2<<20)}
		low := []act.Number{release("군사III급비밀", 10), release("군사III급비밀", 2<<20)}
		time.Sleep(2 * time.Hour)
		if del, err := kr.Carriage.Next(t.Context(), "JP", 0, act.Head{}); err != nil || len(del.Acts) < 4 {
			t.Fatal(len(del.Acts), err)
		} else {
			with := 0
			for _, c := range del.Acts {
				if c.Content != nil {
					with++
				}
			}
			if with != 1 {
				t.Errorf("%d small products go with their acts, and one may", with)
			}
		}
		jp.resume(t, jpDisk, net)
		for _, n := range low {
			kr.receipted(t, n)
		}
		time.Sleep(time.Hour)
		for _, n := range high {
			if err := jp.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
				cu, _, err := jp.Catalogue.Product(tx, n)
				if len(cu.Received) > 0 || cu.From == "" {
					t.Errorf("%s was handed over after the accreditation lapsed, or its act was not: %+v", n, cu.Received)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if p := kr.status(t).Partners[0]; !strings.Contains(p.Reason, "lapsed") || !strings.Contains(p.Reason, "entente accredit") {
			t.Errorf("the officer reads %q", p.Reason)
		}
		if c := kr.Carriage.States()["JP"].Content; !strings.Contains(c, "lapsed") {
			t.Errorf("the link says %q", c)
		}
		accredit("electronic", "군사II급비밀", time.Hour)
		for _, n := range high {
			kr.receipted(t, n)
		}
		if c := kr.Carriage.States()["JP"].Content; c != "" {
			t.Errorf("content moves, and the link still says %q", c)
		}
		kr.stop()
		jp.stop()
	})
}

// TestStandingMissing: content that its originator does not have any more stops
// nothing that was released after it, and both officers read why it does not come.
func TestStandingMissing(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _ := establish(t, "KR", net)
		jp, jpDisk := establish(t, "JP", net)
		conclude(t, kr, jp)
		jp.stop()
		var numbers []act.Number
		for _, c := range []string{"a", "b", "c"} {
			slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader(strings.Repeat(c, 2<<20)))
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, slip.Number)
		}
		slices.Sort(numbers) // as they are asked for: the first stands before the others
		if err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			cu, _, err := kr.Catalogue.Product(tx, numbers[0])
			if err == nil {
				err = kr.Vault.Remove(t.Context(), vault.Digest(cu.Seal.Vault))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		jp.resume(t, jpDisk, net)
		kr.receipted(t, numbers[1])
		kr.receipted(t, numbers[2])
		time.Sleep(time.Minute)
		for _, n := range []*partyNode{kr, jp} {
			if p := n.status(t).Partners[0]; p.Out.Products+p.In.Products != 1 || !strings.Contains(p.Reason, "content does not") {
				t.Errorf("%s reads: %+v", n.Card.Party, p)
			}
		}
		kr.stop()
		jp.stop()
	})
}

// TestParkedByHub: a partner that is reached by a hub is parked like any other, by
// the sender or by the recipient. The hub's own link stands meanwhile.
func TestParkedByHub(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, _ := establishThree(t, net)
		for _, x := range []struct{ who, with *partyNode }{{kr, jp}, {jp, kr}} {
			ask := desk.HouseAsk{Kind: act.PartnerParked, As: "officer", Party: x.with.Card.Party, Reason: "a drill"}
			if err := x.who.c.Post(t.Context(), "/v1/house", ask, new(desk.GrantView)); err != nil {
				t.Fatal(err)
			}
			slip, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("a report"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if err := jp.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
				_, here, err := jp.Catalogue.Product(tx, slip.Number)
				if here {
					t.Errorf("%s parked %s, and it was carried", x.who.Card.Party, x.with.Card.Party)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			for _, p := range x.who.status(t).Partners {
				if (p.Party == "US") != p.Linked || p.Party == x.with.Card.Party && !strings.Contains(p.Reason, "a drill") {
					t.Errorf("%s reads: %+v", x.who.Card.Party, p)
				}
			}
			ask.Kind = act.PartnerResumed
			if err := x.who.c.Post(t.Context(), "/v1/house", ask, new(desk.GrantView)); err != nil {
				t.Fatal(err)
			}
			kr.receipted(t, slip.Number)
		}
		for _, n := range []*partyNode{kr, jp, us} {
			n.stop()
		}
	})
}

// TestOwed: where content came and its receipt does not go home, by hub or with the link down, who
// owes it is alarmed too (R35): in the status, the metrics and the log, once, and after a crash; and no more when it went.
func TestOwed(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, disks := establishThree(t, net)
		for _, n := range []*partyNode{us, jp, kr} {
			n.stop()
		}
		alone := func(n *partyNode, l *logged) {
			seams := inMemory(&memory.Network{})
			seams.Log = slog.New(slog.NewTextHandler(l, nil))
			n.resumeIn(t, disks[n], &memory.Network{}, seams)
		}
		log := &logged{}
		alone(kr, &logged{})
		alone(jp, log)
		if _, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		b, err := kr.Carriage.Post.Next(t.Context(), "JP", []act.Party{"KR", "US", "JP"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jp.Carriage.Post.Receive(t.Context(), "US", b); err != nil {
			t.Fatal(err)
		}
		view := func(n *partyNode, p act.Party) desk.PartnerView {
			t.Helper()
			for _, v := range n.status(t).Partners {
				if v.Party == p {
					return v
				}
			}
			t.Fatalf("no partner %s", p)
			return desk.PartnerView{}
		}
		const uncarried = "our receipt was not carried"
		time.Sleep(time.Hour)
		if v := view(jp, "KR"); v.Owed.Products != 1 || v.Owed.Overdue != 0 || log.count(uncarried) != 0 {
			t.Errorf("before the limit: %+v", v)
		}
		if err := jp.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			partner, _, err := jp.Catalogue.Partner(tx, "KR")
			if err != nil {
				return err
			}
			for taken := range partner.Queued {
				lag, err := jp.Catalogue.Lag(tx, partner, taken)
				if err != nil {
					return err
				}
				bytes := int64(0)
				for q, err := range jp.Catalogue.Queue(tx, "KR", taken) {
					if err != nil {
						return err
					}
					e, err := tx.Entry(q.Index)
					if err != nil {
						return err
					}
					bytes += int64(len(e.Bytes))
				}
				if lag.Bytes != bytes || lag.Acts != partner.Queued-taken {
					t.Errorf("from %d on %d bytes wait: %+v", taken, bytes, lag)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(200 * time.Hour)
			v := view(jp, "KR")
			if v.Owed.Overdue != 1 || len(v.Overdue) != 1 || !v.Overdue[0].Receipt || log.count(uncarried) != 1 || !strings.Contains(jp.metrics(t), "entente_receipts_uncarried_overdue{partner=\"KR\"} 1\n") {
				t.Errorf("after the limit: %+v, logged %d", v, log.count(uncarried))
			}
			jp.stop()
			log = &logged{}
			alone(jp, log)
		}
		if v := view(kr, "JP"); v.Out.Overdue != 1 {
			t.Errorf("its sender: %+v", v)
		}
		for _, n := range []*partyNode{kr, jp} {
			n.stop()
		}
		for _, n := range []*partyNode{us, kr, jp} {
			n.resume(t, disks[n], net)
		}
		time.Sleep(time.Hour)
		for n, p := range map[*partyNode]act.Party{kr: "JP", jp: "KR"} {
			if v := view(n, p); len(v.Overdue) != 0 || v.Owed != (desk.Way{}) || v.Out != (desk.Way{}) || v.Waiting != 0 || v.Bytes != 0 {
				t.Errorf("%s: all has gone: %+v", n.Card.Party, v)
			}
		}
		for _, n := range []*partyNode{kr, jp, us} {
			n.stop()
		}
	})
}
