package iam

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCondition(t *testing.T) {
	a := attributes{Resource{Name: "projects/p/zones/z/instances/web-1", Type: "compute.googleapis.com/Instance"}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	for expression, want := range map[string]any{
		`resource.name.startsWith("projects/p/zones/z/instances/web-")`: true,
		`resource.type == "compute.googleapis.com/Instance" && !false`:  true,
		`resource.type != 'compute.googleapis.com/Disk'`:                true,
		`resource.service == "compute.googleapis.com"`:                  true,
		`resource.name.endsWith("x") || resource.name.contains("web")`:  true,
		`resource.name.extract("instances/{name}") == "web-1"`:          true,
		`resource.name.extract("zones/{zone}/instances") in ["a", "z"]`: true,
		`request.time < timestamp("2027-01-01T00:00:00Z")`:              true,
		`!(resource.name.matches("web-[0-9]$"))`:                        false,
		`resource.type == "x" && resource.matchTag("a", "b")`:           nil,
		`resource.name`: nil, `resource.name == 3`: nil, ``: nil, `true true`: nil, `(true`: nil, `has(resource.name)`: nil,
		`api.getAttribute("x", [])`: nil, `resource.name.startsWith("a\n")`: nil,
	} {
		got, err := evaluate(expression, a)
		if (err != nil) != (want == nil) || err == nil && got != want {
			t.Errorf("%s is %v %v, want %v", expression, got, err, want)
		}
	}
}

// Whatever is asked, there is an answer or an error, and no panic; an error
// never comes with true.
func FuzzCondition(f *testing.F) {
	f.Add(`resource.name.startsWith("x") && (true || !false)`)
	f.Add(`resource.name.extract("{") in [`)
	f.Fuzz(func(t *testing.T, expression string) {
		if ok, err := evaluate(expression, attributes{}); ok && err != nil {
			t.Errorf("%q is true, and an error: %v", expression, err)
		}
	})
}

// A permission is held on a resource when, and only when, a binding on it or
// above it has the member and a role with the permission.
func TestDecide(t *testing.T) {
	keys := []string{"compute/projects/p/zones/z/instances/i", "compute/projects/p/global/networks/n", "storage/b/bucket/o/a/b", "storage/b/bucket", "cloudresourcemanager/projects/p"}
	above := map[string][]string{
		keys[0]: {keys[0], keys[4]}, keys[1]: {keys[1], keys[4]}, keys[2]: {keys[2], keys[3], keys[4]}, keys[3]: {keys[3], keys[4]}, keys[4]: {keys[4]},
	}
	rapid.Check(t, func(t *rapid.T) {
		v := &View{project: "p", policies: map[string][]binding{}, roles: map[string]map[string]bool{"projects/p/roles/r": {"a.b.c": true}}}
		has := map[string]bool{}
		for _, key := range keys {
			if rapid.Bool().Draw(t, key) {
				member := rapid.SampledFrom([]string{"user:a", "user:b"}).Draw(t, "member")
				role := rapid.SampledFrom([]string{"projects/p/roles/r", "projects/p/roles/none", "roles/none"}).Draw(t, "role")
				v.policies[key] = []binding{{role: role, members: []string{member}}}
				has[key] = member == "user:a" && role == "projects/p/roles/r"
			}
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		want := false
		for _, k := range above[key] {
			want = want || has[k]
		}
		got, err := v.Decide("user:a", "a.b.c", Resource{Key: key}, time.Time{})
		if err != nil || got != want {
			t.Fatalf("%s: %v %v, want %v", key, got, err, want)
		}
		if other, _ := v.Decide("user:a", "a.b.c", Resource{Key: "compute/projects/q/global/networks/n"}, time.Time{}); other {
			t.Fatal("granted in another project")
		}
	})
}

func TestPredefined(t *testing.T) {
	for _, tt := range []struct {
		role, permission string
		want             bool
	}{
		{"roles/owner", "resourcemanager.projects.setIamPolicy", true},
		{"roles/editor", "compute.instances.create", true},
		{"roles/editor", "resourcemanager.projects.setIamPolicy", false},
		{"roles/viewer", "compute.instances.get", true},
		{"roles/viewer", "compute.instances.create", false},
		{"roles/storage.objectViewer", "storage.objects.get", true},
		{"roles/storage.objectViewer", "storage.objects.create", false},
		{"roles/compute.viewer", "compute.firewalls.list", true},
		{"roles/none", "compute.firewalls.list", false},
	} {
		if got := Grants(tt.role, tt.permission); got != tt.want {
			t.Errorf("%s grants %s: %v", tt.role, tt.permission, got)
		}
	}
}
