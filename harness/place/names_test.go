package place

import (
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
)

func TestUnnamed(t *testing.T) {
	const made = "app-20260101120000000100000001"
	names := map[string]string{made: "app-", made + "-app-20260101120000000100000002": made + "-"}
	iam := "arn:aws:iam::123456789012:"
	for resource, want := range map[string]string{
		iam + "role/" + made:            iam + "role/app-*",
		iam + "role/team/" + made:       iam + "role/team/app-*",
		"arn:aws:s3:::" + made + "/key": "arn:aws:s3:::app-*/key",
		"arn:aws:logs:us-east-1:123456789012:log-group:/x/" + made + ":*": "arn:aws:logs:us-east-1:123456789012:log-group:/x/app-*:*",
		iam + "role/app-1": iam + "role/app-1",
		iam + "role/app-":  iam + "role/app-",
		"*":                "*",
	} {
		if got := Unnamed(grant.Grant{Resource: resource}, names).Resource; got != want {
			t.Errorf("%s: got %s, want %s", resource, got, want)
		}
	}
}

// An id without a prefix of its own is a wildcard only within a name.
func TestUnnamedWithin(t *testing.T) {
	names := map[string]string{"a1b2c3d4e5": ""}
	for resource, want := range map[string]string{
		"arn:aws:logs:us-east-1:1:log-group:API-Gateway-Execution-Logs_a1b2c3d4e5/live": "arn:aws:logs:us-east-1:1:log-group:API-Gateway-Execution-Logs_*/live",
		"arn:aws:logs:us-east-1:1:log-group:a1b2c3d4e5":                                 "arn:aws:logs:us-east-1:1:log-group:a1b2c3d4e5",
		"arn:aws:logs:us-east-1:1:log-group:a1b2c3d4e5:log-stream:x-a1b2c3d4e5":         "arn:aws:logs:us-east-1:1:log-group:a1b2c3d4e5:log-stream:x-*",
		"arn:aws:s3:::a1b2c3d4e5": "arn:aws:s3:::a1b2c3d4e5",
	} {
		if got := Unnamed(grant.Grant{Resource: resource}, names).Resource; got != want {
			t.Errorf("unnamed(%q) = %q, want %q", resource, got, want)
		}
	}
}

// What the cloud made up is an end of the same length after the last hyphen, in one place
// and of one permission.
func TestMadeUp(t *testing.T) {
	on := func(permission, in, name string) grant.Grant {
		return grant.Grant{Permission: permission, Resource: "*", Condition: `{"==":{"resource.name":"projects/p/` + in + `/` + name + `"}}`}
	}
	const get, templates = "compute.instanceTemplates.get", "global/instanceTemplates"
	is := on(get, templates, "gke-acme-base-ab08fb1a")
	for _, tt := range []struct {
		was  grant.Grant
		want string
	}{
		{on(get, templates, "gke-acme-base-09c0d0ec"), "gke-acme-base-"},
		{is, ""},
		{on(get, templates, "gke-acme-base-09c0d0e"), ""},
		{on(get, templates, "gke-acme-team-09c0d0ec"), ""},
		{on(get, "global/networks", "gke-acme-base-09c0d0ec"), ""},
		{on("compute.instanceTemplates.delete", templates, "gke-acme-base-09c0d0ec"), ""},
		{grant.Grant{Permission: get, Resource: "*"}, ""},
	} {
		names, prefix := MadeUp(is, tt.was)
		if prefix != tt.want || prefix != "" && names != [2]string{"gke-acme-base-ab08fb1a", "gke-acme-base-09c0d0ec"} {
			t.Errorf("%v: %v begin with %q, want %q", tt.was, names, prefix, tt.want)
		}
	}
}
