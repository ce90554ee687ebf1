//go:build !linux

package main

import "errors"

// lockMemory is not to be had.
func lockMemory() error { return errors.New("keeping memory out of swap: not on this system") }
