// Command whittle finds the least-privilege cloud role that a lifecycle really
// needs. See the README.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/whittle-iam/whittle/sandbox/proc"
)

func main() {
	// A terraform step runs this binary again as the owner of terraform's
	// process group.
	if code, ok := proc.RunShim(os.Args, os.Environ()); ok {
		os.Exit(code)
	}
	_ = proc.Protect() // best effort: without it Whittle is as open as other programs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
