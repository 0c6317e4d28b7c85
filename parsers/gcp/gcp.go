// Package gcp reads the refusals of Google Cloud: from the wire, in the error
// forms of its protocols (google.rpc.Status with its details, the older
// errors[], operations, batches, gRPC, Cloud Storage's XML), and from the text
// that tools print.
//
// On the wire it trusts the service's own error element and nothing else: an
// ErrorInfo, or a sentence that begins the message; and the permission must
// belong to the service that was asked or to one that is known to stand behind
// it ([Fits]). What a refusal does not say is left empty, never guessed. The
// package does no I/O.
package gcp

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/gcp/request"
	"github.com/whittle-iam/whittle/parsers/gcp/wire"
	"github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// ErrUnread says that a reply with status 401 or 403 holds nothing that this
// package can read.
var ErrUnread = errors.New("refused in no form that is known")

// Host tells whether a host is one of Google Cloud's own API endpoints (see
// [request.Host]).
func Host(host string) bool { return request.Host(host) }

// Class gives the request class of an exchange (see [request.Class]).
func Class(x refusal.Exchange) string { return request.Class(x) }

// Read reads the refusal that an exchange with a Google Cloud endpoint ended
// in.
//
// It gives no denials and no error for what is no refusal: success, a
// validation error, a resource that is not there, the challenge with which a
// registry asks for a token. Quota, bad credentials and
// APIs that are not enabled come back with their own reasons. The refusals
// inside a successful reply, of one call of a batch or in the result of an
// operation, and those of gRPC are partial ones. The error is [ErrUnread] and
// nothing else, and comes without denials.
//
// The forms are those of "Errors" in the Google Cloud API design guide
// (google.rpc.Status, ErrorInfo), of "Permission error messages" in the IAM
// documentation, of the reference pages of Compute Engine's and Cloud SQL's
// operations, and recorded replies.
func Read(x refusal.Exchange) ([]refusal.Denial, error) {
	at, known := request.Locate(x)
	if !known {
		return nil, unread(x)
	}
	if x.Status == http.StatusSwitchingProtocols {
		return readClosed(x)
	}
	if x.Status < 300 {
		return readPartial(x, at), nil
	}
	if x.Status < 400 || challenge(x, at) {
		return nil, nil
	}
	found := wire.Errors(x)
	if len(found) == 0 {
		return readBare(x, at)
	}
	var denials []refusal.Denial
	for _, e := range found {
		if e.Code == 0 {
			e.Code = x.Status
		}
		d, ok := judge(x, at, e)
		if !ok && unread(x) != nil && e.Code >= 400 {
			return nil, ErrUnread
		}
		denials = append(denials, d...)
	}
	return excerpt.Merge(denials), nil
}

// readClosed reads the end of a tunnel that was closed as soon as it was open: a
// code of two bytes and a reason. Source: what gcloud prints of it, "Error while
// connecting [4033: 'not authorized']".
func readClosed(x refusal.Exchange) ([]refusal.Denial, error) {
	const notAuthorized = 4033
	if !request.Tunnel(x) || len(x.ReplyBody) < 2 || binary.BigEndian.Uint16(x.ReplyBody) != notAuthorized {
		return nil, nil
	}
	d := refusal.Denial{Cloud: refusal.GCP, Reason: refusal.OpaqueDenial, Candidates: request.Permissions(x), Evidence: excerpt.Clip(string(x.ReplyBody[2:]))}
	return []refusal.Denial{d}, nil
}

// challenge tells a 401 that only asks for a token: a registry's first answer to
// every client.
func challenge(x refusal.Exchange, at request.Place) bool {
	return x.Status == http.StatusUnauthorized && at.Service == "artifactregistry" && at.Bare
}

func unread(x refusal.Exchange) error {
	if x.Status == http.StatusUnauthorized || x.Status == http.StatusForbidden {
		return ErrUnread
	}
	return nil
}

// readBare reads a reply without an error element: to HEAD, of a download,
// which Cloud Storage refuses in plain text, or of Google's front end.
func readBare(x refusal.Exchange, at request.Place) ([]refusal.Denial, error) {
	refused := x.Status == http.StatusForbidden
	text := string(x.ReplyBody)
	if at.Service == "storage" || at.Service == "artifactregistry" {
		if e := (wire.Error{Code: x.Status, Text: text, Raw: text}); len(words.Read(text)) > 0 {
			d, _ := judge(x, at, e)
			return excerpt.Merge(d), nil
		}
	}
	switch {
	case refused && (len(strings.TrimSpace(text)) == 0 || wire.FrontEnd(x)):
		d := refusal.Denial{Cloud: refusal.GCP, Reason: refusal.OpaqueDenial, Candidates: request.Permissions(x)}
		if len(text) > 0 && wire.FrontEnd(x) {
			d.Evidence = "Your client does not have permission to get URL"
		}
		return []refusal.Denial{d}, nil
	case x.Status == http.StatusUnauthorized:
		return []refusal.Denial{{Cloud: refusal.GCP, Reason: refusal.BadCredentials}}, nil
	case x.Status == http.StatusTooManyRequests:
		return []refusal.Denial{{Cloud: refusal.GCP, Reason: refusal.QuotaOrRate}}, nil
	}
	return nil, unread(x)
}

// readPartial reads the refusals inside a reply of success.
func readPartial(x refusal.Exchange, at request.Place) []refusal.Denial {
	var denials []refusal.Denial
	if calls, ok := wire.Batch(x); ok {
		for _, c := range calls {
			found, _ := Read(c)
			denials = append(denials, found...)
		}
	} else if request.GRPC(x) {
		for _, e := range wire.Errors(x) {
			found, _ := judge(x, at, e)
			denials = append(denials, found...)
		}
	} else if !content(x, at) {
		found, _ := wire.Operation(x.ReplyBody)
		for _, e := range found {
			// The request that is at hand may only ask how the operation does.
			found, _ := judge(refusal.Exchange{URL: x.URL, Status: e.Code}, at, e)
			denials = append(denials, found...)
		}
	}
	for i := range denials {
		denials[i].Partial = true
	}
	return excerpt.Merge(denials)
}

// content tells whether what a reply holds is a customer's own.
func content(x refusal.Exchange, at request.Place) bool {
	return x.URL.Query().Get("alt") == "media" || at.Service == "artifactregistry" && at.Bare ||
		at.Service == "storage" && (at.Bare || x.Method == http.MethodGet)
}

// judge turns one error of the wire into denials; ok is false for an error that
// is not known to be about authorization, credentials, quota or an API that is
// off.
func judge(x refusal.Exchange, at request.Place, e wire.Error) (denials []refusal.Denial, ok bool) {
	d := refusal.Denial{Cloud: refusal.GCP, Evidence: evidence(x, e)}
	if r, blocker := settled(e); r != "" {
		d.Reason, d.Blocker = r, blocker
		if r == refusal.BadCredentials {
			d.Evidence = withoutEcho(e)
		}
		return []refusal.Denial{d}, true
	}
	refused := e.Code == http.StatusForbidden || slices.Contains(refusedCodes, e.Status)
	if refused || e.Code == http.StatusUnauthorized {
		if p, named := words.Canonical(e.Info.Metadata["permission"]); named && e.Info.Reason == "IAM_PERMISSION_DENIED" && Fits(x, p) {
			d.Reason, d.Permission, d.Resource = refusal.MissingPermission, p, e.Info.Metadata["resource"]
			for _, s := range words.Read(e.Text) {
				if s.Permission == p {
					d.Principal = s.Principal
					if d.Resource == "" {
						d.Resource = s.Resource
					}
				}
			}
			return []refusal.Denial{d}, true
		}
	}
	sentences := words.Read(e.Text)
	for _, s := range sentences {
		one := d
		one.Reason, one.Permission, one.Resource, one.Principal, one.Blocker = s.Reason, s.Permission, s.Resource, s.Principal, s.Blocker
		switch {
		case s.Reason == refusal.MissingPermission && !refused && !(e.Code == http.StatusBadRequest && s.Permission == "iam.serviceAccounts.actAs"):
			// An ordinary error, whatever its text says; but Compute Engine
			// answers 400 where an account may not be acted as.
			continue
		case s.Permission != "" && !Fits(x, s.Permission):
			// A denial of something else than what was asked for is not
			// believed. That the request was refused still is.
			one.Reason, one.Permission, one.Resource, one.Principal, one.Blocker = refusal.OpaqueDenial, "", "", "", ""
		case s.Reason == refusal.NotAuthorization && refused:
			continue
		}
		if one.Reason == refusal.BadCredentials {
			one.Evidence = withoutEcho(e)
		}
		if one.Reason == refusal.OpaqueDenial {
			one.Candidates = request.Permissions(x)
		}
		denials = append(denials, one)
	}
	if len(denials) > 0 {
		return denials, true
	}
	switch {
	case refused:
		d.Reason, d.Candidates = refusal.OpaqueDenial, request.Permissions(x)
		for _, o := range words.Opaque(e.Text, nil) {
			if o.From == 0 && len(o.Candidates) > 0 && len(d.Candidates) == 0 && Fits(x, o.Candidates[0]) {
				d.Candidates = o.Candidates
			}
			if o.From == 0 && d.Principal == "" {
				d.Principal = o.Principal
			}
		}
	case e.Code == http.StatusUnauthorized || e.Status == "UNAUTHENTICATED" || e.Status == "UNAUTHORIZED":
		d.Reason, d.Evidence = refusal.BadCredentials, withoutEcho(e)
	case e.Code == http.StatusTooManyRequests || e.Status == "RESOURCE_EXHAUSTED":
		d.Reason = refusal.QuotaOrRate
	default:
		return nil, false
	}
	return []refusal.Denial{d}, true
}

// refusedCodes are the codes of a refusal where there is no status: of an
// operation's errors, of a registry and of XML.
var refusedCodes = []string{"PERMISSION_DENIED", "PERMISSIONS_ERROR", "FORBIDDEN", "DENIED", "AccessDenied"}

// settled gives what an error says beyond doubt without its message.
func settled(e wire.Error) (reason refusal.Reason, blocker string) {
	for _, v := range e.Violations {
		switch {
		case v == "VPC_SERVICE_CONTROLS":
			return refusal.ExplicitDeny, words.ServiceControls
		case strings.HasPrefix(v, "constraints/"), strings.HasPrefix(v, "customConstraints/"):
			return refusal.ExplicitDeny, words.OrganizationPolicy
		}
	}
	if r, known := infoReasons[e.Info.Reason]; known {
		return r.reason, r.blocker
	}
	if strings.HasPrefix(e.Info.Reason, "API_KEY_") {
		return refusal.BadCredentials, ""
	}
	if r, known := errorReasons[e.Reason]; known {
		return r.reason, r.blocker
	}
	if r, known := storageCodes[e.Status]; known {
		return r.reason, r.blocker
	}
	return "", ""
}

type meaning struct {
	reason  refusal.Reason
	blocker string
}

var (
	disabled       = meaning{refusal.APIDisabled, ""}
	quota          = meaning{refusal.QuotaOrRate, ""}
	badCredentials = meaning{refusal.BadCredentials, ""}
	noMatter       = meaning{refusal.NotAuthorization, ""}
	policy         = meaning{refusal.ExplicitDeny, words.OrganizationPolicy}
	perimeter      = meaning{refusal.ExplicitDeny, words.ServiceControls}
)

// infoReasons are the reasons of google.rpc.ErrorInfo (google/api/error_reason.proto).
var infoReasons = map[string]meaning{
	"SERVICE_DISABLED": disabled, "SERVICE_NOT_VISIBLE": disabled, "GCP_SUSPENDED": disabled, "BILLING_DISABLED": disabled,
	"RATE_LIMIT_EXCEEDED": quota, "RESOURCE_QUOTA_EXCEEDED": quota, "QUOTA_EXCEEDED": quota,
	"ACCESS_TOKEN_EXPIRED": badCredentials, "ACCESS_TOKEN_SCOPE_INSUFFICIENT": badCredentials, "ACCESS_TOKEN_TYPE_UNSUPPORTED": badCredentials,
	"ACCOUNT_STATE_INVALID": badCredentials, "CREDENTIALS_MISSING": badCredentials, "SESSION_COOKIE_INVALID": badCredentials,
	"SYSTEM_PARAMETER_UNSUPPORTED": noMatter, "CONSUMER_INVALID": noMatter, "CONSUMER_SUSPENDED": noMatter, "RESOURCE_PROJECT_INVALID": noMatter,
	"USER_BLOCKED_BY_ADMIN":     {refusal.ExplicitDeny, "the API's administrator"},
	"SECURITY_POLICY_VIOLATED":  perimeter,
	"ORG_RESTRICTION_VIOLATION": policy, "ORG_RESTRICTION_HEADER_INVALID": policy, "LOCATION_ORG_POLICY_VIOLATED": policy, "LOCATION_POLICY_VIOLATED": policy,
	"CUSTOM_ORG_POLICY_VIOLATION": policy, "RESOURCE_USAGE_RESTRICTION_VIOLATED": policy,
}

// errorReasons are the reasons of the older errors[] ("Standard errors" in the
// references of Compute Engine, Cloud Storage and Cloud DNS).
var errorReasons = map[string]meaning{
	"accessNotConfigured": disabled, "billingNotEnabled": disabled, "SERVICE_DISABLED": disabled, "accountDisabled": disabled,
	"UserProjectAccountProblem": disabled, "userProjectAccountProblem": disabled, "billingDisabled": disabled,
	"rateLimitExceeded": quota, "userRateLimitExceeded": quota, "quotaExceeded": quota, "dailyLimitExceeded": quota, "limitExceeded": quota,
	"servingLimitExceeded": quota, "concurrentLimitExceeded": quota, "variableTermLimitExceeded": quota,
	"authError": badCredentials, "required": badCredentials, "expired": badCredentials,
	"invalid_grant": badCredentials, "invalid_client": badCredentials, "unauthorized_client": badCredentials, "invalid_rapt": badCredentials,
	"vpcServiceControls": perimeter, "sslRequired": noMatter, "retentionPolicyNotMet": noMatter, "objectUnderActiveHold": noMatter,
}

// storageCodes are the codes of Cloud Storage's XML API ("HTTP status and error
// codes for XML"), and Compute Engine's of a failed operation.
var storageCodes = map[string]meaning{
	"AccountProblem": disabled, "UserProjectAccountProblem": disabled, "ProjectAccessDenied": noMatter,
	"ExpiredToken": badCredentials, "AuthenticationRequired": badCredentials, "InvalidSecurity": badCredentials, "RequestTimeTooSkewed": badCredentials,
	"SignatureDoesNotMatch": badCredentials, "InvalidToken": badCredentials,
	"SecurityPolicyViolated": perimeter, "RetentionPolicyNotMet": noMatter, "ObjectUnderActiveHold": noMatter,
	"QUOTA_EXCEEDED": quota, "QUOTA_LIMIT": quota, "RATE_LIMIT_EXCEEDED": quota, "SlowDown": quota,
}

// evidence is the part of the reply that an error was read from.
func evidence(x refusal.Exchange, e wire.Error) string {
	if s := excerpt.Clip(e.Raw); s != "" {
		return s
	}
	for _, s := range []string{e.Info.Reason, e.Reason, e.Status} {
		if s != "" && strings.Contains(string(x.ReplyBody), s) {
			return s
		}
	}
	return ""
}

// proseShape is a first sentence of nothing but words: no key, token or header
// has this form.
var proseShape = expr.New(`^ ?([A-Z][A-Za-z]{0,15}(?:,? [A-Za-z0-9]{1,16})+)(?:\.|$|[:;,\\\n<])`)

// withoutEcho is the evidence of an error that is about credentials: the
// message's first sentence, behind which services can put what they were sent.
func withoutEcho(e wire.Error) string {
	if m := proseShape.FindStringSubmatch(e.Raw); m != nil {
		return m[1]
	}
	return ""
}
