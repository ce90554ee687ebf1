package desk

import (
	"net/http"
	"path/filepath"
	"strings"

	"entente/act"
	"entente/carriage"
	"entente/ledger"
	"entente/party"

	"golang.org/x/mod/sumdb/note"
)

// PackAsk asks for a courier's medium.
type PackAsk struct {
	To       act.Party `json:"to"`
	Dir      string    `json:"dir"`                // where the medium is mounted, as this machine sees it
	Capacity int64     `json:"capacity,omitempty"` // bytes that one holds; 0: as it was begun
	Medium   int       `json:"medium,omitempty"`   // which of the packing's, from 1; 0: the next
	Anew     bool      `json:"anew,omitempty"`     // give up the packing in the making
	Courier  string    `json:"courier"`            // who takes it from As
	As       string    `json:"as"`
	Leave    bool      `json:"leave,omitempty"` // pack also what the recipient would refuse by this way
}

// HandAsk enters a hand-over on a medium.
type HandAsk struct {
	Dir  string `json:"dir"`
	From string `json:"from"`
	To   string `json:"to"`
	As   string `json:"as"`
}

// TakeAsk has a medium taken in by a person of ours.
type TakeAsk struct {
	Dir  string `json:"dir"`
	From string `json:"from,omitempty"` // from whose hands they had it; empty: the chain tells
	As   string `json:"as"`
}

// TakenView is a medium that was taken in, and through whose hands it came.
type TakenView struct {
	carriage.Medium
	Hands []carriage.Handover `json:"hands"`
}

// planMedium tells how many media a packing takes, before anything is written.
func (s *Server) planMedium(r *http.Request) (any, error) {
	a, _, err := s.packAsk(r)
	if err != nil {
		return nil, err
	}
	return s.Carriage.Post.Plan(r.Context(), a.To, a.Capacity, a.Medium, a.Anew)
}

func (s *Server) packMedium(w http.ResponseWriter, r *http.Request) {
	long(w, 1, func(p func(done, all int64)) (m carriage.Medium, err error) {
		a, signer, err := s.packAsk(r)
		if err != nil {
			return m, err
		}
		return s.Carriage.Post.Pack(r.Context(), a.To, a.Dir, a.Capacity, a.Medium, a.Courier, signer, p)
	})
}

// packAsk reads who asks for what medium, and refuses what must not go by one.
func (s *Server) packAsk(r *http.Request) (a PackAsk, signer note.Signer, err error) {
	if err := read(r, &a); err != nil {
		return a, nil, err
	}
	if strings.TrimSpace(a.Courier) == "" {
		return a, nil, invalid("who takes the medium from here is not named: name the courier (--courier)")
	}
	if signer, err = s.registrar(r, a.As, a.Dir); err != nil {
		return a, nil, err
	}
	way, err := s.way(r, a.To, a.Leave)
	if err != nil {
		return a, nil, err
	}
	way.By = "courier"
	return a, signer, s.Ledger.View(r.Context(), func(tx *ledger.Tx) error { return s.Chancery.Strands(tx, way, "") })
}

func (s *Server) handOver(r *http.Request) (any, error) {
	var a HandAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	signer, err := s.registrar(r, a.As, a.Dir)
	if err != nil {
		return nil, err
	}
	return a, s.Carriage.Post.HandOver(r.Context(), a.Dir, a.From, a.To, signer)
}

func (s *Server) takeMedium(w http.ResponseWriter, r *http.Request) {
	var a TakeAsk
	long(w, 1, func(p func(done, all int64)) (v TakenView, err error) {
		if err := read(r, &a); err != nil {
			return v, err
		}
		signer, err := s.registrar(r, a.As, a.Dir)
		if err != nil {
			return v, err
		}
		if a.From != "" {
			if err := s.Carriage.Post.HandOver(r.Context(), a.Dir, a.From, a.As, signer); err != nil {
				return v, err
			}
		}
		v.Medium, v.Hands, err = s.Carriage.Post.TakeMedium(r.Context(), a.Dir, a.As, p)
		return v, err
	})
}

// registrar returns the signer of a person who keeps the registry, or releases.
func (s *Server) registrar(r *http.Request, name, dir string) (note.Signer, error) {
	if !filepath.IsAbs(dir) {
		return nil, invalid("a medium is named by its whole path, not %q", dir)
	}
	err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		p, ok, err := s.Catalogue.Person(tx, name)
		if err != nil {
			return err
		}
		if !ok || !party.Holds(&p, act.Registry) && !party.Holds(&p, act.Releasing) {
			return invalid("%s keeps no registry here, and releases nothing: media go through the hands of who does", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.Release.Signer(r.Context(), name)
}
