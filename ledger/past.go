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

// Past runs f on the ledger as it stood with its first entries: their tables are folded
// anew on scratch, an empty shelf, as they were folded then, and all else is read from
// this ledger, which is only read. It tells progress the entries folded.
func (l *Ledger) Past(ctx context.Context, first int64, scratch Shelf, progress func(done, all int64), f func(*Tx) error) error {
	return l.View(ctx, func(tx *Tx) error {
		return tx.past(ctx, first, scratch, progress, func(again Rows) error {
			return f(&Tx{Rows: folded{tx.Rows, again}, l: l, size: first})
		})
	})
}
