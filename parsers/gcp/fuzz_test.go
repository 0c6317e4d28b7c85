package gcp

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/refusaltest"
)

// FuzzRead holds the laws of refusaltest for any exchange: no panic, no denial
// beside an error, plain permissions that fit the request, evidence from the
// input, one answer.
func FuzzRead(f *testing.F) {
	for _, file := range refusaltest.Files(f) {
		if _, ok := file.Text(); ok {
			continue
		}
		x := file.Exchange(f)
		f.Add(x.Method, x.URL.String(), x.Header.Get("Content-Type"), x.Body, x.Status,
			x.Reply.Get("Content-Type"), x.Reply.Get("Grpc-Status"), x.Reply.Get("Grpc-Message"), x.Reply.Get("Grpc-Status-Details-Bin"), x.ReplyBody)
	}
	f.Fuzz(func(t *testing.T, method, address, kind string, body []byte, status int, replyKind, grpcStatus, grpcMessage, details string, reply []byte) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		laws().Exchange(t, refusal.Exchange{
			Method: method, URL: u, Header: http.Header{"Content-Type": {kind}}, Body: body, Status: status,
			Reply:     http.Header{"Content-Type": {replyKind}, "Grpc-Status": {grpcStatus}, "Grpc-Message": {grpcMessage}, "Grpc-Status-Details-Bin": {details}},
			ReplyBody: reply,
		})
	})
}

// FuzzText holds the laws of refusaltest for any text.
func FuzzText(f *testing.F) {
	for _, file := range refusaltest.Files(f) {
		if text, ok := file.Text(); ok {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) { laws().Words(t, text) })
}
