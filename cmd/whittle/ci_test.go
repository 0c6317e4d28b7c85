package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCIScript writes what a CI file runs to a script: `ciscript FILE NAME OUT`,
// where NAME is a step of an action, or a job of GitLab's.
func cmdCIScript(ts *testscript.TestScript, neg bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	script, err := ciScript(data, args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(script), 0o644))
}

func ciScript(data []byte, name string) (string, error) {
	var action struct {
		Runs struct {
			Steps []struct{ Name, Run string }
		}
	}
	if err := yaml.Unmarshal(data, &action); err == nil {
		for _, s := range action.Runs.Steps {
			if s.Name == name {
				return s.Run + "\n", nil
			}
		}
	}
	var jobs map[string]struct {
		Before []string `yaml:"before_script"`
		Script []string
	}
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		return "", err
	}
	j, ok := jobs[name]
	if !ok {
		return "", fmt.Errorf("no step or job %q", name)
	}
	return strings.Join(append(j.Before, j.Script...), "\n") + "\n", nil
}
