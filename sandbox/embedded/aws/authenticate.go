package aws

import (
	"context"
	"crypto/subtle"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/sigv4"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// faults maps what is wrong with a signature to what the client is told.
var faults = []struct {
	err   error
	fault wire.Fault
}{
	{sigv4.ErrUnsigned, wire.Unsigned}, {sigv4.ErrMalformed, wire.Malformed}, {sigv4.ErrSkewed, wire.Skewed},
	{sigv4.ErrExpired, wire.PresignExpired}, {sigv4.ErrMismatch, wire.Mismatch}, {sigv4.ErrPayload, wire.Payload},
}

// authenticate finds out who signed the request. A fault, with or without a
// message of its own, is what to answer when nobody did.
func (g *Gate) authenticate(ctx context.Context, r *request) (*wire.Fault, string) {
	no := func(f wire.Fault, message string) (*wire.Fault, string) { return &f, message }
	claim, err := sigv4.Parse(r.Request)
	r.claim = claim
	if err == nil {
		if fault, message := misplaced(claim, r.Host); message != "" {
			return no(fault, message)
		}
		holder, known := g.sts.Ring.Holder(claim.AccessKeyID, g.timeline.Latest())
		if !known {
			return no(wire.UnknownKey, "")
		}
		r.who = holder.Who
		// First the signature: whoever made it knows the secret, and only to him
		// is it said what is wrong with the rest.
		if err = claim.Verify(ctx, r.Request, r.body, holder.Secret, time.Now()); err == nil {
			switch {
			case subtle.ConstantTimeCompare([]byte(holder.Token), []byte(claim.Token)) != 1:
				return no(wire.UnknownKey, "")
			case holder.Expired:
				return no(wire.Expired, "")
			}
			return nil, ""
		}
	}
	for _, f := range faults {
		if errors.Is(err, f.err) {
			message := ""
			if f.fault == wire.Malformed {
				message = err.Error()
			}
			return no(f.fault, message)
		}
	}
	return no(wire.Broken, err.Error())
}

// region is the form of a region's name.
var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)

// served are the services whose names in hosts and in signatures are the same.
var served = []string{
	"iam", "sts", "ec2", "sqs", "kms", "s3", "sns", "logs", "events", "monitoring", "dynamodb", "secretsmanager", "ssm", "states", "kinesis",
	"firehose", "cognito-idp", "elasticache", "redshift", "tagging",
}

// endpoint reads a host's name: the service, and the labels after it, among
// which the region is. A bucket's name before S3's own label says nothing, be
// it "iam" or "eu-west-1".
func endpoint(host string) (service string, rest []string) {
	labels := strings.Split(host, ".")
	for i := len(labels) - 1; i >= 0; i-- {
		if labels[i] == "s3" || strings.HasPrefix(labels[i], "s3-") {
			return "s3", labels[i+1:]
		}
	}
	return labels[0], labels[1:]
}

// misplaced tells what is wrong with a credential's scope for the host.
func misplaced(c sigv4.Claim, host string) (wire.Fault, string) {
	service, rest := endpoint(host)
	if service != c.Service && slices.Contains(served, service) {
		return wire.Mismatch, "Credential should be scoped to correct service: '" + service + "'."
	}
	for _, label := range rest {
		if region.MatchString(label) && label != c.Region {
			if c.Service == "s3" {
				return wire.Malformed, "The authorization header is malformed; the region '" + c.Region + "' is wrong; expecting '" + label + "'"
			}
			return wire.Mismatch, "Credential should be scoped to a valid region."
		}
	}
	return 0, ""
}
