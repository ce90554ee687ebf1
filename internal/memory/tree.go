package memory

import "hash/fnv"

// node is a treap that is never changed in place: ordered by key, and a heap
// by weight, which is a hash of the key, so that one content has one shape.
// A nil node is the empty tree.
type node struct {
	key         string
	value       []byte
	weight      uint64
	left, right *node
}

func newNode(key string, value []byte) *node {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	w := h.Sum64() // keys that follow each other differ in low bits: mixed, or the tree is a list
	w = (w ^ w>>33) * 0xff51afd7ed558ccd
	return &node{key: key, value: value, weight: w ^ w>>33}
}

// split returns the keys below at, and the others.
func (n *node) split(at string) (low, high *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if n.key < at {
		c.right, high = n.right.split(at)
		return &c, high
	}
	low, c.left = n.left.split(at)
	return low, &c
}

// merge joins two trees, all keys of low before those of high.
func merge(low, high *node) *node {
	switch {
	case low == nil:
		return high
	case high == nil:
		return low
	case low.weight > high.weight:
		c := *low
		c.right = merge(low.right, high)
		return &c
	}
	c := *high
	c.left = merge(low, high.left)
	return &c
}

// walk calls f with each node from <= key < to, ascending, until it says no.
func (n *node) walk(from, to string, f func(*node) bool) bool {
	if n == nil {
		return true
	}
	if n.key >= from && !n.left.walk(from, to, f) {
		return false
	}
	if n.key >= from && n.key < to && !f(n) {
		return false
	}
	return n.key >= to || n.right.walk(from, to, f)
}

// last returns the node with the greatest key below to.
func (n *node) last(to string) (found *node) {
	for n != nil {
		if n.key < to {
			found, n = n, n.right
		} else {
			n = n.left
		}
	}
	return found
}
