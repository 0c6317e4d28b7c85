// Package google makes resources in a project of Google Cloud that are not the
// lifecycle's, and asks for them as a probe identity: a role that is as narrow as it
// looks is refused.
//
// Decoys are made by the operator, of the types that the roles hold something on. What
// is asked for is what a role holds; where it is let through, nothing but the decoy is
// touched. It decides nothing about roles.
package google

import (
	"context"
	"encoding/json"
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

// Decoys are those of a project. It implements [harness.Decoys].
type Decoys struct {
	// HTTP shows the operator's token, Plain none; both lead to the sandbox.
	HTTP, Plain *http.Client
	// Project and Number are the project's.
	Project, Number string

	planted []decoy
}

var _ harness.Decoys = (*Decoys)(nil)

// decoy is a resource that is not the lifecycle's.
type decoy struct {
	kind *kind
	name string
}

// Plant makes one decoy of each type that the sets hold something on; what was planted
// before is forgotten.
func (d *Decoys) Plant(ctx context.Context, sets []grant.Set) error {
	d.planted = nil
	for i := range kinds {
		k := &kinds[i]
		if !slices.ContainsFunc(sets, k.heldBy) {
			continue
		}
		one := decoy{k, ask.Name("whittle-decoy-", 4)}
		for _, q := range k.make {
			reply, err := ask.Send(ctx, d.HTTP, d.exchange(q, one.name), nil)
			if err == nil {
				err = reply.OK()
			}
			if err != nil {
				return fmt.Errorf("decoys: make a %s as the operator: %w", k.name, err)
			}
		}
		d.planted = append(d.planted, one)
	}
	return nil
}

// heldBy tells whether a set holds something that can be tried on the type.
func (k *kind) heldBy(s grant.Set) bool {
	return slices.ContainsFunc(k.tries, func(t attempt) bool { return slices.Contains(s.Permissions(), t.permission) })
}

// bearer are credentials that give the token which stands behind a placeholder.
type bearer interface {
	Bearer(ctx context.Context, shown string) (string, error)
}

// Try asks as the identity, whose role holds s, for each decoy by each permission of s
// that can be tried on it.
func (d *Decoys) Try(ctx context.Context, id harness.Identity, s grant.Set) ([]harness.Trial, error) {
	as, ok := id.Credentials.(bearer)
	if !ok {
		return nil, fmt.Errorf("decoys: the credentials of %s have no token", id.Name)
	}
	token, err := as.Bearer(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("decoys: %s: %w", id.Name, err)
	}
	held := s.Permissions()
	var trials []harness.Trial
	for _, one := range d.planted {
		for _, try := range one.kind.tries {
			if !slices.Contains(held, try.permission) {
				continue
			}
			t, shows, err := d.try(ctx, token, one, try)
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
func (d *Decoys) try(ctx context.Context, token string, one decoy, try attempt) (t harness.Trial, shows bool, err error) {
	t = harness.Trial{Permission: try.permission, Resource: d.fill(one.kind.resource, one.name), Decoy: one.kind.name, Allowed: true}
	x := d.exchange(try.request, one.name)
	reply, err := ask.Send(ctx, d.Plain, x, ask.Bearer(token))
	switch {
	case err != nil:
		return t, false, err
	case reply.Status >= 500 || reply.Status == http.StatusUnauthorized:
		return t, false, reply.Failure()
	case try.asks: // what is held, which nobody is refused to ask
		if err := reply.OK(); err != nil {
			return t, false, err
		}
		var held struct{ Permissions []string }
		if err := json.Unmarshal(reply.Body, &held); err != nil {
			return t, false, err
		}
		t.Allowed = slices.Contains(held.Permissions, try.permission)
		return t, true, nil
	}
	x.Status, x.ReplyBody, x.Reply = reply.Status, reply.Body, http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	denials, err := parsers.FromExchange(x)
	if err != nil {
		return t, true, nil // what no parser reads as a refusal passed authorization
	}
	other := false
	for _, no := range denials {
		switch {
		case no.Reason != refusal.MissingPermission && no.Reason != refusal.OpaqueDenial:
		case no.Permission == "" || no.Permission == try.permission:
			t.Allowed = false
		default:
			other = true
		}
	}
	return t, !t.Allowed || !other, nil
}

// fill puts a decoy's name and the project into a text.
func (d *Decoys) fill(s, name string) string {
	return strings.NewReplacer("{name}", name, "{project}", d.Project, "{number}", d.Number, "{zone}", zone).Replace(s)
}

// exchange is a request as a parser sees it.
func (d *Decoys) exchange(q request, name string) refusal.Exchange {
	u, err := url.Parse(d.fill(q.url, url.PathEscape(name)))
	if err != nil {
		panic(err) // the table is ours, and a test makes all of it
	}
	return refusal.Exchange{Method: q.method, URL: u, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(d.fill(q.body, name))}
}
