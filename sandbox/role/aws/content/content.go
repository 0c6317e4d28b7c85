// Package content gives an IAM role its content: a [grant.Set], spread over an
// inline policy and, where that is too small, managed policies beside it.
//
// It replaces what a role holds as a whole, so that at no moment the role holds
// more than the old and the new together, or less than what both have. It makes
// and deletes no role.
package content

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
)

// inlineName is the inline policy that holds what fits into it.
const inlineName = "whittle"

// Role is the content of one role. What it holds is in the cloud, and read
// from there: a snapshot of the embedded sandbox may bring back an older
// content at any time.
type Role struct {
	o Options

	mu sync.Mutex // one change at a time
	// attached are the managed policies that this process attached and did not
	// detach since: IAM's lists may not show them yet.
	attached map[string]bool
	// wrote is what this process last wrote into managed policies: what IAM
	// gives to read may be older.
	wrote map[string]grant.Set
}

// Options say whose content it is.
type Options struct {
	Account *owned.Account
	Name    string // of the role
	// Identity is the one that policies are made for.
	Identity string
	// Attachments is how many managed policies the role may have attached.
	Attachments int
	Log         *slog.Logger
}

// Of is the content of a role that is there. It asks nothing yet.
func Of(o Options) *Role {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Role{o: o, attached: map[string]bool{}, wrote: map[string]grant.Set{}}
}

// Put makes s the role's whole content: the inline policy while it fits
// there, else the inline policy and managed ones beside it. The new is in
// place before anything of the old that s does not have is taken away, so that
// a crash in between leaves at most the union, and repeating it heals. Other
// policies on the role are removed. A set that does not fit is a
// [TooLargeError], and nothing is changed.
func (r *Role) Put(ctx context.Context, s grant.Set) error {
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
		limits := limits(r.o.Attachments)
		var ok bool
		if slots, ok = pack(s, have, limits); !ok {
			e := &TooLargeError{Role: r.o.Name, Grants: s.Len(), Size: policy.FromSet(s).Size(), Attachments: r.o.Attachments}
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
			_, err := r.o.Account.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.o.Name, PolicyName: &name})
			if err != nil && !owned.IsMissing(err) {
				return r.o.Account.Explain("delete inline policy "+name+" of role "+r.o.Name, "iam:DeleteRolePolicy", err)
			}
		}
	}
	r.o.Log.Debug("put role", "role", r.o.Name, "grants", s.Len(), "policies", len(keep))
	return nil
}

// list names the role's inline policies and gives the ARNs of the managed
// ones, as IAM lists them.
func (r *Role) list(ctx context.Context) (inline, managed []string, err error) {
	pages := iam.NewListRolePoliciesPaginator(r.o.Account.IAM, &iam.ListRolePoliciesInput{RoleName: &r.o.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, r.o.Account.Explain("list inline policies of role "+r.o.Name, "iam:ListRolePolicies", err)
		}
		inline = append(inline, page.PolicyNames...)
	}
	more := iam.NewListAttachedRolePoliciesPaginator(r.o.Account.IAM, &iam.ListAttachedRolePoliciesInput{RoleName: &r.o.Name})
	for more.HasMorePages() {
		page, err := more.NextPage(ctx)
		if err != nil {
			return nil, nil, r.o.Account.Explain("list managed policies of role "+r.o.Name, "iam:ListAttachedRolePolicies", err)
		}
		for _, a := range page.AttachedPolicies {
			managed = append(managed, awssdk.ToString(a.PolicyArn))
		}
	}
	return inline, managed, nil
}

// read gives what the slots hold now. A document that is not one of grants was
// changed by hand, will be replaced whole, and counts as empty.
func (r *Role) read(ctx context.Context, inline, attached []string) ([]grant.Set, error) {
	have := make([]grant.Set, r.o.Attachments+1)
	if slices.Contains(inline, inlineName) {
		out, err := r.o.Account.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.o.Name, PolicyName: awssdk.String(inlineName)})
		if err != nil && !owned.IsMissing(err) {
			return nil, r.o.Account.Explain("read inline policy of role "+r.o.Name, "iam:GetRolePolicy", err)
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
		v, err := r.o.Account.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: p.DefaultVersionId})
		if err != nil && !owned.IsMissing(err) {
			return nil, r.o.Account.Explain("read policy "+arn, "iam:GetPolicyVersion", err)
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

func (r *Role) putInline(ctx context.Context, s grant.Set) error {
	document, _ := policy.FromSet(s).MarshalJSON()
	_, err := r.o.Account.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &r.o.Name, PolicyName: awssdk.String(inlineName), PolicyDocument: awssdk.String(string(document))})
	if err != nil {
		return r.o.Account.Explain("put inline policy of role "+r.o.Name, "iam:PutRolePolicy", err)
	}
	return nil
}

func (r *Role) policyName(i int) string { return fmt.Sprintf("%s-%d", r.o.Name, i) }

func (r *Role) policyARN(i int) string { return r.o.Account.ARN("policy", r.policyName(i)) }

// putManaged gives the managed policy of slot i its content, unless it has it
// (have), then attaches it, unless it is. A policy that is there and not
// attached was left by a crash.
func (r *Role) putManaged(ctx context.Context, i int, s, have grant.Set, listed bool) error {
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
	case !r.o.Account.Owns(p.Tags, r.o.Identity):
		return &owned.ForeignError{Kind: "policy", ARN: arn, Stack: r.o.Account.Stack}
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
	if _, err := r.o.Account.IAM.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &r.o.Name, PolicyArn: &arn}); err != nil {
		return r.o.Account.Explain("attach policy "+arn, "iam:AttachRolePolicy", err)
	}
	return nil
}

func (r *Role) createPolicy(ctx context.Context, i int, document string) error {
	arn := r.policyARN(i)
	if err := r.o.Account.Announce.Tell(owned.KindPolicy, arn); err != nil {
		return err
	}
	_, err := r.o.Account.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: awssdk.String(r.policyName(i)), Path: awssdk.String(owned.Path),
		PolicyDocument: &document, Tags: r.o.Account.Tags(r.o.Identity), Description: awssdk.String("part of a probe identity made by whittle")})
	if err != nil {
		return r.o.Account.Explain("create policy "+arn, "iam:CreatePolicy and iam:TagPolicy", err)
	}
	return nil
}

// getPolicy gives nil for a policy that is not there.
func (r *Role) getPolicy(ctx context.Context, arn string) (*types.Policy, error) {
	out, err := r.o.Account.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if owned.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, r.o.Account.Explain("read policy "+arn, "iam:GetPolicy", err)
	}
	return out.Policy, nil
}

// newVersion replaces a managed policy's content in one call, having made room
// for it: IAM keeps five versions.
func (r *Role) newVersion(ctx context.Context, arn, document string) error {
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
	_, err = r.o.Account.IAM.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true})
	if err != nil {
		return r.o.Account.Explain("write policy "+arn, "iam:CreatePolicyVersion", err)
	}
	return nil
}

// versions names a policy's versions but for the default one, oldest first.
func (r *Role) versions(ctx context.Context, arn string) ([]string, error) {
	var all []types.PolicyVersion
	pages := iam.NewListPolicyVersionsPaginator(r.o.Account.IAM, &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.o.Account.Explain("list versions of policy "+arn, "iam:ListPolicyVersions", err)
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

func (r *Role) deleteVersion(ctx context.Context, arn, version string) error {
	_, err := r.o.Account.IAM.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: &version})
	if err != nil && !owned.IsMissing(err) {
		return r.o.Account.Explain("delete version "+version+" of policy "+arn, "iam:DeletePolicyVersion", err)
	}
	return nil
}

// remove detaches a managed policy, and deletes it if it is Whittle's: a
// policy that stayed could be attached again with its old content.
func (r *Role) remove(ctx context.Context, arn string) error {
	_, err := r.o.Account.IAM.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &r.o.Name, PolicyArn: &arn})
	if err != nil && !owned.IsMissing(err) {
		return r.o.Account.Explain("detach policy "+arn, "iam:DetachRolePolicy", err)
	}
	delete(r.attached, arn)
	delete(r.wrote, arn)
	if !strings.HasPrefix(arn, r.o.Account.ARN("policy", r.o.Name+"-")) {
		return nil
	}
	p, err := r.getPolicy(ctx, arn)
	if err != nil || p == nil || !r.o.Account.Owns(p.Tags, "") {
		return err
	}
	return r.DeletePolicy(ctx, arn)
}

// DeletePolicy deletes a managed policy with its versions.
func (r *Role) DeletePolicy(ctx context.Context, arn string) error {
	versions, err := r.versions(ctx, arn)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := r.deleteVersion(ctx, arn, v); err != nil {
			return err
		}
	}
	if _, err := r.o.Account.IAM.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn}); err != nil && !owned.IsMissing(err) {
		return r.o.Account.Explain("delete policy "+arn, "iam:DeletePolicy", err)
	}
	return nil
}

// TooLargeError says that a set does not fit into what a role can hold.
type TooLargeError struct {
	Role   string
	Grants int
	// Size is the set's length as one document, Capacity what the role's
	// documents may hold together, both in characters without whitespace.
	Size, Capacity int
	// Attachments is how many managed policies were counted on.
	Attachments int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("role %s: %d grants take %d characters, and its policies hold %d (one inline, %d managed); widen resources with a ceiling, divide the step, or ask AWS to raise the quota of attached policies",
		e.Role, e.Grants, e.Size, e.Capacity, e.Attachments)
}
