// Package durable is the one place where files are written to last.
//
// A file is written beside its place, synced, renamed into it, and the
// directories are synced: openat, write, fsync, renameat, fsync. After a power
// cut the old file is there, or the new one, never half of one. A rename does
// not sync the file's earlier directory on every file system; Rename syncs both.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path"

	"entente/internal/point"
)

// WriteFile writes data to name, whole or not at all. The file is its owner's alone.
func WriteFile(root *os.Root, name string, data []byte) (err error) {
	tmp := name + ".new"
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, errors.Join(err, root.Remove(tmp)))
	}
	return Rename(root, tmp, name)
}

// Rename moves a synced file to its place.
func Rename(root *os.Root, from, to string) error {
	point.At("before a rename")
	if err := root.Rename(from, to); err != nil {
		return fmt.Errorf("moving %s: %w", to, err)
	}
	point.At("after a rename")
	err := SyncDir(root, path.Dir(to))
	if path.Dir(from) != path.Dir(to) {
		err = errors.Join(err, SyncDir(root, path.Dir(from)))
	}
	return err
}

// SyncDir makes what was made, moved or removed in a directory last.
func SyncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	return nil
}
