// Package endpoint is the table of the hosts whose replies are the clouds' own
// words: the exact hosts of their APIs. Everything else is a stranger, hosts
// below the same domains that serve customers' content among them.
package endpoint

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// cloudDomain is one DNS domain under which a cloud has its APIs.
type cloudDomain struct {
	cloud refusal.Cloud
	name  string
	// opened tells whether the labels left of the domain, none for its own name,
	// name an API of the cloud itself.
	opened func(labels []string) bool
}

// table is every domain in which hosts are opened. A host outside it, or one
// that its domain's function does not know, is tunnelled.
var table = []cloudDomain{
	{refusal.AWS, "amazonaws.com", awsGlobalDomain},
	{refusal.AWS, "amazonaws.com.cn", awsChinaDomain},
	{refusal.AWS, "api.aws", awsDualStackDomain},
	{refusal.AWS, "api.amazonwebservices.com.cn", awsChinaDualStackDomain},
	{refusal.GCP, "googleapis.com", googleDomain},
	{refusal.GCP, "pkg.dev", packageDomain},
	{refusal.GCP, "gcr.io", registryDomain},
	{refusal.GCP, "accounts.google.com", itself}, // the older token endpoint
	{refusal.GCP, "tunnel.cloudproxy.app", tunnelDomain},
	{refusal.Azure, "management.azure.com", itself},
	{refusal.Azure, "login.microsoftonline.com", itself},
	{refusal.Azure, "graph.microsoft.com", itself},
	{refusal.Azure, "vault.azure.net", vaultDomain},
	{refusal.Azure, "core.windows.net", storageDomain},
}

// Of tells which cloud's API host is, if it is one whose refusals can be
// trusted: an exact host of the cloud's own services. Hosts on which the cloud
// serves its customers' content (API gateways, load balancers, function URLs,
// S3 websites, …) are none, nor is any host that the table does not know. Host
// is a DNS name without a port; case and one trailing dot do not matter.
func Of(host string) (refusal.Cloud, bool) {
	name, ok := Canonical(host)
	if !ok {
		return "", false
	}
	for _, d := range table {
		left, ok := strings.CutSuffix("."+name, "."+d.name)
		if !ok {
			continue
		}
		var labels []string
		if left != "" {
			labels = strings.Split(left[1:], ".")
		}
		if d.opened(labels) {
			return d.cloud, true
		}
	}
	return "", false
}

// Domains are the DNS domains that every host of the table is in.
func Domains() []string {
	var names []string
	for _, d := range table {
		names = append(names, d.name)
	}
	return names
}

// Canonical is the lower-case form of a DNS name without its trailing dot;
// ok is false if host is not made of letters, digits, hyphens and underscores
// (which old S3 buckets have) in labels of 1 to 63 bytes.
func Canonical(host string) (name string, ok bool) {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return "", false
	}
	b := []byte(host)
	label := 0
	for i, c := range b {
		switch {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = 0
			continue
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		if label++; label > 63 {
			return "", false
		}
	}
	return string(b), label > 0
}
