package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/bypass"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

func newExplain(g *globals) *cobra.Command {
	var (
		from     evidenceFlags
		policies []string
	)
	c := &cobra.Command{
		Use:   "explain PERMISSION",
		Short: "Tell why a permission is in the record, and what its holder can do",
		Long: `Explain tells of a permission each step that needs it: for which request, on
which resource, the cloud's own refusal, how it was shown to be needed and when.
Then what whoever holds it can do: raise their own rights, read secrets, destroy
data, get round a condition on tags.

PERMISSION is a name or a pattern: * stands for any characters. On AWS and Azure
case does not count, on Google Cloud it does. The refusals and the times are in the
journal of a run, which stays where whittle probe ran; the record alone tells the
rest.

With --policy, the AWS policy documents that a role has (all of them) are looked
through for conditions on tags that the same role gets round: it may put the tag
there itself.`,
		Example: `  whittle explain ec2:TerminateInstances
  whittle explain 'storage.*.setIamPolicy'
  whittle explain iam:PassRole --json | jq '.permissions[].uses[].refusal.text'
  whittle explain 'ec2:*' --policy role.json
  whittle explain storage.objects.get --record out/demo-gcp/whittle.lock.json --work out/demo-gcp/run`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] != "" {
				return nil
			}
			return &usageError{err: fmt.Errorf("%s takes one permission, or one pattern in quotes", c.CommandPath()), hint: fmt.Sprintf("see %s --help", c.CommandPath())}
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completePermissions(from.record, start)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := from.report(g.err)
			if err != nil {
				return err
			}
			found := r.Find(args[0])
			if len(found) == 0 {
				return &unknownPermissionError{query: args[0], file: from.record, nearest: r.Nearest(args[0], 5)}
			}
			bypasses, err := bypassesOf(policies, found)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(g.out, explainJSON{Run: r.Run, Permissions: found, Policy: bypasses})
			}
			return printExplained(g.out, r, found, bypasses, from.workFolder())
		},
	}
	from.add(c)
	c.Flags().StringArrayVar(&policies, "policy", nil, "an AWS policy document `file` that the role has, to look for tag conditions that it gets round; can be given again")
	return c
}

// explainJSON is what `whittle explain --json` prints.
type explainJSON struct {
	// Run is the folder of the run that the refusals are from, empty without one.
	Run         string              `json:"run"`
	Permissions []report.Permission `json:"permissions"`
	// Policy is what the documents of --policy show.
	Policy []bypass.Finding `json:"policy,omitempty"`
}

// completePermissions offers the record's permissions to a shell. In words of bash a
// colon ends a word; cobra's script deals with that.
func completePermissions(file, start string) ([]string, cobra.ShellCompDirective) {
	rec, err := readRecord(file)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range report.New(rec, report.Run{}).Permissions {
		if strings.HasPrefix(strings.ToLower(p.Name), strings.ToLower(start)) {
			names = append(names, p.Name+"\t"+p.Purpose)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// unknownPermissionError: no step of the record has it.
type unknownPermissionError struct {
	query, file string
	nearest     []string
}

func (e *unknownPermissionError) Error() string {
	return fmt.Sprintf("%s: no step has or was refused %s", e.file, e.query)
}

// Hints names what may have been meant.
func (e *unknownPermissionError) Hints() []string {
	if len(e.nearest) > 0 {
		return []string{"the record has " + strings.Join(e.nearest, ", ")}
	}
	return []string{"whittle show lists what the record has"}
}

// bypassesOf reads policy documents and finds the conditions that are got round,
// as far as they are on one of the permissions.
func bypassesOf(files []string, permissions []report.Permission) ([]bypass.Finding, error) {
	var docs []policy.Document
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc, err := policy.Parse(data)
		if err != nil {
			// The reader of role files knows the line.
			if _, located := rolefile.Read(file, data); located != nil {
				return nil, located
			}
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		docs = append(docs, doc)
	}
	all, err := bypass.Find(docs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	var found []bypass.Finding
	for _, f := range all {
		for _, p := range permissions {
			if catalog.Match(f.Action, p.Name) || strings.EqualFold(f.By, p.Name) {
				found = append(found, f)
				break
			}
		}
	}
	return found, nil
}

// printExplained writes for people what is known of permissions.
func printExplained(w io.Writer, r report.Report, permissions []report.Permission, bypasses []bypass.Finding, work string) error {
	var b strings.Builder
	for i, p := range permissions {
		if i > 0 {
			b.WriteString("\n")
		}
		printPermission(&b, p)
	}
	for _, f := range bypasses {
		fmt.Fprintf(&b, "\npolicy, %s: %s is tied to %s = %s, and the role gets round it: it may put that tag on %s by %s\n", f.Place, f.Action, f.Key, f.Value, f.Resource, f.By)
	}
	if r.Run != "" {
		fmt.Fprintf(&b, "\nrefusals and times: %s in %s\n", r.Run, work)
	} else {
		fmt.Fprintf(&b, "\nno journal of this code in %s, so the exact refusals are not shown: run whittle probe, or name the folder of its runs with --work\n", work)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printPermission(b *strings.Builder, p report.Permission) {
	fmt.Fprintf(b, "%s\n  %s, access level %s: %s\n", p.Name, p.Category, p.Level, p.Purpose)
	for _, risk := range []struct {
		says string
		fact *catalog.Fact
	}{{"can raise its own rights", p.Raises}, {"reads secrets", p.Secrets}, {"destroys data", p.Destroys}} {
		if risk.fact != nil {
			fmt.Fprintf(b, "  ! %s: it %s\n    source: %s\n", risk.says, risk.fact.Why, risk.fact.Source)
		}
	}
	if p.Raises == nil && p.Secrets == nil && p.Destroys == nil {
		fmt.Fprintf(b, "  no way is known to raise rights, read secrets or destroy data with it\n")
	}
	for _, u := range p.Uses {
		fmt.Fprintf(b, "  step %s (%s, role %s)\n", u.Step, u.Phase, u.Role)
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(b, "    %-9s %s\n", name, text)
			}
		}
		line("resource", u.Resource)
		line("condition", u.Condition)
		line("request", u.Request)
		if u.Refusal != nil {
			status := ""
			if u.Refusal.Status != 0 {
				status = fmt.Sprintf("%d: ", u.Refusal.Status)
			}
			line("refusal", status+cmp.Or(u.Refusal.Text, "without a word"))
		}
		line("evidence", u.How())
		line("when", u.When())
	}
	const most = 8
	for i, n := range p.Tags {
		if i == most {
			fmt.Fprintf(b, "  ! and %d more such rights; --json has them all\n", len(p.Tags)-most)
			break
		}
		fmt.Fprintf(b, "  ! %s\n", n.Say())
	}
}
