package imagery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os/exec"
	"sync/atomic"
	"time"
)

// What a child may use: enough for any scene that a screen shows.
const (
	maxMemory = 512 << 20 // beyond what the program has when it starts
	maxCPU    = 20 * time.Second
	// patience ends a child that neither works nor ends: twice its CPU time, for a busy machine.
	patience = 2 * maxCPU
	// children decode at the same time; more pictures wait.
	children = 2
)

// Child shows pictures by decoding them in a process of its own, so that what a
// decoder does with hostile bytes is done there. The process is this program
// again, as a command that calls [Serve]: it has two pipes, no environment, no
// file, no network where the system lets us, and limits that stand before the
// first byte of the picture is sent. It does one job and ends.
type Child struct {
	command []string
	cpu     time.Duration
	bare    atomic.Bool // the system refused namespaces
	slots   chan struct{}
}

// NewChild returns a child whose command, made of a program and its arguments,
// calls Serve.
func NewChild(command ...string) *Child {
	return &Child{command: command, cpu: maxCPU, slots: make(chan struct{}, children)}
}

// Serve is the child's whole work: one picture in, its small copy out. It returns
// an error where there is none.
//
// In: size in 8 bytes, the longest side wanted in 4, the file. Out: a byte when
// it has started, then width and height in 4 bytes each, and four bytes a pixel.
func Serve(in io.Reader, out io.Writer) error {
	// The runtime opens its poller with the first timer, which may be the collector's: that
	// takes a descriptor, and soon there are none.
	time.Sleep(time.Nanosecond)
	if _, err := out.Write([]byte{started}); err != nil {
		return err
	}
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	all := make([]byte, min(binary.BigEndian.Uint64(head[:]), maxPreview))
	if _, err := io.ReadFull(in, all); err != nil {
		return err
	}
	img, err := preview(all, int(binary.BigEndian.Uint32(head[8:])))
	if err != nil {
		return err
	}
	size := binary.BigEndian.AppendUint32(nil, uint32(img.Rect.Dx()))
	_, err = out.Write(append(binary.BigEndian.AppendUint32(size, uint32(img.Rect.Dy())), img.Pix...))
	return err
}

const started = 's'

// Preview decodes a picture to at most most pixels a side, in a child. Whatever becomes of
// the child, it is [ErrPicture].
func (c *Child) Preview(ctx context.Context, r io.ReaderAt, size int64, most int) (image.Image, error) {
	if size > maxPreview {
		return nil, errLarge
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	cmd, in, out, err := c.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: starting the decoder: %w", ErrPicture, err)
	}
	img, err := c.talk(cmd.Process.Pid, in, out, io.NewSectionReader(r, 0, size), most)
	if err != nil {
		cancel() // a child that did not do its work is not waited for
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return nil, fmt.Errorf("%w: the decoder: %w", ErrPicture, err)
	}
	return img, nil
}

// start starts the child with namespaces of its own, or, where the system refuses
// them, without.
func (c *Child) start(ctx context.Context) (*exec.Cmd, io.WriteCloser, io.Reader, error) {
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Env, cmd.Dir = []string{}, "/"
	if !c.bare.Load() {
		cmd.SysProcAttr = alone()
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		if cmd.SysProcAttr != nil && ctx.Err() == nil {
			c.bare.Store(true)
			return c.start(ctx)
		}
		return nil, nil, nil, err
	}
	return cmd, in, out, nil
}

// talk limits the child, sends the picture, and checks what comes back.
func (c *Child) talk(pid int, in io.WriteCloser, from io.Reader, file *io.SectionReader, most int) (image.Image, error) {
	out := bufio.NewReader(from)
	if b, err := out.ReadByte(); err != nil || b != started {
		return nil, errors.Join(errors.New("it did not start"), err)
	}
	if err := limit(pid, c.cpu); err != nil {
		return nil, fmt.Errorf("it cannot be limited: %w", err)
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(file.Size())), uint32(most))
	if _, err := in.Write(head); err != nil {
		return nil, err
	}
	if _, err := io.Copy(in, file); err != nil {
		return nil, err
	}
	if err := in.Close(); err != nil {
		return nil, err
	}
	return small(out, most)
}

// small reads the small copy, and nothing after it.
func small(out *bufio.Reader, most int) (image.Image, error) {
	var size [8]byte
	if _, err := io.ReadFull(out, size[:]); err != nil {
		return nil, err
	}
	w, h := int64(binary.BigEndian.Uint32(size[:])), int64(binary.BigEndian.Uint32(size[4:]))
	if w < 1 || h < 1 || w > int64(most) || h > int64(most) {
		return nil, fmt.Errorf("%d by %d pixels, which is not what was asked", w, h)
	}
	img := image.NewNRGBA(image.Rect(0, 0, int(w), int(h)))
	if _, err := io.ReadFull(out, img.Pix); err != nil {
		return nil, err
	}
	if _, err := out.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it sent more than its picture")
	}
	return img, nil
}

// Missing tries the child on a small picture and says in words which confinement
// this machine does not give it; nothing when all is there.
func (c *Child) Missing(ctx context.Context) string {
	var dot bytes.Buffer
	err := png.Encode(&dot, image.NewNRGBA(image.Rect(0, 0, 1, 1)))
	if err == nil {
		_, err = c.Preview(ctx, bytes.NewReader(dot.Bytes()), int64(dot.Len()), 1)
	}
	switch {
	case err != nil:
		return "no picture can be shown: " + err.Error()
	case unlimited != "":
		return unlimited
	case c.bare.Load():
		return "the decoder shares our network and sees our processes: allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0)"
	}
	return ""
}
