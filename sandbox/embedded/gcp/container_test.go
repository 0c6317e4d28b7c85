package gcp_test

import (
	"testing"

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
	if k.Status != "RUNNING" || len(k.NodePools) != 2 || k.CurrentNodeCount != 3 || k.LoggingService != "none" || k.MasterAuth.ClusterCaCertificate == "" || len(k.Locations) != 3 {
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
