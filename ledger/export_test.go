package ledger

import (
	"entente/act"

	"golang.org/x/mod/sumdb/note"
)

// SignHead signs any head with the ledger's keys: what an operator could do.
func (l *Ledger) SignHead(h act.Head) ([]byte, error) {
	return note.Sign(&note.Note{Text: checkpointText(l.cfg.Party, h)}, l.cfg.Signers...)
}

// SignText signs any text with the ledger's keys.
func (l *Ledger) SignText(text string) ([]byte, error) {
	return note.Sign(&note.Note{Text: text}, l.cfg.Signers...)
}

// Fork opens another shelf as a ledger of the same party, with the same keys.
func (l *Ledger) Fork(s Shelf) *Ledger { return Open(s, l.cfg) }

// Waiting returns how many functions wait for their turn to write.
func (l *Ledger) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}
