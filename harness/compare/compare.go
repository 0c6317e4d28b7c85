// Package compare holds a published or deployed role against a record: what the
// role lacks of what the lifecycle needs, and what it has that nothing needs.
//
// It counts a grant as allowed only where the role certainly allows it: on every
// resource that the record's can be, and without a condition, or under one that
// holds wherever the record's does. It does no I/O.
package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// Result is what a comparison shows. Lists are in order, and [] where they are
// empty.
type Result struct {
	// Needed is how many permissions the record's steps need, Allowed how many of
	// them the role certainly allows on all that they are needed on.
	Needed  int `json:"needed"`
	Allowed int `json:"allowed"`
	// Missing is what the role does not allow: a step fails.
	Missing []Lack `json:"missing"`
	// Depends is what the role allows under a condition, on a part of the resources
	// or under some names: a step may fail.
	Depends []Lack `json:"depends"`
	// Unneeded is what the role has and no step of the record needs.
	Unneeded []Entry `json:"unneeded"`
	// Wildcards are what the role has with a wildcard, and what of it is used.
	Wildcards []Wildcard `json:"wildcards"`
	// Steps are those that fail for what is missing, in the lifecycle's order.
	Steps []string `json:"steps_that_fail"`
	// Blanks are what the role's author leaves to be filled in ("<account-id>"):
	// they are taken to be what the record has.
	Blanks []string `json:"blanks"`
}

// Lack is a grant that a role does not allow, or not for certain.
type Lack struct {
	Permission string   `json:"permission"`
	Resource   string   `json:"resource"`
	Steps      []string `json:"steps"`
	Why        string   `json:"why"`
	// Open tells that it hangs on what the record leaves open: names, or ids that
	// the cloud makes up.
	Open bool `json:"open,omitempty"`
	// Request and Purpose are the record's.
	Request string `json:"request,omitempty"`
	Purpose string `json:"purpose,omitempty"`
}

// Entry is a permission of a role.
type Entry struct {
	Permission string `json:"permission"`
	Place      string `json:"place"`
	// Note says what else is known: a step asks for it and does as well without, or
	// it is needed on other resources.
	Note string `json:"note,omitempty"`
}

// Wildcard is an entry with a wildcard.
type Wildcard struct {
	Permission string   `json:"permission"`
	Place      string   `json:"place"`
	Used       []string `json:"used"`
}

// need is a grant of the record with the steps that need it.
type need struct {
	record.Entry
	steps    []string
	resource int // its number in the matcher
	data     bool
}

// Compare holds the role against the steps of a record.
func Compare(role rolefile.Role, steps []record.Step) Result {
	r := Result{Missing: []Lack{}, Depends: []Lack{}, Unneeded: []Entry{}, Wildcards: []Wildcard{}, Steps: []string{}, Blanks: blanksOf(role)}
	needs := needsOf(steps)
	sensitive := role.Cloud == "gcp" // AWS and Azure ignore case in permissions
	m := newMatcher(role, needs, sensitive)
	lacking := map[string]bool{} // permissions
	fails := map[string]bool{}   // steps
	for _, n := range needs {
		verdict, why, open := m.decide(n)
		if verdict == allowed {
			continue
		}
		lacking[n.Permission] = true
		lack := Lack{Permission: n.Permission, Resource: n.Resource, Steps: n.steps, Why: why, Open: open, Request: n.Request, Purpose: n.Purpose}
		if verdict == depends {
			r.Depends = append(r.Depends, lack)
			continue
		}
		r.Missing = append(r.Missing, lack)
		for _, s := range n.steps {
			fails[s] = true
		}
	}
	permissions := map[string]bool{}
	for _, n := range needs {
		permissions[n.Permission] = true
	}
	r.Needed, r.Allowed = len(permissions), len(permissions)-len(lacking)
	for _, s := range steps {
		if fails[s.Name] {
			r.Steps = append(r.Steps, s.Name)
		}
	}
	r.Unneeded, r.Wildcards = m.unused(optionalOf(steps))
	return r
}

// needsOf lists the grants of the steps, each once, in order.
func needsOf(steps []record.Step) []need {
	at := map[grant.Grant]int{}
	var needs []need
	for _, s := range steps {
		for _, e := range s.Grants {
			i, ok := at[e.Grant()]
			if !ok {
				i = len(needs)
				at[e.Grant()] = i
				needs = append(needs, need{Entry: e, data: azure.IsData(e.Permission) || azure.OfDataPlane(e.Request)})
			}
			if !slices.Contains(needs[i].steps, s.Name) {
				needs[i].steps = append(needs[i].steps, s.Name)
			}
		}
	}
	slices.SortFunc(needs, func(a, b need) int { return grant.Compare(a.Grant(), b.Grant()) })
	return needs
}

// optionalOf maps permissions that are asked for and done without to the steps
// that do.
func optionalOf(steps []record.Step) map[string][]string {
	optional := map[string][]string{}
	for _, s := range steps {
		for _, e := range s.Optional {
			if !slices.Contains(optional[e.Permission], s.Name) {
				optional[e.Permission] = append(optional[e.Permission], s.Name)
			}
		}
	}
	return optional
}

// blanksOf lists what a role's author leaves to be filled in.
func blanksOf(role rolefile.Role) []string {
	list := []string{}
	for _, rule := range role.Rules {
		for _, res := range append(rule.Resources[:len(rule.Resources):len(rule.Resources)], rule.ExceptResources...) {
			for i := range res {
				if b := blanks.FindString(res[i:]); b != "" && !slices.Contains(list, b) {
					list = append(list, b)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

type verdict int

const (
	allowed verdict = iota
	depends
	missing
)

// extent is how much of a grant's resource a rule is about.
type extent int

const (
	none extent = iota
	part
	whole
)

// matcher is a role made ready for many comparisons.
type matcher struct {
	rules     []compiled
	exact     map[string][]position // permission → where it stands
	wild      map[string][]position // service → where a wildcard of it stands; "" for any service
	sensitive bool
	resources [][]token // of the record, each once
}

// position is a pattern of a rule.
type position struct{ rule, pattern int }

type compiled struct {
	rolefile.Rule
	patterns []string // the permissions, folded
	except   []string
	// resources, and those that are excepted; all is true where the format has none.
	resources, exceptResources []*resource
	all                        bool
	// used are the permissions of the record that each pattern allows, seen those
	// that it stands for, if on other resources. Both are in order.
	used, seen [][]string
}

// resource is a resource of a role; the same few stand in it over and over, and in
// a record.
type resource struct {
	everything bool
	tokens     []token
	extents    []extent // by the record's resource
	known      []bool
}

func newMatcher(role rolefile.Role, needs []need, sensitive bool) *matcher {
	m := &matcher{exact: map[string][]position{}, wild: map[string][]position{}, sensitive: sensitive}
	number := map[string]int{}
	for i, n := range needs {
		at, ok := number[n.Resource]
		if !ok {
			at = len(m.resources)
			number[n.Resource] = at
			list := tokens(n.Resource, true, false)
			if n.Resource == "*" && role.Cloud == "aws" {
				// A request that is about no resource: no ARN allows it.
				list = []token{{char: '*'}}
			}
			m.resources = append(m.resources, list)
		}
		needs[i].resource = at
	}
	read := map[string]*resource{}
	compile := func(list []string, variables bool) (out []*resource) {
		for _, s := range list {
			key := fmt.Sprint(variables) + s
			if read[key] == nil {
				read[key] = &resource{everything: s == "*", tokens: segments(tokens(s, variables, true)),
					extents: make([]extent, len(m.resources)), known: make([]bool, len(m.resources))}
			}
			out = append(out, read[key])
		}
		return out
	}
	for i, rule := range role.Rules {
		c := compiled{Rule: rule, all: rule.Resources == nil, used: make([][]string, len(rule.Permissions)), seen: make([][]string, len(rule.Permissions))}
		for j, p := range rule.Permissions {
			p = m.fold(p)
			c.patterns = append(c.patterns, p)
			at := position{i, j}
			switch {
			case !strings.ContainsAny(p, "*?"):
				m.exact[p] = append(m.exact[p], at)
			default:
				s := service(p)
				if strings.ContainsAny(s, "*?") {
					s = ""
				}
				m.wild[s] = append(m.wild[s], at)
			}
		}
		for _, p := range rule.Except {
			c.except = append(c.except, m.fold(p))
		}
		c.resources, c.exceptResources = compile(rule.Resources, rule.Variables), compile(rule.ExceptResources, rule.Variables)
		m.rules = append(m.rules, c)
	}
	return m
}

func (m *matcher) fold(p string) string {
	if m.sensitive {
		return p
	}
	return strings.ToLower(p)
}

// service is what a permission begins with, in each cloud's notation; the whole
// of "*".
func service(p string) string {
	if i := strings.IndexAny(p, ":./"); i >= 0 && !strings.HasPrefix(p, "microsoft.") {
		return p[:i]
	}
	s, _, _ := strings.Cut(p, "/")
	return s
}

// positions are where a permission is matched, rule by rule.
func (m *matcher) positions(permission string, data bool) []position {
	p := m.fold(permission)
	var found []position
	add := func(list []position) {
		for _, at := range list {
			rule := &m.rules[at.rule]
			if rule.Plane != "" && (rule.Plane == rolefile.Data) != data {
				continue
			}
			if matches(rule.patterns[at.pattern], p) && !slices.ContainsFunc(rule.except, func(e string) bool { return matches(e, p) }) {
				found = append(found, at)
			}
		}
	}
	add(m.exact[p])
	add(m.wild[service(p)])
	add(m.wild[""])
	slices.SortFunc(found, func(a, b position) int { return cmp.Or(a.rule-b.rule, a.pattern-b.pattern) })
	return found
}

// decide says whether the role allows a grant, and if not why.
func (m *matcher) decide(n need) (v verdict, why string, open bool) {
	var granted, denied bool
	var partly, elsewhere, refused reasons
	for i, list := 0, m.positions(n.Permission, n.data); i < len(list); {
		rule := &m.rules[list[i].rule]
		x := m.extent(rule, n)
		for first := list[i].rule; i < len(list) && list[i].rule == first; i++ {
			j := list[i].pattern
			note(&rule.seen[j], n.Permission)
			if x != none {
				note(&rule.used[j], n.Permission)
			}
		}
		certain := x == whole && (len(rule.Conditions) == 0 || rule.When != "" && !rule.Deny && follows(rule.When, n.Condition))
		switch {
		case x == none && rule.Deny:
		case x == none:
			elsewhere.add(rule, x)
		case rule.Deny:
			denied = denied || certain
			refused.add(rule, x)
		case certain:
			granted = true
		default:
			partly.add(rule, x)
		}
	}
	switch {
	case denied:
		return missing, "denied by " + refused.String(), false
	case granted && refused.n == 0:
		return allowed, "", false
	case granted:
		return depends, "may be denied by " + refused.String(), refused.open
	case partly.n > 0 && refused.n > 0:
		return depends, "allowed by " + partly.String() + "; may be denied by " + refused.String(), partly.open || refused.open
	case partly.n > 0:
		return depends, "allowed by " + partly.String(), partly.open
	case elsewhere.n > 0:
		return missing, "allowed on other resources only, by " + elsewhere.String(), false
	}
	return missing, "nothing allows it", false
}

// note puts s at the end of a list, once; permissions come in order.
func note(list *[]string, s string) {
	if n := len(*list); n == 0 || (*list)[n-1] != s {
		*list = append(*list, s)
	}
}

// reasons are rules that have a say, the first few with what they hang on.
type reasons struct {
	first []string
	n     int
	open  bool // one of them is about a part, or some names
}

func (r *reasons) add(rule *compiled, x extent) {
	const most = 3
	r.open = r.open || x == part
	if r.n++; r.n > most {
		return
	}
	why := []string{}
	if x == part {
		why = append(why, "on a part of it, or under some names")
	}
	if x != none && len(rule.Conditions) > 0 {
		why = append(why, "on the condition of "+strings.Join(rule.Conditions, ", "))
	}
	text := rule.Place
	if len(why) > 0 {
		text += " " + strings.Join(why, " and ")
	}
	r.first = append(r.first, text)
}

func (r reasons) String() string {
	text := strings.Join(r.first, "; ")
	if more := r.n - len(r.first); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// extent says how much of a grant's resource a rule is about.
func (m *matcher) extent(rule *compiled, n need) extent {
	if rule.all {
		return whole
	}
	best := none
	for _, r := range rule.resources {
		if best = max(best, m.one(r, n.resource)); best == whole {
			break
		}
	}
	for _, r := range rule.exceptResources {
		switch m.one(r, n.resource) {
		case whole:
			return none
		case part:
			best = min(best, part)
		}
	}
	return best
}

func (m *matcher) one(r *resource, of int) extent {
	switch {
	case r.everything:
		return whole
	case r.known[of]:
	case !meets(r.tokens, m.resources[of]): // most, and so one walk is enough
	case covers(r.tokens, m.resources[of]):
		r.extents[of] = whole
	default:
		r.extents[of] = part
	}
	r.known[of] = true
	return r.extents[of]
}

// unused lists what nothing of the record uses, and for wildcards what is used.
func (m *matcher) unused(optional map[string][]string) ([]Entry, []Wildcard) {
	entries, wildcards := []Entry{}, []Wildcard{}
	for _, rule := range m.rules {
		if rule.Deny {
			continue
		}
		for j, p := range rule.Permissions {
			name := p
			if len(rule.Except) > 0 {
				name = fmt.Sprintf("%s without %s", p, strings.Join(rule.Except, ", "))
			}
			used := rule.used[j]
			switch {
			case len(used) == 0:
				e := Entry{Permission: name, Place: rule.Place}
				if len(rule.seen[j]) > 0 {
					e.Note = "needed on other resources only"
				} else if steps := m.without(rule.patterns[j], optional); len(steps) > 0 {
					e.Note = "asked for by " + strings.Join(steps, ", ") + ", which does as well without"
				}
				entries = append(entries, e)
			case strings.ContainsAny(p, "*?"):
				wildcards = append(wildcards, Wildcard{Permission: name, Place: rule.Place, Used: used})
			}
		}
	}
	return entries, wildcards
}

// without are the steps that ask for what the pattern stands for and do as well
// without.
func (m *matcher) without(pattern string, optional map[string][]string) []string {
	var steps []string
	for _, p := range slices.Sorted(maps.Keys(optional)) {
		if matches(pattern, m.fold(p)) {
			for _, s := range optional[p] {
				if !slices.Contains(steps, s) {
					steps = append(steps, s)
				}
			}
		}
	}
	return steps
}
