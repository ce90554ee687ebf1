package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestWhyFlags: no flag of 'entente why' is passed over. Whatever is asked, each flag changes
// the question that is put, or is refused with what that question takes.
func TestWhyFlags(t *testing.T) {
	const digest = "00000000000000000000000000000000000000000000000000000000000000aa"
	ask := func(args ...string) (string, error) {
		t.Helper()
		var c cli
		k, err := kong.New(&c, kong.Name("entente"), kong.NamedMapper("path", kong.MapperFunc(path)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Parse(append([]string{"why"}, args...)); err != nil {
			t.Fatal(err)
		}
		q, err := c.Why.ask()
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), nil
	}
	values := map[string]string{
		"as": "kim", "deed": "read", "recipient": "AU", "purpose": "another", "standing": "clients", "mark": "another mark", "method": "pulp", "witness": "lee", "visit": strings.Replace(digest, "aa", "bb", 1), "visitor": "Major B", "channel": "courier",
		"pact": "another", "to": "AU", "subject": "radar", "kind": "notice", "form": "oral", "from": "KR-2026-MYHT-301M", "review": "2027-01-31", "mandate": digest, "at": "57", "lang": "ko",
	}
	var flags []string
	each(parser(t).Model.Node, "", func(n *kong.Node, path string) {
		for _, f := range n.Flags {
			if path != "why" {
				continue
			}
			flags = append(flags, f.Name)
			if values[f.Name] == "" {
				t.Errorf("--%s is not tried", f.Name)
			}
		}
	})
	const number = "KR-2026-MYHT-301M"
	asked, refused := 0, 0
	for _, q := range []string{
		number, number + " --as analyst", number + " --as analyst --purpose x", number + " --as analyst --deed read", number + " --as analyst --deed pass-on --recipient US", number + " --as analyst --deed copy", number + " --as analyst --deed translate", number + " --as analyst --deed extract",
		number + " --as analyst --deed show --visit " + digest + " --visitor x", number + " --as registrar --deed review", number + " --as officer --deed downgrade --mark x", number + " --as registrar --deed destroy --method burn", number + " --as officer --deed release", number + " --deed accept",
		"kr-jp-2016", "kr-jp-2016 --deed notice", "kr-jp-2016 --deed read --as officer", "57", digest, "57 --as officer", "--as officer", "--pact kr-jp-2016 --as officer --mark x --purpose y",
	} {
		args := strings.Fields(q)
		base, err := ask(args...)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		for _, f := range flags {
			with := args
			for i := 0; i+1 < len(with); i++ {
				if with[i] == "--"+f { // another value in its place
					with = append(append([]string{}, args[:i]...), args[i+2:]...)
				}
			}
			got, err := ask(append(append([]string{}, with...), "--"+f, values[f])...)
			switch {
			case err != nil && !strings.Contains(err.Error(), " takes ") && !strings.Contains(err.Error(), "belongs to another question") && !strings.Contains(err.Error(), "wants") && !strings.Contains(err.Error(), "--as"):
				t.Errorf("%s --%s: %v does not say what it takes", q, f, err)
			case err != nil:
				refused++
			case got == base && !strings.Contains(q, "--"+f+" "+values[f]):
				t.Errorf("%s --%s %s is passed over", q, f, values[f])
			default:
				asked++
			}
		}
	}
	if asked < 100 || refused < 100 {
		t.Errorf("%d flags were asked with, %d were refused", asked, refused)
	}
}
