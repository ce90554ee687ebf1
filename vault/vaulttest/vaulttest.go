// Package vaulttest is the suite that every engine behind vault.Shelf passes.
package vaulttest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"entente/vault"
)

// Run tests a shelf. open makes one that is empty, or, with the same dir, opens
// it again.
func Run(t *testing.T, open func(t *testing.T, dir string) vault.Shelf) {
	t.Run("put", func(t *testing.T) { put(t, vault.New(open(t, t.TempDir()))) })
	t.Run("resume", func(t *testing.T) {
		dir := t.TempDir()
		resume(t, func() *vault.Vault { return vault.New(open(t, dir)) })
	})
	t.Run("sweep", func(t *testing.T) {
		dir := t.TempDir()
		sweep(t, func() vault.Shelf { return open(t, dir) })
	})
	t.Run("twice", func(t *testing.T) { twice(t, vault.New(open(t, t.TempDir()))) })
}

// twice: of two takings-in of one object at the same time the second waits, and
// finds what the first kept.
func twice(t *testing.T, v *vault.Vault) {
	c := content(3*vault.BlockSize + 9)
	b, err := v.Put(t.Context(), "source", bytes.NewReader(c))
	if err != nil {
		t.Fatal(err)
	}
	src := b.Digest()
	if err := v.Remove(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	first, err := v.Receive(t.Context(), src, b)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan int)
	go func() {
		in, err := v.Receive(t.Context(), src, b)
		if err != nil {
			t.Error(err)
			second <- -1
			return
		}
		second <- in.Next()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i := range b.Leaves {
		select {
		case at := <-second:
			t.Fatalf("a second taking-in began at block %d beside the first", at)
		default:
		}
		if err := first.Write(i, c[i*vault.BlockSize:min(len(c), (i+1)*vault.BlockSize)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if at := <-second; at != len(b.Leaves) {
		t.Errorf("the second began at block %d", at)
	}
	if err := v.Verify(t.Context(), src); err != nil {
		t.Error(err)
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>10 + i)
	}
	return b
}

func read(t *testing.T, v *vault.Vault, d vault.Digest) []byte {
	t.Helper()
	f, err := v.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, v *vault.Vault) {
	kept := map[vault.Digest]bool{}
	for _, n := range []int{0, 1, vault.BlockSize - 1, vault.BlockSize, vault.BlockSize + 1, 3*vault.BlockSize + 9} {
		for range 2 { // the same bytes again are no error
			b, err := v.Put(t.Context(), "x", bytes.NewReader(content(n)))
			if err != nil || b.Size != int64(n) {
				t.Fatalf("%d bytes: %d, %v", n, b.Size, err)
			}
			d := b.Digest()
			if d != vault.DigestOf(content(n)) {
				t.Errorf("%d bytes have another digest when they are kept", n)
			}
			kept[d] = true
			if !bytes.Equal(read(t, v, d), content(n)) {
				t.Errorf("%d bytes came back changed", n)
			}
			if err := v.Verify(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
	}
	if len(kept) != 6 {
		t.Errorf("%d digests of 6 contents", len(kept))
	}
	if _, err := v.Open(t.Context(), vault.Digest{1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening what is not there: %v", err)
	}
	broken := errors.New("broken")
	if _, err := v.Put(t.Context(), "y", io.MultiReader(bytes.NewReader(content(10)), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("a broken stream: %v", err)
	}
	n, err := v.Sweep(t.Context(), func(d vault.Digest) bool { return !kept[d] })
	if err != nil || n != 6 {
		t.Errorf("swept %d of 6, %v", n, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// resume: an object that was cut goes on where it was, and a torn end is cut off.
func resume(t *testing.T, open func() *vault.Vault) {
	whole := content(3*vault.BlockSize + 9)
	source := open()
	blocks, err := source.Put(t.Context(), "x", bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	d := blocks.Digest()
	if again, err := source.Blocks(t.Context(), d); err != nil || !bytes.Equal(again.Marshal(), blocks.Marshal()) {
		t.Fatalf("the tree that was kept is not the one that is read: %v", err)
	}
	if _, err := source.Sweep(t.Context(), func(vault.Digest) bool { return false }); err != nil {
		t.Fatal(err)
	}
	block := func(i int) []byte { return whole[i*vault.BlockSize : min(len(whole), (i+1)*vault.BlockSize)] }
	for want := range 4 {
		in, err := open().Receive(t.Context(), d, blocks)
		if err != nil {
			t.Fatal(err)
		}
		if in.Next() != want {
			t.Errorf("goes on at block %d, want %d", in.Next(), want)
		}
		bad := bytes.Clone(block(want))
		bad[0] ^= 1
		if err := in.Write(want, bad); !errors.Is(err, vault.ErrDamaged) {
			t.Errorf("a damaged block: %v", err)
		}
		if err := in.Write(want+1, block(0)); err == nil {
			t.Error("a block out of order")
		}
		if err := in.Keep(t.Context()); err == nil {
			t.Error("kept before it was whole")
		}
		if err := in.Write(want, block(want)); err != nil {
			t.Fatal(err)
		}
		if want == 3 {
			err = in.Keep(t.Context())
		} else {
			err = in.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, open(), d), whole) {
		t.Error("it came back changed")
	}
}

// sweep: what was begun and broke off goes, what may still arrive stays.
func sweep(t *testing.T, shelf func() vault.Shelf) {
	v := vault.New(shelf())
	v.Aside = func(f func()) { f() } // who broke off writes no more
	whole := content(vault.BlockSize + 9)
	blocks, err := v.Put(t.Context(), "x", bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	d := blocks.Digest()
	none := func(vault.Digest) bool { return false }
	if _, err := v.Sweep(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	in, err := v.Receive(t.Context(), d, blocks)
	if err == nil {
		err = errors.Join(in.Write(0, whole[:vault.BlockSize]), in.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := v.Writer(t.Context(), "y")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(whole); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keep  func(vault.Digest) bool
		begun int
	}{{func(q vault.Digest) bool { return q == d }, 1}, {none, 0}} {
		again := shelf()
		n, err := vault.New(again).Sweep(t.Context(), c.keep)
		if err != nil || n != 1 {
			t.Errorf("swept %d of 1: %v", n, err)
		}
		if begun, err := again.Begun(t.Context()); err != nil || len(begun) != c.begun {
			t.Errorf("%q is left: %v", begun, err)
		}
	}
}
