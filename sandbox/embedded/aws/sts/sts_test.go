package sts

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
)

func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewRing("123456789012")
		who := account.Principal{Role: "r", ID: "AROA1"}
		id, made := g.open(who, time.Hour)
		if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(id) || len(made.secret) != 40 || len(made.token) < 200 {
			t.Errorf("the credentials look like %s, %d, %d", id, len(made.secret), len(made.token))
		}
		there := &account.View{Roles: map[string]*account.Entity{"r": {ID: "AROA1"}}}
		again := &account.View{Roles: map[string]*account.Entity{"r": {ID: "AROA2"}}}
		h, ok := g.Holder(id, there)
		if !ok || h.Expired || h.Secret != made.secret || h.Token != made.token || h.Who.ID != who.ID {
			t.Errorf("got %v, expired %v", ok, h.Expired)
		}
		for _, v := range []*account.View{{}, again} {
			if _, ok := g.Holder(id, v); ok {
				t.Error("a session outlives its role")
			}
		}
		time.Sleep(time.Hour - 1)
		if h, _ := g.Holder(id, there); h.Expired {
			t.Error("it ended early")
		}
		time.Sleep(time.Nanosecond)
		if h, ok := g.Holder(id, there); !ok || !h.Expired {
			t.Error("it never ends")
		}
	})
}

func TestKeys(t *testing.T) {
	g := NewRing("123456789012")
	v := &account.View{Users: map[string]*account.Entity{"alice": {Name: "alice", ID: "AIDA1", ARN: "arn:aws:iam::123456789012:user/alice"}}}
	const reply = `<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><UserName>alice</UserName><AccessKeyId>AKIA1</AccessKeyId><Status>Active</Status><SecretAccessKey>s</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>`
	learn := func(operation, reply string, params url.Values) {
		t.Helper()
		if err := g.Learn(operation, params, []byte(reply)); err != nil {
			t.Fatal(err)
		}
	}
	known := func(want bool) {
		t.Helper()
		h, ok := g.Holder("AKIA1", v)
		if ok != want || ok && (h.Secret != "s" || h.Token != "" || h.Who.ARN != "arn:aws:iam::123456789012:user/alice") {
			t.Errorf("known is %v, want %v", ok, want)
		}
	}
	known(false)
	before := g.Keys()
	learn("CreateAccessKey", reply, nil)
	known(true)
	after := g.Keys()
	learn("UpdateAccessKey", "", url.Values{"AccessKeyId": {"AKIA1"}, "Status": {"Inactive"}})
	known(false)
	learn("UpdateAccessKey", "", url.Values{"AccessKeyId": {"AKIA1"}, "Status": {"Active"}})
	known(true)
	learn("DeleteAccessKey", "", url.Values{"AccessKeyId": {"AKIA1"}})
	known(false)
	g.SetKeys(after)
	known(true)
	if g.Owner("AKIA1") != "alice" || g.Owner("AKIA2") != "" {
		t.Error("the key has another owner")
	}
	learn("UpdateUser", "", url.Values{"UserName": {"alice"}, "NewUserName": {"bob"}})
	if g.Owner("AKIA1") != "bob" {
		t.Error("the key did not follow its user")
	}
	known(false) // no bob is there
	g.SetKeys(before)
	known(false)
	err := g.Learn("CreateAccessKey", nil, []byte(strings.Replace(reply, "AKIA1", "", 1)+"secret"))
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestOperator(t *testing.T) {
	g, other := NewRing("123456789012"), NewRing("123456789012")
	o := g.Operator()
	h, ok := g.Holder(o.ID, &account.View{})
	if !ok || h.Secret != o.Secret || !h.Who.Operator || h.Who.ARN != "arn:aws:iam::123456789012:user/whittle-operator" {
		t.Error("he is somebody else")
	}
	if other.Operator().ID == o.ID || other.Operator().Secret == o.Secret {
		t.Error("two sandboxes have the same operator")
	}
	if _, ok := other.Holder(o.ID, &account.View{}); ok {
		t.Error("he is known elsewhere")
	}
}

func TestMessage(t *testing.T) {
	s, err := NewSealer()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal(Message{
		Explicit: true, Who: account.Principal{ARN: "arn:aws:sts::123456789012:assumed-role/R/S", UserID: "AROA:S"},
		Action: "ec2:CreateTags", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*",
		Conditions: map[string][]string{"ec2:CreateAction": {"CreateVpc"}, "aws:TagKeys": {"a", "b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(sealed) || strings.Contains(sealed, "CreateTags") {
		t.Errorf("sealed it is %s", sealed)
	}
	text, err := s.open(sealed)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[]},"failures":{"items":[]},"context":{"principal":{"id":"AROA:S","arn":"arn:aws:sts::123456789012:assumed-role/R/S"},"action":"ec2:CreateTags","resource":"arn:aws:ec2:us-east-1:123456789012:vpc/*","conditions":{"items":[{"key":"aws:TagKeys","values":{"items":[{"value":"a"},{"value":"b"}]}},{"key":"ec2:CreateAction","values":{"items":[{"value":"CreateVpc"}]}}]}}}`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	if !json.Valid([]byte(text)) {
		t.Error("it is not JSON")
	}
	other, err := NewSealer()
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (string, error){
		"another sandbox's": func() (string, error) { return other.open(sealed) },
		"a changed one":     func() (string, error) { return s.open(sealed[1:] + sealed[:1]) },
		"a short one":       func() (string, error) { return s.open(sealed[:8]) },
		"none":              func() (string, error) { return s.open("") },
		"no base64":         func() (string, error) { return s.open("***") },
	} {
		if text, err := open(); err == nil {
			t.Errorf("%s was opened: %s", name, text)
		}
	}
}
