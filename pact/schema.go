package pact

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of a pact's text, for editors.
// It holds what can be said of single values; [Parse] checks the rest.
func Schema() []byte {
	s := schema(reflect.TypeFor[source](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "A pact that entente keeps"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("pact: " + err.Error())
	}
	return append(b, '\n')
}

func schema(t reflect.Type, tag reflect.StructTag) map[string]any {
	m := map[string]any{}
	if doc := tag.Get("doc"); doc != "" {
		m["description"] = doc
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem(), tag)
	case reflect.Struct:
		if t == reflect.TypeFor[wording]() {
			m["anyOf"] = []any{map[string]any{"type": "string"}, schema(reflect.TypeFor[names](), "")}
			return m
		}
		m["type"], m["additionalProperties"] = "object", false
		props, needed := map[string]any{}, []string{}
		for i := range t.NumField() {
			f := t.Field(i)
			props[f.Tag.Get("yaml")] = schema(f.Type, f.Tag)
			if f.Tag.Get("need") != "" {
				needed = append(needed, f.Tag.Get("yaml"))
			}
		}
		m["properties"] = props
		if len(needed) > 0 {
			m["required"] = needed
		}
	case reflect.Slice:
		m["type"], m["items"] = "array", schema(t.Elem(), only(tag, "enum"))
		if tag.Get("once") != "" {
			m["uniqueItems"] = true
		}
	case reflect.Map:
		m["type"], m["additionalProperties"] = "object", schema(t.Elem(), only(tag, "enum"))
	case reflect.Bool:
		m["type"] = "boolean"
	case reflect.Int:
		m["type"] = "integer"
		for _, k := range [][2]string{{"min", "minimum"}, {"max", "maximum"}} {
			if n, err := strconv.Atoi(tag.Get(k[0])); err == nil {
				m[k[1]] = n
			}
		}
	case reflect.String:
		m["type"] = "string"
		if e := tag.Get("enum"); e != "" {
			m["enum"] = strings.Split(e, "|")
		}
	}
	return m
}

func only(tag reflect.StructTag, key string) reflect.StructTag {
	if v, ok := tag.Lookup(key); ok {
		return reflect.StructTag(key + `:"` + v + `"`)
	}
	return ""
}
