package gcp

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Needs is what the operator must hold on the project: to probe, to clean up with
// --purge, and to read the audit logs. Nothing in it can be left out: a test takes
// each away.
func Needs() grant.Set {
	var all []grant.Grant
	for _, p := range []string{
		"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy",
		"iam.serviceAccounts.get", "iam.serviceAccounts.create", "iam.serviceAccounts.list", "iam.serviceAccounts.delete", "iam.serviceAccounts.getAccessToken",
		"iam.roles.get", "iam.roles.create", "iam.roles.list", "iam.roles.update", "iam.roles.undelete", "iam.roles.delete",
		"logging.logEntries.list", "logging.privateLogEntries.list",
	} {
		all = append(all, grant.Grant{Permission: p, Resource: "*"})
	}
	return grant.Of(all...)
}

// NeedsScoped is what the operator must hold besides, to bind roles on single service
// accounts, for a lifecycle that says a scope.
func NeedsScoped() grant.Set {
	return grant.Of(grant.Grant{Permission: "iam.serviceAccounts.getIamPolicy", Resource: "*"}, grant.Grant{Permission: "iam.serviceAccounts.setIamPolicy", Resource: "*"})
}

// Lacks gives what of s the operator does not hold. To ask needs no permission.
func (p *Pool) Lacks(ctx context.Context, s grant.Set) ([]string, error) {
	reply, err := p.crm.Projects.TestIamPermissions(p.cfg.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: s.Permissions()}).Context(ctx).Do()
	if err != nil {
		return nil, p.explain("ask what the operator holds", "nothing", err)
	}
	return slices.DeleteFunc(s.Permissions(), func(one string) bool { return slices.Contains(reply.Permissions, one) }), nil
}

// Left is what earlier runs have left in a project, and how full it is.
type Left struct {
	// Accounts and Roles are this stack's; Bound are members that are still bound,
	// Deleted are roles that are deleted softly and are brought back.
	Accounts, Roles, Bound, Deleted []string
	// AllAccounts and AllRoles count everybody's.
	AllAccounts, AllRoles int
	// Audited are the types of Data Access logs that are on for all services.
	Audited []string
}

// Quotas of a project. Source: IAM, "Quotas and limits": the defaults, which can be
// raised.
const (
	MaxAccounts = 100
	MaxRoles    = 300
)

// Left looks at the project. It changes nothing.
func (p *Pool) Left(ctx context.Context) (left Left, err error) {
	err = p.iam.Projects.ServiceAccounts.List(p.parent()).PageSize(100).Pages(ctx, func(page *iam.ListServiceAccountsResponse) error {
		for _, a := range page.Accounts {
			left.AllAccounts++
			if _, ok := p.owned(a.Description); ok {
				left.Accounts = append(left.Accounts, a.Email)
			}
		}
		return nil
	})
	if err != nil {
		return left, p.explain("list service accounts", "iam.serviceAccounts.list", err)
	}
	err = p.iam.Projects.Roles.List(p.parent()).PageSize(300).ShowDeleted(true).Pages(ctx, func(page *iam.ListRolesResponse) error {
		for _, r := range page.Roles {
			_, ours := p.owned(r.Description)
			switch {
			case r.Deleted && ours:
				left.Deleted = append(left.Deleted, r.Name)
			case ours:
				left.Roles = append(left.Roles, r.Name)
			}
			if !r.Deleted {
				left.AllRoles++
			}
		}
		return nil
	})
	if err != nil {
		return left, p.explain("list roles", "iam.roles.list", err)
	}
	policy, err := p.crm.Projects.GetIamPolicy(p.cfg.Project, &cloudresourcemanager.GetIamPolicyRequest{
		Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: policyVersion},
	}).Context(ctx).Do()
	if err != nil {
		return left, p.explain("read the policy of project "+p.cfg.Project, "resourcemanager.projects.getIamPolicy", err)
	}
	for _, b := range policy.Bindings {
		for _, m := range b.Members {
			if slices.Contains(left.Accounts, strings.TrimPrefix(m, "serviceAccount:")) {
				left.Bound = append(left.Bound, m+" to "+b.Role)
			}
		}
	}
	for _, c := range policy.AuditConfigs {
		if c.Service != "allServices" {
			continue
		}
		for _, l := range c.AuditLogConfigs {
			left.Audited = append(left.Audited, l.LogType)
		}
	}
	return left, nil
}
