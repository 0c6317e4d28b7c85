// Package evaluate decides what IAM policy documents allow, by the rules of the
// IAM user guide: [Documents] for what an identity may do, [Trust] for who may
// assume a role. What it cannot decide (an operator it does not know, a value
// that is malformed) is an error, never an allow.
//
// It does no I/O, and does not know which documents apply to a request:
// permissions boundaries, session policies and organization policies are further
// calls of [Documents], to be combined by the caller.
//
// Rules are cited as in package policy: "elements_resource" stands for
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html.
package evaluate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy"
)

// Decision is what documents say to a request.
type Decision int

const (
	// ImplicitDeny: no statement allows it.
	ImplicitDeny Decision = iota
	// Allow: a statement allows it and none denies it.
	Allow
	// ExplicitDeny: a statement denies it; that always wins.
	ExplicitDeny
)

// String gives "implicit deny", "allow" or "explicit deny".
func (d Decision) String() string {
	switch d {
	case ImplicitDeny:
		return "implicit deny"
	case Allow:
		return "allow"
	case ExplicitDeny:
		return "explicit deny"
	}
	return fmt.Sprintf("Decision(%d)", int(d))
}

// Request is what documents are asked about.
type Request struct {
	// Action is the full name: "ec2:CreateVpc". Case does not matter.
	Action string
	// Resource is the ARN acted on, or "*" where the action has none.
	Resource string
	// Principal is who asks: the ARN of a user, role or session, an account's
	// root ARN, or a service's name. Only statements with a Principal or
	// NotPrincipal read it. Empty means anonymous.
	Principal string
	// Context holds the condition keys of the request with their values:
	// "aws:username" → {"bob"}. Keys are case-insensitive. A key with no value
	// is like one that is not there.
	Context map[string][]string
}

// Documents decides the request by the documents together: an explicit deny
// beats every allow, and what nothing allows is denied (evaluation-logic). The
// order of documents and statements does not matter.
//
// A statement that would match but for something that cannot be decided (an
// unknown operator, a malformed value) is an error, with [ImplicitDeny],
// unless another statement denies anyway.
func Documents(docs []policy.Document, r Request) (Decision, error) {
	return evaluate(docs, r, func(q request, s policy.Statement, version string) []part {
		return []part{q.action(s), q.principal(s), func() (bool, error) { return q.resource(s, version) }}
	})
}

// Trust decides whether a role's trust policy lets the principal do
// action, which is "sts:AssumeRole" or one of its kind, to the role. Such
// statements have a Principal and no Resource (elements_principal, "IAM role
// principals").
//
// A statement that names an account, by number or root ARN, matches every
// principal in it. IAM then also wants an identity policy of that principal to
// allow the action on the role; one that is named itself, in the role's own
// account, needs none. That second half is the caller's.
func Trust(doc policy.Document, principalARN, action string, context map[string][]string) (Decision, error) {
	r := Request{Action: action, Principal: principalARN, Context: context}
	return evaluate([]policy.Document{doc}, r, func(q request, s policy.Statement, _ string) []part {
		return []part{q.action(s), q.principal(s), func() (bool, error) {
			switch {
			case s.Resource != nil || s.NotResource != nil:
				return true, errors.New("has a Resource, which a trust policy cannot")
			case s.Principal == nil:
				return true, errors.New("has no Principal, which a trust policy must")
			}
			return true, nil
		}}
	})
}

// part decides one element of a statement. With an error the statement cannot
// be decided, unless another part says that it does not match.
type part func() (bool, error)

func evaluate(docs []policy.Document, r Request, parts func(request, policy.Statement, string) []part) (Decision, error) {
	q := request{Request: r, context: map[string][]string{}}
	for k, v := range r.Context {
		k = strings.ToLower(k)
		q.context[k] = append(q.context[k], v...)
	}
	decision := ImplicitDeny
	var open []error
	for _, d := range docs {
		for i, s := range d.Statements {
			matches, err := all(append(parts(q, s, d.Version), q.conditions(s, d.Version)...))
			switch {
			case err != nil:
				open = append(open, fmt.Errorf("policy document: %s: %w", s.Place(i), err))
			case !matches:
			case s.Effect == policy.EffectDeny:
				return ExplicitDeny, nil
			case s.Effect == policy.EffectAllow:
				decision = max(decision, Allow)
			default:
				open = append(open, fmt.Errorf("policy document: %s: effect is %q, not %q or %q", s.Place(i), s.Effect, policy.EffectAllow, policy.EffectDeny))
			}
		}
	}
	if len(open) > 0 {
		return ImplicitDeny, errors.Join(open...)
	}
	return decision, nil
}

// all tells whether every part holds. One that does not hold settles it,
// whatever could not be decided in others.
func all(parts []part) (bool, error) {
	var open error
	for _, p := range parts {
		ok, err := p()
		switch {
		case err != nil && open == nil:
			open = err
		case err == nil && !ok:
			return false, nil
		}
	}
	return open == nil, open
}

// action: names are case-insensitive and may hold wildcards; NotAction matches
// all but those listed (elements_action, elements_notaction).
func (q request) action(s policy.Statement) part {
	return func() (bool, error) {
		if (s.Action == nil) == (s.NotAction == nil) {
			return false, errors.New("has not exactly one of Action and NotAction")
		}
		name := strings.ToLower(q.Action)
		for _, a := range append(s.Action[:len(s.Action):len(s.Action)], s.NotAction...) {
			a = strings.ToLower(a)
			if a == name || a == "*" || strings.ContainsAny(a, "*?") && matchText(a, name) {
				return s.Action != nil, nil
			}
		}
		return s.Action == nil, nil
	}
}

// matchText matches wildcards and nothing else.
func matchText(text, s string) bool {
	p, _, _ := request{}.read(text, "", true) // without variables nothing can be wrong
	return p.match(s)
}

// resource: ARNs are case-sensitive and may hold wildcards and variables;
// NotResource matches all but those listed (elements_resource,
// elements_notresource).
func (q request) resource(s policy.Statement, version string) (bool, error) {
	if (s.Resource == nil) == (s.NotResource == nil) {
		return false, errors.New("has not exactly one of Resource and NotResource")
	}
	var open error
	for _, text := range append(s.Resource[:len(s.Resource):len(s.Resource)], s.NotResource...) {
		ok, err := q.matchResource(text, version)
		if err != nil {
			open = err
		}
		if ok {
			return s.Resource != nil, nil
		}
	}
	return s.Resource == nil, open
}

func (q request) matchResource(text, version string) (bool, error) {
	if text == "*" || text == q.Resource && !strings.Contains(text, "${") {
		return true, nil
	}
	if version == policy.Version2012 && strings.Contains(text, "${") {
		if header := strings.SplitN(text, ":", 6); len(header) < 6 || strings.Contains(strings.Join(header[:5], ":"), "${") {
			// policies_variables, "Where you can use policy variables".
			return false, fmt.Errorf("resource %q holds a policy variable before its fifth colon, where IAM takes none", text)
		}
	}
	p, ok, err := q.read(text, version, true)
	if err != nil || !ok {
		return false, err
	}
	return p.segments().match(q.Resource), nil
}
