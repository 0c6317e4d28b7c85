package gcp

import (
	"context"
	"fmt"
	"slices"

	"github.com/cenkalti/backoff/v4"
	"google.golang.org/api/cloudresourcemanager/v1"
)

// policyVersion shows the conditions of bindings: written back in an older one,
// they would be lost (IAM, "Policy versions").
const policyVersion = 3

// bindings are those of the project's policy, while they are changed.
type bindings struct {
	policy  *cloudresourcemanager.Policy
	changed bool
}

// add binds a role to a member, without a condition.
func (b *bindings) add(role, member string) {
	for _, have := range b.policy.Bindings {
		if have.Role == role && have.Condition == nil {
			if !slices.Contains(have.Members, member) {
				have.Members = append(have.Members, member)
				b.changed = true
			}
			return
		}
	}
	b.policy.Bindings = append(b.policy.Bindings, &cloudresourcemanager.Binding{Role: role, Members: []string{member}})
	b.changed = true
}

// has tells whether a role is bound to a member.
func (b *bindings) has(role, member string) bool {
	return slices.ContainsFunc(b.policy.Bindings, func(have *cloudresourcemanager.Binding) bool {
		return have.Role == role && slices.Contains(have.Members, member)
	})
}

// drop takes a role from a member.
func (b *bindings) drop(role, member string) {
	b.filter(func(have *cloudresourcemanager.Binding, m string) bool { return have.Role == role && m == member })
}

// remove takes every role from the members.
func (b *bindings) remove(members ...string) {
	b.filter(func(_ *cloudresourcemanager.Binding, m string) bool { return slices.Contains(members, m) })
}

// filter takes away the members that gone tells; a binding that has none left
// goes with them.
func (b *bindings) filter(gone func(*cloudresourcemanager.Binding, string) bool) {
	b.policy.Bindings = slices.DeleteFunc(b.policy.Bindings, func(have *cloudresourcemanager.Binding) bool {
		n := len(have.Members)
		have.Members = slices.DeleteFunc(have.Members, func(m string) bool { return gone(have, m) })
		b.changed = b.changed || len(have.Members) != n
		return n > 0 && len(have.Members) == 0
	})
}

// rebind changes the project's policy: it is read, changed and written with the
// etag that was read, and all again when somebody else was faster. What is as it
// should be is not written.
func (p *Pool) rebind(ctx context.Context, change func(*bindings)) error {
	p.policy.Lock()
	defer p.policy.Unlock()
	err := backoff.Retry(func() error {
		policy, err := p.crm.Projects.GetIamPolicy(p.cfg.Project, &cloudresourcemanager.GetIamPolicyRequest{
			Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: policyVersion},
		}).Context(ctx).Do()
		if err != nil {
			return backoff.Permanent(p.explain("read the policy of project "+p.cfg.Project, "resourcemanager.projects.getIamPolicy", err))
		}
		b := &bindings{policy: policy}
		if change(b); !b.changed {
			return nil
		}
		policy.Version = policyVersion
		_, err = p.crm.Projects.SetIamPolicy(p.cfg.Project, &cloudresourcemanager.SetIamPolicyRequest{Policy: policy, UpdateMask: "bindings,etag,version"}).Context(ctx).Do()
		switch {
		case isConflict(err), isNew(err):
			return fmt.Errorf("write the policy of project %s: %w", p.cfg.Project, err)
		case err != nil:
			return backoff.Permanent(p.explain("write the policy of project "+p.cfg.Project, "resourcemanager.projects.setIamPolicy", err))
		}
		return nil
	}, backoff.WithContext(p.cfg.Poll.Backoff(), ctx))
	return err
}
