package outside

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/whittle-iam/whittle/sandbox/intercept/endpoint"
)

// awsMetadata6 holds the IPv6 addresses of the instance metadata service, the
// time service and EKS's credentials.
// Source: EC2 User Guide, "Instance metadata service", fd00:ec2::254.
var awsMetadata6 = netip.MustParsePrefix("fd00:ec2::/32")

// ErrMetadata refuses what would reach the host machine's own role.
var ErrMetadata = errors.New("the host machine's metadata and credential services are closed to a step")

// IsMetadata tells whether host is, or may be, the address of a metadata or
// credential service of the machine that Whittle runs on: all of these are
// link-local.
func IsMetadata(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap().WithZone("")
		return ip.IsLinkLocalUnicast() || awsMetadata6.Contains(ip)
	}
	name, _ := endpoint.Canonical(host)
	return name == "metadata.google.internal" || name == "instance-data.ec2.internal"
}

// guard is a net.Dialer.Control that keeps names which resolve to such an
// address from being dialled.
func guard(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err == nil && IsMetadata(host) {
		return ErrMetadata
	}
	return nil
}
