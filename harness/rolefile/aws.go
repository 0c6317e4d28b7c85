package rolefile

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// TooLargeError tells that a set does not fit what a role of AWS can hold.
type TooLargeError struct {
	Role string
	// Size is the document's in IAM's count, as small as it gets; Limit what there
	// is room for.
	Size, Limit int
	// Policies is how many managed policies it takes, 0 for an inline one.
	Policies int
}

func (e *TooLargeError) Error() string {
	if e.Policies == 0 {
		return fmt.Sprintf("role %s: takes %d characters, and all inline policies of a role hold %d together (white space does not count)", e.Role, e.Size, e.Limit)
	}
	return fmt.Sprintf("role %s: takes %d managed policies, and a role holds %d", e.Role, e.Policies, e.Limit)
}

// Hints implements what the command line asks errors for.
func (e *TooLargeError) Hints() []string {
	if e.Policies == 0 {
		return []string{"leave --inline out: managed policies hold more"}
	}
	return []string{"emit smaller roles (--by step), or raise the account's quota for attached policies and say --attach"}
}

// documents are the policy documents that together say what the set says, each
// within its quota: one inline document, or up to attach managed ones. They are
// written for people, by service and resource with a Sid each, unless only
// without both they fit.
func documents(role string, s grant.Set, inline bool, attach int) ([]policy.Document, error) {
	limit := policy.ManagedLimit
	if inline {
		limit, attach = policy.InlineLimit, 1
	}
	readable, dense := policy.Document{Version: policy.Version2012}, policy.Document{Version: policy.Version2012}
	for _, service := range parted(s, func(g grant.Grant) string { service, _, _ := strings.Cut(g.Permission, ":"); return service }) {
		readable.Statements = append(readable.Statements, statements(service)...)
	}
	name(readable.Statements)
	dense.Statements = statements(s)
	var most int
	for _, d := range []policy.Document{readable, dense} {
		if inline && d.Size() > limit {
			most = d.Size()
			continue
		}
		parts, err := policy.Split(d, limit)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", role, err)
		}
		if len(parts) <= attach {
			return parts, nil
		}
		most = len(parts)
	}
	if inline {
		return nil, &TooLargeError{Role: role, Size: most, Limit: limit}
	}
	return nil, &TooLargeError{Role: role, Limit: attach, Policies: most}
}

// parted parts a set by what the grants have in common, in order.
func parted(s grant.Set, by func(grant.Grant) string) []grant.Set {
	of := map[string][]grant.Grant{}
	for g := range s.All() {
		of[by(g)] = append(of[by(g)], g)
	}
	var parts []grant.Set
	for _, key := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, grant.Of(of[key]...))
	}
	return parts
}

// statements says what a set says without adding or losing anything, in the
// shorter of two ways: the permissions that hold on the same resources share a
// statement, or the resources on which the same permissions hold. What holds under
// another condition is another statement.
func statements(s grant.Set) []policy.Statement {
	var list []policy.Statement
	for _, part := range parted(s, func(g grant.Grant) string { return g.Condition }) {
		list = append(list, alike(part)...)
	}
	return list
}

// alike is statements of grants under the same condition.
func alike(s grant.Set) []policy.Statement {
	when := ""
	byPermission := policy.FromSet(s)
	on := map[string][]string{} // resource → its permissions, in order
	for g := range s.All() {
		on[g.Resource] = append(on[g.Resource], g.Permission)
		when = g.Condition
	}
	var order []string // lists of permissions
	same := map[string][]grant.Grant{}
	for _, r := range slices.Sorted(maps.Keys(on)) {
		key := strings.Join(on[r], "\n")
		if _, ok := same[key]; !ok {
			order = append(order, key)
		}
		for _, p := range on[r] {
			same[key] = append(same[key], grant.Grant{Permission: p, Resource: r, Condition: when})
		}
	}
	byResource := policy.Document{Version: policy.Version2012}
	for _, key := range order {
		byResource.Statements = append(byResource.Statements, policy.FromSet(grant.Of(same[key]...)).Statements...)
	}
	if byResource.Size() < byPermission.Size() {
		return byResource.Statements
	}
	return byPermission.Statements
}

// name gives each statement a Sid that says its service and what it is about: a
// Sid is of A-Z, a-z and 0-9, and stands once in a document
// (reference_policies_elements_sid).
func name(list []policy.Statement) {
	seen := map[string]int{}
	for i := range list {
		s := &list[i]
		service, _, _ := strings.Cut(s.Action[0], ":")
		sid := title(service)
		switch {
		case len(s.Resource) > 1:
			sid += title(kindOf(s.Resource)) + fmt.Sprint(len(s.Resource)) + "Resources"
		case s.Resource[0] != "*":
			sid += title(resourceOf(s.Resource[0]))
		}
		if seen[sid]++; seen[sid] > 1 {
			sid += fmt.Sprintf("Part%d", seen[sid])
		}
		s.Sid = sid
	}
}

// kindOf is what all the resources are ("queue/", "role/"), empty if they differ.
func kindOf(resources []string) string {
	kind := ""
	for i, r := range resources {
		k, _, found := strings.Cut(resourceOf(r), "/")
		if !found || i > 0 && k != kind {
			return ""
		}
		kind = k
	}
	return kind
}

// resourceOf is the last of an ARN's parts.
func resourceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

var wordEnd = regexp.MustCompile(`[^A-Za-z0-9]+`)

// title joins the words of s, each with a capital.
func title(s string) string {
	var b strings.Builder
	for _, w := range wordEnd.Split(s, -1) {
		if w != "" && b.Len() < 60 {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}

// foldable are verbs whose wildcard lets nothing be read but what there is and
// how it is set up. Get is none: it reads secrets and objects.
var foldable = regexp.MustCompile(`^([a-z0-9-]+:(?:Describe|List))[A-Z][A-Za-z0-9]*$`)

// Fold puts Describe* and List* of a service in the place of two or more such
// permissions on the same resource. The set says more then: folded lists what
// was replaced by which wildcard.
func Fold(s grant.Set) (wider grant.Set, folded map[string][]string) {
	folded = map[string][]string{}
	on := map[grant.Grant][]grant.Grant{} // wildcard → what it would replace
	for g := range s.All() {
		if m := foldable.FindStringSubmatch(g.Permission); m != nil {
			w := grant.Grant{Permission: m[1] + "*", Resource: g.Resource, Condition: g.Condition}
			on[w] = append(on[w], g)
		}
	}
	wider = s
	for w, grants := range on {
		if len(grants) < 2 {
			continue
		}
		wider = wider.Without(grants...).With(w)
		for _, g := range grants {
			if !slices.Contains(folded[w.Permission], g.Permission) {
				folded[w.Permission] = append(folded[w.Permission], g.Permission)
			}
		}
		slices.Sort(folded[w.Permission])
	}
	return wider, folded
}
