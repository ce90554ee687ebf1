package main

import (
	"os"
	"path/filepath"

	"entente/demo"

	"golang.org/x/term"
)

type demoCmd struct {
	Folder string `help:"Folder of both nodes. Run again, it goes on there." type:"path"`
	Once   bool   `help:"End after the summary."`
	Scene  int64  `help:"Size of the generated scene, in MiB. 0: none." default:"64"`
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
	}
	f, ok := a.out.(*os.File)
	return demo.Run(a.ctx, demo.Options{Dir: c.Folder, Exe: exe, Once: c.Once, Scene: c.Scene << 20, Out: a.out, Live: ok && term.IsTerminal(int(f.Fd()))})
}
