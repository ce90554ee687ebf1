package ledger

import (
	"bytes"
	"iter"
	"strings"
	"sync"
)

// kept is the rows of one transaction, with those that were read of its state: the
// acts that share a commit, and those who look between two commits, ask for the same
// partner, pact and person one after the other.
type kept struct {
	Rows
	*state
}

// state is what was read of one state of the rows. An Update's is its own until it
// commits; then the Views that see what it wrote go on with it.
type state struct {
	mu     sync.Mutex
	tables map[string]*keptTable
	n      int // bytes in them
}

type keptTable struct {
	rows  map[string][]byte // by key, as read or written since; nil: there is none
	scans map[span][]Row    // as read, while nothing is written to the table
}

// span is what a scan was asked for; a nil end is the end of the table.
type span struct {
	from, to string
	open     bool
}

const (
	// maxKept bounds the bytes that are kept: a rebuild reads every product.
	maxKept = 1 << 20
	// maxKeptScan bounds the rows of a scan that is kept: a queue is read once.
	maxKeptScan = 16
)

// keeps reports whether rows of a table are asked for again: entries, proofs and
// content are not.
func keeps(table string) bool {
	return strings.HasPrefix(table, FoldPrefix) || table == tableHead || table == tablePeer
}

func newState() *state { return &state{tables: make(map[string]*keptTable)} }

// table is called with mu held.
func (s *state) table(name string) *keptTable {
	if s.n >= maxKept {
		s.forget()
	}
	t := s.tables[name]
	if t == nil {
		t = &keptTable{rows: make(map[string][]byte), scans: make(map[span][]Row)}
		s.tables[name] = t
	}
	return t
}

func (s *state) forget() {
	clear(s.tables)
	s.n = 0
}

// row finds what was read of a row.
func (s *state) row(table string, key []byte) (b []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok = s.table(table).rows[string(key)]
	return b, ok
}

// read keeps what was read of a row, or written to it.
func (s *state) read(table string, key, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table(table).rows[string(key)] = value
	s.n += len(key) + len(value)
}

// wrote forgets what a write to a row makes untrue, and reports whether it was asked for.
func (s *state) wrote(table string, key []byte) (asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[table]; t != nil {
		_, asked = t.rows[string(key)]
		delete(t.rows, string(key))
		clear(t.scans)
	}
	return asked
}

func (k *kept) Get(table string, key []byte) ([]byte, error) {
	if !keeps(table) {
		return k.Rows.Get(table, key)
	}
	if b, ok := k.row(table, key); ok {
		return b, nil
	}
	b, err := k.Rows.Get(table, key)
	if err == nil {
		k.read(table, key, b)
	}
	return b, err
}

// Put keeps the new value of a row that was asked for: a clock, a count.
func (k *kept) Put(table string, key, value []byte) error {
	asked := k.wrote(table, key)
	err := k.Rows.Put(table, key, value)
	if err == nil && asked {
		k.read(table, key, append([]byte{}, value...))
	}
	return err
}

func (k *kept) Add(table string, key, value []byte) (bool, error) {
	k.wrote(table, key)
	return k.Rows.Add(table, key, value)
}

func (k *kept) Delete(table string, key []byte) error {
	k.wrote(table, key)
	return k.Rows.Delete(table, key)
}

func (k *kept) Clear(table string) error {
	k.mu.Lock()
	delete(k.tables, table)
	k.mu.Unlock()
	return k.Rows.Clear(table)
}

// Try forgets all after an error: what f wrote is undone.
func (k *kept) Try(f func() error) (err error) {
	done := false
	defer func() {
		if err != nil || !done {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.forget()
		}
	}()
	err = k.Rows.Try(f)
	done = true
	return err
}

// Scan keeps a short one that was read to its end.
func (k *kept) Scan(table string, from, to []byte) iter.Seq2[Row, error] {
	if !keeps(table) {
		return k.Rows.Scan(table, from, to)
	}
	s := span{string(from), string(to), to == nil}
	return func(yield func(Row, error) bool) {
		k.mu.Lock()
		all, ok := k.table(table).scans[s]
		k.mu.Unlock()
		if ok {
			for _, row := range all {
				if !yield(row.clone(), nil) {
					return
				}
			}
			return
		}
		n, short := 0, true
		for row, err := range k.Rows.Scan(table, from, to) {
			if short = short && err == nil && len(all) < maxKeptScan; short {
				all = append(all, row.clone())
				n += len(row.Key) + len(row.Value)
			}
			if !yield(row, err) {
				return
			}
		}
		if short {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.table(table).scans[s] = all
			k.n += len(s.from) + len(s.to) + n
		}
	}
}

func (r Row) clone() Row { return Row{bytes.Clone(r.Key), bytes.Clone(r.Value)} }
