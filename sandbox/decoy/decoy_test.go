package decoy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/decoy/decoytest"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
)

// every is all that can be tried, on resources of the lifecycle's own: by name, or by
// a tag where AWS makes up the id.
func every(account string, narrow bool) grant.Set {
	var grants []grant.Grant
	for _, k := range kinds {
		for _, try := range k.tries {
			g := grant.Grant{Permission: try.permission, Resource: strings.NewReplacer("{region}", "us-east-1", "{account}", account, "{}", "mine").Replace(k.arn)}
			if k.byID {
				g.Resource = strings.Replace(g.Resource, "/mine", "/*", 1)
				g.Condition = grant.Condition{"StringEquals": {"aws:ResourceTag/team": {"blue"}}}.String()
			}
			if !narrow {
				g.Resource, g.Condition = strings.NewReplacer("mine", "*").Replace(g.Resource), ""
			}
			grants = append(grants, g)
		}
	}
	for permission, made := range map[string]string{"ec2:CreateSubnet": "subnet", "ec2:CreateRouteTable": "route-table"} {
		grants = append(grants, grant.Grant{Permission: permission, Resource: "arn:aws:ec2:us-east-1:" + account + ":" + made + "/*"})
	}
	return grant.Of(grants...)
}

// Each kind of decoy can be made, and each attempt is refused to a role that is as
// narrow as it looks, and let through to one that is not: an attempt that is always
// refused would show nothing.
func TestDecoys(t *testing.T) {
	if testing.Short() {
		t.Skip("needs moto")
	}
	cloud, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DialContext, transport.TLSClientConfig.RootCAs = nil, cloud.Dial, cloud.RootCAs()
	id, secret := cloud.Operator()
	sdk := awssdk.Config{Region: cloud.Region(), HTTPClient: &http.Client{Transport: transport}, Credentials: credentials.NewStaticCredentialsProvider(id, secret, "")}
	pool, err := roleaws.Open(t.Context(), roleaws.Config{SDK: sdk, Stack: "decoys", RunID: "1", Poll: roleaws.Poll{Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond, Limit: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	probe, err := pool.Acquire(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	decoys := &AWS{SDK: sdk, Account: cloud.Account(), Owned: map[string]string{"team": "blue"}}

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
	narrow := try(every(cloud.Account(), true))
	wide := try(every(cloud.Account(), false))
	decoytest.Tell(t, narrow, wide)
	tries := 0
	for _, k := range kinds {
		tries += len(k.tries)
	}
	if len(narrow) < tries {
		t.Errorf("%d attempts, of %d that can be made", len(narrow), tries)
	}
	embeddedtest.Known(t, cloud)
}
