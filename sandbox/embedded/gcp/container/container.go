// Package container is what is particular to Kubernetes Engine in the embedded
// GCP sandbox: clusters and their node pools, as the API shows them, and the
// managed groups of instances that their nodes are. There is no Kubernetes API,
// and nothing runs on a node.
//
// Only the methods of projects.locations are here; those of projects.zones are
// their older names.
package container

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// version is the one that clusters have when nobody says another.
const version = "1.33.5-gke.1080000"

// Handlers serve the methods, by id.
func Handlers() map[string]api.Handler {
	const clusters, pools = "container.projects.locations.clusters.", "container.projects.locations.clusters.nodePools."
	return map[string]api.Handler{
		clusters + "create":            createCluster,
		clusters + "get":               get,
		clusters + "list":              list("clusters"),
		clusters + "delete":            remove,
		clusters + "update":            updateCluster,
		clusters + "setResourceLabels": setLabels,
		pools + "create":               createPool,
		pools + "get":                  get,
		pools + "list":                 list("nodePools"),
		pools + "delete":               remove,
		pools + "setSize":              setSize,
		pools + "setAutoscaling":       setPool("autoscaling", "autoscaling"),
		pools + "setManagement":        setPool("management", "management"),
		"container.projects.locations.getServerConfig": serverConfig,
	}
}

func missing(path string) error { return wire.New(404, "Not found: %s.", path) }

// show is a cluster with its node pools, or a pool.
func show(c *api.Call, path string, o store.Object) store.Object {
	shown := store.Clone(o)
	if strings.Contains(path, "/nodePools/") {
		return shown
	}
	var pools []any
	nodes := 0
	for _, p := range c.Tx.Scan(c.KeyOf(path) + "/nodePools/") {
		pools = append(pools, p)
		for _, group := range groups(c, p) {
			nodes += compute.NodesIn(c, group)
		}
	}
	if pools != nil {
		shown["nodePools"], shown["currentNodeCount"] = pools, float64(nodes)
	}
	return shown
}

func get(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c.Path)
	}
	return api.OK(show(c, c.Path, o))
}

func list(field string) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		if cluster, ok := strings.CutSuffix(c.Path, "/nodePools"); ok {
			if _, there := c.Tx.Get(c.KeyOf(cluster)); !there {
				return nil, missing(cluster)
			}
		}
		location, _ := strings.CutPrefix(c.Path, "projects/"+c.Params["projectsId"]+"/locations/")
		root, want := c.Key(), c.Path
		if strings.HasPrefix(location, "-/") { // everywhere
			root, want = "container/projects/"+c.Project.ID+"/locations/", ""
		}
		var items []any
		for key, o := range c.Tx.Scan(root) {
			path := strings.TrimPrefix(key, "container/")
			parts := strings.Split(path, "/")
			if parts[len(parts)-2] == field && (want == "" || strings.HasPrefix(path, strings.TrimPrefix(c.KeyOf(want), "container/")+"/")) {
				items = append(items, show(c, path, o))
			}
		}
		reply := store.Object{}
		if items != nil {
			reply[field] = items
		}
		return api.OK(reply)
	}
}

func createCluster(c *api.Call) (*api.Reply, error) {
	given, err := generic.Conform(c.Service, c.Service.Schema("Cluster"), api.Object(c.Body, "cluster"))
	if err != nil {
		return nil, err
	}
	name := api.String(given, "name")
	if name == "" {
		return nil, wire.New(400, "Cluster.name is required.")
	}
	path := c.Path + "/" + name
	if _, there := c.Tx.Get(c.KeyOf(path)); there {
		return nil, wire.New(409, "Already exists: %s.", path)
	}
	location := strings.Split(c.Path, "/")[3]
	zones := []any{location}
	if strings.Count(location, "-") == 1 {
		zones = []any{location + "-a", location + "-b", location + "-c"}
	}
	pools := api.List(given, "nodePools")
	delete(given, "nodePools")
	o := store.Object{"network": "default", "subnetwork": "default", "clusterIpv4Cidr": "10.4.0.0/14", "loggingService": "logging.googleapis.com/kubernetes",
		"monitoringService": "monitoring.googleapis.com/kubernetes", "locations": zones, "initialClusterVersion": version}
	generic.Merge(o, given)
	generic.Merge(o, store.Object{"name": name, "id": fmt.Sprintf("%x", c.Tx.ID()), "location": location, "zone": location, "status": "RUNNING", "createTime": api.Time(c.Now),
		"selfLink": "https://container.googleapis.com/v1/" + path, "endpoint": fmt.Sprintf("203.0.113.%d", 1+c.Tx.Serial()%250), "currentMasterVersion": version, "currentNodeVersion": version,
		"labelFingerprint": api.Fingerprint(o["resourceLabels"])})
	addresses(c, o)
	generic.Merge(o, store.Object{"masterAuth": store.Object{"clusterCaCertificate": base64.StdEncoding.EncodeToString([]byte(o["id"].(string)))}})
	c.Tx.Put(c.KeyOf(path), o)
	if len(pools) == 0 && !api.Bool(o, "autopilot.enabled") {
		count := o["initialNodeCount"]
		if count == nil {
			return nil, wire.New(400, "Cluster.initial_node_count must be greater than zero.")
		}
		pool := store.Object{"name": "default-pool", "initialNodeCount": count}
		if config := o["nodeConfig"]; config != nil {
			pool["config"] = config
		}
		pools = []store.Object{pool}
	}
	for _, p := range pools {
		if err := addPool(c, path, p); err != nil {
			return nil, err
		}
	}
	return api.OK(operation.Start(c, path, nil))
}

func addPool(c *api.Call, cluster string, pool store.Object) error {
	o, err := generic.Conform(c.Service, c.Service.Schema("NodePool"), pool)
	if err != nil {
		return err
	}
	parent, ok := c.Tx.Get(c.KeyOf(cluster))
	if !ok {
		return missing(cluster)
	}
	name := api.String(o, "name")
	path := cluster + "/nodePools/" + name
	if _, there := c.Tx.Get(c.KeyOf(path)); there || name == "" {
		return wire.New(409, "Already exists: %s.", path)
	}
	config := store.Object{"machineType": "e2-medium", "diskSizeGb": 100.0, "diskType": "pd-balanced", "imageType": "COS_CONTAINERD", "serviceAccount": "default",
		"oauthScopes": []any{"https://www.googleapis.com/auth/cloud-platform"}}
	generic.Merge(config, api.Object(o, "config"))
	o["config"] = config
	for field, v := range map[string]any{"locations": parent["locations"], "version": version, "management": store.Object{"autoUpgrade": true, "autoRepair": true},
		"maxPodsConstraint": store.Object{"maxPodsPerNode": "110"}, "upgradeSettings": store.Object{"maxSurge": 1.0}} {
		if o[field] == nil {
			o[field] = v
		}
	}
	o["status"], o["selfLink"] = "RUNNING", "https://container.googleapis.com/v1/"+path
	if err := addNodes(c, path, parent, o); err != nil {
		return err
	}
	c.Tx.Put(c.KeyOf(path), o)
	return nil
}

func createPool(c *api.Call) (*api.Reply, error) {
	cluster := strings.TrimSuffix(c.Path, "/nodePools")
	pool := api.Object(c.Body, "nodePool")
	if err := addPool(c, cluster, pool); err != nil {
		return nil, err
	}
	return api.OK(operation.Start(c, c.Path+"/"+api.String(pool, "name"), nil))
}

func remove(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c.Path)
	}
	if err := removeNodes(c, c.Path, o); err != nil {
		return nil, err
	}
	if err := generic.Remove(c, generic.Hooks{}, c.Path, o); err != nil {
		return nil, err
	}
	return api.OK(operation.Start(c, c.Path, nil))
}

// renamed are the fields of a cluster that an update calls otherwise.
var renamed = map[string]string{"masterVersion": "currentMasterVersion", "nodeVersion": "currentNodeVersion"}

// updateCluster changes what an update wishes for: its desiredX is the cluster's
// x. What is no field of a cluster is not known here.
func updateCluster(c *api.Call) (*api.Reply, error) {
	old, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c.Path)
	}
	wish := api.Object(c.Body, "update")
	if len(wish) == 0 {
		return nil, wire.New(400, "Must specify a field to update.")
	}
	o := store.Clone(old)
	for key, v := range wish {
		name, desired := strings.CutPrefix(key, "desired")
		if name != "" {
			name = string(unicode.ToLower(rune(name[0]))) + name[1:]
		}
		if as := renamed[name]; as != "" {
			name = as
			if v == "latest" || v == "-" {
				v = version
			}
		}
		if !desired || !c.Service.Schema("Cluster").Has(name) {
			return nil, fmt.Errorf("container: an update's %s is not known", key)
		}
		o[name] = v
	}
	c.Tx.Put(c.Key(), o)
	return api.OK(operation.Start(c, c.Path, nil))
}

func setLabels(c *api.Call) (*api.Reply, error) {
	old, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c.Path)
	}
	if f := api.String(c.Body, "labelFingerprint"); f != old["labelFingerprint"] {
		return nil, wire.New(412, "Labels could not be set due to fingerprint mismatch.")
	}
	o := store.Clone(old)
	o["resourceLabels"] = c.Body["resourceLabels"]
	o["labelFingerprint"] = api.Fingerprint(o["resourceLabels"])
	c.Tx.Put(c.Key(), o)
	return api.OK(operation.Start(c, c.Path, nil))
}

func setPool(field, from string) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		old, ok := c.Tx.Get(c.Key())
		if !ok {
			return nil, missing(c.Path)
		}
		o := store.Clone(old)
		o[field] = c.Body[from]
		c.Tx.Put(c.Key(), o)
		return api.OK(operation.Start(c, c.Path, nil))
	}
}

// setSize makes each of a pool's groups as large as said.
func setSize(c *api.Call) (*api.Reply, error) {
	old, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c.Path)
	}
	size, ok := c.Body["nodeCount"].(float64)
	if !ok {
		size = 0 // what is zero is left out
	}
	for _, group := range groups(c, old) {
		if err := compute.ResizeNodes(c, group, int(size)); err != nil {
			return nil, err
		}
	}
	o := store.Clone(old)
	o["initialNodeCount"] = size
	c.Tx.Put(c.Key(), o)
	return api.OK(operation.Start(c, c.Path, nil))
}

func serverConfig(*api.Call) (*api.Reply, error) {
	return api.OK(store.Object{"defaultClusterVersion": version, "validMasterVersions": []any{version}, "validNodeVersions": []any{version},
		"defaultImageType": "COS_CONTAINERD", "validImageTypes": []any{"COS_CONTAINERD", "UBUNTU_CONTAINERD"}})
}
