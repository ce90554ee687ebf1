package node

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
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
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("reading the key file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Secret{}, fmt.Errorf("reading the key file: %w", err)
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return Secret{}, fmt.Errorf("the key file %s can be read by others: chmod 600 it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 4097))
	if err != nil || len(b) < 32 || len(b) > 4096 {
		return Secret{}, fmt.Errorf("the key file %s does not hold 32 to 4096 bytes", path)
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
		return h, fmt.Errorf("%s is not a node's folder: make one with 'entente init'", dir)
	}
	if err != nil {
		return h, fmt.Errorf("reading the folder: %w", err)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("reading %s: it is damaged: put a backup's copy back", headerFile)
	}
	if h.Format > folderFormat {
		return h, fmt.Errorf("the folder %s has format %d, and this program knows %d: use a newer entente", dir, h.Format, folderFormat)
	}
	return h, nil
}
