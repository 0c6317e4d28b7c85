package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// emitOptions are the flags of emit.
type emitOptions struct {
	record    string
	by        string
	only      []string
	format    string
	out       string
	force     bool
	set       map[string]string
	prefix    string
	inline    bool
	attach    int
	wildcards bool
}

// ways are what --by takes.
var ways = []string{"role", "step", "phase", "all"}

func newEmit(g *globals) *cobra.Command {
	var o emitOptions
	c := &cobra.Command{
		Use:   "emit",
		Short: "Write the record as role files: policies, roles, Terraform",
		Long: `Emit writes what the record says as roles that a cloud takes: AWS policies in
JSON, within IAM's quotas; roles of Google Cloud in YAML, for gcloud iam roles
create --file; role definitions of Azure in JSON; Terraform for all three; or a
plain list. Nothing is wider than the record.

One file goes to stdout; several need --out. A file that is there stays as it is
unless --force is given. The record's placeholders ({account}, the lifecycle's
names) need a value (--set), or become Terraform's variables.`,
		Example: `  whittle emit --set account=123456789012 --set name=acme --out roles
  whittle emit --by step --only apply --format terraform > apply.tf
  whittle emit --by phase --format list --out lists
  whittle emit --record docs/examples/e2b/whittle.lock.json --only planner | gcloud iam roles create planner --project PROJECT --file /dev/stdin`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runEmit(g, o) },
	}
	f := c.Flags()
	f.StringVar(&o.record, "record", "whittle.lock.json", "the record `file`")
	f.StringVar(&o.by, "by", "role", "a role for each role of the lifecycle, for each step or phase, or one for all: role, step, phase, all")
	f.StringSliceVar(&o.only, "only", nil, "only the roles of these `names`")
	f.StringVar(&o.format, "format", "native", "native (what the cloud's own tool takes), terraform, list, or arm (Azure's Resource Manager)")
	f.StringVar(&o.out, "out", "", "the `folder` to write to; left out: stdout")
	f.BoolVar(&o.force, "force", false, "write over files that are there")
	f.StringToStringVar(&o.set, "set", nil, "`key=value` for a {key} of the record; can be given again")
	f.StringVar(&o.prefix, "prefix", "", "what the roles' names begin with")
	f.BoolVar(&o.inline, "inline", false, "AWS: one inline policy for each role, in place of managed ones")
	f.IntVar(&o.attach, "attach", policy.AttachLimit, "AWS: how many managed policies your account lets a role have")
	f.BoolVar(&o.wildcards, "wildcards", false, "AWS: put Describe* and List* in the place of several such actions: shorter and wider")
	complete(c, "by", ways...)
	completeFrom(c, "only", func(rec record.Record) []string { return namesOf(o.by)(rec) }) // once --by is read
	complete(c, "format", "native", "terraform", "list", "arm")
	return c
}

// complete has the shell offer a flag's values.
func complete(c *cobra.Command, flag string, values ...string) {
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFrom has the shell offer what the record that --record names has.
func completeFrom(c *cobra.Command, flag string, names func(record.Record) []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		file, err := c.Flags().GetString("record")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		rec, err := record.Read(file)
		if err != nil { // the command itself will say so
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list := names(rec)
		slices.Sort(list)
		return slices.Compact(list), cobra.ShellCompDirectiveNoFileComp
	})
}

// namesOf are the roles, steps or phases of a record, as --by says.
func namesOf(by string) func(record.Record) []string {
	return func(rec record.Record) []string {
		var names []string
		for _, s := range rec.Steps {
			names = append(names, groupName(by, s))
		}
		return names
	}
}

// groupName is the role that a step belongs to, as --by says.
func groupName(by string, s record.Step) string {
	switch by {
	case "step":
		return s.Name
	case "phase":
		return s.Phase
	case "all":
		return "all"
	}
	return s.RoleName()
}

func runEmit(g *globals, o emitOptions) error {
	if !slices.Contains(ways, o.by) {
		return &usageError{err: fmt.Errorf("--by=%s: not known", o.by), hint: "use " + strings.Join(ways, ", ")}
	}
	rec, err := readRecord(o.record)
	if err != nil {
		return err
	}
	format, err := emitFormat(o, rec.Cloud)
	if err != nil {
		return err
	}
	if err := checkValues(rec, o.set); err != nil {
		return err
	}
	groups, err := groupsOf(rec, o, func(format string, args ...any) { fmt.Fprintln(g.err, report.Visible(fmt.Sprintf(format, args...))) })
	if err != nil {
		return err
	}
	files, err := rolefile.Write(groups, rolefile.Options{Cloud: rec.Cloud, Format: format, Prefix: o.prefix, Inline: o.inline, Attach: o.attach, Values: o.set})
	if err != nil {
		return err
	}
	if !rec.Verified {
		fmt.Fprintln(g.err, "note: the record is not verified: run whittle probe without --no-verify")
	}
	if o.out != "" {
		return writeFiles(g, files, o)
	}
	if g.json {
		return printJSON(g.out, emitted(files, "", true))
	}
	if len(files) > 1 {
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
		}
		return &usageError{err: fmt.Errorf("%d files (%s), and stdout has room for one", len(files), strings.Join(names, ", ")),
			hint: "give --out FOLDER, or choose roles with --only"}
	}
	_, err = g.out.Write(files[0].Content)
	return err
}

// emitFormat checks what was asked for against the cloud.
func emitFormat(o emitOptions, cloud string) (rolefile.Format, error) {
	formats := rolefile.Formats(cloud)
	if !slices.Contains(formats, rolefile.Format(o.format)) {
		var names []string
		for _, f := range formats {
			names = append(names, string(f))
		}
		return "", &usageError{err: fmt.Errorf("--format=%s: not known for a record of %s", o.format, cloud), hint: "use " + strings.Join(names, ", ")}
	}
	switch {
	case cloud != "aws" && (o.inline || o.wildcards):
		return "", &usageError{err: fmt.Errorf("--inline and --wildcards are for AWS, and this record is of %s", cloud), hint: "leave them out"}
	case o.attach < 1:
		return "", &usageError{err: fmt.Errorf("--attach=%d: a role has at least one policy", o.attach), hint: "say how many policies your account lets a role have"}
	}
	return rolefile.Format(o.format), nil
}

// plainValue is what may stand for a {key}: nothing that IAM reads as a wildcard
// or a variable, or a value would widen the role.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./@+=,-]*$`)

var numberValue = regexp.MustCompile(`^[0-9]{6,19}$`)

var accountValue = regexp.MustCompile(`^[0-9]{12}$`)

// checkValues refuses values for keys that the record does not have, and those
// that could widen a role.
func checkValues(rec record.Record, values map[string]string) error {
	known := keysIn(rec)
	for key, value := range values {
		switch {
		case !slices.Contains(known, key):
			return &usageError{err: fmt.Errorf("--set %s: the record has no {%s}", key, key), hint: "it has " + strings.Join(append(known, "no others"), ", ")}
		case rec.Cloud == "gcp" && key == "project_number" && !numberValue.MatchString(value):
			return &usageError{err: fmt.Errorf("--set project_number=%s: a project's number is expected", value), hint: "ask for it: gcloud projects describe PROJECT --format='value(projectNumber)'"}
		case rec.Cloud == "aws" && key == "account" && !accountValue.MatchString(value):
			return &usageError{err: fmt.Errorf("--set account=%s: an AWS account ID is expected", value), hint: "it is 12 digits: aws sts get-caller-identity"}
		case !plainValue.MatchString(value):
			return &usageError{err: fmt.Errorf("--set %s=%s: cannot be a part of a name", key, value), hint: "a wildcard or a variable would widen the role; use letters, digits and _ . / @ + = , -"}
		}
	}
	return nil
}

// keysIn are the {key}s of the record's resources, and the one that is always
// there.
func keysIn(rec record.Record) []string {
	keys := []string{accountKeys[rec.Cloud]}
	for _, s := range rec.Steps {
		for g := range s.Set().All() {
			keys = append(keys, rolefile.Keys(g.Resource+g.Condition)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// groupsOf makes the roles that --by and --only ask for.
func groupsOf(rec record.Record, o emitOptions, note func(string, ...any)) ([]rolefile.Group, error) {
	var groups []rolefile.Group
	steps := map[string][]string{} // of a group
	phases := map[string][]string{}
	for _, s := range rec.Steps {
		name := groupName(o.by, s)
		i := slices.IndexFunc(groups, func(g rolefile.Group) bool { return g.Name == name })
		if i < 0 {
			i = len(groups)
			groups = append(groups, rolefile.Group{Name: name, Data: map[string]bool{}})
		}
		groups[i].Set = groups[i].Set.Union(s.Set())
		for _, e := range s.Grants {
			if azure.OfDataPlane(e.Request) {
				groups[i].Data[e.Permission] = true
			}
		}
		steps[name] = append(steps[name], s.Name)
		if !slices.Contains(phases[name], s.Phase) {
			phases[name] = append(phases[name], s.Phase)
		}
	}
	var chosen []rolefile.Group
	for _, g := range groups {
		if len(o.only) > 0 && !slices.Contains(o.only, g.Name) {
			continue
		}
		if g.Set.Len() == 0 {
			note("note: %s %s needs nothing: no role is written", o.by, g.Name)
			continue
		}
		g.Description = fmt.Sprintf("needed by %s (%s)", strings.Join(steps[g.Name], ", "), strings.Join(phases[g.Name], ", "))
		if o.wildcards {
			var folded map[string][]string
			g.Set, folded = rolefile.Fold(g.Set)
			for _, w := range sortedKeys(folded) {
				note("note: %s: %s stands for %s, and for all that begins alike", g.Name, w, strings.Join(folded[w], ", "))
			}
		}
		chosen = append(chosen, g)
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(groups, func(g rolefile.Group) bool { return g.Name == name }) {
			var names []string
			for _, g := range groups {
				names = append(names, g.Name)
			}
			return nil, &usageError{err: fmt.Errorf("--only %s: the record has no such %s", name, cmp.Or(o.by, "role")), hint: "it has " + strings.Join(names, ", ")}
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("nothing to write: the record grants nothing")
	}
	return chosen, nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// emittedFile is one of the files that `whittle emit --json` lists.
type emittedFile struct {
	File    string   `json:"file"`
	Roles   []string `json:"roles"`
	Size    int      `json:"size,omitempty"`
	Limit   int      `json:"limit,omitempty"`
	On      string   `json:"on,omitempty"`
	If      string   `json:"if,omitempty"`
	Content string   `json:"content,omitempty"`
}

func emitted(files []rolefile.File, dir string, content bool) []emittedFile {
	list := []emittedFile{}
	for _, f := range files {
		e := emittedFile{File: filepath.Join(dir, f.Name), Roles: f.Roles, Size: f.Size, Limit: f.Limit, On: f.On, If: f.Condition}
		if content {
			e.Content = string(f.Content)
		}
		list = append(list, e)
	}
	return list
}

// writeFiles writes all files, or none where one is there that may not be
// replaced.
func writeFiles(g *globals, files []rolefile.File, o emitOptions) error {
	for _, f := range files {
		path := filepath.Join(o.out, f.Name)
		if _, err := os.Lstat(path); err == nil && !o.force {
			return &existsError{path}
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(o.out, f.Name)
		// In one step: nobody applies half a role.
		if err := renameio.WriteFile(path, f.Content, 0o644, renameio.WithTempDir(o.out)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := tellStale(g, files, o.out); err != nil {
		return err
	}
	if g.json {
		return printJSON(g.out, emitted(files, o.out, false))
	}
	for _, f := range files {
		line := filepath.Join(o.out, f.Name)
		if f.Limit > 0 {
			line += fmt.Sprintf("  %d of %d", f.Size, f.Limit)
		}
		if f.On != "" {
			line += "  for " + f.On
		}
		if f.Condition != "" {
			line += "  if " + f.Condition
		}
		if _, err := fmt.Fprintln(g.out, line); err != nil {
			return err
		}
	}
	return nil
}

// tellStale names files in the folder that look like further parts of a role and
// are of an earlier time: attached with the new ones they would keep what is no
// longer needed.
func tellStale(g *globals, files []rolefile.File, dir string) error {
	written := map[string]bool{}
	for _, f := range files {
		written[f.Name] = true
	}
	for _, f := range files {
		ext := filepath.Ext(f.Name)
		base := numberEnd.ReplaceAllString(strings.TrimSuffix(f.Name, ext), "")
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			rest, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ext), base)
			if ok && filepath.Ext(e.Name()) == ext && !written[e.Name()] && (rest == "" || numberEnd.FindString(rest) == rest) {
				written[e.Name()] = true // said once
				fmt.Fprintf(g.err, "note: %s is of an earlier time and no part of what was written: delete it\n", filepath.Join(dir, e.Name()))
			}
		}
	}
	return nil
}

var numberEnd = regexp.MustCompile(`-[0-9]+$`)

// existsError is a file that would be written over.
type existsError struct{ path string }

func (e *existsError) Error() string { return e.path + " is there already; nothing was written" }
func (e *existsError) Hints() []string {
	return []string{"use --force to write over it, or another --out"}
}
