// Package markdown writes a report as GitHub-flavoured Markdown, in the form in
// which people ask for permissions and hand them on: category, permission, purpose,
// split by when it is needed, then what is more than needed, then what its holder
// can do with it.
//
// What comes from a record or a journal is escaped so that it stands for itself: it
// makes no markup, no link and no mention.
package markdown

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/report"
)

// fold is how many rows a table has that is folded up.
const fold = 60

// Write writes the report under a title.
func Write(w io.Writer, r report.Report, title string) error {
	d := &document{}
	d.line("# %s", text(title))
	d.line("")
	d.line("%s", summary(r))
	d.line("")
	if r.Sandbox == "embedded" {
		d.line("> Found on the embedded sandbox, which simulates the cloud: a rehearsal, to be confirmed in an account of its own.")
		d.line("")
	}
	if !r.Verified {
		d.line("> **Not verified**: no run was made with exactly these permissions.")
		d.line("")
	}
	for _, p := range r.Parts {
		d.part(p)
	}
	d.excess(r)
	d.risk(r)
	d.steps(r)
	_, err := io.WriteString(w, d.b.String())
	return err
}

type document struct{ b strings.Builder }

func (d *document) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// summary is what the whole is, in a paragraph.
func summary(r report.Report) string {
	cloud := map[string]string{"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}[r.Cloud]
	n, certified := 0, 0
	for _, s := range r.Steps {
		n += s.Grants
		certified += s.Certified
	}
	s := fmt.Sprintf("%s on %s, found by running %s under roles that began empty", count(granted(r), "permission"), cloud, count(len(r.Steps), "step"))
	var tools []string
	for _, t := range r.Tools {
		tools = append(tools, text(t.Name)+" "+text(t.Version))
	}
	if len(tools) > 0 {
		s += " (" + strings.Join(tools, ", ") + ")"
	}
	s += "."
	switch {
	case n > 0 && certified == 0:
		s += fmt.Sprintf(" None of its %s to single steps is certified: that a step fails without was not asked.", count(n, "grant"))
	case n > 0:
		s += fmt.Sprintf(" Of %s to single steps, %d are certified: the step fails without.", count(n, "grant"), certified)
	}
	if r.Verified {
		s += " Verified: the steps ran with exactly these permissions and nothing else."
	}
	if r.Digest != "" {
		s += " Code: " + code(r.Digest) + "."
	}
	return s
}

func granted(r report.Report) int {
	n := 0
	for _, p := range r.Permissions {
		if p.Granted() {
			n++
		}
	}
	return n
}

func (d *document) part(p report.Part) {
	name := strings.ToUpper(p.Name[:1]) + p.Name[1:]
	d.line("## %s (%s)", name, count(len(p.Rows), "permission"))
	d.line("")
	if len(p.Rows) == 0 {
		d.line("None.")
		d.line("")
		return
	}
	d.line("%s.", strings.ToUpper(p.Says[:1])+p.Says[1:])
	d.line("")
	d.table(len(p.Rows), []string{"Category", "Permission", "Purpose", "Steps", "Evidence"}, func(i int) []string {
		row := p.Rows[i]
		name := code(row.Permission.Name)
		if row.Permission.Dangerous() {
			name += " ⚠"
		}
		return []string{
			text(row.Permission.Category), name, text(row.Permission.Purpose),
			joined(report.Steps(row.Uses), text), strings.Join(report.Necessities(row.Uses), ", "),
		}
	})
}

// excess lists what the role can do without, and what nothing has shown it needs.
func (d *document) excess(r report.Report) {
	type row struct {
		p *report.Permission
		u report.Use
	}
	var optional, assumed []row
	for i := range r.Permissions {
		p := &r.Permissions[i]
		for _, u := range p.Uses {
			switch u.Necessity {
			case "optional":
				optional = append(optional, row{p, u})
			case "assumed":
				assumed = append(assumed, row{p, u})
			}
		}
	}
	d.line("## Excess")
	d.line("")
	if len(optional)+len(assumed) == 0 {
		d.line("None: nothing that was refused was found to be needless, and nothing was granted without a refusal.")
		d.line("")
		return
	}
	for _, part := range []struct {
		says string
		rows []row
	}{
		{"Optional: refused, and the step did as well without. Not granted.", optional},
		{"Assumed: granted without a refusal of its own. Nothing has shown yet that it is needed.", assumed},
	} {
		if len(part.rows) == 0 {
			continue
		}
		d.line("%s", part.says)
		d.line("")
		d.table(len(part.rows), []string{"Category", "Permission", "Purpose", "Step", "Request"}, func(i int) []string {
			x := part.rows[i]
			return []string{text(x.p.Category), code(x.p.Name), text(x.p.Purpose), text(x.u.Step), code(x.u.Request)}
		})
	}
}

// risk lists what the holder of the permissions can do.
func (d *document) risk(r report.Report) {
	d.line("## Risk")
	d.line("")
	d.line("What whoever holds these permissions can do with them. What is not listed is not therefore harmless.")
	d.line("")
	any := false
	for _, part := range []struct {
		says string
		fact func(report.Permission) *catalog.Fact
	}{
		{"Can raise its own rights", func(p report.Permission) *catalog.Fact { return p.Raises }},
		{"Reads secrets", func(p report.Permission) *catalog.Fact { return p.Secrets }},
		{"Destroys data", func(p report.Permission) *catalog.Fact { return p.Destroys }},
	} {
		var rows []report.Permission
		for _, p := range r.Permissions {
			if p.Granted() && part.fact(p) != nil {
				rows = append(rows, p)
			}
		}
		if len(rows) == 0 {
			continue
		}
		any = true
		d.line("### %s (%d)", part.says, len(rows))
		d.line("")
		d.table(len(rows), []string{"Permission", "How", "Steps", "Source"}, func(i int) []string {
			p := rows[i]
			var held []report.Use
			for _, u := range p.Uses {
				if !u.Optional() {
					held = append(held, u)
				}
			}
			return []string{code(p.Name), text(part.fact(p).Why), joined(report.Steps(held), text), text(part.fact(p).Source)}
		})
	}
	if bypasses := r.Bypasses(); len(bypasses) > 0 {
		any = true
		d.line("### Tag conditions that would bind nobody")
		d.line("")
		d.line("The role may tag these resources itself, and so gets round a condition on their tags.")
		d.line("")
		d.table(len(bypasses), []string{"Role", "Tags by", "Rights", "Remedy"}, func(i int) []string {
			b := bypasses[i]
			remedy := ""
			if len(b.OnCreation) > 0 {
				remedy = "the condition `ec2:CreateAction`: it tags only in " + joined(b.OnCreation, text)
			}
			return []string{text(b.Role), code(b.By), joined(b.Rights, code), remedy}
		})
	}
	if !any {
		d.line("Nothing is known of any of them.")
		d.line("")
	}
}

func (d *document) steps(r report.Report) {
	d.line("## Steps")
	d.line("")
	d.table(len(r.Steps), []string{"Step", "Phase", "Role", "Grants", "Certified", "Observed", "Assumed", "Optional", "Runs of growth"}, func(i int) []string {
		s := r.Steps[i]
		row := []string{text(s.Name), text(s.Phase), text(s.Role)}
		for _, n := range []int{s.Grants, s.Certified, s.Observed, s.Assumed, s.Optional, s.Runs} {
			row = append(row, fmt.Sprint(n))
		}
		return row
	})
	d.line("A grant is a permission on a resource, for one step. Certified: the step fails without it. Observed: the request was refused without it and let through with it. Each request, each resource: `whittle explain PERMISSION`.")
}

// table writes a table, folded up if it is long.
func (d *document) table(rows int, columns []string, row func(int) []string) {
	if rows > fold {
		d.line("<details><summary>Full list (%d)</summary>", rows)
		d.line("")
	}
	d.line("| %s |", strings.Join(columns, " | "))
	d.line("|%s", strings.Repeat(" --- |", len(columns)))
	for i := range rows {
		d.line("| %s |", strings.Join(row(i), " | "))
	}
	d.line("")
	if rows > fold {
		d.line("</details>")
		d.line("")
	}
}

func joined(list []string, each func(string) string) string {
	var all []string
	for _, s := range list {
		all = append(all, each(s))
	}
	return strings.Join(all, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// text is s as text that stands for itself: every character that could begin markup,
// a link or a mention is written as an entity.
func text(s string) string {
	s = report.Visible(s)
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune("\\`*_{}[]<>#|~&!$", r), i == 0 && strings.ContainsRune("+-=", r):
			fmt.Fprintf(&b, "&#%d;", r)
		case r == ':' && strings.HasPrefix(s[i:], "://"):
			b.WriteString("&#58;")
		case r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www"):
			b.WriteString("&#46;&#8203;")
		case r == '@': // GitHub mentions whoever is called so, entity or not
			b.WriteString("@&#8203;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is s as code: in backticks where nothing in it can end them or a table's
// cell, or make an address of mail with them, as some renderers do.
func code(s string) string {
	s = report.Visible(s)
	switch {
	case s == "":
		return ""
	case !strings.ContainsAny(s, "`|\\@") && utf8.ValidString(s) && strings.TrimSpace(s) == s:
		return "`" + s + "`"
	}
	return "<code>" + text(s) + "</code>"
}
