package moto

import (
	"io"
	"net/http"
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
	want("DELETE", "?metadataTable", "", 500, "")
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
