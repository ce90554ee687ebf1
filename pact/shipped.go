package pact

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"entente/act"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Templates names the shipped texts.
func Templates() (ids []act.PactID) {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		panic("pact: " + err.Error())
	}
	for _, e := range entries {
		ids = append(ids, act.PactID(strings.TrimSuffix(e.Name(), ".yaml")))
	}
	return ids
}

// Template returns a shipped text, without keys.
func Template(id act.PactID) ([]byte, bool) {
	if id.Check() != nil {
		return nil, false
	}
	b, err := shipped.ReadFile("shipped/" + string(id) + ".yaml")
	return b, err == nil
}

// Draft fills the cards of the parties into a shipped text. It gives the same
// bytes whoever drafts, so that two parties who compared codes sign one text.
func Draft(id act.PactID, cards []act.Card) ([]byte, error) {
	text, ok := Template(id)
	if !ok {
		return nil, fmt.Errorf("no pact called %q is shipped; these are: %v; or give a text of your own", id, Templates())
	}
	p, problems := Parse(text)
	if len(problems) > 0 {
		return nil, fmt.Errorf("reading the shipped text of %s: %s", id, problems[0])
	}
	for _, q := range p.Parties {
		i := slices.IndexFunc(cards, func(c act.Card) bool { return c.Party == q.ID })
		if i < 0 {
			return nil, fmt.Errorf("the keys of %s are not known: compare codes with it first", q.ID)
		}
		c := cards[i]
		var b strings.Builder
		fmt.Fprintf(&b, "    keys:\n      period: %d\n      link: %x\n      seal: %s\n      ledger:\n", c.Period, c.Link[:], base64.StdEncoding.EncodeToString(c.Seal))
		for _, v := range c.Ledger {
			fmt.Fprintf(&b, "        - %s\n", v)
		}
		line := fmt.Sprintf("  - id: %s\n", q.ID)
		if bytes.Count(text, []byte(line)) != 1 {
			return nil, fmt.Errorf("the shipped text of %s does not name %s once", id, q.ID)
		}
		text = bytes.Replace(text, []byte(line), []byte(line+b.String()), 1)
	}
	if _, problems := Parse(text); len(problems) > 0 {
		return nil, fmt.Errorf("drafting %s: %s", id, problems[0])
	}
	return text, nil
}
