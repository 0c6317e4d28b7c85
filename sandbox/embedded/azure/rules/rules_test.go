package rules

import (
	"strings"
	"testing"
)

// Every row has its columns, a known action, and a source; "same" follows a row
// that names it.
func TestRows(t *testing.T) {
	tables := Read()
	known := map[string]bool{}
	for _, space := range tables.Namespaces() {
		for _, o := range tables.Operations(space) {
			known[o.Name] = true
		}
	}
	for text, columns := range map[string]int{linkedTSV: 5, dataTSV: 8} {
		for f := range rows(text) {
			line := strings.Join(f, " | ")
			if len(f) != columns || len(f[columns-1]) < 4 {
				t.Errorf("%d columns, source %q: %s", len(f), f[len(f)-1], line)
				continue
			}
			action := f[2]
			if columns == 8 {
				action = f[4]
			}
			if !known[action] {
				t.Errorf("nobody has the action %s: %s", action, line)
			}
			if columns == 5 && f[0] != "*" {
				if name, ok := tables.Canonical(f[0]); !ok || name != f[0] {
					t.Errorf("the type of %s is in no table", line)
				}
			}
			if columns == 8 && f[5] != "data" && f[5] != "action" {
				t.Errorf("neither: %s", line)
			}
		}
	}
}
