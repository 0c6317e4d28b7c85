package account

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
)

// state is the one moto of this package's tests; without it they all fail.
var state *moto.Host

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if state, err = moto.Start(context.Background(), moto.Options{Account: "123456789012"}); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
		defer state.Close()
		return m.Run()
	}())
}

func iam(t *testing.T, action string, params ...string) {
	t.Helper()
	form := url.Values{"Version": {"2010-05-08"}, "Action": {action}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	status, body, err := state.Query(t.Context(), "iam", "us-east-1", form)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", action, status, err, body)
	}
}

func allow(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
}

// What IAM's operations write is what a view shows.
func TestRead(t *testing.T) {
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}`
	const own = "arn:aws:iam::123456789012:policy/own"
	iam(t, "CreateRole", "RoleName", "worker", "Path", "/team/", "AssumeRolePolicyDocument", trust, "Tags.member.1.Key", "team", "Tags.member.1.Value", "red")
	iam(t, "PutRolePolicy", "RoleName", "worker", "PolicyName", "inline", "PolicyDocument", allow("sqs:*"))
	iam(t, "CreatePolicy", "PolicyName", "own", "PolicyDocument", allow("kms:*"))
	iam(t, "AttachRolePolicy", "RoleName", "worker", "PolicyArn", own)
	iam(t, "AttachRolePolicy", "RoleName", "worker", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
	iam(t, "CreateUser", "UserName", "alice")
	iam(t, "CreateGroup", "GroupName", "readers")
	iam(t, "PutGroupPolicy", "GroupName", "readers", "PolicyName", "inline", "PolicyDocument", allow("s3:Get*"))
	iam(t, "AddUserToGroup", "GroupName", "readers", "UserName", "alice")
	reader := &Reader{State: state}
	read := func() *View {
		t.Helper()
		v, err := reader.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	may := func(v *View, p Principal, action string, want Reason) {
		t.Helper()
		got, err := v.Decide(p, evaluate.Request{Action: action, Resource: "*"}, nil)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", action, got, err, want)
		}
	}
	v := read()
	role := v.Roles["worker"]
	if role == nil || role.Path != "/team/" || role.ARN != "arn:aws:iam::123456789012:role/team/worker" || role.Tags["team"] != "red" {
		t.Fatalf("the role is %+v", role)
	}
	worker := Principal{ARN: "arn:aws:sts::123456789012:assumed-role/worker/s", Role: "worker", ID: role.ID}
	alice := Principal{ARN: "arn:aws:iam::123456789012:user/alice", User: "alice", ID: v.Users["alice"].ID}
	may(v, worker, "sqs:CreateQueue", Granted)
	may(v, worker, "kms:CreateKey", Granted)
	may(v, worker, "ec2:DescribeVpcs", Granted)
	may(v, worker, "ec2:CreateVpc", NoIdentityPolicy)
	may(v, alice, "s3:GetObject", Granted)
	may(v, alice, "s3:PutObject", NoIdentityPolicy)
	if c := v.Context(worker, "123456789012"); c["aws:PrincipalArn"][0] != role.ARN || c["aws:PrincipalTag/team"][0] != "red" {
		t.Errorf("the context is %v", c)
	}
	t.Run("another version", func(t *testing.T) {
		iam(t, "CreatePolicyVersion", "PolicyArn", own, "PolicyDocument", allow("sns:*"), "SetAsDefault", "true")
		next := read()
		may(next, worker, "sns:Publish", Granted)
		may(next, worker, "kms:CreateKey", NoIdentityPolicy)
		may(v, worker, "kms:CreateKey", Granted) // the older view is as it was
	})
	t.Run("boundary", func(t *testing.T) {
		iam(t, "PutRolePermissionsBoundary", "RoleName", "worker", "PermissionsBoundary", own)
		may(read(), worker, "sqs:CreateQueue", NoBoundary)
		may(read(), worker, "sns:Publish", Granted)
		iam(t, "DeleteRolePermissionsBoundary", "RoleName", "worker")
		may(read(), worker, "sqs:CreateQueue", Granted)
	})
	t.Run("made again", func(t *testing.T) {
		iam(t, "RemoveUserFromGroup", "GroupName", "readers", "UserName", "alice")
		iam(t, "DeleteUser", "UserName", "alice")
		iam(t, "CreateUser", "UserName", "alice")
		iam(t, "AddUserToGroup", "GroupName", "readers", "UserName", "alice")
		next := read()
		may(next, alice, "s3:GetObject", NoIdentityPolicy)
		if next.Has(alice) || !v.Has(alice) {
			t.Error("another of the same name is taken for her")
		}
	})
}

// A document that cannot be read is an error for whom it concerns, and for
// nobody else.
func TestUnreadableDocument(t *testing.T) {
	answer := details{Users: []detail{
		{UserName: "good", UserID: "1", UserPolicies: []inline{{"p", allow("*")}}},
		{UserName: "bad", UserID: "2", UserPolicies: []inline{{"p", `{"Statement":[{"Effect":"Allow","Aktion":"*"}]}`}}},
		{UserName: "grouped", UserID: "3", Groups: []string{"bad"}},
	}, Groups: []detail{{GroupName: "bad", Attached: []string{"arn:aws:iam::123456789012:policy/gone"}}}}
	v, err := (&Reader{State: canned{answer}}).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"good": "", "bad": "Aktion", "grouped": "policy/gone"} {
		reason, err := v.Decide(Principal{User: name, ID: v.Users[name].ID}, evaluate.Request{Action: "s3:GetObject", Resource: "*"}, nil)
		switch {
		case want == "" && (err != nil || reason != Granted):
			t.Errorf("%s: %v, %v", name, reason, err)
		case want != "" && (err == nil || reason != Granted || !strings.Contains(err.Error(), want)):
			// Granted is the zero value: the error is what counts.
			t.Errorf("%s: %v, %v", name, reason, err)
		}
	}
}

// canned answers every question with the same details, but knows no policy.
type canned struct{ details }

func (c canned) Query(_ context.Context, _, _ string, params url.Values) (int, []byte, error) {
	if params.Get("Action") != "GetAccountAuthorizationDetails" {
		return http.StatusNotFound, []byte("<Code>NoSuchEntity</Code>"), nil
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"R"`
		details
	}{details: c.details})
	return http.StatusOK, body, err
}

func document(t *testing.T, statements string) policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecide(t *testing.T) {
	const (
		yes  = `{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}`
		no   = `{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}`
		root = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}`
		num  = `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}`
		role = `{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/r"]},"Action":"kms:*","Resource":"*"}`
		all  = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}`
		deny = `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}`
		svc  = `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"kms:*","Resource":"*"}`
		none = "-"
	)
	for _, test := range []struct {
		name                                  string
		identity, boundary, session, resource string // none: there is none
		rules                                 bool
		want                                  Reason
	}{
		{"nothing", "", none, none, none, false, NoIdentityPolicy},
		{"granted", yes, none, none, none, false, Granted},
		{"denied", yes + "," + no, none, none, none, false, DeniedByIdentityPolicy},
		{"boundary allows", yes, yes, none, none, false, Granted},
		{"boundary does not", yes, "", none, none, false, NoBoundary},
		{"boundary alone", "", yes, none, none, false, NoIdentityPolicy},
		{"boundary denies", yes, no, none, none, false, DeniedByBoundary},
		{"session allows", yes, none, yes, none, false, Granted},
		{"session does not", yes, none, "", none, false, NoSessionPolicy},
		{"session denies", yes, none, no, none, false, DeniedBySessionPolicy},
		{"resource names the role", "", none, none, role, false, Granted},
		{"resource names all", "", none, none, all, false, Granted},
		{"resource names the account", "", none, none, root, false, NoIdentityPolicy},
		{"resource denies", yes, none, none, deny, false, DeniedByResourcePolicy},
		{"resource names another", yes, none, none, svc, false, Granted},
		{"the ruling one names another", yes, none, none, svc, true, NoResourcePolicy},
		{"the ruling one names the account", yes, none, none, root, true, Granted},
		{"the ruling one names its number", yes, none, none, num, true, Granted},
		{"the ruling one names the account, IAM does not", "", none, none, root, true, NoIdentityPolicy},
		{"the ruling one names the role", "", none, none, role, true, Granted},
		{"the boundary limits what the resource grants", "", "", none, role, true, NoBoundary},
		{"an explicit deny beats the resource's grant", no, none, none, role, true, DeniedByIdentityPolicy},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &Entity{ID: "AROA", documents: []policy.Document{document(t, test.identity)}}
			if test.boundary != none {
				d := document(t, test.boundary)
				e.boundary = &d
			}
			p := Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/s", Role: "r", ID: "AROA"}
			if test.session != none {
				p.Session = []policy.Document{document(t, test.session)}
			}
			var resource *Resource
			if test.resource != none {
				resource = &Resource{Document: document(t, test.resource), Rules: test.rules}
			}
			v := &View{Roles: map[string]*Entity{"r": e}}
			got, err := v.Decide(p, evaluate.Request{Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:123456789012:key/k"}, resource)
			if err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

// Each policy that cannot be decided is an error, in whatever place it stands.
func TestUndecidable(t *testing.T) {
	const bad = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringMatches":{"aws:username":"x"}}}`
	const yes = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	of := func(s string) *policy.Document { d := document(t, s); return &d }
	for name, v := range map[string]struct {
		e        *Entity
		session  []policy.Document
		resource *Resource
	}{
		"identity": {e: &Entity{documents: []policy.Document{*of(bad)}}},
		"boundary": {e: &Entity{documents: []policy.Document{*of(yes)}, boundary: of(bad)}},
		"session":  {e: &Entity{documents: []policy.Document{*of(yes)}}, session: []policy.Document{*of(bad)}},
		"resource": {e: &Entity{documents: []policy.Document{*of(yes)}}, resource: &Resource{Document: *of(strings.Replace(bad, `"Action"`, `"Principal":"*","Action"`, 1))}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Principal{ARN: "arn:aws:iam::123456789012:user/u", User: "u", Session: v.session}
			_, err := (&View{Users: map[string]*Entity{"u": v.e}}).Decide(p, evaluate.Request{Action: "s3:GetObject", Resource: "*"}, v.resource)
			if err == nil || !strings.Contains(err.Error(), "StringMatches") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMentions(t *testing.T) {
	e := &Entity{documents: []policy.Document{document(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"AWS:resourceTag/a":"b"}}}`)}}
	v := &View{Users: map[string]*Entity{"u": e}}
	if !v.Mentions(Principal{User: "u"}, nil, "resourcetag/") || v.Mentions(Principal{User: "u"}, nil, "sourceip") || v.Mentions(Principal{User: "x", ID: "x"}, nil, "resourcetag/") {
		t.Error("mentions what it does not, or the other way round")
	}
}
