// Package ledgertest is the suite that every engine behind ledger.Shelf passes.
package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"entente/ledger"
)

// Run tests a shelf. open makes an empty one; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) ledger.Shelf) {
	for name, f := range map[string]func(*testing.T, ledger.Shelf){
		"rows": rows, "undone": undone, "tried": tried, "panics": panics, "views": views, "alone": alone, "closed": closed, "large": large,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() })
			f(t, s)
		})
	}
}

func update(t *testing.T, s ledger.Shelf, f func(ledger.Rows) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s ledger.Shelf, table, key string) (v []byte) {
	t.Helper()
	err := s.View(t.Context(), func(r ledger.Rows) (err error) { v, err = r.Get(table, []byte(key)); return err })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rows: order is bytewise, tables are apart, empty is not absent.
func rows(t *testing.T, s ledger.Shelf) {
	keys := []string{"", "\x00", "a", "a\x00", "ab", "b", "\x7f", "\x80", "\xff", "\xff\xff"}
	update(t, s, func(r ledger.Rows) error {
		for i := range keys {
			k := keys[len(keys)-1-i]
			if err := errors.Join(r.Put("t", []byte(k), []byte("v"+k)), r.Put("u", []byte(k), nil)); err != nil {
				return err
			}
		}
		return errors.Join(r.Put("t", []byte("a"), []byte("again")), r.Delete("u", []byte("ab")), r.Delete("u", []byte("never there")))
	})
	err := s.View(t.Context(), func(r ledger.Rows) error {
		i := 0
		for row, err := range r.Scan("t", nil, nil) {
			if err != nil {
				return err
			}
			if string(row.Key) != keys[i] {
				t.Errorf("row %d is %q, want %q", i, row.Key, keys[i])
			}
			i++
		}
		if i != len(keys) {
			t.Errorf("%d rows, want %d", i, len(keys))
		}
		var some []string
		for row, err := range r.Scan("t", []byte("a"), []byte("b")) {
			if err != nil {
				return err
			}
			some = append(some, string(row.Key))
		}
		if fmt.Sprint(some) != fmt.Sprint([]string{"a", "a\x00", "ab"}) {
			t.Errorf("from a to b: %q", some)
		}
		last, ok, err := r.Last("t", []byte("a"), []byte("b"))
		if err != nil || !ok || string(last.Key) != "ab" {
			t.Errorf("last: %q, %v, %v", last.Key, ok, err)
		}
		if _, ok, err := r.Last("none", nil, nil); ok || err != nil {
			t.Errorf("last of an empty table: %v, %v", ok, err)
		}
		tables, err := r.Tables()
		if fmt.Sprint(tables) != "[t u]" {
			t.Errorf("tables %v", tables)
		}
		if ok, err := r.Add("t", []byte("new"), nil); ok || err == nil {
			t.Error("a view adds")
		}
		if r.Put("t", nil, nil) == nil || r.Delete("t", nil) == nil || r.Clear("t") == nil {
			t.Error("a view writes")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := get(t, s, "t", "a"); string(v) != "again" {
		t.Errorf("a is %q", v)
	}
	if v := get(t, s, "u", "a"); v == nil || len(v) != 0 {
		t.Errorf("an empty value reads as %v", v)
	}
	if v := get(t, s, "u", "ab"); v != nil {
		t.Errorf("a deleted row reads as %v", v)
	}
	for i, row := range []struct {
		key string
		new bool
	}{{"a", false}, {"added", true}, {"added", false}} {
		update(t, s, func(r ledger.Rows) error {
			added, err := r.Add("t", []byte(row.key), fmt.Append(nil, i))
			if added != row.new {
				t.Errorf("adding %s: %v", row.key, added)
			}
			return err
		})
	}
	if a, added := get(t, s, "t", "a"), get(t, s, "t", "added"); string(a) != "again" || string(added) != "1" {
		t.Errorf("a row is %q, one that was added %q", a, added)
	}
	update(t, s, func(r ledger.Rows) error { return r.Clear("t") })
	if get(t, s, "t", "a") != nil || get(t, s, "u", "a") == nil {
		t.Error("clearing one table cleared another, or none")
	}
}

var errWanted = errors.New("wanted")

// tried: an error or a panic undoes what was tried, within one update, and no more.
func tried(t *testing.T, s ledger.Shelf) {
	update(t, s, func(r ledger.Rows) error {
		if err := r.Put("t", []byte("before"), []byte("1")); err != nil {
			return err
		}
		for i, how := range []string{"well", "error", "panic", "well"} {
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = errWanted
					}
				}()
				return r.Try(func() error {
					if err := errors.Join(r.Put("t", []byte(how), fmt.Append(nil, i)), r.Put("t", []byte("before"), fmt.Append(nil, i))); err != nil {
						return err
					}
					switch how {
					case "error":
						return errWanted
					case "panic":
						panic(how)
					}
					return nil
				})
			}()
			if (how == "well") != (err == nil) || err != nil && !errors.Is(err, errWanted) {
				t.Errorf("trying %q: %v", how, err)
			}
			if v, err := r.Get("t", []byte(how)); err != nil || (v != nil) != (how == "well") {
				t.Errorf("after %q its row is %q, %v", how, v, err)
			}
		}
		return r.Put("t", []byte("after"), nil)
	})
	for key, want := range map[string]string{"before": "3", "well": "3", "after": "", "error": "", "panic": ""} {
		if v := get(t, s, "t", key); string(v) != want {
			t.Errorf("%s is %q, want %q", key, v, want)
		}
	}
	if err := s.View(t.Context(), func(r ledger.Rows) error { return r.Try(func() error { return nil }) }); err == nil {
		t.Error("a view tries")
	}
}

// undone: an error undoes everything.
func undone(t *testing.T, s ledger.Shelf) {
	update(t, s, func(r ledger.Rows) error { return r.Put("t", []byte("k"), []byte("1")) })
	err := s.Update(t.Context(), func(r ledger.Rows) error {
		return errors.Join(r.Put("t", []byte("k"), []byte("2")), r.Put("t", []byte("l"), []byte("2")), errWanted)
	})
	if !errors.Is(err, errWanted) {
		t.Errorf("the error became %v", err)
	}
	if string(get(t, s, "t", "k")) != "1" || get(t, s, "t", "l") != nil {
		t.Error("something of it stayed")
	}
}

// panics: so does a panic, and the shelf goes on.
func panics(t *testing.T, s ledger.Shelf) {
	func() {
		defer func() { _ = recover() }()
		_ = s.Update(t.Context(), func(r ledger.Rows) error {
			_ = r.Put("t", []byte("k"), []byte("1"))
			panic("wanted")
		})
	}()
	if get(t, s, "t", "k") != nil {
		t.Error("something of it stayed")
	}
	update(t, s, func(r ledger.Rows) error { return r.Put("t", []byte("k"), []byte("2")) })
}

// views: a view sees one state, whatever is written meanwhile.
func views(t *testing.T, s ledger.Shelf) {
	update(t, s, func(r ledger.Rows) error { return r.Put("t", []byte("k"), []byte("before")) })
	err := s.View(t.Context(), func(r ledger.Rows) error { // its state stands before it reads
		update(t, s, func(r ledger.Rows) error { return r.Put("t", []byte("k"), []byte("between")) })
		v, err := r.Get("t", []byte("k"))
		if err != nil {
			return err
		}
		if string(v) != "before" {
			t.Errorf("a view saw %q, which was written after it began", v)
		}
		update(t, s, func(r ledger.Rows) error { return r.Put("t", []byte("k"), []byte("after")) })
		again, err := r.Get("t", []byte("k"))
		if !bytes.Equal(v, again) {
			t.Errorf("a view saw %q, then %q", v, again)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(get(t, s, "t", "k")) != "after" {
		t.Error("the write was lost")
	}
}

// alone: updates do not overlap.
func alone(t *testing.T, s ledger.Shelf) {
	var wg sync.WaitGroup
	const workers, each = 8, 25
	for range workers {
		wg.Go(func() {
			for range each {
				err := s.Update(t.Context(), func(r ledger.Rows) error {
					v, err := r.Get("t", []byte("count"))
					if err != nil {
						return err
					}
					return r.Put("t", []byte("count"), append(v, 1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(get(t, s, "t", "count")); n != workers*each {
		t.Errorf("%d of %d updates count", n, workers*each)
	}
}

func closed(t *testing.T, s ledger.Shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, func(r ledger.Rows) error { return r.Put("t", nil, nil) }); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Update(t.Context(), func(ledger.Rows) error { return nil }) == nil || s.View(t.Context(), func(ledger.Rows) error { return nil }) == nil {
		t.Error("a closed shelf answers")
	}
}

func large(t *testing.T, s ledger.Shelf) {
	big := bytes.Repeat([]byte{7}, 4<<20)
	update(t, s, func(r ledger.Rows) error {
		for i := range 1000 {
			if err := r.Put("many", fmt.Appendf(nil, "%04d", i), []byte{1}); err != nil {
				return err
			}
		}
		return r.Put("t", []byte("big"), big)
	})
	if !bytes.Equal(get(t, s, "t", "big"), big) {
		t.Error("a large value came back changed")
	}
	n := 0
	err := s.View(t.Context(), func(r ledger.Rows) error {
		for _, err := range r.Scan("many", nil, nil) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil || n != 1000 {
		t.Errorf("%d of 1000 rows, %v", n, err)
	}
}
