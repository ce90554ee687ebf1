//go:build !race

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"entente/act"
	"entente/desk"
	"entente/pact"

	"golang.org/x/mod/sumdb/note"
)

// What a partner with valid keys may not.

const treaty = act.PactID("kr-jp-2016")

func (x *attempt) number(p act.Party) act.Number {
	n, err := act.NewNumber(p, 2026, rand.Reader)
	if err != nil {
		x.Fatal(err)
	}
	return n
}

// made is a release like that of a product, under a new number, changed.
func (x *attempt) made(like act.Number, change func(*act.Release)) act.Release {
	b, _ := x.jp.body(like)
	b.Manifest.Number = x.number("JP")
	change(&b)
	return b
}

// speak has the partner say something by its own code, and its refusal is what it is told.
func (x *attempt) speak(what string, id act.PactID, k act.Kind, body any, by string) {
	x.Helper()
	x.jp.serves()
	x.try(x.kr, what, func() string {
		because, refused := x.kr.hears(x.jp.says("KR", id, k, body, by))
		if !refused {
			return "it is taken in"
		}
		return why(because)
	})
}

// hands delivers all that the partner's ledger has for the victim on a wire of the test's,
// and returns how much of it was taken.
func (x *attempt) hands() (took int64) {
	x.Helper()
	w := x.jp.line(x.kr, "acts")
	defer w.Close()
	t0 := w.took()
	_, del := x.jp.delivery(t0.Seen, t0.Next)
	w.send(2, del)
	return w.took().Next - t0.Next
}

func notInForce(x *attempt) {
	shipped, _ := pact.Template(treaty)
	text := strings.Replace(string(shipped), "pact: kr-jp-2016", "pact: kr-jp-2031", 1)
	x.jp.serves()
	if err := x.jp.c.Post(x.Context(), "/v1/pact/sign", desk.PactAsk{Pact: "kr-jp-2031", As: "officer", Text: text}, &desk.SignView{}); err != nil {
		x.Fatal(err)
	}
	x.kr.wait("a second pact was proposed", func() bool { return len(x.kr.status().Pacts) == 2 })
	x.speak("a release", "kr-jp-2031", act.ProductReleased, x.made(x.theirs, func(b *act.Release) { b.Manifest.Pact, b.Text = "kr-jp-2031", pactSum(text) }), "officer")
}

func aboveCeiling(x *attempt) {
	x.speak("a release", treaty, act.ProductReleased, x.made(x.theirs, func(b *act.Release) { b.Manifest.Mark.Text = "機密" }), "officer")
}

func markedLower(x *attempt) {
	x.jp.serves()
	secret := x.jp.gives(x.kr, draft("極秘"), strings.NewReader("sealed under a higher mark"))
	b := x.made(secret, func(b *act.Release) { b.Manifest.Mark.Text = "秘" })
	if because, refused := x.kr.hears(x.jp.says("KR", treaty, act.ProductReleased, b, "officer")); refused {
		x.Fatalf("refused at the door, without a key: %+v", because)
	}
	x.kr.wait("it is here", func() bool { return len(x.kr.products("in")[b.Manifest.Number].Received) == 1 })
	x.try(x.kr, "who opens it", func() string { return x.kr.denied("analyst", b.Manifest.Number) })
	if n := x.kr.count(act.ProductOpened, b.Manifest.Number, ""); n != 0 {
		x.Errorf("%d openings are entered of what did not open", n)
	}
}

func resealed(x *attempt) {
	x.jp.serves()
	x.kr.wait("ours is known there", func() bool { return len(x.kr.products("out")[x.ours].Received) == 1 })
	stolen, _ := x.jp.body(x.ours)
	x.speak("what is ours, released to us", treaty, act.ProductReleased, stolen, "officer")
	other := stolen
	other.Manifest.Number, other.Manifest.Recipients = x.number("JP"), []act.Party{"KR"}
	x.speak("the same under a number of its own", treaty, act.ProductReleased, other, "officer")
}

func receiptForNothing(x *attempt) {
	for _, by := range []string{"", "officer"} {
		x.speak("a receipt signed by "+strconv.Quote(by), treaty, act.ProductReceived, act.Receipt{Act: act.DigestOf([]byte("nothing")), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}, by)
	}
	own, d := x.jp.body(x.theirs)
	x.speak("a receipt for what it released itself", treaty, act.ProductReceived, act.Receipt{Act: d, Number: x.theirs, Vault: own.Seal.Vault, Mark: own.Manifest.Mark}, "")
	if _, known := x.kr.products("")["KR-2026-0000-0000"]; known {
		x.Error("the product of which nothing is known is listed")
	}
}

func otherSpellings(x *attempt) {
	x.jp.speaks(x.kr)
	v, err := act.Sign(act.Act{Kind: act.ProductReceived, From: "JP", To: []act.Party{"KR"}, Pact: treaty, At: act.MomentOf(time.Now()), Period: 1,
		Body: act.Receipt{Act: act.DigestOf([]byte("nothing")), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}}, nil)
	if err != nil {
		x.Fatal(err)
	}
	for what, y := range map[string][2]string{
		"a key twice":              {`"kind":`, `"kind":"product.released","kind":`},
		"another case":             {`"kind":`, `"Kind":`},
		"a long s":                 {`"pact":"kr-jp-2016"`, "\"pact\":\"kr-jp-2016\",\"pact\u017f\":1"},
		"a mark twice":             {`"mark":`, `"mark":{"party":"JP","text":"機密"},"mark":`},
		"a space":                  {`,"at":`, ` ,"at":`},
		"a number beyond 2^63":     {`"period":1`, `"period":9223372036854775808`},
		"a number below all":       {`"period":1`, `"period":-1`},
		"a number with a mantissa": {`"period":1`, `"period":1e0`},
	} {
		raw := []byte(strings.Replace(string(v.Bytes()), y[0], y[1], 1))
		if bytes.Equal(raw, v.Bytes()) {
			x.Fatalf("%s is not in %s", y[0], v.Bytes())
		}
		x.tryForged(what, raw)
	}
}

// tryForged has the partner enter bytes that are no act of its own, and hand them over.
func (x *attempt) tryForged(what string, raw []byte) {
	x.Helper()
	x.try(x.kr, what, func() string {
		x.jp.forge("KR", raw)
		if n := x.hands(); n != 1 {
			return fmt.Sprintf("%d acts are taken", n)
		}
		because, _ := x.kr.hears(act.DigestOf(raw))
		return why(because)
	})
}

func olderSuite(x *attempt) {
	x.jp.speaks(x.kr)
	for what, c := range map[string]*tls.Config{
		"TLS 1.2":             {MaxVersion: tls.VersionTLS12, NextProtos: []string{"entente/1"}},
		"a classical group":   {CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}, NextProtos: []string{"entente/1"}},
		"no protocol of ours": {NextProtos: []string{"http/1.1"}},
	} {
		c.InsecureSkipVerify, c.Certificates = true, []tls.Certificate{x.jp.Carriage.Certificate}
		x.try(x.kr, what, func() string {
			conn, err := tls.Dial("tcp", x.kr.addr(), c)
			if err == nil {
				_, err = io.ReadAll(conn)
				conn.Close()
			}
			return fmt.Sprint(err)
		})
	}
	// A version of the greeting that nobody knows is told nothing either.
	x.try(x.kr, "another version", func() string {
		c, err := tls.Dial("tcp", x.kr.addr(), &tls.Config{NextProtos: []string{"entente/1"}, InsecureSkipVerify: true, Certificates: []tls.Certificate{x.jp.Carriage.Certificate}})
		if err != nil {
			x.Fatal(err)
		}
		w := wire{c, x.T}
		defer w.Close()
		w.send(1, map[string]any{"v": 2, "lane": "acts", "card": x.jp.Card, "at": time.Now()})
		return x.ended(w)
	})
}

// ended is how a connection ends: with a word, or without.
func (x *attempt) ended(w wire) string {
	if k, b := w.until(8); k == 8 {
		return string(b)
	}
	return "the connection ends without a word"
}

func lies(x *attempt) {
	x.jp.speaks(x.kr)
	hello := func(claim string) {
		x.try(x.kr, "a hello with "+claim, func() string {
			c, err := tls.Dial("tcp", x.kr.addr(), &tls.Config{NextProtos: []string{"entente/1"}, InsecureSkipVerify: true, Certificates: []tls.Certificate{x.jp.Carriage.Certificate}})
			if err != nil {
				x.Fatal(err)
			}
			w := wire{c, x.T}
			defer w.Close()
			w.frame(1, []byte(`{"v":1,"lane":"acts","seen":{"head":{"size":`+claim+`}}}`))
			return x.ended(w)
		})
	}
	hello("-1")
	hello("9223372036854775808")
	for _, claim := range []uint32{0, 4<<20 + 1, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
		x.try(x.kr, fmt.Sprintf("a frame of %d bytes", claim), func() string {
			w := x.jp.line(x.kr, "acts")
			defer w.Close()
			if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, claim), 2, '{')); err != nil {
				x.Fatal(err)
			}
			return x.ended(w)
		})
	}
	for what, frame := range map[string]string{
		"before the first":       `{"acts":[{"seq":-1}],"sizes":[[0,0]]}`,
		"at 2^63":                `{"acts":[{"seq":9223372036854775808}],"sizes":[[0,0]]}`,
		"a proof of no size":     `{"acts":[{"seq":0,"proof":{"index":-9223372036854775808}}],"sizes":[[0,0]]}`,
		"many empty ones":        `{"acts":[` + strings.Repeat("{},", 5000) + `{}]}`,
		"brackets without bound": strings.Repeat("[", 1<<20),
	} {
		x.try(x.kr, "acts "+what, func() string {
			w := x.jp.line(x.kr, "acts")
			defer w.Close()
			w.frame(2, append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
			return x.ended(w)
		})
	}
	ours, _ := x.jp.body(x.ours)
	for _, from := range []string{"-2", "-9223372036854775808", "9223372036854775807", "9223372036854775808"} {
		x.try(x.kr, "content from block "+from, func() string {
			w := x.jp.line(x.kr, "pull")
			defer w.Close()
			w.frame(4, []byte(fmt.Sprintf(`{"number":%q,"vault":%q,"from":%s,"count":%s}`, x.ours, ours.Seal.Vault, from, from)))
			return x.ended(w)
		})
	}
	// Each lane claims all that a frame may have, and sends a byte.
	var open []wire
	for _, lane := range []string{"acts", "pull", "push", "post"} {
		open = append(open, x.jp.line(x.kr, lane))
	}
	before := x.kr.told()[2]
	for _, w := range open {
		if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, 4<<20), 2, '{')); err != nil {
			x.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond)
	after := x.kr.told()[2]
	x.Logf("%d frames that claim 4 MiB each, of which a byte came: the heap is %.0f KiB, and was %.0f", len(open), after, before)
	if after-before > float64(len(open))*1024 {
		x.Errorf("%d frames that claim 4 MiB each hold %.0f KiB", len(open), after-before)
	}
	for _, w := range open {
		_ = w.SetReadDeadline(time.Now().Add(time.Millisecond))
		if k, b := w.until(8); k == 8 { // it waits for the rest
			x.Errorf("a frame that is on its way is answered %s", b)
		}
		w.Close()
	}
}

func halfOpen(x *attempt) {
	x.jp.serves()
	x.kr.wait("they are linked", func() bool { return x.kr.status().Partners[0].Linked })
	files := func() int { return int(x.kr.told()[1]) }
	one := func() time.Duration {
		began := time.Now()
		x.jp.gives(x.kr, draft("秘"), strings.NewReader("meanwhile"))
		return time.Since(began)
	}
	p95 := func() time.Duration {
		var all []time.Duration
		for range 20 {
			all = append(all, one())
		}
		slices.Sort(all)
		return all[18]
	}
	calm, before := p95(), files()
	var mu sync.Mutex
	var open []net.Conn
	const calls = 10_000
	turned := func() (n uint64) {
		for _, k := range x.kr.status().Turned {
			n += k
		}
		return n
	}
	had := turned()
	// The products that come meanwhile are receipted, which is entered: they come between two attempts.
	x.try(x.kr, "10,000 half-open connections", func() string {
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				for k := range calls / 8 {
					d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i), byte(1+k%200))}, Timeout: 5 * time.Second}
					c, err := d.DialContext(x.Context(), "tcp", x.kr.addr())
					if err != nil {
						continue
					}
					mu.Lock()
					open = append(open, c)
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		silent := 0
		for _, c := range open { // who is turned away is told nothing
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if n, err := c.Read(make([]byte, 1)); n == 0 && err != nil {
				silent++
			}
		}
		if silent != len(open) {
			return fmt.Sprintf("%d of %d are told something", len(open)-silent, len(open))
		}
		return "the connection ends without a word"
	})
	during, held := p95(), files()
	x.Logf("%d of %d half-open connections were made, %d were turned away; a product took %v at p95, and took %v before; %d files were open, and %d before", len(open), calls, turned()-had, during, calm, held, before)
	if len(open) < calls/2 {
		x.Errorf("%d connections could be made of %d: allow this process more files", len(open), calls)
	}
	if held-before > 300 || turned()-had < uint64(len(open))-300 {
		x.Errorf("%d files are open for them, and %d were turned away", held-before, turned()-had)
	}
	for _, c := range open {
		c.Close()
	}
	// Each new connection of a partner takes the place of the one before.
	x.jp.speaks(x.kr)
	before = files()
	var own []wire
	for range 40 {
		own = append(own, x.jp.line(x.kr, "pull"))
	}
	if held := files(); held-before > 10 {
		x.Errorf("%d connections of the partner hold %d files", len(own), held-before)
	}
	for _, w := range own {
		w.Close()
	}
}

func otherRole(x *attempt) {
	x.speak("a release that only the node signed, as it signs receipts", treaty, act.ProductReleased, x.made(x.theirs, func(*act.Release) {}), "")
	x.speak("a release by one who was not notified", treaty, act.ProductReleased, x.made(x.theirs, func(*act.Release) {}), "analyst")
	// The officer's signature of a receipt, on a release.
	x.jp.speaks(x.kr)
	signer, err := x.jp.Release.Signer(x.Context(), "officer")
	if err != nil {
		x.Fatal(err)
	}
	statement := act.Act{Kind: act.ProductReceived, From: "JP", By: signer.Name(), To: []act.Party{"KR"}, Pact: treaty, At: act.MomentOf(time.Now()), Period: 1,
		Body: act.Receipt{Act: act.DigestOf([]byte("nothing")), Number: x.theirs, Mark: act.Mark{Party: "JP", Text: "秘"}}}
	receipt, err := act.Sign(statement, signer)
	if err != nil {
		x.Fatal(err)
	}
	statement.Kind, statement.Body = act.ProductReleased, x.made(x.theirs, func(*act.Release) {})
	released, err := act.Sign(statement, signer)
	if err != nil {
		x.Fatal(err)
	}
	text, _, _ := bytes.Cut(released.Bytes(), []byte("\n\n"))
	_, signature, ok := bytes.Cut(receipt.Bytes(), []byte("\n\n"))
	if _, err := note.Open(receipt.Bytes(), note.VerifierList()); !ok || err == nil {
		x.Fatalf("a signed act has another form: %v", err)
	}
	raw := slices.Concat(text, []byte("\n\n"), signature)
	x.tryForged("the signature of a receipt on a release", raw)
}

func mixedNumbers(x *attempt) {
	x.jp.serves()
	x.joins("mixer", func(p *act.Person) { p.Needs = []act.Need{{Pact: treaty, Purposes: []string{"missile-warning"}}} })
	d := draft("秘")
	d.Purpose = "missile-warning"
	warning := x.jp.gives(x.kr, d, strings.NewReader("for the warning"))
	c := x.kr.browser("mixer")
	form := url.Values{"n": {string(warning)}, "number": {string(warning)}, "purpose": {"missile-warning"}, "as": {"analyst"}}
	x.try(x.kr, "one product in the path and another in the form", func() string {
		status, text := x.kr.page(c, "/p/"+string(x.theirs)+"?n="+string(warning), form)
		if strings.Contains(text, "for the warning") || strings.Contains(text, "what was released in truth") {
			return "it is shown"
		}
		return fmt.Sprint(status, " ", http.StatusText(status))
	})
	if _, text := x.kr.page(c, "/p/"+string(warning), url.Values{"n": {string(x.theirs)}}); !strings.Contains(text, "for the warning") || x.kr.count(act.ProductOpened, x.theirs, "mixer") != 0 {
		x.Error("the path's product does not open, or another does")
	}
	held, err := x.jp.c.Release(x.Context(), draft("秘"), strings.NewReader("not for KR's asking")) // JP's own: KR never had it to give
	if err != nil {
		x.Fatal(err)
	}
	x.kr.wait("it is here", func() bool { return len(x.kr.products("in")[held.Number].Received) == 1 })
	b, _ := x.jp.body(held.Number)
	ours, _ := x.jp.body(x.ours)
	x.jp.speaks(x.kr)
	for what, ask := range map[string]map[string]any{
		"another's content":       {"number": x.ours, "vault": b.Seal.Vault, "from": -1},
		"JP's own number":         {"number": x.theirs, "vault": ours.Seal.Vault, "from": -1},
		"a number of nothing":     {"number": x.number("KR"), "vault": ours.Seal.Vault, "from": 0},
		"a path in place of one":  {"number": "../../" + string(x.ours), "vault": ours.Seal.Vault, "from": 0},
		"the digest of something": {"number": x.ours, "vault": act.Sum{1}, "from": 0},
	} {
		x.unheard(x.kr, what, func() string {
			w := x.jp.line(x.kr, "pull")
			defer w.Close()
			w.send(4, ask)
			return x.ended(w)
		})
	}
	w := x.jp.line(x.kr, "pull") // and what was released to it, it has
	w.send(4, map[string]any{"number": x.ours, "vault": ours.Seal.Vault, "from": -1})
	if k, _ := w.next(); k != 5 {
		x.Errorf("what was released is answered %d", k)
	}
	w.Close()
}
