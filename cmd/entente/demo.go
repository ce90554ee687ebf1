package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"entente/demo"
	"entente/desk"

	"golang.org/x/term"
)

type demoCmd struct {
	Folder  string `help:"Folder of the nodes. Run again, it goes on there." type:"path"`
	Once    bool   `help:"End after the summary."`
	Scene   int64  `help:"Size of the generated scene, in MiB. 0: none." default:"64"`
	Hub     bool   `help:"Run Washington too, and show the arrangement of 2014 beside the pact of 2016, with the time each takes."`
	Reports int    `help:"With --hub: how many reports go each way." default:"20"`
}

// Run runs the demo with this very program.
func (c *demoCmd) Run(a *app) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if c.Folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		c.Folder = filepath.Join(cache, "entente-demo")
		if c.Hub {
			c.Folder += "-hub"
		}
	}
	if usual := defaultDir(); a.KeyFile != "" || usual != "" && a.Dir != usual {
		return &desk.Problem{Kind: "invalid", Text: "the demo makes nodes and keys of its own: leave --dir and --key-file out, and ENTENTE_DIR and ENTENTE_KEY_FILE unset; --folder names its folder"}
	}
	f, ok := a.out.(*os.File)
	out := a.out
	if a.JSON {
		out, ok = lines{json.NewEncoder(a.out)}, false
	}
	return demo.Run(a.ctx, demo.Options{Dir: c.Folder, Exe: exe, Once: c.Once, Scene: c.Scene << 20, Hub: c.Hub, Reports: c.Reports, Out: out, Live: ok && term.IsTerminal(int(f.Fd()))})
}

// lines writes each line that it is given as JSON.
type lines struct{ e *json.Encoder }

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimSpace(line); line != "" {
			if err := l.e.Encode(map[string]string{"line": line}); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}
