package ledger

import (
	"entente/act"

	"golang.org/x/mod/sumdb/note"
)

// SignHead signs any head with the ledger's keys: what an operator could do.
func (l *Ledger) SignHead(h act.Head) ([]byte, error) {
	return note.Sign(&note.Note{Text: checkpointText(l.cfg.Party, h)}, l.cfg.Signers...)
}
