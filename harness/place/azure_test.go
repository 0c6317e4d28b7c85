package place

import (
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// On Azure a grant is on the whole subscription, and what is refused in another
// scope is granted by no role of this one.
func TestAzureScopes(t *testing.T) {
	const ours, other = "01234567-89ab-cdef-0123-456789abcdef", "11234567-89ab-cdef-0123-456789abcdef"
	for _, tt := range []struct{ resource, elsewhere string }{
		{"/subscriptions/" + ours + "/resourceGroups/rg", ""},
		{"/SUBSCRIPTIONS/01234567-89AB-cdef-0123-456789abcdef", ""},
		{"/subscriptions/" + other + "/resourceGroups/rg", "/subscriptions/" + other},
		{"/providers/Microsoft.Management/managementGroups/m", "/providers/Microsoft.Management/managementGroups/m"},
		{"/", "/"},
		{"", ""},
	} {
		d := refusal.Denial{Cloud: refusal.Azure, Reason: refusal.MissingPermission, Permission: "Microsoft.Network/virtualNetworks/read", Resource: tt.resource}
		if got, yes := Elsewhere(d, ours); yes != (tt.elsewhere != "") || yes && got != tt.elsewhere {
			t.Errorf("%s is elsewhere: %q, %v", tt.resource, got, yes)
		}
		if got, ok := Resource(d, nil, false); !ok || got != "*" {
			t.Errorf("%s is granted on %q, %v", tt.resource, got, ok)
		}
	}
}
