package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// SeedSize is the length of a private key's seed: 64 bytes for ML-KEM-1024, 48
// for the P-384 scalar.
const SeedSize = 64 + 48

// PrivateKey opens what was wrapped to its public half: ML-KEM-1024 and ECDH on
// P-384, both needed. What its holder wraps to itself needs no exchange: a
// symmetric key, derived from the seed, wraps that.
type PrivateKey struct {
	pq  *mlkem.DecapsulationKey1024
	ec  *ecdh.PrivateKey
	own cipher.AEAD
	pub PublicKey
}

// NewPrivateKey makes the key that a seed determines.
func NewPrivateKey(seed []byte) (*PrivateKey, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("reading a seal key: a seed has %d bytes", SeedSize)
	}
	pq, err := mlkem.NewDecapsulationKey1024(seed[:64])
	if err != nil {
		return nil, fmt.Errorf("reading a seal key: %w", err)
	}
	n := elliptic.P384().Params().N
	d := new(big.Int).SetBytes(seed[64:])
	d.Mod(d, new(big.Int).Sub(n, big.NewInt(1))).Add(d, big.NewInt(1))
	ec, err := ecdh.P384().NewPrivateKey(d.FillBytes(make([]byte, 48)))
	if err != nil {
		return nil, fmt.Errorf("reading a seal key: %w", err)
	}
	k, err := hkdf.Key(sha256.New, seed, nil, "entente originator's share 1", 32)
	if err != nil {
		return nil, fmt.Errorf("reading a seal key: %w", err)
	}
	own, err := newGCM(k)
	if err != nil {
		return nil, fmt.Errorf("reading a seal key: %w", err)
	}
	return &PrivateKey{pq, ec, own, append(pq.EncapsulationKey().Bytes(), ec.PublicKey().Bytes()...)}, nil
}

// Public returns the public half.
func (k *PrivateKey) Public() PublicKey { return k.pub }

// String keeps the key out of every log.
func (k *PrivateKey) String() string { return "seal key " + k.pub.ID() }

// GoString keeps the key out of every log.
func (k *PrivateKey) GoString() string { return k.String() }

// PublicKey is an ML-KEM-1024 encapsulation key and an uncompressed P-384 point.
type PublicKey []byte

const pointSize = 97

// ParsePublicKey checks a public key.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if _, _, err := PublicKey(b).split(); err != nil {
		return nil, err
	}
	return bytes.Clone(b), nil
}

// halves are the two keys of a PublicKey.
type halves struct {
	pq *mlkem.EncapsulationKey1024
	ec *ecdh.PublicKey
}

// read keeps the public keys that were read: checking one is a quarter of
// wrapping to it, and few keys are wrapped to again and again.
var read struct {
	sync.Mutex
	keys map[string]halves
}

const maxRead = 256

func (p PublicKey) split() (*mlkem.EncapsulationKey1024, *ecdh.PublicKey, error) {
	read.Lock()
	defer read.Unlock()
	if k, ok := read.keys[string(p)]; ok {
		return k.pq, k.ec, nil
	}
	pq, ec, err := p.parse()
	if err != nil {
		return nil, nil, err
	}
	if len(read.keys) >= maxRead || read.keys == nil {
		read.keys = make(map[string]halves)
	}
	read.keys[string(p)] = halves{pq, ec}
	return pq, ec, nil
}

func (p PublicKey) parse() (*mlkem.EncapsulationKey1024, *ecdh.PublicKey, error) {
	if len(p) != mlkem.EncapsulationKeySize1024+pointSize {
		return nil, nil, errors.New("reading a public seal key: wrong length")
	}
	pq, err := mlkem.NewEncapsulationKey1024(p[:mlkem.EncapsulationKeySize1024])
	if err != nil {
		return nil, nil, errors.New("reading a public seal key: no ML-KEM-1024 key")
	}
	ec, err := ecdh.P384().NewPublicKey(p[mlkem.EncapsulationKeySize1024:])
	if err != nil {
		return nil, nil, errors.New("reading a public seal key: no point of P-384")
	}
	return pq, ec, nil
}

// ID is a short name of the key.
func (p PublicKey) ID() string {
	s := sha256.Sum256(p)
	return base64.RawURLEncoding.EncodeToString(s[:12])
}

// suite is the label of id-MLKEM1024-ECDH-P384 as OpenTDF ships it
// (hpqt:secp384r1-mlkem1024).
const suite = "MLKEM1024-P384"

// wrapped is what the suite makes of a share: both ciphertexts, and the share
// under AES-256-GCM.
type wrapped struct {
	Kem   []byte `asn1:"tag:0"`
	Share []byte `asn1:"tag:1"`
}

// wrappingKey combines both secrets: SHA3-256 over them, the ephemeral point,
// the recipient's point and the suite's name.
func wrappingKey(pq, ec, ephemeral, recipient []byte) (cipher.AEAD, error) {
	h := sha3.New256()
	for _, b := range [][]byte{pq, ec, ephemeral, recipient, []byte(suite)} {
		h.Write(b)
	}
	b, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// wrap encrypts a share to a public key. Both key exchanges draw their
// randomness inside the standard library.
func wrap(share []byte, to PublicKey) ([]byte, error) {
	pq, ec, err := to.split()
	if err != nil {
		return nil, err
	}
	s1, ct := pq.Encapsulate()
	eph, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("wrapping a share: %w", err)
	}
	s2, err := eph.ECDH(ec)
	if err != nil {
		return nil, fmt.Errorf("wrapping a share: %w", err)
	}
	a, err := wrappingKey(s1, s2, eph.PublicKey().Bytes(), ec.Bytes())
	if err != nil {
		return nil, fmt.Errorf("wrapping a share: %w", err)
	}
	return asn1.Marshal(wrapped{append(ct, eph.PublicKey().Bytes()...), a.Seal(nil, nil, share, nil)})
}

// unwrap opens what wrap made for k.
func (k *PrivateKey) unwrap(b []byte) ([]byte, error) {
	var w wrapped
	rest, err := asn1.Unmarshal(b, &w)
	if err != nil || len(rest) > 0 || len(w.Kem) != mlkem.CiphertextSize1024+pointSize {
		return nil, ErrNotFor
	}
	point := w.Kem[mlkem.CiphertextSize1024:]
	s1, err := k.pq.Decapsulate(w.Kem[:mlkem.CiphertextSize1024])
	if err != nil {
		return nil, ErrNotFor
	}
	eph, err := ecdh.P384().NewPublicKey(point)
	if err != nil {
		return nil, ErrNotFor
	}
	s2, err := k.ec.ECDH(eph)
	if err != nil {
		return nil, ErrNotFor
	}
	a, err := wrappingKey(s1, s2, point, k.ec.PublicKey().Bytes())
	if err != nil {
		return nil, ErrNotFor
	}
	share, err := a.Open(nil, nil, w.Share, nil)
	if err != nil || len(share) != 32 {
		return nil, ErrNotFor
	}
	return share, nil
}

// wrapOwn wraps a share to k's holder itself: nonce and AES-256-GCM. A nonce is
// random, which bounds one key to 2^32 shares (NIST SP 800-38D, 8.3).
func (k *PrivateKey) wrapOwn(share []byte, random io.Reader) ([]byte, error) {
	nonce := make([]byte, k.own.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	return k.own.Seal(nonce, nonce, share, nil), nil
}

// unwrapOwn opens what wrapOwn made.
func (k *PrivateKey) unwrapOwn(b []byte) ([]byte, error) {
	n := k.own.NonceSize()
	if len(b) < n {
		return nil, ErrNotFor
	}
	share, err := k.own.Open(nil, b[:n], b[n:], nil)
	if err != nil || len(share) != 32 {
		return nil, ErrNotFor
	}
	return share, nil
}
