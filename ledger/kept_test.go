package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"entente/internal/memory"
	"entente/ledger"
	"entente/ledger/ledgertest"
)

// lent is the rows of a ledger's transactions as a shelf.
type lent struct{ *ledger.Ledger }

func (l lent) View(ctx context.Context, f func(ledger.Rows) error) error {
	return l.Ledger.View(ctx, func(tx *ledger.Tx) error { return f(folded{tx}) })
}

func (l lent) Update(ctx context.Context, f func(ledger.Rows) error) error {
	return l.Ledger.Update(ctx, func(tx *ledger.Tx) error { return f(folded{tx}) })
}

// folded has every table stand among the folded ones, of which rows are kept.
type folded struct{ ledger.Rows }

func (f folded) Get(t string, k []byte) ([]byte, error) { return f.Rows.Get(ledger.FoldPrefix+t, k) }
func (f folded) Put(t string, k, v []byte) error        { return f.Rows.Put(ledger.FoldPrefix+t, k, v) }
func (f folded) Delete(t string, k []byte) error        { return f.Rows.Delete(ledger.FoldPrefix+t, k) }
func (f folded) Clear(t string) error                   { return f.Rows.Clear(ledger.FoldPrefix + t) }
func (f folded) Add(t string, k, v []byte) (bool, error) {
	return f.Rows.Add(ledger.FoldPrefix+t, k, v)
}
func (f folded) Scan(t string, from, to []byte) iter.Seq2[ledger.Row, error] {
	return f.Rows.Scan(ledger.FoldPrefix+t, from, to)
}
func (f folded) Last(t string, from, to []byte) (ledger.Row, bool, error) {
	return f.Rows.Last(ledger.FoldPrefix+t, from, to)
}
func (f folded) Tables() ([]string, error) {
	all, err := f.Rows.Tables()
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], ledger.FoldPrefix)
	}
	return all, err
}

// TestKept: with the rows that it keeps a ledger's transactions are those of a shelf.
func TestKept(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Shelf {
		return lent{ledger.Open(memory.NewDisk().Ledger(), ledger.Config{Party: "KR"})}
	})
}

// TestKeptStates: whoever looks while others write, fail and undo sees one state, and no
// row of another: each commit raises every row to one number.
func TestKeptStates(t *testing.T) {
	s := lent{ledger.Open(memory.NewDisk().Ledger(), ledger.Config{Party: "KR"})}
	keys := []string{"a", "b", "c", "d"}
	if err := s.Update(t.Context(), func(r ledger.Rows) error { return write(r, keys, 0) }); err != nil {
		t.Fatal(err)
	}
	undone := errors.New("undone")
	var writers, viewers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			draw := rand.New(rand.NewPCG(7, uint64(w)))
			for range 300 {
				fails := draw.IntN(3) == 0
				err := s.Update(t.Context(), func(r ledger.Rows) error {
					at, err := read(r, keys, draw)
					if err != nil {
						return err
					}
					if err := write(r, keys, at+1); err != nil || !fails {
						return err
					}
					_, err = read(r, keys, draw)
					return errors.Join(undone, err)
				})
				if fails && (!errors.Is(err, undone) || err.Error() != undone.Error()) || !fails && err != nil {
					t.Errorf("writing: %v", err)
				}
			}
		})
		viewers.Go(func() {
			draw, last := rand.New(rand.NewPCG(8, uint64(w))), 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := s.View(t.Context(), func(r ledger.Rows) error {
					at, err := read(r, keys, draw)
					if at < last {
						t.Errorf("%d was seen after %d", at, last)
					}
					last = at
					return err
				})
				if err != nil {
					t.Errorf("looking: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	viewers.Wait()
}

// between is a shelf that lets something happen just before a View, or after a commit.
type between struct {
	ledger.Shelf
	view, committed func()
}

func (b *between) View(ctx context.Context, f func(ledger.Rows) error) error {
	if do := b.view; do != nil {
		b.view = nil
		do()
	}
	return b.Shelf.View(ctx, f)
}

func (b *between) Update(ctx context.Context, f func(ledger.Rows) error) error {
	err := b.Shelf.Update(ctx, f)
	if do := b.committed; do != nil {
		b.committed = nil
		do()
	}
	return err
}

// TestKeptMoments: what was read before a commit is not taken for what stands after it.
func TestKeptMoments(t *testing.T) {
	b := &between{Shelf: memory.NewDisk().Ledger()}
	s := lent{ledger.Open(b, ledger.Config{Party: "KR"})}
	key := []byte("key")
	put := func(v string) {
		t.Helper()
		if err := s.Update(t.Context(), func(r ledger.Rows) error { return r.Put("t", key, []byte(v)) }); err != nil {
			t.Error(err)
		}
	}
	sees := func(want string) {
		t.Helper()
		err := s.View(t.Context(), func(r ledger.Rows) error {
			got, err := r.Get("t", key)
			if err == nil && string(got) != want {
				err = fmt.Errorf("%q stands there, want %q", got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	put("one")
	sees("one")
	b.committed = func() { sees("two") } // before the ledger knows
	put("two")
	sees("two")
	b.view = func() { put("three") } // after the View knew which state it may share
	sees("three")
	sees("three")
	err := s.Update(t.Context(), func(r ledger.Rows) error {
		for _, x := range []struct {
			what string
			do   func() error
			want string
		}{
			{"as it was", func() error { return nil }, "three"},
			{"put", func() error { return r.Put("t", key, []byte("four")) }, "four"},
			{"deleted", func() error { return r.Delete("t", key) }, ""},
			{"added", func() error { _, err := r.Add("t", key, []byte("five")); return err }, "five"},
			{"cleared", func() error { return r.Clear("t") }, ""},
			{"put anew", func() error { return r.Put("t", key, []byte("six")) }, "six"},
			{"undone", func() error {
				undone := errors.New("undone")
				err := r.Try(func() error { return errors.Join(undone, r.Put("t", key, []byte("seven"))) })
				if errors.Is(err, undone) {
					return nil
				}
				return errors.Join(errors.New("not undone"), err)
			}, "six"},
		} {
			if err := x.do(); err != nil {
				return fmt.Errorf("%s: %w", x.what, err)
			}
			got, err := r.Get("t", key)
			var scanned string
			for row, err := range r.Scan("t", nil, nil) {
				if err != nil {
					return err
				}
				scanned += string(row.Value)
			}
			if err != nil || string(got) != x.want || scanned != x.want {
				t.Errorf("%s: got %q, scanned %q, want %q, %v", x.what, got, scanned, x.want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	sees("six")
}

func write(r ledger.Rows, keys []string, n int) (err error) {
	for _, k := range keys {
		err = errors.Join(err, r.Put("t", []byte(k), fmt.Append(nil, n)))
	}
	return err
}

// read reads every row, each in one of two ways, and the number in all of them.
func read(r ledger.Rows, keys []string, draw *rand.Rand) (n int, err error) {
	seen := map[string]bool{}
	for _, k := range keys {
		if draw.IntN(2) == 0 {
			b, err := r.Get("t", []byte(k))
			if err != nil {
				return 0, err
			}
			seen[string(b)] = true
			continue
		}
		for row, err := range r.Scan("t", []byte(k), append([]byte(k), 0)) {
			if err != nil {
				return 0, err
			}
			seen[string(row.Value)] = true
		}
	}
	all := slices.Collect(maps.Keys(seen))
	if len(all) != 1 {
		return 0, fmt.Errorf("rows of several states: %q", all)
	}
	_, err = fmt.Sscan(all[0], &n)
	return n, err
}
