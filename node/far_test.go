package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"entente/act"
	"entente/demo"
	"entente/desk"
	"entente/ledger"
	"entente/node"
	"entente/party"
)

// Far is a node in a process of its own, as the benchmark's process calls it.
type Far struct {
	dir    string
	secret node.Secret
	n      *node.Node
	stop   func() error

	profile *os.File
}

type pipe struct {
	io.Reader
	io.Writer
}

func (pipe) Close() error { return os.Stdin.Close() }

func beNode(dir string) error {
	f := &Far{dir: dir}
	p := act.Party(filepath.Base(dir))
	seams := node.World(slog.New(slog.DiscardHandler))
	err := node.NewKeyFile(dir+".key", seams.Random)
	if err != nil {
		return err
	}
	if f.secret, err = node.KeyFile(dir + ".key"); err != nil {
		return err
	}
	if err := node.Init(context.Background(), dir, f.secret, node.Found{Party: p, Name: names[p], Persons: staff(p)}, seams); err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.RegisterName("Far", f); err != nil {
		return err
	}
	if err := f.Start(os.Getenv("ENTENTE_SPEED_LISTEN"), nil); err != nil {
		return err
	}
	s.ServeCodec(jsonrpc.NewServerCodec(pipe{os.Stdin, os.Stdout})) // until the benchmark closes the pipe
	if f.stop != nil {
		return f.stop()
	}
	return nil
}

// Start opens the folder and serves it.
func (f *Far) Start(listen string, _ *struct{}) (err error) {
	if f.n, err = node.Open(context.Background(), f.dir, f.secret, node.World(slog.New(slog.DiscardHandler))); err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return errors.Join(err, f.n.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.n.Serve(ctx, l) }()
	f.stop = func() error {
		cancel()
		return errors.Join(<-done, f.n.Close())
	}
	return nil
}

// Stop ends serving: the node is out of reach.
func (f *Far) Stop(struct{}, *struct{}) error {
	stop := f.stop
	f.stop = nil
	return stop()
}

// Code answers the code of the node's card.
func (f *Far) Code(_ struct{}, code *string) error {
	*code = party.Code(f.n.Card)
	return nil
}

// Sign signs and notifies the pact.
func (f *Far) Sign(ask desk.PactAsk, _ *struct{}) error {
	var v desk.SignView
	return desk.Within(f.n.Desk("").API()).Post(context.Background(), "/v1/pact/sign", ask, &v)
}

// InForce waits until the pact is.
func (f *Far) InForce(struct{}, *struct{}) error {
	return f.until(func(tx *ledger.Tx) (bool, error) {
		p, row, ok, err := f.n.Catalogue.Pact(tx, "kr-jp-2016", time.Now())
		return ok && p.Phase(row.Life, time.Now()).Transfers(), err
	})
}

func (f *Far) until(ok func(*ledger.Tx) (bool, error)) error {
	for {
		grown := f.n.Ledger.Grown()
		var is bool
		if err := f.n.Ledger.View(context.Background(), func(tx *ledger.Tx) (err error) { is, err = ok(tx); return err }); err != nil || is {
			return err
		}
		select {
		case <-grown:
		case <-time.After(time.Minute):
			return fmt.Errorf("waited in vain: %+v", f.n.Carriage.States())
		}
	}
}

// Ask is what to release: a file, or so many bytes.
type Ask struct {
	File string
	Size int64
}

// Told says when what happened, counted from the call.
type Told struct {
	Number            act.Number
	Released, Receipt time.Duration
}

// zeros is plain content of which nothing is kept in memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (f *Far) release(a Ask) (act.Number, error) {
	content := io.LimitReader(zeros{}, a.Size)
	if a.File != "" {
		file, err := os.Open(a.File)
		if err != nil {
			return "", err
		}
		defer file.Close()
		content = file
	}
	slip, err := f.n.Release.Release(context.Background(), draft("군사II급비밀"), content)
	return slip.Number, err
}

// Release releases one product and waits for its receipt.
func (f *Far) Release(a Ask, t *Told) (err error) {
	began := time.Now()
	if t.Number, err = f.release(a); err != nil {
		return err
	}
	t.Released = time.Since(began)
	err = f.until(func(tx *ledger.Tx) (bool, error) {
		cu, ok, err := f.n.Catalogue.Product(tx, t.Number)
		return ok && len(cu.Received) == 1, err
	})
	t.Receipt = time.Since(began)
	return err
}

// Many is a number of products to release by a number of callers at once.
type Many struct {
	Ask
	N, Callers int
}

// Burst releases many products and, unless the partner is away, waits for all receipts.
func (f *Far) Burst(m Many, t *Told) error {
	partner := func(tx *ledger.Tx) (n int64, err error) {
		p, _, err := f.n.Catalogue.Partner(tx, "JP")
		return p.Received, err
	}
	var had int64
	if err := f.n.Ledger.View(context.Background(), func(tx *ledger.Tx) (err error) { had, err = partner(tx); return err }); err != nil {
		return err
	}
	began := time.Now()
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(m.N))
	errs := make(chan error, m.Callers)
	for range m.Callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := f.release(m.Ask); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	t.Released = time.Since(began)
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	if f.n.Carriage.States()["JP"].Linked {
		if err := f.received(had, m.N); err != nil {
			return err
		}
	}
	t.Receipt = time.Since(began)
	return nil
}

// received looks now and then whether so many more acts have come from the partner.
func (f *Far) received(had int64, n int) error {
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
		var got int64
		err := f.n.Ledger.View(context.Background(), func(tx *ledger.Tx) error {
			p, _, err := f.n.Catalogue.Partner(tx, "JP")
			got = p.Received - had
			return err
		})
		if err != nil || got >= int64(n) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d receipts came: %+v", got, n, f.n.Carriage.States())
		}
	}
}

// Settled waits until every release has its receipt.
func (f *Far) Settled(n int, _ *struct{}) error {
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var got, sent int64
		err := f.n.Ledger.View(context.Background(), func(tx *ledger.Tx) error {
			p, _, err := f.n.Catalogue.Partner(tx, "JP")
			got, sent = p.Received, p.Queued
			return err
		})
		if err != nil || got >= int64(n) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d came, %d sent: %+v", got, n, sent, f.n.Carriage.States())
		}
	}
}

// Received answers how many acts of the partner's were taken in.
func (f *Far) Received(_ struct{}, n *int) error {
	return f.n.Ledger.View(context.Background(), func(tx *ledger.Tx) error {
		p, _, err := f.n.Catalogue.Partner(tx, "JP")
		*n = int(p.Received)
		return err
	})
}

// Linked answers whether there is a link to the partner.
func (f *Far) Linked(_ struct{}, is *bool) error {
	*is = f.n.Carriage.States()["JP"].Linked
	return nil
}

// Open reads a product's content as an analyst, verified.
func (f *Far) Open(n act.Number, size *int64) error {
	o, err := f.n.Reading.Open(context.Background(), n, "analyst", "")
	if err != nil {
		return err
	}
	*size, err = o.WriteTo(io.Discard)
	return errors.Join(err, o.Close())
}

// Spent is processor time.
type Spent struct{ All time.Duration }

// CPU answers the processor's time that this process has used.
func (f *Far) CPU(_ struct{}, t *Spent) error {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	t.All = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return err
}

// Idle gives unused memory back and begins a new peak.
func (f *Far) Idle(struct{}, *struct{}) error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// Profile writes a profile of the processor's time to a file, until it is called with none.
func (f *Far) Profile(file string, _ *struct{}) (err error) {
	if file == "" {
		pprof.StopCPUProfile()
		return f.profile.Close()
	}
	if f.profile, err = os.Create(file); err != nil {
		return err
	}
	return pprof.StartCPUProfile(f.profile)
}

// far is a node's process.
type far struct {
	*rpc.Client
	b    testing.TB
	addr string
	cmd  *exec.Cmd
}

func startFar(b testing.TB, p act.Party) *far {
	b.Helper()
	port, err := demo.Port()
	if err != nil {
		b.Fatal(err)
	}
	f := &far{b: b, addr: "127.0.0.1:" + port, cmd: exec.Command(os.Args[0])}
	f.cmd.Env = append(os.Environ(), "ENTENTE_SPEED_NODE="+filepath.Join(b.TempDir(), string(p)), "ENTENTE_SPEED_LISTEN="+f.addr)
	f.cmd.Stderr = os.Stderr
	in, err := f.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	f.Client = jsonrpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	b.Cleanup(func() {
		_ = f.Client.Close()
		if err := f.cmd.Wait(); err != nil {
			b.Errorf("the node of %s: %v", p, err)
		}
	})
	return f
}

func (f *far) call(what string, ask, answer any) {
	f.b.Helper()
	if ask == nil {
		ask = struct{}{}
	}
	if answer == nil {
		answer = new(json.RawMessage)
	}
	if err := f.Call("Far."+what, ask, answer); err != nil {
		f.b.Fatalf("%s: %v", what, err)
	}
}

// status reads a line of the process's status, in bytes.
func (f *far) status(name string) int64 {
	f.b.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		f.b.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			if err != nil {
				f.b.Fatal(err)
			}
			return n << 10
		}
	}
	f.b.Fatalf("the system tells no %s", name)
	return 0
}

// cpu is the processor's time that the process has used.
func (f *far) cpu() time.Duration {
	f.b.Helper()
	var t Spent
	f.call("CPU", nil, &t)
	return t.All
}

// pair starts two nodes with a pact in force between them.
func pair(b testing.TB) (kr, jp *far) {
	b.Helper()
	kr, jp = startFar(b, "KR"), startFar(b, "JP")
	for _, x := range []struct{ own, other *far }{{kr, jp}, {jp, kr}} {
		var code string
		x.other.call("Code", nil, &code)
		x.own.call("Sign", desk.PactAsk{Pact: "kr-jp-2016", Address: x.other.addr, Code: code, As: "officer", Notify: true}, nil)
	}
	kr.call("InForce", nil, nil)
	jp.call("InForce", nil, nil)
	return kr, jp
}
