// Package exchange describes requests and replies without what they were signed
// with: of headers and queries it keeps the values that are listed as harmless,
// of bodies the start without the fields that are credentials.
package exchange

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Redacted stands in the place of what an exchange does not show.
const Redacted = "REDACTED"

// maxValue is the longest value of a header that is shown, in bytes. A longer one
// is left out whole: its start could say something else.
const maxValue = 16 << 10

// Of describes a request to host, an opened one, without what it was
// signed with. The body is added later, as it is read.
func Of(r *http.Request, host string) refusal.Exchange {
	header := keepHeader(r.Header, plainRequestHeaders, "X-Amz-")
	header["Host"] = []string{r.Host}
	if source := header.Get("X-Amz-Copy-Source"); source != "" {
		header.Set("X-Amz-Copy-Source", redactURL(source))
	}
	return refusal.Exchange{
		Method: r.Method,
		URL: &url.URL{
			Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath,
			RawQuery: redactQuery(r.URL.RawQuery),
		},
		Header:     header,
		Credential: credential(r),
	}
}

// WithRequestBody adds the start of the request's body.
func WithRequestBody(x refusal.Exchange, body []byte) refusal.Exchange {
	x.Body = redactBody(x.Header.Get("Content-Type"), body)
	return x
}

// WithReply adds a reply, whose body is the start of what came over the wire.
func WithReply(x refusal.Exchange, status int, header http.Header, body []byte) refusal.Exchange {
	x.Status = status
	x.Reply = keepHeader(header, plainReplyHeaders, "X-Amz-", "X-Amzn-")
	if location := x.Reply.Get("Location"); location != "" {
		x.Reply.Set("Location", redactURL(location))
	}
	x.ReplyBody = redactBody(header.Get("Content-Type"), Decode(header.Get("Content-Encoding"), body))
	return x
}

// keepHeader copies the headers of h whose names are plain, and with their
// values redacted those with one of the prefixes.
func keepHeader(h http.Header, plain map[string]bool, prefixes ...string) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		switch {
		case credentialHeaders[name]:
		case plain[name]:
			size := 0
			for _, v := range values {
				size += len(v)
			}
			if kept[name] = []string{Redacted}; size <= maxValue {
				kept[name] = append([]string(nil), values...)
			}
		default:
			for _, p := range prefixes {
				if strings.HasPrefix(name, p) {
					kept[name] = []string{Redacted}
					break
				}
			}
		}
	}
	return kept
}

// redactQuery replaces the values of a raw query that are not known to be
// harmless, and leaves all else as it is on the wire.
func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || value == "" {
			if !ok && len(name) > 64 {
				pairs[i] = Redacted // not a sub-resource: a token on its own
			}
			continue
		}
		plain, err := url.QueryUnescape(name)
		if err == nil && plainQuery[plain] || isARN(value) {
			continue
		}
		pairs[i] = name + "=" + Redacted
	}
	return strings.Join(pairs, "&")
}

func isARN(value string) bool {
	v, err := url.QueryUnescape(value)
	return err == nil && strings.HasPrefix(v, "arn:aws") && strings.Count(v, ":") >= 5
}

// redactURL redacts the query of a URL within a header.
func redactURL(s string) string {
	base, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	return base + "?" + redactQuery(query)
}
