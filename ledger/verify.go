package ledger

import (
	"context"
	"fmt"

	"entente/act"

	"golang.org/x/mod/sumdb/tlog"
)

// Verify reads the whole ledger and reports the first thing that does not
// hold: an entry whose bytes do not parse, a hash that is not the entries', a
// checkpoint that we signed and the entries no longer give, a partner's act
// whose proof does not lead to a checkpoint of that partner. It returns the head.
func (l *Ledger) Verify(ctx context.Context, own act.Card, cards func(*Tx, act.Party) (act.Card, bool, error), progress func(done, all int64)) (act.Head, error) {
	var head act.Head
	err := l.View(ctx, func(tx *Tx) error {
		again, seen := &stored{}, map[string]act.Head{}
		roots := map[int64]act.Hash{}
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			if err := tx.verifyEntry(e, seen, cards); err != nil {
				return err
			}
			hs, err := tlog.StoredHashes(e.Index, e.Bytes, again)
			if err != nil {
				return err
			}
			again.hashes = append(again.hashes, hs...)
			if b, err := tx.Get(tableSigned, be(e.Index+1)); err != nil {
				return err
			} else if b != nil {
				r, err := tlog.TreeHash(e.Index+1, again)
				if err != nil {
					return err
				}
				roots[e.Index+1] = act.Hash(r)
			}
			progress(e.Index+1, tx.size)
		}
		for i, h := range again.hashes {
			kept, err := tx.ReadHashes([]int64{int64(i)})
			if err != nil || kept[0] != h {
				return fmt.Errorf("verifying the ledger: hash %d is not that of the entries", i)
			}
		}
		var err error
		if head, err = tx.Head(); err != nil {
			return err
		}
		return tx.verifySigned(own, roots)
	})
	return head, err
}

func (tx *Tx) verifyEntry(e Entry, seen map[string]act.Head, cards func(*Tx, act.Party) (act.Card, bool, error)) error {
	if i, ok, err := tx.Find(e.Digest); err != nil || !ok || i != e.Index {
		return fmt.Errorf("verifying entry %d: it is not found under its digest", e.Index)
	}
	if e.Act.From == tx.l.cfg.Party {
		return nil
	}
	proof, checkpoint, err := tx.Voucher(e.Act.From, e.Index)
	if err != nil || checkpoint == nil {
		return fmt.Errorf("verifying entry %d: the proof that %s made it is missing", e.Index, e.Act.From)
	}
	h, ok := seen[string(checkpoint)] // one checkpoint covers many entries, and its signatures are dear
	if !ok {
		card, known, err := cards(tx, e.Act.From)
		if err != nil || !known {
			return fmt.Errorf("verifying entry %d: the keys of %s are not known", e.Index, e.Act.From)
		}
		if h, err = ReadCheckpoint(card, checkpoint); err != nil {
			return fmt.Errorf("verifying entry %d: %w", e.Index, err)
		}
		seen[string(checkpoint)] = h
	}
	if !(Inclusion{e.Act.From, h, proof}).Vouches(e.Act.From, e.Bytes) {
		return fmt.Errorf("verifying entry %d: it is not proved to be in the ledger of %s", e.Index, e.Act.From)
	}
	return nil
}

func (tx *Tx) verifySigned(own act.Card, roots map[int64]act.Hash) error {
	for row, err := range tx.Scan(tableSigned, nil, nil) {
		if err != nil {
			return err
		}
		h, err := ReadCheckpoint(own, row.Value)
		if err != nil {
			return fmt.Errorf("verifying our checkpoints: %w", err)
		}
		if h.Size > 0 && roots[h.Size] != h.Root {
			return fmt.Errorf("verifying our checkpoint of %d entries: the entries give another root", h.Size)
		}
	}
	return nil
}

// stored is a tlog.HashReader over hashes computed again.
type stored struct{ hashes []tlog.Hash }

func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(s.hashes)) {
			return nil, fmt.Errorf("hash %d is not there yet", at)
		}
		out[i] = s.hashes[at]
	}
	return out, nil
}
