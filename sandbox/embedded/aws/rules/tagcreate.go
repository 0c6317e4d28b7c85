package rules

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// tagOnCreate adds what EC2 checks when a request that makes something also
// tags it: ec2:CreateTags on each resource type that gets tags, with
// ec2:CreateAction naming the operation; and the tags are condition keys of
// the creation itself. It holds for every operation that takes a
// TagSpecification: "Grant permission to tag Amazon EC2 resources during
// creation", EC2 User Guide, supported-iam-actions-tagging.
func (e *evaluation) tagOnCreate(needs []Need) []Need {
	for _, spec := range e.params.Elements(params.ParsePath("TagSpecification.#")) {
		one := params.Params{Fields: spec}
		kind := one.At(params.Named("item", "ResourceType"))
		tags := one.Pairs(params.ParsePath("item.Tag.#"), "Key", "Value")
		if kind == "" || len(tags) == 0 {
			continue
		}
		arn := strings.Replace(e.fill(e.table.Template(kind)), "{}", "*", 1)
		if !printable(arn) {
			e.malformed = "a control character in a resource type"
			return nil
		}
		keys := e.settings(nil)
		keys["ec2:CreateAction"] = []string{e.operation}
		addTags(keys, tags)
		for i := range needs {
			if needs[i].Resource == arn {
				addTags(needs[i].Context, tags)
			}
		}
		if !slices.ContainsFunc(needs, func(n Need) bool { return n.Action == "ec2:CreateTags" && n.Resource == arn }) {
			needs = append(needs, Need{Action: "ec2:CreateTags", Resource: arn, Context: keys})
		}
	}
	return needs
}

func addTags(keys map[string][]string, tags []params.Pair) {
	for _, t := range tags {
		if t.Key != "" && !slices.Contains(keys["aws:TagKeys"], t.Key) {
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], t.Key)
			keys["aws:RequestTag/"+t.Key] = []string{t.Value}
		}
	}
}
