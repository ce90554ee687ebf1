package node

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/argon2"
)

// ErrLocked says that the secret given does not open the data folder.
var ErrLocked = errors.New("the passphrase or key file does not open this folder")

// Secret is what opens a data folder. It is never written to it.
type Secret struct {
	passphrase bool
	bytes      []byte
}

// Passphrase makes a secret of what a person types. A short one is refused.
func Passphrase(p []byte) (Secret, error) {
	if len(p) < minPassphrase {
		return Secret{}, fmt.Errorf("a passphrase has at least %d characters", minPassphrase)
	}
	return Secret{true, p}, nil
}

// minPassphrase keeps guessing at argon2's pace hopeless only for phrases, not for words.
const minPassphrase = 12

// KeyFile reads a secret of 32 bytes or more from a file that nobody else can
// read: one made by [NewKeyFile], or a systemd credential.
func KeyFile(path string) (Secret, error) {
	st, err := os.Stat(path) // before opening: opening a FIFO hangs
	if errors.Is(err, os.ErrNotExist) {
		return Secret{}, fmt.Errorf("reading the key file: %w; 'entente init' makes one with --new-key", err)
	}
	if err != nil {
		return Secret{}, fmt.Errorf("reading the key file: %w", err)
	}
	if !st.Mode().IsRegular() {
		return Secret{}, fmt.Errorf("the key file %s is not a regular file: name the file that holds the key", path)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return Secret{}, fmt.Errorf("the key file %s can be read by others: chmod 600 it", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("reading the key file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4097))
	if err != nil || len(b) < 32 || len(b) > 4096 {
		return Secret{}, fmt.Errorf("the key file %s does not hold 32 to 4096 bytes: it is damaged, or another file; put its copy back", path)
	}
	return Secret{false, b}, nil
}

// NewKeyFile writes a fresh key file. One that exists is not overwritten.
func NewKeyFile(path string, random io.Reader) error {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return fmt.Errorf("drawing a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the key file: %w", err)
	}
	_, err = f.Write(b[:])
	return errors.Join(err, f.Sync(), f.Close())
}

// header is the only plain file of a data folder.
type header struct {
	Format int    `json:"format"` // of the folder: a newer one is refused
	Party  string `json:"party"`
	Lock   string `json:"lock"` // passphrase, keyfile
	Salt   []byte `json:"salt"`
	Key    []byte `json:"key"` // the database's key, wrapped
}

const (
	folderFormat = 1
	headerFile   = "node.json"
)

// newHeader wraps a fresh database key under the secret.
func newHeader(party string, s Secret, random io.Reader) (header, []byte, error) {
	h := header{Format: folderFormat, Party: party, Lock: "keyfile", Salt: make([]byte, 32)}
	if s.passphrase {
		h.Lock = "passphrase"
	}
	key, nonce := make([]byte, 32), make([]byte, 12)
	for _, b := range [][]byte{h.Salt, key, nonce} {
		if _, err := io.ReadFull(random, b); err != nil {
			return h, nil, fmt.Errorf("drawing a key: %w", err)
		}
	}
	a, err := h.wrapping(s)
	if err != nil {
		return h, nil, err
	}
	h.Key = a.Seal(nonce, nonce, key, h.context())
	return h, key, nil
}

// open unwraps the database key.
func (h header) open(s Secret) ([]byte, error) {
	if s.passphrase != (h.Lock == "passphrase") {
		return nil, fmt.Errorf("%w: it is locked with a %s", ErrLocked, h.Lock)
	}
	a, err := h.wrapping(s)
	if err != nil || len(h.Key) < 12 {
		return nil, errors.Join(err, ErrLocked)
	}
	key, err := a.Open(nil, h.Key[:12], h.Key[12:], h.context())
	if err != nil {
		return nil, ErrLocked
	}
	return key, nil
}

func (h header) context() []byte { return []byte("entente folder 1 " + h.Party) }

func (h header) wrapping(s Secret) (cipher.AEAD, error) {
	var k []byte
	if h.Lock == "passphrase" {
		// OWASP's first choice for argon2id with room to spare: 64 MiB, 3 passes.
		k = argon2.IDKey(s.bytes, h.Salt, 3, 64<<10, 1, 32)
	} else {
		var err error
		if k, err = hkdf.Key(sha256.New, s.bytes, h.Salt, "entente folder key", 32); err != nil {
			return nil, err
		}
	}
	b, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func readHeader(dir string) (header, error) {
	var h header
	b, err := os.ReadFile(filepath.Join(dir, headerFile))
	if errors.Is(err, os.ErrNotExist) {
		if unfinished(dir) {
			return h, fmt.Errorf("making the node in %s was cut short: run 'entente init' again", dir)
		}
		if _, err := os.Stat(filepath.Join(dir, databaseFile)); err == nil {
			return h, missing(dir, headerFile)
		}
		return h, fmt.Errorf("%s is not a node's folder: make one with 'entente init'", dir)
	}
	if err != nil {
		return h, fmt.Errorf("reading the folder: %w", err)
	}
	return parseHeader(b)
}

func parseHeader(b []byte) (h header, err error) {
	damaged := fmt.Errorf("reading %s: it is damaged: put a backup's copy back", headerFile)
	if err := json.Unmarshal(b, &h); err != nil {
		return h, damaged
	}
	if h.Format > folderFormat {
		return h, fmt.Errorf("the folder has format %d, and this program knows %d: use a newer entente", h.Format, folderFormat)
	}
	if h.Format != folderFormat || h.Lock != "passphrase" && h.Lock != "keyfile" || len(h.Salt) != 32 || len(h.Key) != 60 {
		return h, damaged
	}
	return h, nil
}

// missing says that a node's folder lacks a part.
func missing(dir, part string) error {
	return fmt.Errorf("%s of %s is missing or empty: put the newest backup's copy back; nothing was changed", part, dir)
}

// belongs is the file in the vault that says whose it is: a vault that came
// with another folder is not opened, and above all not swept.
const belongs = "belongs"

// mark is what stands in it. It tells nothing about the key.
func (h header) mark() []byte {
	sum := sha256.Sum256(append([]byte("entente vault of "), h.Salt...))
	return []byte(hex.EncodeToString(sum[:16]) + "\n")
}

// whole refuses a folder that lacks its database or its vault, or that holds
// another's: opening would make empty ones in their place.
func (h header) whole(dir string) error {
	if st, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil || st.Size() == 0 {
		return missing(dir, databaseFile)
	}
	b, err := os.ReadFile(filepath.Join(dir, vaultDir, belongs))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return missing(dir, filepath.Join(vaultDir, belongs))
	case err != nil:
		return fmt.Errorf("reading the vault: %w", err)
	case !bytes.Equal(b, h.mark()):
		return fmt.Errorf("the vault in %s is of another node: put this node's own back; nothing was changed", dir)
	}
	return nil
}
