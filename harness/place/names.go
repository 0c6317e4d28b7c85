package place

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/grant"
)

// Unnamed is a grant with generated names written as their prefix, in its
// resource and in what its condition says of a name. Names are the generated names,
// each with its prefix; one without a prefix is an id, and becomes a wildcard within
// a name.
func Unnamed(g grant.Grant, names map[string]string) grant.Grant {
	if below(g.Resource) { // was there before, and nobody has made its name up since
		return g
	}
	g.Resource = unnamed(g.Resource, names)
	if c, err := grant.ParseCondition(g.Condition); err == nil && c != nil {
		g.Condition = attribute.Unnamed(c, names).String()
	}
	return g
}

func unnamed(resource string, names map[string]string) string {
	parts := strings.SplitN(resource, ":", 6)
	last := &parts[len(parts)-1]
	// The longest first: one can begin with another.
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, name := range order {
		if names[name] == "" {
			*last = within(*last, catalog.Escape(name))
			continue
		}
		*last = strings.ReplaceAll(*last, catalog.Escape(name), catalog.Escape(names[name])+"*")
	}
	return strings.Join(parts, ":")
}

// within replaces an id that has no prefix of its own by a wildcard, where it is
// a part of a segment ("API-Gateway-Execution-Logs_…"): alone it would leave
// nothing of the name.
func within(s, id string) string {
	var b strings.Builder
	for at := strings.Index(s, id); at >= 0 && id != ""; at = strings.Index(s, id) {
		end := at + len(id)
		whole := (at == 0 || strings.ContainsRune("/:", rune(s[at-1]))) && (end == len(s) || strings.ContainsRune("/:", rune(s[end])))
		b.WriteString(s[:at])
		if whole {
			b.WriteString(id)
		} else {
			b.WriteString("*")
		}
		s = s[end:]
	}
	return b.String() + s
}

// OnName gives the name that a grant's condition is on, and what that is in; empty
// where it is on none alone.
func OnName(g grant.Grant) (in, name string) {
	c, err := grant.ParseCondition(g.Condition)
	if err != nil || len(c) != 1 {
		return "", ""
	}
	for _, operator := range []string{"==", "within"} {
		if values := c[operator]["resource.name"]; len(values) == 1 {
			i := strings.LastIndexByte(values[0], '/') + 1
			return values[0][:i], values[0][i:]
		}
	}
	return "", ""
}

// MadeUp gives the names that two grants of one permission are on, and what these
// begin with, where the cloud has made their ends up: both are of one type, in one
// place, and the same but for an end of the same length after their last hyphen, of
// four characters or more (GKE's of what it makes in Compute Engine, say). A step that
// chooses its names so can have that too; it is in the record. Else prefix is empty.
func MadeUp(a, b grant.Grant) (names [2]string, prefix string) {
	inA, nameA := OnName(a)
	inB, nameB := OnName(b)
	if a.Permission != b.Permission || inA != inB {
		return names, ""
	}
	return [2]string{nameA, nameB}, beginning(nameA, nameB)
}

// leastEnd is how long an end must be that the cloud made up.
const leastEnd = 4

// beginning is what two names have alike, up to and with a hyphen.
func beginning(a, b string) string {
	i := strings.LastIndexByte(a, '-') + 1
	if a == b || i == 0 || len(a) != len(b) || len(a)-i < leastEnd || !strings.HasPrefix(b, a[:i]) || strings.Contains(b[i:], "-") {
		return ""
	}
	return a[:i]
}
