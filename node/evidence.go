package node

import (
	"context"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entente/act"
	"entente/catalogue"
	"entente/internal/files"
	"entente/ledger"
)

// unenteredSuffix ends the name of evidence that no entry names yet: it was found while
// our clock was behind, or the node stopped between the file and the entry.
const unenteredSuffix = ".unentered"

// evidence keeps what convicts a ledger in a file of its own, and enters it. The file
// comes first: what cannot be entered now is entered once it can be.
func (n *Node) evidence(ctx context.Context, p act.Party, what string, b []byte) error {
	sum := sha512.Sum384(b)
	name := fmt.Sprintf("%s-%x.json", p, sum[:6])
	n.convicts.Lock()
	file := name
	if p != n.Card.Party { // ours is the one in doubt: it is not written
		file += unenteredSuffix
		n.unentered[name] = act.Dispute{Party: p, Evidence: sum, What: what}
	}
	dir := filepath.Join(n.dir, evidenceDir)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = files.WriteFile(dir, file, b)
	}
	n.convicts.Unlock()
	if err != nil {
		return fmt.Errorf("keeping evidence: %w", err)
	}
	n.seams.Log.Error("evidence is kept", "of the ledger of", string(p), "file", filepath.Join(evidenceDir, name), "what", what)
	return n.enterEvidence(ctx)
}

// loadEvidence finds the evidence that is not entered.
func (n *Node) loadEvidence() error {
	n.unentered = map[string]act.Dispute{}
	all, err := filepath.Glob(filepath.Join(n.dir, evidenceDir, "*"+unenteredSuffix))
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading evidence: %w", err)
		}
		var c ledger.Contradiction
		if err := json.Unmarshal(b, &c); err != nil || c.Party == "" {
			return fmt.Errorf("reading evidence: %s is damaged: move it elsewhere, and start the node again", path)
		}
		n.unentered[strings.TrimSuffix(filepath.Base(path), unenteredSuffix)] = act.Dispute{Party: c.Party, Evidence: sha512.Sum384(b), What: c.Error()}
	}
	return err
}

// doubt says why the ledger of p is in doubt though no entry says so yet.
func (n *Node) doubt(p act.Party) string {
	n.convicts.Lock()
	defer n.convicts.Unlock()
	for _, d := range n.unentered {
		if d.Party == p {
			return d.What
		}
	}
	return ""
}

// enterEvidence enters what could not be entered before. While our clock is behind it
// waits on. Should the node stop before the file has its name, it is entered twice.
func (n *Node) enterEvidence(ctx context.Context) error {
	n.convicts.Lock()
	defer n.convicts.Unlock()
	for _, name := range slices.Sorted(maps.Keys(n.unentered)) {
		d := n.unentered[name]
		err := n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
			s, err := n.Catalogue.Statement(tx, n.seams.Now(), act.LedgerDisputed, d)
			if err != nil {
				return err
			}
			_, err = n.Catalogue.Enter(tx, s, nil)
			return err
		})
		if errors.Is(err, catalogue.ErrClock) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("entering evidence: %w", err)
		}
		dir := filepath.Join(n.dir, evidenceDir)
		if err := os.Rename(filepath.Join(dir, name+unenteredSuffix), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("entering evidence: %w", err)
		}
		delete(n.unentered, name)
	}
	return nil
}

// altered keeps which rows were altered as evidence: by digests alone, for they hold
// what is not to be written in the clear.
func (n *Node) altered(ctx context.Context, a *ledger.Altered) error {
	type row struct {
		Table  string  `json:"table"`
		Key    act.Sum `json:"key"`
		How    string  `json:"how"`
		Is     act.Sum `json:"is"`
		Should act.Sum `json:"should"`
	}
	all := struct {
		Rows []row `json:"rows"`
		More int   `json:"more"`
	}{More: a.More}
	for _, r := range a.Rows {
		all.Rows = append(all.Rows, row{r.Table, sha512.Sum384(r.Key), r.How, r.Is, r.Should})
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return n.evidence(ctx, n.Card.Party, fmt.Sprintf("%d rows of the tables are not what the entries give", len(a.Rows)+a.More), b)
}
