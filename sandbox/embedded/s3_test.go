package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func sum(body string) string {
	h := sha256.Sum256([]byte(body))
	return hex.EncodeToString(h[:])
}

// bucket makes a bucket with objects.
func bucket(t *testing.T, c *Cloud, name string, keys ...string) *s3.Client {
	t.Helper()
	admin := s3.NewFromConfig(operator(c))
	if _, err := admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &k, Body: strings.NewReader("of " + k)}); err != nil {
			t.Fatal(err)
		}
	}
	return admin
}

// Odd keys, both styles of address, HTTP/1.1 and HTTP/2, and uploads in chunks
// with a checksum behind them.
func TestObjects(t *testing.T) {
	c := open(t, Config{})
	admin := bucket(t, c, "objects")
	for _, path := range []bool{false, true} {
		for _, h2 := range []bool{false, true} {
			client := s3.NewFromConfig(operator(c), func(o *s3.Options) {
				o.UsePathStyle = path
				o.HTTPClient = client(c, h2)
			})
			for _, key := range []string{"plain", "a b/c+d", "ü~%41", "favicon.ico", "moto-api/reset", "latest/meta-data/x"} {
				want := "content of " + key
				if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("objects"), Key: &key, Body: strings.NewReader(want)}); err != nil {
					t.Errorf("put %q: %v", key, err)
					continue
				}
				got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("objects"), Key: &key})
				if err != nil {
					t.Errorf("get %q: %v", key, err)
					continue
				}
				text, _ := io.ReadAll(got.Body)
				got.Body.Close()
				if string(text) != want {
					t.Errorf("%q holds %q", key, text)
				}
			}
		}
	}
	// A reader that cannot be rewound is sent in chunks, unsigned, with a trailer.
	large := strings.Repeat("0123456789abcdef", 1<<16)
	if _, err := admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("objects"), Key: aws.String("large"),
		Body: io.MultiReader(strings.NewReader(large)), ContentLength: aws.Int64(int64(len(large))), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32}); err != nil {
		t.Fatal(err)
	}
	got, err := admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("objects"), Key: aws.String("large")})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	got.Body.Close()
	if err != nil || string(text) != large {
		t.Errorf("%d bytes of %d came back, %v", len(text), len(large), err)
	}
	if got.ContentEncoding != nil {
		t.Errorf("the object's encoding is %q", *got.ContentEncoding)
	}
}

func TestPresigned(t *testing.T) {
	c := open(t, Config{})
	bucket(t, c, "presigned", "a b")
	p := newProbe(t, c)
	get := func(spoil func(string) string) (int, string) {
		made, err := s3.NewPresignClient(s3.NewFromConfig(p.Config)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("presigned"), Key: aws.String("a b")})
		if err != nil {
			t.Fatal(err)
		}
		url := made.URL
		if spoil != nil {
			url = spoil(url)
		}
		r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		reply, err := client(c, true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		text, _ := io.ReadAll(reply.Body)
		return reply.StatusCode, string(text)
	}
	if status, text := get(nil); status != 403 || !strings.Contains(text, "<Code>AccessDenied</Code>") {
		t.Errorf("without a grant: %d: %s", status, text)
	}
	p.holds(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::presigned/*"}`)
	if status, text := get(nil); status != 200 || text != "of a b" {
		t.Errorf("with a grant: %d: %s", status, text)
	}
	for name, spoil := range map[string]func(string) string{
		"other key":   func(u string) string { return strings.Replace(u, "/a%20b", "/other", 1) },
		"longer":      func(u string) string { return strings.Replace(u, "X-Amz-Expires=900", "X-Amz-Expires=9000", 1) },
		"more asked":  func(u string) string { return u + "&versionId=3" },
		"other token": func(u string) string { return strings.Replace(u, "X-Amz-Security-Token=", "X-Amz-Security-Token=x", 1) },
	} {
		if status, text := get(spoil); status != 403 {
			t.Errorf("%s: %d: %s", name, status, text)
		}
	}
}

// A missing object is a 404 only to those who may list the bucket.
func TestMissingObject(t *testing.T) {
	c := open(t, Config{})
	bucket(t, c, "missing")
	p := newProbe(t, c)
	client := s3.NewFromConfig(p.Config)
	get := func() error {
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("missing"), Key: aws.String("k")})
		return err
	}
	head := func() error {
		_, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("missing"), Key: aws.String("k")})
		return err
	}
	p.holds(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`)
	wantError(t, get(), 403, "AccessDenied", "Access Denied")
	wantError(t, head(), 403, "Forbidden", "")
	p.holds(`{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}`)
	wantError(t, get(), 404, "NoSuchKey", "")
	wantError(t, head(), 404, "NotFound", "")
}

// DeleteObjects is refused key by key; the rest is really deleted.
func TestDeleteObjects(t *testing.T) {
	c := open(t, Config{})
	admin := bucket(t, c, "partial", "keep/1", "keep/2", "drop/1", "drop/2")
	p := newProbe(t, c)
	remove := func(keys ...string) (deleted, refused []string, err error) {
		in := &s3.DeleteObjectsInput{Bucket: aws.String("partial"), Delete: &types.Delete{}}
		for _, k := range keys {
			in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: aws.String(k)})
		}
		out, err := s3.NewFromConfig(p.Config).DeleteObjects(t.Context(), in)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range out.Deleted {
			deleted = append(deleted, *d.Key)
		}
		for _, e := range out.Errors {
			refused = append(refused, *e.Key+" "+*e.Code+" "+*e.Message)
		}
		return deleted, refused, nil
	}
	p.holds(`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::partial/drop/*"}`)
	deleted, refused, err := remove("drop/1", "keep/1", "drop/2")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(deleted, []string{"drop/1", "drop/2"}) || !slices.Equal(refused, []string{"keep/1 AccessDenied Access Denied"}) {
		t.Errorf("deleted %q, refused %q", deleted, refused)
	}
	p.holds("")
	if deleted, refused, err = remove("keep/1", "keep/2"); err != nil || len(deleted) > 0 || len(refused) != 2 {
		t.Errorf("deleted %q, refused %q, %v", deleted, refused, err)
	}
	out, err := admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("partial")})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, o := range out.Contents {
		left = append(left, *o.Key)
	}
	if !slices.Equal(left, []string{"keep/1", "keep/2"}) {
		t.Errorf("left are %q", left)
	}
}

// A bucket's policy denies, and grants to whom it names.
func TestBucketPolicy(t *testing.T) {
	c := open(t, Config{})
	admin := bucket(t, c, "governed", "k")
	p := newProbe(t, c)
	get := func() error {
		_, err := s3.NewFromConfig(p.Config).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("governed"), Key: aws.String("k")})
		return err
	}
	put := func(effect string) {
		t.Helper()
		_, err := admin.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("governed"), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"arn:aws:iam::` + account + `:role/` + p.name + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::governed/*"}]}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, get(), 403, "AccessDenied", "")
	put("Allow")
	wantOK(t, get())
	put("Deny")
	p.holds(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	wantError(t, get(), 403, "AccessDenied", "")
	// It denies to whom it names, and to nobody else.
	_, err := admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("governed"), Key: aws.String("k")})
	wantOK(t, err)
	if _, err := admin.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("governed")}); err != nil {
		t.Fatal(err)
	}
	wantOK(t, get())
}

// An upload of which the client sends the body only when it is told to go on.
func TestExpectContinue(t *testing.T) {
	c := open(t, Config{})
	bucket(t, c, "expect")
	status, text := send(t, c, "PUT", "https://expect.s3.us-east-1.amazonaws.com/k", strings.Repeat("x", 3<<20), "s3", time.Now(),
		map[string]string{"Expect": "100-continue"}, nil)
	if status != 200 {
		t.Errorf("got %d: %s", status, text)
	}
}
