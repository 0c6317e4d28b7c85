// Package fields reads the fields of a request's body that can decide what is checked
// besides the operation's own permission.
package fields

import (
	"encoding/json"
	"slices"
	"strings"
)

// Filled gives those fields of a JSON object that decides names and that hold
// something, in order: what is null, or an empty text, list or object, asks for
// nothing. Of what is no object it gives none.
func Filled(body []byte, decides func(name string) bool) []string {
	var top map[string]json.RawMessage
	if len(body) == 0 || json.Unmarshal(body, &top) != nil {
		return nil
	}
	var names []string
	for name, value := range top {
		if v := strings.TrimSpace(string(value)); decides(name) && v != "null" && v != "[]" && v != "{}" && v != `""` {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
