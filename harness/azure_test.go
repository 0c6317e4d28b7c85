package harness

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	subscription = "5a4d0000-0000-4000-8000-000000000001"
	theGroup     = "/subscriptions/" + subscription + "/resourceGroups/rg"
	theVault     = theGroup + "/providers/Microsoft.KeyVault/vaults/v"
	theAccount   = theGroup + "/providers/Microsoft.Storage/storageAccounts/"
)

// scoped is a pool that lists what is there, and counts how often it is asked.
type scoped struct {
	Pool
	ids   []string
	err   error
	asked *int
}

func (s scoped) Scopes(context.Context) ([]string, error) {
	*s.asked++
	return s.ids, s.err
}

// onSubscription is a loop on Azure whose one step holds the grants, with a resource
// group, a vault and an account there before it.
func onSubscription(t *testing.T, sc lifecycle.Scope, grants ...grant.Grant) (*loop, *scoped) {
	t.Helper()
	pool := &scoped{ids: []string{theGroup, theVault, theAccount + "old"}, asked: new(int)}
	l := newLoop(Config{Lifecycle: lifecycle.Lifecycle{Cloud: "azure", Scope: sc, Steps: []lifecycle.Step{{Name: "apply"}}}, Account: subscription, Journal: silent{}, Pool: pool})
	for _, g := range grants {
		l.result.Steps[0].Entries = append(l.result.Steps[0].Entries, Entry{Grant: g})
	}
	var err error
	if l.place, err = l.placing(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l, pool
}

func TestPlacingOnAzure(t *testing.T) {
	if l, pool := onSubscription(t, ""); l.place != nil || *pool.asked > 0 {
		t.Error("without scope: the pool was asked what is there")
	}
	l, pool := onSubscription(t, lifecycle.ScopeResource)
	if l.place == nil || *pool.asked != 1 {
		t.Fatalf("asked %d times", *pool.asked)
	}
	l.Known = map[string]Known{"apply": {}}
	if _, err := l.placing(t.Context()); err == nil || !strings.Contains(err.Error(), "without --resume") {
		t.Errorf("after an interrupted run: %v", err)
	}
	l.Known, l.Pool = nil, scoped{asked: new(int), err: errors.New("away")}
	if _, err := l.placing(t.Context()); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("a list that fails: %v", err)
	}
	l.Pool = nil
	if _, err := l.placing(t.Context()); err == nil {
		t.Error("a pool that cannot tell")
	}
}

// What is refused is granted where it was, or above; what names nothing, on whose host it
// is, what the lifecycle has made included.
func TestGrantsOnAzure(t *testing.T) {
	l, pool := onSubscription(t, lifecycle.ScopeResource)
	pool.ids = append(pool.ids, theAccount+"new")
	placed, id := l.place, Identity{Credentials: anybody{}}
	for _, tt := range []struct {
		host   string
		denial refusal.Denial
		want   string
	}{
		{"management.azure.com", refusal.Denial{Permission: "Microsoft.Network/virtualNetworks/write", Resource: theGroup + "/providers/Microsoft.Network/virtualNetworks/n"}, theGroup},
		{"management.azure.com", refusal.Denial{Permission: "Microsoft.Authorization/roleAssignments/write", Resource: strings.ToLower(theVault) + "/providers/Microsoft.Authorization/roleAssignments/x"}, theVault},
		{"management.azure.com", refusal.Denial{Permission: "Microsoft.Resources/subscriptions/resourceGroups/write", Resource: theGroup + "-new"}, "*"},
		{"v.vault.azure.net", refusal.Denial{Permission: "Microsoft.KeyVault/vaults/secrets/getSecret/action", Resource: strings.ToLower(theVault) + "/secrets/one"}, theVault},
		{"v.vault.azure.net", refusal.Denial{Candidates: []string{"Microsoft.KeyVault/vaults/secrets/getSecret/action"}}, theVault},
		{"old.blob.core.windows.net", refusal.Denial{Candidates: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/read"}}, theAccount + "old"},
		{"new.blob.core.windows.net", refusal.Denial{Candidates: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/read"}}, theGroup},
		{"new.blob.core.windows.net", refusal.Denial{Candidates: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/write"}}, theGroup},
		{"else.blob.core.windows.net", refusal.Denial{Candidates: []string{"Microsoft.Storage/storageAccounts/blobServices/containers/read"}}, "*"},
	} {
		tt.denial.Cloud, tt.denial.Reason = refusal.Azure, refusal.MissingPermission
		if tt.denial.Permission == "" {
			tt.denial.Reason = refusal.OpaqueDenial
		}
		x := refusal.Exchange{Method: "GET", URL: &url.URL{Scheme: "https", Host: tt.host, Path: "/x"}, Status: 403}
		for _, ground := range []*place.Ground{placed, nil} {
			l.place = ground
			arb := l.newArbiter(t.Context(), l.Lifecycle.Steps[0], passGrow, hold, id, grant.Set{})
			dec := arb.decide(x, ground.Located(t.Context(), x, tt.denial))
			want := tt.want
			if ground == nil { // without scope: as it ever was
				want = "*"
			}
			if len(dec.Grants) != 1 || dec.Grants[0].Resource != want {
				t.Errorf("%s %v: %v, want on %s", tt.host, tt.denial, dec.Grants, want)
			}
		}
	}
	if *pool.asked != 3 { // before, and of the two accounts that were not there then
		t.Errorf("the list was asked for %d times", *pool.asked)
	}
}

// anybody are credentials of whoever is named.
type anybody struct{ Credentials }

func (anybody) Is(string) bool { return true }

func TestDecoysOnAzure(t *testing.T) {
	const write = "Microsoft.Network/networkSecurityGroups/write"
	decoy := strings.Replace(theGroup, "/rg", "/whittle-decoy", 1) + "/providers/Microsoft.Network/networkSecurityGroups/d"
	for _, tt := range []struct {
		name  string
		scope lifecycle.Scope
		on    string
		why   string // that growth saw
		want  string // empty fails
	}{
		{name: "the assignment holds elsewhere", scope: lifecycle.ScopeResource, on: theGroup},
		{name: "the scope is left out", scope: lifecycle.ScopeResource, on: "*"},
		{name: "the group was made", scope: lifecycle.ScopeResource, on: "*", why: scope.NotThere, want: scope.NotThere},
		{name: "all was asked for", scope: lifecycle.ScopeAction, on: "*", want: "scope: action"},
	} {
		l, _ := onSubscription(t, tt.scope, grant.Grant{Permission: write, Resource: tt.on})
		if tt.why != "" {
			l.place.Of(refusal.Exchange{}, "apply")(write, decoy)
		}
		l.Decoys = tries{{Permission: write, Resource: decoy, Allowed: true}}
		err := l.tryDecoys(t.Context())
		var open *DecoyError
		if errors.As(err, &open) != (tt.want == "") || len(l.result.Trials) != 1 || l.result.Trials[0].Why != tt.want {
			t.Errorf("%s: %v, %+v", tt.name, err, l.result.Trials)
		}
	}
}

// tries are what became of requests for decoys.
type tries []Trial

func (tries) Plant(context.Context, []grant.Set) error { return nil }

func (s tries) Try(context.Context, Identity, grant.Set) ([]Trial, error) { return s, nil }

// What a trusted tool prints is granted where it says, and no wider than a refusal.
func TestHintsOnAzure(t *testing.T) {
	l, _ := onSubscription(t, lifecycle.ScopeResource)
	l.Lifecycle.TrustOutput = true
	out := Outcome{Output: "Error: AuthorizationFailed: The client 'x' with object id 'y' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/write' over scope '" + theGroup + "/providers/Microsoft.Network/virtualNetworks/n' or the scope is invalid."}
	for _, ground := range []*place.Ground{l.place, nil} {
		want := theGroup
		if ground == nil {
			want = "*"
		}
		wanted := l.hinted(out, decide.Rules{Rehearsal: true, Place: ground.Said()}, grant.Set{})
		if len(wanted) != 1 || wanted[0].Grant.Resource != want {
			t.Errorf("%v, want on %s", wanted, want)
		}
	}
}

// Of an interrupted run only what growth would grant now is believed, and what stays on
// the subscription is listed.
func TestEntriesOnAzure(t *testing.T) {
	const read, write = "Microsoft.Network/virtualNetworks/read", "Microsoft.Network/virtualNetworks/write"
	l, _ := onSubscription(t, lifecycle.ScopeResource)
	known := []Entry{{Grant: grant.Grant{Permission: read, Resource: "*"}}, {Grant: grant.Grant{Permission: read, Resource: theGroup}}, {Grant: grant.Grant{Permission: read, Resource: theGroup + "2"}}}
	if got := l.trusted(lifecycle.Step{Name: "apply"}, known); len(got) != 1 || got[0].Grant.Resource != theGroup {
		t.Errorf("trusted: %v", got)
	}
	l.names["rg"] = "r"
	if g := known[1].Grant; place.Unnamed(g, l.names) != g {
		t.Errorf("what was there before is called %v", place.Unnamed(g, l.names))
	}
	l, _ = onSubscription(t, lifecycle.ScopeResource, grant.Grant{Permission: read, Resource: "*"}, grant.Grant{Permission: write, Resource: "*"}, grant.Grant{Permission: write, Resource: theGroup})
	l.place.Of(refusal.Exchange{}, "apply")(write, theGroup+"2")
	want := []Whole{{scope.NotThere, []string{write}}, {"the role begins with it", []string{read}}}
	if diff := cmp.Diff(want, l.whole()); diff != "" {
		t.Error(diff)
	}
}
