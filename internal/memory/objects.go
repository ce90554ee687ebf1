package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"slices"

	"entente/vault"
)

// Vault returns a shelf for the vault on the disk.
func (d *Disk) Vault() vault.Shelf {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &vaultShelf{d, d.life}
}

type vaultShelf struct {
	d    *Disk
	life int
}

func sorted(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }

func cloned(m map[string][]byte) map[string][]byte {
	c := map[string][]byte{}
	for k, b := range m {
		c[k] = bytes.Clone(b)
	}
	return c
}

// Stage implements vault.Shelf.
func (s *vaultShelf) Stage(_ context.Context, name string) (vault.Staged, error) {
	err := s.d.do(s.life, Stage, func() error {
		if _, ok := s.d.stage[name]; !ok {
			s.d.stage[name] = nil
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("staging an object: %w", err)
	}
	return &staged{s: s, name: name}, nil
}

// Open implements vault.Shelf.
func (s *vaultShelf) Open(_ context.Context, d vault.Digest) (f vault.File, err error) {
	err = s.d.do(s.life, OpenFile, func() error {
		b, ok := s.d.kept[d]
		if !ok {
			return os.ErrNotExist
		}
		f = file{bytes.NewReader(b), s}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	return f, nil
}

// Remove implements vault.Shelf.
func (s *vaultShelf) Remove(_ context.Context, d vault.Digest) error {
	return s.d.do(s.life, Remove, func() error { delete(s.d.kept, d); return nil })
}

// List implements vault.Shelf. The order is that of the digests.
func (s *vaultShelf) List(ctx context.Context) iter.Seq2[vault.Digest, error] {
	return func(yield func(vault.Digest, error) bool) {
		var all []vault.Digest
		err := s.d.do(s.life, List, func() error { all = slices.Collect(maps.Keys(s.d.kept)); return ctx.Err() })
		if err != nil {
			yield(vault.Digest{}, fmt.Errorf("listing the vault: %w", err))
			return
		}
		slices.SortFunc(all, func(a, b vault.Digest) int { return bytes.Compare(a[:], b[:]) })
		for _, d := range all {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// Room implements vault.Shelf: there is always some.
func (s *vaultShelf) Room() (int64, error) { return math.MaxInt64, nil }

// Begun implements vault.Shelf.
func (s *vaultShelf) Begun(_ context.Context) (names []string, err error) {
	err = s.d.do(s.life, List, func() error { names = sorted(s.d.stage); return nil })
	if err != nil {
		return nil, fmt.Errorf("listing the vault: %w", err)
	}
	return names, nil
}

type file struct {
	*bytes.Reader
	s *vaultShelf
}

func (f file) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.s.d.do(f.s.life, Read, func() (err error) { n, err = f.Reader.ReadAt(p, off); return err })
	return n, err
}

func (f file) Close() error { return nil }

type staged struct {
	s      *vaultShelf
	name   string
	closed bool
}

// do runs f on the staged bytes and keeps what it returns.
func (g *staged) do(op Op, f func([]byte) ([]byte, error)) error {
	if g.closed {
		return os.ErrClosed
	}
	return g.s.d.do(g.s.life, op, func() error {
		b, err := f(g.s.d.stage[g.name])
		g.s.d.stage[g.name] = b
		return err
	})
}

func (g *staged) Write(p []byte) (int, error) {
	if err := g.do(Write, func(b []byte) ([]byte, error) { return append(b, p...), nil }); err != nil {
		return 0, failed(err)
	}
	return len(p), nil
}

// failed says that the disk failed, unless it is only full.
func failed(err error) error {
	if err == nil || errors.Is(err, vault.ErrFull) {
		return err
	}
	return fmt.Errorf("%w: %w", vault.ErrStorage, err)
}

func (g *staged) ReadAt(p []byte, off int64) (n int, err error) {
	err = g.do(Read, func(b []byte) (_ []byte, err error) { n, err = bytes.NewReader(b).ReadAt(p, off); return b, err })
	return n, err
}

func (g *staged) Size() int64 {
	g.s.d.mu.Lock()
	defer g.s.d.mu.Unlock()
	return int64(len(g.s.d.stage[g.name]))
}

// Cold implements vault.Staged: all is memory.
func (g *staged) Cold() {}

func (g *staged) Truncate(n int64) error {
	return failed(g.do(Write, func(b []byte) ([]byte, error) {
		return append(b[:min(int(n), len(b))], make([]byte, max(0, int(n)-len(b)))...), nil
	}))
}

func (g *staged) Keep(_ context.Context, d vault.Digest) error {
	if g.closed {
		return os.ErrClosed
	}
	g.closed = true
	err := g.s.d.do(g.s.life, Keep, func() error {
		b, ok := g.s.d.stage[g.name]
		if _, kept := g.s.d.kept[d]; !kept && !ok {
			return os.ErrNotExist // another that staged it under this name was first
		} else if !kept {
			g.s.d.kept[d] = b
		}
		delete(g.s.d.stage, g.name)
		return nil
	})
	if err == nil {
		err = g.s.d.do(g.s.life, Kept, func() error { return nil })
	}
	if err != nil {
		return fmt.Errorf("keeping an object: %w: %w", vault.ErrStorage, err)
	}
	return nil
}

func (g *staged) Discard() error {
	if g.closed {
		return nil
	}
	g.closed = true
	return g.s.d.do(g.s.life, Remove, func() error { delete(g.s.d.stage, g.name); return nil })
}

func (g *staged) Close() error {
	g.closed = true
	return nil
}
