package generic

import (
	"fmt"
	"math"
	"strconv"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Conform brings what a client sent into the form of its schema: without what
// is the service's to set, 64-bit numbers as strings, and an error for a value
// of another type, or a field that the schema does not have.
func Conform(s *route.Service, schema *route.Schema, o store.Object) (store.Object, error) {
	return conform(s, schema, o, "")
}

func conform(s *route.Service, schema *route.Schema, o store.Object, at string) (store.Object, error) {
	if schema == nil || schema.Open {
		return store.Clone(o), nil
	}
	clean := store.Object{}
	for key, value := range o {
		f, ok := schema.Fields[key]
		if !ok && at == "" && s.Name == "compute" && key == "project" {
			continue // hashicorp/google sends it with forwarding rules, and is not refused
		}
		if !ok {
			return nil, wire.New(400, "Invalid JSON payload received. Unknown name %q%s: Cannot find field.", key, in(at))
		}
		if f.OutputOnly && at == "" && key != "kind" && !kept[key] {
			continue
		}
		v, err := value1(s, f.Type, value, join(at, key))
		if err != nil {
			return nil, err
		}
		clean[key] = v
	}
	return clean, nil
}

// kept are fields that the documents call output only, and that clients send
// all the same: to say which version of a resource they mean, and the named
// ports of a group with its manager, as hashicorp/google does.
var kept = map[string]bool{"etag": true, "fingerprint": true, "labelFingerprint": true, "name": true, "namedPorts": true}

func in(at string) string {
	if at == "" {
		return ""
	}
	return " at '" + at + "'"
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

func value1(s *route.Service, t route.Type, v any, at string) (any, error) {
	wrong := func() (any, error) {
		return nil, wire.New(400, "Invalid value at '%s', \"%v\"", at, v)
	}
	if v == nil {
		return nil, nil
	}
	switch t.Kind {
	case route.List:
		items, ok := v.([]any)
		if !ok {
			return wrong()
		}
		list := make([]any, len(items))
		for i, item := range items {
			c, err := value1(s, *t.Of, item, fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return nil, err
			}
			list[i] = c
		}
		return list, nil
	case route.Map:
		m, ok := v.(store.Object)
		if !ok {
			return wrong()
		}
		c := store.Object{}
		for key, item := range m {
			value, err := value1(s, *t.Of, item, join(at, key))
			if err != nil {
				return nil, err
			}
			c[key] = value
		}
		return c, nil
	case route.Object:
		m, ok := v.(store.Object)
		if !ok {
			return wrong()
		}
		return conform(s, s.Schema(t.Ref), m, at)
	case route.Long:
		switch n := v.(type) {
		case float64:
			if n != math.Trunc(n) {
				return wrong()
			}
			return strconv.FormatFloat(n, 'f', -1, 64), nil
		case string:
			if _, err := strconv.ParseInt(n, 10, 64); err != nil {
				if _, err := strconv.ParseUint(n, 10, 64); err != nil {
					return wrong()
				}
			}
			return n, nil
		}
		return wrong()
	case route.Number:
		switch n := v.(type) {
		case float64:
			return n, nil
		case string:
			f, err := strconv.ParseFloat(n, 64)
			if err != nil {
				return wrong()
			}
			return f, nil
		}
		return wrong()
	case route.Bool:
		switch b := v.(type) {
		case bool:
			return b, nil
		case string:
			p, err := strconv.ParseBool(b)
			if err != nil {
				return wrong()
			}
			return p, nil
		}
		return wrong()
	case route.String:
		switch x := v.(type) {
		case string:
			return x, nil
		case float64:
			return strconv.FormatFloat(x, 'f', -1, 64), nil
		case bool:
			return strconv.FormatBool(x), nil
		}
		return wrong()
	}
	return v, nil
}
