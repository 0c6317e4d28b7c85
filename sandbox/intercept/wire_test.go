package intercept

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// recorder is a server that keeps the bytes of the requests it gets.
type recorder struct {
	cloud
	requests chan string
}

// startRecorder answers every request, of which the end is known by end, with
// an empty 200.
func startRecorder(t *testing.T) recorder {
	t.Helper()
	ca := newCA(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", asHost(ca, "http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	rec := recorder{cloud{ca, l.Addr().String()}, make(chan string, 10)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go rec.serve(conn)
		}
	}()
	return rec
}

func (rec recorder) serve(conn net.Conn) {
	defer conn.Close()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.Header.Get("Expect") != "" {
			io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		rec.requests <- raw.String()
		raw.Reset()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

// normal is a request with its header lines lower-case up to the colon,
// trimmed and sorted: neither case nor order of names is signed, nor is the
// space around values.
func normal(raw string) (line string, header []string, body string) {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		header = append(header, strings.ToLower(name)+":"+strings.Trim(value, " "))
	}
	slices.Sort(header)
	return lines[0], header, body
}

// What arrives through the proxy is what arrives without it.
func TestBytesOnTheWire(t *testing.T) {
	requests := map[string]string{
		"plain":          "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"no user agent":  "GET /x HTTP/1.1\r\nHost: HOST\r\nAccept-Encoding: identity\r\n\r\n",
		"paths":          "GET /a%2Fb//c/./../d/%7e~%20+/e%C3%A9'()*!$&,;=:@/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"leading slash":  "GET //key/%2F HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"unescaped":      "GET /a|b{c}\"<>^`[1]\\ HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"query":          "GET /?list-type=2&prefix=a%2Fb+c&empty=&flag&a=1;b=2&%zz=%&=x&&z={} HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"query mark":     "GET /? HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"fragment":       "GET /a#b?c#d HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"port in host":   "GET / HTTP/1.1\r\nHost: HOST:443\r\n\r\n",
		"delete, zero":   "DELETE /key HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		"delete":         "DELETE /key HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"put, zero":      "PUT /key HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		"unusual method": "PROPFIND /key HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"signed headers": "POST / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: Boto3/1.40 md/Botocore#1.40\r\nAccept-Encoding: identity\r\n" +
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/sqs/aws4_request, SignedHeaders=accept-encoding;host;x-amz-date, Signature=abc\r\n" +
			"X-Amz-Date: 20261122T000000Z\r\nX-Amz-Security-Token: t//+==\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nX-Amzn-Trace-Id: Root=1\r\n" +
			"X-Amz-Meta-Text: a  b\tc \xc3\xa9 \xe9\r\nX-Amz-Meta-Twice: 1\r\nX-Amz-Meta-Twice: 2\r\nX-Amz-Empty:\r\nAmz-Sdk-Request: attempt=1; max=3\r\n" +
			"Cookie: a=b\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=x\r\nVia: 1.0 x\r\nReferer: /\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}",
		"expect":  "PUT /key HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
		"chunked": "PUT /key HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nX-Amz-Trailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n",
	}
	for name, raw := range requests {
		t.Run(name, func(t *testing.T) {
			rec := startRecorder(t)
			p := start(t, rec.cloud, Config{Arbiter: newScript(always(refusal.Repeat)), Held: true})
			raw := strings.ReplaceAll(raw, "HOST", s3Host)

			direct, err := tls.Dial("tcp", rec.addr, &tls.Config{ServerName: s3Host, RootCAs: pool(t, rec.ca)})
			if err != nil {
				t.Fatal(err)
			}
			defer direct.Close()
			opened := tls.Client(connect(t, p, s3Host+":443"), &tls.Config{ServerName: s3Host, RootCAs: pool(t, p.ca), NextProtos: []string{"http/1.1"}})
			defer opened.Close()

			var got [2]string
			for i, conn := range []net.Conn{direct, opened} {
				io.WriteString(conn, raw)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err == nil && resp.StatusCode == http.StatusContinue {
					err = nil
				}
				if err != nil || resp.StatusCode > 200 {
					t.Fatal(i, resp, err)
				}
				got[i] = <-rec.requests
			}
			wantLine, wantHeader, wantBody := normal(got[0])
			line, header, body := normal(got[1])
			if line != wantLine {
				t.Errorf("request line %q, want %q", line, wantLine)
			}
			if diff := cmp.Diff(wantHeader, header); diff != "" {
				t.Error("header (- direct, + through the proxy):", diff)
			}
			if body != wantBody {
				t.Errorf("body %q, want %q", body, wantBody)
			}
		})
	}
}

// The absolute form within an opened connection, and a path that only the
// absolute form can carry, name the same resource.
func TestAbsoluteForm(t *testing.T) {
	rec := startRecorder(t)
	p := start(t, rec.cloud, Config{})
	for target, want := range map[string]string{
		"https://" + s3Host + "/a%2Fb?x={}": "/a%2Fb?x={}",
		"https://" + s3Host:                 "/",
		"//a{b}":                            "https://" + s3Host + "//a{b}",
	} {
		conn := tls.Client(connect(t, p, s3Host+":443"), &tls.Config{ServerName: s3Host, RootCAs: pool(t, p.ca)})
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, s3Host)
		line, _, _ := normal(<-rec.requests)
		if line != "GET "+want+" HTTP/1.1" {
			t.Errorf("%s: sent as %q, want %q", target, line, want)
		}
		conn.Close()
	}
}

// Over HTTP/2 the fields arrive as they were sent.
func TestFieldsOverHTTP2(t *testing.T) {
	type fields map[string][]string
	got := make(chan fields, 1)
	ca := newCA(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", asHost(ca, "h2"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface)))
		f := http2.NewFramer(conn, conn)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			case *http2.MetaHeadersFrame:
				seen := make(fields)
				for _, field := range frame.Fields {
					seen[field.Name] = append(seen[field.Name], field.Value)
				}
				got <- seen
				var b bytes.Buffer
				hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID, BlockFragment: b.Bytes(), EndStream: true, EndHeaders: true})
			}
		}
	}()
	p := start(t, cloud{ca, l.Addr().String()}, Config{})
	r := request(t, "GET", "https://"+s3Host, nil)
	r.URL.Opaque = "//" + s3Host + "//a%2Fb{c}//"
	r.URL.RawQuery = "a=%2f&b"
	r.Header = http.Header{
		"User-Agent": nil, "Accept-Encoding": {"identity"}, "X-Amz-Meta-Twice": {"1", "2"},
		"X-Amz-Meta-Text": {"a  b"}, "Te": {"trailers"}, "Authorization": {"AWS4-HMAC-SHA256 x"},
	}
	do(t, client(t, p, true), r)
	want := fields{
		":method": {"GET"}, ":scheme": {"https"}, ":authority": {s3Host}, ":path": {"//a%2Fb{c}//?a=%2f&b"},
		"accept-encoding": {"identity"}, "x-amz-meta-twice": {"1", "2"}, "x-amz-meta-text": {"a  b"},
		"te": {"trailers"}, "authorization": {"AWS4-HMAC-SHA256 x"},
	}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
}
