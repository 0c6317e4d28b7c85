package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Sentence is what IAM's sentence says:
//
//	User: PRINCIPAL is not authorized to perform: ACTION on resource: RESOURCE
//	because no identity-based policy allows the ACTION action
//
// in any of the variants that the services print.
type Sentence struct {
	Principal, Action, Resource string
	Reason                      refusal.Reason
	// Blocker is the kind of policy that stands in the way, as [refusal.Denial]
	// has it.
	Blocker string
	// Encoded is the message that only the cloud can decode. It may be there
	// without the sentence.
	Encoded string
}

const (
	// EncodedIntro stands before EC2's encoded message.
	EncodedIntro = "Encoded authorization failure message:"
	// Action and Kind are regular expressions of an action, and of the kind of
	// policy that a clause names.
	Action = `[A-Za-z0-9-]+:[A-Za-z0-9]+`
	Kind   = `[A-Za-z]+(?:[- ][A-Za-z]+){0,4}?`

	ec2Intro = "You are not authorized to perform this operation."
)

var (
	plainAction = expr.New(`^[a-z0-9-]+:[A-Za-z0-9]+$`)

	// The principal and the action hold no spaces, so nothing that a user may
	// choose can stand before the action.
	opening = expr.New(`^(?:User:? +(\S+) +|User:? +|)(?:is )?not authorized to perform:? +(` + Action + `)(?:[ .,)]|$)`)
	// STS writes it without a user ("Not authorized to perform
	// sts:AssumeRoleWithWebIdentity"), Athena in the second person.
	opening2 = expr.New(`^(?:Not authorized to perform:?|You are not authorized to perform:) +(` + Action + `)(?:[ .,)]|$)`)

	// CloudWatch Logs says of tags on creation, and of nothing else, what it
	// misses without naming who or what (aws/aws-parallelcluster#4580,
	// DataDog/cloudformation-template#61).
	taggedGroup = expr.New(`^User with accountId: \d{12} is not authorized to perform CreateLogGroup with Tags(?:\. An additional permission "logs:TagResource" is required)?\.?$`)

	// Clauses stand at the very end, and the last one is the service's own:
	// the resource before it can hold any text.
	implicit = expr.New(`(?s)^(.*)\bbecause no (` + Kind + `) allows(?: the (` + Action + `) action)?[.)]?$`)
	explicit = expr.New(`(?s)^(.*)\b(?:with|due to) an explicit deny(?: in (?:an?|the) (` + Kind + `)(?:: (?:arn:[^\s]+))?)?[.)]?$`)
	blocked  = expr.New(`(?s)^(.*)\bbecause public [A-Za-z ]+ are (?:prevented|blocked) by the [A-Za-z]+ setting in S3 Block Public Access[.)]?$`)

	named    = expr.New(`^(role|user|group|instance profile|policy path) (\S+)$`)
	account  = expr.New(`^arn:([a-z-]+):(?:iam|sts)::(\d{12}):`)
	nameOnly = expr.New(`^[A-Za-z0-9+=,.@_-]+$`)
)

// policies are the policy types that a refusal can name, in lower case, and
// whether a grant to the principal can help (IAM User Guide, "Troubleshoot
// access denied error messages").
var policies = map[string]struct{ grantHelps bool }{
	"identity-based policy":   {true},
	"resource-based policy":   {true}, // in the same account either of the two will do
	"permissions boundary":    {false},
	"service control policy":  {false},
	"resource control policy": {false},
	"session policy":          {false},
	"vpc endpoint policy":     {false},
	"role trust policy":       {false},
}

// GrantHelps tells whether a grant to the principal can help when it is this
// kind of policy, in lower case, that allows nothing. Of a kind that is not
// known it can.
func GrantHelps(policy string) bool {
	p, known := policies[policy]
	return !known || p.grantHelps
}

// IsAction tells whether a permission is one plain action with its service in
// lower case, without wildcards.
func IsAction(permission string) bool { return plainAction.MatchString(permission) }

// Read reads the message of a refusal. ok is false when no action is
// named; the encoded message and a blocker can be there all the same.
func Read(message string) (s Sentence, ok bool) {
	m := strings.TrimSpace(message)
	rest, fromEC2 := strings.CutPrefix(m, ec2Intro)
	m = strings.TrimSpace(rest)
	if i := strings.LastIndex(m, EncodedIntro); i >= 0 {
		s.Encoded = strings.TrimSpace(m[i+len(EncodedIntro):])
		m = strings.TrimSpace(m[:i])
		fromEC2 = true
	}
	var tail string
	if at := opening.FindStringSubmatchIndex(m); at != nil {
		if at[2] >= 0 {
			s.Principal = m[at[2]:at[3]]
		}
		s.Action, tail = m[at[4]:at[5]], m[at[5]:]
	} else if at := opening2.FindStringSubmatchIndex(m); at != nil {
		s.Action, tail = m[at[2]:at[3]], m[at[3]:]
	} else if taggedGroup.MatchString(m) {
		s.Action = "logs:TagResource"
	} else {
		return Sentence{Encoded: s.Encoded}, false
	}
	tail = strings.TrimSpace(tail)
	s.Reason = refusal.MissingPermission
	if c := implicit.FindStringSubmatch(tail); c != nil {
		tail = c[1]
		s.Blocker = strings.ToLower(c[2])
		if !GrantHelps(s.Blocker) {
			s.Reason = refusal.ExplicitDeny
		}
		if s.Blocker == "identity-based policy" {
			s.Blocker = ""
		}
		if c[3] != "" && !strings.EqualFold(c[3], s.Action) {
			if !clauseWins(s.Action, c[3]) {
				return Sentence{Encoded: s.Encoded}, false
			}
			s.Action = c[3]
		}
	} else if c := explicit.FindStringSubmatch(tail); c != nil {
		tail = c[1]
		s.Reason, s.Blocker = refusal.ExplicitDeny, strings.ToLower(c[2])
		if s.Blocker == "" {
			s.Blocker = "a policy that the refusal does not name"
		}
	} else if c := blocked.FindStringSubmatch(tail); c != nil {
		tail = c[1]
		s.Reason, s.Blocker = refusal.ExplicitDeny, "s3 block public access"
	}
	s.Blocker = strings.Replace(s.Blocker, "vpc", "VPC", 1)
	s.Blocker = strings.Replace(s.Blocker, "s3 block public access", "S3 Block Public Access", 1)
	s.Resource = readResource(strings.TrimSpace(tail), s.Principal, fromEC2)
	if name := strings.ToLower(s.Action); name == "sts:assumerolewithwebidentity" || name == "sts:assumerolewithsaml" {
		// These calls carry no AWS identity: only the role's trust can refuse them.
		s.Reason, s.Blocker = refusal.ExplicitDeny, "role trust policy"
	}
	return s, true
}

// clauseWins tells whether to believe a clause that names another action than
// the sentence does. The clause's is the one that no policy allows, where the
// sentence can name the operation: EC2 says "ec2:ModifyVpcEndpointService-
// Configuration … because no identity-based policy allows the
// vpce:AllowMultiRegion action", and granting the first does not help
// (aws/aws-cdk#36216). But a clause can also be text that a user put into the
// resource's name, where a service prints none of its own. So it is believed
// only for another service than the sentence's, which must then be one that
// stands behind the first, and never for rights over identities,
// which services name in the sentence itself. STS asks no other service, and
// the name of the role to assume is the caller's choice.
func clauseWins(said, clause string) bool {
	of := func(action string) string {
		service, _, _ := strings.Cut(strings.ToLower(action), ":")
		return service
	}
	asked, service := of(said), of(clause)
	return asked != "sts" && service != asked && service != "iam" && service != "sts" && service != "organizations"
}

// readResource reads what stands between the action and the clause.
func readResource(tail, principal string, fromEC2 bool) string {
	r, found := strings.CutPrefix(tail, "on resource:")
	if !found {
		return "" // none, or "on the resource", "on this resource", "on the specified resource"
	}
	r = strings.TrimSpace(r)
	if q := strings.TrimSuffix(r, "."); len(q) >= 2 && q[0] == '"' && q[len(q)-1] == '"' {
		return q[1 : len(q)-1]
	}
	if fromEC2 {
		r = strings.TrimSuffix(r, ".") // the sentence's full stop, before the encoded message
	}
	// IAM names a resource that does not exist by its kind and name; without a
	// path its ARN is sure. ListPolicies is checked on no resource (Service
	// Authorization Reference), whatever path it was asked for.
	if n := named.FindStringSubmatch(r); n != nil {
		if n[1] == "policy path" {
			return "*"
		}
		if a := account.FindStringSubmatch(principal); a != nil && nameOnly.MatchString(n[2]) {
			return "arn:" + a[1] + ":iam::" + a[2] + ":" + strings.ReplaceAll(n[1], " ", "-") + "/" + n[2]
		}
	}
	return r
}
