package exchange

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	akid     = "ASIAQWERTYUIOP012345"
	s3Host   = "bucket.s3.us-east-1.amazonaws.com"
	goClient = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.3 os/linux"
)

func TestExchange(t *testing.T) {
	r, err := http.NewRequest("PUT", "https://"+s3Host+"/a%2Fb//c?acl&versionId=v%201&list-type=2&secret=x&resourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3Aq&empty=", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"X-Amz-Target": {"AmazonSQS.CreateQueue"}, "Content-Type": {"application/x-amz-json-1.0"}, "User-Agent": {goClient},
		"X-Amz-Acl": {"public-read"}, "X-Amz-Tagging": {"a=b"}, "X-Amz-Copy-Source": {"/src/key?versionId=1"},
		"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Customer-Key": {"secret"},
		"X-Amz-Meta-Name": {"private"}, "X-Custom": {"x"},
	}
	x := Of(r, s3Host)
	want := http.Header{
		"Host": {s3Host}, "X-Amz-Target": {"AmazonSQS.CreateQueue"}, "Content-Type": {"application/x-amz-json-1.0"}, "User-Agent": {goClient},
		"X-Amz-Acl": {"public-read"}, "X-Amz-Tagging": {"a=b"}, "X-Amz-Copy-Source": {"/src/key?versionId=1"},
		"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Customer-Key": {"REDACTED"},
		"X-Amz-Meta-Name": {"REDACTED"},
	}
	if diff := cmp.Diff(want, x.Header); diff != "" {
		t.Error(diff)
	}
	if got, want := x.URL.String(), "https://"+s3Host+"/a%2Fb//c?acl&versionId=v%201&list-type=2&secret=REDACTED&resourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3Aq&empty="; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r.Header.Get("X-Amz-Meta-Name") != "private" {
		t.Error("the request itself was changed")
	}
}

func TestCredential(t *testing.T) {
	for _, tt := range []struct{ authorization, query, want string }{
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x", "", akid},
		{"AWS4-HMAC-SHA256 SignedHeaders=host,Credential=" + akid + "/20261122/us-east-1/s3/aws4_request,Signature=x", "", akid},
		{"AWS4-ECDSA-P256-SHA256 Credential=" + akid + "/20261122/s3/aws4_request, Signature=x", "", akid},
		{"AWS " + akid + ":signature=", "", akid},
		{"", "X-Amz-Credential=" + akid + "%2F20261122%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=x", akid},
		{"", "AWSAccessKeyId=" + akid + "&Signature=x", akid},
		{"Bearer token", "", ""},
		{"AWS4-HMAC-SHA256 Credential=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", ""},
		{"AWS4-HMAC-SHA256 Credential=not+an+access+key/x", "", ""},
		{"AWS4-HMAC-SHA256", "", ""}, {"", "X-Amz-Credential=%zz&X-Amz-Signature=x", ""}, {"", "", ""},
		// Without a signature nobody has shown to hold the key.
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/20261122/us-east-1/s3/aws4_request, SignedHeaders=host", "", ""},
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/20261122/us-east-1/s3/aws4_request, Signature=", "", ""},
		{"AWS " + akid, "", ""}, {"AWS " + akid + ":", "", ""},
		{"", "X-Amz-Credential=" + akid + "%2Fx", ""}, {"", "X-Amz-Credential=" + akid + "%2Fx&X-Amz-Signature=", ""},
		{"", "X-Amz-Credential=" + akid + "%2Fx&Signature=x", ""}, {"", "AWSAccessKeyId=" + akid, ""},
		{"", "AWSAccessKeyId=" + akid + "&X-Amz-Signature=x", ""},
		// Names that AWS does not read.
		{"", "x-amz-credential=" + akid + "%2Fx&X-Amz-Signature=x", ""}, {"", "X-Amz-Credential=" + akid + "%2Fx&x-amz-signature=x", ""},
		{"", "awsaccesskeyid=" + akid + "&Signature=x", ""}, {"aws4-hmac-sha256 Credential=" + akid + "/x, Signature=x", "", ""},
		{"AWS4-X Credential=" + akid + "/x, Signature=x", "", ""},
		// Two claims are none.
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/x, Signature=x", "X-Amz-Credential=" + akid + "%2Fx&X-Amz-Signature=x", ""},
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/x, Signature=x", "%58-Amz-Credential=" + akid + "%2Fx", ""},
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/x, Credential=" + akid + "/x, Signature=x", "", ""},
		{"AWS4-HMAC-SHA256 Credential=" + akid + "/x, Signature=x, Signature=y", "", ""},
		{"Bearer token", "X-Amz-Credential=" + akid + "%2Fx&X-Amz-Signature=x", ""},
		{"", "X-Amz-Credential=" + akid + "%2Fx&X-Amz-Signature=x&X-Amz-Credential=" + akid + "%2Fx", ""},
		{"", "X-Amz-Credential=" + akid + "%2Fx&X-Amz-Signature=x&AWSAccessKeyId=" + akid + "&Signature=x", ""},
	} {
		r := &http.Request{Header: http.Header{"Authorization": {tt.authorization}}, URL: &url.URL{RawQuery: tt.query}}
		if got := credential(r); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.authorization, tt.query, got, tt.want)
		}
	}
	signed := "AWS4-HMAC-SHA256 Credential=" + akid + "/x, Signature=x"
	r := &http.Request{Header: http.Header{"Authorization": {signed, signed}}, URL: &url.URL{}}
	if got := credential(r); got != "" {
		t.Errorf("two headers: %q", got)
	}
}

func TestDecode(t *testing.T) {
	plain := bytes.Repeat([]byte("0123456789abcdef\n"), 3*refusal.MaxBody/17)
	pack := func(f func(io.Writer) io.WriteCloser) []byte {
		var b bytes.Buffer
		w := f(&b)
		w.Write(plain)
		w.Close()
		return b.Bytes()
	}
	zipped := pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	for name, tt := range map[string]struct {
		encoding   string
		body, want []byte
	}{
		"none":       {"", plain, plain},
		"gzip":       {"GZIP", zipped, plain[:refusal.MaxBody]},
		"zlib":       {"deflate", pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), plain[:refusal.MaxBody]},
		"bare":       {"deflate", pack(func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 6); return f }), plain[:refusal.MaxBody]},
		"not gzip":   {"gzip", []byte("<Error/>"), []byte("<Error/>")},
		"not known":  {"br", []byte("\x01\x02"), []byte("\x01\x02")},
		"empty gzip": {"gzip", nil, nil},
	} {
		if got := Decode(tt.encoding, tt.body); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(tt.want))
		}
	}
	got := Decode("gzip", zipped[:len(zipped)/8])
	if len(got) == 0 || !bytes.HasPrefix(plain, got) {
		t.Errorf("cut gzip: %d bytes, not the body's start", len(got))
	}
}

func FuzzRedactQuery(f *testing.F) {
	for _, q := range []string{"", "a", "a=b&X-Amz-Signature=s", "versionId=1&&=x", "%zz=1", "Action=A;b=c", "%58-Amz-Signature=1"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := redactQuery(raw)
		if redactQuery(got) != got {
			t.Errorf("%q: %q is redacted again", raw, got)
		}
		before, after := strings.Split(raw, "&"), strings.Split(got, "&")
		if len(before) != len(after) {
			t.Fatalf("%q became %q", raw, got)
		}
		for i, pair := range after {
			if pair == before[i] {
				continue
			}
			if _, value, ok := strings.Cut(pair, "="); ok && value != Redacted || !ok && pair != Redacted {
				t.Errorf("%q became %q", before[i], pair)
			}
		}
		if i := slices.Index(before, "X-Amz-Signature=s"); i >= 0 && after[i] != "X-Amz-Signature=REDACTED" {
			t.Errorf("a signature stays: %q", got)
		}
	})
}

// Azure tells a refusal of HEAD in a header alone, and what is asked for in
// parameters; a signature in either is not kept.
func TestAzure(t *testing.T) {
	r := httptest.NewRequest("HEAD", "https://account1.blob.core.windows.net/c/b?comp=metadata&restype=container&api-version=1&sig=secret", nil)
	r.Header.Set("X-Ms-Version", "2023-11-03")
	r.Header.Set("X-Ms-Copy-Source-Authorization", "Bearer secret")
	x := WithReply(Of(r, "account1.blob.core.windows.net"), 403, http.Header{"X-Ms-Error-Code": {"AuthorizationPermissionMismatch"}, "X-Ms-Encryption-Key": {"secret"}}, nil)
	if x.Reply.Get("X-Ms-Error-Code") != "AuthorizationPermissionMismatch" || x.Header.Get("X-Ms-Version") != "2023-11-03" || x.URL.RawQuery != "comp=metadata&restype=container&api-version=1&sig="+Redacted {
		t.Errorf("%v, %v, %s", x.Reply, x.Header, x.URL.RawQuery)
	}
	for _, h := range []http.Header{x.Header, x.Reply} {
		for name, values := range h {
			for _, v := range values {
				if strings.Contains(v, "secret") {
					t.Errorf("%s is kept: %s", name, v)
				}
			}
		}
	}
}
