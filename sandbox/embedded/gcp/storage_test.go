package gcp_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

func storageAs(t *testing.T, g *gcp.Gate, token string) *storage.Service {
	t.Helper()
	return must[*storage.Service](t)(storage.NewService(t.Context(), as(g, token)))
}

// A bucket is made, changed, given a policy, filled, and deleted when it is
// empty.
func TestBucket(t *testing.T) {
	g := start(t, gcp.Config{})
	c := storageAs(t, g, g.Operator())
	b := must[*storage.Bucket](t)(c.Buckets.Insert(project, &storage.Bucket{Name: "fc-artifacts", Location: "us-west1",
		IamConfiguration: &storage.BucketIamConfiguration{UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{Enabled: true}}}).Do())
	if b.Location != "US-WEST1" || b.LocationType != "region" || b.Metageneration != 1 || b.StorageClass != "STANDARD" || !b.IamConfiguration.BucketPolicyOnly.Enabled || b.ProjectNumber == 0 {
		t.Errorf("the bucket is %+v", b)
	}
	_, err := c.Buckets.Insert(project, &storage.Bucket{Name: "fc-artifacts"}).Do()
	refused(t, err, 409, "you already own it", "conflict")
	_, err = c.Buckets.Insert(project, &storage.Bucket{Name: "No"}).Do()
	refused(t, err, 400, "Invalid bucket name")
	changed := must[*storage.Bucket](t)(c.Buckets.Patch("fc-artifacts", &storage.Bucket{Versioning: &storage.BucketVersioning{Enabled: true}, Labels: map[string]string{"a": "b"}}).Do())
	if !changed.Versioning.Enabled || changed.Metageneration != 2 || changed.Labels["a"] != "b" || changed.Etag == b.Etag {
		t.Errorf("the patched bucket is %+v", changed)
	}
	_, err = c.Buckets.Patch("fc-artifacts", &storage.Bucket{}).IfMetagenerationMatch(1).Do()
	refused(t, err, 412, "conditionNotMet")
	_, err = c.Buckets.Get("other-bucket").Do()
	refused(t, err, 404, "The specified bucket does not exist.")

	policy := must[*storage.Policy](t)(c.Buckets.GetIamPolicy("fc-artifacts").Do())
	if len(policy.Bindings) != 4 {
		t.Errorf("a new bucket's policy is %+v", policy.Bindings)
	}
	policy.Bindings = append(policy.Bindings, &storage.PolicyBindings{Role: "roles/storage.objectViewer", Members: []string{"allAuthenticatedUsers"}})
	must[*storage.Policy](t)(c.Buckets.SetIamPolicy("fc-artifacts", policy).Do())
	_, err = c.Buckets.SetIamPolicy("fc-artifacts", policy).Do()
	refused(t, err, 412, "pre-conditions")

	o := must[*storage.Object](t)(c.Objects.Insert("fc-artifacts", &storage.Object{Name: "dir/a.txt", Metadata: map[string]string{"k": "v"}}).Media(strings.NewReader("hello")).Do())
	if o.Size != 5 || o.Md5Hash != "XUFAKrxLKna5cZ2REBfFkg==" || o.Crc32c != "mnG7TA==" || o.ContentType != "text/plain; charset=utf-8" || o.Metadata["k"] != "v" {
		t.Errorf("the object is %+v", o)
	}
	if got := download(t, c, "fc-artifacts", "dir/a.txt"); got != "hello" {
		t.Errorf("the content is %q", got)
	}
	list := must[*storage.Objects](t)(c.Objects.List("fc-artifacts").Delimiter("/").Do())
	if len(list.Items) != 0 || len(list.Prefixes) != 1 || list.Prefixes[0] != "dir/" {
		t.Errorf("the list is %+v", list)
	}
	refused(t, c.Buckets.Delete("fc-artifacts").Do(), 409, "not empty")
	copied := must[*storage.RewriteResponse](t)(c.Objects.Rewrite("fc-artifacts", "dir/a.txt", "fc-artifacts", "copy", &storage.Object{}).Do())
	if !copied.Done || copied.Resource.Md5Hash != o.Md5Hash {
		t.Errorf("the copy is %+v", copied)
	}
	for _, name := range []string{"dir/a.txt", "copy"} {
		if err := c.Objects.Delete("fc-artifacts", name).Do(); err != nil {
			t.Error(err)
		}
	}
	_, err = c.Objects.Get("fc-artifacts", "copy").Do()
	refused(t, err, 404, "No such object: fc-artifacts/copy")
	if err := c.Buckets.Delete("fc-artifacts").Do(); err != nil {
		t.Error(err)
	}
}

func download(t *testing.T, c *storage.Service, bucket, name string) string {
	t.Helper()
	r := must[*http.Response](t)(c.Objects.Get(bucket, name).Download())
	defer r.Body.Close()
	return string(must[[]byte](t)(io.ReadAll(r.Body)))
}

// A large object goes up in parts.
func TestResumableUpload(t *testing.T) {
	g := start(t, gcp.Config{})
	c := storageAs(t, g, g.Operator())
	must[*storage.Bucket](t)(c.Buckets.Insert(project, &storage.Bucket{Name: "big"}).Do())
	content := bytes.Repeat([]byte("0123456789abcdef"), 50_000) // 800 kB, in parts of 256 KiB
	o := must[*storage.Object](t)(c.Objects.Insert("big", &storage.Object{Name: "kernel"}).Media(bytes.NewReader(content), googleapi.ChunkSize(256<<10)).Do())
	if o.Size != 800_000 {
		t.Errorf("the object is %+v", o)
	}
	if got := download(t, c, "big", "kernel"); got != string(content) {
		t.Error("the content is another")
	}
	if n := g.Ledger().Stats()["storage.objects.insert"].Allowed; n < 4 {
		t.Errorf("there were %d requests", n)
	}
	_, err := c.Objects.Insert("big", &storage.Object{Name: "kernel"}).IfGenerationMatch(0).Media(bytes.NewReader(content), googleapi.ChunkSize(256<<10)).Do()
	refused(t, err, 412, "conditionNotMet")
}

// Who may make a new object may not replace one.
func TestStorageNeeds(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	root := storageAs(t, g, g.Operator())
	must[*storage.Bucket](t)(root.Buckets.Insert(project, &storage.Bucket{Name: "needs"}).Do())
	_, token := principal(t, g)
	c := storageAs(t, g, token)
	email := "probe-account@" + project + ".iam.gserviceaccount.com"
	put := func() error {
		_, err := c.Objects.Insert("needs", &storage.Object{Name: "x"}).Media(strings.NewReader("1")).Do()
		return err
	}
	refused(t, put(), 403, email+" does not have storage.objects.create access to the Google Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not exist).")
	grant(t, operator, "storage.objects.create")
	if err := put(); err != nil {
		t.Fatal(err)
	}
	refused(t, put(), 403, "storage.objects.delete")
	_, err := c.Objects.Get("needs", "x").Do()
	refused(t, err, 403, "storage.objects.get access to the Google Cloud Storage object")
	_, err = c.Objects.List("needs").Do()
	refused(t, err, 403, "storage.objects.list access to the Google Cloud Storage bucket")
	_, err = c.Buckets.Insert(project, &storage.Bucket{Name: "more"}).Do()
	refused(t, err, 403, "storage.buckets.create access to the Google Cloud project")
	_, err = c.Buckets.GetIamPolicy("needs").Do()
	refused(t, err, 403, "storage.buckets.getIamPolicy")

	// A binding on the bucket is enough.
	policy := must[*storage.Policy](t)(root.Buckets.GetIamPolicy("needs").Do())
	policy.Bindings = append(policy.Bindings, &storage.PolicyBindings{Role: "roles/storage.objectAdmin", Members: []string{"serviceAccount:" + email}})
	must[*storage.Policy](t)(root.Buckets.SetIamPolicy("needs", policy).Do())
	if err := put(); err != nil {
		t.Error(err)
	}
	if _, err = c.Objects.List("needs").Do(); err != nil {
		t.Error(err)
	}

	open := start(t, gcp.Config{Open: true})
	_, token = principal(t, open)
	if _, err := storageAs(t, open, token).Buckets.Insert(project, &storage.Bucket{Name: "more"}).Do(); err != nil {
		t.Errorf("the gate is open, and refuses: %v", err)
	}
}

// An HMAC key signs requests of the XML API, as an S3 client makes them.
func TestHMAC(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	c := storageAs(t, g, g.Operator())
	must[*storage.Bucket](t)(c.Buckets.Insert(project, &storage.Bucket{Name: "clickhouse"}).Do())
	_, token := principal(t, g)
	email := "probe-account@" + project + ".iam.gserviceaccount.com"
	_, err := storageAs(t, g, token).Projects.HmacKeys.Create(project, email).Do()
	refused(t, err, 403, "storage.hmacKeys.create access to the Google Cloud project")
	key := must[*storage.HmacKey](t)(c.Projects.HmacKeys.Create(project, email).Do())
	if len(key.Secret) != 40 || len(key.Metadata.AccessId) != 61 || key.Metadata.State != "ACTIVE" {
		t.Errorf("the key is %+v", key.Metadata)
	}
	client := s3.New(s3.Options{Region: "auto", BaseEndpoint: aws.String("https://storage.googleapis.com"), UsePathStyle: true,
		HTTPClient: &http.Client{Transport: way{handler: g}}, Credentials: credentials.NewStaticCredentialsProvider(key.Metadata.AccessId, key.Secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired})
	put := func() error {
		_, err := client.PutObject(ctx(t), &s3.PutObjectInput{Bucket: aws.String("clickhouse"), Key: aws.String("parts/a b+c"), Body: strings.NewReader("data"), Metadata: map[string]string{"k": "v"}})
		return err
	}
	if err := put(); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("without the permission: %v", err)
	}
	grant(t, operator, "storage.objects.create", "storage.objects.get", "storage.objects.list")
	if err := put(); err != nil {
		t.Fatal(err)
	}
	got := must[*s3.GetObjectOutput](t)(client.GetObject(ctx(t), &s3.GetObjectInput{Bucket: aws.String("clickhouse"), Key: aws.String("parts/a b+c"), Range: aws.String("bytes=1-2")}))
	if text := must[[]byte](t)(io.ReadAll(got.Body)); string(text) != "at" {
		t.Errorf("the content is %q", text)
	}
	list := must[*s3.ListObjectsV2Output](t)(client.ListObjectsV2(ctx(t), &s3.ListObjectsV2Input{Bucket: aws.String("clickhouse"), Prefix: aws.String("parts/")}))
	if len(list.Contents) != 1 || *list.Contents[0].Key != "parts/a b+c" {
		t.Errorf("the list is %+v", list.Contents)
	}
	if _, err := client.ListObjectsV2(ctx(t), &s3.ListObjectsV2Input{Bucket: aws.String("no-such-bucket")}); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	refused(t, c.Projects.HmacKeys.Delete(project, key.Metadata.AccessId).Do(), 400, "Cannot delete keys in 'ACTIVE' state.")
	must[*storage.HmacKeyMetadata](t)(c.Projects.HmacKeys.Update(project, key.Metadata.AccessId, &storage.HmacKeyMetadata{State: "INACTIVE"}).Do())
	if err := put(); err == nil || !strings.Contains(err.Error(), "InvalidAccessKeyId") {
		t.Errorf("with an inactive key: %v", err)
	}
	if err := c.Projects.HmacKeys.Delete(project, key.Metadata.AccessId).Do(); err != nil {
		t.Fatal(err)
	}
	if k := must[*storage.HmacKeyMetadata](t)(c.Projects.HmacKeys.Get(project, key.Metadata.AccessId).Do()); k.State != "DELETED" {
		t.Errorf("the deleted key is %+v", k)
	}
	bad := s3.New(s3.Options{Region: "auto", BaseEndpoint: aws.String("https://storage.googleapis.com"), UsePathStyle: true, RetryMaxAttempts: 1,
		HTTPClient: &http.Client{Transport: way{handler: g}}, Credentials: credentials.NewStaticCredentialsProvider(key.Metadata.AccessId, "wrong", "")})
	if _, err := bad.ListBuckets(ctx(t), &s3.ListBucketsInput{}); err == nil {
		t.Error("a wrong secret is taken")
	}
}

// A bucket with uniform access has no access control lists that could be shown.
func TestListsOfUniformBuckets(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := must[*storage.Service](t)(storage.NewService(t.Context(), as(g, g.Operator())))
	_, token := principal(t, g, "storage.objects.list")
	c := must[*storage.Service](t)(storage.NewService(t.Context(), as(g, token)))
	for name, uniform := range map[string]bool{"lists-of-their-own": false, "one-for-all": true} {
		must[*storage.Bucket](t)(operator.Buckets.Insert(project, &storage.Bucket{Name: name, Location: "US-WEST1", IamConfiguration: &storage.BucketIamConfiguration{
			UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{Enabled: uniform}}}).Do())
		if _, err := c.Objects.List(name).Do(); err != nil {
			t.Error(err)
		}
		_, err := c.Objects.List(name).Projection("full").Do()
		if uniform && err != nil {
			t.Error(err)
		}
		if !uniform {
			refused(t, err, 403, "storage.objects.getIamPolicy")
		}
	}
}
