package node_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/demo"
	"entente/internal/sqlite"
	"entente/ledger"

	"golang.org/x/mod/sumdb/note"
)

// full asks for the sizes that the targets are stated for; without it the
// benchmarks show only that they work.
var full = os.Getenv("ENTENTE_BENCH") == "full"

func size(most, least int64) int64 {
	if full {
		return most
	}
	return least
}

// samples are durations of one thing.
type samples []time.Duration

func (s *samples) time(f func() error) error {
	began := time.Now()
	err := f()
	*s = append(*s, time.Since(began))
	return err
}

// at returns the quantile q.
func (s samples) at(q float64) time.Duration {
	s = slices.Sorted(slices.Values(s))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// part is something that a receipt cannot come home without.
type part struct {
	name  string
	times int // in series
	do    func() error
	took  samples
}

// BenchmarkReceipt releases 4 KiB in one process until its receipt is in the
// ledger, and times beside it each thing that cannot be avoided.
func BenchmarkReceipt(b *testing.B) {
	kr, jp := pair(b)
	parts := unavoidable(b)
	var took samples
	for range 20 {
		kr.call("Release", Ask{Size: 4 << 10}, new(Told))
	}
	profiled, began := profile(b, kr, jp), kr.cpu()+jp.cpu()
	for b.Loop() {
		var t Told
		kr.call("Release", Ask{Size: 4 << 10}, &t)
		took = append(took, t.Receipt)
		for i := range parts {
			if err := parts[i].took.time(parts[i].do); err != nil {
				b.Fatal(err)
			}
		}
	}
	spent := kr.cpu() + jp.cpu() - began
	profiled(len(took))
	var floor time.Duration
	for _, p := range parts {
		floor += time.Duration(p.times) * p.took.at(.5)
		b.ReportMetric(ms(p.took.at(.5)), fmt.Sprintf("%d×%s-ms", p.times, p.name))
	}
	b.ReportMetric(ms(took.at(.5)), "p50-ms")
	b.ReportMetric(ms(took.at(.99)), "p99-ms")
	b.ReportMetric(ms(spent)/float64(len(took)), "cpu-ms")
	b.ReportMetric(ms(floor), "floor-ms")
	b.ReportMetric(float64(took.at(.5))/float64(floor), "times-floor")
}

// unavoidable is what stands between a release and its receipt, each alone.
func unavoidable(b *testing.B) []part {
	store, err := sqlite.Open(filepath.Join(b.TempDir(), "db"), make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	n, row := byte(0), make([]byte, 8<<10)
	scalar, err := act.NewP384Scalar(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	person, personKey, err := act.NewP384Signer("officer@KR", scalar, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	skey, _, err := act.NewEd25519Key("entente/KR", rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	edKey, err := act.Ed25519Verifier(skey)
	if err != nil {
		b.Fatal(err)
	}
	ed, err := note.NewSigner(skey)
	if err != nil {
		b.Fatal(err)
	}
	ec, ecKey, err := act.NewP384Signer("entente/KR", scalar, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	pq, pqKey, err := act.NewMLDSASigner("entente/KR", make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	verifiers := func(keys ...string) (all []note.Verifier) {
		for _, k := range keys {
			v, err := act.ParseVerifier(k)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	theirs, mine := verifiers(edKey, ecKey, pqKey), verifiers(personKey)
	heads := 0 // another text each time: how long an ML-DSA signature takes depends on it
	head := func() *note.Note {
		heads++
		return &note.Note{Text: fmt.Sprintf("entente/KR\n%d\n%s\n", heads, bytes.Repeat([]byte("A"), 44))}
	}
	text := head()
	checkpoint, err := note.Sign(text, ed, ec, pq)
	if err != nil {
		b.Fatal(err)
	}
	signed, err := note.Sign(text, person)
	if err != nil {
		b.Fatal(err)
	}
	kem, err := mlkem.GenerateKey1024()
	if err != nil {
		b.Fatal(err)
	}
	point, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	near, far := link(b)
	go func() {
		buf := make([]byte, 16<<10)
		for {
			if _, err := io.ReadFull(far, buf); err != nil {
				return
			}
			if _, err := far.Write(buf[:8<<10]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 16<<10)
	return []part{
		{name: "commit", times: 3, do: func() error { // the release there; it and its receipt here; the receipt there
			n++
			return store.Update(context.Background(), func(r ledger.Rows) error { return r.Put("t", []byte{n}, row) })
		}},
		{name: "roundtrip", times: 1, do: func() error {
			_, err := near.Write(buf)
			if err == nil {
				_, err = io.ReadFull(near, buf[:8<<10])
			}
			return err
		}},
		{name: "wrap", times: 1, do: func() error { // to the recipient; to itself the originator wraps with a symmetric key
			kem.EncapsulationKey().Encapsulate()
			k, err := ecdh.P384().GenerateKey(rand.Reader)
			if err == nil {
				_, err = k.ECDH(point.PublicKey())
			}
			return err
		}},
		{name: "sign", times: 1, do: func() error { _, err := note.Sign(text, person); return err }},
		{name: "verify", times: 1, do: func() error { return wrong(signed, mine) }},
		{name: "checkpoint", times: 2, do: func() error { _, err := note.Sign(head(), ed, ec, pq); return err }},
		{name: "check", times: 2, do: func() error {
			for _, v := range theirs {
				if err := wrong(checkpoint, []note.Verifier{v}); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// wrong verifies the signatures of another text: it costs what a right one costs, which
// is verified once and remembered.
func wrong(signed []byte, vs []note.Verifier) error {
	b := bytes.Clone(signed)
	b[0] ^= 1
	_, err := note.Open(b, note.VerifierList(vs...))
	var not *note.InvalidSignatureError
	if errors.As(err, &not) {
		return nil
	}
	return fmt.Errorf("the signatures of another text are not wrong: %w", err)
}

// link is a mutual TLS connection over loopback, as the carriage makes it.
func link(b testing.TB) (near, far *tls.Conn) {
	b.Helper()
	scalar, err := act.NewP384Scalar(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	cert, _, err := carriage.NewCertificate(scalar, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, InsecureSkipVerify: true}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	got := make(chan *tls.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			close(got)
			return
		}
		t := tls.Server(c, cfg)
		_ = t.Handshake()
		got <- t
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	near = tls.Client(c, cfg)
	if err := near.Handshake(); err != nil {
		b.Fatal(err)
	}
	far = <-got
	b.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// plainFile makes a file of content that does not compress.
func plainFile(b testing.TB, size int64) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "content")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(f, mrand.NewChaCha8([32]byte{}), size); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		b.Fatal(err)
	}
	return name
}

// BenchmarkBulk brings a file from plain to a verified plain stream on the
// other side, beside bare programs that do only what cannot be avoided.
func BenchmarkBulk(b *testing.B) {
	n := size(1<<30, 64<<20)
	file := plainFile(b, n)
	kr, jp := pair(b)
	var ours, carried, bare, bareCopy samples
	for b.Loop() {
		var t Told
		var got int64
		room(b, 2*n)
		if err := ours.time(func() error {
			kr.call("Release", Ask{File: file}, &t)
			jp.call("Open", t.Number, &got)
			return nil
		}); err != nil || got != n {
			b.Fatalf("%d bytes, %v", got, err)
		}
		carried = append(carried, t.Receipt-t.Released)
		sealed := filepath.Join(b.TempDir(), "sealed")
		arrived := filepath.Join(b.TempDir(), "arrived")
		room(b, 2*n)
		if err := bare.time(func() error {
			if err := errors.Join(bareSeal(file, sealed), bareCarry(b, sealed, arrived, &bareCopy)); err != nil {
				return err
			}
			return bareOpen(arrived)
		}); err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(os.Remove(sealed), os.Remove(arrived)); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(s samples) float64 { return float64(n) / (1 << 20) / s.at(.5).Seconds() }
	b.ReportMetric(rate(ours), "MiB/s")
	b.ReportMetric(rate(bare), "bare-MiB/s")
	b.ReportMetric(100*rate(ours)/rate(bare), "%-of-bare")
	b.ReportMetric(rate(carried), "carried-MiB/s")
	b.ReportMetric(rate(bareCopy), "bare-carried-MiB/s")
	b.ReportMetric(100*rate(carried)/rate(bareCopy), "%-of-bare-carried")
}

// room writes and removes n bytes, so that the kernel has pages at hand for as
// many: a page that the machine has yet to find costs ten times what writing it does, and
// whoever is timed just after files were removed would not pay for it.
func room(b *testing.B, n int64) {
	b.Helper()
	f, err := os.CreateTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.CopyN(f, zeros{}, n)
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		b.Fatal(err)
	}
}

const bareBlock = 1 << 20

func bareGCM() cipher.AEAD {
	k, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCMWithRandomNonce(k)
	if err != nil {
		panic(err)
	}
	return g
}

// bareSeal encrypts, digests and writes, durably.
func bareSeal(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	g, h, buf, enc := bareGCM(), sha512.New384(), make([]byte, bareBlock), make([]byte, 0, bareBlock+64)
	for {
		n, err := io.ReadFull(in, buf)
		if n == 0 {
			break
		}
		enc = g.Seal(enc[:0], nil, buf[:n], nil)
		h.Write(enc)
		if _, werr := out.Write(enc); werr != nil {
			return werr
		}
		if err != nil {
			break
		}
	}
	h.Sum(nil)
	return out.Sync()
}

// bareCarry copies over mutual TLS, digests at the far side and writes, durably.
func bareCarry(b testing.TB, from, to string, took *samples) error {
	near, far := link(b)
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	return took.time(func() error {
		sent := make(chan error, 1)
		go func() {
			_, err := io.CopyBuffer(struct{ io.Writer }{near}, struct{ io.Reader }{in}, make([]byte, bareBlock))
			sent <- errors.Join(err, near.CloseWrite())
		}()
		h := sha512.New384()
		_, err := io.CopyBuffer(io.MultiWriter(h, out), far, make([]byte, bareBlock))
		h.Sum(nil)
		return errors.Join(err, <-sent, out.Sync())
	})
}

// bareOpen reads and decrypts.
func bareOpen(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	g, buf, dec := bareGCM(), make([]byte, bareBlock+28), make([]byte, 0, bareBlock)
	for {
		n, _ := io.ReadFull(in, buf) // nothing read is the end; a short end is decrypted too
		if n == 0 {
			return nil
		}
		var err error
		if dec, err = g.Open(dec[:0], nil, buf[:n], nil); err != nil {
			return err
		}
	}
}

// BenchmarkSSH carries the same bytes vault to vault, and by scp and rsync
// over ssh, where they are installed.
func BenchmarkSSH(b *testing.B) {
	n := size(1<<30, 64<<20)
	file := plainFile(b, n)
	kr, _ := pair(b)
	port := sshd(b)
	dir := b.TempDir()
	ssh := "ssh -F none -i " + filepath.Join(sshDir, "key") + " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p " + port
	peers := map[string][]string{
		"scp":   {"scp", "-q", "-F", "none", "-i", filepath.Join(sshDir, "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-P", port, file, "127.0.0.1:" + filepath.Join(dir, "scp")},
		"rsync": {"rsync", "-q", "--whole-file", "-e", ssh, file, "127.0.0.1:" + filepath.Join(dir, "rsync")},
	}
	var carried samples
	took := map[string]*samples{}
	for b.Loop() {
		var t Told
		room(b, 2*n)
		kr.call("Release", Ask{File: file}, &t)
		carried = append(carried, t.Receipt-t.Released)
		for name, args := range peers {
			if _, err := exec.LookPath(name); err != nil {
				continue
			}
			if took[name] == nil {
				took[name] = new(samples)
			}
			room(b, n)
			if err := took[name].time(func() error {
				out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return syncFile(filepath.Join(dir, name)) // ours has come to rest when it is receipted
			}); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, s := range took {
		b.ReportMetric(float64(n)/(1<<20)/s.at(.5).Seconds(), name+"-MiB/s")
		b.ReportMetric(float64(s.at(.5))/float64(carried.at(.5)), "times-"+name)
	}
	b.ReportMetric(float64(n)/(1<<20)/carried.at(.5).Seconds(), "carried-MiB/s")
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

var sshDir string

// sshd starts a server of its own on loopback, with keys of its own.
func sshd(b *testing.B) string {
	b.Helper()
	const exe = "/usr/sbin/sshd"
	if _, err := os.Stat(exe); err != nil {
		b.Skip("no ssh server is installed")
	}
	sshDir = b.TempDir()
	for _, k := range []string{"host", "key"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(sshDir, k)).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	port, err := demo.Port()
	if err != nil {
		b.Fatal(err)
	}
	server := exec.Command(exe, "-D", "-e", "-f", "/dev/null", "-p", port, "-h", filepath.Join(sshDir, "host"), "-o", "ListenAddress=127.0.0.1",
		"-o", "AuthorizedKeysFile="+filepath.Join(sshDir, "key.pub"), "-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "PidFile=none", "-o", "Subsystem=sftp internal-sftp")
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return port
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Skip("the ssh server does not start here")
	return ""
}

// BenchmarkMemory tells how far either node's memory rises above idle.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int64{size(1<<30, 32<<20), size(4<<30, 128<<20)} {
		b.Run(fmt.Sprintf("%dMiB", n>>20), func(b *testing.B) {
			kr, jp := pair(b)
			kr.call("Release", Ask{Size: 100}, new(Told)) // all code and pages that an idle node has touched
			for b.Loop() {
				var idle [2]int64
				for i, f := range []*far{kr, jp} {
					f.call("Idle", nil, nil)
					idle[i] = f.status("VmRSS")
				}
				var t Told
				var got int64
				kr.call("Release", Ask{Size: n}, &t)
				jp.call("Open", t.Number, &got)
				b.ReportMetric(float64(kr.status("VmHWM")-idle[0])/(1<<20), "sender-MiB")
				b.ReportMetric(float64(jp.status("VmHWM")-idle[1])/(1<<20), "receiver-MiB")
				b.ReportMetric(float64(max(idle[0], idle[1]))/(1<<20), "idle-MiB")
			}
		})
	}
}

// BenchmarkSmall releases small products from many callers until every receipt
// is home. With ENTENTE_PROFILE it leaves the two profiles in that directory, and a
// table of what the processor's time went for.
func BenchmarkSmall(b *testing.B) {
	kr, jp := pair(b)
	n := int(size(10_000, 1000))
	kr.call("Burst", Many{Ask{Size: 1 << 10}, 200, 32}, new(Told))
	var took samples
	profiled := profile(b, kr, jp)
	runs, sender, receiver := 0, kr.cpu(), jp.cpu()
	for b.Loop() {
		var t Told
		kr.call("Burst", Many{Ask{Size: 1 << 10}, n, 64}, &t)
		took = append(took, t.Receipt)
		runs++
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(runs*n) }
	sent, taken := each(kr.cpu()-sender), each(jp.cpu()-receiver)
	b.ReportMetric(sent, "sender-cpu-µs")
	b.ReportMetric(taken, "receiver-cpu-µs")
	b.ReportMetric(2e6/(sent+taken), "products/s-of-cpu") // if the two processors did nothing else
	profiled(runs * n)
	b.ReportMetric(float64(n)/took.at(.5).Seconds(), "products/s")
	b.ReportMetric(crypto(b), "limit/s")
}

// profile profiles both nodes until the function that it returns is told how
// many products that was.
func profile(b *testing.B, kr, jp *far) func(products int) {
	dir := os.Getenv("ENTENTE_PROFILE")
	if dir == "" {
		return func(int) {}
	}
	kr.call("Profile", filepath.Join(dir, "sender.pprof"), nil)
	jp.call("Profile", filepath.Join(dir, "receiver.pprof"), nil)
	return func(products int) {
		kr.call("Profile", "", nil)
		jp.call("Profile", "", nil)
		if err := os.WriteFile(filepath.Join(dir, "table.txt"), []byte(table(b, dir, products)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// crypto is how many products a second two cores could do if they did nothing
// but wrap the key, sign and verify.
func crypto(b *testing.B) float64 {
	var sum time.Duration
	for _, p := range unavoidable(b) {
		if p.name == "wrap" || p.name == "sign" || p.name == "verify" {
			for range 300 {
				if err := p.took.time(p.do); err != nil {
					b.Fatal(err)
				}
			}
			sum += time.Duration(p.times) * p.took.at(.5)
		}
	}
	return 2 / sum.Seconds()
}

// BenchmarkOutage has products wait while the partner is away, and times from
// its return until every receipt is home.
func BenchmarkOutage(b *testing.B) {
	kr, jp := pair(b)
	n := int(size(10_000, 1000))
	var took samples
	for b.Loop() {
		var had int
		kr.call("Received", nil, &had)
		jp.call("Stop", nil, nil)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			var linked bool
			kr.call("Linked", nil, &linked)
			if !linked {
				break
			}
			if time.Now().After(deadline) {
				b.Fatal("the link holds without a partner")
			}
		}
		kr.call("Burst", Many{Ask{Size: 1 << 10}, n, 64}, new(Told))
		if err := took.time(func() error {
			jp.call("Start", jp.addr, nil)
			kr.call("Settled", had+n, nil)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(took.at(.5).Seconds(), "s-for-all")
	b.ReportMetric(float64(n)/took.at(.5).Seconds(), "products/s")
}

// BenchmarkWarnings has warnings of 4 KiB pass while ten large products do.
func BenchmarkWarnings(b *testing.B) {
	n := size(1<<30, 32<<20)
	kr, _ := pair(b)
	var idle, loaded samples
	warn := func(s *samples) {
		var t Told
		kr.call("Release", Ask{Size: 4 << 10}, &t)
		*s = append(*s, t.Receipt)
	}
	var took samples
	for b.Loop() {
		for range 200 {
			warn(&idle)
			time.Sleep(2 * time.Millisecond)
		}
		began := time.Now()
		done := make(chan *rpc.Call, 10)
		for range 10 {
			kr.Go("Far.Release", Ask{Size: n}, new(Told), done)
		}
		for left := 10; left > 0; {
			select {
			case c := <-done:
				if c.Error != nil {
					b.Fatal(c.Error)
				}
				left--
			default:
				warn(&loaded)
				time.Sleep(10 * time.Millisecond)
			}
		}
		took = append(took, time.Since(began))
	}
	b.ReportMetric(ms(idle.at(.5)), "idle-p50-ms")
	b.ReportMetric(ms(idle.at(.99)), "idle-p99-ms")
	b.ReportMetric(ms(loaded.at(.5)), "bulk-p50-ms")
	b.ReportMetric(ms(loaded.at(.99)), "bulk-p99-ms")
	b.ReportMetric(float64(len(loaded)), "warnings")
	b.ReportMetric(float64(loaded.at(.99))/float64(idle.at(.5)), "p99-times-idle-p50")
	b.ReportMetric(10*float64(n)/(1<<20)/took.at(.5).Seconds(), "bulk-MiB/s")
}
