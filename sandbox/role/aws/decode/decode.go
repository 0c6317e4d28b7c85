// Package decode asks STS what an encoded authorization message of EC2's says.
package decode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Decoded is what a message says.
type Decoded struct {
	Permission, Resource, Principal string
	// ExplicitDeny: a policy denies it, and a grant would not help.
	ExplicitDeny bool
}

// Client is the call that is needed; an STS client has it.
type Client interface {
	DecodeAuthorizationMessage(context.Context, *sts.DecodeAuthorizationMessageInput, ...func(*sts.Options)) (*sts.DecodeAuthorizationMessageOutput, error)
}

// Message decodes one message, with the client's identity, which needs
// sts:DecodeAuthorizationMessage.
func Message(ctx context.Context, c Client, encoded string) (Decoded, error) {
	out, err := c.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: &encoded})
	if err != nil {
		return Decoded{}, err
	}
	return Read(aws.ToString(out.DecodedMessage))
}

// actionName is what a permission can look like; anything else in a decoded
// message is not one that may be granted.
var actionName = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]+$`)

// Read reads the document that DecodeAuthorizationMessage gives (STS API
// Reference).
func Read(text string) (Decoded, error) {
	var m struct {
		Allowed      bool
		ExplicitDeny bool
		Context      struct {
			Principal        struct{ Arn string }
			Action, Resource string
		}
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Decoded{}, fmt.Errorf("decoded authorization message: %w", err)
	}
	d := Decoded{Permission: m.Context.Action, Resource: m.Context.Resource, Principal: m.Context.Principal.Arn, ExplicitDeny: m.ExplicitDeny}
	if d.Resource == "" {
		d.Resource = "*"
	}
	switch {
	case m.Allowed:
		return Decoded{}, errors.New("decoded authorization message: tells of a request that was allowed")
	case !actionName.MatchString(d.Permission):
		return Decoded{}, fmt.Errorf("decoded authorization message: names no action but %q", d.Permission)
	case d.Resource != "*" && !strings.HasPrefix(d.Resource, "arn:"), strings.ContainsAny(d.Resource, "*?") && d.Resource != "*":
		// A wildcard would be granted as one.
		return Decoded{}, fmt.Errorf("decoded authorization message: names no resource but %q", d.Resource)
	}
	return d, nil
}
