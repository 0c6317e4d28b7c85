// Package wire writes errors in the forms that Google Cloud's services give
// them.
//
// There are three: Compute Engine's and Cloud DNS's, with a list of errors;
// Cloud Storage's, which is alike but names where the fault is; and that of all
// others, google.rpc.Status with details. Source: AIP-193; Cloud Storage JSON
// API, "HTTP status and error codes"; recorded replies.
package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
)

// Error is what a client is told instead of a result.
type Error struct {
	Code    int    // of HTTP
	Reason  string // of errors[]: "notFound"; empty for the code's usual one
	Status  string // of google.rpc.Status: "NOT_FOUND"; empty for the code's usual one
	Message string
	Domain  string   // of errors[]; empty means global
	Place   string   // where it is: a field or header; may be empty
	Kind    string   // what Place is: "header"
	Details []any    // of google.rpc.Status
	More    []string // of errors[]: what else is wrong, after Message
	// Challenge is the WWW-Authenticate header of a 401, empty for Google's
	// usual one.
	Challenge string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Message) }

// New makes an error with the reason and status that its code usually has.
func New(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// With gives the error another reason.
func (e *Error) With(reason string) *Error {
	e.Reason = reason
	return e
}

// Stating gives the error another status.
func (e *Error) Stating(status string) *Error {
	e.Status = status
	return e
}

// usual are reason and status by code. Source: google/rpc/code.proto; Compute
// Engine API, "Troubleshooting API errors".
var usual = map[int][2]string{
	400: {"badRequest", "INVALID_ARGUMENT"},
	401: {"authError", "UNAUTHENTICATED"},
	403: {"forbidden", "PERMISSION_DENIED"},
	404: {"notFound", "NOT_FOUND"},
	409: {"conflict", "ALREADY_EXISTS"},
	412: {"conditionNotMet", "FAILED_PRECONDITION"},
	416: {"requestedRangeNotSatisfiable", "OUT_OF_RANGE"},
	429: {"rateLimitExceeded", "RESOURCE_EXHAUSTED"},
	500: {"backendError", "INTERNAL"},
	501: {"notImplemented", "UNIMPLEMENTED"},
	503: {"backendError", "UNAVAILABLE"},
}

func (e *Error) complete() Error {
	c := *e
	if c.Reason == "" {
		c.Reason = usual[c.Code][0]
	}
	if c.Status == "" {
		c.Status = usual[c.Code][1]
	}
	if c.Domain == "" {
		c.Domain = "global"
	}
	return c
}

// Form is one of the forms of errors.
type Form int

// The forms.
const (
	RPC     Form = iota // google.rpc.Status
	Errors              // with errors[], as Compute Engine and Cloud DNS have it
	Storage             // Cloud Storage's JSON API
	XML                 // Cloud Storage's XML API
	Docker              // the registries' API: the OCI distribution specification
	OAuth               // the token endpoint: RFC 6749, 5.2
)

type item struct {
	Message      string `json:"message"`
	Domain       string `json:"domain"`
	Reason       string `json:"reason"`
	LocationType string `json:"locationType,omitempty"`
	Location     string `json:"location,omitempty"`
}

type body struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Errors  []item `json:"errors,omitempty"`
	Status  string `json:"status,omitempty"`
	Details []any  `json:"details,omitempty"`
}

// Write answers with an error.
func Write(w http.ResponseWriter, f Form, err *Error) {
	e := err.complete()
	if e.Code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", cmp.Or(e.Challenge, `Bearer realm="https://accounts.google.com/"`))
	}
	switch f {
	case XML:
		writeXML(w, e)
		return
	case Docker:
		write(w, e.Code, map[string]any{"errors": []any{map[string]any{"code": e.Reason, "message": e.Message}}})
		return
	case OAuth:
		write(w, e.Code, map[string]any{"error": e.Reason, "error_description": e.Message})
		return
	}
	b := body{Code: e.Code, Message: e.Message}
	if f != RPC {
		b.Errors = []item{{e.Message, e.Domain, e.Reason, e.Kind, e.Place}}
		for _, m := range e.More {
			b.Errors = append(b.Errors, item{m, e.Domain, e.Reason, e.Kind, e.Place})
		}
	}
	if f == RPC || e.Code == http.StatusUnauthorized || len(e.Details) > 0 {
		b.Status, b.Details = e.Status, e.Details
	}
	if f == RPC && e.Code == http.StatusConflict && e.Reason == "aborted" {
		b.Status = "ABORTED"
	}
	write(w, e.Code, map[string]any{"error": b})
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	w.Write(Marshal(v)) //nolint:errcheck // the client hung up
}

// Marshal writes JSON as Google's services do: indented, and with <, > and & as
// they are.
func Marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // only what was decoded from JSON is written
	}
	return b.Bytes()
}

// ErrorInfo is the detail that names a reason for programs. Source: AIP-193.
func ErrorInfo(reason, domain string, metadata map[string]string) map[string]any {
	return map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}
}
