// Package files keeps the vault's objects as files in one directory.
//
// An object is staged under staged/, synced, and renamed to kept/ab/<digest>;
// directories are synced (package durable). Every name is made here from hex
// digits: names from outside never become paths, and os.Root keeps every
// access inside the directory. The last of the disk is left to the ledger: what
// is kept can be opened, which is entered first, when nothing more is taken in.
package files

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"entente/internal/durable"
	"entente/internal/point"
	"entente/vault"
)

// ErrOpenToOthers says that others may look into the directory.
var ErrOpenToOthers = errors.New("the directory can be read by others: chmod 700 it")

// reserve is left free for the ledger: some tens of thousands of entries beyond
// the ledger's own reserve.
const reserve = 64 << 20

// Shelf implements vault.Shelf.
type Shelf struct {
	root *os.Root
	turn chan struct{} // one object at a time sends its bytes to the disk
}

// Open opens the directory, and makes it if need be.
func Open(dir string) (*Shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	st, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("opening the vault in %s: %w", dir, ErrOpenToOthers)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	for _, d := range []string{"staged", "kept"} {
		if err := root.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("opening the vault: %w", err), root.Close())
		}
	}
	return &Shelf{root, make(chan struct{}, 1)}, durable.SyncDir(root, ".")
}

// Close releases the directory.
func (s *Shelf) Close() error { return s.root.Close() }

// WriteFile writes a small file durably into a directory.
func WriteFile(dir, name string, data []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return errors.Join(durable.WriteFile(root, filepath.ToSlash(name), data), root.Close())
}

func place(d vault.Digest) string { return path.Join("kept", d.String()[:2], d.String()) }

// Stage implements vault.Shelf.
func (s *Shelf) Stage(_ context.Context, name string) (vault.Staged, error) {
	at := path.Join("staged", hex.EncodeToString([]byte(name)))
	if len(at) > 250 {
		return nil, errors.New("staging an object: its name is too long")
	}
	f, err := s.root.OpenFile(at, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("staging an object: %w", err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("staging an object: %w", err), f.Close())
	}
	return &staged{s: s, f: f, at: at, size: st.Size(), sent: st.Size()}, nil
}

// Open implements vault.Shelf.
func (s *Shelf) Open(_ context.Context, d vault.Digest) (vault.File, error) {
	f, err := s.root.Open(place(d))
	if err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(errors.New("opening an object: it is not a file"), err, f.Close())
	}
	return file{f, st.Size()}, nil
}

// Remove implements vault.Shelf.
func (s *Shelf) Remove(_ context.Context, d vault.Digest) error {
	point.At("before removing an object")
	if err := s.root.Remove(place(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an object: %w", err)
	} else if err != nil {
		return nil
	}
	return durable.SyncDir(s.root, path.Dir(place(d)))
}

// List implements vault.Shelf.
func (s *Shelf) List(ctx context.Context) iter.Seq2[vault.Digest, error] {
	return func(yield func(vault.Digest, error) bool) {
		err := fs.WalkDir(s.root.FS(), "kept", func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return errors.Join(err, ctx.Err())
			}
			d, err := vault.ParseDigest(e.Name())
			if err != nil {
				return nil // not ours: left alone
			}
			if !yield(d, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(vault.Digest{}, fmt.Errorf("listing the vault: %w", err))
		}
	}
}

// Room implements vault.Shelf.
func (s *Shelf) Room() (int64, error) { return durable.Room(s.root.Name()) }

// Begun implements vault.Shelf.
func (s *Shelf) Begun(_ context.Context) (names []string, err error) {
	all, err := fs.ReadDir(s.root.FS(), "staged")
	if err != nil {
		return nil, fmt.Errorf("listing the vault: %w", err)
	}
	for _, e := range all {
		if name, err := hex.DecodeString(e.Name()); err == nil { // else not ours: left alone
			names = append(names, string(name))
		}
	}
	return names, nil
}

type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

type staged struct {
	s       *Shelf
	f       *os.File
	at      string
	size    int64
	sent    int64      // bytes that were sent to the disk, or are being
	sending chan error // tells how that ended; nil: nothing is being sent
	lost    error      // of a write that failed
	cold    bool       // what was written leaves the page cache
}

// window is how much is written before it is sent to the disk: the sync of Keep has
// little to wait for, and a commit of the ledger waits behind one window at most,
// however many objects come in.
const window = 1 << 20

func (g *staged) Write(p []byte) (int, error) {
	if room, err := g.s.Room(); err != nil || room < reserve+int64(len(p)) {
		return 0, cmp.Or(err, vault.ErrFull)
	}
	n, err := g.f.WriteAt(p, g.size)
	g.size += int64(n)
	point.At("after staging")
	if err == nil && g.size-g.sent >= window {
		if err := g.settled(); err != nil {
			return n, err
		}
		done := make(chan error, 1)
		from, to := g.sent, g.size
		g.sending, g.sent = done, to
		go func() {
			g.s.turn <- struct{}{}
			done <- g.send(from, to-from)
			<-g.s.turn
		}()
	}
	return n, failed(err)
}

// send has the disk write n bytes at off, and waits. A large object that stays in the
// page cache has every block written to pages that the machine must find first, which
// can take longer than all else together.
func (g *staged) send(off, n int64) error {
	if err := send(g.f, off, n); err != nil || !g.cold {
		return err
	}
	return forget(g.f, off, n)
}

// settled waits for what is being sent. A failure is final: what was lost is not
// known, and no later sync would tell.
func (g *staged) settled() error {
	if g.sending != nil {
		if err := <-g.sending; err != nil {
			g.lost = fmt.Errorf("%w: %w", vault.ErrStorage, err)
		}
		g.sending = nil
	}
	return g.lost
}

// failed tells a disk that has no room from one whose state is not known.
func failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", vault.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", vault.ErrStorage, err)
}

func (g *staged) ReadAt(p []byte, off int64) (int, error) { return g.f.ReadAt(p, off) }
func (g *staged) Cold()                                   { g.cold = true }
func (g *staged) Size() int64                             { return g.size }
func (g *staged) Close() error                            { return errors.Join(g.settled(), g.f.Close()) }

func (g *staged) Truncate(n int64) error {
	g.size, g.sent = n, min(g.sent, n)
	return failed(g.f.Truncate(n))
}

func (g *staged) Keep(_ context.Context, d vault.Digest) error {
	err := g.keep(d)
	if errors.Is(err, fs.ErrNotExist) {
		// Another taking-in of the same object was first: what it kept is the same bytes.
		if _, kept := g.s.root.Stat(place(d)); kept == nil {
			return nil
		}
	}
	if err != nil {
		// A sync that failed is final, for want of room too: what it lost is not known.
		return fmt.Errorf("keeping an object: %w: %w", vault.ErrStorage, err)
	}
	return nil
}

func (g *staged) keep(d vault.Digest) error {
	if err := errors.Join(g.settled(), g.f.Sync(), g.f.Close()); err != nil {
		return err
	}
	to := place(d)
	if _, err := g.s.root.Stat(to); err == nil {
		return g.s.root.Remove(g.at)
	}
	switch err := g.s.root.Mkdir(path.Dir(to), 0o700); {
	case err == nil:
		if err := durable.SyncDir(g.s.root, "kept"); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	return durable.Rename(g.s.root, g.at, to)
}

func (g *staged) Discard() error {
	err := errors.Join(g.settled(), g.f.Close(), g.s.root.Remove(g.at))
	if g.lost == nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrClosed)) {
		return nil
	}
	return err
}
