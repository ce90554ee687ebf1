package sqlite

import "sync"

// pages keeps pages of one database in the clear for all of its connections:
// SQLite's own cache is a connection's, and a reader forgets it with every commit,
// so that each view would decrypt again what it reads. The folder is locked: what
// these connections write is all that changes the files.
type pages struct {
	mu      sync.Mutex
	at      map[place]*page
	ring    []page // all of it from the start: what the system has not been asked for costs nothing
	kept    int    // so many of them are in use
	hand    int
	changes uint64 // of the files, counted when each begins and when it ends
}

// place is where a page begins in the database or in its write-ahead log.
type place struct {
	wal bool
	off int64
}

type page struct {
	place
	used bool // since the hand came by
	b    [pageSize]byte
}

const (
	pageSize = 4096
	maxPages = 8192 // 32 MiB: twice what the write-ahead log grows to, so that its checkpoint finds each page
	// In the log a header of 32 bytes stands first, and one of 24 before each page
	// (https://sqlite.org/fileformat2.html#the_write_ahead_log).
	walHead, frameHead = 32, 24
)

func newPages() *pages {
	return &pages{at: make(map[place]*page, maxPages), ring: make([]page, maxPages)}
}

// slots gives where the first page lies and how far it is to the next.
func slots(wal bool) (first, stride int64) {
	if wal {
		return walHead + frameHead, frameHead + pageSize
	}
	return 0, pageSize
}

// whole reports whether n bytes at p are one page.
func (p place) whole(n int) bool {
	first, stride := slots(p.wal)
	return n == pageSize && p.off >= first && (p.off-first)%stride == 0
}

// get copies a page, and otherwise returns what put wants to know.
func (c *pages) get(b []byte, p place) (ok bool, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept := c.at[p]; kept != nil {
		kept.used = true
		copy(b, kept.b[:])
		return true, 0
	}
	return false, c.changes
}

// put keeps a page that was read, unless a file has changed meanwhile.
func (c *pages) put(b []byte, p place, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.keep(b, p)
	}
}

// change forgets what n bytes at p are about to change.
func (c *pages) change(n int, p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	first, stride := slots(p.wal)
	at := first
	if past := p.off - pageSize + 1 - first; past > 0 {
		at += (past + stride - 1) / stride * stride
	}
	for ; at < p.off+int64(n); at += stride {
		c.drop(place{p.wal, at})
	}
}

// changed keeps what has been written, if it is a page.
func (c *pages) changed(b []byte, p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if p.whole(len(b)) {
		c.keep(b, p)
	}
}

// forget drops everything: what is read next comes from the disk.
func (c *pages) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	clear(c.at)
	c.kept, c.hand = 0, 0
}

func (c *pages) drop(p place) {
	if kept := c.at[p]; kept != nil {
		delete(c.at, p)
		kept.used = false
	}
}

func (c *pages) keep(b []byte, p place) {
	kept := c.at[p]
	switch {
	case kept != nil:
	case c.kept < maxPages:
		kept = &c.ring[c.kept]
		c.kept++
	default:
		for c.ring[c.hand].used {
			c.ring[c.hand].used = false
			c.hand = (c.hand + 1) % maxPages
		}
		kept = &c.ring[c.hand]
		c.hand = (c.hand + 1) % maxPages
		if c.at[kept.place] == kept {
			delete(c.at, kept.place)
		}
	}
	kept.place, kept.used = p, true
	c.at[p] = kept
	copy(kept.b[:], b)
}
