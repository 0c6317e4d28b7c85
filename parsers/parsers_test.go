package parsers

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/aws"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func exchange(t *testing.T, address string, status int, body string) refusal.Exchange {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return refusal.Exchange{
		Method: "POST", URL: u, Header: http.Header{"X-Amz-Target": {"TrentService.CreateKey"}, "Content-Type": {"application/x-amz-json-1.1"}},
		Status: status, Reply: http.Header{}, ReplyBody: []byte(body),
	}
}

func TestFromExchange(t *testing.T) {
	const body = `{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::111122223333:user/a is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action"}`
	got, err := FromExchange(exchange(t, "https://kms.us-east-1.amazonaws.com/", 400, body))
	if err != nil || len(got) != 1 || got[0].Permission != "kms:CreateKey" || got[0].Resource != "*" {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, status := range []int{200, 302, 400, 404, 500} {
		if got, err := FromExchange(exchange(t, "https://example.com/", status, body)); got != nil || err != nil {
			t.Errorf("status %d of a stranger: got %+v, %v", status, got, err)
		}
	}
	if got, err := FromExchange(refusal.Exchange{}); got != nil || err != nil {
		t.Errorf("an empty exchange: got %+v, %v", got, err)
	}
}

func TestUnread(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		address string
		status  int
		host    string
		class   string
		known   bool
	}{
		{"https://kms.us-east-1.amazonaws.com/", 403, "kms.us-east-1.amazonaws.com", "POST kms.us-east-1.amazonaws.com CreateKey", true},
		{"https://kms.us-east-1.amazonaws.com/", 401, "kms.us-east-1.amazonaws.com", "POST kms.us-east-1.amazonaws.com CreateKey", true},
		{"https://example.com/", 403, "example.com", "POST example.com/", false},
	} {
		x := exchange(t, c.address, c.status, long)
		got, err := FromExchange(x)
		var unread *UnreadError
		if !errors.As(err, &unread) || got != nil {
			t.Fatalf("%s: got %+v, %v", c.address, got, err)
		}
		if unread.Method != "POST" || unread.Host != c.host || unread.Status != c.status || unread.Class != c.class {
			t.Errorf("%s: %+v", c.address, unread)
		}
		if len(unread.Raw) != maxRaw || !bytes.HasPrefix([]byte(long), unread.Raw) {
			t.Errorf("%s: kept %d bytes of the reply", c.address, len(unread.Raw))
		}
		if errors.Is(err, aws.ErrUnread) != c.known {
			t.Errorf("%s: %v", c.address, err)
		}
		if msg := err.Error(); len(msg) > 300 || strings.Contains(msg, "xxx") || !strings.Contains(msg, c.class) {
			t.Errorf("message %q", msg)
		}
	}
}

func TestFromOutput(t *testing.T) {
	got := FromOutput("User: a is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\"")
	if len(got) != 1 || got[0].Permission != "s3:GetObject" || got[0].Resource != "arn:aws:s3:::b/k" {
		t.Errorf("got %+v", got)
	}
}

// A reply of any size is read in memory that does not grow with it, or is an
// [UnreadError] that keeps only its start.
func TestBigReplies(t *testing.T) {
	const size = 1 << 20
	for _, host := range []string{"sqs.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "compute.googleapis.com", "storage.googleapis.com", "management.azure.com", "v.vault.azure.net"} {
		for name, fill := range map[string]string{
			"letters": "denied ", "NUL": "\x00", "no UTF-8": "\xff\xfe\xc3", "XML": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", "deep XML": "<a>", "deep JSON": `{"error":`, "lists": "[",
			"JSON": `{"error":{"code":403,"message":"The caller does not have permission"}},`, "a string": `{"error":{"message":"x`,
		} {
			t.Run(host+"/"+name, func(t *testing.T) {
				x := refusal.Exchange{
					Method: "POST", URL: &url.URL{Scheme: "https", Host: host, Path: "/a/b"}, Header: http.Header{}, Status: 403, Reply: http.Header{},
					ReplyBody: []byte(strings.Repeat(fill, size/len(fill))),
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				denials, err := FromExchange(x)
				runtime.ReadMemStats(&after)
				if grown := int64(after.Sys) - int64(before.Sys); grown > 16<<20 {
					t.Errorf("took %d MiB from the system", grown>>20)
				}
				var unread *UnreadError
				if err != nil && (!errors.As(err, &unread) || len(unread.Raw) > maxRaw || len(denials) > 0) {
					t.Errorf("%d denials, %d bytes kept, %v", len(denials), len(unread.Raw), err)
				}
				for _, d := range denials {
					if d.Reason == refusal.MissingPermission || len(d.Evidence) > 2<<10 {
						t.Errorf("%s %q with %d bytes of evidence", d.Reason, d.Permission, len(d.Evidence))
					}
				}
			})
		}
	}
}
