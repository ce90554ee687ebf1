package carriage

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/intake"
	"entente/party"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 7})
	f.Add([]byte{0, 0, 0, 3, 1, 'a', 'b'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var buf []byte
		k, got, err := readFrame(bytes.NewReader(b), maxHello, &buf)
		if err == nil && (byte(k) != b[4] || !bytes.Equal(got, b[5:5+len(got)])) {
			t.Error("another frame was read")
		}
	})
}

// heard is a connection whose peer says what it says, and hears nothing.
type heard struct {
	net.Conn
	io.Reader
}

func (h heard) Read(p []byte) (int, error)     { return h.Reader.Read(p) }
func (heard) Write(p []byte) (int, error)      { return len(p), nil }
func (heard) SetReadDeadline(time.Time) error  { return nil }
func (heard) SetWriteDeadline(time.Time) error { return nil }
func (heard) Close() error                     { return nil }
func frames(k kind, all ...string) (out []byte) { // each of one kind
	for _, b := range all {
		out = append(append(binary.BigEndian.AppendUint32(out, uint32(len(b)+1)), byte(k)), b...)
	}
	return out
}

// same reports whether JSON that was read is, written and read again, the same value.
func same[T any](t *testing.T, v T) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Errorf("what was read cannot be written: %v", err)
		return
	}
	var again T
	if err := json.Unmarshal(b, &again); err != nil {
		t.Errorf("%s is not read again: %v", b, err)
	}
	if c, err := json.Marshal(again); err != nil || !bytes.Equal(b, c) {
		t.Errorf("%s is read again as %s: %v", b, c, err)
	}
}

// FuzzHello is the first word of a caller whom nobody knows.
func FuzzHello(f *testing.F) {
	card, _, _ := testKeys("KR", 1).open(f, "KR")
	b, err := json.Marshal(hello{Version: 1, Lane: laneActs, Card: card, At: time.Unix(0, 0).UTC(), Seen: seen{Head: act.Head{Size: 3}, Checkpoint: []byte("x")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(kindHello), b)
	f.Add(byte(kindHello), []byte(`{"v":1,"card":{"party":"KR","ledger":["x","x"],"seal":""}}`))
	f.Add(byte(kindBye), []byte(`{"kind":"refused","text":"\u001b[2J\u202e"}`))
	f.Add(byte(kindBye), []byte(`{"kind":"busy"}`))
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		h, err := readHello(&wire{r: bufio.NewReader(bytes.NewReader(frames(kind(k), string(b)))), limit: maxHello})
		if err != nil {
			if line := err.Error(); len(line) > 2*act.MaxLine || strings.ContainsAny(line, "\x1b\r\n\u202e") {
				t.Errorf("a person is told %q", line)
			}
			return
		}
		if h.Version != 1 || h.Card.Party.Check() != nil {
			t.Errorf("%+v", h)
		}
		same(t, h)
		_, _ = h.Card.Verifiers()
		if code := party.Code(h.Card); !party.SameCode(code, code) {
			t.Errorf("the code %q is not itself", code)
		}
	})
}

// FuzzDelivery is what a partner hands over at once, on the line or in a parcel.
func FuzzDelivery(f *testing.F) {
	opened := 0
	var all vectors
	b, err := os.ReadFile(filepath.Join(vectorDir, "parcel.json"))
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		f.Fatal(err)
	}
	_, key, _ := all.Keys["JP"].open(f, "JP")
	for _, name := range parcels(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		p, err := openParcel(bytes.NewReader(b), "JP", key, func(p act.Party) (act.Card, error) {
			return all.Cards[p], nil
		})
		if err != nil {
			continue // one that is bad
		}
		opened++
		if b, err = json.Marshal(p.delivery); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	if opened < 3 {
		f.Fatalf("%d parcels open", opened)
	}
	for _, s := range []string{`{"checkpoint":"AA==","acts":[{"seq":0,"bytes":"AA==","proof":{"index":0,"size":1,"hashes":[]}}]}`, `{"acts":[1,null,{}]}`, `{"ACTS":[{}],"acts":[]}`, `{"bases":[{"head":{"size":1,"root":"00"}}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d intake.Delivery
		err := readDelivery(b, &d, &d)
		if err != nil {
			if !errors.Is(err, errFrame) && !errors.Is(err, errBatch) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if len(d.Acts) > maxBatch || len(d.Bases) > maxBases+1 || d.From != "" || d.Told != nil || d.Late || d.Channel != "" {
			t.Errorf("more is said than may be: %d acts, %+v", len(d.Acts), d)
		}
		same(t, d)
	})
}

// parcels are the files of spec/vectors/parcel.
func parcels(f *testing.F) []string {
	all, err := filepath.Glob(filepath.Join(vectorDir, "*.parcel"))
	if err != nil || len(all) < 20 {
		f.Fatalf("%d parcels: %v", len(all), err)
	}
	return all
}

// FuzzUnpack: what is read as a delivery is all of the frame, and nothing of it is read twice.
func FuzzUnpack(f *testing.F) {
	some := intake.Delivery{Checkpoint: []byte("c"), Acts: []intake.Conveyed{{Seq: 7, Bytes: []byte("act"), Content: []byte("sealed")}, {Seq: 8, Bytes: []byte("a")}}}
	for _, d := range []intake.Delivery{{}, some} {
		parts, err := pack(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Join(parts, nil))
	}
	f.Add([]byte("\x00\x00\x00\x09{\"acts\":0}"))
	f.Add([]byte("\x00\x00\x00\x20{\"acts\":[{}],\"sizes\":[[-1,2]]}x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := unpack(b)
		if err != nil {
			return
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		for _, c := range d.Acts {
			for _, part := range [][]byte{c.Bytes, c.Content} {
				if !bytes.HasPrefix(b[n:], part) {
					t.Fatal("an act of other bytes was read")
				}
				n += len(part)
			}
		}
		if n != len(b) {
			t.Errorf("%d bytes of %d were read", n, len(b))
		}
		parts, err := pack(d)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := unpack(bytes.Join(parts, nil)); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("written and read again it is another: %v", err)
		}
	})
}

// FuzzHear is every frame but acts, on the lane of acts.
func FuzzHear(f *testing.F) {
	for k, s := range map[kind]string{kindTook: `{"next":7,"seen":{"head":{"size":3,"root":"` + strings.Repeat("0", 64) + `"},"checkpoint":"AA=="}}`, kindBye: `{"kind":"limit","text":"\u001b]0;x"}`, kindPing: "", kindKept: `{}`} {
		f.Add(byte(k), []byte(s))
	}
	f.Add(byte(kindTook), []byte(`{"next":1e3}`))
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		if kind(k) == kindActs {
			t.Skip() // FuzzDelivery reads them
		}
		s := &session{d: &Direct{}, peer: act.Card{Party: "JP"}, took: make(chan took, 1)}
		err := s.hear(t.Context(), kind(k), b)
		if err != nil && (len(err.Error()) > 2*act.MaxLine || strings.ContainsAny(err.Error(), "\x1b\r\n\u202e")) {
			t.Errorf("a person is told %q", err)
		}
		if (err == nil) != (kind(k) == kindPing || len(s.took) == 1) {
			t.Errorf("kind %d: %v", k, err)
		}
		if len(s.took) == 1 {
			same(t, <-s.took)
		}
	})
}

// FuzzPosted is the lane of parcels: what a hub says, frame by frame. None of the parcels is for
// us, nor to be passed on: FuzzReadOuter and FuzzInside open them.
func FuzzPosted(f *testing.F) {
	f.Add(frames(kindKept, `{"number":"7Q4K-M2XT-0A9C-Z3HB","refused":"\u001b"}`))
	f.Add(frames(kindParcel, parcelHeader+`{"route":["KR","JP"],"number":"7Q4K-M2XT-0A9C-Z3HB"}`+"\nx", ""))
	f.Add(append(frames(kindPing, ""), frames(kindBye, `{"kind":"parked","text":"x"}`)...))
	for _, name := range parcels(f)[:3] {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frames(kindParcel, string(b)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &Direct{Log: slog.New(slog.DiscardHandler)}
		d.Post = &Post{Direct: d}
		s := &session{d: d, w: newWire(heard{Reader: bytes.NewReader(b)}), peer: act.Card{Party: "US"}, kept: make(chan Kept, 1)}
		s.w.limit = maxParcel
		if err := s.receiveParcels(t.Context()); err == nil {
			t.Error("the lane ended without a word")
		}
		select {
		case k := <-s.kept:
			same(t, k)
			if err := d.Post.Answered(t.Context(), "US", []byte(parcelHeader+`{"route":["KR","US","JP"],"number":"7Q4K-M2XT-0A9C-Z3HB"}`+"\n"), k); err == nil && k.Number != "7Q4K-M2XT-0A9C-Z3HB" {
				t.Errorf("%+v answers another parcel", k)
			}
		default:
		}
	})
}

// FuzzBlocks is what a partner sends of content that was asked for.
func FuzzBlocks(f *testing.F) {
	list := vault.Blocks{Size: vault.BlockSize + 5, Leaves: [][48]byte{{1}, {2}}}
	f.Add(frames(kindBlocks, string(list.Marshal())))
	f.Add(append(frames(kindPing, ""), frames(kindBlocks, string(vault.Blocks{Size: 5, Leaves: make([][48]byte, 1)}.Marshal()))...))
	f.Add(frames(kindBye, `{"kind":"refused","text":"this content cannot be had"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &session{d: &Direct{}, w: newWire(heard{Reader: bytes.NewReader(b)}), peer: act.Card{Party: "JP"}}
		s.w.limit = maxFrame
		got, err := s.blocks(catalogue.Awaited{Number: "KR-2016-7Q4K-M2XT", Vault: act.Sum(list.Digest()), Size: list.Size})
		if err == nil && !reflect.DeepEqual(got, list) {
			t.Errorf("%d blocks of another content are taken for it", len(got.Leaves))
		}
	})
}

// FuzzMedium signs whatever a party may sign: a list or a hand-over is read from one spelling.
func FuzzMedium(f *testing.F) {
	list, handover, card, _ := papersOf(f)
	f.Add(textOf(list))
	f.Add(textOf(handover))
	f.Add(mediumHeader)
	vs, err := card.Verifiers()
	if err != nil {
		f.Fatal(err)
	}
	_, _, signers := testKeys("KR", 1).open(f, "KR")
	if signers[0].KeyHash() != vs[0].KeyHash() {
		f.Fatal("the papers are signed by another key")
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := note.Sign(&note.Note{Text: text}, signers[0])
		if err != nil {
			t.Skip()
		}
		if m, err := openJSON[Medium](ErrMedium, mediumHeader, b, vs); err == nil {
			again, err := signedJSON(mediumHeader, m, signers[0])
			if err != nil || !bytes.Equal(again, b) || len(m.Parcels) > maxPacked {
				t.Errorf("%q is one list, and another: %v", text, err)
			}
			if got, err := unverified(b); err != nil || !reflect.DeepEqual(got, m) {
				t.Errorf("before its signature is looked at the list is %+v: %v", got, err)
			}
		}
		if h, err := openJSON[Handover](ErrMedium, handoverHeader, b, vs); err == nil {
			if again, err := signedJSON(handoverHeader, h, signers[0]); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%q is one hand-over, and another: %v", text, err)
			}
		}
	})
}

func textOf(signed []byte) string {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	return text + "\n"
}
