package drift

import (
	"fmt"
	"io"
	"strings"
)

// Text writes the report for a terminal.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.headline() + "\n")
	for _, t := range r.Tools {
		fmt.Fprintf(&b, "  %s was %s and is %s\n", t.Name, orNone(t.Was), orNone(t.Is))
	}
	if len(r.Steps) > 0 {
		fmt.Fprintf(&b, "%s\n", r.ran())
	}
	step := ""
	for _, n := range r.New {
		if n.Step != step {
			step = n.Step
			fmt.Fprintf(&b, "\nstep %s (%s) needs what its record has not:\n", n.Step, n.Phase)
		}
		fmt.Fprintf(&b, "  + %s  %s\n", n.Permission, on(n.Resource, n.Condition))
		if n.Request != "" {
			fmt.Fprintf(&b, "      request    %s\n", n.Request)
		}
		if len(n.Addresses) > 0 {
			fmt.Fprintf(&b, "      needed by  %s\n", either(n.Addresses, oneLine))
		}
		if n.Risk != "" {
			fmt.Fprintf(&b, "      risk       %s\n", n.Risk)
		}
	}
	step = ""
	for _, g := range r.Gone {
		if g.Step != step {
			step = g.Step
			fmt.Fprintf(&b, "\nstep %s needs no longer (%s):\n", g.Step, g.Why)
		}
		fmt.Fprintf(&b, "  - %s  %s\n", g.Permission, on(g.Resource, g.Condition))
	}
	if len(r.Moved) > 0 {
		b.WriteString("\nneeded in another phase:\n")
		for _, m := range r.Moved {
			fmt.Fprintf(&b, "  ~ %s  %s: was %s, is %s\n", m.Permission, on(m.Resource, m.Condition), m.From, m.To)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes the report for a page: a pull request's, a job's summary.
func (r Report) Markdown(w io.Writer) error {
	var b strings.Builder
	title := "Whittle: the role is what the record says"
	if r.Drift {
		title = "Whittle: the role has drifted"
	}
	fmt.Fprintf(&b, "## %s\n\n%s\n", title, escape(r.headline()))
	if len(r.Steps) > 0 {
		fmt.Fprintf(&b, "\n%s\n", escape(r.ran()))
	}
	for _, t := range r.Tools {
		fmt.Fprintf(&b, "\n- %s was %s and is %s", code(t.Name), orNone(t.Was), orNone(t.Is))
	}
	if len(r.Tools) > 0 {
		b.WriteString("\n")
	}
	if len(r.New) > 0 {
		b.WriteString("\n### New\n\n| step | permission | resource | needed by | request | risk |\n|---|---|---|---|---|---|\n")
		for _, n := range r.New {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", escape(n.Step), code(n.Permission), code(on(n.Resource, n.Condition)), either(n.Addresses, code), code(n.Request), escape(n.Risk))
		}
	}
	if len(r.Gone) > 0 {
		b.WriteString("\n### No longer needed\n\n| step | permission | resource | why |\n|---|---|---|---|\n")
		for _, g := range r.Gone {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", escape(g.Step), code(g.Permission), code(on(g.Resource, g.Condition)), escape(g.Why))
		}
	}
	if len(r.Moved) > 0 {
		b.WriteString("\n### Needed in another phase\n\n| permission | resource | was | is |\n|---|---|---|---|\n")
		for _, m := range r.Moved {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(m.Permission), code(on(m.Resource, m.Condition)), m.From, m.To)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// headline says in a line how it ended.
func (r Report) headline() string {
	switch {
	case !r.Changed:
		return "unchanged: the code, its variables and the tools are those of " + r.Record
	case !r.Drift && r.Updated:
		return "changed, and no drift: the recorded roles are enough; " + r.Record + " is updated"
	case !r.Drift:
		return "changed, and no drift: the recorded roles are enough; whittle check --update writes the new digests to " + r.Record
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{len(r.New), "new"}, {len(r.Gone), "no longer needed"}, {len(r.Moved), "in another phase"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	text := "drift: " + strings.Join(parts, ", ")
	if r.Updated {
		return text + "; " + r.Record + " is updated"
	}
	return text + "; whittle check --update writes it to " + r.Record
}

// ran says which steps were run, and why.
func (r Report) ran() string {
	var parts []string
	for _, d := range []Did{Checked, Replayed, NotRun, Removed} {
		steps := r.Of(d)
		if len(steps) == 0 {
			continue
		}
		var names []string
		runs, seconds := 0, 0.0
		for _, s := range steps {
			names = append(names, s.Name)
			runs += s.Runs
			seconds += s.Seconds
		}
		text := fmt.Sprintf("%s: %s", d, strings.Join(names, ", "))
		if runs > 0 {
			text += fmt.Sprintf(" (%d in %.1fs)", runs, seconds)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func orNone(version string) string {
	if version == "" {
		return "not there"
	}
	return version
}

// either says which resource it was, or which ones it can have been.
func either(addresses []string, as func(string) string) string {
	var parts []string
	for _, a := range addresses {
		parts = append(parts, as(a))
	}
	const most = 4
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("%d more", len(addresses)-most))
	}
	return strings.Join(parts, " or ")
}

// code is a text as code in a cell of a table: whoever named a resource must not
// be able to end the cell, or to write HTML.
func code(s string) string {
	if s == "" {
		return ""
	}
	s = oneLine(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	pad := ""
	if len(fence) > 1 {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(s, "|", `\|`) + pad + fence
}

// escape is a text that means nothing to Markdown.
func escape(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// on is a grant's resource, with its condition if it has one.
func on(resource, condition string) string {
	if condition != "" {
		return resource + " if " + condition
	}
	return resource
}
