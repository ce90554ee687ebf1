package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"entente/internal/durable"
	"entente/ledger"

	"github.com/ncruces/go-sqlite3"
)

// fault is a failure of the engine, in words for people: what happened, what was not
// done, and what to do. The engine's own words are for the log.
type fault struct {
	text  string
	kind  error // ledger.ErrStorage, or nil: the store goes on
	cause error
}

// Error implements error.
func (f *fault) Error() string { return f.text }

// Unwrap returns what a caller may test for.
func (f *fault) Unwrap() []error {
	if f.kind == nil {
		return []error{f.cause}
	}
	return []error{f.kind, f.cause}
}

func full(err error) bool { return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) }

// writeFault is a write, a sync or a commit that failed.
func writeFault(err error) *fault {
	text := "the disk failed, and the node stops: what was being entered is there whole or not at all, and what was acknowledged before is kept; check the disk, start the node again, and look before you do it again"
	if full(err) {
		text = "the disk is full, and the node stops: what was being entered is there whole or not at all, and what was acknowledged before is kept; free some space, start the node again, and look before you do it again"
	}
	return &fault{text, ledger.ErrStorage, err}
}

// readFault is a read that failed: nothing was written by it.
func readFault(err error) *fault {
	text := "the ledger cannot be read, because the disk failed: nothing was changed and nothing is shown; try again, and if it stays, check the disk and start the node again"
	if damaged(err) {
		text = "the ledger cannot be read, because its database is damaged: nothing was changed and nothing is shown; stop the node, and put the newest copy of its folder back"
	}
	return &fault{text, nil, err}
}

// opening is what making the log and its index anew takes of the disk, amply.
const opening = 128 << 10

// openFault is the database at path that could not be opened.
func openFault(path string, err error) *fault {
	// Of the index that it cannot make the engine says no more than that the disk failed.
	if room, rerr := durable.Room(path); rerr == nil && room < opening && errors.Is(err, sqlite3.IOERR) {
		err = fmt.Errorf("%w: %w", err, syscall.ENOSPC)
	}
	text := "the database cannot be opened, because the disk failed: nothing was changed; check the disk, and try again"
	switch {
	case full(err):
		text = "the database cannot be opened, because the disk is full: nothing was changed; free some space, and try again"
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		text = "the database cannot be opened, because another process uses it: nothing was changed; end that one, and try again"
	case errors.Is(err, sqlite3.PERM), errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.READONLY), errors.Is(err, fs.ErrPermission):
		text = "the database cannot be opened, because this user may not read and write its file and its folder: nothing was changed; give the folder back to its owner"
	}
	return &fault{text, nil, err}
}

// Cause returns the engine's own words within err, for the log; nil: there are none.
func Cause(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return f.cause
	}
	return nil
}

func damaged(err error) bool {
	return errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB)
}
