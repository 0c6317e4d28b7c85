// Package aws reads CloudTrail's event history and a trail's files in S3, as the
// operator, and which policies an identity has besides its own. It changes nothing.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/audit/form"
	"github.com/whittle-iam/whittle/harness/policy"
)

// Usual and Latest are how long an event takes: "typically within an average of about
// 5 minutes of an API call" (CloudTrail User Guide, "How CloudTrail works"), up to 15
// (CloudTrail FAQs).
const (
	Usual  = 5 * time.Minute
	Latest = 15 * time.Minute
)

// Log is the event history of one account, management events of the last 90 days, and
// the files of a trail. It is for one goroutine.
type Log struct {
	sdk   awssdk.Config
	files *files // nil: no trail
}

// New makes a log. SDK is the operator's, with the region that the steps work in; a
// trail without a bucket is none.
func New(sdk awssdk.Config, trail Trail) Log {
	l := Log{sdk: sdk}
	if trail.Bucket != "" {
		l.files = &files{trail: trail, packed: maxPacked, unpacked: maxUnpacked, region: sdk.Region, read: map[string][]audit.Entry{}, api: func(region string) *s3.Client {
			return s3.NewFromConfig(sdk, func(o *s3.Options) {
				o.Region, o.DisableLogOutputChecksumValidationSkipped = region, true
			})
		}}
	}
	return l
}

// globals is where the events of services without regions are.
const globals = "us-east-1"

// Read gives the events of the roles from one time to another, of the region and of
// the services without one: those of the history, and those that a trail's files alone
// have. The calls of Whittle's canaries are among them; [audit.Check] tells them by their
// keys.
func (l Log) Read(ctx context.Context, roles []string, from, to time.Time) ([]audit.Entry, error) {
	regions := []string{l.sdk.Region}
	if l.sdk.Region != globals {
		regions = append(regions, globals)
	}
	var all []audit.Entry
	for _, region := range regions {
		cfg := l.sdk.Copy()
		cfg.Region = region
		pages := cloudtrail.NewLookupEventsPaginator(cloudtrail.NewFromConfig(cfg), &cloudtrail.LookupEventsInput{
			StartTime: awssdk.Time(from.Truncate(time.Second)), EndTime: awssdk.Time(to.Add(time.Second)), MaxResults: awssdk.Int32(50),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("look up the events of %s: %w%s", region, err, next(err, "cloudtrail:LookupEvents"))
			}
			for _, e := range page.Events {
				got, err := event([]byte(awssdk.ToString(e.CloudTrailEvent)), roles)
				if err != nil {
					return nil, fmt.Errorf("event %s: %w", awssdk.ToString(e.EventId), err)
				}
				all = append(all, got...)
			}
		}
	}
	if l.files == nil {
		return all, nil
	}
	// What both have is one event, and not there twice.
	known := map[string]bool{}
	for _, e := range all {
		known[e.ID] = true
	}
	// An event's time is cut to the second.
	filed, err := l.files.entries(ctx, roles, regions, from.Truncate(time.Second), to)
	if err != nil {
		return nil, err
	}
	return append(all, slices.DeleteFunc(filed, func(e audit.Entry) bool { return known[e.ID] })...), nil
}

// Delivered is how many files the trail has delivered of an account since then, in the
// region that the steps work in.
func (l Log) Delivered(ctx context.Context, account string, since time.Time) (int, error) {
	if l.files == nil {
		return 0, nil
	}
	keys, err := l.files.keys(ctx, account, l.sdk.Region, since, time.Now(), maxFiles)
	if err != nil {
		return 0, l.files.listing(l.sdk.Region, err)
	}
	return len(keys), nil
}

// event reads one record, if it is of the roles. Nothing that a caller can write into
// it leaves it out.
func event(record []byte, roles []string) ([]audit.Entry, error) {
	got, err := form.AWS(record)
	return slices.DeleteFunc(got, func(e audit.Entry) bool { return !slices.Contains(roles, e.Principal) }), err
}

func next(err error, needs string) string {
	var api smithy.APIError
	if errors.As(err, &api) && strings.Contains(api.ErrorCode(), "AccessDenied") {
		return "; the operator needs " + needs
	}
	return ""
}

// ours tells whether a policy is one that Whittle has made for a role.
func ours(role, name string) bool {
	return strings.HasPrefix(name, "whittle") || strings.HasPrefix(name, role+"-")
}

// Others gives which policies of somebody else's each role has, with their actions.
func (l Log) Others(ctx context.Context, roles []string) (map[string][]audit.Binding, error) {
	api := iam.NewFromConfig(l.sdk)
	all := map[string][]audit.Binding{}
	for _, arn := range roles {
		role := arn[strings.LastIndexByte(arn, '/')+1:]
		attached := iam.NewListAttachedRolePoliciesPaginator(api, &iam.ListAttachedRolePoliciesInput{RoleName: &role})
		for attached.HasMorePages() {
			page, err := attached.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the policies of role %s: %w%s", role, err, next(err, "iam:ListAttachedRolePolicies"))
			}
			for _, p := range page.AttachedPolicies {
				if name := awssdk.ToString(p.PolicyName); !ours(role, name) {
					// What it gives is not asked: a policy of somebody else's may not be read.
					all[arn] = append(all[arn], audit.Binding{Name: "policy " + awssdk.ToString(p.PolicyArn) + " attached to the role"})
				}
			}
		}
		inline := iam.NewListRolePoliciesPaginator(api, &iam.ListRolePoliciesInput{RoleName: &role})
		for inline.HasMorePages() {
			page, err := inline.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the inline policies of role %s: %w%s", role, err, next(err, "iam:ListRolePolicies"))
			}
			for _, name := range page.PolicyNames {
				if ours(role, name) {
					continue
				}
				found := audit.Binding{Name: "inline policy " + name + " of the role"}
				if p, err := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name}); err == nil {
					found.Permissions = actions(awssdk.ToString(p.PolicyDocument))
				}
				all[arn] = append(all[arn], found)
			}
		}
	}
	return all, nil
}

// actions are what a document allows, as IAM returns it, URL-encoded; nil where it
// cannot be read.
func actions(encoded string) (all []string) {
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil
	}
	d, err := policy.Parse([]byte(text))
	if err != nil {
		return nil
	}
	all = []string{}
	for _, s := range d.Statements {
		if s.Effect == policy.EffectAllow {
			all = append(all, s.Action...)
		}
	}
	return all
}
