package account

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
)

// Principal is who makes a request, after authentication.
type Principal struct {
	// ARN is the principal's own, of a session for a role's session.
	ARN string
	// UserID is what aws:userid holds: of a session "ROLEID:session".
	UserID string
	// User is the name of an IAM user, Role that of the role of a session; one
	// of them is set, but for the operator.
	User, Role string
	// ID is the unique id of the user or role, by which one that was made again
	// under the same name is told from the first.
	ID string
	// Session holds the session policies, which only a session has.
	Session []policy.Document
	// SessionTags are the tags passed when the role was assumed.
	SessionTags map[string]string
	// Operator marks the sandbox's own administrator, who is not in the state.
	Operator bool
}

// Reason says what kind of policy decided.
type Reason int

// The reasons, in the words of AWS's refusals.
const (
	Granted Reason = iota
	NoIdentityPolicy
	NoBoundary
	NoSessionPolicy
	NoResourcePolicy
	DeniedByIdentityPolicy
	DeniedByBoundary
	DeniedBySessionPolicy
	DeniedByResourcePolicy
)

// Explicit tells whether a statement denies.
func (r Reason) Explicit() bool { return r >= DeniedByIdentityPolicy }

// Policy names the kind of policy, with its article where it explicitly denies.
func (r Reason) Policy() string {
	return [...]string{"", "identity-based policy", "permissions boundary", "session policy", "resource-based policy",
		"an identity-based policy", "a permissions boundary", "a session policy", "a resource-based policy"}[r]
}

// Resource is the policy that is attached to what a request is about.
type Resource struct {
	Document policy.Document
	// Trust marks a role's trust policy, which has no Resource element.
	Trust bool
	// Rules marks a policy without whose leave nobody may: a KMS key's, a role's
	// trust policy. Where it names the account, the account's IAM decides.
	Rules bool
}

// entity finds the principal in the view, nil if it is not there.
func (v *View) entity(p Principal) *Entity {
	e := v.Users[p.User]
	if p.Role != "" {
		e = v.Roles[p.Role]
	}
	if e == nil || e.ID != p.ID {
		return nil
	}
	return e
}

// Has tells whether the principal exists.
func (v *View) Has(p Principal) bool { return p.Operator || v.entity(p) != nil }

// Trust is the trust policy of a role, as the policy that rules it.
func (e *Entity) Trust() (Resource, error) {
	return Resource{Document: e.trust, Trust: true, Rules: true}, e.err
}

// administrator is what the operator holds.
func administrator() policy.Document {
	return policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
		{Effect: policy.EffectAllow, Action: []string{"*"}, Resource: []string{"*"}}}}
}

// identity gathers the identity policies and the boundary of a principal.
func (v *View) identity(p Principal) (documents []policy.Document, boundary *policy.Document, err error) {
	if p.Operator {
		return []policy.Document{administrator()}, nil, nil
	}
	e := v.entity(p)
	if e == nil {
		return nil, nil, nil // not there yet, or not any more: holds nothing
	}
	documents, err = slices.Clone(e.documents), e.err
	for _, name := range e.groups {
		if g := v.Groups[name]; g != nil {
			documents = append(documents, g.documents...)
			if err == nil {
				err = g.err
			}
		}
	}
	return documents, e.boundary, err
}

// Mentions tells whether any policy that could decide about p holds the text,
// which saves looking up facts that nothing asks for.
func (v *View) Mentions(p Principal, resource *Resource, text string) bool {
	documents, boundary, _ := v.identity(p)
	documents = append(documents, p.Session...)
	if boundary != nil {
		documents = append(documents, *boundary)
	}
	if resource != nil {
		documents = append(documents, resource.Document)
	}
	for _, d := range documents {
		for _, s := range d.Statements {
			for _, keys := range s.Condition {
				for key := range keys {
					if strings.Contains(strings.ToLower(key), text) {
						return true
					}
				}
			}
		}
	}
	return false
}

// Context holds the condition keys of the principal. The keys of the request
// (aws:SourceIp and so on) are the caller's.
func (v *View) Context(p Principal, account string) map[string][]string {
	c := map[string][]string{
		"aws:PrincipalArn": {p.ARN}, "aws:PrincipalAccount": {account}, "aws:userid": {p.UserID}, "aws:PrincipalType": {"User"},
		"aws:PrincipalIsAWSService": {"false"}, "aws:ViaAWSService": {"false"},
	}
	if p.Role == "" {
		c["aws:username"] = []string{p.User}
	} else {
		c["aws:PrincipalType"] = []string{"AssumedRole"}
		c["aws:MultiFactorAuthPresent"] = []string{"false"}
	}
	if e := v.entity(p); e != nil {
		if p.Role != "" {
			c["aws:PrincipalArn"] = []string{e.ARN} // of a session it is the role's
		}
		for k, value := range e.Tags {
			c["aws:PrincipalTag/"+k] = []string{value}
		}
	}
	for k, value := range p.SessionTags {
		c["aws:PrincipalTag/"+k] = []string{value}
	}
	return c
}

// Decide tells whether the principal may. resource is nil where nothing has a
// policy attached. An error means that it cannot be decided, and must not be
// taken for leave.
//
// Source: "Policy evaluation logic", IAM User Guide: within one account an
// explicit deny anywhere wins; then a resource-based policy that names the
// principal grants by itself; else the identity policies must grant; a
// permissions boundary and a session policy each limit what is granted.
func (v *View) Decide(p Principal, r evaluate.Request, resource *Resource) (Reason, error) {
	r.Principal = p.ARN
	documents, boundary, err := v.identity(p)
	if err != nil {
		return 0, err
	}
	kinds := []struct {
		documents    []policy.Document
		applies      bool
		no, explicit Reason
	}{
		{documents, true, NoIdentityPolicy, DeniedByIdentityPolicy},
		{one(boundary), boundary != nil, NoBoundary, DeniedByBoundary},
		{p.Session, p.Session != nil, NoSessionPolicy, DeniedBySessionPolicy},
	}
	granted := [3]bool{}
	for i, k := range kinds {
		if !k.applies {
			granted[i] = true
			continue
		}
		d, err := evaluate.Documents(k.documents, r)
		if err != nil {
			return 0, fmt.Errorf("%s for %s on %s: %w", p.ARN, r.Action, r.Resource, err)
		}
		if d == evaluate.ExplicitDeny {
			return k.explicit, nil
		}
		granted[i] = d == evaluate.Allow
	}
	itself, account, denied, err := resource.evaluate(r)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s for %s on %s: resource-based policy: %w", p.ARN, r.Action, r.Resource, err)
	case denied:
		return DeniedByResourcePolicy, nil
	case resource != nil && resource.Rules && !itself && !account:
		return NoResourcePolicy, nil
	}
	granted[0] = granted[0] || itself
	for i, k := range kinds {
		if !granted[i] {
			return k.no, nil
		}
	}
	return Granted, nil
}

func one(d *policy.Document) []policy.Document {
	if d == nil {
		return nil
	}
	return []policy.Document{*d}
}

// evaluate tells whether the policy grants to the principal itself, and whether
// it grants to its account.
func (res *Resource) evaluate(r evaluate.Request) (itself, account, denied bool, err error) {
	if res == nil {
		return false, false, false, nil
	}
	decide := func(d policy.Document) (evaluate.Decision, error) {
		if res.Trust {
			return evaluate.Trust(d, r.Principal, r.Action, r.Context)
		}
		return evaluate.Documents([]policy.Document{d}, r)
	}
	d, err := decide(res.Document)
	if err != nil || d != evaluate.Allow {
		return false, false, d == evaluate.ExplicitDeny, err
	}
	d, err = decide(withoutAccounts(res.Document))
	return d == evaluate.Allow, true, false, err
}

// withoutAccounts is the document without the grants to whole accounts.
func withoutAccounts(d policy.Document) policy.Document {
	var left []policy.Statement
	for _, s := range d.Statements {
		if s.Effect == policy.EffectAllow && s.Principal["AWS"] != nil {
			s.Principal = maps.Clone(s.Principal)
			s.Principal["AWS"] = slices.DeleteFunc(slices.Clone(s.Principal["AWS"]), func(name string) bool {
				return strings.HasSuffix(name, ":root") || len(name) == 12 && strings.Trim(name, "0123456789") == ""
			})
			if len(s.Principal["AWS"]) == 0 {
				delete(s.Principal, "AWS")
			}
			if len(s.Principal) == 0 {
				continue
			}
		}
		left = append(left, s)
	}
	d.Statements = left
	return d
}
