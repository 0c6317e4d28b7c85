package aws

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// FuzzRead holds the laws of checkLaws for any exchange: no panic, no denial
// beside an error, plain permissions that fit the request, evidence from the
// input, one answer.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		x, err := exchangeOf(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x.Method, x.URL.String(), x.Header.Get("Content-Type"), x.Header.Get("X-Amz-Target"), x.Body,
			x.Status, x.Reply.Get("X-Amzn-Errortype"), x.Reply.Get("X-Amzn-Query-Error"), x.ReplyBody)
	}
	f.Fuzz(func(t *testing.T, method, address, kind, target string, body []byte, status int, errorType, queryError string, reply []byte) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		checkLaws(t, refusal.Exchange{
			Method: method, URL: u, Header: http.Header{"Content-Type": {kind}, "X-Amz-Target": {target}}, Body: body,
			Status: status, Reply: http.Header{"X-Amzn-Errortype": {errorType}, "X-Amzn-Query-Error": {queryError}}, ReplyBody: reply,
		})
	})
}
