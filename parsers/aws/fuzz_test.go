package aws

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
		x := file.Exchange(f)
		f.Add(x.Method, x.URL.String(), x.Header.Get("Content-Type"), x.Header.Get("X-Amz-Target"), x.Body,
			x.Status, x.Reply.Get("X-Amzn-Errortype"), x.Reply.Get("X-Amzn-Query-Error"), x.ReplyBody)
	}
	f.Fuzz(func(t *testing.T, method, address, kind, target string, body []byte, status int, errorType, queryError string, reply []byte) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		laws().Exchange(t, refusal.Exchange{
			Method: method, URL: u, Header: http.Header{"Content-Type": {kind}, "X-Amz-Target": {target}}, Body: body,
			Status: status, Reply: http.Header{"X-Amzn-Errortype": {errorType}, "X-Amzn-Query-Error": {queryError}}, ReplyBody: reply,
		})
	})
}
