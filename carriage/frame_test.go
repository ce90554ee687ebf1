package carriage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestUnpack: a frame whose sizes are not those of what follows is refused.
func TestUnpack(t *testing.T) {
	for name, text := range map[string]string{
		"fewer bytes":       `{"acts":[{"seq":0}],"sizes":[[3,0]]}|ab`,
		"more bytes":        `{"acts":[{"seq":0}],"sizes":[[1,0]]}|ab`,
		"less than none":    `{"acts":[{"seq":0}],"sizes":[[-1,3]]}|ab`,
		"beyond counting":   `{"acts":[{"seq":0}],"sizes":[[9223372036854775807,9223372036854775807]]}|ab`,
		"no sizes":          `{"acts":[{"seq":0}]}|`,
		"sizes of no act":   `{"sizes":[[1,1]]}|ab`,
		"bytes in the JSON": `{"acts":[{"seq":0,"bytes":"YWI="}],"sizes":[[2,0]]}|ab`,
	} {
		j, rest, _ := strings.Cut(text, "|")
		b := append(binary.BigEndian.AppendUint32(nil, uint32(len(j))), j+rest...)
		if d, err := unpack(b); !errors.Is(err, errFrame) {
			t.Errorf("%s: read as %+v, %v", name, d, err)
		}
	}
	for _, b := range [][]byte{nil, {0, 0, 0}, {0, 0, 0, 3, '{', '}'}, {0xff, 0xff, 0xff, 0xff, '{', '}'}} {
		if _, err := unpack(b); !errors.Is(err, errFrame) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

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
