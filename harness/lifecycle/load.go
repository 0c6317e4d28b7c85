package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle/strictyaml"
)

// Error is something wrong in a lifecycle file, with its place and the line.
type Error = strictyaml.Error

type (
	node  = strictyaml.Node
	place = strictyaml.Place
)

// reader reads a lifecycle file.
type reader struct {
	*strictyaml.Reader
	refs []ref
	// changed are the steps that variants change.
	changed []changed
	// usedAt is where what hangs on the cloud stands of "start: {audit: …}".
	usedAt struct{ principal, window place }
}

// ref is a file or folder that the lifecycle names.
type ref struct {
	at   place
	key  string // the key that names it
	path string // relative to the lifecycle's folder, or absolute
	want string // "file", "folder" or "file or folder"
}

func newReader(file string, data []byte) *reader {
	return &reader{Reader: strictyaml.New(file, data, vocabulary)}
}

// Load reads the lifecycle file at path and checks that the files and folders
// it names are there. What is wrong in the file is an [*Error], or several
// joined; Dir of the result is absolute.
func Load(path string) (Lifecycle, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lifecycle{}, fmt.Errorf("%w: write one, or name another with --file", err)
	}
	if err != nil {
		return Lifecycle{}, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Lifecycle{}, err
	}
	r := newReader(path, data)
	l := r.lifecycle()
	for _, ref := range r.refs {
		r.check(dir, ref)
	}
	if err := r.Err(); err != nil {
		return Lifecycle{}, err
	}
	l.File, l.Dir = path, dir
	return l, nil
}

// Parse reads a lifecycle file's text; file is its name, for errors and for
// Dir. It looks at no file, so those the text names may be missing.
func Parse(file string, data []byte) (Lifecycle, error) {
	r := newReader(file, data)
	l := r.lifecycle()
	if err := r.Err(); err != nil {
		return Lifecycle{}, err
	}
	l.File, l.Dir = file, filepath.Dir(file)
	return l, nil
}

// check looks for a file that the lifecycle names.
func (r *reader) check(dir string, ref ref) {
	path := ref.path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Fail(ref.at, "%s: no such %s: %s", ref.key, ref.want, ref.path)
	case err != nil:
		r.Fail(ref.at, "%s: %v", ref.key, err)
	case ref.want == "folder" && !info.IsDir():
		r.Fail(ref.at, "%s: %s is a file, not a folder", ref.key, ref.path)
	case ref.want == "file" && info.IsDir():
		r.Fail(ref.at, "%s: %s is a folder, not a file", ref.key, ref.path)
	}
}

// refer notes that the file names another, relative to its folder.
func (r *reader) refer(at place, key, path, want string) {
	if path != "" {
		r.refs = append(r.refs, ref{at, key, path, want})
	}
}

// lifecycle reads the whole file.
func (r *reader) lifecycle() Lifecycle {
	l := Lifecycle{Start: "empty", Reference: true}
	root := r.Open()
	if root == nil {
		if r.Mistakes() == 0 {
			r.Fail(place{Line: 1, Col: 1}, "the file is empty: it needs cloud, sandbox and lifecycle")
		}
		return l
	}
	var sandboxAt, referenceAt, scopeAt, conditionsAt, trailAt place
	found := r.Fields(root, place{Line: 1, Col: 1}, "the file", "keys with values, cloud: aws for one", fileKeys, map[string]func(node, place){
		"cloud": func(n node, at place) { l.Cloud = r.OneOf(n, at, "cloud", cloudValues) },
		"sandbox": func(n node, at place) {
			sandboxAt = r.In(n, at)
			l.Sandbox = r.sandbox(n, at)
		},
		"approve": func(n node, at place) { l.Approve = r.patterns(n, at, "approve") },
		"ceiling": func(n node, at place) { l.Ceiling = r.patterns(n, at, "ceiling") },
		"scope": func(n node, at place) {
			scopeAt = r.In(n, at)
			l.Scope = Scope(r.OneOf(n, at, "scope", scopeValues))
		},
		"conditions": func(n node, at place) {
			conditionsAt = r.In(n, at)
			l.Conditions = r.Boolean(n, at, "conditions") || l.OwnedByTag != nil
		},
		"owned_by_tag": func(n node, at place) {
			conditionsAt = r.In(n, at)
			l.OwnedByTag, l.Conditions = r.tags(n, at), true
		},
		"start": func(n node, at place) { r.start(n, at, &l) },
		"reference": func(n node, at place) {
			referenceAt = r.In(n, at)
			switch text, ok := r.TextOf(n); {
			case !ok:
				l.Reference = r.Boolean(n, at, "reference")
			case text == "beside":
				l.Beside = true
			default:
				r.Fail(referenceAt, `"reference" takes true, false or beside, not %q`, text)
			}
		},
		"trust": func(n node, at place) {
			l.TrustOutput = r.OneOf(n, at, "trust", trustValues) == "output"
		},
		"audit": func(n node, at place) {
			trailAt = r.In(n, at)
			l.Audit, l.Trail = r.audit(n, at)
		},
		"names":     func(n node, at place) { l.Names = r.names(n, at) },
		"terraform": func(n node, at place) { l.Terraform = r.tool(n, at) },
		"lifecycle": func(n node, at place) { l.Steps = r.steps(n, at) },
		"variants":  func(n node, at place) { l.Variants = r.variants(n, at) },
	})
	if found == nil {
		return l
	}
	for _, key := range []struct{ name, example string }{
		{"cloud", "cloud: aws"}, {"sandbox", "sandbox: embedded"},
		{"lifecycle", "lifecycle: [{name: apply, phase: init, terraform: {command: apply}}]"},
	} {
		if _, ok := found[key.name]; !ok {
			r.Fail(place{Line: 1, Col: 1}, "the file has no %q: write %s", key.name, key.example)
		}
	}
	r.checkChanged(l)
	r.fitsUsed(l)
	if l.Beside && !l.Sandbox.Embedded {
		r.Fail(referenceAt, `"reference" can be beside in the embedded sandbox only: of a real account there is no second one`)
	}
	switch known := slices.Contains(cloudValues, l.Cloud); {
	case l.OwnedByTag != nil && l.Cloud != "aws" && known:
		r.Fail(conditionsAt, `"owned_by_tag" is for aws, and the file's cloud is %s`, l.Cloud)
	case l.Conditions && l.Cloud != "aws" && l.Cloud != "gcp" && known:
		r.Fail(conditionsAt, `"conditions" are for aws and gcp, and the file's cloud is %s`, l.Cloud)
	case l.Conditions && l.Cloud == "gcp" && l.Scope == ScopeAction:
		r.Fail(conditionsAt, `"conditions" on gcp say on which resources a grant holds, and scope: action that it holds on all: leave one of them out`)
	}
	if l.Trail != (Trail{}) && l.Cloud != "aws" && slices.Contains(cloudValues, l.Cloud) {
		r.Fail(trailAt, `"trail" is for aws, and the file's cloud is %s: write audit: true`, l.Cloud)
	}
	if slices.Contains(scopeValues, string(l.Scope)) && scopes[l.Cloud] != nil && !slices.Contains(scopes[l.Cloud], l.Scope) {
		r.Fail(scopeAt, `"scope" cannot be %s on %s: a role is assigned on a resource, a resource group or the subscription, and all resources of a type are none of them; say resource, or leave it out`, l.Scope, l.Cloud)
	}
	if _, ok := found["sandbox"]; ok && slices.Contains(cloudValues, l.Cloud) {
		r.fits(l, sandboxAt)
	}
	return l
}

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@{}-]{1,128}$`)

// tags reads the tags of what is the lifecycle's own. Source of what they may hold:
// AWS Tagging User Guide, "Tag naming limits".
func (r *reader) tags(n node, at place) map[string]string {
	tags := map[string]string{}
	for _, e := range r.Variables(n, at, "owned_by_tag") {
		tags[e.Key] = r.Variable(e, "owned_by_tag")
		if !tagText.MatchString(e.Key) || !tagText.MatchString(tags[e.Key]) {
			r.Fail(e.At, `"owned_by_tag" cannot be %s: a tag's key and value are 1 to 128 letters, digits, spaces and _ . : / = + - @`, e.Key)
		}
	}
	if len(tags) == 0 {
		r.Fail(r.In(n, at), `"owned_by_tag" has no tag: write {team: blue}, or leave it out`)
	}
	return tags
}

// patterns reads a list of permission patterns.
func (r *reader) patterns(n node, at place, key string) []string {
	var patterns []string
	for _, i := range r.Texts(n, at, key, false, false) {
		if strings.ContainsAny(i.Text, " \t\r\n") {
			r.Fail(i.At, "%q takes permissions, each on its own; %q holds a space", key, i.Text)
		}
		patterns = append(patterns, i.Text)
	}
	return patterns
}

var (
	accountID      = regexp.MustCompile(`^\d{12}$`)
	awsRegion      = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-\d+$`)
	anyRegion      = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-?\d+$`)
	googleRegion   = regexp.MustCompile(`^[a-z]+-[a-z]+\d+$`)
	projectID      = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	apiHost        = regexp.MustCompile(`^[a-z][a-z0-9-]*\.googleapis\.com$`)
	subscriptionID = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	name           = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
)

const sandboxForms = `embedded, {account: "123456789012", region: us-east-1}, {project: my-sandbox} or {subscription: …}`

func (r *reader) sandbox(n node, at place) Sandbox {
	var s Sandbox
	if text, ok := r.TextOf(n); ok {
		switch {
		case text == "embedded":
		case strictyaml.Nearest(text, []string{"embedded"}) != "":
			r.Fail(r.In(n, at), `sandbox cannot be %q (did you mean "embedded"?)`, text)
		default:
			r.Fail(r.In(n, at), "sandbox cannot be %q; it is %s", text, sandboxForms)
		}
		return Sandbox{Embedded: true}
	}
	// An ID of digits alone is a number to YAML, and means what is written.
	id := func(key, example string, form *regexp.Regexp, to *string) func(node, place) {
		return func(n node, at place) {
			s, ok := r.Written(n)
			if !ok {
				r.Fail(r.In(n, at), "%q takes a text, not %s", key, r.Kind(n))
			} else if !form.MatchString(s) {
				r.Fail(r.In(n, at), "%q cannot be %q; it looks like %s", key, s, example)
			}
			*to = s
		}
	}
	found := r.Fields(n, at, "sandbox", sandboxForms, sandboxKeys, map[string]func(node, place){
		"embedded":     func(n node, at place) { s.Embedded = r.Boolean(n, at, "embedded") },
		"propagation":  func(n node, at place) { s.Propagation = r.duration(n, at, "propagation") },
		"apis":         func(n node, at place) { s.APIs = r.apis(n, at) },
		"account":      id("account", `"123456789012"`, accountID, &s.Account),
		"region":       id("region", "us-east-1 (aws) or us-central1 (gcp)", anyRegion, &s.Region),
		"project":      id("project", "my-sandbox", projectID, &s.Project),
		"subscription": id("subscription", "01234567-89ab-cdef-0123-456789abcdef", subscriptionID, &s.Subscription),
	})
	for _, key := range []string{"account", "project", "subscription"} {
		if at, ok := found[key]; ok && s.Embedded {
			r.Fail(at, "the embedded sandbox has no %s of its own: write embedded or %s, not both", key, key)
		}
	}
	if at, ok := found["propagation"]; ok && !s.Embedded {
		r.Fail(at, "only the embedded sandbox takes %q: a real cloud takes what time it takes", "propagation")
	}
	if at, ok := found["apis"]; ok && !s.Embedded {
		r.Fail(at, "only the embedded sandbox takes %q: a real project has the APIs that it has", "apis")
	}
	return s
}

func (r *reader) apis(n node, at place) []string {
	hosts := []string{}
	for _, i := range r.Texts(n, at, "apis", false, false) {
		if !apiHost.MatchString(i.Text) {
			r.Fail(i.At, "%q takes hosts of APIs, compute.googleapis.com for one, not %q", "apis", i.Text)
		}
		hosts = append(hosts, i.Text)
	}
	return hosts
}

// fits checks that the sandbox is one of the cloud's.
func (r *reader) fits(l Lifecycle, at place) {
	s := l.Sandbox
	ids := map[string]struct{ key, value string }{
		"aws": {"account", s.Account}, "gcp": {"project", s.Project}, "azure": {"subscription", s.Subscription},
	}
	for _, cloud := range cloudValues {
		if p := ids[cloud]; cloud != l.Cloud && p.value != "" && !s.Embedded {
			r.Fail(at, "%q is a place of %s, and the file's cloud is %s", p.key, cloud, l.Cloud)
		}
	}
	if p := ids[l.Cloud]; p.value == "" && !s.Embedded && !r.WrongAt(at) {
		r.Fail(at, "a sandbox on %s needs %q; or write sandbox: embedded", l.Cloud, p.key)
	}
	if s.APIs != nil && l.Cloud != "gcp" && !r.WrongAt(at) {
		r.Fail(at, `"apis" is for gcp, and the file's cloud is %s`, l.Cloud)
	}
	regions := map[string]*regexp.Regexp{"aws": awsRegion, "gcp": googleRegion}
	switch form := regions[l.Cloud]; {
	case s.Region == "" || !anyRegion.MatchString(s.Region):
	case form == nil:
		r.Fail(at, `"region" is for aws and gcp, and the file's cloud is %s`, l.Cloud)
	case !form.MatchString(s.Region):
		r.Fail(at, `"region" cannot be %q: that is no region of %s`, s.Region, l.Cloud)
	}
}

func (r *reader) duration(n node, at place, key string) time.Duration {
	s, ok := r.TextOf(n)
	if !ok {
		r.Fail(r.In(n, at), "%q takes a duration with its unit, 3s for one, not %s", key, r.Kind(n))
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		r.Fail(r.In(n, at), "%q takes a duration with its unit, 3s for one, not %q", key, s)
		return 0
	}
	return d
}

func (r *reader) tool(n node, at place) Tool {
	var t Tool
	r.Fields(n, at, `"terraform"`, "path, version, provider_mirror and parallelism", toolKeys, map[string]func(node, place){
		"path": func(n node, at place) {
			// A bare name is looked for on PATH.
			if t.Path = r.Text(n, at, "path"); strings.ContainsAny(t.Path, `/\`) {
				r.refer(r.In(n, at), "path", t.Path, "file")
			}
		},
		"version": func(n node, at place) {
			s, ok := r.Written(n) // 1.11 is a number to YAML
			if !ok || s == "" {
				r.Fail(r.In(n, at), `"version" takes a version or a constraint, "1.11.4" or ">= 1.9", not %s`, r.Kind(n))
			}
			t.Version = s
		},
		"provider_mirror": func(n node, at place) {
			t.ProviderMirror = r.Text(n, at, "provider_mirror")
			r.refer(r.In(n, at), "provider_mirror", t.ProviderMirror, "folder")
		},
		"parallelism": func(n node, at place) {
			text, ok := r.Written(n)
			count, err := strconv.Atoi(text)
			if !ok || err != nil || count < 1 {
				r.Fail(r.In(n, at), `"parallelism" takes a number from 1 up: how many resources Terraform works on at once`)
				return
			}
			t.Parallelism = count
		},
	})
	return t
}

func (r *reader) steps(n node, at place) []Step {
	values, ok := r.List(n)
	if !ok {
		r.Fail(r.In(n, at), `"lifecycle" takes a list of steps, not %s`, r.Kind(n))
		return nil
	}
	if len(values) == 0 {
		r.Fail(at, `"lifecycle" has no steps`)
	}
	var steps []Step
	var names []place
	for _, v := range values {
		s, at := r.step(v, at)
		for i, other := range steps {
			if s.Name != "" && s.Name == other.Name {
				r.Fail(at, "a second step %q: the first is in line %d", s.Name, names[i].Line)
				break
			}
		}
		steps, names = append(steps, s), append(names, at)
	}
	// Whoever shares a role says so: a step's own role must not grow because
	// another step's role happens to be called like the step.
	for i, own := range steps {
		for _, s := range steps {
			if own.Role == "" && own.Name != "" && s.Role == own.Name {
				r.Fail(names[i], "the step's own role is called like role %q of step %q: give the step that role too, or call one of them otherwise", s.Role, s.Name)
				break
			}
		}
	}
	return steps
}

// step reads one step. The place is that of its name.
func (r *reader) step(n node, at place) (Step, place) {
	at = r.In(n, at)
	s, nameAt := Step{Line: at.Line}, at
	found := r.Fields(n, at, "a step", "keys with values, name: apply for one", stepKeys, map[string]func(node, place){
		"name": func(n node, at place) {
			nameAt = r.In(n, at)
			s.Name = r.name(n, at, "name")
		},
		"phase":  func(n node, at place) { s.Phase = Phase(r.OneOf(n, at, "phase", phaseValues)) },
		"role":   func(n node, at place) { s.Role = r.name(n, at, "role") },
		"access": func(n node, at place) { s.ReadOnly = r.OneOf(n, at, "access", accessValues) == "read" },
		"env":    func(n node, at place) { s.Env = r.env(n, at) },
		"terraform": func(n node, at place) {
			s.Terraform = r.terraform(n, at)
		},
		"packer": func(n node, at place) {
			s.Packer = r.packer(n, at)
		},
		"command":       func(n node, at place) { s.Command = r.command(n, at, "command") },
		"succeeds_when": func(n node, at place) { s.SucceedsWhen = r.succeedsWhen(n, at) },
		"timeout":       func(n node, at place) { s.Timeout = r.timeout(n, at) },
		"reset":         func(n node, at place) { s.Reset = r.command(n, at, "reset") },
		"uses":          func(n node, at place) { s.Uses = r.uses(n, at) },
	})
	if found == nil {
		return s, nameAt
	}
	for _, key := range []struct{ name, values string }{{"name", "a name of its own"}, {"phase", strings.Join(phaseValues, ", ")}} {
		if _, ok := found[key.name]; !ok {
			r.Fail(at, "the step has no %q: %s", key.name, key.values)
		}
	}
	var does []string
	for _, key := range []string{"terraform", "packer", "command"} {
		if _, ok := found[key]; ok {
			does = append(does, key)
		}
	}
	switch {
	case len(does) == 0:
		r.Fail(at, "the step does nothing: it needs terraform, packer or command")
	case len(does) > 1:
		r.Fail(found[does[1]], "the step has %s: a step is one of them", strings.Join(does, " and "))
	case does[0] != "command":
		if at, ok := found["succeeds_when"]; ok {
			r.Fail(at, `"succeeds_when" is for command steps: %s says itself how it ended`, does[0])
		}
	}
	return s, nameAt
}

// name reads the name of a step or a role. It becomes a part of the names of
// cloud objects and of files, so there is little it may hold.
func (r *reader) name(n node, at place, key string) string {
	had := r.Mistakes()
	s := r.Text(n, at, key)
	if r.Mistakes() == had && !name.MatchString(s) {
		r.Fail(r.In(n, at), "%q cannot be %q; it is 1 to 40 of a-z, 0-9 and -", key, s)
	}
	return s
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *reader) env(n node, at place) map[string]string {
	env := make(map[string]string)
	for _, e := range r.Variables(n, at, "env") {
		switch tf, isVar := strings.CutPrefix(e.Key, "TF_VAR_"); {
		case !variableName.MatchString(e.Key):
			r.Fail(e.At, "%q cannot be the name of an environment variable", e.Key)
		case isOwned(e.Key):
			r.Fail(e.At, "%s is whittle's to set: take it out", e.Key)
		case isVar:
			r.Fail(e.At, `%s: write it under the step's terraform: {var: {%s: …}}`, e.Key, tf)
		}
		env[e.Key] = r.Variable(e, "env")
	}
	return env
}

// vars reads the variables of a tool.
func (r *reader) vars(n node, at place) map[string]string {
	vars := make(map[string]string)
	for _, e := range r.Variables(n, at, "var") {
		if e.Key == "" || strings.ContainsAny(e.Key, "= \t\n\x00") || strings.HasPrefix(e.Key, "-") {
			r.Fail(e.At, "%q cannot be the name of a variable", e.Key)
		}
		vars[e.Key] = r.Variable(e, "var")
	}
	return vars
}

func (r *reader) terraform(n node, at place) *Terraform {
	t := &Terraform{Dir: "."}
	var files []strictyaml.Item
	var lockAt place
	found := r.Fields(n, at, `a step's "terraform"`, "keys with values, {dir: infra, command: apply} for one", terraformKeys, map[string]func(node, place){
		"dir": func(n node, at place) {
			t.Dir = r.Text(n, at, "dir")
			r.refer(r.In(n, at), "dir", t.Dir, "folder")
		},
		"command": func(n node, at place) { t.Command = r.OneOf(n, at, "command", terraformValues) },
		"target": func(n node, at place) {
			for _, i := range r.Texts(n, at, "target", true, false) {
				t.Target = append(t.Target, i.Text)
			}
		},
		"var_file": func(n node, at place) { files = r.Texts(n, at, "var_file", true, false) },
		"var":      func(n node, at place) { t.Var = r.vars(n, at) },
		"lock":     func(n node, at place) { t.Unlocked, lockAt = !r.Boolean(n, at, "lock"), r.In(n, at) },
	})
	if t.Unlocked && t.Command != "plan" && t.Command != "" {
		r.Fail(lockAt, `"lock" can be false for a plan only: %s writes the state, and nobody else must then`, t.Command)
	}
	if _, ok := found["command"]; found != nil && !ok {
		r.Fail(at, `"terraform" has no "command": %s`, strings.Join(terraformValues, ", "))
	}
	for _, f := range files { // dir may come after var_file
		t.VarFile = append(t.VarFile, f.Text)
		r.refer(f.At, "var_file", within(t.Dir, f.Text), "file")
	}
	return t
}

// within is path seen from where dir is seen from.
func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (r *reader) packer(n node, at place) *Packer {
	p := new(Packer)
	found := r.Fields(n, at, `"packer"`, "keys with values, {template: image.pkr.hcl} for one", packerKeys, map[string]func(node, place){
		"template": func(n node, at place) {
			p.Template = r.Text(n, at, "template")
			r.refer(r.In(n, at), "template", p.Template, "file or folder")
		},
		"var_file": func(n node, at place) {
			for _, i := range r.Texts(n, at, "var_file", true, false) {
				p.VarFile = append(p.VarFile, i.Text)
				r.refer(i.At, "var_file", i.Text, "file")
			}
		},
		"var": func(n node, at place) { p.Var = r.vars(n, at) },
	})
	if _, ok := found["template"]; found != nil && !ok {
		r.Fail(at, `"packer" has no "template"`)
	}
	return p
}

// uses reads the paths that a step uses, which must lie in the lifecycle's folder:
// nothing else is copied for it.
func (r *reader) uses(n node, at place) []string {
	var paths []string
	for _, i := range r.Texts(n, at, "uses", true, false) {
		switch {
		case i.Text == "":
			r.Fail(i.At, `"uses" names a file or folder, not ""`)
		case !filepath.IsLocal(filepath.FromSlash(i.Text)):
			r.Fail(i.At, `"uses" names what lies in the folder of this file; %q does not`, i.Text)
		default:
			r.refer(i.At, "uses", i.Text, "file or folder")
			paths = append(paths, i.Text)
		}
	}
	return paths
}

// command reads a program and its arguments, the value of a key.
func (r *reader) command(n node, at place, key string) []string {
	if s, ok := r.TextOf(n); ok {
		r.Fail(r.In(n, at), "%q takes a list, the program and its arguments: write %[1]s: [%[2]s]; a shell is run by [sh, -c, \"…\"]",
			key, strings.Join(strings.Fields(s), ", "))
		return nil
	}
	had := r.Mistakes()
	var argv []string
	for _, i := range r.Texts(n, at, key, false, true) {
		if strings.ContainsRune(i.Text, 0) {
			r.Fail(i.At, "%q holds a NUL character", key)
		}
		argv = append(argv, i.Text)
	}
	if r.Mistakes() == had && (len(argv) == 0 || argv[0] == "") {
		r.Fail(r.In(n, at), "%q names no program", key)
	}
	return argv
}
