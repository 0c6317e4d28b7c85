package sigv4

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const (
	hashOfEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	hashOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
)

// received is the request as a server sees it.
func received(t *testing.T, r *http.Request, body string) *http.Request {
	t.Helper()
	s := httptest.NewRequest(r.Method, r.URL.RequestURI(), strings.NewReader(body))
	s.Host = r.URL.Host
	if r.Host != "" {
		s.Host = r.Host
	}
	s.Header = r.Header.Clone()
	s.Header.Set("User-Agent", "added on the way")
	s.Header.Set("X-Not-Signed", "added too")
	return s
}

func signed(t *testing.T, method, rawURL, body, hash, service string, headers map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, rawURL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret", SessionToken: headers["X-Amz-Security-Token"]},
		r, hash, service, "us-east-1", noon, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err != nil {
		t.Fatal(err)
	}
	return received(t, r, body)
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name   string
		r      *http.Request
		body   string
		secret string
		now    time.Time
		want   error
	}{
		{"query", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hello", "secret", noon, nil},
		{"get with odd query", signed(t, "GET", "https://ec2.us-east-1.amazonaws.com/?b=1&a=x+y%2Bz&a=%20&c", "", hashOfEmpty, "ec2", nil), "", "secret", noon, nil},
		{"escaped path", signed(t, "GET", "https://lambda.us-east-1.amazonaws.com/2015/functions/a%3Ab%20c/x", "", hashOfEmpty, "lambda", nil), "", "secret", noon, nil},
		{"s3 path", signed(t, "PUT", "https://b.s3.us-east-1.amazonaws.com/a%20b/%C3%BC+1~x", "hello", hashOfHello, "s3", nil), "hello", "secret", noon, nil},
		{"s3 sub-resource", signed(t, "GET", "https://b.s3.us-east-1.amazonaws.com/?versioning", "", hashOfEmpty, "s3", nil), "", "secret", noon, nil},
		{"session", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", map[string]string{"X-Amz-Security-Token": "tok"}), "hello", "secret", noon, nil},
		{"spaces in a header", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", map[string]string{"X-Amz-Meta-A": " a   b "}), "hello", "secret", noon, nil},
		{"unsigned payload", signed(t, "PUT", "https://b.s3.us-east-1.amazonaws.com/k", "hello", "UNSIGNED-PAYLOAD", "s3", nil), "hello", "secret", noon, nil},
		{"streaming", signed(t, "PUT", "https://b.s3.us-east-1.amazonaws.com/k", "hello", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "s3", nil), "hello", "secret", noon, nil},
		{"wrong secret", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hello", "Secret", noon, ErrMismatch},
		{"tampered body", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hallo", "secret", noon, ErrMismatch},
		{"tampered body of s3", signed(t, "PUT", "https://b.s3.us-east-1.amazonaws.com/k", "hello", hashOfHello, "s3", nil), "hallo", "secret", noon, ErrPayload},
		{"unsigned payload elsewhere than s3", signed(t, "POST", "https://iam.amazonaws.com/", "hello", "UNSIGNED-PAYLOAD", "iam", map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}), "hello", "secret", noon, ErrMismatch},
		{"a little late", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hello", "secret", noon.Add(299 * time.Second), nil},
		{"too late", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hello", "secret", noon.Add(301 * time.Second), ErrSkewed},
		{"too early", signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil), "hello", "secret", noon.Add(-301 * time.Second), ErrSkewed},
		{"s3 waits longer", signed(t, "GET", "https://b.s3.us-east-1.amazonaws.com/k", "", hashOfEmpty, "s3", nil), "", "secret", noon.Add(899 * time.Second), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse(test.r)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(t.Context(), test.r, []byte(test.body), test.secret, test.now); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// Whatever of the signed parts changes on the way, the signature must not hold.
func TestTampered(t *testing.T) {
	changes := map[string]func(*http.Request){
		"method": func(r *http.Request) { r.Method = "PUT" },
		"host":   func(r *http.Request) { r.Host = "sts.amazonaws.com" },
		"path":   func(r *http.Request) { r.URL.Path = "/x" },
		"query":  func(r *http.Request) { r.URL.RawQuery = "a=2" },
		"header": func(r *http.Request) { r.Header.Set("X-Amz-Target", "B") },
		"gone":   func(r *http.Request) { r.Header.Del("X-Amz-Target") },
		"region": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "us-east-1", "us-east-2", 1))
		},
		"service": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/kms/", "/sqs/", 1))
		},
		"one header signed less": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-target", "", 1))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			r := signed(t, "POST", "https://kms.us-east-1.amazonaws.com/?a=1", "hello", hashOfHello, "kms", map[string]string{"X-Amz-Target": "A"})
			change(r)
			c, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(t.Context(), r, []byte("hello"), "secret", noon); !errors.Is(err, ErrMismatch) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPresigned(t *testing.T) {
	presign := func(rawURL, service, hash, token string) *http.Request {
		r, _ := http.NewRequest("GET", rawURL, nil)
		signedURL, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret", SessionToken: token},
			r, hash, service, "us-east-1", noon, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(signedURL)
		return received(t, &http.Request{Method: "GET", URL: u, Header: http.Header{}}, "")
	}
	s3 := "https://b.s3.us-east-1.amazonaws.com/a%20b?X-Amz-Expires=900&versionId=3"
	for _, test := range []struct {
		name string
		r    *http.Request
		now  time.Time
		want error
	}{
		{"s3", presign(s3, "s3", "UNSIGNED-PAYLOAD", ""), noon.Add(899 * time.Second), nil},
		{"s3 with a session", presign(s3, "s3", "UNSIGNED-PAYLOAD", "tok/+="), noon, nil},
		{"expired", presign(s3, "s3", "UNSIGNED-PAYLOAD", ""), noon.Add(901 * time.Second), ErrExpired},
		{"sts", presign("https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", "sts", hashOfEmpty, ""), noon, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse(test.r)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(t.Context(), test.r, nil, "secret", test.now); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			test.r.URL.RawQuery = strings.Replace(test.r.URL.RawQuery, "us-east-1", "us-west-1", 1) + "&more=1"
			if c, err = Parse(test.r); err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(t.Context(), test.r, nil, "secret", noon); !errors.Is(err, ErrMismatch) {
				t.Errorf("tampered with: %v", err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	good := signed(t, "POST", "https://iam.amazonaws.com/", "hello", hashOfHello, "iam", nil).Header.Get("Authorization")
	for header, want := range map[string]error{
		"":                              ErrUnsigned,
		"Basic abc":                     ErrMalformed,
		"AWS4-ECDSA-P256-SHA256 x=y":    ErrMalformed,
		"AWS4-HMAC-SHA256 Credential=a": ErrMalformed,
		strings.Replace(good, "20260304", "20260305", 1):             ErrMalformed,
		strings.Replace(good, "aws4_request", "aws5", 1):             ErrMalformed,
		strings.Replace(good, "host;", "", 1):                        ErrMalformed,
		strings.Replace(good, "Signature=", "Nothing=", 1):           ErrMalformed,
		strings.Replace(good, "Credential=AKIA", "Credential=/A", 1): ErrMalformed,
		strings.Replace(good, "/us-east-1/iam/", "/us-east-1//", 1):  ErrMalformed,
		strings.Replace(good, "AWS4-HMAC-SHA256", "AWS3", 1):         ErrMalformed,
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("X-Amz-Date", "20260304T120000Z")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if _, err := Parse(r); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", header, err, want)
		}
	}
}

func TestUnchunk(t *testing.T) {
	for _, test := range []struct{ name, body, want, checksum string }{
		{"signed", "5;chunk-signature=ab\r\nhello\r\n1;chunk-signature=cd\r\n!\r\n0;chunk-signature=ef\r\n\r\n", "hello!", ""},
		{"trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "hello", "NhCmhg=="},
		{"signed trailer", "0;chunk-signature=ef\r\nx-amz-checksum-crc32:AA==\r\nx-amz-trailer-signature:ab\r\n\r\n", "", "AA=="},
		{"line ends in the data", "4\r\na\r\nb\r\n0\r\n\r\n", "a\r\nb", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload, trailer, err := Unchunk([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if string(payload) != test.want || trailer.Get("X-Amz-Checksum-Crc32") != test.checksum {
				t.Errorf("got %q and %v", payload, trailer)
			}
			if trailer.Get("X-Amz-Trailer-Signature") != "" {
				t.Error("the trailer's signature is taken for a header")
			}
		})
	}
	for _, bad := range []string{"", "5\r\nhel", "5\r\nhelloXX0\r\n\r\n", "zz\r\n", "-1\r\n\r\n", "ffffffffffffffff\r\n", "0\r\nno value\r\n"} {
		if _, _, err := Unchunk([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// What is taken apart is the same bytes, whatever they are.
func FuzzUnchunk(f *testing.F) {
	f.Add([]byte("hello"), 2)
	f.Fuzz(func(t *testing.T, payload []byte, size int) {
		if size < 1 {
			size = 1
		}
		var body bytes.Buffer
		for rest := payload; len(rest) > 0; {
			n := min(size, len(rest))
			io.WriteString(&body, strings.ToUpper(hexa(n))+";chunk-signature=00\r\n")
			body.Write(rest[:n])
			io.WriteString(&body, "\r\n")
			rest = rest[n:]
		}
		io.WriteString(&body, "0\r\n\r\n")
		got, _, err := Unchunk(body.Bytes())
		if err != nil || !bytes.Equal(got, payload) {
			t.Errorf("got %q, %v", got, err)
		}
		Unchunk(payload) //nolint:errcheck // must not panic
	})
}

func hexa(n int) string {
	const digits = "0123456789abcdef"
	if n < 16 {
		return digits[n : n+1]
	}
	return hexa(n/16) + digits[n%16:n%16+1]
}
