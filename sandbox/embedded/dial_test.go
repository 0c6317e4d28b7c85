package embedded

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The cloud's hosts are the sandbox, on the port that the cloud serves them on;
// what belongs to this machine's own place in a real cloud is nowhere.
func TestDialGuards(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.NotFoundHandler())
	defer service.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	_, port, err := net.SplitHostPort(elsewhere.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := &Cloud{address: service.Listener.Addr().String(), simulation: simulation{domains: domains{"amazonaws.com"}}}
	for addr, want := range map[string]string{
		"sts.amazonaws.com:443":      c.address,
		"STS.amazonaws.com.:443":     c.address,
		"localhost:" + port:          "127.0.0.1:" + port,
		"127.0.0.1:" + port:          "127.0.0.1:" + port,
		"[::ffff:127.0.0.1]:" + port: "127.0.0.1:" + port,
	} {
		conn, err := c.Dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if got := conn.RemoteAddr().String(); got != want {
			t.Errorf("%s leads to %s, want %s", addr, got, want)
		}
		conn.Close()
	}
	for _, addr := range []string{"sts.amazonaws.com:80", "mybucket.s3.amazonaws.com:8443", "sts.amazonaws.com:https", "sts.amazonaws.com:0443", "sts.amazonaws.com:"} {
		conn, err := c.Dial(t.Context(), "tcp", addr)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "dial "+addr+": the embedded sandbox serves the cloud's hosts on port 443 only") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{"169.254.169.254:80", "169.254.170.2:80", "[fe80::1]:80", "[fd00:ec2::254]:80", "[::ffff:169.254.169.254]:80"} {
		conn, err := c.Dial(t.Context(), "tcp", addr)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errMetadata) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	// A name is judged by what it resolves to, which is what a dialer shows.
	for addr, want := range map[string]bool{
		"169.254.169.254:80": true, "[fe80::1%lo]:80": true, "[fd00:ec2::23]:80": true, "[::ffff:169.254.169.254]:80": true,
		"127.0.0.1:80": false, "192.0.2.1:443": false, "[2001:db8::1]:443": false, "[::1]:1": false,
		"not an address": true, "name.example:80": true, // never shown, and nothing that could be judged
	} {
		if got := guard("tcp", addr, nil) != nil; got != want {
			t.Errorf("%s refused: %v", addr, got)
		}
	}
}
