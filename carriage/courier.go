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
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// A courier carries a medium: a folder with parcels, a list of them that the
// sender's node signs, and the chain of those through whose hands it went. One
// seal number covers all media of a packing; each says which of how many it is.
// The medium may be lost, copied, old or altered: what it says is believed for
// its signatures and digests alone, and nothing is entered before all of it was read and holds.
//
//	MEDIUM          the signed list
//	HANDOVERS       one signed line for each hand-over
//	0001.parcel …   parcels, each below 4 GiB, so that FAT holds them

// What is wrong with a medium. None of them has entered anything of it.
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

	by string // who signed it
}

func (h Handover) check() error { return errors.Join(person(h.From), person(h.To)) }

// person checks how a hand-over names somebody.
func person(s string) error {
	if s == "" || len(s) > act.MaxName || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("%w: a hand-over names nobody", ErrMedium)
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

const tableTaken = "post/taken" // party/seal/medium → taken

// taken remembers a medium that was taken in.
type taken struct {
	List []byte     `json:"list"` // as signed
	At   act.Moment `json:"at"`
}

func lineOf(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b) + "\n") }

// enter enters that a medium was packed, or taken in, together with what save writes.
func (o *Post) enter(ctx context.Context, kind act.Kind, body act.Medium, signer note.Signer, save func(*ledger.Tx) error, to ...act.Party) error {
	d := o.Direct
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

// HandOver enters on the medium in dir that it goes from the hands that have it into
// others, signed by one of our persons: we packed it, or it is for us.
func (o *Post) HandOver(ctx context.Context, dir, from, to string, signer note.Signer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	defer root.Close()
	list, lines, err := papers(root)
	if err != nil {
		return err
	}
	m, err := o.readMedium(ctx, list)
	if err != nil {
		return err
	}
	chain, err := o.readChain(ctx, m, list, lines, nil)
	if err != nil && !errors.Is(err, errStranger) {
		return err
	}
	own := o.Direct.Own.Party
	if last := chain[len(chain)-1].To; last != from {
		return fmt.Errorf("handing over: the medium is with %s, as its chain of hands ends, and not with %s", last, from)
	}
	// The last place is kept for who takes it in.
	if len(chain) >= maxHandovers || len(chain) == maxHandovers-1 && own != m.To {
		return fmt.Errorf("handing over: the medium went through %d hands, and a chain has %d at most, the last of them the recipient's: have it taken in, or pack another", len(chain), maxHandovers)
	}
	h := Handover{Seal: m.Seal, Medium: m.Medium, Before: sumOf(lines[len(lines)-1]), From: from, To: to, At: act.MomentOf(o.Direct.Now())}
	if err := h.check(); err != nil {
		return err
	}
	b, err := signedJSON(handoverHeader, h, signer)
	if err != nil {
		return err
	}
	var all []byte
	for _, c := range append(lines, b) {
		all = append(all, lineOf(c)...)
	}
	if err := durable.WriteFile(root, handoverFile, all); err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	return nil
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

func small(root *os.Root, name string, limit int64) ([]byte, error) {
	f, size, err := regular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing: it is another folder, or was not packed to its end", ErrMedium, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedium, err)
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%w: %s is not a file of at most %d bytes", ErrMedium, name, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// regular opens a file that is no link and nothing special.
func regular(root *os.Root, name string) (f *os.File, size int64, err error) {
	st, err := root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a file", name)
	}
	f, err = root.Open(name)
	return f, st.Size(), err
}

// TakeMedium takes in the medium in dir: first all of it is checked, then its parcels are
// taken in, in order. Should the node stop in between, it is taken in again: what was entered has no
// second effect. by is the person of ours with whom its chain of hands ends.
func (o *Post) TakeMedium(ctx context.Context, dir, by string, progress func(done, all int64)) (m Medium, hands []Handover, err error) {
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
	own := o.Direct.Own.Party
	if m.To != own {
		return m, nil, fmt.Errorf("%w: it is for somebody else", ErrMedium)
	}
	// A person of the sender's whom it notifies by this very medium is known once that is read.
	hands, err = o.readChain(ctx, m, list, chain, nil)
	stranger := errors.Is(err, errStranger)
	if err != nil && !stranger {
		return m, hands, err
	}
	if last := hands[len(hands)-1]; last.by != by+"@"+string(own) || last.To != by && last.To != last.by {
		return m, hands, fmt.Errorf("%w: its chain of hands ends with %s, and not with %s, who takes it in: say from whose hands it came (--from)", ErrMedium, last.To, by)
	}
	if err := o.inOrder(ctx, m); err != nil {
		return m, hands, err
	}
	s, err := o.survey(ctx, m)
	if err != nil {
		return m, hands, err
	}
	all := 2 * int64(len(m.Parcels))
	for i, p := range m.Parcels {
		progress(int64(i), all)
		if err := o.look(ctx, root, p, s); err != nil {
			return m, hands, err
		}
	}
	if stranger {
		if hands, err = o.readChain(ctx, m, list, chain, s.persons); err != nil {
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
	if err := o.lacks(ctx, s); err != nil {
		return m, hands, err
	}
	// The node vouches: the sender need not know our registrar's key.
	body := act.Medium{Party: m.From, Seal: m.Seal, Medium: m.Medium, Of: m.Of, Parcels: len(m.Parcels), Hands: by + "@" + string(own)}
	return m, hands, o.enter(ctx, act.MediumTaken, body, nil, func(tx *ledger.Tx) error {
		return ledger.Save(tx, tableTaken, takenKey(m, m.Medium), taken{list, m.At})
	}, m.From)
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

// readMedium reads a list that we signed, or a partner for us.
func (o *Post) readMedium(ctx context.Context, list []byte) (m Medium, err error) {
	if m, err = unverified(list); err != nil {
		return m, err
	}
	card := o.Direct.Own
	if m.From != card.Party {
		if m.To != card.Party {
			return m, fmt.Errorf("%w: it is for somebody else", ErrMedium)
		}
		if card, err = o.card(ctx, m.From); err != nil {
			return m, fmt.Errorf("%w: %w", ErrMedium, err)
		}
	}
	vs, err := card.Verifiers()
	if err != nil {
		return m, err
	}
	return openJSON[Medium](ErrMedium, mediumHeader, list, vs)
}

// errStranger says that a hand-over is signed by a person of the sender's who is not known here.
var errStranger = fmt.Errorf("%w: a hand-over is signed by nobody whom the sender notified", ErrMedium)

// readChain checks that the medium came from hand to hand without a gap, from
// the sender's person on. Each line is signed by a person of the sender's, or one of ours. Where all else
// holds and one of the sender's is neither known here nor among persons, the error is errStranger.
func (o *Post) readChain(ctx context.Context, m Medium, list []byte, chain [][]byte, persons map[string]note.Verifier) (all []Handover, err error) {
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: nobody handed it over", ErrMedium)
	}
	before := sumOf(list)
	var stranger error
	for i, b := range chain {
		h, err := o.readHandover(ctx, m, b, persons)
		if errors.Is(err, errStranger) {
			stranger = err
		} else if err != nil {
			return nil, err
		}
		switch {
		case h.Seal != m.Seal || h.Medium != m.Medium || h.Before != before:
			return nil, fmt.Errorf("%w: hand-over %d belongs to another medium, or one is missing before it", ErrMedium, i+1)
		case i == 0 && (h.From != h.by || !strings.HasSuffix(h.by, "@"+string(m.From))):
			return nil, fmt.Errorf("%w: it was not handed over by the sender's own person", ErrMedium)
		case i > 0 && h.From != all[i-1].To:
			return nil, fmt.Errorf("%w: it went to %s, and %s handed it on", ErrMedium, all[i-1].To, h.From)
		}
		all, before = append(all, h), sumOf(b)
	}
	return all, stranger
}

func (o *Post) readHandover(ctx context.Context, m Medium, b []byte, persons map[string]note.Verifier) (h Handover, err error) {
	_, err = note.Open(b, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) || len(unverified.Note.UnverifiedSigs) != 1 {
		return h, fmt.Errorf("%w: a hand-over bears no one signature", ErrMedium)
	}
	by := unverified.Note.UnverifiedSigs[0].Name
	var v note.Verifier
	err = o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		if name, ok := strings.CutSuffix(by, "@"+string(o.Direct.Own.Party)); ok {
			person, _, err := o.Direct.Catalogue.Person(tx, name)
			if err != nil {
				return err
			}
			if v, err = act.ParseVerifier(person.Key); err != nil {
				return fmt.Errorf("%w: a hand-over is signed by nobody of ours", ErrMedium)
			}
			return nil
		}
		if v, err = o.Direct.Catalogue.Keys(tx)(m.From, by); err != nil || !strings.HasSuffix(by, "@"+string(m.From)) {
			v = persons[by]
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	if v == nil { // what it says is compared with the others' words, and believed once it is known who signed
		if json.Unmarshal([]byte(strings.TrimPrefix(unverified.Note.Text, handoverHeader)), &h) != nil || h.check() != nil {
			return h, fmt.Errorf("%w: a hand-over does not parse", ErrMedium)
		}
		h.by = by
		return h, fmt.Errorf("%w: %q", errStranger, by)
	}
	h, err = openJSON[Handover](ErrMedium, handoverHeader, b, []note.Verifier{v})
	h.by = by
	return h, err
}

// inOrder refuses a medium that was taken in, one that is older than another, and one
// whose predecessor is missing. A medium that was lost and packed again has the number of the first: either is taken in.
func (o *Post) inOrder(ctx context.Context, m Medium) error {
	d := o.Direct
	return d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		_, ok, err := ledger.Load[taken](tx, tableTaken, takenKey(m, m.Medium))
		if err != nil {
			return err
		}
		if ok {
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

// survey is what looking through a medium has shown: how far we shall have come once its
// parcels are taken in, one after the other.
type survey struct {
	m       Medium
	card    act.Card
	last    act.Head                 // of the sender's ledger
	next    int64                    // of its acts to us
	content map[act.Number]int       // up to which block
	persons map[string]note.Verifier // whom it notifies
}

func (o *Post) survey(ctx context.Context, m Medium) (*survey, error) {
	s := &survey{m: m, content: map[act.Number]int{}, persons: map[string]note.Verifier{}}
	return s, o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		partner, _, err := o.Direct.Catalogue.Partner(tx, m.From)
		if err != nil {
			return err
		}
		s.card, s.next = partner.Card, partner.Received
		s.last, err = tx.PeerHead(m.From)
		return err
	})
}

// look reads a parcel whole and checks all of it that can be checked before anything of the
// medium is entered. It keeps one block of it at a time.
func (o *Post) look(ctx context.Context, root *os.Root, p Packed, s *survey) error {
	f, size, err := regular(root, p.File)
	if err != nil {
		return fmt.Errorf("%w: %s is missing, or not what the list says: have it packed again", ErrMedium, p.File)
	}
	defer f.Close()
	h := sha512.New384()
	r := bufio.NewReaderSize(io.TeeReader(f, h), 64<<10)
	wrong := o.open(ctx, r, p, s)
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("%w: reading %s: %w", ErrMedium, p.File, err)
	}
	if size != p.Size || act.Sum(h.Sum(nil)) != p.Sum {
		return fmt.Errorf("%w: %s is missing, or not what the list says: have it packed again", ErrMedium, p.File)
	}
	if wrong != nil {
		return fmt.Errorf("%w: %s: %w", ErrMedium, p.File, wrong)
	}
	return nil
}

func (o *Post) open(ctx context.Context, r io.Reader, p Packed, s *survey) error {
	d := o.Direct
	in, err := openParcel(r, d.Own.Party, o.Key, func(q act.Party) (act.Card, error) { return o.card(ctx, q) })
	if err != nil {
		return err
	}
	if in.outer.Number != p.Number || !slices.Equal(in.outer.Route, []act.Party{s.m.From, s.m.To}) {
		return errors.New("it has another number or route")
	}
	if err := d.checkOurs(ctx, in.From, in.Seen); err != nil {
		return err
	}
	if err := d.checkNext(ctx, in.From, in.Next); err != nil {
		return err
	}
	for _, g := range in.Gives {
		s.content[g.Number] = max(s.content[g.Number], g.From+g.Count)
	}
	err = in.content(func(g given, list *vault.Blocks, i int, block []byte) error {
		if list != nil && !list.Check(i, block) {
			return fmt.Errorf("block %d of %s is not that of the release", i, g.Number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return o.acts(ctx, in, s)
}

// acts checks that the acts of a parcel can be entered once what stands before it on the medium
// is. What cannot be entered now is told, and what its sender says of itself is heard all the same, so that
// two who lost each other's media find together again.
func (o *Post) acts(ctx context.Context, in *opened, s *survey) error {
	del := in.delivery
	if len(del.Checkpoint) == 0 {
		return nil // it brings none
	}
	var missing string
	err := o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		h, _, err := tx.Late(s.card, del.Checkpoint, del.Bases, s.last)
		if errors.Is(err, ledger.ErrStale) {
			if n := len(del.Acts); n > 0 && del.Acts[n-1].Seq >= s.next {
				missing = fmt.Sprintf("it does not go on from the ledger of %s as it was seen here last, so that its act %d cannot be entered", in.From, s.next)
			}
			return nil
		}
		if err != nil {
			return err
		}
		s.last = h
		for _, c := range del.Acts {
			v := ledger.Inclusion{Party: in.From, Head: h, Proof: c.Proof}
			switch {
			case c.Seq < s.next:
				continue
			case c.Seq > s.next:
				missing = fmt.Sprintf("act %d of %s is missing before it", s.next, in.From)
				return nil
			case !v.Vouches(in.From, c.Bytes):
				return fmt.Errorf("its act %d is not proved to be in the ledger of %s", c.Seq, in.From)
			}
			s.next++
			s.notified(c.Bytes, v)
		}
		return nil
	})
	var con *ledger.Contradiction
	if errors.As(err, &con) {
		o.Direct.dispute(ctx, con)
	}
	if err != nil || missing == "" {
		return err
	}
	c, err := o.hold(ctx, in.From)
	if err != nil {
		return err
	}
	defer c.mu.Unlock()
	return errors.Join(o.hear(ctx, c, in, false), fmt.Errorf("%s: take in first what was packed before; if that is lost, send a medium back, which tells what is here, and have it packed with --anew", missing))
}

// notified remembers whom the sender's node notifies.
func (s *survey) notified(b []byte, v ledger.Inclusion) {
	read, err := act.Read(b)
	if err != nil {
		return
	}
	opened, err := read.Open(v, func(act.Party, string) (note.Verifier, error) { return nil, errStranger })
	if err != nil {
		return
	}
	a := opened.Act()
	if body, ok := a.Body.(act.Authority); ok && a.Kind == act.AuthorityNotified {
		if key, err := act.ParseVerifier(body.Key); err == nil {
			s.persons[body.Name+"@"+string(a.From)] = key
		}
	}
}

// lacks tells what of a medium is not here after its parcels were taken in.
func (o *Post) lacks(ctx context.Context, s *survey) error {
	c, err := o.hold(ctx, s.m.From)
	if err != nil {
		return err
	}
	defer c.mu.Unlock()
	return o.Direct.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := o.Direct.Catalogue.Partner(tx, s.m.From)
		if err == nil && partner.Received < s.next {
			err = fmt.Errorf("taking in: acts %d to %d of %s are not entered: take the medium in again", partner.Received, s.next-1, s.m.From)
		}
		for n, to := range s.content {
			_, awaited, failed := o.Direct.Catalogue.Awaits(tx, s.m.From, n)
			if in := c.in[n]; awaited && (in == nil || in.Next() < to) {
				failed = fmt.Errorf("taking in: the content of %s is not here as far as the medium brings it: take the medium in again", n)
			}
			err = errors.Join(err, failed)
		}
		return err
	})
}

func (o *Post) takeParcel(ctx context.Context, root *os.Root, p Packed) error {
	f, _, err := regular(root, p.File)
	if err != nil {
		return fmt.Errorf("taking in: %w", err)
	}
	defer f.Close()
	if _, err := o.Absorb(ctx, bufio.NewReaderSize(f, 64<<10), "courier"); err != nil {
		return fmt.Errorf("taking in %s: %w", p.File, err)
	}
	return nil
}
