package gcp

import (
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

func rulesNeed(c *api.Call, permission, key string) rules.Need {
	return rules.Describe(c, permission, key)
}

// authorize checks what a request needs. Compute Engine names all that is
// missing, others the first.
func (g *Gate) authorize(r *request, c *api.Call) error {
	return g.check(r, c, rules.Needs(c))
}

func (g *Gate) check(r *request, c *api.Call, needs []rules.Need) error {
	var told *wire.Error
	for _, need := range needs {
		if everybodys(c, need) {
			continue
		}
		r.needs = append(r.needs, trace.Needed{Action: need.Permission, Resource: need.Name})
		held, err := g.holds(r, need)
		if err != nil {
			return err
		}
		if held || g.c.Open {
			continue
		}
		r.needs[len(r.needs)-1].Refused = true
		e := g.refusal(r, c, need).Error()
		switch {
		case told == nil:
			told = e
		case r.service == "compute" && e.Code == told.Code:
			told.More = append(told.More, e.Message)
		}
		if r.service != "compute" {
			break
		}
	}
	if told == nil {
		return nil
	}
	return &refusedError{told}
}

// holds tells whether who asks has a permission on a resource.
func (g *Gate) holds(r *request, need rules.Need) (bool, error) {
	view := g.timeline.InForce(r.now)
	if r.who.Operator {
		return view.Ours(need.Key), nil
	}
	name, kind := need.Attributes()
	return view.Decide(r.who.Member(), need.Permission, iam.Resource{Key: need.Key, Name: name, Type: kind}, r.now)
}

// everybodys tells whether a need is met for everybody who is authenticated:
// public images may be read and used. Source: Compute Engine, "Operating system
// details".
func everybodys(c *api.Call, need rules.Need) bool {
	rest, ok := strings.CutPrefix(need.Key, "compute/projects/")
	if !ok {
		rest, ok = strings.CutPrefix(need.Key, "cloudresourcemanager/projects/")
	}
	project, _, _ := strings.Cut(rest, "/")
	if !ok || !api.PublicProject(project) {
		return false
	}
	switch need.Permission {
	case "compute.images.get", "compute.images.list", "compute.images.getFromFamily", "compute.images.useReadOnly", "compute.licenses.get":
		return true
	}
	return false
}

func (g *Gate) refusal(r *request, c *api.Call, need rules.Need) wire.Refusal {
	f := wire.Refusal{Service: r.service, Method: r.method, Permission: need.Permission, Resource: need.Shown, Principal: r.who.Email,
		Number: g.project.Number, Kind: need.Kind}
	if c.Service.Name == "serviceusage" && c.Verb() != "list" {
		f.Resource = c.Path
		ids, _ := c.Body["serviceIds"].([]any)
		var names []string
		for _, id := range ids {
			if s, ok := id.(string); ok {
				names = append(names, s)
			}
		}
		f.Services = strings.Join(names, ", ")
	}
	return f
}
