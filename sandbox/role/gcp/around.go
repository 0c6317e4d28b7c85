package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/api/cloudresourcemanager/v1"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Sources of this file: Resource Manager, "projects.getAncestry", v3
// "folders.getIamPolicy" and "organizations.getIamPolicy"; Cloud Asset Inventory,
// "searchAllIamPolicies"; IAM, "Principal identifiers".

// Around is what gives the probe identities rights beside the roles that Whittle binds
// to them on the project: above it, on single resources in it, and by members that take
// in every service account.
type Around struct {
	// Bound are a member, a role and where; Unknown is where could not be looked, and
	// what that needs.
	Bound, Unknown []string
	// Above counts the folders and organizations whose policies were read.
	Above int
}

// searchNeeds lets one search the policies of all resources in a project.
const searchNeeds = "cloudasset.assets.searchAllIamPolicies"

// maxReply is the most that is read of one reply, in bytes.
const maxReply = 16 << 20

// policies are the bindings of a policy.
type policies struct {
	Bindings []struct {
		Role    string   `json:"role"`
		Members []string `json:"members"`
	} `json:"bindings"`
}

// Around looks at the policies above the project, and with the operator's right to
// search them at those of its resources. Accounts are the probe identities that are there
// already: one that is yet to be made is bound nowhere. It changes nothing.
func (p *Pool) Around(ctx context.Context, accounts []string) (a Around, err error) {
	var all policies
	if err := p.post(ctx, "https://cloudresourcemanager.googleapis.com/v1/projects/"+url.PathEscape(p.cfg.Project)+":getIamPolicy", map[string]any{"options": map[string]any{"requestedPolicyVersion": policyVersion}}, &all); errors.Is(err, errRefused) {
		return a, fmt.Errorf("read the policy of project %s: %w; the operator needs resourcemanager.projects.getIamPolicy", p.cfg.Project, err)
	} else if err != nil {
		return a, fmt.Errorf("read the policy of project %s: %w", p.cfg.Project, err)
	}
	a.take(all, "project "+p.cfg.Project, func(m string) bool { return everybody(m) }) // what is bound to the accounts is told of as left over
	line, err := p.crm.Projects.GetAncestry(p.cfg.Project, &cloudresourcemanager.GetAncestryRequest{}).Context(ctx).Do()
	if err != nil {
		return a, p.explain("ask what is above project "+p.cfg.Project, "resourcemanager.projects.get", err)
	}
	for _, one := range line.Ancestor {
		if one.ResourceId == nil || one.ResourceId.Type == "project" {
			continue
		}
		where := one.ResourceId.Type + "s/" + one.ResourceId.Id
		var above policies
		switch err := p.post(ctx, "https://cloudresourcemanager.googleapis.com/v3/"+where+":getIamPolicy", map[string]any{"options": map[string]any{"requestedPolicyVersion": policyVersion}}, &above); {
		case errors.Is(err, errRefused):
			a.Unknown = append(a.Unknown, where+" (needs resourcemanager."+one.ResourceId.Type+"s.getIamPolicy there)")
		case err != nil:
			return a, fmt.Errorf("read the policy of %s: %w", where, err)
		default:
			a.Above++
			a.take(above, where, func(m string) bool { return everybody(m) || ours(accounts, m) })
		}
	}
	return a, p.below(ctx, accounts, &a)
}

// below looks for the accounts in the policies of the project's resources.
func (p *Pool) below(ctx context.Context, accounts []string, a *Around) error {
	if len(accounts) == 0 {
		return nil
	}
	lacks, err := p.Lacks(ctx, grant.Of(grant.Grant{Permission: searchNeeds, Resource: "*"}))
	if err != nil {
		return err
	}
	unknown := "single resources, a bucket or a topic (needs " + searchNeeds + ")"
	if len(lacks) > 0 {
		a.Unknown = append(a.Unknown, unknown)
		return nil
	}
	for _, account := range accounts {
		for token := ""; ; {
			q := url.Values{"query": {`policy:"` + account + `"`}, "pageSize": {"500"}}
			if token != "" {
				q.Set("pageToken", token)
			}
			var page struct {
				Results []struct {
					Resource string   `json:"resource"`
					Policy   policies `json:"policy"`
				} `json:"results"`
				Next string `json:"nextPageToken"`
			}
			err := p.ask(ctx, http.MethodGet, "https://cloudasset.googleapis.com/v1/projects/"+url.PathEscape(p.cfg.Project)+":searchAllIamPolicies?"+q.Encode(), nil, &page)
			if errors.Is(err, errRefused) { // the API is not enabled, for one
				a.Unknown = append(a.Unknown, unknown)
				return nil
			}
			if err != nil {
				return fmt.Errorf("search the policies of project %s: %w", p.cfg.Project, err)
			}
			for _, r := range page.Results {
				if strings.Contains(r.Resource, "cloudresourcemanager.googleapis.com/projects/") {
					continue // of the project itself the pool knows
				}
				a.take(r.Policy, strings.TrimPrefix(r.Resource, "//"), func(m string) bool { return ours([]string{account}, m) })
			}
			if token = page.Next; token == "" {
				break
			}
		}
	}
	return nil
}

// take notes whom a policy binds that counts.
func (a *Around) take(p policies, where string, counts func(member string) bool) {
	for _, b := range p.Bindings {
		for _, m := range b.Members {
			if line := m + " to " + b.Role + " on " + where; counts(m) && !slices.Contains(a.Bound, line) {
				a.Bound = append(a.Bound, line)
			}
		}
	}
}

// everybody tells whether a member takes in service accounts that are not named.
func everybody(member string) bool {
	return member == "allUsers" || member == "allAuthenticatedUsers" ||
		strings.HasPrefix(member, "principalSet://cloudresourcemanager.googleapis.com/") && strings.HasSuffix(member, "/type/ServiceAccount")
}

// ours tells whether a member is one of the accounts.
func ours(accounts []string, member string) bool {
	email, ok := strings.CutPrefix(member, "serviceAccount:")
	return ok && slices.Contains(accounts, email)
}

// errRefused: the operator may not, or the API is not enabled.
var errRefused = errors.New("refused")

func (p *Pool) post(ctx context.Context, address string, body, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.ask(ctx, http.MethodPost, address, text, out)
}

// ask makes a request of the operator's, and reads its reply into out.
func (p *Pool) ask(ctx context.Context, method, address string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	reply, err := p.cfg.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxReply+1))
	switch {
	case err != nil:
		return err
	case reply.StatusCode == http.StatusForbidden:
		return errRefused
	case reply.StatusCode != http.StatusOK:
		return fmt.Errorf("%s", reply.Status)
	case len(text) > maxReply:
		return fmt.Errorf("the reply is larger than %d bytes", maxReply)
	}
	return json.Unmarshal(text, out)
}
