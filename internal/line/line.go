// Package line is a line between two nodes that tests make bad: it is cut, slow,
// silent or damaged as a [Line] says. [New] makes one that is good.
package line

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a line between two nodes that can be made bad. It counts what it
// hands over towards the node that is called.
type Proxy struct {
	Addr string // where it is called

	mu     sync.Mutex
	target string
	line   Line
	cuts   []int64 // the next connection that handed over so many bytes ends as Line.End says
	done   int     // cuts that were made
	bytes  int64
	open   map[net.Conn]bool
	closed bool
}

// Line is how bytes move, and how a connection ends.
type Line struct {
	Delay  time.Duration                          // each way
	Stall  int                                    // one piece of so many waits three delays more: lost, and sent again; 0: none
	Piece  int                                    // the most bytes that are handed over at once; 0: as they come
	Mangle func(at int64, piece []byte) []byte    // changes what is handed over to the called node
	End    func(p *Proxy, near, far *net.TCPConn) // closes, or leaves open; nil: a byte a second from then on
}

// Closes ends a connection in good order: what was handed over is read.
func Closes(_ *Proxy, near, far *net.TCPConn) {
	_, _ = far.CloseWrite(), near.CloseWrite() // what was handed over is read to its end
	time.AfterFunc(5*time.Second, func() { far.Close(); near.Close() })
}

// Resets ends it at once: what was not read yet is lost.
func Resets(_ *Proxy, near, far *net.TCPConn) {
	for _, c := range []*net.TCPConn{near, far} {
		_ = c.SetLinger(0)
		c.Close()
	}
}

// Silence ends nothing: neither side hears anything more.
func Silence(*Proxy, *net.TCPConn, *net.TCPConn) {}

// HalfOpen ends the called side alone.
func HalfOpen(_ *Proxy, _, far *net.TCPConn) { far.Close() }

// New makes a good line to target, until the test ends.
func New(t *testing.T, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, open: map[net.Conn]bool{}}
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
		p.HangUp(true)
		wg.Wait()
	})
	return p
}

// Set changes the line for the connections to come, and ends those that are.
func (p *Proxy) Set(l Line, cuts ...int64) {
	p.mu.Lock()
	p.line, p.cuts, p.bytes, p.done = l, cuts, 0, 0
	p.mu.Unlock()
	p.HangUp(false)
}

// To has the connections to come go to another target.
func (p *Proxy) To(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// HangUp ends the connections that are; for ever: and those to come.
func (p *Proxy) HangUp(forEver bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = forEver
	for c := range p.open {
		c.Close()
	}
}

// Handed counts the bytes that were handed over towards the called side, and the cuts made.
func (p *Proxy) Handed() (bytes int64, cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes, p.done
}

func (p *Proxy) serve(near *net.TCPConn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	c, err := net.Dial("tcp", target)
	if err != nil {
		near.Close()
		return
	}
	far := c.(*net.TCPConn)
	p.mu.Lock()
	l, closed := p.line, p.closed // of this moment: from here on HangUp finds the connection
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
	if closed {
		return
	}
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
func (p *Proxy) pump(l Line, near, far, from, to *net.TCPConn, counts bool, ended chan struct{}, over *sync.Once) {
	late := make(chan piece, 4096)
	go func() {
		defer close(late)
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				late <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(l.Delay)}
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
		if l.Stall > 0 && random.IntN(l.Stall) == 0 {
			time.Sleep(3 * l.Delay)
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
			} else if l.Piece > 0 {
				n = min(n, 1+random.IntN(l.Piece))
			}
			b, cut := x.b[:n], false
			if counts {
				b, cut = p.limit(b, moved)
				if n = len(b); l.Mangle != nil {
					b = l.Mangle(moved, b)
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
			if slow = slow || cut && l.End == nil; cut && l.End != nil {
				over.Do(func() { close(ended); l.End(p, near, far) })
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
func (p *Proxy) limit(b []byte, moved int64) ([]byte, bool) {
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
