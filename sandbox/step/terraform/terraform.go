// Package terraform builds and reads one kind of step: plan, apply or destroy
// by Terraform or OpenTofu, through terraform-exec.
//
// It finds the binary ([Find]), writes the CLI configuration that says where
// providers come from ([Mirrors], [CLIConfig]), runs a step ([Run]) and turns
// Terraform's JSON output into diagnostics and progress. It gives Terraform
// the environment it is handed and no other, and never a saved plan: a plan
// file holds every value of the configuration in the clear.
package terraform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

const (
	// DefaultGrace is how long Terraform may take to end after SIGINT: it waits
	// for the calls that its providers are in, and writes its state.
	DefaultGrace = 45 * time.Second
	// margin is what terraform-exec waits longer than the shim, before it kills
	// the shim and with it the chance to kill the whole group.
	margin = 15 * time.Second
)

// Config is one run of one step.
type Config struct {
	Binary Binary
	// Shim is an executable whose main calls [proc.RunShim] first: whittle
	// itself. terraform-exec hides the process it starts, so what it starts is
	// the shim, which owns Terraform's process group.
	Shim string
	// Dir is the root module: an absolute path in the working copy.
	Dir  string
	Step lifecycle.Terraform
	// Parallelism is how many resources are worked on at once; 0 leaves it to
	// the tool.
	Parallelism int
	// Env is Terraform's whole environment.
	Env map[string]string
	// Progress is called for every resource that something happens to; nil
	// means that nobody listens. It must return soon.
	Progress func(Progress)
	// Grace is the time from SIGINT to SIGKILL; 0 means DefaultGrace.
	Grace time.Duration
}

// Result is how a run ended.
type Result struct {
	OK bool
	// Diagnostics are Terraform's errors in its order; never empty if not OK.
	Diagnostics []Diagnostic
	// Output is the end of what Terraform printed, as people read it.
	Output string
	// Tools holds the versions of the binary and of the providers:
	// "terraform" → "1.11.4", "hashicorp/aws" → "5.100.0".
	Tools map[string]string
	// Generated are the names in the state that providers made up, with the
	// prefix that each was given ("app-20260101…" → "app-").
	Generated map[string]string
	// Facts are what the run left behind, as far as two runs can be compared:
	// of an apply what the state says ("aws_vpc.main.cidr_block" → its JSON,
	// "output.url"), of a plan what it would do ("plan.aws_vpc.main" →
	// "create"). A value that may be a secret, and one longer than 4 KiB, is
	// there as "sha256:" and the digest of its JSON. A destroy has none: an
	// empty state does not show that what it held is gone.
	Facts map[string]string
	// Spans tell when Terraform was at work on which resource, in the order of
	// their begin.
	Spans []Span
}

// Diagnostic is one error of Terraform.
type Diagnostic struct {
	Summary, Detail string
	Address         string // the resource it is about, empty when none is named
}

// Run runs the step to its end, after `terraform init` where that is needed. A
// step that fails is a Result; an error means that nothing could be run, or
// that ctx ended (it then wraps ctx's error).
func Run(ctx context.Context, c Config) (Result, error) {
	inv, err := build(c)
	if err != nil {
		return Result{}, err
	}
	init, err := needsInit(c.Dir)
	if err != nil {
		return Result{}, err
	}
	ui := newReader(c.Progress)
	var runErr error
	if init {
		if runErr = inv.init(ctx, ui); runErr == nil {
			if err := mark(c.Dir); err != nil {
				return Result{}, err
			}
		}
	}
	tools := map[string]string{c.Binary.Product: c.Binary.Version}
	if runErr == nil {
		var tf *tfexec.Terraform
		if tf, err = inv.instance(); err != nil {
			return Result{}, err
		}
		// Asked after init, which is what chooses the providers.
		_, providers, err := tf.Version(ctx, false)
		if err != nil {
			return Result{}, fmt.Errorf("%s version: %w", c.Binary.Product, told(ctx, err))
		}
		for address, v := range providers {
			tools[shortName(address)] = v.String()
		}
		tf.SetStderr(ui.stderr())
		runErr = inv.run(ctx, tf, ui)
	}
	ui.close()
	res := Result{OK: runErr == nil, Diagnostics: ui.errors, Output: ui.output.String(), Tools: tools, Spans: ui.spans}
	if runErr == nil {
		// A command that ended well has no errors to tell, whatever it printed.
		res.Diagnostics = nil
		return res, inv.left(ctx, ui, &res)
	}
	if ctx.Err() != nil {
		return res, fmt.Errorf("%s %s: stopped: %w", c.Binary.Product, c.Step.Command, ctx.Err())
	}
	var exit *exec.ExitError
	if !errors.As(runErr, &exit) {
		return res, fmt.Errorf("%s %s: %w", c.Binary.Product, c.Step.Command, runErr)
	}
	// What was made before the failure has names, too; the failure itself is
	// what is to be told.
	_ = inv.left(ctx, ui, &res)
	if len(res.Diagnostics) == 0 {
		// A crash, a plugin that died, a version without JSON output.
		res.Diagnostics = []Diagnostic{{
			Summary: fmt.Sprintf("%s ended with exit code %d and no diagnostic", c.Binary.Product, exit.ExitCode()),
			Detail:  strings.TrimSpace(ui.errTail.String()),
		}}
	}
	return res, nil
}

// left reads what the run has left behind: of an apply from the state, of a plan
// from what it printed.
func (inv invocation) left(ctx context.Context, ui *reader, res *Result) error {
	switch inv.command {
	case "plan":
		if len(ui.planned) > 0 {
			res.Facts = ui.planned
		}
	case "apply":
		tf, err := inv.instance()
		if err != nil {
			return err
		}
		state, err := tf.StatePull(ctx)
		if err != nil {
			return fmt.Errorf("terraform state pull: %w", told(ctx, err))
		}
		res.Generated, res.Facts = generatedNames(state), stateFacts(state)
	}
	return nil
}

// told prefers ctx's error to what its end made of the process.
func told(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// invocation is a run that is built and not yet run.
type invocation struct {
	exec, dir string
	env       map[string]string
	waitDelay time.Duration
	jsonInit  bool

	command  string
	vars     []string // "name=value", in order of the names
	varFiles []string
	targets  []string
	// parallelism is 0 where nothing is said.
	parallelism int
	unlocked    bool // of a plan
}

// build works out what is to be run; it reads and runs nothing.
func build(c Config) (invocation, error) {
	switch c.Step.Command {
	case "plan", "apply", "destroy":
	default:
		return invocation{}, fmt.Errorf("terraform: no such command %q: use plan, apply or destroy", c.Step.Command)
	}
	if !filepath.IsAbs(c.Dir) {
		return invocation{}, fmt.Errorf("terraform: the folder %q is not an absolute path", c.Dir)
	}
	if err := CheckEnv(c.Env); err != nil {
		return invocation{}, err
	}
	v, err := version.NewVersion(c.Binary.Version)
	if err != nil {
		return invocation{}, fmt.Errorf("terraform: version of %s: %w", c.Binary.Path, err)
	}
	grace := c.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	inv := invocation{
		exec:      c.Shim,
		dir:       c.Dir,
		env:       maps.Clone(c.Env),
		waitDelay: grace + margin,
		// `terraform init -json` came with 1.9.0.
		jsonInit: v.Core().GreaterThanOrEqual(version.Must(version.NewVersion("1.9.0"))),
		command:  c.Step.Command,
		varFiles: slices.Clone(c.Step.VarFile),
		targets:  slices.Clone(c.Step.Target),

		parallelism: c.Parallelism, unlocked: c.Step.Unlocked && c.Step.Command == "plan",
	}
	if inv.env == nil {
		inv.env = map[string]string{} // nil would mean: inherit everything
	}
	maps.Copy(inv.env, proc.ShimEnv(c.Binary.Path, grace))
	for _, name := range slices.Sorted(maps.Keys(c.Step.Var)) {
		if name == "" || strings.ContainsAny(name, "= \t\n") {
			return invocation{}, fmt.Errorf("terraform: %q cannot be the name of a variable", name)
		}
		inv.vars = append(inv.vars, name+"="+c.Step.Var[name])
	}
	return inv, nil
}

// CheckEnv refuses the variables that terraform-exec sets itself or cannot
// have beside it, with what to use in their place.
func CheckEnv(env map[string]string) error {
	bad := tfexec.ProhibitedEnv(env)
	if len(bad) == 0 {
		return nil
	}
	slices.Sort(bad)
	if name, ok := strings.CutPrefix(bad[0], "TF_VAR_"); ok {
		return fmt.Errorf("environment variable %s: give it as `var: {%s: …}` of the step", bad[0], name)
	}
	return fmt.Errorf("environment variable %s cannot be set for a terraform step", bad[0])
}

// instance makes a *tfexec.Terraform. Every command gets a new one, since the
// JSON methods change the instance they are called on for all later calls.
func (inv invocation) instance() (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(inv.dir, inv.exec)
	if err != nil {
		return nil, err
	}
	if err := tf.SetEnv(inv.env); err != nil {
		return nil, err
	}
	if err := tf.SetWaitDelay(inv.waitDelay); err != nil {
		return nil, err
	}
	return tf, nil
}

func (inv invocation) init(ctx context.Context, ui *reader) error {
	tf, err := inv.instance()
	if err != nil {
		return err
	}
	tf.SetStderr(ui.stderr())
	if inv.jsonInit {
		return tf.InitJSON(ctx, ui)
	}
	tf.SetStdout(ui)
	return tf.Init(ctx)
}

func (inv invocation) run(ctx context.Context, tf *tfexec.Terraform, ui *reader) error {
	var (
		plan    []tfexec.PlanOption
		apply   []tfexec.ApplyOption
		destroy []tfexec.DestroyOption
	)
	for _, o := range inv.options() {
		plan, apply, destroy = append(plan, o), append(apply, o), append(destroy, o)
	}
	switch inv.command {
	case "plan":
		if inv.unlocked {
			plan = append(plan, tfexec.Lock(false))
		}
		_, err := tf.PlanJSON(ctx, ui, plan...)
		return err
	case "apply":
		return tf.ApplyJSON(ctx, ui, apply...)
	default:
		return tf.DestroyJSON(ctx, ui, destroy...)
	}
}

// option is an option of every command: each has a type of its own for them.
type option interface {
	tfexec.PlanOption
	tfexec.ApplyOption
	tfexec.DestroyOption
}

func (inv invocation) options() (opts []option) {
	for _, v := range inv.vars {
		opts = append(opts, tfexec.Var(v))
	}
	for _, f := range inv.varFiles {
		opts = append(opts, tfexec.VarFile(f))
	}
	for _, t := range inv.targets {
		opts = append(opts, tfexec.Target(t))
	}
	if inv.parallelism > 0 {
		opts = append(opts, tfexec.Parallelism(inv.parallelism))
	}
	return opts
}

// marker says that `terraform init` has succeeded in a working directory. What
// init itself leaves behind does not: it may have been stopped between two
// providers, and leaves nothing where all providers are built in.
const marker = "whittle-init"

// needsInit tells whether `terraform init` must come first: it has not
// succeeded yet, or a backend is configured. In the latter case a job on a
// clean checkout would run init as well each time, and what init asks of the
// backend's cloud belongs to the step.
func needsInit(dir string) (bool, error) {
	if _, err := os.Stat(dir); err != nil {
		return false, fmt.Errorf("terraform: root module: %w", err)
	}
	done, err := exists(filepath.Join(dir, ".terraform", marker))
	if err != nil || !done {
		return true, err
	}
	return exists(filepath.Join(dir, ".terraform", "terraform.tfstate"))
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// mark notes that init has succeeded.
func mark(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, ".terraform"), 0o755); err != nil {
		return fmt.Errorf("terraform init: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".terraform", marker), nil, 0o644); err != nil {
		return fmt.Errorf("terraform init: %w", err)
	}
	return nil
}

// shortName is a provider's address as configurations write it: without the
// host where that is the default one.
func shortName(address string) string {
	for _, host := range []string{terraformRegistry + "/", tofuRegistry + "/"} {
		if short, ok := strings.CutPrefix(address, host); ok {
			return short
		}
	}
	return address
}
