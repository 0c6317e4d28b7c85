package container

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// nodeImage is what all nodes start from. Source: Kubernetes Engine, "Node
// images", node image source projects.
const nodeImage = "projects/gke-node-images/global/images/gke-13335-gke1080000-cos-121-18867-199-38-c-pre"

// addNodes makes a pool's nodes, in each of its zones a managed instance group
// with a template of its own, and says in the pool where they are. The nodes of
// an autopilot cluster are not the project's.
func addNodes(c *api.Call, path string, cluster, pool store.Object) error {
	if api.Bool(cluster, "autopilot.enabled") {
		return nil
	}
	size, _ := pool["initialNodeCount"].(float64)
	urls := []any{}
	for _, zone := range api.Texts(pool["locations"]) {
		name := fmt.Sprintf("gke-%s-%s-%08x", cut(api.String(cluster, "name")), cut(api.String(pool, "name")), uint32(c.Tx.ID()))
		group, err := compute.AddNodes(c, compute.NodeGroup{Zone: zone, Name: name, Properties: properties(c, cluster, pool), Size: int(size)})
		if err != nil {
			return fmt.Errorf("nodes of %s: %w", path, err)
		}
		urls = append(urls, api.Link(group))
	}
	pool["instanceGroupUrls"] = urls
	return nil
}

// addresses tells where a cluster is in its network: by path, and for one whose
// pods have addresses of the subnetwork's secondary ranges, which those are.
func addresses(c *api.Call, cluster store.Object) {
	location := api.String(cluster, "location")
	region := location
	if strings.Count(location, "-") == 2 {
		region = location[:strings.LastIndexByte(location, '-')]
	}
	config := api.Object(cluster, "networkConfig")
	if config == nil {
		config = store.Object{}
		cluster["networkConfig"] = config
	}
	for field, kind := range map[string]string{"network": "global/networks/", "subnetwork": "regions/" + region + "/subnetworks/"} {
		named := api.String(cluster, field)
		if !strings.Contains(named, "/") {
			named = kind + named
		}
		if path, ok := api.Relative(named, c.Project.ID); ok {
			config[field] = path
			cluster[field] = path[strings.LastIndexByte(path, '/')+1:]
		}
	}
	policy := api.Object(cluster, "ipAllocationPolicy")
	if policy == nil {
		return
	}
	subnet, _ := c.Tx.Get("compute/" + api.String(config, "subnetwork"))
	for _, r := range api.List(subnet, "secondaryIpRanges") {
		switch r["rangeName"] {
		case policy["clusterSecondaryRangeName"]:
			policy["clusterIpv4CidrBlock"], cluster["clusterIpv4Cidr"] = r["ipCidrRange"], r["ipCidrRange"]
		case policy["servicesSecondaryRangeName"]:
			policy["servicesIpv4CidrBlock"], cluster["servicesIpv4Cidr"] = r["ipCidrRange"], r["ipCidrRange"]
		}
	}
}

// cut shortens a name, so that those of nodes fit into 63 characters.
func cut(name string) string { return strings.TrimRight(name[:min(len(name), 16)], "-") }

// properties are those of a pool's instances: what the pool says, and what a
// node must know of its cluster.
func properties(c *api.Call, cluster, pool store.Object) store.Object {
	config := api.Object(pool, "config")
	name, location := api.String(cluster, "name"), api.String(cluster, "location")
	id := api.String(cluster, "id")
	disk := store.Object{"sourceImage": "https://www.googleapis.com/compute/v1/" + nodeImage, "diskType": config["diskType"]}
	if size, ok := config["diskSizeGb"].(float64); ok {
		disk["diskSizeGb"] = strconv.Itoa(int(size))
	}
	labels := store.Object{"goog-gke-node": "", "goog-k8s-cluster-name": name, "goog-k8s-cluster-location": location, "goog-k8s-node-pool-name": pool["name"]}
	maps.Copy(labels, api.Object(config, "resourceLabels"))
	metadata := map[string]string{"cluster-name": name, "cluster-location": location, "cluster-uid": id, "kube-labels": kubeLabels(pool),
		"kube-env": fmt.Sprintf("CLUSTER_NAME: %s\nKUBERNETES_MASTER_NAME: %s\nCA_CERT: %s\n", name, api.String(cluster, "endpoint"), api.String(cluster, "masterAuth.clusterCaCertificate"))}
	for key, v := range api.Object(config, "metadata") {
		if s, ok := v.(string); ok {
			metadata[key] = s
		}
	}
	items := []any{}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		items = append(items, store.Object{"key": key, "value": metadata[key]})
	}
	nic := store.Object{}
	for _, field := range []string{"network", "subnetwork"} {
		if path := api.String(cluster, "networkConfig."+field); path != "" {
			nic[field] = api.Link(path)
		}
	}
	if !api.Bool(cluster, "privateClusterConfig.enablePrivateNodes") {
		nic["accessConfigs"] = []any{store.Object{"type": "ONE_TO_ONE_NAT", "name": "external-nat"}}
	}
	tags := []any{fmt.Sprintf("gke-%s-%s-node", cut(name), id[:8])}
	for _, t := range api.Texts(config["tags"]) {
		tags = append(tags, t)
	}
	o := store.Object{
		"machineType": config["machineType"], "canIpForward": true, "labels": labels, "tags": store.Object{"items": tags}, "metadata": store.Object{"items": items},
		"disks":             []any{store.Object{"boot": true, "autoDelete": true, "initializeParams": disk}},
		"networkInterfaces": []any{nic},
		"serviceAccounts":   []any{store.Object{"email": config["serviceAccount"], "scopes": config["oauthScopes"]}},
	}
	if api.Bool(config, "preemptible") || api.Bool(config, "spot") {
		o["scheduling"] = store.Object{"preemptible": true, "automaticRestart": false, "onHostMaintenance": "TERMINATE"}
	}
	return o
}

// kubeLabels are the labels that a node gives itself in the cluster.
func kubeLabels(pool store.Object) string {
	labels := []string{"cloud.google.com/gke-nodepool=" + api.String(pool, "name")}
	given := api.Object(pool, "config.labels")
	for _, key := range slices.Sorted(maps.Keys(given)) {
		labels = append(labels, fmt.Sprintf("%s=%v", key, given[key]))
	}
	return strings.Join(labels, ",")
}

// groups are the paths of the managers of a pool's groups.
func groups(c *api.Call, pool store.Object) []string {
	var paths []string
	for _, link := range api.Texts(pool["instanceGroupUrls"]) {
		if path, ok := api.Relative(link, c.Project.ID); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

// removeNodes takes a pool's nodes away, or those of all pools of a cluster.
func removeNodes(c *api.Call, path string, o store.Object) error {
	gone := groups(c, o)
	for _, pool := range c.Tx.Scan(c.KeyOf(path) + "/nodePools/") {
		gone = append(gone, groups(c, pool)...)
	}
	for _, group := range gone {
		if err := compute.RemoveNodes(c, group); err != nil {
			return err
		}
	}
	return nil
}
