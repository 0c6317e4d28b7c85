package gcp_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	crm "google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/compute/v1"
	iamapi "google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

func tokenOf(t *testing.T, g *gcp.Gate, email string) string {
	t.Helper()
	s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, g.Operator())))
	r := must[*iamcredentials.GenerateAccessTokenResponse](t)(s.Projects.ServiceAccounts.GenerateAccessToken("projects/-/serviceAccounts/"+email,
		&iamcredentials.GenerateAccessTokenRequest{Scope: []string{"https://www.googleapis.com/auth/cloud-platform"}, Lifetime: "600s"}).Do())
	return r.AccessToken
}

// A network is made, waited for, read back, changed, used, and not deleted
// while it is in use.
func TestNetwork(t *testing.T) {
	g := start(t, gcp.Config{Polls: 3})
	c := connect(t, g, g.Operator())
	op := must[*compute.Operation](t)(c.compute.Networks.Insert(project, &compute.Network{Name: "net", AutoCreateSubnetworks: false, ForceSendFields: []string{"AutoCreateSubnetworks"}}).Do())
	var seen []string
	for op.Status != "DONE" {
		seen = append(seen, op.Status)
		op = must[*compute.Operation](t)(c.compute.GlobalOperations.Get(project, op.Name).Do())
	}
	if got := strings.Join(seen, " "); got != "PENDING RUNNING RUNNING" {
		t.Errorf("the operation went through %s", got)
	}
	n := must[*compute.Network](t)(c.compute.Networks.Get(project, "net").Do())
	if n.Kind != "compute#network" || n.Id == 0 || n.RoutingConfig.RoutingMode != "REGIONAL" || n.AutoCreateSubnetworks || n.Id != op.TargetId {
		t.Errorf("the network is %+v", n)
	}
	_, err := c.compute.Networks.Insert(project, &compute.Network{Name: "net"}).Do()
	refused(t, err, 409, "The resource 'projects/"+project+"/global/networks/net' already exists", "alreadyExists")
	_, err = c.compute.Networks.Get(project, "other").Do()
	refused(t, err, 404, "was not found", "notFound")

	c.done(t)(c.compute.Subnetworks.Insert(project, "us-central1", &compute.Subnetwork{Name: "sub", Network: "projects/" + project + "/global/networks/net", IpCidrRange: "10.0.0.0/24"}).Do())
	sub := must[*compute.Subnetwork](t)(c.compute.Subnetworks.Get(project, "us-central1", "sub").Do())
	if sub.Network != n.SelfLink || sub.GatewayAddress != "10.0.0.1" || sub.Region == "" || sub.Fingerprint == "" {
		t.Errorf("the subnetwork is %+v", sub)
	}
	_, err = c.compute.Subnetworks.Patch(project, "us-central1", "sub", &compute.Subnetwork{PrivateIpGoogleAccess: true, Fingerprint: "AAAAAAAAAAA="}).Do()
	refused(t, err, 412, "Invalid fingerprint.")
	c.done(t)(c.compute.Subnetworks.Patch(project, "us-central1", "sub", &compute.Subnetwork{PrivateIpGoogleAccess: true, Fingerprint: sub.Fingerprint}).Do())
	again := must[*compute.Subnetwork](t)(c.compute.Subnetworks.Get(project, "us-central1", "sub").Do())
	if !again.PrivateIpGoogleAccess || again.Fingerprint == sub.Fingerprint || again.Id != sub.Id {
		t.Errorf("the patched subnetwork is %+v", again)
	}
	_, err = c.compute.Networks.Delete(project, "net").Do()
	refused(t, err, 400, "The network resource 'projects/"+project+"/global/networks/net' is already being used by 'projects/"+project+"/regions/us-central1/subnetworks/sub'", "resourceInUseByAnotherResource")
	c.done(t)(c.compute.Subnetworks.Delete(project, "us-central1", "sub").Do())
	c.done(t)(c.compute.Networks.Delete(project, "net").Do())
	_, err = c.compute.Networks.Get(project, "net").Do()
	refused(t, err, 404, "was not found")
}

// The firewall's refusal names both permissions; each is granted, and the gate
// lets through no sooner.
func TestRefusal(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	c, _ := principal(t, g, "compute.zones.list")
	rule := &compute.Firewall{Name: "fw", Allowed: []*compute.FirewallAllowed{{IPProtocol: "tcp"}}, Network: "global/networks/default"}
	_, err := c.compute.Firewalls.Insert(project, rule).Do()
	e := refused(t, err, 403, "Required 'compute.firewalls.create' permission for 'projects/"+project+"/global/firewalls/fw'")
	if len(e.Errors) != 2 || e.Errors[1].Message != "Required 'compute.networks.updatePolicy' permission for 'projects/"+project+"/global/networks/default'" {
		t.Errorf("the errors are %+v", e.Errors)
	}
	grant(t, operator, "compute.firewalls.create")
	_, err = c.compute.Firewalls.Insert(project, rule).Do()
	refused(t, err, 403, "Required 'compute.networks.updatePolicy' permission")
	grant(t, operator, "compute.firewalls.create", "compute.networks.updatePolicy")
	op := must[*compute.Operation](t)(c.compute.Firewalls.Insert(project, rule).Do())
	_, err = c.compute.GlobalOperations.Get(project, op.Name).Do()
	refused(t, err, 403, "Required 'compute.globalOperations.get' permission for 'projects/"+project+"/global/operations/"+op.Name)
	if _, err := c.compute.Zones.List(project).Do(); err == nil {
		t.Error("zones are listed without the permission")
	}
	_, err = c.compute.Firewalls.Get("another-project", "fw").Do()
	refused(t, err, 403, "Required 'compute.firewalls.get' permission for 'projects/another-project/global/firewalls/fw'")
	if n := g.Ledger().Stats()["compute.firewalls.insert"]; n.Allowed != 1 || n.Refused != 2 {
		t.Errorf("counted %+v", n)
	}
}

func TestOpen(t *testing.T) {
	g := start(t, gcp.Config{Open: true})
	c, _ := principal(t, g)
	if _, err := c.compute.Zones.List(project).Do(); err != nil {
		t.Errorf("the gate is open, and refuses: %v", err)
	}
	stranger := connect(t, g, "ya29.unknown")
	_, err := stranger.compute.Zones.List(project).Do()
	refused(t, err, 401, "invalid authentication credentials", "ACCESS_TOKEN_TYPE_UNSUPPORTED")
}

// Without .use and .actAs of what an instance names, it is not made.
func TestInstanceNeeds(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	runner := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "runner-account"}).Do())
	value := "hello"
	vm := &compute.Instance{
		Name: "vm", MachineType: "zones/us-central1-a/machineTypes/e2-small",
		Disks:             []*compute.AttachedDisk{{Boot: true, AutoDelete: true, InitializeParams: &compute.AttachedDiskInitializeParams{SourceImage: "projects/debian-cloud/global/images/family/debian-11"}}},
		NetworkInterfaces: []*compute.NetworkInterface{{Network: "global/networks/default", AccessConfigs: []*compute.AccessConfig{{}}}},
		Metadata:          &compute.Metadata{Items: []*compute.MetadataItems{{Key: "k", Value: &value}}}, Tags: &compute.Tags{Items: []string{"t"}},
		Labels: map[string]string{"a": "b"}, ServiceAccounts: []*compute.ServiceAccount{{Email: runner.Email}},
	}
	want := []string{"compute.instances.create", "compute.disks.create", "compute.subnetworks.use", "compute.subnetworks.useExternalIp",
		"compute.instances.setMetadata", "compute.instances.setTags", "compute.instances.setLabels", "compute.instances.setServiceAccount"}
	c, _ := principal(t, g)
	_, err := c.compute.Instances.Insert(project, "us-central1-a", vm).Do()
	e := refused(t, err, 403, "Required 'compute.instances.create' permission for 'projects/"+project+"/zones/us-central1-a/instances/vm'")
	var named []string
	for _, item := range e.Errors {
		named = append(named, strings.Split(item.Message, "'")[1])
	}
	if strings.Join(named, " ") != strings.Join(want, " ") {
		t.Errorf("named %v\nwant  %v", named, want)
	}
	grant(t, operator, want...)
	_, err = c.compute.Instances.Insert(project, "us-central1-a", vm).Do()
	refused(t, err, 400, "The user does not have access to service account '"+runner.Email+"'")
	grant(t, operator, append(want, "iam.serviceAccounts.actAs")...)
	if _, err = c.compute.Instances.Insert(project, "us-central1-a", vm).Do(); err != nil {
		t.Fatal(err)
	}
	made := must[*compute.Instance](t)(operator.compute.Instances.Get(project, "us-central1-a", "vm").Do())
	if made.Status != "RUNNING" || made.NetworkInterfaces[0].NetworkIP == "" || made.NetworkInterfaces[0].AccessConfigs[0].NatIP == "" {
		t.Errorf("the instance is %+v", made)
	}
	disk := must[*compute.Disk](t)(operator.compute.Disks.Get(project, "us-central1-a", "vm").Do())
	if len(disk.Users) != 1 || disk.Users[0] != made.SelfLink || !strings.Contains(disk.SourceImage, "debian-11-bullseye") {
		t.Errorf("the disk is %+v", disk)
	}
	_, err = operator.compute.Disks.Delete(project, "us-central1-a", "vm").Do()
	refused(t, err, 400, "is already being used by", "resourceInUseByAnotherResource")
	operator.done(t)(operator.compute.Instances.Delete(project, "us-central1-a", "vm").Do())
	_, err = operator.compute.Disks.Get(project, "us-central1-a", "vm").Do()
	refused(t, err, 404, "was not found")
}

func TestInstanceGroup(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	c := connect(t, g, g.Operator())
	template := func(name, machine string) string {
		c.done(t)(c.compute.InstanceTemplates.Insert(project, &compute.InstanceTemplate{Name: name, Properties: &compute.InstanceProperties{
			MachineType: machine, NetworkInterfaces: []*compute.NetworkInterface{{Network: "global/networks/default"}},
			Disks: []*compute.AttachedDisk{{Boot: true, AutoDelete: true, InitializeParams: &compute.AttachedDiskInitializeParams{SourceImage: "projects/debian-cloud/global/images/family/debian-11"}}},
		}}).Do())
		return "projects/" + project + "/global/instanceTemplates/" + name
	}
	first, second := template("t1", "e2-small"), template("t2", "e2-medium")
	c.done(t)(c.compute.InstanceGroupManagers.Insert(project, "us-central1-a", &compute.InstanceGroupManager{
		Name: "mig", BaseInstanceName: "node", TargetSize: 2, InstanceTemplate: first, NamedPorts: []*compute.NamedPort{{Name: "http", Port: 80}},
		UpdatePolicy: &compute.InstanceGroupManagerUpdatePolicy{Type: "PROACTIVE"},
	}).Do())
	count := func() int {
		return len(must[*compute.InstanceList](t)(c.compute.Instances.List(project, "us-central1-a").Filter("name eq node-.*").Do()).Items)
	}
	mig := must[*compute.InstanceGroupManager](t)(c.compute.InstanceGroupManagers.Get(project, "us-central1-a", "mig").Do())
	group := must[*compute.InstanceGroup](t)(c.compute.InstanceGroups.Get(project, "us-central1-a", "mig").Do())
	if count() != 2 || group.Size != 2 || mig.InstanceGroup != group.SelfLink || !mig.Status.IsStable {
		t.Errorf("%d instances, group %+v", count(), group)
	}
	if len(mig.NamedPorts) != 1 || len(group.NamedPorts) != 1 {
		t.Errorf("named ports of the manager %v, of the group %v", mig.NamedPorts, group.NamedPorts)
	}
	c.done(t)(c.compute.InstanceGroups.SetNamedPorts(project, "us-central1-a", "mig", &compute.InstanceGroupsSetNamedPortsRequest{NamedPorts: []*compute.NamedPort{{Name: "a", Port: 1}, {Name: "b", Port: 2}}}).Do())
	if mig := must[*compute.InstanceGroupManager](t)(c.compute.InstanceGroupManagers.Get(project, "us-central1-a", "mig").Do()); len(mig.NamedPorts) != 2 {
		t.Errorf("named ports of the manager %v", mig.NamedPorts)
	}
	_, err := c.compute.InstanceTemplates.Delete(project, "t1").Do()
	refused(t, err, 400, "The instance_template resource", "resourceInUseByAnotherResource")
	c.done(t)(c.compute.InstanceGroupManagers.Patch(project, "us-central1-a", "mig", &compute.InstanceGroupManager{
		Versions: []*compute.InstanceGroupManagerVersion{{InstanceTemplate: second}}, Fingerprint: mig.Fingerprint}).Do())
	list := must[*compute.InstanceList](t)(c.compute.Instances.List(project, "us-central1-a").Do())
	for _, vm := range list.Items {
		if !strings.HasSuffix(vm.MachineType, "/e2-medium") {
			t.Errorf("%s still has %s", vm.Name, vm.MachineType)
		}
	}
	c.done(t)(c.compute.InstanceTemplates.Delete(project, "t1").Do())
	c.done(t)(c.compute.InstanceGroupManagers.Resize(project, "us-central1-a", "mig", 1).Do())
	if count() != 1 {
		t.Errorf("%d instances after the group was made smaller", count())
	}
	c.done(t)(c.compute.InstanceGroupManagers.Delete(project, "us-central1-a", "mig").Do())
	if count() != 0 {
		t.Errorf("%d instances after the group was deleted", count())
	}
}

func TestRoles(t *testing.T) {
	g := start(t, gcp.Config{})
	c := connect(t, g, g.Operator()).iam.Projects.Roles
	parent, name := "projects/"+project, "projects/"+project+"/roles/my.role"
	make := func(permissions ...string) error {
		_, err := c.Create(parent, &iamapi.CreateRoleRequest{RoleId: "my.role", Role: &iamapi.Role{Title: "x", IncludedPermissions: permissions}}).Do()
		return err
	}
	refused(t, make("resourcemanager.projects.list"), 400, "Permission resourcemanager.projects.list is not valid.")
	refused(t, make("nonsense"), 400, "is not valid")
	var many []string
	for i := range 3001 {
		many = append(many, "compute.x"+strings.Repeat("a", i%7)+".y"+strings.Repeat("b", i/7%30)+strings.Repeat("c", i/210))
	}
	refused(t, make(many...), 400, "3000")
	var long []string
	for i := range 700 {
		long = append(long, "compute.x"+strings.Repeat("z", 90)+"."+strings.Repeat("b", i%30+1)+strings.Repeat("c", i/30))
	}
	refused(t, make(long...), 400, "bytes")
	if err := make("compute.zones.list", "compute.zones.get", "compute.zones.get"); err != nil {
		t.Fatal(err)
	}
	refused(t, make(), 409, "already exists")
	role := must[*iamapi.Role](t)(c.Get(name).Do())
	if got := strings.Join(role.IncludedPermissions, " "); got != "compute.zones.get compute.zones.list" || role.Etag == "" {
		t.Errorf("the role is %+v", role)
	}
	_, err := c.Patch(name, &iamapi.Role{Title: "y", Etag: "BwYwrongAAA="}).Do()
	refused(t, err, 409, "concurrent policy changes", "ABORTED")
	patched := must[*iamapi.Role](t)(c.Patch(name, &iamapi.Role{Title: "y", Etag: role.Etag}).UpdateMask("title").Do())
	if patched.Title != "y" || patched.Etag == role.Etag || len(patched.IncludedPermissions) != 2 {
		t.Errorf("the patched role is %+v", patched)
	}
	if r := must[*iamapi.Role](t)(c.Delete(name).Do()); !r.Deleted {
		t.Error("the deleted role does not say so")
	}
	refused(t, make(), 400, "deleted state")
	_, err = c.Patch(name, &iamapi.Role{Title: "z"}).UpdateMask("title").Do()
	refused(t, err, 400, "deleted")
	must[*iamapi.Role](t)(c.Undelete(name, &iamapi.UndeleteRoleRequest{}).Do())
	if r := must[*iamapi.Role](t)(c.Get(name).Do()); r.Deleted || len(r.IncludedPermissions) != 2 {
		t.Errorf("the undeleted role is %+v", r)
	}
}

// A policy is written by read-modify-write: who comes second is told.
func TestPolicyEtag(t *testing.T) {
	g := start(t, gcp.Config{})
	c := connect(t, g, g.Operator()).crm.Projects
	first := must[*crm.Policy](t)(c.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	second := must[*crm.Policy](t)(c.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	first.Bindings = []*crm.Binding{{Role: "roles/viewer", Members: []string{"user:a@example.com"}}}
	second.Bindings = []*crm.Binding{{Role: "roles/viewer", Members: []string{"user:b@example.com"}}}
	must[*crm.Policy](t)(c.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: first}).Do())
	_, err := c.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: second}).Do()
	refused(t, err, 409, "concurrent policy changes")
	now := must[*crm.Policy](t)(c.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	if len(now.Bindings) != 1 || now.Bindings[0].Members[0] != "user:a@example.com" {
		t.Errorf("the policy is %+v", now)
	}
	for _, b := range []*crm.Binding{
		{Role: "projects/" + project + "/roles/none", Members: []string{"user:a@example.com"}},
		{Role: "roles/viewer", Members: []string{"serviceAccount:none@" + project + ".iam.gserviceaccount.com"}},
		{Role: "roles/viewer", Members: []string{"a@example.com"}},
	} {
		_, err := c.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: &crm.Policy{Bindings: []*crm.Binding{b}}}).Do()
		refused(t, err, 400)
	}
}

// testIamPermissions needs no permission, and tells what is held; a condition
// narrows it.
func TestConditions(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	c, _ := principal(t, g)
	policy := &crm.Policy{Version: 3, Bindings: []*crm.Binding{{
		Role: "roles/compute.viewer", Members: []string{"serviceAccount:probe-account@" + project + ".iam.gserviceaccount.com"},
		Condition: &crm.Expr{Title: "only", Expression: `resource.type == "compute.googleapis.com/Firewall" && resource.name.startsWith("projects/` + project + `/global/firewalls/def")`},
	}}}
	must[*crm.Policy](t)(operator.crm.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: policy}).Do())
	_, err := c.compute.Firewalls.Get(project, "default-ssh").Do()
	refused(t, err, 404)
	_, err = c.compute.Firewalls.Get(project, "other").Do()
	refused(t, err, 403, "Required 'compute.firewalls.get'")
	// Of a network conditions see neither name nor type.
	policy.Bindings[0].Condition.Expression = `resource.name.startsWith("projects/` + project + `/") || resource.service == "compute.googleapis.com" || resource.type == "compute.googleapis.com/Network"`
	policy.Etag = ""
	must[*crm.Policy](t)(operator.crm.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: policy}).Do())
	_, err = c.compute.Networks.Get(project, "default").Do()
	refused(t, err, 403, "Required 'compute.networks.get'")
	held := must[*crm.TestIamPermissionsResponse](t)(c.crm.Projects.TestIamPermissions(project, &crm.TestIamPermissionsRequest{Permissions: []string{"compute.networks.get"}}).Do())
	if len(held.Permissions) != 0 {
		t.Errorf("on the project is held %v", held.Permissions)
	}
	bind(t, operator, "projects/"+project+"/roles/probe", "serviceAccount:probe-account@"+project+".iam.gserviceaccount.com")
	grant(t, operator, "compute.zones.list")
	held = must[*crm.TestIamPermissionsResponse](t)(c.crm.Projects.TestIamPermissions(project, &crm.TestIamPermissionsRequest{Permissions: []string{"compute.networks.get", "compute.zones.list"}}).Do())
	if strings.Join(held.Permissions, " ") != "compute.zones.list" {
		t.Errorf("on the project is held %v", held.Permissions)
	}
}

// A condition that cannot be evaluated is a problem, no answer.
func TestConditionProblem(t *testing.T) {
	g := start(t, gcp.Config{Open: true})
	operator := connect(t, g, g.Operator())
	c, _ := principal(t, g)
	policy := &crm.Policy{Version: 3, Bindings: []*crm.Binding{{
		Role: "roles/compute.viewer", Members: []string{"serviceAccount:probe-account@" + project + ".iam.gserviceaccount.com"},
		Condition: &crm.Expr{Title: "odd", Expression: `resource.matchTag("env", "prod")`},
	}}}
	must[*crm.Policy](t)(operator.crm.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: policy}).Do())
	_, err := c.compute.Zones.List(project).Do()
	refused(t, err, 500, "cannot be evaluated")
	if len(g.Ledger().Problems()) == 0 {
		t.Error("the ledger does not list it")
	}
}

// A grant and a revocation take as long as they are told to.
func TestPropagation(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	g := start(t, gcp.Config{Propagation: time.Minute, Now: func() time.Time { return now }})
	operator := connect(t, g, g.Operator())
	c, _ := principal(t, g, "compute.zones.list")
	_, err := c.compute.Zones.List(project).Do()
	refused(t, err, 403, "compute.zones.list")
	now = now.Add(2 * time.Minute)
	if _, err := c.compute.Zones.List(project).Do(); err != nil {
		t.Error(err)
	}
	grant(t, operator, "compute.zones.get")
	if _, err := c.compute.Zones.List(project).Do(); err != nil {
		t.Errorf("a revocation is in force at once: %v", err)
	}
	now = now.Add(2 * time.Minute)
	_, err = c.compute.Zones.List(project).Do()
	refused(t, err, 403, "compute.zones.list")
	if _, err := c.compute.Zones.List(project).Do(); err == nil {
		t.Error("a revocation is never in force")
	}
}

// A key file logs in as Google's own library does.
func TestKey(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	c, token := principal(t, g, "compute.zones.list")
	email := "projects/" + project + "/serviceAccounts/probe-account@" + project + ".iam.gserviceaccount.com"
	_, err := c.iam.Projects.ServiceAccounts.Keys.Create(email, &iamapi.CreateServiceAccountKeyRequest{}).Do()
	refused(t, err, 403, "Permission 'iam.serviceAccountKeys.create' denied on resource (or it may not exist).", "IAM_PERMISSION_DENIED")
	key := must[*iamapi.ServiceAccountKey](t)(operator.iam.Projects.ServiceAccounts.Keys.Create(email, &iamapi.CreateServiceAccountKeyRequest{}).Do())
	file := must[[]byte](t)(base64.StdEncoding.DecodeString(key.PrivateKeyData))
	config, err := google.JWTConfigFromJSON(file, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Client{Transport: way{handler: g}}
	source := config.TokenSource(contextWith(t, plain))
	got := must[*oauth2.Token](t)(source.Token())
	if _, err := connect(t, g, got.AccessToken).compute.Zones.List(project).Do(); err != nil {
		t.Error(err)
	}
	self := must[oauth2.TokenSource](t)(google.JWTAccessTokenSourceWithScope(file, "https://www.googleapis.com/auth/cloud-platform"))
	signed := must[*oauth2.Token](t)(self.Token())
	if _, err := connect(t, g, signed.AccessToken).compute.Zones.List(project).Do(); err != nil {
		t.Errorf("a self-signed token: %v", err)
	}
	if _, err := operator.iam.Projects.ServiceAccounts.Keys.Delete(key.Name).Do(); err != nil {
		t.Fatal(err)
	}
	if _, err := config.TokenSource(contextWith(t, plain)).Token(); err == nil || !strings.Contains(err.Error(), "Invalid JWT Signature") {
		t.Errorf("a deleted key logs in: %v", err)
	}
	if _, err := operator.iam.Projects.ServiceAccounts.Delete(email).Do(); err != nil {
		t.Fatal(err)
	}
	_, err = connect(t, g, token).compute.Zones.List(project).Do()
	refused(t, err, 401, "invalid authentication credentials")
	policy := must[*crm.Policy](t)(operator.crm.Projects.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	if !strings.HasPrefix(policy.Bindings[0].Members[0], "deleted:serviceAccount:probe-account@") {
		t.Errorf("the bindings of a deleted account are %v", policy.Bindings[0].Members)
	}
	// One that is made again under the same name is another, which nobody has
	// given anything.
	must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "probe-account"}).Do())
	_, err = connect(t, g, tokenOf(t, g, "probe-account@"+project+".iam.gserviceaccount.com")).compute.Zones.List(project).Do()
	refused(t, err, 403, "compute.zones.list")
}

func TestDisabledAPI(t *testing.T) {
	g := start(t, gcp.Config{Enabled: []string{"iam.googleapis.com"}})
	c := connect(t, g, g.Operator())
	_, err := c.compute.Zones.List(project).Do()
	refused(t, err, 403, "Compute Engine API has not been used in project 123456789012 before or it is disabled.", "accessNotConfigured", "SERVICE_DISABLED")
}

// What hashicorp/google asks for besides, and sends that no document has.
func TestProvidersWays(t *testing.T) {
	g := start(t, gcp.Config{})
	_, token := principal(t, g, "compute.globalAddresses.create")
	post := func(method, url, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		reply := must[*http.Response](t)(way{g, token}.RoundTrip(r))
		return reply.StatusCode, string(must[[]byte](t)(io.ReadAll(reply.Body)))
	}
	if code, text := post("GET", "https://openidconnect.googleapis.com/v1/userinfo?alt=json", ""); code != 200 || !strings.Contains(text, "probe-account@") {
		t.Errorf("userinfo: %d %s", code, text)
	}
	if code, text := post("POST", "https://compute.googleapis.com/compute/v1/projects/"+project+"/global/addresses", `{"name": "a", "project": "x"}`); code != 200 {
		t.Errorf("with a project: %d %s", code, text)
	}
	if code, text := post("POST", "https://compute.googleapis.com/compute/v1/projects/"+project+"/global/addresses", `{"name": "b", "nonsense": "x"}`); code != 400 {
		t.Errorf("with nonsense: %d %s", code, text)
	}
}

func TestUnknown(t *testing.T) {
	g := start(t, gcp.Config{Open: true})
	c := connect(t, g, g.Operator())
	_, err := c.compute.Instances.SimulateMaintenanceEvent(project, "us-central1-a", "vm").Do()
	refused(t, err, 501, "compute.instances.simulateMaintenanceEvent")
	for _, url := range []string{"https://bigquery.googleapis.com/bigquery/v2/projects/x/datasets", "https://compute.googleapis.com/compute/v1/nothing", "https://compute.googleapis.com/batch/compute/v1"} {
		r, err := (&http.Client{Transport: way{g, g.Operator()}}).Get(url)
		if err != nil || r.StatusCode != 501 {
			t.Errorf("%s gave %v %v", url, r, err)
		}
	}
	if n := len(g.Ledger().Unknown()); n != 4 {
		t.Errorf("the ledger lists %d unknown requests: %+v", n, g.Ledger().Unknown())
	}
}

// A snapshot is not touched by what comes after it.
func TestSnapshot(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	c, _ := principal(t, g, "compute.zones.list")
	id := must[string](t)(g.Snapshot(ctx(t)))
	grant(t, operator)
	operator.done(t)(operator.compute.Networks.Insert(project, &compute.Network{Name: "net"}).Do())
	for range 2 {
		if err := g.Restore(ctx(t), id); err != nil {
			t.Fatal(err)
		}
		if _, err := c.compute.Zones.List(project).Do(); err != nil {
			t.Errorf("after the restore: %v", err)
		}
		_, err := operator.compute.Networks.Get(project, "net").Do()
		refused(t, err, 404, "was not found")
		operator.done(t)(operator.compute.Networks.Insert(project, &compute.Network{Name: "net"}).Do())
	}
	if err := g.Restore(ctx(t), "none"); err == nil {
		t.Error("a snapshot that is not there is restored")
	}
}
