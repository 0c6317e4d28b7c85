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
