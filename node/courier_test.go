package node_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
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

// pack has a node pack a medium of 64 MiB.
func pack(t *testing.T, n *partyNode, to act.Party, dir string, medium int) (carriage.Medium, error) {
	t.Helper()
	return n.Carriage.Post.Pack(t.Context(), to, dir, 64<<20, medium, "Courier 7", signerOf(t, n, "officer"), quiet)
}

// take has a node's officer take a medium from its courier's hands, and take it in.
func take(t *testing.T, n *partyNode, dir string) error {
	t.Helper()
	if err := n.Carriage.Post.HandOver(t.Context(), dir, "Courier 7", "officer", signerOf(t, n, "officer")); err != nil && !strings.Contains(err.Error(), "the medium is with officer") {
		return err
	}
	_, _, err := n.Carriage.Post.TakeMedium(t.Context(), dir, "officer", quiet)
	return err
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
	packed := func(i int) carriage.Medium {
		t.Helper()
		m, err := pack(t, kr, "JP", dir(i), 0)
		if err != nil || m.Medium != i {
			t.Fatalf("medium %d, want %d: %v", m.Medium, i, err)
		}
		return m
	}
	if plan, err := kr.Carriage.Post.Plan(t.Context(), "JP", 64<<20, 0, false); err != nil || plan.Of < 2 || plan.Medium != 1 || plan.Parcels < 2 {
		t.Fatalf("before anything is written: %+v, %v", plan, err)
	}
	m := packed(1)
	if m.Of < 2 {
		t.Fatalf("%d media hold 75 MiB of content, each 64 MiB", m.Of)
	}
	refused := func(what, d, why string) {
		t.Helper()
		before := entries(t, jp.Node)
		if err := take(t, jp, d); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want a refusal with %q", what, err, why)
		}
		if after := entries(t, jp.Node); after != before {
			t.Errorf("%s: %d entries became %d", what, before, after)
		}
	}
	for i := 2; i <= m.Of; i++ {
		packed(i)
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
	if _, _, err := kr.Carriage.Post.TakeMedium(t.Context(), dir(1), "officer", quiet); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), "for somebody else") {
		t.Errorf("the sender takes it in: %v", err)
	}

	if _, _, err := jp.Carriage.Post.TakeMedium(t.Context(), dir(1), "officer", quiet); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), "ends with Courier 7, and not with officer") {
		t.Errorf("nobody said from whose hands it came: %v", err)
	}
	for from, why := range map[string]string{"Spy": "the medium is with Courier 7, as its chain of hands ends, and not with Spy", "": "not with"} {
		if err := jp.Carriage.Post.HandOver(t.Context(), dir(1), from, "officer", signerOf(t, jp, "officer")); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("from %q: %v", from, err)
		}
	}
	for i := 1; i <= m.Of; i++ {
		if i == 2 { // between two media the node is stopped and started
			jp.stop()
			jp.serve(t)
		}
		if err := take(t, jp, dir(i)); err != nil {
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
	if _, err := jp.Carriage.Post.Pack(t.Context(), "KR", back, 64<<20, 0, "Courier 8", signerOf(t, jp, "officer"), quiet); err != nil {
		t.Fatal(err)
	}
	if err := kr.Carriage.Post.HandOver(t.Context(), back, "Courier 8", "officer@KR", signerOf(t, kr, "officer")); err != nil {
		t.Fatal(err)
	}
	if _, hands, err := kr.Carriage.Post.TakeMedium(t.Context(), back, "officer", quiet); err != nil || hands[0].To != "Courier 8" {
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
	m2, err := pack(t, kr, "JP", next, 0)
	if err != nil || m2.Of != 1 || len(m2.Parcels) != 1 {
		t.Fatalf("%+v, %v", m2, err)
	}
	if err := take(t, jp, next); err != nil {
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
	cutAfter(t, kr, "JP", dir, 64<<20, 2)
	if err := take(t, jp, dir); !errors.Is(err, carriage.ErrMedium) {
		t.Errorf("half a medium: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "0001.parcel"))
	if err != nil {
		t.Fatal(err)
	}
	kr.stop()
	kr.serve(t)
	if _, err := pack(t, kr, "JP", dir, 0); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "0001.parcel"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("what was written was written again: %v", err)
	}
	for _, x := range []struct { // the second begins another packing
		medium int
		why    string
	}{{1, "packed to its end"}, {0, "use an empty one"}} {
		if _, err := pack(t, kr, "JP", dir, x.medium); err == nil || !strings.Contains(err.Error(), x.why) {
			t.Errorf("a medium was overwritten: %v", err)
		}
	}
	if err := take(t, jp, dir); err != nil {
		t.Fatal(err)
	}
}

// cutAfter packs, and ends as if the power failed once so many parcels are written.
func cutAfter(t *testing.T, n *partyNode, to act.Party, dir string, capacity int64, parcels int64) {
	t.Helper()
	stop := errors.New("stopped")
	defer func() {
		if p := recover(); p != any(stop) {
			t.Fatalf("it was not cut: %v", p)
		}
	}()
	_, err := n.Carriage.Post.Pack(t.Context(), to, dir, capacity, 0, "Courier 7", signerOf(t, n, "officer"), func(done, _ int64) {
		if done == parcels {
			panic(stop)
		}
	})
	t.Fatal(err)
}

// TestPackResumesElsewhere: a packing whose first folder was lost goes on with another, and
// carries there all that the first would have.
func TestPackResumesElsewhere(t *testing.T) {
	kr, jp := apart(t)
	var numbers []act.Number
	for _, size := range []int{100, 20 << 20, 1 << 20, 200} {
		slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, slip.Number)
	}
	cutAfter(t, kr, "JP", t.TempDir(), 64<<20, 2)
	kr.stop()
	kr.serve(t)
	dir := t.TempDir()
	if _, err := pack(t, kr, "JP", dir, 0); err != nil {
		t.Fatal(err)
	}
	if err := take(t, jp, dir); err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		openAs(t, jp, n, new(bytes.Buffer))
	}
}

// TestPackNoDeadEnd: no medium is overwritten, a packing is laid out anew for smaller media or given
// up, one goes on at a time, and either copy of a medium is taken in.
func TestPackNoDeadEnd(t *testing.T) {
	kr, jp := apart(t)
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, 80<<20)))
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	dir := func(name string) string { return filepath.Join(base, name) }
	if _, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir("x"), 64<<20, 0, "", signerOf(t, kr, "officer"), quiet); err == nil || !strings.Contains(err.Error(), "name the courier") {
		t.Errorf("nobody takes it: %v", err)
	}
	if _, err := os.Stat(dir("x")); err == nil {
		t.Error("it was begun all the same")
	}
	busy := 0
	one, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir("1"), 64<<20, 0, "Courier 7", signerOf(t, kr, "officer"), func(int64, int64) {
		if _, err := pack(t, kr, "JP", dir("y"), 0); err != nil && strings.Contains(err.Error(), "at this moment") {
			busy++
		}
	})
	if err != nil || one.Of < 2 || busy == 0 {
		t.Fatalf("%+v, refused while it went on %d times, %v", one, busy, err)
	}
	cutAfter(t, kr, "JP", dir("2"), 0, 1)
	for _, medium := range []int{0, 2} {
		if _, err := pack(t, kr, "JP", dir("1"), medium); err == nil || !strings.Contains(err.Error(), "the folder holds medium 1 of 2") || !strings.Contains(err.Error(), "mount medium 2") {
			t.Errorf("with the first medium mounted: %v", err)
		}
	}
	if _, err := pack(t, kr, "JP", dir("2"), 3); err == nil {
		t.Error("a third of two is packed")
	}
	// What is not written yet is laid out for smaller media; what is written stays.
	before, err := os.ReadFile(filepath.Join(dir("2"), "0001.parcel"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := kr.Carriage.Post.Plan(t.Context(), "JP", 32<<20, 0, false)
	if err != nil || plan.Seal != one.Seal || plan.Medium != 2 || plan.Of <= one.Of {
		t.Fatalf("for smaller media: %+v, %v", plan, err)
	}
	for i := 2; i <= plan.Of; i++ {
		m, err := kr.Carriage.Post.Pack(t.Context(), "JP", dir(fmt.Sprint(i)), 0, 0, "Courier 7", signerOf(t, kr, "officer"), quiet)
		if err != nil || m.Medium != i || m.Of != plan.Of {
			t.Fatalf("medium %d: %+v, %v", i, m, err)
		}
		all := int64(0)
		for _, p := range m.Parcels {
			all += p.Size
		}
		if all > 32<<20 {
			t.Errorf("medium %d has parcels of %d bytes, and holds 32 MiB", i, all)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir("2"), "0001.parcel")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("what was written was written again: %v", err)
	}
	// The first medium was lost, it seemed, and packed again: either is taken in, nobody is accused.
	if _, err := pack(t, kr, "JP", dir("again"), 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"again", "2", "3"} {
		if err := take(t, jp, dir(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := take(t, jp, dir("1")); !errors.Is(err, carriage.ErrTaken) {
		t.Errorf("the copy that was found: %v", err)
	}
	for i := 4; i <= plan.Of; i++ {
		if err := take(t, jp, dir(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	openAs(t, jp, slip.Number, new(bytes.Buffer))
	// A packing that is given up is named by what is packed instead.
	given, err := kr.Carriage.Post.Plan(t.Context(), "JP", 0, 0, false)
	if err != nil || given.Seal == one.Seal || given.Instead != "" {
		t.Fatalf("%+v, %v", given, err)
	}
	if plan, err = kr.Carriage.Post.Plan(t.Context(), "JP", 0, 0, true); err != nil || plan.Instead != given.Seal {
		t.Fatalf("%+v, %v", plan, err)
	}
	last, err := pack(t, kr, "JP", dir("anew"), 0)
	if err != nil || last.Seal != plan.Seal {
		t.Fatalf("%+v, %v", last, err)
	}
	entered := false
	err = kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			b, ok := e.Act.Body.(act.Medium)
			entered = entered || ok && b.Seal == last.Seal && b.Instead == given.Seal
		}
		return nil
	})
	if err != nil || !entered {
		t.Errorf("the ledger does not say which packing was given up: %v", err)
	}
	// A chain keeps its last place for who takes the medium in.
	at := "Courier 7"
	for i := range 70 {
		to := fmt.Sprint("Courier ", i+8)
		if err = kr.Carriage.Post.HandOver(t.Context(), dir("anew"), at, to, signerOf(t, kr, "officer")); err != nil {
			break
		}
		at = to
	}
	if err == nil || !strings.Contains(err.Error(), "went through 63 hands") {
		t.Errorf("hands without an end: %v", err)
	}
	if err := jp.Carriage.Post.HandOver(t.Context(), dir("anew"), at, "officer", signerOf(t, jp, "officer")); err != nil {
		t.Fatal(err)
	}
	if err := take(t, jp, dir("anew")); err != nil {
		t.Error(err)
	}
}

// forged is a medium that its sender signed, with these parcels.
func forged(t *testing.T, n *partyNode, to act.Party, dir string, parcels ...[]byte) {
	t.Helper()
	m := carriage.Medium{From: n.Card.Party, To: to, Seal: "7Q4K-M2XT-0A9C-Z3HB", Medium: 1, Of: 1, At: act.MomentOf(n.Carriage.Now())}
	for i, b := range parcels {
		out, _, err := carriage.ReadOuter(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%04d.parcel", i+1)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m.Parcels = append(m.Parcels, carriage.Packed{File: name, Number: out.Number, Size: int64(len(b)), Sum: sha512.Sum384(b)})
	}
	write := func(name, header string, v any, line bool, signers ...note.Signer) []byte {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: header + string(body) + "\n"}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		b := signed
		if line {
			b = []byte(base64.StdEncoding.EncodeToString(signed) + "\n")
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		return signed
	}
	list := write("MEDIUM", "entente medium v1\n", m, false, n.Carriage.Post.Signers...)
	s := signerOf(t, n, "officer")
	write("HANDOVERS", "entente handover v1\n", carriage.Handover{Seal: m.Seal, Medium: 1, Before: sha512.Sum384(list), From: s.Name(), To: "Courier 7", At: m.At}, true, s)
}

// TestMediumRefusedWhole: where one of its parcels does not open, nothing of a medium is
// entered, though its sender signed the list of it.
func TestMediumRefusedWhole(t *testing.T) {
	kr, jp := apart(t)
	if _, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("a report")); err != nil {
		t.Fatal(err)
	}
	good, err := kr.Carriage.Post.Next(t.Context(), "JP", []act.Party{"KR", "JP"})
	if err != nil || good == nil {
		t.Fatalf("no parcel: %v", err)
	}
	for what, at := range map[string]func(int) int{"near its end": func(n int) int { return n - 20 }, "in its middle": func(n int) int { return n / 2 }} {
		spoilt := bytes.Clone(good)
		spoilt[at(len(spoilt))] ^= 1
		dir := t.TempDir()
		forged(t, kr, "JP", dir, good, spoilt)
		before := entries(t, jp.Node)
		if err := take(t, jp, dir); !errors.Is(err, carriage.ErrMedium) || !strings.Contains(err.Error(), "0002.parcel") {
			t.Errorf("a bit flipped %s: %v", what, err)
		}
		if after := entries(t, jp.Node); after != before {
			t.Errorf("a bit flipped %s: %d entries became %d", what, before, after)
		}
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
