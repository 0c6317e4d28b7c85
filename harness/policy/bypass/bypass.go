// Package bypass finds, in AWS policy documents, rights that are tied to a
// resource's tags while the same holder may write those tags: it tags anything, and
// then does what it wants to it.
//
// Each finding is shown by evaluating the documents, not guessed from their words:
// the right is refused on a resource without the tag, the tag may be put on that
// resource, and the right is allowed once it is there. Conditions that have nothing
// to do with tags are taken as fulfilled, except ec2:CreateAction, which is there
// only while something is made. It says nothing of conditions whose value comes from
// the principal (${aws:PrincipalTag/team}), nor of tags that are taken away.
package bypass

import (
	"cmp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/tags"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
)

// Finding is one right whose condition on tags its holder gets round.
type Finding struct {
	// Place is the statement that has the condition: its Sid or its number.
	Place string `json:"statement"`
	// Action is the action as the statement writes it.
	Action string `json:"action"`
	// Resource is a resource that shows it.
	Resource string `json:"resource"`
	// Key and Value are the condition's: "aws:ResourceTag/team", "blue".
	Key   string `json:"key"`
	Value string `json:"value"`
	// By is the permission that puts the tag on.
	By string `json:"by"`
}

// Find lists what the documents, which one holder has together, show. Documents
// that cannot be evaluated are an error.
func Find(docs []policy.Document) ([]Finding, error) {
	resources := specimens(docs)
	var found []Finding
	for _, d := range docs {
		for i, s := range d.Statements {
			for _, key := range resourceTags(s) {
				for _, action := range s.Action {
					f, ok, err := show(docs, s, key, action, resources)
					if err != nil {
						return nil, err
					}
					if ok {
						f.Place = s.Place(i)
						found = append(found, f)
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(found), nil
}

// tagKey is a condition on a tag of the resource: operator, key, and what it must be.
type tagKey struct{ key, tag, value string }

// resourceTags lists the statement's conditions that want a certain tag on the
// resource. Those that want a tag not to be there are no bound to be shown in this
// way.
func resourceTags(s policy.Statement) []tagKey {
	if s.Effect != policy.EffectAllow {
		return nil
	}
	var keys []tagKey
	for operator, of := range s.Condition {
		if !positive(operator) {
			continue
		}
		for key, values := range of {
			prefix, tag, ok := strings.Cut(key, "/")
			_, name, _ := strings.Cut(prefix, ":")
			if ok && len(values) > 0 && (strings.EqualFold(name, "ResourceTag") || strings.EqualFold(name, "ExistingObjectTag") || strings.EqualFold(prefix, "ec2:ResourceTag")) {
				keys = append(keys, tagKey{key: key, tag: tag, value: concrete(values[0])})
			}
		}
	}
	slices.SortFunc(keys, func(a, b tagKey) int { return cmp.Compare(a.key, b.key) })
	return keys
}

// positive tells whether an operator wants a value to be there.
func positive(operator string) bool {
	operator = operator[strings.LastIndexByte(operator, ':')+1:] // ForAnyValue:StringEquals
	operator = strings.TrimSuffix(operator, "IfExists")
	switch operator {
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "Bool":
		return true
	}
	return false
}

// show looks for a resource by which the documents show that the condition is got
// round.
func show(docs []policy.Document, s policy.Statement, k tagKey, pattern string, resources []string) (Finding, bool, error) {
	service, _, ok := strings.Cut(pattern, ":")
	if !ok { // "*": no service's tags are its own
		return Finding{}, false, nil
	}
	action := concrete(pattern)
	for _, by := range tags.Puts(service) {
		if strings.EqualFold(by, action) {
			continue
		}
		for _, resource := range resources {
			untagged := others(docs)
			tagging := others(docs)
			tagging["aws:RequestTag/"+k.tag] = []string{k.value}
			tagging["aws:TagKeys"] = []string{k.tag}
			tagged := others(docs)
			for _, key := range []string{k.key, "aws:ResourceTag/" + k.tag, service + ":ResourceTag/" + k.tag, "s3:ExistingObjectTag/" + k.tag} {
				tagged[key] = []string{k.value}
			}
			// The other tags that the statement wants can be put on as well.
			for _, other := range resourceTags(s) {
				tagged[other.key] = []string{other.value}
			}
			steps := []struct {
				action  string
				context map[string][]string
				want    bool
			}{{action, untagged, false}, {by, tagging, true}, {action, tagged, true}}
			shown := true
			for _, step := range steps {
				d, err := evaluate.Documents(docs, evaluate.Request{Action: step.action, Resource: resource, Context: step.context})
				if err != nil {
					return Finding{}, false, err
				}
				if shown = (d == evaluate.Allow) == step.want; !shown {
					break
				}
			}
			if shown {
				return Finding{Action: pattern, Resource: resource, Key: k.key, Value: k.value, By: by}, true, nil
			}
		}
	}
	return Finding{}, false, nil
}

// others is a context in which the documents' conditions that have nothing to do
// with tags are fulfilled.
func others(docs []policy.Document) map[string][]string {
	context := make(map[string][]string)
	for _, d := range docs {
		for _, s := range d.Statements {
			if s.Effect != policy.EffectAllow {
				continue
			}
			for operator, of := range s.Condition {
				if !positive(operator) {
					continue
				}
				for key, values := range of {
					low := strings.ToLower(key)
					if strings.Contains(low, "tag") || low == "ec2:createaction" || len(values) == 0 || context[key] != nil {
						continue
					}
					context[key] = []string{concrete(values[0])}
				}
			}
		}
	}
	return context
}

// specimens are resources that the documents' patterns name, one of each.
func specimens(docs []policy.Document) []string {
	var all []string
	for _, d := range docs {
		for _, s := range d.Statements {
			for _, r := range s.Resource {
				all = append(all, concrete(r))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// concrete is a text that a pattern matches.
func concrete(pattern string) string {
	return strings.NewReplacer("*", "x", "?", "x").Replace(pattern)
}
