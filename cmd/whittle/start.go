package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/record"
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
		for _, s := range rec.Specialize(account).Steps {
			var grants []grant.Grant
			for g := range s.Set().All() {
				for key, value := range lc.Names {
					g.Resource = strings.ReplaceAll(g.Resource, "{"+key+"}", value)
				}
				grants = append(grants, g)
			}
			start[s.Name] = grant.Of(grants...)
		}
		return start, nil
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

// roleFile reads a role: a policy of AWS in JSON, a role of Google Cloud in YAML
// or JSON (as gcloud iam roles describe prints it), or a list of permissions,
// each alone on its line or with a resource after it.
func roleFile(file string) (grant.Set, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return grant.Set{}, err
	}
	set, err := parseRole(data)
	if err == nil && set.Len() == 0 {
		err = errors.New("no permission in it")
	}
	if err != nil {
		return grant.Set{}, fmt.Errorf("%s: %w", file, err)
	}
	for p := range set.All() {
		if strings.ContainsAny(p.Permission, "*?") {
			return grant.Set{}, fmt.Errorf("%s: %s: a wildcard cannot be taken apart; write out the permissions that it stands for", file, p.Permission)
		}
	}
	return set, nil
}

func parseRole(data []byte) (grant.Set, error) {
	var role struct {
		Permissions []string `yaml:"includedPermissions"`
	}
	isJSON := json.Valid(data)
	if err := yaml.Unmarshal(data, &role); err == nil && len(role.Permissions) > 0 {
		return everywhere(role.Permissions), nil
	}
	if isJSON {
		d, err := policy.Parse(data)
		if err != nil {
			return grant.Set{}, err
		}
		return d.Set()
	}
	var grants []grant.Grant
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		switch f := strings.Fields(text); len(f) {
		case 0:
		case 1:
			grants = append(grants, grant.Grant{Permission: f[0], Resource: "*"})
		case 2:
			grants = append(grants, grant.Grant{Permission: f[0], Resource: f[1]})
		default:
			return grant.Set{}, fmt.Errorf("line %d: %q: want a permission, and its resource if it has one", n, lines.Text())
		}
	}
	return grant.Of(grants...), lines.Err()
}

func everywhere(permissions []string) grant.Set {
	var grants []grant.Grant
	for _, p := range permissions {
		grants = append(grants, grant.Grant{Permission: p, Resource: "*"})
	}
	return grant.Of(grants...)
}
