package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/oauth2/google"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/dns/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/pubsub/v1"
	"google.golang.org/api/secretmanager/v1"
	"google.golang.org/api/serviceusage/v1"
	"google.golang.org/api/storage/v1"
)

// googleCallsMain is the program `google-calls FILE`: it makes the calls to Google
// Cloud that the file lists, one a line, with Google's own clients and Application
// Default Credentials. It stands for any tool that finds its credentials so.
func googleCallsMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := os.ReadFile(os.Args[1])
	for line := range strings.Lines(string(data)) {
		if err != nil {
			break
		}
		words := strings.Fields(line)
		var opts []option.ClientOption
		if len(words) > 1 && words[0] == "with" { // a key file
			opts = append(opts, option.WithAuthCredentialsFile(option.ServiceAccount, words[1]))
			words = words[2:]
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "maybe" { // what comes of it is nobody's business
			_ = googleCall(ctx, opts, words[1], append(words[2:], "", ""))
			continue
		}
		if err = googleCall(ctx, opts, words[0], append(words[1:], "", "")); err != nil {
			err = fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "google-calls:", err)
		os.Exit(1)
	}
}

func googleCall(ctx context.Context, opts []option.ClientOption, verb string, arg []string) error {
	project := os.Getenv("GOOGLE_CLOUD_PROJECT")
	messages, err1 := pubsub.NewService(ctx, opts...)
	names, err2 := dns.NewService(ctx, opts...)
	identities, err3 := iam.NewService(ctx, opts...)
	manager, err4 := cloudresourcemanager.NewService(ctx, opts...)
	files, err5 := storage.NewService(ctx, opts...)
	apis, err6 := serviceusage.NewService(ctx, opts...)
	secrets, err7 := secretmanager.NewService(ctx, opts...)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return err
	}
	account := "projects/" + project + "/serviceAccounts/" + arg[0] + "@" + project + ".iam.gserviceaccount.com"
	var err error
	switch verb {
	case "create-topic":
		_, err = messages.Projects.Topics.Create("projects/"+project+"/topics/"+arg[0], &pubsub.Topic{}).Context(ctx).Do()
	case "list-topics":
		_, err = messages.Projects.Topics.List("projects/" + project).Context(ctx).Do()
	case "get-topic":
		_, err = messages.Projects.Topics.Get("projects/" + project + "/topics/" + arg[0]).Context(ctx).Do()
	case "create-subscription": // its name, its topic
		_, err = messages.Projects.Subscriptions.Create("projects/"+project+"/subscriptions/"+arg[0], &pubsub.Subscription{Topic: "projects/" + project + "/topics/" + arg[1]}).Context(ctx).Do()
	case "create-zone":
		_, err = names.ManagedZones.Create(project, &dns.ManagedZone{Name: arg[0], DnsName: arg[0] + ".example.", Description: "a zone"}).Context(ctx).Do()
	case "create-record": // in the zone
		_, err = names.Changes.Create(project, arg[0], &dns.Change{Additions: []*dns.ResourceRecordSet{
			{Name: "a." + arg[0] + ".example.", Type: "A", Ttl: 60, Rrdatas: []string{"192.0.2.1"}}}}).Context(ctx).Do()
	case "enable":
		_, err = apis.Services.Enable("projects/"+project+"/services/"+arg[0], &serviceusage.EnableServiceRequest{}).Context(ctx).Do()
	case "create-bucket":
		_, err = files.Buckets.Insert(project, &storage.Bucket{Name: arg[0]}).Context(ctx).Do()
	case "create-account": // and a key of it, as NAME.json
		if _, err = identities.Projects.ServiceAccounts.Create("projects/"+project, &iam.CreateServiceAccountRequest{AccountId: arg[0]}).Context(ctx).Do(); err != nil {
			break
		}
		key, kerr := identities.Projects.ServiceAccounts.Keys.Create(account, &iam.CreateServiceAccountKeyRequest{}).Context(ctx).Do()
		if err = kerr; err == nil {
			var text []byte
			if text, err = base64.StdEncoding.DecodeString(key.PrivateKeyData); err == nil {
				err = os.WriteFile(arg[0]+".json", text, 0o600)
			}
		}
	case "create-template": // of instances that act as an account, "default" for Compute Engine's own
		machines, merr := compute.NewService(ctx, opts...)
		if merr != nil {
			return merr
		}
		email := arg[1] + "@" + project + ".iam.gserviceaccount.com"
		if arg[1] == "default" {
			p, perr := machines.Projects.Get(project).Context(ctx).Do()
			if perr != nil {
				return perr
			}
			email = p.DefaultServiceAccount
		}
		_, err = machines.InstanceTemplates.Insert(project, &compute.InstanceTemplate{Name: arg[0], Properties: &compute.InstanceProperties{
			MachineType:     "e2-micro",
			Disks:           []*compute.AttachedDisk{{Boot: true, AutoDelete: true, InitializeParams: &compute.AttachedDiskInitializeParams{SourceImage: "projects/debian-cloud/global/images/family/debian-11"}}},
			ServiceAccounts: []*compute.ServiceAccount{{Email: email, Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}}},
		}}).Context(ctx).Do()
	case "policy": // of the project, into a file
		policy, perr := manager.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3}}).Context(ctx).Do()
		if err = perr; err == nil {
			text, _ := json.MarshalIndent(policy.Bindings, "", " ") // it came as JSON
			err = os.WriteFile(arg[0], append(text, '\n'), 0o600)
		}
	case "identities": // all that is there: accounts, and custom roles with what they hold; into a file
		var list strings.Builder
		err = identities.Projects.ServiceAccounts.List("projects/"+project).Pages(ctx, func(page *iam.ListServiceAccountsResponse) error {
			for _, a := range page.Accounts {
				fmt.Fprintln(&list, a.Email)
			}
			return nil
		})
		if err == nil {
			err = identities.Projects.Roles.List("projects/"+project).View("FULL").Pages(ctx, func(page *iam.ListRolesResponse) error {
				for _, r := range page.Roles {
					fmt.Fprintln(&list, r.Name, r.IncludedPermissions)
				}
				return nil
			})
		}
		if err == nil {
			err = os.WriteFile(arg[0], []byte(list.String()), 0o600)
		}
	case "bind": // a role to a user, on the project
		policy, perr := manager.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{}).Context(ctx).Do()
		if err = perr; err == nil {
			policy.Bindings = append(policy.Bindings, &cloudresourcemanager.Binding{Role: arg[0], Members: []string{arg[1]}})
			_, err = manager.Projects.SetIamPolicy(project, &cloudresourcemanager.SetIamPolicyRequest{Policy: policy}).Context(ctx).Do()
		}
	case "operator": // an account, with exactly what a file lists
		list, lerr := os.ReadFile(arg[1])
		if lerr != nil {
			return lerr
		}
		var held []string
		for line := range strings.Lines(string(list)) {
			if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(line, "#") {
				held = append(held, words[0])
			}
		}
		role := "projects/" + project + "/roles/operator"
		if _, err = identities.Projects.Roles.Create("projects/"+project, &iam.CreateRoleRequest{RoleId: "operator", Role: &iam.Role{IncludedPermissions: held}}).Context(ctx).Do(); err != nil {
			_, err = identities.Projects.Roles.Patch(role, &iam.Role{IncludedPermissions: held}).UpdateMask("includedPermissions").Context(ctx).Do()
		}
		if err != nil {
			break
		}
		policy, perr := manager.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{}).Context(ctx).Do()
		if err = perr; err == nil {
			policy.Bindings = append(policy.Bindings, &cloudresourcemanager.Binding{Role: role, Members: []string{"serviceAccount:" + arg[0] + "@" + project + ".iam.gserviceaccount.com"}})
			_, err = manager.Projects.SetIamPolicy(project, &cloudresourcemanager.SetIamPolicyRequest{Policy: policy}).Context(ctx).Do()
		}
	case "label": // the project
		project, perr := manager.Projects.Get(project).Context(ctx).Do()
		if err = perr; err == nil {
			project.Labels = map[string]string{arg[0]: arg[1]}
			_, err = manager.Projects.Update(project.ProjectId, project).Context(ctx).Do()
		}
	case "add-secret": // its name, its value
		parent := "projects/" + project
		if _, err = secrets.Projects.Secrets.Create(parent, &secretmanager.Secret{Replication: &secretmanager.Replication{Automatic: &secretmanager.Automatic{}}}).SecretId(arg[0]).Context(ctx).Do(); err == nil {
			_, err = secrets.Projects.Secrets.AddVersion(parent+"/secrets/"+arg[0], &secretmanager.AddSecretVersionRequest{
				Payload: &secretmanager.SecretPayload{Data: base64.StdEncoding.EncodeToString([]byte(arg[1]))}}).Context(ctx).Do()
		}
	case "read-secret": // its name
		_, err = secrets.Projects.Secrets.Versions.Access("projects/" + project + "/secrets/" + arg[0] + "/versions/latest").Context(ctx).Do()
	case "no-token": // fails, and tells, if what the step holds is a live token
		return noToken(ctx)
	case "env": // fails, and tells, if the variable has another value
		if v := os.Getenv(arg[0]); v != arg[1] {
			return fmt.Errorf("it is %q", v)
		}
	default:
		return errors.New("no such verb")
	}
	if arg[1] == "refused" { // is what must be
		if refused := (*googleapi.Error)(nil); !errors.As(err, &refused) || refused.Code != http.StatusForbidden {
			return fmt.Errorf("it was not refused: %w", err)
		}
		return nil
	}
	return err
}

// noToken looks for a live token in all that a step is given, and has the clients
// get it.
func noToken(ctx context.Context) error {
	var given []string
	for _, name := range []string{"GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"} {
		given = append(given, os.Getenv(name))
	}
	file, err := os.ReadFile(os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"))
	if err != nil {
		return err
	}
	given = append(given, string(file))
	source, err := google.DefaultTokenSource(ctx, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return err
	}
	token, err := source.Token()
	if err != nil {
		return err
	}
	given = append(given, token.AccessToken)
	// A registry's own token stands for the one that was shown for it.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://us-central1-docker.pkg.dev/v2/token?service=us-central1-docker.pkg.dev", nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth("oauth2accesstoken", token.AccessToken)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	var registry struct{ Token string }
	if err := json.NewDecoder(reply.Body).Decode(&registry); err != nil {
		return err
	}
	for _, text := range append(given, registry.Token) {
		if !strings.Contains(text, "whittle-placeholder-") || strings.Contains(text, "ya29.") {
			return fmt.Errorf("%d characters are no placeholder", len(text))
		}
	}
	return nil
}
