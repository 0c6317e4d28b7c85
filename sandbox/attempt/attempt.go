// Package attempt runs one step of a lifecycle once: in a working copy of the
// user's tree, behind a proxy of its own, as a probe identity and with nothing
// of the operator's but a home and a PATH. It is harness.Executor on real
// processes, and harness.World where the cloud can be saved and restored.
//
// It decides nothing about roles: what is refused and what is granted is the
// arbiter's business, which it hands to the proxy.
package attempt

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/intercept"
	"github.com/whittle-iam/whittle/sandbox/step/command"
	"github.com/whittle-iam/whittle/sandbox/step/packer"
	"github.com/whittle-iam/whittle/sandbox/step/terraform"
)

// Progress is one thing that happened to one resource.
type Progress = terraform.Progress

// CloudState saves and restores a whole cloud.
type CloudState interface {
	// Snapshot keeps the cloud as it is and names the snapshot.
	Snapshot(ctx context.Context) (string, error)
	// Restore brings back what Snapshot kept; it can be repeated.
	Restore(ctx context.Context, id string) error
}

// Config says what an [Executor] works on.
type Config struct {
	Lifecycle lifecycle.Lifecycle
	// Work is the run's folder. It is made if it is not there, for the operator
	// alone. A working copy that it holds already is taken up again where Cloud
	// is nil, and made anew where it is not: it then holds the Terraform state
	// of a cloud that is gone.
	Work string
	// Skip is a folder that is not copied, beside Work: that of a run of which
	// this executor is a part. Empty means none.
	Skip string
	// Environ is the operator's environment, of which a step sees the few
	// variables that [proc.Environment] allows; nil means os.Environ().
	Environ []string

	// Dial, RootCAs, UpstreamProxy and Hold are the proxy's: see
	// intercept.Config.
	Dial          func(ctx context.Context, network, addr string) (net.Conn, error)
	RootCAs       *x509.CertPool
	UpstreamProxy func(*http.Request) (*url.URL, error)
	Hold          func(userAgent string) time.Duration

	// Cloud saves and restores the cloud. nil means that it cannot be done, as
	// with every real cloud.
	Cloud CloudState
	// Lasting says that Cloud and its snapshots outlive this process: what an
	// interrupted run has saved in Work is kept, for [Executor.Again].
	Lasting bool
	// Simulated is the type of Packer's sources ("googlecompute") whose instances
	// are simulated: they have addresses that only the proxy knows, and the
	// template's SSH is led through it. Empty means that there is none.
	Simulated string
	// Progress is called for every resource that something happens to; nil
	// means that nobody listens. It must return soon.
	Progress func(step string, p Progress)
	// Tell is called with a line for people before something long, the building
	// of a tool for one; nil means that nobody listens.
	Tell func(string)
	// Log gets what goes wrong and is not the step's; nil discards.
	Log *slog.Logger
}

// Executor runs steps, one at a time. Make one with [New].
type Executor struct {
	c      Config
	copy   string // the working copy
	own    own
	ca     *intercept.CA
	shim   string
	binary terraform.Binary // of the terraform steps, if there are any
	packer packer.Binary    // of the packer steps, if there are any
	// plugins are the versions of the plugins that each packer step requires,
	// by the step's name.
	plugins map[string]map[string]string

	// busy is held while a step runs and while the working copy is replaced.
	busy sync.Mutex
}

var _ harness.Executor = (*Executor)(nil)

// New checks what can be checked before anything runs, copies the lifecycle's
// folder into c.Work, finds (or builds) Terraform and Packer if a step needs
// them, and makes the run's certificate authority, whose key stays in memory. A symbolic link that leads
// out of the lifecycle's folder is an error.
func New(ctx context.Context, c Config) (*Executor, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Environ == nil {
		c.Environ = os.Environ()
	}
	if c.Progress == nil {
		c.Progress = func(string, Progress) {}
	}
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	if c.Work == "" {
		return nil, errors.New("attempt: no folder to work in")
	}
	work, err := filepath.Abs(c.Work)
	if err != nil {
		return nil, fmt.Errorf("work folder %s: %w", c.Work, err)
	}
	root, err := filepath.Abs(c.Lifecycle.Dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return nil, fmt.Errorf("the lifecycle's folder: %w", err)
	}
	if err := checkSteps(root, c.Lifecycle.Steps); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	if err := os.Chmod(work, 0o700); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	e := &Executor{c: c, copy: filepath.Join(work, "copy")}
	e.c.Work = work
	if c.Cloud != nil && !c.Lasting {
		if err := forget(work, e.copy); err != nil {
			return nil, err
		}
	}
	if err := workingCopy(ctx, root, e.copy, work, c.Skip); err != nil {
		return nil, err
	}
	if e.shim, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find whittle itself: %w", err)
	}
	if e.ca, err = intercept.NewCA(); err != nil {
		return nil, err
	}
	if e.own, err = e.writeOwn(); err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	return e, e.tools(ctx, root)
}

// checkSteps finds what is wrong with the steps before one of them has run.
func checkSteps(root string, steps []lifecycle.Step) error {
	for _, s := range steps {
		err := checkEnv(s)
		switch {
		case err != nil:
		case s.Terraform != nil:
			err = checkModule(root, *s.Terraform)
		case s.Packer != nil:
			err = checkTemplate(root, *s.Packer)
		case len(s.Command) == 0:
			err = errors.New("it says neither terraform nor packer nor command")
		}
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	return nil
}

// tools finds the tools of the steps, and where their parts come from.
func (e *Executor) tools(ctx context.Context, root string) error {
	tool := e.c.Lifecycle.Terraform
	// The file's paths are relative to the file; a program's bare name is not a
	// path.
	if strings.ContainsRune(tool.Path, '/') && !filepath.IsAbs(tool.Path) {
		tool.Path = filepath.Join(root, tool.Path)
	}
	if tool.ProviderMirror != "" && !filepath.IsAbs(tool.ProviderMirror) {
		tool.ProviderMirror = filepath.Join(root, tool.ProviderMirror)
	}
	var modules []string
	for _, s := range e.c.Lifecycle.Steps {
		if s.Terraform != nil {
			modules = append(modules, filepath.Join(e.copy, s.Terraform.Dir))
		}
	}
	mirrors, err := terraform.Mirrors(tool, e.c.Environ, modules...)
	if err != nil {
		return err
	}
	if len(modules) > 0 {
		if e.binary, err = terraform.Find(ctx, tool, e.c.Tell); err != nil {
			return err
		}
		e.c.Log.Debug("found terraform", "path", e.binary.Path, "product", e.binary.Product, "version", e.binary.Version, "mirrors", len(mirrors))
		built, err := terraform.BuiltProviders(ctx, e.binary.Product, mirrors, modules, e.c.Tell)
		if err != nil {
			return err
		}
		mirrors = append(mirrors, built...)
	}
	if e.binary.Product == "tofu" {
		view, err := terraform.TofuView(mirrors, e.own.tofuMirror)
		if err != nil {
			return err
		}
		if len(view.Providers) > 0 {
			mirrors = append(mirrors, view)
		}
	}
	// Written although no step may be Terraform's: a command can run it, too.
	if err := os.WriteFile(e.own.cliConfig, []byte(terraform.CLIConfig(mirrors, e.own.plugins)), 0o600); err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	return e.packerTools(ctx)
}

// packerTools finds Packer, and the plugins of each template.
func (e *Executor) packerTools(ctx context.Context) error {
	e.plugins = map[string]map[string]string{}
	for _, s := range e.c.Lifecycle.Steps {
		if s.Packer == nil {
			continue
		}
		var err error
		if e.packer.Path == "" {
			if e.packer, err = packer.Find(ctx, e.c.Tell); err != nil {
				return err
			}
			e.c.Log.Debug("found packer", "path", e.packer.Path, "version", e.packer.Version)
		}
		setup := packer.Setup{Binary: e.packer, Plugins: e.own.packerPlugins, Private: e.own.packer, Environ: e.c.Environ, Tell: e.c.Tell}
		if e.plugins[s.Name], err = packer.Prepare(ctx, setup, within(e.copy, s.Packer.Template)); err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
		if err := e.simulated(s); err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	return nil
}

// simulated leads a template's SSH through the proxy, where its instances are
// simulated. Only the working copy is changed.
func (e *Executor) simulated(s lifecycle.Step) error {
	template, err := filepath.EvalSymlinks(within(e.copy, s.Packer.Template))
	if err != nil {
		return fmt.Errorf("packer: template: %w", err)
	}
	root, err := filepath.EvalSymlinks(e.copy)
	if err != nil {
		return fmt.Errorf("working copy: %w", err)
	}
	if e.c.Simulated == "" || !inside(root, template) {
		return nil // an absolute path leads to the operator's own file
	}
	return packer.LeadThroughProxy(template, e.c.Simulated)
}

// within is path, seen from dir.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Attempt implements harness.Executor. The proxy outlives the end of ctx, as
// the step does: a tool that was asked to stop still has calls to finish. Its
// errors do not name the step: whoever asks for an attempt knows it.
func (e *Executor) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	e.busy.Lock()
	defer e.busy.Unlock()
	s := a.Step
	if err := ctx.Err(); err != nil {
		return harness.Outcome{}, err
	}
	var credentials map[string]string
	if a.Identity.Credentials != nil {
		var err error
		if credentials, err = a.Identity.Credentials.Env(ctx); err != nil {
			return harness.Outcome{}, fmt.Errorf("credentials of %s: %w", a.Identity.Name, err)
		}
	}
	// Credentials whose token the child does not get are put in by the proxy.
	token, _ := a.Identity.Credentials.(intercept.Token)
	var m *marks
	if a.Withhold != nil {
		m = newMarks(a.Withhold)
		a.Withhold = m
	}
	proxy, err := intercept.Start(context.WithoutCancel(ctx), intercept.Config{
		CA: e.ca, Arbiter: a.Arbiter, Held: a.Held, Withhold: a.Withhold, Token: token, Dial: e.c.Dial, RootCAs: e.c.RootCAs,
		UpstreamProxy: e.c.UpstreamProxy, Hold: e.c.Hold, Log: e.c.Log,
	})
	if err != nil {
		return harness.Outcome{}, err
	}
	defer func() {
		if err := proxy.Close(); err != nil {
			e.c.Log.Warn("close proxy", "step", s.Name, "error", err)
		}
	}()
	env, err := e.environment(s, credentials, proxy.URL())
	if err != nil {
		return harness.Outcome{}, err
	}
	if s.Packer != nil && e.c.Simulated != "" {
		socks, err := intercept.StartSOCKS(context.WithoutCancel(ctx), proxy)
		if err != nil {
			return harness.Outcome{}, err
		}
		defer func() {
			if err := socks.Close(); err != nil {
				e.c.Log.Warn("close proxy", "step", s.Name, "error", err)
			}
		}()
		password, _ := proxy.URL().User.Password()
		maps.Copy(env, packer.ProxyEnv(socks.Addr(), proxy.URL().User.Username(), password))
	}
	started := time.Now()
	out, err := e.bounded(ctx, s, env, m, a)
	out.Duration = time.Since(started)
	out.Tokens = m.printed()
	out = scrub(out, secrets(proxy.URL(), credentials, s.Env, variables(s)))
	return out, err
}

// disposable is how long a tool may take to end whose work is thrown away.
const disposable = 15 * time.Second

// errStopped ends a step that is not to go on.
var errStopped = errors.New("stopped")

// bounded runs the step, and ends it when its timeout is over, or when a.Stop is
// closed: it has then failed.
func (e *Executor) bounded(ctx context.Context, s lifecycle.Step, env map[string]string, m *marks, a harness.Attempt) (harness.Outcome, error) {
	inner, end := context.WithCancelCause(ctx)
	if s.Timeout != 0 {
		timed, cancel := context.WithTimeout(inner, s.Timeout)
		defer cancel()
		inner = timed
	}
	var watching sync.WaitGroup
	defer func() { end(nil); watching.Wait() }()
	if a.Stop != nil {
		watching.Go(func() {
			select {
			case <-a.Stop:
				end(errStopped)
			case <-inner.Done():
			}
		})
	}
	grace := time.Duration(0) // the tool's own
	if a.Disposable {
		grace = disposable
	}
	out, err := e.step(inner, s, env, m, grace)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(inner), errStopped) {
		out.OK, out.Stopped = false, true
		out.Diagnostics = append(out.Diagnostics, harness.Diagnostic{Summary: "stopped: it did nothing but ask again for what it was refused"})
		return out, nil
	}
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return out, err
	}
	out.OK, out.Stopped = false, true
	out.Diagnostics = append(out.Diagnostics, harness.Diagnostic{
		Summary: fmt.Sprintf("stopped: its timeout of %s is over", s.Timeout),
		Detail:  "The time in which refused requests are held counts. Raise timeout, or leave it out; a tool that waits for something that the sandbox has not is ended by succeeds_when.",
	})
	return out, nil
}

func (e *Executor) step(ctx context.Context, s lifecycle.Step, env map[string]string, m *marks, grace time.Duration) (harness.Outcome, error) {
	switch {
	case s.Terraform != nil:
		return e.terraform(ctx, s, env, grace)
	case s.Packer != nil:
		return e.packerBuild(ctx, s, env, m, grace)
	case len(s.Command) > 0:
		return e.command(ctx, s, env, m, grace)
	}
	return harness.Outcome{}, errors.New("it says neither terraform nor packer nor command")
}

func (e *Executor) packerBuild(ctx context.Context, s lifecycle.Step, env map[string]string, m *marks, grace time.Duration) (harness.Outcome, error) {
	if e.packer.Path == "" {
		return harness.Outcome{}, errors.New("packer: not a step of the lifecycle that this run was made for")
	}
	stdout, stderr, done := m.streams()
	defer done()
	res, err := packer.Run(ctx, packer.Config{
		Binary: e.packer, Plugins: e.own.packerPlugins, Private: e.own.packer, Dir: e.copy, Step: *s.Packer, Env: env, Grace: grace, Shim: e.shim,
		Stdout: stdout, Stderr: stderr,
		Progress: func(p packer.Progress) {
			e.c.Progress(s.Name, Progress{Kind: terraform.Running, Address: p.Build, Action: p.Text})
		},
	})
	out := harness.Outcome{OK: res.OK, Output: res.Output, Tools: map[string]string{"packer": e.packer.Version}, Generated: res.Generated, Facts: res.Facts}
	maps.Copy(out.Tools, e.plugins[s.Name])
	for _, d := range res.Diagnostics {
		out.Diagnostics = append(out.Diagnostics, harness.Diagnostic{Summary: d.Summary, Detail: d.Detail, Address: d.Build})
	}
	e.c.Log.Debug("packer has built", "step", s.Name, "artifacts", res.Artifacts)
	return out, err
}

func (e *Executor) terraform(ctx context.Context, s lifecycle.Step, env map[string]string, grace time.Duration) (harness.Outcome, error) {
	if e.binary.Path == "" {
		return harness.Outcome{}, errors.New("terraform: not a step of the lifecycle that this run was made for")
	}
	res, err := terraform.Run(ctx, terraform.Config{
		Binary: e.binary, Shim: e.shim, Dir: filepath.Join(e.copy, s.Terraform.Dir), Step: *s.Terraform, Env: env, Grace: grace,
		Parallelism: e.c.Lifecycle.Terraform.Parallelism,
		Progress:    func(p Progress) { e.c.Progress(s.Name, p) },
	})
	out := harness.Outcome{OK: res.OK, Output: res.Output, Tools: res.Tools, Generated: res.Generated, Facts: res.Facts}
	for _, d := range res.Diagnostics {
		out.Diagnostics = append(out.Diagnostics, harness.Diagnostic(d))
	}
	for _, span := range res.Spans {
		out.Spans = append(out.Spans, harness.Span(span))
	}
	return out, err
}

func (e *Executor) command(ctx context.Context, s lifecycle.Step, env map[string]string, m *marks, grace time.Duration) (harness.Outcome, error) {
	stdout, stderr, done := m.streams()
	defer done()
	res, err := command.Run(ctx, command.Config{Argv: s.Command, Dir: e.copy, Env: env, Grace: grace, Shim: e.shim, When: s.SucceedsWhen, Stdout: stdout, Stderr: stderr})
	out := harness.Outcome{OK: res.OK, Excused: res.Excused, Output: res.Output}
	if res.Summary != "" {
		out.Diagnostics = []harness.Diagnostic{{Summary: res.Summary, Detail: res.Detail}}
	}
	return out, err
}

// scrub takes secrets of the run out of what a step printed.
func scrub(out harness.Outcome, secrets []string) harness.Outcome {
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "REDACTED")
	}
	r := strings.NewReplacer(pairs...)
	out.Output = r.Replace(out.Output)
	for i, d := range out.Diagnostics {
		out.Diagnostics[i] = harness.Diagnostic{Summary: r.Replace(d.Summary), Detail: r.Replace(d.Detail), Address: d.Address}
	}
	return out
}
