package intercept

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/fxamacker/cbor/v2"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// withholder answers every request with reply if that has a status, and marks
// what is refused if mark is set. Tokens are "whittle-" and a number.
type withholder struct {
	reply func(refusal.Exchange) (refusal.Exchange, bool)
	mark  bool

	mu     sync.Mutex
	asked  []refusal.Exchange
	marked []refusal.Exchange
	tokens []string
}

func (h *withholder) token() string {
	t := fmt.Sprintf("whittle-%04d", len(h.tokens))
	h.tokens = append(h.tokens, t)
	return t
}

func (h *withholder) Withheld(x refusal.Exchange) (refusal.Exchange, string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, x)
	if h.reply == nil {
		return refusal.Exchange{}, "", false
	}
	reply, ok := h.reply(x)
	if !ok {
		return refusal.Exchange{}, "", false
	}
	return reply, h.token(), true
}

func (h *withholder) Marked(x refusal.Exchange) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.marked = append(h.marked, x)
	if !h.mark {
		return "", false
	}
	return h.token(), true
}

func (h *withholder) told() (asked, marked []refusal.Exchange, tokens []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked, h.marked, h.tokens
}

// sdkCall is a call of a real client, and what the cloud says to it.
type sdkCall struct {
	name   string
	status int
	header http.Header
	body   string
	call   func(ctx context.Context, c aws.Config, hc *http.Client) error
}

const dynamoDenied = `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: arn:aws:iam::123456789012:role/r is not authorized to perform: dynamodb:ListTables on resource: * because no identity-based policy allows the dynamodb:ListTables action"}`

func sdkCalls(t *testing.T) []sdkCall {
	coded, err := cbor.Marshal(map[string]string{"__type": "com.amazonaws.cloudwatch#AccessDenied", "message": "User: u is not authorized to perform: cloudwatch:ListMetrics because no identity-based policy allows the cloudwatch:ListMetrics action"})
	if err != nil {
		t.Fatal(err)
	}
	google := func(c *http.Client) []option.ClientOption {
		return []option.ClientOption{option.WithHTTPClient(c)}
	}
	return []sdkCall{
		{"ec2", 403, http.Header{"Content-Type": {"text/xml;charset=UTF-8"}, "X-Amzn-Requestid": {"r-1"}},
			`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action</Message></Error></Errors><RequestID>r-1</RequestID></Response>`,
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := ec2.NewFromConfig(c).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
				return err
			}},
		{"iam", 403, http.Header{"Content-Type": {"text/xml"}, "X-Amzn-Requestid": {"r-1"}},
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: iam:ListRoles on resource: arn:aws:iam::123456789012:role/ because no identity-based policy allows the iam:ListRoles action</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := iam.NewFromConfig(c).ListRoles(ctx, &iam.ListRolesInput{})
				return err
			}},
		{"s3", 403, http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"R1"}, "X-Amz-Id-2": {"I2="}},
			`<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R1</RequestId><HostId>I2=</HostId></Error>`,
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
				return err
			}},
		{"s3 put", 403, http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"R1"}},
			`<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`,
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(pattern(3 << 20))})
				return err
			}},
		{"s3 head", 403, http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"R1"}}, "",
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := s3.NewFromConfig(c).HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
				return err
			}},
		{"dynamodb", 400, http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"R1"}, "X-Amz-Crc32": {fmt.Sprint(crc32.ChecksumIEEE([]byte(dynamoDenied)))}},
			dynamoDenied,
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := dynamodb.NewFromConfig(c).ListTables(ctx, &dynamodb.ListTablesInput{})
				return err
			}},
		{"cloudwatch", 403, http.Header{"Content-Type": {"application/cbor"}, "Smithy-Protocol": {"rpc-v2-cbor"}, "X-Amzn-Requestid": {"R1"}}, string(coded),
			func(ctx context.Context, c aws.Config, _ *http.Client) error {
				_, err := cloudwatch.NewFromConfig(c).ListMetrics(ctx, &cloudwatch.ListMetricsInput{})
				return err
			}},
		{"compute", 403, http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
			`{"error":{"code":403,"message":"Required 'compute.networks.get' permission for 'projects/p/global/networks/n'","errors":[{"message":"Required 'compute.networks.get' permission for 'projects/p/global/networks/n'","domain":"global","reason":"forbidden"}]}}`,
			func(ctx context.Context, _ aws.Config, hc *http.Client) error {
				s, err := compute.NewService(ctx, google(hc)...)
				if err != nil {
					return err
				}
				_, err = s.Networks.Get("p", "n").Do()
				return err
			}},
		{"storage", 403, http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Guploader-Uploadid": {"U1"}},
			`{"error":{"code":403,"message":"a@b does not have storage.buckets.get access to the Google Cloud Storage bucket."}}`,
			func(ctx context.Context, _ aws.Config, hc *http.Client) error {
				s, err := storage.NewService(ctx, google(hc)...)
				if err != nil {
					return err
				}
				_, err = s.Buckets.Get("b").Do()
				return err
			}},
		{"storage, text", 403, http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, "Forbidden",
			func(ctx context.Context, _ aws.Config, hc *http.Client) error {
				s, err := storage.NewService(ctx, google(hc)...)
				if err != nil {
					return err
				}
				_, err = s.Objects.Insert("b", &storage.Object{Name: "o"}).Media(strings.NewReader("content"), googleapi.ChunkSize(0)).Do()
				return err
			}},
	}
}

// A request that is withheld never leaves, and a real client's error shows its
// token; so it does where the cloud's own refusal is marked. The arbiter is told
// once of each, and of the token.
func TestWithheldFromSDKs(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		for _, tt := range sdkCalls(t) {
			t.Run(tt.name, func(t *testing.T) {
				var mu sync.Mutex
				sent := 0
				c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					sent++
					mu.Unlock()
					io.Copy(io.Discard, r.Body)
					for name, values := range tt.header {
						w.Header()[name] = values
					}
					w.WriteHeader(tt.status)
					if r.Method != http.MethodHead {
						io.WriteString(w, tt.body)
					}
				}))
				h := &withholder{mark: true}
				a := newScript(always(refusal.Deliver))
				p := start(t, c, Config{Arbiter: a, Held: true, Withhold: h})
				hc := client(t, p, h2)
				config := aws.Config{
					Region: "us-east-1", HTTPClient: hc, RetryMaxAttempts: 1,
					Credentials: credentials.NewStaticCredentialsProvider(akid, sdkSecret, ""),
				}

				// The cloud's own refusal, marked.
				failed := func() observation {
					t.Helper()
					_, before := a.told()
					err := tt.call(t.Context(), config, hc)
					seen := a.last(t)
					_, _, tokens := h.told()
					if err == nil || !strings.Contains(err.Error(), tokens[len(tokens)-1]) {
						t.Errorf("the client's error shows no token %q: %v", tokens[len(tokens)-1], err)
					}
					_, after := a.told()
					if after != before+1 || seen.Status != tt.status || seen.Token != tokens[len(tokens)-1] || len(tokens) != before+1 {
						t.Errorf("observed %d times: status %d, token %q of %q", after-before, seen.Status, seen.Token, tokens)
					}
					return seen
				}
				failed()
				_, marked, _ := h.told()
				if sent != 1 || len(marked) != 1 || marked[0].Status != tt.status || tt.body != "" && string(marked[0].ReplyBody) != tt.body || marked[0].Token != "" {
					t.Fatalf("%d requests sent, marked %+v", sent, marked)
				}

				// The same reply, as it was recorded, in the cloud's place.
				h.mu.Lock()
				h.reply = func(refusal.Exchange) (refusal.Exchange, bool) { return marked[0], true }
				h.mu.Unlock()
				seen := failed()
				refused, _ := a.told()
				if sent != 1 || refused != 1 {
					t.Errorf("%d requests sent, %d refusals told", sent, refused)
				}
				asked, again, _ := h.told()
				if len(again) != 1 || len(asked) != 2 || asked[1].Status != 0 || asked[1].Reply != nil {
					t.Errorf("asked %d times, marked %d", len(asked), len(again))
				}
				if !bytes.Equal(asked[1].Body, seen.Body) || asked[1].Credential != seen.Credential || asked[1].URL.String() != seen.URL.String() {
					t.Errorf("asked about %+v, observed %+v", asked[1], seen.Exchange)
				}
			})
		}
	})
}

// What is not withheld and not marked passes as it would without a withholder,
// with the start of its body shown before it is sent.
func TestNotWithheld(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || r.Trailer.Get("X-End") != "" && r.Trailer.Get("X-End") != "yes" {
				t.Error(err, r.Trailer)
			}
			if r.URL.Path == "/refused" {
				refuse(w)
				return
			}
			fmt.Fprintf(w, "%d %08x", len(body), crc32.ChecksumIEEE(body))
		}))
		h := &withholder{}
		a := newScript(always(refusal.Deliver))
		for _, held := range []bool{false, true} {
			p := start(t, c, Config{Arbiter: a, Held: held, Withhold: h})
			hc := client(t, p, h2)
			for _, size := range []int{0, 10, refusal.MaxBody, 2 << 20} {
				for _, known := range []bool{true, false} {
					body := pattern(size)
					var in io.Reader = bytes.NewReader(body)
					if !known {
						in = struct{ io.Reader }{in}
					}
					r := request(t, "PUT", "https://"+s3Host+"/key", in)
					if !known {
						r.Trailer = http.Header{"X-End": {"yes"}}
					}
					resp, got := do(t, hc, r)
					if want := fmt.Sprintf("%d %08x", size, crc32.ChecksumIEEE(body)); resp.StatusCode != 200 || got != want {
						t.Fatalf("%d bytes (known %v): %d %q, want %q", size, known, resp.StatusCode, got, want)
					}
					seen := a.last(t)
					asked, _, _ := h.told()
					if start := body[:min(size, refusal.MaxBody)]; !bytes.Equal(asked[len(asked)-1].Body, start) || !bytes.Equal(seen.Body, start) || seen.Token != "" {
						t.Errorf("%d bytes (known %v): asked about %d, observed %d", size, known, len(asked[len(asked)-1].Body), len(seen.Body))
					}
				}
			}
			resp, got := do(t, hc, request(t, "GET", "https://"+sqsHost+"/refused", nil))
			if resp.StatusCode != 403 || got != denied {
				t.Errorf("%d %q", resp.StatusCode, got)
			}
			a.last(t)
		}
		if _, marked, _ := h.told(); len(marked) != 2 {
			t.Errorf("marked %d times", len(marked))
		}
	})
}

// A refusal that came compressed is marked, and leaves plain; one that is longer
// than what is read leaves as it came, and nobody is asked for a token.
func TestMarkedForms(t *testing.T) {
	long := `{"message":"` + strings.Repeat("x", refusal.MaxBody) + `"}`
	c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch r.URL.Path {
		case "/zipped", "/zipped-long":
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(400)
			z := gzip.NewWriter(w)
			io.WriteString(z, map[string]string{"/zipped": `{"message":"no"}`, "/zipped-long": long}[r.URL.Path])
			z.Close()
		case "/long":
			w.WriteHeader(400)
			io.WriteString(w, long)
		case "/stream":
			w.WriteHeader(400)
			http.NewResponseController(w).Flush()
			io.WriteString(w, `{"message":"no"}`)
		case "/conflict":
			w.WriteHeader(409)
			io.WriteString(w, `{"message":"no"}`)
		case "/fault":
			w.WriteHeader(500)
			io.WriteString(w, `{"message":"no"}`)
		}
	}))
	h := &withholder{mark: true}
	a := newScript(always(refusal.Deliver))
	p := start(t, c, Config{Arbiter: a, Withhold: h})
	for _, tt := range []struct {
		path, want string
		marked     bool
	}{
		{"/zipped", `{"message":"no (TOKEN)"}`, true}, {"/stream", `{"message":"no (TOKEN)"}`, true}, {"/conflict", `{"message":"no (TOKEN)"}`, true},
		{"/long", long, false}, {"/zipped-long", long, false}, {"/fault", `{"message":"no"}`, false},
	} {
		r := request(t, "GET", "https://"+sqsHost+tt.path, nil)
		resp, body := do(t, client(t, p, false), r)
		if resp.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(b)
		}
		seen := a.last(t)
		_, marked, tokens := h.told()
		want := tt.want
		if tt.marked {
			want = strings.ReplaceAll(want, "TOKEN", tokens[len(tokens)-1])
		}
		if body != want || (seen.Token != "") != tt.marked || tt.marked && resp.Header.Get("X-Amzn-Requestid") != tokens[len(tokens)-1] {
			t.Errorf("%s: token %q, got %.100s", tt.path, seen.Token, body)
		}
		if len(marked) != len(tokens) {
			t.Errorf("%s: a token was asked for and not used", tt.path)
		}
		if tt.marked && string(seen.ReplyBody) != want {
			t.Errorf("%s: observed %.100s", tt.path, seen.ReplyBody)
		}
	}
}

// What the arbiter would have repeated until the hold was spent is marked where
// the client gets the refusal, and not where it is told to try again.
func TestMarkedAfterTheHold(t *testing.T) {
	for ua, status := range map[string]int{"curl/8": 403, goClient: 503} {
		h := &withholder{mark: true}
		a := newScript(always(refusal.Repeat))
		inMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { refuse(w) }),
			Config{Arbiter: a, Held: true, Withhold: h}, func(t *testing.T, c *http.Client) {
				r := request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("x"))
				r.Header.Set("User-Agent", ua)
				resp, body := do(t, c, r)
				asked, marked, tokens := h.told()
				if resp.StatusCode != status || len(asked) != 1 || (len(marked) == 1) != (status == 403) {
					t.Errorf("%s: %d %q, asked %d times, marked %d", ua, resp.StatusCode, body, len(asked), len(marked))
				}
				if seen := a.last(t); status == 403 && (!strings.Contains(body, tokens[0]) || seen.Token != tokens[0]) || status == 503 && seen.Token != "" {
					t.Errorf("%s: %q", ua, body)
				}
			})
	}
}

// The reply to a withheld request has nothing of the past that would mislead the
// client, and nothing that was only told by name.
func TestWithheldReply(t *testing.T) {
	recorded := refusal.Exchange{
		Status: 403, ReplyBody: []byte(`{"message":"no"}`),
		Reply: http.Header{
			"Content-Type": {"application/json"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}, "Content-Length": {"9"}, "Content-Encoding": {"gzip"},
			"Connection": {"close"}, "Transfer-Encoding": {"chunked"}, "X-Amz-Secret-Thing": {"REDACTED"}, "Retry-After": {"3"}, "X-Amzn-Errortype": {"AccessDenied"},
		},
	}
	h := &withholder{reply: func(refusal.Exchange) (refusal.Exchange, bool) { return recorded, true }}
	a := newScript(always(refusal.Deliver))
	p := start(t, startCloud(t, http.NotFoundHandler()), Config{Arbiter: a, Withhold: h})
	hc := client(t, p, false)
	resp, body := do(t, hc, request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("x")))
	if resp.StatusCode != 403 || body != `{"message":"no (whittle-0000)"}` || resp.Header.Get("Retry-After") != "3" || resp.Header.Get("X-Amzn-Errortype") != "AccessDenied" || resp.Close {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("date %q", resp.Header.Get("Date"))
	}
	for _, name := range []string{"Content-Encoding", "X-Amz-Secret-Thing"} {
		if resp.Header.Get(name) != "" {
			t.Errorf("%s: %s", name, resp.Header.Get(name))
		}
	}
	if seen := a.last(t); seen.Token != "whittle-0000" || string(seen.ReplyBody) != body || string(seen.Body) != "x" {
		t.Errorf("observed %+v", seen)
	}
	// What cannot be used is not: the request goes to the cloud.
	for name, broken := range map[string]refusal.Exchange{
		"no status": {ReplyBody: recorded.ReplyBody, Reply: recorded.Reply},
		"cut":       {Status: 403, ReplyBody: make([]byte, refusal.MaxBody), Reply: recorded.Reply},
		"marked":    {Status: 403, ReplyBody: recorded.ReplyBody, Reply: recorded.Reply, Token: "whittle-0000"},
	} {
		recorded = broken
		if resp, _ := do(t, hc, request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("x"))); resp.StatusCode != 404 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if seen := a.last(t); seen.Token != "" || seen.Status != 404 {
			t.Errorf("%s: observed %+v", name, seen)
		}
	}
}

// A large body is taken before the reply, so that the client reads it; a stream
// that ends only when it is answered is answered all the same.
func TestWithheldBodies(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		h := &withholder{reply: func(refusal.Exchange) (refusal.Exchange, bool) {
			return refusal.Exchange{Status: 403, Reply: http.Header{"Content-Type": {"text/plain"}}, ReplyBody: []byte("no")}, true
		}}
		a := newScript(always(refusal.Deliver))
		p := start(t, startCloud(t, http.NotFoundHandler()), Config{Arbiter: a, Held: true, Withhold: h})
		hc := client(t, p, h2)
		for _, size := range []int{100 << 10, 6 << 20} {
			whole := pattern(size)
			for name, in := range map[string]io.Reader{"known": bytes.NewReader(whole), "not known": struct{ io.Reader }{bytes.NewReader(whole)}} {
				resp, body := do(t, hc, request(t, "PUT", "https://"+s3Host+"/k", in))
				if resp.StatusCode != 403 || resp.Close || !strings.HasPrefix(body, "no (whittle-") {
					t.Errorf("%d bytes, length %s: %d %q", size, name, resp.StatusCode, body)
				}
				if seen := a.last(t); !bytes.Equal(seen.Body, whole[:refusal.MaxBody]) {
					t.Errorf("observed %d bytes", len(seen.Body))
				}
			}
		}
		in, out := io.Pipe()
		go io.WriteString(out, "first")
		resp, body := do(t, hc, request(t, "POST", "https://"+s3Host+"/k", in))
		if resp.StatusCode != 403 || !strings.HasPrefix(body, "no (whittle-") {
			t.Errorf("stream: %d %q", resp.StatusCode, body)
		}
		out.Close()
		if seen := a.last(t); string(seen.Body) != "first" {
			t.Errorf("observed %q", seen.Body)
		}
	})
}

// A stream that goes on only when the cloud has it is sent after a while, with all
// that came since.
func TestStreamIsNotWaitedFor(t *testing.T) {
	arrived := make(chan struct{})
	c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		io.Copy(w, r.Body)
	}))
	h := &withholder{}
	a := newScript(always(refusal.Deliver))
	p := start(t, c, Config{Arbiter: a, Withhold: h})
	in, out := io.Pipe()
	go func() {
		io.WriteString(out, "first")
		<-arrived
		io.WriteString(out, ", second")
		out.Close()
	}()
	if _, body := do(t, client(t, p, false), request(t, "POST", "https://"+s3Host+"/k", in)); body != "first, second" {
		t.Errorf("got %q", body)
	}
	if asked, _, _ := h.told(); string(asked[0].Body) != "first" {
		t.Errorf("asked about %q", asked[0].Body)
	}
	if seen := a.last(t); string(seen.Body) != "first, second" {
		t.Errorf("observed %q", seen.Body)
	}
}

// Who asks for an access token is not asked about.
func TestTokensAreNotWithheld(t *testing.T) {
	h := &withholder{reply: func(refusal.Exchange) (refusal.Exchange, bool) { return refusal.Exchange{Status: 403}, true }}
	p := start(t, startCloud(t, http.NotFoundHandler()), Config{Token: new(ring), Withhold: h})
	r := request(t, "POST", "https://oauth2.googleapis.com/token", strings.NewReader("grant_type=refresh_token&refresh_token="+shown))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, body := do(t, client(t, p, false), r); resp.StatusCode != 200 {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if asked, _, _ := h.told(); len(asked) != 0 {
		t.Errorf("asked about %v", asked[0].URL)
	}
}
