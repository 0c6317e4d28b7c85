// Package guard says whether an account, a project or a subscription may be
// probed: only one that its owner has marked as a sandbox, or that the operator
// names in full, and never one that is marked as production.
//
// It decides from what a cloud says of the place and asks nobody itself.
package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mark is the key of the label or tag, and the words of an account's alias, that
// mark a sandbox.
const Mark = "whittle-sandbox"

// Target is the place that a run is about to work in.
type Target struct {
	// Kind is "account", "project" or "subscription".
	Kind string
	// Name is its full name: an account's number, the id of a project or of a
	// subscription.
	Name string
	// Labels are the labels of a project, the tags of a subscription.
	Labels map[string]string
	// Aliases are an account's other names.
	Aliases []string
}

// String names the target.
func (t Target) String() string { return t.Kind + " " + t.Name }

// NotSandboxError says why a target may not be probed.
type NotSandboxError struct {
	Target Target
	Why    string
	Next   []string // what to try
}

func (e *NotSandboxError) Error() string {
	return fmt.Sprintf("%s %s; nothing was touched", e.Target, e.Why)
}

// Hints says what can be done about it.
func (e *NotSandboxError) Hints() []string { return e.Next }

// Check tells whether the target may be probed, and by which right. Named is the
// name that the operator gave on the command line, empty for none: it stands for
// a mark that is missing. It does not outweigh one that says production, nor one
// that says that the target is no sandbox.
func Check(t Target, named string) (right string, err error) {
	if named != "" && named != t.Name {
		return "", &NotSandboxError{t, fmt.Sprintf("is not %q, which --target-is-sandbox names", named), []string{"give its name in full: --target-is-sandbox " + t.Name}}
	}
	if mark := production(t); mark != "" {
		return "", &NotSandboxError{t, "is marked as production (" + mark + ")", []string{"probe in another " + t.Kind + ": every step runs there, an administrator's too"}}
	}
	switch where, value := marked(t); {
	case where == "":
	case truth(value):
		return where, nil
	default:
		return "", &NotSandboxError{t, fmt.Sprintf("is marked as no sandbox (%s)", where), []string{"its owner can change that to " + Mark + "=true"}}
	}
	if named != "" {
		return "--target-is-sandbox " + named, nil
	}
	return "", &NotSandboxError{t, "is not marked as a sandbox", []string{howTo(t), "or say so for this run, with its full name: --target-is-sandbox " + t.Name}}
}

// howTo says how the target is marked.
func howTo(t Target) string {
	switch t.Kind {
	case "project":
		return fmt.Sprintf("mark it with a label: gcloud projects update %s --update-labels=%s=true", t.Name, Mark)
	case "account":
		return fmt.Sprintf("mark it with an alias that holds %s: aws iam create-account-alias --account-alias mine-%s", Mark, Mark)
	}
	return fmt.Sprintf("mark it with a tag: az tag update --resource-id /subscriptions/%s --operation merge --tags %s=true", t.Name, Mark)
}

// marked is where the sandbox's mark stands, and its value.
func marked(t Target) (where, value string) {
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if strings.EqualFold(key, Mark) {
			return key + "=" + t.Labels[key], t.Labels[key]
		}
	}
	for _, alias := range t.Aliases {
		if strings.Contains("-"+alias+"-", "-"+Mark+"-") {
			return "alias " + alias, "true"
		}
	}
	return "", ""
}

// truth tells whether the value of a mark says yes. A label that is there says
// so by itself.
func truth(value string) bool {
	return slices.Contains([]string{"", "true", "yes", "1"}, strings.ToLower(value))
}

// stages are the keys under which people write what a place is for, and
// productive the values that say that others depend on it.
var (
	stages     = []string{"env", "environment", "stage", "tier", "lifecycle"}
	productive = []string{"prod", "production", "prd", "live"}
)

// production is the mark that says that others depend on the target; empty if
// there is none.
func production(t Target) string {
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		k, v := strings.ToLower(key), strings.ToLower(t.Labels[key])
		if slices.Contains(stages, k) && slices.ContainsFunc(words(v), isProductive) || isProductive(k) && truth(v) {
			return key + "=" + t.Labels[key]
		}
	}
	for _, alias := range t.Aliases {
		if slices.ContainsFunc(words(alias), isProductive) {
			return "alias " + alias
		}
	}
	return ""
}

func isProductive(word string) bool { return slices.Contains(productive, word) }

// words takes apart what is written with dashes, dots or underscores. A "non-prod"
// keeps its "non" beside it and is one word.
func words(s string) []string {
	s = strings.NewReplacer("non-prod", "nonprod", "non_prod", "nonprod", "pre-prod", "preprod", "pre_prod", "preprod").Replace(s)
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-_. /", r) })
}
