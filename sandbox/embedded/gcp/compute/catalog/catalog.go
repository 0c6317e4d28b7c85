// Package catalog holds what Compute Engine has before anybody makes anything:
// regions, zones, machine and disk types, and public images.
package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// Regions are the regions and the letters of their zones. Source: Compute
// Engine, "Regions and zones".
var Regions = []struct{ Name, Zones string }{
	{"asia-east1", "abc"}, {"asia-northeast1", "abc"}, {"asia-southeast1", "abc"}, {"australia-southeast1", "abc"},
	{"europe-north1", "abc"}, {"europe-west1", "bcd"}, {"europe-west2", "abc"}, {"europe-west3", "abc"}, {"europe-west4", "abc"},
	{"us-central1", "abcf"}, {"us-east1", "bcd"}, {"us-east4", "abc"}, {"us-west1", "abc"}, {"us-west2", "abc"},
}

// machines are machine types: vCPUs and memory in MiB. Source: Compute Engine,
// "Machine families resource and comparison guide".
var machines = map[string][2]int{
	"e2-micro": {2, 1024}, "e2-small": {2, 2048}, "e2-medium": {2, 4096}, "e2-standard-2": {2, 8192}, "e2-standard-4": {4, 16384},
	"e2-standard-8": {8, 32768}, "e2-standard-16": {16, 65536}, "f1-micro": {1, 614}, "g1-small": {1, 1740},
	"n1-standard-1": {1, 3840}, "n1-standard-2": {2, 7680}, "n1-standard-4": {4, 15360}, "n1-standard-8": {8, 30720}, "n1-standard-16": {16, 61440},
	"n2-standard-2": {2, 8192}, "n2-standard-4": {4, 16384}, "n2-standard-8": {8, 32768}, "n2-standard-16": {16, 65536},
	"n2d-standard-2": {2, 8192}, "n2d-standard-4": {4, 16384}, "c2-standard-4": {4, 16384}, "c2-standard-8": {8, 32768},
	"t2d-standard-1": {1, 4096}, "t2d-standard-2": {2, 8192}, "c3-standard-4": {4, 16384},
}

var diskTypes = map[string]string{"pd-standard": "Standard Persistent Disk", "pd-ssd": "SSD Persistent Disk",
	"pd-balanced": "Balanced Persistent Disk", "pd-extreme": "Extreme Persistent Disk", "local-ssd": "Local SSD"}

// images are public images: project, family, name and size in GB.
var images = []struct {
	project, family, name string
	size                  int
}{
	{"debian-cloud", "debian-10", "debian-10-buster-v20220118", 10},
	{"debian-cloud", "debian-11", "debian-11-bullseye-v20220118", 10},
	{"debian-cloud", "debian-12", "debian-12-bookworm-v20240110", 10},
	{"ubuntu-os-cloud", "ubuntu-1804-lts", "ubuntu-1804-bionic-v20220131", 10},
	{"ubuntu-os-cloud", "ubuntu-2004-lts", "ubuntu-2004-focal-v20220118", 10},
	{"ubuntu-os-cloud", "ubuntu-2204-lts", "ubuntu-2204-jammy-v20230114", 10},
	{"gke-node-images", "gke-1-33-cos", "gke-13335-gke1080000-cos-121-18867-199-38-c-pre", 10},
	{"cos-cloud", "cos-stable", "cos-stable-93-16623-102-5", 10},
	{"rocky-linux-cloud", "rocky-linux-8", "rocky-linux-8-v20220126", 20},
	{"centos-cloud", "centos-7", "centos-7-v20220126", 20},
}

// Zone tells whether a zone is one of ours.
func Zone(name string) bool {
	for _, r := range Regions {
		for _, letter := range r.Zones {
			if name == r.Name+"-"+string(letter) {
				return true
			}
		}
	}
	return false
}

// Seed puts regions, zones and images into the state.
func Seed(tx *store.Tx, project string) {
	for i, r := range Regions {
		region := "projects/" + project + "/regions/" + r.Name
		zones := []any{}
		for j, letter := range r.Zones {
			zone := r.Name + "-" + string(letter)
			path := "projects/" + project + "/zones/" + zone
			zones = append(zones, api.Link(path))
			tx.Put("compute/"+path, store.Object{"kind": "compute#zone", "id": strconv.Itoa(2000 + 10*i + j), "name": zone, "description": zone,
				"status": "UP", "region": api.Link(region), "selfLink": api.Link(path), "creationTimestamp": created,
				"availableCpuPlatforms": []any{"Intel Broadwell", "Intel Skylake", "AMD Rome"}})
		}
		tx.Put("compute/"+region, store.Object{"kind": "compute#region", "id": strconv.Itoa(1000 + i), "name": r.Name, "description": r.Name,
			"status": "UP", "zones": zones, "selfLink": api.Link(region), "creationTimestamp": created,
			"quotas": []any{store.Object{"metric": "CPUS", "limit": 2400.0, "usage": 0.0}}})
	}
	for i, image := range images {
		path := "projects/" + image.project + "/global/images/" + image.name
		tx.Put("compute/"+path, store.Object{"kind": "compute#image", "id": strconv.Itoa(5000 + i), "name": image.name, "family": image.family,
			"status": "READY", "diskSizeGb": strconv.Itoa(image.size), "archiveSizeBytes": "1000000000", "sourceType": "RAW",
			"selfLink": api.Link(path), "creationTimestamp": created, "labelFingerprint": api.Fingerprint(nil),
			"guestOsFeatures": []any{store.Object{"type": "VIRTIO_SCSI_MULTIQUEUE"}, store.Object{"type": "UEFI_COMPATIBLE"}}})
	}
}

const created = "2022-01-18T00:00:00.000-08:00"

// Type finds a machine type or disk type by its path.
func Type(path string) (store.Object, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 6 || parts[2] != "zones" || !Zone(parts[3]) {
		return nil, false
	}
	name := parts[5]
	o := store.Object{"name": name, "selfLink": api.Link(path), "zone": parts[3], "creationTimestamp": "1969-12-31T16:00:00.000-08:00"}
	switch parts[4] {
	case "machineTypes":
		size, ok := machine(name)
		if !ok {
			return nil, false
		}
		o["kind"], o["guestCpus"], o["memoryMb"] = "compute#machineType", float64(size[0]), float64(size[1])
		o["id"] = strconv.Itoa(size[0]*100000 + size[1])
		o["description"] = fmt.Sprintf("%d vCPU, %d MB RAM", size[0], size[1])
		o["maximumPersistentDisks"], o["maximumPersistentDisksSizeGb"], o["isSharedCpu"] = 128.0, "263168", size[1] < 2048
	case "diskTypes":
		description, ok := diskTypes[name]
		if !ok {
			return nil, false
		}
		o["kind"], o["description"], o["defaultDiskSizeGb"] = "compute#diskType", description, "500"
		o["validDiskSize"], o["zone"] = "10GB-65536GB", api.Link(strings.Join(parts[:4], "/"))
	default:
		return nil, false
	}
	return o, true
}

// machine is the size of a predefined or custom machine type.
func machine(name string) ([2]int, bool) {
	if size, ok := machines[name]; ok {
		return size, true
	}
	var size [2]int
	if i := strings.Index(name, "custom-"); i >= 0 {
		if _, err := fmt.Sscanf(name[i:], "custom-%d-%d", &size[0], &size[1]); err == nil {
			return size, true
		}
	}
	return size, false
}

// Types lists the machine types or disk types of a zone, by a collection's path.
func Types(collection string) []store.Object {
	var names []string
	if strings.HasSuffix(collection, "/machineTypes") {
		for name := range machines {
			names = append(names, name)
		}
	} else {
		for name := range diskTypes {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []store.Object
	for _, name := range names {
		if o, ok := Type(collection + "/" + name); ok {
			list = append(list, o)
		}
	}
	return list
}
