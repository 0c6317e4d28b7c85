package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/rolefile"
	auditaws "github.com/whittle-iam/whittle/sandbox/audit/aws"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// The states of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn" // a probe can start, and may not get what one expects
	checkFail = "fail" // it cannot
)

// finding is one thing that doctor looked at.
type finding struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"` // what to do about it
}

// diagnosis is what doctor found.
type diagnosis struct {
	Ready  bool      `json:"ready"`
	Lacks  []string  `json:"lacks"` // permissions of the operator's
	Checks []finding `json:"checks"`
}

func (d *diagnosis) add(state, name, next, format string, args ...any) {
	d.Checks = append(d.Checks, finding{name, state, fmt.Sprintf(format, args...), next})
}

// failed puts an error into a check, with what its maker says to try.
func (d *diagnosis) failed(name string, err error) {
	d.add(checkFail, name, strings.Join(hintsOf(err), "; "), "%s", err)
}

// lacking says which of the operator's rights are missing.
func (d *diagnosis) lacking(lacks []string, all int) {
	if len(lacks) == 0 {
		d.add(checkOK, "rights", "", "the operator holds all %d permissions that a probe, its audit and clean --purge need", all)
		return
	}
	d.Lacks = lacks
	d.add(checkFail, "rights", "ask for the role that whittle doctor --role native prints", "the operator lacks %s", strings.Join(lacks, ", "))
}

// left says what earlier runs have left.
func (d *diagnosis) left(text string) {
	if text == "" {
		d.add(checkOK, "leftovers", "", "none of earlier runs of this stack")
		return
	}
	d.add(checkWarn, "leftovers", "whittle clean empties them, and with --purge deletes them; a probe takes them up again", "%s", text)
}

// patient is an operator whom doctor can examine. It changes nothing.
type patient interface {
	examine(ctx context.Context, d *diagnosis, c examination)
}

// examination is what is to be looked at in an account, project or subscription.
type examination struct {
	poolConfig
	lc    lifecycle.Lifecycle
	named string // --target-is-sandbox
}

// target looks for the mark of a sandbox.
func (d *diagnosis) target(t guard.Target, err error, named string) {
	if err != nil {
		d.failed("sandbox", err)
		return
	}
	right, err := guard.Check(t, named)
	if err != nil {
		d.failed("sandbox", err)
		return
	}
	d.add(checkOK, "sandbox", "", "%s, by %s", t, right)
}

type doctorOptions struct {
	file  string
	named string
	role  string
}

func newDoctor(g *globals) *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell whether a probe can start here, and what the operator needs",
		Long: `Doctor looks, and makes nothing: whose credentials the operator's are, whether the
account, project or subscription is marked as a sandbox, which of the rights that
a probe needs the operator lacks, whether audit logs are on, what earlier runs have
left, how full the quotas are, whether the clocks agree, whether the tools of the
steps are there, whether they will trust the run's certificate, and which proxies
the environment names.

It ends with 0 only when a probe can start. With --role it prints the exact role
that the operator needs, to ask for, and looks at nothing.`,
		Example: `  whittle doctor
  whittle doctor --role native > operator.json   # the role to ask for
  whittle doctor --role terraform
  whittle doctor --json | jq '.checks[] | select(.state != "ok")'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c.Context(), o, g) },
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "whittle.yaml", "the lifecycle `file`")
	f.StringVar(&o.named, "target-is-sandbox", "", "the full `NAME` of the account or project, where it is not marked as a sandbox")
	f.StringVar(&o.role, "role", "", "print the operator's role as native, terraform, list, or arm (Azure)")
	complete(c, "role", "native", "terraform", "list", "arm")
	return c
}

// notReadyError: a probe cannot start.
type notReadyError struct{ failed, of int }

func (e *notReadyError) Error() string {
	return fmt.Sprintf("a probe cannot start here: %d of %d checks failed", e.failed, e.of)
}

func runDoctor(ctx context.Context, o doctorOptions, g *globals) error {
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return err
	}
	if o.role != "" {
		return printOperatorRole(g, lc, o.role)
	}
	log, err := g.logger()
	if err != nil {
		return err
	}
	d := &diagnosis{Lacks: []string{}}
	d.add(checkOK, "lifecycle", "", "%s: %s on %s", o.file, count(len(lc.Steps), "step"), sandboxName(lc.Sandbox))
	p, err := openPlace(ctx, lc.Cloud, lc.Sandbox, embedded.Config{Log: log})
	switch {
	case err != nil:
		d.failed("operator", err)
	case p.real():
		if who, ok := p.operator.(patient); ok {
			who.examine(ctx, d, examination{poolConfig{stack: stackName(lc), run: "doctor", log: log}, lc, o.named})
		}
	default:
		d.add(checkOK, "sandbox", "", "the embedded sandbox starts; it needs no operator, no mark and no quota")
	}
	d.tools(ctx, lc)
	d.add(trusting(runtime.GOOS, lc))
	d.proxies(os.Environ())
	if p != nil {
		if err := p.close(); err != nil {
			return err
		}
	}
	failed := 0
	for _, c := range d.Checks {
		if c.State == checkFail {
			failed++
		}
	}
	d.Ready = failed == 0
	if g.json {
		err = printJSON(g.out, d)
	} else {
		err = printDiagnosis(g.out, d)
	}
	if !d.Ready {
		err = errors.Join(err, &notReadyError{failed, len(d.Checks)})
	}
	return err
}

func printDiagnosis(w io.Writer, d *diagnosis) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range d.Checks {
		text := strings.ReplaceAll(report.Visible(c.Text), "\n", " ")
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.State, c.Name, text)
		if c.Next != "" {
			fmt.Fprintf(tw, "\t\t  %s\n", strings.ReplaceAll(report.Visible(c.Next), "\n", " "))
		}
	}
	return tw.Flush()
}

// operatorNeeds is what the operator must hold for a lifecycle, and what beside it.
func operatorNeeds(lc lifecycle.Lifecycle) (set grant.Set, beside string) {
	switch lc.Cloud {
	case "gcp":
		if lc.ScopeOrDefault() != lifecycle.ScopeAction {
			return rolegcp.Needs().Union(rolegcp.NeedsScoped()), ""
		}
		return rolegcp.Needs(), ""
	case "azure":
		set = roleazure.Needs()
		if lc.ScopeOrDefault() != lifecycle.ScopeAction {
			set = set.Union(roleazure.NeedsScoped())
		}
		return set, "and in the directory, which no role gives: the application permission " + roleazure.GraphNeeds + " of Microsoft Graph, or for a person the directory role Application Developer"
	}
	return roleaws.Needs().Union(auditaws.Trail(lc.Trail).Needs()), ""
}

// printOperatorRole prints the role to ask for.
func printOperatorRole(g *globals, lc lifecycle.Lifecycle, format string) error {
	if !slices.Contains(rolefile.Formats(lc.Cloud), rolefile.Format(format)) {
		return &usageError{err: fmt.Errorf("--role=%s: cloud %s has no such format", format, lc.Cloud), hint: fmt.Sprintf("use one of %v", rolefile.Formats(lc.Cloud))}
	}
	set, beside := operatorNeeds(lc)
	values := map[string]string{}
	if lc.Sandbox.Account != "" {
		values["account"] = lc.Sandbox.Account
	}
	if lc.Sandbox.Subscription != "" {
		values["subscription"] = lc.Sandbox.Subscription
	}
	files, err := rolefile.Write([]rolefile.Group{{Name: "whittle-operator", Description: "what the operator of Whittle needs in a sandbox", Set: set}},
		rolefile.Options{Cloud: lc.Cloud, Format: rolefile.Format(format), Values: values})
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := g.out.Write(f.Content); err != nil {
			return err
		}
	}
	if beside != "" {
		fmt.Fprintln(g.err, "whittle: "+beside)
	}
	return nil
}

// tools looks for what the steps run. What is not there is downloaded or built, but for
// a command's own program.
func (d *diagnosis) tools(ctx context.Context, lc lifecycle.Lifecycle) {
	seen := map[string]bool{}
	once := func(name string) bool { was := seen[name]; seen[name] = true; return !was }
	for _, s := range lc.Steps {
		switch {
		case s.Terraform != nil && once("terraform"):
			d.tool(ctx, "terraform", "it is downloaded, or OpenTofu is built, when the probe starts", cmp.Or(lc.Terraform.Path, "terraform"), "tofu")
		case s.Packer != nil && once("packer"):
			d.tool(ctx, "packer", "it is built when the probe starts, which needs Go", "packer")
		case len(s.Command) > 0 && once("command "+s.Command[0]):
			name := s.Command[0]
			if strings.Contains(name, "/") && !filepath.IsAbs(name) {
				name = filepath.Join(lc.Dir, name)
			}
			if path, err := exec.LookPath(name); err == nil {
				d.add(checkOK, "tool", "", "%s of step %s is %s", s.Command[0], s.Name, path)
			} else {
				d.add(checkWarn, "tool", "install it, unless an earlier step makes it", "%s of step %s is not there", s.Command[0], s.Name)
			}
		}
	}
}

// tool looks for the first of some programs, and asks it for its version.
func (d *diagnosis) tool(ctx context.Context, what, absent string, names ...string) {
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, path, "version").Output()
		if err != nil {
			d.add(checkFail, "tool", "reinstall it, or name another with terraform: {path: …}", "%s cannot be run: %s", path, err)
			return
		}
		d.add(checkOK, "tool", "", "%s: %s at %s", what, firstLine(strings.TrimSpace(string(out))), path)
		return
	}
	d.add(checkWarn, "tool", "", "%s is not on PATH: %s", what, absent)
}

// trusting tells whether the children of a run will trust its certificate. Go reads
// SSL_CERT_FILE everywhere but on macOS and Windows, where it asks the system (package
// crypto/x509, "SystemCertPool").
func trusting(goos string, lc lifecycle.Lifecycle) (state, name, next, format string) {
	name = "trust"
	if goos != "darwin" && goos != "windows" {
		return checkOK, name, "", "the steps' programs read SSL_CERT_FILE, AWS_CA_BUNDLE and the like, and so trust the run's certificate"
	}
	for _, s := range lc.Steps {
		if s.Terraform == nil && s.Packer == nil {
			continue
		}
		if lc.TrustOutput {
			return checkWarn, name, "", "Go ignores SSL_CERT_FILE on " + goos + ": Terraform, its providers and Packer will not trust the run's certificate; with trust: output their own words grow the roles"
		}
		return checkFail, name, "run Whittle on Linux, in a container for one; or say trust: output, if you wrote all of the code, so that what the tools print grows the roles",
			"Go ignores SSL_CERT_FILE on " + goos + ": Terraform, its providers and Packer will not trust the run's certificate"
	}
	return checkWarn, name, "", "Go ignores SSL_CERT_FILE on " + goos + ": a command that is a Go program will not trust the run's certificate"
}

// proxies says which proxies the environment names: what leaves the run's own proxy
// goes through them.
func (d *diagnosis) proxies(environ []string) {
	var found []string
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if value == "" || !slices.Contains([]string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}, strings.ToUpper(name)) {
			continue
		}
		if strings.ToUpper(name) != "NO_PROXY" { // it may hold a password
			u, err := url.Parse(value)
			if err != nil || u.Host == "" {
				d.add(checkFail, "proxy", "write it as http://HOST:PORT", "%s is no address of a proxy", name)
				return
			}
			value = u.Scheme + "://" + u.Host
		}
		found = append(found, name+"="+value)
	}
	if len(found) == 0 {
		d.add(checkOK, "proxy", "", "the environment names none")
		return
	}
	slices.Sort(found)
	d.add(checkOK, "proxy", "", "the run's own proxy goes out through %s", strings.Join(found, ", "))
}

// The skew of clocks that signatures and tokens bear: AWS refuses at 5 minutes, and
// Google's and Microsoft's tokens are good from when they were made.
const (
	skewWarn = 30 * time.Second
	skewFail = 4 * time.Minute
)

// clock compares this machine's clock with the cloud's, by the date of a reply.
func (d *diagnosis) clock(ctx context.Context, client *http.Client, address string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		d.failed("clock", err)
		return
	}
	before := time.Now()
	reply, err := client.Do(r)
	if err != nil {
		d.failed("clock", fmt.Errorf("%s cannot be reached: %w", address, err))
		return
	}
	reply.Body.Close()
	at, err := http.ParseTime(reply.Header.Get("Date"))
	if err != nil {
		d.add(checkWarn, "clock", "", "%s tells no time", address)
		return
	}
	d.skew(before.Add(time.Since(before)/2).Sub(at) - time.Second/2) // a date has whole seconds
}

func (d *diagnosis) skew(off time.Duration) {
	off = off.Round(time.Second)
	const next = "set the clock of this machine"
	switch a := off.Abs(); {
	case a > skewFail:
		d.add(checkFail, "clock", next, "this machine's clock is %s off the cloud's: signatures are refused", off)
	case a > skewWarn:
		d.add(checkWarn, "clock", next, "this machine's clock is %s off the cloud's", off)
	default:
		d.add(checkOK, "clock", "", "this machine's clock agrees with the cloud's to %s", max(off.Abs(), time.Second))
	}
}

// names are the identities that a probe makes.
func (c examination) names() []string { return harness.IdentityNames(c.lc, false) }
