// Package decoy makes resources in a sandbox account that are not the lifecycle's,
// and asks for them as a probe identity: a role that is as narrow as it looks is
// refused.
//
// Decoys are made by the operator, of the types that the roles hold something on,
// without the tags by which the lifecycle tells its own, and with them where names
// tell it. What is asked for is an action that the role holds on resources of the
// same type; where it is let through, nothing but the decoy is touched. It decides
// nothing about roles.
package decoy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/decoy/ask"
)

// AWS are the decoys of an account. It implements [harness.Decoys].
type AWS struct {
	// SDK is the operator's: credentials, region, and the client that leads to the
	// sandbox.
	SDK     aws.Config
	Account string
	// Owned are the tags of the lifecycle's own resources; nil where it names none.
	Owned map[string]string

	planted []decoy
}

var _ harness.Decoys = (*AWS)(nil)

// decoy is a resource that is not the lifecycle's.
type decoy struct {
	kind   *kind
	name   string
	id     string // as requests name it
	arn    string
	tagged string // for people: how it is tagged
}

// Plant makes decoys of the types that the sets hold something on; what was
// planted before is forgotten.
func (a *AWS) Plant(ctx context.Context, sets []grant.Set) error {
	a.planted = nil
	for i := range kinds {
		k := &kinds[i]
		if !slices.ContainsFunc(sets, func(s grant.Set) bool { return k.heldBy(s) }) && !k.neededBy(sets) {
			continue
		}
		for _, v := range a.variants(k) {
			if err := a.make(ctx, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// variant is how a decoy is tagged.
type variant struct {
	tags map[string]string
	say  string
}

// variants are those that must be refused: one that is called by an id is the
// lifecycle's own as far as its tags say so.
func (a *AWS) variants(k *kind) []variant {
	all := []variant{{nil, "untagged"}}
	if len(a.Owned) == 0 || k.tags == "" {
		return all
	}
	if !k.byID {
		return append(all, variant{a.Owned, "tagged as the lifecycle's own"})
	}
	other := map[string]string{}
	for key := range a.Owned {
		other[key] = "whittle-decoy"
	}
	return append(all, variant{other, "tagged as somebody else's"})
}

func (a *AWS) make(ctx context.Context, k *kind, v variant) error {
	d := decoy{kind: k, name: ask.Name("whittle-decoy-", 4), tagged: v.say}
	var in decoy
	if k.in != "" {
		holds := func(p decoy) bool { return p.kind.service+" "+p.kind.name == k.in }
		i := slices.IndexFunc(a.planted, func(p decoy) bool { return holds(p) && p.tagged == v.say })
		if i < 0 {
			i = slices.IndexFunc(a.planted, holds)
		}
		if i < 0 {
			return fmt.Errorf("decoys: %s before %s: this is a fault of Whittle's", k.name, k.in)
		}
		in = a.planted[i]
	}
	q := k.make(d.name, in)
	k.tag(&q, v.tags)
	if k.service == "s3" && a.SDK.Region != "us-east-1" {
		q.body = []byte(`<CreateBucketConfiguration><LocationConstraint>` + a.SDK.Region + `</LocationConstraint></CreateBucketConfiguration>`)
	}
	reply, err := a.send(ctx, a.SDK.Credentials, q)
	if err == nil {
		err = reply.OK()
	}
	if err != nil {
		return fmt.Errorf("decoys: make a %s %s as the operator: %w", k.service, k.name, err)
	}
	d.id = d.name
	if k.id != nil {
		m := k.id.FindSubmatch(reply.Body)
		if m == nil {
			return fmt.Errorf("decoys: make a %s %s: the reply names none", k.service, k.name)
		}
		d.id = string(m[1])
	}
	d.arn = d.id
	if !strings.HasPrefix(d.arn, "arn:") {
		d.arn = strings.NewReplacer("{region}", a.SDK.Region, "{account}", a.Account, "{}", d.id).Replace(k.arn)
	}
	a.planted = append(a.planted, d)
	return nil
}

// Try asks as the identity, whose role holds s, for each decoy of a type that s
// holds something on, by each action that can be tried.
func (a *AWS) Try(ctx context.Context, id harness.Identity, s grant.Set) ([]harness.Trial, error) {
	as, ok := id.Credentials.(aws.CredentialsProvider)
	if !ok {
		return nil, fmt.Errorf("decoys: the credentials of %s sign nothing", id.Name)
	}
	var trials []harness.Trial
	for i := range kinds {
		k := &kinds[i]
		if !k.heldBy(s) {
			continue
		}
		for _, try := range k.tries {
			if !slices.ContainsFunc(s.Slice(), func(g grant.Grant) bool { return g.Permission == try.permission && k.covers(g.Resource) }) {
				continue
			}
			for _, d := range a.planted {
				if d.kind != k {
					continue
				}
				t, shows, err := a.try(ctx, as, d, try)
				if err != nil {
					return nil, fmt.Errorf("decoys: %s on %s as %s: %w", try.permission, d.arn, id.Name, err)
				}
				if shows {
					trials = append(trials, t)
				}
			}
		}
	}
	return trials, nil
}

// try asks once. A refusal that is about something else, which the request needs
// besides, shows nothing.
func (a *AWS) try(ctx context.Context, as aws.CredentialsProvider, d decoy, try attempt) (t harness.Trial, shows bool, err error) {
	t = harness.Trial{Permission: try.permission, Resource: d.arn, Decoy: d.kind.name + ", " + d.tagged}
	q := try.request(d.id, d.arn)
	reply, err := a.send(ctx, as, q)
	switch {
	case err != nil:
		return t, false, err
	case reply.Status >= 500:
		return t, false, reply.Failure()
	}
	x := q.exchange(a.SDK.Region)
	x.Status, x.ReplyBody, x.Reply = reply.Status, reply.Body, http.Header{"Content-Type": {q.replies}}
	denials, err := parsers.FromExchange(x)
	t.Allowed = true // what no parser reads as a refusal passed authorization, whatever it failed of
	for _, no := range denials {
		switch {
		case err != nil || no.Reason != refusal.MissingPermission && no.Reason != refusal.OpaqueDenial:
		case no.Permission != "" && !strings.EqualFold(no.Permission, try.permission), no.Resource != "" && !strings.Contains(no.Resource, d.id):
			return t, false, nil
		default:
			t.Allowed = false
		}
	}
	return t, true, nil
}

// request is one to an API of AWS.
type request struct {
	service, host string // host without ".amazonaws.com"; {region} in it
	signs         string // the service's name in a signature, where it is another one
	method, path  string
	query         url.Values
	header        map[string]string
	body          []byte
	form          url.Values
	json          map[string]any
	replies       string
}

func (q request) encoded() []byte {
	switch {
	case q.form != nil:
		return []byte(q.form.Encode())
	case q.json != nil:
		text, _ := json.Marshal(q.json) // maps of texts, lists and numbers
		return text
	}
	return q.body
}

func (q request) url(region string) *url.URL {
	path := q.path
	if path == "" {
		path = "/"
	}
	return &url.URL{Scheme: "https", Host: strings.ReplaceAll(q.host, "{region}", region) + ".amazonaws.com", Path: path, RawQuery: q.query.Encode()}
}

func (q request) headers() http.Header {
	h := http.Header{}
	if q.form != nil {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range q.header {
		h.Set(name, value)
	}
	return h
}

// exchange is the request as a parser sees it.
func (q request) exchange(region string) refusal.Exchange {
	return refusal.Exchange{Method: q.verb(), URL: q.url(region), Header: q.headers(), Body: q.encoded()}
}

func (q request) verb() string {
	if q.method == "" {
		return http.MethodPost
	}
	return q.method
}

// send signs a request and gives the reply.
func (a *AWS) send(ctx context.Context, as aws.CredentialsProvider, q request) (ask.Reply, error) {
	return ask.Send(ctx, a.SDK.HTTPClient, q.exchange(a.SDK.Region), func(r *http.Request) error { return a.sign(r, as, q) })
}

func (a *AWS) sign(r *http.Request, as aws.CredentialsProvider, q request) error {
	creds, err := as.Retrieve(r.Context())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(q.encoded())
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest)
	region := a.SDK.Region
	if !strings.Contains(q.host, "{region}") {
		region = "us-east-1" // a global service (IAM User Guide, "AWS global endpoints")
	}
	service := q.service
	if q.signs != "" {
		service = q.signs
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	return signer.SignHTTP(r.Context(), creds, r, digest, service, region, time.Now())
}

// heldBy tells whether a set holds something on resources of the type.
func (k *kind) heldBy(s grant.Set) bool {
	for g := range s.All() {
		if k.covers(g.Resource) && slices.ContainsFunc(k.tries, func(t attempt) bool { return t.permission == g.Permission }) {
			return true
		}
	}
	return false
}

// neededBy tells whether something else that is to be made lies in it, or in what
// lies in it.
func (k *kind) neededBy(sets []grant.Set) bool {
	for i := range kinds {
		o := &kinds[i]
		if o.in == k.service+" "+k.name && (slices.ContainsFunc(sets, o.heldBy) || o.neededBy(sets)) {
			return true
		}
	}
	return false
}

var arnHead = regexp.MustCompile(`^arn:[a-z-]+:([a-z0-9-]+):[^:]*:[^:]*:`)

// covers tells whether a grant's resource is of the type.
func (k *kind) covers(resource string) bool {
	m := arnHead.FindStringSubmatch(resource)
	if m == nil || m[1] != k.service {
		return false
	}
	rest := resource[len(m[0]):]
	if k.prefix == "" { // the service's ARNs say no type: what has no further part
		return !strings.ContainsAny(rest, "/:")
	}
	return strings.HasPrefix(rest, k.prefix)
}

// tag puts tags into the request that makes a resource, in the service's form.
func (k *kind) tag(q *request, tags map[string]string) {
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		n, value := fmt.Sprint(i+1), tags[key]
		switch {
		case k.service == "ec2":
			q.form.Set("TagSpecification.1.ResourceType", k.name)
			q.form.Set("TagSpecification.1.Tag."+n+".Key", key)
			q.form.Set("TagSpecification.1.Tag."+n+".Value", value)
		case q.form != nil:
			list := "Tags." + k.tags + "." + n
			q.form.Set(list+".Key", key)
			q.form.Set(list+".Value", value)
		case !strings.Contains(k.tags, ","):
			if q.json[k.tags] == nil {
				q.json[k.tags] = map[string]string{}
			}
			q.json[k.tags].(map[string]string)[key] = value
		default: // a list, whose elements are called by their keys
			names := strings.Split(k.tags, ",")
			list, _ := q.json[names[0]].([]map[string]string)
			q.json[names[0]] = append(list, map[string]string{names[1]: key, names[2]: value})
		}
	}
}
