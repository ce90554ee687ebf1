//go:build !race

package main

import (
	"crypto/tls"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/internal/line"
)

var long = flag.Bool("long", false, "run the faults that take minutes too")

// said runs a command and returns what its user reads, on one line.
func (p *proc) said(args ...string) string {
	out, _ := p.command(args...).CombinedOutput()
	return strings.Join(strings.Fields(strings.ReplaceAll(string(out), "\n", " / ")), " ")
}

// releases releases a product as a user does, and returns what the user reads.
func (p *proc) releases(title string) string {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "report.txt")
	if err := os.WriteFile(file, []byte(text(title)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	said := p.said("release", file, "--title", title, "--pact", "kr-jp-2016", "--purpose", "threat-assessment", "--mark", map[string]string{"KR": "군사II급비밀", "JP": "秘"}[p.party])
	if p.has(title) {
		p.acked[title] = true
	}
	return said
}

// has reports whether a product of this title was released here.
func (p *proc) has(title string) bool {
	for _, cu := range p.products("out") {
		if cu.Manifest.Title == title {
			return true
		}
	}
	return false
}

// link returns what the status says of the only partner.
func (p *proc) link() (v desk.PartnerView) {
	var s desk.StatusView
	if err := p.c.Get(p.t.Context(), "/v1/status", &s); err == nil && len(s.Partners) == 1 {
		v = s.Partners[0]
	}
	return v
}

// lined are two nodes of which Seoul calls Tokyo through a line, and Tokyo cannot call.
func lined(t *testing.T) (kr, jp *proc, l *line.Proxy) {
	kr, jp = newProc(t, "KR"), newProc(t, "JP")
	l = line.New(t, jp.addr())
	conclude(t, kr, jp, l.Addr, "")
	kr.wait("the pact is in force", func() bool { return kr.release(t.Context(), "KR first") == nil })
	kr.wait("all is carried", func() bool { v := kr.link(); return v.Linked && v.Waiting == 0 && v.Out.Products == 0 })
	return kr, jp, l
}

// TestFaultsOfLines is the program with a bad line between two processes. Each line says what
// was done, what a user saw in the status, and what was handed over for the content.
func TestFaultsOfLines(t *testing.T) {
	content := int64(len(text("KR under way large")))
	for _, x := range []struct {
		what string
		line line.Line
		cuts []int64
		want string // what the status says; empty: nothing need be said
		long bool
	}{
		{"600 ms round trip, pieces of 1400 bytes, lost ones", line.Line{Delay: 300 * time.Millisecond, Piece: 2800, Stall: 200}, nil, "", true},
		{"a byte a second in mid-transfer", line.Line{}, []int64{2 << 20}, "the partner has the release, and its receipt has not come", true},
		{"a black hole in mid-transfer", line.Line{End: line.Silence}, []int64{2 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "i/o timeout", true},
		{"a black hole for some seconds", line.Line{End: line.Silence}, []int64{2 << 20, 0, 0, 0, 0, 0, 0}, "", false},
		{"reset in mid-transfer, three times", line.Line{End: line.Resets}, []int64{500_000, 3 << 19, 1 << 20}, "", false},
	} {
		t.Run(x.what, func(t *testing.T) {
			if x.long && !*long {
				t.Skip("it takes minutes: './test faults'")
			}
			t.Parallel()
			kr, jp, l := lined(t)
			kr.patience = 5 * time.Minute
			l.Set(x.line, x.cuts...)
			if err := kr.release(t.Context(), "KR under way large"); err != nil {
				t.Fatal(err)
			}
			saw := ""
			if len(x.cuts) > 0 {
				kr.wait("the line fails", func() bool { _, n := l.Handed(); return n > 0 })
			}
			if x.want != "" {
				kr.wait("the officer is told", func() bool { saw = kr.link().Reason; return strings.Contains(saw, x.want) })
			} else {
				time.Sleep(2 * time.Second)
				saw = kr.link().Reason
			}
			if err := kr.release(t.Context(), "KR meanwhile"); err != nil {
				t.Errorf("nothing can be released over a bad line: %v", err)
			}
			handed, cuts := l.Handed()
			if x.line.End != nil {
				l.Set(line.Line{})
			} else { // the node itself ends what is too slow, and calls again
				handed = 0
			}
			settled(t, kr, jp)
			again, _ := l.Handed()
			again += handed
			if most := content + int64(cuts+1)*(1<<20+128<<10); again > most {
				t.Errorf("%d bytes were handed over for %d, at most %d would do", again, content, most)
			}
			t.Logf("%s: the officer sees %q; %d bytes were handed over for %d of content, with %d cuts", x.what, saw, again, content, cuts)
		})
	}
}

// shows returns the certificate that a node shows, and its key.
func (p *proc) shows() (certificate, key string) {
	p.t.Helper()
	c, err := tls.Dial("tcp", p.addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"entente/1"}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	x := c.ConnectionState().PeerCertificates[0]
	return string(x.Raw), string(x.RawSubjectPublicKeyInfo)
}

// TestFaultsOfKeys: in mid-transfer the sender starts again, with another certificate of the
// same key, and the transfer goes on. In the next the recipient comes back with other keys: it
// gets nothing, its officer and ours are told why, and nothing partial is seen anywhere.
func TestFaultsOfKeys(t *testing.T) {
	t.Parallel()
	kr, jp, l := lined(t)
	const title = "KR under way large"
	size := int64(len(text(title)))
	half := func(title string) {
		t.Helper()
		l.Set(line.Line{End: line.Silence}, 2<<20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		if err := kr.release(t.Context(), title); err != nil {
			t.Fatal(err)
		}
		kr.wait("half of it is carried", func() bool {
			staged, _ := filepath.Glob(filepath.Join(jp.dir, "vault", "staged", "*"))
			for _, file := range staged {
				if st, err := os.Stat(file); err == nil && st.Size() >= 1<<20 {
					return true
				}
			}
			return false
		})
	}
	nothing := func(of *proc) {
		t.Helper()
		for n, cu := range of.products("in") {
			if _, here := cu.Received[act.Party(of.party)]; strings.HasSuffix(cu.Manifest.Title, "large") && !here {
				file := filepath.Join(t.TempDir(), "out")
				if saw := of.said("open", string(n), "-o", file); !strings.Contains(saw, "its content is not here yet") {
					t.Errorf("opened while it is on its way: %s", saw)
				} else {
					t.Logf("in mid-transfer: the recipient's analyst reads %q", saw)
				}
				if b, err := os.ReadFile(file); err == nil {
					t.Errorf("a part of %s is to be seen: %d bytes", n, len(b))
				}
			}
		}
	}

	half(title)
	nothing(jp)
	certificate, key := kr.shows()
	before, _ := l.Handed()
	kr.kill()
	kr.start("")
	kr.wait("it answers", kr.up)
	if c, k := kr.shows(); c == certificate || k != key {
		t.Errorf("the certificate is another: %v; the key is the same: %v", c != certificate, k == key)
	}
	l.Set(line.Line{})
	settled(t, kr, jp)
	after, _ := l.Handed()
	if most := size + 1<<20 + 512<<10; before+after > most {
		t.Errorf("%d bytes were handed over for %d, at most %d would do", before+after, size, most)
	}
	t.Logf("the sender starts again in mid-transfer, with a new certificate: %d bytes were handed over for %d", before+after, size)

	half("KR again large")
	before, _ = l.Handed()
	jp.kill()
	if err := os.Rename(jp.dir, jp.dir+".kept"); err != nil {
		t.Fatal(err)
	}
	if out, err := jp.command("init", "JP").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	jp.start("")
	jp.wait("it answers", jp.up)
	l.Set(line.Line{})
	saw := ""
	kr.wait("the officer is told", func() bool {
		saw = kr.link().Reason
		return strings.Contains(saw, "not linked: the key shown is not the one pinned for JP: refuse it, or compare codes anew if the partner changed its key")
	})
	if _, page := kr.page(kr.browser("officer"), "/", nil); !strings.Contains(page, "not the one pinned") {
		t.Errorf("the desk does not say why:\n%s", page)
	}
	t.Logf("the recipient comes back with other keys: Seoul's officer reads %q", saw)
	t.Logf("and its own: %q", jp.said("status"))
	if in := jp.products("in"); len(in) > 0 {
		t.Errorf("other keys got %d products", len(in))
	}
	foreign, _ := l.Handed()
	if foreign > 256<<10 {
		t.Errorf("%d bytes were handed over to other keys", foreign)
	}
	jp.kill()
	if err := os.RemoveAll(jp.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(jp.dir+".kept", jp.dir); err != nil {
		t.Fatal(err)
	}
	l.Set(line.Line{})
	jp.start("")
	settled(t, kr, jp)
	if after, _ = l.Handed(); before+after > int64(len(text("KR again large")))+1<<20+512<<10 {
		t.Errorf("%d bytes were handed over", before+after)
	}
}
