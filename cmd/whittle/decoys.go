package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/report"
)

// decoySummary is what became of the requests for what is not the lifecycle's.
type decoySummary struct {
	Requests int `json:"requests"`
	Refused  int `json:"refused"`
	// Open are the grants that hold on others' resources as well.
	Open []openGrant `json:"open"`
	// Whole are the permissions that hold on the whole project or subscription, by
	// reason.
	Whole []harness.Whole `json:"whole,omitempty"`
	of    string
}

type openGrant struct {
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	Why        string `json:"why"`
}

func decoysOf(cloud string, result harness.Result) decoySummary {
	sum := decoySummary{Requests: len(result.Trials), Open: []openGrant{}, Whole: result.Whole, of: "project"}
	if cloud == "azure" {
		sum.of = "subscription"
	}
	for _, t := range result.Trials {
		open := openGrant{t.Grant.Permission, t.Grant.Resource, t.Why}
		switch {
		case !t.Allowed:
			sum.Refused++
		case !slices.Contains(sum.Open, open):
			sum.Open = append(sum.Open, open)
		}
	}
	return sum
}

// printDecoys says it for people.
func printDecoys(w io.Writer, sum decoySummary) {
	if sum.Requests > 0 {
		fmt.Fprintf(w, "of %s for decoys under the final roles %d were refused\n", count(sum.Requests, "request"), sum.Refused)
	}
	for _, o := range sum.Open {
		fmt.Fprintf(w, "  not scoped: %s on %s: %s\n", report.Visible(o.Permission), report.Visible(o.Resource), o.Why)
	}
	for _, o := range sum.Whole {
		fmt.Fprintf(w, "  on the whole %s, since %s: %s\n", sum.of, o.Why, report.Visible(strings.Join(o.Permissions, ", ")))
	}
}
