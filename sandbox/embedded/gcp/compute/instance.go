package compute

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute/catalog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

func place(path string) string { return strings.Join(strings.Split(path, "/")[:4], "/") }

// isFamily tells whether a path names a family of images: …/images/family/NAME or
// zones/…/imageFamilyViews/NAME, which is the same in all zones.
func isFamily(path string) bool {
	return strings.Contains(path, "/images/family/") || Collection(path) == "imageFamilyViews"
}

// Family is the newest image of a family that is not deprecated; nil when there
// is none.
func Family(c *api.Call, path string) store.Object {
	images, family, ok := strings.Cut(path, "/family/")
	if !ok {
		parts := strings.Split(path, "/")
		images, family = "projects/"+parts[1]+"/global/images", parts[len(parts)-1]
	}
	var newest store.Object
	for _, o := range c.Tx.Scan(c.KeyOf(images + "/")) {
		if o["family"] == family && api.String(o, "deprecated.state") == "" &&
			(newest == nil || api.String(o, "creationTimestamp")+api.String(o, "id") >= api.String(newest, "creationTimestamp")+api.String(newest, "id")) {
			newest = o
		}
	}
	return newest
}

// source finds an image by URL, of itself or of its family.
func source(c *api.Call, link string) (store.Object, error) {
	path, ok := api.Relative(link, c.Project.ID)
	if !ok {
		return nil, invalid("sourceImage", link, "The URL is malformed.")
	}
	if isFamily(path) {
		if o := Family(c, path); o != nil {
			return o, nil
		}
		return nil, missing(c, path)
	}
	o, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return nil, missing(c, path)
	}
	return o, nil
}

func disk(c *api.Call, path string, o store.Object) error {
	given := c.Verb() == "insert" && c.Collection() == "disks" && c.Body["sizeGb"] == nil
	if link := api.String(o, "sourceImage"); link != "" {
		from, err := source(c, link)
		if err != nil {
			return err
		}
		o["sourceImage"], o["sourceImageId"] = from["selfLink"], from["id"]
		if given || api.String(o, "sizeGb") == "" {
			o["sizeGb"] = from["diskSizeGb"]
		}
		if o["guestOsFeatures"] == nil && from["guestOsFeatures"] != nil {
			o["guestOsFeatures"] = store.Clone(from)["guestOsFeatures"]
		}
	}
	for _, from := range []string{"sourceSnapshot", "sourceDisk"} {
		if rel, ok := api.Relative(api.String(o, from), c.Project.ID); ok {
			s, _ := c.Tx.Get(c.KeyOf(rel))
			o[from+"Id"] = s["id"]
			if size := api.String(s, "sizeGb") + api.String(s, "diskSizeGb"); given && size != "" {
				o["sizeGb"] = size
			}
		}
	}
	if api.String(o, "type") == "" {
		o["type"] = api.Link(place(path) + "/diskTypes/pd-standard")
	}
	return nil
}

func image(c *api.Call, _ string, o store.Object) error {
	switch rel, ok := api.Relative(api.String(o, "sourceDisk"), c.Project.ID); {
	case ok:
		d, _ := c.Tx.Get(c.KeyOf(rel))
		if users := Users(c, rel); len(users) > 0 && !api.Bool(c.Body, "forceCreate") && c.Query.Get("forceCreate") != "true" {
			for _, u := range users {
				if vm, _ := c.Tx.Get(c.KeyOf(u)); vm["status"] == "RUNNING" {
					return wire.New(400, "The disk resource '%s' is already being used by '%s'", rel, u).With("resourceInUseByAnotherResource")
				}
			}
		}
		o["sourceDiskId"], o["diskSizeGb"] = d["id"], d["sizeGb"]
	case api.String(o, "sourceImage") != "":
		from, err := source(c, api.String(o, "sourceImage"))
		if err != nil {
			return err
		}
		o["sourceImage"], o["sourceImageId"], o["diskSizeGb"] = from["selfLink"], from["id"], from["diskSizeGb"]
	case o["rawDisk"] != nil || o["sourceSnapshot"] != nil:
		if o["diskSizeGb"] == nil {
			o["diskSizeGb"] = "10"
		}
	default:
		return wire.New(400, "Required field 'resource.sourceDisk' not specified").With("required")
	}
	return nil
}

func snapshot(c *api.Call, _ string, o store.Object) error {
	if rel, ok := api.Relative(api.String(o, "sourceDisk"), c.Project.ID); ok {
		d, _ := c.Tx.Get(c.KeyOf(rel))
		o["sourceDiskId"], o["diskSizeGb"] = d["id"], d["sizeGb"]
	}
	return nil
}

// template completes an instance template's properties.
func template(_ *api.Call, _ string, o store.Object) error {
	properties := api.Object(o, "properties")
	if properties == nil {
		return wire.New(400, "Required field 'resource.properties' not specified").With("required")
	}
	common(properties)
	for i, d := range api.List(properties, "disks") {
		attached(d, i)
	}
	for i, n := range api.List(properties, "networkInterfaces") {
		n["kind"], n["name"] = "compute#networkInterface", fmt.Sprintf("nic%d", i)
		accessConfigs(n)
	}
	return nil
}

func accessConfigs(n store.Object) {
	for _, a := range api.List(n, "accessConfigs") {
		a["kind"] = "compute#accessConfig"
		for field, v := range map[string]any{"type": "ONE_TO_ONE_NAT", "name": "External NAT", "networkTier": "PREMIUM"} {
			if a[field] == nil {
				a[field] = v
			}
		}
	}
}

// common completes what instances and templates have alike.
func common(o store.Object) {
	metadata := api.Object(o, "metadata")
	if metadata == nil {
		metadata = store.Object{}
		o["metadata"] = metadata
	}
	metadata["kind"] = "compute#metadata"
	metadata["fingerprint"] = api.Fingerprint(metadata["items"])
	tags := api.Object(o, "tags")
	if tags == nil {
		tags = store.Object{}
		o["tags"] = tags
	}
	tags["fingerprint"] = api.Fingerprint(tags["items"])
	scheduling := api.Object(o, "scheduling")
	if scheduling == nil {
		scheduling = store.Object{}
		o["scheduling"] = scheduling
	}
	for field, v := range map[string]any{"automaticRestart": true, "onHostMaintenance": "MIGRATE", "preemptible": false} {
		if scheduling[field] == nil {
			scheduling[field] = v
		}
	}
	if o["canIpForward"] == nil {
		o["canIpForward"] = false
	}
}

func attached(d store.Object, i int) {
	d["kind"], d["index"] = "compute#attachedDisk", float64(i)
	for field, v := range map[string]any{"mode": "READ_WRITE", "type": "PERSISTENT", "interface": "SCSI", "boot": false, "autoDelete": false} {
		if d[field] == nil {
			d[field] = v
		}
	}
}

// instance makes a virtual machine: its disks, its addresses, its state.
func instance(c *api.Call, path string, o store.Object) error {
	if from := c.Query.Get("sourceInstanceTemplate"); from != "" && c.Collection() == "instances" {
		rel, _ := api.Relative(from, c.Project.ID)
		t, ok := c.Tx.Get(c.KeyOf(rel))
		if !ok {
			return missing(c, rel)
		}
		for key, v := range store.Clone(api.Object(t, "properties")) {
			if o[key] == nil {
				o[key] = v
			}
		}
	}
	zone := place(path)
	name := api.String(o, "name")
	if mt := api.String(o, "machineType"); !strings.Contains(mt, "/") && mt != "" {
		o["machineType"] = api.Link(zone + "/machineTypes/" + mt)
	}
	rel, _ := api.Relative(api.String(o, "machineType"), c.Project.ID)
	if _, ok := catalog.Type(rel); !ok {
		return invalid("resource.machineType", api.String(o, "machineType"), "The referenced resource does not exist.")
	}
	common(o)
	disks := api.List(o, "disks")
	if len(disks) == 0 {
		return wire.New(400, "Invalid value for field 'resource.disks': ''. No disks are specified.").With("invalid")
	}
	for i, d := range disks {
		attached(d, i)
		if err := attach(c, zone, name, i, d); err != nil {
			return err
		}
	}
	for i, n := range api.List(o, "networkInterfaces") {
		n["kind"], n["name"] = "compute#networkInterface", fmt.Sprintf("nic%d", i)
		if err := connect(c, zone, n); err != nil {
			return err
		}
	}
	for _, sa := range api.List(o, "serviceAccounts") {
		email := api.String(sa, "email")
		if email == "default" || email == "" {
			email = c.Project.Number + "-compute@developer.gserviceaccount.com"
			sa["email"] = email
		}
		if _, ok := c.Tx.Get("iam/projects/" + c.Project.ID + "/serviceAccounts/" + email); !ok {
			return invalid("resource.serviceAccounts[0].email", email, "The specified service account could not be found.")
		}
	}
	o["status"], o["cpuPlatform"], o["startRestricted"] = "RUNNING", "Intel Broadwell", false
	o["lastStartTimestamp"] = api.PacificTime(c.Now)
	for field, v := range map[string]any{"deletionProtection": false,
		"shieldedInstanceConfig":          store.Object{"enableSecureBoot": false, "enableVtpm": true, "enableIntegrityMonitoring": true},
		"shieldedInstanceIntegrityPolicy": store.Object{"updateAutoLearnPolicy": true}} {
		if o[field] == nil {
			o[field] = v
		}
	}
	return nil
}

// attach makes an instance's disk, or takes one that is there.
func attach(c *api.Call, zone, vm string, i int, d store.Object) error {
	if d["deviceName"] == nil {
		d["deviceName"] = fmt.Sprintf("persistent-disk-%d", i)
	}
	params := api.Object(d, "initializeParams")
	delete(d, "initializeParams")
	if link := api.String(d, "source"); link != "" {
		path, _ := api.Relative(link, c.Project.ID)
		if d["mode"] == "READ_WRITE" {
			for _, u := range Users(c, path) {
				return wire.New(400, "The disk resource '%s' is already being used by '%s'", path, u).With("resourceInUseByAnotherResource")
			}
		}
		o, _ := c.Tx.Get(c.KeyOf(path))
		d["diskSizeGb"] = o["sizeGb"]
		return nil
	}
	if d["type"] == "SCRATCH" {
		d["diskSizeGb"] = "375"
		return nil
	}
	name := api.String(params, "diskName")
	if name == "" {
		name = vm
		if i > 0 {
			name = fmt.Sprintf("%s-%d", vm, i)
		}
	}
	path := zone + "/disks/" + name
	if _, there := c.Tx.Get(c.KeyOf(path)); there {
		return wire.New(409, "The resource '%s' already exists", path).With("alreadyExists")
	}
	o := store.Object{"name": name}
	for from, to := range map[string]string{"sourceImage": "sourceImage", "sourceSnapshot": "sourceSnapshot", "labels": "labels", "description": "description"} {
		if v := params[from]; v != nil {
			o[to] = v
		}
	}
	if size := api.String(params, "diskSizeGb"); size != "" {
		o["sizeGb"] = size
	} else {
		from, err := source(c, api.String(params, "sourceImage"))
		if err == nil {
			o["sizeGb"] = from["diskSizeGb"]
		} else {
			o["sizeGb"] = "10"
		}
	}
	if kind := api.String(params, "diskType"); kind != "" {
		o["type"] = api.Link(zone + "/diskTypes/" + lastPart(kind))
	}
	made, err := inner(c, "compute.disks.insert", path, o)
	if err != nil {
		return err
	}
	d["source"], d["diskSizeGb"] = made["selfLink"], made["sizeGb"]
	if f := made["guestOsFeatures"]; f != nil {
		d["guestOsFeatures"] = store.Clone(made)["guestOsFeatures"]
	}
	return nil
}

// connect gives an interface its subnetwork and addresses.
func connect(c *api.Call, zone string, n store.Object) error {
	region := lastPart(zone)
	region = region[:strings.LastIndexByte(region, '-')]
	subnet, named := api.Relative(api.String(n, "subnetwork"), c.Project.ID)
	if !named {
		network, ok := api.Relative(api.String(n, "network"), c.Project.ID)
		if !ok {
			network = "projects/" + c.Project.ID + "/global/networks/default"
		}
		if _, ok := c.Tx.Get(c.KeyOf(network)); !ok {
			return missing(c, network)
		}
		subnet = "projects/" + c.Project.ID + "/regions/" + region + "/subnetworks/" + lastPart(network)
		if _, ok := c.Tx.Get(c.KeyOf(subnet)); !ok {
			return invalid("resource.networkInterfaces[0]", "", "Subnetwork should be specified for custom subnetmode network")
		}
		n["subnetwork"] = api.Link(subnet)
	}
	if !strings.Contains(subnet, "/regions/"+region+"/") {
		return invalid("resource.networkInterfaces[0].subnetwork", subnet, "The subnetwork resource is not in the instance's region.")
	}
	o, ok := c.Tx.Get(c.KeyOf(subnet))
	if !ok {
		return missing(c, subnet)
	}
	n["network"], n["stackType"] = o["network"], "IPV4_ONLY"
	if n["networkIP"] == nil {
		ip, err := internal(c, subnet)
		if err != nil {
			return err
		}
		n["networkIP"] = ip
	}
	n["fingerprint"] = api.Fingerprint(n["networkIP"])
	accessConfigs(n)
	for _, a := range api.List(n, "accessConfigs") {
		if a["natIP"] == nil {
			a["natIP"] = allocate(c)
		}
	}
	return nil
}

// instanceRemoved takes along the disks that are to go with an instance.
func instanceRemoved(c *api.Call, path string, o store.Object) error {
	if api.Bool(o, "deletionProtection") {
		return invalid("resource", path, "Resource cannot be deleted if it's protected against deletion.").(*wire.Error).With("invalid")
	}
	c.Tx.Delete(c.KeyOf(path))
	for _, d := range api.List(o, "disks") {
		if rel, ok := api.Relative(api.String(d, "source"), c.Project.ID); ok && api.Bool(d, "autoDelete") {
			c.Tx.Delete(c.KeyOf(rel))
		}
	}
	return nil
}

// versioned makes a handler that replaces a part of an instance which has a
// fingerprint of its own.
func versioned(field string) api.Handler {
	return changePart(func(c *api.Call, o store.Object) error {
		if f := api.String(c.Body, "fingerprint"); f != api.String(o, field+".fingerprint") {
			return wire.New(412, "Supplied fingerprint does not match current %s fingerprint.", field)
		}
		part := store.Clone(c.Body)
		part["fingerprint"] = api.Fingerprint(part["items"])
		if field == "metadata" {
			part["kind"] = "compute#metadata"
		}
		o[field] = part
		return nil
	})
}

// state makes a handler that brings an instance from one state to another.
func state(from, to string) api.Handler {
	return change(func(c *api.Call, o store.Object) error {
		if from == "RUNNING" && o["status"] != from {
			return nil // stopping what is stopped is no error
		}
		o["status"] = to
		if to == "RUNNING" {
			o["lastStartTimestamp"] = api.PacificTime(c.Now)
		} else {
			o["lastStopTimestamp"] = api.PacificTime(c.Now)
		}
		return nil
	})
}

// stopped refuses what needs an instance that does not run.
func stopped(o store.Object) error {
	if o["status"] == "RUNNING" {
		return wire.New(400, "Instance must be in a terminated state in order to change it.").With("resourceNotReady")
	}
	return nil
}

func setServiceAccount(c *api.Call, o store.Object) error {
	if err := stopped(o); err != nil {
		return err
	}
	delete(o, "serviceAccounts")
	if email := api.String(c.Body, "email"); email != "" {
		o["serviceAccounts"] = []any{store.Object{"email": email, "scopes": c.Body["scopes"]}}
	}
	return nil
}

func setMachineType(c *api.Call, o store.Object) error {
	if err := stopped(o); err != nil {
		return err
	}
	rel, ok := api.Relative(api.String(c.Body, "machineType"), c.Project.ID)
	if _, known := catalog.Type(rel); !ok || !known {
		return invalid("machineType", api.String(c.Body, "machineType"), "The referenced resource does not exist.")
	}
	o["machineType"] = api.Link(rel)
	return nil
}

func attachDisk(c *api.Call, o store.Object) error {
	d := store.Clone(c.Body)
	if err := resolve(c, d); err != nil {
		return err
	}
	disks, _ := o["disks"].([]any)
	attached(d, len(disks))
	if err := attach(c, place(c.Path), api.String(o, "name"), len(disks), d); err != nil {
		return err
	}
	o["disks"] = append(disks, d)
	return nil
}

func detachDisk(c *api.Call, o store.Object) error {
	var left []any
	for _, d := range api.List(o, "disks") {
		if d["deviceName"] != c.Query.Get("deviceName") {
			left = append(left, d)
		}
	}
	if len(left) == len(api.List(o, "disks")) {
		return invalid("deviceName", c.Query.Get("deviceName"), "No attached disk found with device name.")
	}
	o["disks"] = left
	return nil
}

func setDiskAutoDelete(c *api.Call, o store.Object) error {
	for _, d := range api.List(o, "disks") {
		if d["deviceName"] == c.Query.Get("deviceName") {
			d["autoDelete"] = c.Query.Get("autoDelete") == "true"
			return nil
		}
	}
	return invalid("deviceName", c.Query.Get("deviceName"), "No attached disk found with device name.")
}

func nic(c *api.Call, o store.Object) (store.Object, error) {
	for _, n := range api.List(o, "networkInterfaces") {
		if n["name"] == c.Query.Get("networkInterface") {
			return n, nil
		}
	}
	return nil, invalid("networkInterface", c.Query.Get("networkInterface"), "There is no such interface.")
}

func addAccessConfig(c *api.Call, o store.Object) error {
	n, err := nic(c, o)
	if err != nil {
		return err
	}
	a := store.Clone(c.Body)
	if a["natIP"] == nil {
		a["natIP"] = allocate(c)
	}
	n["accessConfigs"] = []any{a}
	accessConfigs(n)
	return nil
}

func deleteAccessConfig(c *api.Call, o store.Object) error {
	n, err := nic(c, o)
	if err != nil {
		return err
	}
	delete(n, "accessConfigs")
	return nil
}

func resizeDisk(c *api.Call, o store.Object) error {
	was, _ := strconv.Atoi(api.String(o, "sizeGb"))
	size := fmt.Sprint(c.Body["sizeGb"])
	if n, err := strconv.Atoi(size); err != nil || n < was {
		return invalid("sizeGb", size, "Must be larger than the current size.")
	}
	o["sizeGb"] = size
	return nil
}

func createSnapshot(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, missing(c, c.Path)
	}
	o := store.Clone(c.Body)
	o["sourceDisk"] = api.Link(c.Path)
	path := "projects/" + c.Project.ID + "/global/snapshots/" + api.String(o, "name")
	if _, there := c.Tx.Get(c.KeyOf(path)); there {
		return nil, generic.Existing(c, path)
	}
	o, err := inner(c, "compute.snapshots.insert", path, o)
	if err != nil {
		return nil, err
	}
	return done(c, path, o)
}
