package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/act"
	"entente/carriage"
	"entente/ledger"

	"golang.org/x/mod/sumdb/note"
)

// signerOf returns the signer of a person of a node's.
func signerOf(t *testing.T, n *partyNode, name string) note.Signer {
	t.Helper()
	s, err := n.Release.Signer(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func quiet(int64, int64) {}

// apart concludes the pact and then cuts the link for good.
func apart(t *testing.T) (kr, jp *partyNode) {
	t.Helper()
	kr, jp = start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	for _, x := range []struct {
		n *partyNode
		p act.Party
	}{{kr, "JP"}, {jp, "KR"}} {
		if err := x.n.SetAddress(t.Context(), x.p, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []*partyNode{kr, jp} { // what was dialled stays: served anew, nobody dials
		n.stop()
	}
	kr.serve(t)
	jp.serve(t)
	return kr, jp
}

// TestCourier carries products across an air gap, and the receipts back.
func TestCourier(t *testing.T) {
	kr, jp := apart(t)
	contents := map[act.Number][]byte{}
	for _, size := range []int{100, 70 << 20, 5 << 20} {
		c := bytes.Repeat([]byte("0123456789"), size/10)
		slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		contents[slip.Number] = c
	}
	base := filepath.Join(t.TempDir(), "a medium with spaces")
	dir := func(i int) string { return filepath.Join(base, fmt.Sprint(i)) }
	pack := func(i int) carriage.Medium {
		t.Helper()
		m, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir(i), 64<<20, i, "Courier 7", signerOf(t, kr, "officer"), quiet)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := pack(1)
	if m.Of < 2 {
		t.Fatalf("%d media hold 75 MiB of content, each 64 MiB", m.Of)
	}
	take := func(d string) error {
		_, _, err := jp.Carriage.Post.TakeMedium(t.Context(), d, quiet)
		return err
	}
	refused := func(what, d, why string) {
		t.Helper()
		before := entries(t, jp.Node)
		if err := take(d); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want a refusal with %q", what, err, why)
		}
		if after := entries(t, jp.Node); after != before {
			t.Errorf("%s: %d entries became %d", what, before, after)
		}
	}
	for i := 2; i <= m.Of; i++ {
		pack(i)
	}
	copyOf := func(name string, spoil func(d string)) string {
		t.Helper()
		d := filepath.Join(base, name)
		if err := os.CopyFS(d, os.DirFS(dir(1))); err != nil {
			t.Fatal(err)
		}
		spoil(d)
		return d
	}
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused("nothing there", t.TempDir(), "MEDIUM is missing")
	refused("the second first", dir(2), "take in medium 1 first")
	refused("incomplete", copyOf("incomplete", func(d string) { _ = os.Remove(filepath.Join(d, "0002.parcel")) }), "0002.parcel is missing")
	refused("a parcel tampered with", copyOf("tampered", func(d string) {
		b, _ := os.ReadFile(filepath.Join(d, "0001.parcel"))
		b[len(b)-1] ^= 1
		write(filepath.Join(d, "0001.parcel"), b)
	}), "not what the list says")
	refused("the list tampered with", copyOf("list", func(d string) {
		b, _ := os.ReadFile(filepath.Join(d, "MEDIUM"))
		write(filepath.Join(d, "MEDIUM"), bytes.Replace(b, []byte(`"medium":1`), []byte(`"medium":2`), 1))
	}), "not signed")
	refused("no chain", copyOf("chain", func(d string) { write(filepath.Join(d, "HANDOVERS"), nil) }), "nobody handed it over")
	refused("another's chain", copyOf("another's", func(d string) {
		b, _ := os.ReadFile(filepath.Join(dir(2), "HANDOVERS"))
		write(filepath.Join(d, "HANDOVERS"), b)
	}), "belongs to another medium")
	refused("a link for a parcel", copyOf("link", func(d string) {
		p := filepath.Join(d, "0001.parcel")
		_ = os.Rename(p, p+".x")
		_ = os.Symlink("0001.parcel.x", p)
	}), "not what the list says")
	if _, _, err := kr.Carriage.Post.TakeMedium(t.Context(), dir(1), quiet); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), "for somebody else") {
		t.Errorf("the sender takes it in: %v", err)
	}

	if err := jp.Carriage.Post.HandOver(dir(1), "Courier 7", "registrar@JP", signerOf(t, jp, "officer")); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= m.Of; i++ {
		if i == 2 { // between two media the node is stopped and started
			jp.stop()
			jp.serve(t)
		}
		if err := take(dir(i)); err != nil {
			t.Fatalf("medium %d: %v", i, err)
		}
	}
	refused("the same again", dir(1), carriage.ErrTaken.Error())
	for n, want := range contents {
		var got bytes.Buffer
		openAs(t, jp, n, &got)
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes, want %d", n, got.Len(), len(want))
		}
	}
	// The receipts travel back on the next medium.
	back := filepath.Join(base, "back")
	if _, err := jp.Carriage.Post.Pack(t.Context(), "KR", back, 64<<20, 1, "Courier 8", signerOf(t, jp, "officer"), quiet); err != nil {
		t.Fatal(err)
	}
	if _, hands, err := kr.Carriage.Post.TakeMedium(t.Context(), back, quiet); err != nil || hands[0].To != "Courier 8" {
		t.Fatalf("the medium back: %v, %v", hands, err)
	}
	for n := range contents {
		kr.receipted(t, n)
	}
	err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		taken := 0
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			if e.Act.Kind == act.MediumTaken && e.Act.From == "JP" {
				taken++
			}
		}
		if taken != m.Of {
			t.Errorf("KR knows of %d media that were taken in, of %d", taken, m.Of)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// All is answered now: the next medium carries no content again, and an old one is refused.
	next := filepath.Join(base, "next")
	m2, err := kr.Carriage.Post.Pack(t.Context(), "JP", next, 64<<20, 1, "Courier 9", signerOf(t, kr, "officer"), quiet)
	if err != nil || m2.Of != 1 || len(m2.Parcels) != 1 {
		t.Fatalf("%+v, %v", m2, err)
	}
	if err := take(next); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*partyNode{kr, jp} {
		if _, err := n.Verify(t.Context(), quiet); err != nil {
			t.Error(err)
		}
	}
}

// TestPackResumes: packing that was cut goes on with the same medium.
func TestPackResumes(t *testing.T) {
	kr, jp := apart(t)
	if _, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, 30<<20))); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stop := errors.New("stopped")
	cut := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = p.(error)
			}
		}()
		_, err = kr.Carriage.Post.Pack(t.Context(), "JP", dir, 64<<20, 1, "Courier 7", signerOf(t, kr, "officer"), func(done, _ int64) {
			if done == 2 {
				panic(stop)
			}
		})
		return err
	}()
	if !errors.Is(cut, stop) {
		t.Fatalf("it was not cut: %v", cut)
	}
	if _, _, err := jp.Carriage.Post.TakeMedium(t.Context(), dir, quiet); !errors.Is(err, carriage.ErrMedium) {
		t.Errorf("half a medium: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "0001.parcel"))
	if err != nil {
		t.Fatal(err)
	}
	kr.stop()
	kr.serve(t)
	if _, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir, 64<<20, 1, "Courier 7", signerOf(t, kr, "officer"), quiet); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "0001.parcel"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("what was written was written again: %v", err)
	}
	if _, _, err := jp.Carriage.Post.TakeMedium(t.Context(), dir, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir, 64<<20, 1, "Courier 7", signerOf(t, kr, "officer"), quiet); err == nil || !strings.Contains(err.Error(), "use an empty one") {
		t.Errorf("a medium was overwritten: %v", err)
	}
}

func openAs(t *testing.T, n *partyNode, no act.Number, w *bytes.Buffer) {
	t.Helper()
	o, err := n.Reading.Open(t.Context(), no, "analyst", "")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.WriteTo(w); err != nil {
		t.Fatal(err)
	}
}
