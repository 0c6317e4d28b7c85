// Package azure makes a resource group in a subscription of Azure that is not the
// lifecycle's, with resources in it, and asks for them as a probe identity: a role that
// is assigned as narrowly as it looks is refused.
//
// Decoys are made by the operator, of the types that the roles hold something on. What
// is asked for is what a role holds somewhere; where it is let through, nothing but the
// decoys is touched. It decides nothing about roles.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/decoy/ask"
)

// Decoys are those of a subscription. It implements [harness.Decoys] and
// [harness.Uprooter].
type Decoys struct {
	// HTTP leads to the sandbox and shows no token.
	HTTP *http.Client
	// Operator gives the operator's token for a host.
	Operator func(ctx context.Context, host string) (string, error)
	// Subscription is its id.
	Subscription string

	planted []decoy
	name    string // of the resource group; empty where there is none
}

var (
	_ harness.Decoys   = (*Decoys)(nil)
	_ harness.Uprooter = (*Decoys)(nil)
)

// decoy is a resource that is not the lifecycle's.
type decoy struct {
	kind *kind
	name string
}

// Plant makes a resource group, and in it one decoy of each type that the sets hold
// something on; what was planted before is forgotten.
func (d *Decoys) Plant(ctx context.Context, sets []grant.Set) error {
	d.planted, d.name = nil, ""
	for i := range kinds {
		k := &kinds[i]
		if !slices.ContainsFunc(sets, k.heldBy) {
			continue
		}
		if d.name == "" {
			name := fresh()
			if err := d.make(ctx, "resource group", request{http.MethodPut, group, located}, decoy{name: name}, name); err != nil {
				return err
			}
			d.name = name
		}
		one := decoy{k, fresh()}
		for _, q := range k.make {
			if err := d.make(ctx, k.name, q, one, d.name); err != nil {
				return err
			}
		}
		d.planted = append(d.planted, one)
	}
	return nil
}

// fresh is a name that storage accounts, vaults and registries can have too.
func fresh() string { return ask.Name("whittledecoy", 5) }

func (d *Decoys) make(ctx context.Context, what string, q request, one decoy, group string) error {
	reply, err := d.asOperator(ctx, d.exchange(q, one.name, group))
	if err == nil {
		err = reply.OK()
	}
	if err != nil {
		return fmt.Errorf("decoys: make a %s as the operator: %w", what, err)
	}
	return nil
}

func (d *Decoys) asOperator(ctx context.Context, x refusal.Exchange) (ask.Reply, error) {
	token, err := d.Operator(ctx, x.URL.Hostname())
	if err != nil {
		return ask.Reply{}, err
	}
	return d.send(ctx, token, x)
}

// Uproot takes the resource group away with all that is in it.
func (d *Decoys) Uproot(ctx context.Context) error {
	if d.name == "" {
		return nil
	}
	reply, err := d.asOperator(ctx, d.exchange(request{http.MethodDelete, group, ""}, "", d.name))
	if err == nil && reply.Status != http.StatusNotFound {
		err = reply.OK()
	}
	if err != nil {
		return fmt.Errorf("decoys: delete resource group %s, which is the decoys' alone: %w", d.name, err)
	}
	d.planted, d.name = nil, ""
	return nil
}

// heldBy tells whether a set holds something that can be tried on the type.
func (k *kind) heldBy(s grant.Set) bool {
	return slices.ContainsFunc(k.tries, func(t attempt) bool { return holds(s, t.permission) })
}

// holds tells whether a set holds an action somewhere; case does not count in actions.
func holds(s grant.Set, action string) bool {
	return slices.ContainsFunc(s.Permissions(), func(p string) bool { return strings.EqualFold(p, action) })
}

// bearer are credentials that give the token which stands behind a placeholder, for a
// host.
type bearer interface {
	Bearer(ctx context.Context, host string) (string, error)
}

// Try asks as the identity, whose role holds s, for each decoy by each action of s that
// can be tried on it.
func (d *Decoys) Try(ctx context.Context, id harness.Identity, s grant.Set) ([]harness.Trial, error) {
	as, ok := id.Credentials.(bearer)
	if !ok {
		return nil, fmt.Errorf("decoys: the credentials of %s have no token", id.Name)
	}
	var trials []harness.Trial
	for _, one := range d.planted {
		for _, try := range one.kind.tries {
			if !holds(s, try.permission) {
				continue
			}
			t, shows, err := d.try(ctx, as, one, try)
			if err != nil {
				return nil, fmt.Errorf("decoys: %s on %s as %s: %w", try.permission, one.name, id.Name, err)
			}
			if shows {
				trials = append(trials, t)
			}
		}
	}
	return trials, nil
}

// try asks once. A refusal that is about something else, which the request needs
// besides, shows nothing.
func (d *Decoys) try(ctx context.Context, as bearer, one decoy, try attempt) (t harness.Trial, shows bool, err error) {
	t = harness.Trial{Permission: try.permission, Resource: d.fill(one.kind.id, one.name, d.name), Decoy: one.kind.name, Allowed: true}
	x := d.exchange(try.request, one.name, d.name)
	token, err := as.Bearer(ctx, x.URL.Hostname())
	if err != nil {
		return t, false, err
	}
	reply, err := d.send(ctx, token, x)
	switch {
	case err != nil:
		return t, false, err
	case reply.Status >= 500 || reply.Status == http.StatusUnauthorized:
		return t, false, reply.Failure()
	}
	x.Status, x.Reply, x.ReplyBody = reply.Status, reply.Header, reply.Body
	denials, err := parsers.FromExchange(x)
	if err != nil {
		return t, true, nil // what no parser reads as a refusal passed authorization
	}
	other := false
	for _, no := range denials {
		switch {
		case no.Reason == refusal.MissingPermission && strings.EqualFold(no.Permission, try.permission), no.Reason == refusal.OpaqueDenial:
			t.Allowed = false
		case no.Reason == refusal.MissingPermission, no.Reason == refusal.ExplicitDeny:
			other = true
		}
	}
	return t, !t.Allowed || !other, nil
}

// fill puts the names into a text.
func (d *Decoys) fill(s, name, group string) string {
	return strings.NewReplacer("{group}", "/subscriptions/"+d.Subscription+"/resourceGroups/"+group, "{name}", name).Replace(s)
}

// exchange is a request as a parser sees it.
func (d *Decoys) exchange(q request, name, group string) refusal.Exchange {
	u, err := url.Parse(d.fill(q.url, name, group))
	if err != nil {
		panic(err) // the table is ours, and a test makes all of it
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if strings.HasSuffix(u.Host, ".blob.core.windows.net") {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("X-Ms-Version", "2023-11-03")
		h.Set("X-Ms-Blob-Type", "BlockBlob")
	}
	return refusal.Exchange{Method: q.method, URL: u, Header: h, Body: []byte(d.fill(q.body, name, group))}
}

func (d *Decoys) send(ctx context.Context, token string, x refusal.Exchange) (ask.Reply, error) {
	if token == "" {
		return ask.Reply{}, errors.New("there is no token to show")
	}
	return ask.Send(ctx, d.HTTP, x, ask.Bearer(token))
}
