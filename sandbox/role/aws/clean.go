package aws

import (
	"context"
	"errors"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
	"github.com/whittle-iam/whittle/sandbox/role/pool"
)

// Report is what [Clean] did, in ARNs: the roles that hold nothing now, and the roles
// and policies that are gone.
type Report = pool.Report

// Clean empties every role of the stack (by its tags), whichever run made it,
// and deletes the managed policies that belonged to them. With purge it deletes
// the roles too. It goes on past errors and joins them; repeating it is
// harmless. Nothing without the stack's tags is touched.
func Clean(ctx context.Context, cfg Config, purge bool) (Report, error) {
	var done Report
	p, err := Open(ctx, cfg)
	if err != nil {
		return done, err
	}
	var all []error
	roles, err := p.roles(ctx)
	if err != nil {
		return done, err
	}
	for _, found := range roles {
		arn := awssdk.ToString(found.Arn)
		name := awssdk.ToString(found.RoleName)
		if err := p.content(name, "").Put(ctx, grant.Set{}); err != nil {
			all = append(all, err)
			continue
		}
		if !purge {
			done.Emptied = append(done.Emptied, arn)
			continue
		}
		if _, err := p.own.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name}); err != nil && !owned.IsMissing(err) {
			all = append(all, p.own.Explain("delete role "+name, "iam:DeleteRole", err))
			done.Emptied = append(done.Emptied, arn)
			continue
		}
		done.Deleted = append(done.Deleted, arn)
	}
	// Policies that a crash left without a role.
	policies, err := p.policies(ctx)
	if err != nil {
		all = append(all, err)
	}
	for _, arn := range policies {
		if err := p.content("", "").DeletePolicy(ctx, arn); err != nil {
			all = append(all, err)
			continue
		}
		done.Deleted = append(done.Deleted, arn)
	}
	return done, errors.Join(all...)
}

// roles finds the stack's roles. IAM's list does not show tags.
func (p *Pool) roles(ctx context.Context) ([]types.Role, error) {
	var ours []types.Role
	pages := iam.NewListRolesPaginator(p.own.IAM, &iam.ListRolesInput{PathPrefix: awssdk.String(owned.Path)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, p.own.Explain("list roles", "iam:ListRoles", err)
		}
		for _, r := range page.Roles {
			var tags []types.Tag
			more := iam.NewListRoleTagsPaginator(p.own.IAM, &iam.ListRoleTagsInput{RoleName: r.RoleName})
			for more.HasMorePages() {
				page, err := more.NextPage(ctx)
				if err != nil {
					return nil, p.own.Explain("list tags of role "+awssdk.ToString(r.RoleName), "iam:ListRoleTags", err)
				}
				tags = append(tags, page.Tags...)
			}
			if p.own.Owns(tags, "") {
				ours = append(ours, r)
			}
		}
	}
	return ours, nil
}

// policies finds the stack's managed policies that are attached to nothing.
func (p *Pool) policies(ctx context.Context) ([]string, error) {
	var ours []string
	pages := iam.NewListPoliciesPaginator(p.own.IAM, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal, PathPrefix: awssdk.String(owned.Path)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, p.own.Explain("list policies", "iam:ListPolicies", err)
		}
		for _, found := range page.Policies {
			arn := awssdk.ToString(found.Arn)
			tags, err := p.own.IAM.ListPolicyTags(ctx, &iam.ListPolicyTagsInput{PolicyArn: &arn})
			if owned.IsMissing(err) {
				continue
			}
			if err != nil {
				return nil, p.own.Explain("list tags of policy "+arn, "iam:ListPolicyTags", err)
			}
			if awssdk.ToInt32(found.AttachmentCount) == 0 && p.own.Owns(tags.Tags, "") {
				ours = append(ours, arn)
			}
		}
	}
	return ours, nil
}
