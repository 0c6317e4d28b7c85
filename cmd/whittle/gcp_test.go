package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// googleStack is a small stack on Google Cloud, for the real hashicorp/google.
const googleStack = "testdata/gcp/whittle.yaml"

// googleMust are permissions that each step is known to need. They hold none that
// only a clean-up would, and beside what each method is called, what shows only at
// run time: what a request names, and the operations that are waited for.
var googleMust = map[string][]string{
	"plan": nil,
	"apply": {
		"compute.networks.create", "compute.networks.updatePolicy", "compute.subnetworks.create", "compute.subnetworks.use", "compute.subnetworks.useExternalIp",
		"compute.instances.create", "compute.disks.create", "compute.instances.setTags", "compute.instances.setLabels", "compute.instances.setServiceAccount",
		"iam.serviceAccounts.actAs", "compute.globalOperations.get", "compute.regionOperations.get", "compute.zoneOperations.get", "storage.buckets.create",
		"storage.buckets.setIamPolicy", "resourcemanager.projects.setIamPolicy", "secretmanager.secrets.create", "secretmanager.versions.add", "iam.serviceAccounts.create",
	},
	"replan":  {"compute.instances.get", "compute.networks.get", "storage.buckets.get", "secretmanager.versions.access", "resourcemanager.projects.getIamPolicy"},
	"update":  {"compute.instances.stop", "compute.instances.setMachineType", "compute.instances.start", "compute.zoneOperations.get", "secretmanager.versions.add", "secretmanager.versions.destroy"},
	"destroy": {"compute.instances.delete", "compute.networks.delete", "storage.buckets.delete", "secretmanager.secrets.delete", "iam.serviceAccounts.delete"},
}

// checkGoogle says what is wrong with what a probe of the stack has found.
func checkGoogle(t *testing.T, p probed) {
	t.Helper()
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	if len(p.rec.Steps) != len(googleMust) || p.rec.Cloud != "gcp" {
		t.Errorf("%d steps on %s", len(p.rec.Steps), p.rec.Cloud)
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
		have := s.Set().Permissions()
		for _, want := range googleMust[s.Name] {
			if !slices.Contains(have, want) {
				t.Errorf("step %s lacks %s", s.Name, want)
			}
		}
		for _, e := range s.Grants {
			verb := e.Permission[strings.LastIndexByte(e.Permission, '.')+1:]
			if s.Name != "destroy" && verb == "delete" {
				t.Errorf("step %s holds %s: clean-up that it does not need", s.Name, e.Permission)
			}
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			if e.Necessity != "observed" || e.Resource != "*" || e.Purpose == "" || e.Purpose == e.Permission {
				t.Errorf("step %s: %+v", s.Name, e)
			}
		}
	}
	if strings.Contains(string(p.bytes), "whittle-sandbox") || strings.Contains(string(p.bytes), "whittle-placeholder") {
		t.Errorf("the record holds the project's id, or a placeholder:\n%s", p.bytes)
	}
}

// The stack converges in one run of each step, to exactly what the reference's
// requests need by the gate's own tables, and under another name to the same
// bytes, which are verified.
func TestProbeGoogle(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	first, err := probeStack(t, googleStack, "--no-verify", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	second, err := probeStack(t, googleStack, "--no-reference", "--name", "name=beta-7")
	if err != nil {
		t.Fatal(err)
	}
	checkGoogle(t, first)
	if !second.rec.Verified {
		t.Error("not verified")
	}
	unverified := strings.Replace(string(second.bytes), `"verified": true`, `"verified": false`, 1)
	if diff := cmp.Diff(string(first.bytes), unverified); diff != "" {
		t.Errorf("under another name the record is another (-tiny +beta):\n%s", diff)
	}
	exactly(t, first, traced(t, trace, first.events, journal.PassReference))
}

// exactly checks that each step was granted what its requests need and nothing
// else, in a cloud where grants are on the whole project.
func exactly(t *testing.T, p probed, needs map[string]grant.Set) {
	t.Helper()
	for _, s := range p.rec.Steps {
		var want, have []grant.Grant
		for _, p := range needs[s.Name].Permissions() {
			want = append(want, grant.Grant{Permission: p, Resource: "*"})
		}
		for _, e := range s.Grants {
			have = append(have, e.Grant())
		}
		if diff := cmp.Diff(grant.Of(want...).Slice(), grant.Of(have...).Slice()); diff != "" {
			t.Errorf("step %s: what the requests need, and what was granted (-needed +granted):\n%s", s.Name, diff)
		}
	}
}

// Grants that take 3 s to come into force still take one run of each step, and no
// client sees a refusal.
func TestProbeGoogleWithPropagation(t *testing.T) {
	t.Parallel()
	p, err := probeStack(t, googleStack, "--no-reference", "--propagation", "3s")
	if err != nil {
		t.Fatal(err)
	}
	checkGoogle(t, p)
	if !p.rec.Verified {
		t.Error("not verified")
	}
}

// OpenTofu and the Google provider, both built from source where they are not
// there, need what their requests need by the gate's own tables, and nothing else.
func TestProbeGoogleWithOpenTofu(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	stack := stackCopy(t, googleStack, func(text string) string { return "terraform: {path: " + tool(t, "tofu") + "}\n" + text })
	p, err := probeStack(t, stack, "--no-reference", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	checkGoogle(t, p)
	if !p.rec.Verified {
		t.Error("not verified")
	}
	if v := p.rec.Inputs.Tools; v["tofu"] != "1.10.6" || v["hashicorp/google"] == "" || v["terraform"] != "" {
		t.Errorf("tools %v", v)
	}
	exactly(t, p, traced(t, trace, p.events, journal.PassGrow))
	failsOpen(t, stack)
}

// googleImage is a Packer template for googlecompute, with nothing about
// deprecation in it.
const googleImage = "testdata/gcp-image/whittle.yaml"

// What a tool makes of a permission that it lacks can say nothing of it: who may
// not read operations has made the image all the same, and Packer waits until it
// gives up; at images.deprecate, which it calls though no deprecation is asked for,
// its plugin ends with "unexpected EOF". Growth in flight meets none of this. The
// classic loop does, and names each permission from the wire.
func TestVagueFailures(t *testing.T) {
	tool(t, "packer")
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	flight, err := probeStack(t, googleImage, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	loop, err := probeStack(t, googleImage, "--no-reference", "--strategy", "rerun")
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(flight); err != nil {
		t.Error(err)
	}
	if s := flight.rec.Steps[0]; s.Runs != 1 || !flight.rec.Verified || !loop.rec.Verified {
		t.Errorf("%d runs in flight, verified %v; by the loop %v", s.Runs, flight.rec.Verified, loop.rec.Verified)
	}
	if diff := cmp.Diff(flight.rec.Steps[0].Set().Permissions(), loop.rec.Steps[0].Set().Permissions()); diff != "" {
		t.Errorf("the two ways find other permissions (-in flight +loop):\n%s", diff)
	}
	for failure, cause := range map[string]string{
		"time out while waiting for instance to create": "compute.zoneOperations.get",
		"time out while waiting for image to register":  "compute.globalOperations.get",
		"unexpected EOF": "compute.images.deprecate",
	} {
		if strings.Contains(flight.told, failure) {
			t.Errorf("in flight the step failed with %q", failure)
		}
		said := regexp.MustCompile(`run (\d+) failed: (.*` + regexp.QuoteMeta(failure) + `.*)`).FindStringSubmatch(loop.told)
		if said == nil {
			t.Errorf("the loop never failed with %q:\n%s", failure, loop.told)
			continue
		}
		if strings.Contains(said[2], cause) {
			t.Errorf("the tool says itself what it lacks: %s", said[2])
		}
		_, after, _ := strings.Cut(loop.told, said[0])
		if next := strings.SplitN(after, "\n", 3)[1]; !strings.Contains(next, "refused on the wire: ") || !strings.Contains(next, cause) {
			t.Errorf("after %q whittle says %q, and not that %s was refused", failure, next, cause)
		}
		run, _ := strconv.Atoi(said[1]) // digits
		at := slices.IndexFunc(loop.events, func(e journal.Event) bool { return e.Kind == journal.KindAttemptEnd && e.Attempt == run })
		next := at + slices.IndexFunc(loop.events[at:], func(e journal.Event) bool { return e.Kind == journal.KindAttempt })
		if !slices.ContainsFunc(loop.events[at:next], func(e journal.Event) bool {
			return e.Kind == journal.KindGranted && e.Grants[0].Permission == cause && e.Class != ""
		}) {
			t.Errorf("%q did not lead to %s", failure, cause)
		}
	}
}

func TestGoogleImageFailsWithTheGateOpen(t *testing.T) {
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	failsOpen(t, googleImage)
}

// gcloud as it is: it finds the placeholder, the proxy and the certificates by
// itself.
func TestGcloud(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("SKIPPED: there is no gcloud on PATH")
	}
	t.Parallel()
	p, err := probeStack(t, "testdata/gcloud/whittle.yaml", "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	want := map[string][]string{"list": {"compute.networks.list"}, "bucket": {"storage.buckets.create"}, "secret": {"secretmanager.secrets.create"}}
	for _, s := range p.rec.Steps {
		if diff := cmp.Diff(want[s.Name], s.Set().Permissions()); diff != "" || s.Runs != 1 {
			t.Errorf("step %s, %d runs (-want +got):\n%s", s.Name, s.Runs, diff)
		}
	}
}

// A Packer template as people have it, with provisioners and no word of a proxy,
// logs in to its instance by SSH; what it does there and what it fetches is
// checked by the template itself, in growth and in the verification.
func TestProbeGoogleSSH(t *testing.T) {
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	p, err := probeStack(t, "testdata/gcp-ssh/whittle.yaml", "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	if s := p.rec.Steps[0]; s.Runs != 1 || !p.rec.Verified || !slices.Contains(s.Set().Permissions(), "compute.instances.setMetadata") {
		t.Errorf("%d runs, verified %v, %v", s.Runs, p.rec.Verified, s.Set().Permissions())
	}
}

// What the simulated machine has not fails the step, as on a machine without it.
func TestProbeGoogleSSHFails(t *testing.T) {
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	stack := stackCopy(t, "testdata/gcp-ssh/whittle.yaml", func(text string) string { return text })
	script := filepath.Join(filepath.Dir(stack), "setup.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh -e\nsudo apt-get install -y nomad\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := probeStack(t, stack, "--no-reference", "--no-verify")
	if err == nil || !strings.Contains(err.Error(), "non-zero exit status: 127") {
		t.Errorf("it gave %v", err)
	}
}

// needsGcloud skips a test where there is no gcloud.
func needsGcloud(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("SKIPPED: there is no gcloud on PATH: iap.tunnelInstances.accessViaIAP is not reached")
	}
}

const tunnelled = "iap.tunnelInstances.accessViaIAP"

// Packer reaches an instance without an address by a tunnel that gcloud opens.
// The tunnel is refused by the end of a WebSocket, which says "not authorized" and
// nothing else; no client sees it.
func TestProbeGoogleIAP(t *testing.T) {
	needsGcloud(t)
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, "testdata/gcp-iap/whittle.yaml", "--no-reference", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	s := p.rec.Steps[0]
	if s.Runs != 1 || !p.rec.Verified || !slices.Contains(s.Set().Permissions(), tunnelled) || slices.Contains(s.Set().Permissions(), "compute.subnetworks.useExternalIp") {
		t.Errorf("%d runs, verified %v, %v", s.Runs, p.rec.Verified, s.Set().Permissions())
	}
	exactly(t, p, traced(t, trace, p.events, journal.PassGrow))
}

func TestProbeGoogleIAPOpen(t *testing.T) {
	needsGcloud(t)
	tool(t, "packer-plugin-googlecompute")
	t.Parallel()
	failsOpen(t, "testdata/gcp-iap/whittle.yaml")
}

// The third of the vague failures: "4033: 'not authorized'". gcloud then looks for
// the instance, and says that it may not do that. The classic loop learns what was
// missing from the wire, and that the other was not.
func TestVagueTunnel(t *testing.T) {
	needsGcloud(t)
	t.Parallel()
	const stack = "testdata/gcloud-iap/whittle.yaml"
	flight, err := probeStack(t, stack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(flight); err != nil {
		t.Error(err)
	}
	loop, err := probeStack(t, stack, "--no-reference", "--strategy", "rerun")
	if err != nil {
		t.Fatal(err)
	}
	for way, p := range map[string]probed{"in flight": flight, "by the loop": loop} {
		s := p.rec.Steps[1]
		if got := s.Set().Permissions(); !slices.Equal(got, []string{tunnelled}) || !p.rec.Verified {
			t.Errorf("%s: %v, verified %v", way, got, p.rec.Verified)
		}
	}
	if n := flight.rec.Steps[1].Runs; n != 1 {
		t.Errorf("in flight it took %d runs", n)
	}
	delivered := slices.ContainsFunc(loop.events, func(e journal.Event) bool {
		return e.Step == "tunnel" && e.Kind == journal.KindDelivered && e.Denial.Permission == "" && e.Denial.Evidence == "not authorized"
	})
	if !delivered {
		t.Error("the loop never saw the tunnel's refusal on the wire")
	}
	if said := regexp.MustCompile(`grow +tunnel run 1 failed: .*\n.*`).FindString(loop.told); !strings.Contains(said, "refused on the wire: "+tunnelled+"?, compute.instances.get") {
		t.Errorf("of its first run the loop says %q", said)
	}
}

// With conditions the stack is granted what it needs on its own resources where IAM
// Conditions can tell them, is refused every decoy by the same roles, and passes under
// another name with the same bytes.
func TestProbeGoogleScoped(t *testing.T) {
	t.Parallel()
	stack := stackCopy(t, googleStack, func(text string) string { return "conditions: true\n" + text })
	first, err := probeStack(t, stack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if !first.rec.Verified {
		t.Error("not verified")
	}
	placed := 0
	for _, s := range first.rec.Steps {
		for _, e := range s.Grants {
			why := attribute.Why(e.Permission)
			on := e.Condition != "" || e.Resource != "*"
			if on {
				placed++
			}
			if on == (why != "") && !attribute.OnAccount(e.Permission) {
				t.Errorf("step %s: %s on %s if %q, %s", s.Name, e.Permission, e.Resource, e.Condition, why)
			}
		}
	}
	d := first.sum.Decoys
	if placed < 40 || d == nil || d.Requests < 40 || d.Refused < 40 {
		t.Errorf("%d grants are placed, decoys %+v", placed, d)
	}
	for _, open := range d.Open {
		if !attribute.OnAccount(open.Permission) {
			t.Errorf("let through: %+v", open)
		}
	}
	if strings.Contains(string(first.bytes), "whittle-sandbox") || strings.Contains(string(first.bytes), "123456789012") {
		t.Errorf("the record holds the project's id or number:\n%s", first.bytes)
	}
	second, err := probeStack(t, stack, "--no-reference", "--name", "name=beta-7")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first.bytes), string(second.bytes)); diff != "" {
		t.Errorf("under another name the record is another (-tiny +beta):\n%s", diff)
	}
}
