package carriage

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/internal/memory"
	"entente/ledger"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

var update = flag.Bool("update", false, "write the vectors anew")

var vectorDir = filepath.Join("..", "spec", "vectors", "parcel")

// vectors is spec/vectors/parcel/parcel.json: the keys, which are for tests alone,
// and what is expected of each file.
type vectors struct {
	Keys  map[act.Party]vectorKeys `json:"keys"`
	Cards map[act.Party]act.Card   `json:"cards"`
	Good  map[string]Outer         `json:"good"` // file → what stands outside
	Bad   map[string]string        `json:"bad"`  // file → why it is refused
}

// vectorKeys are a party's private keys, as node/keys.go keeps them.
type vectorKeys struct {
	Seal    []byte `json:"seal"`
	Ed25519 string `json:"ed25519"`
	P384    []byte `json:"p384"`
	MLDSA   []byte `json:"mldsa"`
}

// testKeys are fixed: each byte of a party's seeds is fill.
func testKeys(p act.Party, fill byte) vectorKeys {
	seed := bytes.Repeat([]byte{fill}, 48)
	name := ledger.Origin(p)
	skey, _, err := act.NewEd25519Key(name, bytes.NewReader(seed))
	if err != nil {
		panic(err)
	}
	return vectorKeys{bytes.Repeat([]byte{fill}, seal.SeedSize), skey, seed, seed[:32]}
}

func (k vectorKeys) open(t testing.TB, p act.Party) (act.Card, *seal.PrivateKey, []note.Signer) {
	t.Helper()
	key, err := seal.NewPrivateKey(k.Seal)
	if err != nil {
		t.Fatal(err)
	}
	ed, err1 := note.NewSigner(k.Ed25519)
	edv, err2 := act.Ed25519Verifier(k.Ed25519)
	ec, ecv, err3 := act.NewP384Signer(ledger.Origin(p), k.P384, rand.Reader)
	pq, pqv, err4 := act.NewMLDSASigner(ledger.Origin(p), k.MLDSA)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return act.Card{Party: p, Name: act.Names{EN: string(p)}, Period: 1, Seal: key.Public(), Ledger: []string{edv, ecv, pqv}}, key, []note.Signer{ed, ec, pq}
}

// TestVectors opens spec/vectors/parcel as JP, who knows KR and US: each good parcel
// opens whole, and each bad one is refused for what its name says.
// go test ./carriage -run Vectors -update writes all of them anew.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(filepath.Join(vectorDir, "parcel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.parcel"))
	if err != nil || len(files) != len(all.Good)+len(all.Bad) || len(all.Good) < 3 || len(all.Bad) < 20 {
		t.Fatalf("%d files, %d good, %d bad: %v", len(files), len(all.Good), len(all.Bad), err)
	}
	_, key, _ := all.Keys["JP"].open(t, "JP")
	card := func(p act.Party) (act.Card, error) {
		if c, ok := all.Cards[p]; ok {
			return c, nil
		}
		return act.Card{}, fmt.Errorf("%w: %s is not known here", ErrParcel, p)
	}
	for name, want := range all.Good {
		b := readVector(t, name)
		p, err := openParcel(bytes.NewReader(b), "JP", key, card)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if fmt.Sprint(p.outer) != fmt.Sprint(want) || p.From != want.From() || p.To != "JP" || p.Number != want.Number || !p.delivery.Late {
			t.Errorf("%s: %+v", name, p)
		}
		if int64(len(b)) != SizeClass(int64(len(b))) {
			t.Errorf("%s has %d bytes, which is no size of the ladder", name, len(b))
		}
		blocks, announced := 0, 0
		for _, g := range p.Gives {
			announced += g.Count
		}
		if err := p.content(func(g given, list *vault.Blocks, i int, block []byte) error {
			if blocks++; !list.Check(i, block) {
				t.Errorf("%s: block %d is another", name, i)
			}
			return nil
		}); err != nil || blocks != announced {
			t.Errorf("%s: %d blocks of %d: %v", name, blocks, announced, err)
		}
	}
	for name, why := range all.Bad {
		if err := open(readVector(t, name), key, card); !errors.Is(err, ErrParcel) || err.Error() != why {
			t.Errorf("%s: %v\nwant: %s", name, err, why)
		}
	}
}

func readVector(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, name+".parcel"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens a parcel to its end.
func open(b []byte, key *seal.PrivateKey, card func(act.Party) (act.Card, error)) error {
	p, err := openParcel(bytes.NewReader(b), "JP", key, card)
	if err != nil {
		return err
	}
	return p.content(func(given, *vault.Blocks, int, []byte) error { return nil })
}

// model is a parcel in the making that can be spoilt anywhere.
type model struct {
	Outer
	outside   string // stands outside instead, if it is not empty
	after     string // is put outside once the envelope is made
	to        seal.PublicKey
	statement Statement
	text      string // of the statement, instead
	signers   []note.Signer
	acts      []byte
	parts     [][]byte // what follows
	rest      []byte   // behind the parts
	class     int64    // padded to this; 0: not at all
	spoil     func([]byte) []byte
}

func (m model) bytes(t testing.TB) []byte {
	t.Helper()
	outside := []byte(m.outside)
	if m.outside == "" {
		b, err := json.Marshal(m.Outer)
		if err != nil {
			t.Fatal(err)
		}
		outside = []byte(parcelHeader + string(b) + "\n")
	}
	line, err := json.Marshal(m.statement)
	if err != nil {
		t.Fatal(err)
	}
	text := statementHeader + string(line) + "\n"
	if m.text != "" {
		text = m.text
	}
	signed, err := note.Sign(&note.Note{Text: text}, m.signers...)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(outside)
	e, err := seal.NewEnvelope(&b, m.to, outside)
	if err != nil {
		t.Fatal(err)
	}
	w := &parcelWriter{e: e, outer: int64(len(outside))}
	for _, p := range append([][]byte{signed, m.acts}, m.parts...) {
		if err := w.part(p); err != nil {
			t.Fatal(err)
		}
	}
	if m.class > 0 {
		err = w.end()
	} else {
		_, err = e.Write(m.rest)
		err = errors.Join(err, e.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	all := b.Bytes()
	if m.after != "" {
		all = append([]byte(m.after), all[len(outside):]...)
	}
	if m.spoil != nil {
		all = m.spoil(all)
	}
	return all
}

// ends is an empty part: the padding follows.
var ends = []byte{0, 0, 0, 0}

func writeVectors(t *testing.T) {
	t.Helper()
	all := vectors{Keys: map[act.Party]vectorKeys{}, Cards: map[act.Party]act.Card{}, Good: map[string]Outer{}, Bad: map[string]string{}}
	sealKeys, signers := map[act.Party]*seal.PrivateKey{}, map[act.Party][]note.Signer{}
	for i, p := range []act.Party{"KR", "JP", "US"} {
		all.Keys[p] = testKeys(p, byte(i+1))
		all.Cards[p], sealKeys[p], signers[p] = all.Keys[p].open(t, p)
	}
	v := vault.New(memory.NewDisk().Vault())
	content := bytes.Repeat([]byte("sealed bytes of a product "), 100)
	blocks, err := v.Put(t.Context(), "x", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	digest := blocks.Digest()
	acts := []byte(`{"checkpoint":"","acts":null}`)
	basic := func() model {
		o := Outer{Route: []act.Party{"KR", "US", "JP"}, Number: "7Q4K-M2XT-0A9C-Z3HB"}
		return model{Outer: o, to: sealKeys["JP"].Public(), signers: signers["KR"], acts: acts, rest: ends,
			statement: Statement{From: "KR", To: "JP", Number: o.Number, At: act.MomentOf(time.Date(2014, 12, 29, 1, 2, 3, 4e6, time.UTC)), Next: 7, Acts: sumOf(acts)}}
	}
	gives := func(m *model) {
		m.statement.Gives = []given{{Number: "KR-2014-7Q4K-M2XJ", Vault: act.Sum(digest), List: true, Count: 1}}
		m.parts = [][]byte{blocks.Marshal(), content}
	}
	for name, change := range map[string]func(*model){
		"good-acts":    func(*model) {},
		"good-content": gives,
		"good-wants": func(m *model) {
			m.Route = []act.Party{"KR", "JP"}
			m.statement.Want = []want{{Number: "JP-2014-7Q4K-M2XJ", Vault: act.Sum(digest), Count: 16, List: true}}
		},
	} {
		m := basic()
		m.class = minClass
		change(&m)
		all.Good[name] = m.Outer
		writeVector(t, name, m.bytes(t))
	}
	line := func(s string) string { return parcelHeader + s + "\n" }
	const number = `"number":"7Q4K-M2XT-0A9C-Z3HB"`
	for name, change := range map[string]func(*model){
		"bad-outside-another-version":         func(m *model) { m.outside = "entente parcel v2\n{\"route\":[\"KR\",\"US\",\"JP\"]," + number + "}\n" },
		"bad-outside-another-order":           func(m *model) { m.outside = line(`{` + number + `,"route":["KR","US","JP"]}`) },
		"bad-outside-white-space":             func(m *model) { m.outside = line(`{"route":["KR","US","JP"], ` + number + `}`) },
		"bad-outside-unknown-field":           func(m *model) { m.outside = line(`{"route":["KR","US","JP"],` + number + `,"level":"SECRET"}`) },
		"bad-outside-too-long":                func(m *model) { m.outside = line(`{"route":["` + strings.Repeat("K", 600) + `","JP"],` + number + `}`) },
		"bad-outside-number-in-small-letters": func(m *model) { m.Number = "7q4k-m2xt-0a9c-z3hb" },
		"bad-outside-number-too-long":         func(m *model) { m.Number += "-7Q4K" },
		"bad-route-of-one":                    func(m *model) { m.Route = []act.Party{"JP"} },
		"bad-route-with-a-party-twice":        func(m *model) { m.Route = []act.Party{"KR", "JP", "US", "JP"} },
		"bad-route-of-nobody":                 func(m *model) { m.Route = []act.Party{"KR", "", "JP"} },
		"bad-for-another":                     func(m *model) { m.Route, m.to = []act.Party{"KR", "US"}, sealKeys["US"].Public() },
		"bad-from-a-stranger":                 func(m *model) { m.Route, m.statement.From = []act.Party{"AU", "US", "JP"}, "AU" },
		"bad-sealed-to-another":               func(m *model) { m.to = sealKeys["US"].Public() },
		"bad-outside-number-changed":          func(m *model) { m.after = line(`{"route":["KR","US","JP"],"number":"7Q4K-M2XT-0A9C-Z3HC"}`) },
		"bad-outside-route-changed":           func(m *model) { m.after = line(`{"route":["KR","JP"],` + number + `}`) },
		"bad-cut-in-the-key":                  func(m *model) { m.spoil = func(b []byte) []byte { return b[:500] } },
		"bad-cut":                             func(m *model) { m.spoil = func(b []byte) []byte { return b[:len(b)-1] } },
		"bad-longer":                          func(m *model) { m.spoil = func(b []byte) []byte { return append(b, 0) } },
		"bad-key-changed":                     func(m *model) { m.spoil = func(b []byte) []byte { b[300] ^= 1; return b } },
		"bad-inside-changed":                  func(m *model) { m.spoil = func(b []byte) []byte { b[len(b)-500] ^= 1; return b } },
		"bad-statement-by-another-key":        func(m *model) { m.signers = signers["US"] },
		"bad-statement-without-a-signature":   func(m *model) { m.signers = m.signers[:2] },
		"bad-statement-another-spelling": func(m *model) {
			b, _ := json.Marshal(m.statement)
			m.text = statementHeader + strings.Replace(string(b), ",", ", ", 1) + "\n"
		},
		"bad-statement-another-header":    func(m *model) { m.text = "entente checkpoint v1\n{}\n" },
		"bad-statement-count-below-zero":  func(m *model) { m.statement.Next = -1 },
		"bad-statement-of-another-parcel": func(m *model) { m.statement.Number = "7Q4K-M2XT-0A9C-Z3HC" },
		"bad-statement-from-another":      func(m *model) { m.statement.From = "US" },
		"bad-statement-to-another":        func(m *model) { m.statement.To = "US" },
		"bad-statement-wants-too-much":    func(m *model) { m.statement.Want = make([]want, maxWants+1) },
		"bad-statement-too-long":          func(m *model) { m.text = statementHeader + strings.Repeat(" ", maxStatement) + "\n" },
		"bad-acts-digest":                 func(m *model) { m.acts = []byte(`{"checkpoint":"AA==","acts":null}`) },
		"bad-acts-no-json":                func(m *model) { m.acts = []byte("acts"); m.statement.Acts = sumOf(m.acts) },
		"bad-acts-missing":                func(m *model) { m.acts, m.rest = nil, nil },
		"bad-blocks-digests-of-another":   func(m *model) { gives(m); m.statement.Gives[0].Vault[0] ^= 1 },
		"bad-blocks-out-of-bounds":        func(m *model) { gives(m); m.statement.Gives[0].From = 1 },
		"bad-blocks-below-zero":           func(m *model) { gives(m); m.statement.Gives[0].From = -1 },
		"bad-blocks-fewer-than-announced": func(m *model) { gives(m); m.parts = m.parts[:1] },
		"bad-blocks-more-than-announced":  func(m *model) { gives(m); m.parts = append(m.parts, content) },
		"bad-blocks-too-long":             func(m *model) { gives(m); m.parts = m.parts[:1]; m.rest = []byte{0, 0x10, 0, 1, 0} },
		"bad-blocks-end-early":            func(m *model) { gives(m); m.parts = m.parts[:1]; m.rest = []byte{0, 0x10, 0, 0, 0} },
		"bad-padding-missing":             func(m *model) { m.rest = nil },
		"bad-padding-holds-something":     func(m *model) { m.rest = append(bytes.Repeat(ends, 20), 1) },
	} {
		m := basic()
		change(&m)
		b := m.bytes(t)
		card := func(p act.Party) (act.Card, error) {
			if c, ok := all.Cards[p]; ok {
				return c, nil
			}
			return act.Card{}, fmt.Errorf("%w: %s is not known here", ErrParcel, p)
		}
		err := open(b, sealKeys["JP"], card)
		if err == nil {
			t.Fatalf("%s opens", name)
		}
		all.Bad[name] = err.Error()
		writeVector(t, name, b)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(vectorDir, "parcel.json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeVector(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(vectorDir, 0o755), os.WriteFile(filepath.Join(vectorDir, name+".parcel"), b, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// FuzzReadOuter: what is read outside has one spelling, and no byte behind it is taken.
func FuzzReadOuter(f *testing.F) {
	for _, s := range []string{`{"route":["KR","US","JP"],"number":"7Q4K-M2XT-0A9C-Z3HB"}`, `{"route":["KR","KR"],"number":"7Q4K-M2XT-0A9C-Z3HB"}`, `{}`, `[`} {
		f.Add([]byte(parcelHeader + s + "\nthe envelope"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		o, exact, err := ReadOuter(r)
		if len(b)-r.Len() > maxOuter {
			t.Fatalf("%d bytes were read", len(b)-r.Len())
		}
		if err != nil {
			return
		}
		again, err := o.marshal()
		if err != nil || !bytes.Equal(again, exact) || !bytes.HasPrefix(b, exact) || r.Len() != len(b)-len(exact) {
			t.Errorf("%q is read as %q: %v", b, again, err)
		}
		for _, p := range o.Route {
			if next, ok := o.After(p); ok {
				if before, ok := o.before(next); !ok || before != p {
					t.Errorf("%v: after %s comes %s, before it %s", o.Route, p, next, before)
				}
			}
		}
	})
}

// FuzzInside opens an envelope that holds whatever a partner may have signed and packed.
func FuzzInside(f *testing.F) {
	_, key, _ := testKeys("JP", 2).open(f, "JP")
	card, _, signers := testKeys("KR", 1).open(f, "KR")
	card.Ledger, signers = card.Ledger[:1], signers[:1]
	o := Outer{Route: []act.Party{"KR", "JP"}, Number: "7Q4K-M2XT-0A9C-Z3HB"}
	for _, gives := range [][]given{nil, {{Number: "KR-2014-7Q4K-M2XJ", Count: 2}}, {{List: true, Count: 1 << 60, From: 1 << 62}}} {
		b, err := json.Marshal(Statement{From: "KR", To: "JP", Number: o.Number, Acts: sumOf([]byte("{}")), Gives: gives})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(statementHeader+string(b)+"\n", []byte("{}"), append([]byte{0, 0, 0, 1, 'x', 0, 0, 0, 1, 'y'}, ends...))
	}
	f.Fuzz(func(t *testing.T, text string, acts, rest []byte) {
		signed, err := note.Sign(&note.Note{Text: text}, signers...)
		if err != nil {
			t.Skip()
		}
		var b bytes.Buffer
		w, err := beginParcel(&b, o, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.part(signed), w.part(acts)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.e.Write(rest); err != nil {
			t.Fatal(err)
		}
		if err := w.e.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := openParcel(&b, "JP", key, func(act.Party) (act.Card, error) { return card, nil })
		if err != nil {
			if !errors.Is(err, ErrParcel) {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		if p.From != "KR" || p.To != "JP" || p.Number != o.Number || p.Acts != sumOf(acts) || !p.delivery.Late || p.delivery.From != "KR" {
			t.Errorf("%+v", p)
		}
		taken := 0
		err = p.content(func(_ given, _ *vault.Blocks, _ int, b []byte) error { taken += 4 + len(b); return nil })
		if err != nil && !errors.Is(err, ErrParcel) || taken > len(rest) {
			t.Errorf("%d bytes of %d: %v", taken, len(rest), err)
		}
	})
}

// TestNewControlNumber: a drawn number has the form that is read.
func TestNewControlNumber(t *testing.T) {
	for range 100 {
		n, err := newControlNumber(rand.Reader)
		if err != nil || !controlNumber.MatchString(n) || len(n) != numberLength {
			t.Errorf("%q, %v", n, err)
		}
	}
	if _, err := newControlNumber(base64.NewDecoder(base64.StdEncoding, strings.NewReader("AA=="))); err == nil {
		t.Error("a number was drawn from too little chance")
	}
}
