package carriage

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A frame is its length (4 bytes, big-endian, of what follows), its kind (1
// byte) and its payload.
type kind byte

const (
	kindHello  kind = 1  // hello, JSON
	kindActs   kind = 2  // intake.Delivery: see pack
	kindTook   kind = 3  // took, JSON
	kindWant   kind = 4  // want, JSON
	kindBlocks kind = 5  // the block digests of a product, binary
	kindBlock  kind = 6  // one block: its number (4 bytes) and its bytes
	kindPing   kind = 7  // nothing
	kindBye    kind = 8  // bye, JSON: the last frame
	kindParcel kind = 9  // a parcel
	kindKept   kind = 10 // Kept, JSON
)

var errFrame = errors.New("frame out of bounds")

// wire reads and writes frames on a connection. Writes are serialised; there
// is one reader.
type wire struct {
	net.Conn
	r     *bufio.Reader
	mu    sync.Mutex
	w     *bufio.Writer
	buf   []byte
	limit int
}

func newWire(c net.Conn) *wire {
	return &wire{Conn: c, r: bufio.NewReaderSize(c, 64<<10), w: bufio.NewWriterSize(c, 64<<10), limit: maxHello}
}

// read returns the next frame. The payload is valid until the next read.
func (w *wire) read() (kind, []byte, error) { return readFrame(w.r, w.limit, &w.buf) }

// readFrame reads a frame of at most limit bytes. It makes room as bytes
// arrive, never as much as the length claims.
func readFrame(r io.Reader, limit int, buf *[]byte) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:4]))
	if n < 1 || n > limit {
		return 0, nil, fmt.Errorf("%w: %d bytes, at most %d here", errFrame, n, limit)
	}
	n--
	*buf = (*buf)[:0]
	for len(*buf) < n {
		step := min(n-len(*buf), 256<<10)
		at := len(*buf)
		*buf = append(*buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, (*buf)[at:]); err != nil {
			return 0, nil, io.ErrUnexpectedEOF
		}
	}
	return kind(head[4]), *buf, nil
}

func (w *wire) write(k kind, parts ...[]byte) error {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	var head [5]byte
	binary.BigEndian.PutUint32(head[:4], uint32(n))
	head[4] = byte(k)
	if _, err := w.w.Write(head[:]); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.w.Write(p); err != nil {
			return err
		}
	}
	return w.w.Flush()
}

func (w *wire) writeJSON(k kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.write(k, b)
}
