package desk

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/atlas"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/ruling"
)

//go:embed templates/pages.html
var templates embed.FS

//go:embed style.css
var style []byte

const (
	cookieSession  = "entente"
	cookieLanguage = "lang"
	// policy lets the pages have styles and pictures of their own, and nothing else: no script at all.
	policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// maxText bounds what is shown as text on a page.
	maxText = 256 << 10
	// maxUpload bounds what a browser releases; larger files go by the command line.
	maxUpload = 256 << 20
)

// articles names what reasons rest on, each once.
func articles(because []act.Reason) string {
	var all []string
	for _, r := range because {
		if !slices.Contains(all, r.Article) {
			all = append(all, r.Article)
		}
	}
	return strings.Join(all, ", ")
}

// when writes a moment as all pages do: in the zone that our pacts share, which it names.
func (s *Server) when(m act.Moment) string {
	z := s.zone.Load()
	if z == nil {
		z = time.UTC
	}
	return m.In(z).Format("2006-01-02 15:04:05 -07:00")
}

// zoned finds the zone that all our pacts share: where they differ it is UTC.
func (s *Server) zoned(ctx context.Context) error {
	var z *time.Location
	err := s.Ledger.View(ctx, func(tx *ledger.Tx) error {
		rows, err := s.Catalogue.Pacts(tx)
		for _, row := range rows {
			p, _, ok, err := s.Catalogue.PactUnder(tx, row.ID, row.Text)
			if err != nil || !ok {
				return err
			}
			if z == nil {
				z = p.Zone
			} else if z.String() != p.Zone.String() {
				z = time.UTC
			}
		}
		return err
	})
	s.zone.Store(z)
	return err
}

// parsed holds the pages in each language.
func (s *Server) parsed() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, l := range languages {
		all[l] = template.Must(template.New("").Funcs(template.FuncMap{"say": say(l), "term": term(l), "kind": kind(l), "trouble": trouble(l), "when": s.when, "articles": articles, "phrase": func(s string) string { return pact.Say(l, s) }}).ParseFS(templates, "templates/pages.html"))
	}
	return all
}

// page is what every template is given.
type page struct {
	Lang, Title, Party, Who string
	Mark, Equal             string // of the product that is shown
	Path                    string
	Nav                     []link
	Langs                   []struct{ Code, Name string }
	Body                    any
}

// link leads to a page.
type link struct{ Path, Word string }

var nav = []link{{"/", "home"}, {"/inbox", "inbox"}, {"/outbox", "outbox"}, {"/release", "release"}, {"/pacts", "pacts"}, {"/ledger", "ledger"}, {"/why", "why"}}

// visit is one request of a person who is signed in.
type visit struct {
	w   http.ResponseWriter
	r   *http.Request
	who string
	p   page
	say func(string) string
}

// Pages serves the browser. Everything but the way in needs a session; forms
// are taken from this site only.
func (s *Server) Pages() http.Handler {
	pages := s.parsed()
	m := http.NewServeMux()
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(append(slices.Clone(style), atlas.CSS...))
	})
	m.HandleFunc("GET /enter", func(w http.ResponseWriter, r *http.Request) { s.enter(pages, w, r) })
	m.HandleFunc("GET /lang", func(w http.ResponseWriter, r *http.Request) {
		if l := r.FormValue("l"); slices.Contains(languages, l) {
			http.SetCookie(w, &http.Cookie{Name: cookieLanguage, Value: l, Path: "/", SameSite: http.SameSiteStrictMode, HttpOnly: true})
		}
		to := r.FormValue("to")
		if u, err := url.Parse(to); err != nil || strings.Contains(to, `\`) || u.Path != to || path.Clean(to) != to || to[0] != '/' {
			to = "/" // back to a page of ours, and nowhere else
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	for route, f := range map[string]func(*visit) (string, error){
		"GET /{$}":        s.homePage,
		"GET /inbox":      func(v *visit) (string, error) { return s.listPage(v, "in") },
		"GET /outbox":     func(v *visit) (string, error) { return s.listPage(v, "out") },
		"GET /p/{n}":      s.productPage,
		"POST /p/{n}":     s.productPage,
		"GET /release":    s.releasePage,
		"POST /release":   s.releasePage,
		"GET /pacts":      s.pactsPage,
		"GET /pacts/{id}": s.pactPage,
		"GET /ledger":     s.ledgerPage,
		"GET /why":        s.refusalsPage,
		"GET /why/{of}":   s.rulingPage,
		"POST /leave":     s.leave,
		"/":               func(*visit) (string, error) { return "", errors.New("there is no such page") },
	} {
		m.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) { s.page(pages, f, w, r) })
	}
	guarded := http.NewCrossOriginProtection().Handler(m)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		guarded.ServeHTTP(w, r)
	})
}

// language reads the cookie, then the browser's wish.
func language(r *http.Request) string {
	if c, err := r.Cookie(cookieLanguage); err == nil && slices.Contains(languages, c.Value) {
		return c.Value
	}
	for w := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		if w = strings.TrimSpace(w); len(w) >= 2 && slices.Contains(languages, w[:2]) {
			return w[:2]
		}
	}
	return "en"
}

func (s *Server) visit(w http.ResponseWriter, r *http.Request, who string) *visit {
	l := language(r)
	return &visit{w: w, r: r, who: who, say: say(l), p: page{Lang: l, Party: s.Card.Name.In(l), Who: who, Path: r.URL.Path, Nav: nav, Langs: named}}
}

// enter spends a one-time link and starts a session.
func (s *Server) enter(pages map[string]*template.Template, w http.ResponseWriter, r *http.Request) {
	t, ok := s.sessions.enter(r.FormValue("t"), s.Now())
	if !ok {
		s.message(pages, w, r, http.StatusForbidden, "spent")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieSession, Value: t, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionFor / time.Second)})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) message(pages map[string]*template.Template, w http.ResponseWriter, r *http.Request, status int, key string) {
	v := s.visit(w, r, "")
	v.p.Title, v.p.Body = v.say("signin"), v.say(key)
	if key == "notfound" {
		v.p.Title = v.say("refused")
	}
	s.render(pages, v, status, "message")
}

func (s *Server) render(pages map[string]*template.Template, v *visit, status int, name string) {
	var b bytes.Buffer
	if err := pages[v.p.Lang].ExecuteTemplate(&b, name, v.p); err != nil {
		http.Error(v.w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = b.WriteTo(v.w)
}

// errGone ends a page that has answered by itself.
var errGone = errors.New("answered")

func (s *Server) page(pages map[string]*template.Template, f func(*visit) (string, error), w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie(cookieSession)
	who, ok := "", false
	if err == nil {
		who, ok = s.sessions.who(c.Value, s.Now())
	}
	if ok {
		ok = s.still(r.Context(), who)
	}
	if !ok {
		s.message(pages, w, r, http.StatusUnauthorized, "needlink")
		return
	}
	v := s.visit(w, r, who)
	name, err := "", s.zoned(r.Context())
	if err == nil {
		name, err = f(v)
	}
	switch {
	case errors.Is(err, errGone):
	case err != nil:
		s.message(pages, w, r, http.StatusNotFound, "notfound")
	default:
		s.render(pages, v, http.StatusOK, name)
	}
}

// still reports whether a person is enrolled and has not left: leavers lose
// all at the next request.
func (s *Server) still(ctx context.Context, who string) bool {
	var p act.Person
	err := s.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		p, _, err = s.Catalogue.Person(tx, who)
		return err
	})
	return err == nil && p.Name == who && !p.Left
}

func (s *Server) leave(v *visit) (string, error) {
	if c, err := v.r.Cookie(cookieSession); err == nil {
		s.sessions.leave(c.Value)
	}
	http.SetCookie(v.w, &http.Cookie{Name: cookieSession, Path: "/", MaxAge: -1})
	http.Redirect(v.w, v.r, "/", http.StatusSeeOther)
	return "", errGone
}

// item is a product in a list.
type item struct {
	Custody product.Custody
	State   string
	Equal   string
}

// visible lists what a person may know of, newest first: those who release see
// what went out, those who may read a product see it, the registry sees all.
func (s *Server) visible(v *visit, box string) ([]item, error) {
	all, err := s.Products(v.r, box)
	if err != nil {
		return nil, err
	}
	var out []item
	err = s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		for _, cu := range all {
			ok, err := s.mayKnow(tx, v.who, cu, s.Now())
			if err != nil {
				return err
			}
			if ok {
				out = append(out, item{cu, v.state(cu), s.equal(cu)})
			}
		}
		return nil
	})
	return out, err
}

func (s *Server) mayKnow(tx *ledger.Tx, who string, cu product.Custody, now time.Time) (bool, error) {
	p, _, err := s.Catalogue.Person(tx, who)
	if err != nil {
		return false, err
	}
	if slices.Contains(p.Offices, act.Registry) || cu.Manifest.Originator == s.Card.Party && slices.Contains(p.Offices, act.Releasing) {
		return true, nil
	}
	_, r, err := s.Reading.Consider(tx, cu.Manifest.Number, who, cu.Manifest.Purpose, now)
	return r.Allowed, err
}

// equal returns the mark that stands beside the original: at the recipient its
// own, at the originator that of its recipient.
func (s *Server) equal(cu product.Custody) string {
	for _, to := range cu.Manifest.Recipients {
		if r, ok := cu.Received[to]; ok && (to == s.Card.Party || cu.Manifest.Originator == s.Card.Party) {
			return r.Mark.Text
		}
	}
	return ""
}

func (v *visit) state(cu product.Custody) string {
	switch {
	case len(cu.Refused) > 0:
		return v.say("refused")
	case cu.From == "":
		return v.say("waits")
	case len(cu.Waits) > 0:
		return v.say("unapproved")
	case len(cu.Openings) > 0:
		return v.say("opened")
	case len(cu.Received) == len(cu.Manifest.Recipients):
		return v.say("received")
	}
	return v.say("onitsway")
}

func (s *Server) homePage(v *visit) (string, error) {
	v.p.Title = v.say("home")
	st, err := s.Status(v.r)
	if err != nil {
		return "", err
	}
	all, err := s.visible(v, "")
	if err != nil {
		return "", err
	}
	p, err := s.person(v)
	if err != nil {
		return "", err
	}
	if !oversees(&p) {
		st.Ledger = act.Head{}
		for i := range st.Partners {
			st.Partners[i].Waiting = 0
		}
		st.Pacts = slices.DeleteFunc(st.Pacts, func(x PactView) bool { return !concerned(&p, x.ID) })
	}
	points, boxes, marks := draw(all)
	near, err := s.reminders(v, &p, st.Pacts)
	if err != nil {
		return "", err
	}
	v.p.Body = struct {
		Near          []reminded
		Status        StatusView
		Watches       bool
		Oversees      bool
		Map, Timeline template.HTML
	}{near, st, watches(&p), oversees(&p), template.HTML(atlas.Map(v.say("map"), v.say("map"), points, boxes)), template.HTML(atlas.Timeline(v.say("timeline"), marks))} //nolint:gosec // atlas escapes all that it is given
	return "home", nil
}

// watches reports whether a person's office answers for what is overdue. Others
// are not told how much moves that they may not see.
func watches(p *act.Person) bool {
	return slices.ContainsFunc([]act.Office{act.Registry, act.Releasing, act.Signing, act.Audit, act.Administering}, func(o act.Office) bool { return party.Holds(p, o) })
}

// oversees reports whether a person sees how much happens under every pact.
func oversees(p *act.Person) bool {
	return party.Holds(p, act.Audit) || party.Holds(p, act.Administering)
}

// concerned reports whether a person may see that something happens under a pact:
// who needs to know of it, who signs pacts and who releases under them.
func concerned(p *act.Person, id act.PactID) bool {
	return party.Holds(p, act.Signing) || party.Holds(p, act.Releasing) ||
		!p.Left && slices.ContainsFunc(p.Needs, func(n act.Need) bool { return n.Pact == id })
}

func (s *Server) person(v *visit) (p act.Person, err error) {
	err = s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) (err error) {
		p, _, err = s.Catalogue.Person(tx, v.who)
		return err
	})
	return p, err
}

// draw turns products into what the map and the timeline show.
func draw(all []item) (points []atlas.Point, boxes []atlas.Box, marks []atlas.Mark) {
	for _, it := range all {
		m := it.Custody.Manifest
		href, label := "/p/"+string(m.Number), m.Mark.Text+" "+m.Title
		if m.Footprint != nil {
			boxes = append(boxes, atlas.Box{South: m.Footprint.South, West: m.Footprint.West, North: m.Footprint.North, East: m.Footprint.East, Label: label, Href: href})
		}
		if m.Event == nil {
			continue
		}
		shape := atlas.Triangle
		if m.Event.Kind == "nuclear-test" {
			shape = atlas.Circle
		}
		if p := m.Event.Place; p != nil {
			points = append(points, atlas.Point{Lat: p.Lat, Lon: p.Lon, Shape: shape, Label: label, Href: href})
		}
		if m.Event.Time != nil {
			marks = append(marks, atlas.Mark{Time: m.Event.Time.Time, Shape: shape, Label: label, Href: href})
		}
	}
	return points, boxes, marks
}

func (s *Server) listPage(v *visit, box string) (string, error) {
	v.p.Title = v.say(box + "box")
	all, err := s.visible(v, box)
	v.p.Body = all
	return "list", err
}

// productView is a product's page.
type productView struct {
	item
	Map       template.HTML
	Entries   []EntryView
	Problem   []act.Reason
	Rests     []RestView // the acts that the ruling on opening it rests on
	Refusals  []refusal  // by those it was released to
	Waits     bool
	Shown     bool
	Image     template.URL
	Text      string
	NoPicture bool
	Duties    []string
	Purpose   string // as the pact names it
}

// refusal is a recipient's.
type refusal struct {
	By      act.Party
	Because []act.Reason
}

// productPage shows a product; a POST opens it first. A product that the person
// may not know of is answered as one that does not exist.
func (s *Server) productPage(v *visit) (string, error) {
	n := act.Number(v.r.PathValue("n"))
	ask := WhyAsk{Number: n, Deed: reading.Deed{As: v.who}}
	w, err := s.Why(v.r.Context(), ask, func(_, _ int64) {})
	if err != nil {
		return "", err
	}
	var ok bool
	var p *pact.Pact
	err = s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) (err error) {
		if ok, err = s.mayKnow(tx, v.who, w.Custody, s.Now()); err == nil {
			p, _, _, err = s.Catalogue.PactUnder(tx, w.Custody.Manifest.Pact, w.Custody.Text)
		}
		return err
	})
	if err == nil && !ok && v.r.Method == http.MethodPost { // the refusal is entered, also of what may not be known
		_, err = s.Reading.Open(v.r.Context(), n, v.who, "")
	}
	if err != nil || !ok {
		return "", errors.Join(err, errors.New("not to be known"))
	}
	d := productView{item: item{w.Custody, v.state(w.Custody), s.equal(w.Custody)}, Entries: w.Entries, Purpose: w.Custody.Manifest.Purpose}
	if p != nil {
		if i := slices.IndexFunc(p.Purposes, func(x pact.Named) bool { return x.ID == d.Purpose }); i >= 0 {
			d.Purpose = p.Purposes[i].Name.In(v.p.Lang)
		}
	}
	v.p.Title, v.p.Mark, v.p.Equal = w.Custody.Manifest.Title, w.Custody.Manifest.Mark.Text, d.Equal
	if points, boxes, _ := draw([]item{d.item}); len(points)+len(boxes) > 0 {
		d.Map = template.HTML(atlas.Map(v.say("map"), v.p.Title, points, boxes)) //nolint:gosec // atlas escapes all that it is given
	}
	if v.r.Method == http.MethodPost {
		if err := s.show(v, n, &d); err != nil {
			return "", err
		}
		d.Rests = w.Ruling.Rests
		if w, err = s.Why(v.r.Context(), ask, func(_, _ int64) {}); err != nil { // the opening is part of what happened
			return "", err
		}
		d.Entries, d.State = w.Entries, v.state(w.Custody)
	}
	d.Problem = told(v.p.Lang, p, d.Problem)
	for i := range d.Duties {
		d.Duties[i] = p.Style(ruling.Say(v.p.Lang, d.Duties[i]))
	}
	for _, q := range w.Custody.Manifest.Recipients {
		if r, no := w.Custody.Refused[q]; no {
			d.Refusals = append(d.Refusals, refusal{q, told(v.p.Lang, p, r.Because)})
		}
	}
	v.p.Body = d
	return "product", nil
}

// show opens the content onto the page.
func (s *Server) show(v *visit, n act.Number, d *productView) (err error) {
	o, err := s.Reading.Open(v.r.Context(), n, v.who, "")
	var denied *reading.Denied
	switch {
	case errors.As(err, &denied):
		d.Problem = denied.Ruling.Because
		return nil
	case errors.Is(err, reading.ErrAsked):
		d.Waits = true
		return nil
	case err != nil:
		return err
	}
	defer o.Close()
	defer func() {
		if err = cmp.Or(err, o.Still()); errors.As(err, &denied) { // taken back while a picture was decoded
			*d, err = productView{item: d.item, Problem: denied.Ruling.Because}, nil
		}
	}()
	d.Shown, d.Duties = true, slices.Clone(o.Ruling.Duties)
	switch m := o.Custody.Manifest.MediaType; {
	case strings.HasPrefix(m, "image/") && s.Preview != nil:
		img, err := s.Preview(v.r.Context(), o, o.Size(), 1024)
		if err != nil {
			d.NoPicture = true
			return nil
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return err
		}
		d.Image = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())) //nolint:gosec // our own encoding of pixels
	case strings.HasPrefix(m, "text/") && o.Size() <= maxText:
		b, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err != nil {
			return err
		}
		d.Text = strings.ToValidUTF8(string(b), "�")
	default:
		d.NoPicture = true
	}
	return nil
}

// releaseView is the release form, with the ruling that was made on it.
type releaseView struct {
	Draft    release.Draft
	Ruling   *ruling.Ruling
	Rests    []RestView // of the ruling before anything is sent
	Sent     act.Number
	Denied   act.Number // the release that was refused
	NoFile   bool
	Pacts    []act.PactID
	Marks    []string
	Subjects []string
	Purposes []pact.Named
}

// releasePage shows the ruling before anything is sent: the same code decides.
func (s *Server) releasePage(v *visit) (string, error) {
	v.p.Title = v.say("release")
	d := releaseView{}
	if err := s.choices(v, &d); err != nil {
		return "", err
	}
	v.p.Body = &d
	if v.r.Method != http.MethodPost {
		return "release", nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxUpload)
	draft, content, err := s.form(v)
	if err != nil {
		return "", err
	}
	d.Draft = draft
	r, err := s.rule(v.r.Context(), draft, v.p.Lang)
	if err != nil {
		return "", err
	}
	d.Rests, d.Ruling = r.Rests, &r.Ruling
	if send := v.r.FormValue("do") == "send"; !send || content == nil {
		d.NoFile = send
		return "release", nil
	}
	slip, err := s.Release.Release(v.r.Context(), draft, content)
	var refused *release.Refused
	if errors.As(err, &refused) {
		d.Denied = refused.Number
		d.Ruling, err = s.inWords(v, draft.Pact, refused.Ruling)
		return "release", err
	}
	if err != nil {
		return "", err
	}
	d.Sent = slip.Number
	d.Ruling, err = s.inWords(v, draft.Pact, slip.Ruling)
	return "release", err
}

// inWords is a ruling under a pact in the language of the page.
func (s *Server) inWords(v *visit, id act.PactID, r ruling.Ruling) (*ruling.Ruling, error) {
	var p *pact.Pact
	err := s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) (err error) {
		p, _, _, err = s.Catalogue.Pact(tx, id, s.Now())
		return err
	})
	r.Because = told(v.p.Lang, p, r.Because)
	return &r, err
}

// form reads the draft. The upload is held in memory: nothing plain is
// written to a disk.
func (s *Server) form(v *visit) (d release.Draft, content io.Reader, err error) {
	m, err := v.r.MultipartReader()
	if err != nil {
		return d, nil, err
	}
	v.r.Form = map[string][]string{}
	for {
		p, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return d, nil, err
		}
		if p.FormName() == "content" {
			b, err := io.ReadAll(p)
			if err != nil {
				return d, nil, err
			}
			if p.FileName() != "" {
				d.File, d.MediaType, content = p.FileName(), p.Header.Get("Content-Type"), bytes.NewReader(b)
			}
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p, 4096))
		if err != nil {
			return d, nil, err
		}
		v.r.Form.Set(p.FormName(), string(b))
	}
	f := v.r.Form
	d.As, d.Pact, d.Mark, d.Subject, d.Purpose, d.Title = v.who, act.PactID(f.Get("pact")), f.Get("mark"), f.Get("subject"), f.Get("purpose"), f.Get("title")
	d.Kind, d.Form, d.Language = "report", "electronic", v.p.Lang
	if strings.HasPrefix(d.MediaType, "image/") {
		d.Kind = "imagery"
	}
	return d, content, nil
}

// choices fills the form from the pacts that are known.
func (s *Server) choices(v *visit, d *releaseView) error {
	return s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		rows, err := s.Catalogue.Pacts(tx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p, _, ok, err := s.Catalogue.PactUnder(tx, row.ID, row.Text)
			if err != nil || !ok {
				return err
			}
			d.Pacts = append(d.Pacts, p.ID)
			for _, r := range p.Table.Marks(s.Card.Party, s.Now()) {
				d.Marks = append(d.Marks, r.Mark.Text)
			}
			d.Subjects, d.Purposes = append(d.Subjects, p.Subjects...), append(d.Purposes, p.Purposes...)
		}
		return nil
	})
}

// newest is how many entries the ledger's page looks at.
const newest = 200

// ledgerView is the ledger's page.
type ledgerView struct {
	State   *ledgerState // for who oversees
	Most    int
	Entries []EntryView // those of the newest that the person may know of
}

// ledgerState is where the ledger stands, and what was last seen of the partners'.
type ledgerState struct {
	headView
	Peers []peerView
}

type headView struct{ Head act.Head }

// Root returns the tree's root in full: it is what people compare.
func (h headView) Root() string { return act.Digest(h.Head.Root).String() }

type peerView struct {
	headView
	Party    act.Party
	Name     act.Names
	Disputed string
}

// ledgerPage shows where the ledger stands and the newest entries, without content.
func (s *Server) ledgerPage(v *visit) (string, error) {
	v.p.Title = v.say("ledger")
	d := ledgerView{Most: newest}
	err := s.Ledger.View(v.r.Context(), func(tx *ledger.Tx) error {
		p, _, err := s.Catalogue.Person(tx, v.who)
		if err != nil {
			return err
		}
		if oversees(&p) {
			if d.State, err = s.ledgerState(tx); err != nil {
				return err
			}
		}
		for e, err := range tx.Entries(max(0, tx.Size()-newest)) {
			if err != nil {
				return err
			}
			if ok, err := s.mayKnowAct(tx, v.who, e); err != nil {
				return err
			} else if ok {
				d.Entries = append(d.Entries, entryView(e))
			}
		}
		return nil
	})
	slices.Reverse(d.Entries)
	v.p.Body = d
	return "ledger", err
}

func (s *Server) ledgerState(tx *ledger.Tx) (*ledgerState, error) {
	head, err := tx.Head()
	if err != nil {
		return nil, err
	}
	st := &ledgerState{headView: headView{head}}
	partners, err := s.Catalogue.Partners(tx)
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		h, err := tx.PeerHead(p.Card.Party)
		if err != nil {
			return nil, err
		}
		st.Peers = append(st.Peers, peerView{headView{h}, p.Card.Party, p.Card.Name, s.Carriage.Disputed(p)})
	}
	return st, nil
}
