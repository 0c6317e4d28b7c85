// Package rules holds the gate's own tables: which operation an AWS API
// request is, and which IAM permissions on which resources AWS checks it for.
//
// The tables are the .tsv files of package rows, one row for each permission;
// each row cites where it is known from. Package wire reads the request (query,
// JSON and REST forms), and the code here fills the rows' templates from it: a
// new service is a new file of rows. docs/embedded.md says how a row is written
// and what is covered.
//
// The package neither authenticates a request nor evaluates a policy, and it
// lets nothing through that it does not know: a request without a row is an
// [UnknownError].
package rules

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/wire"
)

// Scope is what the gate knows of a request before reading it.
type Scope struct {
	Partition string // "aws", "aws-cn", "aws-us-gov"; empty means "aws"
	Account   string // the account that the principal is in, 12 digits
	Region    string // from the signature's credential scope
	Service   string // signing name, from the signature's credential scope
	// User is the name with path, without a leading slash, of the IAM user
	// that signed the request; empty for a role's session. IAM operations
	// without a UserName are about that user.
	User string
}

// Need is one permission that a call is checked for.
type Need struct {
	Action   string // "ec2:CreateVpc"
	Resource string // an ARN, or "*"
	// Shown is how the service's refusal names the resource where it does not
	// print Resource itself: IAM says "role NAME" for most of its operations.
	Shown string
	// Context holds the condition keys known from the request and the service
	// ("aws:RequestTag/Name", "ec2:CreateAction", "iam:PassedToService", …).
	// Keys of the principal and global keys (aws:PrincipalArn,
	// aws:RequestedRegion, …) and tags of existing resources are the caller's.
	Context map[string][]string
}

// Call is a request that was recognised.
type Call struct {
	Service   string // of the table: the signing name, or "s3-control"
	Operation string
	// Needs are all required, in the order in which the service checks them:
	// the first one missing is the one refused. There is at least one, unless
	// the call is Free.
	Needs []Need
	// Source tells where the rows are known from.
	Source string
	// Free marks a call that no policy can forbid (sts:GetCallerIdentity).
	Free bool
	// Unsigned marks a call that carries no signature by design
	// (sts:AssumeRoleWithWebIdentity): only the resource's own policy decides.
	Unsigned bool
	// Partial marks a call that is refused item by item (S3 DeleteObjects):
	// Needs[i] belongs to Items[i], the reply is 200 and lists what was refused.
	Partial bool
	Items   []Item
	// HideMissing is the permission without which a missing object is answered
	// with 403 Access Denied instead of 404; nil when a 404 is not masked.
	HideMissing *Need
	// Params are the request's parameters in the table's notation, for wording
	// a refusal ("bucket", "key", "QueueUrl"); the first value of each.
	Params map[string]string
}

// Item is what one need of a partial call is about.
type Item struct {
	Key     string
	Version string // empty when the item names none
}

// The errors of [Read] are package wire's.
type (
	UnknownError   = wire.UnknownError
	MalformedError = wire.MalformedError
)

// Read identifies a request and says what it needs. r is the request as a
// server gets it, its Host being the cloud's real host name; body is its whole
// body, which Read does not take from r. l may be nil.
//
// Errors are [*UnknownError] (answer 501 and fail the run), [*MalformedError]
// (answer 400), or a fault of the tables themselves.
func Read(ctx context.Context, r *http.Request, body []byte, s Scope, l Lookup) (Call, error) {
	known, err := rows.Load()
	if err != nil {
		return Call{}, err
	}
	if s.Partition == "" {
		s.Partition = "aws"
	}
	t, err := choose(known, r, body, s.Service)
	if err != nil {
		return Call{}, err
	}
	op, p, err := t.Identify(r, body)
	if err != nil {
		return Call{}, err
	}
	o := t.Operations[op]
	if o == nil {
		return Call{}, &UnknownError{Service: t.Name, Operation: op, Detail: "no row for the operation"}
	}
	if o.ReadsBody {
		fields, err := wire.ReadBody(t.Name, t.Protocols[0], body)
		if err != nil {
			return Call{}, err
		}
		p.Fields = append(p.Fields, fields...)
	}
	e := evaluation{ctx: ctx, table: t, operation: op, scope: s, params: p, lookup: l}
	c := Call{
		Service: t.Name, Operation: op, Source: t.Cites(o), Unsigned: o.Unsigned,
		Params: p.First(),
	}
	if o.Free {
		c.Free = true
		return c, nil
	}
	if o.Each != nil {
		c.Partial = true
		if err := e.items(o, &c); err != nil {
			return Call{}, err
		}
		return c, e.fault()
	}
	c.Needs = e.needs(o)
	if t.TagSpec != "" {
		c.Needs = e.tagOnCreate(c.Needs)
	}
	if o.Hides != nil {
		if n := e.need(*o.Hides); len(n) == 1 {
			c.HideMissing = &n[0]
		}
	}
	if err := e.fault(); err != nil {
		return Call{}, err
	}
	if len(c.Needs) == 0 {
		return Call{}, &UnknownError{Service: t.Name, Operation: op, Detail: "no row applies to these parameters"}
	}
	return c, nil
}

// choose picks the table of a request by the name that it was signed for, and
// where several APIs share one, by what tells them apart.
func choose(known map[string]*rows.Table, r *http.Request, body []byte, signing string) (*rows.Table, error) {
	if signing == "s3" && wire.IsS3Control(r.Host) {
		return known["s3-control"], nil
	}
	var rest *rows.Table
	for _, t := range known {
		if t.Signing != signing || t.Name == "s3-control" {
			continue
		}
		switch {
		case t.Version != "":
			form, err := url.ParseQuery(string(body))
			if err == nil && (form.Get("Version") == t.Version || r.URL.Query().Get("Version") == t.Version) {
				return t, nil
			}
		case len(t.Under) > 0:
			if slices.ContainsFunc(t.Under, func(p string) bool { return r.URL.Path == p || strings.HasPrefix(r.URL.Path, p+"/") }) {
				return t, nil
			}
		default:
			rest = t
		}
	}
	if rest == nil {
		return nil, &UnknownError{Service: signing, Detail: "no table for the service"}
	}
	return rest, nil
}
