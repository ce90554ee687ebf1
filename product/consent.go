package product

import "entente/act"

// Consent is an originator's approval, and what was used of it.
type Consent struct {
	act.Consent
	Act       act.Digest  `json:"act"`
	By        act.Party   `json:"by"`
	To        []act.Party `json:"to,omitempty"` // to whom it was given: nobody else uses it
	Given     act.Moment  `json:"given"`
	Spent     []int64     `json:"spent,omitempty"` // the entries that used it, in their order
	Used      int         `json:"used,omitempty"`  // how many
	Withdrawn bool        `json:"withdrawn,omitempty"`
}

// Assurance is a receiving party's word before an oral disclosure.
type Assurance struct {
	act.Assurance
	By    act.Party  `json:"by"`
	Given act.Moment `json:"given"`
}

// Visit is a visit that was asked for, and what became of it.
type Visit struct {
	act.Visit
	Act      act.Digest  `json:"act"`
	Pact     act.PactID  `json:"pact"`
	By       act.Party   `json:"by"`                 // who visits
	Host     act.Party   `json:"host"`               // who alone approves
	Approved *act.Mark   `json:"approved,omitempty"` // up to this mark
	Ended    *act.Moment `json:"ended,omitempty"`
}

// Mandate is a standing authority to release, and who gave it.
type Mandate struct {
	act.Mandate
	Act       act.Digest `json:"act"`
	By        string     `json:"by"`
	Given     act.Moment `json:"given"`
	Withdrawn bool       `json:"withdrawn,omitempty"`
}

// Accreditation is what our system may carry, and since when (R37).
type Accreditation struct {
	act.Accreditation
	Given act.Moment `json:"given"`
}
