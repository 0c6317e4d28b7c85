package intercept

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const sdkSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// verified lets requests through to next only if their signature is right,
// which it finds out by signing what it got anew.
func verified(t *testing.T, next http.Handler) http.Handler {
	signer := v4.NewSigner()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := verify(signer, r); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func verify(signer *v4.Signer, r *http.Request) error {
	var scope []string
	var signed, signature string
	query := r.URL.Query()
	presigned := query.Get("X-Amz-Signature") != ""
	date := r.Header.Get("X-Amz-Date")
	if presigned {
		scope = strings.Split(query.Get("X-Amz-Credential"), "/")
		signed, signature, date = query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"), query.Get("X-Amz-Date")
	} else {
		for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ", ") {
			name, value, _ := strings.Cut(part, "=")
			switch name {
			case "Credential":
				scope = strings.Split(value, "/")
			case "SignedHeaders":
				signed = value
			case "Signature":
				signature = value
			}
		}
	}
	if len(scope) != 5 {
		return fmt.Errorf("no credential scope in %v", r.Header)
	}
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return err
	}
	// Signed anew is the request as it stands on the wire, with the headers
	// that the client signed and no others.
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: r.Host}}
	if again.URL, err = url.Parse("https://" + r.Host + r.RequestURI); err != nil {
		return err
	}
	for name := range strings.SplitSeq(signed, ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			values, ok := r.Header[http.CanonicalHeaderKey(name)]
			if !ok {
				return fmt.Errorf("signed header %s is missing", name)
			}
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if presigned {
		hash = "UNSIGNED-PAYLOAD"
	}
	if hash == "" || len(hash) == 64 {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); hash != "" && hash != got {
			return fmt.Errorf("body has hash %s, signed is %s", got, hash)
		}
		hash = hex.EncodeToString(sum[:])
	}
	creds := aws.Credentials{AccessKeyID: scope[0], SecretAccessKey: sdkSecret, SessionToken: r.Header.Get("X-Amz-Security-Token")}
	plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = scope[3] == "s3" }
	if presigned {
		q := again.URL.Query()
		q.Del("X-Amz-Signature")
		again.URL.RawQuery = q.Encode()
		creds.SessionToken = ""
		uri, _, err := signer.PresignHTTP(r.Context(), creds, again, hash, scope[3], scope[2], at, plain)
		if err != nil {
			return err
		}
		if u, err := url.Parse(uri); err != nil || u.Query().Get("X-Amz-Signature") != signature {
			return fmt.Errorf("presigned URL's signature is wrong (%v)", err)
		}
		return nil
	}
	if err := signer.SignHTTP(r.Context(), creds, again, hash, scope[3], scope[2], at, plain); err != nil {
		return err
	}
	if !strings.HasSuffix(again.Header.Get("Authorization"), "Signature="+signature) {
		return fmt.Errorf("signature is wrong over %s of %v", signed, r.Header)
	}
	return nil
}

// fakeAWS is as much of S3 and SQS as the test needs. It refuses the first
// request of each operation.
type fakeAWS struct {
	mu      sync.Mutex
	refused map[string]bool
	objects map[string][]byte
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A body is read before the lock is taken: the streams of one connection
	// share its window.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	class := r.Method + " " + r.RequestURI + " " + r.Header.Get("X-Amz-Target")
	if !f.refused[class] {
		f.refused[class] = true
		if r.Header.Get("X-Amz-Target") != "" {
			refuse(w)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		}
		return
	}
	switch {
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.CreateQueue":
		var in struct{ QueueName string }
		if err := json.Unmarshal(body, &in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"QueueUrl":"https://%s/123456789012/%s"}`, r.Host, in.QueueName)
	case r.Method == http.MethodPut:
		if r.Header.Get("Content-Encoding") == "aws-chunked" {
			body = unchunk(body)
		}
		f.objects[r.Host+r.URL.Path] = body
		w.Header().Set("Etag", `"x"`)
	case f.objects[r.Host+r.URL.Path] == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "binary/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(len(f.objects[r.Host+r.URL.Path])))
		w.Write(f.objects[r.Host+r.URL.Path])
	}
}

// unchunk reads aws-chunked framing.
func unchunk(b []byte) []byte {
	var out []byte
	for {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		var size int
		if _, err := fmt.Sscanf(string(line), "%x", &size); !ok || err != nil || size == 0 || len(rest) < size+2 {
			return out
		}
		out, b = append(out, rest[:size]...), rest[size+2:]
	}
}

// A real SDK's signed calls, each refused once, succeed without the SDK seeing
// a refusal, and every signature that arrives is right.
func TestSDK(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		cloud := &fakeAWS{refused: map[string]bool{}, objects: map[string][]byte{}}
		c := startCloud(t, verified(t, cloud))
		a := newScript(always(refusal.Repeat))
		p := start(t, c, Config{Arbiter: a, Held: true})
		hc := client(t, p, h2)
		config := aws.Config{
			Region: "us-east-1", HTTPClient: hc, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(akid, sdkSecret, "session//token=="),
		}
		ctx := t.Context()

		queue, err := sqs.NewFromConfig(config).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q")})
		if err != nil || aws.ToString(queue.QueueUrl) != "https://"+sqsHost+"/123456789012/q" {
			t.Fatal(queue, err)
		}
		store := s3.NewFromConfig(config)
		var wg sync.WaitGroup
		for key, size := range map[string]int{"plain": 10, "a b/c+d/é~(1)'*!": 100, "/leading//double/": 1000, "large": 2 << 20} {
			body := pattern(size)
			for name, put := range map[string]func(key string) error{
				"checksum in a trailer": func(key string) error {
					_, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key), Body: bytes.NewReader(body),
						Metadata: map[string]string{"name": "a  b"}, ContentType: aws.String("text/plain")})
					return err
				},
				"signed payload": func(key string) error {
					_, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key), Body: bytes.NewReader(body)},
						s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
					return err
				},
				"presigned": func(key string) error { return putPresigned(ctx, hc, store, key, body) },
			} {
				wg.Go(func() {
					key := key + name
					if err := put(key); err != nil {
						t.Errorf("put %q: %v", key, err)
						return
					}
					if _, err := store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)}); err != nil {
						t.Errorf("head %q: %v", key, err)
					}
					out, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)})
					if err != nil {
						t.Errorf("get %q: %v", key, err)
						return
					}
					got, err := io.ReadAll(out.Body)
					out.Body.Close()
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("get %q: %d bytes, want %d; %v", key, len(got), len(body), err)
					}
				})
			}
		}
		wg.Wait()
		// Observed comes after the reply: wait for the last one.
		for range 1 + 4*3*3 {
			a.last(t)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, o := range a.observed {
			if o.Status != 200 || o.repeats != 1 || o.Credential != akid {
				t.Errorf("%s %s: status %d, %d repeats, credential %q", o.Method, o.URL, o.Status, o.repeats, o.Credential)
			}
		}
	})
}

func putPresigned(ctx context.Context, hc *http.Client, store *s3.Client, key string, body []byte) error {
	signed, err := s3.NewPresignClient(store).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range signed.SignedHeader {
		if name != "Host" {
			r.Header[name] = values
		}
	}
	resp, err := hc.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// When the hold is spent the SDK tries again by itself, and gets through.
func TestSDKTriesAgain(t *testing.T) {
	cloud := &fakeAWS{refused: map[string]bool{}, objects: map[string][]byte{}}
	var mu sync.Mutex
	requests := 0
	c := startCloud(t, verified(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		still := requests < 3
		mu.Unlock()
		if still {
			refuse(w)
			return
		}
		cloud.ServeHTTP(w, r)
	})))
	a := newScript(always(refusal.Repeat))
	p := start(t, c, Config{Arbiter: a, Held: true, Hold: func(string) time.Duration { return time.Millisecond }})
	out, err := sqs.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: client(t, p, false),
		Credentials: credentials.NewStaticCredentialsProvider(akid, sdkSecret, ""),
		Retryer: func() aws.Retryer {
			// The SDK's own rules, without its waits.
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 10
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(out, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, o := range a.observed[:2] {
		if o.Status != http.StatusServiceUnavailable {
			t.Errorf("observation %d: %d", i, o.Status)
		}
	}
}
