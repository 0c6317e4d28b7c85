package intercept

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/whittle-iam/whittle/sandbox/intercept/outside"
	"github.com/whittle-iam/whittle/sandbox/intercept/socks"
)

// SOCKS is the same proxy for clients that speak SOCKS5 alone, on another port
// and with the same credentials ([Proxy.URL]).
type SOCKS = socks.Server

// StartSOCKS leads what comes by SOCKS5 to p, as CONNECT: what p opens, tunnels
// and refuses is the same. It serves until Close, or until ctx ends.
func StartSOCKS(ctx context.Context, p *Proxy) (*SOCKS, error) {
	host, _, err := net.SplitHostPort(p.addr)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	way := outside.Way{Proxy: func(*http.Request) (*url.URL, error) { return p.URL(), nil }}
	s, err := socks.Start(ctx, socks.Config{Listen: net.JoinHostPort(host, "0"), User: user, Password: p.secret, Connect: way.Connect, Log: p.log})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return s, nil
}
