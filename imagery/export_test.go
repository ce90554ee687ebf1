package imagery

import "time"

// Started is the first byte of a child.
const Started = started

// Hurry gives a child's work so much time.
func (c *Child) Hurry(cpu time.Duration) { c.cpu = cpu }

// Bare has the children start as where the system refuses namespaces.
func (c *Child) Bare() { c.bare.Store(true) }
