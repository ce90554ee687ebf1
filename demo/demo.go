package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/desk"
	"entente/imagery"
	"entente/pact"
	"entente/product"
	"entente/release"
)

// Options are what Run is told.
type Options struct {
	Dir     string // of all nodes; kept, and resumed
	Exe     string // the program itself
	Once    bool   // end after the summary
	Scene   int64  // bytes of the generated scene
	Hub     bool   // show the arrangement of 2014 beside the pact of 2016
	Reports int    // how many reports go each way of Hub
	Out     io.Writer
	Live    bool // Out is a terminal
}

const pactID = act.PactID("kr-jp-2016")

// side is one party.
type side struct {
	party act.Party
	city  string
	dir   string
	key   string
	port  string
	mark  string // what its officer stamps
	c     *desk.Client
	cmd   *exec.Cmd
	leash io.Closer
	ended chan error // what the process ended with
	code  string
	have  map[string]act.Number // released on an earlier run, by title
}

// run is one run of the demo.
type run struct {
	Options
	kr, jp *side
	us     *side   // of Hub alone
	sides  []*side // all of them
	began  time.Time
	step   time.Time
}

// Run runs the demo until ctx ends, or once.
func Run(ctx context.Context, o Options) (err error) {
	r := &run{Options: o, began: time.Now(),
		kr: &side{party: "KR", city: "Seoul", mark: "군사II급비밀"}, jp: &side{party: "JP", city: "Tokyo", mark: "極秘"}}
	r.sides = []*side{r.kr, r.jp}
	steps := []func(context.Context) error{r.start, r.conclude, r.refusal, r.share, r.summary}
	if o.Hub {
		r.us = &side{party: "US", city: "Washington", mark: "SECRET"}
		r.sides = append(r.sides, r.us)
		steps = []func(context.Context) error{r.start, r.conclude, r.concludeThree, r.compare, r.summaryThree}
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	for _, f := range steps {
		if err := f(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	if o.Once {
		return nil
	}
	r.say("The nodes run until this is stopped (Ctrl-C).")
	<-ctx.Done()
	return nil
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// did tells a step and how long it took.
func (r *run) did(format string, args ...any) {
	if r.Live {
		fmt.Fprint(r.Out, "\r\033[K")
	}
	r.say("%8.1f ms  %s", float64(time.Since(r.step).Microseconds())/1000, fmt.Sprintf(format, args...))
	r.step = time.Now()
}

func (r *run) progress(format string, args ...any) {
	if r.Live {
		fmt.Fprintf(r.Out, "\r\033[K             "+format, args...)
	}
}

// start makes the nodes, if need be, and starts a process for each.
func (r *run) start(ctx context.Context) error {
	r.step = time.Now()
	if err := os.MkdirAll(filepath.Join(r.Dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	r.say("             the nodes are kept in %s", r.Dir)
	for _, s := range r.sides {
		s.dir, s.key = filepath.Join(r.Dir, strings.ToLower(s.city)), filepath.Join(r.Dir, "keys", strings.ToLower(s.city))
		if _, err := os.Stat(filepath.Join(s.dir, "node.json")); errors.Is(err, os.ErrNotExist) {
			args := []string{"init", string(s.party)}
			if s == r.us {
				args = append(args, "--pact", string(arrangement))
			}
			if _, err := os.Stat(s.key); errors.Is(err, os.ErrNotExist) {
				args = append(args, "--new-key")
			}
			if err := r.command(ctx, s, args...).Run(); err != nil {
				return fmt.Errorf("making the node of %s: %w", s.city, err)
			}
			r.did("%s makes its node, with keys of its own", s.city)
		}
		if err := r.serve(ctx, s); err != nil {
			return err
		}
	}
	var each []string
	for _, s := range r.sides {
		each = append(each, fmt.Sprintf("%s is process %d", s.city, s.cmd.Process.Pid))
	}
	r.did("the nodes run: %s; nothing else stands between them", strings.Join(each, ", "))
	return nil
}

func (r *run) command(ctx context.Context, s *side, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, r.Exe, append([]string{"--dir", s.dir, "--key-file", s.key}, args...)...)
	c.Stderr = r.Out
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	return c
}

// serve starts a side on the port that it had, or on a free one.
func (r *run) serve(ctx context.Context, s *side) error {
	file := s.key + ".port"
	b, _ := os.ReadFile(file)
	if s.port = strings.TrimSpace(string(b)); s.port == "" {
		var err error
		if s.port, err = Port(); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(s.port), 0o600); err != nil {
			return err
		}
	}
	s.c = desk.Dial(filepath.Join(s.dir, "desk.sock"))
	if err := s.c.Get(ctx, "/v1/card", new(desk.CardView)); err == nil {
		return fmt.Errorf("starting %s: its node runs already: stop that demo, or give this one a folder of its own (--folder)", s.city)
	}
	s.cmd = r.command(ctx, s, "serve", "--leash", "--listen", "127.0.0.1:"+s.port)
	// The node holds the other end: however the demo ends, both nodes end too.
	leash, err := s.cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.city, err)
	}
	s.leash = leash
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.city, err)
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.cmd.Wait() }()
	var v desk.CardView
	err = r.until(ctx, s.city+" answers", func() (bool, error) {
		err := s.c.Get(ctx, "/v1/card", &v)
		return err == nil, nil
	})
	s.code = v.Code
	return err
}

// Port is a TCP port of this machine's loopback that is free now and that no
// system gives to an outgoing connection (those start at 32768), so that a node
// finds it free again when it restarts.
func Port() (string, error) {
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", errors.New("finding a port: a hundred between 20000 and 32000 are in use")
}

// until asks until the answer is yes. It asks no more once a node has ended.
func (r *run) until(ctx context.Context, what string, ok func() (bool, error)) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if yes, err := ok(); yes || err != nil {
			return err
		}
		for _, s := range r.sides {
			select {
			case err := <-s.ended:
				s.ended <- err // stop asks again
				if ctx.Err() == nil {
					return fmt.Errorf("the node of %s ended; what it said stands above", s.city)
				}
			default:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond): // the demo of the hub times what it waits for
		}
	}
	return fmt.Errorf("waited two minutes in vain until %s", what)
}

func (r *run) stop() (err error) {
	for _, s := range r.sides {
		if s.ended == nil {
			continue
		}
		_ = s.cmd.Process.Signal(os.Interrupt)
		var exit *exec.ExitError
		if werr := <-s.ended; werr != nil && !errors.As(werr, &exit) && !errors.Is(werr, context.Canceled) {
			err = errors.Join(err, werr)
		}
	}
	return err
}

// conclude compares the codes and takes the pact into force.
func (r *run) conclude(ctx context.Context) error {
	for _, x := range []struct{ own, other *side }{{r.kr, r.jp}, {r.jp, r.kr}} {
		in, err := x.own.inForce(ctx, pactID)
		if err != nil {
			return err
		}
		if in {
			r.did("%s: the pact is in force since an earlier run", x.own.city)
			continue
		}
		r.did("%s hears the code of %s: %s", x.own.city, x.other.city, x.other.code)
		var v desk.SignView
		ask := desk.PactAsk{Pact: pactID, Address: "127.0.0.1:" + x.other.port, Code: x.other.code, As: "officer", Notify: true}
		if err := x.own.c.Post(ctx, "/v1/pact/sign", ask, &v); err != nil {
			return fmt.Errorf("%s signs: %w", x.own.city, err)
		}
		r.did("%s pins the keys of %s, signs %s and notifies", x.own.city, x.other.city, pactID)
	}
	for _, s := range []*side{r.kr, r.jp} {
		if err := r.until(ctx, "the pact is in force in "+s.city, func() (bool, error) { return s.inForce(ctx, pactID) }); err != nil {
			return err
		}
	}
	r.did("the pact is in force, as both read it")
	return nil
}

func (s *side) inForce(ctx context.Context, id act.PactID) (bool, error) {
	var all []desk.PactView
	if err := s.c.Get(ctx, "/v1/pacts", &all); err != nil {
		return false, err
	}
	for _, p := range all {
		if p.ID == id && pact.Phase(p.Phase).Transfers() {
			return true, nil
		}
	}
	return false, nil
}

// refusal shows what the pact forbids.
func (r *run) refusal(ctx context.Context) error {
	d := r.kr.draft("A product above the pact's ceiling", "report", "defence")
	d.Mark = "군사I급비밀"
	_, err := r.kr.c.Release(ctx, d, strings.NewReader("not to be shared"))
	var p *desk.Problem
	if !errors.As(err, &p) || p.Kind != "refused" || len(p.Because) == 0 {
		return fmt.Errorf("a product above the ceiling was not refused: %w", err)
	}
	r.did("%s tries to release %s: refused by %s: %s", r.kr.city, d.Mark, p.Because[0].Article, p.Because[0].Text)
	r.say("             what would cure it: %s", p.Because[0].Cure)
	return nil
}

func (s *side) draft(title, kind, subject string) release.Draft {
	return release.Draft{As: "officer", Pact: pactID, Title: title, Kind: kind, Subject: subject, Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: s.mark, MediaType: "text/plain; charset=utf-8"}
}

// share sends everything, both ways. What an earlier run released is not sent again.
func (r *run) share(ctx context.Context) error {
	if err := r.earlier(ctx); err != nil {
		return err
	}
	events, err := Events(time.Date(2016, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	sent := 0
	for i, e := range events {
		r.progress("%d of %d events", i, len(events))
		for _, x := range []struct {
			s    *side
			kind string
			text []byte
		}{{r.kr, "report", e.Report()}, {r.jp, "assessment", e.Assessment()}} {
			d := x.s.draft(fmt.Sprintf("%s of %s (%s)", strings.ToUpper(x.kind[:1])+x.kind[1:], e.ID, e.Name), x.kind, e.Kind)
			at := act.MomentOf(e.Time)
			d.Event = &act.Event{ID: e.ID, Kind: e.Kind, Time: &at}
			if e.Known {
				d.Event.Place = &act.Place{Lat: e.Lat, Lon: e.Lon, Name: e.Site}
			}
			n, err := x.s.release(ctx, d, bytes.NewReader(x.text))
			if err != nil {
				return err
			}
			sent += n
		}
	}
	switch all := 2 * len(events); sent {
	case 0:
		r.did("%d reports and assessments of %d nuclear tests and launches were released on an earlier run", all, len(events))
	case all:
		r.did("%d reports and assessments of %d nuclear tests and launches are released, each attributed to its party", all, len(events))
	default:
		r.did("%d reports and assessments of %d nuclear tests and launches are released now, the other %d were on an earlier run", sent, len(events), all-sent)
	}
	if err := r.images(ctx); err != nil {
		return err
	}
	return r.settle(ctx)
}

// earlier reads what an earlier run released.
func (r *run) earlier(ctx context.Context) error {
	for _, s := range r.sides {
		var out []product.Custody
		if err := s.c.Get(ctx, desk.Path("/v1/products", "box", "out"), &out); err != nil {
			return err
		}
		s.have = map[string]act.Number{}
		for _, cu := range out {
			s.have[cu.Manifest.Title] = cu.Manifest.Number
		}
	}
	return nil
}

// release releases a draft, unless an earlier run did. It returns 1 when it did now.
func (s *side) release(ctx context.Context, d release.Draft, content io.Reader) (int, error) {
	if s.have[d.Title] != "" {
		return 0, nil
	}
	if _, err := s.c.Release(ctx, d, content); err != nil {
		return 0, fmt.Errorf("%s releases %q: %w", s.city, d.Title, err)
	}
	return 1, nil
}

// images sends NASA's images and a large generated scene.
func (r *run) images(ctx context.Context) error {
	for _, x := range []struct {
		s           *side
		file, title string
	}{{r.jp, "day.tif", "Korea and Japan by day (NASA Blue Marble)"}, {r.kr, "night.tif", "Korea and Japan by night (NASA Black Marble)"}} {
		b, err := data.ReadFile("data/" + x.file)
		if err != nil {
			return err
		}
		h, err := imagery.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return err
		}
		d := x.s.draft(x.title, "imagery", "imagery")
		d.MediaType, d.File = "image/tiff", x.file
		if h.Box != nil {
			box := act.Box(*h.Box)
			d.Footprint = &box
		}
		n, err := x.s.release(ctx, d, bytes.NewReader(b))
		if err != nil {
			return err
		}
		if n == 1 {
			r.did("%s releases a satellite image: %s", x.s.city, x.title)
		}
	}
	if r.Scene == 0 {
		return nil
	}
	d := r.jp.draft(fmt.Sprintf("Generated scene of %d MiB", r.Scene>>20), "imagery", "imagery")
	d.MediaType, d.File = "image/tiff", "scene.tif"
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(imagery.Scene(pw, 20161123, r.Scene, imagery.Box{South: 37, West: 126, North: 38, East: 127}))
	}()
	n, err := r.jp.release(ctx, d, pr)
	pr.Close()
	if n == 1 {
		r.did("a generated scene of %d MiB is sealed and released, while the rest is carried", r.Scene>>20)
	}
	return err
}

// settle waits until every product is received or refused, as its sender sees it.
func (r *run) settle(ctx context.Context) error {
	refused := 0
	for _, s := range []*side{r.kr, r.jp} {
		err := r.until(ctx, "every receipt is home in "+s.city, func() (bool, error) {
			var v desk.StatusView
			err := s.c.Get(ctx, "/v1/status", &v)
			r.progress("%s: %d of %d receipted", s.city, v.Receipts+v.Refused, v.Out)
			done := err == nil && v.Out == v.Receipts+v.Refused
			if done {
				refused += v.Refused
			}
			return done, err
		})
		if err != nil {
			return err
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d products were refused by their recipient: 'entente outbox' says why", refused)
	}
	r.did("every product is receipted by its recipient, and every receipt is proved")
	return r.read(ctx)
}

// read has each analyst open the other side's image.
func (r *run) read(ctx context.Context) error {
	for _, s := range []*side{r.kr, r.jp} {
		var in []product.Custody
		if err := s.c.Get(ctx, desk.Path("/v1/products", "box", "in"), &in); err != nil {
			return err
		}
		for _, cu := range in {
			if !strings.Contains(cu.Manifest.Title, "NASA") || len(cu.Openings) > 0 {
				continue
			}
			var got bytes.Buffer
			var seen string
			err := s.c.Open(ctx, desk.OpenAsk{Number: cu.Manifest.Number, As: "analyst"}, &got, func(o desk.Opened) {
				seen = o.Custody.Manifest.Mark.Text + " · " + o.Ruling.As[0].Text
			})
			if err != nil {
				return fmt.Errorf("%s opens %s: %w", s.city, cu.Manifest.Number, err)
			}
			r.did("%s opens %s, marked %s: %d bytes, verified", s.city, cu.Manifest.Number, seen, got.Len())
		}
	}
	return nil
}

// summary verifies both ledgers and compares them.
func (r *run) summary(ctx context.Context) error {
	views, same, err := r.verify(ctx)
	if err != nil {
		return err
	}
	kr, jp := views[0], views[1]
	r.say("\nproducts    %d from %s, %d from %s", kr.Out, r.kr.city, jp.Out, r.jp.city)
	r.say("content     %.1f MB", float64(kr.Bytes)/1e6)
	r.say("receipts    %d of %d", kr.Receipts+jp.Receipts, kr.Out+jp.Out)
	r.say("ledgers     %s %d entries, %s %d entries; verified; in agreement on %d products", r.kr.city, kr.Ledger.Size, r.jp.city, jp.Ledger.Size, same)
	return r.links(ctx)
}

// verify verifies every ledger, waits until each has sent everything, and compares them:
// on so many products they say the same.
func (r *run) verify(ctx context.Context) (views []desk.StatusView, same int, err error) {
	for _, s := range r.sides {
		var v desk.StatusView
		if err := s.c.Long(ctx, "/v1/verify", nil, new(act.Head), func(done, all int64) { r.progress("%s verifies: %d of %d", s.city, done, all) }); err != nil {
			return nil, 0, fmt.Errorf("the ledger of %s: %w", s.city, err)
		}
		// Whatever was entered last must have been carried before they can agree.
		err := r.until(ctx, s.city+" has sent everything", func() (bool, error) {
			v = desk.StatusView{}
			err := s.c.Get(ctx, "/v1/status", &v)
			return err == nil && !slices.ContainsFunc(v.Partners, func(p desk.PartnerView) bool { return p.Waiting != 0 }), err
		})
		if err != nil {
			return nil, 0, err
		}
		views = append(views, v)
	}
	r.did("the ledgers verify")
	same, err = r.agree(ctx)
	return views, same, err
}

// links ends the summary with a way to each desk.
func (r *run) links(ctx context.Context) error {
	r.say("took        %.1f s", time.Since(r.began).Seconds())
	if r.Once {
		return nil // a link would lead to a node that has stopped
	}
	for _, s := range r.sides {
		for _, as := range []string{"analyst", "officer"} {
			var v map[string]string
			if err := s.c.Post(ctx, "/v1/link", map[string]string{"as": as}, &v); err != nil {
				return err
			}
			r.say("desk        %s, %s: %s", s.city, as, v["link"])
		}
	}
	return nil
}

// agree compares what the sender and each recipient say of every product.
func (r *run) agree(ctx context.Context) (same int, err error) {
	said := map[act.Party]map[act.Number]string{}
	holders := map[act.Number][]act.Party{}
	for _, s := range r.sides {
		var all []product.Custody
		if err := s.c.Get(ctx, "/v1/products", &all); err != nil {
			return 0, err
		}
		said[s.party] = map[act.Number]string{}
		for _, cu := range all {
			b, err := json.Marshal([]any{cu.Manifest, cu.Seal, cu.Released})
			if err != nil {
				return 0, err
			}
			said[s.party][cu.Manifest.Number] = string(b)
			holders[cu.Manifest.Number] = append([]act.Party{cu.Manifest.Originator}, cu.Manifest.Recipients...)
		}
	}
	for n, all := range holders {
		for _, s := range r.sides {
			if what, ok := said[s.party][n]; ok != slices.Contains(all, s.party) || ok && what != said[all[0]][n] {
				return 0, fmt.Errorf("the ledgers of %s and %s disagree on %s", all[0], s.party, n)
			}
		}
	}
	return len(holders), nil
}
