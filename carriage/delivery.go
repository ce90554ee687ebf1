package carriage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"entente/intake"
)

// On a link a delivery is the length of its JSON (4 bytes, big-endian), the JSON, and
// then the bytes and the content of each act as they are, whose sizes the JSON
// tells: signed and sealed bytes are most of it, and are spelled once.
type packed struct {
	intake.Delivery
	Sizes [][2]int `json:"sizes,omitempty"` // of each act's bytes and content
}

// pack returns the payload of a delivery's frame, in parts.
func pack(d intake.Delivery) ([][]byte, error) {
	p := packed{Delivery: d}
	p.Acts = slices.Clone(d.Acts)
	parts := make([][]byte, 2, 2+2*len(d.Acts))
	for i := range p.Acts {
		c := &p.Acts[i]
		p.Sizes = append(p.Sizes, [2]int{len(c.Bytes), len(c.Content)})
		parts = append(parts, c.Bytes, c.Content)
		c.Bytes, c.Content = nil, nil
	}
	b, err := json.Marshal(p)
	parts[0], parts[1] = binary.BigEndian.AppendUint32(nil, uint32(len(b))), b
	return parts, err
}

// errBatch says that a delivery holds more than it may.
var errBatch = fmt.Errorf("a delivery has %d acts at most", maxBatch)

// readDelivery reads the JSON of a delivery into v, which is one or embeds one, d: on the
// line or in a parcel. What lists millions of nothing is refused before it takes room.
func readDelivery(b []byte, v any, d *intake.Delivery) error {
	if bytes.Count(b, []byte(",")) > maxValues {
		return errBatch
	}
	if json.Unmarshal(b, v) != nil {
		return errFrame
	}
	if len(d.Acts) > maxBatch || len(d.Bases) > maxBases+1 {
		return errBatch
	}
	return nil
}

// unpack reads what pack wrote.
func unpack(b []byte) (intake.Delivery, error) {
	if len(b) < 4 {
		return intake.Delivery{}, errFrame
	}
	n, b := binary.BigEndian.Uint32(b), b[4:]
	if uint64(n) > uint64(len(b)) {
		return intake.Delivery{}, errFrame
	}
	var p packed
	if err := readDelivery(b[:n], &p, &p.Delivery); err != nil {
		return intake.Delivery{}, err
	}
	if len(p.Sizes) != len(p.Acts) {
		return intake.Delivery{}, errFrame
	}
	rest := bytes.Clone(b[n:]) // the next frame is read into the same place
	for i := range p.Acts {
		c := &p.Acts[i]
		if c.Bytes != nil || c.Content != nil {
			return intake.Delivery{}, errFrame
		}
		for j, of := range []*[]byte{&c.Bytes, &c.Content} {
			size := p.Sizes[i][j]
			if size < 0 || size > len(rest) {
				return intake.Delivery{}, errFrame
			}
			if size > 0 {
				*of, rest = rest[:size:size], rest[size:]
			}
		}
	}
	if len(rest) > 0 {
		return intake.Delivery{}, errFrame
	}
	return p.Delivery, nil
}
