package sqlite

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/xts"
)

// The encrypting VFS reads and writes the disk one sector of 512 bytes at a
// time: nine system calls for a page. Here a VFS above it says what one call of
// SQLite's covers, and one below it reads or writes the whole sectors of that
// call at once. Sectors that the call covers in part go straight through, under the
// encrypting VFS's own locks. What SQLite writes to its log between two syncs goes
// to the disk as one such call: no promise rests on it before the sync.
const vfsName = "entente"

func init() { vfs.Register(vfsName, above{xts.Wrap(below{vfs.Find("")}, nil)}) }

const sector = 512

// through passes on what SQLite asks of a file besides its bytes.
type through struct{ vfs.File }

func (t through) Unwrap() vfs.File                   { return t.File }
func (t through) SharedMemory() vfs.SharedMemory     { return vfsutil.WrapSharedMemory(t.File) }
func (t through) LockState() vfs.LockLevel           { return vfsutil.WrapLockState(t.File) }
func (t through) PersistWAL() bool                   { return vfsutil.WrapPersistWAL(t.File) }
func (t through) SetPersistWAL(keep bool)            { vfsutil.WrapSetPersistWAL(t.File, keep) }
func (t through) ChunkSize(n int)                    { vfsutil.WrapChunkSize(t.File, n) }
func (t through) SizeHint(n int64) error             { return vfsutil.WrapSizeHint(t.File, n) }
func (t through) HasMoved() (bool, error)            { return vfsutil.WrapHasMoved(t.File) }
func (t through) Overwrite() error                   { return vfsutil.WrapOverwrite(t.File) }
func (t through) SyncSuper(super string) error       { return vfsutil.WrapSyncSuper(t.File, super) }
func (t through) CommitPhaseTwo() error              { return vfsutil.WrapCommitPhaseTwo(t.File) }
func (t through) BeginAtomicWrite() error            { return vfsutil.WrapBeginAtomicWrite(t.File) }
func (t through) CommitAtomicWrite() error           { return vfsutil.WrapCommitAtomicWrite(t.File) }
func (t through) RollbackAtomicWrite() error         { return vfsutil.WrapRollbackAtomicWrite(t.File) }
func (t through) CheckpointStart()                   { vfsutil.WrapCheckpointStart(t.File) }
func (t through) CheckpointDone()                    { vfsutil.WrapCheckpointDone(t.File) }
func (t through) BusyHandler(f func() bool)          { vfsutil.WrapBusyHandler(t.File, f) }
func (t through) Pragma(k, v string) (string, error) { return vfsutil.WrapPragma(t.File, k, v) }

// above is what SQLite sees.
type above struct{ vfs.VFS }

func (a above) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" {
		return a.OpenFilename(nil, flags)
	}
	return nil, flags, sqlite3.CANTOPEN // SQLite calls OpenFilename
}

// OpenFilename implements vfs.VFSFilename.
func (a above) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(a.VFS, name, flags)
	if err != nil {
		return f, flags, err
	}
	s, ok := vfsutil.UnwrapFile[*spanned](f)
	if !ok {
		return f, flags, nil
	}
	p := &spanning{through: through{f}, s: s, wal: flags&vfs.OPEN_WAL != 0}
	if flags&(vfs.OPEN_MAIN_DB|vfs.OPEN_WAL) != 0 {
		if kept, ok := opened.Load(name.URIParameter("pages")); ok {
			p.pages = kept.(*pages)
		}
	}
	return p, flags, nil
}

// opened holds the pages of each open store, by the number in its connections' names.
var opened sync.Map

// spanning says what each call covers. What SQLite writes to the log it keeps
// until SQLite syncs it or asks for it back, and writes it then at once: until that
// sync no other connection looks there. The rest of a frame in whose middle SQLite
// syncs goes straight through, since no sync follows it.
type spanning struct {
	through
	s     *spanned
	pages *pages // none for a temporary file
	wal   bool
	tail  []byte // what is to be written to the log
	at    int64  // where
	cut   bool   // synced, and no frame has begun since
}

const maxTail = 256 << 10

func (f *spanning) ReadAt(p []byte, off int64) (int, error) {
	if from, to := f.at, f.at+int64(len(f.tail)); off < to && off+int64(len(p)) > from {
		if off >= from && off+int64(len(p)) <= to {
			return copy(p, f.tail[off-from:]), nil
		}
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	place := place{f.wal, off}
	if f.pages == nil || !place.whole(len(p)) {
		return f.read(p, off)
	}
	ok, changes := f.pages.get(p, place)
	if ok {
		return len(p), nil
	}
	n, err := f.read(p, off)
	if err == nil && n == len(p) {
		f.pages.put(p, place, changes)
	}
	return n, err
}

func (f *spanning) read(p []byte, off int64) (int, error) {
	f.s.begin(len(p), off)
	defer f.s.end()
	return f.File.ReadAt(p, off)
}

func (f *spanning) WriteAt(p []byte, off int64) (int, error) {
	if f.pages == nil {
		return f.write(p, off)
	}
	f.pages.change(len(p), place{f.wal, off})
	if !f.wal {
		n, err := f.write(p, off)
		if err == nil {
			f.pages.changed(p, place{f.wal, off})
		}
		return n, err
	}
	end := f.at + int64(len(f.tail))
	if off < f.at || off > end || off+int64(len(p)) > f.at+maxTail {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.at, end = off, off
	}
	if f.tail == nil { // its whole room at once: what a node uses does not grow with its largest commit
		f.tail = make([]byte, 0, maxTail)
	}
	if more := off + int64(len(p)) - end; more > 0 {
		f.tail = append(f.tail, p[int64(len(p))-more:]...)
	}
	copy(f.tail[off-f.at:], p)
	f.cut = f.cut && (off-walHead)%(frameHead+pageSize) != 0
	if f.cut {
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	f.pages.changed(p, place{f.wal, off})
	return len(p), nil
}

func (f *spanning) write(p []byte, off int64) (int, error) {
	f.s.begin(len(p), off)
	defer f.s.end()
	return f.File.WriteAt(p, off)
}

// flush writes the tail. After an error nothing of it counts as written, and
// nothing that was kept is trusted.
func (f *spanning) flush() error {
	if len(f.tail) == 0 {
		return nil
	}
	n, err := f.write(f.tail, f.at)
	if err == nil && n < len(f.tail) {
		err = io.ErrShortWrite
	}
	f.tail = f.tail[:0]
	if err != nil {
		f.pages.forget()
	}
	return err
}

func (f *spanning) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.cut = true
	return f.File.Sync(flags)
}

func (f *spanning) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *spanning) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	if f.pages != nil {
		defer f.pages.forget()
	}
	return f.File.Truncate(size)
}

func (f *spanning) Close() error { return errors.Join(f.flush(), f.File.Close()) }

// below is what the encrypting VFS sees.
type below struct{ vfs.VFS }

func (b below) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpen(b.VFS, name, flags)
	return span(f, err), flags, err
}

// OpenFilename implements vfs.VFSFilename.
func (b below) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(b.VFS, name, flags)
	return span(f, err), flags, err
}

func span(f vfs.File, err error) vfs.File {
	if err != nil {
		return f
	}
	return &spanned{through: through{f}}
}

// spanned reads and writes the whole sectors of a call at once. One
// connection uses it, one call at a time.
type spanned struct {
	through
	from, to int64  // the whole sectors that the call covers; none: from >= to
	buf      []byte // their bytes
	read     int    // how many of them were read; -1: none yet
}

func (s *spanned) begin(n int, off int64) {
	s.from, s.to = (off+sector-1)&^(sector-1), (off+int64(n))&^(sector-1)
	s.read = -1
	if s.to > s.from && int64(cap(s.buf)) < s.to-s.from {
		room := s.to - s.from
		if room > 2*pageSize {
			room = maxTail + sector // that of the log
		}
		s.buf = make([]byte, max(room, s.to-s.from))
	}
}

func (s *spanned) end() { s.from, s.to = 0, 0 }

// whole reports whether p at off is a whole sector of the call.
func (s *spanned) whole(p []byte, off int64) bool {
	return len(p) == sector && off >= s.from && off+sector <= s.to && s.to-s.from > sector
}

func (s *spanned) ReadAt(p []byte, off int64) (int, error) {
	if !s.whole(p, off) {
		return s.File.ReadAt(p, off)
	}
	b := s.buf[:s.to-s.from]
	if s.read < 0 {
		n, err := s.File.ReadAt(b, s.from)
		if err != nil && err != io.EOF {
			return 0, err
		}
		s.read = n
	}
	if at := int(off - s.from); at < s.read {
		if n := copy(p, b[at:s.read]); n == len(p) {
			return n, nil
		}
	}
	return s.File.ReadAt(p, off) // at the end of the file: it says so itself
}

func (s *spanned) WriteAt(p []byte, off int64) (int, error) {
	if !s.whole(p, off) {
		n, err := s.File.WriteAt(p, off)
		return n, roomless(err)
	}
	copy(s.buf[off-s.from:], p)
	if off+sector < s.to {
		return len(p), nil
	}
	n, err := s.File.WriteAt(s.buf[:s.to-s.from], s.from)
	if err == nil && int64(n) < s.to-s.from {
		err = io.ErrShortWrite
	}
	if err != nil {
		return 0, roomless(err) // none of the call counts as written
	}
	return len(p), nil
}

// roomless names a full disk as SQLite does, which knows it otherwise for a failed one.
func roomless(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}
