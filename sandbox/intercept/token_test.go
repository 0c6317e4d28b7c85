package intercept

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const shown = "whittle-placeholder-1"

// ring gives tokens, the next one each time; an error when it has none.
type ring struct {
	mu     sync.Mutex
	tokens []string
}

func (*ring) Placeholder() string { return shown }

func (r *ring) Bearer(context.Context, string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.tokens) == 0 {
		return "", errors.New("the account is gone")
	}
	token := r.tokens[0]
	if len(r.tokens) > 1 {
		r.tokens = r.tokens[1:]
	}
	return token, nil
}

// notes keeps what the arbiter is told, and repeats a refusal once.
type notes struct {
	mu       sync.Mutex
	seen     []refusal.Exchange
	repeated bool
}

func (n *notes) Refused(_ context.Context, x refusal.Exchange) refusal.Verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.repeated {
		return refusal.Deliver
	}
	n.repeated = true
	return refusal.Repeat
}

func (n *notes) Observed(x refusal.Exchange, _ int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = append(n.seen, x)
}

// last is what was observed last, without the reply's body.
func (n *notes) last() refusal.Exchange {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen[len(n.seen)-1]
}

func TestTokenIsPutIn(t *testing.T) {
	var mu sync.Mutex
	var got []string // Authorization headers and access_token parameters that the cloud saw
	c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization")+r.URL.Query().Get("access_token"))
		if r.URL.Path == "/refused" && len(got) == 1 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = w.Write(body)
	}))
	type call struct {
		name, method, url, authorization, form string
		cloud                                  []string // what the cloud sees
		credential                             string
		reply                                  string // part of the reply
	}
	for _, tt := range []call{
		{name: "bearer", url: "https://compute.googleapis.com/x", authorization: "Bearer " + shown, cloud: []string{"Bearer live-1"}, credential: shown},
		{name: "repeated, with the token of then", url: "https://compute.googleapis.com/refused", authorization: "Bearer " + shown, cloud: []string{"Bearer live-1", "Bearer live-2"}, credential: shown},
		{name: "query", url: "https://oauth2.googleapis.com/tokeninfo?access_token=" + shown, cloud: []string{"live-1"}, credential: shown},
		{name: "another token", url: "https://compute.googleapis.com/x", authorization: "Bearer ya29.other", cloud: []string{"Bearer ya29.other"}},
		{name: "none", url: "https://compute.googleapis.com/x", cloud: []string{""}},
		{name: "another cloud", url: "https://sqs.us-east-1.amazonaws.com/x", authorization: "Bearer " + shown, cloud: []string{"Bearer " + shown}},
		{name: "refresh", method: "POST", url: "https://oauth2.googleapis.com/token", form: "grant_type=refresh_token&refresh_token=" + shown, reply: `"access_token":"` + shown + `"`},
		{name: "refresh of another", method: "POST", url: "https://oauth2.googleapis.com/token", form: "grant_type=refresh_token&refresh_token=1//other", cloud: []string{""}, reply: "refresh_token=1//other"},
		{name: "registry", url: "https://us-docker.pkg.dev/v2/token", authorization: "Bearer " + shown, reply: `"token":"` + shown + `"`},
		{name: "registry, another", url: "https://us-docker.pkg.dev/v2/token", authorization: "Bearer ya29.other", cloud: []string{"Bearer ya29.other"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &notes{}
			p := start(t, c, Config{Arbiter: n, Held: true, Token: &ring{tokens: []string{"live-1", "live-2"}}})
			mu.Lock()
			got = nil
			mu.Unlock()
			method := "GET"
			if tt.method != "" {
				method = tt.method
			}
			r, err := http.NewRequestWithContext(t.Context(), method, tt.url, strings.NewReader(tt.form))
			if err != nil {
				t.Fatal(err)
			}
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			reply, err := client(t, p, true).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(reply.Body)
			reply.Body.Close()
			if err != nil || reply.StatusCode != http.StatusOK || !strings.Contains(string(text), tt.reply) {
				t.Errorf("status %d, %s, %v", reply.StatusCode, text, err)
			}
			if strings.Contains(string(text), "live-") {
				t.Errorf("the client gets the token: %s", text)
			}
			if err := p.Close(); err != nil { // now everything has been observed
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if strings.Join(got, ",") != strings.Join(tt.cloud, ",") || len(got) != len(tt.cloud) {
				t.Errorf("the cloud saw %q, want %q", got, tt.cloud)
			}
			x := n.last()
			if x.Credential != tt.credential {
				t.Errorf("credential %q, want %q", x.Credential, tt.credential)
			}
			query, _ := url.QueryUnescape(x.URL.RawQuery)
			for _, secret := range []string{"live-", "ya29", "1//other"} {
				if strings.Contains(query+string(x.Body)+string(x.ReplyBody), secret) {
					t.Errorf("the arbiter sees %s: %s %s %s", secret, query, x.Body, x.ReplyBody)
				}
			}
		})
	}
}

// Where there is no token, the client is told why, and the cloud sees nothing.
func TestNoToken(t *testing.T) {
	c := startCloud(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the cloud was asked") }))
	p := start(t, c, Config{Token: &ring{}})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://compute.googleapis.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+shown)
	reply, err := client(t, p, true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, _ := io.ReadAll(reply.Body)
	if reply.StatusCode != http.StatusBadGateway || !strings.Contains(string(text), "no access token for the step: the account is gone") {
		t.Errorf("status %d: %s", reply.StatusCode, text)
	}
}
