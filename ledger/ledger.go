// Package ledger keeps one party's acts, and those it received, as one Merkle
// tree, and proves what is in it.
//
// [Open] begins. Everything is written inside [Ledger.Update]: an act and its
// effect (the rows that Config.Fold derives from it) commit together or not at
// all. [Ledger.Checkpoint] signs the tree when somebody is about to be shown
// it, after the entries are durable; a partner's checkpoint is taken with
// [Tx.See], which refuses a ledger that contradicts what it signed before and
// returns the evidence.
//
// Trees, proofs and checkpoints are those of the public logs: RFC 6962 hashes,
// https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note. A receipt is an
// inclusion proof against a signed checkpoint. The package promises that a
// ledger only grows; it does not judge what is entered.
package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"entente/act"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Tables whose names begin with FoldPrefix are derived from the entries:
// [Ledger.Rebuild] drops and refolds them. All others are primary.
const FoldPrefix = "fold/"

const (
	tableEntry  = "ledger/entry"   // index → the tree's hashes that the entry completes, from its leaf upward, and the act's bytes
	tableDigest = "ledger/digest"  // digest of an act → index
	tableHead   = "ledger/head"    // "size" → number of entries
	tableSigned = "ledger/signed"  // size → our checkpoint as signed
	tablePeer   = "ledger/peer"    // party → head of its last checkpoint that we verified
	tableSeen   = "ledger/seen"    // party and size → each checkpoint of its that we verified
	tableProof  = "ledger/voucher" // index → the proof that came with a partner's act, and when
)

// ErrKnown says that an act with this digest is in the ledger already.
var ErrKnown = errors.New("the act is in the ledger already")

// Config is what a ledger needs of its node.
type Config struct {
	Party   act.Party
	Signers []note.Signer          // each signs every checkpoint
	Fold    func(*Tx, Entry) error // derives rows under FoldPrefix; pure but for the rows
}

// Ledger is one party's ledger. Its methods may be called at the same time.
type Ledger struct {
	shelf Shelf
	cfg   Config

	turn    chan struct{} // held by whoever commits
	signing sync.Mutex    // held by whoever signs a checkpoint

	mu     sync.Mutex
	signed map[int64][]byte // our checkpoints that no commit has kept yet, by size
	queue  []*work
	state  *state          // of the last commit; nil while the next one ends
	recent map[int64]Entry // by index modulo maxRecent: what was entered lately is carried soon, and was parsed
	grown  chan struct{}   // closed when entries are added
	dead   error           // set once a write's outcome is not known
	died   chan struct{}   // closed with it
}

// Open returns the ledger that shelf keeps.
func Open(shelf Shelf, cfg Config) *Ledger {
	return &Ledger{shelf: shelf, cfg: cfg, turn: make(chan struct{}, 1), signed: make(map[int64][]byte), recent: make(map[int64]Entry), grown: make(chan struct{}), died: make(chan struct{})}
}

// Died is closed when a write failed in a way that leaves the state unknown:
// the node must stop. [Ledger.Err] says why.
func (l *Ledger) Died() <-chan struct{} { return l.died }

// Err returns why the ledger died, or nil.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// Grown returns a channel that is closed when the ledger next grows.
func (l *Ledger) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// Entry is one leaf.
type Entry struct {
	Index  int64
	Digest act.Digest
	Act    act.Act
	Bytes  []byte
}

// Tx is one transaction. Rows gives the folded tables.
type Tx struct {
	Rows
	l      *Ledger
	size   int64
	writes bool             // it is an Update's
	added  []Entry          // by it
	cache  map[int64][]byte // hashes of tableEntry
}

// work is a function that waits for its turn to write.
type work struct {
	f        func(*Tx) error
	done     chan struct{} // closed once err is known
	err      error
	panicked any
}

// maxGroup bounds the functions that share one commit, so that none waits long.
const maxGroup = 256

// Update runs f alone and makes its writes durable, or undoes them all. Those
// who wait for the disk together share its next commit: each still sees what the
// one before it wrote, fails alone, and hears nothing before all is durable.
func (l *Ledger) Update(ctx context.Context, f func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &work{f: f, done: make(chan struct{})}
	l.mu.Lock()
	if l.dead != nil {
		defer l.mu.Unlock()
		return l.dead
	}
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		for !w.ended() { // others may have been before us
			l.commit(l.group())
		}
		<-l.turn
	case <-w.done:
	case <-ctx.Done():
		if l.leave(w) {
			return ctx.Err()
		}
		<-w.done // somebody is writing it
	}
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

func (w *work) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// group takes those who wait, oldest first.
func (l *Ledger) group() []*work {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.queue), maxGroup)
	g := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return g
}

// leave takes w out of the queue, unless its turn has come.
func (l *Ledger) leave(w *work) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queue, w)
	if i < 0 {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	return true
}

// commit runs a group in one transaction and answers each. It leads its own
// context: no caller's may end what others wait for.
func (l *Ledger) commit(g []*work) {
	var added []Entry
	var signed func()
	read := newState()
	err := l.shelf.Update(context.Background(), func(r Rows) error {
		r = &kept{r, read}
		tx, err := l.begin(r)
		if err != nil {
			return err
		}
		tx.writes = true
		if signed, err = l.keepSigned(r); err != nil {
			return err
		}
		if len(g) == 1 {
			err = tx.run(g[0])
		} else {
			for _, w := range g {
				before := *tx
				if r.Try(func() error { return tx.run(w) }) != nil {
					*tx = before
					tx.cache = nil // it may hold hashes of what was undone
				}
			}
		}
		if added = tx.added; err == nil && len(added) > 0 {
			err = r.Put(tableHead, []byte("size"), be(tx.size))
		}
		if err == nil {
			l.ends()
		}
		return err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, ErrStorage) && l.dead == nil:
		l.dead = err
		close(l.died)
	case err == nil:
		signed()
		l.state = read
		for _, e := range added {
			l.recent[e.Index%maxRecent] = e
		}
		if len(added) > 0 {
			close(l.grown)
			l.grown = make(chan struct{})
		}
	}
	for _, w := range g {
		if w.err == nil {
			w.err = err
		}
		close(w.done)
	}
}

// ends has no View share what was read before a commit: from here on it may see either side.
func (l *Ledger) ends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = nil
}

// run runs w. A panic is its caller's, and undoes what w wrote.
func (tx *Tx) run(w *work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked = p
			err = fmt.Errorf("writing the ledger: panic: %v", p)
		}
		w.err = err
	}()
	return w.f(tx)
}

// View runs f on one consistent state.
func (l *Ledger) View(ctx context.Context, f func(*Tx) error) error {
	before := l.committed()
	return l.shelf.View(ctx, func(r Rows) error {
		if before != nil && before == l.committed() { // no commit ended meanwhile: it is that state
			r = &kept{r, before}
		}
		tx, err := l.begin(r)
		if err != nil {
			return err
		}
		return f(tx)
	})
}

func (l *Ledger) committed() *state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Close closes the shelf.
func (l *Ledger) Close() error { return l.shelf.Close() }

func (l *Ledger) begin(r Rows) (*Tx, error) {
	b, err := r.Get(tableHead, []byte("size"))
	if err != nil {
		return nil, err
	}
	tx := &Tx{Rows: r, l: l}
	if b != nil {
		if len(b) != 8 {
			return nil, errors.New("reading the ledger's size: not a number")
		}
		tx.size = int64(binary.BigEndian.Uint64(b))
	}
	return tx, nil
}

// Size returns the number of entries.
func (tx *Tx) Size() int64 { return tx.size }

// Append enters an act and folds its effect. It returns [ErrKnown] and the
// entry there is when the act has been entered before.
func (tx *Tx) Append(v act.Verified) (Entry, error) {
	e := Entry{Index: tx.size, Digest: v.Digest(), Act: v.Act(), Bytes: v.Bytes()}
	if added, err := tx.Add(tableDigest, e.Digest[:], be(e.Index)); err != nil {
		return Entry{}, err
	} else if !added {
		i, _, err := tx.Find(e.Digest)
		if err != nil {
			return Entry{}, err
		}
		if e, err = tx.Entry(i); err == nil {
			err = ErrKnown
		}
		return e, err
	}
	hashes, err := tlog.StoredHashes(e.Index, e.Bytes, tx)
	if err != nil {
		return Entry{}, fmt.Errorf("hashing entry %d: %w", e.Index, err)
	}
	n := len(hashes) * tlog.HashSize
	row := make([]byte, 0, n+len(e.Bytes))
	for _, h := range hashes {
		row = append(row, h[:]...)
	}
	if err := tx.Put(tableEntry, be(e.Index), append(row, e.Bytes...)); err != nil {
		return Entry{}, err
	}
	all := row[:n:n]
	tx.remember(e.Index, all)
	tx.size++
	if err := tx.l.cfg.Fold(tx, e); err != nil {
		return Entry{}, fmt.Errorf("folding entry %d (%s): %w", e.Index, e.Act.Kind, err)
	}
	tx.added = append(tx.added, e)
	return e, nil
}

// maxRecent bounds the entries that stay parsed: some deliveries.
const maxRecent = 1 << 10

// parsed returns the entry at index i with these bytes, if it was entered lately.
func (l *Ledger) parsed(i int64, b []byte) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.recent[i%maxRecent]
	return e, ok && e.Index == i && bytes.Equal(e.Bytes, b)
}

// Entry reads the entry at index i. Its act is not to be changed.
func (tx *Tx) Entry(i int64) (Entry, error) {
	_, b, err := tx.row(i)
	if err != nil {
		return Entry{}, err
	}
	if e, ok := tx.l.parsed(i, b); ok {
		return e, nil
	}
	a, err := act.Parse(b)
	if err != nil {
		return Entry{}, fmt.Errorf("reading entry %d: %w", i, err)
	}
	return Entry{Index: i, Digest: act.DigestOf(b), Act: a, Bytes: b}, nil
}

// row reads the hashes that entry i completes, and its act's bytes.
func (tx *Tx) row(i int64) (hashes, text []byte, err error) {
	b, err := tx.Get(tableEntry, be(i))
	if err != nil {
		return nil, nil, err
	}
	if b == nil || i >= tx.size {
		return nil, nil, fmt.Errorf("reading entry %d: the ledger does not hold it", i)
	}
	n := (1 + bits.TrailingZeros64(uint64(i+1))) * tlog.HashSize
	if len(b) < n {
		return nil, nil, fmt.Errorf("reading entry %d: its row is damaged: put the newest backup's copy of the folder back", i)
	}
	return b[:n:n], b[n:], nil
}

// Entries reads the entries from index i on, in order.
func (tx *Tx) Entries(i int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for ; i < tx.size; i++ {
			if e, err := tx.Entry(i); !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Find returns the index of the act with this digest.
func (tx *Tx) Find(d act.Digest) (int64, bool, error) {
	b, err := tx.Get(tableDigest, d[:])
	if err != nil || b == nil {
		return 0, false, err
	}
	if len(b) != 8 {
		return 0, false, errors.New("reading the index of an act: not a number")
	}
	i := int64(binary.BigEndian.Uint64(b))
	return i, i < tx.size, nil // while entries are folded again, the later ones are not there
}

// ReadHashes implements [tlog.HashReader] over the stored hashes.
func (tx *Tx) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		level, n := tlog.SplitStoredHashIndex(at)
		last := (n+1)<<level - 1 // the entry that completed it
		b, ok := tx.cache[last]
		if !ok {
			var err error
			if b, _, err = tx.row(last); err != nil {
				return nil, err
			}
			tx.remember(last, b) // proofs of neighbours share most of them
		}
		from := level * tlog.HashSize
		if len(b) < from+tlog.HashSize {
			return nil, fmt.Errorf("reading the ledger's hash %d: it is not there", at)
		}
		hashes[i] = tlog.Hash(b[from : from+tlog.HashSize])
	}
	return hashes, nil
}

// maxRemembered bounds the rows that a transaction remembers: some 4 MB.
const maxRemembered = 1 << 14

func (tx *Tx) remember(entry int64, hashes []byte) {
	if tx.cache == nil || len(tx.cache) == maxRemembered {
		tx.cache = make(map[int64][]byte)
	}
	tx.cache[entry] = bytes.Clone(hashes) // not the entry that they stand before
}

// Head returns the size and root now.
func (tx *Tx) Head() (act.Head, error) { return tx.HeadAt(tx.size) }

// HeadAt returns the head as it was when the ledger had size entries.
func (tx *Tx) HeadAt(size int64) (act.Head, error) {
	if size < 0 || size > tx.size {
		return act.Head{}, fmt.Errorf("the ledger has %d entries, not %d", tx.size, size)
	}
	h, err := tlog.TreeHash(size, tx)
	return act.Head{Size: size, Root: act.Hash(h)}, err
}

// Rebuild drops every folded table and folds all entries again, in one
// transaction. It tells progress the number of entries folded.
func (l *Ledger) Rebuild(ctx context.Context, progress func(done, all int64)) error {
	return l.Update(ctx, func(tx *Tx) error {
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			if strings.HasPrefix(t, FoldPrefix) {
				if err := tx.Clear(t); err != nil {
					return err
				}
			}
		}
		for i := range tx.size {
			if err := ctx.Err(); err != nil { // the caller has gone: the tables stay as they were
				return fmt.Errorf("folding entry %d: %w", i, err)
			}
			if err := tx.refold(tx.Rows, i); err != nil {
				return err
			}
			progress(i+1, tx.size)
		}
		return nil
	})
}

// Load reads the JSON value of a row. It reports false when there is none.
func Load[T any](r Rows, table, key string) (v T, ok bool, err error) {
	b, err := r.Get(table, []byte(key))
	if err != nil || b == nil {
		return v, false, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, false, fmt.Errorf("reading %s %q: the row is damaged: put the newest backup's copy of the folder back", table, key)
	}
	return v, true, nil
}

// Save writes v as JSON.
func Save(r Rows, table, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing %s %q: %w", table, key, err)
	}
	return r.Put(table, []byte(key), b)
}

func be(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
