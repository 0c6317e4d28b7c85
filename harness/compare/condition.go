package compare

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// follows tells whether one condition holds wherever another does: the same, or one
// that lets the same keys of the other have more values, or does not ask for them.
// Where it cannot tell it says no.
func follows(one, from string) bool {
	if one == from {
		return true
	}
	want, err := grant.ParseCondition(one)
	if err != nil {
		return false
	}
	has, err := grant.ParseCondition(from)
	if err != nil {
		return false
	}
	given := map[string][]string{}
	for key, values := range has["StringEquals"] {
		given[known(key)] = values
	}
	for operator, keys := range want {
		for key, values := range keys {
			narrower := given[known(key)]
			// Of StringEquals each value more lets more through; of others it may not.
			if operator != "StringEquals" || len(narrower) == 0 ||
				slices.ContainsFunc(narrower, func(v string) bool { return !slices.Contains(values, v) }) {
				return false
			}
		}
	}
	return true
}

// known is the key under the name that Whittle writes it with. EC2 has two for the
// tags of what is there (Service Authorization Reference, "Condition keys for Amazon
// EC2": aws:ResourceTag/${TagKey} and ec2:ResourceTag/${TagKey}).
func known(key string) string {
	if tag, ok := strings.CutPrefix(key, "ec2:ResourceTag/"); ok {
		return "aws:ResourceTag/" + tag
	}
	return key
}
