package carriage

import (
	"bufio"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/internal/durable"
	"entente/ledger"
	"entente/product"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// A courier carries a medium: a folder with parcels, a list of them that the
// sender's node signs, and the chain of those through whose hands it went. One
// seal number covers all media of a packing; each says which of how many it is.
// The medium may be lost, copied, old or altered: what it says is believed for
// its signatures and digests alone, and nothing is entered before all of it holds.
//
//	MEDIUM          the signed list
//	HANDOVERS       one signed line for each hand-over
//	0001.parcel …   parcels, each below 4 GiB, so that FAT holds them

// What is wrong with a medium. None of them has changed anything.
var (
	ErrMedium = errors.New("not a medium that can be taken in")
	ErrTaken  = errors.New("this medium was taken in before")
)

const (
	mediumHeader   = "entente medium v1\n"
	handoverHeader = "entente handover v1\n"
	mediumFile     = "MEDIUM"
	handoverFile   = "HANDOVERS"
)

// Medium is the list on a medium.
type Medium struct {
	From    act.Party  `json:"from"`
	To      act.Party  `json:"to"`
	Seal    string     `json:"seal"`   // seal number of the packing
	Medium  int        `json:"medium"` // which of its media this is, from 1
	Of      int        `json:"of"`
	At      act.Moment `json:"at"`
	Parcels []Packed   `json:"parcels"`
}

// Packed is one parcel on a medium.
type Packed struct {
	File   string  `json:"file"`
	Number string  `json:"number"`
	Size   int64   `json:"size"`
	Sum    act.Sum `json:"sum"`
}

func (m Medium) check() error {
	bad := fmt.Errorf("%w: its list is out of bounds", ErrMedium)
	if m.From.Check() != nil || m.To.Check() != nil || m.From == m.To || len(m.Seal) != numberLength || m.Medium < 1 || m.Of < m.Medium || m.Of > maxMedia || len(m.Parcels) > maxPacked {
		return bad
	}
	for i, p := range m.Parcels {
		if p.File != parcelName(i) || p.Size < 0 || p.Size > maxCarried || len(p.Number) != numberLength {
			return bad
		}
	}
	return nil
}

// parcelName is a name that any file system holds. Names are made here, never read.
func parcelName(i int) string { return fmt.Sprintf("%04d.parcel", i+1) }

// Handover says that a medium went from one pair of hands to another.
type Handover struct {
	Seal   string     `json:"seal"`
	Medium int        `json:"medium"`
	Before act.Sum    `json:"before"` // of the signed hand-over before; of the signed list, for the first
	From   string     `json:"from"`
	To     string     `json:"to"`
	At     act.Moment `json:"at"`
}

func (h Handover) check() error {
	for _, s := range []string{h.From, h.To} {
		if s == "" || len(s) > act.MaxName || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%w: a hand-over names nobody", ErrMedium)
		}
	}
	return nil
}

// signedJSON writes v under a header, signed.
func signedJSON(header string, v any, signers ...note.Signer) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: header + string(b) + "\n"}, signers...)
}

// openJSON reads what signedJSON wrote: every verifier must have signed it, and it has one spelling.
// What is not so is kind.
func openJSON[T interface{ check() error }](kind error, header string, b []byte, vs []note.Verifier) (v T, err error) {
	bad := fmt.Errorf("%w: it is not signed by whom it names", kind)
	n, err := note.Open(b, note.VerifierList(vs...))
	if err != nil || len(vs) == 0 || len(n.Sigs) != len(vs) || len(n.UnverifiedSigs) > 0 {
		return v, bad
	}
	line, ok := strings.CutPrefix(n.Text, header)
	if !ok || json.Unmarshal([]byte(line), &v) != nil {
		return v, bad
	}
	if again, err := json.Marshal(v); err != nil || string(again)+"\n" != line {
		return v, bad
	}
	return v, v.check()
}

// packing is a set of media in the making: what goes onto which was settled
// when the first was begun, so that the work goes on where it was cut.
type packing struct {
	Seal  string           `json:"seal"`
	At    act.Moment       `json:"at"`
	Base  act.Head         `json:"base"` // what the partner will have seen of us before the next batch of acts
	Media [][]cargo        `json:"media"`
	Done  map[int][]Packed `json:"done,omitempty"` // parcels that are durable on each medium
	Ended map[int]bool     `json:"ended,omitempty"`
}

// cargo is what one parcel carries: acts, or blocks of content.
type cargo struct {
	Acts  int64  `json:"acts"`            // the batch that begins here
	Gives *given `json:"gives,omitempty"` // or this
}

const tablePacking = "post/packing" // party → packing
const tableTaken = "post/taken"     // party/seal/medium → taken

// taken remembers a medium that was taken in.
type taken struct {
	List []byte     `json:"list"` // as signed
	At   act.Moment `json:"at"`
}

// Pack writes what is for p, and not answered, onto a medium in dir: its acts
// in their order, and the content that was not received. capacity is what a medium
// holds; what does not fit goes onto further media, one call for each. Called
// again for a medium that was begun, it goes on with it. courier is who takes it from as.
func (o *Post) Pack(ctx context.Context, p act.Party, dir string, capacity int64, medium int, courier string, signer note.Signer, progress func(done, all int64)) (Medium, error) {
	if capacity < 4*maxParcel {
		return Medium{}, fmt.Errorf("packing: a medium holds at least %d MiB", 4*maxParcel>>20)
	}
	k, err := o.packing(ctx, p, capacity, medium)
	if err != nil {
		return Medium{}, err
	}
	if medium < 1 || medium > len(k.Media) {
		return Medium{}, fmt.Errorf("packing: there are %d media under seal %s, not %d", len(k.Media), k.Seal, medium)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Medium{}, fmt.Errorf("packing: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Medium{}, fmt.Errorf("packing: %w", err)
	}
	defer root.Close()
	if err := o.usable(root, k, medium); err != nil {
		return Medium{}, err
	}
	m := Medium{From: o.Direct.Own.Party, To: p, Seal: k.Seal, Medium: medium, Of: len(k.Media), At: k.At}
	all := k.Media[medium-1]
	for i, l := range all {
		progress(int64(i), int64(len(all)))
		if i < len(k.Done[medium]) && unchanged(root, k.Done[medium][i]) {
			m.Parcels = append(m.Parcels, k.Done[medium][i])
			continue
		}
		packed, err := o.pack(ctx, root, p, &k, l, i)
		if err != nil {
			return m, err
		}
		m.Parcels = append(m.Parcels, packed)
		k.Done[medium] = m.Parcels
		if err := o.savePacking(ctx, p, k); err != nil {
			return m, err
		}
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
	if err := errors.Join(durable.WriteFile(root, handoverFile, lineOf(chain)), durable.WriteFile(root, mediumFile, list)); err != nil {
		return m, fmt.Errorf("packing: %w", err)
	}
	k.Ended[medium] = true
	return m, o.enter(ctx, act.MediumPacked, m, courier, signer, func(tx *ledger.Tx) error { return ledger.Save(tx, tablePacking, string(p), k) })
}

func lineOf(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b) + "\n") }

// usable refuses a folder that holds something else.
func (o *Post) usable(root *os.Root, k packing, medium int) error {
	there, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	for _, e := range there {
		if e.Name() != mediumFile && e.Name() != handoverFile && !strings.HasSuffix(e.Name(), ".parcel") && !strings.HasSuffix(e.Name(), ".part") {
			continue // what a system leaves on a medium is nothing to us
		}
		if len(k.Done[medium]) == 0 {
			return fmt.Errorf("packing: the folder holds %s of another medium: use an empty one", e.Name())
		}
	}
	return nil
}

// unchanged reports whether a parcel that was written is still on the medium.
func unchanged(root *os.Root, p Packed) bool {
	got, err := describe(root, p.File)
	return err == nil && got == p
}

// describe reads a parcel's file whole.
func describe(root *os.Root, name string) (p Packed, err error) {
	st, err := root.Lstat(name)
	if err != nil || !st.Mode().IsRegular() {
		return p, errors.Join(err, fmt.Errorf("%s is not a file", name))
	}
	f, err := root.Open(name)
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
	return Packed{File: name, Number: out.Number, Size: st.Size(), Sum: act.Sum(h.Sum(nil))}, nil
}

// packing returns the packing for p that is in the making, or settles a new one.
func (o *Post) packing(ctx context.Context, p act.Party, capacity int64, medium int) (k packing, err error) {
	c, err := o.hold(ctx, p)
	if err != nil {
		return k, err
	}
	defer c.mu.Unlock()
	begun := false
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		_, ok, err := o.Direct.Catalogue.Partner(tx, p)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%s is not known here: compare codes first", p))
		}
		k, begun, err = ledger.Load[packing](tx, tablePacking, string(p))
		return err
	})
	if k.Done == nil {
		k.Done, k.Ended = map[int][]Packed{}, map[int]bool{}
	}
	if k.Ended == nil {
		k.Ended = map[int]bool{}
	}
	switch {
	case err != nil, begun && (medium > 1 || !k.Ended[1]):
		return k, err
	case medium > 1:
		return k, fmt.Errorf("packing: the first medium for %s is not packed yet", p)
	}
	k = packing{At: act.MomentOf(o.Direct.Now()), Base: c.heard.Seen.Head, Done: map[int][]Packed{}, Ended: map[int]bool{}}
	if k.Seal, err = newControlNumber(o.Random); err != nil {
		return k, err
	}
	if k.Media, err = o.spread(ctx, p, c.heard.Next, k.Base, capacity); err != nil {
		return k, err
	}
	return k, o.savePacking(ctx, p, k)
}

func (o *Post) savePacking(ctx context.Context, p act.Party, k packing) error {
	return o.Direct.Ledger.Update(ctx, func(tx *ledger.Tx) error { return ledger.Save(tx, tablePacking, string(p), k) })
}

// spread settles which parcel goes onto which medium: the acts from next on, then the content.
func (o *Post) spread(ctx context.Context, p act.Party, next int64, base act.Head, capacity int64) (media [][]cargo, err error) {
	var room int64
	add := func(l cargo, size int64) {
		if len(media) == 0 || size > room || len(media[len(media)-1]) == maxPacked {
			media, room = append(media, nil), capacity-maxList-maxChain
		}
		media[len(media)-1] = append(media[len(media)-1], l)
		room -= size
	}
	for {
		del, err := o.Direct.Next(ctx, p, next, base)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(del)
		if err != nil {
			return nil, err
		}
		add(cargo{Acts: next}, SizeClass(int64(len(b))+maxStatement+maxOuter))
		if next += int64(len(del.Acts)); len(del.Acts) == 0 || len(del.Acts) < maxBatch && len(b) < batchBytes {
			break
		}
	}
	// A parcel of content is at most a quarter of a medium, so that little room is left over.
	most := int(min((capacity-maxList-maxChain)/4, maxCarried)-maxFrame) / (vault.BlockSize + vault.BlockSize/8)
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for cu, err := range o.Direct.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			if !o.owed(&cu, p) {
				continue
			}
			blocks := int((cu.Seal.Size + vault.BlockSize - 1) / vault.BlockSize)
			for from := 0; from < blocks; from += most {
				g := given{Number: cu.Manifest.Number, Vault: cu.Seal.Vault, List: true, From: from, Count: min(most, blocks-from)}
				add(cargo{Gives: &g}, SizeClass(int64(g.Count)*(vault.BlockSize+4)+8+48*int64(blocks)+maxStatement))
			}
		}
		return nil
	})
	if err == nil && len(media) > maxMedia {
		err = fmt.Errorf("packing: it would take %d media: use larger ones", len(media))
	}
	return media, err
}

// owed reports whether p was released the content and has not said that it is there, or refused it.
func (o *Post) owed(cu *product.Custody, p act.Party) bool {
	_, received := cu.Received[p]
	_, refused := cu.Refused[p]
	return cu.From == o.Direct.Own.Party && slices.Contains(cu.Manifest.Recipients, p) && !received && !refused &&
		cu.Destroyed[o.Direct.Own.Party] == nil && cu.Seal.Size > vault.Inline
}

// pack writes one parcel onto a medium.
func (o *Post) pack(ctx context.Context, root *os.Root, p act.Party, k *packing, l cargo, i int) (_ Packed, err error) {
	d := o.Direct
	x := &letter{statement: Statement{From: d.Own.Party, To: p, At: act.MomentOf(d.Now())}}
	if x.statement.Next, x.statement.Seen, err = d.state(ctx, p); err != nil {
		return Packed{}, err
	}
	if l.Gives != nil {
		x.gives = []given{*l.Gives}
	} else {
		// Each batch shows its growth from where the one before ended.
		if x.delivery, err = d.Next(ctx, p, l.Acts, k.Base); err != nil {
			return Packed{}, err
		}
		if err := o.grounds(ctx, &x.delivery, k.Base); err != nil {
			return Packed{}, err
		}
		if k.Base, err = ledger.ReadCheckpoint(d.Own, x.delivery.Checkpoint); err != nil {
			return Packed{}, err
		}
	}
	name := parcelName(i)
	f, err := root.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Packed{}, fmt.Errorf("packing: %w", err)
	}
	w := bufio.NewWriterSize(f, 64<<10)
	_, err = o.write(ctx, w, []act.Party{d.Own.Party, p}, x)
	if err = errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return Packed{}, fmt.Errorf("packing: %w", errors.Join(err, root.Remove(name+".part")))
	}
	if err := durable.Rename(root, name+".part", name); err != nil {
		return Packed{}, fmt.Errorf("packing: %w", err)
	}
	packed, err := describe(root, name)
	if err != nil {
		return Packed{}, fmt.Errorf("packing: what was written does not read: %w", err)
	}
	return packed, nil
}

// enter enters that a medium was packed, or taken in, together with what save
// writes. The sender hears of the latter.
func (o *Post) enter(ctx context.Context, kind act.Kind, m Medium, hands string, signer note.Signer, save func(*ledger.Tx) error) error {
	d := o.Direct
	body := act.Medium{Party: m.To, Seal: m.Seal, Medium: m.Medium, Of: m.Of, Parcels: len(m.Parcels), Hands: hands}
	var to []act.Party
	if kind == act.MediumTaken {
		// The node vouches: the sender need not know our registrar's key.
		body.Party, to, signer = m.From, []act.Party{m.From}, nil
	}
	return d.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		s, err := d.Catalogue.Statement(tx, d.Now(), kind, body, to...)
		if err != nil {
			return err
		}
		if _, err = d.Catalogue.Enter(tx, s, signer); err != nil {
			return err
		}
		return save(tx)
	})
}

// HandOver enters on the medium in dir that it goes from one pair of hands to
// another, signed by one of our persons.
func (o *Post) HandOver(dir, from, to string, signer note.Signer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	defer root.Close()
	list, chain, err := papers(root)
	if err != nil {
		return err
	}
	m, err := unverified(list)
	if err != nil {
		return err
	}
	before := sumOf(list)
	for _, b := range chain {
		before = sumOf(b)
	}
	h := Handover{Seal: m.Seal, Medium: m.Medium, Before: before, From: from, To: to, At: act.MomentOf(o.Direct.Now())}
	if err := h.check(); err != nil {
		return err
	}
	b, err := signedJSON(handoverHeader, h, signer)
	if err != nil {
		return err
	}
	var all []byte
	for _, c := range append(chain, b) {
		all = append(all, lineOf(c)...)
	}
	return durable.WriteFile(root, handoverFile, all)
}

// papers reads the list and the chain of a medium, bounded.
func papers(root *os.Root) (list []byte, chain [][]byte, err error) {
	if list, err = small(root, mediumFile, maxList); err != nil {
		return nil, nil, err
	}
	b, err := small(root, handoverFile, maxChain)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(b)) {
		h, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil || len(chain) == maxHandovers {
			return nil, nil, fmt.Errorf("%w: its chain of hand-overs does not parse, or is longer than %d", ErrMedium, maxHandovers)
		}
		chain = append(chain, h)
	}
	return list, chain, nil
}

// unverified reads a list whose signature was not looked at: it tells whose keys to ask.
func unverified(list []byte) (m Medium, err error) {
	line, ok := strings.CutPrefix(string(list), mediumHeader)
	// What is no parcel takes the room of one, as in a delivery: see maxValues.
	if !ok || strings.Count(line, ",") > 4*maxPacked+16 || json.NewDecoder(strings.NewReader(line)).Decode(&m) != nil {
		return Medium{}, fmt.Errorf("%w: its list does not parse", ErrMedium)
	}
	return m, nil
}

func small(root *os.Root, name string, limit int64) ([]byte, error) {
	st, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is missing: it is another folder, or was not packed to its end", ErrMedium, name)
	}
	if !st.Mode().IsRegular() || st.Size() > limit {
		return nil, fmt.Errorf("%w: %s is not a file of at most %d bytes", ErrMedium, name, limit)
	}
	return root.ReadFile(name)
}

// TakeMedium takes in the medium in dir: first all of it is checked, then its
// parcels are taken in, in order. Should the node stop in between, it is taken
// in again: what was entered has no second effect. It returns who brought it.
func (o *Post) TakeMedium(ctx context.Context, dir string, progress func(done, all int64)) (m Medium, hands []Handover, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, nil, fmt.Errorf("%w: %w", ErrMedium, err)
	}
	defer root.Close()
	list, chain, err := papers(root)
	if err != nil {
		return m, nil, err
	}
	if m, err = o.readMedium(ctx, list); err != nil {
		return m, nil, err
	}
	if hands, err = o.readChain(ctx, m, list, chain); err != nil {
		return m, nil, err
	}
	if err := o.inOrder(ctx, m, list); err != nil {
		return m, hands, err
	}
	all := 2 * int64(len(m.Parcels))
	for i, p := range m.Parcels {
		progress(int64(i), all)
		if got, err := describe(root, p.File); err != nil || got != p {
			return m, hands, fmt.Errorf("%w: %s is missing, or not what the list says: have it packed again", ErrMedium, p.File)
		}
		if err := o.addressed(root, p, m); err != nil {
			return m, hands, err
		}
	}
	for i, p := range m.Parcels {
		progress(int64(len(m.Parcels)+i), all)
		if err := o.takeParcel(ctx, root, p); err != nil {
			return m, hands, err
		}
	}
	progress(all, all)
	defer o.wake()
	return m, hands, o.enter(ctx, act.MediumTaken, m, hands[len(hands)-1].To, nil, func(tx *ledger.Tx) error {
		return ledger.Save(tx, tableTaken, takenKey(m, m.Medium), taken{list, m.At})
	})
}

func (o *Post) readMedium(ctx context.Context, list []byte) (m Medium, err error) {
	if m, err = unverified(list); err != nil {
		return m, err
	}
	if m.To != o.Direct.Own.Party {
		return m, fmt.Errorf("%w: it is for somebody else", ErrMedium)
	}
	card, err := o.card(ctx, m.From)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrMedium, err)
	}
	vs, err := card.Verifiers()
	if err != nil {
		return m, err
	}
	return openJSON[Medium](ErrMedium, mediumHeader, list, vs)
}

// readChain checks that the medium came from hand to hand without a gap, from
// the sender's person on. Each line is signed by a person of the sender's, or one of ours.
func (o *Post) readChain(ctx context.Context, m Medium, list []byte, chain [][]byte) (all []Handover, err error) {
	if len(chain) == 0 || len(chain) > maxHandovers {
		return nil, fmt.Errorf("%w: nobody handed it over", ErrMedium)
	}
	before := sumOf(list)
	for i, b := range chain {
		h, by, err := o.readHandover(ctx, m, b)
		if err != nil {
			return nil, err
		}
		switch {
		case h.Seal != m.Seal || h.Medium != m.Medium || h.Before != before:
			return nil, fmt.Errorf("%w: hand-over %d belongs to another medium, or one is missing before it", ErrMedium, i+1)
		case i == 0 && (h.From != by || !strings.HasSuffix(by, "@"+string(m.From))):
			return nil, fmt.Errorf("%w: it was not handed over by the sender's own person", ErrMedium)
		case i > 0 && h.From != all[i-1].To:
			return nil, fmt.Errorf("%w: it went to %s, and %s handed it on", ErrMedium, all[i-1].To, h.From)
		}
		all, before = append(all, h), sumOf(b)
	}
	return all, nil
}

func (o *Post) readHandover(ctx context.Context, m Medium, b []byte) (h Handover, by string, err error) {
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		keys := o.Direct.Catalogue.Keys(tx)
		_, err := note.Open(b, note.VerifierList())
		var unverified *note.UnverifiedNoteError
		if !errors.As(err, &unverified) || len(unverified.Note.UnverifiedSigs) != 1 {
			return fmt.Errorf("%w: a hand-over bears no one signature", ErrMedium)
		}
		by = unverified.Note.UnverifiedSigs[0].Name
		var v note.Verifier
		if name, ok := strings.CutSuffix(by, "@"+string(o.Direct.Own.Party)); ok {
			person, _, err := o.Direct.Catalogue.Person(tx, name)
			if err != nil {
				return err
			}
			v, err = act.ParseVerifier(person.Key)
			if err != nil {
				return fmt.Errorf("%w: a hand-over is signed by nobody of ours", ErrMedium)
			}
		} else if v, err = keys(m.From, by); err != nil || !strings.HasSuffix(by, "@"+string(m.From)) {
			return fmt.Errorf("%w: a hand-over is signed by nobody whom %s notified", ErrMedium, m.From)
		}
		h, err = openJSON[Handover](ErrMedium, handoverHeader, b, []note.Verifier{v})
		return err
	})
	return h, by, err
}

// inOrder refuses a medium that was taken in, one that is older than another, and one
// whose predecessor is missing. Two media of one place that differ convict their sender.
func (o *Post) inOrder(ctx context.Context, m Medium, list []byte) error {
	d := o.Direct
	return d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		was, ok, err := ledger.Load[taken](tx, tableTaken, takenKey(m, m.Medium))
		if err != nil {
			return err
		}
		if ok {
			if string(was.List) != string(list) {
				return fmt.Errorf("%w: it bears the seal number of another that was taken in: keep both lists as evidence", ErrMedium)
			}
			return fmt.Errorf("%w: %w: nothing is to be done", ErrMedium, ErrTaken)
		}
		if m.Medium > 1 {
			if _, ok, err := ledger.Load[taken](tx, tableTaken, takenKey(m, m.Medium-1)); err != nil || !ok {
				return errors.Join(err, fmt.Errorf("%w: it is medium %d of %d: take in medium %d first", ErrMedium, m.Medium, m.Of, m.Medium-1))
			}
		}
		for row, err := range tx.Scan(tableTaken, []byte(string(m.From)+"/"), []byte(string(m.From)+"0")) {
			if err != nil {
				return err
			}
			var t taken
			if err := json.Unmarshal(row.Value, &t); err != nil {
				return fmt.Errorf("reading what was taken in: %w", err)
			}
			if t.At.After(m.At.Time) {
				return fmt.Errorf("%w: it was packed on %s, before one that was taken in: it is old", ErrMedium, m.At.UTC().Format(time.DateTime))
			}
		}
		return nil
	})
}

func takenKey(m Medium, medium int) string { return fmt.Sprintf("%s/%s/%04d", m.From, m.Seal, medium) }

// addressed checks what stands outside a parcel.
func (o *Post) addressed(root *os.Root, p Packed, m Medium) error {
	f, err := root.Open(p.File)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMedium, err)
	}
	defer f.Close()
	out, _, err := ReadOuter(f)
	if err != nil || !slices.Equal(out.Route, []act.Party{m.From, m.To}) {
		return errors.Join(err, fmt.Errorf("%w: %s has another route", ErrMedium, p.File))
	}
	return nil
}

func (o *Post) takeParcel(ctx context.Context, root *os.Root, p Packed) error {
	f, err := root.Open(p.File)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMedium, err)
	}
	defer f.Close()
	if _, err := o.Absorb(ctx, bufio.NewReaderSize(f, 64<<10), "courier"); err != nil {
		return fmt.Errorf("taking in %s: %w", p.File, err)
	}
	return nil
}
