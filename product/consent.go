package product

import "entente/act"

// Consent is an originator's approval, and what was used of it.
type Consent struct {
	act.Consent
	Act       act.Digest `json:"act"`
	By        act.Party  `json:"by"`
	Given     act.Moment `json:"given"`
	Used      int        `json:"used,omitempty"`
	Withdrawn bool       `json:"withdrawn,omitempty"`
}

// Mandate is a standing authority to release, and who gave it.
type Mandate struct {
	act.Mandate
	Act       act.Digest `json:"act"`
	By        string     `json:"by"`
	Given     act.Moment `json:"given"`
	Withdrawn bool       `json:"withdrawn,omitempty"`
}
