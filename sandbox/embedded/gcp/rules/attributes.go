package rules

import "strings"

// withAttributes are the types of which conditions see a name and a type; of all others
// both are empty ("Other services and resource types do not recognize resource
// attributes"). Source: IAM, "Resource attributes for IAM Conditions", its table of
// types, and for snapshots "Resource types that accept conditional role bindings".
var withAttributes = map[string]bool{
	"cloudkms.googleapis.com/CryptoKey":           true,
	"cloudkms.googleapis.com/CryptoKeyVersion":    true,
	"cloudkms.googleapis.com/KeyRing":             true,
	"cloudresourcemanager.googleapis.com/Project": true,
	"compute.googleapis.com/BackendService":       true,
	"compute.googleapis.com/Disk":                 true,
	"compute.googleapis.com/Firewall":             true,
	"compute.googleapis.com/Image":                true,
	"compute.googleapis.com/Instance":             true,
	"compute.googleapis.com/InstanceTemplate":     true,
	"compute.googleapis.com/Snapshot":             true,
	"container.googleapis.com/Cluster":            true,
	"iap.googleapis.com/TunnelInstance":           true,
	"secretmanager.googleapis.com/Secret":         true,
	"secretmanager.googleapis.com/SecretVersion":  true,
	"storage.googleapis.com/Bucket":               true,
	"storage.googleapis.com/Object":               true,
}

// Attributes are what a condition sees of what a need is about. A regional backend
// service has a type of its own, which is not known here.
func (n Need) Attributes() (name, kind string) {
	if !withAttributes[n.Type] || n.Type == "compute.googleapis.com/BackendService" && !strings.Contains(n.Key, "/global/") {
		return "", ""
	}
	return n.Name, n.Type
}
