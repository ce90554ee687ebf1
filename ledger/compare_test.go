package ledger_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"entente/act"
	"entente/internal/sqlite"
	"entente/ledger"
)

// compare compares the folded tables with the entries.
func (b *book) compare(t *testing.T) *ledger.Altered {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var done, all int64
	err = b.Compare(t.Context(), s, func(d, a int64) { done, all = d, a })
	var altered *ledger.Altered
	if err != nil && !errors.As(err, &altered) {
		t.Fatal(err)
	}
	if done != all || done == 0 {
		t.Errorf("%d of %d entries were folded", done, all)
	}
	return altered
}

// alter writes past the ledger.
func (b *book) alter(t *testing.T, f func(tx *ledger.Tx) error) {
	t.Helper()
	if err := b.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// TestCompare finds each row that is not what the entries give, names it, and finds
// none when the tables were rebuilt.
func TestCompare(t *testing.T) {
	b := newBook(t)
	const last, row = ledger.FoldPrefix + "last", "entry"
	b.append(t, 0, 1100) // more than one batch
	if a := b.compare(t); a != nil {
		t.Fatalf("nothing was altered: %v", a)
	}
	b.alter(t, func(tx *ledger.Tx) error { return tx.Put("settings", []byte("address"), []byte("of ours")) })
	if a := b.compare(t); a != nil {
		t.Errorf("what is no fold is compared: %v", a)
	}
	for how, f := range map[string]func(*ledger.Tx) error{
		"changed": func(tx *ledger.Tx) error { return tx.Put(last, []byte(row), []byte("7")) },
		"missing": func(tx *ledger.Tx) error { return tx.Delete(last, []byte(row)) },
		"added":   func(tx *ledger.Tx) error { return tx.Put(last, []byte("another"), []byte("8")) },
	} {
		b.alter(t, f)
		a := b.compare(t)
		if a == nil || len(a.Rows) != 1 || a.Rows[0].How != how || a.Rows[0].Table != last || a.More != 0 || !strings.Contains(a.Error(), "ledger rebuild") {
			t.Errorf("%s: %+v", how, a)
		}
		if how == "changed" && a != nil && (a.Rows[0].Is != act.Sum(sha512.Sum384([]byte("7"))) || a.Rows[0].Should != act.Sum(sha512.Sum384([]byte("1099"))) || string(a.Rows[0].Key) != row) {
			t.Errorf("%+v", a.Rows[0])
		}
		if err := b.Rebuild(t.Context(), func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
	}
	b.alter(t, func(tx *ledger.Tx) error {
		for i := range 50 {
			if err := tx.Put(ledger.FoldPrefix+"none", []byte{byte(i)}, nil); err != nil {
				return err
			}
		}
		return tx.Put(last, []byte(row), nil)
	})
	if a := b.compare(t); a == nil || len(a.Rows)+a.More != 51 || len(a.Rows) > 20 {
		t.Errorf("of 51 rows %+v", a)
	}
}

// TestRefold: while entries are folded again, those that came later are not there.
func TestRefold(t *testing.T) {
	var early act.Digest
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	saw := map[int64]bool{}
	l := ledger.Open(s, ledger.Config{Party: "KR", Fold: func(tx *ledger.Tx, e ledger.Entry) error {
		_, found, err := tx.Find(early)
		_, gone := tx.Entry(e.Index + 1)
		if tx.Size() != e.Index+1 || gone == nil {
			return fmt.Errorf("entry %d is folded in %d entries", e.Index, tx.Size())
		}
		saw[e.Index] = saw[e.Index] || found
		return err
	}})
	early = statement(t, 2).Digest()
	b := &book{Ledger: l}
	b.append(t, 0, 5)
	if err := l.Rebuild(t.Context(), func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if b.compare(t) != nil || saw[1] || !saw[2] || !saw[4] {
		t.Errorf("the entry of index 2 was seen when these were folded: %v", saw)
	}
}

// TestVerifyFinds: each kind of row that stands behind the entries, altered.
func TestVerifyFinds(t *testing.T) {
	at := func(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
	for what, f := range map[string]func(*ledger.Tx) error{
		"a hash":                     func(tx *ledger.Tx) error { return spoilt(tx, at(3), 0) },
		"a byte of an entry":         func(tx *ledger.Tx) error { return spoilt(tx, at(3), 200) },
		"no entry":                   func(tx *ledger.Tx) error { return tx.Delete("ledger/entry", at(4)) },
		"no digest":                  func(tx *ledger.Tx) error { d := statement(t, 2).Digest(); return tx.Delete("ledger/digest", d[:]) },
		"another's entry":            func(tx *ledger.Tx) error { return replaced(tx, at(2), statement(t, 9).Bytes()) },
		"a checkpoint of more":       func(tx *ledger.Tx) error { return moved(tx, at(5), at(6)) },
		"a checkpoint of fewer":      func(tx *ledger.Tx) error { return moved(tx, at(5), at(4)) },
		"a checkpoint that is noise": func(tx *ledger.Tx) error { return tx.Put("ledger/signed", at(5), []byte("noise")) },
	} {
		b := newBook(t)
		b.append(t, 0, 5)
		if _, _, err := b.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		verify := func() error {
			_, err := b.Verify(t.Context(), b.card, func(int64, int64) {})
			return err
		}
		b.alter(t, func(*ledger.Tx) error { return nil }) // keeps the checkpoint
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		b.alter(t, f)
		if verify() == nil {
			t.Errorf("%s: it verifies", what)
		}
	}
}

func moved(tx *ledger.Tx, from, to []byte) error {
	b, err := tx.Get("ledger/signed", from)
	return errors.Join(err, tx.Delete("ledger/signed", from), tx.Put("ledger/signed", to, b))
}

// spoilt changes a byte of an entry's row: its hashes come first.
func spoilt(tx *ledger.Tx, row []byte, at int) error {
	b, err := tx.Get("ledger/entry", row)
	if err != nil {
		return err
	}
	b[at] ^= 1
	return tx.Put("ledger/entry", row, b)
}

// replaced puts another act behind the one hash of an entry.
func replaced(tx *ledger.Tx, row, act []byte) error {
	b, err := tx.Get("ledger/entry", row)
	return errors.Join(err, tx.Put("ledger/entry", row, append(b[:32:32], act...)))
}
