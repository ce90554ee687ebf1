package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"entente/ledger"
)

// Ledger returns a shelf for the ledger on the disk.
func (d *Disk) Ledger() ledger.Shelf {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &ledgerShelf{d: d, life: d.life}
}

type ledgerShelf struct {
	d    *Disk
	life int

	mu     sync.Mutex
	closed bool
	dead   error // as with a real store: after a failed write every call fails
}

func (s *ledgerShelf) usable(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return errors.Join(s.dead, ctx.Err())
}

func (s *ledgerShelf) fail(what string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = fmt.Errorf("%w: %s: %w", ledger.ErrStorage, what, err)
	return s.dead
}

// View implements ledger.Shelf.
func (s *ledgerShelf) View(ctx context.Context, f func(ledger.Rows) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	r := &rows{}
	if err := s.d.do(s.life, View, func() error { r.root = s.d.rows; return nil }); err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	return f(r)
}

// Update implements ledger.Shelf.
func (s *ledgerShelf) Update(ctx context.Context, f func(ledger.Rows) error) error {
	select {
	case s.d.write <- struct{}{}:
		defer func() { <-s.d.write }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	r := &rows{write: true}
	if err := s.d.do(s.life, Begin, func() error { r.root = s.d.rows; return nil }); err != nil {
		return s.fail("beginning", err)
	}
	if err := f(r); err != nil {
		return err
	}
	if err := s.d.do(s.life, Commit, func() error { s.d.rows = r.root; return nil }); err != nil {
		return s.fail("committing", err)
	}
	if err := s.d.do(s.life, Committed, func() error { return nil }); err != nil {
		return s.fail("committing", err)
	}
	return nil
}

// Close implements ledger.Shelf.
func (s *ledgerShelf) Close() error {
	s.d.write <- struct{}{}
	defer func() { <-s.d.write }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// rows implements ledger.Rows on one root.
type rows struct {
	root  *node
	write bool
}

var errReadOnly = errors.New("a view does not write")

// A row's place is its table, a zero byte and its key: tables are apart, and
// within one order is that of the keys.
func place(table string, key []byte) string { return table + "\x00" + string(key) }

// bounds are the places from <= place < to.
func bounds(table string, from, to []byte) (string, string) {
	if to == nil {
		return place(table, from), table + "\x01"
	}
	return place(table, from), place(table, to)
}

func (n *node) row(table string) ledger.Row {
	return ledger.Row{Key: []byte(n.key[len(table)+1:]), Value: append([]byte{}, n.value...)}
}

// Get implements ledger.Rows.
func (r *rows) Get(table string, key []byte) ([]byte, error) {
	k := place(table, key)
	if n := r.root.last(k + "\x00"); n != nil && n.key == k {
		return append([]byte{}, n.value...), nil
	}
	return nil, nil
}

// replace puts n in the place of the rows from <= place < to.
func (r *rows) replace(from, to string, n *node) error {
	if !r.write {
		return errReadOnly
	}
	low, rest := r.root.split(from)
	_, high := rest.split(to)
	r.root = merge(merge(low, n), high)
	return nil
}

// Put implements ledger.Rows.
func (r *rows) Put(table string, key, value []byte) error {
	k := place(table, key)
	return r.replace(k, k+"\x00", newNode(k, bytes.Clone(value)))
}

// Add implements ledger.Rows.
func (r *rows) Add(table string, key, value []byte) (bool, error) {
	if b, err := r.Get(table, key); b != nil && r.write || err != nil {
		return false, err
	}
	err := r.Put(table, key, value)
	return err == nil, err
}

// Delete implements ledger.Rows.
func (r *rows) Delete(table string, key []byte) error {
	k := place(table, key)
	return r.replace(k, k+"\x00", nil)
}

// Clear implements ledger.Rows.
func (r *rows) Clear(table string) error {
	from, to := bounds(table, nil, nil)
	return r.replace(from, to, nil)
}

// Scan implements ledger.Rows.
func (r *rows) Scan(table string, from, to []byte) iter.Seq2[ledger.Row, error] {
	low, high := bounds(table, from, to)
	return func(yield func(ledger.Row, error) bool) {
		r.root.walk(low, high, func(n *node) bool { return yield(n.row(table), nil) })
	}
}

// Last implements ledger.Rows.
func (r *rows) Last(table string, from, to []byte) (ledger.Row, bool, error) {
	low, high := bounds(table, from, to)
	if n := r.root.last(high); n != nil && n.key >= low {
		return n.row(table), true, nil
	}
	return ledger.Row{}, false, nil
}

// Tables implements ledger.Rows.
func (r *rows) Tables() (all []string, err error) {
	high := "\xff" // above every name
	for n := r.root.last(high); n != nil; n = r.root.last(high) {
		table, _, _ := strings.Cut(n.key, "\x00")
		all = append([]string{table}, all...)
		high = table + "\x00"
	}
	return all, nil
}

// Try implements ledger.Rows.
func (r *rows) Try(f func() error) error {
	if !r.write {
		return errReadOnly
	}
	before, done := r.root, false
	defer func() {
		if !done {
			r.root = before
		}
	}()
	err := f()
	done = err == nil
	return err
}
