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
	// Conditions are the condition keys of the request with their values.
	Conditions map[string][]string
}

// Pattern tells whether the resource holds a wildcard, which a grant would take for
// one: EC2 writes it for the id of what is to be made, but a name that the request
// chose may hold one too.
func (d Decoded) Pattern() bool { return d.Resource != "*" && strings.ContainsAny(d.Resource, "*?") }

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

// list is a list as the decoded message writes it.
type list[T any] struct{ Items []T }

// Read reads the document that DecodeAuthorizationMessage gives (STS API
// Reference).
func Read(text string) (Decoded, error) {
	var m struct {
		Allowed      bool
		ExplicitDeny bool
		Context      struct {
			Principal        struct{ Arn string }
			Action, Resource string
			Conditions       list[struct {
				Key    string
				Values list[struct{ Value string }]
			}]
		}
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Decoded{}, fmt.Errorf("decoded authorization message: %w", err)
	}
	d := Decoded{Permission: m.Context.Action, Resource: m.Context.Resource, Principal: m.Context.Principal.Arn, ExplicitDeny: m.ExplicitDeny}
	if d.Resource == "" {
		d.Resource = "*"
	}
	for _, c := range m.Context.Conditions.Items {
		if d.Conditions == nil {
			d.Conditions = map[string][]string{}
		}
		for _, v := range c.Values.Items {
			d.Conditions[c.Key] = append(d.Conditions[c.Key], v.Value)
		}
	}
	switch {
	case m.Allowed:
		return Decoded{}, errors.New("decoded authorization message: tells of a request that was allowed")
	case !actionName.MatchString(d.Permission):
		return Decoded{}, fmt.Errorf("decoded authorization message: names no action but %q", d.Permission)
	case d.Resource != "*" && !strings.HasPrefix(d.Resource, "arn:"):
		return Decoded{}, fmt.Errorf("decoded authorization message: names no resource but %q", d.Resource)
	}
	return d, nil
}
