package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"entente/act"
	"entente/desk"
	"entente/internal/durable"
	"entente/node"
	"entente/pact"
	"entente/ruling"

	"golang.org/x/sync/errgroup"
)

type initCmd struct {
	Party     string   `arg:"" help:"Our name in pacts, such as KR or JP."`
	Name      string   `help:"What people call us, in English. Parties of a shipped pact are known by name."`
	Pact      string   `help:"The pact that our first people work under." default:"kr-jp-2016"`
	Clearance string   `help:"Their clearance, as our scheme stamps it. Default: the highest of the pact."`
	Second    int      `help:"Rank from which a second person must release (a house rule). 0: never." default:"0"`
	NewKey    bool     `help:"Make the file that --key-file names."`
	Purposes  []string `help:"What they need to know for. Default: every purpose of the pact."`
}

// Run makes the folder and the first people: an officer who releases and signs,
// a second officer, an analyst who reads, and a registrar.
func (c *initCmd) Run(a *app) error {
	w := a.world(slog.LevelWarn)
	f, err := c.found()
	if err == nil {
		err = a.folder()
	}
	if err == nil {
		err = node.Vacant(a.Dir) // before a passphrase is thought up
	}
	if err != nil {
		return err
	}
	if c.NewKey {
		if a.KeyFile == "" {
			return &desk.Problem{Kind: "invalid", Text: "--new-key wants --key-file: name the file to make, outside the data folder"}
		}
		if err := node.NewKeyFile(a.KeyFile, w.Random); err != nil {
			return err
		}
	}
	s, err := a.secret(true)
	if err != nil {
		return err
	}
	if err := node.Init(a.ctx, a.Dir, s, f, w); err != nil {
		if c.NewKey { // it opens nothing
			err = errors.Join(err, os.Remove(a.KeyFile))
		}
		return err
	}
	return a.within(s, func(d *desk.Client) error {
		var v desk.CardView
		if err := d.Get(a.ctx, "/v1/card", &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			fmt.Fprintf(w, "%s is ready in %s\nIts people: officer and second (release, sign), analyst (read), registrar (audit)\n\nOur code, to be read out to the partner's officer:\n\n    %s\n\nnext: entente serve --listen :7701\n", f.Name.EN, a.Dir, v.Code)
		})
	})
}

// found reads names, clearance and purposes from the shipped pact.
func (c *initCmd) found() (node.Found, error) {
	f := node.Found{Party: act.Party(strings.ToUpper(c.Party)), Name: act.Names{EN: c.Name}, House: ruling.House{SecondPersonFrom: c.Second}}
	text, ok := pact.Template(act.PactID(c.Pact))
	if !ok {
		return f, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("no pact called %q is shipped; these are: %v", c.Pact, pact.Templates())}
	}
	p, problems := pact.Parse(text)
	if len(problems) > 0 {
		return f, fmt.Errorf("reading the shipped pact: %s", problems[0])
	}
	for _, q := range p.Parties {
		if q.ID == f.Party && f.Name.EN == "" {
			f.Name = q.Name
		}
	}
	if f.Name.EN == "" {
		return f, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("%s is no party of %s: give --name, or the pact with --pact", f.Party, c.Pact)}
	}
	clearance, top := c.Clearance, 0
	var marks []string
	for _, r := range p.Table.Marks(f.Party, time.Now()) {
		if c.Clearance == "" && r.Rank > top {
			clearance, top = r.Mark.Text, r.Rank
		}
		marks = append(marks, r.Mark.Text)
	}
	if p.Has(f.Party) && !slices.Contains(marks, clearance) {
		return f, &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("%q is no marking of %s in %s: its markings are %s", clearance, f.Party, p.ID, strings.Join(marks, ", "))}
	}
	purposes := c.Purposes
	if purposes == nil {
		for _, q := range p.Purposes {
			purposes = append(purposes, q.ID)
		}
	}
	until := act.MomentOf(time.Now().AddDate(1, 0, 0))
	need := []act.Need{{Pact: p.ID, Purposes: purposes}}
	f.Persons = []act.Person{
		{Name: "officer", Post: "Release officer", Offices: []act.Office{act.Releasing, act.Signing}, Clearance: clearance, Until: until},
		{Name: "second", Post: "Second release officer", Offices: []act.Office{act.Releasing, act.Signing}, Clearance: clearance, Until: until},
		{Name: "analyst", Post: "Analyst", Offices: []act.Office{act.Reading}, Clearance: clearance, Until: until, Needs: need, Briefed: true, Facility: "headquarters"},
		{Name: "registrar", Post: "Registrar", Offices: []act.Office{act.Registry, act.Audit}, Until: until, Facility: "headquarters"},
	}
	return f, nil
}

type serveCmd struct {
	Listen  string `help:"Address that partners call, such as :7701. Empty: we call them."`
	Metrics string `help:"Address that serves metrics for Prometheus, such as 127.0.0.1:9701. Empty: on the local socket alone."`
	Pages   string `help:"Address of the desk for browsers." default:"127.0.0.1:0"`
	Debug   bool   `help:"Log what the engineer wants to know."`
	Leash   bool   `help:"Stop when standard input ends: whoever started it is gone." hidden:""`
}

// Run serves until it is stopped.
func (c *serveCmd) Run(a *app) error {
	if err := a.folder(); err != nil {
		return err
	}
	s, err := a.secret(false)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	n, err := a.open(desk.Dial(filepath.Join(a.Dir, node.SocketName)), s, level)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(a, n), n.Close())
}

func (c *serveCmd) serve(a *app, n *node.Node) error {
	if on := swapRisk(); len(on) > 0 {
		if err := lockMemory(); err != nil {
			fmt.Fprintf(a.errs, "entente: what is open here could reach a disk by way of swap (%s): %v; 'entente doctor' says what else to do\n", strings.Join(on, ", "), err)
		}
	}
	var partners net.Listener
	if c.Listen != "" {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return fmt.Errorf("listening for partners: %w; %s", err, elsewhere(err, "--listen"))
		}
		partners = l
	}
	if host, _, err := net.SplitHostPort(c.Pages); err == nil && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return &desk.Problem{Kind: "invalid", Text: "--pages takes an address of this machine alone, such as 127.0.0.1:7780: browsers are answered without TLS; from elsewhere reach it through a tunnel of ssh"}
	}
	pages, err := net.Listen("tcp", c.Pages)
	if err != nil {
		return fmt.Errorf("listening for browsers: %w; %s", err, elsewhere(err, "--pages"))
	}
	local, err := n.ListenLocal()
	if err != nil {
		return err
	}
	d := n.Desk("http://" + pages.Addr().String())
	running, stop := context.WithCancel(a.ctx)
	defer stop()
	if c.Leash {
		go func() { // it ends with the process
			_, _ = io.Copy(io.Discard, a.in)
			stop()
		}()
	}
	g, ctx := errgroup.WithContext(running)
	g.Go(func() error { return n.Serve(ctx, partners) })
	g.Go(func() error { return node.ServeHTTP(ctx, local, d.API()) })
	g.Go(func() error { return node.ServeHTTP(ctx, pages, d.Pages()) })
	if c.Metrics != "" {
		l, err := net.Listen("tcp", c.Metrics)
		if err != nil {
			return errors.Join(fmt.Errorf("listening for metrics: %w; choose another address with --metrics", err), local.Close(), pages.Close())
		}
		g.Go(func() error { return node.ServeHTTP(ctx, l, d.Metrics()) })
	}
	at := "It calls its partners, who cannot call it (no --listen)"
	if partners != nil {
		at = "Partners call it at " + partners.Addr().String()
	}
	v := map[string]string{"party": string(n.Card.Party), "desk": d.Base}
	if partners != nil {
		v["listen"] = partners.Addr().String()
	}
	if err := a.answer(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s serves. %s. The desk is %s: 'entente desk --as NAME' prints a link\n", n.Card.Party, at, d.Base)
	}); err != nil {
		return err
	}
	return g.Wait()
}

// elsewhere says what to do when an address cannot be had.
func elsewhere(err error, flag string) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "another program, perhaps another node, is on this port: stop it, or choose another with " + flag
	}
	return "give an address of this machine with " + flag + ", such as :7701 or 127.0.0.1:7701"
}

type statusCmd struct{}

// Run shows the node at a glance.
func (statusCmd) Run(a *app) error {
	return a.client(func(c *desk.Client) error {
		var v desk.StatusView
		if err := c.Get(a.ctx, "/v1/status", &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) {
			fmt.Fprintf(w, "%s  %s\ncode   %s\nledger %d entries, root %x\n", v.Party, v.Name.EN, v.Code, v.Ledger.Size, v.Ledger.Root[:8])
			if v.Behind != nil {
				fmt.Fprintf(w, "ALARM  our clock is behind our own last entry, of %s: nothing is entered until then\n       %s\n", v.Behind.Format("2006-01-02 15:04:05Z"), desk.BehindCure)
			}
			if v.Desk != "" {
				fmt.Fprintf(w, "desk   %s\n", v.Desk)
			}
			fmt.Fprintf(w, "out    %d released, %d receipted, %d refused\nin     %d received\n", v.Out, v.Receipts, v.Refused, v.In)
			for _, p := range v.Pacts {
				fmt.Fprintf(w, "pact   %-14s %s\n", p.ID, p.Phase)
				if p.Disputed {
					fmt.Fprintf(w, "NOTE   %s is read differently (%s): the stricter reading rules new transfers\n", p.ID, p.Reads())
				}
				if p.Reminder != nil {
					fmt.Fprintf(w, "NOTE   %s: %s\n", p.ID, p.Reminder.Text)
				}
			}
			for i := range v.Partners {
				tellPartner(w, &v.Partners[i])
			}
			if x := v.Relayed; x.Held > 0 || len(x.Passed) > 0 {
				fmt.Fprintf(w, "hub    %d parcels of others are held, %d bytes; passed on since the start, by size: %v\n", x.Held, x.Bytes, x.Passed)
			}
			for n, p := range v.Fetching {
				fmt.Fprintf(w, "comes  %s %d%%\n", n, 100*p.Done/max(1, p.All))
			}
			for limit, n := range v.Turned {
				fmt.Fprintf(w, "NOTE   %d turned away by the limit on %s\n", n, limit)
			}
		})
	})
}

// tellPartner says how the link to a partner stands, and why something waits.
func tellPartner(w io.Writer, p *desk.PartnerView) {
	fmt.Fprintf(w, "with   %-4s %s; %d acts wait; its ledger seen at %d entries\n", p.Party, reached(p), p.Waiting, p.Seen.Size)
	if p.Waiting > 0 {
		fmt.Fprintf(w, "       behind by %d acts, %d bytes of the first of them, and %v\n", p.Waiting, p.Bytes, (time.Duration(p.Behind) * time.Second))
	}
	for _, x := range []struct {
		way  desk.Way
		what string
	}{{p.Out, "of ours without its receipt"}, {p.In, "of its whose content is on its way"}} {
		if x.way.Products > 0 {
			fmt.Fprintf(w, "       %d products %s: %d bytes sealed\n", x.way.Products, x.what, x.way.Bytes)
		}
	}
	if p.Reason != "" && p.Linked {
		fmt.Fprintf(w, "       it waits: %s\n", p.Reason)
	}
	if p.Skew > 300 || p.Skew < -300 {
		fmt.Fprintf(w, "NOTE   its clock differs from ours by %v: set the wrong one right\n", time.Duration(p.Skew)*time.Second)
	}
	for _, d := range p.Overdue {
		what := "ALARM  the receipt for %s was due at %s: ask the registry of %s\n"
		if !d.Ours {
			what = "ALARM  the content of %s was due at %s and is not here: ask the registry of %s\n"
		}
		if d.Receipt {
			what = "ALARM  our receipt for %s was due at %s and has not reached %s: carry it another way, such as 'entente courier pack'\n"
		}
		fmt.Fprintf(w, what, d.Number, d.By.Format("2006-01-02 15:04Z"), d.Party)
	}
}

type personCmd struct {
	List personList `cmd:"" default:"1" help:"List our people."`
	Add  personAdd  `cmd:"" help:"Enrol a person, or change what one holds."`
}

type personList struct{}

// Run lists our people.
func (personList) Run(a *app) error {
	return a.client(func(c *desk.Client) error {
		var all []act.Person
		if err := c.Get(a.ctx, "/v1/persons", &all); err != nil {
			return err
		}
		return a.answer(all, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, p := range all {
				var o []string
				for _, x := range p.Offices {
					o = append(o, string(x))
				}
				state := "until " + p.Until.Format(time.DateOnly)
				if p.Left {
					state = "left"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.Post, strings.Join(o, ","), p.Clearance, state)
			}
			t.Flush()
		})
	})
}

type personAdd struct {
	Name      string   `arg:"" help:"Short name: small letters."`
	Post      string   `help:"The office that the person holds." required:""`
	Offices   []string `help:"release, read, registry, sign, audit, administer." required:""`
	Clearance string   `help:"As our scheme stamps it."`
	Needs     []string `help:"Needs to know: pact:purpose."`
	Facility  string   `help:"The facility whose register holds the name."`
	Briefed   bool     `help:"The person was briefed."`
	Identity  string   `help:"Who it is in our personnel records: two names that bear one identity are one person, and never two to a release."`
	Days      int      `help:"Clearance and needs end after so many days." default:"365"`
	Left      bool     `help:"The person has left: all ends at once."`
}

// Run enrols a person.
func (c *personAdd) Run(a *app) error {
	p := act.Person{Name: c.Name, Post: c.Post, Clearance: c.Clearance, Facility: c.Facility, Briefed: c.Briefed, Identity: c.Identity, Left: c.Left, Until: act.MomentOf(time.Now().AddDate(0, 0, c.Days))}
	for _, o := range c.Offices {
		p.Offices = append(p.Offices, act.Office(o))
	}
	for _, n := range c.Needs {
		id, purpose, ok := strings.Cut(n, ":")
		if !ok {
			return &desk.Problem{Kind: "invalid", Text: fmt.Sprintf("a need is written pact:purpose, not %q", n)}
		}
		i := slices.IndexFunc(p.Needs, func(x act.Need) bool { return string(x.Pact) == id })
		if i < 0 {
			p.Needs, i = append(p.Needs, act.Need{Pact: act.PactID(id)}), len(p.Needs)
		}
		p.Needs[i].Purposes = append(p.Needs[i].Purposes, purpose)
	}
	return a.client(func(d *desk.Client) error {
		var name string
		if err := d.Post(a.ctx, "/v1/persons", p, &name); err != nil {
			return err
		}
		return a.answer(name, func(w io.Writer) { fmt.Fprintf(w, "%s is enrolled\n", name) })
	})
}

type deskCmd struct {
	As string `help:"The person who signs in." default:"analyst"`
}

// Run prints a one-time link.
func (c *deskCmd) Run(a *app) error {
	return a.client(func(d *desk.Client) error {
		var v map[string]string
		if err := d.Post(a.ctx, "/v1/link", map[string]string{"as": c.As}, &v); err != nil {
			return err
		}
		return a.answer(v, func(w io.Writer) { fmt.Fprintln(w, v["link"]) })
	})
}

type doctorCmd struct{}

// enough is the room from which nobody needs to look after a disk today.
const enough = 256 << 20

// swaps lists what a table of swaps, as the kernel tells it, has in use on a disk. A
// compressed swap in memory ends with it.
func swaps(table string) (on []string) {
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 1 && !strings.HasPrefix(f[0], "/dev/zram") {
			on = append(on, f[0])
		}
	}
	return on
}

// swapRisk lists where the kernel may put what this process holds in memory. A service
// whose control group has no swap is safe from it (systemd: MemorySwapMax=0).
func swapRisk() []string {
	table, _ := os.ReadFile("/proc/swaps")
	group, _ := os.ReadFile("/proc/self/cgroup")
	if _, name, ok := strings.Cut(string(group), "0::"); ok {
		name, _, _ = strings.Cut(name, "\n")
		if most, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", name, "memory.swap.max")); err == nil && strings.TrimSpace(string(most)) == "0" {
			return nil
		}
	}
	return swaps(string(table))
}

// Run looks for trouble and says what to do about it.
func (doctorCmd) Run(a *app) error {
	type finding struct {
		What string `json:"what"`
		OK   bool   `json:"ok"`
		Do   string `json:"do,omitempty"` // where it is in order too: what people are reminded of
	}
	var all []finding
	add := func(what string, ok bool, do string) {
		if ok {
			do = ""
		}
		all = append(all, finding{what, ok, do})
	}
	st, err := os.Stat(a.Dir)
	add("the data folder is there", err == nil, "make one: entente init")
	if err == nil {
		add("nobody else can read it", st.Mode().Perm()&0o077 == 0, "chmod 700 "+a.Dir)
	}
	on := swapRisk()
	add("no swap that could hold content", len(on) == 0, "make sure that this is encrypted, turn it off with 'swapoff -a', or run the service with MemorySwapMax=0: "+strings.Join(on, ", "))
	core, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	add("no core dumps that could hold content", !coreAllowed(string(core)), "allow the node's limit of one byte: remove the hard limit of 0 for cores")
	room, err := durable.Room(a.Dir)
	add("the disk has room", err != nil || room >= enough, fmt.Sprintf("free some space: %d MiB are left; under 128 nothing that partners send is taken in, under 64 no large product of ours, under 16 nothing is entered", room>>20))
	missing := "this program does not find itself"
	if c, err := decoder(); err == nil {
		missing = c.Missing(a.ctx)
	}
	add("pictures are decoded in a confined process", missing == "", missing)
	evidence, _ := filepath.Glob(filepath.Join(a.Dir, "evidence", "*"))
	add("no evidence against a ledger is kept", len(evidence) == 0, "read it, and settle it with the partner: "+filepath.Join(a.Dir, "evidence"))
	err = a.client(func(c *desk.Client) error {
		var v desk.StatusView
		if err := c.Get(a.ctx, "/v1/status", &v); err != nil {
			return err
		}
		add("our clock is not behind our own ledger", v.Behind == nil, desk.BehindCure)
		err := c.Long(a.ctx, "/v1/verify", nil, new(act.Head), func(_, _ int64) {})
		add("the ledger verifies", err == nil, fmt.Sprint(err))
		for _, p := range v.Pacts {
			if p.Reminder != nil {
				all = append(all, finding{"a notice deadline of " + string(p.ID) + " is near", true, p.Reminder.Text + ": give notice before it, or let the pact be extended"})
			}
		}
		for _, p := range v.Partners {
			add("the way to "+string(p.Party)+" is open", p.Linked || p.Via != "" && p.Reason == "", cmpText(p.Reason, "start the node: entente serve"))
			add("no receipt is overdue with "+string(p.Party), len(p.Overdue) == 0, "ask its registry: entente status")
			add("the clock of "+string(p.Party)+" agrees with ours", p.Skew < 300 && p.Skew > -300, "set the wrong one right")
		}
		return nil
	})
	add("the node opens", err == nil, fmt.Sprint(err))
	bad := slices.ContainsFunc(all, func(f finding) bool { return !f.OK })
	if err := a.answer(all, func(w io.Writer) {
		for _, f := range all {
			switch {
			case !f.OK:
				fmt.Fprintf(w, "NOT   %s\n      %s\n", f.What, f.Do)
			case f.Do != "":
				fmt.Fprintf(w, "NOTE  %s\n      %s\n", f.What, f.Do)
			default:
				fmt.Fprintf(w, "ok    %s\n", f.What)
			}
		}
	}); err != nil || !bad {
		return err
	}
	return errors.New("something wants attention")
}

func cmpText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
