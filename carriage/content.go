package carriage

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/point"
	"entente/ledger"
	"entente/vault"
)

// want asks for the content of a product, from a block on.
type want struct {
	Number act.Number `json:"number"`
	Vault  act.Sum    `json:"vault"`
	From   int        `json:"from"`            // first block wanted; -1: the list of block digests
	Count  int        `json:"count,omitempty"` // by parcel: how many blocks
	List   bool       `json:"list,omitempty"`  // by parcel: the digests of all blocks too
}

// pull asks for the content of each product that was taken in without it.
func (s *session) pull(ctx context.Context) error {
	for {
		grown := s.d.Ledger.Grown()
		fetched, err := s.fetchAwaited(ctx)
		if err != nil {
			return err
		}
		if fetched == 0 {
			if err := s.idle(ctx, grown); err != nil {
				return err
			}
		}
	}
}

// fetchAwaited is one step of pulling: it fetches all that is awaited now.
func (s *session) fetchAwaited(ctx context.Context) (int, error) {
	if via, err := s.d.via(ctx, s.peer.Party); err != nil || via != "" {
		return 0, err // content goes by parcel too
	}
	var awaited []catalogue.Awaited
	err := s.d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for a, err := range s.d.Catalogue.Awaited(tx, s.peer.Party) {
			if err != nil {
				return err
			}
			awaited = append(awaited, a)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(awaited) > 0 {
		if err := s.d.Vault.Spare(); err != nil {
			return 0, err // asked again on the next link
		}
	}
	s.d.seldomFirst(awaited)
	for _, a := range awaited {
		if err := s.fetch(ctx, a); err != nil {
			s.d.failed(a.Number)
			return 0, fmt.Errorf("fetching the content of %s: %w", a.Number, err)
		}
	}
	return len(awaited), nil
}

// fetch brings one product's content home, block by verified block, from
// where the last attempt ended.
func (s *session) fetch(ctx context.Context, a catalogue.Awaited) error {
	blocks, err := s.blocks(a)
	if err != nil {
		return err
	}
	in, err := s.d.begin(ctx, s.peer.Party, a, blocks)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Next() < len(blocks.Leaves) {
		if err := s.w.writeJSON(kindWant, want{Number: a.Number, Vault: a.Vault, From: in.Next()}); err != nil {
			return err
		}
	}
	if err := s.takeBlocks(in, a, blocks); err != nil {
		return err
	}
	if err := in.Keep(ctx); err != nil {
		return err
	}
	point.At("after fetching content")
	s.d.fetched(a.Number, 0, 0)
	return s.d.Intake.Arrived(ctx, a.Number)
}

// begin takes in an object on the line. Parcels that began it let go of it, and what
// they brought stays: the next of them may never come.
func (d *Direct) begin(ctx context.Context, p act.Party, a catalogue.Awaited, blocks vault.Blocks) (*vault.Incoming, error) {
	if d.Post != nil {
		if err := d.Post.letGo(ctx, p, a.Number); err != nil {
			return nil, err
		}
	}
	return d.Vault.Receive(ctx, vault.Digest(a.Vault), blocks)
}

// takeBlocks reads what is missing. A block is checked and written while the
// next one is on its way; it returns when all that it read is written.
func (s *session) takeBlocks(in *vault.Incoming, a catalogue.Awaited, blocks vault.Blocks) (err error) {
	written := make(chan error, 1)
	written <- nil
	defer func() { err = errors.Join(err, <-written) }()
	var spare []byte
	for i := in.Next(); i < len(blocks.Leaves); i++ {
		b, err := s.answer(kindBlock)
		if err != nil {
			return err
		}
		if len(b) < 4 || binary.BigEndian.Uint32(b) != uint32(i) {
			return errFrame
		}
		if err := <-written; err != nil {
			written <- nil
			return err
		}
		s.w.buf, spare = spare, s.w.buf // b stays as it is until it is written
		written = s.d.Vault.Beside(func() error { return in.Write(i, b[4:]) })
		s.d.fetched(a.Number, int64(i)*vault.BlockSize, blocks.Size)
		s.moves()
	}
	return nil
}

func (s *session) blocks(a catalogue.Awaited) (vault.Blocks, error) {
	if err := s.w.writeJSON(kindWant, want{Number: a.Number, Vault: a.Vault, From: -1}); err != nil {
		return vault.Blocks{}, err
	}
	b, err := s.answer(kindBlocks)
	if err != nil {
		return vault.Blocks{}, err
	}
	blocks, err := vault.ParseBlocks(b)
	if err != nil {
		return vault.Blocks{}, err
	}
	if act.Sum(blocks.Digest()) != a.Vault || blocks.Size != a.Size {
		return vault.Blocks{}, fmt.Errorf("the block digests that %s sent are not those of the release", s.peer.Party)
	}
	return blocks, nil
}

// answer reads the next frame, which must be of kind k.
func (s *session) answer(k kind) ([]byte, error) {
	for {
		if err := s.w.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return nil, err
		}
		got, b, err := s.w.read()
		switch {
		case err != nil:
			return nil, err
		case got == k:
			return b, nil
		case got == kindBye:
			return nil, s.parted(b)
		case got != kindPing:
			return nil, fmt.Errorf("%s answers with a frame of kind %d: %w", s.peer.Party, got, errFrame)
		}
	}
}

// serve answers the wants of the partner.
func (s *session) serve(ctx context.Context) error {
	for {
		if err := s.serveWant(ctx); err != nil {
			return err
		}
	}
}

// serveWant is one step of serving: it answers one want, and gives nothing that
// was not released to the partner.
func (s *session) serveWant(ctx context.Context) error {
	b, err := s.answer(kindWant)
	if err != nil {
		return err
	}
	var w want
	if err := json.Unmarshal(b, &w); err != nil {
		return errFrame
	}
	if err := s.give(ctx, w); err != nil {
		s.part("refused", "this content cannot be had")
		return err
	}
	return nil
}

func (s *session) give(ctx context.Context, w want) error {
	var leaves []byte
	err := s.d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		err := s.d.mayGive(tx, s.peer.Party, "", w.Number, w.Vault)
		if err == nil && w.From == -1 {
			leaves, err = tx.Get(vault.Leaves, w.Vault[:])
		}
		return err
	})
	if err != nil {
		return err
	}
	if leaves != nil {
		return s.w.write(kindBlocks, leaves)
	}
	if w.From == -1 { // what stands in the ledger's rows has no row of its tree
		blocks, err := s.d.Vault.Blocks(ctx, vault.Digest(w.Vault))
		if err != nil {
			return err
		}
		return s.w.write(kindBlocks, blocks.Marshal())
	}
	f, err := s.d.Vault.Open(ctx, vault.Digest(w.Vault))
	if err != nil {
		return err
	}
	defer f.Close()
	if w.From < 0 || int64(w.From) > f.Size()/vault.BlockSize {
		return errFrame
	}
	buf := make([]byte, vault.BlockSize)
	for i := w.From; int64(i)*vault.BlockSize < f.Size(); i++ {
		n := min(int64(vault.BlockSize), f.Size()-int64(i)*vault.BlockSize)
		if _, err := f.ReadAt(buf[:n], int64(i)*vault.BlockSize); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		point.At("before giving a block")
		if err := s.w.write(kindBlock, binary.BigEndian.AppendUint32(nil, uint32(i)), buf[:n]); err != nil {
			return err
		}
		s.moves()
	}
	return nil
}

// moves says that content moves: what stopped it before does not stop it now.
func (s *session) moves() { s.d.setState(s.peer.Party, func(st *State) { st.Content = "" }) }
