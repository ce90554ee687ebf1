package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"entente/act"
	"entente/desk"
)

// SocketName is the local socket of a serving node, in its data folder.
const SocketName = "desk.sock"

// Desk returns the desk of this node. base is the URL of its pages, or empty.
func (n *Node) Desk(base string) *desk.Server {
	return &desk.Server{
		Card: n.Card, Ledger: n.Ledger, Catalogue: n.Catalogue, Chancery: n.Chancery, Release: n.Release, Intake: n.Intake, Reading: n.Reading, Carriage: n.Carriage,
		Enrol:   func(r *http.Request, p act.Person) error { return n.Enrol(r.Context(), p) },
		Address: func(r *http.Request, p act.Party, a string) error { return n.SetAddress(r.Context(), p, a) },
		Verify: func(r *http.Request, progress func(done, all int64)) (act.Head, error) {
			var all int64 // the entries are read twice: as they are, and to fold them again
			head, err := n.Verify(r.Context(), func(done, of int64) { all = of; progress(done, 2*of) })
			if err != nil {
				return head, err
			}
			return head, n.Tables(r.Context(), func(done, of int64) { progress(all+done, all+of) })
		},
		Stood: n.Stood, Store: n.stored,
		Now: n.seams.Now, Preview: n.seams.Preview, Base: base,
	}
}

// stored measures the data folder.
func (n *Node) stored() (s desk.Stored, err error) {
	for _, name := range []string{databaseFile, databaseFile + "-wal"} {
		st, err := os.Stat(filepath.Join(n.dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return s, fmt.Errorf("measuring the ledger: %w", err)
		}
		if err == nil {
			s.Ledger += st.Size()
		}
	}
	s.Free, err = free(n.dir)
	return s, err
}

// ListenLocal opens the socket that commands speak to. Only the owner of the
// data folder can reach it. The folder is locked, so one that is there already
// was left by a process that ended.
func (n *Node) ListenLocal() (net.Listener, error) {
	path := filepath.Join(n.dir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening the local socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the local socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// ServeHTTP serves h on l until ctx ends, with limits on slow callers.
func ServeHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
