package grant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Condition is what must hold besides for a grant to hold, as an IAM policy says
// it: operator → key → values, of which one is enough.
type Condition map[string]map[string][]string

// String is the condition as it stands in a [Grant]: one line of JSON in order, a
// single value without its list. No condition is the empty string.
func (c Condition) String() string {
	operators := map[string]map[string]any{}
	for operator, keys := range c {
		for key, values := range keys {
			values = slices.Compact(slices.Sorted(slices.Values(values)))
			if len(values) == 0 {
				continue
			}
			if operators[operator] == nil {
				operators[operator] = map[string]any{}
			}
			if operators[operator][key] = values; len(values) == 1 {
				operators[operator][key] = values[0]
			}
		}
	}
	if len(operators) == 0 {
		return ""
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(operators) // maps of texts always have a JSON form, with their keys in order
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseCondition reads what [Condition.String] gives, in any layout. A key that
// stands twice, and what is no text, is an error: a condition that is not
// understood in full would be another one.
func ParseCondition(s string) (Condition, error) {
	if s == "" {
		return nil, nil
	}
	operators, err := object([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	c := Condition{}
	for operator, raw := range operators {
		keys, err := object(raw)
		if err != nil {
			return nil, fmt.Errorf("condition: %s: %w", operator, err)
		}
		c[operator] = map[string][]string{}
		for key, raw := range keys {
			var one string
			var list []string
			if json.Unmarshal(raw, &one) == nil {
				list = []string{one}
			} else if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
				return nil, fmt.Errorf("condition: %s: %s: a text or a list of texts is expected", operator, key)
			}
			c[operator][key] = list
		}
	}
	return c, nil
}

// object reads an object with at least one key, each of which stands once.
func object(data []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%.60q is no object", data)
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		if _, ok := members[key]; ok {
			return nil, fmt.Errorf("%q stands twice", key)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		members[key] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if dec.More() || len(members) == 0 {
		return nil, fmt.Errorf("%.60q is not an object with a key", data)
	}
	return members, nil
}

// Map is the condition with f applied to its values.
func (c Condition) Map(f func(string) string) Condition {
	out := Condition{}
	for operator, keys := range c {
		out[operator] = maps.Clone(keys)
		for key, values := range keys {
			out[operator][key] = nil
			for _, v := range values {
				out[operator][key] = append(out[operator][key], f(v))
			}
		}
	}
	return out
}

// MapCondition is a condition as it stands in a grant with f applied to its values,
// and to the tag that a key ends with (aws:ResourceTag/team). A key that would become
// one which is there stays as it is: two that have to hold never become one. What
// cannot be read stays as it is.
func MapCondition(s string, f func(string) string) string {
	c, err := ParseCondition(s)
	if err != nil || c == nil {
		return s
	}
	return c.Map(f).mapTags(f).String()
}

func (c Condition) mapTags(f func(string) string) Condition {
	out := Condition{}
	for operator, keys := range c {
		out[operator] = maps.Clone(keys)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			kind, tag, ok := strings.Cut(key, "/")
			if !ok {
				continue
			}
			other := kind + "/" + f(tag)
			if _, taken := out[operator][other]; !taken {
				out[operator][other] = out[operator][key]
				delete(out[operator], key)
			}
		}
	}
	return out
}
