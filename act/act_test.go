package act_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/act"

	"golang.org/x/mod/sumdb/note"
)

var update = flag.Bool("update", false, "write the vectors anew")

// vouches stands behind everything, or nothing.
type vouches bool

func (v vouches) Vouches(act.Party, []byte) bool { return bool(v) }

func signer(t testing.TB, name string, scalar byte) (note.Signer, note.Verifier) {
	t.Helper()
	s, vkey, err := act.NewP384Signer(name, bytes.Repeat([]byte{scalar}, 48), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := act.ParseVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func opening() act.Act {
	return act.Act{Version: 1, Kind: act.ProductOpened, From: "JP", To: []act.Party{"KR"}, Pact: "kr-jp-2016", At: act.MomentOf(time.Date(2016, 12, 16, 1, 2, 3, 4e6, time.UTC)), Period: 1,
		Body: act.Opening{Number: "KR-2016-7Q4K-M2XJ", Person: "analyst", Purpose: "threat-assessment"}}
}

func opened(b []byte, v act.Voucher, keys act.Keys) (act.Verified, error) {
	u, err := act.Read(b)
	if err != nil {
		return act.Verified{}, err
	}
	return u.Open(v, keys)
}

func TestSignOpen(t *testing.T) {
	s, v := signer(t, "analyst@JP", 7)
	a := opening()
	a.By = "analyst@JP"
	signed, err := act.Sign(a, s)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(act.Party, string) (note.Verifier, error) { return v, nil }
	if _, err := opened(signed.Bytes(), vouches(true), keys); err != nil {
		t.Error(err)
	}
	if _, err := opened(signed.Bytes(), vouches(false), keys); !errors.Is(err, act.ErrUnvouched) {
		t.Errorf("opened without a voucher: %v", err)
	}
	_, other := signer(t, "analyst@JP", 8)
	if _, err := opened(signed.Bytes(), vouches(true), func(act.Party, string) (note.Verifier, error) { return other, nil }); !errors.Is(err, act.ErrUnvouched) {
		t.Errorf("opened with another's key: %v", err)
	}
	others := func(act.Party, string) (note.Verifier, error) { return other, nil }
	for name, check := range map[string]act.Keys{"its key": keys, "another's": others} { // what was checked early with one key opens with that alone
		u, err := act.Read(signed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		u.Check(check)
		if _, err := u.Open(vouches(true), keys); err != nil {
			t.Errorf("checked early with %s: %v", name, err)
		}
		if _, err := u.Open(vouches(true), others); !errors.Is(err, act.ErrUnvouched) {
			t.Errorf("checked early with %s, opened with another's: %v", name, err)
		}
		if _, err := u.Open(vouches(false), keys); !errors.Is(err, act.ErrUnvouched) {
			t.Errorf("checked early with %s, opened without a voucher: %v", name, err)
		}
	}
	for i := range signed.Bytes() {
		b := bytes.Clone(signed.Bytes())
		b[i] ^= 1
		if _, err := opened(b, vouches(true), keys); err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
		if u, err := act.Read(b); err == nil {
			u.Check(keys)
			if _, err := u.Open(vouches(true), keys); err == nil {
				t.Fatalf("byte %d may be changed where it is checked early", i)
			}
		}
	}
	if _, err := act.Sign(opening(), s); err == nil {
		t.Error("a person signed the node's act")
	}
	if _, err := act.Sign(a, nil); err == nil {
		t.Error("the node signed a person's act")
	}
}

// TestVectors reads spec/vectors/act: each bad one must be refused for what its
// name says, and each good one must parse and be spelled the same again.
func TestVectors(t *testing.T) {
	dir := filepath.Join("..", "spec", "vectors", "act")
	if *update {
		write(t, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.act"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		a, err := act.Parse(b)
		good := strings.HasPrefix(filepath.Base(f), "good")
		if good && err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if !good && !errors.Is(err, act.ErrMalformed) {
			t.Errorf("%s: read as %v, %v", f, a, err)
		}
	}
}

// write makes the vectors: one good act, and one change each that spoils it.
func write(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v, err := act.Sign(opening(), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := string(v.Bytes())
	unknown := strings.Replace(strings.Replace(good, "product.opened", "product.dreamt", 1), `"body":`, `"must":true,"body":`, 1)
	unknown = strings.Replace(strings.Replace(unknown, `"must":true,`, "", 1), `"period":1,`, `"period":1,"must":true,`, 1)
	spoilt := map[string][2]string{
		"another-version":       {`"v":1`, `"v":2`},
		"key-twice":             {`"v":1,`, `"v":1,"v":1,`},
		"another-case":          {`"kind"`, `"Kind"`},
		"unknown-field":         {`"period":1`, `"period":1,"colour":"red"`},
		"white-space":           {`"v":1,`, `"v": 1,`},
		"another-order":         {`"v":1,"kind":"product.opened"`, `"kind":"product.opened","v":1`},
		"body-field-unknown":    {`"person":"analyst"`, `"person":"analyst","rank":1`},
		"recipient-is-sender":   {`"to":["KR"]`, `"to":["JP"]`},
		"recipients-unsorted":   {`"to":["KR"]`, `"to":["US","KR"]`},
		"moment-with-zone":      {`.004Z"`, `.004+09:00"`},
		"moment-without-millis": {`:03.004Z"`, `:03Z"`},
		"period-zero":           {`"period":1`, `"period":0`},
		"no-body":               {`"body":{`, `"bodies":{`},
		"another-header":        {"act v1", "act v2"},
		"signature-of-nobody":   {"}\n\n", "}\n\n— analyst@JP AAAAAA==\n"},
		"two-lines":             {`"v":1,`, "\"v\":1,\n"},
		"escaped":               {"analyst", `\u0061nalyst`},
	}
	waiting, err := act.Sign(act.Act{Kind: act.ReleaseWaits, From: "JP", To: []act.Party{"US"}, Pact: "kr-jp-us-2014", At: opening().At, Period: 1, Body: act.Waiting{Act: act.DigestOf([]byte("a release")), Number: "KR-2016-7Q4K-M2XJ",
		For: []act.Digest{act.DigestOf([]byte("an approval"))}, Until: act.MomentOf(opening().At.AddDate(0, 0, 3)), Channel: "electronic"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"good-opening": good, "good-waiting": string(waiting.Bytes()), "good-unknown-kind": unknown, "bad-truncated": good[:len(good)-3], "bad-empty": ""}
	for name, change := range spoilt {
		if !strings.Contains(good, change[0]) {
			t.Fatalf("%s: nothing to change", name)
		}
		all["bad-"+name] = strings.Replace(good, change[0], change[1], 1)
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name+".act"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNumber(t *testing.T) {
	for range 200 {
		n, err := act.NewNumber("KR", 2016, rand.Reader)
		if err != nil || n.Check() != nil {
			t.Fatalf("%s: %v, %v", n, err, n.Check())
		}
		for i := range n {
			b := []byte(n)
			b[i] = map[bool]byte{true: '1', false: '0'}[b[i] == '0']
			if b[i] != n[i] && act.Number(b).Check() == nil {
				t.Errorf("%s reads like %s", b, n)
			}
		}
	}
	for _, bad := range []act.Number{"", "KR", "KR-2016-0000-000", "kr-2016-0000-0000", "KR-2016-7Q4K-M2XU", "../../../etc/passwd"} {
		if bad.Check() == nil {
			t.Errorf("%q is a control number", bad)
		}
	}
}

func TestVerifiers(t *testing.T) {
	seed := bytes.Repeat([]byte{3}, 32)
	s, vkey, err := act.NewMLDSASigner("entente/KR", seed)
	if err != nil {
		t.Fatal(err)
	}
	v, err := act.ParseVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "text\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "a+b+c", vkey + "A", strings.Replace(vkey, "entente/KR", "entente/JP", 1)} {
		if _, err := act.ParseVerifier(bad); !errors.Is(err, act.ErrMalformed) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// TestVerifiedOnce: that a signature verified is remembered of it alone.
func TestVerifiedOnce(t *testing.T) {
	verifier := func(fill byte) (note.Signer, note.Verifier) {
		s, vkey, err := act.NewMLDSASigner("entente/KR", bytes.Repeat([]byte{fill}, 32))
		if err != nil {
			t.Fatal(err)
		}
		v, err := act.ParseVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		return s, v
	}
	s, v := verifier(4)
	_, other := verifier(5)
	msg := []byte("text")
	sig, err := s.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(sig)
	bad[0] ^= 1
	for range 2 {
		if !v.Verify(msg, sig) {
			t.Error("a signature does not verify")
		}
		if v.Verify([]byte("texts"), sig) || v.Verify(msg, bad) || v.Verify(append(msg, sig[0]), sig[1:]) || other.Verify(msg, sig) {
			t.Error("what was not signed verifies")
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "spec", "vectors", "act", "*.act"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := act.Parse(b)
		if err != nil {
			if !errors.Is(err, act.ErrMalformed) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if _, err := act.Read(b); err != nil {
			t.Errorf("what was parsed cannot be read: %v", err)
		}
		j, err := json.Marshal(a)
		if err != nil || len(j) == 0 {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

func TestNumberParty(t *testing.T) {
	for n, want := range map[act.Number]act.Party{"KR-2016-7Q4K-M2XT": "KR", "KR-A-2016-7Q4K-M2XT": "KR-A", "": "", "-2016-7Q4K-M2XT": ""} {
		if got := n.Party(); got != want {
			t.Errorf("%q is of the series of %q, not %q", n, got, want)
		}
	}
}

func FuzzParseVerifier(f *testing.F) {
	_, ec, err := act.NewP384Signer("officer@KR", bytes.Repeat([]byte{7}, 48), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	_, pq, err := act.NewMLDSASigner("entente/KR", make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ec)
	f.Add(pq)
	f.Add("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := act.ParseVerifier(s)
		if err != nil {
			return
		}
		if v.Verify([]byte("a message"), []byte("no signature")) || !strings.HasPrefix(s, v.Name()+"+") {
			t.Errorf("%q verifies anything, or as %q", s, v.Name())
		}
	})
}

// FuzzCard reads cards that were brought by hand.
func FuzzCard(f *testing.F) {
	f.Add([]byte(`{"party":"KR","name":{"en":"Korea"},"link":"` + strings.Repeat("0", 96) + `","ledger":["x"],"seal":"AA==","period":1}` + "\n"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := act.ParseCard(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil || !bytes.Equal(again, bytes.TrimSpace(b)) {
			t.Errorf("another spelling is read: %q", b)
		}
	})
}
