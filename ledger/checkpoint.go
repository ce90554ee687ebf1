package ledger

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/internal/point"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
)

// Origin returns the first line of the checkpoints of p's ledger.
func Origin(p act.Party) string { return "entente/" + string(p) }

// Checkpoint returns the ledger's present head, signed. What it covers is
// durable: it is read from a committed state before it is signed. A head is
// signed once. The signed bytes are kept with the next commit: if the process
// ends before, the same head is signed again, which says nothing else.
//
//	entente/KR
//	17
//	Zh8cR0...=
//
//	— entente/KR 4nU2...
func (l *Ledger) Checkpoint(ctx context.Context) (signed []byte, head act.Head, err error) {
	err = l.View(ctx, func(tx *Tx) error {
		signed, head, err = tx.Checkpoint()
		return err
	})
	return signed, head, err
}

// Checkpoint returns the checkpoint of what a View sees, as [Ledger.Checkpoint] does.
func (tx *Tx) Checkpoint() ([]byte, act.Head, error) {
	l := tx.l
	if tx.writes {
		return nil, act.Head{}, errors.New("signing a checkpoint: what it covers is not durable yet")
	}
	l.signing.Lock()
	defer l.signing.Unlock()
	head, err := tx.Head()
	if err != nil {
		return nil, head, err
	}
	if b := l.unkept(head.Size); b != nil {
		return b, head, nil
	}
	if b, err := tx.Get(tableSigned, be(head.Size)); err != nil || b != nil {
		return b, head, err
	}
	b, err := signNote(checkpointText(l.cfg.Party, head), l.cfg.Signers)
	if err != nil {
		return nil, head, fmt.Errorf("signing the checkpoint of %d entries: %w", head.Size, err)
	}
	point.At("after signing a checkpoint")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signed[head.Size] = b
	return b, head, nil
}

// unkept returns our checkpoint of a size, if no commit has kept it yet.
func (l *Ledger) unkept(size int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signed[size]
}

// keepSigned writes the checkpoints that were signed since the last commit,
// and returns what is to be done once they are durable.
func (l *Ledger) keepSigned(r Rows) (kept func(), err error) {
	l.mu.Lock()
	all := maps.Clone(l.signed)
	l.mu.Unlock()
	for size, b := range all {
		if err := r.Put(tableSigned, be(size), b); err != nil {
			return nil, err
		}
	}
	return func() {
		for size := range all {
			delete(l.signed, size)
		}
	}, nil
}

func checkpointText(p act.Party, h act.Head) string {
	return fmt.Sprintf("%s\n%d\n%s\n", Origin(p), h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// ReadCheckpoint opens a checkpoint of the party whose card this is. Every
// key of the card must have signed it.
func ReadCheckpoint(card act.Card, b []byte) (act.Head, error) {
	bad := func(why string) error { return fmt.Errorf("checkpoint of %s: %s", card.Party, why) }
	if len(b) > maxCheckpoint {
		return act.Head{}, bad("too long")
	}
	vs, err := card.Verifiers()
	if err != nil {
		return act.Head{}, bad("its card holds a key that does not parse")
	}
	n, err := openNote(b, vs)
	if err != nil {
		return act.Head{}, bad("not signed with every key of the card")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 {
		return act.Head{}, bad("not three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || err2 != nil || size < 0 || size > maxEntries || len(root) != tlog.HashSize {
		return act.Head{}, bad("no size or root")
	}
	h := act.Head{Size: size, Root: act.Hash(root)}
	if checkpointText(card.Party, h) != n.Text {
		return act.Head{}, bad("not spelled as it must be")
	}
	return h, nil
}

// made is a signature that its signer has made already.
type made struct {
	note.Signer
	sig []byte
}

func (m made) Sign([]byte) ([]byte, error) { return m.sig, nil }

// signNote signs a note with every key, side by side: a release waits for them.
func signNote(text string, signers []note.Signer) ([]byte, error) {
	if len(signers) == 1 { // nothing is beside it
		return note.Sign(&note.Note{Text: text}, signers...)
	}
	var g errgroup.Group
	all := make([]note.Signer, len(signers))
	for i, s := range signers {
		g.Go(func() error {
			sig, err := s.Sign([]byte(text))
			all[i] = made{s, sig}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: text}, all...)
}

// openNote opens a note that every one of vs must have signed. They verify side
// by side: a receipt waits for them.
func openNote(b []byte, vs []note.Verifier) (*note.Note, error) {
	if len(vs) == 0 {
		return nil, errors.New("no key")
	}
	if len(vs) == 1 {
		return note.Open(b, note.VerifierList(vs...))
	}
	var g errgroup.Group
	all := note.VerifierList(vs...)
	opened := make([]*note.Note, len(vs))
	for i, v := range vs {
		g.Go(func() (err error) {
			if _, err := all.Verifier(v.Name(), v.KeyHash()); err != nil {
				return err // the card names a key twice
			}
			opened[i], err = note.Open(b, note.VerifierList(v))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return opened[0], nil
}

// maxEntries bounds the size that a party may state of its ledger: above it the arithmetic of
// the tree's package does not end.
const maxEntries = 1 << 62

// maxCheckpoint bounds a signed checkpoint: three hybrid signatures are 6.5 KB.
const maxCheckpoint = 16 << 10

// Proof shows that an act is in a ledger.
type Proof struct {
	Index  int64            `json:"index"`
	Size   int64            `json:"size"` // of the checkpoint that it leads to
	Hashes tlog.RecordProof `json:"hashes"`
}

// Prove returns the proof that entry i is in the ledger of the given size.
func (tx *Tx) Prove(i, size int64) (Proof, error) {
	if i < 0 || i >= size || size > tx.size {
		return Proof{}, fmt.Errorf("proving entry %d in %d entries: the ledger has %d", i, size, tx.size)
	}
	p, err := tlog.ProveRecord(size, i, tx)
	return Proof{Index: i, Size: size, Hashes: p}, err
}

// Growth returns the proof that the ledger of size to extends that of size from.
func (tx *Tx) Growth(from, to int64) (tlog.TreeProof, error) {
	if from < 0 || from > to || to > tx.size {
		return nil, fmt.Errorf("proving growth from %d to %d entries: the ledger has %d", from, to, tx.size)
	}
	if from == 0 || from == to {
		return nil, nil // nothing contradicts an empty ledger, or the same one
	}
	return tlog.ProveTree(to, from, tx)
}

// CheckGrowth reports whether proof shows that to extends from.
func CheckGrowth(proof tlog.TreeProof, from, to act.Head) error {
	switch {
	case from.Size > to.Size:
		return fmt.Errorf("a ledger of %d entries cannot extend one of %d", to.Size, from.Size)
	case to.Size > maxEntries:
		return fmt.Errorf("no ledger has %d entries", to.Size)
	case from.Size == to.Size && from.Root != to.Root:
		return fmt.Errorf("two ledgers of %d entries differ", to.Size)
	case from.Size == 0 || from.Size == to.Size:
		return nil
	}
	return tlog.CheckTree(proof, to.Size, tlog.Hash(to.Root), from.Size, tlog.Hash(from.Root))
}

// Inclusion is a voucher: proofs against one verified checkpoint of a party.
type Inclusion struct {
	Party act.Party
	Head  act.Head
	Proof Proof
}

// Vouches implements [act.Voucher].
func (i Inclusion) Vouches(from act.Party, b []byte) bool {
	return from == i.Party && i.Head.Size <= maxEntries && i.Proof.Size == i.Head.Size && i.Proof.Index >= 0 && i.Proof.Index < i.Head.Size &&
		tlog.CheckRecord(i.Proof.Hashes, i.Head.Size, tlog.Hash(i.Head.Root), i.Proof.Index, tlog.RecordHash(b)) == nil
}

// Peer is a partner's checkpoint as we last verified it.
type Peer struct {
	Head       act.Head
	Checkpoint []byte
}

// PeerHead returns the head of the last checkpoint of p that this ledger has
// seen; the zero value when there is none.
func (tx *Tx) PeerHead(p act.Party) (act.Head, error) {
	h, _, err := Load[act.Head](tx, tablePeer, string(p))
	return h, err
}

// Peer returns the last checkpoint of p that this ledger has seen; the zero
// value when there is none.
func (tx *Tx) Peer(p act.Party) (Peer, error) {
	h, err := tx.PeerHead(p)
	if err != nil || h.Size == 0 {
		return Peer{Head: h}, err
	}
	b, err := tx.Get(tableSeen, seenKey(p, h.Size))
	return Peer{h, b}, err
}

// Contradiction says that a partner's ledger is not a continuation of what
// it signed before. It holds what proves it to a third person.
type Contradiction struct {
	Party   act.Party      `json:"party"`
	Why     string         `json:"why"`
	Card    act.Card       `json:"card"`    // the keys that both checkpoints verify with
	Earlier []byte         `json:"earlier"` // checkpoint as signed then
	Later   []byte         `json:"later"`   // checkpoint as signed now
	Proof   tlog.TreeProof `json:"proof"`   // what was offered as growth between them
}

// Error implements error.
func (c *Contradiction) Error() string {
	return fmt.Sprintf("the ledger of %s contradicts what it signed before: %s", c.Party, c.Why)
}

// Evidence returns the file that a third person checks with CheckEvidence.
func (c *Contradiction) Evidence() ([]byte, error) { return json.MarshalIndent(c, "", "  ") }

// CheckEvidence reads what Evidence wrote, and checks that the party signed both
// checkpoints and that the later does not extend the earlier by what was offered.
// Two of one size that differ convict alone. Of two sizes only the party can tell:
// it is asked for the growth between them, and [Contradiction.Answered] by it; what was
// offered as growth is signed by nobody, and an older checkpoint may have been shown late.
func CheckEvidence(b []byte) (c *Contradiction, convicts bool, err error) {
	c = new(Contradiction)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, false, fmt.Errorf("reading evidence: %w", err)
	}
	if c.Party != c.Card.Party {
		return nil, false, fmt.Errorf("the evidence convicts nobody: it accuses %q with the card of %q", c.Party, c.Card.Party)
	}
	earlier, later, err := c.heads()
	if err != nil {
		return nil, false, err
	}
	if CheckGrowth(c.Proof, earlier, later) == nil {
		return nil, false, errors.New("the evidence convicts nobody: the later ledger extends the earlier")
	}
	return c, earlier.Size == later.Size, nil
}

func (c *Contradiction) heads() (earlier, later act.Head, err error) {
	if earlier, err = ReadCheckpoint(c.Card, c.Earlier); err != nil {
		return earlier, later, err
	}
	later, err = ReadCheckpoint(c.Card, c.Later)
	return earlier, later, err
}

// Answered reports whether proof shows that the larger of the two ledgers extends
// the smaller: then nothing was rewritten.
func (c *Contradiction) Answered(proof tlog.TreeProof) bool {
	a, b, err := c.heads()
	if a.Size > b.Size {
		a, b = b, a
	}
	return err == nil && CheckGrowth(proof, a, b) == nil
}

// See takes in a partner's checkpoint. growth must show that it extends the
// last one seen; otherwise the error is a [*Contradiction] and nothing changes.
// An older checkpoint than the last one seen is a contradiction too: a partner
// states its present ledger.
func (tx *Tx) See(card act.Card, checkpoint []byte, growth tlog.TreeProof) (act.Head, error) {
	h, err := ReadCheckpoint(card, checkpoint)
	if err != nil {
		return act.Head{}, err
	}
	last, err := tx.PeerHead(card.Party)
	if err != nil {
		return act.Head{}, err
	}
	if err := CheckGrowth(growth, last, h); err != nil {
		last, rerr := tx.Peer(card.Party)
		if rerr != nil {
			return h, rerr
		}
		return act.Head{}, &Contradiction{Party: card.Party, Why: err.Error(), Card: card, Earlier: last.Checkpoint, Later: checkpoint, Proof: growth}
	}
	if h == last {
		return h, nil
	}
	if err := tx.Put(tableSeen, seenKey(card.Party, h.Size), checkpoint); err != nil {
		return h, err
	}
	return h, Save(tx, tablePeer, string(card.Party), h)
}

// Basis is a head that a partner may have seen last, and the growth from there.
type Basis struct {
	Head   act.Head       `json:"head"`
	Growth tlog.TreeProof `json:"growth,omitempty"`
}

// Bases returns the growth to size to from each head that we signed since one of
// size from, newest last, at most most of them: whoever saw a checkpoint of ours since then saw
// one of these. That of size from, and those of the sizes in keep, are among them however many came since.
func (tx *Tx) Bases(from, to int64, most int, keep ...int64) (all []Basis, err error) {
	keep = slices.DeleteFunc(append(slices.Clip(keep), from), func(size int64) bool { return size < max(from, 1) || size >= to })
	sizes := []int64{}
	for row, err := range tx.Scan(tableSigned, be(from+1), be(to)) {
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, int64(binary.BigEndian.Uint64(row.Key)))
	}
	tx.l.mu.Lock()
	for size := range tx.l.signed { // shown, and kept with the next commit
		if size > from && size < to {
			sizes = append(sizes, size)
		}
	}
	tx.l.mu.Unlock()
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	sizes = append(append(sizes[max(0, len(sizes)-max(0, most-len(keep)-1)):], keep...), to)
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	for _, size := range sizes {
		b := Basis{}
		if b.Head, err = tx.HeadAt(size); err != nil {
			return nil, err
		}
		if b.Growth, err = tx.Growth(size, to); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// ErrStale says that a checkpoint is older than the last one seen, or that its
// growth is not shown from there. It convicts nobody: it came late.
var ErrStale = errors.New("the checkpoint came late: a newer one was seen")

// SeeLate takes in a partner's checkpoint that passed other hands, and so may come
// late, twice or out of turn. One of bases must be the last head seen; otherwise
// the error is ErrStale, and nothing changes. Two of one size that differ are a
// [*Contradiction] even so.
func (tx *Tx) SeeLate(card act.Card, checkpoint []byte, bases []Basis) (act.Head, error) {
	last, err := tx.PeerHead(card.Party)
	if err != nil {
		return act.Head{}, err
	}
	h, growth, err := tx.Late(card, checkpoint, bases, last)
	if err != nil || h == last {
		return h, err
	}
	return tx.See(card, checkpoint, growth)
}

// Late is SeeLate that changes nothing, as it would be once last is the last head seen. It
// returns the growth from there.
func (tx *Tx) Late(card act.Card, checkpoint []byte, bases []Basis, last act.Head) (h act.Head, growth tlog.TreeProof, err error) {
	if h, err = ReadCheckpoint(card, checkpoint); err != nil || h == last {
		return h, nil, err
	}
	before, err := tx.Get(tableSeen, seenKey(card.Party, h.Size))
	if err != nil {
		return h, nil, err
	}
	if before != nil {
		if seen, err := ReadCheckpoint(card, before); err == nil && seen != h {
			return h, nil, &Contradiction{Party: card.Party, Why: fmt.Sprintf("two ledgers of %d entries", h.Size), Card: card, Earlier: before, Later: checkpoint}
		}
	}
	if h.Size < last.Size {
		return h, nil, ErrStale
	}
	if last.Size == 0 {
		return h, nil, nil
	}
	for _, b := range bases {
		if b.Head != last {
			continue
		}
		if err := CheckGrowth(b.Growth, last, h); err != nil {
			earlier, rerr := tx.Get(tableSeen, seenKey(card.Party, last.Size))
			if rerr != nil {
				return h, nil, rerr
			}
			if earlier == nil {
				return h, nil, err // it was not seen yet
			}
			return h, nil, &Contradiction{Party: card.Party, Why: err.Error(), Card: card, Earlier: earlier, Later: checkpoint, Proof: b.Growth}
		}
		return h, b.Growth, nil
	}
	return h, nil, ErrStale
}

// Vouch keeps the proof that came with the partner's act at index i, so that a
// third person can be shown it, and when the act came. The checkpoint it leads to is the one seen.
func (tx *Tx) Vouch(i int64, p Proof, came time.Time) error {
	return Save(tx, tableProof, string(be(i)), voucher{p, act.MomentOf(came)})
}

// voucher is what stands behind a partner's act, and when it came: the act itself
// tells the time of its party's clock.
type voucher struct {
	Proof
	Came act.Moment `json:"came,omitzero"`
}

// Voucher returns what Vouch kept, and the partner's checkpoint that it leads to.
func (tx *Tx) Voucher(from act.Party, i int64) (Proof, []byte, error) {
	p, ok, err := Load[Proof](tx, tableProof, string(be(i)))
	if err != nil || !ok {
		return p, nil, err
	}
	b, err := tx.Get(tableSeen, seenKey(from, p.Size))
	return p, b, err
}

func seenKey(p act.Party, size int64) []byte { return append([]byte(string(p)+"/"), be(size)...) }
