package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
)

// castai is the example of a GKE cluster whose nodes a controller adds and takes
// away; beside it is its record, of a verified run under the names that its
// whittle.yaml gives.
const (
	castai       = "../../docs/examples/castai-gke/whittle.yaml"
	castaiRecord = "../../docs/examples/castai-gke/whittle.lock.json"
)

// castaiStack copies an example of a controller of nodes, and has it use the program
// that is built here in place of the one on PATH.
func castaiStack(t *testing.T, stack string) string {
	t.Helper()
	nodes := built(t, "./docs/examples/"+filepath.Base(filepath.Dir(stack))+"/nodes")
	return stackCopy(t, stack, func(text string) string {
		edited := strings.ReplaceAll(text, "command: [nodes,", "command: ["+nodes+",")
		if edited == text {
			t.Fatal("the example does not call what it did")
		}
		return edited
	})
}

// A planner reads, and an update changes the cluster in its place.
func TestProbeCastAI(t *testing.T) {
	t.Parallel()
	p := asRecorded(t, castaiStack(t, castai), "cluster=beta", castaiRecord)
	for _, s := range p.rec.Steps {
		for _, e := range s.Grants {
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			// The pool is made larger in its place: a cluster that the sandbox
			// reads back as another than it was made is replaced.
			if s.Name == "update" && slices.Contains([]string{"container.clusters.create", "container.clusters.delete"}, e.Permission) {
				t.Errorf("the update needs %s", e.Permission)
			}
		}
	}
}

func TestProbeCastAIOpen(t *testing.T) {
	t.Parallel()
	failsOpen(t, castaiStack(t, castai))
}

// With conditions the controller holds what it does to instances, disks and templates
// on names that begin as the cluster's do: both it and GKE make up an end for each.
func TestProbeCastAIScoped(t *testing.T) {
	t.Parallel()
	stack := stackCopy(t, castaiStack(t, castai), func(text string) string { return "conditions: true\n" + text })
	p, err := probeStack(t, stack, "--no-reference", "--name", "cluster=beta")
	if err != nil {
		t.Fatal(err)
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
	placed, clusters := 0, 0
	for _, s := range p.rec.Steps {
		if s.Role != "controller" {
			continue
		}
		for _, e := range s.Grants {
			if attribute.OnAccount(e.Permission) && e.Resource != "//iam.googleapis.com/projects/{project}/serviceAccounts/{cluster}-nodes@{project}.iam.gserviceaccount.com" {
				t.Errorf("step %s: %s on %s", s.Name, e.Permission, e.Resource)
			}
			if attribute.Why(e.Permission) != "" {
				continue
			}
			placed++
			if strings.HasPrefix(e.Permission, "container.clusters.") {
				clusters++
				if e.Condition != `{"within":{"resource.name":"projects/{project}/zones/us-west1-a/clusters/{cluster}"}}` {
					t.Errorf("step %s: %s on %s if %s", s.Name, e.Permission, e.Resource, e.Condition)
				}
				continue
			}
			if !strings.HasPrefix(e.Condition, `{"startsWith":{"resource.name":"projects/{project}/`) || !strings.Contains(e.Condition, "{cluster}-") {
				t.Errorf("step %s: %s on %s if %s", s.Name, e.Permission, e.Resource, e.Condition)
			}
		}
	}
	d := p.sum.Decoys
	if placed < 10 || clusters == 0 || d == nil || d.Requests < 10 {
		t.Errorf("%d grants are placed, %d on the cluster, decoys %+v", placed, clusters, d)
	}
}
