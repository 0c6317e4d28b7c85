package gcp

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// nobody starts a gate, and gives what a request by an account without rights
// comes to.
func nobody(t *testing.T, c Config) (*Gate, func(r *http.Request) (*trace.Trace, *httptest.ResponseRecorder)) {
	t.Helper()
	var last *trace.Trace
	c.Trace = func(e trace.Trace) { last = &e }
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	email := g.project.Number + "-compute@developer.gserviceaccount.com"
	var uid string
	err = g.state.Do(func(tx *store.Tx) error {
		account, err := token.Account(tx, g.project, email)
		uid = api.String(account, "uniqueId")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bearer := g.ring.Issue(token.Holder{Email: email, UID: uid, Expires: time.Now().Add(time.Hour)})
	return g, func(r *http.Request) (*trace.Trace, *httptest.ResponseRecorder) {
		r.Header.Set("Authorization", "Bearer "+bearer)
		last = nil
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		return last, rec
	}
}

var variable = regexp.MustCompile(`\{\+?([^}]*)\}`)

// plain is a request of a method with names that there need not be.
func plain(t *testing.T, m *route.Method) *http.Request {
	t.Helper()
	path := variable.ReplaceAllStringFunc(m.Template, func(v string) string {
		switch name := strings.Trim(v, "{+}"); name {
		case "project", "projectsId", "projectId":
			return "whittle-sandbox"
		case "zone", "zonesId":
			return "us-central1-a"
		case "region", "locationsId":
			return "us-central1"
		default:
			return "thing"
		}
	})
	body := ""
	if m.HTTP != http.MethodGet && m.HTTP != http.MethodDelete {
		body = `{"name": "thing"}`
	}
	r := httptest.NewRequestWithContext(t.Context(), m.HTTP, "https://"+m.Service.Host+"/"+m.Service.Prefix+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if found, ok := route.Find(m.Service.Host, m.HTTP, r.URL); !ok || found.ID != m.ID {
		return nil // another method's path, for this name
	}
	return r
}

// asksNothing tells whether a method has no permission to check, whatever the
// request says.
func asksNothing(m *route.Method) bool {
	for _, r := range rules.Rows(m) {
		if r.Permission != "-" {
			return false
		}
	}
	return true
}

// Each method that is served is refused to who holds nothing, and before anything
// else is said of it; with the gate open none is. So a test that a service refuses
// something fails with the gate open, whichever service it is.
func TestEachMethodIsRefused(t *testing.T) {
	closed, refusedTo := nobody(t, Config{})
	open, letThrough := nobody(t, Config{Open: true})
	tried := 0
	for _, m := range route.Methods() {
		if closed.services.handler(route.Match{Method: m}) == nil {
			continue
		}
		r := plain(t, m)
		if r == nil {
			t.Errorf("%s: another method has its path", m)
			continue
		}
		tried++
		e, rec := refusedTo(r)
		switch {
		case e == nil:
			t.Errorf("%s: not traced: %d %s", m, rec.Code, rec.Body)
		case asksNothing(m) && e.Refused:
			t.Errorf("%s asks for nothing and is refused: %s", m, rec.Body)
		case !asksNothing(m) && !e.Refused:
			t.Errorf("%s is not refused: %d %s", m, rec.Code, rec.Body)
		}
		if e, rec := letThrough(plain(t, m)); e == nil || e.Refused {
			t.Errorf("%s with the gate open: %d %s", m, rec.Code, rec.Body)
		}
	}
	for _, g := range []*Gate{closed, open} {
		for _, p := range g.Ledger().Problems() {
			t.Errorf("a problem: %v", p)
		}
	}
	t.Log(tried, "methods")
}

// So it is with the two protocols that have no discovery document.
func TestOtherProtocolsAreRefused(t *testing.T) {
	closed, refusedTo := nobody(t, Config{})
	open, letThrough := nobody(t, Config{Open: true})
	for _, g := range []*Gate{closed, open} {
		err := g.state.Do(func(tx *store.Tx) error {
			tx.Put("storage/b/thing", store.Object{"name": "thing", "id": "thing"})
			tx.Put("artifactregistry/projects/whittle-sandbox/locations/us-west1/repositories/thing", store.Object{
				"name": "projects/whittle-sandbox/locations/us-west1/repositories/thing", "format": "DOCKER"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{
		"GET https://storage.googleapis.com/thing", "GET https://storage.googleapis.com/thing/object", "PUT https://storage.googleapis.com/thing/object",
		"DELETE https://storage.googleapis.com/thing/object", "GET https://thing.storage.googleapis.com/object",
		"GET https://us-west1-docker.pkg.dev/v2/whittle-sandbox/thing/image/manifests/latest", "GET https://us-west1-docker.pkg.dev/v2/whittle-sandbox/thing/image/tags/list",
		"POST https://us-west1-docker.pkg.dev/v2/whittle-sandbox/thing/image/blobs/uploads/", "PUT https://us-west1-docker.pkg.dev/v2/whittle-sandbox/thing/image/manifests/latest",
	} {
		method, to, _ := strings.Cut(address, " ")
		make := func() *http.Request {
			return httptest.NewRequestWithContext(t.Context(), method, to, strings.NewReader(""))
		}
		if e, rec := refusedTo(make()); e == nil || !e.Refused || rec.Code != http.StatusForbidden {
			t.Errorf("%s is not refused: %d %s", address, rec.Code, rec.Body)
		}
		if e, rec := letThrough(make()); e == nil || e.Refused || rec.Code == http.StatusForbidden {
			t.Errorf("%s with the gate open: %d %s", address, rec.Code, rec.Body)
		}
	}
}
