//go:build !race

package main

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/desk"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/release"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"
)

// What whoever carries may not: a hub, that has valid keys and is a party to the pact, and a
// courier with media.

const (
	three  = act.PactID("kr-jp-us-2014")
	unread = "CANARY-7c1d" // in content so small that its parcel stands in the hub's rows
)

// hubStage are Tokyo and Washington, through which Seoul and Tokyo reach each other.
type hubStage struct {
	jp *proc
	us *rival
}

func (h *hubStage) recipient() *proc {
	if h == nil {
		return nil
	}
	return h.jp
}

func (h *hubStage) rival() *rival {
	if h == nil {
		return nil
	}
	return h.us
}

func byHub(t *testing.T) *stage {
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
		all = append(all, side{p.c, p.card().Card, p.addr()})
	}
	all = append(all, side{us.c, us.Card, us.addr})
	for _, a := range all {
		cards = append(cards, a.card)
		for _, b := range all {
			if a.card.Party != b.card.Party {
				know(t, a.c, b.addr, b.card)
			}
		}
	}
	text, err := pact.Draft(three, cards)
	if err != nil {
		t.Fatal(err)
	}
	pacts := func(c *desk.Client) (v []desk.PactView) { _ = c.Get(t.Context(), "/v1/pacts", &v); return v }
	for i, a := range all {
		kr.wait("the text was proposed", func() bool { return i == 0 || len(pacts(a.c)) == 1 })
		if err := a.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: three, Text: string(text), As: "officer"}, &desk.SignView{}); err != nil {
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
	s := &stage{kr: kr, hub: &hubStage{jp, us}, at: t}
	s.calm()
	return s
}

func know(t *testing.T, c *desk.Client, addr string, card act.Card) {
	t.Helper()
	if err := c.Post(t.Context(), "/v1/partner", desk.PactAsk{Address: addr, Code: party.Code(card), As: "officer"}, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
}

// calm waits until nothing is on its way.
func (s *stage) calm() {
	s.at.Helper()
	for _, p := range []*proc{s.kr, s.hub.jp} {
		p.wait("all is quiet", func() bool {
			for _, v := range p.status().Partners {
				if v.Waiting > 0 || v.Out.Products > 0 || v.In.Products > 0 {
					return false
				}
			}
			return p.up()
		})
	}
}

// toTokyo is a draft that goes by the hub.
func toTokyo(title string) release.Draft {
	d := draft("군사III급비밀")
	d.Pact, d.To, d.Title = three, []act.Party{"JP"}, title
	return d
}

// held are the parcels that the hub holds for a party.
func (h *hubStage) held(p act.Party) (all [][]byte) {
	h.us.view(func(tx *ledger.Tx) error {
		for row, err := range tx.Scan("post/parcel/"+string(p), nil, nil) {
			if err != nil {
				return err
			}
			all = append(all, bytes.Clone(row.Value))
		}
		return nil
	})
	return all
}

// drop has the hub forget what it holds for a party.
func (h *hubStage) drop(p act.Party) (n int) {
	h.us.write(func(tx *ledger.Tx) error {
		for _, table := range []string{"post/held/", "post/parcel/", "post/number/"} {
			var keys [][]byte
			for row, err := range tx.Scan(table+string(p), nil, nil) {
				if err != nil {
					return err
				}
				keys = append(keys, bytes.Clone(row.Key))
			}
			for _, k := range keys {
				n++
				if err := tx.Delete(table+string(p), k); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n
}

// holdsAll has Seoul release for Tokyo, which is not there, until the hub holds it.
func (x *attempt) holdsAll(titles ...string) (numbers []act.Number, held [][]byte) {
	x.Helper()
	before := -1
	x.kr.wait("nothing else is on its way", func() bool {
		was := before
		before = len(x.hub.held("JP"))
		time.Sleep(300 * time.Millisecond)
		return before == was && len(x.hub.held("JP")) == was
	})
	for i, title := range titles {
		slip, err := x.kr.c.Release(x.Context(), toTokyo(title), strings.NewReader(strings.Repeat(unread+" ", 20)))
		if err != nil {
			x.Fatal(err)
		}
		numbers = append(numbers, slip.Number)
		x.kr.wait("the hub holds it", func() bool { held = x.hub.held("JP"); return len(held) >= before+i+1 })
	}
	return numbers, held[before:]
}

// parcel hands a parcel to a node by the hub's wire, and returns what it answers.
func (x *attempt) parcel(to *proc, b []byte) string {
	x.Helper()
	w := x.hub.us.line(to, "post")
	defer w.Close()
	w.frame(9, b)
	_, answer := w.until(10)
	return string(answer)
}

func hubReads(x *attempt) {
	x.hub.us.serves()
	x.hub.jp.kill()
	d := toTokyo("Title-of-which-a-hub-learns-nothing")
	numbers, held := x.holdsAll(d.Title)
	secrets := []string{unread, d.Title, string(numbers[0]), d.Mark, "SECRET", d.Subject, string(three)}
	x.try(x.kr, "who searches the hub", func() string {
		var found []string
		search := func(where string, b []byte, secrets ...string) {
			for _, secret := range secrets {
				for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret)} {
					if bytes.Contains(b, []byte(form)) {
						found = append(found, where+" holds "+secret)
					}
				}
			}
		}
		for _, b := range held {
			search("a parcel", b, secrets...)
		}
		files := 0
		err := filepath.WalkDir(x.hub.us.dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			search(path, b, secrets[:3]...)
			return err
		})
		var v json.RawMessage
		if err := errors.Join(err, x.hub.us.c.Get(x.Context(), "/v1/status", &v)); err != nil || files < 2 {
			x.Fatalf("%d files: %v", files, err)
		}
		search("the status", v, secrets[:3]...)
		if found == nil {
			return "nothing of it"
		}
		return strings.Join(found, "; ")
	})
	x.hub.jp.start("")
	x.calm()
}

// hubReceipts has the hub receipt what was released to another.
func hubReceipts(x *attempt) {
	x.hub.us.serves()
	x.hub.jp.kill()
	numbers, _ := x.holdsAll("for Tokyo alone")
	var of act.Digest // somebody told the hub
	for _, l := range x.kr.lines() {
		if l.Act.Kind == act.ProductReleased {
			of = l.Digest
		}
	}
	cu := x.kr.products("out")[numbers[0]]
	for _, signer := range []string{"", "officer"} {
		x.try(x.kr, "a receipt of the hub's", func() string {
			because, refused := x.kr.hears(x.hub.us.says("KR", three, act.ProductReceived, act.Receipt{Act: of, Number: numbers[0], Vault: cu.Seal.Vault, Mark: act.Mark{Party: "US", Text: "SECRET"}}, signer))
			if !refused {
				return "it is taken in"
			}
			return why(because)
		})
	}
	for _, p := range x.kr.status().Partners {
		if want := map[act.Party]int{"JP": 1}[p.Party]; p.Out.Products != want {
			x.Errorf("%d products wait for the receipt of %s, want %d", p.Out.Products, p.Party, want)
		}
	}
	x.hub.jp.start("")
	x.kr.wait("the recipient's own receipt is here", func() bool {
		r := x.kr.products("out")[numbers[0]].Received
		_, is := r["JP"]
		return is && len(r) == 1
	})
	x.calm()
}

// split is a parcel's outside, two lines, and its inside.
func split(b []byte) (outside, inside []byte) {
	n := 0
	for range 2 {
		n += bytes.IndexByte(b[n:], '\n') + 1
	}
	return b[:n], b[n:]
}

func swapped(x *attempt) {
	x.hub.us.serves()
	x.hub.jp.kill()
	numbers, held := x.holdsAll("one", "another")
	x.hub.us.speaks(x.kr)
	x.hub.jp.start("")
	x.hub.jp.wait("it answers", x.hub.jp.up)
	out1, in1 := split(held[0])
	out2, in2 := split(held[1])
	for what, b := range map[string][]byte{"the second's body": slices.Concat(out1, in2), "the first's body": slices.Concat(out2, in1), "a bit": flipped(held[0])} {
		x.try(x.hub.jp, what, func() string { return x.parcel(x.hub.jp, b) })
	}
	x.hub.us.serves() // the honest ones come after all
	x.kr.wait("both are received", func() bool {
		out := x.kr.products("out")
		return len(out[numbers[0]].Received) == 1 && len(out[numbers[1]].Received) == 1
	})
	x.calm()
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// astray has the hub give what is for Tokyo to others.
func astray(x *attempt) {
	x.hub.us.serves()
	x.hub.jp.kill()
	_, held := x.holdsAll("for Tokyo alone")
	x.hub.us.speaks(x.kr)
	au := newProc(x.T, "AU", "--name", "Australia", "--clearance", "SECRET")
	au.wait("it answers", au.up)
	x.hub.us.serves()
	know(x.T, au.c, x.hub.us.addr, x.hub.us.Card)
	know(x.T, x.hub.us.c, au.addr(), au.card().Card)
	x.hub.us.speaks(au)
	outside, inside := split(held[0])
	renamed := bytes.Replace(outside, []byte(`"JP"]`), []byte(`"AU"]`), 1)
	x.try(au, "as it is", func() string { return x.parcel(au, held[0]) })
	x.try(au, "with another name on it", func() string { return x.parcel(au, slices.Concat(renamed, inside)) })
	x.try(x.kr, "back to its sender", func() string { return x.parcel(x.kr, held[0]) })
	x.hub.us.serves()
	x.hub.jp.start("")
	x.calm()
}

// dropsReceipts has the hub keep what Tokyo answers from Seoul, beyond the limit.
func dropsReceipts(x *attempt) {
	x.hub.us.serves()
	x.hub.jp.kill()
	numbers, _ := x.holdsAll("whose receipt is dropped")
	x.kr.kill()
	x.hub.jp.start("")
	x.hub.jp.wait("it is received", func() bool { return x.hub.jp.up() && len(x.hub.jp.products("in")[numbers[0]].Received) == 1 })
	x.hub.jp.wait("its receipt is dropped", func() bool { return x.hub.drop("KR") > 0 })
	limit := 73 * time.Hour
	x.kr.step(limit)
	x.kr.start("")
	x.kr.wait("it answers", x.kr.up)
	x.try(x.kr, "the sender", func() (told string) {
		x.kr.wait("it is alarmed", func() bool { told = x.kr.log.String(); return strings.Contains(told, "a receipt is missing") })
		if p := x.kr.partner("JP"); p.Out.Overdue != 1 || len(p.Overdue) != 1 {
			x.Errorf("the status of the sender: %+v", p)
		}
		return told
	})
	x.hub.jp.step(time.Minute)
	x.try(x.hub.jp, "the recipient", func() (told string) {
		x.hub.jp.wait("it is alarmed", func() bool {
			x.hub.drop("KR")
			told = x.hub.jp.partner("KR").Trouble
			return strings.Contains(told, "nothing is answered since")
		})
		return told
	})
	// What was dropped is said again: once the hub passes it on, the alarm ends. Its clock and the hub's differ by
	// more than a day, so the test passes it on.
	x.hub.jp.step(10 * time.Minute)
	var held [][]byte
	x.hub.jp.wait("it is said again", func() bool { held = x.hub.held("KR"); return len(held) > 0 })
	x.hub.us.ahead = limit
	x.hub.us.speaks(x.kr)
	if told := x.parcel(x.kr, held[len(held)-1]); strings.Contains(told, "refused") {
		x.Errorf("said again: %s", told)
	}
	x.kr.wait("the alarm ends", func() bool { return x.kr.partner("JP").Out.Overdue == 0 })
	if r := x.kr.products("out")[numbers[0]].Received; len(r) != 1 {
		x.Errorf("received %d times", len(r))
	}
}

func (p *proc) partner(of act.Party) (v desk.PartnerView) {
	for _, v = range p.status().Partners {
		if v.Party == of {
			return v
		}
	}
	p.t.Fatalf("%s does not know %s", p.party, of)
	return v
}

// delayed has the hub keep a notice of termination back until forty days later.
func delayed(x *attempt) {
	x.kr.kill()
	x.hub.us.ahead = 0
	x.hub.us.serves()
	x.hub.drop("KR")
	if err := x.hub.jp.c.Post(x.Context(), "/v1/pact/step", desk.PactAsk{Pact: three, Step: act.PactNotice, As: "officer"}, &desk.PactView{}); err != nil {
		x.Fatal(err)
	}
	var held [][]byte
	x.hub.jp.wait("the hub holds the notice", func() bool { held = x.hub.held("KR"); return len(held) > 0 })
	x.hub.us.speaks(x.kr)
	late := 40 * 24 * time.Hour
	x.hub.us.ahead = late
	x.kr.step(late)
	x.kr.start("")
	x.kr.wait("it answers", x.kr.up)
	x.try(x.kr, "a notice of forty days ago", func() string {
		if told := x.parcel(x.kr, held[len(held)-1]); strings.Contains(told, "refused") {
			return told
		}
		told := ""
		x.kr.wait("the notice is answered", func() bool {
			for _, l := range x.kr.lines() {
				if a := l.about(); l.Act.Kind == act.ActRefused && l.Act.From == "KR" {
					told = why(a.Because)
				}
			}
			return strings.Contains(told, "notice")
		})
		return told
	})
	if v := x.kr.status().Pacts[0]; v.Stands != string(pact.Terminated) {
		x.Errorf("of two readings the later one rules: %+v", v)
	}
}

// medium has the partner pack what it has for the victim, and returns the folder.
func (x *attempt) medium(name string) string {
	x.Helper()
	signer, err := x.jp.Release.Signer(x.Context(), "officer")
	if err != nil {
		x.Fatal(err)
	}
	dir := filepath.Join(x.at.TempDir(), name)
	if _, err := x.jp.Carriage.Post.Pack(x.Context(), "KR", dir, 64<<20, 0, "Courier 7", signer, func(_, _ int64) {}); err != nil {
		x.Fatal(err)
	}
	return dir
}

// takes has the victim take a medium in, from the hands that it is said to be in.
func (x *attempt) takes(dir string) string {
	told := x.kr.said("courier", "take-in", dir)
	if strings.Contains(told, "say from whose hands it came") {
		told = x.kr.said("courier", "take-in", dir, "--from", "Courier 7")
	}
	return told
}

// lists has the partner sign another list for a medium, and hand it over.
func (x *attempt) lists(dir string, change func(*carriage.Medium)) {
	x.Helper()
	list, err := os.ReadFile(filepath.Join(dir, "MEDIUM"))
	if err != nil {
		x.Fatal(err)
	}
	var m carriage.Medium
	line, _ := strings.CutPrefix(string(list), "entente medium v1\n")
	if err := json.NewDecoder(strings.NewReader(line)).Decode(&m); err != nil {
		x.Fatal(err)
	}
	change(&m)
	officer, err := x.jp.Release.Signer(x.Context(), "officer")
	if err != nil {
		x.Fatal(err)
	}
	sign := func(header string, v any, by ...note.Signer) []byte {
		b, err := json.Marshal(v)
		if err == nil {
			b, err = note.Sign(&note.Note{Text: header + string(b) + "\n"}, by...)
		}
		if err != nil {
			x.Fatal(err)
		}
		return b
	}
	list = sign("entente medium v1\n", m, x.jp.Carriage.Post.Signers...)
	hand := sign("entente handover v1\n", carriage.Handover{Seal: m.Seal, Medium: m.Medium, Before: sha512.Sum384(list), From: officer.Name(), To: "Courier 7", At: m.At}, officer)
	for file, b := range map[string][]byte{"MEDIUM": list, "HANDOVERS": []byte(base64.StdEncoding.EncodeToString(hand) + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			x.Fatal(err)
		}
	}
}

func (x *attempt) copyOf(dir, name string) string {
	x.Helper()
	to := filepath.Join(x.at.TempDir(), name)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		x.Fatal(err)
	}
	return to
}

func (x *attempt) releasedAway(content string) act.Number {
	x.Helper()
	slip, err := x.jp.c.Release(x.Context(), draft("秘"), strings.NewReader(content))
	if err != nil {
		x.Fatal(err)
	}
	return slip.Number
}

func lastYears(x *attempt) {
	x.jp.speaks(x.kr)
	n := x.releasedAway("carried by hand")
	dir := x.medium("last year's")
	if told := x.takes(dir); !strings.Contains(told, "taken in") || len(x.kr.products("in")[n].Received) != 1 {
		x.Fatal(told)
	}
	x.kr.step(365 * 24 * time.Hour)
	x.try(x.kr, "the medium a year later", func() string { return x.takes(dir) })
	x.kr.step(0)
	x.try(x.kr, "a delivery on the line, again from its beginning,", func() string {
		w := x.jp.line(x.kr, "acts")
		defer w.Close()
		t0 := w.took()
		_, del := x.jp.delivery(t0.Seen, 0) // all that it ever said
		if len(del.Acts) < 5 {
			x.Fatalf("%d acts", len(del.Acts))
		}
		for range 2 {
			w.send(2, del)
			if got := w.took(); got.Next != t0.Next {
				return fmt.Sprintf("it answers %+v", got)
			}
			del.Growth = nil // from where it is now
		}
		return "they are counted once"
	})
	if c := x.kr.count(act.ProductReceived, n, ""); c != 1 {
		x.Errorf("it is receipted %d times", c)
	}
}

func evilMedia(x *attempt) {
	x.jp.speaks(x.kr)
	n := x.releasedAway("on an evil medium")
	good := x.medium("good")
	parcel := filepath.Join(good, "0001.parcel")
	outside := filepath.Join(x.at.TempDir(), "outside")
	if err := os.CopyFS(filepath.Join(outside, "x"), os.DirFS(good)); err != nil {
		x.Fatal(err)
	}
	file := func(name string) func(string) {
		return func(dir string) { x.lists(dir, func(m *carriage.Medium) { m.Parcels[0].File = name }) }
	}
	instead := func(name string, make func(path string) error) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil {
				x.Fatal(err)
			}
			if err := make(path); err != nil {
				x.Fatal(err)
			}
		}
	}
	device := func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }
	made := device(filepath.Join(x.at.TempDir(), "zero"))
	fifo := func(path string) error { return unix.Mkfifo(path, 0o600) }
	link := func(to string) func(string) error { return func(path string) error { return os.Symlink(to, path) } }
	for what, spoil := range map[string]func(dir string){
		"a name with ../":        file("../0001.parcel"),
		"an absolute path":       file(parcel),
		"a name of Windows":      file(`..\0001.parcel`),
		"a symlink":              instead("0001.parcel", link(parcel)),
		"a symlink within":       instead("0001.parcel", link("MEDIUM")),
		"a FIFO":                 instead("0001.parcel", fifo),
		"a FIFO for the list":    instead("MEDIUM", fifo),
		"a symlink for the list": instead("MEDIUM", link(filepath.Join(outside, "x", "MEDIUM"))),
		"a folder for a parcel":  instead("0001.parcel", func(path string) error { return os.Mkdir(path, 0o700) }),
		"a device node":          instead("0001.parcel", device),
		"two names that differ in case": func(dir string) {
			x.lists(dir, func(m *carriage.Medium) {
				twin := m.Parcels[0]
				twin.File = "0001.PARCEL"
				m.Parcels = append(m.Parcels, twin)
			})
			if err := os.CopyFS(filepath.Join(dir, "twin"), os.DirFS(good)); err != nil {
				x.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "twin", "0001.parcel"), filepath.Join(dir, "0001.PARCEL")); err != nil {
				x.Fatal(err)
			}
		},
		"a zip bomb of entries that overlap": instead("0001.parcel", func(path string) error { return os.WriteFile(path, overlapping(), 0o600) }),
		"a zip bomb that the list names": func(dir string) {
			b := overlapping()
			if err := os.WriteFile(filepath.Join(dir, "0001.parcel"), b, 0o600); err != nil {
				x.Fatal(err)
			}
			x.lists(dir, func(m *carriage.Medium) { m.Parcels[0].Size, m.Parcels[0].Sum = int64(len(b)), sha512.Sum384(b) })
		},
	} {
		dir := x.copyOf(good, "evil "+strings.ReplaceAll(what, "/", ""))
		if made != nil && what == "a device node" {
			x.Logf("a device node: NOT RUN, for want of rights: %v", made)
			continue
		}
		spoil(dir)
		x.try(x.kr, what, func() string { return x.takes(dir) })
	}
	if told := x.takes(good); !strings.Contains(told, "taken in") || len(x.kr.products("in")[n].Received) != 1 {
		x.Errorf("the good one: %s", told)
	}
}

// overlapping is the beginning of a zip whose entries share one body: 2 KiB that claim much.
func overlapping() []byte {
	var b bytes.Buffer
	b.WriteString("PK\x03\x04\x14\x00\x00\x00\x08\x00")
	b.Write(make([]byte, 1024))
	for range 20 {
		b.WriteString("PK\x01\x02\x14\x00\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f")
	}
	b.WriteString("PK\x05\x06")
	return b.Bytes()
}

func outOfOrder(x *attempt) {
	x.jp.speaks(x.kr)
	x.releasedAway("on the earlier medium")
	earlier := x.medium("earlier")
	x.releasedAway("on the later medium")
	later := x.medium("later")
	if told := x.takes(later); !strings.Contains(told, "taken in") {
		x.Fatal(told)
	}
	x.try(x.kr, "the one before", func() string { return x.takes(earlier) })
	x.try(x.kr, "the same again", func() string { return x.takes(later) })
	other := x.copyOf(later, "other")
	x.lists(other, func(m *carriage.Medium) { m.At = act.MomentOf(m.At.Add(time.Second)) })
	x.try(x.kr, "the same number with other bytes", func() string { return x.takes(other) })
}
