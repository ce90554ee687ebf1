package sim

import "entente/act"

// forger is a partner in bad faith: party 1, with its valid keys.
type forger struct {
	tree *struct{}
	_    act.Act
}

func (f *forger) send(*World) string { return "" }
func (f *forger) final(*World)       {}

func (w *World) doHostile() string { return "" }
