package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	in := `{
	  "Statement": {"Effect": "Deny", "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"], "AWS": "123456789012"},
	    "NotAction": "s3:Get*", "NotResource": ["arn:aws:s3:::a", "*"],
	    "Condition": {"Bool": {"aws:SecureTransport": false}, "NumericLessThan": {"s3:max-keys": [10, "20"]}}},
	  "Version": "2008-10-17", "Id": "x"}`
	want := Document{Version: Version2008, ID: "x", Statements: []Statement{{
		Effect:      EffectDeny,
		Principal:   map[string][]string{"AWS": {"123456789012"}, "Service": {"ec2.amazonaws.com", "lambda.amazonaws.com"}},
		NotAction:   []string{"s3:Get*"},
		NotResource: []string{"arn:aws:s3:::a", "*"},
		Condition:   map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}, "NumericLessThan": {"s3:max-keys": {"10", "20"}}},
	}}}
	got, err := Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	const text = `{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Deny",` +
		`"Principal":{"AWS":"123456789012","Service":["ec2.amazonaws.com","lambda.amazonaws.com"]},"NotAction":"s3:Get*","NotResource":["arn:aws:s3:::a","*"],` +
		`"Condition":{"Bool":{"aws:SecureTransport":"false"},"NumericLessThan":{"s3:max-keys":["10","20"]}}}]}`
	b, err := json.Marshal(got)
	if err != nil || string(b) != text {
		t.Errorf("marshal: %v\n got %s\nwant %s", err, b, text)
	}
	everyone, err := Parse([]byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if b := everyone.compact(); !strings.Contains(string(b), `"Principal":"*"`) {
		t.Errorf("everyone is written as %s", b)
	}
}

// Each of these is refused by IAM, or could be read in two ways.
func TestParseErrors(t *testing.T) {
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	const rest = `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	for _, tt := range []struct{ name, in, want string }{
		{"no JSON", `{"Statement"`, "not JSON"},
		{"a list", `[]`, "not an object"},
		{"two documents", `{"Statement":[]}{}`, "text after its end"},
		{"not UTF-8", "{\"Statement\":[],\"Id\":\"\xff\"}", "not UTF-8"},
		{"unknown element", `{"Statement":[],"statement":[]}`, "statement: unknown element"},
		{"no statement", `{"Version":"2012-10-17"}`, "no Statement"},
		{"version", `{"Version":"2012-10-18","Statement":[]}`, `"2012-10-18"`},
		{"unknown in statement", statement(rest + `,"Actions":"*"`), "statement 1: Actions: unknown element"},
		{"twice", statement(rest + `,"Resource":"arn:aws:s3:::a"`), "Resource: is there twice"},
		{"operator twice", statement(rest + `,"Condition":{"Bool":{"a:b":true},"Bool":{"a:c":true}}`), "Bool: is there twice"},
		{"key twice", statement(rest + `,"Condition":{"Bool":{"a:b":true,"a:b":false}}`), "a:b: is there twice"},
		{"effect", statement(`"Sid":"one","Effect":"allow","Action":"*","Resource":"*"`), `statement 1 (one): effect is "allow"`},
		{"no effect", statement(`"Action":"*","Resource":"*"`), "effect is"},
		{"no action", statement(`"Effect":"Allow","Resource":"*"`), "neither Action nor NotAction"},
		{"both actions", statement(rest + `,"NotAction":"s3:*"`), "both Action and NotAction"},
		{"both resources", statement(rest + `,"NotResource":"*"`), "both Resource and NotResource"},
		{"both principals", statement(rest + `,"Principal":"*","NotPrincipal":"*"`), "both Principal and NotPrincipal"},
		{"not principal", statement(rest + `,"NotPrincipal":"*"`), "NotPrincipal with Allow"},
		{"empty NotAction", statement(`"Effect":"Allow","NotAction":[],"Resource":"*"`), "NotAction: is an empty list"},
		{"number as action", statement(`"Effect":"Allow","Action":5,"Resource":"*"`), "5 is not a string"},
		{"null action", statement(`"Effect":"Allow","Action":null,"Resource":"*"`), "null is not a string"},
		{"nested list", statement(`"Effect":"Allow","Action":[["*"]],"Resource":"*"`), "not a string"},
		{"no vendor", statement(`"Effect":"Allow","Action":"GetObject","Resource":"*"`), "no action"},
		{"wild vendor", statement(`"Effect":"Allow","Action":"s*:Get","Resource":"*"`), "no action"},
		{"no ARN", statement(`"Effect":"Allow","Action":"*","Resource":"bucket/*"`), "no resource"},
		{"principal name", statement(rest + `,"Principal":"arn:aws:iam::123456789012:root"`), "no principal"},
		{"principal type", statement(rest + `,"Principal":{"*":"*"}`), "unknown type of principal"},
		{"nobody", statement(rest + `,"Principal":{}`), "nobody"},
		{"operator without key", statement(rest + `,"Condition":{"Bool":{}}`), "tests no key"},
		{"null value", statement(rest + `,"Condition":{"Bool":{"a:b":null}}`), "not a string, boolean or number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse([]byte(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
			if !cmp.Equal(d, Document{}) {
				t.Errorf("gave %v with an error", d)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"a","Effect":"Allow","Action":["ec2:*","s3:Get?bject"],"Resource":"arn:aws:s3:::${aws:username}/*"}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/r"]},"NotAction":"*","NotResource":"*"}}`))
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["${aws:PrincipalTag/a, 'b}'}","x*"]},"Bool":{"x:y":true},"NumericEquals":{"x:z":-1.5e3},"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"ArnLike":{"aws:SourceArn":"arn:*:s3:::*"},"Null":{"a:b":"true"},"BinaryEquals":{"a:c":"QUJD"}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if !cmp.Equal(d, Document{}) {
				t.Fatal("a document with an error")
			}
			return
		}
		for _, text := range [][]byte{d.Print(), d.compact()} {
			again, err := Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if diff := cmp.Diff(d, again, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s: %s", text, diff)
			}
		}
		if s, err := d.Set(); err == nil {
			back, err := FromSet(s).Set()
			if err != nil || !back.Equal(s) {
				t.Fatalf("set %v came back as %v, %v", s.Slice(), back.Slice(), err)
			}
		}
	})
}
