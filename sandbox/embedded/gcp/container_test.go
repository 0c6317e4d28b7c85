package gcp_test

import (
	"testing"

	"google.golang.org/api/compute/v1"
	"google.golang.org/api/container/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

func TestCluster(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	_, token := principal(t, g)
	c := must[*container.Service](t)(container.NewService(t.Context(), as(g, token))).Projects.Locations
	location := parent + "/locations/us-west1"
	request := &container.CreateClusterRequest{Cluster: &container.Cluster{Name: "k", InitialNodeCount: 1}}
	_, err := c.Clusters.Create(location, request).Do()
	refused(t, err, 403, `Required "container.clusters.create" permission(s) for "projects/`+project+`".`)
	grant(t, operator, "container.clusters.create", "container.clusters.get", "container.clusters.update", "container.operations.get", "container.clusters.list")
	own := &container.CreateClusterRequest{Cluster: &container.Cluster{Name: "k", InitialNodeCount: 1, NodeConfig: &container.NodeConfig{ServiceAccount: "probe-account@" + project + ".iam.gserviceaccount.com"}}}
	_, err = c.Clusters.Create(location, own).Do()
	refused(t, err, 400, "does not have access to service account")
	op := must[*container.Operation](t)(c.Clusters.Create(location, request).Do())
	if op.Status != "PENDING" || op.OperationType != "CREATE_CLUSTER" {
		t.Errorf("the operation is %+v", op)
	}
	if op = must[*container.Operation](t)(c.Operations.Get(location + "/operations/" + op.Name).Do()); op.Status != "DONE" {
		t.Errorf("the operation is %+v", op)
	}
	_, err = c.Clusters.Create(location, request).Do()
	refused(t, err, 409, "Already exists")
	must[*container.Operation](t)(c.Clusters.NodePools.Create(location+"/clusters/k", &container.CreateNodePoolRequest{NodePool: &container.NodePool{Name: "more", InitialNodeCount: 2}}).Do())
	must[*container.Operation](t)(c.Clusters.Update(location+"/clusters/k", &container.UpdateClusterRequest{Update: &container.ClusterUpdate{DesiredLoggingService: "none"}}).Do())
	k := must[*container.Cluster](t)(c.Clusters.Get(location + "/clusters/k").Do())
	if k.Status != "RUNNING" || len(k.NodePools) != 2 || k.CurrentNodeCount != 9 || k.LoggingService != "none" || k.MasterAuth.ClusterCaCertificate == "" || len(k.Locations) != 3 {
		t.Errorf("the cluster is %+v", k)
	}
	if all := must[*container.ListClustersResponse](t)(c.Clusters.List(parent + "/locations/-").Do()); len(all.Clusters) != 1 || len(all.Clusters[0].NodePools) != 2 {
		t.Errorf("the clusters are %+v", all.Clusters)
	}
	if pools := must[*container.ListNodePoolsResponse](t)(c.Clusters.NodePools.List(location + "/clusters/k").Do()); len(pools.NodePools) != 2 {
		t.Errorf("the pools are %+v", pools.NodePools)
	}
	_, err = c.Clusters.Delete(location + "/clusters/k").Do()
	refused(t, err, 403, "container.clusters.delete")
	root := must[*container.Service](t)(container.NewService(t.Context(), as(g, g.Operator()))).Projects.Locations
	must[*container.Operation](t)(root.Clusters.Delete(location + "/clusters/k").Do())
	_, err = root.Clusters.NodePools.Get(location + "/clusters/k/nodePools/more").Do()
	refused(t, err, 404, "Not found")
}

// A pool's nodes are instances of the project, in a managed group of each zone,
// which who makes the cluster needs no right to make; they come and go with the
// pool, its size and the group.
func TestNodes(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	probe, token := principal(t, g, "container.clusters.create", "container.clusters.get", "container.clusters.update", "container.clusters.delete")
	c := must[*container.Service](t)(container.NewService(t.Context(), as(g, token))).Projects.Locations.Clusters
	location := parent + "/locations/us-west1-a"
	must[*container.Operation](t)(c.Create(location, &container.CreateClusterRequest{Cluster: &container.Cluster{Name: "k", NodePools: []*container.NodePool{
		{Name: "base", InitialNodeCount: 2, Config: &container.NodeConfig{MachineType: "e2-standard-2", DiskSizeGb: 50, Tags: []string{"k-node"}, ResourceLabels: map[string]string{"team": "a"}}},
	}}}).Do())
	nodes := func() []*compute.Instance {
		t.Helper()
		return must[*compute.InstanceList](t)(operator.compute.Instances.List(project, "us-west1-a").Do()).Items
	}
	k := must[*container.Cluster](t)(c.Get(location + "/clusters/k").Do())
	if len(k.NodePools) != 1 || len(k.NodePools[0].InstanceGroupUrls) != 1 || k.CurrentNodeCount != 2 || k.NetworkConfig.Network != parent+"/global/networks/default" {
		t.Fatalf("the cluster is %+v", k)
	}
	group := last(k.NodePools[0].InstanceGroupUrls[0])
	_, err := probe.compute.InstanceGroupManagers.Get(project, "us-west1-a", group).Do()
	refused(t, err, 403, "compute.instanceGroupManagers.get")
	igm := must[*compute.InstanceGroupManager](t)(operator.compute.InstanceGroupManagers.Get(project, "us-west1-a", group).Do())
	template := must[*compute.InstanceTemplate](t)(operator.compute.InstanceTemplates.Get(project, last(igm.InstanceTemplate)).Do())
	p := template.Properties
	if p.MachineType != "e2-standard-2" || p.Disks[0].InitializeParams.DiskSizeGb != 50 || p.Labels["team"] != "a" || p.Labels["goog-k8s-cluster-name"] != "k" || len(p.Tags.Items) != 2 {
		t.Errorf("the template is %+v", p)
	}
	made := nodes()
	if len(made) != 2 || made[0].Status != "RUNNING" || last(made[0].MachineType) != "e2-standard-2" || len(made[0].NetworkInterfaces[0].AccessConfigs) != 1 {
		t.Fatalf("the nodes are %+v", made)
	}
	must[*container.Operation](t)(c.NodePools.SetSize(location+"/clusters/k/nodePools/base", &container.SetNodePoolSizeRequest{NodeCount: 3}).Do())
	if n := len(nodes()); n != 3 {
		t.Errorf("%d nodes after the pool was made larger", n)
	}
	operator.done(t)(operator.compute.InstanceGroupManagers.DeleteInstances(project, "us-west1-a", group, &compute.InstanceGroupManagersDeleteInstancesRequest{Instances: []string{made[0].SelfLink}}).Do())
	if k := must[*container.Cluster](t)(c.Get(location + "/clusters/k").Do()); len(nodes()) != 2 || k.CurrentNodeCount != 2 {
		t.Errorf("%d nodes after one was deleted, of which the cluster has %d", len(nodes()), k.CurrentNodeCount)
	}
	_, err = operator.compute.Networks.Delete(project, "default").Do()
	refused(t, err, 400, "already being used")
	must[*container.Operation](t)(c.Delete(location + "/clusters/k").Do())
	templates := must[*compute.InstanceTemplateList](t)(operator.compute.InstanceTemplates.List(project).Do())
	if n := len(nodes()); n != 0 || len(templates.Items) != 0 {
		t.Errorf("%d nodes and %d templates are left of the cluster", n, len(templates.Items))
	}
}
