package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/intercept/endpoint"
)

// strangers are the hosts below the cloud's domains that a step wanted to reach
// and that are no API of the cloud's: the embedded sandbox does not stand for
// them, and the real ones must not be reached with its credentials.
type strangers struct {
	mu    sync.Mutex
	hosts map[string]bool
}

// dial connects to the embedded sandbox and to what is not the cloud's; a
// stranger it refuses at once, where a client would else find a certificate
// that it cannot trust, and try again for long.
func (s *strangers) dial(cloud *embedded.Cloud) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if _, known := endpoint.Of(host); !known && cloud.Has(host) {
			s.add(strings.ToLower(strings.TrimSuffix(host, ".")))
			return nil, fmt.Errorf("dial %s: the embedded sandbox does not simulate this host: it is none of the cloud's APIs, or serves what customers made", addr)
		}
		return cloud.Dial(ctx, network, addr)
	}
}

func (s *strangers) add(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil {
		s.hosts = map[string]bool{}
	}
	s.hosts[host] = true
}

// list gives the hosts, sorted.
func (s *strangers) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.hosts))
}

// lines is what is said of the hosts.
func (s *strangers) lines() []string {
	var lines []string
	for _, h := range s.list() {
		lines = append(lines, "the host "+h)
	}
	return lines
}
