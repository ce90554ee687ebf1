package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"entente/act"
	"entente/desk"
	"entente/pact"

	"github.com/alecthomas/kong"
)

// FuzzArguments reads a command line as far as the question that it puts to a node.
// What is not understood is told as the user's mistake, by an exit code of its own.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{
		"release image.tif --pact kr-jp-2016 --purpose threat-assessment --mark 군사II급비밀 --review 2027-01-31 --from KR-2016-7Q4K-M2XT",
		`release - --pact p --purpose p --mark m --event {"id":"2016-09-09","kind":"nuclear-test","time":"2016-09-09T00:30:01.000Z","place":{"lat":41.3,"lon":129.1}} --mandate ` + strings.Repeat("0", 64),
		`release - --pact p --purpose p --mark m --event {}{}`,
		"why KR-2016-7Q4K-M2XT --as analyst --at 2016-12-16T09:00:00+09:00 --visit " + strings.Repeat("a", 64),
		"why KR-2016-7Q4K-M2XT --at -57",
		"courier pack /m --to JP --courier x --size 32GiB",
		"courier pack /m --to JP --courier x --size 9223372036854775807TiB",
		"partner accredit electronic --mark x --until 2027-03-31 --by x",
		"mandate give --for 24h", "--json status", "open KR-2016-7Q4K-M2XT -o x", "person enrol kim --until 9999-12-31", "--dir", "",
	} {
		f.Add(strings.ReplaceAll(s, " ", "\x00"))
	}
	var c cli
	p, err := kong.New(&c, kong.Name("entente"), kong.NamedMapper("path", kong.MapperFunc(path)), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if _, err := p.Parse(strings.Split(line, "\x00")); err != nil {
			return
		}
		mistaken := func(err error) {
			var b *desk.Problem
			if err != nil && (!errors.As(err, &b) || b.Kind != "invalid") && !errors.Is(err, act.ErrMalformed) {
				t.Errorf("%q is told as a fault of the node: %v", line, err)
			}
		}
		d, err := c.Release.draft()
		if mistaken(err); err == nil {
			_, err = json.Marshal(d)
			mistaken(err)
		}
		q, err := c.Why.ask()
		if mistaken(err); err == nil {
			if _, err := json.Marshal(q); err != nil {
				t.Errorf("%q asks what cannot be put: %v", line, err)
			}
		}
		if n := c.Courier.Pack.Size; n < 0 {
			t.Errorf("a medium of %d bytes", n)
		}
	})
}

// FuzzTyped reads what people write for a day, a length of time, a size and an act.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"2027-01-31", "0000-01-01", "24h", "-1h", "1e300h", "2562047h47m16s", "4GB", "32 GiB", "9223372036854775807", "8388608TiB", "0KB", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := lasts(s); err == nil {
			if _, err := m.MarshalText(); err != nil {
				t.Errorf("%q lasts until what is no moment: %v", s, err)
			}
		}
		if m, err := day(s); err == nil {
			if b, err := m.MarshalText(); err != nil || string(b[:len(s)]) != s {
				t.Errorf("the day %q is %s: %v", s, b, err)
			}
		}
		var n size
		if err := n.UnmarshalText([]byte(s)); err == nil && n < 1 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if d, err := digest(s); err == nil && d.String() != s {
			t.Errorf("%q is the digest %s", s, d)
		}
	})
}

// FuzzShown shows pacts in JSON: whatever text has no mistake is one value of JSON.
func FuzzShown(f *testing.F) {
	for _, id := range pact.Templates() {
		text, _ := pact.Template(id)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, problems := pact.Parse(text); len(problems) > 0 {
			return
		}
		v, err := asJSON(text)
		if err == nil {
			_, err = json.Marshal(v)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
