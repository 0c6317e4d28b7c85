package moto

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Scope is the part of a credential's scope by which moto finds the service
// and the region of a request.
func Scope(accessKeyID, region, service string) string {
	return "AWS4-HMAC-SHA256 Credential=" + accessKeyID + "/20000101/" + region + "/" + service +
		"/aws4_request, SignedHeaders=host, Signature=0"
}

// Query asks a service with the query protocol, in the name of nobody. It gives
// the reply's status and body: a refusal of moto's is not an error.
func (h *Host) Query(ctx context.Context, service, region string, params url.Values) (int, []byte, error) {
	return h.ask(ctx, service, region, http.MethodPost, hostname(service, region), "/", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, params.Encode())
}

// JSON asks a service with a JSON protocol, by the full name of the operation
// ("TrentService.GetKeyPolicy"), and reads a good reply into answer.
func (h *Host) JSON(ctx context.Context, service, region, target string, question, answer any) (int, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return 0, err
	}
	status, reply, err := h.ask(ctx, service, region, http.MethodPost, hostname(service, region), "/", http.Header{
		"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}, string(body))
	if err != nil || status != http.StatusOK {
		return status, err
	}
	if err := json.Unmarshal(reply, answer); err != nil {
		return status, fmt.Errorf("moto: %s: %w", target, err)
	}
	return status, nil
}

// S3 asks for a path of S3, "/bucket/key?sub-resource", by its escaped form.
func (h *Host) S3(ctx context.Context, method, path string) (int, http.Header, []byte, error) {
	reply, err := h.send(ctx, "s3", "us-east-1", method, "s3.us-east-1.amazonaws.com", path, http.Header{}, "")
	if err != nil {
		return 0, nil, nil, err
	}
	body, err := io.ReadAll(reply.Body)
	return reply.StatusCode, reply.Header, body, err
}

func (h *Host) ask(ctx context.Context, service, region, method, host, path string, header http.Header, body string) (int, []byte, error) {
	reply, err := h.send(ctx, service, region, method, host, path, header, body)
	if err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(reply.Body)
	return reply.StatusCode, text, err
}

func (h *Host) send(ctx context.Context, service, region, method, host, path string, header http.Header, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+host+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("moto: ask %s: %w", service, err)
	}
	r.Header = header
	r.Header.Set("Authorization", Scope("AKIAWHITTLE000000000", region, service))
	return h.RoundTrip(r)
}

func hostname(service, region string) string {
	if service == "iam" {
		return "iam.amazonaws.com"
	}
	return service + "." + region + ".amazonaws.com"
}
