package moto

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What stands beside a cluster is made, changed, tagged and taken away with
// Terraform's own calls.
func TestKubernetes(t *testing.T) {
	h := start(t)
	ask := func(method, path, body string, status int, parts ...string) string {
		t.Helper()
		got, text, err := h.ask(t.Context(), "eks", "us-east-1", method, hostname("eks", "us-east-1"), path, http.Header{"Content-Type": {"application/json"}}, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s %s: %q is not in %s", method, path, part, text)
			}
		}
		if got != status {
			t.Errorf("%s %s: %d %s; want %d", method, path, got, text, status)
		}
		return string(text)
	}
	update := func(method, path, body string) {
		t.Helper()
		var answer struct{ Update struct{ ID string } }
		text := ask(method, path, body, 200)
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		ask("GET", "/clusters/c/updates/"+answer.Update.ID, "", 200, `"Successful"`)
	}
	_, rest, _ := strings.Cut(send(t, h, "DescribeSubnets", ""), "<subnetId>")
	subnet, _, _ := strings.Cut(rest, "<")
	var made struct {
		Cluster struct {
			ResourcesVpcConfig struct{ ClusterSecurityGroupID, VpcID string }
		}
	}
	text := ask("POST", "/clusters", `{"name":"c","version":"1.31","roleArn":"arn:aws:iam::123456789012:role/r","resourcesVpcConfig":{"subnetIds":["`+subnet+`"]},"accessConfig":{"authenticationMode":"API"}}`, 200, `"authenticationMode": "API"`)
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	group := made.Cluster.ResourcesVpcConfig.ClusterSecurityGroupID
	send(t, h, "DescribeSecurityGroups", "&GroupId.1="+group)

	update("POST", "/clusters/c/updates", `{"version":"1.32"}`)
	update("POST", "/clusters/c/update-config", `{"resourcesVpcConfig":{"endpointPrivateAccess":true}}`)
	ask("GET", "/clusters/c", "", 200, `"version": "1.32"`, `"endpointPrivateAccess": true`, subnet, group)

	nodes := ask("POST", "/clusters/c/node-groups", `{"nodegroupName":"n","nodeRole":"arn:aws:iam::123456789012:role/r","subnets":["`+subnet+`"],"updateConfig":{"maxUnavailable":2}}`, 200,
		`"maxUnavailable": 2`, `"version": "1.32"`)
	if strings.Contains(nodes, "eksKeypair") || strings.Contains(nodes, "remoteAccessSecurityGroup") {
		t.Errorf("remote access that nobody asked for: %s", nodes)
	}
	update("POST", "/clusters/c/node-groups/n/update-version", `{"version":"1.33"}`)
	ask("DELETE", "/clusters/c/node-groups/n", "", 200, `"version": "1.33"`)

	var addon struct{ Addon struct{ AddonArn string } }
	if err := json.Unmarshal([]byte(ask("POST", "/clusters/c/addons", `{"addonName":"vpc-cni","tags":{"a":"b"}}`, 200, "eksbuild")), &addon); err != nil {
		t.Fatal(err)
	}
	ask("POST", "/clusters/c/addons", `{"addonName":"vpc-cni"}`, 409)
	ask("POST", "/clusters/c/addons", `{"addonName":"no-such"}`, 400)
	ask("GET", "/addons/supported-versions?addonName=coredns&kubernetesVersion=1.32", "", 200, `"coredns"`, `"1.32"`)
	update("POST", "/clusters/c/addons/vpc-cni/update", `{"configurationValues":"{}"}`)
	tags := "/tags/" + url.PathEscape(addon.Addon.AddonArn)
	ask("POST", tags, `{"tags":{"c":"d"}}`, 200)
	ask("DELETE", tags+"?tagKeys=a", "", 200)
	ask("GET", "/clusters/c/addons/vpc-cni", "", 200, `"configurationValues": "{}"`, `"tags": {"c": "d"}`)

	const role = "arn:aws:iam::123456789012:role/path/admin"
	ask("POST", "/clusters/c/access-entries", `{"principalArn":"`+role+`"}`, 200, "access-entry/c/role/123456789012/admin/")
	entry := "/clusters/c/access-entries/" + url.PathEscape(role)
	ask("POST", entry, `{"kubernetesGroups":["g"]}`, 200, `"g"`)
	const policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	ask("POST", entry+"/access-policies", `{"policyArn":"`+policy+`","accessScope":{"type":"cluster"}}`, 200)
	ask("GET", entry+"/access-policies", "", 200, policy)
	ask("DELETE", entry+"/access-policies/"+url.PathEscape(policy), "", 200)
	ask("DELETE", entry+"/access-policies/"+url.PathEscape(policy), "", 404)
	ask("DELETE", entry, "", 200)
	ask("GET", entry, "", 404, "No such access entr")

	var pod struct {
		Association struct{ AssociationID string }
	}
	if err := json.Unmarshal([]byte(ask("POST", "/clusters/c/pod-identity-associations", `{"namespace":"n","serviceAccount":"s","roleArn":"`+role+`"}`, 200)), &pod); err != nil {
		t.Fatal(err)
	}
	id := "/clusters/c/pod-identity-associations/" + pod.Association.AssociationID
	ask("POST", id, `{"roleArn":"`+role+`2"}`, 200, role+"2")
	ask("GET", "/clusters/c/pod-identity-associations?namespace=n", "", 200, pod.Association.AssociationID)
	ask("GET", "/clusters/c/pod-identity-associations?namespace=m", "", 200, `[]`)
	ask("DELETE", id, "", 200)
	ask("GET", id, "", 404)

	update("POST", "/clusters/c/identity-provider-configs/associate", `{"oidc":{"identityProviderConfigName":"p","issuerUrl":"https://i","clientId":"x"}}`)
	ask("POST", "/clusters/c/identity-provider-configs/describe", `{"identityProviderConfig":{"type":"oidc","name":"p"}}`, 200, `"ACTIVE"`)
	update("POST", "/clusters/c/identity-provider-configs/disassociate", `{"identityProviderConfig":{"type":"oidc","name":"p"}}`)

	ask("DELETE", "/clusters/c/addons/vpc-cni", "", 200)
	ask("GET", "/clusters/c/addons/vpc-cni", "", 404)
	ask("DELETE", "/clusters/c", "", 200)
	if left := send(t, h, "DescribeSecurityGroups", ""); strings.Contains(left, group) {
		t.Errorf("the cluster's security group is left: %s", group)
	}
}
