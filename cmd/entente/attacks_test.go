//go:build !race

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/demo"
	"entente/desk"
	"entente/intake"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/party"
	"entente/release"
	"entente/seal"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The attacks of this file are on the program itself, in a process of its own. The
// hostile partner is a node in this process, with valid keys, whose ledger the test
// writes as it likes.

// shownBy names, for the attacks that are shown by another test, that test. Those
// nodes are in the process of the test.
var shownBy = map[int][]string{
	16: {"node TestHubTricks", "carriage TestVectors"},
	17: {"node TestOverdue"},
	18: {"node TestBackdated"},
	19: {"carriage TestVectors"},
	30: {"node TestReleasePage", "node TestPages"},
	35: {"node TestClock"},
	37: {"node TestFull"},
	38: {"node TestCourier", "carriage FuzzMedium"},
	39: {"imagery TestHostilePictures", "node TestBomb"},
	40: {"node TestCourier"},
}

// here are the numbers that the tests of this file show.
var here = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34, 36}

// TestAttacksListed: each of the forty attacks is shown by a test that exists, once.
func TestAttacksListed(t *testing.T) {
	own, err := os.ReadFile("attacks_test.go")
	if err != nil {
		t.Fatal(err)
	}
	times := map[int]int{}
	for _, n := range here {
		times[n]++
		if !regexp.MustCompile(fmt.Sprintf(`(\t\{%d, "|// [^\n]*\(%d\)|\("%d )`, n, n, n)).Match(own) {
			t.Errorf("attack %d: nothing here shows it", n)
		}
	}
	for n, tests := range shownBy {
		times[n]++
		for _, name := range tests {
			dir, test, _ := strings.Cut(name, " ")
			files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
			found := false
			for _, f := range files {
				b, err := os.ReadFile(f)
				found = found || err == nil && bytes.Contains(b, []byte("func "+test+"("))
			}
			if err != nil || !found {
				t.Errorf("attack %d: there is no %s: %v", n, name, err)
			}
		}
	}
	for n := 1; n <= 40; n++ {
		if times[n] != 1 {
			t.Errorf("attack %d is accounted for %d times", n, times[n])
		}
	}
	if len(times) != 40 {
		t.Errorf("%d attacks", len(times))
	}
}

// rival is a partner's node in this process.
type rival struct {
	*node.Node
	t      *testing.T
	addr   string
	dir    string
	secret node.Secret
	c      *desk.Client
	stop   func()
}

func newRival(t *testing.T, p string) *rival {
	t.Helper()
	port, err := demo.Port()
	if err != nil {
		t.Fatal(err)
	}
	r := &rival{t: t, addr: "127.0.0.1:" + port, dir: filepath.Join(t.TempDir(), p), stop: func() {}}
	r.secret, err = node.Passphrase([]byte("a phrase of no importance"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := (&initCmd{Party: p, Pact: "kr-jp-2016", Name: p, Clearance: "極秘"}).found()
	if err == nil {
		err = node.Init(t.Context(), r.dir, r.secret, f, world())
	}
	if err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() { r.stop() })
	return r
}

func world() node.Seams { return node.World(slog.New(slog.DiscardHandler)) }

// open opens the folder, and serves nothing.
func (r *rival) open() {
	r.t.Helper()
	r.stop()
	var err error
	if r.Node, err = node.Open(context.Background(), r.dir, r.secret, world()); err != nil {
		r.t.Fatal(err)
	}
	n := r.Node
	r.c = desk.Within(n.Desk("").API())
	r.stop = sync.OnceFunc(func() {
		if err := n.Close(); err != nil {
			r.t.Error(err)
		}
	})
}

// serve serves the open folder.
func (r *rival) serve() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	n := r.Node
	go func() { done <- n.Serve(ctx, l) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			r.t.Error(err)
		}
	})
}

// attacked makes a node in a process of its own, and a hostile partner, who have a
// pact in force and have exchanged a product each.
func attacked(t *testing.T) (kr *proc, jp *rival, theirs, ours act.Number) {
	t.Helper()
	kr, jp = newProc(t, "KR"), newRival(t, "JP")
	jp.serve()
	kr.wait("it answers", kr.up)
	meet(t, kr, jp)
	slip, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("what was released in truth"))
	if err != nil {
		t.Fatal(err)
	}
	theirs = slip.Number
	kr.wait("it is received", func() bool { return len(kr.products("in")[theirs].Received) == 1 })
	if slip, err = kr.c.Release(t.Context(), draft("군사III급비밀"), strings.NewReader("ours")); err != nil {
		t.Fatal(err)
	}
	ours = slip.Number
	kr.wait("its receipt is here", func() bool { return len(kr.products("out")[ours].Received) == 1 })
	return kr, jp, theirs, ours
}

// meet has both sign and notify the pact of 2016.
func meet(t *testing.T, kr *proc, jp *rival) {
	t.Helper()
	ask := desk.PactAsk{Pact: "kr-jp-2016", Address: jp.addr, Code: party.Code(jp.Card), As: "officer", Notify: true}
	if err := kr.c.Post(t.Context(), "/v1/pact/sign", ask, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
	ask.Address, ask.Code = "127.0.0.1:"+kr.port, kr.card().Code
	if err := jp.c.Post(t.Context(), "/v1/pact/sign", ask, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*desk.Client{kr.c, jp.c} {
		kr.wait("the pact is in force", func() bool {
			var all []desk.PactView
			err := c.Get(t.Context(), "/v1/pacts", &all)
			return err == nil && len(all) == 1 && all[0].Phase == string(pact.Active)
		})
	}
}

func draft(mark string) release.Draft {
	return release.Draft{As: "officer", Pact: "kr-jp-2016", Title: "Launch of 2016-02-07", Kind: "report", Subject: "missile-launch", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: mark, MediaType: "text/plain"}
}

func (p *proc) card() (v desk.CardView) {
	p.t.Helper()
	if err := p.c.Get(p.t.Context(), "/v1/card", &v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

// about are the fields of a body that the tests ask for.
type about struct {
	Number  act.Number   `json:"number"`
	Person  string       `json:"person"`
	Act     *act.Digest  `json:"act"`
	Because []act.Reason `json:"because"`
}

func (l entry) about() (a about) {
	_ = json.Unmarshal(l.Act.Body, &a) // of other bodies these fields are empty
	return a
}

func (p *proc) lines() (all []entry) {
	p.t.Helper()
	for next := int64(0); ; {
		some, more := p.entries(next)
		if all = append(all, some...); more == 0 {
			return all
		}
		next = more
	}
}

// count is how many entries of a kind are about a product, and name a person.
func (p *proc) count(k act.Kind, n act.Number, person string) (times int) {
	p.t.Helper()
	for _, l := range p.lines() {
		if a := l.about(); l.Act.Kind == k && a.Number == n && (person == "" || a.Person == person) {
			times++
		}
	}
	return times
}

// hears waits until an act of the partner's is entered, or its refusal is.
func (p *proc) hears(d act.Digest) (because []act.Reason, refused bool) {
	p.t.Helper()
	p.wait("the act is answered", func() bool {
		here := false
		for _, l := range p.lines() {
			here = here || l.Digest == d
			if a := l.about(); l.Act.Kind == act.ActRefused && l.Act.From == act.Party(p.party) && a.Act != nil && *a.Act == d {
				because, refused, here = a.Because, true, true
			}
		}
		return here // its answer, if any, was in the same transaction
	})
	return because, refused
}

// holds is what the victim holds and trusts: its persons, its pacts, and the
// products that were released or received, without what was refused.
func (p *proc) holds() map[string]any {
	p.t.Helper()
	all := map[string]any{}
	var persons []act.Person
	var pacts []desk.PactView
	if err := errors.Join(p.c.Get(p.t.Context(), "/v1/persons", &persons), p.c.Get(p.t.Context(), "/v1/pacts", &pacts)); err != nil {
		p.t.Fatal(err)
	}
	all["persons"], all["pacts"] = persons, pacts
	for n, cu := range p.products("") {
		if _, in := cu.Received[act.Party(p.party)]; in || cu.From == act.Party(p.party) {
			all[string(n)] = cu
		}
	}
	return all
}

// same fails if what the victim holds has changed since.
func (p *proc) same(what string, before map[string]any) {
	p.t.Helper()
	now := p.holds()
	for k, v := range now {
		if !reflect.DeepEqual(v, before[k]) {
			p.t.Errorf("%s: %s changed %s", what, p.party, k)
		}
	}
	for k := range before {
		if now[k] == nil {
			p.t.Errorf("%s: %s has lost %s", what, p.party, k)
		}
	}
}

// says enters an act in the rival's own ledger, signed by a person or by its node
// alone. Its node carries it with valid proofs.
func (r *rival) says(to act.Party, id act.PactID, k act.Kind, body any, by string) (d act.Digest) {
	r.t.Helper()
	err := r.Ledger.Update(r.t.Context(), func(tx *ledger.Tx) error {
		s, err := r.Catalogue.Statement(tx, time.Now(), k, body, to)
		if err != nil {
			return err
		}
		s.Pact = id
		var signer note.Signer
		if by != "" {
			if signer, err = r.Release.Signer(r.t.Context(), by); err != nil {
				return err
			}
		}
		e, err := r.Catalogue.Enter(tx, s, signer)
		d = e.Digest
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// body is the release of a product, as the rival's ledger holds it.
func (r *rival) body(n act.Number) (b act.Release, d act.Digest) {
	r.t.Helper()
	err := r.Ledger.View(r.t.Context(), func(tx *ledger.Tx) error {
		cu, _, err := r.Catalogue.Product(tx, n)
		if err != nil {
			return err
		}
		e, err := tx.Entry(cu.Entry)
		b, d = e.Act.Body.(act.Release), e.Digest
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return b, d
}

// refusedOpening has a person ask the victim for a product: it is refused, the
// denial is entered, and nothing is shown.
func (p *proc) refusedOpening(as string, n act.Number) []act.Reason {
	p.t.Helper()
	opened, denied := p.count(act.ProductOpened, n, as), p.count(act.OpeningDenied, n, as)
	var got bytes.Buffer
	err := p.c.Open(p.t.Context(), desk.OpenAsk{Number: n, As: as}, &got, func(desk.Opened) {})
	var no *desk.Problem
	if !errors.As(err, &no) || no.Kind != "refused" || got.Len() > 0 || len(no.Because) == 0 {
		p.t.Fatalf("%s opens %s: %v", as, n, err)
	}
	if now := p.count(act.ProductOpened, n, as); now != opened {
		p.t.Errorf("an opening by %s is entered", as)
	}
	if now := p.count(act.OpeningDenied, n, as); now != denied+1 {
		p.t.Errorf("%d denials became %d", denied, now)
	}
	return no.Because
}

func (p *proc) enrol(x act.Person) {
	p.t.Helper()
	if err := p.c.Post(p.t.Context(), "/v1/persons", x, new(string)); err != nil {
		p.t.Fatal(err)
	}
}

// person is one of the victim's people.
func (p *proc) person(name string) act.Person {
	p.t.Helper()
	var all []act.Person
	if err := p.c.Get(p.t.Context(), "/v1/persons", &all); err != nil {
		p.t.Fatal(err)
	}
	for _, x := range all {
		if x.Name == name {
			return x
		}
	}
	p.t.Fatalf("nobody is called %s", name)
	return act.Person{}
}

// TestAttacksOfPartner has a partner with valid keys say what it may not. Each is
// refused as expected, the refusal is entered, and nothing that is held changes.
func TestAttacksOfPartner(t *testing.T) {
	kr, jp, theirs, ours := attacked(t)
	// A pact that JP alone signed: it is known here, and not in force.
	shipped, _ := pact.Template("kr-jp-2016")
	text := strings.Replace(string(shipped), "pact: kr-jp-2016", "pact: kr-jp-2031", 1)
	if err := jp.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: "kr-jp-2031", As: "officer", Text: text}, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
	kr.wait("a second pact was proposed", func() bool {
		var all []desk.PactView
		return kr.c.Get(t.Context(), "/v1/pacts", &all) == nil && len(all) == 2
	})
	number := func(p act.Party) act.Number {
		n, err := act.NewNumber(p, 2026, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	made := func(change func(*act.Release)) act.Release {
		b, _ := jp.body(theirs)
		b.Manifest.Number = number("JP")
		change(&b)
		return b
	}
	nothing := act.Receipt{Act: act.DigestOf([]byte("nothing")), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}
	stolen, _ := jp.body(ours)
	kr.hears(jp.says("KR", "kr-jp-2016", act.ProductReceived, nothing, "")) // so all that JP said before it is here
	for _, x := range []struct {
		number int
		what   string
		pact   act.PactID
		kind   act.Kind
		body   any
		by     string
		says   string // in the article of the refusal; empty: entered, without effect
	}{
		{1, "a release under a pact that is not in force", "kr-jp-2031", act.ProductReleased, made(func(b *act.Release) { b.Manifest.Pact, b.Text = "kr-jp-2031", pactSum(text) }), "officer", "Article"},
		{2, "a release above the ceiling", "kr-jp-2016", act.ProductReleased, made(func(b *act.Release) { b.Manifest.Mark.Text = "機密" }), "officer", "Article 4"},
		{4, "what is ours, released anew by another", "kr-jp-2016", act.ProductReleased, stolen, "officer", "Article"},
		{6, "a receipt for what was never sent", "kr-jp-2016", act.ProductReceived, nothing, "officer", ""},
		{15, "a release that only the node signed, as it signs receipts", "kr-jp-2016", act.ProductReleased, made(func(*act.Release) {}), "", "Article"},
		{15, "a release by one who was not notified", "kr-jp-2016", act.ProductReleased, made(func(*act.Release) {}), "analyst", "act"},
	} {
		before := kr.holds()
		because, refused := kr.hears(jp.says("KR", x.pact, x.kind, x.body, x.by))
		switch {
		case refused != (x.says != ""):
			t.Errorf("%d, %s: refused %v: %+v", x.number, x.what, refused, because)
		case refused && (len(because) == 0 || !strings.Contains(because[0].Article, x.says) || because[0].Cure == ""):
			t.Errorf("%d, %s: refused by %+v", x.number, x.what, because)
		}
		kr.same(x.what, before)
	}

	t.Run("3 a release marked lower than what was sealed", func(t *testing.T) {
		b := made(func(b *act.Release) { b.Manifest.Title = "another" })
		if because, refused := kr.hears(jp.says("KR", "kr-jp-2016", act.ProductReleased, b, "officer")); refused {
			t.Fatalf("refused at the door, without a key: %+v", because)
		}
		kr.wait("it is here", func() bool { return len(kr.products("in")[b.Manifest.Number].Received) == 1 })
		err := kr.c.Open(t.Context(), desk.OpenAsk{Number: b.Manifest.Number, As: "analyst"}, io.Discard, func(desk.Opened) {})
		if err == nil || !strings.Contains(err.Error(), seal.ErrTampered.Error()) {
			t.Errorf("opened under other terms: %v", err)
		}
		if n := kr.count(act.ProductOpened, b.Manifest.Number, ""); n != 0 {
			t.Errorf("%d openings are entered of what did not open", n)
		}
	})

	jp.open() // and serves no more: from here on the test speaks for it
	kr.wait("the link is down", func() bool { return !kr.status().Partners[0].Linked })

	t.Run("8 a delivery that is played again", func(t *testing.T) {
		before, size := kr.holds(), len(kr.lines())
		w := jp.line(kr, "acts")
		defer w.Close()
		t0 := w.took()
		head, del := jp.delivery(t0.Seen, 0) // all that it ever said
		if len(del.Acts) < 5 {
			t.Fatalf("%d acts", len(del.Acts))
		}
		for range 2 {
			w.send(2, del)
			if got := w.took(); got.Next != t0.Next || got.Seen.Size != head.Size {
				t.Errorf("it answers %+v", got)
			}
			del.Growth = nil // from where it is now
		}
		if now := len(kr.lines()); now != size {
			t.Errorf("%d entries came of it", now-size)
		}
		kr.same("a replay", before)
	})

	t.Run("11 keys twice, other cases, a long s", func(t *testing.T) {
		b := made(func(*act.Release) {})
		v, err := act.Sign(act.Act{Kind: act.ProductReceived, From: "JP", To: []act.Party{"KR"}, Pact: "kr-jp-2016", At: act.MomentOf(time.Now()), Period: 1, Body: nothing}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range [][2]string{
			{`"kind":`, `"kind":"product.released","kind":`},
			{`"kind":`, `"Kind":`},
			{`"pact":"kr-jp-2016"`, "\"pact\":\"kr-jp-2016\",\"pact\u017f\":1"},
			{`"mark":`, `"mark":{"party":"JP","text":"機密"},"mark":`},
			{`,"at":`, ` ,"at":`},
		} {
			raw := []byte(strings.Replace(string(v.Bytes()), x[0], x[1], 1))
			if bytes.Equal(raw, v.Bytes()) {
				t.Fatalf("%s is not there", x[0])
			}
			before := kr.holds()
			jp.forge("KR", raw)
			w := jp.line(kr, "acts")
			t0 := w.took()
			_, del := jp.delivery(t0.Seen, t0.Next)
			w.send(2, del)
			if got := w.took(); got.Next != t0.Next+1 {
				t.Errorf("%q: it answers %+v", x[1], got)
			}
			w.Close()
			because, refused := kr.hears(act.DigestOf(raw))
			if !refused || because[0].Article != "act" || because[0].Cure == "" {
				t.Errorf("%q: %v, %+v", x[1], refused, because)
			}
			kr.same(x[1], before)
		}
		if kr.products("in")[b.Manifest.Number].From != "" {
			t.Error("something of it was taken in")
		}
	})

	t.Run("12 an older suite", func(t *testing.T) {
		size := len(kr.lines())
		for what, c := range map[string]*tls.Config{
			"TLS 1.2":             {MaxVersion: tls.VersionTLS12},
			"a classical group":   {CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}},
			"no protocol of ours": {NextProtos: []string{"http/1.1"}},
		} {
			c.InsecureSkipVerify, c.Certificates = true, []tls.Certificate{jp.Carriage.Certificate}
			if c.NextProtos == nil {
				c.NextProtos = []string{"entente/1"}
			}
			conn, err := tls.Dial("tcp", "127.0.0.1:"+kr.port, c)
			if err == nil {
				_, err = io.ReadAll(conn)
				conn.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "tls:") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if now := len(kr.lines()); now != size {
			t.Errorf("%d entries came of it", now-size)
		}
	})

	t.Run("13 lengths that lie", func(t *testing.T) {
		size := len(kr.lines())
		for _, claim := range []uint32{0, 4<<20 + 1, 1 << 31, 1<<32 - 1} {
			w := jp.line(kr, "acts")
			if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, claim), 2, '{')); err != nil {
				t.Fatal(err)
			}
			for k := byte(0); k != 255; {
				k, _ = w.next() // what it said before, and then the end
			}
			w.Close()
		}
		if now := len(kr.lines()); now != size || !kr.up() {
			t.Errorf("%d entries came of it; it answers: %v", now-size, kr.up())
		}
	})

	t.Run("27 one product's number with another's content", func(t *testing.T) {
		held, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("not for KR's asking")) // JP's own: KR never had it to give
		if err != nil {
			t.Fatal(err)
		}
		b, _ := jp.body(held.Number)
		before, size := kr.holds(), len(kr.lines())
		for what, ask := range map[string]map[string]any{
			"another's":   {"number": ours, "vault": b.Seal.Vault, "from": -1},
			"JP's own":    {"number": theirs, "vault": stolen.Seal.Vault, "from": -1},
			"nobody's":    {"number": number("KR"), "vault": stolen.Seal.Vault, "from": 0},
			"by its path": {"number": "../../" + string(ours), "vault": stolen.Seal.Vault, "from": 0},
		} {
			w := jp.line(kr, "pull")
			w.send(4, ask)
			if k, b := w.next(); k != 8 || !strings.Contains(string(b), "cannot be had") {
				t.Errorf("%s: it answers %d, %.80s", what, k, b)
			}
			w.Close()
		}
		w := jp.line(kr, "pull") // and what was released to it, it has
		w.send(4, map[string]any{"number": ours, "vault": stolen.Seal.Vault, "from": -1})
		if k, _ := w.next(); k != 5 {
			t.Errorf("what was released is answered %d", k)
		}
		w.Close()
		if now := len(kr.lines()); now != size {
			t.Errorf("%d entries came of it", now-size)
		}
		kr.same("mixed numbers", before)
	})

	t.Run("14 half-open connections", func(t *testing.T) {
		for range 400 {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Second}
			if c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+kr.port); err == nil {
				defer c.Close()
			}
		}
		jp.open()
		jp.serve()
		slip, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("meanwhile"))
		if err != nil {
			t.Fatal(err)
		}
		kr.wait("the partner is served all the same", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
		if len(kr.status().Turned) == 0 {
			t.Error("nobody was turned away")
		}
	})
}

func pactSum(text string) act.Sum { return catalogue.SumOf([]byte(text)) }

func (p *proc) status() (v desk.StatusView) {
	p.t.Helper()
	if err := p.c.Get(p.t.Context(), "/v1/status", &v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

// wire is a connection of the rival's that the test speaks on.
type wire struct {
	net.Conn
	t *testing.T
}

// line opens a lane to the victim, and greets.
func (r *rival) line(p *proc, lane string) wire {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		w := r.call(p, lane)
		k, b := w.next()
		if k == 1 {
			return w
		}
		w.Close()
		if time.Now().After(end) {
			r.t.Fatalf("%s is greeted by %d, %s", p.party, k, b)
		}
	}
}

// call says the first word of a lane.
func (r *rival) call(p *proc, lane string) wire {
	r.t.Helper()
	c, err := tls.Dial("tcp", "127.0.0.1:"+p.port, &tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}, NextProtos: []string{"entente/1"},
		Certificates: []tls.Certificate{r.Carriage.Certificate}, InsecureSkipVerify: true})
	if err == nil {
		err = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	g, err := r.Carriage.Greet(r.t.Context(), act.Party(p.party))
	if err != nil {
		r.t.Fatal(err)
	}
	w := wire{c, r.t}
	w.send(1, map[string]any{"v": 1, "lane": lane, "card": r.Card, "at": time.Now(), "seen": g.Seen})
	return w
}

func (w wire) send(kind byte, v any) {
	w.t.Helper()
	b, err := json.Marshal(v)
	if d, ok := v.(intake.Delivery); ok && err == nil {
		b, err = packed(d)
	}
	if err == nil {
		_, err = w.Write(append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+1)), kind), b...))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// packed spells a delivery as a link does: its JSON, before it its length, behind it the bytes of its acts.
func packed(d intake.Delivery) ([]byte, error) {
	var sizes [][2]int
	var rest []byte
	acts := slices.Clone(d.Acts)
	for i := range acts {
		c := &acts[i]
		sizes = append(sizes, [2]int{len(c.Bytes), len(c.Content)})
		rest = append(append(rest, c.Bytes...), c.Content...)
		c.Bytes, c.Content = nil, nil
	}
	j, err := json.Marshal(map[string]any{"checkpoint": d.Checkpoint, "growth": d.Growth, "acts": acts, "sizes": sizes})
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(j))), j...), rest...), err
}

// next reads a frame; 255: there are no more.
func (w wire) next() (kind byte, b []byte) {
	var head [5]byte
	for {
		if _, err := io.ReadFull(w, head[:]); err != nil {
			return 255, nil
		}
		b = make([]byte, binary.BigEndian.Uint32(head[:])-1)
		if _, err := io.ReadFull(w, b); err != nil {
			return 255, nil
		}
		if head[4] != 7 { // a ping
			return head[4], b
		}
	}
}

// until reads on until a frame of this kind, or the end.
func (w wire) until(kind byte) (k byte, b []byte) {
	for {
		if k, b = w.next(); k == kind || k == 255 {
			return k, b
		}
	}
}

// heard is how far the victim has come with the rival's acts.
type heard struct {
	Next int64
	Seen act.Head
}

// took reads on until the victim says where it stands.
func (w wire) took() heard {
	w.t.Helper()
	for {
		k, b := w.next()
		var v struct {
			Next int64 `json:"next"`
			Seen struct {
				Head act.Head `json:"head"`
			} `json:"seen"`
		}
		switch {
		case k == 3 && json.Unmarshal(b, &v) == nil:
			return heard{v.Next, v.Seen.Head}
		case k == 255 || k == 8:
			w.t.Fatalf("it ends with %d, %s", k, b)
		}
	}
}

// delivery is what the rival has for the victim from a place on, to one that last saw a head.
func (r *rival) delivery(seen act.Head, next int64) (head act.Head, del intake.Delivery) {
	r.t.Helper()
	err := r.Ledger.View(r.t.Context(), func(tx *ledger.Tx) (err error) {
		if del.Checkpoint, head, err = tx.Checkpoint(); err != nil {
			return err
		}
		if del.Growth, err = tx.Growth(seen.Size, head.Size); err != nil {
			return err
		}
		for q, err := range r.Catalogue.Queue(tx, "KR", next) {
			if err != nil {
				return err
			}
			b, err := tx.Get("ledger/entry", binary.BigEndian.AppendUint64(nil, uint64(q.Index)))
			if err != nil {
				return err
			}
			b = b[32*(1+bits.TrailingZeros64(uint64(q.Index+1))):] // behind the hashes that it completes
			p, err := tx.Prove(q.Index, head.Size)
			if err != nil {
				return err
			}
			del.Acts = append(del.Acts, intake.Conveyed{Seq: q.Seq, Bytes: b, Proof: p})
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return head, del
}

// forge enters bytes that are no act in the rival's ledger, for the victim.
func (r *rival) forge(to act.Party, raw []byte) {
	r.t.Helper()
	be := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	err := r.Ledger.Update(r.t.Context(), func(tx *ledger.Tx) error {
		i, d := tx.Size(), act.DigestOf(raw)
		hs, err := tlog.StoredHashes(i, raw, tx)
		if err != nil {
			return err
		}
		var all []byte
		for _, h := range hs {
			all = append(all, h[:]...)
		}
		p, _, err := r.Catalogue.Partner(tx, to)
		if err != nil {
			return err
		}
		return errors.Join(tx.Put("ledger/entry", be(i), append(all, raw...)), tx.Put("ledger/digest", d[:], be(i)), tx.Put("ledger/head", []byte("size"), be(i+1)),
			tx.Put(ledger.FoldPrefix+"queue/"+string(to), be(p.Queued), be(i)), tx.Put(ledger.FoldPrefix+"count", []byte(to), append(be(p.Received), be(p.Queued+1)...)))
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// browser signs a person in to the victim's pages.
func (p *proc) browser(as string) *http.Client {
	p.t.Helper()
	var v map[string]string
	if err := p.c.Post(p.t.Context(), "/v1/link", map[string]string{"as": as}, &v); err != nil {
		p.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	r, err := c.Get(v["link"])
	if err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("signing in: %v, %v", r, err)
	}
	r.Body.Close()
	return c
}

// page reads a page; a form, if there is one, is sent.
func (p *proc) page(c *http.Client, path string, form url.Values) (status int, text string) {
	p.t.Helper()
	at := p.status().Desk + path
	var r *http.Response
	var err error
	if form == nil {
		r, err = c.Get(at)
	} else {
		r, err = c.PostForm(at, form)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestAttacksOfInsiders: what our own people may not is refused to them, and the
// refusal is entered.
func TestAttacksOfInsiders(t *testing.T) {
	kr, jp, theirs, ours := attacked(t)
	analyst := kr.person("analyst")

	t.Run("22 the administrator reads", func(t *testing.T) {
		p := analyst
		p.Name, p.Offices = "admin", []act.Office{act.Administering}
		kr.enrol(p)
		kr.refusedOpening("admin", theirs)
	})
	curious := analyst
	curious.Name, curious.Needs = "curious", nil
	kr.enrol(curious)
	t.Run("23 one without need to know guesses", func(t *testing.T) {
		guess, err := act.NewNumber("JP", 2016, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		there, absent := kr.refusedOpening("curious", theirs), kr.refusedOpening("curious", guess)
		if !reflect.DeepEqual(there, absent) {
			t.Errorf("what is there is told from what is not: %+v, %+v", there, absent)
		}
		c := kr.browser("curious")
		for _, form := range []url.Values{nil, {}} {
			s1, a := kr.page(c, "/p/"+string(theirs), form)
			s2, b := kr.page(c, "/p/"+string(guess), form)
			if s1 != http.StatusNotFound || s2 != s1 || strings.ReplaceAll(a, string(theirs), "N") != strings.ReplaceAll(b, string(guess), "N") {
				t.Errorf("the page of what is there is told from that of what is not: %d, %d", s1, s2)
			}
		}
	})
	t.Run("24 one who may not know counts and lists", func(t *testing.T) {
		look := func(c *http.Client) (all string) {
			for _, path := range []string{"/", "/inbox", "/outbox", "/pacts", "/pacts/kr-jp-2016", "/ledger", "/release"} {
				status, text := kr.page(c, path, nil)
				all += fmt.Sprint(path, status, text)
			}
			return all
		}
		c, reader := kr.browser("curious"), kr.browser("analyst")
		before, known := look(c), look(reader)
		d := draft("秘")
		d.Title, d.Footprint = "Of which nothing is to be told", &act.Box{South: 37, West: 126, North: 38, East: 127}
		slip, err := jp.c.Release(t.Context(), d, strings.NewReader("one more"))
		if err != nil {
			t.Fatal(err)
		}
		kr.wait("it is here", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
		kr.wait("all is quiet", func() bool { return kr.status().Partners[0].Waiting == 0 })
		if look(c) != before {
			t.Error("the pages tell one who may not know it that a product came")
		}
		if look(reader) == known {
			t.Error("the pages tell nobody that a product came")
		}
	})
	t.Run("25 an expired clearance", func(t *testing.T) {
		p := analyst
		p.Name, p.Until = "leaver", act.MomentOf(time.Now().Add(2*time.Second))
		kr.enrol(p)
		time.Sleep(time.Until(p.Until.Time) + 100*time.Millisecond)
		kr.refusedOpening("leaver", theirs)
		p.Until = analyst.Until
		kr.enrol(p)
		if err := kr.c.Open(t.Context(), desk.OpenAsk{Number: theirs, As: "leaver"}, io.Discard, func(desk.Opened) {}); err != nil {
			t.Errorf("enrolled anew: %v", err)
		}
	})
	t.Run("27 another number in the form than in the path", func(t *testing.T) {
		p := analyst
		p.Name, p.Needs = "mixer", []act.Need{{Pact: "kr-jp-2016", Purposes: []string{"missile-warning"}}}
		kr.enrol(p)
		d := draft("秘")
		d.Purpose = "missile-warning"
		slip, err := jp.c.Release(t.Context(), d, strings.NewReader("for the warning"))
		if err != nil {
			t.Fatal(err)
		}
		kr.wait("it is here", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
		c := kr.browser("mixer")
		form := url.Values{"n": {string(slip.Number)}, "number": {string(slip.Number)}, "purpose": {"missile-warning"}, "as": {"analyst"}}
		if status, text := kr.page(c, "/p/"+string(theirs)+"?n="+string(slip.Number), form); status != http.StatusNotFound || strings.Contains(text, "for the warning") {
			t.Errorf("the form's number opens the path's product, or its own: %d", status)
		}
		if n := kr.count(act.ProductOpened, theirs, "mixer") + kr.count(act.ProductOpened, slip.Number, ""); n != 0 {
			t.Errorf("%d openings are entered", n)
		}
		if _, text := kr.page(c, "/p/"+string(slip.Number), url.Values{"n": {string(theirs)}}); !strings.Contains(text, "for the warning") || kr.count(act.ProductOpened, theirs, "mixer") != 0 {
			t.Error("the path's product does not open")
		}
	})
	t.Run("21 one person releases under two names", func(t *testing.T) {
		twoPersons(t)
	})
	t.Run("26 a share that is lent once, used in parallel", func(t *testing.T) {
		d := draft("秘")
		d.Mode = seal.OriginatorControlled
		slip, err := jp.c.Release(t.Context(), d, strings.NewReader("once"))
		if err != nil {
			t.Fatal(err)
		}
		kr.wait("it is here", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
		if err := kr.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "analyst"}, io.Discard, func(desk.Opened) {}); err == nil {
			t.Fatal("opened without asking home")
		}
		kr.wait("a share is lent", func() bool { return len(kr.products("in")[slip.Number].Loans) == 1 })
		jp.open() // it answers no further asking meanwhile
		var group sync.WaitGroup
		opened := make(chan string, 100)
		for range 100 {
			group.Go(func() {
				var b bytes.Buffer
				if err := kr.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "analyst"}, &b, func(desk.Opened) {}); err == nil {
					opened <- b.String()
				}
			})
		}
		group.Wait()
		if n := kr.count(act.ProductOpened, slip.Number, ""); len(opened) != 1 || n != 1 {
			t.Errorf("opened %d times, entered %d times", len(opened), n)
		}
		jp.open()
		jp.serve()
	})
	t.Run("28 access taken back while content flows", func(t *testing.T) {
		const size = 64 << 20
		slip, err := jp.c.Release(t.Context(), draft("秘"), io.LimitReader(zeros{}, size))
		if err != nil {
			t.Fatal(err)
		}
		kr.wait("it is here", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
		for what, revoke := range map[string]func(p *act.Person){
			"left":       func(p *act.Person) { p.Left = true },
			"clearance":  func(p *act.Person) { p.Clearance = "" },
			"the office": func(p *act.Person) { p.Offices = []act.Office{act.Audit} },
		} {
			p := analyst
			p.Name = "reader" + strconv.Itoa(len(what))
			kr.enrol(p)
			slow := &slowly{after: func() { revoke(&p); kr.enrol(p) }}
			err := kr.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: p.Name}, slow, func(desk.Opened) {})
			if err == nil || slow.n >= size/2 || !strings.Contains(err.Error(), "broke off") || !strings.Contains(err.Error(), "entente why") {
				t.Errorf("%s: %d bytes came: %v", what, slow.n, err)
			}
			if kr.count(act.ProductOpened, slip.Number, p.Name) != 1 || kr.count(act.OpeningDenied, slip.Number, p.Name) != 1 {
				t.Errorf("%s: the opening or its end is not entered", what)
			}
		}
	})
	t.Run("29 what leaves without marks", func(t *testing.T) {
		c := kr.browser("analyst")
		_, text := kr.page(c, "/p/"+string(theirs), url.Values{})
		head, body, _ := strings.Cut(text, "<main")
		body, foot, _ := strings.Cut(body, "</main>")
		for where, part := range map[string]string{"before": head, "in": body, "after": foot} {
			for _, mark := range []string{"秘", "군사III급비밀"} {
				if !strings.Contains(part, mark) {
					t.Errorf("%s the content stands no %s", where, mark)
				}
			}
		}
		// A printed sheet repeats what is before and after: its style hides neither, and repeats both.
		_, css := kr.page(c, "/style.css", nil)
		print := regexp.MustCompile(`@media print\{(.*)\}`).FindStringSubmatch(css)
		if print == nil || !strings.Contains(print[1], ".banner{display:table-header-group") || !strings.Contains(print[1], "main~.banner{display:table-footer-group}") {
			t.Errorf("how a sheet is printed: %q", print)
		}
		var o desk.Opened
		if err := kr.c.Open(t.Context(), desk.OpenAsk{Number: theirs, As: "analyst"}, io.Discard, func(x desk.Opened) { o = x }); err != nil {
			t.Fatal(err)
		}
		if o.Custody.Manifest.Mark.Text != "秘" || len(o.Ruling.As) != 1 || o.Ruling.As[0].Text != "군사III급비밀" {
			t.Errorf("the API gives content with the marks %+v, %+v", o.Custody.Manifest.Mark, o.Ruling.As)
		}
		out := filepath.Join(t.TempDir(), "content")
		said, err := kr.command("open", string(theirs), "-o", out).CombinedOutput()
		if err != nil || !strings.Contains(string(said), "秘 · 군사III급비밀") {
			t.Errorf("the command says %s, %v", said, err)
		}
	})
	if _, ok := kr.products("out")[ours]; !ok {
		t.Error("the product of before is gone")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slowly reads the first bytes, has something happen, and reads on.
type slowly struct {
	n     int64
	after func()
}

func (s *slowly) Write(p []byte) (int, error) {
	if s.n += int64(len(p)); s.n > 1<<20 && s.after != nil {
		s.after()
		s.after = nil
	}
	return len(p), nil
}

// twoPersons has a house where two release: one who bears two names is not two (21).
func twoPersons(t *testing.T) {
	kr, jp := newProc(t, "KR", "--second", "1"), newRival(t, "JP")
	jp.serve()
	kr.wait("it answers", kr.up)
	meet(t, kr, jp)
	for name, identity := range map[string]string{"officer": "1077", "other": "1077", "third": "2001", "fourth": ""} {
		p := kr.person("officer")
		p.Name, p.Identity = name, identity
		kr.enrol(p)
	}
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("by two"))
	if err != nil || !slip.Waits {
		t.Fatalf("it waits for nobody: %+v, %v", slip, err)
	}
	approve := func(as string) error {
		return kr.c.Post(t.Context(), "/v1/approve", map[string]any{"number": slip.Number, "as": as}, &release.Slip{})
	}
	for i, as := range []string{"officer", "other", "fourth"} {
		var p *desk.Problem
		if err := approve(as); !errors.As(err, &p) || p.Kind != "refused" || !strings.Contains(p.Because[0].Text, "who drafted it") || !strings.Contains(p.Because[0].Cure, "--identity") {
			t.Errorf("%s approves what the officer drafted: %v", as, err)
		}
		if n := kr.count(act.ReleaseDenied, slip.Number, as); n != 1 || kr.count(act.ProductReleased, slip.Number, "") != 0 {
			t.Errorf("refusal %d is not entered, or it is released", i)
		}
	}
	if err := approve("third"); err != nil {
		t.Errorf("another person: %v", err)
	}
	kr.wait("it is received", func() bool { return len(kr.products("out")[slip.Number].Received) == 1 })
}

// evidence are the files that convict a ledger.
func (p *proc) evidence() []string {
	p.t.Helper()
	all, err := filepath.Glob(filepath.Join(p.dir, "evidence", "*.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// copied copies a folder, as a backup or a clone does.
func copied(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.Remove(filepath.Join(from, "desk.sock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{to, filepath.Join(to, "vault")} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestAttacksByFork is the partner's folder copied and both copies run (36): each
// goes on by itself, and the second, which keeps from the victim what it should have
// told, shows a head that does not grow from the first's (5), (9), (33). The victim keeps
// evidence, enters the dispute, and goes no further.
func TestAttacksByFork(t *testing.T) {
	kr, jp, _, _ := attacked(t)
	jp.stop()
	second := copied(t, jp.dir)
	jp.open()
	jp.serve()
	slip, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("the first's"))
	if err != nil {
		t.Fatal(err)
	}
	kr.wait("it is received", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
	jp.stop()
	jp.dir = second
	jp.open()
	before := kr.holds()
	for i := range byte(40) { // longer than the first, with other entries
		jp.says("KR", "kr-jp-2016", act.ProductReceived, act.Receipt{Act: act.DigestOf([]byte{i}), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}, "")
	}
	w := jp.line(kr, "acts")
	seen := w.took().Seen
	_, del := jp.delivery(seen, 0)
	w.send(2, del)
	if k, b := w.until(8); k != 8 || !strings.Contains(string(b), "disputed") {
		t.Errorf("a fork is answered %d, %s", k, b)
	}
	w.Close()
	kr.wait("the dispute is entered", func() bool {
		return kr.status().Partners[0].Disputed != "" && kr.countKind(act.LedgerDisputed) == 1
	})
	if len(kr.evidence()) != 1 {
		t.Fatal("no evidence is kept")
	}
	b, err := os.ReadFile(kr.evidence()[0])
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := ledger.CheckEvidence(b); err != nil || c.Party != "JP" {
		t.Errorf("the evidence: %v", err)
	}
	kr.same("the fork", before)
	size := len(kr.lines())
	w = jp.call(kr, "acts")
	if k, _ := w.next(); k == 1 {
		t.Error("a disputed ledger is greeted")
	}
	w.Close()
	if len(kr.lines()) != size {
		t.Error("a disputed ledger is taken in")
	}
}

// TestAttacksByRestore: the partner comes back with a ledger that is shorter than the
// one that the victim holds its signature on (10); and the victim's own folder is put
// back to yesterday's (34). Each time both say so, and neither goes on.
func TestAttacksByRestore(t *testing.T) {
	kr, jp, _, _ := attacked(t)
	jp.stop()
	old := copied(t, jp.dir)
	jp.open()
	jp.serve()
	slip, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("after the backup"))
	if err != nil {
		t.Fatal(err)
	}
	kr.wait("it is received", func() bool { return len(kr.products("in")[slip.Number].Received) == 1 })
	jp.stop()
	newest := jp.dir
	jp.dir = old
	jp.open()
	before := kr.holds()
	w := jp.line(kr, "acts")
	head, del := jp.delivery(act.Head{}, 0)
	if seen := w.took().Seen; seen.Size <= head.Size {
		t.Fatalf("%d entries were seen, and there are %d", seen.Size, head.Size)
	}
	w.send(2, del)
	if k, b := w.until(8); k != 8 || !strings.Contains(string(b), "disputed") {
		t.Errorf("a shorter ledger is answered %d, %s", k, b)
	}
	w.Close()
	kr.wait("the dispute is entered", func() bool { return kr.countKind(act.LedgerDisputed) == 1 })
	kr.same("a shorter ledger", before)
	if len(kr.evidence()) != 1 {
		t.Error("no evidence is kept")
	}

	// The officers settle it, with the newest copy; then it is the victim that is put back.
	jp.stop()
	jp.dir = newest
	jp.open()
	jp.serve()
	if err := kr.c.Post(t.Context(), "/v1/partner", desk.PactAsk{Address: jp.addr, Code: party.Code(jp.Card), As: "officer"}, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
	kr.wait("they are linked again", func() bool { return kr.status().Partners[0].Linked })
	kr.kill()
	own := copied(t, kr.dir)
	kr.start("")
	kr.wait("they are linked again", func() bool { return kr.up() && kr.status().Partners[0].Linked })
	if slip, err = kr.c.Release(t.Context(), draft("군사III급비밀"), strings.NewReader("after the backup")); err != nil {
		t.Fatal(err)
	}
	kr.wait("it is received", func() bool { return len(kr.products("out")[slip.Number].Received) == 1 })
	kr.kill()
	kr.dir = own
	kr.c = desk.Dial(filepath.Join(own, "desk.sock"))
	kept := len(kr.evidence())
	kr.start("")
	kr.wait("it says that it was put back", func() bool {
		return kr.up() && !kr.status().Partners[0].Linked && strings.Contains(kr.status().Partners[0].Trouble, "restored from a backup") && len(kr.evidence()) == kept+1
	})
	kr.wait("the partner says so", func() bool {
		var v desk.StatusView
		err := jp.c.Get(t.Context(), "/v1/status", &v)
		return err == nil && !v.Partners[0].Linked && strings.Contains(v.Partners[0].Trouble, "restored")
	})
}

// TestAttacksByHub: a hub that has valid keys, and is a party to the pact, sees nothing
// of what it holds (20), and receipts what was released to another (7).
func TestAttacksByHub(t *testing.T) {
	const id = act.PactID("kr-jp-us-2014")
	kr, jp, us := newProc(t, "KR"), newProc(t, "JP"), newRival(t, "US")
	us.serve()
	type side struct {
		c    *desk.Client
		card act.Card
		addr string
	}
	var all []side
	var cards []act.Card
	for _, p := range []*proc{kr, jp} {
		p.wait("it answers", p.up)
		all = append(all, side{p.c, p.card().Card, "127.0.0.1:" + p.port})
	}
	all = append(all, side{us.c, us.Card, us.addr})
	for _, a := range all {
		cards = append(cards, a.card)
		for _, b := range all {
			if a.card.Party == b.card.Party {
				continue
			}
			if err := a.c.Post(t.Context(), "/v1/partner", desk.PactAsk{Address: b.addr, Code: party.Code(b.card), As: "officer"}, &desk.SignView{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := pact.Draft(id, cards)
	if err != nil {
		t.Fatal(err)
	}
	pacts := func(c *desk.Client) (v []desk.PactView) { _ = c.Get(t.Context(), "/v1/pacts", &v); return v }
	for i, a := range all {
		kr.wait("the text was proposed", func() bool { return i == 0 || len(pacts(a.c)) == 1 })
		if err := a.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: id, Text: string(text), As: "officer"}, &desk.SignView{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range all {
		kr.wait("the arrangement is in force", func() bool { return pacts(a.c)[0].Phase == string(pact.Active) })
	}
	for _, x := range []struct {
		p  *proc
		to act.Party
	}{{kr, "JP"}, {jp, "KR"}} {
		if err := x.p.c.Post(t.Context(), "/v1/route", desk.RouteAsk{Routing: act.Routing{Party: x.to, Via: "US"}, As: "officer"}, &act.Routing{}); err != nil {
			t.Fatal(err)
		}
	}
	kr.wait("all is quiet", func() bool { return kr.status().Partners[0].Waiting == 0 && jp.status().Partners[0].Waiting == 0 })
	jp.kill()
	d := draft("군사III급비밀")
	d.Pact, d.To, d.Title = id, []act.Party{"JP"}, "Title-of-which-a-hub-learns-nothing"
	content := strings.Repeat("CANARY-7c1d ", 20) // so small that its parcel stands in the hub's rows
	slip, err := kr.c.Release(t.Context(), d, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	var held [][]byte
	kr.wait("the hub holds it", func() bool {
		held = nil
		err := us.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			for row, err := range tx.Scan("post/parcel/JP", nil, nil) {
				if err != nil {
					return err
				}
				held = append(held, row.Value)
			}
			return nil
		})
		return err == nil && len(held) > 0
	})
	for _, b := range held {
		for _, secret := range []string{"CANARY-7c1d", d.Title, d.Mark, "SECRET", string(slip.Number), d.Subject, string(id)} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("the hub reads %q", secret)
			}
		}
	}

	var release act.Digest // somebody told the hub
	for _, l := range kr.lines() {
		if l.Act.Kind == act.ProductReleased {
			release = l.Digest
		}
	}
	cu := kr.products("out")[slip.Number]
	before := kr.holds()
	for _, signer := range []string{"", "officer"} {
		because, refused := kr.hears(us.says("KR", id, act.ProductReceived, act.Receipt{Act: release, Number: slip.Number, Vault: cu.Seal.Vault, Mark: act.Mark{Party: "US", Text: "SECRET"}}, signer))
		if !refused || because[0].Article != "receipt" || because[0].Cure == "" {
			t.Errorf("a receipt of the hub's: %v, %+v", refused, because)
		}
	}
	kr.same("a receipt of the hub's", before)
	for _, p := range kr.status().Partners {
		if want := map[act.Party]int{"JP": 1}[p.Party]; p.Out.Products != want {
			t.Errorf("%d products wait for the receipt of %s, want %d", p.Out.Products, p.Party, want)
		}
	}
	jp.start("")
	kr.wait("the recipient's own receipt is here", func() bool {
		r := kr.products("out")[slip.Number].Received
		_, of := r["JP"]
		return of && len(r) == 1
	})
}

// TestAttacksOnStore is an operator who has the key of the database and writes in it
// past the node: an entry taken out or changed (31), a row of a table changed (32).
// Verifying says so, and names the row; what is to be done cures it.
func TestAttacksOnStore(t *testing.T) {
	kr, _, _, _ := attacked(t)
	verify := func() (string, error) {
		out, err := kr.command("ledger", "verify").CombinedOutput()
		return string(out), err
	}
	write := func(f func(tx *ledger.Tx) error) {
		t.Helper()
		kr.kill()
		secret, err := node.KeyFile(kr.key)
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.Open(t.Context(), kr.dir, secret, world())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(n.Ledger.Update(t.Context(), f), n.Close()); err != nil {
			t.Fatal(err)
		}
		kr.start("")
		kr.wait("it answers", kr.up)
	}
	if out, err := verify(); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	leaf := binary.BigEndian.AppendUint64(nil, 2)
	var kept []byte
	for _, value := range [][]byte{nil, []byte("another act")} {
		write(func(tx *ledger.Tx) (err error) {
			if kept == nil {
				if kept, err = tx.Get("ledger/entry", leaf); err != nil {
					return err
				}
			}
			if value == nil {
				return tx.Delete("ledger/entry", leaf)
			}
			return tx.Put("ledger/entry", leaf, value)
		})
		if out, err := verify(); err == nil || !strings.Contains(out, "entry 2") {
			t.Errorf("a ledger verifies whose entry 2 is %q: %s", value, out)
		}
	}
	write(func(tx *ledger.Tx) error { return tx.Put("ledger/entry", leaf, kept) })
	if out, err := verify(); err != nil {
		t.Fatalf("put back: %s, %v", out, err)
	}

	before := kr.holds()
	for _, x := range []struct {
		table, key, says string
		change           func(old []byte) []byte
	}{
		{"person", "analyst", `person "analyst" is changed`, func(old []byte) []byte {
			return bytes.Replace(old, []byte(`"offices":["read"]`), []byte(`"offices":["read","release"]`), 1)
		}},
		{"person", "mole", `person "mole" is added`, func([]byte) []byte {
			return []byte(`{"name":"mole","post":"none","key":"","offices":["release"],"until":"2036-01-01T00:00:00.000Z"}`)
		}},
		{"partner", "JP", `partner "JP" is missing`, func([]byte) []byte { return nil }},
	} {
		write(func(tx *ledger.Tx) error {
			old, err := tx.Get(ledger.FoldPrefix+x.table, []byte(x.key))
			if err != nil {
				return err
			}
			fresh := x.change(old)
			if bytes.Equal(old, fresh) {
				t.Fatalf("nothing changes %s", x.key)
			}
			if fresh == nil {
				return tx.Delete(ledger.FoldPrefix+x.table, []byte(x.key))
			}
			return tx.Put(ledger.FoldPrefix+x.table, []byte(x.key), fresh)
		})
		files := len(kr.evidence())
		out, err := verify()
		if err == nil || !strings.Contains(out, x.says) || !strings.Contains(out, "entente ledger rebuild") {
			t.Errorf("%s %s: %v, %s", x.table, x.key, err, out)
		}
		if x.table == "partner" { // nothing else reads well meanwhile
			before = nil
		}
		if len(kr.evidence()) != files+1 {
			t.Errorf("%s %s: no evidence is kept", x.table, x.key)
		}
		if out, err := kr.command("ledger", "rebuild").CombinedOutput(); err != nil {
			t.Fatalf("%s, %v", out, err)
		}
		if out, err := verify(); err != nil {
			t.Errorf("rebuilt: %s, %v", out, err)
		}
		if before != nil {
			kr.same(x.says, before)
		}
	}
	for _, f := range kr.evidence() {
		if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte("analyst")) || bytes.Contains(b, []byte("mole")) {
			t.Errorf("evidence in the clear: %s, %v", b, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(kr.dir, "folded*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func (p *proc) countKind(k act.Kind) (n int) {
	p.t.Helper()
	for _, l := range p.lines() {
		if l.Act.Kind == k {
			n++
		}
	}
	return n
}
