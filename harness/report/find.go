package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Find lists the permissions that a name or a pattern means, in order. "*" stands
// for any run of characters and "?" for one. Case does not count on AWS (IAM User
// Guide, "IAM JSON policy elements: Action") and Azure (Azure RBAC, "Understand
// Azure role definitions": actions are case-insensitive); it does on Google Cloud.
func (r Report) Find(query string) []Permission {
	re := regexp.QuoteMeta(query)
	re = "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(re) + "$"
	if r.Cloud != "gcp" {
		re = "(?i)" + re
	}
	means := regexp.MustCompile(re)
	var found []Permission
	for _, p := range r.Permissions {
		if means.MatchString(p.Name) {
			found = append(found, p)
		}
	}
	return found
}

// Nearest lists at most n permissions whose names are like the query, the nearest
// first.
func (r Report) Nearest(query string, n int) []string {
	query = strings.ToLower(strings.NewReplacer("*", "", "?", "").Replace(query))
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, p := range r.Permissions {
		name := strings.ToLower(p.Name)
		d := distance(query, name)
		switch {
		case query != "" && strings.Contains(name, query):
			d = 0
		case d > max(3, len(name)/3):
			// A word of it may be right: the action without its service, say.
			action := name[strings.LastIndexAny(name, ":./")+1:]
			asked := query[strings.LastIndexAny(query, ":./")+1:]
			switch d = 2 + distance(asked, action); {
			case asked == "":
				continue
			case len(asked) > 2 && strings.Contains(action, asked):
				d = 1
			case d > max(3, len(action)/4):
				continue
			}
		}
		all = append(all, near{p.Name, d})
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, a := range all[:min(n, len(all))] {
		names = append(names, a.name)
	}
	return names
}

// distance is how many characters must be put in, taken out or changed to make one
// text of the other (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
