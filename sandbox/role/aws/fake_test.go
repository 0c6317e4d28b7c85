package aws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
)

const (
	fakeAccount  = "123456789012"
	fakeOperator = "arn:aws:iam::123456789012:user/ops/operator"
)

// fake is IAM and STS of one account, as far as this package uses them, with
// the canaries' services. It is an HTTP client: the SDK's requests end in it.
// The embedded sandbox is the fuller one; this one can fail where it is told.
type fake struct {
	mu       sync.Mutex
	caller   string // what GetCallerIdentity says
	roles    map[string]*fakeRole
	policies map[string]*fakePolicy // by ARN
	sessions map[string]string      // access key ID → role name
	calls    []string
	// delay is how long policies take to come into force, at the slowest place.
	delay time.Duration
	// fail is asked before and after each call of the operator.
	fail func(n int, action string, after bool) *fakeError
	n    int
	// denied is the message of an organization that forbids an action.
	denied map[string]string
	// stale makes lists show no policies, and reads of a managed policy its
	// content before the last change.
	stale bool
	// wrote is called after each change of a role with what it holds then.
	wrote  func(role string, holds grant.Set)
	parsed map[string]grant.Set
}

type fakeRole struct {
	name, arn, trust string
	tags             map[string]string
	inline           map[string]string
	attached         []string
	history          []moment
	assumable        time.Time
}

type moment struct {
	at   time.Time
	docs []string
}

type fakePolicy struct {
	tags     map[string]string
	versions []string // documents, in the order they were made
	live     []int    // indexes into versions, oldest first
	current  int      // index of the default
}

type fakeError struct {
	status        int
	code, message string
}

func newFake() *fake {
	return &fake{caller: fakeOperator, roles: map[string]*fakeRole{}, policies: map[string]*fakePolicy{}, sessions: map[string]string{}, parsed: map[string]grant.Set{}, denied: map[string]string{}}
}

func (f *fake) config() Config {
	return Config{Stack: "shop", RunID: "Run 1", Poll: Poll{Initial: time.Millisecond, Max: 10 * time.Millisecond, Limit: 5 * time.Second},
		SDK: awssdk.Config{Region: "eu-west-1", HTTPClient: f, Retryer: func() awssdk.Retryer { return awssdk.NopRetryer{} },
			Credentials: awssdk.CredentialsProviderFunc(staticOperator)}}
}

// Do answers one request of the SDK.
func (f *fake) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, rest, _ := strings.Cut(req.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	if target := req.Header.Get("X-Amz-Target"); target != "" { // JSON services
		service, _, _ := strings.Cut(req.URL.Host, ".")
		_, op, _ := strings.Cut(target, ".")
		if e := f.authorize(key, service+":"+op); e != nil {
			e.code = strings.Replace(e.code, "AccessDenied", "AccessDeniedException", 1)
			b, _ := json.Marshal(map[string]string{"__type": e.code, "message": e.message})
			return reply(req, e.status, "application/x-amz-json-1.0", b), nil
		}
		return reply(req, 200, "application/x-amz-json-1.0", []byte("{}")), nil
	}
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	result, e := f.operate(key, action, form)
	if e != nil {
		return reply(req, e.status, "text/xml", fmt.Appendf(nil,
			`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, e.code, escape(e.message))), nil
	}
	return reply(req, 200, "text/xml", fmt.Appendf(nil, `<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, result)), nil
}

func reply(req *http.Request, status int, kind string, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Request: req, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// authorize decides a session's request by what its role held a while ago.
// Every other answer comes from a place that is twice as fast.
func (f *fake) authorize(key, action string) *fakeError {
	role := f.roles[f.sessions[key]]
	if role == nil {
		return &fakeError{403, "InvalidClientTokenId", "no such key"}
	}
	who := "arn:aws:sts::" + fakeAccount + ":assumed-role/" + role.name + "/s"
	if m := f.denied[action]; m != "" {
		return &fakeError{403, "AccessDenied", "User: " + who + " is not authorized to perform: " + action + " on resource: * " + m}
	}
	delay := f.delay
	if f.n++; f.n%2 == 0 {
		delay /= 2
	}
	var docs []policy.Document
	for _, m := range role.history {
		if !m.at.After(time.Now().Add(-delay)) {
			docs = nil
			for _, text := range m.docs {
				docs = append(docs, mustParse(text))
			}
		}
	}
	if d, err := evaluate.Documents(docs, evaluate.Request{Action: action, Resource: "*"}); err != nil || d != evaluate.Allow {
		return &fakeError{403, "AccessDenied", "User: " + who + " is not authorized to perform: " + action + " on resource: * because no identity-based policy allows the " + action + " action"}
	}
	return nil
}

func (f *fake) operate(key, action string, form url.Values) (string, *fakeError) {
	if key != "OPERATOR" {
		if e := f.authorize(key, "iam:"+action); e != nil {
			return "", e
		}
		return "<SummaryMap/><AccountAliases/>", nil
	}
	f.n++
	f.calls = append(f.calls, action)
	n := len(f.calls)
	if f.fail != nil {
		if e := f.fail(n, action, false); e != nil {
			return "", e
		}
	}
	result, e := f.do(action, form)
	if role := f.roles[form.Get("RoleName")]; role != nil && e == nil {
		f.changed(role)
	}
	for _, role := range f.roles {
		if slices.Contains(role.attached, form.Get("PolicyArn")) {
			f.changed(role)
		}
	}
	if f.fail != nil && e == nil {
		if e := f.fail(n, action, true); e != nil {
			return "", e
		}
	}
	return result, e
}

func (f *fake) changed(role *fakeRole) {
	var docs []string
	for _, name := range slices.Sorted(maps.Keys(role.inline)) {
		docs = append(docs, role.inline[name])
	}
	for _, arn := range role.attached {
		if p := f.policies[arn]; p != nil {
			docs = append(docs, p.versions[p.current])
		}
	}
	role.history = append(role.history, moment{time.Now(), docs})
	if f.wrote != nil {
		f.wrote(role.name, f.holds(role.name))
	}
}

func mustParse(text string) policy.Document {
	d, err := policy.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return d
}

// set is a document's set; each is parsed once.
func (f *fake) set(text string) grant.Set {
	s, ok := f.parsed[text]
	if !ok {
		s, _ = mustParse(text).Set()
		f.parsed[text] = s
	}
	return s
}

// holds is what the role holds now.
func (f *fake) holds(name string) grant.Set {
	var all grant.Set
	role := f.roles[name]
	for _, text := range role.inline {
		all = all.Union(f.set(text))
	}
	for _, arn := range role.attached {
		if p := f.policies[arn]; p != nil {
			all = all.Union(f.set(p.versions[p.current]))
		}
	}
	return all
}

func tagsOf(form url.Values) map[string]string {
	tags := map[string]string{}
	for i := 1; form.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		tags[form.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = form.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	return tags
}

func tagsXML(tags map[string]string) string {
	var b strings.Builder
	b.WriteString("<Tags>")
	for k, v := range tags {
		fmt.Fprintf(&b, "<member><Key>%s</Key><Value>%s</Value></member>", escape(k), escape(v))
	}
	return b.String() + "</Tags>"
}

func (r *fakeRole) xml(tags bool) string {
	s := fmt.Sprintf("<RoleName>%s</RoleName><Arn>%s</Arn><Path>/whittle/</Path><RoleId>R</RoleId><CreateDate>2026-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>%s</AssumeRolePolicyDocument>",
		r.name, r.arn, url.PathEscape(r.trust))
	if tags {
		s += tagsXML(r.tags)
	}
	return s
}

func (p *fakePolicy) xml(arn string, attached int) string {
	return fmt.Sprintf("<Arn>%s</Arn><DefaultVersionId>v%d</DefaultVersionId><AttachmentCount>%d</AttachmentCount>%s", arn, p.current+1, attached, tagsXML(p.tags))
}

func (f *fake) attachments(arn string) int {
	n := 0
	for _, r := range f.roles {
		if slices.Contains(r.attached, arn) {
			n++
		}
	}
	return n
}

// tooLong refuses a document as IAM does.
func tooLong(document string, limit int) *fakeError {
	if n := mustParse(document).Size(); n > limit {
		return &fakeError{409, "LimitExceeded", fmt.Sprintf("%d of %d characters", n, limit)}
	}
	return nil
}

func (f *fake) do(action string, form url.Values) (string, *fakeError) {
	missing := func(what string) (string, *fakeError) {
		return "", &fakeError{404, "NoSuchEntity", what + " cannot be found"}
	}
	name, arn := form.Get("RoleName"), form.Get("PolicyArn")
	role, p := f.roles[name], f.policies[arn]
	if name != "" && role == nil && action != "CreateRole" {
		return missing("role " + name)
	}
	if arn != "" && p == nil {
		return missing("policy " + arn)
	}
	member := func(s string) string { return "<member>" + s + "</member>" }
	switch action {
	case "GetCallerIdentity":
		return fmt.Sprintf("<Arn>%s</Arn><Account>%s</Account><UserId>U</UserId>", f.caller, fakeAccount), nil
	case "AssumeRole":
		for _, r := range f.roles {
			if r.arn != form.Get("RoleArn") {
				continue
			}
			d, err := evaluate.Trust(mustParse(r.trust), f.caller, "sts:AssumeRole", nil)
			if err != nil || d != evaluate.Allow || time.Now().Before(r.assumable) {
				break
			}
			key := fmt.Sprintf("ASIA%d", len(f.sessions))
			f.sessions[key] = r.name
			return fmt.Sprintf("<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%s</Expiration></Credentials>",
				key, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), nil
		}
		return "", &fakeError{403, "AccessDenied", "User: " + f.caller + " is not authorized to perform: sts:AssumeRole on resource: " + form.Get("RoleArn")}
	case "DecodeAuthorizationMessage":
		return "<DecodedMessage>" + escape(form.Get("EncodedMessage")) + "</DecodedMessage>", nil
	case "GetRole":
		return "<Role>" + role.xml(true) + "</Role>", nil
	case "CreateRole":
		if role != nil {
			return "", &fakeError{409, "EntityAlreadyExists", "role " + name}
		}
		role = &fakeRole{name: name, arn: "arn:aws:iam::" + fakeAccount + ":role" + form.Get("Path") + name, trust: form.Get("AssumeRolePolicyDocument"),
			tags: tagsOf(form), inline: map[string]string{}, assumable: time.Now().Add(f.delay)}
		f.roles[name] = role
		return "<Role>" + role.xml(false) + "</Role>", nil
	case "UpdateAssumeRolePolicy":
		role.trust = form.Get("PolicyDocument")
	case "DeleteRole":
		if len(role.inline)+len(role.attached) > 0 {
			return "", &fakeError{409, "DeleteConflict", "role holds policies"}
		}
		delete(f.roles, name)
	case "ListRoles":
		s := "<Roles>"
		for _, n := range slices.Sorted(maps.Keys(f.roles)) {
			s += member(f.roles[n].xml(false))
		}
		return s + "</Roles><IsTruncated>false</IsTruncated>", nil
	case "ListRoleTags":
		return tagsXML(role.tags), nil
	case "PutRolePolicy":
		if e := tooLong(form.Get("PolicyDocument"), policy.InlineLimit); e != nil {
			return "", e
		}
		role.inline[form.Get("PolicyName")] = form.Get("PolicyDocument")
	case "GetRolePolicy":
		text, ok := role.inline[form.Get("PolicyName")]
		if !ok {
			return missing("inline policy")
		}
		return "<RoleName>r</RoleName><PolicyName>p</PolicyName><PolicyDocument>" + url.PathEscape(text) + "</PolicyDocument>", nil
	case "ListRolePolicies":
		s := "<PolicyNames>"
		for _, n := range slices.Sorted(maps.Keys(role.inline)) {
			if !f.stale {
				s += member(n)
			}
		}
		return s + "</PolicyNames>", nil
	case "DeleteRolePolicy":
		if _, ok := role.inline[form.Get("PolicyName")]; !ok {
			return missing("inline policy")
		}
		delete(role.inline, form.Get("PolicyName"))
	case "ListAttachedRolePolicies":
		s := "<AttachedPolicies>"
		for _, a := range role.attached {
			if f.stale {
				break
			}
			s += member("<PolicyArn>" + a + "</PolicyArn>")
		}
		return s + "</AttachedPolicies>", nil
	case "AttachRolePolicy":
		if !slices.Contains(role.attached, arn) {
			role.attached = append(role.attached, arn)
		}
		if len(role.attached) > policy.AttachLimit {
			return "", &fakeError{409, "LimitExceeded", "too many attached"}
		}
	case "DetachRolePolicy":
		i := slices.Index(role.attached, arn)
		if i < 0 {
			return missing("attachment")
		}
		role.attached = slices.Delete(role.attached, i, i+1)
	case "CreatePolicy":
		arn = "arn:aws:iam::" + fakeAccount + ":policy" + form.Get("Path") + form.Get("PolicyName")
		if f.policies[arn] != nil {
			return "", &fakeError{409, "EntityAlreadyExists", arn}
		}
		if e := tooLong(form.Get("PolicyDocument"), policy.ManagedLimit); e != nil {
			return "", e
		}
		p = &fakePolicy{tags: tagsOf(form), versions: []string{form.Get("PolicyDocument")}, live: []int{0}}
		f.policies[arn] = p
		return "<Policy>" + p.xml(arn, 0) + "</Policy>", nil
	case "GetPolicy":
		return "<Policy>" + p.xml(arn, f.attachments(arn)) + "</Policy>", nil
	case "GetPolicyVersion":
		var n int
		_, _ = fmt.Sscanf(form.Get("VersionId"), "v%d", &n)
		if f.stale && n > 1 {
			n--
		}
		return "<PolicyVersion><Document>" + url.PathEscape(p.versions[n-1]) + "</Document></PolicyVersion>", nil
	case "ListPolicyVersions":
		s := "<Versions>"
		for _, i := range slices.Backward(p.live) {
			s += member(fmt.Sprintf("<VersionId>v%d</VersionId><IsDefaultVersion>%v</IsDefaultVersion><CreateDate>%s</CreateDate>", i+1, i == p.current,
				time.Unix(int64(i), 0).UTC().Format(time.RFC3339)))
		}
		return s + "</Versions>", nil
	case "CreatePolicyVersion":
		if len(p.live) == policy.VersionLimit {
			return "", &fakeError{409, "LimitExceeded", "five versions"}
		}
		if e := tooLong(form.Get("PolicyDocument"), policy.ManagedLimit); e != nil {
			return "", e
		}
		p.versions = append(p.versions, form.Get("PolicyDocument"))
		p.current = len(p.versions) - 1
		p.live = append(p.live, p.current)
		return "<PolicyVersion><VersionId>v9</VersionId></PolicyVersion>", nil
	case "DeletePolicyVersion":
		var n int
		_, _ = fmt.Sscanf(form.Get("VersionId"), "v%d", &n)
		if n-1 == p.current {
			return "", &fakeError{409, "DeleteConflict", "the default version"}
		}
		p.live = slices.DeleteFunc(p.live, func(i int) bool { return i == n-1 })
	case "DeletePolicy":
		if f.attachments(arn) > 0 || len(p.live) > 1 {
			return "", &fakeError{409, "DeleteConflict", "policy is in use"}
		}
		delete(f.policies, arn)
	case "ListPolicies":
		s := "<Policies>"
		for _, a := range slices.Sorted(maps.Keys(f.policies)) {
			s += member(f.policies[a].xml(a, f.attachments(a)))
		}
		return s + "</Policies>", nil
	case "ListPolicyTags":
		return tagsXML(p.tags), nil
	default:
		return "", &fakeError{501, "NotImplemented", action}
	}
	return "", nil
}
