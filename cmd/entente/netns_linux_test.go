//go:build !race

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cable joins two network namespaces, each by a device of its own, and hands over the packets
// of one to the other: late, and some of them not at all. It needs no queueing discipline of
// the kernel, which few machines have.
type cable struct {
	t     *testing.T
	ends  [2]end
	delay atomic.Int64 // each way
	loss  atomic.Int64 // so many of a thousand packets
	bytes atomic.Int64 // that the first end sent
	lost  atomic.Int64 // packets
}

type end struct {
	space, device, address string
	bits, mtu              int
	tun                    *os.File
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// newCable makes both namespaces; where that is not allowed the test is skipped.
func newCable(t *testing.T, mtu int, addresses [2]string, bits int) *cable {
	t.Helper()
	w := &cable{t: t}
	for i := range w.ends {
		e := &w.ends[i]
		name := fmt.Sprintf("ent%04x%d", rand.IntN(1<<16), i)
		*e = end{space: name, device: name, address: addresses[i], bits: bits, mtu: mtu}
		err := ip("netns", "add", e.space)
		if err == nil {
			t.Cleanup(func() { _ = ip("netns", "del", e.space) })
			e.tun, err = openTun(e.device)
		}
		if err == nil {
			err = errors.Join(ip("link", "set", e.device, "netns", e.space), ip("-n", e.space, "link", "set", "lo", "up"), e.up())
		}
		if err != nil {
			t.Skipf("NOT RUN, for want of network namespaces or tunnel devices; TestFaultsOfLines has a proxy instead: %v", err)
		}
	}
	var both sync.WaitGroup
	both.Go(func() { w.pump(0, 1) })
	both.Go(func() { w.pump(1, 0) })
	t.Cleanup(func() {
		_ = errors.Join(w.ends[0].tun.Close(), w.ends[1].tun.Close())
		both.Wait()
	})
	return w
}

func openTun(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (e *end) up() error {
	return errors.Join(ip("-n", e.space, "link", "set", e.device, "mtu", fmt.Sprint(e.mtu), "up"),
		ip("-n", e.space, "addr", "replace", fmt.Sprintf("%s/%d", e.address, e.bits), "dev", e.device, "nodad"))
}

func (e *end) down() error { return ip("-n", e.space, "link", "set", e.device, "down") }

// pump hands over packets from one end to the other.
func (w *cable) pump(from, to int) {
	type packet struct {
		b  []byte
		at time.Time
	}
	late := make(chan packet, 10_000)
	var out sync.WaitGroup
	out.Go(func() {
		for p := range late {
			time.Sleep(time.Until(p.at))
			_, _ = w.ends[to].tun.Write(p.b) // lost, where the device is down
		}
	})
	defer out.Wait()
	defer close(late)
	random, buf := rand.New(rand.NewPCG(576, uint64(from))), make([]byte, 64<<10)
	for {
		n, err := w.ends[from].tun.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			time.Sleep(10 * time.Millisecond) // the device is down
			continue
		}
		if from == 0 {
			w.bytes.Add(int64(n))
		}
		if random.Int64N(1000) < w.loss.Load() {
			w.lost.Add(1)
			continue
		}
		select {
		case late <- packet{append([]byte(nil), buf[:n]...), time.Now().Add(time.Duration(w.delay.Load()))}:
		default:
			w.lost.Add(1)
		}
	}
}

// TestFaultsOfNetwork is two nodes, each in a network of its own, with a satellite between them:
// packets of a few hundred bytes, 600 ms there and back, some lost. Then the link goes
// down in mid-transfer, and what was carried is not carried again.
func TestFaultsOfNetwork(t *testing.T) {
	for _, x := range []struct {
		what      string
		mtu, bits int
		addresses [2]string
		loss      int64 // of a thousand
	}{
		{"IPv4, packets of 576 bytes, 3% lost", 576, 24, [2]string{"10.57.6.1", "10.57.6.2"}, 30},
		{"IPv6, packets of 1280 bytes, 5% lost", 1280, 64, [2]string{"fd57:6::1", "fd57:6::2"}, 50},
	} {
		t.Run(x.what, func(t *testing.T) {
			t.Parallel()
			w := newCable(t, x.mtu, x.addresses, x.bits)
			var both [2]*proc
			for i, party := range []string{"KR", "JP"} {
				p := newProcIn(t, t.TempDir(), party)
				p.host, p.under, p.patience = x.addresses[i], []string{"ip", "netns", "exec", w.ends[i].space}, 20*time.Minute
				p.start("")
				both[i] = p
			}
			kr, jp := both[0], both[1]
			w.delay.Store(int64(300 * time.Millisecond))
			w.loss.Store(x.loss)
			conclude(t, kr, jp, jp.addr(), "")
			kr.wait("the pact is in force", func() bool { return kr.release(t.Context(), "KR first") == nil })
			settled(t, kr, jp)
			size := " one block"
			if *long {
				size = " two blocks"
			}
			title := "KR by satellite" + size
			before, began := w.bytes.Load(), time.Now()
			if err := kr.release(t.Context(), title); err != nil {
				t.Fatal(err)
			}
			kr.wait("its receipt", func() bool { v := kr.link(); return v.Linked && v.Waiting == 0 && v.Out.Products == 0 })
			took := time.Since(began)
			t.Logf("%s: %d bytes of content took %v and %d bytes of packets; %d packets were lost", x.what, len(text(title)), took.Round(time.Second), w.bytes.Load()-before, w.lost.Load())

			w.loss.Store(0)
			w.delay.Store(int64(10 * time.Millisecond))
			before = w.bytes.Load()
			if err := kr.release(t.Context(), "KR cut large"); err != nil {
				t.Fatal(err)
			}
			kr.wait("half of it is carried", func() bool { return w.bytes.Load()-before > 3<<19 })
			if err := w.ends[0].down(); err != nil {
				t.Fatal(err)
			}
			saw := ""
			if !*long {
				time.Sleep(3 * time.Second)
			} else {
				kr.wait("the officer is told", func() bool { saw = kr.link().Reason; return strings.Contains(saw, "not linked") })
			}
			if err := w.ends[0].up(); err != nil {
				t.Fatal(err)
			}
			settled(t, kr, jp)
			content := int64(len(text("KR cut large")))
			sent := w.bytes.Load() - before
			t.Logf("%s: the link went down in mid-transfer: the officer sees %q; %d bytes of packets for %d of content", x.what, saw, sent, content)
			if most := (content + 1<<20) * int64(x.mtu) / int64(x.mtu-100); sent > most {
				t.Errorf("%d bytes were sent, with one block again and the heads of packets %d would do", sent, most)
			}
		})
	}
}
