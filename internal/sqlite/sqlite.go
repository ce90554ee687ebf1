// Package sqlite keeps a ledger's rows in one encrypted SQLite database.
//
// The file, its write-ahead log and its index are encrypted page by page with
// AES-256-XTS: a disk or a backup shows nothing but sizes. Commits are durable
// with synchronous=EXTRA, set before the journal mode, and both are read back.
// After a failed write the store answers every call with ledger.ErrStorage: it
// is never tried again in place. The store asks for room before it begins, and
// refuses with ledger.ErrFull while there is little. What people are told of a failure
// stands in fault.go; the engine's own words go to Store.Log.
package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"entente/internal/durable"
	"entente/internal/point"
	"entente/ledger"

	"github.com/ncruces/go-sqlite3"
)

var (
	// ErrKey says that the key does not open the database.
	ErrKey = errors.New("the key does not open this database, or it is not one")
	// ErrNewer says that a newer program made the database.
	ErrNewer = errors.New("the database was made by a newer program: use that one")
	// ErrClosed says that the store is closed.
	ErrClosed = errors.New("the store is closed")
)

const (
	applicationID = 0x454e5445 // "ENTE"
	schema        = 1
	readers       = 4 // connections that read beside the one that writes
	// reserve is left free: more than a transaction and the checkpoint of the
	// write-ahead log behind it take, so that none that began finds the disk full.
	reserve = 16 << 20
)

// Store implements ledger.Shelf.
type Store struct {
	path  string
	name  string // in the connections' names: their pages stand under it
	pages *pages
	write chan *conn // holds the one connection that writes
	reads chan *conn
	done  chan struct{} // closed by Close
	// Log is told the engine's own words for a failure that people are told in others; may be nil.
	Log func(while string, cause error)

	mu     sync.Mutex
	dead   error
	closed bool
}

// conn is one connection with its statements.
type conn struct {
	*sqlite3.Conn
	get, put, add, del, clear, tables, scan, scanTo, last, lastTo, begin, view, choose, commit, rollback, try, keep, undo *sqlite3.Stmt
}

// Files names the files of a database: its own, and those beside it.
func Files(path string) []string { return []string{path, path + "-wal", path + "-shm"} }

// Open opens the database at path, or makes it, with a key of 32 bytes.
func Open(path string, key []byte) (*Store, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("opening the database: a key has 32 bytes, not %d", len(key))
	}
	s := &Store{path: path, name: fmt.Sprint(stores.Add(1)), pages: newPages(), write: make(chan *conn, 1), reads: make(chan *conn, readers), done: make(chan struct{})}
	// SQLite makes files with the process's umask; the database is nobody else's.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	opened.Store(s.name, s.pages)
	w, err := s.dial(key, true)
	if err != nil {
		opened.Delete(s.name)
		return nil, err
	}
	s.write <- w
	for range readers {
		r, err := s.dial(key, false)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.reads <- r
	}
	return s, nil
}

// stores numbers the stores of this process.
var stores atomic.Uint64

func (s *Store) dial(key []byte, writer bool) (*conn, error) {
	wide, err := hkdf.Expand(sha256.New, key, "entente database aes-256-xts", 64)
	if err != nil {
		return nil, err
	}
	c, err := sqlite3.OpenFlags("file:"+escape(s.path)+"?vfs="+vfsName+"&pages="+s.name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, openFault(s.path, err)
	}
	k := &conn{Conn: c}
	if err := k.prepare(s.path, hex.EncodeToString(wide), writer); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return k, nil
}

// escape keeps a path from being read as a URI's query.
func escape(p string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(p)
}

func (c *conn) prepare(path, hexkey string, writer bool) error {
	if err := c.Exec("PRAGMA hexkey='" + hexkey + "'"); err != nil {
		return fmt.Errorf("opening the database: %w", ErrKey)
	}
	// A wrong key shows at the first page that is read.
	version, err := c.pragma("user_version")
	if err != nil {
		if errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) {
			return fmt.Errorf("opening the database: %w", ErrKey)
		}
		return openFault(path, err)
	}
	if version != "0" && version != fmt.Sprint(schema) {
		return fmt.Errorf("opening the database: it has version %s, this program knows %d: %w", version, schema, ErrNewer)
	}
	for _, p := range []string{"busy_timeout=10000", "synchronous=EXTRA", "journal_mode=WAL", "trusted_schema=OFF", "cell_size_check=ON", "temp_store=MEMORY", "secure_delete=ON", "cache_size=-4096", "wal_autocheckpoint=4096"} {
		if err := c.Exec("PRAGMA " + p); err != nil {
			return openFault(path, fmt.Errorf("%s: %w", p, err))
		}
	}
	if writer { // a reader forgets its pages with every commit, the writer keeps them
		if err := c.Exec("PRAGMA cache_size=-16384"); err != nil {
			return openFault(path, err)
		}
	}
	for name, want := range map[string]string{"synchronous": "3", "journal_mode": "wal"} {
		if got, err := c.pragma(name); err != nil || got != want {
			return fmt.Errorf("opening the database: %s is %q and must be %q", name, got, want)
		}
	}
	if writer {
		// The values stand outside the index: SQLite reads the whole of every row that
		// it passes on the way to a key in a table WITHOUT ROWID.
		err := c.Exec(fmt.Sprintf(`BEGIN IMMEDIATE;
			CREATE TABLE IF NOT EXISTS rows(tab TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE(tab, key));
			PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT`, applicationID, schema))
		if err != nil {
			return openFault(path, err)
		}
	}
	for stmt, sql := range map[**sqlite3.Stmt]string{
		&c.get:      "SELECT value FROM rows WHERE tab=?1 AND key=?2",
		&c.put:      "INSERT INTO rows(tab,key,value) VALUES(?1,?2,?3) ON CONFLICT DO UPDATE SET value=excluded.value",
		&c.add:      "INSERT INTO rows(tab,key,value) VALUES(?1,?2,?3) ON CONFLICT DO NOTHING",
		&c.del:      "DELETE FROM rows WHERE tab=?1 AND key=?2",
		&c.clear:    "DELETE FROM rows WHERE tab=?1",
		&c.tables:   "SELECT DISTINCT tab FROM rows ORDER BY tab",
		&c.scan:     "SELECT key,value FROM rows WHERE tab=?1 AND key>=?2 ORDER BY key LIMIT ?3",
		&c.scanTo:   "SELECT key,value FROM rows WHERE tab=?1 AND key>=?2 AND key<?4 ORDER BY key LIMIT ?3",
		&c.last:     "SELECT key,value FROM rows WHERE tab=?1 AND key>=?2 ORDER BY key DESC LIMIT 1",
		&c.lastTo:   "SELECT key,value FROM rows WHERE tab=?1 AND key>=?2 AND key<?4 ORDER BY key DESC LIMIT 1",
		&c.begin:    "BEGIN IMMEDIATE",
		&c.view:     "BEGIN",
		&c.choose:   "PRAGMA data_version", // reads the first page and no more: the snapshot is chosen
		&c.commit:   "COMMIT",
		&c.rollback: "ROLLBACK",
		&c.try:      "SAVEPOINT try",
		&c.keep:     "RELEASE try",
		&c.undo:     "ROLLBACK TO try",
	} {
		s, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return openFault(path, err)
		}
		*stmt = s
	}
	return nil
}

func (c *conn) pragma(name string) (string, error) {
	s, _, err := c.Prepare("PRAGMA " + name)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if !s.Step() {
		return "", s.Err()
	}
	return s.ColumnText(0), nil
}

func exec(s *sqlite3.Stmt) error {
	s.Step()
	return s.Reset()
}

// take waits for a connection of a pool.
func (s *Store) take(ctx context.Context, pool chan *conn) (*conn, error) {
	select {
	case c := <-pool:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed || s.dead != nil {
			pool <- c
			if s.closed {
				return nil, ErrClosed
			}
			return nil, s.dead
		}
		return c, nil
	case <-s.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// View implements ledger.Shelf.
func (s *Store) View(ctx context.Context, f func(ledger.Rows) error) (err error) {
	c, err := s.take(ctx, s.reads)
	if err != nil {
		return err
	}
	defer func() { s.reads <- c }()
	r := &rows{c: c, told: s.told}
	if err := exec(c.view); err != nil {
		return r.read(err)
	}
	defer func() {
		if end := r.read(exec(c.rollback)); err == nil {
			err = end
		}
	}()
	if err := exec(c.choose); err != nil {
		return r.read(err)
	}
	return f(r)
}

// Update implements ledger.Shelf.
func (s *Store) Update(ctx context.Context, f func(ledger.Rows) error) error {
	c, err := s.take(ctx, s.write)
	if err != nil {
		return err
	}
	defer func() { s.write <- c }()
	if room, err := durable.Room(s.path); err != nil || room < reserve {
		return cmp.Or(err, ledger.ErrFull)
	}
	if err := exec(c.begin); err != nil {
		return s.fail("beginning", err)
	}
	r := &rows{c: c, write: true, told: s.told}
	done := false
	defer func() {
		if !done { // f panicked
			_ = exec(c.rollback)
		}
	}()
	err = f(r)
	done = true
	if r.fault != nil {
		_ = exec(c.rollback)
		return s.fail("writing", r.fault)
	}
	if err != nil {
		if rerr := exec(c.rollback); rerr != nil {
			return errors.Join(err, s.fail("undoing", rerr))
		}
		return err
	}
	point.At("before a commit")
	if err := exec(c.commit); err != nil {
		return s.fail("committing", err)
	}
	point.At("after a commit")
	return nil
}

// fail ends the store: what is on the disk is no longer known.
func (s *Store) fail(what string, err error) error {
	if errors.Is(err, sqlite3.BUSY) && what == "beginning" {
		return errors.New("another process writes to the database, and nothing was entered: end it, and try again")
	}
	s.told(what, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = writeFault(err)
	return s.dead
}

func (s *Store) told(while string, cause error) {
	if s.Log != nil {
		s.Log(while, cause)
	}
}

// Check reads every page and reports the first damage.
func (s *Store) Check() error {
	c, err := s.take(context.Background(), s.reads)
	if err != nil {
		return err
	}
	defer func() { s.reads <- c }()
	s.pages.forget() // what is on the disk is asked
	got, err := c.pragma("integrity_check(1)")
	if err != nil {
		s.told("checking", err)
		return readFault(err)
	}
	if got != "ok" {
		s.told("checking", errors.New(got))
		return readFault(sqlite3.CORRUPT)
	}
	return nil
}

// Close implements ledger.Shelf.
func (s *Store) Close() (err error) {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	close(s.done)
	defer opened.Delete(s.name)
	for _, pool := range []chan *conn{s.reads, s.write} {
		n := cap(pool)
		for range n {
			select {
			case c := <-pool:
				err = errors.Join(err, c.close())
			default:
				if pool == s.write {
					err = errors.Join(err, (<-pool).close()) // wait for the writer
				}
			}
		}
	}
	return err
}

func (c *conn) close() (err error) {
	for _, s := range slices.Collect(c.Stmts()) { // closing one takes it off the list
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.Conn.Close())
}

// rows implements ledger.Rows on one transaction.
type rows struct {
	c     *conn
	write bool
	fault error // the first failed write: the transaction cannot be saved
	told  func(while string, cause error)
}

// read says in words that a read failed.
func (r *rows) read(err error) error {
	if err == nil {
		return nil
	}
	r.told("reading", err)
	return readFault(err)
}

var errReadOnly = errors.New("a view does not write")

func (r *rows) Get(table string, key []byte) ([]byte, error) {
	s := r.c.get
	defer s.Reset()
	if err := bind(s, table, key); err != nil {
		return nil, err
	}
	if !s.Step() {
		return nil, r.read(s.Err())
	}
	return append([]byte{}, s.ColumnRawBlob(0)...), nil
}

func bind(s *sqlite3.Stmt, table string, key []byte) error {
	return errors.Join(s.BindText(1, table), s.BindBlob(2, nonNil(key)))
}

// nonNil keeps an empty blob from being bound as NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (r *rows) exec(s *sqlite3.Stmt) error {
	err := exec(s)
	if err != nil && r.fault == nil {
		r.fault = err
	}
	return err
}

func (r *rows) Put(table string, key, value []byte) error {
	return r.insert(r.c.put, table, key, value)
}

func (r *rows) Add(table string, key, value []byte) (bool, error) {
	err := r.insert(r.c.add, table, key, value)
	return err == nil && r.c.Changes() == 1, err
}

func (r *rows) insert(s *sqlite3.Stmt, table string, key, value []byte) error {
	if !r.write {
		return errReadOnly
	}
	if err := errors.Join(bind(s, table, key), s.BindBlob(3, nonNil(value))); err != nil {
		return err
	}
	return r.exec(s)
}

func (r *rows) Delete(table string, key []byte) error {
	if !r.write {
		return errReadOnly
	}
	if err := bind(r.c.del, table, key); err != nil {
		return err
	}
	return r.exec(r.c.del)
}

func (r *rows) Clear(table string) error {
	if !r.write {
		return errReadOnly
	}
	if err := r.c.clear.BindText(1, table); err != nil {
		return err
	}
	return r.exec(r.c.clear)
}

func (r *rows) Tables() ([]string, error) {
	s := r.c.tables
	defer s.Reset()
	var all []string
	for s.Step() {
		all = append(all, s.ColumnText(0))
	}
	return all, r.read(s.Err())
}

// atOnce is how many rows are read at once: a statement is never left open while
// the caller works, so that scans can nest.
const atOnce = 256

func (r *rows) Scan(table string, from, to []byte) iter.Seq2[ledger.Row, error] {
	return func(yield func(ledger.Row, error) bool) {
		from := bytes.Clone(from)
		for {
			got, err := r.page(table, from, to)
			if err != nil {
				yield(ledger.Row{}, err)
				return
			}
			for _, row := range got {
				next := append(bytes.Clone(row.Key), 0)
				if !yield(row, nil) {
					return
				}
				from = next
			}
			if len(got) < atOnce {
				return
			}
		}
	}
}

func (r *rows) page(table string, from, to []byte) ([]ledger.Row, error) {
	s := r.c.scan
	if to != nil {
		s = r.c.scanTo
		if err := s.BindBlob(4, to); err != nil {
			return nil, err
		}
	}
	defer s.Reset()
	if err := errors.Join(bind(s, table, from), s.BindInt(3, atOnce)); err != nil {
		return nil, err
	}
	var got []ledger.Row
	for s.Step() {
		got = append(got, ledger.Row{Key: append([]byte{}, s.ColumnRawBlob(0)...), Value: append([]byte{}, s.ColumnRawBlob(1)...)})
	}
	return got, r.read(s.Err())
}

func (r *rows) Last(table string, from, to []byte) (ledger.Row, bool, error) {
	s := r.c.last
	if to != nil {
		s = r.c.lastTo
		if err := s.BindBlob(4, to); err != nil {
			return ledger.Row{}, false, err
		}
	}
	defer s.Reset()
	if err := bind(s, table, from); err != nil {
		return ledger.Row{}, false, err
	}
	if !s.Step() {
		return ledger.Row{}, false, r.read(s.Err())
	}
	return ledger.Row{Key: append([]byte{}, s.ColumnRawBlob(0)...), Value: append([]byte{}, s.ColumnRawBlob(1)...)}, true, nil
}

// Try implements ledger.Rows.
func (r *rows) Try(f func() error) (err error) {
	if !r.write {
		return errReadOnly
	}
	if err := r.exec(r.c.try); err != nil {
		return err
	}
	done := false
	defer func() {
		if err != nil || !done { // f failed or panicked
			err = errors.Join(err, r.exec(r.c.undo))
		}
		err = errors.Join(err, r.exec(r.c.keep))
	}()
	err = f()
	done = true
	return err
}
