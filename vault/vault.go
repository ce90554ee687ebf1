// Package vault keeps sealed bytes under their digest. It cannot read them.
//
// [Vault.Put] and [Vault.Writer] take in a stream and name it by its [Digest],
// the root of a hash tree over blocks of 1 MiB. The tree's leaves ([Blocks]) let
// whoever carries the bytes check any block without keys. [Vault.Receive]
// takes in a known object block by block and goes on where it was cut.
// An object is durable when Keep returns; until then nothing points at it.
//
// An object of at most [Inline] bytes may stand in the ledger's rows instead
// ([Table]): it is then durable in the same commit as the act that it belongs to.
package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// BlockSize is the size of every block but the last.
const BlockSize = 1 << 20

// Inline is the largest object that stands in the ledger's rows: a commit with
// it costs less than a file of its own, and it travels beside its act.
const Inline = 64 << 10

// Tables beside the acts, in the ledger's rows.
const (
	Table  = "vault/inline" // objects that stand in the ledger's rows: digest → bytes
	Leaves = "vault/leaves" // objects of ours that stand on the shelf: digest → [Blocks], so that nobody reads all to list them
)

// Reserve is the room on the disk that what partners send leaves free: twice what the shelf itself keeps for the
// ledger, so that whoever fills the disk with what a pact lets it release does not stop our own releases.
const Reserve = 128 << 20

// maxBlocks bounds an object to 64 GiB: its list of digests stays at 3 MB.
const maxBlocks = 65536

// ErrDamaged says that bytes are not those of the digest.
var ErrDamaged = errors.New("the bytes are not those of the digest")

// Digest names an object: SHA-384 over its size and the root of its tree.
// A leaf is SHA-384(0x00, block), a node SHA-384(0x01, left, right), the shape
// that of RFC 9162, the digest SHA-384(0x02, size in 8 bytes, root).
type Digest [48]byte

// String returns d in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (d Digest, err error) {
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("a digest is %d hex digits", 2*len(d))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil || d.String() != s {
		return d, fmt.Errorf("a digest is %d lower-case hex digits", 2*len(d))
	}
	return d, nil
}

// Blocks are the leaves of an object's tree.
type Blocks struct {
	Size   int64
	Leaves [][48]byte
}

func leaf(b []byte) [48]byte {
	h := sha512.New384()
	h.Write([]byte{0})
	h.Write(b)
	return [48]byte(h.Sum(nil))
}

func root(leaves [][48]byte) [48]byte {
	switch len(leaves) {
	case 0:
		return sha512.Sum384(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	l, r := root(leaves[:k]), root(leaves[k:])
	return sha512.Sum384(append(append([]byte{1}, l[:]...), r[:]...))
}

// Digest returns the name of the object.
func (b Blocks) Digest() Digest {
	r := root(b.Leaves)
	return sha512.Sum384(append(binary.BigEndian.AppendUint64([]byte{2}, uint64(b.Size)), r[:]...))
}

// Check reports whether block is the object's block i.
func (b Blocks) Check(i int, block []byte) bool {
	return i >= 0 && i < len(b.Leaves) && int64(len(block)) == b.length(i) && leaf(block) == b.Leaves[i]
}

func (b Blocks) length(i int) int64 { return min(BlockSize, b.Size-int64(i)*BlockSize) }

// Marshal writes b: the size in 8 bytes, then the leaves.
func (b Blocks) Marshal() []byte {
	out := binary.BigEndian.AppendUint64(nil, uint64(b.Size))
	for _, l := range b.Leaves {
		out = append(out, l[:]...)
	}
	return out
}

// ParseBlocks reads what Marshal wrote.
func ParseBlocks(p []byte) (Blocks, error) {
	bad := fmt.Errorf("block digests: %w", ErrDamaged)
	if len(p) < 8 || (len(p)-8)%48 != 0 {
		return Blocks{}, bad
	}
	b := Blocks{Size: int64(binary.BigEndian.Uint64(p))}
	n := (len(p) - 8) / 48
	if b.Size < 0 || n > maxBlocks || b.Size > int64(n)*BlockSize || int64(n) != (b.Size+BlockSize-1)/BlockSize {
		return Blocks{}, bad
	}
	for i := range n {
		b.Leaves = append(b.Leaves, [48]byte(p[8+48*i:]))
	}
	return b, nil
}

// Shelf keeps objects. Its methods may be called at the same time.
type Shelf interface {
	// Stage begins an object under a name of the caller's, or goes on with one
	// that was begun: staged bytes survive a restart.
	Stage(ctx context.Context, name string) (Staged, error)
	// Open returns a kept object, or an error that is os.ErrNotExist.
	Open(ctx context.Context, d Digest) (File, error)
	// Remove removes a kept object; one that is not there is no error.
	Remove(ctx context.Context, d Digest) error
	// List names the kept objects.
	List(ctx context.Context) iter.Seq2[Digest, error]
	// Room returns how many bytes the disk still has room for.
	Room() (int64, error)
	// Begun names the staged objects that were not kept or discarded.
	Begun(ctx context.Context) ([]string, error)
}

// Staged is an object in the making. One goroutine uses it.
type Staged interface {
	io.Writer // appends
	io.ReaderAt
	Size() int64
	Truncate(n int64) error
	// Cold says that nobody reads the object soon: its bytes need not stay in the machine's memory.
	Cold()
	// Keep makes the object durable under d; it does nothing more when d is kept already.
	Keep(ctx context.Context, d Digest) error
	// Discard forgets the staged bytes, unless they are kept.
	Discard() error
	// Close leaves the staged bytes for a later Stage.
	Close() error
}

// File is a kept object.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// What a shelf's errors may be.
var (
	// ErrFull says that the disk has no room: nothing was kept, and the vault goes on.
	ErrFull = errors.New("the disk is full: free some space and try again; nothing of it was kept")
	// ErrScarce says that the room which is left is kept for our own work: nothing of a partner's is taken in.
	ErrScarce = fmt.Errorf("the disk has less than %d MiB left, which are kept for our own work: free some space, and what partners sent is fetched then", Reserve>>20)
	// ErrStorage says that a write or a sync failed, so that what is on the disk is
	// not known any more. It is never retried in place: the node stops.
	ErrStorage = errors.New("the disk failed: check it, then start the node again; what was acknowledged is kept")
)

// Staged objects are named apart by how they come in.
const (
	outgoing = "w-" // written here, as a stream: worthless when it breaks off
	incoming = "r-" // received, by its digest: goes on where it was cut
)

// Vault keeps sealed objects on a shelf.
type Vault struct {
	// Inline finds an object that stands in the ledger's rows, or returns nil; it may be nil itself.
	Inline func(ctx context.Context, d Digest) ([]byte, error)
	// Aside runs what goes on beside its caller, who waits for its end; nil: as a goroutine.
	Aside func(func())

	shelf Shelf
	busy  chan struct{} // held by whoever hashes and writes a block: bulk leaves processors to what is small
	died  chan struct{}
	once  sync.Once
	err   error

	mu        sync.Mutex
	receiving map[Digest]chan struct{} // closed when that taking-in has ended
}

// New returns the vault on a shelf.
func New(s Shelf) *Vault {
	return &Vault{shelf: s, busy: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), died: make(chan struct{}), receiving: make(map[Digest]chan struct{})}
}

// alone runs f when its turn among the blocks has come.
func (v *Vault) alone(f func() error) error {
	v.busy <- struct{}{}
	defer func() { <-v.busy }()
	return f()
}

// Spare returns [ErrScarce] when there is no room for what partners send.
func (v *Vault) Spare() error {
	if room, err := v.shelf.Room(); err != nil || room < Reserve {
		return cmp.Or(err, ErrScarce)
	}
	return nil
}

// Beside runs f beside the caller. The channel tells how it ended.
func (v *Vault) Beside(f func() error) chan error {
	done := make(chan error, 1)
	run := func() { done <- f() }
	if v.Aside != nil {
		v.Aside(run)
	} else {
		go run()
	}
	return done
}

// Died is closed when the shelf failed with [ErrStorage]; Err is then the error.
func (v *Vault) Died() <-chan struct{} { return v.died }

// Err returns why the vault died. Call it after Died is closed.
func (v *Vault) Err() error { return v.err }

// stage stages an object, and watches what the shelf says of it.
func (v *Vault) stage(ctx context.Context, name string) (Staged, error) {
	s, err := v.shelf.Stage(ctx, name)
	if err != nil {
		return nil, v.watch(err)
	}
	return watched{s, v}, nil
}

func (v *Vault) watch(err error) error {
	if errors.Is(err, ErrStorage) {
		v.once.Do(func() { v.err = err; close(v.died) })
	}
	return err
}

// watched is a staged object whose failures stop the vault.
type watched struct {
	Staged
	v *Vault
}

func (w watched) Write(p []byte) (int, error) {
	n, err := w.Staged.Write(p)
	return n, w.v.watch(err)
}

func (w watched) Truncate(n int64) error { return w.v.watch(w.Staged.Truncate(n)) }

func (w watched) Close() error { return w.v.watch(w.Staged.Close()) }

func (w watched) Discard() error { return w.v.watch(w.Staged.Discard()) }

func (w watched) Keep(ctx context.Context, d Digest) error { return w.v.watch(w.Staged.Keep(ctx, d)) }

// Writer takes in one object of unknown digest. Nothing is kept until Keep;
// Discard after Keep does nothing, so that it can be deferred.
//
// A block is hashed and written while the caller makes the next one: an error
// may be told by a later call.
type Writer struct {
	v       *Vault
	s       Staged
	b       Blocks
	block   []byte     // the block so far
	behind  []byte     // the block before it, while it is written
	writing chan error // tells when that has ended; nil: nothing is written
	err     error
	closed  bool
}

// Writer begins an object. name is the caller's own, unique among those in the making.
func (v *Vault) Writer(ctx context.Context, name string) (*Writer, error) {
	s, err := v.stage(ctx, outgoing+name)
	if err != nil {
		return nil, err
	}
	if err := s.Truncate(0); err != nil { // left by an attempt that ended
		return nil, errors.Join(err, s.Close())
	}
	return &Writer{v: v, s: s}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) && w.err == nil {
		step := min(len(p)-n, BlockSize-len(w.block))
		w.block = append(w.block, p[n:n+step]...)
		n += step
		if len(w.block) == BlockSize {
			w.end()
		}
	}
	return n, w.err
}

// end has the block written, once the one before it is.
func (w *Writer) end() {
	if w.wait(); w.err != nil {
		return
	}
	if len(w.b.Leaves) == maxBlocks {
		w.err = fmt.Errorf("an object holds at most %d GiB", maxBlocks>>10)
		return
	}
	w.block, w.behind = w.behind[:0], w.block
	w.b.Size += int64(len(w.behind))
	w.b.Leaves = append(w.b.Leaves, [48]byte{})
	at, b := &w.b.Leaves[len(w.b.Leaves)-1], w.behind
	w.writing = w.v.Beside(func() error {
		return w.v.alone(func() error {
			*at = leaf(b)
			_, err := w.s.Write(b)
			return err
		})
	})
}

// wait waits until nothing is being written.
func (w *Writer) wait() {
	if w.writing == nil {
		return
	}
	if err := <-w.writing; w.err == nil {
		w.err = err
	}
	w.writing = nil
}

// Keep makes the object durable and returns its tree. Nothing more can be
// written after it.
func (w *Writer) Keep(ctx context.Context) (Blocks, error) {
	if len(w.block) > 0 {
		w.end()
	}
	if w.wait(); w.err != nil {
		return w.b, w.err
	}
	if err := w.s.Keep(ctx, w.b.Digest()); err != nil {
		return w.b, err
	}
	w.closed = true
	return w.b, nil
}

// Discard forgets what was written.
func (w *Writer) Discard() error {
	if w.closed {
		return nil
	}
	w.closed = true
	w.wait()
	return w.s.Discard()
}

// Put keeps a whole stream.
func (v *Vault) Put(ctx context.Context, name string, r io.Reader) (Blocks, error) {
	w, err := v.Writer(ctx, name)
	if err != nil {
		return Blocks{}, err
	}
	defer w.Discard()
	if _, err := io.Copy(w, r); err != nil {
		return Blocks{}, fmt.Errorf("keeping an object: %w", err)
	}
	return w.Keep(ctx)
}

// Open returns the object named d; its bytes are checked by whoever unseals
// them, or by Verify.
func (v *Vault) Open(ctx context.Context, d Digest) (File, error) {
	if v.Inline != nil {
		if b, err := v.Inline(ctx, d); err != nil || b != nil {
			return inline{bytes.NewReader(b)}, err
		}
	}
	return v.shelf.Open(ctx, d)
}

// inline is an object that stands in the ledger's rows.
type inline struct{ *bytes.Reader }

func (inline) Close() error { return nil }

// DigestOf returns the name of an object whose bytes are at hand.
func DigestOf(b []byte) Digest {
	all := Blocks{Size: int64(len(b))}
	for block := range slices.Chunk(b, BlockSize) {
		all.Leaves = append(all.Leaves, leaf(block))
	}
	return all.Digest()
}

// Blocks reads the whole object and returns the leaves of its tree. Damage is
// [ErrDamaged].
func (v *Vault) Blocks(ctx context.Context, d Digest) (Blocks, error) {
	f, err := v.Open(ctx, d)
	if err != nil {
		return Blocks{}, err
	}
	defer f.Close()
	b := Blocks{Size: f.Size()}
	buf := make([]byte, min(BlockSize, b.Size))
	for off := int64(0); off < b.Size; off += BlockSize {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		n := min(BlockSize, b.Size-off)
		if err := readAt(f, buf[:n], off); err != nil {
			return b, err
		}
		b.Leaves = append(b.Leaves, leaf(buf[:n]))
	}
	if b.Digest() != d {
		return b, fmt.Errorf("object %.16s: %w", d, ErrDamaged)
	}
	return b, nil
}

// Verify reads the whole object and checks it.
func (v *Vault) Verify(ctx context.Context, d Digest) error {
	_, err := v.Blocks(ctx, d)
	return err
}

// Remove removes a kept object; one that is not there is no error.
func (v *Vault) Remove(ctx context.Context, d Digest) error { return v.shelf.Remove(ctx, d) }

// Sweep removes the objects that keep does not want, and what is staged for
// none that it wants: bytes that a crash left with nothing pointing at them.
// Nothing may be in the making meanwhile.
func (v *Vault) Sweep(ctx context.Context, keep func(Digest) bool) (removed int, err error) {
	begun, err := v.shelf.Begun(ctx)
	if err != nil {
		return 0, err
	}
	for _, name := range begun {
		if d, err := ParseDigest(strings.TrimPrefix(name, incoming)); err == nil && keep(d) {
			continue // Receive goes on with it
		}
		s, err := v.stage(ctx, name)
		if err == nil {
			err = s.Discard()
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	for d, err := range v.shelf.List(ctx) {
		if err != nil {
			return removed, err
		}
		if keep(d) {
			continue
		}
		if err := v.shelf.Remove(ctx, d); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// Incoming is an object of known digest that arrives block by block.
type Incoming struct {
	v    *Vault
	s    Staged
	d    Digest
	b    Blocks
	next int
	done bool
	end  func()
}

// Receive begins, or goes on with, the object named d, whose leaves b are. What
// was staged before is checked again: a torn end is cut off. One taking-in of
// an object runs at a time; another waits for it, and finds what it kept.
func (v *Vault) Receive(ctx context.Context, d Digest, b Blocks) (in *Incoming, err error) {
	if b.Digest() != d {
		return nil, fmt.Errorf("block digests: %w", ErrDamaged)
	}
	end, err := v.claim(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	in, err = v.receive(ctx, d, b)
	if err == nil {
		in.end = end
	}
	return in, err
}

func (v *Vault) claim(ctx context.Context, d Digest) (end func(), err error) {
	for {
		v.mu.Lock()
		other := v.receiving[d]
		if other == nil {
			mine := make(chan struct{})
			v.receiving[d] = mine
			v.mu.Unlock()
			return sync.OnceFunc(func() {
				v.mu.Lock()
				defer v.mu.Unlock()
				delete(v.receiving, d)
				close(mine)
			}), nil
		}
		v.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (v *Vault) receive(ctx context.Context, d Digest, b Blocks) (*Incoming, error) {
	if f, err := v.Open(ctx, d); err == nil {
		return &Incoming{d: d, b: b, next: len(b.Leaves), done: true}, f.Close()
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	s, err := v.stage(ctx, incoming+d.String())
	if err != nil {
		return nil, err
	}
	s.Cold() // a person opens it, later
	in := &Incoming{v: v, s: s, d: d, b: b}
	buf := make([]byte, min(BlockSize, b.Size))
	for in.next < len(b.Leaves) {
		n := b.length(in.next)
		off := int64(in.next) * BlockSize
		if off+n > s.Size() || readAt(s, buf[:n], off) != nil || !b.Check(in.next, buf[:n]) {
			break
		}
		in.next++
	}
	if err := s.Truncate(min(int64(in.next)*BlockSize, b.Size)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return in, nil
}

// Next returns the number of the first block that is missing.
func (in *Incoming) Next() int { return in.next }

// Whole reports whether every block has come.
func (in *Incoming) Whole() bool { return in.next == len(in.b.Leaves) }

// Write takes in block i, which must be the next one and the object's.
func (in *Incoming) Write(i int, block []byte) error {
	return in.v.alone(func() error {
		if i != in.next || !in.b.Check(i, block) {
			return fmt.Errorf("block %d: %w", i, ErrDamaged)
		}
		if err := in.v.Spare(); err != nil {
			return err
		}
		if _, err := in.s.Write(block); err != nil {
			return fmt.Errorf("staging block %d: %w", i, err)
		}
		in.next++
		return nil
	})
}

// Keep makes the whole object durable.
func (in *Incoming) Keep(ctx context.Context) error {
	if !in.Whole() {
		return fmt.Errorf("keeping an object: block %d is missing", in.next)
	}
	if in.done {
		return nil
	}
	in.done = true
	return in.s.Keep(ctx, in.d)
}

// Close leaves what has arrived for the next Receive.
func (in *Incoming) Close() error {
	defer in.end()
	if in.done {
		return nil
	}
	return in.s.Close()
}

func readAt(r io.ReaderAt, p []byte, off int64) error {
	if n, err := r.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("reading an object: %w", err)
	}
	return nil
}
