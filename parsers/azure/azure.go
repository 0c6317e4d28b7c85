// Package azure reads the refusals of Azure: from the wire, in the error forms
// of Resource Manager, Key Vault, Storage and the other data planes, Microsoft
// Graph and Entra ID, and from the text that tools print.
//
// On the wire it trusts the service's own error element and nothing else: the
// sentence must begin the message, or be one that Resource Manager says of a
// template's resource, and the action must be of the provider that was asked or
// of a resource that the request itself names ([Fits]). What a refusal does not
// say is left empty, never guessed. The package does no I/O.
package azure

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/wire"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// ErrUnread says that a reply with status 401 or 403 holds nothing that this
// package can read.
var ErrUnread = errors.New("refused in no form that is known")

// Host tells whether a host is one of Azure's own API endpoints (see
// [request.Host]).
func Host(host string) bool { return request.Host(host) }

// Class gives the request class of an exchange (see [request.Class]).
func Class(x refusal.Exchange) string { return request.Class(x) }

// Read reads the refusal that an exchange with an Azure endpoint ended in.
//
// It gives no denials and no error for what is no refusal: success, a
// validation error, a resource that is not there, the challenge with which Key
// Vault and registries ask for a token. Quota, bad credentials and providers
// that are not registered come back with their own reasons. The refusals inside
// a successful reply, of one call of a batch or in the result of an operation
// or deployment, are partial ones. The error is [ErrUnread] and nothing else,
// and comes without denials.
//
// The forms are those of "Troubleshoot common Azure deployment errors", of the
// Key Vault documentation ("Azure Key Vault REST API error codes"), of "Common
// REST API error codes" of Azure Storage and of the Graph documentation
// ("Microsoft Graph error responses"), and recorded replies.
func Read(x refusal.Exchange) ([]refusal.Denial, error) {
	at, known := request.Locate(x)
	if !known {
		return nil, unread(x)
	}
	if x.Status < 300 {
		return readPartial(x, at), nil
	}
	if x.Status < 400 || challenge(x, at) {
		return nil, nil
	}
	found := wire.Errors(x)
	if len(found) == 0 {
		return readBare(x)
	}
	denials := judgeAll(x, found)
	if len(denials) == 0 {
		return nil, unread(x)
	}
	return denials, nil
}

func unread(x refusal.Exchange) error {
	if wire.Refused(x.Status) {
		return ErrUnread
	}
	return nil
}

// challenge tells a 401 that only asks for a token: Key Vault's first answer to
// every client ("AKV10000: Request is missing a Bearer or PoP token"), and a
// registry's.
func challenge(x refusal.Exchange, at request.Place) bool {
	if x.Status != http.StatusUnauthorized {
		return false
	}
	switch at.Plane {
	case request.Registry:
		return true
	case request.Vault, request.HSM:
		return len(x.ReplyBody) == 0 || strings.Contains(string(x.ReplyBody), "AKV10000")
	}
	return false
}

// readBare reads a reply without an error element, as to HEAD.
func readBare(x refusal.Exchange) ([]refusal.Denial, error) {
	switch {
	case x.Status == http.StatusForbidden && len(strings.TrimSpace(string(x.ReplyBody))) == 0:
		return []refusal.Denial{{Cloud: refusal.Azure, Reason: refusal.OpaqueDenial, Candidates: request.Actions(x)}}, nil
	case x.Status == http.StatusUnauthorized:
		return []refusal.Denial{{Cloud: refusal.Azure, Reason: refusal.BadCredentials}}, nil
	case x.Status == http.StatusTooManyRequests:
		return []refusal.Denial{{Cloud: refusal.Azure, Reason: refusal.QuotaOrRate}}, nil
	}
	return nil, unread(x)
}

// readPartial reads the refusals inside a reply of success.
func readPartial(x refusal.Exchange, at request.Place) []refusal.Denial {
	var denials []refusal.Denial
	switch {
	case isBatch(x, at):
		calls, _ := wire.Batch(x.ReplyBody)
		asked := requests(x)
		for i, c := range calls {
			if c.Status < 400 {
				continue
			}
			call := refusal.Exchange{Method: x.Method, URL: x.URL, Body: x.Body, Status: c.Status, ReplyBody: c.Body}
			if len(asked) == len(calls) {
				call.Method, call.URL, call.Body = asked[i].Method, asked[i].URL, asked[i].Body
			}
			denials = append(denials, judgeAll(call, wire.JSON(c.Body))...)
		}
	case at.Plane == request.Manager && tellsResult(at):
		found, _ := wire.Result(x.ReplyBody)
		denials = judgeAll(refusal.Exchange{URL: x.URL, Status: x.Status, ReplyBody: x.ReplyBody}, found)
	}
	for i := range denials {
		denials[i].Partial = true
	}
	return excerpt.Merge(denials)
}

// tellsResult tells whether a path asks how an operation or deployment went.
func tellsResult(at request.Place) bool {
	if at.Deployment() {
		return true
	}
	for _, s := range at.Path {
		switch strings.ToLower(s) {
		case "operations", "operationresults", "operationstatuses", "asyncoperations", "operationsstatus":
			return true
		}
	}
	return false
}

// judgeAll judges the elements of one error. What names something counts, and
// what merely introduces it does not.
func judgeAll(x refusal.Exchange, found []wire.Error) []refusal.Denial {
	var denials, vague []refusal.Denial
	for _, e := range found {
		for _, d := range judge(x, e) {
			if d.Reason == refusal.OpaqueDenial {
				vague = append(vague, d)
			} else {
				denials = append(denials, d)
			}
		}
	}
	if len(denials) == 0 && len(vague) > 0 {
		denials = vague[:1]
	}
	return excerpt.Merge(denials)
}

// judge turns one error of the wire into denials, none for an error that is not
// known to be about authorization, credentials, quota or a provider that is not
// registered.
func judge(x refusal.Exchange, e wire.Error) []refusal.Denial {
	d := refusal.Denial{Cloud: refusal.Azure, Evidence: evidence(x, e)}
	known, settled := codes[e.Code]
	if strings.HasPrefix(e.Text, "AADSTS") {
		known, settled = badCredentials, true
	}
	refused := wire.Refused(x.Status) || speaks[e.Code]
	if settled && known.blocker != words.DenyAssignment {
		d.Reason, d.Blocker = known.reason, known.blocker
		if d.Reason == refusal.BadCredentials {
			d.Evidence = withoutEcho(x, e)
		}
		return []refusal.Denial{d}
	}
	var denials []refusal.Denial
	if refused {
		for _, s := range words.Read(e.Text) {
			one := d
			one.Reason, one.Permission, one.Resource, one.Principal, one.Blocker = s.Reason, s.Permission, s.Resource, s.Principal, s.Blocker
			if s.Permission != "" && !Fits(x, s.Permission) {
				// A denial of something else than what was asked for is not
				// believed. That the request was refused still is.
				one.Reason, one.Permission, one.Resource, one.Principal, one.Blocker = refusal.OpaqueDenial, "", "", "", ""
			}
			switch one.Reason {
			case refusal.OpaqueDenial:
				one.Candidates = request.Actions(x)
			case refusal.BadCredentials:
				one.Evidence = withoutEcho(x, e)
			}
			denials = append(denials, one)
		}
	}
	if len(denials) > 0 {
		return denials
	}
	switch {
	case settled:
		d.Reason, d.Blocker = known.reason, known.blocker
	case x.Status == http.StatusTooManyRequests:
		d.Reason = refusal.QuotaOrRate
	case x.Status == http.StatusUnauthorized && !speaks[e.Code]:
		d.Reason, d.Evidence = refusal.BadCredentials, withoutEcho(x, e)
	case x.Status == http.StatusForbidden && e.Depth == 0, speaks[e.Code]:
		d.Reason, d.Candidates = refusal.OpaqueDenial, request.Actions(x)
	default:
		return nil
	}
	return []refusal.Denial{d}
}

// speaks are the codes of errors whose sentence is believed whatever the status
// is, as Resource Manager answers 400 to a linked resource and to a template.
var speaks = map[string]bool{
	"AuthorizationFailed": true, "LinkedAuthorizationFailed": true, "LinkedAccessCheckFailed": true, "DenyAssignmentAuthorizationFailed": true,
	"ForbiddenByRbac": true, "ForbiddenByPolicy": true, "LackOfPermissions": true, "AuthorizationPermissionMismatch": true, "AuthorizationFailure": true,
	"InsufficientAccountPermissions": true, "Authorization_RequestDenied": true, "InsufficientAccessError": true,
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
	policy         = meaning{refusal.ExplicitDeny, words.Policy}
	network        = meaning{refusal.ExplicitDeny, words.Network}
)

// codes are the error codes whose meaning is sure.
var codes = map[string]meaning{
	"RequestDisallowedByPolicy": policy, "RequestDisallowedByAzure": policy, "PolicyViolation": policy,
	"ScopeLocked":                       {refusal.ExplicitDeny, words.Lock},
	"DenyAssignmentAuthorizationFailed": {refusal.ExplicitDeny, words.DenyAssignment},
	"ForbiddenByFirewall":               network, "ForbiddenByConnection": network, "PublicNetworkAccessDisabled": network,

	"MissingSubscriptionRegistration": disabled, "SubscriptionNotRegistered": disabled, "SubscriptionNotRegisteredForFeature": disabled,
	"ReadOnlyDisabledSubscription": disabled, "FeatureNotRegistered": disabled,

	"TooManyRequests": quota, "QuotaExceeded": quota, "ResourceQuotaExceeded": quota, "SubscriptionRequestsThrottled": quota, "OperationsThrottled": quota,
	"RoleAssignmentLimitExceeded": quota, "PublicIPCountLimitReached": quota, "ServerBusy": quota,

	"InvalidAuthenticationToken": badCredentials, "InvalidAuthenticationTokenTenant": badCredentials, "InvalidAuthenticationTokenAudience": badCredentials,
	"ExpiredAuthenticationToken": badCredentials, "AuthenticationFailed": badCredentials, "AuthenticationFailedMissingToken": badCredentials,
	"AuthenticationFailedInvalidHeader": badCredentials, "InvalidAuthenticationInfo": badCredentials, "NoAuthenticationInformation": badCredentials,
	"KeyBasedAuthenticationNotPermitted": badCredentials, "AuthorizationSourceIPMismatch": badCredentials, "AuthorizationProtocolMismatch": badCredentials,
	"AuthorizationServiceMismatch": badCredentials, "AuthorizationResourceTypeMismatch": badCredentials, "Authentication_ExpiredToken": badCredentials,
	"Authentication_MissingOrMalformed": badCredentials, "CompactToken": badCredentials, "BadTokenFormat": badCredentials,
	"invalid_client": badCredentials, "invalid_grant": badCredentials, "unauthorized_client": badCredentials, "invalid_token": badCredentials,
	"interaction_required": badCredentials, "invalid_resource": badCredentials,

	"AccountIsDisabled": noMatter, "RemainingAppsExceeded": noMatter, "PublicAccessNotPermitted": noMatter, "ContainerBeingDeleted": noMatter,
	"LeaseIdMissing": noMatter, "BlobImmutableDueToPolicy": noMatter, "FeatureVersionMismatch": noMatter,
}

// evidence is the part of the reply that an error was read from.
func evidence(x refusal.Exchange, e wire.Error) string {
	if s := excerpt.Clip(e.Raw); s != "" && strings.Contains(string(x.ReplyBody), s) {
		return s
	}
	if e.Code != "" && (strings.Contains(string(x.ReplyBody), e.Code) || strings.Contains(x.Reply.Get("X-Ms-Error-Code"), e.Code)) {
		return e.Code
	}
	return ""
}

// proseShape is a first sentence of nothing but words: no key, token or header
// has this form.
var proseShape = expr.New(`^ ?([A-Z][A-Za-z]{0,15}\d{0,8}(?:[,:]? [A-Za-z0-9]{1,16})+)(?:\.|$|[:;,\\\n\r<])`)

// withoutEcho is the evidence of an error that is about credentials: the
// message's first sentence, behind which a service can put what it was sent, or
// the code.
func withoutEcho(x refusal.Exchange, e wire.Error) string {
	if m := proseShape.FindStringSubmatch(e.Raw); m != nil {
		return m[1]
	}
	if e.Code != "" && strings.Contains(string(x.ReplyBody), e.Code) {
		return e.Code
	}
	return ""
}

// relative resolves an address of a batch's call.
func relative(x refusal.Exchange, address string) *url.URL {
	u, err := x.URL.Parse(address)
	if err != nil || u.Host != x.URL.Host {
		return x.URL
	}
	return u
}
