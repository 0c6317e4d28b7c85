package gcp

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// DialInstance connects to a port of a simulated instance. Ours is false when
// addr is no instance's address, and never was one.
func (g *Gate) DialInstance(ctx context.Context, addr string) (c net.Conn, ours bool, err error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || !g.fleet.Known(to.Addr()) {
		return nil, false, nil // a name, or somebody else's address
	}
	_, port, _ := net.SplitHostPort(addr)
	c, err = g.fleet.Dial(ctx, to.Addr(), port)
	return c, true, err
}

// Close ends what runs on the instances, and takes their disks away.
func (g *Gate) Close() error {
	err := g.fleet.Close()
	g.tunnels.Wait() // each ends with its connection to an instance
	return err
}

// isInstance tells whether a key of the store is an instance's, or the
// project's own, which has the metadata of all instances.
func isInstance(key string) bool {
	rest, ok := strings.CutPrefix(key, "compute/projects/")
	if !ok {
		return false
	}
	parts := strings.Split(rest, "/")
	return len(parts) == 1 || len(parts) == 5 && parts[1] == "zones" && parts[3] == "instances"
}

// instances gives all instances as they are now.
func (g *Gate) instances() ([]guest.Instance, error) {
	var list []guest.Instance
	err := g.state.Do(func(tx *store.Tx) error {
		project, _ := tx.Get("compute/projects/" + g.project.ID)
		common := metadata(api.Object(project, "commonInstanceMetadata"))
		for key, o := range tx.Scan("compute/projects/" + g.project.ID + "/zones/") {
			if !isInstance(key) {
				continue
			}
			i := guest.Instance{ID: api.String(o, "id"), Name: api.String(o, "name"), Running: o["status"] == "RUNNING",
				Metadata: metadata(api.Object(o, "metadata")), Project: common}
			for _, n := range api.List(o, "networkInterfaces") {
				texts := []string{api.String(n, "networkIP")}
				for _, a := range api.List(n, "accessConfigs") {
					texts = append(texts, api.String(a, "natIP"))
				}
				for _, text := range texts {
					if a, err := netip.ParseAddr(text); err == nil {
						i.Addresses = append(i.Addresses, a)
					}
				}
			}
			list = append(list, i)
		}
		return nil
	})
	return list, err
}

func metadata(o store.Object) map[string]string {
	m := map[string]string{}
	for _, item := range api.List(o, "items") {
		m[api.String(item, "key")] = api.String(item, "value")
	}
	return m
}
