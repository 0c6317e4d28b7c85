// Package host reads the host that a request to an embedded cloud names.
package host

import (
	"net"
	"strings"
)

// Name gives a host's name as the tables of the gates have it: in lower case, without
// a port and without the dot that ends a whole domain name.
func Name(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
