package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"entente/act"

	"golang.org/x/mod/sumdb/tlog"
)

// Verify reads the whole ledger and reports the first thing that does not
// hold: an entry whose bytes do not parse, a hash that is not the entries', a
// checkpoint that we signed and the entries no longer give, a partner's act
// whose proof does not lead to a checkpoint of that partner. It returns the head.
// Each hash is computed from those before it, which are verified by then, and a
// partner's card is that of the entry that pinned it: no table is believed, and
// nothing is held that grows with the ledger.
func (l *Ledger) Verify(ctx context.Context, own act.Card, progress func(done, all int64)) (act.Head, error) {
	var head act.Head
	err := l.View(ctx, func(tx *Tx) error {
		seen, cards := map[act.Party]verified{}, map[act.Party]act.Card{}
		for e, err := range tx.Entries(0) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if err := tx.verifyEntry(e, seen, cards); err != nil {
				return err
			}
			if err := tx.verifyHashes(e); err != nil {
				return err
			}
			if b, ok := e.Act.Body.(act.Known); ok && e.Act.From == own.Party {
				cards[b.Card.Party] = b.Card
			}
			if b, err := tx.Get(tableSigned, be(e.Index+1)); err != nil {
				return err
			} else if b != nil {
				if err := tx.verifySigned(own, b, e.Index+1); err != nil {
					return err
				}
			}
			progress(e.Index+1, tx.size)
		}
		for row, err := range tx.Scan(tableSigned, be(tx.size+1), nil) {
			if err == nil {
				err = fmt.Errorf("verifying our checkpoints: one was signed of more entries than the %d that there are (%x): put the newest copy of the folder back", tx.size, row.Key)
			}
			return err
		}
		var err error
		head, err = tx.Head()
		return err
	})
	return head, err
}

// verified is the last checkpoint of a partner that was verified: it covers many
// entries in a row, and its signatures are dear.
type verified struct {
	checkpoint []byte
	head       act.Head
}

// verifyHashes compares the kept hashes that an entry completes with its bytes and
// the hashes before it.
func (tx *Tx) verifyHashes(e Entry) error {
	hs, err := tlog.StoredHashes(e.Index, e.Bytes, tx)
	if err != nil {
		return fmt.Errorf("verifying entry %d: %w", e.Index, err)
	}
	kept, _, err := tx.row(e.Index)
	if err != nil {
		return err
	}
	all := make([]byte, 0, len(hs)*tlog.HashSize)
	for _, h := range hs {
		all = append(all, h[:]...)
	}
	if !bytes.Equal(kept, all) {
		return fmt.Errorf("verifying entry %d: its hash is not that of the entries", e.Index)
	}
	return nil
}

func (tx *Tx) verifyEntry(e Entry, seen map[act.Party]verified, cards map[act.Party]act.Card) error {
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
	last := seen[e.Act.From]
	if !bytes.Equal(last.checkpoint, checkpoint) {
		card, known := cards[e.Act.From]
		if !known {
			return fmt.Errorf("verifying entry %d: no entry before it pinned the keys of %s", e.Index, e.Act.From)
		}
		last.checkpoint = checkpoint
		if last.head, err = ReadCheckpoint(card, checkpoint); err != nil {
			return fmt.Errorf("verifying entry %d: %w", e.Index, err)
		}
		seen[e.Act.From] = last
	}
	if !(Inclusion{e.Act.From, last.head, proof}).Vouches(e.Act.From, e.Bytes) {
		return fmt.Errorf("verifying entry %d: it is not proved to be in the ledger of %s", e.Index, e.Act.From)
	}
	return nil
}

// verifySigned compares our checkpoint of size entries with what they give.
func (tx *Tx) verifySigned(own act.Card, checkpoint []byte, size int64) error {
	h, err := ReadCheckpoint(own, checkpoint)
	if err != nil {
		return fmt.Errorf("verifying our checkpoints: %w", err)
	}
	if is, err := tx.HeadAt(size); err != nil || is != h {
		return errors.Join(err, fmt.Errorf("verifying our checkpoint of %d entries: the entries give another root", size))
	}
	return nil
}
