package attempt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

var _ harness.Resetter = (*Executor)(nil)

// Reset takes back what the step has done, in the working copy, with the
// operator's own environment and no proxy: by the step's reset, or by destroying
// what a step of Terraform has applied.
func (e *Executor) Reset(ctx context.Context, s lifecycle.Step) error {
	e.busy.Lock()
	defer e.busy.Unlock()
	env := map[string]string{}
	for _, kv := range e.c.Environ {
		if key, value, ok := strings.Cut(kv, "="); ok {
			env[key] = value
		}
	}
	if len(s.Reset) > 0 {
		maps.Copy(env, s.Env)
		res, err := proc.Run(ctx, proc.Command{Path: s.Reset[0], Args: s.Reset[1:], Dir: e.copy, Env: env, Shim: e.shim})
		if err == nil && res.ExitCode != 0 {
			// What it printed as the operator is nobody else's.
			err = fmt.Errorf("%s ended with exit code %d", s.Reset[0], res.ExitCode)
		}
		return err
	}
	if s.Terraform == nil || s.Terraform.Command != "apply" {
		return errors.New("it has no reset:, and is no terraform apply")
	}
	t := *s.Terraform
	t.Command = "destroy"
	s.Terraform = &t
	for _, key := range tfexec.ProhibitedEnv(env) { // TF_VAR_ and the like, which the step says itself
		delete(env, key)
	}
	maps.Copy(env, s.Env)
	env["TF_CLI_CONFIG_FILE"] = e.own.cliConfig // where the step's providers are from
	out, err := e.step(ctx, s, env, nil, 0)
	if err == nil && !out.OK {
		err = errors.New("terraform destroy as the operator failed")
		for _, d := range out.Diagnostics {
			err = fmt.Errorf("%w\n  %s", err, d.Summary)
		}
	}
	return err
}
