package sts

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
)

// Sealer makes encoded authorization messages and reads them again. Like AWS's
// they mean nothing to whoever may not decode them.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a sealer with a secret of its own.
func NewSealer() (Sealer, error) {
	secret := make([]byte, 32)
	rand.Read(secret) //nolint:errcheck // never fails
	block, err := aes.NewCipher(secret)
	if err != nil {
		return Sealer{}, fmt.Errorf("seal messages: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Sealer{}, fmt.Errorf("seal messages: %w", err)
	}
	return Sealer{aead}, nil
}

// Message is what an encoded authorization message tells.
type Message struct {
	Explicit         bool // a statement denies
	Who              account.Principal
	Action, Resource string
	Conditions       map[string][]string
}

// list is a list as the decoded message writes it.
type list[T any] struct {
	Items []T `json:"items"`
}

type value struct {
	Value string `json:"value"`
}

type condition struct {
	Key    string      `json:"key"`
	Values list[value] `json:"values"`
}

// decoded is what DecodeAuthorizationMessage gives. Source: its page in the AWS
// STS API reference, and the example of decode-authorization-message in the AWS
// CLI's reference.
type decoded struct {
	Allowed           bool      `json:"allowed"`
	ExplicitDeny      bool      `json:"explicitDeny"`
	MatchedStatements list[any] `json:"matchedStatements"`
	Failures          list[any] `json:"failures"`
	Context           struct {
		Principal struct {
			ID   string `json:"id"`
			Name string `json:"name,omitempty"`
			ARN  string `json:"arn"`
		} `json:"principal"`
		Action     string          `json:"action"`
		Resource   string          `json:"resource"`
		Conditions list[condition] `json:"conditions"`
	} `json:"context"`
}

// Seal encodes a message.
func (s Sealer) Seal(m Message) (string, error) {
	d := decoded{ExplicitDeny: m.Explicit, MatchedStatements: list[any]{[]any{}}, Failures: list[any]{[]any{}}}
	d.Context.Principal.ID, d.Context.Principal.Name, d.Context.Principal.ARN = m.Who.UserID, m.Who.User, m.Who.ARN
	d.Context.Action, d.Context.Resource = m.Action, m.Resource
	d.Context.Conditions.Items = []condition{}
	for _, k := range slices.Sorted(maps.Keys(m.Conditions)) {
		c := condition{Key: k, Values: list[value]{[]value{}}}
		for _, v := range m.Conditions[k] {
			c.Values.Items = append(c.Values.Items, value{v})
		}
		d.Context.Conditions.Items = append(d.Context.Conditions.Items, c)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		err = errors.Join(json.NewEncoder(w).Encode(d), w.Close())
	}
	if err != nil {
		return "", fmt.Errorf("encode the authorization message: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, packed.Bytes(), nil)), nil
}

var errNotOurs = errors.New("the message was not made by this sandbox")

// open decodes a message.
func (s Sealer) open(text string) (string, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", errNotOurs
	}
	packed, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return "", errNotOurs
	}
	message, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	return string(bytes.TrimSpace(message)), err
}
