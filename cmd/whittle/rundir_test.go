package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

func TestKnownOf(t *testing.T) {
	list, get := grant.Grant{Permission: "sqs:ListQueues", Resource: "*"}, grant.Grant{Permission: "s3:GetObject", Resource: "arn:aws:s3:::a/b"}
	events := []journal.Event{
		{Kind: journal.KindAttempt, Step: "apply", Pass: journal.PassReference},
		{Kind: journal.KindAttempt, Step: "apply", Pass: journal.PassGrow},
		{Kind: journal.KindIntent, Step: "apply", Pass: journal.PassGrow, Grants: []grant.Grant{list}, Class: "ListQueues", Necessity: "observed"},
		{Kind: journal.KindGranted, Step: "apply", Pass: journal.PassGrow, Grants: []grant.Grant{list}},
		{Kind: journal.KindStepEnd, Step: "apply", Pass: journal.PassGrow, OK: true},
		{Kind: journal.KindAttempt, Step: "use", Pass: journal.PassGrow},
		{Kind: journal.KindIntent, Step: "use", Pass: journal.PassGrow, Grants: []grant.Grant{get}, Class: "GET", Necessity: "assumed"},
	}
	want := map[string]harness.Known{
		"apply": {Done: true, Runs: 1, Entries: []harness.Entry{{Grant: list, Necessity: harness.Observed, Class: "ListQueues"}}},
		"use":   {Runs: 1, Entries: []harness.Entry{{Grant: get, Necessity: harness.Assumed, Class: "GET", Guess: true}}},
	}
	if diff := cmp.Diff(want, harness.KnownOf(events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A step that was begun again is not done.
	again := append(events, journal.Event{Kind: journal.KindAttempt, Step: "apply", Pass: journal.PassGrow})
	if harness.KnownOf(again)["apply"].Done {
		t.Error("done, though it was begun again")
	}
}

// What a tool says of its failure is shown and not kept: it can quote a secret.
func TestTheToolsWordsAreNotKept(t *testing.T) {
	var kept, shown journal.Event
	j := told{appendFunc(func(e journal.Event) error { kept = e; return nil }), func(e journal.Event) { shown = e }}
	if err := j.Append(journal.Event{Kind: journal.KindAttemptEnd, Step: "apply", Text: "bad password hunter2"}); err != nil {
		t.Fatal(err)
	}
	if kept.Text != "" || kept.Step != "apply" || shown.Text == "" {
		t.Errorf("kept %+v, shown %+v", kept, shown)
	}
}

type appendFunc func(journal.Event) error

func (f appendFunc) Append(e journal.Event) error { return f(e) }
