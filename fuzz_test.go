package entente_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What needs no target, with the reason.
const (
	own     = "it reads what this node wrote itself, in its encrypted database or the folder beside it"
	shipped = "it reads what the program holds itself"
	asked   = "it splits or finds what the system said"
)

// unread are packages whose readers are no part of a node.
var unread = []string{"demo", "demo/crop", "internal/sim", "internal/memory", "internal/line", "cmd/entente-sim", "ledger/ledgertest", "vault/vaulttest"}

// readers are all functions that make values of bytes, each with the fuzz target that reaches it,
// or with the reason why it needs none.
var readers = map[string]string{
	"act.Digest.UnmarshalText":        "act.FuzzParse",
	"act.Ed25519Verifier":             own,
	"act.Hash.UnmarshalText":          "act.FuzzParse",
	"act.Moment.UnmarshalJSON":        "act.FuzzParse",
	"act.Moment.UnmarshalText":        "act.FuzzParse",
	"act.NewP384Signer":               own,
	"act.ParseCard":                   "act.FuzzCard",
	"act.Unopened.verifies":           "internal/sim.FuzzPartner",
	"act.Parse":                       "act.FuzzParse",
	"act.ParseVerifier":               "act.FuzzParseVerifier",
	"act.Sum.UnmarshalText":           "act.FuzzParse",
	"act.checkSignatureLines":         "act.FuzzParse",
	"act.describe":                    "act.FuzzParseVerifier",
	"act.parseVerifier":               "act.FuzzParseVerifier",
	"act.unhex":                       "act.FuzzParse",
	"act.unmarshal":                   "act.FuzzParse",
	"atlas.(its variables)":           shipped,
	"carriage.NewCertificate":         own,
	"carriage.Post.Absorb":            "carriage.FuzzPosted",
	"carriage.Post.Held":              own,
	"carriage.Post.Receive":           "carriage.FuzzPosted",
	"carriage.Post.Relayed":           own,
	"carriage.Post.Holding":           own,
	"carriage.Post.TakeMedium":        "internal/sim.FuzzMedia",
	"carriage.Post.first":             own,
	"carriage.Post.inOrder":           own,
	"carriage.Post.readHandover":      "internal/sim.FuzzMedia",
	"carriage.ReadOuter":              "carriage.FuzzReadOuter",
	"carriage.hostOf":                 asked,
	"carriage.openJSON":               "carriage.FuzzInside",
	"carriage.papers":                 "carriage.FuzzPapers",
	"carriage.parcelReader.part":      "carriage.FuzzInside",
	"carriage.readDelivery":           "carriage.FuzzDelivery",
	"carriage.readFrame":              "carriage.FuzzFrame",
	"carriage.readHello":              "carriage.FuzzHello",
	"carriage.session.hear":           "carriage.FuzzHear",
	"carriage.session.parted":         "carriage.FuzzHear",
	"carriage.session.receiveParcels": "carriage.FuzzPosted",
	"carriage.session.serveWant":      "internal/sim.FuzzWant",
	"carriage.session.takeBlocks":     "internal/sim.FuzzFetch",
	"carriage.unpack":                 "carriage.FuzzUnpack",
	"carriage.unverified":             "carriage.FuzzMedium",
	"catalogue.Catalogue.Awaited":     own,
	"catalogue.Catalogue.Queue":       own,
	"catalogue.Catalogue.given":       own,
	"catalogue.Catalogue.queue":       own,
	"catalogue.Catalogue.waited":      own,
	"catalogue.counts":                own,
	"catalogue.parse":                 own,
	"catalogue.rows":                  own,
	"cmd/entente.asJSON":              "cmd/entente.FuzzShown",
	"cmd/entente.plain":               "cmd/entente.FuzzShown",
	"cmd/entente.day":                 "cmd/entente.FuzzTyped",
	"cmd/entente.lasts":               "cmd/entente.FuzzTyped",
	"cmd/entente.releaseCmd.draft":    "cmd/entente.FuzzArguments",
	"cmd/entente.serveCmd.serve":      asked,
	"cmd/entente.run":                 "its grammar is the one of cmd/entente.FuzzArguments",
	"cmd/entente.size.UnmarshalText":  "cmd/entente.FuzzTyped",
	"desk.Client.Get":                 "desk.FuzzClient",
	"desk.Client.Long":                "desk.FuzzClient",
	"desk.Client.Open":                "desk.FuzzClient",
	"desk.Client.Post":                "desk.FuzzClient",
	"desk.Client.Release":             "desk.FuzzClient",
	"desk.Client.do":                  "desk.FuzzClient",
	"desk.Server.Pages":               "internal/sim.FuzzPages",
	"desk.Server.enter":               "internal/sim.FuzzPages",
	"desk.Server.entries":             "internal/sim.FuzzRequests",
	"desk.Server.form":                "internal/sim.FuzzPages",
	"desk.Server.leave":               "internal/sim.FuzzPages",
	"desk.Server.pactPage":            "internal/sim.FuzzPages",
	"desk.Server.pacts":               "internal/sim.FuzzRequests",
	"desk.AskAbout":                   "desk.FuzzParseWhen",
	"desk.ParseWhen":                  "desk.FuzzParseWhen",
	"desk.Server.rulingPage":          "internal/sim.FuzzPages",
	"desk.Server.page":                "internal/sim.FuzzPages",
	"desk.Server.productPage":         "internal/sim.FuzzPages",
	"desk.Server.products":            "internal/sim.FuzzRequests",
	"desk.Server.release":             "internal/sim.FuzzRequests",
	"desk.Server.releasePage":         "internal/sim.FuzzPages",
	"desk.decode":                     "internal/sim.FuzzRequests",
	"desk.language":                   "internal/sim.FuzzPages",
	"desk.Server.parsed":              shipped,
	"desk.part":                       "internal/sim.FuzzRequests",
	"house.Parse":                     "house.FuzzParse",
	"house.validator":                 shipped,
	"imagery.Read":                    "imagery.FuzzRead",
	"imagery.Serve":                   "imagery.FuzzPreview",
	"imagery.ends":                    "imagery.FuzzRead",
	"imagery.limit":                   asked,
	"imagery.preview":                 "imagery.FuzzPreview",
	"imagery.small":                   "imagery.FuzzSmall",
	"internal/files.Open":             own,
	"internal/files.Shelf.Begun":      own,
	"internal/sqlite.Open":            own,
	"internal/sqlite.above.Open":      own,
	"internal/sqlite.below.Open":      own,
	"ledger.CheckEvidence":            "ledger.FuzzCheckEvidence",
	"ledger.CheckGrowth":              "ledger.FuzzProof",
	"ledger.Inclusion.Vouches":        "ledger.FuzzProof",
	"ledger.Ledger.begin":             own,
	"ledger.Load":                     own,
	"ledger.ReadCheckpoint":           "ledger.FuzzReadCheckpoint",
	"ledger.Tx.Bases":                 own,
	"ledger.Tx.Find":                  own,
	"ledger.openNote":                 "ledger.FuzzReadCheckpoint",
	"node.Node.loadEvidence":          own,
	"node.Open":                       "it opens our own folder; node.FuzzHeader reads what is plain there",
	"node.keys.open":                  own,
	"node.parseHeader":                "node.FuzzHeader",
	"pact.Pact.prepare":               "pact.FuzzParse",
	"pact.Parse":                      "pact.FuzzParse",
	"pact.ParsePhase":                 "it looks the word up in a closed list",
	"pact.decode":                     "pact.FuzzParse",
	"pact.day":                        "pact.FuzzParse",
	"pact.reader.life":                "pact.FuzzParse",
	"pact.reader.parties":             "pact.FuzzParse",
	"pact.reader.shape":               "pact.FuzzParse",
	"pact.reader.values":              "pact.FuzzParse",
	"pact.schema":                     shipped,
	"pact.whole":                      "pact.FuzzParse",
	"pact.zone":                       "pact.FuzzParse",
	"reading.Room.Open":               "internal/sim.FuzzRequests",
	"seal.NewEnvelope":                "seal.FuzzOpenEnvelope",
	"seal.Open":                       "seal.FuzzOpen",
	"seal.OpenEnvelope":               "seal.FuzzOpenEnvelope",
	"seal.ParseGrant":                 "seal.FuzzGrant",
	"seal.ParsePublicKey":             "seal.FuzzParsePublicKey",
	"seal.PrivateKey.unwrap":          "seal.FuzzUnwrap",
	"seal.PublicKey.parse":            "seal.FuzzParsePublicKey",
	"seal.file.share":                 "seal.FuzzManifest",
	"seal.integrity.check":            "seal.FuzzManifest",
	"seal.openContainer":              "seal.FuzzOpen",
	"seal.parse":                      "seal.FuzzManifest",
	"vault.Blocks.Check":              "internal/sim.FuzzFetch",
	"vault.ParseBlocks":               "vault.FuzzParseBlocks",
	"vault.ParseDigest":               "vault.FuzzParseDigest",
}

// TestFuzzed: each function that makes values of bytes stands in the table, and its target reaches it.
// A new one fails: give it a target with seeds from real data, or a reason that a reviewer believes.
func TestFuzzed(t *testing.T) {
	u := mentions(t)
	if len(u.reads) < 100 || len(u.fuzzes) < 30 {
		t.Fatalf("only %d readers and %d targets were found", len(u.reads), len(u.fuzzes))
	}
	reached := map[string]map[string]bool{}
	for f, by := range u.reads {
		how := readers[f]
		switch {
		case slices.ContainsFunc(unread, func(p string) bool { return strings.HasPrefix(f, p+".") }):
		case how == "":
			t.Errorf("%s makes values of bytes (by %s) and is not in the table of fuzz_test.go: give it a fuzz target with seeds, or say there why it needs none", f, by)
		case strings.Contains(how, " "): // a reason
		case !u.fuzzes[how]:
			t.Errorf("%s is read by no target: there is no %s", f, how)
		default:
			if reached[how] == nil {
				reached[how] = u.reached(how)
			}
			if !reached[how][f] {
				t.Errorf("%s is said to be reached by %s, which mentions nothing that leads to it", f, how)
			}
		}
	}
	for f := range readers {
		if u.reads[f] == "" {
			t.Errorf("%s makes no values of bytes any more: strike it from the table", f)
		}
	}
	text, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for f := range u.fuzzes {
		if !u.reached(f)["a seed"] {
			t.Errorf("%s begins from nothing: add seeds of real data", f)
		}
		if row := strings.Replace(filepath.Base(f), ".Fuzz", " ", 1); !strings.Contains(string(text), "| "+row+" |") {
			t.Errorf("docs/reliability.md tells no figure of %s: add a row %q to its table", f, row)
		}
	}
}

// listed is what the go command tells of a package.
type listed struct {
	ImportPath, Dir, Export            string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

// uses is what the functions of the module mention, by name: "carriage.session.hear".
type uses struct {
	of      map[string]map[string]bool // a function → the functions of the module that it mentions
	reads   map[string]string          // a function that makes values of bytes → by what
	fuzzes  map[string]bool            // fuzz targets
	methods map[string][]string        // the name of a method → all that bear it
}

// decoding are functions and methods of other modules that make values of bytes, by
// their names: so that a package which nobody has thought of yet is seen too.
var decoding = regexp.MustCompile(`^((Must)?Parse|Unmarshal|Decode|NewDecoder|Scan|Sscan|Fscan|Atoi|Unquote|Uvarint|Varint|Uint(16|32|64)$|` +
	`New\w+FromBytes|New(Public|Encapsulation|HybridPublic)Key|NewRecipient$|FormValue|PostForm|PathValue|Cookie|MultipartReader|NextPart|NextRawPart|UnescapeString|QueryUnescape)`)

// opening are those whose names say less.
var opening = map[string]bool{"golang.org/x/mod/sumdb/note.Open": true, "golang.org/x/mod/sumdb/note.NewVerifier": true, "golang.org/x/mod/sumdb/note.NewSigner": true,
	"golang.org/x/mod/sumdb/tlog.CheckRecord": true, "golang.org/x/mod/sumdb/tlog.CheckTree": true, "encoding/csv.NewReader": true, "archive/zip.NewReader": true,
	"archive/zip.OpenReader": true, "archive/tar.NewReader": true, "compress/gzip.NewReader": true, "net.SplitHostPort": true, "net/http.Header.Get": true, "net/url.Values.Get": true}

// harmless are those that are named so and read nothing.
var harmless = map[string]bool{"math/rand/v2.Rand.Uint64": true, "math/rand/v2.PCG.Uint64": true, "math/rand/v2.Uint64": true}

// ours are our own functions that are parsers by their name and what they take.
var ours = regexp.MustCompile(`^(Parse|Read|Open|Decode|Check|Unmarshal|Take|Absorb|Receive)`)

// mentions type-checks the module, and its fuzz targets.
func mentions(t *testing.T) *uses {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[l.ImportPath] = l
	}
	u := &uses{map[string]map[string]bool{}, map[string]string{}, map[string]bool{}, map[string][]string{}}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if all[path].Export == "" {
			return nil, fmt.Errorf("%s is not built", path)
		}
		return os.Open(all[path].Export)
	})
	for path, l := range all {
		if path == "entente" || !strings.HasPrefix(path, "entente/") {
			continue
		}
		for _, files := range [][]string{append(slices.Clone(l.GoFiles), l.TestGoFiles...), l.XTestGoFiles} {
			if len(files) == 0 {
				continue
			}
			var parsed []*ast.File
			for _, name := range files {
				f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				parsed = append(parsed, f)
			}
			info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
			// What only tests import is not built here: those few mentions are not seen.
			cfg := types.Config{Importer: imports, Error: func(error) {}}
			_, _ = cfg.Check(path, fset, parsed, info)
			for i, f := range parsed {
				u.file(f, strings.TrimPrefix(path, "entente/"), info, strings.HasSuffix(files[i], "_test.go"))
			}
		}
	}
	return u
}

// file notes what the functions of a file mention.
func (u *uses) file(f *ast.File, pkg string, info *types.Info, test bool) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			u.body(d, pkg+".(its variables)", info, test)
			continue
		}
		obj, ok := info.Defs[fn.Name].(*types.Func)
		if !ok {
			continue
		}
		name := nameOf(obj)
		if obj.Signature().Recv() != nil {
			u.methods[obj.Name()] = append(u.methods[obj.Name()], name)
		}
		if test && strings.HasPrefix(obj.Name(), "Fuzz") {
			u.fuzzes[name] = true
		}
		u.body(fn, name, info, test)
		if !test && fn.Name.IsExported() && ours.MatchString(obj.Name()) && obj.Name() != "Read" && obj.Name() != "ReadAt" && takesBytes(obj.Signature()) {
			u.reads[name] = "its name"
		}
	}
}

// body notes what a function mentions, or the variables of a package.
func (u *uses) body(of ast.Node, name string, info *types.Info, test bool) {
	if u.of[name] == nil {
		u.of[name] = map[string]bool{}
	}
	ast.Inspect(of, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		used, ok := info.Uses[id].(*types.Func)
		if !ok || used.Pkg() == nil {
			return true
		}
		switch p := used.Pkg().Path(); {
		case strings.HasPrefix(p, "entente/"):
			to := nameOf(used)
			if r := used.Signature().Recv(); r != nil && types.IsInterface(r.Type()) {
				to = "*." + used.Name() // of whoever implements it
			}
			u.of[name][to] = true
		case p == "testing" && short(used) == "F.Add":
			u.of[name]["a seed"] = true
		case !test && !harmless[p+"."+short(used)] && (decoding.MatchString(used.Name()) || opening[p+"."+short(used)]):
			u.reads[name] = p + "." + short(used)
		}
		if used.Pkg().Path() == "encoding/json" && decoding.MatchString(used.Name()) { // which calls them by itself
			u.of[name]["*.UnmarshalText"], u.of[name]["*.UnmarshalJSON"] = true, true
		}
		return true
	})
}

// nameOf is a function's name with its package below the module and its receiver.
func nameOf(f *types.Func) string {
	return strings.TrimSuffix(strings.TrimPrefix(f.Pkg().Path(), "entente/"), "_test") + "." + short(f)
}

func short(f *types.Func) string {
	r := f.Signature().Recv()
	if r == nil {
		return f.Name()
	}
	t := r.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name() + "." + f.Name()
	}
	return f.Name()
}

// takesBytes reports whether a function takes bytes, a string or a reader.
func takesBytes(s *types.Signature) bool {
	for v := range s.Params().Variables() {
		switch v.Type().String() {
		case "[]byte", "string", "io.Reader", "io.ReaderAt":
			return true
		}
	}
	return false
}

// reached are the functions that a target mentions, directly or by others.
func (u *uses) reached(target string) map[string]bool {
	seen := map[string]bool{}
	for todo := []string{target}; len(todo) > 0; {
		f := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[f] {
			continue
		}
		seen[f] = true
		if m, ok := strings.CutPrefix(f, "*."); ok {
			todo = append(todo, u.methods[m]...)
		}
		for to := range u.of[f] {
			todo = append(todo, to)
		}
	}
	return seen
}
