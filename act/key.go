package act

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
)

// Signature algorithms beside the log tools' Ed25519 (0x01). They use the type
// 0xff of the signed-note format with these identifiers.
const (
	algorithmP384  = "entente/ecdsa-p384-sha384"
	algorithmMLDSA = "entente/ml-dsa-87"
)

// key implements note.Signer and note.Verifier.
type key struct {
	name   string
	hash   uint32
	sign   func([]byte) ([]byte, error)
	verify func(msg, sig []byte) bool
}

func (k *key) Name() string                    { return k.name }
func (k *key) KeyHash() uint32                 { return k.hash }
func (k *key) Sign(msg []byte) ([]byte, error) { return k.sign(msg) }
func (k *key) Verify(msg, sig []byte) bool     { return k.verify(msg, sig) }

// String keeps a private key out of every log.
func (k *key) String() string { return "key of " + k.name }

// NewP384Signer makes the signer called name from a private scalar of 48
// bytes, and the string that its verifier is known by. The signature is
// ECDSA with SHA-384, in ASN.1. random feeds its nonces.
func NewP384Signer(name string, scalar []byte, random io.Reader) (note.Signer, string, error) {
	priv, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), scalar)
	if err != nil {
		return nil, "", fmt.Errorf("reading the key of %s: %w", name, err)
	}
	pub, err := priv.PublicKey.Bytes()
	if err != nil {
		return nil, "", fmt.Errorf("reading the key of %s: %w", name, err)
	}
	k := &key{name: name, sign: func(msg []byte) ([]byte, error) {
		h := sha512.Sum384(msg)
		return ecdsa.SignASN1(random, priv, h[:])
	}}
	return k, describe(k, algorithmP384, pub), nil
}

// NewP384Scalar draws the private scalar of a new key.
func NewP384Scalar(random io.Reader) ([]byte, error) {
	// 64 bits more than the order keeps the bias of the reduction below 2^-64 (FIPS 186-5, A.2.1).
	var b [56]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("drawing a key: %w", err)
	}
	n := new(big.Int).Sub(elliptic.P384().Params().N, big.NewInt(1))
	d := new(big.Int).SetBytes(b[:])
	d.Mod(d, n).Add(d, big.NewInt(1))
	return d.FillBytes(make([]byte, 48)), nil
}

// NewMLDSASigner makes the ML-DSA-87 signer called name from a seed of 32 bytes.
func NewMLDSASigner(name string, seed []byte) (note.Signer, string, error) {
	priv, err := mldsa.NewPrivateKey(mldsa.MLDSA87(), seed)
	if err != nil {
		return nil, "", fmt.Errorf("reading the key of %s: %w", name, err)
	}
	k := &key{name: name, sign: func(msg []byte) ([]byte, error) { return priv.SignDeterministic(msg, nil) }}
	return k, describe(k, algorithmMLDSA, priv.PublicKey().Bytes()), nil
}

// NewEd25519Key makes the key that public log tools and witnesses verify, as
// they spell it: note.NewSigner reads skey, note.NewVerifier vkey.
func NewEd25519Key(name string, random io.Reader) (skey, vkey string, err error) {
	return note.GenerateKey(random, name)
}

// Ed25519Verifier returns the verifier string of a key that NewEd25519Key made.
func Ed25519Verifier(skey string) (string, error) {
	// "PRIVATE+KEY+name+hash+key": the key is 0x01 and the seed of 32 bytes.
	f := strings.SplitN(skey, "+", 5)
	if len(f) != 5 {
		return "", fmt.Errorf("%w: not an Ed25519 key of the note format", ErrMalformed)
	}
	b, err := base64.StdEncoding.DecodeString(f[4])
	if err != nil || len(b) != 1+ed25519.SeedSize || b[0] != 1 {
		return "", fmt.Errorf("%w: not an Ed25519 key of the note format", ErrMalformed)
	}
	v, err := note.NewEd25519VerifierKey(f[2], ed25519.NewKeyFromSeed(b[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return v, nil
}

// parsed keeps the verifiers that were parsed: an ML-DSA key takes as long to
// read as a signature to verify, and a few keys verify every act.
var parsed struct {
	sync.Mutex
	verifiers map[string]note.Verifier
}

const maxParsed = 1024

// ParseVerifier reads a verifier string: "name+hash+key".
func ParseVerifier(s string) (note.Verifier, error) {
	parsed.Lock()
	v, ok := parsed.verifiers[s]
	parsed.Unlock()
	if ok {
		return v, nil
	}
	v, err := parseVerifier(s)
	if err != nil {
		return nil, err
	}
	v = remembering{v, sha256.Sum256([]byte(s))}
	parsed.Lock()
	defer parsed.Unlock()
	if len(parsed.verifiers) >= maxParsed || parsed.verifiers == nil {
		parsed.verifiers = make(map[string]note.Verifier)
	}
	parsed.verifiers[s] = v
	return v, nil
}

// verified keeps what was verified: a checkpoint is read at each greeting, and an act
// again whenever its ledger is. What did not verify is not kept, and is asked again.
var verified struct {
	sync.Mutex
	signatures map[[sha256.Size]byte]bool
}

const maxVerified = 1 << 11

// remembering is a verifier that verifies a signature once.
type remembering struct {
	note.Verifier
	id [sha256.Size]byte // of its whole key
}

// Verify implements note.Verifier. Message and signature are told apart by the length
// of the one, and keys by their digest.
func (r remembering) Verify(msg, sig []byte) bool {
	h := sha256.New()
	h.Write(r.id[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(msg))))
	h.Write(msg)
	h.Write(sig)
	sum := [sha256.Size]byte(h.Sum(nil))
	verified.Lock()
	ok := verified.signatures[sum]
	verified.Unlock()
	if ok || !r.Verifier.Verify(msg, sig) {
		return ok
	}
	verified.Lock()
	defer verified.Unlock()
	if len(verified.signatures) >= maxVerified || verified.signatures == nil {
		verified.signatures = make(map[[sha256.Size]byte]bool)
	}
	verified.signatures[sum] = true
	return true
}

func parseVerifier(s string) (note.Verifier, error) {
	bad := func(why string) error { return fmt.Errorf("%w: a verifier %s", ErrMalformed, why) }
	if len(s) > 8<<10 {
		return nil, bad("is too long")
	}
	name, rest, _ := strings.Cut(s, "+")
	hash, b64, ok := strings.Cut(rest, "+")
	material, err := base64.StdEncoding.Strict().DecodeString(b64)
	if !ok || err != nil || len(material) < 2 {
		return nil, bad("is name+hash+key")
	}
	if material[0] == 1 {
		v, err := note.NewVerifier(s)
		if err != nil {
			return nil, bad("does not parse")
		}
		return v, nil
	}
	alg, pub, ok := strings.Cut(string(material[1:]), "\n")
	if !ok || material[0] != 0xff || name == "" || strings.ContainsAny(name, " \n\t") {
		return nil, bad("names no algorithm known here")
	}
	k := &key{name: name}
	switch alg {
	case algorithmP384:
		p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P384(), []byte(pub))
		if err != nil {
			return nil, bad("holds no point of P-384")
		}
		k.verify = func(msg, sig []byte) bool {
			h := sha512.Sum384(msg)
			return ecdsa.VerifyASN1(p, h[:], sig)
		}
	case algorithmMLDSA:
		p, err := mldsa.NewPublicKey(mldsa.MLDSA87(), []byte(pub))
		if err != nil {
			return nil, bad("holds no ML-DSA-87 key")
		}
		k.verify = func(msg, sig []byte) bool { return mldsa.Verify(p, msg, sig, nil) == nil }
	default:
		return nil, bad("names no algorithm known here")
	}
	if describe(k, alg, []byte(pub)) != s || hex.EncodeToString(binary.BigEndian.AppendUint32(nil, k.hash)) != hash {
		return nil, bad("does not match its own hash")
	}
	return k, nil
}

// describe sets k's hash, as the signed-note format computes it, and returns
// the verifier string.
func describe(k *key, alg string, pub []byte) string {
	material := append([]byte("\xff"+alg+"\n"), pub...)
	sum := sha256.Sum256(append([]byte(k.name+"\n"), material...))
	k.hash = binary.BigEndian.Uint32(sum[:4])
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(material))
}
