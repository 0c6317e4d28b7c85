package aws

import (
	"context"
	"fmt"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/aws/decode"
)

// Decode asks STS what an encoded authorization message (EC2's) was about. A
// message that tells of an explicit deny is a [DeniedError]: a grant would not
// help.
func (p *Pool) Decode(ctx context.Context, encoded string) (grant.Grant, error) {
	m, err := decode.Message(ctx, p.sts, encoded)
	if err != nil {
		return grant.Grant{}, p.own.Explain("decode an authorization message", "sts:DecodeAuthorizationMessage", err)
	}
	if m.Pattern() {
		return grant.Grant{}, fmt.Errorf("decoded authorization message: names no resource but %q", m.Resource)
	}
	g := grant.Grant{Permission: m.Permission, Resource: m.Resource}
	if m.ExplicitDeny {
		return grant.Grant{}, &DeniedError{Grant: g}
	}
	return g, nil
}
