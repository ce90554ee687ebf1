package main

import (
	"os"

	"entente/imagery"
)

type decodeCmd struct{}

// Run is the whole life of a confined decoder.
func (decodeCmd) Run(a *app) error { return imagery.Serve(a.in, a.out) }

// decoder starts this very program to decode pictures.
func decoder() (*imagery.Child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return imagery.NewChild(exe, "decode"), nil
}
