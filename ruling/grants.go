package ruling

import (
	"slices"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
)

// GrantFacts are what is asked about something that was given and may have ended. One of
// the givens is there.
type GrantFacts struct {
	Pact *pact.Pact // that it was given under; nil: it is a matter of our own house
	Life pact.Life
	Now  time.Time

	Consent       *product.Consent
	Mandate       *product.Mandate
	Visit         *product.Visit
	Assurance     *product.Assurance
	Accreditation *product.Accreditation
	Person        *act.Person
	Replaced      bool // a later act states the same anew
}

// lapsed says why what was given lets nothing happen at a moment; empty: it stands.
func lapsed(given, until act.Moment, withdrawn, used bool, now time.Time) string {
	switch {
	case withdrawn:
		return "it was withdrawn"
	case used:
		return "it is used up"
	case now.Before(given.Time):
		return "it is not given yet"
	case !now.Before(until.Time):
		return "it has expired"
	}
	return ""
}

// approves is the clause that an approval opens, and the deed that it lets be done.
var approves = map[string]pact.Clause{"pass-on": pact.ThirdParty, "purpose": pact.Purpose, "copy": pact.Reproduction, "translate": pact.Translation, "extract": pact.Translation}

// Grant rules on whether what was given still lets anything happen: by the same
// conditions by which a deed that rests on it is ruled. Whether it covers a product, a
// recipient and a purpose is the ruling on that deed.
func Grant(f *GrantFacts) Ruling {
	g := gates{p: f.Pact}
	clause, needs := pact.Clause(""), true // that the pact is in force
	switch {
	case f.Consent != nil:
		c := f.Consent
		clause, needs = approves[c.Deed], c.Deed == "pass-on"
		if text := lapsed(c.Given, c.Until, c.Withdrawn, c.Used >= c.Uses, f.Now); text != "" {
			g.shut(clause, "ask "+string(c.By)+" for an approval", text)
		}
	case f.Mandate != nil:
		clause = pact.StandingAuthority
		if text := lapsed(f.Mandate.Given, f.Mandate.Until, f.Mandate.Withdrawn, false, f.Now); text != "" {
			g.shut(clause, "release it in the ordinary way, or give a mandate that covers it", text)
		}
		if _, open := f.Pact.Cite(clause); !open {
			g.shut(clause, "release it in the ordinary way", "the pact knows no standing authority")
		}
	case f.Visit != nil:
		clause = pact.Visiting
		g.open(f.Visit, f.Now)
	case f.Assurance != nil:
		clause = pact.Assurance
		if text := lapsed(f.Assurance.Given, f.Assurance.Until, false, false, f.Now); text != "" {
			g.shut(clause, "have "+string(f.Assurance.By)+" assure clearance and need to know: 'entente assure'", text)
		}
	case f.Accreditation != nil:
		if text := lapsed(f.Accreditation.Given, f.Accreditation.Until, false, false, f.Now); text != "" {
			g.shut(clause, "have the system accredited anew, and enter it: 'entente accredit'", text)
		}
	case f.Person != nil && f.Person.Left:
		g.shut(clause, "none is needed", "the person has left")
	case f.Person != nil && !f.Now.Before(f.Person.Until.Time):
		g.shut(clause, "enrol the person anew: 'entente person add'", "clearance and needs have ended")
	}
	if f.Replaced {
		g.shut(clause, "none is needed", "a later act states it anew")
	}
	if f.Pact == nil {
		return Ruling{Allowed: g.failed == nil, Because: g.failed}
	}
	if phase := f.Pact.Stands(f.Life, f.Now); needs && !phase.Transfers() {
		g.shut(pact.InForce, cureOf(phase), "the pact is not in force: it is ", string(phase))
	}
	if g.failed != nil {
		return Ruling{Because: g.failed}
	}
	cited, _ := f.Pact.Cite(clause)
	return Ruling{Allowed: true, Because: slices.Clip(cited)}
}

// open asks whether a visit lets anything be shown.
func (g *gates) open(v *product.Visit, now time.Time) (open bool) {
	switch {
	case v.Approved == nil:
		g.shut(pact.Visiting, "the host approves it: 'entente visit approve'", "the host has not approved the visit")
	case v.Ended != nil && !now.Before(v.Ended.Time), now.Before(v.From.Time), !now.Before(v.Until.Time):
		g.shut(pact.Visiting, "ask for another visit", "the visit has ended, or has not begun")
	default:
		return true
	}
	return false
}
