package aws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// wireError is a service's own error element.
type wireError struct {
	Code string
	Text string // the message, decoded
	raw  string // the message as it stands in the body

	key, version string // S3 DeleteObjects: the object it is about
}

// evidence is the part of the body that the error was read from, without the
// encoded message that EC2 puts behind it.
func (e wireError) evidence() string {
	ev := e.raw
	if i := strings.LastIndex(ev, encodedIntro); i >= 0 {
		ev = ev[:i]
	}
	ev = strings.TrimSpace(ev)
	if ev == "" {
		return e.Code
	}
	return clip(ev)
}

// clip cuts s at maxEvidence, between two characters.
func clip(s string) string {
	if len(s) <= maxEvidence {
		return s
	}
	s = s[:maxEvidence]
	for len(s) > 0 && !utf8.ValidString(s[len(s)-1:]) && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
		s = s[:len(s)-1]
	}
	return s
}

// wireErrors finds the error elements of a reply, by its form.
func wireErrors(x refusal.Exchange) []wireError {
	body := bytes.TrimSpace(x.ReplyBody)
	switch {
	case len(body) > 0 && body[0] == '<':
		return xmlErrors(body)
	case len(body) > 0 && body[0] == '{':
		if e, ok := jsonError(x.Reply, body); ok {
			return []wireError{e}
		}
		return nil
	}
	if code := headerCode(x.Reply); code != "" {
		return []wireError{{Code: code}}
	}
	return nil
}

type xmlText struct {
	Raw  string `xml:",innerxml"`
	Text string `xml:",chardata"`
}

type xmlError struct {
	Code    string  `xml:"Code"`
	Message xmlText `xml:"Message"`
	Key     string  `xml:"Key"`
	Version string  `xml:"VersionId"`
}

func (e xmlError) wire() wireError {
	return wireError{Code: strings.TrimSpace(e.Code), Text: e.Message.Text, raw: e.Message.Raw, key: e.Key, version: e.Version}
}

// xmlErrors reads the four shapes of XML errors: <ErrorResponse><Error> (query
// services), <Response><Errors><Error> (EC2), <Error> (S3), and S3's
// <DeleteResult> with an <Error> for each key. Elements anywhere else are not
// looked at.
func xmlErrors(body []byte) []wireError {
	var doc struct {
		XMLName xml.Name
		xmlError
		Error  []xmlError `xml:"Error"`
		Errors struct {
			Error []xmlError `xml:"Error"`
		} `xml:"Errors"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		return nil
	}
	var found []xmlError
	switch doc.XMLName.Local {
	case "Error":
		found = []xmlError{doc.xmlError}
	case "ErrorResponse", "DeleteResult":
		found = doc.Error
	case "Response":
		found = doc.Errors.Error
	}
	var errs []wireError
	for _, e := range found {
		if e.Code != "" || e.Message.Text != "" {
			errs = append(errs, e.wire())
		}
	}
	return errs
}

// jsonError reads the error of a JSON service: the code from the header, from
// __type (with or without a namespace) or from code, the message from message
// or Message, at the top of the object only.
func jsonError(header http.Header, body []byte) (wireError, bool) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return wireError{}, false
	}
	// Query services answer Accept: application/json with the error one deeper.
	if inner, ok := top["Error"]; ok {
		var deeper map[string]json.RawMessage
		if json.Unmarshal(inner, &deeper) == nil && deeper["Code"] != nil {
			top = deeper
		}
	}
	e := wireError{Code: headerCode(header)}
	for _, name := range []string{"__type", "code", "Code"} {
		if e.Code == "" {
			text, _ := jsonString(top[name])
			e.Code = bareCode(text)
		}
	}
	for _, name := range []string{"message", "Message", "errorMessage"} {
		if e.Text == "" {
			e.Text, e.raw = jsonString(top[name])
		}
	}
	return e, e.Code != "" || e.Text != ""
}

// jsonString decodes a JSON string; raw is what stands between its quotes.
func jsonString(v json.RawMessage) (text, raw string) {
	if len(v) < 2 || v[0] != '"' || json.Unmarshal(v, &text) != nil {
		return "", ""
	}
	return text, string(v[1 : len(v)-1])
}

// headerCode is the error code that the reply's header gives. A service that
// moved from query to JSON keeps its old code in x-amzn-query-error
// ("AccessDenied;Sender"), and that is the one its documents speak of.
func headerCode(h http.Header) string {
	if code, _, _ := strings.Cut(h.Get("X-Amzn-Query-Error"), ";"); code != "" {
		return strings.TrimSpace(code)
	}
	return bareCode(h.Get("X-Amzn-Errortype"))
}

// bareCode takes the namespace before "#" and the address after ":" away
// (Smithy, "AWS JSON 1.0 protocol", operation error serialization).
func bareCode(code string) string {
	code, _, _ = strings.Cut(code, ":")
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	return strings.TrimSpace(code)
}

// readPartial reads the refusals inside a reply with status 200: the keys of an
// S3 DeleteObjects, and the error that S3 puts into the body of a long
// CopyObject or CompleteMultipartUpload once its status is sent.
func readPartial(x refusal.Exchange, at place) []refusal.Denial {
	if at.service != "s3" || x.Method == http.MethodGet || x.Method == http.MethodHead {
		return nil // what GET returns is a customer's content
	}
	body := bytes.TrimSpace(x.ReplyBody)
	if len(body) == 0 || body[0] != '<' {
		return nil
	}
	_, op, _ := Operation(x)
	var denials []refusal.Denial
	for _, e := range xmlErrors(body) {
		if e.key != "" && op != "DeleteObjects" {
			continue
		}
		d, ok := judge(x, at, e)
		if !ok {
			continue
		}
		d.Partial = true
		if d.Reason == refusal.OpaqueDenial && op == "DeleteObjects" && strings.TrimSpace(e.Text) == "Access Denied" && at.bucket != "" {
			// One key of one operation that checks one permission (S3 API
			// Reference, DeleteObjects, "Permissions").
			d.Reason, d.Permission = refusal.MissingPermission, "s3:DeleteObject"
			if e.version != "" {
				d.Permission = "s3:DeleteObjectVersion"
			}
			d.Resource = "arn:" + at.partition + ":s3:::" + at.bucket + "/" + e.key
		}
		denials = append(denials, d)
	}
	return denials
}
