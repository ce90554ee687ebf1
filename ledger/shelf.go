package ledger

import (
	"context"
	"errors"
	"iter"
)

// ErrStorage says that the store's state is no longer known: a write, a sync
// or a commit failed. The node must stop; trying again in place has lost
// acknowledged acts in other systems.
var ErrStorage = errors.New("storage failed")

// ErrFull says that the disk has too little room to begin: nothing happened, and
// the store goes on. What it holds can be read.
var ErrFull = errors.New("the disk is nearly full: free some space and try again; nothing was entered, and what is kept can be read")

// Shelf keeps the rows of one node's ledger and of what is folded from it.
// Its methods may be called at the same time.
type Shelf interface {
	// View runs f on one consistent snapshot: what is committed after f began is not in it.
	View(ctx context.Context, f func(Rows) error) error
	// Update runs f alone: no other Update of this store, in this process or
	// another, overlaps it. When it returns nil all of f's writes are durable;
	// otherwise none happened, unless the error is ErrStorage.
	Update(ctx context.Context, f func(Rows) error) error
	// Close waits for what runs and releases the store.
	Close() error
}

// Rows is a set of named tables of keys in bytewise order, valid inside one
// View or Update.
type Rows interface {
	// Get returns nil when there is no such row, and an empty slice for an empty value.
	Get(table string, key []byte) ([]byte, error)
	Put(table string, key, value []byte) error
	// Add puts a row unless the key has one; it reports whether it did.
	Add(table string, key, value []byte) (bool, error)
	Delete(table string, key []byte) error
	// Scan reads the rows with from <= key < to, ascending; a nil to is the end
	// of the table. The table must not be written while it is scanned.
	Scan(table string, from, to []byte) iter.Seq2[Row, error]
	// Last returns the row with the greatest key in the same range.
	Last(table string, from, to []byte) (Row, bool, error)
	// Clear removes every row of a table.
	Clear(table string) error
	// Tables names the tables that have rows, sorted.
	Tables() ([]string, error)
	// Try runs f, which writes through the same Rows. An error, or a panic, undoes
	// what f wrote and nothing else.
	Try(f func() error) error
}

// Row is one row. Its bytes belong to the caller.
type Row struct{ Key, Value []byte }
