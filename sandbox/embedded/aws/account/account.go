// Package account knows who is in the sandbox's AWS account and what they may
// do: it reads the IAM documents out of the state into immutable views, keeps
// the views by time, so that a change can take a while to be in force, and
// decides requests.
//
// It takes the cloud's part only in evaluating; it neither authenticates
// anybody nor words a refusal.
package account

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy"
)

// Querier asks the state with the query protocol.
type Querier interface {
	Query(ctx context.Context, service, region string, params url.Values) (status int, body []byte, err error)
}

// View is the account's IAM at one moment. It is never changed.
type View struct {
	Users  map[string]*Entity // by name
	Roles  map[string]*Entity // by name
	Groups map[string]*Entity // by name
}

// Entity is a user, a role or a group.
type Entity struct {
	Name, Path, ARN, ID string
	Tags                map[string]string
	groups              []string // of a user
	documents           []policy.Document
	boundary            *policy.Document
	trust               policy.Document // of a role
	// err is why a document could not be read. It concerns only those whose
	// document it is.
	err error
}

// Reader reads views. It remembers AWS's own managed policies, which no
// request can change.
type Reader struct {
	State   Querier
	managed map[string]read
}

// read is a policy document or why it could not be read.
type read struct {
	document policy.Document
	err      error
}

// detail is a member of the lists of GetAccountAuthorizationDetails.
type detail struct {
	Path          string
	UserName      string
	RoleName      string
	GroupName     string
	UserID        string   `xml:"UserId"`
	RoleID        string   `xml:"RoleId"`
	GroupID       string   `xml:"GroupId"`
	ARN           string   `xml:"Arn"`
	Trust         string   `xml:"AssumeRolePolicyDocument"`
	UserPolicies  []inline `xml:"UserPolicyList>member"`
	RolePolicies  []inline `xml:"RolePolicyList>member"`
	GroupPolicies []inline `xml:"GroupPolicyList>member"`
	Groups        []string `xml:"GroupList>member"`
	Attached      []string `xml:"AttachedManagedPolicies>member>PolicyArn"`
	Boundary      string   `xml:"PermissionsBoundary>PermissionsBoundaryArn"`
	Tags          []struct {
		Key, Value string
	} `xml:"Tags>member"`
}

type inline struct {
	PolicyName     string
	PolicyDocument string
}

type details struct {
	Users    []detail `xml:"GetAccountAuthorizationDetailsResult>UserDetailList>member"`
	Groups   []detail `xml:"GetAccountAuthorizationDetailsResult>GroupDetailList>member"`
	Roles    []detail `xml:"GetAccountAuthorizationDetailsResult>RoleDetailList>member"`
	Policies []struct {
		ARN            string `xml:"Arn"`
		DefaultVersion string `xml:"DefaultVersionId"`
		Versions       []struct {
			Document  string
			VersionID string `xml:"VersionId"`
		} `xml:"PolicyVersionList>member"`
	} `xml:"GetAccountAuthorizationDetailsResult>Policies>member"`
}

// Read gives the account's IAM as it is now.
func (r *Reader) Read(ctx context.Context) (*View, error) {
	var all details
	err := r.ask(ctx, url.Values{
		"Action": {"GetAccountAuthorizationDetails"}, "Filter.member.1": {"User"}, "Filter.member.2": {"Role"},
		"Filter.member.3": {"Group"}, "Filter.member.4": {"LocalManagedPolicy"}}, &all)
	if err != nil {
		return nil, fmt.Errorf("read the account's IAM: %w", err)
	}
	local := map[string]read{}
	for _, p := range all.Policies {
		local[p.ARN] = read{err: fmt.Errorf("managed policy %s has no version %s", p.ARN, p.DefaultVersion)}
		for _, v := range p.Versions {
			if v.VersionID == p.DefaultVersion {
				local[p.ARN] = parse(v.Document)
			}
		}
	}
	view := &View{Users: map[string]*Entity{}, Roles: map[string]*Entity{}, Groups: map[string]*Entity{}}
	for into, list := range map[*map[string]*Entity][]detail{&view.Users: all.Users, &view.Roles: all.Roles, &view.Groups: all.Groups} {
		for _, d := range list {
			e := r.entity(ctx, d, local)
			(*into)[e.Name] = e
		}
	}
	return view, nil
}

// entity gathers what applies to one user, role or group by itself.
func (r *Reader) entity(ctx context.Context, d detail, local map[string]read) *Entity {
	e := &Entity{
		Name: d.UserName + d.RoleName + d.GroupName, ID: d.UserID + d.RoleID + d.GroupID,
		Path: d.Path, ARN: d.ARN, groups: d.Groups, Tags: map[string]string{},
	}
	for _, t := range d.Tags {
		e.Tags[t.Key] = t.Value
	}
	add := func(name string, p read) policy.Document {
		if p.err != nil && e.err == nil {
			e.err = fmt.Errorf("%s: policy %s: %w", e.ARN, name, p.err)
		}
		return p.document
	}
	for _, list := range [][]inline{d.UserPolicies, d.RolePolicies, d.GroupPolicies} {
		for _, p := range list {
			e.documents = append(e.documents, add(p.PolicyName, parse(p.PolicyDocument)))
		}
	}
	for _, arn := range d.Attached {
		e.documents = append(e.documents, add(arn, r.lookup(ctx, arn, local)))
	}
	if d.Boundary != "" {
		b := add(d.Boundary, r.lookup(ctx, d.Boundary, local))
		e.boundary = &b
	}
	if d.Trust != "" {
		e.trust = add("of trust", parse(d.Trust))
	}
	return e
}

// lookup finds a managed policy: the account's own or one of AWS's.
func (r *Reader) lookup(ctx context.Context, arn string, local map[string]read) read {
	if p, ok := local[arn]; ok {
		return p
	}
	if p, ok := r.managed[arn]; ok {
		return p
	}
	p := r.fetch(ctx, arn)
	if p.err == nil {
		if r.managed == nil {
			r.managed = map[string]read{}
		}
		r.managed[arn] = p
	}
	return p
}

func (r *Reader) fetch(ctx context.Context, arn string) read {
	var about struct {
		Version string `xml:"GetPolicyResult>Policy>DefaultVersionId"`
	}
	if err := r.ask(ctx, url.Values{"Action": {"GetPolicy"}, "PolicyArn": {arn}}, &about); err != nil {
		return read{err: err}
	}
	var version struct {
		Document string `xml:"GetPolicyVersionResult>PolicyVersion>Document"`
	}
	if err := r.ask(ctx, url.Values{"Action": {"GetPolicyVersion"}, "PolicyArn": {arn}, "VersionId": {about.Version}}, &version); err != nil {
		return read{err: err}
	}
	return parse(version.Document)
}

func (r *Reader) ask(ctx context.Context, params url.Values, answer any) error {
	params.Set("Version", "2010-05-08")
	status, body, err := r.State.Query(ctx, "iam", "us-east-1", params)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %.300s", params.Get("Action"), status, body)
	}
	if err := xml.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s: %w", params.Get("Action"), err)
	}
	return nil
}

// parse reads a document as IAM returns it: some operations encode it for a
// URL, some do not.
func parse(text string) read {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return read{err: err}
		}
		text = plain
	}
	d, err := policy.Parse([]byte(text))
	return read{d, err}
}
