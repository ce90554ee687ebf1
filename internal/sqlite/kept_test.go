package sqlite

import "testing"

// TestKept: a page that changed while it was read is not kept, nor one of which
// something was written.
func TestKept(t *testing.T) {
	old, new, got := make([]byte, pageSize), make([]byte, pageSize), make([]byte, pageSize)
	new[7] = 7
	for _, wal := range []bool{false, true} {
		first, stride := slots(wal)
		third := place{wal, first + 2*stride}
		has := func(c *pages) bool { ok, _ := c.get(got, third); return ok }
		for name, row := range map[string]struct {
			off  int64
			n    int
			keep bool
		}{
			"the page before":       {third.off - stride, pageSize, true},
			"its last byte":         {third.off + pageSize - 1, 1, false},
			"its first":             {third.off, 1, false},
			"what ends at it":       {third.off - 9, 9, true},
			"what ends in it":       {third.off - 9, 10, false},
			"what begins behind it": {third.off + pageSize, 100, true},
			"much over it":          {0, 5 * pageSize, false},
			"much behind it":        {third.off + stride, 5 * pageSize, true},
		} {
			c := newPages()
			_, changes := c.get(got, third)
			c.put(old, third, changes)
			c.change(row.n, place{wal, row.off})
			if has(c) != row.keep {
				t.Errorf("log %v, %s is written: kept is %v", wal, name, !row.keep)
			}
		}
		c := newPages()
		_, changes := c.get(got, third)
		c.change(pageSize, third)
		c.changed(new, third)
		c.put(old, third, changes) // read before, told after
		if !has(c) || got[7] != 7 {
			t.Errorf("log %v: the old page stands over the new one", wal)
		}
		_, changes = c.get(got, place{wal, first})
		c.change(pageSize, third)
		c.put(old, place{wal, first}, changes)
		if ok, _ := c.get(got, place{wal, first}); ok {
			t.Errorf("log %v: a page is kept that was read while something changed", wal)
		}
	}
}
