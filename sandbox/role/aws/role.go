package aws

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// inlineName is the inline policy that holds what fits into it.
const inlineName = "whittle"

// role is the custom role of one identity. What it holds is in the cloud, and
// read from there: a snapshot of the embedded sandbox may bring back an older
// content at any time.
type role struct {
	pool        *Pool
	name        string // of the role
	identity    string
	credentials *credentials

	mu sync.Mutex // one change at a time
	// attached are the managed policies that this process attached and did not
	// detach since: IAM's lists may not show them yet.
	attached map[string]bool
	// wrote is what this process last wrote into managed policies: what IAM
	// gives to read may be older.
	wrote map[string]grant.Set
}

func (p *Pool) newRole(name, identity string, c *credentials) *role {
	return &role{pool: p, name: name, identity: identity, credentials: c, attached: map[string]bool{}, wrote: map[string]grant.Set{}}
}

var _ harness.Role = (*role)(nil)

// Put makes s the role's whole content: the inline policy while it fits
// there, else the inline policy and managed ones beside it. The new is in
// place before anything of the old that s does not have is taken away, so that
// a crash in between leaves at most the union, and repeating it heals. Other
// policies on the role are removed. A set that does not fit is a
// [TooLargeError], and nothing is changed.
func (r *role) Put(ctx context.Context, s grant.Set) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	inline, listed, err := r.list(ctx)
	if err != nil {
		return err
	}
	attached := slices.Sorted(maps.Keys(r.attached))
	for _, arn := range listed {
		if !r.attached[arn] {
			attached = append(attached, arn)
		}
	}
	slots, have := []grant.Set{s}, []grant.Set(nil)
	if policy.FromSet(s).Size() > policy.InlineLimit {
		if have, err = r.read(ctx, inline, attached); err != nil {
			return err
		}
		limits := limits(r.pool.cfg.Attachments)
		var ok bool
		if slots, ok = pack(s, have, limits); !ok {
			e := &TooLargeError{Role: r.name, Grants: s.Len(), Size: policy.FromSet(s).Size(), Attachments: r.pool.cfg.Attachments}
			for _, l := range limits {
				e.Capacity += l
			}
			return e
		}
	}
	keep := map[string]bool{}
	for i, slot := range slots {
		switch {
		case slot.Len() == 0:
		case i == 0:
			keep[inlineName] = true
			if err := r.putInline(ctx, slot); err != nil {
				return err
			}
		default:
			arn := r.policyARN(i)
			keep[arn] = true
			if err := r.putManaged(ctx, i, slot, have[i], slices.Contains(listed, arn)); err != nil {
				return err
			}
		}
	}
	for _, arn := range attached {
		if !keep[arn] {
			if err := r.remove(ctx, arn); err != nil {
				return err
			}
		}
	}
	if !slices.Contains(inline, inlineName) {
		inline = append(inline, inlineName) // the list may be stale
	}
	for _, name := range inline {
		if !keep[name] {
			_, err := r.pool.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.name, PolicyName: &name})
			if err != nil && !isMissing(err) {
				return r.pool.explain("delete inline policy "+name+" of role "+r.name, "iam:DeleteRolePolicy", err)
			}
		}
	}
	r.pool.cfg.Log.Debug("put role", "role", r.name, "grants", s.Len(), "policies", len(keep))
	return nil
}

// list names the role's inline policies and gives the ARNs of the managed
// ones, as IAM lists them.
func (r *role) list(ctx context.Context) (inline, managed []string, err error) {
	pages := iam.NewListRolePoliciesPaginator(r.pool.iam, &iam.ListRolePoliciesInput{RoleName: &r.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, r.pool.explain("list inline policies of role "+r.name, "iam:ListRolePolicies", err)
		}
		inline = append(inline, page.PolicyNames...)
	}
	more := iam.NewListAttachedRolePoliciesPaginator(r.pool.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &r.name})
	for more.HasMorePages() {
		page, err := more.NextPage(ctx)
		if err != nil {
			return nil, nil, r.pool.explain("list managed policies of role "+r.name, "iam:ListAttachedRolePolicies", err)
		}
		for _, a := range page.AttachedPolicies {
			managed = append(managed, awssdk.ToString(a.PolicyArn))
		}
	}
	return inline, managed, nil
}

// read gives what the slots hold now. A document that is not one of grants was
// changed by hand, will be replaced whole, and counts as empty.
func (r *role) read(ctx context.Context, inline, attached []string) ([]grant.Set, error) {
	have := make([]grant.Set, r.pool.cfg.Attachments+1)
	if slices.Contains(inline, inlineName) {
		out, err := r.pool.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.name, PolicyName: awssdk.String(inlineName)})
		if err != nil && !isMissing(err) {
			return nil, r.pool.explain("read inline policy of role "+r.name, "iam:GetRolePolicy", err)
		}
		if err == nil {
			have[0] = grants(awssdk.ToString(out.PolicyDocument))
		}
	}
	for i := 1; i < len(have); i++ {
		arn := r.policyARN(i)
		if !slices.Contains(attached, arn) {
			continue
		}
		p, err := r.getPolicy(ctx, arn)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		v, err := r.pool.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: p.DefaultVersionId})
		if err != nil && !isMissing(err) {
			return nil, r.pool.explain("read policy "+arn, "iam:GetPolicyVersion", err)
		}
		if err == nil {
			have[i] = grants(awssdk.ToString(v.PolicyVersion.Document))
		}
	}
	return have, nil
}

// grants reads a document as IAM returns it, URL-encoded.
func grants(encoded string) grant.Set {
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return grant.Set{}
	}
	d, err := policy.Parse([]byte(text))
	if err != nil {
		return grant.Set{}
	}
	s, err := d.Set()
	if err != nil {
		return grant.Set{}
	}
	return s
}

func (r *role) putInline(ctx context.Context, s grant.Set) error {
	document, _ := policy.FromSet(s).MarshalJSON()
	_, err := r.pool.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &r.name, PolicyName: awssdk.String(inlineName), PolicyDocument: awssdk.String(string(document))})
	if err != nil {
		return r.pool.explain("put inline policy of role "+r.name, "iam:PutRolePolicy", err)
	}
	return nil
}

func (r *role) policyName(i int) string { return fmt.Sprintf("%s-%d", r.name, i) }

func (r *role) policyARN(i int) string { return r.pool.arn("policy", r.policyName(i)) }

// putManaged gives the managed policy of slot i its content, unless it has it
// (have), then attaches it, unless it is. A policy that is there and not
// attached was left by a crash.
func (r *role) putManaged(ctx context.Context, i int, s, have grant.Set, listed bool) error {
	arn := r.policyARN(i)
	document, _ := policy.FromSet(s).MarshalJSON()
	p, err := r.getPolicy(ctx, arn)
	if err != nil {
		return err
	}
	switch {
	case p == nil:
		if err := r.createPolicy(ctx, i, string(document)); err != nil {
			return err
		}
		listed = false // whatever a stale list said
	case !r.pool.ours(p.Tags, r.identity):
		return &ForeignError{Kind: "policy", ARN: arn, Stack: r.pool.cfg.Stack}
	default:
		// What was read may be older than what this process wrote last.
		if last, wrote := r.wrote[arn]; have.Equal(s) && (!wrote || last.Equal(s)) {
			break
		}
		r.wrote[arn] = s
		if err := r.newVersion(ctx, arn, string(document)); err != nil {
			return err
		}
	}
	r.wrote[arn] = s
	if listed {
		return nil
	}
	r.attached[arn] = true // also if the reply is lost
	if _, err := r.pool.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &r.name, PolicyArn: &arn}); err != nil {
		return r.pool.explain("attach policy "+arn, "iam:AttachRolePolicy", err)
	}
	return nil
}

func (r *role) createPolicy(ctx context.Context, i int, document string) error {
	arn := r.policyARN(i)
	if err := r.pool.announce(KindPolicy, arn); err != nil {
		return err
	}
	_, err := r.pool.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: awssdk.String(r.policyName(i)), Path: awssdk.String(path),
		PolicyDocument: &document, Tags: r.pool.tags(r.identity), Description: awssdk.String("part of a probe identity made by whittle")})
	if err != nil {
		return r.pool.explain("create policy "+arn, "iam:CreatePolicy and iam:TagPolicy", err)
	}
	return nil
}

// getPolicy gives nil for a policy that is not there.
func (r *role) getPolicy(ctx context.Context, arn string) (*types.Policy, error) {
	out, err := r.pool.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, r.pool.explain("read policy "+arn, "iam:GetPolicy", err)
	}
	return out.Policy, nil
}

// newVersion replaces a managed policy's content in one call, having made room
// for it: IAM keeps five versions.
func (r *role) newVersion(ctx context.Context, arn, document string) error {
	versions, err := r.versions(ctx, arn)
	if err != nil {
		return err
	}
	for len(versions) > policy.VersionLimit-2 { // beside the default and the new one
		if err := r.deleteVersion(ctx, arn, versions[0]); err != nil {
			return err
		}
		versions = versions[1:]
	}
	_, err = r.pool.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true})
	if err != nil {
		return r.pool.explain("write policy "+arn, "iam:CreatePolicyVersion", err)
	}
	return nil
}

// versions names a policy's versions but for the default one, oldest first.
func (r *role) versions(ctx context.Context, arn string) ([]string, error) {
	var all []types.PolicyVersion
	pages := iam.NewListPolicyVersionsPaginator(r.pool.iam, &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.pool.explain("list versions of policy "+arn, "iam:ListPolicyVersions", err)
		}
		all = append(all, page.Versions...)
	}
	slices.SortFunc(all, func(a, b types.PolicyVersion) int { return a.CreateDate.Compare(*b.CreateDate) })
	var names []string
	for _, v := range all {
		if !v.IsDefaultVersion {
			names = append(names, awssdk.ToString(v.VersionId))
		}
	}
	return names, nil
}

func (r *role) deleteVersion(ctx context.Context, arn, version string) error {
	_, err := r.pool.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: &version})
	if err != nil && !isMissing(err) {
		return r.pool.explain("delete version "+version+" of policy "+arn, "iam:DeletePolicyVersion", err)
	}
	return nil
}

// remove detaches a managed policy, and deletes it if it is Whittle's: a
// policy that stayed could be attached again with its old content.
func (r *role) remove(ctx context.Context, arn string) error {
	_, err := r.pool.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &r.name, PolicyArn: &arn})
	if err != nil && !isMissing(err) {
		return r.pool.explain("detach policy "+arn, "iam:DetachRolePolicy", err)
	}
	delete(r.attached, arn)
	delete(r.wrote, arn)
	if !strings.HasPrefix(arn, r.pool.arn("policy", r.name+"-")) {
		return nil
	}
	p, err := r.getPolicy(ctx, arn)
	if err != nil || p == nil || !r.pool.ours(p.Tags, "") {
		return err
	}
	return r.deletePolicy(ctx, arn)
}

func (r *role) deletePolicy(ctx context.Context, arn string) error {
	versions, err := r.versions(ctx, arn)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := r.deleteVersion(ctx, arn, v); err != nil {
			return err
		}
	}
	if _, err := r.pool.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn}); err != nil && !isMissing(err) {
		return r.pool.explain("delete policy "+arn, "iam:DeletePolicy", err)
	}
	return nil
}
