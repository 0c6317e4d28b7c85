// Package gcp reads Google Cloud's audit logs, as the operator, and what else than
// its own role gives an identity rights on the project. It changes nothing.
package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/logging/v2"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/audit/form"
)

// Usual is within what time entries are there, Latest is how long is waited for one.
// Cloud Logging names no bound: these are ours.
const (
	Usual  = 30 * time.Second
	Latest = 2 * time.Minute
)

// Log is the audit log of one project.
type Log struct {
	// HTTP shows the operator's token with every request.
	HTTP    *http.Client
	Project string
}

// Read gives the entries of the principals from one time to another: what they did,
// and what services did in their names. Who may not read the Data Access logs gets an
// error: the service would leave those out in silence.
func (l Log) Read(ctx context.Context, principals []string, from, to time.Time) ([]audit.Entry, error) {
	api, err := logging.NewService(ctx, option.WithHTTPClient(l.HTTP))
	if err != nil {
		return nil, err
	}
	if err := l.may(ctx); err != nil {
		return nil, err
	}
	var all []audit.Entry
	err = api.Entries.List(&logging.ListLogEntriesRequest{
		ResourceNames: []string{"projects/" + l.Project}, Filter: Filter(l.Project, principals, from, to), OrderBy: "timestamp asc", PageSize: 1000,
	}).Pages(ctx, func(page *logging.ListLogEntriesResponse) error {
		for _, e := range page.Entries {
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			got, err := form.GCP(text)
			if err != nil {
				return fmt.Errorf("entry %s: %w", e.InsertId, err)
			}
			all = append(all, got...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit log of project %s: %w%s", l.Project, err, next(err, "logging.logEntries.list and logging.privateLogEntries.list"))
	}
	return all, nil
}

// may refuses early who may not read all of the log.
func (l Log) may(ctx context.Context) error {
	crm, err := cloudresourcemanager.NewService(ctx, option.WithHTTPClient(l.HTTP))
	if err != nil {
		return err
	}
	needs := []string{"logging.logEntries.list", "logging.privateLogEntries.list"}
	held, err := crm.Projects.TestIamPermissions(l.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: needs}).Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("ask whether the operator may read the audit log of project %s: %w", l.Project, err)
	}
	for _, n := range needs {
		if !slices.Contains(held.Permissions, n) {
			return fmt.Errorf("read the audit log of project %s: the operator needs %s", l.Project, n)
		}
	}
	return nil
}

// Filter is the question to the log, in Logging's query language.
func Filter(project string, principals []string, from, to time.Time) string {
	var who []string
	for _, p := range principals {
		_, email, _ := strings.Cut(p, ":")
		who = append(who, strconv.Quote(email))
	}
	list := "(" + strings.Join(who, " OR ") + ")"
	log := "projects/" + project + "/logs/cloudaudit.googleapis.com%2F"
	const info = "protoPayload.authenticationInfo."
	return fmt.Sprintf(`logName=(%q OR %q) AND timestamp>=%q AND timestamp<=%q AND (%[5]sprincipalEmail=%[6]s OR %[5]sserviceAccountDelegationInfo.firstPartyPrincipal.principalEmail=%[6]s)`,
		log+"activity", log+"data_access", from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano), info, list)
}

func next(err error, needs string) string {
	if e, ok := err.(*googleapi.Error); ok && e.Code == http.StatusForbidden {
		return "; the operator needs " + needs
	}
	return ""
}

// Others gives what else than a role of Whittle's each principal is bound to on the
// project, with the permissions of the role.
func (l Log) Others(ctx context.Context, principals []string) (map[string][]audit.Binding, error) {
	crm, err := cloudresourcemanager.NewService(ctx, option.WithHTTPClient(l.HTTP))
	if err != nil {
		return nil, err
	}
	roles, err := iam.NewService(ctx, option.WithHTTPClient(l.HTTP))
	if err != nil {
		return nil, err
	}
	policy, err := crm.Projects.GetIamPolicy(l.Project, &cloudresourcemanager.GetIamPolicyRequest{
		Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3},
	}).Context(ctx).Do()
	if err != nil {
		return nil, fmt.Errorf("read the policy of project %s: %w%s", l.Project, err, next(err, "resourcemanager.projects.getIamPolicy"))
	}
	all := map[string][]audit.Binding{}
	for _, b := range policy.Bindings {
		if strings.HasPrefix(b.Role, "projects/"+l.Project+"/roles/whittle_") {
			continue
		}
		for _, p := range principals {
			if !slices.Contains(b.Members, p) {
				continue
			}
			found := audit.Binding{Name: b.Role + " on project " + l.Project}
			if strings.HasPrefix(b.Role, "roles/") { // one that cannot be read may give anything
				if r, err := roles.Roles.Get(b.Role).Context(ctx).Do(); err == nil {
					found.Permissions = r.IncludedPermissions
				}
			} else if r, err := roles.Projects.Roles.Get(b.Role).Context(ctx).Do(); err == nil {
				found.Permissions = r.IncludedPermissions
			}
			all[p] = append(all[p], found)
		}
	}
	return all, nil
}
