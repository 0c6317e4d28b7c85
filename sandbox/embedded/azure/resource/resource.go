// Package resource takes the path of a request to Azure Resource Manager apart:
// what it is about, of which type, on which scope.
package resource

import (
	"net/http"
	"strings"
)

// Path is a request's path, taken apart.
type Path struct {
	// ID is the path of what it is about, without what a POST asks of it.
	ID string
	// Subscription and Group are where it lies; either may be empty.
	Subscription, Group string
	// Namespace is the provider: "Microsoft.Network". Of subscriptions, resource
	// groups and what hangs on them it is Microsoft.Resources.
	Namespace string
	// Type is the type of what the path ends in, in the path's own case:
	// "Microsoft.Network/virtualNetworks/subnets".
	Type string
	// Names are the names of it and what it is in, the outermost first.
	Names []string
	// Named tells whether the path ends in a name, and not in a type, as a list's
	// does.
	Named bool
	// Scope is what it is on: the resource group or the subscription, or of an
	// extension the resource that it extends; "" is the tenant.
	Scope string
	// Verb is what a POST asks for: "listKeys".
	Verb string
}

// Name is the last name.
func (p Path) Name() string {
	if len(p.Names) == 0 {
		return ""
	}
	return p.Names[len(p.Names)-1]
}

// Parent is the path of what a list or a resource is in: the outer resource, or
// the scope.
func (p Path) Parent() string {
	path := p.ID
	if p.Named {
		path = cut(path)
	}
	path = cut(path) // the type
	if strings.EqualFold(last(path), p.Namespace) && strings.EqualFold(last(cut(path)), "providers") {
		path = cut(cut(path))
	}
	return path
}

// InResource tells whether the parent is a resource of the same provider.
func (p Path) InResource() bool { return strings.Count(p.Type, "/") > 1 }

func cut(path string) string  { return path[:max(strings.LastIndexByte(path, '/'), 0)] }
func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Parse takes a path apart. ok is false for one that Resource Manager does not
// have.
func Parse(method, path string) (p Path, ok bool) {
	s := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for _, one := range s {
		if one == "." || one == ".." {
			return Path{}, false
		}
	}
	is := func(i int, word string) bool { return i < len(s) && strings.EqualFold(s[i], word) }
	join := func(n int) string {
		if n == 0 {
			return ""
		}
		return "/" + strings.Join(s[:n], "/")
	}
	if len(s) == 0 {
		return Path{}, false
	}
	n := 0
	p.Namespace = "Microsoft.Resources"
	if is(0, "subscriptions") {
		p.Type, p.Named = p.Namespace+"/subscriptions", len(s) > 1
		if len(s) > 1 {
			p.Subscription, p.Names = s[1], []string{s[1]}
		}
		if n = min(2, len(s)); is(2, "resourceGroups") {
			p.Type, p.Named = p.Type+"/resourceGroups", len(s) > 3
			if len(s) > 3 {
				p.Group, p.Names = s[3], []string{s[1], s[3]}
			}
			n = min(4, len(s))
		}
	}
	p.ID, p.Scope = join(n), join(n)
	switch {
	case n == len(s):
		p.Scope = p.Parent()
		return p, true
	case is(n, "providers") && n+2 >= len(s) && n > 0:
		// …/providers, …/providers/NAMESPACE
		p.Type, p.Named = "Microsoft.Resources/subscriptions/providers", n+2 == len(s)
		p.ID = join(len(s))
		if p.Named {
			p.Names = append(p.Names, s[len(s)-1])
		}
		return p, p.Group == ""
	case !is(n, "providers"):
		// …/locations, …/resourceGroups/G/resources, …/tagNames/N
		return hung(method, p, s, n)
	}
	for is(n, "providers") && n+2 < len(s) {
		p.Scope, p.Namespace, p.Names = join(n), s[n+1], nil
		p.Type = s[n+1]
		n += 2
		from := n
		for n < len(s) && !(is(n, "providers") && (n-from)%2 == 0 && n > from) {
			if (n-from)%2 == 0 {
				p.Type, p.Named = p.Type+"/"+s[n], false
			} else {
				p.Names, p.Named = append(p.Names, s[n]), true
			}
			n++
		}
	}
	if n != len(s) {
		return Path{}, false
	}
	p.ID = join(n)
	if method == http.MethodPost && !p.Named {
		p.Verb, p.ID, p.Named = s[n-1], join(n-1), len(p.Names) > 0
		p.Type = cut(p.Type)
		if !p.Named { // /providers/NAMESPACE/register: of the provider as a whole
			p.ID = p.Scope
		}
	}
	return p, true
}

// hung reads what hangs on a subscription or a resource group without a
// provider.
func hung(method string, p Path, s []string, n int) (Path, bool) {
	rest := s[n:]
	if p.Subscription == "" {
		// /tenants, /providers
		p.Namespace, p.Type, p.ID, p.Scope = "Microsoft.Resources", "Microsoft.Resources/"+rest[0], "/"+strings.Join(s, "/"), ""
		p.Named = len(rest) > 1
		return p, len(rest) <= 2
	}
	if method == http.MethodPost && len(rest) == 1 {
		p.Verb = rest[0]
		return p, true
	}
	p.Scope = p.ID
	for i, one := range rest {
		if i%2 == 0 {
			p.Type, p.Named = p.Type+"/"+one, false
		} else {
			p.Names, p.Named = append(p.Names, one), true
		}
	}
	p.ID = "/" + strings.Join(s, "/")
	return p, true
}
