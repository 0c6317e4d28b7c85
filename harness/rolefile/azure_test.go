package rolefile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/grant"
)

// onScopes is a set that is assigned in several places.
var onScopes = grant.Of(
	grant.Grant{Permission: "Microsoft.Resources/subscriptions/resourceGroups/write", Resource: "*"},
	grant.Grant{Permission: "Microsoft.Network/networkInterfaces/write", Resource: "/subscriptions/{subscription}/resourceGroups/{team}-rg"},
	grant.Grant{Permission: "Microsoft.KeyVault/vaults/secrets/getSecret/action", Resource: "/subscriptions/{subscription}/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/v"},
)

// A role that is assigned in several places is several definitions, and its assignments
// are written with their scopes, in Terraform and for az.
func TestAssignments(t *testing.T) {
	groups := []Group{{Name: "applier", Description: "needed by apply (init)", Set: onScopes}}
	var script []byte
	for _, format := range []Format{Native, Terraform, ARM} {
		o := Options{Cloud: "azure", Format: format, Prefix: "acme-"}
		if format != Terraform {
			o.Values = map[string]string{"team": "it's", "subscription": "00000000-0000-0000-0000-000000000000"}
		}
		files, err := Write(groups, o)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			fmt.Fprintf(&all, "== %s, roles %v, on %q\n%s", f.Name, f.Roles, f.On, f.Content)
			if strings.HasSuffix(f.Name, assignExt) {
				script = f.Content
			}
		}
		goldentest.File(t, filepath.Join("testdata", "azure-scoped-"+string(format)+".txt"), all.String(), *update)
	}

	// What the shell makes of it: one assignment of each definition, on its scope.
	dir := t.TempDir()
	for name, text := range map[string]string{"az": "#!/bin/sh\nprintf '%s ' \"$@\"\necho\n", "assign.sh": string(script)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "assign.sh"), "object-id")
	cmd.Env = []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	line := func(n int, scope string) string {
		return fmt.Sprintf("role assignment create --assignee-object-id object-id --assignee-principal-type ServicePrincipal --role acme-applier-%d --scope /subscriptions/00000000-0000-0000-0000-000000000000%s \n", n, scope)
	}
	want := line(1, "") + line(2, "/resourceGroups/it's-rg") + line(3, "/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/v")
	if diff := cmp.Diff(want, string(out)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "assign.sh")).Run(); err == nil {
		t.Error("nobody was named, and roles were assigned")
	}

	// A role on the whole subscription is as it ever was.
	files, err := Write([]Group{{Name: "a", Set: grant.Of(grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: "*"})}}, Options{Cloud: "azure", Format: Terraform})
	if err != nil || strings.Contains(string(files[0].Content), "assignment") {
		t.Errorf("%v\n%s", err, files[0].Content)
	}
}
