package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/demo"
	"entente/pact"
)

const canary = "canary-of-the-content-7c1d"

// tree describes every file under dir by its digest. What a database keeps for
// itself beside its file comes and goes with each opening.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") || d.Name() == "lock" {
			return err
		}
		var b []byte
		if d.Type().IsRegular() {
			if b, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		if d.Name() == "entente.db" { // each opening writes its first page anew
			b = fmt.Append(nil, len(b))
		}
		fmt.Fprintf(&all, "%s %s %x\n", path, d.Type(), sha256.Sum256(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// changed lists the lines of one description that the other has not.
func changed(before, after string) (all string) {
	for _, x := range [][3]string{{"-", before, after}, {"+", after, before}} {
		for line := range strings.Lines(x[1]) {
			if !strings.Contains(x[2], line) {
				all += x[0] + line
			}
		}
	}
	return all
}

// TestBadInput: whatever is wrong with what the program is given, it says what
// to do about it, ends with the right code, changes no file, and tells no
// secret and no content. Each case begins with two nodes that were just made,
// n and m, with the keys k and k2.
func TestBadInput(t *testing.T) {
	base := t.TempDir()
	entente := func(t *testing.T, dir, in string, args ...string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		c := exec.CommandContext(ctx, os.Args[0], args...)
		c.Dir, c.Stdin = dir, strings.NewReader(in)
		c.Env = []string{"ENTENTE_TEST_MAIN=1", "HOME=" + dir}
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
			t.Fatalf("%v: %v, %v", args, err, ctx.Err())
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	for _, x := range [][3]string{{"n", "k", "KR"}, {"m", "k2", "JP"}} {
		if code, out := entente(t, base, "", "--dir", x[0], "--key-file", x[1], "init", x[2], "--new-key"); code != 0 {
			t.Fatal(out)
		}
	}
	port, err := demo.Port()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	shipped, _ := pact.Template("kr-jp-2016")

	at := func(f func(d string) error) func(string) error { return f }
	remove := func(name string) func(string) error {
		return at(func(d string) error { return os.RemoveAll(filepath.Join(d, name)) })
	}
	write := func(name, text string) func(string) error {
		return at(func(d string) error { return os.WriteFile(filepath.Join(d, name), []byte(text), 0o600) })
	}
	chmod := func(name string, m os.FileMode) func(string) error {
		return at(func(d string) error { return os.Chmod(filepath.Join(d, name), m) })
	}
	swap := func(name string) func(string) error {
		return at(func(d string) error {
			for _, old := range []string{name, name + "-wal", name + "-shm"} {
				if err := os.RemoveAll(filepath.Join(d, "n", old)); err != nil {
					return err
				}
			}
			return os.Rename(filepath.Join(d, "m", name), filepath.Join(d, "n", name))
		})
	}
	cut := func(name string, n int64) func(string) error {
		return at(func(d string) error { return os.Truncate(filepath.Join(d, name), n) })
	}
	node := []string{"--dir", "n", "--key-file", "k"}
	with := func(args ...string) []string { return append(append([]string{}, node...), args...) }
	release := func(args ...string) []string {
		return append(with("release"), append(args, "--pact", "kr-jp-2016", "--purpose", "threat-assessment", "--mark", "군사II급비밀")...)
	}
	const absent = "KR-2026-MYHT-301M"
	none := strings.Repeat("0", 64)
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		args  []string
		code  int
		says  string
	}{
		// The folder.
		{"no folder", nil, []string{"--dir", "x", "--key-file", "k", "status"}, 1, "make one with 'entente init'"},
		{"an empty folder", at(func(d string) error { return os.Mkdir(d+"/x", 0o700) }), []string{"--dir", "x", "--key-file", "k", "serve"}, 1, "make one with 'entente init'"},
		{"a file for a folder", write("x", "x"), []string{"--dir", "x", "--key-file", "k", "status"}, 1, "not a directory"},
		{"a folder that holds something", write("n/x", "x"), with("init", "KR"), 1, "is not empty"},
		{"without its database", remove("n/entente.db"), with("status"), 1, "entente.db of"},
		{"with an empty database", cut("n/entente.db", 0), with("status"), 1, "put the newest backup's copy back"},
		{"with a torn database", cut("n/entente.db", 5000), with("status"), 1, "put this node's newest copy back"},
		{"with another's database", swap("entente.db"), with("status"), 1, "or of another node"},
		{"without its header", remove("n/node.json"), with("status"), 1, "put the newest backup's copy back"},
		{"with a torn header", cut("n/node.json", 20), with("status"), 1, "put a backup's copy back"},
		{"with an empty header", cut("n/node.json", 0), with("status"), 1, "put a backup's copy back"},
		{"with a hostile header", write("n/node.json", `{"format":1,"lock":"none","salt":"AAAA","key":""}`), with("status"), 1, "put a backup's copy back"},
		{"with another's header", swap("node.json"), with("status"), 1, "does not open this folder"},
		{"without its vault", remove("n/vault"), with("status"), 1, "vault/belongs of"},
		{"with another's vault", swap("vault"), with("status"), 1, "the vault in"},
		{"of a newer version", write("n/node.json", `{"format": 2}`), with("serve"), 1, "use a newer entente"},
		{"that others can read", chmod("n", 0o755), with("serve"), 1, "chmod 700"},
		{"whose vault others can read", chmod("n/vault", 0o755), with("serve"), 1, "chmod 700"},
		{"whose making was cut short", at(func(d string) error { return errors.Join(os.Remove(d+"/n/node.json"), write("n/making", "")(d)) }), with("status"), 1, "run 'entente init' again"},
		{"a house rule that widens", write("n/house.cedar", `permit (principal, action, resource);`), with("status"), 1, "entente house check"},

		// Keys.
		{"no key file", nil, []string{"--dir", "n", "--key-file", "x", "status"}, 1, "no such file"},
		{"the key of another node", nil, []string{"--dir", "n", "--key-file", "k2", "status"}, 1, "does not open this folder"},
		{"a key that others can read", chmod("k", 0o644), with("status"), 1, "chmod 600"},
		{"a key that is torn", cut("k", 31), with("status"), 1, "32 to 4096 bytes"},
		{"a key that is too long", write("k", strings.Repeat(canary, 200)), with("status"), 1, "32 to 4096 bytes"},
		{"a folder for a key", nil, []string{"--dir", "n", "--key-file", "m", "status"}, 1, "not a regular file"},
		{"a device for a key", nil, []string{"--dir", "n", "--key-file", "/dev/zero", "status"}, 1, "not a regular file"},
		{"no key, and no terminal", nil, []string{"--dir", "n", "status"}, 1, "give --key-file, or run on a terminal"},
		{"no key for a new node, and no terminal", nil, []string{"--dir", "x", "init", "KR"}, 1, "give --key-file"},
		{"an empty name of a key", nil, []string{"--dir", "n", "--key-file=", "status"}, 2, "unset ENTENTE_KEY_FILE if that is empty"},
		{"an empty name of a folder", nil, []string{"--dir=", "--key-file", "k", "status"}, 2, "names no file or folder"},
		{"an empty name of a file to write", nil, with("open", "KR-2026-MYHT-301M", "--out="), 2, "names no file or folder"},
		{"an empty name of a medium", nil, with("courier", "take-in", ""), 2, "names no file or folder"},
		{"an empty name of a text", nil, with("pact", "sign", "kr-jp-2016", "--text="), 2, "is a directory"},
		{"a key that is there already", nil, []string{"--dir", "x", "--key-file", "k2", "init", "KR", "--new-key"}, 1, "file exists"},
		{"a new key without a name", nil, []string{"--dir", "x", "init", "KR", "--new-key"}, 2, "name the file to make"},
		{"a new key for a node that cannot be made", nil, []string{"--dir", "n", "--key-file", "x", "init", "KR", "--new-key"}, 1, "is not empty"},

		// Flags.
		{"no command", nil, []string{"nonsense"}, 2, "'entente --help'"},
		{"a flag that is missing", nil, []string{"release", "file"}, 2, "'entente release --help'"},
		{"a flag that is no flag", nil, with("status", "--nonsense"), 2, "--help'"},
		{"a party that is a path", nil, []string{"--dir", "x", "--key-file", "x.key", "init", "../KR", "--name", "x", "--new-key"}, 2, "capital letters"},
		{"a party that is in no pact", nil, []string{"--dir", "x", "--key-file", "k", "init", "QQ"}, 2, "give --name"},
		{"a clearance of no scheme", nil, []string{"--dir", "x", "--key-file", "k", "init", "KR", "--clearance", "COSMIC"}, 2, "its markings are"},
		{"a number that is mistyped", nil, with("open", "KR-2016-0000-0000"), 2, "read it again"},
		{"a number that is a path", nil, with("open", "../../etc/passwd"), 2, "not a control number"},
		{"a day that is none", write("file", canary), release("file", "--review", "tomorrow"), 2, "2027-01-31"},
		{"an event that is none", write("file", canary), release("file", "--event", `{"id":"x","id":`), 2, "reading --event"},
		{"a digest that is none", nil, with("withdraw", "../x"), 2, "ledger show"},
		{"an office that is none", nil, with("person", "add", "x", "--post", "x", "--offices", "king"), 2, "no office is called"},
		{"a question about nothing", nil, with("why"), 2, "a question about what a person was refused wants --as"},
		{"a question about a number that is mistyped", nil, with("why", "KR-2016-0000-0000"), 2, "read it again"},
		{"a question with a flag that is empty", nil, with("why", "KR-2026-MYHT-301M", "--as="), 2, "--as is empty"},
		{"a question with a flag of another", nil, with("why", "KR-2026-MYHT-301M", "--recipient", "US"), 2, "--recipient belongs to another question: one about a product takes --as, --purpose"},
		{"a question about a step without a pact", nil, with("why", "KR-2026-MYHT-301M", "--deed", "notice"), 2, "belongs to another question"},
		{"a question about no product, by a person", nil, with("why", "KR-2026-MYHT-301M", "--as", "analyst"), 3, "no product of this number may be read by this person"},
		{"a question about no act", nil, with("why", "99999"), 2, "no act here is entry 99999"},
		{"a question about no pact", nil, with("why", "kr-jp-2061"), 2, "no pact called kr-jp-2061 is known here"},
		{"a release that nobody made, by nobody", nil, with("why", "--pact", "kr-jp-2016", "--mark", "x", "--purpose", "y"), 2, "wants --pact, --as, --mark, --purpose"},
		{"a release that nobody made, under no pact", nil, with("why", "--pact", "kr-jp-2016", "--mark", "x", "--purpose", "y", "--as", "officer"), 3, "no pact of this name is known here"},
		{"a preview of a release that is refused", write("file", canary), release("file", "--preview"), 3, "no pact of this name is known here"},
		{"an address that is none", nil, with("serve", "--listen", "nonsense"), 1, "such as :7701"},
		{"a port in use", nil, with("serve", "--listen", "127.0.0.1:"+port), 1, "choose another with --listen"},
		{"a port of the desk in use", nil, with("serve", "--pages", "127.0.0.1:"+port), 1, "choose another with --pages"},

		// Files.
		{"no file", nil, release("x"), 1, "no such file"},
		{"a folder for a file", nil, release("m"), 1, "not a regular file"},
		{"a device for a file", nil, release("/dev/zero"), 1, "not a regular file"},
		{"a file to write that is there", write("out", "mine"), with("open", "KR-2026-MYHT-301M", "-o", "out"), 1, "file exists"},

		// Pacts, house rules.
		{"a pact that is binary", write("p.yaml", "\x00\xff\xfe"), []string{"pact", "check", "p.yaml"}, 2, "p.yaml:"},
		{"a pact that is empty", write("p.yaml", ""), []string{"pact", "check", "p.yaml"}, 2, "mistake"},
		{"a pact that is a bomb", write("p.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n"), []string{"pact", "check", "p.yaml"}, 2, "mistake"},
		{"a pact that is deep", write("p.yaml", strings.Repeat("[", 100_000)), []string{"pact", "check", "p.yaml"}, 2, "mistake"},
		{"a pact that is long", write("p.yaml", strings.Repeat("# long\n", 400_000)), []string{"pact", "check", "p.yaml"}, 2, "mistake"},
		{"a pact to sign that is none", write("p.yaml", "pact: x\n"), with("pact", "sign", "kr-jp-2016", "--text", "p.yaml"), 2, "entente: proposing a pact: the text has"},
		{"a pact that lacks quotation marks", write("p.yaml", strings.Replace(string(shipped), "binding: treaty", "binding: treaty: yes", 1)), []string{"pact", "check", "p.yaml"}, 2, "p.yaml:12:16: a value that holds a colon stands in quotation marks\n"},
		{"a pact with one mistake", write("p.yaml", strings.Replace(string(shipped), "binding: treaty", "binding: treaty: yes", 1)), []string{"pact", "check", "p.yaml"}, 2, "the text has 1 mistake\n"},
		{"a pact that nobody knows", nil, with("pact", "show", "x"), 2, "none of the shipped pacts"},
		{"approving what nobody drafted", nil, with("approve", absent), 2, "entente: approving " + absent + ": no draft with this number waits"},
		{"lending what was not released", nil, with("lend", absent, "--to", "JP"), 2, "it was not released to JP"},
		{"withdrawing what was not given", nil, with("withdraw", none), 2, "no consent and no mandate of ours"},
		{"ending a visit that nobody asked for", nil, with("visit", "end", none), 2, "no visit 000000000000 is known here"},
		{"acknowledging no notice", nil, with("law", "acknowledge", none), 2, "entente open-items"},
		{"a step in a pact that nobody proposed", nil, with("pact", "read", "kr-jp-2016", "in-force"), 2, "no pact called kr-jp-2016 is proposed here"},
		{"a text that nobody knows", nil, []string{"--dir", "nowhere", "pact", "check", "x.yaml"}, 2, "none of the shipped pacts"},
		{"a pact to compare that has mistakes", write("p.yaml", "pact: x\n"), []string{"pact", "diff", "kr-jp-2016", "p.yaml"}, 2, "entente pact check p.yaml"},
		{"house rules that are none", write("h.cedar", strings.Repeat("(", 100_000)), []string{"house", "check", "h.cedar"}, 2, "mistake"},

		// Partners.
		{"a partner that is not there", nil, with("pact", "sign", "kr-jp-2016", "--with", "127.0.0.1:1", "--code", "0000 0000 0000 0000 0000 0000"), 1, "start the partner's node"},
		{"a partner that never called", nil, with("pact", "sign", "kr-jp-2016", "--code", "0000 0000 0000 0000 0000 0000"), 4, "ask it to call us first"},
		{"a partner that is not known", nil, with("pact", "sign", "kr-jp-2016"), 2, "compare codes with it first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"n", "m", "n/vault", "m/vault"} { // which CopyFS makes with the umask
				if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"k", "k2"} {
				if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			key, err := os.ReadFile(filepath.Join(base, "k"))
			if err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				if err := c.spoil(dir); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			code, out := entente(t, dir, canary, c.args...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("code %d, want %d, and %q in:\n%s", code, c.code, c.says, out)
			}
			if lines := strings.Count(out, "\n"); lines > 60 || strings.Contains(out, "goroutine ") {
				t.Errorf("%d lines are no message:\n%.2000s", lines, out)
			}
			for _, secret := range []string{canary, string(key), hex.EncodeToString(key)} {
				if strings.Contains(out, secret) {
					t.Errorf("the message tells a secret: %s", out)
				}
			}
			if after := tree(t, dir); after != before {
				t.Errorf("files were changed:\n%s", changed(before, after))
			}
			if _, out := entente(t, dir, canary, append([]string{"--json"}, c.args...)...); !wellFormed(out) {
				t.Errorf("--json answers %s", out)
			}
		})
	}
}

// TestEmptyEnvironment: a variable that is set and empty names nothing, least of all
// the folder that one is in.
func TestEmptyEnvironment(t *testing.T) {
	dir := t.TempDir()
	run := func(env []string, args ...string) (int, string) {
		c := exec.CommandContext(t.Context(), os.Args[0], args...)
		c.Dir, c.Env = dir, append(env, "ENTENTE_TEST_MAIN=1")
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	if code, out := run(nil, "--dir", filepath.Join(dir, "n"), "--key-file", filepath.Join(dir, "k"), "init", "KR", "--new-key"); code != 0 {
		t.Fatal(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "entente-key"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "n")
	for _, x := range []struct {
		env  []string
		code int
		says string
	}{
		{[]string{"HOME=/none", "ENTENTE_DIR="}, 2, "unset ENTENTE_DIR"},
		{[]string{"HOME=/none", "ENTENTE_DIR=" + dir, "ENTENTE_KEY_FILE="}, 2, "unset ENTENTE_KEY_FILE"},
		{[]string{"HOME=/none", "ENTENTE_DIR=" + dir, "CREDENTIALS_DIRECTORY="}, 1, "give --key-file"},
		{[]string{"HOME=/none", "ENTENTE_DIR=" + dir, "CREDENTIALS_DIRECTORY=/none"}, 1, "give --key-file"},
		{[]string{"HOME=/none", "ENTENTE_DIR=" + dir, "CREDENTIALS_DIRECTORY=" + filepath.Dir(dir)}, 1, "32 to 4096 bytes"},
		{nil, 2, "name it with --dir or ENTENTE_DIR"},
	} {
		for _, command := range []string{"status", "serve"} {
			if code, out := run(x.env, command); code != x.code || !strings.Contains(out, x.says) {
				t.Errorf("%v %s: code %d, want %d and %q in %s", x.env, command, code, x.code, x.says, out)
			}
		}
	}
	if code, out := run(nil, "pact", "show", "kr-jp-2016"); code != 0 || len(out) < 1000 {
		t.Errorf("what needs no node wants a home: %s", out)
	}
}

// wellFormed reports whether s is JSON values, at least one.
func wellFormed(s string) bool {
	d := json.NewDecoder(strings.NewReader(s))
	for n := 0; ; n++ {
		var v any
		if err := d.Decode(&v); err != nil {
			return errors.Is(err, io.EOF) && n > 0
		}
	}
}
