package desk

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"entente/act"
	"entente/carriage"
	"entente/catalogue"
	"entente/ledger"
)

// PartnerView is a partner at a glance.
type PartnerView struct {
	Party    act.Party       `json:"party"`
	Name     act.Names       `json:"name"`
	Linked   bool            `json:"linked"`
	Since    *act.Moment     `json:"since,omitempty"` // when the link came up, or went down
	Waiting  int64           `json:"waiting"`         // acts of ours that it has not taken in
	Bytes    int64           `json:"bytes"`           // of them
	Behind   float64         `json:"behind"`          // seconds that the oldest of them has waited
	Out      Way             `json:"out"`             // products of ours that it has not receipted
	In       Way             `json:"in"`              // products of its whose content is not here
	Owed     Way             `json:"owed"`            // products of its that are here, and it has not taken in our receipts
	Overdue  []catalogue.Due `json:"overdue,omitempty"`
	Reason   string          `json:"reason,omitempty"` // why something waits
	Skew     float64         `json:"skew"`             // seconds that its clock is ahead of ours, at its last hello
	Calls    int64           `json:"calls"`            // how often we called it
	Received int64           `json:"received"`
	Seen     act.Head        `json:"seen"` // its ledger as last verified
	Trouble  string          `json:"trouble,omitempty"`
	Disputed string          `json:"disputed,omitempty"`
	Parked   string          `json:"parked,omitempty"` // why an officer of ours parked it

	Via        act.Party   `json:"via,omitempty"`        // the hub that it is reached by; absent: directly
	Unanswered *act.Moment `json:"unanswered,omitempty"` // since when parcels of ours are not answered
	Twice      int64       `json:"twice,omitempty"`      // parcels that came again
	Late       int64       `json:"late,omitempty"`       // parcels that came out of turn

	Held        int64   `json:"held,omitempty"`        // parcels of others that are held here for it
	HeldBytes   int64   `json:"heldBytes,omitempty"`   // of them
	HeldSeconds float64 `json:"heldSeconds,omitempty"` // that the oldest of them has waited
}

// parcels adds what is known of a partner that is reached by parcels.
func (v *PartnerView) parcels(l carriage.Letters) {
	v.Twice, v.Late = l.Twice, l.Late
	if v.Via != "" {
		v.Trouble = l.Trouble
	}
	if !l.Unanswered.IsZero() {
		m := act.MomentOf(l.Unanswered)
		v.Unanswered = &m
	}
}

// Way is what is on its way in one direction.
type Way struct {
	Products int   `json:"products"`
	Bytes    int64 `json:"bytes"`
	Overdue  int   `json:"overdue"` // beyond the pact's limit for a receipt (R35)
}

func (s *Server) partnerView(tx *ledger.Tx, p catalogue.Partner, l, hub carriage.State, letters carriage.Letters) (PartnerView, error) {
	now := s.Now()
	v := PartnerView{Party: p.Card.Party, Name: p.Card.Name, Linked: l.Linked, Skew: l.Skew.Seconds(), Calls: l.Calls, Received: p.Received, Trouble: l.Trouble, Disputed: s.Carriage.Disputed(p), Via: p.Via, Parked: p.Parked}
	v.parcels(letters)
	if p.Via != "" && !hub.Linked && hub.Trouble != "" { // before what follows from it
		v.Trouble = fmt.Sprintf("by way of %s, which is not linked: %s", p.Via, hub.Trouble)
	}
	if !l.Since.IsZero() {
		at := act.MomentOf(l.Since)
		v.Since = &at
	}
	peer, err := tx.Peer(p.Card.Party)
	if err != nil {
		return v, err
	}
	v.Seen = peer.Head
	var since act.Moment
	if v.Held, v.HeldBytes, since, err = s.Carriage.Post.Holding(tx, p.Card.Party); err != nil {
		return v, err
	} else if v.Held > 0 {
		v.HeldSeconds = max(0, now.Sub(since.Time).Seconds())
	}
	taken, err := s.Carriage.Taken(tx, p.Card.Party)
	if err != nil {
		return v, err
	}
	lag, err := s.Catalogue.Lag(tx, p, taken)
	if err != nil {
		return v, err
	}
	if v.Waiting, v.Bytes = lag.Acts, lag.Bytes; !lag.Since.IsZero() {
		v.Behind = max(0, now.Sub(lag.Since.Time).Seconds())
	}
	due, err := s.Catalogue.Due(tx, p.Card.Party)
	halted := ""
	if err != nil {
		return v, err
	}
	owed, err := s.Catalogue.Owed(tx, p, taken)
	for _, d := range append(due, owed...) {
		w := &v.In
		if d.Receipt {
			w = &v.Owed
		} else if d.Ours {
			w = &v.Out
		}
		if d.Ours && halted == "" {
			if halted, err = s.halted(tx, p.Card.Party, d.Number); err != nil {
				return v, err
			}
		}
		w.Products++
		w.Bytes += d.Size
		if d.Overdue(now) {
			w.Overdue++
			v.Overdue = append(v.Overdue, d)
		}
	}
	if v.Reason = reason(&v, l.Content); halted != "" && v.Disputed == "" && v.Parked == "" {
		v.Reason = halted
	}
	return v, err
}

// halted says why a product that was released to p may not be handed over now; empty: it may.
func (s *Server) halted(tx *ledger.Tx, p act.Party, n act.Number) (string, error) {
	cu, ok, err := s.Catalogue.Product(tx, n)
	if err != nil || !ok {
		return "", err
	}
	because, err := s.Release.Halted(tx, p, "", cu.Text, &cu.Manifest)
	if err != nil || because == nil {
		return "", err
	}
	return fmt.Sprintf("%s is not handed over: %s (%s): %s", n, because[0].Text, because[0].Article, because[0].Cure), nil
}

// reason says why something waits, the cause that people can mend first.
func reason(v *PartnerView, content string) string {
	switch {
	case v.Disputed != "":
		return "its ledger is disputed: " + v.Disputed
	case v.Parked != "":
		return "an officer parked it: " + v.Parked
	case v.Via != "" && v.Trouble != "":
		return v.Trouble
	case v.Via != "" && v.Waiting+int64(v.In.Products+v.Out.Products) > 0:
		return "on its way by " + string(v.Via)
	case v.Via != "":
		return ""
	case !v.Linked && v.Trouble != "":
		return "not linked: " + v.Trouble
	case !v.Linked:
		return "not linked"
	case v.In.Products > 0 && content != "":
		return "content does not come: " + content
	case v.In.Products > 0:
		return "content is being fetched"
	case v.Waiting > 0:
		return "acts are being sent"
	case v.Out.Products > 0 && content != "":
		return "content does not go: " + content
	case v.Out.Products > 0:
		return "the partner has the release, and its receipt has not come"
	}
	return ""
}

// HouseAsk enters an act about our own house.
type HouseAsk struct {
	Kind          act.Kind           `json:"kind"` // partner.parked, partner.resumed, system.accredited
	As            string             `json:"as"`
	Party         act.Party          `json:"party,omitempty"`
	Reason        string             `json:"reason,omitempty"`
	Accreditation *act.Accreditation `json:"accreditation,omitempty"`
}

func (s *Server) house(r *http.Request) (any, error) {
	var a HouseAsk
	if err := read(r, &a); err != nil {
		return nil, err
	}
	var d act.Digest
	var err error
	switch {
	case a.Kind == act.PartnerParked:
		d, err = s.Chancery.Park(r.Context(), a.Party, a.Reason, a.As)
	case a.Kind == act.PartnerResumed:
		d, err = s.Chancery.Resume(r.Context(), a.Party, a.Reason, a.As)
	case a.Kind == act.SystemAccredited && a.Accreditation != nil:
		if err = s.accreditable(r, a.Accreditation); err == nil {
			d, err = s.Chancery.Accredit(r.Context(), *a.Accreditation, a.As)
		}
	default:
		return nil, invalid("nothing is stated about the house")
	}
	return GrantView{d}, err
}

// Stored is what the node's storage takes and leaves, in bytes.
type Stored struct {
	Ledger int64 `json:"ledger"`
	Free   int64 `json:"free"`
}

// metric is one value, of one partner or of the node.
type metric struct {
	party act.Party
	value float64
}

// Metrics writes the node's state in the text format of Prometheus. Its only
// label is the partner's name: nothing tells a product, a level or a subject.
func (s *Server) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := s.Status(r)
		if err != nil {
			http.Error(w, "reading the status", http.StatusInternalServerError) // the cause is in the log, not on the network
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		var b bytes.Buffer
		writeMetrics(&b, v)
		_, _ = w.Write(b.Bytes()) // the caller has gone: nobody is left to tell
	})
}

func writeMetrics(w io.Writer, v StatusView) {
	yes := map[bool]float64{true: 1}
	put := func(name, kind, help string, all ...metric) {
		fmt.Fprintf(w, "# HELP entente_%s %s\n# TYPE entente_%s %s\n", name, help, name, kind)
		for _, m := range all {
			label := ""
			if m.party != "" {
				label = fmt.Sprintf("{partner=%q}", m.party) // capital letters, digits and hyphens
			}
			fmt.Fprintf(w, "entente_%s%s %s\n", name, label, strconv.FormatFloat(m.value, 'g', -1, 64))
		}
	}
	node := func(name, kind, help string, value float64) { put(name, kind, help, metric{"", value}) }
	each := func(name, kind, help string, f func(*PartnerView) float64) {
		var all []metric
		for i := range v.Partners {
			all = append(all, metric{v.Partners[i].Party, f(&v.Partners[i])})
		}
		put(name, kind, help, all...)
	}
	node("ledger_entries", "gauge", "Entries in the ledger.", float64(v.Ledger.Size))
	node("ledger_bytes", "gauge", "Bytes that the ledger takes on the disk.", float64(v.Stored.Ledger))
	node("disk_free_bytes", "gauge", "Bytes free on the disk of the data folder.", float64(v.Stored.Free))
	node("clock_behind", "gauge", "Whether our clock is behind our own last entry, so that nothing is entered.", yes[v.Behind != nil])
	node("products_fetching", "gauge", "Products whose content is being fetched now.", float64(len(v.Fetching)))
	each("link_up", "gauge", "Whether the link stands.", func(p *PartnerView) float64 { return yes[p.Linked] })
	each("link_changed_seconds", "gauge", "When the link last came up or went down, as Unix time.", func(p *PartnerView) float64 {
		if p.Since == nil {
			return 0
		}
		return float64(p.Since.Unix())
	})
	each("link_parked", "gauge", "Whether an officer parked the link.", func(p *PartnerView) float64 { return yes[p.Parked != ""] })
	each("link_disputed", "gauge", "Whether the partner's ledger is disputed.", func(p *PartnerView) float64 { return yes[p.Disputed != ""] })
	each("link_calls_total", "counter", "Calls to the partner since the node started.", func(p *PartnerView) float64 { return float64(p.Calls) })
	each("lag_acts", "gauge", "Acts that the partner has not taken in.", func(p *PartnerView) float64 { return float64(p.Waiting) })
	each("lag_bytes", "gauge", "Bytes of them.", func(p *PartnerView) float64 { return float64(p.Bytes) })
	each("lag_seconds", "gauge", "Seconds that the oldest of them has waited.", func(p *PartnerView) float64 { return p.Behind })
	each("unreceipted_products", "gauge", "Products of ours without a receipt of the partner.", func(p *PartnerView) float64 { return float64(p.Out.Products) })
	each("unreceipted_bytes", "gauge", "Sealed bytes of them.", func(p *PartnerView) float64 { return float64(p.Out.Bytes) })
	each("receipts_overdue", "gauge", "Of them, beyond the pact's limit.", func(p *PartnerView) float64 { return float64(p.Out.Overdue) })
	each("awaited_products", "gauge", "Products of the partner whose content is not here.", func(p *PartnerView) float64 { return float64(p.In.Products) })
	each("awaited_bytes", "gauge", "Sealed bytes of them.", func(p *PartnerView) float64 { return float64(p.In.Bytes) })
	each("content_overdue", "gauge", "Of them, beyond the pact's limit.", func(p *PartnerView) float64 { return float64(p.In.Overdue) })
	each("receipts_uncarried", "gauge", "Products of the partner that are here, and whose receipts it has not taken in; the first 1000.", func(p *PartnerView) float64 { return float64(p.Owed.Products) })
	each("receipts_uncarried_overdue", "gauge", "Of them, beyond the pact's limit.", func(p *PartnerView) float64 { return float64(p.Owed.Overdue) })
	each("held_parcels", "gauge", "Parcels of others that are held here for the partner.", func(p *PartnerView) float64 { return float64(p.Held) })
	each("held_bytes", "gauge", "Bytes of them.", func(p *PartnerView) float64 { return float64(p.HeldBytes) })
	each("held_seconds", "gauge", "Seconds that the oldest of them has waited.", func(p *PartnerView) float64 { return p.HeldSeconds })
	each("clock_skew_seconds", "gauge", "How far the partner's clock is ahead of ours.", func(p *PartnerView) float64 { return p.Skew })
	fmt.Fprintf(w, "# HELP entente_turned_away_total Callers and frames turned away, by the limit that they met.\n# TYPE entente_turned_away_total counter\n")
	for _, limit := range slices.Sorted(maps.Keys(v.Turned)) {
		fmt.Fprintf(w, "entente_turned_away_total{limit=%q} %d\n", limit, v.Turned[limit])
	}
}
