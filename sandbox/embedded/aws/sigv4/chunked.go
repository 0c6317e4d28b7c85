package sigv4

import (
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// Unchunk takes a body apart that was sent in aws-chunked form: chunks of
// "size[;chunk-signature=…]" and the bytes, and after the last the trailing
// headers. The chunks' own signatures are not verified; the request's is.
//
// Source: "Transferring Payload in Multiple Chunks", Amazon S3 API Reference.
func Unchunk(body []byte) (payload []byte, trailer http.Header, err error) {
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		if !ok {
			return nil, nil, fmt.Errorf("aws-chunked: a chunk has no size")
		}
		digits, _, _ := strings.Cut(string(line), ";")
		size, err := strconv.ParseUint(digits, 16, 31)
		if err != nil {
			return nil, nil, fmt.Errorf("aws-chunked: size %.20q of a chunk is no hexadecimal number", digits)
		}
		if size == 0 {
			trailer, err := trailing(rest)
			return payload, trailer, err
		}
		if uint64(len(rest)) < size+2 || !bytes.HasPrefix(rest[size:], []byte("\r\n")) {
			return nil, nil, fmt.Errorf("aws-chunked: a chunk of %d bytes is cut short", size)
		}
		payload = append(payload, rest[:size]...)
		body = rest[size+2:]
	}
}

// trailing reads the headers after the last chunk.
func trailing(text []byte) (http.Header, error) {
	trailer := http.Header{}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(line), ":")
		if !ok {
			return nil, fmt.Errorf("aws-chunked: a trailing header has no value")
		}
		if key = textproto.CanonicalMIMEHeaderKey(key); key != "X-Amz-Trailer-Signature" {
			trailer.Add(key, strings.TrimSpace(value))
		}
	}
	return trailer, nil
}
