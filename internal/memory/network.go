package memory

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Network is a network in memory: buffered connections between addresses that
// are only names. Whoever waits on one waits durably, as synctest means it, and
// deadlines go by the bubble's clock.
type Network struct {
	// Cut, if set, is asked once for each connection, numbered from 0 in the
	// order of the calls: after how many bytes, both ways counted, it is
	// reset. Negative: never.
	Cut func(connection int) int

	mu     sync.Mutex
	places map[string]*listener
	calls  int
}

// Listen answers at address until the listener is closed.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.places[address] != nil {
		return nil, fmt.Errorf("listening at %s: %w", address, syscall.EADDRINUSE)
	}
	if n.places == nil {
		n.places = map[string]*listener{}
	}
	l := &listener{n: n, at: addr(address), calls: make(chan *conn), done: make(chan struct{})}
	n.places[address] = l
	return l, nil
}

// Connect calls address.
func (n *Network) Connect(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	l, left := n.places[address], -1
	if l != nil && n.Cut != nil {
		left = n.Cut(n.calls)
	}
	if l != nil {
		n.calls++
	}
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "memory", Addr: addr(address), Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	near, far := pair("caller", address, left)
	select {
	case l.calls <- far:
		return near, nil
	case <-l.done:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Calls returns how many connections there have been.
func (n *Network) Calls() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

type addr string

func (a addr) Network() string { return "memory" }
func (a addr) String() string  { return string(a) }

type listener struct {
	n     *Network
	at    addr
	calls chan *conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Addr() net.Addr { return l.at }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		defer l.n.mu.Unlock()
		delete(l.n.places, string(l.at))
		close(l.done)
	})
	return nil
}

// window is how many bytes wait at one end: a writer waits for room.
const window = 256 << 10

// line is what the two ends of a connection share.
type line struct {
	mu      sync.Mutex
	changed *sync.Cond
	left    int // bytes until it is cut; negative: never
	cut     bool
}

// conn is one end. in holds what the other end wrote.
type conn struct {
	l           *line
	peer        *conn
	at          addr
	in          []byte
	closed      bool
	read, write deadline
}

func pair(caller, answerer string, left int) (near, far *conn) {
	l := &line{left: left}
	l.changed = sync.NewCond(&l.mu)
	near, far = &conn{l: l, at: addr(caller)}, &conn{l: l, at: addr(answerer)}
	near.peer, far.peer = far, near
	return near, far
}

func (c *conn) LocalAddr() net.Addr  { return c.at }
func (c *conn) RemoteAddr() net.Addr { return c.peer.at }

// over says why nothing more can be done on the connection, or nil.
func (c *conn) over(d *deadline) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.l.cut:
		return syscall.ECONNRESET
	case d.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	for {
		if err := c.over(&c.read); err != nil {
			return 0, err
		}
		if len(c.in) > 0 || len(p) == 0 {
			n := copy(p, c.in)
			c.in = c.in[n:]
			c.l.changed.Broadcast()
			return n, nil
		}
		if c.peer.closed {
			return 0, io.EOF
		}
		c.l.changed.Wait()
	}
}

func (c *conn) Write(p []byte) (n int, err error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	for {
		if err := c.over(&c.write); err != nil {
			return n, err
		}
		if c.peer.closed {
			return n, syscall.EPIPE
		}
		if len(p) == 0 {
			return n, nil
		}
		step := min(len(p), window-len(c.peer.in))
		if c.l.left >= 0 {
			step = min(step, c.l.left)
			c.l.left -= step
			c.l.cut = c.l.left == 0
		}
		c.peer.in = append(c.peer.in, p[:step]...)
		n, p = n+step, p[step:]
		if step > 0 || c.l.cut {
			c.l.changed.Broadcast()
			continue
		}
		c.l.changed.Wait()
	}
}

func (c *conn) Close() error {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.closed = true
	c.read.stop()
	c.write.stop()
	c.l.changed.Broadcast()
	return nil
}

// deadline is guarded by the line's lock.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (c *conn) set(d *deadline, t time.Time) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	d.stop()
	d.passed = false
	if t.IsZero() || c.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		if d.timer == timer { // not one that was replaced as it fired
			d.passed = true
			c.l.changed.Broadcast()
		}
	})
	d.timer = timer
}

func (c *conn) SetReadDeadline(t time.Time) error  { c.set(&c.read, t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.set(&c.write, t); return nil }

func (c *conn) SetDeadline(t time.Time) error {
	c.set(&c.read, t)
	c.set(&c.write, t)
	return nil
}
