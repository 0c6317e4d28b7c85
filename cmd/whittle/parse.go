package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/catalog/named"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/role/aws/decode"
)

// unnamedError says that an output holds refusals which name nothing that could
// be granted.
type unnamedError struct{ count int }

func (e *unnamedError) Error() string {
	return count(e.count, "refusal") + " that nobody could read: no permission is named, and no call that would need one"
}

// Hints implements the hints of printError.
func (e *unnamedError) Hints() []string {
	return []string{"run the tool again with its debug log (TF_LOG=debug, PACKER_LOG=1, aws --debug, gcloud --log-http) and parse that: it shows the requests"}
}

func newParse(g *globals) *cobra.Command {
	var only string
	var decoded bool
	c := &cobra.Command{
		Use:   "parse [FILE|-]",
		Short: "Read the refusals in a tool's output",
		Long: `Reads what terraform, packer, aws, gcloud, az, docker or any SDK printed (a log of
any size, a CI log, one pasted line) and prints the refusals in it, each once:
which cloud, why, which permission on which resource, for whom, and what stands
in the way where a grant would not help. It reads from stdin without a FILE or
with "-". Colour, Terraform's boxes, JSON lines and wrapped lines are read too.

Reasons: missing_permission, opaque_denial (no permission is named; candidates
are guesses by the call that the text names), explicit_deny (blocker says what),
api_disabled, quota_or_rate, bad_credentials, not_authorization.

A tool can print anything: what is found here is a hint for people, and grants
nothing. A refusal can be another principal's than yours, a Lambda's own role for
one: it is shown with its principal.

Evidence is an excerpt of the output, without its colour, boxes, escapes and the
line breaks inside a sentence.

Exit codes: 0 when the output was read, also where it holds no refusal; 5 when it
holds a refusal that names nothing, so that nobody can say what to grant; 1 when
the output could not be read. The refusals are printed in each case.`,
		Example: `  terraform apply 2>&1 | tee apply.log | whittle parse
  whittle parse apply.log --json | jq -r '.[].permission'
  whittle parse --cloud aws --decode apply.log`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{err: fmt.Errorf("%s takes one file, got %d", c.CommandPath(), len(args)), hint: "to read several, use: cat FILES | whittle parse"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			clouds, err := cloudsOf(only)
			if err != nil {
				return err
			}
			file := "-"
			if len(args) == 1 {
				file = args[0]
			}
			return runParse(c.Context(), g, file, clouds, decoded)
		},
	}
	c.Flags().StringVar(&only, "cloud", "", "read the refusals of one `cloud` alone: aws, gcp or azure")
	complete(c, "cloud", "aws", "gcp", "azure")
	c.Flags().BoolVar(&decoded, "decode", false, "have AWS decode EC2's encoded messages, with your own credentials (needs sts:DecodeAuthorizationMessage)")
	return c
}

func cloudsOf(only string) ([]refusal.Cloud, error) {
	switch c := refusal.Cloud(only); c {
	case "":
		return nil, nil
	case refusal.AWS, refusal.GCP, refusal.Azure:
		return []refusal.Cloud{c}, nil
	}
	return nil, &usageError{err: fmt.Errorf("--cloud=%s: not known", only), hint: "use --cloud=aws, --cloud=gcp or --cloud=azure"}
}

func runParse(ctx context.Context, g *globals, file string, clouds []refusal.Cloud, decoded bool) error {
	var in io.Reader = contextReader{ctx, g.in}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = contextReader{ctx, f}
	}
	found, err := parsers.Scan(in, clouds...)
	if err != nil {
		err = fmt.Errorf("%s: %w", nameOf(file), err)
	}
	denials := make([]shown, len(found))
	for i, d := range found {
		denials[i].Denial = d
	}
	if decoded && ctx.Err() == nil {
		decodeAll(ctx, g, denials)
	}
	unnamed := 0
	for i, d := range denials {
		if d.Reason != refusal.OpaqueDenial {
			continue
		}
		if len(d.Candidates) == 0 {
			denials[i].Candidates = named.Candidates(string(d.Cloud), named.Call(d.Call))
		}
		if len(denials[i].Candidates) == 0 {
			unnamed++
		}
	}
	if perr := printDenials(g, denials); perr != nil {
		return perr
	}
	switch {
	case err != nil:
		return err
	case unnamed > 0:
		return &unnamedError{unnamed}
	}
	return nil
}

func nameOf(file string) string {
	if file == "-" {
		return "stdin"
	}
	return filepath.Clean(file)
}

// contextReader ends a long read when the command is interrupted.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// shown is a denial with the conditions of its request, which only a decoded
// message tells.
type shown struct {
	refusal.Denial
	conditions map[string][]string
}

// decodeAll asks STS for what EC2 encoded. What it may not or cannot decode stays
// as it is, and is told.
func decodeAll(ctx context.Context, g *globals, denials []shown) {
	if !slices.ContainsFunc(denials, func(d shown) bool { return d.Encoded != "" }) {
		fmt.Fprintln(g.err, "decode: no encoded message in the output")
		return
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintf(g.err, "decode: %v; the encoded refusals stay opaque\n", err)
		return
	}
	client := sts.NewFromConfig(cfg)
	for i, d := range denials {
		if d.Encoded == "" {
			continue
		}
		m, err := decode.Message(ctx, client, d.Encoded)
		if err != nil {
			fmt.Fprintf(g.err, "decode: %v; the refusal stays as it is\n", err)
			var invalid *types.InvalidAuthorizationMessageException
			if !errors.As(err, &invalid) && errors.As(err, new(*smithy.OperationError)) {
				return // nor would it decode another
			}
			continue
		}
		denials[i].conditions = m.Conditions
		if d.Permission != "" {
			continue // the message says the same as the sentence before it
		}
		d.Permission, d.Resource, d.Principal = m.Permission, m.Resource, m.Principal
		d.Reason, d.Candidates = refusal.MissingPermission, nil
		if m.ExplicitDeny {
			d.Reason = refusal.ExplicitDeny
			if d.Blocker == "" {
				d.Blocker = "a policy that the refusal does not name"
			}
		}
		denials[i].Denial = d.Denial
	}
}

// denialJSON is a denial with every field there, so that a script need not ask.
type denialJSON struct {
	Cloud      refusal.Cloud  `json:"cloud"`
	Reason     refusal.Reason `json:"reason"`
	Permission string         `json:"permission"`
	Candidates []string       `json:"candidates"`
	Resource   string         `json:"resource"`
	Principal  string         `json:"principal"`
	Blocker    string         `json:"blocker"`
	Evidence   string         `json:"evidence"`
	// Conditions are there for what was decoded alone.
	Conditions map[string][]string `json:"conditions,omitempty"`
}

func printDenials(g *globals, denials []shown) error {
	if g.json {
		list := make([]denialJSON, 0, len(denials))
		for _, d := range denials {
			list = append(list, denialJSON{d.Cloud, d.Reason, d.Permission, append([]string{}, d.Candidates...), d.Resource, d.Principal, d.Blocker, d.Evidence, d.conditions})
		}
		return printJSON(g.out, list)
	}
	if len(denials) == 0 {
		fmt.Fprintln(g.out, "no refusals")
		return nil
	}
	for i, d := range denials {
		if i > 0 {
			fmt.Fprintln(g.out)
		}
		what := d.Permission
		if what == "" {
			what = "(no permission named)"
		}
		fmt.Fprintf(g.out, "%s  %s  %s\n", d.Cloud, d.Reason, visible(what))
		t := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
		for _, line := range []struct{ name, value string }{
			{"candidates", strings.Join(d.Candidates, ", ")}, {"resource", d.Resource}, {"principal", d.Principal}, {"blocker", d.Blocker}, {"evidence", d.Evidence},
			{"conditions", conditions(d.conditions)},
		} {
			if line.value != "" {
				fmt.Fprintf(t, "  %s\t%s\n", line.name, visible(line.value))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// conditions writes condition keys and their values on one line.
func conditions(of map[string][]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		all = append(all, key+"="+strings.Join(of[key], "|"))
	}
	return strings.Join(all, ", ")
}

// visible makes one line of a value, with nothing in it that a terminal would
// obey.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2028 || r == 0x2029:
			return -1
		}
		return r
	}, s)
}

// isUnnamed tells whether parse found refusals that name nothing.
func isUnnamed(err error) bool {
	var u *unnamedError
	return errors.As(err, &u)
}
