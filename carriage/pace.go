package carriage

import (
	"net"
	"sync"
	"time"
)

// paced is a connection with a least speed. What is read or written must begin
// by the deadline that is set, and may then take longer for as long as bytes
// flow at minSpeed: each of them earns its time. So a slow line carries a large
// block, and who sends a byte now and then holds nobody.
//
// It stands below TLS, where bytes move in small pieces.
type paced struct {
	net.Conn
	read, write pace
}

type pace struct {
	mu    sync.Mutex
	by    time.Time
	moved int64 // since by was set
	total int64
}

func (p *pace) begin(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by, p.moved = t, 0
}

// earn counts n bytes and returns the deadline that they earned, or none.
func (p *pace) earn(n int) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved += int64(n)
	p.total += int64(n)
	return p.by.Add(time.Duration(p.moved) * time.Second / minSpeed), !p.by.IsZero() && n > 0
}

func (c *paced) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if by, ok := c.read.earn(n); ok && err == nil {
		err = c.Conn.SetReadDeadline(by)
	}
	return n, err
}

func (c *paced) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if by, ok := c.write.earn(n); ok && err == nil {
		err = c.Conn.SetWriteDeadline(by)
	}
	return n, err
}

func (c *paced) SetReadDeadline(t time.Time) error {
	c.read.begin(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *paced) SetWriteDeadline(t time.Time) error {
	c.write.begin(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *paced) SetDeadline(t time.Time) error {
	c.read.begin(t)
	c.write.begin(t)
	return c.Conn.SetDeadline(t)
}

// total returns how many bytes moved, both ways.
func (c *paced) total() (n int64) {
	for _, p := range []*pace{&c.read, &c.write} {
		p.mu.Lock()
		n += p.total
		p.mu.Unlock()
	}
	return n
}
