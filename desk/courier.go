package desk

import (
	"net/http"
	"path/filepath"

	"entente/act"
	"entente/carriage"
	"entente/ledger"
	"entente/party"

	"golang.org/x/mod/sumdb/note"
)

// PackAsk asks for a courier's medium.
type PackAsk struct {
	To       act.Party `json:"to"`
	Dir      string    `json:"dir"`      // where the medium is mounted, as this machine sees it
	Capacity int64     `json:"capacity"` // bytes that one holds
	Medium   int       `json:"medium"`   // which of the packing's, from 1
	Courier  string    `json:"courier"`  // who takes it from As
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

// TakeAsk has a medium taken in.
type TakeAsk struct {
	Dir string `json:"dir"`
}

// TakenView is a medium that was taken in, and through whose hands it came.
type TakenView struct {
	carriage.Medium
	Hands []carriage.Handover `json:"hands"`
}

func (s *Server) packMedium(w http.ResponseWriter, r *http.Request) {
	var a PackAsk
	long(w, 1, func(p func(done, all int64)) (m carriage.Medium, err error) {
		if err := read(r, &a); err != nil {
			return m, err
		}
		signer, err := s.registrar(r, a.As, a.Dir)
		if err != nil {
			return m, err
		}
		way, err := s.way(r, a.To, a.Leave)
		if err != nil {
			return m, err
		}
		way.By = "courier"
		if err := s.Ledger.View(r.Context(), func(tx *ledger.Tx) error { return s.Chancery.Strands(tx, way, "") }); err != nil {
			return m, err
		}
		return s.Carriage.Post.Pack(r.Context(), a.To, a.Dir, a.Capacity, a.Medium, a.Courier, signer, p)
	})
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
	return a, s.Carriage.Post.HandOver(a.Dir, a.From, a.To, signer)
}

func (s *Server) takeMedium(w http.ResponseWriter, r *http.Request) {
	var a TakeAsk
	long(w, 1, func(p func(done, all int64)) (v TakenView, err error) {
		if err := read(r, &a); err != nil {
			return v, err
		}
		if !filepath.IsAbs(a.Dir) {
			return v, invalid("a medium is named by its whole path, not %q", a.Dir)
		}
		v.Medium, v.Hands, err = s.Carriage.Post.TakeMedium(r.Context(), a.Dir, p)
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
