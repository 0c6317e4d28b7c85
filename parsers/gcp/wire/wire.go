// Package wire finds a service's own error elements in a reply, in the forms of
// Google Cloud's protocols, and looks nowhere else.
package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Error is a service's own error element.
type Error struct {
	// Code is the HTTP status that it stands for, 0 if it says none.
	Code int
	// Status is the canonical code ("PERMISSION_DENIED"), or a service's own.
	Status string
	// Reason is the reason of the older errors[] ("forbidden", "authError").
	Reason string
	Text   string // the message, decoded
	Raw    string // the message as it stands in the reply
	Info   Info
	// Violations are the types of the failed preconditions.
	Violations []string
}

// Info is a google.rpc.ErrorInfo.
type Info struct {
	Reason, Domain string
	Metadata       map[string]string
}

// maxErrors bounds how many elements of one reply are read.
const maxErrors = 64

// Errors finds the error elements of a refused reply, by its form.
func Errors(x refusal.Exchange) []Error {
	if e, ok := grpcError(x.Reply); ok {
		return []Error{e}
	}
	body := bytes.TrimSpace(x.ReplyBody)
	if len(body) == 0 {
		return nil
	}
	switch body[0] {
	case '{', '[':
		return jsonErrors(body)
	case '<':
		return xmlError(body)
	}
	return nil
}

type jsonError struct {
	Code    json.RawMessage   `json:"code"`
	Message json.RawMessage   `json:"message"`
	Status  json.RawMessage   `json:"status"`
	Errors  []json.RawMessage `json:"errors"`
	Details []json.RawMessage `json:"details"`
}

// jsonErrors reads google.rpc.Status with its details, the older errors[], the
// errors of OAuth's token endpoint and those of the registry protocol. A
// stream's error comes in a list.
func jsonErrors(body []byte) []Error {
	if body[0] == '[' {
		var all []json.RawMessage
		if json.Unmarshal(body, &all) != nil || len(all) == 0 || len(all[0]) == 0 || all[0][0] != '{' {
			return nil
		}
		body = all[0]
	}
	var top struct {
		Error       json.RawMessage   `json:"error"`
		Description json.RawMessage   `json:"error_description"`
		Errors      []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &top) != nil {
		return nil
	}
	switch {
	case len(top.Error) > 0 && top.Error[0] == '{':
		var e jsonError
		if json.Unmarshal(top.Error, &e) != nil {
			return nil
		}
		return e.wire()
	case len(top.Error) > 0 && top.Error[0] == '"':
		code, _ := jsonString(top.Error)
		text, raw := jsonString(top.Description)
		return []Error{{Reason: code, Text: text, Raw: raw}}
	}
	var found []Error
	for _, r := range top.Errors[:min(len(top.Errors), maxErrors)] {
		var e struct{ Code, Message json.RawMessage }
		if json.Unmarshal(r, &e) != nil {
			continue
		}
		code, _ := jsonString(e.Code)
		text, raw := jsonString(e.Message)
		if code != "" || text != "" {
			found = append(found, Error{Status: code, Text: text, Raw: raw})
		}
	}
	return found
}

// wire gives an element for each message: Compute Engine names several
// permissions in as many entries of errors[].
func (e jsonError) wire() []Error {
	var base Error
	base.Code, base.Status = codeOf(e.Code)
	if s, _ := jsonString(e.Status); s != "" {
		base.Status = s
	}
	base.Text, base.Raw = jsonString(e.Message)
	base.details(e.Details)
	var found []Error
	for _, r := range e.Errors[:min(len(e.Errors), maxErrors)] {
		var inner struct {
			Code, Message, Reason json.RawMessage
			Details               []json.RawMessage `json:"errorDetails"`
		}
		if json.Unmarshal(r, &inner) != nil {
			continue
		}
		one := base
		one.Violations = slices.Clone(base.Violations)
		one.Reason, _ = jsonString(inner.Reason)
		if text, raw := jsonString(inner.Message); text != "" {
			one.Text, one.Raw = text, raw
		}
		if _, status := codeOf(inner.Code); status != "" {
			one.Status = status
		}
		one.details(inner.Details)
		found = append(found, one)
	}
	if len(found) == 0 {
		found = []Error{base}
	}
	return found
}

// details reads google.rpc.ErrorInfo and PreconditionFailure. Compute Engine's
// operations put the former one level deeper.
func (e *Error) details(details []json.RawMessage) {
	for _, r := range details {
		var d struct {
			Type       json.RawMessage            `json:"@type"`
			Reason     json.RawMessage            `json:"reason"`
			Domain     json.RawMessage            `json:"domain"`
			Metadata   map[string]json.RawMessage `json:"metadata"`
			Violations []json.RawMessage          `json:"violations"`
			ErrorInfo  json.RawMessage            `json:"errorInfo"`
		}
		if json.Unmarshal(r, &d) != nil {
			continue
		}
		kind, _ := jsonString(d.Type)
		if len(d.ErrorInfo) > 0 && d.ErrorInfo[0] == '{' {
			if json.Unmarshal(d.ErrorInfo, &d) != nil {
				continue
			}
			kind = "google.rpc.ErrorInfo"
		}
		switch {
		case strings.HasSuffix(kind, "google.rpc.ErrorInfo"):
			info := Info{Metadata: make(map[string]string)}
			info.Reason, _ = jsonString(d.Reason)
			info.Domain, _ = jsonString(d.Domain)
			for k, v := range d.Metadata {
				info.Metadata[k], _ = jsonString(v)
			}
			if e.Info.Reason == "" || e.Info.Reason != "IAM_PERMISSION_DENIED" && info.Reason == "IAM_PERMISSION_DENIED" {
				e.Info = info
			}
		case strings.HasSuffix(kind, "google.rpc.PreconditionFailure"):
			for _, r := range d.Violations {
				var v struct{ Type json.RawMessage }
				if json.Unmarshal(r, &v) == nil {
					if t, _ := jsonString(v.Type); t != "" {
						e.Violations = append(e.Violations, t)
					}
				}
			}
		}
	}
}

// codeOf reads a code: a number (an HTTP status, or one of google.rpc.Code in
// an operation), or a name.
func codeOf(v json.RawMessage) (code int, name string) {
	if len(v) == 0 {
		return 0, ""
	}
	if v[0] == '"' {
		name, _ = jsonString(v)
		if n, err := strconv.Atoi(name); err == nil {
			return n, ""
		}
		return 0, name
	}
	code, _ = strconv.Atoi(string(v))
	return code, ""
}

// Operation reads the result of an operation that failed: the reply that tells
// it has status 200. ok is false for what is no operation.
func Operation(body []byte) (found []Error, ok bool) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return nil, false
	}
	var top struct {
		Kind          string          `json:"kind"`
		Name          string          `json:"name"`
		Done          *bool           `json:"done"`
		OperationType string          `json:"operationType"`
		Code          int             `json:"httpErrorStatusCode"`
		Error         json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &top) != nil || len(top.Error) == 0 || top.Error[0] != '{' {
		return nil, false
	}
	if !strings.HasSuffix(top.Kind, "#operation") && (top.Name == "" || top.Done == nil && top.OperationType == "") {
		return nil, false
	}
	var e jsonError
	if json.Unmarshal(top.Error, &e) != nil {
		return nil, false
	}
	found = e.wire()
	for i := range found {
		f := &found[i]
		if top.Code != 0 {
			f.Code = top.Code
		} else if f.Code > 0 && f.Code < len(httpOf) {
			if f.Status == "" {
				f.Status = names[f.Code]
			}
			f.Code = httpOf[f.Code]
		}
	}
	return found, true
}

// names and httpOf hold the codes of google.rpc.Code and the HTTP status that
// each is mapped to (google/rpc/code.proto).
var (
	names = []string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}
	httpOf = []int{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401}
)

// xmlError reads the error of Cloud Storage's XML API. Its message is a
// commonplace; what was refused stands in Details.
func xmlError(body []byte) []Error {
	var doc struct {
		XMLName xml.Name
		Code    string  `xml:"Code"`
		Message xmlText `xml:"Message"`
		Details xmlText `xml:"Details"`
	}
	if xml.Unmarshal(body, &doc) != nil || doc.XMLName.Local != "Error" || doc.Code == "" {
		return nil
	}
	e := Error{Status: strings.TrimSpace(doc.Code), Text: doc.Details.Text, Raw: doc.Details.Raw}
	if strings.TrimSpace(e.Text) == "" {
		e.Text, e.Raw = doc.Message.Text, doc.Message.Raw
	}
	return []Error{e}
}

type xmlText struct {
	Raw  string `xml:",innerxml"`
	Text string `xml:",chardata"`
}

// jsonString decodes a JSON string; raw is what stands between its quotes.
func jsonString(v json.RawMessage) (text, raw string) {
	if len(v) < 2 || v[0] != '"' || json.Unmarshal(v, &text) != nil {
		return "", ""
	}
	return text, string(v[1 : len(v)-1])
}

// FrontEnd tells the page with which Google's front end refuses before any
// service is asked.
func FrontEnd(x refusal.Exchange) bool {
	return x.Status == http.StatusForbidden && bytes.Contains(x.ReplyBody, []byte("Your client does not have permission to get URL"))
}
