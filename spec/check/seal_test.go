// Package check_test opens what entente/seal writes with the field's own tools,
// which share no code with it: the OpenTDF SDK asks two key access servers of this
// test for the shares. It is a module of its own, so that none of this is
// needed to build the node.
package check_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"entente/act"
	"entente/seal"

	"connectrpc.com/connect"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/opentdf/platform/lib/ocrypto"
	"github.com/opentdf/platform/protocol/go/kas"
	"github.com/opentdf/platform/protocol/go/kas/kasconnect"
	"github.com/opentdf/platform/sdk"
	"golang.org/x/oauth2"
	"google.golang.org/protobuf/encoding/protojson"
)

// party is one side: the same seed gives seal's key and ocrypto's.
type party struct {
	name string
	seal *seal.PrivateKey
	dec  ocrypto.PrivateKeyDecryptor
	own  cipher.AEAD // what it wraps to itself
	kas  *accessServer
}

// newParty makes ocrypto's key from the seed as spec/seal.md says it.
func newParty(t *testing.T, name string, b byte, client *ecdsa.PublicKey) *party {
	t.Helper()
	seed := bytes.Repeat([]byte{b}, seal.SeedSize)
	k, err := seal.NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P384().Params().N
	d := new(big.Int).SetBytes(seed[64:])
	d.Mod(d, new(big.Int).Sub(n, big.NewInt(1))).Add(d, big.NewInt(1))
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), d.FillBytes(make([]byte, 48)))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	der, err = asn1.Marshal(struct {
		Version   int
		Algorithm struct{ OID asn1.ObjectIdentifier }
		Key       []byte
	}{0, struct{ OID asn1.ObjectIdentifier }{oid}, append(seed[:64:64], der...)})
	if err != nil {
		t.Fatal(err)
	}
	p := &party{name: name, seal: k}
	if p.dec, err = ocrypto.FromPrivatePEM(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))); err != nil {
		t.Fatal(err)
	}
	wide, err := hkdf.Key(sha256.New, seed, nil, "entente originator's share 1", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(wide)
	if err != nil {
		t.Fatal(err)
	}
	if p.own, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	p.kas = &accessServer{p: p, client: client}
	return p
}

// oid is id-MLKEM1024-ECDH-P384.
var oid = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 6, 63}

// publicPEM is a seal key as the field writes one.
func publicPEM(t *testing.T, k seal.PublicKey) string {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Algorithm struct{ OID asn1.ObjectIdentifier }
		Key       asn1.BitString
	}{struct{ OID asn1.ObjectIdentifier }{oid}, asn1.BitString{Bytes: k, BitLength: 8 * len(k)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (p *party) key() seal.Key { return seal.Key{Party: p.name, Public: p.seal.Public()} }

func (p *party) host() string { return strings.ToLower(p.name) + ".entente.internal" }

// accessServer gives one party's shares to one client.
type accessServer struct {
	kasconnect.UnimplementedAccessServiceHandler
	p       *party
	client  *ecdsa.PublicKey
	refuses bool
}

// Rewrap checks who asks and what each share is bound to, and wraps it to the
// key of the client's session.
func (s *accessServer) Rewrap(_ context.Context, r *connect.Request[kas.RewrapRequest]) (*connect.Response[kas.RewrapResponse], error) {
	tok, err := jwt.Parse([]byte(r.Msg.GetSignedRequestToken()), jwt.WithKey(jwa.ES256, s.client))
	if err != nil {
		return nil, connect.NewError(connect.CodeUnauthenticated, err)
	}
	body, _ := tok.Get("requestBody")
	text, _ := body.(string)
	var ask kas.UnsignedRewrapRequest
	if err := protojson.Unmarshal([]byte(text), &ask); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	session, err := ocrypto.FromPublicPEM(ask.GetClientPublicKey())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	out := &kas.RewrapResponse{}
	for _, q := range ask.GetRequests() {
		res := &kas.PolicyRewrapResult{PolicyId: q.GetPolicy().GetId()}
		for _, o := range q.GetKeyAccessObjects() {
			got := &kas.KeyAccessRewrapResult{KeyAccessObjectId: o.GetKeyAccessObjectId(), Status: "permit"}
			wrapped, err := s.rewrap(q.GetPolicy().GetBody(), o.GetKeyAccessObject(), session)
			got.Result = &kas.KeyAccessRewrapResult_KasWrappedKey{KasWrappedKey: wrapped}
			if err != nil {
				got.Status, got.Result = "fail", &kas.KeyAccessRewrapResult_Error{Error: err.Error()}
			}
			res.Results = append(res.Results, got)
		}
		out.Responses = append(out.Responses, res)
	}
	return connect.NewResponse(out), nil
}

func (s *accessServer) rewrap(policy string, o *kas.KeyAccess, session ocrypto.PublicKeyEncryptor) ([]byte, error) {
	if s.refuses || o.GetKasUrl() != "https://"+s.p.host() || o.GetKid() != s.p.seal.Public().ID() || len(o.GetWrappedKey()) < 12 {
		return nil, errors.New("forbidden")
	}
	var share []byte
	var err error
	switch w := o.GetWrappedKey(); o.GetKeyType() {
	case "hybrid-wrapped":
		share, err = s.p.dec.Decrypt(w)
	case "wrapped":
		share, err = s.p.own.Open(nil, w[:12], w[12:], nil)
	default:
		err = errors.New("another suite")
	}
	if err != nil {
		return nil, errors.New("forbidden")
	}
	m := hmac.New(sha256.New, share)
	m.Write([]byte(policy))
	if want := base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(m.Sum(nil)))); o.GetPolicyBinding().GetHash() != want {
		return nil, errors.New("forbidden")
	}
	return session.Encrypt(share)
}

// client is an OpenTDF client whose key the access servers know, and that finds
// them under their names.
func client(t *testing.T, key *ecdsa.PrivateKey, parties ...*party) *sdk.SDK {
	t.Helper()
	at := map[string]string{}
	var tr *http.Transport
	for _, p := range parties {
		mux := http.NewServeMux()
		mux.Handle(kasconnect.NewAccessServiceHandler(p.kas))
		s := httptest.NewTLSServer(mux)
		t.Cleanup(s.Close)
		tr = s.Client().Transport.(*http.Transport).Clone()
		tr.TLSClientConfig.ServerName = "example.com" // whom httptest's certificate names
		at[p.host()+":443"] = s.Listener.Addr().String()
	}
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at[address])
	}
	t.Cleanup(tr.CloseIdleConnections)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sdk.New("https://platform.entente.internal", sdk.WithPlatformConfiguration(sdk.PlatformConfiguration{}), sdk.WithLogger(slog.New(slog.DiscardHandler)),
		sdk.WithCustomCoreConnection(&sdk.ConnectRPCConnection{Client: &http.Client{Transport: tr}, Endpoint: "https://platform.entente.internal"}),
		sdk.WithOAuthAccessTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "none"})),
		sdk.WithDPoPKeyPEM(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func terms(mode seal.Mode) seal.Terms {
	return seal.Terms{Pact: "kr-jp-2016", Product: "KR-2016-7Q4K-M2XT", Manifest: act.Sum{1}, MediaType: "text/plain", Mode: mode}
}

func sides(t *testing.T) (kr, jp *party, c *sdk.SDK) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kr, jp = newParty(t, "KR", 1, &key.PublicKey), newParty(t, "JP", 2, &key.PublicKey)
	return kr, jp, client(t, key, kr, jp)
}

func read(c *sdk.SDK, file []byte) ([]byte, error) {
	r, err := c.LoadTDF(bytes.NewReader(file), sdk.WithKasAllowlist([]string{"https://kr.entente.internal", "https://jp.entente.internal"}),
		sdk.WithSchemaValidation(sdk.Strict), sdk.WithSessionKeyType(ocrypto.MLKEM1024Key))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = r.WriteTo(&out)
	return out.Bytes(), err
}

// TestSDK: the SDK reads the same bytes, whatever their length, and reads nothing
// when a party whose share is needed refuses it.
func TestSDK(t *testing.T) {
	kr, jp, c := sides(t)
	const segment = 16 << 10
	for _, x := range []struct {
		mode   seal.Mode
		kr, jp bool // whose refusal keeps it closed
	}{
		{mode: seal.Released},
		{mode: seal.OriginatorControlled, kr: true},
		{mode: seal.Lease, kr: true},
	} {
		for _, n := range []int{0, 1, segment, 3*segment + 5} {
			content := make([]byte, n)
			_, _ = rand.Read(content)
			var file bytes.Buffer
			closed, err := seal.Close(&file, bytes.NewReader(content), seal.Options{Terms: terms(x.mode), SegmentSize: segment, Originator: kr.name, Key: kr.seal, Recipients: []seal.Key{jp.key()}})
			if err != nil || closed.Plain != int64(n) {
				t.Fatal(err)
			}
			try := func(krRefuses, jpRefuses bool) ([]byte, error) {
				kr.kas.refuses, jp.kas.refuses = krRefuses, jpRefuses
				return read(c, file.Bytes())
			}
			if got, err := try(false, false); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s, %d bytes: %d bytes came out: %v", x.mode, n, len(got), err)
			}
			if _, err := try(true, false); (err != nil) != x.kr {
				t.Errorf("%s: KR refuses: %v", x.mode, err)
			}
			if _, err := try(false, true); (err != nil) != x.jp {
				t.Errorf("%s: JP refuses: %v", x.mode, err)
			}
			if got, err := try(true, true); err == nil || len(got) > 0 {
				t.Errorf("%s: both refuse, and %d bytes came out", x.mode, len(got))
			}
		}
	}
}

// TestWrap: both libraries make the same public key of a seed, and a share that
// ocrypto wraps opens with seal.
func TestWrap(t *testing.T) {
	kr, jp, _ := sides(t)
	content := []byte("a short report")
	var b bytes.Buffer
	closed, err := seal.Close(&b, bytes.NewReader(content), seal.Options{Terms: terms(seal.Released), Originator: kr.name, Key: kr.seal, Recipients: []seal.Key{jp.key()}})
	if err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	at, err := z.File[1].DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	manifest := file[at:][:z.File[1].UncompressedSize64]
	var m struct {
		Encryption struct {
			Keys json.RawMessage `json:"keyAccess"`
		} `json:"encryptionInformation"`
	}
	var keys []struct {
		Wrapped []byte `json:"wrappedKey"`
	}
	if err := errors.Join(json.Unmarshal(manifest, &m), json.Unmarshal(m.Encryption.Keys, &keys)); err != nil {
		t.Fatal(err)
	}
	share, err := jp.dec.Decrypt(keys[1].Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := kr.own.Open(nil, keys[0].Wrapped[:12], keys[0].Wrapped[12:], nil); err != nil || !bytes.Equal(own, share) {
		t.Fatalf("the originator's share is another: %v", err)
	}
	theirs, err := ocrypto.WrapDEK(ocrypto.HybridSecp384r1MLKEM1024Key, publicPEM(t, jp.seal.Public()), share)
	if err != nil || len(theirs) != len(keys[1].Wrapped) {
		t.Fatalf("%d bytes, ours has %d: %v", len(theirs), len(keys[1].Wrapped), err)
	}
	// The manifest lies inside file: this changes the file, and its checksums follow.
	swap := func(b []byte) {
		copy(b[bytes.Index(b, []byte(base64.StdEncoding.EncodeToString(keys[1].Wrapped))):], base64.StdEncoding.EncodeToString(theirs))
	}
	swap(manifest)
	swap(m.Encryption.Keys)
	closed.Keys = sha512.Sum384(m.Encryption.Keys)
	for _, crc := range []int{int(at) - len(z.File[1].Name) - 30 + 14, bytes.LastIndex(file, []byte("PK\x01\x02")) + 16} {
		binary.LittleEndian.PutUint32(file[crc:], crc32.ChecksumIEEE(manifest))
	}
	r, err := seal.Open(bytes.NewReader(file), int64(len(file)), terms(seal.Released), closed, "JP", jp.seal)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%q came out: %v", got, err)
	}
}
