package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/internal/memory"
	"entente/ledger"
)

const (
	// pastBytes bounds the entries that a question about the past folds anew in memory;
	// with what they are folded to they take some three times as much.
	pastBytes = 256 << 20
	// pastFor bounds how long that takes: who asks about the past waits, and shall not wait for ever.
	pastFor = 5 * time.Minute
)

// Stood runs f on the state that w names, and says of what moment it is. The state of
// now is the ledger's own. That of a past moment is folded anew in memory, as a rebuild
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
	select { // one at a time, so that the bound on memory is one for the node
	case n.past <- struct{}{}:
		defer func() { <-n.past }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, pastFor)
	defer cancel()
	then, err := n.Ledger.Past(limited, s.Head.Size, memory.NewDisk().Ledger(), pastBytes, progress)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("folding the first %d entries: it takes longer than %s: ask of an earlier moment", s.Head.Size, pastFor)
	}
	if err != nil {
		return err
	}
	return then.View(ctx, func(tx *ledger.Tx) error { return f(tx, s) })
}
