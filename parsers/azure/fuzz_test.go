package azure

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// archives gives the files of the corpus.
func archives(t testing.TB) []*txtar.Archive {
	files, _ := filepath.Glob("testdata/*.txtar")
	var all []*txtar.Archive
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// FuzzRead holds the laws of checkLaws for any exchange: no panic, no denial
// beside an error, plain permissions that fit the request, evidence from the
// input, one answer.
func FuzzRead(f *testing.F) {
	for _, a := range archives(f) {
		if section(a, "text") != nil {
			continue
		}
		x, err := exchangeOf(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x.Method, x.URL.String(), x.Header.Get("Content-Type"), x.Body, x.Status,
			x.Reply.Get("X-Ms-Error-Code"), x.ReplyBody)
	}
	f.Fuzz(func(t *testing.T, method, address, kind string, body []byte, status int, code string, reply []byte) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		checkLaws(t, refusal.Exchange{
			Method: method, URL: u, Header: http.Header{"Content-Type": {kind}}, Body: body, Status: status,
			Reply:     http.Header{"X-Ms-Error-Code": {code}},
			ReplyBody: reply,
		})
	})
}

// FuzzText holds the laws of checkText for any text.
func FuzzText(f *testing.F) {
	for _, a := range archives(f) {
		if text := section(a, "text"); text != nil {
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text) })
}
