package attempt

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// sentence is a refusal as IAM words it, from whoever wants a grant.
const sentence = `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111122223333:assumed-role/r/s ` +
	`is not authorized to perform: iam:CreateUser on resource: * because no identity-based policy allows the iam:CreateUser action` +
	`</Message></Error></ErrorResponse>`

// witness delivers every refusal and remembers all that it was shown.
type witness struct {
	mu   sync.Mutex
	seen []refusal.Exchange
}

func (w *witness) Refused(_ context.Context, x refusal.Exchange) refusal.Verdict {
	w.Observed(x, 0)
	return refusal.Deliver
}

func (w *witness) Observed(x refusal.Exchange, _ int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, x)
}

func (w *witness) take() []refusal.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// hostile is a step that runs until the test ends, and gives what a program in
// it has: its environment.
type hostile struct {
	*witness
	proxy  *url.URL
	bundle *x509.CertPool
}

func runHostile(t *testing.T, c Config) hostile {
	t.Helper()
	step := lifecycle.Step{Name: "hostile", Command: []string{"sh", "-c",
		`printf '%s\n%s\n' "$HTTPS_PROXY" "$SSL_CERT_FILE" > told.part && mv told.part told && while [ ! -e done ]; do sleep 0.02; done`}}
	c.Lifecycle = lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{step}}
	c.Work = filepath.Join(t.TempDir(), "run")
	e := executor(t, c)
	h := hostile{witness: &witness{}, bundle: x509.NewCertPool()}
	ended := make(chan error, 1)
	go func() {
		_, err := e.Attempt(context.WithoutCancel(t.Context()), harness.Attempt{Step: step, Arbiter: h.witness, Held: true})
		ended <- err
	}()
	t.Cleanup(func() {
		if err := os.WriteFile(filepath.Join(c.Work, "copy", "done"), nil, 0o600); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var told []byte
	for told == nil {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the step ended early: %v", err)
		case <-time.After(10 * time.Millisecond):
			told, _ = os.ReadFile(filepath.Join(c.Work, "copy", "told")) // not there yet
		}
	}
	lines := strings.Split(string(told), "\n")
	var err error
	if h.proxy, err = url.Parse(lines[0]); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(lines[1])
	if err != nil || !h.bundle.AppendCertsFromPEM(pem) {
		t.Fatalf("the run's certificates: %v", err)
	}
	return h
}

// connect asks the proxy for a connection to addr, as user, and gives its
// status.
func (h hostile) connect(t *testing.T, addr string, user *url.Userinfo) (net.Conn, int) {
	t.Helper()
	conn, err := net.Dial("tcp", h.proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	credentials := ""
	if user != nil {
		credentials = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.String())) + "\r\n"
	}
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", addr, addr, credentials)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	return conn, res.StatusCode
}

// send writes raw bytes into an opened connection to host and reads the status
// of each reply until the connection ends.
func (h hostile) send(t *testing.T, host, raw string) (statuses []int) {
	t.Helper()
	conn, status := h.connect(t, host+":443", h.proxy.User)
	if status != http.StatusOK {
		t.Fatalf("connect to %s: status %d", host, status)
	}
	secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: h.bundle})
	if _, err := io.WriteString(secure, raw); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(secure)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// A request for another host, or hidden in another's body, must not reach the
// cloud without the arbiter being told of just that request.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	const host = "sqs.us-east-1.amazonaws.com"
	var mu sync.Mutex
	var reached []string
	dial, roots := cloudHost(t, host, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		reached = append(reached, fmt.Sprintf("%s %s%s %q", r.Method, r.Host, r.URL.Path, body))
		mu.Unlock()
	})
	h := runHostile(t, Config{Dial: dial, RootCAs: roots})
	const head = "Host: " + host + "\r\n"
	for name, test := range map[string]struct {
		raw      string
		statuses []int
		reached  []string
	}{
		"another Host":         {"GET /a HTTP/1.1\r\nHost: iam.amazonaws.com\r\nConnection: close\r\n\r\n", []int{421}, nil},
		"another absolute URL": {"GET https://iam.amazonaws.com/a HTTP/1.1\r\n" + head + "Connection: close\r\n\r\n", []int{421}, nil},
		"two Hosts":            {"GET /a HTTP/1.1\r\n" + head + "Host: iam.amazonaws.com\r\nConnection: close\r\n\r\n", []int{400}, nil},
		"two lengths":          {"POST /a HTTP/1.1\r\n" + head + "Content-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy", []int{400}, nil},
		"a space in the name of a header": {"POST /a HTTP/1.1\r\n" + head + "Transfer-Encoding : chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
			[]int{400}, nil},
		"length and chunks": {"POST /a HTTP/1.1\r\n" + head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
			"GET /hidden HTTP/1.1\r\n" + head + "Connection: close\r\n\r\n", []int{200, 200}, []string{"POST " + host + `/a ""`, "GET " + host + `/hidden ""`}},
		"a request as a body": {"POST /a HTTP/1.1\r\n" + head + "Content-Length: 24\r\nConnection: close\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n",
			[]int{200}, []string{"POST " + host + `/a "GET /hidden HTTP/1.1\r\n\r\n"`}},
		"CONNECT within": {"CONNECT iam.amazonaws.com:443 HTTP/1.1\r\nHost: iam.amazonaws.com:443\r\nConnection: close\r\n\r\n", []int{421}, nil},
	} {
		mu.Lock()
		reached = nil
		mu.Unlock()
		statuses := h.send(t, host, test.raw)
		mu.Lock()
		if !slices.Equal(reached, test.reached) {
			t.Errorf("%s: %q reached the cloud, want %q", name, reached, test.reached)
		}
		mu.Unlock()
		if !slices.Equal(statuses, test.statuses) {
			t.Errorf("%s: statuses %v, want %v", name, statuses, test.statuses)
		}
		var told []string
		for _, x := range h.take() {
			told = append(told, fmt.Sprintf("%s %s%s %q", x.Method, x.URL.Host, x.URL.Path, x.Body))
		}
		if !slices.Equal(told, test.reached) {
			t.Errorf("%s: the arbiter was told of %q, want %q", name, told, test.reached)
		}
	}
}

// Whoever is not the cloud can word a refusal as he likes: the arbiter never
// sees it.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, sentence)
	})
	plain, secure := httptest.NewServer(refuse), httptest.NewTLSServer(refuse)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	var mu sync.Mutex
	var dialled []string
	h := runHostile(t, Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		dialled = append(dialled, addr)
		mu.Unlock()
		to := secure.Listener.Addr().String()
		if strings.HasSuffix(addr, ":80") {
			to = plain.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}})
	client := http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(h.proxy),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the hostile server's own certificate is what is wanted
	}}
	t.Cleanup(client.CloseIdleConnections)
	for _, u := range []string{
		"http://iam.amazonaws.com/", // over plain HTTP anybody could have answered
		"http://evil.example.com/",
		"https://evil.example.com/",
		"https://iam.amazonaws.com.evil.example.com/",
		"https://evil-iam.amazonaws.com/",
		"https://abcdef.execute-api.us-east-1.amazonaws.com/prod",
		"https://abcdef.lambda-url.us-east-1.on.aws/",
		"https://evil.s3-website-us-east-1.amazonaws.com/",
		"https://evil-111122223333.s3-object-lambda.us-east-1.amazonaws.com/key",
		"https://evil.us-east-1.elb.amazonaws.com/",
	} {
		res, err := client.Get(u)
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden || string(body) != sentence {
			t.Errorf("%s: %s %q", u, res.Status, body)
		}
		if seen := h.take(); len(seen) > 0 {
			t.Errorf("%s: the arbiter was shown %v", u, seen)
		}
	}

	// A server that takes the place of the cloud's own host has no certificate
	// for it, and what it says is not passed on.
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: h.bundle}
	res, err := client.Get("https://iam.amazonaws.com/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusBadGateway || strings.Contains(string(body), "AccessDenied") {
		t.Errorf("a false iam.amazonaws.com: %s %q", res.Status, body)
	}
	for _, x := range h.take() {
		if x.Status != http.StatusBadGateway {
			t.Errorf("a false iam.amazonaws.com: the arbiter was shown %v", x)
		}
	}

	mu.Lock()
	dialled = nil
	mu.Unlock()
	for _, addr := range []string{"169.254.169.254:80", "169.254.170.2:80", "[::ffff:169.254.169.254]:80", "[fd00:ec2::254]:80", "[fe80::1%25eth0]:80", "metadata.google.internal:80"} {
		if _, status := h.connect(t, addr, h.proxy.User); status != http.StatusForbidden {
			t.Errorf("connect to %s: status %d", addr, status)
		}
	}
	for _, user := range []*url.Userinfo{nil, url.UserPassword("whittle", ""), url.UserPassword("whittle", "guess"), url.User(h.proxy.User.Username())} {
		if _, status := h.connect(t, "iam.amazonaws.com:443", user); status != http.StatusProxyAuthRequired {
			t.Errorf("connect as %v: status %d", user, status)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(dialled) > 0 {
		t.Errorf("dialled %v", dialled)
	}
}

// What the arbiter is shown may end up in a journal: no credential and no
// secret that went over the wire is in it.
func TestHostileSecrets(t *testing.T) {
	t.Parallel()
	const host = "kms.us-east-1.amazonaws.com"
	dial, roots := cloudHost(t, host, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("Set-Cookie", "sekret-cookie")
		w.Header().Set("X-Amz-Unheard-Of", "sekret-header")
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, `{"Plaintext":"sekret-plaintext","nested":{"SecretAccessKey":"sekret-key","SessionToken":"sekret-\"token"}}`)
	})
	h := runHostile(t, Config{Dial: dial, RootCAs: roots})
	for _, path := range []string{"/", "/refused"} {
		body := `{"Plaintext":"sekret-request","ClientSecret" : "sekret-client"}`
		h.send(t, host, "POST "+path+"?X-Amz-Signature=sekret-sig&X-Amz-Security-Token=sekret-tok&unheard=sekret-param HTTP/1.1\r\nHost: "+host+"\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE123456789/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=sekret-sig\r\n"+
			"X-Amz-Security-Token: sekret-tok\r\nCookie: sekret-cookie\r\nX-Amz-Meta-Password: sekret-meta\r\n"+
			fmt.Sprintf("Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body))
		seen := h.take()
		if len(seen) == 0 {
			t.Errorf("%s: the arbiter was told of nothing", path)
		}
		for _, x := range seen {
			shown := fmt.Sprintf("%s %s %v %s %s %v %s", x.Method, x.URL, x.Header, x.Body, x.Credential, x.Reply, x.ReplyBody)
			if strings.Contains(shown, "sekret") {
				t.Errorf("%s: the arbiter was shown %s", path, shown)
			}
			if x.Credential != "ASIAEXAMPLE123456789" {
				t.Errorf("%s: credential %q", path, x.Credential)
			}
		}
	}
}
