//go:build !race

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/party"
)

// attack is one of forty, whose numbers are stable. All are made on the program itself, in a
// process of its own. The driver asserts what a row says at each attempt that its
// function makes, so that no test can forget it; docs/reliability.md has the same rows.
type attack struct {
	number  int
	what    string
	on      string // the stage
	says    string // what whoever makes it, or stands before it, is told
	enters  string // the kinds of the acts that the victim enters, in their order
	seen    string // what its log or its status says; where it enters nothing, that or none
	none    string // why there is neither an act nor a word
	changes string // what it changes by right; all else that is held or trusted stays as it is
	do      func(x *attempt)
}

// Where says and seen give several, separated by " · ", each attempt shows one of them, and
// each of them is shown by some attempt.
const or = " · "

// attempt is one row at work.
type attempt struct {
	*testing.T
	*stage
	attack
	shown map[string]bool // of says and seen
	tries int
}

// stage is where attacks are made, one after the other.
type stage struct {
	kr           *proc // the victim, most often
	jp           *rival
	theirs, ours act.Number // a product that JP gave to KR, and one that KR gave to JP
	hub          *hubStage
	at           *testing.T // whose folders outlive an attack
}

// use has what fails fail the test that runs now.
func (s *stage) use(t *testing.T) {
	for _, p := range []*proc{s.kr, s.hub.recipient()} {
		if p != nil {
			p.t = t
		}
	}
	for _, r := range []*rival{s.jp, s.hub.rival()} {
		if r != nil {
			r.t = t
		}
	}
}

// stages are set up at once, and each by itself.
var stages = map[string]func(t *testing.T) *stage{
	"partner": met, "people": met, "ledgers": met, "store": met, "media": met,
	"two": twoRelease, "hub": byHub, "late": byHub, "disk": smallDisk,
}

// attacks are the forty, as threat models of such nodes number them.
var attacks = []attack{
	{1, "a product for a pact that is not in force", "partner", "Article 1: the pact is not in force", "act.refused", "", "", "", notInForce},
	{2, "a mark above the ceiling", "partner", "Article 4: the marking is not in the pact's table", "act.refused", "", "", "", aboveCeiling},
	{3, "a label lower than the mark that was sealed", "partner", "the seal is broken", "opening.denied", "", "", "", markedLower},
	{4, "what is another's, released anew", "partner", "Article 6: the manifest names another originator or pact than the act", "act.refused", "", "", "", resealed},
	{5, "another act in a place that was taken", "ledgers", "disputed", "ledger.disputed", "", "", "partner JP · evidence", otherBytes},
	{6, "a receipt for what was never sent", "partner", "receipt: the product was not released here", "act.refused", "", "", "", receiptForNothing},
	{7, "a receipt by the hub, for the recipient", "hub", "receipt: its party is no recipient of the product", "act.refused", "", "", "", hubReceipts},
	{8, "last year's medium, and a delivery played again", "media", "this medium was taken in before · they are counted once", "", "", "nothing of a medium is entered before all of it holds: the officer reads why", "", lastYears},
	{9, "a head that does not grow from the last", "ledgers", "disputed", "ledger.disputed", "", "", "partner JP · evidence", noExtension},
	{10, "a ledger shorter than was cosigned", "ledgers", "disputed", "ledger.disputed", "", "", "partner JP · evidence", shorter},
	{11, "other spellings: keys twice, case, a long s, numbers", "partner", "it is not spelled as an act must be", "act.refused", "", "", "", otherSpellings},
	{12, "a classical suite, no protocol of ours, another version", "partner", "tls: · the connection ends without a word", "", "a caller's connection ended", "", "", olderSuite},
	{13, "negative and lying lengths, numbers beyond 2^63", "partner", "the connection ends without a word · cannot be had · a delivery has 200 acts at most", "", "a caller's connection ended", "", "", lies},
	{14, "10,000 half-open connections", "partner", "the connection ends without a word", "", "greetings", "", "", halfOpen},
	{15, "a signature of one kind of act on another", "partner", "no officer released it · its signature does not verify", "act.refused", "", "", "", otherRole},
	{16, "a hub swaps two parcels' bodies", "hub", "it cannot be taken in", "", "a parcel is refused", "", "", swapped},
	{17, "a hub drops receipts", "late", "a receipt is missing beyond the pact's limit · nothing is answered since", "", "", "what does not come is entered by nobody: the log and the status say so", "", dropsReceipts},
	{18, "a hub delays a notice of termination", "late", "the time of notice runs from then", "act.refused", "", "", "pact kr-jp-us-2014", delayed},
	{19, "a hub sends parcels astray", "hub", "no pact in force names this node as the hub on this route · it cannot be taken in", "", "a parcel is refused", "", "", astray},
	{20, "a hub's storage is searched", "hub", "nothing of it", "", "", "nothing is asked of anybody: each form of content, title and number is looked for in all that it holds", "", hubReads},
	{21, "one person releases under two names", "two", "who drafted it", "release.denied", "", "", "", twoNames},
	{22, "the administrator reads", "people", "the person holds no office to read", "opening.denied", "", "", "", administrator},
	{23, "one without need to know guesses a number", "people", "no product of this number may be read by this person", "opening.denied", "", "", "", guesses},
	{24, "one who may not know counts and lists", "people", "the pages are the same", "", "", "looking at pages is no act", "", counts},
	{25, "an expired clearance in a session that lives", "people", "clearance is below the marking or has expired", "opening.denied", "", "", "", expired},
	{26, "a share that is lent once, used a hundred times in parallel", "people", "the originator was asked for its share", "product.opened share.asked", "", "", "", lentOnce},
	{27, "one product's number with another's content", "partner", "404 Not Found · cannot be had", "opening.denied", "", "content that is asked for on the link, and is not to be had, enters nothing", "", mixedNumbers},
	{28, "access taken back while content flows", "people", "broke off", "product.opened person.enrolled opening.denied", "", "", "persons", takenBack},
	{29, "what leaves without marks", "people", "군사III급비밀", "product.opened", "", "", "", withoutMarks},
	{30, "forms of other sites, titles that are script", "people", "403 Forbidden · &lt;script&gt;", "", "", "no deed is asked for", "", otherSites},
	{31, "an entry is deleted or changed", "store", "reading entry", "", "", "the ledger is what is broken: `ledger verify` and `doctor` name the entry; at start the last one alone is read", "", entryGone},
	{32, "a row of a table is changed", "store", "entente ledger rebuild", "", "", "the tables are what is broken: evidence is kept, by digests alone", "evidence", rowChanged},
	{33, "a ledger built again with its own keys", "ledgers", "disputed", "ledger.disputed", "", "", "partner JP · evidence", rebuilt},
	{34, "yesterday's backup is put back", "ledgers", "it was restored or run twice · restored from a backup", "", "restored from a backup", "", "", yesterday},
	{35, "the clock set back a year, for access that has expired", "people", "behind our own ledger", "", "behind", "", "", clockBack},
	{36, "the folder copied and both run", "ledgers", "run twice", "", "run twice", "", "evidence", twice},
	{37, "the disk is filled", "disk", "the disk is full: free some space and try again; nothing of it was kept · the disk is nearly full: free some space and try again; nothing was entered", "", "", "what has no room is not entered", "", fullDisk},
	{38, "media with paths, links, devices, twins and a bomb", "media", "not a medium that can be taken in", "", "", "nothing of a medium is entered before all of it holds: the officer reads why", "", evilMedia},
	{39, "pictures that are bombs, loops, scripts", "people", "cannot be shown here", "product.opened", "", "", "", bombs},
	{40, "media out of order, and one number twice", "media", "it is old · this medium was taken in before", "", "", "nothing of a medium is entered before all of it holds: the officer reads why", "", outOfOrder},
}

// met is a node in a process of its own, and a hostile partner, who have a pact in force and
// have exchanged a product each.
func met(t *testing.T) *stage {
	t.Helper()
	s := &stage{kr: newProcIn(t, t.TempDir(), "KR"), jp: newRival(t, "JP"), at: t}
	s.kr.more = []string{"--debug"} // which tells of strangers too
	s.kr.start("")
	s.exchange()
	return s
}

func (s *stage) exchange() {
	s.at.Helper()
	s.jp.serve()
	s.kr.wait("it answers", s.kr.up)
	meet(s.at, s.kr, s.jp)
	s.theirs = s.jp.gives(s.kr, draft("秘"), strings.NewReader("what was released in truth"))
	s.ours = s.kr.gives(draft("군사III급비밀"), "ours")
}

// TestAttacks makes all forty.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, begin := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			for _, a := range attacks {
				if a.on != name {
					continue
				}
				t.Run(fmt.Sprintf("%d %s", a.number, a.what), func(t *testing.T) {
					s.use(t)
					defer s.use(s.at)
					x := &attempt{T: t, stage: s, attack: a, shown: map[string]bool{}}
					a.do(x)
					for _, want := range slices.Concat(strings.Split(a.says, or), strings.Split(a.seen, or)) {
						if want != "" && !x.shown[want] || x.tries == 0 {
							t.Errorf("no attempt of %d showed %q", x.tries, want)
						}
					}
				})
			}
		})
	}
}

// TestListedAttacks: there are the forty, each once, and the document has the rows that the driver
// holds them to.
func TestListedAttacks(t *testing.T) {
	b, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := "| | attack | it is told, or shown | the victim enters | else |\n|---|---|---|---|---|\n"
	for i, a := range attacks {
		if a.number != i+1 || a.what == "" || a.says == "" || a.do == nil || stages[a.on] == nil {
			t.Errorf("row %d is not whole: %+v", i+1, a)
		}
		if a.enters == "" && a.seen == "" && a.none == "" {
			t.Errorf("attack %d leaves no act: say what is logged, or why nothing is", a.number)
		}
		rows += a.row()
	}
	if len(attacks) != 40 {
		t.Errorf("%d attacks", len(attacks))
	}
	if !strings.Contains(string(b), rows) {
		t.Errorf("docs/reliability.md does not have these rows:\n%s", rows)
	}
}

func (a *attack) row() string {
	quoted := func(all string) string { return "`" + strings.ReplaceAll(all, or, "`"+or+"`") + "`" }
	enters, last := "–", []string{}
	if a.enters != "" {
		enters = quoted(strings.ReplaceAll(a.enters, " ", or))
	}
	if a.seen != "" {
		last = append(last, "seen: "+quoted(a.seen))
	}
	if a.none != "" {
		last = append(last, a.none)
	}
	if a.changes != "" {
		last = append(last, "changes: "+a.changes)
	}
	return fmt.Sprintf("| %d | %s | %s | %s | %s |\n", a.number, a.what, quoted(a.says), enters, strings.Join(last, "; "))
}

// try makes one attempt on a victim, which must answer before and after. do makes it, and returns
// what is told to whoever made it. The victim enters of itself what the row
// says, and nothing else; nothing else changes.
func (x *attempt) try(victim *proc, what string, do func() (told string)) {
	x.Helper()
	x.attempt(victim, what, x.enters, x.seen, do)
}

// unheard makes an attempt that nobody enters, in a row of others that are.
func (x *attempt) unheard(victim *proc, what string, do func() (told string)) {
	x.Helper()
	x.attempt(victim, what, "", "", do)
}

func (x *attempt) attempt(victim *proc, what, kinds, seen string, do func() (told string)) {
	x.Helper()
	x.tries++
	victim.quiet()
	before, lines, logged := victim.holds(), len(victim.lines()), len(victim.log.String())
	told := do()
	if x.Failed() {
		return
	}
	x.Logf("%s is told %.300q", what, told)
	x.shows(what+" is told", told, x.says)
	enters := strings.Fields(kinds)
	entered := func() (all []string) {
		for _, l := range victim.lines()[lines:] {
			if l.Act.From == act.Party(victim.party) {
				all = append(all, string(l.Act.Kind))
			}
		}
		return all
	}
	victim.wait(what+": it enters "+kinds, func() bool { return len(entered()) >= len(enters) })
	if victim.quiet(); seen != "" {
		saw := ""
		victim.wait(what+": it is seen", func() bool {
			status, err := json.Marshal(victim.status())
			saw = victim.log.String()[min(logged, len(victim.log.String())):] + string(status)
			return err == nil && slices.ContainsFunc(strings.Split(seen, or), func(s string) bool { return strings.Contains(saw, s) })
		})
		x.shows(what+" is seen", saw, seen)
	}
	if all := entered(); !slices.Equal(all, enters) {
		x.Errorf("%s: it enters %q, not %q", what, all, enters)
	}
	now := victim.holds()
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if now[k] != before[k] && !slices.Contains(strings.Split(x.changes, or), k) {
			x.Errorf("%s: %s changed %s\nfrom %s\nto   %s", what, victim.party, k, before[k], now[k])
		}
	}
	for k := range before {
		if now[k] == "" {
			x.Errorf("%s: %s has lost %s", what, victim.party, k)
		}
	}
}

func (x *attempt) shows(what, told, of string) {
	x.Helper()
	for _, want := range strings.Split(of, or) {
		if strings.Contains(told, want) {
			x.shown[want] = true
			return
		}
	}
	x.Errorf("%s %q, not %q", what, told, of)
}

// quiet waits until nothing is entered any more.
func (p *proc) quiet() {
	p.t.Helper()
	for last := -1; ; time.Sleep(30 * time.Millisecond) {
		now := len(p.lines())
		if now == last {
			return
		}
		last = now
	}
}

// holds is what a node holds and trusts: its persons, its pacts, its partners and their keys,
// the evidence, the objects of its vault, and the products that were released or received, without what was
// refused. That they were read is in the entries.
func (p *proc) holds() map[string]string {
	p.t.Helper()
	all := map[string]string{}
	put := func(name string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Fatal(err)
		}
		all[name] = string(b)
	}
	var persons []act.Person
	var pacts []desk.PactView
	if err := errors.Join(p.c.Get(p.t.Context(), "/v1/persons", &persons), p.c.Get(p.t.Context(), "/v1/pacts", &pacts)); err != nil {
		p.t.Fatal(err)
	}
	put("persons", persons)
	for i := range pacts { // by the clock
		put("pact "+string(pacts[i].ID), pacts[i])
	}
	for _, q := range p.status().Partners {
		put("partner "+string(q.Party), []any{q.Party, q.Name, q.Via, q.Disputed, q.Parked})
	}
	put("evidence", p.evidence())
	var kept []string
	err := filepath.WalkDir(filepath.Join(p.dir, "vault"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			kept = append(kept, path)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	put("vault", kept)
	for n, cu := range p.products("") {
		if _, in := cu.Received[act.Party(p.party)]; in || cu.From == act.Party(p.party) {
			cu.Openings, cu.Asking, cu.Loans = nil, false, nil
			put(string(n), cu)
		}
	}
	return all
}

// denied has a person ask for a product, and returns the refusal. Nothing is shown.
func (p *proc) denied(as string, n act.Number) string {
	p.t.Helper()
	var got bytes.Buffer
	err := p.c.Open(p.t.Context(), desk.OpenAsk{Number: n, As: as}, &got, func(desk.Opened) {})
	if err == nil || got.Len() > 0 {
		p.t.Fatalf("%s opens %s: %v, %d bytes", as, n, err, got.Len())
	}
	var no *desk.Problem
	if errors.As(err, &no) && no.Kind == "refused" {
		return why(no.Because)
	}
	return err.Error()
}

// settles has the officers settle a dispute: the partner goes on with its newest copy.
func (x *attempt) settles(newest string) {
	x.Helper()
	x.jp.stop()
	x.jp.dir = newest
	x.jp.open()
	x.jp.serve()
	if err := x.kr.c.Post(x.Context(), "/v1/partner", desk.PactAsk{Address: x.jp.addr, Code: party.Code(x.jp.Card), As: "officer"}, &desk.SignView{}); err != nil {
		x.Fatal(err)
	}
	x.kr.wait("they are linked again", func() bool { return x.kr.status().Partners[0].Linked })
}
