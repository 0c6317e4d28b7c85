package compute

import (
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// inside is another service's call as one of Compute Engine's: what Google's
// other services make of a project's instances, they make in their own name, and
// no permission of the caller's is asked for.
func inside(c *api.Call, path string) *api.Call {
	in := *c
	in.Match = route.Match{Method: route.ByID("compute.instanceGroupManagers.insert"), Path: path}
	in.Query, in.Body, in.Content = url.Values{}, store.Object{}, nil
	return &in
}

// NodeGroup is a managed group of instances that another service keeps in one
// zone of the project, as Kubernetes Engine does for the nodes of a pool.
type NodeGroup struct {
	Zone, Name string       // of the instances: the group's own ends with "-grp"
	Properties store.Object // of the instance template
	Size       int
}

// AddNodes makes the template, the group and its instances, and gives the path
// of the group's manager.
func AddNodes(c *api.Call, g NodeGroup) (path string, err error) {
	path = "projects/" + c.Project.ID + "/zones/" + g.Zone + "/instanceGroupManagers/" + g.Name + "-grp"
	in := inside(c, path)
	template := "projects/" + c.Project.ID + "/global/instanceTemplates/" + g.Name
	if _, err := inner(in, "compute.instanceTemplates.insert", template, store.Object{"name": g.Name, "properties": g.Properties}); err != nil {
		return "", err
	}
	_, err = inner(in, "compute.instanceGroupManagers.insert", path, store.Object{
		"name": g.Name + "-grp", "baseInstanceName": g.Name, "instanceTemplate": api.Link(template), "targetSize": float64(g.Size), "zone": api.Link(place(path)),
	})
	return path, err
}

// NodesIn is how many instances a group is to have; a group that somebody has
// deleted has none.
func NodesIn(c *api.Call, path string) int {
	o, _ := c.Tx.Get(inside(c, path).Key())
	n, _ := o["targetSize"].(float64)
	return int(n)
}

// ResizeNodes makes a group have as many instances as said.
func ResizeNodes(c *api.Call, path string, size int) error {
	in := inside(c, path)
	old, ok := in.Tx.Get(in.Key())
	if !ok {
		return missing(in, path)
	}
	o := store.Clone(old)
	o["targetSize"] = float64(size)
	if err := reconcile(in, path, o); err != nil {
		return err
	}
	in.Tx.Put(in.Key(), o)
	return nil
}

// RemoveNodes takes away what [AddNodes] has made, as far as it is still there.
func RemoveNodes(c *api.Call, path string) error {
	in := inside(c, path)
	name := strings.TrimSuffix(lastPart(path), "-grp")
	for _, each := range []string{path, "projects/" + c.Project.ID + "/global/instanceTemplates/" + name} {
		o, ok := in.Tx.Get(in.KeyOf(each))
		if !ok {
			continue
		}
		if err := generic.Remove(in, Hooks(), each, o); err != nil {
			return err
		}
	}
	return nil
}
