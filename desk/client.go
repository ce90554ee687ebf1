package desk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"

	"entente/product"
	"entente/release"
	"entente/ruling"
)

// Client speaks the API: to a serving node's socket, or to a node in this process.
type Client struct{ HTTP *http.Client }

// Dial returns a client of the node behind a local socket.
func Dial(socket string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
}

// Within returns a client of a handler in this process.
func Within(h http.Handler) *Client { return &Client{&http.Client{Transport: within{h}}} }

// within answers requests by calling a handler. The answer is streamed.
type within struct{ h http.Handler }

func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &answerWriter{header: http.Header{}, body: pw, ready: make(chan struct{})}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		t.h.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	<-w.ready
	return &http.Response{StatusCode: w.status, Header: w.header, Body: pr, Request: r, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
}

type answerWriter struct {
	header http.Header
	body   *io.PipeWriter
	status int
	ready  chan struct{}
}

func (w *answerWriter) Header() http.Header { return w.header }
func (w *answerWriter) Flush()              {}

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		close(w.ready)
	}
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// ErrNotServing says that no node answers at the socket.
var ErrNotServing = errors.New("the node is not serving")

var errHungUp = errors.New("the node ended before it answered: start it again, and look whether it was done before you do it again; its log says why it ended")

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://node"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := c.HTTP.Do(r)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, ErrNotServing
		}
		if ctx.Err() == nil && (errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			return nil, errHungUp
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the node answers %s", resp.Status)
	}
	return nil, &p
}

// Get reads path into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(v)
}

// Post sends in and reads the answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(b), "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}

// Release streams content to the node, which seals it as it arrives.
func (c *Client) Release(ctx context.Context, d release.Draft, content io.Reader) (release.Slip, error) {
	pr, pw := io.Pipe()
	m := multipart.NewWriter(pw)
	go func() {
		pw.CloseWithError(func() error {
			w, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="draft"`}})
			if err == nil {
				err = json.NewEncoder(w).Encode(d)
			}
			if err != nil {
				return err
			}
			if w, err = m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="content"`}}); err != nil {
				return err
			}
			if _, err := io.Copy(w, content); err != nil {
				return err
			}
			return m.Close()
		}())
	}()
	resp, err := c.do(ctx, http.MethodPost, "/v1/release", pr, m.FormDataContentType())
	pr.Close()
	if err != nil {
		return release.Slip{}, err
	}
	defer resp.Body.Close()
	var s release.Slip
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// Opened is what comes with a product's content.
type Opened struct {
	Custody product.Custody `json:"custody"`
	Ruling  ruling.Ruling   `json:"ruling"`
}

// Open writes the content of a product to w, verified. about is called before
// the first byte. When it returns an error, what was written is not whole.
func (c *Client) Open(ctx context.Context, a OpenAsk, w io.Writer, about func(Opened)) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/open", bytes.NewReader(b), "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var o Opened
	s, err := strconv.Unquote(resp.Header.Get("Entente-Product"))
	if err == nil {
		err = json.Unmarshal([]byte(s), &o)
	}
	if err != nil {
		return fmt.Errorf("reading the node's answer: %w", err)
	}
	about(o)
	n, err := io.Copy(w, resp.Body)
	if all := o.Custody.Seal.Plain; err != nil || n != all {
		return fmt.Errorf("the content broke off after %d of %d bytes and was not verified to its end: 'entente why %s --as %s' tells whether it may still be read (%w)", n, all, a.Number, a.As, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return nil
}

// Long runs a long request, calls progress with each line of its answer, and
// reads the result.
func (c *Client) Long(ctx context.Context, path string, ask, result any, progress func(done, all int64)) error {
	b, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(b), "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var v ProgressView
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("the node stopped answering: %w", err)
		}
		switch {
		case v.Fault != nil:
			return v.Fault
		case v.Result != nil:
			return json.Unmarshal(v.Result, result)
		}
		progress(v.Done, v.All)
	}
}

// Path joins a path with its query.
func Path(p string, query ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		if query[i+1] != "" {
			q.Set(query[i], query[i+1])
		}
	}
	if len(q) == 0 {
		return p
	}
	return p + "?" + q.Encode()
}
