package carriage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/act"
)

// TestHear gives the step of receiving one frame after another: no loop, no
// connection.
func TestHear(t *testing.T) {
	s := &session{peer: act.Card{Party: "JP"}, took: make(chan took, 1)}
	for _, c := range []struct {
		kind kind
		text string
		want string // in the error; empty: none
	}{
		{kindPing, ``, ""},
		{kindTook, `{"next":7}`, ""},
		{kindTook, `{"next":8}`, "answers what was not sent"},
		{kindTook, `{`, errFrame.Error()},
		{kindActs, "\x00\x00\x00\x01[", errFrame.Error()},
		{kindBye, `{"kind":"busy"}`, errLinked.Error()},
		{kindBye, `{"kind":"clock","text":"set it"}`, "JP ended the link (clock): set it"},
		{kindBye, `{"text":"` + strings.Repeat("x", act.MaxLine+1) + `"}`, errFrame.Error()},
		{kindBlock, ``, "on the lane of acts"},
	} {
		err := s.hear(t.Context(), c.kind, []byte(c.text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("kind %d, %.40s: %v, want %q", c.kind, c.text, err, c.want)
		}
	}
	if got, err := s.answered(t.Context(), 0); err != nil || got.Next != 7 {
		t.Errorf("answered %d, %v", got.Next, err)
	}
}

// TestTaken: the partner must count what it was sent, no more and no less.
func TestTaken(t *testing.T) {
	o := &offering{s: &session{d: &Direct{}, peer: act.Card{Party: "JP"}}, next: 3, acts: 2}
	for _, wrong := range []int64{0, 3, 4, 6} {
		if err := o.taken(took{Next: wrong}); err == nil || o.next != 3 {
			t.Errorf("after 3 and 2 more it says %d: %v", wrong, err)
		}
	}
	if err := o.taken(took{Next: 5}); err != nil || o.next != 5 || o.s.d.States()["JP"].Carried != 5 {
		t.Errorf("at %d, %v, %+v", o.next, err, o.s.d.States())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.s.answered(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for an answer after the end: %v", err)
	}
}

// TestNotAnswered: a partner that pings and answers nothing is not waited for beyond the silence of
// a link, and what its line needs for what was sent; the officer is told.
func TestNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{d: &Direct{}, peer: act.Card{Party: "JP"}, took: make(chan took, 1)}
		for sent, want := range map[int]time.Duration{0: silence, minSpeed: silence + time.Second, batchBytes: silence + batchBytes/minSpeed*time.Second} {
			begun := time.Now()
			if err := s.hear(t.Context(), kindPing, nil); err != nil {
				t.Fatal(err)
			}
			_, err := s.answered(t.Context(), sent)
			if got := time.Since(begun); got != want || err == nil || !strings.Contains(err.Error(), "JP does not say what it has taken in") {
				t.Errorf("%d bytes are waited for %v: %v", sent, got, err)
			}
		}
	})
}
