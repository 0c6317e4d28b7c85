package moto

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What CloudFront's policies, identities and functions are told is kept, goes
// through a life of its own, and needs the ETag that was read.
func TestEdge(t *testing.T) {
	h := start(t)
	ask := func(method, path, body, match string) (int, string, string) {
		t.Helper()
		reply, err := h.send(t.Context(), "cloudfront", "us-east-1", method, "cloudfront.amazonaws.com", "/2020-05-31/"+path, http.Header{"If-Match": {match}}, body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, string(text), reply.Header.Get("Etag")
	}
	want := func(method, path, body, match string, status int, part string) string {
		t.Helper()
		got, text, etag := ask(method, path, body, match)
		if got != status || !strings.Contains(text, part) {
			t.Errorf("%s %s: %d %s; want %d and %q", method, path, got, text, status, part)
		}
		return etag
	}
	for path, c := range map[string]struct{ config, other, list, managed string }{
		"cache-policy": {"<CachePolicyConfig><Name>n</Name><MinTTL>1</MinTTL></CachePolicyConfig>",
			"<CachePolicyConfig><Name>n</Name><MinTTL>2</MinTTL></CachePolicyConfig>", "<CachePolicyList>", "658327ea-f89d-4fab-a63d-7e88639e58f6"},
		"origin-request-policy": {"<OriginRequestPolicyConfig><Name>n</Name></OriginRequestPolicyConfig>",
			"<OriginRequestPolicyConfig><Name>m</Name></OriginRequestPolicyConfig>", "<OriginRequestPolicyList>", "216adef6-5c7f-47e4-b989-5492eafa07d3"},
		"response-headers-policy": {"<ResponseHeadersPolicyConfig><Name>n</Name></ResponseHeadersPolicyConfig>",
			"<ResponseHeadersPolicyConfig><Name>m</Name></ResponseHeadersPolicyConfig>", "<ResponseHeadersPolicyList>", "67f7725c-6f97-4210-82d7-5512b31e9d03"},
		"origin-access-identity/cloudfront": {"<CloudFrontOriginAccessIdentityConfig><CallerReference>r</CallerReference><Comment>a</Comment></CloudFrontOriginAccessIdentityConfig>",
			"<CloudFrontOriginAccessIdentityConfig><CallerReference>r</CallerReference><Comment>b</Comment></CloudFrontOriginAccessIdentityConfig>", "<CloudFrontOriginAccessIdentityList>", ""},
	} {
		_, made, etag := ask("POST", path, c.config, "")
		_, id, _ := strings.Cut(made, "<Id>")
		id, _, _ = strings.Cut(id, "<")
		want("POST", path, c.config, "", 409, "AlreadyExists")
		want("GET", path+"/"+id, "", "", 200, inner(c.config))
		want("GET", path+"/"+id+"/config", "", "", 200, inner(c.config))
		want("GET", path, "", "", 200, strings.TrimSuffix(c.list, ">"))
		if c.managed != "" {
			want("GET", path+"?Type=managed", "", "", 200, c.managed)
			want("DELETE", path+"/"+c.managed, "", want("GET", path+"/"+c.managed, "", "", 200, "Managed-"), 400, "IllegalDelete")
		}
		update := path + "/" + id
		if strings.HasPrefix(path, "origin-access") {
			update += "/config"
		}
		want("PUT", update, c.other, "E0", 400, "InvalidIfMatchVersion")
		etag = want("PUT", update, c.other, etag, 200, inner(c.other))
		want("DELETE", path+"/"+id, "", "E0", 400, "InvalidIfMatchVersion")
		want("DELETE", path+"/"+id, "", etag, 204, "")
		want("GET", path+"/"+id, "", "", 404, "NoSuch")
	}

	code := "<FunctionConfig><Comment>c</Comment><Runtime>cloudfront-js-2.0</Runtime></FunctionConfig><FunctionCode>" + base64.StdEncoding.EncodeToString([]byte("one")) + "</FunctionCode>"
	etag := want("POST", "function", "<CreateFunctionRequest><Name>f</Name>"+code+"</CreateFunctionRequest>", "", 201, "<Status>UNPUBLISHED</Status>")
	want("GET", "function/f/describe?Stage=LIVE", "", "", 404, "NoSuchFunctionExists")
	want("POST", "function/f/publish", "", "E0", 400, "InvalidIfMatchVersion")
	want("POST", "function/f/publish", "", etag, 200, "<Stage>LIVE</Stage>")
	want("GET", "function/f/describe?Stage=LIVE", "", "", 200, "<Stage>LIVE</Stage>")
	if _, text, _ := ask("GET", "function/f?Stage=LIVE", "", ""); text != "one" {
		t.Errorf("the code is %q", text)
	}
	want("DELETE", "function/f", "", etag, 204, "")
	want("GET", "function/f/describe", "", "", 404, "NoSuchFunctionExists")
}

// inner is what is within an element.
func inner(element string) string {
	_, rest, _ := strings.Cut(element, ">")
	return rest[:strings.LastIndex(rest, "</")]
}
