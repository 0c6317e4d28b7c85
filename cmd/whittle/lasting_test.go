package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Who does not show the secret is told nothing and changes nothing; an address
// that is not on this machine is not asked; errors do not quote the secret.
func TestLastingIsGuarded(t *testing.T) {
	asked := 0
	server := httptest.NewServer(only("the-secret", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"cloud": "gcp"}`))
	})))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ address, cloud, want string }{
		{"http://whittle:the-secret@" + at.Host, "gcp", ""},
		{"http://whittle:the-secret@" + at.Host, "aws", "that sandbox is gcp"},
		{"http://whittle:another@" + at.Host, "gcp", "401"},
		{"http://whittle:@" + at.Host, "gcp", "no address of a sandbox"},
		{"http://" + at.Host, "gcp", "no address of a sandbox"},
		{"https://whittle:the-secret@" + at.Host, "gcp", "no address of a sandbox"},
		{"http://whittle:the-secret@192.0.2.1:80", "gcp", "no address of a sandbox"},
		{"http://whittle:the-secret@localhost.example.com:80", "gcp", "no address of a sandbox"},
		{"http://whittle:the-secret@127.0.0.1:1", "gcp", "is whittle cloud still up?"},
		{"http://whittle:the-secret@%zz", "gcp", "not the address of a sandbox"},
	} {
		_, err := lastingAt(t.Context(), c.address, c.cloud)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s for %s: %v; want %q", c.address, c.cloud, err, c.want)
		case err != nil && (strings.Contains(err.Error(), "the-secret") || strings.Contains(err.Error(), "another@")):
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
	if asked != 2 {
		t.Errorf("it was asked %d times", asked)
	}
}
