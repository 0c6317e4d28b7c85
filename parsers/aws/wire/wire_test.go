package wire

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Each protocol's own element is found, and nothing that stands elsewhere.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, errorType, body string
		want                  []Error
	}{
		{"query", "", `<ErrorResponse><Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error></ErrorResponse>`, []Error{{Code: "AccessDenied", Text: "a & b", Raw: "a &amp; b"}}},
		{"ec2", "", `<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>`, []Error{{Code: "UnauthorizedOperation"}}},
		{"s3", "", `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`, []Error{{Code: "AccessDenied", Text: "Access Denied", Raw: "Access Denied"}}},
		{"keys", "", `<DeleteResult><Error><Key>a</Key><VersionId>v</VersionId><Code>AccessDenied</Code></Error></DeleteResult>`, []Error{{Code: "AccessDenied", Key: "a", Version: "v"}}},
		{"another root", "", `<ListResult><Error><Code>AccessDenied</Code></Error></ListResult>`, nil},
		{"json", "", `{"__type":"com.amazonaws.sqs#AccessDenied","message":"no \"q\""}`, []Error{{Code: "AccessDenied", Text: `no "q"`, Raw: `no \"q\"`}}},
		{"json, by header", "AccessDeniedException:http://internal/", `{"Message":"no"}`, []Error{{Code: "AccessDeniedException", Text: "no", Raw: "no"}}},
		{"nested json", "", `{"item":{"__type":"AccessDenied"}}`, nil},
		{"header alone", "AccessDeniedException", "", []Error{{Code: "AccessDeniedException"}}},
		{"text", "", "AccessDenied", nil},
		{"cbor", "", "\xa2\x66__type\x6ba#NoAccess1\x67message\x62no", []Error{{Code: "NoAccess1", Text: "no", Raw: "no"}}},
		{"cbor, a name twice", "", "\xa2\x67message\x62no\x67message\x62no", nil},
		{"broken", "", "<Error><Code>AccessDenied", nil},
	} {
		x := refusal.Exchange{Reply: http.Header{"X-Amzn-Errortype": {c.errorType}}, ReplyBody: []byte(c.body)}
		if strings.HasPrefix(c.name, "cbor") {
			x.Reply.Set("Content-Type", "application/cbor")
		}
		if got := Errors(x); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
