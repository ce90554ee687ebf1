package node_test

import (
	"fmt"
	"os"
	"testing"

	"entente/imagery"
)

// TestMain lets the test binary be the node's decoder, and a node in a process of its own,
// which the benchmarks drive: see docs/benchmarks.md.
func TestMain(m *testing.M) {
	run := m.Run
	if len(os.Args) == 2 && os.Args[1] == "decode" {
		run = func() int { return exitOf(imagery.Serve(os.Stdin, os.Stdout)) }
	} else if dir := os.Getenv("ENTENTE_SPEED_NODE"); dir != "" {
		run = func() int { return exitOf(beNode(dir)) }
	}
	os.Exit(run())
}

func exitOf(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
