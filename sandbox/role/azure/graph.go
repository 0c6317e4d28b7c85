package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/cenkalti/backoff/v4"
)

const (
	graphScope   = "https://graph.microsoft.com/.default"
	managerScope = "https://management.azure.com/.default"
	graphHost    = "https://graph.microsoft.com/v1.0"
	managerHost  = "https://management.azure.com"
)

// application is what is known of one of Whittle's.
type application struct {
	ID    string `json:"id"`
	AppID string `json:"appId"`
	Name  string `json:"displayName"`
	Notes string `json:"notes"`
	// Passwords are its secrets, without themselves.
	Passwords []struct {
		KeyID string `json:"keyId"`
		Name  string `json:"displayName"`
	} `json:"passwordCredentials"`
}

// call makes one request and reads its reply, if out is not nil.
func call(ctx context.Context, pipeline runtime.Pipeline, method, address string, body, out any) error {
	req, err := runtime.NewRequest(ctx, method, address)
	if err != nil {
		return err
	}
	req.Raw().Header.Set("Accept", "application/json")
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(text)), "application/json"); err != nil {
			return err
		}
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return runtime.NewResponseError(resp)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// listed is a page of Graph's.
type listed[T any] struct {
	Value []T    `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// applications finds those of this stack, or of one of its identities.
func (p *Pool) applications(ctx context.Context, filter string) (ours []application, err error) {
	address := graphHost + "/applications?$select=id,appId,displayName,notes,passwordCredentials&$filter=" + url.QueryEscape(filter)
	for address != "" {
		var page listed[application]
		if err := call(ctx, p.graph, http.MethodGet, address, nil, &page); err != nil {
			return nil, p.explain("list applications", "Graph's Application.ReadWrite.OwnedBy", err)
		}
		for _, a := range page.Value {
			if _, ok := p.owned(a.Notes); ok {
				ours = append(ours, a)
			}
		}
		if address, err = next(page); err != nil {
			return nil, fmt.Errorf("list applications: %w", err)
		}
	}
	return ours, nil
}

// next is the address of the page after it, empty after the last.
func next[T any](page listed[T]) (string, error) {
	if page.Next != "" && !strings.HasPrefix(page.Next, graphHost+"/") {
		return "", errors.New("the next page is on another host, which gets no token")
	}
	return page.Next, nil
}

// ensureApplication gives the identity's application, making it if it is not
// there. Others of the same name, without Whittle's mark, are left alone.
func (p *Pool) ensureApplication(ctx context.Context, identity string) (application, error) {
	name := p.name(identity)
	found, err := p.applications(ctx, "displayName eq '"+name+"'")
	if err != nil {
		return application{}, err
	}
	for _, a := range found {
		if o, _ := p.owned(a.Notes); o.Identity == identity {
			return a, nil
		}
	}
	if err := p.cfg.Announce.Tell(KindApplication, name); err != nil {
		return application{}, err
	}
	var made application
	err = call(ctx, p.graph, http.MethodPost, graphHost+"/applications", map[string]any{"displayName": name, "notes": p.describe(identity, ""), "signInAudience": "AzureADMyOrg"}, &made)
	if err != nil {
		return made, p.explain("create application "+name, "Graph's Application.ReadWrite.OwnedBy", err)
	}
	p.cfg.Log.Info("made application", "application", made.AppID)
	return made, nil
}

// ensurePrincipal gives the object id of the application's service principal.
func (p *Pool) ensurePrincipal(ctx context.Context, app application) (string, error) {
	var page listed[application]
	address := graphHost + "/servicePrincipals?$select=id,appId&$filter=" + url.QueryEscape("appId eq '"+app.AppID+"'")
	if err := call(ctx, p.graph, http.MethodGet, address, nil, &page); err != nil {
		return "", p.explain("look for the service principal of "+app.Name, "Graph's Application.ReadWrite.OwnedBy", err)
	}
	if len(page.Value) > 0 {
		return page.Value[0].ID, nil
	}
	var made application
	err := backoff.Retry(func() error { // the application is not known everywhere at once
		err := call(ctx, p.graph, http.MethodPost, graphHost+"/servicePrincipals", map[string]any{"appId": app.AppID}, &made)
		if err != nil && status(err) != http.StatusBadRequest && status(err) != http.StatusNotFound {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(p.cfg.Poll.Backoff(), ctx))
	if err != nil {
		return "", p.explain("create the service principal of "+app.Name, "Graph's Application.ReadWrite.OwnedBy", err)
	}
	return made.ID, nil
}

// secretName is how the names of the secrets begin that Whittle makes.
const secretName = "whittle "

// secretLife is how long a run's secret is good for, should nobody take it away.
const secretLife = 48 * time.Hour

func (p *Pool) addPassword(ctx context.Context, app application) (key, secret string, err error) {
	var made struct {
		KeyID  string `json:"keyId"`
		Secret string `json:"secretText"`
	}
	body := map[string]any{"passwordCredential": map[string]any{"displayName": secretName + p.cfg.RunID, "endDateTime": time.Now().Add(secretLife).UTC().Format(time.RFC3339)}}
	err = backoff.Retry(func() error {
		err := call(ctx, p.graph, http.MethodPost, graphHost+"/applications/"+app.ID+"/addPassword", body, &made)
		if err != nil && status(err) != http.StatusNotFound {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(p.cfg.Poll.Backoff(), ctx))
	if err != nil {
		return "", "", p.explain("give application "+app.Name+" a secret", "Graph's Application.ReadWrite.OwnedBy", err)
	}
	return made.KeyID, made.Secret, nil
}

func (p *Pool) removePassword(ctx context.Context, app application, key string) error {
	err := call(ctx, p.graph, http.MethodPost, graphHost+"/applications/"+app.ID+"/removePassword", map[string]any{"keyId": key}, nil)
	if err != nil && status(err) != http.StatusNotFound {
		return p.explain(fmt.Sprintf("take a secret from application %s", app.Name), "Graph's Application.ReadWrite.OwnedBy", err)
	}
	return nil
}
