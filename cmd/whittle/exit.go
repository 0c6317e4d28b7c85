package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness"
)

// The exit codes are a contract: scripts branch on them.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitDrift       = 3
	exitStuck       = 4
	exitUnread      = 5
	exitInterrupted = 130
)

// exitMeaning says what each code means, for `help exit-codes`.
func exitMeaning() []struct {
	code int
	text string
} {
	return []struct {
		code int
		text string
	}{
		{exitDone, "done"},
		{exitError, "error: a step failed for a reason that is not authorization, a file is wrong, something is missing"},
		{exitUsage, "the command line is wrong"},
		{exitDrift, "drift: the recorded role is no longer what the code needs, or the role compared lacks what the record needs"},
		{exitStuck, "stuck or blocked: a denial outlived its grant, or something other than the role says no"},
		{exitUnread, "a refusal that nobody could read"},
		{exitInterrupted, "interrupted; the roles were emptied, and probe --resume goes on"},
	}
}

// exitCode maps what a command returned to its exit code.
func exitCode(ctx context.Context, err error) int {
	var (
		stuck     *harness.StuckError
		blocked   *harness.BlockedError
		forbidden *harness.ForbiddenError
		unread    *harness.UnreadError
		lacks     *lacksError
		drifted   *driftError
	)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		return exitInterrupted
	case isUsage(err):
		return exitUsage
	case errors.As(err, &stuck), errors.As(err, &blocked), errors.As(err, &forbidden):
		return exitStuck
	case errors.As(err, &drifted), errors.As(err, &lacks):
		return exitDrift
	case errors.As(err, &unread), isUnnamed(err):
		return exitUnread
	default:
		return exitError
	}
}

func newExitCodes() *cobra.Command {
	var b strings.Builder
	for _, m := range exitMeaning() {
		fmt.Fprintf(&b, "%5d  %s\n", m.code, m.text)
	}
	return &cobra.Command{Use: "exit-codes", Short: "The meaning of the exit codes", Long: strings.TrimSuffix(b.String(), "\n")}
}
