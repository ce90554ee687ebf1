//go:build !race

// The race detector and the fake clock of testing/synctest crash each other's
// runtime in Go 1.26: ./test has a stage without it.

package memory_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"entente/internal/memory"
)

// call returns both ends of a connection.
func call(t *testing.T, n *memory.Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Listen("there")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answered := make(chan net.Conn)
	go func() { c, _ := l.Accept(); answered <- c }()
	near, err = n.Connect(t.Context(), "there")
	if err != nil {
		t.Fatal(err)
	}
	return near, <-answered
}

// TestConversation: bytes arrive in order however small the window, and the
// end of one side is the end of what the other reads.
func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := call(t, &memory.Network{})
		go func() {
			for i := range 16 {
				b := make([]byte, 1<<16)
				b[0] = byte(i)
				if _, err := near.Write(b); err != nil {
					t.Error(err)
				}
			}
			near.Close()
		}()
		synctest.Wait() // the writer waits for room
		b, err := io.ReadAll(far)
		if err != nil || len(b) != 1<<20 {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		for i := range 16 {
			if b[i<<16] != byte(i) {
				t.Errorf("piece %d is out of order", i)
			}
		}
		if _, err := far.Write([]byte{1}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to who has gone: %v", err)
		}
	})
}

// TestDeadline goes by the bubble's clock, and can be moved.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := call(t, &memory.Network{})
		began := time.Now()
		for range 2 {
			if err := errors.Join(near.SetReadDeadline(time.Now().Add(time.Second)), near.SetReadDeadline(time.Now().Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading for an hour: %v", err)
			}
		}
		if d := time.Since(began); d != 2*time.Hour {
			t.Errorf("waited %v", d)
		}
	})
}

// TestCut resets both ends after so many bytes.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := call(t, &memory.Network{Cut: func(int) int { return 10 }})
		n, err := near.Write(make([]byte, 100))
		if n != 10 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("wrote %d: %v", n, err)
		}
		if _, err := far.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the far end reads: %v", err)
		}
	})
}

// TestRefused: nobody is there before Listen or after Close.
func TestRefused(t *testing.T) {
	n := &memory.Network{}
	for range 2 {
		if _, err := n.Connect(t.Context(), "there"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("calling nobody: %v", err)
		}
		l, err := n.Listen("there")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Listen("there"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening twice: %v", err)
		}
		l.Close()
	}
}
