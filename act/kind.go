package act

import (
	"fmt"
	"reflect"
	"slices"
)

// Kind says what happened. The set is closed: a node keeps and shows an act of
// another kind, and acts on none. Kinds are never renamed and never reused.
type Kind string

// The kinds of act of version 1, with the body of each.
const (
	NodeOpened        Kind = "node.opened"        // Card: the first leaf of every ledger
	PersonEnrolled    Kind = "person.enrolled"    // Person: an own person, or their new state
	PartnerKnown      Kind = "partner.known"      // Known: the partner's card, compared by two people
	PartnerRouted     Kind = "partner.routed"     // Routing: the hub by which a partner is reached, or none
	AuthorityNotified Kind = "authority.notified" // Authority: one who may act towards the partner
	PartnerParked     Kind = "partner.parked"     // Parking: nothing is carried to the partner or taken from it
	PartnerResumed    Kind = "partner.resumed"    // Parking: it is carried again
	SystemAccredited  Kind = "system.accredited"  // Accreditation: of our own system for a channel, up to a mark

	PactProposed        Kind = "pact.proposed"         // Proposal: the text
	PactInitialled      Kind = "pact.initialled"       // Step
	PactApproved        Kind = "pact.approved"         // Step: endorsed at home (a cabinet, a parliament)
	PactSigned          Kind = "pact.signed"           // Step
	PactNotified        Kind = "pact.notified"         // Step: domestic procedures are complete
	PactCancelled       Kind = "pact.cancelled"        // Step: scrapped before entry into force
	PactNotice          Kind = "pact.notice"           // Step: notice of termination
	PactNoticeSuspended Kind = "pact.notice-suspended" // Step
	PactNoticeWithdrawn Kind = "pact.notice-withdrawn" // Step
	PactRead            Kind = "pact.read"             // Interpretation: how a party reads the pact's state

	ReleaseAsked    Kind = "release.asked"    // Release: a draft that waits for a second person
	ReleaseDenied   Kind = "release.denied"   // Denial: the ruling refused, or the second person did
	ProductReleased Kind = "product.released" // Release
	ReleaseWaits    Kind = "release.waits"    // Waiting: taken in, and not answered until an approval that it names is here
	ProductReceived Kind = "product.received" // Receipt: content and act are durable here
	ProductOpened   Kind = "product.opened"   // Opening: entered before the first byte is shown
	OpeningDenied   Kind = "opening.denied"   // Denial
	ShareAsked      Kind = "share.asked"      // Asking: the originator's share, for one opening
	ShareLent       Kind = "share.lent"       // Loan: the answer, or a lease

	ConsentGiven        Kind = "consent.given"        // Consent: the originator's written approval
	ConsentWithdrawn    Kind = "consent.withdrawn"    // Withdrawal: for what has not happened yet
	MandateGiven        Kind = "mandate.given"        // Mandate: standing authority to release a class of products
	MandateWithdrawn    Kind = "mandate.withdrawn"    // Withdrawal
	LawNotified         Kind = "law.notified"         // LawNotice: a change of law that affects protection (article 3)
	LawAcknowledged     Kind = "law.acknowledged"     // Withdrawal names the notice
	AssuranceGiven      Kind = "assurance.given"      // Assurance: before an oral disclosure (article 7)
	VisitAsked          Kind = "visit.asked"          // Visit: authority to authority (article 8)
	VisitApproved       Kind = "visit.approved"       // Approval: by the host alone
	VisitEnded          Kind = "visit.ended"          // Withdrawal names the visit; its access ends too
	NeedReviewed        Kind = "need.reviewed"        // Review: it is still needed (article 6)
	ProductShown        Kind = "product.shown"        // Showing: to a visitor
	ProductCopied       Kind = "product.copied"       // Copy: entered before the bytes are copied
	ProductReclassified Kind = "product.reclassified" // Reclassification, by the originator
	ProductDestroyed    Kind = "product.destroyed"    // Certificate: outlives the product

	MediumPacked Kind = "medium.packed" // Medium: for a courier; enters who took it
	MediumTaken  Kind = "medium.taken"  // Medium: all of it is durable here

	ActRefused     Kind = "act.refused"     // Refusal: what the partner sent is not accepted, and why
	LedgerDisputed Kind = "ledger.disputed" // Dispute: the partner's ledger contradicts what it signed
)

var kinds = map[Kind]reflect.Type{
	NodeOpened:        reflect.TypeFor[Card](),
	PersonEnrolled:    reflect.TypeFor[Person](),
	PartnerKnown:      reflect.TypeFor[Known](),
	PartnerRouted:     reflect.TypeFor[Routing](),
	AuthorityNotified: reflect.TypeFor[Authority](),
	PartnerParked:     reflect.TypeFor[Parking](),
	PartnerResumed:    reflect.TypeFor[Parking](),
	SystemAccredited:  reflect.TypeFor[Accreditation](),

	PactProposed:        reflect.TypeFor[Proposal](),
	PactInitialled:      reflect.TypeFor[Step](),
	PactApproved:        reflect.TypeFor[Step](),
	PactSigned:          reflect.TypeFor[Step](),
	PactNotified:        reflect.TypeFor[Step](),
	PactCancelled:       reflect.TypeFor[Step](),
	PactNotice:          reflect.TypeFor[Step](),
	PactNoticeSuspended: reflect.TypeFor[Step](),
	PactNoticeWithdrawn: reflect.TypeFor[Step](),
	PactRead:            reflect.TypeFor[Interpretation](),

	ReleaseAsked:    reflect.TypeFor[Release](),
	ReleaseDenied:   reflect.TypeFor[Denial](),
	ProductReleased: reflect.TypeFor[Release](),
	ReleaseWaits:    reflect.TypeFor[Waiting](),
	ProductReceived: reflect.TypeFor[Receipt](),
	ProductOpened:   reflect.TypeFor[Opening](),
	OpeningDenied:   reflect.TypeFor[Denial](),
	ShareAsked:      reflect.TypeFor[Asking](),
	ShareLent:       reflect.TypeFor[Loan](),

	ConsentGiven:        reflect.TypeFor[Consent](),
	ConsentWithdrawn:    reflect.TypeFor[Withdrawal](),
	MandateGiven:        reflect.TypeFor[Mandate](),
	MandateWithdrawn:    reflect.TypeFor[Withdrawal](),
	LawNotified:         reflect.TypeFor[LawNotice](),
	LawAcknowledged:     reflect.TypeFor[Withdrawal](),
	AssuranceGiven:      reflect.TypeFor[Assurance](),
	VisitAsked:          reflect.TypeFor[Visit](),
	VisitApproved:       reflect.TypeFor[Approval](),
	VisitEnded:          reflect.TypeFor[Withdrawal](),
	NeedReviewed:        reflect.TypeFor[Review](),
	ProductShown:        reflect.TypeFor[Showing](),
	ProductCopied:       reflect.TypeFor[Copy](),
	ProductReclassified: reflect.TypeFor[Reclassification](),
	ProductDestroyed:    reflect.TypeFor[Certificate](),

	MediumPacked: reflect.TypeFor[Medium](),
	MediumTaken:  reflect.TypeFor[Medium](),

	ActRefused:     reflect.TypeFor[Refusal](),
	LedgerDisputed: reflect.TypeFor[Dispute](),
}

// Known reports whether this version has a body type for k.
func (k Kind) Known() bool { _, ok := kinds[k]; return ok }

// OfPact reports whether k is a step in a pact's life.
func (k Kind) OfPact() bool { return len(k) > 5 && k[:5] == "pact." }

// Answered reports whether acts of kind k are answered where they are read otherwise
// than their sender does, and the answer told to every party of the pact: a notice, and what stops one (R55).
func (k Kind) Answered() bool {
	return k == PactNotice || k == PactNoticeSuspended || k == PactNoticeWithdrawn
}

// Home reports whether acts of kind k concern a party's own house alone. They are
// addressed to nobody; from a partner they have no effect and are refused.
func (k Kind) Home() bool {
	switch k {
	case NodeOpened, PersonEnrolled, PartnerKnown, PartnerRouted, PartnerParked, PartnerResumed, SystemAccredited, ReleaseAsked, ReleaseDenied, OpeningDenied, MandateGiven, MandateWithdrawn, ProductCopied, NeedReviewed, ProductShown, MediumPacked, LedgerDisputed:
		return true
	}
	return false
}

func malformed(what string, ok ...bool) error {
	if slices.Contains(ok, false) {
		return fmt.Errorf("%w: %s is out of bounds", ErrMalformed, what)
	}
	return nil
}
