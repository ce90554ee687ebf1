// Package catalogue is the present state of a node, folded from its ledger:
// persons, partners, pacts, products and what waits.
//
// [Catalogue.Fold] is given to the ledger, which calls it inside the
// transaction that enters an act: act and effect commit together. Every
// other method reads. All rows can be deleted and folded again
// (ledger.Rebuild); they hold nothing that the entries do not.
package catalogue

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/pact"
	"entente/product"

	"golang.org/x/mod/sumdb/note"
)

const (
	tablePerson  = ledger.FoldPrefix + "person"  // name → act.Person
	tablePartner = ledger.FoldPrefix + "partner" // party → Partner
	tableCount   = ledger.FoldPrefix + "count"   // party → its acts taken in, and ours that are for it: 8 bytes each
	tableText    = ledger.FoldPrefix + "text"    // sum of a pact's text → text
	tableEarly   = ledger.FoldPrefix + "early"   // pact/sum/index of a step that came before its text, digest/index of an answer that came before its notice → index
	tablePact    = ledger.FoldPrefix + "pact"    // pact/sum → Row
	tableProduct = ledger.FoldPrefix + "product" // number → product.Custody
	tableByEntry = ledger.FoldPrefix + "entry"   // index of its release → number
	tableQueue   = ledger.FoldPrefix + "queue/"  // + party: place → index of the act that is for it, bytes up to its end, 1 for a receipt
	tableAwaited = ledger.FoldPrefix + "awaited" // party/index of the release → Awaited
	tableWaits   = ledger.FoldPrefix + "waits"   // digest of a release that is not answered yet → Waits
	tableAsked   = ledger.FoldPrefix + "asked"   // digest of an asking of a partner's → Asked
	tableConsent = ledger.FoldPrefix + "consent" // number/digest → Consent
	tableSpent   = ledger.FoldPrefix + "spent"   // digest of an approval that is not here, and index of an act that used it → index
	tableMandate = ledger.FoldPrefix + "mandate" // digest → Mandate
	tableClock   = ledger.FoldPrefix + "clock"   // "own" → the moment of our last entry
	tableOpen    = ledger.FoldPrefix + "open"    // digest of a notice of law → Open
	tableAssured = ledger.FoldPrefix + "assured" // pact/digest → product.Assurance
	tableVisit   = ledger.FoldPrefix + "visit"   // digest → product.Visit
	tableBlocked = ledger.FoldPrefix + "blocked" // pact → why nothing under it proceeds
)

// Catalogue folds and reads one node's state.
type Catalogue struct {
	Own act.Party

	mu     sync.Mutex
	texts  map[act.Sum]*pact.Pact // parsed texts: they never change
	parsed map[string]parsed      // by table and key
}

// parsed is a row as it was parsed last: the same bytes say the same.
type parsed struct {
	row   []byte
	value any
}

// maxParsed bounds the rows that stay parsed: a product's is asked for until it is received.
const maxParsed = 1 << 10

// load reads the JSON value of a row, as ledger.Load does. It is not to be changed.
func load[T any](c *Catalogue, tx *ledger.Tx, table, key string) (v T, ok bool, err error) {
	row, err := tx.Get(table, []byte(key))
	if err != nil || row == nil {
		return v, false, err
	}
	v, err = parse[T](c, table, key, row)
	return v, err == nil, err
}

func parse[T any](c *Catalogue, table, key string, row []byte) (v T, err error) {
	at := table + "/" + key
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.parsed[at]; ok && bytes.Equal(last.row, row) {
		return last.value.(T), nil
	}
	if err := json.Unmarshal(row, &v); err != nil {
		return v, fmt.Errorf("reading %s %q: the row is damaged: put the newest backup's copy of the folder back", table, key)
	}
	if c.parsed == nil || len(c.parsed) >= maxParsed {
		c.parsed = make(map[string]parsed)
	}
	c.parsed[at] = parsed{row, v}
	return v, nil
}

// Partner is a party that we know.
type Partner struct {
	Card        act.Card                 `json:"card"`
	Code        string                   `json:"code"`
	Known       act.Moment               `json:"known"`
	Received    int64                    `json:"-"`                     // acts of its that were taken in
	Queued      int64                    `json:"-"`                     // acts of ours that are for it
	Authorities map[string]act.Authority `json:"authorities,omitempty"` // its persons, notified to us
	Notified    map[string]act.Authority `json:"notified,omitempty"`    // our persons, notified to it
	Disputed    string                   `json:"disputed,omitempty"`
	Via         act.Party                `json:"via,omitempty"`    // the hub that it is reached by; empty: directly
	Parked      string                   `json:"parked,omitempty"` // why an officer of ours parked the link; empty: none did
}

// Awaited is content that was released to us and is not here yet.
type Awaited struct {
	Number act.Number `json:"number"`
	Vault  act.Sum    `json:"vault"`
	Size   int64      `json:"size"`
}

// Waits is a release of a partner's that is not answered yet: approvals that it
// names are not here.
type Waits struct {
	From act.Party  `json:"from"`
	At   act.Moment `json:"at"`
	act.Waiting
}

// Asked is a partner's asking for our share of a key, not answered yet.
type Asked struct {
	Act    act.Digest `json:"act"`
	From   act.Party  `json:"from"`
	Number act.Number `json:"number"`
	Person string     `json:"person"`
}

// Row is a pact under one text.
type Row struct {
	ID      act.PactID `json:"id"`
	Text    act.Sum    `json:"text"`
	By      act.Party  `json:"by"`      // who proposed it first
	Entered int64      `json:"entered"` // index of the proposal
	Life    pact.Life  `json:"life"`
}

// ErrClock says that our clock was set back: nothing is entered until it is right,
// or protection could be shortened and ended grants revived.
var ErrClock = errors.New("our clock is behind our own ledger: set it right, then try again")

// ClockSlack is how far a clock may step back unnoticed: what a time service
// mends in one step.
const ClockSlack = time.Minute

// ClockBehind reports whether our clock is behind our own last entry, which is of the moment
// that it returns: set back, or that entry was made by a clock that was ahead.
func (c *Catalogue) ClockBehind(tx *ledger.Tx, now time.Time) (act.Moment, bool, error) {
	last, _, err := ledger.Load[act.Moment](tx, tableClock, "own")
	return last, now.Before(last.Add(-ClockSlack)), err
}

// Moment is when what is ruled on now would be entered: our clock's time or, where the clock
// stepped back within its slack, that of our last entry. What had ended by then stays ended.
func (c *Catalogue) Moment(tx *ledger.Tx, now time.Time) (time.Time, error) {
	last, behind, err := c.ClockBehind(tx, now)
	if now.Before(last.Time) && !behind {
		now = last.Time
	}
	return now, err
}

// Statement begins an act of this node's: the caller adds the pact, and Enter signs it.
func (c *Catalogue) Statement(tx *ledger.Tx, now time.Time, k act.Kind, body any, to ...act.Party) (act.Act, error) {
	last, behind, err := c.ClockBehind(tx, now)
	if err != nil {
		return act.Act{}, err
	}
	if behind {
		return act.Act{}, fmt.Errorf("%w: it says %s, and the last entry is of %s; if it is right now, it was ahead then: 'entente status' tells the ways out", ErrClock, now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	if now.Before(last.Time) {
		now = last.Time // acts are dated in their order: a partner refuses one that is not (R55)
	}
	a := act.Act{Version: act.Version, Kind: k, From: c.Own, To: to, At: act.MomentOf(now), Period: 1, Body: body}
	if len(to) != 1 {
		return a, nil
	}
	head, err := tx.PeerHead(to[0])
	if err == nil && head.Size > 0 {
		a.Seen = &head
	}
	return a, err
}

// Enter appends an act of the person whose signer s is, or, when s is nil, of
// the node itself.
func (c *Catalogue) Enter(tx *ledger.Tx, a act.Act, s note.Signer) (ledger.Entry, error) {
	if s != nil {
		a.By = s.Name()
	}
	v, err := act.Sign(a, s)
	if err != nil {
		return ledger.Entry{}, err
	}
	return tx.Append(v)
}

// Person reads one of our own persons.
func (c *Catalogue) Person(tx *ledger.Tx, name string) (act.Person, bool, error) {
	return load[act.Person](c, tx, tablePerson, name)
}

// Persons reads all our own persons, by name.
func (c *Catalogue) Persons(tx *ledger.Tx) ([]act.Person, error) {
	return rows[act.Person](tx, tablePerson, "")
}

// Partner reads a partner. Its maps are not to be changed.
func (c *Catalogue) Partner(tx *ledger.Tx, p act.Party) (Partner, bool, error) {
	row, err := tx.Get(tablePartner, []byte(p))
	if err != nil || row == nil {
		return Partner{}, false, err
	}
	partner, err := parse[Partner](c, tablePartner, string(p), row)
	if err != nil {
		return Partner{}, false, err
	}
	partner.Received, partner.Queued, err = counts(tx, p)
	return partner, true, err
}

func counts(tx *ledger.Tx, p act.Party) (received, queued int64, err error) {
	b, err := tx.Get(tableCount, []byte(p))
	if err != nil || b == nil {
		return 0, 0, err
	}
	if len(b) != 16 {
		return 0, 0, fmt.Errorf("reading the counts of %s: not two numbers", p)
	}
	return int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:])), nil
}

// Partners reads all partners, by party.
func (c *Catalogue) Partners(tx *ledger.Tx) ([]Partner, error) {
	var all []Partner
	for row, err := range tx.Scan(tablePartner, nil, nil) {
		if err != nil {
			return nil, err
		}
		p, _, err := c.Partner(tx, act.Party(row.Key))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Keys returns the verifiers of persons whom partners notified.
func (c *Catalogue) Keys(tx *ledger.Tx) act.Keys {
	return func(from act.Party, by string) (note.Verifier, error) {
		partner, _, err := c.Partner(tx, from)
		if err != nil {
			return nil, err
		}
		return partner.Keys(from, by)
	}
}

// Keys finds the verifier of a person whom the partner notified.
func (p *Partner) Keys(from act.Party, by string) (note.Verifier, error) {
	name, _, _ := strings.Cut(by, "@")
	a, ok := p.Authorities[name]
	if !ok || from != p.Card.Party {
		return nil, fmt.Errorf("%s never notified this person", from)
	}
	return act.ParseVerifier(a.Key)
}

// Pact reads the pact called id: of the texts that came into force the highest
// version, which amends the others (R57) and ends them with itself; else the one
// proposed last. It reports false when none was ever proposed.
func (c *Catalogue) Pact(tx *ledger.Tx, id act.PactID, now time.Time) (*pact.Pact, Row, bool, error) {
	var best *pact.Pact
	var row Row
	in := false
	all, err := c.under(tx, id)
	if err != nil {
		return nil, Row{}, false, err
	}
	for _, r := range all {
		p, err := c.text(tx, r.Text)
		if err != nil {
			return nil, Row{}, false, err
		}
		phase := p.Phase(r.Life, now)
		came := phase.Transfers() || phase == pact.Terminated
		switch {
		case best == nil, came && !in:
		case came != in, in && p.Version <= best.Version, !in && r.Entered < row.Entered:
			continue
		}
		best, row, in = p, r, came
	}
	return best, row, best != nil, nil
}

// PactUnder reads the pact under one text, in force or not: a product keeps
// the terms that it was released under.
func (c *Catalogue) PactUnder(tx *ledger.Tx, id act.PactID, text act.Sum) (*pact.Pact, Row, bool, error) {
	key := string(id) + "/" + text.String()
	r, ok, err := load[Row](c, tx, tablePact, key)
	if err != nil || !ok {
		return nil, Row{}, false, err
	}
	p, err := c.text(tx, text)
	return p, r, err == nil, err
}

// Pacts reads every pact under every text. The rows are not to be changed.
func (c *Catalogue) Pacts(tx *ledger.Tx) ([]Row, error) { return c.under(tx, "") }

// under reads the rows of a pact under each of its texts, or of all pacts: every
// ruling asks for them, and they seldom change.
func (c *Catalogue) under(tx *ledger.Tx, id act.PactID) (all []Row, err error) {
	var from, to []byte
	if id != "" {
		from = []byte(string(id) + "/")
		to = after(from)
	}
	for row, err := range tx.Scan(tablePact, from, to) {
		if err != nil {
			return nil, err
		}
		r, err := parse[Row](c, tablePact, string(row.Key), row.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Text reads a pact's text.
func (c *Catalogue) Text(tx *ledger.Tx, s act.Sum) ([]byte, error) { return tx.Get(tableText, s[:]) }

// parsedTexts keeps the texts that were parsed, whichever catalogue holds them: a process that begins
// anew, and the past that is folded aside, read the same bytes.
var parsedTexts struct {
	sync.Mutex
	of map[act.Sum]*pact.Pact
}

const maxTexts = 256

func (c *Catalogue) text(tx *ledger.Tx, s act.Sum) (*pact.Pact, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.texts[s]; p != nil {
		return p, nil
	}
	b, err := c.Text(tx, s)
	if err != nil {
		return nil, err
	}
	if SumOf(b) != s {
		return nil, errors.New("reading a pact's text: the row is not the text that was agreed on: 'entente ledger verify' tells what else was altered")
	}
	p, err := parseText(s, b)
	if err != nil {
		return nil, err
	}
	if c.texts == nil {
		c.texts = make(map[act.Sum]*pact.Pact)
	}
	c.texts[s] = p
	return p, nil
}

// parseText parses a text of which s is the sum.
func parseText(s act.Sum, b []byte) (*pact.Pact, error) {
	parsedTexts.Lock()
	defer parsedTexts.Unlock()
	if p := parsedTexts.of[s]; p != nil {
		return p, nil
	}
	p, problems := pact.Parse(b)
	if len(problems) > 0 {
		return nil, fmt.Errorf("reading a pact's text: %s", problems[0].Text)
	}
	if len(parsedTexts.of) >= maxTexts || parsedTexts.of == nil {
		parsedTexts.of = make(map[act.Sum]*pact.Pact)
	}
	parsedTexts.of[s] = p
	return p, nil
}

// Product reads a product's custody.
func (c *Catalogue) Product(tx *ledger.Tx, n act.Number) (product.Custody, bool, error) {
	return load[product.Custody](c, tx, tableProduct, string(n))
}

// Products reads every product, in the order in which they were entered.
func (c *Catalogue) Products(tx *ledger.Tx) iter.Seq2[product.Custody, error] {
	return func(yield func(product.Custody, error) bool) {
		for row, err := range tx.Scan(tableByEntry, nil, nil) {
			if err != nil {
				yield(product.Custody{}, err)
				return
			}
			p, ok, err := c.Product(tx, act.Number(row.Value))
			if err == nil && !ok {
				err = fmt.Errorf("reading product %s: it is not there", row.Value)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// ReleasedTo reports whether the content was released to p as product n.
func (c *Catalogue) ReleasedTo(tx *ledger.Tx, n act.Number, content act.Sum, p act.Party) (bool, error) {
	cu, ok, err := c.Product(tx, n)
	if err != nil || !ok || cu.Seal.Vault != content || cu.From != c.Own { // a draft is not released
		return false, err
	}
	for _, r := range cu.Manifest.Recipients {
		if r == p {
			return true, nil
		}
	}
	return false, nil
}

// Queued is an act that is for a partner.
type Queued struct {
	Seq     int64 // its place among the acts to that partner, from 0
	Index   int64 // in the ledger
	Bytes   int64 // of all acts to that partner, up to its end
	Receipt bool
}

var errQueue = errors.New("reading the queue: a row is damaged, or of an earlier version: 'entente ledger rebuild'")

// Queue reads the acts for p, from place next on.
func (c *Catalogue) Queue(tx *ledger.Tx, p act.Party, next int64) iter.Seq2[Queued, error] {
	return func(yield func(Queued, error) bool) {
		for row, err := range tx.Scan(tableQueue+string(p), be(next), nil) {
			if err == nil && (len(row.Key) != 8 || len(row.Value) != 17) {
				err = errQueue
			}
			if err != nil {
				yield(Queued{}, err)
				return
			}
			if !yield(Queued{int64(binary.BigEndian.Uint64(row.Key)), int64(binary.BigEndian.Uint64(row.Value)), int64(binary.BigEndian.Uint64(row.Value[8:])), row.Value[16] == 1}, nil) {
				return
			}
		}
	}
}

// Awaited reads the content that p released to us and that is not here yet, as far as
// the caller reads on.
func (c *Catalogue) Awaited(tx *ledger.Tx, p act.Party) iter.Seq2[Awaited, error] {
	return func(yield func(Awaited, error) bool) {
		from := []byte(string(p) + "/")
		for row, err := range tx.Scan(tableAwaited, from, after(from)) {
			var a Awaited
			if err == nil {
				err = json.Unmarshal(row.Value, &a)
			}
			if err != nil {
				yield(a, fmt.Errorf("reading what is awaited of %s: %w", p, err))
				return
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

// Awaits reads whether the content of one product of p's is awaited.
func (c *Catalogue) Awaits(tx *ledger.Tx, p act.Party, n act.Number) (Awaited, bool, error) {
	cu, ok, err := c.Product(tx, n)
	if err != nil || !ok {
		return Awaited{}, false, err
	}
	return ledger.Load[Awaited](tx, tableAwaited, awaitedKey(p, cu.Entry))
}

// Waits reads the releases that wait for an approval.
func (c *Catalogue) Waits(tx *ledger.Tx) ([]Waits, error) { return rows[Waits](tx, tableWaits, "") }

// Asked reads the partners' askings that wait for an answer.
func (c *Catalogue) Asked(tx *ledger.Tx) ([]Asked, error) { return rows[Asked](tx, tableAsked, "") }

// Consents reads the approvals that were given to a party about a product, and
// about what it was made of. One that was given to others lets it do nothing, nor does
// the word of a party whose information the product does not hold.
func (c *Catalogue) Consents(tx *ledger.Tx, to act.Party, n act.Number, of ...act.Lineage) (all []product.Consent, err error) {
	about := []act.Number{n}
	for _, l := range of {
		if l.Of != n {
			about = append(about, l.Of)
		}
	}
	for _, n := range about {
		given, err := rows[product.Consent](tx, tableConsent, string(n)+"/")
		if err != nil {
			return nil, err
		}
		if len(given) == 0 {
			continue
		}
		cu, _, err := c.Product(tx, n)
		if err != nil {
			return nil, err
		}
		for _, k := range given {
			if slices.Contains(k.To, to) && (cu.From == "" || slices.Contains(cu.Manifest.Origins, k.By)) {
				all = append(all, k)
			}
		}
	}
	return all, nil
}

// Open is a notice of law that its recipient has not acknowledged (R5).
type Open struct {
	Act  act.Digest `json:"act"`
	Pact act.PactID `json:"pact"`
	From act.Party  `json:"from"`
	To   act.Party  `json:"to"`
	Text string     `json:"text"`
	At   act.Moment `json:"at"`
}

// Open reads the notices of law that wait to be acknowledged.
func (c *Catalogue) Open(tx *ledger.Tx) ([]Open, error) { return rows[Open](tx, tableOpen, "") }

// Assured reads the assurances given under a pact.
func (c *Catalogue) Assured(tx *ledger.Tx, id act.PactID) ([]product.Assurance, error) {
	return rows[product.Assurance](tx, tableAssured, string(id)+"/")
}

// Visits reads every visit that was asked for.
func (c *Catalogue) Visits(tx *ledger.Tx) ([]product.Visit, error) {
	return rows[product.Visit](tx, tableVisit, "")
}

// Visit reads one visit.
func (c *Catalogue) Visit(tx *ledger.Tx, d act.Digest) (product.Visit, bool, error) {
	return ledger.Load[product.Visit](tx, tableVisit, d.String())
}

// Mandates reads our standing authorities.
func (c *Catalogue) Mandates(tx *ledger.Tx) ([]product.Mandate, error) {
	return rows[product.Mandate](tx, tableMandate, "")
}

// Blocked says why nothing under the pact may proceed; empty when it may.
func (c *Catalogue) Blocked(tx *ledger.Tx, id act.PactID) (string, error) {
	b, err := tx.Get(tableBlocked, []byte(id))
	return string(b), err
}

// SumOf returns the name of a pact's text.
func SumOf(text []byte) act.Sum { return sha512.Sum384(text) }

// rows reads all rows of a table whose key begins with prefix.
func rows[T any](tx *ledger.Tx, table, prefix string) ([]T, error) {
	var to []byte
	if prefix != "" {
		to = after([]byte(prefix))
	}
	var all []T
	for row, err := range tx.Scan(table, []byte(prefix), to) {
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(row.Value, &v); err != nil {
			return nil, fmt.Errorf("reading %s %q: %w", table, row.Key, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// after is the first key behind those that begin with a prefix, which ends in '/'.
func after(prefix []byte) []byte {
	to := bytes.Clone(prefix)
	to[len(to)-1]++
	return to
}

func be(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
