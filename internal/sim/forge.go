package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/intake"
	"entente/ledger"
	"entente/product"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// forger is a partner in bad faith: party 1, with its valid keys. Beside its
// own node's ledger it signs others.
type forger struct {
	apart bool // it showed a ledger that is not its node's
}

func (w *World) doHostile() string {
	if w.hostile == nil {
		w.hostile = &forger{}
	}
	kr, jp := w.sides[0], w.sides[1]
	if !kr.up() || !jp.up() {
		return w.doStart()
	}
	switch w.rnd.IntN(16) {
	case 0, 1, 2, 3, 4, 5:
		return w.hostileAct(kr, jp)
	case 6, 7, 8:
		return w.mutate(kr, jp)
	case 9:
		return w.lieInDelivery(kr, jp)
	case 10, 11:
		return w.lieInGreeting(kr, jp)
	case 12, 13, 14:
		return w.wantMore(kr, jp)
	}
	if w.rnd.IntN(3) > 0 {
		return w.doExchange()
	}
	return w.fork(kr, jp)
}

// hostileAct enters an act in the partner's own ledger that is not its to do.
// Its node carries it as any other, with valid proofs.
func (w *World) hostileAct(kr, jp *Side) string {
	var theirs []*seen
	for _, n := range sorted(kr.view.products) {
		if p := kr.view.products[n]; p.from == kr.party {
			theirs = append(theirs, p)
		}
	}
	number := act.Number("KR-2026-0000-0000")
	rel := act.Release{Manifest: act.Manifest{Pact: pactID, Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Title: "x", MediaType: "text/plain",
		Mark: act.Mark{Party: jp.party, Text: marks[jp.party][0]}, Originator: jp.party, Origins: []act.Party{jp.party}, Recipients: []act.Party{kr.party}, Made: act.MomentOf(jp.now())}, Text: original.sum, Seal: act.Seal{Size: 10, Plain: 1, Mode: "released", Root: []byte{1}}}
	rel.Manifest.Number, _ = act.NewNumber(jp.party, 2026, w.random)
	if len(theirs) > 0 {
		number = pick(w.rnd, theirs...).body.Manifest.Number
	} else if n, err := act.NewNumber(kr.party, 2026, w.random); err == nil {
		number = n
	}
	k, by, must := act.ProductReleased, "officer", false
	var body any = rel
	what := pick(w.rnd, "release above the ceiling", "release of another subject", "release to nobody", "release in our series", "release under another text", "release by nobody", "release by one not notified",
		"release without content", "release marked in our scheme", "release under a used number", "release as of next year", "receipt for nothing", "refusal of nothing", "reclassification of ours", "reclassification of ours", "consent in our name", "withdrawal of our consent",
		"loan of ours", "destruction of nothing", "asking for what it was not given", "unknown kind", "unknown kind that must be understood", "enrolment", "mandate", "dispute", "approval of its own visit", "end of a visit that is nobody's", "product made from what it does not have", "medium taken in that nobody packed", "proposal of garbage", "step under no text", "asking twice")
	switch what {
	case "release above the ceiling":
		rel.Manifest.Mark.Text = marks[jp.party][2]
	case "release of another subject":
		rel.Manifest.Subject = "weather"
	case "release to nobody":
		rel.Manifest.Recipients = nil
	case "release in our series":
		rel.Manifest.Number = number
	case "release under another text":
		rel.Text[0] ^= 1
	case "release by nobody":
		by = ""
	case "release by one not notified":
		by = "analyst"
	case "release marked in our scheme":
		rel.Manifest.Mark = act.Mark{Party: kr.party, Text: marks[kr.party][0]}
	case "release under a used number":
		for _, n := range sorted(jp.view.products) {
			if jp.view.products[n].from == jp.party {
				rel.Manifest.Number = n
			}
		}
	case "release as of next year":
		rel.Manifest.Made = act.MomentOf(jp.now().AddDate(1, 0, 0))
	case "receipt for nothing":
		k, by, body = act.ProductReceived, "", act.Receipt{Act: act.DigestOf([]byte("x")), Number: number, Mark: rel.Manifest.Mark}
	case "refusal of nothing":
		k, by, body = act.ActRefused, "", act.Refusal{Act: act.DigestOf([]byte("x")), Kind: act.ProductReleased, Because: []act.Reason{{Article: "x", Text: "x", Cure: "x"}}}
	case "reclassification of ours":
		to := w.rnd.IntN(2) // it lowers a high mark, or raises a low one
		for _, p := range theirs {
			if rank(p.mark) == 2-to {
				number = p.body.Manifest.Number
			}
		}
		k, body = act.ProductReclassified, act.Reclassification{Number: number, Mark: act.Mark{Party: kr.party, Text: marks[kr.party][to]}, Reason: "x"}
	case "consent in our name":
		k, body = act.ConsentGiven, act.Consent{Number: number, Deed: "copy", Purpose: "threat-assessment", Until: act.MomentOf(jp.now().AddDate(1, 0, 0)), Uses: 9}
	case "withdrawal of our consent":
		k, body = act.ConsentWithdrawn, act.Withdrawal{Act: act.DigestOf([]byte("x"))}
		for _, d := range order(kr.view.consents) {
			body = act.Withdrawal{Act: d}
		}
	case "loan of ours":
		k, by, body = act.ShareLent, "", act.Loan{Number: number, Share: []byte("x"), Until: act.MomentOf(jp.now().AddDate(1, 0, 0))}
	case "destruction of nothing":
		k, by, body = act.ProductDestroyed, "", act.Certificate{Number: rel.Manifest.Number, Person: "x", Method: "burn"}
	case "asking for what it was not given":
		k, by, body = act.ShareAsked, "", act.Asking{Number: rel.Manifest.Number, Person: "x"}
	case "asking twice":
		k, by, body = act.ShareAsked, "", act.Asking{Number: number, Person: "x"}
	case "unknown kind", "unknown kind that must be understood":
		k, by, body, must = "future.thing", "", json.RawMessage(`{"a":1}`), strings.Contains(what, "must")
		if must && w.rnd.IntN(2) > 0 {
			return "not now" // it ends all releases of a world
		}
	case "enrolment":
		k, by, body = act.PersonEnrolled, "", staff(kr.party, w.now)[0]
	case "mandate":
		k, body = act.MandateGiven, act.Mandate{Pact: pactID, Kind: "report", Subject: "defence", Mark: act.Mark{Party: kr.party, Text: marks[kr.party][1]}, Purpose: "threat-assessment", Until: act.MomentOf(jp.now().AddDate(1, 0, 0))}
	case "approval of its own visit":
		k, body = act.VisitApproved, act.Approval{Mark: act.Mark{Party: jp.party, Text: marks[jp.party][1]}}
		for _, d := range order(kr.view.visits) {
			if kr.view.visits[d].host == kr.party {
				body = act.Approval{Visit: d, Mark: act.Mark{Party: kr.party, Text: marks[kr.party][1]}}
			}
		}
	case "end of a visit that is nobody's":
		k, body = act.VisitEnded, act.Withdrawal{Act: act.DigestOf([]byte("x"))}
	case "product made from what it does not have":
		rel.Manifest.Lineage, rel.Manifest.Origins = []act.Lineage{{Of: number, How: "excerpt"}}, []act.Party{jp.party, "US"}
	case "medium taken in that nobody packed":
		k, by, body = act.MediumTaken, "", act.Medium{Party: kr.party, Seal: "0000-0000-0000-0000", Medium: 1, Of: 1}
	case "dispute":
		k, by, body = act.LedgerDisputed, "", act.Dispute{Party: kr.party, What: "x"}
	case "proposal of garbage":
		k, body = act.PactProposed, act.Proposal{Text: "pact: kr-jp-2016"}
	case "step under no text":
		k, body = act.PactSigned, act.Step{Text: act.Sum{1}}
	}
	if k == act.ProductReleased {
		body = rel
	}
	err := jp.n.Ledger.Update(w.ctx, func(tx *ledger.Tx) error {
		a, err := jp.n.Catalogue.Statement(tx, jp.now(), k, body, kr.party)
		if err != nil {
			return err
		}
		a.Pact, a.Must = pactID, must
		var signer note.Signer
		if by != "" {
			if signer, err = jp.n.Release.Signer(w.ctx, by); err != nil {
				return err
			}
		}
		_, err = jp.n.Catalogue.Enter(tx, a, signer)
		return err
	})
	if err == nil {
		w.hit("hostile: " + what)
	}
	return what + ": " + text(err)
}

// pending is what the partner's node would send next.
func (w *World) pending(kr, jp *Side) (d intake.Delivery, err error) {
	g, err := kr.n.Carriage.Greet(w.ctx, jp.party)
	if err != nil {
		return d, err
	}
	d, err = jp.n.Carriage.Next(w.ctx, kr.party, g.Next, g.Seen.Head)
	d.From = jp.party
	return d, err
}

// mutate changes one place of a real delivery and sends it. Whatever is taken
// in of it must be what the partner's ledger holds: the oracle compares.
func (w *World) mutate(kr, jp *Side) string {
	d, err := w.pending(kr, jp)
	if err != nil || len(d.Acts) == 0 {
		return fmt.Sprint("nothing to change, ", text(err))
	}
	d, err = changed(d, func(b []byte) []byte {
		for range 1 + w.rnd.IntN(2) {
			b[w.rnd.IntN(len(b))] ^= 1 << w.rnd.IntN(7)
		}
		return b
	})
	if err != nil {
		return "it does not parse any more"
	}
	if w.rnd.IntN(3) == 0 && len(d.Acts) > 0 { // a field, not a bit
		a := &d.Acts[w.rnd.IntN(len(d.Acts))]
		switch w.rnd.IntN(5) {
		case 0:
			a.Content = append(a.Content, 'x')
		case 1:
			a.Bytes = bytes.Replace(a.Bytes, []byte(`"kind":"`), []byte(`"kind":"x`), 1)
		case 2:
			a.Proof.Index++
		case 3:
			a.Proof.Hashes = nil
		case 4:
			d.Acts = append(d.Acts, d.Acts...)
		}
	}
	w.hit("hostile: a message is changed")
	return w.takes(kr, d)
}

// takes has the honest side take in a delivery, and says what it answers.
func (w *World) takes(kr *Side, d intake.Delivery) string {
	err := kr.n.Carriage.Take(w.ctx, d)
	if err != nil {
		w.told(kr, err)
		var c *ledger.Contradiction
		if errors.As(err, &c) {
			w.look(kr)
			if kr.n.Ledger.Err() == nil && !kr.power && kr.view.disputed[parties[1]] {
				w.evident(kr)
			}
		}
		w.hit("hostile: a message is refused whole")
	}
	return text(err)
}

// lieInDelivery sends numbers and lengths that cannot be.
func (w *World) lieInDelivery(kr, jp *Side) string {
	d, err := w.pending(kr, jp)
	if err != nil {
		return text(err)
	}
	if len(d.Acts) == 0 {
		d.Acts = []intake.Conveyed{{Bytes: []byte("x")}}
	}
	a := &d.Acts[0]
	what := pick(w.rnd, "negative place", "place far ahead", "negative index", "size far ahead", "endless proof", "endless growth", "no checkpoint", "long checkpoint", "empty act", "long act", "in another's name")
	switch what {
	case "negative place":
		a.Seq = -1 << 62
	case "place far ahead":
		a.Seq = 1 << 62
	case "negative index":
		a.Proof.Index = -1
	case "size far ahead":
		a.Proof.Size, a.Proof.Index = 1<<62, 1<<61
	case "endless proof":
		a.Proof.Hashes = make(tlog.RecordProof, 5000)
	case "endless growth":
		d.Growth = make(tlog.TreeProof, 5000)
	case "no checkpoint":
		d.Checkpoint = nil
	case "long checkpoint":
		d.Checkpoint = bytes.Repeat(d.Checkpoint, 200)
	case "empty act":
		a.Bytes = nil
	case "long act":
		a.Bytes = bytes.Repeat([]byte("x"), act.MaxSize+1)
	case "in another's name":
		d.From = "US"
	}
	w.hit("hostile: " + what)
	return what + ": " + w.takes(kr, d)
}

// lieInGreeting states what was never signed, or a clock that is far off.
func (w *World) lieInGreeting(kr, jp *Side) string {
	g, err := jp.n.Carriage.Greet(w.ctx, kr.party)
	if err != nil {
		return text(err)
	}
	what := pick(w.rnd, "a clock far off", "a head that was never signed", "a negative head", "a head ahead", "a head of its own key", "another card")
	card := jp.n.Card
	switch what {
	case "a clock far off":
		g.At = kr.now().Add(60 * time.Hour)
	case "a head that was never signed":
		g.Seen.Head = act.Head{Size: 1}
		g.Seen.Checkpoint = []byte("entente/KR\n1\nx\n\n— entente/KR x\n")
	case "a negative head":
		g.Seen.Head.Size = -5
	case "a head ahead":
		g.Seen.Head.Size = 1 << 40
	case "a head of its own key":
		g.Seen.Head = act.Head{Size: 2}
		g.Seen.Checkpoint, _ = note.Sign(&note.Note{Text: headText(kr.party, g.Seen.Head)}, w.signer(jp))
	case "another card":
		card.Link[0] ^= 1
	}
	w.hit("hostile: " + what)
	before := kr.view.size()
	err = kr.n.Carriage.Meet(w.ctx, card, g)
	w.look(kr)
	if err == nil && !kr.power {
		w.fail(31, "%s goes on with one who states %s", kr, what)
	}
	if kr.view.size() != before {
		w.fail(28, "%s entered something for %s", kr, what)
	}
	return what + ": " + text(err)
}

// wantMore asks for content: of what was released to it, or not.
func (w *World) wantMore(kr, jp *Side) string {
	all := w.held(kr, func(product.Custody) bool { return true })
	if len(all) == 0 {
		return "nothing is there"
	}
	cu := pick(w.rnd, all...)
	from := pick(w.rnd, -1, -1, 0, 0, 1<<40, -7, 3)
	b, _ := json.Marshal(map[string]any{"number": cu.Manifest.Number, "vault": cu.Seal.Vault, "from": from})
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+1)), 4)
	conn := &pipe{out: &pipe{}}
	conn.in.Write(append(frame, b...))
	err := kr.n.Carriage.Serve(w.ctx, jp.party, conn)
	got := conn.out.in.Bytes()
	its := cu.From == kr.party && slices.Contains(cu.Manifest.Recipients, jp.party)
	if !its && len(got) > 4 && (got[4] == 5 || got[4] == 6) {
		w.fail(2, "%s gave content of %s, which was not released to %s", kr, cu.Manifest.Number, jp)
	}
	if !its {
		w.hit("hostile: content that was not released to it is asked for")
	}
	if err != nil {
		w.told(kr, err)
	}
	return fmt.Sprint(cu.Manifest.Number, " from ", from, ": ", len(got), " bytes, ", text(err))
}

// signer is the partner's own key of its checkpoints.
func (w *World) signer(s *Side) note.Signer {
	var k struct {
		P384 []byte `json:"p384"`
	}
	_ = read(s.disk, func(tx *ledger.Tx) (err error) {
		b, err := tx.Get("node/keys", []byte("node"))
		return errors.Join(err, json.Unmarshal(b, &k))
	})
	n, _, err := w.cfg.cheap(ledger.Origin(s.party), k.P384)
	if err != nil {
		panic(err)
	}
	return n
}

func headText(p act.Party, h act.Head) string {
	return fmt.Sprintf("%s\n%d\n%s\n", ledger.Origin(p), h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// fork shows a ledger that is not the one that was shown before: shorter,
// another of the same size, or one that goes on with what is no act.
func (w *World) fork(kr, jp *Side) string {
	g, err := kr.n.Carriage.Greet(w.ctx, jp.party)
	if err != nil || g.Seen.Head.Size < 2 {
		return fmt.Sprint("nothing was shown yet, ", text(err))
	}
	held, ok := jp.view.root(g.Seen.Head.Size)
	if !ok || held != g.Seen.Head {
		return "it showed another ledger before"
	}
	what := pick(w.rnd, "a shorter ledger", "another ledger of the same size", "a ledger with an entry that is no act", "a ledger with an entry that is no act")
	v := jp.view.clone()
	cut := func(n int64) {
		v.hashes, v.acts = slices.Clone(v.hashes[:tlog.StoredHashIndex(0, n)]), slices.Clone(v.acts[:n])
	}
	add := func(b []byte) {
		hs, err := tlog.StoredHashes(v.size(), b, v)
		if err != nil {
			panic(err)
		}
		v.hashes, v.acts = append(v.hashes, hs...), append(v.acts, act.Act{})
	}
	d := intake.Delivery{From: jp.party}
	switch what {
	case "a shorter ledger":
		cut(held.Size - 1)
	case "another ledger of the same size":
		cut(held.Size - 1)
		add([]byte("another"))
	default:
		b := []byte(act.Header + "\n" + pick(w.rnd, "{}", `{"v":1}`, strings.Repeat("[", 5000), "\x00") + "\n\n")
		cut(held.Size)
		add(b)
		d.Acts = []intake.Conveyed{{Seq: g.Next, Bytes: b, Proof: ledger.Proof{Index: held.Size, Size: held.Size + 1}}}
		d.Acts[0].Proof.Hashes, _ = tlog.ProveRecord(v.size(), held.Size, v)
		d.Growth, _ = tlog.ProveTree(v.size(), held.Size, v)
	}
	h, _ := v.root(v.size())
	d.Checkpoint, _ = note.Sign(&note.Note{Text: headText(jp.party, h)}, w.signer(jp))
	w.hit("hostile: " + what)
	w.hostile.apart = true
	behind := w.rnd.IntN(3) == 0
	if behind {
		kr.offset = -time.Duration(1+w.rnd.IntN(48)) * time.Hour
		w.hit("clock: behind when a contradiction comes")
	}
	size := kr.view.size()
	answer := w.takes(kr, d)
	w.look(kr)
	if kr.n.Ledger.Err() == nil && !kr.power && !kr.now().Before(kr.view.last.Add(-catalogue.ClockSlack)) { // nothing is entered then, and what convicts waits
		if d.Acts == nil && (answer == "done" || !kr.view.disputed[parties[1]]) {
			w.fail(30, "%s takes %s as if it were one: %s", kr, what, answer)
		}
		if d.Acts != nil && answer == "done" && (kr.view.size() != size+1 || kr.view.acts[size].Kind != act.ActRefused) {
			w.fail(20, "%s took in what is no act, and did not refuse it", kr)
		}
	}
	if behind && w.rnd.IntN(3) > 0 { // and is set right
		kr.offset = 0
		_, err := kr.n.Step(w.ctx)
		w.look(kr)
		if err == nil && !kr.dead() && !kr.now().Before(kr.view.last.Add(-catalogue.ClockSlack)) {
			w.entered(kr)
		}
	}
	return what + ": " + answer
}
