// Package aws reads the refusals of Amazon Web Services: from the wire, in the
// error forms of its protocols (query and EC2 XML, S3's REST-XML, JSON 1.0 and
// 1.1, REST-JSON), and from the text that tools print.
//
// On the wire it trusts the service's own error element and nothing else: the
// sentence must begin the message, the permission must be one plain action,
// and it must belong to the service that was asked or to one that is known to
// stand behind it ([Fits]). What a refusal does not say is left empty, never
// guessed. The package does no I/O.
package aws

import (
	"errors"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/request"
	"github.com/whittle-iam/whittle/parsers/aws/wire"
	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// ErrUnread says that a reply with status 401 or 403 holds nothing that this
// package can read.
var ErrUnread = errors.New("refused in no form that is known")

// badSignature begins EC2's message of an AuthFailure that is about the
// credentials.
const badSignature = "AWS was not able to validate the provided access credentials"

// unverified begins the message with which CloudFront and ELB refuse an
// account as a whole; only AWS Support can lift it.
const unverified = "Your account must be verified"

// Host tells whether a host is one of AWS's own API endpoints, whose replies
// are AWS's own words (see [request.Host]).
func Host(host string) bool { return request.Host(host) }

// Class gives the request class of an exchange (see [request.Class]).
func Class(x refusal.Exchange) string { return request.Class(x) }

// Operation gives the service (its prefix in IAM) and the operation that a
// request calls (see [request.Operation]).
func Operation(x refusal.Exchange) (service, operation string, ok bool) { return request.Operation(x) }

// Read reads the refusal that an exchange with an AWS endpoint ended in.
//
// It gives no denials and no error for what is no refusal: success, a
// validation error, a resource that is not there. Throttling, bad credentials
// and the well-known replies with status 403 that are no matter of
// authorization come back with their own reasons. The error is [ErrUnread] and
// nothing else, and comes without denials.
//
// The forms are those of the AWS protocol documents (smithy.io, "AWS
// Protocols"), of "Troubleshoot access denied error messages" in the IAM User
// Guide, and of "Troubleshoot access denied (403 Forbidden) errors" in the S3
// User Guide.
func Read(x refusal.Exchange) ([]refusal.Denial, error) {
	at, known := request.Locate(x)
	if !known {
		return nil, unread(x)
	}
	if x.Status < 300 {
		return readPartial(x, at), nil
	}
	if x.Status < 400 {
		return nil, nil
	}
	found := wire.Errors(x)
	if len(found) == 0 {
		// A reply to HEAD has no body, so S3 can give no code: "If the HEAD
		// request generates an error, it returns a generic code" (S3 API
		// Reference, HeadObject).
		// Not even that the request came too late.
		if x.Method == http.MethodHead && x.Status == http.StatusForbidden {
			if request.Expired(x) {
				return []refusal.Denial{{Cloud: refusal.AWS, Reason: refusal.BadCredentials}}, nil
			}
			return []refusal.Denial{{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial}}, nil
		}
		return nil, unread(x)
	}
	var denials []refusal.Denial
	for _, e := range found {
		d, ok := judge(x, at, e)
		if !ok {
			if err := unread(x); err != nil {
				return nil, err
			}
			continue
		}
		denials = append(denials, d)
	}
	return denials, nil
}

func unread(x refusal.Exchange) error {
	if x.Status == http.StatusUnauthorized || x.Status == http.StatusForbidden {
		return ErrUnread
	}
	return nil
}

// judge turns one error of the wire into a denial; ok is false for an error
// that is not known to be about authorization, credentials or rate.
func judge(x refusal.Exchange, at request.Place, e wire.Error) (d refusal.Denial, ok bool) {
	d = refusal.Denial{Cloud: refusal.AWS, Evidence: evidence(e)}
	reason := words.ReasonOf(e.Code)
	switch reason {
	case refusal.QuotaOrRate, refusal.BadCredentials, refusal.NotAuthorization, refusal.APIDisabled:
		// EC2 says AuthFailure for a bad signature and for an image of someone
		// else's alike (EC2 API Reference, "Error codes").
		if e.Code == "AuthFailure" && !strings.HasPrefix(e.Text, badSignature) {
			reason = refusal.NotAuthorization
		}
		d.Reason = reason
		if reason == refusal.BadCredentials {
			d.Evidence = withoutEcho(x, e)
		}
		return d, true
	case refusal.ExplicitDeny:
		d.Reason, d.Blocker = reason, "disabled by AWS ("+e.Code+")"
		return d, true
	}
	if reason == refusal.MissingPermission && strings.HasPrefix(e.Text, unverified) {
		d.Reason = refusal.NotAuthorization
		return d, true
	}
	s, named := words.Read(e.Text)
	if reason == "" {
		// A code of its own kind is believed when the status says refused and
		// the message is the sentence; a 400 with an unknown code is an
		// ordinary error, whatever its text says.
		if !named || unread(x) == nil {
			return refusal.Denial{}, false
		}
	}
	d.Encoded = s.Encoded
	if !named && bareS3(at, e) {
		switch {
		case words.Unauthenticated(e.Text):
			d.Reason, d.Evidence = refusal.BadCredentials, withoutEcho(x, e)
			return d, true
		case strings.TrimSpace(e.Text) != "Access Denied" && x.Status >= 300 && !strings.HasPrefix(e.Text, "User: arn:"):
			// Nobody can tell whether S3 knew who asks: nothing may be granted.
			// (Behind a status of success it did, and in a sentence that it
			// begins with a name, whatever else is not to be believed of it.)
			return refusal.Denial{}, false
		}
	}
	if !named {
		d.Reason = refusal.OpaqueDenial
		if s.Blocker != "" {
			d.Reason, d.Blocker = refusal.ExplicitDeny, s.Blocker
		}
		return d, true
	}
	if s.Principal == "anonymous" {
		d.Reason, d.Principal = refusal.BadCredentials, s.Principal
		return d, true
	}
	permission := canonical(x, at, s.Action)
	if !Fits(x, permission) || !resourceFits(at, permission, s.Resource) {
		// A denial of something else than what was asked for is not believed.
		// That the request was refused still is.
		d.Reason = refusal.OpaqueDenial
		return d, true
	}
	d.Permission, d.Resource, d.Principal = permission, s.Resource, s.Principal
	d.Reason, d.Blocker = s.Reason, s.Blocker
	return d, true
}

// bareS3 tells whether an error is S3's AccessDenied, which S3 also says of
// requests that it could not authenticate; the message alone tells them apart.
func bareS3(at request.Place, e wire.Error) bool {
	return (at.Service == "s3" || at.Service == "s3express") && e.Code == "AccessDenied"
}

// canonical gives the action in lower-case service and the operation's case.
// SQS prints its actions in lower case, SNS its service in upper case.
func canonical(x refusal.Exchange, at request.Place, action string) string {
	service, name, _ := strings.Cut(action, ":")
	service = strings.ToLower(service)
	if _, op, ok := request.Operation(x); ok && service == at.Service && strings.EqualFold(op, name) {
		return service + ":" + op
	}
	return service + ":" + properCase(service, name)
}

func properCase(service, name string) string {
	if service == "sqs" {
		for _, known := range sqsActions {
			if strings.EqualFold(known, name) {
				return known
			}
		}
	}
	return name
}

// sqsActions are the actions of SQS in their documented case (Service
// Authorization Reference, "Actions defined by Amazon SQS"): SQS prints them
// in lower case, and the one it prints need not be the operation's (the
// batches, the tags of CreateQueue).
var sqsActions = []string{
	"AddPermission", "CancelMessageMoveTask", "ChangeMessageVisibility", "CreateQueue", "DeleteMessage",
	"DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "ListMessageMoveTasks",
	"ListQueueTags", "ListQueues", "PurgeQueue", "ReceiveMessage", "RemovePermission", "SendMessage",
	"SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue",
}
