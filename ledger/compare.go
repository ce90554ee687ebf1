package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"fmt"
	"iter"
	"slices"
	"strings"

	"entente/act"
)

// Altered says that folded rows are not what the entries give: something wrote
// them past the ledger. The entries themselves may be whole.
type Altered struct {
	Rows []AlteredRow `json:"rows"` // the first of them, by table and key
	More int          `json:"more"` // beyond those
}

// AlteredRow is one of them. It tells the values by their digests alone.
type AlteredRow struct {
	Table  string  `json:"table"`
	Key    []byte  `json:"key"`
	How    string  `json:"how"` // changed, missing, added
	Is     act.Sum `json:"is"`  // SHA-384 of the value that stands there; of nothing: none does
	Should act.Sum `json:"should"`
}

// maxAltered bounds what is told of one comparison.
const maxAltered = 20

// Error implements error.
func (a *Altered) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows of the tables are not what the entries give:", len(a.Rows)+a.More)
	for _, r := range a.Rows {
		fmt.Fprintf(&b, " %s %q is %s;", strings.TrimPrefix(r.Table, FoldPrefix), r.Key, r.How)
	}
	if a.More > 0 {
		fmt.Fprintf(&b, " and %d more;", a.More)
	}
	return b.String() + " somebody wrote in the database past the node: find out who, then 'entente ledger rebuild' folds the tables from the entries again"
}

func (a *Altered) add(table string, key []byte, how string, is, should []byte) {
	if len(a.Rows) == maxAltered {
		a.More++
		return
	}
	a.Rows = append(a.Rows, AlteredRow{table, key, how, sha512.Sum384(is), sha512.Sum384(should)})
}

// foldBatch is how many entries are folded in one transaction of the scratch shelf.
const foldBatch = 1000

// Compare folds every entry again onto scratch, an empty shelf, and compares it
// row by row with the tables that there are: an [*Altered] tells which differ. It
// holds one row of each at a time, so that its memory does not grow with the
// ledger, and it writes no content. It tells progress the entries folded.
func (l *Ledger) Compare(ctx context.Context, scratch Shelf, progress func(done, all int64)) error {
	return l.shelf.View(ctx, func(r Rows) error { // not what was read before: the rows that there are
		tx, err := l.begin(r)
		if err != nil {
			return err
		}
		return tx.past(ctx, tx.size, scratch, progress, func(again Rows) error { return compare(tx.Rows, again) })
	})
}

// past folds the first entries onto scratch and runs f on what it holds then.
func (tx *Tx) past(ctx context.Context, first int64, scratch Shelf, progress func(done, all int64), f func(again Rows) error) error {
	for from := int64(0); from < first; from += foldBatch {
		err := scratch.Update(ctx, func(r Rows) error {
			for i := from; i < min(from+foldBatch, first); i++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := tx.refold(folded{tx.Rows, r}, i); err != nil {
					return err
				}
				progress(i+1, first)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("folding the entries again: %w", err)
		}
	}
	return scratch.View(ctx, f)
}

// refold folds entry i onto rows as it was folded when it was entered: what came
// after it is not there.
func (tx *Tx) refold(rows Rows, i int64) error {
	e, err := tx.Entry(i)
	if err != nil {
		return err
	}
	if err := tx.l.cfg.Fold(&Tx{Rows: rows, l: tx.l, size: i + 1, writes: true}, e); err != nil {
		return fmt.Errorf("folding entry %d (%s): %w", i, e.Act.Kind, err)
	}
	return nil
}

// folded is a ledger's rows with the folded tables of another shelf.
type folded struct {
	Rows
	fold Rows
}

func (f folded) of(table string) Rows {
	if strings.HasPrefix(table, FoldPrefix) {
		return f.fold
	}
	return f.Rows
}

func (f folded) Get(table string, key []byte) ([]byte, error) { return f.of(table).Get(table, key) }
func (f folded) Put(table string, key, value []byte) error {
	return f.of(table).Put(table, key, value)
}
func (f folded) Add(table string, key, value []byte) (bool, error) {
	return f.of(table).Add(table, key, value)
}
func (f folded) Delete(table string, key []byte) error { return f.of(table).Delete(table, key) }
func (f folded) Clear(table string) error              { return f.of(table).Clear(table) }
func (f folded) Scan(table string, from, to []byte) iter.Seq2[Row, error] {
	return f.of(table).Scan(table, from, to)
}
func (f folded) Last(table string, from, to []byte) (Row, bool, error) {
	return f.of(table).Last(table, from, to)
}
func (f folded) Tables() ([]string, error)  { return f.fold.Tables() }
func (f folded) Try(try func() error) error { return f.fold.Try(try) }

// compare walks both sets of folded tables side by side, in the order of their keys.
func compare(is, should Rows) error {
	var tables []string
	for _, r := range []Rows{is, should} {
		all, err := r.Tables()
		if err != nil {
			return err
		}
		tables = append(tables, slices.DeleteFunc(all, func(t string) bool { return !strings.HasPrefix(t, FoldPrefix) })...)
	}
	slices.Sort(tables)
	a := &Altered{}
	for _, t := range slices.Compact(tables) {
		if err := a.table(t, is, should); err != nil {
			return err
		}
	}
	if len(a.Rows) > 0 {
		return a
	}
	return nil
}

// table compares one table.
func (a *Altered) table(t string, is, should Rows) error {
	next, stop := iter.Pull2(is.Scan(t, nil, nil))
	defer stop()
	nextAgain, stopAgain := iter.Pull2(should.Scan(t, nil, nil))
	defer stopAgain()
	x, err, more := next()
	y, err2, moreAgain := nextAgain()
	for more || moreAgain {
		if err != nil || err2 != nil {
			return fmt.Errorf("comparing %s: %w", t, cmp.Or(err, err2))
		}
		order := bytes.Compare(x.Key, y.Key)
		switch {
		case !moreAgain || more && order < 0:
			a.add(t, x.Key, "added", x.Value, nil)
			x, err, more = next()
		case !more || order > 0:
			a.add(t, y.Key, "missing", nil, y.Value)
			y, err2, moreAgain = nextAgain()
		default:
			if !bytes.Equal(x.Value, y.Value) {
				a.add(t, x.Key, "changed", x.Value, y.Value)
			}
			x, err, more = next()
			y, err2, moreAgain = nextAgain()
		}
	}
	return nil
}
