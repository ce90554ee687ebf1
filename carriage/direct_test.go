package carriage

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAttempt calls the step of dialling: pauses double up to a bound, are
// spread around it, and say why there is no link.
func TestAttempt(t *testing.T) {
	d := &Direct{Now: func() time.Time { return time.Unix(0, 0) }, Jitter: rand.New(rand.NewPCG(1, 2))}
	for wait, n := backoffFirst, 0; n < 12; n++ {
		pause, next := d.attempt(t.Context(), "JP", laneActs, "", wait)
		if pause < wait/2 || pause >= wait+wait/2 || next != min(2*wait, backoffMost) {
			t.Errorf("attempt %d: after a wait of %v a pause of %v, and next %v", n, wait, pause, next)
		}
		wait = next
	}
	if s := d.States()["JP"]; s.Linked || s.Trouble != "no address is known" {
		t.Errorf("%+v", s)
	}
}
