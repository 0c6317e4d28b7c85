package intercept

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const akid = "ASIAQWERTYUIOP012345"

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Secrets are planted in every place of requests and replies where a client
// or service puts them; none comes out in an Exchange or a log.
func TestNoSecretGetsOut(t *testing.T) {
	n := 0
	secret := func() string {
		n++
		return fmt.Sprintf("SECRET%dsecret/+=", n)
	}
	set := func(h http.Header, names ...string) {
		for _, name := range names {
			h.Set(name, secret())
		}
	}
	requestBodies := map[string]string{
		"application/x-www-form-urlencoded": "Action=AssumeRole&WebIdentityToken=" + secret() + "&TokenCode=" + secret() + "&SAMLAssertion=" + secret() + "&X-Amz-Signature=" + secret() + "&MasterUserPassword=" + secret(),
		"application/x-amz-json-1.1":        `{"AccessToken": "` + secret() + `", "SecretString":"a\"` + secret() + `", "Password" : "` + secret() + `", "KeyId":"keep-me"}`,
		"application/json":                  `{"clientSecret":"` + secret() + `","name":"keep-me","refreshToken":"` + secret(), // cut off
	}
	replyBodies := []string{
		`<AssumeRoleResponse><Credentials><AccessKeyId>` + akid + `</AccessKeyId><SecretAccessKey>` + secret() + `</SecretAccessKey><SessionToken>` + secret() + `</SessionToken></Credentials></AssumeRoleResponse>`,
		`{"roleCredentials":{"secretAccessKey":"` + secret() + `","sessionToken":"` + secret() + `"},"authorizationData":[{"authorizationToken":"` + secret() + `"}]}`,
		`<CreateAccessKeyResponse><SecretAccessKey>` + secret(), // cut off
	}
	for _, status := range []int{200, 403, 503} {
		for contentType, requestBody := range requestBodies {
			for _, replyBody := range replyBodies {
				header := make(http.Header)
				set(header, "X-Amz-Security-Token", "X-Amz-S3session-Token", "X-Amz-Server-Side-Encryption-Customer-Key",
					"X-Amz-Server-Side-Encryption-Customer-Key-Md5", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
					"X-Amz-Mfa", "X-Amz-Meta-Password", "X-Amz-Server-Side-Encryption-Context", "Cookie", "X-Api-Key", "Referer",
					"X-Auth-Token", "X-Amz-Unknown-Token", "X-Forwarded-For", "Proxy-Authorization")
				header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+akid+"/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="+secret())
				header.Set("X-Amz-Copy-Source", "/bucket/key?versionId=v1&X-Amz-Signature="+url.QueryEscape(secret()))
				header.Set("Content-Type", contentType)
				query := "versionId=v1&X-Amz-Signature=" + url.QueryEscape(secret()) + "&X-Amz-Security-Token=" + url.QueryEscape(secret()) +
					"&Signature=" + url.QueryEscape(secret()) + "&token=" + url.QueryEscape(secret()) + "&X-Amz-Credential=" + akid + "%2F" + url.QueryEscape(secret()) +
					"&%58-amz-signature=" + url.QueryEscape(secret())

				var log lockedBuffer
				c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					set(w.Header(), "Set-Cookie", "X-Amz-Security-Token", "X-Amz-Meta-Password", "X-Auth-Token", "Authorization", "X-Amzn-New-Token")
					w.Header().Set("Location", "https://"+s3Host+"/key?X-Amz-Signature="+url.QueryEscape(secret()))
					w.Header().Set("Content-Type", "text/xml")
					w.WriteHeader(status)
					io.Copy(io.Discard, r.Body)
					io.WriteString(w, replyBody)
				}))
				a := newScript(always(refusal.Repeat))
				p := start(t, c, Config{Arbiter: a, Held: true, Hold: func(string) time.Duration { return time.Millisecond },
					Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
				r := request(t, "POST", "https://"+s3Host+"/key?"+query, strings.NewReader(requestBody))
				r.Header = header
				r.Header.Set("User-Agent", goClient)
				do(t, client(t, p, status == 503), r)

				seen := a.last(t)
				for _, x := range append(a.refused, seen.Exchange) {
					dump, err := json.Marshal(x)
					if err != nil {
						t.Fatal(err)
					}
					text := string(dump) + string(x.Body) + string(x.ReplyBody) + x.URL.String()
					if plain, err := url.QueryUnescape(text); err == nil {
						text += plain
					}
					if i := strings.Index(text, "SECRET"); i >= 0 {
						t.Errorf("status %d: a secret is in the exchange: …%s…", status, text[max(0, i-80):min(len(text), i+40)])
					}
					if x.Credential != akid {
						t.Errorf("credential is %q", x.Credential)
					}
					if strings.Contains(requestBody, "keep-me") && !strings.Contains(string(x.Body), "keep-me") {
						t.Errorf("the body lost what is no secret: %s", x.Body)
					}
					for _, name := range []string{"Authorization", "Cookie", "X-Amz-Security-Token", "Proxy-Authorization"} {
						if x.Header[name] != nil || x.Reply[name] != nil {
							t.Errorf("%s is in the exchange", name)
						}
					}
				}
				if text := log.String(); strings.Contains(text, "SECRET") || strings.Contains(text, p.secret) || !strings.Contains(text, s3Host) {
					t.Errorf("the log: %s", text)
				}
			}
		}
	}
}

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
	x := newExchange(r, s3Host)
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
		{"", "X-Amz-Credential=" + akid + "%2F20261122%2Fus-east-1%2Fs3%2Faws4_request", akid},
		{"", "AWSAccessKeyId=" + akid + "&Signature=x", akid},
		{"Bearer token", "", ""},
		{"AWS4-HMAC-SHA256 Credential=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", ""},
		{"AWS4-HMAC-SHA256 Credential=not+an+access+key/x", "", ""},
		{"AWS4-HMAC-SHA256", "", ""}, {"", "X-Amz-Credential=%zz", ""}, {"", "", ""},
	} {
		r := &http.Request{Header: http.Header{"Authorization": {tt.authorization}}, URL: &url.URL{RawQuery: tt.query}}
		if got := credential(r); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.authorization, tt.query, got, tt.want)
		}
	}
}

func TestDecode(t *testing.T) {
	plain := pattern(3 * refusal.MaxBody)
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
		if got := decode(tt.encoding, tt.body); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(tt.want))
		}
	}
	got := decode("gzip", zipped[:len(zipped)/8])
	if len(got) == 0 || !bytes.HasPrefix(plain, got) {
		t.Errorf("cut gzip: %d bytes, not the body's start", len(got))
	}
}

// A compressed refusal is read decoded and delivered as it came.
func TestCompressedRefusal(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, denied)
	z.Close()
	c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(403)
		w.Write(zipped.Bytes())
	}))
	a := newScript(always(refusal.Deliver))
	p := start(t, c, Config{Arbiter: a, Held: true})
	resp, got := do(t, client(t, p, false), request(t, "GET", "https://"+sqsHost+"/", nil))
	if got != zipped.String() || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the client got %q, %v", got, resp.Header)
	}
	for _, x := range []refusal.Exchange{a.last(t).Exchange, a.refused[0]} {
		if string(x.ReplyBody) != denied || x.Status != 403 {
			t.Errorf("the arbiter got %d %q", x.Status, x.ReplyBody)
		}
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
			if _, value, ok := strings.Cut(pair, "="); ok && value != redacted || !ok && pair != redacted {
				t.Errorf("%q became %q", before[i], pair)
			}
		}
		if i := slices.Index(before, "X-Amz-Signature=s"); i >= 0 && after[i] != "X-Amz-Signature=REDACTED" {
			t.Errorf("a signature stays: %q", got)
		}
	})
}
