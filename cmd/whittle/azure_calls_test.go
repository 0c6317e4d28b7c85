package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
)

// azureCallsMain is the program `azure-calls FILE`: it makes the calls to Azure
// that the file lists, one a line, through Microsoft's library with the
// credentials that its environment has. It stands for any tool that finds its
// credentials so.
func azureCallsMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := os.ReadFile(os.Args[1])
	for line := range strings.Lines(string(data)) {
		line = strings.NewReplacer("{subscription}", "/subscriptions/"+os.Getenv("AZURE_SUBSCRIPTION_ID")).Replace(strings.TrimSpace(line))
		if err != nil || line == "" {
			break
		}
		if err = azureCall(ctx, line); err != nil {
			err = fmt.Errorf("%s: %w", line, err)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "azure-calls:", err)
		os.Exit(1)
	}
}

func azureCall(ctx context.Context, line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return err
	}
	switch verb {
	case "no-token": // fails, and tells, if what the step holds or gets is a secret or a live token
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
		if err != nil {
			return err
		}
		for _, text := range []string{os.Getenv("AZURE_CLIENT_SECRET"), os.Getenv("ARM_CLIENT_SECRET"), token.Token} {
			if !strings.HasSuffix(text, ".whittle-placeholder") {
				return fmt.Errorf("%d characters are no placeholder", len(text))
			}
		}
		return nil
	case "assignments": // all that there are, into a file
		client, err := armauthorization.NewRoleAssignmentsClient(os.Getenv("AZURE_SUBSCRIPTION_ID"), credential, nil)
		if err != nil {
			return err
		}
		var names []string
		for pager := client.NewListForSubscriptionPager(nil); pager.More(); {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, a := range page.Value {
				names = append(names, *a.Name)
			}
		}
		slices.Sort(names)
		return os.WriteFile(rest, []byte(strings.Join(names, "\n")+"\n"), 0o600)
	case "keep": // what a request is answered, in a file
		file, request, _ := strings.Cut(rest, " ")
		text, err := azureRequest(ctx, credential, request)
		if err != nil {
			return err
		}
		return os.WriteFile(file, text, 0o600)
	case "operator": // an application with exactly the role of a file and Graph's permission; its secret as NAME.env. Again: another role
		name, file, _ := strings.Cut(rest, " ")
		return azureOperatorMade(ctx, credential, name, file)
	case "maybe": // what comes of it is nobody's business
		_ = azureCall(ctx, rest)
		return nil
	case "refused": // is what must be
		if err := azureCall(ctx, rest); err == nil || !strings.Contains(err.Error(), "403") {
			return fmt.Errorf("it was not refused: %w", errors.Join(err))
		}
		return nil
	}
	text, err := azureRequest(ctx, credential, line)
	if err != nil || len(text) == 0 || text[0] != '{' {
		return err
	}
	var any map[string]any
	return json.Unmarshal(text, &any)
}

// azureRequest makes the request "METHOD URL BODY", and gives what it is answered.
func azureRequest(ctx context.Context, credential azcore.TokenCredential, line string) ([]byte, error) {
	verb, rest, _ := strings.Cut(line, " ")
	address, body, _ := strings.Cut(rest, " ")
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	scope, ok := roleazure.Scope(u.Host)
	if !ok {
		return nil, errors.New("no such verb, or no host of Azure's")
	}
	pipeline := runtime.NewPipeline("azure-calls", "", runtime.PipelineOptions{PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(credential, []string{scope}, nil)}}, nil)
	req, err := runtime.NewRequest(ctx, verb, address)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(u.Host, "blob.core.windows.net") {
		req.Raw().Header.Set("X-Ms-Version", "2023-11-03")
		req.Raw().Header.Set("X-Ms-Blob-Type", "BlockBlob")
	}
	if body != "" {
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader([]byte(body))), "application/json"); err != nil {
			return nil, err
		}
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		return nil, errors.Join(fmt.Errorf("%s: %s", resp.Status, text), err)
	}
	return text, nil
}

// azureOperatorMade makes an application whose service principal holds exactly the role
// of a file, and of Microsoft Graph the permission that an operator needs.
func azureOperatorMade(ctx context.Context, credential azcore.TokenCredential, name, file string) error {
	subscription := "/subscriptions/" + os.Getenv("AZURE_SUBSCRIPTION_ID")
	const role = "99999999-2222-4333-8444-555555555555"
	var failed error
	ask := func(method, address string, body any) map[string]any {
		text, err := json.Marshal(body)
		if err == nil && failed == nil {
			text, err = azureRequest(ctx, credential, method+" "+address+" "+string(text))
		}
		var reply map[string]any
		if err == nil && failed == nil && len(text) > 0 {
			err = json.Unmarshal(text, &reply)
		}
		failed = errors.Join(failed, err)
		return reply
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var printed struct {
		Actions     []string
		DataActions []string
	}
	if err := json.Unmarshal(data, &printed); err != nil {
		return err
	}
	const manager, graph = "https://management.azure.com", "https://graph.microsoft.com/v1.0"
	ask("PUT", manager+subscription+"/providers/Microsoft.Authorization/roleDefinitions/"+role+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleName": name, "type": "CustomRole", "assignableScopes": []string{subscription}, "permissions": []any{map[string]any{"actions": printed.Actions, "dataActions": printed.DataActions}}}})
	if _, err := os.Stat(name + ".env"); err == nil || failed != nil {
		return failed
	}
	app := ask("POST", graph+"/applications", map[string]any{"displayName": name})
	principal := ask("POST", graph+"/servicePrincipals", map[string]any{"appId": app["appId"]})
	ask("POST", graph+fmt.Sprintf("/servicePrincipals/%v/appRoleAssignments", principal["id"]), map[string]any{
		"principalId": principal["id"], "resourceId": "00000003-0000-0000-c000-000000000000", "appRoleId": "18a4783c-866b-4cc7-a460-3d5e5662c884"})
	secret := ask("POST", graph+fmt.Sprintf("/applications/%v/addPassword", app["id"]), map[string]any{"passwordCredential": map[string]any{"displayName": "operator"}})
	ask("PUT", manager+subscription+"/providers/Microsoft.Authorization/roleAssignments/"+role+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + role, "principalId": principal["id"]}})
	if failed != nil {
		return failed
	}
	text := fmt.Sprintf("export AZURE_CLIENT_ID='%[1]v' ARM_CLIENT_ID='%[1]v' AZURE_CLIENT_SECRET='%[2]v' ARM_CLIENT_SECRET='%[2]v'\n", app["appId"], secret["secretText"])
	return os.WriteFile(name+".env", []byte(text), 0o600)
}
