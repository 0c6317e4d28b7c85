package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/lifecycle/survey"
	"github.com/whittle-iam/whittle/harness/lifecycle/survey/draft"
)

func newInit(g *globals) *cobra.Command {
	var (
		cloud string
		force bool
	)
	c := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Draft a whittle.yaml from the Terraform, Packer and Makefiles in a folder",
		Long: `Init looks through a folder of infrastructure code, this one unless another is
named, and writes a commented whittle.yaml into it: a step for each Packer template,
plan, apply and destroy for each Terraform root module, what pushes images. Modules
that others call are no roots. What it cannot know is left for you to fill in, and
named.

It runs nothing, and writes over no whittle.yaml unless told to with --force.`,
		Example: `  whittle init
  whittle init infra
  whittle init --cloud aws             # of two clouds, the steps of one
  whittle init --force                 # write over the whittle.yaml that is there
  whittle init --json | jq .roots`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{err: fmt.Errorf("%s takes one folder, got %q too", c.CommandPath(), args[1]), hint: fmt.Sprintf("see %s --help", c.CommandPath())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if cloud != "" && !slices.Contains(initClouds(), cloud) {
				return &usageError{err: fmt.Errorf("--cloud=%s: not known", cloud), hint: "use aws, gcp or azure"}
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return runInit(g, dir, cloud, force)
		},
	}
	c.Flags().StringVar(&cloud, "cloud", "", "aws, gcp or azure (default: that of the providers)")
	c.Flags().BoolVar(&force, "force", false, "write over a whittle.yaml that is there")
	_ = c.RegisterFlagCompletionFunc("cloud", cobra.FixedCompletions(initClouds(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func initClouds() []string { return []string{"aws", "gcp", "azure"} }

// thereError: there is a whittle.yaml already.
type thereError struct{ file string }

func (e *thereError) Error() string   { return e.file + " is there already, and was left as it is" }
func (e *thereError) Hints() []string { return []string{"--force writes over it"} }

// nothingError: there is nothing to make a lifecycle of.
type nothingError struct {
	dir string
	error
}

func (e *nothingError) Error() string { return e.dir + ": " + e.error.Error() }
func (e *nothingError) Unwrap() error { return e.error }
func (e *nothingError) Hints() []string {
	return []string{"name the folder of the infrastructure code; a lifecycle of commands alone is written by hand: docs/whittle-yaml.md"}
}

func runInit(g *globals, dir, cloud string, force bool) error {
	file := filepath.Join(dir, "whittle.yaml")
	if _, err := os.Lstat(file); err == nil && !force {
		return &thereError{file}
	}
	tree, err := survey.Look(dir)
	if wrong := new(lifecycle.Error); errors.As(err, &wrong) {
		wrong.File = filepath.Join(dir, wrong.File)
	}
	if err != nil {
		return err
	}
	drafted, err := draft.Of(tree, cloud)
	if errors.Is(err, draft.ErrNothing) {
		return &nothingError{dir, err}
	}
	if err != nil {
		return err
	}
	if _, err := lifecycle.Parse(file, []byte(drafted.Text)); err != nil {
		return fmt.Errorf("the draft does not load, which is a fault of whittle's; nothing was written: %w", err)
	}
	if err := writeDraft(file, drafted.Text, force); err != nil {
		return err
	}
	if g.json {
		return printJSON(g.out, initJSONOf(file, tree, drafted))
	}
	return printSurvey(g.out, file, tree, drafted)
}

// writeDraft writes the file; without force only where there is none, whoever may
// have been quicker.
func writeDraft(file, text string, force bool) error {
	if force {
		if err := renameio.WriteFile(file, []byte(text), 0o644, renameio.WithTempDir(filepath.Dir(file))); err != nil {
			return fmt.Errorf("write %s: %w; what was there is as it was. Is the folder writable?", file, err)
		}
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return &thereError{file}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w. Is the folder writable?", file, err)
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, errors.Join(err, os.Remove(file)))
	}
	return nil
}

// initJSON is what `whittle init --json` prints.
type initJSON struct {
	File      string   `json:"file"`
	Cloud     string   `json:"cloud"`
	Steps     int      `json:"steps"`
	Roots     []string `json:"roots"`
	Modules   []string `json:"modules"`
	Templates []string `json:"templates"`
	Fill      []string `json:"fill_in"`
}

func initJSONOf(file string, tree survey.Tree, d draft.Draft) initJSON {
	out := initJSON{File: file, Cloud: d.Cloud, Steps: d.Steps, Roots: []string{}, Modules: []string{}, Templates: []string{}, Fill: d.Fill}
	for _, m := range tree.Roots {
		out.Roots = append(out.Roots, m.Dir)
	}
	for _, m := range tree.Called {
		out.Modules = append(out.Modules, m.Dir)
	}
	for _, p := range tree.Templates {
		out.Templates = append(out.Templates, p.Path)
	}
	if out.Fill == nil {
		out.Fill = []string{}
	}
	return out
}

// printSurvey says what was found, and what to do next.
func printSurvey(w io.Writer, file string, tree survey.Tree, d draft.Draft) error {
	var b strings.Builder
	for _, m := range tree.Roots {
		state := "local state"
		if m.Remote() {
			state = "state in " + m.Backend
		}
		fmt.Fprintf(&b, "found  Terraform root      %s (%s; %s)\n", m.Dir, strings.Join(m.Providers, ", "), state)
	}
	for _, m := range tree.Called {
		fmt.Fprintf(&b, "found  Terraform module    %s: no step of its own\n", m.Dir)
	}
	for _, p := range tree.Templates {
		fmt.Fprintf(&b, "found  Packer template     %s (%s)\n", p.Path, strings.Join(p.Sources, ", "))
	}
	for _, t := range tree.Targets {
		fmt.Fprintf(&b, "found  Makefile target     %s (%s:%d)\n", t.Name, t.File, t.Line)
	}
	for _, s := range tree.Scripts {
		fmt.Fprintf(&b, "found  image push          %s:%d (%s)\n", s.Path, s.Line, s.Does.Pushes)
	}
	fmt.Fprintf(&b, "wrote  %s: %s on %s\n", file, count(d.Steps, "step"), d.Cloud)
	for _, f := range d.Fill {
		fmt.Fprintf(&b, "fill in  %s\n", f)
	}
	next := "whittle probe"
	if file != "whittle.yaml" {
		next += " -f " + file
	}
	fmt.Fprintf(&b, "next: go over %s, then %s\n", file, next)
	_, err := io.WriteString(w, b.String())
	return err
}
