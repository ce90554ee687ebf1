// Package act is the statement: the only thing that happens in Entente.
//
// Whoever does something (releases, receives, opens, signs a pact) makes an
// [Act]. [Sign] turns it into bytes and vouches for them; [Unopened.Open] turns bytes
// from outside back into an act, and only with a voucher. Both end in
// [Verified], which nothing else can make and which is all that a ledger
// takes in.
//
// The bytes are a signed note (https://c2sp.org/signed-note): a header line, one
// line of JSON, a blank line, and the signature of the person whose act it is.
// An act of the node itself has no signature line: the checkpoint that covers
// it is its signature.
//
//	entente act v1
//	{"v":1,"kind":"product.opened","from":"JP","to":["KR"],"by":"analyst@JP","pact":"kr-jp-2016",...}
//
//	— analyst@JP 6Jm0Cw...
//
// There is one spelling of each act: a parser that meets any other (another
// order of keys, a key twice, another case, white space) refuses it. The bytes
// signed are the bytes kept, carried and proved; nothing is encoded again.
// The format is described in spec/act.md.
package act

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

var errSpelling = fmt.Errorf("%w: not spelled as it must be (a key twice, unknown, or in another order or case)", ErrMalformed)

// Header is the first line of an act's bytes.
const Header = "entente act v1"

// Version is the version of the statement that this package writes and reads.
const Version = 1

// ErrMalformed is wrapped by every error of a parser in this package.
var ErrMalformed = errors.New("malformed act")

// ErrUnvouched says that nobody known stands behind the bytes.
var ErrUnvouched = errors.New("act is not vouched for")

// An Act is one statement. Every field is covered by its signature and by
// the ledger's checkpoint.
type Act struct {
	Version int     `json:"v"`
	Kind    Kind    `json:"kind"`
	From    Party   `json:"from"`           // the party whose node entered it
	To      []Party `json:"to,omitempty"`   // the partners that it is carried to, if any
	By      string  `json:"by,omitempty"`   // the person, as "name@PARTY"; empty: the node itself
	Pact    PactID  `json:"pact,omitempty"` // the agreement that it is made under
	At      Moment  `json:"at"`             // by the clock of the node that entered it
	Period  int     `json:"period"`         // the key period of the party that it was made in, from 1
	Must    bool    `json:"must,omitempty"` // a reader that does not know the kind must stop what depends on it
	Seen    *Head   `json:"seen,omitempty"` // the last checkpoint of the partner's that the sender saw
	Body    any     `json:"body"`           // the value that Kind names: see kind.go
}

// Digest names an act: the SHA-256 of its bytes.
type Digest [sha256.Size]byte

// DigestOf returns the name of the act with these bytes.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// String returns d in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes d in hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(b []byte) error { return unhex(d[:], b) }

// Hash is a node of a ledger's Merkle tree (SHA-256).
type Hash [sha256.Size]byte

// MarshalText writes h in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// Sum is a SHA-384 digest of content.
type Sum [48]byte

// String returns s in hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText writes s in hex.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Sum) UnmarshalText(b []byte) error { return unhex(s[:], b) }

func unhex(dst, b []byte) error {
	if len(b) != 2*len(dst) || strings.ToLower(string(b)) != string(b) {
		return fmt.Errorf("%w: a digest is %d lower-case hex digits", ErrMalformed, 2*len(dst))
	}
	_, err := hex.Decode(dst, b)
	return err
}

// Head is the size and root of a ledger at some moment.
type Head struct {
	Size int64 `json:"size"`
	Root Hash  `json:"root"`
}

// Moment is an instant in UTC with milliseconds, spelled one way:
// 2016-11-23T01:00:00.000Z.
type Moment struct{ time.Time }

const momentLayout = "2006-01-02T15:04:05.000Z"

// MomentOf rounds t down to what a Moment holds.
func MomentOf(t time.Time) Moment { return Moment{t.UTC().Truncate(time.Millisecond)} }

// MarshalText writes m; a year outside 0001..9999 is refused.
func (m Moment) MarshalText() ([]byte, error) {
	if y := m.UTC().Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("%w: year %d", ErrMalformed, y)
	}
	return []byte(m.UTC().Format(momentLayout)), nil
}

// MarshalJSON writes m as MarshalText does; without it time.Time's would show through.
func (m Moment) MarshalJSON() ([]byte, error) {
	b, err := m.MarshalText()
	return append(append([]byte{'"'}, b...), '"'), err
}

// UnmarshalText reads what MarshalText wrote.
func (m *Moment) UnmarshalText(b []byte) error {
	t, err := time.Parse(momentLayout, string(b))
	if err != nil || t.Format(momentLayout) != string(b) {
		return fmt.Errorf("%w: a moment is written %s", ErrMalformed, momentLayout)
	}
	m.Time = t
	return nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Moment) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' {
		return fmt.Errorf("%w: a moment is a string", ErrMalformed)
	}
	return m.UnmarshalText(b[1 : len(b)-1])
}

// Verified is an act with someone behind its bytes. Only [Sign] and [Unopened.Open]
// make one.
type Verified struct {
	act   Act
	bytes []byte
}

// Act returns the statement.
func (v Verified) Act() Act { return v.act }

// Bytes returns the exact bytes. The caller must not change them.
func (v Verified) Bytes() []byte { return v.bytes }

// Digest returns the act's name.
func (v Verified) Digest() Digest { return DigestOf(v.bytes) }

// Sign writes a with the signature of the person it is by; s must be that
// person's and nil for an act of the node itself.
func Sign(a Act, s note.Signer) (Verified, error) {
	a.Version = Version
	text, err := encode(a)
	if err != nil {
		return Verified{}, err
	}
	if (s == nil) != (a.By == "") || s != nil && s.Name() != a.By {
		return Verified{}, fmt.Errorf("signing an act by %q: the key is another's", a.By)
	}
	b := append(text, '\n')
	if s != nil {
		if b, err = note.Sign(&note.Note{Text: string(text)}, s); err != nil {
			return Verified{}, fmt.Errorf("signing %s: %w", a.Kind, err)
		}
	}
	if len(b) > MaxSize {
		return Verified{}, fmt.Errorf("%w: %s is %d bytes, at most %d are carried", ErrMalformed, a.Kind, len(b), MaxSize)
	}
	return Verified{a, b}, nil
}

// A Voucher stands behind bytes: a proof that they are in the ledger of the
// party they are from.
type Voucher interface {
	// Vouches says whether the proof covers these bytes of that party's.
	Vouches(from Party, b []byte) bool
}

// Keys finds the verifier of a person of a party. It returns an error when
// that party never notified the person.
type Keys func(from Party, by string) (note.Verifier, error)

// Unopened is an act that was read and is not opened yet: nobody vouches for it.
type Unopened struct {
	act   Act
	bytes []byte
	by    note.Verifier // the key that its signature was found to verify with; nil: none yet
}

// Read reads an act from outside. It needs no voucher and no turn.
func Read(b []byte) (*Unopened, error) {
	a, err := Parse(b)
	if err != nil {
		return nil, err
	}
	return &Unopened{act: a, bytes: b}, nil
}

// Check verifies the signature with the key that keys finds now, so that Open need
// not, if it finds the same.
func (u *Unopened) Check(keys Keys) {
	if u.act.By == "" {
		return
	}
	if ver, err := keys(u.act.From, u.act.By); err == nil && u.verifies(ver) {
		u.by = ver
	}
}

func (u *Unopened) verifies(ver note.Verifier) bool {
	_, err := note.Open(u.bytes, note.VerifierList(ver))
	return err == nil
}

// Open returns the act only when v vouches for its bytes and, for a person's act, when
// the key that keys finds verifies.
func (u *Unopened) Open(v Voucher, keys Keys) (Verified, error) {
	a, b := u.act, u.bytes
	if !v.Vouches(a.From, b) {
		return Verified{}, fmt.Errorf("%w: %s of %s is not proved to be in its ledger", ErrUnvouched, a.Kind, a.From)
	}
	if a.By == "" {
		return Verified{a, b}, nil
	}
	ver, err := keys(a.From, a.By)
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %s: %w", ErrUnvouched, a.By, err)
	}
	if u.by != ver && !u.verifies(ver) {
		return Verified{}, fmt.Errorf("%w: the signature of %s does not verify", ErrUnvouched, a.By)
	}
	return Verified{a, b}, nil
}

// Parse reads an act's bytes without asking who stands behind them: for one's
// own ledger, and for showing. An act of a kind that this version does not
// know has a [json.RawMessage] as its body.
func Parse(b []byte) (Act, error) {
	if len(b) > MaxSize {
		return Act{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxSize)
	}
	if !utf8.Valid(b) {
		return Act{}, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	line, sigs, ok := bytes.Cut(rest, []byte("\n\n"))
	if string(head) != Header || !ok || bytes.ContainsRune(line, '\n') {
		return Act{}, fmt.Errorf("%w: not a %q note", ErrMalformed, Header)
	}
	a, err := decode(line)
	if err != nil {
		return Act{}, err
	}
	again, err := encode(a)
	if err != nil {
		return Act{}, err
	}
	if !bytes.HasPrefix(b, again) || len(again)+1+len(sigs) != len(b) {
		return Act{}, errSpelling
	}
	return a, checkSignatureLines(a, sigs)
}

// checkSignatureLines keeps the part outside the signature down to what must be
// there: one line for a person's act, none for the node's.
func checkSignatureLines(a Act, sigs []byte) error {
	if a.By == "" {
		if len(sigs) != 0 {
			return fmt.Errorf("%w: an act of the node bears no person's signature", ErrMalformed)
		}
		return nil
	}
	line, ok := bytes.CutSuffix(sigs, []byte("\n"))
	if !ok || bytes.ContainsRune(line, '\n') || !bytes.HasPrefix(line, []byte("— "+a.By+" ")) {
		return fmt.Errorf("%w: one signature, that of %s, must follow", ErrMalformed, a.By)
	}
	sig := string(line[len("— "+a.By+" "):])
	if raw, err := base64.StdEncoding.DecodeString(sig); err != nil || base64.StdEncoding.EncodeToString(raw) != sig {
		return fmt.Errorf("%w: the signature is not base64 as it must be", ErrMalformed)
	}
	return nil
}

func encode(a Act) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(Header + "\n")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(a); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return b.Bytes(), nil
}

// decode reads what encode wrote. Another spelling is refused, here or when it is
// compared with what encode writes again.
func decode(line []byte) (Act, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"v":1,"kind":"`))
	kind, _, closed := bytes.Cut(rest, []byte(`"`))
	if !ok || !closed {
		var of struct {
			Version int `json:"v"`
		}
		if err := unmarshal(line, &of); err != nil {
			return Act{}, err
		}
		if of.Version != Version {
			return Act{}, fmt.Errorf("%w: version %d; this node reads version %d: upgrade it", ErrMalformed, of.Version, Version)
		}
		return Act{}, errSpelling
	}
	t, ok := kinds[Kind(kind)]
	if !ok {
		t = reflect.TypeFor[json.RawMessage]()
	}
	body := reflect.New(t) // known before the line is read: it is read once
	a := Act{Body: body.Interface()}
	if err := unmarshal(line, &a); err != nil {
		return Act{}, err
	}
	if a.Body == nil { // null
		return Act{}, fmt.Errorf("%w: no body", ErrMalformed)
	}
	a.Body = body.Elem().Interface()
	return a, nil
}

func unmarshal(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// check keeps out what no reader could act on.
func (a Act) check() error {
	if err := a.From.Check(); err != nil {
		return err
	}
	for i, p := range a.To {
		if err := p.Check(); err != nil {
			return err
		}
		if p == a.From || i > 0 && a.To[i-1] >= p {
			return fmt.Errorf("%w: recipients are other parties, sorted, each once", ErrMalformed)
		}
	}
	if a.By != "" {
		name, party, ok := strings.Cut(a.By, "@")
		if !ok || Party(party) != a.From || !simple(name, MaxName) {
			return fmt.Errorf("%w: %q is not name@%s", ErrMalformed, a.By, a.From)
		}
	}
	if a.Pact != "" && !simple(string(a.Pact), MaxName) {
		return fmt.Errorf("%w: pact %q", ErrMalformed, a.Pact)
	}
	if len(a.To) > MaxParties || a.Period < 1 || !simple(string(a.Kind), MaxName) {
		return fmt.Errorf("%w: recipients, period or kind out of bounds", ErrMalformed)
	}
	if t, ok := kinds[a.Kind]; ok && reflect.TypeOf(a.Body) != t {
		return fmt.Errorf("%w: the body of %s is %T", ErrMalformed, a.Kind, a.Body)
	}
	if c, ok := a.Body.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}
