package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
)

// Needs is what the operator must hold in the account, whose number is {account}: to
// probe, to clean up with --purge, to read the event history, and to be asked what he
// holds. Roles and policies are Whittle's own, by their path; but a role that is not
// there yet has none, and is looked for by its name. To assume a role takes no permission
// where its trust policy names the operator himself, as Whittle's do. Nothing in it can be left out: a
// test takes each away.
func Needs() grant.Set {
	role, document := "arn:aws:iam::{account}:role"+owned.Path+"*", "arn:aws:iam::{account}:policy"+owned.Path+"*"
	var all []grant.Grant
	for resource, actions := range map[string][]string{
		"*": {"iam:ListAccountAliases", "iam:ListPolicies", "iam:ListRoles", "iam:SimulatePrincipalPolicy", "iam:GetAccountSummary", "cloudtrail:LookupEvents", "sts:DecodeAuthorizationMessage"},
		role: {"iam:GetRole", "iam:CreateRole", "iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:ListRoleTags",
			"iam:ListRolePolicies", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListAttachedRolePolicies", "iam:AttachRolePolicy", "iam:DetachRolePolicy"},
		"arn:aws:iam::{account}:role/whittle-*": {"iam:GetRole"},
		document: {"iam:GetPolicy", "iam:CreatePolicy", "iam:TagPolicy", "iam:DeletePolicy", "iam:ListPolicyTags",
			"iam:GetPolicyVersion", "iam:CreatePolicyVersion", "iam:ListPolicyVersions", "iam:DeletePolicyVersion"},
	} {
		for _, a := range actions {
			all = append(all, grant.Grant{Permission: a, Resource: resource})
		}
	}
	return grant.Of(all...)
}

// Lacks gives what of s the operator does not hold, as IAM's own simulation has it. A
// service control policy is not in that.
func (p *Pool) Lacks(ctx context.Context, s grant.Set) ([]string, error) {
	by := map[string][]string{} // resource → actions
	for g := range s.All() {
		resource := strings.ReplaceAll(g.Resource, "{account}", p.own.Number)
		resource = strings.Replace(resource, "arn:aws:", "arn:"+p.own.Partition+":", 1)
		if folder, ok := strings.CutSuffix(resource, "*"); ok && folder != "" {
			resource = folder + "whittle-doctor"
		}
		by[resource] = append(by[resource], g.Permission)
	}
	var lacks []string
	for resource, actions := range by {
		pages := iam.NewSimulatePrincipalPolicyPaginator(p.own.IAM, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &p.trusted, ActionNames: actions, ResourceArns: []string{resource},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, p.own.Explain("ask what the operator holds", "iam:SimulatePrincipalPolicy", err)
			}
			for _, r := range page.EvaluationResults {
				if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
					lacks = append(lacks, awssdk.ToString(r.EvalActionName))
				}
			}
		}
	}
	slices.Sort(lacks)
	return slices.Compact(lacks), nil
}

// Left is what earlier runs of the stack have left in the account, in ARNs.
type Left struct{ Roles, Policies []string }

// Quotas is how full the account is, with everybody's roles and managed policies; of a
// quota that IAM does not tell, the most is 0.
type Quotas struct {
	Roles, MaxRoles       int
	Policies, MaxPolicies int
	// MaxAttached is how many managed policies a role may have.
	MaxAttached int
}

// Quotas asks for the account's summary. It changes nothing.
func (p *Pool) Quotas(ctx context.Context) (Quotas, error) {
	summary, err := p.own.IAM.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return Quotas{}, p.own.Explain("ask for the account's quotas", "iam:GetAccountSummary", err)
	}
	of := func(key types.SummaryKeyType) int { return int(summary.SummaryMap[string(key)]) }
	return Quotas{
		Roles: of("Roles"), MaxRoles: of("RolesQuota"), Policies: of(types.SummaryKeyTypePolicies), MaxPolicies: of(types.SummaryKeyTypePoliciesQuota),
		MaxAttached: of("AttachedPoliciesPerRoleQuota"),
	}, nil
}

// Left looks at the account. It changes nothing.
func (p *Pool) Left(ctx context.Context) (left Left, err error) {
	roles, err := p.roles(ctx)
	if err != nil {
		return left, err
	}
	for _, r := range roles {
		left.Roles = append(left.Roles, awssdk.ToString(r.Arn))
	}
	left.Policies, err = p.policies(ctx)
	return left, err
}
