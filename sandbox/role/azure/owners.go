package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/cenkalti/backoff/v4"
)

// OwnerError says that an identity is somebody else's too: in most tenants every user can
// register an application, with any name and notes, and who owns one can give it secrets
// and act as it.
type OwnerError struct {
	Kind, Name string   // "application", as it is called
	Owners     []string // object ids of those that are not the operator
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("%s %s: it says that whittle made it, but is owned by %s, who can act as it, and so is granted nothing; a colleague can take it away with `whittle clean --purge`, else delete it, or choose another stack name",
		e.Kind, e.Name, strings.Join(e.Owners, ", "))
}

// ownedAlone refuses an application, or its service principal, that somebody else owns
// than the operator, who owns what he makes. Source: "List owners of an application" and
// "List owners of servicePrincipals"; Application.ReadWrite.OwnedBy suffices for one's own.
func (p *Pool) ownedAlone(ctx context.Context, kind, noun, id, name string) error {
	operator, err := p.claims(ctx)
	if err != nil {
		return err
	}
	var others []string
	for address := graphHost + "/" + noun + "/" + id + "/owners?$select=id"; address != ""; {
		var page listed[application]
		err := backoff.Retry(func() error { // what was just made is not known everywhere at once
			err := call(ctx, p.graph, http.MethodGet, address, nil, &page)
			if err != nil && status(err) != http.StatusNotFound {
				return backoff.Permanent(err)
			}
			return err
		}, backoff.WithContext(p.cfg.Poll.Backoff(), ctx))
		if err != nil {
			return p.explain("list the owners of "+kind+" "+name, "Graph's Application.ReadWrite.OwnedBy", err)
		}
		for _, o := range page.Value {
			if operator.ObjectID == "" || !strings.EqualFold(o.ID, operator.ObjectID) {
				others = append(others, o.ID)
			}
		}
		if address, err = next(page); err != nil {
			return fmt.Errorf("list the owners of %s %s: %w", kind, name, err)
		}
	}
	if len(others) > 0 {
		return &OwnerError{Kind: kind, Name: name, Owners: others}
	}
	return nil
}

// claims are what the operator's token says of him. Source: "Access token claims
// reference".
type claims struct {
	Name     string `json:"upn"`
	AppID    string `json:"appid"`
	ObjectID string `json:"oid"`
}

// claims reads the operator's token for Azure Resource Manager; what cannot be read stays
// empty.
func (p *Pool) claims(ctx context.Context) (c claims, err error) {
	t, err := p.cfg.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{managerScope}})
	if err != nil {
		return c, p.explain("get the operator's token", "nothing", err)
	}
	if parts := strings.Split(t.Token, "."); len(parts) == 3 {
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(text, &c) // a token of another form says nothing
		}
	}
	return c, nil
}
