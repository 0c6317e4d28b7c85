package wire

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// maxParts bounds the calls that are read from one batch; Google's own limit is
// 1000.
const maxParts = 1000

// Batch takes a batch reply apart: an exchange for each call, with the request
// that it answers where the request's body still tells it. ok is false for what
// is no batch ("Batching requests", multipart/mixed of application/http).
func Batch(x refusal.Exchange) (calls []refusal.Exchange, ok bool) {
	if x.Status != 200 || x.URL == nil {
		return nil, false
	}
	replies := parts(x.Reply.Get("Content-Type"), x.ReplyBody)
	if replies == nil {
		return nil, false
	}
	requests := parts(x.Header.Get("Content-Type"), x.Body)
	for i, r := range replies {
		first, header, body := message(r)
		fields := strings.Fields(first)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/") {
			continue
		}
		call := refusal.Exchange{URL: x.URL, Credential: x.Credential, ReplyBody: body}
		var err error
		if call.Status, err = strconv.Atoi(fields[1]); err != nil {
			continue
		}
		call.Reply = header
		if i < len(requests) {
			first, header, body := message(requests[i])
			if fields := strings.Fields(first); len(fields) >= 2 {
				if u, err := x.URL.Parse(fields[1]); err == nil && u.Host == x.URL.Host {
					call.Method, call.URL, call.Header, call.Body = fields[0], u, header, body
				}
			}
		}
		calls = append(calls, call)
	}
	return calls, true
}

// parts gives the parts of a multipart body, undecoded; the last one may be cut.
func parts(contentType string, body []byte) [][]byte {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return nil
	}
	all := [][]byte{}
	for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); len(all) < maxParts; {
		p, err := r.NextRawPart()
		if err != nil {
			return all
		}
		data, _ := io.ReadAll(p)
		all = append(all, data)
	}
	return all
}

// message takes an HTTP message apart.
func message(data []byte) (first string, header map[string][]string, body []byte) {
	head, body, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found {
		head, body, _ = bytes.Cut(data, []byte("\n\n"))
	}
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	header = make(map[string][]string)
	for _, l := range lines[1:] {
		if name, value, found := strings.Cut(l, ":"); found {
			if kind := strings.ToLower(strings.TrimSpace(name)); kind == "content-type" {
				header["Content-Type"] = []string{strings.TrimSpace(value)}
			}
		}
	}
	return strings.TrimSpace(lines[0]), header, body
}
