package doing

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestTold(t *testing.T) {
	for text, want := range map[string]refusal.Call{
		"Error: creating EC2 VPC: |DENIED|": {Verb: "create", Noun: "EC2 VPC"},
		"Error creating machine: Error in driver during machine creation: Error launching instance: |DENIED|":                                      {Verb: "create", Noun: "instance"},
		"Error: Error when reading or editing SQL User \"a\" in instance \"b\": |DENIED|\n\nwith module.a.google_sql_user.default[0],\non main.tf": {Verb: "read", Noun: "SQL User", Type: "google_sql_user"},
		"* google_project_service.x: Error enabling service: Error waiting for apis [\"x\"] to be enabled: |DENIED|":                               {Verb: "enable", Noun: "service", Type: "google_project_service"},
		"waiting for apis: |DENIED|":                                                     {Verb: "read", Noun: "apis"},
		"|DENIED|\n\n  with data.azurerm_key_vault.kv,\n":                                {Verb: "read", Type: "azurerm_key_vault"},
		"step: creating keypair\n\n\n|DENIED|":                                           {Verb: "create", Noun: "keypair"},
		"creating a\n" + strings.Repeat("x", 300) + "\n|DENIED|":                         {},
		"|DENIED|\nError: x\nwith aws_vpc.main,":                                         {},
		"|DENIED|":                                                                       {},
		"Error applying IAM policy for storage bucket \"b/acme-site\": x failed: |D|":    {Verb: "put", Noun: "IAM policy for storage bucket"},
		"Request `Create IAM Members roles/editor` returned error: |DENIED|":             {Verb: "create", Noun: "IAM Members roles/editor"},
		"Error retrieving IAM policy for pubsub topic \"projects/p/topics/t\": |DENIED|": {Verb: "read", Noun: "IAM policy for pubsub topic"},
	} {
		parts := strings.SplitN(text, "|", 3)
		s := strings.Join(parts, "")
		at := Around(s, len(parts[0]), len(parts[0])+len(parts[1]))
		got := at.Told()
		if (got == refusal.Call{}) {
			got = at.Earlier()
		}
		if got != want {
			t.Errorf("of %q: %+v, want %+v", text, got, want)
		}
	}
}
