package sim

// Reach counts how often each thing occurred.
type Reach map[string]int
