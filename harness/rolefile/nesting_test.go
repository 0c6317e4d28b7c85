package rolefile

import (
	"errors"
	"strings"
	"testing"
)

// A file of strangers can be nested so deep that a parser runs out of its stack,
// which nothing can catch: it is refused before.
func TestNesting(t *testing.T) {
	for name, text := range map[string]string{
		"flow.yaml":        "includedPermissions: " + strings.Repeat("[", 200<<10),
		"lines.yaml":       "includedPermissions:\n" + strings.Repeat("[\n", 100<<10),
		"hyphens.yaml":     "includedPermissions:\n" + strings.Repeat("- ", 10<<10) + "\n",
		"large.yaml":       "includedPermissions:\n" + strings.Repeat("- a.b.c\n", 80<<10),
		"brackets.json":    strings.Repeat("[", 1<<20),
		"parentheses.tf":   "x = " + strings.Repeat("(", 1<<18),
		"questions.tf":     "x = " + strings.Repeat("a ? ", 1<<16),
		"directives.tf":    "x = <<A\n" + strings.Repeat("%{if a}", 1<<14),
		"interpolation.tf": "x = \"" + strings.Repeat(`${"`, 1<<14),
	} {
		t.Run(name, func(t *testing.T) {
			var e *Error
			if _, err := Read(name, []byte(text)); !errors.As(err, &e) || e.Line == 0 || len(err.Error()) > 300 {
				t.Errorf("%.300v", err)
			}
		})
	}
}
