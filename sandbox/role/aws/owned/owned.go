// Package owned says what in an AWS account is Whittle's: how its roles and
// policies are named and tagged, and how they are told from everything else,
// which is never touched.
package owned

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/whittle-iam/whittle/sandbox/role/pool"
)

// Path keeps what Whittle makes apart: an operator's own policy can be bounded
// to role/whittle/* and policy/whittle/*.
const Path = "/whittle/"

// The tags on every role and policy that Whittle makes.
const (
	tagManaged  = "whittle:managed"  // always "true"
	tagStack    = "whittle:stack"    // whose it is
	tagIdentity = "whittle:identity" // which identity of the stack
	tagRun      = "whittle:run"      // the run that made it
)

// The kinds of objects that [Account].Announce is told of.
const (
	KindRole   = "aws:iam:role"
	KindPolicy = "aws:iam:policy"
)

// Account is an account as it is worked in for one stack.
type Account struct {
	// IAM speaks for the operator.
	IAM       *iam.Client
	Partition string // "aws", "aws-cn", "aws-us-gov"
	Number    string
	Operator  string // the operator's ARN, as STS has it
	// Stack and Run become tags.
	Stack, Run string
	// Announce is told of each object, by its ARN, before it is made. May be nil.
	Announce pool.Announce
}

// ARN names a "role" or "policy" of Whittle's.
func (a *Account) ARN(kind, name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s%s%s", a.Partition, a.Number, kind, Path, name)
}

// Tags are those of an object that is made for the identity.
func (a *Account) Tags(identity string) []types.Tag {
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	return []types.Tag{
		tag(tagManaged, "true"), tag(tagStack, Slug(a.Stack, 128)), tag(tagIdentity, Slug(identity, 128)), tag(tagRun, Slug(a.Run, 128)),
	}
}

// Owns tells whether the tags say that Whittle made it for this stack, and for
// the identity, unless that is empty.
func (a *Account) Owns(tags []types.Tag, identity string) bool {
	have := map[string]string{}
	for _, t := range tags {
		have[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return have[tagManaged] == "true" && have[tagStack] == Slug(a.Stack, 128) &&
		(identity == "" || have[tagIdentity] == Slug(identity, 128))
}

// Slug makes s fit for names and tags of IAM, at most n bytes long. Case is
// folded, since role names that differ in case only are one name to IAM. What
// had to be changed gets a hash of the whole, so that two never become one.
func Slug(s string, n int) string {
	b := []byte(strings.ToLower(s))
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			b[i] = '-'
		}
	}
	if string(b) == s && len(b) <= n {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	hash := "-" + hex.EncodeToString(sum[:5])
	return string(b[:min(len(b), n-len(hash))]) + hash
}
