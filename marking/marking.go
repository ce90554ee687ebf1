// Package marking is the stamps of each party's scheme and the table that
// equates them.
//
// A [Table] belongs to a pact and is dated: a product keeps the meaning that its
// mark had on its day. Several marks of one party may equal one of another's
// (極秘 and 特定秘密 are both 군사II급비밀), so a table is never inverted: the
// original mark is kept for ever and the equivalent stands beside it.
package marking

import (
	"fmt"
	"time"

	"entente/act"
)

// Row equates one mark with a rank, for a time.
type Row struct {
	Rank  int    // 1 is the lowest that the pact covers
	Term  string // the pact's own term: SECRET
	Mark  act.Mark
	Roman string    // how the mark is read aloud
	From  time.Time // zero: always
	To    time.Time // exclusive; zero: for ever

	Certainty string // "recalled": to be checked against the official text
}

func (r *Row) holds(on time.Time) bool {
	return !on.Before(r.From) && (r.To.IsZero() || on.Before(r.To))
}

// Table is a pact's table of marks.
type Table []Row

// Rank returns the rank of a mark on a day.
func (t Table) Rank(m act.Mark, on time.Time) (rank int, ok bool) {
	for i := range t {
		if t[i].Mark == m && t[i].holds(on) {
			return t[i].Rank, true
		}
	}
	return 0, false
}

// Index returns the row of the stamp that p puts beside a mark of this rank:
// the first of the table's, or -1.
func (t Table) Index(rank int, p act.Party, on time.Time) int {
	for i := range t {
		if t[i].Rank == rank && t[i].Mark.Party == p && t[i].holds(on) {
			return i
		}
	}
	return -1
}

// Marks returns the rows of a party that hold on a day, highest first as the
// table has them.
func (t Table) Marks(p act.Party, on time.Time) (rows []Row) {
	for i := range t {
		if t[i].Mark.Party == p && t[i].holds(on) {
			rows = append(rows, t[i])
		}
	}
	return rows
}

// Term returns the pact's term for a rank.
func (t Table) Term(rank int) string {
	for _, r := range t {
		if r.Rank == rank {
			return r.Term
		}
	}
	return ""
}

// Check returns what is wrong with the table, by row.
func (t Table) Check() map[int]string {
	bad := map[int]string{}
	for i, r := range t {
		switch {
		case r.Rank < 1 || r.Rank > 16:
			bad[i] = "a rank is 1 to 16"
		case r.Term == "" || r.Mark.Text == "":
			bad[i] = "a mark has a term and a text"
		case !r.To.IsZero() && !r.From.Before(r.To):
			bad[i] = "the mark ends before it begins"
		}
		for _, o := range t[:i] {
			if o.Mark == r.Mark && (o.To.IsZero() || r.From.Before(o.To)) && (r.To.IsZero() || o.From.Before(r.To)) {
				bad[i] = fmt.Sprintf("the mark %s stands twice for the same time", r.Mark.Text)
			}
			if o.Term == r.Term && o.Rank != r.Rank {
				bad[i] = fmt.Sprintf("%s is both rank %d and rank %d", r.Term, o.Rank, r.Rank)
			}
			if o.Rank == r.Rank && o.Term != r.Term {
				bad[i] = fmt.Sprintf("rank %d is called both %s and %s", r.Rank, o.Term, r.Term)
			}
		}
	}
	return bad
}
