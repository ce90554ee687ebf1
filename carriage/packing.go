package carriage

import (
	"bufio"
	"context"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"entente/act"
	"entente/intake"
	"entente/internal/durable"
	"entente/ledger"
	"entente/product"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// packing is a set of media in the making: what goes onto which was settled when it was
// begun, so that the work goes on where it was cut. All of them show our ledger as it stood
// then: a medium that is packed again, on whatever folder, carries what the first did.
type packing struct {
	Seal       string           `json:"seal"`
	At         act.Moment       `json:"at"`
	Base       act.Head         `json:"base"`           // what the partner had seen of us
	Past       []act.Head       `json:"past,omitempty"` // what it may have seen since, by the packings before
	Head       act.Head         `json:"head"`           // what all media show
	Checkpoint []byte           `json:"checkpoint"`     // of it
	Capacity   int64            `json:"capacity"`       // of the media that are not packed yet
	Media      [][]cargo        `json:"media"`
	Done       map[int][]Packed `json:"done,omitempty"`    // parcels that were written for each medium
	Whole      int              `json:"whole"`             // how many media are packed to their end
	Instead    string           `json:"instead,omitempty"` // the packing that was given up for this one
}

// cargo is what one parcel carries: acts, or blocks of content.
type cargo struct {
	Acts   int64  `json:"acts"`             // the batch that begins here
	Count  int    `json:"count,omitempty"`  // has so many
	Size   int64  `json:"size,omitempty"`   // and fills so many bytes
	Gives  *given `json:"gives,omitempty"`  // or these blocks
	Blocks int    `json:"blocks,omitempty"` // of so many
}

// size is how many bytes the parcel takes at most.
func (c cargo) size() int64 {
	if c.Gives == nil {
		return c.Size
	}
	return SizeClass(int64(c.Gives.Count)*(vault.BlockSize+4) + 8 + 48*int64(c.Blocks) + maxStatement)
}

const tablePacking = "post/packing" // party → packing

// Plan says how many media a packing takes, before anything is written.
type Plan struct {
	Seal     string `json:"seal"`
	Medium   int    `json:"medium"` // which is to be written now
	Of       int    `json:"of"`
	Parcels  int    `json:"parcels"`  // on this one
	Capacity int64  `json:"capacity"` // of each
	Instead  string `json:"instead,omitempty"`
}

// Plan settles what goes onto which medium for p, and changes nothing that was written.
// capacity is what a medium holds; 0: as the packing was begun, or capacityUsual. medium is which of them
// is to be packed; 0: the next, or the first of a new packing when all are packed. anew gives up the
// packing that is in the making.
func (o *Post) Plan(ctx context.Context, p act.Party, capacity int64, medium int, anew bool) (Plan, error) {
	end, err := o.claimPacking(p)
	if err != nil {
		return Plan{}, err
	}
	defer end()
	k, medium, err := o.settle(ctx, p, capacity, medium, anew)
	if err != nil {
		return Plan{}, err
	}
	return Plan{Seal: k.Seal, Medium: medium, Of: len(k.Media), Parcels: len(k.Media[medium-1]), Capacity: k.Capacity, Instead: k.Instead}, nil
}

// Pack writes what is for p, and not answered, onto a medium in dir: its acts
// in their order, and the content that was not received. What goes onto which medium is as [Post.Plan]
// settles it. Called again for a medium that was begun, it goes on with it; for one that was packed,
// it packs a second copy. courier is who takes it from as.
func (o *Post) Pack(ctx context.Context, p act.Party, dir string, capacity int64, medium int, courier string, signer note.Signer, progress func(done, all int64)) (Medium, error) {
	if err := person(courier); err != nil {
		return Medium{}, fmt.Errorf("packing: who takes it from here is not named: name the courier")
	}
	end, err := o.claimPacking(p)
	if err != nil {
		return Medium{}, err
	}
	defer end()
	k, medium, err := o.settle(ctx, p, capacity, medium, false)
	if err != nil {
		return Medium{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Medium{}, fmt.Errorf("packing: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Medium{}, fmt.Errorf("packing: %w", err)
	}
	defer root.Close()
	if err := usable(root, &k, medium); err != nil {
		return Medium{}, fmt.Errorf("packing: %w", err)
	}
	m := Medium{From: o.Direct.Own.Party, To: p, Seal: k.Seal, Medium: medium, Of: len(k.Media), At: k.At}
	all, done := k.Media[medium-1], k.Done[medium]
	for i := range all {
		progress(int64(i), int64(len(all)))
		if i >= len(done) || !unchanged(root, done[i]) {
			packed, err := o.pack(ctx, root, p, &k, medium, i)
			if err != nil {
				return m, full(err)
			}
			done = append(slices.Clone(done[:i]), append([]Packed{packed}, done[min(i+1, len(done)):]...)...)
			k.Done[medium] = done
			// It is known before it bears its name: what bears one on a medium is ours, or another's.
			if err := o.savePacking(ctx, p, k); err != nil {
				return m, err
			}
			if err := durable.Rename(root, part(packed.File), packed.File); err != nil {
				return m, full(fmt.Errorf("packing: %w", err))
			}
		}
		m.Parcels = append(m.Parcels, done[i])
	}
	progress(int64(len(all)), int64(len(all)))
	list, err := signedJSON(mediumHeader, m, o.Signers...)
	if err != nil {
		return m, err
	}
	first := Handover{Seal: k.Seal, Medium: medium, Before: sumOf(list), From: signer.Name(), To: courier, At: act.MomentOf(o.Direct.Now())}
	if err := first.check(); err != nil {
		return m, err
	}
	chain, err := signedJSON(handoverHeader, first, signer)
	if err != nil {
		return m, err
	}
	// The list goes last: a medium without it is not one.
	if err := durable.WriteFile(root, handoverFile, lineOf(chain)); err != nil {
		return m, full(fmt.Errorf("packing: %w", err))
	}
	if err := durable.WriteFile(root, mediumFile, list); err != nil {
		return m, full(fmt.Errorf("packing: %w", err))
	}
	k.Whole = max(k.Whole, medium)
	body := act.Medium{Party: p, Seal: m.Seal, Medium: medium, Of: m.Of, Parcels: len(m.Parcels), Hands: courier, Instead: k.Instead}
	return m, o.enter(ctx, act.MediumPacked, body, signer, func(tx *ledger.Tx) error { return ledger.Save(tx, tablePacking, string(p), k) })
}

// full tells what to do when a medium holds less than was said.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: the medium holds less than was said: pack again onto it with --size and what it holds, or onto a larger one", err)
	}
	return err
}

// claimPacking has one packing for p go on at a time: two would write two media of one number.
func (o *Post) claimPacking(p act.Party) (end func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.packs[p] {
		return nil, fmt.Errorf("packing: a medium for %s is being packed at this moment: wait until it is done", p)
	}
	if o.packs == nil {
		o.packs = map[act.Party]bool{}
	}
	o.packs[p] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.packs, p)
	}, nil
}

func part(name string) string { return name + ".part" }

// usable refuses a folder that holds something else, and says which medium it wants.
func usable(root *os.Root, k *packing, medium int) error {
	there, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	want := fmt.Sprintf("mount medium %d of %d under seal %s, or use an empty one", medium, len(k.Media), k.Seal)
	if list, err := small(root, mediumFile, maxList); err == nil {
		m, err := unverified(list)
		switch {
		case err != nil:
			return fmt.Errorf("the folder holds another %s: %s", mediumFile, want)
		case m.Seal != k.Seal || m.Medium != medium:
			return fmt.Errorf("the folder holds medium %d of %d under seal %s: %s", m.Medium, m.Of, m.Seal, want)
		case medium <= k.Whole:
			return fmt.Errorf("the folder holds medium %d of %d under seal %s, packed to its end: nothing is to be done; for a second copy use an empty one", m.Medium, m.Of, m.Seal)
		}
	}
	ours := false
	for _, e := range there {
		if !strings.HasSuffix(e.Name(), ".parcel") {
			continue // what a system leaves on a medium is nothing to us
		}
		n := slices.IndexFunc(k.Done[medium], func(p Packed) bool { return bears(root, e.Name(), p) })
		if n < 0 {
			for other, done := range k.Done {
				if slices.ContainsFunc(done, func(p Packed) bool { return bears(root, e.Name(), p) }) {
					return fmt.Errorf("the folder holds medium %d of %d under seal %s: %s", other, len(k.Media), k.Seal, want)
				}
			}
			return fmt.Errorf("the folder holds %s of another medium: %s", e.Name(), want)
		}
		ours = true
	}
	for _, e := range there {
		if e.Name() == handoverFile && !ours {
			return fmt.Errorf("the folder holds %s of another medium: %s", e.Name(), want)
		}
		if strings.HasSuffix(e.Name(), part(".parcel")) { // it was cut, and is worth nothing
			if err := root.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// bears reports whether a file is the parcel p, by its number.
func bears(root *os.Root, name string, p Packed) bool {
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	out, _, err := ReadOuter(f)
	return err == nil && p.File == name && p.Number == out.Number
}

// unchanged reports whether a parcel that was written is still on the medium.
func unchanged(root *os.Root, p Packed) bool {
	got, err := describe(root, p.File, p.File)
	return err == nil && got == p
}

// describe reads a parcel's file whole, as what it is called.
func describe(root *os.Root, file, name string) (p Packed, err error) {
	f, size, err := regular(root, file)
	if err != nil {
		return p, err
	}
	defer f.Close()
	h := sha512.New384()
	out, _, err := ReadOuter(io.TeeReader(f, h))
	if err != nil {
		return p, err
	}
	if _, err = io.Copy(h, f); err != nil {
		return p, err
	}
	return Packed{File: name, Number: out.Number, Size: size, Sum: act.Sum(h.Sum(nil))}, nil
}

// settle returns the packing for p that is in the making, or begins one, and which of its
// media is to be packed.
func (o *Post) settle(ctx context.Context, p act.Party, capacity int64, medium int, anew bool) (k packing, _ int, err error) {
	if capacity != 0 && capacity < 4*maxParcel {
		return k, 0, fmt.Errorf("packing: a medium holds at least %d MiB", 4*maxParcel>>20)
	}
	if _, why, err := o.partner(ctx, p); err != nil {
		return k, 0, err
	} else if why != "" {
		return k, 0, fmt.Errorf("packing: %s", why)
	}
	c, err := o.hold(ctx, p)
	if err != nil {
		return k, 0, err
	}
	defer c.mu.Unlock()
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		k, _, err = ledger.Load[packing](tx, tablePacking, string(p))
		return err
	})
	if err != nil {
		return k, 0, err
	}
	if k.Done == nil {
		k.Done = map[int][]Packed{}
	}
	begun := len(k.Checkpoint) > 0
	if begun && !anew && (medium > 0 || k.Whole < len(k.Media)) {
		if medium == 0 {
			medium = k.Whole + 1
		}
		switch {
		case medium > len(k.Media):
			return k, 0, fmt.Errorf("packing: there are %d media under seal %s, not %d", len(k.Media), k.Seal, medium)
		case medium > k.Whole+1:
			return k, 0, fmt.Errorf("packing: medium %d of %d is packed first", k.Whole+1, len(k.Media))
		case capacity == 0 || capacity == k.Capacity || k.Whole == len(k.Media):
			return k, medium, nil
		}
		k.relay(capacity)
	} else {
		if medium > 1 {
			return k, 0, fmt.Errorf("packing: the first medium for %s is not packed yet", p)
		}
		if k, err = o.beginPacking(ctx, p, c.heard, k, capacity); err != nil {
			return k, 0, err
		}
		medium = 1
	}
	if len(k.Media) > maxMedia {
		return k, 0, fmt.Errorf("packing: it would take %d media: use larger ones", len(k.Media))
	}
	return k, medium, o.savePacking(ctx, p, k)
}

// beginPacking lays out a new packing, after another or instead of it.
func (o *Post) beginPacking(ctx context.Context, p act.Party, heard took, before packing, capacity int64) (k packing, err error) {
	if capacity == 0 {
		capacity = capacityUsual
	}
	k = packing{At: act.MomentOf(o.Direct.Now()), Base: heard.Seen.Head, Capacity: capacity, Done: map[int][]Packed{}}
	if before.Whole < len(before.Media) {
		k.Instead = before.Seal
	}
	if k.Seal, err = newControlNumber(o.Random); err != nil {
		return k, err
	}
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		k.Checkpoint, k.Head, err = tx.Checkpoint()
		return err
	})
	if err != nil {
		return k, err
	}
	// The partner may have taken in what we have no answer to.
	for _, h := range append(before.Past, before.Head) {
		if h.Size > k.Base.Size {
			k.Past = append(k.Past, h)
		}
	}
	k.Past = k.Past[max(0, len(k.Past)-maxBases/4):]
	all, err := o.gather(ctx, p, heard.Next, &k)
	k.Media = lay(all, capacity, capacity-maxList-maxChain, 0)
	return k, err
}

func (o *Post) savePacking(ctx context.Context, p act.Party, k packing) error {
	return o.Direct.Ledger.Update(ctx, func(tx *ledger.Tx) error { return ledger.Save(tx, tablePacking, string(p), k) })
}

// gather lists what is for p: the acts from next on in batches, then the content, each object whole.
func (o *Post) gather(ctx context.Context, p act.Party, next int64, k *packing) (all []cargo, err error) {
	for {
		del, err := o.batch(ctx, p, cargo{Acts: next, Count: maxBatch}, k)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && len(del.Acts) == 0 {
			break
		}
		b, err := json.Marshal(del)
		if err != nil {
			return nil, err
		}
		// Each is measured with the growth of our ledger, which the first alone will show.
		all = append(all, cargo{Acts: next, Count: len(del.Acts), Size: SizeClass(int64(len(b)) + maxStatement + maxOuter)})
		if next += int64(len(del.Acts)); len(del.Acts) == 0 {
			break
		}
	}
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for cu, err := range o.Direct.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			if o.owed(&cu, p) && cu.Entry < k.Head.Size {
				if halted, err := o.Direct.halted(tx, p, courier, cu.Text, &cu.Manifest); err != nil {
					return err
				} else if halted != nil {
					o.Direct.Log.Warn("content is not packed: "+halted[0].Text, "number", string(cu.Manifest.Number), "article", halted[0].Article, "cure", halted[0].Cure)
					continue
				}
				blocks := int((cu.Seal.Size + vault.BlockSize - 1) / vault.BlockSize)
				all = append(all, cargo{Gives: &given{Number: cu.Manifest.Number, Vault: cu.Seal.Vault, List: true, Count: blocks}, Blocks: blocks})
			}
		}
		return nil
	})
	return all, err
}

// owed reports whether p was released the content and has not said that it is there, or refused it.
func (o *Post) owed(cu *product.Custody, p act.Party) bool {
	_, received := cu.Received[p]
	_, refused := cu.Refused[p]
	return cu.From == o.Direct.Own.Party && slices.Contains(cu.Manifest.Recipients, p) && !received && !refused &&
		cu.Destroyed[o.Direct.Own.Party] == nil && cu.Seal.Size > vault.Inline
}

// lay settles which parcel goes onto which medium, where the first has room left for so many
// bytes and has so many parcels. Content is cut into parcels of at most a quarter of a medium, so that
// little room is left over.
func lay(all []cargo, capacity, room int64, parcels int) [][]cargo {
	media := make([][]cargo, 1)
	add := func(c cargo) {
		if c.size() > room || parcels == maxPacked {
			media, room, parcels = append(media, nil), capacity-maxList-maxChain, 0
		}
		last := len(media) - 1
		media[last], room, parcels = append(media[last], c), room-c.size(), parcels+1
	}
	most := int(min((capacity-maxList-maxChain)/4, maxCarried)-maxFrame) / (vault.BlockSize + vault.BlockSize/8)
	for _, c := range all {
		if c.Gives == nil {
			add(c)
			continue
		}
		for from := 0; from < c.Gives.Count; from += most {
			g := *c.Gives
			g.From, g.Count = g.From+from, min(most, g.Count-from)
			add(cargo{Gives: &g, Blocks: c.Blocks})
		}
	}
	return media
}

// relay lays out anew what is not written yet, for media of another capacity. Media that are packed,
// and parcels that are written on the next, stay.
func (k *packing) relay(capacity int64) {
	next := k.Media[k.Whole]
	done := min(len(k.Done[k.Whole+1]), len(next))
	var rest []cargo // with pieces of one object put together again
	for _, c := range slices.Concat(append([][]cargo{next[done:]}, k.Media[k.Whole+1:]...)...) {
		if last := len(rest) - 1; c.Gives != nil && last >= 0 && rest[last].Gives != nil && rest[last].Gives.Number == c.Gives.Number {
			whole := *rest[last].Gives
			whole.Count += c.Gives.Count
			rest[last].Gives = &whole
			continue
		}
		rest = append(rest, c)
	}
	room := capacity - maxList - maxChain
	for _, p := range k.Done[k.Whole+1][:done] {
		room -= p.Size
	}
	laid := lay(rest, capacity, room, done)
	laid[0] = append(slices.Clone(next[:done]), laid[0]...)
	k.Media, k.Capacity = append(k.Media[:k.Whole], laid...), capacity
}

// batch makes the delivery of one batch of acts, as our ledger stood when the packing was begun.
func (o *Post) batch(ctx context.Context, p act.Party, l cargo, k *packing) (del intake.Delivery, err error) {
	if del, err = o.Direct.deliver(ctx, p, l.Acts, k.Head, true, courier); err != nil {
		return del, err
	}
	del.Checkpoint, del.Growth = k.Checkpoint, nil
	del.Acts = del.Acts[:min(len(del.Acts), l.Count)]
	return del, o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		for i := range del.Acts {
			proof := &del.Acts[i].Proof
			if proof.Index >= k.Head.Size {
				del.Acts = del.Acts[:i]
				break
			}
			if *proof, err = tx.Prove(proof.Index, k.Head.Size); err != nil {
				return err
			}
		}
		if len(k.Media) == 0 || l.Acts == k.Media[0][0].Acts {
			var past []int64
			for _, h := range k.Past {
				past = append(past, h.Size)
			}
			del.Bases, err = tx.Bases(k.Base.Size, k.Head.Size, maxBases, past...)
		}
		return err
	})
}

// pack writes one parcel onto a medium, under the name of a part.
func (o *Post) pack(ctx context.Context, root *os.Root, p act.Party, k *packing, medium, i int) (_ Packed, err error) {
	d, l := o.Direct, k.Media[medium-1][i]
	x := &letter{statement: Statement{From: d.Own.Party, To: p, At: act.MomentOf(d.Now())}}
	if x.statement.Next, x.statement.Seen, err = d.state(ctx, p); err != nil {
		return Packed{}, err
	}
	if l.Gives != nil {
		x.gives = []given{*l.Gives}
	} else {
		if x.delivery, err = o.batch(ctx, p, l, k); err != nil {
			return Packed{}, err
		}
		if len(x.delivery.Acts) != l.Count {
			return Packed{}, fmt.Errorf("packing: what was settled for medium %d cannot be put together any more: begin anew with --anew", medium)
		}
	}
	name := parcelName(i)
	f, err := root.OpenFile(part(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Packed{}, fmt.Errorf("packing: %w", err)
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if _, err = o.write(ctx, w, []act.Party{d.Own.Party, p}, x); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	var packed Packed
	if err == nil {
		packed, err = describe(root, part(name), name)
	}
	if err != nil {
		_ = root.Remove(part(name)) // it would take room; the next packing removes it too
		return Packed{}, fmt.Errorf("packing: %w", err)
	}
	return packed, nil
}
