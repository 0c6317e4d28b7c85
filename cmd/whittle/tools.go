package main

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/sandbox/tools"
)

func newTools(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "tools",
		Short: "List the tools that whittle can build from source",
		Long: `Tools lists the programs that whittle can build from source, each pinned with
all that it is made of, and where those lie that have been built. A step builds
what it needs and does not find; this is to do it before, or to run one by hand.
Go must be on PATH.`,
		Example: `  whittle tools
  whittle tools build packer packer-plugin-amazon
  PATH="$(dirname "$(whittle tools build docker-machine)"):$PATH" whittle probe`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return listTools(g) },
	}
	c.AddCommand(&cobra.Command{
		Use:   "build [NAME...]",
		Short: "Build tools, all but the largest unless named, and print where they are",
		Example: `  whittle tools build
  whittle tools build packer packer-plugin-amazon
  whittle tools build crane --json | jq -r '.[].path'`,
		ValidArgsFunction: completeTools,
		RunE: func(c *cobra.Command, names []string) error {
			all, err := tools.All()
			if err != nil {
				return err
			}
			if len(names) == 0 {
				for _, t := range all {
					if !t.Apart {
						names = append(names, t.Name)
					}
				}
			}
			var chosen []tools.Tool
			for _, name := range names { // before anything is built
				t, err := tools.Named(name)
				if err != nil {
					return &usageError{err: err, hint: "see whittle tools"}
				}
				chosen = append(chosen, t)
			}
			states := []toolState{}
			for _, t := range chosen {
				path, err := t.Build(c.Context(), tools.Config{Tell: func(s string) { fmt.Fprintln(g.err, s) }})
				if err != nil {
					return err
				}
				if g.json {
					states = append(states, toolState{t.Name, t.Version, path, true})
				} else if _, err := fmt.Fprintln(g.out, path); err != nil {
					return err
				}
			}
			if g.json {
				return printJSON(g.out, states)
			}
			return nil
		},
	})
	return c
}

// completeTools offers a shell the tools that are not named yet.
func completeTools(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := tools.All()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range all {
		if !slices.Contains(args, t.Name) {
			names = append(names, t.Name+"\t"+t.Version)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// toolState is one line of `whittle tools --json`.
type toolState struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Path    string `json:"path"`
	Built   bool   `json:"built"`
}

func listTools(g *globals) error {
	all, err := tools.All()
	if err != nil {
		return err
	}
	var states []toolState
	for _, t := range all {
		path, built := t.Cached(tools.Config{})
		states = append(states, toolState{t.Name, t.Version, path, built})
	}
	if g.json {
		return printJSON(g.out, states)
	}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	for _, s := range states {
		where := "not built"
		if s.Built {
			where = s.Path
		}
		_, werr := fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Version, where)
		err = errors.Join(err, werr)
	}
	return errors.Join(err, w.Flush())
}
