//go:build !race

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// step has the clock of a node differ from the machine's.
func (p *proc) step(by time.Duration) {
	p.t.Helper()
	setClock(p.t, p.key, by)
}

func setClock(t *testing.T, key string, by time.Duration) {
	t.Helper()
	file := key + ".clock"
	err := os.WriteFile(file+".new", []byte(by.String()), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaultsOfClocks steps the clock of a node that runs. Each line says what a user saw while it
// was wrong and when it was right again; in the end all that was acknowledged has arrived once.
func TestFaultsOfClocks(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, x := range []struct {
		what  string
		step  time.Duration
		wrong string // what the one who releases reads, separated by " · "; empty: it is released
		link  string // what the status says of the link when it is called anew; empty: it stands
		right string // what the one who releases reads when the clock is right again
		why   string // why the partner refuses what was released while it was wrong, and the cure; empty: it takes it in
	}{
		{"10 minutes ahead", 10 * time.Minute, "", "", "if it is right now, it was ahead then", ""},
		{"an hour ahead", hour, "", "", "if it is right now, it was ahead then", ""},
		{"25 hours ahead", 25 * hour, "", "clock", "if it is right now, it was ahead then", "it is dated in the future · set the clock right"},
		{"400 days ahead", 400 * day, "the officer's clearance is below the marking or has expired", "clock", "if it is right now, it was ahead then", ""},
		{"half a minute back", -30 * time.Second, "", "", "", ""},
		{"10 minutes back", -10 * time.Minute, "our clock is behind our own ledger: set it right, then try again", "", "", ""},
		{"an hour back", -hour, "our clock is behind our own ledger: set it right, then try again", "", "", ""},
		{"a year back", -365 * day, "the pact is not in force · our clock is behind our own ledger: set it right, then try again", "clock", "", ""},
	} {
		t.Run(x.what, func(t *testing.T) {
			t.Parallel()
			both := map[string]*proc{}
			for _, party := range []string{"KR", "JP"} { // whose pact is in force for hours
				dir := t.TempDir()
				setClock(t, filepath.Join(dir, "key"), -3*hour)
				both[party] = newProcIn(t, dir, party)
				both[party].start("")
			}
			kr, jp := both["KR"], both["JP"]
			conclude(t, kr, jp, jp.addr(), kr.addr())
			kr.wait("the pact is in force", func() bool { return kr.release(t.Context(), "KR first") == nil })
			kr.step(0)
			jp.step(0)
			if err := kr.release(t.Context(), "KR now"); err != nil {
				t.Fatal(err)
			}
			kr.wait("all is carried", func() bool { v := kr.link(); return v.Linked && v.Waiting == 0 && v.Out.Products == 0 })
			before := *kr.link().Since
			is := func(when, saw, want string) {
				t.Helper()
				t.Logf("%s, %s: %s", x.what, when, saw)
				if want == "" {
					want = "is released"
				}
				if !says(saw, want) {
					t.Errorf("%s, %s: reads %q, not %q", x.what, when, saw, want)
				}
			}
			kr.step(x.step)
			is("its officer releases", kr.releases("KR while it is wrong"), x.wrong)
			if x.why != "" {
				kr.refused = "KR while it is wrong"
				for n, cu := range kr.products("out") {
					if cu.Manifest.Title == kr.refused {
						why := ""
						kr.wait("the partner refuses it", func() bool { why = kr.said("why", string(n)); return says(why, x.why) })
						t.Logf("%s, entente why: %s", x.what, why)
					}
				}
			}
			jp.kill() // the link is called anew
			jp.start("")
			kr.wait("the link is called", func() bool {
				v := kr.link()
				return v.Linked && x.link == "" && *v.Since != before || x.link != "" && strings.Contains(v.Reason, x.link)
			})
			for _, p := range []*proc{kr, jp} {
				v := p.link()
				t.Logf("%s, the status of %s: linked %v, clocks differ by %.0f s, %q", x.what, p.party, v.Linked, v.Skew, v.Reason)
				told := strings.Contains(p.said("status"), "its clock differs from ours")
				if differs := x.link == "" && x.step.Abs() >= 10*time.Minute; told != differs {
					t.Errorf("%s, the status of %s tells that the clocks differ: %v", x.what, p.party, told)
				}
			}
			kr.step(0)
			is("set right", kr.releases("KR when it is right"), x.right)
			if x.right != "" { // the time of its last entry comes
				kr.step(x.step + time.Minute)
				jp.step(x.step + time.Minute)
			}
			settled(t, kr, jp)
			settled(t, jp, kr)
		})
	}
}

// says reports whether what was read has all that is wanted, separated by " · ".
func says(saw, want string) bool {
	for w := range strings.SplitSeq(want, " · ") {
		if !strings.Contains(saw, w) {
			return false
		}
	}
	return true
}
