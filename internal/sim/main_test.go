package sim_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow: a world is small and short.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
