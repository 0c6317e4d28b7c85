// Package packer builds and reads one kind of step: packer build, of an HCL2 or
// a JSON template.
//
// It finds Packer ([Find]), sees that the plugins a template needs are there
// ([Prepare]), runs a step ([Run]) and turns Packer's machine-readable output
// into diagnostics and progress. It gives Packer the environment it is handed
// and no other, and never writes to the operator's plugin folder.
package packer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

// DefaultGrace is how long Packer may take to end after SIGINT: it terminates
// the instances that it builds on, and waits until they are gone.
const DefaultGrace = 2 * time.Minute

// Config is one run of one step.
type Config struct {
	Binary Binary
	// Plugins is the folder that [Prepare] filled, Private one for whatever
	// Packer keeps; both are absolute.
	Plugins, Private string
	// Dir is the working directory, which the template and its var files are
	// relative to: an absolute path.
	Dir  string
	Step lifecycle.Packer
	// Env is Packer's whole environment.
	Env map[string]string
	// Progress is called with each line that Packer says; nil means that nobody
	// listens. It must return soon.
	Progress func(Progress)
	// Stdout and Stderr get the output while it comes, as Packer prints it for
	// machines; nil means nobody. They are never called at the same time.
	Stdout, Stderr io.Writer
	// Grace is the time from SIGINT to SIGKILL; 0 means DefaultGrace.
	Grace time.Duration
	// Shim is as in [proc.Command].
	Shim string
}

// Progress is one line that Packer says.
type Progress struct {
	Build string // "amazon-ebs.base", empty where it is about none
	Text  string
}

// Result is how a run ended.
type Result struct {
	OK bool
	// Diagnostics are Packer's errors in its order; never empty if not OK.
	Diagnostics []Diagnostic
	// Output is the end of what Packer printed, as people read it.
	Output string
	// Artifacts are what was made, as Packer names it: "us-east-1:ami-0123".
	Artifacts []string
	// Facts are what Packer tells of each artifact: "artifact.amazon-ebs.a.0.id"
	// → "us-east-1:ami-0123", "artifact.amazon-ebs.a.0.builder-id",
	// "artifact.file.a.0.file.0" → a path.
	Facts map[string]string
	// Generated are the names that Packer made up for what it takes down again,
	// with what they begin with: "packer_6b06ec85-…" → "packer_".
	Generated map[string]string
}

// Diagnostic is one error of Packer.
type Diagnostic struct {
	Summary, Detail string
	Build           string // empty where it is about none
}

// Run runs the step to its end. A step that fails is a Result; an error means
// that nothing could be run, or that ctx ended (it then wraps ctx's error).
func Run(ctx context.Context, c Config) (Result, error) {
	cmd, err := build(c)
	if err != nil {
		return Result{}, err
	}
	ui := newReader(c.Progress)
	cmd.Stdout, cmd.Stderr = proc.Both(ui, c.Stdout), proc.Both(ui.stderr(), c.Stderr)
	res, err := proc.Run(ctx, cmd)
	ui.close()
	r := Result{OK: err == nil && res.ExitCode == 0, Output: ui.output.String(), Artifacts: ui.artifacts, Generated: ui.temporary}
	if len(ui.facts) > 0 {
		r.Facts = ui.facts
	}
	if err != nil {
		return r, fmt.Errorf("packer build: %w", err)
	}
	if !r.OK {
		r.Diagnostics = ui.diagnostics(res.ExitCode, res.Stderr)
	}
	return r, nil
}

// build makes the command without running it.
func build(c Config) (proc.Command, error) {
	for _, dir := range []string{c.Dir, c.Plugins, c.Private} {
		if !filepath.IsAbs(dir) {
			return proc.Command{}, fmt.Errorf("packer: the folder %q is not an absolute path", dir)
		}
	}
	if c.Step.Template == "" {
		return proc.Command{}, errors.New("packer: no template")
	}
	args := []string{"build", "-machine-readable", "-color=false"}
	for _, f := range c.Step.VarFile {
		args = append(args, "-var-file="+f)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Step.Var)) {
		if name == "" || strings.ContainsAny(name, "= \t\n") {
			return proc.Command{}, fmt.Errorf("packer: %q cannot be the name of a variable", name)
		}
		args = append(args, "-var", name+"="+c.Step.Var[name])
	}
	env := maps.Clone(c.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, own(c.Plugins, c.Private))
	grace := c.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	// A name that begins with a dash must not be taken for a flag.
	template := c.Step.Template
	if strings.HasPrefix(template, "-") {
		template = "./" + template
	}
	return proc.Command{Path: c.Binary.Path, Args: append(args, template), Dir: c.Dir, Env: env, Grace: grace, Shim: c.Shim}, nil
}

// own is what Whittle sets for Packer: where plugins are, a folder for what it
// keeps in place of the home folder, and that it asks nobody for news.
func own(plugins, private string) map[string]string {
	return map[string]string{
		"PACKER_PLUGIN_PATH": plugins,
		"PACKER_CONFIG_DIR":  private,
		"PACKER_CACHE_DIR":   filepath.Join(private, "cache"),
		"PACKER_NO_COLOR":    "1",
		"CHECKPOINT_DISABLE": "1",
	}
}
