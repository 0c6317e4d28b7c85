package audit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

const probe = "serviceAccount:w-apply@p.iam.gserviceaccount.com"

func at(s int) time.Time {
	return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(s) * time.Second)
}

// run is one step that was referred to, grown and verified, with a grant of each of
// the permissions.
func run(cloud string, permissions ...string) Run {
	as := func(pass string, principal string, from, to int, ok bool) []journal.Event {
		return []journal.Event{
			{Kind: journal.KindAttempt, Step: "apply", Pass: pass, Time: at(from), Object: &journal.Object{Kind: Identity, ID: principal}},
			{Kind: journal.KindAttemptEnd, Step: "apply", Pass: pass, Time: at(to), OK: ok},
		}
	}
	r := Run{Cloud: cloud, Events: slices.Concat(
		as(journal.PassReference, "serviceAccount:w-reference@p.iam.gserviceaccount.com", 0, 9, true),
		as(journal.PassGrow, probe, 100, 109, true), as(journal.PassVerify, probe, 200, 209, true))}
	s := record.Step{Name: "apply", Phase: "init"}
	for _, p := range permissions {
		class := "POST compute.googleapis.com/" + p
		s.Grants = append(s.Grants, record.Entry{Permission: p, Resource: "*", Necessity: "certified", Request: class})
		r.Events = append(r.Events, journal.Event{Kind: journal.KindSeen, Step: "apply", Pass: journal.PassVerify, Class: class, Status: 200})
	}
	r.Steps = []record.Step{s}
	return r
}

func (r Run) saw(pass, class string, status int) Run {
	r.Events = append(r.Events, journal.Event{Kind: journal.KindSeen, Step: "apply", Pass: pass, Class: class, Status: status})
	return r
}

func (r Run) denied(pass, permission, class string) Run {
	r.Events = append(r.Events, journal.Event{Kind: journal.KindDelivered, Step: "apply", Pass: pass, Class: class, Status: 403,
		Denial: &refusal.Denial{Cloud: refusal.GCP, Reason: refusal.MissingPermission, Permission: permission}})
	return r
}

func entry(second int, permission string) Entry {
	return Entry{ID: fmt.Sprintf("%s-%d", permission, second), Time: at(second), Principal: probe, Operation: "op." + permission, Permission: permission}
}

func (e Entry) refused() Entry { e.Refused = true; return e }
func (e Entry) via(who string) Entry {
	e.Via = who
	return e
}

const networks, disks, keys = "compute.networks.create", "compute.disks.create", "cloudkms.cryptoKeyVersions.useToDecrypt"

func TestCheck(t *testing.T) {
	agent := "serviceAccount:service-1@compute-system.iam.gserviceaccount.com"
	for name, c := range map[string]struct {
		run     Run
		entries []Entry
		want    []Finding
	}{
		"all is as it was recorded": {run("gcp", networks), []Entry{entry(105, networks).refused(), entry(205, networks)},
			// In growth it was refused before it was granted; that the wire of this test
			// has no word of.
			[]Finding{{Kind: Unseen, Step: "apply", Permission: networks, Request: "op." + networks, Principal: probe, Refused: true, Times: 1}}},
		"refused in growth, as the wire saw": {run("gcp", networks).denied(journal.PassGrow, networks, "c"), []Entry{entry(105, networks).refused(), entry(205, networks)}, nil},
		"through another binding": {func() Run {
			r := run("gcp", networks)
			r.Others = map[string][]Binding{probe: {{Name: "roles/other on project p", Permissions: []string{"storage.*"}}, {Name: "roles/compute.admin on project p", Permissions: []string{"compute.*"}}}}
			return r
		}(), []Entry{entry(205, networks), entry(206, disks)},
			[]Finding{{Kind: Unclean, Step: "apply", Permission: disks, Request: "op." + disks, Principal: probe, Binding: "roles/compute.admin on project p", Times: 1}}},
		"the log names the binding": {run("gcp", networks), []Entry{entry(205, networks), func() Entry { e := entry(206, disks); e.Binding = "Reader on /s"; return e }()},
			[]Finding{{Kind: Unclean, Step: "apply", Permission: disks, Request: "op." + disks, Principal: probe, Binding: "Reader on /s", Times: 1}}},
		"the administrator may": {run("gcp", networks), []Entry{entry(205, networks), {ID: "r", Time: at(5), Principal: "serviceAccount:w-reference@p.iam.gserviceaccount.com", Permission: disks}}, nil},
		"used elsewhere, and missing": {func() Run {
			r := run("aws", "ec2:CreateVpc")
			r.Steps[0].Grants[0].Request = "POST ec2.{region}.amazonaws.com CreateVpc"
			return r.saw(journal.PassVerify, "POST ec2.eu-west-1.amazonaws.com CreateVpc", 200)
		}(), []Entry{entry(205, "sqs:ListQueues").refused()},
			[]Finding{{Kind: Unseen, Step: "apply", Permission: "sqs:ListQueues", Request: "op.sqs:ListQueues", Principal: probe, Refused: true, Times: 1},
				{Kind: Missing, Step: "apply", Permission: "ec2:CreateVpc", Resource: "*", Request: "POST ec2.{region}.amazonaws.com CreateVpc", Principal: probe, Times: 1}}},
		"used of another host, and so not": {func() Run {
			r := run("aws", "ec2:CreateVpc")
			r.Steps[0].Grants[0].Request = "POST ec2.{region}.amazonaws.com CreateVpc"
			return r.saw(journal.PassVerify, "POST sqs.eu-west-1.amazonaws.com CreateVpc", 200)
		}(), []Entry{entry(105, "ec2:CreateVpc")},
			[]Finding{{Kind: Unexercised, Step: "apply", Permission: "ec2:CreateVpc", Resource: "*", Request: "POST ec2.{region}.amazonaws.com CreateVpc", Principal: probe, Times: 1}}},
		"never exercised": {func() Run { r := run("gcp", networks); r.Steps[0].Grants[0].Request = "GET elsewhere"; return r }(), []Entry{entry(105, networks)}, []Finding{{Kind: Unexercised, Step: "apply", Permission: networks, Resource: "*", Request: "GET elsewhere", Principal: probe, Times: 1}}},
		"swallowed": {run("gcp", networks).denied(journal.PassVerify, disks, "POST disks"), []Entry{entry(205, networks), entry(206, disks).refused(), entry(207, disks).refused()},
			[]Finding{{Kind: Swallowed, Step: "apply", Permission: disks, Request: "POST disks", Principal: probe, Refused: true, Times: 2}}},
		"masked": {run("gcp", networks).saw(journal.PassVerify, "GET compute.googleapis.com/disks/{}", 404).saw(journal.PassReference, "GET compute.googleapis.com/disks/{}", 200),
			[]Entry{entry(205, networks), entry(206, "compute.disks.get").refused()},
			[]Finding{{Kind: Unseen, Step: "apply", Permission: "compute.disks.get", Request: "op.compute.disks.get", Principal: probe, Refused: true, Masked: "404 for GET compute.googleapis.com/disks/{}, as the reference did not", Times: 1}}},
		"a service, later": {run("gcp", networks), []Entry{entry(205, networks), entry(260, keys).via(agent).refused(), entry(261, keys).via(agent)},
			[]Finding{
				{Kind: Later, Step: "apply", Permission: keys, Request: "op." + keys, Principal: probe, Via: agent, Times: 1},
				{Kind: Later, Step: "apply", Permission: keys, Request: "op." + keys, Principal: probe, Via: agent, Refused: true, Times: 1}}},
		"a service, within the role": {run("gcp", networks), []Entry{entry(205, networks), entry(260, networks).via(agent)}, nil},
		"missing":                    {run("gcp", networks, disks), []Entry{entry(205, networks)}, []Finding{{Kind: Missing, Step: "apply", Permission: disks, Resource: "*", Request: "POST compute.googleapis.com/" + disks, Principal: probe, Times: 1}}},
		"nothing at all":             {run("gcp", networks, disks), nil, []Finding{{Kind: Silent, Step: "apply", Principal: probe, Times: 2}}},
		"reads are not logged":       {run("gcp", networks, "compute.networks.get"), []Entry{entry(205, networks)}, nil},
		"somebody else": {run("gcp", networks), []Entry{entry(205, networks), {ID: "x", Time: at(205), Principal: "user:a@example.com", Permission: disks},
			entry(300, disks)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(c.run, c.entries)
			if len(got.Findings) == 0 {
				got.Findings = nil
			}
			if d := cmp.Diff(c.want, got.Findings); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// Doubled and in another order it is the same.
			twice := slices.Concat(c.entries, c.entries)
			rand.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
			again := Check(c.run, twice)
			if again.Doubled != len(c.entries) {
				t.Errorf("%d doubled, want %d", again.Doubled, len(c.entries))
			}
			again.Doubled, again.Findings = 0, append([]Finding(nil), again.Findings...)
			if d := cmp.Diff(got, again); d != "" {
				t.Errorf("twice and out of order (-once +again):\n%s", d)
			}
		})
	}
}

// Whittle's own calls are told by the key that they were signed with. Nothing else that an
// entry says hides it: not the same call with another key, not another call with that key,
// not a service's.
func TestCanary(t *testing.T) {
	r := run("aws", "ec2:CreateVpc")
	r.Steps[0].Grants[0].Request = "POST ec2.us-east-1.amazonaws.com CreateVpc"
	r.Events = append([]journal.Event{{Kind: journal.KindObject, Object: &journal.Object{Kind: CanaryKey, ID: "ASIAOWN"}},
		{Kind: journal.KindObject, Object: &journal.Object{Kind: "aws:iam:role", ID: "ASIATHEIRS"}}}, r.Events...)
	signed := func(e Entry, key string) Entry { e.Key = key; return e }
	own := []Entry{signed(entry(205, "ec2:CreateVpc"), "ASIASTEP"), signed(entry(206, "sqs:ListQueues"), "ASIAOWN"), signed(entry(206, "kms:ListAliases").refused(), "ASIAOWN")}
	if got := Check(r, own); len(got.Findings) != 0 || got.Entries != 1 {
		t.Errorf("%d entries, %+v", got.Entries, got.Findings)
	}
	for name, e := range map[string]Entry{
		"another key":       signed(entry(207, "sqs:ListQueues"), "ASIASTEP"),
		"an object's id":    signed(entry(207, "sqs:ListQueues"), "ASIATHEIRS"),
		"no key":            entry(207, "sqs:ListQueues"),
		"another call":      signed(entry(207, "sqs:CreateQueue"), "ASIAOWN"),
		"a service's":       signed(entry(207, "sqs:ListQueues").via("x.amazonaws.com"), "ASIAOWN"),
		"refused, with his": signed(entry(207, "sqs:ListQueues").refused(), "ASIASTEP"),
	} {
		if got := Check(r, append(own, e)); len(got.Findings) != 1 || got.Findings[0].Permission != e.Permission {
			t.Errorf("%s: %+v", name, got.Findings)
		}
	}
}

// A failed run has no record; what was refused in it may explain it.
func TestExplains(t *testing.T) {
	r := run("gcp").denied(journal.PassGrow, disks, "POST disks")
	r.Steps = nil
	r.Events[3].OK = false // growth
	got := Check(r, []Entry{entry(105, disks).refused()}).Findings
	want := []Finding{{Kind: Explains, Step: "apply", Permission: disks, Request: "POST disks", Principal: probe, Refused: true, Times: 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCheckAWS(t *testing.T) {
	r := run("aws")
	r.Steps[0].Grants = []record.Entry{
		{Permission: "ec2:RunInstances", Resource: "*", Request: "POST ec2.us-east-1.amazonaws.com RunInstances"},
		{Permission: "ec2:CreateTags", Resource: "*", Request: "POST ec2.us-east-1.amazonaws.com RunInstances TagSpecification"},
		{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/r", Request: "POST ec2.us-east-1.amazonaws.com RunInstances"},
		{Permission: "s3:GetObject", Resource: "*", Request: "GET {bucket}.s3.us-east-1.amazonaws.com/{key}"},
	}
	e := entry(205, "ec2:RunInstances")
	e.Operation, e.Derived = "RunInstances", true
	who := entry(206, "sts:GetCallerIdentity")
	who.Derived = true
	got := Check(r, []Entry{e, who})
	if len(got.Findings) != 0 {
		t.Errorf("findings: %+v", got.Findings)
	}
	want := []StepCount{{Name: "apply", Principal: probe, Grants: 4, Exercised: 3, Unlogged: map[string]int{"a data event, which CloudTrail's event history does not have, and no trail that was read": 1}}}
	if d := cmp.Diff(want, got.Steps); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCheckAzure(t *testing.T) {
	r := run("azure", "Microsoft.Network/virtualNetworks/write", "Microsoft.Network/virtualNetworks/read", "Microsoft.KeyVault/vaults/secrets/setSecret/action")
	for i := range r.Steps[0].Grants {
		r.Steps[0].Grants[i].Request = "PUT management.azure.com/subscriptions/{}"
	}
	own, other := Application+"own", Application+"other"
	e := entry(205, "MICROSOFT.NETWORK/virtualNetworks/write").via(own)
	got := Check(r, []Entry{e, entry(206, "Microsoft.Network/virtualNetworks/write").via(own), entry(250, "Microsoft.Network/routeTables/write").via(other)})
	want := []Finding{{Kind: Later, Step: "apply", Permission: "Microsoft.Network/routeTables/write", Request: "op.Microsoft.Network/routeTables/write", Principal: probe, Via: other, Times: 1}}
	if d := cmp.Diff(want, got.Findings); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if s := got.Steps[0]; s.Exercised != 1 || len(s.Unlogged) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestSpan(t *testing.T) {
	from, to, principals := Span(run("gcp").Events)
	if !from.Equal(at(-2)) || !to.Equal(at(211)) || len(principals) != 2 {
		t.Errorf("%v, %v, %v", from, to, principals)
	}
	if _, _, p := Span([]journal.Event{{Kind: journal.KindNote, Grants: []grant.Grant{}}}); p != nil {
		t.Errorf("principals %v", p)
	}
}

// What somebody has done is a set, whoever else did what, and whatever was refused.
func TestUsed(t *testing.T) {
	who := entry(1, "sts:GetCallerIdentity")
	run := entry(2, "ec2:RunInstances")
	run.Derived, who.Derived = true, true
	named := entry(3, networks)
	other := entry(4, disks)
	other.Principal = "user:a@example.com"
	set, derived, err := Used([]Entry{run, run, who, named, other, entry(5, keys).refused(), entry(6, keys).via("service")}, probe)
	if d := cmp.Diff([]string{networks, "ec2:RunInstances"}, set.Permissions()); d != "" || derived != 1 || err != nil {
		t.Errorf("%d derived, %v; (-want +got):\n%s", derived, err, d)
	}
	// Of a log that holds more than names no role begins. What was refused is not read.
	for _, hostile := range []string{"*", "ec2:*", "iam:Create?ser", "compute.*", "Microsoft.Network/*", "*/read", "ec2:{x}", "ec2:RunInstances\nec2:StopInstances", "ec2:Run Instances", "ec2:", ""} {
		if set, _, err := Used([]Entry{named, entry(7, hostile)}, probe); err == nil || set.Len() > 0 || !strings.Contains(err.Error(), "event ") {
			t.Errorf("%q: %v, %v", hostile, set, err)
		}
		if set, _, err := Used([]Entry{named, entry(7, hostile).refused()}, probe); err != nil || set.Len() != 1 {
			t.Errorf("%q, refused: %v, %v", hostile, set, err)
		}
	}
}
