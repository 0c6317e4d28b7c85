package gcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
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

// Settle puts s and waits until the cloud shows that s is in force, and nothing
// else: with a canary beside s, in the same role, the identity holds it; and
// then, without, it does not. A set that has all canaries is put after the empty
// one instead, and seen by its own. Each is seen several times in a row, by
// testIamPermissions as the identity itself. Another service may still go by an
// older answer of its own for a while.
func (r *role) Settle(ctx context.Context, s grant.Set) error {
	i := slices.IndexFunc(canaries, func(c string) bool { return !slices.Contains(s.Permissions(), c) })
	if i < 0 || everything(s) {
		if err := r.show(ctx, grant.Set{}, canaries[0], false); err != nil {
			return err
		}
		return r.show(ctx, s, canaries[0], true)
	}
	// What was in force before may have held the canary or not: seen and then
	// gone, it shows what came after.
	beside := s.With(grant.Grant{Permission: canaries[i], Resource: "*"})
	if err := r.show(ctx, beside, canaries[i], true); err != nil {
		return err
	}
	return r.show(ctx, s, canaries[i], false)
}

// show puts s and looks for what comes with it.
func (r *role) show(ctx context.Context, s grant.Set, canary string, held bool) error {
	if err := r.Put(ctx, s); err != nil {
		return err
	}
	return r.look(ctx, canary, held)
}

// look asks as the identity whether it holds the canary, until the answer was
// the wanted one several times in a row.
func (r *role) look(ctx context.Context, canary string, held bool) error {
	poll := r.pool.cfg.Poll
	crm, err := cloudresourcemanager.NewService(ctx, option.WithHTTPClient(r.as.client()))
	if err != nil {
		return err
	}
	start, wait := time.Now(), poll.backoff()
	seen, inARow := "", 0
	for {
		reply, err := crm.Projects.TestIamPermissions(r.pool.cfg.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: []string{canary}}).Context(ctx).Do()
		if ctx.Err() != nil {
			return fmt.Errorf("role %s: settle: %w", r.name, context.Cause(ctx))
		}
		pause := poll.Initial
		if err == nil && slices.Contains(reply.Permissions, canary) == held {
			if inARow++; inARow >= poll.InARow {
				r.pool.cfg.Log.Debug("settled", "role", r.name, "canary", canary, "held", held, "after", time.Since(start))
				return nil
			}
		} else {
			if err != nil && !isTransient(err) {
				return r.pool.explain("ask what the identity holds", "nothing", err)
			}
			inARow, seen = 0, fmt.Sprintf("held %v", !held)
			if err != nil {
				seen = err.Error()
			}
			if pause = wait.NextBackOff(); pause == backoff.Stop {
				return &UnsettledError{Role: r.name, Canary: canary, Held: held, Seen: seen, Waited: time.Since(start)}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
