package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// usedFile is where a run's folder keeps what a start by the audit log came to: the
// log goes on, and a run that is resumed begins with the same.
const usedFile = "start.txt"

// start is what the steps' roles begin with. By the audit log it is one role for all
// steps: what the file's principal has done.
func (st *stage) start(ctx context.Context, rd *rundir, recordFile string) (map[string]grant.Set, error) {
	lc := st.lc
	if lc.Used == nil {
		start, err := startOf(lc, recordFile, st.at())
		if err != nil {
			err = fmt.Errorf("%s: %w", lc.File, err)
		}
		return start, err
	}
	set, err := st.used(ctx, filepath.Join(rd.dir, usedFile))
	if err != nil {
		return nil, fmt.Errorf("%s:%d: start: audit: %w", lc.File, lc.Used.Line, err)
	}
	start := map[string]grant.Set{}
	for _, s := range lc.Steps {
		start[s.Name] = set
	}
	return start, nil
}

// used is what the audit log shows to have been used, or what it did when the run
// began: then it is in kept.
func (st *stage) used(ctx context.Context, kept string) (grant.Set, error) {
	if set, err := roleFile(kept); !errors.Is(err, fs.ErrNotExist) {
		return set, err
	}
	u := *st.lc.Used
	u.Files = slices.Clone(u.Files)
	for i, file := range u.Files {
		if !filepath.IsAbs(file) {
			u.Files[i] = filepath.Join(st.lc.Dir, file)
		}
	}
	log, err := st.place.log(st.lc.Cloud, st.lc.Trail)
	if err != nil {
		return grant.Set{}, err
	}
	var said bytes.Buffer
	set, derived, err := usedSet(ctx, st.lc.Cloud, u, log, time.Now(), &said)
	for line := range strings.Lines(said.String()) {
		st.show.line("%s", strings.TrimSpace(line))
	}
	if err != nil {
		return set, err
	}
	text := fmt.Sprintf("start: %s by %s's real use", count(set.Len(), "permission"), u.Principal)
	if derived > 0 {
		text += fmt.Sprintf(", of which %d follow from events' names", derived)
	}
	st.show.line("%s", text)
	files, err := rolefile.Write([]rolefile.Group{{Name: "used", Set: set}}, rolefile.Options{Cloud: st.lc.Cloud, Format: rolefile.List})
	if err != nil {
		return set, err
	}
	var content []byte
	for _, f := range files {
		content = append(content, f.Content...)
	}
	return set, renameio.WriteFile(kept, content, 0o600)
}

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
	if at.Number != "" {
		values["project_number"] = at.Number
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
