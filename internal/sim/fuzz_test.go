package sim

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"entente/act"
	"entente/intake"
	"entente/ledger"
	"entente/release"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// These targets run whole nodes, in memory, with the world's cheap signers.

// concluded is a base in which both sides have released to each other, and hold what came.
func concluded(f *testing.F) *bench {
	f.Helper()
	cfg := &Config{Dir: f.TempDir()}
	b, err := newBase(cfg, parties[:2])
	if err != nil {
		f.Fatal(err)
	}
	w := newWorld(cfg, b, quietSeed)
	for _, s := range w.sides {
		if err := s.start(); err != nil {
			f.Fatal(err)
		}
	}
	for _, s := range w.sides {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			f.Fatal(err)
		}
		for _, size := range []int{100, 200 << 10} {
			releases(f, w, s, size)
		}
	}
	w.settle(20)
	out := &base{parties: b.parties, at: w.now}
	for _, s := range w.sides {
		out.concluded = append(out.concluded, s.disk.Copy())
	}
	return &bench{cfg: cfg, base: out}
}

// quietSeed is a seed of a world in which all is concluded, and the two have a link.
const quietSeed = 7

// releases has the officer of a side release that many zeros to the other.
func releases(t testing.TB, w *World, s *Side, size int) {
	t.Helper()
	d := release.Draft{As: "officer", Pact: pactID, Title: "a report", Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en",
		Mark: marks[s.party][0], Mode: "released", File: "a.txt", MediaType: "text/plain"}
	if _, err := s.n.Release.Release(w.ctx, d, bytes.NewReader(make([]byte, size))); err != nil {
		t.Fatal(err)
	}
}

// bench is a world that inputs are tried in: the same as long as they enter nothing.
type bench struct {
	cfg  *Config
	base *base
	w    *World
	size [2]int64
}

func (x *bench) begin(t testing.TB) (w *World, kr, jp *Side) {
	if x.w == nil || x.size != entries(t, x.w) {
		x.w = newWorld(x.cfg, x.base, quietSeed)
		for _, s := range x.w.sides {
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
		}
		x.size = entries(t, x.w)
	}
	return x.w, x.w.sides[0], x.w.sides[1]
}

// entries counts those of both ledgers.
func entries(t testing.TB, w *World) (n [2]int64) {
	for i, s := range w.sides {
		if err := s.n.Ledger.View(w.ctx, func(tx *ledger.Tx) error { n[i] = tx.Size(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// conveysBytes has a partner put bytes into its ledger, whatever they are, and hand them over
// with a true proof.
func (w *World) conveysBytes(kr, jp *Side, b []byte) error {
	g, err := kr.n.Carriage.Greet(w.ctx, jp.party)
	if err != nil {
		return err
	}
	v := jp.view.clone()
	n := g.Seen.Head.Size
	v.hashes, v.acts = slices.Clone(v.hashes[:tlog.StoredHashIndex(0, n)]), slices.Clone(v.acts[:n])
	hs, err := tlog.StoredHashes(n, b, v)
	if err != nil {
		return err
	}
	v.hashes, v.acts = append(v.hashes, hs...), append(v.acts, act.Act{})
	d := intake.Delivery{From: jp.party, Acts: []intake.Conveyed{{Seq: g.Next, Bytes: b, Proof: ledger.Proof{Index: n, Size: n + 1}}}}
	d.Acts[0].Proof.Hashes, _ = tlog.ProveRecord(n+1, n, v)
	d.Growth, _ = tlog.ProveTree(n+1, n, v)
	h, _ := v.root(n + 1)
	if d.Checkpoint, err = note.Sign(&note.Note{Text: headText(jp.party, h)}, w.signer(jp)); err != nil {
		return err
	}
	return kr.n.Carriage.Take(w.ctx, d)
}

// FuzzPartner is a partner with valid keys whose ledger holds any act at all. It is taken in or
// refused, with one answer; the ledger verifies, and the node starts again from it.
func FuzzPartner(f *testing.F) {
	x := concluded(f)
	_, _, jp := x.begin(f)
	err := read(jp.disk, func(tx *ledger.Tx) error {
		kinds := map[act.Kind]bool{}
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			if line, _, _ := strings.Cut(strings.TrimPrefix(string(e.Bytes), act.Header+"\n"), "\n"); !kinds[e.Act.Kind] {
				kinds[e.Act.Kind] = true
				f.Add(line)
				f.Add(strings.NewReplacer(`"from":"KR"`, `"from":"JP"`, `"to":["JP"]`, `"to":["KR"]`, "@KR", "@JP").Replace(line))
			}
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{}`, strings.Repeat("[", 5000), `{"v":1,"kind":"x","from":"JP","to":["KR"],"at":"2026-03-02T00:00:00.000Z","period":1,"must":true,"body":{}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		w, kr, jp := x.begin(t)
		text := act.Header + "\n" + line + "\n"
		bytes := []byte(text + "\n")
		var a struct {
			By string `json:"by"`
		}
		if json.Unmarshal([]byte(line), &a) == nil && a.By != "" {
			name, _, _ := strings.Cut(a.By, "@")
			if signer, err := jp.n.Release.Signer(w.ctx, name); err == nil {
				if signed, err := note.Sign(&note.Note{Text: text}, signer); err == nil {
					bytes = signed
				}
			}
		}
		before := entries(t, w)[0]
		err := w.conveysBytes(kr, jp, bytes)
		grown := entries(t, w)[0] - before
		if err == nil && (grown < 1 || grown > 2) || err != nil && grown != 0 {
			t.Errorf("%d entries were made of one act: %v", grown, err)
		}
		if err := kr.n.Ledger.Err(); err != nil {
			t.Errorf("the node ends: %v", err)
		}
		if grown == 0 {
			return
		}
		if _, err := kr.n.Verify(w.ctx, quiet); err != nil {
			t.Errorf("the ledger does not verify: %v", err)
		}
		kr.stop()
		if err := kr.start(); err != nil {
			t.Errorf("the node does not start again: %v", err)
		}
	})
}

// FuzzWant asks a node for content, frame by frame. {V0} and so on stand for the digests of what it
// holds: the seal draws what they come from.
func FuzzWant(f *testing.F) {
	x := concluded(f)
	_, kr, _ := x.begin(f)
	var seals []act.Seal
	var numbers []act.Number
	digests := func() (all []string) {
		seals, numbers = nil, nil
		_ = read(kr.disk, func(tx *ledger.Tx) error {
			for cu, err := range kr.n.Catalogue.Products(tx) {
				if err != nil {
					return err
				}
				seals, numbers = append(seals, cu.Seal), append(numbers, cu.Manifest.Number)
				all = append(all, fmt.Sprintf("{V%d}", len(seals)-1), cu.Seal.Vault.String(), fmt.Sprintf("{N%d}", len(seals)-1), string(cu.Manifest.Number))
			}
			return nil
		})
		return all
	}
	known := strings.NewReplacer(digests()...)
	if len(seals) != 4 {
		f.Fatalf("%d products", len(seals))
	}
	for i := range seals {
		for _, from := range []int{-1, 0, 1, 1 << 40, -7} {
			f.Add(fmt.Sprintf(`{"number":"{N%d}","vault":"{V%d}","from":%d}`, i, i, from))
		}
	}
	f.Add(`{"number":"{N0}","vault":"{V1}","from":-1}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, s string) {
		w, kr, jp := x.begin(t)
		s = known.Replace(s)
		conn := &pipe{out: &pipe{}}
		conn.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(s)+1)), 4))
		conn.in.WriteString(s)
		err := kr.n.Carriage.Serve(w.ctx, jp.party, conn)
		got := conn.out.in.Bytes()
		if len(got) > 5 && (got[4] == 5 || got[4] == 6) && !released(s, kr, w) {
			t.Errorf("%q is answered by %d bytes: %v", s, len(got), err)
		}
	})
}

// FuzzFetch changes a byte of a frame in which content comes, or cuts it. What is kept is what was
// released, and what is not comes whole the next time.
func FuzzFetch(f *testing.F) {
	x := concluded(f)
	w, kr, jp := x.begin(f)
	releases(f, w, jp, 2<<20+100)
	l, err := w.linked(kr, jp)
	if err == nil {
		err = w.exchange(l, 20)
	}
	if err != nil {
		f.Fatal(err)
	}
	awaiting := &base{parties: x.base.parties, at: w.now}
	for _, s := range w.sides {
		awaiting.concluded = append(awaiting.concluded, s.disk.Copy())
	}
	for n := range 6 {
		for _, at := range []int{0, 3, 4, 5, 8, 9, 1 << 19} {
			f.Add(n, at, byte(1), 1<<30)
		}
	}
	f.Add(2, 0, byte(0), 100)
	f.Fuzz(func(t *testing.T, n, at int, flip byte, cut int) {
		y := &bench{cfg: x.cfg, base: awaiting}
		w, kr, jp := y.begin(t)
		changed := false
		got, err := w.fetch(kr, jp, func(i int, b []byte) error {
			if i != n {
				return nil
			}
			if at >= 0 && at < len(b) && flip != 0 {
				b[at] ^= flip
				changed = true
			}
			if cut >= 0 && cut < len(b) {
				changed = true
				return syscall.ECONNRESET
			}
			return nil
		})
		if err == nil && got != 1 || !changed && err != nil {
			t.Errorf("%d products came, changed %v: %v", got, changed, err)
		}
		if err != nil {
			if got, err := w.fetch(kr, jp, nil); got != 1 || err != nil {
				t.Errorf("the next time %d products came: %v", got, err)
			}
		}
		if _, err := kr.n.Verify(w.ctx, quiet); err != nil {
			t.Errorf("what was kept is not what was released: %v", err)
		}
	})
}

// released reports whether what is asked for was released by kr to its neighbour.
func released(s string, kr *Side, w *World) (ok bool) {
	var a struct {
		Number act.Number `json:"number"`
		Vault  act.Sum    `json:"vault"`
	}
	if json.Unmarshal([]byte(s), &a) != nil {
		return false
	}
	_ = read(kr.disk, func(tx *ledger.Tx) error {
		for cu, err := range kr.n.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			ok = ok || cu.From == kr.party && cu.Manifest.Number == a.Number && cu.Seal.Vault == a.Vault && slices.Contains(cu.Manifest.Recipients, kr.neighbour())
		}
		return nil
	})
	return ok
}

// FuzzMedia takes in a folder of whatever files. Its list and chain are signed by those who
// may sign them: what is written there is believed for nothing else.
func FuzzMedia(f *testing.F) {
	x := concluded(f)
	list := `{"from":"JP","to":"KR","seal":"7Q4K-M2XT-0A9C-Z3HB","medium":1,"of":1,"at":"2026-03-02T00:00:00.000Z","parcels":[]}`
	hand := `{"seal":"7Q4K-M2XT-0A9C-Z3HB","medium":1,"before":"{BEFORE}","from":"officer@JP","to":"Courier 7","at":"2026-03-02T00:00:00.000Z"}`
	f.Add(list, hand, []byte(nil))
	f.Add(strings.Replace(list, "[]", `[{"file":"0001.parcel","number":"7Q4K-M2XT-0A9C-Z3HB","size":3,"sum":"{SUM}"}]`, 1), hand, []byte("abc"))
	f.Add(strings.Replace(list, `"of":1`, `"of":2`, 1), strings.Replace(hand, "officer@JP", "second@JP", 1), []byte("entente parcel v1\n"))
	f.Add(strings.Replace(list, "[]", "[1,1,null]", 1), hand+"\n", []byte(nil))
	f.Fuzz(func(t *testing.T, list, hand string, parcel []byte) {
		w, kr, jp := x.begin(t)
		sum := func(b []byte) string { return act.Sum(sum384(b)).String() }
		signed := func(text string, s note.Signer) []byte {
			b, err := note.Sign(&note.Note{Text: text}, s)
			if err != nil {
				return []byte(text)
			}
			return b
		}
		officer, err := jp.n.Release.Signer(w.ctx, "officer")
		if err != nil {
			t.Fatal(err)
		}
		m := signed("entente medium v1\n"+strings.ReplaceAll(list, "{SUM}", sum(parcel))+"\n", w.signer(jp))
		h := signed("entente handover v1\n"+strings.ReplaceAll(hand, "{BEFORE}", sum(m))+"\n", officer)
		dir := t.TempDir()
		for name, b := range map[string][]byte{"MEDIUM": m, "HANDOVERS": lineOf(h), "0001.parcel": parcel} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := entries(t, w)[0]
		registrar, err := kr.n.Release.Signer(w.ctx, "registrar")
		if err != nil {
			t.Fatal(err)
		}
		_ = kr.n.Carriage.Post.HandOver(w.ctx, dir, "Courier 7", "registrar", registrar) // where the chain ends so
		got, hands, err := kr.n.Carriage.Post.TakeMedium(w.ctx, dir, "registrar", quiet)
		if grown := entries(t, w)[0] - before; err != nil && grown != 0 || err == nil && (grown != 1 || len(hands) != 2 || got.From != "JP" || got.To != "KR") {
			t.Errorf("%d entries, %+v by %+v: %v", grown, got, hands, err)
		}
	})
}

// FuzzRequests puts any body to any route of the socket but a courier's, which names folders of the
// machine, as the operator may: it is answered in JSON, and the ledger verifies.
func FuzzRequests(f *testing.F) {
	x := concluded(f)
	routes := []string{"GET /v1/status", "GET /v1/pacts?id=", "GET /v1/products?box=", "GET /v1/entries?from=", "GET /v1/open", "POST /v1/pact/draft", "POST /v1/partner", "POST /v1/route",
		"POST /v1/pact/sign", "POST /v1/pact/step", "POST /v1/persons", "POST /v1/preview", "POST /v1/release", "POST /v1/approve", "POST /v1/lend", "POST /v1/do", "POST /v1/state", "POST /v1/consent",
		"POST /v1/mandate", "POST /v1/withdraw", "POST /v1/house", "POST /v1/link", "POST /v1/open", "POST /v1/why"}
	_, kr, _ := x.begin(f)
	number := ""
	_ = read(kr.disk, func(tx *ledger.Tx) error {
		for cu, err := range kr.n.Catalogue.Products(tx) {
			number = string(cu.Manifest.Number)
			return err
		}
		return nil
	})
	zero := strings.Repeat("0", 64)
	for i, r := range routes {
		f.Add(byte(i), "{}")
		for _, s := range map[string][]string{
			"GET /v1/entries?from=": {"3", "-1", "99999999999"}, "GET /v1/pacts?id=": {string(pactID)}, "GET /v1/products?box=": {"in"},
			"POST /v1/pact/draft": {`{"pact":"kr-jp-2016"}`}, "POST /v1/route": {`{"party":"JP","via":"US","as":"officer"}`}, "POST /v1/pact/sign": {`{"pact":"kr-jp-2016","text":"pact: x","as":"officer"}`},
			"POST /v1/pact/step": {`{"pact":"kr-jp-2016","step":"pact.notice","as":"officer","note":"x"}`, `{"pact":"kr-jp-2016","step":"pact.read","phase":"in force","as":"officer"}`},
			"POST /v1/persons":   {`{"name":"kim","post":"x","key":"","offices":["read"],"clearance":"x","until":"2027-01-01T00:00:00.000Z","needs":[{"pact":"kr-jp-2016","purposes":["x"]}]}`},
			"POST /v1/preview":   {`{"as":"officer","pact":"kr-jp-2016","mark":"군사II급비밀","purpose":"threat-assessment","event":{"id":"x","kind":"nuclear-test","time":"2016-09-09T00:30:01.000Z","place":{"lat":41.3,"lon":1e300}}}`},
			"POST /v1/release":   {`{"as":"officer","pact":"kr-jp-2016","title":"t","kind":"report","subject":"defence","form":"electronic","purpose":"threat-assessment","language":"en","mark":"군사III급비밀","mode":"released","file":"a","mediaType":"text/plain"}`},
			"POST /v1/lend":      {`{"number":"` + number + `","to":"JP","until":"2027-01-01T00:00:00.000Z","as":"officer"}`}, "POST /v1/approve": {`{"number":"` + number + `","as":"second"}`},
			"POST /v1/do":      {`{"number":"` + number + `","as":"analyst","deed":"copy","copies":1}`, `{"number":"` + number + `","as":"officer","deed":"destroy","method":"x","witness":["y"]}`},
			"POST /v1/state":   {`{"kind":"law.notified","as":"officer","pact":"kr-jp-2016","to":"JP","law":{"text":"x"}}`, `{"kind":"visit.ended","as":"officer","act":"` + zero + `"}`},
			"POST /v1/consent": {`{"as":"officer","consent":{"number":"` + number + `"}}`}, "POST /v1/mandate": {`{"as":"officer","mandate":{"pact":"kr-jp-2016","kind":"report"}}`}, "POST /v1/withdraw": {`{"as":"officer","act":"` + zero + `"}`},
			"POST /v1/house": {`{"kind":"partner.parked","as":"officer","party":"JP","reason":"x"}`, `{"kind":"house.set","as":"officer","second":9}`},
			"POST /v1/link":  {`{"as":"officer"}`}, "POST /v1/open": {`{"number":"` + number + `","as":"analyst","purpose":"threat-assessment"}`},
			"POST /v1/why": {`{"number":"` + number + `","as":"analyst","deed":"open","purpose":"threat-assessment","when":{"entry":9}}`, `{"number":"` + number + `","when":{"moment":"0000-01-01T00:00:00Z"}}`},
		}[r] {
			f.Add(byte(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, route byte, body string) {
		w, kr, _ := x.begin(t)
		before := entries(t, w)
		method, path, _ := strings.Cut(routes[int(route)%len(routes)], " ")
		var r *http.Request
		switch {
		case method == "GET":
			r = httptest.NewRequest(method, "http://node"+strings.TrimSuffix(path, "="), nil)
			if at := strings.LastIndexByte(path, '?'); at >= 0 {
				r.URL.RawQuery = path[at+1:] + body
			}
		case path == "/v1/release":
			var form bytes.Buffer
			m := multipart.NewWriter(&form)
			for name, s := range map[string]string{"draft": body} {
				p, _ := m.CreateFormField(name)
				_, _ = p.Write([]byte(s))
			}
			p, _ := m.CreateFormField("content")
			_, _ = p.Write([]byte("content"))
			m.Close()
			r = httptest.NewRequest(method, "http://node"+path, &form)
			r.Header.Set("Content-Type", m.FormDataContentType())
		default:
			r = httptest.NewRequest(method, "http://node"+path, strings.NewReader(body))
		}
		answer := httptest.NewRecorder()
		kr.n.Desk("http://desk").API().ServeHTTP(answer, r)
		if path == "/v1/open" && answer.Code == http.StatusOK && method == "POST" {
			return // content
		}
		for d := json.NewDecoder(answer.Body); d.More(); {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%s %s %q: no JSON: %v", method, path, body, err)
			}
		}
		if err := kr.n.Ledger.Err(); err != nil {
			t.Errorf("%s %s %q ends the node: %v", method, path, body, err)
		}
		if entries(t, w) == before {
			return
		}
		if _, err := kr.n.Verify(w.ctx, quiet); err != nil {
			t.Errorf("the ledger does not verify after %s %q: %v", path, body, err)
		}
	})
}

// FuzzPages asks for pages with any path, query and form, as a person who is signed in.
func FuzzPages(f *testing.F) {
	x := concluded(f)
	for _, s := range [][2]string{{"/", ""}, {"/inbox", ""}, {"/outbox", ""}, {"/release", ""}, {"/pacts", ""}, {"/pacts/kr-jp-2016", ""}, {"/ledger?from=3", ""}, {"/p/KR-2026-0000-0000", ""}, {"/lang?l=ko&to=/inbox", ""},
		{"/lang?l=ja&to=//evil.example", ""}, {"/lang?to=/%0d%0aX:y", ""}, {"/enter?t=x", ""}, {"/release", "pact=kr-jp-2016&mark=x&do=send&title=<b>"}, {"/leave", "x=y"}, {"/pacts/..%2f..", ""}, {"/ledger?from=-1", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, target, form string) {
		if !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Skip() // the server of HTTP takes no such target
		}
		u, err := http.NewRequest("GET", "http://desk"+target, nil)
		if err != nil {
			t.Skip()
		}
		_, kr, _ := x.begin(t)
		d := kr.n.Desk("http://desk")
		link := httptest.NewRecorder()
		d.API().ServeHTTP(link, httptest.NewRequest("POST", "http://node/v1/link", strings.NewReader(`{"as":"officer"}`)))
		var v map[string]string
		if err := json.Unmarshal(link.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		pages := d.Pages()
		in := httptest.NewRecorder()
		pages.ServeHTTP(in, httptest.NewRequest("GET", v["link"], nil))
		r := u
		r.RequestURI = target
		if form != "" {
			var body bytes.Buffer
			m := multipart.NewWriter(&body)
			for pair := range strings.SplitSeq(form, "&") {
				k, v, _ := strings.Cut(pair, "=")
				if p, err := m.CreateFormField(k); err == nil {
					_, _ = p.Write([]byte(v))
				}
			}
			m.Close()
			if r, err = http.NewRequest("POST", "http://desk"+target, &body); err != nil {
				t.Skip()
			}
			r.RequestURI = target
			r.Header.Set("Content-Type", m.FormDataContentType())
		}
		for _, c := range in.Result().Cookies() {
			r.AddCookie(c)
		}
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, r)
		if to := answer.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%q leads to %q", target, to)
		}
		if answer.Code >= 500 || strings.Contains(answer.Body.String(), "<script") {
			t.Errorf("%q with %q: %d %.200s", target, form, answer.Code, answer.Body)
		}
	})
}

func sum384(b []byte) [48]byte { return sha512.Sum384(b) }

// lineOf is a signed note as a chain holds it: on one line.
func lineOf(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b) + "\n") }
