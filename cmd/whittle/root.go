package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// streams is what a command reads and writes. Results go to out, everything
// else to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// globals are the flags that every command has.
type globals struct {
	streams
	json bool
	log  string
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, s streams) int {
	g := &globals{streams: s}
	root := newRoot(g)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		err = &usageError{err: err, hint: "see whittle --help"}
	}
	if err != nil {
		printError(s.err, err)
	}
	return exitCode(ctx, err)
}

func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "whittle",
		Short: "Find the least-privilege cloud role that a lifecycle needs",
		Long: `Whittle runs your own Terraform in a sandbox under a role that holds nothing,
catches every refusal on the wire, grants exactly what was refused, lets the
refused request through, and then verifies that the role is enough.

It starts from whittle.yaml, which names the steps of one stack, and writes
whittle.lock.json, the converged set of permissions per step.`,
		Example: `  whittle init            # draft whittle.yaml beside your Terraform, Packer and Makefiles
  whittle doctor          # can a probe start here
  whittle probe           # find, verify and record the roles
  whittle show            # the record, as tables
  whittle emit --out ../roles`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().BoolVar(&g.json, "json", false, "print results as JSON")
	root.PersistentFlags().StringVar(&g.log, "log", "", "log to stderr: text or json")
	complete(root, "log", "text", "json")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err: err, hint: fmt.Sprintf("see %s --help", c.CommandPath())}
	})
	root.AddCommand(
		newInit(g),
		newDoctor(g),
		newProbe(g),
		newCheck(g),
		newShow(g),
		newExplain(g),
		newAudit(g),
		newEmit(g),
		newCompare(g),
		newParse(g),
		newClean(g),
		newCloud(g),
		newTools(g),
		newExitCodes(),
	)
	return root
}

// version is the module's version as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

// logger makes the log that --log asks for; without it nothing is logged.
func (g *globals) logger() (*slog.Logger, error) {
	switch g.log {
	case "":
		return slog.New(slog.DiscardHandler), nil
	case "text":
		return slog.New(slog.NewTextHandler(g.err, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(g.err, nil)), nil
	default:
		return nil, &usageError{err: fmt.Errorf("--log=%s: not known", g.log), hint: "use --log=text or --log=json"}
	}
}

// noArgs refuses positional arguments as a usage error.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{err: fmt.Errorf("%s takes no arguments, got %q", c.CommandPath(), args[0]), hint: fmt.Sprintf("see %s --help", c.CommandPath())}
	}
	return nil
}

// usageError is a command line that cannot be carried out.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string   { return e.err.Error() }
func (e *usageError) Unwrap() error   { return e.err }
func (e *usageError) Hints() []string { return []string{e.hint} }

// isUsage tells whether cobra or a command refused the command line itself.
func isUsage(err error) bool {
	var u *usageError
	return errors.As(err, &u)
}
