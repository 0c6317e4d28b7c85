// Package wire finds a service's own error elements in a reply, in the forms of
// Azure's APIs, and looks nowhere else.
package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Error is a service's own error element.
type Error struct {
	Code string
	Text string // the message, decoded
	Raw  string // the message as it stands in the reply
	// Depth is how many elements it stands in: an error of a deployment names
	// those of its resources in its details.
	Depth int
}

// maxDepth and maxErrors bound what is read of details in details.
const (
	maxDepth  = 8
	maxErrors = 64
)

// Errors finds the error elements of a refused reply, by its form; an inner one
// follows the one that it stands in.
func Errors(x refusal.Exchange) []Error {
	body := bytes.TrimSpace(bytes.TrimPrefix(x.ReplyBody, []byte("\xef\xbb\xbf")))
	if len(body) > 0 {
		switch body[0] {
		case '{':
			return JSON(body)
		case '<':
			if e, ok := xmlError(body); ok {
				return []Error{e}
			}
		}
	}
	// The reply to HEAD has no body; the code stands in the header all the same.
	if code := x.Reply.Get("X-Ms-Error-Code"); code != "" {
		return []Error{{Code: code}}
	}
	return nil
}

// JSON reads the error of an object: {"error": {…}} as Resource Manager and
// Graph have it, OData's "odata.error", and the bare form of a few providers.
func JSON(body []byte) []Error {
	top := object(body)
	if top == nil {
		return nil
	}
	var found []Error
	for _, name := range []string{"error", "odata.error", "Error"} {
		inner, there := top[name]
		if !there {
			continue
		}
		if len(inner) > 0 && inner[0] == '"' {
			// OAuth's token endpoint.
			code, _ := jsonString(inner)
			text, raw := jsonString(top["error_description"])
			return []Error{{Code: code, Text: text, Raw: raw}}
		}
		collect(&found, object(inner), "", 0)
		return found
	}
	if _, coded := first(top, "code", "Code"); coded {
		if _, said := first(top, "message", "Message"); said {
			collect(&found, top, "", 0)
		}
	}
	return found
}

// collect reads one element, then those in its details. outer is the message as
// it stands in the reply, for elements that stand in a string.
func collect(found *[]Error, e map[string]json.RawMessage, outer string, depth int) {
	if e == nil || depth > maxDepth || len(*found) >= maxErrors {
		return
	}
	var one Error
	one.Depth = depth
	code, _ := first(e, "code", "Code")
	one.Code, _ = jsonString(code)
	message, _ := first(e, "message", "Message")
	if m := object(message); m != nil { // OData: {"lang": …, "value": …}
		message = m["value"]
	}
	one.Text, one.Raw = jsonString(message)
	if outer != "" {
		one.Raw = outer
	}
	if one.Code != "" || one.Text != "" {
		*found = append(*found, one)
	}
	if details, there := first(e, "details", "Details"); there {
		var all []json.RawMessage
		if json.Unmarshal(details, &all) == nil {
			for _, d := range all {
				collect(found, object(d), outer, depth+1)
			}
		}
	}
	if inner, there := first(e, "innererror", "innerError", "InnerError"); there {
		collect(found, object(inner), outer, depth+1)
	}
	// A deployment quotes the whole reply that a provider gave.
	if text := strings.TrimSpace(one.Text); strings.HasPrefix(text, "{") {
		if quoted := object([]byte(text)); quoted != nil {
			if inner, there := first(quoted, "error", "Error"); there {
				quoted = object(inner)
			}
			collect(found, quoted, one.Raw, depth+1)
		}
	}
}

// Result reads the error inside a reply of success: of an operation that
// failed, or of a deployment. ok is false for what is neither.
func Result(body []byte) (found []Error, ok bool) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return nil, false
	}
	top := object(body)
	status, _ := jsonString(top["status"])
	inner := top["error"]
	if properties := object(top["properties"]); status == "" && properties != nil {
		status, _ = jsonString(properties["provisioningState"])
		if inner = properties["error"]; len(inner) == 0 {
			// An entry of a deployment's operations.
			if message := object(properties["statusMessage"]); message != nil {
				inner = message["error"]
			}
		}
	}
	if !strings.EqualFold(status, "Failed") || len(inner) == 0 {
		return nil, false
	}
	collect(&found, object(inner), "", 0)
	return found, true
}

// Call is one call of a batch.
type Call struct {
	Status int
	Body   []byte
}

// Batch reads the calls of a batch of Resource Manager or Graph, that were
// refused or not; ok is false for what is no batch.
func Batch(body []byte) (calls []Call, ok bool) {
	top := object(bytes.TrimSpace(body))
	var all []json.RawMessage
	if top == nil || json.Unmarshal(top["responses"], &all) != nil {
		return nil, false
	}
	for _, r := range all {
		var call struct {
			Status         int             `json:"status"`
			HTTPStatusCode int             `json:"httpStatusCode"`
			Body           json.RawMessage `json:"body"`
			Content        json.RawMessage `json:"content"`
		}
		if json.Unmarshal(r, &call) != nil {
			continue
		}
		c := Call{Status: max(call.Status, call.HTTPStatusCode), Body: call.Body}
		if len(c.Body) == 0 {
			c.Body = call.Content
		}
		calls = append(calls, c)
	}
	return calls, true
}

// object decodes a JSON object, nil for anything else.
func object(v []byte) map[string]json.RawMessage {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(v, &m) != nil {
		return nil
	}
	return m
}

func first(m map[string]json.RawMessage, names ...string) (json.RawMessage, bool) {
	for _, n := range names {
		if v, there := m[n]; there && len(v) > 0 && string(v) != "null" {
			return v, true
		}
	}
	return nil, false
}

// jsonString decodes a JSON string; raw is what stands between its quotes.
func jsonString(v json.RawMessage) (text, raw string) {
	if len(v) < 2 || v[0] != '"' || json.Unmarshal(v, &text) != nil {
		return "", ""
	}
	return text, string(v[1 : len(v)-1])
}

// xmlError reads the error of Azure Storage and Service Bus: <Error><Code/>
// <Message/></Error>, in any namespace, as <error><code/><message/> for tables.
func xmlError(body []byte) (Error, bool) {
	var doc struct {
		XMLName xml.Name
		Code    string  `xml:"Code"`
		Message xmlText `xml:"Message"`
		Lower   string  `xml:"code"`
		Text    xmlText `xml:"message"`
		Detail  xmlText `xml:"Detail"`
	}
	if xml.Unmarshal(body, &doc) != nil || !strings.EqualFold(doc.XMLName.Local, "error") {
		return Error{}, false
	}
	e := Error{Code: strings.TrimSpace(doc.Code), Text: doc.Message.Text, Raw: doc.Message.Raw}
	if e.Code == "" {
		e.Code = strings.TrimSpace(doc.Lower)
	}
	for _, t := range []xmlText{doc.Text, doc.Detail} {
		if e.Text == "" {
			e.Text, e.Raw = t.Text, t.Raw
		}
	}
	return e, e.Code != "" || e.Text != ""
}

type xmlText struct {
	Raw  string `xml:",innerxml"`
	Text string `xml:",chardata"`
}

// Refused tells whether a status says that a request was refused.
func Refused(status int) bool {
	return status == http.StatusForbidden || status == http.StatusUnauthorized
}
