// Package node assembles a party's node: it opens the engines, hands each
// office its tools and starts the doors. [Init] makes a data folder, [Open]
// opens one, [Node.Serve] runs it. New is the only wiring; read it from top to
// bottom to know what a node is.
//
// Time, randomness, network and storage come in here ([Seams]), so that two
// nodes can run in one process under a clock that a test turns.
package node

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/catalogue"
	"entente/chancery"
	"entente/house"
	"entente/intake"
	"entente/internal/files"
	"entente/internal/sqlite"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/ruling"
	"entente/seal"
	"entente/vault"

	"golang.org/x/mod/sumdb/note"
)

// Seams are the outside world.
type Seams struct {
	Now     func() time.Time
	Random  io.Reader
	Connect func(ctx context.Context, address string) (net.Conn, error)
	Log     *slog.Logger
	// Preview shows a picture from outside small: imagery.Child does, in a confined
	// process. nil: pictures are not shown.
	Preview func(ctx context.Context, r io.ReaderAt, size int64, most int) (image.Image, error)
	// Signer makes the signer called name from 48 secret bytes, and its verifier's
	// string, in place of the hybrid suite: a simulated world has a cheap one whose
	// signatures repeat. Nil: the real suite, P-384 and ML-DSA-87.
	Signer func(name string, secret []byte) (note.Signer, string, error)
	// SealKey makes the key that a seed determines; nil: seal.NewPrivateKey. A simulated
	// world, whose nodes start again and again, keeps those that it made.
	SealKey func(seed []byte) (*seal.PrivateKey, error)
	// Aside runs what goes on beside its caller, who waits for its end: a block that is
	// written while the next one is made. Nil: as a goroutine; a simulated world has one only.
	Aside func(func())
}

// World returns the real one.
func World(log *slog.Logger) Seams {
	d := &net.Dialer{Timeout: 10 * time.Second}
	return Seams{Now: time.Now, Random: crand.Reader, Log: log,
		Connect: func(ctx context.Context, a string) (net.Conn, error) { return d.DialContext(ctx, "tcp", a) }}
}

// Node is a party's node, ready to serve.
type Node struct {
	Card      act.Card
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Vault     *vault.Vault
	Chancery  *chancery.Office
	Release   *release.Office
	Intake    *intake.Office
	Reading   *reading.Room
	Carriage  *carriage.Direct

	seams   Seams
	dir     string
	unlock  func() error
	mu      sync.Mutex
	persons map[string]note.Signer
	house   ruling.House

	folding chan struct{} // held by who folds entries again

	convicts  sync.Mutex             // held by who enters evidence
	unentered map[string]act.Dispute // evidence that no entry names yet, by its file

	unneeded []vault.Digest // when the node began
	swept    sync.Once
}

// Found is what Init is told of the party.
type Found struct {
	Party   act.Party
	Name    act.Names
	Persons []act.Person // without keys: Init draws them
	House   ruling.House
}

// Init makes a data folder with fresh keys and enters the party's first acts.
// It refuses a folder that holds anything.
func Init(ctx context.Context, dir string, s Secret, f Found, seams Seams) (err error) {
	if err := f.Party.Check(); err != nil {
		return err
	}
	if err := Vacant(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	clean(dir)
	// The mark of the making goes first and the header last: a folder with the one
	// and without the other is not a node, and is made again.
	if err := files.WriteFile(dir, makingFile, nil); err != nil {
		return err
	}
	h, key, err := newHeader(string(f.Party), s, seams.Random)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			clean(dir)
		}
	}()
	if err := found(ctx, dir, key, f, seams); err != nil {
		return err
	}
	vault, err := files.Open(filepath.Join(dir, vaultDir))
	if err == nil {
		err = errors.Join(vault.Close(), files.WriteFile(filepath.Join(dir, vaultDir), belongs, h.mark()))
	}
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	if err := files.WriteFile(dir, headerFile, append(b, '\n')); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, makingFile))
}

// unfinished reports whether an Init was cut short in dir.
func unfinished(dir string) bool {
	_, making := os.Stat(filepath.Join(dir, makingFile))
	_, header := os.Stat(filepath.Join(dir, headerFile))
	return making == nil && errors.Is(header, os.ErrNotExist)
}

// Vacant says why [Init] can make no node in dir; nil: it can. It changes nothing.
func Vacant(dir string) error {
	there, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("making the data folder: %w", err)
	case len(there) > 0 && !unfinished(dir):
		return fmt.Errorf("%s is not empty: a node wants a folder of its own", dir)
	}
	return nil
}

// Exists reports whether dir holds anything of a node's; one whose header is lost
// is there too, and Open says what is missing.
func Exists(dir string) bool {
	for _, name := range []string{headerFile, databaseFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
}

// clean takes back what a failed Init made, so that it can be tried again.
func clean(dir string) {
	for _, name := range append(sqlite.Files(databaseFile), lockFile, vaultDir, headerFile+".new", makingFile) {
		_ = os.RemoveAll(filepath.Join(dir, name))
	}
}

const (
	databaseFile = "entente.db"
	foldedFile   = "folded.db" // there while tables are compared
	lockFile     = "lock"
	makingFile   = "making" // there while Init runs
	vaultDir     = "vault"
	evidenceDir  = "evidence"
)

func found(ctx context.Context, dir string, key []byte, f Found, seams Seams) (err error) {
	shelf, err := sqlite.Open(filepath.Join(dir, databaseFile), key)
	if err != nil {
		return err
	}
	return errors.Join(Establish(ctx, dir, shelf, f, seams), shelf.Close())
}

// Establish draws a party's keys onto an empty shelf and enters its first acts.
// Init does it in a folder of its own; [New] wires the node.
func Establish(ctx context.Context, dir string, shelf ledger.Shelf, f Found, seams Seams) error {
	k, err := newKeys(f.Party, seams.Random)
	if err != nil {
		return err
	}
	o, err := k.open(f.Party, f.Name, seams)
	if err != nil {
		return err
	}
	err = shelf.Update(ctx, func(r ledger.Rows) error {
		return errors.Join(ledger.Save(r, tableKeys, "node", k), ledger.Save(r, tableSettings, "card", o.card), ledger.Save(r, tableSettings, "house", f.House))
	})
	if err != nil {
		return err
	}
	n, err := New(ctx, dir, shelf, nil, seams)
	if err != nil {
		return err
	}
	err = n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		s, err := n.Catalogue.Statement(tx, seams.Now(), act.NodeOpened, o.card)
		if err != nil {
			return err
		}
		_, err = n.Catalogue.Enter(tx, s, nil)
		return err
	})
	for _, p := range f.Persons {
		err = errors.Join(err, n.Enrol(ctx, p))
	}
	return err
}

// Open opens the folder of a node, which no other process may have open.
func Open(ctx context.Context, dir string, s Secret, seams Seams) (*Node, error) {
	h, err := readHeader(dir)
	if err != nil {
		return nil, err
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	key, err := h.open(s)
	if err != nil {
		return nil, err
	}
	if err := h.whole(dir); err != nil {
		return nil, err
	}
	unlock, err := lockFolder(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	n, err := open(ctx, dir, key, seams)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	n.unlock = unlock
	if err := n.forget(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func open(ctx context.Context, dir string, key []byte, seams Seams) (*Node, error) {
	shelf, err := sqlite.Open(filepath.Join(dir, databaseFile), key)
	if errors.Is(err, sqlite.ErrKey) { // the header's key is right, so the file is not
		return nil, fmt.Errorf("%s of %s is damaged, or of another node: put this node's newest copy back: %w", databaseFile, dir, err)
	}
	if err != nil {
		if cause := sqlite.Cause(err); cause != nil {
			seams.Log.Error("the database failed", "while", "opening", "why", cause.Error())
		}
		return nil, err
	}
	shelf.Log = func(while string, cause error) {
		seams.Log.Error("the database failed", "while", while, "why", cause.Error())
	}
	v, err := files.Open(filepath.Join(dir, vaultDir))
	if err != nil {
		return nil, errors.Join(err, shelf.Close())
	}
	n, err := New(ctx, dir, shelf, v, seams)
	if err != nil {
		return nil, errors.Join(err, shelf.Close())
	}
	return n, nil
}

// private refuses a folder that others may look into.
func private(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be read by others: chmod 700 it", dir)
	}
	return nil
}

// New wires a node on its two shelves, and sweeps what a crash left.
func New(ctx context.Context, dir string, shelf ledger.Shelf, shelves vault.Shelf, seams Seams) (*Node, error) {
	var k keys
	var card act.Card
	n := &Node{seams: seams, dir: dir, folding: make(chan struct{}, 1), unlock: func() error { return nil }}
	err := shelf.View(ctx, func(r ledger.Rows) (err error) {
		var ok bool
		if k, ok, err = ledger.Load[keys](r, tableKeys, "node"); err != nil || !ok {
			return errors.Join(err, errors.New("opening the node: its keys are not there"))
		}
		if n.house, _, err = ledger.Load[ruling.House](r, tableSettings, "house"); err != nil {
			return err
		}
		card, _, err = ledger.Load[act.Card](r, tableSettings, "card")
		return err
	})
	if err != nil {
		return nil, err
	}
	o, err := k.open(card.Party, card.Name, seams)
	if err != nil {
		return nil, err
	}
	n.Card = o.card
	n.Catalogue = &catalogue.Catalogue{Own: card.Party}
	n.Ledger = ledger.Open(shelf, ledger.Config{Party: card.Party, Signers: o.signers, Fold: n.Catalogue.Fold})
	if shelves != nil {
		n.Vault = vault.New(shelves)
		n.Vault.Aside = seams.Aside
		n.Vault.Inline = n.inline
	}
	n.Chancery = &chancery.Office{Card: n.Card, Ledger: n.Ledger, Catalogue: n.Catalogue, Signer: n.signer, Now: seams.Now}
	law, err := readLaw(filepath.Join(dir, LawName))
	if err != nil {
		return nil, err
	}
	n.Release = &release.Office{Law: law, Card: n.Card, Ledger: n.Ledger, Catalogue: n.Catalogue, Vault: n.Vault, Key: o.seal, Signer: n.signer, House: n.House, Now: seams.Now, Random: seams.Random}
	n.Intake = &intake.Office{Law: law, Aside: seams.Aside, Own: card.Party, Ledger: n.Ledger, Catalogue: n.Catalogue, Now: seams.Now}
	n.Reading = &reading.Room{Law: law, Own: card.Party, Ledger: n.Ledger, Catalogue: n.Catalogue, Vault: n.Vault, Key: o.seal, Signer: n.signer, Now: seams.Now}
	n.Carriage = &carriage.Direct{Own: n.Card, Certificate: o.cert, Ledger: n.Ledger, Catalogue: n.Catalogue, Intake: n.Intake, Vault: n.Vault,
		Now: seams.Now, Connect: seams.Connect, Jitter: rand.New(rand.NewPCG(seed(seams.Random), 0)), Evidence: n.evidence, Log: seams.Log}
	n.Carriage.Post = &carriage.Post{Direct: n.Carriage, Key: o.seal, Signers: o.signers, Random: seams.Random}
	n.Carriage.Agreed = func(ctx context.Context) { n.swept.Do(func() { n.agreed(ctx) }) }
	n.Carriage.Doubt, n.Carriage.Halted = n.doubt, n.Release.Halted
	if err := errors.Join(n.loadPersons(ctx), n.loadEvidence()); err != nil || n.Vault == nil {
		return n, err
	}
	return n, n.sweep(ctx)
}

// inline reads a sealed object that stands in the ledger's rows.
func (n *Node) inline(ctx context.Context, d vault.Digest) (b []byte, err error) {
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		b, err = tx.Get(vault.Table, d[:])
		return err
	})
	return b, err
}

// LawName is the file of house rules in a data folder. There may be none.
const LawName = "house.cedar"

func readLaw(path string) (*house.Rules, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the house rules: %w", err)
	}
	r, problems := house.Parse(text)
	if len(problems) > 0 {
		return nil, fmt.Errorf("the house rules in %s have %s, first: %s; see them all with 'entente house check'", path, pact.Mistakes(len(problems)), problems[0])
	}
	return r, nil
}

// sweep removes what was staged and broke off, and what was destroyed. What
// nothing here needs is only noted: should this ledger be an old one that was
// put back, its newer products' content is all there is of them.
func (n *Node) sweep(ctx context.Context) error {
	needed, gone, err := n.needed(ctx)
	if err != nil {
		return err
	}
	_, err = n.Vault.Sweep(ctx, func(d vault.Digest) bool {
		if !needed[d] && !gone[d] {
			n.unneeded = append(n.unneeded, d)
		}
		return !gone[d]
	})
	return err
}

// agreed removes what nothing here needed when the node began, once a partner has
// shown that it knows no newer ledger of ours.
func (n *Node) agreed(ctx context.Context) {
	needed, _, err := n.needed(ctx)
	for _, d := range n.unneeded {
		if err == nil && !needed[d] {
			err = n.Vault.Remove(ctx, d)
		}
	}
	if err != nil && ctx.Err() == nil {
		n.seams.Log.Error("sweeping the vault", "why", err.Error())
	}
}

// needed lists the objects that products and parcels here need, and those of
// products that were destroyed.
func (n *Node) needed(ctx context.Context) (needed, gone map[vault.Digest]bool, err error) {
	needed, gone = map[vault.Digest]bool{}, map[vault.Digest]bool{}
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for cu, err := range n.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			if cu.Destroyed[n.Card.Party] != nil {
				gone[vault.Digest(cu.Seal.Vault)] = true
			} else {
				needed[vault.Digest(cu.Seal.Vault)] = true
			}
		}
		held, err := n.Carriage.Post.Held(tx)
		for _, d := range held {
			needed[d] = true
		}
		return err
	})
	return needed, gone, err
}

func seed(random io.Reader) (s uint64) {
	var b [8]byte
	_, _ = io.ReadFull(random, b[:])
	for _, c := range b {
		s = s<<8 | uint64(c)
	}
	return s
}

// House returns the party's own rules on top of its pacts.
func (n *Node) House() ruling.House {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.house
}

// Enrol enters a person, with a fresh key when there is none yet.
func (n *Node) Enrol(ctx context.Context, p act.Person) error {
	var old act.Person
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		old, _, err = n.Catalogue.Person(tx, p.Name)
		return err
	})
	if err != nil {
		return err
	}
	if p.Key = old.Key; p.Key == "" {
		if p.Key, err = n.newPersonKey(ctx, p.Name); err != nil {
			return err
		}
	}
	if err := n.Chancery.Enrol(ctx, p); err != nil {
		return err
	}
	return n.loadPersons(ctx)
}

// Address returns where partner p is called, and SetAddress changes it.
func (n *Node) Address(ctx context.Context, p act.Party) (a string, err error) {
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		a, _, err = ledger.Load[string](tx, tableSettings, "address/"+string(p))
		return err
	})
	return a, err
}

// SetAddress sets where partner p is called; empty: it calls us.
func (n *Node) SetAddress(ctx context.Context, p act.Party, a string) error {
	return n.Ledger.Update(ctx, func(tx *ledger.Tx) error { return ledger.Save(tx, tableSettings, "address/"+string(p), a) })
}

// Verify verifies the whole ledger and every kept product.
func (n *Node) Verify(ctx context.Context, progress func(done, all int64)) (act.Head, error) {
	head, err := n.Ledger.Verify(ctx, n.Card, progress)
	if err != nil {
		return head, err
	}
	var kept []product.Custody
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for cu, err := range n.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			_, received := cu.Received[n.Card.Party]
			if cu.Destroyed[n.Card.Party] == nil && (received || cu.Manifest.Originator == n.Card.Party) {
				kept = append(kept, cu)
			}
		}
		return nil
	})
	for _, cu := range kept {
		if err == nil {
			if err = n.Vault.Verify(ctx, vault.Digest(cu.Seal.Vault)); err != nil {
				err = fmt.Errorf("verifying the content of %s: %w", cu.Manifest.Number, err)
			}
		}
	}
	return head, err
}

// Serve runs the node until ctx ends or storage fails: it answers partners on
// l (nil: nobody can call), calls those whose address is known, and answers
// askings for shares.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	if l != nil {
		wg.Go(func() {
			if err := n.Carriage.Listen(ctx, l); err != nil {
				cancel(err)
			}
		})
	}
	wg.Go(func() { n.follow(ctx, &wg) })
	wg.Go(func() { n.watch(ctx) })
	select {
	case <-ctx.Done():
	case <-n.Vault.Died():
		cancel(fmt.Errorf("the node stops: %w", n.Vault.Err()))
	case <-n.Ledger.Died():
		cancel(n.Ledger.Err())
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// follow does what the ledger asks for as it grows: it calls each new partner,
// and lends shares.
func (n *Node) follow(ctx context.Context, wg *sync.WaitGroup) {
	called := map[act.Party]bool{}
	for {
		grown := n.Ledger.Grown()
		partners, err := n.Step(ctx)
		for _, p := range partners {
			if p.Parked != "" {
				n.Carriage.Park(p.Card.Party)
			}
			if p := p.Card.Party; !called[p] {
				called[p] = true
				wg.Go(func() {
					n.Carriage.Dial(ctx, p, func() string { a, _ := n.Address(ctx, p); return a })
				})
			}
		}
		if err != nil && ctx.Err() == nil {
			n.seams.Log.Error("following the ledger", "why", err.Error())
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

// Step is one step of following the ledger: it enters what could not be entered
// before, lends the shares that are asked for, and returns the partners, who are to be called.
func (n *Node) Step(ctx context.Context) (partners []catalogue.Partner, err error) {
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		partners, err = n.Catalogue.Partners(tx)
		return err
	})
	_, lent := n.Release.Answer(ctx)
	return partners, errors.Join(err, n.enterEvidence(ctx), lent)
}

// Close closes the folder.
func (n *Node) Close() error { return errors.Join(n.Ledger.Close(), n.unlock()) }

// Dir returns the data folder.
func (n *Node) Dir() string { return n.dir }
