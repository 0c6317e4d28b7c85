package gcp

import (
	"net/url"
	"testing"
)

func TestTunnel(t *testing.T) {
	for address, want := range map[string]string{
		"https://tunnel.cloudproxy.app/v4/connect?instance=i":      "iap.tunnelInstances.accessViaIAP",
		"https://mtls.tunnel.cloudproxy.app/v4/connect?instance=i": "iap.tunnelInstances.accessViaIAP",
		"https://tunnel.cloudproxy.app/v4/reconnect?sid=s":         "",
		"https://a.cloudproxy.app/v4/connect":                      "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, n := range Needs("GET", u, nil) {
			got += n.Permission
		}
		if got != want {
			t.Errorf("%s needs %q, want %q", address, got, want)
		}
	}
}
