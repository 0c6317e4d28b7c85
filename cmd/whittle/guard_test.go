package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// Only the word itself is an agreement.
func TestAgreed(t *testing.T) {
	target := guard.Target{Kind: "project", Name: "lab"}
	for line, want := range map[string]bool{"yes\n": true, " yes \n": true, "yes": true, "y\n": false, "\n": false, "": false, "YES\n": false, "yes please\n": false, "no\nyes\n": false} {
		if err := agreed(t.Context(), strings.NewReader(line), target); (err == nil) != want {
			t.Errorf("%q: %v", line, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, out := io.Pipe()
	defer out.Close()
	if err := agreed(ctx, in, target); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
