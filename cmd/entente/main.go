// Command entente runs a party's node and speaks to it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"entente/act"
	"entente/desk"
	"entente/node"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// Exit codes: a script can tell what happened.
const (
	exitFault   = 1 // something failed
	exitUsage   = 2 // the command was not understood
	exitRefused = 3 // a ruling refused it: the articles are told
	exitWaits   = 4 // it waits for somebody: a second person, the originator
)

type cli struct {
	Dir     string `help:"The node's data folder. Default: .local/share/entente in the home folder." env:"ENTENTE_DIR" type:"path"`
	KeyFile string `help:"File that opens the data folder, instead of a passphrase. A systemd credential called entente-key is found by itself." env:"ENTENTE_KEY_FILE" type:"path"`
	JSON    bool   `name:"json" help:"Answer in JSON."`

	Init       initCmd       `cmd:"" help:"Make a node's data folder, with fresh keys and its first people."`
	Serve      serveCmd      `cmd:"" help:"Run the node: answer partners, carry what is released, serve the desk."`
	Pact       pactCmd       `cmd:"" help:"Draft, check, show and sign pacts, and every other step of their life."`
	Pacts      pactsCmd      `cmd:"" help:"List the pacts: where each stands, what is open and what comes next, soonest first."`
	Release    releaseCmd    `cmd:"" help:"Release a file to the other parties of a pact."`
	Approve    approveCmd    `cmd:"" help:"Release, as the second person, what another drafted."`
	Consent    consentCmd    `cmd:"" help:"Approve in writing what the pact otherwise forbids with a product of ours."`
	Mandate    mandateCmd    `cmd:"" help:"Give standing authority: a class of products goes at once."`
	Withdraw   withdrawCmd   `cmd:"" help:"Take back a consent or a mandate, for the future."`
	Copy       copyCmd       `cmd:"" help:"Enter a numbered copy, with its holder and reason."`
	Destroy    destroyCmd    `cmd:"" help:"Destroy a product here, against a certificate."`
	Reclassify reclassifyCmd `cmd:"" help:"Lower the mark of a product of ours, for everybody who has it."`
	Review     reviewCmd     `cmd:"" help:"Say that a product is still needed, until the next review."`
	Visit      visitCmd      `cmd:"" help:"Ask for, approve and end visits, and show products during them."`
	Assure     assureCmd     `cmd:"" help:"Assure, before an oral disclosure to us, clearance and need of those present."`
	Accredit   accreditCmd   `cmd:"" help:"Enter that our system is accredited for a channel, up to a marking, until a day."`
	Law        lawCmd        `cmd:"" help:"Notify a change of law, and acknowledge one."`
	OpenItems  openItemsCmd  `cmd:"" help:"List what waits for an answer: notices of law, visits."`
	Partner    partnerCmd    `cmd:"" help:"List the partners, pin one by its code, say by way of whom it is reached, park and resume its link."`
	House      houseCmd      `cmd:"" help:"Check our own law on top of the pacts."`
	Courier    courierCmd    `cmd:"" help:"Carry across an air gap: pack a medium, hand it over, take one in."`
	Lend       lendCmd       `cmd:"" help:"Lend our share of a product's key for a time."`
	Inbox      inboxCmd      `cmd:"" help:"List what was received."`
	Outbox     outboxCmd     `cmd:"" help:"List what was released, and what became of it."`
	Open       openCmd       `cmd:"" help:"Open a product and write its content out."`
	Status     statusCmd     `cmd:"" help:"Show the node at a glance: pacts, partners, ledger."`
	Why        whyCmd        `cmd:"" help:"Explain any ruling, past or hypothetical: of a product, a pact, an act or a release that nobody made."`
	Person     personCmd     `cmd:"" help:"List and enrol our own people."`
	Ledger     ledgerCmd     `cmd:"" help:"Verify, rebuild and show the ledger."`
	Desk       deskCmd       `cmd:"" help:"Print a one-time link to the desk for a person."`
	Doctor     doctorCmd     `cmd:"" help:"Look for what is wrong with this node and its machine."`
	Decode     decodeCmd     `cmd:"" hidden:"" help:"Make the small copy of one picture: the node starts this, confined."`
	Demo       demoCmd       `cmd:"" help:"Run Seoul and Tokyo on this machine and watch them share real data."`
	Complete   completeCmd   `cmd:"" help:"Print a completion script: entente complete bash > /etc/bash_completion.d/entente"`
}

// app is what commands work with.
type app struct {
	*cli
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	errs   io.Writer
	parser *kong.Kong
}

func main() {
	noCore()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	if slices.Equal(args, []string{"--json"}) { // no command, as in 'entente': the help is the answer
		var help strings.Builder
		code := run(nil, in, &help, errs)
		_ = (&app{cli: &cli{JSON: true}, out: out}).answer(map[string]string{"help": help.String()}, nil) // the caller has gone: nobody is left to tell
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	exited := -1
	p, err := kong.New(&c, kong.Name("entente"), kong.Description(description), kong.NamedMapper("path", kong.MapperFunc(path)),
		kong.Writers(out, errs), kong.Exit(func(code int) { exited = code }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(errs, "entente:", err)
		return exitFault
	}
	teach(p.Model.Node)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := p.Parse(args)
	if exited >= 0 {
		return exited
	}
	if c.Dir == "" {
		c.Dir = defaultDir()
	}
	a := &app{&c, ctx, in, out, errs, p}
	if err != nil {
		a.JSON = slices.Contains(args, "--json") // the flags were not read to their end
		return a.tell(&desk.Problem{Kind: "invalid", Text: err.Error(), Hint: usage(err)})
	}
	err = k.Run(a)
	if done := answered(0); errors.As(err, &done) {
		return int(done)
	}
	if err != nil {
		return a.tell(err)
	}
	return 0
}

// answered ends a command whose answer has told all there is to tell, with an exit code.
type answered int

// Error implements error.
func (a answered) Error() string { return fmt.Sprintf("answered, with exit code %d", int(a)) }

// defaultDir is the data folder where none is named; empty: there is no home.
func defaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "entente")
}

// path reads what names a file or a folder. Nothing names none: kong takes it for the
// folder that one is in.
func path(ctx *kong.DecodeContext, target reflect.Value) error {
	var p string
	if err := ctx.Scan.PopValueInto("path", &p); err != nil {
		return err
	}
	if p == "" {
		if v := ctx.Value; v.Flag != nil && len(v.Flag.Envs) > 0 {
			return fmt.Errorf("it is empty, and names no file or folder: name one, or leave it out; unset %s if that is empty", v.Flag.Envs[0])
		}
		return errors.New("it is empty, and names no file or folder: name one, or leave it out")
	}
	target.SetString(kong.ExpandPath(p))
	return nil
}

// folder refuses to work where no data folder is named.
func (a *app) folder() error {
	if a.Dir == "" {
		return &desk.Problem{Kind: "invalid", Text: "there is no home folder, and no data folder is named: name it with --dir or ENTENTE_DIR"}
	}
	return nil
}

// usage says where the command that was not understood is explained.
func usage(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil && p.Context.Selected() != nil {
		return "'entente " + p.Context.Selected().Path() + " --help' explains it"
	}
	return "'entente --help' lists the commands"
}

const description = `Two parties share sensitive information directly, under a pact that each can prove was kept.

A first product takes four commands a side:
  entente init KR                                              make a node
  entente serve --listen :7701                                 run it (leave it running)
  entente pact sign kr-jp-2016 --with HOST:PORT --code CODE --notify
                                                               compare codes with the partner, sign
  entente release image.tif --pact kr-jp-2016 --purpose threat-assessment --mark 군사II급비밀
and the other side opens it with: entente open NUMBER

Exit codes: 0 done, 1 failed, 2 not understood, 3 refused by a ruling (also one that was only asked about), 4 waits for somebody.`

// tell says an error to a person, or to a script, and returns the exit code.
func (a *app) tell(err error) int {
	code, p := exitFault, &desk.Problem{Kind: "fault", Text: err.Error()}
	if errors.As(err, &p) || errors.Is(err, act.ErrMalformed) {
		if p.Kind == "fault" && errors.Is(err, act.ErrMalformed) {
			p.Kind, p.Text = "invalid", strings.TrimPrefix(p.Text, act.ErrMalformed.Error()+": ")
		}
		code = map[string]int{"refused": exitRefused, "waits": exitWaits, "invalid": exitUsage}[p.Kind]
		if code == 0 {
			code = exitFault
		}
	}
	if a.JSON {
		_ = json.NewEncoder(a.errs).Encode(p)
		return code
	}
	fmt.Fprintln(a.errs, "entente:", p.Text)
	if p.Hint != "" {
		fmt.Fprintln(a.errs, "hint:", p.Hint)
	}
	for _, b := range p.Because {
		if b.Cure != "" {
			fmt.Fprintf(a.errs, "hint: %s: %s\n", b.Article, b.Cure)
		}
	}
	return code
}

// answer prints v as JSON when that was asked for, and with f otherwise.
func (a *app) answer(v any, f func(w io.Writer)) error {
	if !a.JSON {
		f(a.out)
		return nil
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// secret finds what opens the data folder.
func (a *app) secret(fresh bool) (node.Secret, error) {
	if a.KeyFile != "" {
		return node.KeyFile(a.KeyFile)
	}
	if d := os.Getenv("CREDENTIALS_DIRECTORY"); d != "" {
		if s, err := node.KeyFile(filepath.Join(d, "entente-key")); !errors.Is(err, os.ErrNotExist) {
			return s, err // one that is there and does not do is not passed over
		}
	}
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return node.Secret{}, errors.New("the data folder is locked: give --key-file, or run on a terminal to type the passphrase")
	}
	ask := func(what string) ([]byte, error) {
		fmt.Fprint(a.errs, what)
		defer fmt.Fprintln(a.errs)
		return term.ReadPassword(int(f.Fd()))
	}
	p, err := ask("Passphrase: ")
	if err != nil {
		return node.Secret{}, err
	}
	s, err := node.Passphrase(p)
	switch {
	case err != nil && !fresh:
		return s, node.ErrLocked
	case err != nil:
		return s, err
	case fresh:
		again, err := ask("The same again: ")
		if err != nil {
			return node.Secret{}, err
		}
		if string(again) != string(p) {
			return node.Secret{}, errors.New("the two passphrases differ")
		}
	}
	return s, nil
}

// clock is the node's. Tests step it.
var clock = time.Now

func (a *app) world(level slog.Level) node.Seams {
	w := node.World(slog.New(slog.NewTextHandler(a.errs, &slog.HandlerOptions{Level: level})))
	w.Now = clock
	if c, err := decoder(); err == nil {
		w.Preview = c.Preview
	}
	return w
}

// client reaches the node: the one that serves, or, when none does, the folder
// itself for the time of the command.
func (a *app) client(f func(*desk.Client) error) error {
	if err := a.folder(); err != nil {
		return err
	}
	c := desk.Dial(filepath.Join(a.Dir, node.SocketName))
	err := a.serving(c)
	if err == nil {
		return f(c)
	}
	if !errors.Is(err, desk.ErrNotServing) {
		return err
	}
	if a.KeyFile == "" && !node.Exists(a.Dir) { // or it would be called locked
		return &desk.Problem{Kind: "invalid", Text: "there is no node in " + a.Dir + ": make one with 'entente init', or name its folder with --dir"}
	}
	s, err := a.secret(false)
	if err != nil {
		return err
	}
	return a.within(s, f)
}

// within opens the folder for the time of a command, or reaches the node that has just started there.
func (a *app) within(s node.Secret, f func(*desk.Client) error) error {
	c := desk.Dial(filepath.Join(a.Dir, node.SocketName))
	n, err := a.open(c, s, slog.LevelWarn)
	if errors.Is(err, node.ErrInUse) && a.serving(c) == nil {
		return f(c) // it was just starting
	}
	if err != nil {
		return err
	}
	return errors.Join(f(desk.Within(n.Desk("").API())), n.Close())
}

// serving asks the node that serves, if one does.
func (a *app) serving(c *desk.Client) error {
	var card desk.CardView
	return c.Get(a.ctx, "/v1/card", &card)
}

// open opens the folder. One that another command has open for a moment is
// waited for; one that a node serves is not.
func (a *app) open(c *desk.Client, s node.Secret, level slog.Level) (*node.Node, error) {
	for end := time.Now().Add(5 * time.Second); ; {
		n, err := node.Open(a.ctx, a.Dir, s, a.world(level))
		if !errors.Is(err, node.ErrInUse) || a.serving(c) == nil || time.Now().After(end) {
			return n, err
		}
		select {
		case <-a.ctx.Done():
			return nil, a.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
