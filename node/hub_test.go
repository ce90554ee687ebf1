//go:build !race

package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/desk"
	"entente/intake"
	"entente/internal/memory"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/release"
	"entente/vault"
)

// establishThree establishes three nodes, with the arrangement of 2014 between them, and tells
// the disk of each.
func establishThree(t *testing.T, net *memory.Network) (kr, jp, us *partyNode, disks map[*partyNode]*memory.Disk) {
	t.Helper()
	disks = map[*partyNode]*memory.Disk{}
	for _, x := range []struct {
		p act.Party
		n **partyNode
	}{{"KR", &kr}, {"JP", &jp}, {"US", &us}} {
		n, disk := establish(t, x.p, net)
		*x.n, disks[n] = n, disk
	}
	concludeThree(t, kr, jp, us)
	return kr, jp, us, disks
}

// concludeThree has three nodes know each other and sign the arrangement of
// 2014; then KR and JP reach each other by way of US alone.
func concludeThree(t *testing.T, kr, jp, us *partyNode) {
	t.Helper()
	all := []*partyNode{kr, jp, us}
	var cards []act.Card
	for _, a := range all {
		cards = append(cards, a.Card)
		for _, b := range all {
			if a == b {
				continue
			}
			ask := desk.PactAsk{Address: b.addr, Code: party.Code(b.Card), As: "officer"}
			if err := a.c.Post(t.Context(), "/v1/partner", ask, &desk.SignView{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := pact.Draft(trilateral, cards)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		if n != kr {
			n.until(t, "the text was proposed", func(tx *ledger.Tx) bool {
				_, _, ok, err := n.Catalogue.Pact(tx, trilateral, time.Now())
				return ok && err == nil
			})
		}
		if err := n.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: trilateral, Text: string(text), As: "officer"}, &desk.SignView{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range all {
		n.until(t, "the arrangement is in force", func(tx *ledger.Tx) bool {
			p, row, ok, err := n.Catalogue.Pact(tx, trilateral, time.Now())
			return err == nil && ok && p.Phase(row.Life, time.Now()).Transfers()
		})
	}
	for _, x := range []struct {
		n *partyNode
		p act.Party
	}{{kr, "JP"}, {jp, "KR"}} {
		if err := x.n.c.Post(t.Context(), "/v1/route", desk.RouteAsk{Routing: act.Routing{Party: x.p, Via: "US"}, As: "officer"}, &act.Routing{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHub passes products from KR to JP by way of US, which is no recipient:
// it holds what it cannot read, and the receipts are JP's.
func TestHub(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, _ := establishThree(t, net)
		stop := func() { kr.stop(); jp.stop(); us.stop() }
		defer stop()
		for _, size := range []int{100, 9 << 20} {
			slip, err := kr.c.Release(t.Context(), draftThree("JP"), bytes.NewReader(bytes.Repeat([]byte("x"), size)))
			if err != nil {
				t.Fatal(err)
			}
			kr.receipted(t, slip.Number)
			err = us.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
				_, ok, err := us.Catalogue.Product(tx, slip.Number)
				if ok {
					t.Error("the hub's ledger knows the product")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		agree(t, kr, jp)
	})
}

// TestHubAway: while the hub itself cannot be reached, the status says so of whoever is reached by way of it.
func TestHubAway(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, _ := establishThree(t, net)
		us.stop()
		if _, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("by the hub")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		told := ""
		for _, p := range kr.status(t).Partners {
			if p.Party == "JP" {
				told = p.Reason
			}
		}
		if !strings.HasPrefix(told, "by way of US, which is not linked: ") {
			t.Errorf("the officer is told %q", told)
		}
		jp.stop()
		kr.stop()
	})
}

// TestHubPowerCuts ends the hub, the sender and the recipient at each of their
// writes while two products pass. All arrives, and arrives once.
func TestHubPowerCuts(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, disks := establishThree(t, net)
		for _, n := range []*partyNode{kr, jp, us} {
			n.stop()
		}
		for _, victim := range []*partyNode{us, jp, kr} {
			for at := 1; powerCut(t, kr, jp, disks, trilateral, victim, at); at++ {
				if testing.Short() && at == 4 {
					break
				}
			}
		}
	})
}

// TestHubTricks: a hub that drops, doubles, delays, reorders and replays parcels
// at the dice's will. All arrives, and arrives once; what was lost is said again.
func TestHubTricks(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, disks := establishThree(t, net)
		us.stop()
		kr.stop()
		jp.stop()
		for seed := range uint64(20) {
			dice := rand.New(rand.NewPCG(2014, seed))
			net := &memory.Network{}
			kr.resume(t, disks[kr].Copy(), net)
			jp.resume(t, disks[jp].Copy(), net)
			var numbers []act.Number
			for _, n := range []*partyNode{kr, jp} {
				for _, size := range []int{10, 5<<20 + 3} {
					d := draftThree(map[*partyNode]act.Party{kr: "JP", jp: "KR"}[n])
					d.Mark = map[*partyNode]string{kr: "군사III급비밀", jp: "秘"}[n]
					slip, err := n.c.Release(t.Context(), d, bytes.NewReader(make([]byte, size)))
					if err != nil {
						t.Fatal(err)
					}
					numbers = append(numbers, slip.Number)
				}
			}
			h := &hub{dice: dice, way: map[*partyNode][][]byte{}}
			for round := 0; !h.done(t, kr, jp, numbers); round++ {
				if round == 3000 {
					t.Fatalf("seed %d: not all has arrived: %+v %+v", seed, kr.Carriage.Post.States(), jp.Carriage.Post.States())
				}
				h.step(t, kr, jp)
				h.step(t, jp, kr)
				time.Sleep(5 * time.Second)
			}
			agree(t, kr, jp)
			kr.stop()
			jp.stop()
		}
	})
}

// hub stands between two nodes and is not to be trusted.
type hub struct {
	dice *rand.Rand
	way  map[*partyNode][][]byte // to whom
	old  [][]byte
}

func (h *hub) step(t *testing.T, from, to *partyNode) {
	t.Helper()
	for {
		b, err := from.Carriage.Post.Next(t.Context(), to.Card.Party, []act.Party{from.Card.Party, "US", to.Card.Party})
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		switch h.dice.IntN(6) {
		case 0: // dropped
		case 1: // doubled
			h.way[to] = append(h.way[to], b, b)
		default:
			h.way[to] = append(h.way[to], b)
		}
		h.old = append(h.old, b)
	}
	q := h.way[to]
	h.dice.Shuffle(len(q), func(i, j int) { q[i], q[j] = q[j], q[i] })
	n := h.dice.IntN(len(q) + 1) // the others wait
	for _, b := range q[:n] {
		if _, err := to.Carriage.Post.Absorb(t.Context(), bytes.NewReader(b), "hub"); err != nil {
			t.Fatal(err)
		}
	}
	h.way[to] = q[n:]
	if len(h.old) > 0 {
		b := bytes.Clone(h.old[h.dice.IntN(len(h.old))])
		switch h.dice.IntN(3) {
		case 0: // replayed, to whomever it was for
			_, err := to.Carriage.Post.Absorb(t.Context(), bytes.NewReader(b), "hub")
			if err != nil && !errors.Is(err, carriage.ErrParcel) {
				t.Fatal(err)
			}
		case 1: // altered
			b[h.dice.IntN(len(b))] ^= 1 << h.dice.IntN(8)
			if _, err := to.Carriage.Post.Absorb(t.Context(), bytes.NewReader(b), "hub"); err == nil {
				t.Fatal("an altered parcel was taken in")
			}
		}
	}
}

func (h *hub) done(t *testing.T, kr, jp *partyNode, numbers []act.Number) bool {
	t.Helper()
	all := true
	for _, n := range []*partyNode{kr, jp} {
		err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			for _, no := range numbers {
				cu, _, err := n.Catalogue.Product(tx, no)
				if err != nil {
					return err
				}
				all = all && len(cu.Received) == 1
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestHubView: of two different products of one size class a hub, or whoever
// watches the line, has the same view; and nothing of either is outside.
func TestHubView(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, disks := establishThree(t, net)
		for _, n := range []*partyNode{us, jp, kr} {
			n.stop()
		}
		view := func(d release.Draft, content string) (sizes []int, outers []carriage.Outer) {
			kr.resume(t, disks[kr].Copy(), &memory.Network{})
			defer kr.stop()
			if _, err := kr.c.Release(t.Context(), d, strings.NewReader(content)); err != nil {
				t.Fatal(err)
			}
			b, err := kr.Carriage.Post.Next(t.Context(), "JP", []act.Party{"KR", "US", "JP"})
			if err != nil || b == nil {
				t.Fatalf("nothing is carried: %v", err)
			}
			for _, secret := range []string{content, d.Title, d.Mark, "군사", "SECRET", "imagery", "missile", "kr-jp-us-2014", "officer", "Republic of Korea"} {
				if bytes.Contains(b, []byte(secret)) {
					t.Errorf("%q is outside", secret)
				}
			}
			o, outside, err := carriage.ReadOuter(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("entente parcel v1\n{\"route\":[\"KR\",\"US\",\"JP\"],\"number\":%q}\n", o.Number); string(outside) != want {
				t.Errorf("outside stands %q, want %q", outside, want)
			}
			o.Number = ""
			return append(sizes, len(b)), append(outers, o)
		}
		a, b := draftThree("JP"), draftThree("JP")
		a.Title, a.Kind, a.Subject, a.Mark, a.MediaType = "Launch preparations seen at a site", "imagery", "imagery", "군사II급비밀", "image/tiff"
		b.Title, b.Kind, b.Subject, b.Mark, b.Purpose = "A quiet week", "report", "missile-launch", "군사III급비밀", "missile-warning"
		sizesA, outersA := view(a, strings.Repeat("CANARY-A", 1000))
		sizesB, outersB := view(b, "CANARY-B")
		if !slices.Equal(sizesA, sizesB) || !reflect.DeepEqual(outersA, outersB) {
			t.Errorf("%v, %v and %v, %v", sizesA, outersA, sizesB, outersB)
		}
	})
}

// TestHubAbused: a partner that hands a hub parcels twice, for parties that nobody
// knows, or along a way it is not on, neither fills it nor stops what is behind them.
func TestHubAbused(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, _, us, disks := establishThree(t, net)
		for n := range disks {
			n.stop()
		}
		for n, d := range disks {
			n.resume(t, d, &memory.Network{}) // alone: the test carries
			defer n.stop()
		}
		post := us.Carriage.Post
		parcel := func(route ...act.Party) []byte {
			t.Helper()
			for range 4 {
				if _, err := kr.c.Release(t.Context(), draftThree("JP"), bytes.NewReader(make([]byte, 20<<10))); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				if b, err := kr.Carriage.Post.Next(t.Context(), "JP", route); err != nil || b != nil {
					if err != nil {
						t.Fatal(err)
					}
					return b
				}
				time.Sleep(20 * time.Second)
			}
			t.Fatal("nothing is carried")
			return nil
		}
		hand := func(hop act.Party, b []byte, refused bool) {
			t.Helper()
			k, err := post.Receive(t.Context(), hop, b)
			if err != nil || (k.Refused != "") != refused {
				t.Errorf("from %s: %+v, %v", hop, k, err)
			}
		}
		good := parcel("KR", "US", "JP")
		if len(good) <= vault.Inline {
			t.Fatalf("the parcel has %d bytes: the hub keeps it in a row", len(good))
		}
		hand("KR", good, false)
		hand("KR", good, false) // twice
		hand("JP", good, true)  // who is not before us on its route
		hand("KR", parcel("KR", "US", "ZZ", "JP"), true)
		for _, want := range []bool{true, false} {
			b, done, err := post.Offer(t.Context(), "JP")
			if err != nil || (b != nil) != want || want && !bytes.Equal(b, good) {
				t.Fatalf("%d bytes are offered: %v", len(b), err)
			}
			if want {
				if err := done(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		// It was passed on, so it may come anew; its bytes are lost, and what is behind goes on.
		hand("KR", good, false)
		next := parcel("KR", "US", "JP")
		hand("KR", next, false)
		if _, err := us.Vault.Sweep(t.Context(), func(d vault.Digest) bool { return d != vault.DigestOf(good) }); err != nil {
			t.Fatal(err)
		}
		if b, _, err := post.Offer(t.Context(), "JP"); err != nil || !bytes.Equal(b, next) {
			t.Errorf("%d bytes are offered after one that was lost: %v", len(b), err)
		}
		late := parcel("KR", "US", "JP")
		us.Carriage.Now = func() time.Time { return time.Now().AddDate(0, 0, 31) }
		hand("KR", late, false)
		if b, _, err := post.Offer(t.Context(), "JP"); err != nil || !bytes.Equal(b, late) {
			t.Errorf("%d bytes are offered after one that waited too long: %v", len(b), err)
		}
		hand("ZZ", next, true)
		out, _, err := carriage.ReadOuter(bytes.NewReader(next))
		if err != nil {
			t.Fatal(err)
		}
		if err := post.Answered(t.Context(), "JP", next, carriage.Kept{Number: strings.Repeat("0", len(out.Number))}); err == nil {
			t.Error("an answer to another parcel counts")
		}
		for n, told := range map[*partyNode]bool{us: false, kr: true} { // it is KR's: only its officer is told
			post := n.Carriage.Post
			if err := post.Answered(t.Context(), "US", next, carriage.Kept{Number: out.Number, Refused: "no\x1b[2J"}); err != nil {
				t.Error(err)
			}
			if got := post.States()["JP"].Trouble; (got != "") != told || strings.Contains(got, "\x1b") {
				t.Errorf("%s: %q", n.Card.Party, got)
			}
		}
	})
}

// TestHubAndBack reaches a partner by the hub, directly, by the hub and directly again, with
// something said each time: what went the other way meanwhile convicts nobody.
func TestHubAndBack(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, _ := establishThree(t, net)
		defer func() {
			if t.Failed() {
				t.Logf("JP: links %+v, letters %+v%s", jp.Carriage.States(), jp.Carriage.Post.States(), jp.lately(t))
			}
			kr.stop()
			jp.stop()
			us.stop()
		}()
		route := func(via act.Party) {
			t.Helper()
			for n, p := range map[*partyNode]act.Party{kr: "JP", jp: "KR"} {
				if err := n.c.Post(t.Context(), "/v1/route", desk.RouteAsk{Routing: act.Routing{Party: p, Via: via}, As: "officer"}, &act.Routing{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 3 {
			slip, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("by the hub"))
			if err != nil {
				t.Fatal(err)
			}
			kr.receipted(t, slip.Number)
			route("")
			if i == 0 {
				conclude(t, kr, jp)
			}
			if slip, err = kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("directly")); err != nil {
				t.Fatal(err)
			}
			kr.receipted(t, slip.Number)
			route("US")
		}
		agree(t, kr, jp)
		for n, p := range map[*partyNode]act.Party{kr: "JP", jp: "KR"} {
			err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
				q, _, err := n.Catalogue.Partner(tx, p)
				if q.Disputed != "" {
					t.Errorf("%s disputes %s: %s", n.Card.Party, p, q.Disputed)
				}
				// A delivery that grows from what was told before something came another way.
				before := act.Head{Size: 1}
				peer, err2 := tx.Peer(p)
				if err := n.Carriage.Take(t.Context(), intake.Delivery{From: p, Told: &before, Checkpoint: peer.Checkpoint}); !errors.Is(err, ledger.ErrStale) {
					t.Errorf("%s: %v", n.Card.Party, err)
				}
				return errors.Join(err, err2)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestStranded: a change of way that would have a waiting product refused there is
// refused here, with its article and cure; who leaves it to be refused is told so, and
// releases it again.
func TestStranded(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, jp, us, disks := establishThree(t, net)
		defer func() { kr.stop(); jp.stop(); us.stop() }()
		route := func(n *partyNode, to, via act.Party, leave bool) error {
			return n.c.Post(t.Context(), "/v1/route", desk.RouteAsk{Routing: act.Routing{Party: to, Via: via}, As: "officer", Leave: leave}, &act.Routing{})
		}
		refused := func(err error, n act.Number, by string) {
			t.Helper()
			var p *desk.Problem
			if !errors.As(err, &p) || p.Kind != "refused" || len(p.Because) != 1 || !strings.Contains(p.Because[0].Text, string(n)) || !strings.Contains(p.Because[0].Text, "by "+by) ||
				!strings.Contains(p.Because[0].Cure, "--leave") || !strings.Contains(p.Because[0].Article, "Article") {
				t.Errorf("by %s: %v", by, err)
			}
		}
		byHub, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("by the hub"))
		if err != nil {
			t.Fatal(err)
		}
		kr.receipted(t, byHub.Number) // what arrived strands nobody
		if err := errors.Join(route(kr, "JP", "", false), route(jp, "KR", "", false)); err != nil {
			t.Fatal(err)
		}
		conclude(t, kr, jp)
		jp.stop()
		slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("directly"))
		if err != nil {
			t.Fatal(err)
		}
		refused(route(kr, "JP", "US", false), slip.Number, "hub")
		pack := func(leave bool) error {
			var m carriage.Medium
			return kr.c.Long(t.Context(), "/v1/courier/pack", desk.PackAsk{To: "JP", Dir: t.TempDir(), Capacity: 1 << 30, Medium: 1, Courier: "courier", As: "officer", Leave: leave}, &m, quiet)
		}
		if err := pack(false); err != nil {
			t.Errorf("its pact carries it by courier: %v", err)
		}
		if err := route(kr, "JP", "US", true); err != nil {
			t.Fatal(err)
		}
		another, err := kr.c.Release(t.Context(), draftThree("JP"), strings.NewReader("by the hub again"))
		if err != nil {
			t.Fatal(err)
		}
		refused(route(kr, "JP", "", false), another.Number, "electronic")
		refused(pack(false), another.Number, "courier")
		jp.resume(t, disks[jp], net)
		if err := route(jp, "KR", "US", false); err != nil {
			t.Fatal(err)
		}
		kr.receipted(t, another.Number)
		kr.until(t, "what was left is refused, with a cure", func(tx *ledger.Tx) bool {
			cu, _, err := kr.Catalogue.Product(tx, slip.Number)
			no := cu.Refused["JP"].Because
			return err == nil && len(no) == 1 && strings.Contains(no[0].Text, "hub") && no[0].Cure != ""
		})
	})
}
