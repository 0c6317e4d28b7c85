package sigv4

import (
	"net/http"
	"slices"
	"strings"
)

// Strip takes the signature off a verified request: what it gives is the
// request that was meant, with a presigned URL's parameters gone and a body in
// chunks put together, its trailing headers among the others. The request
// itself stays as it is.
func (c Claim) Strip(r *http.Request, body []byte) (*http.Request, []byte, error) {
	plain := r.Clone(r.Context())
	if c.Presigned {
		query := r.URL.Query()
		for _, k := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token", "Content-Sha256"} {
			query.Del("X-Amz-" + k)
		}
		plain.URL.RawQuery = query.Encode()
	}
	for _, name := range []string{"Authorization", "X-Amz-Security-Token"} {
		plain.Header.Del(name)
	}
	if !c.Streaming() {
		return plain, body, nil
	}
	body, trailer, err := Unchunk(body)
	if err != nil {
		return nil, nil, err
	}
	for k, v := range trailer {
		plain.Header[k] = v
	}
	plain.Header.Del("X-Amz-Decoded-Content-Length")
	plain.Header.Del("X-Amz-Trailer")
	plain.Header.Set("X-Amz-Content-Sha256", unsigned)
	encodings := strings.Split(strings.Join(plain.Header.Values("Content-Encoding"), ","), ",")
	encodings = slices.DeleteFunc(encodings, func(e string) bool { e = strings.TrimSpace(e); return e == "" || e == "aws-chunked" })
	plain.Header.Del("Content-Encoding")
	if len(encodings) > 0 {
		plain.Header.Set("Content-Encoding", strings.Join(encodings, ","))
	}
	return plain, body, nil
}
