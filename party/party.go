// Package party says who is who: the code that two officers compare, and what
// a person holds.
package party

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/marking"
)

// codeDigits is the length of a code: 10^24 is 2^80, beyond anyone's search
// for a second card with the same code.
const codeDigits = 24

// Code returns what an officer reads out to have a card recognised: 24 digits
// in groups of four, from the SHA-384 of the card.
func Code(c act.Card) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("party: a card does not marshal: " + err.Error())
	}
	sum := sha512.Sum384(append([]byte("entente card 1\n"), b...))
	n := new(big.Int).SetBytes(sum[:])
	n.Mod(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(codeDigits), nil))
	s := fmt.Sprintf("%0*d", codeDigits, n)
	var groups []string
	for g := range slices.Chunk([]byte(s), 4) {
		groups = append(groups, string(g))
	}
	return strings.Join(groups, " ")
}

// SameCode compares two codes as people write them.
func SameCode(a, b string) bool {
	a, b = digits(a), digits(b)
	return len(a) == codeDigits && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func digits(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(s)
}

// Holds reports whether p holds office o. A leaver holds none.
func Holds(p *act.Person, o act.Office) bool { return !p.Left && slices.Contains(p.Offices, o) }

// Office is the office that an act of a kind wants of the person who signs it;
// empty: none that a partner asks for.
func Office(k act.Kind) act.Office {
	switch k {
	case act.ProductReleased, act.ProductReclassified, act.ConsentGiven, act.ConsentWithdrawn:
		return act.Releasing
	case act.LawNotified, act.LawAcknowledged, act.AssuranceGiven, act.VisitAsked, act.VisitApproved, act.VisitEnded:
		return act.Signing
	}
	if k.OfPact() {
		return act.Signing
	}
	return ""
}

// Two reports whether a and b are known to be two persons: by their names, and by
// their identities where either has one.
func Two(a, b *act.Person) bool {
	return a.Name != b.Name && (a.Identity != "" && b.Identity != "" && a.Identity != b.Identity || a.Identity+b.Identity == "")
}

// Cleared returns the rank that p is cleared for under a table. An expired
// clearance is none.
func Cleared(p *act.Person, t marking.Table, own act.Party, now time.Time) (rank int, ok bool) {
	if p.Left || p.Clearance == "" || !now.Before(p.Until.Time) {
		return 0, false
	}
	return t.Rank(act.Mark{Party: own, Text: p.Clearance}, now)
}

// Needs reports whether p needs to know products of a pact for a purpose.
func Needs(p *act.Person, id act.PactID, purpose string, now time.Time) bool {
	if p.Left || !now.Before(p.Until.Time) {
		return false
	}
	for i := range p.Needs {
		if p.Needs[i].Pact == id && slices.Contains(p.Needs[i].Purposes, purpose) {
			return true
		}
	}
	return false
}
