package compute

import (
	"slices"
	"strconv"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute/catalog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Handlers serve the methods that are Compute Engine's own, by id.
func Handlers() map[string]api.Handler {
	m := map[string]api.Handler{
		"compute.backendServices.getHealth":          getHealth,
		"compute.backendServices.setSecurityPolicy":  reference("securityPolicy", "securityPolicy"),
		"compute.disks.createSnapshot":               createSnapshot,
		"compute.disks.resize":                       change(resizeDisk),
		"compute.diskTypes.get":                      getType,
		"compute.diskTypes.list":                     listTypes,
		"compute.forwardingRules.setTarget":          reference("target", "target"),
		"compute.globalForwardingRules.setTarget":    reference("target", "target"),
		"compute.imageFamilyViews.get":               getFamilyView,
		"compute.images.deprecate":                   change(deprecate),
		"compute.images.getFromFamily":               getFromFamily,
		"compute.instances.addAccessConfig":          change(addAccessConfig),
		"compute.instances.attachDisk":               change(attachDisk),
		"compute.instances.deleteAccessConfig":       change(deleteAccessConfig),
		"compute.instances.detachDisk":               change(detachDisk),
		"compute.instances.getSerialPortOutput":      serialPort,
		"compute.instances.reset":                    state("", "RUNNING"),
		"compute.instances.setDeletionProtection":    change(setDeletionProtection),
		"compute.instances.setDiskAutoDelete":        change(setDiskAutoDelete),
		"compute.instances.setMachineType":           change(setMachineType),
		"compute.instances.setMetadata":              versioned("metadata"),
		"compute.instances.setScheduling":            change(setScheduling),
		"compute.instances.setServiceAccount":        change(setServiceAccount),
		"compute.instances.setTags":                  versioned("tags"),
		"compute.instances.start":                    state("", "RUNNING"),
		"compute.instances.stop":                     state("RUNNING", "TERMINATED"),
		"compute.instances.suspend":                  state("RUNNING", "SUSPENDED"),
		"compute.instances.resume":                   state("", "RUNNING"),
		"compute.machineTypes.get":                   getType,
		"compute.machineTypes.list":                  listTypes,
		"compute.projects.get":                       getProject,
		"compute.projects.setCommonInstanceMetadata": setCommonMetadata,
		"compute.securityPolicies.addRule":           change(addRule),
		"compute.securityPolicies.getRule":           getRule,
		"compute.securityPolicies.patchRule":         change(patchRule),
		"compute.securityPolicies.removeRule":        change(removeRule),
		"compute.subnetworks.expandIpCidrRange":      change(expand),
		"compute.subnetworks.setPrivateIpGoogleAccess": change(func(c *api.Call, o store.Object) error {
			o["privateIpGoogleAccess"] = api.Bool(c.Body, "privateIpGoogleAccess")
			return nil
		}),
		"compute.targetHttpProxies.setUrlMap":           reference("urlMap", "urlMap"),
		"compute.targetHttpsProxies.setCertificateMap":  reference("certificateMap", "certificateMap"),
		"compute.targetHttpsProxies.setSslCertificates": reference("sslCertificates", "sslCertificates"),
		"compute.targetHttpsProxies.setSslPolicy":       reference("sslPolicy", "sslPolicy"),
		"compute.targetHttpsProxies.setUrlMap":          reference("urlMap", "urlMap"),
		"compute.targetHttpsProxies.setQuicOverride": change(func(c *api.Call, o store.Object) error {
			o["quicOverride"] = c.Body["quicOverride"]
			return nil
		}),
	}
	for _, kind := range []string{"", "region"} {
		manager, group, scaler := "compute.instanceGroupManagers.", "compute.instanceGroups.", "compute.autoscalers."
		if kind != "" {
			manager, group, scaler = "compute.regionInstanceGroupManagers.", "compute.regionInstanceGroups.", "compute.regionAutoscalers."
		}
		m[manager+"resize"] = change(resize)
		m[manager+"setInstanceTemplate"] = change(setInstanceTemplate)
		m[manager+"deleteInstances"] = deleteInstances(false)
		m[manager+"recreateInstances"] = deleteInstances(true)
		m[manager+"listManagedInstances"] = listManagedInstances
		m[manager+"listErrors"] = noErrors
		m[group+"listInstances"] = listInstances
		m[group+"setNamedPorts"] = change(setNamedPorts)
		m[scaler+"update"], m[scaler+"patch"] = scalerChanged, scalerChanged
	}
	m["compute.instanceGroups.addInstances"], m["compute.instanceGroups.removeInstances"] = groupMembers(true), groupMembers(false)
	return m
}

// scalerChanged changes the autoscaler that the query, or the body, names.
func scalerChanged(c *api.Call) (*api.Reply, error) {
	name := c.Query.Get("autoscaler")
	if name == "" {
		name = api.String(c.Body, "name")
	}
	named := *c
	named.Path += "/" + name
	return generic.Handle(&named, Hooks())
}

func getType(c *api.Call) (*api.Reply, error) {
	o, ok := catalog.Type(c.Path)
	if !ok {
		return nil, missing(c, c.Path)
	}
	return api.OK(o)
}

func listTypes(c *api.Call) (*api.Reply, error) {
	filter, err := generic.ParseFilter(c.Query.Get("filter"))
	if err != nil {
		return nil, wire.New(400, "Invalid value for field 'filter': '%s'. Invalid list filter expression.", c.Query.Get("filter")).With("invalid")
	}
	items := []any{}
	for _, o := range catalog.Types(c.Path) {
		if filter(o) {
			items = append(items, o)
		}
	}
	return api.OK(store.Object{"kind": c.Service.Schema(c.Response).Constant(), "id": c.Path, "items": items, "selfLink": api.Link(c.Path)})
}

func getFromFamily(c *api.Call) (*api.Reply, error) {
	o := Family(c, c.Path)
	if o == nil {
		return nil, missing(c, c.Path)
	}
	return api.OK(o)
}

// getFamilyView gives the image of a family as a zone sees it; all see the same.
func getFamilyView(c *api.Call) (*api.Reply, error) {
	o := Family(c, c.Path)
	if o == nil {
		return nil, missing(c, c.Path)
	}
	return api.OK(store.Object{"image": o})
}

func deprecate(c *api.Call, o store.Object) error {
	delete(o, "deprecated")
	if api.String(c.Body, "state") != "" || c.Body["deleted"] != nil {
		o["deprecated"] = store.Clone(c.Body)
	}
	return nil
}

func serialPort(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	return api.OK(store.Object{"kind": "compute#serialPortOutput", "contents": api.String(o, "-serial"), "start": "0",
		"next": strconv.Itoa(len(api.String(o, "-serial"))), "selfLink": api.Link(c.Path + "/serialPort")})
}

func setDeletionProtection(c *api.Call, o store.Object) error {
	o["deletionProtection"] = c.Query.Get("deletionProtection") != "false"
	return nil
}

func setScheduling(c *api.Call, o store.Object) error {
	o["scheduling"] = store.Clone(c.Body)
	common(o)
	return nil
}

func noErrors(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, missing(c, c.Path)
	}
	return api.OK(store.Object{"items": []any{}})
}

// getHealth tells the health of a backend's instances: those that run are well.
func getHealth(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	group, _ := api.Relative(api.String(c.Body, "group"), c.Project.ID)
	if !slices.ContainsFunc(api.List(o, "backends"), func(b store.Object) bool { return b["group"] == api.Link(group) }) {
		return nil, invalid("group", group, "It is not a backend of the service.")
	}
	status := []any{}
	for _, m := range Members(c, group) {
		vm, _ := c.Tx.Get(c.KeyOf(m))
		health := "UNHEALTHY"
		if vm["status"] == "RUNNING" {
			health = "HEALTHY"
		}
		status = append(status, store.Object{"instance": api.Link(m), "healthState": health, "port": o["port"]})
	}
	return api.OK(store.Object{"kind": "compute#backendServiceGroupHealth", "healthStatus": status})
}

func projectKey(c *api.Call) string { return "compute/projects/" + c.Project.ID }

func getProject(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(projectKey(c))
	if !ok {
		return nil, missing(c, c.Path)
	}
	return api.OK(o)
}

func setCommonMetadata(c *api.Call) (*api.Reply, error) {
	o, _ := c.Tx.Get(projectKey(c))
	if f := api.String(c.Body, "fingerprint"); f != api.String(o, "commonInstanceMetadata.fingerprint") {
		return nil, wire.New(412, "Supplied fingerprint does not match current metadata fingerprint.")
	}
	o = store.Clone(o)
	metadata := store.Clone(c.Body)
	metadata["kind"], metadata["fingerprint"] = "compute#metadata", api.Fingerprint(metadata["items"])
	o["commonInstanceMetadata"] = metadata
	c.Tx.Put(projectKey(c), o)
	return api.OK(operation.Start(c, "projects/"+c.Project.ID, o))
}

func priority(c *api.Call) float64 {
	n, _ := strconv.ParseFloat(c.Query.Get("priority"), 64)
	return n
}

func ruleAt(o store.Object, priority float64) int {
	return slices.IndexFunc(api.List(o, "rules"), func(r store.Object) bool { return r["priority"] == priority })
}

func addRule(c *api.Call, o store.Object) error {
	rule := store.Clone(c.Body)
	p, ok := rule["priority"].(float64)
	if !ok || ruleAt(o, p) >= 0 {
		return invalid("priority", strconv.FormatFloat(p, 'f', -1, 64), "Cannot have rules with the same priorities.")
	}
	o["rules"] = append(list(o["rules"]), rule)
	return securityPolicy(c, c.Path, o)
}

func getRule(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	i := ruleAt(o, priority(c))
	if i < 0 {
		return nil, invalid("priority", c.Query.Get("priority"), "The priority could not be found.")
	}
	return api.OK(api.List(o, "rules")[i])
}

func patchRule(c *api.Call, o store.Object) error {
	i := ruleAt(o, priority(c))
	if i < 0 {
		return invalid("priority", c.Query.Get("priority"), "The priority could not be found.")
	}
	generic.Merge(api.List(o, "rules")[i], store.Clone(c.Body))
	return nil
}

func removeRule(c *api.Call, o store.Object) error {
	i := ruleAt(o, priority(c))
	if i < 0 {
		return invalid("priority", c.Query.Get("priority"), "The priority could not be found.")
	}
	o["rules"] = slices.Delete(list(o["rules"]), i, i+1)
	return nil
}

func expand(c *api.Call, o store.Object) error {
	o["ipCidrRange"] = c.Body["ipCidrRange"]
	return subnetwork(c, c.Path, o)
}

// Seed puts into the state what a project has when Compute Engine is enabled:
// regions and zones, public images, the project's own resource and, if it is to
// be, the default network.
func Seed(c *api.Call, network bool) error {
	catalog.Seed(c.Tx, c.Project.ID)
	c.Tx.Put(projectKey(c), store.Object{
		"kind": "compute#project", "id": c.Project.Number, "name": c.Project.ID, "creationTimestamp": api.PacificTime(c.Now),
		"selfLink": api.Link("projects/" + c.Project.ID), "defaultNetworkTier": "PREMIUM", "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
		"commonInstanceMetadata": store.Object{"kind": "compute#metadata", "fingerprint": api.Fingerprint(nil)},
		"defaultServiceAccount":  c.Project.Number + "-compute@developer.gserviceaccount.com",
		"quotas":                 []any{store.Object{"metric": "NETWORKS", "limit": 50.0, "usage": 0.0}},
	})
	if !network {
		return nil
	}
	_, err := inner(c, "compute.networks.insert", "projects/"+c.Project.ID+"/global/networks/default", store.Object{"name": "default", "description": "Default network for the project", "autoCreateSubnetworks": true})
	return err
}
