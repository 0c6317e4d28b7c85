package rules

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// raw builds a request that no current SDK makes, as a server gets it:
// "METHOD https://host/path?query", header lines "Name: value".
func raw(line, body string, headers ...string) (*http.Request, []byte) {
	method, url, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Add(k, v)
	}
	return r, []byte(body)
}

func scope(service string) Scope {
	return Scope{Partition: "aws", Account: account, Region: "us-east-1", Service: service}
}

const formType = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"

func TestRead(t *testing.T) {
	const b = "arn:aws:s3:::"
	for _, c := range []struct {
		name, service, line, body string
		headers                   []string
		want                      string // operation, then needs; or the error's start
	}{
		// SQS in its older protocol, and with the queue as endpoint.
		{"sqs query", "sqs", "POST https://sqs.us-east-1.amazonaws.com/", "Action=CreateQueue&QueueName=q&Tag.1.Key=a&Tag.1.Value=b&Version=2012-11-05", []string{formType}, "CreateQueue sqs:CreateQueue arn:aws:sqs:us-east-1:" + account + ":q sqs:TagQueue arn:aws:sqs:us-east-1:" + account + ":q"},
		{"sqs query, queue as endpoint", "sqs", "POST https://sqs.us-east-1.amazonaws.com/444455556666/q", "Action=SendMessage&MessageBody=m", []string{formType}, "SendMessage sqs:SendMessage arn:aws:sqs:us-east-1:444455556666:q"},
		{"sqs by GET", "sqs", "GET https://sqs.us-east-1.amazonaws.com/?Action=ListQueues", "", nil, "ListQueues sqs:ListQueues *"},
		{"iam by GET", "iam", "GET https://iam.amazonaws.com/?Action=GetRole&RoleName=w", "", nil, "GetRole iam:GetRole arn:aws:iam::" + account + ":role/w"},
		{"sqs unknown", "sqs", "POST https://sqs.us-east-1.amazonaws.com/", "Action=Explode", []string{formType}, "the gate does not know the request sqs:Explode"},
		{"no action", "sts", "POST https://sts.amazonaws.com/", "", []string{formType}, "the gate does not know the request sts: no Action"},
		{"service", "braket", "GET https://braket.us-east-1.amazonaws.com/", "", nil, "the gate does not know the request braket: no table"},
		// What two readers could read differently.
		{"two actions", "iam", "POST https://iam.amazonaws.com/?Action=GetUser", "Action=DeleteUser&UserName=u", []string{formType}, `malformed iam request: parameter "Action" is given twice`},
		{"a parameter twice", "iam", "POST https://iam.amazonaws.com/", "Action=DeleteUser&UserName=u&UserName=v", []string{formType}, `malformed iam request: parameter "UserName" is given twice`},
		{"two targets", "kms", "POST https://kms.us-east-1.amazonaws.com/", "{}", []string{"Content-Type: application/x-amz-json-1.1", "X-Amz-Target: TrentService.ListKeys", "X-Amz-Target: TrentService.CreateKey"}, "malformed kms request: not exactly one"},
		{"target of another service", "kms", "POST https://kms.us-east-1.amazonaws.com/", "{}", []string{"Content-Type: application/x-amz-json-1.1", "X-Amz-Target: AmazonSQS.ListQueues"}, "the gate does not know the request kms: X-Amz-Target"},
		{"protocol of another service", "kms", "POST https://kms.us-east-1.amazonaws.com/", "Action=ListKeys", []string{formType}, "the gate does not know the request kms: the service is not known to speak the query protocol"},
		{"JSON name twice", "kms", "POST https://kms.us-east-1.amazonaws.com/", `{"KeyId":"a","KeyId":"b"}`, []string{"Content-Type: application/x-amz-json-1.1", "X-Amz-Target: TrentService.DescribeKey"}, "malformed kms request: body: a name is given twice"},
		{"JSON twice", "kms", "POST https://kms.us-east-1.amazonaws.com/", `{"KeyId":"a"}{"KeyId":"b"}`, []string{"Content-Type: application/x-amz-json-1.1", "X-Amz-Target: TrentService.DescribeKey"}, "malformed kms request: body: something follows"},
		{"body of another type", "iam", "POST https://iam.amazonaws.com/?Action=GetUser", "{}", []string{"Content-Type: text/plain"}, "the gate does not know the request iam: a body of type"},
		{"control character", "iam", "POST https://iam.amazonaws.com/", "Action=GetRole&RoleName=a%0Ab", []string{formType}, "malformed iam request: a control character"},
		// S3's hosts.
		{"path style", "s3", "GET https://s3.us-east-1.amazonaws.com/box/a/b", "", nil, "GetObject s3:GetObject " + b + "box/a/b"},
		{"old global host", "s3", "GET https://s3.amazonaws.com/box", "", nil, "ListObjects s3:ListBucket " + b + "box"},
		{"virtual host", "s3", "GET https://box.s3.us-east-1.amazonaws.com/a//b/", "", nil, "GetObject s3:GetObject " + b + "box/a//b/"},
		{"virtual host with dots and a port", "s3", "GET https://a.b.s3.eu-west-1.amazonaws.com:443/?versioning", "", nil, "GetBucketVersioning s3:GetBucketVersioning " + b + "a.b"},
		{"dualstack", "s3", "HEAD https://box.s3.dualstack.us-west-2.amazonaws.com/", "", nil, "HeadBucket s3:ListBucket " + b + "box"},
		{"dash host", "s3", "HEAD https://s3-us-west-2.amazonaws.com/box/", "", nil, "HeadBucket s3:ListBucket " + b + "box"},
		{"gov", "s3", "GET https://box.s3.us-gov-west-1.amazonaws.com/x", "", nil, "GetObject s3:GetObject " + b + "box/x"},
		{"encoded slash", "s3", "GET https://box.s3.amazonaws.com/a%2Fb", "", nil, "GetObject s3:GetObject " + b + "box/a/b"},
		{"access point", "s3", "GET https://ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com/x", "", nil, "the gate does not know the request s3: the host"},
		{"website", "s3", "GET https://box.s3-website-us-east-1.amazonaws.com/x", "", nil, "the gate does not know the request s3: the host"},
		{"another host", "s3", "GET https://s3.us-east-1.amazonaws.com.example.org/x", "", nil, "the gate does not know the request s3: the host"},
		// A query parameter can make another operation of a request.
		{"unknown sub-resource", "s3", "GET https://box.s3.amazonaws.com/?new", "", nil, "the gate does not know the request s3: no route"},
		{"two sub-resources", "s3", "GET https://box.s3.amazonaws.com/?acl&policy", "", nil, "the gate does not know the request s3: no route"},
		{"form upload", "s3", "POST https://box.s3.amazonaws.com/", "", nil, "the gate does not know the request s3: no route"},
		{"parameter twice", "s3", "GET https://box.s3.amazonaws.com/a?versionId=1&versionId=2", "", nil, "malformed s3 request"},
		{"presigned", "s3", "PUT https://box.s3.amazonaws.com/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&X-Amz-Acl=public-read", "", nil, "PutObject s3:PutObject " + b + "box/a s3:PutObjectAcl " + b + "box/a"},
		{"delete nothing", "s3", "POST https://box.s3.amazonaws.com/?delete", "<Delete></Delete>", nil, "malformed s3 request: DeleteObjects names no item"},
		{"delete without key", "s3", "POST https://box.s3.amazonaws.com/?delete", "<Delete><Object><VersionId>v</VersionId></Object></Delete>", nil, "malformed s3 request: DeleteObjects has an item without a key"},
		{"delete one", "s3", "POST https://box.s3.amazonaws.com/?delete", `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet></Delete>`, nil, "DeleteObjects s3:DeleteObject " + b + "box/a&b"},
		{"delete with a document type", "s3", "POST https://box.s3.amazonaws.com/?delete", `<!DOCTYPE x><Delete><Object><Key>a</Key></Object></Delete>`, nil, "malformed s3 request: body: a document type"},
		{"copy from an access point", "s3", "PUT https://box.s3.amazonaws.com/a", "", []string{"X-Amz-Copy-Source: arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/x"}, "malformed s3 request: a copy source"},
		// The account's part.
		{"account block", "s3", "GET https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/configuration/publicAccessBlock", "", []string{"X-Amz-Account-Id: 111122223333"}, "GetPublicAccessBlock s3:GetAccountPublicAccessBlock *"},
		{"account tags", "s3", "GET https://111122223333.s3-control.dualstack.us-east-1.amazonaws.com/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abox", "", nil, "ListTagsForResource s3:ListTagsForResource arn:aws:s3:::box"},
		{"account unknown", "s3", "GET https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/jobs", "", nil, "the gate does not know the request s3-control: no route"},
		// Calls without a signature of their own.
		{"web identity", "sts", "POST https://sts.us-east-1.amazonaws.com/", "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::111122223333:role/w&RoleSessionName=s", []string{formType}, "AssumeRoleWithWebIdentity sts:AssumeRoleWithWebIdentity arn:aws:iam::111122223333:role/w"},
		{"an ARN that is none", "sts", "POST https://sts.us-east-1.amazonaws.com/", "Action=AssumeRole&RoleArn=worker", []string{formType}, "AssumeRole sts:AssumeRole *"},
		// ec2 lists past nine keep their order.
		{"ec2 ten tags", "ec2", "POST https://ec2.us-east-1.amazonaws.com/", "Action=DeleteVpcEndpoints&VpcEndpointId.10=vpce-10&VpcEndpointId.9=vpce-9", []string{formType}, "DeleteVpcEndpoints ec2:DeleteVpcEndpoints arn:aws:ec2:us-east-1:111122223333:vpc-endpoint/vpce-9 ec2:DeleteVpcEndpoints arn:aws:ec2:us-east-1:111122223333:vpc-endpoint/vpce-10"},
		{"ec2 tags of no value", "ec2", "POST https://ec2.us-east-1.amazonaws.com/", "Action=CreateVpc&TagSpecification.1.ResourceType=vpc", []string{formType}, "CreateVpc ec2:CreateVpc arn:aws:ec2:us-east-1:111122223333:vpc/*"},
		{"ec2 instances", "ec2", "POST https://ec2.us-east-1.amazonaws.com/", "Action=RunInstances", []string{formType}, "RunInstances ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:instance/* ec2:RunInstances arn:aws:ec2:us-east-1::image/* ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:subnet/* ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:network-interface/* ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:security-group/* ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:volume/*"},
		{"ec2 of the newest", "ec2", "POST https://ec2.us-east-1.amazonaws.com/", "Action=AttachImageWatermark", []string{formType}, "the gate does not know the request ec2:AttachImageWatermark"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := raw(c.line, c.body, c.headers...)
			call, err := Read(t.Context(), r, body, scope(c.service), nil)
			got := call.Operation
			for _, n := range call.Needs {
				got += " " + n.Action + " " + n.Resource
			}
			if err != nil {
				var unknown *UnknownError
				var malformed *MalformedError
				if !errors.As(err, &unknown) && !errors.As(err, &malformed) {
					t.Fatalf("error of another kind: %v", err)
				}
				got = err.Error()
				if !strings.HasPrefix(got, c.want) {
					t.Errorf("got  %s\nwant %s…", got, c.want)
				}
				return
			}
			checkCall(t, call)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCallFlags(t *testing.T) {
	c := newClients()
	read := func(send func(context.Context, clients) error) Call {
		t.Helper()
		if err := send(t.Context(), c); !errors.Is(err, errCaptured) {
			t.Fatal(err)
		}
		call, err := c.line.read(t, world)
		if err != nil {
			t.Fatal(err)
		}
		return call
	}
	head := read(of(toS3, (*s3.Client).HeadObject, &s3.HeadObjectInput{Bucket: str("box"), Key: str("a")}))
	want := &Need{Action: "s3:ListBucket", Resource: "arn:aws:s3:::box"}
	if head.HideMissing == nil || head.HideMissing.Action != want.Action || head.HideMissing.Resource != want.Resource {
		t.Errorf("HeadObject is masked as %+v", head.HideMissing)
	}
	if get := read(of(toS3, (*s3.Client).GetObject, &s3.GetObjectInput{Bucket: str("box"), Key: str("a")})); get.HideMissing == nil {
		t.Errorf("GetObject is masked as %+v", get.HideMissing)
	}
	if put := read(of(toS3, (*s3.Client).DeleteObject, &s3.DeleteObjectInput{Bucket: str("box"), Key: str("a")})); put.HideMissing != nil {
		t.Errorf("DeleteObject is masked as %+v", put.HideMissing)
	}
	if head.Params["bucket"] != "box" || head.Params["key"] != "a" {
		t.Errorf("HeadObject has parameters %v", head.Params)
	}
	for _, f := range s3Forms() {
		if f.name != "DeleteObjects" {
			continue
		}
		del := read(f.send)
		if diff := cmp.Diff([]Item{{"x", ""}, {"y", "v"}}, del.Items); !del.Partial || diff != "" {
			t.Errorf("DeleteObjects: partial %v, items\n%s", del.Partial, diff)
		}
	}
	for action, check := range map[string]func(Call) bool{
		"GetCallerIdentity":         func(c Call) bool { return c.Free && !c.Unsigned },
		"AssumeRole":                func(c Call) bool { return !c.Free && !c.Unsigned },
		"AssumeRoleWithWebIdentity": func(c Call) bool { return !c.Free && c.Unsigned },
		"AssumeRoleWithSAML":        func(c Call) bool { return !c.Free && c.Unsigned },
	} {
		r, body := raw("POST https://sts.amazonaws.com/", "Action="+action, formType)
		if call, err := Read(t.Context(), r, body, scope("sts"), nil); err != nil || !check(call) {
			t.Errorf("%s: free %v, unsigned %v, %v", action, call.Free, call.Unsigned, err)
		}
	}
}

// TestCaller reads requests about the one who makes them.
func TestCaller(t *testing.T) {
	r, body := raw("POST https://iam.amazonaws.com/", "Action=GetUser", formType)
	s := scope("iam")
	s.User = "team/ann"
	call, err := Read(t.Context(), r, body, s, nil)
	if err != nil || call.Needs[0].Resource != "arn:aws:iam::"+account+":user/team/ann" {
		t.Errorf("got %+v, %v", call.Needs, err)
	}
}

// TestPartition carries another partition into every template.
func TestPartition(t *testing.T) {
	r, body := raw("POST https://ec2.cn-north-1.amazonaws.com.cn/", "Action=DeleteVpc&VpcId=vpc-1", formType)
	call, err := Read(t.Context(), r, body, Scope{Partition: "aws-cn", Account: account, Region: "cn-north-1", Service: "ec2"}, nil)
	if err != nil || call.Needs[0].Resource != "arn:aws-cn:ec2:cn-north-1:"+account+":vpc/vpc-1" {
		t.Errorf("got %+v, %v", call.Needs, err)
	}
}

// TestOneRequestOneReading: whatever the order of a query's parameters, the
// call is the same.
func TestOneRequestOneReading(t *testing.T) {
	parameters := []string{"Action=CreateNatGateway", "SubnetId=subnet-1", "AllocationId=eipalloc-1", "SecondaryAllocationId.1=eipalloc-2", "SecondaryAllocationId.2=eipalloc-3",
		"TagSpecification.1.ResourceType=natgateway", "TagSpecification.1.Tag.1.Key=a", "TagSpecification.1.Tag.1.Value=b", "TagSpecification.1.Tag.2.Key=c", "TagSpecification.1.Tag.2.Value=d"}
	read := func(order []string) Call {
		r, body := raw("POST https://ec2.us-east-1.amazonaws.com/", strings.Join(order, "&"), formType)
		call, err := Read(t.Context(), r, body, scope("ec2"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return call
	}
	want := read(parameters)
	rapid.Check(t, func(t *rapid.T) {
		if diff := cmp.Diff(want, read(rapid.Permutation(parameters).Draw(t, "order"))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzRead: no request makes the gate panic; each is an error of a known kind,
// or a call with well-formed needs that reads the same a second time.
func FuzzRead(f *testing.F) {
	f.Add("ec2", "POST", "ec2.us-east-1.amazonaws.com", "/", "", "application/x-www-form-urlencoded", "", "Action=CreateSubnet&VpcId=vpc-1&TagSpecification.1.ResourceType=subnet&TagSpecification.1.Tag.1.Key=a")
	f.Add("iam", "POST", "iam.amazonaws.com", "/", "", "application/x-www-form-urlencoded", "", "Action=CreateRole&RoleName=w&Path=/x/&Tags.member.1.Key=k&Tags.member.1.Value=v")
	f.Add("sqs", "POST", "sqs.us-east-1.amazonaws.com", "/", "", "application/x-amz-json-1.0", "AmazonSQS.CreateQueue", `{"QueueName":"q","tags":{"a":"b"},"Attributes":{"x":["y",{"z":null}]}}`)
	f.Add("kms", "POST", "kms.us-east-1.amazonaws.com", "/", "", "application/x-amz-json-1.1", "TrentService.UpdateAlias", `{"AliasName":"alias/jobs","TargetKeyId":"k"}`)
	f.Add("s3", "POST", "box.s3.us-east-1.amazonaws.com", "/", "delete", "application/xml", "", "<Delete><Object><Key>a</Key></Object></Delete>")
	f.Add("s3", "PUT", "s3.amazonaws.com", "/box/a/../b", "partNumber=1&uploadId=u&x-amz-copy-source=b%2Fc%3FversionId%3D1", "", "", "")
	f.Add("s3", "PUT", "box.s3.amazonaws.com", "/", "replication", "", "", "<R><Role>arn:aws:iam::1:role/x</Role></R>")
	f.Add("s3", "DELETE", "111122223333.s3-control.us-east-1.amazonaws.com", "/v20180820/tags/arn:aws:s3:::b", "tagKeys=a", "", "", "")
	f.Add("sts", "GET", "sts.amazonaws.com", "/", "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/r&Tags.member.1.Key=", "", "", "")
	f.Fuzz(func(t *testing.T, service, method, host, path, query, kind, target, body string) {
		r := &http.Request{Method: method, Host: host, Header: http.Header{}}
		u := httptest.NewRequest(http.MethodGet, "/", nil).URL
		u.Path, u.RawQuery = path, query
		r.URL = u
		r.Header.Set("Content-Type", kind)
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		call, err := Read(t.Context(), r, []byte(body), scope(service), world)
		again, err2 := Read(t.Context(), r, []byte(body), scope(service), world)
		if diff := cmp.Diff(call, again); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatalf("read differently a second time: %v, %v\n%s", err, err2, diff)
		}
		if err != nil {
			var unknown *UnknownError
			var malformed *MalformedError
			if !errors.As(err, &unknown) && !errors.As(err, &malformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			if len(call.Needs) > 0 {
				t.Fatal("an error with needs")
			}
			return
		}
		checkCall(t, call)
		known, err := rows.Load()
		if err != nil || known[call.Service].Operations[call.Operation] == nil {
			t.Fatalf("%s:%s has no row", call.Service, call.Operation)
		}
	})
}
