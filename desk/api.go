// Package desk is what a party's own people see of their node: pages for the
// browser, and the API that the command line speaks over a local socket.
//
// [Server.API] serves the socket: whoever may open the socket's file is the
// operator of the node, and says as which person they act. [Server.Pages]
// serves the browser: a person signs in. Both call the same offices, and the
// ruling that is shown before a release is made by the code that decides it.
package desk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/catalogue"
	"entente/chancery"
	"entente/intake"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/ruling"
)

// Server answers for one node. Fill every field.
type Server struct {
	Card      act.Card
	Ledger    *ledger.Ledger
	Catalogue *catalogue.Catalogue
	Chancery  *chancery.Office
	Release   *release.Office
	Intake    *intake.Office
	Reading   *reading.Room
	Carriage  *carriage.Direct
	Enrol     func(*http.Request, act.Person) error
	Address   func(*http.Request, act.Party, string) error // sets where a partner is called
	Verify    func(*http.Request, func(done, all int64)) (act.Head, error)
	Store     func() (Stored, error)
	// Stood runs f on the ledger's state of now, or of a past moment.
	Stood func(ctx context.Context, w ledger.When, progress func(done, all int64), f func(*ledger.Tx, ledger.State) error) error
	Now   func() time.Time
	// Preview decodes a picture from outside and shows it small; nil: pictures are not shown.
	Preview  func(ctx context.Context, r io.ReaderAt, size int64, most int) (image.Image, error)
	Base     string // URL of the pages; empty: none are served
	sessions sessions
	zone     atomic.Pointer[time.Location] // of moments on pages
}

// Problem is what a caller is told when something was not done.
type Problem struct {
	Kind    string       `json:"kind"` // refused, waits, invalid, fault
	Text    string       `json:"text"`
	Because []act.Reason `json:"because,omitempty"`
	Hint    string       `json:"hint,omitempty"` // where help is
}

// Error implements error.
func (p *Problem) Error() string { return p.Text }

func problem(err error) (*Problem, int) {
	var r *release.Refused
	var d *reading.Denied
	var c *chancery.Refused
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p, http.StatusBadRequest
	case errors.As(err, &r):
		return &Problem{Kind: "refused", Text: err.Error(), Because: r.Ruling.Because, Hint: "'entente why " + string(r.Number) + "' explains it again, with the acts that it rests on"}, http.StatusForbidden
	case errors.As(err, &d):
		return &Problem{Kind: "refused", Text: err.Error(), Because: d.Ruling.Because}, http.StatusForbidden
	case errors.As(err, &c):
		return &Problem{Kind: "refused", Text: err.Error(), Because: c.Ruling.Because}, http.StatusForbidden
	case errors.Is(err, act.ErrMalformed):
		return &Problem{Kind: "invalid", Text: strings.TrimPrefix(err.Error(), act.ErrMalformed.Error()+": ")}, http.StatusBadRequest
	case errors.Is(err, context.Canceled): // the caller has gone, or the node stops
		err = errHungUp
	case errors.Is(err, reading.ErrAsked):
		return &Problem{Kind: "waits", Text: err.Error()}, http.StatusAccepted
	}
	return &Problem{Kind: "fault", Text: err.Error()}, http.StatusInternalServerError
}

func invalid(format string, args ...any) error {
	return &Problem{Kind: "invalid", Text: fmt.Sprintf(format, args...)}
}

// API serves the command line.
func (s *Server) API() http.Handler {
	m := http.NewServeMux()
	for route, f := range map[string]func(*http.Request) (any, error){
		"GET /v1/card":               s.card,
		"GET /v1/status":             s.status,
		"GET /v1/pacts":              s.pacts,
		"POST /v1/pact/draft":        s.draft,
		"POST /v1/partner":           s.know,
		"POST /v1/route":             s.route,
		"POST /v1/courier/plan":      s.planMedium,
		"POST /v1/courier/hand-over": s.handOver,
		"POST /v1/pact/sign":         s.sign,
		"POST /v1/pact/step":         s.step,
		"GET /v1/persons":            s.persons,
		"POST /v1/persons":           s.enrol,
		"GET /v1/products":           s.products,
		"POST /v1/preview":           s.preview,
		"POST /v1/release":           s.release,
		"POST /v1/approve":           s.approve,
		"POST /v1/lend":              s.lend,
		"POST /v1/do":                s.do,
		"GET /v1/open":               s.openItems,
		"POST /v1/state":             s.state,
		"POST /v1/consent":           s.consent,
		"POST /v1/mandate":           s.mandate,
		"POST /v1/withdraw":          s.withdraw,
		"POST /v1/house":             s.house,
		"GET /v1/entries":            s.entries,
		"POST /v1/link":              s.link,
	} {
		m.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			answer(w, v, err)
		})
	}
	m.Handle("GET /metrics", s.Metrics())
	m.HandleFunc("POST /v1/open", s.open)
	m.HandleFunc("POST /v1/why", s.why)
	m.HandleFunc("POST /v1/verify", s.verify)
	m.HandleFunc("POST /v1/rebuild", s.rebuild)
	m.HandleFunc("POST /v1/courier/pack", s.packMedium)
	m.HandleFunc("POST /v1/courier/take-in", s.takeMedium)
	return m
}

// DeedAsk asks for a deed with a product.
type DeedAsk struct {
	Number act.Number `json:"number"`
	reading.Deed
}

func (s *Server) do(r *http.Request) (any, error) {
	var a DeedAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if err := a.Number.Check(); err != nil {
		return nil, invalid("%v", err)
	}
	return s.Reading.Do(r.Context(), a.Number, a.Deed)
}

// StateAsk states something to another authority.
type StateAsk struct {
	Kind      act.Kind       `json:"kind"`
	As        string         `json:"as"`
	Pact      act.PactID     `json:"pact,omitempty"`
	To        act.Party      `json:"to,omitempty"`
	Law       *act.LawNotice `json:"law,omitempty"`
	Assurance *act.Assurance `json:"assurance,omitempty"`
	Visit     *act.Visit     `json:"visit,omitempty"`
	Act       *act.Digest    `json:"act,omitempty"`  // that is acknowledged, approved or ended
	Mark      string         `json:"mark,omitempty"` // up to which a visit is approved
}

func (s *Server) state(r *http.Request) (any, error) {
	var a StateAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	ctx := r.Context()
	var d act.Digest
	var err error
	switch {
	case a.Kind == act.LawNotified && a.Law != nil:
		d, err = s.Chancery.State(ctx, a.Pact, a.Kind, *a.Law, a.To, a.As)
	case a.Kind == act.AssuranceGiven && a.Assurance != nil:
		a.Assurance.Mark.Party = s.Card.Party
		if err = s.marked(r, a.Pact, a.Assurance.Mark); err == nil {
			d, err = s.Chancery.State(ctx, a.Pact, a.Kind, *a.Assurance, a.To, a.As)
		}
	case a.Kind == act.VisitAsked && a.Visit != nil:
		a.Visit.Mark.Party = s.Card.Party
		if err = s.marked(r, a.Pact, a.Visit.Mark); err == nil {
			d, err = s.Chancery.State(ctx, a.Pact, a.Kind, *a.Visit, a.To, a.As)
		}
	case a.Kind == act.LawAcknowledged && a.Act != nil:
		d, err = s.Chancery.Acknowledge(ctx, *a.Act, a.As)
	case a.Kind == act.VisitApproved && a.Act != nil:
		d, err = s.Chancery.ApproveVisit(ctx, *a.Act, a.Mark, a.As)
	case a.Kind == act.VisitEnded && a.Act != nil:
		d, err = s.Chancery.EndVisit(ctx, *a.Act, a.As)
	default:
		return nil, invalid("nothing is stated")
	}
	return GrantView{d}, err
}

// OpenView is what waits for somebody's answer.
type OpenView struct {
	Law    []catalogue.Open  `json:"law"`
	Visits []product.Visit   `json:"visits"`
	Waits  []catalogue.Waits `json:"waits"` // releases to us, for an approval
}

func (s *Server) openItems(r *http.Request) (any, error) {
	var v OpenView
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		if v.Law, err = s.Catalogue.Open(tx); err != nil {
			return err
		}
		if v.Visits, err = s.Catalogue.Visits(tx); err != nil {
			return err
		}
		v.Waits, err = s.Catalogue.Waits(tx)
		return err
	})
	return v, err
}

// GrantAsk gives a consent or a mandate, or withdraws one.
type GrantAsk struct {
	As      string       `json:"as"`
	Consent *act.Consent `json:"consent,omitempty"`
	Mandate *act.Mandate `json:"mandate,omitempty"`
	Act     *act.Digest  `json:"act,omitempty"` // that is withdrawn
	Note    string       `json:"note,omitempty"`
}

// GrantView names the act that was entered.
type GrantView struct {
	Act act.Digest `json:"act"`
}

func (s *Server) consent(r *http.Request) (any, error) {
	var a GrantAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if a.Consent == nil {
		return nil, invalid("no consent is named")
	}
	d, err := s.Chancery.Consent(r.Context(), *a.Consent, a.As)
	return GrantView{d}, err
}

func (s *Server) mandate(r *http.Request) (any, error) {
	var a GrantAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if a.Mandate == nil {
		return nil, invalid("no mandate is named")
	}
	a.Mandate.Mark.Party = s.Card.Party
	d, err := s.Chancery.Mandate(r.Context(), *a.Mandate, a.As)
	return GrantView{d}, err
}

func (s *Server) withdraw(r *http.Request) (any, error) {
	var a GrantAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if a.Act == nil {
		return nil, invalid("no act is named")
	}
	return GrantView{*a.Act}, s.Chancery.Withdraw(r.Context(), *a.Act, a.Note, a.As)
}

func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		p, status := problem(err)
		w.WriteHeader(status)
		v = p
	}
	_ = json.NewEncoder(w).Encode(v) // the caller has gone: nobody is left to tell
}

// read decodes a small JSON body strictly.
func read(r *http.Request, v any) error {
	return decode(r.Body, v, "request")
}

// decode reads one small JSON value, and nothing after it.
func decode(r io.Reader, v any, what string) error {
	d := json.NewDecoder(io.LimitReader(r, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("reading the %s: %v", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("reading the %s: something follows it", what)
	}
	return nil
}

// CardView is our card and the code that our officer reads out.
type CardView struct {
	Card act.Card `json:"card"`
	Code string   `json:"code"`
}

func (s *Server) card(*http.Request) (any, error) {
	return CardView{s.Card, party.Code(s.Card)}, nil
}

// StatusView is the node at a glance.
type StatusView struct {
	Party    act.Party                        `json:"party"`
	Name     act.Names                        `json:"name"`
	Code     string                           `json:"code"`
	Desk     string                           `json:"desk,omitempty"`
	Ledger   act.Head                         `json:"ledger"`
	Pacts    []PactView                       `json:"pacts"`
	Partners []PartnerView                    `json:"partners"`
	Out      int                              `json:"out"`      // products released by us
	Receipts int                              `json:"receipts"` // of them, received by every recipient
	Refused  int                              `json:"refused"`
	In       int                              `json:"in"`    // products that we have received
	Bytes    int64                            `json:"bytes"` // of content, both ways
	Fetching map[act.Number]carriage.Progress `json:"fetching,omitempty"`
	Stored   Stored                           `json:"stored"`
	Behind   *act.Moment                      `json:"behind,omitempty"` // of our last entry, which our clock is behind: nothing is entered or sent until then
	Turned   map[string]uint64                `json:"turned,omitempty"` // callers turned away, by the limit that they met
	Relayed  carriage.Relayed                 `json:"relayed"`          // parcels of others
}

// BehindCure says what to do about a clock that is behind the ledger.
const BehindCure = "if this clock is wrong, set it right; if it is right, it was ahead when that was entered: wait, for nothing can be entered, sent or received before that moment; if that is too long, begin anew in another folder ('entente init') and have each partner compare codes again"

func (s *Server) status(r *http.Request) (any, error) { return s.Status(r) }

// Status reads the node at a glance.
func (s *Server) Status(r *http.Request) (v StatusView, err error) {
	v = StatusView{Party: s.Card.Party, Name: s.Card.Name, Code: party.Code(s.Card), Desk: s.Base, Fetching: s.Carriage.Fetching(), Turned: s.Carriage.Turned()}
	if v.Stored, err = s.Store(); err != nil {
		return v, err
	}
	links, letters := s.Carriage.States(), s.Carriage.Post.States()
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		if v.Ledger, err = tx.Head(); err != nil {
			return err
		}
		if last, behind, err := s.Catalogue.ClockBehind(tx, s.Now()); err != nil {
			return err
		} else if behind {
			v.Behind = &last
		}
		if v.Pacts, err = s.pactViews(tx, s.Now(), "en"); err != nil {
			return err
		}
		if v.Relayed, err = s.Carriage.Post.Relayed(tx); err != nil {
			return err
		}
		partners, err := s.Catalogue.Partners(tx)
		if err != nil {
			return err
		}
		for _, p := range partners {
			one, err := s.partnerView(tx, p, links[p.Card.Party], links[p.Via], letters[p.Card.Party])
			if err != nil {
				return err
			}
			v.Partners = append(v.Partners, one)
		}
		return s.count(tx, &v)
	})
	return v, err
}

func (s *Server) count(tx *ledger.Tx, v *StatusView) error {
	for cu, err := range s.Catalogue.Products(tx) {
		if err != nil {
			return err
		}
		_, here := cu.Received[s.Card.Party]
		switch {
		case cu.From == "": // a draft
		case cu.Manifest.Originator == s.Card.Party:
			v.Out++
			if len(cu.Received) == len(cu.Manifest.Recipients) {
				v.Receipts++
			}
			v.Refused += len(cu.Refused)
			v.Bytes += cu.Seal.Plain
		case here:
			v.In++
			v.Bytes += cu.Seal.Plain
		}
	}
	return nil
}

func (s *Server) pacts(r *http.Request) (any, error) {
	var all []PactView
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		all, err = s.pactViews(tx, s.Now(), "en")
		if id := r.FormValue("id"); err == nil && id != "" {
			for i := range all {
				if string(all[i].ID) == id {
					b, err := s.Catalogue.Text(tx, all[i].Text)
					if err != nil {
						return err
					}
					all[i].Source = string(b)
				}
			}
		}
		return err
	})
	return all, err
}

// PactAsk names a pact, the partner to sign it with and the officer.
type PactAsk struct {
	Pact    act.PactID `json:"pact"`
	Address string     `json:"address,omitempty"` // where the partner answers
	Code    string     `json:"code,omitempty"`    // of its card, as its officer read it out
	As      string     `json:"as,omitempty"`
	Step    act.Kind   `json:"step,omitempty"`
	Phase   string     `json:"phase,omitempty"`  // of a reading that is declared
	Notify  bool       `json:"notify,omitempty"` // signed, and the domestic procedures are complete
	Note    string     `json:"note,omitempty"`
	Text    string     `json:"text,omitempty"` // the text to propose; empty: the shipped one
	Card    *act.Card  `json:"card,omitempty"` // the partner's, where it came by other hands than a link's
}

func (s *Server) draft(r *http.Request) (any, error) {
	var a PactAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	text, err := s.text(r, a.Pact)
	return map[string]string{"text": string(text)}, err
}

// text fills the cards that are pinned into the shipped text of a pact.
func (s *Server) text(r *http.Request, id act.PactID) ([]byte, error) {
	cards := []act.Card{s.Card}
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		partners, err := s.Catalogue.Partners(tx)
		for _, p := range partners {
			cards = append(cards, p.Card)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	b, err := pact.Draft(id, cards)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return b, nil
}

// SignView tells what signing did.
type SignView struct {
	Partner act.Party `json:"partner,omitempty"` // who was pinned now
	Code    string    `json:"code,omitempty"`    // of the card that answered, when no code was given
	Ours    string    `json:"ours,omitempty"`
	Pact    PactView  `json:"pact"`
}

// sign pins the partner, if a code is given, proposes the text unless it is
// proposed, and signs it. Without a code for a partner that is not known it
// only tells both codes.
func (s *Server) sign(r *http.Request) (any, error) {
	var a PactAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	v := SignView{Ours: party.Code(s.Card)}
	card, found, err := s.meet(r, a)
	if err != nil {
		return nil, err
	}
	if found {
		if a.Code == "" {
			v.Partner, v.Code = card.Party, party.Code(card)
			return v, nil
		}
		v.Partner = card.Party
		if err := s.pin(r, card, a); err != nil {
			return nil, err
		}
	}
	text := []byte(a.Text)
	if a.Text == "" {
		if text, err = s.text(r, a.Pact); err != nil {
			return nil, err
		}
	}
	p, err := s.Chancery.Propose(r.Context(), text, a.As)
	if err != nil {
		return nil, err
	}
	steps := []act.Kind{act.PactSigned}
	if a.Notify {
		steps = append(steps, act.PactNotified)
	}
	for _, k := range steps {
		if err := s.Chancery.Step(r.Context(), k, p.ID, p.Text, a.Note, a.As); err != nil {
			return nil, err
		}
	}
	v.Pact, err = s.pactView(r, p.ID, p.Text)
	return v, err
}

// know pins a partner without signing anything: for a pact of three and more.
func (s *Server) know(r *http.Request) (any, error) {
	var a PactAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	v := SignView{Ours: party.Code(s.Card)}
	card, found, err := s.meet(r, a)
	if err != nil || !found {
		return nil, errors.Join(err, invalid("give the partner's address, or the code of one that called"))
	}
	if v.Partner, v.Code = card.Party, party.Code(card); a.Code == "" {
		return v, nil
	}
	return v, s.pin(r, card, a)
}

// pin pins a card whose code was compared, and keeps where it answers.
func (s *Server) pin(r *http.Request, card act.Card, a PactAsk) error {
	if err := s.Chancery.Know(r.Context(), card, a.Code, a.As); err != nil {
		return invalid("%v", err)
	}
	if a.Address == "" {
		return nil
	}
	return s.Address(r, card.Party, a.Address)
}

// RouteAsk says by way of whom a partner is reached.
type RouteAsk struct {
	act.Routing
	As    string `json:"as"`
	Leave bool   `json:"leave,omitempty"` // also what it strands
}

func (s *Server) route(r *http.Request) (any, error) {
	var a RouteAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	w, err := s.way(r, a.Party, a.Leave)
	if err != nil {
		return nil, err
	}
	err = s.Chancery.Route(r.Context(), w, a.Via, a.As)
	var refused *chancery.Refused
	if err != nil && !errors.As(err, &refused) {
		err = invalid("%v", err)
	}
	return a.Routing, err
}

// way begins a change of way to p.
func (s *Server) way(r *http.Request, p act.Party, leave bool) (w chancery.Way, err error) {
	w = chancery.Way{To: p, Leave: leave}
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		w.Taken, err = s.Carriage.Taken(tx, p)
		return err
	})
	return w, err
}

// meet finds the card of a partner that is not pinned yet: as it was brought, by calling it,
// or among those who called us.
func (s *Server) meet(r *http.Request, a PactAsk) (act.Card, bool, error) {
	if a.Card != nil {
		return *a.Card, true, nil
	}
	if a.Address != "" {
		card, err := s.Carriage.Introduce(r.Context(), a.Address)
		if err == nil {
			return card, true, nil
		}
		if card, ok := s.Carriage.Presented(a.Code); ok {
			return card, true, nil // it cannot be called, but it has called us
		}
		return card, false, fmt.Errorf("nobody answers at %s: %w; start the partner's node with 'entente serve', or let it call us", a.Address, err)
	}
	if a.Code != "" {
		card, ok := s.Carriage.Presented(a.Code)
		if !ok {
			return card, false, &Problem{Kind: "waits", Text: "nobody with this code has called: give the partner's address with --with, or ask it to call us first"}
		}
		return card, true, nil
	}
	return act.Card{}, false, nil
}

func (s *Server) pactView(r *http.Request, id act.PactID, text act.Sum) (v PactView, err error) {
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		all, err := s.pactViews(tx, s.Now(), "en")
		for _, p := range all {
			if p.ID == id && p.Text == text {
				v = p
			}
		}
		return err
	})
	return v, err
}

func (s *Server) step(r *http.Request) (any, error) {
	var a PactAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if !a.Step.OfPact() || a.Step == act.PactProposed {
		return nil, invalid("no step is called %q", a.Step)
	}
	var text act.Sum
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		sum, ok, err := s.Chancery.Fits(tx, a.Step, a.Pact, a.As)
		if err == nil && !ok {
			err = invalid("no pact called %s is proposed here", a.Pact)
		}
		text = sum
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.Step == act.PactRead {
		if err := s.Chancery.Read(r.Context(), a.Pact, text, pact.Phase(a.Phase), a.Note, a.As); err != nil {
			return nil, err
		}
		return s.pactView(r, a.Pact, text)
	}
	if err := s.Chancery.Step(r.Context(), a.Step, a.Pact, text, a.Note, a.As); err != nil {
		return nil, err
	}
	return s.pactView(r, a.Pact, text)
}

func (s *Server) persons(r *http.Request) (any, error) {
	var all []act.Person
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		all, err = s.Catalogue.Persons(tx)
		return err
	})
	return all, err
}

func (s *Server) enrol(r *http.Request) (any, error) {
	var p act.Person
	if err := read(r, &p); err != nil {
		return nil, err
	}
	if err := s.enrollable(r, p); err != nil {
		return nil, err
	}
	return p.Name, s.Enrol(r, p)
}

func (s *Server) products(r *http.Request) (any, error) { return s.Products(r, r.FormValue("box")) }

// Products lists the inbox ("in"), the outbox ("out") or both, newest first.
func (s *Server) Products(r *http.Request, box string) (all []product.Custody, err error) {
	all = []product.Custody{}
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		for cu, err := range s.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			if ours := cu.Manifest.Originator == s.Card.Party; box == "" || ours == (box == "out") {
				all = append(all, cu)
			}
		}
		return nil
	})
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, err
}

func (s *Server) preview(r *http.Request) (any, error) {
	var d release.Draft
	if err := read(r, &d); err != nil {
		return nil, err
	}
	return s.rule(r.Context(), d, "")
}

// release reads a form of two parts: the draft, then the content, which is
// sealed as it arrives.
func (s *Server) release(r *http.Request) (any, error) {
	m, err := r.MultipartReader()
	if err != nil {
		return nil, invalid("reading the request: %v", err)
	}
	var d release.Draft
	p, err := part(m, "draft")
	if err != nil {
		return nil, err
	}
	if err := decode(p, &d, "draft"); err != nil {
		return nil, err
	}
	if p, err = part(m, "content"); err != nil {
		return nil, err
	}
	return s.Release.Release(r.Context(), d, bufio.NewReaderSize(p, 1<<20))
}

func part(m *multipart.Reader, name string) (*multipart.Part, error) {
	p, err := m.NextRawPart()
	if err != nil || p.FormName() != name {
		return nil, invalid("reading the request: the part %q is missing", name)
	}
	return p, nil
}

func (s *Server) approve(r *http.Request) (any, error) {
	var a struct {
		Number act.Number `json:"number"`
		As     string     `json:"as"`
	}
	if err := read(r, &a); err != nil {
		return nil, err
	}
	return s.Release.Approve(r.Context(), a.Number, a.As)
}

func (s *Server) lend(r *http.Request) (any, error) {
	var a struct {
		Number act.Number `json:"number"`
		To     act.Party  `json:"to"`
		Until  act.Moment `json:"until"`
		As     string     `json:"as"`
	}
	if err := read(r, &a); err != nil {
		return nil, err
	}
	return a, s.Release.Lend(r.Context(), a.Number, a.To, a.Until.Time, a.As)
}

// OpenAsk asks to read a product.
type OpenAsk struct {
	Number  act.Number `json:"number"`
	As      string     `json:"as"`
	Purpose string     `json:"purpose"`
}

// open streams content, verified segment by segment. The manifest goes ahead
// in a header. A stream that breaks off was not verified to its end.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	var a OpenAsk
	if err := read(r, &a); err != nil {
		answer(w, nil, err)
		return
	}
	if err := a.Number.Check(); err != nil {
		answer(w, nil, invalid("%v", err))
		return
	}
	o, err := s.Reading.Open(r.Context(), a.Number, a.As, a.Purpose)
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer o.Close()
	about, err := json.Marshal(struct {
		Custody product.Custody `json:"custody"`
		Ruling  ruling.Ruling   `json:"ruling"`
	}{o.Custody, o.Ruling})
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(o.Size(), 10))
	w.Header().Set("Entente-Product", strconv.QuoteToASCII(string(about)))
	_, _ = o.WriteTo(w) // what was cut short is too short for its length: the caller sees it
}

// EntriesView is a part of the ledger.
type EntriesView struct {
	Entries []EntryView `json:"entries"`
	Size    int64       `json:"size"`           // of the whole ledger
	Next    int64       `json:"next,omitempty"` // where to go on; absent: there are no more
}

// maxEntries bounds what is told of the ledger at once.
const maxEntries = 1000

func (s *Server) entries(r *http.Request) (any, error) {
	from := int64(0)
	if f := r.FormValue("from"); f != "" {
		var err error
		if from, err = strconv.ParseInt(f, 10, 64); err != nil || from < 0 {
			return nil, invalid("entries are counted from 0, not from %q", f)
		}
	}
	v := EntriesView{Entries: []EntryView{}}
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		v.Size = tx.Size()
		for e, err := range tx.Entries(from) {
			if err != nil {
				return err
			}
			if len(v.Entries) == maxEntries {
				v.Next = e.Index
				break
			}
			v.Entries = append(v.Entries, entryView(e))
		}
		return nil
	})
	return v, err
}

// ProgressView is one line of a long answer; the last holds the result, or the fault.
type ProgressView struct {
	Done   int64           `json:"done"`
	All    int64           `json:"all"`
	Result json.RawMessage `json:"result,omitempty"`
	Fault  *Problem        `json:"fault,omitempty"`
}

// long answers line by line, so that the caller can show progress: a line for
// each so many steps.
func long[T any](w http.ResponseWriter, steps int64, f func(progress func(done, all int64)) (T, error)) {
	e := json.NewEncoder(w)
	c := http.NewResponseController(w)
	v, err := f(func(done, all int64) {
		if done%steps == 0 || done == all {
			_ = errors.Join(e.Encode(ProgressView{Done: done, All: all}), c.Flush())
		}
	})
	last := ProgressView{}
	if err == nil {
		last.Result, err = json.Marshal(v)
	}
	if err != nil {
		last.Fault, _ = problem(err)
	}
	_ = e.Encode(last)
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	long(w, 1000, func(p func(done, all int64)) (act.Head, error) { return s.Verify(r, p) })
}

func (s *Server) rebuild(w http.ResponseWriter, r *http.Request) {
	long(w, 1000, func(p func(done, all int64)) (h act.Head, err error) {
		if err := s.Ledger.Rebuild(r.Context(), p); err != nil {
			return h, err
		}
		err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
			h, err = tx.Head()
			return err
		})
		return h, err
	})
}

// link makes a one-time link to the pages for a person.
func (s *Server) link(r *http.Request) (any, error) {
	var a struct {
		As string `json:"as"`
	}
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if s.Base == "" {
		return nil, invalid("no pages are served: run 'entente serve' first, and ask again while it runs")
	}
	var known bool
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		var p act.Person
		p, known, err = s.Catalogue.Person(tx, a.As)
		known = known && !p.Left
		return err
	})
	if err != nil || !known {
		return nil, errors.Join(err, invalid("nobody called %q is enrolled here", a.As))
	}
	t, err := s.sessions.invite(a.As, s.Now())
	return map[string]string{"link": s.Base + "/enter?t=" + t}, err
}
