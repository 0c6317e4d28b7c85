package intercept

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

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
				// One claim of a credential is kept, of two neither.
				credential := akid
				switch status {
				case 200:
					credential = ""
				case 403:
					header.Del("Authorization")
				case 503:
					query = strings.Replace(query, "X-Amz-Credential", "X-Amz-Other", 1)
				}

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
					if x.Credential != credential {
						t.Errorf("status %d: credential is %q, want %q", status, x.Credential, credential)
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
