package stamp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"hash/crc32"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

const token = "whittle-7f3a"

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body, want string
	}{
		{"query", "text/xml", `<ErrorResponse><Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
			`<ErrorResponse><Error><Code>AccessDenied</Code><Message>a &amp; b (whittle-7f3a)</Message></Error><RequestId>whittle-7f3a</RequestId></ErrorResponse>`},
		{"ec2", "text/xml;charset=UTF-8", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>\n",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no (whittle-7f3a)</Message></Error></Errors><RequestID>whittle-7f3a</RequestID></Response>\n"},
		{"s3", "application/xml", `<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R</RequestId><HostId>H=</HostId></Error>`,
			`<Error><Code>AccessDenied</Code><Message>Access Denied (whittle-7f3a)</Message><RequestId>whittle-7f3a</RequestId><HostId>whittle-7f3a</HostId></Error>`},
		{"xml without a message", "application/xml", `<Error><Code>AccessDenied</Code></Error>`, `<Error><Code>AccessDenied</Code><Message> (whittle-7f3a)</Message></Error>`},
		{"xml, empty message", "application/xml", `<Error><Message/><Code>AccessDenied</Code></Error>`, `<Error><Message/><Code>AccessDenied</Code><Message> (whittle-7f3a)</Message></Error>`},
		{"storage's xml", "application/xml", `<Error><Code>AccessDenied</Code><Message>no</Message><Details>who may not</Details></Error>`,
			`<Error><Code>AccessDenied</Code><Message>no (whittle-7f3a)</Message><Details>who may not (whittle-7f3a)</Details></Error>`},
		{"cut xml", "application/xml", `<Error><Code>AccessDenied</Code><Message>no</Message>`, ""},
		{"json 1.1", "application/x-amz-json-1.1", `{"__type":"AccessDeniedException","Message":"a \"b\""}`, `{"__type":"AccessDeniedException","Message":"a \"b\" (whittle-7f3a)"}`},
		{"json without a message", "application/x-amz-json-1.0", `{"__type":"x#AccessDenied"}`, `{"message":" (whittle-7f3a)","__type":"x#AccessDenied"}`},
		{"json, no message at all", "application/x-amz-json-1.0", `{}`, `{"message":" (whittle-7f3a)"}`},
		{"json, null message", "application/x-amz-json-1.0", `{"message": null, "n": 1.0e0}`, `{"message": " (whittle-7f3a)", "n": 1.0e0}`},
		{"google", "application/json; charset=UTF-8", `{"error": {"code": 403, "message": "no", "errors": [{"message": "no", "domain": "global", "reason": "forbidden"}], "status": "PERMISSION_DENIED",
 "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": "a.b.c", "message": "x"}}]}}`,
			`{"error": {"code": 403, "message": "no (whittle-7f3a)", "errors": [{"message": "no (whittle-7f3a)", "domain": "global", "reason": "forbidden"}], "status": "PERMISSION_DENIED",
 "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": "a.b.c", "message": "x"}}]}}`},
		{"google without a message", "application/json", `{"error":{"code":403}}`, `{"error":{"message":" (whittle-7f3a)","code":403}}`},
		{"google's stream", "application/json", `[{"error":{"code":403,"message":"no"}}]`, `[{"error":{"code":403,"message":"no (whittle-7f3a)"}}]`},
		{"oauth", "application/json", `{"error":"invalid_grant","error_description":"Bad"}`, `{"error":"invalid_grant","error_description":"Bad (whittle-7f3a)"}`},
		{"an error's text", "application/json", `{"error":"you may not"}`, `{"error":"you may not (whittle-7f3a)"}`},
		{"registry", "application/json", `{"errors":[{"code":"DENIED","message":"no"}]}`, `{"errors":[{"code":"DENIED","message":"no (whittle-7f3a)"}]}`},
		{"azure", "application/json", "\ufeff" + `{"error":{"code":"AuthorizationFailed","message":"The client","innererror":{"request-id":"r"}}}`,
			"\ufeff" + `{"error":{"code":"AuthorizationFailed","message":"The client (whittle-7f3a)","innererror":{"request-id":"whittle-7f3a"}}}`},
		{"odata", "application/json", `{"odata.error":{"code":"x","message":{"lang":"en-US","value":"no"}}}`, `{"odata.error":{"code":"x","message":{"lang":"en-US","value":"no (whittle-7f3a)"}}}`},
		{"azure quotes", "application/json", `{"error":{"code":"x","message":"{\"error\":{\"code\":\"y\",\"message\":\"a <b>\"}}"}}`,
			`{"error":{"code":"x","message":"{\"error\":{\"code\":\"y\",\"message\":\"a <b> (whittle-7f3a)\"}}"}}`},
		{"text", "text/plain; charset=utf-8", "Not Authorized\n", "Not Authorized (whittle-7f3a)\n"},
		{"html", "text/html", "<html><body>no</body></html>", "<html><body>no</body></html> (whittle-7f3a)"},
		{"no type", "", "denied", "denied (whittle-7f3a)"},
		{"bytes", "application/octet-stream", "denied", ""},
		{"broken json", "application/json", `{"message":"no"`, ""},
		{"nothing", "application/json", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := refusal.GCP
			if strings.HasPrefix(tt.name, "azure") {
				cloud = refusal.Azure
			}
			header := http.Header{"Content-Type": {tt.kind}}
			h, b, ok := Reply(cloud, header, []byte(tt.body), token)
			want := tt.want
			if want == "" {
				want = tt.body
			}
			if string(b) != want || ok != (tt.want != "") {
				t.Errorf("%v\ngot  %s\nwant %s", ok, b, want)
			}
			if diff := cmp.Diff(header, h); diff != "" {
				t.Error(diff)
			}
			if json.Valid([]byte(tt.body)) != json.Valid(b) {
				t.Error("no JSON any more")
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	body := []byte(`{"message":"no"}`)
	for name, tt := range map[string]struct {
		cloud   refusal.Cloud
		header  http.Header
		want    http.Header // beside the type
		encoded bool
	}{
		"aws, none": {cloud: refusal.AWS, want: http.Header{"X-Amzn-Requestid": {token}, "X-Amz-Request-Id": {token}}},
		"aws":       {cloud: refusal.AWS, header: http.Header{"X-Amzn-Requestid": {"r"}}, want: http.Header{"X-Amzn-Requestid": {token}}},
		"s3": {cloud: refusal.AWS, header: http.Header{"X-Amz-Request-Id": {"r"}, "X-Amz-Id-2": {"i"}, "X-Amz-Checksum-Crc32": {"x"}},
			want: http.Header{"X-Amz-Request-Id": {token}, "X-Amz-Id-2": {token}}},
		"dynamodb": {cloud: refusal.AWS, header: http.Header{"X-Amzn-Requestid": {"r"}, "X-Amz-Crc32": {"1"}},
			want: http.Header{"X-Amzn-Requestid": {token}, "X-Amz-Crc32": {strconv.Itoa(int(crc32.ChecksumIEEE([]byte(`{"message":"no (whittle-7f3a)"}`))))}}},
		"google": {cloud: refusal.GCP, header: http.Header{"X-Guploader-Uploadid": {"r"}, "X-Goog-Hash": {"h"}}, want: http.Header{"X-Guploader-Uploadid": {token}}},
		"azure":  {cloud: refusal.Azure, header: http.Header{"X-Ms-Request-Id": {"r"}, "X-Ms-Error-Code": {"c"}}, want: http.Header{"X-Ms-Request-Id": {token}, "X-Ms-Error-Code": {"c"}}},
		"grpc":   {cloud: refusal.GCP, header: http.Header{"Grpc-Status": {"7"}, "Grpc-Message": {"no"}}, want: http.Header{"Grpc-Status": {"7"}, "Grpc-Message": {"no (" + token + ")"}}},
		"grpc without a message": {cloud: refusal.GCP, header: http.Header{"Grpc-Status": {"7"}},
			want: http.Header{"Grpc-Status": {"7"}, "Grpc-Message": {"(" + token + ")"}}},
		"encoded": {cloud: refusal.AWS, header: http.Header{"Content-Encoding": {"br"}, "X-Amzn-Requestid": {"r"}, "Content-Md5": {"m"}}, encoded: true,
			want: http.Header{"Content-Encoding": {"br"}, "X-Amzn-Requestid": {token}, "Content-Md5": {"m"}}},
	} {
		t.Run(name, func(t *testing.T) {
			header := tt.header.Clone()
			if header == nil {
				header = http.Header{}
			}
			header.Set("Content-Type", "application/json")
			before := header.Clone()
			h, b, ok := Reply(tt.cloud, header, body, token)
			tt.want.Set("Content-Type", "application/json")
			if diff := cmp.Diff(tt.want, h); diff != "" || !ok {
				t.Errorf("%v, -want +got:\n%s", ok, diff)
			}
			if diff := cmp.Diff(before, header); diff != "" {
				t.Errorf("the reply itself was changed:\n%s", diff)
			}
			if bytes.Equal(b, body) != tt.encoded || string(body) != `{"message":"no"}` {
				t.Errorf("body %s", b)
			}
		})
	}
	for _, bad := range []string{"", "a b", `"`, "<", strings.Repeat("x", 65), "é", "a\n"} {
		if _, b, ok := Reply(refusal.AWS, http.Header{}, body, bad); ok || !bytes.Equal(b, body) {
			t.Errorf("token %q is taken", bad)
		}
	}
}

func TestCBOR(t *testing.T) {
	for name, in := range map[string]map[string]any{
		"message": {"__type": "a#AccessDenied", "message": "no", "n": 1}, "Message": {"Message": "no"}, "none": {"__type": "a#AccessDenied"},
	} {
		body, err := cbor.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		_, b, ok := Reply(refusal.GCP, http.Header{"Content-Type": {"application/cbor"}}, body, token)
		var out map[string]any
		if err := cbor.Unmarshal(b, &out); err != nil || !ok {
			t.Fatal(err, ok)
		}
		found := 0
		for k, v := range out {
			if s, _ := v.(string); strings.HasSuffix(s, " ("+token+")") && strings.EqualFold(k, "message") {
				found++
				continue
			}
			if want := in[k]; k != "n" && v != want {
				t.Errorf("%s: %s is %v, was %v", name, k, v, want)
			}
		}
		if found != 1 {
			t.Errorf("%s: %v", name, out)
		}
	}
	if _, _, ok := Reply(refusal.GCP, http.Header{"Content-Type": {"application/cbor"}}, []byte("\xa2\x61a\x01\x61a\x01"), token); ok {
		t.Error("a name twice is taken")
	}
}

// corpus is every refusal that the parsers' own tests have.
func corpus(t testing.TB) []refusal.Exchange {
	t.Helper()
	files, _ := filepath.Glob("../../../parsers/*/testdata/*.txtar")
	if len(files) < 200 {
		t.Fatalf("only %d files in the corpus", len(files))
	}
	var all []refusal.Exchange
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x refusal.Exchange
		for _, f := range a.Files {
			first, header, body, err := message1(f.Data)
			switch {
			case f.Name != "request" && f.Name != "reply":
				continue
			case err != nil:
				t.Fatal(file, err)
			case f.Name == "request":
				method, address, _ := strings.Cut(first, " ")
				x.Method, x.Header, x.Body = method, header, bytes.TrimSuffix(body, []byte("\n"))
				if x.URL, err = url.Parse(address); err != nil {
					t.Fatal(file, err)
				}
			default:
				if x.Status, err = strconv.Atoi(first); err != nil {
					t.Fatal(file, err)
				}
				x.Reply, x.ReplyBody = header, body
			}
		}
		if x.URL != nil && x.Status != 0 {
			all = append(all, x)
		}
	}
	return all
}

func message1(data []byte) (first string, header http.Header, body []byte, err error) {
	r := bufio.NewReader(bytes.NewReader(data))
	if first, err = r.ReadString('\n'); err != nil {
		return "", nil, nil, err
	}
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return "", nil, nil, err
	}
	var rest bytes.Buffer
	_, err = r.WriteTo(&rest)
	return strings.TrimSpace(first), http.Header(h), rest.Bytes(), err
}

// clouds are the clouds of the hosts.
func cloudOf(host string) refusal.Cloud {
	switch {
	case strings.Contains(host, "amazonaws") || strings.Contains(host, ".aws"):
		return refusal.AWS
	case strings.Contains(host, "google"):
		return refusal.GCP
	}
	return refusal.Azure
}

// checkLaw: a reply with a token in it is read as the same denials.
func checkLaw(t testing.TB, x refusal.Exchange) (marked bool) {
	t.Helper()
	h, b, ok := Reply(cloudOf(x.URL.Host), x.Reply, x.ReplyBody, token)
	if !ok || len(b) > refusal.MaxBody {
		return false
	}
	y := x
	y.Reply, y.ReplyBody, y.Token = h, b, token
	before, err1 := parsers.FromExchange(x)
	after, err2 := parsers.FromExchange(y)
	evidence := cmpopts.IgnoreFields(refusal.Denial{}, "Evidence")
	if diff := cmp.Diff(before, after, evidence); diff != "" {
		t.Errorf("%s %s: -before +after:\n%s\n%s\n%s", x.Method, x.URL, diff, x.ReplyBody, b)
	}
	var u1, u2 *parsers.UnreadError
	if errors.As(err1, &u1) != errors.As(err2, &u2) {
		t.Errorf("%s %s: error %v became %v", x.Method, x.URL, err1, err2)
	}
	return true
}

func TestParsersReadTheSame(t *testing.T) {
	marked, inBody := 0, 0
	for _, x := range corpus(t) {
		if x.Status < 400 {
			continue
		}
		if checkLaw(t, x) {
			marked++
		}
		if _, b, _ := Reply(cloudOf(x.URL.Host), x.Reply, x.ReplyBody, token); bytes.Contains(b, []byte(refusal.Mark(token))) {
			inBody++
		}
	}
	t.Logf("%d marked, %d of them in a message", marked, inBody)
	if marked < 150 || inBody < 150 {
		t.Errorf("only %d marked, %d in a message", marked, inBody)
	}
}

func FuzzReply(f *testing.F) {
	for _, x := range corpus(f) {
		f.Add(x.Method, x.URL.String(), x.Body, x.Status, x.Reply.Get("Content-Type"), x.Reply.Get("X-Amzn-Errortype"), x.Reply.Get("Grpc-Message"), x.ReplyBody)
	}
	f.Fuzz(func(t *testing.T, method, address string, body []byte, status int, kind, errorType, grpc string, reply []byte) {
		u, err := url.Parse(address)
		if err != nil || bytes.Contains(reply, []byte("whittle")) || strings.Contains(grpc, "whittle") || status < 400 || status > 499 {
			return
		}
		h := http.Header{"Content-Type": {kind}, "X-Amzn-Errortype": {errorType}}
		if grpc != "" {
			h["Grpc-Status"], h["Grpc-Message"] = []string{"7"}, []string{strings.TrimSpace(grpc)}
		}
		checkLaw(t, refusal.Exchange{Method: method, URL: u, Header: http.Header{}, Body: body, Status: status, Reply: h, ReplyBody: reply})
	})
}
