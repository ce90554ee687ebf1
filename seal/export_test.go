package seal

import (
	"encoding/json"

	"entente/act"
)

// Layout lays a container out around a payload and a manifest of a test's.
func Layout(payload, manifest []byte) []byte {
	return append(append(head(), payload...), tail(int64(len(payload)), checksum(payload), manifest, checksum(manifest))...)
}

// Head and Tail are a container without its payload.
var (
	Head = head
	Tail = tail
)

// OpenContainer finds manifest and payload.
var OpenContainer = openContainer

// KeysOf returns the sum of a manifest's key shares.
func KeysOf(b []byte) (act.Sum, error) {
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return act.Sum{}, err
	}
	return keysSum(m.Encryption.KeyAccess)
}

// Share unwraps what was wrapped for k.
func Share(k *PrivateKey, wrapped []byte) ([]byte, error) { return k.unwrap(wrapped) }
