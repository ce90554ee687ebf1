//go:build !race

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entente/act"
	"entente/demo"
	"entente/desk"
	"entente/ledger"
	"entente/node"
)

// What is done with a ledger, or with a copy of it.

// evidence is what convicts a ledger, among the files that were kept since.
func (x *attempt) convicted(p *proc, before []string) string {
	x.Helper()
	for _, f := range p.evidence() {
		if slices.Contains(before, f) {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			x.Fatal(err)
		}
		return convicts(b)
	}
	return "nobody"
}

// dispute delivers by the test's wire all that the rival's ledger has, with its growth from a head on
// that it says the victim saw. It is answered, evidence is kept, which says whom it convicts alone, and
// from then on the victim neither greets nor takes.
func (x *attempt) dispute(what, whom string, shown func(seen act.Head) act.Head) {
	x.Helper()
	kept := x.kr.evidence()
	x.try(x.kr, what, func() string {
		w := x.jp.line(x.kr, "acts")
		seen := w.took().Seen
		_, del := x.jp.delivery(shown(seen), 0)
		w.send(2, del)
		told := x.ended(w)
		w.Close()
		x.kr.wait("the dispute is entered", func() bool { return x.kr.status().Partners[0].Disputed != "" })
		if by := x.convicted(x.kr, kept); by != whom {
			x.Errorf("%s: the evidence convicts %s", what, by)
		}
		w = x.jp.call(x.kr, "acts")
		if k, _ := w.next(); k == 1 {
			x.Errorf("%s: a disputed ledger is greeted", what)
		}
		w.Close()
		return told
	})
}

// forked has the partner go on in two copies of its folder, of which the first was heard, and returns where the first is. The second
// is open.
func (x *attempt) forked() (newest string) {
	x.Helper()
	x.jp.stop()
	second := copied(x.at, x.jp.dir)
	newest = x.jp.dir
	x.jp.open()
	x.jp.serve()
	x.jp.gives(x.kr, draft("秘"), strings.NewReader("the first's"))
	x.kr.quiet()
	x.jp.stop()
	x.jp.dir = second
	x.jp.open()
	return newest
}

func (x *attempt) known() act.Head { return x.kr.status().Partners[0].Seen }

func (x *attempt) sayNothings(until int64) {
	for i := byte(0); x.jp.size() < until; i++ {
		x.jp.says("KR", treaty, act.ProductReceived, act.Receipt{Act: act.DigestOf([]byte{i}), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}, "")
	}
}

func otherBytes(x *attempt) {
	newest := x.forked()
	x.sayNothings(x.known().Size) // other acts in the places that were taken in, and as many
	x.dispute("another act in a place that was taken", "JP", func(seen act.Head) act.Head { return seen })
	x.settles(newest)
}

func noExtension(x *attempt) {
	newest := x.forked()
	x.sayNothings(x.known().Size + 20)
	x.dispute("a longer ledger that does not grow from the one seen", "nobody before JP was asked", func(seen act.Head) act.Head { return seen })
	x.settles(newest)
}

func shorter(x *attempt) {
	newest := x.forked()
	if size := x.jp.size(); size >= x.known().Size {
		x.Fatalf("%d entries were seen, and there are %d", x.known().Size, size)
	}
	x.dispute("a shorter ledger", "nobody before JP was asked", func(act.Head) act.Head { return act.Head{} })
	x.settles(newest)
}

// rebuilt is the partner's ledger built again with its own keys: one of its acts was never
// so, and all that follows is as it was.
func rebuilt(x *attempt) {
	x.jp.stop()
	newest := x.jp.dir
	x.jp.dir = copied(x.at, newest)
	x.jp.open()
	x.jp.rewrite(x.theirs)
	x.jp.open()
	whom := "JP" // two heads of one size convict by themselves
	if x.jp.size() != x.known().Size {
		whom = "nobody before JP was asked"
	}
	x.dispute("a ledger that was built again", whom, func(seen act.Head) act.Head { return seen })
	x.settles(newest)
}

// yesterday puts yesterday's copy of the victim's folder back.
func yesterday(x *attempt) {
	x.jp.serves()
	x.kr.kill()
	own := copied(x.at, x.kr.dir)
	x.kr.start("")
	x.kr.wait("they are linked again", func() bool { return x.kr.up() && x.kr.status().Partners[0].Linked })
	x.kr.gives(draft("군사III급비밀"), "after the backup")
	newest := x.kr.dir
	there := func(dir string) {
		x.kr.kill()
		x.kr.dir, x.kr.c = dir, desk.Dial(filepath.Join(dir, "desk.sock"))
	}
	there(own)
	kept := len(x.kr.evidence())
	x.kr.start("")
	x.kr.wait("it answers", x.kr.up)
	trouble := func() string { return x.kr.status().Partners[0].Trouble }
	x.kr.wait("it says that it was put back", func() bool { return strings.Contains(trouble(), "restored") && len(x.kr.evidence()) > kept })
	x.try(x.kr, "the folder that was put back", trouble)
	x.try(x.kr, "the partner, who says so too,", func() string {
		told := ""
		x.kr.wait("the partner says so", func() bool {
			var v desk.StatusView
			err := x.jp.c.Get(x.Context(), "/v1/status", &v)
			told = v.Partners[0].Trouble
			return err == nil && !v.Partners[0].Linked && strings.Contains(told, "restored")
		})
		return told
	})
	there(newest)
	x.kr.start("")
	x.kr.wait("the newest goes on", func() bool { return x.kr.up() && x.kr.status().Partners[0].Linked })
}

// twice runs two copies of the victim's folder at once: the one that the partner has not seen
// stops, and the other goes on.
func twice(x *attempt) {
	x.jp.serves()
	x.kr.kill()
	port, err := demo.Port()
	if err != nil {
		x.Fatal(err)
	}
	dir := copied(x.at, x.kr.dir)
	kept := len(x.kr.evidence())
	second := &proc{t: x.T, party: "KR", dir: dir, key: x.kr.key, host: x.kr.host, port: port, c: desk.Dial(filepath.Join(dir, "desk.sock"))}
	x.kr.start("")
	x.kr.wait("they are linked again", func() bool { return x.kr.up() && x.kr.status().Partners[0].Linked })
	x.kr.gives(draft("군사III급비밀"), "by the first")
	second.start("")
	second.wait("it answers", second.up)
	trouble := func() string { return second.status().Partners[0].Trouble }
	second.wait("it says that it is run twice", func() bool { return strings.Contains(trouble(), "twice") && len(second.evidence()) > kept })
	x.try(second, "the copy", trouble)
	x.unheard(x.kr, "while the first goes on: the copy", trouble)
	x.kr.gives(draft("군사III급비밀"), "by the first again")
	second.kill()
}

// Who has the key of the database writes in it past the node.

func (x *attempt) verify() (string, bool) {
	out, err := x.kr.command("ledger", "verify").CombinedOutput()
	return string(out), err == nil
}

func (x *attempt) inStore(f func(tx *ledger.Tx) error) {
	x.Helper()
	x.kr.kill()
	secret, err := node.KeyFile(x.kr.key)
	if err != nil {
		x.Fatal(err)
	}
	n, err := node.Open(x.Context(), x.kr.dir, secret, world())
	if err != nil {
		x.Fatal(err)
	}
	if err := errors.Join(n.Ledger.Update(x.Context(), f), n.Close()); err != nil {
		x.Fatal(err)
	}
}

func (x *attempt) starts() {
	x.Helper()
	x.kr.start("")
	x.kr.wait("it answers", x.kr.up)
}

// entryGone takes an entry out, or puts another in its place: verifying finds it, and so does
// the partner, to whom no growth can be shown any more.
func entryGone(x *attempt) {
	if out, ok := x.verify(); !ok {
		x.Fatal(out)
	}
	last := int64(len(x.kr.lines())) - 1
	for _, y := range []struct {
		what string
		at   int64
		is   []byte
	}{{"an entry is gone", 2, nil}, {"an entry is another", 2, []byte("another act")}, {"the last entry is gone", last, nil}} {
		leaf := binary.BigEndian.AppendUint64(nil, uint64(y.at))
		x.try(x.kr, y.what, func() (told string) {
			var kept []byte
			x.inStore(func(tx *ledger.Tx) (err error) {
				if kept, err = tx.Get("ledger/entry", leaf); err != nil {
					return err
				}
				if y.is == nil {
					return tx.Delete("ledger/entry", leaf)
				}
				return tx.Put("ledger/entry", leaf, y.is)
			})
			x.kr.start("")
			x.kr.wait("it answers", x.kr.up)
			told, ok := x.verify()
			if doctor := x.kr.said("doctor"); ok || y.at == last && !strings.Contains(doctor, "NOT the node opens") {
				x.Errorf("%s: verifies %v; doctor: %s", y.what, ok, doctor)
			}
			if y.at == last { // it is the head that every greeting states
				x.kr.wait("the partner sees no more of it", func() bool {
					var v desk.StatusView
					err := x.jp.c.Get(x.Context(), "/v1/status", &v)
					return err == nil && !v.Partners[0].Linked && strings.Contains(x.kr.said("status"), "the ledger does not hold it")
				})
			}
			x.inStore(func(tx *ledger.Tx) error { return tx.Put("ledger/entry", leaf, kept) })
			x.starts()
			return told
		})
	}
	if out, ok := x.verify(); !ok {
		x.Errorf("put back: %s", out)
	}
}

func rowChanged(x *attempt) {
	for _, y := range []struct {
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
		x.try(x.kr, y.says, func() string {
			x.inStore(func(tx *ledger.Tx) error {
				old, err := tx.Get(ledger.FoldPrefix+y.table, []byte(y.key))
				if err != nil {
					return err
				}
				fresh := y.change(old)
				if bytes.Equal(old, fresh) {
					x.Fatalf("nothing changes %s", y.key)
				}
				if fresh == nil {
					return tx.Delete(ledger.FoldPrefix+y.table, []byte(y.key))
				}
				return tx.Put(ledger.FoldPrefix+y.table, []byte(y.key), fresh)
			})
			x.starts()
			files := x.kr.evidence()
			told, ok := x.verify()
			if ok || !strings.Contains(told, y.says) {
				x.Errorf("%s: verifies %v: %s", y.says, ok, told)
			}
			kept := x.kr.evidence()
			if len(kept) != len(files)+1 {
				x.Errorf("%s: no evidence is kept", y.says)
			}
			for _, f := range kept {
				if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte("analyst")) || bytes.Contains(b, []byte("mole")) {
					x.Errorf("evidence in the clear: %s, %v", b, err)
				}
			}
			if out, err := x.kr.command("ledger", "rebuild").CombinedOutput(); err != nil {
				x.Fatalf("%s, %v", out, err)
			}
			if out, ok := x.verify(); !ok {
				x.Errorf("rebuilt: %s", out)
			}
			return told
		})
	}
	if left, err := filepath.Glob(filepath.Join(x.kr.dir, "folded*")); err != nil || len(left) > 0 {
		x.Errorf("left behind: %v, %v", left, err)
	}
}
