package outside

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What leads to the host machine's own role is stopped at the dial, where names
// are resolved already.
func TestGuard(t *testing.T) {
	for address, want := range map[string]bool{
		"169.254.169.254:80": true, "[fd00:ec2::254]:80": true, "[fe80::1%eth0]:80": true,
		"127.0.0.1:80": false, "192.0.2.1:443": false, "[2001:db8::1]:443": false,
	} {
		if got := guard("tcp", address, nil) != nil; got != want {
			t.Errorf("dial of %s refused: %v", address, got)
		}
	}
	if _, err := (Way{}).Connect(t.Context(), "169.254.169.254:80"); !errors.Is(err, ErrMetadata) {
		t.Errorf("the dialer that is used without another gave %v", err)
	}
}

func TestUpstreamProxyIsNamedInErrors(t *testing.T) {
	for _, tt := range []struct {
		via  string
		err  error
		want string
	}{
		{"ftp://proxy.example:21", nil, `upstream proxy proxy.example:21: scheme "ftp" is not supported`},
		{"", errors.New("no such file"), "upstream proxy: no such file"},
	} {
		w := Way{Proxy: func(*http.Request) (*url.URL, error) {
			u, _ := url.Parse(tt.via)
			return u, tt.err
		}}
		if _, err := w.Connect(t.Context(), "registry.example:443"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q in it", err, tt.want)
		}
	}
}
