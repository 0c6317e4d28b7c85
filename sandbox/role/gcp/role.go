package gcp

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/cenkalti/backoff/v4"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// administrator is the role that stands for everything.
const administrator = "roles/owner"

// Limits of a custom role. Source: IAM, "Quotas and limits".
const maxPermissions = 3000

// role is the custom role of one identity.
type role struct {
	pool     *Pool
	name     string // projects/…/roles/…
	identity string
	member   string // whom it is bound to
	as       *Credentials

	mu    sync.Mutex
	owner bool            // the administrator's role is bound too
	bound map[string]part // what is bound besides, by the ids of roles
}

var _ harness.Role = (*role)(nil)

// Put implements [harness.Role]. A grant on less than the project, but for one service
// account or under a condition, is a [ResourceError].
func (r *role) Put(ctx context.Context, s grant.Set) error {
	permissions, parts, err := r.split(s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fill(ctx, permissions); err != nil {
		return err
	}
	if all := s.HasEverything(); len(parts)+len(r.bound) > 0 || all != r.owner {
		return r.putParts(ctx, parts, all)
	}
	return nil
}

// unbind takes away what is bound besides the identity's own role.
func (r *role) unbind(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bound) == 0 {
		return nil
	}
	return r.putParts(ctx, nil, false)
}

// fill makes the permissions the custom role's whole content.
func (r *role) fill(ctx context.Context, permissions []string) error {
	_, err := r.pool.iam.Projects.Roles.Patch(r.name, &iam.Role{IncludedPermissions: permissions, ForceSendFields: []string{"IncludedPermissions"}}).
		UpdateMask("includedPermissions").Context(ctx).Do()
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("role %s: %w", r.name, context.Cause(ctx))
		}
		return r.pool.explain("write role "+r.name, "iam.roles.update", err)
	}
	return nil
}

// canaries are permissions whose being held is asked for, and that are never
// used: reading lists of what is no secret.
var canaries = []string{"compute.zones.list", "compute.regions.list", "logging.sinks.list", "iam.roles.list", "pubsub.topics.list"}

// Settle implements [harness.Role]; see [settle.Settler]. The identity itself asks
// what it holds, by testIamPermissions.
func (r *role) Settle(ctx context.Context, s grant.Set) error {
	crm, err := cloudresourcemanager.NewService(ctx, option.WithHTTPClient(r.as.client()))
	if err != nil {
		return err
	}
	return settle.Settler{
		Role: "role " + r.name, Canaries: canaries, Put: r.Put, Poll: r.pool.cfg.Poll, Log: r.pool.cfg.Log,
		Advice: "look for other bindings of the account, also on the folder and the organization, and for deny policies",
		Ask: func(ctx context.Context, canary string) (held bool, err error) {
			reply, err := crm.Projects.TestIamPermissions(r.pool.cfg.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: []string{canary}}).Context(ctx).Do()
			switch {
			case err == nil:
				return slices.Contains(reply.Permissions, canary), nil
			case isTransient(err):
				return false, err
			}
			return false, backoff.Permanent(r.pool.explain("ask what the identity holds", "nothing", err))
		},
	}.Settle(ctx, s)
}
