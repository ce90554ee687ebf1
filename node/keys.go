package node

import (
	"context"
	"crypto/sha512"
	"crypto/tls"
	"fmt"
	"io"

	"entente/act"
	"entente/carriage"
	"entente/ledger"
	"entente/seal"

	"golang.org/x/mod/sumdb/note"
)

// keys are a node's private keys, as the encrypted database holds them.
type keys struct {
	Link    []byte `json:"link"`    // P-384 scalar of the TLS certificate
	Ed25519 string `json:"ed25519"` // checkpoint: for the public log tools
	P384    []byte `json:"p384"`    // checkpoint
	MLDSA   []byte `json:"mldsa"`   // checkpoint: seed
	Seal    []byte `json:"seal"`    // seed
}

// Primary tables of the node itself: they are not folded, and Rebuild leaves them.
const (
	tableKeys     = "node/keys"     // "node" → keys; "person/NAME" → scalar
	tableSettings = "node/settings" // "card" → act.Card; "address/PARTY" → where to call it; "house" → ruling.House; "reminded/PACT/TEXT" → pact.Reminder that was said last
)

func newKeys(p act.Party, random io.Reader) (k keys, err error) {
	if k.Link, err = act.NewP384Scalar(random); err != nil {
		return k, err
	}
	if k.P384, err = act.NewP384Scalar(random); err != nil {
		return k, err
	}
	if k.Ed25519, _, err = act.NewEd25519Key(ledger.Origin(p), random); err != nil {
		return k, err
	}
	k.MLDSA, k.Seal = make([]byte, 32), make([]byte, seal.SeedSize)
	for _, b := range [][]byte{k.MLDSA, k.Seal} {
		if _, err := io.ReadFull(random, b); err != nil {
			return k, fmt.Errorf("drawing a key: %w", err)
		}
	}
	return k, nil
}

// opened are keys ready for use.
type opened struct {
	card    act.Card
	cert    tls.Certificate
	signers []note.Signer
	seal    *seal.PrivateKey
}

func (k keys) open(p act.Party, names act.Names, seams Seams) (o opened, err error) {
	o.card = act.Card{Party: p, Name: names, Period: 1}
	sealKey := seal.NewPrivateKey
	if seams.SealKey != nil {
		sealKey = seams.SealKey
	}
	if o.seal, err = sealKey(k.Seal); err != nil {
		return o, err
	}
	o.card.Seal = o.seal.Public()
	origin := ledger.Origin(p)
	if seams.Signer != nil { // a simulated world: nobody calls it by TLS
		s, vkey, err := seams.Signer(origin, k.P384)
		o.signers, o.card.Ledger, o.card.Link = []note.Signer{s}, []string{vkey}, sha512.Sum384([]byte(vkey))
		return o, err
	}
	if o.cert, o.card.Link, err = carriage.NewCertificate(k.Link, seams.Random); err != nil {
		return o, err
	}
	ed, err := note.NewSigner(k.Ed25519)
	if err != nil {
		return o, fmt.Errorf("reading the checkpoint's key: %w", err)
	}
	vkey, err := act.Ed25519Verifier(k.Ed25519)
	if err != nil {
		return o, err
	}
	ec, ecv, err := act.NewP384Signer(origin, k.P384, seams.Random)
	if err != nil {
		return o, err
	}
	pq, pqv, err := act.NewMLDSASigner(origin, k.MLDSA)
	if err != nil {
		return o, err
	}
	o.signers = []note.Signer{ed, ec, pq}
	o.card.Ledger = []string{vkey, ecv, pqv}
	return o, nil
}

// personSigner makes a person's signer from the scalar that the database holds.
func (s Seams) personSigner(name string, scalar []byte) (note.Signer, string, error) {
	if s.Signer != nil {
		return s.Signer(name, scalar)
	}
	return act.NewP384Signer(name, scalar, s.Random)
}

// newPersonKey draws a person's key, keeps it, and returns its verifier.
func (n *Node) newPersonKey(ctx context.Context, name string) (string, error) {
	scalar, err := act.NewP384Scalar(n.seams.Random)
	if err != nil {
		return "", err
	}
	_, vkey, err := n.seams.personSigner(name+"@"+string(n.Card.Party), scalar)
	if err != nil {
		return "", err
	}
	return vkey, n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		return tx.Put(tableKeys, []byte("person/"+name), scalar)
	})
}

// signer returns the signer of one of our persons. It reads from the database
// each time, inside no transaction: keys change only by enrolment.
func (n *Node) signer(_ context.Context, name string) (note.Signer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.persons[name]
	if !ok {
		return nil, fmt.Errorf("nobody called %q signs here: 'entente person list' shows who does", name)
	}
	return s, nil
}

// loadPersons reads the persons' keys.
func (n *Node) loadPersons(ctx context.Context) error {
	persons := map[string]note.Signer{}
	err := n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for row, err := range tx.Scan(tableKeys, []byte("person/"), []byte("person0")) {
			if err != nil {
				return err
			}
			name := string(row.Key[len("person/"):])
			s, _, err := n.seams.personSigner(name+"@"+string(n.Card.Party), row.Value)
			if err != nil {
				return err
			}
			persons[name] = s
		}
		return nil
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.persons = persons
	return err
}
