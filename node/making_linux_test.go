package node_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// making watches directories, and those that are made in them. The function that it
// returns tells every file that was made or moved there, gone or not.
func making(t *testing.T, dirs ...string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	at, made := map[int32]string{}, map[string]bool{}
	var watch func(dir string)
	watch = func(dir string) {
		wd, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
			return
		}
		at[int32(wd)] = dir
		below, _ := os.ReadDir(dir) // what was made before it was watched
		for _, e := range below {
			if e.IsDir() {
				watch(filepath.Join(dir, e.Name()))
			} else {
				made[filepath.Join(dir, e.Name())] = true
			}
		}
	}
	for _, dir := range dirs {
		watch(dir)
	}
	clear(made) // these were there
	last := filepath.Join(dirs[0], "the-end")
	var done sync.WaitGroup
	done.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for b := buf[:n]; len(b) > 0; {
				e := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
				name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+e.Len]), "\x00")
				b = b[unix.SizeofInotifyEvent+e.Len:]
				switch path := filepath.Join(at[e.Wd], name); {
				case e.Mask&unix.IN_Q_OVERFLOW != 0:
					t.Error("more files were made than the kernel could tell")
				case e.Mask&unix.IN_ISDIR != 0:
					watch(path)
				case path == last:
					return
				case name != "":
					made[path] = true
				}
			}
		}
	})
	return func() (all []string) {
		// Files are told in order: once this one is, so are all before it.
		if err := os.WriteFile(last, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		done.Wait()
		f.Close()
		for path := range made {
			all = append(all, path)
		}
		slices.Sort(all)
		return all
	}
}
