// Package decoders_test reads with a second decoder what entente reads: bytes that ours
// takes the other takes too, as the same values. Ours refuses more, since it has one spelling.
package decoders_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"entente/act"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// second is an act as the other decoder reads it: what it may know of the body comes later.
type second struct {
	act.Act
	Body jsontext.Value `json:"body"`
}

// FuzzAct: the second decoder knows no member twice, no other case, no unknown member and no
// text that is not Unicode.
func FuzzAct(f *testing.F) {
	all, err := filepath.Glob(filepath.Join("..", "..", "vectors", "act", "*.act"))
	if err != nil || len(all) < 10 {
		f.Fatalf("%d vectors: %v", len(all), err)
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := act.Parse(b)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(strings.TrimPrefix(string(b), act.Header+"\n"), "\n")
		compact := jsontext.Value(line)
		if err := compact.Compact(); err != nil || string(compact) != line {
			t.Fatalf("%q is not JSON as it must be to the other decoder: %v", line, err)
		}
		var other second
		if err := jsonv2.Unmarshal([]byte(line), &other, jsonv2.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%q is no act to the other decoder: %v", line, err)
		}
		body := a.Body
		if a.Body = nil; !reflect.DeepEqual(a, other.Act) {
			t.Errorf("%q is %+v, and %+v", line, a, other.Act)
		}
		if raw, ok := body.(json.RawMessage); ok { // of a kind that is not known
			if !bytes.Equal(raw, other.Body) {
				t.Errorf("%q has the body %s, and %s", line, raw, other.Body)
			}
			return
		}
		v := reflect.New(reflect.TypeOf(body))
		if err := jsonv2.Unmarshal(other.Body, v.Interface(), jsonv2.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%q has no body to the other decoder: %v", line, err)
		}
		if !reflect.DeepEqual(body, v.Elem().Interface()) {
			t.Errorf("%q has the body %+v, and %+v", line, body, v.Elem().Interface())
		}
	})
}
