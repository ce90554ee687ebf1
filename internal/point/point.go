// Package point names the moments between two effects, where a crash must do
// no harm. [At] is called there, on a line of its own, and does nothing: only
// the kill test gives [Reached] something to do, in the process that it runs
// as a node. The tests need no other way into the code that they kill.
package point

// Reached is called with the name of each moment as it passes. It is nil in
// the program; a test sets it before anything else runs.
var Reached func(name string)

// At says that a moment has come.
func At(name string) {
	if Reached != nil {
		Reached(name)
	}
}
