package report

import (
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

const instances = "arn:aws:ec2:us-east-1:{account}:instance/*"

// machine is the record of a lifecycle that makes, tags and ends instances.
func machine() record.Record {
	run := "POST ec2.us-east-1.amazonaws.com RunInstances TagSpecification"
	return record.Record{
		Version: 1, Cloud: "aws", Sandbox: "embedded", Verified: true,
		Inputs: record.Inputs{Digest: "sha256:1", Tools: map[string]string{"terraform": "1.11.4"}},
		Steps: []record.Step{
			{Name: "make", Phase: "init", Role: "maker", Runs: 1, Grants: []record.Entry{
				{Permission: "ec2:CreateTags", Resource: instances, Necessity: "certified", Request: run},
				{Permission: "ec2:RunInstances", Resource: instances, Necessity: "certified", Request: run},
				{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/node", Necessity: "assumed", Request: run},
			}},
			{Name: "end", Phase: "ongoing", Role: "maker", Runs: 1, Grants: []record.Entry{
				{Permission: "ec2:TerminateInstances", Resource: instances, Necessity: "observed", Request: "POST ec2.us-east-1.amazonaws.com TerminateInstances", Difference: "lacks an instance"},
			}, Optional: []record.Entry{
				{Permission: "ec2:DescribeRegions", Resource: "*", Necessity: "optional", Request: "POST ec2.us-east-1.amazonaws.com DescribeRegions"},
			}},
		},
	}
}

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

// journalOf is a run of that lifecycle.
func journalOf() []journal.Event {
	real := func(permission string) grant.Grant {
		return grant.Grant{Permission: permission, Resource: strings.ReplaceAll(instances, "{account}", "123456789012")}
	}
	refused := func(step, permission, class, evidence string, minute int) journal.Event {
		return journal.Event{Time: at(minute), Kind: journal.KindRefused, Step: step, Pass: journal.PassGrow, Class: class, Status: 403,
			Denial: &refusal.Denial{Permission: permission, Resource: real("").Resource, Evidence: evidence}}
	}
	granted := func(step string, minute int, g grant.Grant) journal.Event {
		return journal.Event{Time: at(minute), Kind: journal.KindGranted, Step: step, Pass: journal.PassGrow, Grants: []grant.Grant{g}}
	}
	return []journal.Event{
		{Time: at(0), Kind: journal.KindRun, Text: "sha256:1 on the embedded sandbox"},
		{Time: at(1), Kind: journal.KindAttempt, Step: "make", Pass: journal.PassGrow, Attempt: 1},
		refused("make", "ec2:CreateTags", "POST ec2.us-east-1.amazonaws.com CreateVolume TagSpecification", "of another request", 1),
		refused("make", "ec2:CreateTags", "POST ec2.us-east-1.amazonaws.com RunInstances TagSpecification", "You may not ec2:CreateTags", 1),
		granted("make", 2, real("ec2:CreateTags")),
		refused("make", "ec2:RunInstances", "POST ec2.us-east-1.amazonaws.com RunInstances TagSpecification", "You may not ec2:RunInstances", 2),
		granted("make", 3, real("ec2:RunInstances")),
		{Time: at(60), Kind: journal.KindRun, Text: "sha256:1 on the embedded sandbox"}, // resumed: 57 minutes of nothing
		{Time: at(61), Kind: journal.KindAttempt, Step: "end", Pass: journal.PassGrow, Attempt: 1},
		refused("end", "", "POST ec2.us-east-1.amazonaws.com TerminateInstances", "Access Denied", 61),
		granted("end", 62, real("ec2:TerminateInstances")),
		{Time: at(70), Kind: journal.KindNote, Step: "make", Pass: journal.PassCertify, Text: "asked about 2: the step failed; needed: POST ec2 RunInstances for " + real("ec2:CreateTags").String() + " (aws_instance.node[\"a (b)\"])"},
		{Time: at(71), Kind: journal.KindNote, Step: "make", Pass: journal.PassRemove, Text: "asked about 1: the step failed; needed: " + real("ec2:RunInstances").String() + " (aws_instance.node), other on * (x)"},
		{Time: at(72), Kind: journal.KindFound, Step: "make", Pass: journal.PassCertify, Necessity: "certified", Grants: []grant.Grant{real("ec2:CreateTags")}},
		{Time: at(72), Kind: journal.KindFound, Step: "make", Pass: journal.PassCertify, Necessity: "certified", Grants: []grant.Grant{real("ec2:RunInstances")}},
		{Time: at(73), Kind: journal.KindFound, Step: "end", Pass: journal.PassCertify, Necessity: "observed", Grants: []grant.Grant{real("ec2:TerminateInstances")}, Text: "lacks an instance"},
	}
}

func one(t *testing.T, r Report, name string) Permission {
	t.Helper()
	found := r.Find(name)
	if len(found) != 1 {
		t.Fatalf("%s: %d found", name, len(found))
	}
	return found[0]
}

func TestNewJoinsTheJournal(t *testing.T) {
	r := New(machine(), Run{Name: "run-0001", Events: journalOf()})

	tags := one(t, r, "ec2:CreateTags").Uses[0]
	if tags.Refusal == nil || tags.Refusal.Text != "You may not ec2:CreateTags" || tags.Refusal.Status != 403 {
		t.Errorf("%+v", tags.Refusal)
	}
	want := &Shown{Time: at(72), How: "withheld", Address: `aws_instance.node["a (b)"]`}
	if diff := cmp.Diff(want, tags.Shown); diff != "" {
		t.Error(diff)
	}
	if got := tags.When(); got != `2026-01-02 04:12:00 UTC, shown by aws_instance.node["a (b)"]` {
		t.Error(got)
	}
	if u := one(t, r, "ec2:RunInstances").Uses[0]; u.Shown == nil || u.Shown.How != "removed" || u.Shown.Address != "aws_instance.node" {
		t.Errorf("%+v", u.Shown)
	}
	// A refusal that names nothing is the one of the same request.
	end := one(t, r, "ec2:TerminateInstances").Uses[0]
	if end.Refusal == nil || end.Refusal.Text != "Access Denied" || end.Shown == nil || end.Shown.How != "" {
		t.Errorf("%+v %+v", end.Refusal, end.Shown)
	}
	if u := one(t, r, "iam:PassRole").Uses[0]; u.Refusal != nil || u.Shown != nil {
		t.Errorf("what was never refused has %+v", u)
	}

	// Nothing of it without a journal, and no curve.
	r = New(machine(), Run{})
	for _, p := range r.Permissions {
		for _, u := range p.Uses {
			if u.Refusal != nil || u.Shown != nil {
				t.Errorf("%s: %+v", p.Name, u)
			}
		}
	}
	if r.Growth != nil {
		t.Errorf("%+v", r.Growth)
	}
}

func TestGrowth(t *testing.T) {
	g := New(machine(), Run{Name: "run-0001", Events: journalOf()}).Growth
	want := &Growth{
		Points: []Point{{time.Minute, 1}, {2 * time.Minute, 2}, {4 * time.Minute, 3}},
		Spans:  []Span{{Step: "make", To: 2 * time.Minute, Granted: 2}, {Step: "end", From: 3 * time.Minute, To: 4 * time.Minute, Granted: 1}},
		Took:   4 * time.Minute, Total: 3,
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
}

func TestParts(t *testing.T) {
	r := New(machine(), Run{})
	got := map[string][]string{}
	for _, p := range r.Parts {
		for _, row := range p.Rows {
			got[p.Name] = append(got[p.Name], row.Permission.Name)
		}
	}
	want := map[string][]string{
		"init only": {"ec2:CreateTags", "ec2:RunInstances", "iam:PassRole"},
		"ongoing":   {"ec2:TerminateInstances"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(r.Parts) != 3 {
		t.Errorf("%d parts", len(r.Parts))
	}
}

func TestRisks(t *testing.T) {
	r := New(machine(), Run{})
	if p := one(t, r, "iam:PassRole"); p.Raises == nil || !strings.Contains(p.Raises.Source, "Rhino") {
		t.Errorf("%+v", p.Raises)
	}
	end := one(t, r, "ec2:TerminateInstances")
	if end.Destroys == nil || len(end.Tags) != 1 || end.Tags[0].By != "ec2:CreateTags" || !slices.Equal(end.Tags[0].OnCreation, []string{"RunInstances"}) {
		t.Errorf("%+v", end)
	}
	if notes := r.Bypasses(); len(notes) != 1 || notes[0].Role != "maker" || !slices.Equal(notes[0].Rights, []string{"ec2:TerminateInstances"}) {
		t.Errorf("%+v", notes)
	}
	// Told of the permission that tags too.
	if p := one(t, r, "ec2:CreateTags"); len(p.Tags) != 1 {
		t.Errorf("%+v", p.Tags)
	}
	// What is tagged by a call of its own can be told apart by no condition.
	rec := machine()
	rec.Steps[1].Grants = append(rec.Steps[1].Grants, record.Entry{Permission: "ec2:CreateTags", Resource: instances, Necessity: "observed", Request: "POST ec2.us-east-1.amazonaws.com CreateTags"})
	if n := New(rec, Run{}).Bypasses(); len(n) != 1 || n[0].OnCreation != nil {
		t.Errorf("%+v", n)
	}
	// What is checked on no resource can be tied to no tag.
	rec = machine()
	rec.Steps[1].Grants[0].Resource = "*"
	if n := New(rec, Run{}).Bypasses(); len(n) != 0 {
		t.Errorf("%+v", n)
	}
	// Another role's tags do not help.
	rec = machine()
	rec.Steps[1].Role = "ender"
	if n := New(rec, Run{}).Bypasses(); len(n) != 0 {
		t.Errorf("%+v", n)
	}
}

func TestFind(t *testing.T) {
	r := New(machine(), Run{})
	names := func(query string) []string {
		var all []string
		for _, p := range r.Find(query) {
			all = append(all, p.Name)
		}
		return all
	}
	for query, want := range map[string]string{
		"ec2:createtags":   "ec2:CreateTags",
		"EC2:*Instances":   "ec2:RunInstances ec2:TerminateInstances",
		"ec2:RunInstance":  "",
		"ec2:RunInstance?": "ec2:RunInstances",
		"ec2.CreateTags":   "", // a dot is no wildcard
		"":                 "",
	} {
		if got := strings.Join(names(query), " "); got != want {
			t.Errorf("Find(%q) = %q, want %q", query, got, want)
		}
	}
	r.Cloud = "gcp" // where case counts
	if got := names("ec2:createtags"); got != nil {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	r := New(machine(), Run{})
	for query, want := range map[string]string{
		"ec2:TerminateInstance": "ec2:TerminateInstances", // a letter short
		"TerminateInstances":    "ec2:TerminateInstances",
		"passrole":              "iam:PassRole",
		"iam:PassRoles":         "iam:PassRole",
		"sts:PassRole":          "iam:PassRole",
		"ec2:*Tags":             "ec2:CreateTags",
	} {
		if got := r.Nearest(query, 3); len(got) == 0 || got[0] != want {
			t.Errorf("Nearest(%q) = %q", query, got)
		}
	}
	if got := r.Nearest("bigquery.tables.export", 3); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestHow(t *testing.T) {
	for _, tt := range []struct {
		use  Use
		want string
	}{
		{Use{Necessity: "certified"}, "certified: the step fails without it"},
		{Use{Necessity: "certified", Shown: &Shown{How: "removed"}}, "certified: the step fails without it, shown by really taking it away"},
		{Use{Necessity: "observed"}, "observed: the request was refused without it and let through with it; whether the step fails without it was not asked"},
		{Use{Necessity: "observed", Difference: "lacks x"}, "observed: the request was refused without it and let through with it; without it the step does not fail, but its outcome is another: lacks x"},
		{Use{Necessity: "optional"}, "optional: refused, and the step does as well without it; not granted"},
	} {
		if got := tt.use.How(); got != tt.want {
			t.Errorf("%+v: %q", tt.use, got)
		}
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü 日本":      "plain ü 日本",
		"a\nb\tc":         "a b c",
		"a\u202eb":        "a[U+202E]b",
		"\x1b[31mred":     "[U+001B][31mred",
		"zero\u200bwidth": "zero[U+200B]width",
		"bad\xff":         "bad\ufffd",
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	rec := machine()
	rec.Steps[0].Grants[0].Resource = "arn\u202e"
	if u := one(t, New(rec, Run{}), "ec2:CreateTags").Uses[0]; u.Resource != "arn[U+202E]" {
		t.Errorf("%q", u.Resource)
	}
}

// A grant under a condition is in its part of the lifecycle as any other, and one
// that is tied to what a request makes gets round no tag.
func TestConditions(t *testing.T) {
	const when = `{"StringEquals":{"ec2:CreateAction":"RunInstances"}}`
	rec := record.Record{Version: record.Version, Cloud: "aws", Sandbox: "embedded", Verified: true, Inputs: record.Inputs{Digest: "sha256:1"}, Steps: []record.Step{
		{Name: "apply", Phase: "init", Grants: []record.Entry{
			{Permission: "ec2:CreateTags", Resource: instances, Condition: when, Necessity: "observed"},
			{Permission: "ec2:TerminateInstances", Resource: instances, Necessity: "observed"},
		}},
	}}
	for _, tied := range []bool{true, false} {
		if !tied {
			rec.Steps[0].Grants[0].Condition = ""
		}
		r := New(rec, Run{})
		uses, notes := 0, 0
		for _, part := range r.Parts {
			for _, row := range part.Rows {
				uses += len(row.Uses)
			}
		}
		for _, p := range r.Permissions {
			notes += len(p.Tags)
		}
		if uses != 2 || (notes == 0) != tied {
			t.Errorf("tied %v: %d uses in the parts, %d notes", tied, uses, notes)
		}
	}
}
