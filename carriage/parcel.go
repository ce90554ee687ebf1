package carriage

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"entente/act"
	"entente/intake"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// A parcel is what one node tells another by way of others: a hub, or a courier
// with a medium. Its form is described in spec/parcel.md.
//
//	entente parcel v1
//	{"route":["KR","US","JP"],"number":"7Q4K-M2XT-0A9C-Z3HB"}
//	<envelope: see package seal>
//
// The two lines are all that stands outside: the route and a control number
// that is drawn for the parcel alone. Inside are a statement that the sender's
// node signs, acts with their proofs, blocks of content, and padding up to the
// next size of a public ladder. Level, subject, desk and exact size are never
// outside (article 12, R33).

// ErrParcel says that bytes are not a parcel, or not one that opens here.
var ErrParcel = errors.New("not a parcel that can be taken in")

const (
	parcelHeader    = "entente parcel v1\n"
	statementHeader = "entente statement v1\n"
)

// Outer is what stands on the outside of a parcel.
type Outer struct {
	Route  []act.Party `json:"route"`  // the sender first, the final recipient last
	Number string      `json:"number"` // control number
}

// From returns the sender.
func (o Outer) From() act.Party { return o.Route[0] }

// To returns the final recipient.
func (o Outer) To() act.Party { return o.Route[len(o.Route)-1] }

// After returns who is next on the route after p; false at its end, or off it.
func (o Outer) After(p act.Party) (act.Party, bool) {
	i := slices.Index(o.Route, p)
	if i < 0 || i+1 == len(o.Route) {
		return "", false
	}
	return o.Route[i+1], true
}

// courier is the channel of what nobody passes on: it is carried by hand.
const courier = "courier"

// channel is courier, or empty: the route is that of a hub.
func (o Outer) channel() string {
	if len(o.Route) == 2 {
		return courier
	}
	return ""
}

// controlNumber is the form of newControlNumber's.
var controlNumber = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$`)

func (o Outer) check() error {
	if len(o.Route) < 2 || len(o.Route) > maxRoute || !controlNumber.MatchString(o.Number) {
		return fmt.Errorf("%w: its route or number is out of bounds", ErrParcel)
	}
	for i, p := range o.Route {
		if p.Check() != nil || slices.Contains(o.Route[:i], p) {
			return fmt.Errorf("%w: its route names no party, or one twice", ErrParcel)
		}
	}
	return nil
}

func (o Outer) marshal() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(o)
	return append(append([]byte(parcelHeader), b...), '\n'), err
}

// ReadOuter reads what stands outside, and nothing more.
func ReadOuter(r io.Reader) (o Outer, exact []byte, err error) {
	bad := fmt.Errorf("%w: it does not begin as one", ErrParcel)
	exact = make([]byte, 0, 256)
	for lines := 0; lines < 2; {
		var one [1]byte
		if len(exact) == maxOuter {
			return o, nil, bad
		}
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return o, nil, bad
		}
		if exact = append(exact, one[0]); one[0] == '\n' {
			lines++
		}
	}
	line, ok := bytes.CutPrefix(exact, []byte(parcelHeader))
	if !ok || json.Unmarshal(line, &o) != nil {
		return o, nil, bad
	}
	if again, err := o.marshal(); err != nil || !bytes.Equal(again, exact) {
		return o, nil, bad // one spelling of each
	}
	return o, exact, nil
}

// Statement is what the sender's node says of itself and of the recipient. It
// is signed with the keys of the sender's checkpoints.
type Statement struct {
	From   act.Party  `json:"from"`
	To     act.Party  `json:"to"`
	Number string     `json:"number"` // of the parcel
	At     act.Moment `json:"at"`
	Next   int64      `json:"next"` // the place, among the acts to me, that I expect next
	Seen   seen       `json:"seen"` // your ledger as I last saw it
	Acts   act.Sum    `json:"acts"` // SHA-384 of the delivery in the parcel
	Want   []want     `json:"want,omitempty"`
	Gives  []given    `json:"gives,omitempty"`  // content that follows, in order
	Asks   bool       `json:"asks,omitempty"`   // I began anew: say where you stand
	Answer string     `json:"answer,omitempty"` // the number of your parcel that asked
}

// given says which blocks of a product's content follow.
type given struct {
	Number act.Number `json:"number"`
	Vault  act.Sum    `json:"vault"`
	List   bool       `json:"list,omitempty"` // the digests of all blocks come first
	From   int        `json:"from"`
	Count  int        `json:"count"`
}

func (s Statement) sign(signers []note.Signer) ([]byte, error) {
	return signedJSON(statementHeader, s, signers...)
}

// readStatement opens a statement; every key of the card must have signed it.
func readStatement(card act.Card, b []byte) (s Statement, err error) {
	vs, err := card.Verifiers()
	if err == nil {
		s, err = openJSON[Statement](ErrParcel, statementHeader, b, vs)
	}
	if err != nil {
		return s, fmt.Errorf("%w: its statement is not one of %s", ErrParcel, card.Party)
	}
	return s, nil
}

func (s Statement) check() error {
	if s.Next < 0 || len(s.Want) > maxWants || len(s.Gives) > maxWants {
		return ErrParcel
	}
	return nil
}

// SizeClass returns the size on the ladder that n bytes are padded to: 64 KiB,
// doubled up to 1 MiB, and from there in eight steps for each doubling.
func SizeClass(n int64) int64 {
	for c := int64(minClass); c <= 1<<20; c *= 2 {
		if n <= c {
			return c
		}
	}
	step := int64(1 << 17)
	for n > 16*step {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// parcelWriter writes one parcel's inside.
type parcelWriter struct {
	e     *seal.Envelope
	outer int64
	n     int64
}

func beginParcel(w io.Writer, o Outer, to seal.PublicKey) (*parcelWriter, error) {
	outside, err := o.marshal()
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(outside); err != nil {
		return nil, err
	}
	e, err := seal.NewEnvelope(w, to, outside)
	return &parcelWriter{e: e, outer: int64(len(outside))}, err
}

// part writes one part: its length in 4 bytes, then its bytes.
func (p *parcelWriter) part(b []byte) error {
	p.n += 4 + int64(len(b))
	if _, err := p.e.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return err
	}
	_, err := p.e.Write(b)
	return err
}

// end pads the parcel to its size class and closes it. The padding is the rest:
// zeros after an empty part.
func (p *parcelWriter) end() error {
	if err := p.part(nil); err != nil {
		return err
	}
	// The tags of the segments count too, and their number grows with the padding.
	class := SizeClass(p.outer + seal.EnvelopeSize(p.n))
	var zeros [64 << 10]byte
	for n := paddedTo(class-p.outer) - p.n; n > 0; {
		step := min(n, int64(len(zeros)))
		if _, err := p.e.Write(zeros[:step]); err != nil {
			return err
		}
		n -= step
	}
	return p.e.Close()
}

// paddedTo returns the most bytes that an envelope of size holds.
func paddedTo(size int64) int64 {
	n := size
	for seal.EnvelopeSize(n) > size {
		n -= seal.EnvelopeSize(n) - size
	}
	return n
}

// parcelReader reads one parcel's inside.
type parcelReader struct{ r io.Reader }

// part reads one part of at most limit bytes; nil at the end. It makes room as
// bytes arrive.
func (p *parcelReader) part(limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: it ends early: %w", ErrParcel, err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(limit) {
		return nil, fmt.Errorf("%w: a part of %d bytes, where at most %d belong", ErrParcel, n, limit)
	}
	if n == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, p.r, n); err != nil {
		return nil, fmt.Errorf("%w: it ends early: %w", ErrParcel, err)
	}
	return b.Bytes(), nil
}

// rest reads the padding, which must be zeros up to the end.
func (p *parcelReader) rest() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.r.Read(buf)
		if slices.ContainsFunc(buf[:n], func(b byte) bool { return b != 0 }) {
			return fmt.Errorf("%w: something stands in its padding", ErrParcel)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrParcel, err)
		}
	}
}

// opened is a parcel that is for us, as far as its acts.
type opened struct {
	outer Outer
	Statement
	delivery intake.Delivery
	in       *parcelReader // stands before the content
}

// openParcel opens a parcel whose sender's card is pinned. What it returns is
// what the sender's node signed; the acts are still to be judged.
func openParcel(r io.Reader, own act.Party, key *seal.PrivateKey, card func(act.Party) (act.Card, error)) (*opened, error) {
	o, outside, err := ReadOuter(r)
	if err != nil {
		return nil, err
	}
	if o.To() != own {
		return nil, fmt.Errorf("%w: it is for %s", ErrParcel, o.To())
	}
	from, err := card(o.From())
	if err != nil {
		return nil, err
	}
	inside, err := seal.OpenEnvelope(r, key, outside)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParcel, err)
	}
	p := &opened{outer: o, in: &parcelReader{inside}}
	signed, err := p.in.part(maxStatement)
	if err != nil {
		return nil, err
	}
	if p.Statement, err = readStatement(from, signed); err != nil {
		return nil, err
	}
	acts, err := p.in.part(maxFrame)
	if err != nil {
		return nil, err
	}
	s := p.Statement
	if s.From != o.From() || s.To != own || s.Number != o.Number || s.Acts != sumOf(acts) {
		return nil, fmt.Errorf("%w: its statement is of another parcel", ErrParcel)
	}
	if err = readDelivery(acts, &p.delivery, &p.delivery); err != nil {
		return nil, fmt.Errorf("%w: its delivery cannot be read, or has more than one may", ErrParcel)
	}
	p.delivery.From, p.delivery.Late = s.From, true
	return p, nil
}

// content reads the blocks that the statement announces and hands each to keep;
// list is not nil where the digests of all blocks come first.
func (p *opened) content(keep func(g given, list *vault.Blocks, i int, block []byte) error) error {
	for _, g := range p.Gives {
		var list *vault.Blocks
		if g.List {
			b, err := p.in.part(maxFrame)
			if err != nil {
				return err
			}
			l, err := vault.ParseBlocks(b)
			if err != nil || act.Sum(l.Digest()) != g.Vault {
				return fmt.Errorf("%w: the digests of its blocks are not those of the release", ErrParcel)
			}
			list = &l
		}
		if g.Count < 0 || g.From < 0 || list != nil && g.From+g.Count > len(list.Leaves) {
			return fmt.Errorf("%w: it announces blocks out of bounds", ErrParcel)
		}
		for i := g.From; i < g.From+g.Count; i++ {
			b, err := p.in.part(vault.BlockSize)
			if err != nil {
				return err
			}
			if b == nil {
				return fmt.Errorf("%w: it announces blocks that it does not hold", ErrParcel)
			}
			if err := keep(g, list, i, b); err != nil {
				return err
			}
		}
	}
	b, err := p.in.part(vault.BlockSize)
	if err != nil {
		return err
	}
	if b != nil {
		return fmt.Errorf("%w: it holds more than it announces", ErrParcel)
	}
	return p.in.rest()
}

func sumOf(b []byte) act.Sum { return sha512.Sum384(b) }
