package words

import "testing"

func TestCanonical(t *testing.T) {
	for s, want := range map[string]string{
		"compute.instances.create":                         "compute.instances.create",
		"iam.serviceaccounts.actAs":                        "iam.serviceAccounts.actAs",
		"iam.serviceaccounts.actas":                        "iam.serviceAccounts.actAs",
		"iam.googleapis.com/denypolicies.create":           "iam.denypolicies.create",
		"cloudresourcemanager.googleapis.com/projects.get": "resourcemanager.projects.get",
		"secretmanager.versi\n  ons.access":                "secretmanager.versions.access",
		"compute.instances":                                "",
		"compute.*":                                        "",
		"roles/viewer":                                     "",
		"Compute.instances.get":                            "",
		"storage.googleapis.com":                           "",
		"android.permission.INTERNET":                      "",
		"a.b.c.d.e.f.g":                                    "",
		"":                                                 "",
	} {
		got, ok := Canonical(s)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Canonical(%q) = %q, %v", s, got, ok)
		}
	}
}

// What a user can choose, a name or a message, never stands for the service's
// own words.
func TestReadBeginsTheMessage(t *testing.T) {
	for message, want := range map[string]string{
		"Required 'compute.networks.get' permission for 'projects/p'":                          "compute.networks.get",
		" Google Compute Engine: Required 'compute.networks.get' permission for 'projects/p'.": "compute.networks.get",
		"Access Denied: Dataset p:d: Permission bigquery.tables.create denied on dataset p:d":  "bigquery.tables.create",
		"The resource 'Required 'compute.networks.get' permission for 'x'' was not found":      "",
		"name: Required 'compute.networks.get' permission":                                     "",
		"Access Denied: Dataset p d: x: Permission bigquery.tables.create denied":              "",
		"Invalid value: Permission 'iam.roles.create' denied on resource 'x'":                  "",
		"": "",
	} {
		got := ""
		for _, s := range Read(message) {
			got += s.Permission
		}
		if got != want {
			t.Errorf("Read(%q) = %q, want %q", message, got, want)
		}
	}
}

func TestResource(t *testing.T) {
	for rest, want := range map[string]string{
		" on resource 'projects/p/secrets/s' (or it may not exist).": "projects/p/secrets/s",
		" on resource (or it may not exist)":                         "",
		" on resource":                                               "",
		" for 'projects/p'More details:":                             "projects/p",
		" for 'projects/p/zones/z":                                   "projects/p/zones/z",
		" on project: 'p'":                                           "project p",
		" in project example.com:p.":                                 "project example.com:p",
		" on service account a@p.iam.gserviceaccount.com (or it may not exist)": "a@p.iam.gserviceaccount.com",
		" on service account 123":                              "service account 123",
		" on dataset p:d (or it may not exist)., accessDenied": "dataset p:d",
		", forbidden": "",
		"":            "",
	} {
		if got, end := resource(rest); got != want || end > len(rest) {
			t.Errorf("resource(%q) = %q, %d", rest, got, end)
		}
	}
}
