package bearer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const placeholder = "whittle-placeholder-abc"

func request(t *testing.T, method, url string, authorization ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	return r
}

func login(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Only a request whose one credential is the placeholder gets the token, and only
// in its place; the client's own request is not changed.
func TestShownAndPut(t *testing.T) {
	const at = "https://compute.googleapis.com/compute/v1/projects/p"
	tests := map[string]struct {
		r    *http.Request
		want string // the Authorization header with the token, or the query; empty: not shown
	}{
		"bearer":          {request(t, "GET", at, "Bearer "+placeholder), "Bearer live/1"},
		"registry":        {request(t, "GET", at, login("oauth2accesstoken", placeholder)), login("oauth2accesstoken", "live/1")},
		"query":           {request(t, "GET", at+"?a=1&access_token="+placeholder+"&b=%20"), "a=1&access_token=live%2F1&b=%20"},
		"another":         {request(t, "GET", at, "Bearer ya29.other"), ""},
		"longer":          {request(t, "GET", at, "Bearer "+placeholder+"x"), ""},
		"another user":    {request(t, "GET", at, login("_json_key", placeholder)), ""},
		"none":            {request(t, "GET", at), ""},
		"two headers":     {request(t, "GET", at, "Bearer "+placeholder, "Bearer ya29.other"), ""},
		"two places":      {request(t, "GET", at+"?access_token=ya29.other", "Bearer "+placeholder), ""},
		"two in query":    {request(t, "GET", at+"?access_token=x&access_token="+placeholder), ""},
		"what is echoed":  {request(t, "TRACE", at, "Bearer "+placeholder), ""},
		"another header":  {func() *http.Request { r := request(t, "GET", at); r.Header.Set("X-Token", placeholder); return r }(), ""},
		"elsewhere in it": {request(t, "GET", at+"?q="+placeholder), ""},
	}
	for name, tt := range tests {
		if got := Shown(tt.r, placeholder); got != (tt.want != "") {
			t.Errorf("%s: shown %v", name, got)
			continue
		}
		if Shown(tt.r, "") {
			t.Errorf("%s: an empty placeholder is shown", name)
		}
		if tt.want == "" {
			continue
		}
		before := tt.r.Header.Get("Authorization")
		out := &http.Request{Header: http.Header{}, URL: tt.r.URL}
		for k, v := range tt.r.Header { // shares the values, as forward does
			out.Header[k] = v
		}
		Put(out, placeholder, "live/1")
		if got := out.Header.Get("Authorization") + strings.TrimPrefix(out.URL.RawQuery, "?"); got != tt.want {
			t.Errorf("%s: got %s", name, got)
		}
		if tt.r.Header.Get("Authorization") != before {
			t.Errorf("%s: the client's request was changed", name)
		}
	}
}

func TestRefreshed(t *testing.T) {
	post := func(url string) *http.Request { return request(t, "POST", url) }
	for url, want := range map[string]bool{
		"https://oauth2.googleapis.com/token": true, "https://accounts.google.com/o/oauth2/token": true, "https://www.googleapis.com/oauth2/v4/token": true,
		"https://oauth2.googleapis.com/revoke": false, "https://compute.googleapis.com/token": false,
	} {
		if r := post(url); Refreshes(r, r.URL.Host) != want {
			t.Errorf("%s: %v", url, !want)
		}
	}
	reply, ok := Refreshed([]byte("client_id=x&grant_type=refresh_token&refresh_token="+placeholder), "oauth2.googleapis.com", placeholder)
	var token struct {
		Access string `json:"access_token"`
		Left   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(reply, &token); !ok || err != nil || token.Access != placeholder || token.Left < 60 {
		t.Errorf("got %s, %v", reply, ok)
	}
	for _, form := range []string{"", "grant_type=refresh_token&refresh_token=1//other", "grant_type=refresh_token&refresh_token=",
		"grant_type=urn&refresh_token=" + placeholder, "grant_type=refresh_token&refresh_token=a&refresh_token=" + placeholder, "%zz"} {
		if reply, ok := Refreshed([]byte(form), "oauth2.googleapis.com", placeholder); ok {
			t.Errorf("%s is answered with %s", form, reply)
		}
		if _, ok := Refreshed([]byte(form), "oauth2.googleapis.com", ""); ok {
			t.Errorf("%s is answered without a placeholder", form)
		}
	}
}

func TestRegisters(t *testing.T) {
	for url, want := range map[string]bool{
		"https://us-central1-docker.pkg.dev/v2/token?scope=a": true, "https://gcr.io/v2/token": true, "https://eu.gcr.io/v2/token": true,
		"https://us-central1-docker.pkg.dev/v2/": false, "https://storage.googleapis.com/v2/token": false,
	} {
		if r := request(t, "GET", url); Registers(r, r.URL.Host) != want {
			t.Errorf("%s: %v", url, !want)
		}
	}
	if reply := Registered(placeholder, time.Unix(0, 0)); !bytes.Contains(reply, []byte(`"token":"`+placeholder)) {
		t.Errorf("got %s", reply)
	}
}

// Entra ID's form shows the placeholder as the client's secret; any other is
// passed on, and nothing is answered in the name of another host.
func TestRefreshedEntra(t *testing.T) {
	const host, form = "login.microsoftonline.com", "client_id=x&grant_type=client_credentials&scope=y&client_secret="
	for _, path := range []string{"/t/oauth2/v2.0/token", "/t/oauth2/token"} {
		if !Refreshes(httptest.NewRequest("POST", "https://"+host+path, nil), host) {
			t.Errorf("%s gives no token", path)
		}
	}
	for _, path := range []string{"/t/oauth2/v2.0/authorize", "/common/discovery/instance"} {
		if Refreshes(httptest.NewRequest("POST", "https://"+host+path, nil), host) {
			t.Errorf("%s gives a token", path)
		}
	}
	if reply, ok := Refreshed([]byte(form+placeholder), host, placeholder); !ok || !strings.Contains(string(reply), placeholder) {
		t.Errorf("%v, %s", ok, reply)
	}
	for _, other := range []string{form + "x", form + placeholder + "&client_secret=x", form, "grant_type=refresh_token&refresh_token=" + placeholder,
		"grant_type=password&client_secret=" + placeholder, "grant_type=client_credentials&client_assertion=" + placeholder} {
		if reply, ok := Refreshed([]byte(other), host, placeholder); ok {
			t.Errorf("%s is answered with %s", other, reply)
		}
	}
	if reply, ok := Refreshed([]byte(form+placeholder), "oauth2.googleapis.com", placeholder); ok {
		t.Errorf("Google answers with %s", reply)
	}
}
