// Package seal closes content for named recipients and opens it for one.
//
// [Close] writes a sealed file in one streaming pass; [Open] gives any range of
// the content, verified, without reading the rest. The file is a narrow profile
// of the OpenTDF 4.3 container, described in spec/seal.md; whatever Close
// would not have written, Open refuses.
//
// Key shares decide who must agree ([Mode]). What cryptography enforces: who
// has no share cannot open, and no byte of terms or content can change. What it
// does not: after a release or a loan ([Lend]) its end is kept by the
// recipient's node.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"time"

	"entente/act"
	"entente/product"
)

var (
	// ErrNotFor says that the file is not sealed to the key.
	ErrNotFor = errors.New("not sealed to this key")
	// ErrShare says that another party's share is needed too.
	ErrShare = errors.New("the originator's share of the key is needed")
	// ErrTampered says that terms or content are not what was sealed.
	ErrTampered = errors.New("the seal is broken")
	// ErrFormat says that the file is not one that this package writes.
	ErrFormat = errors.New("not a sealed product")
)

// Mode says whose shares open a product.
type Mode string

// The modes.
const (
	Released             Mode = "released"              // the originator's or a recipient's node
	OriginatorControlled Mode = "originator-controlled" // the originator's node, or a recipient's with the originator's share each time
	Lease                Mode = "lease"                 // the same, with the originator's share lent for a time
)

// Terms are what the sealed file binds.
type Terms struct {
	Pact, Product string
	Manifest      act.Sum // of the manifest's exact bytes
	MediaType     string  // as the manifest says it
	Mode          Mode
}

// TermsOf returns the terms of a product.
func TermsOf(m act.Manifest, mode Mode) Terms {
	return Terms{string(m.Pact), string(m.Number), product.Sum(m), m.MediaType, mode}
}

// Key is a party's public key.
type Key struct {
	Party  string
	Public PublicKey
}

// Options are what Close needs.
type Options struct {
	Terms
	Originator  string
	Key         *PrivateKey // the originator's
	Recipients  []Key
	SegmentSize int       // 0: 2 MiB
	Rand        io.Reader // of shares; nil: the system's
}

// Closed is what a release says of a seal.
type Closed struct {
	Plain int64   // bytes of content
	Root  []byte  // root signature
	Keys  act.Sum // of the list of key shares as written
}

// ClosedOf returns what a release act says of its seal.
func ClosedOf(s act.Seal) Closed { return Closed{s.Plain, s.Root, s.Keys} }

const (
	defaultSegment = 2 << 20
	minSegment     = 16 << 10
	maxSegment     = 4 << 20
	overhead       = 12 + 16 // nonce and tag
	// maxManifest bounds the clear manifest: 64 GiB in segments of 16 KiB would be more, and is refused.
	maxManifest = 64 << 20
	maxShares   = 256

	shareAny        = "s-0" // the one share of a released product
	shareOriginator = "originator"
	shareRecipient  = "recipient"

	wrappedHybrid = "hybrid-wrapped" // to a recipient's public key
	wrappedOwn    = "wrapped"        // to the originator by its own symmetric key
)

// The manifest, as OpenTDF 4.3 spells it.
type manifest struct {
	SchemaVersion string     `json:"schemaVersion"`
	Payload       payload    `json:"payload"`
	Encryption    encryption `json:"encryptionInformation"`
}

type payload struct {
	Type      string `json:"type"`
	URL       string `json:"url"`
	Protocol  string `json:"protocol"`
	MimeType  string `json:"mimeType"`
	Encrypted bool   `json:"isEncrypted"`
}

type encryption struct {
	Type      string      `json:"type"`
	Policy    string      `json:"policy"`
	KeyAccess []keyAccess `json:"keyAccess"`
	Method    method      `json:"method"`
	Integrity integrity   `json:"integrityInformation"`
}

type method struct {
	Algorithm  string `json:"algorithm"`
	IV         string `json:"iv"`
	Streamable bool   `json:"isStreamable"`
}

type integrity struct {
	Root     signature `json:"rootSignature"`
	HashAlg  string    `json:"segmentHashAlg"`
	Size     int       `json:"segmentSizeDefault"`
	EncSize  int       `json:"encryptedSegmentSizeDefault"`
	Segments []segment `json:"segments"`
}

type signature struct {
	Alg string `json:"alg"`
	Sig string `json:"sig"`
}

type segment struct {
	Hash    string `json:"hash"`
	Size    int    `json:"segmentSize"`
	EncSize int    `json:"encryptedSegmentSize"`
}

type keyAccess struct {
	Type     string    `json:"type"`
	URL      string    `json:"url"`
	Protocol string    `json:"protocol"`
	Wrapped  string    `json:"wrappedKey"`
	Kid      string    `json:"kid"`
	Sid      string    `json:"sid"`
	Binding  bindingOf `json:"policyBinding"`
	Schema   string    `json:"schemaVersion"`
}

type bindingOf struct {
	Alg  string `json:"alg"`
	Hash string `json:"hash"`
}

type policy struct {
	UUID    string     `json:"uuid"`
	Body    policyBody `json:"body"`
	Entente bound      `json:"entente"`
}

type policyBody struct {
	Attributes []string `json:"dataAttributes"`
	Dissem     []string `json:"dissem"`
}

type bound struct {
	Pact     string  `json:"pact"`
	Product  string  `json:"product"`
	Manifest act.Sum `json:"manifest"`
	Mode     Mode    `json:"mode"`
}

// address is where a party's node would give shares to the field's own tools. No
// public name ends so: who may reach the node says where it is.
func address(party string) string { return "https://" + strings.ToLower(party) + ".entente.internal" }

func (t Terms) policy() (string, error) {
	u := sha256.Sum256([]byte("entente product " + t.Product))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // a UUID of version 8: the application's own
	h := hex.EncodeToString(u[:16])
	b, err := marshal(policy{
		UUID:    h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:],
		Body:    policyBody{[]string{}, []string{}},
		Entente: bound{t.Pact, t.Product, t.Manifest, t.Mode},
	})
	return base64.StdEncoding.EncodeToString(b), err
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func bind(share []byte, policy string) string {
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(mac(share, []byte(policy)))))
}

func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// shares draws the shares of a mode and says to whom each is wrapped.
func (o Options) shares(random io.Reader) (dek []byte, kas []keyAccess, err error) {
	pol, err := o.policy()
	if err != nil {
		return nil, nil, err
	}
	type part struct {
		sid string
		to  []Key // besides the originator, which opens what is its own
	}
	plan := []part{{shareAny, o.Recipients}}
	if o.Mode != Released {
		plan = append(plan[:0], part{shareOriginator, nil}, part{shareRecipient, o.Recipients})
	}
	dek = make([]byte, 32)
	for _, part := range plan {
		share := make([]byte, 32)
		if _, err := io.ReadFull(random, share); err != nil {
			return nil, nil, fmt.Errorf("drawing a key: %w", err)
		}
		subtle.XORBytes(dek, dek, share)
		add := func(suite, party string, key PublicKey, w []byte) {
			kas = append(kas, keyAccess{Type: suite, URL: address(party), Protocol: "kas", Wrapped: base64.StdEncoding.EncodeToString(w),
				Kid: key.ID(), Sid: part.sid, Binding: bindingOf{"HS256", bind(share, pol)}, Schema: "1.0"})
		}
		w, err := o.Key.wrapOwn(share, random)
		if err != nil {
			return nil, nil, err
		}
		add(wrappedOwn, o.Originator, o.Key.Public(), w)
		for _, k := range part.to {
			if w, err = wrap(share, k.Public); err != nil {
				return nil, nil, err
			}
			add(wrappedHybrid, k.Party, k.Public, w)
		}
		clear(share)
	}
	return dek, kas, nil
}

// Close seals src into dst in one pass, with memory for two segments.
func Close(dst io.Writer, src io.Reader, o Options) (Closed, error) {
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegment
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.SegmentSize < minSegment || o.SegmentSize > maxSegment || len(o.Recipients) == 0 || len(o.Recipients) > maxShares-2 {
		return Closed{}, errors.New("sealing: segments of 16 KiB to 4 MiB, and 1 to 254 recipients")
	}
	if o.Mode != Released && o.Mode != OriginatorControlled && o.Mode != Lease {
		return Closed{}, fmt.Errorf("sealing: no mode is called %q", o.Mode)
	}
	dek, kas, err := o.shares(o.Rand)
	if err != nil {
		return Closed{}, err
	}
	defer clear(dek)
	pol, err := o.policy()
	if err != nil {
		return Closed{}, err
	}
	m := manifest{SchemaVersion: "4.3.0", Payload: payload{"reference", payloadName, "zip", o.MediaType, true},
		Encryption: encryption{Type: "split", Policy: pol, KeyAccess: kas, Method: method{"AES-256-GCM", "", true},
			Integrity: integrity{HashAlg: "GMAC", Size: o.SegmentSize, EncSize: o.SegmentSize + overhead}}}
	if _, err := dst.Write(head()); err != nil {
		return Closed{}, err
	}
	c, size, crc, root, err := segments(dst, src, dek, &m.Encryption.Integrity)
	if err != nil {
		return c, err
	}
	m.Encryption.Integrity.Root = signature{"HS256", base64.StdEncoding.EncodeToString(root)}
	b, err := marshal(m)
	if err != nil {
		return c, err
	}
	if len(b) > maxManifest {
		return c, errors.New("sealing: too many segments: choose larger ones")
	}
	if c.Keys, err = keysSum(kas); err != nil {
		return c, err
	}
	_, err = dst.Write(tail(size, crc, b, checksum(b)))
	return c, err
}

func keysSum(kas []keyAccess) (act.Sum, error) {
	b, err := marshal(kas)
	return sha512.Sum384(b), err
}

// segments encrypts src segment by segment. Empty content is one empty segment.
func segments(dst io.Writer, src io.Reader, dek []byte, in *integrity) (c Closed, size int64, crc uint32, root []byte, err error) {
	gcm, err := newGCM(dek)
	if err != nil {
		return c, 0, 0, nil, err
	}
	// Most products are small: room for a whole segment is made once this is full.
	plain, out := make([]byte, min(in.Size, 64<<10)), []byte(nil)
	defer func() { clear(plain) }()
	sig := hmac.New(sha256.New, dek)
	for {
		n, err := io.ReadFull(src, plain)
		if err == nil && n < in.Size {
			whole := make([]byte, in.Size)
			copy(whole, plain)
			clear(plain)
			plain = whole
			var more int
			more, err = io.ReadFull(src, plain[n:])
			n += more
		}
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return c, 0, 0, nil, fmt.Errorf("reading the content: %w", err)
		}
		if n > 0 || last && len(in.Segments) == 0 {
			out = gcm.Seal(out[:0], nil, plain[:n], nil)
			tag := out[len(out)-16:]
			sig.Write(tag)
			in.Segments = append(in.Segments, segment{base64.StdEncoding.EncodeToString(tag), n, len(out)})
			crc = crc32.Update(crc, crc32.IEEETable, out)
			if _, err := dst.Write(out); err != nil {
				return c, 0, 0, nil, err
			}
			c.Plain += int64(n)
			size += int64(len(out))
		}
		if last {
			break
		}
	}
	c.Root = sig.Sum(nil)
	return c, size, crc, c.Root, nil
}

func newGCM(dek []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(dek)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// Reader gives the content of an opened product. Its methods may be called at
// the same time. Close it: the key goes with it.
type Reader struct {
	r     io.ReaderAt
	in    integrity
	plain int64

	mu  sync.Mutex
	gcm cipher.AEAD
	enc []byte
	dec []byte
	at  int // segment in dec, or -1
}

// file is a parsed container whose terms were compared, before any key.
type file struct {
	m    manifest
	kas  []keyAccess
	tags []byte
}

// parse reads a container and compares it with what the release says.
func parse(r io.ReaderAt, size int64, want Terms, c Closed) (*file, error) {
	b, psize, err := openContainer(r, size)
	if err != nil {
		return nil, err
	}
	// What is no segment (1, null, {}) takes the room of one when it is read: commas are counted
	// first, three for each segment that the payload can have, and twelve for each share.
	if int64(bytes.Count(b, []byte(","))) > 3*(psize/minSegment+1)+12*maxShares+32 {
		return nil, fmt.Errorf("%w: its manifest lists more than its payload holds", ErrFormat)
	}
	f := &file{}
	if err := json.Unmarshal(b, &f.m); err != nil {
		return nil, fmt.Errorf("%w: its manifest does not parse", ErrFormat)
	}
	if again, err := marshal(f.m); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: its manifest is not spelled as it must be", ErrFormat)
	}
	e := f.m.Encryption
	f.kas = e.KeyAccess
	pol, err := want.policy()
	if err != nil {
		return nil, err
	}
	keys, err := keysSum(f.kas)
	if err != nil {
		return nil, err
	}
	switch {
	case f.m.SchemaVersion != "4.3.0" || f.m.Payload.Type != "reference" || f.m.Payload.URL != payloadName || f.m.Payload.Protocol != "zip" || !f.m.Payload.Encrypted,
		e.Type != "split" || e.Method != method{"AES-256-GCM", "", true} || e.Integrity.HashAlg != "GMAC" || e.Integrity.Root.Alg != "HS256",
		len(f.kas) == 0 || len(f.kas) > maxShares:
		return nil, fmt.Errorf("%w: of another profile", ErrFormat)
	case e.Policy != pol || f.m.Payload.MimeType != want.MediaType:
		return nil, fmt.Errorf("%w: its terms are not those of the release", ErrTampered)
	case keys != c.Keys || e.Integrity.Root.Sig != base64.StdEncoding.EncodeToString(c.Root):
		return nil, fmt.Errorf("%w: its keys or its root are not those of the release", ErrTampered)
	}
	if f.tags, err = e.Integrity.check(psize, c.Plain); err != nil {
		return nil, err
	}
	return f, nil
}

// check adds up the segments and returns their tags.
func (in integrity) check(psize, plain int64) ([]byte, error) {
	bad := fmt.Errorf("%w: its segments do not add up", ErrFormat)
	if in.Size < minSegment || in.Size > maxSegment || in.EncSize != in.Size+overhead || len(in.Segments) == 0 {
		return nil, bad
	}
	var p, e int64
	tags := make([]byte, 0, 16*len(in.Segments))
	for i, s := range in.Segments {
		last := i == len(in.Segments)-1
		if s.Size < 0 || s.Size > in.Size || !last && s.Size != in.Size || s.EncSize != s.Size+overhead || s.Size == 0 && i > 0 {
			return nil, bad
		}
		t, err := base64.StdEncoding.DecodeString(s.Hash)
		if err != nil || len(t) != 16 {
			return nil, bad
		}
		tags = append(tags, t...)
		p, e = p+int64(s.Size), e+int64(s.EncSize)
	}
	if p != plain || e != psize {
		return nil, bad
	}
	return tags, nil
}

// share unwraps the share called sid with our key.
func (f *file) share(sid, party string, k *PrivateKey) ([]byte, error) {
	for _, ka := range f.kas {
		if ka.Sid != sid || ka.Kid != k.pub.ID() || ka.URL != address(party) {
			continue
		}
		unwrap := map[string]func([]byte) ([]byte, error){wrappedHybrid: k.unwrap, wrappedOwn: k.unwrapOwn}[ka.Type]
		if unwrap == nil || ka.Binding.Alg != "HS256" {
			return nil, fmt.Errorf("%w: a share of another suite", ErrFormat)
		}
		w, err := base64.StdEncoding.DecodeString(ka.Wrapped)
		if err != nil {
			return nil, ErrNotFor
		}
		share, err := unwrap(w)
		if err != nil {
			return nil, err
		}
		if !hmac.Equal([]byte(bind(share, f.m.Encryption.Policy)), []byte(ka.Binding.Hash)) {
			return nil, fmt.Errorf("%w: a share is bound to other terms", ErrTampered)
		}
		return share, nil
	}
	return nil, ErrNotFor
}

// Open unlocks a sealed file for a party. want and c are what the release act
// says; all of it must match. A product that the originator controls opens for
// the originator, and for a recipient with one grant; whether the grant's time
// has passed is the caller's to check.
func Open(r io.ReaderAt, size int64, want Terms, c Closed, party string, key *PrivateKey, grants ...Grant) (*Reader, error) {
	f, err := parse(r, size, want, c)
	if err != nil {
		return nil, err
	}
	dek, err := f.dek(want, party, key, grants)
	if err != nil {
		return nil, err
	}
	defer clear(dek)
	if !hmac.Equal(mac(dek, f.tags), c.Root) {
		return nil, fmt.Errorf("%w: the root signature does not verify", ErrTampered)
	}
	gcm, err := newGCM(dek)
	if err != nil {
		return nil, err
	}
	in := f.m.Encryption.Integrity
	return &Reader{r: r, in: in, plain: c.Plain, gcm: gcm, at: -1}, nil
}

func (f *file) dek(want Terms, party string, key *PrivateKey, grants []Grant) ([]byte, error) {
	if want.Mode == Released {
		return f.share(shareAny, party, key)
	}
	mine, err := f.share(shareRecipient, party, key)
	if err != nil {
		return nil, err
	}
	theirs, err := f.share(shareOriginator, party, key)
	if errors.Is(err, ErrNotFor) { // we are a recipient
		if len(grants) == 0 {
			return nil, ErrShare
		}
		theirs, err = grants[0].open(want.Product, party, key)
	}
	if err != nil {
		return nil, err
	}
	subtle.XORBytes(mine, mine, theirs)
	return mine, nil
}

// Size returns the content's length.
func (r *Reader) Size() int64 { return r.plain }

// Close forgets the key and the last segment.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gcm, r.at = nil, -1
	clear(r.dec[:cap(r.dec)])
	return nil
}

// ReadAt implements io.ReaderAt over the content. Every byte it gives is
// verified.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("reading content: negative offset")
	}
	for n < len(p) && off < r.plain {
		got, err := r.copy(p[n:], off)
		if err != nil {
			return n, err
		}
		n, off = n+got, off+int64(got)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *Reader) copy(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := int(off / int64(r.in.Size))
	if err := r.load(i); err != nil {
		return 0, err
	}
	return copy(p, r.dec[off-int64(i)*int64(r.in.Size):]), nil
}

// load decrypts segment i into dec.
func (r *Reader) load(i int) error {
	if r.gcm == nil {
		return errors.New("reading content: it was closed")
	}
	if r.at == i {
		return nil
	}
	r.at = -1
	s := r.in.Segments[i]
	if cap(r.enc) < s.EncSize { // a small product has one small segment
		clear(r.dec[:cap(r.dec)])
		r.enc, r.dec = make([]byte, s.EncSize), make([]byte, 0, s.Size)
	}
	enc := r.enc[:s.EncSize]
	if n, err := r.r.ReadAt(enc, int64(len(head()))+int64(i)*int64(r.in.EncSize)); n < len(enc) {
		return fmt.Errorf("reading segment %d: %w", i, err)
	}
	if base64.StdEncoding.EncodeToString(enc[len(enc)-16:]) != s.Hash {
		return fmt.Errorf("%w: segment %d is another", ErrTampered, i)
	}
	dec, err := r.gcm.Open(r.dec[:0], nil, enc, nil)
	if err != nil || len(dec) != s.Size {
		return fmt.Errorf("%w: segment %d", ErrTampered, i)
	}
	r.dec, r.at = dec, i
	return nil
}

// WriteTo implements io.WriterTo: the whole content, each segment verified
// before its first byte is written.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	for i := range r.in.Segments {
		r.mu.Lock()
		err := r.load(i)
		if err == nil {
			var m int
			m, err = w.Write(r.dec)
			n += int64(m)
		}
		r.mu.Unlock()
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Grant lends the originator's share of one product to one party.
type Grant struct {
	Product string    `json:"product"`
	Party   string    `json:"party"`
	Until   time.Time `json:"until"`
	Wrapped []byte    `json:"wrapped"`
	Binding []byte    `json:"binding"` // by the share itself: a grant cannot be moved
}

// Lend wraps the originator's share to a party, until a moment.
func Lend(r io.ReaderAt, size int64, want Terms, c Closed, originator string, key *PrivateKey, to Key, until time.Time) (Grant, error) {
	f, err := parse(r, size, want, c)
	if err != nil {
		return Grant{}, err
	}
	if want.Mode == Released {
		return Grant{}, errors.New("lending a share: the product was released outright")
	}
	share, err := f.share(shareOriginator, originator, key)
	if err != nil {
		return Grant{}, err
	}
	defer clear(share)
	g := Grant{Product: want.Product, Party: to.Party, Until: until.UTC()}
	if g.Wrapped, err = wrap(share, to.Public); err != nil {
		return Grant{}, err
	}
	g.Binding = g.bind(share)
	return g, nil
}

func (g Grant) bind(share []byte) []byte {
	var b []byte
	for _, s := range []string{"entente grant 1", g.Product, g.Party, g.Until.Format(time.RFC3339Nano)} {
		b = append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	return mac(share, b)
}

func (g Grant) open(product, party string, key *PrivateKey) ([]byte, error) {
	if g.Product != product || g.Party != party {
		return nil, ErrNotFor
	}
	share, err := key.unwrap(g.Wrapped)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(g.bind(share), g.Binding) {
		return nil, fmt.Errorf("%w: the loan's terms were changed", ErrTampered)
	}
	return share, nil
}

// Marshal writes a grant.
func (g Grant) Marshal() []byte {
	b, err := marshal(g)
	if err != nil {
		panic("seal: a grant does not marshal: " + err.Error())
	}
	return b
}

// ParseGrant reads what Marshal wrote.
func ParseGrant(b []byte) (Grant, error) {
	var g Grant
	if len(b) > 16<<10 || json.Unmarshal(b, &g) != nil || !bytes.Equal(g.Marshal(), b) {
		return Grant{}, fmt.Errorf("%w: a loan does not parse", ErrFormat)
	}
	return g, nil
}
