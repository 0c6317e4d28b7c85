// Package page writes a report as one HTML file that needs nothing else: no script,
// no network (its own policy forbids both), light or dark as the reader's system is,
// and made to be printed.
//
// All of a record's and a journal's texts go through html/template, and none into a
// URL, a style or a name of an element.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/report"
)

//go:embed page.html
var source string

// Write writes the report under a title.
func Write(w io.Writer, r report.Report, title string) error {
	t, err := template.New("page").Funcs(template.FuncMap{"count": count, "percent": percent, "sentence": sentence, "list": list}).Parse(source)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	if err := t.Execute(w, viewOf(r, report.Visible(title))); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// view is what the template shows.
type view struct {
	report.Report
	Title, CloudName string
	Granted          int // permissions
	Grants           int // of single steps
	CertifiedGrants  int
	Items            []item
	PartItems        []part
	Optional         []line
	Assumed          []line
	Risks            []risk
	Curve            *curve
}

// item is a permission with its place in the page.
type item struct {
	*report.Permission
	ID    string // of its evidence
	Cells []cell // one for each step
	// First tells that it begins a category.
	First  bool
	Groups []group
}

// cell is one step of the matrix.
type cell struct {
	Class string // "certified", …; empty for none
	Mark  string
	Says  string
	Many  int // resources, where there is more than one
}

// group is uses that are alike in all but their step.
type group struct {
	report.Use
	Steps []report.Use
}

type part struct {
	report.Part
	Lines []line
}

// line is a permission in a table.
type line struct {
	item
	Roles    []string
	InSteps  []string
	Evidence []string
	Request  string
}

// risk is a table of what holders can do.
type risk struct {
	Name, ID string
	Lines    []riskLine
}

type riskLine struct {
	item
	Why, Source string
	Roles       []string
}

// marks are the signs of the necessities: seen without colour too.
var marks = map[string]string{"certified": "●", "observed": "◐", "assumed": "○", "optional": "–"}

func viewOf(r report.Report, title string) view {
	v := view{
		Report: r, Title: title,
		CloudName: map[string]string{"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}[r.Cloud],
		Curve:     draw(r.Growth),
	}
	for _, s := range r.Steps {
		v.Grants += s.Grants
		v.CertifiedGrants += s.Certified
	}
	byName := make(map[string]item)
	category := ""
	for i := range r.Permissions {
		p := &r.Permissions[i]
		it := item{Permission: p, ID: fmt.Sprintf("p%d", i+1), First: i == 0 || p.Category != category, Groups: groups(p.Uses)}
		category = p.Category
		for _, s := range r.Steps {
			it.Cells = append(it.Cells, cellOf(p.Uses, s.Name))
		}
		if p.Granted() {
			v.Granted++
		}
		byName[p.Name] = it
		v.Items = append(v.Items, it)
		for _, u := range p.Uses {
			l := line{item: it, InSteps: []string{u.Step}, Request: u.Request}
			switch u.Necessity {
			case "optional":
				v.Optional = append(v.Optional, l)
			case "assumed":
				v.Assumed = append(v.Assumed, l)
			}
		}
	}
	for _, p := range r.Parts {
		pt := part{Part: p}
		for _, row := range p.Rows {
			pt.Lines = append(pt.Lines, line{item: byName[row.Permission.Name], Roles: report.Roles(row.Uses), Evidence: report.Necessities(row.Uses)})
		}
		v.PartItems = append(v.PartItems, pt)
	}
	v.Risks = risks(v.Items)
	return v
}

func cellOf(uses []report.Use, step string) cell {
	var of []report.Use
	for _, u := range uses {
		if u.Step == step {
			of = append(of, u)
		}
	}
	if len(of) == 0 {
		return cell{}
	}
	n := report.Necessities(of)
	weakest := n[len(n)-1]
	if weakest == "optional" && len(n) > 1 { // granted on one resource, not on another
		weakest = n[len(n)-2]
	}
	c := cell{Class: weakest, Mark: marks[weakest], Says: step + ": " + strings.Join(n, ", ")}
	if many := len(report.Resources(of)); many > 1 {
		c.Many = many
		c.Says += fmt.Sprintf(", on %d resources", many)
	}
	return c
}

// groups puts uses together that differ in their step alone.
func groups(uses []report.Use) []group {
	var all []group
	for _, u := range uses {
		i := slices.IndexFunc(all, func(g group) bool {
			return g.Resource == u.Resource && g.Condition == u.Condition && g.Request == u.Request && g.Necessity == u.Necessity && g.Difference == u.Difference
		})
		if i < 0 {
			all = append(all, group{Use: u, Steps: []report.Use{u}})
			continue
		}
		all[i].Steps = append(all[i].Steps, u)
		if all[i].Refusal == nil {
			all[i].Refusal = u.Refusal
		}
	}
	return all
}

// Note says how the group's need is known; each step may have been shown by itself.
func (g group) Note() string {
	u := g.Use
	u.Shown = nil
	return u.How()
}

func risks(items []item) []risk {
	all := []risk{{Name: "Can raise its own rights", ID: "raises"}, {Name: "Reads secrets", ID: "secrets"}, {Name: "Destroys data", ID: "destroys"}}
	for _, it := range items {
		var held []report.Use
		for _, u := range it.Uses {
			if !u.Optional() {
				held = append(held, u)
			}
		}
		if len(held) == 0 {
			continue
		}
		for i, f := range []*catalog.Fact{it.Raises, it.Secrets, it.Destroys} {
			if f != nil {
				all[i].Lines = append(all[i].Lines, riskLine{item: it, Why: f.Why, Source: f.Source, Roles: report.Roles(held)})
			}
		}
	}
	return all
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func percent(n, of int) int {
	if of == 0 {
		return 0
	}
	return n * 100 / of
}

// sentence begins s with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func list(s []string) string { return strings.Join(s, ", ") }
