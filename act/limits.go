package act

// The bounds of an act. What is larger is refused before it is looked at.
const (
	// MaxSize bounds an act's bytes: a pact's text (256 KiB, escaped) travels inside one.
	MaxSize = 600 << 10
	// MaxText bounds a pact's text.
	MaxText = 256 << 10
	// MaxParties bounds the recipients of one act; the largest real pacts have some 30 parties.
	MaxParties = 64
	// MaxName bounds names of parties, persons, pacts and kinds: they stand in tables and on forms.
	MaxName = 64
	// MaxLine bounds a title, a reason, a note: what a person reads at one glance.
	MaxLine = 1024
	// MaxList bounds every list in a body.
	MaxList = 256
)
