// Package rolefile turns sets of grants into role files of each cloud and reads
// such files back: policies of AWS in JSON, roles of Google Cloud in YAML, role
// definitions of Azure in JSON, Terraform of all three, and plain lists and
// tables.
//
// Nothing is added on the way and nothing is lost: what [Write] has written,
// [Read] gives back. It does no I/O.
package rolefile

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// Role is what a role file says.
type Role struct {
	// Cloud is "aws", "gcp" or "azure".
	Cloud string
	// Kind is what the file is, for people: "AWS policy".
	Kind  string
	Rules []Rule
}

// Rule allows or denies some permissions on some resources.
type Rule struct {
	// Place is where the file says it: "statement 3 (EKS)", "line 12".
	Place string
	Deny  bool
	// Plane says for which of Azure's planes it holds; empty for both, and in the
	// other clouds.
	Plane Plane
	// Permissions, of which "*" and "?" are wildcards, without those of Except.
	Permissions []string
	Except      []string
	// Resources without those of ExceptResources; nil where the format has none,
	// and the role holds wherever it is bound.
	Resources       []string
	ExceptResources []string
	// Variables tells whether "${" in a resource begins a policy variable.
	Variables bool
	// Conditions are the keys on which it depends whether the rule holds.
	Conditions []string
	// When is the condition as in [grant.Grant], where a grant can say it; else
	// empty, though Conditions are there.
	When string
}

// Plane is one of Azure's two.
type Plane string

// The planes.
const (
	Control Plane = "control"
	Data    Plane = "data"
)

// Error is something wrong in a role file.
type Error struct {
	File string
	Line int // from 1; 0 if it is about the whole file
	Msg  string
	Hint string // what to try next
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// Hints implements what the command line asks errors for.
func (e *Error) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

// Set is what a role says that says no more than grants can: permissions written
// out, allowed without exception. Anything else is an error.
func (r Role) Set() (grant.Set, error) {
	var grants []grant.Grant
	for _, rule := range r.Rules {
		if rule.Deny || len(rule.Except) > 0 || len(rule.ExceptResources) > 0 || len(rule.Conditions) > 0 && rule.When == "" {
			return grant.Set{}, fmt.Errorf("%s: cannot be said as grants, which are Allow, Action, Resource and Condition alone", rule.Place)
		}
		resources := rule.Resources
		if resources == nil {
			resources = []string{"*"}
		}
		for _, p := range rule.Permissions {
			if strings.ContainsAny(p, "*?") {
				return grant.Set{}, fmt.Errorf("%s: %s: a wildcard cannot be taken apart; write out the permissions that it stands for", rule.Place, p)
			}
			for _, res := range resources {
				plain, ok := plainResource(rule, res)
				if !ok {
					return grant.Set{}, fmt.Errorf("%s: resource %q holds a policy variable, which a grant cannot", rule.Place, res)
				}
				grants = append(grants, grant.Grant{Permission: p, Resource: plain, Condition: rule.When})
			}
		}
	}
	return grant.Of(grants...), nil
}

// plainResource gives a grant's notation of a rule's resource.
func plainResource(rule Rule, resource string) (string, bool) {
	version := policy.Version2008
	if rule.Variables {
		version = policy.Version2012
	}
	if rule.Resources == nil || !strings.Contains(resource, "${") {
		return resource, true
	}
	s, err := policy.Document{Version: version, Statements: []policy.Statement{{
		Effect: policy.EffectAllow, Action: []string{"*"}, Resource: []string{resource},
	}}}.Set()
	if err != nil {
		return "", false
	}
	return s.Slice()[0].Resource, true
}

// ruleOfStatement is the rule of one statement of an AWS policy.
func ruleOfStatement(s policy.Statement, i int, version string) Rule {
	rule := Rule{Place: s.Place(i), Deny: s.Effect == policy.EffectDeny, Permissions: s.Action, Resources: s.Resource, Variables: version == policy.Version2012}
	if s.NotAction != nil {
		rule.Permissions, rule.Except = []string{"*"}, s.NotAction
	}
	if s.NotResource != nil {
		rule.Resources, rule.ExceptResources = []string{"*"}, s.NotResource
	}
	for _, keys := range s.Condition {
		for key := range keys {
			rule.Conditions = append(rule.Conditions, key)
		}
	}
	if s.Condition != nil {
		one := policy.Document{Version: version, Statements: []policy.Statement{{
			Effect: policy.EffectAllow, Action: []string{"*"}, Resource: []string{"*"}, Condition: s.Condition,
		}}}
		if set, err := one.Set(); err == nil {
			rule.When = set.Slice()[0].Condition
		}
	}
	return rule
}
