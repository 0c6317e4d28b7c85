package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Decode asks STS what an encoded authorization message (EC2's) was about. A
// message that tells of an explicit deny is a [DeniedError]: a grant would not
// help.
func (p *Pool) Decode(ctx context.Context, encoded string) (grant.Grant, error) {
	out, err := p.sts.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: &encoded})
	if err != nil {
		return grant.Grant{}, p.own.Explain("decode an authorization message", "sts:DecodeAuthorizationMessage", err)
	}
	return readDecoded(awssdk.ToString(out.DecodedMessage))
}

// actionName is what a permission can look like; anything else in a decoded
// message is not one that may be granted.
var actionName = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]+$`)

// readDecoded reads what DecodeAuthorizationMessage gives (STS API reference).
func readDecoded(text string) (grant.Grant, error) {
	var m struct {
		Allowed      bool
		ExplicitDeny bool
		Context      struct{ Action, Resource string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return grant.Grant{}, fmt.Errorf("decoded authorization message: %w", err)
	}
	g := grant.Grant{Permission: m.Context.Action, Resource: m.Context.Resource}
	if g.Resource == "" {
		g.Resource = "*"
	}
	switch {
	case m.Allowed:
		return grant.Grant{}, errors.New("decoded authorization message: tells of a request that was allowed")
	case !actionName.MatchString(g.Permission):
		return grant.Grant{}, fmt.Errorf("decoded authorization message: names no action but %q", g.Permission)
	case g.Resource != "*" && !strings.HasPrefix(g.Resource, "arn:"), strings.ContainsAny(g.Resource, "*?") && g.Resource != "*":
		// A wildcard would be granted as one.
		return grant.Grant{}, fmt.Errorf("decoded authorization message: names no resource but %q", g.Resource)
	case m.ExplicitDeny:
		return grant.Grant{}, &DeniedError{Grant: g}
	}
	return g, nil
}
