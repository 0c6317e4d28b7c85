package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// startOf reads what the steps' roles begin with: nothing, what each step has in
// the record, or one role for all steps.
func startOf(lc lifecycle.Lifecycle, recordFile, account string) (map[string]grant.Set, error) {
	start := map[string]grant.Set{}
	switch lc.Start {
	case "", "empty":
		return nil, nil
	case "record":
		rec, err := record.Read(recordFile)
		if err != nil {
			return nil, fmt.Errorf("start: record: %w; run whittle probe with start: empty first", err)
		}
		return recorded(rec, lc, account), nil
	}
	file := lc.Start
	if !filepath.IsAbs(file) {
		file = filepath.Join(lc.Dir, file)
	}
	set, err := roleFile(file)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	for _, s := range lc.Steps {
		start[s.Name] = set
	}
	return start, nil
}

// recorded is what each step has in the record, by name, in this account and under
// the lifecycle's names.
func recorded(rec record.Record, lc lifecycle.Lifecycle, account string) map[string]grant.Set {
	sets := map[string]grant.Set{}
	for _, s := range rec.Specialize(account).Steps {
		var grants []grant.Grant
		for g := range s.Set().All() {
			for key, value := range lc.Names {
				g.Resource = strings.ReplaceAll(g.Resource, "{"+key+"}", value)
			}
			grants = append(grants, g)
		}
		sets[s.Name] = grant.Of(grants...)
	}
	return sets
}

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
