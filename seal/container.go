package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// The container is a ZIP archive of exactly two stored entries, 0.payload and
// 0.manifest.json, in one layout: everything but the payload is a function of
// the payload's size and checksum and of the manifest. A reader computes the
// layout again and compares, so that no two readers can see different archives.

const (
	payloadName  = "0.payload"
	manifestName = "0.manifest.json"

	localHeader = 30
	endRecord   = 22
	zip64End    = 56 + 20
	maxUint32   = 1<<32 - 1
)

var le = binary.LittleEndian

// head is the payload's local header: sizes and checksum follow the payload.
func head() []byte { return local(payloadName, 45, 8, 0, 0) }

func local(name string, version, flags uint16, crc uint32, size int) []byte {
	b := []byte{'P', 'K', 3, 4}
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, flags)
	b = le.AppendUint16(b, 0)      // stored
	b = le.AppendUint16(b, 0)      // time
	b = le.AppendUint16(b, 1<<5|1) // 1980-01-01: the container tells no date
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint16(b, uint16(len(name)))
	b = le.AppendUint16(b, 0)
	return append(b, name...)
}

// tail is everything after the payload.
func tail(size int64, crc uint32, manifest []byte, manifestCRC uint32) []byte {
	big := size >= maxUint32
	b := []byte{'P', 'K', 7, 8}
	b = le.AppendUint32(b, crc)
	if big {
		b = le.AppendUint64(le.AppendUint64(b, uint64(size)), uint64(size))
	} else {
		b = le.AppendUint32(le.AppendUint32(b, uint32(size)), uint32(size))
	}
	at := int64(len(head())) + size
	manifestAt := at + int64(len(b))
	b = append(b, local(manifestName, 45, 0, manifestCRC, len(manifest))...)
	b = append(b, manifest...)
	dirAt := at + int64(len(b))
	b = central(b, payloadName, 8, crc, size, 0)
	b = central(b, manifestName, 0, manifestCRC, int64(len(manifest)), manifestAt)
	dirSize := at + int64(len(b)) - dirAt
	if dirAt >= maxUint32 {
		end := at + int64(len(b))
		b = append(b, 'P', 'K', 6, 6)
		b = le.AppendUint64(b, 56-12)
		b = le.AppendUint16(le.AppendUint16(b, 45), 45)
		b = le.AppendUint32(le.AppendUint32(b, 0), 0)
		for _, v := range []int64{2, 2, dirSize, dirAt} {
			b = le.AppendUint64(b, uint64(v))
		}
		b = append(b, 'P', 'K', 6, 7)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, uint64(end))
		b = le.AppendUint32(b, 1)
		dirAt = maxUint32
	}
	b = append(b, 'P', 'K', 5, 6)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint16(le.AppendUint16(b, 2), 2)
	b = le.AppendUint32(b, uint32(dirSize))
	b = le.AppendUint32(b, uint32(dirAt))
	return le.AppendUint16(b, 0)
}

func central(b []byte, name string, flags uint16, crc uint32, size, at int64) []byte {
	var extra []byte
	size32, at32 := uint32(size), uint32(at)
	if size >= maxUint32 {
		size32 = maxUint32
		extra = le.AppendUint64(le.AppendUint64(extra, uint64(size)), uint64(size))
	}
	if at >= maxUint32 {
		at32 = maxUint32
		extra = le.AppendUint64(extra, uint64(at))
	}
	if extra != nil {
		extra = append(le.AppendUint16(le.AppendUint16(nil, 1), uint16(len(extra))), extra...)
	}
	b = append(b, 'P', 'K', 1, 2)
	b = le.AppendUint16(le.AppendUint16(b, 45), 45)
	b = le.AppendUint16(le.AppendUint16(b, flags), 0)
	b = le.AppendUint16(le.AppendUint16(b, 0), 1<<5|1)
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(le.AppendUint32(b, size32), size32)
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(name))), uint16(len(extra)))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(le.AppendUint16(b, 0), 0)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, at32)
	return append(append(b, name...), extra...)
}

// open finds the manifest and the payload's size in a container, and refuses
// one that is not laid out as tail does it.
func openContainer(r io.ReaderAt, size int64) (manifest []byte, payload int64, err error) {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrFormat, why) }
	if size < endRecord {
		return nil, 0, bad("too short")
	}
	n := min(size, int64(maxManifest)+4096)
	end := make([]byte, endRecord)
	if _, err := r.ReadAt(end, size-endRecord); err != nil && err != io.EOF {
		return nil, 0, fmt.Errorf("reading a sealed file: %w", err)
	}
	dirSize, dirAt := int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	dirEnd := size - endRecord
	if dirAt == maxUint32 {
		dirEnd -= zip64End
	}
	dirAt = dirEnd - dirSize
	// The directory's first entry is the payload's: 46 bytes, its name, and sizes beyond 32 bits.
	if dirSize > 256 || dirAt < 0 || dirSize < 46+int64(len(payloadName)) {
		return nil, 0, bad("no directory")
	}
	dir := make([]byte, dirSize)
	if _, err := r.ReadAt(dir, dirAt); err != nil {
		return nil, 0, fmt.Errorf("reading a sealed file: %w", err)
	}
	crc, psize := le.Uint32(dir[16:]), int64(le.Uint32(dir[20:]))
	if psize == maxUint32 {
		if len(dir) < 46+len(payloadName)+4+8 {
			return nil, 0, bad("no directory")
		}
		psize = int64(le.Uint64(dir[46+len(payloadName)+4:]))
	}
	at := int64(len(head())) + psize
	if psize < 0 || psize > size || at > dirAt || size-at > n {
		return nil, 0, bad("sizes do not fit")
	}
	rest := make([]byte, size-at)
	if _, err := r.ReadAt(rest, at); err != nil && err != io.EOF {
		return nil, 0, fmt.Errorf("reading a sealed file: %w", err)
	}
	descriptor := 16
	if psize >= maxUint32 {
		descriptor = 24
	}
	from := descriptor + localHeader + len(manifestName)
	if to := int(dirAt - at); from <= to && to <= len(rest) {
		manifest = rest[from:to]
	}
	h := make([]byte, len(head()))
	if _, err := r.ReadAt(h, 0); err != nil {
		return nil, 0, fmt.Errorf("reading a sealed file: %w", err)
	}
	if !bytes.Equal(h, head()) || !bytes.Equal(rest, tail(psize, crc, manifest, checksum(manifest))) {
		return nil, 0, bad("not laid out as it must be")
	}
	return manifest, psize, nil
}
