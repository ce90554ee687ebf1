package node_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy is a line between two nodes that can be made bad. It counts what it
// hands over towards the node that is called.
type proxy struct {
	addr string

	mu     sync.Mutex
	target string
	line   line
	cuts   []int64 // the next connection that handed over so many bytes ends as line.end says
	done   int     // cuts that were made
	bytes  int64
	open   map[net.Conn]bool
	closed bool
}

// line is how bytes move, and how a connection ends.
type line struct {
	delay  time.Duration                          // each way
	stall  int                                    // one piece of so many waits three delays more: lost, and sent again; 0: none
	piece  int                                    // the most bytes that are handed over at once; 0: as they come
	mangle func(at int64, piece []byte) []byte    // changes what is handed over to the called node
	end    func(p *proxy, near, far *net.TCPConn) // closes, or leaves open; nil: a byte a second from then on
}

// How connections end.
func closes(_ *proxy, near, far *net.TCPConn) {
	_, _ = far.CloseWrite(), near.CloseWrite() // what was handed over is read to its end
	time.AfterFunc(5*time.Second, func() { far.Close(); near.Close() })
}

func resets(_ *proxy, near, far *net.TCPConn) {
	for _, c := range []*net.TCPConn{near, far} {
		_ = c.SetLinger(0)
		c.Close()
	}
}

func silence(*proxy, *net.TCPConn, *net.TCPConn) {}
func halfOpen(_ *proxy, _, far *net.TCPConn)     { far.Close() }
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), target: target, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.hangUp(true)
		wg.Wait()
	})
	return p
}

// set changes the line for the connections to come, and ends those that are.
func (p *proxy) set(l line, cuts ...int64) {
	p.mu.Lock()
	p.line, p.cuts, p.bytes, p.done = l, cuts, 0, 0
	p.mu.Unlock()
	p.hangUp(false)
}

func (p *proxy) to(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) hangUp(forEver bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = forEver
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) handed() (bytes int64, cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes, p.done
}

func (p *proxy) serve(near *net.TCPConn) {
	p.mu.Lock()
	target, l, closed := p.target, p.line, p.closed
	p.mu.Unlock()
	c, err := net.Dial("tcp", target)
	if err != nil || closed {
		near.Close()
		return
	}
	far := c.(*net.TCPConn)
	p.mu.Lock()
	p.open[near], p.open[far] = true, true
	p.mu.Unlock()
	defer func() {
		near.Close()
		far.Close()
		p.mu.Lock()
		delete(p.open, near)
		delete(p.open, far)
		p.mu.Unlock()
	}()
	var over sync.Once
	ended := make(chan struct{}) // the line is over, whatever becomes of its two ends
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(l, near, far, near, far, true, ended, &over) })
	wg.Go(func() { p.pump(l, near, far, far, near, false, ended, &over) })
	wg.Wait()
}

type piece struct {
	b  []byte
	at time.Time
}

// pump hands over what comes from one end to the other, late and in pieces.
func (p *proxy) pump(l line, near, far, from, to *net.TCPConn, counts bool, ended chan struct{}, over *sync.Once) {
	late := make(chan piece, 4096)
	go func() {
		defer close(late)
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				late <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(l.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		for range late { // nothing is left unread, or the kernel would reset what was handed over
		}
	}()
	random := rand.New(rand.NewPCG(1, 2))
	var moved int64
	slow := false
	for x := range late {
		time.Sleep(time.Until(x.at))
		if l.stall > 0 && random.IntN(l.stall) == 0 {
			time.Sleep(3 * l.delay)
		}
		for len(x.b) > 0 {
			select {
			case <-ended:
				return
			default:
			}
			n := len(x.b)
			if slow {
				n = 1
				time.Sleep(time.Second)
			} else if l.piece > 0 {
				n = min(n, 1+random.IntN(l.piece))
			}
			b, cut := x.b[:n], false
			if counts {
				b, cut = p.limit(b, moved)
				if n = len(b); l.mangle != nil {
					b = l.mangle(moved, b)
				}
			}
			if _, err := to.Write(b); err != nil {
				return
			}
			moved += int64(len(b))
			if counts {
				p.mu.Lock()
				p.bytes += int64(len(b))
				p.mu.Unlock()
			}
			x.b = x.b[n:]
			if slow = slow || cut && l.end == nil; cut && l.end != nil {
				over.Do(func() { close(ended); l.end(p, near, far) })
				return
			}
		}
	}
	select {
	case <-ended:
	default:
		_ = to.CloseWrite()
	}
}

// limit cuts b short where the next cut is.
func (p *proxy) limit(b []byte, moved int64) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.cuts) == 0 || moved+int64(len(b)) < p.cuts[0] {
		return b, false
	}
	b = b[:max(0, p.cuts[0]-moved)]
	p.cuts = p.cuts[1:]
	p.done++
	return b, true
}
