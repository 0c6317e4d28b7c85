package rolefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/grant"
)

// scoped is a set on a project of Google Cloud that holds in several places.
func scoped() grant.Set {
	secret := func(name string) string {
		return `{"within":{"resource.name":"projects/{project_number}/secrets/` + name + `"}}`
	}
	return grant.Of(
		grant.Grant{Permission: "secretmanager.secrets.create", Resource: "*"},
		grant.Grant{Permission: "secretmanager.versions.access", Resource: "*", Condition: secret("{name}-a")},
		grant.Grant{Permission: "secretmanager.versions.access", Resource: "*", Condition: secret("{name}-b")},
		grant.Grant{Permission: "compute.disks.get", Resource: "*", Condition: `{"==":{"resource.type":"compute.googleapis.com/Disk"}}`},
		grant.Grant{Permission: "iam.serviceAccounts.actAs", Resource: "//iam.googleapis.com/projects/{project}/serviceAccounts/node@{project}.iam.gserviceaccount.com"},
	)
}

// A role whose permissions hold in several places is several roles, with what they are
// to be bound under.
func TestScopedRoles(t *testing.T) {
	groups := []Group{{Name: "applier", Description: "needed by apply (init)", Set: scoped()}}
	for _, format := range []Format{Native, Terraform} {
		o := Options{Cloud: "gcp", Format: format, Prefix: "acme-"}
		if format == Native {
			_, err := Write(groups, o)
			var keys *KeysError
			if !errors.As(err, &keys) || cmp.Diff(keys.Keys, []string{"name", "project_number"}) != "" {
				t.Fatalf("%v, want the keys of conditions", err)
			}
			o.Values = map[string]string{"name": "acme", "project_number": "123456789012", "project": "my-project"}
		}
		files, err := Write(groups, o)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			fmt.Fprintf(&all, "== %s, roles %v, on %q, if %q\n%s", f.Name, f.Roles, f.On, f.Condition, f.Content)
		}
		golden := filepath.Join("testdata", "gcp-scoped-"+string(format)+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if diff := cmp.Diff(string(want), all.String()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", golden, err, diff)
		}
	}
	if _, err := Write(groups, Options{Cloud: "gcp", Format: List}); err == nil || !strings.Contains(err.Error(), "no way to say a condition") {
		t.Errorf("a list: %v", err)
	}
	aws := grant.Of(grant.Grant{Permission: "compute.disks.get", Resource: "*", Condition: `{"StringEquals":{"a":"b"}}`})
	if _, err := Write([]Group{{Name: "a", Set: aws}}, Options{Cloud: "gcp", Format: Native}); err == nil {
		t.Error("a condition of AWS was written")
	}
}

// Conditions are joined only where the permissions are the same, and within IAM's limit
// of an expression.
func TestSpots(t *testing.T) {
	grants := []grant.Grant{
		{Permission: "compute.images.get", Resource: "*"}, {Permission: "compute.images.get", Resource: "*", Condition: `{"==":{"resource.name":"i"}}`},
		{Permission: "compute.images.get", Resource: "//iam.googleapis.com/projects/p/serviceAccounts/a@b"},
	}
	for i := range 20 {
		grants = append(grants, grant.Grant{Permission: "compute.disks.get", Resource: "*", Condition: fmt.Sprintf(`{"==":{"resource.name":"d-%02d"}}`, i)})
	}
	grants = append(grants, grant.Grant{Permission: "compute.disks.delete", Resource: "*", Condition: `{"==":{"resource.name":"d-03"}}`})
	all, err := spots(grant.Of(grants...))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []string
	for _, s := range all {
		sizes = append(sizes, fmt.Sprint(len(s.permissions), len(s.condition["=="]["resource.name"])))
	}
	if diff := cmp.Diff([]string{"1 0", "1 13", "2 1", "1 6"}, sizes); diff != "" {
		t.Error(diff)
	}
}
