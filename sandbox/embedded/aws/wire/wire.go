// Package wire writes errors as AWS's services write them: each protocol's own
// form, the wording of refusals, and request ids of the right shape.
//
// It decides nothing. Where a form was taken from an observed reply, the
// comment beside it says so.
package wire

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Style is how a service writes an error.
type Style int

// The styles.
const (
	// Query: <ErrorResponse><Error>… (IAM, STS, SQS as it was).
	Query Style = iota
	// EC2: <Response><Errors><Error>…
	EC2
	// JSON: {"__type": …, "Message": …} (KMS).
	JSON
	// SQS: JSON, with the old protocol's code in a header (CloudWatch's too).
	SQS
	// S3: <Error><Code>…, without a body where the method is HEAD.
	S3
	// REST: a JSON body, the code in a header (Lambda).
	REST
	// CBOR: {"__type": …, "message": …} in CBOR, with the old protocol's code in
	// a header (CloudWatch, Smithy RPC v2).
	CBOR
)

// StyleOf tells the style of a request's service, by its signing name and by
// what the client sent, since SQS speaks two protocols.
func StyleOf(service string, r *http.Request) Style {
	target := r.Header.Get("X-Amz-Target") != ""
	switch {
	case service == "s3" && strings.Contains(r.Host, "s3-control"):
		return Query // S3's control plane wraps its errors as the query protocol does
	case service == "s3":
		return S3
	case service == "route53", service == "cloudfront":
		return Query // REST-XML services wrap their errors as the query protocol does
	case service == "ec2":
		return EC2
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return CBOR
	case (service == "sqs" || service == "monitoring") && target:
		return SQS
	case target:
		return JSON
	case r.URL.Query().Has("Action"), strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return Query
	}
	return REST
}

// Error is an error that a service answers with.
type Error struct {
	Status  int
	Code    string
	Message string
	// QueryCode is the code of the old protocol, for SQS; empty means Code.
	QueryCode string
}

// IDs are the names a service gives to one request.
type IDs struct {
	Request string
	Host    string // S3 only
}

// NewIDs makes the ids for one request. S3's are 16 characters of 0-9 and A-Z
// and some 76 of base64; the others' are UUIDs.
func NewIDs(s Style) IDs {
	if s != S3 {
		var b [16]byte
		rand.Read(b[:]) //nolint:errcheck // never fails
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		h := hex.EncodeToString(b[:])
		return IDs{Request: strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")}
	}
	var host [56]byte
	rand.Read(host[:]) //nolint:errcheck // never fails
	return IDs{Request: rand.Text()[:16], Host: base64.StdEncoding.EncodeToString(host[:])}
}

// Stamp sets the ids in a reply's header.
func (id IDs) Stamp(h http.Header, s Style) {
	if s != S3 {
		h.Set("x-amzn-RequestId", id.Request)
		return
	}
	h.Del("x-amzn-RequestId")
	h.Set("x-amz-request-id", id.Request)
	h.Set("x-amz-id-2", id.Host)
}

// namespaces of the query protocol, where they are not made of the service's
// name and version.
var namespaces = map[string]string{
	"iam": "https://iam.amazonaws.com/doc/2010-05-08/",
	"sts": "https://sts.amazonaws.com/doc/2011-06-15/",
	"sqs": "http://queue.amazonaws.com/doc/2012-11-05/",
	"rds": "http://rds.amazonaws.com/doc/2014-10-31/",
	"s3":  "http://awss3control.amazonaws.com/doc/2018-08-20/",
	// The namespaces of the services' models; of the two APIs of Elastic Load
	// Balancing the newer's.
	"autoscaling":          "http://autoscaling.amazonaws.com/doc/2011-01-01/",
	"elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
	"sns":                  "http://sns.amazonaws.com/doc/2010-03-31/",
	"monitoring":           "http://monitoring.amazonaws.com/doc/2010-08-01/",
	"elasticache":          "http://elasticache.amazonaws.com/doc/2015-02-02/",
	"route53":              "https://route53.amazonaws.com/doc/2013-04-01/",
	"redshift":             "http://redshift.amazonaws.com/doc/2012-12-01/",
	"cloudfront":           "http://cloudfront.amazonaws.com/doc/2020-05-31/",
}

// Write answers a request to a service with an error.
func Write(w http.ResponseWriter, r *http.Request, service string, e Error) {
	s := StyleOf(service, r)
	id := NewIDs(s)
	id.Stamp(w.Header(), s)
	contentType, body := e.encode(s, service, id, r)
	w.Header().Set("Content-Type", contentType)
	if s == CBOR {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if s == SQS || s == CBOR {
		// "x-amzn-query-error", Amazon SQS Developer Guide, "Making query API
		// requests using AWS JSON protocol"; clients that speak JSON still read
		// the code from it.
		code := e.QueryCode
		if code == "" {
			code = e.Code
		}
		w.Header().Set("x-amzn-query-error", code+";Sender")
	}
	if s == REST {
		w.Header().Set("x-amzn-ErrorType", e.Code)
	}
	if r.Method == http.MethodHead {
		body = nil // HTTP: a HEAD has none, so S3's clients make up "Forbidden"
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(e.Status)
	w.Write(body) //nolint:errcheck // the client hung up
}

func (e Error) encode(s Style, service string, id IDs, r *http.Request) (contentType string, body []byte) {
	var b strings.Builder
	switch s {
	case EC2:
		// Seen in ansible issue reports with the raw body.
		fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>",
			escape(e.Code), escape(e.Message), id.Request)
		return "text/xml;charset=UTF-8", []byte(b.String())
	case S3:
		fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId><HostId>%s</HostId></Error>",
			escape(e.Code), escape(e.Message), id.Request, id.Host)
		return "application/xml", []byte(b.String())
	case JSON, SQS:
		kind := e.Code
		contentType = "application/x-amz-json-1.1"
		if s == SQS {
			contentType = "application/x-amz-json-1.0"
		}
		if t := r.Header.Get("Content-Type"); strings.HasPrefix(t, "application/x-amz-json-") {
			contentType = t
		}
		if s == SQS || contentType == "application/x-amz-json-1.0" {
			// Errors that are not in the service's model come from the framework
			// below it, and carry its name.
			kind = "com.amazon.coral.service#" + e.Code
		}
		text, _ := json.Marshal(map[string]string{"__type": kind, "Message": e.Message}) // strings can be encoded
		return contentType, text
	case CBOR:
		// "Smithy RPC v2 CBOR protocol", operation error serialization.
		text, _ := cbor.Marshal(struct { // strings can be encoded
			Type    string `cbor:"__type"`
			Message string `cbor:"message"`
		}{"com.amazon.coral.service#" + e.Code, e.Message})
		return "application/cbor", text
	case REST:
		text, _ := json.Marshal(map[string]string{"Message": e.Message})
		return "application/json", text
	}
	namespace := namespaces[service]
	if namespace == "" {
		namespace = "http://" + service + ".amazonaws.com/doc/" + r.URL.Query().Get("Version") + "/"
	}
	detail := ""
	if service == "sqs" {
		detail = "<Detail/>" // seen in raw bodies that API Gateway logged
	}
	fmt.Fprintf(&b, "<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s</Message>%s\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n",
		escape(namespace), escape(e.Code), escape(e.Message), detail, id.Request)
	return "text/xml", []byte(b.String())
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) //nolint:errcheck // a Builder takes everything
	return b.String()
}

// Escape is s as text of XML.
func Escape(s string) string { return escape(s) }
