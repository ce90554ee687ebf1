package seal

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
)

// An envelope is a stream for one recipient: HPKE (RFC 9180) in base mode with
// the KEM ML-KEM-1024 with P-384, HKDF-SHA384 and AES-256-GCM. The encapsulated
// key comes first, then segments of [EnvelopeSegment] bytes, each sealed in its
// turn by the one context; the associated data of the last says that it is
// the last, so that an end that was cut off shows. It is the key pair that
// products are sealed to, under HPKE's own key schedule.

// EnvelopeSegment is the size of every segment's content but the last, which may be shorter.
const EnvelopeSegment = 256 << 10

const (
	envelopeKey = 1568 + 97 // encapsulated: ML-KEM-1024 and a point of P-384
	envelopeTag = 16
)

// EnvelopeSize returns the size of an envelope around n bytes.
func EnvelopeSize(n int64) int64 {
	segments := max(1, (n+EnvelopeSegment-1)/EnvelopeSegment)
	return envelopeKey + n + segments*envelopeTag
}

var more, last = []byte{0}, []byte{1}

// Envelope writes an envelope. Close it: without its last segment it does not open.
type Envelope struct {
	w   io.Writer
	s   *hpke.Sender
	buf []byte
}

// NewEnvelope begins an envelope on w for the holder of a key. info is bound to
// it, and must be given to open it.
func NewEnvelope(w io.Writer, to PublicKey, info []byte) (*Envelope, error) {
	pq, ec, err := to.split()
	if err != nil {
		return nil, err
	}
	k, err := hpke.NewHybridPublicKey(pq, ec)
	if err != nil {
		return nil, fmt.Errorf("sealing an envelope: %w", err)
	}
	enc, s, err := hpke.NewSender(k, hpke.HKDFSHA384(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, fmt.Errorf("sealing an envelope: %w", err)
	}
	if _, err := w.Write(enc); err != nil {
		return nil, err
	}
	return &Envelope{w: w, s: s, buf: make([]byte, 0, EnvelopeSegment)}, nil
}

// Write implements io.Writer.
func (e *Envelope) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(e.buf) == EnvelopeSegment { // there is more, so it is not the last
			if err := e.segment(more); err != nil {
				return n, err
			}
		}
		step := min(len(p)-n, EnvelopeSegment-len(e.buf))
		e.buf = append(e.buf, p[n:n+step]...)
		n += step
	}
	return n, nil
}

func (e *Envelope) segment(aad []byte) error {
	b, err := e.s.Seal(aad, e.buf)
	clear(e.buf)
	e.buf = e.buf[:0]
	if err != nil {
		return fmt.Errorf("sealing an envelope: %w", err)
	}
	_, err = e.w.Write(b)
	return err
}

// Close writes the last segment.
func (e *Envelope) Close() error { return e.segment(last) }

// envelopeReader reads what Envelope wrote.
type envelopeReader struct {
	r    io.Reader
	c    *hpke.Recipient
	buf  []byte // a segment as sealed, and one byte of the next
	n    int
	out  []byte
	done bool
}

// OpenEnvelope reads an envelope that NewEnvelope began for k with the same
// info. Its reader gives only verified bytes, and ErrTampered, never io.EOF, where the end is missing.
func OpenEnvelope(r io.Reader, k *PrivateKey, info []byte) (io.Reader, error) {
	enc := make([]byte, envelopeKey)
	if _, err := io.ReadFull(r, enc); err != nil {
		return nil, fmt.Errorf("%w: an envelope that ends before its key", ErrFormat)
	}
	key, err := hpke.NewHybridPrivateKey(k.pq, k.ec)
	if err != nil {
		return nil, fmt.Errorf("opening an envelope: %w", err)
	}
	c, err := hpke.NewRecipient(enc, key, hpke.HKDFSHA384(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, ErrNotFor
	}
	return &envelopeReader{r: r, c: c, buf: make([]byte, EnvelopeSegment+envelopeTag+1)}, nil
}

// Read implements io.Reader.
func (e *envelopeReader) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		if e.done {
			return 0, io.EOF
		}
		if err := e.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

func (e *envelopeReader) next() error {
	n, err := io.ReadFull(e.r, e.buf[e.n:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	n += e.n
	aad, end := more, len(e.buf)-1
	if n <= end { // nothing follows
		aad, end, e.done = last, n, true
	}
	if e.out, err = e.c.Open(aad, e.buf[:end]); err != nil {
		e.done = true
		return fmt.Errorf("%w: an envelope that was cut or changed, or is another's", ErrTampered)
	}
	e.n = copy(e.buf, e.buf[end:n])
	return nil
}
