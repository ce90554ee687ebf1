package carriage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/intake"
	"entente/internal/memory"
	"entente/ledger"
	"entente/vault"
)

// post is a correspondence on an empty ledger, for tests of single steps.
func post(t *testing.T) *Post {
	t.Helper()
	c := &catalogue.Catalogue{Own: "JP"}
	d := memory.NewDisk()
	l := ledger.Open(d.Ledger(), ledger.Config{Party: "JP", Fold: c.Fold})
	return &Post{Direct: &Direct{Own: act.Card{Party: "JP"}, Ledger: l, Catalogue: c, Vault: vault.New(d.Vault()),
		Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
}

// TestCheckNext: a partner cannot have taken in what was never said to it, neither on a
// link nor in a parcel; nothing of its word is kept.
func TestCheckNext(t *testing.T) {
	o := post(t)
	for next, bad := range map[int64]bool{-1: true, 0: false, 1: true, 1e12: true, 1 << 62: true} {
		if err := o.Direct.checkNext(t.Context(), "KR", next); (err != nil) != bad {
			t.Errorf("%d: %v", next, err)
		}
		if !bad {
			continue
		}
		s, _ := listening(t)
		s.d, s.peer.Party = o.Direct, "KR"
		s.d.Post = o
		s.took <- took{Next: next}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := s.send(ctx); err == nil || !strings.Contains(err.Error(), "acts, and 0 are for it") {
			t.Errorf("%d on the link: %v", next, err)
		}
		cancel()
		if err := o.Direct.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			n, err := o.Direct.Taken(tx, "KR")
			if n != 0 {
				t.Errorf("%d acts are kept as taken", n)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHandsByParcel: acts in parcels count as those on a link do, and the officer reads it.
func TestHandsByParcel(t *testing.T) {
	o := post(t)
	now := time.Now()
	o.Direct.Now = func() time.Time { return now }
	for o.Direct.door.hands("KR", maxBatch, now) {
		continue
	}
	c, p := &correspondence{}, &opened{Statement: Statement{From: "KR"}}
	p.delivery = intake.Delivery{Checkpoint: []byte("x"), Acts: make([]intake.Conveyed, maxBatch)}
	if err := o.takeIn(t.Context(), c, p, "hub"); !errors.Is(err, errHands) || !strings.Contains(c.state.Trouble, "60000 a minute") {
		t.Errorf("%v, and the officer reads %q", err, c.state.Trouble)
	}
}

// TestAskedAgain: a parcel that is old, or played again, asks for no content; one
// that asks for nothing takes back no question.
func TestAskedAgain(t *testing.T) {
	o := post(t)
	c := &correspondence{}
	at := func(ms int64) act.Moment { return act.MomentOf(time.UnixMilli(ms)) }
	for i, x := range []struct {
		at    int64
		asks  int
		again bool
		want  int // blocks that are to be served then
	}{
		{2000, 3, false, 3}, {1000, 9, false, 3}, {3000, 0, false, 3}, {2000, 9, true, 3}, {2000, 4, false, 4}, {4000, 1 << 40, false, wantBlocks}, {5000, -1, false, 1},
	} {
		p := &opened{Statement: Statement{From: "KR", At: at(x.at)}}
		if x.asks != 0 {
			p.Want = []want{{Number: "JP-2016-7Q4K-M2XJ", Count: x.asks}}
		}
		if err := o.hear(t.Context(), c, p, x.again); err != nil {
			t.Fatal(err)
		}
		if len(c.serve) != 1 || c.serve[0].Count != x.want {
			t.Errorf("step %d: %+v is to be served, want %d blocks", i, c.serve, x.want)
		}
	}
}

// crowded is a shelf on a disk with little room.
type crowded struct {
	vault.Shelf
	room int64
}

func (c *crowded) Room() (int64, error) { return c.room, nil }

// TestScarce: with less room than is kept for our own work a block that came by parcel is not taken
// in, which is our own trouble and no refusal, and the officer is told; with room again there is none.
func TestScarce(t *testing.T) {
	o := post(t)
	disk := &crowded{memory.NewDisk().Vault(), vault.Reserve - 1}
	o.Direct.Vault = vault.New(disk)
	blocks, err := vault.New(memory.NewDisk().Vault()).Put(t.Context(), "x", bytes.NewReader([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	in, err := o.begin(t.Context(), given{Number: "KR-2016-7Q4K-M2XJ", Vault: act.Sum(blocks.Digest())}, blocks)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := &correspondence{}
	if err := in.Write(0, []byte("x")); !errors.Is(err, vault.ErrScarce) || !ours(t.Context(), err) {
		t.Errorf("a block on a disk that is nearly full: %v", err)
	}
	if !o.scarce(c) || c.state.Trouble != vault.ErrScarce.Error() {
		t.Errorf("the officer is not told: %q", c.state.Trouble)
	}
	disk.room++
	if o.scarce(c) || c.state.Trouble != "" {
		t.Errorf("the trouble stays: %q", c.state.Trouble)
	}
	if err := in.Write(0, []byte("x")); err != nil {
		t.Errorf("with room: %v", err)
	}
}

// TestLetGo: content that parcels began comes on by the line, which does not wait
// for a parcel that may never come; and what had arrived stays.
func TestLetGo(t *testing.T) {
	o := post(t)
	o.Direct.Post = o
	content := make([]byte, vault.BlockSize+1)
	blocks, err := vault.New(memory.NewDisk().Vault()).Put(t.Context(), "x", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	a := catalogue.Awaited{Number: "KR-2016-7Q4K-M2XJ", Vault: act.Sum(blocks.Digest()), Size: blocks.Size}
	c, err := o.hold(t.Context(), "KR")
	if err != nil {
		t.Fatal(err)
	}
	in, err := o.begin(t.Context(), given{Number: a.Number, Vault: a.Vault}, blocks)
	if err == nil {
		err = in.Write(0, content[:vault.BlockSize])
	}
	if err != nil {
		t.Fatal(err)
	}
	c.in[a.Number] = in
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	in, err = o.Direct.begin(ctx, "KR", a, blocks)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if in.Next() != 1 || c.in[a.Number] != nil {
		t.Errorf("it goes on at block %d; parcels hold %v", in.Next(), c.in)
	}
}

// TestUnanswered: whoever is not answered complains, however often the way was opened anew.
func TestUnanswered(t *testing.T) {
	c, now := &correspondence{}, time.Date(2016, 11, 23, 0, 0, 0, 0, time.UTC)
	c.sent(now, 5)
	if c.state.Trouble != "" {
		t.Errorf("it complains at once: %s", c.state.Trouble)
	}
	c.sentTo = c.heard.Next // again: the way was opened
	c.sent(now.Add(retryFirst), 5)
	if !c.state.Unanswered.Equal(now) || c.state.Trouble == "" {
		t.Errorf("%+v", c.state)
	}
}

// TestOurs: what a partner sends is never our own trouble; a full or failing disk is.
func TestOurs(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, x := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{t.Context(), nil, false},
		{t.Context(), errors.New("JP states a checkpoint of ours that we did not sign"), false},
		{t.Context(), fmt.Errorf("block 3: %w", vault.ErrDamaged), false},
		{t.Context(), fmt.Errorf("x: %w", ErrParcel), false},
		{t.Context(), fmt.Errorf("x: %w", ledger.ErrStorage), true},
		{t.Context(), fmt.Errorf("x: %w", vault.ErrFull), true},
		{ended, errors.New("the node stops"), true},
		{ended, nil, false},
	} {
		if got := ours(x.ctx, x.err); got != x.want {
			t.Errorf("%v: %v", x.err, got)
		}
	}
}

// TestPlain: a hub's word commands no terminal and fills no screen.
func TestPlain(t *testing.T) {
	if got := plain("no\x1b[2J\r\npact"); got != "no [2J  pact" {
		t.Errorf("%q", got)
	}
	if got := plain(fmt.Sprintf("%1000d", 1)); len(got) != 200 {
		t.Errorf("%d characters", len(got))
	}
}
