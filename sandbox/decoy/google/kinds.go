package google

// kind is a type of resource that decoys are made of.
type kind struct {
	name     string
	resource string // as a grant's condition, or its resource, names it
	make     []request
	tries    []attempt
}

// request is one to an API: {name} is the decoy's name, {project}, {number} and {zone} are
// the project's and a zone's.
type request struct{ method, url, body string }

// attempt is a request for a decoy by a permission.
type attempt struct {
	permission string
	request
	// asks says that it is testIamPermissions, in which the identity asks what it
	// holds: for what no request of its own needs alone.
	asks bool
}

const (
	zone      = "us-central1-a"
	iam       = "https://iam.googleapis.com/v1/projects/{project}/serviceAccounts"
	account   = iam + "/{name}@{project}.iam.gserviceaccount.com"
	creds     = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{name}@{project}.iam.gserviceaccount.com"
	secrets   = "https://secretmanager.googleapis.com/v1/projects/{project}/secrets"
	secret    = secrets + "/{name}"
	buckets   = "https://storage.googleapis.com/storage/v1/b"
	bucket    = buckets + "/{name}"
	upload    = "https://storage.googleapis.com/upload/storage/v1/b/{name}/o?uploadType=media&name="
	compute   = "https://compute.googleapis.com/compute/v1/projects/{project}"
	zonal     = compute + "/zones/{zone}"
	rings     = "https://cloudkms.googleapis.com/v1/projects/{project}/locations/global/keyRings"
	ring      = rings + "/{name}"
	key       = ring + "/cryptoKeys/{name}"
	version   = key + "/cryptoKeyVersions/1"
	network   = `{"name":"{name}","autoCreateSubnetworks":true}`
	symmetric = `{"purpose":"ENCRYPT_DECRYPT"}`
	clusters  = "https://container.googleapis.com/v1/projects/{project}/locations/{zone}/clusters"
	nobody    = `{"policy":{"bindings":[]}}`
	instance  = `"machineType":"zones/{zone}/machineTypes/e2-micro","disks":[{"boot":true,"autoDelete":true,"initializeParams":{"sourceImage":"projects/debian-cloud/global/images/family/debian-11"}}],"networkInterfaces":[{"network":"global/networks/{name}"}]`
)

func get(permission, url string) attempt {
	return attempt{permission: permission, request: request{"GET", url, ""}}
}

func post(permission, url, body string) attempt {
	return attempt{permission: permission, request: request{"POST", url, body}}
}

func patch(permission, url, body string) attempt {
	return attempt{permission: permission, request: request{"PATCH", url, body}}
}

func remove(permission, url string) attempt {
	return attempt{permission: permission, request: request{"DELETE", url, ""}}
}

// kinds are the types, with what can be tried on each: what takes it away comes last.
// Which permission a method needs is said in each service's "Access control with IAM".
var kinds = []kind{
	{
		name: "service account", resource: "//iam.googleapis.com/projects/{project}/serviceAccounts/{name}@{project}.iam.gserviceaccount.com",
		make: []request{{"POST", iam, `{"accountId":"{name}"}`}},
		tries: []attempt{
			get("iam.serviceAccounts.get", account),
			{"iam.serviceAccounts.actAs", request{"POST", account + ":testIamPermissions", `{"permissions":["iam.serviceAccounts.actAs"]}`}, true},
			post("iam.serviceAccounts.getAccessToken", creds+":generateAccessToken", `{"scope":["https://www.googleapis.com/auth/cloud-platform"]}`),
			post("iam.serviceAccounts.getIamPolicy", account+":getIamPolicy", `{}`),
			post("iam.serviceAccounts.setIamPolicy", account+":setIamPolicy", nobody),
			patch("iam.serviceAccounts.update", account, `{"serviceAccount":{"displayName":"a decoy"},"updateMask":"displayName"}`),
			post("iam.serviceAccountKeys.create", account+"/keys", `{}`),
			get("iam.serviceAccountKeys.list", account+"/keys"),
			remove("iam.serviceAccounts.delete", account),
		},
	},
	{
		name: "secret", resource: "projects/{number}/secrets/{name}",
		make: []request{{"POST", secrets + "?secretId={name}", `{"replication":{"automatic":{}}}`}, {"POST", secret + ":addVersion", `{"payload":{"data":"ZGVjb3k="}}`}},
		tries: []attempt{
			get("secretmanager.secrets.get", secret),
			get("secretmanager.versions.list", secret+"/versions"),
			get("secretmanager.versions.get", secret+"/versions/1"),
			get("secretmanager.versions.access", secret+"/versions/1:access"),
			get("secretmanager.secrets.getIamPolicy", secret+":getIamPolicy"),
			post("secretmanager.secrets.setIamPolicy", secret+":setIamPolicy", nobody),
			post("secretmanager.versions.add", secret+":addVersion", `{"payload":{"data":"ZGVjb3k="}}`),
			patch("secretmanager.secrets.update", secret+"?updateMask=labels", `{"labels":{"decoy":"true"}}`),
			post("secretmanager.versions.disable", secret+"/versions/1:disable", `{}`),
			post("secretmanager.versions.enable", secret+"/versions/1:enable", `{}`),
			post("secretmanager.versions.destroy", secret+"/versions/1:destroy", `{}`),
			remove("secretmanager.secrets.delete", secret),
		},
	},
	{
		name: "bucket", resource: "projects/_/buckets/{name}",
		make: []request{{"POST", buckets + "?project={project}", `{"name":"{name}"}`}, {"POST", upload + "decoy", `{}`}},
		tries: []attempt{
			get("storage.buckets.get", bucket),
			get("storage.buckets.getIamPolicy", bucket+"/iam"),
			{"storage.buckets.setIamPolicy", request{"PUT", bucket + "/iam", `{"bindings":[]}`}, false},
			get("storage.objects.list", bucket+"/o"),
			get("storage.objects.get", bucket+"/o/decoy"),
			post("storage.objects.create", upload+"other", `{}`),
			patch("storage.buckets.update", bucket, `{"labels":{"decoy":"true"}}`),
			remove("storage.objects.delete", bucket+"/o/decoy"),
			remove("storage.buckets.delete", bucket),
		},
	},
	{
		name: "key ring", resource: "projects/{project}/locations/global/keyRings/{name}",
		make: []request{{"POST", rings + "?keyRingId={name}", `{}`}},
		tries: []attempt{
			get("cloudkms.keyRings.get", ring),
			get("cloudkms.keyRings.getIamPolicy", ring+":getIamPolicy"),
			post("cloudkms.keyRings.setIamPolicy", ring+":setIamPolicy", nobody),
			get("cloudkms.cryptoKeys.list", ring+"/cryptoKeys"),
			post("cloudkms.cryptoKeys.create", ring+"/cryptoKeys?cryptoKeyId={name}", symmetric),
		},
	},
	{
		name: "key", resource: "projects/{project}/locations/global/keyRings/{name}/cryptoKeys/{name}",
		make: []request{{"POST", rings + "?keyRingId={name}", `{}`}, {"POST", ring + "/cryptoKeys?cryptoKeyId={name}", symmetric}},
		tries: []attempt{
			get("cloudkms.cryptoKeys.get", key),
			get("cloudkms.cryptoKeys.getIamPolicy", key+":getIamPolicy"),
			post("cloudkms.cryptoKeys.setIamPolicy", key+":setIamPolicy", nobody),
			patch("cloudkms.cryptoKeys.update", key+"?updateMask=labels", `{"labels":{"decoy":"true"}}`),
			post("cloudkms.cryptoKeyVersions.useToEncrypt", key+":encrypt", `{"plaintext":"ZGVjb3k="}`),
			// Of what no key has encrypted: who may decrypt is told that it is that.
			post("cloudkms.cryptoKeyVersions.useToDecrypt", key+":decrypt", `{"ciphertext":"ZGVjb3k="}`),
			get("cloudkms.cryptoKeyVersions.list", key+"/cryptoKeyVersions"),
			get("cloudkms.cryptoKeyVersions.get", version),
			post("cloudkms.cryptoKeyVersions.create", key+"/cryptoKeyVersions", `{}`),
			patch("cloudkms.cryptoKeyVersions.update", version+"?updateMask=state", `{"state":"DISABLED"}`),
			post("cloudkms.cryptoKeyVersions.destroy", version+":destroy", `{}`),
			post("cloudkms.cryptoKeyVersions.restore", version+":restore", `{}`),
		},
	},
	{
		name: "cluster", resource: "projects/{project}/zones/{zone}/clusters/{name}",
		make: []request{{"POST", compute + "/global/networks", network}, {"POST", clusters, `{"cluster":{"name":"{name}","initialNodeCount":1,"network":"{name}","subnetwork":"{name}"}}`}},
		tries: []attempt{
			get("container.clusters.get", clusters+"/{name}"),
			{"container.clusters.update", request{"PUT", clusters + "/{name}", `{"update":{"desiredLoggingService":"none"}}`}, false},
			post("container.clusters.update", clusters+"/{name}/nodePools/default-pool:setSize", `{"nodeCount":2}`),
			remove("container.clusters.delete", clusters+"/{name}"),
		},
	},
	{
		name: "disk", resource: "projects/{project}/zones/{zone}/disks/{name}",
		make: []request{{"POST", zonal + "/disks", `{"name":"{name}","sizeGb":"10"}`}},
		tries: []attempt{
			get("compute.disks.get", zonal+"/disks/{name}"),
			post("compute.disks.resize", zonal+"/disks/{name}/resize", `{"sizeGb":"20"}`),
			remove("compute.disks.delete", zonal+"/disks/{name}"),
		},
	},
	{
		name: "snapshot", resource: "projects/{project}/global/snapshots/{name}",
		make: []request{{"POST", zonal + "/disks", `{"name":"{name}","sizeGb":"10"}`}, {"POST", compute + "/global/snapshots", `{"name":"{name}","sourceDisk":"projects/{project}/zones/{zone}/disks/{name}"}`}},
		tries: []attempt{
			get("compute.snapshots.get", compute+"/global/snapshots/{name}"),
			remove("compute.snapshots.delete", compute+"/global/snapshots/{name}"),
		},
	},
	{
		name: "image", resource: "projects/{project}/global/images/{name}",
		make: []request{{"POST", zonal + "/disks", `{"name":"{name}","sizeGb":"10"}`}, {"POST", compute + "/global/images", `{"name":"{name}","sourceDisk":"projects/{project}/zones/{zone}/disks/{name}"}`}},
		tries: []attempt{
			get("compute.images.get", compute+"/global/images/{name}"),
			remove("compute.images.delete", compute+"/global/images/{name}"),
		},
	},
	{
		name: "firewall rule", resource: "projects/{project}/global/firewalls/{name}",
		make: []request{{"POST", compute + "/global/networks", network}, {"POST", compute + "/global/firewalls", `{"name":"{name}","network":"global/networks/{name}","sourceRanges":["192.0.2.0/24"],"allowed":[{"IPProtocol":"tcp","ports":["22"]}]}`}},
		tries: []attempt{
			get("compute.firewalls.get", compute+"/global/firewalls/{name}"),
			patch("compute.firewalls.update", compute+"/global/firewalls/{name}", `{"description":"a decoy"}`),
			remove("compute.firewalls.delete", compute+"/global/firewalls/{name}"),
		},
	},
	{
		name: "instance template", resource: "projects/{project}/global/instanceTemplates/{name}",
		make: []request{{"POST", compute + "/global/networks", network}, {"POST", compute + "/global/instanceTemplates", `{"name":"{name}","properties":{` + template + `}}`}},
		tries: []attempt{
			get("compute.instanceTemplates.get", compute+"/global/instanceTemplates/{name}"),
			remove("compute.instanceTemplates.delete", compute+"/global/instanceTemplates/{name}"),
		},
	},
	{
		name: "instance", resource: "projects/{project}/zones/{zone}/instances/{name}",
		make: []request{{"POST", compute + "/global/networks", network}, {"POST", zonal + "/instances", `{"name":"{name}",` + instance + `}`}},
		tries: []attempt{
			get("compute.instances.get", zonal+"/instances/{name}"),
			get("compute.instances.getSerialPortOutput", zonal+"/instances/{name}/serialPort"),
			post("compute.instances.setTags", zonal+"/instances/{name}/setTags", `{"items":["decoy"]}`),
			post("compute.instances.setMetadata", zonal+"/instances/{name}/setMetadata", `{"items":[]}`),
			post("compute.instances.setLabels", zonal+"/instances/{name}/setLabels", `{"labels":{"decoy":"true"}}`),
			post("compute.instances.stop", zonal+"/instances/{name}/stop", ""),
			post("compute.instances.setMachineType", zonal+"/instances/{name}/setMachineType", `{"machineType":"zones/{zone}/machineTypes/e2-small"}`),
			post("compute.instances.start", zonal+"/instances/{name}/start", ""),
			remove("compute.instances.delete", zonal+"/instances/{name}"),
		},
	},
}

// template are an instance's properties where they say no zone.
const template = `"machineType":"e2-micro","disks":[{"boot":true,"autoDelete":true,"initializeParams":{"sourceImage":"projects/debian-cloud/global/images/family/debian-11"}}],"networkInterfaces":[{"network":"global/networks/{name}"}]`
