package release

import (
	"entente/act"
	"entente/ledger"
	"entente/ruling"
)

// Halted says why the content of a release of ours may not be handed over to a
// partner now, though it was
// released: our system is not accredited for it any more (R37). The act itself goes: a later one, or a
// receipt, must not wait for it. channel is "courier", or empty for the way that it is reached by.
func (o *Office) Halted(tx *ledger.Tx, to act.Party, channel string, text act.Sum, m *act.Manifest) (because []act.Reason, err error) {
	p, _, ok, err := o.Catalogue.PactUnder(tx, m.Pact, text)
	if err != nil || !ok {
		return nil, err
	}
	if channel == "" {
		partner, _, err := o.Catalogue.Partner(tx, to)
		if err != nil {
			return nil, err
		}
		if channel = "electronic"; partner.Via != "" {
			channel = p.Way(partner.Via)
		}
	}
	accredited, err := o.Catalogue.Accredited(tx)
	if err != nil {
		return nil, err
	}
	return ruling.Carries(p, m, accredited, channel, o.Now()), nil
}
