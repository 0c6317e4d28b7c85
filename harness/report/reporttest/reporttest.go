// Package reporttest holds records and runs to write reports of, for the tests of
// each form.
package reporttest

import (
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Small is a report with something in each of its places.
func Small() report.Report {
	const instances = "arn:aws:ec2:us-east-1:{account}:instance/*"
	run := "POST ec2.us-east-1.amazonaws.com RunInstances TagSpecification"
	rec := record.Record{
		Version: 1, Cloud: "aws", Sandbox: "embedded", Verified: true,
		Inputs: record.Inputs{Digest: "sha256:0123", Tools: map[string]string{"terraform": "1.11.4", "hashicorp/aws": "5.100.0"}},
		Steps: []record.Step{
			{Name: "make", Phase: "init", Role: "maker", Runs: 2, Grants: []record.Entry{
				{Permission: "ec2:CreateTags", Resource: instances, Necessity: "certified", Request: run},
				{Permission: "ec2:RunInstances", Resource: instances, Necessity: "certified", Request: run},
				{Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1::image/*", Necessity: "observed", Request: run},
				{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/node", Necessity: "assumed", Request: run},
			}},
			{Name: "read", Phase: "ongoing", Runs: 1, Grants: []record.Entry{
				{Permission: "secretsmanager:GetSecretValue", Resource: "arn:aws:secretsmanager:us-east-1:{account}:secret:app-??????", Necessity: "certified", Request: "POST secretsmanager.us-east-1.amazonaws.com GetSecretValue"},
			}, Optional: []record.Entry{
				{Permission: "ec2:DescribeRegions", Necessity: "optional", Request: "POST ec2.us-east-1.amazonaws.com DescribeRegions"},
			}},
			{Name: "end", Phase: "teardown", Role: "maker", Runs: 1, Grants: []record.Entry{
				{Permission: "ec2:TerminateInstances", Resource: instances, Necessity: "observed", Request: "POST ec2.us-east-1.amazonaws.com TerminateInstances", Difference: "lacks an instance"},
			}},
		},
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	events := []journal.Event{{Time: start, Kind: journal.KindRun, Text: "sha256:0123 on the embedded sandbox"}}
	for i, s := range rec.Steps {
		for j, e := range s.Grants {
			at := start.Add(time.Duration(i)*20*time.Second + time.Duration(j)*3*time.Second)
			g := grant.Grant{Permission: e.Permission, Resource: strings.ReplaceAll(e.Resource, "{account}", "123456789012")}
			events = append(events,
				journal.Event{Time: at, Kind: journal.KindRefused, Step: s.Name, Pass: journal.PassGrow, Class: e.Request, Status: 403,
					Denial: &refusal.Denial{Permission: e.Permission, Resource: g.Resource, Evidence: "User: arn:aws:sts::123456789012:assumed-role/probe/run is not authorized to perform: " + e.Permission}},
				journal.Event{Time: at.Add(time.Second), Kind: journal.KindGranted, Step: s.Name, Pass: journal.PassGrow, Grants: []grant.Grant{g}})
			if e.Necessity == "certified" {
				events = append(events, journal.Event{Time: at.Add(time.Minute), Kind: journal.KindFound, Step: s.Name, Pass: journal.PassCertify, Necessity: "certified", Grants: []grant.Grant{g}})
			}
		}
	}
	return report.New(rec, report.Run{Name: "run-0001", Events: events})
}

// Nasty are texts that would change a page, a document or a terminal if they were
// taken for more than text.
func Nasty() []string {
	return []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`'-alert(1)-'`,
		`</code></pre></table><h1>owned</h1>`,
		"`| a | b |` \\| c",
		"[click](javascript:alert(1)) ![i](http://evil.example/x.png)",
		"https://evil.example www.evil.example @everyone #1",
		"**bold** _it_ ~~no~~ $x$ <!-- c --> &amp; {{.}} ]]>",
		"line\nbreak\r\n# heading\t- item",
		"\u202egnp.exe \x1b[31m \x00",
	}
}

// Hostile is a report whose every text is one of [Nasty], with a word that tells
// them apart.
func Hostile() report.Report {
	rec := record.Record{Version: 1, Cloud: "aws", Sandbox: "account", Inputs: record.Inputs{Digest: Nasty()[0], Tools: map[string]string{}}}
	var events []journal.Event
	for i, n := range Nasty() {
		rec.Inputs.Tools["tool "+n] = n
		step := record.Step{Name: "step " + n, Phase: []string{"init", "ongoing", "teardown"}[i%3], Role: "role " + n, Runs: 1}
		for _, necessity := range []string{"certified", "observed", "assumed"} {
			step.Grants = append(step.Grants, record.Entry{
				Permission: necessity + ":" + n, Resource: n, Necessity: necessity, Request: n, Purpose: n, Flag: n, Difference: n,
			})
		}
		step.Optional = []record.Entry{{Permission: "optional:" + n, Resource: n, Necessity: "optional", Request: n, Purpose: n}}
		rec.Steps = append(rec.Steps, step)
		events = append(events,
			journal.Event{Kind: journal.KindRefused, Step: step.Name, Pass: journal.PassGrow, Class: n, Status: 403, Denial: &refusal.Denial{Permission: "certified:" + n, Resource: n, Evidence: n}},
			journal.Event{Kind: journal.KindGranted, Step: step.Name, Pass: journal.PassGrow, Grants: []grant.Grant{{Permission: "certified:" + n, Resource: n}}},
			journal.Event{Kind: journal.KindNote, Step: step.Name, Pass: journal.PassCertify, Text: "needed: certified:" + n + " on " + n + " (" + n + ")"},
			journal.Event{Kind: journal.KindFound, Step: step.Name, Pass: journal.PassCertify, Necessity: "certified", Grants: []grant.Grant{{Permission: "certified:" + n, Resource: n}}},
		)
	}
	return report.New(rec, report.Run{Name: Nasty()[1], Events: events})
}
