package carriage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"entente/act"
)

// protocol is negotiated by ALPN: a peer of another version is refused before
// a byte of ours is sent.
const protocol = "entente/1"

// NewCertificate makes the certificate that a node shows on its link from a
// P-384 scalar of 48 bytes. It names nobody and expires with nothing: only its
// key counts, and the pact pins that.
func NewCertificate(scalar []byte, random io.Reader) (tls.Certificate, act.Sum, error) {
	priv, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), scalar)
	if err != nil {
		return tls.Certificate{}, act.Sum{}, fmt.Errorf("reading the link's key: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "entente"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(random, t, t, &priv.PublicKey, priv)
	if err != nil {
		return tls.Certificate{}, act.Sum{}, fmt.Errorf("making the link's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, act.Sum{}, fmt.Errorf("making the link's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv, Leaf: leaf}, linkKey(leaf), nil
}

func linkKey(c *x509.Certificate) act.Sum { return sha512.Sum384(c.RawSubjectPublicKeyInfo) }

// tlsConfig is the same for both ends: TLS 1.3, hybrid key exchange, both
// sides show a key. Who the key belongs to is decided by the pin, after the
// handshake.
func tlsConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{cert},
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.SecP384r1MLKEM1024, tls.X25519MLKEM768},
		NextProtos:             []string{protocol},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // no certificate authority: the key is compared with the pin in peerKey's callers
		SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol != protocol {
				return errors.New("the peer does not speak " + protocol)
			}
			if len(s.PeerCertificates) != 1 {
				return errors.New("the peer shows no key")
			}
			return nil
		},
	}
}

func peerKey(c *tls.Conn) act.Sum { return linkKey(c.ConnectionState().PeerCertificates[0]) }
