package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/whittle-iam/whittle/harness/grant"
)

// GraphNeeds is what the operator must hold in the directory, which is no role of
// Azure's: the application permission of Microsoft Graph that makes applications and
// manages those that it has made. For a person it is a directory role, Application
// Developer or more.
const GraphNeeds = "Application.ReadWrite.OwnedBy"

// Needs is what the operator must hold on the subscription: to probe, to clean up
// with --purge, to read the Activity Log, and to be asked what he holds. Nothing in it
// can be left out: a test takes each away. GraphNeeds comes beside it.
func Needs() grant.Set {
	var all []grant.Grant
	for _, p := range []string{
		"Microsoft.Resources/subscriptions/read",
		"Microsoft.Authorization/roleDefinitions/read", "Microsoft.Authorization/roleDefinitions/write", "Microsoft.Authorization/roleDefinitions/delete",
		"Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete",
		"Microsoft.Authorization/permissions/read", "Microsoft.Insights/eventtypes/values/read",
	} {
		all = append(all, grant.Grant{Permission: p, Resource: "*"})
	}
	return grant.Of(all...)
}

// Lacks gives what of s the operator does not hold on the subscription, and
// GraphNeeds if his token for Graph does not have it.
func (p *Pool) Lacks(ctx context.Context, s grant.Set) ([]string, error) {
	var reply struct {
		Value []struct {
			Actions    []string `json:"actions"`
			NotActions []string `json:"notActions"`
		} `json:"value"`
	}
	if err := call(ctx, p.manager, http.MethodGet, managerHost+p.scope()+"/providers/Microsoft.Authorization/permissions?api-version=2022-04-01", nil, &reply); err != nil {
		return nil, p.explain("ask what the operator holds", "Microsoft.Authorization/permissions/read", err)
	}
	holds := func(one string) bool {
		for _, r := range reply.Value {
			if matches(r.Actions, one) && !matches(r.NotActions, one) {
				return true
			}
		}
		return false
	}
	lacks := slices.DeleteFunc(s.Permissions(), holds)
	graph, err := p.graphRoles(ctx)
	if err != nil {
		return nil, err
	}
	enough := []string{GraphNeeds, "Application.ReadWrite.All", "Directory.ReadWrite.All"}
	if graph != nil && !slices.ContainsFunc(graph, func(r string) bool { return slices.Contains(enough, r) }) {
		lacks = append(lacks, GraphNeeds)
	}
	return lacks, nil
}

// matches tells whether a pattern takes in an action: "*" stands for any text, and
// case does not count.
func matches(patterns []string, action string) bool {
	for _, p := range patterns {
		re := "(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$"
		if ok, err := regexp.MatchString(re, action); err == nil && ok {
			return true
		}
	}
	return false
}

// graphRoles are the application permissions in the operator's token for Graph; nil
// where he is a person, whose rights follow from directory roles. Source: "Access
// token claims reference", roles and idtyp.
func (p *Pool) graphRoles(ctx context.Context) ([]string, error) {
	t, err := p.cfg.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{graphScope}})
	if err != nil {
		return nil, p.explain("get the operator's token for Microsoft Graph", "nothing", err)
	}
	parts := strings.Split(t.Token, ".")
	var claims struct {
		Roles  []string `json:"roles"`
		Scopes string   `json:"scp"`
	}
	if len(parts) == 3 {
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(text, &claims) == nil && claims.Scopes == "" {
			return append([]string{}, claims.Roles...), nil
		}
	}
	return nil, nil
}

// Operator is who the operator is, by the token that he shows.
func (p *Pool) Operator(ctx context.Context) (string, error) {
	claims, err := p.claims(ctx)
	if err != nil {
		return "", err
	}
	if claims.Name != "" {
		return claims.Name, nil
	}
	return fmt.Sprintf("application %s (object %s)", claims.AppID, claims.ObjectID), nil
}

// Left is what earlier runs of the stack have left.
type Left struct {
	Applications, Roles []string
	// Secrets counts what runs that were killed have left in the applications.
	Secrets int
}

// Left looks at the directory and the subscription. It changes nothing.
func (p *Pool) Left(ctx context.Context) (left Left, err error) {
	apps, err := p.applications(ctx, "startswith(displayName,'"+p.prefix()+"')")
	if err != nil {
		return left, err
	}
	for _, a := range apps {
		left.Applications = append(left.Applications, a.Name)
		for _, s := range a.Passwords {
			if strings.HasPrefix(s.Name, secretName) {
				left.Secrets++
			}
		}
	}
	left.Roles, err = p.roles(ctx)
	return left, err
}

// Quotas is how full the directory is with custom roles and the subscription with role
// assignments. Whole tells that the directory was asked for its roles, which may leave out
// what the operator may not see, else the subscription for those that can be assigned there.
type Quotas struct {
	Roles, Assignments int
	Whole              bool
}

// The quotas of a directory and a subscription. Source: Azure subscription limits, "Azure
// RBAC limits": an assignment counts that is on the subscription or in it.
const (
	MaxRoles       = 5000
	MaxAssignments = 4000
)

// Quotas counts. It changes nothing.
func (p *Pool) Quotas(ctx context.Context) (q Quotas, err error) {
	const custom = "/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=type%20eq%20%27CustomRole%27"
	var refused *azcore.ResponseError
	if q.Roles, err = p.count(ctx, custom, func(string) bool { return true }); err == nil {
		q.Whole = true
	} else if errors.As(err, &refused) && refused.StatusCode == http.StatusForbidden {
		q.Roles, err = p.count(ctx, p.scope()+custom, func(string) bool { return true })
	}
	if err != nil {
		return q, p.explain("count the custom roles", "Microsoft.Authorization/roleDefinitions/read", err)
	}
	q.Assignments, err = p.count(ctx, p.scope()+"/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01", func(scope string) bool {
		return strings.HasPrefix(strings.ToLower(scope)+"/", strings.ToLower(p.scope())+"/")
	})
	if err != nil {
		return q, p.explain("count the role assignments", "Microsoft.Authorization/roleAssignments/read", err)
	}
	return q, nil
}

// count is how many objects a list has on scopes that count.
func (p *Pool) count(ctx context.Context, path string, counts func(scope string) bool) (n int, err error) {
	for address := managerHost + path; address != ""; {
		var page struct {
			Value []struct {
				Properties struct {
					Scope string `json:"scope"`
				} `json:"properties"`
			} `json:"value"`
			Next string `json:"nextLink"`
		}
		if !strings.HasPrefix(address, managerHost+"/") {
			return n, fmt.Errorf("the next page is elsewhere, at %.80q", address)
		}
		if err := call(ctx, p.manager, http.MethodGet, address, nil, &page); err != nil {
			return n, err
		}
		for _, o := range page.Value {
			if counts(o.Properties.Scope) {
				n++
			}
		}
		address = page.Next
	}
	return n, nil
}

// prefix is what the names of the stack's applications begin with.
func (p *Pool) prefix() string {
	prefix, _, _ := strings.Cut(p.name(""), notName.ReplaceAllString(p.cfg.Stack, "-"))
	return prefix
}
