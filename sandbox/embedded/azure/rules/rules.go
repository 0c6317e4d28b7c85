// Package rules is the gate's tables: which actions a request to Azure needs, on
// which scopes, and how the refusal of each is told. Every row names its source.
package rules

import (
	"bufio"
	_ "embed"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// Form is how the want of an action is told.
type Form int

// The forms.
const (
	Plain  Form = iota // of the request itself
	Linked             // of what it names, told by Resource Manager
	Access             // of what it names, told by the network provider
)

// Need is one action on one scope.
type Need struct {
	Action string
	Data   bool
	Scope  string
	Form   Form
}

//go:embed types.tsv
var typesTSV string

//go:embed linked.tsv
var linkedTSV string

//go:embed data.tsv
var dataTSV string

type kind struct {
	name, verbs string
	posts       []string
}

type link struct {
	kind   string
	field  []string
	action string
	form   Form
}

type row struct {
	plane, method string
	path          []string
	query         string
	action        string
	data          bool
	depth         int
}

// Tables are the rows, read.
type Tables struct {
	kinds map[string]kind // by the name in lower case
	links []link
	data  []row
}

// Read reads the tables that are part of the program.
func Read() Tables {
	t := Tables{kinds: map[string]kind{}}
	for f := range rows(typesTSV) {
		k := kind{name: f[0], verbs: f[1]}
		if len(f) > 2 {
			k.posts = strings.Fields(f[2])
		}
		t.kinds[strings.ToLower(k.name)] = k
	}
	for f := range rows(linkedTSV) {
		form := Linked
		if f[3] == "access" {
			form = Access
		}
		t.links = append(t.links, link{f[0], strings.Split(f[1], "."), f[2], form})
	}
	for f := range rows(dataTSV) {
		depth, _ := strconv.Atoi(f[6]) // a test reads them all
		t.data = append(t.data, row{f[0], f[1], segments(f[2]), f[3], f[4], f[5] == "data", depth})
	}
	return t
}

func rows(text string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			if line := lines.Text(); line != "" && line[0] != '#' && !yield(strings.Split(line, "\t")) {
				return
			}
		}
	}
}

func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// Canonical gives a type in its registered case.
func (t Tables) Canonical(kind string) (string, bool) {
	k, ok := t.kinds[strings.ToLower(kind)]
	return k.name, ok
}

// Namespaces lists the providers.
func (t Tables) Namespaces() []string {
	var all []string
	for _, k := range t.kinds {
		space, _, _ := strings.Cut(k.name, "/")
		all = append(all, space)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Operation is one action that there is.
type Operation struct {
	Name string
	Data bool
}

// Operations lists the actions of a provider that there are.
func (t Tables) Operations(namespace string) []Operation {
	var all []Operation
	for _, k := range t.kinds {
		space, _, _ := strings.Cut(k.name, "/")
		if !strings.EqualFold(space, namespace) {
			continue
		}
		for _, v := range k.verbs {
			all = append(all, Operation{Name: k.name + "/" + verbs[v]})
		}
		for _, p := range k.posts {
			all = append(all, Operation{Name: k.name + "/" + p + "/action"})
		}
	}
	for _, r := range t.data {
		if space, _, _ := strings.Cut(r.action, "/"); strings.EqualFold(space, namespace) {
			all = append(all, Operation{Name: r.action, Data: r.data})
		}
	}
	for _, space := range t.Namespaces() {
		if strings.EqualFold(space, namespace) {
			all = append(all, Operation{Name: space + "/register/action"})
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return slices.CompactFunc(all, func(a, b Operation) bool { return strings.EqualFold(a.Name, b.Name) && a.Data == b.Data })
}

var verbs = map[rune]string{'r': "read", 'w': "write", 'd': "delete"}

// Manager gives what a request to Resource Manager needs, the action of the
// request itself first. ok is false for one that is in no table.
func (t Tables) Manager(method string, p resource.Path, body store.Object) (needs []Need, ok bool) {
	k, known := t.kinds[strings.ToLower(p.Type)]
	scope := p.ID
	if !p.Named {
		scope = p.Parent()
	}
	if p.Verb != "" {
		if strings.EqualFold(p.Verb, "register") && !strings.Contains(p.Type, "/") {
			for _, space := range t.Namespaces() {
				if strings.EqualFold(space, p.Type) {
					return []Need{{Action: space + "/register/action", Scope: "/subscriptions/" + p.Subscription}}, true
				}
			}
			return nil, false
		}
		if !known {
			return nil, false
		}
		for _, post := range k.posts {
			if strings.EqualFold(post, p.Verb) {
				return []Need{{Action: k.name + "/" + post + "/action", Scope: scope}}, true
			}
		}
		return nil, false
	}
	if !known {
		return nil, false
	}
	verb := ' '
	switch method {
	case http.MethodGet, http.MethodHead:
		verb = 'r'
	case http.MethodPut, http.MethodPatch:
		verb = 'w'
	case http.MethodDelete:
		verb = 'd'
	}
	if !strings.ContainsRune(k.verbs, verb) || verb != 'r' && !p.Named {
		return nil, false
	}
	needs = []Need{{Action: k.name + "/" + verbs[verb], Scope: scope}}
	if verb != 'w' {
		return needs, true
	}
	return t.linked(needs, k.name, body), true
}

// linked adds what the resources that a body names are asked for.
func (t Tables) linked(needs []Need, kind string, body store.Object) []Need {
	for _, l := range t.links {
		if l.kind != "*" && l.kind != kind {
			continue
		}
		for _, id := range values(body, l.field) {
			n := Need{Action: l.action, Scope: strings.TrimRight(id, "/"), Form: l.form}
			if id != "" && !slices.Contains(needs, n) {
				needs = append(needs, n)
			}
		}
	}
	return needs
}

// values follows a field to all texts it leads to.
func values(v any, field []string) []string {
	if len(field) == 0 {
		if s, ok := v.(string); ok {
			return []string{s}
		}
		return nil
	}
	var all []string
	switch field[0] {
	case "[]":
		list, _ := v.([]any)
		for _, e := range list {
			all = append(all, values(e, field[1:])...)
		}
	case "{}":
		o, _ := v.(store.Object)
		for k := range o {
			all = append(all, k)
		}
		slices.Sort(all)
	default:
		if o, ok := v.(store.Object); ok {
			return values(store.At(o, field[0]), field[1:])
		}
	}
	return all
}

// DataPlane gives what a request to a data plane needs; base is the id of the
// account, and within what its parts are called below it ("secrets" on a vault,
// "blobServices/default/containers" of a storage account).
func (t Tables) DataPlane(plane, method string, u *url.URL, base, within string) (need Need, ok bool) {
	path, query := segments(u.Path), u.Query()
	for _, r := range t.data {
		if r.plane != plane || r.method != method || !fits(r.path, path) {
			continue
		}
		if name, value, cond := strings.Cut(r.query, "="); cond && query.Get(name) != value {
			continue
		} else if !cond && plane == "blob" && query.Get("comp") != "" {
			continue
		}
		n := Need{Action: r.action, Data: r.data, Scope: base}
		if r.depth == 1 {
			n.Scope += "/" + within + "/" + path[0]
		} else if r.depth == 2 {
			n.Scope += "/" + strings.TrimPrefix(path[0], "deleted") + "/" + path[1]
		}
		return n, true
	}
	return Need{}, false
}

func fits(pattern, path []string) bool {
	for i, p := range pattern {
		switch {
		case p == "**":
			return len(path) > i
		case i >= len(path) || p != "{}" && p != path[i]:
			return false
		}
	}
	return len(pattern) == len(path)
}
