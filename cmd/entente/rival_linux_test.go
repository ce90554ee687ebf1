//go:build !race

package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// What the attacks are made with.

// rival is a partner's node in this process.
type rival struct {
	*node.Node
	t       *testing.T
	addr    string
	dir     string
	secret  node.Secret
	c       *desk.Client
	stop    func()
	serving bool
	ahead   time.Duration // of what its hello says of the time
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
	r.serving = false
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
	r.serving = true
	go func() { done <- n.Serve(ctx, l) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			r.t.Error(err)
		}
	})
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
	w.send(1, map[string]any{"v": 1, "lane": lane, "card": r.Card, "at": time.Now().Add(r.ahead), "seen": g.Seen})
	return w
}

func (w wire) send(kind byte, v any) {
	w.t.Helper()
	b, err := json.Marshal(v)
	if d, ok := v.(intake.Delivery); ok && err == nil {
		b, err = packed(d)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.frame(kind, b)
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

func (w wire) frame(kind byte, b []byte) {
	w.t.Helper()
	if _, err := w.Write(append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+1)), kind), b...)); err != nil {
		w.t.Fatal(err)
	}
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
		queue, size := ledger.FoldPrefix+"queue/"+string(to), int64(len(raw)) // index, bytes up to here, and whether it is a receipt
		if p.Queued > 0 {
			last, err := tx.Get(queue, be(p.Queued-1))
			if err != nil {
				return err
			}
			size += int64(binary.BigEndian.Uint64(last[8:]))
		}
		return errors.Join(tx.Put("ledger/entry", be(i), append(all, raw...)), tx.Put("ledger/digest", d[:], be(i)), tx.Put("ledger/head", []byte("size"), be(i+1)),
			tx.Put(queue, be(p.Queued), append(append(be(i), be(size)...), 0)), tx.Put(ledger.FoldPrefix+"count", []byte(to), append(be(p.Received), be(p.Queued+1)...)))
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

// speaks ends the rival's own service: from then on the test speaks for it.
func (r *rival) speaks(p *proc) {
	r.t.Helper()
	if r.serving {
		if r.open(); !p.up() {
			return
		}
		p.wait("the link is down", func() bool {
			for _, v := range p.status().Partners {
				if v.Party == r.Card.Party {
					return !v.Linked
				}
			}
			return true
		})
	}
}

// serves has the rival's own code carry again.
func (r *rival) serves() {
	r.t.Helper()
	if !r.serving {
		r.open()
		r.serve()
	}
}

// gives releases a product, and waits until the victim has received it.
func (r *rival) gives(p *proc, d release.Draft, content io.Reader) act.Number {
	r.t.Helper()
	slip, err := r.c.Release(r.t.Context(), d, content)
	if err != nil {
		r.t.Fatal(err)
	}
	p.wait("it is received", func() bool { return len(p.products("in")[slip.Number].Received) == 1 })
	return slip.Number
}

// gives releases a product, and waits for its receipt.
func (p *proc) gives(d release.Draft, content string) act.Number {
	p.t.Helper()
	slip, err := p.c.Release(p.t.Context(), d, strings.NewReader(content))
	if err != nil {
		p.t.Fatal(err)
	}
	p.wait("its receipt is here", func() bool { return len(p.products("out")[slip.Number].Received) == 1 })
	return slip.Number
}

// why is a refusal as a partner is told it.
func why(because []act.Reason) string {
	var all []string
	for _, r := range because {
		all = append(all, r.Article+": "+r.Text+"; cure: "+r.Cure)
	}
	return strings.Join(all, "; ")
}

func (r *rival) view(f func(tx *ledger.Tx) error) {
	r.t.Helper()
	if err := r.Ledger.View(r.t.Context(), f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rival) write(f func(tx *ledger.Tx) error) {
	r.t.Helper()
	if err := r.Ledger.Update(r.t.Context(), f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rival) size() (n int64) {
	r.view(func(tx *ledger.Tx) error { n = tx.Size(); return nil })
	return n
}

// hashes are the stored hashes of a ledger that is built anew.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) (all []tlog.Hash, err error) {
	for _, i := range indexes {
		all = append(all, h[i])
	}
	return all, nil
}

// rewrite builds the rival's ledger anew with its own keys: the title of one of its releases was
// always another, and all that follows is as it was.
func (r *rival) rewrite(of act.Number) {
	r.t.Helper()
	_, d := r.body(of)
	signer, err := r.Release.Signer(r.t.Context(), "officer")
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(func(tx *ledger.Tx) error {
		var all []ledger.Entry
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		var stored hashes
		for i, e := range all {
			if act.DigestOf(e.Bytes) == d {
				b := e.Act.Body.(act.Release)
				b.Manifest.Title = "what was never released"
				e.Act.Body = b
				v, err := act.Sign(e.Act, signer)
				if err != nil {
					return err
				}
				e.Bytes = v.Bytes()
			}
			hs, err := tlog.StoredHashes(int64(i), e.Bytes, stored)
			if err != nil {
				return err
			}
			stored = append(stored, hs...)
			var row []byte
			for _, h := range hs {
				row = append(row, h[:]...)
			}
			at, digest := binary.BigEndian.AppendUint64(nil, uint64(i)), act.DigestOf(e.Bytes)
			if err := errors.Join(tx.Put("ledger/entry", at, append(row, e.Bytes...)), tx.Put("ledger/digest", digest[:], at)); err != nil {
				return err
			}
			// What was signed of the ledger as it was is signed no more.
			if err := tx.Delete("ledger/signed", binary.BigEndian.AppendUint64(nil, uint64(i+1))); err != nil {
				return err
			}
		}
		return nil
	})
}

// convicts names the party whom evidence convicts, before anyone.
func convicts(b []byte) string {
	switch c, convicts, err := ledger.CheckEvidence(b); {
	case err != nil:
		return err.Error()
	case !convicts:
		return "nobody before " + string(c.Party) + " was asked"
	default:
		return string(c.Party)
	}
}
