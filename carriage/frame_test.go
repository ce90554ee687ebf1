package carriage

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
)

// TestLyingLength: a frame that claims much and brings little costs little.
func TestLyingLength(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var buf []byte
	_, _, err := readFrame(bytes.NewReader(append([]byte{0, 0x3f, 0xff, 0xff, 1}, make([]byte, 100)...)), maxFrame, &buf)
	runtime.ReadMemStats(&after)
	if err == nil || cap(buf) > 1<<20 {
		t.Errorf("%v, room for %d bytes", err, cap(buf))
	}
	if _, _, err := readFrame(bytes.NewReader([]byte{0xff, 0, 0, 0, 1}), maxFrame, &buf); !errors.Is(err, errFrame) {
		t.Errorf("a frame beyond all bounds: %v", err)
	}
	if after.TotalAlloc-before.TotalAlloc > 4<<20 {
		t.Errorf("%d bytes were allocated", after.TotalAlloc-before.TotalAlloc)
	}
}
