package moto

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The parts of a bucket that moto does not have: it would take a request about
// one for a request about the bucket.
func TestPartsOfABucket(t *testing.T) {
	h := start(t)
	ask := func(method, path, body string, header ...string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://parts.s3.us-east-1.amazonaws.com/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
		reply, err := h.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, string(text), reply.Header
	}
	want := func(method, path, body string, status int, text string) {
		t.Helper()
		if got, reply, _ := ask(method, path, body); got != status || !strings.Contains(reply, text) {
			t.Errorf("%s %s: %d %s; want %d and %q", method, path, got, reply, status, text)
		}
	}
	want("PUT", "", "", 200, "")
	want("GET", "?metrics&id=a", "", 404, "NoSuchConfiguration")
	want("PUT", "?metrics&id=a", "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>", 200, "")
	want("GET", "?metrics&id=a", "", 200, "<Id>a</Id>")
	want("GET", "?metrics", "", 200, "<IsTruncated>false</IsTruncated><MetricsConfiguration>")
	want("GET", "?analytics&id=a", "", 404, "NoSuchConfiguration")
	want("DELETE", "?metrics&id=a", "", 204, "")
	want("DELETE", "?metrics&id=a", "", 404, "NoSuchConfiguration")
	want("GET", "?requestPayment", "", 200, "<Payer>BucketOwner</Payer>")
	want("PUT", "?requestPayment", "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", 200, "")
	want("GET", "?requestPayment", "", 200, "<Payer>Requester</Payer>")
	want("DELETE", "?metadataTable", "", 501, "metadataTable")
	want("DELETE", "?inventory&id=a", "", 404, "NoSuchConfiguration")

	rules := "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><And><Prefix>a</Prefix>" +
		"<ObjectSizeGreaterThan>7</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
	const size = "X-Amz-Transition-Default-Minimum-Object-Size"
	if status, reply, _ := ask("PUT", "?lifecycle", rules, size, "varies_by_storage_class"); status != 200 {
		t.Fatal(status, reply)
	}
	status, reply, header := ask("GET", "?lifecycle", "")
	if status != 200 || reply != rules || header.Get(size) != "varies_by_storage_class" {
		t.Errorf("%d %s %v", status, reply, header)
	}
	want("DELETE", "?lifecycle", "", 204, "")
	want("GET", "?lifecycle", "", 404, "NoSuchLifecycleConfiguration")
	want("DELETE", "", "", 204, "")
	want("GET", "?metrics&id=a", "", 404, "NoSuchBucket")
}

// A VPC module makes a cache's subnet group and takes it away again.
func TestCacheSubnetGroups(t *testing.T) {
	h := start(t)
	ask := func(action, rest string) (int, string) {
		t.Helper()
		r := request(t, action, rest)
		r.Body = io.NopCloser(strings.NewReader("Version=2015-02-02&Action=" + action + rest))
		r.ContentLength, r.GetBody = -1, nil
		r.URL.Host, r.Host = "elasticache.us-east-1.amazonaws.com", ""
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/ec2/", "/elasticache/", 1))
		reply, err := h.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, string(text)
	}
	for _, c := range []struct {
		action, rest string
		status       int
		text         string
	}{
		{"CreateCacheSubnetGroup", "&CacheSubnetGroupName=g&CacheSubnetGroupDescription=old&SubnetIds.SubnetIdentifier.1=subnet-1", 200, ""},
		{"ModifyCacheSubnetGroup", "&CacheSubnetGroupName=g&CacheSubnetGroupDescription=new", 200, "new"},
		{"DescribeCacheSubnetGroups", "&CacheSubnetGroupName=g", 200, "new"},
		{"CreateReplicationGroup", "&ReplicationGroupId=r&ReplicationGroupDescription=r&CacheSubnetGroupName=g", 200, ""},
		{"DeleteCacheSubnetGroup", "&CacheSubnetGroupName=g", 400, "CacheSubnetGroupInUse"},
		{"DeleteReplicationGroup", "&ReplicationGroupId=r", 200, ""},
		{"DeleteCacheSubnetGroup", "&CacheSubnetGroupName=g", 200, ""},
		{"DeleteCacheSubnetGroup", "&CacheSubnetGroupName=g", 400, "CacheSubnetGroupNotFoundFault"},
	} {
		if status, text := ask(c.action, c.rest); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %s; want %d and %q", c.action, status, text, c.status, c.text)
		}
	}
}

// What a queue is told with one change outlives the next.
func TestQueueAttributes(t *testing.T) {
	h := start(t)
	ask := func(target, question string) string {
		t.Helper()
		var answer json.RawMessage
		status, err := h.JSON(t.Context(), "sqs", "us-east-1", "AmazonSQS."+target, json.RawMessage(question), &answer)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v", target, status, err)
		}
		return string(answer)
	}
	ask("CreateQueue", `{"QueueName":"q","Attributes":{"Policy":"{\"Statement\":[{\"Sid\":\"2012-10-17\"}]}"}}`)
	const queue = `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q","Attribute`
	ask("SetQueueAttributes", queue+`s":{"VisibilityTimeout":"60","RedriveAllowPolicy":"{\"redrivePermission\":\"denyAll\"}"}}`)
	ask("CreateQueue", `{"QueueName":"r","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:q\",\"maxReceiveCount\":3}"}}`)
	if got := ask("GetQueueAttributes", strings.Replace(queue, "/q\"", "/r\"", 1)+`Names":["RedrivePolicy"]}`); !strings.Contains(got, `{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:q\",\"maxReceiveCount\":3}`) {
		t.Errorf("the redrive policy is %s", got)
	}
	for _, part := range []string{"2012-10-17", "denyAll", `"60"`} {
		if got := ask("GetQueueAttributes", queue+`Names":["All"]}`); !strings.Contains(got, part) {
			t.Errorf("%q is not in %s", part, got)
		}
	}
	ask("SetQueueAttributes", queue+`s":{"Policy":"","RedriveAllowPolicy":""}}`)
	if got := ask("GetQueueAttributes", queue+`Names":["All"]}`); strings.Contains(got, "2012-10-17") || strings.Contains(got, "denyAll") {
		t.Errorf("what was set to nothing is in %s", got)
	}
}

// A zone that is made with a VPC is private, whatever its configuration says.
func TestPrivateZone(t *testing.T) {
	h := start(t)
	ask := func(method, path, body string) string {
		t.Helper()
		_, text, err := h.ask(t.Context(), "route53", "us-east-1", method, "route53.amazonaws.com", "/2013-04-01/hostedzone"+path, http.Header{}, body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for vpc, private := range map[string]string{"": "false", "<VPC><VPCId>vpc-1</VPCId><VPCRegion>us-east-1</VPCRegion></VPC>": "true"} {
		made := ask("POST", "", `<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>a.example.com</Name><CallerReference>r`+private+
			`</CallerReference><HostedZoneConfig><Comment>c</Comment></HostedZoneConfig>`+vpc+`</CreateHostedZoneRequest>`)
		_, id, _ := strings.Cut(made, "<Id>/hostedzone")
		id, _, _ = strings.Cut(id, "<")
		got := ask("GET", id, "")
		if !strings.Contains(got, "<PrivateZone>"+private) || strings.Contains(got, "<VPCId>vpc-1<") != (vpc != "") {
			t.Errorf("with %q the zone is %s", vpc, got)
		}
	}
}

// A stage of an HTTP API is changed in place.
func TestStage(t *testing.T) {
	h := start(t)
	ask := func(method, path, body string) string {
		t.Helper()
		status, text, err := h.ask(t.Context(), "apigateway", "us-east-1", method, hostname("apigateway", "us-east-1"), "/v2/apis"+path, http.Header{"Content-Type": {"application/json"}}, body)
		if err != nil || status > 299 {
			t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
		}
		return string(text)
	}
	var api struct{ APIID string }
	if err := json.Unmarshal([]byte(ask("POST", "", `{"name":"a","protocolType":"HTTP"}`)), &api); err != nil {
		t.Fatal(err)
	}
	ask("POST", "/"+api.APIID+"/stages", `{"stageName":"$default","autoDeploy":true}`)
	ask("PATCH", "/"+api.APIID+"/stages/$default", `{"description":"changed"}`)
	if got := ask("GET", "/"+api.APIID+"/stages/$default", ""); !strings.Contains(got, `"description": "changed"`) || !strings.Contains(got, `"autoDeploy": true`) {
		t.Errorf("the stage is %s", got)
	}
}

// A usage plan's numbers stay numbers when they are changed.
func TestUsagePlan(t *testing.T) {
	h := start(t)
	ask := func(method, path, body string) string {
		t.Helper()
		_, text, err := h.ask(t.Context(), "apigateway", "us-east-1", method, hostname("apigateway", "us-east-1"), path, http.Header{"Content-Type": {"application/json"}}, body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var plan struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(ask("POST", "/usageplans", `{"name":"p"}`)), &plan); err != nil {
		t.Fatal(err)
	}
	path := "/usageplans/" + plan.ID
	ask("PATCH", path, `{"patchOperations":[{"op":"replace","path":"/quota/limit","value":"100"},{"op":"replace","path":"/quota/period","value":"DAY"},
		{"op":"replace","path":"/throttle/rateLimit","value":"2.5"},{"op":"replace","path":"/description","value":"d"}]}`)
	var got struct {
		Description string
		Quota       struct{ Limit int }
		Throttle    struct{ RateLimit float64 }
	}
	if err := json.Unmarshal([]byte(ask("GET", path, "")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Description != "d" || got.Quota.Limit != 100 || got.Throttle.RateLimit != 2.5 {
		t.Errorf("the plan is %+v", got)
	}
	ask("PATCH", path, `{"patchOperations":[{"op":"remove","path":"/quota"}]}`)
	if text := ask("GET", path, ""); strings.Contains(text, "quota") || !strings.Contains(text, "throttle") {
		t.Errorf("without its quota the plan is %s", text)
	}
}

// What moto lacks, and what it fails at, is told by its cause: not by a page.
func TestLackingIsNamed(t *testing.T) {
	h := start(t)
	status, text, err := h.Query(t.Context(), "iam", "us-east-1", url.Values{"Action": {"GetOrganizationsAccessReport"}, "Version": {"2010-05-08"}})
	if err != nil || status != http.StatusNotImplemented || !strings.Contains(string(text), "get_organizations_access_report") {
		t.Errorf("%d %s %v", status, text, err)
	}
}

// What a topic and a service of ECS are told comes back, and a service is steady
// as soon as it is there.
func TestWholeTopicAndService(t *testing.T) {
	h := start(t)
	query := func(service, rest string) string {
		t.Helper()
		params, err := url.ParseQuery(rest)
		if err != nil {
			t.Fatal(err)
		}
		status, text, err := h.Query(t.Context(), service, "us-east-1", params)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", rest, status, text, err)
		}
		return string(text)
	}
	const topic = "Version=2010-03-31&TopicArn=arn:aws:sns:us-east-1:123456789012:t&Action="
	query("sns", topic+"CreateTopic&Name=t")
	query("sns", topic+"SetTopicAttributes&AttributeName=HTTPSuccessFeedbackSampleRate&AttributeValue=70")
	query("sns", topic+"PutDataProtectionPolicy&DataProtectionPolicy=p&ResourceArn=arn:aws:sns:us-east-1:123456789012:t")
	if got := query("sns", topic+"GetTopicAttributes"); !strings.Contains(got, "<key>HTTPSuccessFeedbackSampleRate</key><value>70</value>") || strings.Contains(got, "TracingConfig") {
		t.Errorf("the topic is %s", got)
	}
	if got := query("sns", topic+"GetDataProtectionPolicy&ResourceArn=arn:aws:sns:us-east-1:123456789012:t"); !strings.Contains(got, "<DataProtectionPolicy>p<") {
		t.Errorf("the policy is %s", got)
	}

	ask := func(target, question string) string {
		t.Helper()
		var answer json.RawMessage
		status, err := h.JSON(t.Context(), "ecs", "us-east-1", "AmazonEC2ContainerServiceV20141113."+target, json.RawMessage(question), &answer)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v", target, status, err)
		}
		return string(answer)
	}
	ask("CreateCluster", `{"clusterName":"default"}`)
	ask("RegisterTaskDefinition", `{"family":"f","containerDefinitions":[{"name":"c","image":"i","memory":8}]}`)
	ask("CreateService", `{"serviceName":"s","taskDefinition":"f","desiredCount":2,"capacityProviderStrategy":[{"capacityProvider":"FARGATE","weight":3}],"enableExecuteCommand":true}`)
	var got struct {
		Services []struct {
			RunningCount                int
			AvailabilityZoneRebalancing string
			EnableExecuteCommand        bool
			LaunchType                  string
			CapacityProviderStrategy    []struct{ Weight int }
			Deployments                 []struct{ RolloutState string }
		}
	}
	if err := json.Unmarshal([]byte(ask("DescribeServices", `{"services":["s"]}`)), &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Services[0]; s.RunningCount != 2 || s.AvailabilityZoneRebalancing != "DISABLED" || !s.EnableExecuteCommand || s.LaunchType != "" ||
		len(s.CapacityProviderStrategy) != 1 || s.CapacityProviderStrategy[0].Weight != 3 || s.Deployments[0].RolloutState != "COMPLETED" {
		t.Errorf("the service is %+v", s)
	}
}

// Two databases have two ids, by which each is found.
func TestDatabaseIDs(t *testing.T) {
	h := start(t)
	ask := func(form url.Values) string {
		t.Helper()
		form.Set("Version", "2014-10-31")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://rds.us-east-1.amazonaws.com/", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/rds/aws4_request, SignedHeaders=host, Signature=0")
		reply, err := h.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode != http.StatusOK {
			t.Fatalf("%v: %d %s %v", form, reply.StatusCode, text, err)
		}
		return string(text)
	}
	ids := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		made := ask(url.Values{"Action": {"CreateDBInstance"}, "DBInstanceIdentifier": {name}, "Engine": {"postgres"}, "DBInstanceClass": {"db.t3.micro"},
			"AllocatedStorage": {"20"}, "MasterUsername": {"owner"}, "MasterUserPassword": {"not-a-real-password"}})
		_, rest, _ := strings.Cut(made, "<DbiResourceId>")
		id, _, ok := strings.Cut(rest, "<")
		if !ok || ids[id] {
			t.Errorf("%s has the id %q", name, id)
		}
		ids[id] = true
		found := ask(url.Values{"Action": {"DescribeDBInstances"}, "Filters.Filter.1.Name": {"dbi-resource-id"}, "Filters.Filter.1.Values.Value.1": {id}})
		if strings.Count(found, "<DbiResourceId>") != 1 || !strings.Contains(found, "<DBInstanceIdentifier>"+name+"<") {
			t.Errorf("by %s is found %s", id, found)
		}
	}
}
