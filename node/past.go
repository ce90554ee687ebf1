package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"entente/internal/sqlite"
	"entente/ledger"
)

// pastFor bounds how long the past is folded anew: who asks about it waits, and shall not
// wait for ever.
const pastFor = 5 * time.Minute

// Stood runs f on the state that w names, and says of what moment it is. The state of
// now is the ledger's own. That of a past moment is folded anew aside, as a rebuild
// folds it, from the entries that stood then; the node's store is only read.
func (n *Node) Stood(ctx context.Context, w ledger.When, progress func(done, all int64), f func(*ledger.Tx, ledger.State) error) error {
	var s ledger.State
	past := false
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		if s, err = tx.StateOf(w, n.seams.Now()); err != nil {
			return err
		}
		if past = s.Head.Size < tx.Size(); past {
			return nil
		}
		return f(tx, s)
	})
	if err != nil || !past {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, pastFor)
	defer cancel()
	err = n.aside(limited, func(scratch ledger.Shelf) error {
		return n.Ledger.Past(limited, s.Head.Size, scratch, progress, func(tx *ledger.Tx) error { return f(tx, s) })
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("folding the first %d entries: it takes longer than %s: ask of an earlier moment", s.Head.Size, pastFor)
	}
	return err
}

// Tables compares the folded tables with what the entries give, by folding them
// again aside. A *ledger.Altered tells the rows that differ; it is kept as evidence.
func (n *Node) Tables(ctx context.Context, progress func(done, all int64)) error {
	err := n.aside(ctx, func(scratch ledger.Shelf) error { return n.Ledger.Compare(ctx, scratch, progress) })
	var a *ledger.Altered
	if errors.As(err, &a) {
		return errors.Join(a, n.altered(ctx, a))
	}
	return err
}

// aside runs f on an empty shelf: a database that lasts as long as f, under a key that
// is kept nowhere. There is one at a time.
func (n *Node) aside(ctx context.Context, f func(scratch ledger.Shelf) error) error {
	select {
	case n.folding <- struct{}{}:
		defer func() { <-n.folding }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var key [32]byte
	if _, err := io.ReadFull(n.seams.Random, key[:]); err != nil {
		return fmt.Errorf("drawing a key: %w", err)
	}
	if err := n.forget(); err != nil {
		return err
	}
	scratch, err := sqlite.Open(filepath.Join(n.dir, foldedFile), key[:])
	if err != nil {
		return err
	}
	return errors.Join(f(scratch), scratch.Close(), n.forget())
}

// forget removes what was folded aside.
func (n *Node) forget() error {
	for _, name := range sqlite.Files(foldedFile) {
		if err := os.Remove(filepath.Join(n.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clearing away what was folded again: %w", err)
		}
	}
	return nil
}
