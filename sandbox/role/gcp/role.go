package gcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	pool   *Pool
	name   string // projects/…/roles/…
	member string // whom it is bound to
	as     *Credentials

	mu    sync.Mutex
	owner bool // the administrator's role is bound too
}

var _ harness.Role = (*role)(nil)

// content is what a set is as permissions of a custom role that is bound on the
// project.
func (r *role) content(s grant.Set) ([]string, error) {
	project := r.pool.parent()
	var list []string
	for g := range s.All() {
		switch g.Resource {
		case "*", project, "//cloudresourcemanager.googleapis.com/" + project:
		default:
			return nil, &ResourceError{Grant: g, Project: r.pool.cfg.Project}
		}
		if g.Permission == "*" {
			continue
		}
		if strings.Contains(g.Permission, "*") {
			return nil, fmt.Errorf("role %s: %s: a custom role has no patterns", r.name, g)
		}
		list = append(list, g.Permission)
	}
	list = slices.Compact(list) // in order already
	if len(list) > maxPermissions {
		return nil, &TooLargeError{Role: r.name, Permissions: len(list)}
	}
	return list, nil
}

// Put implements [harness.Role]. What is bound on the project holds for all of
// it: a grant on less is a [ResourceError].
func (r *role) Put(ctx context.Context, s grant.Set) error {
	permissions, err := r.content(s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fill(ctx, permissions); err != nil {
		return err
	}
	if all := everything(s); all != r.owner {
		err = r.pool.rebind(ctx, func(b *bindings) {
			if all {
				b.add(administrator, r.member)
			} else {
				b.drop(administrator, r.member)
			}
		})
		if err != nil {
			return err
		}
		r.owner = all
	}
	return nil
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
