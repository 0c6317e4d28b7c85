// Package wire finds a service's own error elements in a reply, in the forms of
// AWS's protocols, and looks nowhere else.
package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"mime"
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Error is a service's own error element.
type Error struct {
	Code string
	Text string // the message, decoded
	Raw  string // the message as it stands in the body

	Key, Version string // S3 DeleteObjects: the object it is about
}

// Errors finds the error elements of a reply, by its form.
func Errors(x refusal.Exchange) []Error {
	body := bytes.TrimSpace(x.ReplyBody)
	switch {
	case len(body) > 0 && body[0] == '<':
		return XML(body)
	case len(body) > 0 && body[0] == '{':
		if e, ok := jsonError(x.Reply, body); ok {
			return []Error{e}
		}
		return nil
	}
	if e, ok := cborError(x.Reply, body); ok {
		if x.Token != "" {
			e.Text = strings.TrimSuffix(e.Text, refusal.Mark(x.Token))
			e.Raw = e.Text
		}
		return []Error{e}
	}
	if code := headerCode(x.Reply); code != "" {
		return []Error{{Code: code}}
	}
	return nil
}

// cborError reads the error of a service that speaks CBOR: __type and message,
// at the top of the map only (Smithy, "Smithy RPC v2 CBOR protocol", operation
// error serialization).
func cborError(header http.Header, body []byte) (Error, bool) {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if kind != "application/cbor" {
		return Error{}, false
	}
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 32}.DecMode()
	var top map[string]any
	if err != nil || mode.Unmarshal(body, &top) != nil {
		return Error{}, false
	}
	e := Error{Code: headerCode(header)}
	if e.Code == "" {
		text, _ := top["__type"].(string)
		e.Code = bareCode(text)
	}
	for _, name := range []string{"message", "Message"} {
		if text, _ := top[name].(string); e.Text == "" {
			e.Text, e.Raw = text, text
		}
	}
	return e, e.Code != "" || e.Text != ""
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

func (e xmlError) wire() Error {
	return Error{Code: strings.TrimSpace(e.Code), Text: e.Message.Text, Raw: e.Message.Raw, Key: e.Key, Version: e.Version}
}

// XML reads the four shapes of XML errors: <ErrorResponse><Error> (query
// services), <Response><Errors><Error> (EC2), <Error> (S3), and S3's
// <DeleteResult> with an <Error> for each key. Elements anywhere else are not
// looked at.
func XML(body []byte) []Error {
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
	var errs []Error
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
func jsonError(header http.Header, body []byte) (Error, bool) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return Error{}, false
	}
	// Query services answer Accept: application/json with the error one deeper.
	if inner, ok := top["Error"]; ok {
		var deeper map[string]json.RawMessage
		if json.Unmarshal(inner, &deeper) == nil && deeper["Code"] != nil {
			top = deeper
		}
	}
	e := Error{Code: headerCode(header)}
	for _, name := range []string{"__type", "code", "Code"} {
		if e.Code == "" {
			text, _ := jsonString(top[name])
			e.Code = bareCode(text)
		}
	}
	for _, name := range []string{"message", "Message", "errorMessage"} {
		if e.Text == "" {
			e.Text, e.Raw = jsonString(top[name])
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
