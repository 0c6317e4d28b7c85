package google

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/decoy/decoytest"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
)

// way leads requests to the embedded sandbox, and shows a token where it has one.
type way struct {
	gate  *sandbox.Gate
	token string
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	return embeddedtest.Way{Gate: w.gate}.RoundTrip(r)
}

// besides is what requests need besides what they are tried for.
var besides = []string{"compute.networks.updatePolicy", "compute.networks.get"}

// every is all that can be tried, on resources of the lifecycle's own: by name, or on
// one account. Wide is on all of the project.
func every(d *Decoys, wide bool) grant.Set {
	var grants []grant.Grant
	for _, k := range kinds {
		mine := d.fill(k.resource, "mine")
		for _, try := range k.tries {
			g := grant.Grant{Permission: try.permission, Resource: "*", Condition: grant.Condition{"within": {"resource.name": {mine}}}.String()}
			if strings.HasPrefix(mine, "//") {
				g.Resource, g.Condition = strings.Replace(mine, "/mine@", "/my-account@", 1), ""
			}
			if wide {
				g.Resource, g.Condition = "*", ""
			}
			grants = append(grants, g)
		}
	}
	for _, p := range besides {
		grants = append(grants, grant.Grant{Permission: p, Resource: "*"})
	}
	return grant.Of(grants...)
}

// probing gives the decoys of a gate's project, and an identity of a stack's pool there.
func probing(t *testing.T, gate *sandbox.Gate, stack string) (*Decoys, *rolegcp.Pool, harness.Identity) {
	t.Helper()
	project, number := gate.Project()
	operator, plain := &http.Client{Transport: way{gate, gate.Operator()}}, &http.Client{Transport: way{gate, ""}}
	pool, err := rolegcp.Open(t.Context(), rolegcp.Config{HTTP: operator, Plain: plain, Project: project, Stack: stack, RunID: "1",
		Poll: rolegcp.Poll{Initial: time.Millisecond, Max: 20 * time.Millisecond, Limit: 20 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	probe, err := pool.Acquire(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	return &Decoys{HTTP: operator, Plain: plain, Project: project, Number: number}, pool, probe
}

// Each kind of decoy can be made, and each attempt is refused to a role that is as
// narrow as it looks, and let through to one that is not: an attempt that is always
// refused would show nothing.
func TestDecoys(t *testing.T) {
	gate, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	decoys, pool, probe := probing(t, gate, "decoys")
	made, err := decoys.HTTP.Post("https://iam.googleapis.com/v1/projects/"+decoys.Project+"/serviceAccounts", "application/json", strings.NewReader(`{"accountId":"my-account"}`))
	if err != nil || made.StatusCode != http.StatusOK {
		t.Fatal(made, err)
	}

	try := func(s grant.Set) []harness.Trial {
		t.Helper()
		if err := decoys.Plant(t.Context(), []grant.Set{s}); err != nil {
			t.Fatal(err)
		}
		if err := probe.Role.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		trials, err := decoys.Try(t.Context(), probe, s)
		if err != nil {
			t.Fatal(err)
		}
		return trials
	}
	wide := try(every(decoys, true))
	// After the wide one: what was held on all must be gone.
	narrow := try(every(decoys, false))
	decoytest.Tell(t, narrow, wide)
	tries := 0
	for _, k := range kinds {
		tries += len(k.tries)
	}
	if len(narrow) != tries {
		t.Errorf("%d attempts, of %d that can be made", len(narrow), tries)
	}
	embeddedtest.Known(t, gate.Ledger())
	if err := pool.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
