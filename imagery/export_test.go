package imagery

import "time"

// Started is the first byte of a child.
const Started = started

// Hurry gives a child's work so much time.
func (c *Child) Hurry(cpu time.Duration) { c.cpu = cpu }

// Bare has the children start as where the system refuses namespaces.
func (c *Child) Bare() { c.bare.Store(true) }

// Preview is the work of a child's process. Nothing outside calls it: bytes from outside
// are decoded by a [Child] alone.
var Preview = preview
