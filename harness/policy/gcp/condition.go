package gcp

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// attributes are those of IAM Conditions that a grant's condition can be on, with the
// operators that they take: "==" one of the values, "startsWith" begins with one,
// "within" is one or lies in it. Source: IAM, "Attribute reference for IAM Conditions".
var attributes = map[string][]string{
	"resource.name": {"==", "startsWith", "within"},
	"resource.type": {"=="},
}

// value is what an attribute may be compared with: nothing that has a meaning within
// quotes. Braces are a {key} that is yet to be filled in.
var value = regexp.MustCompile(`^[A-Za-z0-9._~%+@:/{}-]{1,1000}$`)

// OperatorLimit is how many && and || an expression may have (IAM, "Quotas and
// limits").
const OperatorLimit = 12

// Expression is a grant's condition as one of IAM Conditions, in the Common Expression
// Language; of none it is empty. What it cannot say is an error: left out, it would
// widen the grant.
func Expression(condition string) (string, error) {
	c, err := grant.ParseCondition(condition)
	if err != nil || c == nil {
		return "", err
	}
	var all []string
	operators := -1
	for _, operator := range slices.Sorted(maps.Keys(c)) {
		for _, attribute := range slices.Sorted(maps.Keys(c[operator])) {
			if !slices.Contains(attributes[attribute], operator) {
				return "", fmt.Errorf("condition %s: IAM Conditions of Google Cloud are not known to have %s of %s", condition, operator, attribute)
			}
			var any []string
			for _, v := range c[operator][attribute] {
				if !value.MatchString(v) {
					return "", fmt.Errorf("condition %s: %q cannot stand in an expression", condition, v)
				}
				switch equal := attribute + ` == "` + v + `"`; operator {
				case "==":
					any = append(any, equal)
				case "startsWith":
					any = append(any, attribute+`.startsWith("`+v+`")`)
				case "within":
					any = append(any, equal, attribute+`.startsWith("`+v+`/")`)
				}
			}
			operators += len(any)
			text := strings.Join(any, " || ")
			if len(any) > 1 && (len(c) > 1 || len(c[operator]) > 1) {
				text = "(" + text + ")"
			}
			all = append(all, text)
		}
	}
	if operators > OperatorLimit {
		return "", fmt.Errorf("condition %s: takes %d operators, and IAM allows %d", condition, operators, OperatorLimit)
	}
	return strings.Join(all, " && "), nil
}

// PrintCondition writes an expression as gcloud's --condition-from-file takes it, the
// same bytes each time.
func PrintCondition(title, expression string) []byte {
	return []byte("title: " + quote(title) + "\nexpression: " + quote(expression) + "\n")
}
