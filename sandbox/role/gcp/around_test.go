package gcp

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replies answers requests by what their addresses hold; what is not there is refused.
type replies map[string]string

func (f replies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err) // out of memory
	}
	for part, text := range f {
		if strings.Contains(r.URL.String(), part) {
			if strings.HasSuffix(r.URL.Path, ":testIamPermissions") && !strings.Contains(string(body), text) {
				text = "{}"
			} else if strings.HasSuffix(r.URL.Path, ":testIamPermissions") {
				text = fmt.Sprintf(`{"permissions": [%q]}`, text)
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, text)
			return
		}
	}
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `{"error": {"code": 403}}`)
}

// What is bound above a project and on its resources is told, and where it cannot be
// read, that and what is lacking.
func TestAround(t *testing.T) {
	const mine, theirs = "w-make-1@p.iam.gserviceaccount.com", "ann@p.iam.gserviceaccount.com"
	const line = `{"ancestor": [{"resourceId": {"type": "project", "id": "p"}}, {"resourceId": {"type": "folder", "id": "11"}}, {"resourceId": {"type": "organization", "id": "22"}}]}`
	policy := func(role string, members ...string) string {
		return fmt.Sprintf(`{"bindings": [{"role": %q, "members": ["%s"]}]}`, role, strings.Join(members, `", "`))
	}
	bound := func(resource, role, member string) string {
		return fmt.Sprintf(`{"resource": %q, "policy": %s}`, resource, policy(role, member, "serviceAccount:"+theirs))
	}
	every := "principalSet://cloudresourcemanager.googleapis.com/organizations/22/type/ServiceAccount"
	for name, c := range map[string]struct {
		accounts []string
		replies  replies
		want     Around
	}{
		"all can be read": {[]string{mine}, replies{
			"v1/projects/p:getIamPolicy":                policy("roles/viewer", "allAuthenticatedUsers", "serviceAccount:"+mine),
			":getAncestry":                              line,
			"v3/folders/11:getIamPolicy":                policy("roles/editor", "serviceAccount:"+mine, "serviceAccount:"+theirs),
			"v3/organizations/22:getIamPolicy":          policy("roles/browser", every),
			":testIamPermissions":                       searchNeeds,
			":searchAllIamPolicies?pageSize=500&query=": `{"results": [` + bound("//storage.googleapis.com/jobs", "roles/storage.admin", "serviceAccount:"+mine) + `, ` + bound("//cloudresourcemanager.googleapis.com/projects/p", "roles/x", "serviceAccount:"+mine) + `], "nextPageToken": "two"}`,
			"pageToken=two":                             `{"results": [` + bound("//pubsub.googleapis.com/projects/p/topics/t", "roles/pubsub.admin", "serviceAccount:"+mine) + `]}`,
		}, Around{Above: 2, Bound: []string{"allAuthenticatedUsers to roles/viewer on project p", "serviceAccount:" + mine + " to roles/editor on folders/11", every + " to roles/browser on organizations/22",
			"serviceAccount:" + mine + " to roles/storage.admin on storage.googleapis.com/jobs", "serviceAccount:" + mine + " to roles/pubsub.admin on pubsub.googleapis.com/projects/p/topics/t"}}},
		"nothing above can be read": {[]string{mine}, replies{"v1/projects/p:getIamPolicy": policy("roles/viewer", "serviceAccount:"+mine), ":getAncestry": line, ":testIamPermissions": "something.else.get"},
			Around{Unknown: []string{"folders/11 (needs resourcemanager.folders.getIamPolicy there)", "organizations/22 (needs resourcemanager.organizations.getIamPolicy there)",
				"single resources, a bucket or a topic (needs cloudasset.assets.searchAllIamPolicies)"}}},
		"the search is not enabled": {[]string{mine}, replies{"v1/projects/p:getIamPolicy": "{}", ":getAncestry": `{}`, ":testIamPermissions": searchNeeds},
			Around{Unknown: []string{"single resources, a bucket or a topic (needs cloudasset.assets.searchAllIamPolicies)"}}},
		"no identity yet": {nil, replies{"v1/projects/p:getIamPolicy": "{}", ":getAncestry": `{}`}, Around{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.replies["oauth2"], c.replies["v1/projects/p?"] = `{"email": "ann@example.com"}`, `{"projectId": "p", "projectNumber": "1"}`
			p, err := Open(t.Context(), Config{Stack: "s", Project: "p", HTTP: &http.Client{Transport: way{handler: c.replies}}, Plain: &http.Client{Transport: way{handler: c.replies}}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Around(t.Context(), c.accounts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
