package node_test

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// spenders are what a stack is counted for: the first whose name is in it.
var spenders = []struct{ what, in string }{
	{"keys wrapped to recipient and originator (ML-KEM-1024, P-384)", "entente/seal.wrap"},
	{"checkpoints signed (Ed25519, P-384, ML-DSA-87)", ".Checkpoint;note.Sign"},
	{"checkpoints verified", "entente/ledger.ReadCheckpoint;note.Open"},
	{"the officer's signature made (P-384)", "note.Sign"},
	{"the officer's signature made (P-384)", "entente/act.(*key).Sign"},
	{"the officer's signature verified", "note.Open"},
	{"encryption at rest (AES-256-XTS)", "crypto/xts"},
	{"reads, writes and syncs of the database's files", "go-sqlite3/vfs."},
	{"SQLite", "go-sqlite3"},
	{"TLS", "crypto/tls."},
	{"JSON", "encoding/json."},
	{"sealing besides the keys", "entente/seal."},
	{"hashes and proofs of the ledger", "sumdb/tlog."},
	{"reading and writing acts", "entente/act."},
	{"ruling", "entente/ruling."},
	{"folding", "entente/catalogue."},
	{"collecting garbage", "runtime.gcBgMarkWorker"},
	{"collecting garbage", "runtime.bgsweep"},
	{"scheduling", "runtime.mcall"},
	{"scheduling", "runtime.schedule"},
	{"allocating", "runtime.mallocgc"},
}

// table says for what the processor's time in the profiles of both nodes went.
func table(b testing.TB, dir string, products int) string {
	b.Helper()
	spent, all := map[string][2]time.Duration{}, [2]time.Duration{}
	for i, name := range []string{"sender", "receiver"} {
		out, err := exec.Command("go", "tool", "pprof", "-traces", filepath.Join(dir, name+".pprof")).Output()
		if err != nil {
			b.Fatalf("reading the profile of the %s: %v", name, err)
		}
		for d, stack := range traces(out) {
			what := spender(stack)
			s := spent[what]
			s[i] += d
			all[i] += d
			spent[what] = s
		}
	}
	var t strings.Builder
	line := func(what string, s [2]time.Duration) {
		fmt.Fprintf(&t, "%9.0f %9.0f  %s\n", float64(s[0].Microseconds())/float64(products), float64(s[1].Microseconds())/float64(products), what)
	}
	fmt.Fprintf(&t, "%9s %9s\n", "sender", "receiver")
	for _, what := range slices.SortedFunc(maps.Keys(spent), func(x, y string) int {
		return int(spent[y][0] + spent[y][1] - spent[x][0] - spent[x][1])
	}) {
		line(what, spent[what])
	}
	line("microseconds of processor time a product", all)
	return t.String()
}

// traces reads what pprof prints: a rule, then the time with the innermost
// frame, then the other frames.
func traces(out []byte) func(func(time.Duration, []string) bool) {
	return func(yield func(time.Duration, []string) bool) {
		var took time.Duration
		var stack []string
		s := bufio.NewScanner(bytes.NewReader(out))
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			line := strings.TrimSpace(s.Text())
			if strings.HasPrefix(line, "-----") {
				if stack != nil && !yield(took, stack) {
					return
				}
				stack = nil
				continue
			}
			first, rest, ok := strings.Cut(line, " ")
			if d, err := time.ParseDuration(first); stack == nil && ok && err == nil {
				took, stack = d, []string{strings.TrimSpace(rest)}
			} else if stack != nil {
				stack = append(stack, line)
			}
		}
		if stack != nil {
			yield(took, stack)
		}
	}
}

func spender(stack []string) string {
	for _, s := range spenders {
		all := true
		for want := range strings.SplitSeq(s.in, ";") {
			all = all && slices.ContainsFunc(stack, func(f string) bool { return strings.Contains(f, want) })
		}
		if all {
			return s.what
		}
	}
	return "the rest"
}
