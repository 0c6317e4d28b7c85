package danger

import (
	"regexp"
	"strings"
	"testing"
)

// Each row says what it knows in words that go on after "it", and from where; and
// no permission has two.
func TestRows(t *testing.T) {
	shape := regexp.MustCompile(`^([a-z][a-z0-9-]*:[A-Za-z]+|[a-z]+\.[A-Za-z]+\.[A-Za-z]+|Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/(read|write|delete|action))$`)
	for what, rows := range map[string][]row{"secrets": secretRows, "destroys": destroyRows} {
		seen := make(map[string]bool)
		for _, r := range rows {
			if len(r.source) < 10 || r.why == "" || strings.ToLower(r.why[:1]) != r.why[:1] || strings.HasSuffix(r.why, ".") {
				t.Errorf("%s: %+v", what, r)
			}
			for name := range strings.FieldsSeq(r.names) {
				if !shape.MatchString(name) {
					t.Errorf("%s: %s is no permission", what, name)
				}
				if low := strings.ToLower(name); seen[low] {
					t.Errorf("%s: %s has two rows", what, name)
				} else {
					seen[low] = true
				}
			}
		}
	}
}

func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		permission        string
		secrets, destroys string // a part of what is said, empty if nothing is
	}{
		{"secretsmanager:GetSecretValue", "values of secrets", ""},
		{"SecretsManager:getsecretvalue", "values of secrets", ""},
		{"secretmanager.versions.access", "values of secrets", ""},
		{"secretmanager.versions.list", "", ""},
		{"s3:GetObject", "Terraform state", ""},
		{"s3:DeleteObjectVersion", "", "deletes objects"},
		{"ec2:TerminateInstances", "", "instance store"},
		{"ec2:DescribeInstances", "", ""},
		{"compute.disks.delete", "", "deletes a disk"},
		{"Microsoft.Storage/storageAccounts/listKeys/action", "keys or credentials", ""},
		{"microsoft.web/sites/config/list/action", "settings", ""},
		{"Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action", "keys or credentials", ""},
		{"Microsoft.Network/virtualNetworks/subnets/join/action", "", ""},
		{"Microsoft.Resources/subscriptions/resourceGroups/delete", "", "all that is in it"},
		{"listKeys/action", "", ""},
		{"", "", ""},
	} {
		if f, ok := Secrets(tt.permission); ok != (tt.secrets != "") || !strings.Contains(f.Why, tt.secrets) {
			t.Errorf("Secrets(%q) = %+v, %t", tt.permission, f, ok)
		}
		if f, ok := Destroys(tt.permission); ok != (tt.destroys != "") || !strings.Contains(f.Why, tt.destroys) {
			t.Errorf("Destroys(%q) = %+v, %t", tt.permission, f, ok)
		}
	}
}
