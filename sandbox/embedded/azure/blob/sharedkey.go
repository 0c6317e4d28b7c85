package blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// signedHeaders are the standard headers that a signature covers, in order.
var signedHeaders = []string{"Content-Encoding", "Content-Language", "Content-Length", "Content-Md5", "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"}

// Signed tells whether a request is signed with one of an account's keys. Source:
// "Authorize with Shared Key".
func Signed(r *http.Request, account string, keys []string) bool {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	who, signature, _ := strings.Cut(credential, ":")
	given, err := base64.StdEncoding.DecodeString(signature)
	if scheme != "SharedKey" || who != account || err != nil {
		return false
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n")
	for _, h := range signedHeaders {
		v := r.Header.Get(h)
		if h == "Content-Length" && v == "0" {
			v = ""
		}
		b.WriteString(v + "\n")
	}
	var names []string
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-ms-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ":" + strings.TrimSpace(r.Header.Get(name)) + "\n")
	}
	b.WriteString("/" + account + r.URL.EscapedPath())
	q := r.URL.Query()
	var params []string
	for name := range q {
		params = append(params, name)
	}
	slices.Sort(params)
	for _, name := range params {
		values := slices.Sorted(slices.Values(q[name]))
		b.WriteString("\n" + strings.ToLower(name) + ":" + strings.Join(values, ","))
	}
	for _, k := range keys {
		key, err := base64.StdEncoding.DecodeString(k)
		if err != nil || k == "" {
			continue
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(b.String())) //nolint:errcheck // a hash's Write gives none
		if hmac.Equal(mac.Sum(nil), given) {
			return true
		}
	}
	return false
}
