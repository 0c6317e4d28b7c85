// Package drift says what a check of a lifecycle found beside its record: what
// its steps need that is not recorded, what they need no longer, and what is now
// needed in another phase. It renders that as text, Markdown and JSON.
//
// It holds no opinion of how the check was made and does no I/O but to the writer
// it is given.
package drift

import (
	"slices"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
)

// Did is what a check did about a step.
type Did string

const (
	// Checked: it uses what changed, and was run under its recorded role.
	Checked Did = "checked"
	// Replayed: it uses nothing that changed, and was run for what it makes.
	Replayed Did = "replayed"
	// NotRun: it uses nothing that changed, and no step that does comes after it.
	NotRun Did = "not run"
	// Removed: the record has it, and the lifecycle has not.
	Removed Did = "removed"
)

// Report is what a check found. Its JSON is what `whittle check --json` prints.
type Report struct {
	Record string `json:"record"` // the file
	// Changed tells whether the code, its variables or the tools are others than
	// the record's.
	Changed bool `json:"changed"`
	// Drift tells whether what is needed is not what is recorded.
	Drift bool `json:"drift"`
	// Updated tells whether the record was written anew.
	Updated bool `json:"updated"`
	// Proved tells whether it was asked what is needed no longer; else Gone can
	// hold removed steps' grants only.
	Proved bool    `json:"proved"`
	Tools  []Tool  `json:"tools"`
	Steps  []Step  `json:"steps"`
	New    []New   `json:"new"`
	Gone   []Gone  `json:"no_longer_needed"`
	Moved  []Moved `json:"moved"`
}

// Tool is a tool whose version is not the recorded one.
type Tool struct {
	Name string `json:"name"`
	Was  string `json:"was"`
	Is   string `json:"is"`
}

// Step is what was done about one step.
type Step struct {
	Name    string  `json:"name"`
	Phase   string  `json:"phase"`
	Did     Did     `json:"did"`
	Why     string  `json:"why,omitempty"` // it was checked
	Runs    int     `json:"runs"`
	Seconds float64 `json:"seconds"`
}

// New is a grant that a step needs and its record has not.
type New struct {
	Step       string `json:"step"`
	Phase      string `json:"phase"`
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	Condition  string `json:"condition,omitempty"` // as the record has it
	Necessity  string `json:"necessity"`
	// Request is the class of the request that was refused without it.
	Request string `json:"request"`
	// Addresses are the resources of the code that may have asked for it, the
	// likeliest first; a single one is sure.
	Addresses []string `json:"addresses"`
	Purpose   string   `json:"purpose"`
	Risk      string   `json:"risk,omitempty"`
}

// Gone is a grant that the record has for a step and that it needs no longer.
type Gone struct {
	Step       string `json:"step"`
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	Condition  string `json:"condition,omitempty"`
	Why        string `json:"why"`
}

// Moved is a grant that is needed in another phase than before.
type Moved struct {
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	Condition  string `json:"condition,omitempty"`
	From       string `json:"from"` // "init only", "ongoing" or "teardown only"
	To         string `json:"to"`
}

// Changes fills in what differs between the recorded and the found. Addresses
// gives those of a step's grant.
func (r *Report) Changes(before, after record.Record, addresses func(step string, g grant.Grant) []string) {
	r.New, r.Gone, r.Moved = []New{}, []Gone{}, []Moved{}
	old := byName(before)
	for _, s := range after.Steps {
		for _, e := range s.Grants {
			if old[s.Name].Set().Has(e.Grant()) {
				continue
			}
			r.New = append(r.New, New{
				Step: s.Name, Phase: s.Phase, Permission: e.Permission, Resource: e.Resource, Condition: e.Condition, Necessity: e.Necessity, Request: e.Request,
				Addresses: slices.Concat([]string{}, addresses(s.Name, e.Grant())), Purpose: e.Purpose, Risk: e.Flag,
			})
		}
	}
	now := byName(after)
	for _, s := range before.Steps {
		why := "the step does without it"
		if _, there := now[s.Name]; !there {
			why = "the step is no longer in the lifecycle"
		}
		for _, e := range s.Grants {
			if !now[s.Name].Set().Has(e.Grant()) {
				r.Gone = append(r.Gone, Gone{Step: s.Name, Permission: e.Permission, Resource: e.Resource, Condition: e.Condition, Why: why})
			}
		}
	}
	is := phases(after)
	was := phases(before)
	for _, g := range slices.SortedFunc(keys(was), grant.Compare) {
		if to, ok := is[g]; ok && to != was[g] {
			r.Moved = append(r.Moved, Moved{Permission: g.Permission, Resource: g.Resource, Condition: g.Condition, From: was[g], To: to})
		}
	}
	r.Drift = len(r.New)+len(r.Gone)+len(r.Moved) > 0
}

func byName(r record.Record) map[string]record.Step {
	steps := map[string]record.Step{}
	for _, s := range r.Steps {
		steps[s.Name] = s
	}
	return steps
}

func keys(m map[grant.Grant]string) func(yield func(grant.Grant) bool) {
	return func(yield func(grant.Grant) bool) {
		for g := range m {
			if !yield(g) {
				return
			}
		}
	}
}

// phases tells of each grant when it is needed.
func phases(r record.Record) map[grant.Grant]string {
	split := record.Split(r)
	all := map[grant.Grant]string{}
	for phase, set := range map[string]grant.Set{"init only": split.InitOnly, "ongoing": split.Ongoing, "teardown only": split.TeardownOnly} {
		for g := range set.All() {
			all[g] = phase
		}
	}
	return all
}

// Of gives the steps that were dealt with so.
func (r Report) Of(d Did) (steps []Step) {
	for _, s := range r.Steps {
		if s.Did == d {
			steps = append(steps, s)
		}
	}
	return steps
}
