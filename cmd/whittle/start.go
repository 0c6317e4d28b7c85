package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// startOf reads what the steps' roles begin with: nothing, what each step has in
// the record, or one role for all steps.
func startOf(lc lifecycle.Lifecycle, recordFile string, at record.Place) (map[string]grant.Set, error) {
	switch lc.Start {
	case "", "empty":
		return nil, nil
	case "record":
		rec, err := record.Read(recordFile)
		if err != nil {
			return nil, fmt.Errorf("start: record: %w; run whittle probe with start: empty first", err)
		}
		return recorded(rec, lc, at), nil
	}
	file := lc.Start
	if !filepath.IsAbs(file) {
		file = filepath.Join(lc.Dir, file)
	}
	set, err := roleFile(file)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	start := map[string]grant.Set{}
	for _, s := range lc.Steps {
		start[s.Name] = filled(set, lc, at)
	}
	return start, nil
}

// recorded is what each step has in the record, by name, in this account and under
// the lifecycle's names.
func recorded(rec record.Record, lc lifecycle.Lifecycle, at record.Place) map[string]grant.Set {
	sets := map[string]grant.Set{}
	for _, s := range rec.Steps {
		sets[s.Name] = filled(s.Set(), lc, at)
	}
	return sets
}

// filled is a set with what it has in braces: the lifecycle's names, and where it
// runs.
func filled(set grant.Set, lc lifecycle.Lifecycle, at record.Place) grant.Set {
	values := map[string]string{}
	if at.Account != "" {
		values[accountKeys[lc.Cloud]] = at.Account
	}
	if at.Region != "" && lc.Cloud == "aws" {
		values["region"] = at.Region
	}
	maps.Copy(values, lc.Names)
	var grants []grant.Grant
	for g := range set.All() {
		fill := func(s string) string { return rolefile.Fill(s, values) }
		g.Resource, g.Condition = fill(g.Resource), grant.MapCondition(g.Condition, fill)
		grants = append(grants, g)
	}
	return grant.Of(grants...)
}

// accountKeys are what stands in braces for an account, a project or a
// subscription.
var accountKeys = map[string]string{"aws": "account", "gcp": "project", "azure": "subscription"}

// roleFile reads a role that says no more than grants can: of AWS, Google Cloud
// or Azure, a list or a table.
func roleFile(file string) (grant.Set, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return grant.Set{}, err
	}
	role, err := rolefile.Read(file, data)
	if err != nil {
		return grant.Set{}, err
	}
	set, err := role.Set()
	if err == nil && set.Len() == 0 {
		err = errors.New("no permission in it")
	}
	if err != nil {
		return grant.Set{}, fmt.Errorf("%s: %w", file, err)
	}
	return set, nil
}
