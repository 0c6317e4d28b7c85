// Package report puts together what is known of each permission of a record: which
// step needs it and on what, how that was shown, the refusal that the cloud gave
// (from the journal of a run, where there is one), what its holder can do with it.
//
// It only gathers; how it is written down is markdown's and page's, below, and the
// command line's. It does no I/O. Texts of the record and of the journal are
// others' words: they are made visible ([Visible]) and never trusted; escaping them
// for a format is whoever's who writes that format.
package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// Run is the journal of a run, for its refusals and its times. The zero value is no
// run.
type Run struct {
	Name   string // of its folder: "run-0001"
	Events []journal.Event
}

// Report is what is known of a record's permissions.
type Report struct {
	Cloud, Sandbox string
	Verified       bool
	Digest         string
	Tools          []Tool // in order of their names
	Steps          []Step // in the lifecycle's order
	// Permissions are all that steps were granted, or refused and did as well
	// without, by category and name.
	Permissions []Permission
	// Parts are the lifecycle's: init only, ongoing, teardown only.
	Parts []Part
	// Run is the name of the run that refusals and times are from, empty without
	// one.
	Run string
	// Growth is how the roles grew, nil without a run.
	Growth *Growth
}

// Tool is a program that a step ran, with its version.
type Tool struct{ Name, Version string }

// Step is a step with how many grants it has.
type Step struct {
	Name, Phase, Role                    string
	Runs                                 int
	Grants, Certified, Observed, Assumed int
	Optional                             int
}

// Permission is what is known of one permission.
type Permission struct {
	Name     string `json:"permission"`
	Category string `json:"category"`
	Purpose  string `json:"purpose"`
	// Level is its access level: List, Read, Write, Tagging or Permissions
	// management.
	Level string `json:"level"`
	// Raises, Secrets and Destroys say what its holder can do: raise its own
	// rights, read secrets, destroy data; nil where nothing is known.
	Raises   *catalog.Fact `json:"raises,omitempty"`
	Secrets  *catalog.Fact `json:"reads_secrets,omitempty"`
	Destroys *catalog.Fact `json:"destroys_data,omitempty"`
	Uses     []Use         `json:"uses"`
	// Tags are the conditions on tags that would bind nobody.
	Tags []TagNote `json:"tags,omitempty"`
}

// Use is one grant of one step, or one that it does without.
type Use struct {
	Step     string `json:"step"`
	Phase    string `json:"phase"`
	Role     string `json:"role"`
	Resource string `json:"resource,omitempty"`
	// Condition is what must hold besides, as the record has it.
	Condition  string `json:"condition,omitempty"`
	Necessity  string `json:"necessity"`
	Request    string `json:"request,omitempty"`
	Difference string `json:"difference,omitempty"`
	// Refusal is the cloud's own, nil where no journal has it.
	Refusal *Refusal `json:"refusal,omitempty"`
	// Shown is the conclusion of certifying, nil where no journal has it.
	Shown *Shown `json:"shown,omitempty"`
}

// Optional tells whether the use is one that the step does without.
func (u Use) Optional() bool { return u.Necessity == "optional" }

// Part is what a part of the lifecycle needs.
type Part struct {
	Name string // "init only", "ongoing", "teardown only"
	Says string // what to do about it, in a sentence
	Rows []Row
}

// Row is a permission as far as a part of the lifecycle needs it.
type Row struct {
	Permission *Permission
	Uses       []Use // those of the part's phases, on resources of the part
}

// TagNote is a condition on tags that one role would get round: it may put the tag
// there itself.
type TagNote struct {
	Role string `json:"role"`
	// By puts tags on ByResource, without a condition.
	By         string `json:"by"`
	ByResource string `json:"by_resource"`
	// Permission is what the condition would have been on.
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	// OnCreation are the operations whose refusals named By, where each makes
	// something: it is then enough to let it tag what these make.
	OnCreation []string `json:"on_creation,omitempty"`
}

// New gathers what is known of a record. Of a run's events those count that are
// about the record's steps.
func New(rec record.Record, run Run) Report {
	rec = visible(rec)
	r := Report{
		Cloud: rec.Cloud, Sandbox: rec.Sandbox, Verified: rec.Verified, Digest: rec.Inputs.Digest, Run: Visible(run.Name),
	}
	for _, name := range slices.Sorted(maps.Keys(rec.Inputs.Tools)) {
		r.Tools = append(r.Tools, Tool{name, rec.Inputs.Tools[name]})
	}
	found := read(run.Events)
	all := make(map[string]*Permission)
	for _, s := range rec.Steps {
		step := Step{Name: s.Name, Phase: s.Phase, Role: s.RoleName(), Runs: s.Runs, Grants: len(s.Grants), Optional: len(s.Optional)}
		for _, e := range slices.Concat(s.Grants, s.Optional) {
			p := all[e.Permission]
			if p == nil {
				p = known(e)
				all[e.Permission] = p
			}
			p.Uses = append(p.Uses, found.join(Use{
				Step: s.Name, Phase: s.Phase, Role: s.RoleName(), Resource: e.Resource, Condition: e.Condition,
				Necessity: e.Necessity, Request: e.Request, Difference: e.Difference,
			}, e.Permission))
			switch e.Necessity {
			case "certified":
				step.Certified++
			case "observed":
				step.Observed++
			case "assumed":
				step.Assumed++
			}
		}
		r.Steps = append(r.Steps, step)
	}
	for _, p := range all {
		r.Permissions = append(r.Permissions, *p)
	}
	slices.SortFunc(r.Permissions, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Category), strings.ToLower(b.Category)), cmp.Compare(a.Name, b.Name))
	})
	r.tagNotes()
	r.parts(record.Split(rec))
	if run.Name != "" {
		r.Growth = growth(run.Events, r.Steps)
	}
	return r
}

// known is what the catalog says of an entry's permission.
func known(e record.Entry) *Permission {
	p := &Permission{
		Name: e.Permission, Category: catalog.Category(e.Permission), Purpose: cmp.Or(e.Purpose, catalog.Purpose(e.Permission)),
		Level: string(catalog.Level(e.Permission)),
	}
	for _, of := range []struct {
		at   **catalog.Fact
		fact func(string) (catalog.Fact, bool)
	}{{&p.Raises, catalog.Raises}, {&p.Secrets, catalog.Secrets}, {&p.Destroys, catalog.Destroys}} {
		if f, ok := of.fact(e.Permission); ok {
			*of.at = &f
		}
	}
	if p.Raises == nil && e.Flag != "" { // the whittle that wrote the record knew more
		p.Raises = &catalog.Fact{Why: e.Flag, Source: "the record"}
	}
	return p
}

// Dangerous tells whether its holder is known to be able to raise its own rights, read
// secrets or destroy data with it.
func (p Permission) Dangerous() bool {
	return p.Raises != nil || p.Secrets != nil || p.Destroys != nil
}

// Granted tells whether any step holds it.
func (p Permission) Granted() bool {
	return slices.ContainsFunc(p.Uses, func(u Use) bool { return !u.Optional() })
}

// parts sorts the permissions by when they are needed, as [record.Split] does.
func (r *Report) parts(split record.Phases) {
	for _, part := range []struct {
		name, says string
		set        grant.Set
		phases     []string
	}{
		{"init only", "needed to set up: can be taken away once the stack stands", split.InitOnly, []string{"init", "teardown"}},
		{"ongoing", "needed by what runs again and again: continuous integration", split.Ongoing, []string{"init", "ongoing", "teardown"}},
		{"teardown only", "needed to take the stack down, and never before", split.TeardownOnly, []string{"teardown"}},
	} {
		p := Part{Name: part.name, Says: part.says}
		for i := range r.Permissions {
			row := Row{Permission: &r.Permissions[i]}
			for _, u := range r.Permissions[i].Uses {
				if !u.Optional() && slices.Contains(part.phases, u.Phase) && part.set.Has(grant.Grant{Permission: row.Permission.Name, Resource: u.Resource, Condition: u.Condition}) {
					row.Uses = append(row.Uses, u)
				}
			}
			if len(row.Uses) > 0 {
				p.Rows = append(p.Rows, row)
			}
		}
		r.Parts = append(r.Parts, p)
	}
}

// Steps lists the steps of uses, each once.
func Steps(uses []Use) []string { return each(uses, func(u Use) string { return u.Step }) }

// Roles lists the roles of uses, each once.
func Roles(uses []Use) []string { return each(uses, func(u Use) string { return u.Role }) }

// Resources lists the resources of uses, each once.
func Resources(uses []Use) []string { return each(uses, func(u Use) string { return u.Resource }) }

// Necessities lists the necessities of uses, each once, the weakest last.
func Necessities(uses []Use) []string {
	order := []string{"certified", "observed", "assumed", "optional"}
	all := each(uses, func(u Use) string { return u.Necessity })
	slices.SortStableFunc(all, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return all
}

func each(uses []Use, of func(Use) string) []string {
	var all []string
	for _, u := range uses {
		if s := of(u); s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// tagNotes finds the conditions on tags that a role would get round by itself.
// Whatever tags may tag anything that it is granted on, unless it is tied to what the
// request makes; the other conditions of the record's grants are left out of it. On AWS, a right that was refused without naming a resource is checked on
// none, and can be tied to no tag.
func (r *Report) tagNotes() {
	tied := func(resource string) bool { return r.Cloud != "aws" || resource != "*" }
	type held struct{ permission, resource string }
	roles := make(map[string][]held)
	for _, p := range r.Permissions {
		for _, u := range p.Uses {
			if strings.Contains(u.Condition, `:CreateAction"`) {
				continue
			}
			if h := (held{p.Name, u.Resource}); !u.Optional() && !slices.Contains(roles[u.Role], h) {
				roles[u.Role] = append(roles[u.Role], h)
			}
		}
	}
	for i := range r.Permissions {
		p := &r.Permissions[i]
		for _, role := range slices.Sorted(maps.Keys(roles)) {
			seen := make(map[held]bool)
			for _, mine := range roles[role] {
				if mine.permission != p.Name {
					continue
				}
				for _, other := range roles[role] {
					note := TagNote{Role: role}
					switch {
					case tied(mine.resource) && catalog.GetsRoundTags(other.permission, other.resource, mine.permission, mine.resource):
						note.By, note.ByResource, note.Permission, note.Resource = other.permission, other.resource, mine.permission, mine.resource
					case tied(other.resource) && catalog.GetsRoundTags(mine.permission, mine.resource, other.permission, other.resource):
						note.By, note.ByResource, note.Permission, note.Resource = mine.permission, mine.resource, other.permission, other.resource
					default:
						continue
					}
					// One note for each other permission of a role is enough.
					if key := (held{note.By, note.Permission}); !seen[key] {
						seen[key] = true
						note.OnCreation = r.onCreation(role, note.By)
						p.Tags = append(p.Tags, note)
					}
				}
			}
		}
	}
}

// onCreation lists the operations whose refusals named a role's permission to tag,
// if each of them makes something, and so needs it only for that. EC2 alone can tell
// the two apart in a policy (ec2:CreateAction).
func (r *Report) onCreation(role, by string) []string {
	service, action, _ := strings.Cut(by, ":")
	if service != "ec2" {
		return nil
	}
	var operations []string
	for _, p := range r.Permissions {
		if p.Name != by {
			continue
		}
		for _, u := range p.Uses {
			if u.Role != role || u.Optional() {
				continue
			}
			fields := strings.Fields(u.Request) // POST host Operation parameters
			if len(fields) < 3 || fields[2] == action {
				return nil
			}
			if !slices.Contains(operations, fields[2]) {
				operations = append(operations, fields[2])
			}
		}
	}
	slices.Sort(operations)
	return operations
}

// Bypass is what one role's permission to tag gets it round.
type Bypass struct {
	Role, By   string
	Rights     []string // the permissions on which a condition on tags would bind nobody
	OnCreation []string // as in [TagNote]
}

// Bypasses lists what the notes on tags say, by role and by what tags.
func (r Report) Bypasses() []Bypass {
	var all []Bypass
	for _, p := range r.Permissions {
		for _, n := range p.Tags {
			if n.Permission != p.Name {
				continue
			}
			i := slices.IndexFunc(all, func(b Bypass) bool { return b.Role == n.Role && b.By == n.By })
			if i < 0 {
				all = append(all, Bypass{Role: n.Role, By: n.By, OnCreation: n.OnCreation})
				i = len(all) - 1
			}
			if !slices.Contains(all[i].Rights, n.Permission) {
				all[i].Rights = append(all[i].Rights, n.Permission)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Bypass) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.By, b.By)) })
	return all
}
