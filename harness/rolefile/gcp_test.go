package rolefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
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
		goldentest.File(t, filepath.Join("testdata", "gcp-scoped-"+string(format)+".txt"), all.String(), *update)
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

// What is written holds what the set holds, permission by permission and name by name,
// and nothing else.
func TestSpotsHoldTheSame(t *testing.T) {
	type right struct{ permission, resource, operator, key, value string }
	rights := func(permission, resource string, c grant.Condition) (all []right) {
		if len(c) == 0 {
			return []right{{permission, resource, "", "", ""}}
		}
		for operator, keys := range c {
			for key, values := range keys {
				for _, v := range values {
					all = append(all, right{permission, resource, operator, key, v})
				}
			}
		}
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		var grants []grant.Grant
		want := map[right]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "grants") {
			g := grant.Grant{Permission: "compute.disks." + rapid.SampledFrom([]string{"get", "use", "delete"}).Draw(t, "verb"), Resource: "*"}
			c := grant.Condition{rapid.SampledFrom([]string{"==", "within", "startsWith"}).Draw(t, "operator"): {"resource.name": {fmt.Sprint("d", rapid.IntRange(0, 30).Draw(t, "name"))}}}
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				g.Resource, c = "//iam.googleapis.com/projects/p/serviceAccounts/a@b", nil
			case 1:
				c = nil
			}
			g.Condition = c.String()
			grants = append(grants, g)
		}
		set := grant.Of(grants...)
		for g := range set.All() {
			c, _ := grant.ParseCondition(g.Condition)
			if whole := (grant.Grant{Permission: g.Permission, Resource: "*"}); g == whole || !set.Has(whole) {
				for _, r := range rights(g.Permission, g.Resource, c) {
					want[r] = true
				}
			}
		}
		all, err := spots(set)
		if err != nil {
			t.Fatal(err)
		}
		got := map[right]bool{}
		for _, s := range all {
			if _, err := gcp.Expression(s.condition.String()); err != nil {
				t.Fatal(err)
			}
			for _, p := range s.permissions {
				for _, r := range rights(p, s.resource, s.condition) {
					got[r] = true
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
