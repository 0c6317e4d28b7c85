// Package azure reads Azure's Activity Log, as the operator, and which roles an
// identity is assigned besides its own. It changes nothing.
package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/audit/form"
)

// Usual and Latest are how long an event takes: "typically 3 to 20 minutes" (Azure
// Monitor, "Log data ingestion time", Activity log).
const (
	Usual  = 3 * time.Minute
	Latest = 20 * time.Minute
)

// Log is the Activity Log of one subscription.
type Log struct {
	Credential azcore.TokenCredential
	// HTTP leads to the cloud and shows no credential; nil is to the real one.
	HTTP         *http.Client
	Subscription string
}

const manager = "https://management.azure.com"

func (l Log) options() azcore.ClientOptions {
	if l.HTTP == nil {
		return azcore.ClientOptions{}
	}
	return azcore.ClientOptions{Transport: l.HTTP}
}

// Read gives the events of the principals from one time to another. The service
// filters by time alone.
func (l Log) Read(ctx context.Context, principals []string, from, to time.Time) ([]audit.Entry, error) {
	options := l.options()
	pipeline := runtime.NewPipeline("whittle", "", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(l.Credential, []string{manager + "/.default"}, nil)},
	}, &options)
	filter := fmt.Sprintf("eventTimestamp ge '%s' and eventTimestamp le '%s'", from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano))
	address := manager + "/subscriptions/" + l.Subscription + "/providers/Microsoft.Insights/eventtypes/management/values?" +
		url.Values{"api-version": {"2015-04-01"}, "$filter": {filter}}.Encode()
	var all []audit.Entry
	for address != "" {
		if !strings.HasPrefix(address, manager+"/") {
			return nil, fmt.Errorf("read the Activity Log: the next page is elsewhere, at %.80q", address)
		}
		page, err := l.page(ctx, pipeline, address)
		if err != nil {
			return nil, fmt.Errorf("read the Activity Log of subscription %s: %w%s", l.Subscription, err, next(err, "Microsoft.Insights/eventtypes/values/read"))
		}
		for _, e := range page.Value {
			got, err := form.Azure(e)
			if err != nil {
				return nil, fmt.Errorf("read the Activity Log of subscription %s: %w", l.Subscription, err)
			}
			for _, one := range got {
				if slices.ContainsFunc(principals, func(p string) bool { return strings.EqualFold(p, one.Principal) }) {
					one.Principal = strings.ToLower(one.Principal)
					all = append(all, one)
				}
			}
		}
		address = page.Next
	}
	return all, nil
}

type eventPage struct {
	Value []json.RawMessage `json:"value"`
	Next  string            `json:"nextLink"`
}

func (l Log) page(ctx context.Context, pipeline runtime.Pipeline, address string) (p eventPage, err error) {
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return p, err
	}
	req.Raw().Header.Set("Accept", "application/json")
	resp, err := pipeline.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, runtime.NewResponseError(resp)
	}
	return p, json.NewDecoder(resp.Body).Decode(&p)
}

func next(err error, needs string) string {
	var e *azcore.ResponseError
	if errors.As(err, &e) && e.StatusCode == http.StatusForbidden {
		return "; the operator needs " + needs
	}
	return ""
}

// Others gives which roles of somebody else's each principal is assigned in the
// subscription, with their actions.
func (l Log) Others(ctx context.Context, principals []string) (map[string][]audit.Binding, error) {
	options := &arm.ClientOptions{ClientOptions: l.options(), DisableRPRegistration: true}
	assignments, err1 := armauthorization.NewRoleAssignmentsClient(l.Subscription, l.Credential, options)
	definitions, err2 := armauthorization.NewRoleDefinitionsClient(l.Credential, options)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	all := map[string][]audit.Binding{}
	for _, p := range principals {
		pages := assignments.NewListForSubscriptionPager(&armauthorization.RoleAssignmentsClientListForSubscriptionOptions{Filter: to.Ptr("principalId eq '" + p + "'")})
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the role assignments of %s: %w%s", p, err, next(err, "Microsoft.Authorization/roleAssignments/read"))
			}
			for _, a := range page.Value {
				if a == nil || a.Properties == nil || a.Properties.RoleDefinitionID == nil || a.Properties.Scope == nil {
					continue
				}
				found := audit.Binding{Name: "role " + *a.Properties.RoleDefinitionID + " on " + *a.Properties.Scope}
				// One that cannot be read may give anything.
				if d, err := definitions.GetByID(ctx, *a.Properties.RoleDefinitionID, nil); err == nil && d.Properties != nil {
					if d.Properties.Description != nil && strings.HasPrefix(*d.Properties.Description, "whittle {") {
						continue // its own
					}
					if d.Properties.RoleName != nil {
						found.Name = *d.Properties.RoleName + " on " + *a.Properties.Scope
					}
					found.Permissions = []string{}
					for _, set := range d.Properties.Permissions {
						for _, list := range [][]*string{set.Actions, set.DataActions} {
							for _, action := range list {
								found.Permissions = append(found.Permissions, *action)
							}
						}
					}
				}
				all[p] = append(all[p], found)
			}
		}
	}
	return all, nil
}
