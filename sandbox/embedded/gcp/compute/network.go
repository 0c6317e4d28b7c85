package compute

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute/catalog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

type special func(c *api.Call, path string, o store.Object) error

// creators complete resources that are made, by collection.
func creators() map[string]special {
	return map[string]special{
		"networks": network, "subnetworks": subnetwork, "firewalls": firewall, "addresses": address, "globalAddresses": address,
		"forwardingRules": forwardingRule, "globalForwardingRules": forwardingRule, "healthChecks": healthCheck,
		"securityPolicies": securityPolicy, "sslPolicies": sslPolicy, "sslCertificates": sslCertificate, "routers": router,
		"routes": defaultNetwork, "disks": disk, "images": image, "snapshots": snapshot, "instances": instance,
		"instanceTemplates": template, "instanceGroupManagers": groupManager, "instanceGroups": instanceGroup, "autoscalers": autoscaler,
	}
}

// updaters check and complete what a resource becomes.
func updaters() map[string]func(c *api.Call, path string, old, o store.Object) error {
	return map[string]func(c *api.Call, path string, old, o store.Object) error{
		"instanceGroupManagers": groupManagerChanged, "forwardingRules": ruleChanged, "globalForwardingRules": ruleChanged,
		"firewalls": func(c *api.Call, path string, _, o store.Object) error { return firewall(c, path, o) },
	}
}

// removers take along what goes with a resource.
func removers() map[string]special {
	return map[string]special{
		"instances": instanceRemoved, "instanceGroupManagers": groupManagerRemoved, "networks": networkRemoved,
	}
}

// inner calls a method's hooks for a resource that another one brings along.
func inner(c *api.Call, method, path string, o store.Object) (store.Object, error) {
	m := route.ByID(method)
	return generic.Add(c, Hooks(), m.Service.Schema(m.Request), path, o)
}

func network(c *api.Call, path string, o store.Object) error {
	link := api.Link(path)
	name := api.String(o, "name")
	if api.Bool(o, "autoCreateSubnetworks") && o["IPv4Range"] == nil {
		for i, r := range catalog.Regions {
			subnet := "projects/" + c.Project.ID + "/regions/" + r.Name + "/subnetworks/" + name
			c.Tx.Put(c.KeyOf(path), store.Object{"kind": "compute#network", "selfLink": link}) // the subnetworks name it
			if _, err := inner(c, "compute.subnetworks.insert", subnet, store.Object{
				"network": link, "ipCidrRange": fmt.Sprintf("10.%d.0.0/20", 128+2*i), "-auto": path,
			}); err != nil {
				return err
			}
		}
	}
	id := c.Tx.ID()
	routePath := fmt.Sprintf("projects/%s/global/routes/default-route-%016x", c.Project.ID, id)
	c.Tx.Put(c.KeyOf(routePath), store.Object{
		"kind": "compute#route", "id": strconv.FormatUint(id, 10), "name": routePath[strings.LastIndexByte(routePath, '/')+1:], "network": link,
		"description": "Default route to the Internet.", "destRange": "0.0.0.0/0", "priority": 1000.0, "creationTimestamp": api.PacificTime(c.Now),
		"nextHopGateway": api.Link("projects/" + c.Project.ID + "/global/gateways/default-internet-gateway"), "selfLink": api.Link(routePath), "-auto": path,
	})
	return nil
}

// networkRemoved takes along the routes and the subnetworks that came with a
// network.
func networkRemoved(c *api.Call, path string, _ store.Object) error {
	for key, o := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/")) {
		if o["-auto"] != path {
			continue
		}
		if strings.Contains(key, "/subnetworks/") {
			if err := InUse(c, strings.TrimPrefix(key, "compute/"), o); err != nil {
				return err
			}
		}
		c.Tx.Delete(key)
	}
	return nil
}

func subnetwork(c *api.Call, path string, o store.Object) error {
	prefix, err := netip.ParsePrefix(api.String(o, "ipCidrRange"))
	if err != nil || !prefix.Addr().Is4() || prefix.Masked() != prefix {
		return invalid("resource.ipCidrRange", api.String(o, "ipCidrRange"), "Must be a CIDR address range.")
	}
	if api.String(o, "network") == "" {
		return wire.New(400, "Required field 'resource.network' not specified").With("required")
	}
	for _, other := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/regions/")) {
		if other["kind"] != "compute#subnetwork" || other["network"] != o["network"] || other["selfLink"] == o["selfLink"] {
			continue
		}
		if p, err := netip.ParsePrefix(api.String(other, "ipCidrRange")); err == nil && p.Overlaps(prefix) {
			return wire.New(400, "Invalid IPCidrRange: %s conflicts with existing subnetwork '%s' in region '%s'.", prefix, api.String(other, "name"),
				lastPart(api.String(other, "region"))).With("invalidUsage")
		}
	}
	o["gatewayAddress"] = prefix.Addr().Next().String()
	return nil
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// defaultNetwork puts in the network that is meant when none is named.
func defaultNetwork(c *api.Call, _ string, o store.Object) error {
	if api.String(o, "network") == "" {
		path := "projects/" + c.Project.ID + "/global/networks/default"
		if _, ok := c.Tx.Get(c.KeyOf(path)); !ok {
			return missing(c, path)
		}
		o["network"] = api.Link(path)
	}
	return nil
}

func firewall(c *api.Call, path string, o store.Object) error {
	if o["direction"] == "INGRESS" && o["sourceRanges"] == nil && o["sourceTags"] == nil && o["sourceServiceAccounts"] == nil {
		o["sourceRanges"] = []any{"0.0.0.0/0"}
	}
	if o["direction"] == "EGRESS" && o["destinationRanges"] == nil {
		o["destinationRanges"] = []any{"0.0.0.0/0"}
	}
	if o["allowed"] == nil && o["denied"] == nil {
		return wire.New(400, "One of 'allowed' or 'denied' must be specified.").With("invalid")
	}
	return defaultNetwork(c, path, o)
}

// allocate gives an address that was not given before.
func allocate(c *api.Call) string {
	n := c.Tx.Serial()
	return fmt.Sprintf("34.%d.%d.%d", 64+n>>16&63, n>>8&255, n&255)
}

func address(c *api.Call, path string, o store.Object) error {
	if o["address"] != nil {
		return nil
	}
	if subnet, ok := api.Relative(api.String(o, "subnetwork"), c.Project.ID); ok {
		ip, err := internal(c, subnet)
		o["address"], o["purpose"] = ip, "GCE_ENDPOINT"
		delete(o, "networkTier")
		return err
	}
	if o["addressType"] == "INTERNAL" {
		delete(o, "networkTier")
		if length, ok := o["prefixLength"].(float64); ok {
			o["address"] = fmt.Sprintf("10.%d.0.0", 100+c.Tx.Serial()%27)
			o["prefixLength"] = length
			return nil
		}
	}
	o["address"] = allocate(c)
	if strings.Contains(path, "/global/") && o["ipVersion"] == nil {
		delete(o, "networkTier")
	}
	return nil
}

// internal gives an address of a subnetwork.
func internal(c *api.Call, subnet string) (string, error) {
	o, ok := c.Tx.Get(c.KeyOf(subnet))
	if !ok {
		return "", missing(c, subnet)
	}
	prefix, err := netip.ParsePrefix(api.String(o, "ipCidrRange"))
	if err != nil {
		return "", err
	}
	n, _ := o["-next"].(float64)
	next := store.Clone(o)
	next["-next"] = n + 1
	c.Tx.Put(c.KeyOf(subnet), next)
	ip := prefix.Addr()
	for range int(n) + 2 { // the first two are the network's own
		ip = ip.Next()
	}
	if !prefix.Contains(ip) {
		return "", wire.New(400, "IP space of '%s' is exhausted.", subnet).With("ipSpaceExhausted")
	}
	return ip.String(), nil
}

func forwardingRule(c *api.Call, path string, o store.Object) error {
	given := api.String(o, "IPAddress")
	switch rel, isLink := api.Relative(given, c.Project.ID); {
	case isLink:
		a, _ := c.Tx.Get(c.KeyOf(rel))
		o["IPAddress"] = a["address"]
	case given == "":
		o["IPAddress"] = allocate(c)
		if scheme := api.String(o, "loadBalancingScheme"); strings.HasPrefix(scheme, "INTERNAL") {
			if subnet, ok := api.Relative(api.String(o, "subnetwork"), c.Project.ID); ok {
				ip, err := internal(c, subnet)
				if err != nil {
					return err
				}
				o["IPAddress"] = ip
			}
		}
	}
	if o["fingerprint"] == nil {
		o["fingerprint"] = api.Fingerprint(path)
	}
	return ports(o)
}

// ports writes a single port as a range, as the service does.
func ports(o store.Object) error {
	if p := api.String(o, "portRange"); p != "" && !strings.Contains(p, "-") {
		o["portRange"] = p + "-" + p
	}
	return nil
}

func ruleChanged(_ *api.Call, _ string, old, o store.Object) error {
	o["IPAddress"] = old["IPAddress"]
	return ports(o)
}

func healthCheck(_ *api.Call, _ string, o store.Object) error {
	kinds := map[string]struct {
		field string
		port  float64
		path  bool
	}{
		"TCP": {"tcpHealthCheck", 80, false}, "SSL": {"sslHealthCheck", 443, false}, "HTTP": {"httpHealthCheck", 80, true},
		"HTTPS": {"httpsHealthCheck", 443, true}, "HTTP2": {"http2HealthCheck", 443, true}, "GRPC": {"grpcHealthCheck", 0, false},
	}
	for kind, k := range kinds {
		check := api.Object(o, k.field)
		if check == nil {
			continue
		}
		o["type"] = kind
		if check["port"] == nil && check["portName"] == nil && check["portSpecification"] == nil && k.port > 0 {
			check["port"] = k.port
		}
		if check["proxyHeader"] == nil && kind != "GRPC" {
			check["proxyHeader"] = "NONE"
		}
		if k.path && check["requestPath"] == nil {
			check["requestPath"] = "/"
		}
	}
	if o["type"] == nil {
		return wire.New(400, "Required field 'resource.type' not specified").With("required")
	}
	return nil
}

// securityPolicy puts in the rule that every policy ends with.
func securityPolicy(_ *api.Call, _ string, o store.Object) error {
	const last = 2147483647.0
	rules, _ := o["rules"].([]any)
	for _, r := range api.List(o, "rules") {
		r["kind"] = "compute#securityPolicyRule"
		if r["preview"] == nil {
			r["preview"] = false
		}
		if r["priority"] == last {
			o["rules"] = rules
			return nil
		}
	}
	o["rules"] = append(rules, store.Object{
		"kind": "compute#securityPolicyRule", "priority": last, "action": "allow", "description": "default rule", "preview": false,
		"match": store.Object{"versionedExpr": "SRC_IPS_V1", "config": store.Object{"srcIpRanges": []any{"*"}}},
	})
	return nil
}

// profiles are the ciphers that a profile enables: as many as tell them apart.
// Source: Cloud Load Balancing, "SSL policies overview".
var profiles = map[string][]any{
	"COMPATIBLE": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"},
	"MODERN":     {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
	"RESTRICTED": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
}

func sslPolicy(_ *api.Call, _ string, o store.Object) error {
	if features, ok := profiles[api.String(o, "profile")]; ok {
		o["enabledFeatures"] = features
	} else {
		o["enabledFeatures"] = o["customFeatures"]
	}
	return nil
}

func sslCertificate(c *api.Call, _ string, o store.Object) error {
	if managed := api.Object(o, "managed"); managed != nil {
		o["type"] = "MANAGED"
		managed["status"] = "PROVISIONING"
		return nil
	}
	if api.String(o, "certificate") == "" && api.String(o, "selfManaged.certificate") == "" {
		return wire.New(400, "Required field 'resource.certificate' not specified").With("required")
	}
	o["expireTime"] = api.PacificTime(c.Now.AddDate(1, 0, 0))
	delete(o, "privateKey") // never shown again
	return nil
}

func router(c *api.Call, path string, o store.Object) error {
	for _, nat := range api.List(o, "nats") {
		if nat["type"] == nil {
			nat["type"] = "PUBLIC"
		}
	}
	return defaultNetwork(c, path, o)
}
