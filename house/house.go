// Package house is a party's own law on top of its pacts: a policy file in the
// Cedar language, kept and evaluated at home, never sent.
//
// [Parse] reads a file and reports every mistake. [Rules.Narrow] asks it about a
// ruling that a pact allowed: a rule that forbids refuses, and is cited by its
// annotations. It can narrow and never widen: a file that permits is refused, a
// ruling that was refused is never asked about, and a rule that cannot be
// evaluated refuses.
package house

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/act"
	"entente/ruling"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// Schema is what house rules may ask about, in Cedar's schema language.
//
//go:embed schema.cedarschema
var Schema string

const (
	maxText  = 256 << 10 // bytes of a file: a thousand rules
	maxRules = 1000      // each is asked about every ruling

	rest cedar.PolicyID = "what no rule forbids" // a rule of this name would be replaced
)

// Rules is a party's law. The zero value and nil forbid nothing.
type Rules struct{ policies *cedar.PolicySet }

// Problem is one mistake in a file.
type Problem struct {
	Line, Column int
	Text         string
}

// String returns the mistake with its place.
func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text) }

// Parse reads a file. When there are problems there are no rules.
func Parse(text []byte) (*Rules, []Problem) {
	if len(text) > maxText {
		return nil, []Problem{{1, 1, fmt.Sprintf("the file is longer than %d bytes", maxText)}}
	}
	all, err := cedar.NewPolicyListFromBytes("house", text)
	if err != nil {
		return nil, []Problem{{1, 1, err.Error()}}
	}
	var problems []Problem
	bad := func(p *cedar.Policy, text string) {
		at := p.Position()
		problems = append(problems, Problem{max(1, at.Line), max(1, at.Column), text})
	}
	if len(all) > maxRules {
		return nil, []Problem{{1, 1, fmt.Sprintf("the file has more than %d rules", maxRules)}}
	}
	v := validator()
	r := &Rules{cedar.NewPolicySet()}
	seen := map[cedar.PolicyID]bool{}
	for i, p := range all {
		id := cedar.PolicyID(p.Annotations()["id"])
		switch {
		case p.Effect() != cedar.Forbid:
			bad(p, "a house rule forbids: it may narrow what a pact allows, and permit nothing")
		case id == "":
			bad(p, `the rule has no name: write @id("...") before it`)
		case id == rest:
			bad(p, fmt.Sprintf("no rule may be called %q", id))
		case seen[id]:
			bad(p, fmt.Sprintf("two rules are called %q", id))
		}
		seen[id] = true
		if err := v.Policy(string(id), (*ast.Policy)(p.AST())); err != nil {
			bad(p, err.Error())
		}
		r.policies.Add(cmp.Or(id, cedar.PolicyID(fmt.Sprint(i))), p)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	// What no rule forbids stays as the pact's ruling left it.
	var permit cedar.Policy
	if err := permit.UnmarshalCedar([]byte("permit (principal, action, resource);")); err != nil {
		panic("house: " + err.Error())
	}
	r.policies.Add(rest, &permit)
	return r, nil
}

func validator() *validate.Validator {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar([]byte(Schema)); err != nil {
		panic("house: " + err.Error())
	}
	r, err := s.Resolve()
	if err != nil {
		panic("house: " + err.Error())
	}
	return validate.New(r)
}

// Question is what a rule may ask about.
type Question struct {
	Own      act.Party
	Person   act.Person
	Deed     string // release, accept, read, pass-on, copy, translate, extract, show, review, downgrade, destroy
	Manifest act.Manifest
	Rank     int    // of the product, under its pact
	Purpose  string // of this use
	Channel  string
	Now      time.Time
}

// Narrow returns the ruling, or a refusal where a house rule forbids what the
// pact allowed.
func (r *Rules) Narrow(was ruling.Ruling, q Question) ruling.Ruling {
	if r == nil || r.policies == nil || !was.Allowed {
		return was
	}
	entities, request := facts(q)
	decision, why := cedar.Authorize(r.policies, entities, request)
	// An error makes Cedar skip a rule: a rule that cannot be asked forbids.
	if len(why.Errors) > 0 {
		slices.SortFunc(why.Errors, func(a, b cedar.DiagnosticError) int { return cmp.Compare(a.PolicyID, b.PolicyID) })
		return refuse(string(why.Errors[0].PolicyID), errors.New("the rule could not be evaluated"), "mend the house rules: 'entente house check'")
	}
	if decision == cedar.Allow {
		return was
	}
	slices.SortFunc(why.Reasons, func(a, b cedar.DiagnosticReason) int { return cmp.Compare(a.PolicyID, b.PolicyID) })
	var all []act.Reason
	for _, x := range why.Reasons {
		notes := r.policies.Get(x.PolicyID).Annotations()
		text := string(notes["text"])
		all = append(all, act.Reason{Article: "house rule " + string(x.PolicyID), Text: cmp.Or(text, "our own law forbids it"), Cure: cmp.Or(string(notes["cure"]), "ask the legal officer")})
	}
	return ruling.Ruling{Because: all}
}

func refuse(id string, err error, cure string) ruling.Ruling {
	return ruling.Ruling{Because: []act.Reason{{Article: "house rule " + id, Text: err.Error(), Cure: cure}}}
}

func facts(q Question) (cedar.EntityMap, cedar.Request) {
	m, p := &q.Manifest, &q.Person
	person := cedar.NewEntityUID("Person", cedar.String(p.Name))
	product := cedar.NewEntityUID("Product", cedar.String(m.Number))
	entities := cedar.EntityMap{
		person: {UID: person, Attributes: cedar.NewRecord(cedar.RecordMap{
			"post": cedar.String(p.Post), "facility": cedar.String(p.Facility), "clearance": cedar.String(p.Clearance), "briefed": cedar.Boolean(p.Briefed), "offices": set(p.Offices)})},
		product: {UID: product, Attributes: cedar.NewRecord(cedar.RecordMap{
			"pact": cedar.String(m.Pact), "kind": cedar.String(m.Kind), "subject": cedar.String(m.Subject), "form": cedar.String(m.Form), "purpose": cedar.String(m.Purpose), "mark": cedar.String(m.Mark.Text),
			"rank": cedar.Long(q.Rank), "originator": cedar.String(m.Originator), "origins": set(m.Origins), "recipients": set(m.Recipients), "caveats": set(m.Caveats), "foreign": cedar.Boolean(m.Originator != q.Own)})},
	}
	return entities, cedar.Request{Principal: person, Action: cedar.NewEntityUID("Action", cedar.String(q.Deed)), Resource: product,
		Context: cedar.NewRecord(cedar.RecordMap{"purpose": cedar.String(q.Purpose), "channel": cedar.String(q.Channel), "now": cedar.NewDatetime(q.Now)})}
}

func set[T ~string](all []T) cedar.Set {
	var values []cedar.Value
	for _, v := range all {
		values = append(values, cedar.String(v))
	}
	return cedar.NewSet(values...)
}
