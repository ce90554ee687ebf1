package ledger

import (
	"iter"
	"slices"
)

// kept is the rows of one Update, with those that it read: the acts that share a
// commit ask for the same partner, pact and person one after the other.
type kept struct {
	Rows
	tables map[string]*keptTable
	n      int // how much is kept
}

type keptTable struct {
	rows   map[string][]byte // by key, as read or written since; nil: there is none
	scans  map[span][]Row    // as read, while nothing is written to the table
	writes int
}

// span is what a scan was asked for; a nil end is the end of the table.
type span struct {
	from, to string
	open     bool
}

const (
	// maxKept bounds the rows and scans that an Update keeps: a rebuild reads every product.
	maxKept = 1 << 12
	// maxKeptScan bounds the rows of a scan that is kept: a queue is read once.
	maxKeptScan = 16
	// maxKeptValue bounds a value that is kept: sealed content is read once.
	maxKeptValue = 16 << 10
)

func keep(r Rows) *kept { return &kept{Rows: r, tables: make(map[string]*keptTable)} }

func (k *kept) table(name string) *keptTable {
	if k.n >= maxKept {
		k.forget()
	}
	t := k.tables[name]
	if t == nil {
		t = &keptTable{rows: make(map[string][]byte), scans: make(map[span][]Row)}
		k.tables[name] = t
	}
	return t
}

func (k *kept) forget() {
	clear(k.tables)
	k.n = 0
}

// wrote forgets what a write to a row makes untrue.
func (k *kept) wrote(table string, key []byte) {
	if t := k.tables[table]; t != nil {
		t.writes++
		delete(t.rows, string(key))
		clear(t.scans)
	}
}

func (k *kept) Get(table string, key []byte) ([]byte, error) {
	t := k.table(table)
	if b, ok := t.rows[string(key)]; ok {
		return b, nil
	}
	b, err := k.Rows.Get(table, key)
	if err == nil && len(b) <= maxKeptValue {
		t.rows[string(key)] = b
		k.n++
	}
	return b, err
}

// Put keeps the new value of a row that was asked for: a clock, a count.
func (k *kept) Put(table string, key, value []byte) error {
	t := k.table(table)
	_, asked := t.rows[string(key)]
	k.wrote(table, key)
	err := k.Rows.Put(table, key, value)
	if err == nil && asked && len(value) <= maxKeptValue {
		t.rows[string(key)] = append([]byte{}, value...)
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
	delete(k.tables, table)
	return k.Rows.Clear(table)
}

// Try forgets all after an error: what f wrote is undone.
func (k *kept) Try(f func() error) (err error) {
	done := false
	defer func() {
		if err != nil || !done {
			k.forget()
		}
	}()
	err = k.Rows.Try(f)
	done = true
	return err
}

func (k *kept) Scan(table string, from, to []byte) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		t, s := k.table(table), span{string(from), string(to), to == nil}
		if all, ok := t.scans[s]; ok {
			for _, row := range all {
				if !yield(Row{slices.Clone(row.Key), slices.Clone(row.Value)}, nil) {
					return
				}
			}
			return
		}
		var all []Row
		small, writes := true, t.writes
		for row, err := range k.Rows.Scan(table, from, to) {
			if small = small && err == nil && len(all) < maxKeptScan && len(row.Value) <= maxKeptValue; small {
				all = append(all, Row{slices.Clone(row.Key), slices.Clone(row.Value)})
			}
			if !yield(row, err) {
				return
			}
		}
		if small && k.tables[table] == t && t.writes == writes { // unless the caller wrote meanwhile
			t.scans[s] = all
			k.n += 1 + len(all)
		}
	}
}
