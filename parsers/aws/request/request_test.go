package request

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func exchange(t testing.TB, method, address string, header ...string) refusal.Exchange {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	x := refusal.Exchange{Method: method, URL: u, Header: http.Header{}, Reply: http.Header{}}
	for _, lines := range header {
		for h := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(h, ": ")
			x.Header.Set(name, value)
		}
	}
	return x
}

func TestPlaceOf(t *testing.T) {
	for host, want := range map[string]Place{
		"ec2.us-east-1.amazonaws.com":                                  {Partition: "aws", Label: "ec2", Service: "ec2", Region: "us-east-1"},
		"EC2.us-east-1.amazonaws.com:443":                              {Partition: "aws", Label: "ec2", Service: "ec2", Region: "us-east-1"},
		"iam.amazonaws.com":                                            {Partition: "aws", Label: "iam", Service: "iam"},
		"sts-fips.us-gov-west-1.amazonaws.com":                         {Partition: "aws-us-gov", Label: "sts", Service: "sts", Region: "us-gov-west-1"},
		"sqs.cn-north-1.amazonaws.com.cn":                              {Partition: "aws-cn", Label: "sqs", Service: "sqs", Region: "cn-north-1"},
		"us-east-1.queue.amazonaws.com":                                {Partition: "aws", Label: "queue", Service: "sqs", Region: "us-east-1"},
		"queue.amazonaws.com":                                          {Partition: "aws", Label: "queue", Service: "sqs"},
		"ec2.us-east-1.api.aws":                                        {Partition: "aws", Label: "ec2", Service: "ec2", Region: "us-east-1"},
		"monitoring.eu-west-1.amazonaws.com":                           {Partition: "aws", Label: "monitoring", Service: "cloudwatch", Region: "eu-west-1"},
		"api.ecr.us-east-1.amazonaws.com":                              {Partition: "aws", Label: "api.ecr", Service: "ecr", Region: "us-east-1"},
		"111122223333.dkr.ecr.us-east-1.amazonaws.com":                 {Partition: "aws", Label: "dkr.ecr", Service: "ecr", Region: "us-east-1"},
		"111122223333.s3-control.us-east-1.amazonaws.com":              {Partition: "aws", Label: "s3-control", Service: "s3", Region: "us-east-1"},
		"rds.us-east-1.amazonaws.com":                                  {Partition: "aws", Label: "rds", Service: "rds", Region: "us-east-1"},
		"s3.amazonaws.com":                                             {Partition: "aws", Label: "s3", Service: "s3"},
		"s3-us-west-2.amazonaws.com":                                   {Partition: "aws", Label: "s3", Service: "s3", Region: "us-west-2"},
		"s3.dualstack.us-west-2.amazonaws.com":                         {Partition: "aws", Label: "s3", Service: "s3", Region: "us-west-2"},
		"s3-fips.us-east-1.amazonaws.com":                              {Partition: "aws", Label: "s3", Service: "s3", Region: "us-east-1"},
		"b.s3.amazonaws.com":                                           {Partition: "aws", Label: "s3", Service: "s3", Bucket: "b", Virtual: true},
		"my.dotted.b.s3.us-east-1.amazonaws.com":                       {Partition: "aws", Label: "s3", Service: "s3", Region: "us-east-1", Bucket: "my.dotted.b", Virtual: true},
		"s3.b.s3.us-east-1.amazonaws.com":                              {Partition: "aws", Label: "s3", Service: "s3", Region: "us-east-1", Bucket: "s3.b", Virtual: true},
		"b.s3-us-west-2.amazonaws.com":                                 {Partition: "aws", Label: "s3", Service: "s3", Region: "us-west-2", Bucket: "b", Virtual: true},
		"b.s3-accelerate.amazonaws.com":                                {Partition: "aws", Label: "s3", Service: "s3", Bucket: "b", Virtual: true},
		"b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com": {Partition: "aws", Label: "s3express", Service: "s3express", Region: "us-east-1", Bucket: "b--use1-az4--x-s3", Virtual: true},
	} {
		if got, ok := placeOf(host); !ok || got != want {
			t.Errorf("placeOf(%q) = %+v, %v\nwant %+v", host, got, ok, want)
		}
	}
	// Hosts that answer for customers, or are not AWS's at all.
	for _, host := range []string{
		"", "amazonaws.com", ".amazonaws.com", "example.com", "iam.amazonaws.com.example.net", "iamamazonaws.com", "evil-amazonaws.com",
		"web-1.us-east-1.elb.amazonaws.com", "web-0f0e.elb.us-east-1.amazonaws.com", "db.abc.us-east-1.rds.amazonaws.com",
		"ec2-198-51-100-1.compute-1.amazonaws.com", "ec2-198-51-100-1.us-west-2.compute.amazonaws.com",
		"abc.execute-api.us-east-1.amazonaws.com", "execute-api.us-east-1.amazonaws.com", "abc.lambda-url.us-east-1.on.aws",
		"b.s3-website-us-east-1.amazonaws.com", "b.s3-website.us-east-1.amazonaws.com", "ABC.gr7.us-east-1.eks.amazonaws.com",
		"search-x.us-east-1.es.amazonaws.com", "x.cache.amazonaws.com", "vpce-0.ec2.us-east-1.vpce.amazonaws.com", "abc.appsync-api.us-east-1.amazonaws.com",
		"a--ol-s3.s3.us-east-1.amazonaws.com", "A--OL-S3.s3.amazonaws.com", "a--ol-s3.s3-us-west-2.amazonaws.com", "x.a--ol-s3.s3.dualstack.us-east-1.amazonaws.com",
		"ap-111122223333.s3-object-lambda.us-east-1.amazonaws.com", "s3-object-lambda.us-east-1.amazonaws.com",
		"x.y.ecr.us-east-1.amazonaws.com", "evil.dkr.ecr.us-east-1.amazonaws.com", "evil.s3-control.us-east-1.amazonaws.com", "-.amazonaws.com", "a_b.amazonaws.com",
	} {
		if Host(host) {
			t.Errorf("Host(%q) is true", host)
		}
	}
}

// The function behind an Object Lambda access point writes the whole reply.
func TestLocateObjectLambda(t *testing.T) {
	for address, want := range map[string]bool{
		"https://s3.us-east-1.amazonaws.com/a1b2--ol-s3/key":                                                         false,
		"https://s3.us-east-1.amazonaws.com/A1B2--OL-S3":                                                             false,
		"https://s3.us-east-1.amazonaws.com/arn%3Aaws%3As3-object-lambda%3Aus-east-1%3A111122223333%3Aaccesspoint/x": false,
		"https://a1b2--ol-s3.s3.us-east-1.amazonaws.com/key":                                                         false,
		"https://s3.us-east-1.amazonaws.com/artifacts/a1b2--ol-s3":                                                   true,
		"https://artifacts.s3.us-east-1.amazonaws.com/a1b2--ol-s3":                                                   true,
	} {
		if _, ok := Locate(exchange(t, "GET", address)); ok != want {
			t.Errorf("Locate(%s) = %v", address, ok)
		}
	}
}

// X-Amz-Target is the JSON protocols' own: elsewhere the service does not read
// it, and the operation is what it does read.
func TestOperationOfTarget(t *testing.T) {
	const target = "X-Amz-Target: TrentService.DescribeKey\n"
	for _, c := range []struct{ url, header, body, want string }{
		{"https://kms.us-east-1.amazonaws.com/", target + "Content-Type: application/x-amz-json-1.1", "{}", "DescribeKey"},
		{"https://kms.us-east-1.amazonaws.com/", target + "Content-Type: Application/X-Amz-JSON-1.0; charset=utf-8", "{}", "DescribeKey"},
		{"https://iam.amazonaws.com/", target + "Content-Type: application/x-www-form-urlencoded", "Action=CreateUser", "CreateUser"},
		{"https://iam.amazonaws.com/?Action=CreateUser", target + "Content-Type: application/x-amz-json-1.1", "{}", ""},
		{"https://kms.us-east-1.amazonaws.com/", target + "Content-Type: application/json", "{}", ""},
		{"https://kms.us-east-1.amazonaws.com/", target + "A: b", "{}", ""},
	} {
		x := exchange(t, "POST", c.url, c.header)
		x.Body = []byte(c.body)
		if _, got, ok := Operation(x); got != c.want || ok != (c.want != "") {
			t.Errorf("%s %q %s: %q, %v; want %q", c.url, c.header, c.body, got, ok, c.want)
		}
	}
	x := exchange(t, "GET", "https://artifacts.s3.us-east-1.amazonaws.com/a", target+"A: b")
	if _, got, ok := Operation(x); got != "GetObject" || !ok {
		t.Errorf("S3 with a target: %q, %v", got, ok)
	}
}

func TestExpired(t *testing.T) {
	const now = "Sun, 22 Nov 2026 12:00:00 GMT"
	const presigned = "https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Date=20261122T113000Z&X-Amz-Expires="
	for _, c := range []struct {
		url, header, date string
		want              bool
	}{
		{presigned + "1799", "A: b", now, true},
		{presigned + "1800", "A: b", now, false},
		{presigned + "x", "A: b", now, false},
		{presigned + "1799", "A: b", "", false},
		{"https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Date=20261122T130000Z&X-Amz-Expires=9999", "A: b", now, true},
		{"https://b.s3.us-east-1.amazonaws.com/k", "X-Amz-Date: 20261122T114459Z", now, true},
		{"https://b.s3.us-east-1.amazonaws.com/k", "X-Amz-Date: 20261122T121501Z", now, true},
		{"https://b.s3.us-east-1.amazonaws.com/k", "X-Amz-Date: 20261122T114500Z", now, false},
		{"https://b.s3.us-east-1.amazonaws.com/k", "A: b", now, false},
	} {
		x := exchange(t, "HEAD", c.url, c.header)
		x.Reply.Set("Date", c.date)
		if got := Expired(x); got != c.want {
			t.Errorf("%s %s, answered %s: %v", c.url, c.header, c.date, got)
		}
	}
	if Expired(refusal.Exchange{Reply: http.Header{"Date": {now}}}) {
		t.Error("an empty exchange has expired")
	}
}

func TestClass(t *testing.T) {
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, url, header, body, want string
	}{
		{"POST", "https://ec2.us-east-1.amazonaws.com/", form, "Action=CreateVpc&CidrBlock=10.0.0.0%2F16", "POST ec2.us-east-1.amazonaws.com CreateVpc"},
		{"POST", "https://ec2.us-east-1.amazonaws.com/", form, "Action=CreateVpc&TagSpecification.1.Tag.1.Key=Name", "POST ec2.us-east-1.amazonaws.com CreateVpc TagSpecification"},
		{"GET", "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=REDACTED", "A: b", "", "GET sts.amazonaws.com GetCallerIdentity"},
		{"POST", "https://kms.us-east-1.amazonaws.com/", "X-Amz-Target: TrentService.CreateKey\nContent-Type: application/x-amz-json-1.1", `{"Tags":[{}],"Policy":"{x}","Description":"d"}`, "POST kms.us-east-1.amazonaws.com CreateKey Policy Tags"},
		{"POST", "https://kms.us-east-1.amazonaws.com/", "X-Amz-Target: TrentService.CreateKey\nContent-Type: application/x-amz-json-1.1", `{"Tags":[],"Policy":""}`, "POST kms.us-east-1.amazonaws.com CreateKey"},
		{"PUT", "https://artifacts.s3.us-east-1.amazonaws.com/?versioning", "A: b", "", "PUT {bucket}.s3.us-east-1.amazonaws.com/?versioning"},
		{"GET", "https://artifacts.s3.us-east-1.amazonaws.com/a/b?versionId=v1&x-id=GetObject", "A: b", "", "GET {bucket}.s3.us-east-1.amazonaws.com/{key}?versionId"},
		{"PUT", "https://artifacts.s3.us-east-1.amazonaws.com/a?partNumber=1&uploadId=x", "X-Amz-Copy-Source: /b/c", "", "PUT {bucket}.s3.us-east-1.amazonaws.com/{key}?partNumber&uploadId x-amz-copy-source"},
		{"GET", "https://s3.us-east-1.amazonaws.com/artifacts/a?acl", "A: b", "", "GET s3.us-east-1.amazonaws.com/{bucket}/{key}?acl"},
		{"GET", "https://s3.us-east-1.amazonaws.com/", "A: b", "", "GET s3.us-east-1.amazonaws.com/"},
		{"GET", "https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/configuration/publicAccessBlock", "A: b", "", "GET {account}.s3-control.us-east-1.amazonaws.com/v20180820/configuration/{id}"},
		{"POST", "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/jobs/policy", "A: b", "", "POST lambda.us-east-1.amazonaws.com/2015-03-31/functions/{id}/policy"},
		{"POST", "https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/PutMetricAlarm", "A: b", "", "POST monitoring.us-east-1.amazonaws.com PutMetricAlarm"},
		{"GET", "https://web-1.us-east-1.elb.amazonaws.com/x", "A: b", "", "GET {host}.amazonaws.com/x"},
	} {
		x := exchange(t, c.method, c.url, c.header)
		x.Body = []byte(c.body)
		if got := Class(x); got != c.want {
			t.Errorf("Class(%s %s) = %q\nwant %q", c.method, c.url, got, c.want)
		}
	}
	if got := Class(refusal.Exchange{Method: "GET"}); got != "GET" {
		t.Errorf("without a URL: %q", got)
	}
}
