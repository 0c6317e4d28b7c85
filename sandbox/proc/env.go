package proc

import (
	"maps"
	"slices"
	"strings"
)

// Environment is the part of the parent's environment that a child may see:
// what a tool needs to find programs, a home, a place for temporary files and
// the language of its messages. It is an allow-list, so that no credential of
// the operator, of whatever name, reaches a child. HOME is in it, and with it
// the files there: whoever starts a cloud's tool must point the tool's own
// variables away from them.
func Environment(parent []string) map[string]string {
	env := map[string]string{}
	for _, kv := range parent {
		if k, v, ok := strings.Cut(kv, "="); ok && allowed(k) {
			env[k] = v
		}
	}
	return env
}

func allowed(name string) bool {
	switch name {
	case "PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE":
		return true
	}
	// LC_ALL, LC_MESSAGES, …: the name is checked to the end, since the prefix
	// is anybody's (LC_API_TOKEN travels by ssh's SendEnv LC_*).
	category, ok := strings.CutPrefix(name, "LC_")
	return ok && slices.Contains([]string{"ALL", "COLLATE", "CTYPE", "MESSAGES", "MONETARY", "NUMERIC", "TIME",
		"ADDRESS", "IDENTIFICATION", "MEASUREMENT", "NAME", "PAPER", "TELEPHONE"}, category)
}

// Slice gives env as "name=value", in order of the names.
func Slice(env map[string]string) []string {
	s := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s = append(s, k+"="+env[k])
	}
	return s
}
