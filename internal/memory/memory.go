// Package memory is a node's storage and network in memory, for tests, for the
// simulator, and for a ledger's past, which is folded anew there: the two shelves of a [Disk], the connections of a [Network],
// and what either can do to a node.
//
// A disk outlives the shelves on it, as a folder outlives a process. [Disk.Crash]
// ends the shelves as a power cut does, [Disk.Copy] is a backup, [Disk.Restore]
// puts one back, and [Disk.Fault] makes any operation fail. Rows are a tree that
// is never changed in place: a snapshot, a backup and an undone transaction
// each cost one pointer.
//
// What is made inside a synctest bubble is used only there.
package memory

import (
	"bytes"
	"errors"
	"maps"
	"sync"

	"entente/vault"
)

// Op is an operation that can be made to fail.
type Op string

// The operations. A fault at Commit or Keep comes before anything is durable;
// at Committed or Kept everything is, and only the answer is lost.
const (
	View      Op = "view"
	Begin     Op = "begin"
	Commit    Op = "commit"
	Committed Op = "committed"
	Stage     Op = "stage"
	Write     Op = "write"
	Keep      Op = "keep"
	Kept      Op = "kept"
	OpenFile  Op = "open"
	Read      Op = "read"
	Remove    Op = "remove"
	List      Op = "list"
)

var (
	// ErrClosed says that the shelf was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrCrashed says that the disk has crashed since the shelf was opened.
	ErrCrashed = errors.New("the machine has crashed")
)

// Disk is what outlives a process.
type Disk struct {
	write chan struct{} // held by the one update that runs

	mu    sync.Mutex
	fault func(Op) error
	life  int // counts crashes: a shelf lives in one
	rows  *node
	kept  map[vault.Digest][]byte // never changed in place
	stage map[string][]byte       // not synced: a crash may take any end of it
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return &Disk{write: make(chan struct{}, 1), kept: map[vault.Digest][]byte{}, stage: map[string][]byte{}}
}

// Fault has f asked before each operation; an error makes it fail. f is called
// by one goroutine at a time, and must not call the disk. Nil: all goes well.
func (d *Disk) Fault(f func(Op) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Copy returns a disk of its own with the same state: a backup.
func (d *Disk) Copy() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := NewDisk()
	c.rows, c.kept, c.stage = d.rows, maps.Clone(d.kept), cloned(d.stage)
	return c
}

// Rows tells one state of the rows from another: two that are equal hold the same.
func (d *Disk) Rows() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows
}

// Restore puts a backup back: whoever has a shelf open sees a crash.
func (d *Disk) Restore(backup *Disk) {
	c := backup.Copy()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.rows, d.kept, d.stage = c.rows, c.kept, c.stage
}

// Crash ends every open shelf. Of bytes that were staged and not kept, survive
// says how many are left of n; nil: none are.
func (d *Disk) Crash(survive func(name string, n int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	for _, name := range sorted(d.stage) {
		n := 0
		if survive != nil {
			n = survive(name, len(d.stage[name]))
		}
		if n == 0 {
			delete(d.stage, name)
			continue
		}
		d.stage[name] = d.stage[name][:n]
	}
}

// do runs f under the lock, if no crash came since life and no fault comes first.
func (d *Disk) do(life int, op Op, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life != life {
		return ErrCrashed
	}
	if d.fault != nil {
		if err := d.fault(op); err != nil {
			return err
		}
	}
	return f()
}

// Swap puts b in the place of a kept object, nil nothing, and returns what was there.
func (d *Disk) Swap(o vault.Digest, b []byte) (was []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if was = d.kept[o]; b == nil {
		delete(d.kept, o)
	} else {
		d.kept[o] = b
	}
	return was
}

// Rot changes one bit in the middle of a kept object, as a disk can that says
// nothing; a second time it puts it right.
func (d *Disk) Rot(o vault.Digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := bytes.Clone(d.kept[o]); len(b) > 0 {
		b[len(b)/2] ^= 1
		d.kept[o] = b
	}
}
