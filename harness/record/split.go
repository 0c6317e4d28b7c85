package record

import (
	"encoding/json"
	"slices"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Phases is what a lifecycle needs, by when it needs it. No grant is in two of
// the three, and every grant of the record is in one.
type Phases struct {
	// InitOnly is needed by an init step and by no ongoing one: it can be taken
	// away once the stack stands. What the teardown needs again is in here too:
	// the teardown has a role of its own (see ByRole), and what counts is that
	// the long time in between goes without.
	InitOnly grant.Set
	// Ongoing is needed by an ongoing step, whoever else needs it.
	Ongoing grant.Set
	// TeardownOnly is needed by teardown steps and by no other.
	TeardownOnly grant.Set
}

// Split sorts what the steps were granted by phase.
func Split(r Record) Phases {
	in := make(map[string]grant.Set)
	for _, s := range r.Steps {
		in[s.Phase] = in[s.Phase].Union(s.Set())
	}
	return Phases{
		InitOnly:     in["init"].Minus(in["ongoing"]),
		Ongoing:      in["ongoing"],
		TeardownOnly: in["teardown"].Minus(in["ongoing"]).Minus(in["init"]),
	}
}

// ByRole is what each role must hold: the union of its steps.
func ByRole(r Record) map[string]grant.Set {
	roles := make(map[string]grant.Set)
	for _, s := range r.Steps {
		roles[s.RoleName()] = roles[s.RoleName()].Union(s.Set())
	}
	return roles
}

// Show is the JSON that `whittle show --json` prints.
type Show struct {
	InitOnly     []ShowGrant            `json:"init_only"`
	Ongoing      []ShowGrant            `json:"ongoing"`
	TeardownOnly []ShowGrant            `json:"teardown_only"`
	Steps        map[string][]ShowGrant `json:"steps"`
	Roles        map[string][]ShowGrant `json:"roles"`
}

// ShowGrant is a grant in a [Show].
type ShowGrant struct {
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	// Condition is left out where there is none.
	Condition json.RawMessage `json:"condition,omitempty"`
}

// ShowJSON is the record by phase, by step and by role. Lists are in order, and
// empty ones are [] and not null.
func ShowJSON(r Record) Show {
	p := Split(r)
	show := Show{
		InitOnly: showSet(p.InitOnly), Ongoing: showSet(p.Ongoing), TeardownOnly: showSet(p.TeardownOnly),
		Steps: make(map[string][]ShowGrant), Roles: make(map[string][]ShowGrant),
	}
	for _, s := range r.Steps {
		show.Steps[s.Name] = showSet(s.Set())
	}
	for name, set := range ByRole(r) {
		show.Roles[name] = showSet(set)
	}
	return show
}

func showSet(s grant.Set) []ShowGrant {
	grants := make([]ShowGrant, 0, s.Len())
	for g := range s.All() {
		one := ShowGrant{Permission: g.Permission, Resource: g.Resource}
		if g.Condition != "" {
			one.Condition = json.RawMessage(g.Condition)
		}
		grants = append(grants, one)
	}
	return grants
}

// StepGrant is a grant of a step.
type StepGrant struct {
	Step  string
	Grant grant.Grant
}

// Move is a grant that one step no longer needs and another now does.
type Move struct {
	Grant    grant.Grant
	From, To string // steps
}

// Changes is what differs between two records. Evidence is left out of it: it
// is about who may do what.
type Changes struct {
	New   []StepGrant
	Gone  []StepGrant
	Moved []Move
}

// Empty tells whether nothing differs.
func (c Changes) Empty() bool { return len(c.New)+len(c.Gone)+len(c.Moved) == 0 }

// Diff is what is in one record and not in the other. Each list is ordered by
// grant, then by step in the order of the record that has it. A grant that is
// gone from one step and new in another has moved; it is in neither of the
// other lists.
func Diff(before, after Record) Changes {
	gone, added := without(before, after), without(after, before)
	c := Changes{New: []StepGrant{}, Gone: []StepGrant{}, Moved: []Move{}}
	for _, g := range gone {
		i := slices.IndexFunc(added, func(a StepGrant) bool { return a.Grant == g.Grant })
		if i < 0 {
			c.Gone = append(c.Gone, g)
			continue
		}
		c.Moved = append(c.Moved, Move{Grant: g.Grant, From: g.Step, To: added[i].Step})
		added = slices.Delete(added, i, i+1)
	}
	c.New = append(c.New, added...)
	return c
}

// without lists what steps of a are granted and the same steps of b are not.
func without(a, b Record) []StepGrant {
	in := make(map[string]grant.Set)
	for _, s := range b.Steps {
		in[s.Name] = in[s.Name].Union(s.Set())
	}
	var left []StepGrant
	for _, s := range a.Steps {
		for g := range s.Set().Minus(in[s.Name]).All() {
			left = append(left, StepGrant{Step: s.Name, Grant: g})
		}
	}
	slices.SortStableFunc(left, func(x, y StepGrant) int { return grant.Compare(x.Grant, y.Grant) })
	return left
}
