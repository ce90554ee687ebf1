package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"entente/desk"
	"entente/release"
)

// answers is a node that says one thing.
type answers struct {
	status int
	about  string
	body   []byte
}

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{StatusCode: a.status, Status: strconv.Itoa(a.status), Header: http.Header{"Entente-Product": {a.about}}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: r}, nil
}

// FuzzClient is what the command line reads from the node's socket: it ends with a value or an
// error, whatever is said there, and takes no cut answer for a whole one.
func FuzzClient(f *testing.F) {
	for _, x := range []answers{
		{200, "", []byte(`{"number":"KR-2016-7Q4K-M2XT","entry":3}`)},
		{200, strconv.QuoteToASCII(`{"custody":{"seal":{"plain":7}}}`), []byte("content")},
		{200, `"{\"custody\":{\"seal\":{\"plain\":-1}}}"`, []byte("")},
		{200, "", []byte("{\"done\":1,\"all\":2}\n{\"done\":2,\"all\":2}\n{\"result\":{\"size\":9}}\n")},
		{200, "", []byte(`{"fault":{"kind":"fault","text":"x"}}`)},
		{403, "", []byte(`{"kind":"refused","text":"refused by Article 4","because":[{"article":"Article 4"}]}`)},
		{500, "", []byte(`null`)},
	} {
		f.Add(x.status, x.about, x.body)
	}
	f.Fuzz(func(t *testing.T, status int, about string, body []byte) {
		c := &desk.Client{HTTP: &http.Client{Transport: answers{status, about, body}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
		ctx := context.Background()
		var v desk.StatusView
		errs := []error{c.Get(ctx, "/v1/status", &v), c.Post(ctx, "/v1/withdraw", desk.GrantAsk{}, &desk.GrantView{}), c.Long(ctx, "/v1/verify", nil, &v, func(int64, int64) {})}
		_, err := c.Release(ctx, release.Draft{}, strings.NewReader("x"))
		errs = append(errs, err)
		var out bytes.Buffer
		var o desk.Opened
		err = c.Open(ctx, desk.OpenAsk{Number: "KR-2016-7Q4K-M2XT"}, &out, func(got desk.Opened) { o = got })
		if err == nil && (!bytes.Equal(out.Bytes(), body) || int64(len(body)) != o.Custody.Seal.Plain) {
			t.Errorf("%d bytes are whole, of %d", out.Len(), o.Custody.Seal.Plain)
		}
		for i, err := range append(errs, err) {
			var p *desk.Problem
			if status != http.StatusOK && err == nil {
				t.Errorf("call %d: the node answers %d, and that is no error", i, status)
			}
			if errors.As(err, &p) && p == nil {
				t.Errorf("call %d: an error that is none", i)
			}
			if b, err := json.Marshal(p); err != nil {
				t.Errorf("%s, %v", b, err)
			}
		}
	})
}
