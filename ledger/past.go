package ledger

import (
	"context"
	"fmt"
	"sort"
	"time"

	"entente/act"
)

// When names a state of a ledger: that of all its entries, or, where a field is
// set, of those that were entered before a moment, or stand before an entry. A
// moment is as exact as the clock is; an entry is exact.
type When struct {
	Moment time.Time `json:"moment,omitzero"`
	Entry  *int64    `json:"entry,omitempty"`
}

// IsZero reports whether w names the present state.
func (w When) IsZero() bool { return w.Moment.IsZero() && w.Entry == nil }

// State is what a When names in a ledger.
type State struct {
	Moment time.Time // as of which it is asked
	Head   act.Head  // of the entries that stood then
}

// StateOf finds the state that w names; now is the moment of the present one. A
// moment to come is one of the present entries.
func (tx *Tx) StateOf(w When, now time.Time) (s State, err error) {
	size := tx.size
	switch s.Moment = now; {
	case w.Entry != nil:
		if size = *w.Entry; size < 0 || size >= tx.size {
			return s, fmt.Errorf("looking for the ledger before entry %d: it has entries 0 to %d", size, tx.size-1)
		}
		s.Moment, err = tx.entered(size)
	case !w.Moment.IsZero():
		s.Moment = w.Moment
		size = int64(sort.Search(int(tx.size), func(i int) bool {
			at, failed := tx.entered(int64(i))
			if failed != nil {
				err = failed
			}
			return !at.Before(w.Moment)
		}))
	}
	if err != nil {
		return s, err
	}
	s.Head, err = tx.HeadAt(size)
	return s, err
}

// entered returns when entry i was entered here: an act of ours says so itself, a
// partner's was noted when it came. Of one that was not, it is when the one before it was.
func (tx *Tx) entered(i int64) (time.Time, error) {
	for ; i >= 0; i-- {
		e, err := tx.Entry(i)
		if err != nil {
			return time.Time{}, err
		}
		if e.Act.From == tx.l.cfg.Party {
			return e.Act.At.Time, nil
		}
		v, ok, err := Load[voucher](tx, tableProof, string(be(i)))
		if err != nil {
			return time.Time{}, err
		}
		if ok && !v.Came.IsZero() {
			return v.Came.Time, nil
		}
	}
	return time.Time{}, nil
}

// Past folds the first entries of the ledger anew on an empty shelf, and returns
// the ledger that was: it has its entries and what they were folded to, and no proofs or
// checkpoints of others. This ledger is only read. Entries of more bytes than most
// are refused.
func (l *Ledger) Past(ctx context.Context, first int64, empty Shelf, most int64, progress func(done, all int64)) (*Ledger, error) {
	past := Open(empty, Config{Party: l.cfg.Party, Fold: l.cfg.Fold})
	err := l.View(ctx, func(tx *Tx) error {
		return empty.Update(ctx, func(r Rows) error {
			for i := range first {
				hashes, b, err := tx.row(i)
				if err != nil {
					return err
				}
				if most -= int64(len(b)); most < 0 {
					return fmt.Errorf("folding the first %d entries: they are too long to be folded in memory, from entry %d on: ask of an earlier moment", first, i)
				}
				d := act.DigestOf(b)
				if err := r.Put(tableEntry, be(i), append(hashes[:len(hashes):len(hashes)], b...)); err != nil {
					return err
				}
				if err := r.Put(tableDigest, d[:], be(i)); err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			return r.Put(tableHead, []byte("size"), be(first))
		})
	})
	if err != nil {
		return nil, err
	}
	return past, past.Rebuild(ctx, progress)
}
