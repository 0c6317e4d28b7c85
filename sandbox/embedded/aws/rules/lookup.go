package rules

import (
	"context"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// Lookup answers what only the cloud's state knows.
type Lookup interface {
	// Find gives what fact says of id, nil when unknown. It is called with
	// untrusted ids.
	Find(ctx context.Context, fact Fact, id string) []string
}

// Fact names a question to a [Lookup]; package rows lists them.
type Fact = rows.Fact
