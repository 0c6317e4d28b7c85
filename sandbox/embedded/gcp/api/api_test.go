package api

import "testing"

func TestRelative(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		"https://www.googleapis.com/compute/v1/projects/other/zones/z/disks/d":   "projects/other/zones/z/disks/d",
		"https://compute.googleapis.com/compute/beta/projects/p/global/images/i": "projects/p/global/images/i",
		"/compute/v1/projects/p/zones/z/disks/d":                                 "projects/p/zones/z/disks/d",
		"projects/p/regions/r/subnetworks/s":                                     "projects/p/regions/r/subnetworks/s",
		"regions/r/subnetworks/s":                                                "projects/p/regions/r/subnetworks/s",
		"zones/z":                                                                "projects/p/zones/z",
		"global/images/family/f":                                                 "projects/p/global/images/family/f",
		"/projects/p/zones/z/disks/d":                                            "",
		"https://example.com/projects/p/zones/z/disks/d":                         "",
		"projects/p/zones/z/disks/a b":                                           "",
		"10.0.0.1":                                                               "",
	} {
		got, ok := Relative(link, "p")
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", link, got, ok)
		}
	}
}
