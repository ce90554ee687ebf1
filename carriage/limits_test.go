package carriage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/intake"
	"entente/ledger"
	"entente/party"
)

// allocated measures what f takes from memory.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestLyingLengths: of no kind does a frame cost what its length claims. What
// claims more than its place allows is refused at once.
func TestLyingLengths(t *testing.T) {
	for k := kind(0); k < 12; k++ {
		for _, limit := range []int{maxHello, maxFrame} {
			for _, claim := range []uint32{uint32(limit) + 1, 1 << 24, 1<<32 - 1, uint32(limit), 0} {
				head := append(binary.BigEndian.AppendUint32(nil, claim), byte(k))
				var err error
				got := allocated(func() {
					var buf []byte
					_, _, err = readFrame(bytes.NewReader(append(head, make([]byte, 100)...)), limit, &buf)
				})
				if err == nil || got > 1<<20 || (claim > uint32(limit) || claim == 0) && !errors.Is(err, errFrame) {
					t.Errorf("kind %d claims %d bytes, brings 100: %d were taken, %v", k, claim, got, err)
				}
			}
		}
	}
}

// listening returns a session and what its peer is told, word by word.
func listening(t *testing.T) (*session, <-chan string) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	said := make(chan string, 16)
	go func() {
		w := newWire(theirs)
		for {
			k, b, err := w.read()
			if err != nil {
				close(said)
				return
			}
			said <- fmt.Sprintf("%d %s", k, b)
		}
	}()
	return &session{d: &Direct{Now: time.Now}, w: newWire(ours), peer: act.Card{Party: "JP"}, took: make(chan took, 1)}, said
}

// TestOver: what goes over a limit is refused by a bye that names the limit, before it costs anything.
func TestOver(t *testing.T) {
	acts := func(n int) []byte {
		parts, err := pack(intake.Delivery{Acts: make([]intake.Conveyed, n)})
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Join(parts, nil)
	}
	listed := func(j string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(j))), j...) }
	for name, b := range map[string][]byte{
		"too many acts":         acts(maxBatch + 1),
		"a frame of empty acts": listed(`{"acts":[` + strings.Repeat("{},", maxFrame/3-8) + `{}]}`),
		"a frame of no acts":    listed(`{"acts":[` + strings.Repeat("null,", maxFrame/5-8) + `null]}`),
		"a frame of numbers":    listed(`{"acts":[` + strings.Repeat("1,", maxFrame/2-16) + `1]}`),
		"a frame of bases":      listed(`{"bases":[` + strings.Repeat("1,", maxFrame/2-16) + `1]}`),
		"a frame of sizes":      listed(`{"sizes":[` + strings.Repeat("[],", maxFrame/3-16) + `[]]}`),
	} {
		s, said := listening(t)
		var err error
		if got := allocated(func() { err = s.hear(t.Context(), kindActs, b) }); got > 4*len(b)+1<<20 && got > 8<<20 || err == nil {
			t.Errorf("%s, %d bytes: %v, and %d bytes were taken", name, len(b), err, got)
		}
		if w := <-said; !strings.HasPrefix(w, "8 ") || !strings.Contains(w, `"limit"`) || !strings.Contains(w, "200 acts") {
			t.Errorf("%s: told %s", name, w)
		}
	}
	list := []byte(mediumHeader + `{"parcels":[` + strings.Repeat("1,", maxList/2-32) + `1]}`)
	var err error
	if got := allocated(func() { _, err = unverified(list) }); got > 4*len(list) || !errors.Is(err, ErrMedium) {
		t.Errorf("a list of numbers, %d bytes: %v, and %d bytes were taken", len(list), err, got)
	}
	s, said := listening(t)
	now := time.Now()
	s.d.Now = func() time.Time { return now }
	for range actsAtOnce / maxBatch {
		if !s.d.door.hands("JP", maxBatch, now) {
			t.Fatal("refused within the limit")
		}
	}
	if err := s.hear(t.Context(), kindActs, acts(1)); err == nil {
		t.Error("more acts than a partner may hand over were taken in")
	}
	if w := <-said; !strings.Contains(w, `"limit"`) || !strings.Contains(w, "60000 a minute") {
		t.Errorf("told %s", w)
	}
	if !s.d.door.hands("US", maxBatch, now) {
		t.Error("another partner pays for it")
	}
	if s.d.door.hands("JP", actsPerMinute+1, now.Add(time.Minute)) || !s.d.door.hands("JP", actsPerMinute, now.Add(time.Minute)) {
		t.Error("a minute gives another number of acts than it should")
	}
	if s.d.door.hands("JP", 1, now.Add(-time.Hour)) {
		t.Error("a clock that was set back gives acts")
	}
	if s.d.Turned()["acts of a partner"] != 3 {
		t.Errorf("%v", s.d.Turned())
	}
}

// TestSmallValues: JSON of outsiders costs what it says, whatever stands in its lists: on a
// link, in a parcel, and on a medium whose signatures nobody has looked at yet.
func TestSmallValues(t *testing.T) {
	card, _, signers := testKeys("KR", 1).open(t, "KR")
	_, key, _ := testKeys("JP", 2).open(t, "JP")
	parcel := func(acts []byte) []byte {
		var b bytes.Buffer
		o := Outer{Route: []act.Party{"KR", "JP"}, Number: "7Q4K-M2XT-0A9C-Z3HB"}
		signed, err := Statement{From: "KR", To: "JP", Number: o.Number, Acts: sumOf(acts)}.sign(signers)
		if err != nil {
			t.Fatal(err)
		}
		w, err := beginParcel(&b, o, key.Public())
		if err := errors.Join(err, w.part(signed), w.part(acts), w.end()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	o := post(t)
	readers := map[string]struct {
		lists []string
		read  func(b []byte) error
	}{
		"acts": {[]string{"acts", "bases", "growth", "none"}, func(b []byte) error {
			s, said := listening(t)
			go func() {
				for range said {
				}
			}()
			return s.hear(t.Context(), kindActs, b)
		}},
		"took": {[]string{"next"}, func(b []byte) error {
			s, _ := listening(t)
			return s.hear(t.Context(), kindTook, b)
		}},
		"parcel": {[]string{"acts", "bases"}, nil},
		"medium": {[]string{"parcels"}, func(b []byte) error {
			_, err := o.readMedium(t.Context(), append([]byte(mediumHeader), b...))
			return err
		}},
	}
	for name, r := range readers {
		for _, list := range r.lists {
			for _, one := range []string{"0", "{}", "[]", `""`, "null"} {
				n := (maxFrame - 100) / (len(one) + 1)
				b := []byte(`{"` + list + `":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`)
				read := r.read
				if name == "parcel" {
					sealed := parcel(b)
					read = func([]byte) error {
						_, err := openParcel(bytes.NewReader(sealed), "JP", key, func(act.Party) (act.Card, error) { return card, nil })
						return err
					}
				}
				var err error
				if got := allocated(func() { err = read(b) }); got > 10*maxFrame || err == nil {
					t.Errorf("%s: %d times %s in %s: %v, and %d MiB were taken", name, n, one, list, err, got>>20)
				}
			}
		}
	}
}

// TestDoor: a host cannot take the places of others, a partner has maxOfPartner, and
// what is remembered of hosts is bounded.
func TestDoor(t *testing.T) {
	var d door
	now := time.Unix(1e9, 0)
	var ends []func()
	for range maxGreetingFrom {
		end, ok := d.greet("a", now)
		if !ok {
			t.Fatal("turned away within the limit")
		}
		ends = append(ends, end)
	}
	if _, ok := d.greet("a", now); ok {
		t.Error("a host has more greetings than its limit")
	}
	if _, ok := d.greet("b", now); !ok {
		t.Error("another host is turned away")
	}
	for _, end := range ends {
		end()
		end() // once is enough
	}
	calls := maxGreetingFrom
	for ; calls < 2*callsAtOnce; calls++ {
		end, ok := d.greet("a", now)
		if !ok {
			break
		}
		end()
	}
	if calls != callsAtOnce {
		t.Errorf("%d calls at once", calls)
	}
	if end, ok := d.greet("a", now.Add(time.Second)); !ok {
		t.Error("a second gives no call")
	} else {
		end()
	}
	for range maxOfPartner {
		if !d.admit("JP") {
			t.Fatal("turned away within the limit")
		}
	}
	if d.admit("JP") || !d.admit("US") {
		t.Error("the limit of a partner does not hold, or holds others")
	}
	if d.leave("JP"); !d.admit("JP") {
		t.Error("a place that is free again is not given")
	}
	for i := range 2 * maxHosts {
		if end, ok := d.greet(fmt.Sprint(i), now); ok {
			end()
		}
	}
	if len(d.hosts) > maxHosts {
		t.Errorf("%d hosts are remembered", len(d.hosts))
	}
	if end, ok := d.greet("later", now.Add(time.Hour)); !ok || len(d.hosts) > 2 {
		t.Errorf("%d hosts are remembered an hour later, %v", len(d.hosts), ok)
	} else {
		end()
	}
}

// TestPrintable: a peer's words do nothing to a terminal.
func TestPrintable(t *testing.T) {
	s := &session{peer: act.Card{Party: "JP"}, took: make(chan took, 1)}
	b, err := json.Marshal(bye{"clock", "set it\x1b[2J\nright 시계"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.hear(t.Context(), kindBye, b); err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || !strings.Contains(err.Error(), "right 시계") {
		t.Errorf("%q", err)
	}
}

// still is a connection that records its deadlines.
type still struct {
	net.Conn
	n   int
	by  time.Time
	err error
}

func (s *still) Read(b []byte) (int, error)         { return min(s.n, len(b)), s.err }
func (s *still) Write(b []byte) (int, error)        { return min(s.n, len(b)), s.err }
func (s *still) SetReadDeadline(t time.Time) error  { s.by = t; return nil }
func (s *still) SetWriteDeadline(t time.Time) error { s.by = t; return nil }

// TestPaced: each byte earns its time at the least speed, and none is earned without one.
func TestPaced(t *testing.T) {
	begin := time.Unix(1e9, 0)
	for _, c := range []struct {
		each, times int
		err         error
		want        time.Duration // beyond the deadline that was set
	}{
		{1, 1, nil, time.Second / minSpeed},
		{1, 60, nil, 60 * time.Second / minSpeed}, // a byte now and then: nothing to speak of
		{minSpeed, 10, nil, 10 * time.Second},
		{0, 5, nil, 0},
		{10, 1, os.ErrDeadlineExceeded, 0},
	} {
		for _, write := range []bool{false, true} {
			in := &still{n: c.each, err: c.err}
			p := &paced{Conn: in}
			move, set := p.Read, p.SetReadDeadline
			if write {
				move, set = p.Write, p.SetWriteDeadline
			}
			for range 2 { // a new frame begins anew
				if err := set(begin); err != nil {
					t.Fatal(err)
				}
				for range c.times {
					if _, err := move(make([]byte, 4096)); !errors.Is(err, c.err) {
						t.Fatal(err)
					}
				}
				if got := in.by.Sub(begin); got != c.want {
					t.Errorf("%d times %d bytes earn %v, want %v", c.times, c.each, got, c.want)
				}
			}
			if in.by = begin; set(time.Time{}) == nil {
				if _, err := move(make([]byte, 1)); err == nil && !in.by.IsZero() {
					t.Error("without a deadline one was set")
				}
			}
		}
	}
}

// TestPresented: who introduces itself is remembered for an hour, however many strangers with
// fresh keys call before and after it from elsewhere; what is turned away is counted.
func TestPresented(t *testing.T) {
	now := time.Unix(1e9, 0)
	d := &Direct{Now: func() time.Time { return now }}
	cards := 0
	stranger := func() act.Card {
		cards++
		c := act.Card{Party: "JP", Name: act.Names{EN: "JP"}, Period: 1}
		binary.BigEndian.PutUint64(c.Link[:], uint64(cards))
		return c
	}
	flood := func(hosts, each int) {
		for i := range hosts {
			for range each {
				d.present(stranger(), fmt.Sprintf("flood %d", i))
			}
		}
	}
	known := func(c act.Card) bool {
		got, ok := d.Presented(party.Code(c))
		return ok && got.Link == c.Link
	}
	flood(20, 1000)
	c := stranger()
	d.present(c, "seoul")
	flood(20, 1000)
	if !known(c) {
		t.Error("a flood from elsewhere crowds out an introduction")
	}
	if n := len(d.presented); n != maxPresented {
		t.Errorf("%d cards are remembered", n)
	}
	if d.Turned()["introductions of a host"] == 0 {
		t.Error("what was turned away is not counted")
	}
	d.presented = nil
	flood(1, 1000)
	if n := len(d.presented); n != maxPresentedFrom {
		t.Errorf("%d cards of one host are remembered", n)
	}
	d.present(c, "seoul")
	d.present(c, "seoul")
	if n := len(d.presented); n != maxPresentedFrom+1 || !known(c) {
		t.Errorf("%d cards are remembered", n)
	}
	now = now.Add(presentedFor)
	if d.present(stranger(), "tokyo"); known(c) || len(d.presented) != 1 {
		t.Errorf("%d cards are remembered after their time", len(d.presented))
	}
}

// TestHeld: a hub holds so many parcels, and bytes, for one recipient of one who hands them over, and
// no more; another's place is its own.
func TestHeld(t *testing.T) {
	for name, full := range map[string]load{"parcels": {Count: maxHeld - 1}, "bytes": {Bytes: maxHeldBytes - minClass}} {
		o := post(t)
		h := held{From: "KR", Hop: "KR", Size: minClass, At: act.MomentOf(time.Unix(1e9, 0))}
		if err := o.Direct.Ledger.Update(t.Context(), func(tx *ledger.Tx) error { return ledger.Save(tx, tableLoad, h.load("US"), full) }); err != nil {
			t.Fatal(err)
		}
		for i, want := range []error{nil, errHeld, errHeld} {
			if err := o.enterHeld(t.Context(), "US", fmt.Sprintf("KR/%d", i), h, nil); !errors.Is(err, want) {
				t.Errorf("%s: parcel %d: %v, want %v", name, i, err, want)
			}
		}
		h.Hop = "AU"
		if err := o.enterHeld(t.Context(), "US", "AU/1", h, nil); err != nil {
			t.Errorf("%s: another's place is taken: %v", name, err)
		}
		if err := o.Direct.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			count, bytes, since, err := o.Holding(tx, "US")
			if count != full.Count+2 || bytes != full.Bytes+2*minClass || !since.Equal(h.At.Time) {
				t.Errorf("%s: %d parcels, %d bytes since %v are told", name, count, bytes, since)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestGreetings: callers who have not shown a known key are bounded whatever their number of hosts.
func TestGreetings(t *testing.T) {
	var d door
	now := time.Unix(1e9, 0)
	for i := range maxGreeting {
		if _, ok := d.greet(fmt.Sprint(i), now); !ok {
			t.Fatalf("caller %d is turned away within the limit", i)
		}
	}
	if _, ok := d.greet("one more", now); ok || d.turned["greetings"] != 1 {
		t.Errorf("one more is let in: %v", d.turned)
	}
}
