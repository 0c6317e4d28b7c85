package ask

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestName(t *testing.T) {
	one, two := Name("decoy-", 4), Name("decoy-", 4)
	if !strings.HasPrefix(one, "decoy-") || len(one) != len("decoy-")+8 || one == two {
		t.Errorf("%q and %q", one, two)
	}
}

// What is sent is the exchange's request, with the credentials and nothing else; of the
// reply no more than a MiB is kept.
func TestSend(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("x", most+1))
	}))
	defer server.Close()
	u, err := url.Parse(server.URL + "/a%20b?c=d")
	if err != nil {
		t.Fatal(err)
	}
	x := refusal.Exchange{Method: "PUT", URL: u, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("hello")}
	for token, want := range map[string]string{"": "PUT /a%20b?c=d text/plain  hello", "secret": "PUT /a%20b?c=d text/plain Bearer secret hello"} {
		var sign Sign
		if token != "" {
			sign = Bearer(token)
		}
		got, err := Send(t.Context(), server.Client(), x, sign)
		if err != nil || got.Status != http.StatusForbidden || got.Header.Get("X-Saw") != want || len(got.Body) != most {
			t.Errorf("%d %q %d bytes, %v; want %q", got.Status, got.Header.Get("X-Saw"), len(got.Body), err, want)
		}
	}
	if x.Header.Get("Authorization") != "" {
		t.Error("the exchange holds the token")
	}
	no := errors.New("no credentials")
	if _, err := Send(t.Context(), server.Client(), x, func(*http.Request) error { return no }); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
}

func TestOK(t *testing.T) {
	if err := (Reply{Status: 201}).OK(); err != nil {
		t.Error(err)
	}
	for _, status := range []int{301, 403, 500} {
		err := (Reply{Status: status, Body: []byte("why" + strings.Repeat(".", 300))}).OK()
		if want := fmt.Sprintf("status %d: why%s", status, strings.Repeat(".", 197)); err == nil || err.Error() != want {
			t.Errorf("%d: %v", status, err)
		}
	}
}
