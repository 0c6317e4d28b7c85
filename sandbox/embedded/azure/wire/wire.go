// Package wire writes the errors and refusals of Azure's services, each in its
// own form.
package wire

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Plane is whose form an error has.
type Plane int

// The forms.
const (
	Manager Plane = iota // Resource Manager: "Common error response"
	Vault                // Key Vault: "Key Vault REST API error codes"
	Storage              // Azure Storage: "Status and error codes"
	Graph                // Microsoft Graph: "Error responses and resource types"
	Login                // Entra: RFC 6749, 5.2, with its own fields
)

// Error is an error of a service.
type Error struct {
	Status  int
	Code    string
	Message string
	// Inner is the code of Key Vault's innererror.
	Inner string
	// Header is sent as well; nil is none.
	Header http.Header
	// Refused tells that it is for want of a permission.
	Refused bool
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// New makes an error.
func New(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Write sends an error in the form of a plane.
func Write(w http.ResponseWriter, method string, p Plane, e *Error, requestID string, now time.Time) {
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	body, kind := e.form(p, requestID, now)
	w.Header().Set("Content-Type", kind)
	if p == Storage || p == Manager {
		w.Header().Set("X-Ms-Error-Code", e.Code)
	}
	if method == http.MethodHead {
		body = nil
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	w.Write(body) //nolint:errcheck // the client hung up
}

func (e *Error) form(p Plane, requestID string, now time.Time) (body []byte, kind string) {
	inner := map[string]any{"code": e.Code, "message": e.Message}
	switch p {
	case Storage:
		var text strings.Builder
		xml.EscapeText(&text, []byte(fmt.Sprintf("%s\nRequestId:%s\nTime:%s", e.Message, requestID, now.UTC().Format("2006-01-02T15:04:05.0000000Z")))) //nolint:errcheck // a Builder's Write gives none
		return []byte("\ufeff" + `<?xml version="1.0" encoding="utf-8"?><Error><Code>` + e.Code + `</Code><Message>` + text.String() + `</Message></Error>`), "application/xml"
	case Login:
		return marshal(map[string]any{
			"error": e.Code, "error_description": e.Message + " Trace ID: " + requestID + " Timestamp: " + now.UTC().Format("2006-01-02 15:04:05Z"),
			"timestamp": now.UTC().Format("2006-01-02 15:04:05Z"), "trace_id": requestID,
		})
	case Graph:
		inner["innerError"] = map[string]any{"date": now.UTC().Format("2006-01-02T15:04:05"), "request-id": requestID, "client-request-id": requestID}
	case Vault:
		if e.Inner != "" {
			inner["innererror"] = map[string]any{"code": e.Inner}
		}
	}
	return marshal(map[string]any{"error": inner})
}

func marshal(v any) ([]byte, string) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and maps of them have a form
	}
	return body, "application/json; charset=utf-8"
}

// Who is a principal as refusals name him.
type Who struct{ AppID, ObjectID, Tenant string }

// Unauthorized is Resource Manager's refusal of an action itself. Source:
// "Troubleshoot Azure RBAC"; recorded replies in issues of azurerm.
func Unauthorized(who Who, action, scope string) *Error {
	e := New(http.StatusForbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		who.AppID, who.ObjectID, action, scope)
	e.Refused = true
	return e
}

// Denied is the refusal by a deny assignment. Source: "Understand Azure deny
// assignments"; recorded replies.
func Denied(who Who, action, scope, name, id, at string) *Error {
	e := New(http.StatusForbidden, "DenyAssignmentAuthorizationFailed",
		"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, the access is denied because of the deny assignment with name '%s' and Id '%s' at scope '%s'.",
		who.AppID, who.ObjectID, action, scope, name, id, at)
	e.Refused = true
	return e
}

// Linked is Resource Manager's refusal of actions on what a resource names.
// Source: recorded replies in issues of azurerm and AKS.
func Linked(who Who, action, scope string, linked, scopes []string) *Error {
	respectively := ""
	if len(linked) > 1 {
		respectively = " (respectively)"
	}
	e := New(http.StatusForbidden, "LinkedAuthorizationFailed",
		"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action(s) '%s' on the linked scope(s) '%s'%s or the linked scope(s) are invalid.",
		who.AppID, who.ObjectID, action, scope, strings.Join(linked, ","), strings.Join(scopes, ","), respectively)
	e.Refused = true
	return e
}

// LinkedAccess is the network provider's own refusal, with status 400, of an
// action on what a gateway names. Source: "Roles and permissions for Azure VPN
// Gateway"; the reply in Azure/mpf's issue 44.
func LinkedAccess(who Who, action, scope string) *Error {
	e := New(http.StatusBadRequest, "LinkedAccessCheckFailed",
		"The client with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. For details on the required permissions, please visit 'https://aka.ms/vngwroles'.",
		who.ObjectID, action, scope)
	e.Refused = true
	return e
}

// Mismatch is Azure Storage's refusal, which names nothing. Source: "Common REST
// API error codes".
func Mismatch() *Error {
	e := New(http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
	e.Refused = true
	return e
}

// ForbiddenByRbac is Key Vault's refusal. Source: "Azure Key Vault REST API error
// codes", HTTP 403; recorded replies.
func ForbiddenByRbac(who Who, action, resource, vault, location, deny string) *Error {
	reason, assignment := "DeniedWithNoValidRBAC", "null"
	if deny != "" {
		reason, assignment = "DeniedByDenyAssignment", "'"+deny+"'"
	}
	e := New(http.StatusForbidden, "Forbidden",
		"Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=%s;oid=%s;iss=https://sts.windows.net/%s/\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: (not found)\r\nDenyAssignmentId: %s\r\nDecisionReason: '%s' \r\nVault: %s;location=%s\r\n",
		who.AppID, who.ObjectID, who.Tenant, action, resource, assignment, reason, vault, location)
	e.Inner, e.Refused = "ForbiddenByRbac", true
	return e
}

// RequestDenied is Microsoft Graph's refusal, which names nothing. Source:
// "Resolve Microsoft Graph authorization errors".
func RequestDenied() *Error {
	e := New(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	e.Refused = true
	return e
}
