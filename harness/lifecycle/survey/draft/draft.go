// Package draft writes a whittle.yaml, for people to go over, of what a tree of
// infrastructure code holds. It does no I/O.
package draft

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/whittle-iam/whittle/harness/lifecycle/survey"
)

// Draft is a whittle.yaml to go over.
type Draft struct {
	Text  string
	Cloud string
	Steps int
	// Fill are the values that nobody but the user knows, each with its place: they
	// stand in the text as change-me, 0, false, [] or {}.
	Fill []string
}

// ErrNothing: there is no Terraform root and no Packer template.
var ErrNothing = errors.New("no Terraform root module and no Packer template was found")

// CloudError: the cloud cannot be told, or is one of several.
type CloudError struct {
	Clouds []string // none, or more than one
	Places map[string]string
}

func (e *CloudError) Error() string {
	if len(e.Clouds) == 0 {
		return "no provider of AWS, Google Cloud or Azure was found"
	}
	var parts []string
	for _, c := range e.Clouds {
		parts = append(parts, c+" ("+e.Places[c]+")")
	}
	return "more than one cloud was found: " + strings.Join(parts, ", ") + "; a lifecycle is of one"
}

// Hints says how to go on.
func (e *CloudError) Hints() []string {
	if len(e.Clouds) == 0 {
		return []string{"name it: --cloud aws, --cloud gcp or --cloud azure"}
	}
	return []string{"choose one with --cloud " + strings.Join(e.Clouds, " or --cloud ")}
}

// Of writes a lifecycle of what the tree holds of a cloud; without one, of the only
// one that there is.
func Of(t survey.Tree, cloud string) (Draft, error) {
	if t.Empty() {
		return Draft{}, ErrNothing
	}
	if cloud == "" {
		clouds := t.Clouds()
		if len(clouds) != 1 {
			return Draft{}, &CloudError{Clouds: clouds, Places: places(t)}
		}
		cloud = clouds[0]
	}
	w := &writer{cloud: cloud, names: map[string]string{}, taken: map[string]bool{}}
	w.steps(t)
	if w.count == 0 {
		return Draft{}, fmt.Errorf("nothing of %s: %w", cloud, ErrNothing)
	}
	return Draft{Text: w.head() + w.b.String(), Cloud: cloud, Steps: w.count, Fill: w.fill}, nil
}

// places says of each cloud where it was found first.
func places(t survey.Tree) map[string]string {
	found := map[string]string{}
	note := func(clouds []string, where string) {
		for _, c := range clouds {
			if found[c] == "" {
				found[c] = where
			}
		}
	}
	for _, m := range t.Roots {
		note(m.Clouds, m.Dir)
	}
	for _, p := range t.Templates {
		note(p.Clouds, p.Path)
	}
	return found
}

// of tells whether something is of the cloud, or of none that is known.
func (w *writer) of(clouds []string) bool {
	return len(clouds) == 0 || slices.Contains(clouds, w.cloud)
}

// writer writes a draft.
type writer struct {
	cloud string
	b     strings.Builder // the steps
	count int
	names map[string]string // of names:
	taken map[string]bool   // names of steps
	fill  []string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// head is what stands before the steps.
func (w *writer) head() string {
	var b strings.Builder
	b.WriteString(`# yaml-language-server: $schema=https://raw.githubusercontent.com/whittle-iam/whittle/main/docs/schema/whittle.schema.json
# Drafted by "whittle init" from what it found in this folder. Go over it, and then
# run "whittle probe".
`)
	fmt.Fprintf(&b, "cloud: %s\n\n", w.cloud)
	b.WriteString("# Where the steps are run. embedded is the simulated cloud inside Whittle. A real one\n# should hold nothing of worth:\n")
	b.WriteString(map[string]string{
		"aws":   "# sandbox: {account: \"123456789012\", region: us-east-1}\n",
		"gcp":   "# sandbox: {project: my-sandbox, region: us-central1}\n",
		"azure": "# sandbox: {subscription: 01234567-89ab-cdef-0123-456789abcdef}\n",
	}[w.cloud])
	b.WriteString("sandbox: embedded\n")
	if len(w.names) > 0 {
		b.WriteString("\n# What names are built from: the record has {key} in the value's place, so that it\n# is the same for every deployment.\nnames: {")
		for i, k := range slices.Sorted(maps.Keys(w.names)) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k + ": " + scalar(w.names[k]))
		}
		b.WriteString("}\n")
	}
	b.WriteString(`
# The steps in their order. phase says when each is needed: init once, ongoing again
# and again (continuous integration), teardown to take it all down. Steps of one role
# share one; access: read fails the step if it needs more than reads.
lifecycle:
`)
	return b.String()
}

// steps writes the steps: images first, since what is applied may look for them (but
// for those in a root's own folder), then each root in order, then what pushes, then the teardown from the last to the first.
func (w *writer) steps(t survey.Tree) {
	// A template beside a root of its own is built in what that makes.
	beside := map[string][]survey.Template{}
	for _, p := range t.Templates {
		dir := p.Path
		if strings.HasSuffix(dir, ".hcl") || strings.HasSuffix(dir, ".json") {
			dir = path.Dir(dir)
		}
		if dir != "." && slices.ContainsFunc(t.Roots, func(m survey.Module) bool { return m.Dir == dir && w.of(m.Clouds) }) {
			beside[dir] = append(beside[dir], p)
			continue
		}
		w.template(p, len(t.Templates) > 1)
	}
	var roots []survey.Module
	for _, m := range t.Roots {
		if !w.of(m.Clouds) {
			w.line("  # Left out, since it is of %s: Terraform in %s", seen(strings.Join(m.Clouds, ", ")), seen(m.Dir))
			continue
		}
		roots = append(roots, m)
	}
	for _, m := range roots {
		w.root(m, roots)
		for _, p := range beside[m.Dir] {
			w.template(p, len(t.Templates) > 1)
		}
	}
	w.others(t)
	for _, m := range slices.Backward(roots) {
		w.step(w.name(m, len(roots), "destroy"), "teardown", "", w.terraform(m, "destroy", ""), "")
	}
	for _, m := range t.Called {
		w.line("  # Not a step, since other modules call it or would: %s", seen(m.Dir))
	}
}

// template writes the step of a Packer template.
func (w *writer) template(p survey.Template, several bool) {
	if !w.of(p.Clouds) {
		w.line("  # Left out, since it is of %s: Packer in %s", seen(strings.Join(p.Clouds, ", ")), seen(p.Path))
		return
	}
	w.line("  # %s: Packer, %s.", seen(p.Path), seen(strings.Join(p.Sources, ", ")))
	name := "image"
	if several {
		name += "-" + path.Base(strings.TrimSuffix(strings.TrimSuffix(p.Path, ".json"), ".hcl"))
	}
	tool := "packer: {template: " + scalar(p.Path) + w.values(p.Variables) + "}"
	w.step(w.unique(name), "init", "builder", tool, "")
	w.line("")
}

// root writes the steps of a Terraform root, but for its teardown.
func (w *writer) root(m survey.Module, roots []survey.Module) {
	state := "its state is a file beside it"
	if m.Remote() {
		state = "its state is in " + m.Backend
	}
	w.line("  # %s: Terraform with %s; %s.", seen(m.Dir), seen(or(strings.Join(m.Providers, ", "), strings.Join(m.Clouds, ", "), "no provider of its own")), seen(state))
	if others := slices.DeleteFunc(slices.Clone(m.Clouds), func(c string) bool { return c == w.cloud }); len(others) > 0 {
		w.line("  # It is of %s too, for which nothing is granted here.", strings.Join(others, ", "))
	}
	switch m.Backend {
	case "s3", "gcs", "azurerm":
		if !slices.ContainsFunc(roots, func(o survey.Module) bool { return !o.Remote() }) {
			w.line("  # What holds that state must be there before: let a step make it, or turn the backend")
			w.line("  # off for the probe.")
		}
		w.line("  # lock: false, since a lock of the state is a write, and a planner only reads.")
	case "cloud", "remote":
		w.line("  # Its runs may be made by HCP Terraform itself, which Whittle does not see: set its")
		w.line("  # execution mode to local.")
	}
	several := len(roots)
	w.step(w.name(m, several, "plan"), "ongoing", "planner", w.terraform(m, "plan", reading(m)), ", access: read")
	w.step(w.name(m, several, "apply"), "init", "applier", w.terraform(m, "apply", ""), "")
	w.step(w.name(m, several, "replan"), "ongoing", "planner", w.terraform(m, "plan", reading(m)), ", access: read")
	if len(m.VarFiles) > 0 {
		w.line("  # An update shows what changes need. Of the files of variables here (%s)", seen(strings.Join(m.VarFiles, ", ")))
		w.line("  # one may be of a change:")
		w.line("  # - {name: %s, phase: ongoing, role: applier, %s}", w.unique(stepName(m, several, "update")), w.terraform(m, "apply", ", var_file: "+scalar(m.VarFiles[0])))
	} else {
		w.line("  # An update shows what changes need: give it other values, or a file of them.")
		w.line("  # - {name: %s, phase: ongoing, role: applier, %s}", w.unique(stepName(m, several, "update")), w.terraform(m, "apply", ", var_file: changed.tfvars"))
	}
	w.line("")
}

func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func folder(m survey.Module) string {
	if m.Dir == "." {
		return ""
	}
	return "dir: " + scalar(m.Dir) + ", "
}

// terraform is what a step of a root runs.
func (w *writer) terraform(m survey.Module, command, more string) string {
	return "terraform: {" + folder(m) + "command: " + command + more + w.values(m.Variables) + "}"
}

// reading is what a plan is given that may only read: a lock is a write.
func reading(m survey.Module) string {
	if slices.Contains([]string{"s3", "gcs", "azurerm"}, m.Backend) {
		return ", lock: false"
	}
	return ""
}

// called are variables that say what a deployment is called.
var called = regexp.MustCompile(`^(name|prefix|project|project_id|project_name|env|environment|stack|namespace|cluster_name|name_prefix)$`)

// values writes the variables that have to be given, with a value that takes the
// place of one.
func (w *writer) values(variables []survey.Variable) string {
	if len(variables) == 0 {
		return ""
	}
	var parts []string
	for _, v := range variables {
		value := ""
		switch v.Type {
		case "string", "", "any":
			if called.MatchString(v.Name) && !v.Secret {
				w.names[v.Name] = "whittle"
				if w.cloud == "gcp" && strings.HasPrefix(v.Name, "project") && v.Name != "project_name" {
					w.names[v.Name] = "whittle-sandbox" // the embedded sandbox's
				}
				parts = append(parts, v.Name+": \"{"+v.Name+"}\"")
				continue
			}
			value = "change-me"
		case "number":
			value = "0"
		case "bool":
			value = "false"
		case "list", "set", "tuple":
			value = `"[]"`
		default:
			value = `"{}"`
		}
		parts = append(parts, scalar(v.Name)+": "+value)
		if place := fmt.Sprintf("%s (%s:%d)", v.Name, v.File, v.Line); !slices.Contains(w.fill, place) {
			w.fill = append(w.fill, place)
		}
	}
	return ", var: {" + strings.Join(parts, ", ") + "}"
}

// others writes what Makefiles and scripts do, as far as a step can be made of it.
func (w *writer) others(t survey.Tree) {
	before := w.b.Len()
	for _, x := range t.Targets {
		at := fmt.Sprintf("%s:%d", x.File, x.Line)
		command := "[make"
		if dir := path.Dir(x.File); dir != "." {
			command += ", -C, " + scalar(dir)
		}
		if base := path.Base(x.File); !slices.Contains([]string{"Makefile", "makefile", "GNUmakefile"}, base) {
			continue // a part of another
		}
		command += ", " + scalar(x.Name) + "]"
		switch {
		case !w.of(x.Does.Clouds):
		case x.Does.Tool != "":
			w.line("  # make %s (%s) runs %s: the steps above stand for it.", seen(x.Name), seen(at), x.Does.Tool)
		case x.Does.Pushes != "" && !x.Does.Daemon():
			w.line("  # make %s (%s) pushes images by %s.", seen(x.Name), seen(at), x.Does.Pushes)
			w.step(w.unique(x.Name), "ongoing", "pusher", "command: "+command, "")
		case x.Does.Pushes != "":
			w.line("  # make %s (%s) pushes images by docker, whose daemon makes its own way to the", seen(x.Name), seen(at))
			w.line("  # registry: Whittle sees nothing of it. crane, skopeo and ko go the way of the step.")
			w.line("  # - {name: %s, phase: ongoing, role: pusher, command: %s}", w.unique(x.Name), command)
		default:
			w.line("  # make %s (%s) calls %s. If it belongs to the lifecycle:", seen(x.Name), seen(at), strings.Join(x.Does.Calls, ", "))
			w.line("  # - {name: %s, phase: ongoing, command: %s}", w.unique(x.Name), command)
		}
	}
	for _, s := range t.Scripts {
		if !w.of(s.Does.Clouds) {
			continue
		}
		by := s.Does.Pushes
		if s.Does.Daemon() {
			by += ", whose daemon makes its own way, and not Whittle's"
		}
		w.line("  # %s:%d pushes images by %s. With its arguments it can be a step:", seen(s.Path), s.Line, by)
		w.line("  # - {name: %s, phase: ongoing, role: pusher, command: [sh, %s]}", w.unique(strings.TrimSuffix(path.Base(s.Path), path.Ext(s.Path))), scalar(s.Path))
	}
	if w.b.Len() > before {
		w.line("")
	}
}

func (w *writer) step(name, phase, role, tool, rest string) {
	if role != "" {
		role = ", role: " + role
	}
	w.line("  - {name: %s, phase: %s%s, %s%s}", name, phase, role, tool, rest)
	w.count++
}

// name is the name of a root's step; one root alone needs no name of its own.
func (w *writer) name(m survey.Module, several int, verb string) string {
	return w.unique(stepName(m, several, verb))
}

func stepName(m survey.Module, several int, verb string) string {
	if several < 2 || m.Dir == "." {
		return verb
	}
	return verb + "-" + strings.ReplaceAll(m.Dir, "/", "-")
}

// unique makes a step's name of a text, as YAML: its own letters, at most 40, and no
// two alike.
func (w *writer) unique(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r < 'a' || r > 'z' {
			if r < '0' || r > '9' {
				r = '-'
			}
		}
		b.WriteRune(r)
	}
	name := strings.Trim(b.String(), "-")
	if name == "" {
		name = "step"
	}
	if len(name) > 36 {
		name = strings.TrimRight(name[:36], "-")
	}
	free := name
	for i := 2; w.taken[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	w.taken[free] = true
	return scalar(free)
}

// plain are texts that YAML takes for nothing but a text.
var plain = regexp.MustCompile(`^(\.{0,2}/)?[A-Za-z][A-Za-z0-9_./-]*$`)

// scalar writes a text as YAML: in quotes wherever it could be taken for anything
// else.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan", ".":
	default:
		if plain.MatchString(s) {
			return s
		}
	}
	quoted, err := json.Marshal(s) // YAML's double quotes take JSON's escapes
	if err != nil {
		return `""` // a text always has a form in JSON
	}
	return string(quoted)
}

// seen is a text as it can stand in a comment: what cannot be seen would end it.
func seen(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
