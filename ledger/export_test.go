package ledger

import (
	"entente/act"

	"golang.org/x/mod/sumdb/note"
)

// SignHead signs any head with the ledger's keys: what an operator could do.
func (l *Ledger) SignHead(h act.Head) ([]byte, error) {
	return note.Sign(&note.Note{Text: checkpointText(l.cfg.Party, h)}, l.cfg.Signers...)
}

// Waiting returns how many functions wait for their turn to write.
func (l *Ledger) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}
