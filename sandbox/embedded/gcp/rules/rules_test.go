package rules

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
)

// Every row is of a method that there is, and cites a source that there is.
func TestTable(t *testing.T) {
	table, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range table.order {
		if route.ByID(method) == nil && !strings.HasPrefix(method, "docker.") && !strings.HasPrefix(method, "tunnel.") {
			t.Errorf("there is no method %s", method)
		}
		for _, row := range table.rows[method] {
			function, _, _ := strings.Cut(row.Resource, "(")
			if !strings.Contains(" self parent project ref was account named named-query query made group instances disks labelled subnet external addresses bucket object destination source ", " "+function+" ") {
				t.Errorf("%s: there is no resource %q", method, row.Resource)
			}
		}
	}
	for collection := range table.collections {
		service, name, _ := strings.Cut(collection, ".")
		found := false
		for _, m := range route.Methods() {
			found = found || m.Service.Name == service && m.Collection() == name
		}
		if !found {
			t.Errorf("there is no collection %s", collection)
		}
	}
}

func TestPermission(t *testing.T) {
	for id, want := range map[string]string{
		"compute.firewalls.insert":                                   "compute.firewalls.create",
		"compute.regionInstanceGroupManagers.delete":                 "compute.instanceGroupManagers.delete",
		"compute.globalAddresses.list":                               "compute.globalAddresses.list",
		"iam.projects.serviceAccounts.keys.create":                   "iam.serviceAccountKeys.create",
		"cloudresourcemanager.projects.getIamPolicy":                 "resourcemanager.projects.getIamPolicy",
		"certificatemanager.projects.locations.certificateMaps.list": "certificatemanager.certmaps.list",
		"storage.projects.hmacKeys.create":                           "storage.hmacKeys.create",
		// Verbs of one service, and of one collection.
		"compute.targetPools.getHealth":                                        "compute.targetPools.get",
		"compute.regionInstanceGroupManagers.deleteInstances":                  "compute.instanceGroupManagers.update",
		"compute.instanceGroupManagerResizeRequests.insert":                    "compute.instanceGroupManagers.update",
		"compute.regionNetworkFirewallPolicies.addAssociation":                 "compute.regionFirewallPolicies.use",
		"compute.disks.bulkInsert":                                             "compute.disks.create",
		"container.projects.locations.clusters.setLogging":                     "container.clusters.update",
		"container.projects.locations.clusters.nodePools.list":                 "container.clusters.get",
		"artifactregistry.projects.locations.repositories.aptArtifacts.upload": "artifactregistry.aptartifacts.create",
	} {
		if got := Permission(route.ByID(id)); got != want {
			t.Errorf("%s checks %s, want %s", id, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb":                "columns",
		"a\tb\tself\t-\tnone": "no source",
		"!source\ts\tx\na\tb\tself\t-\ts\na\tb\tself\t-\ts": "has rows already",
		"!source\ts\tx\na\tas b\t-\t-\ts":                   "no rows",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
}
